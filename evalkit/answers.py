"""What a reply amounts to: one of six outcomes, with the choice where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from operator import lt

Pick = int | tuple[int, ...]
"""A choice by its position, from 0; where several may be right, the positions of all that were
picked, ascending, at least one."""


class Outcome(StrEnum):
    """What became of one question; only the first names a choice."""

    ANSWERED = "answered"
    """A choice could be read."""
    UNPARSED = "unparsed"
    """The model replied, but names no choice, or more than one."""
    REFUSED = "refused"
    """The endpoint says that the model declined."""
    TRUNCATED = "truncated"
    """The reply was cut off before it named a choice."""
    FAILED = "failed"
    """No message came back, after all retries: missing data, no wrong answer."""
    NOT_ASKED = "not_asked"
    """The run ended before this question's turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The reading of one reply."""

    outcome: Outcome
    choice: Pick | None = None
    """What was picked; None unless the outcome is `answered`."""

    def __post_init__(self) -> None:
        if (self.choice is None) == (self.outcome is Outcome.ANSWERED):
            raise ValueError(f"{self.outcome} with choice {self.choice}")
        picked = self.choice
        if isinstance(picked, tuple) and not (picked and all(map(lt, picked, picked[1:]))):
            raise ValueError(f"choices {picked}: expected some, ascending")


@lru_cache(maxsize=4096)
def share_answer(outcome: Outcome, choice: Pick | None = None) -> Answer:
    """The reading of a reply, the same object for all that come to the same.

    Raises:
        ValueError: a choice goes with another outcome, or an answer without one.
    """
    return Answer(outcome=outcome, choice=choice)


def answered_or(choice: Pick | None, otherwise: Outcome) -> Answer:
    """An answer if a choice could be read, else the outcome that says why not."""
    if choice is None:
        return share_answer(otherwise)
    return share_answer(Outcome.ANSWERED, choice)


def name_pick(picked: Pick, labels: Sequence[str]) -> str:
    """The labels of what was picked.

    Example:
        >>> name_pick(1, "ABC"), name_pick((0, 2), "ABC")
        ('B', 'A, C')
    """
    places = picked if isinstance(picked, tuple) else (picked,)
    return ", ".join(labels[place] for place in places)
