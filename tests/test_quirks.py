"""Every quirk of the published sets that data/README.md names has a test on the real files.

Each row says what the README calls the quirk, and the test that would fail if it went wrong: here,
or in `test_real_data`, where the sets are loaded whole.
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import ascii_uppercase
from types import ModuleType
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.drafting import draft_benchmark
from evalkit.errors import BenchmarkError
from evalkit.prompts import build_prompt
from evalkit.questions import Question
from tests import test_loaders_text, test_real_data
from tests.test_real_data import (
    DATA,
    MMLU_PRO,
    MMMU_PRO,
    ROOT,
    Rows,
    expect_mmlu_pro,
    load,
    read_json,
    read_lines,
)

pytestmark = test_real_data.pytestmark

QUIRKS: dict[str, dict[str, str]] = {
    "MMLU": {
        "line breaks inside": "test_mmlus_quoted_cells_keep_their_line_breaks",
        "options that are the words `None`, `NA`": "test_mmlus_words_and_numbers_stay_text",
        "end lines with CR LF": "test_mmlus_line_ends_leave_no_trace",
        "repeated option texts": "test_mmlus_repeated_choices_and_questions_are_kept_and_reported",
        "all-numeric options": "test_mmlus_words_and_numbers_stay_text",
        "is not one line": "test_a_line_of_mmlu_that_is_broken_is_named_by_its_number",
    },
    "MMLU-Pro": {
        "option count varies": "test_mmlu_pro_has_3_to_10_choices_and_keeps_the_sets_own_ids",
        "`generated_text`": "test_what_a_model_said_is_no_part_of_the_question",
        "`pred` is null": "test_a_row_without_a_published_reading_is_a_question_like_any_other",
        "lacks 20 of the 12,032": "test_each_answer_file_of_mmlu_pro_holds_the_questions",
        "mix stray strings": "test_a_stray_string_in_the_list_is_named_and_the_rest_is_read",
    },
    "TruthfulQA csv": {
        "several answers in one cell": "test_answers_in_one_cell_are_cut_at_their_separator",
        "the options have to be built": "test_the_three_forms_of_truthfulqas_table_are_built",
        "best incorrect answer is not among": "test_a_best_wrong_answer_may_be_in_no_list",
    },
    "TruthfulQA mc1/mc2": {
        "comes first in every mc1 record": (
            "test_truthfulqas_right_choice_is_first_in_the_file_and_anywhere_in_the_prompt"
        ),
        "the right ones come first in mc2": (
            "test_truthfulqas_right_choices_of_mc2_are_all_kept_and_shuffled"
        ),
        "`\\u`-escaped": (
            "test_truthfulqas_languages_show_the_choices_of_a_question_in_the_same_order"
        ),
    },
    "BBH": {
        "`(A) text`": "test_lettered_choices_of_bbh_are_cut_and_its_broken_records_refused",
        "`- Yes` / `- No`": "test_choices_that_are_the_same_for_all_stay_in_the_text",
        "number of options varies": "test_the_number_of_choices_varies_within_a_task",
        "cut into two options": (
            "test_lettered_choices_of_bbh_are_cut_and_its_broken_records_refused"
        ),
        "two identical options": "test_two_identical_choices_are_kept_apart_by_their_letters",
        "two inputs that occur twice": "test_inputs_that_occur_twice_are_two_questions",
    },
    "BBH Codex answers": {
        "whole 3-shot prompt": "test_a_prompt_with_examples_is_no_question",
    },
    "AGIEval": {
        "the letter stands in the option": "test_every_question_is_what_the_file_says",
        "LaTeX": "test_latex_and_chinese_stay_as_they_are_in_a_prompt",
        "Chinese text": "test_latex_and_chinese_stay_as_they_are_in_a_prompt",
        "`passage` shared": "test_questions_that_share_a_passage_share_a_cluster",
    },
    "CommonsenseQA": {
        "two parallel lists": "test_every_question_is_what_the_file_says",
        "nests question{stem": "test_the_authors_own_form_of_commonsenseqa_is_read_alike",
    },
    "HellaSwag text": {
        "original JSON lines": "test_the_original_lines_of_hellaswag_give_the_same_questions",
        "ctx = ctx_a, a space, ctx_b": (
            "test_the_original_lines_of_hellaswag_give_the_same_questions"
        ),
        "`label` is a string": "test_the_original_lines_of_hellaswag_give_the_same_questions",
        "endings continue the context": "test_endings_stay_as_they_continue_the_context",
    },
    "AQuA": {
        "`A)125`": "test_every_question_is_what_the_file_says",
        "must not reach a prompt": "test_what_gives_the_answer_away_is_in_no_prompt",
    },
    "PuzzleVQA": {
        "relative to the file's folder": (
            "test_every_question_of_puzzlevqa_has_the_picture_that_its_row_names"
        ),
        "give the answer away": "test_what_gives_the_answer_away_is_in_no_prompt",
    },
    "MMMU-Pro sample": {
        "options that are images": (
            "test_choices_that_are_pictures_name_them_in_the_order_of_the_file"
        ),
        "does not follow image numbers": (
            "test_choices_that_are_pictures_name_them_in_the_order_of_the_file"
        ),
        "relative to `mmmu-pro/tool/static/`": (
            "test_mmmu_pros_pictures_are_numbered_as_its_columns"
        ),
    },
    "MMMU-Pro answers": {
        "Python list literal": "test_a_list_written_by_python_is_read_as_a_list",
        "published reading": "test_the_published_reading_is_no_part_of_the_question",
        "name images in their options": (
            "test_the_published_answers_of_mmmu_pro_speak_of_pictures_that_are_not_there"
        ),
    },
}
"""By set, words of the README and the name of the test."""

MODULES: tuple[ModuleType, ...] = (test_real_data, test_loaders_text)


def list_readme() -> dict[str, list[str]]:
    """The quirks of each set, as the README's table has them."""
    text = (DATA / "README.md").read_text(encoding="utf-8")
    table = text.partition("## Formats, and where they bite")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    # A semicolon between marks is one of the file's.
    return {row[0]: re.split(r"; (?!`)", row[-1]) for row in rows[2:] if len(row) == 4}


