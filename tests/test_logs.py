"""What is logged is JSON, line by line, and holds no key and nothing of questions or answers."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import UsageError
from evalkit.logs import (
    LOGGER,
    FileHandler,
    JsonLines,
    Trace,
    handling,
    log_event,
    log_to,
    trace_to,
)
from evalkit.testing.messages_faults import connection_reset, either, first_attempts, overloaded
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call, point_at
from tests.conftest import SUMS, sums_answers, write_sums

SECRET = "sk-ant-api03-very-secret-key"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def read_trace(text: str) -> list[dict[str, Any]]:
    """The events of a trace; the empty one that closes the list is left out."""
    events: list[dict[str, Any]] = json.loads(text)
    return [event for event in events if event]


def test_each_record_is_a_line_of_json_with_its_facts(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with log_to(path, print):
        log_event(logging.INFO, "run", folder="a\nb", questions=3)
        log_event(logging.DEBUG, "attempt", seconds=0.5, status=None)
        LOGGER.warning("no facts, but %d words", 5)
    first, second, third = read_lines(path)
    assert first.pop("at") > 1_700_000_000
    assert first == {"level": "info", "event": "run", "folder": "a\nb", "questions": 3}
    assert (second["level"], second["seconds"], second["status"]) == ("debug", 0.5, None)
    assert (third["event"], third["message"]) == ("message", "no facts, but 5 words")


@pytest.mark.parametrize("text", ["\ud800", "Zoë 🐜", "\x00\u2028", '"\\'])
def test_no_text_is_too_odd_for_a_line(text: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    with log_to(path, print):
        log_event(logging.ERROR, "given_up", words=text, path=Path("a"))
    [line] = path.read_text(encoding="utf-8").split("\n")[:-1]
    assert json.loads(line)["path"] == "a"


def test_outside_of_the_block_nothing_is_written(tmp_path: Path) -> None:
    level, handlers = LOGGER.level, list(LOGGER.handlers)
    with (
        log_to(tmp_path / "log.jsonl", print),
        trace_to(tmp_path / "trace.json", print),
        log_to(None, print),
    ):
        assert LOGGER.isEnabledFor(logging.DEBUG)
    log_event(logging.ERROR, "late")
    assert (tmp_path / "log.jsonl").read_text(encoding="utf-8") == ""
    assert (LOGGER.level, LOGGER.handlers) == (level, handlers)


@pytest.mark.parametrize("open_file", [log_to, trace_to])
def test_a_file_that_cannot_be_written_is_one_line(open_file: Any, tmp_path: Path) -> None:
    path = tmp_path / "missing" / "file"
    with (
        pytest.raises(UsageError, match="can't be written: No such file or directory"),
        open_file(path, print),
    ):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("open_file", [log_to, trace_to])
def test_a_full_disk_ends_the_file_alone_and_is_told_once(open_file: Any, capfd: Any) -> None:
    told: list[str] = []
    with open_file(Path("/dev/full"), told.append):
        for _ in range(3):
            log_event(logging.DEBUG, "attempt", started=0.0, seconds=1.0)
    assert told == ["/dev/full ends early: No space left on device; all else goes on"]
    assert capfd.readouterr().err == ""


def test_a_mistake_in_the_code_is_shown_with_its_place(capsys: Any) -> None:
    record = logging.LogRecord("evalkit", logging.INFO, "here.py", 1, "%d", ("five",), None)
    FileHandler(io.StringIO(), print).handle(record)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "TypeError" in printed.err


def test_where_nobody_listens_nothing_is_printed() -> None:
    code = "import logging; from evalkit.logs import log_event; log_event(logging.ERROR, 'hold')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "")


def trace(*attempts: tuple[float, float]) -> str:
    """What is traced of attempts, by start and length in seconds."""
    file = io.StringIO()
    file.write("[\n")
    with handling(file, Trace(), print, only="attempt"):
        log_event(logging.INFO, "run", folder="a")
        for started, seconds in attempts:
            log_event(
                logging.DEBUG, "attempt", started=started, seconds=seconds, outcome="response"
            )
    return file.getvalue()


def test_a_trace_is_a_list_of_complete_events_in_microseconds() -> None:
    [event] = read_trace(trace((2.0, 0.25)) + "{}]")
    assert event == {
        "name": "response",
        "ph": "X",
        "pid": 1,
        "tid": 0,
        "ts": 2_000_000,
        "dur": 250_000,
        "args": {"event": "attempt", "outcome": "response"},
    }


def test_attempts_at_the_same_time_stand_in_rows_of_their_own() -> None:
    text = trace((0.0, 1.0), (0.5, 1.0), (1.0, 1.0), (1.2, 9.0), (1.5, 1.0))
    rows = [event["tid"] for event in read_trace(text + "{}]")]
    assert rows == [0, 1, 0, 2, 1]


def test_a_trace_whose_end_is_missing_can_be_completed() -> None:
    text = trace((0.0, 1.0), (1.0, 1.0))
    assert len(json.loads(text.rstrip().rstrip(",") + "]")) == 2


def test_a_run_logs_each_attempt_and_neither_key_nor_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = either(
        first_attempts(overloaded(), every=4), first_attempts(connection_reset(), every=7)
    )
    log, traced = tmp_path / "log.jsonl", tmp_path / "trace.json"
    with MessagesServer(answer=sums_answers(), faults=faults, key=SECRET) as server:
        point_at(server, monkeypatch)
        outcome = call(
            capsys,
            *("run", write_sums(tmp_path / "sums.jsonl"), "--model", "claude-haiku-4-5"),
            *("--results", tmp_path / "results", "--log", log, "--trace", traced),
        )
        assert outcome.code == 0, outcome.err
        attempts = [line for line in read_lines(log) if line["event"] == "attempt"]
        messages = [record for record in server.requests if record.is_message]
    assert len(messages) - SUMS // 2 < len(attempts) <= len(messages)
    kinds = {line["outcome"] for line in attempts}
    assert kinds == {"response", "overloaded", "connection_failed"}
    assert {line["status"] for line in attempts} == {None, 529}
    by_request: dict[str, list[int]] = {}
    for line in attempts:
        by_request.setdefault(line["request"], []).append(line["attempt"])
    assert len(by_request) == SUMS
    assert all(sorted(tries) == list(range(1, len(tries) + 1)) for tries in by_request.values())
    events = read_trace(traced.read_text(encoding="utf-8"))
    assert len(events) == len(attempts)
    assert {event["ph"] for event in events} == {"X"}
    assert all(event["ts"] >= 0 and event["dur"] > 0 for event in events)
    for text in (log.read_text(encoding="utf-8"), traced.read_text(encoding="utf-8")):
        assert SECRET not in text
        assert "How much is" not in text


def test_a_formatter_takes_records_of_others() -> None:
    record = logging.LogRecord("evalkit", logging.INFO, "a.py", 1, "%s left", ("none",), None)
    assert json.loads(JsonLines().format(record))["message"] == "none left"
