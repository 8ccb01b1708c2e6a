"""Batches are handed over once, found again by whoever comes later, and waited for patiently."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from evalkit.api.batches import BatchItem, create_batch, encode_item
from evalkit.api.client import MessagesClient
from evalkit.errors import (
    ApiError,
    BillingError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    RunError,
    ServerError,
    UnreadableResponseError,
)
from evalkit.requests import Request, build_request
from evalkit.runs.batch_log import BatchLog, Handover
from evalkit.runs.batching import (
    FAILED_LOOKS,
    KEPT_SECONDS,
    BatchRunner,
    list_files,
    was_refused,
)
from evalkit.runs.journal import JournalRow
from evalkit.testing.messages_faults import Fault, FaultPlan, hang, server_error
from evalkit.testing.messages_record import BATCHES_PATH, RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, endpoint_of
from tests.test_client import using


def requests_of(*names: str) -> list[Request]:
    """A request for each question."""
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "Which? (A) x (B) y"}],
    }
    return [build_request(name, "prefill", body) for name in names]


MINE = requests_of("a", "b", "c")


@dataclass(kw_only=True, eq=False)
class Bench:
    """A runner with everything that it hands on."""

    server: MessagesServer
    log: BatchLog
    rows: list[JournalRow] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def run(self, use: Callable[[BatchRunner], Awaitable[None]], **options: Any) -> None:
        """Use a runner that waits for nothing long."""

        async def dress(body: Mapping[str, Any]) -> Mapping[str, Any]:
            return body

        async def flush() -> None:
            pass

        async def work(client: MessagesClient) -> None:
            quick: dict[str, Any] = {"policy": QUICK, "poll_seconds": 0.01, "grace_seconds": 0.2}
            runner = BatchRunner(
                client=client,
                log=self.log,
                put=self.rows.append,
                flush=flush,
                show=lambda batch, seconds: self.shown.append(batch.status),
                say=self.said.append,
                **{**quick, "dress": dress, **options},
            )
            await use(runner)

        using(endpoint_of(self.server), work)

    def submit(self, requests: Sequence[Request] = MINE, **options: Any) -> None:
        """Hand requests over."""
        self.run(lambda runner: runner.submit(requests), **options)

    def collect(self, requests: Sequence[Request] = MINE, **options: Any) -> None:
        """Collect what is open."""
        table = {request.id: request for request in requests}
        self.run(lambda runner: runner.collect(table), **options)

    def create_unnoticed(self, requests: Sequence[Request]) -> None:
        """Create a batch that stands in no log."""
        items = [BatchItem(custom_id=one.id, params=one.body) for one in requests]

        async def create(client: MessagesClient) -> None:
            await create_batch(client, items)

        using(endpoint_of(self.server), create)

    def lose(self, requests: Sequence[Request] = MINE) -> Handover:
        """Announce a batch whose creation is never written down."""
        return self.log.begin([one.id for one in requests])

    @property
    def answered(self) -> list[str]:
        """The questions whose answer was put, in order."""
        return sorted(row.question_id for row in self.rows)

    @property
    def events(self) -> list[tuple[str | None, bool]]:
        """Id and end of each batch in the log."""
        return [(one.batch_id, one.is_over) for one in self.log.handovers]


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    with MessagesServer() as server:
        yield Bench(server=server, log=BatchLog(path=tmp_path / "batches.jsonl"))


def looks(fault: Fault, times: int = 10**6) -> FaultPlan:
    """So many looks at a batch fail."""
    left = [times]

    def plan(record: RequestRecord) -> Fault | None:
        is_look = record.method == "GET" and record.path.startswith(f"{BATCHES_PATH}/")
        left[0] -= is_look
        return fault if is_look and left[0] >= 0 else None

    return plan


# Handing over


def test_what_is_handed_over_comes_back(bench: Bench) -> None:
    bench.submit()
    [batch] = bench.server.batches
    assert bench.events == [(batch.id, False)]
    assert list(batch.requests) == [request.id for request in MINE]
    bench.collect()
    assert bench.events == [(batch.id, True)]
    assert bench.answered == ["a", "b", "c"]
    assert {row.batch_id for row in bench.rows} == {batch.id}
    assert {row.request_id for row in bench.rows} == {request.id for request in MINE}
    assert bench.said == [f"Batch {batch.id}: 3 requests handed over"]


def test_nothing_to_hand_over_is_no_batch(bench: Bench) -> None:
    bench.submit([])
    bench.collect([])
    assert (bench.server.requests, bench.log.handovers) == ([], [])


def test_both_limits_are_kept(bench: Bench) -> None:
    many = requests_of(*map(str, range(7)))
    bench.submit(many, max_requests=3)
    item = BatchItem(custom_id=many[0].id, params=many[0].body)
    bench.submit(many, max_bytes=2 * len(encode_item(item)) + 20)
    assert [len(batch.requests) for batch in bench.server.batches] == [3, 3, 1, 2, 2, 2, 1]


def test_it_is_announced_before_it_is_sent(bench: Bench) -> None:
    seen: list[list[tuple[str | None, bool]]] = []

    def plan(record: RequestRecord) -> Fault | None:
        seen.append(bench.events)
        return None

    bench.server.faults = plan
    bench.submit()
    assert seen == [[(None, False)]]


def test_a_log_that_cannot_be_written_hands_nothing_over(bench: Bench) -> None:
    bench.log.path = bench.log.path / "no" / "folder"
    with pytest.raises(RunError, match="can't be written"):
        bench.submit()
    assert bench.server.requests == []


def test_a_picture_that_cannot_be_uploaded_hands_nothing_over(bench: Bench) -> None:
    attempts: list[object] = []

    async def dress(body: Mapping[str, Any]) -> Mapping[str, Any]:
        attempts.append(body)
        raise ServerError("no", status=500)

    with pytest.raises(ServerError):
        bench.submit(MINE[:1], dress=dress)
    assert len(attempts) == QUICK.attempts
    assert (bench.log.handovers, bench.server.requests) == ([], [])


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (InvalidRequestError("no", status=400), True),
        (NotFoundError("no", status=404), True),
        (InvalidRequestError("no", status=413), True),
        (BillingError("no", status=429), True),
        (RateLimitError("no", status=429), True),
        (OverloadedError("no", status=529, error_type="overloaded_error"), True),
        (ServerError("no", status=500, error_type="api_error"), True),
        (ServerError("a proxy's page", status=502), False),
        (ServerError("no", status=504, error_type="timeout_error"), False),
        (InvalidRequestError("a proxy's page", status=408), False),
        (ServerError("no", status=500, should_retry=False), False),
        (ConnectionFailedError("broken off"), False),
        (UnreadableResponseError("half of it", status=200), False),
    ],
)
def test_only_what_proves_that_there_is_no_batch_counts_as_a_refusal(
    error: ApiError, refused: bool
) -> None:
    assert was_refused(error) is refused


def test_no_connection_proves_it_too() -> None:
    error = ConnectionFailedError("no connection")
    error.__cause__ = httpx.ConnectError("refused")
    assert was_refused(error)


def test_files_are_found_wherever_a_request_names_them() -> None:
    def picture(source: Mapping[str, str]) -> Mapping[str, Any]:
        return {"type": "image", "source": source}

    text = {"type": "text", "text": "Which?"}
    turns = [
        [picture({"type": "file", "file_id": "file_1"}), text],
        "B",
        [picture({"type": "base64", "data": "", "media_type": "image/png"}), text],
        [picture({"type": "url", "url": "https://example.org/a.png"})],
        [text, picture({"type": "file", "file_id": "file_2"})],
    ]
    body = {"messages": [{"role": "user", "content": content} for content in turns]}
    assert list_files(body) == ["file_1", "file_2"]


# Finding what nobody wrote down


def test_a_batch_whose_id_was_never_written_down_is_found(bench: Bench) -> None:
    bench.lose()
    bench.create_unnoticed(MINE)
    bench.collect()
    [batch] = bench.server.batches
    assert bench.events == [(batch.id, True)]
    assert bench.answered == ["a", "b", "c"]


def test_it_is_found_if_the_endpoint_lists_it_only_after_a_while(bench: Bench) -> None:
    """Whoever was killed while the endpoint was still at it may be started again at once."""
    bench.lose()

    async def late(runner: BatchRunner) -> None:
        table = {request.id: request for request in MINE}
        collecting = asyncio.create_task(runner.collect(table))
        await asyncio.sleep(0.3)
        items = [BatchItem(custom_id=one.id, params=one.body) for one in MINE]
        await create_batch(runner.client, items)
        await collecting

    bench.run(late, grace_seconds=1.0)
    assert bench.answered == ["a", "b", "c"]
    assert bench.said[0].startswith("Looking 1 s for a batch")
    assert [one.is_over for one in bench.log.handovers] == [True]


def test_a_batch_that_is_nowhere_is_given_up(bench: Bench) -> None:
    bench.lose()
    bench.collect()
    assert bench.events == [(None, True)]
    assert bench.rows == []
    lists = [record for record in bench.server.requests if record.path == BATCHES_PATH]
    assert len(lists) == 2, "once more after the time of grace"


def test_one_that_was_announced_long_ago_is_given_up_at_once(bench: Bench) -> None:
    bench.lose().at -= 3600
    before = time.monotonic()
    bench.collect(grace_seconds=60)
    assert bench.events == [(None, True)]
    assert time.monotonic() - before < 10


def test_a_clock_that_was_set_back_keeps_nobody_waiting(bench: Bench) -> None:
    bench.lose().at += 1e6
    bench.collect()
    assert bench.events == [(None, True)]


def test_while_the_endpoint_cannot_be_asked_nothing_is_given_up(bench: Bench) -> None:
    bench.lose()
    bench.server.faults = lambda record: server_error()
    with pytest.raises(ServerError):
        bench.collect()
    assert bench.events == [(None, False)]


@pytest.mark.parametrize("requests", [requests_of("x", "y"), requests_of(*"wxyz")])
def test_batches_of_another_size_are_not_ours(bench: Bench, requests: list[Request]) -> None:
    bench.lose()
    bench.create_unnoticed(requests)
    bench.collect()
    assert bench.events == [(None, True)]


def test_older_batches_are_not_ours(bench: Bench) -> None:
    bench.create_unnoticed(requests_of("x", "y", "z"))
    bench.server.batches[0].created -= timedelta(minutes=6)
    bench.lose()
    bench.collect()
    assert bench.events == [(None, True)]


def test_batches_of_this_run_and_of_others_are_not_taken(bench: Bench) -> None:
    bench.submit(requests_of("d", "e", "f"))
    bench.create_unnoticed(requests_of("x", "y", "z"))
    other = bench.server.batches[1].id
    bench.lose()
    bench.collect(find_others=lambda: {other})
    assert bench.events == [(bench.server.batches[0].id, True), (None, True)]


@pytest.mark.parametrize("batch_seconds", [0.0, 0.3])
def test_a_batch_that_turns_out_to_be_anothers_is_let_go(
    bench: Bench, batch_seconds: float
) -> None:
    """Only its results show whose it is; ours is found behind it, and not paid for twice."""
    bench.server.batch_seconds = batch_seconds
    bench.lose()
    bench.create_unnoticed(requests_of("x", "y", "z"))
    bench.create_unnoticed(MINE)
    bench.create_unnoticed(requests_of("u", "v", "w"))
    strange, ours, _ = bench.server.batches
    bench.collect()
    assert bench.events == [(ours.id, True)]
    assert bench.answered == ["a", "b", "c"]
    assert f"Batch {strange.id} is another run's" in bench.said


def test_two_that_were_lost_are_both_found(bench: Bench) -> None:
    others = requests_of("d", "e", "f")
    bench.lose(MINE)
    bench.lose(others)
    bench.create_unnoticed(others)
    bench.create_unnoticed(MINE)
    bench.collect([*MINE, *others])
    assert bench.answered == ["a", "b", "c", "d", "e", "f"]
    second, first = bench.server.batches
    assert bench.events == [(first.id, True), (second.id, True)]


# Collecting


def test_what_is_in_the_journal_already_is_not_put_again(bench: Bench) -> None:
    bench.submit()
    bench.collect(MINE[1:])
    assert bench.answered == ["b", "c"]


def test_each_look_is_shown(bench: Bench) -> None:
    bench.server.batch_seconds = 0.2
    bench.submit()
    bench.collect()
    assert bench.shown[-1] == "ended"
    assert set(bench.shown[:-1]) == {"in_progress"}
    assert len(bench.shown) > 3


def test_an_outage_is_sat_out_but_not_for_ever(bench: Bench) -> None:
    bench.submit()
    attempts = QUICK.attempts * FAILED_LOOKS
    bench.server.faults = looks(server_error(), times=attempts)
    bench.collect()
    assert bench.answered == ["a", "b", "c"]

    bench.submit()
    bench.server.faults = looks(server_error())
    before = len(bench.server.requests)
    with pytest.raises(ServerError):
        bench.collect()
    assert len(bench.server.requests) == before + attempts + QUICK.attempts
    assert len(bench.log.open) == 1


def test_results_that_never_come_leave_the_batch_open(bench: Bench) -> None:
    bench.submit()
    bench.server.faults = lambda r: server_error() if r.path.endswith("/results") else None
    with pytest.raises(ServerError):
        bench.collect()
    assert len(bench.log.open) == 1


def test_a_batch_that_cannot_be_found_is_not_paid_for_again(bench: Bench) -> None:
    """It may be there for the key that it was handed over with."""
    bench.submit()
    bench.server.batches[0].deleted = True
    with pytest.raises(RunError, match=r"can't be found: .* another workspace\?.*no such batch"):
        bench.collect()
    assert len(bench.log.open) == 1


def test_a_batch_whose_results_are_too_old_to_be_kept_is_let_go(bench: Bench) -> None:
    bench.submit()
    bench.log.handovers[0].at -= KEPT_SECONDS + 1
    bench.server.batches[0].deleted = True
    bench.collect()
    assert bench.log.open == []
    assert bench.said[-1].endswith("is gone; its requests are asked again")


def test_whoever_ends_while_waiting_leaves_the_batch_open(bench: Bench) -> None:
    bench.submit()
    bench.server.faults = looks(hang())

    async def interrupted(runner: BatchRunner) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await runner.collect({request.id: request for request in MINE})

    bench.run(interrupted)
    assert [one.is_over for one in bench.log.handovers] == [False]
