"""A file of one's own needs no definition where its columns have usual names, and no luck."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import load_benchmark
from evalkit.errors import BenchmarkError, QuestionSetError
from evalkit.images import read_image
from evalkit.loaders.choices import (
    ChoiceForm,
    LetteredText,
    ListColumn,
    ParallelLists,
    SeparateColumns,
)
from evalkit.loaders.fields import AnswerForm, FieldMap
from evalkit.loaders.guess import BYTES_LOOKED_AT, FAMILIES, guess_fields, look_at_rows
from evalkit.loaders.records import Record
from evalkit.questions import Question, QuestionSet

ABCD = SeparateColumns(columns=("A", "B", "C", "D"))
PLANETS = ["Mars", "Venus", "Earth", "Saturn"]
CELLS = ",".join(PLANETS)

QUESTIONS = (
    ("Which is the fourth?", 0),
    ("Which is the second?", 1),
    ("Which is the third?", 2),
    ("Which has rings?", 3),
    ("Which is red?", 0),
)
"""Five questions with the position of the right planet: each occurs."""


def table(header: str, answers: str, row: str = "{stem},{cells},{answer}", **more: str) -> str:
    """A CSV file of the five questions; `answers` are those of the planets, in order."""
    words = answers.split()
    lines = [
        row.format(stem=stem, cells=CELLS, answer=words[right], **more) for stem, right in QUESTIONS
    ]
    return "\n".join([header, *lines]) + "\n"


def lines(*answers: Any, **columns: Any) -> str:
    """JSON lines of the five questions; a column may be a function of the stem."""
    rows = [
        {"question": stem, "choices": PLANETS, "answer": answers[right], **columns}
        for stem, right in QUESTIONS
    ]
    return "".join(f"{json.dumps({k: v for k, v in r.items() if v is not None})}\n" for r in rows)


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load(folder: Path, name: str, text: str | bytes) -> QuestionSet:
    return load_benchmark(write(folder, name, text)).question_set


def guess(folder: Path, name: str, text: str) -> FieldMap:
    return guess_fields(write(folder, name, text)).fields


def as_lines(*rows: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def one(folder: Path, *rows: dict[str, Any]) -> FieldMap:
    return guess(folder, "q.jsonl", as_lines(*rows))


# Tables as people keep them

LETTERS = "A B C D"
TABLES: dict[str, str] = {
    "usual": table("question,A,B,C,D,answer", LETTERS),
    "lower case": table("question,a,b,c,d,answer", "a b c d"),
    "capitals": table("QUESTION,A,B,C,D,ANSWER", LETTERS),
    "words": table("Question,Option A,Option B,Option C,Option D,Correct Answer", LETTERS),
    "brackets": table("Question,Option (A),Option (B),Option (C),Option (D),Key", LETTERS),
    "camel case": table("questionText,optionA,optionB,optionC,optionD,correctOption", LETTERS),
    "snake case": table("question_text,choice_a,choice_b,choice_c,choice_d,answer_key", LETTERS),
    "opt": table("stem,opt_a,opt_b,opt_c,opt_d,right", LETTERS),
    "answers as columns": table("question,answer_a,answer_b,answer_c,answer_d,correct", LETTERS),
    "bracketed letters": table("question,A,B,C,D,answer", "(A) (B) (C) (D)"),
    "letters with dots": table("question,A,B,C,D,answer", "A. B. C. D."),
    "from 1": table("question,option_1,option_2,option_3,option_4,answer", "1 2 3 4"),
    "from 1, plain": table("Question,1,2,3,4,Correct", "1 2 3 4"),
    "from 0": table("question,choice0,choice1,choice2,choice3,answer", "0 1 2 3"),
    "endings": table("input,ending0,ending1,ending2,ending3,label", "0 1 2 3"),
    "medmcqa": table("question,opa,opb,opc,opd,cop", "0 1 2 3"),
    "texts": table("question,A,B,C,D,correct_answer", " ".join(PLANETS)),
    "texts below numbers": table("question,op1,op2,op3,op4,answer", " ".join(PLANETS)),
    "index column": table(",question,A,B,C,D,answer", LETTERS, "7,{stem},{cells},{answer}"),
    "other columns": table(
        "id,question,A,B,C,D,E,answer,rationale",
        LETTERS,
        "{stem},{stem},{cells},,{answer},because",
    ),
    "semicolons": table("question,A,B,C,D,answer", LETTERS).replace(",", ";"),
    "tabs": table("question,A,B,C,D,answer", LETTERS).replace(",", "\t"),
    "byte order mark": "\ufeff" + table("question,A,B,C,D,answer", LETTERS),
    "windows": table("question,A,B,C,D,answer", LETTERS).replace("\n", "\r\n"),
    "spreadsheet": table("question,A,B,C,D,answer,,", LETTERS, "{stem},{cells},{answer},,")
    + ",,,,,,,\n,,,,,,,\n",
    "answer in the middle": table(
        "question,answer,A,B,C,D", LETTERS, "{stem},{answer},{cells}"
    ),
    "no header": table("", LETTERS).lstrip(),
    "no header, semicolons": table("", LETTERS).lstrip().replace(",", ";"),
    "lettered": table("question,options,answer", LETTERS, '{stem},"{options}",{answer}',
        options="A) Mars B) Venus C) Earth D) Saturn",
    ),
    "lettered on lines": table("question,choices,answer", LETTERS, '{stem},"{options}",{answer}',
        options="(A) Mars\n(B) Venus\n(C) Earth\n(D) Saturn",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", TABLES.values(), ids=TABLES.keys())
def test_a_table_with_usual_names_is_read_without_definition(tmp_path: Path, text: str) -> None:
    found = load(tmp_path, "planets.csv", text).questions

    assert [(q.stem, q.choices, q.right) for q in found] == [
        (stem, tuple(PLANETS), (right,)) for stem, right in QUESTIONS
    ]


def test_a_tsv_file_may_hold_commas(tmp_path: Path) -> None:
    text = table("question,A,B,C,D,answer", LETTERS).replace(",", "\t").replace("?", ", please?")
    found = load(tmp_path, "q.tsv", text).questions

    assert found[3].stem == "Which has rings, please?"
    assert found[3].right_texts == ("Saturn",)


# JSON as people keep it

LABELLED = list(zip("ABCD", PLANETS, strict=True))
JSON_LINES: dict[str, tuple[str, AnswerForm]] = {
    "letters": (lines(*"ABCD"), "letter"),
    "index from 0": (lines(0, 1, 2, 3), "index0"),
    "index from 1": (lines(1, 2, 3, 4), "index1"),
    "index as text": (lines(*"0123"), "index0"),
    "list of one index": (lines([0], [1], [2], [3]), "index0"),
    "text": (lines(*PLANETS), "text"),
    "labelled": (lines(*"ABCD", choices=[f"({x}) {y}" for x, y in LABELLED]), "letter"),
    "flags": (lines([1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]), "flags"),
    "flags of words": (
        lines(*([i == j for j in range(4)] for i in range(4))),
        "flags",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "form"), JSON_LINES.values(), ids=JSON_LINES.keys())
def test_json_lines_with_usual_names_are_read_without_definition(
    tmp_path: Path, text: str, form: AnswerForm
) -> None:
    fields = guess(tmp_path, "planets.jsonl", text)
    found = load(tmp_path, "planets.jsonl", text).questions

    assert fields.answer_is == form
    assert {q.choices for q in found} == {tuple(PLANETS)}
    assert [q.right for q in found] == [(right,) for _, right in QUESTIONS]


@pytest.mark.parametrize("labels", ["ABCD", "1234", "0123", "wxyz"])
def test_the_hubs_form_of_choices_is_read_with_its_own_labels(tmp_path: Path, labels: str) -> None:
    choices = {"label": list(labels), "text": PLANETS}
    rows = [{"question": q, "choices": choices, "answerKey": labels[r]} for q, r in QUESTIONS]
    found = load(tmp_path, "arc.json", json.dumps(rows)).questions

    assert [q.right for q in found] == [(right,) for _, right in QUESTIONS]
    assert {q.choices for q in found} == {tuple(PLANETS)}


def test_a_json_list_is_read_as_its_lines_would_be(tmp_path: Path) -> None:
    text = lines(0, 1, 2, 3)
    as_list = json.dumps([json.loads(line) for line in text.splitlines()], indent=2)

    assert load(tmp_path, "q.json", as_list) == load(tmp_path, "q.jsonl", text)
    assert load(tmp_path, "q.json", text) == load(tmp_path, "q.jsonl", text)


ITEM = {"question": "Which?", "choices": PLANETS, "answer": "A"}


@pytest.mark.parametrize(
    ("row", "choices", "answer_is"),
    [
        ({"choices": ["(A) x", "(B) y"]}, ListColumn(column="choices", labelled=True), "letter"),
        ({"choices": ["A)x", "B)y", "C)z"]}, ListColumn(column="choices", labelled=True), "letter"),
        ({"choices": ["A. Smith", "Jones"]}, ListColumn(column="choices"), "letter"),
        ({"choices": ["1.5", "2.5"]}, ListColumn(column="choices"), "letter"),
        (
            {"choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answer": "1"},
            ParallelLists(texts="choices.text", labels="choices.label"),
            "letter",
        ),
        (
            {"choices": {"text": ["2", "1"], "label": ["1", "2"]}, "answer": "1"},
            ParallelLists(texts="choices.text", labels="choices.label"),
            "letter",
        ),
        ({"choices": "(A) x (B) y"}, LetteredText(column="choices"), "letter"),
    ],
    ids=str,
)
def test_the_values_tell_the_form_of_choices_and_answer(
    tmp_path: Path, row: dict[str, Any], choices: ChoiceForm, answer_is: AnswerForm
) -> None:
    fields = one(tmp_path, ITEM | row)

    assert (fields.choices, fields.answer_is) == (choices, answer_is)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("marks", ["abc", "ABC", "123", "012"])
def test_every_family_of_columns_is_known_with_letters_and_numbers(
    tmp_path: Path, family: str, marks: str
) -> None:
    columns = tuple(f"{family}_{mark}" if family else mark for mark in marks)
    row = {"stem": "Which?", **dict(zip(columns, "xyz", strict=True)), "key": "x"}

    assert one(tmp_path, row).choices == SeparateColumns(columns=columns)


# What stands beside the question


def test_subject_id_cluster_and_example_are_found(tmp_path: Path) -> None:
    row = {"id": 1, "Category": "space", "passage_id": 3, "example": False}
    fields = one(tmp_path, ITEM | row)

    assert (fields.id, fields.group, fields.cluster) == ("id", "Category", ("passage_id",))
    assert fields.example == "example"


def test_a_column_that_only_later_rows_have_is_found_too(tmp_path: Path) -> None:
    assert one(tmp_path, ITEM, ITEM | {"subject": "space"}).group == "subject"


@pytest.mark.parametrize("name", ["passage", "context", "article", "text", "Passage"])
def test_a_passage_is_shown_before_its_question_and_shared_as_cluster(
    tmp_path: Path, name: str
) -> None:
    row = ITEM | {name: "Of planets."}
    fields = one(tmp_path, row)
    [question] = load(tmp_path, "q.jsonl", json.dumps(row)).questions

    assert (fields.stem, fields.cluster) == ((name, "question"), (name,))
    assert question.stem == "Of planets.\n\nWhich?"


def test_a_question_that_is_called_text_is_no_passage(tmp_path: Path) -> None:
    fields = one(tmp_path, {"text": "Which?", "choices": PLANETS, "answer": "A"})

    assert (fields.stem, fields.cluster) == (("text",), ())


@pytest.mark.parametrize(
    "row",
    [
        {"id": ""},
        {"id": None},
        {"id": True},
        {"topic": ["a", "b"]},
        {"passage_id": {"a": 1}},
        {"example": "as in: for example"},
        {"example": 1},
    ],
    ids=str,
)
def test_a_column_that_can_be_done_without_is_left_out_if_it_cannot_be_used(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    fields = one(tmp_path, ITEM | row)

    assert (fields.id, fields.group, fields.cluster, fields.example) == (None, None, (), None)


def test_an_answer_column_without_answers_gives_way_to_one_that_has_them(tmp_path: Path) -> None:
    """AGIEval's files have a column `answer` that is null in every row, and a `label`."""
    assert one(tmp_path, ITEM | {"answer": None, "label": "A"}).answer == "label"


