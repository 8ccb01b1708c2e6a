"""Sets come from the hub once, whole and verified, and what is wrong is said in one line."""

from __future__ import annotations

import io
import socket
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pyarrow as pa
import pytest

from evalkit.benchmarks import Benchmark, load_benchmark, parse_definition
from evalkit.errors import BenchmarkError, ImageError, MissingExtraError, QuestionSetError
from evalkit.loaders.picture_store import store_picture
from tests.hub_server import COMMIT, CONVERTED, HubServer, Repository
from tests.parquet_files import ARC, PICTURE, arc_rows, write_arc, write_parquet
from tests.pictures import paint

ONE = "00000-of-00001.parquet"

HEAD = 'version = "1"\n'
COLUMNS = """
[columns]
id = "id"
stem = "question"
choices = { texts = "choices.text", labels = "choices.label" }
answer = "answerKey"
"""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """A hub with a set like ARC, and nothing in the cache."""
    files = {
        "README.md": b"# ARC",
        f"Easy/test-{ONE}": write_arc(7),
        f"Easy/validation-{ONE}": write_arc(2),
        f"Hard_ones/test-{ONE}": write_arc(4, numbered=True),
    }
    with HubServer({"allenai/arc": Repository(files)}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield server


def define(folder: Path, source: str, *, head: str = HEAD, columns: str = COLUMNS) -> Path:
    """A definition of a set on the hub."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "arc.toml"
    path.write_text(f'{head}[source]\nhub = "allenai/arc"\n{source}\n{columns}', encoding="utf-8")
    return path


def complaint(path: Path, data_folder: Path | None = None) -> str:
    """What loading says; it is one line."""
    with pytest.raises(BenchmarkError) as caught:
        load_benchmark(path, data_folder=data_folder)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_questions_and_examples_come_from_their_splits(hub: HubServer, tmp_path: Path) -> None:
    path = define(tmp_path, 'config = "Easy"\nexample_split = "validation"')
    loaded = load_benchmark(path).question_set

    assert [question.id for question in loaded.questions] == [f"q{n}" for n in range(7)]
    assert loaded.questions[3].choices == ("3", "4", "5", "6")
    assert loaded.questions[3].right_texts == ("4",)
    assert loaded.questions[3].group is None
    assert len(loaded.examples) == 2


def test_a_set_is_fetched_once_and_then_needs_no_network(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = define(tmp_path, 'config = "Easy"')
    definition = parse_definition(path)
    assert definition.locate(None) == "fetch"
    first = load_benchmark(path).question_set.digest
    asked = hub.asked.total()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    assert definition.locate(None) == "cache"
    assert load_benchmark(path).question_set.digest == first
    assert hub.asked.total() == asked


def test_all_files_are_of_the_commit_that_the_revision_was_when_asked(
    hub: HubServer, tmp_path: Path
) -> None:
    load_benchmark(define(tmp_path, 'config = "Easy"'))
    resolved = [name for name in hub.asked if "/resolve/" in name]

    assert resolved
    assert all(f"/resolve/{COMMIT}/" in name for name in resolved)


@pytest.mark.parametrize("configs", ['configs = ["Hard_ones", "Easy"]', 'configs = "*"'])
def test_of_several_configs_each_is_a_subject(hub: HubServer, tmp_path: Path, configs: str) -> None:
    hub.repositories["allenai/arc"].files[f"Hard_ones/test-{ONE}"] = write_parquet(
        [row | {"id": f"hard-{row['id']}"} for row in arc_rows(4, numbered=True)], ARC
    )
    loaded = load_benchmark(define(tmp_path, configs)).question_set

    groups = [question.group for question in loaded.questions]
    assert (groups.count("Hard ones"), groups.count("Easy")) == (4, 7)


def test_a_moving_revision_without_files_is_read_from_the_hubs_own_copy(
    hub: HubServer, tmp_path: Path
) -> None:
    hub.repositories["allenai/arc"] = Repository(
        {"arc.py": b"# a script"}, converted={"Easy/test/0000.parquet": write_arc(5)}
    )

    assert len(load_benchmark(define(tmp_path, 'config = "Easy"')).question_set.questions) == 5
    assert any(f"/resolve/{CONVERTED}/" in name for name in hub.asked)


def test_a_local_folder_comes_before_the_hub(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "data" / "allenai" / "arc" / "Easy").mkdir(parents=True)
    copy = tmp_path / "data" / "allenai" / "arc" / "Easy" / f"test-{ONE}"
    copy.write_bytes(write_arc(3))
    path = define(tmp_path / "here", 'config = "Easy"')

    assert len(load_benchmark(path, data_folder=tmp_path / "data").question_set.questions) == 3
    assert hub.asked.total() == 0


def test_a_local_copy_of_which_a_part_is_missing_is_refused(hub: HubServer, tmp_path: Path) -> None:
    folder = tmp_path / "data" / "arc" / "Easy"
    folder.mkdir(parents=True)
    (folder / "test-00001-of-00002.parquet").write_bytes(write_arc(3))
    path = define(tmp_path / "here", 'config = "Easy"')

    assert "of allenai/arc, Easy/test-00000-of-00002.parquet is missing" in complaint(
        path, tmp_path / "data"
    )


def test_a_local_folder_without_the_split_leaves_it_to_the_hub(
    hub: HubServer, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "arc" / "Easy"
    folder.mkdir(parents=True)
    (folder / f"train-{ONE}").write_bytes(write_arc(3))
    path = define(tmp_path / "here", 'config = "Easy"')

    assert len(load_benchmark(path, data_folder=tmp_path / "data").question_set.questions) == 7


def test_the_hubs_columns_may_differ_from_those_of_the_authors_files(
    hub: HubServer, tmp_path: Path
) -> None:
    other = COLUMNS.replace("[columns]", "[hub_columns]")
    own = '[columns]\nstem = "q"\nchoices = ["A", "B"]\nanswer = "answer"\n'
    path = define(tmp_path, 'files = ["own.csv"]\nconfig = "Easy"', columns=own + other)
    assert len(load_benchmark(path).question_set.questions) == 7

    (tmp_path / "own.csv").write_text("q,A,B,answer\nWhich?,red,blue,B\n", encoding="utf-8")
    assert len(load_benchmark(path).question_set.questions) == 1


def test_an_archive_of_the_hub_is_opened(hub: HubServer, tmp_path: Path) -> None:
    """CMMLU comes so: a table for each subject and split, their first column without a name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("test/law.csv", "test/world_art.csv", "dev/law.csv"):
            archive.writestr(name, f",Question,A,B,Answer\n0,{name}?,red,blue,B\n")
    hub.repositories["allenai/arc"].files["set.zip"] = packed.getvalue()
    columns = '[columns]\nstem = "Question"\nchoices = ["A", "B"]\nanswer = "Answer"\n'
    source = 'paths = ["set.zip/{split}/*.csv"]\nexample_split = "dev"\ngroup_from_file = "(.+)"'
    loaded = load_benchmark(define(tmp_path, source, columns=columns)).question_set

    assert [question.group for question in loaded.questions] == ["law", "world art"]
    assert [question.stem for question in loaded.examples] == ["dev/law.csv?"]
    with pytest.raises(BenchmarkError, match="nothing in it matches val/"):
        load_benchmark(define(tmp_path, f'{source}\nsplit = "val"', columns=columns))


def test_offline_what_another_tool_has_fetched_is_used(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huggingface_hub.snapshot_download(
        "allenai/arc", repo_type="dataset", cache_dir=tmp_path / "hub-cache", endpoint=hub.address
    )
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = hub.asked.total()

    assert len(load_benchmark(define(tmp_path, 'config = "Easy"')).question_set.questions) == 7
    assert "is not in the cache" in complaint(define(tmp_path, 'config = "Easier"'))
    assert hub.asked.total() == asked


# What goes wrong


@pytest.mark.parametrize(
    ("access", "text"),
    [
        ("gated", "allenai/arc is gated: accept its terms at {0}/datasets/allenai/arc, then set "),
        ("private", "the hub has no dataset allenai/arc, or it is private: see {0}/datasets/"),
    ],
)
def test_a_set_that_may_not_be_read_says_what_to_do_and_a_token_opens_it(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, access: str, text: str
) -> None:
    hub.repositories["allenai/arc"].access = access
    path = define(tmp_path, 'config = "Easy"')

    told = complaint(path)
    assert told.startswith(text.format(hub.address))
    assert "HF_TOKEN" in told

    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert len(load_benchmark(path).question_set.questions) == 7


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ('config = "Hard"', "allenai/arc at main has no files of 'Hard', split 'test'; it "),
        (
            'config = "Easy"\nsplit = "dev"',
            "no files of 'Easy', split 'dev'; it has Easy/test-00",
        ),
        ('configs = ["Easy", "None"]', "no files of 'None', split 'test'"),
        ('configs = "*"\nexample_split = "dev"', "has no files of split 'dev'"),
        ('config = "Easy"\nrevision = "abc"', "allenai/arc has no revision abc: see "),
    ],
)
def test_what_the_repository_does_not_have_is_named(
    hub: HubServer, tmp_path: Path, source: str, text: str
) -> None:
    assert text in complaint(define(tmp_path, source))


