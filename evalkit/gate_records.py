"""What came of a gate, with every number behind its verdict: written, read, computed again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import RunFormatError
from evalkit.gates import GatePlan, GateWatch
from evalkit.results import Run, interval_to_dict, load_run
from evalkit.runs.gate_files import list_records, read_lot, read_record, write_record
from evalkit.scores import FIRST_REPLY
from evalkit.stats.costs import expected_questions
from evalkit.stats.intervals import Interval
from evalkit.stats.sequential import Gate, GateTerms
from evalkit.stats.verdicts import Verdict, margin_verdict
from evalkit.tallies import share_of

DIGITS = 4
"""Of the evidence after each answer, which is kept to be drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullVerdict:
    """What a complete run says: about questions like these, and about these."""

    verdict: Verdict
    """Against the margin, for questions like these."""
    interval: Interval
    """Of the difference, candidate - baseline, at a level of 1 - 2 alpha."""
    drop: float
    """On this set, a count without a sampling error; a fraction."""
    on_this_set: Verdict
    """Against the margin, by that count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRecord:
    """A gate as far as it has come."""

    plan: GatePlan
    folder: str
    """Of the candidate's run."""
    changed: tuple[str, ...]
    """In what the candidate was asked differently from the baseline."""
    asks_all: bool = False
    """Whether all questions were to be asked, whatever the verdict."""
    verdict: Verdict | None = None
    """None: no verdict yet; the same command goes on."""
    reason: str = ""
    """Why a verdict is invalid or inconclusive."""
    used: int = 0
    """Answers that went into the numbers here."""
    asked: int = 0
    """Questions of which a request was sent; those in flight at the verdict are not used."""
    losses: int = 0
    gains: int = 0
    pass_evidence: float = 0.0
    """Logarithm of the wealth of the side that bets against a drop beyond the margin."""
    fail_evidence: float = 0.0
    """Of the side that bets against a drop within the fail margin."""
    pass_p_value: float = 1.0
    fail_p_value: float = 1.0
    drop: Interval | None = None
    """Baseline - candidate on this set, valid at any stopping time; None: nothing is used yet."""
    trace: tuple[Sequence[float], Sequence[float]] = ((), ())
    """The evidence of both sides after each answer."""
    more: int | None = None
    """How many questions more would probably decide; None where that is no question."""
    models_served: tuple[str, ...] = ()
    """The models that say they answered."""
    spent: float | None = None
    """Dollars for the candidate's answers; None: no price is known."""
    lost: float = 0.0
    """Dollars that requests broken off at the verdict may have cost at most, under a budget."""
    full: FullVerdict | None = None
    """Where all questions were to be asked."""

    @property
    def pass_limit(self) -> float:
        """The evidence that says `no regression`."""
        return -math.log(self.plan.terms.alpha)

    @property
    def fail_limit(self) -> float:
        """The evidence that says `regressed`."""
        return -math.log(self.plan.terms.alpha / self.plan.terms.suites)

    @property
    def final(self) -> Verdict | None:
        """The verdict that decides: of the full run where that was asked for."""
        if self.full is not None and self.verdict is not Verdict.INVALID:
            return self.full.verdict
        return self.verdict

    @property
    def is_exhausted(self) -> bool:
        """Whether all questions were used, so that the drop is a count."""
        return self.used == self.plan.size

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json` and of the record on disk; shares are fractions."""
        plan, final = self.plan, self.final
        return {
            "id": plan.id,
            "suite": plan.suite,
            "verdict": None if final is None else str(final),
            "reason": self.reason,
            "used": self.used,
            "asked": self.asked,
            "questions": plan.size,
            "losses": self.losses,
            "gains": self.gains,
            "drop": None if self.drop is None else interval_to_dict(self.drop),
            "p_values": {"pass": self.pass_p_value, "fail": self.fail_p_value},
            "evidence": {
                "pass": self.pass_evidence,
                "fail": self.fail_evidence,
                "pass_limit": self.pass_limit,
                "fail_limit": self.fail_limit,
            },
            "terms": asdict(plan.terms),
            "seed": f"{plan.seed:016x}",
            "volatile": plan.lot.volatile,
            "history": list(plan.lot.history),
            "flips": plan.lot.flips,
            "flips_from": plan.lot.flips_from,
            "expected": plan.expected,
            "own_flips": plan.own_flips,
            "noise_floor": plan.noise_floor,
            "more": self.more,
            "suite_digest": plan.suite_digest,
            "lot_digest": plan.lot.digest,
            "left_out": plan.left_out,
            "baseline": plan.baseline,
            "baseline_folder": plan.baseline_folder,
            "baseline_samples": plan.baseline_samples,
            "candidate": plan.candidate,
            "candidate_samples": plan.candidate_samples,
            "folder": self.folder,
            "changed": list(self.changed),
            "asks_all": self.asks_all,
            "models_served": list(self.models_served),
            "spent": self.spent,
            "lost": self.lost,
            "sequential_verdict": None if self.verdict is None else str(self.verdict),
            "full": None if self.full is None else full_to_dict(self.full),
            "trace": {"pass": list(self.trace[0]), "fail": list(self.trace[1])},
        }

    def write(self, folder: Path) -> None:
        """Put the record into the candidate's folder.

        Raises:
            RunError: it can't be written.
        """
        write_record(folder, self.plan.id, self.to_dict())


def full_to_dict(full: FullVerdict) -> dict[str, Any]:
    """The verdict of a complete run as JSON."""
    return {
        "verdict": str(full.verdict),
        "difference": interval_to_dict(full.interval),
        "drop": full.drop,
        "on_this_set": str(full.on_this_set),
    }


def take_down(record: GateRecord, watch: GateWatch, *, is_spent: bool = False) -> GateRecord:
    """Note how far a gate has come.

    Args:
        record: of its beginning.
        watch: what has been given to it.
        is_spent: whether the money for it is.
    """
    gate, verdict = watch.gate, watch.verdict
    reason = ""
    if verdict is None and is_spent:
        verdict = Verdict.INCONCLUSIVE
    if verdict is Verdict.INVALID:
        name, message = next(iter(watch.failures.items()))
        reason = f"question {name}: {message}"
    elif verdict is Verdict.INCONCLUSIVE:
        reason = "budget"
    passing, failing = gate.trace()
    return replace(
        record,
        verdict=verdict,
        reason=reason,
        used=gate.answered,
        losses=gate.losses,
        gains=gate.gains,
        pass_evidence=gate.pass_evidence,
        fail_evidence=gate.fail_evidence,
        pass_p_value=gate.pass_p_value,
        fail_p_value=gate.fail_p_value,
        drop=gate.drop_interval(),
        trace=(shorten(passing), shorten(failing)),
        more=count_more(gate, watch.plan) if verdict is Verdict.INCONCLUSIVE else None,
    )


def shorten(values: Sequence[float]) -> list[float]:
    """Numbers with as many digits as a chart needs."""
    return [round(value, DIGITS) for value in values]


def count_more(gate: Gate, plan: GatePlan) -> int:
    """About how many questions more a gate would take, if it goes on as it has begun.

    Returns:
        At least 1, at most what is left; all of them where the drop looks like the margin.
    """
    left = plan.size - gate.answered
    drop = gate.drop_interval()
    if drop is None:
        return left
    flips = max((gate.losses + gate.gains) / gate.answered, abs(drop.estimate), plan.lot.flips / 2)
    whole = expected_questions(
        plan.size,
        delta=plan.terms.margin,
        drop=drop.estimate,
        flips=min(1.0, flips),
        alpha=plan.terms.alpha,
    )
    return min(left, max(1, math.ceil(whole) - gate.answered))


def judge_full(run: Run, plan: GatePlan) -> FullVerdict | None:
    """What a complete run says against the margin; None if an answer is missing.

    Clusters come from the questions, as the set declares them.
    """
    from evalkit.stats.clustered import clustered_difference_interval, clustered_mean
    from evalkit.stats.paired import mean_difference_interval, tango_interval

    shares = complete_shares(run)
    differences = [
        shares[name] - score for name, score in zip(plan.lot.ids, plan.lot.scores, strict=True)
    ]
    if any(map(math.isnan, differences)):
        return None
    n, terms = len(differences), plan.terms
    level = 1 - 2 * terms.alpha
    by_id = {question.id: question.cluster for question in run.questions}
    clusters = [by_id[name] or f"question {name}" for name in plan.lot.ids]
    if 1 < len(set(clusters)) < n:
        mean = clustered_mean(differences, clusters)
        interval = clustered_difference_interval(mean, confidence=level)
    elif plan.is_binary or n == 1:
        gains = math.fsum(max(0.0, each) for each in differences)
        losses = math.fsum(max(0.0, -each) for each in differences)
        interval = tango_interval(gains, losses, n, confidence=level)
    else:
        interval = mean_difference_interval(differences, confidence=level)
    drop = 0.0 - math.fsum(differences) / n
    within = drop <= terms.margin + 1e-9 / n
    return FullVerdict(
        verdict=margin_verdict(interval, terms.margin),
        interval=interval,
        drop=drop,
        on_this_set=Verdict.NO_REGRESSION if within else Verdict.REGRESSED,
    )


def complete_shares(run: Run) -> dict[str, float]:
    """The score of each question; NaN where a response is missing: a gate skips none."""
    shares = {}
    for number, question in enumerate(run.questions):
        codes = run.tally.codes_of(number)
        is_complete = all(code >= FIRST_REPLY for code in codes)
        shares[question.id] = (
            share_of(codes, run.tally.code_of_right(question)) if is_complete else math.nan
        )
    return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A gate computed again from the journal and the baseline's recorded scores."""

    record: GateRecord
    """As it comes out now."""
    differences: tuple[str, ...]
    """What the record on disk says otherwise; empty if nothing."""


def replay_run(folder: Path) -> tuple[Replay, ...]:
    """Compute every gate again that is recorded in a run's folder.

    Raises:
        RunFormatError: there is none, or a file can't be read.
    """
    paths = list_records(folder)
    run = load_run(folder)
    if not paths:
        raise RunFormatError(f"{folder} holds no gate: `evalkit gate --baseline RUN` makes one")
    return tuple(replay(path, run) for path in paths)


def replay(path: Path, run: Run) -> Replay:
    """Compute one gate again.

    Args:
        path: of its record.
        run: the candidate's.

    Raises:
        RunFormatError: the record or its questions can't be read.
    """
    table = read_record(path)
    try:
        plan = parse_plan(table, path.parent)
        said = table["sequential_verdict"]
        watch = GateWatch(plan, asks_all=table["asks_all"])
        # These verdicts no score tells: that a request failed, or that the money was spent.
        is_from_outside = said == "invalid" or (
            said == "inconclusive" and table["used"] != plan.terms.budget
        )
        feed(watch, run, int(table["used"]) if is_from_outside else plan.size)
        told = GateRecord(
            plan=plan,
            folder=table["folder"],
            changed=tuple(table["changed"]),
            asks_all=table["asks_all"],
        )
        found = replace(
            take_down(told, watch),
            asked=table["asked"],
            models_served=tuple(table["models_served"]),
            spent=table["spent"],
            lost=table["lost"],
        )
        if is_from_outside and found.verdict is None:
            more = count_more(watch.gate, plan) if said == "inconclusive" else None
            found = replace(found, verdict=Verdict(said), reason=table["reason"], more=more)
        if table["full"] is not None:
            found = replace(found, full=judge_full(run, plan))
    except (KeyError, TypeError, ValueError) as error:
        raise RunFormatError(f"{path} can't be read: {error}") from error
    # Of a gate that was interrupted, only its beginning is on record.
    deviations = () if said is None else list_deviations(table, found.to_dict())
    return Replay(record=found, differences=deviations)


def feed(watch: GateWatch, run: Run, most: int) -> None:
    """Give a gate what the journal holds, in order, until its verdict or a missing answer.

    Args:
        watch: the gate before its first answer.
        run: the candidate's.
        most: scores to give.
    """
    shares = complete_shares(run)
    for name in watch.ids[:most]:
        if watch.gate.verdict is not None and not watch.asks_all:
            return
        score = shares.get(name, math.nan)
        if math.isnan(score):
            return
        watch.gate.update(score)


def parse_plan(table: Mapping[str, Any], folder: Path) -> GatePlan:
    """The plan that a record was made by, with the questions beside it.

    Raises:
        RunFormatError: the questions are gone.
        KeyError, TypeError, ValueError: something is no plan.
    """
    lot = read_lot(folder, int(table["seed"], 16))
    if lot is None:
        raise RunFormatError(f"{folder} has lost the questions of its gate {table['id']}")
    names = ["suite", "suite_digest", "baseline", "baseline_folder", "baseline_samples"]
    names += ["candidate", "candidate_samples", "left_out", "own_flips"]
    return GatePlan(
        terms=GateTerms(**table["terms"]), lot=lot, **{name: table[name] for name in names}
    )


def list_deviations(said: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:
    """In what a record is not what comes out now, numbers to nine digits."""
    return tuple(
        f"{name}: the record says {brief(said.get(name))}, the journal gives {brief(value)}"
        for name, value in found.items()
        if not is_same(said.get(name), value)
    )


def is_same(said: Any, found: Any) -> bool:
    """Whether two values of JSON are the same, but for rounding."""
    if isinstance(found, dict) and isinstance(said, dict):
        return said.keys() == found.keys() and all(is_same(said[k], found[k]) for k in found)
    if isinstance(found, list) and isinstance(said, list):
        return len(said) == len(found) and all(map(is_same, said, found))
    if isinstance(found, float) and isinstance(said, int | float):
        return math.isclose(said, found, rel_tol=1e-9, abs_tol=2 * 10**-DIGITS)
    return bool(said == found)


def brief(value: Any) -> str:
    """A value of JSON in a few words."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"{len(value)} values"
    if isinstance(value, dict):
        return ", ".join(f"{name} {brief(each)}" for name, each in value.items())
    return str(value)
