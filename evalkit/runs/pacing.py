"""When the next request may go, so that limits a minute are kept instead of run into."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from evalkit.api.limits import KINDS, Allowance

MINUTE = 60.0

MARGIN = 0.98
"""The share of a limit that is made use of: the endpoint's clock and ours are not the same."""

LATE_SECONDS = 0.002
"""How late a timer may be without the rate suffering: the next request goes sooner by as much."""

RESERVE: Mapping[str, int] = {"requests": 1, "input_tokens": 1000, "output_tokens": 1000}
"""What is left untouched of what an endpoint says remains: it rounds tokens to thousands."""

TRIAL_SECONDS, TRIAL_REQUESTS = 2.0, 20
"""How long a rate has to hold without a refusal to count as one that the endpoint takes."""

CLOSE = 0.02
"""A rate that is refused and one that is taken, as near as this, are not narrowed down further."""

CONTRADICTION = 0.7
"""A refusal at less than this share of a rate that was taken has another reason."""

STEADY_SECONDS = 30.0
"""How long a rate is kept before a higher one is tried: limits may be raised."""

RARE = 80
"""One refusal in so many requests is put up with."""

IN_USE = 0.8
"""A rate of which less is made use of is not put to the test."""

MOST_FALLS = 8
"""So many rates refused, one below the other, and none that held: another reason is likelier."""


WEIGHT = 0.1
"""Of the last request in the mean that stands for the next one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a request takes of the limits; the names are those of `evalkit.api.limits.KINDS`."""

    requests: float = 1.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0


