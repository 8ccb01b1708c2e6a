"""Instructed: the system prompt asks for the letter alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evalkit.answers import Answer, Outcome
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.instructed import build_body, read_answer
from evalkit.models.model import Capabilities, Thinking
from evalkit.prompts import Prompt, PromptFormat, build_prompt
from evalkit.questions import Question
from evalkit.responses import Response, Usage

ANT = Question(
    id="ant",
    stem="What is latin for ant?",
    choices=("Apoidea", "Rhopalocera", "Formicidae"),
    right=(2,),
)
BEE = Question(id="bee", stem="And for bee?", choices=("Apoidea", "Formicidae"), right=(0,))
ASKED = "What is latin for ant?\n\n(A) Apoidea\n(B) Rhopalocera\n(C) Formicidae"


def asking_of(thinking: Thinking = "off") -> Asking:
    return Asking(model="m", capabilities=Capabilities(prefill=False, thinking=thinking))


def prompt_of(*examples: Question, form: PromptFormat | None = None) -> Prompt:
    return build_prompt(ANT, form or PromptFormat(), examples)


def read(text: str, stop_reason: str | None) -> Answer:
    response = Response(text=text, stop_reason=stop_reason, model=None, usage=Usage())
    return read_answer(response, prompt_of(), ANT.choices)


def test_the_system_text_asks_for_the_letter_alone() -> None:
    assert build_body(prompt_of(), asking_of()) == {
        "model": "m",
        "max_tokens": 16,
        "system": "Answer every multiple-choice question with the letter of the right choice "
        "alone: no words, no explanation.",
        "messages": [{"role": "user", "content": ASKED}],
        "temperature": 0.0,
    }


def test_worked_examples_are_answered_with_the_letter_alone() -> None:
    assert build_body(prompt_of(BEE), asking_of())["messages"] == [
        {"role": "user", "content": "And for bee?\n\n(A) Apoidea\n(B) Formicidae"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": ASKED},
    ]


def test_the_benchmarks_own_words_are_used() -> None:
    form = PromptFormat(system="Be brief.", labels="digits", instruction="Only the {label}!")
    body = build_body(prompt_of(BEE, form=form), asking_of())
    assert body["system"] == "Be brief.\n\nOnly the number!"
    assert body["messages"][1]["content"] == "1"


@pytest.mark.parametrize(
    ("thinking", "fields"),
    [
        ("off", {"max_tokens": 16}),
        ("unknown", {"max_tokens": 16}),
        ("disabled", {"max_tokens": 16, "thinking": {"type": "disabled"}}),
        ("between_tools", {"max_tokens": 16, "thinking": {"type": "between_tools"}}),
        ("always", {"max_tokens": 4096, "output_config": {"effort": "low"}}),
    ],
)
def test_a_model_is_kept_from_thinking_or_given_room(thinking: Thinking, fields: Any) -> None:
    body = build_body(prompt_of(), asking_of(thinking))
    kept = ("max_tokens", "thinking", "output_config")
    assert {name: body[name] for name in kept if name in body} == fields


@pytest.mark.parametrize("stop_reason", ["end_turn", "max_tokens", "stop_sequence", None, "new"])
@pytest.mark.parametrize("text", ["C", "(C)", "C)", "The answer is (C).", "**C**", "Formicidae"])
def test_a_letter_is_an_answer_however_the_reply_ends(text: str, stop_reason: str | None) -> None:
    assert read(text, stop_reason) == Answer(outcome=Outcome.ANSWERED, choice=2)


@pytest.mark.parametrize(
    ("text", "stop_reason", "outcome"),
    [
        ("", "end_turn", Outcome.UNPARSED),
        ("", None, Outcome.UNPARSED),
        ("I don't know.", "end_turn", Outcome.UNPARSED),
        ("D", "end_turn", Outcome.UNPARSED),
        ("A or B", "end_turn", Outcome.UNPARSED),
        ("", "pause_turn", Outcome.UNPARSED),
        # Cut off before it names a choice, as by thinking that took all the room.
        ("", "max_tokens", Outcome.TRUNCATED),
        ("Let us look at each of the choices. The first,", "max_tokens", Outcome.TRUNCATED),
        ("", "model_context_window_exceeded", Outcome.TRUNCATED),
        ("", "refusal", Outcome.REFUSED),
        ("C", "refusal", Outcome.REFUSED),
    ],
)
def test_why_there_is_no_answer(text: str, stop_reason: str | None, outcome: Outcome) -> None:
    assert read(text, stop_reason) == Answer(outcome=outcome)


@pytest.mark.parametrize(
    ("text", "stop_reason", "expected"),
    [
        ("A, C", "end_turn", (0, 2)),
        ("ANSWER: AC", "end_turn", (0, 2)),
        ("ANSWER: A, C\n\nBoth are insects.", "end_turn", (0, 2)),
        ("I think that it is (B).", "end_turn", (1,)),
        ("Formicidae", None, (2,)),
        ("A or C", "end_turn", Outcome.UNPARSED),
        ("A, D", "end_turn", Outcome.UNPARSED),
        ("A, C", "max_tokens", Outcome.TRUNCATED),
        ("A, C", "refusal", Outcome.REFUSED),
    ],
)
def test_several_choices_may_be_named_in_words(
    text: str, stop_reason: str | None, expected: tuple[int, ...] | Outcome
) -> None:
    response = Response(text=text, stop_reason=stop_reason, model=None, usage=Usage())
    answer = read_answer(response, replace(prompt_of(), several=True), ANT.choices)
    assert (answer.choice or answer.outcome) == expected
