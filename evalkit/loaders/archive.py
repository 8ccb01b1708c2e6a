"""Files opened for reading, those within zip archives and those packed by gzip too.

A path may lead into an archive as if that were a folder: `mmlu.zip/data/test/anatomy_test.csv`.
"""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from evalkit.errors import BenchmarkError

DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,  # offsets that lead out of the file
    OverflowError,
    NotImplementedError,  # ways of packing that Python doesn't know
    RuntimeError,  # a password is needed
)
"""What comes of reading an archive that is damaged or unusual."""


@contextmanager
def open_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file; whatever keeps it from being read is an error of ours.

    Raises:
        BenchmarkError: there is no such file, or it can't be read or unpacked.
    """
    archive = find_archive(path)
    try:
        with open_member(*archive) if archive else path.open("rb") as file:
            if path.suffix.lower() == ".gz":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield io.BufferedReader(Unpacked(unpacked, path), 1 << 16)
            elif archive:
                yield io.BufferedReader(Unpacked(file, path), 1 << 16)
            else:
                yield file
    except (FileNotFoundError, NotADirectoryError):
        raise BenchmarkError("no such file", path=path) from None
    except OSError as error:
        raise BenchmarkError(f"can't be read: {error.strerror or error}", path=path) from error


class Unpacked(io.RawIOBase):
    """What an archive holds; damage that shows on reading is an error of ours."""

    def __init__(self, packed: IO[bytes] | gzip.GzipFile, path: Path) -> None:
        self._packed, self._path = packed, path

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Unpack as much as there is room for."""
        try:
            data = self._packed.read(len(buffer))
        except (*DAMAGES, OSError) as error:
            raise damaged(self._path, error) from error
        buffer[: len(data)] = data
        return len(data)


@contextmanager
def open_member(archive: Path, member: str) -> Iterator[IO[bytes]]:
    """Open one file of a zip archive."""
    with open_zip(archive) as zipped:
        try:
            file = zipped.open(member)
        except KeyError:
            raise BenchmarkError(f"there is no {member} in it", path=archive) from None
        except DAMAGES as error:
            raise damaged(archive, error) from error
        with file:
            yield file


@contextmanager
def open_zip(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive."""
    try:
        zipped = zipfile.ZipFile(archive)
    except DAMAGES as error:
        raise damaged(archive, error) from error
    with zipped:
        yield zipped


def damaged(path: Path, error: Exception) -> BenchmarkError:
    """Say that a file can't be unpacked."""
    return BenchmarkError(f"can't be unpacked: {error or type(error).__name__}", path=path)


def find_archive(path: Path) -> tuple[Path, str] | None:
    """The zip archive that a path leads into, and the name of the file within; None: into none."""
    for parent in reversed(path.parents):
        if parent.suffix.lower() == ".zip" and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return None


def list_members(archive: Path) -> list[str]:
    """The names of the files in an archive, without those that only a system put there.

    Raises:
        BenchmarkError: it can't be read.
    """
    try:
        with open_zip(archive) as zipped:
            names = [info.filename for info in zipped.infolist() if not info.is_dir()]
    except OSError as error:
        raise BenchmarkError(f"can't be read: {error.strerror}", path=archive) from error
    return [
        name
        for name in names
        if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    ]


def split_pattern(pattern: str) -> tuple[str, str]:
    """The part of a pattern up to an archive, and the part within it; empty: no archive.

    Example:
        >>> split_pattern("mmlu.zip/data/test/*.csv"), split_pattern("test/*.csv")
        (('mmlu.zip', 'data/test/*.csv'), ('test/*.csv', ''))
    """
    parts = pattern.split("/")
    for count, part in enumerate(parts[:-1], start=1):
        if part.lower().endswith(".zip"):
            return "/".join(parts[:count]), "/".join(parts[count:])
    return pattern, ""


def find_members(archive: Path, pattern: str) -> list[Path]:
    """The files in an archive that match a pattern, part by part.

    Raises:
        BenchmarkError: the archive can't be read.
    """
    return [archive / name for name in list_members(archive) if matches(name, pattern)]


def matches(name: str, pattern: str) -> bool:
    """Whether a name has as many parts as a pattern, and each fits."""
    parts, wanted = name.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
