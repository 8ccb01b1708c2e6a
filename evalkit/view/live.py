"""A run that is watched while it goes on: what is new is read, and told in words and numbers."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatch
from typing import Any

from evalkit.errors import EvalkitError, RunFormatError
from evalkit.gate_records import GateRecord
from evalkit.progress import dollars
from evalkit.reports.charts.evidence import render_wealth
from evalkit.reports.gate import describe_verdict
from evalkit.reports.tables import clean, percent
from evalkit.reports.wording import count
from evalkit.runs.folder import BATCHES, JOURNAL, SUMMARY, open_run_folder
from evalkit.runs.gate_files import RECORDS
from evalkit.stats.intervals import Interval
from evalkit.view.listing import QUIET_SECONDS, is_stopped
from evalkit.view.live_counts import OUTCOMES, LiveCounts
from evalkit.view.live_gates import LiveGate, thin
from evalkit.view.shelf import Mark, Shelf, Shelved
from evalkit.view.tail import Tail

MOST_BYTES = 8 << 20
"""So much of a journal is read before it is told how far that has come."""

MOST_WATCHED = 4
"""Runs that are kept in memory for those who watch them."""

MOST_FAILURES = 5
"""Kinds of failures that are named, the most frequent first."""

TRACE_POINTS = 300

DIGITS = 4
"""Of shares, for a chart."""

Facts = dict[str, Any]
"""What the page is told, as JSON."""


@dataclass(kw_only=True, eq=False)
class LiveRun:
    """One run, read as far as it has come; may be used by several threads.

    Raises:
        RunFormatError: its manifest or questions can't be read.
    """

    shelved: Shelved
    clock: Callable[[], float] = time.time
    """Seconds since 1970."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _gates: dict[str, LiveGate | RunFormatError] = field(default_factory=dict)
    _records: dict[str, Mark] = field(default_factory=dict)

    def __post_init__(self) -> None:
        folder = open_run_folder(self.shelved.path)
        self.manifest = folder.manifest
        self.counts = LiveCounts(folder.manifest, folder.questions)
        self.tail = Tail(folder.journal_path)

    def refresh(self, shelved: Shelved) -> Facts:
        """Read what is new, and tell how the run stands.

        Args:
            shelved: its folder as it is now.

        Raises:
            RunError: a file can't be read any more.
        """
        with self._lock:
            # Looked for before the journal is read: they were written behind its last row.
            is_over = SUMMARY in shelved.marks or is_stopped(shelved)
            for row in self.tail.read(MOST_BYTES):
                self.counts.add(row)
            self._follow_gates(shelved, is_over=is_over)
            # A gate has a record before its first answer too.
            is_over = SUMMARY in shelved.marks or (is_over and self._has_verdict())
            return self._tell(shelved, is_over=is_over and not self.tail.is_behind)

    def _has_verdict(self) -> bool:
        """Whether one of the gates has written down its verdict."""
        gates = self._gates.values()
        return any(isinstance(gate, LiveGate) and gate.has_verdict for gate in gates)

    @property
    def _is_sample(self) -> bool:
        """Whether the questions asked so far say something of the others.

        A gate asks those first that are likely to flip, and looks at each answer.
        """
        return not self._gates or self.counts.done == self.counts.wanted

    def _follow_gates(self, shelved: Shelved, *, is_over: bool) -> None:
        """Open gates that have begun, and give all of them what has come."""
        for name, mark in sorted(shelved.marks.items()):
            if not fnmatch(name, RECORDS):
                continue
            gate = self._gates.get(name)
            try:
                if not isinstance(gate, LiveGate):
                    if gate is not None and self._records[name] == mark:
                        continue  # as damaged as before
                    self._gates[name] = gate = LiveGate(shelved.path / name, self.counts)
                elif self._records[name] != mark:
                    gate.reread()
                gate.advance(self.clock(), is_over=is_over)
            except RunFormatError as error:
                self._gates[name] = error
            self._records[name] = mark

    def _tell(self, shelved: Shelved, *, is_over: bool) -> Facts:
        counts, now = self.counts, self.clock()
        return {
            "over": is_over,
            "behind": self.tail.is_behind,
            "texts": self._word(now, is_over=is_over)
            | {"state": self._word_state(shelved, now, is_over=is_over)},
            "share": counts.done / counts.wanted if counts.wanted else 0.0,
            "outcomes": [[name, counts.outcomes[name]] for name in OUTCOMES],
            "failures": [
                [clean(kind), clean(message)[:300], f"{count:,}"]
                for (kind, message), count in counts.failures.most_common(MOST_FAILURES)
                if count > 0
            ],
            "history": list_course(counts) if self._is_sample else [],
            "gates": [tell_gate(name, gate) for name, gate in sorted(self._gates.items())],
        }

    def _word(self, now: float, *, is_over: bool) -> dict[str, str]:
        """The numbers as they are shown."""
        counts = self.counts
        found, rate = counts.accuracy, 0.0 if is_over else counts.rate(now)
        # A gate may end at any time.
        left = 0 if self._gates else counts.wanted - counts.done
        texts = {
            "done": f"{counts.done:,} of {counts.wanted:,} replies",
            "share": f"{percent(counts.done / counts.wanted if counts.wanted else 0.0)} %",
            "accuracy": "-" if found is None else f"{percent(found.estimate)} %",
            "interval": "" if found is None else self._word_interval(found),
            "spend": "no price is known" if self.manifest.price is None else dollars(counts.cost),
            "rate": f"{rate:.1f} a second" if rate else "-",
            "left": str(timedelta(seconds=round(left / rate))) if rate and left else "-",
            "repeated": f"{counts.repeated:,}",
            "failed": f"{counts.outcomes['failed']:,}",
        }
        return texts | {name: f"{counts.outcomes[name]:,}" for name in OUTCOMES}

    def _word_interval(self, found: Interval) -> str:
        ends = f"[{percent(found.low)}, {percent(found.high)}], " if self._is_sample else ""
        return f"{ends}n = {found.n:,}"

    def _word_state(self, shelved: Shelved, now: float, *, is_over: bool) -> str:
        counts, journal = self.counts, shelved.marks.get(JOURNAL)
        if self.tail.is_behind:
            return "reading what has come so far"
        if is_over:
            return "complete" if SUMMARY in shelved.marks else "stopped by its gate"
        if journal is None:
            return "begun: no reply yet"
        if counts.done == counts.wanted:
            return f"all asked, {counts.outcomes['failed']:,} failed: the same command goes on"
        quiet = now - journal.changed_ns / 1e9
        if quiet < QUIET_SECONDS:
            return "under way"
        why = "interrupted: the same command goes on"
        if BATCHES in shelved.marks:
            why = "a batch is not back yet, or it was interrupted"
        return f"nothing has come for {count(int(quiet // 60), 'minute')}: {why}"


