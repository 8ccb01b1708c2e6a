"""Question files for measuring speed: the same bytes for the same number of questions.

Each question carries a mark, `(ref 0123abcd)`. The stand-in of `bench_upstream` answers by the mark
alone, so that the number of right answers is known whatever prompt is built around a question.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

LETTERS = "ABCD"

RIGHT_SHARE = 0.7
"""The share of questions whose right choice is what the stand-in answers."""

SUBJECTS = ("tides", "bridges", "bees", "clocks", "glaciers", "harbours", "looms", "orchards")
THINGS = ("keel", "hinge", "wick", "sluice", "rafter", "spindle", "ballast", "trellis", "gear")
DOES = ("bends", "cools", "carries", "outlasts", "steadies", "follows", "splits", "lifts")
WHEN = (
    "when the wind turns",
    "in the first week of spring",
    "under a steady load",
    "as long as the water is low",
    "after a year of use",
    "unless it is kept dry",
)


def letter_of(ref: str) -> str:
    """What the stand-in answers to a question with this mark.

    Example:
        >>> letter_of("0000000e")
        'C'
    """
    return LETTERS[int(ref, 16) % len(LETTERS)]


def write_questions(path: Path, count: int) -> int:
    """Write so many questions with four choices each, some 600 bytes a line.

    They are written one by one: who measures children by their peak memory must stay small itself.

    Returns:
        How many of them the stand-in answers rightly.
    """
    rng = random.Random(f"bench {count}")
    right = 0
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            ref = f"{rng.getrandbits(32):08x}"
            said = letter_of(ref)
            others = [letter for letter in LETTERS if letter != said]
            answer = said if rng.random() < RIGHT_SHARE else rng.choice(others)
            right += answer == said
            subject = rng.choice(SUBJECTS)
            row = {
                "id": f"q{number:06d}",
                "question": f"(ref {ref}) Of {subject} it is known that {build_clause(rng)}, and "
                f"that {build_clause(rng)}. Which of these follows from what is known?",
                "choices": build_choices(rng),
                "answer": answer,
                "category": subject,
            }
            file.write(f"{json.dumps(row)}\n")
    return right


def build_choices(rng: random.Random) -> list[str]:
    """Four different statements."""
    choices: list[str] = []
    while len(choices) < len(LETTERS):
        choice = f"It is {build_clause(rng).removeprefix('the ')}."
        if choice not in choices:
            choices.append(choice)
    return choices


def build_clause(rng: random.Random) -> str:
    """A statement that means nothing."""
    first, second = rng.sample(THINGS, 2)
    return f"the {first} that {rng.choice(DOES)} the {second} {rng.choice(WHEN)}"
