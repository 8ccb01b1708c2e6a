"""A message is read whatever a server adds, leaves out or calls by another name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import errors
from evalkit.errors import ApiError, UnreadableResponseError
from evalkit.responses import RequestFailure, Response, Usage, describe_failure, parse_response
from evalkit.testing.messages_models import find_model
from evalkit.testing.messages_replies import Reply, bare_message, compose_message

TEXT = {"type": "text", "text": "C"}
ASKED = {
    "model": "claude-haiku-4-5",
    "max_tokens": 1,
    "messages": [{"role": "user", "content": "Which? (A) x (B) y (C) z"}],
}


def official(reply: Reply, **fields: Any) -> dict[str, Any]:
    """What the official service sends."""
    model = find_model("claude-haiku-4-5")
    assert model is not None
    return compose_message(reply, ASKED | fields, model, number=7, style="{letter}")


def test_an_official_message() -> None:
    response = parse_response(official(Reply(letter="C", cache_read_tokens=3)), "req_1")
    assert response == Response(
        text="C",
        stop_reason="max_tokens",
        model="claude-haiku-4-5-20251001",
        usage=Usage(
            input_tokens=13,
            output_tokens=1,
            cache_creation_input_tokens=0,
            cache_read_input_tokens=3,
            thinking_tokens=0,
        ),
        message_id="msg_010000000000000000000007",
        request_id="req_1",
    )


def test_a_third_partys_message_lacks_most_fields() -> None:
    response = parse_response(bare_message(official(Reply(letter="C"))))
    assert (response.text, response.stop_reason) == ("C", "max_tokens")
    assert response.message_id == "chatcmpl-010000000000000000000007"
    assert response.request_id is None
    assert response.usage == Usage(input_tokens=16, output_tokens=1)


def test_a_refusal_keeps_its_category() -> None:
    response = parse_response(official(Reply(refusal="bio")))
    assert (response.text, response.stop_reason) == ("", "refusal")
    assert response.refusal_category == "bio"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([], ""),
        ([TEXT], "C"),
        ([{"type": "thinking", "thinking": "A? B?", "signature": "x"}, TEXT], "C"),
        ([{"type": "redacted_thinking", "data": "A"}, TEXT], "C"),
        ([{"type": "text", "text": "It is "}, TEXT], "It is C"),
        ([{"type": "tool_use", "id": "t", "name": "answer", "input": {"answer": "A"}}], ""),
        ([{"type": "from the future", "text": "A"}, TEXT], "C"),
        ([{"type": "text", "text": None}, TEXT], "C"),
        ([{"type": "text"}, TEXT], "C"),
        ([None, 3, "B", ["B"], TEXT], "C"),
        ([{"type": "text", "text": "half a pair \ud83d"}], "half a pair ?"),
    ],
)
def test_text_is_picked_by_type(content: list[Any], text: str) -> None:
    assert parse_response({"content": content}).text == text


@pytest.mark.parametrize(
    ("content", "tool_input"),
    [
        ([], None),
        ([TEXT], None),
        ([{"type": "tool_use", "input": {"answer": "A"}}], '{"answer": "A"}'),
        ([TEXT, {"type": "tool_use", "input": {"answer": "é"}}], '{"answer": "é"}'),
        # Of several calls the first counts.
        ([{"type": "tool_use", "input": {}}, {"type": "tool_use", "input": {"answer": "A"}}], "{}"),
        ([{"type": "tool_use", "input": "A"}], '"A"'),
        ([{"type": "tool_use"}], "null"),
        ([{"type": "server_tool_use", "input": {"answer": "A"}}, None, 3, ["tool_use"]], None),
        ([{"type": "tool_use", "input": {"answer": "\ud83d"}}], '{"answer": "?"}'),
    ],
)
def test_the_input_of_a_tool_is_picked_by_type(content: list[Any], tool_input: str | None) -> None:
    assert parse_response({"content": content}).tool_input == tool_input


@pytest.mark.parametrize(
    ("stop_reason", "was_cut"),
    [
        ("max_tokens", True),
        ("model_context_window_exceeded", True),
        ("end_turn", False),
        ("tool_use", False),
        ("refusal", False),
        (None, False),
    ],
)
def test_a_reply_without_its_end_was_cut(stop_reason: str | None, was_cut: bool) -> None:
    body = {"content": [TEXT], "stop_reason": stop_reason}
    assert parse_response(body).was_cut is was_cut


@pytest.mark.parametrize(
    "field",
    ["id", "model", "stop_reason", "stop_details", "usage", "request_id"],
)
@pytest.mark.parametrize("value", [None, 7, [], "absent"])
def test_an_odd_or_missing_field_is_no_error(field: str, value: Any) -> None:
    body = {"content": [TEXT], "usage": {"input_tokens": 1}, field: value}
    if value == "absent":
        del body[field]
    assert parse_response(body).text == "C"


@pytest.mark.parametrize("count", [None, -1, 1.5, "3", True, [], {}, 2**63])
def test_what_is_no_count_is_no_usage(count: Any) -> None:
    body = {"content": [], "usage": {"input_tokens": count, "output_tokens_details": count}}
    assert parse_response(body).usage == Usage()


def test_thinking_tokens_are_told_apart() -> None:
    usage = {"output_tokens": 90, "output_tokens_details": {"thinking_tokens": 80}}
    found = parse_response({"content": [], "usage": usage}).usage
    assert found == Usage(output_tokens=90, thinking_tokens=80)


def test_the_header_names_the_request_before_the_body_does() -> None:
    body = {"content": [], "request_id": "body"}
    assert parse_response(body).request_id == "body"
    assert parse_response(body, "header").request_id == "header"


@pytest.mark.parametrize(
    "body",
    [
        None,
        "C",
        [TEXT],
        {},
        {"content": "C"},
        {"content": None},
        {"error": {"message": "no"}},
        {"choices": [{"message": {"content": "C"}}]},
    ],
)
def test_what_is_no_message_is_an_error(body: Any) -> None:
    with pytest.raises(UnreadableResponseError, match="no message") as caught:
        parse_response(body, "req_1")
    assert (caught.value.status, caught.value.request_id) == (200, "req_1")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "usage", "model", "input_tokens"])
            | st.text(st.characters()),
            inner,
            max_size=4,
        )
    ),
)


@given(body=ANY_JSON | st.fixed_dictionaries({"content": st.lists(ANY_JSON, max_size=4)}))
def test_reading_never_fails_otherwise(body: Any) -> None:
    try:
        response = parse_response(body)
    except UnreadableResponseError:
        return
    response.text.encode()


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (errors.AuthenticationError, "authentication"),
        (errors.BillingError, "billing"),
        (errors.NotFoundError, "not_found"),
        (errors.InvalidRequestError, "invalid_request"),
        (errors.RateLimitError, "rate_limit"),
        (errors.OverloadedError, "overloaded"),
        (errors.ServerError, "server"),
        (errors.ConnectionFailedError, "connection_failed"),
        (errors.UnreadableResponseError, "unreadable_response"),
    ],
)
def test_a_failure_is_named_by_one_word(kind: type[ApiError], word: str) -> None:
    error = kind("no", status=499, request_id="req_1")
    assert describe_failure(error) == RequestFailure(
        kind=word, message="no", status=499, request_id="req_1"
    )