def list_course(counts: LiveCounts) -> list[list[float]]:
    """How the accuracy has come to be what it is, with the ends of its interval."""
    points = list(counts.history)
    found = counts.accuracy
    if found is not None:
        points.append((found.n, found.estimate, found.low, found.high))
    return [[n, *(round(share, DIGITS) for share in shares)] for n, *shares in points]


def tell_gate(name: str, gate: LiveGate | RunFormatError) -> Facts:
    """What is shown of a gate."""
    title = name.removesuffix(".json")
    if isinstance(gate, RunFormatError):
        return {"id": title, "problem": clean(str(gate))}
    record = gate.describe()
    passing, failing = record.trace
    plan = record.plan
    return {
        "id": title,
        "sentence": describe_verdict(record).removesuffix(" The same command goes on."),
        "verdict": "" if record.verdict is None else str(record.verdict),
        "used": record.used,
        "texts": word_gate(record),
        "size": plan.size,
        "pass_limit": round(record.pass_limit, 4),
        "fail_limit": round(record.fail_limit, 4),
        "pass": thin(passing, TRACE_POINTS),
        "fail": thin(failing, TRACE_POINTS),
    }


def word_gate(record: GateRecord) -> dict[str, str]:
    """The numbers of a gate as they are shown."""
    plan, drop = record.plan, record.drop
    bounds = "" if drop is None else f" [{100 * drop.low:.1f}, {100 * drop.high:.1f}]"
    return {
        "suite": clean(plan.suite),
        "used": f"{record.used:,}",
        "asked": f"{record.asked:,}",
        "expected": f"{plan.size if record.asks_all else plan.expected:,.0f}",
        "size": f"{plan.size:,}",
        "losses": f"{record.losses:,}",
        "gains": f"{record.gains:,}",
        "drop": "-" if drop is None else f"{100 * drop.estimate:.1f}{bounds}",
        "margin": f"{100 * plan.terms.margin:g}",
        "pass": f"{render_wealth(record.pass_evidence)} of {math.exp(record.pass_limit):,.4g}",
        "fail": f"{render_wealth(record.fail_evidence)} of {math.exp(record.fail_limit):,.4g}",
    }


class Watchtower:
    """Keeps the runs that are watched, so that all who watch one share what was read.

    Args:
        shelf: where the runs are.
        clock: seconds since 1970.
    """

    def __init__(self, shelf: Shelf, clock: Callable[[], float] = time.time) -> None:
        self.shelf, self.clock = shelf, clock
        self._runs: OrderedDict[str, LiveRun] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, name: str) -> Facts | None:
        """How a run stands now; None if it is gone.

        Raises:
            EvalkitError: it can't be read.
        """
        shelved = self.shelf.find(name)
        if shelved is None:
            return None
        if shelved.problem:
            raise RunFormatError(shelved.problem)
        run = self._open(shelved)
        try:
            facts = run.refresh(shelved)
        except EvalkitError:
            self._forget(name)
            raise
        if run.tail.is_replaced:
            self._forget(name)
            return self._open(shelved).refresh(shelved)
        return facts

    def _open(self, shelved: Shelved) -> LiveRun:
        with self._lock:
            run = self._runs.pop(shelved.name, None)
            if run is None:
                run = LiveRun(shelved=shelved, clock=self.clock)
            self._runs[shelved.name] = run
            while len(self._runs) > MOST_WATCHED:
                self._runs.popitem(last=False)
            return run

    def _forget(self, name: str) -> None:
        with self._lock:
            self._runs.pop(name, None)