@pytest.mark.parametrize("column", ["image", "images", "img", "Picture", "image_path", "image_url"])
def test_a_column_of_pictures_is_found_by_its_name(tmp_path: Path, column: str) -> None:
    PIL.Image.new("L", (8, 8)).save(tmp_path / "a.png")
    row = ITEM | {column: "a.png"}
    [plain, question] = load(tmp_path, "q.jsonl", as_lines(ITEM, row)).questions

    assert one(tmp_path, ITEM, row).images == (column,)
    assert plain.images == ()
    assert question.images == (read_image(tmp_path / "a.png"),)


@pytest.mark.parametrize("name", ["image_{}", "image{}", "Image {}", "img_{}", "picture{}"])
def test_numbered_columns_of_pictures_keep_their_numbers(tmp_path: Path, name: str) -> None:
    """The second and the tenth occur in no row."""
    row = ITEM | {name.format(3): "c.png", name.format(1): "a.png", name.format(2): None}

    assert one(tmp_path, ITEM, row).images == tuple(name.format(n) for n in (1, 2, 3))
    assert one(tmp_path, row | {name.format(11): "k.png"}).images[9:] == (
        name.format(10),
        name.format(11),
    )


def test_the_mark_of_a_numbered_column_names_its_picture(tmp_path: Path) -> None:
    for name in "ab":
        PIL.Image.new("L", (8, 8), ord(name)).save(tmp_path / f"{name}.png")
    row = ITEM | {"question": "Like <image 3>?", "image_1": "a.png", "image_3": "b.png"}
    [question] = load(tmp_path, "q.jsonl", as_lines(row)).questions

    assert question.stem == "Like <image 2>?"
    assert [Path(image.place).name for image in question.images] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (("image", "picture"), "'image', 'picture'"),
        (("image_1", "image"), "'image', 'image_1'"),
        (("image_0", "image_1"), "'image_0', 'image_1'"),
        (("image_0",), "'image_0'"),
    ],
)
def test_it_is_not_guessed_which_picture_is_the_first(
    tmp_path: Path, columns: tuple[str, ...], found: str
) -> None:
    with pytest.raises(BenchmarkError) as caught:
        one(tmp_path, ITEM | dict.fromkeys(columns, "a.png"))

    assert str(caught.value).endswith(f"{found} could be <image 1>; write a definition with images")


