"""Rows become questions by a map of columns; those that can't are all named at once."""

from __future__ import annotations

from pathlib import Path
from string import ascii_uppercase
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import QuestionSetError, RowProblem
from evalkit.images import Image, read_image, refer_to_image
from evalkit.loaders.choices import (
    ChoiceForm,
    FixedChoices,
    ItemList,
    KeyedChoices,
    LetteredText,
    ListColumn,
    ParallelLists,
    PictureChoices,
    RightAndWrong,
    SeparateColumns,
)
from evalkit.loaders.fields import AnswerForm, FieldMap, PlacedRow, build_question_set
from evalkit.loaders.filters import RowFilter
from evalkit.loaders.records import Record, Row
from evalkit.questions import Question, QuestionSet, digest_of, shuffle_choices

PATH = Path("q.jsonl")
PLAIN = FieldMap(stem=("question",), choices=ListColumn(column="choices"), answer="answer")
ROW = {"question": "Which?", "choices": ["red", "blue", "green"], "answer": "B"}


def mapping(**changes: Any) -> FieldMap:
    facts: dict[str, Any] = {"stem": ("question",), "choices": PLAIN.choices, "answer": "answer"}
    return FieldMap(**facts | changes)


def build(
    fields: FieldMap, *rows: dict[str, Any], group: str | None = None, folder: Path = Path()
) -> QuestionSet:
    """The questions of some rows, on lines 1, 2, 3, ..., with the pictures of a folder."""
    placed = (PlacedRow(PATH, Record(n, row), group, folder) for n, row in enumerate(rows, 1))
    return build_question_set(placed, fields)


def build_one(fields: FieldMap, group: str | None = None, **changes: Any) -> Question:
    return build(fields, ROW | changes, group=group).questions[0]


def refusals(fields: FieldMap, *rows: dict[str, Any]) -> list[str]:
    """`line: field = value: remedy` of each bad row."""
    with pytest.raises(QuestionSetError) as caught:
        build(fields, *rows)
    return [str(problem).removeprefix(f"{PATH}:") for problem in caught.value.problems]


def refusal(fields: FieldMap, **changes: Any) -> str:
    [text] = refusals(fields, ROW | changes)
    return text.removeprefix("1: ")


# The forms of choices and answers


@pytest.mark.parametrize(
    ("choices", "row"),
    [
        (SeparateColumns(columns=("A", "B", "C")), {"A": "red", "B": "blue", "C": "green"}),
        (ListColumn(column="choices"), {"choices": ["red", "blue", "green"]}),
        (
            ListColumn(column="choices", labelled=True),
            {"choices": ["(A) red", "(B) blue", "(C) green"]},
        ),
        (
            ParallelLists(texts="choices.text", labels="choices.label"),
            {"choices": {"text": ["red", "blue", "green"], "label": ["A", "B", "C"]}},
        ),
        (LetteredText(column="choices"), {"choices": "A) red B) blue C) green"}),
    ],
)
@pytest.mark.parametrize(
    ("answer_is", "answer"),
    [
        ("letter", "B"),
        ("letter", "b"),
        ("letter", "(B)"),
        ("letter", " B. "),
        ("letter", ["B"]),
        ("index0", 1),
        ("index0", "1"),
        ("index0", " 01 "),
        ("index1", 2),
        ("index1", "2"),
        ("text", "blue"),
        ("text", " blue\n"),
        ("flags", [0, 1, 0]),
        ("flags", ["0", "1", "0"]),
        ("flags", [False, True, False]),
    ],
    ids=str,
)
def test_every_form_of_choices_goes_with_every_form_of_answer(
    choices: ChoiceForm, row: dict[str, Any], answer_is: AnswerForm, answer: object
) -> None:
    fields = mapping(choices=choices, answer_is=answer_is)
    [question] = build(fields, {"question": "Which?", "answer": answer, **row}).questions

    assert question.choices == ("red", "blue", "green")
    assert question.right == (1,)


@pytest.mark.parametrize(
    ("answer_is", "answer", "right"),
    [
        ("letter", ["C", "A"], (0, 2)),
        ("letter", ["A", "a"], (0,)),
        ("index0", [2, 0], (0, 2)),
        ("index1", ["3", 1], (0, 2)),
        ("text", ["green", "red"], (0, 2)),
        ("flags", [1, 0, 1], (0, 2)),
    ],
)
def test_several_right_choices_come_in_ascending_order(
    answer_is: AnswerForm, answer: object, right: tuple[int, ...]
) -> None:
    assert build_one(mapping(answer_is=answer_is), answer=answer).right == right


