"""Replies of which nothing but another tool's score is known."""

from __future__ import annotations

from evalkit.answers import Answer, Outcome, share_answer
from evalkit.importers.entries import Entry


def reading_of_score(score: float | None, entry: Entry, key: str) -> Answer:
    """The choice that stands for a score, of a question whose choices are `SCORED`.

    Args:
        score: 1 for right, 0 for wrong.
        entry: where it stands.
        key: of the score there, for an error.

    Raises:
        LogError: there is none, or one between right and wrong.
    """
    if score not in (0.0, 1.0):
        shown = "no score" if score is None else f"score {score:g}"
        remedy = f"{shown}, and no choices: expected 0 or 1; name another score by --score, or the"
        raise entry.fault(key, f"{remedy} choices by --choices")
    return share_answer(Outcome.ANSWERED, 0 if score == 1.0 else 1)
