"""`evalkit gate` says in a sentence what it found; its exit code is the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.results import Run, load_run
from evalkit.runs.gate_files import list_records, read_record
from evalkit.testing.messages_faults import Fault, server_error
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import Outcome, call, point_at
from tests.gate_runs import Answers, candidates_in, load_sums, make_run, number_of, write_prompt

N = 200

FORBIDDEN = ("no difference", "equivalent", "identical", "significant", "p <")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, with two hundred sums and a new prompt."""
    monkeypatch.chdir(tmp_path)
    write_prompt(tmp_path / "new.toml")
    return tmp_path


@pytest.fixture
def answers() -> Answers:
    tenth = range(0, N, 10)
    return Answers(wrong={"": tenth, "Be brief.": tenth, "Be kind.": tenth})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> Iterator[MessagesServer]:
    with MessagesServer(answer=answers) as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture
def baseline(server: MessagesServer, folder: Path) -> Run:
    return make_run(server, load_sums(folder, N), Path("results"))


def gate(capsys: pytest.CaptureFixture[str], baseline: Run, *arguments: str | Path) -> Outcome:
    """A gate on the new prompt."""
    return call(capsys, "gate", "--baseline", baseline.path, "--prompt", "new.toml", *arguments)


def first_line(done: Outcome) -> str:
    """The verdict's sentence, unwrapped."""
    sentence, _, _ = done.out.strip("\n").partition("\n  ")
    return " ".join(sentence.split())


PASSED = (
    "No regression beyond 2.0 points on sums. 122 of 200 questions used; 0 losses, 0 gains; the "
    "drop is between -2.0 and 2.0 points (90 %, valid at any stopping time). Chance of this "
    "verdict when the drop is more than 2.0 points: at most 5 %."
)


def test_an_unchanged_candidate_passes_with_this_report(
    capsys: pytest.CaptureFixture[str], baseline: Run
) -> None:
    done = gate(capsys, baseline, "--concurrency", "1")
    assert done.code == 0
    assert first_line(done) == PASSED
    facts = [line.strip() for line in done.out.splitlines() if line.startswith("  ")]
    starts = [
        "Used 122, asked 1",
        "Losses 0, gains 0",
        "Drop on this set: [-2.0, 2.0] points (90 %, betting, valid at any stopping",
        "time); estimate 0.0, stopped early",
        "Betting p-values: 0.050 of a drop beyond 2.0 points, 1.000 of a drop within",
        "2.0",
        "Evidence: pass 3.0",
        "Margin 2.0 points, alpha 0.05, seed ",
        "earlier run of the model)",
        "Expected for an unchanged candidate: about 164 questions at 5.0 % flips",
        "(assumed)",
        "Noise floor: unknown (the baseline has one answer a question)",
        f"Changed since the baseline {baseline.manifest.identity.run_id}: prompt (system): ",
    ]
    for start, fact in zip(starts, facts, strict=False):
        assert fact.startswith(start)
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert "sums: about 164 of 200 questions expected if nothing has changed" in done.err
    assert not any(word in done.out for word in FORBIDDEN)


def test_a_broken_candidate_regresses(
    capsys: pytest.CaptureFixture[str], baseline: Run, answers: Answers
) -> None:
    answers.wrong["Be brief."] = range(0, N, 3)
    done = gate(capsys, baseline, "--quiet")
    assert (done.code, done.err) == (1, "")
    assert first_line(done).startswith("Regressed: accuracy on sums fell by more than 2.0 points. ")
    assert first_line(done).endswith(
        "Chance of this verdict when the drop is at most 2.0 points: at most 5 %."
    )


def test_a_spent_budget_is_inconclusive_and_says_what_more_it_would_take(
    capsys: pytest.CaptureFixture[str], baseline: Run
) -> None:
    done = gate(capsys, baseline, "--budget", "40")
    assert done.code == 3
    sentence = first_line(done)
    assert sentence.startswith(
        "Inconclusive after 40 of 200 questions (budget): 0 losses, 0 gains;"
    )
    assert ", and the margin of 2.0 lies inside. About " in sentence
    assert sentence.endswith(" questions more would probably decide.")
    for money in ("$0.002", "0.002usd"):
        again = gate(capsys, baseline, "--budget", money, "--quiet")
        assert again.code == 3
        assert "(budget)" in first_line(again)


