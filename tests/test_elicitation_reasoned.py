"""Reasoned: the model thinks, then marks its answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.answers import Answer, Outcome
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.reasoned import build_body, read_answer
from evalkit.models.model import Capabilities, ThinkingSwitch
from evalkit.prompts import Prompt, PromptFormat, build_prompt, fill
from evalkit.responses import Response, Usage
from tests.test_elicitation_instructed import ANT, ASKED, BEE

SYSTEM = fill(PromptFormat().reasoning, label="letter")


def asking_of(think_on: ThinkingSwitch = "none", **chosen: Any) -> Asking:
    can = Capabilities(temperature=True, thinking="disabled", think_on=think_on)
    return Asking(model="m", capabilities=can, **chosen)


def prompt_of(*examples: Any, form: PromptFormat | None = None) -> Prompt:
    return build_prompt(ANT, form or PromptFormat(), examples)


def read(text: str, stop_reason: str | None = "end_turn") -> Answer:
    response = Response(text=text, stop_reason=stop_reason, model=None, usage=Usage())
    return read_answer(response, prompt_of(), ANT.choices)


def test_a_model_is_told_to_think() -> None:
    assert SYSTEM.endswith("\nAnswer: X")
    assert build_body(prompt_of(), asking_of("adaptive")) == {
        "model": "m",
        "max_tokens": 4096,
        "thinking": {"type": "adaptive"},
        "system": SYSTEM,
        "messages": [{"role": "user", "content": ASKED}],
    }


@pytest.mark.parametrize(
    "asking", [asking_of("none"), asking_of("adaptive", thought="text")], ids=["can't", "may not"]
)
def test_or_it_thinks_in_words(asking: Asking) -> None:
    body = build_body(prompt_of(), asking)
    assert (body["max_tokens"], body["temperature"]) == (4096, 0.0)
    assert body["thinking"] == {"type": "disabled"}
    assert body["system"] == SYSTEM


def test_worked_examples_have_their_answer_alone() -> None:
    form = PromptFormat(system="Be brief.", labels="digits", reasoning="Think; then the {label}.")
    body = build_body(prompt_of(BEE, form=form), asking_of())
    assert body["system"] == "Be brief.\n\nThink; then the number."
    assert body["messages"][1] == {"role": "assistant", "content": "Answer: 1"}


C = Answer(outcome=Outcome.ANSWERED, choice=2)


@pytest.mark.parametrize("stop_reason", ["end_turn", "max_tokens", None])
@pytest.mark.parametrize(
    "text",
    [
        "Answer: C",
        "A is a bee, and B a butterfly.\n\nAnswer: C",
        "A is a bee.\n**Answer: C**",
        "A is a bee.\n**Answer:** C",
        "- answer: (C)\n",
        "## Answer: C) Formicidae",
        "Answer: Formicidae",
        "Answer:\nC",
        # Thoughts may hold a marker that is taken back.
        "Answer: A\nNo, that is a bee.\nAnswer: C",
        "A\nB\nANSWER: C\n\nI hope that this helps.",
    ],
)
def test_the_last_marked_answer_counts(text: str, stop_reason: str | None) -> None:
    assert read(text, stop_reason) == C


@pytest.mark.parametrize("text", ["C", "The answer is (C).", "It is not A. The answer is C."])
def test_without_a_marker_the_whole_reply_is_read_unless_it_was_cut(text: str) -> None:
    assert read(text) == C
    # What stands there so far is a thought.
    assert read(text, "max_tokens") == Answer(outcome=Outcome.TRUNCATED)


@pytest.mark.parametrize(
    ("text", "stop_reason", "outcome"),
    [
        ("", "end_turn", Outcome.UNPARSED),
        ("I can't tell.", "end_turn", Outcome.UNPARSED),
        ("Answer: none of them", "end_turn", Outcome.UNPARSED),
        ("Answer: D", "end_turn", Outcome.UNPARSED),
        # A marker that is left empty is not made up for by the thoughts before it.
        ("It might be A.\nAnswer: ?", "end_turn", Outcome.UNPARSED),
        ("", "max_tokens", Outcome.TRUNCATED),
        ("It might be A.\nAnswer:", "max_tokens", Outcome.TRUNCATED),
        ("Answer: C", "refusal", Outcome.REFUSED),
    ],
)
def test_why_there_is_no_answer(text: str, stop_reason: str, outcome: Outcome) -> None:
    assert read(text, stop_reason) == Answer(outcome=outcome)


@given(thoughts=st.text(), label=st.sampled_from("ABC"))
def test_thoughts_never_change_a_marked_answer(thoughts: str, label: str) -> None:
    assert read(f"{thoughts}\nAnswer: {label}").choice == "ABC".index(label)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A is one. B is none.\nAnswer: A, C", (0, 2)),
        ("Answer: B\nNo, wait.\n**Answer:** A and C\nThat is all.", (0, 2)),
        ("Answer: B", (1,)),
        ("A and B, I think, are none", Outcome.UNPARSED),
    ],
)
def test_several_choices_may_be_marked(text: str, expected: tuple[int, ...] | Outcome) -> None:
    response = Response(text=text, stop_reason="end_turn", model=None, usage=Usage())
    answer = read_answer(response, replace(prompt_of(), several=True), ANT.choices)
    assert (answer.choice or answer.outcome) == expected