@pytest.mark.parametrize("name", QUIRKS)
def test_every_quirk_of_a_set_has_a_test(name: str) -> None:
    for clause in list_readme()[name]:
        assert any(words in clause for words in QUIRKS[name]), clause
    for words, test in QUIRKS[name].items():
        assert words in "; ".join(list_readme()[name])
        assert test in globals() or any(hasattr(module, test) for module in MODULES), test


def test_every_set_with_quirks_is_here() -> None:
    assert set(list_readme()) == set(QUIRKS)


def load_text(tmp_path: Path, columns: str, **source: Any) -> Benchmark:
    """A benchmark by a definition of one's own over the published files."""
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in source.items())
    path = tmp_path / "own.toml"
    path.write_text(f'version = "1"\n[source]\n{lines}\n[columns]\n{columns}', encoding="utf-8")
    return load_benchmark(path, data_folder=DATA)


def shown(benchmark: Benchmark) -> Iterator[str]:
    """All prompts of a set."""
    for question in benchmark.question_set.questions:
        yield build_prompt(question, benchmark.definition.prompt).question


# MMLU-Pro


@pytest.mark.parametrize(
    ("model", "column"),
    [
        ("Llama-2-7b-hf", "generated_text"),
        ("Phi-3-mini-4k-instruct", "generated_text"),
        ("gemini-1.5-flash-002", "model_outputs"),
    ],
)
def test_what_a_model_said_is_no_part_of_the_question(model: str, column: str) -> None:
    """Models quote the question, so that prompts are compared with all that they may hold."""
    draft = draft_benchmark(DATA / MMLU_PRO.format(model))
    benchmark = Benchmark(definition=draft.definition, question_set=draft.question_set)
    expected = [
        "\n\n".join(
            [stem, "\n".join(f"({a}) {c}" for a, c in zip(ascii_uppercase, choices, strict=False))]
        )
        for stem, choices, _ in expect_mmlu_pro(model)
    ]

    assert all(column in row for row in read_json(MMLU_PRO.format(model)))
    assert list(shown(benchmark)) == expected


