"""`evalkit batches` says what was handed over and is not back yet, and ends it if told so."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.runs.batch_log import read_batch_log
from evalkit.testing.messages_faults import Fault, unauthorized
from evalkit.testing.messages_record import BATCHES_PATH, RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, Outcome, call, point_at
from tests.conftest import SUMS, sums_answers, write_sums

LIMIT = 12


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, with thirty sums in sums.jsonl."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    write_sums(tmp_path / "sums.jsonl")
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    """A server whose batches end when they are told to."""
    with MessagesServer(answer=sums_answers(), batch_seconds=None) as running:
        point_at(running, monkeypatch)
        yield running


def hand_over(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, *arguments: str | Path
) -> None:
    """A run by batches that ends before its batch does."""

    def no_looks(record: RequestRecord) -> Fault | None:
        is_look = record.method == "GET" and record.path.startswith(f"{BATCHES_PATH}/")
        return unauthorized() if is_look else None

    server.faults = no_looks
    done = call(capsys, "run", "sums.jsonl", "--batch", "--quiet", *arguments)
    assert done.code == 2, done.err
    server.faults = lambda record: None


def rows_of(outcome: Outcome) -> list[dict[str, Any]]:
    """The rows of the JSON."""
    assert outcome.code == 0, outcome.err
    rows: list[dict[str, Any]] = json.loads(outcome.out)["batches"]
    return rows


def test_without_runs_there_is_nothing_to_list_and_nobody_to_ask(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No key is needed to find that out."""
    done = call(capsys, "batches")
    assert (done.code, done.out) == (0, "")
    assert done.err == "no batch under way in the runs of results\n"
    assert call(capsys, "batches", "--json").out == '{\n  "batches": []\n}\n'