def test_questions_about_pictures_are_not_asked_without_them(tmp_path: Path) -> None:
    with pytest.raises(QuestionSetError, match=r"q\.jsonl:1: image = 'a\.png': no such file"):
        load(tmp_path, "q.jsonl", as_lines(ITEM | {"image": "a.png"}))


def test_a_column_of_images_that_is_empty_does_no_harm(tmp_path: Path) -> None:
    assert one(tmp_path, ITEM | {"image": None, "img_type": "none"}).images == ()


def test_ids_that_repeat_are_reported_and_not_passed_over(tmp_path: Path) -> None:
    text = "".join(f"{json.dumps(ITEM | {'id': name})}\n" for name in "aba")

    with pytest.raises(QuestionSetError, match=r"q\.jsonl:3: id = 'a': stands already at .*:1;"):
        load(tmp_path, "q.jsonl", text)


def test_worked_examples_are_taken_from_the_column_that_marks_them(tmp_path: Path) -> None:
    rows = [ITEM | {"question": f"Q{i}?", "example": i == 0} for i in range(3)]
    found = load(tmp_path, "q.json", json.dumps(rows))

    assert [len(found.examples), len(found.questions)] == [1, 2]


# What is not guessed


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (
            [{"choices": ["x", "y", "z"], "answer": 1}, {"answer": 2}],
            "answer = 1 could be read as index0 or as index1; write a definition with answer_is",
        ),
        (
            [{"choices": ["1", "2", "3"], "answer": "1"}, {"answer": "2"}],
            "answer = '1' could be read as text or as index0 or as index1",
        ),
        (
            [{"choices": ["3", "2", "1"], "answer": "1"}, {"answer": "3"}],
            "answer = '1' could be read as text or as index1; write a definition",
        ),
        (
            [{"choices": ["B", "A", "C"], "answer": "A"}],
            "answer = 'A' could be read as letter or as text; write a definition",
        ),
        ([{"answer": "It is Mars, since"}], "answer = 'It is Mars, since': most answers are neith"),
        ([{"answer": "A"}, {"answer": "?"}], "answer = 'A': most answers are neither letter, posi"),
        ([{"answer": 0.5}], "answer = '0.5': most answers are neither letter, position nor choice"),
    ],
    ids=str,
)
def test_answers_that_could_mean_two_things_or_nothing_are_refused_with_a_remedy(
    tmp_path: Path, rows: list[dict[str, Any]], complaint: str
) -> None:
    full = [ITEM | rows[0] | row | {"question": f"Q{i}?"} for i, row in enumerate(rows)]

    with pytest.raises(BenchmarkError) as caught:
        one(tmp_path, *full)

    assert str(caught.value).startswith(f"{tmp_path / 'q.jsonl'}: {complaint}")
    assert "write a definition with answer_is" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "answer_is"),
    [
        ({"choices": ["A", "B", "C"], "answer": "B"}, "letter"),
        ({"choices": ["1", "2", "3"], "answer": "3"}, "text"),
    ],
)
def test_two_readings_that_name_the_same_choice_are_no_question(
    tmp_path: Path, row: dict[str, Any], answer_is: AnswerForm
) -> None:
    assert one(tmp_path, ITEM | row).answer_is == answer_is


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("q.csv", "frage,A,B,antwort\nq,x,y,z\n", "no column for question or answer among 'frage'"),
        (
            "q.csv",
            "question,A,answer\nq,x,A\n",
            "no column for choices among 'question', 'A', 'ans",
        ),
        ("q.csv", "question,A,C,answer\nq,x,y,A\n", "no column for choices among"),
        (
            "q.csv",
            "question,choices,answer\nq,\"['x', 'y']\",A\n",
            "(choices holds no list); rename",
        ),
        ("q.csv", "What is it?,x,x,y,E\n", "the header names 'x' more than once; rename one"),
        (
            "q.csv",
            "What is it?,x,y,z,E\nq,x,y,z,1\n",
            "no column for question or choices or answer",
        ),
        ("q.csv", "question,A,B,answer\n", "there is no question in it"),
        ("q.csv", "", "the file is empty"),
        ("q.json", "[]", "there is no question in it"),
        ("q.jsonl", "\n", "there is no question in it"),
        ("q.json", '{"questions": [{"question": "q"}]}', "among 'questions'; rename the columns"),
        ("q.json", '{\n"questions": []}', "name the key of the list as `records`"),
        ("q.jsonl", '{"question": "q", "choices": ["x", "y"]}', "no column for answer among"),
    ],
)
def test_a_file_with_other_columns_is_refused_with_those_it_has(
    tmp_path: Path, name: str, text: str, complaint: str
) -> None:
    with pytest.raises(BenchmarkError) as caught:
        load(tmp_path, name, text)

    assert str(caught.value).startswith(str(tmp_path / name))
    assert complaint in str(caught.value)


