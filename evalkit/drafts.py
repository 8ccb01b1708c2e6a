"""A question set as far as it can be read, with what can't be read of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.benchmarks import Definition, bring_here
from evalkit.errors import RowProblem
from evalkit.loaders.choices import is_empty
from evalkit.loaders.fields import PlacedRow, build_questions
from evalkit.loaders.records import Record
from evalkit.loaders.source import read_rows
from evalkit.questions import Question, QuestionSet
from evalkit.stored_questions import collect_questions

MOST_COLUMNS = 1000
"""Columns that are counted; a file that has more is no table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A definition with what its files hold, whether or not a run could use them."""

    definition: Definition
    question_set: QuestionSet
    """The rows that are questions."""
    problems: tuple[RowProblem, ...]
    """What keeps the others from being questions."""
    rows: int
    """Rows of all files, usable or not."""
    columns: Mapping[str, int]
    """The columns of all files, each with the number of rows that have something in it."""
    filtered: Mapping[str, int] = field(default_factory=dict)
    """Rows that the definition does not take for questions of the set, by the column that says
    so."""


class Tap:
    """Counts rows and what their columns hold while they pass."""

    def __init__(self) -> None:
        self.rows = 0
        self.columns: Counter[str] = Counter()

    def watch(self, rows: Iterable[PlacedRow]) -> Iterator[PlacedRow]:
        """Hand rows on."""
        for placed in rows:
            self.rows += 1
            if isinstance(placed.row, Record):
                self._count(placed.row)
            yield placed

    def _count(self, record: Record) -> None:
        for column, value in record.values.items():
            if column in self.columns or len(self.columns) < MOST_COLUMNS:
                self.columns[column] += not is_empty(value)


def load_draft(definition: Definition, *, data_folder: Path | None = None) -> Draft:
    """Read all that can be read of a benchmark's questions.

    Args:
        definition: of the benchmark.
        data_folder: where published sets lie on this machine.

    Raises:
        BenchmarkError: files are missing, or one can't be read at all.
    """
    definition, found = bring_here(definition, data_folder)
    tap, fields = Tap(), definition.fields
    examples: list[Question] = []
    problems: list[RowProblem] = []
    filtered: Counter[str] = Counter()
    rows = tap.watch(read_rows(found.paths, definition.source, groups=found.groups))
    asked = collect_questions(build_questions(rows, fields, examples, problems, filtered))
    rows = tap.watch(read_rows(found.examples, definition.source, groups=found.groups))
    shown = list(build_questions(rows, fields, examples, problems, filtered))
    return Draft(
        definition=definition,
        question_set=QuestionSet(questions=asked, examples=(*examples, *shown)),
        problems=tuple(problems),
        rows=tap.rows,
        columns=dict(tap.columns),
        filtered=dict(filtered),
    )