@pytest.mark.parametrize(
    ("labels", "answer", "right"),
    [
        (["1", "2", "3"], "2", 1),
        (["1", "2", "3"], 2, 1),
        (["(A)", "(B)", "(C)"], "(B)", 1),
        (["(A)", "(B)", "(C)"], "b", 1),
        (["C", "B", "A"], "C", 0),
        (["a", "A", "b"], "A", 1),
        (["yes", "no", "maybe"], "No", 1),
    ],
)
def test_a_files_own_labels_name_the_answer(labels: list[str], answer: object, right: int) -> None:
    fields = mapping(choices=ParallelLists(texts="texts", labels="labels"))
    question = build_one(fields, texts=ROW["choices"], labels=labels, answer=answer)

    assert question.right == (right,)


def test_a_right_and_several_wrong_texts_are_shown_in_a_seeded_order() -> None:
    choices = RightAndWrong(right="best", wrong=("worse",), separator="; ")
    fields = mapping(choices=choices, answer=None, shuffle_seed=3)
    rows = [{"question": f"Q{i}?", "best": "red", "worse": "blue; green"} for i in range(60)]
    questions = build(fields, *rows).questions

    assert {question.right_texts for question in questions} == {("red",)}
    assert {question.right for question in questions} == {(0,), (1,), (2,)}


@pytest.mark.parametrize("count", [2, 3, 10, 26])
def test_a_question_may_have_2_to_26_choices(count: int) -> None:
    choices = [f"choice {i}" for i in range(count)]

    assert build_one(PLAIN, choices=choices, answer=ascii_uppercase[count - 1]).right == (
        count - 1,
    )


def test_each_question_may_have_another_number_of_choices() -> None:
    rows = [
        {"question": f"Q{count}?", "answer": "B", **dict.fromkeys("ABCDE"[:count], str(count))}
        for count in (2, 5, 3)
    ]
    questions = build(mapping(choices=SeparateColumns(columns=tuple("ABCDE"))), *rows).questions

    assert [len(question.choices) for question in questions] == [2, 5, 3]


# What is refused


@pytest.mark.parametrize(
    ("answer_is", "answer", "text"),
    [
        ("letter", "D", "answer = 'D': expected one of A, B, C"),
        ("letter", "AB", "answer = 'AB': expected one of A, B, C"),
        ("letter", 1, "answer = '1': expected one of A, B, C"),
        ("letter", "blue", "answer = 'blue': expected one of A, B, C"),
        ("letter", "()", "answer = '()': expected one of A, B, C"),
        ("letter", None, "answer = missing: the row has no answer"),
        ("letter", " ", "answer = ' ': the row has no answer"),
        ("letter", [], "answer = []: no choice is marked as right"),
        ("letter", True, "answer = True: expected text"),
        ("letter", {"a": 1}, "answer = {'a': 1}: expected text"),
        ("index0", 3, "answer = 3: expected a whole number from 0 to 2"),
        ("index0", -2, "answer = -2: expected a whole number from 0 to 2"),
        ("index0", -1, "answer = -1: the row has no answer"),
        ("letter", "?", "answer = '?': the row has no answer"),
        ("index0", "1.0", "answer = '1.0': expected a whole number from 0 to 2"),
        ("index0", "B", "answer = 'B': expected a whole number from 0 to 2"),
        ("index0", "²", "answer = '²': expected a whole number from 0 to 2"),
        ("index0", "1" * 5000, f"answer = '{'1' * 56}...: expected a whole number from 0 to 2"),
        ("index1", 0, "answer = 0: expected a whole number from 1 to 3"),
        ("index1", 4, "answer = 4: expected a whole number from 1 to 3"),
        (
            "text",
            "Blue",
            "answer = 'Blue': expected the text of a choice: ('red', 'blue', 'green')",
        ),
        ("flags", [0, 0, 0], "answer = [0, 0, 0]: no choice is marked as right"),
        ("flags", [0, 1], "answer = [0, 1]: expected 3 numbers, each 0 or 1"),
        ("flags", [0, 2, 0], "answer = [0, 2, 0]: expected 3 numbers, each 0 or 1"),
        ("flags", "010", "answer = '010': expected 3 numbers, each 0 or 1"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_an_answer_that_names_no_choice_is_refused_with_what_would_be_right(
    answer_is: AnswerForm, answer: object, text: str
) -> None:
    assert refusal(mapping(answer_is=answer_is), answer=answer) == text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"question": ""}, "question = '': the question has no text"),
        ({"question": " \n"}, r"question = ' \n': the question has no text"),
        ({"question": None}, "question = missing: the question has no text"),
        ({"question": ["Which?", None]}, "question = missing: expected text"),
        ({"choices": None}, "choices = missing: expected a list of texts"),
        ({"choices": []}, "choices = []: expected 2 to 26 choices, found 0"),
        ({"choices": ["red"]}, "choices = ['red']: expected 2 to 26 choices, found 1"),
        ({"choices": ["red", " "]}, "choices = ['red', '']: choice B is empty"),
        ({"choices": ["red", None]}, "choices = missing: expected text"),
    ],
    ids=str,
)
def test_a_row_without_question_or_choices_is_refused(changes: dict[str, Any], text: str) -> None:
    assert refusal(PLAIN, **changes) == text