class Bucket:
    """Fills at a steady rate up to a depth; what is taken may be more than there is, but once.

    Args:
        rate: units a second, more than 0.
        depth: the most that it holds.
        now: the time, in seconds.
    """

    def __init__(self, rate: float, depth: float, now: float) -> None:
        self.rate, self.depth = rate, depth
        self.level, self._at = depth, now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until so much may be taken; a larger amount than it ever holds, when it is full.

        Example:
            >>> bucket = Bucket(rate=2.0, depth=1.0, now=0.0)
            >>> bucket.take(1.0, 0.0)
            >>> round(bucket.wait(1.0, 0.0), 6), bucket.wait(1.0, 0.5)
            (0.5, 0.0)
        """
        self._fill(now)
        # Hours of adding up leave a rest that is none.
        return max(0.0, (min(amount, self.depth) - self.level - 1e-9) / self.rate)

    def take(self, amount: float, now: float) -> None:
        """Take so much; a negative amount gives back what was not needed."""
        self._fill(now)
        self.level = min(self.depth, self.level - amount)

    def _fill(self, now: float) -> None:
        # A clock that goes back fills nothing.
        self.level = min(self.depth, self.level + self.rate * max(0.0, now - self._at))
        self._at = now


class LearnedRate:
    """Finds the requests a second that an endpoint takes which does not say so.

    Between the highest rate that was taken for a while and the lowest that was refused, the one in
    the middle is tried next, or the rate of answers if that is higher: whoever asks for more than
    the endpoint takes gets just what it takes. After a time without refusal a higher one is tried.

    Args:
        rate: requests a second to begin with, more than 0.
        now: the time, in seconds.
    """

    def __init__(self, rate: float, now: float) -> None:
        self.taken, self.refused = 0.0, math.inf
        self._best = 0.0
        self._falls = 0
        self._try(rate, now)

    @property
    def rate(self) -> float:
        """Requests a second, now."""
        return self._bucket.rate

    def wait(self, now: float) -> float:
        """Seconds until the next request may go."""
        self._consider(now)
        return self._bucket.wait(1.0, now)

    def take(self, now: float) -> None:
        """Count a request."""
        self._sent += 1
        self._bucket.take(1.0, now)

    def answer(self) -> None:
        """Count an answer."""
        self._answered += 1

    def refuse(self, sent_at: float, now: float) -> bool:
        """Hear of a refusal for the rate.

        Args:
            sent_at: when the request went; one that went at an earlier rate tells nothing new.
            now: the time.

        Returns:
            False if the rate can't be the reason: a much higher one was taken before, or a much
            lower one is refused as well.
        """
        if sent_at < self._since:
            return True
        self._falls += 1
        if self.rate < CONTRADICTION * self._best or self._falls > MOST_FALLS:
            return False
        if self._sent >= RARE and self.refused < math.inf:
            self._falls = 0
            self._try(self.rate, now)
            return True
        is_first, held = self.refused == math.inf, now - self._since
        self.refused = self.rate
        if self.taken >= self.refused:
            # After a good while it was a little too fast; at once, it lived on what was saved up.
            falls = 2 * CLOSE if held > 2 * TRIAL_SECONDS else 0.5
            self.taken = (1 - falls) * self.refused
        answers = self._answered / held if held >= 1 and self._answered >= TRIAL_REQUESTS else 0.0
        # All but one were taken, unless at first, when some may have been saved up.
        all_but_one = 0.0 if is_first or not self._sent else (1 - 2 / self._sent) * self.rate
        is_found = self.taken >= (1 - CLOSE) * self.refused
        between = self.taken if is_found else (self.taken + self.refused) / 2
        self._try(min(max(between, answers, all_but_one), self.refused), now)
        return True

    def _consider(self, now: float) -> None:
        """Go up if the rate has held for long enough."""
        held = now - self._since
        is_search = self.refused == math.inf
        needed = IN_USE * self.rate * held if is_search else TRIAL_REQUESTS
        if held < TRIAL_SECONDS or self._sent < needed:
            return
        self._falls = 0
        self.taken = max(self.taken, self.rate)
        self._best = max(self._best, self.rate)
        if is_search:
            self._try(2 * self.rate, now)
        elif self.refused - self.taken > CLOSE * self.refused:
            self._try((self.taken + self.refused) / 2, now)
        elif held >= STEADY_SECONDS:
            self.refused *= 1 + 2 * CLOSE

    def _try(self, rate: float, now: float) -> None:
        self._bucket = Bucket(rate, depth_of(rate), now)
        self._bucket.take(self._bucket.depth, now)  # nothing is saved up from the rate before
        self._since, self._sent, self._answered = now, 0, 0


class Pace:
    """Keeps to what may be sent in a minute: by options, by the endpoint's word, by its refusals.

    Args:
        per_minute: limits that the user sets, by kind (see `evalkit.api.limits.KINDS`) or
            "tokens" for input and output together; numbers above 0.
        now: the time, in seconds.
        share: of all limits, for one of several processes that keep to them together.
    """

    def __init__(
        self, per_minute: Mapping[str, float] | None = None, *, now: float, share: float = 1.0
    ) -> None:
        self.share = share
        self._set: dict[str, Bucket] = {}
        for kind, amount in (per_minute or {}).items():
            rate = share * MARGIN * amount / MINUTE
            # Tokens come in lumps as large as a prompt: a second's worth may go at once.
            depth = depth_of(rate) if kind == "requests" else max(1.0, rate)
            self._set[kind] = Bucket(rate, depth, now)
        self._told: dict[str, Bucket] = {}
        self._told_at = -1
        self._sent: dict[str, float] = dict.fromkeys(KINDS, 0.0)
        self.typical = Cost()
        """What the next request is taken to cost: about what the last ones did."""
        self.learned: LearnedRate | None = None

    def wait(self, now: float) -> float:
        """Seconds until the next request may go."""
        cost = self.typical
        waits = [bucket.wait(amount_of(cost, kind), now) for kind, bucket in self._set.items()]
        for kind, bucket in self._told.items():
            waits.append(bucket.wait(amount_of(cost, kind) + RESERVE[kind], now))
        if self.learned is not None:
            waits.append(self.learned.wait(now))
        return max(waits, default=0.0)

    def take(self, now: float) -> Cost:
        """Count a request that goes.

        Returns:
            What has been sent by then, to be given back with the headers of the reply.
        """
        cost = self.typical
        for kind in KINDS:
            self._sent[kind] += amount_of(cost, kind)
        for buckets in (self._set, self._told):
            for kind, bucket in buckets.items():
                bucket.take(amount_of(cost, kind), now)
        if self.learned is not None:
            self.learned.take(now)
        return Cost(**self._sent)

    def correct(self, taken: Cost, true: Cost, now: float) -> None:
        """Hear what a request has really cost.

        Args:
            taken: what it was taken to cost.
            true: what it did.
            now: the time.
        """
        for kind, bucket in self._set.items():
            bucket.take(amount_of(true, kind) - amount_of(taken, kind), now)
        is_first = self.typical == Cost()
        mixed = {
            kind: amount_of(true, kind)
            if is_first
            else (1 - WEIGHT) * amount_of(self.typical, kind) + WEIGHT * amount_of(true, kind)
            for kind in KINDS
        }
        self.typical = Cost(**mixed)

    def heed(
        self,
        allowance: Allowance,
        sent_before: Cost,
        sent_at: float,
        number: int,
        now: float,
    ) -> None:
        """Hear what the endpoint says is left.

        Its word holds for the moment at which the request arrived: what was sent since then has to
        come off, and what has come in since is added.

        Args:
            allowance: its word.
            sent_before: what `take` returned for the request.
            sent_at: when the request went.
            number: the place of the request among all that went; older words count no more.
            now: the time.
        """
        if number <= self._told_at:
            return
        self._told_at = number
        for kind, remaining in allowance.remaining.items():
            limit = self.share * allowance.limits.get(kind, 0)
            if limit <= 0:
                continue
            bucket = Bucket(MARGIN * limit / MINUTE, limit, sent_at)
            bucket.take(limit - self.share * remaining, sent_at)
            bucket.take(self._sent[kind] - amount_of(sent_before, kind), now)
            self._told[kind] = bucket


def amount_of(cost: Cost, kind: str) -> float:
    """What a request takes of one kind."""
    if kind == "tokens":
        return cost.input_tokens + cost.output_tokens
    amount: float = getattr(cost, kind)
    return amount


def depth_of(rate: float) -> float:
    """Requests that may go at once: one, and what a timer has missed."""
    return 1.0 + rate * LATE_SECONDS
