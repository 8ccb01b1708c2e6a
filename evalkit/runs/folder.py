"""One run's folder: manifest, questions, journal, summary."""

from __future__ import annotations

import gzip
import json
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import RunError, RunFormatError, RunLockedError, RunMismatchError
from evalkit.question_lines import compress_questions, decompress_questions
from evalkit.questions import Question
from evalkit.runs.batch_log import read_batch_log
from evalkit.runs.journal import Journal, JournalReader, read_journal
from evalkit.runs.manifest import Manifest, parse_manifest
from evalkit.stored_questions import collect_questions

MANIFEST, QUESTIONS, JOURNAL = "manifest.json", "questions.jsonl.gz", "responses.jsonl"
EXAMPLES = "examples.jsonl.gz"
SUMMARY, BATCHES, LOCK = "summary.json", "batches.jsonl", ".lock"

GATES = "gate-*"
"""What gates leave: see `evalkit.runs.gate_files`."""

PARTS = "*.part*"
"""Files that were being written; one that is left is a killed process's."""

LEFT_SECONDS = 3600.0
"""A part so old is nobody's any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """A folder that holds a run, complete or not."""

    path: Path
    manifest: Manifest
    questions: Sequence[Question]

    @property
    def journal_path(self) -> Path:
        """Where the responses are."""
        return self.path / JOURNAL

    @property
    def batch_log_path(self) -> Path:
        """Which requests are in which Message Batch."""
        return self.path / BATCHES

    def find_others_batches(self) -> set[str]:
        """Ids of the Message Batches of the runs beside this one."""
        found: set[str] = set()
        for path in self.path.parent.glob(f"*/{BATCHES}"):
            if path != self.batch_log_path:
                with suppress(RunError):  # theirs to report
                    found |= read_batch_log(path).batch_ids
        return found

    def read_journal(self) -> Journal:
        """The responses so far."""
        return read_journal(self.journal_path)

    def write_summary(self, summary: dict[str, Any]) -> None:
        """Write the derived file that comes last: its presence means that the run is done."""
        write_whole(self.path / SUMMARY, (json.dumps(summary, indent=2) + "\n").encode())

    def discard_summary(self) -> None:
        """Take away the derived file, before what it was derived from is written anew.

        Raises:
            RunError: the folder can't be written.
        """
        try:
            (self.path / SUMMARY).unlink(missing_ok=True)
        except OSError as error:
            reason = f"{self.path / SUMMARY} can't be removed: {error.strerror}"
            raise RunError(reason) from error

    def read_examples(self) -> tuple[Question, ...] | None:
        """The set's worked examples in its order; None: they are not kept here.

        Raises:
            RunFormatError: the file can't be read.
        """
        path = self.path / EXAMPLES
        return tuple(read_questions(path)) if path.exists() else None

    def discard_if_empty(self) -> None:
        """Take the folder away if there is no row in its journal and no batch under way."""
        reader = JournalReader(self.journal_path)
        is_empty = next(iter(reader), None) is None and reader.good_bytes == 0
        if is_empty and not self.batch_log_path.exists():
            for path in self.path.glob(GATES):
                path.unlink(missing_ok=True)
            for name in (JOURNAL, EXAMPLES, QUESTIONS, MANIFEST, LOCK):
                (self.path / name).unlink(missing_ok=True)
            with suppress(OSError):  # somebody put a file of their own there
                self.path.rmdir()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing to this folder; a killed one's lock is gone.

        Raises:
            RunLockedError: another process has it.
            RunError: the folder can't be written.
        """
        import filelock

        lock = filelock.FileLock(self.path / LOCK)
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            raise RunLockedError(
                f"another process is running {self.path}; wait for it, or end it"
            ) from None
        except OSError as error:
            raise RunError(f"{self.path} can't be written: {error.strerror}") from error
        try:
            self._remove_parts()
            yield
        finally:
            lock.release()

    def _remove_parts(self) -> None:
        """Delete what killed processes had begun to write."""
        for part in self.path.glob(PARTS):
            with suppress(OSError):  # it does no harm
                if time.time() - part.stat().st_mtime > LEFT_SECONDS:
                    part.unlink()


