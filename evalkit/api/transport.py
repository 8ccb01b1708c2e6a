"""httpx's requests and responses over aiohttp's connections, hundreds of which it handles cheaply.

httpx's own pool walks all its connections for each request, and hands an idle one to several
waiters: from some 32 connections on, that costs more than everything else together.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache, partial
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
import yarl
from multidict import CIMultiDict

from evalkit.api.client import FRESH, WHOLE
from evalkit.errors import UsageError

IDLE_SECONDS = 30.0
"""How long a connection is kept that nobody uses, as while a rate limit is waited for."""

CHUNK_BYTES = 65_536

LARGE_BYTES = 1_000_000
"""Longer bodies are not sent in one go, which would hold up the event loop."""


class AiohttpTransport(httpx.AsyncBaseTransport):
    """A pool of connections for requests to one base URL; made within an event loop.

    Each error becomes the one that httpx itself would have raised. The difference between a
    connection that never came about (`ConnectError`, `ConnectTimeout`) and one that broke off
    matters: only after the first is it certain that a request has had no effect.

    Args:
        base_url: decides whether certificates are needed, and which proxy.
        connections: how many may be open at once; as many again for requests that want a new one.
        connect_seconds: how long opening one may take.
        trust_env: whether the environment may name a proxy and certificates.

    Raises:
        UsageError: the proxy that the environment names is none that can be used.
    """

    def __init__(
        self, base_url: str, connections: int, *, connect_seconds: float, trust_env: bool
    ) -> None:
        # Loading certificates takes longer than a short run; plain HTTP needs none.
        secure: ssl.SSLContext | bool = True
        if base_url.startswith("https:"):
            secure = httpx.create_ssl_context(trust_env=trust_env)
        # Not by `trust_env`, which would look up a password in ~/.netrc for each request.
        proxy = find_proxy(base_url) if trust_env else None
        connector = partial(aiohttp.TCPConnector, limit=connections, ssl=secure)
        session = partial(
            aiohttp.ClientSession,
            # Who asks sets the time for all of it: aiohttp's limits would end large uploads.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            # httpx unpacks what comes back, by the header that it has sent.
            auto_decompress=False,
            proxy=proxy,
        )
        self._session = session(connector=connector(keepalive_timeout=IDLE_SECONDS))
        self._fresh_session = session(connector=connector(force_close=True))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the body of the response is read by whoever wants it.

        Raises:
            httpx.TransportError: no response came.
        """
        session = self._fresh_session if FRESH in request.extensions else self._session
        with as_httpx_errors():
            reply = await session.request(
                request.method,
                parse_url(str(request.url)),
                headers=CIMultiDict(request.headers.multi_items()),
                data=as_payload(await request.aread()),
                allow_redirects=False,
            )
            is_plain = "content-encoding" not in reply.headers
            # Two steps less than a stream that httpx puts together again.
            whole = await reply.read() if is_plain and WHOLE in request.extensions else None
        return httpx.Response(
            reply.status,
            headers=reply.raw_headers,
            content=whole,
            stream=Body(reply) if whole is None else None,
            request=request,
            extensions={"reason_phrase": (reply.reason or "").encode("ascii", "replace")},
        )

    async def aclose(self) -> None:
        """Close all connections."""
        try:
            await self._session.close()
        finally:
            await self._fresh_session.close()


@lru_cache(maxsize=1000)
def parse_url(url: str) -> yarl.URL:
    """An address as it stands: aiohttp would write some escaped characters plainly."""
    return yarl.URL(url, encoded=True)


def as_payload(content: bytes) -> bytes | io.BytesIO | None:
    """A body for aiohttp, which sends a large one piece by piece only if it is a file."""
    return io.BytesIO(content) if len(content) > LARGE_BYTES else content or None


class Body(httpx.AsyncByteStream):
    """The body of a response, as it arrives."""

    def __init__(self, reply: aiohttp.ClientResponse) -> None:
        self._reply = reply

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with as_httpx_errors():
            async for chunk in self._reply.content.iter_chunked(CHUNK_BYTES):
                yield chunk

    async def aclose(self) -> None:
        """Give the connection back; if the body was not read to its end, close it."""
        self._reply.release()


def find_proxy(base_url: str) -> str | None:
    """The proxy that the environment names for an address; None: there is none.

    Raises:
        UsageError: it is none that aiohttp can use.
    """
    parts = urlsplit(base_url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    kind = proxy.partition("://")[0].lower()
    if kind not in ("http", "https"):
        raise UsageError(
            f"the environment names a proxy of the kind {kind}://, which can't be used; name one "
            "of http://, or set NO_PROXY for this host"
        )
    try:
        is_address = yarl.URL(proxy).host
    except ValueError:
        is_address = None
    if not is_address:
        # It may hold a password, and is not repeated.
        raise UsageError(
            "the proxy that the environment names is no address such as http://127.0.0.1:8080"
        )
    return proxy


@contextlib.contextmanager
def as_httpx_errors() -> Iterator[None]:
    """Turn aiohttp's errors into httpx's."""
    try:
        yield
    except aiohttp.ClientError as error:
        raise translate(error) from error


def translate(error: aiohttp.ClientError) -> httpx.HTTPError | httpx.InvalidURL:
    """The httpx error for one of aiohttp's."""
    text = str(error) or type(error).__name__
    match error:
        case aiohttp.ConnectionTimeoutError():
            return httpx.ConnectTimeout(text)
        case aiohttp.ServerTimeoutError():
            return httpx.ReadTimeout(text)
        # Before the errors of which they are kinds: these arise while a connection is made.
        case aiohttp.ClientConnectorCertificateError():
            return httpx.ConnectError(str(error.certificate_error))
        case aiohttp.ClientConnectorError():
            return httpx.ConnectError(describe_os_error(error.os_error))
        # Its own words hold the proxy's address, perhaps with a password.
        case aiohttp.ClientHttpProxyError():
            return httpx.ProxyError(f"the proxy answers {error.status} {error.message}")
        case aiohttp.InvalidURL():
            return httpx.UnsupportedProtocol("the address can't be used")
        case aiohttp.ClientOSError():
            return httpx.ReadError(describe_os_error(error))
        case aiohttp.ClientPayloadError():
            return httpx.RemoteProtocolError("the response ended too early")
        # Their own words are several lines, and repeat what came.
        case aiohttp.ServerDisconnectedError():
            return httpx.RemoteProtocolError("Server disconnected")
        case aiohttp.ClientResponseError():
            reason = error.message.partition(":")[0]
            return httpx.RemoteProtocolError(f"what came is no HTTP ({reason})")
        case _:
            return httpx.RemoteProtocolError(text)


def describe_os_error(error: OSError) -> str:
    """The system's own words; asyncio puts an address in their place."""
    # Names and certificates have numbers of their own for what goes wrong.
    is_system = not isinstance(error, socket.gaierror | ssl.SSLError)
    if is_system and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or str(error) or "broken off at once"
