"""Tables of predictions: a row for each reply, whatever wrote them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from evalkit.answers import Answer, Outcome, share_answer
from evalkit.benchmarks import Benchmark
from evalkit.errors import BenchmarkError, LogError, RowProblem
from evalkit.importers.columns import (
    LOOKED_AT,
    find_layout,
    read_question,
)
from evalkit.importers.entries import Entry
from evalkit.importers.files import as_entry, read_lines
from evalkit.importers.logged import (
    SCORED,
    LoggedReply,
    LogOptions,
    LogRun,
    UnknownLogError,
    as_score,
    as_utf8,
    make_response,
)
from evalkit.importers.lookup import QuestionLookup
from evalkit.importers.scored import reading_of_known, reading_of_score
from evalkit.importers.table_columns import as_number, find_places
from evalkit.importers.targets import find_named, split_answer
from evalkit.loaders.choices import is_empty
from evalkit.loaders.csv import read_csv
from evalkit.questions import Question
from evalkit.responses import RequestFailure, Response
from evalkit.runs.journal import SourceNote

NO_ERROR = ("false", "0", "0.0", "none", "nan", "null")
"""What a column of errors holds where there is none, as tables write it."""


def read_table(
    path: Path, options: LogOptions, notes: list[str]
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in a table as CSV, JSON lines, or a JSON list; a run for each model.

    Raises:
        LogError: it can't be read, or it is not clear what its columns mean.
    """
    if path.suffix.lower() in (".csv", ".tsv"):
        yield from read_rows(path, lambda: read_csv_rows(path), options, notes)
    else:
        yield from read_rows(path, lambda: read_lines(path), options, notes)


