"""A margin, and whether a comparison shows a drop beyond it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from evalkit.pairs import ALPHA, POWER, Differences
from evalkit.stats.intervals import Interval
from evalkit.stats.power import questions_in_clusters
from evalkit.stats.verdicts import Verdict, margin_verdict

NORMAL = NormalDist()

SMALLEST = 1e-9
"""Gaps and variances below it are 0: means of fractions are not exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a comparison says of a margin, about questions like these."""

    verdict: Verdict
    margin: float
    """A fraction."""
    interval: Interval | None
    """Of the difference, at the level that the verdict stands on; None if there can't be one."""
    family: int
    """How many verdicts share the chance of a false alarm."""
    needed: int | None
    """About the questions that would decide with 80 % power, if the drop is what it seems to be;
    None if there is a verdict, or if no number would."""


def judge(accuracy: Differences, margin: float, family: int) -> Judgement:
    """Say whether accuracy dropped by more than a margin, about questions like these.

    Args:
        accuracy: of the questions, baseline and candidate.
        margin: a fraction in [0, 1).
        family: how many such verdicts are given at once. `regressed` is said at an error of 5 %
            over all of them; `no regression` needs no correction, since all have to say so.
    """
    interval = accuracy.interval(1 - 2 * ALPHA)
    verdict = Verdict.INCONCLUSIVE if interval is None else margin_verdict(interval, margin)
    if verdict is Verdict.REGRESSED and family > 1:
        interval = accuracy.interval(1 - 2 * ALPHA / family)
        assert interval is not None, "there is one at any level"
        verdict = margin_verdict(interval, margin)
    undecided = verdict is Verdict.INCONCLUSIVE and interval is not None
    return Judgement(
        verdict=verdict,
        margin=margin,
        interval=interval,
        family=family,
        needed=find_needed(accuracy, margin, family) if undecided else None,
    )


def find_needed(accuracy: Differences, margin: float, family: int) -> int | None:
    """About the questions that would decide if the drop is what it seems to be; None: no number."""
    mean = math.fsum(accuracy.values) / accuracy.n
    gap, variance = abs(mean + margin), accuracy.spread - mean * mean
    if gap < SMALLEST or variance < SMALLEST:
        return None
    error = ALPHA / family if mean < -margin else ALPHA
    z = NORMAL.inv_cdf(1 - error) + NORMAL.inv_cdf(POWER)
    n = math.ceil(z * z * variance / (gap * gap))
    effect = None if accuracy.mean is None else accuracy.mean.design_effect
    return questions_in_clusters(n, effect) if effect else n
