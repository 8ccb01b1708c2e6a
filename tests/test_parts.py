"""What workers write is there whole or not at all, on any storage, and read once."""

from __future__ import annotations

import asyncio
import pickle
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.errors import EvalkitError, RunError, RunFormatError, UsageError
from evalkit.questions import Question
from evalkit.runs.journal import JournalRow
from evalkit.runs.parts import PartStore, PartWriter
from tests.test_journal import lines_of, row_of


@pytest.fixture(params=["path", "odd path", "file://", "memory://"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PartStore]:
    """Places of several kinds; signs that mean something in patterns or addresses do no harm."""
    name = uuid.uuid4().hex
    url = {
        "path": str(tmp_path / "parts"),
        "odd path": str(tmp_path / "runs [1]*?" / "a::b #2" / "parts"),
        "file://": f"file://{tmp_path}/parts",
        "memory://": f"memory://{name}/parts/",
    }[request.param]
    store = PartStore(url)
    store.claim()
    yield store
    store.clear()


def names(store: PartStore) -> list[str]:
    return store._list_names()


def read_new(store: PartStore) -> list[JournalRow]:
    return [row for rows in store.read_new() for row in rows]


def question(number: int) -> Question:
    return Question(id=f"q{number}", stem=f"What is {number}?", choices=("a", "b"), right=(0,))


def test_rows_come_back_as_they_were_written_those_of_each_part_apart(store: PartStore) -> None:
    rows = [row_of(number) for number in range(4)]
    store.write(0, lines_of(rows[0], rows[1]))
    store.write(7, lines_of(rows[2]))
    store.write(0, lines_of(rows[3]))
    assert {row.request_id for row in store.read(0)} == {rows[n].request_id for n in (0, 1, 3)}
    assert store.read(7) == [rows[2]]
    assert store.read(1) == []


def test_new_rows_are_read_once(store: PartStore) -> None:
    store.write(0, lines_of(row_of(1)))
    assert read_new(store) == [row_of(1)]
    assert read_new(store) == []
    store.write(1, lines_of(row_of(2)))
    assert read_new(store) == [row_of(2)]


def test_a_store_that_is_sent_to_another_process_has_read_nothing(store: PartStore) -> None:
    store.write(0, lines_of(row_of(1)))
    assert read_new(store) == [row_of(1)]
    other = pickle.loads(pickle.dumps(store))
    assert read_new(other) == [row_of(1)]
    assert other.turn == store.turn


def test_a_group_that_is_not_there_whole_is_read_when_it_is(store: PartStore) -> None:
    data = lines_of(row_of(1), row_of(2))
    store.write(0, data)
    [name] = [name for name in names(store) if name.endswith(".jsonl")]
    files, path = store._place
    files.pipe_file(f"{path}/{name}", data[: len(data) * 2 // 3])
    assert read_new(store) == []
    assert store.read(0) == []
    files.pipe_file(f"{path}/{name}", data)
    assert read_new(store) == [row_of(1), row_of(2)]


def test_a_garbled_line_costs_its_row(store: PartStore) -> None:
    store.write(0, lines_of(row_of(1)) + b"{what\n" + lines_of(row_of(2)))
    assert store.read(0) == [row_of(1), row_of(2)]


def test_questions_come_back_in_their_order(store: PartStore) -> None:
    asked = [question(number) for number in range(2500)]
    store.write_questions(3, asked)
    assert list(store.read_questions(3)) == asked
    with pytest.raises(RunError, match="can't be used"):
        list(store.read_questions(4))


def test_damaged_questions_are_an_error(store: PartStore) -> None:
    store._put("00003.questions.gz", b"nothing compressed")
    with pytest.raises(RunFormatError, match="can't be read"):
        list(store.read_questions(3))


def test_what_was_read_of_a_part_that_is_done_is_taken_away(store: PartStore) -> None:
    store.write_questions(0, [question(1)])
    store.write(0, lines_of(row_of(1)))
    store.write(1, lines_of(row_of(2)))
    assert read_new(store) == [row_of(1), row_of(2)]
    store.write(0, lines_of(row_of(3)))
    assert not store.is_finished(0)
    store.finish(0)
    assert store.list_finished() == {0}
    store.discard(0)
    assert store.read(0) == [row_of(3)]
    assert store.read(1) == [row_of(2)]
    assert store.is_finished(0)
    assert not any(name.endswith(".gz") for name in names(store))
    assert read_new(store) == [row_of(3)]


def test_orders_are_those_of_the_last_who_claimed_the_place(store: PartStore) -> None:
    assert store.read_orders() == (store.turn, "begin")
    store.give_orders("go on 1")
    assert store.read_orders() == (store.turn, "go on 1")
    other = PartStore(store.url)
    assert other.claim() is True
    assert other.read_orders() == store.read_orders() == (other.turn, "begin")
    assert other.turn != store.turn


def test_nothing_is_left_when_it_is_cleared(store: PartStore) -> None:
    store.write(0, lines_of(row_of(1)))
    store.clear()
    store.clear()
    assert names(store) == []
    assert store.read_orders() is None
    assert read_new(store) == []
    assert store.claim() is False


def test_a_writer_writes_groups_of_its_part(store: PartStore) -> None:
    heard: list[int] = []

    async def write() -> None:
        async with PartWriter(store, 5, lambda rows: heard.append(len(rows))) as writer:
            for number in range(30):
                writer.put(row_of(number))
            await writer.flush()
            writer.put(row_of(30))

    asyncio.run(write())
    assert heard == [30, 1]
    assert len(store.read(5)) == 31
    assert len([name for name in names(store) if name.endswith(".jsonl")]) == 2


# Errors are one line


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("nowhere://bucket/runs", UsageError, "nowhere"),
        ("s3://bucket/runs", UsageError, "s3fs"),
        ("{}/file/parts", RunError, "file/parts can't be used for the parts of a run"),
        ("file://{}/file/parts", RunError, "can't be used for the parts of a run"),
    ],
)
def test_a_place_that_cannot_be_used_is_one_line(
    url: str, error: type[EvalkitError], words: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(error, match=words) as caught:
        PartStore(url.format(tmp_path)).claim()
    assert "\n" not in str(caught.value)


def test_what_is_written_after_the_folder_is_gone_is_an_error(tmp_path: Path) -> None:
    store = PartStore(str(tmp_path / "parts"))
    store.claim()
    store.clear()
    with pytest.raises(RunError, match="No such file or directory"):
        store.write(0, lines_of(row_of(1)))


def test_a_password_in_an_address_is_not_repeated() -> None:
    store = PartStore("nowhere://user:secret-word@host/runs")
    with pytest.raises(UsageError) as caught:
        store.claim()
    assert "secret-word" not in str(caught.value)
    assert "nowhere://***@host/runs" in str(caught.value)


def test_a_path_is_made_absolute_for_workers_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert PartStore("shared/run").url == str(tmp_path / "shared" / "run")
