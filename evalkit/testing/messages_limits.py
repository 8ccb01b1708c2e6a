"""A limit on the requests a minute, kept by a token bucket."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Final

from evalkit.testing.messages_times import rfc3339

RATE_LIMITS: Final = {
    "requests": 1_000,
    "tokens": 2_400_000,
    "input-tokens": 2_000_000,
    "output-tokens": 400_000,
}
"""What the headers say where no limit is kept."""


class RequestBucket:
    """Requests that may come at once; they grow back steadily."""

    def __init__(self, per_minute: int, size: int) -> None:
        self.per_minute, self.size = per_minute, size
        self._left = float(size)
        self._counted_at: float | None = None

    def take(self, now: float) -> float:
        """Take one request if there is one.

        Args:
            now: seconds on any clock.

        Returns:
            0, or the seconds until there will be one.
        """
        if self._counted_at is not None:
            grown = (now - self._counted_at) * self.per_minute / 60
            self._left = min(float(self.size), self._left + grown)
        self._counted_at = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) * 60 / self.per_minute

    @property
    def left(self) -> int:
        """The whole requests left at the last look."""
        return math.floor(self._left)

    @property
    def seconds_to_full(self) -> float:
        """The seconds from the last look until the bucket is full."""
        return (self.size - self._left) * 60 / self.per_minute


def limit_headers(bucket: RequestBucket | None) -> dict[str, str]:
    """The headers that tell what is left; of requests truthfully where there is a bucket."""
    now = datetime.now(UTC)
    headers: dict[str, str] = {}
    for kind, limit in RATE_LIMITS.items():
        headers |= _triple(kind, limit, limit, now)
    if bucket is not None:
        full = now + timedelta(seconds=bucket.seconds_to_full)
        headers |= _triple("requests", bucket.per_minute, bucket.left, full)
    return headers


def _triple(kind: str, limit: int, left: int, reset: datetime) -> dict[str, str]:
    start = f"anthropic-ratelimit-{kind}"
    return {
        f"{start}-limit": str(limit),
        f"{start}-remaining": str(left),
        f"{start}-reset": rfc3339(reset),
    }
