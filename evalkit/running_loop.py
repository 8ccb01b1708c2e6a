"""Plain code that waits for asynchronous code, also where an event loop is running already."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run_to_end(job: Coroutine[Any, Any, T]) -> T:
    """Run a job from plain code, which may itself be called within an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(job)
    return run_in_thread(job)


def run_in_thread(job: Coroutine[Any, Any, T]) -> T:
    """Run beside the event loop of this thread; an interrupt here ends the job there."""
    tasks: list[asyncio.Task[T]] = []

    async def start() -> T:
        tasks.append(asyncio.create_task(job))
        return await tasks[0]

    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(asyncio.run, start())
        try:
            return running.result()
        except KeyboardInterrupt:
            for task in tasks:
                task.get_loop().call_soon_threadsafe(task.cancel)
            raise
