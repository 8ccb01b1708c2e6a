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
        """LogColumns that are no part of a question."""
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
    return Places(
        id=given.id or pick(free, IDS),
        predicted=given.predicted or pick(free, PREDICTED),
        score=given.score or find_score(first, free),
        model=given.model or pick(free, MODELS),
        sample=given.sample or pick(free, SAMPLES),
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


def is_mark(value: object) -> bool:
    """Whether a value says right or wrong; a letter alone names a choice."""
    is_letter = isinstance(value, str) and len(value.strip()) == 1 and value.strip().isalpha()
    return not is_letter and as_score(value) in (0.0, 1.0)
