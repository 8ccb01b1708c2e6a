"""Batches: cut to size, created once, waited for, and read line by line."""

from __future__ import annotations

import asyncio
import json
import re
import tracemalloc
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.api.batches import (
    COMMA,
    HEAD,
    TAIL,
    Batch,
    BatchCounts,
    BatchItem,
    BatchResult,
    cancel_batch,
    create_batch,
    delete_batch,
    encode_item,
    get_batch,
    group_items,
    list_batches,
    parse_outcome,
    stream_results,
)
from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint
from evalkit.api.retries import is_worth_retrying
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PromptError,
    RateLimitError,
    ServerError,
    UnreadableResponseError,
    UsageError,
)
from evalkit.responses import Response
from evalkit.testing.messages_batches import BatchFault
from evalkit.testing.messages_faults import (
    Fault,
    FaultPlan,
    bad_gateway,
    connection_reset,
    cut_in_half,
    hang,
    overloaded,
    rate_limited,
    server_error,
    spend_limit_reached,
    timed_out,
    web_page,
)
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, endpoint_of
from tests.test_client import BODY, SECRET, http_response, raw_server, using

BATCHES = "/v1/messages/batches"


def item(name: str, **changes: Any) -> BatchItem:
    """A question; as a batch is worked off, nothing is refused that is wrong with it."""
    return BatchItem(custom_id=name, params={**BODY, **changes})


def items(count: int) -> list[BatchItem]:
    """So many questions."""
    return [item(f"q-{number}") for number in range(count)]


async def collect(client: MessagesClient, batch_id: str) -> dict[str, BatchResult]:
    """All results by their ids."""
    return {result.custom_id: result async for result in stream_results(client, batch_id)}


def creation_fails(fault: Fault, attempts: int = 1) -> FaultPlan:
    """The first attempts to create a batch fail."""

    def plan(record: RequestRecord) -> Fault | None:
        is_creation = record.method == "POST" and record.path == BATCHES
        return fault if is_creation and record.attempt <= attempts else None

    return plan


# From creation to deletion


def test_a_batch_from_its_creation_to_its_deletion() -> None:
    async def use(client: MessagesClient) -> tuple[Batch, Batch, Batch]:
        created = await create_batch(client, items(3), policy=QUICK)
        running = await get_batch(client, created.id)
        server.end_batches()
        ended = await get_batch(client, created.id)
        found = await collect(client, created.id)
        assert sorted(found) == ["q-0", "q-1", "q-2"]
        for result in found.values():
            assert isinstance(result.outcome, Response)
            assert result.outcome.text == "B"
        await delete_batch(client, created.id)
        assert await list_batches(client) == ()
        return created, running, ended

    with MessagesServer(batch_seconds=None, answer=lambda body: Reply(letter="B")) as server:
        created, running, ended = using(endpoint_of(server), use)
        assert [request.path for request in server.requests] == [
            BATCHES,
            *(f"{BATCHES}/{created.id}",) * 2,
            f"{BATCHES}/{created.id}/results",
            f"{BATCHES}/{created.id}",
            BATCHES,
        ]
        assert server.requests[3].headers["accept"] == "application/binary"
        [batch] = server.batches
        assert batch.requests == {f"q-{number}": BODY for number in range(3)}
    assert created == running
    assert (created.status, created.has_ended, created.ended_at) == ("in_progress", False, None)
    assert created.counts == BatchCounts(processing=3)
    assert created.results_url is None
    assert (ended.status, ended.has_ended) == ("ended", True)
    assert ended.counts == BatchCounts(succeeded=3)
    assert ended.counts.total == created.counts.total == 3
    assert created.created_at is not None and created.expires_at is not None
    assert (created.expires_at - created.created_at).days == 1
    assert ended.ended_at is not None
    assert created.created_at <= ended.ended_at <= datetime.now(UTC)


