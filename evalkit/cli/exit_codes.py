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
