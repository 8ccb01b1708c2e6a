"""Input tokens are counted by the endpoint, from what it takes for counting."""

from __future__ import annotations

import json
from typing import Any

import pytest

from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint
from evalkit.api.tokens import count_tokens
from evalkit.errors import InvalidRequestError, NotFoundError, UnreadableResponseError
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import endpoint_of
from tests.test_client import BODY, http_response, raw_server, using


def count(endpoint: Endpoint, body: dict[str, Any] = BODY) -> int:
    """Count the tokens of a body."""
    return using(endpoint, lambda client: count_tokens(client, body))


def test_the_count_is_the_one_that_the_request_has() -> None:
    async def use(client: MessagesClient) -> tuple[int, int | None]:
        return await count_tokens(client, BODY), (await client.send(BODY)).usage.input_tokens

    with MessagesServer() as server:
        counted, read = using(endpoint_of(server), use)
    assert counted == read
    assert counted > 0


def test_what_does_not_change_the_input_is_left_out() -> None:
    counted = {
        "model": "claude-haiku-4-5",
        "system": "Answer with one letter.",
        "messages": [{"role": "user", "content": "Which? (A) x (B) y"}],
        "tools": [{"name": "answer", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "disabled"},
    }
    ignored = {
        "max_tokens": 1,
        "stop_sequences": [")"],
        "temperature": 0.0,
        "top_p": 0.5,
        "top_k": 3,
        "metadata": {"user_id": "me"},
        "stream": False,
        "service_tier": "auto",
    }
    body = ignored | counted
    with MessagesServer() as server:  # it refuses them, as the API does
        assert count(endpoint_of(server), body) > 0
        [record] = server.requests
    assert (record.path, record.body) == ("/v1/messages/count_tokens", counted)
    assert ignored.keys() <= body.keys()


def test_an_unknown_model_is_one_clear_line() -> None:
    with MessagesServer() as server, pytest.raises(NotFoundError) as caught:
        count(endpoint_of(server), {**BODY, "model": "claude-nope"})
    assert "has no model 'claude-nope', or doesn't count tokens: model: claude-nope" in str(
        caught.value
    )


def test_what_the_endpoint_refuses_is_a_typed_error() -> None:
    with MessagesServer() as server, pytest.raises(InvalidRequestError):
        count(endpoint_of(server), {**BODY, "messages": []})


@pytest.mark.parametrize(
    "body", [{}, {"input_tokens": None}, {"input_tokens": "14"}, {"input_tokens": -1}, [14]]
)
def test_what_is_no_count_is_unreadable(body: object) -> None:
    reply = http_response("200 OK", json.dumps(body).encode())
    with raw_server(reply) as address, pytest.raises(UnreadableResponseError):
        count(Endpoint(base_url=address))


def test_nothing_more_than_the_count_is_read() -> None:
    reply = http_response("200 OK", b'{"input_tokens": 14, "context_management": null}')
    with raw_server(reply) as address:
        assert count(Endpoint(base_url=address)) == 14