def test_each_way_to_end_arrives() -> None:
    ends: dict[str, BatchFault] = {
        "q-1": "expired",
        "q-2": "canceled",
        "q-3": "overloaded",
        "q-4": "server_error",
    }
    questions = [*items(5), item("q-5", max_tokens=10**6), item("q-6", model="claude-nope")]

    async def use(client: MessagesClient) -> dict[str, BatchResult]:
        batch = await create_batch(client, questions)
        return await collect(client, batch.id)

    with MessagesServer(batch_fault=lambda name, number: ends.get(name)) as server:
        found = using(endpoint_of(server), use)
    outcomes = [found[f"q-{number}"].outcome for number in range(7)]
    assert isinstance(outcomes[0], Response)
    assert outcomes[1:3] == ["expired", "canceled"]
    kinds = [
        (type(error), is_worth_retrying(error))
        for error in outcomes[3:]
        if isinstance(error, ApiError)
    ]
    assert kinds == [
        (OverloadedError, True),
        (ServerError, True),
        (InvalidRequestError, False),
        (NotFoundError, False),
    ]
    assert str(outcomes[5]).startswith("max_tokens: 1000000 > 64000, which is the maximum")


def test_a_batch_can_be_canceled() -> None:
    async def use(client: MessagesClient) -> tuple[Batch, dict[str, BatchResult]]:
        batch = await create_batch(client, items(2))
        canceled = await cancel_batch(client, batch.id)
        return canceled, await collect(client, batch.id)

    with MessagesServer(batch_seconds=None) as server:
        canceled, found = using(endpoint_of(server), use)
    assert canceled.status == "canceling"
    assert [result.outcome for result in found.values()] == ["canceled", "canceled"]


def test_what_cannot_be_done_yet_is_a_typed_error() -> None:
    async def use(client: MessagesClient) -> list[str]:
        batch = await create_batch(client, items(1))
        with pytest.raises(InvalidRequestError) as no_results:
            await collect(client, batch.id)
        with pytest.raises(InvalidRequestError) as not_deleted:
            await delete_batch(client, batch.id)
        with pytest.raises(NotFoundError) as unknown:
            await get_batch(client, "msgbatch_x")
        return [str(caught.value) for caught in (no_results, not_deleted, unknown)]

    with MessagesServer(batch_seconds=None) as server:
        no_results, not_deleted, unknown = using(endpoint_of(server), use)
        host = endpoint_of(server).host
    assert "has no results before it has ended" in no_results
    assert "cannot be deleted" in not_deleted
    assert unknown.startswith(f"{host} has no such batch, or no batches at all: ")


def test_a_server_without_batches_says_so() -> None:
    with MessagesServer(bare=True) as server, pytest.raises(NotFoundError, match="has no batches:"):
        using(endpoint_of(server), lambda client: create_batch(client, items(1), policy=QUICK))


def test_an_odd_id_stays_within_its_path() -> None:
    requests: list[bytes] = []
    with raw_server(http_response("404 Not Found"), requests=requests) as address:
        for batch_id in ("../files?x=1#", "a b"):
            with pytest.raises(NotFoundError):
                using(Endpoint(base_url=address), lambda client: get_batch(client, batch_id))  # noqa: B023
    assert [request.split(b"\r\n")[0] for request in requests] == [
        b"GET /v1/messages/batches/..%2Ffiles%3Fx%3D1%23 HTTP/1.1",
        b"GET /v1/messages/batches/a%20b HTTP/1.1",
    ]


# Creating, which must not happen twice


