"""Question files at addresses of the web, fetched once and kept."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from evalkit.cache_folder import cache_folder
from evalkit.downloads import DownloadError, download
from evalkit.errors import BenchmarkError

LONGEST_NAME = 60
"""Characters, of four bytes at most; a file system takes 255 bytes, with our own endings."""

ADDRESS = re.compile(r"https?://[^\s/]", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether a text is an address of the web."""
    return ADDRESS.match(text) is not None


def name_of(address: str) -> str:
    """The file's name in an address, so that every file system takes it."""
    try:
        name = PurePosixPath(unquote(urlsplit(address).path)).name
    except ValueError:  # no address; what fetches it will say so
        name = ""
    plain = "".join(c if c.isprintable() and c not in '\\:*?"<>|' else "_" for c in name)
    return "file" if plain in ("", ".", "..") else plain[-LONGEST_NAME:]


def find_fetched(address: str) -> Path | None:
    """The file of an address if it is here: it gets its name only when it is whole."""
    path = place_of(address)
    return path if path.is_file() else None


def place_of(address: str) -> Path:
    """Where the file of an address is kept."""
    digest = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()
    return cache_folder("files") / digest[:16] / name_of(address)


def fetch_file(address: str, sha256: str | None = None) -> Path:
    """Bring a file here, unless it is here already.

    Args:
        address: http or https.
        sha256: its digest, if that is known.

    Raises:
        BenchmarkError: it can't be had, or is not what was promised.
    """
    from filelock import FileLock

    path = place_of(address)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f"{path.name}.lock")):
            if not path.is_file():
                fetch_whole(address, path, sha256)
    except OSError as error:
        reason = f"{address} can't be kept: {error.strerror}; set EVALKIT_CACHE_DIR"
        raise BenchmarkError(reason, path=path) from error
    return path


def fetch_whole(address: str, path: Path, sha256: str | None) -> None:
    """Fetch a file beside its place, verify it, and put it there."""
    from tqdm import tqdm

    part = path.with_name(f"{path.name}.part")
    with tqdm(unit="B", unit_scale=True, desc=path.name, disable=None) as bar:
        try:
            download(address, part, lambda done: bar.update(done - bar.n), fixed=sha256 is not None)
        except DownloadError as error:
            raise BenchmarkError(
                f"can't be fetched: {error}; get the file by other means and name its folder by "
                "--data"
            ) from error
    check_digest(part, address, sha256)
    with part.open("rb+") as file:  # else a power cut could leave the name without the bytes
        os.fsync(file.fileno())
    part.replace(path)
    part.with_name(f"{part.name}.etag").unlink(missing_ok=True)


def check_digest(path: Path, origin: str, sha256: str | None) -> None:
    """Remove a file that is not what was promised.

    Raises:
        BenchmarkError: it is not.
    """
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        path.unlink()
        raise BenchmarkError(
            f"{origin} arrived with SHA-256 {found} instead of {sha256} and was removed; try "
            "again, and if it stays so, the file has changed since the definition was written"
        )