def test_the_table_and_json_list_what_runs_have_under_way(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    hand_over(capsys, server, "--model", HAIKU)
    hand_over(capsys, server, "--model", OPUS, "--limit", str(LIMIT))
    time.sleep(1)
    table = call(capsys, "batches")
    rows = rows_of(call(capsys, "batches", "--json"))
    assert table.code == 0
    by_model = {row["model"]: row for row in rows}
    host = server.base_url.removeprefix("http://")
    for model, way, count, batch in (
        (HAIKU, "prefill", SUMS - 1, server.batches[0]),
        (OPUS, "instructed", LIMIT - 1, server.batches[1]),
    ):
        row = by_model[model]
        facts = {name: row[name] for name in ("benchmark", "way", "endpoint", "batch", "status")}
        assert facts == {
            "benchmark": "sums",
            "way": way,
            "endpoint": host,
            "batch": batch.id,
            "status": "in_progress",
        }
        assert row["requests"] == row["counts"]["processing"] == count
        assert 1 <= row["age_seconds"] < 60
        log = read_batch_log(Path(row["folder"]) / "batches.jsonl")
        assert [one.batch_id for one in log.open] == [batch.id]
        number = rows.index(row) + 1
        assert f"({number}) sums, {model}, {way}: {row['folder']}" in table.out
        [line] = [line for line in table.out.splitlines() if batch.id in line]
        assert line.split()[:6] == [
            *(f"({number})", batch.id, "in", "progress", str(count), "processing")
        ]
        assert line.split()[6].startswith("0:00:0")
    assert max(map(len, table.out.split("\nRuns:")[0].splitlines())) <= 80


def test_what_has_ended_is_named_and_gone_once_it_is_collected(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    hand_over(capsys, server, "--model", HAIKU)
    server.end_batches()
    ended = call(capsys, "batches")
    assert f"{SUMS - 1} succeeded" in ended.out
    assert ended.out.endswith("\nThe same `evalkit run` command collects what has ended.\n")
    [row] = rows_of(call(capsys, "batches", "--json"))
    assert row["counts"] == {
        **dict.fromkeys(("processing", "errored", "canceled", "expired"), 0),
        "succeeded": SUMS - 1,
    }
    assert call(capsys, "run", "sums.jsonl", "--batch", "--quiet", "--model", HAIKU).code == 0
    assert call(capsys, "batches").err == "no batch under way in the runs of results\n"


def test_results_may_lie_elsewhere(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    hand_over(capsys, server, "--model", HAIKU, "--results", "elsewhere")
    assert "in the runs of results" in call(capsys, "batches").err
    [row] = rows_of(call(capsys, "batches", "--results", "elsewhere", "--json"))
    assert Path(row["folder"]).parent == Path("elsewhere")


def test_all_lists_those_of_others_too(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, tmp_path: Path
) -> None:
    hand_over(capsys, server, "--model", HAIKU, "--results", "elsewhere")
    hand_over(capsys, server, "--model", OPUS)
    other, own = server.batches
    rows = rows_of(call(capsys, "batches", "--all", "--json"))
    assert [(row["batch"], row["model"]) for row in rows] == [(own.id, OPUS), (other.id, None)]
    table = call(capsys, "batches", "--all")
    assert (other.id in table.out, own.id in table.out) == (True, True)
    assert table.out.count("sums,") == 1
    # What is listed needs not be asked for one by one.
    assert sum(record.path.startswith(f"{BATCHES_PATH}/") for record in server.requests) == 2


def test_others_batches_belong_to_no_run(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    hand_over(capsys, server, "--model", HAIKU, "--results", "elsewhere")
    server.end_batches()
    table = call(capsys, "batches", "--all")
    assert "29 succeeded" in table.out
    assert len(table.out.splitlines()) == 3


def test_all_of_nothing(capsys: pytest.CaptureFixture[str], server: MessagesServer) -> None:
    done = call(capsys, "batches", "--all")
    assert done.err == "no batch under way at the endpoint or in the runs of results\n"


def test_batches_are_canceled(capsys: pytest.CaptureFixture[str], server: MessagesServer) -> None:
    """What comes back without an answer is asked again by the run."""
    hand_over(capsys, server, "--model", HAIKU)
    [batch] = server.batches
    done = call(capsys, "batches", "--cancel", batch.id)
    assert (done.code, done.out) == (0, f"{batch.id}: canceling\n")
    [row] = rows_of(call(capsys, "batches", "--json"))
    assert (row["status"], row["counts"]["canceled"]) == ("ended", SUMS - 1)
    server.batch_seconds = 0.0
    assert call(capsys, "run", "sums.jsonl", "--batch", "--quiet", "--model", HAIKU).code == 0


def test_one_that_cannot_be_canceled_does_not_save_the_others(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    hand_over(capsys, server, "--model", HAIKU)
    [batch] = server.batches
    done = call(capsys, "batches", "--json", "--cancel", "msgbatch_nosuch", batch.id, batch.id)
    assert done.code == 2
    assert done.error.startswith("evalkit: msgbatch_nosuch: ")
    assert [row["status"] for row in json.loads(done.out)["batches"]] == ["canceling"]
    again = call(capsys, "batches", "--cancel", batch.id)
    assert again.code == 2
    assert "has ended and cannot be canceled" in again.error


def test_all_cannot_be_canceled_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "batches", "--all", "--cancel", "msgbatch_1")
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("evalkit: --cancel takes ids, not --all")


def test_a_batch_that_is_not_there_any_more(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    hand_over(capsys, server, "--model", HAIKU)
    server.batches[0].deleted = True
    [row] = rows_of(call(capsys, "batches", "--json"))
    assert (row["status"], row["counts"], row["requests"]) == ("not found", None, SUMS - 1)
    assert f"{SUMS - 1} not known" in call(capsys, "batches").out


def test_a_batch_whose_id_was_never_written_down(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    hand_over(capsys, server, "--model", HAIKU)
    [path] = Path("results").glob("*/batches.jsonl")
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    [row] = rows_of(call(capsys, "batches", "--json"))
    assert (row["batch"], row["status"]) == (None, "id not known yet")
    assert "id not known yet" in call(capsys, "batches").out


def test_another_endpoint_is_not_asked(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    hand_over(capsys, server, "--model", HAIKU)
    with MessagesServer() as other:
        [row] = rows_of(call(capsys, "batches", "--base-url", other.base_url, "--json"))
        assert other.requests == []
    assert row["status"] == f"at {server.base_url.removeprefix('http://')}"


@pytest.mark.parametrize("arguments", [("--all",), ("--cancel", "msgbatch_1"), ()])
def test_no_key_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    arguments: tuple[str, ...],
) -> None:
    hand_over(capsys, server, "--model", HAIKU)
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    done = call(capsys, "batches", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("evalkit: no key: set ANTHROPIC_API_KEY")


@pytest.mark.parametrize("arguments", [("--all",), ("--cancel", "msgbatch_1"), ()])
def test_a_wrong_key_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    arguments: tuple[str, ...],
) -> None:
    hand_over(capsys, server, "--model", HAIKU)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "wrong")
    done = call(capsys, "batches", *arguments)
    assert (done.code, done.out) == (2, "")
    assert "does not accept the key" in done.error


@pytest.mark.parametrize("arguments", [("--all",), ("--cancel", "msgbatch_1")])
def test_an_endpoint_without_batches_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
) -> None:
    with MessagesServer(bare=True) as server:
        point_at(server, monkeypatch)
        done = call(capsys, "batches", *arguments)
    assert (done.code, done.out) == (2, "")
    assert "no batches" in done.error


def test_a_log_that_cannot_be_read_hides_no_other(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    hand_over(capsys, server, "--model", HAIKU)
    broken = Path("results") / "broken"
    broken.mkdir()
    (broken / "batches.jsonl").write_text("garbled\n")
    done = call(capsys, "batches", "--json")
    assert len(rows_of(done)) == 1
    assert done.err.startswith(f"evalkit: {broken} is no run folder")
