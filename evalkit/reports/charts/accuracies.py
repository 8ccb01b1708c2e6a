"""How often runs are right: each accuracy with its interval, best first, beside guessing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evalkit.contestants import name_contestants
from evalkit.reports.charts.chart import Chart, count_ends, list_spoken, sentences
from evalkit.reports.charts.lettering import name_in_sentence
from evalkit.reports.charts.rows import MOST_ROWS, Row, Scale, draw_rows, render_value
from evalkit.reports.tables import percent
from evalkit.reports.wording import bracket, count, name_methods, several

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evalkit.reports.charts.themes import Theme
    from evalkit.results import Run
    from evalkit.stats.intervals import Interval

Named = tuple[str, "Run"]


def chart_accuracies(runs: Sequence[Run]) -> Chart | None:
    """Accuracies with intervals, of each benchmark the best first; None: no run has a reply."""
    named = list(zip(name_contestants(runs), runs, strict=True))
    known = [(name, run) for name, run in named if run.summary.mean is not None]
    if not known:
        return None
    groups = group_runs(known)
    rows = [row for benchmark, members in groups.items() for row in list_rows(benchmark, members)]
    shown = rows[:MOST_ROWS]
    scale = Scale(words="accuracy in percent", lowest=0.0)

    def draw(theme: Theme) -> Figure:
        return draw_rows(theme, shown, scale)

    return Chart(
        name="accuracies",
        title=describe_best(groups),
        caption=sentences(
            describe_intervals(
                run.summary.accuracy for _, run in known if not run.summary.is_stopped_early
            )
            if not all(run.summary.is_stopped_early for _, run in known)
            else "",
            "What a gate stopped early has none."
            if any(run.summary.is_stopped_early for _, run in known)
            else "",
            "Dashed: guessing.",
            "Whether one run is better than another is told by their paired difference, not by "
            "whether their intervals overlap."
            if len(known) > 1
            else "",
            describe_gaps(named),
            f"The first {len(shown)} of {len(rows)} rows are shown."
            if len(rows) > len(shown)
            else "",
        ),
        alt="Accuracies in percent: "
        + list_spoken(
            [
                f"{name_in_sentence(name)} on {name_in_sentence(benchmark)} "
                f"{render_value(mean, run.summary.accuracy)}"
                for benchmark, members in groups.items()
                for name, run in members
                if (mean := run.summary.mean) is not None
            ]
        ),
        draw=draw,
    )


def group_runs(named: Sequence[Named]) -> dict[str, list[Named]]:
    """Runs by benchmark, of each the best first."""
    groups: dict[str, list[Named]] = {}
    for name, run in named:
        groups.setdefault(run.manifest.identity.benchmark, []).append((name, run))
    return {
        benchmark: sorted(members, key=lambda each: -(each[1].summary.mean or 0.0))
        for benchmark, members in groups.items()
    }


def list_rows(benchmark: str, members: Sequence[Named]) -> Iterable[Row]:
    """The heading of a benchmark, then its runs."""
    chances = dict.fromkeys(percent(run.summary.chance) for _, run in members)
    yield Row(label=benchmark, words=f"guessing {' or '.join(chances)}")
    for name, run in members:
        summary = run.summary
        assert summary.mean is not None, "those without are left out"
        yield Row(
            label=name,
            value=summary.mean,
            interval=summary.accuracy,
            words=f"{render_value(summary.mean, summary.accuracy)}  n = {summary.asked:,}",
            reference=summary.chance,
        )


def describe_best(groups: dict[str, list[Named]]) -> str:
    """Who is right most often, which is what is seen, and not more."""
    if len(groups) == 1:
        [(benchmark, members)] = groups.items()
        name, run = members[0]
        summary = run.summary
        assert summary.mean is not None, "those without are left out"
        interval = "" if summary.accuracy is None else f" {bracket(summary.accuracy)}"
        what = f"{percent(summary.mean)} %{interval}"
        who, where = name_in_sentence(name), name_in_sentence(benchmark)
        if len(members) == 1:
            return f"{who} is right on {what} of {where}"
        leaders = [n for n, r in members if r.summary.mean == summary.mean]
        if len(leaders) > 1:
            return f"{count(len(leaders), 'run')} share the highest accuracy on {where}: {what}"
        return f"{who} has the highest accuracy on {where}: {what}"
    wins: dict[str, int] = {}
    for members in groups.values():
        best = members[0][1].summary.mean
        for name, run in members:
            if run.summary.mean == best:
                wins[name] = wins.get(name, 0) + 1
    most = max(wins.values())
    leaders = [name_in_sentence(name) for name, won in wins.items() if won == most]
    if len(leaders) > 3:
        return f"No run has the highest accuracy on more than {most} of {len(groups)} benchmarks"
    verb = "has" if len(leaders) == 1 else "each have"
    return f"{several(leaders)} {verb} the highest accuracy on {most} of {len(groups)} benchmarks"


def describe_intervals(intervals: Iterable[Interval | None]) -> str:
    """The n, level and method of some intervals, each for questions like these."""
    found = [interval for interval in intervals if interval is not None]
    if not found:
        return "No intervals: all questions share one cluster."
    n = count_ends([interval.n for interval in found], "question")
    clusters = [each.clusters for each in found if each.clusters is not None]
    beside = f" in {count_ends(clusters, 'cluster')}" if clusters else ""
    levels = " or ".join(dict.fromkeys(f"{100 * each.level:.4g}" for each in found))
    return (
        f"Bars: {levels} % {name_methods(found)} interval for questions like these; "
        f"n = {n}{beside}."
    )


def describe_gaps(named: Sequence[Named]) -> str:
    """What the chart can't show of some runs."""
    without = sum(run.summary.mean is None for _, run in named)
    known = [run.summary for _, run in named if run.summary.mean is not None]
    hollow = sum(summary.accuracy is None for summary in known)
    partial = sum(not run.is_complete and run.summary.mean is not None for _, run in named)
    return sentences(
        f"Left out, without a reply: {count(without, 'run')}." if without else "",
        f"Hollow, all questions in one cluster, which leaves no interval: {count(hollow, 'run')}."
        if 0 < hollow < len(known)
        else "",
        f"Incomplete, some replies are missing: {count(partial, 'run')}." if partial else "",
    )
