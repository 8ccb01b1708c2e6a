"""Tables of how sure a model is, and of whether it is right to be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from evalkit.errors import UsageError
from evalkit.reports.tables import new_table, percent, render_table
from evalkit.reports.wording import bracket, count, name_methods, points, wrap
from evalkit.stats.reliability import FEWEST_VOTES, GOOD_VOTES

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.confidence import Calibration
    from evalkit.results import Run
    from evalkit.stats.estimates import Estimate
    from evalkit.stats.reliability import Reliability


def render_calibration(name: str, run: Run) -> str:
    """The scores of a run's confidence, its bins, and what has to be known about them.

    Args:
        name: of the run, such as "(1)".
        run: with several answers a question; of others, what is missing is said.
    """
    try:
        found = run.calibration()
    except UsageError as lack:
        return f"{name} {lack}"
    tables = [build_scores(name, found)]
    if found.reliability is not None:
        tables.append(build_bins(name, found.reliability))
    notes = (f"{name} {note}" for note in list_findings(found))
    return "\n".join((*map(render_table, tables), *notes))


def build_scores(name: str, found: Calibration) -> Table:
    """One row a Brier score."""
    scores = {
        f"All choices, 0 to 2; evenly likely: {found.even:.3f}": found.brier,
        "The pick alone, 0 to 1": found.brier_of_pick,
    }
    methods = name_methods(each.interval for each in scores.values())
    table = new_table(
        wrap(
            f"{name} Confidence from {found.source}: Brier scores on "
            f"{count(found.n, 'question')}, 0 is perfect, with the 95 % {methods} interval"
        ),
        left=("Brier score",),
        right=("Score", "Interval"),
    )
    for words, each in scores.items():
        table.add_row(words, f"{each.mean:.3f}", render_ends(each))
    return table


def render_ends(score: Estimate) -> str:
    """The ends of an interval that is no percentage."""
    interval = score.interval
    return "-" if interval is None else f"[{interval.low:.3f}, {interval.high:.3f}]"


def build_bins(name: str, found: Reliability) -> Table:
    """One row a bin: how sure the model is of its picks there, and how many are right."""
    table = new_table(
        wrap(
            f"{name} Picks by confidence, in bins of about as many questions: percent of the votes "
            "and percent right, with the 95 % Wilson interval"
        ),
        left=("Bin",),
        right=("n", "Confidence", "Right", "Interval"),
    )
    for number, each in enumerate(found.bins, 1):
        table.add_row(
            str(number),
            str(each.n),
            percent(each.confidence),
            percent(each.accuracy.estimate),
            bracket(each.accuracy),
        )
    return table


def list_findings(found: Calibration) -> Iterator[str]:
    """The other numbers, and what keeps all of them from being more than they are."""
    interval = found.majority.interval
    ends = "" if interval is None else f" {bracket(interval)} ({interval.method})"
    yield (
        f"{found.majority_name} {percent(found.majority.mean)} %{ends}: questions right by "
        "majority vote, where ties share the credit; no accuracy"
    )
    yield from list_gaps(found)
    if found.ties:
        yield (
            f"{count(found.ties, 'question')} with several choices named most often: the pick is "
            "the one named first"
        )
    if found.unread:
        yield (
            f"{count(found.unread, 'answer')} without a choice: votes for none, which lower the "
            "confidence"
        )
    if found.without_pick:
        yield (
            f"{count(found.without_pick, 'question')} without any pick: scored like being sure of "
            "a wrong choice, and in no bin"
        )
    if found.left_out:
        yield (
            f"{count(found.left_out, 'question')} left out: not all {found.samples} answers came"
        )
    if found.is_unanimous:
        yield "all votes are unanimous, which tells nothing of confidence: raise the temperature"
    if found.reliability is not None and found.brier.clusters is not None:
        clusters = count(found.brier.clusters, "cluster")
        yield (
            f"Brier scores and {found.majority_name} are for {clusters} of questions; the "
            "intervals of the bins take each question to stand alone"
        )


def list_gaps(found: Calibration) -> Iterator[str]:
    """The mean gap with that of a perfect model beside it, or why there is none."""
    reliability = found.reliability
    if found.is_too_coarse:
        yield (
            f"no ECE and no bins: shares of {found.samples} votes are too coarse, so that the gaps "
            f"would be those of the votes; it takes {FEWEST_VOTES}, better {GOOD_VOTES} answers a "
            "question"
        )
    if reliability is None:
        return
    side = "beyond" if reliability.is_beyond_chance else "within"
    yield (
        f"ECE {points(reliability.ece)} points, {side} what a model shows that is as often right "
        f"as its shares say: {points(reliability.perfect_ece)} on average, above "
        f"{points(reliability.perfect_ece_high)} in 1 of 20 cases"
    )
    # Of a perfectly calibrated but unsure model, 20 votes put 5 to 10 points too much on the pick.
    yield (
        f"the choice that leads {found.samples} votes has too high a share by luck, the more the "
        "less sure a model is: that is part of the ECE, which can't be compared with that of "
        "another number of answers"
    )
    if reliability.is_coarse:
        yield (
            f"WARNING: shares of {found.samples} votes are coarse, which makes the ECE too large; "
            f"{GOOD_VOTES} or more answers a question are better"
        )