def test_a_file_without_a_readable_row_names_them_all(tmp_path: Path) -> None:
    with pytest.raises(QuestionSetError) as caught:
        load(tmp_path, "q.jsonl", "question,A,B\nq,x,y\n")

    assert [problem.line for problem in caught.value.problems] == [1, 2]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"choices": [{"label": "A", "text": "x"}]}, "choices = {'label': 'A', 'text': 'x'}: expe"),
        ({"answer": ""}, "answer = '': the row has no answer"),
        ({"choices": [["x"]]}, "choices = ['x']: expected text"),
    ],
    ids=str,
)
def test_where_no_row_can_be_used_each_says_why(
    tmp_path: Path, row: dict[str, Any], text: str
) -> None:
    with pytest.raises(QuestionSetError) as caught:
        load(tmp_path, "q.jsonl", f"{json.dumps(ITEM | row)}\n" * 3)

    assert len(caught.value.problems) == 3
    assert text in str(caught.value)


def test_most_rows_decide_and_the_others_are_refused_one_by_one(tmp_path: Path) -> None:
    text = (
        "question,A,B,C,D,answer\n"
        "What is the capital of Australia?,Sydney,Canberra,Perth,Hobart,E\n"
        ",oxygen,nitrogen,carbon dioxide,helium,C\n"
        "How many minutes are there in two hours?,60,90,,120,D\n"
        '"What is the\nlargest?",1,2,3,4,A\n'
        "Which?,red,blue\n"
        "Which?,red,blue,green,pink,B\n"
    )

    with pytest.raises(QuestionSetError) as caught:
        load(tmp_path, "broken.csv", text)

    path = tmp_path / "broken.csv"
    assert str(caught.value) == (
        "4 rows can't be used:\n"
        f"  {path}:2: answer = 'E': expected one of A, B, C, D\n"
        f"  {path}:3: question = '': the question has no text\n"
        f"  {path}:4: A, B, C, D = ['60', '90', '', '120']: choice C is empty\n"
        f"  {path}:7: row = ['Which?', 'red', 'blue']: 3 cells where 6 are expected: "
        "check the quotes"
    )


