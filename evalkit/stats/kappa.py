"""How far two runs pick the same choices, beyond what chance would have them share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """Cohen's kappa: 1 if two runs always agree, 0 if as often as by chance."""

    estimate: float
    error: float
    """Standard error by the normal approximation."""
    agreement: float
    """Share of questions on which both pick the same."""
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongAgreement:
    """How often two runs make the same mistake, which kappa hides."""

    both_wrong: int
    """Questions on which both name a wrong choice."""
    same: int
    """Those of them on which it is the same one."""

    @property
    def share(self) -> float | None:
        """The same mistakes among the questions both have wrong; None if there are none."""
        return self.same / self.both_wrong if self.both_wrong else None


def cohen_kappa(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Kappa | None:
    """Measure the agreement of two runs' picks.

    Args:
        ours: the pick of one run on each question, at least one.
        theirs: those of the other run, in the same order.

    Returns:
        Kappa with its standard error; None if both always pick one and the same, which chance
        alone would do too.

    Raises:
        ValueError: there are no questions, or lengths differ.

    Source:
        Cohen (1960), Educ. Psychol. Meas. 20, 37-46; the error by Fleiss, Cohen, Everitt (1969),
        Psychol. Bull. 72, 323-327.

    Example:
        >>> kappa = cohen_kappa("AABBCCAB", "AABBCABC")
        >>> round(kappa.estimate, 3), round(kappa.error, 3)
        (0.429, 0.257)
    """
    if not ours:
        raise ValueError("0 questions: expected at least 1")
    if len(ours) != len(theirs):
        raise ValueError(f"{len(theirs)} picks for {len(ours)} questions: expected as many")
    n = len(ours)
    rows = {pick: count / n for pick, count in Counter(ours).items()}
    columns = {pick: count / n for pick, count in Counter(theirs).items()}
    cells = {pair: count / n for pair, count in Counter(zip(ours, theirs, strict=True)).items()}
    agreement = math.fsum(share for (one, other), share in cells.items() if one == other)
    chance = math.fsum(share * columns.get(pick, 0.0) for pick, share in rows.items())
    if chance > 1 - 1e-12:
        return None
    kappa = (agreement - chance) / (1 - chance)
    rest = 1 - kappa
    same = math.fsum(
        share * (1 - (rows[one] + columns[one]) * rest) ** 2
        for (one, other), share in cells.items()
        if one == other
    )
    different = math.fsum(
        share * (columns.get(one, 0.0) + rows.get(other, 0.0)) ** 2
        for (one, other), share in cells.items()
        if one != other
    )
    variance = same + rest**2 * different - (kappa - chance * rest) ** 2
    return Kappa(
        estimate=kappa,
        error=math.sqrt(max(0.0, variance) / n) / (1 - chance),
        agreement=agreement,
        n=n,
    )


def agreement_when_wrong(
    ours: Sequence[int | None], theirs: Sequence[int | None], right: Sequence[Collection[int]]
) -> WrongAgreement:
    """Count how often two runs make the same mistake.

    Args:
        ours: the choice of one run on each question; None for one that could not be read, which
            makes no mistake that another could share.
        theirs: those of the other run, in the same order.
        right: the right choices of each question.

    Raises:
        ValueError: lengths differ.

    Example:
        >>> agreement_when_wrong([1, 2, 0, None], [1, 3, 0, 2], [{0}] * 4).share
        0.5
    """
    if not len(ours) == len(theirs) == len(right):
        raise ValueError(
            f"{len(ours)} and {len(theirs)} picks for {len(right)} questions: expected as many"
        )
    mistakes = [
        (one, other)
        for one, other, keys in zip(ours, theirs, right, strict=True)
        if one is not None and other is not None and one not in keys and other not in keys
    ]
    return WrongAgreement(
        both_wrong=len(mistakes), same=sum(one == other for one, other in mistakes)
    )
