"""The checks that depend on the model asked for.

Texts are those of the documentation where it has them, else those of public error reports; they
are good for people to read, never for a client to rely on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from evalkit.testing.messages_body import (
    Body,
    answer_schema,
    forced_tool,
    messages_of,
    prefill_of,
    thinks,
)
from evalkit.testing.messages_caching import check_breakpoints
from evalkit.testing.messages_errors import Rejection, unknown_tag
from evalkit.testing.messages_images import check_images
from evalkit.testing.messages_models import THINKING_TYPES, ServedModel
from evalkit.testing.messages_tokens import count_input_tokens

Rule = Callable[[Body, ServedModel], None]

NO_PREFILL: Final = (
    "This model does not support assistant message prefill. "
    "The conversation must end with a user message."
)
TRAILING_WHITESPACE: Final = "messages: final assistant content cannot end with trailing whitespace"
NO_FORCED_TOOL: Final = 'tool_choice: type "tool" and "any" are not supported for this model.'

SAMPLING_FIELDS: Final = ("temperature", "top_p", "top_k")
_TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def check_prefill_taken(body: Body, model: ServedModel) -> None:
    """Reject a prefill where the model takes none."""
    if prefill_of(body) is not None and not model.prefill:
        raise Rejection(NO_PREFILL)


def _check_prefill(body: Body, model: ServedModel) -> None:
    prefill = prefill_of(body)
    if prefill is None:
        return
    if prefill != prefill.rstrip():
        raise Rejection(TRAILING_WHITESPACE)
    if answer_schema(body) is not None:
        raise Rejection("output_config.format: the conversation must end with a user message")
    if thinks(body, model) and body.get("thinking") is not None:
        last = len(messages_of(body)) - 1
        raise Rejection(
            f"messages.{last}.content.0.type: Expected `thinking` or `redacted_thinking`, but "
            "found `text`. When `thinking` is enabled, a final `assistant` message must start "
            "with a thinking block. To avoid this requirement, disable `thinking`."
        )


def _check_max_tokens(body: Body, model: ServedModel) -> None:
    asked = body["max_tokens"]
    if asked < 0:
        raise Rejection("max_tokens: Input should be greater than or equal to 0")
    if asked > model.max_output_tokens:
        raise Rejection(
            f"max_tokens: {asked} > {model.max_output_tokens}, which is the maximum allowed "
            f"number of output tokens for {model.id}"
        )
    budget = (body.get("thinking") or {}).get("budget_tokens", 0)
    if budget >= asked > 0:
        raise Rejection("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_stops(body: Body, model: ServedModel) -> None:
    for stop in body.get("stop_sequences", []):
        if not isinstance(stop, str) or not stop.strip():
            raise Rejection("stop_sequences: each stop sequence must contain non-whitespace")


def _check_context(body: Body, model: ServedModel) -> None:
    count = count_input_tokens(body, model)
    if count > model.context_tokens:
        raise Rejection(f"prompt is too long: {count} tokens > {model.context_tokens} maximum")


def _check_sampling(body: Body, model: ServedModel) -> None:
    for field in SAMPLING_FIELDS:
        default = field == "temperature" and body.get(field) == 1
        if field in body and not model.sampling and not default:
            raise Rejection(f"`{field}` is deprecated for this model.")
    if not 0 <= body.get("temperature", 1) <= 1:
        raise Rejection("temperature: range: 0..1")
    if model.one_sampling_field and "temperature" in body and "top_p" in body:
        raise Rejection(
            "`temperature` and `top_p` cannot both be specified for this model. "
            "Please use only one."
        )
    if thinks(body, model):
        _check_sampling_with_thinking(body)


def _check_sampling_with_thinking(body: Body) -> None:
    if body.get("temperature", 1) != 1:
        raise Rejection("`temperature` may only be set to 1 when thinking is enabled.")
    if "top_k" in body:
        raise Rejection("`top_k` must be unset when thinking is enabled.")
    if body.get("top_p", 1) < 0.95:
        raise Rejection(
            "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."
        )


def _check_thinking(body: Body, model: ServedModel) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if kind not in THINKING_TYPES:
        raise unknown_tag("thinking", kind, THINKING_TYPES)
    if kind not in model.thinking_types:
        raise Rejection(_thinking_text(kind, model))
    if kind == "enabled" and thinking.get("budget_tokens", 0) < 1024:
        raise Rejection(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        )
    effort = (body.get("output_config") or {}).get("effort")
    if kind != "adaptive" and model.thinkless_up_to_high and effort in ("xhigh", "max"):
        raise Rejection(f'"thinking.type.{kind}" is not supported with effort "{effort}".')


def _thinking_text(kind: str, model: ServedModel) -> str:
    refused = f'"thinking.type.{kind}" is not supported for this model.'
    adaptive = '"thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
    if kind == "adaptive":
        return "adaptive thinking is not supported on this model"
    if kind == "between_tools":
        return refused
    if kind == "disabled" and "between_tools" in model.thinking_types:
        lowest = 'Use "thinking.type.between_tools" for the lowest thinking setting, or'
        return f"{refused} {lowest} {adaptive}"
    return f"{refused} Use {adaptive}"


def _check_effort(body: Body, model: ServedModel) -> None:
    effort = (body.get("output_config") or {}).get("effort")
    if effort is None or effort in model.efforts:
        return
    if not model.efforts:
        raise Rejection("This model does not support the effort parameter.")
    levels = ", ".join(model.efforts)
    raise Rejection(f"This model does not support effort level '{effort}'. Supported: {levels}")


def _check_tools(body: Body, model: ServedModel) -> None:
    for index, tool in enumerate(body.get("tools", [])):
        if not isinstance(tool, Mapping):
            raise Rejection(f"tools.{index}: Input should be a valid dictionary")
        if not _TOOL_NAME.fullmatch(str(tool.get("name", ""))):
            raise Rejection(f"tools.{index}.name: String should match '^{_TOOL_NAME.pattern}$'")
    choice = body.get("tool_choice", {})
    if choice.get("type", "auto") not in ("auto", "any", "tool", "none"):
        raise unknown_tag("tool_choice", choice["type"], ("auto", "any", "tool", "none"))
    if choice and not body.get("tools"):
        raise Rejection("tool_choice: tool_choice may only be specified while providing tools.")
    if choice.get("type") in ("any", "tool"):
        _check_forced_tool(body, model)


def _check_forced_tool(body: Body, model: ServedModel) -> None:
    if not model.forced_tool_choice:
        raise Rejection(NO_FORCED_TOOL)
    if body.get("thinking", {}).get("type") == "enabled":
        raise Rejection("Thinking may not be enabled when tool_choice forces tool use.")
    if forced_tool(body) is None:
        name = body["tool_choice"].get("name")
        raise Rejection(f"tool_choice: Tool '{name}' not found in provided tools")


def _check_format(body: Body, model: ServedModel) -> None:
    form = (body.get("output_config") or {}).get("format")
    if form is not None and (form.get("type") != "json_schema" or answer_schema(body) is None):
        raise Rejection("output_config.format: Input should be a json_schema with a schema")
    schemas = [answer_schema(body)]
    tools: list[Mapping[str, Any]] = body.get("tools", [])
    schemas += [tool.get("input_schema") for tool in tools if tool.get("strict")]
    for schema in schemas:
        if schema is not None:
            _check_schema(schema)


def _check_schema(schema: Mapping[str, Any]) -> None:
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise Rejection(
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be "
            "explicitly set to false"
        )
    for limit in (
        "minimum",
        "maximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
    ):
        if limit in schema:
            raise Rejection(f"output_config.format.schema: property '{limit}' is not supported")
    if schema.get("minItems", 0) not in (0, 1):
        raise Rejection("output_config.format.schema: 'minItems' must be 0 or 1")
    parts = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    for part in (*parts, schema.get("items")):
        if isinstance(part, Mapping):
            _check_schema(part)


COMMON_RULES: Final[tuple[Rule, ...]] = (
    _check_prefill,
    _check_thinking,
    _check_effort,
    _check_tools,
    _check_format,
    check_images,
    check_breakpoints,
    _check_context,
)
"""For messages and for counting alike."""
MESSAGE_RULES: Final[tuple[Rule, ...]] = (_check_max_tokens, _check_stops, _check_sampling)
"""For messages only."""
