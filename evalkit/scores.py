"""Answers judged and counted: accuracy with its interval, and what stands behind it."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from evalkit.answers import Answer, Outcome, share_answer
from evalkit.elicitation.choose import keeps_to_constraint, read_answer
from evalkit.prompts import Prompt, PromptFormat, build_labels
from evalkit.questions import MAX_CHOICES, Question
from evalkit.responses import Response
from evalkit.runs.journal import JournalRow
from evalkit.stats.intervals import Interval, mean_interval, wilson_interval

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
    answer: Answer
    row: JournalRow | None = None
    """None: not asked."""
    sample_index: int = 0
    is_bound: bool = True
    """False: the reply does not keep to the schema or tool that should have bound it."""

    @property
    def correct(self) -> bool | None:
        """Whether the right choice was named; None if no reply came back."""
        if self.answer.outcome in NO_ANSWER:
            return None
        return self.answer.choice in self.question.right


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The numbers of a set of scores; all shares are fractions in [0, 1].

    The outcomes count responses, of which each question has `samples`; the accuracy and its n are
    about questions.
    """

    name: str
    """What was counted: a group, or "all"."""
    questions: int
    samples: int
    """Responses wanted for each question."""
    asked: int
    """Questions that got a reply, the n of the accuracy."""
    correct: int
    wrong: int
    unparsed: int
    refused: int
    truncated: int
    failed: int
    not_asked: int
    accuracy: Interval | None
    """The mean over the questions that got a reply of their share of correct responses; None if
    no question did."""
    chance: float
    """Accuracy of blind guessing: the mean of 1 / choices."""
    most_frequent: float
    """Accuracy of always picking the position that is right most often."""

    @property
    def replied(self) -> int:
        """Responses that came."""
        return self.questions * self.samples - self.failed - self.not_asked

    @property
    def is_complete(self) -> bool:
        """Whether every response came that was wanted."""
        return self.failed + self.not_asked == 0

    @property
    def sensitivity(self) -> tuple[float, float] | None:
        """Accuracy if every unreadable reply were wrong, and if every one were right."""
        if self.replied == 0:
            return None
        unreadable = self.unparsed + self.refused + self.truncated
        return self.correct / self.replied, (self.correct + unreadable) / self.replied

    @property
    def missing(self) -> tuple[float, float]:
        """Accuracy over all questions if every missing reply were wrong, and if right."""
        absent, wanted = self.failed + self.not_asked, self.questions * self.samples
        return self.correct / wanted, (self.correct + absent) / wanted

    @property
    def is_above_chance(self) -> bool | None:
        """Whether the interval lies above the chance level; None if there is no interval."""
        return None if self.accuracy is None else self.accuracy.low > self.chance

    @property
    def holds_chance(self) -> bool | None:
        """Whether the accuracy can't be told from guessing; None if there is no interval."""
        return None if self.accuracy is None else self.accuracy.contains(self.chance)

    @property
    def format_decides(self) -> bool:
        """Whether unreadable replies leave more open than the sampling error does."""
        if self.accuracy is None or self.sensitivity is None:
            return False
        low, high = self.sensitivity
        return high - low > self.accuracy.high - self.accuracy.low

    def correct_for_chance(self, share: float) -> float | None:
        """Map an accuracy so that 0 is guessing and 1 is perfect; None where chance is 1.

        Negative values are possible and are not clipped.
        """
        return None if self.chance >= 1 else (share - self.chance) / (1 - self.chance)


def score_questions(
    questions: Iterable[Question],
    rows: Iterable[JournalRow],
    form: PromptFormat,
    samples: int = 1,
) -> tuple[Score, ...]:
    """Read every reply and judge it, in the order of the questions and of their samples.

    Of a reply that was cut off and asked again, the second counts, unless the endpoint gives no
    more room.
    """
    rows = sorted(rows, key=lambda row: row.is_retake)
    latest = {(row.question_id, row.sample_index): row for row in rows if not row.is_futile}
    return tuple(
        score_question(question, latest.get((question.id, index)), form, index)
        for question in questions
        for index in range(samples)
    )


