"""Choices are found in each form in which files hold them, or refused with what would do."""

from __future__ import annotations

from string import ascii_uppercase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.loaders.choices import (
    ChoiceForm,
    FieldError,
    FixedChoices,
    FoundChoices,
    ItemList,
    KeyedChoices,
    LetteredText,
    ListColumn,
    ParallelLists,
    RightAndWrong,
    SeparateColumns,
    find_letters,
    letters,
    text_list,
    text_of,
)
from evalkit.loaders.records import Record

ABCD = SeparateColumns(columns=("A", "B", "C", "D"))
OPTIONS = ListColumn(column="options")
LABELLED = ListColumn(column="options", labelled=True)
PAIR = ParallelLists(texts="choices.text", labels="choices.label")
INPUT = LetteredText(column="input")
BEST = RightAndWrong(right="best", wrong=("worse", "worst"), separator="; ")


def find(form: ChoiceForm, **values: Any) -> FoundChoices:
    return form.find(Record(1, values))


def lettered(*texts: str, stem: str = "Which?") -> FoundChoices:
    return FoundChoices(texts=texts, labels=letters(len(texts)), stem=stem)


def refusal(form: ChoiceForm, **values: Any) -> str:
    with pytest.raises(FieldError) as caught:
        find(form, **values)
    return f"{caught.value.field}: {caught.value.remedy}"


# Lists as Python writes them, labels with texts, objects, the same for all


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("['red', 'it\\'s blue', \"green\"]", ("red", "it's blue", "green")),
        ("['$\\\\alpha$', '007', '1.50']", ("$\\alpha$", "007", "1.50")),
        (" ('red', 'blue') ", ("red", "blue")),
        ("[1, 2]", ("1", "2")),
    ],
)
def test_a_list_may_be_a_text_as_python_writes_it(text: str, texts: tuple[str, ...]) -> None:
    assert find(ListColumn(column="options", literal=True), options=text).texts == texts


@pytest.mark.parametrize(
    "text", ["", "red", "['red'", "__import__('os')", "[" * 5000, "'red'", "{1: 2}", "[1.5]", None]
)
def test_a_text_that_python_would_not_write_is_refused(text: str | None) -> None:
    assert refusal(ListColumn(column="options", literal=True), options=text).startswith("options: ")


def test_labels_may_name_their_texts() -> None:
    """Tables give each row all labels, with nothing behind those that it has not."""
    found = find(KeyedChoices(column="options"), options={"A": "red", "B": " blue", "E": None})

    assert found == FoundChoices(texts=("red", "blue"), labels=("A", "B"))
    assert refusal(KeyedChoices(column="options"), options=["red"]).startswith("options: expected")


ITEMS = ItemList(column="question.choices", text="text", label="label")


def test_choices_may_be_objects() -> None:
    """CommonsenseQA's authors write them so."""
    choices = [{"label": "A", "text": "red"}, {"label": "B", "text": "blue"}]
    found = find(ITEMS, question={"choices": choices})

    assert found == FoundChoices(texts=("red", "blue"), labels=("A", "B"))


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        (None, "question.choices: expected a list of objects"),
        (["red"], "question.choices: expected a list of objects"),
        ([{"label": "A"}], "question.choices.text: expected text"),
        ([{"text": "red"}], "question.choices.label: expected text"),
        ([{"label": "A", "text": "x"}] * 2, "question.choices: expected different labels"),
    ],
)
def test_objects_that_lack_something_are_refused(choices: object, complaint: str) -> None:
    assert refusal(ITEMS, question={"choices": choices}) == complaint


def test_choices_may_be_the_same_in_all_rows() -> None:
    found = find(FixedChoices(texts=("no", "yes")))

    assert found == FoundChoices(texts=("no", "yes"), labels=("A", "B"))


# Separate columns


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (("w", "x", "y", "z"), ("w", "x", "y", "z")),
        ((" w ", "x", "", ""), ("w", "x")),
        (("w", "x", None, None), ("w", "x")),
        (("w", "x", " ", "\t"), ("w", "x")),
        (("None", "NA", "007", "1.50"), ("None", "NA", "007", "1.50")),
        ((0, 1, -5, 10**20), ("0", "1", "-5", "1" + "0" * 20)),
        (("w", "", "y", ""), ("w", "", "y")),  # refused where choices are counted
        ((None, None, None, None), ()),
    ],
    ids=str,
)
def test_columns_are_choices_up_to_the_last_that_is_not_empty(
    cells: tuple[object, ...], texts: tuple[str, ...]
) -> None:
    values = dict(zip("ABCD", cells, strict=True))

    assert find(ABCD, **values) == FoundChoices(texts=texts, labels=letters(len(texts)))


