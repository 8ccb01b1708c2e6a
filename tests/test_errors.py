"""Errors say what is wrong in words a user can act on, and their tree is as it is drawn."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from evalkit import errors
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BenchmarkError,
    BillingError,
    ConnectionFailedError,
    EvalkitError,
    ImageError,
    InvalidRequestError,
    LogError,
    MissingExtraError,
    NotFoundError,
    OverloadedError,
    QuestionSetError,
    RateLimitError,
    RowProblem,
    ServerError,
    UnreadableResponseError,
)

BRANCH = re.compile(r"^(?P<indent>[ │├└─]*)(?P<name>\w+Error)\b")


def drawn_tree() -> list[tuple[str, str]]:
    """(error, parent) from top to bottom, as the docstring of the module draws them."""
    assert errors.__doc__ is not None
    found: list[tuple[str, str]] = []
    line_above: list[str] = []
    for line in errors.__doc__.splitlines():
        match = BRANCH.match(line)
        if match:
            depth = len(match["indent"]) // 4
            line_above[depth - 1 :] = [match["name"]]
            found.append((match["name"], line_above[depth - 2] if depth > 1 else "Exception"))
    return found


def real_tree(error: type[Exception] = EvalkitError) -> list[tuple[str, str]]:
    """(error, parent) from top to bottom, in the order of definition."""
    base = error.__base__
    assert base is not None
    below = [pair for child in error.__subclasses__() for pair in real_tree(child)]
    return [(error.__name__, base.__name__), *(pair for pair in below if is_ours(pair[0]))]


def is_ours(name: str) -> bool:
    return inspect.isclass(getattr(errors, name, None))


def problem(line: int) -> RowProblem:
    return RowProblem(
        path=Path("q.csv"), line=line, field="answer", value="'E'", remedy="expected one of A, B"
    )


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn, real = drawn_tree(), real_tree()

    assert drawn == real
    assert len(real) == sum(
        inspect.isclass(thing) and issubclass(thing, Exception) for thing in vars(errors).values()
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ApiError, "api"),
        (AuthenticationError, "authentication"),
        (BillingError, "billing"),
        (NotFoundError, "not_found"),
        (InvalidRequestError, "invalid_request"),
        (RateLimitError, "rate_limit"),
        (OverloadedError, "overloaded"),
        (ServerError, "server"),
        (ConnectionFailedError, "connection_failed"),
        (UnreadableResponseError, "unreadable_response"),
    ],
)
def test_the_kind_of_an_api_error_is_its_name_in_words(error: type[ApiError], kind: str) -> None:
    assert error("no").kind == kind


def test_every_kind_of_api_error_has_a_word_of_its_own() -> None:
    errors_below: list[type[ApiError]] = [ApiError, *ApiError.__subclasses__()]

    assert len({error("no").kind for error in errors_below}) == len(errors_below) == 10


def test_an_api_error_keeps_what_the_endpoint_said() -> None:
    error = RateLimitError(
        "slow down",
        status=429,
        error_type="rate_limit_error",
        error_code="tokens",
        request_id="req_1",
        retry_after_seconds=1.5,
        should_retry=True,
    )

    assert str(error) == error.message == "slow down"
    assert (error.status, error.error_type, error.error_code) == (429, "rate_limit_error", "tokens")
    assert (error.request_id, error.retry_after_seconds, error.should_retry) == ("req_1", 1.5, True)


@pytest.mark.parametrize(
    ("path", "line", "text"),
    [
        (None, None, "no such benchmark"),
        (Path("q.csv"), None, "q.csv: no such benchmark"),
        (Path("q.csv"), 7, "q.csv:7: no such benchmark"),
        (None, 7, "no such benchmark"),
    ],
)
def test_a_benchmark_error_begins_with_the_place(
    path: Path | None, line: int | None, text: str
) -> None:
    error = BenchmarkError("no such benchmark", path=path, line=line)

    assert str(error) == text
    assert (error.reason, error.path, error.line) == ("no such benchmark", path, line)


def test_a_missing_extra_is_named_with_the_command_that_installs_it() -> None:
    error = MissingExtraError("an embedded model", "local")

    assert str(error) == "an embedded model needs an extra: pip install 'evalkit-mcq[local]'"
    assert error.extra == "local"


def test_a_row_problem_gives_file_line_field_value_and_remedy() -> None:
    assert str(problem(3)) == "q.csv:3: answer = 'E': expected one of A, B"


@pytest.mark.parametrize(
    ("count", "first_line", "last_line", "lines"),
    [
        (1, "1 row can't be used:", "  q.csv:1: answer = 'E': expected one of A, B", 2),
        (20, "20 rows can't be used:", "  q.csv:20: answer = 'E': expected one of A, B", 21),
        (21, "21 rows can't be used:", "  ... and 1 more", 22),
        (400, "400 rows can't be used:", "  ... and 380 more", 22),
    ],
)
def test_a_question_set_error_lists_the_first_twenty_rows_and_keeps_all(
    count: int, first_line: str, last_line: str, lines: int
) -> None:
    problems = tuple(problem(line) for line in range(1, count + 1))
    error = QuestionSetError(problems)
    text = str(error).splitlines()

    assert (text[0], text[-1], len(text)) == (first_line, last_line, lines)
    assert error.problems == problems


EXAMPLES: dict[type[EvalkitError], EvalkitError] = {
    MissingExtraError: MissingExtraError("--engine dask", "dask"),
    BenchmarkError: BenchmarkError("no such column", path=Path("q.csv"), line=7),
    LogError: LogError("is empty", path=Path("a.eval"), place="header.json"),
    ImageError: ImageError("too large", path=Path("cat.png")),
    QuestionSetError: QuestionSetError((problem(3), problem(4))),
}
"""Errors that are made of more than their text."""


def all_errors(error: type[EvalkitError] = EvalkitError) -> list[type[EvalkitError]]:
    """A class and those below it."""
    return [error, *(one for child in error.__subclasses__() for one in all_errors(child))]


def build_example(kind: type[EvalkitError]) -> EvalkitError:
    if issubclass(kind, ApiError):
        return kind(
            "slow down",
            status=429,
            error_type="rate_limit_error",
            error_code="tokens",
            request_id="req_1",
            retry_after_seconds=1.5,
            should_retry=True,
        ).with_lead("after ten attempts")
    return EXAMPLES.get(kind) or kind("what is wrong")


@pytest.mark.parametrize("kind", [kind for kind in all_errors() if is_ours(kind.__name__)])
@pytest.mark.parametrize("send", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy])
def test_an_error_comes_whole_from_another_process(
    kind: type[EvalkitError], send: Callable[[EvalkitError], EvalkitError]
) -> None:
    error = build_example(kind)
    arrived = send(error)
    assert type(arrived) is kind
    assert str(arrived) == str(error)
    assert arrived.args == error.args
    assert vars(arrived) == vars(error)
