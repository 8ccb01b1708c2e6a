"""A request has one name, in every process and on every machine."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.requests import WAYS, build_request

BODY = {
    "model": "claude-haiku-4-5",
    "max_tokens": 1,
    "messages": [{"role": "user", "content": "Où est Zoë? 🐜"}],
}


def test_the_id_never_changes() -> None:
    # A journal of years ago is resumed by this id: a new one would ask, and pay, again.
    request = build_request("q1", "prefill", BODY)
    assert request.id == "8525211967f9076e8586618bdf87107c3def24df"
    assert (request.question_id, request.way, request.sample_index) == ("q1", "prefill", 0)
    assert request.body == BODY


NUMBERS = (
    st.integers()
    | st.floats()
    | st.floats(0, 1)
    | st.sampled_from([0.0, -0.0, 1e-5, 1e-4, 1e15, 1e16, 2**63, 2**64, -(2**63) - 1])
)


@given(
    question_id=st.text(st.characters(codec="utf-8")),
    sample_index=st.integers(0, 2**70),
    temperature=NUMBERS | st.none() | st.booleans(),
    content=st.recursive(
        st.text(st.characters(codec="utf-8")) | st.integers() | st.none() | st.booleans(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("aé\uffff🐜"), inner),
        max_leaves=6,
    ),
)
def test_the_id_is_the_digest_of_sorted_json_without_spaces(
    question_id: str, sample_index: int, temperature: Any, content: Any
) -> None:
    body = {"temperature": temperature, "messages": [{"role": "user", "content": content}]}
    text = json.dumps(
        [question_id, sample_index, "tool", body],
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    request = build_request(question_id, "tool", body, sample_index)

    assert request.id == hashlib.sha256(text.encode()).hexdigest()[:40]


@pytest.mark.parametrize(
    "other",
    [
        build_request("q2", "prefill", BODY),
        build_request("q1", "instructed", BODY),
        build_request("q1", "prefill", BODY, sample_index=1),
        build_request("q1", "prefill", BODY, order=(0, 1)),
        build_request("q1", "prefill", BODY, order=(1, 0)),
        build_request("q1", "prefill", {**BODY, "max_tokens": 2}),
        build_request("q1", "prefill", {**BODY, "temperature": 0.0}),
        build_request("q1", "prefill", {**BODY, "messages": []}),
    ],
    ids=["question", "way", "sample", "order", "turn", "max_tokens", "temperature", "messages"],
)
def test_whatever_can_change_an_answer_changes_the_id(other: Any) -> None:
    assert other.id != build_request("q1", "prefill", BODY).id


@given(
    question_id=st.text(st.characters(codec="utf-8")),
    way=st.sampled_from(WAYS),
    body=st.dictionaries(
        st.text(st.characters(codec="utf-8")),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
            lambda inner: st.lists(inner, max_size=3),
        ),
        max_size=5,
    ),
)
def test_the_order_of_fields_does_not_matter(question_id: str, way: Any, body: Any) -> None:
    one = build_request(question_id, way, body)
    assert one.id == build_request(question_id, way, dict(reversed(body.items()))).id
    # Also the rule for the ids of a batch.
    assert re.fullmatch("[0-9a-f]{40}", one.id)


def test_the_same_question_with_more_room_is_another_request() -> None:
    first = build_request("q1", "instructed", BODY, sample_index=2, order=(1, 0))
    again = first.with_room({**BODY, "max_tokens": 64})
    assert (first.is_retake, again.is_retake) == (False, True)
    assert (again.question_id, again.way, again.sample_index) == ("q1", "instructed", 2)
    assert again.id != first.id
    assert again.order == (1, 0)
    assert again.id == build_request("q1", "instructed", again.body, 2, (1, 0)).id
