"""A report as a notebook shows it below a cell."""

from __future__ import annotations

import html
from collections.abc import Iterator

from evalkit.reports.brief import BriefSheet, list_brief_sheets
from evalkit.reports.findings import list_findings, list_remarks
from evalkit.reports.report import Report

HIDDEN = ("flips", "differences")
"""Sheets that are too long to stand below a cell."""


def render_cell(report: Report) -> str:
    """HTML that takes the notebook's own style; no text in it is taken for markup."""
    return "\n".join(list_parts(report))


def list_parts(report: Report) -> Iterator[str]:
    """Findings, tables and remarks."""
    yield f"<div><strong>{escape(report.title)}</strong>"
    yield from list_items(list_findings(report))
    for sheet in list_brief_sheets(report):
        if sheet.name not in HIDDEN:
            yield from list_table(sheet)
    yield from list_items(list_remarks(report))
    yield "</div>"


def list_items(sentences: Iterator[str]) -> Iterator[str]:
    """Sentences as a list."""
    yield "<ul>"
    yield from (f"<li>{escape(sentence)}</li>" for sentence in sentences)
    yield "</ul>"


def list_table(sheet: BriefSheet) -> Iterator[str]:
    """A table with its caption; numbers stand to the right."""
    sides = ["right" if is_number else "left" for is_number in sheet.is_number]
    yield f'<table><caption style="text-align:left">{escape(sheet.title)}</caption>'
    yield "<thead><tr>"
    yield from (
        f'<th scope="col" style="text-align:{side}">{escape(head)}</th>'
        for head, side in zip(sheet.heads, sides, strict=True)
    )
    yield "</tr></thead><tbody>"
    for row in sheet.rows:
        cells = (
            f'<td style="text-align:{side}">{escape(cell)}</td>'
            for cell, side in zip(row, sides, strict=True)
        )
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"


def escape(text: str) -> str:
    """Text that stands for itself, also where a notebook looks for formulas."""
    return html.escape(text).replace("$", "&#36;")
