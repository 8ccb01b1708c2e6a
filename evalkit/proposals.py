"""A definition proposed for a file of one's own, from the names and contents of its columns."""

from __future__ import annotations

import glob
import itertools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.benchmarks import Definition, the_one_file
from evalkit.errors import BenchmarkError, UsageError
from evalkit.loaders.choices import (
    ChoiceForm,
    FixedChoices,
    LetteredText,
    ListColumn,
    ParallelLists,
    RightAndWrong,
    SeparateColumns,
    find_letters,
)
from evalkit.loaders.fields import AnswerForm, FieldMap, is_marked, read_id, read_optional
from evalkit.loaders.guess import (
    ANSWERS,
    CLUSTERS,
    EXAMPLES,
    GROUPS,
    IDS,
    LISTS,
    PASSAGES,
    STEMS,
    guess_answer_form,
    guess_choices,
    guess_headless,
    guess_images,
    has_values,
    is_labelled,
    is_most,
    pick,
    pick_readable,
    read_records,
    simplify,
)
from evalkit.loaders.json import find_record_keys
from evalkit.loaders.records import Record
from evalkit.loaders.source import Source, find_format
from evalkit.prompts import PromptFormat
from evalkit.questions import MIN_CHOICES

MORE_STEMS = ("ctx", "goal", "sentence", "statement", "front", "item", "questiontitle")
MORE_ANSWERS = ("correctanswers", "correctanswerindex", "back")
RIGHT = ("bestanswer", "correctanswer", "rightanswer", "correct", "right", "answer")
WRONG = re.compile(
    r"(?:incorrect|wrong|distractor|false)(?:answers?|choices?|options?)?\d{0,2}\Z", re.ASCII
)
"""Columns of wrong answers, `Incorrect Answer 1` or `distractor2`."""


LISTED = re.compile(r"^- (.+?)\s*$", re.MULTILINE)
"""A choice in a line of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the user says of a file; the rest is found out."""

    stem: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    """Several columns, or one with all choices."""
    wrong: tuple[str, ...] = ()
    """Columns of wrong choices, where the answer's column holds the right one."""
    answer: str | None = None
    answer_is: AnswerForm | None = None
    group: str | None = None
    cluster: str | None = None
    shuffle: bool = False
    columns: tuple[str, ...] = ()
    """Names of the columns of a file without header."""


def propose_definition(path: Path, given: Given | None = None) -> Definition:
    """Propose how to read a file.

    Args:
        path: a file of questions, or an archive that holds one.
        given: what is known already.

    Raises:
        UsageError: there is no column of a name.
        BenchmarkError: it is not clear which columns make up a question.
        MissingExtraError: an Excel file, and the library for those is not installed.
    """
    given = given or Given()
    if path.suffix.lower() == ".zip" and path.is_file():
        path = the_one_file(path)
    source = propose_source(path, given)
    records = read_records(path, source)
    return Definition(
        name=path.stem,
        version="1",
        path=path,
        source=source,
        fields=propose_fields(path, records, given),
        prompt=PromptFormat(),
        title=path.stem.replace("_", " ").strip(),
    )


def propose_source(path: Path, given: Given) -> Source:
    """Find out how the rows of a file are read."""
    source = Source(files=(glob.escape(path.name),), columns=given.columns)
    if is_notes_export(path):
        source = replace(source, format="csv")
    form = source.format or find_format(path)
    if form == "csv" and not given.columns:
        return replace(source, columns=guess_headless(path))
    if form == "json":
        keys = find_record_keys(path)
        if len(keys) > 1:
            reason = f"it holds several lists ({', '.join(keys)}); write a definition with records"
            raise BenchmarkError(reason, path=path)
        return replace(source, records=keys[0] if keys else None)
    return source


