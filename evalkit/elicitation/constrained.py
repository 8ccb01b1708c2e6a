"""Replies that a schema binds: the schema of an answer, and its reading."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.answers import Answer, Outcome, Pick, answered_or
from evalkit.elicitation.replies import read_choice, read_choices
from evalkit.prompts import Prompt
from evalkit.responses import Response

KEY, KEY_OF_SEVERAL = "answer", "answers"
"""The one property of the schema, and that of a schema for several labels."""

MAX_TOKENS_OF_SEVERAL = 256
"""Room for an array of all letters."""

WRAPPERS = ("arguments", "parameters", "input")
"""Where models that write a tool call as text put its input."""


def build_schema(labels: Sequence[str], *, several: bool = False) -> dict[str, Any]:
    """The schema that lets a reply be one of the labels; the same for all questions with as many.

    Args:
        labels: those offered.
        several: whether the reply is an array of at least one of them. The schemas of the Messages
            API can't say that none may come twice.

    Example:
        >>> build_schema(("A", "B"))["properties"]
        {'answer': {'type': 'string', 'enum': ['A', 'B']}}
    """
    key = KEY
    value: dict[str, Any] = {"type": "string", "enum": list(labels)}
    if several:
        key, value = KEY_OF_SEVERAL, {"type": "array", "items": value, "minItems": 1}
    return {
        "type": "object",
        "properties": {key: value},
        "required": [key],
        "additionalProperties": False,
    }


def fill_schema(labels: Sequence[str], *, several: bool = False) -> dict[str, Any]:
    """What a worked example answers.

    Example:
        >>> fill_schema(("B",)), fill_schema(("B",), several=True)
        ({'answer': 'B'}, {'answers': ['B']})
    """
    if several:
        return {KEY_OF_SEVERAL: list(labels)}
    [label] = labels
    return {KEY: label}


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
    value = find_values(said) if prompt.several else find_value(said)
    # A half-written object must not be taken for words, nor half a list for all of it.
    if value is None and response.was_cut and (prompt.several or "{" in said):
        return Answer(outcome=Outcome.TRUNCATED)
    picked: Pick | None
    if isinstance(value, list):
        picked = read_items(value, prompt.labels, choices)
    elif prompt.several:
        picked = read_choices(said if value is None else value, prompt.labels)
    else:
        picked = read_item(said if value is None else value, prompt.labels, choices)
    return answered_or(picked, Outcome.TRUNCATED if response.was_cut else Outcome.UNPARSED)


def read_item(value: str, labels: Sequence[str], choices: Sequence[str]) -> int | None:
    """The choice that a value names, by its label or in words."""
    choice = match_label(value, labels)
    return read_choice(value, labels, choices) if choice is None else choice


def read_items(
    values: Sequence[str], labels: Sequence[str], choices: Sequence[str]
) -> tuple[int, ...] | None:
    """The choices that an array names.

    Returns:
        None: it is empty, one of its items names no choice, or two name the same.
    """
    picked = [read_item(value, labels, choices) for value in values]
    found = {choice for choice in picked if choice is not None}
    return tuple(sorted(found)) if found and len(found) == len(picked) else None


def is_bound(said: str, labels: Sequence[str], *, several: bool = False) -> bool:
    """Whether a reply keeps to the schema; the case of a label is not guaranteed."""
    key = KEY_OF_SEVERAL if several else KEY
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or list(found) != [key]:
        return False
    values = found[key] if several else [found[key]]
    if not isinstance(values, list) or not values:
        return False
    return all(isinstance(v, str) and match_label(v, labels) is not None for v in values)


def find_value(said: str) -> str | None:
    r"""What a JSON object in a text gives as the answer; None if there is no such object.

    Example:
        >>> find_value('```json\n{"answer": "b"}\n```'), find_value("The answer is B.")
        ('b', None)
    """
    found = find_object(said)
    return None if found is None else as_text(found.get(KEY))


def find_values(said: str) -> list[str] | str | None:
    """What a JSON object in a text gives as the answers, as an array or in words; None: nothing.

    Example:
        >>> find_values('{"answers": ["A", "C"]}'), find_values('{"answers": "A, C"}')
        (['A', 'C'], 'A, C')
    """
    found = find_object(said)
    if found is None:
        return None
    given = found.get(KEY_OF_SEVERAL, found.get(KEY))
    if not isinstance(given, list):
        return as_text(given)
    # What is no text names no choice.
    return [as_text(value) or "" for value in given]


def find_object(said: str) -> Mapping[str, Any] | None:
    """The JSON object in a text; that of a tool's input, if the text is a call of it."""
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
    return found if isinstance(found, Mapping) else None


def as_text(value: Any) -> str | None:
    """A text or a whole number as a text; None: it is neither."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value)


def match_label(value: str, labels: Sequence[str]) -> int | None:
    """The position of a label, whatever its case."""
    wanted = value.strip().upper()
    return list(labels).index(wanted) if wanted in labels else None
