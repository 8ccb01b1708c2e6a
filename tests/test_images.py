"""Pictures are known by their content, read without being decoded, and refused with a remedy."""

from __future__ import annotations

import hashlib
import io
import math
import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import BenchmarkError, ImageError
from evalkit.images import (
    FORMATS,
    Image,
    ImageLimits,
    MediaType,
    check_images,
    count_image_tokens,
    find_marks,
    fit_image,
    load_bytes,
    read_image,
    refer_to_image,
    renumber_marks,
    write_mark,
)

NOISE = PIL.Image.frombytes("RGB", (90, 60), random.Random(0).randbytes(90 * 60 * 3))
"""A picture that can't be compressed."""

SAVED = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
FORM = pytest.mark.parametrize("media_type", get_args(MediaType))


def picture_bytes(media_type: str = "image/png", picture: Any = NOISE, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, SAVED[media_type], **options)
    return file.getvalue()


def write(folder: Path, data: bytes, name: str = "a.png") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def opened(data: bytes) -> PIL.Image.Image:
    picture = PIL.Image.open(io.BytesIO(data))
    picture.load()
    return picture


def png_header(width: int, height: int) -> bytes:
    """A PNG of which there is little more than the claim how large it is."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    ends = chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + ends


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path)
    assert isinstance(caught.value, BenchmarkError)
    assert caught.value.path == path
    return caught.value.reason


# Reading


@FORM
def test_a_picture_is_known_by_its_content_whatever_its_name(
    tmp_path: Path, media_type: MediaType
) -> None:
    data = picture_bytes(media_type)

    for name in ("a.png", "a.jpg", "a.txt", "a"):
        path = write(tmp_path, data, name)
        assert read_image(path) == Image(
            digest=hashlib.sha256(data).hexdigest(),
            media_type=media_type,
            width=90,
            height=60,
            size_bytes=len(data),
            path=str(path),
        )


def test_a_path_from_the_working_directory_is_kept_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run may go on from elsewhere."""
    write(tmp_path, picture_bytes())
    monkeypatch.chdir(tmp_path)

    assert read_image(Path("a.png")).path == str(tmp_path / "a.png")


def test_nothing_is_decoded_that_need_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)

    for media_type in get_args(MediaType):
        assert read_image(write(tmp_path, picture_bytes(media_type))).width == 90


@FORM
def test_what_stands_behind_a_pictures_end_does_no_harm(
    tmp_path: Path, media_type: MediaType
) -> None:
    path = write(tmp_path, picture_bytes(media_type) + b"\n\0 what a camera left")

    assert read_image(path).media_type == media_type


def test_a_phones_jpeg_with_a_second_picture_is_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    NOISE.save(path, "MPO", save_all=True, append_images=[NOISE.rotate(90)])

    with PIL.Image.open(path) as picture:
        assert picture.format == "MPO"
    assert read_image(path).media_type == "image/jpeg"


@FORM
@pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.95])
def test_a_picture_that_was_cut_off_is_refused(
    tmp_path: Path, media_type: MediaType, kept: float
) -> None:
    data = picture_bytes(media_type)
    text = refusal(write(tmp_path, data[: int(len(data) * kept)]))

    assert text.startswith(("damaged or cut off: ", "no picture, or a damaged one; "))


def test_a_png_without_its_end_is_cut_off_even_if_all_its_pixels_are_there(tmp_path: Path) -> None:
    assert refusal(write(tmp_path, picture_bytes()[:-12])).startswith("damaged or cut off: ")


