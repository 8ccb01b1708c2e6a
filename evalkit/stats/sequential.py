"""The regression gate: it watches a candidate's answers, and ends when the verdict is clear.

What is tested is the drop on this very set of questions, which a complete run would count. The only
chance in it is the order of the questions, so the guarantee needs no assumption about them: either
wrong verdict has a chance of at most alpha, however often one looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.stats.anytime import Course, bound_total, trace_evidence
from evalkit.stats.betting import Bettor
from evalkit.stats.draws import check_weights
from evalkit.stats.intervals import Interval
from evalkit.stats.outlook import look_ahead
from evalkit.stats.verdicts import Verdict

SLACK = 1e-9
"""Totals closer than this are equal: sums of fractions are not exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTerms:
    """What a gate tests, fixed before the first answer.

    Example:
        >>> GateTerms(margin=0.05).alpha
        0.05
    """

    margin: float = 0.02
    """The largest drop that is no regression, a fraction in [0, 1): delta in the formulas."""
    alpha: float = 0.05
    """The chance of either wrong verdict, a fraction in (0, 0.5)."""
    fail_margin: float | None = None
    """A drop of more than this may be called a regression, 0 to the margin; None: the margin.

    With a lower one, clear drops are found much sooner, and harmless ones may be called
    regressions.
    """
    budget: int | None = None
    """The most answers to use, at least 1; None: all of them."""
    suites: int = 1
    """Suites that are judged together, at least 1: a regression is shown at alpha / suites."""

    def __post_init__(self) -> None:
        if not 0 <= self.margin < 1:
            raise ValueError(f"margin = {self.margin}: expected 0 to less than 1")
        if not 0 < self.alpha < 0.5:
            raise ValueError(f"alpha = {self.alpha}: expected more than 0, less than 0.5")
        if self.fail_margin is not None and not 0 <= self.fail_margin <= self.margin:
            raise ValueError(f"fail_margin = {self.fail_margin}: expected 0 to {self.margin}")
        if self.budget is not None and self.budget < 1:
            raise ValueError(f"budget = {self.budget}: expected at least 1")
        if self.suites < 1:
            raise ValueError(f"suites = {self.suites}: expected at least 1")


