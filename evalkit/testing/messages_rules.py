"""The checks that the service makes before it lets a model read a request.

Texts are those of the documentation where it has them, else those of public error reports; they
are good for people to read, never for a client to rely on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from evalkit.testing.messages_body import Body, blocks_of
from evalkit.testing.messages_errors import Rejection, unknown_tag
from evalkit.testing.messages_model_rules import (
    COMMON_RULES,
    MESSAGE_RULES,
    SAMPLING_FIELDS,
    Rule,
    check_prefill_taken,
)
from evalkit.testing.messages_models import ServedModel, find_model

OLD_VERSION: Final = "2023-06-01"
NEW_VERSION: Final = "2026-10-21"

COUNT_FIELDS: Final = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"}
    | {"cache_control", "speed"}
)
MESSAGE_FIELDS: Final = COUNT_FIELDS | frozenset(
    {"max_tokens", "metadata", "stop_sequences", "stream", "service_tier", "inference_geo"}
    | {"container", "diagnostics", "output_format"}
)
_FIELD_TYPES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "model": ((str,), "a valid string"),
    "max_tokens": ((int,), "a valid integer"),
    "messages": ((list,), "a valid list"),
    "system": ((str, list), "a valid list"),
    "stop_sequences": ((list,), "a valid list"),
    "stream": ((bool,), "a valid boolean"),
    "metadata": ((dict,), "a valid dictionary"),
    "temperature": ((int, float), "a valid number"),
    "top_p": ((int, float), "a valid number"),
    "top_k": ((int,), "a valid integer"),
    "thinking": ((dict,), "a valid dictionary"),
    "output_config": ((dict,), "a valid dictionary"),
    "output_format": ((dict,), "a valid dictionary"),
    "tools": ((list,), "a valid list"),
    "tool_choice": ((dict,), "a valid dictionary"),
}
_BLOCK_TYPES: Final[tuple[str, ...]] = (
    *("text", "image", "document", "search_result", "tool_use", "tool_result"),
    *("thinking", "redacted_thinking"),
)


def check_headers(headers: Mapping[str, str], key: str) -> str:
    """Check key and version.

    Returns:
        The version of the API that the request is written for.
    """
    _check_key(headers, key)
    version = headers.get("anthropic-version")
    if version is None:
        raise Rejection("anthropic-version: header is required")
    if version not in (OLD_VERSION, NEW_VERSION):
        raise Rejection(f'anthropic-version: "{version}" is not a valid version')
    return version


def _check_key(headers: Mapping[str, str], key: str) -> None:
    api_key, bearer = headers.get("x-api-key"), headers.get("authorization")
    if api_key is not None and bearer is not None:
        raise Rejection("x-api-key and authorization headers cannot both be sent", status=401)
    if api_key is None and bearer is None:
        raise Rejection("x-api-key header is required", status=401)
    if api_key is not None and api_key != key:
        raise Rejection("invalid x-api-key", status=401)
    if bearer is not None and bearer != f"Bearer {key}":
        raise Rejection("Invalid bearer token", status=401)


def check_message(body: Body, version: str, *, any_prefill: bool = False) -> ServedModel:
    """Check the body of `POST /v1/messages`.

    Args:
        body: the request.
        version: the version of the API.
        any_prefill: whether every model lets the request write the start of the reply.

    Returns:
        The model that it asks for.
    """
    sampling = SAMPLING_FIELDS if version == OLD_VERSION else ()
    _check_fields(body, MESSAGE_FIELDS.union(sampling), ("model", "max_tokens", "messages"))
    if body.get("stream"):
        raise Rejection("stream: this test server does not stream")
    return _check_content(body, version, any_prefill, (*COMMON_RULES, *MESSAGE_RULES))


def check_count(body: Body, version: str, *, any_prefill: bool = False) -> ServedModel:
    """Check the body of `POST /v1/messages/count_tokens`; arguments as for `check_message`."""
    _check_fields(body, COUNT_FIELDS, ("model", "messages"))
    return _check_content(body, version, any_prefill, COMMON_RULES)


def _check_content(
    body: Body, version: str, any_prefill: bool, rules: Iterable[Rule]
) -> ServedModel:
    _check_system(body)
    _check_messages(body, version)
    model = find_model(body["model"])
    if model is None:
        raise Rejection(f"model: {body['model']}", status=404)
    if not any_prefill:
        check_prefill_taken(body, model)
    for rule in rules:
        rule(body, model)
    return model


def check_leniently(body: Body) -> None:
    """Check no more than third-party servers do: that there are messages."""
    if not isinstance(body.get("messages"), list):
        raise Rejection("'messages' is required")


def _check_fields(body: Body, known: Collection[str], required: Sequence[str]) -> None:
    for field in required:
        if field not in body:
            raise Rejection(f"{field}: Field required")
    _check_no_extras(body, known)
    for field, (types, expected) in _FIELD_TYPES.items():
        if field not in body:
            continue
        value = body[field]
        wrong_bool = isinstance(value, bool) and bool not in types
        if wrong_bool or not isinstance(value, types):
            raise Rejection(f"{field}: Input should be {expected}")


def _check_no_extras(thing: Mapping[str, Any], known: Collection[str], place: str = "") -> None:
    for field in thing:
        if field not in known:
            raise Rejection(f"{place}{field}: Extra inputs are not permitted")


def _check_system(body: Body) -> None:
    for block in blocks_of(body.get("system", [])):
        _check_text("system", block)


def _check_messages(body: Body, version: str) -> None:
    messages = body["messages"]
    if not messages:
        raise Rejection("messages: at least one message is required")
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping):
            raise Rejection(f"messages.{index}: Input should be a valid dictionary")
        for field in ("role", "content"):
            if field not in message:
                raise Rejection(f"messages.{index}.{field}: Field required")
        _check_no_extras(message, ("role", "content"), f"messages.{index}.")
        _check_role(index, messages)
        _check_blocks(index, message, version, last=index == len(messages) - 1)


def _check_role(index: int, messages: Sequence[Mapping[str, Any]]) -> None:
    role = messages[index]["role"]
    if role not in ("user", "assistant", "system"):
        raise Rejection(
            f'messages: Unexpected role "{role}". Allowed roles are "user" or "assistant".'
        )
    if index == 0 and role != "user":
        raise Rejection('messages: first message must use the "user" role')
    if role == "system" and messages[index - 1]["role"] != "user":
        raise Rejection(f'messages.{index}: a "system" message must follow a "user" message')


def _check_blocks(index: int, message: Mapping[str, Any], version: str, *, last: bool) -> None:
    place, content = f"messages.{index}", message["content"]
    if not isinstance(content, str | list):
        raise Rejection(f"{place}.content: Input should be a valid list")
    if content == [] and not (last and message["role"] == "assistant"):
        raise Rejection(
            f"{place}: all messages must have non-empty content except for the optional final "
            "assistant message"
        )
    allowed = _BLOCK_TYPES
    if version == NEW_VERSION and message["role"] == "assistant":
        allowed = tuple(kind for kind in _BLOCK_TYPES if kind != "document")
    for number, block in enumerate(blocks_of(content)):
        if block.get("type") not in allowed:
            raise unknown_tag(f"{place}.content.{number}", block.get("type"), allowed)
        if version == NEW_VERSION and message["role"] == "user" and block.get("citations"):
            raise Rejection(f"{place}.content.{number}.citations: Extra inputs are not permitted")
        _check_text("messages", block)


def _check_text(place: str, block: Mapping[str, Any]) -> None:
    if block.get("type") != "text":
        return
    if not block.get("text"):
        raise Rejection(f"{place}: text content blocks must be non-empty")
    if not str(block["text"]).strip():
        raise Rejection(f"{place}: text content blocks must contain non-whitespace text")
