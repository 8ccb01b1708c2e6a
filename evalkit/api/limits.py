"""How much an endpoint takes in a minute, as the headers of its replies say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

KINDS = ("requests", "input_tokens", "output_tokens")
"""What the API limits, each by itself."""

PREFIX = b"anthropic-ratelimit-"

MOST_DIGITS = 15
"""No account may send more; longer numbers can't all be counted with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What an account may send and get in a minute; None where that is not known."""

    requests: int | None = None
    input_tokens: int | None = None
    """Those read from the cache don't count."""
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What may be sent in a minute, and how much of it was left when a reply was written."""

    limits: Mapping[str, int]
    """By kind, see `KINDS`."""
    remaining: Mapping[str, int]
    """By kind; those of tokens are rounded to thousands."""

    @property
    def is_used_up(self) -> bool:
        """Whether nothing may be sent for now."""
        return any(left == 0 for left in self.remaining.values())


def parse_allowance(headers: Iterable[tuple[bytes, bytes]]) -> Allowance | None:
    """What the headers of a reply say about limits; None if they say nothing.

    Example:
        >>> parse_allowance([(b"Anthropic-RateLimit-Requests-Remaining", b"3999")]).remaining
        {'requests': 3999}
    """
    found: dict[str, dict[str, int]] = {"limit": {}, "remaining": {}}
    for name, value in headers:
        lower = name.lower()
        if lower.startswith(PREFIX):
            kind, _, what = lower[len(PREFIX) :].decode("ascii", "replace").rpartition("-")
            kind = kind.replace("-", "_")
            is_count = value.isdigit() and len(value) <= MOST_DIGITS
            if kind in KINDS and what in found and is_count:
                found[what][kind] = int(value)
    if not (found["limit"] or found["remaining"]):
        return None
    return Allowance(limits=found["limit"], remaining=found["remaining"])


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
    allowance = parse_allowance((name.encode(), value.encode()) for name, value in headers.items())
    found = {} if allowance is None else {k: v for k, v in allowance.limits.items() if v > 0}
    return RateLimits(**found) if found.keys() - {"requests"} else None
