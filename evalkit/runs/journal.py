"""The journal of a run: one line a response, appended in groups, never changed."""

from __future__ import annotations

import asyncio
import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern
from types import TracebackType
from typing import Any, Self

import orjson

from evalkit.answers import Answer, Outcome, share_answer
from evalkit.errors import RunError
from evalkit.questions import MAX_CHOICES, Order
from evalkit.requests import WAYS, Way
from evalkit.responses import RequestFailure, Response, Usage

GROUP_SECONDS = 0.2
"""So long a row waits for others that are written with it."""

GROUP_ROWS = 1000
"""So many rows wait for no more."""

CHUNK_BYTES = 1 << 18
"""So much is read at once."""

WAY_BY_NAME: Mapping[str, Way] = {way: way for way in WAYS}
NUMBERS = frozenset((int, float))
COUNTS = frozenset((int, type(None)))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNote:
    """What the log of another tool says of a reply, beside the reply itself."""

    id: str
    """What the tool calls the question."""
    score: float | None = None
    """The tool's own, 1 for right and 0 for wrong; None: it gave none."""
    answer: str | None = None
    """What the tool took the reply for; None: it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """What became of one request."""

    request_id: str
    """evalkit's id of the request; the endpoint's own is in the response."""
    question_id: str
    way: Way
    result: Response | RequestFailure
    sample_index: int = 0
    order: Order | None = None
    """The order in which the choices were shown; None: the set's own."""
    is_retake: bool = False
    """Asked once more with more room; it counts instead of the one that was cut off."""
    attempts: int = 1
    seconds: float = 0.0
    """From the first attempt to the last reply, waits included."""
    finished_at: float = 0.0
    """Seconds since 1970."""
    batch_id: str | None = None
    """The Message Batch that it came in."""
    reading: Answer | None = None
    """What the reply was read as, where that can't be told from its text: it is not kept, or
    another tool asked and took something else for the answer; the choice by its position in the
    set's own order."""
    source: SourceNote | None = None
    """Of an imported run: what the log says beside the reply."""
    is_bound: bool = True
    """Whether the reply keeps to its schema or tool, where its text is not kept."""
    lost_dollars: float = 0.0
    """What attempts without a reply may have cost at most, where there is a budget."""

    @property
    def is_response(self) -> bool:
        """Whether a message came back."""
        return isinstance(self.result, Response)

    @property
    def is_futile(self) -> bool:
        """Whether it asks for more room than the endpoint gives, however often it is sent."""
        refused = isinstance(self.result, RequestFailure) and self.result.kind == "invalid_request"
        return self.is_retake and refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What could be read of a journal."""

    rows: tuple[JournalRow, ...]
    """The last row of each request; a response is never replaced by a failure."""
    garbled_lines: tuple[int, ...] = ()
    """Lines that can't be read, counted from 1; their questions are asked again."""
    lost_dollars: float = 0.0
    """What attempts without a reply may have cost, those of replaced rows included."""
    good_bytes: int = 0
    """Where the next row belongs: behind a torn last line there is nothing to keep."""


def encode_row(row: JournalRow) -> str:
    """One line, without its line break."""
    return encode_line(row).decode()


def encode_line(row: JournalRow) -> bytes:
    """One line as it stands in the file, without its line break."""
    table: dict[str, Any] = {
        "request": row.request_id,
        "question": row.question_id,
        "way": row.way,
        "sample": row.sample_index,
    }
    if row.order is not None:
        table["order"] = row.order
    if row.is_retake:
        table["retake"] = True
    if row.batch_id:
        table["batch"] = row.batch_id
    if row.reading:
        table["reading"] = row.reading
    if row.source:
        table["source"] = row.source
    if not row.is_bound:
        table["bound"] = False
    if row.lost_dollars:
        table["lost_dollars"] = row.lost_dollars
    table["attempts"] = row.attempts
    table["seconds"] = round(row.seconds, 4)
    table["finished_at"] = round(row.finished_at, 3)
    table["response" if row.is_response else "failure"] = row.result
    try:
        # It writes no number that is none, and would write null in its place.
        if math.isfinite(row.seconds + row.finished_at + row.lost_dollars):
            return orjson.dumps(table)
    except TypeError:
        pass  # a lone surrogate, or a count of more than 64 bits
    return json.dumps(table, default=asdict, separators=(",", ":")).encode()


def decode_row(line: str | bytes) -> JournalRow:
    """Read one line.

    Raises:
        ValueError: the line is no journal row.
    """
    try:
        try:
            return parse_row(orjson.loads(line))
        except ValueError:
            # What orjson does not take, or takes for a rough number, Python's own reader may.
            return parse_row(json.loads(line if isinstance(line, str) else line.decode()))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no journal row: {error}") from error