def test_27_choices_are_too_many() -> None:
    assert refusal(PLAIN, choices=["x"] * 27).endswith("...: expected 2 to 26 choices, found 27")


def test_an_answer_by_a_text_that_two_choices_have_is_refused() -> None:
    expected = "answer = 'red': two choices have this text; name the answer by its letter"

    assert refusal(mapping(answer_is="text"), choices=["red", "red"], answer="red") == expected


def test_a_gap_between_separate_columns_names_all_of_them() -> None:
    fields = mapping(choices=SeparateColumns(columns=("A", "B", "C")))
    row = {"question": "Which?", "A": "red", "B": "", "C": "green", "answer": "A"}

    assert refusals(fields, row) == ["1: A, B, C = ['red', '', 'green']: choice B is empty"]


def test_all_bad_rows_are_named_in_one_pass_with_those_that_could_not_be_parsed() -> None:
    torn = RowProblem(path=PATH, line=2, field="row", value="'{'", remedy="not JSON")
    rows: list[Row] = [
        Record(1, ROW | {"answer": "E"}),
        torn,
        Record(3, ROW),
        Record(4, ROW | {"question": ""}),
        Record(5, ROW | {"choices": ["red"]}),
    ]

    with pytest.raises(QuestionSetError) as caught:
        build_question_set((PlacedRow(PATH, row) for row in rows), PLAIN)

    assert caught.value.problems[1] is torn
    assert [(problem.line, problem.field) for problem in caught.value.problems] == [
        (1, "answer"),
        (2, "row"),
        (4, "question"),
        (5, "choices"),
    ]


# The question's text


@pytest.mark.parametrize(
    ("passage", "stem"),
    [("A passage.", "A passage.\n\nWhich?"), ("", "Which?"), (None, "Which?"), (7, "7\n\nWhich?")],
)
def test_a_passage_stands_before_the_question_where_there_is_one(
    passage: object, stem: str
) -> None:
    fields = mapping(stem=("passage", "question"))

    assert build_one(fields, passage=passage).stem == stem


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        (("input",), "Which?"),
        (("passage", "input"), "A passage.\n\nWhich?"),
        (("input", "passage"), "Which?\n\nA passage."),
        (("passage",), "A passage."),
    ],
)
def test_choices_that_share_a_text_with_the_question_are_not_shown_twice(
    stem: tuple[str, ...], expected: str
) -> None:
    fields = mapping(stem=stem, choices=LetteredText(column="input"))
    text = "Which?\nOptions:\n(A) red\n(B) blue"

    assert build_one(fields, input=text, passage="A passage.").stem == expected


def test_choices_alone_are_no_question() -> None:
    fields = mapping(stem=("input",), choices=LetteredText(column="input"))
    text = r"input = '(A) red\n(B) blue': the question has no text"

    assert refusal(fields, input="(A) red\n(B) blue") == text


# Everything beside it