def is_notes_export(path: Path) -> bool:
    """Whether a file is an export of flash cards as text, whose first line names the separator."""
    try:
        with path.open("rb") as file:
            return file.readline(100).removeprefix(b"\xef\xbb\xbf").startswith(b"#separator:")
    except OSError:
        return False


def propose_fields(path: Path, records: list[Record], given: Given) -> FieldMap:
    """Find question, choices and answer among the columns.

    Raises:
        UsageError: there is no column of a name that was given.
        BenchmarkError: one of the three is not found.
    """
    check_given(given, records)
    names = simplify_headings(records)
    filled = {simple: name for simple, name in names.items() if has_values(records, name)}
    choices, answer = propose_choices(filled, records, given)
    stem = given.stem or propose_stem(filled, choices)
    if not stem or choices is None or (answer is None and not isinstance(choices, RightAndWrong)):
        raise BenchmarkError(describe_lack(stem, choices, answer, names), path=path)
    form: AnswerForm = "letter"
    if answer is not None:
        form = given.answer_is or guess_answer_form(path, records, choices, answer)
    others = {simple: name for simple, name in filled.items() if name not in stem}
    passage = None if given.stem else pick(others, PASSAGES)
    cluster = given.cluster or pick_readable(filled, CLUSTERS, records, read_optional) or passage
    shuffled = given.shuffle or isinstance(choices, RightAndWrong)
    return FieldMap(
        stem=stem if passage is None else (passage, *stem),
        choices=choices,
        answer=answer,
        answer_is=form,
        id=pick_readable(filled, IDS, records, read_id) if has_own_ids(filled, records) else None,
        group=given.group or pick_readable(filled, GROUPS, records, read_optional),
        cluster=() if cluster is None else (cluster,),
        example=pick_readable(filled, EXAMPLES, records, is_marked),
        images=guess_images(path, filled),
        shuffle_seed=0 if shuffled else None,
    )


def has_own_ids(names: Mapping[str, str], records: list[Record]) -> bool:
    """Whether the column of ids names each row differently."""
    column = pick(names, IDS)
    values = [] if column is None else [str(record.get(column)) for record in records]
    return len(set(values)) == len(values)


def check_given(given: Given, records: list[Record]) -> None:
    """Refuse names of columns that the file does not have.

    Raises:
        UsageError: naming the column and those that there are.
    """
    columns = dict.fromkeys(name for record in records for name in record.values)
    named = [*given.stem, *given.choices, *given.wrong]
    named += [name for name in (given.answer, given.group, given.cluster) if name is not None]
    for name in named:
        if all(record.get(name) is None for record in records):
            known = ", ".join(map(repr, columns))
            raise UsageError(f"no column is called {name!r}; there are {known}")


def simplify_headings(records: list[Record]) -> dict[str, str]:
    """The columns by their names without case, punctuation, and what follows a dash.

    Templates of quiz programs say `Answer 1 - max 75 characters`.
    """
    found: dict[str, str] = {}
    for column in dict.fromkeys(name for record in records for name in record.values):
        found.setdefault(simplify(re.split(r" [-–(]", column)[0]), column)
    return found


def propose_stem(names: Mapping[str, str], choices: ChoiceForm | None) -> tuple[str, ...]:
    """The column of the question's text; that of the choices if they stand in one text."""
    if isinstance(choices, LetteredText) and pick(names, LISTS) != choices.column:
        return (choices.column,)
    stem = pick(names, (*STEMS, *MORE_STEMS))
    return () if stem is None else (stem,)


