"""Whether a model is as often right as its answers to the same question agree."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.counts import Marks
from evalkit.errors import UsageError
from evalkit.orders import Design
from evalkit.questions import Question
from evalkit.scores import FIRST_ANSWER, FIRST_REPLY
from evalkit.stats.calibration import fair_brier
from evalkit.stats.estimates import Estimate, stretch
from evalkit.stats.means import majority_credit
from evalkit.stats.reliability import (
    FEWEST_VOTES,
    Reliability,
    equal_mass_edges,
    measure_reliability,
)
from evalkit.tallies import Tally

BINS = 10
"""Bins of a reliability table, of about as many questions each."""

HIGHEST_BRIER = 2.0
"""What a Brier score over all choices comes to if a model is sure of a wrong one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Confidence told from votes: the answers to a question, each in the same order of its choices.

    The pick of a question is the choice that most of its answers name, and the confidence in it is
    their share of all its answers. An answer that names no choice is a vote for none, which is
    never right: it lowers the confidence in the pick. A question without any pick counts in the
    Brier scores as if the model had been sure of a wrong choice.
    """

    samples: int
    """Answers to each question, which is what votes are shares of; at least 2."""
    n: int
    """Questions to which all answers came."""
    left_out: int
    """Questions to which not all answers came."""
    ties: int
    """Questions whose most frequent choices are several; that which was named first is the pick."""
    without_pick: int
    """Questions of which no answer names a choice."""
    unanimous: int
    """Questions of which all answers name the same choice."""
    unread: int
    """Answers that name no choice."""
    brier: Estimate
    """The Brier score over all choices, from 0, which is perfect, to 2, less what the number of
    votes adds to it: runs with different numbers of answers can be compared."""
    even: float
    """What `brier` would be if all choices of each question were as likely as each other."""
    brier_of_pick: Estimate
    """The Brier score of the confidence in the pick, from 0, which is perfect, to 1. Votes make the
    confidence too high: the fewer, the more."""
    majority: Estimate
    """How many questions are right by majority vote, a fraction; in a tie the leaders share."""
    reliability: Reliability | None
    """Confidence and accuracy of the picks in bins; None: too few answers a question, or no
    pick."""

    @property
    def source(self) -> str:
        """Where the confidence comes from."""
        return f"vote shares of {self.samples} answers"

    @property
    def majority_name(self) -> str:
        """What the share of questions right by majority vote is called; it is no accuracy."""
        return f"maj@{self.samples}"

    @property
    def is_too_coarse(self) -> bool:
        """Whether there are too few answers a question for bins and their mean gap."""
        return self.samples < FEWEST_VOTES

    @property
    def is_unanimous(self) -> bool:
        """Whether no answer differs from another, so that the confidence tells nothing."""
        return self.unanimous == self.n


def measure_calibration(
    questions: Iterable[Question], tally: Tally, clusters: Sequence[int] | None = None
) -> Calibration:
    """Tell from the votes on each question how sure a model is, and whether it is right to be.

    Args:
        questions: of the run, in their order.
        tally: what came of them.
        clusters: the number of the cluster of each question; None: each stands alone.

    Raises:
        UsageError: there is one answer a question, they were given to several orders of its
            choices, they are sets of choices, or no question got all of its answers.

    Source:
        Brier (1950), Mon. Weather Rev. 78, 1-3; Ferro (2014), Q. J. R. Meteorol. Soc. 140,
        1917-1923, on votes; Roelofs et al. (2022), arXiv:2012.08668, on bins.
    """
    check_design(tally.design)
    samples = tally.design.samples
    left_out = ties = without_pick = unanimous = unread = 0
    brier, squares, credits, even = Marks(), Marks(), Marks(), array("d")
    confidences, correct = array("d"), array("b")
    for number, question in enumerate(questions):
        codes = tally.codes_of(number)
        if min(codes) < FIRST_REPLY:
            left_out += 1
            continue
        cluster = None if clusters is None else clusters[number]
        votes = Counter(code - FIRST_ANSWER for code in codes if code >= FIRST_ANSWER)
        unread += samples - votes.total()
        brier.add(fair_brier(sort_votes(votes, question, samples), 0) / HIGHEST_BRIER, cluster)
        even.append(score_even(question))
        credits.add(majority_credit(list(votes.elements()) or [None], question.right), cluster)
        if not votes:
            without_pick += 1
            squares.add(1.0, cluster)
            continue
        # Of choices named as often, the first: it is any of them with the same chance.
        [(pick, most), *others] = votes.most_common()
        unanimous += most == samples
        ties += any(count == most for _, count in others)
        confidences.append(most / samples)
        correct.append(pick in question.right)
        squares.add((confidences[-1] - correct[-1]) ** 2, cluster)
    if not even:
        raise UsageError(
            f"no confidence can be told: of no question did all {samples} answers come; the same "
            "command again asks what is missing"
        )
    return Calibration(
        samples=samples,
        n=len(even),
        left_out=left_out,
        ties=ties,
        without_pick=without_pick,
        unanimous=unanimous,
        unread=unread,
        brier=stretch(estimate(brier), HIGHEST_BRIER),
        even=statistics.fmean(even),
        brier_of_pick=estimate(squares),
        majority=estimate(credits),
        reliability=measure_reliability(
            confidences, correct, equal_mass_edges(confidences, BINS), samples=samples
        )
        if confidences and samples >= FEWEST_VOTES
        else None,
    )


def check_design(design: Design) -> None:
    """Refuse answers that are no votes on one and the same prompt.

    Raises:
        UsageError: saying what is missing.
    """
    if design.several:
        raise UsageError(
            "no confidence can be told from answers that are sets of choices: they are no votes "
            "for one choice"
        )
    if design.orders not in (None, 1):
        raise UsageError(
            "no confidence can be told from answers to several orders of the choices: they are no "
            "draws from one distribution, which the correction for votes takes them to be; ask "
            "with --samples alone"
        )
    if design.samples == 1:
        raise UsageError(
            "no confidence can be told from one answer a question: ask with --samples 20 and "
            "--temperature 1"
        )


def sort_votes(votes: Mapping[int, int], question: Question, samples: int) -> list[int]:
    """Votes for what is right, for each wrong choice, and for none.

    Several right choices are one: a model need not decide between them.

    Example:
        >>> question = Question(id="x", stem="?", choices=("a", "b", "c"), right=(0, 2))
        >>> sort_votes({0: 2, 1: 1, 2: 1}, question, 5)
        [3, 1, 1]
    """
    right = sum(votes.get(choice, 0) for choice in question.right)
    places = range(len(question.choices))
    wrong = [votes.get(choice, 0) for choice in places if choice not in question.right]
    return [right, *wrong, samples - right - sum(wrong)]


def score_even(question: Question) -> float:
    """The Brier score over all choices of a model to which each is as likely as the others.

    Example:
        >>> score_even(Question(id="x", stem="?", choices=("a", "b", "c", "d"), right=(0,)))
        0.75
    """
    share = 1 / len(question.choices)
    wrong = len(question.choices) - len(question.right)
    return (wrong * share) ** 2 + wrong * share * share


def estimate(marks: Marks) -> Estimate:
    """The mean of numbers of which there are some."""
    found = marks.estimate()
    assert found is not None, "there are some"
    return found
