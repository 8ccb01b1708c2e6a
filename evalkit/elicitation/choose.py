"""Which way to ask a model, and what its first replies teach about it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from evalkit.answers import Answer
from evalkit.elicitation import instructed, prefill
from evalkit.elicitation.asking import Asking, assistant, user
from evalkit.errors import ApiError
from evalkit.models.model import Capabilities
from evalkit.prompts import Prompt
from evalkit.requests import Way
from evalkit.responses import Response

PROBE_QUESTION = (
    "Which of these is a colour?\n\n(A) seven\n(B) green\n(C) Monday\n(D) loud\n\n"
    "Reply with one full sentence that begins with the words: My choice"
)
"""One easy question whose fresh answer begins differently from a continued one, so that a server
that drops the prefill in silence shows it."""

PROBE_PREFILL = "The answer is ("

Feature = Literal["prefill", "temperature"]


def build_body(way: Way, prompt: Prompt, asking: Asking) -> dict[str, Any]:
    """The body of a request in one way of asking."""
    if way == "prefill":
        return prefill.build_body(prompt, asking)
    return instructed.build_body(prompt, asking)


def read_answer(way: Way, response: Response, prompt: Prompt, choices: Sequence[str]) -> Answer:
    """Read a reply as the way in which it was asked for demands."""
    if way == "prefill":
        return prefill.read_answer(response, prompt, choices)
    return instructed.read_answer(response, prompt, choices)


def choose_way(capabilities: Capabilities) -> Way | None:
    """The way that `auto` stands for: prefill where the model takes it; None: not known yet."""
    if capabilities.prefill is None:
        return None
    return "prefill" if capabilities.prefill else "instructed"


def build_probe(asking: Asking, *, with_prefill: bool) -> dict[str, Any]:
    """A request whose reply shows whether prefill and temperature are taken."""
    messages = [user(PROBE_QUESTION)]
    if with_prefill:
        messages.append(assistant(PROBE_PREFILL))
    return {"model": asking.model, "max_tokens": 1, "messages": messages, **asking.sampling()}


def continues_prefill(response: Response) -> bool:
    """Whether the reply to a probe goes on where the prefill ends: with a letter that was offered.

    Servers that ignore a prefill answer with status 200 and a turn of their own, `My` or `The`.
    """
    reply = prefill.strip_echo(response.text, PROBE_PREFILL)
    return re.match(r"\s*[A-D](?![A-Za-z])", reply, re.IGNORECASE) is not None


def refused_feature(error: ApiError) -> Feature | None:
    """The feature that an error says the model does not take, whether or not it was sent.

    Messages may change, so only the feature's name and the status are relied on. A prefill that
    breaks a rule, such as one that ends in white space, is not told apart here: `PromptFormat`
    refuses it before it is sent.
    """
    if error.status not in (400, 422):
        return None
    text = error.message.lower()
    if "prefill" in text or "must end with a user message" in text:
        return "prefill"
    return "temperature" if "temperature" in text else None


def without(capabilities: Capabilities, feature: Feature) -> Capabilities:
    """Capabilities after the endpoint has refused a feature."""
    if feature == "prefill":
        return replace(capabilities, prefill=False)
    return replace(capabilities, temperature=False)
