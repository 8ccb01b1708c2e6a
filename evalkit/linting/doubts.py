"""A doubt about a question set, and how doubts are gathered question by question."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from evalkit.questions import Question

DoubtLevel = Literal["error", "warning", "note"]
"""error: the set can't be used; warning: its scores would mislead; note: good to know."""

LEVELS: tuple[DoubtLevel, ...] = ("error", "warning", "note")

SHOWN = 3
"""Examples that a doubt carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One thing that is doubtful about a set."""

    check: str
    """The name of the check, such as "repeated-choices"."""
    level: DoubtLevel
    count: int
    """How many questions, rows, columns or subjects it concerns."""
    total: int
    """Of how many."""
    says: str
    """What is the matter, in a sentence without a full stop."""
    remedy: str
    """What to do about it."""
    examples: tuple[str, ...] = ()
    """The first few, each with its question's id or its row's place."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Shares, p-values and the like that the sentence rests on, by name; shares are fractions."""

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return {**asdict(self), "examples": list(self.examples), "numbers": dict(self.numbers)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A look at one question after the other.

    Args:
        name: of the check.
        level: of the doubt.
        find: what is found in a question, cut to a readable length; None: nothing.
        says: goes on after the number of questions: "offer a choice twice".
        remedy: what to do.
    """

    name: str
    level: DoubtLevel
    find: Callable[[Question], str | None]
    says: str
    remedy: str


class Finds:
    """What one check has found so far: a count and the first few."""

    __slots__ = ("count", "first")

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, text: str) -> None:
        """Take one more."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(text)


def check_each(
    questions: Iterable[Question],
    checks: Sequence[Check],
    watch: Callable[[Question], None] = lambda question: None,
) -> list[Doubt]:
    """Make several checks in one pass over the questions, which may be too many for memory.

    Args:
        questions: read once.
        checks: to be made.
        watch: is shown each question too.

    Returns:
        A doubt for each check that has found something.
    """
    found = [Finds() for _ in checks]
    total = 0
    for question in questions:
        total += 1
        watch(question)
        for check, finds in zip(checks, found, strict=True):
            text = check.find(question)
            if text is not None:
                finds.add(f"{question.id}: {text}")
    return [
        Doubt(
            check=check.name,
            level=check.level,
            count=finds.count,
            total=total,
            says=f"{finds.count:,} of {total:,} questions {check.says}",
            remedy=check.remedy,
            examples=tuple(finds.first),
        )
        for check, finds in zip(checks, found, strict=True)
        if finds.count
    ]
