"""What takes long is made once, in a thread, for all who ask for it meanwhile or soon after."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Thread
from typing import Any, Generic, TypeVar

Built = TypeVar("Built")


async def work(limiter: asyncio.Semaphore, task: Callable[[], Built]) -> Built:
    """Do what takes long in a thread.

    Args:
        limiter: how much of that is done at once.
        task: what to do.
    """
    async with limiter:
        return await asyncio.wrap_future(start(task))


def start(task: Callable[[], Built]) -> Future[Built]:
    """Begin something in a thread for which the process does not wait when it ends.

    Those of a pool it would wait for, and Ctrl-C would be without effect until a report is ready.
    """
    future: Future[Built] = Future()

    def run() -> None:
        try:
            future.set_result(task())
        except BaseException as error:  # it belongs to whoever waits
            future.set_exception(error)

    future.set_running_or_notify_cancel()
    Thread(target=run, name="report", daemon=True).start()
    return future


class Builds(Generic[Built]):
    """Keeps the last few things that were built; for one event loop.

    Args:
        limiter: how many are built at once.
        most: so many are kept, those that were asked for last.
    """

    def __init__(self, limiter: asyncio.Semaphore, *, most: int) -> None:
        self.limiter, self.most = limiter, most
        self._kept: OrderedDict[Hashable, Built] = OrderedDict()
        self._making: dict[Hashable, asyncio.Future[Built]] = {}

    async def get(self, key: Hashable, build: Callable[[], Built]) -> Built:
        """What was built for a key, or is being built, or is built now.

        Whoever no longer waits for it does not keep the others from it. What could not be built is
        tried again the next time.

        Args:
            key: all that decides what comes of it.
            build: makes it; called in a thread.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        future = self._making.get(key)
        if future is None:
            future = asyncio.ensure_future(work(self.limiter, build))
            self._making[key] = future
            future.add_done_callback(lambda done: self._keep(key, done))
        return await asyncio.shield(future)

    def _keep(self, key: Hashable, done: asyncio.Future[Any]) -> None:
        del self._making[key]
        if done.cancelled() or done.exception() is not None:
            return
        self._kept[key] = done.result()
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