@pytest.mark.parametrize("fault", [rate_limited(0.001), overloaded(), server_error()])
def test_a_batch_that_was_not_created_is_created_after_all(fault: Fault) -> None:
    with MessagesServer(faults=creation_fails(fault, 2)) as server:
        using(endpoint_of(server), lambda client: create_batch(client, items(2), policy=QUICK))
        assert len(server.requests) == 3
        assert len(server.batches) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (connection_reset(), ConnectionFailedError),
        (cut_in_half(), ConnectionFailedError),
        (hang(), ConnectionFailedError),
        (bad_gateway(), ServerError),
        (timed_out(), ServerError),
        (web_page(), UnreadableResponseError),
        (spend_limit_reached(), BillingError),
    ],
)
def test_a_batch_that_may_have_been_created_is_not_created_again(
    fault: Fault, kind: type[ApiError]
) -> None:
    with MessagesServer(faults=creation_fails(fault)) as server:
        endpoint = endpoint_of(server, timeout_seconds=0.3)
        with pytest.raises(kind):
            using(endpoint, lambda client: create_batch(client, items(2), policy=QUICK))
        assert len(server.requests) == 1


def test_a_batch_whose_creation_broke_off_can_be_found() -> None:
    async def use(client: MessagesClient) -> tuple[Batch, ...]:
        with pytest.raises(ConnectionFailedError):
            await create_batch(client, items(2), policy=QUICK)
        return await list_batches(client)

    with MessagesServer(faults=creation_fails(cut_in_half())) as server:
        [found] = using(endpoint_of(server), use)
        assert found.id == server.batches[0].id


def test_a_server_that_is_not_there_is_tried_again() -> None:
    with MessagesServer() as server:
        endpoint = endpoint_of(server)
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    policy = type(QUICK)(attempts=3, sleep=sleep)
    with pytest.raises(ConnectionFailedError, match="no connection"):
        using(endpoint, lambda client: create_batch(client, items(1), policy=policy))
    assert len(waits) == 2


def test_by_default_a_creation_is_tried_again_too() -> None:
    with MessagesServer(faults=creation_fails(rate_limited(0.001))) as server:
        using(endpoint_of(server), lambda client: create_batch(client, items(1)))
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ([], "a batch without requests can't be created"),
        ([*items(3), item("q-1")], "custom_id 'q-1': occurs 2 times in one batch"),
    ],
)
def test_a_batch_that_makes_no_sense_is_not_sent(batch: list[BatchItem], message: str) -> None:
    with MessagesServer() as server:
        with pytest.raises(UsageError, match=re.escape(message)):
            using(endpoint_of(server), lambda client: create_batch(client, batch))
        assert server.requests == []


@pytest.mark.parametrize("name", ["", "x" * 65, "a b", "ä", "a.b", "q1\n"])
def test_a_custom_id_that_the_api_refuses_is_refused_here(name: str) -> None:
    with pytest.raises(UsageError, match="expected 1 to 64 letters"):
        item(name)


# Listing


def test_all_pages_are_listed_the_newest_batch_first() -> None:
    async def use(client: MessagesClient) -> list[tuple[Batch, ...]]:
        for number in range(7):
            await create_batch(client, items(number + 1))
        calls = ((1000, 100), (1000, 3), (1000, 7), (4, 3), (3, 3))
        return [await list_batches(client, limit=most, page_rows=rows) for most, rows in calls]

    with MessagesServer() as server:
        lists = using(endpoint_of(server), use)
        limits = [r.query["limit"][0] for r in server.requests if r.method == "GET"]
    totals = [[batch.counts.total for batch in batches] for batches in lists]
    assert totals == [[7, 6, 5, 4, 3, 2, 1]] * 3 + [[7, 6, 5, 4], [7, 6, 5]]
    assert limits == ["100", "3", "3", "3", "7", "3", "1", "3"]


def json_reply(body: object) -> bytes:
    """The bytes of a response with JSON, the last one of its connection."""
    return http_response("200 OK", json.dumps(body).encode(), [("connection", "close")])


def row(name: str, **changes: object) -> Mapping[str, object]:
    """A batch as some server has it."""
    return {"id": name, "processing_status": "ended"} | changes


