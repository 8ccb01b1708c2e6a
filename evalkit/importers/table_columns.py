"""Which column of a table of predictions means what, told by its name and by what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalkit.errors import LogError
from evalkit.importers.entries import Entry
from evalkit.importers.logged import LogColumns, as_score
from evalkit.loaders.choices import is_empty
from evalkit.loaders.guess import IDS, pick, simplify

PREDICTED = (
    "prediction", "predicted", "pred", "modelanswer", "modelresponse", "response", "reply",
    "output", "completion", "generated", "picked",
)  # fmt: skip
SCORES = ("score", "iscorrect", "correct", "acc", "accuracy", "exactmatch")
MODELS = ("model", "modelname", "modelid")
SAMPLES = ("sample", "sampleindex", "epoch", "repeat", "trial")
ERRORS = ("error", "failure")
MOST_DIGITS = 18
"""Of a number of a reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Which column of a table means what."""

    id: str | None
    predicted: str | None
    score: str | None
    model: str | None
    sample: str | None
    error: str | None

    @property
    def taken(self) -> tuple[str, ...]:
        """Columns that are no part of a question."""
        named = (self.id, self.predicted, self.score, self.model, self.sample, self.error)
        return tuple(filter(None, named))


def find_places(first: list[Entry], given: LogColumns) -> Places:
    """Which columns mean what, from their names and what the user says."""
    names: dict[str, str] = {}
    for entry in first:
        for column in entry.values:
            names.setdefault(simplify(str(column)), column)
    for column in filter(None, (given.score, given.error)):
        if not any(entry.has(column) for entry in first):
            there = ", ".join(names.values())
            raise LogError(f"no column {column!r}; there are {there}", path=first[0].path)
    question = (*given.stem, *given.choices, given.answer, given.group)
    free = {simple: name for simple, name in names.items() if name not in question}
    name, model = given.id or pick(free, IDS), given.model or pick(free, MODELS)
    return Places(
        id=name,
        predicted=given.predicted or pick(free, PREDICTED),
        score=given.score or find_score(first, free),
        model=model,
        sample=given.sample or find_sample(first, free, name, model),
        error=given.error or pick(free, ERRORS),
    )


def find_score(first: list[Entry], names: Mapping[str, str]) -> str | None:
    """The column of scores: one of a usual name that holds nothing but right and wrong."""
    for usual in SCORES:
        column = names.get(usual)
        if column is None:
            continue
        values = [entry.values.get(column) for entry in first]
        told = [value for value in values if not is_empty(value)]
        # `correct` may as well be the letter of the right choice.
        if told and all(is_mark(value) for value in told):
            return column
    return None


def find_sample(
    first: list[Entry], names: Mapping[str, str], name: str | None, model: str | None
) -> str | None:
    """The column of the numbers of replies: one of a usual name that holds nothing else.

    Where each row of a model has a question and a number of its own, the numbers are questions'.

    Args:
        first: the first rows.
        names: columns that may be it.
        name: the column of the questions' ids; None: there is none.
        model: that of the models; None: there is none.
    """
    column = pick(names, SAMPLES)
    if column is None or column == name:
        return None
    numbers = [as_number(entry.values.get(column)) for entry in first]
    models = ["" if model is None else str(entry.values.get(model)) for entry in first]
    questions = list(map(str, range(len(first))))
    if name is not None:
        questions = [str(entry.values.get(name)) for entry in first]
    counts = {len(set(zip(models, each, strict=True))) for each in (numbers, questions)}
    is_question = len(first) > 1 and counts == {len(first)}
    return None if is_question or None in numbers else column


def as_number(value: object) -> int | None:
    """A whole number as tables write it; None if it is none.

    Example:
        >>> as_number("3"), as_number(3.0), as_number("3.0"), as_number("first"), as_number(True)
        (3, 3, 3, None, None)
    """
    text = "" if isinstance(value, bool) else str(value).strip().removesuffix(".0")
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


def is_mark(value: object) -> bool:
    """Whether a value says right or wrong; a letter alone names a choice."""
    is_letter = isinstance(value, str) and len(value.strip()) == 1 and value.strip().isalpha()
    return not is_letter and as_score(value) in (0.0, 1.0)
