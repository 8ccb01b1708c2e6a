"""The columns of a file without a definition, by their usual names.

Nothing is guessed from a name alone where two readings are possible: the answers decide, and where
they don't, the user is asked for a definition.
"""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

from evalkit.errors import BenchmarkError, QuestionSetError, RowProblem
from evalkit.loaders.choices import (
    LEADING_LABEL,
    ChoiceForm,
    FieldError,
    FoundChoices,
    LetteredText,
    ListColumn,
    ParallelLists,
    SeparateColumns,
    find_letters,
    is_empty,
)
from evalkit.loaders.csv import read_first_rows
from evalkit.loaders.fields import (
    AnswerForm,
    FieldMap,
    are_flags,
    find_one,
    is_marked,
    read_id,
    read_optional,
)
from evalkit.loaders.pictures import find_bytes
from evalkit.loaders.records import Record, Row, shorten
from evalkit.loaders.source import Source, find_format, read_file

# Names are compared without case, spaces and punctuation: "Correct Answer", "correct_answer" and
# "correctAnswer" are one.
STEMS = (
    "question", "stem", "questionstem", "questiontext", "query", "problem", "input", "prompt",
    "text", "ctx",
)  # fmt: skip
PASSAGES = ("passage", "context", "article", "text")
LISTS = ("choices", "options", "answers", "endings", "alternatives")
ANSWERS = (
    "answer", "correct", "answerkey", "correctanswer", "right", "rightanswer", "gold", "target",
    "label", "correctoption", "correctchoice", "solution", "answerindex", "answeridx",
    "correctindex", "answerletter", "correctletter", "cop", "key",
)  # fmt: skip
GROUPS = ("subject", "category", "group", "topic", "domain", "field")
IDS = ("id", "questionid", "qid", "uid")
CLUSTERS = ("cluster", "passageid", "contextid")
EXAMPLES = ("example",)
IMAGES = ("image", "images", "img", "picture", "imagepath", "imagefile", "imageurl")
NUMBERED_IMAGE = re.compile(r"(?:image|img|picture)(\d{1,2})\Z", re.ASCII)
FAMILIES = ("", "option", "choice", "opt", "op", "answer", "ans", "alternative", "ending")
"""Beginnings of the names of separate columns; a letter, or a number from 1 or 0, follows."""

ROWS_LOOKED_AT = 2000
BYTES_LOOKED_AT = 20_000_000
"""Of pictures."""

ROWS_WITHOUT_HEADER = 50

GUESSED_FORMS: tuple[AnswerForm, ...] = ("letter", "text", "index0", "index1")

Names = Mapping[str, str]
"""The columns of a file by their simplified names."""


@dataclass(frozen=True, slots=True)
class Guess:
    """How a file without definition is read."""

    source: Source
    fields: FieldMap


def guess_fields(path: Path) -> Guess:
    """Find question, choices and answer among the columns of a file.

    Raises:
        BenchmarkError: a column is missing, or the answers could be read in two ways.
    """
    source = Source(files=(glob.escape(path.name),))
    if find_format(path) == "csv":
        source = replace(source, columns=guess_headless(path))
    records = read_records(path, source)
    names = simplify_names(records)
    stem = pick(names, STEMS)
    choices = guess_choices(names, records)
    filled = {simple: name for simple, name in names.items() if has_values(records, name)}
    answer = pick(filled, ANSWERS) or pick(names, ANSWERS)
    if stem is None or choices is None or answer is None:
        raise BenchmarkError(missing_text(stem, choices, answer, names), path=path)
    passage = pick({name: column for name, column in names.items() if column != stem}, PASSAGES)
    cluster = pick_readable(names, CLUSTERS, records, read_optional) or passage
    fields = FieldMap(
        stem=(stem,) if passage is None else (passage, stem),
        choices=choices,
        answer=answer,
        answer_is=guess_answer_form(path, records, choices, answer),
        id=pick_readable(names, IDS, records, read_id),
        group=pick_readable(names, GROUPS, records, read_optional),
        cluster=() if cluster is None else (cluster,),
        example=pick_readable(names, EXAMPLES, records, is_marked),
        images=guess_images(path, filled),
    )
    return Guess(source, fields)


