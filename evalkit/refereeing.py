"""The referee of a gate: it draws up the questions, has them asked in order, takes the verdict."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

from evalkit.answers import Outcome
from evalkit.baselines import Baseline
from evalkit.comparability import AskedDifference, list_differences
from evalkit.desk import Desk
from evalkit.earlier import find_earlier
from evalkit.errors import RunMismatchError, UsageError
from evalkit.gate_records import GateRecord, judge_full, take_down
from evalkit.gates import GatePlan, GateWatch, Pairing, draw_up, pair_questions, plan_gate
from evalkit.jobs import Job
from evalkit.models.model import Price
from evalkit.progress import Say, dollars
from evalkit.results import Run
from evalkit.runs.costs import cost_of_tokens
from evalkit.runs.folder import RunFolder
from evalkit.runs.gate_files import (
    GateLot,
    list_records,
    lot_path,
    read_lot,
    read_record,
    record_path,
    write_lot,
)
from evalkit.runs.manifest import Manifest
from evalkit.scores import CODES
from evalkit.stats.sequential import GateTerms

EXPECTED_OF_A_GATE = ("benchmark", "questions")
"""Differences that are told otherwise, or none: a candidate may be asked a part of the set."""


@dataclass(kw_only=True, eq=False)
class GateReferee:
    """Holds one gate over one run."""

    baseline: Baseline
    terms: GateTerms
    asks_all: bool
    results: Path
    """The folder of all runs, where earlier ones are looked for."""
    say: Say
    record: GateRecord | None = None
    """What has come of it; None before the end."""
    _folder: Path = field(init=False)
    _watch: GateWatch = field(init=False)
    _begun: GateRecord = field(init=False)

    def begin(self, folder: RunFolder, job: Job) -> GateWatch:
        """Fix the order before the first question, and write it down.

        Raises:
            UsageError: the candidate is the baseline, or their questions are not the same.
            RunMismatchError: the baseline's scores are not those that the gate began with.
            RunError: the folder can't be read or written.
        """
        self.record = None
        if folder.path.resolve() == self.baseline.path.resolve():
            raise UsageError(
                "the candidate is the baseline itself: name what is new, such as --prompt or "
                "--model; or another --results, to ask the same once more"
            )
        pairing = pair_questions(self.baseline, job.questions, job.manifest.identity)
        plan = self._fix_order(pairing, folder, job)
        self._watch = GateWatch(plan, job.responses_wanted, asks_all=self.asks_all)
        self._watch.lost_before = sum(
            read_record(path)["lost"] for path in list_records(folder.path)
        )
        self._folder = folder.path
        begun = GateRecord(
            plan=plan,
            folder=str(folder.path),
            changed=tuple(map(str, list_changes(self.baseline, job.manifest))),
            asks_all=self.asks_all,
        )
        self._begun = take_down(begun, self._watch)
        if not record_path(folder.path, plan.id).exists():
            self._begun.write(folder.path)
        self._announce(plan, job)
        return self._watch

    def _fix_order(self, pairing: Pairing, folder: RunFolder, job: Job) -> GatePlan:
        """Draw up the questions, or take them as an earlier attempt did."""
        even = (1.0,) * len(pairing.ids)
        unweighted = GateLot(ids=pairing.ids, scores=pairing.scores, weights=even)
        plan = plan_gate(pairing, self.baseline, job.manifest, self.terms, unweighted)
        lot = read_lot(folder.path, plan.seed)
        if lot is None:
            earlier = find_earlier(
                self.results, self.baseline, job.manifest.identity, set(pairing.ids)
            )
            lot = draw_up(pairing, self.baseline, earlier)
            write_lot(folder.path, plan.seed, lot)
        elif (lot.ids, lot.scores) != (pairing.ids, pairing.scores):
            raise RunMismatchError(
                f"invalid: the scores of the baseline {self.baseline.path} are not those that this "
                f"gate began with; move {lot_path(folder.path, plan.seed)} away to begin anew"
            )
        return replace(plan, lot=lot)

    def _announce(self, plan: GatePlan, job: Job) -> None:
        """Say what is to be expected before anything is asked."""
        if plan.left_out:
            self.say(
                f"{plan.suite}: {plan.left_out} questions have no score in the baseline; the gate "
                f"is about the other {plan.size:,}"
            )
        ways = self.baseline.identity.way, job.manifest.identity.way
        if ways[0] != ways[1]:
            self.say(
                f"Warning: the baseline was asked by way {ways[0]}, the candidate by {ways[1]}: "
                "a drop may be the way's"
            )
        floor = plan.noise_floor
        if floor is not None and plan.is_too_noisy:
            self.say(
                f"Warning: the margin is below the noise floor of {100 * floor:.1f} points: an "
                "unchanged model would fail more often than alpha says"
            )
        count = plan.size if self.asks_all else math.ceil(plan.expected)
        how = "all" if self.asks_all else "about"
        words = f"{plan.suite}: {how} {count:,} of {plan.size:,} questions expected"
        if not self.asks_all:
            words += f" if nothing has changed ({100 * plan.lot.flips:.1f} % flips, "
            words += f"{plan.lot.flips_from})"
        answers = job.size / len(job.questions)
        price = estimate_price(self.baseline, job.facts.price, answers)
        if price:
            words += f", about {dollars(price * count)}"
        self.say(words)

    def end(self, desk: Desk, run: Run) -> None:
        """Take the verdict, and write it down with all that is behind it."""
        watch, path = self._watch, record_path(self._folder, self._watch.plan.id)
        earlier = read_record(path) if path.exists() else {}
        came = CODES[Outcome.NOT_ASKED]
        asked = {
            question.id
            for number, question in enumerate(run.questions)
            if any(code > came for code in run.tally.codes_of(number))
        }
        record = take_down(self._begun, watch, is_spent=desk.budget.is_spent)
        self.record = replace(
            record,
            asked=max(len((asked | desk.sent) & set(watch.ids)), earlier.get("asked", 0)),
            models_served=run.models_served(),
            spent=run.cost,
            lost=earlier.get("lost", 0.0) + desk.lost_without_row,
            full=judge_full(run, watch.plan) if self.asks_all else None,
        )
        self.record.write(self._folder)


def list_changes(baseline: Baseline, candidate: Manifest) -> tuple[AskedDifference, ...]:
    """In what a candidate is asked differently from its baseline, the model first."""
    models = baseline.identity.model, candidate.identity.model
    others = (
        each
        for each in list_differences(baseline, candidate)
        if each.name not in EXPECTED_OF_A_GATE
    )
    if models[0] == models[1]:
        return tuple(others)
    return (AskedDifference(name="model", first=models[0], second=models[1]), *others)


def estimate_price(baseline: Baseline, price: Price | None, answers: float) -> float | None:
    """Dollars for a question, if it takes as many tokens as in the baseline; None: not known."""
    usage = baseline.usage
    if price is None or not usage:
        return None
    return answers * cost_of_tokens(
        price,
        plain=usage["input_tokens"],
        written=usage["cache_creation_input_tokens"],
        read=usage["cache_read_input_tokens"],
        output=usage["output_tokens"],
    )