def parse_row(table: Any) -> JournalRow:
    """The row that a line's JSON stands for; texts that repeat are the same object in all rows.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: it is no row.
    """
    if (way := WAY_BY_NAME.get(table["way"])) is None:
        raise ValueError(f"way {table['way']!r}")
    lost = table.get("lost_dollars", 0.0)
    if not (
        type(table["request"]) is type(table["question"]) is str
        and type(table["sample"]) is type(table["attempts"]) is int
        and {type(table["seconds"]), type(table["finished_at"]), type(lost)} <= NUMBERS
    ):
        raise ValueError("a field has another type")
    batch = table.get("batch")
    return JournalRow(
        request_id=table["request"],
        question_id=table["question"],
        way=way,
        result=parse_response(table["response"])
        if "response" in table
        else parse_failure(table["failure"]),
        sample_index=table["sample"],
        order=parse_order(table.get("order")),
        is_retake=bool(table.get("retake", False)),
        batch_id=batch and intern(batch),
        reading=parse_reading(table.get("reading")),
        source=parse_source(table.get("source")),
        is_bound=bool(table.get("bound", True)),
        lost_dollars=float(lost),
        attempts=table["attempts"],
        seconds=table["seconds"],
        finished_at=table["finished_at"],
    )


def parse_response(fields: dict[str, Any]) -> Response:
    """The response in a row's JSON, which is used up."""
    fields["usage"] = share_usage(**fields["usage"])
    for name in ("stop_reason", "model", "refusal_category"):
        if fields.get(name) is not None:
            fields[name] = intern(fields[name])
    response = Response(**fields)
    if type(response.text) is not str:
        raise ValueError("the text is none")
    return response


@lru_cache(maxsize=4096, typed=True)
def share_usage(**counts: int | None) -> Usage:
    """Token counts, the same object for the same counts."""
    if not {type(count) for count in counts.values()} <= COUNTS:
        raise ValueError("a count of tokens is no whole number")
    return Usage(**counts)


def parse_failure(fields: dict[str, Any]) -> RequestFailure:
    """The failure in a row's JSON, which is used up."""
    fields["kind"], fields["message"] = intern(fields["kind"]), intern(fields["message"])
    return RequestFailure(**fields)


def parse_order(places: Any) -> Order | None:
    """The order that stands in a row, if there is one."""
    if places is None:
        return None
    if {type(place) for place in places} != {int}:
        raise ValueError(f"order {places!r}")
    return share_order(*places)


@lru_cache(maxsize=4096)
def share_order(*places: int) -> Order:
    """An order, the same object for the same one.

    Raises:
        ValueError: a choice is missing, or stands there twice.
    """
    if sorted(places) != list(range(len(places))):
        raise ValueError(f"order {places}")
    return places


def parse_reading(table: Any) -> Answer | None:
    """The reading that stands in a row, if there is one."""
    if table is None:
        return None
    choice = table["choice"]
    if choice is None:
        return share_answer(Outcome(table["outcome"]))
    for place in choice if isinstance(choice, list) else [choice]:
        if type(place) is not int or not 0 <= place < MAX_CHOICES:
            raise ValueError(f"choice {choice!r}")
    picked = tuple(choice) if isinstance(choice, list) else choice
    return share_answer(Outcome(table["outcome"]), picked)


def parse_source(table: Any) -> SourceNote | None:
    """What another tool's log said, if the row has it."""
    if table is None:
        return None
    note = SourceNote(**table)
    is_text = isinstance(note.id, str) and isinstance(note.answer, str | None)
    if not is_text or type(note.score) not in (int, float, type(None)):
        raise ValueError("a note of the source has another type")
    return note


class JournalReader:
    """Reads a journal row after row, whatever a crash left of it, without holding it in memory.

    Each iteration reads the file anew. At its end the attributes say what there was beside rows.

    Args:
        path: the journal; one that is not there is empty.

    Example:
        >>> list(JournalReader(Path("nowhere/responses.jsonl")))
        []
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.garbled_lines: list[int] = []
        """Lines that can't be read, counted from 1."""
        self.good_bytes = 0
        """Where the next row belongs: behind a torn last line there is nothing to keep."""
        self.line = 0
        """The number of the line that was read last."""
        self.start = 0
        """Where that line begins, in bytes."""

    def __iter__(self) -> Iterator[JournalRow]:
        """All rows that can be read, in the order of the file.

        Raises:
            RunError: the file is there but can't be read.
        """
        self.garbled_lines, self.good_bytes, self.line, self.start = [], 0, 0, 0
        try:
            with self.path.open("rb", buffering=CHUNK_BYTES) as file:
                for line in file:
                    if not line.endswith(b"\n"):
                        break  # torn: its row was never reported as written
                    self.line += 1
                    self.start = self.good_bytes
                    self.good_bytes += len(line)
                    try:
                        row = decode_row(line)
                    except ValueError:
                        self.garbled_lines.append(self.line)
                        continue
                    yield row
        except FileNotFoundError:
            return
        except OSError as error:
            raise RunError(f"{self.path} can't be read: {error.strerror}") from error


