"""The forms in which question files hold their choices."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile
from string import ascii_uppercase
from typing import TypeAlias

from evalkit.loaders.records import Record

LEADING_LABEL = re.compile(r"\s*[(\[]?([A-Za-z])[)\].:]\s*")
"""A letter as it stands before a choice: `(A) `, `A)`, `a.`; no number, for `1.5` is a choice."""

MARKS = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^[ \t]*\(([A-Z])\)",
        r"^[ \t]*([A-Z])[).:]",
        r"(?<!\w)\(([A-Z])\)",
        r"(?<![\w(])([A-Z])[).:]",
    )
)
"""Letters as they stand before choices within one text. Those that begin a line are looked for
first: the question may itself speak of (A)."""

OPTIONS_HEADING = re.compile(r"\s*(options|choices|answer choices)\s*:\s*\Z", re.IGNORECASE)


class FieldError(Exception):
    """One field of one row can't be used."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        super().__init__(field, value, remedy)
        self.field, self.value, self.remedy = field, value, remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundChoices:
    """The choices of one row.

    Args:
        texts: in the order of the file.
        labels: what the file calls them: its own labels, or letters.
        right: positions of the right ones, where the form itself says so.
        stem: the text before the first choice, where choices and question share one text.
        are_images: whether the texts are the places of pictures.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    right: tuple[int, ...] | None = None
    stem: str | None = None
    are_images: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeparateColumns:
    """One column a choice: `choices = ["A", "B", "C", "D"]`. Empty last columns hold no choice."""

    columns: tuple[str, ...]

    @property
    def used_columns(self) -> tuple[str, ...]:
        """What it reads of a row."""
        return self.columns

    def find(self, record: Record) -> FoundChoices:
        """Take the cells up to the last that is not empty."""
        cells = [record.get(column) for column in self.columns]
        while cells and is_empty(cells[-1]):
            cells.pop()
        texts = tuple(
            text_of(column, cell) for column, cell in zip(self.columns, cells, strict=False)
        )
        return FoundChoices(texts=texts, labels=letters(len(texts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ListColumn:
    """One column that holds a list: `choices = "options"`.

    With `labelled`, each choice carries its own letter, `(A) 2` or `A)125`, which is taken off.
    With `literal`, the list is a text as Python writes it: `"['red', 'blue']"`.
    """

    column: str
    labelled: bool = False
    literal: bool = False

    @property
    def used_columns(self) -> tuple[str, ...]:
        """What it reads of a row."""
        return (self.column,)

    def find(self, record: Record) -> FoundChoices:
        """Take the items of the list."""
        value = record.get(self.column)
        texts = text_list(self.column, read_literal(self.column, value) if self.literal else value)
        if self.labelled and len(texts) <= len(ascii_uppercase):
            texts = tuple(self.take_label(text, i) for i, text in enumerate(texts))
        return FoundChoices(texts=texts, labels=letters(len(texts)))

    def take_label(self, text: str, position: int) -> str:
        """Take the letter off a choice; it must be the one of its position."""
        match = LEADING_LABEL.match(text)
        expected = ascii_uppercase[position]
        if match is None or match[1].upper() != expected:
            raise FieldError(self.column, text, f"expected a choice that begins with ({expected})")
        return text[match.end() :]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParallelLists:
    """Two lists side by side: `choices = { texts = "choices.text", labels = "choices.label" }`."""

    texts: str
    labels: str

    @property
    def used_columns(self) -> tuple[str, ...]:
        """What it reads of a row."""
        return (self.texts, self.labels)

    def find(self, record: Record) -> FoundChoices:
        """Take the items of both lists, which must be equally long."""
        texts = text_list(self.texts, record.get(self.texts))
        labels = text_list(self.labels, record.get(self.labels))
        if len(texts) != len(labels) or len(set(labels)) != len(labels):
            remedy = f"expected {len(texts)} different labels, one for each choice"
            raise FieldError(self.labels, list(labels), remedy)
        return FoundChoices(texts=texts, labels=labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedChoices:
    """One column that holds labels with their texts: `choices = { keyed = "options" }`."""

    column: str

    @property
    def used_columns(self) -> tuple[str, ...]:
        """What it reads of a row."""
        return (self.column,)

    def find(self, record: Record) -> FoundChoices:
        """Take labels and texts; a label without text is no choice: tables give all rows all."""
        value = record.get(self.column)
        if not isinstance(value, Mapping):
            raise FieldError(self.column, value, "expected labels with their texts")
        filled = {label: text for label, text in value.items() if not is_empty(text)}
        texts = tuple(text_of(self.column, text) for text in filled.values())
        return FoundChoices(texts=texts, labels=tuple(map(str, filled)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemList:
    """A list of objects: `choices = { items = "choices", text = "text", label = "label" }`."""

    column: str
    text: str
    label: str

    @property
    def used_columns(self) -> tuple[str, ...]:
        """What it reads of a row."""
        return (self.column,)

    def find(self, record: Record) -> FoundChoices:
        """Take text and label of each item."""
        value = record.get(self.column)
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise FieldError(self.column, value, "expected a list of objects")
        texts = text_list(f"{self.column}.{self.text}", [item.get(self.text) for item in value])
        labels = text_list(f"{self.column}.{self.label}", [item.get(self.label) for item in value])
        if len(set(labels)) != len(labels):
            raise FieldError(self.column, list(labels), "expected different labels")
        return FoundChoices(texts=texts, labels=labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedChoices:
    """The same choices in every row: `choices = { fixed = ["no", "yes"] }`."""

    texts: tuple[str, ...]

    @property
    def used_columns(self) -> tuple[str, ...]:
        """What it reads of a row."""
        return ()

    def find(self, record: Record) -> FoundChoices:
        """The same whatever the row."""
        return FoundChoices(texts=self.texts, labels=letters(len(self.texts)))


@dataclass(frozen=True, slots=True, kw_only=True)
class LetteredText:
    """Choices inside one text: `choices = { lettered = "input" }` for `... (A) red (B) blue`."""

    column: str

    @property
    def used_columns(self) -> tuple[str, ...]:
        """What it reads of a row."""
        return (self.column,)

    def find(self, record: Record) -> FoundChoices:
        """Cut the text at (A), (B), (C), ...; what stands before is the question."""
        text = text_of(self.column, record.get(self.column))
        cuts = find_letters(text)
        if not cuts:
            remedy = "expected choices marked (A), (B), ... or A), B), ... in order, each mark once"
            raise FieldError(self.column, text, remedy)
        ends = [start for start, _ in cuts[1:]] + [len(text)]
        texts = tuple(text[cut[1] : end].strip() for cut, end in zip(cuts, ends, strict=True))
        stem = OPTIONS_HEADING.sub("", text[: cuts[0][0]]).strip()
        return FoundChoices(texts=texts, labels=letters(len(texts)), stem=stem)


@dataclass(frozen=True, slots=True, kw_only=True)
class RightAndWrong:
    """The right text and the wrong ones: `choices = { right = "Best", wrong = ["Worse"] }`.

    Such files give no order, so their definition must ask for a seeded one.

    Args:
        right: the column of the right answer.
        wrong: the columns of wrong answers.
        separator: what separates several wrong answers within one cell.
        several: whether it separates several right ones too, all of which are choices.
    """

    right: str
    wrong: tuple[str, ...]
    separator: str | None = None
    several: bool = False

    @property
    def used_columns(self) -> tuple[str, ...]:
        """What it reads of a row."""
        return (self.right, *self.wrong)

    def find(self, record: Record) -> FoundChoices:
        """Put what is right first and the wrong ones after it."""
        texts = [text_of(self.right, record.get(self.right))]
        if self.several:
            texts = self._split(self.right, record) or texts
        right = tuple(range(len(texts)))
        for column in self.wrong:
            texts += self._split(column, record)
        return FoundChoices(texts=tuple(texts), labels=letters(len(texts)), right=right)

    def _split(self, column: str, record: Record) -> list[str]:
        """The texts of a cell."""
        cell = text_of(column, record.get(column))
        parts = cell.split(self.separator) if self.separator else [cell]
        return [part.strip() for part in parts if part.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureChoices:
    """Choices that are pictures: `choice_images = ["image_a", "image_b"]`, or a column of lists."""

    columns: tuple[str, ...]

    @property
    def used_columns(self) -> tuple[str, ...]:
        """What it reads of a row."""
        return self.columns

    def find(self, record: Record) -> FoundChoices:
        """Take the places of the pictures."""
        form: SeparateColumns | ListColumn = SeparateColumns(columns=self.columns)
        if len(self.columns) == 1:
            form = ListColumn(column=self.columns[0])
        return replace(form.find(record), are_images=True)


ChoiceForm: TypeAlias = (
    SeparateColumns
    | ListColumn
    | ParallelLists
    | KeyedChoices
    | ItemList
    | FixedChoices
    | LetteredText
    | RightAndWrong
    | PictureChoices
)


def letters(count: int) -> tuple[str, ...]:
    """The first letters of the alphabet, at most 26.

    Example:
        >>> letters(3)
        ('A', 'B', 'C')
    """
    return tuple(ascii_uppercase[:count])


def find_letters(text: str) -> list[tuple[int, int]]:
    """The spans of the marks (A), (B), ... or A), B), ... in a text.

    None if a mark is missing or stands there twice: what is choice and what is question can't be
    told then.
    """
    for pattern in MARKS:
        marks = list(dropwhile(lambda mark: mark[1] != "A", pattern.finditer(text)))
        found = "".join(mark[1] for mark in marks)
        if len(found) > 1 and ascii_uppercase.startswith(found):
            return [mark.span() for mark in marks]
    return []


def is_empty(value: object) -> bool:
    """Whether a cell holds nothing that could be seen."""
    return value is None or (isinstance(value, str) and not value.strip())


def text_of(field: str, value: object) -> str:
    """A cell as text without the white space around it; numbers keep the form they are written in.

    Raises:
        FieldError: the value is missing, or no text or number, or can't be written as UTF-8.
    """
    if isinstance(value, str):
        try:
            value.isascii() or value.encode()
        except UnicodeEncodeError:
            raise FieldError(field, value, "half of a surrogate pair; repair the escape") from None
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise FieldError(field, value, "expected text")


def text_list(field: str, value: object) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        FieldError: the value is no list, or one of its items no text.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise FieldError(field, value, "expected a list of texts")
    # Most items are plain texts, of which there are millions: no call for each.
    return tuple(
        item.strip() if item.__class__ is str and item.isascii() else text_of(field, item)
        for item in value
    )


def read_literal(field: str, value: object) -> object:
    """What a text means as Python writes lists.

    Raises:
        FieldError: it is no literal.
    """
    text = text_of(field, value)
    try:
        return ast.literal_eval(text)
    # What Python's own parser raises for a text that is none, or nested too deeply.
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise FieldError(field, value, "expected a list as Python writes it") from None