@pytest.mark.parametrize(
    ("page", "ids"),
    [
        ({"data": []}, []),
        ({"data": [], "has_more": True, "last_id": None}, []),
        # A server that doesn't know the cursor would repeat itself for ever.
        ({"data": [row("a"), row("b")], "has_more": True, "last_id": "b"}, ["a", "b"]),
        ({"data": [row("a")], "has_more": True}, ["a"]),
        # Oldest first, as some have it.
        (
            {
                "data": [
                    row("a", created_at="2026-11-22T10:00:00Z"),
                    row("b", created_at="2026-11-22T10:00:01.5Z"),
                    row("c", created_at="soon"),
                ]
            },
            ["b", "a", "c"],
        ),
        ({"data": [row("a"), None, {"processing_status": "ended"}]}, ["a"]),
    ],
)
def test_odd_lists_are_read_and_come_to_an_end(page: object, ids: list[str]) -> None:
    with raw_server(json_reply(page)) as address:
        found = using(Endpoint(base_url=address), list_batches)
    assert [batch.id for batch in found] == ids


@pytest.mark.parametrize("page", [{}, {"data": None}, {"data": {"id": "a"}}])
def test_what_is_no_list_is_unreadable(page: object) -> None:
    with raw_server(json_reply(page)) as address, pytest.raises(UnreadableResponseError):
        using(Endpoint(base_url=address), list_batches)


@pytest.mark.parametrize(
    "body", [{}, {"id": "a"}, {"processing_status": "ended"}, {"id": 7, "processing_status": "x"}]
)
def test_what_is_no_batch_is_unreadable(body: object) -> None:
    with (
        raw_server(json_reply(body)) as address,
        pytest.raises(UnreadableResponseError, match="the body is no batch"),
    ):
        using(Endpoint(base_url=address), lambda client: get_batch(client, "a"))


def test_a_batch_may_leave_most_out() -> None:
    with raw_server(json_reply(row("a", request_counts=None, created_at=7))) as address:
        batch = using(Endpoint(base_url=address), lambda client: get_batch(client, "a"))
    assert batch == Batch(id="a", status="ended", counts=BatchCounts())


# Results


MESSAGE = {"id": "msg_1", "content": [{"type": "text", "text": "line\u2028break\x85 und Zoë"}]}


def result_line(name: str, result: object) -> bytes:
    """A line of results."""
    return json.dumps({"custom_id": name, "result": result}, ensure_ascii=False).encode()


def results_of(content: bytes, *pieces: bytes) -> list[BatchResult]:
    """What the results of some server are read as."""

    async def use(client: MessagesClient) -> list[BatchResult]:
        return [result async for result in stream_results(client, "b1")]

    with raw_server(http_response("200 OK", content), *pieces) as address:
        return using(Endpoint(base_url=address, api_key=SECRET), use)


def test_lines_end_where_they_end() -> None:
    good = result_line("a", {"type": "succeeded", "message": MESSAGE})
    for content in (good, good + b"\n", b"\n" + good + b"\r\n\r\n"):
        [result] = results_of(content)
        assert isinstance(result.outcome, Response)
        assert result.outcome.text == "line\u2028break\x85 und Zoë"
    assert results_of(b"") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"custom_id": "b", "res', "no JSON"),
        (b"<html>", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "no result with a `custom_id`"),
        (b"{}", "no result with a `custom_id`"),
        (b'{"custom_id": 7}', "no result with a `custom_id`"),
    ],
)
def test_a_line_that_is_no_result_is_named_after_the_good_ones(line: bytes, reason: str) -> None:
    good = result_line("a", {"type": "expired"}) + b"\n"
    found: list[BatchResult] = []

    async def use(client: MessagesClient) -> None:
        async for result in stream_results(client, "b1"):
            found.append(result)

    with (
        raw_server(http_response("200 OK", good * 2 + line + b"\n" + good)) as address,
        pytest.raises(UnreadableResponseError) as caught,
    ):
        using(Endpoint(base_url=address), use)
    assert str(caught.value) == f"batch b1, line 3: {reason}"
    assert found == [BatchResult(custom_id="a", outcome="expired")] * 2


