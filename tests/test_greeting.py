"""Whether an endpoint answers is found out by one request that asks no model anything."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from evalkit.api.endpoint import Endpoint
from evalkit.api.greeting import greet
from evalkit.errors import ConnectionFailedError
from evalkit.testing.messages_faults import Fault
from evalkit.testing.messages_server import MessagesServer


def test_a_greeting_is_one_free_request_and_tells_the_time() -> None:
    with MessagesServer() as server:
        endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        found = asyncio.run(greet(endpoint))
        assert [request.path for request in server.requests] == ["/v1/models"]
    assert found.is_at_home and not found.refuses_key
    assert found.server_time is not None
    assert abs((datetime.now(UTC) - found.server_time).total_seconds()) < 30


@pytest.mark.parametrize(
    ("status", "at_home", "refused"),
    [
        *[(200, True, False), (404, True, False), (401, False, True), (403, False, True)],
        *[(301, False, False), (400, False, False), (500, False, False), (529, False, False)],
    ],
)
def test_every_status_is_an_answer(status: int, at_home: bool, refused: bool) -> None:
    fault = Fault(manner="page", status=status, content=b"<html>")
    with MessagesServer(faults=lambda _: fault) as server:
        found = asyncio.run(greet(Endpoint(base_url=server.base_url, api_key=server.key)))
    assert (found.status, found.is_at_home, found.refuses_key) == (status, at_home, refused)


@pytest.mark.parametrize("manner", ["hang", "reset"])
def test_no_answer_is_an_error_in_time(manner: str) -> None:
    fault = Fault(manner="hang" if manner == "hang" else "reset")
    with MessagesServer(faults=lambda _: fault) as server:
        endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        with pytest.raises(ConnectionFailedError) as caught:
            asyncio.run(greet(endpoint, seconds=0.3))
    assert server.key not in str(caught.value)


def test_a_refused_connection_is_an_error() -> None:
    with pytest.raises(ConnectionFailedError, match=r"no connection to 127.0.0.1:9"):
        asyncio.run(greet(Endpoint(base_url="http://127.0.0.1:9")))
