"""A run shared out among processes is the run that one process makes."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.cli.main import main
from evalkit.desk import Desk
from evalkit.errors import AuthenticationError, RunError, UsageError
from evalkit.gathering import MOST_QUESTIONS, Gatherer, count_parts
from evalkit.jobs import Job
from evalkit.responses import RequestFailure
from evalkit.results import Run
from evalkit.runs.folder import open_run_folder
from evalkit.runs.journal import JournalRow, encode_row
from evalkit.runs.parts import PartStore
from evalkit.runs.standing import Standing
from evalkit.testing.messages_faults import (
    Fault,
    at_random,
    from_message_on,
    overloaded,
    server_error,
    unauthorized,
)
from evalkit.testing.messages_replies import key_answers
from evalkit.testing.messages_server import MessagesServer
from evalkit.workers import Part, build_courier
from tests.conftest import QUICK, SUMS, endpoint_of, sums_answers, write_sums
from tests.pictures import Eyes, write_pictures
from tests.test_desk import at_desk, build_desk, plan, response_row
from tests.test_evaluation import MIDDLE, OLD, ask, number_of, outcomes
from tests.test_journal import disk_of, lines_of
from tests.test_retakes import LONG, long_winded

KEY = "test-key"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers read the key from their environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


def rows_of(run: Run) -> tuple[JournalRow, ...]:
    return open_run_folder(run.path).read_journal().rows


def content(run: Run) -> set[tuple[str, bool, str]]:
    """Requests and what was said to them."""
    return {
        (row.request_id, row.is_retake, getattr(row.result, "text", "")) for row in rows_of(run)
    }


def numbers(run: Run) -> dict[str, Any]:
    """What the summary file says, but for where and when it was made."""
    facts = json.loads((run.path / "summary.json").read_text())
    of_the_place = ("run_id", "folder", "endpoint", "way_reason")
    return {name: fact for name, fact in facts.items() if name not in of_the_place}


def messages(server: MessagesServer) -> int:
    """Requests that ask a question."""
    return sum(record.is_message for record in server.requests)


# The same as one process


@pytest.mark.parametrize(
    ("model", "settings", "is_long"),
    [
        (OLD, {}, False),
        (OLD, {"samples": 3, "limit": 8}, False),
        (MIDDLE, {}, True),
        (MIDDLE, {"orders": 2}, True),
    ],
    ids=["plain", "samples", "retakes", "retakes in two orders"],
)
def test_two_workers_make_the_run_that_one_process_makes(
    model: str, settings: dict[str, Any], is_long: bool, sums: Benchmark, tmp_path: Path
) -> None:
    answer = long_winded() if is_long else sums_answers(wrong_share=0.3)
    with MessagesServer(answer=answer) as server:
        alone = ask(server, sums, tmp_path / "alone", model, **settings)
        asked = messages(server)
    with MessagesServer(answer=answer) as server:
        shared = ask(server, sums, tmp_path / "shared", model, **settings, workers=2)
        assert abs(messages(server) - asked) <= 1  # which of them looked for the way
    assert content(shared) == content(alone)
    assert len(rows_of(shared)) == len(rows_of(alone))
    assert numbers(shared) == numbers(alone)
    assert shared.summary == alone.summary
    times = settings.get("orders", 1)
    assert shared.retakes == alone.retakes == (times * len(LONG) if is_long else 0)
    assert not (shared.path / "parts").exists()


def test_only_what_is_missing_is_asked(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path)
        rows = list(rows_of(done))
        # Ten answers are there, five questions failed, the others were not asked.
        kept = [encode_row(row) for row in rows[:10]]
        failed = [json.loads(encode_row(row)) for row in rows[10:15]]
        for table in failed:
            del table["response"]
            table["failure"] = {"kind": "server", "message": "no"}
        lines = [*kept, *(json.dumps(table) for table in failed)]
        (done.path / "responses.jsonl").write_text("".join(f"{line}\n" for line in lines))
        before = len(server.requests)
        again = ask(server, sums, tmp_path, workers=2)
        asked = [number_of(record) for record in server.requests[before:]]
    assert sorted(f"q{number}" for number in asked) == sorted(row.question_id for row in rows[10:])
    assert outcomes(again) == {"correct": SUMS}


def test_nothing_is_started_where_nothing_is_missing(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        ask(server, sums, tmp_path)
        before, start = len(server.requests), time.monotonic()
        # Nobody listens there: nothing would come of an engine.
        done = ask(server, sums, tmp_path, workers=2, engine="dask", cluster="tcp://127.0.0.1:9")
        assert len(server.requests) == before
    assert done.is_complete
    assert time.monotonic() - start < 5


def test_what_fails_for_good_fails_once(sums: Benchmark, tmp_path: Path) -> None:
    """As in a run of one process: the next command tries it again."""

    def refuse(record: Any) -> Any:
        return server_error() if "100 + 7?" in str(record.body) else None

    with MessagesServer(answer=sums_answers(), faults=refuse) as server:
        done = ask(server, sums, tmp_path, workers=2, budget=1000.0)
        tries = [record for record in server.requests if "100 + 7?" in str(record.body)]
        assert len(tries) == QUICK.attempts
        assert outcomes(done) == {"correct": SUMS - 1, "failed": 1}
        server.faults = lambda record: None
        assert outcomes(ask(server, sums, tmp_path, workers=2)) == {"correct": SUMS}


# What ends a run is one line


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "words"),
    [
        (["--model", "claude-nothing-1"], {}, 2, "claude-nothing-1"),
        (["--model", OLD], {"ANTHROPIC_API_KEY": "wrong"}, 2, "invalid x-api-key"),
        pytest.param(
            ["--model", OLD, "--engine", "dask", "--cluster", "tcp://127.0.0.1:9"],
            *({}, 2, "no Dask"),
            marks=pytest.mark.slow,
        ),
        (["--model", OLD, "--engine", "dask", "--cluster", "what://x"], {}, 2, "no Dask"),
        (["--model", OLD, "--cluster", "tcp://127.0.0.1:9"], {}, 2, "--engine dask or ray"),
        (["--model", OLD, "--shared", "nowhere://x"], {}, 2, "nowhere"),
        (["--model", OLD, "--shared", "memory://"], {}, 4, "by --shared"),
        (["--model", OLD, "--concurrency", "1"], {}, 2, "workers 2: expected at most"),
        (["--model", OLD, "--workers", "0"], {}, 2, "expected at least 1"),
        (["--model", OLD, "--batch"], {}, 2, "leave out --batch"),
        (["--model", OLD, "--no-text"], {}, 2, "leave out --batch, --images file and --no-text"),
    ],
)
def test_what_ends_a_run_is_one_line(
    arguments: list[str],
    environment: dict[str, str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    questions = str(write_sums(tmp_path / "sums.jsonl"))
    with MessagesServer(answer=sums_answers()) as server:
        place = ["--base-url", server.base_url, "--results", str(tmp_path / "results")]
        found = main(["run", questions, "--workers", "2", *arguments, *place, "--quiet"])
        assert messages(server) <= 2  # a probe, and a question
    err = capsys.readouterr().err
    assert found == code, err
    assert words in err
    assert err.startswith("evalkit: ")
    assert err.count("\n") == 1


def test_a_key_that_is_revoked_in_the_middle_ends_the_run_and_the_answers_are_kept(
    tmp_path: Path,
) -> None:
    many = load_benchmark(write_sums(tmp_path / "many.jsonl", 900))
    faults = from_message_on(30, unauthorized())
    with MessagesServer(answer=key_answers({}), faults=faults) as server:
        with pytest.raises(AuthenticationError):
            ask(server, many, tmp_path / "results", workers=2, concurrency=2)
        answered = server.count(200) - 1  # one probe
        [folder] = (tmp_path / "results").iterdir()
        rows = open_run_folder(folder).read_journal().rows
        assert len(rows) == answered
        assert not (folder / "parts").exists()
        # Of eight parts, the other six are not begun.
        assert server.count(401) <= 2


def test_a_key_that_workers_would_not_find_is_refused(
    sums: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with (
        MessagesServer(answer=sums_answers()) as server,
        pytest.raises(UsageError, match="workers read the key from their environment"),
    ):
        ask(server, sums, tmp_path, workers=2)


def test_a_feature_that_is_refused_in_the_middle_is_learned(
    sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The endpoint takes a temperature for a while; the run begins anew without."""
    seen: list[int] = []

    def refuse(record: Any) -> Any:
        if not record.is_message or "temperature" not in record.body:
            return None
        seen.append(1)
        if len(seen) < 12:
            return None
        message = "`temperature` is deprecated for this model."
        return Fault(manner="error", status=400, message=message)

    with MessagesServer(answer=sums_answers(), faults=refuse) as server:
        done = ask(server, sums, tmp_path, workers=2, concurrency=2)
    assert outcomes(done) == {"correct": SUMS}
    assert "temperature" not in done.manifest.identity.parameters
    assert done.manifest.learned[0].startswith(f"{OLD} takes no")


