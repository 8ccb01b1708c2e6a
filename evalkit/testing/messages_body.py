"""What a request body says: its texts, its prefill, how it asks, what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.testing.messages_models import ServedModel

Body = Mapping[str, Any]


def blocks_of(content: object) -> list[Mapping[str, Any]]:
    """The content of a message as blocks: a string equals one text block."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, Mapping)]


def text_of(content: object) -> str:
    """The texts of a content, joined by line ends."""
    blocks = blocks_of(content)
    return "\n".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")


def messages_of(body: Body) -> list[Mapping[str, Any]]:
    """The turns of a request; what is no turn is left out."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return []
    return [message for message in messages if isinstance(message, Mapping)]


def prefill_of(body: Body) -> str | None:
    """The start of the reply that the request gives, None where it ends with the user."""
    messages = messages_of(body)
    if not messages or messages[-1].get("role") != "assistant":
        return None
    return text_of(messages[-1].get("content"))


def without_prefill(body: Body) -> Body:
    """The request as a server reads it that closes the assistant's turn."""
    if prefill_of(body) is None:
        return body
    return {**body, "messages": messages_of(body)[:-1]}


def last_user_text(body: Body) -> str:
    """What the user said last, where the question stands."""
    for message in reversed(messages_of(body)):
        if message.get("role") == "user":
            return text_of(message.get("content"))
    return ""


def answer_schema(body: Body) -> Mapping[str, Any] | None:
    """The JSON schema that the reply has to follow, if the request names one."""
    config = body.get("output_config") or {}
    form = config.get("format") or body.get("output_format") or {}
    schema = form.get("schema")
    return schema if isinstance(schema, Mapping) else None


def forced_tool(body: Body) -> Mapping[str, Any] | None:
    """The tool that the reply has to call, if the request forces one."""
    choice = body.get("tool_choice") or {}
    tools = [tool for tool in body.get("tools") or [] if isinstance(tool, Mapping)]
    if choice.get("type") == "any":
        return tools[0] if tools else None
    if choice.get("type") == "tool":
        return next((tool for tool in tools if tool.get("name") == choice.get("name")), None)
    return None


def thinks(body: Body, model: ServedModel) -> bool:
    """Whether the model thinks before it replies."""
    thinking = body.get("thinking")
    if thinking is None:
        return model.thinks_unasked
    return thinking.get("type") in ("adaptive", "enabled")


def images_of(body: Body) -> list[tuple[str, Mapping[str, Any]]]:
    """Each image block with the place where it stands, such as messages.0.content.1."""
    return [
        image
        for turn, message in enumerate(messages_of(body))
        for image in _images_in(f"messages.{turn}", message)
    ]


def _images_in(place: str, holder: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for index, block in enumerate(blocks_of(holder.get("content"))):
        inner = f"{place}.content.{index}"
        if block.get("type") == "image":
            yield inner, block
        elif block.get("type") == "tool_result":
            yield from _images_in(inner, block)
