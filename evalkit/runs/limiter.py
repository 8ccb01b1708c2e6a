"""How one model at one endpoint may be asked: how many at once, how fast, and when not at all.

All runs of a command that ask the same model share one, so that its limits hold for all of them
together and each gets its turn.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from evalkit.api.breaker import Breaker
from evalkit.api.limits import Allowance
from evalkit.api.retries import is_worth_retrying
from evalkit.errors import ApiError
from evalkit.logs import log_event
from evalkit.responses import Response
from evalkit.runs.concurrency import ConcurrencyLimit, Outcome
from evalkit.runs.pacing import Cost, LearnedRate, Pace

WEIGHED = 32
"""Of so many attempts up to one that is refused, half have to be for it to concern everybody.

A refusal that strikes one request in five or ten, while the others are answered, is no reason to
stop asking; one that follows from asking too fast soon strikes nearly all. Attempts count in the
order in which they went: refusals come back sooner than answers.
"""

NEEDED = 24
"""So many attempts at least, before half of them say anything."""

REFUSED_AT_ONCE = 4
"""Of fewer, so many and all of them have to be refused."""

MOST_OVERRUNS = 3
"""So often may what the endpoint says is left be overrun before a rate is looked for instead."""

SHORTEST_SECONDS = 0.25
"""A rate is not learned from less: many replies may come at once."""

OVERLOADED = (429, 503, 529)
"""Statuses that speak of load."""

LONG_SECONDS = 5.0
"""A wait that a user is told of."""


@dataclass(slots=True, kw_only=True)
class Ticket:
    """Leave for one attempt, to be given back when it is over."""

    number: int
    """Its place among all attempts."""
    epoch: int
    entered: float
    cost: Cost
    """What it was taken to cost."""
    sent_before: Cost
    """What all attempts had cost by then."""
    is_fresh: bool = False
    """Whether it wants a new connection, since too many broke off under earlier attempts."""
    is_trial: bool = False
    """Whether it went while others were held back, since nobody was answered."""
    is_used_up: bool = False
    """Whether the reply says that nothing more may be sent for now."""


class Limiter:
    """Lets attempts in, in the order in which they ask.

    Args:
        concurrency: how many may be under way at once.
        pace: how many may start in a minute.
        breaker: notices when nobody is answered any more.
        say: takes a line for the user.
        clock: seconds from a fixed moment; never goes back.
    """

    def __init__(
        self,
        concurrency: ConcurrencyLimit,
        pace: Pace | None = None,
        breaker: Breaker | None = None,
        *,
        say: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.concurrency = concurrency
        self.pace = pace or Pace(now=clock())
        self.breaker = breaker or Breaker()
        self.say, self.clock = say, clock
        self.in_flight = 0
        self.held_until = 0.0
        """Nobody starts before, because the endpoint said so."""
        self.end: ApiError | None = None
        """Why nobody is let in any more."""
        self._entered = 0
        self._door = asyncio.Lock()
        self._changed = asyncio.Event()
        self._recent: deque[tuple[float, bool]] = deque(maxlen=WEIGHED)
        """When the last replies came, and whether they refused for load."""
        self._refused: deque[int] = deque(maxlen=8 * WEIGHED)
        """The numbers of the last attempts that were."""
        self._settled = 0
        """What came of attempts up to this number has been acted upon."""
        self._trying = 0
        """Attempts under way that went while others were held back."""
        self._overruns = 0
        """How often a refusal said that nothing is left, after all had waited for more."""

    def note_answer(self) -> None:
        """Hear that the endpoint has just answered a request that was not let in here."""
        if not self.breaker.has_answered:
            self.breaker.answer()
            self.concurrency.open()

    async def enter(self) -> Ticket:
        """Wait until an attempt may start.

        Raises:
            ApiError: the endpoint has answered nobody for too long.
        """
        async with self._door:
            while (wait := self._find_wait()) != 0.0:
                self._changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._changed.wait()
            now, is_trial = self.clock(), self.breaker.is_open
            self.in_flight += 1
            self._trying += is_trial
            self._entered += 1
            return Ticket(
                number=self._entered,
                epoch=self.concurrency.epoch,
                entered=now,
                cost=self.pace.typical,
                sent_before=self.pace.take(now),
                is_trial=is_trial,
            )

    def _find_wait(self) -> float | None:
        """Seconds to wait; None: until something changes."""
        if self.end is not None:
            raise self.end
        if self.in_flight >= self.concurrency.limit:
            self.concurrency.note_full()
            return None
        now = self.clock()
        wait = self.breaker.wait(now, self._trying)
        if wait is None:
            return None
        return max(wait, self.held_until - now, self.pace.wait(now), 0.0)

    def heed(self, ticket: Ticket, allowance: Allowance) -> None:
        """Hear what the reply to an attempt says of limits."""
        ticket.is_used_up = allowance.is_used_up
        self.pace.heed(allowance, ticket.sent_before, ticket.entered, ticket.number, self.clock())

    def leave(self, ticket: Ticket, result: Response | ApiError | None) -> None:
        """Give a ticket back.

        Args:
            ticket: of the attempt.
            result: what came of it; None: it was never sent, or broken off by us.
        """
        self.in_flight -= 1
        self._trying -= ticket.is_trial
        self._changed.set()
        now = self.clock()
        if isinstance(result, Response):
            self.breaker.answer()
            self._recent.append((now, False))
            if self.pace.learned is not None:
                self.pace.learned.answer()
            self.concurrency.note(ticket.epoch, "answered", now - ticket.entered)
            self.pace.correct(ticket.cost, true_cost(result), now)
        elif result is not None:
            # What is refused for its rate is no matter of how many are under way.
            if result.status != 429:
                outcome: Outcome = "overloaded" if result.status in OVERLOADED else "failed"
                self.concurrency.note(ticket.epoch, outcome, now - ticket.entered)
            # Who says when to come back is there.
            is_told = result.status in OVERLOADED and result.retry_after_seconds is not None
            if is_worth_retrying(result) and not is_told:
                self._note_failure(ticket, result, now)
            if result.status in OVERLOADED:
                self._recent.append((now, True))
                self._refused.append(ticket.number)
                self._refuse(ticket, result, now)

    def _note_failure(self, ticket: Ticket, error: ApiError, now: float) -> None:
        """Count a failure that may have hit any request."""
        # Failures come faster than answers: many of those under way, before the first answer. In
        # the place of one that is refused for load, another one may go and be refused as well.
        factor = 2 if error.status in OVERLOADED else 1
        needed = factor * self.concurrency.limit
        pause = self.breaker.fail(now, sent_at=ticket.entered, at_least=needed)
        if self.breaker.has_given_up(now):
            count, seconds = self.breaker.failures, self.breaker.seconds(now)
            self.end = error.with_lead(
                f"no answer for {seconds:.0f} s, in {count} attempts, the last with this"
            )
            log_event(logging.ERROR, "given_up", failures=count, seconds=round(seconds, 3))
        elif pause is not None and self.breaker.failures > 1:
            count = self.breaker.failures
            log_event(logging.WARNING, "pause", failures=count, seconds=pause, error=error.kind)
            self.say(f"{count} attempts in a row failed ({error.message}); next in {pause:g} s")

    def _refuse(self, ticket: Ticket, error: ApiError, now: float) -> None:
        """Slow down, if a refusal is meant for everybody."""
        self._overruns += ticket.is_used_up and ticket.number > self._settled
        # Some tell of a minute's allowance, but take no two requests at once.
        is_told = ticket.is_used_up and self._overruns <= MOST_OVERRUNS
        if not (is_told or self._are_for_all(ticket)):
            self._hear_of_rate(ticket, error, now)
            return
        wait = error.retry_after_seconds
        if wait is not None and now + wait > self.held_until:
            if wait >= LONG_SECONDS:
                self.say(f"all requests wait {wait:.0f} s: {error.message}")
            self.held_until = now + wait
            log_event(logging.WARNING, "hold", seconds=wait, status=error.status)
        is_rate = error.status == 429 and not is_told
        if ticket.epoch == self.concurrency.epoch and not is_rate:
            self.concurrency.back_off()
        if not is_rate or self._learn_rate(ticket, error, now):
            self._forget()

    def _forget(self) -> None:
        """Weigh anew: what follows from the replies so far has been done."""
        self._recent.clear()
        self._settled = self._entered

    def _are_for_all(self, ticket: Ticket) -> bool:
        """Whether the last refusals, that of this ticket among them, are meant for everybody."""
        if not self.breaker.has_answered:
            return True
        before = max(self._settled, ticket.number - WEIGHED)
        attempts = ticket.number - before
        refused = sum(before < number <= ticket.number for number in self._refused)
        if attempts < NEEDED:
            return REFUSED_AT_ONCE <= attempts == refused
        return 2 * refused >= attempts

    def _learn_rate(self, ticket: Ticket, error: ApiError, now: float) -> bool:
        """Look for the rate of an endpoint that refuses, and does not say what it takes.

        Returns:
            Whether the last replies have been made use of.
        """
        if self.pace.learned is not None:
            self._hear_of_rate(ticket, error, now)
            return True
        if ticket.number - self._settled < NEEDED:
            return False
        answers = sum(not refused for _, refused in self._recent)
        seconds = max(now - self._recent[0][0], SHORTEST_SECONDS)
        # While it refuses, it answers just what it takes.
        self.pace.learned = LearnedRate(max(1.0, answers / seconds), now)
        log_event(logging.INFO, "rate", per_second=round(self.pace.learned.rate, 3))
        return True

    def _hear_of_rate(self, ticket: Ticket, error: ApiError, now: float) -> None:
        """Tell a learned rate of a refusal."""
        learned = self.pace.learned
        is_rate = error.status == 429
        if learned is not None and is_rate and not learned.refuse(ticket.entered, now):
            self.pace.learned = None
            self._forget()


def true_cost(response: Response) -> Cost:
    """What an answered request has taken."""
    usage = response.usage
    written = usage.cache_creation_input_tokens or 0
    return Cost(
        input_tokens=(usage.input_tokens or 0) + written, output_tokens=usage.output_tokens or 0
    )
