"""Which column means what, and a row turned into a question by it."""

from __future__ import annotations

import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeGuard

from evalkit.errors import QuestionSetError, RowProblem
from evalkit.images import Image
from evalkit.loaders.choices import (
    ChoiceForm,
    FieldError,
    FixedChoices,
    FoundChoices,
    LetteredText,
    is_empty,
    text_of,
)
from evalkit.loaders.filters import RowFilter
from evalkit.loaders.history import find_history
from evalkit.loaders.pictures import (
    add_pictures,
    check_marks,
    close_gaps,
    find_pictures,
    speak_of_pictures,
)
from evalkit.loaders.places import Places
from evalkit.loaders.records import Record, Row, shorten
from evalkit.questions import (
    MAX_CHOICES,
    MIN_CHOICES,
    NO_METADATA,
    Question,
    QuestionSet,
    digest_of,
    shuffle_choices,
)
from evalkit.stored_questions import collect_questions

BRACKETS = "()[]. "
"""What may stand around the letter of an answer."""

NO_ANSWER = "the row has no answer"

FEWEST_WITHHELD = 10
"""Rows without answer that may be called a split whose answers are withheld."""

ONE_RIGHT = tuple((place,) for place in range(MAX_CHOICES))
"""Shared by the questions that have one right choice."""

AnswerForm = Literal["letter", "index0", "index1", "text", "flags"]
"""How a file names the right choice: its letter or label, its position counted from 0 or from 1,
its text, or a list of 0 and 1 beside the choices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMap:
    """Which columns of a file make up a question."""

    stem: tuple[str, ...]
    """Columns of the question's text; several, such as passage and question, are joined."""
    choices: ChoiceForm
    answer: str | None = None
    """The column of the answer; None if the form of the choices says which is right."""
    answer_is: AnswerForm = "letter"
    id: str | None = None
    group: str | None = None
    cluster: tuple[str, ...] = ()
    """Columns that name what a question shares with others; several are joined."""
    example: str | None = None
    """A column of true and false: marks worked examples, which are not asked."""
    metadata: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """The N-th column holds the picture that the texts call `<image N>`; or one column holds a list
    of them. Empty cells hold none."""
    history: str | None = None
    """A column with earlier turns of the conversation that the question continues."""
    shuffle_seed: int | None = None
    """Show choices in an order drawn from this seed, for files whose order gives answers away."""
    where: tuple[RowFilter, ...] = ()
    """Conditions that rows have to meet; the others are no questions of the set."""

    @property
    def columns(self) -> frozenset[str]:
        """All columns and dotted paths that questions are made of."""
        single = (self.answer, self.id, self.group, self.example, self.history)
        filters = (condition.column for condition in self.where)
        texts = (*self.stem, *self.cluster, *self.metadata)
        named = (*texts, *self.images, *self.choices.used_columns)
        return frozenset((*named, *filters, *filter(None, single)))


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row, the file it comes from, and what that file gives all its rows.

    Args:
        path: the file.
        row: what stands there.
        group: the subject that the file's name gives.
        image_folder: where the paths of pictures begin.
    """

    path: Path
    row: Row
    group: str | None = None
    image_folder: Path = Path()


def build_question_set(rows: Iterable[PlacedRow], fields: FieldMap) -> QuestionSet:
    """Turn rows into questions, or list every row that can't be one.

    Raises:
        QuestionSetError: all bad rows of all files, each with its line, field, value and remedy.
    """
    examples: list[Question] = []
    problems: list[RowProblem] = []
    filtered: Counter[str] = Counter()
    questions = collect_questions(
        build_questions(rows, fields, examples, problems, filtered), have_different_ids=True
    )
    if problems:
        usable = len(questions) + len(examples)
        raise QuestionSetError(tuple(problems), hint=find_withheld(problems, usable))
    return QuestionSet(questions=questions, examples=tuple(examples), filtered=filtered.total())


def find_withheld(problems: list[RowProblem], usable: int) -> str:
    """What to do if most rows have no answer, as in the test splits of many sets; else nothing."""
    open_rows = sum(problem.remedy == NO_ANSWER for problem in problems)
    if open_rows < FEWEST_WITHHELD or 2 * open_rows <= len(problems) + usable:
        return ""
    return (
        f"{open_rows:,} of {len(problems) + usable:,} have no answer: this split's answers are "
        "withheld, so take another split, such as validation"
    )


def build_questions(
    rows: Iterable[PlacedRow],
    fields: FieldMap,
    examples: list[Question],
    problems: list[RowProblem],
    filtered: Counter[str],
) -> Iterator[Question]:
    """The questions that rows hold, one after the other.

    Args:
        rows: of all files.
        fields: what stands where.
        examples: takes the rows that are worked examples.
        problems: takes what keeps rows from being questions.
        filtered: counts the rows that are no questions of the set, by the column that says so.
    """
    places = Places()
    for placed in rows:
        if isinstance(placed.row, RowProblem):
            problems.append(placed.row)
            continue
        unmet = find_unmet(fields.where, placed.row)
        if unmet is not None:
            filtered[unmet] += 1
            continue
        try:
            question = build_question(placed.row, fields, placed)
            is_example = fields.example is not None and is_marked(placed.row, fields.example)
            if not places.add(question.id, placed.path, placed.row.line):
                if fields.id is not None:
                    remedy = f"stands already at {places.find(question.id)}; give each row its own"
                    raise FieldError(fields.id, question.id, remedy)
                question = number_repetition(question, places)
                places.add(question.id, placed.path, placed.row.line)
        except FieldError as error:
            problems.append(as_problem(placed, error))
            continue
        if is_example:
            examples.append(question)
        else:
            yield question


def find_unmet(conditions: Sequence[RowFilter], record: Record) -> str | None:
    """The column of the first condition that a row does not meet; None: it meets them all."""
    for condition in conditions:
        if not condition.takes(record):
            return condition.column
    return None


def as_problem(placed: PlacedRow, error: FieldError) -> RowProblem:
    """Say where the field is that can't be used."""
    assert isinstance(placed.row, Record)
    return RowProblem(
        path=placed.path,
        line=placed.row.line,
        field=error.field,
        value=shorten(error.value),
        remedy=error.remedy,
        number=placed.row.number,
    )


