"""Adjusted p-values equal those of R, and keep their laws."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.multiplicity import benjamini_hochberg, holm
from tests.test_intervals import GOLDEN, read_golden

Adjust = Callable[[Sequence[float]], tuple[float, ...]]
p_lists = st.lists(st.floats(0, 1), max_size=12)


def slow_holm(p_values: list[float]) -> list[float]:
    """By the definition: of each p-value, the largest step up to its own rank."""
    count = len(p_values)
    return [
        max(min(1.0, (count - sum(r < q for r in p_values)) * q) for q in p_values if q <= p)
        for p in p_values
    ]


def slow_benjamini_hochberg(p_values: list[float]) -> list[float]:
    """By the definition: the smallest level at which as many are found as the step-up rule asks."""
    count = len(p_values)
    return [
        min(1.0, min(q * count / sum(r <= q for r in p_values) for q in p_values if q >= p))
        for p in p_values
    ]


@pytest.mark.skipif(not GOLDEN.is_file(), reason=f"the golden values are not here: {GOLDEN}")
def test_every_golden_value_is_met() -> None:
    rows = [row for row in read_golden("p_adjust") if row.output.startswith("holm_")]
    assert len(rows) == 16
    for row in rows:
        value = holm(row.inputs["p"])[int(row.output.removeprefix("holm_"))]
        assert value == pytest.approx(row.expected, abs=row.tolerance, rel=0), row.case


@given(p_lists)
def test_holm_is_as_defined(p_values: list[float]) -> None:
    assert list(holm(p_values)) == pytest.approx(slow_holm(p_values))


@given(p_lists)
def test_benjamini_hochberg_is_as_defined(p_values: list[float]) -> None:
    assert list(benjamini_hochberg(p_values)) == pytest.approx(slow_benjamini_hochberg(p_values))


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@given(case=p_lists.flatmap(lambda p: st.tuples(st.just(p), st.permutations(range(len(p))))))
def test_the_order_does_not_matter(adjust: Adjust, case: tuple[list[float], list[int]]) -> None:
    p_values, places = case
    shuffled = [p_values[place] for place in places]
    assert list(adjust(shuffled)) == [adjust(p_values)[place] for place in places]


@given(p_lists)
def test_benjamini_hochberg_promises_less_than_holm(p_values: list[float]) -> None:
    pairs = zip(benjamini_hochberg(p_values), holm(p_values), strict=True)
    assert all(less <= more + 1e-12 for less, more in pairs)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@given(p_values=p_lists)
def test_no_p_value_becomes_smaller_or_changes_its_rank(
    adjust: Adjust, p_values: list[float]
) -> None:
    adjusted = adjust(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    pairs = sorted(zip(p_values, adjusted, strict=True))
    assert [q for _, q in pairs] == sorted(adjusted)


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_a_single_test_needs_no_adjustment(adjust: Adjust) -> None:
    assert adjust([0.03]) == (0.03,)
    assert adjust([]) == ()


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(adjust: Adjust, p: float) -> None:
    with pytest.raises(ValueError, match="expected 0 to 1"):
        adjust([0.5, p])