class Gate:
    """A comparison with a baseline that is given the candidate's scores one by one.

    They have to come in `order`: taking them as they arrive favours quick questions and voids the
    guarantee. To resume, build the gate anew and give it the recorded scores again.

    Example:
        >>> gate = Gate([1.0] * 900 + [0.0] * 100, GateTerms(margin=0.02), order=range(1000))
        >>> while gate.verdict is None:
        ...     verdict = gate.update(gate.baseline_score)
        >>> str(verdict), gate.used
        ('no regression beyond delta', 215)
    """

    def __init__(
        self,
        baseline: Sequence[float],
        terms: GateTerms,
        *,
        order: Sequence[int],
        weights: Sequence[float] | None = None,
        is_binary: bool | None = None,
    ) -> None:
        """Prepare for the first answer; what is left at each step is summed up in advance.

        Args:
            baseline: the baseline's score of each question, in [0, 1]; at least one.
            terms: margin, error and budget.
            order: the positions of all questions, each once, as drawn by the weights.
            weights: by which the order was drawn, one for each question; None: all 1.
            is_binary: whether all scores are 0 or 1, the candidate's too; None: if the baseline's
                are. If not, thresholds lie at the margins themselves, not at whole questions.

        Raises:
            ValueError: an argument is outside its range, or lengths differ.
        """
        n = len(baseline)
        weights = [1.0] * n if weights is None else weights
        _check_questions(baseline, order, weights)
        looks_binary = all(score in (0, 1) for score in baseline)
        if is_binary and not looks_binary:
            raise ValueError("is_binary = True: a score of the baseline is other than 0 and 1")
        self.terms = terms
        self.order = tuple(order)
        """Positions of the questions in the order in which they have to be asked."""
        self.is_binary = looks_binary if is_binary is None else is_binary
        self.verdict: Verdict | None = None
        """Final when first reached; more scores may still be given, for the estimate."""
        self.used: int | None = None
        """Answers that the verdict took; None before it."""
        self.losses = 0
        """Questions answered whose score fell."""
        self.gains = 0
        """Questions answered whose score rose."""
        fail_margin = terms.margin if terms.fail_margin is None else terms.fail_margin
        if self.is_binary:
            self.pass_total: float = -(math.floor(terms.margin * n + SLACK) + 1)
            self.fail_total: float = -math.floor(fail_margin * n + SLACK)
        else:
            self.pass_total, self.fail_total = -terms.margin * n, -fail_margin * n
        self._baseline = tuple(baseline[place] for place in self.order)
        self._outlook = look_ahead(self._baseline, [weights[place] for place in self.order])
        self._passing, self._failing = Bettor(), Bettor()
        self.pass_limit = -math.log(terms.alpha)
        """The evidence that says `no regression`."""
        self.fail_limit = -math.log(terms.alpha / terms.suites)
        """The evidence that says `regressed`."""
        self._differences: list[float] = []
        self._payoffs: list[float] = []
        self._total = 0.0
        self._projections = 0.0

    def update(self, score: float) -> Verdict | None:
        """Take the candidate's score of the next question in the order.

        Args:
            score: in [0, 1]; 0 or 1 if the gate is binary.

        Returns:
            The verdict if there is one by now.

        Raises:
            ValueError: the score is outside its range, or all questions were answered.
        """
        place, size = len(self._differences), len(self._baseline)
        if place == size:
            raise ValueError(f"{size + 1} scores: expected at most {size}")
        if not 0 <= score <= 1 or (self.is_binary and 0 < score < 1):
            allowed = "0 or 1" if self.is_binary else "0 to 1"
            raise ValueError(f"score = {score}: expected {allowed}")
        outlook, left = self._outlook, size - place
        difference = score - self._baseline[place]
        payoff = difference * outlook.ratios[place]
        mean, scale = (self.pass_total - self._total) / left, size / left
        self._passing.settle(payoff - mean, mean - outlook.worst[place], scale)
        mean = (self.fail_total - self._total) / left
        self._failing.settle(mean - payoff, outlook.best[place] - mean, scale)
        self._projections += self._total + left * payoff
        self._differences.append(difference)
        self._payoffs.append(payoff)
        if difference:
            self._total += difference
            self.losses += difference < 0
            self.gains += difference > 0
        if self.verdict is None and (verdict := self._judge(place + 1)):
            self.verdict, self.used = verdict, place + 1
        return self.verdict

    def _judge(self, answered: int) -> Verdict | None:
        """The rules by which a gate ends: what is certain goes before what is likely."""
        if self._total - self._outlook.to_lose[answered] > self.pass_total + SLACK:
            return Verdict.NO_REGRESSION
        if self._total + self._outlook.to_gain[answered] < self.fail_total - SLACK:
            return Verdict.REGRESSED
        if answered == len(self._baseline):  # a fractional drop of exactly delta
            return Verdict.NO_REGRESSION
        if self._passing.has_reached(self.pass_limit):
            return Verdict.NO_REGRESSION
        if self._failing.has_reached(self.fail_limit):
            return Verdict.REGRESSED
        return Verdict.INCONCLUSIVE if answered == self.terms.budget else None

    @property
    def answered(self) -> int:
        """Scores given so far, after the verdict too."""
        return len(self._differences)

    @property
    def baseline_score(self) -> float:
        """The baseline's score of the question whose turn it is.

        Raises:
            IndexError: all questions were answered.
        """
        return self._baseline[len(self._differences)]

    @property
    def pass_evidence(self) -> float:
        """Logarithm of the wealth of the side that bets against a drop beyond delta."""
        return self._passing.evidence

    @property
    def fail_evidence(self) -> float:
        """Logarithm of the wealth of the side that bets against a drop within the fail margin."""
        return self._failing.evidence

    @property
    def pass_p_value(self) -> float:
        """Of a drop beyond delta, in (0, 1]: small if there is none. Valid at any time."""
        return self._passing.p_value

    @property
    def fail_p_value(self) -> float:
        """Of a drop within the fail margin, in (0, 1]: small if it is larger. Valid at any time."""
        return self._failing.p_value

    def drop_interval(self) -> Interval | None:
        """The interval of the drop on this set, valid at any stopping time, as no other is.

        Returns:
            Baseline - candidate as fractions in [-1, 1], at a level of 1 - 2 alpha, so that it
            agrees with the verdict. Once all are answered, the count. None before the first answer.
            The estimate is a mean of unbiased projections: the plain difference of the questions
            answered would exaggerate after an early end.
        """
        answered, size = self.answered, len(self._baseline)
        if answered == 0:
            return None
        limits = self.pass_limit, self.fail_limit
        least, most = bound_total(self._course(), *limits, is_whole=self.is_binary)
        low, high = (0.0 - most) / size, (0.0 - least) / size
        estimate = (0.0 - self._projections) / answered / size
        return Interval(
            estimate=min(max(estimate, low), high),
            low=low,
            high=high,
            n=answered,
            level=1 - self.terms.alpha * (1 + 1 / self.terms.suites),
            method="betting",
        )

    def trace(self) -> tuple[list[float], list[float]]:
        """The evidence of both sides after each answer, the passing side's first."""
        if not self._differences:
            return [], []
        return trace_evidence(self._course(), self.pass_total, self.fail_total)

    def _course(self) -> Course:
        """The answers so far, for what looks back on all of them."""
        answered, outlook = self.answered, self._outlook
        return Course(
            size=len(self._baseline),
            differences=self._differences,
            payoffs=self._payoffs,
            worst=outlook.worst[:answered],
            best=outlook.best[:answered],
            to_lose=outlook.to_lose[answered],
            to_gain=outlook.to_gain[answered],
        )


def _check_questions(
    baseline: Sequence[float], order: Sequence[int], weights: Sequence[float]
) -> None:
    n = len(baseline)
    if n < 1:
        raise ValueError("0 questions: expected at least 1")
    for score in baseline:
        if not 0 <= score <= 1:
            raise ValueError(f"baseline = {score}: expected 0 to 1")
    if sorted(order) != list(range(n)):
        raise ValueError(f"order: expected each of 0 to {n - 1} once")
    if len(weights) != n:
        raise ValueError(f"{len(weights)} weights: expected {n}")
    check_weights(weights)
