"""Tool: a call is forced that takes nothing but a label."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.answers import Answer, Outcome
from evalkit.elicitation.asking import Asking, image_block, text_block
from evalkit.elicitation.tool import build_body, keeps_to_it, read_answer
from evalkit.images import Image
from evalkit.models.model import Capabilities
from evalkit.prompts import Prompt, PromptFormat, build_prompt
from evalkit.questions import Question
from evalkit.responses import Response, Usage
from tests.test_elicitation_instructed import ANT, ASKED, BEE

ASKING = Asking(model="m", capabilities=Capabilities(temperature=True))
WASP = Question(id="wasp", stem="And for wasp?", choices=("Vespa", "Apis"), right=(0,))


def prompt_of(*examples: Question, form: PromptFormat | None = None) -> Prompt:
    return build_prompt(ANT, form or PromptFormat(), examples)


def response_of(
    text: str = "", tool_input: str | None = None, stop_reason: str = "tool_use"
) -> Response:
    return Response(
        text=text, stop_reason=stop_reason, model=None, usage=Usage(), tool_input=tool_input
    )


def test_a_strict_tool_is_forced() -> None:
    assert build_body(prompt_of(), ASKING) == {
        "model": "m",
        "max_tokens": 128,
        "temperature": 0.0,
        "system": "Pick the right choice of every multiple-choice question by its letter.",
        "messages": [{"role": "user", "content": ASKED}],
        "tools": [
            {
                "name": "answer",
                "description": "Record the letter of the right choice.",
                "strict": True,
                "input_schema": {
                    "type": "object",
                    "properties": {"answer": {"type": "string", "enum": ["A", "B", "C"]}},
                    "required": ["answer"],
                    "additionalProperties": False,
                },
            }
        ],
        "tool_choice": {"type": "tool", "name": "answer", "disable_parallel_tool_use": True},
    }


def test_each_worked_example_calls_the_tool_and_its_result_opens_the_next_turn() -> None:
    def call(number: int) -> dict[str, Any]:
        use = {"type": "tool_use", "id": f"toolu_example{number}", "name": "answer"}
        return {"role": "assistant", "content": [{**use, "input": {"answer": "A"}}]}

    def result(number: int) -> dict[str, Any]:
        return {
            "type": "tool_result",
            "tool_use_id": f"toolu_example{number}",
            "content": "Recorded.",
        }

    wasp = "And for wasp?\n\n(A) Vespa\n(B) Apis"
    assert build_body(prompt_of(BEE, WASP), ASKING)["messages"] == [
        {"role": "user", "content": "And for bee?\n\n(A) Apoidea\n(B) Formicidae"},
        call(0),
        {"role": "user", "content": [result(0), text_block(wasp)]},
        call(1),
        {"role": "user", "content": [result(1), text_block(ASKED)]},
    ]


def test_a_picture_stands_behind_the_result_and_before_its_question() -> None:
    image = Image(digest="a" * 64, url="https://example.org/a.png")
    shown = Question(id="shown", stem="Which?", choices=("one", "two"), right=(0,), images=(image,))
    prompt = build_prompt(shown, PromptFormat(), (BEE,))
    content = build_body(prompt, ASKING)["messages"][-1]["content"]
    assert [block["type"] for block in content] == ["tool_result", "image", "text"]
    assert content[1] == image_block(image)


def test_the_benchmarks_own_words_are_used() -> None:
    form = PromptFormat(labels="digits", constrained="Only the {label}!")
    body = build_body(prompt_of(BEE, form=form), ASKING)
    assert body["system"] == "Only the number!"
    assert body["tools"][0]["description"] == "Record the number of the right choice."
    assert body["messages"][1]["content"][0]["input"] == {"answer": "1"}


@pytest.mark.parametrize(
    ("response", "choice", "bound"),
    [
        (response_of(tool_input='{"answer": "C"}'), 2, True),
        (response_of(tool_input='{"answer": "c"}'), 2, True),
        (response_of("I call the tool (A).", '{"answer": "C"}'), 2, True),
        (response_of(tool_input='{"answer": "Formicidae"}'), 2, False),
        (response_of(tool_input='{"answer": "E"}'), None, False),
        (response_of(tool_input="{}"), None, False),
        (response_of(tool_input="null"), None, False),
        # A server that forces nothing.
        (response_of("C", stop_reason="end_turn"), 2, False),
        (response_of('{"answer": "C"}', stop_reason="end_turn"), 2, False),
        (response_of("I can't call tools.", stop_reason="end_turn"), None, False),
        (response_of("", stop_reason="end_turn"), None, False),
        (response_of("The answer is C", stop_reason="max_tokens"), 2, False),
    ],
)
def test_whatever_comes_is_read_and_what_was_not_forced_is_noticed(
    response: Response, choice: int | None, bound: bool
) -> None:
    answer = read_answer(response, prompt_of(), ANT.choices)
    assert answer.choice == choice
    assert answer.outcome in (Outcome.ANSWERED, Outcome.UNPARSED)
    assert keeps_to_it(response, prompt_of()) is bound


@pytest.mark.parametrize("tool_input", ["{}", '{"answer": ""}', None])
def test_a_call_cut_short_is_truncated_and_no_sign_of_an_unbound_server(
    tool_input: str | None,
) -> None:
    response = response_of(tool_input=tool_input, stop_reason="max_tokens")
    answer = read_answer(response, prompt_of(), ANT.choices)
    assert answer == Answer(outcome=Outcome.TRUNCATED)
    assert keeps_to_it(response, prompt_of())
