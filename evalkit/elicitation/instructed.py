"""Instructed: tell the model in the system prompt to answer with a label alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.answers import Answer, Outcome
from evalkit.elicitation.asking import Asking, Turn, assistant, question_turns, system_field
from evalkit.elicitation.replies import read_words
from evalkit.prompts import Prompt, fill
from evalkit.responses import Response

MAX_TOKENS = 16
"""Room for a label, or for one short sentence around it."""


def build_body(prompt: Prompt, asking: Asking) -> dict[str, Any]:
    """The body of a request; worked examples are answered with their label alone."""
    form = prompt.format
    messages: list[Turn] = []
    for turn in prompt.examples:
        messages += [*question_turns(turn), assistant(turn.label)]
    messages += question_turns(prompt)
    return {
        **asking.answering_fields(MAX_TOKENS),
        **system_field(form, fill(form.instruction, label=prompt.kind_of_label)),
        "messages": messages,
    }


def read_answer(response: Response, prompt: Prompt, choices: Sequence[str]) -> Answer:
    """Read the label in the reply; a reply cut off before it names one is truncated."""
    if response.stop_reason == "refusal":
        return Answer(outcome=Outcome.REFUSED)
    return read_words(response.text, response, prompt, choices)