def build_question(record: Record, fields: FieldMap, placed: PlacedRow) -> Question:
    """Map one row to a question.

    Raises:
        FieldError: a field is missing or holds something that can't be right.
    """
    found = fields.choices.find(record)
    check_choices(fields.choices, found)
    stem = build_stem(record, fields, found)
    right = find_right(record, fields, found)
    stem, choices, images = place_pictures(record, fields, found, stem, placed.image_folder)
    name = None if fields.id is None else read_id(record, fields.id)
    group = read_shared(record, fields.group) or placed.group
    cluster = read_cluster(record, fields.cluster)
    history = find_history(record, fields.history)
    if name is None:
        digests = (image.digest for image in images)
        name = digest_of(stem, *choices, *digests, *(text for _, text in history))[:16]
    metadata = {c: t for c in fields.metadata if (t := read_optional(record, c)) is not None}
    question = Question(
        id=name,
        stem=stem,
        choices=choices,
        right=right,
        group=group,
        cluster=cluster,
        images=images,
        history=history,
        metadata=metadata or NO_METADATA,
    )
    if fields.shuffle_seed is None:
        return question
    return shuffle_choices(question, fields.shuffle_seed)


def place_pictures(
    record: Record, fields: FieldMap, found: FoundChoices, stem: str, folder: Path
) -> tuple[str, tuple[str, ...], tuple[Image, ...]]:
    """Stem and choices as they speak of the row's pictures, and the pictures."""
    pictures = find_pictures(record, fields.images, folder)
    choices = found.texts
    if found.are_images:
        choices = add_pictures(pictures, choice_field(fields.choices), choices, folder)
    if not pictures and not speak_of_pictures(stem, *choices):
        return stem, choices, ()
    check_marks(fields.stem[-1], stem, pictures)
    for choice in choices:
        check_marks(choice_field(fields.choices), choice, pictures)
    return close_gaps(stem, choices, pictures)


def number_repetition(question: Question, places: Places) -> Question:
    """Give another id to a question that a set without ids holds once more."""
    numbered = (f"{question.id}-{number}" for number in itertools.count(2))
    return replace(question, id=next(name for name in numbered if name not in places))


def check_choices(form: ChoiceForm, found: FoundChoices) -> None:
    """Refuse too few or too many choices, and empty ones."""
    if not MIN_CHOICES <= len(found.texts) <= MAX_CHOICES:
        remedy = f"expected {MIN_CHOICES} to {MAX_CHOICES} choices, found {len(found.texts)}"
        raise FieldError(choice_field(form), list(found.texts), remedy)
    if "" in found.texts:
        label = found.labels[found.texts.index("")]
        raise FieldError(choice_field(form), list(found.texts), f"choice {label} is empty")


def choice_field(form: ChoiceForm) -> str:
    """The column or columns of the choices, for a message."""
    names: list[str] = []
    if isinstance(form, FixedChoices):
        return "choices"
    for attribute in ("columns", "column", "texts", "right"):
        value = getattr(form, attribute, ())
        names += [value] if isinstance(value, str) else value
    return ", ".join(names)


def build_stem(record: Record, fields: FieldMap, found: FoundChoices) -> str:
    """Join the texts of the question, leaving out the columns that are empty in this row."""
    shared = fields.choices.column if isinstance(fields.choices, LetteredText) else None
    parts = [
        found.stem if column == shared else read_paragraphs(record, column)
        for column in fields.stem
    ]
    if not parts[-1]:
        last = fields.stem[-1]
        raise FieldError(last, record.get(last), "the question has no text")
    return "\n\n".join(filter(None, parts))


def read_id(record: Record, column: str) -> str:
    """The set's own id of a question."""
    text = text_of(column, record.get(column))
    if not text:
        raise FieldError(column, text, "expected an id")
    return text


