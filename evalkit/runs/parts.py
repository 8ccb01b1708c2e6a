"""What workers read and write: small files in a folder that all of them reach, on any storage.

A part of a run's questions belongs to one worker at a time. What comes of it is written group by
group, each group a file of its own that is never changed: on the storage of a cluster nothing can
be appended to. Whoever takes a part over reads what is there and asks the rest.
"""

from __future__ import annotations

import io
import os
import re
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import EvalkitError, RunError, RunFormatError, UsageError
from evalkit.question_lines import compress_questions, decompress_questions
from evalkit.runs.journal import JournalRow, RowWriter, decode_row

if TYPE_CHECKING:
    from evalkit.questions import Question

PARTS_FOLDER = "parts"
"""Within the run's folder, where no other place is named."""

ORDERS = "orders"
"""The file in which the process that gathers shows that it is there, or tells workers to stop."""

GROUP = re.compile(r"(?P<part>\d{5})-[0-9a-f]{32}-(?P<bytes>\d+)\.jsonl")
"""The name of a file of rows tells its size, by which one is known that is not there whole."""

SECRET = re.compile(r"(?<=//)[^/@]*(?=@)")
"""Name and password in an address."""


class PartStore:
    """The folder of one run's parts.

    Args:
        url: a path, or an address that fsspec knows, such as `s3://bucket/runs/mmlu`.
    """

    def __init__(self, url: str) -> None:
        self.is_plain = "://" not in url
        """Whether it is a path of this machine, whatever signs are in it."""
        # Workers may have another working directory.
        self.url = str(Path(url).absolute()) if self.is_plain else url.rstrip("/")
        self.turn = ""
        """Names the process that gathers; workers obey no other."""
        self._read: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "is_plain": self.is_plain, "turn": self.turn, "_read": set()}

    @property
    def label(self) -> str:
        """The place as it may be shown: without a password."""
        return SECRET.sub("***", self.url)

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """The file system and the path on it.

        Raises:
            UsageError: there is no such kind of storage here.
            RunError: it can't be reached.
        """
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        if self.is_plain:
            return LocalFileSystem(), self.url
        try:
            with self._named_errors():
                files, path = url_to_fs(self.url)
        except RunError as error:
            if isinstance(error.__cause__, ImportError | ValueError):
                raise UsageError(str(error)) from error.__cause__
            raise
        return files, path

    @property
    def _is_local(self) -> bool:
        from fsspec.implementations.local import LocalFileSystem

        return isinstance(self._place[0], LocalFileSystem)

    # Who gathers, and whether workers are to go on

    def claim(self) -> bool:
        """Make the folder and become the one whom workers obey.

        Returns:
            Whether something is left of an earlier process, whose workers may still be at work.

        Raises:
            UsageError: there is no such kind of storage here.
            RunError: it can't be written.
        """
        files, path = self._place
        with self._named_errors():
            files.makedirs(path, exist_ok=True)
        is_left = bool(self._list_names())
        self.turn = uuid.uuid4().hex
        self.give_orders("begin")
        return is_left

    def give_orders(self, words: str) -> None:
        """Tell workers something; they go on as long as it keeps changing and is not `stop`.

        Args:
            words: what to tell.

        Raises:
            RunError: it can't be written.
        """
        self._put(ORDERS, f"{self.turn} {words}".encode())

    def read_orders(self) -> tuple[str, str] | None:
        """Whose orders there are, and their words; None: they can't be read just now."""
        try:
            turn, words = self._get(ORDERS).decode().split(" ", 1)
        except (RunError, ValueError):
            return None
        return turn, words

    # Questions

    def write_questions(self, part: int, questions: Iterable[Question]) -> None:
        """Write what is to be asked in a part.

        Raises:
            RunError: it can't be written.
        """
        self._put(name_questions(part), b"".join(compress_questions(questions)))

    def read_questions(self, part: int) -> Iterator[Question]:
        """The questions of a part in their order, one at a time.

        Raises:
            RunFormatError: they are damaged.
            RunError: they can't be read.
        """
        data = self._get(name_questions(part))
        try:
            yield from decompress_questions(io.BytesIO(data))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise RunFormatError(f"{self.label} can't be read: {error}") from error

    # Rows

    def write(self, part: int, data: bytes) -> None:
        """Write a group of rows.

        Args:
            part: whose.
            data: whole lines.

        Raises:
            RunError: it can't be written.
        """
        self._put(f"{part:05d}-{uuid.uuid4().hex}-{len(data)}.jsonl", data)

    def read(self, part: int) -> list[JournalRow]:
        """The rows of a part; what can't be read is left out.

        Raises:
            RunError: the storage can't be read.
        """
        return [row for name in self._list_groups(part) for row in self._read_group(name) or ()]

    def read_new(self) -> Iterator[list[JournalRow]]:
        """The rows that were not read by this method before, group by group.

        Raises:
            RunError: the storage can't be read.
        """
        for name in self._list_groups():
            if name not in self._read and (rows := self._read_group(name)) is not None:
                yield rows
                self._read.add(name)

    def finish(self, part: int) -> None:
        """Note that there is nothing more to ask in a part."""
        self._put(name_done(part), b"")

    def is_finished(self, part: int) -> bool:
        """Whether there is nothing more to ask in a part."""
        files, path = self._place
        with self._named_errors():
            return bool(files.exists(f"{path}/{name_done(part)}"))

    def list_finished(self) -> set[int]:
        """The parts in which there is nothing more to ask."""
        return {int(name[:5]) for name in self._list_names() if name.endswith(".done")}

    def discard(self, part: int) -> None:
        """Take away what was read of a part, and its questions; whoever asks still finds it done.

        Raises:
            RunError: it can't be deleted.
        """
        files, path = self._place
        read = [name for name in self._list_groups(part) if name in self._read]
        with self._named_errors():
            for name in read:
                files.rm_file(f"{path}/{name}")
                self._read.discard(name)
            if files.exists(f"{path}/{name_questions(part)}"):
                files.rm_file(f"{path}/{name_questions(part)}")

    def clear(self) -> None:
        """Take the folder away, with all that is in it.

        Raises:
            RunError: it can't be deleted.
        """
        files, path = self._place
        with self._named_errors():
            if files.exists(path):
                files.rm(path, recursive=True)
        self._read.clear()

    # Files

    def _put(self, name: str, data: bytes) -> None:
        """Write a file; on this machine it is there whole and safe, or not at all."""
        files, folder = self._place
        path = f"{folder}/{name}"
        with self._named_errors():
            if not self._is_local:
                files.pipe_file(path, data)
                return
            with files.open(f"{path}.tmp", "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            files.mv(f"{path}.tmp", path)

    def _get(self, name: str) -> bytes:
        files, path = self._place
        with self._named_errors():
            data: bytes = files.cat_file(f"{path}/{name}")
        return data

    def _list_names(self) -> list[str]:
        """The names of all files, but of those that are being written."""
        files, path = self._place
        with self._named_errors():
            files.invalidate_cache()
            # No pattern is matched: the path may hold signs that mean something in one.
            try:
                found = files.ls(path, detail=False)
            except FileNotFoundError:
                return []
        names = (str(name).rstrip("/").rpartition("/")[2] for name in found)
        return sorted(name for name in names if not name.endswith(".tmp"))

    def _list_groups(self, part: int | None = None) -> list[str]:
        matches = [match for name in self._list_names() if (match := GROUP.fullmatch(name))]
        return [match[0] for match in matches if part is None or int(match["part"]) == part]

    def _read_group(self, name: str) -> list[JournalRow] | None:
        """The rows of a file; None: it is not there whole, or not yet."""
        match = GROUP.fullmatch(name)
        assert match is not None, "it was found by its name"
        data = self._get(name)
        if len(data) != int(match["bytes"]):
            return None
        return list(decode_lines(data))

    def _named_errors(self) -> NamedErrors:
        return NamedErrors(self.label)


class NamedErrors:
    """Says of which storage a failure speaks; each kind of storage has errors of its own."""

    def __init__(self, label: str) -> None:
        self.label = label

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, EvalkitError):
            text = getattr(error, "strerror", None) or SECRET.sub("***", str(error))
            first = (text or type(error).__name__).splitlines()[0]
            raise RunError(f"{self.label} can't be used for the parts of a run: {first}") from error


def name_questions(part: int) -> str:
    """The file of a part's questions."""
    return f"{part:05d}.questions.gz"


def name_done(part: int) -> str:
    """The file that says that a part is done."""
    return f"{part:05d}.done"


def decode_lines(data: bytes) -> Iterator[JournalRow]:
    """The rows in some lines; what can't be read is left out, and asked again."""
    for line in data.split(b"\n")[:-1]:
        try:
            yield decode_row(line)
        except ValueError:
            continue


class PartWriter(RowWriter):
    """Writes the rows of one part, group by group, within `async with`.

    Args:
        store: where to.
        part: whose rows.
        on_written: called with each group, in the event loop.
    """

    def __init__(
        self,
        store: PartStore,
        part: int,
        on_written: Callable[[Sequence[JournalRow]], None] = lambda rows: None,
    ) -> None:
        super().__init__(on_written)
        self.store, self.part = store, part

    def _open(self) -> None:
        pass  # each group opens a file of its own

    def _close(self) -> None:
        pass

    def _append(self, data: bytes) -> None:
        self.store.write(self.part, data)
