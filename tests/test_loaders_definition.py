"""Tables of a definition are read key by key; what can't be used is named with what would do."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from evalkit.loaders.definition import (
    CHOICE_FORMS,
    DefinitionError,
    parse_choice_form,
    parse_fields,
    parse_source,
)
from evalkit.loaders.fields import FieldMap
from evalkit.loaders.hub_layout import HubSet
from evalkit.loaders.source import Source

FILES = {"files": ["q.csv"]}
COLUMNS = {"stem": "question", "choices": "options", "answer": "answer"}
BEST = {"right": "best", "wrong": ["worse"]}


def test_a_source_needs_files_alone() -> None:
    assert parse_source({"files": "q.csv"}) == parse_source(FILES) == Source(files=("q.csv",))


def test_every_key_of_a_source_is_read() -> None:
    table = tomllib.loads(
        """
        files = ["test/*.csv", "more/*.csv"]
        examples = "dev/*.csv"
        folder = "sets"
        image_folder = "../pictures"
        format = "csv"
        columns = ["question", "A", "B"]
        delimiter = "|"
        records = "examples"
        group_from_file = "(.+)_test"
        """
    )

    assert parse_source(table) == Source(
        files=("test/*.csv", "more/*.csv"),
        examples=("dev/*.csv",),
        folder="sets",
        image_folder="../pictures",
        format="csv",
        columns=("question", "A", "B"),
        delimiter="|",
        records="examples",
        group_from_file="(.+)_test",
    )


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({}, 'source.files is missing; for example files = ["questions.csv"]'),
        ({"files": []}, "source.files is missing"),
        ({"files": 3}, "source.files = 3: expected a list of texts"),
        ({"files": ["a", 3]}, "source.files = ['a', 3]: expected a list of texts"),
        (FILES | {"file": "q.csv"}, "source has no key 'file'; there are files, examples, folder,"),
        (FILES | {"folder": ["x"]}, "source.folder = ['x']: expected a text"),
        (FILES | {"image_folder": 1}, "source.image_folder = 1: expected a text"),
        (
            FILES | {"image_folder": "/pictures"},
            "source.image_folder = '/pictures': expected a path from the question file's folder",
        ),
        (FILES | {"format": "xml"}, "source.format = 'xml': expected one of csv, jsonl, json"),
        (FILES | {"format": 1}, "source.format = 1: expected a text"),
        (FILES | {"columns": ["a", "b", "a"]}, "source.columns names 'a' more than once"),
        (FILES | {"delimiter": ""}, "source.delimiter = '': expected one character"),
        (FILES | {"delimiter": "; "}, "source.delimiter = '; ': expected one character"),
        (FILES | {"delimiter": "\n"}, r"source.delimiter = '\n': expected one character"),
        (FILES | {"delimiter": '"'}, "source.delimiter = '\"': expected one character"),
        (FILES | {"group_from_file": ".+_test"}, "'.+_test': needs one pair of brackets"),
        (FILES | {"group_from_file": "(a)(b)"}, "'(a)(b)': needs one pair of brackets"),
        (FILES | {"group_from_file": "(.+"}, "'(.+': missing ), unterminated subpattern"),
        (FILES | {"group_from_file": "(a{99999999999})"}, "the repetition number is too large"),
        (FILES | {"group_from_file": "(" * 9999 + ")" * 9999}, "((...: "),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_source_that_cannot_be_used_is_refused(table: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_source(table)

    assert complaint in str(caught.value)


def test_every_key_of_a_set_on_the_hub_is_read() -> None:
    table = tomllib.loads(
        """
        hub = "owner/name"
        revision = "0123abcd"
        configs = ["law", "art"]
        split = "validation"
        example_split = "dev"
        paths = ["{config}/{split}.csv"]
        """
    )

    assert parse_source(table).hub == HubSet(
        repository="owner/name",
        revision="0123abcd",
        configs=("law", "art"),
        split="validation",
        example_split="dev",
        paths=("{config}/{split}.csv",),
    )
    assert parse_source({"hub": "a/b", "config": "law"}).hub == HubSet(
        repository="a/b", configs=("law",)
    )
    assert parse_source({"hub": "a/b", "configs": "*"}).hub == HubSet(
        repository="a/b", configs=("*",)
    )


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (FILES | {"split": "test"}, "source.split needs source.hub"),
        ({"hub": "mmlu"}, "source.hub = 'mmlu': expected owner/name"),
        ({"hub": "a/b/c"}, "source.hub = 'a/b/c': expected owner/name"),
        ({"hub": "a/b", "config": "x", "configs": ["y"]}, "source.config is one too many"),
        ({"hub": "a/b", "configs": ["x", "x"]}, "source.configs names 'x' more than once"),
        ({"hub": "a/b", "configs": ["*", "x"]}, "stands for all: name no others"),
        ({"hub": "a/b", "revision": 1}, "source.revision = 1: expected a text"),
        ({"hub": "a/b", "sha256": "abc"}, "source.sha256 = 'abc': expected a table of files"),
        ({"hub": "a/b", "sha256": {"q": "abc"}}, "q = 'abc': expected 64 digits"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_set_on_the_hub_that_cannot_be_told_is_refused(
    table: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_source(table)

    assert complaint in str(caught.value)


def test_columns_need_stem_choices_and_answer_alone() -> None:
    assert parse_fields(COLUMNS) == FieldMap(
        stem=("question",), choices=ListColumn(column="options"), answer="answer"
    )


def test_every_key_of_the_columns_is_read() -> None:
    table = tomllib.loads(
        """
        stem = ["passage", "question"]
        choices = { list = "options", labelled = true }
        answer = "label"
        answer_is = "index1"
        id = "id"
        group = "subject"
        cluster = "passage"
        example = "is_example"
        images = ["image_1", "image_2"]
        metadata = ["source", "year"]
        shuffle_seed = 7
        """
    )

    assert parse_fields(table) == FieldMap(
        stem=("passage", "question"),
        choices=ListColumn(column="options", labelled=True),
        answer="label",
        answer_is="index1",
        id="id",
        group="subject",
        cluster=("passage",),
        example="is_example",
        images=("image_1", "image_2"),
        metadata=("source", "year"),
        shuffle_seed=7,
    )


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('"options"', ListColumn(column="options")),
        ('["A", "B", "C"]', SeparateColumns(columns=("A", "B", "C"))),
        ('{ list = "options" }', ListColumn(column="options")),
        ('{ list = "options", labelled = false }', ListColumn(column="options")),
        ('{ list = "options", labelled = true }', ListColumn(column="options", labelled=True)),
        (
            '{ texts = "c.text", labels = "c.label" }',
            ParallelLists(texts="c.text", labels="c.label"),
        ),
        ('{ list = "options", literal = true }', ListColumn(column="options", literal=True)),
        ('{ keyed = "options" }', KeyedChoices(column="options")),
        (
            '{ items = "q.choices", text = "text", label = "key" }',
            ItemList(column="q.choices", text="text", label="key"),
        ),
        ('{ fixed = ["no", "yes"] }', FixedChoices(texts=("no", "yes"))),
        ('{ lettered = "input" }', LetteredText(column="input")),
        ('{ right = "best", wrong = ["worse"] }', RightAndWrong(right="best", wrong=("worse",))),
        (
            '{ right = "best", wrong = ["a", "b"], separator = "; " }',
            RightAndWrong(right="best", wrong=("a", "b"), separator="; "),
        ),
    ],
)
def test_choices_are_declared_in_one_of_several_forms(text: str, form: ChoiceForm) -> None:
    assert parse_choice_form(tomllib.loads(f"choices = {text}")["choices"]) == form


@pytest.mark.parametrize(
    ("text", "columns"),
    [('"pictures"', ("pictures",)), ('["picture_a", "picture_b"]', ("picture_a", "picture_b"))],
)
def test_choices_may_be_pictures(text: str, columns: tuple[str, ...]) -> None:
    table = tomllib.loads(f'stem = "q"\nanswer = "a"\nchoice_images = {text}')

    assert parse_fields(table).choices == PictureChoices(columns=columns)


def test_a_single_column_of_pictures_needs_no_list() -> None:
    assert parse_fields(COLUMNS | {"images": "image"}).images == ("image",)


@pytest.mark.parametrize("example", CHOICE_FORMS)
def test_every_form_that_the_error_names_is_one(example: str) -> None:
    assert parse_choice_form(tomllib.loads(example)["choices"])


@pytest.mark.parametrize(
    "value",
    [
        None,
        3,
        [],
        ["A"],
        {},
        {"list": 3},
        {"list": "options", "labelled": "yes"},
        {"list": "options", "lettered": "options"},
        {"list": "options", "literal": 1},
        {"fixed": ["yes"]},
        {"fixed": "yes"},
        {"items": "choices", "text": "text"},
        {"keyed": ["options"]},
        {"texts": "c.text"},
        {"texts": "c.text", "labels": "c.label", "answer": "x"},
        {"lettered": "input", "separator": ";"},
        {"right": "best"},
        {"right": "best", "wrong": []},
        {"right": "best", "wrong": "worse"},
        {"right": "best", "wrong": ["worse"], "seed": 1},
    ],
    ids=str,
)
def test_choices_in_another_form_are_refused_with_all_forms(value: object) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_choice_form(value)

    forms = "\n  ".join(CHOICE_FORMS)
    assert str(caught.value) == f"columns.choices = {value_text(value)}: expected one of\n  {forms}"


def value_text(value: object) -> str:
    text = "missing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"stem": None}, 'columns.stem is missing; for example stem = "question"'),
        ({"stem": []}, "columns.stem is missing"),
        ({"stem": [1]}, "columns.stem = [1]: expected a list of texts"),
        ({"answer": None}, 'columns.answer is missing; for example answer = "answer"'),
        ({"answer": ["a"]}, "columns.answer = ['a']: expected a text"),
        ({"answer_is": "number"}, "'number': expected one of letter, index0, index1, text, flags"),
        (
            {"answers": "a"},
            "columns has no key 'answers'; there are stem, choices, answer, answer_",
        ),
        ({"choices": ["A", 2]}, "columns.choices = ['A', 2]: expected a list of texts"),
        ({"choices": ["A", "B", "A"]}, "columns.choices names 'A' more than once"),
        (
            {"choices": BEST | {"wrong": [1]}},
            "columns.choices.wrong = [1]: expected a list of texts",
        ),
        ({"choices": BEST | {"separator": 1}}, "columns.choices.separator = 1: expected a text"),
        ({"choices": BEST}, "columns.answer is one too many: columns.choices says what is right"),
        (
            {"choices": BEST, "answer": None},
            "columns.shuffle_seed is missing: the right choice wou",
        ),
        ({"shuffle_seed": "0"}, "columns.shuffle_seed = '0': expected a whole number"),
        ({"shuffle_seed": True}, "columns.shuffle_seed = True: expected a whole number"),
        ({"shuffle_seed": 1.0}, "columns.shuffle_seed = 1.0: expected a whole number"),
        ({"id": 3}, "columns.id = 3: expected a text"),
        ({"images": 3}, "columns.images = 3: expected a list of texts"),
        ({"images": ["a", "b", "a"]}, "columns.images names 'a' more than once"),
        ({"choice_images": ["a", "b"]}, "columns.choices is one too many: columns.choice_images "),
        (
            {"choice_images": ["a", "a"], "choices": None},
            "columns.choice_images names 'a' more than once",
        ),
        ({"choice_images": {"a": 1}}, "columns.choice_images = {'a': 1}: expected a list of texts"),
        ({"choice_images": [], "choices": None}, "columns.choices = missing: expected one of"),
        ({"metadata": {"a": 1}}, "columns.metadata = {'a': 1}: expected a list of texts"),
    ],
    ids=str,
)
def test_columns_that_cannot_be_used_are_refused(changes: dict[str, Any], complaint: str) -> None:
    table = {key: value for key, value in (COLUMNS | changes).items() if value is not None}

    with pytest.raises(DefinitionError) as caught:
        parse_fields(table)

    assert complaint in str(caught.value)


def test_choices_that_say_what_is_right_need_a_seed_and_no_answer() -> None:
    fields = parse_fields({"stem": "question", "choices": BEST, "shuffle_seed": 0})

    assert (fields.answer, fields.shuffle_seed) == (None, 0)


# Any table at all

TOML_VALUES = st.recursive(
    st.booleans()
    | st.integers()
    | st.integers(10**4999, 10**5000)
    | st.floats()
    | st.text(max_size=5)
    | st.dates()
    | st.sampled_from(["csv", "letter", "(.+)", "[[", "(?i)x", "*(", "options", ";"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["list", "texts", "labels", "right", "wrong"]), inner)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*Source.__dataclass_fields__, "typo"]), TOML_VALUES))
@pytest.mark.filterwarnings("ignore:Possible (nested set|set):FutureWarning")
def test_any_source_table_is_a_source_or_a_definition_error(table: dict[str, Any]) -> None:
    try:
        source = parse_source(FILES | table)
    except DefinitionError as error:
        assert str(error)
    else:
        assert source.files
        assert source.group_from_file is None or re.compile(source.group_from_file).groups == 1


@given(
    st.dictionaries(
        st.sampled_from([*FieldMap.__dataclass_fields__, "choice_images", "typo"]), TOML_VALUES
    )
)
def test_any_columns_table_is_a_field_map_or_a_definition_error(table: dict[str, Any]) -> None:
    try:
        fields = parse_fields(COLUMNS | table)
    except DefinitionError as error:
        assert str(error)
    else:
        assert fields.stem
