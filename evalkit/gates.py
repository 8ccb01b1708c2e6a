"""What a gate compares, fixed before the first answer; and the answers taken in its order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from evalkit.answers import Outcome
from evalkit.baselines import Baseline
from evalkit.errors import UsageError
from evalkit.orders import design_of
from evalkit.questions import Question, digest_of
from evalkit.responses import RequestFailure
from evalkit.results import Run
from evalkit.runs.gate_files import GateLot
from evalkit.runs.manifest import Identity, Manifest
from evalkit.scores import Score
from evalkit.stats.costs import expected_questions, noise_floor
from evalkit.stats.draws import draw_order, gate_seed, history_weights
from evalkit.stats.sequential import Gate, GateTerms
from evalkit.stats.verdicts import Verdict

ASSUMED_FLIPS = 0.05
"""The share of questions on which two runs are taken to differ where nothing is known."""

FEWEST_FLIPS = 0.002
"""Earlier runs that hardly differ say little of how the next one will."""


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """The questions that a gate can use: asked of the candidate, scored in the baseline."""

    suite: str
    """The benchmark's name."""
    suite_digest: str
    """SHA-256 of the content of the questions, and of the worked examples before them."""
    ids: tuple[str, ...]
    """In the order of the set."""
    scores: tuple[float, ...]
    """The baseline's."""
    left_out: int
    """Questions of the candidate that the baseline has no score of."""


def pair_questions(
    baseline: Baseline, questions: Sequence[Question], candidate: Identity
) -> Pairing:
    """Join the candidate's questions with the baseline's scores.

    Args:
        baseline: complete or not: a question without a reply is left out.
        questions: the candidate's, in the order of the set.
        candidate: of the run that is asked them.

    Raises:
        UsageError: a question is not the same in both, or none is in both.
    """
    check_versions(baseline, questions)
    scores = {q.id: baseline.by_id.get(q.id, math.nan) for q in questions}
    left_out = [name for name, score in scores.items() if math.isnan(score)]
    if len(left_out) == len(scores):
        raise UsageError(
            f"invalid: {baseline.path} has a score of none of {candidate.benchmark}'s questions"
        )
    for name in left_out:
        del scores[name]
    return Pairing(
        suite=candidate.benchmark,
        suite_digest=digest_of(candidate.question_digest, *left_out),
        ids=tuple(scores),
        scores=tuple(scores.values()),
        left_out=len(left_out),
    )


def check_versions(baseline: Baseline, questions: Sequence[Question]) -> None:
    """Refuse questions that have changed since the baseline was made.

    Raises:
        UsageError: naming the first.
    """
    # Where texts are not kept, `evalkit.candidates` compares their digest as a whole.
    if changed := baseline.find_changed(questions):
        raise UsageError(
            f"invalid: {len(changed)} questions are not those of the baseline {baseline.path}, "
            f"{changed[0]} for one: their text, choices or right answer have changed"
        )


def draw_up(pairing: Pairing, baseline: Baseline, earlier: Sequence[Run]) -> GateLot:
    """Weigh the questions by earlier runs, and see what they say of flips.

    Args:
        pairing: the questions.
        baseline: the run that the candidate is compared with.
        earlier: other complete runs of the same model over these questions, the latest last.
    """
    histories = [shares_of(run, pairing.ids) for run in earlier]
    even = (1.0,) * len(pairing.ids)
    weights = history_weights(pairing.scores, histories) if histories else even
    flips, source = estimate_flips(pairing.scores, histories, baseline)
    return GateLot(
        ids=pairing.ids,
        scores=pairing.scores,
        weights=weights,
        history=tuple(run.manifest.identity.run_id for run in earlier),
        flips=flips,
        flips_from=source,
    )


def shares_of(run: Run, ids: Sequence[str]) -> list[float]:
    """The scores of some questions of a complete run."""
    shares = dict(zip((q.id for q in run.questions), run.shares, strict=True))
    return [shares[name] for name in ids]


