"""The published sets load through their definitions alone, as an independent reading has them.

The files are slices of the originals with all their oddities; data/README.md, beside them, says
which. What is expected here is read from them by the csv and json modules directly.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import io
import json
import random
import re
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark, list_definitions, load_benchmark, parse_definition
from evalkit.errors import BenchmarkError, QuestionSetError
from evalkit.prompts import build_prompt, choose_examples, rank_examples
from evalkit.questions import Question
from evalkit.suites import parse_suite

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the published sets are not beside the repository (shared/data)"
)

Rows = list[dict[str, Any]]
Expected = tuple[str, tuple[str, ...], tuple[int, ...]]
"""Stem, choices and positions of the right ones."""

MMLU_PRO = "mmlu_pro/eval_results/model_outputs_{}_5shots.json"
PUZZLEVQA = "llm_puzzletest/PuzzleVQA/data"
PUZZLES = ("color_hexagon", "color_overlap_squares", "rectangle_height_color", "triangle")
MMMU_PRO = "mmmu_pro/mmmu-pro/tool"
MMLU_SUBJECTS = {
    "abstract algebra": 100,
    "college computer science": 100,
    "electrical engineering": 145,
    "formal logic": 126,
    "public relations": 110,
}


@cache
def load(name: str) -> Benchmark:
    return load_benchmark(name, data_folder=DATA)


def read_json(path: str) -> Rows:
    rows: Rows = json.loads((DATA / path).read_text(encoding="utf-8"))
    return rows


def read_lines(path: str) -> Rows:
    lines = (DATA / path).read_bytes().decode().split("\n")
    return [json.loads(line) for line in lines if line]


def read_mmlu(split: str) -> list[tuple[str, list[str]]]:
    """(subject, cells) of each row of all files."""
    found = []
    for path in sorted((DATA / "mmlu" / "data" / split).glob(f"*_{split}.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            subject = path.stem.removesuffix(f"_{split}").replace("_", " ")
            found += [(subject, cells) for cells in csv.reader(file)]
    return found


def facts(questions: Sequence[Question]) -> list[Expected]:
    return [(q.stem, q.choices, q.right) for q in questions]


def places(letters: str | list[str]) -> tuple[int, ...]:
    return tuple(sorted(ascii_uppercase.index(letter) for letter in letters))


def expect_mmlu(split: str) -> list[Expected]:
    return [
        (cells[0].strip(), tuple(c.strip() for c in cells[1:5]), places(cells[5]))
        for _, cells in read_mmlu(split)
    ]


def expect_mmlu_pro(model: str) -> list[Expected]:
    rows = read_json(MMLU_PRO.format(model))
    return [(r["question"].strip(), stripped(r["options"]), (r["answer_index"],)) for r in rows]


def expect_commonsenseqa() -> list[Expected]:
    rows = read_lines("commonsenseqa/dev_rand_split.jsonl")
    return [
        (
            r["question"].strip(),
            stripped(r["choices"]["text"]),
            (r["choices"]["label"].index(r["answerKey"]),),
        )
        for r in rows
    ]


def expect_aqua() -> list[Expected]:
    rows = read_lines("aqua/dev.json")
    return [
        (r["question"].strip(), stripped(o[2:] for o in r["options"]), places(r["correct"]))
        for r in rows
    ]


def expect_agieval(name: str) -> list[Expected]:
    found = []
    for row in read_lines(f"agieval/data/v1/{name}.jsonl"):
        parts = [row["passage"] or "", row["question"]]
        stem = "\n\n".join(part.strip() for part in parts if part.strip())
        found.append((stem, stripped(o[3:] for o in row["options"]), places(row["label"])))
    return found


def stripped(texts: Any) -> tuple[str, ...]:
    return tuple(text.strip() for text in texts)


def expect_puzzlevqa() -> list[Expected]:
    return [
        (r["question"], tuple(r["options"]), (r["options"].index(str(r["answer"])),))
        for puzzle in PUZZLES
        for r in read_lines(f"{PUZZLEVQA}/{puzzle}.json")
    ]


def expect_mmmu_pro() -> list[Expected]:
    return [
        (r["question"].strip(), stripped(r["options"]), places(r["answer"]))
        for r in read_lines(f"{MMMU_PRO}/data.jsonl")
    ]


SETS: dict[str, Callable[[], list[Expected]]] = {
    "mmlu": lambda: expect_mmlu("test"),
    "mmlu-pro": lambda: expect_mmlu_pro("Phi-3-mini-4k-instruct"),
    "commonsenseqa": expect_commonsenseqa,
    "aqua": expect_aqua,
    "agieval-sat-math": lambda: expect_agieval("sat-math"),
    "agieval-lsat-ar": lambda: expect_agieval("lsat-ar"),
    "agieval-gaokao-physics": lambda: expect_agieval("gaokao-physics"),
    "puzzlevqa": expect_puzzlevqa,
    "mmmu-pro": expect_mmmu_pro,
}
COUNTS = {
    "mmlu": 581,
    "mmlu-pro": 566,
    "commonsenseqa": 200,
    "aqua": 150,
    "agieval-sat-math": 220,
    "agieval-lsat-ar": 230,
    "agieval-gaokao-physics": 200,
    "truthfulqa-mc1": 150,
    "puzzlevqa": 100,
    "mmmu-pro": 7,
    # A row of each of the last two of its three tasks here is cut wrongly, and left out.
    "bbh": 250 + 249 + 177,
    "bbh-causal-judgement": 187,
    "hellaswag": 200,
    "mmlu-stem": 345,
    "mmlu-humanities": 126,
    "mmlu-social-sciences": 110,
}


# All sets


@pytest.mark.parametrize("name", SETS)
def test_every_question_is_what_the_file_says(name: str) -> None:
    assert facts(load(name).question_set.questions) == SETS[name]()


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_a_set_has_as_many_questions_as_its_slice(name: str, count: int) -> None:
    assert len(load(name).question_set.questions) == count


@pytest.mark.parametrize("name", COUNTS)
def test_all_questions_have_as_many_choices_as_the_definition_promises(name: str) -> None:
    benchmark = load(name)
    counts = {len(question.choices) for question in benchmark.question_set.questions}

    assert benchmark.definition.choices is None or counts == {benchmark.definition.choices}


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("mmlu", "| MMLU | `cais/mmlu`"),
        ("mmlu-pro", "| `mmlu_pro/` |"),
        ("commonsenseqa", "| `commonsenseqa/` |"),
        ("aqua", "| `aqua/` |"),
        ("truthfulqa-mc1", "| `truthfulqa_multi/` |"),
        ("agieval-sat-math", "| `agieval/` |"),
        ("agieval-lsat-ar", "| `agieval/` |"),
        ("agieval-gaokao-physics", "| `agieval/` |"),
        ("puzzlevqa", "| PuzzleVQA | `declare-lab/PuzzleVQA`"),
    ],
)
def test_a_definition_says_how_many_questions_the_published_set_has(name: str, line: str) -> None:
    """The README gives the whole size as `150 of 817`, `test 14,042` or `sat-math 220`."""
    text = (DATA / "README.md").read_text(encoding="utf-8")
    [row] = [row for row in text.splitlines() if row.startswith(line)]
    part = name.removeprefix("agieval-")
    sizes = re.findall(rf"(?:of|test|train|{part}) ([\d,]*\d)", row)

    assert f"{load(name).definition.questions:,}" in sizes


def test_every_definition_that_finds_a_slice_is_tried_here() -> None:
    definitions = [parse_definition(p) for p in list_definitions() if parse_suite(p) is None]
    found = {d.name for d in definitions if d.find_files(d.source.files, DATA)}

    assert found == {*COUNTS, "everyday", "facts"}


# MMLU


def test_mmlu_has_five_subjects_named_by_their_files() -> None:
    groups = Counter(question.group for question in load("mmlu").question_set.questions)

    assert groups == MMLU_SUBJECTS


def test_mmlu_has_five_worked_examples_a_subject() -> None:
    found = load("mmlu").question_set

    assert facts(found.examples) == expect_mmlu("dev")
    assert Counter(q.group for q in found.examples) == dict.fromkeys(MMLU_SUBJECTS, 5)


def test_mmlus_validation_files_load_by_a_definition_of_ones_own(tmp_path: Path) -> None:
    definition = (ROOT / "benchmarks" / "mmlu.toml").read_text(encoding="utf-8")
    path = tmp_path / "mmlu-val.toml"
    path.write_text(
        definition.replace("data/test/*_test.csv", "data/val/*_val.csv")
        .replace("(?:test|dev)", "(?:val|dev)")
        .replace("questions = 14042", "questions = 1531"),
        encoding="utf-8",
    )
    found = load_benchmark(path, data_folder=DATA).question_set

    assert len(found.questions) == 64
    assert facts(found.questions) == expect_mmlu("val")


def test_mmlus_quoted_cells_keep_their_line_breaks() -> None:
    with_breaks = Counter(
        question.group
        for question in load("mmlu").question_set.questions
        if any("\n" in text for text in (question.stem, *question.choices))
    )
    # The README counts raw cells: two of them begin with their only line break.
    raw = Counter(subject for subject, cells in read_mmlu("test") if "\n" in "".join(cells))

    assert raw == {"formal logic": 67, "college computer science": 34}
    assert set(with_breaks) == set(raw)
    assert all(0 <= raw[subject] - with_breaks[subject] <= 2 for subject in raw)


def test_mmlus_words_and_numbers_stay_text() -> None:
    choices = [c for q in load("mmlu").question_set.questions for c in q.choices]
    raw = [cell for _, cells in read_mmlu("test") for cell in cells[1:5]]

    assert choices.count("None") == raw.count("None") == 6
    assert all(isinstance(choice, str) for choice in choices)
    assert sum(choice.isdecimal() for choice in choices) == sum(c.strip().isdecimal() for c in raw)
    assert sum(choice.isdecimal() for choice in choices) > 100


def test_mmlus_line_ends_leave_no_trace() -> None:
    raw = (DATA / "mmlu" / "data" / "test" / "public_relations_test.csv").read_bytes()
    questions = load("mmlu").question_set.questions

    assert b"\r\n" in raw
    assert not any("\r" in text for q in questions for text in (q.stem, *q.choices))


def test_mmlus_repeated_choices_and_questions_are_kept_and_reported() -> None:
    found = load("mmlu").question_set
    repeated = [q for q in found.questions if len(set(q.choices)) < len(q.choices)]
    raw = [cells for _, cells in read_mmlu("test") if len(set(cells[1:5])) < 4]
    contents = Counter((cells[0], *sorted(cells[1:5])) for _, cells in read_mmlu("test"))

    assert len(repeated) == len(raw) == 2
    assert len(found.find_duplicates()) == sum(contents.values()) - len(contents) == 2
    assert all(duplicate.same_answer for duplicate in found.find_duplicates())


def test_a_line_of_mmlu_that_is_broken_is_named_by_its_number(tmp_path: Path) -> None:
    """Formal logic has more lines than rows."""
    raw = (DATA / "mmlu" / "data" / "test" / "formal_logic_test.csv").read_text(encoding="utf-8")
    lines = raw.split("\n")
    last = max(i for i, line in enumerate(lines) if line.endswith(",C"))
    lines[last] = lines[last].removesuffix(",C") + ",E"
    path = tmp_path / "logic.csv"
    path.write_text("\n".join(lines), encoding="utf-8")

    with pytest.raises(QuestionSetError) as caught:
        load_benchmark(path)

    [problem] = caught.value.problems
    assert (problem.field, problem.value) == ("answer", "'E'")
    # A row may start on an earlier line than the one that holds its answer.
    assert 126 < problem.line <= last + 1
    assert any(lines[line - 1].startswith('"') for line in range(problem.line, last + 2)) or (
        problem.line == last + 1
    )


# MMLU-Pro


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("Llama-2-7b-hf", 566),
        ("Phi-3-mini-4k-instruct", 566),
        ("gemini-1.5-flash-002", 565),
    ],
)
def test_each_answer_file_of_mmlu_pro_holds_the_questions(
    tmp_path: Path, model: str, count: int
) -> None:
    definition = (ROOT / "benchmarks" / "mmlu-pro.toml").read_text(encoding="utf-8")
    path = tmp_path / "pro.toml"
    path.write_text(definition.replace("Phi-3-mini-4k-instruct", model), encoding="utf-8")
    questions = load_benchmark(path, data_folder=DATA).question_set.questions

    assert len(questions) == count
    assert facts(questions) == expect_mmlu_pro(model)


def test_mmlu_pros_letter_and_index_name_the_same_choice(tmp_path: Path) -> None:
    definition = (ROOT / "benchmarks" / "mmlu-pro.toml").read_text(encoding="utf-8")
    path = tmp_path / "pro.toml"
    by_index = 'answer = "answer_index"\nanswer_is = "index0"'
    path.write_text(definition.replace('answer = "answer"', by_index), encoding="utf-8")

    assert load_benchmark(path, data_folder=DATA).question_set == load("mmlu-pro").question_set


def test_mmlu_pro_has_3_to_10_choices_and_keeps_the_sets_own_ids() -> None:
    questions = load("mmlu-pro").question_set.questions
    counts = Counter(len(question.choices) for question in questions)
    rows = read_json(MMLU_PRO.format("Phi-3-mini-4k-instruct"))

    assert (min(counts), max(counts), counts[10]) == (3, 10, 443)
    assert [q.id for q in questions] == [str(row["question_id"]) for row in rows]
    assert [q.group for q in questions] == [row["category"] for row in rows]
    assert sum(q.choices.count("None") for q in questions) == 2


# AGIEval


def test_gaokao_keeps_its_questions_with_several_right_choices_as_data() -> None:
    questions = load("agieval-gaokao-physics").question_set.questions
    rows = read_lines("agieval/data/v1/gaokao-physics.jsonl")
    several = [isinstance(row["label"], list) for row in rows]

    assert several.count(True) == 35
    assert [not question.has_one_answer for question in questions] == several


@pytest.mark.parametrize(
    ("name", "clusters"),
    [("agieval-lsat-ar", 40), ("agieval-sat-math", 7), ("agieval-gaokao-physics", 0)],
)
def test_questions_that_share_a_passage_share_a_cluster(name: str, clusters: int) -> None:
    questions = load(name).question_set.questions
    rows = read_lines(f"agieval/data/v1/{name.removeprefix('agieval-')}.jsonl")
    found = {question.cluster for question in questions} - {None}

    assert len(found) == clusters == len({row["passage"] for row in rows} - {None, ""})
    assert [q.cluster or "" for q in questions] == [(r["passage"] or "").strip() for r in rows]
    assert all(question.stem.startswith(question.cluster or "") for question in questions)


def test_latex_and_chinese_stay_as_they_are_in_a_prompt() -> None:
    [latex, *_] = load("agieval-sat-math").question_set.questions
    [chinese, *_] = load("agieval-gaokao-physics").question_set.questions
    form = load("agieval-sat-math").definition.prompt

    assert r"$\frac{x-1}{3}=k$" in build_prompt(latex, form).question
    assert "原子弹" in build_prompt(chinese, form).question


# Questions with pictures


def test_every_question_of_puzzlevqa_has_the_picture_that_its_row_names() -> None:
    benchmark = load("puzzlevqa")
    questions = benchmark.question_set.questions
    rows = [r for puzzle in PUZZLES for r in read_lines(f"{PUZZLEVQA}/{puzzle}.json")]

    for question, row in zip(questions, rows, strict=True):
        path = DATA / PUZZLEVQA / row["image"]
        [image] = question.images
        assert (image.path, image.media_type) == (str(path), "image/png")
        assert image.digest == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (image.width, image.height) == png_size(path)
    assert Counter(q.group for q in questions) == {p.replace("_", " "): 25 for p in PUZZLES}


def test_the_words_of_puzzlevqa_repeat_but_not_with_the_same_picture() -> None:
    found = load("puzzlevqa").question_set

    assert len({(q.stem, q.choices) for q in found.questions}) < 100
    assert found.find_duplicates() == ()
    assert len({q.id for q in found.questions}) == 100
    assert not any("-" in q.id for q in found.questions)


def test_a_number_answers_where_the_choices_are_texts() -> None:
    rows = read_lines(f"{PUZZLEVQA}/triangle.json")
    triangles = [q for q in load("puzzlevqa").question_set.questions if q.group == "triangle"]

    assert {type(row["answer"]) for row in rows} == {int}
    assert [q.right_texts for q in triangles] == [(str(row["answer"]),) for row in rows]


def test_mmmu_pros_pictures_are_numbered_as_its_columns() -> None:
    questions = load("mmmu-pro").question_set.questions
    rows = read_lines(f"{MMMU_PRO}/data.jsonl")

    assert sum(len(question.images) for question in questions) == 11
    for question, row in zip(questions, rows, strict=True):
        names = [row[f"image_{n}"] for n in range(1, 8) if f"image_{n}" in row]
        assert [i.path for i in question.images] == [
            str(DATA / MMMU_PRO / "static" / name) for name in names
        ]


def test_choices_that_are_pictures_name_them_in_the_order_of_the_file() -> None:
    [question] = [q for q in load("mmmu-pro").question_set.questions if len(q.images) > 1]

    assert question.stem.startswith("<image 1> ")
    assert question.choices == ("<image 4>", "<image 2>", "<image 5>", "<image 3>")
    assert question.right_texts == ("<image 4>",)
    names = [Path(image.place).stem for image in question.images]
    assert names == [f"test_Music_251_{n}" for n in range(1, 6)]


def test_the_published_answers_of_mmmu_pro_speak_of_pictures_that_are_not_there(
    tmp_path: Path,
) -> None:
    rows = read_lines(f"{MMMU_PRO.replace('tool', 'output')}/gpt-4o_standard(10 options)_cot.jsonl")
    lists = [row | {"options": ast.literal_eval(row["options"])} for row in rows]
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in lists), encoding="utf-8")

    with pytest.raises(QuestionSetError) as caught:
        load_benchmark(path)

    assert "the row has no picture <image 1>; columns.images" in str(caught.value)
    marked = ["<image " in f"{row['question']}{row['options']}" for row in rows]
    assert [p.line for p in caught.value.problems] == [i for i, m in enumerate(marked, 1) if m]


def png_size(path: Path) -> tuple[int, int]:
    """Width and height, where the format has them."""
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return (width, height)


# TruthfulQA


def spanish(folder: Path) -> Benchmark:
    definition = (ROOT / "benchmarks" / "truthfulqa-mc1.toml").read_text(encoding="utf-8")
    path = folder / "truthfulqa-es.toml"
    path.write_text(definition.replace("data/en/", "data/es/"), encoding="utf-8")
    return load_benchmark(path, data_folder=DATA)


@pytest.mark.parametrize("language", ["en", "es"])
def test_truthfulqa_mc1_is_what_the_file_says_but_for_the_order(
    tmp_path: Path, language: str
) -> None:
    benchmark = load("truthfulqa-mc1") if language == "en" else spanish(tmp_path)
    questions = benchmark.question_set.questions
    rows = read_json(f"truthfulqa_multi/data/{language}/validation.json")

    assert len(questions) == len(rows) == 150
    for question, row in zip(questions, rows, strict=True):
        target = row["mc1_targets"]
        assert (question.id, question.stem) == (str(row["id"]), row["question"].strip())
        assert question.order is not None
        in_file_order = dict(zip(question.order, question.choices, strict=True))
        assert [in_file_order[i] for i in range(len(in_file_order))] == [
            choice.strip() for choice in target["choices"]
        ]
        assert [question.order[i] for i in question.right] == [target["labels"].index(1)]


def test_truthfulqas_right_choice_is_first_in_the_file_and_anywhere_in_the_prompt() -> None:
    questions = load("truthfulqa-mc1").question_set.questions
    rows = read_json("truthfulqa_multi/data/en/validation.json")
    by_chance = sum(1 / len(question.choices) for question in questions)
    first = sum(question.right == (0,) for question in questions)

    assert {row["mc1_targets"]["labels"].index(1) for row in rows} == {0}
    assert abs(first - by_chance) < 3 * (by_chance * 0.8) ** 0.5
    assert {len(question.choices) for question in questions} == set(range(2, 11))


def test_truthfulqas_languages_show_the_choices_of_a_question_in_the_same_order(
    tmp_path: Path,
) -> None:
    english, other = load("truthfulqa-mc1"), spanish(tmp_path)
    orders = {q.id: q.order for q in english.question_set.questions}
    same = [
        orders[q.id] == q.order
        for q in other.question_set.questions
        if len(orders[q.id] or ()) == len(q.choices)
    ]

    assert len(same) > 100
    assert all(same)
    assert "¿Qué ocurre si comes semillas de sandía?" in {
        q.stem for q in other.question_set.questions
    }


def test_truthfulqas_table_is_built_from_the_best_and_the_wrong_answers(tmp_path: Path) -> None:
    path = tmp_path / "truthfulqa-table.toml"
    path.write_text(
        """
        version = "1"
        [source]
        folder = "truthfulqa"
        files = ["TruthfulQA.csv"]
        [columns]
        stem = "Question"
        choices = { right = "Best Answer", wrong = ["Incorrect Answers"], separator = "; " }
        group = "Category"
        shuffle_seed = 0
        """,
        encoding="utf-8",
    )
    questions = load_benchmark(path, data_folder=DATA).question_set.questions
    with (DATA / "truthfulqa" / "TruthfulQA.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))

    assert len(questions) == len(rows) == 150
    for question, row in zip(questions, rows, strict=True):
        wrong = [part.strip() for part in row["Incorrect Answers"].split(";") if part.strip()]
        assert sorted(question.choices) == sorted([row["Best Answer"].strip(), *wrong])
        assert question.right_texts == (row["Best Answer"].strip(),)
    assert len({question.right for question in questions}) > 3


# BIG-Bench Hard: choices inside one text


@pytest.mark.parametrize(
    ("task", "count", "bad"),
    [
        ("date_understanding", 250, {}),
        ("movie_recommendation", 250, {163: "'Monsters, Inc'"}),
        ("snarks", 178, {88: r"'Which statement is sarcastic?\nOptions:\n(A) The NB'"}),
    ],
)
def test_lettered_choices_of_bbh_are_cut_and_its_broken_records_refused(
    tmp_path: Path, task: str, count: int, bad: dict[int, str]
) -> None:
    examples: Rows = json.loads((DATA / "bbh" / "bbh" / f"{task}.json").read_text())["examples"]
    definition = f"""
        version = "1"
        [source]
        files = ["{task}.json"]
        records = "examples"
        [columns]
        stem = "input"
        choices = {{ lettered = "input" }}
        answer = "target"
    """
    (tmp_path / "bbh.toml").write_text(definition, encoding="utf-8")

    def load_examples(rows: Rows) -> Sequence[Question]:
        text = json.dumps({"canary": "x", "examples": rows}, indent=1)
        (tmp_path / f"{task}.json").write_text(text, encoding="utf-8")
        return load_benchmark(tmp_path / "bbh.toml").question_set.questions

    assert len(examples) == count
    if bad:
        with pytest.raises(QuestionSetError) as caught:
            load_examples(examples)
        assert {p.value for p in caught.value.problems} == set(bad.values())
        # canary and key take 3 lines, each record 4.
        assert {(p.line - 4) // 4 for p in caught.value.problems} == set(bad)

    kept = [example for i, example in enumerate(examples) if i not in bad]
    for question, example in zip(load_examples(kept), kept, strict=True):
        stem, options = example["input"].split("\nOptions:\n")
        choices = [line[4:].strip() for line in options.split("\n")]
        assert (question.stem, list(question.choices)) == (stem.strip(), choices)
        assert question.right == places(example["target"].strip("()"))


# Prompts


@pytest.mark.parametrize(
    ("name", "solutions"),
    [
        ("aqua", lambda: [row["rationale"] for row in read_lines("aqua/dev.json")]),
        (
            "agieval-sat-math",
            lambda: [
                row["other"]["solution"]
                for row in read_lines("agieval/data/v1/sat-math.jsonl")
                if row.get("other")
            ],
        ),
        (
            "puzzlevqa",
            lambda: [
                row[key]
                for puzzle in PUZZLES
                for row in read_lines(f"{PUZZLEVQA}/{puzzle}.json")
                for key in ("caption", "explanation", "deduction")
            ],
        ),
    ],
)
def test_what_gives_the_answer_away_is_in_no_prompt(
    name: str, solutions: Callable[[], list[str]]
) -> None:
    form = load(name).definition.prompt
    shown = [build_prompt(q, form).question for q in load(name).question_set.questions]
    openings = [text[:60] for text in solutions() if len(text) > 30]

    assert len(openings) > 100
    assert not [text for text in openings if text in "\n".join(shown)]


def test_the_rationale_is_kept_beside_the_question_all_the_same() -> None:
    rows = read_lines("aqua/dev.json")

    assert [q.metadata["rationale"] for q in load("aqua").question_set.questions] == [
        row["rationale"].strip() for row in rows
    ]


def test_every_question_of_mmlu_is_shown_five_examples_of_its_subject_and_not_itself() -> None:
    found = load("mmlu").question_set
    ranked = rank_examples(found.examples, 3)

    for question in found.questions:
        chosen = choose_examples(question, ranked, 5)
        assert {example.group for example in chosen} == {question.group}
        assert question.stem not in {example.stem for example in chosen}


def test_a_prompt_holds_every_choice_behind_its_letter() -> None:
    for name in COUNTS:
        form = load(name).definition.prompt
        for question in load(name).question_set.questions:
            shown = build_prompt(question, form).question
            lines = [f"({a}) {c}" for a, c in zip(ascii_uppercase, question.choices, strict=False)]
            assert shown.endswith("\n\n".join([question.stem, "\n".join(lines)]))
            assert (shown == "\n\n".join([question.stem, "\n".join(lines)])) is (
                name != "hellaswag"
            )


# Without definition


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (MMLU_PRO.format("Phi-3-mini-4k-instruct"), "mmlu-pro"),
        ("commonsenseqa/dev_rand_split.jsonl", "commonsenseqa"),
        ("aqua/dev.json", "aqua"),
        ("agieval/data/v1/sat-math.jsonl", "agieval-sat-math"),
        ("agieval/data/v1/lsat-ar.jsonl", "agieval-lsat-ar"),
        ("agieval/data/v1/gaokao-physics.jsonl", "agieval-gaokao-physics"),
    ],
)
def test_a_published_file_with_usual_names_loads_as_it_does_by_definition(
    path: str, name: str
) -> None:
    guessed = load_benchmark(DATA / path).question_set.questions

    assert facts(guessed) == facts(load(name).question_set.questions)
    assert [q.cluster for q in guessed] == [q.cluster for q in load(name).question_set.questions]


@pytest.mark.parametrize("puzzle", PUZZLES)
def test_a_file_of_puzzlevqa_loads_without_definition(puzzle: str) -> None:
    guessed = load_benchmark(DATA / PUZZLEVQA / f"{puzzle}.json").question_set.questions
    defined = load("puzzlevqa").question_set.questions

    assert [(q.id, q.images) for q in guessed] == [
        (q.id, q.images) for q in defined if q.group == puzzle.replace("_", " ")
    ]


@pytest.mark.parametrize("subject", [name.replace(" ", "_") for name in MMLU_SUBJECTS])
@pytest.mark.parametrize("split", ["dev", "val", "test"])
def test_a_file_of_mmlu_loads_without_header_and_definition(subject: str, split: str) -> None:
    found = load_benchmark(DATA / "mmlu" / "data" / split / f"{subject}_{split}.csv")
    rows = [cells for name, cells in read_mmlu(split) if name == subject.replace("_", " ")]

    assert [q.stem for q in found.question_set.questions] == [cells[0].strip() for cells in rows]


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("truthfulqa_multi/data/en/validation.json", "no column for choices or answer among 'id'"),
        ("truthfulqa/TruthfulQA.csv", "no column for choices or answer among 'Type', 'Category'"),
        (
            "mmmu_pro/mmmu-pro/tool/data.jsonl",
            "data.jsonl:1: image_1 = 'images/validation_Energy_and_Power_2_1.png': no such file",
        ),
        (
            "mmmu_pro/mmmu-pro/output/gpt-4o_standard(10 options)_cot.jsonl",
            "(options holds no list)",
        ),
        (
            "bbh/bbh/snarks.json",
            "no column for question or choices or answer among 'canary', 'exam",
        ),
        ("golden_stats.csv", "no column for question or choices or answer among 'case_id'"),
    ],
)
def test_a_published_file_of_another_shape_is_refused_and_not_guessed(
    path: str, complaint: str
) -> None:
    with pytest.raises(BenchmarkError) as caught:
        load_benchmark(DATA / path)

    assert complaint in str(caught.value)


# Damage

FUZZED = (
    "mmlu/data/dev/formal_logic_dev.csv",
    "mmlu/data/val/college_computer_science_val.csv",
    "agieval/data/v1/lsat-ar.jsonl",
    "agieval/data/v1/gaokao-physics.jsonl",
    "aqua/dev.json",
    "commonsenseqa/dev_rand_split.jsonl",
    MMLU_PRO.format("gemini-1.5-flash-002"),
    "truthfulqa_multi/data/es/validation.json",
    "bbh/bbh/snarks.json",
)
FUZZED_RECORDS = 6
"""So many records of a file are damaged: short files come to more ends than long ones."""

HARD_BYTES = (b'"', b"\n", b"\r", b",", b"\x00", b"\xff", b"[", b"}", b"\\ud800", b"null", b"1e999")
HARD_VALUES: tuple[Any, ...] = (
    *(None, True, "", " ", "A", "E", "(B)", "(A) x (B) y", "\ud800", "\u2028", "x" * 99),
    *(0, -1, 7, 10**30, 0.5, float("nan"), float("inf")),
    *([], [None], ["A", "B"], ["x"] * 27, [[]], [0, 1], {}, {"text": ["x", "y"], "label": ["A"]}),
)

TABLES = {
    "csv": """
        columns = ["question", "A", "B", "C", "D", "answer"]
        [columns]
        stem = "question"
        choices = ["A", "B", "C", "D"]
        answer = "answer"
    """,
    "agieval": """
        [columns]
        stem = ["passage", "question"]
        choices = { list = "options", labelled = true }
        answer = "label"
        metadata = ["other.solution"]
    """,
    "aqua": """
        [columns]
        stem = "question"
        choices = { list = "options", labelled = true }
        answer = "correct"
    """,
    "commonsenseqa": """
        [columns]
        id = "id"
        stem = "question"
        choices = { texts = "choices.text", labels = "choices.label" }
        answer = "answerKey"
    """,
    "mmlu_pro": """
        [columns]
        id = "question_id"
        stem = "question"
        choices = "options"
        answer = "answer_index"
        answer_is = "index0"
    """,
    "truthfulqa_multi": """
        [columns]
        stem = "question"
        choices = "mc1_targets.choices"
        answer = "mc1_targets.labels"
        answer_is = "flags"
        shuffle_seed = 0
    """,
    "bbh": """
        records = "examples"
        [columns]
        stem = "input"
        choices = { lettered = "input" }
        answer = "target"
    """,
}


def write_records(path: str, rows: list[Any]) -> bytes:
    """Records in the format of a file."""
    if path.endswith(".csv"):
        written = io.StringIO(newline="")
        csv.writer(written).writerows(rows)
        return written.getvalue().encode(errors="surrogatepass")
    if path.endswith(".jsonl") or path.startswith("aqua"):
        return "\n".join(json.dumps(row) for row in rows).encode()
    whole: Any = {"canary": "x", "examples": rows} if path.startswith("bbh") else rows
    return json.dumps(whole, indent=1).encode()


def read_records(path: str) -> list[Any]:
    """The first records of a file."""
    if path.endswith(".csv"):
        with (DATA / path).open(encoding="utf-8", newline="") as file:
            return list(csv.reader(file))[:FUZZED_RECORDS]
    if path.endswith(".jsonl") or path.startswith("aqua"):
        return read_lines(path)[:FUZZED_RECORDS]
    whole: Any = read_json(path)
    rows: list[Any] = whole["examples"] if path.startswith("bbh") else whole
    return rows[:FUZZED_RECORDS]


def damage(data: bytes, chance: random.Random) -> bytes:
    """Delete, double, flip, insert, swap or cut bytes, once to five times."""
    for _ in range(chance.randint(1, 5)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 2, 20, 400)))
        piece = data[start:end]
        new = chance.choice(
            (
                b"",
                piece * chance.choice((2, 30)),
                bytes(byte ^ (1 << chance.randrange(8)) for byte in piece[:1]) + piece[1:],
                chance.choice(HARD_BYTES) + piece,
                piece[::-1],
                bytes(chance.randrange(128) for _ in piece[:8]) + piece[8:],
            )
        )
        data = data[:start] + new + data[end:]
        if chance.random() < 0.1:
            data = data[: chance.randrange(len(data) + 1)]
    return data


def spoil(value: Any, chance: random.Random) -> Any:
    """Put a hard value in place of one that stands somewhere inside a value."""
    if isinstance(value, dict | list) and value and chance.random() < 0.9:
        copy = value.copy()
        key = chance.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if chance.random() < 0.1:
            del copy[key]
        else:
            copy[key] = spoil(value[key], chance)
        return copy
    return chance.choice(HARD_VALUES)


def try_to_load(name: Path, outcomes: Counter[str]) -> None:
    """Load a benchmark, or fail as a user may see it; any other failure ends the test."""
    try:
        load_benchmark(name)
    except BenchmarkError as error:
        assert str(error).encode()
        assert error.path is not None or isinstance(error, QuestionSetError)
        outcomes[type(error).__name__] += 1
    else:
        outcomes["read"] += 1


@pytest.mark.parametrize("path", FUZZED)
@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_refused_by_our_errors_alone(
    tmp_path: Path, path: str, seed: int
) -> None:
    """Bytes and values are damaged; each file is read by a definition and by guessing."""
    chance = random.Random(f"{path} {seed}")
    records = read_records(path)
    kind = "csv" if path.endswith(".csv") else path.split("/")[0]
    file = tmp_path / Path(path).name
    definition = tmp_path / "any.toml"
    definition.write_text(f'version = "1"\n[source]\nfiles = ["{file.name}"]\n{TABLES[kind]}')
    outcomes: Counter[str] = Counter()
    for _ in range(40):
        spoilt = records
        for _ in range(chance.randint(1, 3)):
            spoilt = spoil(spoilt, chance)
            spoilt = spoilt if isinstance(spoilt, list) else [spoilt]
        rows = [row if isinstance(row, list) else [row] for row in spoilt]
        texts = [damage(write_records(path, records), chance)]
        texts.append(write_records(path, rows if kind == "csv" else spoilt))
        for text in texts:
            file.write_bytes(text)
            try_to_load(definition, outcomes)
            try_to_load(file, outcomes)

    assert outcomes["QuestionSetError"] > 10
    assert outcomes["read"] < outcomes.total() == 160


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_definition_is_refused_by_our_errors_alone(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    for path in sorted((ROOT / "benchmarks").glob("*.toml")) * 10:
        damaged = tmp_path / path.name
        damaged.write_bytes(damage(path.read_bytes(), chance))
        try:
            parse_definition(damaged)
        except BenchmarkError as error:
            assert str(error).startswith(f"{damaged}: ")
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1

    assert outcomes["refused"] > outcomes["read"] > 0
