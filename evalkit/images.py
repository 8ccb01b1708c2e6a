"""Pictures as data: where each lies, what it is, how large it is."""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal, get_args

from evalkit.errors import ImageError

if TYPE_CHECKING:
    import PIL.Image

MediaType = Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
"""The kinds of pictures that the API takes."""

FORMATS: Final[Mapping[str, MediaType]] = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "WEBP": "image/webp",  # last: to look for it, Pillow loads all its plugins
}
"""What Pillow looks for, by its names of formats."""

MEDIA_TYPES: Final[Mapping[str, MediaType]] = {**FORMATS, "MPO": "image/jpeg"}
"""What Pillow finds. MPO is a JPEG with more pictures behind the first, as phones write them."""

ENDINGS: Final[Mapping[str, bytes]] = {
    "image/jpeg": b"\xff\xd9",
    "image/png": b"IEND\xaeB`\x82",
    "image/gif": b"\x00;",
}
"""What a whole file ends with, but for a few. Of WebP, Pillow reads the whole file on opening."""

MARK: Final = re.compile(r"<image (\d{1,3})>")
"""Where a text speaks of a picture: `<image 2>` is the second of its question."""

QUALITY: Final = 90
"""Of smaller copies in JPEG and WebP, from 0 to 100."""

PATCH: Final = 28
"""A token shows this many pixels in each direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that a question shows: a file or an address, never its bytes.

    Example:
        >>> Image(digest="0" * 64, url="https://example.org/a.png").place
        'https://example.org/a.png'
    """

    digest: str
    """SHA-256 of the file's bytes, or of the address, as 64 hexadecimal digits."""
    media_type: MediaType | None = None
    """What the bytes are, whatever the file's name says; None for an address."""
    width: int | None = None
    """Pixels; None for an address."""
    height: int | None = None
    """Pixels; None for an address."""
    size_bytes: int | None = None
    """Of the file; None for an address."""
    path: str | None = None
    """The file, absolute."""
    url: str | None = None
    """The address, http or https, if there is no file."""

    def __post_init__(self) -> None:
        if (self.path is None) == (self.url is None):
            raise ValueError(f"image {self.digest}: expected a path or an address")
        if self.path is not None and (
            self.media_type not in get_args(MediaType)
            or None in (self.width, self.height, self.size_bytes)
        ):
            raise ValueError(f"image {self.digest}: a file has a known media type and size")

    @property
    def place(self) -> str:
        """The file or the address."""
        place = self.path or self.url
        assert place is not None
        return place


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """What an endpoint takes.

    Source: Messages API documentation, "Vision", 2026.
    """

    max_side: int = 8000
    """Pixels of the longer side."""
    many_side: int = 2000
    """The same in requests with more than `many_count` images."""
    many_count: int = 20
    max_images: int = 600
    """In one request; 100 for models with a context window of 200,000 tokens."""
    max_base64_bytes: int = 10_485_760
    """Of one image as it is sent, in base64."""
    max_request_bytes: int = 31 * 1024 * 1024
    """Of all images of a request in base64; the rest of its 32 MB is for the text."""


