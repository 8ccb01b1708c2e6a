"""Why an endpoint said no: error bodies of every shape, turned into errors of the right type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalkit.api.endpoint import Endpoint
from evalkit.api.retries import parse_retry_after
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    ServerError,
)
from evalkit.responses import as_text

if TYPE_CHECKING:
    import httpx

SHOWN_CHARACTERS = 300

SPEND_LIMITS = ("enforced_spend_limit_reached", "contract_spend_limit_reached")
SPEND_TEXTS = ("credit balance is too low", "api usage limits")

BY_STATUS: Mapping[int, type[ApiError]] = {
    401: AuthenticationError,
    402: BillingError,
    403: AuthenticationError,
    404: NotFoundError,
    429: RateLimitError,
    529: OverloadedError,
}

STATUS_OF: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that the API sends with each `error.type`."""

MISSING = (
    ("/v1/messages/batches/", "no such batch, or no batches at all"),
    ("/v1/messages/batches", "no batches"),
    ("/v1/messages/count_tokens", "no model {model!r}, or doesn't count tokens"),
    ("/v1/messages", "no model {model!r}, or no Messages API"),
    ("/v1/files/", "no such file, or no files at all"),
    ("/v1/files", "no files"),
    ("/v1/models", "no list of models"),
)
"""What a 404 means, by how the path begins."""


def build_error(endpoint: Endpoint, reply: httpx.Response, path: str, model: object) -> ApiError:
    """The error that a response without success stands for.

    Args:
        endpoint: where it came from; its key is masked.
        reply: the response, read to its end.
        path: what was asked for.
        model: the model that was asked for, if one was.
    """
    details = parse_error_body(reply.content)
    kind = classify(reply.status_code, details)
    message = shorten(endpoint, details["message"] or describe_body(reply))
    lead = explain(endpoint, kind, path, model)
    return kind(
        f"{lead}{message} (status {reply.status_code})",
        status=reply.status_code,
        error_type=details["type"],
        error_code=details["error_code"],
        request_id=reply.headers.get("request-id") or details["request_id"],
        retry_after_seconds=parse_retry_after(reply.headers),
        should_retry={"true": True, "false": False}.get(reply.headers.get("x-should-retry")),
    )


def build_result_error(endpoint: Endpoint, result: Mapping[str, Any]) -> ApiError:
    """The error that an item of a batch ended with.

    No status comes with it; it is given the one that the API sends with an error of its type, so
    that it counts as worth another try, or not, as the same error of a single request does.

    Args:
        endpoint: where it came from; its key is masked.
        result: `{"error": ...}`, which holds the error itself or a whole error body.
    """
    error = result.get("error")
    is_whole_body = isinstance(error, Mapping) and isinstance(error.get("error"), Mapping)
    details = read_error_body(error if is_whole_body else result)
    status = STATUS_OF.get(details["type"] or "")
    kind = ApiError if status is None else classify(status, details)
    return kind(
        shorten(endpoint, details["message"] or "an item failed, and no reason is given"),
        status=status,
        error_type=details["type"],
        error_code=details["error_code"],
        request_id=details["request_id"],
    )


def shorten(endpoint: Endpoint, text: str) -> str:
    """One line that can be read, without the key."""
    # The key goes before the cut, which could leave a part of it.
    return " ".join(endpoint.mask(text).split())[:SHOWN_CHARACTERS]


def explain(endpoint: Endpoint, kind: type[ApiError], path: str, model: object) -> str:
    """What to look at first, where the endpoint's own words leave it open."""
    if kind is NotFoundError:
        words = next((words for start, words in MISSING if path.startswith(start)), "no such path")
        return f"{endpoint.host} has {words.format(model=model)}: "
    if kind is not AuthenticationError:
        return ""
    if endpoint.api_key or endpoint.auth_token:
        return f"{endpoint.host} does not accept the key: "
    return f"{endpoint.host} wants a key, and ANTHROPIC_API_KEY is not set: "


def classify(status: int, details: Mapping[str, str | None]) -> type[ApiError]:
    """The error type for a status; money has a type of its own, whatever its status."""
    text = (details["message"] or "").lower()
    if details["error_code"] in SPEND_LIMITS or any(words in text for words in SPEND_TEXTS):
        return BillingError
    if status in BY_STATUS:
        return BY_STATUS[status]
    return ServerError if status >= 500 else InvalidRequestError


def parse_error_body(content: bytes) -> dict[str, str | None]:
    """The facts in the bytes of an error body; None where it has none."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    return read_error_body(body)


def read_error_body(body: object) -> dict[str, str | None]:
    """The facts in an error body, whose shape differs between servers; None where it has none."""
    outer = body if isinstance(body, Mapping) else {}
    error = outer.get("error")
    inner = error if isinstance(error, Mapping) else {"message": error}
    details = inner.get("details")
    found = {
        "message": inner.get("message") or outer.get("message"),
        "type": inner.get("type"),
        "error_code": details.get("error_code") if isinstance(details, Mapping) else None,
        "request_id": outer.get("request_id"),
    }
    return {name: as_text(value) for name, value in found.items()}


def describe_body(reply: httpx.Response) -> str:
    """Words for a response without an error message."""
    if reply.is_redirect:
        return f"redirected to {reply.headers.get('location')}; give that address as base URL"
    return f"{reply.reason_phrase or 'no reason given'}, without an error message"
