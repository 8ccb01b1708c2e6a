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
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"p = {p}: expected 0 to 1")
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    ascending = sorted(range(len(p_values)), key=lambda place: p_values[place])
    for rank, place in enumerate(ascending):
        # No hypothesis may be rejected before one with a smaller p-value.
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return tuple(adjusted)
