"""Requests are made ready to be sent: pictures in them, prefixes marked, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import PIL.Image
import pytest

from evalkit.api.client import MessagesClient
from evalkit.api.files import FileStore
from evalkit.elicitation.asking import image_block, text_block, user
from evalkit.errors import ImageError, InvalidRequestError
from evalkit.images import Image, ImageLimits, read_image, refer_to_image
from evalkit.models.catalogue import find_model
from evalkit.sending import KEPT_PICTURES, Courier
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.targets import Target, remote_target
from evalkit.testing.messages_record import FILES_PATH
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import endpoint_of
from tests.pictures import noise, paint

T = TypeVar("T")
FACTS = find_model("claude-haiku-4-5")
ADDRESS = refer_to_image("https://example.org/ant.png")


def courier_of(*images: Image, **options: Any) -> Courier:
    """A courier who knows some pictures."""
    facts = {"facts": FACTS, "limits": ImageLimits(max_images=100)}
    return Courier(**{**facts, "images": {image.digest: image for image in images}, **options})


def body_of(*images: Image) -> dict[str, Any]:
    """A request that shows pictures."""
    return {"model": FACTS.id, "max_tokens": 16, "messages": [user("What is it?", images)]}


def sources_in(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where the pictures of a request's only turn come from."""
    blocks = body["messages"][0]["content"]
    return [block["source"] for block in blocks if block["type"] == "image"]


def dress(courier: Courier, body: Mapping[str, Any]) -> Mapping[str, Any]:
    return asyncio.run(courier.dress(body))


def sent_bytes(source: Mapping[str, Any]) -> bytes:
    return base64.b64decode(source["data"], validate=True)


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Image, ...]:
    """Three files."""
    for number in range(3):
        paint(tmp_path / f"{number}.png", seed=number)
    return tuple(read_image(tmp_path / f"{number}.png") for number in range(3))


# In the request


def test_a_request_without_pictures_goes_as_it_is(pictures: tuple[Image, ...]) -> None:
    plain = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "?"}]}
    assert dress(courier_of(), plain) is plain
    assert dress(courier_of(*pictures), plain) == plain


def test_a_file_travels_as_base64_and_an_address_as_it_is(pictures: tuple[Image, ...]) -> None:
    body = body_of(pictures[0], ADDRESS)
    before = repr(body)
    file, address = sources_in(dress(courier_of(*pictures, ADDRESS), body))
    assert (file["type"], file["media_type"]) == ("base64", "image/png")
    assert hashlib.sha256(sent_bytes(file)).hexdigest() == pictures[0].digest
    assert address == {"type": "url", "url": "https://example.org/ant.png"}
    assert repr(body) == before, "the request itself, of which the id was made, does not change"


def test_the_media_type_is_what_the_bytes_are(tmp_path: Path) -> None:
    paint(tmp_path / "camera.jpg")
    image = read_image(tmp_path / "camera.jpg")
    [source] = sources_in(dress(courier_of(image), body_of(image)))
    assert source["media_type"] == "image/png"


def test_pictures_in_earlier_turns_and_behind_results_are_attached(
    pictures: tuple[Image, ...],
) -> None:
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Recorded."}
    body = body_of(pictures[0])
    body["messages"] += [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "input": {}}]},
        {"role": "user", "content": [result, image_block(pictures[1]), text_block("And this?")]},
    ]
    turns = dress(courier_of(*pictures), body)["messages"]
    assert turns[1] == body["messages"][1]
    assert turns[2]["content"][0] == result
    digests = [
        hashlib.sha256(sent_bytes(block["source"])).hexdigest()
        for turn in turns
        for block in turn["content"]
        if block["type"] == "image"
    ]
    assert digests == [pictures[0].digest, pictures[1].digest]


