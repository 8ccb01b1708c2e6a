"""The [source] and [columns] tables of a definition, read into a source and a field map."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, get_args

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
from evalkit.loaders.fields import AnswerForm, FieldMap
from evalkit.loaders.filters import RowFilter
from evalkit.loaders.hub_layout import HubSet
from evalkit.loaders.records import shorten
from evalkit.loaders.source import FileFormat, Source

Table = Mapping[str, Any]

HUB_KEYS = ("revision", "config", "configs", "split", "example_split", "paths")
"""Keys of [source] beside `hub`."""

CHOICE_FORMS = (
    'choices = "options"',
    'choices = ["A", "B", "C", "D"]',
    'choices = { list = "options", labelled = true }',
    'choices = { list = "options", literal = true }',
    'choices = { texts = "choices.text", labels = "choices.label" }',
    'choices = { keyed = "options" }',
    'choices = { items = "options", text = "text", label = "label" }',
    'choices = { fixed = ["no", "yes"] }',
    'choices = { lettered = "input" }',
    'choices = { right = "best", wrong = ["worse"], separator = "; ", several = true }',
)


class DefinitionError(ValueError):
    """A table has a key or a value that can't be used; the text says which and what would do."""


def parse_source(table: Table) -> Source:
    """Read the [source] table.

    Raises:
        DefinitionError: an unknown key, or a value of the wrong kind.
    """
    check_keys("source", table, {**Source.__dataclass_fields__, **dict.fromkeys(HUB_KEYS)})
    texts = ("files", "examples", "columns")
    values: dict[str, Any] = {key: read_texts("source", table, key) for key in texts}
    for key in ("folder", "image_folder", "delimiter", "records", "group_from_file"):
        values[key] = read_text("source", table, key)
    values["splits"] = read_splits(table)
    values["format"] = read_one_of("source", table, "format", get_args(FileFormat))
    values["hub"] = parse_hub(table)
    values["sha256"] = parse_digests(table)
    if not values["files"] and values["hub"] is None:
        raise DefinitionError('source.files is missing; for example files = ["questions.csv"]')
    pattern = values["group_from_file"]
    if pattern is not None and count_groups(pattern) != 1:
        raise DefinitionError(
            f"source.group_from_file = {shorten(pattern)}: needs one pair of brackets"
        )
    delimiter = values["delimiter"]
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise DefinitionError(f"source.delimiter = {delimiter!r}: expected one character")
    check_different("source.columns", values["columns"])
    if PurePath(values["image_folder"] or "").is_absolute():
        raise DefinitionError(
            f"source.image_folder = {shorten(values['image_folder'])}: expected a path from the "
            "question file's folder"
        )
    return Source(**values)


def parse_hub(table: Table) -> HubSet | None:
    """Read the keys that say which part of which repository of the hub a set is.

    Raises:
        DefinitionError: one of them can't be used, or stands there without `hub`.
    """
    repository = read_text("source", table, "hub")
    if repository is None:
        stray = next((key for key in HUB_KEYS if key in table), None)
        if stray is not None:
            raise DefinitionError(f"source.{stray} needs source.hub, such as hub = 'owner/name'")
        return None
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repository, re.ASCII):
        raise DefinitionError(f"source.hub = {shorten(repository)}: expected owner/name")
    configs = read_texts("source", table, "configs")
    if "config" in table:
        if configs:
            raise DefinitionError("source.config is one too many: there is source.configs")
        configs = (read_text("source", table, "config") or "",)
    check_different("source.configs", configs)
    if len(configs) > 1 and "*" in configs:
        raise DefinitionError('source.configs = "*" stands for all: name no others')
    return HubSet(
        repository=repository,
        revision=read_text("source", table, "revision") or "main",
        configs=configs,
        split=read_text("source", table, "split") or "test",
        example_split=read_text("source", table, "example_split"),
        paths=read_texts("source", table, "paths"),
    )


