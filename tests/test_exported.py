"""Samples that evalkit wrote come back as the runs that they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark
from evalkit.errors import LogError
from evalkit.importers.folders import import_log
from evalkit.reports.formats import write_report
from evalkit.reports.report import build_report
from evalkit.results import Run
from evalkit.source_scores import source_scores_to_dict
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import sums_answers
from tests.report_runs import three_runs
from tests.test_evaluation import OLD, ask
from tests.test_importers import (
    GENERATED,
    HELM,
    INSPECT,
    PICKED,
    PROMPTFOO,
    SEVERAL,
    only,
    outcomes,
    rows_of,
    write_lines,
)
from tests.test_importers_damage import VALUES, change, places_of, try_import


def facts_of(run: Run) -> tuple[object, ...]:
    """What has to come back."""
    identity = run.manifest.identity
    return (
        (identity.benchmark, identity.model, identity.samples, identity.several),
        run.questions,
        outcomes(run),
        run.summary.mean,
        run.summary.accuracy,
    )


def scores_of(run: Run) -> dict[str, Any]:
    """The tool's scores, in whatever order the log has them."""
    facts: dict[str, Any] = source_scores_to_dict(run)["source_scores"]
    return facts | {"differences": sorted(facts["differences"], key=str)}


def test_two_runs_are_two_files_that_come_back_as_they_were(tmp_path: Path) -> None:
    runs = three_runs()[:2]
    files = write_report(build_report(runs), tmp_path / "samples.jsonl")
    assert [file.name for file in files] == ["samples-1.jsonl", "samples-2.jsonl"]
    assert sorted(tmp_path.iterdir()) == files
    for file, run in zip(files, runs, strict=True):
        lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert [line["doc_id"] for line in lines] == list(range(len(run.questions)))
        again = only(file, tmp_path / "results")
        assert facts_of(again)[0] == facts_of(run)[0]
        assert [q.id for q in again.questions] == [q.id for q in run.questions]
        assert facts_of(again)[2:] == facts_of(run)[2:]
        assert again.manifest.identity.asked == "by evalkit"


def test_one_run_is_the_file_that_was_named(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    assert write_report(build_report(three_runs()[:1]), path) == [path]


@pytest.mark.parametrize(
    "path",
    [
        INSPECT / "errors.eval",
        INSPECT / "unread.eval",
        INSPECT / "epochs.json",
        GENERATED,
        PICKED,
        SEVERAL[0],
        HELM,
    ],
)
def test_runs_of_other_tools_keep_the_tool_and_its_scores(path: Path, tmp_path: Path) -> None:
    run = only(path, tmp_path / "first")
    [file] = write_report(build_report([run]), tmp_path / "samples.jsonl")
    again = only(file, tmp_path / "second")
    assert facts_of(again) == facts_of(run)
    assert scores_of(again) == scores_of(run)
    for name in ("tool", "version", "part", "score", "evidence"):
        first, second = (getattr(each.manifest.identity.origin, name) for each in (run, again))
        assert (name, second) == (name, first)


def test_scores_alone_stay_scores_alone(tmp_path: Path) -> None:
    rows = rows_of({"score": 1}, {"score": 0}, {"score": None})
    run = only(write_lines(tmp_path / "x.jsonl", rows), tmp_path / "first")
    [file] = write_report(build_report([run]), tmp_path / "samples.jsonl")
    again = only(file, tmp_path / "second")
    assert facts_of(again) == facts_of(run)
    assert not again.manifest.identity.knows_choices


@pytest.mark.parametrize(
    "settings",
    [
        {"way": "instructed"},
        {"way": "reasoned"},
        {"way": "structured"},
        {"way": "tool"},
        {"way": "prefill"},
        {"samples": 3, "temperature": 0.5},
        {"orders": 2},
        {"keep_text": False},
    ],
    ids=str,
)
def test_each_way_of_asking_comes_to_the_same_accuracy(
    settings: dict[str, Any], sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        run = ask(server, sums, tmp_path / "own", OLD, limit=12, **settings)
    [file] = write_report(build_report([run]), tmp_path / "samples.jsonl")
    again = only(file, tmp_path / "second")
    assert run.summary.mean not in (None, 0.0, 1.0)
    assert again.summary.mean == pytest.approx(run.summary.mean)
    assert [q.id for q in again.questions] == [q.id for q in run.questions]


def test_files_put_together_come_apart_by_run(tmp_path: Path) -> None:
    runs = [*import_log(PROMPTFOO, results=tmp_path / "first"), three_runs()[0]]
    runs.append(
        only(write_lines(tmp_path / "x.jsonl", rows_of(*[{"predicted": "B"}] * 3)), tmp_path)
    )
    files = write_report(build_report(runs), tmp_path / "samples.jsonl")
    whole = tmp_path / "whole.jsonl"
    whole.write_bytes(b"".join(file.read_bytes() for file in files))
    found = import_log(whole, results=tmp_path / "second")
    assert sorted(str(facts_of(run)[0]) for run in found) == sorted(
        str(facts_of(run)[0]) for run in runs
    )


def test_runs_asked_alike_come_apart_by_their_ids(tmp_path: Path) -> None:
    [file] = write_report(build_report(three_runs()[:1]), tmp_path / "samples.jsonl")
    data = file.read_bytes()
    name = json.loads(data.splitlines()[0])["run"].encode()
    file.write_bytes(data + data.replace(b'"run":"' + name, b'"run":"another'))
    first, second = import_log(file, results=tmp_path / "results")
    assert [each.manifest.identity.origin.part for each in (first, second)] == ["", "run another"]  # type: ignore[union-attr]
    assert first.summary.mean == second.summary.mean


def test_benchmark_and_model_may_be_named_otherwise(tmp_path: Path) -> None:
    [file] = write_report(build_report(three_runs()[:1]), tmp_path / "samples.jsonl")
    again = only(file, tmp_path / "results", benchmark="mine", model="m")
    assert facts_of(again)[0] == ("mine", "m", 1, False)


def test_every_field_may_hold_anything(tmp_path: Path) -> None:
    run = only(INSPECT / "epochs.json", tmp_path / "first")
    [file] = write_report(build_report([run]), tmp_path / "samples.jsonl")
    lines = file.read_text(encoding="utf-8").splitlines()[:2]
    for place in list(places_of([json.loads(lines[0])])):
        for new in ("renamed", *VALUES):
            rows = [json.loads(line) for line in lines]
            change(rows, place, new)
            try_import(write_lines(tmp_path / "samples.jsonl", rows), tmp_path / "results")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("right", [9], "right = [9]: expected positions in order among 2 to 26 choices"),
        ("picked", [[9]], "expected the positions of what was picked, from 0, or null"),
        ("picked", [[]], "expected the positions of what was picked"),
        ("picked", [], "picked = []: expected one for each reply"),
        ("resps", [], "resps = []: expected a list of replies in a list"),
        ("model", "", "expected a name or a number"),
    ],
)
def test_what_can_t_be_is_an_error(key: str, value: object, words: str, tmp_path: Path) -> None:
    [file] = write_report(build_report(three_runs()[:1]), tmp_path / "samples.jsonl")
    row = json.loads(file.read_text(encoding="utf-8").splitlines()[0]) | {key: value}
    with pytest.raises(LogError) as caught:
        import_log(write_lines(file, [row]), results=tmp_path / "results")
    assert words in str(caught.value)
    assert f"{file}:1: " in str(caught.value)
