"""A selection takes the questions that it names, in the order of the set, and no others."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.errors import BenchmarkError, UsageError
from evalkit.questions import Question, QuestionSet
from evalkit.selection import Selection, draw_stratified, read_ids, split_subjects
from evalkit.settings import RunSettings
from evalkit.stored_questions import StoredQuestions

SEEDS = st.integers(0, 2**32)
GROUPS = st.lists(st.sampled_from(("law", "art", "High school biology", None)), min_size=1)


def questions(groups: Iterable[str | None]) -> QuestionSet:
    """One question for each subject named, with ids q0, q1, ..."""
    return QuestionSet(
        questions=tuple(
            Question(id=f"q{number}", stem="?", choices=("x", "y"), right=(0,), group=group)
            for number, group in enumerate(groups)
        ),
        examples=(Question(id="e", stem="!", choices=("x", "y"), right=(0,)),),
    )


def ids(chosen: QuestionSet) -> list[str]:
    return [question.id for question in chosen.questions]


SET = questions(["law", "art", "law", "High school biology", None, "High school physics"])


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ((), ["q0", "q1", "q2", "q3", "q4", "q5"]),
        (("law",), ["q0", "q2"]),
        (("LAW", "art"), ["q0", "q1", "q2"]),
        (("high_school_biology",), ["q3"]),
        (("high_school_*",), ["q3", "q5"]),
        (("High school ?iology",), ["q3"]),
        (("*",), ["q0", "q1", "q2", "q3", "q5"]),
    ],
)
def test_subjects_are_named_in_any_case_or_by_patterns(
    subjects: tuple[str, ...], expected: list[str]
) -> None:
    chosen = Selection(subjects=subjects).apply(SET)

    assert ids(chosen) == expected
    assert chosen.examples == SET.examples


def test_a_subject_that_is_its_own_pattern_is_found_by_its_name() -> None:
    """What stands in brackets would be a set of characters in a pattern."""
    named = questions(["law [old]", "law o"])

    assert ids(Selection(subjects=("law [old]",)).apply(named)) == ["q0"]


@pytest.mark.parametrize(
    ("subject", "set_of", "words"),
    [
        ("lau", SET, "no subject is called 'lau'; near it: law"),
        ("zzz", SET, "there are High school biology, High school physics, art, law"),
        ("zzz", questions(map(str, range(9))), r"there are 0, 1, 2, 3, 4 and 4 more"),
        ("law", questions([None]), "the set has no subjects"),
    ],
)
def test_a_subject_that_is_not_there_is_refused(
    subject: str, set_of: QuestionSet, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        Selection(subjects=(subject,)).apply(set_of)


def test_ids_are_taken_in_the_order_of_the_set() -> None:
    assert ids(Selection(ids=("q4", "q1", "q4")).apply(SET)) == ["q1", "q4"]
    assert ids(Selection(ids=("q2", "q1"), subjects=("law",)).apply(SET)) == ["q2"]


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(ids=("q1", "x")), "'x' is the id of no question of the set"),
        (Selection(ids=tuple("abcdefg")), "'a', 'b', 'c', 'd', 'e' and 2 more are ids of no"),
        (Selection(ids=("q1",), subjects=("law",)), "none of the ids is a question of the subjec"),
    ],
)
def test_a_selection_of_nothing_is_refused(selection: Selection, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        selection.apply(SET)


@given(GROUPS, st.integers(1, 60), SEEDS)
def test_a_selection_of_everything_draws_what_the_set_draws(
    groups: list[str | None], limit: int, seed: int
) -> None:
    """So run ids from before there were selections stay."""
    everything = questions(groups)

    assert Selection().apply(everything, limit, seed) == everything.sample(limit, seed)
    assert Selection().apply(everything) is everything


def test_a_limit_draws_from_what_is_selected() -> None:
    everything = questions(["law", "art"] * 50)
    chosen = Selection(subjects=("law",)).apply(everything, 10, 3)

    assert len(chosen.questions) == 10
    assert {question.group for question in chosen.questions} == {"law"}
    with pytest.raises(ValueError, match="limit 0: expected at least 1"):
        Selection(stratified=True).apply(everything, 0, 3)


# Samples in proportion

STRATIFIED = Selection(stratified=True)


@given(GROUPS, SEEDS, st.integers(1, 40), st.integers(1, 40))
def test_a_smaller_sample_in_proportion_is_part_of_a_larger_one(
    groups: list[str | None], seed: int, one: int, other: int
) -> None:
    everything = questions(groups)
    small, large = (ids(STRATIFIED.apply(everything, n, seed)) for n in sorted((one, other)))

    assert set(small) <= set(large)
    assert len(small) == min(one, other, len(groups))
    assert small == [name for name in ids(everything) if name in set(small)]


@given(GROUPS, SEEDS, st.integers(1, 40), st.randoms())
def test_it_does_not_depend_on_the_order_of_the_file(
    groups: list[str | None], seed: int, limit: int, random: Any
) -> None:
    """But where subjects are due at the same time, which the ids decide."""
    everything = questions(groups)
    mixed = list(everything.questions)
    random.shuffle(mixed)
    drawn = STRATIFIED.apply(replace(everything, questions=tuple(mixed)), limit, seed)

    assert set(ids(drawn)) == set(ids(STRATIFIED.apply(everything, limit, seed)))


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), SEEDS, st.data())
def test_each_subject_gets_its_share_but_for_rounding(
    sizes: list[int], seed: int, data: st.DataObject
) -> None:
    everything = questions([str(group) for group, size in enumerate(sizes) for _ in range(size)])
    total = sum(sizes)
    limit = data.draw(st.integers(1, total))
    drawn = Counter(q.group for q in STRATIFIED.apply(everything, limit, seed).questions)

    # Webster's rule strays from the exact shares by less than half the number of parties.
    for group, size in enumerate(sizes):
        share = limit * size / total
        assert abs(drawn[str(group)] - share) <= max(1, math.ceil(len(sizes) / 2))
    counts = [(drawn[str(group)], size) for group, size in enumerate(sizes)]
    latest = max((count - 0.5) / size for count, size in counts if count)
    assert all((count + 0.5) / size >= latest - 1e-12 for count, size in counts), "Webster's rule"


def test_shares_that_are_whole_numbers_are_kept_exactly() -> None:
    everything = questions(["a"] * 600 + ["b"] * 300 + ["c"] * 100)
    drawn = Counter(q.group for q in STRATIFIED.apply(everything, 100, 0).questions)

    assert drawn == {"a": 60, "b": 30, "c": 10}


def test_each_question_of_a_subject_is_drawn_equally_often() -> None:
    everything = questions(["a"] * 20 + ["b"] * 10)
    drawn = Counter(
        name for seed in range(600) for name in ids(STRATIFIED.apply(everything, 9, seed))
    )

    assert all(130 <= drawn[f"q{n}"] <= 230 for n in range(30))  # 180 expected, deviation 11


def test_a_sample_in_proportion_is_the_same_in_every_version() -> None:
    drawn = STRATIFIED.apply(questions(["a"] * 8 + ["b"] * 4), 3, 0)

    assert ids(drawn) == ["q0", "q3", "q10"]


def test_a_set_in_a_file_is_selected_from_alike() -> None:
    everything = questions(["law", "art", "art"] * 40)
    stored = replace(everything, questions=StoredQuestions(everything.questions))
    for selection in (STRATIFIED, Selection(subjects=("art",)), Selection(ids=("q3", "q5"))):
        assert ids(selection.apply(stored, 20, 1)) == ids(selection.apply(everything, 20, 1))


def test_places_are_drawn_of_questions_that_are_read_once() -> None:
    assert draw_stratified(iter(SET.questions), 2, 0) == draw_stratified(SET.questions, 2, 0)


# What a user writes


def test_several_subjects_may_stand_in_one_text() -> None:
    assert split_subjects(["law,art", "Health, safety", " "]) == ("law", "art", "Health, safety")


def test_ids_stand_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_bytes("\ufeffq1\r\n\n  q 2 \nf\u00fcnf\u2028\n".encode())

    assert read_ids(file) == ("q1", "q 2", "f\u00fcnf")


@pytest.mark.parametrize(
    ("data", "words"),
    [(None, "No such file"), (b" \n", "names no id"), (b"\xff", "it is not UTF-8")],
)
def test_a_file_without_ids_is_refused(tmp_path: Path, data: bytes | None, words: str) -> None:
    file = tmp_path / "ids.txt"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(UsageError, match=words):
        read_ids(file)


def test_a_selection_is_told_in_words() -> None:
    chosen = Selection(subjects=("law", "art"), ids=("a", "b"), stratified=True)

    assert chosen.describe("dev") == (
        "split dev; subjects law, art; 2 ids; drawn in the proportion of subjects"
    )
    assert Selection().describe() == ""


def test_a_sample_in_proportion_needs_a_limit() -> None:
    with pytest.raises(UsageError, match="stratified: all questions are asked; it takes a limit"):
        RunSettings(selection=STRATIFIED)


# Splits

SPLIT_SET = """version = "1"
questions = 1
[source]
files = ["test.jsonl"]
[source.splits]
test = "test.jsonl"
dev = ["dev_*.jsonl"]
[columns]
stem = "question"
choices = "choices"
answer = "answer"
"""
ROW = '{{"question": "{}?", "choices": ["x", "y"], "answer": "A"}}\n'


@pytest.fixture
def split_set(tmp_path: Path) -> Path:
    """A set with two splits, one in two files."""
    for name in ("test", "dev_1", "dev_2"):
        (tmp_path / f"{name}.jsonl").write_text(ROW.format(name))
    path = tmp_path / "set.toml"
    path.write_text(SPLIT_SET)
    return path


@pytest.mark.parametrize(
    ("split", "stems", "number"),
    [(None, ["test?"], 1), ("test", ["test?"], 1), ("dev", ["dev_1?", "dev_2?"], None)],
)
def test_a_split_is_chosen_by_its_name(
    split_set: Path, split: str | None, stems: list[str], number: int | None
) -> None:
    benchmark: Benchmark = load_benchmark(split_set, split=split)

    assert [question.stem for question in benchmark.question_set.questions] == stems
    assert benchmark.definition.questions == number
    assert benchmark.definition.split == ("dev" if split == "dev" else "")


def test_a_split_that_the_definition_does_not_name_is_refused(split_set: Path) -> None:
    with pytest.raises(UsageError, match="no split 'train'; its definition names test, dev under"):
        load_benchmark(split_set, split="train")
    with pytest.raises(UsageError, match="names none under"):
        load_benchmark("everyday", split="train")


@pytest.mark.parametrize(
    ("splits", "words"),
    [("splits = 3", "expected a table"), ("splits = {dev = []}", "expected files"),
     ("splits = {dev = 3}", "expected a list of texts")],
)  # fmt: skip
def test_splits_that_name_no_files_are_refused(split_set: Path, splits: str, words: str) -> None:
    text = SPLIT_SET.replace('test = "test.jsonl"\ndev = ["dev_*.jsonl"]\n', "")
    split_set.write_text(text.replace("[source.splits]\n", f"{splits}\n"))
    with pytest.raises(BenchmarkError, match=words):
        load_benchmark(split_set)
