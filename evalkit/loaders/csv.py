"""CSV and TSV files, with or without a header row."""

from __future__ import annotations

import csv
import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from evalkit.errors import BenchmarkError, RowProblem
from evalkit.loaders.records import Record, Rows, read_text, shorten

Cells = tuple[int, list[str]]
"""The line on which a row starts, and its cells: a quoted cell may hold line breaks."""


def read_csv(path: Path, *, columns: tuple[str, ...] = (), delimiter: str | None = None) -> Rows:
    """Read a table as text: no cell becomes a number or a missing value.

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
    for line, cells in rows:
        if len(cells) == len(columns):
            yield Record(line, dict(zip(columns, cells, strict=True)))
        elif any(cell.strip() for cell in cells):
            remedy = f"{len(cells)} cells where {len(columns)} are expected: check the quotes"
            yield RowProblem(
                path=path, line=line, field="row", value=shorten(cells[0]), remedy=remedy
            )


def split_rows(path: Path, delimiter: str | None) -> Iterator[Cells]:
    """Split a file into cells; rows that are wholly blank lines are passed over."""
    csv.field_size_limit(sys.maxsize)
    text = read_text(path)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter or guess_delimiter(path, text)
    )
    start = 1
    try:
        for cells in reader:
            if cells:
                yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise BenchmarkError(f"not a table: {error}", path=path, line=start) from error


def guess_delimiter(path: Path, text: str) -> str:
    """A tab in .tsv files; else the one of comma, semicolon and tab most frequent in line one."""
    if path.suffix == ".tsv":
        return "\t"
    first = text.partition("\n")[0]
    return max((",", ";", "\t"), key=first.count)


def read_header(path: Path, rows: Iterator[Cells]) -> tuple[str, ...]:
    """Take the first row as the names of the columns."""
    _, cells = next(rows, (1, []))
    names = tuple(cell.strip() for cell in cells)
    if not names:
        raise BenchmarkError("the file is empty", path=path)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        reason = f"the header names {shorten(twice[0])} more than once; rename one"
        raise BenchmarkError(reason, path=path, line=1)
    return names


def read_first_rows(path: Path, count: int) -> list[list[str]]:
    """The cells of the first rows, to see what kind of table this is."""
    return [cells for _, cells in itertools.islice(split_rows(path, None), count)]
