"""A run's folder is whole or not there, has one writer, and may be moved."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import RunError, RunFormatError, RunLockedError, RunMismatchError
from evalkit.images import Image, refer_to_image
from evalkit.prompts import PromptFormat
from evalkit.question_lines import encode_questions
from evalkit.questions import Question
from evalkit.runs.folder import (
    RunFolder,
    create_run_folder,
    open_run_folder,
    write_whole,
)
from evalkit.runs.manifest import Manifest
from tests.conftest import AS_ANYBODY, ROOT
from tests.test_journal import disk_of, lines_of, row_of
from tests.test_manifest import IDENTITY

QUESTIONS = (
    Question(id="ant", stem="Latin for ant? 🐜", choices=("Apis", "Formica"), right=(1,)),
    Question(id="two", stem="Even?", choices=("2", "3", "4"), right=(0, 2), group="sums"),
)
FILE = Image(
    digest="0" * 64,
    media_type="image/png",
    width=640,
    height=480,
    size_bytes=1000,
    path="/sets/nowhere/ant 🐜.png",
)
ADDRESS = refer_to_image("https://example.org/ant.png")
MANIFEST = Manifest(identity=IDENTITY, prompt=PromptFormat(), questions=2)
HOLD = """
import sys
from pathlib import Path
from evalkit.runs.folder import open_run_folder
with open_run_folder(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


def create(results: Path, manifest: Manifest = MANIFEST) -> RunFolder:
    return create_run_folder(results, manifest, QUESTIONS)


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process writes to the folder meanwhile."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


# Making and opening


def test_a_folder_is_named_after_its_run_and_holds_what_is_needed(tmp_path: Path) -> None:
    folder = create(tmp_path / "not there yet" / "results")
    assert folder.path.name == IDENTITY.folder_name
    assert sorted(path.name for path in folder.path.iterdir()) == [
        *("manifest.json", "questions.jsonl.gz"),
    ]
    assert open_run_folder(folder.path) == folder


def test_the_same_run_is_opened_again(tmp_path: Path) -> None:
    first = create(tmp_path)
    later = replace(MANIFEST, created_at="2027-01-01T00:00:00+00:00", way_reason="asked for")
    # What happened first stands; it is the same run.
    assert create(tmp_path, later) == first


def test_another_run_gets_another_folder(tmp_path: Path) -> None:
    other = replace(MANIFEST, identity=replace(IDENTITY, seed=1))
    assert create(tmp_path, other).path != create(tmp_path).path


def test_a_folder_under_the_name_of_another_run_is_refused(tmp_path: Path) -> None:
    other = create(tmp_path, replace(MANIFEST, identity=replace(IDENTITY, seed=1)))
    other.path.rename(tmp_path / IDENTITY.folder_name)
    with pytest.raises(RunMismatchError, match="holds a run with other settings; move it away"):
        create(tmp_path)


def test_a_moved_folder_can_be_read(tmp_path: Path) -> None:
    folder = create(tmp_path / "results")
    folder.journal_path.write_bytes(lines_of(row_of(1)))
    moved = Path(shutil.move(folder.path, tmp_path / "elsewhere"))
    found = open_run_folder(moved)
    assert (found.manifest, found.questions) == (MANIFEST, QUESTIONS)
    assert found.read_journal().rows == (row_of(1),)


def test_what_a_crash_left_before_the_manifest_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / IDENTITY.folder_name
    path.mkdir()
    (path / "questions.jsonl.gz").write_bytes(b"half a fi")
    assert open_run_folder(create(tmp_path).path).questions == QUESTIONS


@pytest.mark.parametrize("damage", [None, b"", encode_questions(QUESTIONS)[:-9], b"no gzip"])
def test_a_run_that_goes_on_makes_its_questions_whole_again(
    damage: bytes | None, tmp_path: Path
) -> None:
    path = create(tmp_path).path / "questions.jsonl.gz"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    assert create(tmp_path).questions == QUESTIONS
    assert open_run_folder(path.parent).questions == QUESTIONS


def test_a_run_that_goes_on_keeps_its_questions_file(tmp_path: Path) -> None:
    path = create(tmp_path).path / "questions.jsonl.gz"
    written_by_another_version = gzip.compress(gzip.decompress(path.read_bytes()), 9)
    path.write_bytes(written_by_another_version)
    create(tmp_path)
    assert path.read_bytes() == written_by_another_version


def test_questions_that_are_in_memory_need_not_be_read(tmp_path: Path) -> None:
    folder = create(tmp_path)
    (folder.path / "questions.jsonl.gz").unlink()
    assert open_run_folder(folder.path, questions=QUESTIONS) == folder
    with pytest.raises(RunFormatError, match="has 1 questions, the manifest says 2"):
        open_run_folder(folder.path, questions=QUESTIONS[:1])


def test_worked_examples_are_kept_if_there_are_any(tmp_path: Path) -> None:
    assert create(tmp_path).read_examples() is None
    other = replace(MANIFEST, identity=replace(IDENTITY, shots=1))
    folder = create_run_folder(tmp_path, other, QUESTIONS, QUESTIONS[:1])
    assert folder.read_examples() == QUESTIONS[:1]
    (folder.path / "examples.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(RunFormatError, match="can't be read"):
        folder.read_examples()
    folder.discard_if_empty()
    assert not folder.path.exists()


@pytest.mark.parametrize("name", ["manifest.json", "questions.jsonl.gz"])
def test_a_folder_without_its_files_is_no_run(name: str, tmp_path: Path) -> None:
    folder = create(tmp_path)
    (folder.path / name).unlink()
    with pytest.raises(RunFormatError, match=f"is no run folder: it has no {name}"):
        open_run_folder(folder.path)
    with pytest.raises(RunFormatError, match="is no run folder: it is not there"):
        open_run_folder(tmp_path / "nowhere")


def test_a_folder_in_the_place_of_the_manifest_is_said_with_the_remedy(tmp_path: Path) -> None:
    folder = create(tmp_path)
    (folder.path / "manifest.json").unlink()
    (folder.path / "manifest.json").mkdir()
    with pytest.raises(RunFormatError) as caught:
        open_run_folder(folder.path)
    assert str(caught.value) == (
        f"{folder.path} can't be read: manifest.json is a folder, no file; move it away and put "
        "the run's own file in its place"
    )


def test_a_manifest_that_may_not_be_read_is_said_with_the_remedy(tmp_path: Path) -> None:
    folder = create(tmp_path)
    (folder.path / "manifest.json").chmod(0)
    done = subprocess.run(
        [sys.executable, "-c", AS_ANYBODY, "-m", "evalkit", "show", str(folder.path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"evalkit: {folder.path} can't be read: manifest.json: Permission denied; call as the user "
        "whose run it is, or have them let you read it\n"
    )


def gzipped(*rows: Any) -> bytes:
    # Without the time: parallel test processes have to find the same cases.
    return gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode(), mtime=0)


WHOLE = encode_questions(QUESTIONS)
ANT = {"id": "ant", "stem": "Latin for ant?", "choices": ["Apis", "Formica"], "right": [1]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", b""),
        ("manifest.json", b'{"format": 1, "run'),
        ("manifest.json", b"\xff"),
        ("questions.jsonl.gz", b""),
        ("questions.jsonl.gz", b"no gzip"),
        ("questions.jsonl.gz", WHOLE[: len(WHOLE) // 2]),
        ("questions.jsonl.gz", WHOLE[:20] + b"\x00\xff\x00\xff" + WHOLE[24:]),
        ("questions.jsonl.gz", WHOLE[:10] + b"\xff" * 20),
        ("questions.jsonl.gz", gzip.compress(b"not json\n", mtime=0)),
        ("questions.jsonl.gz", gzip.compress(b"\xff\n", mtime=0)),
        ("questions.jsonl.gz", gzipped([])),
        ("questions.jsonl.gz", gzipped({})),
        ("questions.jsonl.gz", gzipped({"id": "q", "stem": "", "choices": ["a"], "right": [0]})),
        ("questions.jsonl.gz", gzipped({"id": "q", "stem": "", "choices": 3, "right": [0]})),
        ("questions.jsonl.gz", gzipped({"id": "q", "sum": 3})),
        ("questions.jsonl.gz", gzipped(ANT | {"images": 3})),
        ("questions.jsonl.gz", gzipped(ANT | {"images": ["/a.png"]})),
        ("questions.jsonl.gz", gzipped(ANT | {"images": [{}]})),
        ("questions.jsonl.gz", gzipped(ANT | {"images": [{"digest": "0"}]})),
        ("questions.jsonl.gz", gzipped(ANT | {"images": [{"digest": "0", "file": "a.png"}]})),
    ],
)
def test_damaged_files_are_named(name: str, content: bytes, tmp_path: Path) -> None:
    folder = create(tmp_path)
    (folder.path / name).write_bytes(content)
    with pytest.raises(RunFormatError, match=r"can't be read|can't be used|has format None"):
        open_run_folder(folder.path)


def test_a_manifest_of_another_format_is_refused_by_name(tmp_path: Path) -> None:
    folder = create(tmp_path)
    table = MANIFEST.to_json() | {"format": 2}
    (folder.path / "manifest.json").write_text(json.dumps(table))
    with pytest.raises(RunFormatError, match=r"manifest\.json has format 2; evalkit \S+ reads 1"):
        create(tmp_path)


# Questions


def test_a_run_is_opened_without_its_pictures(tmp_path: Path) -> None:
    """It knows where they lay and what they were."""
    assert not Path(FILE.place).exists()
    questions = (replace(QUESTIONS[0], images=(FILE, ADDRESS)), QUESTIONS[1])
    folder = create_run_folder(tmp_path, MANIFEST, questions)

    assert open_run_folder(folder.path).questions == questions


# One writer


def test_a_second_process_on_the_same_run_is_refused(tmp_path: Path) -> None:
    folder = create(tmp_path)
    with held_by_another_process(folder.path) as process:
        with (
            pytest.raises(RunLockedError, match=r"another process is running .*; wait for it"),
            folder.locked(),
        ):
            pass
        # A killed process leaves its lock file, but no lock.
        process.kill()
        process.wait()
        with folder.locked():
            pass


def test_a_second_run_in_the_same_process_is_refused(tmp_path: Path) -> None:
    folder = create(tmp_path)
    with folder.locked(), pytest.raises(RunLockedError), folder.locked():
        pass
    with folder.locked():
        pass


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    folder = create(tmp_path)
    (folder.path / ".lock").mkdir()
    with pytest.raises(RunError, match="can't be written: "), folder.locked():
        pass


def test_what_killed_processes_had_begun_to_write_is_deleted_in_time(tmp_path: Path) -> None:
    folder = create(tmp_path)
    old, new = (folder.path / f"summary.json.part{number}" for number in (1, 2))
    for part in (old, new):
        part.write_text("half a summ")
    os.utime(old, (0, 0))
    with folder.locked():
        pass
    # The other may be another process's that is about to be done.
    assert (old.exists(), new.exists()) == (False, True)


# Leaving nothing behind


def test_a_run_without_a_row_is_taken_away_whole(tmp_path: Path) -> None:
    folder = create(tmp_path)
    with folder.locked():
        folder.journal_path.touch()
        folder.discard_if_empty()
    assert list(tmp_path.iterdir()) == []


def test_a_torn_first_line_is_no_row(tmp_path: Path) -> None:
    folder = create(tmp_path)
    folder.journal_path.write_bytes(lines_of(row_of(1))[:-1])
    folder.discard_if_empty()
    assert list(tmp_path.iterdir()) == []


def test_a_run_with_a_row_is_kept(tmp_path: Path) -> None:
    folder = create(tmp_path)
    folder.journal_path.write_bytes(lines_of(row_of(1)))
    folder.discard_if_empty()
    assert open_run_folder(folder.path).read_journal().rows == (row_of(1),)


def test_files_of_somebody_else_are_kept(tmp_path: Path) -> None:
    folder = create(tmp_path)
    (folder.path / "notes.txt").write_text("mine")
    folder.discard_if_empty()
    assert [path.name for path in folder.path.iterdir()] == ["notes.txt"]


# Disks


def test_a_summary_is_written_whole(tmp_path: Path) -> None:
    folder = create(tmp_path)
    folder.write_summary({"accuracy": 0.5})
    folder.write_summary({"accuracy": 0.75})
    assert json.loads((folder.path / "summary.json").read_text()) == {"accuracy": 0.75}


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_whole(path, b"earlier")
    with disk_of(1000), pytest.raises(RunError, match=r"summary\.json can't be written: File too"):
        write_whole(path, b"x" * 2000)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_makes_no_folder_that_looks_whole(tmp_path: Path) -> None:
    with disk_of(200), pytest.raises(RunError, match="can't be written: File too large"):
        create(tmp_path)
    with pytest.raises(RunFormatError, match="is no run folder"):
        open_run_folder(tmp_path / IDENTITY.folder_name)
    assert create(tmp_path).questions == QUESTIONS


def test_a_file_in_the_place_of_the_results_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("no folder")
    with pytest.raises(RunError, match="can't be made: Not a directory"):
        create(tmp_path / "results")


def test_a_folder_in_the_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "summary.json").mkdir()
    with pytest.raises(RunError, match=r"summary\.json can't be written: Is a directory"):
        write_whole(tmp_path / "summary.json", b"")
    with pytest.raises(RunError, match="can't be written: No such file"):
        write_whole(tmp_path / "nowhere" / "summary.json", b"")
    with pytest.raises(RunError, match="can't be written: "):
        write_whole(Path(), b"")
