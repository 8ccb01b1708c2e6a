"""From a request to what goes over the wire: pictures attached, a shared prefix marked.

None of it changes what a model sees, so that it is no part of a request's id.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.api.files import FileStore
from evalkit.elicitation.caching import list_images, mark_prefix, measure_prefix, name_prefix
from evalkit.images import (
    Image,
    ImageLimits,
    count_base64_bytes,
    count_image_tokens,
    fit_image,
    load_bytes,
)
from evalkit.models.model import Model
from evalkit.questions import Question

KEPT_PICTURES = 16
"""Pictures kept in memory, since worked examples show the same ones again."""

NEAR = 0.8
"""The share of the model's minimum from which a prefix is marked: its length is an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How large each picture of a request may be."""

    side: int
    """Pixels of the longer side."""
    base64_bytes: int


@dataclass(kw_only=True, eq=False)
class Courier:
    """Makes requests ready to be sent to one model."""

    facts: Model
    limits: ImageLimits
    images: Mapping[str, Image]
    """The pictures of all questions, by digest."""
    store: FileStore | None = None
    """Where pictures are uploaded; None: they travel in the request."""
    resize: bool = False
    cache: bool = True
    _kept: dict[str, str] = field(default_factory=dict)
    _warm: set[str] = field(default_factory=set)
    """Prefixes that are in the endpoint's cache."""
    _warming: set[str] = field(default_factory=set)
    """Prefixes that the first request is under way with."""

    async def dress(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A request as it goes over the wire.

        Raises:
            ImageError: a picture's file has changed or is gone.
            ApiError: it could not be uploaded.
        """
        is_cacheable = self.is_cacheable(body)
        if self.images:
            bounds = self._find_bounds(body["messages"])
            turns = [await self._attach(turn, bounds) for turn in body["messages"]]
            body = {**body, "messages": turns}
        return mark_prefix(body) if is_cacheable else body

    def is_cacheable(self, body: Mapping[str, Any]) -> bool:
        """Whether what stands before the question is long enough for the model's cache."""
        least, per_token = self.facts.cache_minimum_tokens, self.facts.characters_per_token
        if not self.cache or least is None or not per_token:
            return False
        tokens = measure_prefix(body) / per_token
        tokens += sum(self._count_tokens(self.images[digest]) for digest in list_images(body))
        return tokens >= NEAR * least

    def _count_tokens(self, image: Image) -> int:
        """What a picture counts for; of an address, nobody knows the size."""
        if image.width is None or image.height is None:
            return 0
        edge, most = self.facts.image_edge, self.facts.image_tokens
        return count_image_tokens(image.width, image.height, max_edge=edge, max_tokens=most)

    def may_go(self, body: Mapping[str, Any]) -> bool:
        """Whether a request may go: the first with a prefix fills the cache before others do.

        It is taken for gone from then on, until `note_answered` or `note_failed`; if it fails, the
        next one takes its place.
        """
        if not self.is_cacheable(body):
            return True
        name = name_prefix(body)
        if name in self._warm:
            return True
        if name in self._warming:
            return False
        self._warming.add(name)
        return True

    def note_answered(self, body: Mapping[str, Any]) -> None:
        """Hear of a request that was answered: what it shares with others is in the cache."""
        if self.is_cacheable(body):
            self._warm.add(name_prefix(body))

    def note_failed(self, body: Mapping[str, Any]) -> None:
        """Hear of a request that will not be answered."""
        if self.is_cacheable(body):
            self._warming.discard(name_prefix(body))

    def _find_bounds(self, turns: Sequence[Mapping[str, Any]]) -> Bounds:
        """What the endpoint takes in this request."""
        shown = [self.images[digest] for digest in list_digests(turns)]
        many = len(shown) > self.limits.many_count
        side = self.limits.many_side if many else self.limits.max_side
        sizes = [count_base64_bytes(image.size_bytes) for image in shown if image.size_bytes]
        most = self.limits.max_base64_bytes
        if self.store is None and sum(sizes) > self.limits.max_request_bytes:
            most = min(most, self.limits.max_request_bytes // len(sizes))
        return Bounds(side=side, base64_bytes=most)

    async def _attach(self, turn: Mapping[str, Any], bounds: Bounds) -> Mapping[str, Any]:
        """A turn with its pictures in it."""
        content = turn["content"]
        if isinstance(content, str):
            return turn
        blocks = [
            {**block, "source": await self._find_source(block["source"]["sha256"], bounds)}
            if block["type"] == "image"
            else block
            for block in content
        ]
        return {**turn, "content": blocks}

    async def _find_source(self, digest: str, bounds: Bounds) -> Mapping[str, str]:
        """Where the endpoint finds a picture."""
        image = self.images[digest]
        if image.url is not None:
            return {"type": "url", "url": image.url}
        assert image.media_type is not None, "a file has one"
        is_copied = self.resize and not fits(image, bounds)
        name = f"{digest}-{bounds.side}-{bounds.base64_bytes}" if is_copied else digest
        if self.store is not None:
            file_id = await self.store.file_id(
                name, lambda: self._load(image, bounds), image.media_type
            )
            return {"type": "file", "file_id": file_id}
        if name not in self._kept:
            data = await asyncio.to_thread(self._load, image, bounds)
            while len(self._kept) >= KEPT_PICTURES:
                self._kept.pop(next(iter(self._kept)))
            self._kept[name] = base64.b64encode(data).decode()
        return {"type": "base64", "media_type": image.media_type, "data": self._kept[name]}

    def _load(self, image: Image, bounds: Bounds) -> bytes:
        """The bytes of a picture, of a smaller copy if it is too large and that is allowed."""
        data = load_bytes(image)
        if not self.resize:
            return data
        assert image.media_type is not None, "a file has one"
        most = bounds.base64_bytes // 4 * 3
        return fit_image(data, image.media_type, max_side=bounds.side, max_bytes=most)


def collect_images(questions: Iterable[Question]) -> dict[str, Image]:
    """The pictures of questions, by digest."""
    return {image.digest: image for question in questions for image in question.images}


def list_digests(turns: Iterable[Mapping[str, Any]]) -> list[str]:
    """The digests of the pictures in some turns, in order."""
    contents = [turn["content"] for turn in turns if not isinstance(turn["content"], str)]
    blocks = [block for content in contents for block in content if block["type"] == "image"]
    return [block["source"]["sha256"] for block in blocks]


def fits(image: Image, bounds: Bounds) -> bool:
    """Whether a picture of a file may be sent as it is."""
    assert image.width is not None and image.height is not None and image.size_bytes is not None
    if max(image.width, image.height) > bounds.side:
        return False
    return count_base64_bytes(image.size_bytes) <= bounds.base64_bytes
