"""The file of a baseline: facts and questions' scores a line each, with a digest of all of it.

Texts of questions, prompts and replies are in it as digests at most. The facts stand as they are,
stop sequences among them, and so do the questions' ids, whatever these are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from evalkit.errors import RunError, RunFormatError
from evalkit.json_text import decode_json
from evalkit.runs.folder import write_whole

FORMAT = 1
"""Version of the layout."""

KIND = "evalkit baseline"
"""The key of the first line, by which such a file is known."""

REMEDY = "restore it from version control, or make it again: evalkit baseline set RUN --to FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question of a baseline."""

    id: str
    score: float | None
    """In [0, 1]; None: there is no reply."""
    content: str | None
    """A digest of what a model is shown or judged by; None: it can't be known."""


def write_baseline_file(path: Path, facts: Mapping[str, Any], rows: Iterable[Row]) -> None:
    """Write a baseline, the same bytes for the same one, whole or not at all.

    Raises:
        RunError: it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path.parent} can't be made: {error.strerror}") from error
    lines = list(encode_lines(facts, rows))
    lines.append(encode({"sha256": digest_lines(lines)}))
    write_whole(path, b"".join(b"%b\n" % line for line in lines))


def encode_lines(facts: Mapping[str, Any], rows: Iterable[Row]) -> Iterator[bytes]:
    """The lines but the last: what the file is, one fact a line, one question a line."""
    yield encode({KIND: FORMAT})
    for name, value in facts.items():
        yield encode({name: value})
    for row in rows:
        # 1 rather than 1.0: most scores are 0 or 1, and there may be many.
        score = row.score
        whole = int(score) if score is not None and score == int(score) else score
        yield encode([row.id, whole, row.content])


def encode(value: Any) -> bytes:
    """A line of JSON in ASCII, which no tool between here and a repository changes."""
    return json.dumps(value, sort_keys=True).encode()


def digest_lines(lines: Sequence[bytes]) -> str:
    """SHA-256 of lines, however they are broken: a checkout may change line ends."""
    sha = sha256()
    for line in lines:
        sha.update(b"%b\n" % line)
    return sha.hexdigest()


def read_baseline_file(path: Path) -> tuple[dict[str, Any], tuple[Row, ...]]:
    """Read the facts and the rows of a file whose digest is right.

    Raises:
        RunFormatError: there is none, it is none, it was changed, or another version wrote it.
    """
    try:
        lines = path.read_bytes().replace(b"\r\n", b"\n").split(b"\n")
    except OSError as error:
        raise RunFormatError(f"{path} can't be read: {error.strerror}") from error
    is_ended = lines[-1] == b""
    lines = lines[:-1] if is_ended else lines
    check_head(path, lines[0] if lines else b"")
    stated = parse_line(lines[-1])
    if not is_ended or stated != {"sha256": digest_lines(lines[:-1])}:
        raise RunFormatError(
            f"{path} was changed after it was written: its digest is not that of its lines; "
            f"{REMEDY}"
        )
    facts: dict[str, Any] = {}
    rows = []
    for line in map(decode_json, lines[1:-1]):
        if isinstance(line, dict):
            facts |= line
        else:
            name, share, content = line
            score = None if share is None else float(share)
            rows.append(Row(id=name, score=score, content=content))
    return facts, tuple(rows)


def check_head(path: Path, line: bytes) -> None:
    """Refuse what is no baseline, or another version's.

    Raises:
        RunFormatError: naming what it is.
    """
    head = parse_line(line)
    if not isinstance(head, dict) or KIND not in head:
        raise RunFormatError(
            f"{path} is no baseline: its first line is not {encode({KIND: FORMAT}).decode()}; "
            "evalkit baseline set RUN --to FILE writes one"
        )
    if head[KIND] != FORMAT:
        raise RunFormatError(f"{path} has format {head[KIND]!r}; this version reads {FORMAT}")


def parse_line(line: bytes) -> Any:
    """The JSON of a line; None if it is none."""
    try:
        return decode_json(line)
    except ValueError:
        return None