def test_subject_cluster_and_metadata_are_kept_beside_the_question() -> None:
    fields = mapping(group="subject", cluster=("passage",), metadata=("rationale", "nothing"))
    question = build_one(fields, subject=" colours ", passage="p1", rationale="It is.", other="x")

    assert (question.group, question.cluster) == ("colours", "p1")
    assert question.metadata == {"rationale": "It is."}
    assert question.stem == "Which?"


@pytest.mark.parametrize(
    ("row", "cluster"),
    [
        ({"category": "Age", "template": 7}, "Age / 7"),
        ({"category": "Age"}, "Age"),
        ({"category": " ", "template": None}, None),
    ],
)
def test_columns_that_only_together_name_a_cluster_are_joined(
    row: dict[str, Any], cluster: str | None
) -> None:
    fields = mapping(cluster=("category", "template"))

    assert build_one(fields, **row).cluster == cluster
    assert fields.columns >= {"category", "template"}


@pytest.mark.parametrize(
    ("row", "group"), [({"subject": "own"}, "own"), ({"subject": ""}, "file"), ({}, "file")]
)
def test_a_rows_own_subject_wins_over_that_of_the_files_name(
    row: dict[str, Any], group: str
) -> None:
    assert build_one(mapping(group="subject"), group="file", **row).group == group


@pytest.mark.parametrize(
    ("value", "is_example"),
    [
        (True, True),
        ("true", True),
        (" TRUE ", True),
        (False, False),
        ("False", False),
        ("", False),
        (None, False),
    ],
)
def test_a_marked_row_is_a_worked_example_and_not_asked(value: object, is_example: bool) -> None:
    found = build(mapping(example="example"), ROW | {"example": value})

    assert (len(found.examples), len(found.questions)) == ((1, 0) if is_example else (0, 1))


@pytest.mark.parametrize("value", ["yes", 1, ["true"], 0.0], ids=str)
def test_a_mark_that_is_neither_true_nor_false_is_refused(value: object) -> None:
    assert refusal(mapping(example="ex"), ex=value) == f"ex = {value!r}: expected true or false"


def test_choices_are_shuffled_by_the_seed_of_the_definition() -> None:
    plain, shuffled = build_one(PLAIN), build_one(mapping(shuffle_seed=5))

    assert shuffled == shuffle_choices(plain, 5)
    assert shuffled.right_texts == ("blue",)


# Pictures

RED, BLUE, GREEN = (f"https://example.org/{name}.png" for name in ("red", "blue", "green"))
PICTURES = mapping(images=("image_1", "image_2", "image_3"))


def urls(question: Question) -> list[str]:
    return [image.place for image in question.images]


def test_a_question_without_pictures_has_none() -> None:
    assert build_one(PLAIN, image_1=RED).images == ()
    assert build_one(PICTURES).images == ()


def test_a_file_of_the_folder_is_a_questions_picture(tmp_path: Path) -> None:
    PIL.Image.new("L", (30, 20)).save(tmp_path / "a.png")
    [question] = build(PICTURES, ROW | {"image_2": "a.png"}, folder=tmp_path).questions

    assert question.images == (read_image(tmp_path / "a.png"),)
    assert (question.images[0].width, question.images[0].height) == (30, 20)
    assert question.stem == "Which?"


def test_marks_stay_where_no_number_is_left_out() -> None:
    question = build_one(
        PICTURES,
        question="Like <image 1>?",
        choices=["<image 3>", "<image 2>", "none"],
        image_1=RED,
        image_2=BLUE,
        image_3=GREEN,
    )

    assert question.stem == "Like <image 1>?"
    assert question.choices == ("<image 3>", "<image 2>", "none")
    assert urls(question) == [RED, BLUE, GREEN]


def test_pictures_and_marks_are_renumbered_where_one_is_left_out() -> None:
    question = build_one(
        mapping(images=PICTURES.images, answer_is="text"),
        question="Like <image 3>?",
        choices=["<image 3>", "<image 1>", "none"],
        answer="<image 3>",
        image_1=RED,
        image_3=GREEN,
    )

    assert question.stem == "Like <image 2>?"
    assert question.choices == ("<image 2>", "<image 1>", "none")
    assert question.right_texts == ("<image 2>",)
    assert urls(question) == [RED, GREEN]


