"""Replies that a schema binds: the schema of an answer, and its reading."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.answers import Answer, Outcome, answered_or
from evalkit.elicitation.replies import read_choice
from evalkit.prompts import Prompt
from evalkit.responses import Response

KEY = "answer"
"""The one property of the schema."""

WRAPPERS = ("arguments", "parameters", "input")
"""Where models that write a tool call as text put its input."""


def build_schema(labels: Sequence[str]) -> dict[str, Any]:
    """The schema that lets a reply be one of the labels; the same for all questions with as many.

    Example:
        >>> build_schema(("A", "B"))["properties"]
        {'answer': {'type': 'string', 'enum': ['A', 'B']}}
    """
    return {
        "type": "object",
        "properties": {KEY: {"type": "string", "enum": list(labels)}},
        "required": [KEY],
        "additionalProperties": False,
    }


def read_constrained(
    response: Response, said: str, prompt: Prompt, choices: Sequence[str]
) -> Answer:
    """Read a reply that should be JSON, or, at a server that binds nothing, may be anything.

    Args:
        response: the whole reply.
        said: the JSON in it, or the text where it has none.
        prompt: what was asked.
        choices: the texts of the choices.
    """
    if response.stop_reason == "refusal":
        return Answer(outcome=Outcome.REFUSED)
    value = find_value(said)
    if value is None:
        # A half-written object must not be taken for words.
        if response.was_cut and "{" in said:
            return Answer(outcome=Outcome.TRUNCATED)
        choice = read_choice(said, prompt.labels, choices)
    else:
        choice = match_label(value, prompt.labels)
        if choice is None:
            choice = read_choice(value, prompt.labels, choices)
    return answered_or(choice, Outcome.TRUNCATED if response.was_cut else Outcome.UNPARSED)


def is_bound(said: str, labels: Sequence[str]) -> bool:
    """Whether a reply keeps to the schema; the case of a label is not guaranteed."""
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or list(found) != [KEY]:
        return False
    return isinstance(found[KEY], str) and match_label(found[KEY], labels) is not None


def find_value(said: str) -> str | None:
    r"""What a JSON object in a text gives as the answer; None if there is no such object.

    Example:
        >>> find_value('```json\n{"answer": "b"}\n```'), find_value("The answer is B.")
        ('b', None)
    """
    start, end = said.find("{"), said.rfind("}")
    if not 0 <= start < end:
        return None
    try:
        found = json.loads(said[start : end + 1])
    except (ValueError, RecursionError):
        return None
    for wrapper in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(wrapper), Mapping):
            found = found[wrapper]
    value = found.get(KEY) if isinstance(found, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)


def match_label(value: str, labels: Sequence[str]) -> int | None:
    """The position of a label, whatever its case."""
    wanted = value.strip().upper()
    return list(labels).index(wanted) if wanted in labels else None