def read_optional(record: Record, column: str | None) -> str | None:
    """A text that may be missing."""
    if column is None:
        return None
    value = record.get(column)
    return None if value is None else text_of(column, value) or None


def read_paragraphs(record: Record, column: str) -> str | None:
    """A text that may be missing; of a list of texts, each becomes a paragraph."""
    value = record.get(column)
    if isinstance(value, list):
        return "\n\n".join(filter(None, (text_of(column, part) for part in value))) or None
    return None if value is None else text_of(column, value) or None


def read_shared(record: Record, column: str | None) -> str | None:
    """A text that may be missing, kept in memory once for all the questions that share it."""
    text = read_optional(record, column)
    return None if text is None else sys.intern(text)


def read_cluster(record: Record, columns: tuple[str, ...]) -> str | None:
    """What a row shares with others, from one column or from several that only together tell."""
    if len(columns) == 1:
        return read_shared(record, columns[0])
    texts = [read_optional(record, column) for column in columns]
    return sys.intern(" / ".join(filter(None, texts))) or None


def is_marked(record: Record, column: str) -> bool:
    """Whether a row is marked as a worked example."""
    value = record.get(column)
    marks = {True: True, False: False, None: False, "": False, "true": True, "false": False}
    key = value.strip().lower() if isinstance(value, str) else value
    if isinstance(key, bool | str | None) and key in marks:
        return marks[key]
    raise FieldError(column, value, "expected true or false")


def find_right(record: Record, fields: FieldMap, found: FoundChoices) -> tuple[int, ...]:
    """Positions of the right choices, from the answer column if there is one."""
    if fields.answer is None:
        assert found.right
        return found.right
    value = record.get(fields.answer)
    if is_withheld(value, fields.answer_is):
        raise FieldError(fields.answer, value, NO_ANSWER)
    if fields.answer_is == "flags":
        places = read_flags(fields.answer, value, found)
    else:
        answers = value if isinstance(value, list) else [value]
        places = {find_one(fields.answer, answer, fields.answer_is, found) for answer in answers}
    if not places:
        raise FieldError(fields.answer, value, "no choice is marked as right")
    return ONE_RIGHT[places.pop()] if len(places) == 1 else tuple(sorted(places))


def is_withheld(value: object, form: AnswerForm) -> bool:
    """Whether an answer is left open, as in test splits; -1 and ? stand for it on the hub."""
    return is_empty(value) or (form != "text" and value in (-1, "-1", "?"))


def find_one(field: str, value: object, form: AnswerForm, found: FoundChoices) -> int:
    """Position of the choice that one answer names."""
    if isinstance(value, bool) and form == "index0":
        return int(value)
    text = text_of(field, value)
    if form == "text":
        return find_text(field, text, found)
    if form == "letter":
        return find_label(field, text, found)
    first = 0 if form == "index0" else 1
    last = first + len(found.texts) - 1
    if not re.fullmatch(r"\d{1,2}", text) or not first <= int(text) <= last:
        raise FieldError(field, value, f"expected a whole number from {first} to {last}")
    return int(text) - first


def find_label(field: str, text: str, found: FoundChoices) -> int:
    """Position of the choice with this letter or label, brackets around it allowed."""
    place = match_label(text, found.labels)
    if place is None:
        raise FieldError(field, text, f"expected one of {', '.join(found.labels)}")
    return place


@lru_cache(maxsize=256)
def match_label(text: str, labels: tuple[str, ...]) -> int | None:
    """Position of the one label that a text names; the same few are asked for again and again."""
    bare = text.strip(BRACKETS)
    labels = tuple(label.strip(BRACKETS) for label in labels)
    exact = [i for i, label in enumerate(labels) if label == bare]
    loose = [i for i, label in enumerate(labels) if label.upper() == bare.upper()]
    return next((matches[0] for matches in (exact, loose) if len(matches) == 1), None)


def find_text(field: str, text: str, found: FoundChoices) -> int:
    """Position of the choice with exactly this text."""
    matches = [i for i, choice in enumerate(found.texts) if choice == text]
    if len(matches) > 1:
        raise FieldError(field, text, "two choices have this text; name the answer by its letter")
    if not matches:
        raise FieldError(field, text, f"expected the text of a choice: {shorten(found.texts)}")
    return matches[0]


def read_flags(field: str, value: object, found: FoundChoices) -> set[int]:
    """Positions of the ones in a list of 0 and 1."""
    if not are_flags(value, found):
        raise FieldError(field, value, f"expected {len(found.texts)} numbers, each 0 or 1")
    return {i for i, flag in enumerate(value) if flag in (1, "1")}


def are_flags(value: object, found: FoundChoices) -> TypeGuard[list[object]]:
    """Whether a value is a list of 0 and 1, one for each choice; JSON's true and false will do."""
    return (
        isinstance(value, list)
        and len(value) == len(found.texts)
        and all(flag in (0, 1, "0", "1") for flag in value)
    )
