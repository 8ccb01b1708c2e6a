"""JSON lines: one object a line."""

from __future__ import annotations

import json
from pathlib import Path

import orjson

from evalkit.errors import RowProblem
from evalkit.loaders.records import Record, Rows, read_lines, shorten

UNDECIDED = object()

DECODER = json.JSONDecoder(parse_float=str)


def read_jsonl(path: Path) -> Rows:
    """Read one object a line; blank lines are passed over, a broken line is a problem.

    Raises:
        BenchmarkError: the file can't be read.
    """
    for line, text in enumerate(read_lines(path), start=1):
        if not text.isspace():
            yield parse_row(path, line, text.removesuffix("\n"))


def parse_row(path: Path, line: int, text: str) -> Record | RowProblem:
    """Parse one line."""
    try:
        value = decode(text)
    except ValueError as error:
        remedy = f"not JSON: {error}"
        return RowProblem(path=path, line=line, field="row", value=shorten(text), remedy=remedy)
    return to_record(path, line, value)


def to_record(
    path: Path, line: int, value: object, number: int | None = None
) -> Record | RowProblem:
    """Accept an object; anything else is a problem of its row."""
    if isinstance(value, dict):
        return Record(line, value, number)
    return RowProblem(
        path=path,
        line=line,
        field="row",
        value=shorten(value),
        remedy="expected an object with named fields",
        number=number,
    )


def decode(text: str) -> object:
    """Parse JSON, keeping numbers with a decimal point as the text that was written.

    Raises:
        ValueError: saying what is wrong, and in which column of the line.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = UNDECIDED  # the standard library takes more, and says better what is wrong
    if value is not UNDECIDED and not holds_float(value):
        return value
    if text.startswith("\ufeff"):
        raise ValueError("Unexpected UTF-8 BOM (decode using utf-8-sig) at column 1")
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg.removesuffix(' at')} at column {error.colno}") from error
    except RecursionError:
        raise ValueError("nested too deeply") from None


def holds_float(value: object) -> bool:
    """Whether a decoded value has a number whose text is lost: `1.50` is not 1.5 in a choice."""
    kind = value.__class__
    if kind is str or kind is int:
        return False
    if kind is list:
        return any(map(holds_float, value))  # type: ignore[call-overload]
    if kind is dict:
        return any(map(holds_float, value.values()))  # type: ignore[attr-defined]
    return kind is float
