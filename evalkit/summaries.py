"""What is said of a set of scores: accuracy with its error, and what stands behind it."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.stats.estimates import Estimate
from evalkit.stats.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """How several responses to the same question, in the same order of its choices, scatter."""

    samples: int
    """Responses to each, at least two."""
    questions: int
    """Questions to which all responses came."""
    within: float
    """Mean variance of a response, right or wrong, to one and the same question."""
    rerun_error: float
    """Standard error of the accuracy if the same questions are asked again."""
    agreement: float
    """The chance that two responses name the same choice."""
    gain: float | None
    """By how much one further response would lower the standard error; None: that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSummary:
    """What the order of the choices changes.

    With several responses in each order, those of the same number are compared, so that what
    changes by chance counts too.
    """

    all_right: Estimate | None
    """The share of questions that are right in every order; None: of none did all replies come."""
    flips: Estimate | None
    """The share of questions whose chosen content changes with the order."""
    by_place: tuple[tuple[int, Estimate], ...]
    """The accuracy by the position, from 0, at which the right choice was shown; of questions with
    one right choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The numbers of a set of scores; all shares are fractions in [0, 1].

    The outcomes count responses, of which a question may have several; the accuracy, its n and its
    bounds are about questions.
    """

    name: str
    """What was counted: a group, or "all"."""
    questions: int
    samples: int
    """Responses wanted for each question, in each order of its choices."""
    wanted: int
    """Responses wanted for all of them."""
    correct: int
    wrong: int
    unparsed: int
    refused: int
    truncated: int
    failed: int
    not_asked: int
    estimate: Estimate | None
    """The mean over the questions that got a reply of their share of correct responses; None if
    no question did."""
    sensitivity: tuple[float, float] | None
    """Accuracy if every unreadable reply were wrong, and if every one were right."""
    missing: tuple[float, float]
    """Accuracy over all questions if every missing reply were wrong, and if right."""
    chance: float
    """Accuracy of blind guessing: the mean of 1 / choices. Where several choices may be right, of
    picking as many of them as are right."""
    most_frequent: float
    """Accuracy of always picking the position, or the set of them, that is right most often."""
    repetition: Repetition | None = None
    """None: with one response there is no telling how much another run would differ."""
    partial: Estimate | None = None
    """The mean over questions of the partial credit of their responses, see
    `evalkit.scores.credit`; None: one choice is asked for, or no reply came."""
    orders: OrderSummary | None = None
    """None: no question was asked in more than one order."""
    is_stopped_early: bool = False
    """Whether a gate chose which questions to ask, and ended before all were asked: what holds for
    a sample of a fixed size does not hold then."""

    @property
    def asked(self) -> int:
        """Questions that got a reply, the n of the accuracy."""
        return 0 if self.estimate is None else self.estimate.n

    @property
    def accuracy(self) -> Interval | None:
        """The accuracy with its interval.

        None if no question got a reply, if all share one cluster, or if a gate stopped early; the
        last two leave only `mean`.
        """
        return None if self.estimate is None or self.is_stopped_early else self.estimate.interval

    @property
    def mean(self) -> float | None:
        """The accuracy; None if no question got a reply."""
        return None if self.estimate is None else self.estimate.mean

    @property
    def replied(self) -> int:
        """Responses that came."""
        return self.wanted - self.failed - self.not_asked

    @property
    def is_complete(self) -> bool:
        """Whether every response came that was wanted."""
        return self.failed + self.not_asked == 0

    @property
    def is_above_chance(self) -> bool | None:
        """Whether the interval lies above the chance level; None if there is no interval."""
        return None if self.accuracy is None else self.accuracy.low > self.chance

    @property
    def holds_chance(self) -> bool | None:
        """Whether the accuracy can't be told from guessing; None if there is no interval."""
        return None if self.accuracy is None else self.accuracy.contains(self.chance)

    @property
    def format_decides(self) -> bool:
        """Whether unreadable replies leave more open than the sampling error does."""
        if self.accuracy is None or self.sensitivity is None:
            return False
        low, high = self.sensitivity
        return high - low > self.accuracy.high - self.accuracy.low

    def correct_for_chance(self, share: float) -> float | None:
        """Map an accuracy so that 0 is guessing and 1 is perfect; None where chance is 1.

        Negative values are possible and are not clipped.
        """
        return None if self.chance >= 1 else (share - self.chance) / (1 - self.chance)
