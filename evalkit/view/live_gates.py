"""The evidence of a gate under way: scores are given to it in its order as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.answers import Outcome
from evalkit.errors import RunFormatError
from evalkit.gate_records import GateRecord, count_more, parse_plan, take_down
from evalkit.gates import GateWatch
from evalkit.runs.gate_files import read_record
from evalkit.scores import CODES, FIRST_REPLY
from evalkit.stats.verdicts import Verdict
from evalkit.tallies import NOT_ASKED, share_of
from evalkit.view.live_counts import LiveCounts

TRUNCATED = CODES[Outcome.TRUNCATED]

PATIENCE_SECONDS = 60.0
"""So long a reply that was cut off is given to be asked for again."""


class LiveGate:
    """A gate that follows its candidate's run.

    Args:
        path: of its record, which is there from the beginning.
        counts: of the candidate's run.

    Raises:
        RunFormatError: the record or its questions can't be read.
    """

    def __init__(self, path: Path, counts: LiveCounts) -> None:
        self.path, self.counts = path, counts
        self.table = read_record(path)
        try:
            plan = parse_plan(self.table, path.parent)
            self.watch = GateWatch(plan, asks_all=bool(self.table["asks_all"]))
            self._begun = GateRecord(
                plan=plan,
                folder=str(self.table["folder"]),
                changed=tuple(map(str, self.table["changed"])),
                asks_all=bool(self.table["asks_all"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunFormatError(f"{path.name} can't be used: {error!r}") from error
        self._told: tuple[tuple[int, int], GateRecord] | None = None
        """What was described last, and after how many answers and replies."""
        self._blocked: tuple[int, float] | None = None
        """The place of a reply that was cut off, and since when the gate waits for another."""
        self._numbers = [counts.ledger.numbers.get(name) for name in self.watch.ids]

    @property
    def has_verdict(self) -> bool:
        """Whether its verdict is written down."""
        return self.table.get("sequential_verdict") is not None

    def reread(self) -> None:
        """Take note of what the record says now: at its end, the gate writes its verdict there."""
        self.table = read_record(self.path)
        self._told = None

    def advance(self, now: float, *, is_over: bool) -> None:
        """Give the gate what is next in its order, until a score is missing or the verdict.

        Args:
            now: seconds from a fixed moment.
            is_over: whether nothing more comes, so that no reply is asked for again.
        """
        gate = self.watch.gate
        while gate.answered < len(self._numbers):
            if gate.verdict is not None and not self.watch.asks_all:
                return
            number = self._numbers[gate.answered]
            codes = [] if number is None else self.counts.codes_of(number)
            if not codes or any(code < FIRST_REPLY for code in codes):
                return
            if TRUNCATED in codes and not is_over and self._waits(now):
                return
            assert number is not None, "it has codes"
            question = self.counts.questions[number]
            gate.update(share_of(codes, self.counts.right_of(question)))

    def _waits(self, now: float) -> bool:
        """Whether the reply whose turn it is may still be asked for again."""
        place = self.watch.gate.answered
        if self._blocked is None or self._blocked[0] != place:
            self._blocked = place, now
        return now - self._blocked[1] < PATIENCE_SECONDS

    def describe(self) -> GateRecord:
        """The gate as far as it has come; verdicts that no score tells are its record's."""
        state = self.watch.gate.answered, self.counts.done
        if self._told is None or self._told[0] != state:
            self._told = state, self._take_down()
        return self._told[1]

    def _take_down(self) -> GateRecord:
        found = take_down(self._begun, self.watch)
        said = self.table.get("sequential_verdict")
        if found.verdict is None and said is not None:
            verdict = Verdict(said)
            is_open = verdict is Verdict.INCONCLUSIVE
            found = replace(
                found,
                verdict=verdict,
                reason=str(self.table.get("reason", "")),
                more=count_more(self.watch.gate, found.plan) if is_open else None,
            )
        return replace(found, asked=self._count_asked())

    def _count_asked(self) -> int:
        """Questions of which anything came, or more if the record says so."""
        came = sum(
            number is not None and any(code != NOT_ASKED for code in self.counts.codes_of(number))
            for number in self._numbers
        )
        said: Any = self.table.get("asked", 0)
        return max(came, said if type(said) is int else 0)


def thin(values: Sequence[float], most: int) -> list[tuple[int, float]]:
    """Not more of many values than a chart needs, each with its number, from 1.

    Example:
        >>> thin([0.1, 0.2, 0.3, 0.4, 0.5], 3)
        [(1, 0.1), (3, 0.3), (5, 0.5)]
    """
    step = max(1, -(-(len(values) - 1) // max(1, most - 1)))
    places = [*range(0, len(values), step)]
    if places and places[-1] != len(values) - 1:
        places.append(len(values) - 1)
    return [(place + 1, values[place]) for place in places]
