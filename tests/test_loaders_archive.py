"""Files within zip archives and packed by gzip are read as if they lay there unpacked."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from evalkit.benchmarks import load_benchmark
from evalkit.errors import BenchmarkError, QuestionSetError
from evalkit.loaders.archive import find_archive, find_members, list_members, open_file
from tests.pictures import paint

ROWS = "question,A,B,C,answer\nWhich is red?,rose,sky,leaf,A\nWhich is blue?,rose,sky,leaf,B\n"

HEAD = """
version = "1"
[columns]
stem = "question"
choices = ["A", "B", "C"]
answer = "answer"
[source]
"""


def pack(path: Path, members: dict[str, str | bytes]) -> Path:
    """A zip archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def stems(name: Path | str) -> list[str]:
    return [question.stem for question in load_benchmark(name).question_set.questions]


@pytest.mark.parametrize("name", ["q.csv.gz", "Q.CSV.GZ"])
def test_a_table_packed_by_gzip_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(gzip.compress(ROWS.encode()))

    benchmark = load_benchmark(tmp_path / name)
    assert benchmark.name.lower() == "q"
    assert len(benchmark.question_set.questions) == 2


def test_the_only_question_file_of_an_archive_is_read(tmp_path: Path) -> None:
    path = pack(tmp_path / "q.zip", {"__MACOSX/._q.csv": "x", "read me.md": "x", "in/q.csv": ROWS})

    assert stems(path) == ["Which is red?", "Which is blue?"]


def test_a_file_in_an_archive_is_named_as_in_a_folder(tmp_path: Path) -> None:
    pack(tmp_path / "[q].zip", {"a/[1].csv": ROWS, "b.csv": "x"})

    assert len(stems(tmp_path / "[q].zip" / "a" / "[1].csv")) == 2


def test_an_archive_of_several_question_files_asks_for_one(tmp_path: Path) -> None:
    path = pack(tmp_path / "q.zip", {"a.csv": ROWS, "b.csv": ROWS})

    with pytest.raises(BenchmarkError) as caught:
        load_benchmark(path)
    assert f"2 question files are in it (a.csv, b.csv, ...): name one, such as {path}/a.csv" in str(
        caught.value
    )


def test_a_definitions_patterns_lead_into_archives(tmp_path: Path) -> None:
    """MMLU comes so: one archive with a table for each subject."""
    pack(
        tmp_path / "mmlu.zip",
        {
            "data/test/law_test.csv": ROWS,
            "data/test/world_art_test.csv.gz": gzip.compress(ROWS.encode()),
            "data/test/deeper/no_test.csv": ROWS,
            "data/dev/law_dev.csv": ROWS,
        },
    )
    path = tmp_path / "mine.toml"
    path.write_text(
        f'{HEAD}files = ["mmlu.zip/data/test/*_test.csv*"]\nexamples = "*.zip/data/dev/*.csv"\n'
        'group_from_file = "(.+)_(?:test|dev)"\n'
    )
    loaded = load_benchmark(path).question_set

    assert [question.group for question in loaded.questions] == ["law"] * 2 + ["world art"] * 2
    assert len(loaded.examples) == 2


def test_a_pattern_that_ends_at_an_archive_means_all_question_files_in_it(tmp_path: Path) -> None:
    pack(tmp_path / "q.zip", {"a.csv": ROWS, "b/b.csv": ROWS, "notes.md": "x"})
    (tmp_path / "mine.toml").write_text(f'{HEAD}files = ["*.zip"]\n')

    assert len(stems(tmp_path / "mine.toml")) == 4


def test_pictures_in_an_archive_are_read(tmp_path: Path) -> None:
    digest = paint(tmp_path / "a.png")
    pack(
        tmp_path / "q.zip",
        {
            "q/images/a.png": (tmp_path / "a.png").read_bytes(),
            "q/q.jsonl": '{"image": "images/a.png", "question": "What is it?", '
            '"choices": ["a cat", "a dog"], "answer": "A"}\n',
        },
    )
    [question] = load_benchmark(tmp_path / "q.zip").question_set.questions

    assert [image.digest for image in question.images] == [digest]
    assert Path(question.images[0].place).is_file()