@pytest.mark.parametrize(
    ("choices", "row"),
    [
        (PictureChoices(columns=("choices",)), {"choices": [RED, BLUE, GREEN]}),
        (PictureChoices(columns=("A", "B", "C", "D")), {"A": RED, "B": BLUE, "C": GREEN}),
    ],
)
@pytest.mark.parametrize(("answer_is", "answer"), [("letter", "C"), ("index0", 2), ("text", GREEN)])
def test_choices_that_are_pictures_become_marks_behind_those_of_the_question(
    choices: ChoiceForm, row: dict[str, Any], answer_is: AnswerForm, answer: object
) -> None:
    fields = mapping(choices=choices, answer_is=answer_is, images=("image",))
    alone = build_one(fields, **row, answer=answer)
    behind = build_one(fields, **row, answer=answer, image=BLUE)

    assert (alone.choices, alone.right_texts) == (
        ("<image 1>", "<image 2>", "<image 3>"),
        ("<image 3>",),
    )
    assert urls(alone) == [RED, BLUE, GREEN]
    assert behind.choices == ("<image 2>", "<image 3>", "<image 4>")
    assert urls(behind) == [BLUE, RED, BLUE, GREEN]


def test_choices_that_are_pictures_are_shuffled_as_others_are() -> None:
    fields = mapping(choices=PictureChoices(columns=("choices",)), shuffle_seed=5)
    question = build_one(fields, choices=[RED, BLUE, GREEN])
    [mark] = question.right_texts

    assert question.order not in (None, (0, 1, 2))
    assert urls(question)[int(mark.strip("<image >")) - 1] == BLUE


@pytest.mark.parametrize(
    ("fields", "changes", "text"),
    [
        (
            PICTURES,
            {"question": "Like <image 2>?", "image_1": RED},
            "question = 'Like <image 2>?': the row has no picture <image 2>; columns.images names "
            "its column",
        ),
        (
            PICTURES,
            {"choices": ["<image 1>", "<image 2>"], "image_1": RED},
            "choices = '<image 2>': the row has no picture <image 2>; columns.images names its "
            "column",
        ),
        (
            PLAIN,
            {"question": "Like <image 1>?", "image_1": RED},
            "question = 'Like <image 1>?': the row has no picture <image 1>; columns.images names "
            "its column",
        ),
        (
            PICTURES,
            {"image_2": "../a.png"},
            f"image_2 = '../a.png': the path leads out of {Path.cwd()}; put the picture there",
        ),
        (
            PICTURES,
            {"image_2": "none.png"},
            f"image_2 = 'none.png': no such file ({Path.cwd()}/none.png)",
        ),
        (
            mapping(choices=PictureChoices(columns=("A", "B"))),
            {"A": RED, "B": "none.png"},
            f"A, B = 'none.png': no such file ({Path.cwd()}/none.png)",
        ),
        (
            mapping(choices=PictureChoices(columns=("A", "B", "C"))),
            {"A": RED, "B": " ", "C": BLUE},
            f"A, B, C = {str([RED, '', BLUE])[:57]}...: choice B is empty",
        ),
    ],
)
def test_a_picture_that_is_missing_is_a_problem_of_its_row(
    fields: FieldMap, changes: dict[str, Any], text: str
) -> None:
    assert refusal(fields, **changes) == text


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        (b"", "the file is empty"),
        (b"Which?", "no picture, or a damaged one; expected one of JPEG, PNG, GIF, WEBP"),
    ],
)
def test_a_file_that_is_no_picture_is_named_with_its_row(
    tmp_path: Path, data: bytes, remedy: str
) -> None:
    (tmp_path / "a.png").write_bytes(data)
    rows = [ROW, ROW | {"image_1": "a.png"}]

    with pytest.raises(QuestionSetError) as caught:
        build(PICTURES, *rows, folder=tmp_path)

    [problem] = caught.value.problems
    assert (problem.path, problem.line, problem.field) == (PATH, 2, "image_1")
    assert (problem.value, problem.remedy) == ("'a.png'", f"{remedy} ({tmp_path / 'a.png'})")


def test_questions_keep_no_bytes_of_their_pictures(tmp_path: Path) -> None:
    PIL.Image.new("L", (300, 200)).save(tmp_path / "a.png")
    [question] = build(PICTURES, ROW | {"image_1": "a.png"}, folder=tmp_path).questions
    [image] = question.images

    facts = [getattr(image, name) for name in Image.__dataclass_fields__]
    assert {type(fact) for fact in facts} == {str, int, type(None)}


