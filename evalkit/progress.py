"""What a user sees of a run under way: a bar, and lines beside it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from evalkit.answers import Outcome
from evalkit.responses import RequestFailure, Response
from evalkit.scores import NO_ANSWER, Score

if TYPE_CHECKING:
    from tqdm import tqdm


Say = Callable[[str], None]

LONG_SECONDS = 2.0
"""What takes longer shows how far it has come."""

OPEN_ENDED = "{desc}: {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]"
"""The bar of what may end at any time."""

FIRST_LINE_SECONDS, LINE_SECONDS = LONG_SECONDS, 10.0
"""Until the first line, and between two, where there is no terminal."""


def print_to_stderr(line: str) -> None:
    """Print a line where it doesn't mix with results."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the one place that does


def ignore(line: str) -> None:
    """Take a line and do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How a run is doing, beside its answers."""

    spend: float | None = None
    """Dollars spent so far; None: not known, or nothing."""
    in_flight: int = 0
    """Requests under way."""


class ProgressBar:
    """Counts responses, with the accuracy so far, what they took, and what is under way.

    On a terminal it is a bar; elsewhere, as in the log of a CI job, a line now and then.

    Args:
        label: what is running.
        total: responses wanted.
        earlier: those that came before, when a run goes on.
        shown: False: nothing is printed.
        find_vitals: how the run is doing.
        find_words: what else there is to say at any time, of a run that may end before all is
            asked, so that no time left is told; None: nothing.
        is_terminal: whether to draw a bar; None: if standard error is a terminal.
        clock: seconds from a fixed moment.
    """

    def __init__(
        self,
        label: str,
        total: int,
        earlier: Iterable[Score],
        *,
        shown: bool,
        find_vitals: Callable[[], Vitals] = Vitals,
        find_words: Callable[[], str] | None = None,
        is_terminal: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from tqdm import tqdm

        self.label, self.find_vitals, self.clock = label, find_vitals, clock
        self.find_words = find_words
        self.correct = self.replied = self.failed = self.repeated = self.tokens = 0
        before = self._count(earlier)
        is_bar = sys.stderr.isatty() if is_terminal is None else is_terminal
        self.is_shown, self.has_lines = shown, shown and not is_bar
        self.bar: tqdm[Any] = tqdm(
            total=total,
            initial=before,
            desc=label,
            unit="q",
            disable=not (shown and is_bar),
            dynamic_ncols=True,
            bar_format=None if find_words is None else OPEN_ENDED,
        )
        self.done, self.total = before, total
        self._before, self._began = before, clock()
        self._next_line = self._began + FIRST_LINE_SECONDS
        self._next_note = self._began
        self._note = ""
        self._show()

    def add(self, scores: Sequence[Score]) -> None:
        """Count results that are on disk."""
        self.done += self._count(scores)
        self.bar.update(len(scores))
        self._show()

    def _count(self, scores: Iterable[Score]) -> int:
        """Count some, and how many they are."""
        number = 0
        for score in scores:
            number += 1
            self.replied += score.answer.outcome not in NO_ANSWER
            self.correct += score.correct is True
            self.failed += score.answer.outcome is Outcome.FAILED
            if score.row is not None:
                self.repeated += score.row.attempts - 1
                self.tokens += count_tokens(score.row.result)
        return number

    def describe(self) -> str:
        """Accuracy so far, what has failed and was tried again, and what it takes."""
        vitals = self.find_vitals()
        words = [f"accuracy {100 * self.correct / self.replied:.1f} %"] if self.replied else []
        if self.failed:
            words.append(f"{self.failed} failed")
        if self.repeated:
            words.append(f"{self.repeated} tried again")
        if vitals.in_flight:
            words.append(f"{vitals.in_flight} at once")
        if self.tokens:
            words.append(f"{shorten(self.tokens)} tokens")
        if vitals.spend:
            words.append(dollars(vitals.spend))
        return ", ".join(words)

    def _show(self) -> None:
        """Bring what is shown up to date; the bar draws itself a few times a second at most."""
        self.bar.set_postfix_str(self._words(), refresh=False)
        now = self.clock()
        if self.has_lines and now >= self._next_line:
            self._next_line = now + LINE_SECONDS
            self._print_line(now)

    def _words(self) -> str:
        more = "" if self.find_words is None else self.find_words()
        return ", ".join(filter(None, (more, self.describe(), self._note)))

    def _print_line(self, now: float) -> None:
        """One line for where there is no terminal."""
        new, seconds = self.done - self._before, now - self._began
        words = [f"{self.done} of {self.total}"]
        if new and seconds > 0:
            rate = new / seconds
            words.append(f"{rate:.1f}/s")
            if self.find_words is None:
                left = timedelta(seconds=round((self.total - self.done) / rate))
                words.append(f"{left} left")
        print_to_stderr(f"{self.label}: {', '.join(filter(None, (*words, self._words())))}")

    def note(self, words: str) -> None:
        """Show what is going on behind the bar."""
        self._note = words
        self._show()
        self.bar.refresh()
        now = self.clock()
        if self.has_lines and now >= self._next_note:
            self._next_note = now + LINE_SECONDS
            self._print_line(now)

    def aside(self, say: Say) -> Say:
        """The same, with the bar out of the way of each line."""

        def say_aside(line: str) -> None:
            self.bar.clear()
            say(line)

        return say_aside

    def close(self) -> None:
        """Leave the bar as it stands, or a last line."""
        if self.has_lines and self.done > self._before:
            self._print_line(self.clock())
        self.bar.close()


def count_tokens(result: Response | RequestFailure) -> int:
    """Tokens read and generated for one response, cached ones included."""
    if isinstance(result, RequestFailure):
        return 0
    usage = result.usage
    cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
    return (usage.input_tokens or 0) + (usage.output_tokens or 0) + cached


def shorten(count: int) -> str:
    """A count in as few signs as a progress bar has room for.

    Example:
        >>> shorten(950), shorten(31_400), shorten(2_600_000)
        ('950', '31k', '2.6M')
    """
    if count < 1000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 1_000_000 else f"{count / 1_000_000:.1f}M"


def dollars(amount: float) -> str:
    """An amount of money, with more digits the smaller it is.

    Example:
        >>> dollars(12.3), dollars(0.0123), dollars(0)
        ('$12.30', '$0.0123', '$0.00')
    """
    return f"${amount:.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


@contextmanager
def show_steps(label: str, total: int, *, shown: bool) -> Iterator[Callable[..., object]]:
    """A bar that appears if the block takes more than a moment; gives what counts steps, or one.

    Args:
        label: what is going on.
        total: steps.
        shown: False: nothing is printed.
    """
    from tqdm import tqdm

    with tqdm(total=total, desc=label, disable=not shown, delay=LONG_SECONDS, leave=False) as bar:
        yield bar.update
