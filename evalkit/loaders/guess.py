"""The columns of a file without a definition, by their usual names.

Nothing is guessed from a name alone where two readings are possible: the answers decide, and where
they don't, the user is asked for a definition.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_uppercase

from evalkit.errors import BenchmarkError
from evalkit.loaders.choices import (
    LEADING_LABEL,
    ChoiceForm,
    FieldError,
    FoundChoices,
    ListColumn,
    ParallelLists,
    SeparateColumns,
)
from evalkit.loaders.csv import read_first_rows
from evalkit.loaders.fields import AnswerForm, FieldMap
from evalkit.loaders.records import Record, shorten
from evalkit.loaders.source import Source, find_format, read_file

STEMS = ("question", "stem", "question_stem", "query", "problem", "input", "prompt", "text")
LISTS = ("choices", "options", "answers", "endings", "alternatives")
ANSWERS = (
    "answer", "correct", "answerkey", "answer_key", "correct_answer", "right", "gold", "target",
    "label", "correct_option", "correct_choice", "solution", "answer_index", "answer_idx", "cop",
)  # fmt: skip
GROUPS = ("subject", "category", "group", "topic", "domain", "field")
IDS = ("id", "question_id", "qid", "uid")
CLUSTERS = ("cluster", "passage_id", "context_id")
COLUMN_FAMILIES = ("{}", "option_{}", "option{}", "choice_{}", "choice{}", "op{}", "answer_{}")
"""Names of separate columns, with a letter or a number counted from 1 or 0 in the braces."""
ROWS_LOOKED_AT = 2000


@dataclass(frozen=True, slots=True)
class Guess:
    """How a file without definition is read, and why."""

    source: Source
    fields: FieldMap


def guess_fields(path: Path) -> Guess:
    """Find question, choices and answer among the columns of a file.

    Raises:
        BenchmarkError: a column is missing, or the answers could be read in two ways.
    """
    source = Source(files=(path.name,))
    if find_format(path) == "csv":
        source = replace(source, columns=guess_headless(path))
    rows = itertools.islice(read_file(path, source), ROWS_LOOKED_AT)
    records = [row for row in rows if isinstance(row, Record)]
    if not records:
        raise BenchmarkError("no row could be read", path=path)
    names = {str(name).strip().lower(): name for name in records[0].values}
    stem = pick(names, STEMS)
    choices = guess_choices(names, records)
    answer = pick(names, ANSWERS)
    if stem is None or choices is None or answer is None:
        raise BenchmarkError(missing_text(stem, choices, answer, names), path=path)
    fields = FieldMap(
        stem=(stem,),
        choices=choices,
        answer=answer,
        answer_is=guess_answer_form(path, records, choices, answer),
        id=pick_id(names, records),
        group=pick(names, GROUPS),
        cluster=pick(names, CLUSTERS),
        example="example" if "example" in names.values() else None,
    )
    return Guess(source, fields)


def missing_text(
    stem: str | None, choices: ChoiceForm | None, answer: str | None, names: dict[str, str]
) -> str:
    """Say which column was looked for in vain."""
    wanted = {"question": stem, "choices": choices, "answer": answer}
    missing = [name for name, found in wanted.items() if found is None]
    return (
        f"no column for {' or '.join(missing)} among {', '.join(names.values())}; "
        "rename the columns (question, A, B, C, D or choices, answer) or write a definition"
    )


def pick(names: dict[str, str], usual: Sequence[str]) -> str | None:
    """The first usual name that the file has, as the file spells it."""
    return next((names[name] for name in usual if name in names), None)


def pick_id(names: dict[str, str], records: list[Record]) -> str | None:
    """The id column, if it names each row differently; a row number repeated over files is none."""
    column = pick(names, IDS)
    if column is None:
        return None
    values = [record.get(column) for record in records]
    return column if all(isinstance(v, str | int) and v != "" for v in values) else None


def guess_headless(path: Path) -> tuple[str, ...]:
    """Names for the columns of a table that has no header: question, choices, answer letter.

    The first row is no header if its last cell is the letter of one of its own choices.
    """
    rows = read_first_rows(path, 50)
    width = len(rows[0]) if rows else 0
    last = ascii_uppercase[: max(width - 2, 0)]
    if width < 4 or not all(len(row) == width and row[-1].strip() in tuple(last) for row in rows):
        return ()
    return ("question", *last, "answer")


def guess_choices(names: dict[str, str], records: list[Record]) -> ChoiceForm | None:
    """One column with a list, two lists side by side, or a column for each choice."""
    column = pick(names, LISTS)
    first = None if column is None else records[0].get(column)
    if column is not None and isinstance(first, list):
        return ListColumn(column=column, labelled=all(is_labelled(r.get(column)) for r in records))
    if column is not None and isinstance(first, dict) and {"text", "label"} <= set(first):
        return ParallelLists(texts=f"{column}.text", labels=f"{column}.label")
    return guess_columns(names)


def guess_columns(names: dict[str, str]) -> SeparateColumns | None:
    """The longest family of columns such as A, B, C, D or option_1, option_2, option_3."""
    found: list[tuple[str, ...]] = []
    for family in COLUMN_FAMILIES:
        for marks in (tuple(ascii_uppercase.lower()), range(1, 27), range(26)):
            columns = itertools.takewhile(names.__contains__, (family.format(m) for m in marks))
            found.append(tuple(names[column] for column in columns))
    longest = max(found, key=len)
    return SeparateColumns(columns=longest) if len(longest) > 1 else None


def is_labelled(choices: object) -> bool:
    """Whether each choice of a list begins with its own letter."""
    if not isinstance(choices, list) or not choices:
        return False
    matches = [LEADING_LABEL.match(str(choice)) for choice in choices]
    labels = [match[1].upper() if match else "" for match in matches]
    return labels == list(ascii_uppercase[: len(labels)])


def guess_answer_form(
    path: Path, records: list[Record], form: ChoiceForm, answer: str
) -> AnswerForm:
    """Choose the form that most answers have; rows that have another are reported on loading.

    Raises:
        BenchmarkError: half of the answers fit no form, or two forms fit equally well, such as
            positions counted from 0 and from 1.
    """
    pairs = [(found, str(value).strip()) for found, value in answered(records, form, answer)]
    fits: dict[AnswerForm, int] = {
        "letter": sum(is_label(text, found) for found, text in pairs),
        "text": sum(text in found.texts for found, text in pairs),
        "index0": sum(is_position(text, 0, found) for found, text in pairs),
        "index1": sum(is_position(text, 1, found) for found, text in pairs),
    }
    best = [name for name, count in fits.items() if count == max(fits.values())]
    if 2 * max(fits.values()) <= len(pairs):
        shown = shorten(pairs[0][1] if pairs else None)
        reason = f"{answer} = {shown}: most answers are neither letter, position nor choice"
        raise BenchmarkError(f"{reason}; write a definition with answer_is", path=path)
    if len(best) > 1 and best[0] != "letter":
        reason = f"{answer} could be read as {' or as '.join(best)}"
        raise BenchmarkError(f"{reason}; write a definition with answer_is", path=path)
    return best[0]


def answered(
    records: list[Record], form: ChoiceForm, answer: str
) -> list[tuple[FoundChoices, object]]:
    """Choices and answers of the rows that have both; the others are reported on loading."""
    pairs = []
    for record in records:
        values = record.get(answer)
        try:
            found = form.find(record)
        except FieldError:
            continue
        for value in values if isinstance(values, list) else [values]:
            if value is not None and value != "":
                pairs.append((found, value))
    return pairs


def is_label(text: str, found: FoundChoices) -> bool:
    """Whether a text is the letter or label of a choice."""
    return text.strip("()[]. ").upper() in {label.upper() for label in found.labels}


def is_position(text: str, first: int, found: FoundChoices) -> bool:
    """Whether a text is the position of a choice, counted from `first`."""
    return bool(re.fullmatch(r"\d{1,2}", text)) and 0 <= int(text) - first < len(found.texts)
