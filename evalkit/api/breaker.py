"""Notices that an endpoint answers nobody any more, and spares it until it does."""

from __future__ import annotations

from dataclasses import dataclass

MOST_WAITS = 60
"""Doublings after which a wait has reached any limit; a larger power would overflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to put up with failures; all times in seconds."""

    trips_after: int = 8
    """Failures one after another, without an answer between them, that hold everybody back."""
    first_pause: float = 1.0
    longest_pause: float = 30.0
    """Each pause is twice the one before, up to this."""
    at_start: float = 15.0
    """How long an endpoint may fail that has never answered."""
    later: float = 300.0
    """How long one may fail that has."""


class Breaker:
    """Holds requests back after many failures in a row, but for one at a time that tries again.

    Before the first answer, one failure is enough.

    Args:
        patience: when to hold back, and when to give up.
        answered_before: whether the endpoint has answered before, in an earlier run.
    """

    def __init__(self, patience: Patience | None = None, *, answered_before: bool = False) -> None:
        self.patience = patience or Patience()
        self.has_answered = answered_before
        self.failures = 0
        """In a row."""
        self._since = 0.0
        self._pauses = 0
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        """Whether requests are held back."""
        return self._pauses > 0

    def answer(self) -> None:
        """Hear of an answer: all is well."""
        self.has_answered = True
        self.failures = self._pauses = 0
        self._open_until = 0.0

    def fail(self, now: float, *, sent_at: float | None = None, at_least: int = 0) -> float | None:
        """Hear of a failure that may have hit any request.

        Args:
            now: the time, in seconds.
            sent_at: when the request went; None: now.
            at_least: failures in a row that it takes, if that is more than usual.

        Returns:
            The pause that begins with it; None if none does.
        """
        if self.failures == 0:
            self._since = now
        self.failures += 1
        if (now if sent_at is None else sent_at) < self._open_until:
            return None  # it went before the last pause was over
        needed = max(self.patience.trips_after, at_least)
        if self.has_answered and not self.is_open and self.failures < needed:
            return None
        doubled = self.patience.first_pause * 2.0 ** min(self._pauses, MOST_WAITS)
        pause = min(doubled, self.patience.longest_pause)
        self._pauses += 1
        self._open_until = now + pause
        return pause

    def seconds(self, now: float) -> float:
        """For how long there has been no answer."""
        return now - self._since if self.failures else 0.0

    def has_given_up(self, now: float) -> bool:
        """Whether it has failed for so long that there is no point in going on."""
        limit = self.patience.later if self.has_answered else self.patience.at_start
        return self.failures > 0 and self.seconds(now) >= limit

    def wait(self, now: float, trying: int) -> float | None:
        """Seconds until a request may go; None: not before another one has come back.

        Args:
            now: the time, in seconds.
            trying: requests under way that went while others were held back.
        """
        if not self.is_open:
            return 0.0
        if trying > 0:
            return None
        return max(0.0, self._open_until - now)
