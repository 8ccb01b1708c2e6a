"""Whether a model likes some letters more than others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.counts import Marks, cluster_questions
from evalkit.prompts import PromptFormat, build_labels
from evalkit.questions import Question
from evalkit.stats.estimates import Estimate
from evalkit.stats.positions import (
    ChiSquareTest,
    LetterTable,
    gold_balance,
    gold_sequence,
    stuart_maxwell,
    tabulate_letters,
)
from evalkit.tallies import Tally

ALPHA = 0.05
"""Below it, right letters are taken not to stand in random order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionBias:
    """What the first reply to each question tells, in one order of its choices."""

    n: int
    """Questions whose first reply came."""
    table: LetterTable
    """Letters picked against right ones, as they were shown."""
    recalls: tuple[Estimate | None, ...]
    """By letter of the table, the accuracy where it was right; None: it never was."""
    homogeneity: ChiSquareTest | None
    """Stuart and Maxwell's test that letters are picked as often as they are right; None: every
    letter read was right."""
    balance: ChiSquareTest | None
    """Chi-square test that right letters are equally frequent."""
    sequence_p: float | None
    """Of the runs test that they follow each other by chance; None: there is nothing to test."""

    @property
    def is_random(self) -> bool:
        """Whether the right letters seem to stand in random order, as the test needs."""
        balance = 1.0 if self.balance is None else self.balance.p_value
        return min(balance, 1.0 if self.sequence_p is None else self.sequence_p) >= ALPHA

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        rows = zip(
            self.table.letters, self.recalls, self.table.counts, self.table.unread, strict=True
        )
        return {
            "n": self.n,
            "letters": [
                {
                    "letter": letter,
                    "right": sum(counts) + unread,
                    "picked": sum(row[place] for row in self.table.counts),
                    "recall": None if recall is None else recall.mean,
                    "picked_where_right": dict(zip(self.table.letters, counts, strict=True)),
                    "unread": unread,
                }
                for place, (letter, recall, counts, unread) in enumerate(rows)
            ],
            "recall_deviation": self.table.recall_deviation,
            "stuart_maxwell": chi_square_to_dict(self.homogeneity),
            "right_letters": {
                "balance": chi_square_to_dict(self.balance),
                "sequence_p_value": self.sequence_p,
                "random": self.is_random,
            },
        }


def find_position_bias(
    questions: Sequence[Question], tally: Tally, form: PromptFormat
) -> PositionBias | None:
    """Look at the first reply to each question; None if none came.

    Args:
        questions: of the run, in their order.
        tally: what came of them.
        form: how they were written out.
    """
    clusters = cluster_questions(questions)
    gold, picked, sizes = [], [], []
    marks: dict[str, Marks] = {}
    for number, question in enumerate(questions):
        first = tally.shown_of(number, question)[0]
        if first is None:
            continue
        right, choice = first
        labels = build_labels(len(question.choices), form.labels)
        gold.append(right)
        picked.append(None if choice is None else labels[choice])
        sizes.append(len(labels))
        cluster = None if clusters is None else clusters[number]
        marks.setdefault(labels[right], Marks()).add(float(right == choice), cluster)
    if not gold:
        return None
    letters = build_labels(max(2, *sizes), form.labels)
    table = tabulate_letters([letters[place] for place in gold], picked)
    return PositionBias(
        n=len(gold),
        table=table,
        recalls=tuple(
            marks[letter].estimate() if letter in marks else None for letter in table.letters
        ),
        homogeneity=stuart_maxwell(table),
        balance=gold_balance(gold, sizes),
        sequence_p=gold_sequence(gold),
    )


def chi_square_to_dict(test: ChiSquareTest | None) -> dict[str, Any] | None:
    """A test as JSON."""
    if test is None:
        return None
    return {"statistic": test.statistic, "df": test.df, "p_value": test.p_value}