# Limits


@pytest.mark.parametrize("dollars", [0.01, pytest.param(0.03, marks=pytest.mark.slow)])
def test_a_budget_is_never_passed_and_made_use_of(
    dollars: float, sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A whole run costs some $0.045.
    def costly(body: Any) -> Any:
        return dataclasses.replace(sums_answers()(body), input_tokens=1000, output_tokens=100)

    with MessagesServer(answer=costly) as server:
        settings: dict[str, Any] = {"budget": dollars, "max_tokens": 300, "way": "instructed"}
        alone = ask(server, sums, tmp_path / "alone", **settings)
        shared = ask(server, sums, tmp_path / "shared", **settings, workers=2, progress=True)
        assert not alone.is_complete
        assert not shared.is_complete
        assert shared.cost is not None
        assert alone.cost is not None
        assert shared.cost <= dollars
        # What is left is not enough for one more request at its worst.
        assert len(rows_of(shared)) == len(rows_of(alone))
        assert f"Budget of ${dollars}" in capsys.readouterr().err
        whole = ask(server, sums, tmp_path / "shared", **{**settings, "budget": 1.0}, workers=2)
    assert whole.is_complete


@pytest.mark.slow
def test_shares_of_a_rate_add_up_to_the_whole(sums: Benchmark, tmp_path: Path) -> None:
    start = time.monotonic()
    with MessagesServer(answer=sums_answers(), requests_per_minute=300, request_burst=4) as server:
        done = ask(server, sums, tmp_path, samples=2, workers=2, requests_per_minute=290)
        assert server.count(429) == 0
        times = [record.arrived for record in server.requests if record.is_message]
    assert done.is_complete
    assert time.monotonic() - start > 2 * SUMS / 290 * 60 - 2
    assert times[-1] - times[2] < 2 * SUMS / 290 * 60 * 1.25 + 1


def test_requests_at_once_are_shared_out(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(), latency_seconds=0.03) as server:
        ask(server, sums, tmp_path, samples=3, workers=2, concurrency=5)
        assert 2 < server.peak_concurrency <= 4


@pytest.mark.slow
def test_nothing_is_started_when_its_time_is_over(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(), latency_seconds=0.3) as server:
        start = time.monotonic()
        done = ask(
            server, sums, tmp_path, samples=8, workers=2, concurrency=2, deadline_seconds=4.0
        )
        last = max(record.arrived for record in server.requests)
        assert len(rows_of(done)) == server.count(200) - 1
    assert not done.is_complete
    assert 1.0 < last - start < 4.0 + 2.5


# Where workers write


def test_workers_write_where_they_are_told(sums: Benchmark, tmp_path: Path) -> None:
    place = tmp_path / "shared place"
    with MessagesServer(answer=sums_answers(), latency_seconds=0.02) as server:
        done = ask(server, sums, tmp_path / "results", workers=2, shared=str(place))
        assert outcomes(done) == {"correct": SUMS}
    assert place.exists()
    assert list(place.iterdir()) == []


def test_what_an_earlier_process_has_left_is_taken(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path)
        rows = list(rows_of(done))
        store = PartStore(str(done.path / "parts"))
        store.claim()
        lines = [f"{encode_row(row)}\n".encode() for row in rows]
        (done.path / "responses.jsonl").write_bytes(b"".join(lines[:5]))
        store.write(3, b"".join(lines[3:20]))
        store.write(4, b"".join(lines[10:25]))
        before = len(server.requests)
        again = ask(server, sums, tmp_path, workers=2)
        asked = {f"q{number_of(record)}" for record in server.requests[before:]}
    assert asked == {row.question_id for row in rows[25:]}
    assert outcomes(again) == {"correct": SUMS}
    assert len(rows_of(again)) == SUMS
    text = (again.path / "responses.jsonl").read_bytes()
    assert text.count(b"\n") == SUMS


def test_workers_show_the_pictures(tmp_path: Path) -> None:
    path, eyes = write_pictures(tmp_path / "set"), Eyes()
    with MessagesServer(answer=eyes) as server:
        done = ask(server, load_benchmark(path), tmp_path / "r", way="instructed", workers=2)
    assert done.is_complete
    for number in range(4):
        picture = (tmp_path / "set" / f"{number}.png").read_bytes()
        shown = eyes.by_text(f"What does picture {number} show?")
        assert shown == (hashlib.sha256(picture).hexdigest(),)


def test_notes_of_workers_reach_the_user(
    sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MessagesServer(answer=sums_answers(), bare=True) as server:
        ask(server, sums, tmp_path, way="structured", workers=2, progress=True)
    err = capsys.readouterr().err
    assert "does not keep to the schema" in err


@pytest.mark.slow
def test_faults_on_the_way_change_nothing(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        alone = ask(server, sums, tmp_path / "alone")
    faults = at_random({overloaded(): 0.2, server_error(): 0.1})
    with MessagesServer(answer=sums_answers(wrong_share=0.3), faults=faults) as server:
        shared = ask(server, sums, tmp_path / "shared", workers=2)
        assert server.answered_again == 0
    assert content(shared) == content(alone)


@pytest.mark.parametrize(
    ("missing", "workers", "dollars", "count"),
    [
        (0, 2, None, 0),
        (1, 2, None, 1),
        (30, 2, None, 2),
        (30, 8, None, 8),
        (500, 2, None, 5),
        (5_000, 2, None, 8),
        (1_000_000, 2, None, 50),
        (1_000_000, 100, None, 400),
        (5_000, 2, 100.0, 8),
        (5_000, 2, 1e-6, 1),
    ],
)
def test_parts_are_neither_many_nor_large(
    missing: int, workers: int, dollars: float | None, count: int, sums: Benchmark
) -> None:
    with MessagesServer() as server:
        job, settings = plan(server, sums, workers=workers, budget=dollars)
        assert count_parts(missing, build_desk(server, job, settings), job) == count
    assert missing <= max(count, 1) * MOST_QUESTIONS


@dataclass(frozen=True)
class Bench:
    """A gatherer of a run of the sums, and what it needs."""

    gatherer: Gatherer
    job: Job
    server: MessagesServer
    folder: Path

    def do(self, *steps: Callable[[], Any]) -> list[JournalRow]:
        """Begin, then go step by step.

        Returns:
            The rows in the journal.
        """

        async def work(desk: Desk) -> None:
            await self.gatherer.begin()
            for step in steps:
                result = step()
                if asyncio.iscoroutine(result):
                    await result

        return at_desk(self.gatherer.desk, self.folder, work)

    def cut(self) -> list[Part]:
        """The parts."""
        return list(self.gatherer.cut_into_parts(endpoint_of(self.server)))

    def list_asked(self, parts: Sequence[Part]) -> list[list[str]]:
        """The questions of some parts."""
        store = self.gatherer.store
        return [[one.id for one in store.read_questions(part.number)] for part in parts]


@contextmanager
def bench(
    sums: Benchmark, folder: Path, *, rows: int = 0, deadline: float | None = None
) -> Iterator[Bench]:
    """A gatherer of a run that has so many rows, of two responses to each question."""
    with MessagesServer(key="very-secret-key") as server:
        job, settings = plan(server, sums, samples=2, workers=2, deadline_seconds=deadline)
        requests = list(job.list_requests(job.questions))
        standing = Standing.after(response_row(request) for request in requests[:rows])
        desk = build_desk(server, job, settings, standing=standing)

        async def build() -> Gatherer:
            return Gatherer(PartStore(str(folder / "parts")), desk)

        yield Bench(asyncio.run(build()), job, server, folder)


def test_parts_hold_what_is_missing_and_no_key(sums: Benchmark, tmp_path: Path) -> None:
    parts: list[Part] = []
    with bench(sums, tmp_path, rows=31) as it:
        it.do(lambda: parts.extend(it.cut()))
        last = it.job.build_request(it.job.questions[15]).id
        # In turns, so that each part has of all subjects; the sixteenth question lacks a response.
        assert it.list_asked(parts) == [
            [f"q{number}" for number in range(15 + place, SUMS, 2)] for place in range(2)
        ]
    assert [part.standing.answered for part in parts] == [{last}, set()]
    assert all(b"very-secret-key" not in pickle.dumps(part) for part in parts)
    assert all(len(pickle.dumps(part)) < 20_000 for part in parts)


def test_no_part_is_given_the_number_of_another(sums: Benchmark, tmp_path: Path) -> None:
    """What is done of a part of one round must not pass for a part of the next."""
    parts: list[Part] = []
    with bench(sums, tmp_path) as it:
        it.do(lambda: parts.extend([*it.cut(), *it.cut()]))
    assert [part.number for part in parts] == [0, 1, 2, 3]


@pytest.mark.parametrize("is_cached", [True, False])
def test_workers_mark_prefixes_as_one_process_would(
    is_cached: bool, sums: Benchmark, tmp_path: Path
) -> None:
    parts: list[Part] = []
    with bench(sums, tmp_path) as it:
        it.gatherer.desk.courier.cache = is_cached
        it.do(lambda: parts.extend(it.cut()))
        assert [build_courier(part).cache for part in parts] == [is_cached, is_cached]


@pytest.mark.parametrize("is_earlier", [True, False])
def test_what_failed_for_good_is_shared_out_by_the_next_command_only(
    is_earlier: bool, sums: Benchmark, tmp_path: Path
) -> None:
    parts: list[Part] = []
    with bench(sums, tmp_path) as it:
        store, failure = it.gatherer.store, RequestFailure(kind="server", message="no")
        requests = list(it.job.list_requests(it.job.questions[:2]))
        failed = lines_of(*(response_row(one, result=failure) for one in requests[:3]))
        if is_earlier:
            store.claim()
            store.write(7, failed)
        rows = it.do(
            lambda: None if is_earlier else store.write(7, failed),
            lambda: it.gatherer.take_new(),
            lambda: parts.extend(it.cut()),
        )
        asked = {name for names in it.list_asked(parts) for name in names}
    assert len(rows) == 3
    assert asked == {f"q{number}" for number in range(0 if is_earlier else 1, SUMS)}
    skipped = {one.id for part in parts for one in requests if one.id in part.standing.answered}
    assert skipped == (set() if is_earlier else {requests[2].id})


def test_what_is_in_the_journal_of_a_part_that_is_done_is_deleted(
    sums: Benchmark, tmp_path: Path
) -> None:
    with bench(sums, tmp_path) as it:
        store = it.gatherer.store
        requests = list(it.job.list_requests(it.job.questions))
        names: list[list[str]] = []

        def look() -> None:
            names.append(sorted(path.suffix for path in (tmp_path / "parts").iterdir()))

        rows = it.do(
            lambda: store.write(0, lines_of(*map(response_row, requests[:2]))),
            lambda: store.write(1, lines_of(*map(response_row, requests[1:3]))),
            lambda: it.gatherer.take_new(),
            lambda: store.finish(0),
            lambda: it.gatherer.take_new(),
            look,
            lambda: store.write(1, lines_of(response_row(requests[3]))),
            lambda: it.gatherer.end(),
        )
    assert names == [["", ".done", ".jsonl"]]
    assert [row.request_id for row in rows] == [request.id for request in requests[:4]]
    assert not (tmp_path / "parts").exists()


def test_nothing_is_cleared_that_could_not_be_written(sums: Benchmark, tmp_path: Path) -> None:
    with bench(sums, tmp_path) as it:
        store = it.gatherer.store
        row = response_row(it.job.build_request(it.job.questions[0]))
        with disk_of(1000), pytest.raises(RunError, match="can't be written"):
            it.do(
                lambda: store.write(0, lines_of(row)),
                lambda: it.gatherer.take_new(),
                lambda: it.gatherer.desk.accept(replace_text(it.job, 1), None),
                lambda: it.gatherer.end(),
            )
        assert store.read(0) == [row]


def replace_text(job: Job, number: int) -> JournalRow:
    """A row that is larger than a small disk."""
    return response_row(job.build_request(job.questions[number]), text="A" * 2000)


def test_two_commands_do_not_share_one_place(sums: Benchmark, tmp_path: Path) -> None:
    """As when runs of two folders are given the same place by --shared."""
    with bench(sums, tmp_path) as it:
        other = PartStore(it.gatherer.store.url)
        with pytest.raises(RunError, match="another process uses"):
            it.do(lambda: other.claim() and None, lambda: it.gatherer.ask(it.cut()))
        assert it.server.requests == []
