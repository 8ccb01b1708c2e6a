"""Everything that evalkit raises on purpose.

    EvalkitError
    ├── UsageError                  an argument that makes no sense
    ├── MissingExtraError           an optional dependency is not installed
    ├── BenchmarkError              a definition or a question file (file, line, field)
    │   ├── QuestionSetError        every bad row of a question file at once
    │   └── ImageError              a picture that can't be shown to a model
    ├── LogError                    a log of another tool (file, place, value, remedy)
    ├── PromptError                 a prompt that no endpoint would take
    ├── LocalModelError             weights or engine of an embedded model
    ├── ApiError                    the endpoint said no (status, error type, request id)
    │   ├── AuthenticationError     401, 403: the key
    │   ├── BillingError            402, spend limits, empty credit
    │   ├── NotFoundError           404: the model or the path
    │   ├── InvalidRequestError     400, 413, 422: the request
    │   ├── RateLimitError          429
    │   ├── OverloadedError         529
    │   ├── ServerError             any other 5xx
    │   ├── ConnectionFailedError   no answer at all
    │   └── UnreadableResponseError an answer that is no message
    └── RunError                    a run folder
        ├── RunMismatchError        the folder holds other settings
        ├── RunLockedError          another process writes to it
        └── RunFormatError          its files can't be read

An answer that could not be read, a refusal or a truncated reply is no error: see `evalkit.answers`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


class EvalkitError(Exception):
    """The base of all errors below; its text is one line that a user can act on."""

    def __reduce__(self) -> tuple[Any, ...]:
        # As it comes, an error is made anew from its text, of which some are not made.
        return revive, (type(self), self.args, vars(self))


def revive(kind: type[EvalkitError], args: tuple[Any, ...], facts: dict[str, Any]) -> EvalkitError:
    """An error as it was in another process."""
    error = kind.__new__(kind)
    error.args = args
    vars(error).update(facts)
    return error


class UsageError(EvalkitError):
    """An argument is out of range, or two arguments contradict each other."""


class MissingExtraError(EvalkitError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs an extra: pip install 'evalkit-mcq[{extra}]'")
        self.extra = extra


class BenchmarkError(EvalkitError):
    """A benchmark definition or question file can't be used as it is.

    Args:
        reason: what is wrong and what to do about it.
        path: the file, where one is to blame.
        line: its line, counted from 1.
    """

    def __init__(self, reason: str, *, path: Path | None = None, line: int | None = None) -> None:
        place = "" if path is None else f"{path}:{line}: " if line else f"{path}: "
        super().__init__(f"{place}{reason}")
        self.reason, self.path, self.line = reason, path, line


@dataclass(frozen=True, slots=True, kw_only=True)
class RowProblem:
    """One thing that makes one row of a question file unusable."""

    path: Path
    line: int
    """Where the row starts, counted from 1."""
    field: str
    """The column or key to blame."""
    value: str
    """What stands there, cut to a readable length."""
    remedy: str
    """What would be right in its place."""
    number: int | None = None
    """Which record of its line it is, counted from 1, where a line holds all of them."""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}"
        place += "" if self.number is None else f", record {self.number}"
        return f"{place}: {self.field} = {self.value}: {self.remedy}"


class QuestionSetError(BenchmarkError):
    """A question file has bad rows; all of them are listed.

    Args:
        problems: what is wrong with each.
        hint: what most of them have in common.
    """

    shown = 20

    def __init__(self, problems: tuple[RowProblem, ...], *, hint: str = "") -> None:
        shown = 3 if hint else self.shown  # they are all alike
        lines = [str(problem) for problem in problems[:shown]]
        if len(problems) > shown:
            lines.append(f"... and {len(problems) - shown} more")
        rows = "1 row" if len(problems) == 1 else f"{len(problems)} rows"
        about = f" ({hint})" if hint else ""
        super().__init__(f"{rows} can't be used{about}:\n  " + "\n  ".join(lines))
        self.problems, self.hint = problems, hint


class ImageError(BenchmarkError):
    """A picture is missing, damaged, changed, of another format, or larger than may be sent."""


class LogError(EvalkitError):
    """A log of another tool can't be read, or holds nothing that evalkit could score.

    Args:
        reason: what is wrong, with the value, and what to do about it.
        path: the log.
        place: where in it: a line, a member of an archive, or the number of a record.
    """

    def __init__(self, reason: str, *, path: Path, place: int | str | None = None) -> None:
        where = "" if place is None else f":{place}"
        super().__init__(f"{path}{where}: {reason}")
        self.reason, self.path, self.place = reason, path, place


class PromptError(EvalkitError):
    """A prompt can't be built, or would be refused, as a prefill that ends in white space is."""


class LocalModelError(EvalkitError):
    """The weights of an embedded model can't be had or its engine doesn't start."""


class ApiError(EvalkitError):
    """The endpoint did not answer a request with a message.

    Args:
        message: the endpoint's own words, or ours where it gave none.
        status: HTTP status, None where no response arrived.
        error_type: `error.type` of the body, such as "invalid_request_error".
        error_code: `error.details.error_code` of the body.
        request_id: the endpoint's id of the request.
        retry_after_seconds: how long the endpoint asks to wait.
        should_retry: the header `x-should-retry`, None where it is absent.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        error_type: str | None = None,
        error_code: str | None = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status, self.error_type, self.error_code = status, error_type, error_code
        self.request_id = request_id
        self.retry_after_seconds, self.should_retry = retry_after_seconds, should_retry

    def with_lead(self, lead: str) -> Self:
        """The same error with words before its message."""
        error = copy.copy(self)
        error.message = f"{lead}: {self.message}"
        error.args = (error.message,)
        return error

    @property
    def kind(self) -> str:
        """The failure in one word for the journal, such as "rate_limit"."""
        name = type(self).__name__.removesuffix("Error")
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class AuthenticationError(ApiError):
    """The endpoint doesn't accept the key (401, 403)."""


class BillingError(ApiError):
    """The account can't or may not spend more (402, a spend limit, an empty credit)."""


class NotFoundError(ApiError):
    """The endpoint doesn't know the model or the path (404)."""


class InvalidRequestError(ApiError):
    """The endpoint refuses this request as it stands (400, 413, 422 and other 4xx)."""


class RateLimitError(ApiError):
    """Too many requests or tokens in too short a time (429)."""


class OverloadedError(ApiError):
    """The endpoint is short of capacity (529)."""


class ServerError(ApiError):
    """The endpoint failed on its side (5xx)."""


class ConnectionFailedError(ApiError):
    """No complete response arrived: refused, reset, timed out, no such host."""


class UnreadableResponseError(ApiError):
    """A response arrived with status 200 that is no Message (cut JSON, a web page)."""


class RunError(EvalkitError):
    """A run folder can't be used."""


class RunMismatchError(RunError):
    """The run folder was made with other settings than those asked for."""


class RunLockedError(RunError):
    """Another process is writing to the run folder."""


class RunFormatError(RunError):
    """A file of the run folder can't be read, or was written by another version of the format."""


USERS_MISTAKES = (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    RunFormatError,
    RunMismatchError,
)


def may_pass(error: EvalkitError) -> bool:
    """Whether the same call may work later; else another one is needed.

    Example:
        >>> may_pass(OverloadedError("busy")), may_pass(UsageError("limit 0: expected at least 1"))
        (True, False)
    """
    return isinstance(error, ApiError | RunError) and not isinstance(error, USERS_MISTAKES)
