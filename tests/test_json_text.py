"""JSON goes out and comes in whatever a text holds, and what is none is a ValueError."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.json_text import decode_json, encode_json

ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Halves of surrogate pairs too."""

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)

VALUES = st.recursive(
    SCALARS | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_goes_out_comes_in_again(value: Any) -> None:
    assert decode_json(encode_json(value)) == value


@given(VALUES)
def test_what_goes_out_is_json_in_utf_8_that_others_read(value: Any) -> None:
    assert json.loads(encode_json(value).decode()) == value


@given(VALUES)
def test_what_others_write_comes_in(value: Any) -> None:
    assert decode_json(json.dumps(value)) == value
    assert decode_json(json.dumps(value, indent=1).encode()) == value


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ({"a": [1, 2.5, None, True]}, b'{"a":[1,2.5,null,true]}'),
        ("Zoë 🐜", '"Zoë 🐜"'.encode()),
        ("\ud800", rb'"\ud800"'),
        ({"\udfff": "Zoë"}, rb'{"\udfff":"Zo\u00eb"}'),
        (2**64, b"18446744073709551616"),
        (-(2**200), str(-(2**200)).encode()),
        ('\x00\n"\\', rb'"\u0000\n\"\\"'),
    ],
)
def test_how_it_is_written(value: Any, encoded: bytes) -> None:
    assert encode_json(value) == encoded
    assert decode_json(encoded) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan]])
def test_what_is_no_number_in_json_is_not_written_as_one(value: Any) -> None:
    assert b"N" not in encode_json(value)
    assert b"I" not in encode_json(value)


@pytest.mark.parametrize("number", [2**63, 2**64, 10**400, -(10**400)])
def test_integers_keep_every_digit(number: int) -> None:
    assert decode_json(str(number)) == number
    assert decode_json(encode_json({"n": number, "half": "\ud800"})) == {
        "n": number,
        "half": "\ud800",
    }


@pytest.mark.parametrize("depth", [100, 900])
def test_deep_values_come_through(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    assert decode_json(encode_json(value)) == value
    assert decode_json(encode_json([value, "\ud800"])) == [value, "\ud800"]


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b" ", b"{", b"[1, 2", b'{"a" 1}', b"nul", b"<html>", b"\xff\xfe", b'"\xff"', b"1 2"),
        *(b"[" * 100_000, b'{"a":' * 100_000, "", "\ud800"),
        b'{"n": 1' + b"0" * 5000 + b"}",
    ],
    ids=lambda data: repr(data)[:12],
)
def test_what_is_none_is_a_value_error(data: bytes | str) -> None:
    with pytest.raises(ValueError):
        decode_json(data)


@given(st.binary() | ANY_TEXT)
def test_no_garbage_raises_anything_else(data: bytes | str) -> None:
    with suppress(ValueError):
        decode_json(data)
