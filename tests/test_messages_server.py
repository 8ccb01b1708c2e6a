"""The test server keeps the documented rules, deviates and fails only as it is told to."""

from __future__ import annotations

import base64
import contextlib
import gc
import json
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import anthropic
import httpx
import pytest

from evalkit.testing.messages_faults import (
    Fault,
    at_random,
    bad_gateway,
    connection_reset,
    cut_in_half,
    either,
    empty_body,
    first_attempts,
    from_message_on,
    hang,
    overloaded,
    page_too_large,
    rate_limited,
    server_error,
    slow,
    spend_limit_reached,
    timed_out,
    unauthorized,
    web_page,
)
from evalkit.testing.messages_model_rules import NO_FORCED_TOOL, NO_PREFILL, TRAILING_WHITESPACE
from evalkit.testing.messages_models import MODELS, Json
from evalkit.testing.messages_replies import Reply, by_model, key_answers, options_of
from evalkit.testing.messages_rules import NEW_VERSION, OLD_VERSION
from evalkit.testing.messages_server import MessagesServer

ANT = "What is latin for Ant?\n\n(A) Apoidea\n(B) Rhopalocera\n(C) Formicidae"
PREFILL = "The answer is ("
KEY = key_answers({"What is latin for Ant?": "Formicidae"})
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["A", "B", "C"]}},
    "required": ["answer"],
    "additionalProperties": False,
}
FORMAT = {"format": {"type": "json_schema", "schema": SCHEMA}}
TOOL = {"name": "answer", "input_schema": SCHEMA, "strict": True}
FORCED: Json = {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "answer"}}
ENABLED = {"type": "enabled", "budget_tokens": 1024}
NOT_FORCED: Json = {"tools": [TOOL], "tool_choice": {"type": "auto"}}
DOT_GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
HEADERS = {"x-api-key": "test-key", "anthropic-version": OLD_VERSION}
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NEW_HEADERS = HEADERS | {"anthropic-version": NEW_VERSION}


def user(content: object = ANT) -> Json:
    return {"role": "user", "content": content}


def assistant(content: object = PREFILL) -> Json:
    return {"role": "assistant", "content": content}


def request_body(*, prefill: str | None = None, **fields: object) -> Json:
    """A request that is right for claude-haiku-4-5, but for the fields given."""
    messages = [user()] if prefill is None else [user(), assistant(prefill)]
    body: Json = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": messages}
    return body | fields


def post(
    server: MessagesServer, body: Json, path: str = "", headers: dict[str, str] = HEADERS
) -> httpx.Response:
    url = f"{server.base_url}/v1/messages{path}"
    # Without a context of its own, each call would load the machine's certificates anew.
    return httpx.post(url, json=body, headers=headers, timeout=5, trust_env=False, verify=NO_TLS)


def ask(server: MessagesServer, *, prefill: str | None = None, **fields: object) -> Json:
    response = post(server, request_body(prefill=prefill, **fields))
    assert response.status_code == 200, response.text
    message: Json = response.json()
    return message


def words(message: Json) -> str:
    return "".join(block["text"] for block in message["content"] if block["type"] == "text")


def sdk(server: MessagesServer, max_retries: int = 0) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        api_key=server.key, base_url=server.base_url, max_retries=max_retries
    )


@pytest.fixture(scope="module")
def official() -> Iterator[MessagesServer]:
    with MessagesServer(answer=KEY) as server:
        yield server


# The official SDK


@pytest.fixture
def client(official: MessagesServer) -> Iterator[anthropic.Anthropic]:
    with sdk(official) as opened:
        yield opened


def test_sdk_reads_a_letter_after_a_prefill(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model="claude-haiku-4-5",
        max_tokens=1,
        messages=[{"role": "user", "content": ANT}, {"role": "assistant", "content": PREFILL}],
    )
    assert [block.model_dump(exclude_none=True) for block in message.content] == [
        {"type": "text", "text": "C"}
    ]
    assert message.stop_reason == "max_tokens"
    assert message.model == "claude-haiku-4-5-20251001"
    assert (message.usage.output_tokens, message.usage.service_tier) == (1, "standard")
    assert message._request_id is not None
    assert message._request_id.startswith("req_")


def test_sdk_counts_the_tokens_that_a_message_then_costs(client: anthropic.Anthropic) -> None:
    messages: list[anthropic.types.MessageParam] = [{"role": "user", "content": ANT}]
    old = client.messages.count_tokens(model="claude-haiku-4-5", messages=messages)
    new = client.messages.count_tokens(model="claude-opus-5", messages=messages)
    message = client.messages.create(model="claude-haiku-4-5", max_tokens=9, messages=messages)
    assert message.usage.input_tokens == old.input_tokens
    assert new.input_tokens == pytest.approx(1.3 * old.input_tokens, abs=1)


def test_sdk_pages_through_the_models(client: anthropic.Anthropic) -> None:
    listed = list(client.models.list(limit=4))
    assert sorted(model.id for model in listed) == sorted(model.id for model in MODELS)
    assert listed == sorted(listed, key=lambda model: model.created_at, reverse=True)