KNOWN = "expected one of JPEG, PNG, GIF, WEBP"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"Which planet is red?", f"no picture, or a damaged one; {KNOWN}"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", f"no picture, or a damaged one; {KNOWN}"),
        (b"\x89PNG\r\n\x1a\n", f"no picture, or a damaged one; {KNOWN}"),
        (b"\0" * 100, f"no picture, or a damaged one; {KNOWN}"),
        (png_header(0, 5), f"no picture, or a damaged one; {KNOWN}"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    assert refusal(write(tmp_path, data)) == reason


@pytest.mark.parametrize("form", ["BMP", "TIFF", "PPM"])
def test_a_picture_of_another_format_is_refused(tmp_path: Path, form: str) -> None:
    path = tmp_path / "a.png"
    NOISE.save(path, form)

    assert refusal(path).endswith(KNOWN)


@pytest.mark.parametrize("side", [9_500, 13_500, 100_000, 2**31 - 1])
def test_a_header_that_claims_more_pixels_than_is_safe_is_refused(
    tmp_path: Path, side: int
) -> None:
    """Up to twice Pillow's limit it only warns."""
    assert refusal(write(tmp_path, png_header(side, side))).startswith(
        "too large to be opened safely; make it smaller (Image size"
    )


def test_a_file_that_is_not_there_or_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    assert refusal(tmp_path / "a.png") == "no such file"
    assert refusal(tmp_path / "a\0b") == "no such file"
    assert refusal(tmp_path / "folder") == "a folder or device, no file"
    assert refusal(tmp_path / "pipe") == "a folder or device, no file"
    assert refusal(tmp_path / ("x" * 5000)).startswith("can't be read: File name too long")


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs as root may read everything, so that the refusal is played."""

    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = write(tmp_path, picture_bytes())
    monkeypatch.setattr(Path, "open", deny)

    assert refusal(path) == "can't be read: Permission denied"


@given(st.sampled_from(get_args(MediaType)), st.data())
def test_any_damage_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, media_type: MediaType, data: st.DataObject
) -> None:
    damaged = bytearray(picture_bytes(media_type))
    places = st.integers(0, 99) | st.integers(0, len(damaged) - 1)
    for place, byte in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=5)):
        damaged[place] = byte
    path = write(tmp_path_factory.getbasetemp(), bytes(damaged[: data.draw(places)]))

    for attempt in (lambda: read_image(path), lambda: fit(bytes(damaged), media_type, max_side=20)):
        try:
            attempt()
        except ImageError as error:
            assert str(error)


# Addresses


def test_an_address_is_known_by_itself() -> None:
    url = "HTTPS://example.org/a.png?b=1"

    assert refer_to_image(url) == Image(digest=hashlib.sha256(url.encode()).hexdigest(), url=url)
    assert refer_to_image(url).place == url


@pytest.mark.parametrize("url", ["", "https://", "https:///a.png", "ftp://x/a", "https://a b"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ImageError, match="no address of the web; expected https://"):
        refer_to_image(url)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"path": "/a.png", "url": "https://example.org/a.png"},
        {"path": "/a.png"},
        {"path": "/a.png", "media_type": "image/png", "width": 1, "height": 1},
        {"path": "/a.png", "media_type": "image/bmp", "width": 1, "height": 1, "size_bytes": 1},
    ],
)
def test_a_picture_is_a_file_of_known_size_or_an_address(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^image d: "):
        Image(digest="d", **facts)


# The bytes


def test_the_bytes_are_those_that_were_looked_at(tmp_path: Path) -> None:
    data = picture_bytes()
    image = read_image(write(tmp_path, data))

    assert load_bytes(image) == data
    assert image.place == image.path


@pytest.mark.parametrize("change", [lambda d: d + b" ", lambda d: d[:-1], lambda d: b"?" + d[1:]])
def test_a_file_that_has_changed_since_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    path = write(tmp_path, picture_bytes())
    image = read_image(path)
    path.write_bytes(change(path.read_bytes()))

    with pytest.raises(ImageError, match="has changed since the questions were loaded") as caught:
        load_bytes(image)
    assert caught.value.path == path


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, picture_bytes())
    image = read_image(path)
    path.unlink()

    with pytest.raises(ImageError, match=r"a\.png: no such file"):
        load_bytes(image)


def test_an_address_has_no_bytes_here() -> None:
    with pytest.raises(ValueError, match="is an address"):
        load_bytes(refer_to_image("https://example.org/a.png"))


# Smaller copies


def fit(data: bytes, media_type: str, *, max_side: int = 8000, max_bytes: int = 10**7) -> bytes:
    form = next(name for name in get_args(MediaType) if name == media_type)
    return fit_image(data, form, max_side=max_side, max_bytes=max_bytes)


@FORM
def test_a_picture_that_fits_is_left_as_it_is(media_type: MediaType) -> None:
    data = picture_bytes(media_type)

    assert fit(data, media_type, max_side=90, max_bytes=len(data)) is data


@FORM
@pytest.mark.parametrize(("size", "expected"), [((90, 60), (45, 30)), ((60, 90), (30, 45))])
def test_a_copy_keeps_format_and_proportions(
    media_type: MediaType, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    copy = opened(fit(picture_bytes(media_type, NOISE.resize(size)), media_type, max_side=45))

    assert (copy.format, copy.size) == (SAVED[media_type], expected)


@FORM
@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_a_copy_is_made_to_fit_the_bytes(media_type: MediaType, share: float) -> None:
    data = picture_bytes(media_type, NOISE.resize((180, 120)))
    copy = fit(data, media_type, max_bytes=int(len(data) * share))

    assert len(data) * share / 10 < len(copy) <= len(data) * share
    assert opened(copy).width / opened(copy).height == pytest.approx(1.5, abs=0.05)


def test_a_line_stays_a_line() -> None:
    data = picture_bytes(picture=PIL.Image.new("L", (5000, 3)))

    assert opened(fit(data, "image/png", max_side=100)).size == (100, 1)


@pytest.mark.parametrize("max_bytes", [1, 60])
def test_what_cannot_be_made_small_enough_is_refused(max_bytes: int) -> None:
    with pytest.raises(ImageError, match=f"can't be made smaller than {max_bytes} bytes"):
        fit(picture_bytes(), "image/png", max_bytes=max_bytes)


@pytest.mark.parametrize("limits", [{"max_side": 0}, {"max_bytes": 0}])
def test_limits_below_one_are_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected at least 1"):
        fit(picture_bytes(), "image/png", **limits)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_a_copy_of_any_kind_of_png_shows_the_same(mode: str) -> None:
    """Half black, half white: a palette's numbers, averaged, would be other colours."""
    picture = PIL.Image.new("L", (400, 200), 0)
    picture.paste(255, (200, 0, 400, 200))
    picture = picture.convert("I").convert(mode) if mode == "I;16" else picture.convert(mode)
    copy = opened(fit(picture_bytes(picture=picture), "image/png", max_side=40))

    assert copy.size == (40, 20)
    assert [copy.convert("L").getpixel(at) for at in ((5, 10), (35, 10))] == [0, 255]


def test_a_transparent_colour_stays_transparent() -> None:
    picture = PIL.Image.new("P", (400, 200), 7)
    picture.putpalette([(shade * step) % 256 for shade in range(256) for step in (1, 2, 3)])
    picture.paste(3, (200, 0, 400, 200))
    for media_type in ("image/png", "image/gif"):
        data = picture_bytes(media_type, picture, transparency=7)
        copy = opened(fit(data, media_type, max_side=40)).convert("RGBA")
        opacity = [copy.getchannel("A").getpixel(at) for at in ((5, 10), (35, 10))]
        assert opacity == [0, 255]


def test_a_photograph_taken_upright_stays_upright() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # held a quarter turn to the left
    data = picture_bytes("image/jpeg", NOISE, exif=exif)
    copy = opened(fit(data, "image/jpeg", max_side=30))

    assert copy.size == (20, 30)
    assert copy.getexif().get(0x0112) is None


def test_the_colours_of_a_copy_are_named_as_in_the_picture() -> None:
    data = picture_bytes("image/jpeg", icc_profile=b"profile")

    assert opened(fit(data, "image/jpeg", max_side=30)).info["icc_profile"] == b"profile"


def test_a_moving_picture_gives_its_first_frame() -> None:
    frames = [PIL.Image.new("L", (50, 50), shade) for shade in (40, 90, 200)]
    data = picture_bytes("image/gif", frames[0], save_all=True, append_images=frames[1:])
    copy = opened(fit(data, "image/gif", max_side=10))

    assert getattr(copy, "n_frames", 1) == 1
    assert copy.convert("L").getpixel((5, 5)) == 40


@pytest.mark.parametrize(
    "data", [b"", b"no picture", picture_bytes()[:9000], png_header(9500, 9500)]
)
def test_no_copy_is_made_of_what_is_no_picture(data: bytes) -> None:
    with pytest.raises(ImageError):
        fit(data, "image/png", max_side=10)


# Limits


def image_of(width: int = 10, height: int = 10, size_bytes: int = 100) -> Image:
    return Image(
        digest="0" * 64,
        media_type="image/png",
        width=width,
        height=height,
        size_bytes=size_bytes,
        path="/a.png",
    )


ADDRESS = refer_to_image("https://example.org/a.png")


@pytest.mark.parametrize(
    "images",
    [
        [],
        [image_of(8000, 8000)],
        [image_of(8000)] * 20,
        [image_of(2000, 2000)] * 21,
        [image_of()] * 600,
        [ADDRESS] * 600,
        [image_of(size_bytes=7_864_320)],  # 10,485,760 in base64
        [image_of(size_bytes=7_864_320)] * 3,
        [*[ADDRESS] * 20, image_of(2000)],
    ],
    ids=len,
)
def test_images_within_the_limits_are_let_through(images: list[Image]) -> None:
    check_images(images, ImageLimits())


TOO_LONG = "8001 x 5 pixels, more than 8000 a side: --resize sends a smaller copy"
TOO_LONG_AMONG_MANY = (
    "5 x 2001 pixels, more than 2000 a side in a request of 21 images: "
    "--resize sends a smaller copy"
)
TOO_HEAVY = "10485764 bytes in base64, more than 10485760: --resize sends a smaller copy"


@pytest.mark.parametrize(
    ("images", "text"),
    [
        ([image_of(), image_of(8001, 5)], f"/a.png: image 2 has {TOO_LONG}"),
        ([*[ADDRESS] * 20, image_of(5, 2001)], f"/a.png: image 21 has {TOO_LONG_AMONG_MANY}"),
        ([image_of(size_bytes=7_864_321)], f"/a.png: image 1 has {TOO_HEAVY}"),
        (
            [ADDRESS] * 601,
            "601 images in one request; the model takes 600: show fewer worked examples",
        ),
        (
            [image_of(size_bytes=7_000_000)] * 4,
            "4 images have 37333344 bytes in base64, more than the 32505856 of one request: "
            "--resize sends smaller copies, --images file uploads them",
        ),
    ],
)
def test_what_an_endpoint_would_refuse_is_refused_before(images: list[Image], text: str) -> None:
    with pytest.raises(ImageError) as caught:
        check_images(images, ImageLimits())
    assert str(caught.value) == text


def test_a_model_with_a_smaller_context_takes_fewer_images() -> None:
    with pytest.raises(ImageError, match="101 images in one request; the model takes 100"):
        check_images([ADDRESS] * 101, ImageLimits(max_images=100))


# Tokens

STANDARD, HIGH = (1568, 1568), (2576, 4784)


@pytest.mark.parametrize(
    ("size", "tier", "tokens"),
    [
        ((200, 200), STANDARD, 64),
        ((200, 200), HIGH, 64),
        ((1000, 1000), STANDARD, 1296),
        ((1000, 1000), HIGH, 1296),
        ((1920, 1080), STANDARD, 1560),
        ((1080, 1920), STANDARD, 1560),
        ((1920, 1080), HIGH, 2691),
        ((1, 1), STANDARD, 1),
        ((28, 28), STANDARD, 1),
        ((29, 28), STANDARD, 2),
        ((100_000, 1), STANDARD, 56),
    ],
)
def test_tokens_are_those_of_the_documentation(
    size: tuple[int, int], tier: tuple[int, int], tokens: int
) -> None:
    assert count_image_tokens(*size, max_edge=tier[0], max_tokens=tier[1]) == tokens


SIDES = st.integers(1, 3000)


@given(SIDES, SIDES, st.integers(1, 2000), st.integers(1, 2000))
def test_tokens_are_those_of_the_largest_copy_that_fits(
    width: int, height: int, max_edge: int, max_tokens: int
) -> None:
    """The slow definition: try one pixel less until it fits."""
    edge = min(max(width, height), max_edge)
    while True:
        copy = [max(1, round(side * edge / max(width, height))) for side in (width, height)]
        tokens = math.prod(math.ceil(side / 28) for side in copy)
        if tokens <= max_tokens:
            break
        edge -= 1

    assert count_image_tokens(width, height, max_edge=max_edge, max_tokens=max_tokens) == tokens


@pytest.mark.parametrize("numbers", [(0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)])
def test_a_picture_without_pixels_costs_nothing_defined(numbers: tuple[int, ...]) -> None:
    width, height, edge, tokens = numbers

    with pytest.raises(ValueError, match="expected at least 1"):
        count_image_tokens(width, height, max_edge=edge, max_tokens=tokens)


# Marks


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", ()),
        ("<image 1>", (1,)),
        ("As in <image 2>, <image 10> and <image 2>.", (2, 10, 2)),
        ("<image 0>", (0,)),
        ("<image> <image_1> <Image 1> <image  1> <image 1 > <image one> <image 1234>", ()),
    ],
)
def test_marks_are_found_where_they_are_written_as_published_sets_write_them(
    text: str, numbers: tuple[int, ...]
) -> None:
    assert find_marks(text) == numbers


@given(st.text(), st.integers(0, 999), st.text())
def test_a_mark_that_is_written_is_found(before: str, number: int, after: str) -> None:
    assert number in find_marks(f"{before}{write_mark(number)}{after}")


def test_marks_change_places_without_being_confused() -> None:
    assert renumber_marks("<image 1><image 2>", {1: 2, 2: 1}) == "<image 2><image 1>"


def test_every_format_that_is_looked_for_has_its_media_type() -> None:
    assert set(FORMATS.values()) == set(get_args(MediaType))
