"""Questions are written as lines that read back equal, and share what repeats."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from evalkit.question_lines import (
    compress_questions,
    decode_question,
    decode_questions,
    decompress_questions,
    encode_question,
    encode_questions,
)
from evalkit.questions import Question
from tests.test_folder import ADDRESS, FILE, QUESTIONS

TEXT = st.text(st.characters(codec="utf-8"))


@given(
    st.lists(
        st.builds(
            Question,
            id=TEXT,
            stem=TEXT,
            choices=st.lists(TEXT, min_size=2, max_size=4).map(tuple),
            right=st.sampled_from([(0,), (1,), (0, 1)]),
            group=st.none() | TEXT,
            cluster=st.none() | TEXT,
            order=st.none() | st.just((1, 0)),
            images=st.lists(st.sampled_from([FILE, ADDRESS]), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple)
)
def test_questions_read_back_equal(questions: tuple[Question, ...]) -> None:
    data = encode_questions(questions)
    assert decode_questions(data) == questions
    assert encode_questions(questions) == data


def test_a_question_with_half_a_sign_reads_back_equal() -> None:
    question = replace(QUESTIONS[0], stem="\ud83d?")
    assert decode_questions(encode_questions([question])) == (question,)


def test_questions_share_what_repeats() -> None:
    first, second = decode_questions(encode_questions([replace(QUESTIONS[1], cluster="c")] * 2))
    assert first.right is second.right
    assert first.group is second.group
    assert first.cluster is second.cluster


def test_many_questions_are_written_and_read_in_small_parts(tmp_path: Path) -> None:
    question = replace(QUESTIONS[0], stem="x" * 1000)
    path = tmp_path / "questions.jsonl.gz"
    tracemalloc.start()
    try:
        with path.open("wb") as file:
            file.writelines(compress_questions(question for _ in range(10_000)))
        with path.open("rb") as file:
            assert sum(1 for _ in decompress_questions(file)) == 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_questions_without_pictures_are_written_as_they_always_were() -> None:
    question = replace(QUESTIONS[1], images=())
    [line] = gzip.decompress(encode_questions((question,))).decode().splitlines()

    assert json.loads(line) == {
        **{"id": "two", "stem": "Even?", "choices": ["2", "3", "4"]},
        **{"right": [0, 2], "group": "sums"},
    }


def test_metadata_stays_out_of_a_run_folder() -> None:
    # Explanations give answers away, and licences of whole sets may forbid to copy them.
    question = replace(QUESTIONS[0], metadata={"explanation": "Formica is the ant"})
    assert b"explanation" not in gzip.decompress(encode_questions((question,)))
    assert decode_questions(encode_questions((question,))) == QUESTIONS[:1]


def test_metadata_is_written_where_it_is_asked_for() -> None:
    question = replace(QUESTIONS[0], metadata={"source": "a book"})
    assert decode_question(encode_question(question, with_metadata=True)) == question
