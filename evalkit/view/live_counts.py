"""The numbers of a run under way, brought up to date row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from evalkit.questions import Question
from evalkit.runs.journal import JournalRow
from evalkit.runs.manifest import Manifest
from evalkit.scores import FIRST_REPLY, code_of_right
from evalkit.stats.intervals import Interval, wilson_interval
from evalkit.tallies import FAILED, NOT_ASKED, Ledger, find_slots, share_of

OUTCOMES = ("correct", "wrong", "unparsed", "refused", "truncated", "failed")
UNREADABLE_BY_CODE = {2: "unparsed", 3: "refused", 4: "truncated"}

MOST_POINTS = 240
"""So many points of the course of the accuracy are kept, at even distances."""

RATE_SECONDS = 30
"""The rate is that of the last so many seconds."""

Point = tuple[int, float, float, float]
"""Questions, accuracy, and the ends of its interval."""


class LiveCounts:
    """Counts rows as they come; it takes a few bytes for each reply that is wanted.

    The interval is Wilson's, as if each question stood alone; that of a complete run takes account
    of clusters and repeated answers.

    Args:
        manifest: of the run.
        questions: of the run, in their order.
    """

    def __init__(self, manifest: Manifest, questions: Sequence[Question]) -> None:
        self.ledger = Ledger(manifest, questions)
        self.questions = questions
        self.wanted = len(self.ledger.codes) // 2
        """Replies."""
        self.outcomes: Counter[str] = Counter()
        self.failures: Counter[tuple[str, str]] = Counter()
        """Kind and message."""
        self.asked = 0
        """Questions with a reply."""
        self.repeated = 0
        """Attempts beyond the first of each request."""
        self.cost = 0.0
        self.history: list[Point] = []
        self._stride = 1
        self._shares = 0.0
        self._seconds: Counter[int] = Counter()
        self._first_at: float | None = None

    def add(self, row: JournalRow) -> None:
        """Take the next row of the journal."""
        self.repeated += row.attempts - 1
        self._note_time(row.finished_at)
        ledger, paid = self.ledger, len(self.ledger.costs)
        place = ledger.find_place(row)
        number = ledger.numbers.get(row.question_id)
        if place is None or number is None or place in ledger.disputed:
            return  # a sound journal has no such row; the report says what it comes to
        question, slot = self.questions[number], place // 2
        self._take(question, number, slot, place, sign=-1)
        ledger.add(row)
        self._take(question, number, slot, place, sign=1)
        if len(ledger.costs) > paid:
            self.cost += ledger.costs[-1]
        self._note_point()

    def _take(self, question: Question, number: int, slot: int, place: int, *, sign: int) -> None:
        """Add what a reply and its question amount to, or take it away."""
        code = self.code_of(slot)
        if code != NOT_ASKED:
            self.outcomes[name_outcome(code, self.right_of(question))] += sign
        if place in self.ledger.failed:
            self.failures[self.ledger.failed[place][1]] += sign
        codes = self.codes_of(number)
        if any(code >= FIRST_REPLY for code in codes):
            self.asked += sign
            self._shares += sign * share_of(codes, self.right_of(question))

    def right_of(self, question: Question) -> int:
        """What a correct reply to a question amounts to."""
        return code_of_right(question, several=self.ledger.design.several)

    def code_of(self, slot: int) -> int:
        """What the reply that counts amounts to: see `evalkit.scores.encode_answer`."""
        first, again = self.ledger.codes[2 * slot : 2 * slot + 2]
        counts = first if again in (NOT_ASKED, self.ledger.futile) else again
        return counts & ~self.ledger.unbound

    def codes_of(self, number: int) -> list[int]:
        """The same for all replies to a question."""
        slots = range(*find_slots(self.ledger.starts, self.ledger.design.samples, number))
        return [self.code_of(slot) for slot in slots]

    def _note_time(self, finished_at: float) -> None:
        """Count a reply in its second; older seconds than the rate takes are forgotten."""
        self._seconds[int(finished_at)] += 1
        if self._first_at is None:
            self._first_at = finished_at
        if len(self._seconds) > 4 * RATE_SECONDS:
            newest = max(self._seconds)
            recent = range(newest - RATE_SECONDS, newest + 1)
            self._seconds = Counter(
                {second: self._seconds[second] for second in recent if second in self._seconds}
            )

    def _note_point(self) -> None:
        """Keep a point of the course if it is far enough from the last one."""
        last = self.history[-1][0] if self.history else 0
        if self.asked < last + self._stride:
            return
        found = self.accuracy
        assert found is not None, "a question has a reply"
        self.history.append((self.asked, found.estimate, found.low, found.high))
        if len(self.history) >= 2 * MOST_POINTS:
            del self.history[::2]
            self._stride *= 2

    @property
    def accuracy(self) -> Interval | None:
        """Over the questions with a reply; None if there is none."""
        if not self.asked:
            return None
        return wilson_interval(min(max(self._shares, 0.0), self.asked), self.asked)

    @property
    def done(self) -> int:
        """Replies that are there, and requests that failed for good."""
        return sum(self.outcomes.values())

    def rate(self, now: float) -> float:
        """Replies a second of late.

        Args:
            now: seconds since 1970.
        """
        if self._first_at is None:
            return 0.0
        recent = sum(n for second, n in self._seconds.items() if now - second <= RATE_SECONDS)
        return recent / min(RATE_SECONDS, max(1.0, now - self._first_at))


def name_outcome(code: int, right: int) -> str:
    """What a reply that came is called, or one that failed."""
    if code == FAILED:
        return "failed"
    if code in UNREADABLE_BY_CODE:
        return UNREADABLE_BY_CODE[code]
    return "correct" if code == right else "wrong"