def parse_digests(table: Table) -> dict[str, str]:
    """Read `sha256`, the digests of files by name.

    Raises:
        DefinitionError: it is no table of digests.
    """
    digests = table.get("sha256", {})
    if not isinstance(digests, dict):
        raise DefinitionError(f"source.sha256 = {shorten(digests)}: expected a table of files")
    for name, digest in digests.items():
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise DefinitionError(
                f"source.sha256: {name} = {shorten(digest)}: expected 64 digits, 0 to 9 and a to f"
            )
    return digests


def parse_filters(table: Table) -> tuple[RowFilter, ...]:
    """Read `where`, one condition or a list of them.

    Raises:
        DefinitionError: a condition can't be used.
    """
    value = table.get("where", [])
    return tuple(map(parse_filter, value if isinstance(value, list) else [value]))


def parse_filter(value: Any) -> RowFilter:
    """Read one condition.

    Raises:
        DefinitionError: it can't be used.
    """
    match value:
        case {"column": str(column), "filled": bool(filled), **rest} if not rest:
            return RowFilter(column=column, filled=filled)
        case {"column": str(column), "is": str() | list(), **rest} if not rest:
            return RowFilter(column=column, allowed=read_texts("columns.where", value, "is"))
        case {"column": str(column), "is_not": str() | list(), **rest} if not rest:
            return RowFilter(column=column, refused=read_texts("columns.where", value, "is_not"))
    raise DefinitionError(
        f"columns.where = {shorten(value)}: expected one of\n"
        '  where = { column = "type", is = ["choice"] }\n'
        '  where = { column = "type", is_not = ["open"] }\n'
        '  where = { column = "image", filled = true }'
    )


def read_splits(table: Table) -> dict[str, tuple[str, ...]]:
    """The files of each split.

    Raises:
        DefinitionError: it is no table, or a split has no files.
    """
    splits = table.get("splits", {})
    if not isinstance(splits, dict):
        raise DefinitionError("source.splits: expected a table, [source.splits]")
    found = {name: read_texts("source.splits", splits, name) for name in splits}
    for name, files in found.items():
        if not files:
            raise DefinitionError(f"source.splits.{name}: expected files")
    return found


def count_groups(pattern: str) -> int:
    """How many groups a regular expression has.

    Raises:
        DefinitionError: it is no regular expression.
    """
    try:
        return re.compile(pattern).groups
    except (re.error, OverflowError, RecursionError) as error:
        raise DefinitionError(f"source.group_from_file = {shorten(pattern)}: {error}") from error


def parse_fields(table: Table) -> FieldMap:
    """Read the [columns] table.

    Raises:
        DefinitionError: an unknown key, a value of the wrong kind, or no way to tell the answer.
    """
    check_keys("columns", table, {**FieldMap.__dataclass_fields__, "choice_images": None})
    values: dict[str, Any] = {
        key: read_texts("columns", table, key) for key in ("stem", "cluster", "metadata", "images")
    }
    for key in ("answer", "id", "group", "example", "history"):
        values[key] = read_text("columns", table, key)
    check_different("columns.images", values["images"])
    form = parse_choices(table)
    values["answer_is"] = (
        read_one_of("columns", table, "answer_is", get_args(AnswerForm)) or "letter"
    )
    values["shuffle_seed"] = read_number("columns", table, "shuffle_seed")
    values["where"] = parse_filters(table)
    if not values["stem"]:
        raise DefinitionError('columns.stem is missing; for example stem = "question"')
    if values["answer"] is None and not isinstance(form, RightAndWrong):
        raise DefinitionError('columns.answer is missing; for example answer = "answer"')
    if values["answer"] is not None and isinstance(form, RightAndWrong):
        raise DefinitionError("columns.answer is one too many: columns.choices says what is right")
    if isinstance(form, RightAndWrong) and values["shuffle_seed"] is None:
        raise DefinitionError("columns.shuffle_seed is missing: the right choice would come first")
    return FieldMap(choices=form, **values)


def parse_choices(table: Table) -> ChoiceForm:
    """Read `choices`, or `choice_images` where the choices are pictures.

    Raises:
        DefinitionError: there are both, or neither can be used.
    """
    columns = read_texts("columns", table, "choice_images")
    if not columns:
        return parse_choice_form(table.get("choices"))
    if "choices" in table:
        raise DefinitionError(
            "columns.choices is one too many: columns.choice_images holds the choices. Choices "
            "that are texts with marks such as <image 2> need columns.images instead"
        )
    check_different("columns.choice_images", columns)
    return PictureChoices(columns=columns)


