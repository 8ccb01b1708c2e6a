"""The [source] and [columns] tables of a definition, read into a source and a field map."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from evalkit.loaders.choices import (
    ChoiceForm,
    LetteredText,
    ListColumn,
    ParallelLists,
    RightAndWrong,
    SeparateColumns,
)
from evalkit.loaders.fields import AnswerForm, FieldMap
from evalkit.loaders.source import FileFormat, Source

Table = Mapping[str, Any]

CHOICE_FORMS = (
    'choices = "options"',
    'choices = ["A", "B", "C", "D"]',
    'choices = { list = "options", labelled = true }',
    'choices = { texts = "choices.text", labels = "choices.label" }',
    'choices = { lettered = "input" }',
    'choices = { right = "best", wrong = ["worse"], separator = "; " }',
)


class DefinitionError(ValueError):
    """A table has a key or a value that can't be used; the text says which and what would do."""


def parse_source(table: Table) -> Source:
    """Read the [source] table.

    Raises:
        DefinitionError: an unknown key, or a value of the wrong kind.
    """
    check_keys("source", table, Source.__dataclass_fields__)
    texts = ("files", "examples", "columns")
    values: dict[str, Any] = {key: read_texts("source", table, key) for key in texts}
    for key in ("folder", "delimiter", "records", "group_from_file"):
        values[key] = read_text("source", table, key)
    values["format"] = read_one_of("source", table, "format", get_args(FileFormat))
    if not values["files"]:
        raise DefinitionError('source.files is missing; for example files = ["questions.csv"]')
    pattern = values["group_from_file"]
    if pattern is not None and count_groups(pattern) != 1:
        raise DefinitionError(f"source.group_from_file = {pattern!r}: needs one pair of brackets")
    return Source(**values)


def count_groups(pattern: str) -> int:
    """How many groups a regular expression has.

    Raises:
        DefinitionError: it is no regular expression.
    """
    try:
        return re.compile(pattern).groups
    except re.error as error:
        raise DefinitionError(f"source.group_from_file = {pattern!r}: {error}") from error


def parse_fields(table: Table) -> FieldMap:
    """Read the [columns] table.

    Raises:
        DefinitionError: an unknown key, a value of the wrong kind, or no way to tell the answer.
    """
    check_keys("columns", table, FieldMap.__dataclass_fields__)
    values: dict[str, Any] = {
        key: read_texts("columns", table, key) for key in ("stem", "metadata")
    }
    for key in ("answer", "id", "group", "cluster", "example"):
        values[key] = read_text("columns", table, key)
    form = parse_choice_form(table.get("choices"))
    values["answer_is"] = (
        read_one_of("columns", table, "answer_is", get_args(AnswerForm)) or "letter"
    )
    values["shuffle_seed"] = read_number("columns", table, "shuffle_seed")
    if not values["stem"]:
        raise DefinitionError('columns.stem is missing; for example stem = "question"')
    if values["answer"] is None and not isinstance(form, RightAndWrong):
        raise DefinitionError('columns.answer is missing; for example answer = "answer"')
    if isinstance(form, RightAndWrong) and values["shuffle_seed"] is None:
        raise DefinitionError("columns.shuffle_seed is missing: the right choice would come first")
    return FieldMap(choices=form, **values)


def parse_choice_form(value: Any) -> ChoiceForm:
    """Read `choices` in one of its forms.

    Raises:
        DefinitionError: it has none of them.
    """
    match value:
        case str():
            return ListColumn(column=value)
        case [_, *_]:
            return SeparateColumns(columns=read_texts("columns", {"choices": value}, "choices"))
        case {"list": str(column), **rest} if set(rest) <= {"labelled"}:
            return ListColumn(column=column, labelled=rest.get("labelled") is True)
        case {"texts": str(texts), "labels": str(labels), **rest} if not rest:
            return ParallelLists(texts=texts, labels=labels)
        case {"lettered": str(column), **rest} if not rest:
            return LetteredText(column=column)
        case {"right": str(right), "wrong": [_, *_] as wrong, **rest} if set(rest) <= {"separator"}:
            return RightAndWrong(
                right=right,
                wrong=tuple(map(str, wrong)),
                separator=read_text("columns.choices", value, "separator"),
            )
    forms = "\n  ".join(CHOICE_FORMS)
    raise DefinitionError(f"columns.choices = {value!r}: expected one of\n  {forms}")


def check_keys(name: str, table: Table, known: Mapping[str, object]) -> None:
    """Refuse a key that means nothing, which is most often a slip of the pen."""
    for key in table:
        if key not in known:
            raise DefinitionError(f"{name} has no key {key!r}; there are {', '.join(known)}")


def read_text(name: str, table: Table, key: str) -> str | None:
    """A text or nothing."""
    value = table.get(key)
    if value is None or isinstance(value, str):
        return value
    raise DefinitionError(f"{name}.{key} = {value!r}: expected a text")


def read_texts(name: str, table: Table, key: str) -> tuple[str, ...]:
    """A list of texts; a single text counts as a list of one."""
    value = table.get(key, [])
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        return tuple(texts)
    raise DefinitionError(f"{name}.{key} = {value!r}: expected a list of texts")


def read_number(name: str, table: Table, key: str) -> int | None:
    """A whole number or nothing."""
    value = table.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise DefinitionError(f"{name}.{key} = {value!r}: expected a whole number")


def read_one_of(name: str, table: Table, key: str, allowed: tuple[str, ...]) -> str | None:
    """One of a few words, or nothing."""
    value = read_text(name, table, key)
    if value is None or value in allowed:
        return value
    raise DefinitionError(f"{name}.{key} = {value!r}: expected one of {', '.join(allowed)}")
