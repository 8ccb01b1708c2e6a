"""Checks of where right choices stand: what a model would score that reads no question."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator
from string import ascii_uppercase

from evalkit.linting.doubts import Doubt
from evalkit.loaders.records import shorten
from evalkit.questions import Question
from evalkit.stats.positions import gold_balance, gold_sequence

FEWEST = 20
"""Questions below which positions and lengths tell nothing."""

MOSTLY = 0.8
"""The share of right choices at one position from which on that position gives answers away."""

RARE, VERY_RARE = 0.01, 0.001
"""What comes about by chance less often than this is no chance; where it does no harm, the second
is asked for."""

NOTABLE = 0.05
"""How much a rule without reading must score above chance to be worth a warning, a fraction."""


class AnswerKey:
    """The right choices of a set, in a few bytes for each question.

    Questions with several right choices are only counted: one letter can't answer them.
    """

    def __init__(self) -> None:
        self.gold, self.sizes = array("B"), array("B")
        """Where the right choice stands, and of how many."""
        self.several = 0
        self.sizes_of_all: Counter[int] = Counter()
        """How many questions have so many choices."""
        self.longest_right = self.longest = 0
        """Questions with one choice that is longer than all others; those where it is right."""
        self.expected = self.variance = 0.0
        """The sum of chances that it is right, and the variance of their number."""
        self.examples: list[str] = []

    def add(self, question: Question) -> None:
        """Take a question."""
        count = len(question.choices)
        self.sizes_of_all[count] += 1
        if not question.has_one_answer:
            self.several += 1
            return
        self.gold.append(question.right[0])
        self.sizes.append(count)
        place = find_longest(question.choices)
        if place is None:
            return
        self.longest += 1
        self.expected += 1 / count
        self.variance += (1 - 1 / count) / count
        if place == question.right[0]:
            self.longest_right += 1
            if len(self.examples) < 3:
                self.examples.append(f"{question.id}: {shorten(question.choices[place])}")

    @property
    def chance(self) -> float:
        """Accuracy of blind guessing on the questions that have one right choice."""
        return math.fsum(1 / size for size in self.sizes) / len(self.sizes)


def find_longest(choices: tuple[str, ...]) -> int | None:
    """Where the choice stands that is longer than every other; None if two are longest.

    Example:
        >>> find_longest(("no", "yes", "maybe so")), find_longest(("red", "tan"))
        (2, None)
    """
    lengths = [len(text) for text in choices]
    most = max(lengths)
    return lengths.index(most) if lengths.count(most) == 1 else None


def check_answers(key: AnswerKey) -> Iterator[Doubt]:
    """What is doubtful about where right choices stand and how long they are."""
    if key.several:
        total = len(key.gold) + key.several
        yield Doubt(
            check="several-right",
            level="note",
            count=key.several,
            total=total,
            says=f"{key.several:,} of {total:,} questions have several right choices",
            remedy="ask by --way structured or tool, as `auto` does: one letter can't answer them",
        )
    if len(key.gold) >= FEWEST:
        yield from check_positions(key)
        yield from check_sequence(key)
        yield from check_lengths(key)


def check_positions(key: AnswerKey) -> Iterator[Doubt]:
    """Whether a position gives answers away."""
    total = len(key.gold)
    place, most = max(Counter(key.gold).items(), key=lambda item: item[1])
    share, chance, letter = most / total, key.chance, ascii_uppercase[place]
    test = gold_balance(key.gold, key.sizes)
    assert test is not None, "every question has two choices or more"
    numbers = {"share": share, "chance": chance, "p_value": test.p_value}
    if share >= max(MOSTLY, chance + NOTABLE) and test.p_value < RARE:
        where = "first" if place == 0 else f"at {letter}"
        yield Doubt(
            check="same-position",
            level="warning",
            count=most,
            total=total,
            says=f"the right choice stands {where} in {most:,} of {total:,} questions",
            remedy="write shuffle_seed = 0 under [columns], which shows choices in a seeded order: "
            "as it is, position gives the answer away",
            numbers=numbers,
        )
    elif test.p_value < RARE:
        yield Doubt(
            check="answer-balance",
            level="warning" if share >= chance + NOTABLE else "note",
            count=most,
            total=total,
            says=f"always saying {letter} scores {share:.1%} where chance is {chance:.1%}: right "
            f"choices are not spread alike (chi-square {test.statistic:.1f}, df {test.df}, "
            f"p {render_p(test.p_value)})",
            remedy="compare scores with that number too; shuffle_seed = 0 under [columns] or "
            "`--orders` spreads the right choices",
            numbers=numbers,
        )


def check_sequence(key: AnswerKey) -> Iterator[Doubt]:
    """Whether right positions follow each other by a rule."""
    p = gold_sequence(key.gold)
    if p is None or p >= VERY_RARE:
        return
    alike = sum(one == other for one, other in zip(key.gold, key.gold[1:], strict=False))
    yield Doubt(
        check="answer-sequence",
        level="note",
        count=alike,
        total=len(key.gold) - 1,
        says=f"right positions follow each other by a rule, not by chance: {alike:,} of "
        f"{len(key.gold) - 1:,} stand where the one before does (p {render_p(p)})",
        remedy="nothing, where each question is asked by itself, as evalkit does; look whether the "
        "file is sorted by its answers",
        numbers={"p_value": p},
    )


def check_lengths(key: AnswerKey) -> Iterator[Doubt]:
    """Whether the longest choice is right too often."""
    if key.longest < FEWEST or not key.variance:
        return
    share, chance = key.longest_right / key.longest, key.expected / key.longest
    z = (key.longest_right - 0.5 - key.expected) / math.sqrt(key.variance)
    p = math.erfc(z / math.sqrt(2)) / 2
    if p >= RARE or share < chance + NOTABLE:
        return
    yield Doubt(
        check="longest-choice",
        level="warning",
        count=key.longest_right,
        total=key.longest,
        says=f"the longest choice is the right one in {key.longest_right:,} of {key.longest:,} "
        f"questions that have one longest: {share:.1%} where chance is {chance:.1%} "
        f"(p {render_p(p)})",
        remedy="make wrong choices as long and as precise as right ones, or compare scores with "
        "that of picking the longest",
        examples=tuple(key.examples),
        numbers={"share": share, "chance": chance, "p_value": p},
    )


def render_p(p: float) -> str:
    """A p-value with three decimals."""
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"