def test_a_missing_column_before_a_filled_one_is_refused() -> None:
    assert refusal(ABCD, A="w", C="y") == "B: expected text"


# Lists


def test_a_list_gives_a_choice_an_item() -> None:
    assert find(OPTIONS, options=["2", 4, "0.5"]).texts == ("2", "4", "0.5")


@pytest.mark.parametrize("value", [None, "a, b", {"a": 1}, 7, True])
def test_what_is_no_list_is_refused(value: object) -> None:
    assert refusal(OPTIONS, options=value) == "options: expected a list of texts"


@pytest.mark.parametrize("item", [None, True, 0.5, ["a"], {"text": "a"}], ids=str)
def test_an_item_that_is_no_text_is_refused(item: object) -> None:
    assert refusal(OPTIONS, options=["a", item]) == "options: expected text"


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        (["(A)2", "(B)4"], ("2", "4")),
        (["(A) 2", "(B) 4"], ("2", "4")),
        (["A)125", "B)150", "C)None"], ("125", "150", "None")),
        (["a. red", "b. blue"], ("red", "blue")),
        (["A: red", "B: A: blue"], ("red", "A: blue")),
        (["[A] red", "[B] blue"], ("red", "blue")),
        (["(A) (B)", "(B) (A)"], ("(B)", "(A)")),
        (["(A)$\\frac{1}{2}$", "(B)\nx"], ("$\\frac{1}{2}$", "x")),
    ],
    ids=str,
)
def test_a_letter_that_stands_before_each_choice_is_taken_off_once(
    options: list[str], texts: tuple[str, ...]
) -> None:
    assert find(LABELLED, options=options).texts == texts
    assert find(OPTIONS, options=options).texts == tuple(options)


@pytest.mark.parametrize(
    ("options", "letter"),
    [
        (["(A) red", "blue"], "B"),
        (["(B) red", "(A) blue"], "A"),
        (["(A) red", "(A) blue"], "B"),
        (["1.5", "2.5"], "A"),
        (["Anna", "Bert"], "A"),
    ],
    ids=str,
)
def test_a_letter_that_is_missing_or_out_of_order_is_refused(
    options: list[str], letter: str
) -> None:
    expected = f"options: expected a choice that begins with ({letter})"

    assert refusal(LABELLED, options=options) == expected


def test_more_labelled_choices_than_letters_are_left_to_be_counted() -> None:
    assert len(find(LABELLED, options=["(A) x"] * 27).texts) == 27


# Parallel lists


def test_texts_and_labels_may_stand_side_by_side() -> None:
    found = find(PAIR, choices={"label": ["1", "2"], "text": ["red", "blue"]})

    assert found == FoundChoices(texts=("red", "blue"), labels=("1", "2"))


@pytest.mark.parametrize(
    ("choices", "complaint"),
    [
        ({"text": ["a", "b"], "label": ["A"]}, "label: expected 2 different labels, one for each"),
        ({"text": ["a", "b"], "label": ["A", "A"]}, "label: expected 2 different labels, one for"),
        ({"text": ["a", "b"]}, "label: expected a list of texts"),
        ({"label": ["A", "B"]}, "text: expected a list of texts"),
        (None, "text: expected a list of texts"),
        (["a", "b"], "text: expected a list of texts"),
    ],
    ids=str,
)
def test_lists_that_do_not_go_together_are_refused(choices: object, complaint: str) -> None:
    assert refusal(PAIR, choices=choices).startswith(f"choices.{complaint}")


