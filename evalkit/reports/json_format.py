"""A report as JSON, by the schema in `report.schema.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evalkit.reports.findings import list_findings, list_remarks
from evalkit.reports.report import Report
from evalkit.source_scores import source_scores_to_dict
from evalkit.version import __version__

FORMAT, VERSION = "evalkit-report", 1
"""The version goes up when a program that reads these files has to be changed."""

PLACES = ("folder", "baseline_folder", "not_compared")
"""Facts that are paths, or lists of them."""


def render_json(report: Report) -> bytes:
    """The facts in UTF-8; shares and differences are fractions, what is undefined is null."""
    text = json.dumps(report_to_dict(report), indent=2, allow_nan=False, ensure_ascii=False)
    # Half characters, which some sets and replies hold, are no UTF-8.
    return f"{text}\n".encode(errors="replace")


def report_to_dict(report: Report) -> dict[str, Any]:
    """The facts of a report.

    Of a run's path there is the last name, as in the reports for people: a report is given away,
    and others have no use for the places of this machine. That name finds the run again in any
    folder of runs, wherever the report lies.
    """
    comparison = report.comparison
    facts = {
        "format": FORMAT,
        "version": VERSION,
        "evalkit_version": __version__,
        "title": report.title,
        "findings": list(list_findings(report)),
        "remarks": list(list_remarks(report)),
        "runs": [
            {"number": number, "name": name, **run.to_dict(), **source_scores_to_dict(run)}
            for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1)
        ],
        "comparison": None if comparison is None else comparison.to_dict(),
        "gates": [record.to_dict() for record in report.gates],
    }
    return {name: shorten_places(fact, name) for name, fact in facts.items()}


def shorten_places(fact: Any, name: str) -> Any:
    """A fact of this name, with the last name of each path in it.

    Example:
        >>> shorten_places({"folder": "/home/me/results/exam--m", "n": 3}, "run")
        {'folder': 'exam--m', 'n': 3}
    """
    if isinstance(fact, dict):
        return {each: shorten_places(value, each) for each, value in fact.items()}
    if isinstance(fact, list):
        return [shorten_places(each, name) for each in fact]
    if name in PLACES and isinstance(fact, str):
        return Path(fact).name or fact  # "." has no other name
    return fact
