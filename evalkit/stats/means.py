"""Questions answered several times each: the score is a mean, and the answers scatter."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from evalkit.stats.intervals import Interval, mean_interval, wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Variances:
    """Where the variance of a score comes from: chance in the answers, and unlike questions."""

    within: float
    """Mean variance of an answer, 0 or 1, to one and the same question; in [0, 0.5]."""
    between: float
    """Variance of the questions' true scores, not below 0."""
    questions: int
    samples: int
    """Answers to each question."""

    @property
    def rerun_error(self) -> float:
        """Standard error of the score if the same questions are asked again."""
        return math.sqrt(self.within / (self.samples * self.questions))

    @property
    def flips(self) -> float:
        """Share of questions on which two answers are expected to differ in being right."""
        return 2 * self.within

    @property
    def favours_answers(self) -> bool:
        """Whether a further answer to each question tells more than further questions would."""
        return self.within > self.between

    @property
    def gain(self) -> float:
        """By how much one further answer to each question would lower the standard error."""
        return self.standard_error(self.samples) - self.standard_error(self.samples + 1)

    def standard_error(self, samples: int) -> float:
        """Standard error on questions like these, had each been answered so many times.

        Raises:
            ValueError: fewer than one answer.
        """
        if samples < 1:
            raise ValueError(f"samples = {samples}: expected at least 1")
        return math.sqrt((self.between + self.within / samples) / self.questions)


def repeated_interval(
    correct: Sequence[int], samples: int, *, confidence: float = 0.95
) -> Interval:
    """The interval of an accuracy whose questions were answered several times each.

    The question is the unit: further answers to it do not count as further questions.

    Args:
        correct: correct answers to each question, each 0 to samples; at least one question, at
            least two if any has a share other than 0 and 1.
        samples: answers to each question, at least 1.
        confidence: a fraction in (0, 1).

    Returns:
        mean +- t * s / sqrt(n) of the questions' shares, clipped to [0, 1]. Wilson's interval
        instead if all shares are 0 or 1, or all are equal.

    Raises:
        ValueError: an argument is outside its range, or there are too few questions.

    Example:
        >>> interval = repeated_interval([1, 2, 3, 4], 5)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.089, 0.911)
    """
    _check_correct(correct, samples)
    if all(count in (0, samples) for count in correct):
        return wilson_interval(sum(correct) // samples, len(correct), level=confidence)
    return mean_interval([count / samples for count in correct], level=confidence)


def split_variance(correct: Sequence[int], samples: int) -> Variances | None:
    """Tell the scatter of answers to one question from the scatter between questions.

    Args:
        correct: correct answers to each question, each 0 to samples; at least two questions.
        samples: answers to each question, at least 1.

    Returns:
        Both variances; None if there is one answer a question, which shows no scatter.

    Raises:
        ValueError: fewer than two questions, or an argument outside its range.

    Source:
        Analysis of variance with questions as random effects; Miller (2024), arXiv:2411.00640.

    Example:
        >>> variances = split_variance([5, 5, 4, 2, 0], 5)
        >>> round(variances.within, 3), round(variances.rerun_error, 3)
        (0.1, 0.063)
    """
    _check_correct(correct, samples)
    if len(correct) < 2:
        raise ValueError(f"{len(correct)} questions: expected at least 2")
    if samples == 1:
        return None
    # Each question's count * (samples - count) is K^2 p (1 - p), free of rounding.
    pairs = samples * (samples - 1)
    within = sum(count * (samples - count) for count in correct) / (pairs * len(correct))
    spread = statistics.variance(count / samples for count in correct)
    return Variances(
        within=within,
        between=max(0.0, spread - within / samples),
        questions=len(correct),
        samples=samples,
    )


def gain_of_another(error: float, rerun_error: float, samples: int) -> float:
    """By how much one further answer to each question would lower the standard error of a score.

    Args:
        error: standard error of the score on questions like these, whatever the method.
        rerun_error: its part that answers to the same questions make.
        samples: answers to each question, at least 1.

    Returns:
        A fraction, not below 0.

    Raises:
        ValueError: an argument is outside its range.

    Example:
        >>> variances = split_variance([5, 5, 4, 2, 0], 5)
        >>> error, rerun_error = variances.standard_error(5), variances.rerun_error
        >>> round(gain_of_another(error, rerun_error, 5), 4) == round(variances.gain, 4)
        True
    """
    if samples < 1:
        raise ValueError(f"samples = {samples}: expected at least 1")
    if not (error >= 0 and rerun_error >= 0):
        raise ValueError(f"errors {error} and {rerun_error}: expected at least 0")
    rerun = rerun_error**2
    # Chance in the answers may seem to make more than all of it.
    between = max(0.0, error**2 - rerun)
    return math.sqrt(between + rerun) - math.sqrt(between + rerun * samples / (samples + 1))


def agreement(choices: Sequence[Sequence[int | None]]) -> float:
    """The chance that two answers to the same question name the same choice.

    Args:
        choices: for each question, the choice of each of its answers, at least two; None for one
            that could not be read, which agrees with none.

    Returns:
        A fraction in [0, 1].

    Raises:
        ValueError: there is no question, or one with fewer than two answers.

    Example:
        >>> round(agreement([[0, 0, 0], [0, 2, 2], [1, None, None]]), 3)
        0.444
    """
    if not choices:
        raise ValueError("0 questions: expected at least 1")
    return statistics.fmean(_agreement_of(answers) for answers in choices)


def majority_credit(choices: Sequence[int | None], right: Collection[int]) -> float:
    """What a question scores if the choice named most often counts: the unit of maj@K.

    Args:
        choices: the choice of each answer, at least one; None for one that could not be read,
            which has no vote.
        right: the choices that are right.

    Returns:
        1 if right choices lead, 0 if others do; their share of the leaders in a tie. 0 if nothing
        could be read.

    Raises:
        ValueError: there are no answers.

    Example:
        >>> majority_credit([2, 2, 1, None], {2}), majority_credit([2, 2, 1, 1], {2})
        (1.0, 0.5)
    """
    if not choices:
        raise ValueError("0 answers: expected at least 1")
    votes = Counter(choice for choice in choices if choice is not None)
    leaders = [choice for choice, count in votes.items() if count == max(votes.values())]
    return sum(choice in right for choice in leaders) / len(leaders) if leaders else 0.0


def _check_correct(correct: Sequence[int], samples: int) -> None:
    if samples < 1:
        raise ValueError(f"samples = {samples}: expected at least 1")
    for count in correct:
        if not 0 <= count <= samples:
            raise ValueError(f"correct = {count}: expected 0 to {samples}")


def _agreement_of(answers: Sequence[int | None]) -> float:
    k = len(answers)
    if k < 2:
        raise ValueError(f"{k} answers to a question: expected at least 2")
    counts = Counter(answer for answer in answers if answer is not None).values()
    return sum(count * (count - 1) for count in counts) / (k * (k - 1))
