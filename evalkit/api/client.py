"""One request to the Messages API, one attempt; every way to fail has its type."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from evalkit.api.endpoint import Endpoint
from evalkit.api.error_bodies import build_error
from evalkit.api.limits import Allowance, parse_allowance
from evalkit.errors import ConnectionFailedError, UnreadableResponseError, UsageError
from evalkit.json_text import decode_json, encode_json
from evalkit.responses import Response, parse_response
from evalkit.version import __version__

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 10.0

ASIDE_AT_ONCE = 8
"""Requests at once for what is no question: counting tokens, uploading and deleting files."""

SECONDS_PER_MEGABYTE = 10.0
"""What a large body may take longer, as a full batch does on a slow line."""

WHOLE = "evalkit_whole"
"""The extension of a request whose response is wanted as a whole."""

FRESH = "evalkit_fresh"
"""The extension of a request that goes over a connection of its own."""

Upload = tuple[str, bytes, str]
"""File name, content, media type."""


def ignore(allowance: Allowance) -> None:
    """Take no notice."""


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
        self._secrets = [secret.encode() for secret in endpoint.secrets]
        self._transport: httpx.AsyncBaseTransport | None = None
        self._urls: dict[str, httpx.URL] = {}

    @property
    def aside_at_once(self) -> int:
        """How many requests beside the questions may be under way."""
        return min(self.connections, ASIDE_AT_ONCE)

    async def __aenter__(self) -> Self:
        load_httpx()
        import httpx

        from evalkit.api.transport import AiohttpTransport

        # Prepared once: httpx looks at each name and value of other mappings anew.
        self._json_headers = httpx.Headers(
            {
                "accept": "*/*",
                "accept-encoding": "gzip, deflate",
                "user-agent": f"evalkit/{__version__}",
                **self.endpoint.headers(),
            }
        )
        # It depends on the body, and goes with it.
        self._headers = self._json_headers.copy()
        del self._headers["content-type"]
        try:
            httpx.URL(self.endpoint.base_url)
        except httpx.InvalidURL as error:
            raise UsageError(f"base URL {self.endpoint.base_url!r}: {error}") from error
        self._transport = AiohttpTransport(
            self.endpoint.base_url,
            self.connections,
            connect_seconds=self.connect_seconds,
            # A proxy of the environment has no business with a server on this machine.
            trust_env=not self.endpoint.is_loopback,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._transport is not None, "it was opened"
        await self._transport.aclose()

    async def send(
        self,
        body: Mapping[str, Any],
        *,
        fresh: bool = False,
        heed: Callable[[Allowance], None] = ignore,
    ) -> Response:
        """Ask once.

        Args:
            body: the JSON body of POST /v1/messages.
            fresh: whether it goes over a new connection, since some of the pool broke off under it:
                others may be dead as well.
            heed: hears what the endpoint says may still be sent, where it does; before an error is
                raised, too.

        Raises:
            ApiError: whatever went wrong, in the type that fits.
        """
        reply = await self.request("POST", "/v1/messages", body=body, fresh=fresh, heed=heed)
        return parse_response(decode(reply), reply.headers.get("request-id"))

    async def fetch(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        files: Mapping[str, Upload] | None = None,
    ) -> Mapping[str, Any]:
        """The JSON object that comes back; arguments and errors as for `request`."""
        reply = await self.request(method, path, body=body, params=params, files=files)
        decoded = decode(reply)
        if not isinstance(decoded, Mapping):
            raise unreadable(reply, "is no JSON object")
        return decoded

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        files: Mapping[str, Upload] | None = None,
        accept: str | None = None,
        fresh: bool = False,
        heed: Callable[[Allowance], None] = ignore,
    ) -> httpx.Response:
        """Make one request; what comes back was a success, and is there to its last byte.

        Args:
            method: such as "GET".
            path: from `/v1` on.
            body: sent as JSON; bytes hold JSON already.
            params: what follows the question mark.
            files: the parts of a form, sent instead of a body.
            accept: the header of that name.
            fresh: whether it goes over a new connection.
            heed: hears what the endpoint says may still be sent.

        Raises:
            ApiError: whatever went wrong, in the type that fits.
        """
        import httpx

        content = encode_json(body) if isinstance(body, Mapping) else body
        uploads = list((files or {}).values())
        seconds = self.seconds_for(len(content or b"") + sum(len(data) for _, data, _ in uploads))
        request = httpx.Request(
            method,
            self._url(path),
            params=params,
            headers=self._headers_for(content, accept),
            content=content,
            files=files,
            extensions={WHOLE: True},
        )
        if fresh:
            request.extensions[FRESH] = True
        assert self._transport is not None, "use `async with`"
        try:
            # For all of it: limits for each read would never be reached by a server that trickles.
            async with asyncio.timeout(seconds):
                reply = await self._transport.handle_async_request(request)
                try:
                    await reply.aread()
                finally:
                    await reply.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            raise ConnectionFailedError(self.describe(error, seconds)) from error
        headers = reply.headers.raw
        everything = b"\n".join([reply.content, *(value for _, value in headers)])
        if any(secret in everything for secret in self._secrets):
            reply = mask_reply(self.endpoint, reply)
        if (allowance := parse_allowance(headers)) is not None:
            heed(allowance)
        if not reply.is_success:
            model = body.get("model") if isinstance(body, Mapping) else None
            raise build_error(self.endpoint, reply, path, model)
        return reply

    def _url(self, path: str) -> httpx.URL:
        """The address of a path, parsed once."""
        import httpx

        if path not in self._urls:
            self._urls[path] = httpx.URL(f"{self.endpoint.base_url}{path}")
        return self._urls[path]

    def _headers_for(self, content: bytes | None, accept: str | None) -> httpx.Headers:
        """The headers of one request."""
        headers = self._headers if content is None else self._json_headers
        if accept is not None:
            headers = headers.copy()
            headers["accept"] = accept
        return headers

    async def stream(self, path: str, *, accept: str) -> AsyncGenerator[bytes, None]:
        """What comes back for a GET, piece by piece as it arrives.

        Each piece may take as long as a whole response to `request`, for nobody knows how long
        all of them take. Whoever stops early closes it, as `contextlib.aclosing` does.

        Args:
            path: from `/v1` on.
            accept: the header of that name.

        Raises:
            ApiError: whatever went wrong, in the type that fits; pieces may have come before.
        """
        import httpx

        seconds = self.endpoint.timeout_seconds
        headers = self._headers_for(None, accept)
        request = httpx.Request("GET", self._url(path), headers=headers)
        assert self._transport is not None, "use `async with`"
        try:
            async with asyncio.timeout(seconds):
                reply = await self._transport.handle_async_request(request)
            async with aclosing(reply):
                if not reply.is_success:
                    async with asyncio.timeout(seconds):
                        await reply.aread()
                    raise build_error(self.endpoint, mask_reply(self.endpoint, reply), path, None)
                pieces = aiter(reply.aiter_bytes())
                while True:
                    async with asyncio.timeout(seconds):
                        piece = await anext(pieces, None)
                    if piece is None:
                        return
                    yield piece
        except (httpx.HTTPError, TimeoutError) as error:
            raise ConnectionFailedError(self.describe(error, seconds)) from error

    def seconds_for(self, size: int) -> float:
        """How long an attempt may take that sends so many bytes."""
        return self.endpoint.timeout_seconds + size // 1_000_000 * SECONDS_PER_MEGABYTE

    def describe(self, error: Exception, seconds: float) -> str:
        """What kept a response from arriving, with the host it was expected from."""
        import httpx

        host = self.endpoint.host
        match error:
            case httpx.ConnectTimeout():
                return f"{host} does not take a connection within {self.connect_seconds:g} s"
            case TimeoutError() | httpx.TimeoutException():
                return f"{host} does not answer within {seconds:g} s"
            case httpx.ConnectError():
                return f"no connection to {host}: {error}"
            case _:
                return f"{host} broke the connection off: {str(error) or type(error).__name__}"


def load_httpx() -> None:
    """Import httpx without its command line, which takes longer to load than all that we use.

    That is what httpx itself does where the libraries of its command line are not installed.
    """
    if "httpx" not in sys.modules:
        command_line = "httpx._main"
        sys.modules[command_line] = cast(ModuleType, None)
        try:
            import httpx  # noqa: F401
        finally:
            del sys.modules[command_line]


def mask_reply(endpoint: Endpoint, reply: httpx.Response) -> httpx.Response:
    """A response, read to its end, without the key, which some servers repeat anywhere in it."""
    import httpx

    content = endpoint.mask_bytes(reply.content)
    headers = [(name, endpoint.mask(value)) for name, value in reply.headers.multi_items()]
    # The content is unpacked by now.
    packing = ("content-encoding", "content-length", "transfer-encoding")
    return httpx.Response(
        reply.status_code,
        headers=[(name, value) for name, value in headers if name.lower() not in packing],
        content=content,
        request=reply.request,
    )


def decode(reply: httpx.Response) -> Any:
    """The JSON of a response.

    Raises:
        UnreadableResponseError: there is none.
    """
    try:
        return decode_json(reply.content)
    except ValueError as error:
        kind = reply.headers.get("content-type", "no content type")
        raise unreadable(reply, f"is no JSON ({kind}, {len(reply.content)} bytes)") from error


def unreadable(reply: httpx.Response, reason: str) -> UnreadableResponseError:
    """The error for a success that can't be made use of."""
    status = reply.status_code
    return UnreadableResponseError(
        f"status {status}, but the body {reason}",
        status=status,
        request_id=reply.headers.get("request-id"),
    )
