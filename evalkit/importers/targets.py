"""Right choices as logs name them: by letter, text or position, or several in one cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from string import ascii_uppercase

from evalkit.loaders.choices import ChoiceForm, FieldError
from evalkit.loaders.fields import match_label
from evalkit.loaders.records import Record

BETWEEN = r"(?:\s?[,;]\s?(?:and\s)?|\s(?:[&+]\s|and\s)?|\Z)"
LIST = re.compile(rf"(?:[(\[]?(?:[A-Za-z]|\d{{1,2}})[)\]]?{BETWEEN}){{2,}}")
"""Several letters or positions in one cell: `A, C`, `(A) and (C)`, `1;3`; but no `1/3`."""

RUN_TOGETHER = re.compile(r"[A-Z]{2,}")
"""The same in capital letters alone, `AC`, if they are in the order of the alphabet."""


def split_answers(record: Record, choices: ChoiceForm, answer: str) -> Record:
    """A record with a list in place of several answers that stand in one cell."""
    value = record.get(answer)
    try:
        named = split_answer(value, choices.find(record).texts) if isinstance(value, str) else []
    except FieldError:  # it is told where the choices are read
        return record
    return record if len(named) < 2 else replace(record, values={**record.values, answer: named})


def split_answer(text: str, choices: Sequence[str]) -> list[str]:
    """The letters or positions in a text that names several; else the text alone.

    Args:
        text: such as "A, C".
        choices: one of them may be such a text itself.

    Example:
        >>> split_answer("A, C", ["x", "y", "z"]), split_answer("AC", ["x", "y", "z"])
        (['A', 'C'], ['A', 'C'])
        >>> split_answer("A, C", ["A, B", "A, C"]), split_answer("CAB", ["x", "y", "z"])
        (['A, C'], ['CAB'])
    """
    bare = text.strip("[]() \n")
    if text.strip() in (choice.strip() for choice in choices):
        return [text]
    if LIST.fullmatch(bare):
        return re.findall(r"\b(?:[A-Za-z]|\d{1,2})\b", bare)
    letters = list(bare)
    offered = set(ascii_uppercase[: len(choices)])
    is_list = RUN_TOGETHER.fullmatch(bare) and letters == sorted(offered.intersection(letters))
    return letters if is_list else [text]


def find_targets(target: object, choices: Sequence[str]) -> tuple[int, ...]:
    """The positions of the choices that a target names, ascending: a list, or a text of several.

    Raises:
        FieldError: it names none, or one of its names is that of no choice.
    """
    named = target if isinstance(target, list) else [target]
    if isinstance(target, str):
        named = split_answer(target, choices)
    if not named:
        raise FieldError("target", target, "expected the right choices")
    return tuple(sorted({find_target(each, choices) for each in named}))


def find_target(target: object, choices: Sequence[str]) -> int:
    """The position of the choice that a target names: by its letter, its text, or its position.

    Raises:
        FieldError: it names none, or more than one.
    """
    place = find_named(target, choices)
    if place is not None:
        return place
    text = str(target).strip() if isinstance(target, str | int) else ""
    if text.isdecimal() and len(text) < 3 and int(text) < len(choices):
        return int(text)
    last = ascii_uppercase[len(choices) - 1]
    remedy = f"expected a letter from A to {last}, a position from 0, or the text of a choice"
    raise FieldError("target", target, remedy)


def find_named(name: object, choices: Sequence[str]) -> int | None:
    """The position of the choice with a text or a letter; None if there is none."""
    text = str(name).strip() if isinstance(name, str | int) else ""
    same = [place for place, choice in enumerate(choices) if choice.strip() == text]
    if len(same) == 1:
        return same[0]
    return match_label(text, tuple(ascii_uppercase[: len(choices)]))
