"""Files that requests point to instead of carrying them, each uploaded once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from evalkit.api.client import MessagesClient
from evalkit.api.paging import PAGE_ROWS, as_time, fetch_rows
from evalkit.api.retries import RetryPolicy, send_with_retries
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    ConnectionFailedError,
    NotFoundError,
    UnreadableResponseError,
)
from evalkit.responses import as_count, as_text

FILES = "/v1/files"
LISTED = 10_000

GRACE_SECONDS = 5.0
"""How long the end waits for uploads under way, to learn what is to be deleted."""
SHOWN_FILES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file at the endpoint."""

    id: str
    filename: str | None = None
    media_type: str | None = None
    size_bytes: int | None = None
    created_at: datetime | None = None


async def upload_file(client: MessagesClient, data: bytes, filename: str, media_type: str) -> str:
    """Upload a file and give its id; another upload of the same gets another.

    Args:
        client: where to.
        data: up to 500 MB.
        filename: 1 to 255 characters, none of which has a meaning in paths.
        media_type: such as "image/png".

    Raises:
        ApiError: whatever went wrong, in the type that fits.
    """
    body = await client.fetch("POST", FILES, files={"file": (filename, data, media_type)})
    file_id = as_text(body.get("id"))
    if not file_id:
        raise UnreadableResponseError("status 200, but the body is no file: no `id`", status=200)
    return file_id


async def delete_file(client: MessagesClient, file_id: str) -> None:
    """Delete a file; one that isn't there any more is fine.

    Raises:
        ApiError: whatever went wrong, in the type that fits.
    """
    try:
        await client.request("DELETE", f"{FILES}/{quote(file_id, safe='')}")
    except NotFoundError:
        return


async def list_files(
    client: MessagesClient, *, limit: int = LISTED, page_rows: int = PAGE_ROWS
) -> tuple[StoredFile, ...]:
    """The files of the account's workspace, whoever uploaded them, in the endpoint's order.

    Args:
        client: where to ask.
        limit: those beyond this number are not asked for.
        page_rows: how many to ask for at once, 1 to 1000.

    Raises:
        ApiError: whatever went wrong, in the type that fits.
    """
    rows = await fetch_rows(client, FILES, limit=limit, page_rows=page_rows)
    return tuple(parse_file(row) for row in rows)


def parse_file(row: Mapping[str, Any]) -> StoredFile:
    """Read a file object that has an id."""
    return StoredFile(
        id=str(row["id"]),
        filename=as_text(row.get("filename")),
        media_type=as_text(row.get("mime_type")),
        size_bytes=as_count(row.get("size_bytes")),
        created_at=as_time(row.get("created_at")),
    )


def ignore(line: str) -> None:
    """Take a line and do nothing."""


class FileStore:
    """Uploads what is asked for, each file once; deletes it all when its `async with` block ends.

    Args:
        client: where to; it has to be open as long as the store.
        keep: leave the files there, as for a batch that goes on without us.
        policy: when to try again to delete. An upload is tried once; the error reaches all who
            wait for it, and whoever asks again makes the next attempt.
        say: takes a line about files that could not be deleted.
        grace_seconds: how long the end waits for uploads under way.
    """

    def __init__(
        self,
        client: MessagesClient,
        *,
        keep: bool = False,
        policy: RetryPolicy | None = None,
        say: Callable[[str], None] = ignore,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.client = client
        self.keep = keep
        self.policy = policy or RetryPolicy()
        self.say = say
        self.grace_seconds = grace_seconds
        self.ids: dict[str, str] = {}
        """The ids of the uploaded files by their digests."""
        self.held: set[str] = set()
        """Ids of files that the end leaves alone, for somebody may still need them."""
        self._under_way: dict[str, asyncio.Task[str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._finish_uploads()
        await self.delete(set(self.ids.values()) - self.held)

    async def file_id(self, digest: str, load: Callable[[], bytes], media_type: str) -> str:
        """The id of a file, which is uploaded if it wasn't before.

        Args:
            digest: names the content; a hexadecimal one goes into the file's name.
            load: gives the content; called in a thread, once for each attempt.
            media_type: such as "image/png".

        Raises:
            ApiError: the upload went wrong; whatever `load` raises.
        """
        if digest in self.ids:
            return self.ids[digest]
        task = self._under_way.get(digest)
        if task is None:
            task = asyncio.create_task(self._upload(digest, load, media_type))
            self._under_way[digest] = task
            task.add_done_callback(lambda task: self._settle(digest, task))
        # Whoever stops waiting must not stop the upload, for others may wait as well.
        await asyncio.wait([task])
        return task.result()

    async def _upload(self, digest: str, load: Callable[[], bytes], media_type: str) -> str:
        data = await asyncio.to_thread(load)
        filename = f"evalkit-{digest[:40]}.{media_type.rpartition('/')[2]}"
        self.ids[digest] = await upload_file(self.client, data, filename, media_type)
        return self.ids[digest]

    def _settle(self, digest: str, task: asyncio.Task[str]) -> None:
        del self._under_way[digest]
        if not task.cancelled():
            task.exception()  # else asyncio complains where nobody waits any more

    async def _finish_uploads(self) -> None:
        """Learn the ids of what is being uploaded, but don't wait for ever."""
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way.values(), timeout=self.grace_seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
            self.say(f"uploads broken off: {len(late)}; these files may remain at the endpoint")

    async def delete(self, file_ids: Iterable[str]) -> bool:
        """Delete files, as many at a time as there are connections, unless files are to be kept.

        Args:
            file_ids: of this store, or uploaded by an earlier process.

        Returns:
            Whether none of them is left.
        """
        if self.keep:
            return False
        pending = sorted(file_ids)
        deleted: set[str] = set()
        problems: dict[str, ApiError] = {}

        async def work() -> None:
            while pending:
                file_id = pending.pop()
                delete = partial(delete_file, self.client, file_id)
                result, _ = await send_with_retries(delete, self.policy)
                if not isinstance(result, ApiError):
                    deleted.add(file_id)
                    continue
                problems[file_id] = result
                if isinstance(result, ConnectionFailedError | AuthenticationError):
                    problems.update(dict.fromkeys(pending, result))
                    pending.clear()  # they would fail as well, each after a long wait

        await asyncio.gather(*(work() for _ in range(self.client.aside_at_once)))
        # Whoever asks for one of them again gets it uploaded anew.
        self.ids = {digest: name for digest, name in self.ids.items() if name not in deleted}
        if problems:
            left = sorted(problems)
            names = ", ".join(left[:SHOWN_FILES]) + (", ..." if len(left) > SHOWN_FILES else "")
            reason = next(iter(problems.values()))
            self.say(f"files that could not be deleted: {len(left)} ({reason}): {names}")
        return not problems
