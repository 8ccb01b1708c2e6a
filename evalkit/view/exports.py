"""Reports as files to take away, in each format that can be written here."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.reports.formats import FORMATS, FileOptions
from evalkit.reports.report import name_benchmarks
from evalkit.view.addresses import Wanted

if TYPE_CHECKING:
    from evalkit.reports.report import Report

NEEDS = {".html": "matplotlib", ".xlsx": "xlsxwriter", ".parquet": "pyarrow"}
"""Modules without which a format can't be written."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".json": "application/json",
    ".xml": "application/xml",
    ".tex": "application/x-tex",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
}
ANY_TYPE = "application/octet-stream"


ENDINGS = tuple(ending for ending in FORMATS if ending not in (".svg", ".png", ".pdf"))
"""Of files that hold a whole report, not one of its charts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file that a page offers."""

    ending: str
    """Without its dot."""
    address: str


def list_exports(wanted: Wanted) -> list[Export]:
    """What is offered beside a report."""
    return [
        Export(ending=each[1:], address=f"/export/{each[1:]}?{wanted.query}")
        for each in list_endings()
    ]


def list_endings() -> list[str]:
    """The endings of the formats whose libraries are installed."""
    return [
        ending
        for ending in ENDINGS
        if ending not in NEEDS or importlib.util.find_spec(NEEDS[ending]) is not None
    ]


def render_export(report: Report, ending: str) -> bytes:
    """The whole file."""
    found = FORMATS[ending](report, FileOptions())
    return found if isinstance(found, bytes) else b"".join(found)


def name_file(report: Report, ending: str) -> str:
    """The name that a browser keeps it by: letters that every file system takes."""
    words = "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", name) for name in name_benchmarks(report.runs))
    return f"evalkit-{words[:60].strip('-.') or 'report'}{ending}"
