"""How many tokens a request has, part by part in the order in which a model reads them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from evalkit.testing.messages_body import Body, answer_schema, blocks_of, messages_of
from evalkit.testing.messages_models import ServedModel
from evalkit.testing.messages_pictures import cost_of

SCHEMA_PROMPT_TOKENS: Final = 60
"""The hidden system prompt that an answer schema brings."""
TOOLS_PROMPT_TOKENS: Final = 200
"""The hidden system prompt that tools bring."""
NEWER_TOKENIZER_FACTOR: Final = 1.3
_ROLE_TOKENS: Final = 2
_TOKEN: Final = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a prompt: what the service adds, a tool, or a block."""

    where: str
    """Which list it stands in: that of the tools, the system prompt, or a role's turn."""
    content: Mapping[str, Any]
    text_tokens: int = 0
    """Before the factor of newer models."""
    picture_tokens: int = 0

    @property
    def cache_control(self) -> Mapping[str, Any] | None:
        """The cache breakpoint at its end."""
        control: Mapping[str, Any] | None = self.content.get("cache_control")
        return control

    @property
    def identity(self) -> str:
        """The same for the same piece in the same place, with a breakpoint or without."""
        said = {name: value for name, value in self.content.items() if name != "cache_control"}
        return f"{self.where} {json.dumps(said)}"


def tokens_of(text: str) -> list[str]:
    """The text in pieces of about a word or a sign; joined, they are the text again."""
    return _TOKEN.findall(text)


def count_input_tokens(body: Body, model: ServedModel) -> int:
    """An estimate of the prompt's tokens; models since 4.7 count about 30 % more for texts."""
    return max(count_prefixes(parts_of(body, model), model), default=0)


def count_prefixes(parts: Sequence[Part], model: ServedModel) -> list[int]:
    """The tokens up to the end of each part."""
    factor = NEWER_TOKENIZER_FACTOR if model.newer_tokenizer else 1.0
    texts = accumulate(part.text_tokens for part in parts)
    pictures = accumulate(part.picture_tokens for part in parts)
    return [
        math.ceil(text * factor) + picture for text, picture in zip(texts, pictures, strict=True)
    ]


def parts_of(body: Body, model: ServedModel) -> list[Part]:
    """The parts of a request: what the service adds, then tools, system prompt, and messages."""
    return [
        *_schema_parts(body),
        *_tool_parts(body),
        *(_block_part("system", block, model) for block in blocks_of(body.get("system"))),
        *_message_parts(body, model),
    ]


def _schema_parts(body: Body) -> Iterator[Part]:
    schema = answer_schema(body)
    if schema is not None:
        count = len(tokens_of(json.dumps(schema))) + SCHEMA_PROMPT_TOKENS
        yield Part(where="schema", content=schema, text_tokens=count)


def _tool_parts(body: Body) -> Iterator[Part]:
    tools = [tool for tool in body.get("tools") or [] if isinstance(tool, Mapping)]
    for index, tool in enumerate(tools):
        count = len(tokens_of(json.dumps({**tool, "cache_control": None})))
        hidden = TOOLS_PROMPT_TOKENS if index == 0 else 0
        yield Part(where="tools", content=tool, text_tokens=hidden + count)


def _message_parts(body: Body, model: ServedModel) -> Iterator[Part]:
    for message in messages_of(body):
        role = str(message.get("role"))
        for index, block in enumerate(blocks_of(message.get("content"))):
            if index == 0:
                yield _block_part(f"new {role}", block, model, more_tokens=_ROLE_TOKENS)
            else:
                yield _block_part(role, block, model)


def _block_part(
    where: str, block: Mapping[str, Any], model: ServedModel, *, more_tokens: int = 0
) -> Part:
    text = str(block.get("text", "")) if block.get("type") == "text" else ""
    pictures = [block, *blocks_of(block.get("content"))]
    sources = [picture.get("source") for picture in pictures if picture.get("type") == "image"]
    return Part(
        where=where,
        content=block,
        text_tokens=len(tokens_of(text)) + more_tokens,
        picture_tokens=sum(
            cost_of(source, model) for source in sources if isinstance(source, Mapping)
        ),
    )
