"""The journal of a run: one line a response, appended in groups, never changed."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from evalkit.answers import Answer, Outcome
from evalkit.errors import RunError
from evalkit.requests import WAYS, Way
from evalkit.responses import RequestFailure, Response, Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """What became of one request."""

    request_id: str
    """evalkit's id of the request; the endpoint's own is in the response."""
    question_id: str
    way: Way
    result: Response | RequestFailure
    sample_index: int = 0
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
    """What the reply was read as, where its text is not kept."""
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
    table: dict[str, Any] = {
        "request": row.request_id,
        "question": row.question_id,
        "way": row.way,
        "sample": row.sample_index,
        **({"retake": True} if row.is_retake else {}),
        **({"batch": row.batch_id} if row.batch_id else {}),
        **({"reading": asdict(row.reading)} if row.reading else {}),
        **({} if row.is_bound else {"bound": False}),
        **({"lost_dollars": row.lost_dollars} if row.lost_dollars else {}),
        "attempts": row.attempts,
        "seconds": round(row.seconds, 4),
        "finished_at": round(row.finished_at, 3),
    }
    table["response" if row.is_response else "failure"] = asdict(row.result)
    return json.dumps(table, ensure_ascii=False, separators=(",", ":"))


def decode_row(line: str) -> JournalRow:
    """Read one line.

    Raises:
        ValueError: the line is no journal row.
    """
    try:
        table = json.loads(line)
        if table["way"] not in WAYS:
            raise ValueError(f"way {table['way']!r}")
        result: Response | RequestFailure
        if "response" in table:
            fields = table["response"]
            result = Response(**{**fields, "usage": Usage(**fields["usage"])})
        else:
            result = RequestFailure(**table["failure"])
        return JournalRow(
            request_id=table["request"],
            question_id=table["question"],
            way=table["way"],
            result=result,
            sample_index=table["sample"],
            is_retake=table.get("retake", False),
            batch_id=table.get("batch"),
            reading=decode_reading(table.get("reading")),
            is_bound=bool(table.get("bound", True)),
            lost_dollars=float(table.get("lost_dollars", 0.0)),
            attempts=table["attempts"],
            seconds=table["seconds"],
            finished_at=table["finished_at"],
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no journal row: {error}") from error


def decode_reading(table: Any) -> Answer | None:
    """The reading that stands in a row, if there is one."""
    if table is None:
        return None
    return Answer(outcome=Outcome(table["outcome"]), choice=table["choice"])


def read_journal(path: Path) -> Journal:
    """Read a journal, whatever a crash left of it.

    Raises:
        RunError: the file is there but can't be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Journal(rows=())
    except OSError as error:
        raise RunError(f"{path} can't be read: {error.strerror}") from error
    good_bytes = data.rfind(b"\n") + 1
    rows: dict[str, JournalRow] = {}
    garbled = []
    lost_dollars = 0.0
    for number, line in enumerate(data[:good_bytes].split(b"\n")[:-1], start=1):
        try:
            row = decode_row(line.decode())
        except ValueError:
            garbled.append(number)
            continue
        lost_dollars += row.lost_dollars
        if row.is_response or not (row.request_id in rows and rows[row.request_id].is_response):
            rows[row.request_id] = row
    return Journal(
        rows=tuple(rows.values()),
        garbled_lines=tuple(garbled),
        lost_dollars=lost_dollars,
        good_bytes=good_bytes,
    )


class JournalWriter:
    """Appends rows within `async with`; all that come in during one write go with the next.

    A row is on disk before `on_written` hears of it. What has been put is written even if the
    block is left by an error or by Ctrl-C.

    Args:
        path: the journal.
        good_bytes: what stands behind this place is cut off.
        on_written: called with each group, in the event loop.
    """

    def __init__(
        self,
        path: Path,
        *,
        good_bytes: int,
        on_written: Callable[[Sequence[JournalRow]], None],
    ) -> None:
        self.path, self.good_bytes, self.on_written = path, good_bytes, on_written
        self._waiting: list[JournalRow] = []
        self._arrived = asyncio.Event()
        self._closing = self._is_writing = False

    async def __aenter__(self) -> Self:
        self._file = self._open()
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
        try:
            await asyncio.shield(self._writing)
        finally:
            self._file.close()

    def put(self, row: JournalRow) -> None:
        """Take a row.

        Raises:
            RunError: an earlier group could not be written.
        """
        if self._writing.done():
            self._writing.result()
        self._waiting.append(row)
        self._arrived.set()

    async def flush(self) -> None:
        """Wait until all that has been put is on disk.

        Raises:
            RunError: it could not be written.
        """
        while self._waiting or self._is_writing:
            if self._writing.done():
                self._writing.result()
            await asyncio.sleep(0.01)

    def _open(self) -> IO[bytes]:
        """Open the journal for appending, without a torn last line.

        Unbuffered: a write that fails must not be tried again when the file is closed.
        """
        try:
            with ExitStack() as stack:
                file = stack.enter_context(self.path.open("ab", buffering=0))
                if file.seek(0, os.SEEK_END) > self.good_bytes:
                    file.truncate(self.good_bytes)
                stack.pop_all()
        except OSError as error:
            raise RunError(f"{self.path} can't be written: {error.strerror}") from error
        return file

    async def _write_groups(self) -> None:
        """Write whatever has come in, until there is no more to come."""
        while not (self._closing and not self._waiting):
            await self._arrived.wait()
            self._arrived.clear()
            rows, self._waiting = self._waiting, []
            if rows:
                self._is_writing = True
                await asyncio.to_thread(self._write, rows)
                self._is_writing = False
                self.on_written(rows)

    def _write(self, rows: Iterable[JournalRow]) -> None:
        """Write one group and wait until the disk has it."""
        data = memoryview("".join(f"{encode_row(row)}\n" for row in rows).encode())
        try:
            while data:
                data = data[self._file.write(data) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            text = f"{self.path} can't be written: {error.strerror}; the answers so far are kept"
            raise RunError(text) from error