def test_sdk_retrieves_a_model_by_its_alias(client: anthropic.Anthropic) -> None:
    model = client.models.retrieve("claude-sonnet-4-5")
    assert (model.id, model.display_name) == ("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5")
    assert (model.lifecycle, model.line, model.max_tokens) == ("deprecated", "sonnet", 64_000)
    assert model.capabilities is not None
    assert model.capabilities.thinking.types.enabled.supported
    assert not model.capabilities.thinking.types.adaptive.supported
    assert not model.capabilities.effort.supported


def test_models_without_the_newer_fields() -> None:
    with MessagesServer(newer_model_fields=False) as server, sdk(server) as client:
        fields = client.models.retrieve("claude-opus-5").model_dump(exclude_unset=True)
    assert not {"lifecycle", "retires_at", "line"} & fields.keys()
    assert set(fields["capabilities"]["thinking"]["types"]) == {"adaptive", "enabled"}


def create(client: anthropic.Anthropic, *, prefill: str | None = None, **fields: object) -> object:
    return client.messages.create(**request_body(prefill=prefill, **fields))


@pytest.mark.parametrize(
    ("call", "error_class", "text"),
    [
        (
            lambda client: create(client, model="claude-opus-4-6", prefill=PREFILL),
            anthropic.BadRequestError,
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message.",
        ),
        (
            lambda client: create(client.with_options(api_key="other")),
            anthropic.AuthenticationError,
            "Invalid bearer token",
        ),
        (
            lambda client: create(client, model="claude-nope"),
            anthropic.NotFoundError,
            "model: claude-nope",
        ),
        (
            lambda client: client.models.retrieve("claude-nope"),
            anthropic.NotFoundError,
            "model: claude-nope",
        ),
        *(
            (
                lambda client, field=field: create(client, extra_body={field: 1}),
                anthropic.BadRequestError,
                f"{field}: Extra inputs are not permitted",
            )
            for field in ("temperature", "top_p", "top_k")
        ),
    ],
)
def test_sdk_raises_its_typed_error(
    client: anthropic.Anthropic,
    call: Callable[[anthropic.Anthropic], object],
    error_class: type[anthropic.APIStatusError],
    text: str,
) -> None:
    with pytest.raises(error_class) as caught:
        call(client)
    assert caught.value.api_message == text
    assert caught.value.request_id == caught.value.response.json()["request_id"]


def test_sdk_raises_rate_limit_error_with_its_header() -> None:
    with (
        MessagesServer(faults=first_attempts(rate_limited(7))) as server,
        sdk(server) as client,
        pytest.raises(anthropic.RateLimitError) as caught,
    ):
        create(client)
    assert caught.value.response.headers["retry-after"] == "7"


def test_sdk_sets_the_temperature_under_the_old_version(client: anthropic.Anthropic) -> None:
    old = client.with_options(default_headers={"anthropic-version": OLD_VERSION})
    assert create(old, extra_body={"temperature": 0})


def test_sdk_gets_through_a_fault_by_its_own_retries() -> None:
    plan = first_attempts(rate_limited(None, retry_after_ms=1), attempts=2)
    with MessagesServer(faults=plan) as server, sdk(server, max_retries=2) as client:
        create(client)
    assert [record.attempt for record in server.requests] == [1, 2, 3]
    assert (server.count(429), server.count(200), server.answered_again) == (2, 1, 0)


# What the model says


@pytest.mark.parametrize(
    ("fields", "text", "stop_reason", "output_tokens"),
    [
        ({"prefill": PREFILL, "max_tokens": 1}, "C", "max_tokens", 1),
        ({"prefill": PREFILL, "max_tokens": 5}, "C)", "end_turn", 2),
        ({"prefill": PREFILL, "stop_sequences": [")"]}, "C", "stop_sequence", 2),
        ({"prefill": PREFILL, "max_tokens": 1, "stop_sequences": [")"]}, "C", "max_tokens", 1),
        ({"prefill": "Answer:", "max_tokens": 1}, " C", "max_tokens", 1),
        ({"prefill": PREFILL, "max_tokens": 0}, "", "max_tokens", 0),
        ({}, "I say (C).", "end_turn", 6),
        ({"max_tokens": 3}, "I say (", "max_tokens", 3),
        ({"max_tokens": 6}, "I say (C).", "max_tokens", 6),
        ({"output_config": FORMAT}, '{"answer":"C"}', "end_turn", 9),
        ({"output_config": FORMAT, "max_tokens": 2}, '{"', "max_tokens", 2),
    ],
)
def test_a_letter_is_said_as_the_request_asks(
    fields: Json, text: str, stop_reason: str, output_tokens: int
) -> None:
    with MessagesServer(answer=KEY, style="I say ({letter}).") as server:
        message = ask(server, **fields)
    assert words(message) == text
    assert message["content"] == ([{"type": "text", "text": text}] if text else [])
    assert message["stop_reason"] == stop_reason
    assert message["stop_sequence"] == (")" if stop_reason == "stop_sequence" else None)
    assert message["usage"]["output_tokens"] == output_tokens


