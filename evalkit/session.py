"""What the runs of one command share: connections, and files at the endpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from evalkit.api.breaker import Breaker
from evalkit.api.client import MessagesClient
from evalkit.api.files import FileStore
from evalkit.progress import Say, ignore
from evalkit.runs.concurrency import ConcurrencyLimit
from evalkit.runs.limiter import Limiter
from evalkit.runs.pacing import Pace
from evalkit.settings import RunSettings
from evalkit.targets import Target


class Session:
    """Opens connections and stores when they are needed, closes them when its block ends.

    Args:
        keep_files: leave uploaded files at the endpoint.
        say: takes a line about files that could not be deleted.
    """

    def __init__(self, *, keep_files: bool = False, say: Say = ignore) -> None:
        self.keep_files, self.say = keep_files, say
        self._stack = AsyncExitStack()
        self._clients: dict[tuple[str, str, int], MessagesClient] = {}
        self._stores: dict[str, FileStore] = {}
        self._limiters: dict[tuple[str, str], Limiter] = {}
        self._locks: dict[Hashable, asyncio.Lock] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def connect(self, target: Target, settings: RunSettings) -> MessagesClient:
        """A client of a target's endpoint, with as many connections as may be needed.

        Each model has its own: one that is slow would hold the connections that others wait for.
        """
        endpoint, fixed = target.endpoint, settings.concurrency or target.concurrency
        connections = fixed or settings.max_concurrency
        key = (endpoint.base_url, target.model, connections)
        if key not in self._clients:
            client = MessagesClient(endpoint, connections)
            self._clients[key] = await self._stack.enter_async_context(client)
        return self._clients[key]

    def limiter(self, target: Target, settings: RunSettings) -> Limiter:
        """What all runs share that ask a model of an endpoint."""
        key = (target.endpoint.base_url, target.model)
        if key not in self._limiters:
            fixed = settings.concurrency or target.concurrency
            self._limiters[key] = Limiter(
                ConcurrencyLimit(fixed or settings.max_concurrency, is_fixed=fixed is not None),
                Pace(settings.per_minute, now=time.monotonic()),
                Breaker(settings.retries.outage),
                say=lambda line: self.say(f"{target.model}: {line}"),
            )
        return self._limiters[key]

    def lock(self, what: Hashable) -> asyncio.Lock:
        """A lock for what only one run at a time may do, such as writing to a folder."""
        return self._locks.setdefault(what, asyncio.Lock())

    async def open_store(self, client: MessagesClient) -> FileStore:
        """The files uploaded to a client's endpoint."""
        key = client.endpoint.base_url
        if key not in self._stores:
            store = FileStore(client, keep=self.keep_files, say=self.say)
            self._stores[key] = await self._stack.enter_async_context(store)
        return self._stores[key]
