"""One run's folder: manifest, questions, journal, summary."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import RunError, RunFormatError, RunLockedError, RunMismatchError
from evalkit.images import Image
from evalkit.questions import Question
from evalkit.runs.batch_log import read_batch_log
from evalkit.runs.journal import Journal, read_journal
from evalkit.runs.manifest import Manifest, parse_manifest

MANIFEST, QUESTIONS, JOURNAL = "manifest.json", "questions.jsonl.gz", "responses.jsonl"
SUMMARY, BATCHES, LOCK = "summary.json", "batches.jsonl", ".lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """A folder that holds a run, complete or not."""

    path: Path
    manifest: Manifest
    questions: tuple[Question, ...]

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

    def discard_if_empty(self) -> None:
        """Take the folder away if there is no row in its journal and no batch under way."""
        if self.read_journal().good_bytes == 0 and not self.batch_log_path.exists():
            for name in (JOURNAL, QUESTIONS, MANIFEST, LOCK):
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
            yield
        finally:
            lock.release()


def create_run_folder(
    results: Path, manifest: Manifest, questions: tuple[Question, ...]
) -> RunFolder:
    """Create the folder of a run, or open it if the same run was begun before.

    Args:
        results: the folder of all runs.
        manifest: what is to be run.
        questions: the questions to ask, in order.

    Raises:
        RunMismatchError: the folder holds a run with other settings.
        RunError: the folder can't be made or written.
    """
    path = results / manifest.identity.folder_name
    if (path / MANIFEST).is_file():
        found = open_run_folder(path)
        if found.manifest.identity != manifest.identity:
            raise RunMismatchError(f"{path} holds a run with other settings; move it away")
        return found
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path} can't be made: {error.strerror}") from error
    write_whole(path / QUESTIONS, encode_questions(questions))
    # The manifest comes last: a folder that has one is whole.
    manifest_text = json.dumps(manifest.to_json(), indent=2, ensure_ascii=False)
    write_whole(path / MANIFEST, f"{manifest_text}\n".encode())
    return RunFolder(path=path, manifest=manifest, questions=questions)


def open_run_folder(path: Path) -> RunFolder:
    """Open a folder that exists.

    Raises:
        RunFormatError: it is no run folder, or its files can't be read.
    """
    try:
        manifest = parse_manifest(json.loads((path / MANIFEST).read_text(encoding="utf-8")))
        questions = decode_questions((path / QUESTIONS).read_bytes())
    except FileNotFoundError as error:
        name = Path(error.filename).name
        raise RunFormatError(f"{path} is no run folder: it has no {name}") from error
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise RunFormatError(f"{path} can't be read: {error}") from error
    if len(questions) != manifest.questions:
        raise RunFormatError(
            f"{path} can't be read: {QUESTIONS} has {len(questions)} questions, "
            f"the manifest says {manifest.questions}"
        )
    return RunFolder(path=path, manifest=manifest, questions=questions)


def encode_questions(questions: tuple[Question, ...]) -> bytes:
    """Questions as compressed JSON lines, the same bytes for the same questions.

    Of pictures, it holds where they lie and their digests: opening a run needs no picture.
    """
    lines = []
    for question in questions:
        table = without_empty(asdict(question))
        table.pop("metadata")
        if question.images:
            table["images"] = [without_empty(image) for image in table["images"]]
        lines.append(f"{json.dumps(table, ensure_ascii=False)}\n")
    return gzip.compress("".join(lines).encode(), mtime=0)


def without_empty(table: dict[str, Any]) -> dict[str, Any]:
    """A table without what is not there."""
    return {key: value for key, value in table.items() if value not in (None, ())}


def decode_questions(data: bytes) -> tuple[Question, ...]:
    """Read what `encode_questions` wrote.

    Raises:
        ValueError: it was something else.
    """
    questions = []
    for line in gzip.decompress(data).decode().split("\n")[:-1]:
        table = json.loads(line)
        try:
            lists = {k: tuple(v) for k, v in table.items() if isinstance(v, list)}
            images = tuple(Image(**image) for image in table.get("images", ()))
            history = tuple((role, text) for role, text in table.get("history", ()))
            shown = {"images": images, "history": history}
            questions.append(Question(**{**table, **lists, **shown}))
        except (TypeError, AttributeError) as error:
            raise ValueError(f"no question: {error}") from error
    return tuple(questions)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is either there and complete, or not there.

    Raises:
        RunError: the disk is full, or the folder can't be written.
    """
    part = path.with_name(f"{path.name}.part{os.getpid()}")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise RunError(f"{path} can't be written: {error.strerror}") from error
