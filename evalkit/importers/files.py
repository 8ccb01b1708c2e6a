"""Files of logs opened: whatever keeps one from being read is one line that names it."""

from __future__ import annotations

import hashlib
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from evalkit.errors import LogError, MissingExtraError
from evalkit.importers.entries import Entry
from evalkit.json_text import decode_json
from evalkit.loaders.records import shorten

LARGEST_MEMBER = 256 * 2**20
"""Bytes of a member of an archive, unpacked; Inspect's are one sample each."""

LARGEST_JSON = 2**31
"""Bytes of a file that can only be read as a whole."""

LONGEST_LINE = 64 * 2**20
"""Bytes."""

ZSTD = 93
"""The number by which archives name Zstandard."""

LARGEST_WINDOW = 2**27
"""Bytes that an unpacker may have to hold."""

LOCAL_HEADER = struct.Struct("<4s5H3I2H")
CHUNK_BYTES = 1 << 20

DAMAGES = (
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    EOFError,
    NotImplementedError,  # ways of packing that Python doesn't know
    RuntimeError,  # a password is needed
    ValueError,
    struct.error,
    OSError,
)
"""What comes of reading an archive that is damaged or unusual."""


def digest_file(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits.

    Raises:
        LogError: it can't be read.
    """
    with named_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Say which file can't be read.

    Raises:
        LogError: the block raised an OSError.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise LogError("no such file", path=Path(error.filename or path)) from error
    except OSError as error:
        raise LogError(f"can't be read: {error.strerror or error}", path=path) from error


def read_head(path: Path, size: int = 4096) -> bytes:
    """The first bytes of a file.

    Raises:
        LogError: it can't be read.
    """
    with named_errors(path), path.open("rb") as file:
        return file.read(size)


def read_json_file(path: Path) -> Any:
    """All of a JSON file.

    Raises:
        LogError: it can't be read, is too large to be read at once, or is no JSON.
    """
    with named_errors(path):
        if path.stat().st_size > LARGEST_JSON:
            raise LogError(
                f"{path.stat().st_size:,} bytes of JSON, which can only be read at once; expected "
                f"at most {LARGEST_JSON:,}: have the tool write .eval, or one file for each model",
                path=path,
            )
        data = path.read_bytes()
    return decode(data, path, None)


def read_lines(path: Path) -> Iterator[Entry]:
    """The objects of a file of JSON lines, one after the other; blank lines are passed over.

    Raises:
        LogError: a line is no JSON object, or the file can't be read.
    """
    with named_errors(path), path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                reason = f"a line of more than {LONGEST_LINE:,} bytes; expected a JSON object"
                raise LogError(reason, path=path, place=number)
            if not line.isspace():
                yield as_entry(decode(line, path, number), path, number)


def decode(data: bytes, path: Path, place: int | str | None) -> Any:
    """What some JSON says.

    Raises:
        LogError: it is none.
    """
    try:
        return decode_json(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:  # also bytes that are no UTF-8
        shown = shorten(data[:60].decode("utf-8", "replace"))
        remedy = "the file may be cut off, or be of another kind"
        raise LogError(f"{shown} is not JSON ({error}); {remedy}", path=path, place=place) from None


def as_entry(value: Any, path: Path, place: int | str | None) -> Entry:
    """An object with its place.

    Raises:
        LogError: it is no object.
    """
    if not isinstance(value, dict):
        reason = f"{shorten(value)}: expected an object with named fields"
        raise LogError(reason, path=path, place=place)
    return Entry(path=path, place=place, values=value)


class Archive:
    """A zip archive whose members are JSON, each unpacked only when it is read.

    Args:
        path: the archive.

    Raises:
        LogError: it is none, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except DAMAGES as error:
            raise self._damaged(error) from error

    def close(self) -> None:
        """Let go of the file."""
        self._zip.close()

    def names(self) -> list[str]:
        """The members, in the order in which they were written; the last of each name counts."""
        return list(dict.fromkeys(self._zip.namelist()))

    def read(self, name: str) -> Entry:
        """A member's object.

        Raises:
            LogError: it is damaged, larger than any log's, packed in a way that is not known, or
                no JSON object.
            MissingExtraError: it takes a library that is not installed.
        """
        try:
            data = self._unpack(self._zip.getinfo(name))
        except KeyError:
            raise LogError(f"has no member {name}", path=self.path) from None
        except DAMAGES as error:
            raise self._damaged(error, name) from error
        return as_entry(decode(data, self.path, name), self.path, name)

    def _damaged(self, error: Exception, name: str | None = None) -> LogError:
        reason = f"can't be unpacked: {error}; is the archive whole? Copy or fetch it anew"
        return LogError(reason, path=self.path, place=name)

    def _unpack(self, info: zipfile.ZipInfo) -> bytes:
        if info.compress_type == ZSTD:
            with self._open_packed(info) as packed:
                data = b"".join(self._bound(read_zstd(packed), info))
            if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
                raise zipfile.BadZipFile("its check sum does not match")
            return data
        with self._zip.open(info) as file:
            return b"".join(self._bound(iter(lambda: file.read(CHUNK_BYTES), b""), info))

    def _bound(self, parts: Iterator[bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
        """Stop at what would fill the memory, whatever size the archive claims."""
        size = 0
        for part in parts:
            size += len(part)
            if size > LARGEST_MEMBER:
                reason = (
                    f"more than {LARGEST_MEMBER:,} bytes when it is unpacked; no sample is that"
                )
                raise LogError(f"{reason} large", path=self.path, place=info.filename)
            yield part

    @contextmanager
    def _open_packed(self, info: zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        """A member's bytes as they are packed, which `zipfile` does not give."""
        with self.path.open("rb") as file:
            file.seek(info.header_offset)
            header = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
            if header[0] != b"PK\x03\x04":
                raise zipfile.BadZipFile("there is no member where the archive says")
            file.seek(header[-2] + header[-1], 1)
            yield cast("IO[bytes]", Bounded(file, info.compress_size))


class Bounded(io.RawIOBase):
    """The next bytes of a file, up to a number of them."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        """Yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Some of them; none at the end."""
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data


def read_zstd(packed: IO[bytes]) -> Iterator[bytes]:
    """What is packed by Zstandard, in parts.

    Raises:
        ValueError: it is damaged.
        MissingExtraError: the library is not installed.
    """
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtraError("this log is packed by Zstandard, which", "logs") from error
    # A stream gives no more at once than is asked for, however little was packed for it.
    unpacker = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    try:
        with unpacker.stream_reader(packed, closefd=False) as file:
            while data := file.read(CHUNK_BYTES):
                yield data
    except (zstandard.ZstdError, MemoryError) as error:
        raise ValueError(str(error)) from error
