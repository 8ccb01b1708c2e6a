"""Replies of which nothing but another tool's score is known."""

from __future__ import annotations

from evalkit.answers import Answer, Outcome, share_answer
from evalkit.importers.entries import Entry
from evalkit.questions import Question


def reading_of_score(score: float | None, entry: Entry, key: str) -> Answer | None:
    """The choice that stands for a score, of a question whose choices are `SCORED`.

    Args:
        score: 1 for right, 0 for wrong.
        entry: where it stands.
        key: of the score there, for an error.

    Returns:
        None: there is no score, so that nothing is known of the reply.

    Raises:
        LogError: it lies between right and wrong.
    """
    if score is None:
        return None
    if score not in (0.0, 1.0):
        remedy = "expected 0 or 1, as nothing else tells right from wrong; name another score by"
        raise entry.fault(key, f"score {score:g}: {remedy} --score, or the choices by --choices")
    return share_answer(Outcome.ANSWERED, 0 if score == 1.0 else 1)


def reading_of_known(
    question: Question, score: float | None, entry: Entry, key: str
) -> Answer | None:
    """The choice that stands for a score where the one that was picked is not known.

    A wrong answer is taken for the first wrong choice, so that letters mean nothing in such a run.

    Args:
        question: of whichever choices.
        score: 1 for right, 0 for wrong.
        entry: where it stands.
        key: of the score there, for an error.

    Returns:
        None: there is no score.

    Raises:
        LogError: it lies between right and wrong.
    """
    told = reading_of_score(score, entry, key)
    if told is None:
        return None
    if told.choice == 0:
        right = question.right[0] if question.has_one_answer else question.right
        return share_answer(Outcome.ANSWERED, right)
    wrong = (place for place in range(len(question.choices)) if place not in question.right)
    # Where all choices are right, one of them alone is wrong.
    return share_answer(Outcome.ANSWERED, next(wrong, 0))