def test_a_picture_is_read_once_while_it_is_remembered(tmp_path: Path) -> None:
    for number in range(KEPT_PICTURES + 1):
        paint(tmp_path / f"{number}.png", seed=number)
    images = [read_image(tmp_path / f"{number}.png") for number in range(KEPT_PICTURES + 1)]
    courier = courier_of(*images)
    first = dress(courier, body_of(images[0]))
    (tmp_path / "0.png").unlink()
    assert dress(courier, body_of(images[0])) == first
    for image in images[1:]:
        dress(courier, body_of(image))
    with pytest.raises(ImageError, match=r"0\.png: no such file"):
        dress(courier, body_of(images[0]))


@pytest.mark.parametrize("store", [False, True], ids=["base64", "file"])
def test_a_file_that_has_changed_is_an_error_that_names_it(
    store: bool, pictures: tuple[Image, ...], tmp_path: Path
) -> None:
    paint(tmp_path / "0.png", seed=7)

    async def attach(files: FileStore) -> None:
        await courier_of(*pictures, store=files if store else None).dress(body_of(pictures[0]))

    with (
        MessagesServer() as server,
        pytest.raises(ImageError, match=r"0\.png: has changed since the questions were loaded"),
    ):
        with_store(server, attach)
    assert server.files.uploads == 0


# Smaller copies


def test_without_resize_nothing_is_changed(tmp_path: Path) -> None:
    paint(tmp_path / "a.png", size=(9000, 4))
    image = read_image(tmp_path / "a.png")
    [source] = sources_in(dress(courier_of(image), body_of(image)))
    assert sent_bytes(source) == (tmp_path / "a.png").read_bytes()


def test_with_resize_small_pictures_stay_as_they_are(pictures: tuple[Image, ...]) -> None:
    plain, resized = (courier_of(*pictures, resize=resize) for resize in (False, True))
    assert dress(resized, body_of(*pictures)) == dress(plain, body_of(*pictures))


def size_of(source: Mapping[str, Any]) -> tuple[int, int]:
    import io

    with PIL.Image.open(io.BytesIO(sent_bytes(source))) as picture:
        return picture.size


def test_a_long_side_is_scaled_down_to_what_the_number_of_pictures_allows(tmp_path: Path) -> None:
    paint(tmp_path / "a.png", size=(9000, 900))
    paint(tmp_path / "b.png", size=(4, 4))
    long, small = read_image(tmp_path / "a.png"), read_image(tmp_path / "b.png")
    courier = courier_of(long, small, resize=True)
    few = sources_in(dress(courier, body_of(long, *[small] * 19)))
    many = sources_in(dress(courier, body_of(long, *[small] * 20)))
    assert [size_of(sources[0]) for sources in (few, many)] == [(8000, 800), (2000, 200)]
    assert few[1:] == many[1:20]


def test_many_heavy_pictures_share_what_one_request_may_weigh(tmp_path: Path) -> None:
    images = []
    for number in range(4):
        noise(tmp_path / f"{number}.png", (60 + number, 60))
        images.append(read_image(tmp_path / f"{number}.png"))
    limits = ImageLimits(max_base64_bytes=20_000, max_request_bytes=40_000)
    courier = courier_of(*images, limits=limits, resize=True)
    together = [len(source["data"]) for source in sources_in(dress(courier, body_of(*images)))]
    assert sum(together) <= 40_000
    assert max(together) <= 10_000
    [alone] = sources_in(dress(courier, body_of(images[0])))
    assert sent_bytes(alone) == (tmp_path / "0.png").read_bytes()


# Uploaded


def with_store(server: MessagesServer, use: Callable[[FileStore], Awaitable[T]]) -> T:
    """Give a store to a function, and close it."""

    async def run() -> T:
        async with (
            MessagesClient(endpoint_of(server), 8) as client,
            FileStore(client) as store,
        ):
            return await use(store)

    return asyncio.run(run())


