"""What the model of the test server says, and the message that carries it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final, Literal

from evalkit.testing.messages_body import (
    Body,
    answer_schema,
    forced_tool,
    last_user_text,
    prefill_of,
    thinks,
)
from evalkit.testing.messages_models import Json, ServedModel
from evalkit.testing.messages_tokens import count_input_tokens, tokens_of

SENTENCE: Final = "The answer is ({letter})."
_OPTION_LINE: Final = re.compile(r"^[ \t]*\(?([A-Z])[).:][ \t]+(.+?)[ \t]*$", re.MULTILINE)
_INLINE_OPTION: Final = re.compile(r"\(([A-Z])\)\s*([^(]*[^(\s,;])")

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"]
RefusalCategory = Literal["cyber", "bio", "frontier_llm", "reasoning_extraction", "general_harms"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the model would say to a request. What is None is worked out from the request."""

    text: str | None = None
    """Its words, verbatim; after a prefill the continuation only."""
    _: KW_ONLY
    letter: str | None = None
    """Its choice; said in the way that the request asks for, unless there is a text. "c" is what a
    model may say that is bound to "A", "B", or "C". "AC" says both where an array is asked for."""
    thinking: str | None = None
    """Its thoughts; said only where thinking is on."""
    tool_input: Mapping[str, Any] | None = None
    """The input of a call of the forced tool, else of the first one."""
    refusal: RefusalCategory | None = None
    """Why it declines; `stop_reason="refusal"` alone declines without a category."""
    stop_reason: StopReason | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int = 0


Answer = Callable[[Body], Reply]


def same_letter_each_time(body: Body) -> Reply:
    """One of the options of the last user text, chosen by the digest of that text."""
    text = last_user_text(body)
    letters = sorted(options_of(text)) or list("ABCD")
    return Reply(letter=letters[int(_share(text) * len(letters))])


def key_answers(
    key: Mapping[str, str | Sequence[str]],
    *,
    wrong_share: float = 0.0,
    seed: int = 0,
    thinking: str | None = None,
) -> Answer:
    """Answer from a key, with mistakes.

    Args:
        key: the right choice for each stem, as a letter or as the text of the option (which holds
            when choices are shuffled), or several of them. A question is found by its stem standing
            in the last user text; the last one of several, since examples come first.
        wrong_share: share of the questions answered wrong, always the same ones, in [0, 1].
        seed: which ones.
        thinking: what to think before each answer.

    Returns:
        An answer for `MessagesServer`; questions that are not in the key get any letter.
    """

    def answer(body: Body) -> Reply:
        text = last_user_text(body)
        stem = max((stem for stem in key if stem in text), key=text.rfind, default=None)
        if stem is None:
            return same_letter_each_time(body)
        options = options_of(text[text.rfind(stem) + len(stem) :])
        said = key[stem]
        right = [said] if isinstance(said, str) else said
        letter = "".join(_letter_of(each, options) for each in right)
        if _share(f"{seed}:{stem}") < wrong_share:
            letter = _another(letter, sorted(options) or list("ABCD"), stem)
        return Reply(letter=letter, thinking=thinking)

    return answer


def by_model(answers: Mapping[str, Answer]) -> Answer:
    """Answer differently for each model asked for."""
    return lambda body: answers[body["model"]](body)


def options_of(text: str) -> dict[str, str]:
    """The options of a question by letter, from lines such as "(A) ant" or "A. ant"."""
    lines = dict(_OPTION_LINE.findall(text))
    return lines if len(lines) > 1 else dict(_INLINE_OPTION.findall(text))


def _letter_of(right: str, options: Mapping[str, str]) -> str:
    for letter, option in options.items():
        if option == right:
            return letter
    if len(right) == 1:
        return right
    raise LookupError(f"the prompt has no option {right!r}, only {dict(options)!r}")


