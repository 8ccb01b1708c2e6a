"""What the list of runs says of each, from its manifest and summary: no journal is read."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import orjson

from evalkit.errors import RunFormatError
from evalkit.orders import design_of
from evalkit.runs.folder import JOURNAL, MANIFEST, SUMMARY
from evalkit.runs.gate_files import RECORDS
from evalkit.runs.manifest import Manifest, parse_manifest
from evalkit.stats.verdicts import Verdict
from evalkit.view.shelf import Mark, Shelf, Shelved

COMPLETE, UNDER_WAY, INCOMPLETE, DAMAGED = "complete", "under way", "incomplete", "damaged"

STOPPED = "stopped early"
"""By a gate, whose verdict was clear."""

QUIET_SECONDS = 120.0
"""A run that has written nothing for so long is taken to be under way no more."""

PEEK_BYTES = 1 << 14
"""So much of a journal tells how long its lines are."""

UNREADABLE = "unreadable"
"""What is told of a gate whose record can't be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One run in the list; texts are untrusted."""

    name: str
    """Of its folder."""
    state: str
    benchmark: str = ""
    model: str = ""
    way: str = ""
    details: str = ""
    """What else tells it from other runs, in a few words."""
    created_at: str = ""
    """ISO 8601."""
    questions: int | None = None
    n: int | None = None
    """Questions with a reply."""
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None
    cost: float | None = None
    """Dollars."""
    progress: float | None = None
    """About which share of the replies is there, of a run that is not complete."""
    gates: tuple[str, ...] = ()
    """The verdict of each gate; empty as long as there is none."""
    written_at: float = 0.0
    """When its journal has grown last, in seconds since 1970."""
    problem: str = ""
    """What is wrong with it."""


Marks = dict[str, Mark]
"""Of the files of a run, by name."""


class Listing:
    """The list of runs, which reads again only what has changed; may be used by several threads.

    Args:
        shelf: where the runs are.
        clock: seconds since 1970.
    """

    def __init__(self, shelf: Shelf, clock: Callable[[], float] = time.time) -> None:
        self.shelf, self.clock = shelf, clock
        self._known: dict[str, tuple[Marks, Listed]] = {}
        self._lock = threading.Lock()

    def list_all(self) -> list[Listed]:
        """All runs as they are now, the newest first."""
        with self._lock:
            self._known = {each.name: self._describe(each) for each in self.shelf}
            rows = [listed for _, listed in self._known.values()]
        now = self.clock()
        rows = [tell_state(listed, now) for listed in rows]
        return sorted(rows, key=lambda row: (row.created_at, row.name), reverse=True)

    def find(self, name: str) -> Listed | None:
        """One run as it is now; None: there is none of this name."""
        shelved = self.shelf.find(name)
        if shelved is None:
            return None
        with self._lock:
            self._known[name] = self._describe(shelved)
            return tell_state(self._known[name][1], self.clock())

    def _describe(self, shelved: Shelved) -> tuple[Marks, Listed]:
        """What is known of a run, or read now if it has changed since."""
        marks = {name: mark for name, mark in shelved.marks.items() if not name.startswith(".")}
        known = self._known.get(shelved.name)
        if known is not None and known[0] == marks and not shelved.problem:
            return known
        return marks, describe_run(shelved)


def tell_state(listed: Listed, now: float) -> Listed:
    """A run of which the journal has just grown is under way."""
    if listed.state == INCOMPLETE and now - listed.written_at < QUIET_SECONDS:
        return replace(listed, state=UNDER_WAY)
    return listed


def list_records(shelved: Shelved) -> list[str]:
    """The names of the records of a run's gates."""
    return sorted(name for name in shelved.marks if fnmatch(name, RECORDS))


def is_stopped(shelved: Shelved) -> bool:
    """Whether a gate has written down what came of it after the last reply.

    It writes when nothing more comes, and before the first reply.
    """
    journal = shelved.marks.get(JOURNAL)
    return journal is not None and any(
        shelved.marks[name].changed_ns >= journal.changed_ns for name in list_records(shelved)
    )


