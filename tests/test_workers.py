"""A worker asks its part, goes on where a lost one ended, and ends when nobody wants it."""

from __future__ import annotations

import asyncio
import os
import pickle
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.api.endpoint import Endpoint
from evalkit.benchmarks import Benchmark
from evalkit.errors import AuthenticationError, RunError, UsageError
from evalkit.responses import RequestFailure
from evalkit.runs.parts import PartStore
from evalkit.runs.standing import Standing
from evalkit.testing.messages_faults import server_error
from evalkit.testing.messages_server import MessagesServer
from evalkit.workers import (
    LOOK_SECONDS,
    SILENT_SECONDS,
    Lookout,
    Part,
    ask_part,
    build_limiter,
    find_most,
    watch,
)
from tests.conftest import SUMS, endpoint_of, sums_answers
from tests.test_desk import plan, response_row
from tests.test_evaluation import number_of
from tests.test_journal import lines_of
from tests.worker_processes import wait_until


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(answer=sums_answers()) as server:
        yield server


@pytest.fixture
def part(
    server: MessagesServer, sums: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Part:
    """All of the sums."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
    job, settings = plan(server, sums)
    store = PartStore(str(tmp_path / "parts"))
    store.claim()
    store.write_questions(2, job.questions)
    return Part(
        number=2,
        workers=2,
        store=store,
        job=replace(job, questions=job.questions[:1]),
        standing=Standing(),
        settings=settings,
        endpoint=replace(endpoint_of(server), api_key=None),
        has_images=False,
        is_cached=True,
        dollars=None,
    )


def sent(part: Part) -> Part:
    """A part as it arrives at a worker."""
    arrived: Part = pickle.loads(pickle.dumps(part))
    return arrived


def test_a_part_is_asked_and_written_down(part: Part, server: MessagesServer) -> None:
    report = ask_part(sent(part))
    assert (report.part, report.is_done, report.is_spent, report.error) == (2, True, False, None)
    assert len(server.requests) == len(part.store.read(2)) == SUMS
    assert part.store.list_finished() == {2}


def test_whoever_takes_a_part_over_asks_only_what_is_not_written_down(
    part: Part, server: MessagesServer
) -> None:
    requests = [part.job.build_request(one) for one in part.store.read_questions(2)]
    failure = RequestFailure(kind="server", message="no")
    rows = [response_row(request) for request in requests[:10]]
    # What failed for good is not tried again within one run.
    rows += [response_row(request, result=failure) for request in requests[10:12]]
    part.store.write(2, lines_of(*rows))
    assert ask_part(sent(part)).is_done
    assert sorted(map(number_of, server.requests)) == list(range(12, SUMS))


def test_a_part_that_is_done_is_not_asked_again_even_when_its_rows_are_gone(
    part: Part, server: MessagesServer
) -> None:
    ask_part(sent(part))
    before = len(server.requests)
    assert len(list(part.store.read_new())) >= 1
    part.store.discard(2)
    assert ask_part(sent(part)).is_done
    assert len(server.requests) == before


def test_what_the_run_knew_before_is_not_asked(part: Part, server: MessagesServer) -> None:
    requests = [part.job.build_request(one) for one in part.store.read_questions(2)]
    for request in requests[:20]:
        part.standing.answered.add(request.id)
    ask_part(sent(part))
    assert len(server.requests) == SUMS - 20


@pytest.mark.parametrize("dollars", [0.0, 0.1])
def test_a_share_of_a_budget_is_not_passed(
    dollars: float, part: Part, server: MessagesServer
) -> None:
    settings = replace(part.settings, budget=100.0)
    report = ask_part(sent(replace(part, dollars=dollars, settings=settings)))
    assert report.is_spent is (dollars == 0.0)
    assert report.is_done is (dollars > 0.0)
    assert len(server.requests) == (0 if dollars == 0.0 else SUMS)


def test_what_a_lost_worker_has_spent_is_off_its_share(part: Part, server: MessagesServer) -> None:
    requests = [part.job.build_request(one) for one in part.store.read_questions(2)]
    row = response_row(requests[0], lost_dollars=0.0999)
    part.store.write(2, lines_of(row))
    settings = replace(part.settings, budget=100.0)
    report = ask_part(sent(replace(part, dollars=0.1, settings=settings)))
    assert report.is_spent
    assert server.requests == []


def test_an_error_that_ends_the_run_is_reported(
    part: Part, server: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another")
    report = ask_part(sent(part))
    assert isinstance(report.error, AuthenticationError)
    assert not report.is_done
    assert pickle.loads(pickle.dumps(report)).error.args == report.error.args


def test_no_key_where_one_is_needed_is_reported(
    part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    report = ask_part(sent(replace(part, endpoint=Endpoint())))
    assert isinstance(report.error, UsageError)
    assert "ANTHROPIC_API_KEY" in str(report.error)


def test_a_place_that_the_worker_does_not_reach_is_reported(part: Part) -> None:
    part.store.clear()
    report = ask_part(sent(part))
    assert isinstance(report.error, RunError)
    assert "--shared" in str(report.error)


@pytest.mark.parametrize("words", ["stop", "another turn"])
def test_a_worker_that_comes_too_late_asks_nothing(
    words: str, part: Part, server: MessagesServer
) -> None:
    arrived = sent(part)
    if words == "stop":
        part.store.give_orders("stop")
    else:
        PartStore(part.store.url).claim()
    report = ask_part(arrived)
    assert (report.is_done, report.error) == (False, None)
    assert server.requests == []


def test_a_worker_ends_in_the_middle_when_it_is_told_to(part: Part, server: MessagesServer) -> None:
    server.latency_seconds = 0.2
    slow = replace(part, settings=replace(part.settings, concurrency=2))

    async def work() -> Any:
        asking = asyncio.create_task(asyncio.to_thread(ask_part, sent(slow)))
        await asyncio.to_thread(wait_until, lambda: len(server.requests) >= 3)
        part.store.give_orders("stop")
        return await asking

    report = asyncio.run(work())
    assert not report.is_done
    # What was under way is kept.
    assert 3 <= len(part.store.read(2)) == server.count(200) == len(server.requests) < SUMS


def test_requests_that_fail_at_the_start_of_a_part_end_no_run(
    part: Part, server: MessagesServer
) -> None:
    """The endpoint has answered before, if not this worker."""
    server.faults = lambda record: server_error() if number_of(record) < 5 else None
    report = ask_part(sent(part))
    assert (report.is_done, report.error) == (True, None)
    rows = part.store.read(2)
    assert sum(row.is_response for row in rows) == SUMS - 5
    assert len(rows) == SUMS


# Shares


@pytest.mark.parametrize(
    ("workers", "fixed", "most", "share"),
    [(2, 8, 256, 4), (3, 8, 256, 2), (2, None, 256, 128), (1, 7, 256, 7), (4, 4, 256, 1)],
)
def test_a_worker_has_its_share_of_requests_at_once(
    workers: int, fixed: int | None, most: int, share: int, part: Part
) -> None:
    settings = replace(part.settings, concurrency=fixed, max_concurrency=most)
    assert find_most(replace(part, workers=workers, settings=settings)) == share
    assert workers * share <= (fixed or most)


def test_a_worker_has_its_share_of_a_rate(part: Part) -> None:
    settings = replace(part.settings, requests_per_minute=600.0)
    rates = []
    for workers in (1, 2, 4):
        limiter = build_limiter(replace(part, workers=workers, settings=settings), print)
        now, waited = time.monotonic(), 0.0
        for _ in range(100):
            waited += limiter.pace.wait(now + waited)
            limiter.pace.take(now + waited)
        rates.append(100 / waited)
    assert rates[0] == pytest.approx(10 * 0.98, rel=0.05)
    assert [rate * share for rate, share in zip(rates, (1, 2, 4), strict=True)] == pytest.approx(
        [rates[0]] * 3, rel=0.05
    )


# The lookout


@pytest.fixture
def store(tmp_path: Path) -> PartStore:
    store = PartStore(str(tmp_path / "parts"))
    store.claim()
    return store


def test_a_worker_goes_on_as_long_as_there_are_signs(
    store: PartStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    lookout = Lookout(pickle.loads(pickle.dumps(store)))
    assert lookout.may_begin()
    for beat in range(5):
        now[0] += SILENT_SECONDS - 1
        assert lookout.may_go_on()
        store.give_orders(f"go on {beat}")
        assert lookout.may_go_on()
    now[0] += SILENT_SECONDS - 1
    assert lookout.may_go_on()
    now[0] += 2
    assert not lookout.may_go_on()


def test_a_worker_bears_a_storage_that_is_away_for_a_moment(
    store: PartStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    lookout = Lookout(pickle.loads(pickle.dumps(store)))
    assert lookout.may_begin()
    store.clear()
    now[0] += 5
    assert lookout.may_go_on()
    now[0] += SILENT_SECONDS
    assert not lookout.may_go_on()


def test_a_worker_ends_with_its_parent(store: PartStore) -> None:
    assert Lookout(store, os.getppid()).may_go_on()
    assert not Lookout(store, os.getpid()).may_go_on()


def test_a_watch_ends_when_the_work_does(store: PartStore) -> None:
    async def work() -> float:
        stop = asyncio.Event()
        watching = asyncio.create_task(watch(Lookout(store), stop))
        await asyncio.sleep(0.05)
        assert not watching.done()
        start = time.monotonic()
        store.give_orders("stop")
        await watching
        assert stop.is_set()
        return time.monotonic() - start

    assert asyncio.run(work()) < LOOK_SECONDS + 0.5
