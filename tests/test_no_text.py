"""Without texts: no word of a question or a reply comes to the disk, and all numbers do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import load_benchmark
from evalkit.errors import UsageError
from evalkit.evaluation import run
from evalkit.requests import Way
from evalkit.results import Run, load_run
from evalkit.settings import RunSettings
from evalkit.testing.messages_body import Body, last_user_text
from evalkit.testing.messages_faults import Fault
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply, options_of
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call, point_at
from tests.conftest import QUICK, endpoint_of
from tests.pictures import paint

HAIKU, THINKS = "claude-haiku-4-5", "claude-opus-5-5"
COUNT = 12
MARK = "zyx"
"""All words of questions, replies, thoughts and errors begin with it."""

WAYS: tuple[Way, ...] = ("instructed", "structured", "reasoned", "prefill", "tool")
ASKED = [*((HAIKU, way) for way in WAYS), *((THINKS, way) for way in WAYS[:3])]


def write_questions(folder: Path) -> Path:
    """Questions with passages, pictures, metadata and worked examples, marked all over."""
    paint(folder / f"{MARK}picture.png")
    rows: list[dict[str, Any]] = []
    for number in range(COUNT + 2):
        choices = [f"{MARK}choice{number}{letter}" for letter in "abcd"]
        rows.append(
            {
                "id": f"id-{number}",
                "subject": ("even", "odd")[number % 2],
                "passage": f"{MARK}passage{number // 3} is long and tells of many things",
                "question": f"{MARK}stem{number}",
                "choices": choices,
                "answer": "ABCD"[number % 4],
                "example": number >= COUNT,
                "image": f"{MARK}picture.png",
                "explanation": f"{MARK}metadata{number}",
            }
        )
    path = folder / "secrets.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def reply_of(body: Body) -> Reply:
    """A choice with thoughts before it, words around it, and more in the tool's input."""
    letter = sorted(options_of(last_user_text(body)))[len(last_user_text(body)) % 4]
    thinking = f"{MARK}thought: is it {letter}?"
    if "tool_choice" in body:
        words = {"answer": letter, "note": f"{MARK}toolinput"}
        return Reply(letter=letter, tool_input=words, thinking=thinking)
    if body["max_tokens"] == 1:
        return Reply(letter=letter)
    if "output_config" in body and "format" in body["output_config"]:
        return Reply(letter=letter, thinking=thinking)
    return Reply(f"{MARK}words. Answer: ({letter})", thinking=thinking)


def failing(record: RequestRecord) -> Fault | None:
    """Fail two questions, with a part of the question in the error."""
    text = last_user_text(record.body)
    if not record.is_message or not any(f"{MARK}stem{n}\n" in text for n in (3, 8)):
        return None
    return Fault(manner="error", status=500, message=f"{MARK}error in {text}")


