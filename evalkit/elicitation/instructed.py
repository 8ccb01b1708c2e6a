"""Instructed: tell the model in the system prompt to answer with a label alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.answers import Answer, Outcome, answered_or
from evalkit.elicitation.asking import Asking, assistant, system_field, user
from evalkit.prompts import Prompt, fill
from evalkit.reading import read_choice
from evalkit.responses import Response

MAX_TOKENS = 16
"""Room for a label, or for one short sentence around it."""

MAX_TOKENS_THINKING = 4096
"""Room for a model that thinks first, whatever it is told; thinking counts as output."""

TRUNCATED = ("max_tokens", "model_context_window_exceeded")


def build_body(prompt: Prompt, asking: Asking) -> dict[str, Any]:
    """The body of a request; worked examples are answered with their label alone."""
    form = prompt.format
    kind = "number" if form.labels == "digits" else "letter"
    messages = []
    for turn in prompt.examples:
        messages += [user(turn.question), assistant(turn.label)]
    messages.append(user(prompt.question))
    return {
        "model": asking.model,
        "max_tokens": MAX_TOKENS,
        **system_field(form.system, fill(form.instruction, label=kind)),
        "messages": messages,
        **asking.sampling(),
        **thinking_fields(asking),
    }


def thinking_fields(asking: Asking) -> dict[str, Any]:
    """Keep the model from thinking; where that can't be done, make it short and give it room."""
    capabilities = asking.capabilities
    if capabilities.may_think:
        return {"max_tokens": MAX_TOKENS_THINKING, "output_config": {"effort": "low"}}
    return {} if capabilities.no_thinking is None else {"thinking": capabilities.no_thinking}


def read_answer(response: Response, prompt: Prompt, choices: Sequence[str]) -> Answer:
    """Read the label in the reply; a reply cut off before it names one is truncated."""
    if response.stop_reason == "refusal":
        return Answer(outcome=Outcome.REFUSED)
    choice = read_choice(response.text, prompt.labels, choices)
    cut = response.stop_reason in TRUNCATED
    return answered_or(choice, Outcome.TRUNCATED if cut else Outcome.UNPARSED)
