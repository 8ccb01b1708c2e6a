"""Prefill: the model's turn begins with `The answer is (`, and one token follows."""

from __future__ import annotations

import pytest

from evalkit.answers import Answer, Outcome
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.prefill import build_body, read_answer, strip_echo
from evalkit.models.model import Capabilities
from evalkit.prompts import Prompt, PromptFormat, build_prompt
from evalkit.questions import Question
from evalkit.responses import Response, Usage

ASKING = Asking(model="claude-haiku-4-5", capabilities=Capabilities(prefill=True))
ANT = Question(
    id="ant",
    stem="What is latin for ant?",
    choices=("Apoidea", "Rhopalocera", "Formicidae"),
    right=(2,),
)
BEE = Question(id="bee", stem="And for bee?", choices=("Apoidea", "Formicidae"), right=(0,))
ASKED = "What is latin for ant?\n\n(A) Apoidea\n(B) Rhopalocera\n(C) Formicidae"


def prompt_of(*examples: Question, form: PromptFormat | None = None) -> Prompt:
    return build_prompt(ANT, form or PromptFormat(), examples)


def response_of(text: str, stop_reason: str | None = "max_tokens") -> Response:
    return Response(text=text, stop_reason=stop_reason, model=None, usage=Usage())


def read(text: str, stop_reason: str | None = "max_tokens") -> Answer:
    return read_answer(response_of(text, stop_reason), prompt_of(), ANT.choices)


def test_the_reply_begins_with_the_prefill_and_is_one_token_long() -> None:
    assert build_body(prompt_of(), ASKING) == {
        "model": "claude-haiku-4-5",
        "max_tokens": 1,
        "messages": [
            {"role": "user", "content": ASKED},
            {"role": "assistant", "content": "The answer is ("},
        ],
        "temperature": 0.0,
    }


def test_worked_examples_end_as_the_answer_shall_end() -> None:
    assert build_body(prompt_of(BEE), ASKING)["messages"] == [
        {"role": "user", "content": "And for bee?\n\n(A) Apoidea\n(B) Formicidae"},
        {"role": "assistant", "content": "The answer is (A)"},
        {"role": "user", "content": ASKED},
        {"role": "assistant", "content": "The answer is ("},
    ]


def test_the_benchmarks_own_words_are_used() -> None:
    form = PromptFormat(system="Be brief.", labels="digits", prefill="Antwort: [", prefill_end="].")
    body = build_body(prompt_of(BEE, form=form), ASKING)
    assert body["system"] == "Be brief."
    assert [m["content"] for m in body["messages"] if m["role"] == "assistant"] == [
        *("Antwort: [1].", "Antwort: ["),
    ]


def test_no_system_text_is_sent_where_there_is_none() -> None:
    assert "system" not in build_body(prompt_of(), ASKING)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("C", 2),
        ("C)", 2),
        ("c", 2),
        (" C", 2),
        ("C) Formicidae", 2),
        ("B", 1),
        ("The answer is (C", 2),
        ("The answer is (C)", 2),
    ],
)
def test_what_goes_on_with_a_letter_is_an_answer(text: str, choice: int) -> None:
    assert read(text) == Answer(outcome=Outcome.ANSWERED, choice=choice)


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n", "The", "D", "Z", "**", "The answer is (", "The answer is", "the", "Formation"],
)
@pytest.mark.parametrize("stop_reason", ["max_tokens", "end_turn", None, "from the future"])
def test_anything_else_is_unparsed(text: str, stop_reason: str | None) -> None:
    assert read(text, stop_reason) == Answer(outcome=Outcome.UNPARSED)


def test_one_token_is_what_was_asked_for() -> None:
    assert read("C", "max_tokens").outcome is Outcome.ANSWERED
    assert read("**", "max_tokens").outcome is Outcome.UNPARSED


@pytest.mark.parametrize("text", ["", "C", "I can't help with that"])
def test_a_refusal_is_a_refusal_whatever_it_says(text: str) -> None:
    assert read(text, "refusal") == Answer(outcome=Outcome.REFUSED)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("The answer is (C", "C"),
        ("The answer is (The answer is (C", "The answer is (C"),
        ("The answer is", "The answer is"),
        ("the answer is (C", "the answer is (C"),
        ("C", "C"),
        ("", ""),
    ],
)
def test_one_exact_copy_of_the_prefill_is_taken_off(text: str, rest: str) -> None:
    assert strip_echo(text, "The answer is (") == rest


def test_digits_are_read_where_digits_were_offered() -> None:
    prompt = prompt_of(form=PromptFormat(labels="digits"))
    assert read_answer(response_of("3"), prompt, ANT.choices).choice == 2
    assert read_answer(response_of("4"), prompt, ANT.choices).outcome is Outcome.UNPARSED


@pytest.mark.parametrize(
    "prefill",
    ["Answer:", "Label:", "(", "I pick (", "Of A, B and C the right one is (", "A or B or C? A: ("],
)
@pytest.mark.parametrize("reply", ["C", " C", "C)", "c", "C."])
@pytest.mark.parametrize("is_echoed", [True, False])
def test_a_label_goes_on_with_any_prefill(prefill: str, reply: str, is_echoed: bool) -> None:
    prompt = prompt_of(form=PromptFormat(prefill=prefill))
    response = response_of(prefill * is_echoed + reply)
    assert read_answer(response, prompt, ANT.choices).choice == 2


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_the_prefill_itself_is_never_taken_for_an_answer(text: str) -> None:
    prompt = prompt_of(form=PromptFormat(prefill="Not A, B is correct:"))
    assert read_answer(response_of(text), prompt, ANT.choices).outcome is Outcome.UNPARSED
