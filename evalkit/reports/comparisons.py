"""Runs compared, as tables for the terminal and as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evalkit.reports.averages import build_averages
from evalkit.reports.caveats import list_warnings
from evalkit.reports.tables import clean, new_table, percent, render_table
from evalkit.reports.verdicts import render_verdict
from evalkit.reports.wording import (
    bracket,
    count,
    first_words,
    name_methods,
    points,
    render_p,
    wrap,
)

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.comparisons import Comparison
    from evalkit.pairs import PairedDifference
    from evalkit.run_pairs import RunPair
    from evalkit.standings import BenchmarkComparison

WIDTH_OF_STEM = 32
"""Columns of text that the table of flips has for a question's first words."""

DIFFERENCE = ("Difference", "Interval", "Losses", "Gains")
"""Columns of a difference."""


def render_comparison(comparison: Comparison) -> str:
    """Warnings, then for each benchmark its tables, and what they come to."""
    parts = [f"WARNING: {warning}" for warning in list_warnings(comparison)]
    if parts:
        parts.append("")
    for each in comparison.benchmarks:
        parts += render_benchmark(each, is_alone=len(comparison.benchmarks) == 1)
    if comparison.averages:
        parts += list(map(render_table, build_averages(comparison)))
    for each in comparison.benchmarks:
        for pair in each.pairs:
            if pair.judgement is not None:
                # With one candidate there is nobody else whom a verdict could be about.
                who = "" if len(comparison.pairs) == 1 else f"{name_pair(pair, each)} "
                parts.append(f"{who}{render_verdict(pair, each.benchmark)}")
    for run in comparison.alone:
        parts.append(f"Not compared, as no other run is of its benchmark: {clean(str(run.path))}")
    return "\n".join(parts)


def render_benchmark(compared: BenchmarkComparison, *, is_alone: bool) -> Iterator[str]:
    """The tables of one benchmark, with what has to be said about them."""
    yield render_table(build_scores(compared))
    yield render_table(build_differences(compared))
    lines = [
        f"{name_pair(p, compared)} {line}" for p in compared.pairs for line in describe_pair(p)
    ]
    if lines:
        yield "\n".join([*lines, ""])
    yield render_table(build_readable(compared))
    if compared.is_ranked:
        yield render_table(build_standings(compared))
    if len(compared.pairs) == 1 and is_alone and compared.pairs[0].subjects:
        yield render_table(build_subjects(compared.pairs[0]))
    else:
        yield from list_subjects(compared)
    for pair in compared.pairs:
        if pair.flips:
            yield render_table(build_flips(pair))


def build_scores(compared: BenchmarkComparison) -> Table:
    """One row a run: its score on the questions compared."""
    methods = name_methods(each.score for each in compared.runs)
    has_partial = any(each.partial is not None for each in compared.runs)
    table = new_table(
        wrap(
            f"{clean(compared.benchmark)}: accuracy in percent on {describe_questions(compared)}, "
            f"with the 95 % {methods} interval"
        ),
        left=("", "Run"),
        right=("Accuracy", "Interval", *(["Partial"] if has_partial else [])),
    )
    for each in compared.runs:
        name = clean(each.name)
        if each is compared.runs[0] and not compared.is_ranked:
            name += " (baseline)"
        partial = [percent(each.partial)] if has_partial else []
        table.add_row(f"({each.number})", name, percent(each.mean), bracket(each.score), *partial)
    return table


def describe_questions(compared: BenchmarkComparison) -> str:
    """How many questions count, and why not more."""
    clusters = compared.pairs[0].accuracy.clusters
    words = count(compared.n, "question")
    return words if clusters is None else f"{words} in {count(clusters, 'cluster')}"


def build_differences(compared: BenchmarkComparison) -> Table:
    """One row a pair: the difference with its interval, what it is made of, and its p-value."""
    found = [pair.accuracy for pair in compared.pairs]
    is_family = len(found) > 1
    who = "" if compared.is_ranked else " from the baseline"
    holm = f"; Holm: p for all {len(found)} comparisons" if is_family else ""
    table = new_table(
        wrap(
            f"Difference{who} in points, with the 95 % {name_methods(f.interval for f in found)} "
            "interval for questions like these; q: flips in percent; MDE: found with 80 % power"
            f"{holm}"
        ),
        left=("",),
        right=(*DIFFERENCE, "q", head_test(found[0]), *(["Holm"] if is_family else []), "MDE"),
    )
    for pair, each in zip(compared.pairs, found, strict=True):
        table.add_row(
            name_pair(pair, compared),
            *list_difference(each, pair.candidate.mean - pair.baseline.mean),
            percent(each.flips),
            render_p(each.p_value),
            *([render_p(each.adjusted_p)] if is_family else []),
            "-" if each.detectable is None else points(each.detectable),
        )
    return table


def build_readable(compared: BenchmarkComparison) -> Table:
    """One row a pair: the difference in replies that name a choice."""
    found = [pair.readable for pair in compared.pairs]
    is_family = len(found) > 1
    table = new_table(
        wrap(
            "The same for readable replies, those that name a choice: a fault of format, not of "
            f"knowledge; 95 % {name_methods(each.interval for each in found)} interval"
        ),
        left=("",),
        right=(*DIFFERENCE, head_test(found[0]), *(["Holm"] if is_family else [])),
    )
    for pair, each in zip(compared.pairs, found, strict=True):
        table.add_row(
            name_pair(pair, compared),
            *list_difference(each, each.estimate),
            render_p(each.p_value),
            *([render_p(each.adjusted_p)] if is_family else []),
        )
    return table


