"""What a gate leaves in its candidate's folder: the questions as drawn up, the record."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from evalkit.errors import RunFormatError
from evalkit.question_lines import compress_lines
from evalkit.runs.folder import named_errors, write_whole

FORMAT = 2
"""Version of the layout of both files."""

RECORDS, LOTS = "gate-*.json", "gate-*.questions.jsonl.gz"


@dataclass(frozen=True, kw_only=True)
class GateLot:
    """What a gate's order is drawn from, fixed before the candidate is asked.

    All gates of one seed share it: whatever runs are made meanwhile, the order stays.
    """

    ids: tuple[str, ...]
    """The questions in the order of the set."""
    scores: tuple[float, ...]
    """The baseline's, each in [0, 1]."""
    weights: tuple[float, ...]
    """By which the questions are drawn, each more than 0."""
    history: tuple[str, ...] = ()
    """Ids of the earlier runs that made the weights."""
    flips: float = 0.05
    """The share of questions on which two runs of the model are taken to differ."""
    flips_from: str = "assumed"
    """Where that share comes from."""

    @property
    def volatile(self) -> int:
        """Questions that are drawn rather than others."""
        least = min(self.weights)
        return sum(weight > least for weight in self.weights)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all of it, as 64 hexadecimal digits."""
        sha = sha256()
        for line in encode_lot(self):
            sha.update(b"%b\n" % line)
        return sha.hexdigest()


def lot_path(folder: Path, seed: int) -> Path:
    """Where the lot of a seed lies."""
    return folder / f"gate-{seed:016x}.questions.jsonl.gz"


def write_lot(folder: Path, seed: int, lot: GateLot) -> None:
    """Write down what the order is drawn from.

    Raises:
        RunError: it can't be written.
    """
    write_whole(lot_path(folder, seed), compress_lines(encode_lot(lot)))


def encode_lot(lot: GateLot) -> Iterator[bytes]:
    """A line for the whole, then one a question."""
    head = {"format": FORMAT, "history": lot.history, "flips": lot.flips, "from": lot.flips_from}
    yield orjson.dumps(head)
    for row in zip(lot.ids, lot.scores, lot.weights, strict=True):
        try:
            yield orjson.dumps(row)
        except TypeError:  # a lone surrogate
            yield json.dumps(row).encode()


def read_lot(folder: Path, seed: int) -> GateLot | None:
    """What was written down for a seed; None if nothing was.

    Raises:
        RunFormatError: the file can't be read.
    """
    path = lot_path(folder, seed)
    if not path.exists():
        return None
    with named_errors(folder):
        try:
            head, *rows = map(read_line, gzip.decompress(path.read_bytes()).splitlines())
            check_format(path, head)
            ids, scores, weights = zip(*rows, strict=True)
            return GateLot(
                ids=ids,
                scores=scores,
                weights=weights,
                history=tuple(head["history"]),
                flips=head["flips"],
                flips_from=head["from"],
            )
        except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error) as error:
            raise RunFormatError(f"{path} can't be read: {error}") from error


def read_line(line: bytes) -> Any:
    """The JSON of one line.

    Raises:
        ValueError: it is none.
    """
    try:
        return orjson.loads(line)
    except ValueError:  # what orjson does not take, Python's own reader may
        return json.loads(line)


def record_path(folder: Path, gate: str) -> Path:
    """Where the record of a gate lies."""
    return folder / f"gate-{gate}.json"


def write_record(folder: Path, gate: str, record: Mapping[str, Any]) -> None:
    """Write a gate's record anew.

    Raises:
        RunError: it can't be written.
    """
    table = {"format": FORMAT, **record}
    try:
        text = orjson.dumps(table)
    except TypeError:  # a lone surrogate
        text = json.dumps(table).encode()
    write_whole(record_path(folder, gate), b"%b\n" % text)


def read_record(path: Path) -> dict[str, Any]:
    """A gate's record.

    Raises:
        RunFormatError: there is none, or it can't be read.
    """
    with named_errors(path.parent):
        table = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(table, dict):
        raise RunFormatError(f"{path} can't be read: it is no record")
    check_format(path, table)
    return table


def list_records(folder: Path) -> Sequence[Path]:
    """The records of all gates of a candidate."""
    return sorted(folder.glob(RECORDS))


def holds_gate(folder: Path) -> bool:
    """Whether a gate was held in a run's folder."""
    return next(folder.glob(RECORDS), None) is not None


def check_format(path: Path, table: Mapping[str, Any]) -> None:
    """Refuse what another version has written.

    Raises:
        RunFormatError: naming both.
    """
    if table.get("format") != FORMAT:
        found = table.get("format")
        raise RunFormatError(f"{path} has format {found!r}; this version reads {FORMAT}")
