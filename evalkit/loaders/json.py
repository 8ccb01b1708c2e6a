"""JSON files that hold one list of records, or lines of JSON under the wrong ending."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from evalkit.errors import BenchmarkError
from evalkit.loaders.jsonl import decode, read_jsonl, to_record
from evalkit.loaders.records import Rows, read_text

DECODER = json.JSONDecoder(parse_float=str)
SPACE = re.compile(r"[ \t\r\n]*")


def read_json(path: Path, *, records: str | None = None) -> Rows:
    """Read the records of a JSON file.

    A list at the top is read record by record, so that each has its line. A file whose first line
    is an object of its own is read as JSON lines, which many published `.json` files are.

    Args:
        path: the file.
        records: the key of the list, if the file is one object that holds it.

    Raises:
        BenchmarkError: the file can't be read, is not JSON, or has no list there.
    """
    text = read_text(path)
    start = find_list(path, text, records)
    if start is None:
        check_lines(path, text)
        yield from read_jsonl(path)
        return
    for line, value in list_items(path, text, start):
        yield to_record(path, line, value)


def check_lines(path: Path, text: str) -> None:
    """Tell JSON lines from one object spread over many lines."""
    try:
        decode(text.lstrip().partition("\n")[0])
    except ValueError as error:
        reason = f"neither a list nor JSON lines ({error}); name the key of the list as `records`"
        raise BenchmarkError(reason, path=path) from error


def find_list(path: Path, text: str, records: str | None) -> int | None:
    """Where the list of records opens; None: the file is no list."""
    if records is None:
        start = skip_space(text, 0)
        return start if text[start : start + 1] == "[" else None
    match = re.search(rf"{re.escape(json.dumps(records))}\s*:\s*\[", text)
    if match is None:
        raise BenchmarkError(f"no list under the key {records!r}", path=path)
    return match.end() - 1


def list_items(path: Path, text: str, start: int) -> Iterator[tuple[int, object]]:
    """Decode the list that opens at `start` item by item: (line on which the item starts, item)."""
    position = skip_space(text, start + 1)
    line, counted = 1, 0
    if text[position : position + 1] == "]":
        return
    while True:
        line += text.count("\n", counted, position)
        counted = position
        try:
            value, end = DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise BenchmarkError(f"not JSON: {error}", path=path, line=line) from error
        yield line, value
        end = skip_space(text, end)
        if text[end : end + 1] == "]":
            return
        if text[end : end + 1] != ",":
            line += text.count("\n", counted, end)
            reason = "not JSON: expected ',' or ']' after a record; is the file cut off?"
            raise BenchmarkError(reason, path=path, line=line)
        position = skip_space(text, end + 1)


def skip_space(text: str, position: int) -> int:
    """The position of the next character that is no white space."""
    match = SPACE.match(text, position)
    return match.end() if match else position
