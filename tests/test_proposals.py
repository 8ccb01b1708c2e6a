"""A definition is proposed for files as people have them, and reads back as it was meant."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import load_benchmark, parse_definition
from evalkit.definition_text import render_definition, render_value, write_definition
from evalkit.drafting import draft_benchmark
from evalkit.errors import BenchmarkError, EvalkitError, RunError, UsageError
from evalkit.loaders.choices import (
    ChoiceForm,
    FixedChoices,
    LetteredText,
    ListColumn,
    ParallelLists,
    PictureChoices,
    RightAndWrong,
    SeparateColumns,
)
from evalkit.loaders.fields import FieldMap
from evalkit.loaders.guess import guess_fields
from evalkit.loaders.source import Source
from evalkit.proposals import Given, propose_definition
from tests.test_journal import disk_of

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the published sets are not beside the repository (shared/data)"
)


def write_csv(path: Path, *rows: Sequence[str], delimiter: str = ",") -> Path:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    return path


def write_json(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def questions_of(path: Path, known: Given | None = None) -> list[tuple[str, set[str], str]]:
    """Stem, choices and right choice, by the proposed definition written out and read back."""
    draft = draft_benchmark(path, known)
    target = path.with_suffix(".toml")
    target.write_text(render_definition(draft.definition, target.parent), encoding="utf-8")
    loaded = load_benchmark(target)
    assert loaded.question_set == draft.question_set
    assert loaded.definition.questions == len(loaded.question_set.questions)
    return [(q.stem, set(q.choices), q.right_texts[0]) for q in loaded.question_set.questions]


ANT = ("How many legs has an ant?", {"four", "six", "eight"}, "six")
SKY = ("What colour is the sky?", {"red", "blue", "green"}, "blue")


# Files of other programs


@pytest.mark.parametrize(
    "header",
    [
        ("Question", "A", "B", "C", "Answer"),
        ("Question Text", "Option 1", "Option 2", "Option 3", "Correct Answer"),
        (
            "Question - max 120 characters",
            "Answer 1 - max 75 characters",
            "Answer 2 - max 75 characters",
            "Answer 3 - max 75 characters",
            "Correct answer(s) - choose at least one",
        ),
        ("sentence", "option1", "option2", "option3", "answer"),
        ("ctx", "ending0", "ending1", "ending2", "label"),
    ],
)
@pytest.mark.parametrize("form", ["letter", "index1", "text"])
def test_tables_of_quiz_programs(tmp_path: Path, header: tuple[str, ...], form: str) -> None:
    ant, sky = {"letter": "BB", "index1": "22", "text": ("six", "blue")}[form]
    third = {"letter": "C", "index1": "3", "text": "z"}[form]
    path = write_csv(
        tmp_path / "quiz.csv",
        header,
        (ANT[0], "four", "six", "eight", ant),
        (SKY[0], "red", "blue", "green", sky),
        ("Last letter?", "x", "y", "z", third),
    )

    assert questions_of(path)[:2] == [ANT, SKY]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Correct Answer", ("Incorrect Answer 1", "Incorrect Answer 2")),
        ("correct_answer", ("distractor1", "distractor2")),
        ("answer", ("wrong1", "wrong2")),
    ],
)
def test_the_right_answer_beside_wrong_ones_gets_a_seeded_order(
    tmp_path: Path, right: str, wrong: tuple[str, str]
) -> None:
    path = write_csv(
        tmp_path / "gpqa.csv",
        ("Question", right, *wrong),
        (ANT[0], "six", "four", "eight"),
        (SKY[0], "blue", "red", "green"),
    )

    assert questions_of(path) == [ANT, SKY]
    assert propose_definition(path).fields.shuffle_seed == 0


def test_wrong_answers_in_one_cell_are_separated(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "mc.csv",
        ("Question", "Best Answer", "Incorrect Answers"),
        (ANT[0], "six", "four; eight"),
        (SKY[0], "blue", "red; green"),
    )

    assert questions_of(path) == [ANT, SKY]


@pytest.mark.parametrize(
    ("above", "ending"),
    [("#separator:tab\n#html:true\n#tags column:6\n", ".txt"), ("#separator:Semicolon\n", ".csv")],
)
def test_exports_of_flash_cards(tmp_path: Path, above: str, ending: str) -> None:
    delimiter = "\t" if "tab" in above else ";"
    cards = [
        (ANT[0], "four", "six", "eight", "B", "zoo"),
        (SKY[0], "red", "blue", "green", "B", ""),
    ]
    path = write_csv(tmp_path / f"deck{ending}", *cards, delimiter=delimiter)
    path.write_text(above + path.read_text(encoding="utf-8"), encoding="utf-8")
    columns = ("front", "A", "B", "C", "back", "tags")

    assert questions_of(path, Given(columns=columns, answer="back")) == [ANT, SKY]


def test_an_export_of_flash_cards_names_lines_as_an_editor_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "deck.csv"
    path.write_text(
        "#separator:tab\n#html:false\nquestion\tA\tB\tanswer\n1?\tx\ty\tA\n2?\tx\ty\tZ\n3?\tx\ty\tB\n"
    )
    [problem] = draft_benchmark(path).problems

    assert problem.line == 5


def test_choices_within_the_text_of_the_question(tmp_path: Path) -> None:
    path = tmp_path / "bbh.json"
    rows = [
        {"input": f"{ANT[0]}\nOptions:\n(A) four\n(B) six\n(C) eight", "target": "(B)"},
        {"input": f"{SKY[0]}\nOptions:\n(A) red\n(B) blue\n(C) green", "target": "(B)"},
    ]
    path.write_text(json.dumps({"canary": "x", "examples": rows}))

    assert questions_of(path) == [ANT, SKY]


def test_choices_that_every_text_lists_are_the_same_for_all(tmp_path: Path) -> None:
    listed = "\nOptions:\n- valid \n- invalid"
    rows = [
        {"input": f"Argument {n}{listed}", "target": "invalid" if n % 3 else "valid"}
        for n in range(9)
    ]
    path = write_json(tmp_path / "fallacies.json", *rows)
    [first, *_] = draft_benchmark(path).question_set.questions

    assert draft_benchmark(path).definition.fields.choices == FixedChoices(
        texts=("valid", "invalid")
    )
    assert (first.stem, first.right) == (f"Argument 0{listed}", (0,))
    other = write_json(tmp_path / "other.json", *({**each, "target": "maybe"} for each in rows))
    with pytest.raises(BenchmarkError, match="no column was recognized as choices"):
        draft_benchmark(other)


def test_two_lists_in_one_file_are_a_question_to_the_user(tmp_path: Path) -> None:
    path = tmp_path / "two.json"
    path.write_text(json.dumps({"train": [{"a": 1}], "test": [{"a": 1}]}))
    with pytest.raises(BenchmarkError, match=r"several lists \(train, test\)"):
        propose_definition(path)


def test_choices_beside_their_flags(tmp_path: Path) -> None:
    rows = [
        {"question": q, "mc1_targets": {"choices": [right, *(c - {right})], "labels": [1, 0, 0]}}
        for q, c, right in (ANT, SKY)
    ]
    path = write_json(tmp_path / "mc1.jsonl", *rows)

    assert questions_of(path) == [ANT, SKY]


def test_a_right_choice_that_always_comes_first_gets_a_seeded_order(tmp_path: Path) -> None:
    rows = [
        {"question": f"{n}?", "choices": [f"r{n}", f"w{n}", f"v{n}"], "answer": "A"}
        for n in range(40)
    ]
    draft = draft_benchmark(write_json(tmp_path / "first.jsonl", *rows))

    assert draft.definition.fields.shuffle_seed == 0
    assert {question.right for question in draft.question_set.questions} == {(0,), (1,), (2,)}


def test_passage_subject_and_id_are_found(tmp_path: Path) -> None:
    rows = [
        {
            "id": str(n),
            "subject": "s",
            "passage": "p",
            "question": "q?",
            "choices": ["x", "y"],
            "answer": "AB"[n],
        }
        for n in range(2)
    ]
    fields = propose_definition(write_json(tmp_path / "set.jsonl", *rows)).fields

    assert (fields.id, fields.group, fields.cluster) == ("id", "subject", ("passage",))
    assert fields.stem == ("passage", "question")


def test_an_id_that_several_rows_share_is_none(tmp_path: Path) -> None:
    rows = [
        {"id": "1", "question": f"{n}?", "choices": ["x", "y"], "answer": "A"} for n in range(2)
    ]
    fields = propose_definition(write_json(tmp_path / "set.jsonl", *rows)).fields

    assert fields.id is None


# What the user says


def test_columns_of_any_name_can_be_named(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "odd.csv",
        ("Frage", "eins", "zwei", "drei", "Loesung", "Fach"),
        (ANT[0], "four", "six", "eight", "2", "zoo"),
        (SKY[0], "red", "blue", "green", "2", "sky"),
    )
    with pytest.raises(BenchmarkError) as error:
        propose_definition(path)
    for word in ("--stem COLUMN", "--choices COLUMN", "--answer COLUMN", "'Frage'", "'Fach'"):
        assert word in str(error.value)
    known = Given(
        stem=("Frage",),
        choices=("eins", "zwei", "drei"),
        answer="Loesung",
        answer_is="index1",
        group="Fach",
    )

    assert questions_of(path, known) == [ANT, SKY]
    assert propose_definition(path, known).fields.group == "Fach"
    with pytest.raises(UsageError, match="no column is called 'fach'; there are 'Frage', 'eins'"):
        propose_definition(path, Given(group="fach"))


@pytest.mark.parametrize(
    ("value", "answer", "form"),
    [
        (["four", "six", "eight"], "B", ListColumn(column="Wahl")),
        (["A) four", "B) six", "C) eight"], "B", ListColumn(column="Wahl", labelled=True)),
        (
            {"text": ["four", "six", "eight"], "label": ["A", "B", "C"]},
            "B",
            ParallelLists(texts="Wahl.text", labels="Wahl.label"),
        ),
        ("(A) four (B) six (C) eight", "B", LetteredText(column="Wahl")),
    ],
)
def test_the_form_of_a_named_column_is_found_out(
    tmp_path: Path, value: Any, answer: str, form: ChoiceForm
) -> None:
    path = write_json(tmp_path / "s.jsonl", {"question": ANT[0], "Wahl": value, "L": answer})
    known = Given(choices=("Wahl",), answer="L")

    assert propose_definition(path, known).fields.choices == form


def test_wrong_choices_in_columns_of_any_name(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "odd.csv",
        ("question", "gut", "schlecht 1", "schlecht 2"),
        (ANT[0], "six", "four", "eight"),
        (SKY[0], "blue", "red", "green"),
    )
    wrong = ("schlecht 1", "schlecht 2")

    assert questions_of(path, Given(answer="gut", wrong=wrong)) == [ANT, SKY]
    with pytest.raises(BenchmarkError, match=r"no column was recognized as choices"):
        propose_definition(path, Given(wrong=wrong))


def test_wrong_answers_of_one_cell_may_be_one(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "two.csv",
        ("Question", "Correct Answer", "Wrong Answer"),
        (ANT[0], "six", "four"),
        (SKY[0], "blue", "red; or so"),
        ("Last?", "z", "a"),
    )

    assert questions_of(path)[0] == (ANT[0], {"six", "four"}, "six")


def test_choices_in_a_list_written_as_text_with_letters(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "text.csv",
        ("question", "options", "answer"),
        (ANT[0], "A) four B) six C) eight", "B"),
        (SKY[0], "A) red B) blue C) green", "B"),
    )

    assert questions_of(path) == [ANT, SKY]


def test_the_one_file_of_an_archive_is_proposed_by_its_place_in_it(tmp_path: Path) -> None:
    table = write_csv(
        tmp_path / "ants.csv",
        ("question", "A", "B", "C", "answer"),
        (ANT[0], "four", "six", "eight", "B"),
    )
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(table, "data/ants.csv")
    table.unlink()
    definition = draft_benchmark(tmp_path / "set.zip").definition
    write_definition(tmp_path / "set.toml", render_definition(definition, tmp_path))

    assert load_benchmark(tmp_path / "set.toml").question_set.questions[0].stem == ANT[0]
    with zipfile.ZipFile(tmp_path / "set.zip", "a") as archive:
        archive.writestr("data/bees.csv", "question,A,B,answer\n")
    with pytest.raises(BenchmarkError, match="2 question files are in it"):
        draft_benchmark(tmp_path / "set.zip")


def test_a_file_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="no such file"):
        propose_definition(tmp_path / "nosuch.csv")


# Laws

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=10)
FORMS = st.one_of(
    st.builds(SeparateColumns, columns=st.lists(NAMES, min_size=2, unique=True).map(tuple)),
    st.builds(ListColumn, column=NAMES, labelled=st.booleans()),
    st.builds(ParallelLists, texts=NAMES, labels=NAMES),
    st.builds(LetteredText, column=NAMES),
    st.builds(PictureChoices, columns=st.lists(NAMES, min_size=2, unique=True).map(tuple)),
)
FIELDS = st.builds(
    FieldMap,
    stem=st.lists(NAMES, min_size=1).map(tuple),
    choices=FORMS,
    answer=NAMES,
    answer_is=st.sampled_from(("letter", "index0", "index1", "text", "flags")),
    id=st.none() | NAMES,
    group=st.none() | NAMES,
    cluster=st.lists(NAMES, max_size=2).map(tuple),
    example=st.none() | NAMES,
    images=st.lists(NAMES, unique=True).map(tuple),
    shuffle_seed=st.none() | st.just(0),
)
MAPS = FIELDS | st.builds(
    FieldMap,
    stem=st.tuples(NAMES),
    choices=st.builds(
        RightAndWrong,
        right=NAMES,
        wrong=st.lists(NAMES, min_size=1).map(tuple),
        separator=st.none() | st.just("; "),
    ),
    shuffle_seed=st.just(0),
)


@given(MAPS, NAMES)
def test_every_proposal_reads_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, fields: FieldMap, title: str
) -> None:
    folder = tmp_path_factory.mktemp("proposal")
    file = write_json(folder / "s.jsonl", {"question": "?", "choices": ["x", "y"], "answer": "A"})
    proposed = propose_definition(file)
    source = Source(files=("s.jsonl",), columns=("a", "b"), records="r", format="csv")
    path = folder / "s.toml"
    changed = {**{n: getattr(proposed, n) for n in type(proposed).__dataclass_fields__}}
    definition = type(proposed)(**{**changed, "fields": fields, "source": source, "title": title})
    path.write_text(render_definition(definition, folder), encoding="utf-8")
    read = parse_definition(path)

    assert (read.fields, read.source, read.title) == (fields, source, title)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_text_reads_back_from_toml(text: str) -> None:
    import tomllib

    assert tomllib.loads(f"a = {render_value(text)}") == {"a": text}


@given(
    st.binary(max_size=200), st.sampled_from([".csv", ".tsv", ".json", ".jsonl", ".txt", ".xlsx"])
)
def test_a_file_of_whatever_bytes_is_an_error_of_ours_or_a_draft(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, ending: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"any{ending}"
    path.write_bytes(data)
    with suppress(EvalkitError):
        draft_benchmark(path)


def test_what_is_read_without_a_definition_is_proposed_alike(tmp_path: Path) -> None:
    path = write_json(
        tmp_path / "s.jsonl",
        *({"question": f"{n}?", "choices": ["x", "y"], "answer": "AB"[n % 2]} for n in range(5)),
    )

    assert propose_definition(path).fields == guess_fields(path).fields


def test_a_definition_may_lie_elsewhere_than_its_questions(tmp_path: Path) -> None:
    (tmp_path / "sets [old]").mkdir()
    (tmp_path / "defs").mkdir()
    path = write_csv(
        tmp_path / "sets [old]" / "a*.csv",
        ("question", "A", "B", "C", "answer"),
        (ANT[0], "four", "six", "eight", "B"),
    )
    target = tmp_path / "defs" / "own.toml"
    write_definition(target, render_definition(draft_benchmark(path).definition, target.parent))

    assert load_benchmark(target).question_set.questions[0].stem == ANT[0]


def test_a_definition_is_not_overwritten_unless_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    write_definition(path, "one")
    with pytest.raises(UsageError, match="exists; name another file by --to, or add --force"):
        write_definition(path, "two")
    assert path.read_text() == "one"
    write_definition(path, "two", overwrite=True)
    assert path.read_text() == "two"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_leaves_no_part_of_a_definition(tmp_path: Path, overwrite: bool) -> None:
    path = tmp_path / "own.toml"
    if overwrite:
        path.write_text("mine")
    with disk_of(10), pytest.raises(RunError, match=r"own\.toml can't be written: File too large"):
        write_definition(path, "too long for it", overwrite=overwrite)
    assert [each.read_text() for each in tmp_path.iterdir()] == (["mine"] if overwrite else [])


# Published sets in their original files


@needs_data
@pytest.mark.parametrize(
    ("file", "count", "unusable"),
    [
        ("truthfulqa/TruthfulQA.csv", 150, 0),
        ("truthfulqa_multi/data/en/validation.json", 150, 0),
        ("truthfulqa_multi/data/es/validation.json", 150, 0),
        ("bbh/bbh/date_understanding.json", 250, 0),
        ("bbh/bbh/movie_recommendation.json", 249, 1),
        ("bbh/bbh/snarks.json", 177, 1),
        ("bbh/bbh/causal_judgement.json", 187, 0),
        ("hellaswag/hellaswag_val_full.txt", 200, 0),
        ("agieval/data/v1/sat-math.jsonl", 220, 0),
        ("agieval/data/v1/lsat-ar.jsonl", 230, 0),
        ("agieval/data/v1/gaokao-physics.jsonl", 200, 0),
        ("commonsenseqa/dev_rand_split.jsonl", 200, 0),
        ("aqua/dev.json", 150, 0),
        ("mmlu/data/test/abstract_algebra_test.csv", 100, 0),
        ("mmlu/data/test/formal_logic_test.csv", 126, 0),
        ("mmlu_pro/eval_results/model_outputs_gemini-1.5-flash-002_5shots.json", 565, 0),
    ],
)
def test_published_files_are_read_by_the_definitions_proposed_for_them(
    tmp_path: Path, file: str, count: int, unusable: int
) -> None:
    draft = draft_benchmark(DATA / file)
    path = tmp_path / "own.toml"
    path.write_text(render_definition(draft.definition, tmp_path), encoding="utf-8")

    assert (len(draft.question_set.questions), len(draft.problems)) == (count, unusable)
    assert draft.rows == count + unusable
    if not unusable:
        assert load_benchmark(path).question_set == draft.question_set