def test_a_forced_tool_is_called(official: MessagesServer) -> None:
    message = ask(official, **FORCED)
    assert message["stop_reason"] == "tool_use"
    (block,) = message["content"]
    assert (block["type"], block["name"], block["input"]) == ("tool_use", "answer", {"answer": "C"})
    cut = ask(official, **FORCED, max_tokens=2)
    assert (cut["stop_reason"], cut["content"][0]["input"]) == ("max_tokens", {})


@pytest.mark.parametrize(
    ("model", "thinking", "thought"),
    [
        ("claude-opus-5-5", None, ""),
        ("claude-opus-5-5", {"type": "adaptive", "display": "summarized"}, "Ants are Formicidae."),
        ("claude-haiku-4-5", {"type": "enabled", "budget_tokens": 1024}, "Ants are Formicidae."),
        ("claude-haiku-4-5", None, None),
        ("claude-opus-5", {"type": "disabled"}, None),
        ("claude-sonnet-5-5", {"type": "between_tools"}, None),
    ],
)
def test_thoughts_come_before_the_text_where_thinking_is_on(
    model: str, thinking: Json | None, thought: str | None
) -> None:
    fields: Json = {} if thinking is None else {"thinking": thinking}
    answer = key_answers({"Ant": "C"}, thinking="Ants are Formicidae.")
    with MessagesServer(answer=answer) as server:
        message = ask(server, model=model, max_tokens=2048, **fields)
    kinds = [block["type"] for block in message["content"]]
    assert kinds == (["text"] if thought is None else ["thinking", "text"])
    assert words(message) == "C"
    spent = message["usage"]["output_tokens_details"]["thinking_tokens"]
    assert spent == (0 if thought is None else 4)
    assert message["usage"]["output_tokens"] == spent + 1
    if thought is not None:
        assert message["content"][0]["thinking"] == thought


def test_thinking_can_use_up_all_the_tokens() -> None:
    answer = key_answers({"Ant": "C"}, thinking="Let me see what an ant is. " * 9)
    with MessagesServer(answer=answer) as server:
        message = ask(server, model="claude-fable-5", max_tokens=10)
    assert [block["type"] for block in message["content"]] == ["thinking"]
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("max_tokens", 10)


@pytest.mark.parametrize(
    ("reply", "category", "text"),
    [
        (Reply(refusal="bio"), "bio", ""),
        (Reply("I", refusal="cyber"), "cyber", "I"),
        (Reply(stop_reason="refusal"), None, ""),
    ],
)
def test_a_refusal_is_a_message(reply: Reply, category: str | None, text: str) -> None:
    with MessagesServer(answer=lambda body: reply) as server:
        message = ask(server)
    assert (message["stop_reason"], words(message)) == ("refusal", text)
    assert message["stop_details"]["category"] == category
    assert message["usage"]["output_tokens"] == len(text)


def test_a_reply_can_call_a_tool_unforced() -> None:
    reply = Reply(tool_input={"answer": "d"})
    with MessagesServer(answer=lambda body: reply) as server:
        (block,) = ask(server, **NOT_FORCED)["content"]
    assert block["input"] == {"answer": "d"}


def test_a_schema_is_filled_whatever_its_types() -> None:
    letters = {"type": "array", "items": {"enum": ["A", "B", "C"]}}
    parts: Json = {"why": {"type": "string"}, "sure": {"type": "boolean"}, "n": {"const": 7}}
    schema = {**SCHEMA, "properties": {"letters": letters, "other": {"enum": ["x"]}, **parts}}
    config = {"format": {"type": "json_schema", "schema": schema}}
    with MessagesServer(answer=KEY) as server:
        said = json.loads(words(ask(server, output_config=config)))
    assert said == {"letters": ["C"], "other": "x", "why": "C", "sure": True, "n": 7}


def test_a_reply_can_set_everything() -> None:
    reply = Reply("Hm", stop_reason="max_tokens", input_tokens=42, output_tokens=7)
    with MessagesServer(answer=lambda body: reply) as server:
        message = ask(server)
    usage = message["usage"]
    assert (words(message), message["stop_reason"]) == ("Hm", "max_tokens")
    assert (usage["input_tokens"], usage["output_tokens"]) == (42, 7)


def test_the_default_answer_is_an_option_and_always_the_same() -> None:
    with MessagesServer() as server:
        told = {words(ask(server, messages=[user(f"{n}? (A) x (B) y")])) for n in range(20)}
        again = {words(ask(server)) for _ in range(3)}
    assert told == {"A", "B"}
    assert len(again) == 1


def test_a_key_holds_when_choices_are_shuffled() -> None:
    few_shot = "Which insect flies?\nA. Ant\nB. Bee\nAnswer: B\n\n"
    question = few_shot + "Which insect walks?\nA. Bee\nB. Ant"
    answer = key_answers({"Which insect walks?": "Ant", "Which insect flies?": "Bee"})
    assert answer(request_body(messages=[user(question)])).letter == "B"
    assert options_of("Which? (A) Apoidea, (B) Formicidae") == {"A": "Apoidea", "B": "Formicidae"}


