"""Files: each uploaded once, and gone when the work is done."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable

import pytest

from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint
from evalkit.api.files import FileStore, StoredFile, delete_file, list_files, upload_file
from evalkit.errors import (
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    ServerError,
    UnreadableResponseError,
)
from evalkit.testing.messages_faults import (
    Fault,
    FaultPlan,
    connection_reset,
    hang,
    server_error,
    slow,
)
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, endpoint_of
from tests.test_client import http_response, raw_server, using

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def failing(method: str, fault: Fault, attempts: int = 1) -> FaultPlan:
    """The first attempts of every request for files with that method fail."""

    def plan(record: RequestRecord) -> Fault | None:
        is_meant = record.method == method and record.path.startswith("/v1/files")
        return fault if is_meant and record.attempt <= attempts else None

    return plan


def storing(
    server: MessagesServer,
    use: Callable[[FileStore], Awaitable[None]],
    *,
    keep: bool = False,
    grace_seconds: float = 5.0,
) -> list[str]:
    """Use a store, and give the lines that it said."""
    lines: list[str] = []

    async def with_store(client: MessagesClient) -> None:
        async with FileStore(
            client, keep=keep, policy=QUICK, say=lines.append, grace_seconds=grace_seconds
        ) as store:
            await use(store)

    using(endpoint_of(server), with_store)
    return lines


# One file


def test_a_file_arrives_as_it_is() -> None:
    async def use(client: MessagesClient) -> tuple[str, tuple[StoredFile, ...]]:
        file_id = await upload_file(client, PNG, "ant nest Zoë.png", "image/png")
        return file_id, await list_files(client)

    with MessagesServer() as server:
        file_id, listed = using(endpoint_of(server), use)
        [stored] = server.files.stored.values()
        assert server.requests[0].headers["content-type"].startswith("multipart/form-data;")
        assert "anthropic-beta" not in server.requests[0].headers
    assert (stored.id, stored.content) == (file_id, PNG)
    assert listed == (
        StoredFile(
            id=file_id,
            filename="ant nest Zoë.png",
            media_type="image/png",
            size_bytes=len(PNG),
            created_at=stored.created,
        ),
    )


def test_the_model_sees_the_file() -> None:
    async def use(client: MessagesClient) -> int | None:
        file_id = await upload_file(client, PNG, "a.png", "image/png")
        image = {"type": "image", "source": {"type": "file", "file_id": file_id}}
        text = {"type": "text", "text": "Which? (A) x (B) y"}
        body = {
            "model": "claude-haiku-4-5",
            "max_tokens": 1,
            "messages": [{"role": "user", "content": [image, text]}],
        }
        return (await client.send(body)).usage.input_tokens

    with MessagesServer() as server, pytest.raises(InvalidRequestError, match=r"[Ii]mage"):
        using(endpoint_of(server), use)  # it looks into the file, and finds no picture


def test_what_the_endpoint_refuses_is_a_typed_error() -> None:
    with MessagesServer() as server, pytest.raises(InvalidRequestError, match="forbidden"):
        using(endpoint_of(server), lambda client: upload_file(client, PNG, "a?.png", "image/png"))


def test_a_server_without_files_says_so() -> None:
    with MessagesServer(bare=True) as server, pytest.raises(NotFoundError, match="has no files:"):
        using(endpoint_of(server), lambda client: upload_file(client, PNG, "a.png", "image/png"))


@pytest.mark.parametrize("body", [b"{}", b'{"id": null}', b"[]"])
def test_an_upload_without_an_id_is_unreadable(body: bytes) -> None:
    with (
        raw_server(http_response("200 OK", body)) as address,
        pytest.raises(UnreadableResponseError),
    ):
        using(
            Endpoint(base_url=address),
            lambda client: upload_file(client, b"", "a.png", "image/png"),
        )


def test_a_file_is_deleted_and_need_not_be_there() -> None:
    async def use(client: MessagesClient) -> None:
        file_id = await upload_file(client, PNG, "a.png", "image/png")
        await delete_file(client, file_id)
        await delete_file(client, file_id)

    with MessagesServer() as server:
        using(endpoint_of(server), use)
        assert [request.method for request in server.requests] == ["POST", "DELETE", "DELETE"]
        assert server.files.stored == {}


def test_a_file_that_cannot_be_deleted_is_a_typed_error() -> None:
    with (
        MessagesServer(faults=failing("DELETE", server_error())) as server,
        pytest.raises(ServerError),
    ):
        using(endpoint_of(server), lambda client: delete_file(client, "file_1"))


# Lists


def test_all_pages_are_listed() -> None:
    async def use(client: MessagesClient) -> list[list[str | None]]:
        for number in range(7):
            await upload_file(client, PNG, f"{number}.png", "image/png")
        calls = ((1000, 100), (1000, 3), (1000, 7), (4, 3))
        lists = [await list_files(client, limit=most, page_rows=rows) for most, rows in calls]
        return [[file.filename for file in files] for files in lists]

    with MessagesServer() as server:
        lists = using(endpoint_of(server), use)
        pages = [r.query for r in server.requests if r.method == "GET"]
    newest_first = [f"{number}.png" for number in reversed(range(7))]
    assert lists == [newest_first, newest_first, newest_first, newest_first[:4]]
    assert len(pages) == 1 + 3 + 1 + 2
    assert [query.keys() for query in pages[1:4]] == [{"limit"}, *[{"limit", "page"}] * 2]


@pytest.mark.parametrize(
    ("page", "ids"),
    [
        ({"data": [{"id": "a"}, {"id": "b"}], "next_page": None}, ["a", "b"]),
        ({"data": [{"id": "a"}], "has_more": False, "first_id": "a", "last_id": "a"}, ["a"]),
        ({"data": [{"id": "a"}], "has_more": True, "first_id": "a", "last_id": "a"}, ["a"]),
        ({"data": [{"id": "a"}], "next_page": "for ever"}, ["a"]),
        ({"data": []}, []),
    ],
)
def test_both_shapes_of_lists_are_read(page: object, ids: list[str]) -> None:
    reply = http_response("200 OK", json.dumps(page).encode(), [("connection", "close")])
    with raw_server(reply) as address:
        found = using(Endpoint(base_url=address), list_files)
    assert found == tuple(StoredFile(id=name) for name in ids)


# Many files


def test_however_many_ask_at_once_each_file_is_uploaded_once() -> None:
    loads: list[str] = []

    def loader(digest: str) -> Callable[[], bytes]:
        def load() -> bytes:
            loads.append(digest)
            assert threading.current_thread() is not threading.main_thread()
            return PNG + digest.encode()

        return load

    async def use(store: FileStore) -> None:
        digests = [f"{number % 5:02x}" for number in range(40)]
        ids = await asyncio.gather(
            *(store.file_id(digest, loader(digest), "image/png") for digest in digests)
        )
        again = [await store.file_id(digest, loader(digest), "image/png") for digest in digests]
        assert ids == again == [store.ids[digest] for digest in digests]
        assert server.files.uploads == len(server.files.stored) == 5
        names = {file.filename for file in server.files.stored.values()}
        assert names == {f"evalkit-{number:02x}.png" for number in range(5)}

    with MessagesServer(latency_seconds=0.01) as server:
        assert storing(server, use) == []
        assert server.files.stored == {}
    assert sorted(loads) == ["00", "01", "02", "03", "04"]


def test_files_are_kept_if_told_so() -> None:
    async def use(store: FileStore) -> None:
        await store.file_id("aa", lambda: PNG, "image/png")

    with MessagesServer() as server:
        assert storing(server, use, keep=True) == []
        assert len(server.files.stored) == 1


def test_files_that_are_held_outlast_the_store() -> None:
    async def use(store: FileStore) -> None:
        for digest in ("aa", "bb"):
            await store.file_id(digest, lambda: PNG, "image/png")
        store.held = {store.ids["aa"], "file_of_somebody_else"}

    with MessagesServer() as server:
        assert storing(server, use) == []
        assert list(server.files.stored) == ["file_011000000000000000000001"]


def test_what_was_deleted_before_the_end_is_uploaded_anew() -> None:
    async def use(store: FileStore) -> None:
        first = await store.file_id("aa", lambda: PNG, "image/png")
        second = await store.file_id("bb", lambda: PNG, "image/png")
        assert await store.delete([first, "file_of_an_earlier_process"])
        assert list(server.files.stored) == [second]
        assert await store.file_id("aa", lambda: PNG, "image/png") in server.files.stored

    with MessagesServer() as server:
        assert storing(server, use) == []
        assert (server.files.uploads, server.files.stored) == (3, {})


def test_what_is_to_be_kept_is_not_deleted_before_the_end_either() -> None:
    async def use(store: FileStore) -> None:
        first = await store.file_id("aa", lambda: PNG, "image/png")
        assert not await store.delete([first])

    with MessagesServer() as server:
        assert storing(server, use, keep=True) == []
        assert len(server.files.stored) == 1


def test_files_are_deleted_after_an_error_too() -> None:
    async def use(store: FileStore) -> None:
        await store.file_id("aa", lambda: PNG, "image/png")
        raise ValueError("of the caller")

    with MessagesServer() as server:
        with pytest.raises(ValueError, match="of the caller"):
            storing(server, use)
        assert (server.files.uploads, server.files.stored) == (1, {})


def test_files_are_deleted_when_the_work_is_canceled() -> None:
    async def work(client: MessagesClient) -> None:
        async with FileStore(client, policy=QUICK) as store:
            await store.file_id("aa", lambda: PNG, "image/png")
            await asyncio.sleep(30)

    async def use(client: MessagesClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await work(client)

    with MessagesServer() as server:
        using(endpoint_of(server), use)
        assert (server.files.uploads, server.files.stored) == (1, {})


def test_whoever_stops_waiting_does_not_stop_the_upload_for_others() -> None:
    async def use(store: FileStore) -> None:
        async def ask() -> str:
            return await store.file_id("aa", lambda: PNG, "image/png")

        first, second = asyncio.create_task(ask()), asyncio.create_task(ask())
        await asyncio.sleep(0.1)
        first.cancel()
        assert await second == store.ids["aa"]
        assert first.cancelled()

    with MessagesServer(faults=failing("POST", slow(0.3))) as server:
        assert storing(server, use) == []
        assert (server.files.uploads, server.files.stored) == (1, {})


def test_an_upload_that_nobody_waits_for_any_more_is_deleted_too() -> None:
    async def use(store: FileStore) -> None:
        task = asyncio.create_task(store.file_id("aa", lambda: PNG, "image/png"))
        await asyncio.sleep(0.1)
        task.cancel()

    with MessagesServer(faults=failing("POST", slow(0.3))) as server:
        assert storing(server, use) == []
        assert (server.files.uploads, server.files.stored) == (1, {})


def test_the_end_does_not_wait_for_ever() -> None:
    async def use(store: FileStore) -> None:
        await store.file_id("aa", lambda: PNG, "image/jpeg")
        task = asyncio.create_task(store.file_id("bb", lambda: PNG + b"b", "image/jpeg"))
        await asyncio.sleep(0.1)
        task.cancel()

    def second_hangs(record: RequestRecord) -> Fault | None:
        return hang() if record.method == "POST" and record.body_number == 2 else None

    with MessagesServer(faults=second_hangs) as server:
        [line] = storing(server, use, grace_seconds=0.1)
        assert server.files.stored == {}
    assert line == "uploads broken off: 1; these files may remain at the endpoint"


def test_an_upload_that_fails_fails_for_all_and_can_be_tried_again() -> None:
    async def use(store: FileStore) -> None:
        async def ask() -> str:
            return await store.file_id("aa", lambda: PNG, "image/png")

        results = await asyncio.gather(ask(), ask(), ask(), return_exceptions=True)
        assert [type(result) for result in results] == [ServerError] * 3
        assert len(server.requests) == 1
        assert await ask() in server.files.stored

    with MessagesServer(faults=failing("POST", server_error())) as server:
        assert storing(server, use) == []
        assert (server.files.uploads, server.files.stored) == (1, {})


def test_an_upload_that_fails_unseen_is_no_matter() -> None:
    async def use(store: FileStore) -> None:
        task = asyncio.create_task(store.file_id("aa", lambda: PNG, "image/png"))
        await asyncio.sleep(0.05)
        task.cancel()

    fault = Fault(manner="error", status=500, message="no", delay_seconds=0.2)
    with MessagesServer(faults=failing("POST", fault)) as server:
        assert storing(server, use) == []


def test_content_that_cannot_be_loaded_is_the_callers_error() -> None:
    def load() -> bytes:
        raise FileNotFoundError("ant.png")

    async def use(store: FileStore) -> None:
        for _ in range(2):
            with pytest.raises(FileNotFoundError, match=r"ant\.png"):
                await store.file_id("aa", load, "image/png")

    with MessagesServer() as server:
        assert storing(server, use) == []
        assert server.requests == []


# Deleting in vain


async def upload_fourteen(store: FileStore) -> None:
    """Upload some files."""
    for number in range(14):
        data = PNG + bytes([number])
        await store.file_id(f"{number:02x}", lambda data=data: data, "image/png")  # type: ignore[misc]


def test_a_delete_is_tried_again() -> None:
    with MessagesServer(faults=failing("DELETE", server_error(), attempts=2)) as server:
        assert storing(server, upload_fourteen) == []
        assert server.files.stored == {}


def test_files_that_cannot_be_deleted_are_named_and_raise_nothing() -> None:
    with MessagesServer(faults=failing("DELETE", server_error(), attempts=99)) as server:
        [line] = storing(server, upload_fourteen)
        assert len(server.files.stored) == 14
        first_ids = sorted(server.files.stored)[:10]
    assert line == (
        "files that could not be deleted: 14 (Internal server error (status 500)): "
        f"{', '.join(first_ids)}, ..."
    )


def test_one_file_that_cannot_be_deleted_leaves_the_others_to_be() -> None:
    def plan(record: RequestRecord) -> Fault | None:
        is_meant = record.method == "DELETE" and record.path.endswith("7")
        return server_error() if is_meant else None

    with MessagesServer(faults=plan) as server:
        [line] = storing(server, upload_fourteen)
        [left] = server.files.stored
    assert line.startswith("files that could not be deleted: 1 (")
    assert line.endswith(f": {left}")


def test_an_endpoint_that_is_gone_is_not_asked_for_each_file() -> None:
    with MessagesServer(faults=failing("DELETE", connection_reset(), attempts=99)) as server:
        [line] = storing(server, upload_fourteen)
        deletes = [request for request in server.requests if request.method == "DELETE"]
    assert line.startswith("files that could not be deleted: 14 (")
    # Three at a time, three times each, each time once more on a fresh connection.
    assert len(deletes) <= 18


def test_by_default_nothing_is_said() -> None:
    async def use(client: MessagesClient) -> None:
        async with FileStore(client, policy=QUICK) as store:
            await store.file_id("aa", lambda: PNG, "image/png")

    with MessagesServer(faults=failing("DELETE", connection_reset(), attempts=99)) as server:
        using(endpoint_of(server), use)
        assert len(server.files.stored) == 1


def test_no_server_is_a_failed_connection() -> None:
    with MessagesServer() as server:
        endpoint = endpoint_of(server)

    async def use(client: MessagesClient) -> None:
        async with FileStore(client, policy=QUICK) as store:
            await store.file_id("aa", lambda: PNG, "image/png")

    with pytest.raises(ConnectionFailedError):
        using(endpoint, use)
