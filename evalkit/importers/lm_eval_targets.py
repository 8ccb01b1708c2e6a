"""The right choices of a sample of lm-evaluation-harness, which its target names."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from evalkit.importers.entries import Entry
from evalkit.importers.targets import find_targets
from evalkit.loaders.choices import FieldError

LISTED = re.compile(r"\[[^\[\]{}]{1,500}\]")
"""A list as a text, which is what becomes of it where a target is not a text already."""


def read_right(entry: Entry, texts: Sequence[str]) -> tuple[int, ...]:
    """The positions of the right choices, which the target names by position, text or letter.

    The target of TruthfulQA's second task is none; marks beside its choices say which are right.

    Raises:
        LogError: it names none.
    """
    marked = find_marked(entry.entry("doc").values, texts)
    if len(marked) > 1:
        return marked
    target = read_target(entry)
    # A position comes first: a choice may be a number too.
    places = list(map(read_position, target if isinstance(target, list) else [target]))
    known = sorted({place for place in places if place is not None and place < len(texts)})
    if known and len(known) == len(places):
        return tuple(known)
    try:
        return find_targets(target, texts)
    except FieldError as error:
        raise entry.fault("target", error.remedy) from error


def read_target(entry: Entry) -> Any:
    """What is right, a list where the log has one, if only as a text such as `[0, 2]`."""
    target = entry.values.get("target")
    if isinstance(target, str) and LISTED.fullmatch(target):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return ast.literal_eval(target)
    return target


def read_position(value: Any) -> int | None:
    """A position, written as a number; None if it is none."""
    text = str(value).strip() if isinstance(value, str | int) else ""
    return int(text) if text.isdecimal() and len(text) < 3 else None


def find_marked(doc: Mapping[str, Any], texts: Sequence[str]) -> tuple[int, ...]:
    """The choices that are marked by a 1 in a list beside them; none if there is no such list."""
    for value in doc.values():
        marks = value.get("labels") if isinstance(value, Mapping) else None
        listed = value.get("choices") if isinstance(value, Mapping) else None
        if not isinstance(marks, list) or not isinstance(listed, list):
            continue
        if [str(text).strip() for text in listed] == list(texts) and len(marks) == len(texts):
            return tuple(place for place, mark in enumerate(marks) if mark == 1)
    return ()
