"""What the runs of one command share: connections, and files at the endpoint."""

from __future__ import annotations

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint
from evalkit.api.files import FileStore
from evalkit.progress import Say, ignore


class Session:
    """Opens connections and stores when they are needed, closes them when its block ends.

    Args:
        keep_files: leave uploaded files at the endpoint.
        say: takes a line about files that could not be deleted.
    """

    def __init__(self, *, keep_files: bool = False, say: Say = ignore) -> None:
        self.keep_files, self.say = keep_files, say
        self._stack = AsyncExitStack()
        self._clients: dict[tuple[str, int], MessagesClient] = {}
        self._stores: dict[str, FileStore] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def connect(self, endpoint: Endpoint, connections: int) -> MessagesClient:
        """A client of an endpoint with so many connections."""
        key = (endpoint.base_url, connections)
        if key not in self._clients:
            client = MessagesClient(endpoint, connections)
            self._clients[key] = await self._stack.enter_async_context(client)
        return self._clients[key]

    async def open_store(self, client: MessagesClient) -> FileStore:
        """The files uploaded to a client's endpoint."""
        key = client.endpoint.base_url
        if key not in self._stores:
            store = FileStore(client, keep=self.keep_files, say=self.say)
            self._stores[key] = await self._stack.enter_async_context(store)
        return self._stores[key]
