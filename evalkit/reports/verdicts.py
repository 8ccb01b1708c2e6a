"""What a comparison says of a margin, as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.reports.tables import clean
from evalkit.reports.wording import count, points
from evalkit.stats.verdicts import Verdict

if TYPE_CHECKING:
    from evalkit.judgements import Judgement
    from evalkit.run_pairs import RunPair


def render_verdict(pair: RunPair, benchmark: str) -> str:
    """The verdict of one pair, with what it stands on.

    Args:
        pair: compared with a margin.
        benchmark: its name.
    """
    judgement, accuracy = pair.judgement, pair.accuracy
    assert judgement is not None, "a margin was given"
    margin = points(judgement.margin)
    flipped = f"{count(accuracy.losses, 'loss', 'losses')}, {count(accuracy.gains, 'gain')}"
    basis = f"{count(accuracy.n, 'question')} compared; {flipped}; {describe_drop(judgement)}"
    match judgement.verdict:
        case Verdict.REGRESSED:
            shared = "" if judgement.family == 1 else f" over all {judgement.family} comparisons"
            return (
                f"Regressed: accuracy on {clean(benchmark)} fell by more than {margin} points. "
                f"{basis}. Chance of this verdict when the drop is at most {margin} points: at "
                f"most 5 %{shared}."
            )
        case Verdict.NO_REGRESSION:
            return (
                f"No regression beyond {margin} points on {clean(benchmark)}. {basis}. Chance of "
                f"this verdict when the drop is larger than {margin} points: at most 5 %."
            )
        case _:
            return f"Inconclusive on {clean(benchmark)}: {basis}{describe_doubt(pair, judgement)}."


def describe_drop(judgement: Judgement) -> str:
    """How large the drop may be, about questions like these."""
    interval = judgement.interval
    if interval is None:
        return "all questions share one cluster, which leaves the size of the drop unknown"
    low, high = points(-interval.high), points(-interval.low)
    return (
        f"the drop is between {low} and {high} points ({100 * interval.level:.3g} %, "
        f"{interval.method}, for questions like these)"
    )


def describe_doubt(pair: RunPair, judgement: Judgement) -> str:
    """Why there is no verdict, and what would bring one."""
    if judgement.interval is None:
        return ""
    words = f", and the margin of {points(judgement.margin)} lies inside"
    if judgement.needed is None or judgement.needed <= pair.accuracy.n:
        return words
    return (
        f"{words}. About {judgement.needed:,} questions would decide, if the drop is as large as "
        "it seems (80 % power)"
    )
