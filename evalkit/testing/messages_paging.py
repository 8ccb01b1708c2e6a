"""Lists in pages, newest first, between `after_id` and `before_id`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from evalkit.testing.messages_errors import Rejection
from evalkit.testing.messages_models import Json

Query = Mapping[str, Sequence[str]]

_MOST: Final = 1000


def limit_of(query: Query) -> int:
    """How many entries a page may have.

    Raises:
        Rejection: for a limit that is none.
    """
    limit = query.get("limit", ["20"])[0]
    if not limit.isdecimal() or not 1 <= int(limit) <= _MOST:
        raise Rejection(f"limit: Input should be between 1 and {_MOST}")
    return int(limit)


def page_of(rows: Sequence[Json], query: Query) -> Json:
    """The page that a query asks for.

    Args:
        rows: all entries, newest first, each with its `id`.
        query: `limit`, and `after_id` or `before_id`.

    Raises:
        Rejection: for a limit that is none and for an id that is not in the list.
    """
    limit, ids = limit_of(query), [row["id"] for row in rows]
    for field in ("after_id", "before_id"):
        for name in query.get(field, ()):
            if name not in ids:
                raise Rejection(f"{field}: unknown id {name}")
    if before := query.get("before_id"):
        rest = rows[: ids.index(before[0])]
        page = rest[-limit:]
    else:
        after = query.get("after_id")
        rest = rows if after is None else rows[ids.index(after[0]) + 1 :]
        page = rest[:limit]
    return {
        "data": list(page),
        "has_more": len(rest) > limit,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
    }
