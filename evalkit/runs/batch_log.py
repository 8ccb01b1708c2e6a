"""The log of a run's Message Batches: which requests were handed over, written before they are."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import RunError, RunFormatError


@dataclass(kw_only=True, eq=False)
class Handover:
    """One batch as the log of a run knows it."""

    number: int
    """Its place in the log, from 0."""
    requests: tuple[str, ...]
    """Ids of the requests in it."""
    at: float
    """Seconds since 1970."""
    files: tuple[str, ...] = ()
    """Uploaded files that its requests name; empty once they are no concern of this run."""
    batch_id: str | None = None
    """None: the process ended before the endpoint's answer was on disk."""
    strangers: set[str] = field(default_factory=set)
    """Batches that were taken for this one, until their results showed otherwise."""
    is_over: bool = False
    """Collected, or known never to have come into being."""


@dataclass(kw_only=True, eq=False)
class BatchLog:
    """What was handed over and what became of it; each step is on disk before it counts.

    Without the line that announces it, nothing was handed over. Without the line that closes it, a
    batch may have answers that are not in the journal.
    """

    path: Path
    handovers: list[Handover] = field(default_factory=list)
    good_bytes: int = 0
    """Where the next line belongs: a torn last line told nothing that was done."""

    @property
    def open(self) -> list[Handover]:
        """What may still have answers that are not in the journal."""
        return [handover for handover in self.handovers if not handover.is_over]

    @property
    def batch_ids(self) -> set[str]:
        """Ids of all batches of the run, under way or over."""
        return {one.batch_id for one in self.handovers if one.batch_id is not None}

    @property
    def files_in_use(self) -> set[str]:
        """Uploaded files that a batch may still need."""
        return {name for handover in self.open for name in handover.files}

    @property
    def files_left(self) -> set[str]:
        """Uploaded files that no batch needs any more, and that were not deleted yet."""
        over = {name for one in self.handovers if one.is_over for name in one.files}
        return over - self.files_in_use

    def begin(self, requests: Sequence[str], files: Iterable[str] = ()) -> Handover:
        """Note that a batch is about to be handed over."""
        line = {"event": "submitting", "requests": list(requests), "files": sorted(files)}
        self._note(line)
        return self.handovers[-1]

    def name(self, handover: Handover, batch_id: str) -> None:
        """Note the id of a batch."""
        self._note({"event": "created", "number": handover.number, "id": batch_id})

    def disown(self, handover: Handover) -> None:
        """Note that another's batch was taken for this one."""
        self._note({"event": "stranger", "number": handover.number})

    def close(self, handover: Handover, event: str) -> None:
        """Note that nothing more will come of a batch: it was collected, refused, or is gone."""
        self._note({"event": event, "number": handover.number})

    def clear_files(self) -> None:
        """Note that the files are deleted that no batch needs any more."""
        self._note({"event": "cleared"})

    def _note(self, line: Mapping[str, Any]) -> None:
        """Write a line down, then do what it says."""
        line = {**line, "at": time.time()}
        self._append(f"{json.dumps(line)}\n".encode())
        self.apply(line)

    def apply(self, line: Mapping[str, Any]) -> None:
        """Do what a line says.

        Raises:
            ValueError, KeyError, TypeError, IndexError: it is none of this log.
        """
        event = line["event"]
        if event == "submitting":
            handover = Handover(
                number=len(self.handovers),
                requests=tuple(line["requests"]),
                files=tuple(line["files"]),
                at=float(line["at"]),
            )
            self.handovers.append(handover)
            return
        if event == "cleared":
            for handover in self.handovers:
                handover.files = () if handover.is_over else handover.files
            return
        handover = self.handovers[line["number"]]
        match event:
            case "created":
                handover.batch_id = str(line["id"])
            case "stranger":
                handover.strangers.add(str(handover.batch_id))
                handover.batch_id = None
            case "collected" | "lost" | "gone":
                handover.is_over = True
            case "refused":
                # The process that uploaded its files is there to delete them.
                handover.is_over, handover.files = True, ()
            case _:
                raise ValueError(f"event {event!r}")

    def _append(self, data: bytes) -> None:
        """Write a line and wait until the disk has it."""
        try:
            with self.path.open("ab") as file:
                if file.tell() > self.good_bytes:
                    file.truncate(self.good_bytes)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RunError(f"{self.path} can't be written: {error.strerror}") from error
        self.good_bytes += len(data)


def read_batch_log(path: Path) -> BatchLog:
    """Read a log, if there is one; nothing is changed on disk.

    Raises:
        RunError: the file is there but can't be read.
        RunFormatError: it is no such log.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return BatchLog(path=path)
    except OSError as error:
        raise RunError(f"{path} can't be read: {error.strerror}") from error
    log = BatchLog(path=path, good_bytes=data.rfind(b"\n") + 1)
    for number, line in enumerate(data[: log.good_bytes].split(b"\n")[:-1], 1):
        try:
            log.apply(json.loads(line))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise RunFormatError(
                f"{path}:{number} can't be read ({error}); `evalkit batches --all` lists what the "
                "endpoint has. Without this file, what it has is asked, and paid for, again"
            ) from error
    return log
