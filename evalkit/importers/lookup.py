"""The questions of a table that has no texts, found in a benchmark by their ids."""

from __future__ import annotations

from pathlib import Path

from evalkit.benchmarks import Benchmark
from evalkit.errors import LogError
from evalkit.importers.columns import Layout, as_cells
from evalkit.importers.entries import Entry
from evalkit.importers.targets import find_named, split_answer
from evalkit.loaders.choices import FieldError
from evalkit.loaders.fields import AnswerForm
from evalkit.loaders.records import Record, shorten
from evalkit.questions import Question, number_questions

SHOWN = 3
"""Ids that are named of those that are not there."""


class QuestionLookup:
    """Finds the questions of one table, and counts what speaks against their being the same.

    Args:
        benchmark: which holds them.
        layout: what the columns of the table mean.
        answer_is: how the table writes its answers, as far as the user says so.
    """

    def __init__(self, benchmark: Benchmark, layout: Layout, answer_is: AnswerForm | None) -> None:
        self.benchmark, self.layout, self.answer_is = benchmark, layout, answer_is
        self._questions = benchmark.question_set.questions
        self._places = number_questions(self._questions)
        self._rows = self._unknown = self._compared = self._differing = 0
        self._examples: dict[str, None] = {}

    def find(self, name: str, entry: Entry) -> Question | None:
        """The question of a row; None: the benchmark has no such id, which `check` tells of.

        Raises:
            LogError: the row has the same choices in another order, so that letters mean others.
        """
        self._rows += 1
        place = self._places.get(name)
        if place is None:
            self._unknown += 1
            if len(self._examples) < SHOWN:
                self._examples[name] = None
            return None
        question = self._questions[place]
        record = Record(0, as_cells(entry.values))
        self._compare_choices(question, record, entry)
        self._compare_answer(question, record)
        return question

    def _compare_choices(self, question: Question, record: Record, entry: Entry) -> None:
        try:
            shown = self.layout.choices and self.layout.choices.find(record).texts
        except FieldError:
            return  # the columns are no choices
        if shown and shown != question.choices and sorted(shown) == sorted(question.choices):
            raise LogError(
                f"question {question.id} has its choices in another order than "
                f"{self.benchmark.name}, so that its letters mean others: leave out --questions, "
                "and name the columns",
                path=entry.path,
                place=entry.place,
            )

    def _compare_answer(self, question: Question, record: Record) -> None:
        """Hold the table's right answer against the benchmark's, if it names one by itself."""
        value = None if self.layout.answer is None else record.get(self.layout.answer)
        named = value if isinstance(value, list) else split_answer(str(value), question.choices)
        places = [self._find_place(each, question) for each in named]
        known = sorted({place for place in places if place is not None})
        if known and len(known) == len(places):
            self._compared += 1
            self._differing += tuple(known) != question.right

    def _find_place(self, name: object, question: Question) -> int | None:
        """The choice that an answer names; None: none, or a position that may count from 0 or 1."""
        text = str(name).strip()
        if self.answer_is in ("index0", "index1") and text.isdecimal() and len(text) < 3:
            return int(text) - (self.answer_is == "index1")
        return find_named(text, question.choices)

    def check(self, path: Path) -> str | None:
        """Refuse a table whose questions are not those of the benchmark.

        Args:
            path: of the table.

        Returns:
            What has to be known of it; None: nothing.

        Raises:
            LogError: ids are not in the benchmark, or most right answers are others.
        """
        name = self.benchmark.name
        if self._unknown:
            more = ", ..." if self._unknown > len(self._examples) else ""
            there = shorten(self._questions[0].id)
            raise LogError(
                f"{self._unknown:,} of {self._rows:,} rows have ids that are not in {name}: "
                f"{', '.join(map(shorten, self._examples))}{more}; its own are such as {there}. "
                "Name the column of ids by --id, or the benchmark that was asked by --questions",
                path=path,
            )
        words = f"{self._differing:,} of {self._compared:,} right answers in the table are others"
        if 2 * self._differing > self._compared:
            raise LogError(
                f"{words} than those of {name}: are its ids those of {name} (--id, --questions)?",
                path=path,
            )
        return f"{words} than those of {name}, which count" if self._differing else None
