"""Tool: force the call of a strict tool that takes nothing but one of the labels, or some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.answers import Answer
from evalkit.elicitation.asking import Asking, Turn, question_turns, system_field, text_block
from evalkit.elicitation.constrained import (
    MAX_TOKENS_OF_SEVERAL,
    build_schema,
    fill_schema,
    is_bound,
    read_constrained,
)
from evalkit.prompts import Prompt
from evalkit.responses import Response

MAX_TOKENS = 128
"""Room for one call with one argument."""

NAME = "answer"


def build_body(prompt: Prompt, asking: Asking) -> dict[str, Any]:
    """The body of a request; worked examples are answered by calls of the tool."""
    kind = prompt.kind_of_label
    return {
        **asking.answering_fields(MAX_TOKENS_OF_SEVERAL if prompt.several else MAX_TOKENS),
        **system_field(prompt.format, prompt.constraint),
        "messages": build_messages(prompt),
        "tools": [
            {
                "name": NAME,
                "description": f"Record the {kind}s of all right choices."
                if prompt.several
                else f"Record the {kind} of the right choice.",
                "strict": True,
                "input_schema": build_schema(prompt.labels, several=prompt.several),
            }
        ],
        "tool_choice": {"type": "tool", "name": NAME, "disable_parallel_tool_use": True},
    }


def build_messages(prompt: Prompt) -> list[Turn]:
    """The turns: the result of each example's call opens the turn of the next question."""
    messages: list[Turn] = []
    results: list[Turn] = []
    for number, turn in enumerate(prompt.examples):
        messages += ask_after(results, question_turns(turn))
        call_id = f"toolu_example{number}"
        given = fill_schema(turn.labels, several=prompt.several)
        call = {"type": "tool_use", "id": call_id, "name": NAME, "input": given}
        messages.append({"role": "assistant", "content": [call]})
        results = [{"type": "tool_result", "tool_use_id": call_id, "content": "Recorded."}]
    return [*messages, *ask_after(results, question_turns(prompt))]


def ask_after(results: Sequence[Turn], turns: Sequence[Turn]) -> list[Turn]:
    """Turns of the user's and the model's, the first behind the results of the call before it."""
    first, *others = turns
    if not results:
        return [first, *others]
    content = first["content"]
    blocks = [text_block(content)] if isinstance(content, str) else content
    return [{"role": "user", "content": [*results, *blocks]}, *others]


def read_answer(response: Response, prompt: Prompt, choices: Sequence[str]) -> Answer:
    """Read the tool's input; at a server that forces nothing, whatever text came instead."""
    said = response.text if response.tool_input is None else response.tool_input
    return read_constrained(response, said, prompt, choices)


def keeps_to_it(response: Response, prompt: Prompt) -> bool:
    """Whether the server forced the call; without a word there may have been no room for one."""
    if response.tool_input is None:
        return response.was_cut and not response.text.strip()
    return response.was_cut or is_bound(response.tool_input, prompt.labels, several=prompt.several)
