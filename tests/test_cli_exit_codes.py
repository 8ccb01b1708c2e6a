"""Exit codes: 2 for what another command line would cure, 4 if the same one may work later."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from evalkit import errors
from evalkit.cli.exit_codes import (
    FINE,
    INCOMPLETE,
    INCONCLUSIVE,
    REGRESSED,
    USAGE,
    exit_code_of,
    exit_code_of_verdict,
)
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BenchmarkError,
    BillingError,
    ConnectionFailedError,
    EvalkitError,
    ImageError,
    InvalidRequestError,
    LocalModelError,
    LogError,
    MissingExtraError,
    NotFoundError,
    OverloadedError,
    PromptError,
    QuestionSetError,
    RateLimitError,
    RunError,
    RunFormatError,
    RunLockedError,
    RunMismatchError,
    ServerError,
    UnreadableResponseError,
    UsageError,
)
from evalkit.stats.verdicts import Verdict

CODES: dict[type[EvalkitError], int] = {
    EvalkitError: USAGE,
    UsageError: USAGE,
    MissingExtraError: USAGE,
    BenchmarkError: USAGE,
    QuestionSetError: USAGE,
    PromptError: USAGE,
    ImageError: USAGE,
    LocalModelError: USAGE,
    LogError: USAGE,
    AuthenticationError: USAGE,
    NotFoundError: USAGE,
    InvalidRequestError: USAGE,
    RunMismatchError: USAGE,
    RunFormatError: USAGE,
    ApiError: INCOMPLETE,
    BillingError: INCOMPLETE,
    RateLimitError: INCOMPLETE,
    OverloadedError: INCOMPLETE,
    ServerError: INCOMPLETE,
    ConnectionFailedError: INCOMPLETE,
    UnreadableResponseError: INCOMPLETE,
    RunError: INCOMPLETE,
    RunLockedError: INCOMPLETE,
}


def build_error(kind: type[EvalkitError]) -> EvalkitError:
    """An error of a kind, whatever it is made of."""
    if kind is MissingExtraError:
        return MissingExtraError("an embedded model", "local")
    if kind is LogError:
        return LogError("is empty", path=Path("x.eval"))
    if kind is QuestionSetError:
        return QuestionSetError(())
    return kind("no")


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_every_error_has_its_exit_code(kind: type[EvalkitError], code: int) -> None:
    assert exit_code_of(build_error(kind)) == code


def test_no_error_is_forgotten() -> None:
    kinds = {kind for _, kind in inspect.getmembers(errors, inspect.isclass)}
    assert {kind for kind in kinds if issubclass(kind, EvalkitError)} == set(CODES)


def test_the_codes_are_those_that_the_help_names() -> None:
    assert (FINE, REGRESSED, USAGE, INCONCLUSIVE, INCOMPLETE) == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.NO_REGRESSION, FINE),
        (Verdict.REGRESSED, REGRESSED),
        (Verdict.INVALID, USAGE),
        (Verdict.INCONCLUSIVE, INCONCLUSIVE),
    ],
)
def test_every_verdict_has_its_exit_code(verdict: Verdict, code: int) -> None:
    assert exit_code_of_verdict(verdict) == code
