"""Checks from Python: each has its result, errors are results, and processes share them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.baselines import baseline_of
from evalkit.check_files import build_check, load_project
from evalkit.check_results import CheckStatus, count_spent
from evalkit.checking import BudgetSpent, arrange, check, find_endpoint, outline, place_baseline
from evalkit.checks import CheckCase, Project
from evalkit.errors import RunLockedError, UsageError
from evalkit.pytest_checks import Desk, open_desk
from evalkit.results import Run
from evalkit.runs.folder import open_run_folder
from evalkit.shared_checks import SharedChecks
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import point_at
from tests.conftest import endpoint_of
from tests.gate_runs import Answers, load_sums, make_run

N = 120

TENTH = range(0, N, 10)

PROJECT = """
[defaults]
model = "claude-haiku-4-5"
benchmark = "sums.jsonl"
baseline = "baseline.jsonl"

[checks.worse.prompt]
system = "Be brief."

[checks.alike.prompt]
system = "Be kind."
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    answers = Answers(wrong={"": TENTH, "Be brief.": range(0, N, 3), "Be kind.": TENTH})
    with MessagesServer(answer=answers) as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture
def run(server: MessagesServer, tmp_path: Path) -> Run:
    return make_run(server, load_sums(tmp_path, N), tmp_path / "elsewhere")


@pytest.fixture
def project(run: Run, tmp_path: Path) -> Project:
    baseline_of(run).write(tmp_path / "baseline.jsonl")
    path = tmp_path / "evalkit.toml"
    path.write_text(PROJECT)
    return load_project(path)


def test_every_check_has_a_result(
    project: Project, server: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    worse, alike = check(project, endpoint=endpoint_of(server), progress=False)
    assert (worse.status, alike.status) == (CheckStatus.FAILED, CheckStatus.PASSED)
    assert worse.gate is not None
    assert (len(worse.flips), worse.gate.plan.terms.suites) == (
        worse.gate.losses + worse.gate.gains,
        2,
    )
    [again] = check(project, ["alike"], endpoint=endpoint_of(server), progress=False)
    assert again == alike
    assert server.answered_again == 0


def test_an_error_of_one_check_is_its_result_and_ends_no_other(
    project: Project, tmp_path: Path
) -> None:
    [alike] = check(project, ["alike"], progress=False)
    assert alike.gate is not None
    with open_run_folder(Path(alike.gate.folder)).locked():
        worse, locked = check(project, progress=False)
    assert worse.status is CheckStatus.FAILED
    assert isinstance(locked.error, RunLockedError)
    assert (locked.status, locked.gate) == (CheckStatus.INCOMPLETE, None)


def test_a_spent_budget_asks_nobody(project: Project, server: MessagesServer) -> None:
    asked = len(server.requests)
    [result] = check(replace(project, dollars=0.0), ["alike"], progress=False)
    assert isinstance(result.error, BudgetSpent)
    assert result.status is CheckStatus.INCOMPLETE
    assert len(server.requests) == asked


def test_an_outline_counts_all_questions_where_all_are_asked(project: Project) -> None:
    alike = project.choose(["alike"])[0]
    early = outline(project, alike)
    assert 0 < early.expected < N
    assert early.price is not None
    for changes in ({"full": True}, {"threshold": 0.5}):
        whole = outline(
            project, CheckCase(check=replace(alike.check, **changes), model=alike.model)
        )
        assert whole.expected == N
        assert whole.price is not None
        assert whole.price > early.price


def test_an_embedded_model_costs_nothing_and_needs_no_key(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    case = replace(project.choose(["alike"])[0], model="local/smollm2-135m")
    assert outline(project, case).price == 0
    assert find_endpoint(project, case, arrange(project, case)) is None


def test_a_run_has_the_place_that_the_file_gives_it(
    project: Project, run: Run, tmp_path: Path
) -> None:
    assert place_baseline(project, run) == tmp_path / "baseline.jsonl"
    text = PROJECT.replace('baseline = "baseline.jsonl"\n', "")
    (tmp_path / "evalkit.toml").write_text(text)
    with pytest.raises(UsageError, match="has several places for this run: name one by --to "):
        place_baseline(load_project(tmp_path / "evalkit.toml"), run)
    (tmp_path / "evalkit.toml").write_text(text.replace("haiku", "opus"))
    assert place_baseline(load_project(tmp_path / "evalkit.toml"), run) is None


# What the processes of a test run share


@pytest.fixture
def desk(project: Project, tmp_path: Path) -> Desk:
    return open_desk(
        folder=tmp_path / "shared",
        config=tmp_path / "evalkit.toml",
        dollars=None,
        inconclusive="skip",
    )


def test_a_check_that_was_carried_out_is_not_carried_out_again(
    desk: Desk, server: MessagesServer, tmp_path: Path
) -> None:
    found = desk.find_case("worse", None)
    first = desk.hold(found)
    asked = len(server.requests)
    other = SharedChecks(folder=tmp_path / "shared")
    assert other.hold(*found) == first
    assert len(server.requests) == asked
    assert [result.case.id for result in other.list_results()] == ["worse"]


def test_a_run_that_several_checks_share_is_paid_once(desk: Desk) -> None:
    first = desk.hold(desk.find_case("alike", None))
    keys = {"benchmark": "sums.jsonl", "model": "claude-haiku-4-5", "baseline": "baseline.jsonl"}
    prompt = {"prompt": {"system": "Be kind."}}
    second = desk.hold(desk.build_case({**keys, **prompt, "margin": 10}))
    assert first.gate is not None
    assert second.gate is not None
    assert first.gate.folder == second.gate.folder
    assert count_spent(desk.shared.list_results()) == pytest.approx(max(first.spent, second.spent))


def test_a_check_in_a_test_is_judged_alone(desk: Desk, tmp_path: Path) -> None:
    place, case = desk.build_case(
        {"benchmark": "sums.jsonl", "model": "m", "baseline": "baseline.jsonl"}
    )
    assert (place.suites, place.results) == (1, tmp_path / "results")
    assert desk.project.suites == 2
    assert [check.line for check in desk.project.checks] == [7, 10]
    assert case.baseline == tmp_path / "baseline.jsonl"


def test_an_open_check_ends_as_the_user_wants(desk: Desk) -> None:
    result = desk.hold(desk.find_case("alike", None))
    assert desk.find_ending(result, None) == "pass"
    spent = replace(result, gate=None, error=BudgetSpent("spent"))
    assert desk.find_ending(spent, None) == "skip"
    assert desk.find_ending(spent, "warn") == "warn"
    broken = replace(result, gate=None, error=UsageError("broken"))
    assert desk.find_ending(broken, "skip") == "fail"


def test_a_test_asks_one_model(tmp_path: Path) -> None:
    keys = {"benchmark": "b", "models": ["a", "b"], "threshold": 5, "baseline": False}
    with pytest.raises(UsageError, match="a test asks one, by model"):
        build_check(keys, tmp_path)
