"""`evalkit verify` says which run folders are whole, what is wrong with others, and what to do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.runs.folder import open_run_folder
from evalkit.runs.journal import JournalReader
from evalkit.testing.messages_body import last_user_text
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, Outcome, call, point_at
from tests.conftest import SUMS, sums_answers, write_sums
from tests.test_journal import disk_of


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MessagesServer]:
    """A server that knows most of thirty sums; its working directory."""
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "sums.jsonl")
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as running:
        point_at(running, monkeypatch)
        yield running


def run(capsys: pytest.CaptureFixture[str], model: str = OPUS) -> Outcome:
    """Ask the sums, or what is left of them."""
    return call(capsys, "run", "sums.jsonl", "--model", model, "--quiet")


@pytest.fixture
def path(server: MessagesServer, capsys: pytest.CaptureFixture[str]) -> Path:
    """The folder of a run that is done."""
    assert run(capsys).code == 0
    [found] = Path("results").iterdir()
    return found


def garble(path: Path, number: int) -> str:
    """Make a line of the journal unreadable; its question."""
    journal = path / "responses.jsonl"
    question = list(JournalReader(journal))[number - 1].question_id
    lines = journal.read_bytes().splitlines(keepends=True)
    lines[number - 1] = b"\0" * 100 + b"\n"
    journal.write_bytes(b"".join(lines))
    return question


def test_a_sound_run_is_said_to_be_sound(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    found = call(capsys, "verify", path)
    assert (found.code, found.err) == (0, "")
    assert found.out == f"{path}: sound; 30 rows, 30 fit their requests\n"


def test_a_garbled_line_is_named_and_only_its_question_asked_again(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    before = json.loads(call(capsys, "score", path, "--json").out)["runs"][0]["outcomes"]
    question = garble(path, 5)
    found = call(capsys, "verify", path)
    assert found.code == 4
    lines = found.out.splitlines()
    assert lines[0] == (
        f"{path}: repairable; 29 rows, 29 fit their requests, 1 response still to come"
    )
    assert lines[1] == (
        "  responses.jsonl:5: can't be read; the same command asks its question again"
    )
    asked = len(server.requests)

    assert run(capsys).code == 0

    [again] = server.requests[asked:]
    assert f"100 + {question[1:]}?" in last_user_text(again.body)
    found = call(capsys, "verify", path)
    assert found.code == 0
    assert found.out.splitlines() == [
        f"{path}: sound; 30 rows, 30 fit their requests",
        "  responses.jsonl:5: can't be read; every question has a reply all the same",
    ]
    after = json.loads(call(capsys, "score", path, "--json").out)["runs"][0]["outcomes"]
    assert after == before


def test_what_a_full_disk_left_is_repairable_and_repaired(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    with disk_of(6000):
        full = run(capsys)
    assert full.code == 4
    assert "can't be written: File too large; the answers so far are kept" in full.err
    [path] = Path("results").iterdir()
    kept = {row.question_id for row in JournalReader(path / "responses.jsonl")}
    assert 5 < len(kept) < SUMS
    found = call(capsys, "verify", path)
    assert (found.code, "is torn, as a crash leaves it; " in found.out) == (4, True)
    asked = len(server.requests)
    assert run(capsys).code == 0
    again = {last_user_text(record.body) for record in server.requests[asked:]}
    assert len(again) == SUMS - len(kept)
    assert call(capsys, "verify", path).code == 0


@pytest.mark.parametrize("name", ["responses.jsonl", "manifest.json", "questions.jsonl.gz"])
def test_a_folder_that_cannot_be_written_is_one_line(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path, name: str
) -> None:
    """A folder stands where the file belongs, which stops root too."""
    (path / name).unlink()
    (path / name).mkdir()
    done = run(capsys)
    assert done.code in (2, 4)
    assert name in done.error
    assert call(capsys, "verify", path).code in (2, 4)


def test_a_changed_run_is_said_to_be_damaged(
    capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    journal = path / "responses.jsonl"
    text = journal.read_text()
    assert text.count('"question":"q7"') == 1
    journal.write_text(text.replace('"question":"q7"', '"question":"q8"'))
    found = call(capsys, "verify", path)
    assert found.code == 2
    assert f"{path}: damaged; 30 rows, 29 fit" in found.out
    assert re.search(r"^  responses\.jsonl:\d+: the request of this question, ", found.out, re.M)


def test_the_worst_of_several_runs_decides(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, path: Path
) -> None:
    assert run(capsys, HAIKU).code == 0
    other = next(found for found in path.parent.iterdir() if found.name != path.name)
    assert call(capsys, "verify", "results").code == 0
    garble(path, 1)
    found = call(capsys, "verify", "results")
    assert (found.code, found.out.count(": sound; "), found.out.count(": repairable; ")) == (
        *(4, 1, 1),
    )
    (other / "manifest.json").write_text('{"format": 2}')
    found = call(capsys, "verify", path, other)
    assert found.code == 2
    assert "  manifest.json: has format 2; evalkit " in found.out


@pytest.mark.parametrize("inside", ["results", "."])
def test_a_zipped_run_is_checked(
    inside: str, capsys: pytest.CaptureFixture[str], path: Path, tmp_path: Path
) -> None:
    shutil.make_archive(str(tmp_path / "runs"), "zip", root_dir=tmp_path / inside)
    found = call(capsys, "verify", "runs.zip")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("runs.zip/")
    assert ": sound; 30 rows, 30 fit" in found.out
    # A folder beside it counts as well.
    both = call(capsys, "verify", "runs.zip", path)
    assert both.out.count(": sound; ") == 2


def test_what_is_no_run_is_said_to_be_none(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    found = call(capsys, "verify", "nowhere")
    assert found.code == 2
    assert found.out.splitlines() == [
        "nowhere: damaged; 0 rows, 0 fit their requests",
        "  manifest.json: is no run folder: it is not there",
    ]
    archive = call(capsys, "verify", "sums.jsonl")
    assert (archive.code, archive.out) == (2, "")
    assert archive.error == "evalkit: sums.jsonl can't be read: File is not a zip file"


def test_the_facts_are_available_as_json(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    garble(path, 2)
    found = call(capsys, "verify", path, "--json")
    [facts] = json.loads(found.out)["runs"]
    assert found.code == 4
    assert (facts["folder"], facts["verdict"], facts["rows"]) == (str(path), "repairable", 29)
    assert facts["findings"][0]["line"] == 2


def test_nothing_in_the_folder_is_changed(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    def contents() -> dict[str, tuple[bytes, float]]:
        return {
            each.name: (each.read_bytes(), each.stat().st_mtime)
            for each in path.iterdir()
            if each.is_file()
        }

    before = contents()
    call(capsys, "verify", path)
    assert contents() == before


def test_a_run_on_another_place_is_checked_there(
    capsys: pytest.CaptureFixture[str], path: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.move(path, tmp_path / "of another machine"))
    found = call(capsys, "verify", moved)
    assert (found.code, found.out.count(": sound; ")) == (0, 1)
    assert open_run_folder(moved).manifest.questions == SUMS
