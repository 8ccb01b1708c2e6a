"""One file over HTTP, piece by piece: what arrived before an interruption is kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

Show = Callable[[int], object]
"""Takes the number of bytes that have arrived so far, for a progress bar."""

HUB_ADDRESS = "https://huggingface.co"


class DownloadError(Exception):
    """A file can't be had from where it was looked for."""


def hub_endpoint() -> str:
    """The hub's address: HF_ENDPOINT where that is set."""
    return (os.environ.get("HF_ENDPOINT") or HUB_ADDRESS).rstrip("/")


def is_offline() -> bool:
    """Whether HF_HUB_OFFLINE forbids to ask the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def download(
    url: str, target: Path, show: Show, *, size_bytes: int | None = None, fixed: bool = False
) -> None:
    """Bring a file here; a connection that breaks is taken up again as long as bytes arrive.

    Args:
        url: its address.
        target: where it goes. What stands there is the beginning of it, from an earlier call.
        show: takes the number of bytes that are there.
        size_bytes: how large the file is; None: as large as the server says.
        fixed: whether the file at the address never changes, as one whose digest is known. If not,
            it is only gone on with where the server says by an ETag that it is the same.

    Raises:
        DownloadError: it can't be had.
    """
    import httpx

    target.touch()
    headers = {"accept-encoding": "identity"}  # ranges count the file's own bytes
    with httpx.Client(follow_redirects=True, timeout=30, headers=headers) as client:
        while size_bytes is None or target.stat().st_size < size_bytes:
            before = target.stat().st_size
            try:
                stream_rest(client, url, target, show, fixed=fixed)
                return
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if target.stat().st_size <= before:  # else it was only a broken connection
                    raise DownloadError(f"{url}: {error or type(error).__name__}") from error


def stream_rest(
    client: httpx.Client, url: str, target: Path, show: Show, *, fixed: bool = False
) -> None:
    """Ask for what is missing of a file; write it as it arrives.

    Raises:
        DownloadError: the server says no.
        httpx.HTTPError: the connection fails.
    """
    have = target.stat().st_size
    mark = target.with_name(f"{target.name}.etag")
    etag = mark.read_text(encoding="utf-8") if mark.is_file() else ""
    wanted: Mapping[str, str] = {}
    if have and (fixed or etag):
        wanted = {"range": f"bytes={have}-", **({} if fixed else {"if-range": etag})}
    with client.stream("GET", url, headers=wanted) as response:
        if response.status_code == 416 and wanted:  # no beginning of what is there now
            target.write_bytes(b"")
            stream_rest(client, url, target, show, fixed=fixed)
            return
        if not response.is_success:
            raise DownloadError(f"{url} answered {response.status_code}")
        resumed = response.status_code == 206
        if not fixed:
            tag = response.headers.get("etag", "")
            mark.write_text("" if tag.startswith("W/") else tag, encoding="utf-8")
        with target.open("ab" if resumed else "wb") as file:
            for chunk in response.iter_raw():  # unbuffered: all that arrives is kept
                file.write(chunk)
                show(have * resumed + response.num_bytes_downloaded)
