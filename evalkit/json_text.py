"""JSON at orjson's speed, with the standard library for the rare text that orjson refuses."""

from __future__ import annotations

import json
from typing import Any

import orjson


def encode_json(value: Any) -> bytes:
    r"""JSON in UTF-8, without spaces.

    A text may hold half of a surrogate pair, which no UTF-8 can; it is escaped.

    Example:
        >>> encode_json({"text": "Zoë"}).decode(), encode_json("\ud800")
        ('{"text":"Zoë"}', b'"\\ud800"')
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def decode_json(data: bytes | memoryview | str) -> Any:
    """What some JSON says.

    Raises:
        ValueError: it is none, or nested too deeply.

    Example:
        >>> decode_json(b'{"answer": "C"}')
        {'answer': 'C'}
    """
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        try:
            return json.loads(bytes(data) if isinstance(data, memoryview) else data)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
