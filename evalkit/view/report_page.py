"""The report of some runs as a page of the app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.reports.html.page import SCRIPTS, list_bytes
from evalkit.reports.html.templates import build_policy, read_asset
from evalkit.reports.report import name_benchmarks
from evalkit.reports.tables import clean
from evalkit.view.addresses import Wanted, address_of
from evalkit.view.exports import list_exports
from evalkit.view.rendering import load_templates

if TYPE_CHECKING:
    from evalkit.reports.report import Report

MOST_BYTES = 30_000_000
"""Of a page; what has no room in it is told there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPage:
    """A page as it is sent."""

    data: bytes
    policy: str
    """Its Content-Security-Policy."""


def render_report_page(report: Report, wanted: Wanted) -> BuiltPage:
    """Write a report out, with the ways to other pages above it."""
    names = {run.path.name: name for run, name in zip(report.runs, report.names, strict=True)}
    is_alone = len(wanted.runs) == 1
    parts = list_bytes(
        report,
        most_bytes=MOST_BYTES,
        template=load_templates().get_template("run.html"),
        wanted=wanted,
        choices=[(name, clean(describe(names, report, name))) for name in wanted.runs],
        exports=list_exports(wanted),
        live=address_of(wanted.runs[0], "live") if is_alone else "",
    )
    return BuiltPage(data=b"".join(parts), policy=policy_of_reports())


def describe(names: dict[str, str], report: Report, folder: str) -> str:
    """A run among others, in a few words."""
    name = names.get(folder, folder)
    if len(name_benchmarks(report.runs)) == 1:
        return name
    run = next(run for run in report.runs if run.path.name == folder)
    return f"{run.manifest.identity.benchmark}, {name}"


def policy_of_reports() -> str:
    """That of the report as a file, with our own style, our forms, and no frame around it."""
    policy = build_policy([read_asset("style.css")], [read_asset(name) for name in SCRIPTS])
    policy = policy.replace("form-action 'none'", "form-action 'self'")
    policy = policy.replace("style-src ", "style-src 'self' ")
    return f"{policy}; frame-ancestors 'none'"
