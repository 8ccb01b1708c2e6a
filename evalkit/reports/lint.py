"""What is doubtful about a question set, as text for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from evalkit.reports.tables import MIN_WIDTH, clean
from evalkit.reports.wording import count

if TYPE_CHECKING:
    from evalkit.linting.check import LintReport
    from evalkit.linting.doubts import Doubt

WORDS = {"error": "Error", "warning": "Warning", "note": "Note"}


def render_lint(report: LintReport) -> str:
    """One paragraph a doubt, and a last line that says whether the set can be used."""
    head = f"{clean(report.benchmark)}: {count(report.questions, 'question')}"
    if report.examples:
        head += f", {count(report.examples, 'worked example')}"
    parts = [head, *("\n".join(render_doubt(doubt)) for doubt in report.doubts)]
    return "\n\n".join([*parts, render_verdict(report)])


def render_doubt(doubt: Doubt) -> Iterator[str]:
    """What is the matter, examples, and what to do."""
    yield from fill(f"{WORDS[doubt.level]} ({doubt.check}): {doubt.says}.", "", "  ")
    for example in doubt.examples:
        yield from fill(example, "  - ", "    ")
    yield from fill(f"To do: {doubt.remedy}.", "  ", "  ")


def fill(text: str, first: str, later: str) -> list[str]:
    """Untrusted text in lines that a terminal of 80 columns shows whole."""
    return textwrap.wrap(
        clean(text),
        MIN_WIDTH,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


def render_verdict(report: LintReport) -> str:
    """How many doubts there are of each kind."""
    numbers = {level: sum(doubt.level == level for doubt in report.doubts) for level in WORDS}
    found = ", ".join(count(number, level) for level, number in numbers.items() if number)
    usable = "The set can be used" if report.is_usable else "The set can't be used as it is"
    return f"{usable}: {found or 'nothing doubtful was found'}."
