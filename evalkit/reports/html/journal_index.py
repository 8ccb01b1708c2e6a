"""Where the row of each response stands in a journal, so that one can be read by itself."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import IO

from evalkit.results import Run
from evalkit.runs.folder import JOURNAL
from evalkit.runs.journal import JournalReader, JournalRow, decode_row, keep_latest
from evalkit.tallies import Ledger, find_slots

NOWHERE = -1


class JournalIndex:
    """Finds the rows that count, by the rules by which they were counted.

    Args:
        run: whose journal it is; a run without one has no rows.
    """

    def __init__(self, run: Run) -> None:
        self.path = run.folder / JOURNAL
        self.ledger = Ledger(run.manifest, run.questions)
        self.starts = array("q", [NOWHERE]) * len(self.ledger.codes)
        """For each response two places: of its row, and of the one with more room."""
        self._file: IO[bytes] | None = None
        self._find_rows()

    def _find_rows(self) -> None:
        """Read the journal once."""
        reader = JournalReader(self.path)
        aside: dict[int, list[int]] = {}
        for row in reader:
            place = self.ledger.find_place(row)
            if place is None:
                continue
            if row.is_futile or place in aside or self.starts[place] != NOWHERE:
                aside.setdefault(place, [self.starts[place]]).append(reader.start)
            self.starts[place] = reader.start
        for place, starts in aside.items():
            self.starts[place] = self._choose(starts)

    def _choose(self, starts: Sequence[int]) -> int:
        """Of several rows for one response the one that counts, if any does."""
        rows: dict[str, JournalRow] = {}
        where: dict[int, int] = {}
        for start in starts:
            if start != NOWHERE:
                row = self._read(start)
                keep_latest(rows, row)
                where[id(row)] = start
        counting = [row for row in rows.values() if not row.is_futile]
        return where[id(counting[-1])] if counting else NOWHERE

    def find_rows(self, number: int) -> list[JournalRow | None]:
        """The rows of the responses to a question, order after order, sample after sample.

        Args:
            number: of the question in its run.

        Returns:
            One for each response wanted; None: there is none.
        """
        first, last = find_slots(self.ledger.starts, self.ledger.design.samples, number)
        found: list[JournalRow | None] = []
        for slot in range(first, last):
            plain, again = self.starts[2 * slot], self.starts[2 * slot + 1]
            start = plain if again == NOWHERE else again
            found.append(None if start == NOWHERE else self._read(start))
        return found

    def _read(self, start: int) -> JournalRow:
        if self._file is None:
            self._file = self.path.open("rb")
        self._file.seek(start)
        return decode_row(self._file.readline())

    def close(self) -> None:
        """Let go of the journal."""
        if self._file is not None:
            self._file.close()
            self._file = None