def read_list(
    top: list[Any], path: Path, options: LogOptions, notes: list[str]
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in a JSON list."""

    def open_rows() -> Iterator[Entry]:
        return (as_entry(row, path, f"[{number}]") for number, row in enumerate(top))

    yield from read_rows(path, open_rows, options, notes)


def read_csv_rows(path: Path) -> Iterator[Entry]:
    """The rows of a CSV or TSV file.

    Raises:
        LogError: a row can't be read.
    """
    try:
        for row in read_csv(path):
            if isinstance(row, RowProblem):
                reason = f"{row.field} = {row.value}: {row.remedy}"
                raise LogError(reason, path=path, place=row.line)
            yield Entry(path=path, place=row.line, values=row.values)
    except BenchmarkError as error:
        raise LogError(error.reason, path=path, place=error.line) from error


def read_rows(
    path: Path,
    open_rows: Callable[[], Iterable[Entry]],
    options: LogOptions,
    notes: list[str],
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in rows, which are read again and again.

    The first of them show what the columns mean, and all of them how their replies are numbered.
    """
    first = list(islice(open_rows(), LOOKED_AT))
    if not first:
        raise LogError("is empty: expected a row for each reply", path=path)
    reader = RowReader(path, first, options)
    reader.number_samples(open_rows())
    for entry in open_rows():
        if (found := reader.read(entry)) is not None:
            yield found
    doubt = None if reader.lookup is None else reader.lookup.check(path)
    if doubt is not None:
        notes.append(doubt)
    if reader.by_comparison:
        notes.append(
            "the table has no choices: right and wrong are told by whether prediction and answer "
            "are the same text"
        )


class RowReader:
    """Reads the rows of one table.

    Args:
        path: the file.
        first: its first rows, which show what the columns mean.
        options: how to read it.

    Raises:
        LogError: neither predictions nor scores can be found.
    """

    def __init__(self, path: Path, first: list[Entry], options: LogOptions) -> None:
        self.path, self.options = path, options
        self.places = find_places(first, options.columns)
        rows = [entry.values for entry in first]
        self.layout = find_layout(
            path,
            rows,
            options.columns,
            taken=self.places.taken,
            answer_is_needed=options.questions is None,
        )
        self.by_comparison = False
        self.lookup: QuestionLookup | None = None
        """None: the table holds the questions."""
        self.runs: dict[str, LogRun] = {}
        self.samples: dict[int, int] = {}
        """The place of each number of a reply among those that the table has."""
        self.seen: set[tuple[str, str, int]] = set()
        self.form = None if self.layout.fields is None else self.layout.fields.answer_is
        columns = ", ".join(map(repr, first[0].values))
        if self.places.predicted is None and self.places.score is None:
            raise UnknownLogError(
                f"no column of predictions or scores among {columns}; name one by --predicted or "
                "--score",
                path=path,
            )
        if options.questions is not None:
            self._look_up(options.questions, columns)
            return
        if self.layout.choices is not None and self.layout.fields and self.layout.answer is None:
            reason = f"no column of right answers among {columns}; name it by --answer"
            raise LogError(reason, path=path)
        if self.places.id is None and not self.layout.stem:
            reason = f"no column tells the question, by id or text, among {columns}; name --id"
            raise LogError(reason, path=path)

    def _look_up(self, benchmark: Benchmark, columns: str) -> None:
        """Take the questions from a benchmark.

        Raises:
            LogError: there are no ids to find them by.
        """
        if self.places.id is None:
            reason = f"no column of ids among {columns}, to find questions by; name it by --id"
            raise LogError(reason, path=self.path)
        self.form = self.options.columns.answer_is
        self.lookup = QuestionLookup(benchmark, self.layout, self.form)

    def read(self, entry: Entry) -> tuple[LogRun, LoggedReply] | None:
        """One row; None: its question is not in the benchmark that was named.

        Raises:
            LogError: a field is missing or holds something that can't be right.
        """
        name = "" if self.places.id is None else entry.name(self.places.id)
        if self.lookup is None:
            question = read_question(entry, self.layout, name=name)
        elif (known := self.lookup.find(name, entry)) is None:
            return None
        else:
            question = known
        model = self._model_of(entry)
        score = None if self.places.score is None else as_score(entry.values.get(self.places.score))
        predicted = self._predicted_of(entry)
        result = self._result_of(entry, predicted, score)
        is_scored_only = self.places.predicted is None
        reading: Answer | None = None
        if isinstance(result, Response):
            reading = self._reading_of(entry, question, predicted, score)
        reply = LoggedReply(
            question=question,
            result=result,
            source=SourceNote(id=name or " ".join(question.stem.split())[:60], score=score),
            sample_index=self._sample_of(entry, model, name or question.id),
            reading=reading,
            evidence="scores" if question.choices == SCORED or is_scored_only else "replies",
        )
        return self._run_of(model), reply

    def _run_of(self, model: str) -> LogRun:
        if model not in self.runs:
            asked = None if self.lookup is None else self.lookup.benchmark.definition
            own_name = self.path.name.partition(".")[0] if asked is None else asked.name
            self.runs[model] = LogRun(
                tool="",
                benchmark=self.options.benchmark or own_name,
                benchmark_version="" if asked is None else asked.version,
                model=model,
                score=self.places.score or "",
            )
        return self.runs[model]

    def _model_of(self, entry: Entry) -> str:
        if self.options.model is not None:
            return self.options.model
        return "unknown" if self.places.model is None else entry.name(self.places.model)

    def number_samples(self, rows: Iterable[Entry]) -> None:
        """Find out which numbers replies have: from 0, from 1, or others such as seeds.

        Raises:
            LogError: a row has none.
        """
        if self.places.sample is not None:
            numbers = {read_number(entry, self.places.sample) for entry in rows}
            self.samples = {number: place for place, number in enumerate(sorted(numbers))}

    def _sample_of(self, entry: Entry, model: str, name: str) -> int:
        """The number of the reply among those to its question, from 0.

        Raises:
            LogError: another row has it.
        """
        column = self.places.sample
        index = 0 if column is None else self.samples[read_number(entry, column)]
        key = (model, name, index)
        if key in self.seen:
            if column is not None:
                raise entry.fault(column, "the question has a row of this number already")
            column = self.places.id or ", ".join(self.layout.stem)
            remedy = "has a row already; name the column that numbers several replies by --sample"
            raise entry.fault(column, remedy)
        self.seen.add(key)
        return index

    def _predicted_of(self, entry: Entry) -> str | None:
        """The prediction as a text; None if there is none."""
        if self.places.predicted is None:
            return None
        value = entry.values.get(self.places.predicted)
        if isinstance(value, list):
            is_told = all(isinstance(each, str | int) for each in value)
            return ", ".join(map(str, value)) or None if is_told else None
        return None if is_empty(value) or isinstance(value, Mapping) else str(value)

    def _result_of(
        self, entry: Entry, predicted: str | None, score: float | None
    ) -> Response | RequestFailure:
        """The reply; a row that says nothing is one that failed, never a wrong answer."""
        error = None if self.places.error is None else entry.values.get(self.places.error)
        if not is_empty(error) and str(error).strip().casefold() not in NO_ERROR:
            message = as_utf8(str(error))
            return RequestFailure(kind="error", message=message[:200])
        is_told = predicted is not None or (self.places.predicted is None and score is not None)
        if not is_told:
            return RequestFailure(kind="no_output", message="the row has no prediction")
        return make_response(predicted or "")

    def _reading_of(
        self, entry: Entry, question: Question, predicted: str | None, score: float | None
    ) -> Answer | None:
        """The answer, where it is not to be read from the prediction."""
        if question.choices != SCORED:
            if predicted is not None:
                given = entry.values.get(self.places.predicted or "")
                return self._reading_of_list(
                    given if isinstance(given, list) else split_answer(predicted, question.choices),
                    question,
                )
            return reading_of_known(question, score, entry, self.places.score or "")
        if score is None and predicted is not None and self.layout.answer is not None:
            self.by_comparison = True
            right = entry.values.get(self.layout.answer)
            answer = ", ".join(map(str, right)) if isinstance(right, list) else str(right)
            score = float(as_compared(predicted) == as_compared(answer))
        return reading_of_score(score, entry, self.places.score or self.places.predicted or "")

    def _reading_of_list(self, given: list[Any], question: Question) -> Answer | None:
        """The choices that are predicted by position, where the right ones are too, or in a list.

        Returns:
            None: there is neither, so that the text tells.
        """
        form = self.form
        by_position = form in ("index0", "index1")
        if len(given) == 1 and not (by_position and is_position(given[0])):
            return None
        found = {
            int(each) - (form == "index1")
            if by_position and is_position(each)
            else find_named(each, question.choices)
            for each in given
        }
        places = [place for place in range(len(question.choices)) if place in found]
        if len(places) < len(found):
            return share_answer(Outcome.UNPARSED)
        return share_answer(Outcome.ANSWERED, tuple(places))


def read_number(entry: Entry, column: str) -> int:
    """The number of a reply.

    Raises:
        LogError: there is none.
    """
    number = as_number(entry.values.get(column))
    if number is None:
        remedy = "expected the number of a reply among those to its question; name the column of "
        raise entry.fault(column, f"{remedy}such numbers by --sample")
    return number


def is_position(value: object) -> bool:
    """Whether a prediction is a number that may be a position."""
    text = str(value).strip()
    return text.isdecimal() and len(text) < 3


def as_compared(text: str) -> list[str]:
    """A prediction or answer as far as it counts where there are no choices to look it up in.

    Example:
        >>> as_compared("C, A") == as_compared("a,c"), as_compared(" Rome, Italy ")
        (True, ['rome, italy'])
        >>> as_compared("3, 4") == as_compared("4, 3")
        False
    """
    parts = [part.casefold() for part in split_answer(text.strip(), ())]
    # Letters name a set of choices, numbers are a point or a pair.
    return sorted(parts) if all(map(str.isalpha, parts)) else parts
