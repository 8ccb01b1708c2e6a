"""The end of a journal that grows: each line is read once, as soon as it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from evalkit.errors import RunError
from evalkit.runs.journal import CHUNK_BYTES, JournalRow, decode_row


class Tail:
    """Reads what was added to a journal since the last time.

    A last line without its end is left for later: it is being written, or was torn by a crash and
    will be cut off.

    Args:
        path: the journal; one that is not there yet is empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        """Bytes read: the end of the last whole line."""
        self.garbled = 0
        """Lines that can't be read."""
        self.is_replaced = False
        """Whether another file stands there now, or what was read is gone: begin anew."""
        self.is_behind = False
        """Whether the last reading ended before the end."""
        self._file_number: int | None = None
        self._seen_size = -1

    def read(self, most_bytes: int) -> Iterator[JournalRow]:
        """The rows that are new, not many more bytes of them than told.

        Raises:
            RunError: the file is there but can't be read.
        """
        self.is_behind = False
        try:
            with self.path.open("rb", buffering=CHUNK_BYTES) as file:
                facts = os.fstat(file.fileno())
                if self._has_changed(facts):
                    self.is_replaced = True
                    return
                if facts.st_size == self._seen_size:
                    return
                file.seek(self.offset)
                end = self.offset + most_bytes
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self.offset += len(line)
                    row = self._decode(line)
                    if row is not None:
                        yield row
                    if self.offset >= end:
                        self.is_behind = self.offset < facts.st_size
                        break
                self._seen_size = -1 if self.is_behind else facts.st_size
        except FileNotFoundError:
            self.is_replaced = self._file_number is not None
        except OSError as error:
            raise RunError(f"{self.path.name} can't be read: {error.strerror}") from error

    def _has_changed(self, facts: os.stat_result) -> bool:
        """Whether it is no more the file that was read before."""
        if self._file_number is None:
            self._file_number = facts.st_ino
        return facts.st_ino != self._file_number or facts.st_size < self.offset

    def _decode(self, line: bytes) -> JournalRow | None:
        try:
            return decode_row(line)
        except ValueError:
            self.garbled += 1
            return None