def test_a_key_with_mistakes_makes_the_same_ones_every_time() -> None:
    key = {f"Question {number:03}?": "B" for number in range(500)}
    answer = key_answers(key, wrong_share=0.2)
    bodies = [request_body(messages=[user(f"{stem}\n(A) x\n(B) y\n(C) z")]) for stem in key]
    letters = [answer(body).letter for body in bodies]
    assert letters == [answer(body).letter for body in bodies]
    assert set(letters) == {"A", "B", "C"}
    assert 0.15 < 1 - letters.count("B") / len(letters) < 0.25


def test_a_key_that_does_not_fit_the_prompt_is_an_error() -> None:
    with pytest.raises(LookupError, match="Formica"):
        key_answers({"Ant": "Formica"})(request_body())


def test_answers_by_model() -> None:
    answer = by_model({"claude-haiku-4-5": KEY, "claude-opus-5": lambda body: Reply(letter="A")})
    with MessagesServer(answer=answer) as server:
        assert words(ask(server)) == "C"
        assert words(ask(server, model="claude-opus-5")) == "A"


def test_an_answer_that_raises_fails_the_test() -> None:
    with pytest.raises(RuntimeError) as caught, MessagesServer(answer=by_model({})) as server:
        assert post(server, request_body()).status_code == 500
    assert isinstance(caught.value.__cause__, KeyError)


# The rules


def png(width: int, height: int) -> Json:
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    data = base64.b64encode(head + bytes(8)).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    return {"type": "image", "source": source}


def image_with(**source: object) -> list[Json]:
    image = png(8, 8)
    return [user([{**image, "source": {**image["source"], **source}}])]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        # fields of the body
        ({"logprobs": True}, "logprobs: Extra inputs are not permitted"),
        ({"max_tokens": "1"}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": True}, "max_tokens: Input should be a valid integer"),
        ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
        (
            {"max_tokens": 64_001},
            "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for "
            "claude-haiku-4-5-20251001",
        ),
        ({"stop_sequences": [" "]}, "each stop sequence must contain non-whitespace"),
        ({"stream": True}, "this test server does not stream"),
        # messages
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [assistant(), user()]}, 'first message must use the "user" role'),
        ({"messages": [{**user(), "name": "x"}]}, "messages.0.name: Extra inputs are not perm"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 'Unexpected role "tool"'),
        ({"messages": [user(""), user()]}, "messages: text content blocks must be non-empty"),
        ({"messages": [user(" \n")]}, "text content blocks must contain non-whitespace text"),
        ({"messages": [user([])]}, "all messages must have non-empty content"),
        ({"messages": [user([{"type": "sound"}])]}, "Input tag 'sound' found using 'type'"),
        ({"messages": [user(), {"role": "system", "content": "x"}, user()], "system": ""}, "sys"),
        ({"system": [{"type": "text", "text": ""}]}, "system: text content blocks must be non"),
        ({"messages": [user("word " * 200_001)]}, "prompt is too long: 200004 tokens > 200000"),
        # prefill
        ({"prefill": "Answer: "}, TRAILING_WHITESPACE),
        ({"prefill": PREFILL, "model": "claude-sonnet-4-6"}, NO_PREFILL),
        ({"prefill": PREFILL, "model": "claude-haiku-5-5"}, NO_PREFILL),
        ({"prefill": PREFILL, "thinking": ENABLED, "max_tokens": 2048}, "Expected `thinking`"),
        ({"prefill": PREFILL, "output_config": FORMAT}, "must end with a user message"),
        # sampling
        ({"temperature": 0, "model": "claude-opus-4-7"}, "`temperature` is deprecated for this"),
        ({"top_p": 0.9, "model": "claude-haiku-5-5"}, "`top_p` is deprecated for this model."),
        ({"top_k": 5, "model": "claude-fable-5"}, "`top_k` is deprecated for this model."),
        ({"temperature": 0, "top_p": 0.9}, "`temperature` and `top_p` cannot both be specified"),
        ({"temperature": 1.5}, "temperature: range: 0..1"),
        ({"temperature": 0, "thinking": ENABLED, "max_tokens": 2048}, "may only be set to 1"),
        ({"top_k": 5, "thinking": ENABLED, "max_tokens": 2048}, "`top_k` must be unset when"),
        ({"top_p": 0.9, "thinking": ENABLED, "max_tokens": 2048}, "`top_p` must be greater than"),
        # thinking
        ({"thinking": {"type": "off"}}, "Input tag 'off' found using 'type'"),
        ({"thinking": {"type": "adaptive"}}, "adaptive thinking is not supported on this model"),
        ({"thinking": ENABLED}, "`max_tokens` must be greater than `thinking.budget_tokens`."),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, "greater than or equal to 1024"),
        ({"thinking": ENABLED, "model": "claude-opus-5"}, '"thinking.type.enabled" is not supp'),
        (
            {"thinking": {"type": "disabled"}, "model": "claude-opus-5-5"},
            '"thinking.type.disabled" is not supported for this model. Use '
            '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.',
        ),
        (
            {"thinking": {"type": "disabled"}, "model": "claude-sonnet-5-5"},
            'Use "thinking.type.between_tools" for the lowest thinking setting',
        ),
        (
            {"thinking": {"type": "between_tools"}, "model": "claude-haiku-5-5"},
            '"thinking.type.between_tools" is not supported for this model.',
        ),
        (
            {
                "thinking": {"type": "disabled"},
                "model": "claude-opus-5",
                "output_config": {"effort": "max"},
            },
            'not supported with effort "max"',
        ),
        ({"output_config": {"effort": "low"}}, "does not support the effort parameter"),
        (
            {"output_config": {"effort": "xhigh"}, "model": "claude-opus-4-6"},
            "does not support effort level 'xhigh'",
        ),
        # tools and schemas
        (FORCED | {"model": "claude-opus-5-5"}, NO_FORCED_TOOL),
        (FORCED | {"model": "claude-fable-5-1"}, NO_FORCED_TOOL),
        (FORCED | {"thinking": ENABLED, "max_tokens": 2048}, "Thinking may not be enabled when"),
        (FORCED | {"tool_choice": {"type": "tool", "name": "x"}}, "Tool 'x' not found"),
        ({"tool_choice": {"type": "auto"}}, "only be specified while providing tools"),
        ({"tools": [{**TOOL, "name": "a b"}]}, "tools.0.name: String should match"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            "'additionalProperties' must be explicitly set to false",
        ),
        # images
        ({"messages": image_with(type="path")}, "Input tag 'path' found using 'type'"),
        ({"messages": image_with(data="not base64")}, "invalid base64 data"),
        ({"messages": [user([{"type": "image"}])]}, "image.source: Field required"),
        ({"messages": image_with(media_type="image/bmp")}, "media_type: Input should be"),
        ({"messages": image_with(data="A" * 10_485_764)}, "image exceeds 10 MB maximum: 10485764"),
        ({"messages": [user([png(8001, 1)])]}, "dimensions exceed max allowed size: 8000 pixels"),
        ({"messages": [user([png(2001, 1)] * 21)]}, "many-image requests: 2000 pixels"),
        ({"messages": [user([png(8, 8)] * 101)]}, "too many images: 101 > 100"),
    ],
)
def test_a_broken_rule_is_a_400(official: MessagesServer, fields: Json, text: str) -> None:
    response = post(official, request_body(**fields))
    body = response.json()
    assert response.status_code == 400, body
    assert body["type"] == "error"
    assert body["error"]["type"] == "invalid_request_error"
    assert text in body["error"]["message"]
    assert body["request_id"] == response.headers["request-id"]
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 0},
        {"temperature": 1, "model": "claude-opus-5"},
        {"temperature": 0.3, "top_p": 0.9, "model": "claude-sonnet-4-6"},
        {"system": "Answer with one letter."},
        {"messages": [user(), assistant("An answer "), user()]},
        {"messages": [user(), user()]},
        {"messages": [user([png(8000, 8000), {"type": "text", "text": ANT}])]},
        {"messages": [user([png(2000, 9)] * 21)]},
        {"messages": image_with(type="url", url="https://example.org/ant.png")},
        {"messages": image_with(media_type="image/gif", data=DOT_GIF)},
        {"thinking": {"type": "between_tools"}, "model": "claude-sonnet-5-5"},
        {"thinking": {"type": "disabled"}, "model": "claude-haiku-5-5"},
        {"output_config": {"effort": "low", **FORMAT}, "model": "claude-opus-5-5"},
        {**FORCED, "model": "claude-haiku-5-5"},
        {**NOT_FORCED, "model": "claude-opus-5-5"},
    ],
)
def test_what_the_rules_allow_is_answered(official: MessagesServer, fields: Json) -> None:
    assert ask(official, **fields)["type"] == "message"


