"""Suites judged together fail if any fails, and pass only if all do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.stats.verdicts import Verdict, overall_verdict

PASS, FAIL, OPEN, INVALID = (
    Verdict.NO_REGRESSION,
    Verdict.REGRESSED,
    Verdict.INCONCLUSIVE,
    Verdict.INVALID,
)


@pytest.mark.parametrize(
    ("verdicts", "overall"),
    [
        ([PASS], PASS),
        ([PASS, PASS], PASS),
        ([PASS, OPEN], OPEN),
        ([OPEN, PASS, FAIL], FAIL),
        ([FAIL, INVALID], INVALID),
    ],
)
def test_suites_are_judged_together(verdicts: list[Verdict], overall: Verdict) -> None:
    assert overall_verdict(verdicts) is overall


@given(st.lists(st.sampled_from(Verdict), min_size=1))
def test_the_order_of_suites_does_not_matter(verdicts: list[Verdict]) -> None:
    assert overall_verdict(reversed(verdicts)) is overall_verdict(verdicts)
    assert overall_verdict(verdicts * 2) is overall_verdict(verdicts)


def test_no_suites_have_no_verdict() -> None:
    with pytest.raises(ValueError, match="0 verdicts: expected at least 1"):
        overall_verdict([])
