"""Numbers on the command line: read, and refused with what was expected."""

from __future__ import annotations

import argparse
from typing import Literal


def parse_temperature(text: str) -> float | Literal["default"] | None:
    """A number from 0 to 1, None for `none`, or the word `default`.

    Raises:
        ArgumentTypeError: it is none of these.
    """
    if text == "default":
        return "default"
    return None if text == "none" else parse_number(text, "a number from 0 to 1, or none", most=1)


def parse_orders(text: str) -> int | Literal["cyclic"]:
    """A whole number from 1, or the word `cyclic`.

    Raises:
        ArgumentTypeError: it is neither.
    """
    if text == "cyclic":
        return "cyclic"
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, at least 1, or cyclic")
    return int(text)


def parse_positive(text: str) -> float:
    """A number above 0.

    Raises:
        ArgumentTypeError: it is none.
    """
    return parse_number(text, "a number, more than 0", least=1e-9)


def parse_seconds(text: str) -> float:
    """A time that is not over at once.

    Raises:
        ArgumentTypeError: it is none.
    """
    return parse_number(text, "seconds, more than 0", least=1e-3)


def parse_dollars(text: str) -> float:
    """An amount of money that is not nothing.

    Raises:
        ArgumentTypeError: it is none.
    """
    return parse_number(text.removeprefix("$"), "dollars, more than 0", least=1e-9)


def parse_points(text: str) -> float:
    """Percentage points as a fraction.

    Raises:
        ArgumentTypeError: they are none.
    """
    expected = "percentage points, more than 0, below 50"
    return parse_number(text, expected, least=0.01, most=49.9) / 100


def parse_percent(text: str) -> float:
    """Percent as a fraction.

    Raises:
        ArgumentTypeError: they are none.
    """
    return parse_number(text, "percent, 0 to 100", most=100) / 100


def parse_share(text: str) -> float:
    """A fraction that is more than nothing.

    Raises:
        ArgumentTypeError: it is none.
    """
    return parse_number(text, "a fraction, more than 0, at most 1", least=1e-6, most=1)


def parse_number(
    text: str, expected: str, *, least: float = 0.0, most: float = float("inf")
) -> float:
    """A number within bounds; `nan` is never within them.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
    return number
