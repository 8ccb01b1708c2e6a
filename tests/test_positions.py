"""Preferences for letters are found where there are some, by tests that equal their definitions."""

from __future__ import annotations

import itertools
import random
import statistics
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from evalkit.stats.positions import (
    LetterTable,
    gold_balance,
    gold_sequence,
    stuart_maxwell,
    tabulate_letters,
)

letters = st.sampled_from("ABCD")
answers = st.lists(st.tuples(letters, st.none() | letters), min_size=1, max_size=60)
"""Right letters, and those picked."""


def table_of(answers: Sequence[tuple[str, str | None]]) -> LetterTable:
    return tabulate_letters([right for right, _ in answers], [picked for _, picked in answers])


def drop_one(counts: NDArray[np.int_], left_out: int) -> float:
    """The statistic by its definition, which leaves out a letter."""
    rows, columns = counts.sum(axis=1), counts.sum(axis=0)
    kept = [place for place in range(len(counts)) if place != left_out]
    d = (rows - columns)[kept]
    s = (np.diag(rows + columns) - counts - counts.T)[np.ix_(kept, kept)]
    return float(d @ np.linalg.inv(s) @ d)


@given(answers)
def test_the_table_counts_every_answer(answers: list[tuple[str, str | None]]) -> None:
    table = table_of(answers)
    found = Counter(answers)
    for right, row in zip(table.letters, table.counts, strict=True):
        assert list(row) == [found[right, picked] for picked in table.letters]
    assert list(table.unread) == [found[right, None] for right in table.letters]


@given(answers)
def test_recall_is_the_share_of_a_letters_questions_answered_right(
    answers: list[tuple[str, str | None]],
) -> None:
    table = table_of(answers)
    known = []
    for letter, recall in zip(table.letters, table.recalls, strict=True):
        own = [right == picked for right, picked in answers if right == letter]
        assert recall == (pytest.approx(statistics.fmean(own)) if own else None)
        known += [] if recall is None else [recall]
    assert table.recall_deviation == pytest.approx(float(np.std(known)))


def test_without_right_letters_there_is_no_recall() -> None:
    table = LetterTable(letters=("A",), counts=((0,),), unread=(0,))
    assert (table.recalls, table.recall_deviation) == ((None,), None)


@given(
    st.lists(st.integers(1, 30), min_size=16, max_size=16),
    st.integers(0, 3),
    st.sampled_from([3, 4]),
)
def test_stuart_maxwell_is_as_defined_whichever_letter_is_left_out(
    cells: list[int], left_out: int, size: int
) -> None:
    counts = np.array(cells).reshape(4, 4)[:size, :size]
    table = LetterTable(
        letters=tuple("ABCD"[:size]), counts=tuple(map(tuple, counts.tolist())), unread=(0,) * size
    )
    test = stuart_maxwell(table)
    assert test is not None
    assert test.statistic == pytest.approx(drop_one(counts, left_out % size), abs=1e-8)
    assert test.df == size - 1
    assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, size - 1), abs=1e-9)


@given(answers)
def test_the_order_of_questions_and_the_names_of_letters_do_not_matter(
    answers: list[tuple[str, str | None]],
) -> None:
    names = dict(zip("ABCD", "DBAC", strict=True))
    renamed = [
        (names[right], None if picked is None else names[picked])
        for right, picked in reversed(answers)
    ]
    one, other = stuart_maxwell(table_of(answers)), stuart_maxwell(table_of(renamed))
    if one is None or other is None:
        assert one is other
    else:
        assert one.df == other.df
        assert one.statistic == pytest.approx(other.statistic, abs=1e-8)


def test_with_two_letters_it_is_mcnemars_test() -> None:
    answers = [("A", "A")] * 5 + [("A", "B")] * 9 + [("B", "A")] * 3 + [("B", "B")] * 7
    test = stuart_maxwell(table_of(answers))
    assert test is not None
    assert (test.statistic, test.df) == pytest.approx((6**2 / 12, 1))


