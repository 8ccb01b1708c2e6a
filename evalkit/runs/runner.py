"""Requests in, rows out: asks many at a time, tries again, stops when there is no point.

The runner knows no letters and no questions; what a reply means is found out later.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol

from evalkit.api.retries import RetryPolicy, is_worth_retrying, wait_seconds
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    ConnectionFailedError,
    EvalkitError,
    ImageError,
    InvalidRequestError,
    NotFoundError,
)
from evalkit.logs import LOGGER, log_event
from evalkit.requests import Request
from evalkit.responses import Response, describe_failure
from evalkit.runs.journal import JournalRow
from evalkit.runs.limiter import Limiter, Ticket

HOPELESS_AT_START = 3
"""So many requests that fail for good before the first answer mean that there won't be one."""

HOPELESS_IN_A_ROW = 25
"""So many, one after the other, mean that the endpoint is gone."""

BAD_LUCK = 3
"""So many broken connections under one request say that others of the pool may be dead as well."""

MOST_WAITING = 1000
"""So many requests wait for another try before new ones wait for them."""

STARTED_TOGETHER = 4
"""So many start before the event loop gets round to what came in.

Those that start together come back together, and then each waits until the event loop is done with
all of them; started one after the other, each answer makes the next request go at once.
"""

Leave = Literal["go", "wait", "end"]
"""Whether a request may go, has to wait for others under way, or ends the run."""

Result = Response | ApiError | ImageError


class Admission(Protocol):
    """Decides on each request before its first attempt."""

    def ask(self, request: Request) -> Leave:
        """Whether it may go; after "go", it is under way until `settle`."""

    def settle(self, request: Request, result: Result | None) -> None:
        """Hear that there will be no further attempt; None: there was none that came to an end."""


class OpenDoor:
    """Lets every request go."""

    def ask(self, request: Request) -> Leave:
        """Let it go."""
        return "go"

    def settle(self, request: Request, result: Result | None) -> None:
        """Take no notice."""


def never_again(request: Request, response: Response) -> Request | None:
    """Take every response as it is."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How to ask.

    Args:
        limiter: when attempts may start; shared by all runs that ask the same model.
        policy: when to try again.
        ends_run: further errors that no other question would escape, beside a wrong key, an
            unknown model and an account without money.
        answered_before: whether an earlier run of the same got answers.
        admission: decides on each request before it goes.
        follow_up: what a response asks for: another request, which is made at once, or None.
        is_worth: whether an error is worth another try.
        deadline_seconds: nothing is started later than this after the beginning; None: no limit.
        stop: set when nothing more is to be started; None: nobody says so.
        break_off: set when what is under way is to be broken off as well; None: nobody says so.
        first_alone: whether the first request goes alone even where the endpoint is known to
            answer, for whoever makes no other once there is a response.
    """

    limiter: Limiter
    policy: RetryPolicy
    ends_run: Callable[[ApiError], bool]
    answered_before: bool = False
    admission: Admission = field(default_factory=OpenDoor)
    follow_up: Callable[[Request, Response], Request | None] = never_again
    is_worth: Callable[[ApiError], bool] = is_worth_retrying
    deadline_seconds: float | None = None
    stop: asyncio.Event | None = None
    break_off: asyncio.Event | None = None
    first_alone: bool = False


@dataclass(slots=True, eq=False)
class Pending:
    """A request that is not settled."""

    request: Request
    attempts: int = 0
    started: float | None = None
    """When the first attempt did."""
    backoffs: int = 0
    """Waits for as long as we thought fit: those that the endpoint asked for say nothing of how
    long another one should be."""
    error: ApiError | None = None
    """Why the last attempt failed."""
    breaks: int = 0
    """How often a connection broke off under it."""


