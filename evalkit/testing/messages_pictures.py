"""Kind and sides of a picture from its bytes, and the tokens that it costs."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from evalkit.testing.messages_models import ServedModel

UNSEEN_PICTURE_TOKENS: Final = 1000
"""What a picture costs here that the server does not see, such as one behind a URL."""
PATCH_PIXELS: Final = 28
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_STANDARD_LIMITS: Final = (1568, 1568)
_HIGH_LIMITS: Final = (2576, 4784)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the head of a picture says."""

    media_type: str
    width: int
    height: int


def picture_of(content: bytes) -> Picture | None:
    """The picture that the bytes begin; None if they begin none that can be read."""
    for media_type, is_kind, sides_of in _KINDS:
        if is_kind(content):
            try:
                width, height = sides_of(content)
            except (struct.error, IndexError):
                return None
            readable = width > 0 and height > 0
            return Picture(media_type=media_type, width=width, height=height) if readable else None
    return None


@lru_cache(maxsize=32)
def picture_in(data: str) -> Picture | None:
    """The same for Base64.

    Raises:
        ValueError: for what is no Base64.
    """
    return picture_of(base64.b64decode(data, validate=True))


def cost_of(source: Mapping[str, Any], model: ServedModel) -> int:
    """The tokens of the picture with that source, checked already."""
    try:
        picture = picture_in(str(source.get("data", "")))
    except ValueError:
        picture = None
    if picture is None:
        return UNSEEN_PICTURE_TOKENS
    return _patches(*scaled_sides(picture.width, picture.height, model))


def scaled_sides(width: int, height: int, model: ServedModel) -> tuple[int, int]:
    """The sides at which a model sees a picture: the largest that fit, in the same proportion."""
    most_pixels, most_tokens = _HIGH_LIMITS if model.newer_tokenizer else _STANDARD_LIMITS
    longest = max(width, height)

    def at(long_side: int) -> tuple[int, int]:
        scale = long_side / longest
        return max(1, round(width * scale)), max(1, round(height * scale))

    fits, too_long = 0, min(longest, most_pixels) + 1
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if _patches(*at(middle)) <= most_tokens:
            fits = middle
        else:
            too_long = middle
    return at(fits)


def _patches(width: int, height: int) -> int:
    return math.ceil(width / PATCH_PIXELS) * math.ceil(height / PATCH_PIXELS)


def _png_sides(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _gif_sides(content: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", content[6:10])
    return width, height


def _jpeg_sides(content: bytes) -> tuple[int, int]:
    """The sides from the frame header, which comes after segments of any number."""
    place = 2
    while True:
        while content[place + 1] == 0xFF:  # padding
            place += 1
        marker, length = struct.unpack(">BH", content[place + 1 : place + 4])
        is_frame = 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)
        if is_frame:
            height, width = struct.unpack(">HH", content[place + 5 : place + 9])
            return width, height
        place += 2 + length


def _webp_sides(content: bytes) -> tuple[int, int]:
    """The sides from the first chunk, of which there are three kinds."""
    kind = content[12:16]
    if kind == b"VP8X":
        sides = [int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27)]
        return sides[0], sides[1]
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", content[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", content[26:30])
    return width & 0x3FFF, height & 0x3FFF


_KINDS: Final[
    tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], tuple[int, int]]], ...]
] = (
    ("image/png", lambda content: content.startswith(_PNG_SIGNATURE), _png_sides),
    ("image/gif", lambda content: content[:6] in (b"GIF87a", b"GIF89a"), _gif_sides),
    ("image/jpeg", lambda content: content.startswith(b"\xff\xd8\xff"), _jpeg_sides),
    (
        "image/webp",
        lambda content: content[:4] == b"RIFF" and content[8:12] == b"WEBP",
        _webp_sides,
    ),
)
