"""What the exit code of a command says."""

from __future__ import annotations

from evalkit.errors import EvalkitError, may_pass
from evalkit.stats.verdicts import Verdict

FINE = 0
REGRESSED = 1
USAGE = 2
INCONCLUSIVE = 3
INCOMPLETE = 4


def exit_code_of(error: EvalkitError) -> int:
    """2 for what another command line would cure; 4 if the same one may work later."""
    return INCOMPLETE if may_pass(error) else USAGE


def exit_code_of_verdict(verdict: Verdict) -> int:
    """0 for no regression, 1 regressed, 2 invalid, 3 inconclusive."""
    codes = {
        Verdict.NO_REGRESSION: FINE,
        Verdict.REGRESSED: REGRESSED,
        Verdict.INVALID: USAGE,
        Verdict.INCONCLUSIVE: INCONCLUSIVE,
    }
    return codes[verdict]


def exit_code_of_status(status: str) -> int:
    """0 for a check that passed, 1 failed, 2 invalid, 3 inconclusive, 4 incomplete."""
    codes = {
        "passed": FINE,
        "failed": REGRESSED,
        "invalid": USAGE,
        "inconclusive": INCONCLUSIVE,
        "incomplete": INCOMPLETE,
    }
    return codes[status]
