"""Reports as files to take away, in each format that can be written here."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.view.addresses import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A file that a page offers."""

    ending: str
    address: str


def list_exports(wanted: Wanted) -> list[Export]:
    """What is offered beside a report."""
    return [Export(ending=e, address=f"/export/report.{e}?{wanted.query}") for e in list_endings()]


def list_endings() -> list[str]:
    """The formats whose libraries are installed."""
    return ["html"]