def read_records(path: Path, source: Source) -> list[Record]:
    """The first rows that can be read.

    Raises:
        QuestionSetError: there are rows, but not one that can be read.
        BenchmarkError: there is no row.
    """
    rows = look_at_rows(read_file(path, source))
    records = [row for row in rows if isinstance(row, Record)]
    problems = tuple(row for row in rows if isinstance(row, RowProblem))
    if problems and not records:
        raise QuestionSetError(problems)
    if not records:
        raise BenchmarkError("there is no question in it", path=path)
    return records


def look_at_rows(rows: Iterable[Row]) -> list[Row]:
    """The first rows; fewer if they hold pictures, which would fill the memory."""
    seen: list[Row] = []
    size = 0
    for row in itertools.islice(rows, ROWS_LOOKED_AT):
        seen.append(row)
        if isinstance(row, Record):
            size += sum(len(find_bytes(value) or b"") for value in row.values.values())
        if size > BYTES_LOOKED_AT:
            break
    return seen


def simplify_names(records: list[Record]) -> dict[str, str]:
    """The columns of all rows, as the file spells them, by name without case and punctuation."""
    columns = dict.fromkeys(name for record in records for name in record.values)
    simple: dict[str, str] = {}
    for column in columns:
        simple.setdefault(simplify(column), column)
    return simple


def simplify(name: str) -> str:
    """A name without case and punctuation.

    Example:
        >>> simplify("Correct Answer"), simplify("correct_answer"), simplify("correctAnswer")
        ('correctanswer', 'correctanswer', 'correctanswer')
    """
    return re.sub(r"[\W_]+", "", name.lower())


def has_values(records: list[Record], column: str) -> bool:
    """Whether any row has something in a column; AGIEval's `answer` is null beside its `label`."""
    return not all(is_empty(record.get(column)) for record in records)


def guess_images(path: Path, filled: Names) -> tuple[str, ...]:
    """The column of the picture or pictures, or the columns image_1, image_2, ... up to the last.

    Raises:
        BenchmarkError: there are several kinds of columns, so that it is not clear which picture a
            text calls `<image 1>`.
    """
    plain = [filled[simple] for simple in IMAGES if simple in filled]
    numbered = {int(m[1]): filled[m[0]] for name in filled if (m := NUMBERED_IMAGE.match(name))}
    if len(plain) + bool(numbered) > 1 or 0 in numbered:
        found = ", ".join(map(repr, [*plain, *numbered.values()]))
        reason = f"{found} could be <image 1>; write a definition with images"
        raise BenchmarkError(reason, path=path)
    if not numbered:
        return tuple(plain)
    # A number that no row uses keeps its place: the third column is <image 3>.
    last = max(numbered)
    beginning = numbered[last].removesuffix(str(last))
    return tuple(numbered.get(n, f"{beginning}{n}") for n in range(1, last + 1))


def missing_text(
    stem: str | None, choices: ChoiceForm | None, answer: str | None, names: Names
) -> str:
    """Say which column was looked for in vain."""
    wanted = {"question": stem, "choices": choices, "answer": answer}
    missing = [name for name, found in wanted.items() if found is None]
    held = pick(names, LISTS)
    no_list = f" ({held} holds no list)" if choices is None and held is not None else ""
    return (
        f"no column for {' or '.join(missing)} among {', '.join(map(repr, names.values()))}"
        f"{no_list}; rename the columns (question, A, B, C, D or choices, answer) or write a "
        "definition"
    )


def pick(names: Names, usual: Sequence[str]) -> str | None:
    """The first usual name that the file has, as the file spells it."""
    return next((names[name] for name in usual if name in names), None)


def pick_readable(
    names: Names,
    usual: Sequence[str],
    records: list[Record],
    read: Callable[[Record, str], object],
) -> str | None:
    """The first column of a usual name, if every row of it can be read; it may be done without."""
    column = pick(names, usual)
    if column is None:
        return None
    try:
        for record in records:
            read(record, column)
    except FieldError:
        return None
    return column


def guess_headless(path: Path) -> tuple[str, ...]:
    """Names for the columns of a table that has no header: question, choices, answer letter.

    The first row is no header if its last cell is the letter of one of its own choices, as it is
    in most rows below.
    """
    rows = read_first_rows(path, ROWS_WITHOUT_HEADER)
    width = len(rows[0]) if rows else 0
    letters = tuple(ascii_uppercase[: max(width - 2, 0)])
    if not 2 <= len(letters) == width - 2 or any(simplify(cell) in STEMS for cell in rows[0]):
        return ()
    fit = [len(row) == width and row[-1].strip() in letters for row in rows]
    return ("question", *letters, "answer") if fit[0] and is_most(fit) else ()


