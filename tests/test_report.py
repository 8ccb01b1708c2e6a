"""A report holds each run once, compares what can be compared, and says what it could not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.benchmarks import load_benchmark
from evalkit.comparisons import ComparisonOptions, compare
from evalkit.errors import RunFormatError, UsageError
from evalkit.reports.findings import list_findings
from evalkit.reports.report import build_report, report_of_comparison
from evalkit.reports.run_sheets import sheet_groups
from evalkit.results import load_run
from evalkit.testing.messages_body import Body
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.gate_runs import HAIKU, Answers, load_sums, make_run
from tests.report_runs import MODELS, report_of_three, run_of_model, three_runs
from tests.runs_in_memory import judged_run
from tests.test_gating import hold


def test_three_runs_are_compared_each_with_each_other() -> None:
    comparison = report_of_three().comparison
    assert comparison is not None
    assert [each.is_ranked for each in comparison.benchmarks] == [True]
    assert len(comparison.pairs) == 3


def test_a_baseline_is_what_the_others_are_compared_with() -> None:
    runs = three_runs()
    report = build_report(runs, baseline=runs[2])
    assert report.comparison is not None
    assert {pair.baseline.name for pair in report.comparison.pairs} == {MODELS[2]}
    assert report.names[0] == MODELS[2]


def test_a_margin_brings_a_verdict() -> None:
    report = build_report(three_runs(), margin=0.02)
    assert report.comparison is not None
    assert report.comparison.verdict is not None


def test_one_run_is_a_report_too() -> None:
    report = build_report([run_of_model(0)])
    assert (report.comparison, report.not_compared, report.title) == (None, "", "exam")


def test_runs_are_numbered_as_in_the_comparison() -> None:
    """Runs of several benchmarks are named in any order."""
    first, second = three_runs("exam"), three_runs("quiz")
    alone = run_of_model(0, "other")
    named = [alone, *(run for pair in zip(first, second, strict=True) for run in pair)]
    report = build_report(named)
    assert report.comparison is not None
    numbers = {
        each.number: each.run for found in report.comparison.benchmarks for each in found.runs
    }
    assert all(report.runs[number - 1] is run for number, run in numbers.items())
    assert report.runs[-1] is alone
    assert report.title == "other, exam, quiz"


def test_a_run_named_twice_is_one() -> None:
    runs = three_runs()
    assert len(build_report([*runs, runs[0]]).runs) == 3


def test_runs_that_cannot_be_compared_are_shown_with_the_reason() -> None:
    runs = [
        judged_run("a", {"q1": "correct"}),
        judged_run("b", {"q2": "correct"}),
    ]
    report = build_report(runs)
    assert report.comparison is None
    assert "no question" in report.not_compared
    assert "results/" not in report.not_compared


@pytest.mark.parametrize(
    ("runs", "words"),
    [
        ([], "at least one run"),
        ([run_of_model(0)], "name two"),
        ([run_of_model(0), run_of_model(1, "quiz")], "name two"),
        ([judged_run("a", {"q1": "correct"}), judged_run("b", {"q2": "wrong"})], "no question"),
    ],
    ids=["nothing", "one", "different benchmarks", "different questions"],
)
def test_a_verdict_that_cannot_be_given_is_an_error(runs: list[object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        build_report(runs, margin=0.02)  # type: ignore[arg-type]


def test_a_folder_that_holds_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFormatError, match=str(tmp_path)):
        build_report([tmp_path])


def test_gates_are_computed_again_from_the_folder(tmp_path: Path) -> None:
    answers = Answers(wrong={"Be brief.": range(0, 200, 3)})
    with MessagesServer(answer=answers) as server:
        baseline = make_run(server, load_sums(tmp_path, 200), tmp_path / "results")
        [record] = hold(server, baseline).gates
    report = build_report([baseline, record.folder])
    assert [(gate.verdict, gate.used) for gate in report.gates] == [(record.verdict, record.used)]


def test_what_a_gate_stopped_early_has_no_interval_and_is_not_compared(tmp_path: Path) -> None:
    """It asks in an order of its own, and looks at each answer."""
    answers = Answers(wrong={"Be brief.": range(0, 200, 3)})
    with MessagesServer(answer=answers) as server:
        baseline = make_run(server, load_sums(tmp_path, 200), tmp_path / "results")
        [record] = hold(server, baseline).gates
        stopped = load_run(record.folder)
        assert stopped.summary.accuracy is None
        assert stopped.summary.mean is not None
        assert stopped.to_dict()["stopped_early"] is True
        report = build_report([baseline, stopped])
        assert report.comparison is None
        assert report.not_compared.startswith("stopped early by a gate")
        assert any("(n = " in words and "stopped early by a gate" in words
                   for words in list_findings(report))  # fmt: skip
        assert build_report([stopped]).not_compared == ""
        with pytest.raises(UsageError, match="stopped early by a gate: "):
            compare([baseline, stopped], options=ComparisonOptions(incomplete=True))
        # What is asked to its end is a run like any other.
        hold(server, baseline, full=True)
        whole = load_run(record.folder)
    assert whole.summary.accuracy is not None
    assert build_report([baseline, whole]).comparison is not None


def test_a_comparison_shows_itself_as_a_report() -> None:
    comparison = report_of_three().comparison
    assert comparison is not None
    shown = report_of_comparison(comparison)
    assert shown.comparison is comparison
    assert shown.names == report_of_three().names
    assert comparison.to_markdown() == shown.to_markdown()
    assert len(comparison.to_dataframe()) == 3 * (1 + 5)


def test_a_run_shows_itself_as_a_report() -> None:
    run = run_of_model(1)
    assert run.to_markdown() == build_report([run]).to_markdown()
    assert run._repr_html_() == build_report([run])._repr_html_()


def test_several_files_are_written_or_none_of_them(tmp_path: Path) -> None:
    report = report_of_three()
    with pytest.raises(UsageError, match=r"out\.foo"):
        report.write(tmp_path / "a.md", tmp_path / "out.foo")
    assert list(tmp_path.iterdir()) == []
    report.write(tmp_path / "a.md", tmp_path / "b.csv")
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == report.to_markdown()
    assert len((tmp_path / "b.csv").read_text().splitlines()) == 1 + len(sheet_groups(report).rows)


def test_sets_of_choices_are_reported_with_their_partial_credit(tmp_path: Path) -> None:
    """Charts of single letters have nothing to show of them."""
    rows = [
        {"question": f"Which are even, {number}?", "choices": ["2", "3", "4"],
         "answer": ["A", "C"] if number % 2 else ["A"]}
        for number in range(20)
    ]  # fmt: skip
    path = tmp_path / "sets.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def answer(body: Body) -> Reply:
        return Reply(text='{"answers": ["A"]}')

    with MessagesServer(answer=answer) as server:
        bench = load_benchmark(path)
        runs = [
            make_run(server, bench, tmp_path / "results", model=model, way="structured")
            for model in (HAIKU, "claude-opus-4-5")
        ]
    report = build_report(runs)
    frame = report.to_dataframe()
    assert frame.accuracy.tolist() == [0.5, 0.5]
    assert frame.partial_credit.tolist() == [0.75, 0.75]
    report.write(tmp_path / "a.html", tmp_path / "a.xlsx", tmp_path / "a.svg")
    assert "Partial credit" in report.to_markdown()
