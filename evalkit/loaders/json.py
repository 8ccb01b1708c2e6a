"""JSON files that hold one list of records, or lines of JSON under the wrong ending."""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator
from pathlib import Path

from evalkit.errors import BenchmarkError
from evalkit.loaders.jsonl import DECODER, decode, read_jsonl, to_record
from evalkit.loaders.records import Row, Rows, read_text, shorten

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
    start = skip_space(text, 0)
    if records is not None:
        yield from read_list(path, text, find_list(path, text, start, records))
    elif text[start : start + 1] == "[":
        end = yield from read_list(path, text, start)
        rest = text[end:].strip()
        if rest:
            reason = f"not JSON: {shorten(rest)} after the end of the list; one list a file"
            raise BenchmarkError(reason, path=path, line=line_of(text, end))
    else:
        check_lines(path, text[start:])
        del text  # as large as all questions together
        yield from read_jsonl(path)


def find_record_keys(path: Path) -> tuple[str, ...]:
    """The keys of lists of objects in a file that holds one object; none for any other file.

    Raises:
        BenchmarkError: the file can't be read.
    """
    text = read_text(path)
    try:
        table = decode(text)
    except ValueError:
        return ()
    if not isinstance(table, dict):
        return ()
    lists = ((key, value) for key, value in table.items() if isinstance(value, list))
    return tuple(key for key, value in lists if value and all(isinstance(v, dict) for v in value))


def check_lines(path: Path, text: str) -> None:
    """Tell JSON lines from one object spread over many lines."""
    if not text:
        raise BenchmarkError("the file is empty", path=path)
    try:
        decode(text.partition("\n")[0])
    except ValueError as error:
        remedy = "name the key of the list as `records`"
        if text.startswith("{") and not is_json(text):
            remedy = "is the file cut off?"
        raise BenchmarkError(
            f"neither a list nor JSON lines ({error}); {remedy}", path=path
        ) from error


def is_json(text: str) -> bool:
    """Whether a text is one value of JSON."""
    try:
        decode(text)
    except ValueError:
        return False
    return True


def find_list(path: Path, text: str, start: int, records: str) -> int:
    """Where the list under a key of the object at `start` opens."""
    keys: list[object] = []
    mark = text[start : start + 1]
    position = skip_space(text, start + 1)
    while mark in ("{", ",") and text[position : position + 1] == '"':
        key, position = decode_at(path, text, position)
        position = skip_space(text, skip_space(text, position) + 1)
        if key == records and text[position : position + 1] == "[":
            return position
        keys.append(key)
        position = skip_space(text, decode_at(path, text, position)[1])
        mark = text[position : position + 1]
        position = skip_space(text, position + 1)
    reason = f"no list under the key {records!r}; the keys are {shorten(keys)}"
    raise BenchmarkError(reason, path=path)


def read_list(path: Path, text: str, start: int) -> Generator[Row, None, int]:
    """Read the list that opens at `start` item by item; return where it ends."""
    position = skip_space(text, start + 1)
    if text[position : position + 1] == "]":
        return position + 1
    line, counted = 1, 0
    # Where all stand on one line, the line alone would name none of them.
    numbers = itertools.count(1) if is_one_line(text, position) else itertools.repeat(None)
    while True:
        line += text.count("\n", counted, position)
        counted = position
        value, end = decode_at(path, text, position)
        yield to_record(path, line, value, next(numbers))
        end = skip_space(text, end)
        if text[end : end + 1] == "]":
            return end + 1
        if text[end : end + 1] != ",":
            reason = "not JSON: expected ',' or ']' after a record; is the file cut off?"
            raise BenchmarkError(reason, path=path, line=line_of(text, end))
        position = skip_space(text, end + 1)


def is_one_line(text: str, position: int) -> bool:
    """Whether no line ends from a position on, but the last."""
    end = text.find("\n", position)
    return end < 0 or not text[end : end + 1000].strip()


def decode_at(path: Path, text: str, position: int) -> tuple[object, int]:
    """Decode the value that stands at a position, and say where it ends."""
    try:
        return DECODER.raw_decode(text, position)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        line = line_of(text, position)
        raise BenchmarkError(f"not JSON: {reason}", path=path, line=line) from error


def line_of(text: str, position: int) -> int:
    """The line on which a position is, counted from 1."""
    return text.count("\n", 0, position) + 1


def skip_space(text: str, position: int) -> int:
    """The position of the next character that is no white space."""
    match = SPACE.match(text, position)
    assert match is not None
    return match.end()
