"""What is read from a log, kept in temporary files until the log has been read to its end."""

from __future__ import annotations

from pathlib import Path

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
        """Write a line down, now or with later ones."""
        self._pending += line + b"\n"
        if len(self._pending) >= BYTES_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Write what was not written yet; the file is there then, if only empty."""
        with self.path.open("ab") as file:
            file.write(self._pending)
        self._pending.clear()
