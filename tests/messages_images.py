"""The limits that the service puts on images."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any, Final

from tests.messages_body import Body, images_of
from tests.messages_errors import Rejection
from tests.messages_models import ServedModel

MEDIA_TYPES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
MAX_IMAGE_BYTES: Final = 10_485_760
MANY_IMAGES: Final = 20
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"


def check_images(body: Body, model: ServedModel) -> None:
    """Reject too many, too large, and unknown kinds of images."""
    images = images_of(body)
    most = 100 if model.context_tokens <= 200_000 else 600
    if len(images) > most:
        raise Rejection(f"messages: too many images: {len(images)} > {most} maximum")
    for place, block in images:
        source = block.get("source")
        if not isinstance(source, Mapping):
            raise Rejection(f"{place}.image.source: Field required")
        _check_source(f"{place}.image.source", source)
        _check_sides(place, source, many=len(images) > MANY_IMAGES)


def _check_source(place: str, source: Mapping[str, Any]) -> None:
    kind = source.get("type")
    if kind == "file":
        name = source.get("file_id")
        raise Rejection(f"File `{name}` not found.", status=404, error_type="not_found_error")
    if kind not in ("base64", "url"):
        raise Rejection(
            f"{place}: Input tag '{kind}' found using 'type' does not match any of the expected "
            "tags: 'base64', 'url', 'file'"
        )
    if kind == "url":
        return
    if source.get("media_type") not in MEDIA_TYPES:
        expected = ", ".join(f"'{name}'" for name in MEDIA_TYPES)
        raise Rejection(f"{place}.base64.media_type: Input should be {expected}")
    size = len(str(source.get("data", "")))
    if size > MAX_IMAGE_BYTES:
        raise Rejection(
            f"{place}.base64: image exceeds 10 MB maximum: {size} bytes > {MAX_IMAGE_BYTES} bytes"
        )


def _check_sides(place: str, source: Mapping[str, Any], *, many: bool) -> None:
    if source.get("type") != "base64":
        return
    longest, limit = max(_png_sides(source)), 2000 if many else 8000
    if longest > limit:
        requests = " for many-image requests" if many else ""
        raise Rejection(
            f"{place}.image.source.base64.data: At least one of the image dimensions exceed max "
            f"allowed size{requests}: {limit} pixels",
            details={
                "error_code": "image_dimensions_too_large",
                "max_side_length_pixels": limit,
                "paths": [place],
            },
        )


def _png_sides(source: Mapping[str, Any]) -> tuple[int, int]:
    """Width and height of a PNG; (0, 0) for the other kinds, whose size is not looked at here."""
    try:
        head = base64.b64decode(str(source.get("data", ""))[:32], validate=True)
    except binascii.Error as error:
        raise Rejection("messages: invalid base64 data") from error
    if not head.startswith(_PNG_SIGNATURE) or len(head) < 24:
        return (0, 0)
    width, height = struct.unpack(">II", head[16:24])
    return (width, height)
