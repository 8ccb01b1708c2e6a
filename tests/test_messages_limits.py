"""The test server limits requests truthfully, hides prompts, and spells letters as it likes."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import httpx
import pytest

from evalkit.testing.messages_limits import RequestBucket
from evalkit.testing.messages_models import Json
from evalkit.testing.messages_replies import Reply, key_answers
from evalkit.testing.messages_rules import OLD_VERSION
from evalkit.testing.messages_server import MessagesServer

ASKED: Json = {
    "model": "claude-opus-5",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": "Which flies?\n(A) Ant\n(B) Bee"}],
}
SCHEMA: Json = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["A", "B"]}},
    "required": ["answer"],
    "additionalProperties": False,
}
FORMAT: Json = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
TOOL: Json = {"tools": [{"name": "answer", "input_schema": SCHEMA}]}
FORCED: Json = TOOL | {"tool_choice": {"type": "any"}}
KEY = key_answers({"Which flies?": "Bee"})


def post(server: MessagesServer, path: str = "", **fields: object) -> httpx.Response:
    headers = {"x-api-key": server.key, "anthropic-version": OLD_VERSION}
    body = {name: value for name, value in (ASKED | fields).items() if value is not None}
    url = f"{server.base_url}/v1/messages{path}"
    return httpx.post(url, json=body, headers=headers, trust_env=False)


# Requests a minute


def test_requests_beyond_the_limit_wait_as_long_as_they_are_told() -> None:
    with MessagesServer(requests_per_minute=60, request_burst=3) as server:
        responses = [post(server) for _ in range(4)]
        counted = post(server, "/count_tokens", max_tokens=None)
        wait_seconds = int(responses[-1].headers["retry-after"])
        time.sleep(wait_seconds)
        again = post(server)
    assert [response.status_code for response in responses] == [200, 200, 200, 429]
    assert responses[-1].json()["error"]["type"] == "rate_limit_error"
    assert (wait_seconds, again.status_code, counted.status_code) == (1, 200, 200)
    start = "anthropic-ratelimit-requests"
    assert {response.headers[f"{start}-limit"] for response in responses} == {"60"}
    left = [response.headers[f"{start}-remaining"] for response in responses]
    assert left == ["2", "1", "0", "0"]
    reset = datetime.fromisoformat(responses[-1].headers[f"{start}-reset"])
    assert 0 < (reset - datetime.now(UTC)).total_seconds() + wait_seconds < 4
    assert "anthropic-ratelimit-requests-limit" not in counted.headers


def test_without_a_limit_nothing_is_refused() -> None:
    with MessagesServer() as server:
        assert {post(server).status_code for _ in range(5)} == {200}


def test_a_bucket_grows_back_steadily() -> None:
    bucket = RequestBucket(per_minute=120, size=2)
    assert [bucket.take(0.0) for _ in range(3)] == [0.0, 0.0, 0.5]
    assert (bucket.left, bucket.seconds_to_full) == (0, 1.0)
    assert bucket.take(0.25) == 0.25
    assert bucket.take(0.5) == 0.0
    assert [bucket.take(60.0) for _ in range(3)] == [0.0, 0.0, 0.5]


# Hidden prompts


@pytest.mark.parametrize(("fields", "least"), [(FORMAT, 60), (TOOL, 200), (FORCED, 200)])
def test_a_schema_and_tools_bring_a_hidden_prompt(fields: Json, least: int) -> None:
    with MessagesServer(answer=KEY) as server:
        costs = []
        for more in ({}, fields):
            counted = post(server, "/count_tokens", max_tokens=None, **more).json()
            message = post(server, **more).json()
            assert message["usage"]["input_tokens"] == counted["input_tokens"]
            costs.append(counted["input_tokens"])
    assert least < costs[1] - costs[0] < 2 * least + 100


# Casing


@pytest.mark.parametrize(
    ("fields", "text"),
    [(FORMAT, '{"answer":"b"}'), (FORCED, {"answer": "b"}), ({}, "B"), (TOOL, "B")],
)
def test_the_case_of_a_bound_letter_can_be_odd(fields: Json, text: object) -> None:
    with MessagesServer(answer=KEY, odd_casing=True) as server:
        (block,) = post(server, **fields).json()["content"]
    assert (block["input"] if block["type"] == "tool_use" else block["text"]) == text


def test_one_reply_can_have_an_odd_case() -> None:
    with MessagesServer(answer=lambda body: Reply(letter="b")) as server:
        (block,) = post(server, **FORMAT).json()["content"]
    assert json.loads(block["text"]) == {"answer": "b"}


# Zero retention


@pytest.mark.parametrize(
    ("model", "status"),
    [("claude-fable-5", 400), ("claude-mythos-5-2", 400), ("claude-opus-5-5", 200)],
)
def test_without_retention_there_are_no_fable_and_mythos(model: str, status: int) -> None:
    with MessagesServer(zero_retention=True) as server:
        responses = [
            post(server, model=model),
            post(server, "/count_tokens", model=model, max_tokens=None),
        ]
    for response in responses:
        assert response.status_code == status
        assert ("zero data retention" in response.text) == (status == 400)
