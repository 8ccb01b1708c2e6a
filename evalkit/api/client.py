"""One request to the Messages API, one attempt; every way to fail has its type."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from evalkit.api.endpoint import Endpoint
from evalkit.api.retries import parse_retry_after
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    ServerError,
    UnreadableResponseError,
    UsageError,
)
from evalkit.responses import Response, as_text, parse_response
from evalkit.version import __version__

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 10.0
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


class MessagesClient:
    """A connection pool to one endpoint, open within `async with`.

    Args:
        endpoint: where requests go.
        connections: how many may be open at once.
        connect_seconds: how long opening one may take.
    """

    def __init__(
        self, endpoint: Endpoint, connections: int, *, connect_seconds: float = CONNECT_SECONDS
    ) -> None:
        self.endpoint = endpoint
        self.connections = connections
        self.connect_seconds = connect_seconds
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        import httpx

        try:
            self._http = httpx.AsyncClient(
                base_url=self.endpoint.base_url,
                headers={**self.endpoint.headers(), "user-agent": f"evalkit/{__version__}"},
                timeout=httpx.Timeout(None, connect=self.connect_seconds),
                limits=httpx.Limits(
                    max_connections=self.connections, max_keepalive_connections=self.connections
                ),
                # Loading certificates takes longer than a short run; plain HTTP needs none.
                verify=self.endpoint.base_url.startswith("https:"),
                # A proxy of the environment has no business with a server on this machine.
                trust_env=not self.endpoint.is_loopback,
                # A redirect would carry `x-api-key` to another host.
                follow_redirects=False,
            )
        except httpx.InvalidURL as error:
            raise UsageError(f"base URL {self.endpoint.base_url!r}: {error}") from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._http is not None, "it was opened"
        await self._http.aclose()

    async def send(self, body: Mapping[str, Any]) -> Response:
        """Ask once.

        Args:
            body: the JSON body of POST /v1/messages.

        Raises:
            ApiError: whatever went wrong, in the type that fits.
        """
        import httpx

        assert self._http is not None, "use `async with`"
        try:
            # httpx's own limits are for each read: a server that trickles would never reach them.
            async with asyncio.timeout(self.endpoint.timeout_seconds):
                reply = await self._http.post("/v1/messages", content=json.dumps(body).encode())
        except (httpx.HTTPError, TimeoutError) as error:
            raise ConnectionFailedError(self.describe(error)) from error
        request_id = reply.headers.get("request-id")
        if reply.status_code != 200:
            raise self.build_error(reply, body.get("model"))
        try:
            decoded = json.loads(reply.content)
        except (ValueError, RecursionError) as error:
            kind = reply.headers.get("content-type", "no content type")
            message = f"status 200, but the body is no JSON ({kind}, {len(reply.content)} bytes)"
            raise UnreadableResponseError(message, status=200, request_id=request_id) from error
        return parse_response(decoded, request_id)

    def describe(self, error: Exception) -> str:
        """What kept a response from arriving, with the host it was expected from."""
        import httpx

        host = self.endpoint.host
        match error:
            case TimeoutError():
                return f"{host} does not answer within {self.endpoint.timeout_seconds:g} s"
            case httpx.ConnectTimeout():
                return f"{host} does not take a connection within {self.connect_seconds:g} s"
            case httpx.ConnectError():
                return f"no connection to {host}: {error}"
            case _:
                return f"{host} broke the connection off: {str(error) or type(error).__name__}"

    def build_error(self, reply: httpx.Response, model: object) -> ApiError:
        """The error that a response with another status than 200 stands for."""
        details = parse_error_body(reply.content)
        kind = classify(reply.status_code, details)
        # The key goes before the cut, which could leave a part of it.
        words = self.endpoint.mask(details["message"] or describe_body(reply))
        message = " ".join(words.split())[:SHOWN_CHARACTERS]
        lead = self.explain(kind, model)
        return kind(
            f"{lead}{message} (status {reply.status_code})",
            status=reply.status_code,
            error_type=details["type"],
            error_code=details["error_code"],
            request_id=reply.headers.get("request-id") or details["request_id"],
            retry_after_seconds=parse_retry_after(reply.headers),
            should_retry={"true": True, "false": False}.get(reply.headers.get("x-should-retry")),
        )

    def explain(self, kind: type[ApiError], model: object) -> str:
        """What to look at first, where the endpoint's own words leave it open."""
        if kind is NotFoundError:
            return f"{self.endpoint.host} has no model {model!r}, or no Messages API: "
        if kind is not AuthenticationError:
            return ""
        if self.endpoint.api_key or self.endpoint.auth_token:
            return f"{self.endpoint.host} does not accept the key: "
        return f"{self.endpoint.host} wants a key, and ANTHROPIC_API_KEY is not set: "


def classify(status: int, details: Mapping[str, str | None]) -> type[ApiError]:
    """The error type for a status; money has a type of its own, whatever its status."""
    text = (details["message"] or "").lower()
    if details["error_code"] in SPEND_LIMITS or any(words in text for words in SPEND_TEXTS):
        return BillingError
    if status in BY_STATUS:
        return BY_STATUS[status]
    return ServerError if status >= 500 else InvalidRequestError


def parse_error_body(content: bytes) -> dict[str, str | None]:
    """The facts in an error body, whose shape differs between servers; None where it has none."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    outer = body if isinstance(body, dict) else {}
    error = outer.get("error")
    inner = error if isinstance(error, dict) else {"message": error}
    details = inner.get("details")
    found = {
        "message": inner.get("message") or outer.get("message"),
        "type": inner.get("type"),
        "error_code": details.get("error_code") if isinstance(details, dict) else None,
        "request_id": outer.get("request_id"),
    }
    return {name: as_text(value) for name, value in found.items()}


def describe_body(reply: httpx.Response) -> str:
    """Words for a response without an error message."""
    if reply.is_redirect:
        return f"redirected to {reply.headers.get('location')}; give that address as base URL"
    return f"{reply.reason_phrase or 'no reason given'}, without an error message"
