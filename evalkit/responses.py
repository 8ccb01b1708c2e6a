"""What came back for a request: a message, or the reason why there is none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.errors import ApiError, ImageError, UnreadableResponseError

CUT = ("max_tokens", "model_context_window_exceeded")
"""Stop reasons of a reply that did not come to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one response, as the endpoint counted them; None where it gave no number."""

    input_tokens: int | None = None
    """Tokens read at full price: neither written to the cache nor read from it."""
    output_tokens: int | None = None
    """Tokens generated, thinking included."""
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    thinking_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A message of the model."""

    text: str
    """Its text blocks, joined; empty if it has none."""
    stop_reason: str | None
    model: str | None
    """The model that says it answered, which may differ from the one asked."""
    usage: Usage
    message_id: str | None = None
    request_id: str | None = None
    refusal_category: str | None = None
    tool_input: str | None = None
    """JSON of the input of the first tool that it calls; None if it calls none."""

    @property
    def was_cut(self) -> bool:
        """Whether it ended for want of room."""
        return self.stop_reason in CUT


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFailure:
    """A request that got no message after all its retries; it says nothing about the model."""

    kind: str
    """One word, such as "rate_limit", "server" or "connection_failed"; "image": not even asked."""
    message: str
    status: int | None = None
    request_id: str | None = None


def parse_response(body: object, request_id: str | None = None) -> Response:
    """Read a Message.

    Blocks are picked by type, never by position; unknown types, fields and stop reasons are
    tolerated, and so is whatever optional field a server leaves out.

    Args:
        body: the decoded JSON body of a response with status 200.
        request_id: the header `request-id`.

    Raises:
        UnreadableResponseError: the body is no Message.

    Example:
        >>> parse_response({"content": [{"type": "text", "text": "C"}]}).text
        'C'
    """
    if not isinstance(body, Mapping) or not isinstance(body.get("content"), list):
        raise UnreadableResponseError(
            "status 200, but the body is no message: it has no list `content`",
            status=200,
            request_id=request_id,
        )
    details = body.get("stop_details")
    return Response(
        text="".join(text for block in body["content"] if (text := text_of(block)) is not None),
        stop_reason=as_text(body.get("stop_reason")),
        model=as_text(body.get("model")),
        usage=parse_usage(body.get("usage")),
        message_id=as_text(body.get("id")),
        request_id=request_id or as_text(body.get("request_id")),
        refusal_category=as_text(details.get("category")) if isinstance(details, Mapping) else None,
        tool_input=next(filter(None, map(input_of, body["content"])), None),
    )


def text_of(block: Any) -> str | None:
    """The text of a text block; None for any other block."""
    if not isinstance(block, Mapping) or block.get("type") != "text":
        return None
    return as_text(block.get("text"))


def input_of(block: Any) -> str | None:
    """The input of a tool call as JSON; None for any other block."""
    if not isinstance(block, Mapping) or block.get("type") != "tool_use":
        return None
    return as_text(json.dumps(block.get("input"), ensure_ascii=False))


def parse_usage(body: Any) -> Usage:
    """Read the `usage` of a Message, of which servers give more or less."""
    if not isinstance(body, Mapping):
        return Usage()
    details = body.get("output_tokens_details")
    return Usage(
        input_tokens=as_count(body.get("input_tokens")),
        output_tokens=as_count(body.get("output_tokens")),
        cache_creation_input_tokens=as_count(body.get("cache_creation_input_tokens")),
        cache_read_input_tokens=as_count(body.get("cache_read_input_tokens")),
        thinking_tokens=as_count(details.get("thinking_tokens"))
        if isinstance(details, Mapping)
        else None,
    )


def as_text(value: object) -> str | None:
    """A text that can be written as UTF-8, or None."""
    if not isinstance(value, str):
        return None
    return value.encode("utf-8", "replace").decode()


def as_count(value: object) -> int | None:
    """A whole number that is not negative and fits a table's column, or None."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < 2**63 else None


def describe_failure(error: ApiError | ImageError) -> RequestFailure:
    """Turn the error of the last attempt into a fact for the journal."""
    if isinstance(error, ImageError):
        return RequestFailure(kind="image", message=str(error))
    return RequestFailure(
        kind=error.kind, message=error.message, status=error.status, request_id=error.request_id
    )