def test_prefill_is_taken_by_the_three_models_of_4_5_under_either_version(
    official: MessagesServer,
) -> None:
    for headers in (HEADERS, NEW_HEADERS):
        bodies = {model.alias: request_body(model=model.id, prefill=PREFILL) for model in MODELS}
        answered = {
            alias
            for alias, body in bodies.items()
            if post(official, body, headers=headers).status_code == 200
        }
        assert answered == {"claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"}


@pytest.mark.parametrize(
    "turn",
    [
        assistant([{"type": "document", "source": {}}]),
        user([{"type": "text", "text": "x", "citations": [{}]}]),
    ],
)
def test_blocks_that_the_new_version_forbids(official: MessagesServer, turn: Json) -> None:
    body = request_body(messages=[user(), turn, user()])
    assert post(official, body).status_code == 200
    assert post(official, body, headers=NEW_HEADERS).status_code == 400


def test_a_file_that_was_not_uploaded_is_not_found(official: MessagesServer) -> None:
    response = post(official, request_body(messages=image_with(type="file", file_id="file_01")))
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found_error")
    assert response.json()["error"]["message"] == "File `file_01` not found."


@pytest.mark.parametrize(
    ("headers", "status", "text"),
    [
        ({"x-api-key": None}, 401, "x-api-key header is required"),
        ({"x-api-key": "other"}, 401, "invalid x-api-key"),
        ({"x-api-key": None, "authorization": "Bearer other"}, 401, "Invalid bearer token"),
        ({"authorization": "Bearer test-key"}, 401, "cannot both be sent"),
        ({"anthropic-version": None}, 400, "anthropic-version: header is required"),
        (
            {"anthropic-version": "2023-10-01"},
            400,
            'anthropic-version: "2023-10-01" is not a valid version',
        ),
        ({}, 200, ""),
        ({"x-api-key": None, "authorization": "Bearer test-key"}, 200, ""),
        ({"anthropic-version": NEW_VERSION}, 200, ""),
    ],
)
def test_headers(
    official: MessagesServer, headers: dict[str, str | None], status: int, text: str
) -> None:
    sent = {name: value for name, value in (HEADERS | headers).items() if value is not None}
    for response in (
        post(official, request_body(), headers=sent),
        httpx.get(f"{official.base_url}/v1/models", headers=sent, trust_env=False),
    ):
        assert response.status_code == status
        assert text in response.json().get("error", {}).get("message", "")
        assert response.headers["request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ({}, 200, ""),
        ({"thinking": {"type": "disabled"}}, 200, ""),
        ({"max_tokens": 1}, 400, "max_tokens: Extra inputs are not permitted"),
        ({"temperature": 1}, 400, "temperature: Extra inputs are not permitted"),
        ({"model": "claude-opus-5", "messages": [user(), assistant()]}, 400, NO_PREFILL),
        ({**FORCED, "model": "claude-opus-5-5"}, 400, NO_FORCED_TOOL),
        ({"model": "claude-nope"}, 404, "model: claude-nope"),
    ],
)
def test_counting_tokens(official: MessagesServer, fields: Json, status: int, text: str) -> None:
    body = {"model": "claude-haiku-4-5", "messages": [user()]} | fields
    response = post(official, body, "/count_tokens")
    assert response.status_code == status
    if status == 200:
        assert response.json()["input_tokens"] > 10
    else:
        assert text in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "error_type"),
    [
        ("POST", "/v1/messages", b"{", 400, "invalid_request_error"),
        ("POST", "/v1/messages", b"[]", 400, "invalid_request_error"),
        ("POST", "/v1/messages", b"{}", 400, "invalid_request_error"),
        ("POST", "/v1/messages", b" " * (32 * 2**20 + 1), 413, "request_too_large"),
        ("GET", "/v1/messages", b"", 404, "not_found_error"),
        ("POST", "/v1/complete", b"{}", 404, "not_found_error"),
        ("GET", "/v1/models/claude-3-opus-20240229", b"", 404, "not_found_error"),
        ("GET", "/v1/models?limit=0", b"", 400, "invalid_request_error"),
        ("GET", "/v1/models?after_id=x", b"", 400, "invalid_request_error"),
    ],
)
def test_requests_that_are_none(
    official: MessagesServer, method: str, path: str, content: bytes, status: int, error_type: str
) -> None:
    url = official.base_url + path
    response = httpx.request(method, url, content=content, headers=HEADERS, trust_env=False)
    assert response.status_code == status
    assert response.json()["error"]["type"] == error_type