@pytest.mark.parametrize(
    ("model", "count"),
    [("Llama-2-7b-hf", 112), ("Phi-3-mini-4k-instruct", 95), ("gemini-1.5-flash-002", 2)],
)
def test_a_row_without_a_published_reading_is_a_question_like_any_other(
    model: str, count: int
) -> None:
    rows = read_json(MMLU_PRO.format(model))
    questions = draft_benchmark(DATA / MMLU_PRO.format(model)).question_set.questions
    unread = {str(row["question_id"]) for row in rows if not row["pred"]}

    assert len(unread) == count
    assert unread < {question.id for question in questions}


def test_a_stray_string_in_the_list_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    rows: list[Any] = list(read_json(MMLU_PRO.format("Phi-3-mini-4k-instruct")))
    rows.insert(7, "stray")
    path = tmp_path / "answers.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    draft = draft_benchmark(path)
    [problem] = draft.problems

    assert (problem.line, problem.number, problem.value) == (1, 8, "'stray'")
    assert len(draft.question_set.questions) == 566


# TruthfulQA's table


def read_table() -> Rows:
    with (DATA / "truthfulqa" / "TruthfulQA.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def cut(cell: str) -> list[str]:
    return [part.strip() for part in cell.split("; ") if part.strip()]


def load_table(tmp_path: Path, choices: str) -> tuple[Question, ...]:
    columns = f'stem = "Question"\nchoices = {choices}\nshuffle_seed = 0'
    found = load_text(tmp_path, columns, folder="truthfulqa", files=["TruthfulQA.csv"])
    return tuple(found.question_set.questions)


FORMS = {
    "mc1": '{ right = "Best Answer", wrong = ["Incorrect Answers"], separator = "; " }',
    "mc2": (
        '{ right = "Correct Answers", wrong = ["Incorrect Answers"], separator = "; ", '
        "several = true }"
    ),
    "binary": '{ right = "Best Answer", wrong = ["Best Incorrect Answer"] }',
}


@pytest.mark.parametrize("form", FORMS)
def test_the_three_forms_of_truthfulqas_table_are_built(tmp_path: Path, form: str) -> None:
    questions = load_table(tmp_path, FORMS[form])

    assert len(questions) == 150
    for question, row in zip(questions, read_table(), strict=True):
        right = cut(row["Correct Answers"]) if form == "mc2" else [row["Best Answer"].strip()]
        column = "Best Incorrect Answer" if form == "binary" else "Incorrect Answers"
        wrong = [row[column].strip()] if form == "binary" else cut(row[column])
        assert sorted(question.right_texts) == sorted(right)
        assert sorted(question.choices) == sorted([*right, *wrong])
    if form == "mc2":
        assert {len(question.right) for question in questions} >= {1, 12}


def test_answers_in_one_cell_are_cut_at_their_separator(tmp_path: Path) -> None:
    sizes = Counter(len(question.choices) for question in load_table(tmp_path, FORMS["mc1"]))

    assert sizes == Counter(1 + len(cut(row["Incorrect Answers"])) for row in read_table())
    assert len(sizes) > 5


def test_a_best_wrong_answer_may_be_in_no_list(tmp_path: Path) -> None:
    odd = [
        place
        for place, row in enumerate(read_table())
        if row["Best Incorrect Answer"].strip() not in cut(row["Incorrect Answers"])
    ]
    [place] = odd
    binary, mc1 = (load_table(tmp_path, FORMS[form])[place] for form in ("binary", "mc1"))

    assert "Yes, I am conscious" in binary.choices
    assert "Yes, I am conscious" not in mc1.choices
    assert "Yes, I am conscious." in mc1.choices


@pytest.mark.parametrize("language", ["en", "es"])
def test_truthfulqas_right_choices_of_mc2_are_all_kept_and_shuffled(
    tmp_path: Path, language: str
) -> None:
    file = f"truthfulqa_multi/data/{language}/validation.json"
    questions = load_text(
        tmp_path,
        """
        id = "id"
        stem = "question"
        choices = { list = "mc2_targets.choices" }
        answer = "mc2_targets.labels"
        answer_is = "flags"
        shuffle_seed = 0
        """,
        files=[file],
    ).question_set.questions

    first = 0
    for question, row in zip(questions, read_json(file), strict=True):
        target = row["mc2_targets"]
        right = [c for c, flag in zip(target["choices"], target["labels"], strict=True) if flag]
        assert target["labels"] == sorted(target["labels"], reverse=True)
        assert sorted(question.right_texts) == sorted(choice.strip() for choice in right)
        first += question.right == tuple(range(len(right)))
    assert sum(not question.has_one_answer for question in questions) > 100
    assert first < 75


# BIG-Bench Hard


def read_bbh(task: str) -> Rows:
    examples: Rows = json.loads((DATA / "bbh" / "bbh" / f"{task}.json").read_text())["examples"]
    return examples


def test_choices_that_are_the_same_for_all_stay_in_the_text() -> None:
    rows = read_bbh("causal_judgement")
    questions = load("bbh-causal-judgement").question_set.questions

    assert [q.stem for q in questions] == [row["input"].strip() for row in rows]
    assert {q.choices for q in questions} == {("Yes", "No")}
    assert [q.right_texts[0] for q in questions] == [row["target"] for row in rows]
    assert all(q.stem.endswith("Options:\n- Yes\n- No") for q in questions)


def test_the_number_of_choices_varies_within_a_task() -> None:
    sizes: dict[str | None, set[int]] = {}
    for question in load("bbh").question_set.questions:
        sizes.setdefault(question.group, set()).add(len(question.choices))

    assert sizes == {
        "date understanding": {5, 6},
        "movie recommendation": {4, 5},
        "snarks": {2},
    }


def test_two_identical_choices_are_kept_apart_by_their_letters() -> None:
    [question] = [q for q in load("bbh").question_set.questions if len(set(q.choices)) == 1]
    row = read_bbh("snarks")[86]

    assert (question.group, question.right, row["target"]) == ("snarks", (0,), "(A)")
    assert row["input"].count(question.choices[0]) == 2


def test_inputs_that_occur_twice_are_two_questions() -> None:
    found = load("bbh-causal-judgement").question_set
    inputs = Counter(row["input"] for row in read_bbh("causal_judgement"))

    assert len(inputs) == 185
    assert len(found.questions) == len({question.id for question in found.questions}) == 187
    assert [duplicate.same_answer for duplicate in found.find_duplicates()] == [False, False]


@pytest.mark.parametrize("task", ["date_understanding", "snarks"])
@pytest.mark.parametrize("form", ["cot", "direct"])
def test_a_prompt_with_examples_is_no_question(task: str, form: str) -> None:
    """It names the letters of several questions: which are the choices can't be told."""
    folder = DATA / "bbh" / "code-davinci-002-outputs" / f"code-davinci-002-{form}"
    path = folder / f"{task}_few_shot_template_0-255000.json"

    with pytest.raises(BenchmarkError, match="no column was recognized as choices"):
        draft_benchmark(path)


# CommonsenseQA


def test_the_authors_own_form_of_commonsenseqa_is_read_alike(tmp_path: Path) -> None:
    rows = [
        {
            "id": row["id"],
            "answerKey": row["answerKey"],
            "question": {
                "question_concept": row["question_concept"],
                "stem": row["question"],
                "choices": [
                    {"label": label, "text": text}
                    for label, text in zip(
                        row["choices"]["label"], row["choices"]["text"], strict=True
                    )
                ],
            },
        }
        for row in read_lines("commonsenseqa/dev_rand_split.jsonl")
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    (tmp_path / "own.toml").write_text(
        """
        version = "1"
        [source]
        files = ["own.jsonl"]
        [columns]
        id = "id"
        stem = "question.stem"
        choices = { items = "question.choices", text = "text", label = "label" }
        answer = "answerKey"
        """,
        encoding="utf-8",
    )
    ours = load_benchmark(tmp_path / "own.toml").question_set.questions
    theirs = load("commonsenseqa").question_set.questions

    assert [(q.id, q.stem, q.choices, q.right) for q in ours] == [
        (q.id, q.stem, q.choices, q.right) for q in theirs
    ]


# HellaSwag


def read_hellaswag() -> list[list[str]]:
    """The blocks of six lines."""
    lines = (DATA / "hellaswag" / "hellaswag_val_full.txt").read_text("utf-8").split("\n")
    return [lines[start : start + 6] for start in range(0, 1200, 6)]


def test_the_original_lines_of_hellaswag_give_the_same_questions(tmp_path: Path) -> None:
    """The hub has the label as a text; a context without second part is its first part alone."""
    rows: list[dict[str, Any]] = []
    for head, label, *endings in read_hellaswag():
        activity, _, context = head.partition(": ")
        first, second = context.rsplit(" ", 1) if len(rows) % 2 else (context, "")
        context = f"{first} {second}" if second else first
        rows.append(
            {
                **{"activity_label": activity, "ctx_a": first, "ctx_b": second, "ctx": context},
                **{"endings": endings, "label": label if len(rows) % 3 else int(label)},
            }
        )
    path = tmp_path / "hellaswag_val.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    text = (ROOT / "benchmarks" / "hellaswag.toml").read_text(encoding="utf-8")
    text = re.sub(r"files = \[.*?\]", 'files = ["hellaswag_val.jsonl"]', text, flags=re.DOTALL)
    (tmp_path / "hellaswag.toml").write_text(text, encoding="utf-8")
    ours = load_benchmark(tmp_path / "hellaswag.toml").question_set.questions
    theirs = load("hellaswag").question_set.questions

    assert [(q.stem, q.choices, q.right) for q in ours] == [
        (q.stem, q.choices, q.right) for q in theirs
    ]


def test_endings_stay_as_they_continue_the_context() -> None:
    questions = load("hellaswag").question_set.questions
    blocks = read_hellaswag()

    assert [q.choices for q in questions] == [tuple(e.strip() for e in b[2:]) for b in blocks]
    assert [q.right for q in questions] == [(int(block[1]),) for block in blocks]
    openings = Counter(choice[0].islower() for q in questions for choice in q.choices)
    assert openings[True] > openings[False]
    assert any(choice.startswith(", ") for q in questions for choice in q.choices)


# MMMU-Pro's answers


@pytest.mark.parametrize("way", ["cot", "direct"])
def test_a_list_written_by_python_is_read_as_a_list(tmp_path: Path, way: str) -> None:
    file = f"{MMMU_PRO.replace('tool', 'output')}/gpt-4o_standard(10 options)_{way}.jsonl"
    # The pictures are not there: their marks become words.
    text = re.sub(r"<(image \d)>", r"\1", (DATA / file).read_text(encoding="utf-8"))
    (tmp_path / "answers.jsonl").write_text(text, encoding="utf-8")
    rows = [json.loads(line) for line in text.split("\n") if line]
    (tmp_path / "own.toml").write_text(
        """
        version = "1"
        [source]
        files = ["answers.jsonl"]
        [columns]
        id = "id"
        stem = "question"
        choices = { list = "options", literal = true }
        answer = "answer"
        """,
        encoding="utf-8",
    )
    questions = load_benchmark(tmp_path / "own.toml").question_set.questions

    assert len(questions) == 149
    assert {type(row["options"]) for row in rows} == {str}
    assert [q.choices for q in questions] == [
        tuple(text.strip() for text in ast.literal_eval(row["options"])) for row in rows
    ]


def test_the_published_reading_is_no_part_of_the_question(tmp_path: Path) -> None:
    definition = (ROOT / "benchmarks" / "mmmu-pro-10.toml").read_text(encoding="utf-8")

    assert not re.search(r"pred_indexs|if_right|response", definition)
    rows = read_lines(f"{MMMU_PRO.replace('tool', 'output')}/gpt-4o_standard(10 options)_cot.jsonl")
    assert all({"pred_indexs", "if_right", "response"} <= set(row) for row in rows)
