"""Runs compared, as tables for the terminal and as sentences."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evalkit.comparability import describe_served
from evalkit.reports.text import MIN_WIDTH, clean, find_width, new_table, percent, render_table
from evalkit.reports.verdicts import render_verdict
from evalkit.reports.wording import (
    bracket,
    count,
    first_words,
    name_methods,
    points,
    render_p,
    several,
)
from evalkit.version import __version__

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.averages import Average
    from evalkit.comparisons import Comparison
    from evalkit.pairs import PairedDifference
    from evalkit.run_pairs import ComparedRun, RunPair
    from evalkit.standings import BenchmarkComparison

WIDTH_OF_STEM = 32
"""Columns of text that the table of flips has for a question's first words."""

WIDTH_OF_NAME, WIDTH_OF_SCORE = 30, 12
"""Columns of text of the table of benchmarks."""


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
    for pair in compared.pairs:
        for line in describe_pair(pair):
            yield f"{name_pair(pair, compared)} {line}"
    yield ""
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
    table = new_table(
        wrap(
            f"{clean(compared.benchmark)}: accuracy in percent on {describe_questions(compared)}, "
            f"with the 95 % {methods} interval"
        ),
        left=("", "Run"),
        right=("Accuracy", "Interval"),
    )
    for each in compared.runs:
        name = clean(each.name)
        if each is compared.runs[0] and not compared.is_ranked:
            name += " (baseline)"
        table.add_row(f"({each.number})", name, percent(each.mean), bracket(each.score))
    return table


def describe_questions(compared: BenchmarkComparison) -> str:
    """How many questions count, and why not more."""
    clusters = compared.pairs[0].accuracy.clusters
    words = count(compared.n, "question")
    return words if clusters is None else f"{words} in {count(clusters, 'cluster')}"


def build_differences(compared: BenchmarkComparison) -> Table:
    """One row a pair: the difference with its interval, what it is made of, and its p-value."""
    found = [pair.accuracy for pair in compared.pairs]
    family = len(found)
    who = "of the second from the first" if compared.is_ranked else "from the baseline"
    holm = f"; Holm: p for all {family} comparisons" if family > 1 else ""
    table = new_table(
        wrap(
            f"Difference {who} in points, with the 95 % {name_methods(f.interval for f in found)} "
            "interval for questions like these; q: flips in percent; MDE: found with 80 % power"
            f"{holm}"
        ),
        left=("",),
        right=(
            "Difference",
            "Interval",
            "Losses",
            "Gains",
            "q",
            found[0].test.replace(" ", "\n", 1),
            *(["Holm"] if family > 1 else []),
            "MDE",
        ),
    )
    for pair in compared.pairs:
        each = pair.accuracy
        table.add_row(
            name_pair(pair, compared),
            points(pair.candidate.mean - pair.baseline.mean, signed=True),
            bracket(each.interval),
            f"{each.losses:,}",
            f"{each.gains:,}",
            percent(each.flips),
            render_p(each.p_value),
            *([render_p(each.adjusted_p)] if family > 1 else []),
            "-" if each.detectable is None else points(each.detectable),
        )
    return table


def name_pair(pair: RunPair, compared: BenchmarkComparison) -> str:
    """The candidate's number; where all pairs are compared, both numbers."""
    if compared.is_ranked:
        return f"({pair.baseline.number}), ({pair.candidate.number})"
    return f"({pair.candidate.number})"


def describe_pair(pair: RunPair) -> Iterator[str]:
    """What belongs to the difference: its size on this set, readable replies, clusters."""
    accuracy = pair.accuracy
    if pair.is_whole_set:
        yield f"on this set of {count(accuracy.n, 'question')}: {describe_count(accuracy)}"
    yield f"readable replies: {describe_readable(pair.readable)}"
    if accuracy.interval is None:
        yield "all questions share one cluster: nothing is known of questions like these"
    elif accuracy.clusters is not None:
        effect = accuracy.design_effect
        words = "" if effect is None else f", design effect {effect:.1f}"
        rough = "; so few that the interval is a rough guide" if accuracy.is_rough else ""
        yield f"questions in {count(accuracy.clusters, 'cluster')}{words}{rough}"


def describe_count(accuracy: PairedDifference) -> str:
    """The difference on the questions asked, which is no estimate."""
    net = accuracy.gains - accuracy.losses
    size = points(abs(net) / accuracy.n)
    if net == 0:
        return "as many losses as gains (a count, no sampling error)"
    kind, change = ("losses", "drop") if net < 0 else ("gains", "rise")
    return f"{abs(net):,} net {kind}, a {change} of {size} points (a count, no sampling error)"


