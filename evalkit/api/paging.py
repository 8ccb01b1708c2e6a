"""Lists that come in pages, in each of the shapes that servers give them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from evalkit.api.client import MessagesClient
from evalkit.errors import UnreadableResponseError
from evalkit.responses import as_text

Row = Mapping[str, Any]

PAGE_ROWS = 100


async def fetch_rows(
    client: MessagesClient, path: str, *, limit: int, page_rows: int = PAGE_ROWS
) -> tuple[Row, ...]:
    """The rows of a list in the order of the server, each with an `id`, none twice.

    Args:
        client: where to ask.
        path: the list.
        limit: rows beyond this number are not asked for.
        page_rows: rows of a page, 1 to 1000.

    Raises:
        ApiError: a page can't be had; UnreadableResponseError: it holds no list.
    """
    found: dict[str, Row] = {}
    cursor: dict[str, str] | None = {}
    while cursor is not None and len(found) < limit:
        rows_wanted = min(page_rows, limit - len(found))
        page = await client.fetch("GET", path, params={"limit": rows_wanted, **cursor})
        rows = rows_of(page)
        fresh = {name: row for name, row in rows.items() if name not in found}
        found |= fresh
        # A server that doesn't know the cursor sends the first page for ever.
        cursor = cursor_of(page, tuple(rows)) if fresh else None
    return tuple(found.values())[:limit]


def rows_of(page: Row) -> dict[str, Row]:
    """The rows of a page by their ids; what has no id is left out."""
    rows = page.get("data")
    if not isinstance(rows, list):
        raise UnreadableResponseError("status 200, but the body holds no list `data`", status=200)
    pairs = [(as_text(row.get("id")), row) for row in rows if isinstance(row, Mapping)]
    return {name: row for name, row in pairs if name}


def cursor_of(page: Row, ids: tuple[str, ...]) -> dict[str, str] | None:
    """What to ask for the page after this one, None after the last.

    Files have `next_page`; batches and models `has_more`, as files had once; other servers have
    neither, and one page.
    """
    if next_page := as_text(page.get("next_page")):
        return {"page": next_page}
    if page.get("has_more") is not True:
        return None
    return {"after_id": as_text(page.get("last_id")) or ids[-1]}


def as_time(value: object) -> datetime | None:
    """A moment as the API writes it, such as "2026-11-22T10:00:00Z", or None.

    Example:
        >>> as_time("2026-11-22T10:00:00Z"), as_time(None), as_time("soon")
        (datetime.datetime(2026, 11, 22, 10, 0, tzinfo=datetime.timezone.utc), None, None)
    """
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