def test_letters_that_are_never_confused_add_nothing() -> None:
    confused = [("A", "B")] * 9 + [("B", "A")] * 3
    alone, beside = (
        stuart_maxwell(table_of(confused)),
        stuart_maxwell(table_of([*confused, *[("C", "C")] * 8, ("D", None)])),
    )
    assert alone is not None
    assert beside is not None
    assert (beside.statistic, beside.df) == pytest.approx((alone.statistic, 1))
    both = stuart_maxwell(table_of([*confused, *[("C", "D")] * 4, *[("D", "C")] * 4]))
    assert both is not None
    assert (both.statistic, both.df) == pytest.approx((alone.statistic, 2))


def test_answers_all_right_leave_nothing_to_test() -> None:
    assert stuart_maxwell(table_of([("A", "A"), ("B", "B"), ("C", None)])) is None


def test_right_positions_are_tested_by_pearsons_chi_square() -> None:
    gold = [0] * 31 + [1] * 22 + [2] * 27 + [3] * 20
    test = gold_balance(gold, [4] * 100)
    expected = stats.chisquare([31, 22, 27, 20])
    assert test is not None
    assert (test.statistic, test.p_value) == pytest.approx((expected.statistic, expected.pvalue))


def test_questions_with_different_numbers_of_choices_are_tested_together() -> None:
    """Under chance, the p-values are spread evenly."""
    rng, choices = random.Random(4), [2] * 50 + [3] * 80 + [5] * 150
    tests = [gold_balance([rng.randrange(count) for count in choices], choices) for _ in range(600)]
    p_values = [test.p_value for test in tests if test is not None]
    assert {test.df for test in tests if test is not None} == {4}
    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_a_set_that_puts_the_right_choice_first_is_found() -> None:
    test = gold_balance([0] * 40, [4] * 40)
    assert test is not None
    assert test.p_value < 1e-9
    assert gold_balance([0, 0], [1, 1]) is None


@given(st.lists(st.integers(0, 2), min_size=3, max_size=6))
def test_the_sequence_is_judged_by_all_orders_of_its_positions(gold: list[int]) -> None:
    def runs_of(order: tuple[int, ...]) -> int:
        return 1 + sum(one != other for one, other in itertools.pairwise(order))

    runs = [runs_of(order) for order in itertools.permutations(gold)]
    p = gold_sequence(gold)
    if p is None:
        assert len(set(runs)) == 1
    else:
        z = (runs_of(tuple(gold)) - statistics.fmean(runs)) / statistics.pstdev(runs)
        assert p == pytest.approx(2 * stats.norm.sf(abs(z)))


@pytest.mark.parametrize("gold", [[0] * 50 + [1] * 50, [0, 1] * 50])
def test_sorted_and_alternating_positions_are_found(gold: list[int]) -> None:
    p = gold_sequence(gold)
    assert p is not None
    assert p < 1e-9


def test_a_random_sequence_passes() -> None:
    rng = random.Random(3)
    found = [gold_sequence([rng.randrange(4) for _ in range(300)]) or 0 for _ in range(400)]
    assert sum(p < 0.05 for p in found) / 400 == pytest.approx(0.05, abs=0.035)


@pytest.mark.parametrize("gold", [[], [1], [1, 1, 1], [0, 1, 2]])
def test_such_a_sequence_tells_nothing(gold: list[int]) -> None:
    assert gold_sequence(gold) is None


@pytest.mark.parametrize(
    ("gold", "choices", "message"),
    [
        ([], [], "0 questions: expected at least 1"),
        ([0, 1], [2], "1 numbers for 2 questions: expected as many"),
        ([2], [2], "position = 2: expected 0 to 1"),
        ([-1], [2], "position = -1: expected 0 to 1"),
    ],
)
def test_the_balance_refuses_what_makes_no_sense(
    gold: list[int], choices: list[int], message: str
) -> None:
    with pytest.raises(ValueError) as caught:
        gold_balance(gold, choices)
    assert str(caught.value) == message


def test_a_table_takes_an_answer_to_each_question() -> None:
    with pytest.raises(ValueError, match="0 questions: expected at least 1"):
        tabulate_letters([], [])
    with pytest.raises(ValueError, match="1 answers to 2 questions: expected as many"):
        tabulate_letters(["A", "B"], ["A"])