def read_image(path: Path) -> Image:
    """Look at a picture's header and digest, without decoding it.

    Raises:
        ImageError: there is no such file, it is no whole picture in one of the four formats, or
            it claims more pixels than is safe to open.
    """
    with open_file(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = file.tell()
        if size_bytes == 0:
            raise ImageError("the file is empty", path=path)
        file.seek(-min(size_bytes, 16), os.SEEK_END)
        tail = file.read()
        with open_picture(file, path) as picture:
            media_type = MEDIA_TYPES[picture.format or ""]
            width, height = picture.size
            if not tail.endswith(ENDINGS.get(media_type, b"")):
                # Cut off, or just with something behind its end? Pillow would load a PNG without
                # its end; of the others, it can verify nothing.
                (picture.verify if media_type == "image/png" else picture.load)()
    return Image(
        digest=digest,
        media_type=media_type,
        width=width,
        height=height,
        size_bytes=size_bytes,
        path=str(path.absolute()),
    )


def refer_to_image(url: str) -> Image:
    """A picture that the endpoint itself fetches; the address is not tried.

    Raises:
        ImageError: it is no address of the web.
    """
    if not re.fullmatch(r"https?://[^\s/]\S*", url, re.IGNORECASE):
        raise ImageError("no address of the web; expected https://...")
    digest = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
    return Image(digest=digest, url=url)


def load_bytes(image: Image) -> bytes:
    """Read a picture's file, which must still be the one that was looked at.

    Raises:
        ImageError: the file is gone, can't be read, or has changed.
        ValueError: the picture is an address.
    """
    if image.path is None or image.size_bytes is None:
        raise ValueError(f"{image.place} is an address: its bytes are not here")
    path = Path(image.path)
    with open_file(path) as file:
        data = file.read(image.size_bytes + 1)
    if hashlib.sha256(data).hexdigest() != image.digest:
        reason = "has changed since the questions were loaded; restore it, or begin another run"
        raise ImageError(reason, path=path)
    return data


@contextmanager
def open_file(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading; one that can't be read is an error of ours."""
    try:
        if not path.is_file():
            reason = "a folder or device, no file" if path.exists() else "no such file"
            raise ImageError(reason, path=path)
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ImageError(f"can't be read: {error.strerror}", path=path) from error


@contextmanager
def open_picture(file: BinaryIO, path: Path | None = None) -> Iterator[PIL.Image.Image]:
    """Open a picture; whatever is wrong with it, there and inside the block, is an `ImageError`."""
    import PIL.Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", PIL.Image.DecompressionBombWarning)
        try:
            with PIL.Image.open(file, formats=tuple(FORMATS)) as picture:
                yield picture
        except (PIL.Image.DecompressionBombWarning, PIL.Image.DecompressionBombError) as error:
            reason = f"too large to be opened safely; make it smaller ({error})"
            raise ImageError(reason, path=path) from error
        except PIL.UnidentifiedImageError as error:
            reason = f"no picture, or a damaged one; expected one of {', '.join(FORMATS)}"
            raise ImageError(reason, path=path) from error
        except Exception as error:  # a damaged file leads Pillow to errors of all kinds
            raise ImageError(f"damaged or cut off: {error}", path=path) from error


def fit_image(data: bytes, media_type: MediaType, *, max_side: int, max_bytes: int) -> bytes:
    """A smaller copy of a picture, in its format and with its proportions, if it is too large.

    A copy is turned as its camera was held; of a moving picture it is the first frame.

    Args:
        data: the picture.
        media_type: its format.
        max_side: pixels of the longer side, at least 1.
        max_bytes: of the file, before base64, at least 1.

    Returns:
        The data themselves if they are within both limits.

    Raises:
        ImageError: it can't be read, or not made that small.
    """
    if min(max_side, max_bytes) < 1:
        raise ValueError(f"max_side {max_side}, max_bytes {max_bytes}: expected at least 1")
    with open_picture(io.BytesIO(data)) as picture:
        side = max(picture.size)
        if side <= max_side and len(data) <= max_bytes:
            return data
        upright = prepare(picture)
        side = min(side, max_side)
        while side >= 1:
            fitted = encode(shrink(upright, side), media_type)
            if len(fitted) <= max_bytes:
                return fitted
            # Bytes grow about as pixels do; 0.95 leaves room for what doesn't shrink with them.
            side = min(side - 1, int(side * 0.95 * sqrt(max_bytes / len(fitted))))
    raise ImageError(f"can't be made smaller than {max_bytes} bytes")


def prepare(picture: PIL.Image.Image) -> PIL.Image.Image:
    """A picture upright, in colours that can be averaged: a palette's numbers can't."""
    from PIL import ImageOps

    # Decoded first: only then does Pillow know of all transparency.
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode == "P" or "transparency" in upright.info:
        return upright.convert("RGBA" if "transparency" in upright.info else "RGB")
    return upright.convert("L") if upright.mode == "1" else upright


def shrink(picture: PIL.Image.Image, side: int) -> PIL.Image.Image:
    """A copy whose longer side has so many pixels."""
    import PIL.Image

    longest = max(picture.size)
    width, height = (max(1, round(length * side / longest)) for length in picture.size)
    return picture.resize((width, height), PIL.Image.Resampling.LANCZOS)


def encode(picture: PIL.Image.Image, media_type: MediaType) -> bytes:
    """A picture as the bytes of a file."""
    file = io.BytesIO()
    profile = picture.info.get("icc_profile")  # without it, colours would be others
    form = media_type.removeprefix("image/")
    picture.save(file, format=form, quality=QUALITY, icc_profile=profile)
    return file.getvalue()


def count_base64_bytes(size_bytes: int) -> int:
    """The length of so many bytes in base64.

    Example:
        >>> count_base64_bytes(3), count_base64_bytes(4)
        (4, 8)
    """
    return 4 * ceil(size_bytes / 3)


def check_images(images: Sequence[Image], limits: ImageLimits, *, resize: bool = False) -> None:
    """Refuse what an endpoint would refuse, before anything is paid for.

    Args:
        images: all of one request, worked examples' included. Addresses count, but have no size.
        limits: of the endpoint and the model.
        resize: whether smaller copies are sent of those that are too large.

    Raises:
        ImageError: naming the image, the limit and the remedy.
    """
    if len(images) > limits.max_images:
        reason = f"{len(images)} images in one request; the model takes {limits.max_images}"
        raise ImageError(f"{reason}: show fewer worked examples")
    if resize:
        return
    many = len(images) > limits.many_count
    longest = limits.many_side if many else limits.max_side
    where = f" in a request of {len(images)} images" if many else ""
    total = 0
    for number, image in enumerate(images, start=1):
        if image.path is None:
            continue
        assert image.width is not None and image.height is not None
        assert image.size_bytes is not None
        base64_bytes = count_base64_bytes(image.size_bytes)
        total += base64_bytes
        if max(image.width, image.height) > longest:
            size = f"{image.width} x {image.height} pixels, more than {longest} a side{where}"
        elif base64_bytes > limits.max_base64_bytes:
            size = f"{base64_bytes} bytes in base64, more than {limits.max_base64_bytes}"
        else:
            continue
        remedy = "--resize sends a smaller copy"
        raise ImageError(f"image {number} has {size}: {remedy}", path=Path(image.path))
    if total > limits.max_request_bytes:
        raise ImageError(
            f"{len(images)} images have {total} bytes in base64, more than the "
            f"{limits.max_request_bytes} of one request: --resize sends smaller copies, "
            "--images file uploads them"
        )


def count_image_tokens(width: int, height: int, *, max_edge: int, max_tokens: int) -> int:
    """Tokens that a picture costs, which the service shrinks first to what a model looks at.

    Args:
        width: pixels, at least 1.
        height: pixels, at least 1.
        max_edge: pixels of the longer side that the model looks at, at least 1.
        max_tokens: tokens that one picture may cost, at least 1.

    Source: Messages API documentation, "Vision", 2026: ceil(width / 28) x ceil(height / 28).

    Example:
        >>> count_image_tokens(1920, 1080, max_edge=1568, max_tokens=1568)  # as 1456 x 819
        1560
        >>> count_image_tokens(1920, 1080, max_edge=2576, max_tokens=4784)
        2691
    """
    if min(width, height, max_edge, max_tokens) < 1:
        raise ValueError(f"{width} x {height}, {max_edge}, {max_tokens}: expected at least 1")
    longer, shorter = max(width, height), min(width, height)

    def tokens(edge: int) -> int:
        other = max(1, round(shorter * edge / longer))
        return ceil(edge / PATCH) * ceil(other / PATCH)

    # Tokens never fall as the edge grows, so that the largest edge that fits is found by halving.
    edges = range(1, min(longer, max_edge) + 1)
    return tokens(bisect_right(edges, max_tokens, key=tokens))


def find_marks(text: str) -> tuple[int, ...]:
    """The numbers of the pictures that a text speaks of.

    Example:
        >>> find_marks("What follows <image 2>, if <image 1> does?")
        (2, 1)
    """
    return tuple(int(mark[1]) for mark in MARK.finditer(text))


def write_mark(number: int) -> str:
    """The mark of a picture.

    Example:
        >>> write_mark(3)
        '<image 3>'
    """
    return f"<image {number}>"


def renumber_marks(text: str, numbers: Mapping[int, int]) -> str:
    """Give the marks of a text other numbers.

    Example:
        >>> renumber_marks("<image 3> and <image 1>", {1: 1, 3: 2})
        '<image 2> and <image 1>'
    """
    return MARK.sub(lambda mark: write_mark(numbers[int(mark[1])]), text)
