"""A report as a workbook: numbers are numbers, texts are texts, and none of them is a formula."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from evalkit.errors import MissingExtraError
from evalkit.frames import COLUMNS as RESPONSE_COLUMNS
from evalkit.frames import list_rows
from evalkit.reports.comparison_sheets import list_comparison_sheets
from evalkit.reports.findings import list_findings, list_remarks
from evalkit.reports.import_sheets import DIFFERENCE, list_difference_rows
from evalkit.reports.report import Report
from evalkit.reports.run_sheets import list_run_sheets
from evalkit.reports.sheets import Column, Kind, Value
from evalkit.reports.tables import clean_lines
from evalkit.tallies import USAGE_FIELDS

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format

MOST_CHARACTERS = 32_767
"""What a cell can hold."""

MOST_ROWS = 1_048_575
"""What a sheet can hold below its head."""

CUT = " [cut off: a cell holds no more]"

WIDEST, NARROWEST, ROWS_MEASURED = 60, 8, 200
"""Characters of a column, and how many rows say how wide it is."""

NUMBER_FORMATS = {
    Kind.COUNT: "#,##0",
    Kind.SHARE: "0.0%",
    Kind.DIFFERENCE: "+0.0%;-0.0%;0.0%",
    Kind.POINTS: "0.0%",
    Kind.P_VALUE: "0.000",
}

RESPONSE_KINDS = {
    **dict.fromkeys((*USAGE_FIELDS, "attempts", "sample"), Kind.COUNT),
    "seconds": Kind.NUMBER,
    "correct": Kind.FLAG,
}


def render_xlsx(report: Report) -> bytes:
    """The bytes of a workbook: words, all sheets, and one row for each response.

    Fractions are kept as they are and shown in percent.

    Raises:
        MissingExtraError: XlsxWriter is not installed.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise MissingExtraError("a workbook", "report") from error
    file = io.BytesIO()
    settings = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    book = xlsxwriter.Workbook(file, {**settings, "strings_to_numbers": False})
    book.set_properties({"title": report.title[:255]})
    writer = SheetWriter(book)
    writer.write_lines("Findings", [*list_findings(report), "", *list_remarks(report)])
    for sheet in (*list_run_sheets(report), *list_comparison_sheets(report)):
        writer.write(sheet.head, sheet.columns, sheet.rows)
    if any(run.manifest.identity.origin is not None for run in report.runs):
        writer.write("Scored differently", DIFFERENCE, list_difference_rows(report))
    writer.write("Responses", list_response_columns(), list_responses(report))
    book.close()
    return file.getvalue()


class SheetWriter:
    """Writes sheets into a workbook."""

    def __init__(self, book: Workbook) -> None:
        self.book = book
        self.head: Format = book.add_format({"bold": True, "bottom": 1, "text_wrap": True})
        self.wrapped: Format = book.add_format({"text_wrap": True, "valign": "top"})
        self.formats: dict[Kind, Format] = {
            kind: book.add_format({"num_format": text}) for kind, text in NUMBER_FORMATS.items()
        }

    def write_lines(self, name: str, lines: Sequence[str]) -> None:
        """A sheet of sentences."""
        sheet = self.book.add_worksheet(name)
        sheet.set_column(0, 0, 120, self.wrapped)
        for number, line in enumerate(lines):
            sheet.write_string(number, 0, clean_cell(line), self.wrapped)

    def write(self, name: str, columns: Sequence[Column], rows: Iterable[Sequence[Value]]) -> None:
        """A table with a head that stays, and a filter."""
        rows = iter(rows)
        first = list(itertools.islice(rows, ROWS_MEASURED))
        sheet = self.book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        for place, column in enumerate(columns):
            texts = (str(row[place]) for row in first if isinstance(row[place], str))
            width = max([len(column.title), *map(len, texts)])
            sheet.set_column(place, place, min(WIDEST, max(NARROWEST, width + 2)))
            sheet.write_string(0, place, column.title, self.head)
        last = 0
        for last, row in enumerate(itertools.chain(first, rows), 1):
            if last > MOST_ROWS:
                sheet.write_string(MOST_ROWS, 0, "[cut off: a sheet holds no more rows]")
                break
            for place, (column, value) in enumerate(zip(columns, row, strict=True)):
                if isinstance(value, bool):
                    sheet.write_boolean(last, place, value)
                elif isinstance(value, str):
                    sheet.write_string(last, place, clean_cell(value))
                elif value is not None:
                    sheet.write_number(last, place, value, self.formats.get(column.kind))
        sheet.autofilter(0, 0, min(last, MOST_ROWS), len(columns) - 1)


def clean_cell(text: str) -> str:
    """Text that a cell can hold."""
    text = clean_lines(text)
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - len(CUT)] + CUT


def list_response_columns() -> tuple[Column, ...]:
    """The columns of the responses."""
    return tuple(
        Column(name=name, title=name, kind=RESPONSE_KINDS.get(name, Kind.TEXT))
        for name in ("run", "name", *RESPONSE_COLUMNS)
    )


def list_responses(report: Report) -> Iterator[tuple[Value, ...]]:
    """One row for each response of each run."""
    for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1):
        for row in list_rows(run.scores, run.manifest):
            yield (f"({number})", name, *(row.get(column) for column in RESPONSE_COLUMNS))
