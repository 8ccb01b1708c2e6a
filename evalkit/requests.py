"""Requests to a model: a body, and an id that names it for good."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import orjson

from evalkit.questions import Order

Way = Literal["prefill", "instructed", "structured", "tool", "reasoned"]
"""A way of asking: start the model's turn for it, tell it in the system prompt, bind its reply to a
JSON schema, force a tool on it, or let it think first."""

WAYS: tuple[Way, ...] = get_args(Way)

ID_LENGTH = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call to be made."""

    id: str
    """Digest of question id, sample index, way and body, and the order of the choices if it is not
    the set's own: the same question asked the same way of the same model has the same id, in every
    process and on every machine."""
    question_id: str
    way: Way
    body: Mapping[str, Any]
    """The JSON body of POST /v1/messages."""
    sample_index: int = 0
    is_retake: bool = False
    """Asked once more with room for a longer reply, because the first one was cut off."""
    order: Order | None = None
    """The order in which the choices are shown; None: the set's own."""

    def with_room(self, body: Mapping[str, Any]) -> Request:
        """The same question asked again with another body."""
        again = build_request(self.question_id, self.way, body, self.sample_index, self.order)
        return replace(again, is_retake=True)


def build_request(
    question_id: str,
    way: Way,
    body: Mapping[str, Any],
    sample_index: int = 0,
    order: Order | None = None,
) -> Request:
    """Name a body.

    Example:
        >>> one = build_request("q1", "prefill", {"model": "m", "max_tokens": 1})
        >>> one == build_request("q1", "prefill", {"max_tokens": 1, "model": "m"})
        True
        >>> one.id == build_request("q2", "prefill", one.body).id
        False
    """
    facts = [question_id, sample_index, way, body]
    # Ids from before there were orders stay.
    facts += [] if order is None else [order]
    digest = hashlib.sha256(encode_facts(facts, body)).hexdigest()
    return Request(
        id=digest[:ID_LENGTH],
        question_id=question_id,
        way=way,
        body=body,
        sample_index=sample_index,
        order=order,
    )


def encode_facts(facts: Sequence[object], body: Mapping[str, Any]) -> bytes:
    """What an id is made of, as `json` writes it without spaces and with sorted keys.

    orjson writes the same in a tenth of the time, but for the largest and smallest floats, which
    no field of ours but the temperature could hold, and what it refuses.
    """
    floats = [value for value in body.values() if isinstance(value, float)]
    if all(value == 0 or 1e-4 <= value < 1e16 for value in floats):
        with suppress(orjson.JSONEncodeError):
            return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode()
