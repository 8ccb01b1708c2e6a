"""HellaSwag's text is read six lines a question; a line too many spoils one question only."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.benchmarks import load_benchmark
from evalkit.errors import RowProblem
from evalkit.loaders.records import Record
from evalkit.loaders.text import read_text_blocks

REAL = Path(__file__).parents[2] / "shared" / "data" / "hellaswag" / "hellaswag_val_full.txt"

ENDINGS = "is ripping.\n, and falls.\nis holding.\nstarts.\n"
BLOCK = f"Roof repair: A man sits on a roof. he\n3\n{ENDINGS}"


def read(folder: Path, text: str) -> list[Record | RowProblem]:
    path = folder / "q.txt"
    path.write_text(text, encoding="utf-8")
    return list(read_text_blocks(path))


def test_a_block_has_the_columns_of_the_hub(tmp_path: Path) -> None:
    first, second = read(tmp_path, f"{BLOCK}\n\n{BLOCK.replace('Roof repair: ', '')}")

    endings = ["is ripping.", ", and falls.", "is holding.", "starts."]
    assert isinstance(first, Record)
    assert isinstance(second, Record)
    assert first == Record(
        1,
        {
            "activity_label": "Roof repair",
            "ctx": "A man sits on a roof. he",
            "label": "3",
            "endings": endings,
        },
    )
    assert (second.line, "activity_label" in second.values) == (9, False)


@pytest.mark.parametrize(
    ("spoilt", "line"),
    [
        (BLOCK.replace("is ripping.\n", ""), 1),
        (f"One more line.\n{BLOCK}", 1),
        (f"{BLOCK}One more ending.\n", 7),
        (BLOCK.replace("\n3\n", "\n4\n"), 1),
        (BLOCK.replace("\n3\n", "\nthree\n"), 1),
    ],
)
def test_a_bad_block_is_one_problem(tmp_path: Path, spoilt: str, line: int) -> None:
    rows = read(tmp_path, spoilt + BLOCK + BLOCK)

    assert [row.line for row in rows if isinstance(row, RowProblem)] == [line]
    assert sum(isinstance(row, Record) for row in rows) == 2 + (BLOCK in spoilt)


def test_a_file_that_ends_within_a_block_says_so(tmp_path: Path) -> None:
    _, problem = read(tmp_path, BLOCK + BLOCK[:50])

    assert isinstance(problem, RowProblem)
    assert (problem.line, problem.field) == (7, "row")


def test_a_text_file_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(BLOCK * 1 + BLOCK.replace("3", "0").replace("man", "cat"))
    loaded = load_benchmark(tmp_path / "q.txt").question_set

    assert [question.right_texts for question in loaded.questions] == [
        ("starts.",),
        ("is ripping.",),
    ]


@pytest.mark.skipif(not REAL.is_file(), reason="the real slice is not on this machine")
def test_the_real_slice_has_200_questions_of_four_endings() -> None:
    loaded = load_benchmark(REAL).question_set

    assert len(loaded.questions) == 200
    assert {len(question.choices) for question in loaded.questions} == {4}
