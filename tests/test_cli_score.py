"""`evalkit score` counts the replies on disk anew and asks nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.testing.messages_faults import first_attempts, rate_limited
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, call, point_at
from tests.conftest import sums_answers, write_sums


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MessagesServer]:
    """A server that was asked thirty sums of which it knows most; its working directory."""
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "sums.jsonl")
    with MessagesServer(answer=sums_answers(wrong_share=0.3), style="It is ({letter}).") as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture
def path(server: MessagesServer, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    """The folder of a run that is done."""
    assert call(capsys, "run", "sums.jsonl", "--model", OPUS, "--quiet").code == 0
    [found] = (tmp_path / "results").iterdir()
    return found.relative_to(tmp_path)


def facts_of(text: str) -> dict[str, Any]:
    """The facts of the only run."""
    [run] = json.loads(text)["runs"]
    assert isinstance(run, dict)
    return run


def change_replies(path: Path, old: str, new: str) -> int:
    """Put other words into the replies of a journal; the number of replies that had the old."""
    journal = path / "responses.jsonl"
    rows = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    changed = [row for row in rows if old in row["response"]["text"]]
    for row in changed:
        row["response"]["text"] = row["response"]["text"].replace(old, new)
    journal.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return len(changed)


def test_scoring_again_gives_the_same_and_asks_nobody(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    asked = len(server.requests)
    run = call(capsys, "run", "sums.jsonl", "--model", OPUS, "--quiet")
    summary = (path / "summary.json").read_bytes()
    scored = call(capsys, "score", path)
    assert (scored.code, scored.out, scored.err) == (0, run.out, "")
    assert (path / "summary.json").read_bytes() == summary
    assert len(server.requests) == asked


def test_the_journal_is_the_only_truth_and_is_never_changed(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    """What an older reader made of the replies is replaced by what today's reads in them."""
    fresh = facts_of(call(capsys, "score", path, "--json").out)
    stale = {**fresh, "evalkit_version": "0.0.1", "outcomes": {}, "accuracy": None}
    (path / "summary.json").write_text(json.dumps(stale))
    journal = (path / "responses.jsonl").read_bytes()
    assert facts_of(call(capsys, "score", path, "--json").out) == fresh
    assert json.loads((path / "summary.json").read_text()) == fresh
    assert (path / "responses.jsonl").read_bytes() == journal


def test_scores_follow_what_the_replies_say(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    before = facts_of(call(capsys, "score", path, "--json").out)["outcomes"]
    count = change_replies(path, "It is (A).", "I can't say.")
    after = facts_of(call(capsys, "score", path, "--json").out)["outcomes"]
    assert before["unparsed"] == 0 < count == after["unparsed"]
    assert before["correct"] + before["wrong"] == after["correct"] + after["wrong"] + count
    assert change_replies(path, "I can't say.", "The answer is **A**") == count
    assert facts_of(call(capsys, "score", path, "--json").out)["outcomes"] == before


def test_an_incomplete_run_gets_its_band_and_no_summary(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    server.faults = first_attempts(rate_limited(should_retry=False), every=3)
    call(capsys, "run", "sums.jsonl", "--model", HAIKU, "--way", "instructed", "--quiet")
    other = next(found for found in path.parent.iterdir() if found.name != path.name)
    (path / "summary.json").unlink()
    scored = call(capsys, "score", "results")
    assert scored.code == 4, "one of two is incomplete"
    assert scored.out.count(" incomplete: ") == 1
    assert (path / "summary.json").is_file()
    assert not (other / "summary.json").exists(), "a summary means that a run is done"


@pytest.mark.parametrize("named", ["results", "all of its contents", "both", "twice"])
def test_a_folder_of_runs_stands_for_all_runs_in_it(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path, named: str
) -> None:
    """What is no run is passed over, as the files in results/ and folders that a kill left."""
    call(capsys, "run", "sums.jsonl", "--model", HAIKU, "--quiet", "--limit", "3")
    (path.parent / "README.md").write_text("Runs land here.")
    (path.parent / "empty").mkdir()
    contents = sorted(path.parent.iterdir())
    assert len(contents) == 4
    paths = {
        "results": [path.parent],
        "all of its contents": contents,
        "both": [path.parent, *contents],
        "twice": [*contents, *contents],
    }
    scored = call(capsys, "score", *paths[named], "--json")
    runs = json.loads(scored.out)["runs"]
    assert scored.code == 0
    assert sorted(run["model"] for run in runs) == sorted([HAIKU, OPUS])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["results/README.md"], "results/README.md is a file, no run folder; "),
        (["results"], "results/c can't be read: manifest.json is a folder, no file"),
        (["."], ". is no run folder: it has no manifest.json"),
        (["results/a", "results/b"], "results/a is no run folder: it has no manifest.json"),
        (["results/b", "results/c"], "results/c can't be read: manifest.json is a folder, no file"),
        (["results/c"], "results/c can't be read: manifest.json is a folder, no file"),
        (["nowhere"], "nowhere is no run folder: it is not there"),
        (["results/README.md", "nowhere"], "nowhere is no run folder: it is not there"),
    ],
)
def test_where_there_is_no_run_that_is_said(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    names: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / "results" / name).mkdir(parents=True)
    (tmp_path / "results" / "c" / "manifest.json").mkdir(parents=True)
    (tmp_path / "results" / "README.md").write_text("Runs land here.")
    scored = call(capsys, "score", *names)
    assert (scored.code, scored.out) == (2, "")
    assert scored.error.startswith(f"evalkit: {message}")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", b"{"),
        ("manifest.json", b"[]"),
        ("manifest.json", b'{"format": 99}'),
        ("manifest.json", b"\xff"),
        ("questions.jsonl.gz", b"no gzip"),
        ("questions.jsonl.gz", b""),
    ],
)
def test_a_damaged_folder_is_named(
    capsys: pytest.CaptureFixture[str],
    server: MessagesServer,
    path: Path,
    name: str,
    content: bytes,
) -> None:
    (path / name).write_bytes(content)
    scored = call(capsys, "score", path)
    assert (scored.code, scored.out) == (2, "")
    assert scored.error