def estimate_flips(
    scores: Sequence[float], histories: Sequence[Sequence[float]], baseline: Baseline
) -> tuple[float, str]:
    """The share of questions on which the candidate may differ by chance, with its source."""
    if histories:
        squares = [
            (ours - theirs) ** 2
            for history in histories
            for ours, theirs in zip(scores, history, strict=True)
        ]
        return max(FEWEST_FLIPS, math.fsum(squares) / len(squares)), "earlier runs"
    if baseline.own_flips is not None:
        return max(FEWEST_FLIPS, baseline.own_flips), "the baseline's own answers"
    return ASSUMED_FLIPS, "assumed"


@dataclass(frozen=True, kw_only=True)
class GatePlan:
    """Everything that decides a gate, but the candidate's answers."""

    suite: str
    suite_digest: str
    baseline: str
    """Id of the baseline's run."""
    baseline_folder: str
    baseline_samples: int
    """Answers to each question that its scores are means of."""
    candidate: str
    """Id of the candidate's run, a digest of its configuration."""
    candidate_samples: int
    terms: GateTerms
    lot: GateLot
    left_out: int
    """Questions without a score in the baseline."""
    own_flips: float | None
    """The baseline's flips against itself; None: not known."""

    @property
    def size(self) -> int:
        """Questions, the N of the gate."""
        return len(self.lot.ids)

    @cached_property
    def seed(self) -> int:
        """What the order is drawn by."""
        return gate_seed(
            suite=self.suite_digest,
            baseline=self.baseline,
            candidate=self.candidate,
            delta=self.terms.margin,
            alpha=self.terms.alpha,
        )

    @cached_property
    def id(self) -> str:
        """Twelve hexadecimal digits; other terms are another gate, perhaps in the same order."""
        terms = self.terms
        facts = (self.seed, terms.fail_margin, terms.budget, terms.suites)
        return digest_of(*map(str, facts))[:12]

    @property
    def is_binary(self) -> bool:
        """Whether all scores are 0 or 1, the candidate's too."""
        return self.candidate_samples == 1 and set(self.lot.scores) <= {0, 1}

    @property
    def expected(self) -> float:
        """About how many questions it takes if nothing has changed, by the flips in the lot."""
        terms = self.terms
        count = expected_questions(
            self.size, delta=terms.margin, drop=0.0, flips=self.lot.flips, alpha=terms.alpha
        )
        return min(count, terms.budget or count)

    @property
    def noise_floor(self) -> float | None:
        """The margin below which an unchanged model fails too often; None: not known."""
        if self.own_flips is None:
            return None
        return noise_floor(
            self.own_flips,
            self.size,
            baseline_samples=self.baseline_samples,
            candidate_samples=self.candidate_samples,
            alpha=self.terms.alpha,
        )

    @property
    def is_too_noisy(self) -> bool:
        """Whether the margin is below what the model's scatter allows."""
        floor, terms = self.noise_floor, self.terms
        margin = terms.margin if terms.fail_margin is None else terms.fail_margin
        return floor is not None and margin < floor

    def open(self) -> Gate:
        """The gate before its first answer."""
        return Gate(
            self.lot.scores,
            self.terms,
            order=draw_order(self.lot.weights, self.seed),
            weights=self.lot.weights,
            is_binary=self.is_binary,
        )


def plan_gate(
    pairing: Pairing, baseline: Baseline, candidate: Manifest, terms: GateTerms, lot: GateLot
) -> GatePlan:
    """Put together what a gate compares.

    Args:
        pairing: the questions.
        baseline: the run to compare with.
        candidate: of the run that is asked.
        terms: margin, error and budget.
        lot: the questions weighed; any, as long as only the seed is wanted.
    """
    return GatePlan(
        suite=pairing.suite,
        suite_digest=pairing.suite_digest,
        baseline=baseline.identity.run_id,
        baseline_folder=str(baseline.path),
        baseline_samples=design_of(baseline.identity).count_of(baseline.most_choices),
        candidate=candidate.identity.run_id,
        candidate_samples=design_of(candidate.identity).count_of(baseline.most_choices),
        terms=terms,
        lot=lot,
        left_out=pairing.left_out,
        own_flips=baseline.own_flips,
    )


