"""An endpoint that answers nobody is left alone, asked now and then, and given up in the end."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.api.breaker import Breaker, Patience

PATIENCE = Patience(trips_after=3, first_pause=1, longest_pause=5, at_start=10, later=100)


def broken(failures: int, *, answered: bool = True) -> Breaker:
    """A breaker after failures, all of them at once."""
    breaker = Breaker(PATIENCE, answered_before=answered)
    for _ in range(failures):
        breaker.fail(0.0)
    return breaker


@pytest.mark.parametrize(
    ("failures", "answered", "is_open"),
    [(0, True, False), (2, True, False), (3, True, True), (0, False, False), (1, False, True)],
)
def test_many_failures_in_a_row_hold_back_and_one_is_enough_before_the_first_answer(
    failures: int, answered: bool, is_open: bool
) -> None:
    breaker = broken(failures, answered=answered)
    assert breaker.is_open is is_open
    assert (breaker.wait(0.5, 0) == 0.0) is not is_open


def test_an_answer_between_them_makes_them_few() -> None:
    breaker = Breaker(PATIENCE, answered_before=True)
    for now in range(50):
        assert breaker.fail(now) is None
        assert breaker.fail(now) is None
        breaker.answer()
    assert not breaker.is_open


def test_one_at_a_time_tries_again_after_pauses_that_grow() -> None:
    breaker, now = broken(2), 0.0
    pauses = []
    for _ in range(6):
        pause = breaker.fail(now)
        assert pause is not None
        pauses.append(pause)
        assert breaker.wait(now, 0) == pause
        assert breaker.wait(now + pause / 2, 0) == pause / 2
        now += pause
        assert breaker.wait(now, 0) == 0.0
        assert breaker.wait(now, 1) is None, "another one is under way"
    assert pauses == [1, 2, 4, 5, 5, 5]


def test_those_under_way_when_a_pause_begins_do_not_lengthen_it() -> None:
    breaker = broken(3)
    assert [breaker.fail(0.5) for _ in range(60)] == [None] * 60
    assert breaker.wait(0.5, 0) == 0.5
    assert breaker.fail(1.0) == 2


def test_what_went_before_a_pause_and_fails_after_it_does_not_lengthen_it() -> None:
    breaker = broken(3)
    assert breaker.fail(1.5, sent_at=0.0) is None
    assert breaker.wait(1.5, 0) == 0.0
    assert breaker.fail(1.6, sent_at=1.5) == 2


def test_an_answer_lets_all_go_again_and_the_next_pause_is_short() -> None:
    breaker = broken(3)
    breaker.fail(1.0)
    breaker.answer()
    assert (breaker.is_open, breaker.wait(1.5, 0), breaker.wait(1.5, 60)) == (False, 0.0, 0.0)
    breaker.fail(2.0)
    breaker.fail(2.0)
    assert breaker.fail(2.0) == 1


@pytest.mark.parametrize(("answered", "seconds"), [(False, 10.0), (True, 100.0)])
def test_it_gives_up_after_a_time_without_answer_that_is_longer_if_there_was_one(
    answered: bool, seconds: float
) -> None:
    breaker = Breaker(PATIENCE, answered_before=answered)
    breaker.fail(7.0)
    assert not breaker.has_given_up(7.0 + seconds - 0.1)
    assert breaker.has_given_up(7.0 + seconds)
    assert breaker.seconds(9.0) == 2.0
    breaker.answer()
    assert not breaker.has_given_up(1e9)
    assert breaker.seconds(1e9) == 0.0


def test_without_a_failure_it_never_gives_up() -> None:
    assert not Breaker(PATIENCE).has_given_up(1e9)


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 100)), max_size=200),
    st.booleans(),
)
def test_whatever_happens_a_request_may_go_again_before_the_longest_pause_is_over(
    events: list[tuple[bool, float]], answered: bool
) -> None:
    breaker, now = Breaker(PATIENCE, answered_before=answered), 0.0
    for is_answer, later in events:
        now += later
        if is_answer:
            breaker.answer()
        else:
            pause = breaker.fail(now)
            assert pause is None or 1 <= pause <= 5
        wait = breaker.wait(now, 0)
        assert wait is not None
        assert 0 <= wait <= 5 + 1e-9
        assert breaker.is_open or wait == 0


def test_an_outage_of_years_overflows_nothing() -> None:
    breaker, now = Breaker(Patience(later=math.inf), answered_before=True), 0.0
    for _ in range(3000):
        breaker.fail(now)
        now += 30.0
    assert breaker.wait(now - 30.0, 0) == 30.0