def test_models_can_be_paged_backwards_and_chosen_by_lifecycle(official: MessagesServer) -> None:
    def page(query: str) -> Json:
        url = f"{official.base_url}/v1/models?{query}"
        listed: Json = httpx.get(url, headers=HEADERS, trust_env=False).json()
        return listed

    everything = [model["id"] for model in page("limit=1000")["data"]]
    before = page(f"limit=2&before_id={everything[5]}")
    assert [model["id"] for model in before["data"]] == everything[3:5]
    assert before["has_more"]
    deprecated = page("lifecycle%5B%5D=deprecated")
    assert deprecated["first_id"] == deprecated["last_id"] == "claude-sonnet-4-5-20250929"


def test_rate_limit_headers_come_with_messages(official: MessagesServer) -> None:
    headers = post(official, request_body()).headers
    assert headers["anthropic-ratelimit-requests-limit"] == "1000"
    assert headers["anthropic-ratelimit-output-tokens-reset"].endswith("Z")


# Deviant servers


def test_an_echoing_server_repeats_the_prefill() -> None:
    with MessagesServer(answer=KEY, echo_prefill=True) as server:
        message = ask(server, prefill=PREFILL, max_tokens=1, model="claude-opus-5")
        assert (words(message), message["usage"]["output_tokens"]) == ("The answer is (C", 1)
        assert words(ask(server)) == "C"


def test_a_server_that_ignores_the_prefill_begins_a_fresh_turn() -> None:
    with MessagesServer(answer=KEY, ignore_prefill=True) as server:
        assert words(ask(server, prefill=PREFILL, max_tokens=1)) == "The"
        assert words(ask(server, prefill=PREFILL, model="claude-opus-5")) == "The answer is (C)."
        assert words(ask(server)) == "C"


