"""Question, choices and answer among the columns of a log's records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import BenchmarkError, LogError
from evalkit.importers.entries import Entry
from evalkit.importers.logged import SCORED, LogColumns, as_utf8, make_question
from evalkit.importers.targets import find_targets, split_answers
from evalkit.loaders.choices import ChoiceForm, FieldError, SeparateColumns, is_empty
from evalkit.loaders.fields import (
    AnswerForm,
    FieldMap,
    build_stem,
    check_choices,
    find_right,
)
from evalkit.loaders.guess import (
    ANSWERS,
    GROUPS,
    PASSAGES,
    STEMS,
    guess_answer_form,
    guess_choices,
    has_values,
    pick,
    simplify,
    simplify_names,
)
from evalkit.loaders.records import Record, shorten
from evalkit.questions import Question

LOOKED_AT = 200
"""Records by which it is found out what their columns mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the columns of some records mean."""

    stem: tuple[str, ...]
    """Empty: there is no text, and the record's own id stands for it."""
    choices: ChoiceForm | None
    """None: there are none, so that nothing but a score can tell."""
    answer: str | None
    """None: the right choice is not among the columns."""
    fields: FieldMap | None
    """How questions are read; None: there are no choices, or no text."""
    group: str | None


def find_layout(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    given: LogColumns,
    *,
    taken: Sequence[str] = (),
    answer_is_needed: bool = True,
) -> Layout:
    """Find out what columns mean, from some records and from what the user says.

    Args:
        path: the log, for errors.
        rows: some of its records, at least one.
        given: what the user says.
        taken: columns that mean something else.
        answer_is_needed: False: the log names the right choice elsewhere too.

    Raises:
        LogError: a column that the user names is not there, or the answers can be read in two ways.
    """
    records = [Record(number, as_cells(row)) for number, row in enumerate(rows, 1)]
    check_given(path, records, given)
    names = {simple: name for simple, name in simplify_names(records).items() if name not in taken}
    filled = {simple: name for simple, name in names.items() if has_values(records, name)}
    choices = find_choices(records, given, names)
    stem = given.stem
    if not stem:
        found = pick(filled, STEMS)
        others = {simple: name for simple, name in filled.items() if name != found}
        passage = pick(others, PASSAGES) if choices is not None else None
        stem = tuple(filter(None, (passage, found)))
    answer = given.answer or pick(filled, ANSWERS)
    group = given.group or pick(filled, GROUPS)
    if choices is None or not stem:
        return Layout(stem=stem, choices=choices, answer=answer, fields=None, group=group)
    form = given.answer_is or "letter"
    if answer is not None and given.answer_is is None:
        split = [split_answers(record, choices, answer) for record in records]
        try:
            form = guess_answer_form(path, split, choices, answer)
        except BenchmarkError as error:
            if not answer_is_needed:
                return layout_of(stem, choices, None, form, group)
            reason = error.reason.replace("write a definition with answer_is", "name --answer-is")
            raise LogError(reason, path=path) from error
    return layout_of(stem, choices, answer, form, group)


def layout_of(
    stem: tuple[str, ...],
    choices: ChoiceForm,
    answer: str | None,
    form: AnswerForm,
    group: str | None,
) -> Layout:
    """The columns of questions that have choices."""
    fields = FieldMap(stem=stem, choices=choices, answer=answer, answer_is=form)
    return Layout(stem=stem, choices=choices, answer=answer, fields=fields, group=group)


def as_cells(row: Mapping[str, Any]) -> dict[str, object]:
    """A record with its numbers as text where a question may hold them."""
    return {str(key): as_cell(value) for key, value in row.items()}


def as_cell(value: Any) -> object:
    """A value as the readers of question files take it: JSON's fractions are texts there."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return [as_cell(item) for item in value]
    if isinstance(value, dict):
        return as_cells(value)
    return value


def check_given(path: Path, records: Sequence[Record], given: LogColumns) -> None:
    """Refuse columns that no record has.

    Raises:
        LogError: naming one, and those that there are.
    """
    single = (given.answer, given.id, given.group, given.predicted, given.model, given.sample)
    for column in (*given.stem, *given.choices, *filter(None, single)):
        if all(record.get(column) is None for record in records):
            there = ", ".join(dict.fromkeys(name for record in records for name in record.values))
            raise LogError(f"no column {column!r}; there are {there or 'none'}", path=path)


def find_choices(
    records: list[Record], given: LogColumns, names: Mapping[str, str]
) -> ChoiceForm | None:
    """How the choices are held: those named, or those found; None: there are none."""
    if len(given.choices) > 1:
        return SeparateColumns(columns=given.choices)
    if given.choices:
        [column] = given.choices
        dotted = [Record(record.line, {"choices": record.get(column)}) for record in records]
        found = guess_choices({"choices": "choices"}, dotted)
        return None if found is None else guess_choices({"choices": column}, records)
    return guess_choices(names, records)


def read_question(
    entry: Entry,
    layout: Layout,
    *,
    name: str,
    target: object = None,
) -> Question:
    """The question of a record.

    Args:
        entry: the record.
        layout: what its columns mean.
        name: what the log calls the question, which stands for a text that is missing.
        target: the answer, where the columns do not have it.

    Raises:
        LogError: a field is missing or holds something that can't be right.
    """
    record = Record(0, as_cells(entry.values))
    group = read_group(record, layout.group)
    try:
        if layout.fields is None:
            stem = "\n\n".join(
                str(value) for column in layout.stem if not is_empty(value := record.get(column))
            )
            return make_question(clean(stem) or name, SCORED, (0,), group)
        found = layout.fields.choices.find(record)
        check_choices(layout.fields.choices, found)
        stem = build_stem(record, layout.fields, found)
        if layout.answer is None:
            right = find_targets(target, found.texts)
        else:
            split = split_answers(record, layout.fields.choices, layout.answer)
            right = find_right(split, layout.fields, found)
        return make_question(stem, found.texts, right, group)
    except FieldError as error:
        reason = f"{entry.keys}{error.field} = {shorten(error.value)}: {error.remedy}"
        raise LogError(reason, path=entry.path, place=entry.place) from error


def clean(text: str) -> str:
    """A text without white space around it, in characters that UTF-8 can write."""
    return as_utf8(text.strip())


def read_group(record: Record, column: str | None) -> str | None:
    """The subject of a record; None if there is none."""
    value = None if column is None else record.get(column)
    return clean(value)[:200] or None if isinstance(value, str) else None


def find_group(values: Mapping[str, Any], column: str | None) -> str | None:
    """The subject among other facts: the one named, or one by a usual name."""
    if column is None:
        names = {simplify(name): name for name in values if isinstance(name, str)}
        column = pick(names, GROUPS)
    return read_group(Record(0, values), column)
