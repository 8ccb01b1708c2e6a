"""When to ask again, and how long to wait before."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from evalkit.api.breaker import Patience
from evalkit.errors import (
    ApiError,
    BillingError,
    ConnectionFailedError,
    OverloadedError,
    RateLimitError,
    ServerError,
    UnreadableResponseError,
)

MOST_DOUBLINGS = 60
"""After so many, a wait has reached any limit; a larger power would overflow."""

RETRYABLE_STATUSES = (408, 409, 425, 429)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How stubborn to be.

    The wait before retry n (n = 0, 1, ...) is what the endpoint asks for, else
    min(first * 2**n, longest) seconds times a factor drawn from 0.75 to 1.

    Example:
        >>> RetryPolicy(attempts=3).deadline_seconds
        900.0
    """

    attempts: int = 10
    """Tries for one request, the first included."""
    first_seconds: float = 0.25
    """Short, for among answers to others a failure is mostly bad luck; an endpoint that answers
    nobody is spared by other means."""
    longest_seconds: float = 12.0
    patience_seconds: float = 600.0
    """An endpoint that asks to wait longer than this is not waited for."""
    deadline_seconds: float = 900.0
    """From the first try of a request on, no further one starts later than this."""
    outage: Patience = field(default_factory=Patience, repr=False)
    """How long an endpoint may answer nobody."""
    rng: random.Random = field(default_factory=random.Random, repr=False)
    sleep: Callable[[float], Awaitable[None]] = field(default=asyncio.sleep, repr=False)


def is_worth_retrying(error: ApiError) -> bool:
    """Whether the same request may succeed later.

    A money limit won't lift by itself. Otherwise the endpoint's own word, `x-should-retry`, counts
    most, then the status: 408, 409, 425, 429 and from 500 on.
    """
    if isinstance(error, BillingError):
        return False
    if isinstance(error, ConnectionFailedError | UnreadableResponseError):
        return True
    if error.should_retry is not None:
        return error.should_retry
    status = error.status or 0
    return status in RETRYABLE_STATUSES or status >= 500


def is_safe_to_repeat(error: ApiError) -> bool:
    """Whether the same request may succeed later and has certainly had no effect yet.

    For what must not be done twice. Nothing was done if no connection came about, or if the
    endpoint itself says that it failed; a proxy's page says nothing of the endpoint behind it, and
    an endpoint that was too slow may still get there.
    """
    import httpx

    if not is_worth_retrying(error):
        return False
    match error:
        case ConnectionFailedError():
            return isinstance(error.__cause__, httpx.ConnectError | httpx.ConnectTimeout)
        case RateLimitError() | OverloadedError():
            return True
        case ServerError():
            return error.error_type is not None and error.status != 504
        case _:
            return False


def wait_seconds(error: ApiError, retries_made: int, policy: RetryPolicy) -> float:
    """How long to wait before the next try.

    Args:
        error: why the last try failed.
        retries_made: 0 before the first retry; those for which the endpoint named the wait need not
            count.
        policy: first and longest wait, in seconds.
    """
    if error.retry_after_seconds is not None and error.retry_after_seconds > 0:
        return error.retry_after_seconds
    doublings = min(retries_made, MOST_DOUBLINGS)
    backoff = min(policy.first_seconds * 2.0**doublings, policy.longest_seconds)
    return backoff * policy.rng.uniform(0.75, 1.0)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """How long the endpoint asks to wait, in seconds, or None.

    `retry-after-ms` comes before `retry-after`, which holds seconds or a date.

    Example:
        >>> parse_retry_after({"retry-after": "1.5"}), parse_retry_after({"retry-after-ms": "20"})
        (1.5, 0.02)
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) / unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    try:
        date = parsedate_to_datetime(headers["retry-after"])
    except (KeyError, ValueError, TypeError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


async def send_with_retries(
    send: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    is_worth: Callable[[ApiError], bool] = is_worth_retrying,
) -> tuple[T | ApiError, int]:
    """Ask until there is an answer, or no point in asking again.

    Args:
        send: makes one attempt; raises ApiError.
        policy: how stubborn to be.
        is_worth: whether an error is worth another try.

    Returns:
        What `send` returned, or the error of the last attempt; and the number of attempts made.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return await send(), attempt
        except ApiError as error:
            wait = wait_seconds(error, attempt - 1, policy)
            hopeless = not is_worth(error) or wait > policy.patience_seconds
            if hopeless or attempt >= policy.attempts:
                return error, attempt
        await policy.sleep(wait)