class GateWatch:
    """Takes the candidate's scores as they come, and gives them to the gate in its order.

    Args:
        plan: what is compared.
        wanted: how many responses make a question's score.
        asks_all: whether all is asked, whatever the verdict.
    """

    def __init__(
        self,
        plan: GatePlan,
        wanted: Callable[[Question], int] = lambda question: 1,
        *,
        asks_all: bool = False,
    ) -> None:
        self.plan, self.gate, self.wanted, self.asks_all = plan, plan.open(), wanted, asks_all
        self.ids = [plan.lot.ids[place] for place in self.gate.order]
        """The questions in the order of the gate."""
        self.is_clear = asyncio.Event()
        """Set at the verdict, when nothing more is needed."""
        self.lost_before = 0.0
        """Dollars that earlier attempts may have cost of which the journal does not know."""
        self.failures: dict[str, str] = {}
        """Why a request failed for good, by question."""
        self._places = {name: place for place, name in enumerate(self.ids)}
        self._early: dict[int, float] = {}
        """Scores that came before their turn, by place in the order."""
        self._partial: dict[str, tuple[int, int]] = {}
        """Responses and right ones, of questions that wait for more."""

    def list_questions(self, by_id: Mapping[str, Question]) -> Iterator[Question]:
        """The questions in the order of the gate, until no more has to be asked.

        Once a request has failed for good, the gate can't pass it: nothing more is begun, and what
        is under way may still bring the verdict.

        Args:
            by_id: those of the candidate; if all are asked, those that the gate has not come last.
        """
        terms = self.plan.terms
        for name in self.ids if self.asks_all else self.ids[: terms.budget]:
            if not self.asks_all and (self.failures or self.gate.verdict is not None):
                return
            yield by_id[name]
        if self.asks_all:
            yield from (q for name, q in by_id.items() if name not in self._places)

    def take(self, scores: Iterable[Score]) -> None:
        """Take scores of responses that are on disk, in whatever order they came."""
        for score in scores:
            question = score.question
            place = self._places.get(question.id)
            if place is None:
                continue
            if score.answer.outcome is Outcome.FAILED and self._note_failure(score):
                continue
            is_right = score.correct is True
            if (wanted := self.wanted(question)) == 1:
                self._early[place] = 1.0 if is_right else 0.0
                continue
            came, right = self._partial.pop(question.id, (0, 0))
            came, right = came + 1, right + is_right
            if came < wanted:
                self._partial[question.id] = came, right
            else:
                self._early[place] = right / came
        self._advance()

    def _note_failure(self, score: Score) -> bool:
        """Note that a request failed; False for one of which a reply came, cut off, that counts."""
        row = score.row
        assert row is not None, "a failure has a row"
        assert isinstance(row.result, RequestFailure), "a failure"
        if row.is_futile:  # it can't be had longer
            return False
        self.failures[score.question.id] = row.result.message
        return True

    def _advance(self) -> None:
        """Give the gate whatever is next in its order."""
        gate, early, place = self.gate, self._early, self.gate.answered
        # The verdict is final: only who asks for all of it goes on, for the estimate.
        while place in early and (gate.verdict is None or self.asks_all):
            if gate.update(early.pop(place)) is not None and not self.asks_all:
                self.is_clear.set()
            place += 1

    @property
    def verdict(self) -> Verdict | None:
        """What is to be said when nothing more comes; None: the same command goes on."""
        gate = self.gate
        if self.failures and (self.asks_all or gate.verdict is None):
            return Verdict.INVALID
        return None if self.asks_all and gate.answered < self.plan.size else gate.verdict

    def describe(self) -> str:
        """The evidence so far, for a progress bar."""
        gate = self.gate
        expected = math.ceil(self.plan.size if self.asks_all else self.plan.expected)
        return (
            f"used {gate.answered:,} of about {expected:,} (of {self.plan.size:,}), "
            f"losses {gate.losses}, gains {gate.gains}, evidence of a pass "
            f"{gate.pass_evidence:.1f} / {gate.pass_limit:.1f}, of a fail "
            f"{gate.fail_evidence:.1f} / {gate.fail_limit:.1f}"
        )
