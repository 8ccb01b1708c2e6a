"""Points in time as the service writes them."""

from __future__ import annotations

from datetime import datetime


def rfc3339(time: datetime) -> str:
    """An aware time such as "2026-11-22T10:00:00Z"."""
    return time.isoformat().replace("+00:00", "Z")


def rfc3339_or_none(time: datetime | None) -> str | None:
    """The same for a time that may not have come yet."""
    return None if time is None else rfc3339(time)