def test_results_that_break_off_are_a_failed_connection_after_the_good_ones() -> None:
    found: list[BatchResult] = []

    async def use(client: MessagesClient) -> None:
        async for result in stream_results(client, "b1"):
            found.append(result)

    line = result_line("a", {"type": "expired"}) + b"\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n"
    with raw_server(head + line) as address, pytest.raises(ConnectionFailedError):
        using(Endpoint(base_url=address), use)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("error_type", "kind", "is_worth"),
    [
        ("invalid_request_error", InvalidRequestError, False),
        ("authentication_error", AuthenticationError, False),
        ("billing_error", BillingError, False),
        ("permission_error", AuthenticationError, False),
        ("not_found_error", NotFoundError, False),
        ("request_too_large", InvalidRequestError, False),
        ("conflict_error", InvalidRequestError, True),
        ("rate_limit_error", RateLimitError, True),
        ("api_error", ServerError, True),
        ("timeout_error", ServerError, True),
        ("overloaded_error", OverloadedError, True),
        ("error_of_tomorrow", ApiError, False),
        (None, ApiError, False),
    ],
)
@pytest.mark.parametrize("is_nested", [True, False])
def test_an_error_in_a_batch_has_the_type_it_would_have_outside(
    error_type: str | None, kind: type[ApiError], is_worth: bool, is_nested: bool
) -> None:
    error: dict[str, object] = {"type": error_type, "message": f"no:\n{SECRET} is it"}
    if is_nested:
        error = {"type": "error", "error": error, "request_id": "req_1"}
    [result] = results_of(result_line("a", {"type": "errored", "error": error}))
    assert type(result.outcome) is kind
    assert is_worth_retrying(result.outcome) is is_worth
    assert result.outcome.message == "no: *** is it"
    assert result.outcome.error_type == error_type
    assert result.outcome.request_id == ("req_1" if is_nested else None)


@pytest.mark.parametrize(
    ("result", "kind", "message"),
    [
        (None, ApiError, "an item of a batch ended in a way unknown to evalkit: None"),
        ({"type": "frozen"}, ApiError, "ended in a way unknown to evalkit: 'frozen'"),
        ({"type": "errored"}, ApiError, "an item failed, and no reason is given"),
        ({"type": "errored", "error": None}, ApiError, "no reason is given"),
        ({"type": "errored", "error": "bad luck"}, ApiError, "bad luck"),
        ({"type": "errored", "error": {"error": "bad luck"}}, ApiError, "no reason is given"),
        ({"type": "succeeded"}, UnreadableResponseError, "the body is no message"),
        ({"type": "succeeded", "message": []}, UnreadableResponseError, "the body is no message"),
    ],
)
def test_odd_results_are_errors_of_their_item_alone(
    result: object, kind: type[ApiError], message: str
) -> None:
    odd, good = results_of(result_line("a", result) + b"\n" + result_line("b", {"type": "expired"}))
    assert type(odd.outcome) is kind
    assert message in odd.outcome.message
    assert good.outcome == "expired"


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["type", "error", "x"]), inner)
        ),
    )
)
def test_no_error_is_too_odd(error: object) -> None:
    client = MessagesClient(Endpoint(base_url="http://127.0.0.1:9"), 1)
    assert isinstance(parse_outcome(client, {"type": "errored", "error": error}), ApiError)


