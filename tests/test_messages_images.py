"""The test server looks at images: their kind, their sides, their tokens."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import httpx
import pytest
from PIL import Image

from evalkit.testing.messages_models import MODELS, Json, find_model
from evalkit.testing.messages_pictures import picture_of, scaled_sides
from evalkit.testing.messages_rules import OLD_VERSION
from evalkit.testing.messages_server import MessagesServer

STANDARD = "claude-haiku-4-5"
HIGH = "claude-opus-5"
URL: Json = {"type": "image", "source": {"type": "url", "url": "https://example.org/ant.png"}}


def picture(width: int, height: int, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    # One color: large sides, few bytes.
    Image.new("RGB", (width, height)).save(content, kind, **options)
    return content.getvalue()


def image(content: bytes, media_type: str = "image/png", **fields: object) -> Json:
    data = base64.b64encode(content).decode()
    source = {"type": "base64", "media_type": media_type, "data": data}
    return {"type": "image", "source": source} | fields


def asking(*blocks: Json, model: str = STANDARD, **fields: object) -> Json:
    content = [*blocks, {"type": "text", "text": "Which ant?"}]
    messages = [{"role": "user", "content": content}]
    return {"model": model, "messages": messages} | fields


@pytest.fixture(scope="module")
def caller() -> Iterator[httpx.Client]:
    with MessagesServer() as server:
        headers = {"x-api-key": server.key, "anthropic-version": OLD_VERSION}
        with httpx.Client(base_url=server.base_url, headers=headers, trust_env=False) as opened:
            yield opened


def tokens(caller: httpx.Client, *blocks: Json, model: str = STANDARD) -> int:
    """What some blocks cost, by counting and by asking."""
    counts: list[int] = []
    for asked in ((), blocks):
        body = asking(*asked, model=model)
        counted = caller.post("/v1/messages/count_tokens", json=body).json()["input_tokens"]
        message = caller.post("/v1/messages", json={**body, "max_tokens": 9}).json()
        assert message["usage"]["input_tokens"] == counted
        counts.append(counted)
    return counts[1] - counts[0]


def refusal(caller: httpx.Client, *blocks: Json, model: str = STANDARD) -> Json:
    response = caller.post("/v1/messages/count_tokens", json=asking(*blocks, model=model))
    assert response.status_code == 400
    error: Json = response.json()["error"]
    return error


# Tokens


@pytest.mark.parametrize(
    ("width", "height", "standard", "high"),
    [
        (200, 200, 64, 64),
        (1000, 1000, 1296, 1296),
        (1920, 1080, 1560, 2691),
        (1080, 1920, 1560, 2691),
        (1, 1, 1, 1),
        (28, 29, 2, 2),
        (8000, 28, 56, 92),
        (3000, 3000, 1521, 4761),
    ],
)
def test_an_image_costs_what_its_sides_say(
    caller: httpx.Client, width: int, height: int, standard: int, high: int
) -> None:
    block = image(picture(width, height))
    assert tokens(caller, block) == standard
    assert tokens(caller, block, model=HIGH) == high


@pytest.mark.parametrize(("model", "long_side"), [(STANDARD, 1456), (HIGH, 1920)])
def test_an_image_is_scaled_down_no_further_than_needed(model: str, long_side: int) -> None:
    served = find_model(model)
    assert served is not None
    assert scaled_sides(1920, 1080, served) == (long_side, long_side * 9 // 16)


def test_the_models_since_4_7_see_more() -> None:
    high = {model.alias for model in MODELS if scaled_sides(2576, 28, model) == (2576, 28)}
    assert {model.alias for model in MODELS} - high == {
        *("claude-haiku-4-5", "claude-opus-4-5", "claude-sonnet-4-5"),
        *("claude-opus-4-6", "claude-sonnet-4-6"),
    }


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"c" * 60_000, "exif": b"Exif\0\0" + b"e" * 999}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0e"}),
    ],
)
def test_the_sides_are_read_from_every_kind(
    caller: httpx.Client, kind: str, options: dict[str, object]
) -> None:
    content = picture(301, 47, kind, **options)
    read = picture_of(content)
    assert read is not None
    assert (read.width, read.height) == (301, 47)
    assert tokens(caller, image(content, f"image/{kind.lower()}")) == 11 * 2


def test_images_add_up_wherever_they_stand(caller: httpx.Client) -> None:
    block = image(picture(200, 200))
    inside = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [block]}
    assert tokens(caller, block, inside, block) == 3 * 64


def test_an_image_behind_a_url_costs_a_fixed_number(caller: httpx.Client) -> None:
    assert tokens(caller, URL) == tokens(caller, URL, model=HIGH) == 1000


# Limits


@pytest.mark.parametrize(
    ("content", "media_type", "text"),
    [
        (
            picture(9, 9, "JPEG"),
            "image/png",
            "messages.0.content.0.image.source.base64.media_type: The image was specified using "
            "the image/png media type, but the image appears to be a image/jpeg image",
        ),
        (picture(9, 9), "image/webp", "appears to be a image/png image"),
        (picture(9, 9, "BMP"), "image/png", "Could not process image"),
        (picture(9, 9)[:20], "image/png", "Could not process image"),
        (picture(9, 9, "JPEG")[:99], "image/jpeg", "Could not process image"),
        (b"", "image/png", "Could not process image"),
        (picture(9, 9), "image/bmp", "media_type: Input should be 'image/jpeg', 'image/png', "),
    ],
)
def test_an_image_is_what_it_is_said_to_be(
    caller: httpx.Client, content: bytes, media_type: str, text: str
) -> None:
    assert text in refusal(caller, image(content, media_type))["message"]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"type": "image", "source": {"type": "url"}}, "source.url.url: Field required"),
        ({"type": "image", "source": {"type": "blob"}}, "Input tag 'blob' found using 'type'"),
        (image(b"", transformations={"oversized_image": "crop"}), "Could not process"),
        (
            image(picture(9, 9), transformations={"oversized_image": "crop"}),
            "'downsize' or 'error'",
        ),
    ],
)
def test_an_image_block_keeps_the_rules(caller: httpx.Client, block: Json, text: str) -> None:
    assert text in refusal(caller, block)["message"]


@pytest.mark.parametrize(
    ("sides", "others", "limit"),
    [
        ((8000, 8), 0, None),
        ((8001, 8), 0, 8000),
        ((8, 8001), 19, 8000),
        ((2001, 8), 19, None),
        ((2000, 8), 20, None),
        ((2001, 8), 20, 2000),
    ],
)
def test_sides_are_limited_by_the_number_of_images(
    caller: httpx.Client, sides: tuple[int, int], others: int, limit: int | None
) -> None:
    blocks = [URL] * others + [image(picture(*sides))]
    if limit is None:
        assert tokens(caller, *blocks) > 0
        return
    error = refusal(caller, *blocks)
    assert f"{limit} pixels" in error["message"]
    assert error["details"] == {
        "error_code": "image_dimensions_too_large",
        "max_side_length_pixels": limit,
        "paths": [f"messages.0.content.{others}"],
    }


def test_every_image_that_is_too_large_is_named(caller: httpx.Client) -> None:
    small, large = image(picture(8, 8)), image(picture(8, 8001))
    inside = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [small, large]}
    paths = refusal(caller, large, small, inside)["details"]["paths"]
    assert paths == ["messages.0.content.0", "messages.0.content.2.content.1"]


@pytest.mark.parametrize(("model", "most"), [(STANDARD, 100), (HIGH, 600)])
def test_images_are_limited_by_the_context(caller: httpx.Client, model: str, most: int) -> None:
    block = image(picture(8, 8))
    assert tokens(caller, *[block] * most, model=model) == most
    error = refusal(caller, *[block] * (most + 1), model=model)
    assert f"too many images: {most + 1} > {most}" in error["message"]


def test_an_image_can_ask_not_to_be_scaled_down(caller: httpx.Client) -> None:
    block = image(picture(1920, 1080), transformations={"oversized_image": "error"})
    assert "1920x1080 pixels; at most 1456x819 fit" in refusal(caller, block)["message"]
    assert tokens(caller, block, model=HIGH) == 2691


def test_the_base64_text_is_limited(caller: httpx.Client) -> None:
    content = picture(8, 8)
    most = 10_485_760 * 3 // 4
    assert tokens(caller, image(content + bytes(most - len(content)))) == 1
    error = refusal(caller, image(content + bytes(most + 1 - len(content))))
    assert error["message"] == (
        "messages.0.content.0.image.source.base64: image exceeds 10 MB maximum: 10485764 bytes > "
        "10485760 bytes"
    )
