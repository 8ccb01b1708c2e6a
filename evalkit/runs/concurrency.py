"""How many requests to have in flight at once: as many as make the answers come faster."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["answered", "overloaded", "failed"]
"""What came of one attempt: "overloaded" is a word about the endpoint's load (503, 529)."""

FIRST = 8
"""In flight at once after the first answer, which is waited for alone."""

MOST = 256
"""In flight at once where the user sets no other limit."""

FEWEST_SEEN, CAREFULLY_SEEN = 8, 32
"""Replies after which a limit is judged at the earliest: in fast growth, and afterwards.

It takes two thirds of the limit in fast growth, and afterwards as many as the limit: of half of it,
most went at once after the last step, and don't show yet that a queue has built up."""

GAIN = 0.3
"""The share of the growth in requests that has to show as growth in answers."""

MORE_OVERLOADED = 0.1
"""A limit at which so much more of the replies are about overload is too high."""

DOUBT = 2.0
"""Standard errors by which shares have to differ before that is no chance."""

FAST, CAREFUL = 2.0, 1.25
"""Growth in one step: until a step was one too many, and afterwards."""

LONGEST_REST = 32
"""Judgements between two steps that were too many, at the most."""


@dataclass(slots=True)
class Window:
    """What came of the requests sent since the limit was last changed."""

    epoch: int
    answered: int = 0
    overloaded: int = 0
    failed: int = 0
    seconds: float = 0.0
    """Of all answers together."""
    was_full: bool = False
    """Whether the limit kept a request waiting."""

    @property
    def total(self) -> int:
        """Attempts that came to an end."""
        return self.answered + self.overloaded + self.failed


@dataclass(frozen=True, slots=True)
class Level:
    """How it went at one limit."""

    limit: int
    speed: float
    """Answers a second."""
    overloaded: float
    """The share of replies about overload."""
    answered: float
    """The share of answers."""
    replies: int

    @property
    def answered_variance(self) -> float:
        """Of the share of answers, as a fraction of it, squared."""
        share = max(self.answered, 1 / self.replies)
        return (1 - share) / share / self.replies

    @property
    def overloaded_variance(self) -> float:
        """Of the share of replies about overload."""
        return self.overloaded * (1 - self.overloaded) / self.replies


class ConcurrencyLimit:
    """The number of requests that may be in flight, adapted to what the endpoint bears.

    One goes ahead until the first answer. From then on the limit grows step by step; a step that
    does not make answers come faster, or makes the endpoint complain of its load, is taken back and
    tried again later. Since levels are compared with each other, failures that strike at random,
    whatever the load, keep it from nothing. The speed at a limit is, by Little's law, the limit
    divided by the mean time to an answer.

    Args:
        most: the highest limit, at least 1.
        is_fixed: whether to stay at the highest limit.
    """

    def __init__(self, most: int = MOST, *, is_fixed: bool = False) -> None:
        self.most, self.is_fixed = most, is_fixed
        self.limit = 1
        self._has_answers = False
        self._base: Level | None = None
        self._step = FAST
        self._rest = self._resting = 0
        self._window = Window(epoch=0)

    @property
    def epoch(self) -> int:
        """Names the time since the limit was last changed; a request takes it along."""
        return self._window.epoch

    def note_full(self) -> None:
        """Hear that a request has to wait for the limit."""
        self._window.was_full = True

    def note(self, epoch: int, outcome: Outcome, seconds: float) -> None:
        """Hear how an attempt ended.

        Args:
            epoch: the one in which it began.
            outcome: what came of it.
            seconds: how long it took.
        """
        if outcome == "answered" and not self._has_answers:
            self.open()
            return
        if self.is_fixed or epoch != self._window.epoch:
            return
        window = self._window
        setattr(window, outcome, getattr(window, outcome) + 1)
        if outcome == "answered":
            window.seconds += seconds
        if self._step == FAST:
            needed = max(FEWEST_SEEN, 2 * self.limit // 3)
        else:
            needed = max(CAREFULLY_SEEN, self.limit)
        if window.total >= needed:
            self._judge()

    def open(self) -> None:
        """Let more than one go: the endpoint is known to answer."""
        self._has_answers = True
        self._set_limit(self.most if self.is_fixed else min(FIRST, self.most))

    def back_off(self) -> None:
        """Halve the limit, because the endpoint is overloaded, or take the last step back."""
        if self.is_fixed or not self._has_answers:
            return
        if self._base is not None and self._base.limit < self.limit:
            self._step_back()
            return
        self._base, self._step = None, CAREFUL
        self._rest = self._resting = 4
        self._set_limit(max(1, self.limit // 2))

    def _step_back(self) -> None:
        """Return to the limit before the last step, and stay there for longer than last time."""
        assert self._base is not None, "there was a step"
        self._rest = self._resting = min(LONGEST_REST, max(2, 2 * self._rest))
        self._step = CAREFUL
        self._set_limit(self._base.limit)

    def _judge(self) -> None:
        """Compare this level with the one before, and take the next step, or the last one back."""
        window = self._window
        if not window.was_full:
            self._set_limit(self.limit)  # it was not the limit that set the pace
            return
        each = window.seconds / window.answered if window.answered else math.inf
        share = window.answered / window.total
        speed = self.limit / each * share if each else math.inf
        level = Level(self.limit, speed, window.overloaded / window.total, share, window.total)
        if self._base is not None and self._base.limit < self.limit and not self._pays(level):
            self._step_back()
            return
        self._base = level
        if self._resting > 0:
            self._resting -= 1
            self._set_limit(self.limit)
        else:
            self._set_limit(min(self.most, math.ceil(self.limit * self._step)))

    def _pays(self, level: Level) -> bool:
        """Whether a higher limit has brought enough more answers, and little more overload."""
        assert self._base is not None, "there is a level to compare with"
        base = self._base
        wanted = 1 + GAIN * (level.limit / base.limit - 1)
        # Of few replies, the share that fails at random differs from time to time.
        by_chance = DOUBT * math.sqrt(level.answered_variance + base.answered_variance)
        more = DOUBT * math.sqrt(level.overloaded_variance + base.overloaded_variance)
        faster = (1 + by_chance) * level.speed >= wanted * base.speed
        return faster and level.overloaded <= base.overloaded + MORE_OVERLOADED + more

    def _set_limit(self, limit: int) -> None:
        """Set the limit and watch anew."""
        self.limit = limit
        self._window = Window(epoch=self._window.epoch + 1)
