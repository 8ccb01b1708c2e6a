"""The order in which a gate asks its questions: random, weighted, and fixed beforehand."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Sequence

LATEST = 8
"""Earlier runs that count."""

VOLATILE_WEIGHT = 4.0
"""How much rather a question is drawn that earlier runs scored differently."""

MOST_VOLATILE = 0.3
"""If more of the questions than this are volatile, drawing them first costs more than it saves."""

DIFFERENT = 0.5
"""Scores are different if they are as far apart as this."""


def gate_seed(*, suite: str, baseline: str, candidate: str, delta: float, alpha: float) -> int:
    """The seed of a gate, which follows from what it compares: trying again shuffles nothing anew.

    Args:
        suite: a digest of the questions.
        baseline: the id of the baseline's run.
        candidate: a digest of the candidate's configuration.
        delta: the margin, a fraction.
        alpha: the error, a fraction.

    Returns:
        An integer of 64 bits.

    Example:
        >>> terms = {"suite": "s", "baseline": "b", "candidate": "c", "alpha": 0.05}
        >>> gate_seed(delta=0.02, **terms) == gate_seed(delta=0.020, **terms)
        True
        >>> gate_seed(delta=0.02, **terms) == gate_seed(delta=0.03, **terms)
        False
    """
    text = json.dumps([suite, baseline, candidate, float(delta), float(alpha)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def draw_order(weights: Sequence[float], seed: int) -> tuple[int, ...]:
    """A random order in which each next question is drawn in proportion to its weight.

    It is the same on every machine and with every version of Python, so a gate can be resumed.

    Args:
        weights: one for each question, more than 0 and finite.
        seed: any integer.

    Returns:
        The positions of all questions, each once.

    Raises:
        ValueError: a weight is outside its range.

    Source:
        Efraimidis and Spirakis (2006), Inf. Process. Lett. 97, 181-185: sorting by exponential
        waiting times draws by weight without replacement.

    Example:
        >>> sorted(draw_order([1.0, 4.0, 1.0], seed=7))
        [0, 1, 2]
    """
    check_weights(weights)
    rng = random.Random(seed)
    waits = [-math.log1p(-rng.random()) / weight for weight in weights]
    return tuple(sorted(range(len(waits)), key=waits.__getitem__))


def history_weights(
    baseline: Sequence[float], earlier: Sequence[Sequence[float]]
) -> tuple[float, ...]:
    """Weigh questions by whether earlier runs of the same model scored them differently.

    This is about speed alone: a gate's guarantee holds with any weights that do not know the
    candidate's answers. Runs with the candidate's own configuration are therefore no history.

    Args:
        baseline: the baseline's score of each question, fractions.
        earlier: the scores of other complete runs of the same model over the same questions, the
            latest last; of more than eight, the latest eight count. May be empty.

    Returns:
        4 for each volatile question and 1 for the others. All 1 if no question is volatile, or
        more than 30 % are.

    Raises:
        ValueError: an earlier run has another number of questions.

    Example:
        >>> history_weights([1, 1, 0, 1], [[1, 1, 0, 1], [1, 0, 0, 1]])
        (1.0, 4.0, 1.0, 1.0)
    """
    for scores in earlier:
        if len(scores) != len(baseline):
            raise ValueError(f"{len(scores)} scores in an earlier run: expected {len(baseline)}")
    volatile = [
        # 0.6 - 0.1 is not quite 0.5.
        any(abs(scores[place] - score) >= DIFFERENT - 1e-9 for scores in earlier[-LATEST:])
        for place, score in enumerate(baseline)
    ]
    if sum(volatile) > MOST_VOLATILE * len(baseline):
        return (1.0,) * len(baseline)
    return tuple(VOLATILE_WEIGHT if is_volatile else 1.0 for is_volatile in volatile)


def check_weights(weights: Sequence[float]) -> None:
    """Refuse weights by which nothing can be drawn.

    Raises:
        ValueError: one is 0 or less, infinite or no number.
    """
    for weight in weights:
        if not 0 < weight < math.inf:
            raise ValueError(f"weight = {weight}: expected more than 0 and finite")
