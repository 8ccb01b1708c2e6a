"""What all ways of asking share: turns, the system text, and the fields that models differ in."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.elicitation.asking import (
    Asking,
    assistant,
    image_block,
    question_turns,
    system_field,
    text_block,
    user,
)
from evalkit.images import Image
from evalkit.models.model import Capabilities, Thinking, ThinkingSwitch
from evalkit.prompts import PromptFormat, build_prompt
from evalkit.questions import Question


def fields_of(can: Capabilities, **chosen: Any) -> dict[str, Any]:
    """The fields for an answer at once, without those that are always the same."""
    chosen = {"temperature": None, **chosen}
    fields = Asking(model="m", capabilities=can, **chosen).answering_fields(16)
    assert fields.pop("model") == "m"
    return fields


@pytest.mark.parametrize(
    ("temperature", "taken", "fields"),
    [
        (0.0, True, {"temperature": 0.0}),
        (0.7, True, {"temperature": 0.7}),
        # Not known: llama.cpp samples at 0.8 unless it is told not to.
        (0.0, None, {"temperature": 0.0}),
        (0.0, False, {}),
        (None, True, {}),
        (None, None, {}),
        (None, False, {}),
    ],
)
def test_the_temperature_is_sent_where_it_is_taken(
    temperature: float | None, taken: bool | None, fields: Any
) -> None:
    can = Capabilities(temperature=taken, thinking="off", think_on="adaptive")
    asking = Asking(model="m", capabilities=can, temperature=temperature)
    always = {"model": "m", "max_tokens": 16}
    assert asking.plain_fields(16) == asking.answering_fields(16) == {**always, **fields}
    # A model that thinks is not sampled.
    assert asking.thinking_fields(16) == {**always, "thinking": {"type": "adaptive"}}


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
    assert fields_of(Capabilities(thinking=thinking)) == fields


@pytest.mark.parametrize(
    ("efforts", "effort", "thinking", "sent"),
    [
        (None, "high", "off", "high"),
        (("low", "high"), "high", "off", "high"),
        (None, None, "off", None),
        (None, "high", "always", "high"),
        (None, None, "always", "low"),
        ((), "high", "off", None),
        ((), None, "always", None),
    ],
)
def test_the_effort_is_sent_where_there_is_one(
    efforts: tuple[str, ...] | None, effort: str | None, thinking: Thinking, sent: str | None
) -> None:
    can = Capabilities(efforts=efforts, thinking=thinking)
    config = {} if sent is None else {"output_config": {"effort": sent}}
    found = fields_of(can, effort=effort)
    assert {name: found[name] for name in found if name == "output_config"} == config


def test_a_model_told_to_think_gets_no_effort_of_our_own() -> None:
    can = Capabilities(thinking="always", think_on="adaptive")
    asking = Asking(model="m", capabilities=can)
    assert "output_config" not in asking.thinking_fields(4096)


@pytest.mark.parametrize(
    ("max_tokens", "switch", "thinking"),
    [
        (4096, "adaptive", {"type": "adaptive"}),
        (4096, "enabled", {"type": "enabled", "budget_tokens": 3072}),
        (1100, "enabled", {"type": "enabled", "budget_tokens": 1024}),
        (40_000, "enabled", {"type": "enabled", "budget_tokens": 30_000}),
    ],
)
def test_a_model_is_told_to_think_in_its_own_way(
    max_tokens: int, switch: ThinkingSwitch, thinking: Any
) -> None:
    can = Capabilities(think_on=switch)
    fields = Asking(model="m", capabilities=can, effort="high").thinking_fields(max_tokens)
    assert fields["thinking"] == thinking
    assert fields["output_config"] == {"effort": "high"}


@pytest.mark.parametrize("thinking", ["off", "always"])
def test_the_users_own_room_and_stops_count(thinking: Thinking) -> None:
    can = Capabilities(thinking=thinking, efforts=())
    assert fields_of(can, max_tokens=99, stop_sequences=(")", "\n\n.")) == {
        "max_tokens": 99,
        "stop_sequences": [")", "\n\n."],
    }


@pytest.mark.parametrize(
    ("system", "instruction", "field"),
    [
        ("", "", {}),
        (" \n", "", {}),
        ("Be brief.", "", {"system": "Be brief."}),
        ("", "One letter.", {"system": "One letter."}),
        ("Be brief.", "One letter.", {"system": "Be brief.\n\nOne letter."}),
        (("Be brief.", " "), "", {"system": [text_block("Be brief.")]}),
        (
            ("Be brief.", "Be kind."),
            "One letter.",
            {"system": [text_block(text) for text in ("Be brief.", "Be kind.", "One letter.")]},
        ),
    ],
)
def test_an_empty_system_text_is_not_sent(system: Any, instruction: str, field: Any) -> None:
    # The API answers 400 to a blank text.
    assert system_field(PromptFormat(system=system), instruction) == field


def test_an_earlier_conversation_comes_before_its_question() -> None:
    question = Question(
        id="q",
        stem="Which?",
        choices=("one", "two"),
        right=(0,),
        history=(("user", "Hello."), ("assistant", "Hello!")),
    )
    prompt = build_prompt(question, PromptFormat(), (question,))
    for asked in (prompt, prompt.examples[0]):
        assert question_turns(asked) == [
            user("Hello."),
            assistant("Hello!"),
            user("Which?\n\n(A) one\n(B) two"),
        ]


def test_turns() -> None:
    assert user("Which?") == {"role": "user", "content": "Which?"}
    assert assistant("B") == {"role": "assistant", "content": "B"}


def test_pictures_stand_before_the_question_and_are_counted_if_there_are_several() -> None:
    one, two = (Image(digest=name * 64, url=f"https://example.org/{name}.png") for name in "ab")
    assert user("Which?", [one])["content"] == [image_block(one), text_block("Which?")]
    assert user("Which?", [one, two])["content"] == [
        text_block("Image 1:"),
        image_block(one),
        text_block("Image 2:"),
        image_block(two),
        text_block("Which?"),
    ]
    assert image_block(one)["source"] == {"type": "digest", "sha256": "a" * 64}
