"""`evalkit import`, and logs where `compare` and `report` take runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from evalkit.baselines import FACTS, baseline_of
from evalkit.benchmarks import load_benchmark
from evalkit.evaluation import run
from evalkit.importers.folders import import_log
from evalkit.results import load_run
from evalkit.runs.baseline_files import Row, write_baseline_file
from evalkit.settings import RunSettings
from evalkit.testing.messages_server import MessagesServer, key_answers
from tests import command_line
from tests.command_line import Outcome
from tests.conftest import QUICK, endpoint_of
from tests.test_importers import (
    GENERATED,
    HELM,
    INSPECT,
    PICKED,
    PROMPTFOO,
    SEVERAL,
    rows_of,
    write_lines,
)

Call = Callable[..., Outcome]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command in this process."""
    return partial(command_line.call, capsys)


def test_an_import_prints_the_runs_with_the_tool_s_own_score(call: Call, tmp_path: Path) -> None:
    done = call("import", GENERATED, "--results", tmp_path / "results", "--benchmark", "mine")
    assert done.code == 0
    assert "by lm-eval" in done.out
    assert "lm-eval's own score (exact_match) is 0.0 % over 10 replies; 4 of 10 differ" in done.out
    [folder] = (tmp_path / "results").iterdir()
    assert folder.name.startswith("mine--claude-haiku-4-5--by-lm-eval--")
    for command in ("show", "score", "verify"):
        assert call(command, folder).code == 0


def test_an_import_with_failures_ends_with_the_code_of_what_is_incomplete(
    call: Call, tmp_path: Path
) -> None:
    done = call("import", INSPECT / "errors.eval", "--results", tmp_path)
    assert done.code == 4
    assert "incomplete: 2 of 10 questions have no reply" in done.out


def test_the_facts_of_an_import_hold_every_difference(call: Call, tmp_path: Path) -> None:
    done = call("import", INSPECT / "unread.eval", "--results", tmp_path, "--json")
    [facts] = json.loads(done.out)["runs"]
    assert facts["origin"]["tool"] == "inspect_ai"
    assert (facts["source_scores"]["compared"], facts["source_scores"]["differing"]) == (10, 4)
    assert [each["source_score"] for each in facts["source_scores"]["differences"]] == [0.0] * 4


def test_columns_are_named_by_options(call: Call, tmp_path: Path) -> None:
    rows = [
        {"nr": row["id"], "text": row["question"], "A": row["choices"][0], "B": row["choices"][1]}
        | {"key": row["answer"], "said": "B"}
        for row in rows_of({}, {}, {})
    ]
    path = write_lines(tmp_path / "x.jsonl", rows)
    options = ["--id", "nr", "--stem", "text", "--choices", "A", "--choices", "B"]
    options += ["--answer", "key", "--predicted", "said", "--model-name", "m"]
    done = call("import", path, "--results", tmp_path / "results", *options, "--json")
    [facts] = json.loads(done.out)["runs"]
    assert (facts["model"], facts["outcomes"]["correct"], facts["questions"]) == ("m", 2, 3)


