"""What happens while models are asked, as log records: lines of JSON, or a trace to look at.

Everything goes through the logger `evalkit` of the standard library, with the facts of a record as
its attributes. Nothing that is logged holds a key, nor what was asked or answered.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from evalkit.errors import UsageError

LOGGER = logging.getLogger("evalkit")
LOGGER.addHandler(logging.NullHandler())  # else Python prints warnings where nobody listens

FACTS = "facts"
"""The attribute of a record that holds what it tells, as a mapping."""

MICROSECONDS = 1_000_000


def log_event(level: int, event: str, **facts: Any) -> None:
    """Log something that happened.

    Args:
        level: of `logging`.
        event: one word.
        facts: numbers and texts that say more; `request` names the request it is about.
    """
    if LOGGER.isEnabledFor(level):
        words = " ".join(f"{name}={value}" for name, value in facts.items())
        LOGGER.log(level, "%s %s", event, words, extra={FACTS: {"event": event, **facts}})


class JsonLines(logging.Formatter):
    """One record as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The facts, or the message of a record that has none."""
        facts = getattr(record, FACTS, {"event": "message", "message": record.getMessage()})
        head = {"at": round(record.created, 6), "level": record.levelname.lower()}
        return json.dumps({**head, **facts}, ensure_ascii=False, default=str)


class Trace(logging.Formatter):
    """One attempt as an event of the Trace Event Format, which Perfetto and Chrome show.

    An attempt stands in a row of its own for as long as it is under way.

    Source: Trace Event Format, "Complete Events".
    """

    def __init__(self) -> None:
        super().__init__()
        self._busy_until: list[float] = []
        """When the last attempt of each row ends."""

    def format(self, record: logging.LogRecord) -> str:
        """The event, and the comma that follows it."""
        facts = dict(getattr(record, FACTS))
        started, seconds = facts.pop("started"), facts.pop("seconds")
        event = {
            "name": str(facts.get("outcome", "")),
            "ph": "X",
            "pid": 1,
            "tid": self._find_row(started, started + seconds),
            "ts": round(started * MICROSECONDS),
            "dur": round(seconds * MICROSECONDS),
            "args": facts,
        }
        return f"{json.dumps(event, default=str)},"

    def _find_row(self, start: float, end: float) -> int:
        """A row that is free by then."""
        for row, until in enumerate(self._busy_until):
            if until <= start:
                self._busy_until[row] = end
                return row
        self._busy_until.append(end)
        return len(self._busy_until) - 1


class FileHandler(logging.StreamHandler[IO[str]]):
    """Writes records to a file until that takes no more, as on a full disk, and says so once.

    What is asked meanwhile is worth more than a record of it.
    """

    def __init__(self, file: IO[str], warn: Callable[[str], object]) -> None:
        super().__init__(file)
        self._warn = warn
        self._is_full = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, unless one before could not be written."""
        if not self._is_full:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Say why a record can't be written, instead of a traceback for each."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self._is_full = True
        self._warn(f"{self.stream.name} ends early: {error.strerror}; all else goes on")


@contextmanager
def log_to(path: Path | None, warn: Callable[[str], object]) -> Iterator[None]:
    """Write all records into a file within the block, as lines of JSON; None: no file.

    Args:
        path: the file.
        warn: told once, if the file takes no more of them.

    Raises:
        UsageError: the file can't be written.
    """
    if path is None:
        yield
        return
    with open_log(path) as file, handling(file, JsonLines(), warn):
        yield


@contextmanager
def trace_to(path: Path | None, warn: Callable[[str], object]) -> Iterator[None]:
    """Write the times of all attempts into a file within the block; None: no file.

    Args:
        path: the file.
        warn: told once, if the file takes no more of them.

    Raises:
        UsageError: the file can't be written.
    """
    if path is None:
        yield
        return
    with open_log(path) as file:
        # Readers take a list whose end is missing, as a killed process leaves it.
        file.write("[\n")
        try:
            with handling(file, Trace(), warn, only="attempt"):
                yield
        finally:
            file.write("{}]\n")


@contextmanager
def open_log(path: Path) -> Iterator[IO[str]]:
    """Open a file for records within the block.

    Raises:
        UsageError: it can't be written.
    """
    try:
        file = path.open("w", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}") from error
    try:
        yield file
    finally:
        with suppress(OSError):  # what a full disk does not take, the handler has said
            file.close()


@contextmanager
def handling(
    file: IO[str],
    form: logging.Formatter,
    warn: Callable[[str], object],
    only: str | None = None,
) -> Iterator[None]:
    """Write records to a file within the block.

    Args:
        file: where to.
        form: turns a record into a line.
        warn: told once, if the file takes no more of them.
        only: the event to write; None: all.
    """
    handler = FileHandler(file, warn)
    handler.setFormatter(form)
    if only is not None:
        handler.addFilter(lambda record: getattr(record, FACTS, {}).get("event") == only)
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
