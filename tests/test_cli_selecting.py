"""Selections from the command line: the same in run, plan and show, and in the run's id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, call, point_at
from tests.conftest import SUMS, sums_answers, write_sums


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, with thirty sums in two subjects, even and odd."""
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "sums.jsonl")
    (tmp_path / "ids.txt").write_text("q3\nq7\nq8\n")
    (tmp_path / "all.txt").write_text("".join(f"q{n}\n" for n in range(SUMS)))
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    with MessagesServer(answer=sums_answers()) as running:
        point_at(running, monkeypatch)
        yield running


def run(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    """The facts of one run."""
    arguments = ("sums.jsonl", "--model", HAIKU, "--way", "prefill", "--quiet", "--json")
    outcome = call(capsys, "run", *arguments, *options)
    assert outcome.code == 0, outcome.err
    [facts] = json.loads(outcome.out)["runs"]
    assert isinstance(facts, dict)
    return facts


@pytest.mark.parametrize(
    ("options", "count", "subjects"),
    [
        (["--subjects", "even"], 15, {"even"}),
        (["--subjects", "even,odd"], 30, {"even", "odd"}),
        (["--subjects", "even", "--subjects", "o*"], 30, {"even", "odd"}),
        (["--ids", "ids.txt"], 3, {"even", "odd"}),
        (["--ids", "ids.txt", "--subjects", "odd"], 2, {"odd"}),
        (["--limit", "8", "--stratified"], 8, {"even", "odd"}),
        (["--limit", "8", "--subjects", "odd"], 8, {"odd"}),
    ],
)
def test_a_run_asks_what_is_selected_and_a_plan_counts_it(
    capsys: pytest.CaptureFixture[str],
    server: MessagesServer,
    options: list[str],
    count: int,
    subjects: set[str],
) -> None:
    plan = call(capsys, "plan", "sums.jsonl", "--model", HAIKU, "--offline", "--json", *options)
    facts = run(capsys, *options)

    assert json.loads(plan.out)["plans"][0]["questions"] == facts["questions"] == count
    assert {group["group"] for group in facts["groups"]} == subjects
    texts = [record.body["messages"][0]["content"] for record in server.requests]
    assert sum("How much is" in text for text in texts) == count


def test_the_run_id_is_that_of_the_questions_whatever_selected_them(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    (folder / "even.txt").write_text("".join(f"q{n}\n" for n in range(0, SUMS, 2)))
    whole, asked = run(capsys), len(server.requests)

    for options in (["--ids", "all.txt"], ["--subjects", "*"], ["--subjects", "odd,even"]):
        assert run(capsys, *options)["run_id"] == whole["run_id"]
    assert len(server.requests) == asked, "nothing is asked again"
    even = run(capsys, "--subjects", "even")
    assert even["run_id"] != whole["run_id"]
    assert run(capsys, "--ids", "even.txt")["run_id"] == even["run_id"]
    assert (
        run(capsys, "--limit", "30", "--stratified")["run_id"]
        == (run(capsys, "--limit", "30")["run_id"])
    )
    assert (
        run(capsys, "--limit", "9", "--stratified", "--seed", "2")["run_id"]
        != (run(capsys, "--limit", "9", "--seed", "2")["run_id"])
    )


def test_a_table_says_that_it_is_of_a_part(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    out = call(capsys, "run", "sums.jsonl", "--model", HAIKU, "--subjects", "even", "--quiet").out

    assert "(1) a part of the set: subjects even" in out
    assert run(capsys, "--subjects", "even")["selection"] == "subjects even"
    assert run(capsys)["selection"] is None


def test_show_draws_from_what_is_selected(capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(5):
        arguments = ["show", "sums.jsonl", "--subjects", "odd", "--seed", str(seed)]
        number = call(capsys, *arguments).out.split()[1]
        assert int(number.removeprefix("q")) % 2 == 1
    assert "no question has the id 'q2'" in (
        call(capsys, "show", "sums.jsonl", "--subjects", "odd", "--id", "q2").error
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--subjects", "evem"], "no subject is called 'evem'; near it: even"),
        (["--ids", "nosuch.txt"], "--ids nosuch.txt can't be read: No such file"),
        (["--ids", "sums.jsonl"], "are ids of no question of the set"),
        (["--split", "dev"], "sums has no split 'dev'; its definition names none"),
        (["--stratified"], "stratified: all questions are asked; it takes a limit"),
    ],
)
def test_what_can_not_be_selected_is_one_line(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, options: list[str], words: str
) -> None:
    outcome = call(capsys, "run", "sums.jsonl", "--model", HAIKU, *options)

    assert words in outcome.error
    assert (outcome.code, server.requests) == (2, [])
