"""Checks of what a question offers: its choices, each and side by side."""

from __future__ import annotations

import re

from evalkit.linting.doubts import Check
from evalkit.loaders.choices import letters
from evalkit.loaders.guess import is_labelled
from evalkit.loaders.records import shorten
from evalkit.questions import Question

SPACES = re.compile(r"\s+")
EDGES = " .,;:!?\"'`"

SHORTEST_ALIKE = 4
"""Characters from which on two choices that differ in case or punctuation alone are taken for one:
`a` and `A`, or `-1` and `1`, are often the point of a question."""

WORD = re.compile(r"[^\W\d_]{4}")
"""Case is the point of formulas such as `Sc` and `sC`, but not of texts with words in them."""

NO_VALUE = frozenset(
    ("nan", "null", "undefined", "n/a", "#n/a", "<na>", "#ref!", "#value!", "#name?", "#div/0!")
)
"""What programs write for a missing value; `None` and `NA` are too often meant."""

PLACES = ("above", "preceding", "foregoing", "other")
ABOVE = re.compile(
    r"\b(?:all|none|both|neither|any|either|each)\s+(?:one\s+)?(?:of\s+)?(?:the\s+)?"
    r"(?:above|preceding|foregoing|other (?:choices|options|answers))\b",
    re.IGNORECASE,
)
"""`All of the above`: holds wherever it stands last."""

LETTERS = re.compile(
    r"\A\W*(?i:(?:both|either|neither|only|all of)\s*)?"
    r"(?i:(?:options?|choices?|answers?)\s+)?\(?([A-H])\)?"
    r"((?:\s*,\s*\(?[A-H]\)?)*\s*,?\s*(?:and|or|nor|&)\s*\(?[A-H]\)?)"
    r"(?i:\s+(?:only|above|both))?\W*\Z"
)
"""`Both A and B`, `(A) and (C) only`."""


def find_repeated(question: Question) -> str | None:
    """A text that two choices share."""
    if len(set(question.choices)) == len(question.choices):
        return None
    twice = next(text for text in question.choices if question.choices.count(text) > 1)
    return shorten(twice)


def find_alike(question: Question) -> str | None:
    """Two choices that differ in case, spaces or punctuation at the ends alone."""
    seen: dict[str, str] = {}
    for text in question.choices:
        bare = SPACES.sub(" ", text).strip(EDGES)
        bare = bare.casefold() if WORD.search(bare) else bare
        other = seen.setdefault(bare, text) if len(bare) >= SHORTEST_ALIKE else text
        if other != text:
            return f"{shorten(other)} and {shorten(text)}"
    return None


def find_no_value(question: Question) -> str | None:
    """A choice that is a program's word for nothing."""
    found = next((text for text in question.choices if text.casefold() in NO_VALUE), None)
    return None if found is None else shorten(found)


def find_blank(question: Question) -> str | None:
    """A choice without a single letter, digit or symbol."""
    found = next((text for text in question.choices if is_blank(text)), None)
    return None if found is None else shorten(found)


def is_blank(text: str) -> bool:
    """Whether a text is dashes, dots and the like; signs such as + and < may be an answer."""
    return not text.strip("-–—_.… ")


def find_letters_inside(question: Question) -> str | None:
    """The first choice, if each begins with its own letter."""
    return shorten(question.choices[0]) if is_labelled(list(question.choices)) else None


def find_reference(question: Question) -> str | None:
    """A choice that speaks of others by their place or letter."""
    for text in question.choices:
        lower = text.lower()
        speaks = any(word in lower for word in PLACES) and ABOVE.search(text)
        if speaks or names_letters(text, len(question.choices)):
            return shorten(text)
    return None


def names_letters(text: str, choices: int) -> bool:
    """Whether a choice is made of the letters of others.

    Example:
        >>> names_letters("Both A and C", 4), names_letters("F or H", 4), names_letters("A cat", 4)
        (True, False, False)
    """
    match = LETTERS.match(text)
    named = [] if match is None else re.findall(r"\b[A-H]\b", match[1] + match[2])
    return bool(named) and set(named) <= set(letters(choices))


def find_all_right(question: Question) -> str | None:
    """How many choices there are, if every one is right."""
    everything = len(question.right) == len(question.choices)
    return f"all {len(question.choices)} choices are right" if everything else None


REFERENCES = Check(
    name="references",
    level="note",
    find=find_reference,
    says="have a choice that speaks of others, such as `all of the above`",
    remedy="show their choices in the order of the file: leave out shuffle_seed, and `--orders`, "
    "where such choices matter",
)

CHOICE_CHECKS = (
    Check(
        name="repeated-choices",
        level="warning",
        find=find_repeated,
        says="offer a choice twice",
        remedy="mend the choices or leave these questions out: a model that picks the other copy "
        "counts as wrong",
    ),
    Check(
        name="near-identical-choices",
        level="warning",
        find=find_alike,
        says="offer choices that differ in case, spaces or punctuation alone",
        remedy="mend the choices or leave these questions out",
    ),
    Check(
        name="missing-values",
        level="warning",
        find=find_no_value,
        says="have a choice that is a program's word for a missing value",
        remedy="look at the file that they were made from: something was lost on the way",
    ),
    Check(
        name="blank-choices",
        level="warning",
        find=find_blank,
        says="have a choice without a word or sign",
        remedy="look at the file that they were made from: a cell may have been empty",
    ),
    Check(
        name="letters-in-choices",
        level="warning",
        find=find_letters_inside,
        says="have choices that begin with their letters, which the prompt adds once more",
        remedy='write choices = { list = "...", labelled = true }, which takes the letters off, or '
        "take them out of the columns",
    ),
    Check(
        name="all-right",
        level="warning",
        find=find_all_right,
        says="call every choice right",
        remedy="look at the column of the answer: it can't be answered wrong",
    ),
)