def score_question(
    question: Question, row: JournalRow | None, form: PromptFormat, sample_index: int = 0
) -> Score:
    """Read one reply and judge it."""
    answer, is_bound = read_row(question, row, form)
    return Score(
        question=question, answer=answer, row=row, sample_index=sample_index, is_bound=is_bound
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
    answer = read_answer(row.way, row.result, prompt, question.choices)
    return answer, keeps_to_constraint(row.way, row.result, prompt)


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


class Count:
    """The numbers of some questions, which are added one after the other."""

    def __init__(self) -> None:
        self.questions = self.responses = self.correct = 0
        self.codes = [0] * (FIRST_ANSWER + MAX_CHOICES)
        """Responses by code."""
        self.shares = array("d")
        """The share of correct responses to each question that got any."""
        self.sizes: Counter[int] = Counter()
        """Responses wanted by number of choices."""
        self.places: Counter[int] = Counter()
        """Responses wanted by position of a right choice."""

    def add(self, question: Question, codes: Sequence[int]) -> None:
        """Count a question.

        Args:
            question: with its right choices.
            codes: what each of its responses amounts to, as `encode_answer` says it.
        """
        replied = correct = 0
        for code in codes:
            self.codes[code] += 1
            replied += code >= FIRST_REPLY
            correct += code - FIRST_ANSWER in question.right
        self.questions += 1
        self.responses += len(codes)
        self.correct += correct
        self.sizes[len(question.choices)] += len(codes)
        for place in question.right:
            self.places[place] += len(codes)
        if replied:
            self.shares.append(correct / replied)

    def merge(self, other: Count) -> None:
        """Count what another counts: other questions."""
        self.questions += other.questions
        self.responses += other.responses
        self.correct += other.correct
        self.codes = [ours + theirs for ours, theirs in zip(self.codes, other.codes, strict=True)]
        self.shares += other.shares
        self.sizes += other.sizes
        self.places += other.places

    def summarize(self, name: str) -> Summary:
        """The numbers so far, at least one question.

        Args:
            name: what the questions have in common.
        """
        counts = {outcome: self.codes[code] for outcome, code in CODES.items()}
        return Summary(
            name=name,
            questions=self.questions,
            samples=self.responses // self.questions,
            asked=len(self.shares),
            correct=self.correct,
            wrong=sum(self.codes[FIRST_ANSWER:]) - self.correct,
            unparsed=counts[Outcome.UNPARSED],
            refused=counts[Outcome.REFUSED],
            truncated=counts[Outcome.TRUNCATED],
            failed=counts[Outcome.FAILED],
            not_asked=counts[Outcome.NOT_ASKED],
            accuracy=accuracy_of(self.shares),
            chance=math.fsum(n / size for size, n in self.sizes.items()) / self.responses,
            most_frequent=self.places.most_common(1)[0][1] / self.responses,
        )


def summarize(scores: Sequence[Score], name: str = "all") -> Summary:
    """Count scores.

    Args:
        scores: at least one; as many for each question.
        name: what they have in common.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("no scores to summarize")
    by_question: dict[str, list[Score]] = {}
    for score in scores:
        by_question.setdefault(score.question.id, []).append(score)
    count = Count()
    for found in by_question.values():
        count.add(found[0].question, [encode_answer(score.answer) for score in found])
    return count.summarize(name)


def share_correct(scores: Sequence[Score]) -> float | None:
    """The share of correct responses to one question; None if none came."""
    judged = [score.correct for score in scores if score.correct is not None]
    return sum(judged) / len(judged) if judged else None


def accuracy_of(shares: Sequence[float]) -> Interval | None:
    """The mean of the questions' scores with its interval; None if there is none."""
    if not shares:
        return None
    if set(shares) <= {0.0, 1.0} or len(shares) == 1:
        return wilson_interval(sum(shares), len(shares))
    return mean_interval(shares)


def summarize_groups(scores: Sequence[Score]) -> tuple[Summary, ...]:
    """One summary for each group, by name; none if the questions have no groups."""
    groups: dict[str, list[Score]] = {}
    for score in scores:
        if score.question.group is not None:
            groups.setdefault(score.question.group, []).append(score)
    return tuple(summarize(groups[name], name) for name in sorted(groups))
