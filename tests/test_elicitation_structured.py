"""Structured: a schema binds the reply to one of the labels."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.answers import Answer, Outcome
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.structured import build_body, keeps_to_it, read_answer
from evalkit.models.model import Capabilities
from evalkit.prompts import Prompt, PromptFormat, build_prompt
from evalkit.responses import Response, Usage
from tests.test_elicitation_instructed import ANT, ASKED, BEE

ASKING = Asking(model="m", capabilities=Capabilities(temperature=True))
FORMAT = {
    "type": "json_schema",
    "schema": {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": ["A", "B", "C"]}},
        "required": ["answer"],
        "additionalProperties": False,
    },
}


def prompt_of(*examples: Any, form: PromptFormat | None = None) -> Prompt:
    return build_prompt(ANT, form or PromptFormat(), examples)


def response_of(text: str, stop_reason: str | None = "end_turn") -> Response:
    return Response(text=text, stop_reason=stop_reason, model=None, usage=Usage())


def test_the_reply_is_bound_to_a_letter() -> None:
    assert build_body(prompt_of(), ASKING) == {
        "model": "m",
        "max_tokens": 64,
        "temperature": 0.0,
        "system": "Pick the right choice of every multiple-choice question by its letter.",
        "messages": [{"role": "user", "content": ASKED}],
        "output_config": {"format": FORMAT},
    }


def test_worked_examples_are_answered_in_the_shape_of_the_schema() -> None:
    messages = build_body(prompt_of(BEE), ASKING)["messages"]
    assert messages[1] == {"role": "assistant", "content": '{"answer":"A"}'}
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]


def test_the_benchmarks_own_words_are_used() -> None:
    form = PromptFormat(system="Be brief.", labels="digits", constrained="Only the {label}!")
    body = build_body(prompt_of(BEE, form=form), ASKING)
    assert body["system"] == "Be brief.\n\nOnly the number!"
    assert body["messages"][1]["content"] == '{"answer":"1"}'
    schema = body["output_config"]["format"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["1", "2", "3"]


def test_a_model_that_always_thinks_gets_room_and_little_effort() -> None:
    asking = Asking(model="m", capabilities=Capabilities(thinking="always"))
    body = build_body(prompt_of(), asking)
    assert body["max_tokens"] == 4096
    assert body["output_config"] == {"effort": "low", "format": FORMAT}


@pytest.mark.parametrize(
    ("text", "stop_reason", "choice", "bound"),
    [
        ('{"answer":"C"}', "end_turn", 2, True),
        ('{ "answer": "c" }\n', "max_tokens", 2, True),
        ('```json\n{"answer": "C"}\n```', "end_turn", 2, False),
        ("The answer is (C).", "end_turn", 2, False),
        ("The answer is (C).", "max_tokens", 2, False),
        ("No idea.", "end_turn", None, False),
        ("", "end_turn", None, False),
    ],
)
def test_whatever_comes_is_read_and_what_was_not_bound_is_noticed(
    text: str, stop_reason: str, choice: int | None, bound: bool
) -> None:
    response = response_of(text, stop_reason)
    answer = read_answer(response, prompt_of(), ANT.choices)
    assert answer.choice == choice
    assert answer.outcome in (Outcome.ANSWERED, Outcome.UNPARSED)
    assert keeps_to_it(response, prompt_of()) is bound


@pytest.mark.parametrize("text", ["", "\n\n", "{", '{"answer":"', '\n{\n  "answer": "C'])
def test_what_was_cut_before_its_end_is_no_sign_of_an_unbound_server(text: str) -> None:
    response = response_of(text, "max_tokens")
    answer = read_answer(response, prompt_of(), ANT.choices)
    assert answer == Answer(outcome=Outcome.TRUNCATED)
    assert keeps_to_it(response, prompt_of())