def _another(letter: str, letters: list[str], stem: str) -> str:
    others = [other for other in letters if other not in letter]
    # Where all are right, fewer are wrong.
    return others[int(_share(f"mistake {stem}") * len(others))] if others else letters[0]


def _share(text: str) -> float:
    """A number in [0, 1) that looks random and is always the same for the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


def compose_message(
    reply: Reply, body: Body, model: ServedModel, *, number: int, style: str
) -> Json:
    """The message of an official response, cut where `max_tokens` or a stop sequence says.

    Args:
        reply: what the model would say.
        body: the request, checked already.
        model: the model it asks for.
        number: makes the id.
        style: how a fresh turn says its letter.
    """
    thoughts, thinking_tokens = _think(reply, body, model)
    limit = body.get("max_tokens")
    said = _speak(reply, body, style, None if limit is None else limit - thinking_tokens, number)
    details = None
    if said.stop_reason == "refusal":
        explanation = "This request was declined."
        details = {"type": "refusal", "category": reply.refusal, "explanation": explanation}
    return {
        "id": _number_id("msg", number),
        "type": "message",
        "role": "assistant",
        "model": model.id,
        "content": [*thoughts, *said.blocks],
        "stop_reason": said.stop_reason,
        "stop_sequence": said.stop_sequence,
        "stop_details": details,
        "usage": _usage(reply, body, model, thinking_tokens, said.tokens),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    blocks: tuple[Json, ...]
    stop_reason: StopReason
    stop_sequence: str | None = None
    tokens: int


def _think(reply: Reply, body: Body, model: ServedModel) -> tuple[tuple[Json, ...], int]:
    """The thinking block, if any, with the tokens that it takes from `max_tokens`."""
    if reply.thinking is None or reply.refusal is not None or not thinks(body, model):
        return (), 0
    tokens = tokens_of(reply.thinking)[: body.get("max_tokens")]
    default = "summarized" if model.shows_thinking else "omitted"
    display = (body.get("thinking") or {}).get("display") or default
    shown = "".join(tokens) if display == "summarized" else ""
    return ({"type": "thinking", "thinking": shown, "signature": "EqQBCkYIARgC"},), len(tokens)


def _speak(reply: Reply, body: Body, style: str, limit: int | None, number: int) -> _Said:
    if reply.refusal is not None or reply.stop_reason == "refusal":
        partial = reply.text or ""
        blocks = _text_blocks(partial)
        return _Said(blocks=blocks, stop_reason="refusal", tokens=len(tokens_of(partial)))
    tool = forced_tool(body)
    if tool is None and reply.tool_input is not None:
        tool = body["tools"][0]
    if tool is not None and reply.text is None:
        said = _call_tool(reply, tool, limit, number)
    else:
        said = _say(_text_for(reply, body, style), body.get("stop_sequences") or [], limit)
    return dataclasses.replace(said, stop_reason=reply.stop_reason or said.stop_reason)


def _say(text: str, stop_sequences: list[str], limit: int | None) -> _Said:
    tokens = tokens_of(text)[:limit]
    spoken = "".join(tokens)
    ends = [(spoken.find(stop), stop) for stop in stop_sequences if stop in spoken]
    if ends:
        end, stop = min(ends)
        count = len(tokens_of(spoken[: end + len(stop)]))
        return _Said(
            blocks=_text_blocks(spoken[:end]),
            stop_reason="stop_sequence",
            stop_sequence=stop,
            tokens=count,
        )
    # The end of a turn is a token of its own: a reply that fills the limit has not ended.
    full = limit is not None and len(tokens) >= limit
    reason: StopReason = "max_tokens" if full else "end_turn"
    count = len(tokens) if limit == 0 else max(1, len(tokens))
    return _Said(blocks=_text_blocks(spoken), stop_reason=reason, tokens=count)


def _text_blocks(text: str) -> tuple[Json, ...]:
    return ({"type": "text", "text": text},) if text else ()


def _call_tool(reply: Reply, tool: Mapping[str, Any], limit: int | None, number: int) -> _Said:
    arguments: object = reply.tool_input
    if arguments is None:
        arguments = _fill(tool.get("input_schema", {}), reply.letter or "A")
    tokens = len(tokens_of(json.dumps(arguments)))
    full = limit is not None and tokens >= limit
    block: Json = {
        "type": "tool_use",
        "id": _number_id("toolu", number),
        "name": tool["name"],
        "input": {} if full else arguments,
    }
    return _Said(
        blocks=(block,),
        stop_reason="max_tokens" if full else "tool_use",
        tokens=min(tokens, limit) if limit is not None else tokens,
    )


def _text_for(reply: Reply, body: Body, style: str) -> str:
    """The words that say the letter as the request asks: continued, as JSON, or as a turn."""
    if reply.text is not None:
        return reply.text
    if reply.letter is None:
        return ""
    schema, prefill = answer_schema(body), prefill_of(body)
    if schema is not None:
        return json.dumps(_fill(schema, reply.letter), separators=(",", ":"))
    if prefill is None:
        return style.format(letter=reply.letter)
    return f"{reply.letter})" if prefill.endswith("(") else f" {reply.letter}"


def _fill(schema: Mapping[str, Any], letter: str) -> object:
    """A value that fits the schema and says the letter wherever it can."""
    if "enum" in schema:
        # A schema binds the letter, not its case.
        named = {str(value).casefold() for value in schema["enum"]}
        letter = letter[:1]
        return letter if letter.casefold() in named else schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "string")
    if kind == "object":
        return {name: _fill(part, letter) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_fill(schema.get("items", {}), each) for each in letter]
    return {"string": letter, "integer": 1, "number": 1.0, "boolean": True}.get(kind)


def _usage(reply: Reply, body: Body, model: ServedModel, thinking: int, spoken: int) -> Json:
    counted = count_input_tokens(body, model) - reply.cache_read_tokens
    return {
        "input_tokens": counted if reply.input_tokens is None else reply.input_tokens,
        "output_tokens": thinking + spoken if reply.output_tokens is None else reply.output_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": reply.cache_read_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens_details": {"thinking_tokens": thinking},
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": "global",
        "speed": "standard",
    }


def _number_id(prefix: str, number: int) -> str:
    return f"{prefix}_01{number:022d}"


def bare_message(message: Json) -> Json:
    """The same message from a third-party server: fewer fields, other ids and reasons."""
    usage = message["usage"]
    reason = message["stop_reason"]
    return {
        "id": "chatcmpl-" + message["id"].removeprefix("msg_"),
        "type": "message",
        "role": "assistant",
        "model": message["model"],
        "content": message["content"],
        "stop_reason": "end_turn" if reason == "stop_sequence" else reason,
        "stop_sequence": message["stop_sequence"],
        "usage": {name: usage[name] for name in ("input_tokens", "output_tokens")},
    }


def echoed(message: Json, prefill: str) -> Json:
    """The same message with the prefill repeated at its start."""
    text = "".join(block["text"] for block in message["content"] if block["type"] == "text")
    return {**message, "content": [{"type": "text", "text": prefill + text}]}


def oddly_cased(reply: Reply, body: Body) -> Reply:
    """The same reply with its letter in the other case, where a schema binds it."""
    bound = answer_schema(body) is not None or forced_tool(body) is not None
    if reply.letter is None or not bound:
        return reply
    return dataclasses.replace(reply, letter=reply.letter.swapcase())


def in_a_fresh_turn(reply: Reply) -> Reply:
    """The same reply in a sentence: where the server ignores a prefill, the model begins anew."""
    if reply.letter is None:
        return reply
    return dataclasses.replace(reply, text=SENTENCE.format(letter=reply.letter))


def without_constraints(body: Body) -> Body:
    """The request as a server reads it that knows no schemas and no tools."""
    ignored = ("output_config", "output_format", "tools", "tool_choice", "thinking")
    return {name: value for name, value in body.items() if name not in ignored}
