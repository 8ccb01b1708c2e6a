"""Which way to ask a model, and what its first replies teach about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, Literal

from evalkit.answers import Answer
from evalkit.elicitation import instructed, prefill, reasoned, structured, tool
from evalkit.elicitation.asking import Asking, assistant, user
from evalkit.errors import ApiError
from evalkit.models.model import Capabilities
from evalkit.prompts import Prompt
from evalkit.requests import Way
from evalkit.responses import Response

MODULES: Mapping[Way, ModuleType] = {
    "prefill": prefill,
    "instructed": instructed,
    "structured": structured,
    "tool": tool,
    "reasoned": reasoned,
}

PROBE_QUESTION = (
    "Which of these is a colour?\n\n(A) seven\n(B) green\n(C) Monday\n(D) loud\n\n"
    "Reply with one full sentence that begins with the words: My choice"
)
"""One easy question whose fresh answer begins differently from a continued one, so that a server
that drops the prefill in silence shows it."""

PROBE_PREFILL = "The answer is ("

Feature = Literal["prefill", "temperature", "thinking", "forced_tool", "structured", "effort"]
"""What a request may hold that a model may refuse."""

NEEDED: Mapping[Way, Feature] = {
    "prefill": "prefill",
    "structured": "structured",
    "tool": "forced_tool",
}
"""The feature without which a way of asking is none."""

CONSTRAINED: tuple[Way, ...] = ("structured", "tool")
"""Ways in which the endpoint binds the reply, which may name several choices then."""

IN_WORDS: Mapping[Feature, str] = {
    "prefill": "prefill",
    "temperature": "temperature",
    "thinking": "thinking setting of this kind",
    "forced_tool": "forced tool",
    "structured": "structured output",
    "effort": "effort of this level",
}

LARGER = 4
"""How much more room a reply gets that was cut off."""


def build_body(way: Way, prompt: Prompt, asking: Asking) -> dict[str, Any]:
    """The body of a request in one way of asking."""
    build: Callable[[Prompt, Asking], dict[str, Any]] = MODULES[way].build_body
    return build(prompt, asking)


def read_answer(way: Way, response: Response, prompt: Prompt, choices: Sequence[str]) -> Answer:
    """Read a reply as the way in which it was asked for demands."""
    read: Callable[[Response, Prompt, Sequence[str]], Answer] = MODULES[way].read_answer
    return read(response, prompt, choices)


def keeps_to_constraint(way: Way, response: Response, prompt: Prompt) -> bool:
    """Whether a reply is bound as the way of asking demands; a refused one says nothing."""
    if way not in CONSTRAINED or response.stop_reason == "refusal":
        return True
    bound: bool = MODULES[way].keeps_to_it(response, prompt)
    return bound


def choose_way(capabilities: Capabilities) -> Way | None:
    """The way that `auto` stands for: prefill where the model takes it; None: not known yet."""
    if capabilities.prefill is None:
        return None
    return "prefill" if capabilities.prefill else "instructed"


def choose_way_of_several(capabilities: Capabilities) -> Way | None:
    """The way that `auto` stands for where several choices may be right; None: there is none."""
    found = (way for way in CONSTRAINED if way in list_ways(capabilities))
    return next(found, None)


def list_ways(capabilities: Capabilities) -> tuple[Way, ...]:
    """All ways that a model takes, or may take."""
    return tuple(
        way
        for way in MODULES
        if way not in NEEDED or getattr(capabilities, NEEDED[way]) is not False
    )


def enlarge(body: Mapping[str, Any], most: int | None) -> dict[str, Any] | None:
    """The same request with room for a longer reply; None if there is no more.

    Args:
        body: the request whose reply was cut off.
        most: output tokens that the model allows; None: not known.
    """
    room = body["max_tokens"]
    more = room * LARGER if most is None else min(room * LARGER, most)
    return {**body, "max_tokens": more} if more > room else None


def build_probe(asking: Asking, *, with_prefill: bool) -> dict[str, Any]:
    """A request whose reply shows whether prefill and temperature are taken."""
    messages = [user(PROBE_QUESTION)]
    if with_prefill:
        messages.append(assistant(PROBE_PREFILL))
    fields = {"model": asking.model, "max_tokens": 1, "messages": messages}
    plain = asking.plain_fields(1)
    return fields | {key: value for key, value in plain.items() if key == "temperature"}


def continues_prefill(response: Response) -> bool:
    """Whether the reply to a probe goes on where the prefill ends: with a letter that was offered.

    Servers that ignore a prefill answer with status 200 and a turn of their own, `My` or `The`.
    """
    reply = prefill.strip_echo(response.text, PROBE_PREFILL)
    return re.match(r"\s*[A-D](?![A-Za-z])", reply, re.IGNORECASE) is not None


def list_features(body: Mapping[str, Any]) -> frozenset[Feature]:
    """The features that a request makes use of."""
    config = body.get("output_config", {})
    sent: dict[Feature, bool] = {
        "prefill": body["messages"][-1]["role"] == "assistant",
        "temperature": "temperature" in body,
        "thinking": "thinking" in body,
        "forced_tool": "tool_choice" in body,
        "structured": "format" in config,
        "effort": "effort" in config,
    }
    return frozenset(feature for feature, is_sent in sent.items() if is_sent)


def refused_feature(error: ApiError, sent: frozenset[Feature]) -> Feature | None:
    """The feature of a request that an error says the model does not take.

    Messages may change, so only the feature's name and the status are relied on. A prefill that
    breaks a rule, such as one that ends in white space, is not told apart here: `PromptFormat`
    refuses it before it is sent.
    """
    if error.status not in (400, 422):
        return None
    text = error.message.lower()
    if "budget_tokens" in text or "with effort" in text:
        return None  # two settings that don't go together: the model takes either
    named: dict[Feature, tuple[str, ...]] = {
        "prefill": ("prefill", "must end with a user message"),
        "forced_tool": ("tool_choice", "tool choice"),
        "temperature": ("temperature",),
        # The advice on thinking names effort too, so that it comes first.
        "thinking": ("thinking",),
        "effort": ("effort",),
        "structured": ("output_config", "output_format", "json_schema", "structured"),
    }
    for feature, words in named.items():
        if feature in sent and any(word in text for word in words):
            return feature
    # Effort is the other thing that stands there.
    return "effort" if "effort" in sent and "output_config" in text else None


def without(
    capabilities: Capabilities, feature: Feature, error: ApiError, body: Mapping[str, Any]
) -> Capabilities:
    """Capabilities after the endpoint has refused a feature of a request."""
    match feature:
        case "thinking":
            return without_thinking(capabilities, error, body["thinking"]["type"])
        case "effort":
            return replace(capabilities, efforts=())
        case _:
            refused: dict[str, Any] = {feature: False}
            return replace(capabilities, **refused)


def without_thinking(capabilities: Capabilities, error: ApiError, kind: str) -> Capabilities:
    """Capabilities after the endpoint has refused one kind of `thinking`.

    The error names what it takes instead, if there is anything.
    """
    text = error.message.lower()
    if kind in ("adaptive", "enabled"):
        other: Literal["adaptive", "enabled"] = "enabled" if kind == "adaptive" else "adaptive"
        tried = capabilities.think_on != kind
        takes_other = not tried and (f"thinking.type.{other}" in text or kind == "adaptive")
        return replace(capabilities, think_on=other if takes_other else "none")
    takes_other = kind == "disabled" and "between_tools" in text
    return replace(capabilities, thinking="between_tools" if takes_other else "always")
