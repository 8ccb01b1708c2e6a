"""How a run goes on, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import orjson

from evalkit.errors import EvalkitError
from evalkit.reports.tables import clean
from evalkit.view.live import Facts, Watchtower

PAUSE_SECONDS = 1.0
"""Between two looks at a run."""

SHARE_OF_TIME = 0.05
"""Looking may take no more of the time than that."""

BEAT_SECONDS = 15.0
"""After so long without news a sign of life is sent."""


async def stream_events(
    tower: Watchtower,
    name: str,
    closing: asyncio.Event,
    *,
    pause_seconds: float = PAUSE_SECONDS,
    beat_seconds: float = BEAT_SECONDS,
) -> AsyncIterator[bytes]:
    """Tell how a run stands whenever that has changed, until it is over.

    Args:
        tower: looks at it.
        name: of its folder.
        closing: set when the server ends.
        pause_seconds: between two looks.
        beat_seconds: so long there may be silence.
    """
    last, told_at = b"", time.monotonic()
    while not closing.is_set():
        began = time.monotonic()
        try:
            facts = await asyncio.to_thread(tower.look, name)
        except EvalkitError as error:
            facts = {"problem": clean(str(error))}
        if facts is None:
            facts = {"problem": "The folder of this run is gone."}
        took = time.monotonic() - began
        data = orjson.dumps(facts)
        if data != last:
            last, told_at = data, time.monotonic()
            yield b"data: %b\n\n" % data
        elif time.monotonic() - told_at >= beat_seconds:
            told_at = time.monotonic()
            yield b": still here\n\n"
        if "problem" in facts or facts["over"]:
            return
        await sleep_until(closing, pause_of(facts, took, pause_seconds))


def pause_of(facts: Facts, took: float, pause_seconds: float) -> float:
    """Seconds to wait: none while there is a long journal to read, longer if looking is dear."""
    return 0.0 if facts["behind"] else max(pause_seconds, took / SHARE_OF_TIME)


async def sleep_until(closing: asyncio.Event, seconds: float) -> None:
    """Wait, but not for the end of the server."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await closing.wait()
