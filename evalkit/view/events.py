"""How a run goes on, as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
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
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[bytes]:
    """Tell how a run stands whenever that has changed, until it is over.

    Args:
        tower: looks at it.
        name: of its folder.
        closing: set when the server ends.
        pause_seconds: between two looks.
        clock: seconds from a fixed moment.
    """
    last, told_at = b"", clock()
    while not closing.is_set():
        began = clock()
        try:
            facts = await asyncio.to_thread(tower.look, name)
        except EvalkitError as error:
            facts = {"problem": clean(str(error))}
        if facts is None:
            facts = {"problem": "The folder of this run is gone."}
        took = clock() - began
        data = orjson.dumps(facts)
        if data != last:
            last, told_at = data, clock()
            yield b"data: %b\n\n" % data
        elif clock() - told_at >= BEAT_SECONDS:
            told_at = clock()
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
