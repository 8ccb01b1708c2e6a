"""What the checks of one test run share: results of the same check, and money."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.check_files import load_project
from evalkit.check_results import CheckStatus
from evalkit.checks import CheckCase, Project
from evalkit.shared_checks import SharedChecks
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU
from tests.conftest import sums_answers, write_sums

CHECKS = f"""
[checks.one]
benchmark = "sums.jsonl"
model = "{HAIKU}"
way = "prefill"
baseline = false
threshold = 50
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    with MessagesServer(answer=sums_answers()) as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", running.key)
        yield running


@pytest.fixture
def shared(tmp_path: Path) -> SharedChecks:
    folder = tmp_path / "shared"
    folder.mkdir()
    return SharedChecks(folder=folder)


def find_case(folder: Path, head: str = "") -> tuple[Project, CheckCase]:
    """A project of one check."""
    write_sums(folder / "sums.jsonl")
    (folder / "evalkit.toml").write_text(head + CHECKS, encoding="utf-8")
    project = load_project(folder / "evalkit.toml")
    [case] = project.choose([])
    return project, case


def test_the_same_check_is_carried_out_once(
    server: MessagesServer, shared: SharedChecks, tmp_path: Path
) -> None:
    project, case = find_case(tmp_path)
    first = shared.hold(project, case)
    asked = len(server.requests)
    assert first.status is CheckStatus.PASSED
    assert shared.hold(project, case).level == first.level
    assert len(server.requests) == asked > 0


def test_at_another_server_it_is_another_check(
    server: MessagesServer,
    shared: SharedChecks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project, case = find_case(tmp_path)
    shared.hold(project, case)
    with MessagesServer(answer=sums_answers()) as other:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", other.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", other.key)
        shared.hold(project, case)
        assert other.requests


@pytest.mark.parametrize("of_file", [True, False])
def test_the_smaller_budget_of_the_file_and_of_the_test_run_holds(
    of_file: bool, server: MessagesServer, shared: SharedChecks, tmp_path: Path
) -> None:
    small, large = "0.000001", "5"
    head = f'budget = "${small if of_file else large}"\n'
    project, case = find_case(tmp_path, head)
    shared = replace(shared, dollars=float(large if of_file else small))
    assert shared.hold(project, case).status is CheckStatus.INCOMPLETE