def test_garbled_lines_of_a_journal_are_noted_and_count_as_not_asked(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    journal = path / "responses.jsonl"
    lines = journal.read_text(encoding="utf-8").splitlines()
    lines[4] = lines[4][:50]
    journal.write_text("\n".join(lines) + "\n", encoding="utf-8")
    scored = call(capsys, "score", path)
    assert scored.code == 4
    assert "(1) journal lines that can't be read, asked again by the next run: 5" in scored.out
    assert "(1) incomplete: 1 of 30 questions have no reply" in scored.out


def test_a_summary_that_cannot_be_written_is_no_traceback(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    (path / "summary.json").unlink()
    (path / "summary.json").mkdir()
    scored = call(capsys, "score", path)
    assert scored.code in (2, 4)
    assert "summary.json" in scored.error


def test_positions_are_shown_on_request(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    plain = call(capsys, "score", path).out
    shown = call(capsys, "score", path, "--positions").out
    assert "Stuart-Maxwell" not in plain
    assert "(1) picked as often as right? Stuart-Maxwell " in shown
    assert shown.startswith(plain[: plain.index("Run folders:")])
    facts = facts_of(call(capsys, "score", path, "--positions", "--json").out)["positions"]
    assert facts["n"] == 30
    assert sum(letter["right"] for letter in facts["letters"]) == 30
    assert "positions" not in facts_of(call(capsys, "score", path, "--json").out)


def test_calibration_is_shown_on_request(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    """Of runs with several answers a question; of others, what is missing is said."""
    options = ("--model", HAIKU, "--samples", "10", "--limit", "12", "--quiet")
    assert call(capsys, "run", "sums.jsonl", *options).code == 0
    plain = call(capsys, "score", "results").out
    shown = call(capsys, "score", "results", "--calibration").out
    assert "Brier" not in plain
    assert shown.startswith(plain[: plain.index("Run folders:")])
    assert " Confidence from vote shares of 10 answers: Brier scores on 12 questions" in shown
    lack = "no confidence can be told from one answer a question: ask with --samples 20"
    assert shown.count(lack) == 1
    runs = json.loads(call(capsys, "score", "results", "--calibration", "--json").out)["runs"]
    facts = {run["model"]: run["calibration"] for run in runs}
    assert facts[OPUS]["missing"].startswith(lack)
    assert (facts[HAIKU]["samples"], facts[HAIKU]["brier"]["n"]) == (10, 12)
    assert "calibration" not in facts_of(call(capsys, "score", path, "--json").out)


def test_subjects_can_be_taken_as_clusters_and_the_summary_on_disk_stays(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    summary = (path / "summary.json").read_bytes()
    facts = facts_of(call(capsys, "score", path, "--cluster", "group", "--json").out)
    assert (facts["clustered_by"], facts["clusters"]["count"]) == ("group", 2)
    assert facts["accuracy"]["clusters"] == 2
    assert [group["clusters"] for group in facts["groups"]] == [None, None]
    assert (path / "summary.json").read_bytes() == summary
    text = call(capsys, "score", path, "--cluster", "group").out
    assert "(1) clustered by subject: the interval is for subjects like these" in text
    assert "(1) 2 clusters: design effect " in text
    assert "below 5 the interval is a rough guide" in text
