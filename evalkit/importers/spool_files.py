"""What is read from a log, kept in temporary files until the log has been read to its end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from evalkit.errors import RunError

BYTES_AT_ONCE = 16 * 2**10
"""So many of each file of each run wait to be written, so that no file has to stay open."""


class SpoolFile:
    """A file of lines that is open only while some are added, so that many can grow at a time.

    Args:
        path: where it is to be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending = bytearray()

    def add(self, line: bytes) -> None:
        """Write a line down, now or with later ones.

        Raises:
            RunError: there is no room for it.
        """
        self._pending += line + b"\n"
        if len(self._pending) >= BYTES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what was not written yet; the file is there then, if only empty.

        Raises:
            RunError: there is no room for it.
        """
        with named_room(), self.path.open("ab") as file:
            file.write(self._pending)
        self._pending.clear()


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that goes with all that is in it.

    Raises:
        RunError: it can't be made.
    """
    with named_room():
        folder = tempfile.TemporaryDirectory(prefix=prefix)
    with folder as name:
        yield Path(name)


@contextmanager
def named_room() -> Iterator[None]:
    """Say that it is the temporary folder that can't be written, and not the log.

    Raises:
        RunError: the block raised an OSError.
    """
    try:
        yield
    except OSError as error:
        where = tempfile.tempdir or "any folder"  # set as soon as one was found
        raise RunError(
            f"no room for temporary files in {where}: {error.strerror or error}; make room, or "
            "name another folder by TMPDIR"
        ) from error
