"""The ways in which the test server can fail, and plans of when it does."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from evalkit.testing.messages_record import RequestRecord

Manner = Literal["error", "page", "cut", "reset", "hang", "slow"]

GATEWAY_PAGE: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n"
    b"<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
TOO_LARGE_PAGE: Final = (
    b"<html>\r\n<head><title>413 Request Entity Too Large</title></head>\r\n"
    b"<body>\r\n<center><h1>413 Request Entity Too Large</h1></center>\r\n</body>\r\n</html>\r\n"
)
LOGIN_PAGE: Final = b"<!doctype html><title>Sign in</title><p>Please sign in to the network.</p>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way to fail.

    Manners: "error" is the service's JSON error; "page" is any content, as from a proxy; "cut"
    sends half of the right response; "reset" drops the connection; "hang" never answers; "slow"
    answers rightly after `delay_seconds`, which the other manners wait as well.
    """

    manner: Manner
    status: int = 200
    message: str = ""
    error_code: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    content_type: str = "text/html"
    delay_seconds: float = 0.0


FaultPlan = Callable[[RequestRecord], Fault | None]


def rate_limited(
    retry_after: str | float | None = 1,
    *,
    retry_after_ms: float | None = None,
    should_retry: bool | None = None,
) -> Fault:
    """A 429.

    Args:
        retry_after: seconds or an HTTP date.
        retry_after_ms: milliseconds, in the header that goes first.
        should_retry: the header `x-should-retry`.
    """
    values = {
        "retry-after": retry_after,
        "retry-after-ms": retry_after_ms,
        "x-should-retry": None if should_retry is None else json.dumps(should_retry),
    }
    headers = tuple((name, str(value)) for name, value in values.items() if value is not None)
    message = "This request would exceed your organization's rate limit."
    return Fault(manner="error", status=429, message=message, headers=headers)


def spend_limit_reached() -> Fault:
    """A 429 that no waiting helps against: no `retry-after`, an `error_code` instead."""
    message = "You have reached the spend limit of your usage tier."
    code = "enforced_spend_limit_reached"
    return Fault(manner="error", status=429, message=message, error_code=code)


def overloaded() -> Fault:
    """A 529."""
    return Fault(manner="error", status=529, message="Overloaded")


def server_error() -> Fault:
    """A 500."""
    return Fault(manner="error", status=500, message="Internal server error")


def timed_out() -> Fault:
    """A 504."""
    return Fault(manner="error", status=504, message="Request timed out")


def unauthorized() -> Fault:
    """A 401, as when a key is revoked while a run is on."""
    return Fault(manner="error", status=401, message="invalid x-api-key")


def bad_gateway() -> Fault:
    """A proxy's 502 with a web page."""
    return Fault(manner="page", status=502, content=GATEWAY_PAGE)


def page_too_large() -> Fault:
    """A proxy's 413 with a web page, which the service never sees."""
    return Fault(manner="page", status=413, content=TOO_LARGE_PAGE)


def web_page() -> Fault:
    """A web page with status 200, as a captive portal sends it."""
    return Fault(manner="page", content=LOGIN_PAGE)


def empty_body() -> Fault:
    """Status 200 and nothing after the headers."""
    return Fault(manner="page", content_type="application/json")


def cut_in_half() -> Fault:
    """Half of the JSON, then the connection ends."""
    return Fault(manner="cut")


def connection_reset() -> Fault:
    """The connection is torn down without a response."""
    return Fault(manner="reset")


def hang() -> Fault:
    """No response until the server closes."""
    return Fault(manner="hang")


def slow(seconds: float) -> Fault:
    """The right response, late."""
    return Fault(manner="slow", delay_seconds=seconds)


FAULTS: Final[Mapping[str, Callable[[], Fault]]] = {
    maker.__name__: maker
    for maker in (
        *(rate_limited, spend_limit_reached, overloaded, server_error, timed_out, unauthorized),
        *(bad_gateway, page_too_large, web_page, empty_body),
        *(cut_in_half, connection_reset, hang),
    )
}
"""The faults that a command line can name."""


def no_faults(record: RequestRecord) -> Fault | None:
    """A plan without a fault."""
    return None


def first_attempts(fault: Fault, *, attempts: int = 1, every: int = 1) -> FaultPlan:
    """Fail the first attempts of every so many bodies of messages.

    Args:
        fault: how.
        attempts: how many attempts fail before one succeeds.
        every: 1 for all bodies, k for the k-th, the 2k-th, and so on, in order of arrival.
    """

    def plan(record: RequestRecord) -> Fault | None:
        chosen = record.is_message and record.body_number % every == 0
        return fault if chosen and record.attempt <= attempts else None

    return plan


def at_random(shares: Mapping[Fault, float], *, seed: int = 0, attempts: int = 1) -> FaultPlan:
    """Fail given shares of the messages, the same bodies whatever the order of arrival.

    Args:
        shares: the share of each fault, in [0, 1], 1 or less together.
        seed: which bodies fail.
        attempts: attempts after these succeed.
    """

    def plan(record: RequestRecord) -> Fault | None:
        if not record.is_message or record.attempt > attempts:
            return None
        drawn = random.Random(f"{seed} {record.attempt} {record.body_digest}").random()
        for fault, share in shares.items():
            drawn -= share
            if drawn < 0:
                return fault
        return None

    return plan


def from_message_on(number: int, fault: Fault) -> FaultPlan:
    """Fail all messages from the body with that number on."""
    return lambda record: fault if record.is_message and record.body_number >= number else None


def either(*plans: FaultPlan) -> FaultPlan:
    """The first fault that one of the plans has."""
    return lambda record: next((fault for plan in plans if (fault := plan(record))), None)
