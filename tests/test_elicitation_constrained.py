"""Replies that a schema binds, and whatever comes from servers that bind nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.answers import Answer, Outcome
from evalkit.elicitation.constrained import (
    build_schema,
    find_value,
    is_bound,
    match_label,
    read_constrained,
)
from evalkit.prompts import PromptFormat, build_labels, build_prompt
from evalkit.questions import Question
from evalkit.responses import Response, Usage

CITY = Question(
    id="city",
    stem="Which is the capital of France?",
    choices=("Rome", "Paris", "Berlin", "Madrid"),
    right=(1,),
)
PARIS = Answer(outcome=Outcome.ANSWERED, choice=1)


def read(said: str, stop_reason: str | None = "end_turn", **form: Any) -> Answer:
    prompt = build_prompt(CITY, PromptFormat(**form))
    response = Response(text=said, stop_reason=stop_reason, model=None, usage=Usage())
    return read_constrained(response, said, prompt, CITY.choices)


def test_the_schema_names_the_labels_and_nothing_else() -> None:
    assert build_schema(("1", "2", "3")) == {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": ["1", "2", "3"]}},
        "required": ["answer"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("stop_reason", ["end_turn", "max_tokens", "tool_use", None])
@pytest.mark.parametrize(
    "said",
    [
        '{"answer":"B"}',
        '{"answer":"b"}',
        '{"answer": " B\\n"}',
        '  {\n\n  "answer"  :\t"B"\n}  \n',
        '```json\n{"answer": "B"}\n```',
        'Here you are: {"answer": "B"}. Is there more?',
        '{"answer": "B", "confidence": 0.9}',
        '{"answer": "B) Paris"}',
        '{"answer": "(B)"}',
        '{"answer": "Paris"}',
        '{"answer": "The answer is (B)."}',
        # A tool call that the server did not recognise.
        '{"name": "answer", "arguments": {"answer": "Paris"}}',
        '{"name": "answer", "parameters": {"answer": "B"}}',
        '{"type": "tool_use", "name": "answer", "input": {"answer": "b"}}',
        '<tool_call>\n{"name": "answer", "arguments": {"answer": "B"}}\n</tool_call>',
        # Words, where nothing binds them.
        "B",
        "(B)",
        "The answer is **B**.",
        "Paris",
    ],
)
def test_a_choice_is_read_however_it_is_written(said: str, stop_reason: str | None) -> None:
    assert read(said, stop_reason) == PARIS


@pytest.mark.parametrize("said", ['{"answer": "2"}', '{"answer": 2}', "2", "(2)"])
def test_digits_are_read_where_digits_were_offered(said: str) -> None:
    assert read(said, labels="digits") == PARIS
    assert read(said).outcome is Outcome.UNPARSED


@pytest.mark.parametrize(
    "said",
    [
        "",
        '{"',
        '{"answer":"',
        '{"answer":"B',
        '{"answer": "Paris',
        '```json\n{\n  "answer": "B"',
        "{}",
    ],
)
def test_an_object_cut_in_half_is_no_answer(said: str) -> None:
    # Whatever it holds so far: a text such as "Both A and" may follow.
    assert read(said, "max_tokens") == Answer(outcome=Outcome.TRUNCATED)
    assert read(said, "model_context_window_exceeded") == Answer(outcome=Outcome.TRUNCATED)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "{}",
        "null",
        "[]",
        '{"answer": null}',
        '{"answer": true}',
        '{"answer": ""}',
        '{"answer": "E"}',
        '{"answer": "A or B"}',
        '{"answer": "none of them"}',
        '{"choice": "?"}',
        '{"answer": {"answer": {}}}',
        "I would rather not say.",
        "{" * 100_000 + "}",
        '{"answer": ' + "[" * 100_000 + "}",
        '{"answer": ' + "9" * 5000 + "}",
    ],
)
def test_what_names_no_choice_is_unparsed(said: str) -> None:
    assert read(said) == Answer(outcome=Outcome.UNPARSED)
    assert not is_bound(said, build_labels(4))


@pytest.mark.parametrize("said", ["", '{"answer": "B"}', "B"])
def test_a_refusal_is_a_refusal_whatever_it_says(said: str) -> None:
    assert read(said, "refusal") == Answer(outcome=Outcome.REFUSED)


@pytest.mark.parametrize(
    ("said", "bound"),
    [
        ('{"answer":"B"}', True),
        ('\n { "answer" : "b" } ', True),
        ('{"answer":" B "}', True),
        ('{"answer":"E"}', False),
        ('{"answer":"Paris"}', False),
        ('{"answer":2}', False),
        ('{"answer":"B","more":1}', False),
        ('{"letter":"B"}', False),
        ('["answer"]', False),
        ('```json\n{"answer": "B"}\n```', False),
        ('{"name": "answer", "arguments": {"answer": "B"}}', False),
        ("B", False),
    ],
)
def test_only_a_label_in_its_object_shows_that_the_schema_bound(said: str, bound: bool) -> None:
    assert is_bound(said, build_labels(4)) is bound


@given(
    label=st.sampled_from(build_labels(26)),
    spaces=st.lists(st.text(" \t\n\r", max_size=3), min_size=6, max_size=6),
    swapped=st.booleans(),
)
def test_all_that_the_schema_allows_is_bound_and_read(
    label: str, spaces: list[str], swapped: bool
) -> None:
    a, b, c, d, e, f = spaces
    said = f'{a}{{{b}"answer"{c}:{d}"{label.swapcase() if swapped else label}"{e}}}{f}'
    labels = build_labels(26)
    assert is_bound(said, labels)
    value = find_value(said)
    assert value is not None
    assert match_label(value, labels) == labels.index(label)


@given(value=st.text())
def test_whatever_text_is_the_answer_is_found(value: str) -> None:
    assert find_value(json.dumps({"answer": value})) == value
    assert find_value(json.dumps({"arguments": {"answer": value}}, ensure_ascii=False)) == value
