"""Whatever kills a run, the same command goes on, asks nothing twice, gives the same numbers."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.prompts import PromptFormat, render_question
from evalkit.runs.folder import RunFolder, open_run_folder
from evalkit.runs.journal import GROUP_ROWS, JournalReader
from evalkit.testing.messages_body import last_user_text
from evalkit.testing.messages_replies import key_answers
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import ROOT

MANY, FEWER = 2000, 240
CONCURRENCY = 8

LATEST_SECONDS = 2.0
"""An answer is on disk so long after it was asked for: a second, and one for a busy machine."""


def facts_key() -> dict[str, str]:
    """The right choice of each question; where stems repeat, whichever comes last."""
    lines = (ROOT / "benchmarks" / "facts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {row["question"]: row["choices"]["ABCD".index(row["answer"])] for row in rows}


class Command:
    """`evalkit run facts`, always the same, in processes of its own."""

    def __init__(
        self, server: MessagesServer, folder: Path, limit: int, concurrency: int = CONCURRENCY
    ) -> None:
        self.server, self.results = server, folder / "results"
        self.stopped = 0.0
        """When it was stopped last, in seconds on the monotonic clock."""
        self.arguments = [
            *(sys.executable, "-m", "evalkit", "run", "facts", "--limit", str(limit)),
            *("--model", "claude-haiku-4-5", "--base-url", server.base_url),
            *("--results", str(self.results), "--json", "--concurrency", str(concurrency)),
        ]
        self.environment = os.environ | {
            "ANTHROPIC_API_KEY": server.key,
            "EVALKIT_CACHE_DIR": str(folder / "cache"),
        }

    def start(self) -> subprocess.Popen[str]:
        """Begin, or go on."""
        return subprocess.Popen(
            self.arguments,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> dict[str, Any]:
        """Run to the end.

        Returns:
            The facts, without what names the place, and which process found out the way.
        """
        process = self.start()
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        [facts] = json.loads(out)["runs"]
        of_the_process = ("run_id", "folder", "endpoint", "way_reason")
        return {name: fact for name, fact in facts.items() if name not in of_the_process}

    def stop_when(
        self, condition: Callable[[], bool], number: signal.Signals
    ) -> tuple[int, str, str]:
        """Run until something has happened, then send a signal.

        Returns:
            The exit code, standard output, standard error.
        """
        process = self.start()
        deadline = time.monotonic() + 60
        while not condition():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        self.stopped = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        [path] = self.results.iterdir()
        return open_run_folder(path)

    def journal_lines(self) -> int:
        """The lines on disk, whole or torn."""
        journals = list(self.results.glob("*/responses.jsonl"))
        return journals[0].read_bytes().count(b"\n") if journals else 0

    def on_disk(self) -> set[str]:
        """The questions whose answer is on disk."""
        return {row.question_id for row in self.folder.read_journal().rows if row.is_response}

    def asked(self, since: int = 0, until: float = math.inf) -> list[str]:
        """The questions that the server was asked; probes are left out.

        Args:
            since: from this request on.
            until: before this moment of the monotonic clock.
        """
        form = PromptFormat()
        ids = {render_question(question, form): question.id for question in self.folder.questions}
        records = [one for one in self.server.requests[since:] if one.arrived < until]
        texts = [last_user_text(record.body) for record in records]
        return [ids[text] for text in texts if text in ids]


@pytest.fixture(scope="module")
def key() -> dict[str, str]:
    return facts_key()


@pytest.fixture
def server(key: dict[str, str]) -> Iterator[MessagesServer]:
    with MessagesServer(answer=same_as(key)) as server:
        yield server


def same_as(key: dict[str, str]) -> Any:
    """Answer by the line of the question: a search among thousands of stems would be slow."""
    by_stem = {stem: key_answers({stem: right}, wrong_share=0.25) for stem, right in key.items()}
    otherwise = key_answers({})

    def answer(body: Any) -> Any:
        return by_stem.get(last_user_text(body).partition("\n")[0], otherwise)(body)

    return answer


@pytest.fixture(scope="module")
def expected(
    key: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], dict[str, Any]]:
    """The facts of runs that nothing interrupted, by their number of questions."""
    found: dict[int, dict[str, Any]] = {}

    def run(limit: int) -> dict[str, Any]:
        if limit not in found:
            with MessagesServer(answer=same_as(key)) as server:
                folder = tmp_path_factory.mktemp("uninterrupted")
                found[limit] = Command(server, folder, limit).finish()
                # One probe, and each question once.
                assert len(server.requests) == 1 + limit
        return found[limit]

    return run


def test_kill_9_in_the_middle_of_2000_questions(
    server: MessagesServer, tmp_path: Path, expected: Callable[[int], dict[str, Any]]
) -> None:
    command = Command(server, tmp_path, MANY)
    code, out, _ = command.stop_when(lambda: command.journal_lines() >= MANY // 3, signal.SIGKILL)
    assert (code, out) == (-signal.SIGKILL, "")
    kept, asked_before = command.on_disk(), len(server.requests)
    assert MANY // 3 <= len(kept) < MANY
    # What was answered but had not reached the disk was asked a moment ago, and is not much.
    assert set(command.asked(until=command.stopped - LATEST_SECONDS)) <= kept
    assert len(set(command.asked()) - kept) <= GROUP_ROWS + CONCURRENCY

    facts = command.finish()

    second_time = command.asked(asked_before)
    assert set(second_time).isdisjoint(kept)
    assert len(second_time) == len(set(second_time)) == MANY - len(kept)
    assert command.on_disk() == {question.id for question in command.folder.questions}
    assert command.folder.read_journal().garbled_lines == ()
    assert facts == expected(MANY)
    assert facts["complete"] is True
    assert facts["n"] == MANY
    assert 0.2 < facts["outcomes"]["wrong"] / MANY < 0.3


def test_killed_again_and_again_at_random_moments(
    server: MessagesServer, tmp_path: Path, expected: Callable[[int], dict[str, Any]]
) -> None:
    rng = random.Random(20261122)
    command = Command(server, tmp_path, FEWER)
    # Moments from before the first answer to close to the last one.
    moments = sorted(rng.randrange(FEWER - 20) for _ in range(4))
    for moment in (0, *moments):
        before = len(server.requests)
        kept = command.on_disk() if command.journal_lines() else set()
        pause_seconds = rng.uniform(0, 0.02)

        def reached(moment: int = moment, pause_seconds: float = pause_seconds) -> bool:
            if command.journal_lines() < moment or not command.results.exists():
                return False
            time.sleep(pause_seconds)
            return True

        code, _, _ = command.stop_when(reached, signal.SIGKILL)
        assert code == -signal.SIGKILL
        if kept:
            lasting = command.asked(before, until=command.stopped - LATEST_SECONDS)
            assert set(lasting) <= command.on_disk()
            assert set(command.asked(before)).isdisjoint(kept)
            assert kept <= command.on_disk()
    assert command.finish() == expected(FEWER)
    assert set(command.asked()) == command.on_disk()


@pytest.mark.slow
def test_killed_at_two_hundred_random_moments_of_one_run(
    server: MessagesServer, tmp_path: Path, expected: Callable[[int], dict[str, Any]]
) -> None:
    """Some die before they ask anything, some while they read what is there, most in between."""
    rng = random.Random(20261128)
    command = Command(server, tmp_path, MANY, concurrency=1)
    server.latency_seconds = 0.08  # two hundred lives are not to be enough for all
    kept: set[str] = set()
    for _ in range(200):
        begun, age = time.monotonic(), rng.uniform(0.0, 1.6)
        code, _, _ = command.stop_when(
            lambda begun=begun, age=age: time.monotonic() - begun > age,  # type: ignore[misc]
            signal.SIGKILL,
        )
        assert code == -signal.SIGKILL, "it was not done yet"
        now = command.on_disk() if command.journal_lines() else set()
        assert kept <= now
        kept = now
    server.latency_seconds = 0.0
    assert len(kept) > 200
    assert command.finish() == expected(MANY)
    rows = [row.request_id for row in JournalReader(command.folder.journal_path)]
    assert len(rows) == len(set(rows)) == MANY


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_ctrl_c_says_how_to_go_on_and_loses_nothing(
    share: float, server: MessagesServer, tmp_path: Path, expected: Callable[[int], dict[str, Any]]
) -> None:
    command = Command(server, tmp_path, FEWER)
    server.latency_seconds = 0.05  # rows are written in groups: there is to be more than one
    code, out, err = command.stop_when(
        lambda: command.journal_lines() > FEWER * share, signal.SIGINT
    )
    server.latency_seconds = 0.0
    assert code == 4
    last = err.splitlines()[-1]
    assert last.startswith("evalkit: interrupted; ")
    assert last.endswith("the same command goes on")
    assert "Traceback" not in err
    kept, asked_before = command.on_disk(), len(server.requests)
    assert [facts["n"] for facts in json.loads(out)["runs"]] == [len(kept)]
    assert FEWER * share < len(kept) < FEWER
    # What had been answered is on disk, but for the few that were on their way.
    assert len(set(command.asked()) - kept) <= CONCURRENCY
    assert command.finish() == expected(FEWER)
    assert set(command.asked(asked_before)).isdisjoint(kept)
    assert server.answered_again <= CONCURRENCY


def test_a_torn_last_line_is_asked_again(
    server: MessagesServer, tmp_path: Path, expected: Callable[[int], dict[str, Any]]
) -> None:
    command = Command(server, tmp_path, FEWER)
    command.finish()
    path = command.folder.journal_path
    rows = command.folder.read_journal().rows
    lines = path.read_bytes().splitlines(keepends=True)
    whole = FEWER * 3 // 4
    path.write_bytes(b"".join(lines[:whole]) + lines[whole][:-20])
    (path.parent / "summary.json").unlink()
    before = len(server.requests)
    assert command.finish() == expected(FEWER)
    assert sorted(command.asked(before)) == sorted(row.question_id for row in rows[whole:])
    assert path.read_bytes().startswith(b"".join(lines[:whole]))
    assert (path.parent / "summary.json").exists()
