"""A suite is one name for several benchmarks; its mean counts each alike."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.averages import average_suite
from evalkit.benchmarks import load_benchmark
from evalkit.errors import BenchmarkError
from evalkit.reports.averages import render_suites
from evalkit.results import load_run
from evalkit.suites import expand_suites, find_suite
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, call, point_at
from tests.conftest import ROOT, sums_answers, write_sums
from tests.test_real_data import DATA


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, with a suite of two files of sums of different length."""
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "short.jsonl", 10)
    write_sums(tmp_path / "long.jsonl", 30)
    (tmp_path / "benchmarks").mkdir()
    write_suite(tmp_path / "both.toml", 'title = "Both"\nsuite = ["short.jsonl", "long.jsonl"]\n')
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as running:
        point_at(running, monkeypatch)
        yield running


def write_suite(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_suite_is_found_by_its_file_and_by_its_name(folder: Path) -> None:
    write_suite(folder / "benchmarks" / "two.toml", 'suite = ["everyday", "facts"]')
    by_file, by_name = find_suite("both.toml"), find_suite("two")

    assert by_file is not None
    assert (by_file.name, by_file.title, by_file.benchmarks) == (
        "both",
        "Both",
        ("short.jsonl", "long.jsonl"),
    )
    assert by_name is not None
    assert (by_name.name, by_name.benchmarks) == ("two", ("everyday", "facts"))
    assert find_suite("everyday") is None
    assert find_suite("short.jsonl") is None


def test_files_of_a_suite_lie_beside_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    names, [suite] = expand_suites([str(folder / "both.toml")])

    assert [load_benchmark(name).name for name in names] == ["short", "long"]
    assert suite.benchmarks == names


def test_benchmarks_of_suites_are_asked_once(folder: Path) -> None:
    write_suite(folder / "more.toml", 'name = "m"\nsuite = ["long.jsonl", "everyday"]')
    names, suites = expand_suites(["short.jsonl", "both.toml", "more.toml"])

    assert names == ("short.jsonl", "long.jsonl", "everyday")
    assert [suite.name for suite in suites] == ["both", "m"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('suite = ["a"]', r"suite = \['a'\]: expected two benchmarks or more, each once"),
        ('suite = ["a", "a"]', "each once"),
        ("suite = []", "expected two benchmarks"),
        ("suite = 3", "a suite.suite = 3: expected a list of texts"),
        ('suite = ["a", "b"]\nversion = "1"', "a suite has no key 'version'"),
        ('suite = ["both.toml", "everyday"]', "both.toml is a suite itself"),
        ('suite = ["nosuch", "everyday"]', "no benchmark 'nosuch'"),
        ("suite = [", "can't be read"),
    ],
)
def test_a_suite_that_can_not_be_used_is_refused(folder: Path, text: str, words: str) -> None:
    write_suite(folder / "bad.toml", text)
    with pytest.raises(BenchmarkError, match=words):
        expand_suites(["bad.toml"])


def test_where_one_benchmark_is_wanted_a_suite_names_its_own() -> None:
    with pytest.raises(BenchmarkError, match="it is a suite of several benchmarks; name one of th"):
        load_benchmark("both.toml")


# Means


