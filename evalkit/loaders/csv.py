"""CSV and TSV files, with or without a header row."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import BenchmarkError, QuestionSetError, RowProblem
from evalkit.loaders.records import Record, Rows, read_lines, shorten

LARGEST_CELL = 2**31 - 1
"""Characters; more than any file has, and no more than every platform's C long holds."""

QUOTED = re.compile(r'"[^"]*"')

SETTING = re.compile(r"#(?:separator|html|tags|columns|notetype|deck|guid)(?: column)?:")
SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|", "colon": ":"}


@dataclass(frozen=True, slots=True)
class Cells:
    """One row, split.

    Args:
        line: where it starts: a quoted cell may hold line breaks.
        texts: its cells, as many as there are.
    """

    line: int
    texts: tuple[str, ...]


def read_csv(path: Path, *, columns: tuple[str, ...] = (), delimiter: str | None = None) -> Rows:
    """Read a table as text: no cell becomes a number or a missing value.

    Rows of nothing but blank cells, which spreadsheets write below a table, are passed over.

    Args:
        path: the file.
        columns: names of the columns of a file without header; empty: the first row names them.
        delimiter: what separates cells; None: a tab in .tsv files, else what the first row shows.

    Raises:
        BenchmarkError: the file can't be read or its header can't be used.
    """
    rows = split_rows(path, delimiter)
    if not columns:
        columns = read_header(path, rows)
    for row in rows:
        if isinstance(row, RowProblem):
            yield row
        elif any(text.strip() for text in row.texts):
            yield to_record(path, row, columns)


def to_record(path: Path, row: Cells, columns: tuple[str, ...]) -> Record | RowProblem:
    """Name the cells of a row."""
    if len(row.texts) == len(columns):
        return Record(row.line, dict(zip(columns, row.texts, strict=True)))
    remedy = f"{len(row.texts)} cells where {len(columns)} are expected: check the quotes"
    value = shorten(list(row.texts))
    return RowProblem(path=path, line=row.line, field="row", value=value, remedy=remedy)


def split_rows(path: Path, delimiter: str | None) -> Iterator[Cells | RowProblem]:
    """Split a file into cells; blank lines are passed over.

    A quote that is never closed would swallow the rows below it, so that it is a problem.
    """
    csv.field_size_limit(LARGEST_CELL)
    dialect = csv.reader((), delimiter=delimiter or guess_delimiter(path), strict=True).dialect
    above = len(read_settings(path))
    lines = itertools.islice(split_lines(path), above, None)
    line = 1 + above
    for first in lines:
        reader = csv.reader(itertools.chain([first], lines), dialect)
        try:
            cells = next(reader)
        except csv.Error as error:
            value = shorten(first.strip())
            remedy = f"{error}: close each quote, and write a quote within quotes twice"
            yield RowProblem(path=path, line=line, field="row", value=value, remedy=remedy)
        else:
            if cells:
                yield Cells(line, tuple(cells))
        line += reader.line_num


def split_lines(path: Path) -> Iterator[str]:
    """The lines of a table: a carriage return ends one too."""
    for text in read_lines(path):
        yield from io.StringIO(text, newline="")


def read_settings(path: Path) -> dict[str, str]:
    """What stands above a table that a program for flash cards has exported.

    Such a file begins with `#separator:tab` and more lines of this kind; no other file has any.
    """
    lines = itertools.takewhile(SETTING.match, read_lines(path))
    settings = dict(text[1:].strip().split(":", 1) for text in lines)
    return settings if "separator" in settings else {}


def guess_delimiter(path: Path) -> str:
    """A tab in .tsv files; else the one of comma, semicolon and tab most frequent in row one."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    named = read_settings(path).get("separator", "").lower()
    if named:
        return SEPARATORS.get(named, named[:1])
    first, _, _ = QUOTED.sub("", read_first_row(path)).partition("\n")
    return max((",", ";", "\t"), key=first.count)


def read_first_row(path: Path) -> str:
    """The text up to the first line break that is not within quotes, blank lines left out."""
    lines: list[str] = []
    quotes = 0
    for text in itertools.dropwhile(str.isspace, read_lines(path)):
        lines.append(text)
        quotes += text.count('"')
        if quotes % 2 == 0:
            break
    return "".join(lines).lstrip()


def read_header(path: Path, rows: Iterator[Cells | RowProblem]) -> tuple[str, ...]:
    """Take the first row as the names of the columns; columns without a name may be several."""
    first = next(rows, None)
    if first is None:
        raise BenchmarkError("the file is empty", path=path)
    if isinstance(first, RowProblem):
        raise QuestionSetError((first,))
    names = tuple(text.strip() for text in first.texts)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        reason = f"the header names {shorten(twice[0])} more than once; rename one"
        raise BenchmarkError(reason, path=path, line=first.line)
    return names


def read_first_rows(path: Path, count: int) -> list[tuple[str, ...]]:
    """The cells of the first rows, to see what kind of table this is."""
    rows = itertools.islice(split_rows(path, None), count)
    return [row.texts for row in rows if isinstance(row, Cells)]