def create_run_folder(
    results: Path,
    manifest: Manifest,
    questions: Sequence[Question],
    examples: Sequence[Question] = (),
) -> RunFolder:
    """Create the folder of a run, or open it if the same run was begun before.

    Args:
        results: the folder of all runs.
        manifest: what is to be run.
        questions: the questions to ask, in order.
        examples: the set's worked examples in its order, if any are shown and texts are kept; with
            them the requests can be built again from the folder alone.

    Raises:
        RunMismatchError: the folder holds a run with other settings.
        RunError: the folder can't be made or written.
    """
    path = results / manifest.identity.folder_name
    if (path / MANIFEST).is_file():
        found = read_manifest(path)
        if found.identity != manifest.identity:
            raise RunMismatchError(f"{path} holds a run with other settings; move it away")
        # Their digest is a part of the identity: these are the questions of the run.
        if not holds_questions(path / QUESTIONS, len(questions)):
            write_whole(path / QUESTIONS, compress_questions(questions))
        return RunFolder(path=path, manifest=found, questions=questions)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path} can't be made: {error.strerror}") from error
    write_whole(path / QUESTIONS, compress_questions(questions))
    if examples:
        write_whole(path / EXAMPLES, compress_questions(examples))
    # The manifest comes last: a folder that has one is whole.
    manifest_text = json.dumps(manifest.to_json(), indent=2, ensure_ascii=False)
    write_whole(path / MANIFEST, f"{manifest_text}\n".encode())
    return RunFolder(path=path, manifest=manifest, questions=questions)


def open_run_folder(path: Path, *, questions: Sequence[Question] | None = None) -> RunFolder:
    """Open a folder that exists.

    Args:
        path: the folder.
        questions: those of the run, if they are in memory already; None: the folder's.

    Raises:
        RunFormatError: it is no run folder, or its files can't be read.
    """
    manifest = read_manifest(path)
    if questions is None:
        questions = read_questions(path / QUESTIONS)
    if len(questions) != manifest.questions:
        raise RunFormatError(
            f"{path} can't be read: {QUESTIONS} has {len(questions)} questions, "
            f"the manifest says {manifest.questions}"
        )
    return RunFolder(path=path, manifest=manifest, questions=questions)


def read_manifest(path: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        RunFormatError: there is none, or it can't be read.
    """
    with named_errors(path):
        return parse_manifest(json.loads((path / MANIFEST).read_text(encoding="utf-8")))


def read_questions(path: Path) -> Sequence[Question]:
    """The questions in a file of a run's folder.

    Raises:
        RunFormatError: there is none, or it can't be read.
    """
    with named_errors(path.parent), path.open("rb") as file:
        return collect_questions(decompress_questions(file))


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Say of which folder a file can't be read.

    Raises:
        RunFormatError: the block raised what reading a damaged file may raise.
    """
    try:
        yield
    except FileNotFoundError as error:
        lack = f"it has no {Path(error.filename).name}" if path.exists() else "it is not there"
        raise RunFormatError(f"{path} is no run folder: {lack}") from error
    except NotADirectoryError as error:
        raise RunFormatError(
            f"{path} is a file, no run folder; `evalkit import` makes runs of other tools' logs"
        ) from error
    except IsADirectoryError as error:
        raise RunFormatError(
            f"{path} can't be read: {Path(error.filename).name} is a folder, no file; move it away "
            "and put the run's own file in its place"
        ) from error
    except PermissionError as error:
        raise RunFormatError(
            f"{path} can't be read: {Path(error.filename).name}: {error.strerror}; call as the "
            "user whose run it is, or have them let you read it"
        ) from error
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise RunFormatError(f"{path} can't be read: {error}") from error


def holds_questions(path: Path, count: int) -> bool:
    """Whether a file of questions is there, whole, and of so many lines."""
    try:
        with gzip.open(path, "rb") as file:
            return sum(1 for _ in file) == count
    except (OSError, EOFError, zlib.error):
        return False


def write_whole(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write a file so that it is either there and complete, or not there.

    Args:
        path: where it is to be.
        data: all of it, or its parts one after the other.

    Raises:
        RunError: the disk is full, or the folder can't be written.
    """
    part = path.parent / f"{path.name}.part{os.getpid()}"
    try:
        with part.open("wb") as file:
            for piece in (data,) if isinstance(data, bytes) else data:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise RunError(f"{path} can't be written: {error.strerror}") from error
    finally:
        with suppress(OSError):  # also of what was interrupted; a whole file has its own name now
            part.unlink()


def append_text(path: Path, text: str) -> None:
    """Add to a file that others write to as well.

    Raises:
        RunError: it can't be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise RunError(f"{path} can't be written: {error.strerror}") from error
