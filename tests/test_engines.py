"""Workers of this machine and of a cluster, and what becomes of a part whose worker is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.engines import MOST_LOSSES, DaskWorkers, LocalWorkers, check_engine, open_dask
from evalkit.errors import MissingExtraError, RunError, UsageError
from evalkit.runs.folder import open_run_folder
from evalkit.settings import RunSettings
from evalkit.testing.messages_replies import key_answers
from evalkit.testing.messages_server import MessagesServer
from evalkit.workers import Part, Report
from tests import test_workers
from tests.conftest import ROOT, SUMS, write_sums
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

part, server = test_workers.part, test_workers.server


@pytest.fixture(name="slow_server")
def fixture_slow_server() -> Iterator[MessagesServer]:
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


# One part


def take_over_after(
    workers: LocalWorkers, part: Part, server: MessagesServer, kills: int
) -> Report:
    """Have a part asked, and kill its worker so many times while requests are under way."""
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(workers.ask, part)
        for _ in range(kills):
            before = len(server.requests)
            wait_until(lambda before=before: len(server.requests) >= before + 3)  # type: ignore[misc]
            [worker] = find_asking(os.getpid(), server)
            worker.kill()
        return asking.result(timeout=60)


def test_the_part_of_a_worker_that_is_killed_is_taken_over(
    part: Part, server: MessagesServer
) -> None:
    server.latency_seconds = 0.3
    said: list[str] = []
    part = replace(part, settings=replace(part.settings, concurrency=8))
    with LocalWorkers(said.append) as workers:
        report = take_over_after(workers, part, server, 1)
        assert report.is_done
        assert len({row.request_id for row in part.store.read(part.number)}) == SUMS
        assert said == ["A worker got lost; another one takes over its part"]
        assert server.answered_again <= 8
        left = find_workers(os.getpid())
    wait_until(lambda: are_gone(left), 5)


@pytest.mark.slow
def test_a_part_whose_workers_get_lost_again_and_again_ends_the_run(
    part: Part, server: MessagesServer
) -> None:
    server.latency_seconds = 0.5
    part = replace(part, settings=replace(part.settings, concurrency=6))
    with (
        LocalWorkers(lambda line: None) as workers,
        pytest.raises(RunError, match=f"{MOST_LOSSES} workers got lost") as caught,
    ):
        take_over_after(workers, part, server, MOST_LOSSES)
    assert "\n" not in str(caught.value)


def test_a_worker_that_fails_in_its_own_code_says_so(part: Part) -> None:
    """A fault of ours is no one-line error: it keeps its traceback."""
    with LocalWorkers(print) as workers, pytest.raises(AttributeError):
        workers.ask(replace(part, job=None))  # type: ignore[arg-type]


def test_dask_asks_a_part(part: Part, server: MessagesServer) -> None:
    """In threads of this process, which start at once."""
    distributed: Any = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(processes=False, n_workers=1, dashboard_address=None) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        workers = DaskWorkers(client)
        assert workers.ask(part).is_done
        assert len(server.requests) == SUMS
        with pytest.raises(RunError, match="the Dask cluster failed: ") as caught:
            workers.ask(replace(part, number=3, job=None))  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="it is installed")
def test_an_engine_that_is_not_installed_is_named_with_its_extra() -> None:
    check_engine("loky")
    with pytest.raises(MissingExtraError, match=r"--engine ray .*\[ray\]"):
        check_engine("ray")


def test_with_dask_somebody_has_to_be_there() -> None:
    """A scheduler that is not there, and a kind of address that there is not."""
    settings = RunSettings(engine="dask", cluster="what://x")
    with pytest.raises(UsageError, match="no Dask scheduler at what://x: "), open_dask(settings):
        pass


# Whole commands


ENGINES = [("--workers", "2"), ("--workers", "2", "--engine", "dask")]


@pytest.mark.slow
@pytest.mark.parametrize("options", ENGINES, ids=["loky", "dask"])
def test_a_worker_that_is_killed_costs_what_it_had_under_way(
    options: tuple[str, ...], slow_server: MessagesServer, tmp_path: Path
) -> None:
    command = Command(slow_server, tmp_path, *options)
    process = command.start()
    wait_until(lambda: command.on_disk() > MANY // 4)
    asking = find_asking(process.pid, slow_server)
    assert len(asking) == 2
    asking[0].kill()
    facts = command.finish(process)
    # What it had under way, and what waited for a fifth of a second to be written with others.
    waited = 0.5 / LATENCY_SECONDS * AT_ONCE / 2
    check_whole(command, facts, AT_ONCE // 2 + int(waited))


@pytest.mark.slow
@pytest.mark.parametrize("options", ENGINES, ids=["loky", "dask"])
def test_when_the_gathering_process_is_killed_its_workers_end_and_the_same_command_goes_on(
    options: tuple[str, ...], slow_server: MessagesServer, tmp_path: Path
) -> None:
    command = Command(slow_server, tmp_path, *options)
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
    options: tuple[str, ...], slow_server: MessagesServer, tmp_path: Path
) -> None:
    command = Command(slow_server, tmp_path, *options)
    process = command.start()
    wait_until(lambda: command.on_disk() > MANY // 4)
    workers = find_workers(process.pid)
    interrupt(process)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("evalkit: interrupted; ")
    assert "Interrupted: waiting for what is under way" in err
    [facts] = json.loads(out)["runs"]
    assert facts["complete"] is False
    wait_until(lambda: are_gone(workers), 5)
    # All that was answered is there, but for the probe.
    assert len(command.rows()) == slow_server.count(200) - 1 < MANY
    facts = command.finish(command.start())
    check_whole(command, facts, 0)


# A cluster that was there before


def start_dask(command: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start a scheduler or a worker of Dask."""
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{command}", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def dask_cluster(folder: Path, workers: int, **environment: str) -> Iterator[str]:
    """The address of a scheduler with so many workers, each a process."""
    file = folder / "scheduler.json"
    to_scheduler = ("--scheduler-file", str(file))
    place = ("--port", "0", "--no-dashboard", "--host", "127.0.0.1", *to_scheduler)
    started = [start_dask("scheduler", *place)]
    try:
        wait_until(file.exists)
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", *to_scheduler)
        started += [start_dask("worker", *options, **environment) for _ in range(workers)]
        yield json.loads(file.read_text())["address"]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_cluster_asks_and_takes_over_the_part_of_a_worker_that_is_killed(
    slow_server: MessagesServer, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    key = {"ANTHROPIC_API_KEY": slow_server.key}
    with dask_cluster(tmp_path, 3, **key) as address:
        options = ("--workers", "2", "--engine", "dask", "--cluster", address)
        command = Command(slow_server, tmp_path, *options, "--shared", str(shared))
        process = command.start()
        wait_until(lambda: slow_server.count(200) > MANY // 4)
        asking = find_asking(os.getpid(), slow_server, "dask_worker")
        # There are three, but two were asked for.
        assert len(asking) == 2
        asking[0].kill()
        facts = command.finish(process)
    waited = 0.5 / LATENCY_SECONDS * AT_ONCE / 2
    check_whole(command, facts, AT_ONCE // 2 + int(waited))
    assert slow_server.peak_concurrency <= AT_ONCE


@pytest.mark.slow
def test_workers_of_a_cluster_without_a_key_are_one_line(
    slow_server: MessagesServer, tmp_path: Path
) -> None:
    with dask_cluster(tmp_path, 1) as address:
        options = ("--engine", "dask", "--cluster", address, "--quiet")
        process = Command(slow_server, tmp_path, *options).start()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.startswith("evalkit: ")
    assert "wants a key, and ANTHROPIC_API_KEY is not set" in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_a_cluster_without_workers_is_one_line(slow_server: MessagesServer, tmp_path: Path) -> None:
    with dask_cluster(tmp_path, 0) as address:
        options = ("--engine", "dask", "--cluster", address, "--quiet")
        process = Command(slow_server, tmp_path, *options).start()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == f"evalkit: the Dask cluster at {address} has no workers\n"
