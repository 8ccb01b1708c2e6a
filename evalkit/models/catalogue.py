"""The catalogue of models: the file that evalkit ships, corrected by the user's own."""

from __future__ import annotations

import difflib
import functools
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, get_args

from evalkit.errors import UsageError
from evalkit.models.model import (
    Capabilities,
    Lifecycle,
    Model,
    Price,
    Thinking,
    ThinkingSwitch,
)

SHIPPED = Path(__file__).with_name("catalogue.toml")

CAPABILITIES = {
    "prefill": bool,
    "temperature": bool,
    "forced_tool": bool,
    "structured": bool,
    "thinking": get_args(Thinking),
    "think_on": get_args(ThinkingSwitch),
    "efforts": list,
}
FACTS = {
    "alias": str,
    "context_tokens": int,
    "max_output_tokens": int,
    "cache_minimum_tokens": int,
    "characters_per_token": float,
    "max_images": int,
    "image_edge": int,
    "image_tokens": int,
    "lifecycle": get_args(Lifecycle),
    "retires": date,
    "not_before": date,
    "source_date": date,
    "unsure": list,
}
PRICES = {"input": float, "output": float, "cache_read": float, "cache_write": float}
PRICE = {**PRICES, "batch_factor": float}
PRICE_ABOVE = {**PRICES, "prompt_tokens": int}
KEYS = {"id": str, **CAPABILITIES, **FACTS, "price": dict, "price_above": dict}

WORDS = {
    bool: "true or false",
    str: "a text",
    int: "a whole number",
    float: "a number of 0 or more",
    date: "a date such as 2026-11-30",
    list: "a list of texts",
    dict: "a table",
}


def load_catalogue() -> Mapping[str, Model]:
    """The models that evalkit knows, by id and by alias, with the user's corrections.

    Raises:
        UsageError: the user's file can't be used.

    Example:
        >>> load_catalogue()["claude-haiku-4-5"].capabilities.prefill
        True
    """
    path = find_user_file()
    if path is None:
        return read_catalogues((SHIPPED,))
    # A notebook must see what was changed in the file since it was read.
    return read_catalogues((SHIPPED, path), path.stat().st_mtime_ns)


def find_user_file() -> Path | None:
    """The file of the user's own that EVALKIT_MODELS names, or the usual one if it exists.

    Raises:
        UsageError: EVALKIT_MODELS names no file.
    """
    named = os.environ.get("EVALKIT_MODELS")
    if named:
        if not Path(named).is_file():
            raise UsageError(f"EVALKIT_MODELS={named}: no such file")
        return Path(named)
    import platformdirs

    usual = Path(platformdirs.user_config_dir("evalkit")) / "models.toml"
    return usual if usual.is_file() else None


@functools.cache
def read_catalogues(paths: tuple[Path, ...], changed_at: int = 0) -> Mapping[str, Model]:
    """Read files one over the other, once for each time at which the last one was changed.

    Raises:
        UsageError: naming the file, the model, the key and the value.
    """
    models: dict[str, Model] = {}
    for path in paths:
        for entry in read_entries(path):
            name = entry["id"]
            known = next((m for m in models.values() if name in (m.id, m.alias)), Model(id=name))
            model = apply_entry(known, entry, path)
            said = frozenset() if path == SHIPPED else known.corrected | frozenset(entry)
            models[model.id] = replace(model, corrected=said)
    return {name: model for model in models.values() for name in {model.id, model.alias} if name}


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """The tables [[model]] of a file, checked to have known keys and an id."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} can't be read: {error}") from error
    entries = table.get("model", [])
    if set(table) - {"model"} or not isinstance(entries, list):
        raise UsageError(f"{path}: expected tables [[model]] and nothing else")
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise UsageError(f"{path}: [[model]] number {number} has no id")
        check_table(entry, KEYS, f"{path}: {entry['id']}")
        yield entry


def check_table(table: Mapping[str, Any], keys: Mapping[str, Any], place: str) -> None:
    """Refuse keys that are unknown and values of another kind.

    Raises:
        UsageError: naming place, key and value.
    """
    for key, value in table.items():
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1) or sorted(keys)
            raise UsageError(f"{place}: no key {key!r}; there is {', '.join(near)}")
        expected = keys[key]
        if isinstance(expected, tuple):
            fits, words = value in expected, f"one of {', '.join(expected)}"
        else:
            fits, words = is_of(value, expected), WORDS[expected]
        if not fits:
            raise UsageError(f"{place}: {key} = {value!r}: expected {words}")


def is_of(value: object, kind: type) -> bool:
    """Whether a value of TOML is of a kind; numbers may not be negative."""
    if kind in (int, float):
        allowed = int if kind is int else int | float
        return isinstance(value, allowed) and not isinstance(value, bool) and value >= 0
    if kind is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    if kind is date:
        return type(value) is date  # a time of day is a date to Python, but can't be compared
    return isinstance(value, kind)


def apply_entry(model: Model, entry: Mapping[str, Any], path: Path) -> Model:
    """A model with what an entry says of it."""
    place = f"{path}: {entry['id']}"
    values: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in entry.items()
    }
    facts = {key: value for key, value in values.items() if key in FACTS}
    can = {key: value for key, value in values.items() if key in CAPABILITIES}
    price = model.price
    if "price" in entry:
        price = parse_price(entry["price"], PRICE, f"{place}: price")
    if "price_above" in entry:
        table = dict(entry["price_above"])
        above = parse_price(table, PRICE_ABOVE, f"{place}: price_above")
        if price is None or "prompt_tokens" not in table:
            raise UsageError(f"{place}: price_above needs prompt_tokens, and a price beside it")
        price = replace(price, above_prompt_tokens=table["prompt_tokens"], above=above)
    capabilities = replace(model.capabilities, **can)
    return replace(model, **facts, price=price, capabilities=capabilities)


def parse_price(table: Mapping[str, Any], keys: Mapping[str, Any], place: str) -> Price:
    """A price from its table.

    Raises:
        UsageError: input or output is missing, or a value is no number.
    """
    check_table(table, keys, place)
    for needed in ("input", "output"):
        if needed not in table:
            raise UsageError(f"{place}: {needed} is missing")
    dollars: dict[str, Any] = {k: float(v) for k, v in table.items() if k != "prompt_tokens"}
    return Price(**dollars)


def find_model(name: str) -> Model:
    """What the catalogue says of a model; a newer Claude may think before it answers.

    Example:
        >>> find_model("claude-opus-7").capabilities.thinking, find_model("llama").price
        ('always', None)
    """
    known = load_catalogue().get(name)
    if known is not None:
        return known
    thinking: Thinking = "always" if name.startswith("claude-") else "unknown"
    return Model(id=name, capabilities=Capabilities(thinking=thinking))
