"""How much an endpoint takes in a minute, as the headers of its replies say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What an account may send and get in a minute; None where that is not known."""

    requests: int | None = None
    input_tokens: int | None = None
    """Those read from the cache don't count."""
    output_tokens: int | None = None


def parse_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """The limits on messages; None if the headers don't tell them.

    Counting tokens has a limit of its own. A header on requests alone may mean that one, and is
    not relied on.

    Example:
        >>> parse_limits({"anthropic-ratelimit-input-tokens-limit": "2000000"})
        RateLimits(requests=None, input_tokens=2000000, output_tokens=None)
        >>> parse_limits({"anthropic-ratelimit-requests-limit": "4000"}) is None
        True
    """
    found: dict[str, int] = {}
    for kind in ("requests", "input-tokens", "output-tokens"):
        text = headers.get(f"anthropic-ratelimit-{kind}-limit", "")
        if text.isascii() and text.isdecimal() and int(text) > 0:
            found[kind.replace("-", "_")] = int(text)
    return RateLimits(**found) if found.keys() - {"requests"} else None
