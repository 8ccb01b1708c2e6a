"""What a gate leaves in its candidate's folder: the questions as drawn up, the record."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from evalkit.errors import RunFormatError
from evalkit.runs.folder import compress_lines, named_errors, write_whole

FORMAT = 1
"""Version of the layout of both files."""

RECORDS = "gate-*.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateQuestion:
    """One question of a gate: by its place and these two numbers the order can be drawn again."""

    id: str
    score: float
    """The baseline's, in [0, 1]."""
    weight: float = 1.0
    """By which it is drawn, more than 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What a gate's order is drawn from, fixed before the candidate is asked.

    All gates of one seed share it: whatever runs are made meanwhile, the order stays.
    """

    questions: tuple[GateQuestion, ...]
    """In the order of the set."""
    history: tuple[str, ...] = ()
    """Ids of the earlier runs that made the weights."""
    flips: float = 0.05
    """The share of questions on which two runs of the model are taken to differ."""
    flips_from: str = "assumed"
    """Where that share comes from."""

    @property
    def volatile(self) -> int:
        """Questions that are drawn rather than others."""
        least = min(question.weight for question in self.questions)
        return sum(question.weight > least for question in self.questions)

    @property
    def digest(self) -> str:
        """SHA-256 of all of it, as 64 hexadecimal digits."""
        return sha256(b"\n".join(encode_lot(self))).hexdigest()


def lot_path(folder: Path, seed: int) -> Path:
    """Where the lot of a seed lies."""
    return folder / f"gate-{seed:016x}.questions.jsonl.gz"


def write_lot(folder: Path, seed: int, lot: Lot) -> None:
    """Write down what the order is drawn from.

    Raises:
        RunError: it can't be written.
    """
    write_whole(lot_path(folder, seed), compress_lines(encode_lot(lot)))


def encode_lot(lot: Lot) -> Iterator[bytes]:
    """A line for the whole, then one a question."""
    head = {"format": FORMAT, "history": lot.history, "flips": lot.flips, "from": lot.flips_from}
    yield json.dumps(head).encode()
    for question in lot.questions:
        yield json.dumps([question.id, question.score, question.weight]).encode()


def read_lot(folder: Path, seed: int) -> Lot | None:
    """What was written down for a seed; None if nothing was.

    Raises:
        RunFormatError: the file can't be read.
    """
    path = lot_path(folder, seed)
    if not path.exists():
        return None
    with named_errors(folder):
        try:
            head, *rows = map(orjson.loads, gzip.decompress(path.read_bytes()).splitlines())
            check_format(path, head)
            return Lot(
                questions=tuple(
                    GateQuestion(id=name, score=score, weight=weight)
                    for name, score, weight in rows
                ),
                history=tuple(head["history"]),
                flips=head["flips"],
                flips_from=head["from"],
            )
        except (KeyError, TypeError, ValueError, EOFError, zlib.error) as error:
            raise RunFormatError(f"{path} can't be read: {error}") from error


def record_path(folder: Path, gate: str) -> Path:
    """Where the record of a gate lies."""
    return folder / f"gate-{gate}.json"


def write_record(folder: Path, gate: str, record: Mapping[str, Any]) -> None:
    """Write a gate's record anew.

    Raises:
        RunError: it can't be written.
    """
    text = json.dumps({"format": FORMAT, **record}, ensure_ascii=False)
    write_whole(record_path(folder, gate), f"{text}\n".encode())


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


def check_format(path: Path, table: Mapping[str, Any]) -> None:
    """Refuse what another version has written.

    Raises:
        RunFormatError: naming both.
    """
    if table.get("format") != FORMAT:
        found = table.get("format")
        raise RunFormatError(f"{path} has format {found!r}; this version reads {FORMAT}")