def test_a_bare_server_checks_and_says_little() -> None:
    body = request_body(model="smollm2", prefill=PREFILL, stop_sequences=[")"], temperature=3)
    with MessagesServer(answer=KEY, bare=True) as server:
        response = post(server, body | {"unknown": 1}, headers={})
        message = response.json()
        no_messages = post(server, {}, headers={})
        unlimited = post(server, {"messages": [user()], "output_config": FORMAT}, headers={})
        counted = post(server, {"messages": [user()]}, "/count_tokens", headers={})
        models = httpx.get(f"{server.base_url}/v1/models", trust_env=False)
        model = httpx.get(f"{server.base_url}/v1/models/smollm2", trust_env=False)
    assert not any(name.startswith(("request-id", "anthropic")) for name in response.headers)
    assert message.pop("id").startswith("chatcmpl-")
    assert set(message.pop("usage")) == {"input_tokens", "output_tokens"}
    assert message == {
        "type": "message",
        "role": "assistant",
        "model": "smollm2",
        "content": [{"type": "text", "text": "C"}],
        "stop_reason": "end_turn",
        "stop_sequence": ")",
    }
    assert no_messages.status_code == 400
    assert no_messages.json().keys() == {"error"}
    assert words(unlimited.json()) == "C"
    assert counted.json().keys() == {"input_tokens"}
    assert models.json().keys() == {"object", "data"}
    assert model.status_code == 404


def test_a_mistake_can_be_a_500() -> None:
    with MessagesServer(bare=True, mistakes_as_500=True) as server:
        response = post(server, {"model": "x"})
    assert response.status_code == 500
    assert response.json()["error"]["type"] == "server_error"


def test_a_connection_can_close_silently() -> None:
    with (
        MessagesServer(close_silently_every=2) as server,
        httpx.Client(base_url=server.base_url, headers=HEADERS, trust_env=False) as client,
    ):
        statuses = []
        for _ in range(6):
            try:
                statuses.append(client.post("/v1/messages", json=request_body()).status_code)
            except httpx.RemoteProtocolError:
                statuses.append(0)
    assert statuses == [200, 200, 0, 200, 200, 0]
    assert (server.connections, server.count(200), server.count(None)) == (2, 4, 2)


# Faults


@pytest.mark.parametrize(
    ("fault", "status", "error_type", "headers"),
    [
        (rate_limited(), 429, "rate_limit_error", {"retry-after": "1"}),
        (
            rate_limited(0.5, retry_after_ms=20, should_retry=False),
            429,
            "rate_limit_error",
            {"retry-after": "0.5", "retry-after-ms": "20", "x-should-retry": "false"},
        ),
        (spend_limit_reached(), 429, "rate_limit_error", {}),
        (overloaded(), 529, "overloaded_error", {}),
        (server_error(), 500, "api_error", {}),
        (timed_out(), 504, "timeout_error", {}),
        (unauthorized(), 401, "authentication_error", {}),
    ],
)
def test_a_fault_with_the_official_envelope(
    fault: Fault, status: int, error_type: str, headers: dict[str, str]
) -> None:
    with MessagesServer(faults=first_attempts(fault)) as server:
        response = post(server, request_body())
        assert post(server, request_body()).status_code == 200
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (status, error_type)
    hints = ("retry-after", "retry-after-ms", "x-should-retry")
    assert {name: response.headers[name] for name in hints if name in response.headers} == headers
    assert response.headers["request-id"] == response.json()["request_id"]
    spent = error.get("details") == {"error_code": "enforced_spend_limit_reached"}
    assert spent == (fault == spend_limit_reached())


@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        (bad_gateway(), 502, b"<html>"),
        (page_too_large(), 413, b"<html>"),
        (web_page(), 200, b"<!doctype html>"),
        (empty_body(), 200, b""),
    ],
)
def test_a_fault_of_a_proxy(fault: Fault, status: int, start: bytes) -> None:
    with MessagesServer(faults=first_attempts(fault)) as server:
        response = post(server, request_body())
    assert response.status_code == status
    assert response.content.startswith(start)
    assert "request-id" not in response.headers
    with pytest.raises(ValueError, match="Expecting value"):
        response.json()


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        (cut_in_half(), httpx.RemoteProtocolError),
        (connection_reset(), httpx.ReadError),
        (hang(), httpx.ReadTimeout),
        (slow(1.0), httpx.ReadTimeout),
    ],
)
def test_a_fault_of_the_connection(fault: Fault, error_class: type[httpx.TransportError]) -> None:
    with (
        MessagesServer(faults=first_attempts(fault)) as server,
        httpx.Client(base_url=server.base_url, headers=HEADERS, trust_env=False) as client,
    ):
        with pytest.raises(error_class):
            client.post("/v1/messages", json=request_body(), timeout=0.2)
        assert client.post("/v1/messages", json=request_body(), timeout=5).status_code == 200
    assert (server.count(None), server.count(200), server.answered_again) == (1, 1, 0)


def test_half_of_the_json_arrives_before_a_cut() -> None:
    with (
        MessagesServer(faults=first_attempts(cut_in_half())) as server,
        httpx.Client(base_url=server.base_url, headers=HEADERS, trust_env=False) as client,
        client.stream("POST", "/v1/messages", json=request_body()) as response,
    ):
        assert response.status_code == 200
        received = bytearray()
        with pytest.raises(httpx.RemoteProtocolError):
            for chunk in response.iter_raw():
                received += chunk
    assert received.startswith(b'{"id": "msg_')
    assert len(received) == int(response.headers["content-length"]) // 2


def test_a_slow_reply_is_right() -> None:
    with MessagesServer(faults=first_attempts(slow(0.1)), latency_seconds=0.1) as server:
        begin = time.monotonic()
        ask(server)
    assert time.monotonic() - begin >= 0.2


