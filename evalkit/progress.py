"""The progress bar of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evalkit.answers import Outcome
from evalkit.scores import NO_ANSWER, Score

if TYPE_CHECKING:
    from tqdm import tqdm


class ProgressBar:
    """Counts questions, with the accuracy so far.

    Args:
        label: what is running.
        total: questions in the run.
        earlier: those that were answered before, when a run goes on.
        shown: False: nothing is printed.
    """

    def __init__(self, label: str, total: int, earlier: Sequence[Score], *, shown: bool) -> None:
        from tqdm import tqdm

        self.correct = self.replied = self.failed = 0
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
        return ", ".join(words)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self.bar.close()