def test_a_failure_is_invalid(
    capsys: pytest.CaptureFixture[str], baseline: Run, server: MessagesServer
) -> None:
    asked: list[int] = []

    def fail_fifth(record: RequestRecord) -> Fault | None:
        asked.append(number_of(record.body))
        return server_error() if asked[4:] and asked[4] == asked[-1] else None

    server.faults = fail_fifth
    done = gate(capsys, baseline, "--quiet", "--attempts", "1")
    assert done.code == 2
    assert first_line(done).startswith(
        f"Invalid: a request failed for good, and a gate skips none (question q{asked[4]}: "
    )
    server.faults = lambda record: None
    assert gate(capsys, baseline, "--quiet").code == 0


def test_full_gives_the_verdict_of_a_complete_run(
    capsys: pytest.CaptureFixture[str], baseline: Run, answers: Answers
) -> None:
    answers.wrong["Be brief."] = [*range(0, N, 10), 1, 2, 3]
    done = gate(capsys, baseline, "--full", "--quiet")
    assert done.code == 3
    assert first_line(done) == (
        "Inconclusive on questions like those of sums: 3 losses, 0 gains; the drop on questions "
        "like these is between 0.1 and 3.7 points (90 % Tango interval, n = 200), and the margin "
        "of 2.0 lies inside. All 200 questions asked: the drop on this set is 1.5 points (a count, "
        "no sampling error), within the margin."
    )
    assert gate(capsys, baseline, "--full", "--quiet", "--margin", "5").code == 0
    answers.wrong["Be kind."] = range(0, N, 4)
    write_prompt(Path("new.toml"), "Be kind.")
    worse = gate(capsys, baseline, "--full", "--quiet")
    assert worse.code == 1
    assert first_line(worse).startswith(
        "Regressed: accuracy on questions like those of sums is lower by more than 2.0 points."
    )


def test_json_is_the_record_on_disk(capsys: pytest.CaptureFixture[str], baseline: Run) -> None:
    done = gate(capsys, baseline, "--json", "--quiet")
    facts = json.loads(done.out)
    [folder] = candidates_in(Path("results"), [baseline])
    [path] = list_records(folder)
    assert facts["verdict"] == "no regression beyond delta"
    assert facts["errors"] == []
    assert [{"format": 2, **gate} for gate in facts["gates"]] == [read_record(path)]


def test_a_replay_prints_the_same_report_and_exits_the_same(
    capsys: pytest.CaptureFixture[str], baseline: Run, answers: Answers, server: MessagesServer
) -> None:
    answers.wrong["Be brief."] = range(0, N, 3)
    done = gate(capsys, baseline, "--quiet")
    asked = len(server.requests)
    [folder] = candidates_in(Path("results"), [baseline])
    again = call(capsys, "gate", "--replay", folder)
    assert again.code == done.code == 1
    assert again.out == f"{done.out}\nComputed again from the journal: as recorded.\n"
    facts = json.loads(call(capsys, "gate", "--replay", folder, "--json").out)
    [table] = facts["gates"]
    assert {**table, "format": 2} == {**read_record(list_records(folder)[0]), "differences": []}
    assert len(server.requests) == asked


def test_a_replay_names_what_is_otherwise(
    capsys: pytest.CaptureFixture[str], baseline: Run
) -> None:
    gate(capsys, baseline, "--quiet")
    [folder] = candidates_in(Path("results"), [baseline])
    [path] = list_records(folder)
    path.write_text(json.dumps({**read_record(path), "gains": 5}))
    done = call(capsys, "gate", "--replay", folder)
    assert done.code == 2
    assert "gains: the record says 5, the journal gives 0" in done.err
    assert "as recorded" not in done.out


def test_several_baselines_are_judged_together(
    capsys: pytest.CaptureFixture[str], baseline: Run, server: MessagesServer, folder: Path
) -> None:
    other = make_run(server, load_sums(folder, 150, "other"), Path("results"))
    done = gate(capsys, baseline, "--baseline", other.path, "--quiet")
    assert done.code == 0
    assert "sums\nNo regression beyond" in done.out
    assert "other\nNo regression beyond" in done.out
    assert done.out.rstrip().endswith("All 2 benchmarks together: No regression beyond the margin.")
    assert "(a regression at 0.05 / 2)" in done.out