def test_most_lists_decide_whether_choices_bear_letters(tmp_path: Path) -> None:
    rows = [ITEM | {"choices": choices} for choices in (["(A) x", "(B) y"],) * 3 + (None, [])]

    with pytest.raises(QuestionSetError) as caught:
        load(tmp_path, "q.json", json.dumps(rows))

    assert [(problem.value, problem.remedy) for problem in caught.value.problems] == [
        ("missing", "expected a list of texts"),
        ("[]", "expected 2 to 26 choices, found 0"),
    ]


def test_a_table_without_header_is_known_by_most_of_its_rows(tmp_path: Path) -> None:
    text = table("", LETTERS).lstrip() + "Which?,x,y\nWhich?,x,y,z,w,E\n"

    with pytest.raises(QuestionSetError) as caught:
        load(tmp_path, "q.csv", text)

    assert [problem.line for problem in caught.value.problems] == [6, 7]


def test_a_header_that_ends_in_a_letter_is_a_header(tmp_path: Path) -> None:
    text = "question,answer,A,B,C,D\nWhich grade is best?,A,A,B,C,D\n"

    assert guess(tmp_path, "q.csv", text).choices == ABCD


def test_a_file_whose_name_looks_like_a_pattern_is_read_itself(tmp_path: Path) -> None:
    write(tmp_path, "exam 1.csv", "question,A,B,answer\nother,x,y,A\n")
    found = load(tmp_path, "exam [1]*.csv", "question,A,B,answer\nWhich?,x,y,A\n")

    assert [question.stem for question in found.questions] == ["Which?"]


