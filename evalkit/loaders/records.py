"""One row of a question file, whatever its format, with the place where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from evalkit.errors import BenchmarkError, RowProblem

SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Record:
    """A row that could be parsed.

    Args:
        line: where the row starts, counted from 1.
        values: its cells by column name, or its keys.
    """

    line: int
    values: Mapping[str, object]

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


def read_text(path: Path) -> str:
    """Read a whole question file as UTF-8, with or without a byte order mark.

    Raises:
        BenchmarkError: the file is missing, unreadable or in another encoding.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise BenchmarkError("no such file", path=path) from None
    except OSError as error:
        raise BenchmarkError(f"can't be read: {error.strerror}", path=path) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        raise BenchmarkError(reason, path=path, line=line) from error
