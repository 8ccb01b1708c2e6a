"""Prompt caching: which tokens of a request were read from the cache or written to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evalkit.testing.messages_body import Body, blocks_of, messages_of
from evalkit.testing.messages_errors import Rejection
from evalkit.testing.messages_models import Json, ServedModel
from evalkit.testing.messages_tokens import Part, count_prefixes, parts_of

MAX_BREAKPOINTS: Final = 4
LOOK_BACK: Final = 20
"""How many parts before a breakpoint may end what an earlier request has cached."""
TTL_SECONDS: Final[Mapping[str, float]] = {"5m": 300.0, "1h": 3600.0}
_MINIMUMS: Final[Mapping[str, int]] = {
    "claude-haiku-4-5": 4096,
    "claude-opus-4-5": 4096,
    "claude-opus-4-6": 4096,
    "claude-opus-4-7": 2048,
    "claude-sonnet-4-5": 1024,
    "claude-sonnet-4-6": 1024,
    "claude-opus-4-8": 1024,
    "claude-sonnet-5": 1024,
}
_MINIMUM_OF_THE_REST: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """How a request used the cache, in tokens."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0


@dataclass(slots=True, kw_only=True)
class _Entry:
    """A cached prefix; times in seconds on the monotonic clock."""

    ready: float
    last_use: float
    ttl_seconds: float


def least_cacheable_tokens(model: ServedModel) -> int:
    """The length from which a prefix is cached; shorter ones are not, without a word."""
    return _MINIMUMS.get(model.alias, _MINIMUM_OF_THE_REST)


class PromptCache:
    """The prefixes that earlier requests have left."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def use(self, body: Body, model: ServedModel, *, arrived: float, finished: float) -> CacheUse:
        """Read what was cached when a request arrived, and leave its own prefixes.

        Args:
            body: the request, checked already.
            model: the model it asks for, to which its prefixes belong.
            arrived: when it arrived, in seconds on the monotonic clock.
            finished: when its response was ready, from which on others find its prefixes.
        """
        parts = parts_of(body, model)
        marks = _marks(body, parts)
        if not marks:
            return CacheUse()
        keys = _prefix_keys(parts, model)
        lengths = count_prefixes(parts, model)
        marks = {
            end: ttl for end, ttl in marks.items() if lengths[end] >= least_cacheable_tokens(model)
        }
        hits = [
            end for mark in marks for end in _look_back(mark) if self._is_fresh(keys[end], arrived)
        ]
        read_end = max(hits, default=-1)
        covered = read = lengths[read_end] if hits else 0
        written = dict.fromkeys(TTL_SECONDS, 0)
        for end, ttl in marks.items():
            if end > read_end:
                written[ttl] += lengths[end] - covered
                covered = lengths[end]
            self._leave(keys[end], ttl, arrived=arrived, finished=finished)
        if hits:
            self._entries[keys[read_end]].last_use = finished
        return CacheUse(read=read, written_5m=written["5m"], written_1h=written["1h"])

    def _is_fresh(self, key: str, now: float) -> bool:
        entry = self._entries.get(key)
        return entry is not None and entry.ready <= now < entry.last_use + entry.ttl_seconds

    def _leave(self, key: str, ttl: str, *, arrived: float, finished: float) -> None:
        entry = self._entries.get(key)
        if entry is None or arrived >= entry.last_use + entry.ttl_seconds:
            self._entries[key] = _Entry(
                ready=finished, last_use=finished, ttl_seconds=TTL_SECONDS[ttl]
            )
        else:
            entry.last_use = finished
            entry.ttl_seconds = max(entry.ttl_seconds, TTL_SECONDS[ttl])


def billed(message: Json, use: CacheUse) -> Json:
    """The message with its input tokens divided by how they used the cache."""
    usage = message["usage"]
    written = use.written_5m + use.written_1h
    return {
        **message,
        "usage": usage
        | {
            "input_tokens": usage["input_tokens"] - use.read - written,
            "cache_creation_input_tokens": written,
            "cache_read_input_tokens": use.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": use.written_5m,
                "ephemeral_1h_input_tokens": use.written_1h,
            },
        },
    }


def check_breakpoints(body: Body, model: ServedModel) -> None:
    """Reject breakpoints that are none, too many, and a long life after a short one."""
    controls = list(_controls(body))
    if not controls:
        return
    for place, control in controls:
        _check_control(place, control)
    if len(controls) > MAX_BREAKPOINTS:
        raise Rejection(
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found "
            f"{len(controls)}."
        )
    ttls = list(_marks(body, parts_of(body, model)).values())
    if ttls != sorted(ttls):  # "1h" sorts before "5m"
        raise Rejection(
            "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
            "cache_control block."
        )


def _check_control(place: str, control: Any) -> None:
    if not isinstance(control, Mapping) or control.get("type") != "ephemeral":
        raise Rejection(f"{place}cache_control.type: Input should be 'ephemeral'")
    for extra in control.keys() - {"type", "ttl"}:
        raise Rejection(f"{place}cache_control.{extra}: Extra inputs are not permitted")
    if control.get("ttl", "5m") not in TTL_SECONDS:
        raise Rejection(f"{place}cache_control.ttl: Input should be '5m' or '1h'")


def _controls(body: Body) -> Iterator[tuple[str, Any]]:
    """Each breakpoint that a request sets, with its place."""
    if body.get("cache_control") is not None:
        yield "", body["cache_control"]
    lists = [("tools", body.get("tools")), ("system", body.get("system"))]
    lists += [
        (f"messages.{turn}.content", message.get("content"))
        for turn, message in enumerate(messages_of(body))
    ]
    for place, blocks in lists:
        for index, block in enumerate(blocks_of(blocks)):
            if block.get("cache_control") is not None:
                yield f"{place}.{index}.", block["cache_control"]


def _marks(body: Body, parts: Sequence[Part]) -> dict[int, str]:
    """The time to live by the index of the part at which a cached prefix ends."""
    marks = {
        index: part.cache_control.get("ttl", "5m")
        for index, part in enumerate(parts)
        if part.cache_control is not None
    }
    if body.get("cache_control") is not None:
        marks.setdefault(len(parts) - 1, body["cache_control"].get("ttl", "5m"))
    return marks


def _look_back(end: int) -> range:
    return range(end, max(end - LOOK_BACK, -1), -1)


def _prefix_keys(parts: Sequence[Part], model: ServedModel) -> list[str]:
    """A digest of each prefix, for this model alone."""
    digest = hashlib.sha256(model.id.encode())
    keys = []
    for part in parts:
        digest.update(b"\0" + part.identity.encode())
        keys.append(digest.hexdigest())
    return keys
