"""An audit of the ways of asking as tables for the terminal, and what they come to in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from evalkit.progress import dollars
from evalkit.reports.comparisons import describe_clusters
from evalkit.reports.tables import clean, new_table, percent, render_table
from evalkit.reports.text import list_notes
from evalkit.reports.wording import (
    any_of,
    bracket,
    count,
    first_words,
    name_methods,
    points,
    render_p,
)

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.audits import Audit, WayComparison
    from evalkit.disagreements import Disagreement
    from evalkit.pairs import PairedDifference
    from evalkit.stats.intervals import Interval

SHOWN = 20
"""Disagreements printed, unless all are asked for."""

WIDTH_OF_STEM = 40
"""Columns of text that the table of disagreements has for a question's first words."""


OUTCOMES = ("Unparsed", "Refused", "Truncated", "Missing")


def render_audit(
    audit: Audit,
    *,
    compared: bool = True,
    all_questions: bool = False,
) -> str:
    """All tables, what has to be said about them, and the conclusion.

    Args:
        audit: the ways, at least one.
        compared: False: only what each way gave, where too much is missing for a comparison.
        all_questions: print every disagreement, not the first 20.
    """
    tables = [build_ways(audit), build_efforts(audit)]
    notes = [clean(str(each)) for each in audit.left_out] + list(list_way_notes(audit))
    if compared:
        tables += build_comparisons(audit)
        if audit.disagreements:
            shown = audit.disagreements if all_questions else audit.disagreements[:SHOWN]
            tables.append(build_disagreements(audit, shown))
        notes += list_other_differences(audit)
        notes += list_clusters(audit)
        conclusion = list(conclude(audit))
    else:
        conclusion = [describe_gaps(audit)]
    parts = ["\n".join(map(render_table, tables)), *notes, *conclusion]
    return "\n".join(parts)


def build_ways(audit: Audit) -> Table:
    """One row a way: its accuracy, and how many replies could not be read."""
    methods = name_methods(asked.accuracy for asked in audit.ways)
    has_partial = any(asked.partial is not None for asked in audit.ways)
    partial = ["Partial"] if has_partial else []
    table = new_table(
        f"{clean(audit.benchmark)} asked of {clean(audit.model)}, in percent, with the 95 % "
        f"{methods} interval",
        left=("Way",),
        right=("n", "Accuracy", "Interval", *partial, *OUTCOMES),
    )
    for asked in audit.ways:
        accuracy = asked.accuracy
        table.add_row(
            asked.way,
            str(asked.n),
            percent(None if accuracy is None else accuracy.estimate),
            bracket(accuracy),
            *([percent(asked.partial)] if has_partial else []),
            *map(percent, (asked.unparsed, asked.refused, asked.truncated, asked.missing)),
        )
    return table


def build_efforts(audit: Audit) -> Table:
    """One row a way: what it took to get the answers."""
    table = new_table(
        "What the ways took: output tokens and price, replies cut off and asked again, replies "
        "not bound",
        left=("Way",),
        right=("Tokens a\nquestion", "Price of 1,000\nquestions", "Asked\nagain", "Not\nbound"),
    )
    for asked in audit.ways:
        table.add_row(
            asked.way,
            "-" if asked.output_tokens is None else f"{asked.output_tokens:,.1f}",
            "-" if asked.cost is None else dollars(asked.cost),
            str(asked.run.retakes),
            str(asked.run.unbound),
        )
    return table


def build_comparisons(audit: Audit) -> Iterator[Table]:
    """The differences in accuracy, then those in readable replies if there are any."""
    reference = audit.reference
    if audit.comparisons:
        yield build_differences(
            audit.comparisons,
            lambda each: each.accuracy,
            f"Difference from {reference} in points, with the 95 % {{}} interval for questions "
            "like these",
        )
    if any(each.readable.gains or each.readable.losses for each in audit.comparisons):
        yield build_differences(
            audit.comparisons,
            lambda each: each.readable,
            f"The same for replies that name a choice: a fault of format, against {reference}",
        )


def build_differences(
    comparisons: Sequence[WayComparison],
    of: Callable[[WayComparison], PairedDifference],
    title: str,
) -> Table:
    """One row a comparison."""
    found = [(each.way, of(each)) for each in comparisons]
    # Where replies are missing, the questions that both ways have may share no cluster.
    tests = " or ".join(dict.fromkeys(paired.test for _, paired in found))
    table = new_table(
        title.format(name_methods(paired.interval for _, paired in found)),
        left=("Way",),
        right=(
            "n",
            "Difference",
            "Interval",
            "Gains",
            "Losses",
            tests.replace(" ", "\n", 1),
            "Holm",
        ),
    )
    for way, paired in found:
        table.add_row(
            way,
            str(paired.n),
            "-" if paired.interval is None else points(paired.interval.estimate, signed=True),
            bracket(paired.interval),
            str(paired.gains),
            str(paired.losses),
            render_p(paired.p_value),
            render_p(paired.adjusted_p),
        )
    return table


