"""One row of a question file, whatever its format, with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from evalkit.errors import BenchmarkError, RowProblem
from evalkit.loaders.archive import open_file

SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Record:
    """A row that could be parsed.

    Args:
        line: where the row starts, counted from 1.
        values: its cells by column name, or its keys.
        number: which record of its line it is, counted from 1, where a line holds all of them.
    """

    line: int
    values: Mapping[str, object]
    number: int | None = field(default=None, compare=False)

    def get(self, column: str) -> object:
        """The value of a column, or at a dotted path such as `choices.text`; None if absent."""
        if column in self.values:
            return self.values[column]
        value: object = self.values
        for key in column.split("."):
            if not isinstance(value, Mapping) or key not in value:
                return None
            value = value[key]
        return value


Row: TypeAlias = Record | RowProblem
"""A file is read as rows; one that can't be parsed is a problem and does not end the reading."""

Rows: TypeAlias = Iterator[Row]


def shorten(value: object) -> str:
    """A value as one readable line of at most 60 characters.

    Example:
        >>> shorten([1, 2]), shorten(None)
        ('[1, 2]', 'missing')
    """
    try:
        text = "missing" if value is None else repr(value)
    except (RecursionError, ValueError):  # nested too deeply, or a number of 5,000 digits
        text = f"{type(value).__name__} too large to show"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def read_lines(path: Path) -> Iterator[str]:
    """Read a question file line by line as UTF-8, with or without a byte order mark.

    Only a line feed ends a line, and it stays: U+2028 and others may stand inside a JSON string.

    Raises:
        BenchmarkError: the file is missing, unreadable or in another encoding.
    """
    with open_file(path) as file:
        for line, data in enumerate(file, start=1):
            try:
                text = data.decode() if line > 1 else data.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise wrong_encoding(path, line, error) from error
            yield text


def read_text(path: Path) -> str:
    """Read a whole question file, as `read_lines` does line by line."""
    with open_file(path) as file:
        data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise wrong_encoding(path, line, error) from error


def wrong_encoding(path: Path, line: int, error: UnicodeDecodeError) -> BenchmarkError:
    """Name the byte that is no UTF-8."""
    reason = f"byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8"
    return BenchmarkError(reason, path=path, line=line)
