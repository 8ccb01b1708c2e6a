"""A pytest plugin: a test asks for a gate or an accuracy in one line.

    def test_capitals(evalkit_check):
        evalkit_check("capitals")

Nothing of evalkit but this module is loaded until a test uses one of its fixtures.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from evalkit.check_results import CheckResult
    from evalkit.checks import CheckCase, Project
    from evalkit.pytest_checks import Desk

Inconclusive = Literal["fail", "skip", "warn"]

PROPERTY = "evalkit"
"""Under which the verdict of a test stands in JUnit XML."""


class InconclusiveWarning(pytest.PytestWarning):
    """A check was inconclusive, and the user wants no more than to be told."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what can be chosen for all tests."""
    group = parser.getgroup("evalkit")
    group.addoption(
        "--evalkit-budget",
        type=parse_budget,
        metavar="DOLLARS",
        help="what the checks of this test run may cost together, answers of earlier runs included",
    )
    parser.addini("evalkit_config", "the file with the checks", default="evalkit.toml")
    parser.addini(
        "evalkit_inconclusive",
        "what an inconclusive check does to its test: fail, skip or warn",
        default="fail",
    )


def parse_budget(text: str) -> float:
    """Dollars, as 2.50 or $2.50.

    Raises:
        ValueError: it is no amount above 0; pytest says so.
    """
    amount = float(text.removeprefix("$"))
    if not 0 < amount < float("inf"):
        raise ValueError(f"{text!r}: expected dollars, more than 0")
    return amount


@pytest.fixture(scope="session")
def evalkit_desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """What the checks of a test run share, over all its processes."""
    from evalkit.pytest_checks import open_desk

    config = request.config
    base = tmp_path_factory.getbasetemp()
    # The processes of pytest-xdist have folders of their own, side by side.
    shared = base.parent if hasattr(config, "workerinput") else base
    return open_desk(
        folder=shared / "evalkit",
        config=config.rootpath / config.getini("evalkit_config"),
        dollars=config.getoption("--evalkit-budget"),
        inconclusive=config.getini("evalkit_inconclusive"),
    )


@pytest.fixture
def evalkit_check(request: pytest.FixtureRequest, evalkit_desk: Desk) -> Callable[..., CheckResult]:
    """Carry out a check of evalkit.toml; the test fails if the check does.

    It is called as `evalkit_check(name, model=None, *, inconclusive=None)` and returns an
    `evalkit.CheckResult`: the model is one of the check's, to be named where it has several;
    `inconclusive` is "fail", "skip" or "warn", None for what pytest's settings say.

        def test_capitals(evalkit_check):
            evalkit_check("capitals")
    """

    def check(
        name: str, model: str | None = None, *, inconclusive: Inconclusive | None = None
    ) -> CheckResult:
        __tracebackhide__ = True
        found = evalkit_desk.find_case(name, model)
        return judge(request, evalkit_desk, found, inconclusive)

    return check


@pytest.fixture
def evalkit_gate(request: pytest.FixtureRequest, evalkit_desk: Desk) -> Callable[..., CheckResult]:
    """Compare a candidate with a baseline; the test fails if it regressed.

    It is called as `evalkit_gate(baseline, *, benchmark, model, inconclusive=None, **keys)` and
    returns an `evalkit.CheckResult`: the baseline is a file that `evalkit baseline set` wrote, the
    keys are those of a check in evalkit.toml. There need not be such a file; paths are from where
    it would be.
    `inconclusive` is "fail", "skip" or "warn", None for what pytest's settings say.

        def test_prompt(evalkit_gate):
            evalkit_gate(
                "baselines/a.jsonl", benchmark="a.csv", model="claude-haiku-4-5", prompt="new.toml"
            )
    """

    def gate(
        baseline: Path | str, *, inconclusive: Inconclusive | None = None, **keys: Any
    ) -> CheckResult:
        __tracebackhide__ = True
        found = evalkit_desk.build_case({"baseline": os.fspath(baseline), **keys})
        return judge(request, evalkit_desk, found, inconclusive)

    return gate


@pytest.fixture
def evalkit_accuracy(
    request: pytest.FixtureRequest, evalkit_desk: Desk
) -> Callable[..., CheckResult]:
    """Ask all questions; the test fails if fewer than so many percent are right.

    It is called as `evalkit_accuracy(benchmark, model, *, at_least, inconclusive=None, **keys)` and
    returns an `evalkit.CheckResult`: the keys are those of a check in evalkit.toml. It is a count
    on these questions, and inconclusive if money ran out before all of them were asked;
    `inconclusive` is "fail", "skip" or "warn", None for what pytest's settings say.

        def test_level(evalkit_accuracy):
            evalkit_accuracy("a.csv", "claude-haiku-4-5", at_least=80)
    """

    def accuracy(
        benchmark: str,
        model: str,
        *,
        at_least: float,
        inconclusive: Inconclusive | None = None,
        **keys: Any,
    ) -> CheckResult:
        __tracebackhide__ = True
        table = {"benchmark": benchmark, "model": model, "threshold": at_least, "baseline": False}
        found = evalkit_desk.build_case({**table, **keys})
        return judge(request, evalkit_desk, found, inconclusive)

    return accuracy


@pytest.fixture
def evalkit_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Start a local server that imitates the Messages API, and point evalkit at it.

    It is called as `evalkit_server(answer=..., **options)`, with what `MessagesServer` takes, and
    returns one that ends with the test. Until then ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY are
    its own.

        def test_program(evalkit_server):
            server = evalkit_server(answer=key_answers({"What is latin for Ant?": "Formicidae"}))
            ...  # whatever asks the Messages API
            assert server.count(200) == 1
    """
    from evalkit.testing import MessagesServer

    with ExitStack() as stack:

        def start(**options: Any) -> MessagesServer:
            server = stack.enter_context(MessagesServer(**options))
            monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
            monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
            return server

        yield start


def judge(
    request: pytest.FixtureRequest,
    desk: Desk,
    found: tuple[Project, CheckCase],
    inconclusive: Inconclusive | None,
) -> CheckResult:
    """Carry out a check, and pass or end the test with what it says."""
    __tracebackhide__ = True
    import warnings

    desk.check_choice(inconclusive)
    result = desk.hold(found)
    ending = desk.find_ending(result, inconclusive)
    request.node.user_properties.append((PROPERTY, desk.describe_shortly(result)))
    if ending == "fail":
        pytest.fail(desk.describe(result), pytrace=False)
    if ending == "skip":
        pytest.skip(desk.describe(result))
    if ending == "warn":
        warnings.warn(InconclusiveWarning(desk.describe(result)), stacklevel=3)
    return result


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say in a line each what the checks of this test run came to."""
    lines = dict.fromkeys(
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == PROPERTY
    )
    if lines:
        terminalreporter.section("evalkit")
        for line in lines:
            terminalreporter.write_line(line)
