"""What came of a project's checks, with the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from evalkit.checks import CheckCase
from evalkit.errors import EvalkitError, may_pass
from evalkit.flips import GateFlip
from evalkit.gate_records import GateRecord
from evalkit.results import interval_to_dict
from evalkit.stats.intervals import Interval
from evalkit.stats.verdicts import Verdict


class CheckStatus(StrEnum):
    """What came of a check, the worst first."""

    INVALID = "invalid"
    """It could not be made; another file, or another command, would cure it."""
    FAILED = "failed"
    """A regression, or an accuracy below the threshold."""
    INCOMPLETE = "incomplete"
    """Not finished; the same command goes on."""
    INCONCLUSIVE = "inconclusive"
    """The budget was spent before it was clear."""
    PASSED = "passed"


WORST_FIRST = tuple(CheckStatus)

STATUS_OF = {
    Verdict.REGRESSED: CheckStatus.FAILED,
    Verdict.NO_REGRESSION: CheckStatus.PASSED,
    Verdict.INCONCLUSIVE: CheckStatus.INCONCLUSIVE,
    Verdict.INVALID: CheckStatus.INVALID,
    None: CheckStatus.INCOMPLETE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdResult:
    """An accuracy against its threshold: a count on the questions asked."""

    threshold: float
    mean: float | None
    """None: no reply came."""
    n: int
    interval: Interval | None
    """Of the accuracy on questions like these."""
    is_complete: bool
    benchmark: str
    folder: str
    spent: float | None
    is_out_of_money: bool = False
    """Whether it lacks replies only because its budget in dollars let no more requests go."""

    @property
    def status(self) -> CheckStatus:
        """Passed if the threshold is reached by all questions together."""
        if not self.is_complete or self.mean is None:
            return CheckStatus.INCOMPLETE
        return CheckStatus.PASSED if self.mean >= self.threshold - 1e-12 else CheckStatus.FAILED

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`; shares are fractions."""
        return {
            "status": str(self.status),
            "threshold": self.threshold,
            "accuracy": self.mean,
            "n": self.n,
            "interval": None if self.interval is None else interval_to_dict(self.interval),
            "complete": self.is_complete,
            "folder": self.folder,
            "spent": self.spent,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What came of one check for one model."""

    case: CheckCase
    gate: GateRecord | None = None
    """None: there is none, or it did not come so far."""
    level: ThresholdResult | None = None
    """None: no threshold was set, or it did not come so far."""
    flips: tuple[GateFlip, ...] = ()
    """Of the gate."""
    error: EvalkitError | None = None
    """What ended it early."""
    broken_off: Mapping[str, float] = field(default_factory=dict)
    """Dollars that runs have cost which the error ended, by folder."""

    @property
    def status(self) -> CheckStatus:
        """The worst of its parts."""
        found = []
        if self.error is not None:
            found.append(CheckStatus.INCOMPLETE if may_pass(self.error) else CheckStatus.INVALID)
        if self.gate is not None:
            found.append(STATUS_OF[self.gate.final])
        if self.level is not None:
            found.append(self.level.status)
        return worst(found)

    @property
    def spent(self) -> float:
        """Dollars for the candidate's answers, those of earlier attempts included."""
        # A run that goes on after its gate has cost what the gate cost, too.
        parts = [part.spent for part in (self.gate, self.level) if part is not None]
        return max((spent for spent in parts if spent is not None), default=0.0)

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return {
            "check": self.case.check.name,
            "model": self.case.model,
            "id": self.case.id,
            "status": str(self.status),
            "gate": None if self.gate is None else self.gate.to_dict(),
            "threshold": None if self.level is None else self.level.to_dict(),
            "flips": [flip.to_dict() for flip in self.flips],
            "error": None if self.error is None else str(self.error),
        }


def count_spent(results: Iterable[CheckResult]) -> float:
    """Dollars for all answers of some checks; a run that several have in common counts once."""
    spent: dict[str, float] = {}
    for result in results:
        parts = [part for part in (result.gate, result.level) if part is not None]
        costs = [(part.folder, part.spent or 0.0) for part in parts]
        for folder, dollars in (*costs, *result.broken_off.items()):
            spent[folder] = max(spent.get(folder, 0.0), dollars)
    return math.fsum(spent.values())


def worst(found: Sequence[CheckStatus]) -> CheckStatus:
    """The worst of some; there is at least one.

    A regression stays one whatever else is not finished.

    Example:
        >>> str(worst([CheckStatus.PASSED, CheckStatus.INCOMPLETE, CheckStatus.FAILED]))
        'failed'
    """
    return min(found, key=WORST_FIRST.index)
