"""Workers of this machine and of a cluster, and what becomes of a part whose worker is killed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.runs.folder import open_run_folder
from tests.conftest import write_sums
from tests.messages_replies import key_answers
from tests.messages_server import MessagesServer
from tests.worker_processes import (
    are_gone,
    find_asking,
    find_workers,
    interrupt,
    start_command,
    wait_until,
)

MANY = 400
AT_ONCE = 8
LATENCY_SECONDS = 0.08


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(answer=key_answers({}), latency_seconds=LATENCY_SECONDS) as server:
        yield server


class Command:
    """`evalkit run` on many sums, always the same."""

    def __init__(self, server: MessagesServer, folder: Path, *options: str) -> None:
        self.server, self.folder = server, folder
        self.questions = write_sums(folder / "sums.jsonl", MANY)
        self.options = options

    def start(self, *more: str, **environment: str) -> subprocess.Popen[str]:
        """Begin, or go on."""
        arguments = (
            *("run", str(self.questions), "--model", "claude-haiku-4-5", "--json"),
            *("--base-url", self.server.base_url, "--results", str(self.folder / "results")),
            *("--concurrency", str(AT_ONCE), *self.options, *more),
        )
        return start_command(arguments, self.server.key, self.folder, **environment)

    def finish(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        """Wait for the end.

        Returns:
            The facts of the run.
        """
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "Traceback" not in err
        [facts] = json.loads(out)["runs"]
        return dict(facts)

    def on_disk(self) -> int:
        """Rows on disk, in the journal or of a part."""
        found = 0
        for path in (self.folder / "results").glob("*/**/*.jsonl"):
            try:
                found += path.read_bytes().count(b"\n")
            except FileNotFoundError:
                continue
        return found

    def rows(self) -> list[tuple[str, str]]:
        """Request and words of each response in the journal."""
        [path] = (self.folder / "results").iterdir()
        assert not (path / "parts").exists()
        return sorted(
            (row.request_id, row.result.text)  # type: ignore[union-attr]
            for row in open_run_folder(path).read_journal().rows
        )


def check_whole(command: Command, facts: dict[str, Any], most_twice: int) -> None:
    """Check that all is answered, and hardly anything twice."""
    assert facts["complete"] is True
    assert facts["n"] == MANY == len(command.rows())
    assert len({name for name, _ in command.rows()}) == MANY
    assert command.server.answered_again <= most_twice


ENGINES = [("--workers", "2"), ("--workers", "2", "--engine", "dask")]


@pytest.mark.slow
@pytest.mark.parametrize("options", ENGINES, ids=["loky", "dask"])
def test_a_worker_that_is_killed_costs_what_it_had_under_way(
    options: tuple[str, ...], server: MessagesServer, tmp_path: Path
) -> None:
    command = Command(server, tmp_path, *options)
    process = command.start()
    wait_until(lambda: command.on_disk() > MANY // 4)
    asking = find_asking(process.pid, server)
    assert len(asking) == 2
    asking[0].kill()
    facts = command.finish(process)
    # What it had under way, and what waited for a fifth of a second to be written with others.
    waited = 0.5 / LATENCY_SECONDS * AT_ONCE / 2
    check_whole(command, facts, AT_ONCE // 2 + int(waited))


@pytest.mark.slow
@pytest.mark.parametrize("options", ENGINES, ids=["loky", "dask"])
def test_when_the_gathering_process_is_killed_its_workers_end_and_the_same_command_goes_on(
    options: tuple[str, ...], server: MessagesServer, tmp_path: Path
) -> None:
    command = Command(server, tmp_path, *options)
    process = command.start()
    wait_until(lambda: command.on_disk() > MANY // 4)
    workers = find_workers(process.pid)
    process.kill()
    process.communicate()
    facts = command.finish(command.start())
    waited = 1.0 / LATENCY_SECONDS * AT_ONCE
    check_whole(command, facts, AT_ONCE + int(waited))
    wait_until(lambda: are_gone(workers), 10)


@pytest.mark.slow
@pytest.mark.parametrize("options", ENGINES, ids=["loky", "dask"])
def test_ctrl_c_keeps_what_is_under_way_and_leaves_no_process(
    options: tuple[str, ...], server: MessagesServer, tmp_path: Path
) -> None:
    command = Command(server, tmp_path, *options)
    process = command.start()
    wait_until(lambda: command.on_disk() > MANY // 4)
    workers = find_workers(process.pid)
    interrupt(process)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("evalkit: interrupted; ")
    assert json.loads(out) == {"runs": []}
    wait_until(lambda: are_gone(workers), 5)
    # All that was answered is there, but for the probe.
    assert len(command.rows()) == server.count(200) - 1 < MANY
    facts = command.finish(command.start())
    check_whole(command, facts, 0)