def test_every_kth_body_fails_at_first() -> None:
    plan = first_attempts(overloaded(), attempts=2, every=3)
    with MessagesServer(faults=plan) as server:
        statuses = [
            [post(server, request_body(messages=[user(f"{n}?")])).status_code for n in range(6)]
            for _ in range(3)
        ]
    failed_twice = [200, 200, 529, 200, 200, 529]
    assert statuses == [failed_twice, failed_twice, [200] * 6]
    assert [record.body_number for record in server.requests] == [1, 2, 3, 4, 5, 6] * 3
    assert server.answered_again == 8


def test_random_faults_depend_on_the_body_and_the_seed_only() -> None:
    bodies = [request_body(messages=[user(f"{number}?")]) for number in range(60)]

    def statuses(seed: int, order: int) -> list[int]:
        plan = at_random({overloaded(): 0.3, server_error(): 0.2}, seed=seed)
        with MessagesServer(faults=plan) as server:
            first = [post(server, body).status_code for body in bodies[::order]]
            second = [post(server, body).status_code for body in bodies]
        assert second == [200] * len(bodies)
        return first[::order]

    seen = statuses(seed=1, order=1)
    assert seen == statuses(seed=1, order=-1)
    assert seen != statuses(seed=2, order=1)
    assert 8 <= seen.count(529) <= 28
    assert 4 <= seen.count(500) <= 20


def test_plans_can_be_joined() -> None:
    plan = either(first_attempts(overloaded(), every=2), from_message_on(3, unauthorized()))
    with MessagesServer(faults=plan) as server:
        bodies = [request_body(messages=[user(f"{number}?")]) for number in range(4)]
        assert [post(server, body).status_code for body in bodies] == [200, 529, 401, 529]
        models = httpx.get(f"{server.base_url}/v1/models", headers=HEADERS, trust_env=False)
        assert models.status_code == 200


# The server itself


def test_it_remembers_what_it_was_asked() -> None:
    with MessagesServer() as server:
        post(server, request_body(max_tokens=9), headers={**HEADERS, "X-Mine": "yes"})
        post(server, dict(reversed(request_body(max_tokens=9).items())))
    first, second = server.requests
    assert (first.method, first.path, first.body["max_tokens"]) == ("POST", "/v1/messages", 9)
    assert first.headers["x-mine"] == "yes"
    assert first.arrived <= second.arrived
    assert (first.body_digest, second.attempt) == (second.body_digest, 2)
    assert server.answered_again == 1


def test_it_serves_many_at_once_and_counts_them() -> None:
    with (
        MessagesServer(latency_seconds=0.2) as server,
        httpx.Client(base_url=server.base_url, headers=HEADERS, trust_env=False) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        send = [pool.submit(client.post, "/v1/messages", json=request_body()) for _ in range(8)]
        assert {future.result().status_code for future in send} == {200}
    assert server.peak_concurrency == 8
    assert server.connections == 8


def test_it_closes_at_once_though_a_request_hangs() -> None:
    threads_before = threading.active_count()
    with ThreadPoolExecutor(1) as pool:
        with MessagesServer(faults=first_attempts(hang())) as server:
            waiting = pool.submit(post, server, request_body())
            while not server.requests:
                time.sleep(0.01)
            begin = time.monotonic()
        assert time.monotonic() - begin < 1
        assert isinstance(waiting.exception(), httpx.TransportError)
    assert threading.active_count() == threads_before


def test_it_loses_no_connection_that_arrives_while_it_closes() -> None:
    lost: list[str] = []
    sockets: list[socket.socket] = []

    def knock(port: int) -> None:
        with contextlib.suppress(OSError):  # closed at last
            while True:
                sockets.append(socket.create_connection(("127.0.0.1", port), timeout=1))
                time.sleep(0.001)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "unraisablehook", lambda error: lost.append(str(error.exc_value)))
        for _ in range(20):
            with MessagesServer() as server:
                port = urlsplit(server.base_url).port
                guests = [threading.Thread(target=knock, args=[port]) for _ in range(3)]
                for guest in guests:
                    guest.start()
                time.sleep(0.02)
            for guest in guests:
                guest.join()
            while sockets:
                sockets.pop().close()
            gc.collect()
    assert lost == []


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"What is latin for Ant?": "C"}), encoding="utf-8")
    options = ["--answers", str(answers), "--fail", "overloaded", "--fault-share", "hang=0"]
    command = [sys.executable, "-m", "evalkit.testing", *options]
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        address = json.loads(program.stdout.readline())
        url, headers = address["base_url"] + "/v1/messages", {**HEADERS, "x-api-key": "test-key"}
        replies = [
            httpx.post(url, json=request_body(), headers=headers, trust_env=False) for _ in "12"
        ]
        program.send_signal(signal.SIGTERM)
        summary = json.loads(program.stdout.readline())
    assert [reply.status_code for reply in replies] == [529, 200]
    assert words(replies[1].json()) == "C"
    assert summary["statuses"] == {"529": 1, "200": 1}
    assert program.returncode == 0