async def run_requests(
    requests: Iterable[Request],
    send: Callable[[Request, Ticket], Awaitable[Response]],
    put: Callable[[JournalRow], None],
    settings: RunnerSettings,
) -> None:
    """Ask every request and hand each result on.

    One request goes first, alone until it is answered, so that a wrong key or an unknown model
    costs one. A request that waits for its next attempt keeps no other from going. When the run
    ends early, those under way are not broken off, for they are paid for; they only aren't tried
    again. Only `RunnerSettings.break_off` ends them too.

    Args:
        requests: built lazily, one when there is room for it.
        send: makes one attempt.
        put: takes each row, in the order of arrival.
        settings: how to ask.

    Raises:
        ApiError: no further question would be answered either.
        Exception: whatever `requests` and `put` raise.
    """
    await Runner(requests, send, put, settings).run()


class Runner:
    """One run's requests under way."""

    def __init__(
        self,
        requests: Iterable[Request],
        send: Callable[[Request, Ticket], Awaitable[Response]],
        put: Callable[[JournalRow], None],
        settings: RunnerSettings,
    ) -> None:
        self.source = iter(requests)
        self.send, self.put, self.settings = send, put, settings
        self.policy = settings.policy
        self.answered_any = False
        self.failures_in_a_row = 0
        self.errors: list[Exception] = []
        """Why the run ends; empty as long as it goes on."""
        self._follow_ups: deque[Request] = deque()
        self._turned_back: Request | None = None
        """The next request, which has to wait for others."""
        self._waiting: list[tuple[float, int, Pending]] = []
        """What is to be tried again, by time."""
        self._serial = itertools.count()
        self._in_flight = 0
        self._changed = asyncio.Event()
        self._dispatching: asyncio.Task[None] | None = None
        self._has_ended = False
        self._sending: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Ask until all is settled, or the run ends."""
        self.settings.limiter.breaker.has_answered |= self.settings.answered_before
        watching = [
            asyncio.create_task(watch()) for watch in (self._watch_for_stop, self._watch_for_break)
        ]
        try:
            async with asyncio.TaskGroup() as group:
                self._dispatching = group.create_task(self._dispatch(group))
                timer = self._set_timer()
        finally:
            for watch in watching:
                watch.cancel()
        if timer is not None:
            timer.cancel()
        for _, _, pending in self._waiting:
            self.settings.admission.settle(pending.request, None)
        if self.errors:
            raise next((e for e in self.errors if isinstance(e, EvalkitError)), self.errors[0])

    def end(self, error: Exception | None = None) -> None:
        """Start nothing more; what waits for another try has waited in vain.

        Args:
            error: why; None: its time is over.
        """
        self._has_ended = True
        if error is not None:
            self.errors.append(error)
        if self._dispatching is not None:
            self._dispatching.cancel()

    async def _watch_for_stop(self) -> None:
        """End the run when somebody says so."""
        if self.settings.stop is not None:
            await self.settings.stop.wait()
            self.end()

    async def _watch_for_break(self) -> None:
        """End the run and what is under way when somebody says so."""
        if self.settings.break_off is not None:
            await self.settings.break_off.wait()
            self.end()
            for task in self._sending:
                task.cancel()

    def _set_timer(self) -> asyncio.TimerHandle | None:
        """See to it that the run ends in time."""
        if self.settings.deadline_seconds is None:
            return None
        return asyncio.get_running_loop().call_later(self.settings.deadline_seconds, self.end)

    # What goes next

    async def _dispatch(self, group: asyncio.TaskGroup) -> None:
        """Start attempts, one after the other, as they may go."""
        limiter = self.settings.limiter
        try:
            while (pending := await self._find_next()) is not None:
                if self._has_expired(pending):
                    continue
                try:
                    ticket = await limiter.enter()
                except BaseException:
                    self.settings.admission.settle(pending.request, None)
                    raise
                # All may have been held back when its time came.
                if self._has_expired(pending):
                    limiter.leave(ticket, None)
                    continue
                ticket.is_fresh = pending.breaks >= BAD_LUCK
                self._in_flight += 1
                group.create_task(self._attempt(pending, ticket))
                if ticket.number % STARTED_TOGETHER == 0:
                    await asyncio.sleep(0)
        except Exception as error:
            self._has_ended = True
            self.errors.append(error)

    def _has_expired(self, pending: Pending) -> bool:
        """Whether it is too late for another attempt; then the last one settles the request."""
        if pending.error is None or not self._is_late(pending, self.settings.limiter.clock()):
            return False
        self._judge(pending, pending.error)
        return True

    async def _find_next(self) -> Pending | None:
        """What is to be tried next, as soon as there is something; None: all is settled."""
        while True:
            now = self.settings.limiter.clock()
            if self._waiting and self._waiting[0][0] <= now:
                return heapq.heappop(self._waiting)[2]
            may_begin = not self._waits_for_first and len(self._waiting) < MOST_WAITING
            if may_begin and (request := self._take_request()) is not None:
                match self.settings.admission.ask(request):
                    case "go":
                        return Pending(request)
                    case "end":
                        return None
                    case "wait":
                        assert self._in_flight or self._waiting, "it waits for others"
                        self._turned_back = request
            elif not (self._in_flight or self._waiting):
                return None
            self._changed.clear()
            due = self._waiting[0][0] - now if self._waiting else None
            try:
                async with asyncio.timeout(due):
                    await self._changed.wait()
            except TimeoutError:
                pass

    @property
    def _waits_for_first(self) -> bool:
        """Whether the first request is under way, and none was ever answered."""
        is_known = self.settings.limiter.breaker.has_answered and not self.settings.first_alone
        was_answered = self.answered_any or is_known
        return not was_answered and bool(self._in_flight or self._waiting)

    def _take_request(self) -> Request | None:
        """The next request that was not tried yet; None: there is none."""
        request, self._turned_back = self._turned_back, None
        if request is None and self._follow_ups:
            request = self._follow_ups.popleft()
        return request or next(self.source, None)

    # One attempt

    async def _attempt(self, pending: Pending, ticket: Ticket) -> None:
        """Make one attempt, and see what follows from it."""
        pending.attempts += 1
        pending.started = ticket.entered if pending.started is None else pending.started
        result: Result | None = None
        try:
            result = await self._send(pending.request, ticket)
        except (ApiError, ImageError) as error:
            result = error
        except Exception as error:
            self.end(error)
        finally:
            self.settings.limiter.leave(ticket, None if isinstance(result, ImageError) else result)
            self._log(pending, ticket, result)
            if result is None:
                self.settings.admission.settle(pending.request, None)
        try:
            if result is not None:
                self._judge(pending, result)
        except Exception as error:
            self.end(error)
        finally:
            self._in_flight -= 1
            self._changed.set()

    async def _send(self, request: Request, ticket: Ticket) -> Response | None:
        """Send a request; None: it was broken off."""
        break_off = self.settings.break_off
        if break_off is None:
            return await self.send(request, ticket)
        if break_off.is_set():
            return None
        task = asyncio.current_task()
        assert task is not None, "attempts are tasks"
        self._sending.add(task)
        try:
            return await self.send(request, ticket)
        except asyncio.CancelledError:
            if not break_off.is_set():
                raise
            task.uncancel()
            return None
        finally:
            self._sending.discard(task)

    def _log(self, pending: Pending, ticket: Ticket, result: Result | None) -> None:
        """Log an attempt."""
        if not LOGGER.isEnabledFor(logging.DEBUG):
            return
        request, limiter = pending.request, self.settings.limiter
        error = result if isinstance(result, ApiError) else None
        log_event(
            logging.DEBUG,
            "attempt",
            request=request.id,
            question=request.question_id,
            way=request.way,
            attempt=pending.attempts,
            started=ticket.entered,
            seconds=round(limiter.clock() - ticket.entered, 6),
            outcome=error.kind if error else type(result).__name__.lower(),
            status=error.status if error else None,
            endpoint_id=None if isinstance(result, ImageError | None) else result.request_id,
            in_flight=limiter.in_flight,
            limit=limiter.concurrency.limit,
            waiting=len(self._waiting),
        )

    def _judge(self, pending: Pending, result: Result) -> None:
        """Settle a request, or have it wait for another attempt.

        Raises:
            ApiError: no further question would be answered either.
        """
        if isinstance(result, ApiError) and not self._is_final(pending, result):
            return
        self.settings.admission.settle(pending.request, result)
        self.put(describe(pending, result, self.settings.limiter.clock()))
        self._count(result)
        if isinstance(result, Response):
            again = self.settings.follow_up(pending.request, result)
            if again is not None:
                self._follow_ups.append(again)

    def _is_final(self, pending: Pending, error: ApiError) -> bool:
        """Whether an error is the last word on a request; else see to what comes next.

        Raises:
            ApiError: it is the last word on all of them.
        """
        try:
            return self._is_last_word(pending, error)
        except ApiError:
            self.settings.admission.settle(pending.request, error)
            raise

    def _is_last_word(self, pending: Pending, error: ApiError) -> bool:
        if self._ends_run(error):
            raise error
        if not self.settings.is_worth(error):
            return True
        # From here on, it does not count as failed but as not asked if it gets no further try.
        if self.settings.limiter.end is not None:
            raise self.settings.limiter.end
        wait = wait_seconds(error, pending.backoffs, self.policy)
        if wait > self.policy.patience_seconds:
            raise error.with_lead(f"the endpoint asks to wait {timedelta(seconds=round(wait))}")
        now = self.settings.limiter.clock()
        if pending.attempts >= self.policy.attempts or self._is_late(pending, now + wait):
            return True
        if self._has_ended:
            self.settings.admission.settle(pending.request, error)
            return False
        pending.error = error
        pending.breaks += isinstance(error, ConnectionFailedError)
        pending.backoffs += not error.retry_after_seconds
        # What it waits for may have been said to all.
        due = max(now + wait, self.settings.limiter.held_until)
        heapq.heappush(self._waiting, (due, next(self._serial), pending))
        return False

    def _is_late(self, pending: Pending, start: float) -> bool:
        """Whether another attempt would come too late that starts at this time."""
        assert pending.started is not None, "an attempt was made"
        return start - pending.started > self.policy.deadline_seconds

    def _ends_run(self, error: ApiError) -> bool:
        """Whether an error concerns more than the question it came for."""
        return isinstance(
            error, AuthenticationError | BillingError | NotFoundError
        ) or self.settings.ends_run(error)

    def _count(self, result: Result) -> None:
        """Count a request that is settled.

        Raises:
            ApiError: the one given, if it is one too many.
        """
        if isinstance(result, Response):
            self.answered_any, self.failures_in_a_row = True, 0
            return
        if isinstance(result, ImageError):
            return  # it never came to the endpoint
        was_answered = self.answered_any or self.settings.answered_before
        if was_answered and isinstance(result, InvalidRequestError):
            return  # the endpoint answers others: it is this question that it doesn't take
        self.failures_in_a_row += 1
        if self.failures_in_a_row >= (HOPELESS_IN_A_ROW if was_answered else HOPELESS_AT_START):
            raise result


def describe(pending: Pending, result: Result, now: float) -> JournalRow:
    """What the journal says of a request that is settled."""
    request = pending.request
    assert pending.started is not None, "an attempt was made"
    return JournalRow(
        request_id=request.id,
        question_id=request.question_id,
        way=request.way,
        sample_index=request.sample_index,
        order=request.order,
        is_retake=request.is_retake,
        result=result if isinstance(result, Response) else describe_failure(result),
        attempts=pending.attempts,
        seconds=now - pending.started,
        finished_at=time.time(),
    )