def test_a_picture_is_uploaded_once_however_many_ask_for_it(pictures: tuple[Image, ...]) -> None:
    async def attach(store: FileStore) -> list[str]:
        couriers = [courier_of(*pictures, store=store) for _ in range(2)]
        bodies = await asyncio.gather(
            *(courier.dress(body_of(*pictures)) for courier in couriers for _ in range(20))
        )
        ids = {tuple(source["file_id"] for source in sources_in(body)) for body in bodies}
        assert len(ids) == 1
        return list(ids.pop())

    with MessagesServer(latency_seconds=0.02) as server:
        ids = with_store(server, attach)
        assert len(set(ids)) == server.files.uploads == 3
        assert server.files.stored == {}, "deleted at the end"
        uploads = [r for r in server.requests if (r.method, r.path) == ("POST", FILES_PATH)]
        assert {record.body["sha256"] for record in uploads} == {p.digest for p in pictures}
        assert {record.body["mime_type"] for record in uploads} == {"image/png"}


def test_a_picture_that_is_small_enough_is_uploaded_once_whatever_the_request(
    tmp_path: Path,
) -> None:
    paint(tmp_path / "a.png", size=(4000, 4))
    paint(tmp_path / "b.png")
    wide, small = read_image(tmp_path / "a.png"), read_image(tmp_path / "b.png")

    async def attach(store: FileStore) -> None:
        courier = courier_of(wide, small, store=store, resize=True)
        await courier.dress(body_of(wide, small))
        await courier.dress(body_of(wide, *[small] * 20))

    with MessagesServer() as server:
        with_store(server, attach)
        assert server.files.uploads == 3, "the small one, the wide one, and its smaller copy"


def test_an_upload_that_is_refused_is_an_error_of_the_endpoint(pictures: tuple[Image, ...]) -> None:
    async def attach(store: FileStore) -> None:
        await courier_of(*pictures, store=store).dress(body_of(pictures[0]))

    with MessagesServer(zero_retention=True) as server, pytest.raises(InvalidRequestError):
        with_store(server, attach)


def target_of(server: MessagesServer) -> Target:
    """A model of the test server."""
    return remote_target(FACTS.id, endpoint_of(server))


def test_a_session_has_one_store_for_each_endpoint(pictures: tuple[Image, ...]) -> None:
    async def run(first: MessagesServer, second: MessagesServer) -> None:
        async with Session() as session:
            clients = [
                await session.connect(target_of(server), RunSettings(concurrency=connections))
                for server, connections in ((first, 1), (first, 8), (second, 8))
            ]
            again = await session.connect(target_of(first), RunSettings(concurrency=8))
            assert again is clients[1]
            stores = [await session.open_store(client) for client in clients]
            assert stores[0] is stores[1] is not stores[2]
            for store in stores:
                await courier_of(*pictures, store=store).dress(body_of(pictures[0]))
            assert len(first.files.stored) == len(second.files.stored) == 1
        assert first.files.stored == second.files.stored == {}

    with MessagesServer() as one, MessagesServer() as other:
        asyncio.run(run(one, other))


# What may be cached


def test_pictures_count_for_the_length_of_a_prefix(tmp_path: Path) -> None:
    paint(tmp_path / "a.png", size=(1000, 1000))  # 1296 tokens each
    image = read_image(tmp_path / "a.png")

    def body(examples: int) -> dict[str, Any]:
        turns = [user("What is it?", [image]), {"role": "assistant", "content": "A"}] * examples
        return {"messages": [*turns, user("And this?", [image])]}

    courier = courier_of(image)
    assert FACTS.cache_minimum_tokens == 4096
    assert [courier.is_cacheable(body(count)) for count in (0, 1, 2, 4)] == [False] * 3 + [True]
    assert not courier_of(image, cache=False).is_cacheable(body(4))
    address = courier_of(ADDRESS)
    assert not address.is_cacheable(
        {"messages": [user("?", [ADDRESS]), {"role": "assistant", "content": "A"}, user("?")]}
    )


@pytest.mark.parametrize("unknown", ["cache_minimum_tokens", "characters_per_token"])
def test_a_model_of_which_nothing_is_known_gets_no_marks(unknown: str) -> None:
    nothing: dict[str, Any] = {unknown: None}
    courier = courier_of(facts=replace(FACTS, **nothing))
    body = {"system": "word " * 9000, "messages": [user("?")]}
    assert not courier.is_cacheable(body)
    assert courier_of().is_cacheable(body)
