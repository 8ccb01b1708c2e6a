"""What a user sees of a run under way: a bar, and lines beside it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from evalkit.answers import Outcome
from evalkit.scores import NO_ANSWER, Score

if TYPE_CHECKING:
    from tqdm import tqdm


Say = Callable[[str], None]

LONG_SECONDS = 2.0
"""What takes longer shows how far it has come."""


def print_to_stderr(line: str) -> None:
    """Print a line where it doesn't mix with results."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the one place that does


def ignore(line: str) -> None:
    """Take a line and do nothing."""


class ProgressBar:
    """Counts responses, with the accuracy and the spend so far.

    Args:
        label: what is running.
        total: responses wanted.
        earlier: those that came before, when a run goes on.
        shown: False: nothing is printed.
        find_spend: dollars spent so far; None: not known, or nothing.
    """

    def __init__(
        self,
        label: str,
        total: int,
        earlier: Sequence[Score],
        *,
        shown: bool,
        find_spend: Callable[[], float | None] = lambda: None,
    ) -> None:
        from tqdm import tqdm

        self.correct = self.replied = self.failed = 0
        self.find_spend = find_spend
        self.bar: tqdm[Any] = tqdm(
            total=total,
            initial=len(earlier),
            desc=label,
            unit="q",
            disable=not shown,
            dynamic_ncols=True,
        )
        self._count(earlier)

    def add(self, scores: Sequence[Score]) -> None:
        """Count results that are on disk."""
        self._count(scores)
        self.bar.update(len(scores))

    def _count(self, scores: Sequence[Score]) -> None:
        for score in scores:
            self.replied += score.answer.outcome not in NO_ANSWER
            self.correct += score.correct is True
            self.failed += score.answer.outcome is Outcome.FAILED
        self.bar.set_postfix_str(self.describe(), refresh=False)

    def describe(self) -> str:
        """Accuracy so far, and what has failed."""
        words = [f"accuracy {100 * self.correct / self.replied:.1f} %"] if self.replied else []
        if self.failed:
            words.append(f"{self.failed} failed")
        if spend := self.find_spend():
            words.append(dollars(spend))
        return ", ".join(words)

    def note(self, words: str) -> None:
        """Show what is going on behind the bar."""
        shown = ", ".join(filter(None, (self.describe(), words)))
        self.bar.set_postfix_str(shown, refresh=True)

    def aside(self, say: Say) -> Say:
        """The same, with the bar out of the way of each line."""

        def say_aside(line: str) -> None:
            self.bar.clear()
            say(line)

        return say_aside

    def close(self) -> None:
        """Leave the bar as it stands."""
        self.bar.close()


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