def read_journal(path: Path) -> Journal:
    """Read a journal, whatever a crash left of it.

    Raises:
        RunError: the file is there but can't be read.
    """
    reader = JournalReader(path)
    rows: dict[str, JournalRow] = {}
    lost_dollars = 0.0
    for row in reader:
        lost_dollars += row.lost_dollars
        keep_latest(rows, row)
    return Journal(
        rows=tuple(rows.values()),
        garbled_lines=tuple(reader.garbled_lines),
        lost_dollars=lost_dollars,
        good_bytes=reader.good_bytes,
    )


def keep_latest(rows: dict[str, JournalRow], row: JournalRow) -> None:
    """Put a row in place of an earlier one of its request; no failure replaces a response.

    Args:
        rows: by request.
        row: the next in the journal.
    """
    earlier = rows.get(row.request_id)
    if earlier is None or row.is_response or not earlier.is_response:
        rows[row.request_id] = row


class RowWriter(ABC):
    """Writes rows within `async with`, a group at a time.

    A group is written when its first row has waited for `group_seconds`, or when it has
    `GROUP_ROWS`. A row is on disk before `on_written` hears of it. What has been put is written
    even if the block is left by an error or by Ctrl-C. Nothing here blocks the event loop.

    Args:
        on_written: called with each group, in the event loop.
        group_seconds: so long a row waits for others.
    """

    def __init__(
        self,
        on_written: Callable[[Sequence[JournalRow]], None],
        *,
        group_seconds: float = GROUP_SECONDS,
    ) -> None:
        self.on_written, self.group_seconds = on_written, group_seconds
        self._waiting: list[JournalRow] = []
        self._put = self._written = 0
        self._due = 0.0
        """When the first row that waits has waited long enough, by the clock of the event loop."""
        self._arrived, self._urgent, self._moved = (asyncio.Event() for _ in range(3))
        self._closing = False

    @abstractmethod
    def _open(self) -> None:
        """Make ready to write."""

    @abstractmethod
    def _append(self, data: bytes) -> None:
        """Write whole lines, and return when they are safe; runs in a thread."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of what was opened."""

    async def __aenter__(self) -> Self:
        self._open()
        self._writing = asyncio.create_task(self._write_groups())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing = True
        self._arrived.set()
        self._urgent.set()
        interrupted: asyncio.CancelledError | None = None
        while not self._writing.done():
            try:
                await asyncio.wait([self._writing])
            except asyncio.CancelledError as again:
                interrupted = again  # not before the disk has what was put
        self._close()
        self._writing.result()
        if interrupted is not None:
            raise interrupted

    def put(self, row: JournalRow) -> None:
        """Take a row.

        Raises:
            RunError: an earlier group could not be written.
        """
        if self._writing.done():
            self._writing.result()
        if not self._waiting:
            self._due = asyncio.get_running_loop().time() + self.group_seconds
        self._waiting.append(row)
        self._put += 1
        self._arrived.set()
        if len(self._waiting) >= GROUP_ROWS:
            self._urgent.set()

    async def flush(self) -> None:
        """Write all that has been put at once, and wait until it is on disk.

        Raises:
            RunError: it could not be written.
        """
        wanted = self._put
        while self._written < wanted:
            if self._writing.done():
                self._writing.result()
            self._urgent.set()
            self._moved.clear()
            await self._moved.wait()

    async def _write_groups(self) -> None:
        """Write group after group, until there is no more to come."""
        try:
            while not self._closing or self._waiting:
                await self._arrived.wait()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._due):
                        await self._urgent.wait()
                self._arrived.clear()
                if not self._closing:
                    self._urgent.clear()
                rows, self._waiting = self._waiting, []
                if rows:
                    await asyncio.to_thread(self._write, rows)
                    self._written += len(rows)
                    self.on_written(rows)
                    self._moved.set()
        finally:
            self._moved.set()

    def _write(self, rows: Iterable[JournalRow]) -> None:
        """Write one group."""
        self._append(b"".join(b"%b\n" % encode_line(row) for row in rows))


class JournalWriter(RowWriter):
    """Appends rows to a journal: one write, one wait for the disk for each group.

    Args:
        path: the journal.
        good_bytes: what stands behind this place is cut off.
        on_written: called with each group, in the event loop.
        group_seconds: so long a row waits for others.
    """

    def __init__(
        self,
        path: Path,
        *,
        good_bytes: int,
        on_written: Callable[[Sequence[JournalRow]], None],
        group_seconds: float = GROUP_SECONDS,
    ) -> None:
        super().__init__(on_written, group_seconds=group_seconds)
        self.path, self.good_bytes = path, good_bytes

    def _open(self) -> None:
        """Open the journal for appending, without a torn last line.

        Unbuffered: a write that fails must not be tried again when the file is closed.
        """
        try:
            with ExitStack() as stack:
                self._file = stack.enter_context(self.path.open("ab", buffering=0))
                if self._file.seek(0, os.SEEK_END) > self.good_bytes:
                    self._file.truncate(self.good_bytes)
                stack.pop_all()
        except OSError as error:
            raise RunError(f"{self.path} can't be written: {error.strerror}") from error

    def _append(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            text = f"{self.path} can't be written: {error.strerror}; the answers so far are kept"
            raise RunError(text) from error

    def _close(self) -> None:
        self._file.close()
