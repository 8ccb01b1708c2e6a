"""Replies read and judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evalkit.answers import Answer, Outcome, share_answer
from evalkit.elicitation.choose import keeps_to_constraint, read_answer
from evalkit.orders import Design, restore
from evalkit.prompts import Prompt, PromptFormat, build_labels
from evalkit.questions import Order, Question
from evalkit.requests import Way
from evalkit.responses import Response
from evalkit.runs.journal import JournalRow

NO_ANSWER = (Outcome.FAILED, Outcome.NOT_ASKED)
"""Missing data: they make a run incomplete, and are never counted as wrong."""

UNREADABLE = (Outcome.UNPARSED, Outcome.REFUSED, Outcome.TRUNCATED)
"""The model replied without naming a choice: not correct, and always shown beside the accuracy."""


CODES: Mapping[Outcome, int] = {
    Outcome.NOT_ASKED: 0,
    Outcome.FAILED: 1,
    Outcome.UNPARSED: 2,
    Outcome.REFUSED: 3,
    Outcome.TRUNCATED: 4,
    Outcome.ANSWERED: 5,
}
"""The outcomes as small numbers; to the last, which has to be the highest, the position of the
choice is added."""

FIRST_REPLY, FIRST_ANSWER = CODES[Outcome.UNPARSED], CODES[Outcome.ANSWERED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One question with what came of one response to it."""

    question: Question
    """With its choices in the set's own order."""
    answer: Answer
    """With the choice by its position in that order, whatever the order in which it was shown."""
    row: JournalRow | None = None
    """None: not asked."""
    sample_index: int = 0
    order: Order | None = None
    """The order in which the choices were shown; None: the set's own."""
    is_bound: bool = True
    """False: the reply does not keep to the schema or tool that should have bound it."""

    @property
    def correct(self) -> bool | None:
        """Whether the right choice was named; None if no reply came back."""
        if self.answer.outcome in NO_ANSWER:
            return None
        return self.answer.choice in self.question.right


def score_questions(
    questions: Iterable[Question],
    rows: Iterable[JournalRow],
    form: PromptFormat,
    design: Design | None = None,
) -> tuple[Score, ...]:
    """Read every reply and judge it, question after question, order after order of its choices.

    Of a reply that was cut off and asked again, the second counts, unless the endpoint gives no
    more room.

    Args:
        questions: of the run.
        rows: of its journal, in whatever order.
        form: how the questions were written out.
        design: what is wanted of each question; None: one response.
    """
    design = design or Design()
    rows = sorted(rows, key=lambda row: row.is_retake)
    latest = {
        (row.question_id, row.order, row.sample_index): row for row in rows if not row.is_futile
    }
    return tuple(
        score_question(question, latest.get((question.id, order, index)), form, index, order)
        for question in questions
        for order in design.list_orders(question)
        for index in range(design.samples)
    )


def score_question(
    question: Question,
    row: JournalRow | None,
    form: PromptFormat,
    sample_index: int = 0,
    order: Order | None = None,
) -> Score:
    """Read one reply and judge it."""
    answer, is_bound = read_row(question, row, form)
    return Score(
        question=question,
        answer=answer,
        row=row,
        sample_index=sample_index,
        order=order,
        is_bound=is_bound,
    )


def read_row(question: Question, row: JournalRow | None, form: PromptFormat) -> tuple[Answer, bool]:
    """What a row amounts to, and whether its reply keeps to the schema or tool that binds it."""
    if row is None:
        return share_answer(Outcome.NOT_ASKED), True
    if not isinstance(row.result, Response):
        return share_answer(Outcome.FAILED), True
    if row.reading is not None:
        return row.reading, row.is_bound
    prompt = outline_prompt(form, len(question.choices))
    answer = read_reply(question, row.order, row.way, row.result, form)
    return answer, keeps_to_constraint(row.way, row.result, prompt)


def read_reply(
    question: Question, order: Order | None, way: Way, response: Response, form: PromptFormat
) -> Answer:
    """What a reply amounts to.

    Args:
        question: with its choices in the set's own order.
        order: the one in which they were shown; None: that one.
        way: of asking.
        response: what came.
        form: how the question was written out.

    Returns:
        The answer, with the choice by its position in the set's own order.
    """
    choices = question.choices
    if order is not None:
        choices = tuple(choices[place] for place in order)
    prompt = outline_prompt(form, len(choices))
    return restore(read_answer(way, response, prompt, choices), order)


@lru_cache(maxsize=64)
def outline_prompt(form: PromptFormat, choices: int) -> Prompt:
    """As much of a prompt as it takes to read a reply: labels and format, no texts.

    Args:
        form: how the question was written out.
        choices: how many it has.
    """
    return Prompt(format=form, examples=(), question="", labels=build_labels(choices, form.labels))


def encode_answer(answer: Answer) -> int:
    """An answer as a number below 64, by `CODES`."""
    return CODES[answer.outcome] + (answer.choice or 0)


def share_correct(scores: Sequence[Score]) -> float | None:
    """The share of correct responses to one question; None if none came."""
    judged = [score.correct for score in scores if score.correct is not None]
    return sum(judged) / len(judged) if judged else None