def test_texts_of_a_table_are_taken_from_a_benchmark(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("id,prediction\neveryday-001,B\neveryday-002,A\n", encoding="utf-8")
    where = ("--results", tmp_path / "results", "--json")
    done = call("import", path, "--questions", "everyday", *where)
    [facts] = json.loads(done.out)["runs"]
    assert (facts["benchmark"], facts["questions"]) == ("everyday", 2)
    path.write_text("id,prediction\neveryday-001,B\n1,A\n", encoding="utf-8")
    done = call("import", path, "--questions", "everyday", *where)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "1 of 2 rows have ids that are not in everyday: '1'; its own are such as" in done.err
    done = call("import", path, "--questions", "nothing", *where)
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_a_model_and_a_column_of_models_contradict_each_other(call: Call, tmp_path: Path) -> None:
    done = call("import", GENERATED, "--model", "who", "--model-name", "m", "--results", tmp_path)
    assert done.code == 2
    assert "give one of them" in done.err


def test_a_broken_log_is_one_line_and_leaves_nothing(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "x.eval"
    path.write_bytes((INSPECT / "plain.eval").read_bytes()[:5000])
    done = call("import", path, "--results", tmp_path / "results")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"evalkit: {path}: can't be unpacked")
    assert done.err.count("\n") == 1
    assert not (tmp_path / "results").exists()


@pytest.fixture
def runs(call: Call, tmp_path: Path) -> Path:
    """A folder with one imported run."""
    call("import", INSPECT / "plain.eval", "--results", tmp_path / "results")
    return tmp_path / "results"


def test_logs_are_compared_as_they_are(call: Call, runs: Path) -> None:
    done = call("compare", runs, GENERATED, PICKED, "--flips", "2")
    assert done.code == 0
    assert "claude-haiku-4-5, by inspect_ai 0.3.285 (baseline)" in done.out
    assert "(2) imported from samples_everyday_gen" in done.out
    assert "WARNING: (3) its log has no replies but the choices that the tool picked" in done.out
    assert "loss" in done.out


def test_a_log_may_be_the_baseline(call: Call, runs: Path) -> None:
    done = call("compare", runs, "--baseline", GENERATED, "--json")
    [benchmark] = json.loads(done.out)["benchmarks"]
    assert benchmark["runs"][0]["folder"] == str(GENERATED)
    assert benchmark["runs"][0]["origin"]["tool"] == "lm-eval"
    assert benchmark["runs"][0]["source_scores"]["differing"] == 4
    assert "source_scores" in benchmark["runs"][1]


def test_logs_are_reported_as_they_are(call: Call, runs: Path, tmp_path: Path) -> None:
    paths = [
        tmp_path / name for name in ("report.md", "report.json", "r.csv", "r.parquet", "r.html")
    ]
    done = call("report", runs, PROMPTFOO, "--to", *paths, "--rows", "responses")
    assert done.code == 0
    markdown = paths[0].read_text(encoding="utf-8")
    assert "by promptfoo" in markdown
    facts = json.loads(paths[1].read_text(encoding="utf-8"))
    assert [each["source_scores"]["differing"] for each in facts["runs"]] == [0, 0, 0]
    assert len(set(facts["remarks"])) == len(facts["remarks"])


def test_reported_samples_have_one_filter(call: Call, runs: Path, tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    call("report", runs, "--to", path)
    done = call("import", path, "--results", tmp_path / "results", "--filter", "strict")
    assert done.code == 2
    assert "no filter 'strict' (--filter); there are evalkit" in done.error
    assert call("import", path, "--results", tmp_path / "results", "--filter", "evalkit").code == 0


def test_reported_samples_are_named_and_compare_as_their_runs_do(
    call: Call, runs: Path, tmp_path: Path
) -> None:
    done = call("report", runs, GENERATED, "--to", tmp_path / "samples.jsonl")
    files = [tmp_path / "samples-1.jsonl", tmp_path / "samples-2.jsonl"]
    assert done.err.splitlines() == [f"written: {file}" for file in files]
    [first], [second] = (
        json.loads(call("compare", *logs, "--json").out)["benchmarks"]
        for logs in ([runs, GENERATED], files)
    )
    assert first["pairs"][0]["accuracy"] == second["pairs"][0]["accuracy"]
    assert [each["source_scores"] for each in first["runs"]] == [
        each["source_scores"] for each in second["runs"]
    ]


@pytest.mark.parametrize("command", ["score", "verify", "show"])
def test_where_a_log_is_no_run_the_import_is_named(call: Call, command: str) -> None:
    done = call(command, GENERATED)
    assert done.code == 2
    assert command != "score" or "`evalkit import` makes runs of other tools' logs" in done.err


def test_a_run_of_evalkit_s_own_pairs_with_the_log_of_another_tool(
    call: Call, tmp_path: Path
) -> None:
    rows = [json.loads(line)["doc"] for line in PICKED.read_text("utf-8").splitlines()]
    questions = write_lines(tmp_path / "own.jsonl", rows)
    key = {row["question"]: row["choices"]["ABCD".index(row["answer"])] for row in rows}
    with MessagesServer(answer=key_answers(key)) as server:
        own = run(
            load_benchmark(questions),
            "claude-haiku-4-5",
            settings=RunSettings(way="instructed", retries=QUICK),
            endpoint=endpoint_of(server),
            results=tmp_path / "results",
            progress=False,
        )
    assert own.summary.mean == 1.0
    done = call("compare", own.path, INSPECT / "plain.eval", "--json")
    [benchmark] = json.loads(done.out)["benchmarks"]
    assert (benchmark["benchmark"], benchmark["n"]) == ("own", 10)
    [pair] = benchmark["pairs"]
    assert (pair["accuracy"]["losses"], pair["accuracy"]["gains"]) == (3, 0)
    text = call("compare", own.path, INSPECT / "plain.eval").out
    assert ": way: instructed (1), by inspect_ai 0.3.285 (2)\n" in text, "and nothing else differs"
    assert "everyday-0" in text  # flips bear evalkit's ids


def test_sets_that_evalkit_asked_for_pair_with_those_of_a_log(call: Call, tmp_path: Path) -> None:
    [imported] = import_log(SEVERAL[0], results=tmp_path / "imported")
    rows = [
        {"question": q.stem, "choices": q.choices, "answer": ["ABCD"[place] for place in q.right]}
        for q in imported.questions
    ]
    questions = write_lines(tmp_path / "own.jsonl", rows)
    key = {q.stem: q.right_texts for q in imported.questions}
    with MessagesServer(answer=key_answers(key)) as server:
        own = run(
            load_benchmark(questions),
            "claude-haiku-4-5",
            settings=RunSettings(way="structured", retries=QUICK),
            endpoint=endpoint_of(server),
            results=tmp_path / "results",
            progress=False,
        )
    done = call("compare", own.path, imported.path, "--flips", "2")
    assert done.code == 0
    assert "way: structured (1), by inspect_ai 0.3.285 (2)" in done.out
    assert "choices that may be picked" not in done.out
    flips = [line.split() for line in done.out.splitlines() if line.startswith("loss")]
    assert [flip[1] for flip in flips] == [own.questions[1].id, own.questions[3].id]
    assert [flip[-3:] for flip in flips] == [["AD", "AD", "ABD"], ["AC", "AC", "A"]]
    report = tmp_path / "report.html"
    assert call("report", own.path, imported.path, "--to", report).code == 0


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder of logs, one of them in a model's own folder, and of files that are none."""
    folder = tmp_path / "logs"
    (folder / "some-model").mkdir(parents=True)
    (folder / "others").mkdir()
    for name in ("plain.eval", "errors.eval"):
        shutil.copy(INSPECT / name, folder)
        shutil.copy(INSPECT / name, folder / "others")
    shutil.copy(GENERATED, folder / "some-model")
    shutil.copytree(HELM, folder / "helm-run")
    (folder / "results_1.json").write_text('{"results": {}}', encoding="utf-8")
    (folder / "results_2.json").write_text('{"results": {}}', encoding="utf-8")
    (folder / "notes.txt").write_text("nothing", encoding="utf-8")
    (folder / "table.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    return folder


def test_all_logs_of_a_folder_are_imported(call: Call, logs: Path, tmp_path: Path) -> None:
    (logs / "errors.eval").unlink()
    shutil.rmtree(logs / "helm-run")
    done = call("import", logs, "--results", tmp_path / "results", "--json")
    assert done.code == 0
    found = [(each["model"], each["origin"]["tool"]) for each in json.loads(done.out)["runs"]]
    assert found == [("claude-haiku-4-5", "inspect_ai"), ("some-model", "lm-eval")]
    assert done.err.splitlines() == [
        f"skipped: {logs}/results_1.json, {logs}/results_2.json: of no known format (it holds "
        "results)",
        f"skipped: {logs}/table.csv: no column of predictions or scores among 'a', 'b'; name one "
        "by --predicted or --score",
    ]


def test_logs_without_filters_are_named_and_skipped_where_one_is_wanted(
    call: Call, logs: Path, tmp_path: Path
) -> None:
    done = call("import", logs, "--results", tmp_path / "results", "--json", "--filter", "letter")
    [facts] = json.loads(done.out)["runs"]
    assert (facts["origin"]["part"], done.code) == ("filter letter", 0)
    for name, form in (("plain.eval", "inspect"), ("helm-run", "helm"), ("table.csv", "pred")):
        [line] = [line for line in done.err.splitlines() if f"{logs}/{name}" in line]
        assert f": a log of format {form}" in line
        assert line.endswith(" has no filters: leave out --filter, or name another file")
    alone = call("import", logs / "plain.eval", "--results", tmp_path, "--filter", "letter")
    assert (alone.code, alone.out) == (2, "")


def test_runs_of_helm_are_found_in_the_folder_of_their_suite(
    call: Call, logs: Path, tmp_path: Path
) -> None:
    done = call("import", logs, "--results", tmp_path / "results", "--json", "--format", "helm")
    [facts] = json.loads(done.out)["runs"]
    assert (facts["model"], done.code) == ("gpt2", 4)  # one of its samples failed
    assert "plain.eval: looks like a log of format inspect, not helm" in done.err


def test_a_damaged_log_in_a_folder_is_named_and_told_by_the_code(
    call: Call, logs: Path, tmp_path: Path
) -> None:
    shutil.rmtree(logs / "helm-run")
    (logs / "errors.eval").write_bytes((INSPECT / "errors.eval").read_bytes()[:3000])
    done = call("import", logs, "--results", tmp_path / "results")
    assert done.code == 4
    assert f"skipped: {logs}/errors.eval: can't be unpacked" in done.err
    assert len(list((tmp_path / "results").iterdir())) == 2


def test_a_folder_without_a_log_is_refused(call: Call, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    [run] = runs.iterdir()
    for folder, words in (
        (tmp_path / "empty", "a folder in which no log can be read: expected a log of Inspect"),
        (runs, "a folder in which no log can be read: expected a log of Inspect"),
        (run, "is the folder of a run already"),
    ):
        done = call("import", folder, "--results", tmp_path / "results")
        assert (done.code, done.out) == (2, "")
        assert done.error.startswith(f"evalkit: {folder}: {words}")


@pytest.mark.parametrize("command", ["compare", "report", "view"])
def test_a_folder_of_logs_is_refused_with_a_remedy_where_runs_are_taken(
    call: Call, command: str, logs: Path, tmp_path: Path
) -> None:
    options = ["--to", tmp_path / "x.md"] if command == "report" else []
    done = call(command, logs, *options)
    assert (done.code, done.out) == (2, "")
    assert f"name the logs, such as {logs}/*.eval, or the runs that `evalkit import" in done.error


@pytest.mark.parametrize("command", ["compare", "report", "view"])
def test_an_error_that_asks_for_an_option_of_import_says_so(
    call: Call, command: str, tmp_path: Path
) -> None:
    path = tmp_path / "m.csv"
    path.write_text("question,A,B,answer,said\nUp?,yes,no,A,A\n", encoding="utf-8")
    options = ["--to", tmp_path / "x.md"] if command == "report" else []
    done = call(command, path, *options)
    assert (done.code, done.out) == (2, "")
    assert f"(`evalkit import {path} --predicted ...` makes a run of it, which this" in done.error
    done = call("import", path, "--predicted", "said", "--results", tmp_path / "results")
    assert done.code == 0


def test_other_errors_of_logs_name_no_import(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "x.eval"
    path.write_bytes(b"PK nothing")
    assert "evalkit import" not in call("compare", path).error


def test_an_imported_run_is_refused_as_a_baseline_of_a_gate(call: Call, runs: Path) -> None:
    [folder] = runs.iterdir()
    done = call("gate", "--baseline", folder, "--model", "local/smollm2-135m")
    assert done.code == 2
    assert "whose prompt evalkit does not know" in done.err


@pytest.mark.parametrize("name", ["plain.eval", "errors.eval"])
def test_an_imported_run_is_not_stored_as_a_baseline(call: Call, name: str, tmp_path: Path) -> None:
    call("import", INSPECT / name, "--results", tmp_path / "results")
    [folder] = (tmp_path / "results").iterdir()
    path = tmp_path / "baseline.jsonl"
    for options in ((), ("--incomplete",)):
        done = call("baseline", "set", folder, "--to", path, *options)
        assert (done.code, done.out) == (2, "")
        assert "was asked by inspect_ai 0.3.285, whose prompt evalkit does not know" in done.err
        assert "Ask the baseline by `evalkit run`" in done.err
        assert done.err.count("\n") == 1
    assert not path.exists()


def test_a_file_that_an_earlier_version_made_of_an_imported_run_is_refused_by_gates(
    call: Call, runs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    [folder] = runs.iterdir()
    baseline = baseline_of(load_run(folder))
    facts = baseline.to_dict()
    table = {
        "run_id": baseline.identity.run_id,
        **baseline.identity.to_json(),
        **{name: facts[name] for name in ("prompt_parts", *FACTS)},
    }
    rows = [
        Row(id=name, score=score, content=None)
        for name, score in zip(baseline.ids, baseline.scores, strict=True)
    ]
    write_baseline_file(tmp_path / "old.jsonl", table, rows)
    assert call("baseline", "show", "old.jsonl").code == 0
    done = call("gate", "--baseline", "old.jsonl", "--model", "local/smollm2-135m")
    assert done.code == 2
    assert "old.jsonl was asked by inspect_ai 0.3.285" in done.err
    (tmp_path / "evalkit.toml").write_text(
        '[checks.one]\nbenchmark = "everyday"\nmodel = "claude-haiku-4-5"\n'
        'baseline = "old.jsonl"\n',
        encoding="utf-8",
    )
    done = call("check", "--quiet")
    assert done.code == 2
    assert "old.jsonl was asked by inspect_ai 0.3.285" in " ".join((done.out + done.err).split())


def test_the_help_has_examples_for_each_tool(call: Call) -> None:
    out = call("import", "--help").out
    for words in ("Inspect", "lm-evaluation-harness", "promptfoo", "HELM", "answers.csv"):
        assert words in out