def test_results_are_never_in_memory_as_a_whole() -> None:
    line = result_line("a", {"type": "succeeded", "message": {**MESSAGE, "pad": "x" * 10_000}})
    count = 3_000

    async def use(client: MessagesClient) -> int:
        tracemalloc.start()
        try:
            seen = 0
            async for _ in stream_results(client, "b1"):
                seen += 1
                if seen == 100:
                    tracemalloc.reset_peak()
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
            return seen
        finally:
            tracemalloc.stop()

    head = f"HTTP/1.1 200 OK\r\ncontent-length: {(len(line) + 1) * count}\r\n\r\n".encode()
    with raw_server(head, *([(line + b"\n") * 10] * (count // 10))) as address:
        assert using(Endpoint(base_url=address), use) == count


def test_whoever_stops_early_may_go_on_with_the_connection_pool() -> None:
    async def use(client: MessagesClient) -> int:
        batch = await create_batch(client, items(5))
        for _ in range(10):
            async with aclosing(stream_results(client, batch.id)) as results:
                async for _ in results:
                    break
        return len(await collect(client, batch.id))

    with MessagesServer() as server:
        assert using(endpoint_of(server), use) == 5


# Grouping


def body_of(group: Sequence[BatchItem]) -> bytes:
    """What is sent for a group."""
    return HEAD + COMMA.join(map(encode_item, group)) + TAIL


def grouped(batch: Sequence[BatchItem], **limits: int) -> list[list[BatchItem]]:
    """What items are cut into."""

    async def stream() -> AsyncIterator[BatchItem]:
        for one in batch:
            yield one

    async def cut() -> list[list[BatchItem]]:
        return [group async for group in group_items(stream(), **limits)]

    return asyncio.run(cut())


@given(
    st.lists(st.text(max_size=40), max_size=30),
    st.integers(min_value=1, max_value=7),
    st.integers(min_value=320, max_value=1000),
)
def test_groups_keep_both_limits_and_are_as_large_as_may_be(
    texts: list[str], max_requests: int, max_bytes: int
) -> None:
    batch = [
        BatchItem(custom_id=f"q-{number}", params={"t": text}) for number, text in enumerate(texts)
    ]
    # Escaped, a character takes up to 12 bytes.
    assert all(len(body_of([one])) <= 550 for one in batch)
    max_bytes += 230
    groups = grouped(batch, max_requests=max_requests, max_bytes=max_bytes)
    assert [one for group in groups for one in group] == batch
    for number, group in enumerate(groups):
        assert 1 <= len(group) <= max_requests
        assert len(body_of(group)) <= max_bytes
        assert json.loads(body_of(group))["requests"][0]["custom_id"] == group[0].custom_id
        if number + 1 < len(groups):
            longer = [*group, groups[number + 1][0]]
            assert len(longer) > max_requests or len(body_of(longer)) > max_bytes


def test_the_limit_of_bytes_is_exact() -> None:
    pair = [item("q-1"), item("q-2")]
    size = len(body_of(pair))
    assert grouped(pair, max_bytes=size) == [pair]
    assert grouped(pair, max_bytes=size - 1) == [pair[:1], pair[1:]]


def test_what_is_measured_is_what_is_sent() -> None:
    [group] = grouped(items(3))
    with MessagesServer() as server:
        using(endpoint_of(server), lambda client: create_batch(client, group))
        assert server.requests[0].headers["content-length"] == str(len(body_of(group)))


def test_an_item_too_large_for_any_batch_is_refused() -> None:
    large = item("large", system="x" * 1000)
    smallest = len(body_of([large]))
    with pytest.raises(PromptError, match=f"request large: {smallest:,} bytes are more than the"):
        grouped([item("q-1"), large], max_bytes=smallest - 1)


def test_groups_are_cut_from_a_stream_that_need_not_end() -> None:
    taken = 0

    async def endless() -> AsyncIterator[BatchItem]:
        nonlocal taken
        while True:
            taken += 1
            yield item(f"q-{taken}")

    async def first_group() -> list[BatchItem]:
        async with aclosing(group_items(endless(), max_requests=3)) as groups:
            return await anext(groups)

    assert [one.custom_id for one in asyncio.run(first_group())] == ["q-1", "q-2", "q-3"]
    assert taken == 4


def test_no_items_make_no_groups() -> None:
    assert grouped([]) == []
