"""Several tests at once: p-values that keep their promise as a family."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values so that the chance of any false finding among them stays below the level.

    Args:
        p_values: fractions in [0, 1], in any order; may be empty.

    Returns:
        The adjusted p-values in the same order, none smaller than before, at most 1.

    Raises:
        ValueError: a p-value is outside [0, 1].

    Source:
        Holm (1979), Scand. J. Stat. 6, 65-70.

    Example:
        >>> holm([0.03, 0.01, 0.5])
        (0.06, 0.03, 0.5)
    """
    _check_p_values(p_values)
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    ascending = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for rank, place in enumerate(ascending):
        # No hypothesis may be rejected before one with a smaller p-value.
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values so that the share of false findings among all found stays below the level.

    That is less than Holm's promise: fit for exploring, such as the differences of many subjects.

    Args:
        p_values: fractions in [0, 1], in any order; may be empty.

    Returns:
        The adjusted p-values in the same order, none smaller than before, at most 1.

    Raises:
        ValueError: a p-value is outside [0, 1].

    Source:
        Benjamini and Hochberg (1995), J. R. Stat. Soc. B 57, 289-300.

    Example:
        >>> benjamini_hochberg([0.03, 0.01, 0.5])
        (0.045, 0.03, 0.5)
    """
    _check_p_values(p_values)
    count = len(p_values)
    adjusted = [0.0] * count
    lowest = 1.0
    descending = sorted(range(count), key=lambda place: p_values[place], reverse=True)
    for smaller, place in enumerate(descending):
        # A hypothesis may be rejected along with one that has a larger p-value.
        lowest = min(lowest, max(p_values[place], count / (count - smaller) * p_values[place]))
        adjusted[place] = lowest
    return tuple(adjusted)


def _check_p_values(p_values: Sequence[float]) -> None:
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"p = {p}: expected 0 to 1")
