"""The same question with its choices in several orders: which orders, and what they change."""

from __future__ import annotations

import random
import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEffect:
    """How much the answers depend on the order of the choices; all numbers are fractions."""

    accuracy: float
    """Mean over questions and orders."""
    all_right: float
    """Share of questions that are right in every order."""
    flips: float
    """Share of questions on which the chosen content changes with the order."""
    questions: int
    orders: int


def rotations(choices: int) -> tuple[tuple[int, ...], ...]:
    """The orders in which every choice stands once at every position.

    Args:
        choices: how many there are, at least 1.

    Returns:
        As many orders; each names, by position, the choice that stands there. The first is the
        original one.

    Raises:
        ValueError: there are no choices.

    Example:
        >>> rotations(3)
        ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    """
    if choices < 1:
        raise ValueError(f"choices = {choices}: expected at least 1")
    return tuple(
        tuple((place + shift) % choices for place in range(choices)) for shift in range(choices)
    )


def draw_orders(
    orders: Sequence[tuple[int, ...]], count: int, seed: int
) -> tuple[tuple[int, ...], ...]:
    """Draw some of the orders at random; the same seed draws the same ones, for both runs.

    Args:
        orders: such as all rotations.
        count: how many to draw, 1 to as many as there are.
        seed: any integer.

    Returns:
        Different ones of them, as they stood there.

    Raises:
        ValueError: the count is outside its range.

    Example:
        >>> len(draw_orders(rotations(10), 3, seed=7))
        3
    """
    if not 1 <= count <= len(orders):
        raise ValueError(f"count = {count}: expected 1 to {len(orders)}")
    rng = random.Random(seed)
    # Its `sample` is not promised to stay the same; its `random` is.
    ranked = sorted(range(len(orders)), key=[rng.random() for _ in orders].__getitem__)
    return tuple(orders[place] for place in sorted(ranked[:count]))


def order_effect(
    picked: Sequence[Sequence[int | None]], right: Sequence[Collection[int]]
) -> OrderEffect:
    """Sum up answers to the same questions in several orders of their choices.

    Args:
        picked: for each question, the choice picked in each order, by its place in the original
            one; None for an answer that could not be read, which is as good as one more choice.
        right: the right choices of each question.

    Raises:
        ValueError: there are no questions, lengths differ, or questions have different numbers of
            orders or none.

    Example:
        >>> effect = order_effect([[0, 0], [1, 2], [3, 1]], [{0}, {1}, {2}])
        >>> effect.accuracy, round(effect.all_right, 3), round(effect.flips, 3)
        (0.5, 0.333, 0.667)
    """
    if not picked:
        raise ValueError("0 questions: expected at least 1")
    if len(picked) != len(right):
        raise ValueError(f"{len(right)} keys for {len(picked)} questions: expected as many")
    orders = len(picked[0])
    for answers in picked:
        if len(answers) != orders or not answers:
            raise ValueError(f"{len(answers)} orders of a question: expected {max(orders, 1)}")
    judged = [
        [pick in keys for pick in answers] for answers, keys in zip(picked, right, strict=True)
    ]
    return OrderEffect(
        accuracy=statistics.fmean(sum(answers) / orders for answers in judged),
        all_right=statistics.fmean(all(answers) for answers in judged),
        flips=statistics.fmean(len(set(answers)) > 1 for answers in picked),
        questions=len(picked),
        orders=orders,
    )