def test_an_error_of_one_gate_leaves_the_others_their_verdict(
    capsys: pytest.CaptureFixture[str], baseline: Run, server: MessagesServer, folder: Path
) -> None:
    other = make_run(
        server, load_sums(folder, 150, "other"), Path("results"), model="claude-opus-4-6"
    )
    done = gate(capsys, baseline, "--baseline", other.path, "--quiet", "--way", "prefill")
    assert done.code == 2
    assert "takes no prefill" in done.err
    assert "sums\nNo regression beyond" in done.out
    assert "All 2 benchmarks together: No verdict yet." in done.out


def test_a_baseline_may_be_a_file(
    capsys: pytest.CaptureFixture[str], baseline: Run, server: MessagesServer
) -> None:
    by_run = gate(capsys, baseline, "--quiet")
    assert call(capsys, "baseline", "set", baseline.path, "--to", "b.jsonl").code == 0
    asked = len(server.requests)
    words = ("gate", "--baseline", "b.jsonl", "--prompt", "new.toml", "--quiet")
    by_file = call(capsys, *words, "--benchmark", "sums.jsonl")
    assert (by_file.code, by_file.out) == (by_run.code, by_run.out)
    assert len(server.requests) == asked
    unnamed = call(capsys, *words)
    assert unnamed.code == 2
    assert unnamed.error.endswith(
        "holds no texts of its questions; name it by --benchmark sums, or its definition or "
        "question file"
    )


def test_a_baseline_is_found_by_its_id(capsys: pytest.CaptureFixture[str], baseline: Run) -> None:
    by_id = call(
        capsys,
        *("gate", "--baseline", baseline.manifest.identity.run_id, "--prompt", "new.toml"),
        "--quiet",
    )
    assert by_id.code == 0
    missing = call(capsys, "gate", "--baseline", "0123456789ab", "--prompt", "new.toml")
    assert missing.code == 2
    assert missing.error == "evalkit: baseline 0123456789ab: no run's folder, nor a run in results"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--batch"], "--batch: a gate stops when the verdict is clear"),
        (["--workers", "2"], "--workers: a gate stops"),
        (["--engine", "dask"], "--engine: a gate stops"),
        (["--budget", "0"], "expected a number of questions, as 500, or dollars"),
        (["--budget", "x usd"], "dollars, more than 0"),
        (["--budget", "many"], "expected a number of questions"),
        (["--margin", "100"], "percentage points, 0 to less than 100"),
        (["--fail-margin", "3"], "fail_margin = 0.03: expected 0 to 0.02"),
        (["--alpha", "0.5"], "more than 0, less than 0.5"),
        (["--full", "--budget", "5"], "--full asks all questions"),
        (["--samples", "0"], "samples 0: expected at least 1"),
        (["--replay", "x"], "not allowed with argument --baseline"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    baseline: Run,
    server: MessagesServer,
) -> None:
    asked = len(server.requests)
    done = gate(capsys, baseline, *arguments)
    assert done.code == 2
    assert said in done.error
    assert len(server.requests) == asked
    assert candidates_in(Path("results"), [baseline]) == []


def test_the_baselines_settings_hold_unless_others_are_named(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    bench = load_sums(folder, N)
    baseline = make_run(
        server,
        bench,
        Path("results"),
        way="instructed",
        limit=100,
        seed=5,
        max_tokens=9,
        temperature=0.5,
    )
    done = gate(capsys, baseline, "--quiet", "--margin", "20", "--seed", "5")
    assert done.code == 0
    [path] = candidates_in(Path("results"), [baseline])
    ours, theirs = load_run(path).manifest.identity, baseline.manifest.identity
    assert (ours.way, ours.limit, ours.seed) == ("instructed", 100, 5)
    assert ours.parameters == theirs.parameters
    assert ours.question_digest == theirs.question_digest
    gate(capsys, baseline, "--quiet", "--temperature", "none", "--max-tokens", "7")
    [other] = [each for each in candidates_in(Path("results"), [baseline]) if each != path]
    changed = load_run(other).manifest.identity.parameters
    assert changed == {name: 7 for name in theirs.parameters if name == "max_tokens"}


def test_the_help_explains_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    shown = call(capsys, "gate", "--help")
    assert shown.code == 0
    assert "exit codes: 0 no regression beyond the margin, 1 regressed" in shown.out
    assert "evalkit gate --baseline RUN --prompt new.toml" in shown.out