# Ids


def test_pictures_make_the_id_of_a_question_and_leave_those_of_texts_alone() -> None:
    plain, red = build_one(PICTURES), build_one(PICTURES, image_1=RED)

    assert plain.id == build_one(PLAIN).id == digest_of("Which?", *ROW["choices"])[:16]
    assert red.id not in (plain.id, build_one(PICTURES, image_1=BLUE).id)
    assert red.id == build_one(PICTURES, image_2=RED).id
    assert refer_to_image(RED).digest == red.images[0].digest


def test_without_ids_a_question_is_named_by_its_text_and_choices_alone() -> None:
    base = build_one(PLAIN)

    assert base.id == "4d6ad63bcf5249ef"  # another one would make earlier runs incomparable
    assert build_one(PLAIN, answer="C").id == base.id
    assert build_one(mapping(group="subject", shuffle_seed=1), subject="x").id == base.id
    assert build_one(PLAIN, question="Which one?").id != base.id
    assert build_one(PLAIN, choices=["red", "green", "blue"]).id != base.id


def test_without_ids_repetitions_are_numbered_and_found_as_duplicates() -> None:
    found = build(PLAIN, ROW, ROW | {"answer": "C"}, ROW)
    first = found.questions[0].id

    assert [question.id for question in found.questions] == [first, f"{first}-2", f"{first}-3"]
    assert [(d.second, d.same_answer) for d in found.find_duplicates()] == [
        (f"{first}-2", False),
        (f"{first}-3", True),
    ]


@pytest.mark.parametrize(("value", "name"), [("q1", "q1"), (" q1 ", "q1"), (7, "7"), (0, "0")])
def test_a_sets_own_ids_are_kept(value: object, name: str) -> None:
    assert build_one(mapping(id="id"), id=value).id == name


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"id": ""}, "id = '': expected an id"),
        ({"id": None}, "id = missing: expected text"),
        ({}, "id = missing: expected text"),
        ({"id": True}, "id = True: expected text"),
    ],
    ids=str,
)
def test_a_row_without_id_is_refused_where_the_set_has_ids(row: dict[str, Any], text: str) -> None:
    assert refusal(mapping(id="id"), **row) == text


def test_an_id_that_stands_there_twice_is_a_problem_of_the_later_row() -> None:
    rows = [ROW | {"id": name} for name in ("a", "b", "a", "a")]

    assert refusals(mapping(id="id"), *rows) == [
        "3: id = 'a': stands already at q.jsonl:1; give each row its own",
        "4: id = 'a': stands already at q.jsonl:1; give each row its own",
    ]


@given(
    st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), min_size=1, max_size=5),
    st.integers(1, 3),
)
def test_an_id_that_stands_there_twice_is_found_in_whatever_file(
    files: list[list[str]], step: int
) -> None:
    """Some lines hold no row, so that rows are not counted as lines."""
    rows, first, expected = [], dict[str, str](), []
    for number, names in enumerate(files):
        path = Path(f"{number}.jsonl")
        for line, name in enumerate(names, 1):
            rows.append(PlacedRow(path, Record(line * step, ROW | {"id": name})))
            place = f"{path}:{line * step}"
            if first.setdefault(name, place) != place:
                expected.append((place, f"stands already at {first[name]}; give each row its own"))

    if not expected:
        assert len(build_question_set(rows, mapping(id="id")).questions) == len(rows)
        return
    with pytest.raises(QuestionSetError) as caught:
        build_question_set(rows, mapping(id="id"))
    assert [(f"{p.path}:{p.line}", p.remedy) for p in caught.value.problems] == expected


def test_what_questions_share_is_in_memory_once() -> None:
    names = ["".join(["pla", "nets"]) for _ in range(2)]  # two texts that are equal
    fields = mapping(group="group", cluster=("cluster",))
    rows = ({**ROW, "question": name, "group": name, "cluster": name} for name in names)
    one, other = build(fields, *rows).questions

    assert names[0] is not names[1]
    assert one.group is other.group
    assert one.cluster is other.cluster
    assert one.right is other.right
    assert one.metadata is other.metadata