def describe_readable(readable: PairedDifference) -> str:
    """The difference in replies that name a choice."""
    interval = readable.interval
    flipped = f"{count(readable.losses, 'loss', 'losses')}, {count(readable.gains, 'gain')}"
    if interval is None:
        return flipped
    return (
        f"{points(interval.estimate, signed=True)} points {bracket(interval)} "
        f"({interval.method}), {flipped}, {readable.test} {render_p(readable.p_value)}"
    )


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
            "* belongs to those of which about 1 in 10 is chance (Benjamini-Hochberg)"
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
            "",
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
            render_p(each.difference.adjusted_p),
            "*" if each.is_found else "",
        )
    return table


def list_subjects(compared: BenchmarkComparison) -> Iterator[str]:
    """Of several candidates, the subjects in which they seem to differ."""
    for pair in compared.pairs:
        if pair.subjects:
            found = [
                f"{clean(each.name)} {points(each.candidate - each.baseline, signed=True)}"
                for each in pair.subjects
                if each.is_found
            ]
            words = ", ".join(found) or "none"
            yield (
                f"{name_pair(pair, compared)} exploratory, subjects that differ in points "
                f"(Benjamini-Hochberg at 10 %, {len(pair.subjects)} subjects): {words}"
            )
    if any(pair.subjects for pair in compared.pairs):
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


def build_averages(comparison: Comparison) -> Iterator[Table]:
    """One row a contestant: its score on each benchmark, and the mean of these."""
    names = [each.benchmark for each in comparison.benchmarks]
    beside = max(1, (find_width() - WIDTH_OF_NAME) // (WIDTH_OF_SCORE + 2))
    for start in range(0, len(names), beside):
        table = new_table(
            "Accuracy in percent by benchmark",
            left=("Run",),
            right=tuple(map(clean, names[start : start + beside])),
        )
        for each in comparison.averages:
            scores = each.scores[start : start + beside]
            table.add_row(clean(each.name), *map(percent, scores))
        yield table
    yield build_means(comparison.averages, len(names))


def build_means(averages: Sequence[Average], benchmarks: int) -> Table:
    """One row a contestant: the mean over benchmarks."""
    table = new_table(
        wrap(
            f"Mean over {benchmarks} benchmarks, each counting alike, with its own 95 % interval; "
            "difference from the baseline in points, paired by question"
        ),
        left=("Run",),
        right=("Mean", "Interval", "Difference", "Interval"),
    )
    for each in averages:
        table.add_row(
            clean(each.name),
            percent(None if each.macro is None else each.macro.estimate),
            bracket(each.macro),
            "-" if each.difference is None else points(each.difference.estimate, signed=True),
            bracket(each.difference),
        )
    return table


def wrap(title: str) -> str:
    """A title in lines that a terminal of 80 columns shows whole."""
    return textwrap.fill(title, MIN_WIDTH, break_long_words=False)


def list_warnings(comparison: Comparison) -> Iterator[str]:
    """What keeps a difference from being one of models or prompts alone."""
    for compared in comparison.benchmarks:
        for pair in compared.pairs:
            if pair.differences:
                words = clean("; ".join(map(str, pair.differences)))
                yield (
                    f"({pair.baseline.number}) and ({pair.candidate.number}) were not asked alike, "
                    f"which may be part of their difference: {words}"
                )
        yield from list_run_warnings(compared)
    yield from list_versions([each for c in comparison.benchmarks for each in c.runs])


def list_run_warnings(compared: BenchmarkComparison) -> Iterator[str]:
    """What has to be known of single runs, and of the questions that are left out."""
    for each in compared.runs:
        served = describe_served(each.run)
        if served is not None:
            yield f"({each.number}) {clean(served)}"
        if each.run.summary.holds_chance:
            yield f"({each.number}) can't be told from chance, where little can be lost or gained"
        if each.left_out:
            yield (
                f"({each.number}) has {count(each.left_out, 'question')} that not all the others "
                "have: left out"
            )
        if each.missing:
            yield f"({each.number}) lacks {percent(each.missing)} % of its replies"
    if compared.unanswered:
        yield (
            f"{clean(compared.benchmark)}: {count(compared.unanswered, 'question')} without a "
            "reply in one of the runs: left out"
        )


def list_versions(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """Which versions of evalkit asked, and which one has read the replies."""
    versions: dict[str, list[str]] = {}
    for each in runs:
        versions.setdefault(each.run.manifest.evalkit_version, []).append(f"({each.number})")
    if len(versions) > 1:
        asked = "; ".join(f"{clean(name)}: {', '.join(who)}" for name, who in versions.items())
        unkept = [f"({r.number})" for r in runs if not r.run.manifest.identity.keep_text]
        but = f", but for {several(unkept)}, read when they were asked" if unkept else ""
        yield (
            f"asked by several versions of evalkit ({asked}); all replies were read by "
            f"{__version__}{but}"
        )
