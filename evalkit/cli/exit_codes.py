"""What the exit code of a command says."""

from __future__ import annotations

from evalkit.errors import (
    ApiError,
    AuthenticationError,
    EvalkitError,
    InvalidRequestError,
    NotFoundError,
    RunError,
    RunFormatError,
    RunMismatchError,
)
from evalkit.stats.verdicts import Verdict

FINE = 0
REGRESSED = 1
USAGE = 2
INCONCLUSIVE = 3
INCOMPLETE = 4

USERS_MISTAKE = (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    RunFormatError,
    RunMismatchError,
)


def exit_code_of(error: EvalkitError) -> int:
    """2 for what another command line would cure; 4 if the same one may work later."""
    if isinstance(error, ApiError | RunError) and not isinstance(error, USERS_MISTAKE):
        return INCOMPLETE
    return USAGE


def exit_code_of_verdict(verdict: Verdict) -> int:
    """0 for no regression, 1 regressed, 2 invalid, 3 inconclusive."""
    codes = {
        Verdict.NO_REGRESSION: FINE,
        Verdict.REGRESSED: REGRESSED,
        Verdict.INVALID: USAGE,
        Verdict.INCONCLUSIVE: INCONCLUSIVE,
    }
    return codes[verdict]
