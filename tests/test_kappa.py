"""Agreement beyond chance is scikit-learn's, its error the delta method's, and mistakes count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from evalkit.stats.kappa import Kappa, agreement_when_wrong, cohen_kappa

picks = st.lists(
    st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABCD")), min_size=4, max_size=60
).filter(lambda pairs: len({pick for pair in pairs for pick in pair}) > 1)


def kappa_of(pairs: list[tuple[str, str]]) -> Kappa:
    kappa = cohen_kappa([one for one, _ in pairs], [other for _, other in pairs])
    assert kappa is not None
    return kappa


def by_shares(cells: NDArray[np.float64]) -> float:
    """Kappa of a table of shares."""
    chance = float(cells.sum(axis=1) @ cells.sum(axis=0))
    return (float(np.trace(cells)) - chance) / (1 - chance)


def by_delta_method(pairs: list[tuple[str, str]]) -> float:
    """The standard error from numerical slopes of kappa in every cell of the table."""
    cells = np.zeros((4, 4))
    for one, other in pairs:
        cells["ABCD".index(one), "ABCD".index(other)] += 1 / len(pairs)
    slopes, step = np.zeros((4, 4)), 1e-6
    for place in np.ndindex(4, 4):
        more, less = cells.copy(), cells.copy()
        more[place] += step
        less[place] -= step
        slopes[place] = (by_shares(more) - by_shares(less)) / (2 * step)
    variance = np.sum(cells * slopes**2) - np.sum(cells * slopes) ** 2
    return math.sqrt(max(0.0, float(variance)) / len(pairs))


@given(picks)
def test_kappa_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    expected = metrics.cohen_kappa_score([one for one, _ in pairs], [other for _, other in pairs])
    kappa = kappa_of(pairs)
    assert kappa.estimate == pytest.approx(expected, abs=1e-12)
    assert kappa.agreement == pytest.approx(sum(a == b for a, b in pairs) / len(pairs))
    assert kappa.n == len(pairs)


@given(picks)
def test_its_error_is_the_delta_methods(pairs: list[tuple[str, str]]) -> None:
    assert kappa_of(pairs).error == pytest.approx(by_delta_method(pairs), abs=1e-4)


@given(picks)
def test_sides_and_order_do_not_matter(pairs: list[tuple[str, str]]) -> None:
    turned = kappa_of([(other, one) for one, other in reversed(pairs)])
    straight = kappa_of(pairs)
    assert (straight.estimate, straight.error) == pytest.approx(
        (turned.estimate, turned.error), abs=1e-9
    )


def test_kappa_of_examples() -> None:
    assert kappa_of([("A", "A"), ("B", "B")] * 5).estimate == 1
    assert kappa_of([("A", "B"), ("B", "A")] * 5).estimate == -1
    assert kappa_of([("A", "A"), ("A", "B"), ("B", "A"), ("B", "B")]).estimate == 0
    assert cohen_kappa("AAA", "AAA") is None


@pytest.mark.parametrize(
    ("ours", "theirs", "both_wrong", "same"),
    [
        ([0, 1, 2], [0, 1, 2], 2, 2),
        ([1, 1, 1], [1, 2, 0], 2, 1),
        ([0, 0], [1, 1], 0, 0),
        ([None, 1, None], [1, None, None], 0, 0),
    ],
)
def test_mistakes_are_shared_where_both_make_the_same(
    ours: Any, theirs: Any, both_wrong: int, same: int
) -> None:
    """The first choice is right."""
    found = agreement_when_wrong(ours, theirs, [{0}] * len(ours))
    assert (found.both_wrong, found.same) == (both_wrong, same)
    assert found.share == (same / both_wrong if both_wrong else None)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="0 questions: expected at least 1"):
        cohen_kappa([], [])
    with pytest.raises(ValueError, match="1 picks for 2 questions: expected as many"):
        cohen_kappa("AB", "A")
    with pytest.raises(ValueError, match="1 and 2 picks for 2 questions: expected as many"):
        agreement_when_wrong([0], [0, 1], [{0}, {0}])
