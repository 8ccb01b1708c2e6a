"""Prefill: begin the model's turn with `The answer is (` and take the one token that follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.answers import Answer, Outcome, answered_or
from evalkit.elicitation.asking import Asking, Turn, assistant, question_turns, system_field
from evalkit.elicitation.replies import read_choice
from evalkit.prompts import Prompt
from evalkit.responses import Response

MAX_TOKENS = 1

AROUND_A_LABEL = " \n)]}.:*"
"""What a token may hold beside the label."""


def build_body(prompt: Prompt, asking: Asking) -> dict[str, Any]:
    """The body of a request; worked examples end as the answer is meant to end."""
    form = prompt.format
    messages: list[Turn] = []
    for turn in prompt.examples:
        messages += [
            *question_turns(turn),
            assistant(f"{form.prefill}{turn.label}{form.prefill_end}"),
        ]
    messages += [*question_turns(prompt), assistant(form.prefill)]
    return {**asking.plain_fields(MAX_TOKENS), **system_field(form), "messages": messages}


def read_answer(response: Response, prompt: Prompt, choices: Sequence[str]) -> Answer:
    """Read what continues the prefill.

    A reply cut at one token is what was asked for, so that `max_tokens` is no truncation here.
    """
    if response.stop_reason == "refusal":
        return Answer(outcome=Outcome.REFUSED)
    form = prompt.format
    reply = strip_echo(response.text, form.prefill)
    bare = reply.strip(AROUND_A_LABEL)
    # A prefill of one's own may announce nothing that the reader knows; a label alone is clear.
    said = bare if len(bare) == 1 else form.prefill + reply
    choice = read_choice(said, prompt.labels, choices)
    return answered_or(choice if reply.strip() else None, Outcome.UNPARSED)


def strip_echo(text: str, prefill: str) -> str:
    """Take one exact copy of the prefill off: llama.cpp and gateways to it repeat it.

    Example:
        >>> strip_echo("The answer is (C", "The answer is (")
        'C'
    """
    return text.removeprefix(prefill)