def test_a_picture_outside_of_the_archive_is_refused(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    row = '{"image": "../a.png", "question": "?", "choices": ["a", "b"], "answer": "A"}\n'
    pack(tmp_path / "q.zip", {"q.jsonl": row})

    with pytest.raises(QuestionSetError, match="the path leads out of"):
        load_benchmark(tmp_path / "q.zip")


def test_a_picture_that_is_not_in_the_archive_is_refused(tmp_path: Path) -> None:
    row = '{"image": "a.png", "question": "?", "choices": ["a", "b"], "answer": "A"}\n'
    pack(tmp_path / "q.zip", {"q.jsonl": row})

    with pytest.raises(QuestionSetError, match=r"there is no a\.png in it"):
        load_benchmark(tmp_path / "q.zip")


@pytest.mark.parametrize(
    ("name", "data", "complaint"),
    [
        ("q.csv.gz", b"", "the file is empty"),
        ("q.csv.gz", b"question,A\n", "q.csv.gz: can't be unpacked: Not a gzipped file"),
        ("q.csv.gz", gzip.compress(ROWS.encode(), mtime=0)[:-20], "q.csv.gz: can't be unpacked: "),
        ("q.csv.gz", b"\x1f\x8b\x08\x00" + bytes(40), "can't be unpacked: "),
        ("q.zip", b"", "q.zip: can't be unpacked: File is not a zip file"),
        ("q.zip", b"PK\x05\x06" + bytes(18), "q.zip: there is no question file in it"),
    ],
)
def test_damage_is_an_error_that_names_the_file(
    tmp_path: Path, name: str, data: bytes, complaint: str
) -> None:
    (tmp_path / name).write_bytes(data)

    with pytest.raises(BenchmarkError) as caught:
        load_benchmark(tmp_path / name)
    assert complaint in str(caught.value)


def test_damage_within_a_member_is_found(tmp_path: Path) -> None:
    path = pack(tmp_path / "q.zip", {"q.csv": ROWS * 50})
    data = bytearray(path.read_bytes())
    data[60:70] = bytes(10)
    path.write_bytes(data)

    with pytest.raises(BenchmarkError, match=r"q\.zip/q\.csv: can't be unpacked: "):
        load_benchmark(path)


def test_a_member_that_is_missing_is_named(tmp_path: Path) -> None:
    path = pack(tmp_path / "q.zip", {"q.csv": ROWS})

    with (
        pytest.raises(BenchmarkError, match=r"q\.zip: there is no r\.csv in it"),
        open_file(path / "r.csv"),
    ):
        pass
    with pytest.raises(BenchmarkError, match="no such file"):
        load_benchmark(path / "r.csv")


def test_a_folder_may_be_called_as_an_archive(tmp_path: Path) -> None:
    (tmp_path / "q.zip").mkdir()
    (tmp_path / "q.zip" / "q.csv").write_text(ROWS)
    (tmp_path / "mine.toml").write_text(f'{HEAD}files = ["q.zip/*.csv"]\n')

    assert find_archive(tmp_path / "q.zip" / "q.csv") is None
    assert len(stems(tmp_path / "mine.toml")) == 2


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*.csv", ["a.csv"]), ("b/*.csv", ["b/c.csv"]), ("*/c.*", ["b/c.csv"]), ("c.csv", [])],
)
def test_a_star_stands_for_no_slash(tmp_path: Path, pattern: str, expected: list[str]) -> None:
    path = pack(tmp_path / "q.zip", {"a.csv": "", "b/c.csv": "", ".hidden": ""})

    assert list_members(path) == ["a.csv", "b/c.csv"]
    assert find_members(path, pattern) == [path / name for name in expected]
