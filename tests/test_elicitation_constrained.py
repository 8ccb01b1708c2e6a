"""Replies that a schema binds, and whatever comes from servers that bind nothing."""

from __future__ import annotations

import json
from dataclasses import replace
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


def read(
    said: str, stop_reason: str | None = "end_turn", *, several: bool = False, **form: Any
) -> Answer:
    prompt = build_prompt(CITY, PromptFormat(**form), several=several)
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


# Where several choices may be picked


def test_the_schema_of_several_is_an_array_that_is_not_empty() -> None:
    assert build_schema(("A", "B"), several=True) == {
        "type": "object",
        "properties": {
            "answers": {
                "type": "array",
                "items": {"type": "string", "enum": ["A", "B"]},
                "minItems": 1,
            }
        },
        "required": ["answers"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("stop_reason", ["end_turn", "max_tokens", "tool_use", None])
@pytest.mark.parametrize(
    "said",
    [
        '{"answers":["B","D"]}',
        '{"answers":["d","b"]}',
        '```json\n{"answers": ["B", "D"]}\n```',
        '{"answers": ["B) Paris", "(D)"]}',
        '{"answers": ["Paris", "Madrid"]}',
        '{"answers": "B, D"}',
        '{"answers": "BD"}',
        '{"answer": ["B", "D"]}',
        '{"name": "answer", "arguments": {"answers": ["B", "D"]}}',
    ],
)
def test_a_set_is_read_however_it_is_written(said: str, stop_reason: str | None) -> None:
    assert read(said, stop_reason, several=True) == Answer(outcome=Outcome.ANSWERED, choice=(1, 3))


@pytest.mark.parametrize("said", ["B and D", "B", '["B", "D"]', '{"answers":["B"', ""])
def test_half_a_list_is_not_taken_for_all_of_it(said: str) -> None:
    assert read(said, "max_tokens", several=True) == Answer(outcome=Outcome.TRUNCATED)


@pytest.mark.parametrize(
    "said",
    [
        '{"answers": []}',
        '{"answers": null}',
        '{"answers": {}}',
        '{"answers": [["B"]]}',
        '{"answers": [null]}',
        '{"answers": [true, "B"]}',
        '{"answers": ["B", ""]}',
        '{"answers": ["B", "E"]}',
        '{"answers": ["B", "b"]}',
        '{"answers": ["B", "Paris"]}',
        '{"answers": ["B or D"]}',
        '{"answers": "B or D"}',
        '{"answers": "maybe B"}',
        '{"choices": ["B"]}',
        "I think of B.",
        "{" * 100_000 + "}",
        '{"answers": ' + "[" * 100_000 + "}",
    ],
)
def test_what_names_no_set_is_unparsed(said: str) -> None:
    assert read(said, several=True) == Answer(outcome=Outcome.UNPARSED)


@pytest.mark.parametrize(
    ("said", "bound"),
    [
        ('{"answers":["B"]}', True),
        ('{"answers":["b","D"]}', True),
        # The schema can't keep a label from coming twice.
        ('{"answers":["B","B"]}', True),
        ('{"answers":[]}', False),
        ('{"answers":"B"}', False),
        ('{"answers":["E"]}', False),
        ('{"answers":[2]}', False),
        ('{"answer":"B"}', False),
    ],
)
def test_only_labels_in_their_array_show_that_the_schema_bound(said: str, bound: bool) -> None:
    assert is_bound(said, build_labels(4), several=True) is bound


@given(
    labels=st.lists(st.sampled_from(build_labels(26)), min_size=1),
    swapped=st.booleans(),
    indent=st.sampled_from([None, 0, 2]),
)
def test_all_that_the_schema_of_several_allows_is_bound_and_read_unless_a_label_comes_twice(
    labels: list[str], swapped: bool, indent: int | None
) -> None:
    letters = [label.swapcase() for label in labels] if swapped else labels
    said = json.dumps({"answers": letters}, indent=indent)
    assert is_bound(said, build_labels(26), several=True)
    question = replace(CITY, choices=tuple(f"choice {number}" for number in range(26)))
    prompt = build_prompt(question, PromptFormat(), several=True)
    response = Response(text=said, stop_reason="end_turn", model=None, usage=Usage())
    answer = read_constrained(response, said, prompt, question.choices)
    places = tuple(sorted(map(build_labels(26).index, labels)))
    is_set = len(set(labels)) == len(labels)
    assert answer.choice == (places if is_set else None)


@given(
    said=st.text()
    | st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.sampled_from("ABCDEab")
        | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["answers", "answer", "input", "x"]), inner, max_size=2
            )
        ),
        max_leaves=8,
    ).map(json.dumps),
    cut=st.booleans(),
)
def test_whatever_comes_is_read_as_a_set_or_not_at_all(said: str, cut: bool) -> None:
    answer = read(said, "max_tokens" if cut else "end_turn", several=True)
    if answer.choice is not None:
        assert isinstance(answer.choice, tuple)
        assert set(answer.choice) <= set(range(4))
