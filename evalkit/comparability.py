"""How differently two runs were asked: what has to be said before their numbers are compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from evalkit.results import Run
from evalkit.runs.manifest import Identity, Origin

UNSET = "the endpoint's own"
NONE = "none"
UNKNOWN = "not known"
"""What the log of an imported run does not tell; it differs from nothing."""

OF_THE_SET = ("benchmark", "version of the benchmark", "questions")
"""What each tool calls by names of its own."""

DATED = re.compile(r"-\d{8}")
"""What a model's name has more than its alias."""

THINKING_ON = ("adaptive", "enabled")
"""Values of `thinking.type` that have a model think before it answers."""

SAID_OTHERWISE = (
    "max_tokens",
    "output_config",
    "stop_sequences",
    "temperature",
    "thinking",
    "tool_choice",
)
"""Fields of requests that have words of their own here, or go with the way of asking."""


UNTOLD = (
    "choices that may be picked",
    "seed of the worked examples",
    "orders of the choices",
    "seed of the orders",
    "API version",
    "endpoint",
    "weights",
    "thinking",
    "effort",
    "stop sequences",
)
"""What no log tells in evalkit's terms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedDifference:
    """One thing in which two runs were asked differently.

    Example:
        >>> str(AskedDifference(name="way", first="prefill", second="tool"))
        'way: prefill and tool'
    """

    name: str
    """What it is, in words: "way", "temperature"."""
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.name}: {self.first} and {self.second}"


class Asked(Protocol):
    """What tells how a run was asked, such as its manifest."""

    @property
    def identity(self) -> Identity:
        """Its settings."""

    @property
    def prompt_parts(self) -> Mapping[str, str]:
        """A digest of each text of its prompt, by name."""

    @property
    def questions(self) -> int:
        """How many there are."""


def list_differences(first: Asked, second: Asked) -> tuple[AskedDifference, ...]:
    """Everything but the model that was different when two runs were asked.

    What goes with the way of asking is no difference of its own: how much room it leaves for a
    reply, and that a model thinks where it was asked to. Endpoints are compared for one and the
    same model only, since two models may have to stand at two places.

    Args:
        first: of one run.
        second: of the other; the order decides nothing but that of the values.

    Returns:
        Questions first, then how they were asked; nothing if both runs were asked alike.
    """
    ours, theirs = describe(first), describe(second)
    ways = {first.identity.way, second.identity.way}
    skipped = set()
    if not (first.identity.shots and second.identity.shots):
        skipped.add("seed of the worked examples")
    if len(ways) > 1:
        skipped.add("room for a reply")
    if len(ways) > 1 and "reasoned" in ways:
        skipped.add("thinking")
    if first.identity.model != second.identity.model:
        skipped |= {"endpoint", "weights"}
    imported = {first.identity.origin, second.identity.origin} != {None}
    if imported:
        skipped |= {*OF_THE_SET, "room for a reply"}
        if ours["way"] != theirs["way"]:
            skipped.add("part of the log")
    found = []
    for name in dict.fromkeys((*ours, *theirs)):
        values = ours.get(name, NONE), theirs.get(name, NONE)
        if values[0] != values[1] and name not in skipped and UNKNOWN not in values:
            found.append(AskedDifference(name=name, first=values[0], second=values[1]))
    if first.prompt_parts != second.prompt_parts and not imported:
        found.append(compare_prompts(first, second))
    return tuple(found)


def list_run_differences(first: Run, second: Run) -> tuple[AskedDifference, ...]:
    """What `list_differences` finds, and whether one name was answered by two models.

    A name without a date may mean another model on another day.
    """
    found = list_differences(first.manifest, second.manifest)
    served = [", ".join(sorted(run.models_served())) for run in (first, second)]
    if first.manifest.identity.model != second.manifest.identity.model:
        return found
    if not all(served) or served[0] == served[1]:
        return found
    answered = AskedDifference(name="model that answered", first=served[0], second=served[1])
    return (*found, answered)


def describe(asked: Asked) -> dict[str, str]:
    """How a run was asked, in words by name."""
    identity = asked.identity
    if identity.origin is not None:
        return describe_imported(asked, identity.origin)
    return {
        "benchmark": identity.benchmark,
        "version of the benchmark": identity.benchmark_version,
        "questions": f"{asked.questions} (digest {identity.question_digest[:12]})",
        "way": identity.way,
        "worked examples": str(identity.shots),
        "seed of the worked examples": str(identity.seed),
        "choices that may be picked": "several" if identity.several else "one",
        "responses to a question": str(identity.samples),
        "orders of the choices": str(identity.orders or "the set's own"),
        "seed of the orders": str(identity.seed) if isinstance(identity.orders, int) else NONE,
        "API version": identity.api_version,
        "endpoint": identity.endpoint,
        "weights": (identity.model_digest or NONE)[:12],
        **describe_parameters(identity),
    }


def describe_imported(asked: Asked, origin: Origin) -> dict[str, str]:
    """How another tool asked, as far as its log tells."""
    identity, sent = asked.identity, asked.identity.parameters
    room = f"{sent['max_tokens']} tokens" if "max_tokens" in sent else UNKNOWN
    part = {"part of the log": origin.part} if origin.part else {}
    return {
        "benchmark": identity.benchmark,
        "version of the benchmark": identity.benchmark_version or UNKNOWN,
        "questions": f"{asked.questions} (digest {identity.question_digest[:12]})",
        "way": f"by {origin.words}",
        **part,
        "worked examples": str(identity.shots) if identity.shots else UNKNOWN,
        "choices that may be picked": "several" if identity.several else "one",
        "responses to a question": str(identity.samples),
        "temperature": json.dumps(sent["temperature"]) if "temperature" in sent else UNKNOWN,
        "room for a reply": room,
        **dict.fromkeys(UNTOLD, UNKNOWN),
    }


def describe_parameters(identity: Identity) -> dict[str, str]:
    """What all requests of a run had in common, in words by name."""
    sent = identity.parameters
    thinks = as_table(sent.get("thinking")).get("type") in THINKING_ON
    others = {name: json.dumps(value) for name, value in sent.items() if name not in SAID_OTHERWISE}
    return {
        "thinking": "asked for" if thinks else "not asked for",
        "effort": str(as_table(sent.get("output_config")).get("effort", UNSET)),
        "temperature": json.dumps(sent["temperature"]) if "temperature" in sent else UNSET,
        "room for a reply": f"{sent.get('max_tokens', UNSET)} tokens",
        "stop sequences": json.dumps(sent.get("stop_sequences", [])),
        **others,
    }


def as_table(value: Any) -> Mapping[str, Any]:
    """A field that should be an object; an empty one if it is none."""
    return value if isinstance(value, Mapping) else {}


def compare_prompts(first: Asked, second: Asked) -> AskedDifference:
    """The difference of two prompts, with the names of the texts that are not the same."""
    ours, theirs = first.prompt_parts, second.prompt_parts
    names = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
    return AskedDifference(
        name=f"prompt ({', '.join(names)})",
        first=first.identity.prompt_digest[:12],
        second=second.identity.prompt_digest[:12],
    )


def describe_served(run: Run) -> str | None:
    """A sentence about models that answered in place of the one asked for; None if none did."""
    asked = run.manifest.identity.model
    others = [name for name in run.models_served() if not is_same_model(asked, name)]
    return f"{asked} was asked for, {', '.join(others)} answered" if others else None


def is_same_model(asked: str, served: str) -> bool:
    """Whether the model that answered is the one asked for: the same name, or the name with a date.

    Example:
        >>> is_same_model("claude-haiku-4-5", "claude-haiku-4-5-20251001")
        True
        >>> is_same_model("claude-haiku-4-5", "claude-opus-4-5-20251101")
        False
    """
    is_dated = served.startswith(asked) and DATED.fullmatch(served[len(asked) :])
    return served == asked or bool(is_dated)