def read_verdicts(shelved: Shelved) -> tuple[str, ...]:
    """What a run's gates say; nothing of one that has no verdict."""
    found = []
    for name in list_records(shelved):
        try:
            verdict = read_table(shelved.path / name)["verdict"]
            found.append("" if verdict is None else str(Verdict(verdict)))
        except (RunFormatError, KeyError, TypeError, ValueError):
            found.append(UNREADABLE)
    return tuple(found)


def describe_run(shelved: Shelved) -> Listed:
    """Read what the list says of a run."""
    if shelved.problem:
        return Listed(name=shelved.name, state=DAMAGED, problem=shelved.problem)
    try:
        manifest = parse_manifest(read_table(shelved.path / MANIFEST))
    except RunFormatError as error:
        return Listed(name=shelved.name, state=DAMAGED, problem=str(error))
    listed = begin_row(shelved, manifest)
    if SUMMARY not in shelved.marks:
        is_over = is_stopped(shelved) and any(listed.gates)
        return replace(
            listed,
            state=STOPPED if is_over else INCOMPLETE,
            progress=guess_progress(shelved, manifest),
        )
    try:
        return add_summary(listed, read_table(shelved.path / SUMMARY), manifest)
    except RunFormatError as error:
        return replace(listed, state=DAMAGED, problem=str(error))


def begin_row(shelved: Shelved, manifest: Manifest) -> Listed:
    """What a manifest says of its run."""
    identity = manifest.identity
    journal = shelved.marks.get(JOURNAL) or shelved.marks[MANIFEST]
    return Listed(
        name=shelved.name,
        state=INCOMPLETE,
        benchmark=str(identity.benchmark),
        model=str(identity.model),
        way=identity.asked,
        details=describe_settings(manifest),
        created_at=str(manifest.created_at),
        questions=manifest.questions,
        gates=read_verdicts(shelved),
        written_at=journal.changed_ns / 1e9,
    )


def describe_settings(manifest: Manifest) -> str:
    """What is unusual about a run."""
    identity = manifest.identity
    words = [str(manifest.selection)] if manifest.selection else []
    if identity.shots:
        words.append(f"{identity.shots} shots")
    if identity.samples != 1:
        words.append(f"{identity.samples} samples")
    if identity.orders is not None:
        words.append(f"orders {identity.orders}")
    return ", ".join(words)


def guess_progress(shelved: Shelved, manifest: Manifest) -> float | None:
    """About which share of the replies is there, by the length of the first lines.

    None: it can't be told; there are as many as nothing, for one.
    """
    size = shelved.marks[JOURNAL].size if JOURNAL in shelved.marks else 0
    wanted = manifest.questions * design_of(manifest.identity).samples
    if not size or wanted <= 0 or manifest.identity.orders is not None:
        return None
    try:
        with (shelved.path / JOURNAL).open("rb") as file:
            head = file.read(PEEK_BYTES)
    except OSError:
        return None
    lines = head.count(b"\n")
    if not lines:
        return None
    return min(1.0, size / ((head.rindex(b"\n") + 1) / lines) / wanted)


def add_summary(listed: Listed, table: Any, manifest: Manifest) -> Listed:
    """What a summary says of its run.

    Raises:
        RunFormatError: it is none of this run.
    """
    try:
        if table["run_id"] != manifest.identity.run_id:
            raise RunFormatError(f"{SUMMARY} is that of another run")
        accuracy: Mapping[str, Any] = table["accuracy"] or {}
        return replace(
            listed,
            state=COMPLETE if table["complete"] else INCOMPLETE,
            n=int(table["n"]),
            accuracy=to_number(table["mean"]),
            low=to_number(accuracy.get("low")),
            high=to_number(accuracy.get("high")),
            cost=to_number(table["cost"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunFormatError(f"{SUMMARY} can't be used: {error!r}") from error


def to_number(value: Any) -> float | None:
    """A number as it may stand in a summary.

    Raises:
        ValueError: it is none.
    """
    if value is None:
        return None
    if type(value) not in (int, float):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def read_table(path: Path) -> Any:
    """The JSON in a file.

    Raises:
        RunFormatError: it can't be read.
    """
    try:
        data = path.read_bytes()
        try:
            return orjson.loads(data)
        except ValueError:  # what orjson does not take, Python's own reader may
            return json.loads(data)
    except FileNotFoundError as error:
        raise RunFormatError(f"it has no {path.name}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunFormatError(f"{path.name} can't be read: {error}") from error
