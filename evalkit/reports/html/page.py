"""The report as one file for a browser: summary, charts, tables, and all questions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.reports.comparison_sheets import list_comparison_sheets
from evalkit.reports.findings import list_remarks
from evalkit.reports.html.cards import list_cards
from evalkit.reports.html.figures import draw_figures
from evalkit.reports.html.question_data import list_parts
from evalkit.reports.html.run_facts import build_run_facts
from evalkit.reports.html.tables import build_table
from evalkit.reports.html.templates import build_policy, load_template, read_asset
from evalkit.reports.import_sheets import list_import_sheets
from evalkit.reports.report import Report, name_benchmarks
from evalkit.reports.run_sheets import list_run_sheets
from evalkit.reports.tables import clean
from evalkit.reports.wording import count, several
from evalkit.runs.folder import write_whole
from evalkit.version import __version__

if TYPE_CHECKING:
    from jinja2 import Template

MOST_BYTES = 30_000_000
"""Of a page, unless told otherwise."""

MOST_NAMES = 4
"""Runs that the head of a page names."""

SCRIPTS = ("tables.js", "questions.js")

DATA_MARK = "<!-- data -->"
"""Stands where the data belong; no value can hold it, since all are escaped."""

HIDDEN = ("flips",)
"""Sheets that are left out: of flipped questions, the page shows the questions themselves."""


def write_page(report: Report, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
    """Write a report as one HTML file, which is there and complete, or not there.

    Args:
        report: what to show.
        path: where to.
        most_bytes: of the file. Questions that find no room in it are left out, and it says so.

    Raises:
        MissingExtraError: Jinja or matplotlib is not installed.
        RunError: a journal can't be read, or the file can't be written.
    """
    write_whole(path, list_bytes(report, most_bytes=most_bytes))


def list_bytes(
    report: Report,
    *,
    most_bytes: int = MOST_BYTES,
    template: Template | None = None,
    **more: Any,
) -> Iterator[bytes]:
    """The same file, part after part, none of which is large.

    Args:
        report: what to show.
        most_bytes: of all of it.
        template: one that extends `report.html`; None: that one.
        more: what such a template shows beside the report.
    """
    head, _, tail = render_frame(report, template, **more).partition(DATA_MARK)
    around = [part.encode("utf-8", "replace") for part in (head, tail)]
    yield around[0]
    yield from list_parts(report, room=most_bytes - sum(map(len, around)))
    yield around[1]


def render_frame(report: Report, template: Template | None = None, **more: Any) -> str:
    """The page without its data, for which it holds a mark."""
    template = template or load_template("report.html")  # says so if Jinja is missing
    from markupsafe import Markup

    style = read_asset("style.css")
    scripts = [read_asset(name) for name in SCRIPTS]
    sheets = [
        *list_run_sheets(report),
        *list_comparison_sheets(report),
        *list_import_sheets(report),
    ]
    return template.render(
        **more,
        title=clean(report.title),
        subtitle=describe_report(report),
        policy=build_policy([style], scripts),
        style=Markup(style),
        scripts=[Markup(script) for script in scripts],
        data_mark=Markup(DATA_MARK),
        version=__version__,
        not_compared=clean(report.not_compared),
        cards=list(list_cards(report)),
        figures=draw_figures(report),
        tables=[build_table(sheet) for sheet in sheets if sheet.name not in HIDDEN],
        remarks=list(list_remarks(report)),
        runs=[
            build_run_facts(number, name, run)
            for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1)
        ],
    )


def describe_report(report: Report) -> str:
    """What is in a report, in one line."""
    names = list(dict.fromkeys(map(clean, report.names)))
    models = {run.manifest.identity.model for run in report.runs}
    who = several(names) if len(names) <= MOST_NAMES else count(len(models), "model")
    begun = sorted(run.manifest.created_at[:10] for run in report.runs)
    when = begun[0] if begun[0] == begun[-1] else f"{begun[0]} to {begun[-1]}"
    benchmarks = count(len(name_benchmarks(report.runs)), "benchmark")
    parts = [who, benchmarks, count(len(report.runs), "run"), when]
    return clean(" \N{MIDDLE DOT} ".join(parts))
