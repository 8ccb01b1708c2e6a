"""Reasoned: let the model think first, then take the answer that it marks at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.answers import Answer, Outcome
from evalkit.elicitation.asking import Asking, Turn, assistant, question_turns, system_field
from evalkit.elicitation.replies import MARKER, read_words
from evalkit.prompts import Prompt, fill
from evalkit.responses import Response

MAX_TOKENS = 4096
"""Room for thoughts in words, and for the API's thinking."""


def build_body(prompt: Prompt, asking: Asking) -> dict[str, Any]:
    """The body of a request; worked examples have no thoughts, only their marked answer.

    The API's thinking is used where the model has it, unless thoughts in words are asked for.
    """
    form = prompt.format
    messages: list[Turn] = []
    for turn in prompt.examples:
        messages += [*question_turns(turn), assistant(f"Answer: {turn.label}")]
    messages += question_turns(prompt)
    by_api = asking.thought == "api" and asking.capabilities.think_on != "none"
    return {
        **(asking.thinking_fields if by_api else asking.answering_fields)(MAX_TOKENS),
        **system_field(form, fill(form.reasoning, label=prompt.kind_of_label)),
        "messages": messages,
    }


def read_answer(response: Response, prompt: Prompt, choices: Sequence[str]) -> Answer:
    """Read behind the last marker, or the whole reply if it has none.

    A reply cut off before its marker is truncated: what it names so far is a thought.
    """
    if response.stop_reason == "refusal":
        return Answer(outcome=Outcome.REFUSED)
    marks = [mark.start() for mark in MARKER.finditer(response.text)]
    said = response.text[marks[-1] :] if marks else "" if response.was_cut else response.text
    return read_words(said, response, prompt, choices)