def guess_choices(names: Names, records: list[Record]) -> ChoiceForm | None:
    """A list, two lists side by side, lettered text, or a column for each choice."""
    column = pick(names, LISTS)
    values = [] if column is None else [record.get(column) for record in records]
    if column is not None and is_most(isinstance(value, list) for value in values):
        return ListColumn(column=column, labelled=is_most(map(is_labelled, values)))
    if column is not None and is_most(is_pair(value) for value in values):
        return ParallelLists(texts=f"{column}.text", labels=f"{column}.label")
    if column is not None and is_most(isinstance(v, str) and find_letters(v) for v in values):
        return LetteredText(column=column)
    return guess_columns(names)


def guess_columns(names: Names) -> SeparateColumns | None:
    """The longest family of columns such as A, B, C, D or option_1, option_2, option_3."""
    found: list[tuple[str, ...]] = []
    for family, marks in itertools.product(FAMILIES, (ascii_lowercase, range(1, 27), range(26))):
        usual = (f"{family}{mark}" for mark in marks)
        found.append(tuple(names[name] for name in itertools.takewhile(names.__contains__, usual)))
    longest = max(found, key=len)
    return SeparateColumns(columns=longest) if len(longest) > 1 else None


def is_most(facts: Iterable[object]) -> bool:
    """Whether more than half of some facts hold."""
    held = [bool(fact) for fact in facts]
    return 2 * sum(held) > len(held)


def is_labelled(choices: object) -> bool:
    """Whether each choice of a list begins with its own letter."""
    if not isinstance(choices, list) or not choices:
        return False
    matches = [LEADING_LABEL.match(choice) for choice in choices if isinstance(choice, str)]
    labels = [match[1].upper() if match else "" for match in matches]
    return labels == list(ascii_uppercase[: len(choices)])


def is_pair(choices: object) -> bool:
    """Whether choices are lists of texts and labels side by side."""
    return isinstance(choices, dict) and {"text", "label"} <= set(choices)


def guess_answer_form(
    path: Path, records: list[Record], form: ChoiceForm, answer: str
) -> AnswerForm:
    """Choose the form that most answers have; rows that have another are reported on loading.

    Raises:
        BenchmarkError: half of the answers fit no form, or two forms fit equally well and name
            other choices, such as positions counted from 0 and from 1.
    """
    rows = list(find_answered(records, form, answer))
    if is_most(are_flags(value, found) for found, value in rows):
        return "flags"
    pairs = [
        (found, one)
        for found, value in rows
        for one in (value if isinstance(value, list) else [value])
    ]
    readings = {name: [read_as(name, *pair) for pair in pairs] for name in GUESSED_FORMS}
    fits = {name: sum(place is not None for place in readings[name]) for name in GUESSED_FORMS}
    best = [name for name in GUESSED_FORMS if fits[name] == max(fits.values())]
    if pairs and 2 * fits[best[0]] <= len(pairs):
        reason = f"{answer} = {shorten(pairs[0][1])}: most answers are neither letter, position"
        raise BenchmarkError(f"{reason} nor choice; write a definition with answer_is", path=path)
    has_labels = isinstance(form, ParallelLists) and best[0] == "letter"
    if not has_labels and any(readings[name] != readings[best[0]] for name in best):
        reason = f"{answer} = {shorten(pairs[0][1])} could be read as {' or as '.join(best)}"
        raise BenchmarkError(f"{reason}; write a definition with answer_is", path=path)
    return best[0]


def find_answered(
    records: list[Record], form: ChoiceForm, answer: str
) -> Iterator[tuple[FoundChoices, object]]:
    """Choices and answer of the rows that have both; the others are reported on loading."""
    for record in records:
        value = record.get(answer)
        try:
            found = form.find(record)
        except FieldError:
            continue
        if not is_empty(value):
            yield found, value


def read_as(form: AnswerForm, found: FoundChoices, value: object) -> int | None:
    """The choice that an answer names in one way of reading it; None if it can't be read so."""
    try:
        return find_one("answer", value, form, found)
    except FieldError:
        return None
