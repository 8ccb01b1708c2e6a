"""A report as CSV: one row for each run and group, response, or disputed score."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from evalkit.frames import COLUMNS as RESPONSE_COLUMNS
from evalkit.frames import list_rows
from evalkit.reports.import_sheets import DIFFERENCE, list_difference_rows
from evalkit.reports.report import Report
from evalkit.reports.run_sheets import sheet_groups
from evalkit.reports.tables import clean_lines

ReportRows = Literal["groups", "responses", "differences"]
"""What a row is: a run and group, a response, or a reply of an imported run that evalkit scores
differently from the tool that asked."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a text begins that a spreadsheet may take for a formula, full-width signs too."""

LINES_AT_ONCE = 1_000


def list_csv(report: Report, rows: ReportRows = "groups") -> Iterator[bytes]:
    """The parts of a CSV file in UTF-8; undefined cells are empty.

    Texts that a spreadsheet may take for a formula begin with an apostrophe.
    """
    lines = LINES[rows](report)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for number, line in enumerate(lines, 1):
        writer.writerow([disarm(cell) if isinstance(cell, str) else cell for cell in line])
        if number % LINES_AT_ONCE == 0:
            yield take(buffer)
    yield take(buffer)


def take(buffer: io.StringIO) -> bytes:
    """What was written so far, once."""
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def list_group_lines(report: Report) -> Iterator[Iterable[object]]:
    """A head, then a line for each run and group."""
    sheet = sheet_groups(report)
    yield [column.name for column in sheet.columns]
    yield from sheet.rows


def list_response_lines(report: Report) -> Iterator[Iterable[object]]:
    """A head, then a line for each response of each run."""
    yield ["run", "name", *RESPONSE_COLUMNS]
    for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1):
        for row in list_rows(run.scores, run.manifest):
            yield [f"({number})", name, *(row.get(column) for column in RESPONSE_COLUMNS)]


def list_difference_lines(report: Report) -> Iterator[Iterable[object]]:
    """A head, then a line for each reply that another tool scores differently."""
    yield [column.name for column in DIFFERENCE]
    yield from list_difference_rows(report)


LINES: dict[ReportRows, Callable[[Report], Iterator[Iterable[object]]]] = {
    "groups": list_group_lines,
    "responses": list_response_lines,
    "differences": list_difference_lines,
}


def disarm(text: str) -> str:
    """Text as it came, but that no spreadsheet takes it for a formula, and no reader breaks on it.

    Example:
        >>> disarm("=1+1"), disarm("plain")
        ("'=1+1", 'plain')
    """
    text = clean_lines(text)
    return f"'{text}" if text.startswith(FORMULA) else text
