"""What a reply amounts to: one of six outcomes, with the choice where there is one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


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
    choice: int | None = None
    """Position of the choice, from 0; None unless the outcome is `answered`."""

    def __post_init__(self) -> None:
        if (self.choice is None) == (self.outcome is Outcome.ANSWERED):
            raise ValueError(f"{self.outcome} with choice {self.choice}")


@lru_cache(maxsize=256)
def share_answer(outcome: Outcome, choice: int | None = None) -> Answer:
    """The reading of a reply, the same object for all that come to the same.

    Raises:
        ValueError: a choice goes with another outcome, or an answer without one.
    """
    return Answer(outcome=outcome, choice=choice)


def answered_or(choice: int | None, otherwise: Outcome) -> Answer:
    """An answer if a choice could be read, else the outcome that says why not."""
    if choice is None:
        return share_answer(otherwise)
    return share_answer(Outcome.ANSWERED, choice)