# Any row at all

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 5) | st.text(max_size=4) | st.sampled_from("ABC"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)
FORMS: list[ChoiceForm] = [
    SeparateColumns(columns=("A", "B", "C")),
    ListColumn(column="A"),
    ListColumn(column="A", labelled=True),
    ParallelLists(texts="A", labels="B"),
    LetteredText(column="A"),
    PictureChoices(columns=("A",)),
    PictureChoices(columns=("A", "B")),
]
ANSWER_FORMS: list[AnswerForm] = ["letter", "index0", "index1", "text", "flags"]


@given(
    st.fixed_dictionaries(
        {}, optional=dict.fromkeys(["A", "B", "C", "question", "answer", "image"], VALUES)
    ),
    st.sampled_from(FORMS),
    st.sampled_from(ANSWER_FORMS),
)
def test_any_row_is_a_question_or_a_problem(
    row: dict[str, Any], choices: ChoiceForm, answer_is: AnswerForm
) -> None:
    try:
        build(mapping(choices=choices, answer_is=answer_is, id="C", images=("image",)), row)
    except QuestionSetError as error:
        assert len(error.problems) == 1


# What sets of the hub do


def test_true_and_false_are_the_second_and_the_first_of_two_choices() -> None:
    """BoolQ's answers are so."""
    fields = mapping(choices=FixedChoices(texts=("no", "yes")), answer_is="index0")

    assert build_one(fields, answer=True).right_texts == ("yes",)
    assert build_one(fields, answer=False).right_texts == ("no",)


def test_too_many_fixed_choices_are_refused() -> None:
    fields = mapping(choices=FixedChoices(texts=tuple(map(str, range(27)))))

    assert refusal(fields).endswith("expected 2 to 26 choices, found 27")


def test_a_list_of_texts_gives_a_question_several_paragraphs() -> None:
    """PubMedQA's contexts are so."""
    fields = mapping(stem=("contexts", "question"))

    assert build_one(fields, contexts=["One.", "", "Two."]).stem == "One.\n\nTwo.\n\nWhich?"
    assert build_one(fields, contexts=[]).stem == "Which?"


@pytest.mark.parametrize(
    ("answers", "withheld"),
    [
        ([""] * 10, True),
        ([None] * 10, True),
        ([-1] * 10, True),
        (["?"] * 12 + ["B"] * 11, True),
        (["?"] * 12 + ["B"] * 12, False),
        ([""] * 9, False),
        (["Z"] * 12, False),
    ],
)
def test_a_split_of_which_most_rows_have_no_answer_is_said_to_withhold_them(
    answers: list[object], withheld: bool
) -> None:
    rows = [ROW | {"question": f"{n}?", "answer": answer} for n, answer in enumerate(answers)]

    with pytest.raises(QuestionSetError) as caught:
        build(PLAIN, *rows)
    said = "have no answer: this split's answers are withheld, so take another split" in str(
        caught.value
    )
    assert said is withheld


def test_all_columns_that_questions_are_made_of_are_known() -> None:
    fields = mapping(
        **{key: key for key in ("answer", "id", "group", "example", "history")},
        stem=("a", "b.c"),
        cluster=("c", "d"),
        images=("i",),
        metadata=("m",),
        where=(RowFilter(column="w", filled=True),),
        choices=ParallelLists(texts="x.text", labels="x.label"),
    )

    assert fields.columns == {
        *("answer", "id", "group", "example", "history"),
        *("a", "b.c", "c", "d", "i", "m", "w", "x.text", "x.label"),
    }


@pytest.mark.parametrize(
    ("form", "columns"),
    [
        (SeparateColumns(columns=("A", "B")), ("A", "B")),
        (ListColumn(column="o"), ("o",)),
        (KeyedChoices(column="o"), ("o",)),
        (ItemList(column="o", text="t", label="l"), ("o",)),
        (FixedChoices(texts=("no", "yes")), ()),
        (LetteredText(column="o"), ("o",)),
        (RightAndWrong(right="r", wrong=("w", "v")), ("r", "w", "v")),
        (PictureChoices(columns=("p", "q")), ("p", "q")),
    ],
)
def test_each_form_of_choices_knows_its_columns(form: ChoiceForm, columns: tuple[str, ...]) -> None:
    assert form.used_columns == columns
