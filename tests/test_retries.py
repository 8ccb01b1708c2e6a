"""What may help is tried again, after the wait that the endpoint asks for or a growing one."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from email.utils import formatdate

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.api.retries import (
    RetryPolicy,
    is_safe_to_repeat,
    is_worth_retrying,
    parse_retry_after,
    send_with_retries,
    wait_seconds,
)
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    ServerError,
    UnreadableResponseError,
)
from evalkit.responses import Response, Usage

ANSWER = Response(text="C", stop_reason="end_turn", model="m", usage=Usage())


@pytest.mark.parametrize(
    ("error", "is_worth"),
    [
        (InvalidRequestError("", status=400), False),
        (AuthenticationError("", status=401), False),
        (BillingError("", status=402), False),
        (AuthenticationError("", status=403), False),
        (NotFoundError("", status=404), False),
        (InvalidRequestError("", status=408), True),
        (InvalidRequestError("", status=409), True),
        (InvalidRequestError("", status=413), False),
        (InvalidRequestError("", status=422), False),
        (InvalidRequestError("", status=425), True),
        (RateLimitError("", status=429), True),
        (ServerError("", status=500), True),
        (ServerError("", status=502), True),
        (ServerError("", status=504), True),
        (OverloadedError("", status=529), True),
        (ConnectionFailedError(""), True),
        (UnreadableResponseError("", status=200), True),
        (ApiError(""), False),
        # The endpoint's own word goes first.
        (ServerError("", status=500, should_retry=False), False),
        (RateLimitError("", status=429, should_retry=False), False),
        (InvalidRequestError("", status=400, should_retry=True), True),
        # But no waiting lifts a limit of money.
        (BillingError("", status=429), False),
        (BillingError("", status=429, should_retry=True), False),
        (BillingError("", status=400, retry_after_seconds=1.0), False),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, ApiError) else str(value),
)
def test_what_is_worth_another_try(error: ApiError, is_worth: bool) -> None:
    assert is_worth_retrying(error) is is_worth


def caused_by(cause: Exception) -> ConnectionFailedError:
    """A failed connection with the reason for it."""
    error = ConnectionFailedError("")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "is_safe"),
    [
        (RateLimitError("", status=429), True),
        (OverloadedError("", status=529), True),
        (ServerError("", status=500, error_type="api_error"), True),
        (caused_by(httpx.ConnectError("refused")), True),
        (caused_by(httpx.ConnectTimeout("")), True),
        # A proxy's page says nothing of the server behind it; who was too slow may still get there.
        (ServerError("", status=502), False),
        (ServerError("", status=504, error_type="timeout_error"), False),
        (caused_by(httpx.RemoteProtocolError("disconnected")), False),
        (caused_by(httpx.ReadError("")), False),
        (caused_by(TimeoutError()), False),
        (ConnectionFailedError(""), False),
        (UnreadableResponseError("", status=200), False),
        (InvalidRequestError("", status=409), False),
        # What won't help isn't tried, safe or not.
        (InvalidRequestError("", status=400), False),
        (BillingError("", status=429), False),
        (RateLimitError("", status=429, should_retry=False), False),
    ],
    ids=repr,
)
def test_what_is_safe_to_repeat(error: ApiError, is_safe: bool) -> None:
    assert is_safe_to_repeat(error) is is_safe


@pytest.mark.parametrize(
    ("retries_made", "longest"),
    [(0, 0.25), (1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0), (6, 12.0), (10**6, 12.0)],
)
def test_the_wait_grows_with_jitter_up_to_a_limit(retries_made: int, longest: float) -> None:
    waits = [
        wait_seconds(ServerError(""), retries_made, RetryPolicy(rng=random.Random(seed)))
        for seed in range(200)
    ]
    assert 0.75 * longest <= min(waits) < 0.77 * longest
    assert 0.98 * longest < max(waits) <= longest


@pytest.mark.parametrize(
    ("asked_for", "is_kept"), [(0.02, True), (7.0, True), (90.0, True), (0.0, False)]
)
def test_the_endpoints_wait_goes_first(asked_for: float, is_kept: bool) -> None:
    error = RateLimitError("", retry_after_seconds=asked_for)
    wait = wait_seconds(error, 0, RetryPolicy())
    assert (wait == asked_for) is is_kept
    assert wait > 0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": " 3 "}, 3.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "60"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "60"}, 60.0),
        ({"retry-after-ms": "-1", "retry-after": "60"}, 60.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00"}, 0.0),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 99 Oct 2015 07:28:00 GMT"}, None),
    ],
)
def test_how_long_a_response_asks_to_wait(
    headers: Mapping[str, str], seconds: float | None
) -> None:
    assert parse_retry_after(headers) == seconds


def test_a_date_says_when_to_come_back() -> None:
    date = formatdate(time.time() + 100, usegmt=True)
    seconds = parse_retry_after({"retry-after": date})
    assert seconds is not None
    assert 95 < seconds <= 100


@given(st.text(), st.text())
def test_no_header_is_too_odd(milliseconds: str, seconds: str) -> None:
    wait = parse_retry_after({"retry-after-ms": milliseconds, "retry-after": seconds})
    assert wait is None or 0 <= wait < float("inf")


@given(
    st.dates().map(lambda day: f"{day:%a, %d %b %Y}"),
    st.sampled_from(["00:00:00", "23:59:59", "24:00:00", ""]),
    st.sampled_from(["GMT", "-0000", "+2359", "-2359", "+9999", "EST", ""]),
)
def test_no_date_is_too_odd(day: str, clock: str, zone: str) -> None:
    wait = parse_retry_after({"retry-after": f"{day} {clock} {zone}"})
    assert wait is None or 0 <= wait < float("inf")


class Endpoint:
    """Fails in the ways given, one after the other, then answers; writes down the waits."""

    def __init__(self, *errors: ApiError) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.waits: list[float] = []

    async def send(self) -> Response:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return ANSWER

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def ask(self, attempts: int = 6, patience_seconds: float = 600.0) -> Response | ApiError:
        policy = RetryPolicy(
            attempts=attempts,
            patience_seconds=patience_seconds,
            rng=random.Random(0),
            sleep=self.sleep,
        )
        result, made = asyncio.run(send_with_retries(self.send, policy))
        assert made == self.calls
        return result


def test_an_answer_needs_no_second_try() -> None:
    endpoint = Endpoint()
    assert endpoint.ask() == ANSWER
    assert (endpoint.calls, endpoint.waits) == (1, [])


def test_passing_faults_are_overcome() -> None:
    endpoint = Endpoint(
        OverloadedError("", status=529),
        ConnectionFailedError(""),
        RateLimitError("", status=429, retry_after_seconds=42.0),
        ServerError("", status=500),
    )
    assert endpoint.ask() == ANSWER
    assert endpoint.calls == 5
    waits = endpoint.waits
    assert 0.1875 <= waits[0] <= 0.25
    assert 0.375 <= waits[1] <= 0.5
    assert waits[2] == 42.0
    assert 1.5 <= waits[3] <= 2


def test_the_last_error_is_given_when_the_tries_are_used_up() -> None:
    errors = [ServerError(str(number), status=500) for number in range(9)]
    endpoint = Endpoint(*errors)
    assert endpoint.ask(attempts=4) is errors[3]
    assert (endpoint.calls, len(endpoint.waits)) == (4, 3)


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("", status=401),
        BillingError("", status=429),
        # An hour is more than a run waits for; the same command may go on then.
        RateLimitError("", status=429, retry_after_seconds=3600.0),
    ],
)
def test_what_will_not_help_is_not_waited_for(error: ApiError) -> None:
    endpoint = Endpoint(error)
    assert endpoint.ask() is error
    assert (endpoint.calls, endpoint.waits) == (1, [])


def test_what_is_worth_it_can_be_chosen_and_anything_can_be_sent() -> None:
    calls: list[int] = []

    async def number() -> int:
        calls.append(len(calls))
        if len(calls) < 3:
            raise ConnectionFailedError("")
        return 7

    policy = RetryPolicy(first_seconds=0.0)
    result = asyncio.run(send_with_retries(number, policy, is_worth=is_safe_to_repeat))
    assert isinstance(result[0], ConnectionFailedError)
    assert asyncio.run(send_with_retries(number, policy)) == (7, 2)


def test_patience_can_be_chosen() -> None:
    error = RateLimitError("", status=429, retry_after_seconds=30.0)
    assert Endpoint(error).ask(patience_seconds=29.0) is error
    assert Endpoint(error).ask(patience_seconds=30.0) == ANSWER


def test_a_policy_shows_its_numbers_alone() -> None:
    assert repr(RetryPolicy()) == (
        "RetryPolicy(attempts=10, first_seconds=0.25, longest_seconds=12.0, "
        "patience_seconds=600.0, deadline_seconds=900.0)"
    )