def parse_choice_form(value: Any) -> ChoiceForm:
    """Read `choices` in one of its forms.

    Raises:
        DefinitionError: it has none of them.
    """
    match value:
        case str():
            return ListColumn(column=value)
        case [_, _, *_]:
            columns = read_texts("columns", {"choices": value}, "choices")
            check_different("columns.choices", columns)
            return SeparateColumns(columns=columns)
        case {"list": str(column), **rest} if not rest:
            return ListColumn(column=column)
        case {"list": str(column), "labelled": bool(labelled), **rest} if not rest:
            return ListColumn(column=column, labelled=labelled)
        case {"list": str(column), "literal": bool(literal), **rest} if not rest:
            return ListColumn(column=column, literal=literal)
        case {"texts": str(texts), "labels": str(labels), **rest} if not rest:
            return ParallelLists(texts=texts, labels=labels)
        case {"keyed": str(column), **rest} if not rest:
            return KeyedChoices(column=column)
        case {"items": str(column), "text": str(text), "label": str(label), **rest} if not rest:
            return ItemList(column=column, text=text, label=label)
        case {"fixed": [_, _, *_], **rest} if not rest:
            return FixedChoices(texts=read_texts("columns.choices", value, "fixed"))
        case {"lettered": str(column), **rest} if not rest:
            return LetteredText(column=column)
        case {
            "right": str(right),
            "wrong": [_, *_],
            "separator": str(separator),
            "several": bool(several),
            **rest,
        } if not rest:
            wrong = read_texts("columns.choices", value, "wrong")
            return RightAndWrong(right=right, wrong=wrong, separator=separator, several=several)
        case {"right": str(right), "wrong": [_, *_], **rest} if set(rest) <= {"separator"}:
            return RightAndWrong(
                right=right,
                wrong=read_texts("columns.choices", value, "wrong"),
                separator=read_text("columns.choices", value, "separator"),
            )
    forms = "\n  ".join(CHOICE_FORMS)
    raise DefinitionError(f"columns.choices = {shorten(value)}: expected one of\n  {forms}")


def check_keys(name: str, table: Table, known: Mapping[str, object]) -> None:
    """Refuse a key that means nothing, which is most often a slip of the pen."""
    for key in table:
        if key not in known:
            raise DefinitionError(f"{name} has no key {key!r}; there are {', '.join(known)}")


def check_different(name: str, texts: tuple[str, ...]) -> None:
    """Refuse a list that names one column twice."""
    for text in texts:
        if texts.count(text) > 1:
            raise DefinitionError(f"{name} names {text!r} more than once")


def read_text(name: str, table: Table, key: str) -> str | None:
    """A text or nothing."""
    value = table.get(key)
    if value is None or isinstance(value, str):
        return value
    raise DefinitionError(f"{name}.{key} = {shorten(value)}: expected a text")


def read_texts(name: str, table: Table, key: str) -> tuple[str, ...]:
    """A list of texts; a single text counts as a list of one."""
    value = table.get(key, [])
    texts = [value] if isinstance(value, str) else value
    if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
        return tuple(texts)
    raise DefinitionError(f"{name}.{key} = {shorten(value)}: expected a list of texts")


def read_number(name: str, table: Table, key: str, *, least: int | None = None) -> int | None:
    """A whole number or nothing."""
    value = table.get(key)
    if value is None:
        return None
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if is_number and (least is None or value >= least):
        return int(value)
    expected = "a whole number" if least is None else f"a whole number, at least {least}"
    raise DefinitionError(f"{name}.{key} = {shorten(value)}: expected {expected}")


def read_one_of(name: str, table: Table, key: str, allowed: tuple[str, ...]) -> str | None:
    """One of a few words, or nothing."""
    value = read_text(name, table, key)
    if value is None or value in allowed:
        return value
    raise DefinitionError(f"{name}.{key} = {shorten(value)}: expected one of {', '.join(allowed)}")
