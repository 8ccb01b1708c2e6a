"""The part of a request that many share, marked so that the endpoint may keep it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evalkit.questions import digest_of

BREAKPOINT = {"cache_control": {"type": "ephemeral"}}


def split_shared(body: Mapping[str, Any]) -> tuple[list[Any], int]:
    """What stands before the question: system text, tools and worked examples.

    Returns:
        These parts, and the position of the turn that holds the question.
    """
    turns = body["messages"]
    last = max(place for place, turn in enumerate(turns) if turn["role"] == "user")
    return [body.get("tools"), body.get("system"), turns[:last]], last


def name_prefix(body: Mapping[str, Any]) -> str:
    """A name that requests share which begin alike; for the endpoint, a schema comes first."""
    parts = [body.get("output_config"), split_shared(body)[0]]
    return digest_of(json.dumps(parts, sort_keys=True))


def measure_prefix(body: Mapping[str, Any]) -> int:
    """Characters of text in what stands before the question."""
    return sum(map(count_characters, split_shared(body)[0]))


def list_images(body: Mapping[str, Any]) -> list[str]:
    """The digests of the pictures in what stands before the question."""
    _, last = split_shared(body)
    return [
        block["source"]["sha256"]
        for turn in body["messages"][:last]
        for block in as_blocks(turn["content"])
        if block["type"] == "image"
    ]


def count_characters(part: Any) -> int:
    """Characters of all texts in a part of a request; digests of pictures are none."""
    if isinstance(part, str):
        return len(part)
    if isinstance(part, Mapping):
        return 0 if part.get("type") == "image" else sum(map(count_characters, part.values()))
    if isinstance(part, list | tuple):
        return sum(map(count_characters, part))
    return 0


def mark_prefix(body: Mapping[str, Any]) -> dict[str, Any]:
    """The request with a breakpoint on the last block of what stands before the question.

    Example:
        >>> mark_prefix({"system": "Be brief.", "messages": [{"role": "user", "content": "?"}]})[
        ...     "system"]
        [{'type': 'text', 'text': 'Be brief.', 'cache_control': {'type': 'ephemeral'}}]
    """
    _, last = split_shared(body)
    turns = list(body["messages"])
    question = turns[last]["content"]
    if isinstance(question, list) and question[0]["type"] == "tool_result":
        turns[last] = {**turns[last], "content": [question[0] | BREAKPOINT, *question[1:]]}
        return {**body, "messages": turns}
    if last > 0:
        *blocks, end = as_blocks(turns[last - 1]["content"])
        turns[last - 1] = {**turns[last - 1], "content": [*blocks, end | BREAKPOINT]}
        return {**body, "messages": turns}
    if "system" in body:
        *blocks, end = as_blocks(body["system"])
        return {**body, "system": [*blocks, end | BREAKPOINT]}
    return dict(body)


def as_blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A content as blocks."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
