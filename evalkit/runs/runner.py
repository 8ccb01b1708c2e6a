"""Requests in, rows out: asks many at a time, tries again, stops when there is no point.

The runner knows no letters and no questions; what a reply means is found out later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from evalkit.api.retries import RetryPolicy, is_worth_retrying, send_with_retries
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    EvalkitError,
    ImageError,
    InvalidRequestError,
    NotFoundError,
)
from evalkit.requests import Request
from evalkit.responses import Response, describe_failure
from evalkit.runs.journal import JournalRow

HOPELESS_AT_START = 3
"""So many failures before the first answer mean that there won't be one."""

HOPELESS_IN_A_ROW = 25
"""So many failures one after the other mean that the endpoint is gone."""


@asynccontextmanager
async def always(request: Request) -> AsyncIterator[bool]:
    """Let every request go at once."""
    yield True


def never_again(request: Request, response: Response) -> Request | None:
    """Take every response as it is."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How to ask.

    Args:
        concurrency: requests in flight at once, at least 1.
        policy: when to try again.
        ends_run: further errors that no other question would escape, beside a wrong key, an
            unknown model and an account without money.
        answered_before: whether an earlier run of the same got answers.
        admit: surrounds each request; may make it wait, and gives False for the run to end, with
            those under way still answered.
        follow_up: what a response asks for: another request, which is made at once, or None.
        is_worth: whether an error is worth another try.
    """

    concurrency: int
    policy: RetryPolicy
    ends_run: Callable[[ApiError], bool]
    answered_before: bool = False
    admit: Callable[[Request], AbstractAsyncContextManager[bool]] = always
    follow_up: Callable[[Request, Response], Request | None] = never_again
    is_worth: Callable[[ApiError], bool] = is_worth_retrying


async def run_requests(
    requests: Iterable[Request],
    send: Callable[[Request], Awaitable[Response]],
    put: Callable[[JournalRow], None],
    settings: RunnerSettings,
) -> None:
    """Ask every request and hand each result on.

    The first requests go out one by one until one is answered, so that a wrong key or an unknown
    model costs one request. When the run ends early, those under way are not broken off, for they
    are paid for; they only aren't tried again.

    Args:
        requests: built lazily, one when there is room for it.
        send: makes one attempt.
        put: takes each row, in the order of arrival.
        settings: how to ask.

    Raises:
        ApiError: no further question would be answered either.
        Exception: whatever `requests` and `put` raise.
    """
    source = iter(requests)
    state = RunState(settings)
    while not state.answered_any:
        request = next(source, None)
        if request is None or not await ask_in_turn(request, send, put, state):
            return
    async with asyncio.TaskGroup() as group:
        for _ in range(settings.concurrency):
            group.create_task(work(source, send, put, state))
    if state.errors:
        raise next((e for e in state.errors if isinstance(e, EvalkitError)), state.errors[0])


async def work(
    source: Iterator[Request],
    send: Callable[[Request], Awaitable[Response]],
    put: Callable[[JournalRow], None],
    state: RunState,
) -> None:
    """Take one request after the other until there are no more, or the run ends."""
    try:
        for request in source:
            if not await ask_in_turn(request, send, put, state):
                return
    except Exception as error:
        state.end(error)


async def ask_in_turn(
    request: Request,
    send: Callable[[Request], Awaitable[Response]],
    put: Callable[[JournalRow], None],
    state: RunState,
) -> bool:
    """Ask one request and what follows up on it, as far as they are let go.

    Returns:
        False if the run is to end.

    Raises:
        ApiError: no further question would be answered either.
    """
    following: Request | None = request
    while following is not None:
        request = following
        async with state.settings.admit(request) as may_go:
            if not may_go or state.errors:
                return False
            result = await ask_one(request, send, put, state)
        following = None
        if isinstance(result, Response):
            following = state.settings.follow_up(request, result)
    return True


async def ask_one(
    request: Request,
    send: Callable[[Request], Awaitable[Response]],
    put: Callable[[JournalRow], None],
    state: RunState,
) -> Response | ApiError | ImageError:
    """Ask one request and hand its result on.

    Raises:
        ApiError: no further question would be answered either.
    """
    started = time.monotonic()
    result: Response | ApiError | ImageError
    try:
        result, attempts = await send_with_retries(
            lambda: send(request), state.policy, is_worth=state.is_worth
        )
    except ImageError as error:  # the question's own: another may show no picture, or a whole one
        result, attempts = error, 1
    if isinstance(result, ApiError) and state.ends_run(result):
        raise result
    put(
        JournalRow(
            request_id=request.id,
            question_id=request.question_id,
            way=request.way,
            sample_index=request.sample_index,
            is_retake=request.is_retake,
            result=result if isinstance(result, Response) else describe_failure(result),
            attempts=attempts,
            seconds=time.monotonic() - started,
            finished_at=time.time(),
        )
    )
    state.count(result)
    return result


class RunState:
    """How the run is going, to tell a bad question from a bad endpoint."""

    def __init__(self, settings: RunnerSettings) -> None:
        self.settings = settings
        self.answered_any = False
        self.failures_in_a_row = 0
        self.errors: list[Exception] = []
        """Why the run ends; empty as long as it goes on."""
        self.policy = replace(settings.policy, sleep=self._sleep)
        self._sleeping: set[asyncio.Task[Any]] = set()

    def end(self, error: Exception) -> None:
        """Start nothing more; what waits for another try has waited in vain."""
        self.errors.append(error)
        for task in self._sleeping:
            task.cancel()

    async def _sleep(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None, "whatever sleeps is a task"
        self._sleeping.add(task)
        try:
            await self.settings.policy.sleep(seconds)
        finally:
            self._sleeping.discard(task)

    def is_worth(self, error: ApiError) -> bool:
        """Whether an error is worth another try."""
        return not self.errors and self.settings.is_worth(error)

    def ends_run(self, error: ApiError) -> bool:
        """Whether an error concerns more than the question it came for."""
        return isinstance(
            error, AuthenticationError | BillingError | NotFoundError
        ) or self.settings.ends_run(error)

    def count(self, result: Response | ApiError | ImageError) -> None:
        """Count a result.

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