# Letters inside one text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Which?\n(A) red\n(B) blue", lettered("red", "blue")),
        ("Which?\nOptions:\n(A) red\n(B) blue\n(C) None", lettered("red", "blue", "None")),
        ("Which? Answer choices: (A) red (B) blue", lettered("red", "blue")),
        ("Which? A) red B) blue C) green", lettered("red", "blue", "green")),
        ("Which?\nA. red\nB. blue", lettered("red", "blue")),
        ("Which?\n  A: red\n  B: blue", lettered("red", "blue")),
        ("Which?\n(A) two\nlines\n(B) blue", lettered("two\nlines", "blue")),
        ("Of (A) and (B)?\n(A) red\n(B) blue", lettered("red", "blue", stem="Of (A) and (B)?")),
        ("(A) red\n(B) both (A) and (C)", lettered("red", "both (A) and (C)", stem="")),
        ("P(A), P(B)? (A) 1 (B) 2", lettered("1", "2", stem="P(A), P(B)?")),
        ("The U.S. one?\nA) red\nB) blue", lettered("red", "blue", stem="The U.S. one?")),
        ("I. x\nII. y\nA. only I\nB. only II", lettered("only I", "only II", stem="I. x\nII. y")),
        (
            "(A) red (B) blue\n(C) green (D) black",
            lettered("red", "blue", "green", "black", stem=""),
        ),
        ("(A)\n(B) blue", lettered("", "blue", stem="")),
    ],
    ids=repr,
)
def test_letters_cut_one_text_into_question_and_choices(text: str, found: FoundChoices) -> None:
    assert find(INPUT, input=text) == found


@pytest.mark.parametrize(
    "text",
    [
        "Which?",
        "",
        "Which? (A) red",
        "Which? red (B) blue",
        "Which of (A) and (B)? (A) red (B) blue",
        "Which?\n(A) red\n(C) blue",
        "Which? (A) red (B) blue (D) green",
        "Which? (A)red(B)blue",
        "Which? (a) red (b) blue",
        "Which? (A) red (B) vitamin (B)",
    ],
)
def test_text_in_which_marks_are_missing_or_stand_twice_is_refused(text: str) -> None:
    expected = (
        "input: expected choices marked (A), (B), ... or A), B), ... in order, each mark once"
    )

    assert refusal(INPUT, input=text) == expected
    assert find_letters(text) == []


PLAIN = st.text(st.sampled_from("abc é∀.,0(\n "), max_size=12).map(str.strip)


@given(
    PLAIN,
    st.lists(PLAIN, min_size=2, max_size=26),
    st.sampled_from(["({}) ", "({})", "{}) ", "{}. ", "{}: "]),
    st.sampled_from(["\n", "\n\n", "\n  ", " "]),
)
def test_what_is_written_with_letters_is_read_back(
    stem: str, choices: list[str], mark: str, between: str
) -> None:
    marked = [mark.format(letter) + c for letter, c in zip(ascii_uppercase, choices, strict=False)]
    text = between.join([stem, *marked])

    assert find(INPUT, input=text) == lettered(*choices, stem=stem)


# The right answer and the wrong ones


@pytest.mark.parametrize(
    ("best", "worse", "worst", "texts"),
    [
        ("red", "blue", "green", ("red", "blue", "green")),
        ("red; pink", "blue; green ", "; black", ("red; pink", "blue", "green", "black")),
        ("red", "blue;green", "", ("red", "blue;green")),
    ],
)
def test_the_right_answer_comes_first_and_the_wrong_ones_are_split(
    best: str, worse: str, worst: str, texts: tuple[str, ...]
) -> None:
    found = find(BEST, best=best, worse=worse, worst=worst)

    assert found == FoundChoices(texts=texts, labels=letters(len(texts)), right=(0,))


def test_wrong_answers_without_separator_are_whole_cells() -> None:
    form = RightAndWrong(right="best", wrong=("worse",))

    assert find(form, best="red", worse="blue; green").texts == ("red", "blue; green")


def test_a_missing_answer_is_refused() -> None:
    assert refusal(BEST, worse="blue", worst="") == "best: expected text"
    assert refusal(BEST, best="red", worse="blue") == "worst: expected text"


# Cells


@pytest.mark.parametrize(
    ("value", "text"),
    [("a", "a"), (" a\n", "a"), ("", ""), (0, "0"), (-7, "-7"), ("007", "007"), ("é∀", "é∀")],
)
def test_texts_and_whole_numbers_are_text(value: object, text: str) -> None:
    assert text_of("A", value) == text


@pytest.mark.parametrize("value", [None, True, False, 0.5, float("nan"), [], {}], ids=str)
def test_nothing_else_is_text(value: object) -> None:
    with pytest.raises(FieldError, match="expected text"):
        text_of("A", value)


def test_half_of_a_surrogate_pair_is_refused_before_it_breaks_a_request() -> None:
    with pytest.raises(FieldError, match=r"half of a surrogate pair; repair the escape"):
        text_of("A", "x\ud800")


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_value_is_texts_or_a_field_error(value: object) -> None:
    try:
        texts = text_list("A", value)
    except FieldError as error:
        assert error.remedy.startswith("expected")
    else:
        assert isinstance(value, list)
        assert len(texts) == len(value)
