"""Structured: bind the reply to a JSON schema whose only value is one of the labels, or some."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from evalkit.answers import Answer
from evalkit.elicitation.asking import Asking, Turn, assistant, question_turns, system_field
from evalkit.elicitation.constrained import (
    MAX_TOKENS_OF_SEVERAL,
    build_schema,
    fill_schema,
    is_bound,
    read_constrained,
)
from evalkit.prompts import Prompt
from evalkit.responses import Response

MAX_TOKENS = 64
"""Room for `{"answer": "C"}`, however much white space stands in it."""


def build_body(prompt: Prompt, asking: Asking) -> dict[str, Any]:
    """The body of a request; worked examples are answered in the shape of the schema."""
    form = prompt.format
    messages: list[Turn] = []
    for turn in prompt.examples:
        answer = json.dumps(fill_schema(turn.labels, several=prompt.several), separators=(",", ":"))
        messages += [*question_turns(turn), assistant(answer)]
    messages += question_turns(prompt)
    fields = asking.answering_fields(MAX_TOKENS_OF_SEVERAL if prompt.several else MAX_TOKENS)
    schema = {"type": "json_schema", "schema": build_schema(prompt.labels, several=prompt.several)}
    return {
        **fields,
        **system_field(form, prompt.constraint),
        "messages": messages,
        "output_config": {**fields.get("output_config", {}), "format": schema},
    }


def read_answer(response: Response, prompt: Prompt, choices: Sequence[str]) -> Answer:
    """Read the JSON; at a server that ignores the schema, whatever text came instead."""
    return read_constrained(response, response.text, prompt, choices)


def keeps_to_it(response: Response, prompt: Prompt) -> bool:
    """Whether the server bound the reply; the beginning of an object may be one cut off."""
    said = response.text.strip()
    return is_bound(said, prompt.labels, several=prompt.several) or (
        response.was_cut and said[:1] in ("", "{")
    )
