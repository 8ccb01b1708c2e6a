"""Numbers on the command line are within their bounds, or refused with what was expected."""

from __future__ import annotations

import argparse

import pytest

from evalkit.cli.numbers import parse_number, parse_orders, parse_seconds, parse_temperature


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0.0), ("1", 1.0), ("0.5", 0.5), ("1e-3", 0.001), ("none", None)]
)
def test_a_temperature_is_a_number_or_none(text: str, value: float | None) -> None:
    assert parse_temperature(text) == value


@pytest.mark.parametrize("text", ["", "hot", "-0.1", "1.1", "nan", "inf", "None", "0,5"])
def test_what_is_no_temperature_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_temperature(text)
    assert str(caught.value) == f"{text!r}: expected a number from 0 to 1, or none"


@pytest.mark.parametrize(("text", "orders"), [("1", 1), ("12", 12), ("cyclic", "cyclic")])
def test_orders_are_a_number_or_cyclic(text: str, orders: int | str) -> None:
    assert parse_orders(text) == orders


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "all", "", "Cyclic"])
def test_what_is_no_number_of_orders_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_orders(text)
    assert str(caught.value) == f"{text!r}: expected a number, at least 1, or cyclic"


@pytest.mark.parametrize("text", ["0", "-1", "nan", "soon", "", "-inf"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        parse_seconds(text)
    assert str(caught.value) == f"{text!r}: expected seconds, more than 0"


def test_a_time_may_be_a_fraction_of_a_second() -> None:
    assert parse_seconds("0.25") == 0.25


def test_bounds_of_a_number_belong_to_it() -> None:
    assert [parse_number(text, "x", least=1, most=2) for text in ("1", "2")] == [1, 2]
