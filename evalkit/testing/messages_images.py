"""The limits that the service puts on images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from evalkit.testing.messages_body import Body, images_of
from evalkit.testing.messages_errors import Rejection, unknown_tag
from evalkit.testing.messages_models import ServedModel
from evalkit.testing.messages_pictures import Picture, picture_in, scaled_sides

MEDIA_TYPES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
MAX_IMAGE_BYTES: Final = 10_485_760
"""Of the Base64 text."""
MANY_IMAGES: Final = 20
LONGEST_SIDE: Final = 8000
LONGEST_SIDE_OF_MANY: Final = 2000


def check_images(body: Body, model: ServedModel) -> None:
    """Reject too many, too large, and unknown kinds of images."""
    images = images_of(body)
    most = 100 if model.context_tokens <= 200_000 else 600
    if len(images) > most:
        raise Rejection(f"messages: too many images: {len(images)} > {most} maximum")
    seen: list[tuple[str, Mapping[str, Any], Picture]] = []
    for place, block in images:
        source = block.get("source")
        if not isinstance(source, Mapping):
            raise Rejection(f"{place}.image.source: Field required")
        picture = _picture_from(f"{place}.image.source", source)
        if picture is not None:
            seen.append((place, block, picture))
    _check_sides({place: picture for place, _, picture in seen}, many=len(images) > MANY_IMAGES)
    for place, block, picture in seen:
        _check_transformation(place, block, picture, model)


def _picture_from(place: str, source: Mapping[str, Any]) -> Picture | None:
    """The picture of a source; None where it is behind a URL."""
    kind = source.get("type")
    if kind not in ("base64", "url", "file"):
        raise unknown_tag(place, kind, ("base64", "url", "file"))
    if kind == "url":
        if not isinstance(source.get("url"), str):
            raise Rejection(f"{place}.url.url: Field required")
        return None
    if source.get("media_type") not in MEDIA_TYPES:
        expected = ", ".join(f"'{name}'" for name in MEDIA_TYPES)
        raise Rejection(f"{place}.{kind}.media_type: Input should be {expected}")
    return _decoded(f"{place}.{kind}", source)


def _decoded(place: str, source: Mapping[str, Any]) -> Picture:
    data, declared = str(source.get("data", "")), source["media_type"]
    if len(data) > MAX_IMAGE_BYTES:
        raise Rejection(
            f"{place}: image exceeds 10 MB maximum: {len(data)} bytes > {MAX_IMAGE_BYTES} bytes"
        )
    try:
        picture = picture_in(data)
    except ValueError as error:
        raise Rejection(f"{place}.data: invalid base64 data") from error
    if picture is None:
        raise Rejection(f"{place}.data: Could not process image")
    if picture.media_type != declared:
        raise Rejection(
            f"{place}.media_type: The image was specified using the {declared} media type, but "
            f"the image appears to be a {picture.media_type} image"
        )
    return picture


def _check_sides(pictures: Mapping[str, Picture], *, many: bool) -> None:
    limit = LONGEST_SIDE_OF_MANY if many else LONGEST_SIDE
    paths = [
        place for place, picture in pictures.items() if max(picture.width, picture.height) > limit
    ]
    if paths:
        requests = " for many-image requests" if many else ""
        raise Rejection(
            f"{paths[0]}.image.source: At least one of the image dimensions exceed max allowed "
            f"size{requests}: {limit} pixels",
            details={
                "error_code": "image_dimensions_too_large",
                "max_side_length_pixels": limit,
                "paths": paths,
            },
        )


def _check_transformation(
    place: str, block: Mapping[str, Any], picture: Picture, model: ServedModel
) -> None:
    """Reject an image that would be scaled down where the block says that it must not be."""
    transformations = block.get("transformations") or {}
    chosen = transformations.get("oversized_image", "downsize")
    if chosen not in ("downsize", "error"):
        raise Rejection(
            f"{place}.image.transformations.oversized_image: Input should be 'downsize' or 'error'"
        )
    if chosen == "downsize":
        return
    sides = (picture.width, picture.height)
    largest = scaled_sides(*sides, model)
    if sides != largest:
        raise Rejection(
            f"{place}.image: the image has {sides[0]}x{sides[1]} pixels; at most "
            f"{largest[0]}x{largest[1]} fit"
        )