def test_a_dataset_that_is_not_there_is_said_not_to_be(hub: HubServer, tmp_path: Path) -> None:
    hub.repositories.clear()

    assert "the hub has no dataset allenai/arc" in complaint(define(tmp_path, 'config = "Easy"'))


def test_offline_and_not_cached_is_said_without_asking(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told = complaint(define(tmp_path, 'config = "Easy"'))

    assert told == (
        "allenai/arc is not in the cache, and HF_HUB_OFFLINE is set: unset it, or name a folder "
        "that holds the set by --data"
    )
    assert hub.asked.total() == 0


@pytest.mark.parametrize("offline", [False, True])
def test_without_the_extra_the_command_that_installs_it_is_named(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    for name in [name for name in sys.modules if name.startswith("huggingface_hub")]:
        monkeypatch.setitem(sys.modules, name, None)
    if offline:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(MissingExtraError) as caught:
        load_benchmark(define(tmp_path, 'config = "Easy"'))
    assert str(caught.value) == (
        "fetching sets from the hub needs an extra: pip install 'evalkit-mcq[hub]'"
    )


def test_a_cache_that_cannot_be_written_to_is_named(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVALKIT_CACHE_DIR", str(tmp_path / "file"))

    assert f"{tmp_path / 'file'}/sets" in complaint(define(tmp_path, 'config = "Easy"'))


def test_a_hub_that_cannot_be_reached_is_named(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("HF_ENDPOINT", nowhere)

    assert complaint(define(tmp_path, 'config = "Easy"')).startswith(
        f"allenai/arc can't be fetched from {nowhere}: "
    )


def test_bytes_other_than_the_hub_promised_are_removed_and_fetched_anew(
    hub: HubServer, tmp_path: Path
) -> None:
    path = define(tmp_path, 'config = "Easy"')
    hub.spoil = True
    told = complaint(path)
    assert f"Easy/test-{ONE} arrived with SHA-256 " in told
    assert "was removed" in told

    hub.spoil = False
    assert len(load_benchmark(path).question_set.questions) == 7


def test_a_digest_of_the_definition_binds_too(hub: HubServer, tmp_path: Path) -> None:
    path = define(tmp_path, f'config = "Easy"\nsha256 = {{ "Easy/test-{ONE}" = "{"0" * 64}" }}')

    assert f"instead of {'0' * 64}" in complaint(path)


def test_a_broken_connection_is_taken_up_again(hub: HubServer, tmp_path: Path) -> None:
    hub.cut_after = 1000

    assert len(load_benchmark(define(tmp_path, 'config = "Easy"')).question_set.questions) == 7


@pytest.mark.parametrize("unverified", [False, True])
def test_a_count_that_differs_is_an_error_that_says_both_unless_it_is_uncertain(
    hub: HubServer, tmp_path: Path, unverified: bool
) -> None:
    doubt = 'unverified = ["questions"]\n' if unverified else ""
    path = define(tmp_path, 'config = "Easy"', head=f"{HEAD}questions = 1172\n{doubt}")

    if unverified:
        assert len(load_benchmark(path).question_set.questions) == 7
    else:
        assert "arc came with 7 questions, and the published set has 1,172: " in complaint(path)


def test_a_split_whose_answers_are_withheld_is_called_that(hub: HubServer, tmp_path: Path) -> None:
    rows = [row | {"answerKey": ""} for row in arc_rows(30)]
    hub.repositories["allenai/arc"].files[f"Easy/test-{ONE}"] = write_parquet(rows, ARC)

    with pytest.raises(QuestionSetError) as caught:
        load_benchmark(define(tmp_path, 'config = "Easy"'))
    assert str(caught.value).startswith(
        "30 rows can't be used (30 of 30 have no answer: this split's answers are withheld, so "
        "take another split, such as validation):\n"
    )


# Pictures


def picture_rows(folder: Path) -> bytes:
    """Rows like MMMU's: pictures in cells, options as a text, open questions among them."""
    for form in ("PNG", "JPEG"):
        paint(folder / form, form=form)
    png, jpeg = (folder / "PNG").read_bytes(), (folder / "JPEG").read_bytes()
    schema = pa.schema(
        [
            *((name, pa.string()) for name in ("id", "question", "options", "answer", "type")),
            ("image_1", PICTURE),
            ("image_2", PICTURE),
        ]
    )
    return write_parquet(
        [
            {
                "id": "a",
                "question": "What is in <image 1>?",
                "options": "['a cat', \"a dog's bowl\", '<image 2>']",
                "answer": "C",
                "type": "multiple-choice",
                "image_1": {"bytes": png, "path": "a.png"},
                "image_2": {"bytes": jpeg, "path": None},
            },
            {
                "id": "b",
                "question": "How many?",
                "options": "[]",
                "answer": "three",
                "type": "open",
                "image_1": None,
                "image_2": None,
            },
            {
                "id": "c",
                "question": "Which?",
                "options": "['x', 'y']",
                "answer": "B",
                "type": "multiple-choice",
                "image_1": {"bytes": None, "path": None},
                "image_2": None,
            },
        ],
        schema,
    )


MMMU = """
[columns]
id = "id"
stem = "question"
choices = { list = "options", literal = true }
answer = "answer"
images = ["image_1", "image_2"]
where = { column = "type", is = "multiple-choice" }
"""


def load_pictures(hub: HubServer, folder: Path) -> Benchmark:
    hub.repositories["allenai/arc"].files[f"Art/test-{ONE}"] = picture_rows(folder)
    return load_benchmark(define(folder, 'configs = ["Art"]', columns=MMMU))


def test_pictures_in_cells_become_files_of_the_cache_by_their_digests(
    hub: HubServer, tmp_path: Path, own_environment: Path
) -> None:
    question, without = load_pictures(hub, tmp_path).question_set.questions

    assert without.images == ()
    assert question.choices == ("a cat", "a dog's bowl", "<image 2>")
    assert [image.media_type for image in question.images] == ["image/png", "image/jpeg"]
    for image in question.images:
        assert Path(image.place) == own_environment / "pictures" / image.digest[:2] / image.digest
        assert Path(image.place).is_file()


def test_the_file_of_a_picture_that_was_damaged_is_written_anew(
    hub: HubServer, tmp_path: Path
) -> None:
    question, _ = load_pictures(hub, tmp_path).question_set.questions
    Path(question.images[0].place).write_bytes(b"short")
    again, _ = load_pictures(hub, tmp_path).question_set.questions

    assert again.images == question.images


def test_bytes_that_are_no_picture_are_a_problem_of_their_row(
    hub: HubServer, tmp_path: Path
) -> None:
    row = {"id": "a", "question": "?", "options": "['x', 'y']", "answer": "A"}
    row |= {"type": "multiple-choice"}
    data = write_parquet([row | {"image_1": {"bytes": b"no picture", "path": "a.png"}}])
    hub.repositories["allenai/arc"].files[f"Art/test-{ONE}"] = data

    with pytest.raises(QuestionSetError, match="image_1 = '10 bytes': "):
        load_benchmark(define(tmp_path, 'config = "Art"', columns=MMMU))


def test_a_cache_without_room_for_pictures_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImageError, match=r"can't keep a picture: .*; set EVALKIT_CACHE_DIR"):
        store_picture(b"x", tmp_path / "file")


# Single files


def test_one_file_of_the_hub_is_named_by_its_address(hub: HubServer) -> None:
    name = f"hf://datasets/allenai/arc@main/Easy/test-{ONE}"

    assert len(load_benchmark(name).question_set.questions) == 7


def test_an_address_of_the_hub_without_a_file_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="expected hf://datasets/owner/name/path/to/file"):
        load_benchmark("hf://allenai")
