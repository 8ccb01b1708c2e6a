"""How far runs are apart on the same questions: differences with their intervals, and where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evalkit.reports.charts.accuracies import describe_intervals
from evalkit.reports.charts.chart import Chart, list_spoken, sentences, slug
from evalkit.reports.charts.lettering import name_in_sentence
from evalkit.reports.charts.rows import MOST_ROWS, Row, Scale, draw_rows, render_value
from evalkit.reports.wording import bracket, count, points, render_p
from evalkit.stats.verdicts import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from evalkit.comparisons import Comparison
    from evalkit.reports.charts.themes import Theme
    from evalkit.run_pairs import RunPair
    from evalkit.standings import BenchmarkComparison
    from evalkit.stats.intervals import Interval

AXIS = "difference in points, to the right: more right answers than the baseline"


def chart_differences(comparison: Comparison) -> Chart | None:
    """All pairs of a comparison, benchmark after benchmark; None: there is one pair or none.

    A single pair is drawn with its subjects by `chart_pair`.
    """
    pairs = comparison.pairs
    if len(pairs) < 2:
        return None
    margin = comparison.options.margin
    rows = [row for each in comparison.benchmarks for row in list_pairs(each)]
    shown = rows[:MOST_ROWS]
    scale = Scale(words=AXIS, zero=True, margin=margin)

    def draw(theme: Theme) -> Figure:
        return draw_rows(theme, shown, scale)

    families = {len(each.pairs) for each in comparison.benchmarks} - {1}
    return Chart(
        name="differences",
        title=describe_pairs(pairs),
        caption=sentences(
            "Difference on the same questions, candidate - baseline.",
            describe_intervals(pair.accuracy.interval for pair in pairs),
            f"{name_tests(pairs)}"
            + (", by Holm's method for all comparisons on a benchmark." if families else "."),
            "Grey: may be chance, at 5 %." if any(row.is_weak for row in shown) else "",
            describe_margin(margin),
            f"The first {len(shown)} of {len(rows)} rows are shown."
            if len(rows) > len(shown)
            else "",
        ),
        alt="Differences in points: "
        + list_spoken(
            [
                f"{name_pair(pair)} on {name_in_sentence(each.benchmark)} "
                f"{render_value(difference_of(pair), pair.accuracy.interval, signed=True)}"
                for each in comparison.benchmarks
                for pair in each.pairs
            ]
        ),
        draw=draw,
    )


def chart_pair(pair: RunPair, benchmark: str) -> Chart:
    """One pair: the difference over all questions, then subject by subject, lowest first.

    Args:
        pair: compared.
        benchmark: what its runs were asked.
    """
    main = Row(
        label="all questions",
        value=difference_of(pair),
        interval=pair.accuracy.interval,
        words=describe_row(difference_of(pair), pair.accuracy.interval, pair.accuracy.n),
        is_main=True,
        is_weak=not pair.accuracy.is_clear,
    )
    subjects = sorted(pair.subjects, key=lambda each: each.candidate - each.baseline)
    kept = subjects
    if len(subjects) > MOST_ROWS - 1:
        half = (MOST_ROWS - 1) // 2
        kept = [*subjects[:half], *subjects[-half:]]
    rows = [
        Row(
            label=each.name,
            value=each.candidate - each.baseline,
            interval=each.difference.interval,
            words=describe_row(
                each.candidate - each.baseline, each.difference.interval, each.difference.n
            )
            + (" *" if each.is_found else ""),
            is_weak=not each.is_found,
        )
        for each in kept
    ]
    margin = None if pair.judgement is None else pair.judgement.margin
    scale = Scale(words=AXIS, zero=True, margin=margin)

    def draw(theme: Theme) -> Figure:
        return draw_rows(theme, [main, *rows], scale)

    return Chart(
        name=slug("difference", str(pair.baseline.number), str(pair.candidate.number)),
        title=describe_pair(pair, benchmark),
        caption=sentences(
            describe_intervals(
                [pair.accuracy.interval, *(each.difference.interval for each in kept)]
            ),
            f"{name_tests([pair])}.",
            "Subjects are exploratory: of those in colour, marked *, at most about 1 in 10 is "
            "chance (Benjamini-Hochberg at 10 %)."
            if rows
            else "",
            f"Of {len(subjects)} subjects, the {len(kept) // 2} with the lowest and the "
            f"{len(kept) // 2} with the highest difference are shown."
            if len(kept) < len(subjects)
            else "",
            describe_margin(margin),
            describe_judgement(pair),
        ),
        alt=f"Differences in points, {name_pair(pair)} on {name_in_sentence(benchmark)}: "
        + list_spoken([f"{name_in_sentence(row.label)} {row.words}" for row in [main, *rows]]),
        draw=draw,
    )


def difference_of(pair: RunPair) -> float:
    """The difference, a fraction; there is one even where it has no interval."""
    return pair.candidate.mean - pair.baseline.mean


def list_pairs(compared: BenchmarkComparison) -> Iterable[Row]:
    """The heading of a benchmark, then its pairs."""
    baseline = "" if compared.is_ranked else f", from {name_in_sentence(compared.runs[0].name)}"
    yield Row(label=f"{name_in_sentence(compared.benchmark)}{baseline}")
    for pair in compared.pairs:
        found, value = pair.accuracy, difference_of(pair)
        name = pair.candidate.name
        if compared.is_ranked:
            name = f"{name} - {pair.baseline.name}"
        yield Row(
            label=name,
            value=value,
            interval=found.interval,
            words=describe_row(value, found.interval, found.n)
            + f"  p {say_p(render_p(found.adjusted_p))}",
            is_weak=not found.is_clear,
        )


def describe_row(value: float, interval: Interval | None, n: int) -> str:
    """What stands behind a row."""
    return f"{render_value(value, interval, signed=True)}  n = {n:,}"


def name_pair(pair: RunPair) -> str:
    """Both names."""
    return f"{name_in_sentence(pair.candidate.name)} - {name_in_sentence(pair.baseline.name)}"


def name_tests(pairs: Sequence[RunPair]) -> str:
    """The p-value of a pair, with the name of its test; of several pairs the name alone."""
    tests = " or ".join(dict.fromkeys(pair.accuracy.test for pair in pairs))
    if len(pairs) > 1:
        return f"p: {tests}"
    found = pairs[0].accuracy
    words = f"p {say_p(render_p(found.p_value))} ({tests})"
    if found.adjusted_p == found.p_value:
        return words
    return f"{words}, {say_p(render_p(found.adjusted_p))} for all comparisons (Holm)"


def say_p(words: str) -> str:
    """A p-value behind its letter.

    Example:
        >>> say_p("0.035"), say_p("<0.001"), say_p("-")
        ('= 0.035', '< 0.001', 'unknown')
    """
    if words == "-":
        return "unknown"
    return f"< {words[1:]}" if words.startswith("<") else f"= {words}"


def describe_pair(pair: RunPair, benchmark: str) -> str:
    """What is seen of one pair."""
    value, found = difference_of(pair), pair.accuracy
    first, second = name_in_sentence(pair.candidate.name), name_in_sentence(pair.baseline.name)
    ends = "" if found.interval is None else f" {bracket(found.interval)}"
    if found.interval is not None and points(value).startswith("-"):
        ends = f", difference {points(value)}{ends}"
    size = points(abs(value))
    where = f"on {name_in_sentence(benchmark)}"
    if size == "0.0":
        words = f"{first} and {second} are 0.0 points apart {where}{ends}"
    else:
        side = "above" if value > 0 else "below"
        words = f"{first} is {size} points {side} {second} {where}{ends}{describe_doubt(pair)}"
    return f"{words_of_verdict(pair)}{words}"


def words_of_verdict(pair: RunPair) -> str:
    """The verdict on the margin, where one was given."""
    judgement = pair.judgement
    if judgement is None:
        return ""
    margin = points(judgement.margin)
    return {
        Verdict.REGRESSED: f"Regressed by more than {margin} points: ",
        Verdict.NO_REGRESSION: f"No regression beyond {margin} points: ",
    }.get(judgement.verdict, f"Inconclusive at a margin of {margin} points: ")


def describe_doubt(pair: RunPair) -> str:
    """Why a difference may be chance."""
    found = pair.accuracy
    if found.interval is None:
        return "; all questions share one cluster, which leaves open whether that is chance"
    if found.is_clear:
        return ""
    if found.interval.contains(0):
        return ", which may be chance"
    return ", which may be chance as one of several comparisons (Holm)"


def describe_pairs(pairs: Sequence[RunPair]) -> str:
    """What is seen of several pairs."""
    clear = [pair for pair in pairs if pair.accuracy.is_clear]
    above = sum(difference_of(pair) > 0 for pair in clear)
    below = len(clear) - above
    verdicts = [pair.judgement.verdict for pair in pairs if pair.judgement is not None]
    if verdicts:
        regressed = verdicts.count(Verdict.REGRESSED)
        passed = verdicts.count(Verdict.NO_REGRESSION)
        return (
            f"Of {len(verdicts)} comparisons, {regressed} say regressed, {passed} no regression "
            f"beyond the margin, {len(verdicts) - regressed - passed} are inconclusive"
        )
    if not clear:
        return f"Of {len(pairs)} differences, none is shown to be beyond chance"
    verb = "is" if len(clear) == 1 else "are"
    words = f"Of {len(pairs)} differences, {len(clear)} {verb} beyond chance"
    # Where all pairs are compared, there is no one baseline.
    if len({pair.baseline.name for pair in pairs}) > 1:
        return words
    return f"{words}: {above} above the baseline, {below} below"


def describe_margin(margin: float | None) -> str:
    """What the band is."""
    if margin is None:
        return ""
    return f"Shaded: drops within the margin of {points(margin)} points."


def describe_judgement(pair: RunPair) -> str:
    """The interval that a verdict stands on."""
    judgement = pair.judgement
    if judgement is None or judgement.interval is None:
        return ""
    interval = judgement.interval
    return (
        f"The verdict stands on the {100 * interval.level:.3g} % {interval.method} interval "
        f"{bracket(interval)}, {count(pair.accuracy.losses, 'loss', 'losses')} and "
        f"{count(pair.accuracy.gains, 'gain')}."
    )
