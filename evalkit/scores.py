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
"""The outcomes as small numbers; to the last, which has to be the highest, what was picked is
added: the position of the choice, or, of a set of choices, the number that has a bit for each."""

FIRST_REPLY, FIRST_ANSWER = CODES[Outcome.UNPARSED], CODES[Outcome.ANSWERED]

NO_CODE = -1
"""The code of the correct answer where there can be none."""


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
    several: bool = False
    """Whether the answer is a set of choices."""

    @property
    def correct(self) -> bool | None:
        """Whether exactly what is right was picked; None if no reply came.

        One choice is never all of several right ones.
        """
        if self.answer.outcome in NO_ANSWER:
            return None
        picked = self.answer.choice
        return (picked if isinstance(picked, tuple) else (picked,)) == self.question.right

    @property
    def partial(self) -> float | None:
        """The partial credit of a set of choices, 0 to 1.

        None if no reply came, or one choice is asked for.
        """
        if self.answer.outcome in NO_ANSWER or not self.several:
            return None
        return credit(encode_answer(self.answer), code_of_right(self.question, several=True))


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
        score_question(
            question,
            latest.get((question.id, order, index)),
            form,
            index,
            order,
            several=design.several,
        )
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
    *,
    several: bool = False,
) -> Score:
    """Read one reply and judge it."""
    answer, is_bound = read_row(question, row, form, several=several)
    return Score(
        question=question,
        answer=answer,
        row=row,
        sample_index=sample_index,
        order=order,
        is_bound=is_bound,
        several=several,
    )


def read_row(
    question: Question, row: JournalRow | None, form: PromptFormat, *, several: bool = False
) -> tuple[Answer, bool]:
    """What a row amounts to, and whether its reply keeps to the schema or tool that binds it."""
    if row is None:
        return share_answer(Outcome.NOT_ASKED), True
    if not isinstance(row.result, Response):
        return share_answer(Outcome.FAILED), True
    if row.reading is not None:
        return row.reading, row.is_bound
    prompt = outline_prompt(form, len(question.choices), several)
    answer = read_reply(question, row.order, row.way, row.result, form, several=several)
    return answer, keeps_to_constraint(row.way, row.result, prompt)


def read_reply(
    question: Question,
    order: Order | None,
    way: Way,
    response: Response,
    form: PromptFormat,
    *,
    several: bool = False,
) -> Answer:
    """What a reply amounts to.

    Args:
        question: with its choices in the set's own order.
        order: the one in which they were shown; None: that one.
        way: of asking.
        response: what came.
        form: how the question was written out.
        several: whether several choices could be picked.

    Returns:
        The answer, with what was picked by its position in the set's own order.
    """
    choices = question.choices
    if order is not None:
        choices = tuple(choices[place] for place in order)
    prompt = outline_prompt(form, len(choices), several)
    return restore(read_answer(way, response, prompt, choices), order)


@lru_cache(maxsize=64)
def outline_prompt(form: PromptFormat, choices: int, several: bool = False) -> Prompt:
    """As much of a prompt as it takes to read a reply: labels and format, no texts.

    Args:
        form: how the question was written out.
        choices: how many it has.
        several: whether several may be picked.
    """
    return Prompt(
        format=form,
        examples=(),
        question="",
        labels=build_labels(choices, form.labels),
        several=several,
    )


def encode_answer(answer: Answer) -> int:
    """An answer as a number by `CODES`: below 64, or of sets of choices below 2^27."""
    picked = answer.choice
    if isinstance(picked, tuple):
        return FIRST_ANSWER + as_bits(picked)
    return CODES[answer.outcome] + (picked or 0)


def as_bits(places: Iterable[int]) -> int:
    """Choices as a number that has a bit for each.

    Example:
        >>> as_bits((0, 2)), list_bits(5)
        (5, (0, 2))
    """
    return sum(1 << place for place in places)


def list_bits(number: int) -> tuple[int, ...]:
    """The choices whose bits a number has."""
    return tuple(place for place in range(number.bit_length()) if number >> place & 1)


def code_of_right(question: Question, *, several: bool) -> int:
    """The code of the correct answer, for which all right choices have to be picked and no other.

    Args:
        question: with its right choices.
        several: whether answers are sets of choices; if not, none is correct where several
            choices are right.
    """
    if several:
        return FIRST_ANSWER + as_bits(question.right)
    return FIRST_ANSWER + question.right[0] if len(question.right) == 1 else NO_CODE


def credit(code: int, right: int) -> float:
    """The partial credit of a reply: the Jaccard index of the choices picked and those right.

    Args:
        code: of a reply to which the answer is a set of choices.
        right: the code of the correct one.

    Returns:
        How many choices are in both sets, of those that are in either: 1 if all right ones were
        picked and no other, 0 if none was, or if nothing can be read.

    Source:
        Godbole and Sarawagi (2004), PAKDD, LNCS 3056, 22-30, as the accuracy of classification by
        several labels; `sklearn.metrics.jaccard_score(average="samples")`.

    Example:
        >>> credit(FIRST_ANSWER + 0b0111, FIRST_ANSWER + 0b0101)
        0.6666666666666666
    """
    if code < FIRST_ANSWER:
        return 0.0
    ours, theirs = code - FIRST_ANSWER, right - FIRST_ANSWER
    return (ours & theirs).bit_count() / (ours | theirs).bit_count()


def share_correct(scores: Sequence[Score]) -> float | None:
    """The share of correct responses to one question; None if none came."""
    judged = [score.correct for score in scores if score.correct is not None]
    return sum(judged) / len(judged) if judged else None
