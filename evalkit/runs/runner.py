"""Requests in, rows out: asks many at a time, tries again, stops when there is no point.

The runner knows no letters and no questions; what a reply means is found out later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

from evalkit.api.retries import RetryPolicy, send_with_retries
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    EvalkitError,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How to ask.

    Args:
        concurrency: requests in flight at once, at least 1.
        policy: when to try again.
        ends_run: further errors that no other question would escape, beside a wrong key, an
            unknown model and an account without money.
        answered_before: whether an earlier run of the same got answers.
    """

    concurrency: int
    policy: RetryPolicy
    ends_run: Callable[[ApiError], bool]
    answered_before: bool = False


async def run_requests(
    requests: Iterable[Request],
    send: Callable[[Request], Awaitable[Response]],
    put: Callable[[JournalRow], None],
    settings: RunnerSettings,
) -> None:
    """Ask every request and hand each result on.

    The first requests go out one by one until one is answered, so that a wrong key or an unknown
    model costs one request.

    Args:
        requests: built lazily, one when there is room for it.
        send: makes one attempt.
        put: takes each row, in the order of arrival.
        settings: how to ask.

    Raises:
        ApiError: no further question would be answered either.
    """
    source = iter(requests)
    state = RunState(settings)
    while not state.answered_any:
        request = next(source, None)
        if request is None:
            return
        await ask_one(request, send, put, state)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(settings.concurrency):
                group.create_task(work(source, send, put, state))
    except ExceptionGroup as group_error:
        errors = group_error.exceptions
        raise next((e for e in errors if isinstance(e, EvalkitError)), errors[0]) from None


async def work(
    source: Iterator[Request],
    send: Callable[[Request], Awaitable[Response]],
    put: Callable[[JournalRow], None],
    state: RunState,
) -> None:
    """Take one request after the other until there are no more."""
    for request in source:
        await ask_one(request, send, put, state)


async def ask_one(
    request: Request,
    send: Callable[[Request], Awaitable[Response]],
    put: Callable[[JournalRow], None],
    state: RunState,
) -> None:
    """Ask one request and hand its result on.

    Raises:
        ApiError: no further question would be answered either.
    """
    started = time.monotonic()
    result, attempts = await send_with_retries(lambda: send(request), state.settings.policy)
    if isinstance(result, ApiError) and state.ends_run(result):
        raise result
    put(
        JournalRow(
            request_id=request.id,
            question_id=request.question_id,
            way=request.way,
            sample_index=request.sample_index,
            result=describe_failure(result) if isinstance(result, ApiError) else result,
            attempts=attempts,
            seconds=time.monotonic() - started,
            finished_at=time.time(),
        )
    )
    state.count(result)


class RunState:
    """How the run is going, to tell a bad question from a bad endpoint."""

    def __init__(self, settings: RunnerSettings) -> None:
        self.settings = settings
        self.answered_any = False
        self.failures_in_a_row = 0

    def ends_run(self, error: ApiError) -> bool:
        """Whether an error concerns more than the question it came for."""
        return isinstance(
            error, AuthenticationError | BillingError | NotFoundError
        ) or self.settings.ends_run(error)

    def count(self, result: Response | ApiError) -> None:
        """Count a result.

        Raises:
            ApiError: the one given, if it is one too many.
        """
        if isinstance(result, Response):
            self.answered_any, self.failures_in_a_row = True, 0
            return
        was_answered = self.answered_any or self.settings.answered_before
        if was_answered and isinstance(result, InvalidRequestError):
            return  # the endpoint answers others: it is this question that it doesn't take
        self.failures_in_a_row += 1
        if self.failures_in_a_row >= (HOPELESS_IN_A_ROW if was_answered else HOPELESS_AT_START):
            raise result
