"""The pictures of questions within a page: small copies, each once, as far as there is room."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from evalkit.errors import ImageError
from evalkit.images import Image, fit_image, load_bytes
from evalkit.reports.html.packing import build_element, pack
from evalkit.reports.html.texts import tidy

MOST_PIXELS, MOST_BYTES = 1024, 200_000
"""Of a picture's longer side, and of its file."""


class Pictures:
    """Takes pictures as questions show them.

    Args:
        room: bytes of the page that all of them together may take.
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self.left_out = 0
        """Pictures for which there was no room."""
        self._known: set[str] = set()

    def add(self, image: Image) -> Iterator[bytes]:
        """The element of a picture that was not added before."""
        if image.digest in self._known:
            return
        self._known.add(image.digest)
        element = build_element("picture", pack(self._describe(image)))
        self.room -= len(element)
        yield element

    def _describe(self, image: Image) -> dict[str, Any]:
        """The picture with its bytes, or what is known of it instead."""
        facts: dict[str, Any] = {"digest": image.digest}
        if image.url is not None:
            return {**facts, "missing": f"not loaded from {tidy(image.url)}"}
        name = tidy(PurePath(image.place).name)
        if self.room < MOST_BYTES:
            self.left_out += 1
            return {**facts, "missing": f"{name}, left out because this file would be too large"}
        try:
            data, kind = load_bytes(image), image.media_type
            assert kind is not None, "a file has one"
            data = fit_image(data, kind, max_side=MOST_PIXELS, max_bytes=MOST_BYTES)
        except ImageError:
            return {**facts, "missing": f"{name}, which is gone or has changed since the run"}
        return {**facts, "type": kind, "data": base64.b64encode(data).decode()}
