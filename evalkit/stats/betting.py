"""Bets against a claim about a mean: wealth that grows is evidence, whenever one looks.

A bettor starts with a wealth of 1 and stakes part of it on each answer, at odds that are fair if
the claim it bets against is true. Its wealth is then a supermartingale, and by Ville's inequality
it ever reaches 1 / alpha with a chance of at most alpha. Several stakes are held at once, each with
an equal part of the wealth, because the best one depends on what is not known.
"""

from __future__ import annotations

from math import exp, log, log1p

BETS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Stakes for a whole set, ascending; they are raised as less of it is left."""

A, B, C, D, E = BETS

LARGEST_LOSS = 0.9
"""No answer takes more of a wealth than this share."""

FLOOR = 1e-12
"""Below this, the worst that an answer can cost is taken for rounding."""


class Bettor:
    """The wealth of one side, in logarithms so that it neither overflows nor vanishes.

    Example:
        >>> bettor = Bettor()
        >>> bettor.settle(0.5, worst=0.5, scale=1.0)
        >>> round(bettor.evidence, 3), round(bettor.p_value, 3)
        (0.144, 0.866)
    """

    __slots__ = ("_is_rising", "_peak", "_wealths")

    def __init__(self) -> None:
        self._wealths = (0.0,) * len(BETS)
        self._peak = 0.0
        """The most that the evidence was before it last began to rise."""
        self._is_rising = False

    @property
    def evidence(self) -> float:
        """Logarithm of the wealth."""
        top = max(self._wealths)
        rest = sum([exp(wealth - top) for wealth in self._wealths])
        return top + log(rest / len(BETS))

    @property
    def highest(self) -> float:
        """The most that `evidence` ever was."""
        return max(self._peak, self.evidence) if self._is_rising else self._peak

    def has_reached(self, limit: float) -> bool:
        """Whether the evidence was ever as high as a limit above 0."""
        if self._peak >= limit:
            return True
        # The mean of the wealths is no more than the largest of them.
        return self._is_rising and max(self._wealths) >= limit and self.evidence >= limit

    def settle(self, gain: float, worst: float, scale: float) -> None:
        """Pay out one answer.

        Args:
            gain: what the answer brings per unit staked; its mean is 0 or less if the claim that
                is bet against is true.
            worst: the most that an answer could cost per unit staked, at least -gain.
            scale: by how much stakes are raised, the set's size over what was left of it.

        Source:
            Waudby-Smith and Ramdas (2020), arXiv:2006.04347, sampling without replacement.
        """
        if gain < 0 and self._is_rising:
            self._peak = self.highest
        most = LARGEST_LOSS / (worst if worst > FLOOR else FLOOR)
        # Written out, since this is the inner loop, it takes half the time of one over the bets.
        a, b, c, d, e = self._wealths
        if (stake := E * scale) < most:
            a += log1p(A * scale * gain)
            b += log1p(B * scale * gain)
            c += log1p(C * scale * gain)
            d += log1p(D * scale * gain)
            e += log1p(stake * gain)
        else:
            a += log1p((stake if (stake := A * scale) < most else most) * gain)
            b += log1p((stake if (stake := B * scale) < most else most) * gain)
            c += log1p((stake if (stake := C * scale) < most else most) * gain)
            d += log1p((stake if (stake := D * scale) < most else most) * gain)
            e += log1p(most * gain)
        self._wealths = a, b, c, d, e
        self._is_rising = gain > 0 or (gain == 0 and self._is_rising)

    @property
    def p_value(self) -> float:
        """How easily so much wealth comes about if the claim is true: valid at any time."""
        return exp(-self.highest)
