"""How many tokens a request would read, as the endpoint counts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.api.client import MessagesClient, decode
from evalkit.api.limits import RateLimits, parse_limits
from evalkit.errors import UnreadableResponseError
from evalkit.responses import as_count

NOT_COUNTED = (
    *("max_tokens", "stop_sequences", "temperature", "top_p", "top_k"),
    *("metadata", "stream", "service_tier"),
)
"""Fields of a request that don't change its input; the endpoint refuses them."""


async def count_tokens(client: MessagesClient, body: Mapping[str, Any]) -> int:
    """The input tokens of a request; free of charge, and an estimate.

    Args:
        client: where to ask.
        body: the JSON body that POST /v1/messages would get.

    Raises:
        ApiError: whatever went wrong, in the type that fits; NotFoundError: the endpoint has no
            such model, or doesn't count.
    """
    tokens, _ = await count_with_limits(client, body)
    return tokens


async def count_with_limits(
    client: MessagesClient, body: Mapping[str, Any]
) -> tuple[int, RateLimits | None]:
    """The same, with the limits that the reply tells; None: it tells none."""
    counted = {name: value for name, value in body.items() if name not in NOT_COUNTED}
    reply = await client.request("POST", "/v1/messages/count_tokens", body=counted)
    answer = decode(reply)
    tokens = as_count(answer.get("input_tokens")) if isinstance(answer, Mapping) else None
    if tokens is None:
        raise UnreadableResponseError(
            "status 200, but the body has no number `input_tokens`", status=200
        )
    return tokens, parse_limits(reply.headers)
