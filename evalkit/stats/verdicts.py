"""What a comparison against a margin may conclude."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


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
