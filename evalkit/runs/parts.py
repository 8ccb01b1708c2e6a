"""What workers write: small files in a folder that all of them reach, on any storage.

A part of a run's questions belongs to one worker at a time. What comes of it is written group by
group, each group a file of its own that is never changed: on the storage of a cluster nothing can
be appended to. Whoever takes a part over reads what is there and asks the rest.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from evalkit.errors import RunError, UsageError
from evalkit.questions import Question
from evalkit.runs.folder import QUESTIONS, decompress_questions
from evalkit.runs.journal import JournalRow, RowWriter, decode_row

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PARTS_FOLDER = "parts"
"""Within the run's folder, where no other place is named."""

STOP = "stop"
"""A file of this name says that no more requests are to be started."""


class PartStore:
    """The folder of one run's parts.

    Args:
        url: a path, or an address that fsspec knows, such as `s3://bucket/runs/mmlu`.

    Raises:
        UsageError: there is no such kind of storage here.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._read: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "_read": set()}

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """The file system and the path on it."""
        from fsspec.core import url_to_fs

        try:
            files, path = url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise UsageError(f"{self.url} can't be used for the parts of a run: {error}") from error
        return files, path

    @property
    def _is_local(self) -> bool:
        from fsspec.implementations.local import LocalFileSystem

        return isinstance(self._place[0], LocalFileSystem)

    def prepare(self, questions: bytes) -> None:
        """Make the folder, with the questions in it, and nothing that stops workers.

        Raises:
            RunError: it can't be written.
        """
        files, path = self._place
        with self._named_errors():
            files.makedirs(path, exist_ok=True)
            self._put(f"{path}/{QUESTIONS}", questions)
            if files.exists(f"{path}/{STOP}"):
                files.rm_file(f"{path}/{STOP}")

    def read_questions(self) -> Iterator[Question]:
        """The run's questions in their order, one at a time."""
        files, path = self._place
        with self._named_errors(), files.open(f"{path}/{QUESTIONS}", "rb") as file:
            yield from decompress_questions(file)

    def write(self, part: int, data: bytes) -> None:
        """Write a group of rows.

        Args:
            part: whose.
            data: whole lines.

        Raises:
            RunError: it can't be written.
        """
        _, path = self._place
        with self._named_errors():
            self._put(f"{path}/{part:05d}-{uuid.uuid4().hex}.jsonl", data)

    def _put(self, path: str, data: bytes) -> None:
        """Write a file that is there whole, or not at all."""
        files, _ = self._place
        if not self._is_local:
            files.pipe_file(path, data)
            return
        with files.open(f"{path}.tmp", "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        files.mv(f"{path}.tmp", path)

    def read(self, part: int | None = None) -> Iterator[JournalRow]:
        """The rows of a part, or of all of them; what can't be read is left out."""
        for name in self._list(part):
            yield from self._read_file(name)

    def read_new(self) -> Iterator[JournalRow]:
        """The rows that were not read by this method before."""
        for name in self._list(None):
            if name not in self._read:
                self._read.add(name)
                yield from self._read_file(name)

    def _list(self, part: int | None) -> list[str]:
        files, path = self._place
        pattern = "*" if part is None else f"{part:05d}-*"
        with self._named_errors():
            files.invalidate_cache()
            found: list[str] = files.glob(f"{path}/{pattern}.jsonl")
        return sorted(found)

    def _read_file(self, name: str) -> Iterator[JournalRow]:
        files, _ = self._place
        with self._named_errors():
            data: bytes = files.cat_file(name)
        for line in data.split(b"\n")[:-1]:
            try:
                yield decode_row(line)
            except ValueError:
                continue  # asked again

    def stop(self) -> None:
        """Have the workers start nothing more."""
        files, path = self._place
        with self._named_errors():
            files.pipe_file(f"{path}/{STOP}", b"")

    def is_stopped(self) -> bool:
        """Whether nothing more is to be started."""
        files, path = self._place
        with self._named_errors():
            files.invalidate_cache()
            return bool(files.exists(f"{path}/{STOP}"))

    def clear(self) -> None:
        """Take the folder away, with all that is in it."""
        files, path = self._place
        with self._named_errors():
            if files.exists(path):
                files.rm(path, recursive=True)

    def _named_errors(self) -> NamedErrors:
        return NamedErrors(self.url)


class NamedErrors:
    """Says of which storage a failure speaks."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise RunError(f"{self.url} can't be used: {error.strerror or error}") from error


class PartWriter(RowWriter):
    """Writes the rows of one part, group by group, within `async with`.

    Args:
        store: where to.
        part: whose rows.
        on_written: called with each group, in the event loop.
    """

    def __init__(
        self, store: PartStore, part: int, on_written: Callable[[Sequence[JournalRow]], None]
    ) -> None:
        super().__init__(on_written)
        self.store, self.part = store, part

    def _open(self) -> None:
        pass  # each group opens a file of its own

    def _close(self) -> None:
        pass

    def _append(self, data: bytes) -> None:
        self.store.write(self.part, data)
