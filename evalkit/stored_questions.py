"""Questions in a file instead of in memory, for sets so large that they would fill it."""

from __future__ import annotations

import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice, pairwise
from threading import Lock
from typing import IO, overload

from evalkit.errors import BenchmarkError
from evalkit.question_lines import decode_question, encode_question
from evalkit.questions import Question

MOST_IN_MEMORY = 50_000
"""So many questions are kept in memory: reading one back takes some microseconds each time."""

LINES_AT_ONCE = 256


def collect_questions(
    questions: Iterable[Question], *, have_different_ids: bool = False
) -> Sequence[Question]:
    """Keep questions: in memory, or in a file if there are more than `MOST_IN_MEMORY`.

    Args:
        questions: to be kept.
        have_different_ids: whether it is known that no two of them have the same id.

    Raises:
        BenchmarkError: there is no room for the file.
    """
    rest = iter(questions)
    first = tuple(islice(rest, MOST_IN_MEMORY))
    further = next(rest, None)
    if further is None:
        return first
    return StoredQuestions((*first, further), rest, have_different_ids=have_different_ids)


class StoredQuestions(Sequence[Question]):
    """Questions in a temporary file, of which none stays in memory.

    The file has no name and goes when nobody uses the questions any more. May be read by several
    threads.

    Args:
        parts: all questions, part after part.
        have_different_ids: whether it is known that no two of them have the same id, so that it
            need not be found out by reading all of them.

    Raises:
        BenchmarkError: there is no room for the file.
    """

    def __init__(self, *parts: Iterable[Question], have_different_ids: bool = False) -> None:
        self.have_different_ids = have_different_ids
        self.several = 0
        """How many of them have several right choices."""
        self._ends = array("Q", [0])
        """Where each line ends; the first begins at 0."""
        self._lock = Lock()
        try:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as this)
            weakref.finalize(self, close, self._file)
            self._write(chain.from_iterable(parts))
        except OSError as error:
            raise BenchmarkError(
                f"no room for the questions in {tempfile.gettempdir()}: {error.strerror}; make "
                "room, or name another folder by TMPDIR"
            ) from error

    def _write(self, questions: Iterable[Question]) -> None:
        end = 0
        for question in questions:
            end += self._file.write(encode_question(question, with_metadata=True))
            self._ends.append(end)
            self.several += not question.has_one_answer
        self._file.flush()

    def _read(self, first: int, last: int) -> bytes:
        """The lines from one to before another."""
        with self._lock:
            self._file.seek(self._ends[first])
            return self._file.read(self._ends[last] - self._ends[first])

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> Question: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Question, ...]: ...
    def __getitem__(self, place: int | slice) -> Question | tuple[Question, ...]:
        if isinstance(place, slice):
            first, last, step = place.indices(len(self))
            if step == 1 and first < last:
                return tuple(self._list_between(first, last))
            return tuple(self[number] for number in range(first, last, step))
        number = range(len(self))[place]
        return decode_question(self._read(number, number + 1))

    def __iter__(self) -> Iterator[Question]:
        for first in range(0, len(self), LINES_AT_ONCE):
            yield from self._list_between(first, min(first + LINES_AT_ONCE, len(self)))

    def _list_between(self, first: int, last: int) -> Iterator[Question]:
        """The questions from one to before another."""
        data, start = memoryview(self._read(first, last)), self._ends[first]
        for begin, end in pairwise(self._ends[first : last + 1]):
            yield decode_question(data[begin - start : end - start])


def close(file: IO[bytes]) -> None:
    """Let go of a file; what could not be written is of no use any more."""
    with suppress(OSError):
        file.close()
