"""The tables of a report in LaTeX, with the rules of booktabs."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.reports.brief import BriefSheet, list_brief_sheets
from evalkit.reports.report import Report

LEFT_OUT = ("flips", "outcomes", "differences")
"""Sheets that no paper prints."""

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "\N{REPLACEMENT CHARACTER}": "?",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}
"""What TeX takes for a command, with what prints it."""

LARGEST = 40
"""Rows of a table that a page holds; longer ones go on over pages."""


def render_latex(report: Report) -> str:
    """A file for a document that uses booktabs and longtable."""
    head = [
        r"% Needs \usepackage{booktabs,longtable} and a font with the characters of the names.",
        f"% {escape(report.title)}",
    ]
    sheets = [sheet for sheet in list_brief_sheets(report) if sheet.name not in LEFT_OUT]
    return "\n".join([*head, *(line for sheet in sheets for line in list_table(sheet))]) + "\n"


def list_table(sheet: BriefSheet) -> Iterator[str]:
    """A table with its caption and label."""
    is_long = len(sheet.rows) > LARGEST
    columns = "".join("r" if is_number else "l" for is_number in sheet.is_number)
    caption = rf"\caption{{{escape(sheet.title)}.}}\label{{tab:{sheet.name}}}"
    head = list_cells(sheet.heads)
    yield ""
    if is_long:
        yield r"{\footnotesize\setlength{\tabcolsep}{3pt}"
        yield rf"\begin{{longtable}}{{{columns}}}"
        yield rf"{caption}\\"
    else:
        yield r"\begin{table}"
        yield r"\centering"
        yield caption
        yield r"\footnotesize\setlength{\tabcolsep}{3pt}"
        yield rf"\begin{{tabular}}{{{columns}}}"
    yield r"\toprule"
    yield head
    yield r"\midrule"
    if is_long:
        yield r"\endhead"
    yield from map(list_cells, sheet.rows)
    yield r"\bottomrule"
    if is_long:
        yield r"\end{longtable}}"
    else:
        yield r"\end{tabular}"
        yield r"\end{table}"


def list_cells(cells: tuple[str, ...]) -> str:
    """A row; a bracket at its beginning would be an option of the row before it."""
    return (
        " & ".join(f"{{}}{text}" if text.startswith("[") else text for text in map(escape, cells))
        + r" \\"
    )


def escape(text: str) -> str:
    r"""Text that TeX prints as it stands.

    Example:
        >>> escape("50 % of a_b")
        '50 \\% of a\\_b'
    """
    return "".join(SPECIAL.get(sign, sign) for sign in text)
