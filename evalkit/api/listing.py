"""The models that an endpoint says it serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from evalkit.api.client import MessagesClient
from evalkit.api.paging import PAGE_ROWS, as_time, fetch_rows
from evalkit.responses import as_count, as_text

LISTED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model as its endpoint describes it; None where the endpoint says nothing."""

    id: str
    display_name: str | None = None
    lifecycle: str | None = None
    """`active`, `deprecated` or `retired`."""
    retires_at: datetime | None = None
    max_input_tokens: int | None = None
    max_tokens: int | None = None
    """The most that `max_tokens` of a request may be."""
    capabilities: Mapping[str, bool] = field(default_factory=dict)
    """Whether it can do what the name says, such as "image_input", "effort.low" or
    "thinking.types.disabled"; what the endpoint doesn't mention is missing."""


async def list_served_models(
    client: MessagesClient, *, page_rows: int = PAGE_ROWS
) -> tuple[ServedModel, ...]:
    """The models of an endpoint in its own order, which is newest first for the official one.

    Args:
        client: where to ask.
        page_rows: how many to ask for at once, 1 to 1000.

    Raises:
        ApiError: whatever went wrong, in the type that fits; NotFoundError: it has no such list.
    """
    rows = await fetch_rows(client, "/v1/models", limit=LISTED, page_rows=page_rows)
    return tuple(parse_model(row) for row in rows)


def parse_model(row: Mapping[str, Any]) -> ServedModel:
    """Read a model object that has an id.

    Example:
        >>> parse_model({"id": "m", "capabilities": {"batch": {"supported": True}}}).capabilities
        {'batch': True}
    """
    return ServedModel(
        id=str(row["id"]),
        display_name=as_text(row.get("display_name")),
        lifecycle=as_text(row.get("lifecycle")),
        retires_at=as_time(row.get("retires_at")),
        max_input_tokens=as_count(row.get("max_input_tokens")),
        max_tokens=as_count(row.get("max_tokens")),
        capabilities=dict(flatten(row.get("capabilities"))),
    )


def flatten(node: object, name: str = "") -> Iterator[tuple[str, bool]]:
    """The names below a node of the tree of capabilities, each with whether it is supported."""
    if not isinstance(node, Mapping):
        return
    supported = node.get("supported")
    if name and isinstance(supported, bool):
        yield name, supported
    for key, below in node.items():
        yield from flatten(below, f"{name}.{key}" if name else str(key))