def list_difference(found: PairedDifference, size: float | None) -> list[str]:
    """The cells below `DIFFERENCE`."""
    return [
        "-" if size is None else points(size, signed=True),
        bracket(found.interval),
        f"{found.losses:,}",
        f"{found.gains:,}",
    ]


def head_test(found: PairedDifference) -> str:
    """The name of a test as the head of a column."""
    return found.test.replace(" ", "\n", 1)


def name_pair(pair: RunPair, compared: BenchmarkComparison) -> str:
    """The candidate's number; where all pairs are compared, both numbers."""
    baseline = f"-({pair.baseline.number})" if compared.is_ranked else ""
    return f"({pair.candidate.number}){baseline}"


def describe_pair(pair: RunPair) -> Iterator[str]:
    """What belongs to the difference: its size on this set, and the clusters."""
    accuracy = pair.accuracy
    if pair.is_whole_set:
        yield f"on this set: {describe_count(accuracy)} (a count, no sampling error)"
    if accuracy.clusters is not None:
        yield describe_clusters(accuracy, accuracy.clusters)


def describe_clusters(accuracy: PairedDifference, clusters: int) -> str:
    """What the clusters that questions come in do to a difference."""
    if accuracy.interval is None:
        return "all questions share one cluster: nothing is known of questions like these"
    effect = accuracy.design_effect
    words = "" if effect is None else f", design effect {effect:.1f}"
    rough = "; so few that the interval is a rough guide" if accuracy.is_rough else ""
    return f"questions in {count(clusters, 'cluster')}{words}{rough}"


def describe_count(accuracy: PairedDifference) -> str:
    """The difference on the questions asked, which is no estimate."""
    net = accuracy.gains - accuracy.losses
    if net == 0:
        return "as many losses as gains"
    return f"a {'drop' if net < 0 else 'rise'} of {points(abs(net) / accuracy.n)} points"


def build_standings(compared: BenchmarkComparison) -> Table:
    """One row a run, best first: the places that it may have."""
    table = new_table(
        "Places that each may have, by the comparisons that Holm's method finds at 5 %",
        left=("", "Run"),
        right=("Accuracy", "Place", "Tied with"),
    )
    for each in compared.standings:
        best, worst = each.ranks.best, each.ranks.worst
        table.add_row(
            f"({each.compared.number})",
            clean(each.compared.name),
            percent(each.compared.mean),
            str(best) if best == worst else f"{best}–{worst}",
            ", ".join(f"({number})" for number in each.tied) or "-",
        )
    return table


def build_subjects(pair: RunPair) -> Table:
    """One row a subject of two runs."""
    methods = name_methods(each.difference.interval for each in pair.subjects)
    table = new_table(
        wrap(
            f"Exploratory: differences by subject in points, with the 95 % {methods} interval; "
            "of those with *, at most about 1 in 10 is chance (Benjamini-Hochberg)"
        ),
        left=("Subject",),
        right=(
            "n",
            f"({pair.baseline.number})",
            f"({pair.candidate.number})",
            "Difference",
            "Interval",
            "p",
            "BH",
        ),
    )
    for each in pair.subjects:
        table.add_row(
            clean(each.name),
            f"{each.difference.n:,}",
            percent(each.baseline),
            percent(each.candidate),
            points(each.candidate - each.baseline, signed=True),
            bracket(each.difference.interval),
            render_p(each.difference.p_value),
            render_p(each.difference.adjusted_p) + ("*" if each.is_found else ""),
        )
    return table


def list_subjects(compared: BenchmarkComparison) -> Iterator[str]:
    """Of several candidates, the subjects in which they seem to differ."""
    shown = [pair for pair in compared.pairs if pair.subjects]
    if not shown:
        return
    yield (
        "Exploratory: subjects that differ, in points; at most about 1 in 10 of these is chance\n"
        f"(Benjamini-Hochberg at 10 % over {len(shown[0].subjects)} subjects)"
    )
    for pair in shown:
        found = [
            f"{clean(each.name)} {points(each.candidate - each.baseline, signed=True)}"
            for each in pair.subjects
            if each.is_found
        ]
        yield f"{name_pair(pair, compared)} {', '.join(found) or 'none'}"
    yield ""


def build_flips(pair: RunPair) -> Table:
    """One row a question: the right label, and what each picked."""
    first, second = f"({pair.baseline.number})", f"({pair.candidate.number})"
    losses, gains = pair.accuracy.losses, pair.accuracy.gains
    part = "" if len(pair.flips) == losses + gains else f"; {len(pair.flips)} of them"
    table = new_table(
        f"Questions that flipped from {first} to {second}: "
        f"{count(losses, 'loss', 'losses')}, {count(gains, 'gain')}{part}",
        left=("", "Id", "Question", "Right", first, second),
        right=(),
    )
    for each in pair.flips:
        stem = first_words(each.question.stem, WIDTH_OF_STEM) or "-"
        table.add_row(
            each.kind, clean(each.question.id), stem, each.right, each.baseline, each.candidate
        )
    return table
