"""A model's preference for letters, estimated from option probabilities and taken out (PriDe).

Only where a model gives probabilities of its options. What it gives after this is a second line
beside the accuracy, never the headline: users get the model as it is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

SHARE = 0.05
"""Of the questions, asked in all rotations."""

FEWEST = 50
"""Questions asked in all rotations, if there are so many."""


def draw_for_prior(questions: int, seed: int) -> tuple[int, ...]:
    """Draw the questions to ask in all rotations: 5 %, but at least 50.

    Args:
        questions: how many there are, at least 0.
        seed: any integer.

    Returns:
        Their positions, ascending.

    Raises:
        ValueError: the number of questions is negative.

    Example:
        >>> len(draw_for_prior(2000, seed=7)), len(draw_for_prior(30, seed=7))
        (100, 30)
    """
    if questions < 0:
        raise ValueError(f"questions = {questions}: expected at least 0")
    count = max(FEWEST, math.ceil(SHARE * questions))
    rng = random.Random(seed)
    draws = [rng.random() for _ in range(questions)]
    return tuple(sorted(sorted(range(questions), key=draws.__getitem__)[:count]))


def question_prior(rotated: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """What one question in all rotations tells of a model's preference for letters.

    Args:
        rotated: for each rotation of its choices, the probability of each letter, in (0, 1]; as
            many rotations as letters, at least one.

    Returns:
        Probabilities of the letters, which add up to 1.

    Raises:
        ValueError: a probability is outside its range, or the table is not square.

    Source:
        Zheng et al. (2024), arXiv:2309.03882.

    Example:
        >>> [round(share, 3) for share in question_prior([[0.9, 0.1], [0.4, 0.6]])]
        [0.71, 0.29]
    """
    if not rotated or any(len(row) != len(rotated) for row in rotated):
        raise ValueError("rotated: expected as many rotations as letters, at least 1")
    for row in rotated:
        _check_probabilities(row)
    means = [
        math.fsum(math.log(row[letter]) for row in rotated) / len(rotated)
        for letter in range(len(rotated))
    ]
    weights = [math.exp(mean - max(means)) for mean in means]
    return tuple(weight / math.fsum(weights) for weight in weights)


def letter_prior(priors: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """A model's preference for letters: the mean of what single questions tell.

    Args:
        priors: from `question_prior`, all with as many letters; at least one.

    Raises:
        ValueError: there are none, or they differ in length.

    Example:
        >>> letter_prior([[0.7, 0.3], [0.5, 0.5]])
        (0.6, 0.4)
    """
    if not priors or any(len(prior) != len(priors[0]) for prior in priors):
        raise ValueError("priors: expected at least 1, all with as many letters")
    return tuple(math.fsum(column) / len(priors) for column in zip(*priors, strict=True))


def take_out_prior(probabilities: Sequence[float], prior: Sequence[float]) -> tuple[float, ...]:
    """The probabilities of a question's letters without the model's preference for letters.

    Args:
        probabilities: of each letter, in [0, 1], not all 0.
        prior: of as many letters, in (0, 1].

    Returns:
        Probabilities that add up to 1. The letter to pick is the one with the largest.

    Raises:
        ValueError: a probability is outside its range, or lengths differ.

    Source:
        Zheng et al. (2024), arXiv:2309.03882.

    Example:
        >>> [round(share, 3) for share in take_out_prior([0.6, 0.4], [0.75, 0.25])]
        [0.333, 0.667]
    """
    if len(probabilities) != len(prior):
        raise ValueError(f"{len(prior)} letters in the prior: expected {len(probabilities)}")
    _check_probabilities(prior)
    for share in probabilities:
        if not 0 <= share <= 1:
            raise ValueError(f"probability = {share}: expected 0 to 1")
    weights = [share / own for share, own in zip(probabilities, prior, strict=True)]
    total = math.fsum(weights)
    if total == 0:
        raise ValueError("probabilities: expected at least one above 0")
    return tuple(weight / total for weight in weights)


def _check_probabilities(shares: Sequence[float]) -> None:
    for share in shares:
        if not 0 < share <= 1:
            raise ValueError(f"probability = {share}: expected more than 0, at most 1")