def test_the_mean_of_a_suite_has_an_error_of_its_own(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    arguments = ["run", "both.toml", "--model", HAIKU, "--model", OPUS, "--quiet"]
    facts = json.loads(call(capsys, *arguments, "--json").out)
    table = call(capsys, *arguments)

    assert len(facts["runs"]) == 4
    assert [(each["suite"], each["model"]) for each in facts["suites"]] == [
        ("both", HAIKU),
        ("both", OPUS),
    ]
    for each, runs in zip(facts["suites"], (facts["runs"][:2], facts["runs"][2:]), strict=True):
        accuracies = [run["mean"] for run in runs]
        errors = [
            math.sqrt(p * (1 - p) / (run["n"] - 1)) for p, run in zip(accuracies, runs, strict=True)
        ]
        error = math.sqrt(sum(e * e for e in errors)) / 2
        assert each["run_ids"] == [run["run_id"] for run in runs]
        assert each["macro"]["estimate"] == pytest.approx(statistics.fmean(accuracies))
        assert each["standard_error"] == pytest.approx(error)
        assert each["macro"]["high"] == pytest.approx(
            min(1, each["macro"]["estimate"] + 1.959964 * error), abs=1e-6
        )
        row = [
            "both",
            each["model"],
            each["way"],
            "2",
            "40",
            f"{100 * statistics.fmean(accuracies):.1f}",
        ]
        assert row in [line.split()[:6] for line in table.out.splitlines()]


def test_without_suites_nothing_is_said_of_them(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    arguments = ["run", "short.jsonl", "--model", HAIKU, "--quiet"]

    assert "suites" not in json.loads(call(capsys, *arguments, "--json").out)
    assert "Suite" not in call(capsys, *arguments).out


def test_a_suite_of_which_a_part_is_lacking_has_no_mean(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    call(capsys, "run", "short.jsonl", "--model", HAIKU, "--quiet")
    runs = [load_run(path) for path in (folder / "results").iterdir()]
    [score] = average_suite("both", ["short", "long"], runs)

    assert (score.macro, score.error, score.lacking) == (None, None, ("long",))
    assert not score.is_complete
    assert average_suite("both", ["other"], runs) == []


def test_a_table_says_what_a_suite_is_lacking(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    call(capsys, "run", "short.jsonl", "--model", HAIKU, "--quiet")
    runs = [load_run(path) for path in (folder / "results").iterdir()]
    text = render_suites(average_suite("both", ["short", "long"], runs))

    assert f"both, {HAIKU}: nothing came of long\n" in text


def test_two_benchmarks_of_one_name_make_no_suite(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    (folder / "old").mkdir()
    write_sums(folder / "old" / "short.jsonl", 5)
    write_suite(folder / "alike.toml", 'suite = ["short.jsonl", "old/short.jsonl"]')
    outcome = call(capsys, "run", "alike.toml", "--model", HAIKU)

    assert outcome.error == ("evalkit: alike: two of its benchmarks have one name (short, short)")
    assert server.requests == []


def test_a_plan_counts_all_of_a_suite(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    out = call(capsys, "plan", "both.toml", "--model", HAIKU, "--offline", "--json").out

    assert [plan["questions"] for plan in json.loads(out)["plans"]] == [10, 30]


def test_suites_are_listed_and_checked(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "both.toml").rename(folder / "benchmarks" / "both.toml")
    write_suite(folder / "benchmarks" / "two.toml", 'suite = ["everyday", "facts"]')
    rows = {
        row["benchmark"]: row
        for row in json.loads(call(capsys, "list", "--json").out)["benchmarks"]
    }

    assert rows["both"]["title"] == "Both"
    assert rows["two"]["title"] == "suite of everyday, facts"
    assert "two" in call(capsys, "list").out
    checked = json.loads(call(capsys, "lint", "two", "--json").out)["benchmarks"]
    assert [each["benchmark"] for each in checked] == ["everyday", "facts"]


def test_facts_of_a_suite_name_its_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    shown = call(capsys, "show", "mmlu-by-group", "--facts")
    facts = json.loads(call(capsys, "show", "mmlu-by-group", "--facts", "--json").out)
    names = ["mmlu-stem", "mmlu-humanities", "mmlu-social-sciences", "mmlu-other"]

    assert facts["benchmarks"] == names
    assert f"Benchmarks  {', '.join(names)}\n" in shown.out
    assert facts["title"] in call(capsys, "list").out


@pytest.mark.skipif(not DATA.is_dir(), reason="the published sets are not beside the repository")
def test_a_shipped_suite_is_run_under_its_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """Three groups of MMLU have subjects among the slices."""
    text = (ROOT / "benchmarks" / "mmlu-by-group.toml").read_text(encoding="utf-8")
    write_suite(folder / "mmlu-by-group.toml", text.replace(', "mmlu-other"', ""))
    with MessagesServer() as server:
        point_at(server, monkeypatch)
        done = call(
            *(capsys, "run", "mmlu-by-group.toml", "--model", HAIKU, "--limit", "20"),
            *("--data", DATA, "--json"),
        )
    facts = json.loads(done.out)
    [suite] = facts["suites"]

    assert done.code == 0
    assert suite["suite"] == "mmlu-by-group"
    means = [run["mean"] for run in facts["runs"]]
    assert suite["macro"]["estimate"] == pytest.approx(statistics.fmean(means))