def propose_choices(
    names: Mapping[str, str], records: list[Record], given: Given
) -> tuple[ChoiceForm | None, str | None]:
    """How the choices stand there, and the column of the answer."""
    answer = given.answer or pick(names, (*ANSWERS, *MORE_ANSWERS))
    if given.wrong:
        return right_and_wrong(answer, given.wrong, records)
    if given.choices:
        return choose_form(given.choices, records), answer
    choices = guess_choices(names, records)
    if choices is not None:
        return choices, answer
    flagged = find_flagged(records)
    if flagged is not None:
        return ListColumn(column=f"{flagged}.choices"), given.answer or f"{flagged}.labels"
    wrong = tuple(
        name
        for simple, name in names.items()
        if WRONG.match(simple) and is_most(is_text(record.get(name)) for record in records)
    )
    right = given.answer or pick(names, RIGHT)
    if wrong and right is not None:
        return right_and_wrong(right, wrong, records)
    lettered = [name for name in names.values() if is_lettered(records, name)]
    if lettered:
        return LetteredText(column=lettered[0]), answer
    return find_listed(names, records, answer), answer


def right_and_wrong(
    right: str | None, wrong: tuple[str, ...], records: list[Record]
) -> tuple[RightAndWrong | None, str | None]:
    """The right text in one column, wrong ones in others: the form says which is right."""
    if right is None:
        return None, None
    separator = find_separator(wrong[0], records) if len(wrong) == 1 else None
    return RightAndWrong(right=right, wrong=wrong, separator=separator), None


def find_separator(column: str, records: list[Record]) -> str | None:
    """What separates several wrong answers in one column; None if most cells hold one."""
    texts = [text for record in records if isinstance(text := record.get(column), str)]
    for separator in ("; ", ";", "|", "\n"):
        if is_most(separator in text for text in texts):
            return separator
    return None


def is_text(value: object) -> bool:
    """Whether a value is a text, or a number that stands for one."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def choose_form(columns: tuple[str, ...], records: list[Record]) -> ChoiceForm:
    """The form of choices whose columns are known."""
    if len(columns) > 1:
        return SeparateColumns(columns=columns)
    [column] = columns
    values = [record.get(column) for record in records]
    if is_most(isinstance(value, str) for value in values):
        return LetteredText(column=column)
    if is_most(isinstance(value, dict) for value in values):
        return ParallelLists(texts=f"{column}.text", labels=f"{column}.label")
    return ListColumn(column=column, labelled=is_most(map(is_labelled, values)))


def find_flagged(records: list[Record]) -> str | None:
    """A column that holds choices and a list of 0 and 1 beside them, as TruthfulQA's do."""
    for column in records[0].values:
        values = [record.get(column) for record in records]
        if is_most(isinstance(v, dict) and {"choices", "labels"} <= set(v) for v in values):
            return column
    return None


def find_listed(
    names: Mapping[str, str], records: list[Record], answer: str | None
) -> FixedChoices | None:
    """Choices that most texts of a column list, the same ones, as `- Yes` and `- No` below.

    They stay in the text: it may speak of them.
    """
    for name in names.values():
        texts = [text for record in records if isinstance(text := record.get(name), str)]
        lists = Counter(tuple(LISTED.findall(text)) for text in texts)
        [(listed, count)] = lists.most_common(1) or [((), 0)]
        if len(listed) < MIN_CHOICES or 2 * count <= len(records):
            continue
        if answer is None or is_most(record.get(answer) in listed for record in records):
            return FixedChoices(texts=listed)
    return None


def is_lettered(records: list[Record], column: str) -> bool:
    """Whether most texts of a column hold choices marked (A), (B), ..."""
    values = (record.get(column) for record in records)
    return is_most(isinstance(value, str) and find_letters(value) for value in values)


def describe_lack(
    stem: tuple[str, ...], choices: ChoiceForm | None, answer: str | None, names: Mapping[str, str]
) -> str:
    """Say what was not found, and which options name it."""
    options = {
        "question (--stem COLUMN)": stem,
        "choices (--choices COLUMN, several times where each has its own)": choices,
        "answer (--answer COLUMN)": answer,
    }
    lacking = [option for option, found in options.items() if not found]
    shown = ", ".join(map(repr, itertools.islice(names.values(), 30)))
    return f"no column was recognized as {' or '.join(lacking)}; there are {shown}"
