"""Whatever kills a run by batches, the same command goes on, and nothing is handed over twice."""

from __future__ import annotations

import json
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.runs.batch_log import read_batch_log
from evalkit.testing.messages_faults import Fault, FaultPlan, cut_in_half
from evalkit.testing.messages_models import Json
from evalkit.testing.messages_record import BATCHES_PATH, RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.test_crash import Command, facts_key, same_as

COUNT = 240


class BatchCommand(Command):
    """`evalkit run facts --batch`, always the same, in processes of its own."""

    def __init__(self, server: MessagesServer, folder: Path) -> None:
        super().__init__(server, folder, COUNT)
        self.arguments += ["--batch", "--poll-seconds", "0.05"]

    def looks(self) -> int:
        """How many times a batch was looked at."""
        return sum(is_look(record) for record in list(self.server.requests))

    def log_lines(self) -> int:
        """The lines of the log of batches."""
        paths = list(self.results.glob("*/batches.jsonl"))
        return paths[0].read_bytes().count(b"\n") if paths else 0


def is_look(record: RequestRecord) -> bool:
    """Whether a request asks how a batch is going."""
    is_below = record.path.startswith(f"{BATCHES_PATH}/")
    return record.method == "GET" and is_below and not record.path.endswith("/results")


class Stalling(MessagesServer):
    """Creates a batch, and does not get round to saying so until it is released."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.created, self.released = threading.Event(), threading.Event()

    def _create_batch(self, record: RequestRecord, version: str) -> Json:
        description = super()._create_batch(record, version)
        self.created.set()
        assert self.released.wait(timeout=60)
        return description


@pytest.fixture(scope="module")
def key() -> dict[str, str]:
    return facts_key()


@pytest.fixture
def server(key: dict[str, str]) -> Iterator[MessagesServer]:
    """Its batches end when they are told to."""
    with MessagesServer(answer=same_as(key), batch_seconds=None) as server:
        yield server


@pytest.fixture(scope="module")
def expected(key: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The facts of a run by batches that nothing interrupted."""
    with MessagesServer(answer=same_as(key)) as server:
        return BatchCommand(server, tmp_path_factory.mktemp("uninterrupted")).finish()


def check_paid_once(command: BatchCommand) -> None:
    """Each request was in one batch, but for the one that was asked to see that all is well."""
    [asked] = command.asked()
    in_batches = Counter(name for batch in command.server.batches for name in batch.requests)
    assert set(in_batches.values()) == {1}
    rows = command.folder.read_journal().rows
    assert len(rows) == len(in_batches) + 1 == COUNT
    assert set(in_batches) == {row.request_id for row in rows if row.question_id != asked}
    lines = command.folder.journal_path.read_bytes().splitlines()
    assert len(lines) == COUNT, "no answer was written down twice"
    assert read_batch_log(command.folder.batch_log_path).open == []


def test_a_run_by_batches_gives_the_facts_of_a_direct_one(
    key: dict[str, str], tmp_path: Path, expected: dict[str, Any]
) -> None:
    with MessagesServer(answer=same_as(key)) as server:
        direct = Command(server, tmp_path, COUNT).finish()
    money = {name for name in direct if "cost" in name}
    assert {k: v for k, v in direct.items() if k not in money} == {
        k: v for k, v in expected.items() if k not in money
    }
    assert expected["cost"] < 0.51 * direct["cost"]


def test_killed_right_after_handing_over(
    server: MessagesServer, tmp_path: Path, expected: dict[str, Any]
) -> None:
    command = BatchCommand(server, tmp_path)
    code, _, _ = command.stop_when(lambda: command.log_lines() == 2, signal.SIGKILL)
    assert code == -signal.SIGKILL
    server.end_batches()
    assert command.finish() == expected
    check_paid_once(command)


def test_killed_after_the_batch_came_into_being_and_before_its_id_was_known(
    key: dict[str, str], tmp_path: Path, expected: dict[str, Any]
) -> None:
    with Stalling(answer=same_as(key)) as server:
        command = BatchCommand(server, tmp_path)
        code, _, _ = command.stop_when(server.created.is_set, signal.SIGKILL)
        assert code == -signal.SIGKILL
        server.released.set()
        [handover] = read_batch_log(command.folder.batch_log_path).open
        assert handover.batch_id is None
        assert command.finish() == expected
        check_paid_once(command)
        assert len(server.batches) == 1


def test_killed_while_waiting_again_and_again(
    server: MessagesServer, tmp_path: Path, expected: dict[str, Any]
) -> None:
    command = BatchCommand(server, tmp_path)
    for _ in range(3):
        before = command.looks()

        def has_looked(before: int = before) -> bool:
            return command.looks() > before + 1

        code, _, _ = command.stop_when(has_looked, signal.SIGKILL)
        assert code == -signal.SIGKILL
    server.end_batches()
    assert command.finish() == expected
    check_paid_once(command)


def half_of_the_results() -> FaultPlan:
    """Results never come further than to their half."""

    def plan(record: RequestRecord) -> Fault | None:
        return cut_in_half() if record.path.endswith("/results") else None

    return plan


def test_killed_with_half_of_the_results_in_the_journal(
    key: dict[str, str], tmp_path: Path, expected: dict[str, Any]
) -> None:
    with MessagesServer(answer=same_as(key), faults=half_of_the_results()) as server:
        command = BatchCommand(server, tmp_path)
        code, _, _ = command.stop_when(lambda: command.journal_lines() > COUNT / 3, signal.SIGKILL)
        assert code == -signal.SIGKILL
        assert COUNT / 3 < command.journal_lines() < COUNT * 2 / 3
        server.faults = lambda record: None
        assert command.finish() == expected
        check_paid_once(command)


def test_ctrl_c_while_waiting_says_how_to_go_on(
    server: MessagesServer, tmp_path: Path, expected: dict[str, Any]
) -> None:
    command = BatchCommand(server, tmp_path)
    code, out, err = command.stop_when(lambda: command.looks() > 1, signal.SIGINT)
    [facts] = json.loads(out)["runs"]
    assert (code, facts["n"], facts["complete"]) == (4, 1, False)
    assert "Traceback" not in err
    assert f"batch in progress, 0 of {COUNT - 1} done" in err
    last = err.splitlines()[-1]
    assert last == "evalkit: interrupted; answers so far are kept, and the same command goes on"
    server.end_batches()
    assert command.finish() == expected
    check_paid_once(command)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_random_moments(
    seed: int, key: dict[str, str], tmp_path: Path, expected: dict[str, Any]
) -> None:
    """In batches of which each takes a while, so that some are found in every state."""
    rng = random.Random(seed)
    with MessagesServer(answer=same_as(key), batch_seconds=0.3) as server:
        command = BatchCommand(server, tmp_path)
        for _ in range(6):
            if ends_within(command, rng.uniform(0.5, 2.5)):
                break
        assert command.finish() == expected
        in_batches = Counter(name for batch in server.batches for name in batch.requests)
        assert set(in_batches.values()) == {1}
        assert len(set(command.asked())) == 1


def ends_within(command: Command, seconds: float) -> bool:
    """Run for a while, then kill; whether it had come to its end before."""
    process = command.start()
    moment = time.monotonic() + seconds
    while time.monotonic() < moment and process.poll() is None:
        time.sleep(0.01)
    ended = process.poll() is not None
    process.kill()
    process.communicate()
    return ended
