"""The test server caches prompts by their prefixes, from the length that each model asks for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from evalkit.testing.messages_caching import CacheUse, PromptCache, least_cacheable_tokens
from evalkit.testing.messages_models import MODELS, Json, find_model
from evalkit.testing.messages_rules import OLD_VERSION
from evalkit.testing.messages_server import MessagesServer

HEADERS = {"x-api-key": "test-key", "anthropic-version": OLD_VERSION}
SHORT: Json = {"type": "ephemeral"}
LONG: Json = {"type": "ephemeral", "ttl": "1h"}
MODEL = "claude-sonnet-4-6"
"""Its prefixes are cached from 1,024 tokens on, its texts counted without a factor."""


def text(words: int, control: Json | None = None, word: str = "ant") -> Json:
    block: Json = {"type": "text", "text": " ".join([word] * words)}
    return block if control is None else {**block, "cache_control": control}


def tool(words: int, control: Json | None = None) -> Json:
    made: Json = {
        "name": "answer",
        "description": "ant " * words,
        "input_schema": {"type": "object"},
    }
    return made if control is None else {**made, "cache_control": control}


def user(*blocks: Json) -> Json:
    return {"role": "user", "content": list(blocks)}


def asking(*messages: Json, system: list[Json] | None = None, **fields: object) -> Json:
    turns = list(messages) or [user(text(5))]
    body: Json = {"model": MODEL, "max_tokens": 5, "messages": turns}
    return body | ({} if system is None else {"system": system}) | fields


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer() as opened:
        yield opened


def post(server: MessagesServer, body: Json, path: str = "") -> httpx.Response:
    url = f"{server.base_url}/v1/messages{path}"
    return httpx.post(url, json=body, headers=HEADERS, trust_env=False)


def counts(server: MessagesServer, body: Json) -> tuple[int, int, int]:
    """The tokens read from the cache, written to it, and neither."""
    response = post(server, body)
    assert response.status_code == 200, response.text
    usage = response.json()["usage"]
    created = usage["cache_creation"]
    written = usage["cache_creation_input_tokens"]
    assert sum(created.values()) == written
    body = {name: value for name, value in body.items() if name != "max_tokens"}
    counted = post(server, body, "/count_tokens").json()["input_tokens"]
    total = usage["cache_read_input_tokens"] + written + usage["input_tokens"]
    assert total == counted
    return usage["cache_read_input_tokens"], written, usage["input_tokens"]


def test_the_second_request_reads_what_the_first_has_written(server: MessagesServer) -> None:
    system = [text(1100, SHORT)]
    assert counts(server, asking(system=system)) == (0, 1100, 7)
    assert counts(server, asking(user(text(9)), system=system)) == (1100, 0, 11)


@pytest.mark.parametrize(
    "changed",
    [
        asking(system=[text(1100, SHORT, word="bee")]),
        asking(system=[text(1101, SHORT)]),
        asking(system=[text(1100, SHORT)], model="claude-opus-4-8"),
        asking(system=[text(1100, SHORT)], tools=[tool(1)]),
        asking(
            system=[text(1100, SHORT)],
            output_config={
                "format": {
                    "type": "json_schema",
                    "schema": {"type": "object", "additionalProperties": False},
                }
            },
        ),
    ],
)
def test_another_prefix_is_not_read(server: MessagesServer, changed: Json) -> None:
    counts(server, asking(system=[text(1100, SHORT)]))
    read, written, _ = counts(server, changed)
    assert (read, written >= 1100) == (0, True)


@pytest.mark.parametrize(
    "body",
    [
        asking(user(text(1100, SHORT), text(5))),
        asking(user(text(1100), text(5)), cache_control=SHORT),
        asking(tools=[tool(1100, SHORT)]),
        asking(tools=[tool(1100)], system=[text(5, SHORT)]),
        asking(user(text(600)), {"role": "assistant", "content": "Yes."}, user(text(600, SHORT))),
    ],
)
def test_a_breakpoint_can_stand_anywhere(server: MessagesServer, body: Json) -> None:
    read, written, rest = counts(server, body)
    assert (read, written > 1100) == (0, True)
    assert counts(server, body) == (written, 0, rest)


def test_a_conversation_reads_its_own_beginning(server: MessagesServer) -> None:
    turns = [user(text(1100))]
    read, written, _ = counts(server, asking(*turns, cache_control=SHORT))
    assert (read, written) == (0, 1102)
    turns += [{"role": "assistant", "content": "Yes."}, user(text(50))]
    read, written, rest = counts(server, asking(*turns, cache_control=SHORT))
    assert (read, rest) == (1102, 0)
    assert 50 < written < 60
    far = asking(*turns, *(user(text(2)) for _ in range(25)), cache_control=SHORT)
    assert counts(server, far)[0] == 0


def test_nothing_is_read_without_a_breakpoint_or_below_the_minimum(server: MessagesServer) -> None:
    for body in (asking(system=[text(1100)]), asking(system=[text(1023, SHORT)])):
        for _ in range(2):
            assert counts(server, body)[:2] == (0, 0)
    assert counts(server, asking(system=[text(1024, SHORT)]))[:2] == (0, 1024)


def test_several_breakpoints_are_written_each_for_its_time(server: MessagesServer) -> None:
    body = asking(user(text(300, SHORT), text(5)), system=[text(1100, LONG), text(200, LONG)])
    usage = post(server, body).json()["usage"]
    assert usage["cache_creation"] == {
        "ephemeral_1h_input_tokens": 1300,
        "ephemeral_5m_input_tokens": 302,
    }
    assert counts(server, asking(system=[text(1100, SHORT)])) == (1100, 0, 7)
    assert counts(server, body) == (1602, 0, 5)


def test_only_what_was_finished_before_is_read() -> None:
    body = asking(system=[text(1100, SHORT)])
    with (
        MessagesServer(latency_seconds=0.3) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(post, server, body)
        time.sleep(0.1)
        second = pool.submit(post, server, body)
        usages = [future.result().json()["usage"] for future in (first, second)]
        third = post(server, body).json()["usage"]
    assert [usage["cache_creation_input_tokens"] for usage in usages] == [1100, 1100]
    assert third["cache_read_input_tokens"] == 1100


def test_a_refused_request_leaves_nothing(server: MessagesServer) -> None:
    body = asking(system=[text(1100, SHORT)])
    assert post(server, body | {"temperature": 2}).status_code == 400
    assert counts(server, body)[:2] == (0, 1100)


def test_a_request_in_a_batch_reads_what_was_there_before_the_batch(server: MessagesServer) -> None:
    body = asking(system=[text(1100, SHORT)])
    requests = [{"custom_id": name, "params": body} for name in ("a", "b")]
    created = []
    for _ in range(2):
        post(server, {"requests": requests}, "/batches")
        batch = server.batches[-1]
        httpx.get(
            f"{server.base_url}/v1/messages/batches/{batch.id}", headers=HEADERS, trust_env=False
        )
        created.append([line["result"]["message"]["usage"] for line in batch.results])
    assert [[usage["cache_read_input_tokens"] for usage in usages] for usages in created] == [
        [0, 0],
        [1100, 1100],
    ]


@pytest.mark.parametrize(
    ("control", "later", "read"),
    [(SHORT, 299.0, 1100), (SHORT, 301.0, 0), (LONG, 3599.0, 1100), (LONG, 3601.0, 0)],
)
def test_a_prefix_lives_as_long_as_it_was_asked_to(control: Json, later: float, read: int) -> None:
    model, cache = find_model(MODEL), PromptCache()
    assert model is not None
    body = asking(system=[text(1100, control)])
    cache.use(body, model, arrived=0.0, finished=10.0)
    used = cache.use(body, model, arrived=10.0 + later, finished=20.0 + later)
    assert (used.read, used.written_5m + used.written_1h) == (read, 1100 - read)


def test_each_use_lengthens_the_life() -> None:
    model, cache = find_model(MODEL), PromptCache()
    assert model is not None
    body = asking(system=[text(1100, SHORT)])
    for arrived in (0.0, 250.0, 500.0, 750.0):
        used = cache.use(body, model, arrived=arrived, finished=arrived)
        assert used == (CacheUse(read=1100) if arrived else CacheUse(written_5m=1100))


def test_the_minimums_of_the_models() -> None:
    minimums = {model.alias: least_cacheable_tokens(model) for model in MODELS}
    expected = {
        4096: {"claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-6"},
        2048: {"claude-opus-4-7"},
        1024: {"claude-opus-4-8", "claude-sonnet-4-5", "claude-sonnet-4-6", "claude-sonnet-5"},
    }
    for minimum, names in expected.items():
        assert {name for name, value in minimums.items() if value == minimum} == names
    assert set(minimums.values()) == {512, *expected}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (asking(system=[text(1, SHORT)] * 4), None),
        (asking(system=[text(1, LONG), text(1, SHORT)]), None),
        (asking(system=[text(1, SHORT)] * 5), "A maximum of 4 blocks with cache_control may be"),
        (
            asking(user(text(1, SHORT)), system=[text(1, SHORT)] * 3, tools=[tool(1, SHORT)]),
            "may be provided. Found 5.",
        ),
        (asking(system=[text(1, SHORT)] * 4, cache_control=SHORT), "Found 5."),
        (asking(system=[text(1, SHORT), text(1, LONG)]), "a ttl='1h' cache_control block must not"),
        (asking(system=[text(1, SHORT)], cache_control=LONG), "must not come after"),
        (asking(cache_control={"type": "lasting"}), "cache_control.type: Input should be 'ephem"),
        (
            asking(cache_control={**SHORT, "ttl": "1d"}),
            "cache_control.ttl: Input should be '5m' or",
        ),
        (
            asking(user(text(1), text(1, {**SHORT, "scope": "all"}))),
            "messages.0.content.1.cache_control.scope: Extra inputs are not permitted",
        ),
        (asking(tools=[tool(1, {})]), "tools.0.cache_control.type: Input should be"),
    ],
)
def test_breakpoints_keep_the_rules(
    server: MessagesServer, body: Json, problem: str | None
) -> None:
    for asked, path in ((body, ""), ({**body, "max_tokens": None}, "/count_tokens")):
        asked = {name: value for name, value in asked.items() if value is not None}
        response = post(server, asked, path)
        assert response.status_code == (200 if problem is None else 400)
        assert problem is None or problem in response.json()["error"]["message"]
