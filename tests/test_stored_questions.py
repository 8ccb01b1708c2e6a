"""Questions in a file are the questions that were put there, and fill no memory."""

from __future__ import annotations

import tempfile
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import stored_questions
from evalkit.errors import BenchmarkError
from evalkit.questions import Question, QuestionSet
from evalkit.stored_questions import MOST_IN_MEMORY, StoredQuestions, collect_questions
from tests.test_folder import ADDRESS, FILE, QUESTIONS
from tests.test_journal import disk_of

MANY = tuple(
    replace(
        QUESTIONS[number % 2],
        id=f"q{number}",
        cluster=f"c{number // 3}",
        images=(FILE, ADDRESS)[: number % 3],
        history=(("user", "Hello?"), ("assistant", "Ahoy \ud83d")) if number % 5 == 0 else (),
        metadata={"source": "a book"} if number % 7 == 0 else {},
    )
    for number in range(1000)
)


@given(
    first=st.integers(-1100, 1100),
    last=st.integers(-1100, 1100) | st.none(),
    step=st.sampled_from([None, 1, 2, -1]),
)
def test_they_read_back_equal_however_they_are_read(
    first: int, last: int | None, step: int | None
) -> None:
    assert len(STORED) == len(MANY)
    assert STORED[first:last:step] == MANY[first:last:step]
    if -len(MANY) <= first < len(MANY):
        assert STORED[first] == MANY[first]
    else:
        with pytest.raises(IndexError):
            STORED[first]


STORED = StoredQuestions(MANY[:10], iter(MANY[10:]))


def test_questions_that_are_known_to_differ_are_not_read_to_find_it_out() -> None:
    """A million of them take ten seconds to read."""
    twice = StoredQuestions(MANY[:1], MANY[:1])
    with pytest.raises(ValueError, match="q0: 2 questions have this id"):
        QuestionSet(questions=twice)

    told = StoredQuestions(MANY[:1], MANY[:1], have_different_ids=True)
    assert len(QuestionSet(questions=told).questions) == 2


def test_all_come_in_their_order() -> None:
    assert tuple(STORED) == MANY


def test_several_threads_may_read_at_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: tuple(STORED), range(8)))
    assert found == [MANY] * 8


@pytest.mark.parametrize("count", [0, 9, 10, 11, 1000])
def test_few_stay_in_memory(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_questions, "MOST_IN_MEMORY", 10)
    found = collect_questions(iter(MANY[:count]))
    assert isinstance(found, tuple) == (count <= 10)
    assert tuple(found) == MANY[:count]


def test_a_set_is_the_same_set_wherever_its_questions_are() -> None:
    stored, held = QuestionSet(questions=STORED), QuestionSet(questions=MANY)
    assert stored.digest == held.digest
    assert stored.sample(7, seed=3) == held.sample(7, seed=3)
    assert stored.find_duplicates() == held.find_duplicates() != ()
    with pytest.raises(ValueError, match="q3: 2 questions have this id"):
        QuestionSet(questions=StoredQuestions(MANY, MANY[3:4]))


def test_a_further_question_takes_a_few_bytes() -> None:
    def build(count: int) -> int:
        one = Question(id="q", stem="x" * 500, choices=("yes", "no"), right=(0,))
        tracemalloc.start()
        try:
            kept = collect_questions(replace(one, id=f"q{number}") for number in range(count))
            assert sum(1 for _ in kept) == count
            return tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()

    fewer, more = MOST_IN_MEMORY + 1000, MOST_IN_MEMORY + 11_000
    assert build(more) - build(fewer) < 20 * (more - fewer)


def test_a_full_disk_is_said_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        disk_of(1_000_000),
        pytest.raises(BenchmarkError, match=r"no room for the questions in .*TMPDIR"),
    ):
        StoredQuestions(replace(MANY[1], id=f"q{number}") for number in range(100_000))
