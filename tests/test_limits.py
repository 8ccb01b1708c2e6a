"""What the headers of a reply say about limits, if they say anything that can be believed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.api.limits import Allowance, RateLimits, parse_allowance, parse_limits

START = "anthropic-ratelimit-"


def pairs(**headers: str) -> list[tuple[bytes, bytes]]:
    """Headers on the wire, by what follows the start of their names."""
    return [
        (f"{START}{name.replace('_', '-')}".encode(), value.encode())
        for name, value in headers.items()
    ]


@pytest.mark.parametrize(
    ("headers", "limits", "remaining"),
    [
        (pairs(requests_limit="4000"), {"requests": 4000}, {}),
        (pairs(requests_remaining="0"), {}, {"requests": 0}),
        (
            pairs(input_tokens_limit="5", input_tokens_remaining="3", output_tokens_remaining="2"),
            {"input_tokens": 5},
            {"input_tokens": 3, "output_tokens": 2},
        ),
        # Input and output together are limited by what limits each.
        (
            [*pairs(tokens_limit="9", tokens_remaining="1"), *pairs(requests_limit="1")],
            {"requests": 1},
            {},
        ),
        ([(b"ANTHROPIC-RateLimit-Requests-LIMIT", b"7")], {"requests": 7}, {}),
        (
            pairs(requests_limit="7", requests_reset="2026-01-01T00:00:00Z", requests_used="1"),
            {"requests": 7},
            {},
        ),
    ],
)
def test_limits_and_what_remains_are_found_by_kind(
    headers: list[tuple[bytes, bytes]], limits: dict[str, int], remaining: dict[str, int]
) -> None:
    assert parse_allowance(headers) == Allowance(limits=limits, remaining=remaining)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"text/html")],
        [(b"x-ratelimit-requests-limit", b"7")],
        pairs(tokens_limit="9"),
        pairs(requests_limit="many"),
        pairs(requests_limit="-1"),
        pairs(requests_limit="1.5"),
        pairs(requests_limit=""),
        pairs(requests_limit="٣"),
        pairs(requests_limit="9" * 16),
        pairs(requests_limit="9" * 5000),
        [(b"anthropic-ratelimit-\xff-limit", b"1")],
        [(b"anthropic-ratelimit-", b"1")],
    ],
)
def test_what_says_nothing_of_limits_is_none(headers: list[tuple[bytes, bytes]]) -> None:
    assert parse_allowance(headers) is None


@given(st.lists(st.tuples(st.binary().map(lambda end: START.encode() + end), st.binary())))
def test_no_header_is_too_odd(headers: Iterable[tuple[bytes, bytes]]) -> None:
    parse_allowance(headers)


@pytest.mark.parametrize(
    ("remaining", "is_used_up"),
    [
        ({}, False),
        ({"requests": 1}, False),
        ({"requests": 0}, True),
        ({"requests": 9, "output_tokens": 0}, True),
    ],
)
def test_an_allowance_is_used_up_when_nothing_of_one_kind_remains(
    remaining: dict[str, int], is_used_up: bool
) -> None:
    assert Allowance(limits={}, remaining=remaining).is_used_up is is_used_up


@pytest.mark.parametrize(
    ("headers", "limits"),
    [
        ({}, None),
        ({f"{START}requests-limit": "4000"}, None),
        ({f"{START}input-tokens-limit": "0"}, None),
        ({f"{START}input-tokens-remaining": "9"}, None),
        (
            {f"{START}requests-limit": "4000", f"{START}output-tokens-limit": "9"},
            RateLimits(requests=4000, output_tokens=9),
        ),
    ],
)
def test_limits_of_messages_are_told_from_those_of_counting(
    headers: dict[str, str], limits: RateLimits | None
) -> None:
    assert parse_limits(headers) == limits