def build_disagreements(audit: Audit, shown: Sequence[Disagreement]) -> Table:
    """One row a question: the right label, and what each way picked."""
    count = len(audit.disagreements)
    part = f", the first {len(shown)}" if len(shown) < count else ""
    table = new_table(
        f"Questions that some ways have right and others have not: {count}{part}",
        left=("Id", "Question", "Right", *(asked.way for asked in audit.ways)),
        right=(),
    )
    for each in shown:
        stem = first_words(each.question.stem, WIDTH_OF_STEM) or "-"
        table.add_row(clean(each.question.id), stem, each.right, *each.picked)
    return table


def list_way_notes(audit: Audit) -> Iterator[str]:
    """What must be known of each way before using its numbers."""
    for asked in audit.ways:
        for note in list_notes(asked.run):
            yield f"{asked.way}: {note}"


def list_other_differences(audit: Audit) -> Iterator[str]:
    """What was different apart from the way, so that the way may not be all that counts."""
    for each in audit.comparisons:
        if each.besides:
            words = clean("; ".join(map(str, each.besides)))
            yield f"{each.reference} and {each.way} differ in more than the way: {words}"


def list_clusters(audit: Audit) -> Iterator[str]:
    """What the clusters that questions come in do to the differences."""
    for each in audit.comparisons:
        if each.accuracy.clusters is not None:
            words = describe_clusters(each.accuracy, each.accuracy.clusters)
            yield f"{each.way} against {each.reference}: {words}"


def describe_gaps(audit: Audit) -> str:
    """Why there is no comparison."""
    short = [asked for asked in audit.ways if not asked.is_comparable]
    words = ", ".join(f"{asked.way} {percent(asked.missing)} %" for asked in short)
    return (
        f"No comparison: too many replies are missing ({words}). The same questions asked again "
        "fill the gaps; --force compares what came"
    )


def conclude(audit: Audit) -> Iterator[str]:
    """What the comparisons come to."""
    if not audit.comparisons:
        yield f"Asked by {audit.reference} alone: there is nothing to compare."
        return
    largest, family = audit.largest, len(audit.comparisons)
    if largest is not None:
        yield describe_effect(largest, family)
    elif audit.detectable is None and all(each.accuracy.n for each in audit.comparisons):
        yield "Nothing can be said of questions like these."
    elif audit.detectable is None:
        yield "No question got a reply both ways: there is nothing to compare."
    else:
        fewest = min(each.accuracy.n for each in audit.comparisons)
        yield (
            f"Nothing beyond chance was found between {audit.reference} and "
            f"{any_of([each.way for each in audit.comparisons])}; the smallest difference that "
            f"{fewest:,} questions would have shown with 80 % power is about "
            f"{points(audit.detectable)} points."
        )
    for each in audit.comparisons:
        interval = each.readable.interval
        if interval is not None and each.readable.is_clear:
            more = "more" if interval.estimate > 0 else "fewer"
            yield (
                f"By {each.way} {more} replies name a choice than by {each.reference}, by "
                f"{size(interval)}: that part is format, not knowledge."
            )


def describe_effect(largest: WayComparison, family: int) -> str:
    """A difference beyond chance in one sentence."""
    accuracy, interval = largest.accuracy, largest.accuracy.interval
    assert interval is not None, "a difference that is beyond chance has an interval"
    side = "above" if interval.estimate > 0 else "below"
    most, holm = ("up to ", f" after Holm for {family} comparisons") if family > 1 else ("", "")
    return (
        f"The way of asking moves this score by {most}{size(interval)}: {largest.way} lies "
        f"{side} {largest.reference}, with {count(accuracy.gains, 'gain')} and "
        f"{count(accuracy.losses, 'loss', 'losses')} on {accuracy.n:,} questions "
        f"({accuracy.test} {render_p(accuracy.adjusted_p)}{holm})."
    )


def size(interval: Interval) -> str:
    """How large a difference is, whatever its sign, with its interval in points.

    Example:
        >>> from evalkit.stats.intervals import Interval
        >>> size(Interval(estimate=-0.125, low=-0.209, high=-0.041, n=80, level=0.95, method="t"))
        '12.5 points [4.1, 20.9]'
    """
    ends = sorted((interval.low, interval.high))
    if interval.estimate < 0:
        ends = [-end for end in reversed(ends)]
    return f"{points(abs(interval.estimate))} points [{points(ends[0])}, {points(ends[1])}]"