def words_below(folder: Path) -> list[str]:
    """The files below a folder that hold a marked word, in their names or contents."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            if MARK.encode() in data or MARK in path.name:
                found.append(path.name)
    return found


def ask(server: MessagesServer, path: Path, results: Path, **settings: Any) -> Run:
    """Run the questions, quickly, without texts."""
    model = settings.pop("model", HAIKU)
    return run(
        path,
        model,
        settings=RunSettings(**{"retries": QUICK, "keep_text": False, **settings}),
        endpoint=endpoint_of(server),
        results=results,
        progress=False,
    )


def numbers(done: Run) -> dict[str, Any]:
    """The facts of a run that don't depend on whether texts are kept."""
    facts = done.to_dict()
    apart = ("run_id", "folder", "endpoint", "failures")
    return {name: facts[name] for name in facts if name not in apart}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The question file."""
    (tmp_path / "set").mkdir()
    return write_questions(tmp_path / "set")


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    """A server that says marked words."""
    with MessagesServer(answer=reply_of, faults=failing) as running:
        yield running


@pytest.mark.parametrize("shots", [0, 1])
@pytest.mark.parametrize(("model", "way"), ASKED)
def test_no_word_is_on_disk_and_every_number_is(
    model: str, way: Way, shots: int, server: MessagesServer, path: Path, tmp_path: Path
) -> None:
    settings = {"way": way, "model": model, "shots": shots}
    done = ask(server, path, tmp_path / "r", **settings)
    assert words_below(tmp_path / "r") == []
    kept = ask(server, path, tmp_path / "kept", keep_text=True, **settings)
    assert words_below(tmp_path / "kept"), "else this test shows nothing"
    assert numbers(done) == numbers(kept)
    assert done.summary.failed == 2
    assert [failure.kind for failure in done.failures()] == ["server"]
    assert [failure.message for failure in done.failures()] == ["server"]
    assert [score.question.id for score in done.scores] == [f"id-{n}" for n in range(COUNT)]
    assert {score.question.group for score in done.scores} == {"even", "odd"}
    assert [score.answer for score in done.scores] == [score.answer for score in kept.scores]
    rows = {row.request_id: row for row in kept.rows}
    for row in done.rows:
        twin = rows[row.request_id]
        assert (row.question_id, row.is_response) == (twin.question_id, twin.is_response)
        assert row.result.request_id, "the endpoint's id"
        if row.is_response:
            assert getattr(row.result, "usage") == getattr(twin.result, "usage")  # noqa: B009


def test_questions_that_share_a_passage_still_do(
    server: MessagesServer, path: Path, tmp_path: Path
) -> None:
    done = ask(server, path, tmp_path / "r", way="instructed")
    clusters = [score.question.cluster for score in load_run(done.path).scores]
    assert None not in clusters
    assert len(set(clusters)) == 4
    assert [clusters[3 * (n // 3)] for n in range(COUNT)] == clusters


def test_a_run_without_texts_is_another_run(
    server: MessagesServer, path: Path, tmp_path: Path
) -> None:
    paths = {
        ask(server, path, tmp_path / "r", way="instructed", keep_text=keep_text).path
        for keep_text in (True, False)
    }
    assert len(paths) == 2


def test_what_failed_is_asked_again_and_nothing_else(
    server: MessagesServer, path: Path, tmp_path: Path
) -> None:
    ask(server, path, tmp_path / "r", way="reasoned")
    asked = len(server.requests)
    server.faults = lambda record: None
    done = ask(server, path, tmp_path / "r", way="reasoned")
    assert done.is_complete
    assert len(server.requests) == asked + 2
    assert words_below(tmp_path / "r") == []
    assert ask(server, path, tmp_path / "r", way="reasoned").to_dict() == done.to_dict()
    assert len(server.requests) == asked + 2


def test_samples_are_drawn_and_counted(server: MessagesServer, path: Path, tmp_path: Path) -> None:
    done = ask(server, path, tmp_path / "r", way="instructed", samples=3)
    assert len(done.rows) == 3 * COUNT
    assert done.summary.failed == 6
    assert words_below(tmp_path / "r") == []


def test_a_reply_that_was_cut_off_is_asked_for_again_also_by_the_next_run(
    path: Path, tmp_path: Path
) -> None:
    def answer(body: Body) -> Reply:
        if body["max_tokens"] <= 4096:
            return Reply(f"{MARK}words", stop_reason="max_tokens")
        return reply_of(body)

    def busy(record: RequestRecord) -> Fault | None:
        is_retake = record.is_message and record.body["max_tokens"] > 4096
        return Fault(manner="error", status=529, message="Overloaded") if is_retake else None

    with MessagesServer(answer=answer, faults=busy) as server:
        first = ask(server, path, tmp_path / "r", way="reasoned")
        assert (first.retakes, first.summary.failed) == (0, COUNT)
        server.faults, asked = (lambda record: None), len(server.requests)
        second = ask(server, path, tmp_path / "r", way="reasoned")
        assert (second.retakes, second.summary.truncated) == (COUNT, 0)
        assert len(server.requests) == asked + COUNT
        assert second.is_complete
    assert words_below(tmp_path / "r") == []


def test_what_an_endpoint_refused_is_remembered_without_its_words(
    path: Path, tmp_path: Path
) -> None:
    def refuse(record: RequestRecord) -> Fault | None:
        message = f"temperature is not for {MARK}stem"
        return (
            Fault(manner="error", status=400, message=message)
            if record.is_message and "temperature" in record.body
            else None
        )

    with MessagesServer(answer=reply_of, faults=refuse) as server:
        done = ask(server, path, tmp_path / "r", way="instructed")
        assert done.is_complete
        [lesson] = done.manifest.learned
        assert lesson == f"{HAIKU} takes no temperature"
    assert words_below(tmp_path / "r") == []


def test_replies_that_keep_to_no_schema_are_counted(path: Path, tmp_path: Path) -> None:
    with MessagesServer(bare=True, answer=lambda body: Reply("The answer is (B).")) as server:
        done = ask(server, path, tmp_path / "r", way="structured")
        kept = ask(server, path, tmp_path / "k", way="structured", keep_text=True)
    assert done.unbound == kept.unbound == COUNT
    assert numbers(done) == numbers(kept)


def test_pictures_that_are_gone_leave_no_name(path: Path, tmp_path: Path) -> None:
    benchmark = load_benchmark(path)
    (tmp_path / "set" / f"{MARK}picture.png").unlink()
    with MessagesServer() as server:
        done = run(
            replace(benchmark),
            HAIKU,
            settings=RunSettings(way="instructed", keep_text=False),
            endpoint=endpoint_of(server),
            results=tmp_path / "r",
            progress=False,
        )
    assert done.summary.failed == COUNT
    assert words_below(tmp_path / "r") == []


def test_commands_work_as_with_texts(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    path: Path,
    tmp_path: Path,
) -> None:
    point_at(server, monkeypatch)
    # A 400, which is not tried again.
    server.faults = lambda record: (
        replace(fault, status=400) if (fault := failing(record)) else None
    )
    results = tmp_path / "r"
    command: list[str | Path] = ["run", path, "--model", HAIKU, "--way", "prefill"]
    command += ["--way", "reasoned", "--no-text", "--results", results]
    first = call(capsys, *command)
    assert first.code == 4
    assert "2 failed: invalid_request" in first.out
    server.faults = lambda record: None
    done = call(capsys, *command)
    assert done.code == 0
    assert words_below(results) == []
    scored = call(capsys, "score", results)
    assert scored.code == 0, scored.err
    table = done.out.strip().partition("\n\nRun folders:")[0]
    assert table in scored.out
    shown = call(capsys, "show", results, "--json")
    assert len(json.loads(shown.out)["runs"]) == 2
    assert MARK not in shown.out


@pytest.mark.parametrize("option", [["--batch"], ["--images", "file"]])
def test_what_zero_data_retention_rules_out_is_refused(
    option: list[str], capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    done = call(capsys, "run", path, "--model", HAIKU, "--no-text", *option)
    assert done.code == 2
    assert "neither batches nor uploaded files" in done.error
    assert "zero data retention" in done.error


def test_the_settings_refuse_it_as_well() -> None:
    with pytest.raises(UsageError, match="zero data retention"):
        RunSettings(keep_text=False, batch=True)


@pytest.mark.parametrize(("model", "is_warned"), [("claude-fable-5", True), (HAIKU, False)])
def test_models_that_such_organizations_may_not_use_are_named(
    model: str, is_warned: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MessagesServer() as server:
        settings = RunSettings(keep_text=False, limit=2, way="instructed")
        run("everyday", model, settings=settings, endpoint=endpoint_of(server), results=tmp_path)
    assert (f"{model} refuses organizations with zero data" in capsys.readouterr().err) is is_warned