@given(
    st.permutations(["question", "A", "B", "C", "answer", "subject", "notes"]),
    st.lists(st.integers(0, 2), min_size=1, max_size=5),
)
def test_the_order_of_columns_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, columns: list[str], right: list[int]
) -> None:
    cells = {"A": "red", "B": "blue", "C": "green", "subject": "colours", "notes": "none"}
    rows = [cells | {"question": f"Q{i}?", "answer": "ABC"[r]} for i, r in enumerate(right)]
    text = "\n".join([",".join(columns), *(",".join(row[c] for c in columns) for row in rows)])
    found: Sequence[Question] = load(tmp_path_factory.getbasetemp(), "mixed.csv", text).questions

    assert [q.right for q in found] == [(r,) for r in right]
    assert {(q.choices, q.group) for q in found} == {(("red", "blue", "green"), "colours")}


def test_of_rows_with_pictures_only_so_many_are_looked_at_as_fit_into_memory() -> None:
    plain = [Record(n, {"q": "?"}) for n in range(5)]
    picture = {"bytes": bytes(BYTES_LOOKED_AT * 6 // 10), "path": None}
    heavy = [Record(n, {"q": "?", "i": picture}) for n in range(5)]

    assert look_at_rows(plain) == plain
    assert look_at_rows(heavy) == heavy[:2]
