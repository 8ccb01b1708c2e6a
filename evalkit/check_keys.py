"""The keys of `evalkit.toml`, and what each may hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, get_args

from evalkit.elicitation.asking import Thought
from evalkit.requests import WAYS

Parse = Callable[[Any], Any]
"""What is made of a value; it refuses what it can't use with the words for what was expected."""


def text(value: Any) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a text")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """A list of different texts, or one alone."""
    values = value if isinstance(value, list) else [value]
    if not values or len(set(map(str, values))) < len(values):
        raise ValueError("expected a list of different texts")
    return tuple(map(text, values))


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def whole(least: int) -> Parse:
    """A whole number, at least so large."""

    def parse(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"expected a whole number, at least {least}")
        return value

    return parse


def number(value: Any, words: str, least: float, most: float) -> float:
    """A number within bounds."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:
        raise ValueError(f"expected {words}")
    return float(value)


def points(value: Any) -> float:
    """Percentage points as a fraction."""
    return number(value, "percentage points, 0 to less than 100, such as 2.0", 0, 99.999) / 100


def percent(value: Any) -> float:
    """A share in percent as a fraction."""
    return number(value, "percent, 0 to 100, such as 80", 0, 100) / 100


def dollars(value: Any) -> float:
    """An amount of money, as "$2.50"."""
    found = re.fullmatch(r"\$\s*([0-9]+(?:\.[0-9]+)?)", value) if isinstance(value, str) else None
    if found is None or not 0 < float(found[1]) < math.inf:
        raise ValueError('expected dollars, such as "$2.50"')
    return float(found[1])


def budget(value: Any) -> int | float:
    """A number of questions, or an amount of money."""
    if isinstance(value, str):
        return dollars(value)
    try:
        parsed: int = whole(1)(value)
    except ValueError as error:
        raise ValueError('expected a number of questions, or dollars such as "$2.50"') from error
    return parsed


def one_of(*values: str) -> Parse:
    """One of some texts."""

    def parse(value: Any) -> str:
        if value not in values:
            raise ValueError(f"expected {', '.join(values)}")
        return str(value)

    return parse


def orders(value: Any) -> int | str:
    """In how many orders choices are shown."""
    if value == "cyclic":
        return "cyclic"
    try:
        parsed: int = whole(1)(value)
    except ValueError as error:
        raise ValueError('expected a whole number, at least 1, or "cyclic"') from error
    return parsed


def warmth(value: Any) -> float | None:
    """A temperature; "none" leaves it to the endpoint."""
    return None if value == "none" else number(value, '0 to 1, or "none"', 0, 1)


def rate(value: Any) -> float:
    """So many a minute."""
    return number(value, "a number, more than 0", 1e-9, 1e12)


def baseline(value: Any) -> str | bool:
    """A path, or false for none."""
    if value is False:
        return False
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected the path of a file, or false for a check without a gate")
    return value


def prompt(value: Any) -> Any:
    """A file, or the texts themselves."""
    return value if isinstance(value, dict) else text(value)


PROJECT_KEYS: dict[str, Parse] = {
    "results": text,
    "baselines": text,
    "data": text,
    "base_url": text,
    "budget": dollars,
}

SETTINGS: dict[str, Parse] = {
    "way": one_of("auto", *WAYS),
    "limit": whole(1),
    "seed": whole(0),
    "shots": whole(0),
    "samples": whole(1),
    "orders": orders,
    "temperature": warmth,
    "effort": text,
    "thought": one_of(*get_args(Thought)),
    "max_tokens": whole(1),
    "stop": texts,
    "resize": flag,
    "keep_text": flag,
    "concurrency": whole(1),
    "requests_per_minute": rate,
    "tokens_per_minute": rate,
}
"""Keys that are settings of a run."""

CHECK_KEYS: dict[str, Parse] = {
    "benchmark": text,
    "model": text,
    "models": texts,
    "prompt": prompt,
    "margin": points,
    "fail_margin": points,
    "alpha": lambda value: number(value, "more than 0, less than 0.5", 1e-12, 0.499),
    "budget": budget,
    "full": flag,
    "baseline": baseline,
    "threshold": percent,
    **SETTINGS,
}
