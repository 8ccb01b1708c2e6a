"""What a comparison against a margin may conclude."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from evalkit.stats.intervals import Interval


class Verdict(StrEnum):
    """Whether accuracy dropped by more than the margin, in the words that reports use."""

    REGRESSED = "regressed"
    """A drop beyond the margin was shown."""
    NO_REGRESSION = "no regression beyond delta"
    """It was shown that there is no drop beyond the margin."""
    INCONCLUSIVE = "inconclusive"
    """Neither could be shown."""
    INVALID = "invalid"
    """The comparison could not be made: errors, or questions or settings that differ."""


def margin_verdict(difference: Interval, delta: float) -> Verdict:
    """What a complete comparison says about questions like these.

    Two one-sided tests at once: an interval of 90 % gives either wrong verdict an error of 5 %.

    Args:
        difference: candidate - baseline, at a level of 1 - 2 alpha.
        delta: the largest drop that is no regression, a fraction in [0, 1).

    Returns:
        `no regression` if the interval lies above -delta, `regressed` if below, else
        `inconclusive`. That no difference was found is never a pass.

    Raises:
        ValueError: delta is outside its range.

    Example:
        >>> from evalkit.stats.paired import tango_interval
        >>> str(margin_verdict(tango_interval(6, 16, 161, confidence=0.9), 0.01))
        'regressed'
    """
    if not 0 <= delta < 1:
        raise ValueError(f"delta = {delta}: expected 0 to less than 1")
    if difference.low > -delta:
        return Verdict.NO_REGRESSION
    return Verdict.REGRESSED if difference.high < -delta else Verdict.INCONCLUSIVE


def overall_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """What several suites say together.

    To keep the error at alpha, a suite may say `regressed` at an error of alpha / M only, M being
    the number of suites. `no regression` needs no correction: every suite has to say so.

    Args:
        verdicts: one for each suite, at least one.

    Returns:
        Invalid if any is, else regressed if any is; no regression if all say so; else
        inconclusive.

    Raises:
        ValueError: there is no verdict.

    Example:
        >>> str(overall_verdict([Verdict.NO_REGRESSION, Verdict.REGRESSED]))
        'regressed'
    """
    said = set(verdicts)
    if not said:
        raise ValueError("0 verdicts: expected at least 1")
    for decisive in (Verdict.INVALID, Verdict.REGRESSED, Verdict.INCONCLUSIVE):
        if decisive in said:
            return decisive
    return Verdict.NO_REGRESSION
