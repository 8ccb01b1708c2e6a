"""What the log of batches says, it says after any end of the process; else it says so."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from evalkit.errors import RunError, RunFormatError
from evalkit.runs.batch_log import BatchLog, read_batch_log
from tests.test_journal import disk_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "batches.jsonl"


def state_of(log: BatchLog) -> list[tuple[object, ...]]:
    """What a log knows."""
    return [
        (one.number, one.requests, one.at, one.files, one.batch_id, one.strangers, one.is_over)
        for one in log.handovers
    ]


def written(path: Path) -> BatchLog:
    """A log with a batch in every state."""
    log = BatchLog(path=path)
    for number in range(6):
        log.begin([f"r{number}a", f"r{number}b"], {f"file_{number}", "file_shared"})
    collected, refused, lost, gone, adopted, _ = log.handovers
    log.name(collected, "batch_0")
    log.close(collected, "collected")
    log.close(refused, "refused")
    log.close(lost, "lost")
    log.name(gone, "batch_3")
    log.close(gone, "gone")
    log.name(adopted, "batch_x")
    log.disown(adopted)
    log.name(adopted, "batch_4")
    return log


def test_no_file_is_an_empty_log_and_reading_makes_none(path: Path) -> None:
    log = read_batch_log(path)
    assert (log.handovers, log.open, log.good_bytes) == ([], [], 0)
    assert not path.exists()


def test_what_was_written_is_read(path: Path) -> None:
    before = time.time()
    log = written(path)
    again = read_batch_log(path)
    assert state_of(again) == state_of(log)
    assert [one.number for one in again.open] == [4, 5]
    assert [(one.batch_id, one.strangers) for one in again.open] == [
        ("batch_4", {"batch_x"}),
        (None, set()),
    ]
    assert again.batch_ids == {"batch_0", "batch_3", "batch_4"}
    assert all(before <= one.at <= time.time() for one in again.handovers)


def test_files_are_in_use_until_the_last_batch_with_them_is_over(path: Path) -> None:
    log = written(path)
    assert log.files_in_use == {"file_4", "file_5", "file_shared"}
    # What was refused is deleted by the process that uploaded it.
    assert log.files_left == {"file_0", "file_2", "file_3"}
    log.clear_files()
    assert log.files_left == set()
    for handover in log.open:
        log.close(handover, "collected")
    again = read_batch_log(path)
    assert (again.files_in_use, again.files_left) == (set(), {"file_4", "file_5", "file_shared"})


def test_a_step_is_on_disk_before_it_counts(path: Path) -> None:
    log = BatchLog(path=path)
    log.begin(["r1"])
    size = path.stat().st_size
    with disk_of(size + 5), pytest.raises(RunError, match="can't be written: File too large"):
        log.begin(["r2"])
    assert len(log.handovers) == 1
    with disk_of(size + 5), pytest.raises(RunError):
        log.name(log.handovers[0], "batch_1")
    assert log.handovers[0].batch_id is None
    # With room again, it goes on behind the last whole line.
    log.name(log.handovers[0], "batch_1")
    assert state_of(read_batch_log(path)) == state_of(log)


def test_a_folder_that_cannot_be_written_is_an_error_before_anything_is_handed_over(
    tmp_path: Path,
) -> None:
    log = BatchLog(path=tmp_path / "missing" / "batches.jsonl")
    with pytest.raises(RunError, match="can't be written: No such file"):
        log.begin(["r1"])
    assert log.handovers == []


def test_a_torn_last_line_told_nothing_and_is_written_over(path: Path) -> None:
    written(path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    torn = b"".join(lines[:-1]) + lines[-1][:-9]
    path.write_bytes(torn)
    log = read_batch_log(path)
    assert path.read_bytes() == torn, "reading changes nothing: another process may be writing"
    assert [one.batch_id for one in log.open] == [None, None]
    log.name(log.open[0], "batch_4")
    assert path.read_bytes().startswith(b"".join(lines[:-1]))
    assert [one.batch_id for one in read_batch_log(path).open] == ["batch_4", None]


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"event": "unheard of", "number": 0}',
        b'{"event": "created", "number": 99, "id": "b"}',
        b'{"event": "created", "number": 0}',
        b'{"event": "submitting", "requests": 3, "files": [], "at": 1}',
        b'{"event": "submitting", "requests": [], "files": [], "at": null}',
    ],
)
def test_a_garbled_line_ends_the_command_and_names_the_place(path: Path, line: bytes) -> None:
    """Whatever it said, it may have been that something was handed over, and paid for."""
    BatchLog(path=path).begin(["r1"])
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(RunFormatError, match=r"batches\.jsonl:2 can't be read \(.*evalkit batches"):
        read_batch_log(path)


def test_a_log_that_cannot_be_read_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(RunError, match="can't be read: Is a directory"):
        read_batch_log(path)


def test_every_line_says_when(path: Path) -> None:
    written(path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == 6 + 9
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
