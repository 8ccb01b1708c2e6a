"""Whether an endpoint answers at all, without asking a model anything."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from evalkit.api.client import MessagesClient, load_httpx
from evalkit.api.endpoint import Endpoint
from evalkit.errors import ConnectionFailedError

GREETED = "/v1/models"
"""Free of charge, and the same for every key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What an endpoint said to a request for its list of models, of which nothing is read."""

    status: int
    """The HTTP status, whatever it is."""
    server_time: datetime | None
    """Its header `Date`; None where there is none that can be read."""

    @property
    def refuses_key(self) -> bool:
        """Whether it wants a key, or another one."""
        return self.status in (401, 403)

    @property
    def is_at_home(self) -> bool:
        """Whether it answers; servers of other makes need not have a list of models."""
        return 200 <= self.status < 300 or self.status in (404, 405)


async def greet(endpoint: Endpoint, *, seconds: float = 10.0) -> Greeting:
    """Make one request, with the key if there is one.

    Args:
        endpoint: whom to ask.
        seconds: how long connection and answer may take together, more than 0.

    Raises:
        ConnectionFailedError: no answer came.
        UsageError: the address, or a proxy that the environment names, can't be used.
    """
    load_httpx()
    import httpx

    from evalkit.api.transport import AiohttpTransport

    # For its words about what went wrong; to its own requests, a status of 401 is no answer.
    client = MessagesClient(endpoint, 1, connect_seconds=seconds)
    try:
        request = httpx.Request("GET", f"{endpoint.base_url}{GREETED}", headers=endpoint.headers())
        async with AiohttpTransport(
            endpoint.base_url, 1, connect_seconds=seconds, trust_env=not endpoint.is_loopback
        ) as transport:
            async with asyncio.timeout(seconds):
                reply = await transport.handle_async_request(request)
            await reply.aclose()
    except (httpx.HTTPError, TimeoutError) as error:
        raise ConnectionFailedError(endpoint.mask(client.describe(error, seconds))) from error
    return Greeting(
        status=reply.status_code, server_time=parse_server_time(reply.headers.get("date"))
    )


def parse_server_time(text: str | None) -> datetime | None:
    """The time of a header `Date`, in UTC; None if it is none.

    Example:
        >>> parse_server_time("Sat, 28 Nov 2026 20:31:16 GMT")
        datetime.datetime(2026, 11, 28, 20, 31, 16, tzinfo=datetime.timezone.utc)
        >>> parse_server_time("yesterday") is None
        True
    """
    try:
        time = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
