"""A report in Markdown, as GitHub and GitLab show it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.reports.brief import BriefSheet, list_brief_sheets
from evalkit.reports.findings import list_findings, list_remarks
from evalkit.reports.report import Report

MARKUP = re.compile(
    r"""(
        [\\`*_<|$@]
        | ~(?=~)
        | \](?=[(\[:])       # of a link
        | &(?=\#?\w+;)       # of an entity
        | (?<=\w):(?=//)     # of an address
        | (?<=\bwww)\.
    )""",
    re.VERBOSE,
)
"""What may start markup, HTML, a formula, a mention or a link."""

FIRST = re.compile(r"^(\s*)([#+=>-]|\d+[.)])")
"""What may start a heading, a list or a quotation at the beginning of a line."""


def render_markdown(report: Report) -> str:
    """Findings, tables and remarks."""
    return "\n".join(list_lines(report))


def list_lines(report: Report) -> Iterator[str]:
    """The lines of a report."""
    yield f"# {escape_line(report.title)}"
    yield ""
    yield from (f"- {escape_line(finding)}" for finding in list_findings(report))
    for sheet in list_brief_sheets(report):
        yield ""
        yield from list_table(sheet)
    remarks = list(list_remarks(report))
    if remarks:
        yield ""
        yield "## What to know"
        yield ""
        yield from (f"- {escape_line(remark)}" for remark in remarks)
    yield ""


def list_table(sheet: BriefSheet) -> Iterator[str]:
    """A table below its head and what it shows."""
    yield f"## {sheet.head}"
    yield ""
    yield f"{escape_line(sheet.title)}."
    yield ""
    yield list_cells([escape(head) for head in sheet.heads])
    yield list_cells(["---:" if is_number else ":---" for is_number in sheet.is_number])
    for row in sheet.rows:
        yield list_cells([escape(cell) for cell in row])


def list_cells(cells: list[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def escape(text: str) -> str:
    r"""Text within a line that stands for itself, whatever a model or a question set wrote.

    Example:
        >>> escape("a_b | <b> [1.5, 2.0] (n = 3) [x](y)")
        'a\\_b \\| \\<b> [1.5, 2.0] (n = 3) [x\\](y)'
    """
    return MARKUP.sub(r"\\\1", text)


def escape_line(text: str) -> str:
    r"""Text that a line begins with.

    Example:
        >>> escape_line("# no heading"), escape_line("1. no list")
        ('\\# no heading', '1\\. no list')
    """
    return FIRST.sub(escape_first, escape(text))


def escape_first(found: re.Match[str]) -> str:
    """The first sign of a line, which is none of markup then."""
    space, sign = found.groups()
    return f"{space}{sign[:-1]}\\{sign[-1]}"
