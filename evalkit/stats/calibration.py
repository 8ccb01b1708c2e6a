"""Whether a model is as often right as its confidence says: proper scores of probabilities."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from evalkit.stats.intervals import Interval, mean_interval

ROUNDING = 1e-6
"""Probabilities add up to 1 within this."""


def brier_top(confidences: Sequence[float], correct: Sequence[float]) -> float:
    """The mean squared distance between the confidence in a pick and whether it is right.

    Args:
        confidences: one in [0, 1] for each question, at least one.
        correct: 1 for a right pick, 0 for a wrong one, in the same order.

    Returns:
        A fraction in [0, 1]; 0 is perfect.

    Raises:
        ValueError: a number is outside its range, or lengths differ.

    Source:
        Brier (1950), Mon. Weather Rev. 78, 1-3.

    Example:
        >>> round(brier_top([0.9, 0.6], [1, 0]), 3)
        0.185
    """
    return statistics.fmean(_squares(confidences, correct))


def brier_interval(
    confidences: Sequence[float], correct: Sequence[float], *, level: float = 0.95
) -> Interval:
    """The interval of `brier_top` on questions like these.

    Args:
        confidences: one in [0, 1] for each question, at least two.
        correct: 1 for a right pick, 0 for a wrong one, in the same order.
        level: confidence of the interval, a fraction in (0, 1).

    Returns:
        mean +- t * s / sqrt(n) of the questions' squares, clipped to [0, 1].

    Raises:
        ValueError: a number is outside its range, or lengths differ.

    Example:
        >>> interval = brier_interval([0.9, 0.6, 0.8, 0.7], [1, 0, 1, 1])
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.0, 0.38)
    """
    return mean_interval(_squares(confidences, correct), level=level)


def brier_of_choices(probabilities: Sequence[Sequence[float]], right: Sequence[int]) -> float:
    """The mean squared distance of all choices' probabilities from what is right.

    Args:
        probabilities: for each question, those of its choices, which add up to 1; at least one
            question. Questions may have different numbers of choices.
        right: the position of the right choice of each question.

    Returns:
        From 0, which is perfect, to 2.

    Raises:
        ValueError: a number is outside its range, or lengths differ.

    Source:
        Brier (1950), Mon. Weather Rev. 78, 1-3.

    Example:
        >>> round(brier_of_choices([[0.7, 0.2, 0.1], [0.5, 0.5, 0.0]], [0, 2]), 3)
        0.82
    """
    _check_probabilities(probabilities, right)
    # (p - 1)^2 for the right choice is p^2 + 1 - 2p.
    return statistics.fmean(
        math.fsum(share * share for share in shares) + 1 - 2 * shares[place]
        for shares, place in zip(probabilities, right, strict=True)
    )


def vote_excess(shares: Sequence[Sequence[float]], samples: int) -> float:
    """By how much `brier_of_choices` is too high because probabilities are shares of votes.

    Subtracting it leaves what the underlying probabilities would score on average, whatever the
    number of votes.

    Args:
        shares: for each question, the shares of votes for its choices, which add up to 1 or less.
        samples: votes on each question, at least 2.

    Returns:
        At least 0.

    Raises:
        ValueError: a number is outside its range, or there are no questions.

    Source:
        Ferro (2014), Q. J. R. Meteorol. Soc. 140, 1917-1923: the fair Brier score.

    Example:
        >>> round(vote_excess([[0.8, 0.2], [1.0, 0.0]], 5), 3)
        0.04
    """
    if samples < 2:
        raise ValueError(f"samples = {samples}: expected at least 2")
    if not shares:
        raise ValueError("0 questions: expected at least 1")
    for share in (share for votes in shares for share in votes):
        if not 0 <= share <= 1:
            raise ValueError(f"share = {share}: expected 0 to 1")
    spreads = [math.fsum(share * (1 - share) for share in votes) for votes in shares]
    return statistics.fmean(spreads) / (samples - 1)


def fair_brier(votes: Sequence[int], right: int) -> float:
    """`brier_of_choices` of one question less its `vote_excess`, from the votes on it.

    Args:
        votes: on each choice, at least 2 in all.
        right: the position of the right choice.

    Returns:
        The share of pairs of votes that are both wrong, plus that of pairs for the same wrong
        choice: from 0, which is perfect, to 2.

    Raises:
        ValueError: a number is outside its range.

    Source:
        Ferro (2014), Q. J. R. Meteorol. Soc. 140, 1917-1923: the fair Brier score.

    Example:
        >>> round(fair_brier([4, 1], 0), 3), fair_brier([0, 5], 0)
        (0.0, 2.0)
    """
    samples = sum(votes)
    if samples < 2 or min(votes) < 0:
        raise ValueError(f"votes = {tuple(votes)}: expected at least 2 in all")
    if not 0 <= right < len(votes):
        raise ValueError(f"right = {right}: expected 0 to {len(votes) - 1}")
    wrong = samples - votes[right]
    alike = sum(n * (n - 1) for place, n in enumerate(votes) if place != right)
    # In whole numbers, the difference of both is free of rounding.
    return (wrong * (wrong - 1) + alike) / (samples * (samples - 1))


def log_loss(probabilities: Sequence[Sequence[float]], right: Sequence[int]) -> float:
    """The mean of -log of the right choices' probabilities: for real probabilities only.

    Args:
        probabilities: for each question, those of its choices, which add up to 1; at least one
            question. Questions may have different numbers of choices.
        right: the position of the right choice of each question.

    Returns:
        At least 0, in natural logarithms; 0 is perfect.

    Raises:
        ValueError: a number is outside its range, lengths differ, or a right choice has a
            probability of 0, as shares of votes have without meaning it.

    Example:
        >>> round(log_loss([[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]], [0, 2]), 3)
        0.871
    """
    _check_probabilities(probabilities, right)
    given = [shares[place] for shares, place in zip(probabilities, right, strict=True)]
    if 0 in given:
        raise ValueError("probability = 0 of a right choice: expected more, as no vote share is")
    return -statistics.fmean(map(math.log, given))


def _squares(confidences: Sequence[float], correct: Sequence[float]) -> list[float]:
    check_confidences(confidences, correct)
    return [(stated - is_right) ** 2 for stated, is_right in zip(confidences, correct, strict=True)]


def check_confidences(confidences: Sequence[float], correct: Sequence[float]) -> None:
    """Refuse what are no confidences in picks that are right or wrong.

    Raises:
        ValueError: there are none, lengths differ, or a number is outside its range.
    """
    if not confidences:
        raise ValueError("0 confidences: expected at least 1")
    if len(confidences) != len(correct):
        raise ValueError(f"{len(correct)} outcomes of {len(confidences)} picks: expected as many")
    for stated in confidences:
        if not 0 <= stated <= 1:
            raise ValueError(f"confidence = {stated}: expected 0 to 1")
    for is_right in correct:
        if is_right not in (0, 1):
            raise ValueError(f"correct = {is_right}: expected 0 or 1")


def _check_probabilities(probabilities: Sequence[Sequence[float]], right: Sequence[int]) -> None:
    if not probabilities:
        raise ValueError("0 questions: expected at least 1")
    if len(probabilities) != len(right):
        raise ValueError(f"{len(right)} keys for {len(probabilities)} questions: expected as many")
    for shares, place in zip(probabilities, right, strict=True):
        for share in shares:
            if not 0 <= share <= 1:
                raise ValueError(f"probability = {share}: expected 0 to 1")
        if abs(math.fsum(shares) - 1) > ROUNDING:
            raise ValueError(f"sum of probabilities = {math.fsum(shares)}: expected 1")
        if not 0 <= place < len(shares):
            raise ValueError(f"right = {place}: expected 0 to {len(shares) - 1}")
