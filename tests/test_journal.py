"""A journal keeps every answer that reached the disk, whatever happens to its end."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import math
import resource
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.answers import Answer, Outcome
from evalkit.errors import RunError
from evalkit.requests import WAYS
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.journal import (
    GROUP_ROWS,
    GROUP_SECONDS,
    Journal,
    JournalReader,
    JournalRow,
    JournalWriter,
    SourceNote,
    decode_row,
    encode_row,
    read_journal,
)

RESPONSE = Response(
    text="C",
    stop_reason="max_tokens",
    model="claude-haiku-4-5-20251001",
    usage=Usage(input_tokens=42, output_tokens=1),
    message_id="msg_1",
    request_id="req_1",
)
FAILURE = RequestFailure(kind="overloaded", message="Overloaded (status 529)", status=529)


def row_of(number: int, result: Response | RequestFailure = RESPONSE) -> JournalRow:
    return JournalRow(
        request_id=f"r{number}", question_id=f"q{number}", way="prefill", result=result
    )


def lines_of(*rows: JournalRow) -> bytes:
    return "".join(f"{encode_row(row)}\n" for row in rows).encode()


def read(path: Path, data: bytes) -> Journal:
    path.write_bytes(data)
    return read_journal(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "responses.jsonl"


@pytest.fixture(scope="module")
def shared_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For tests of hundreds of examples, each of which writes the file anew."""
    return tmp_path_factory.mktemp("journal") / "responses.jsonl"


# Rows


def test_a_row_is_one_line_that_a_person_can_read() -> None:
    row = replace(row_of(1), attempts=2, seconds=0.5, finished_at=1_795_000_000.25)
    assert json.loads(encode_row(row)) == {
        "request": "r1",
        "question": "q1",
        "way": "prefill",
        "sample": 0,
        "attempts": 2,
        "seconds": 0.5,
        "finished_at": 1795000000.25,
        "response": {
            "text": "C",
            "stop_reason": "max_tokens",
            "model": "claude-haiku-4-5-20251001",
            "usage": {
                "input_tokens": 42,
                "output_tokens": 1,
                "cache_creation_input_tokens": None,
                "cache_read_input_tokens": None,
                "thinking_tokens": None,
            },
            "message_id": "msg_1",
            "request_id": "req_1",
            "refusal_category": None,
            "tool_input": None,
        },
    }


READ = replace(row_of(1), reading=Answer(outcome=Outcome.ANSWERED, choice=2))


def test_only_what_is_unusual_is_written_beside() -> None:
    plain = set(json.loads(encode_row(row_of(1))))
    row = replace(READ, is_retake=True, batch_id="msgbatch_1", is_bound=False, lost_dollars=0.5)
    row = replace(row, source=SourceNote(id="7", score=1.0, answer="C"))
    table = json.loads(encode_row(row))
    assert {name: table[name] for name in set(table) - plain} == {
        "retake": True,
        "batch": "msgbatch_1",
        "reading": {"outcome": "answered", "choice": 2},
        "source": {"id": "7", "score": 1.0, "answer": "C"},
        "bound": False,
        "lost_dollars": 0.5,
    }
    assert decode_row(encode_row(row)) == row


@pytest.mark.parametrize(
    ("is_retake", "result", "is_futile"),
    [
        (True, replace(FAILURE, kind="invalid_request", status=400), True),
        (True, FAILURE, False),
        (True, RESPONSE, False),
        # Of another request it may be the question that is refused, which is missing then.
        (False, replace(FAILURE, kind="invalid_request", status=400), False),
    ],
)
def test_only_room_that_is_refused_for_good_is_asked_for_in_vain(
    is_retake: bool, result: Response | RequestFailure, is_futile: bool
) -> None:
    assert replace(row_of(1, result), is_retake=is_retake).is_futile is is_futile


TEXT = st.text(st.characters(codec="utf-8"))
COUNT = st.none() | st.integers(min_value=0)
RESPONSES = st.builds(
    Response,
    text=TEXT,
    stop_reason=st.none() | TEXT,
    model=st.none() | TEXT,
    usage=st.builds(
        Usage, **dict.fromkeys(("input_tokens", "output_tokens", "thinking_tokens"), COUNT)
    ),
    message_id=st.none() | TEXT,
    request_id=st.none() | TEXT,
    refusal_category=st.none() | TEXT,
    tool_input=st.none() | TEXT,
)
FAILURES = st.builds(
    RequestFailure,
    kind=TEXT,
    message=TEXT,
    status=st.none() | st.integers(100, 599),
    request_id=st.none() | TEXT,
)
READINGS = st.builds(
    Answer, outcome=st.just(Outcome.ANSWERED), choice=st.integers(0, 25)
) | st.builds(Answer, outcome=st.sampled_from([o for o in Outcome if o is not Outcome.ANSWERED]))
ROWS = st.builds(
    JournalRow,
    request_id=TEXT,
    question_id=TEXT,
    way=st.sampled_from(WAYS),
    result=RESPONSES | FAILURES,
    sample_index=st.integers(min_value=0),
    order=st.none() | st.integers(2, 6).flatmap(lambda n: st.permutations(range(n))).map(tuple),
    is_retake=st.booleans(),
    batch_id=st.none() | st.text(st.characters(codec="utf-8"), min_size=1),
    reading=st.none() | READINGS,
    source=st.none()
    | st.builds(SourceNote, id=TEXT, score=st.none() | st.floats(0, 1), answer=st.none() | TEXT),
    is_bound=st.booleans(),
    lost_dollars=st.floats(0, 1e6),
    attempts=st.integers(min_value=1),
    seconds=st.integers(0, 10**9).map(lambda n: n / 10_000),
    finished_at=st.integers(0, 10**13).map(lambda n: n / 1000),
)


@given(row=ROWS)
def test_rows_read_back_equal(row: JournalRow) -> None:
    line = encode_row(row)
    assert "\n" not in line
    assert decode_row(line) == row


@pytest.mark.parametrize(
    "row",
    [
        replace(row_of(1), question_id="\ud800"),
        replace(row_of(1), lost_dollars=math.inf),
        row_of(1, replace(RESPONSE, usage=Usage(input_tokens=2**64 + 1, output_tokens=2**200))),
    ],
    ids=["half a sign", "no number", "more than 64 bits"],
)
def test_what_few_writers_of_json_take_reads_back_equal(row: JournalRow) -> None:
    assert decode_row(encode_row(row)) == row


@given(row=ROWS)
def test_rows_that_another_writer_wrote_read_the_same(row: JournalRow) -> None:
    """Earlier versions wrote with Python's own."""
    line = json.dumps(json.loads(encode_row(row)), ensure_ascii=False, separators=(",", ":"))
    assert decode_row(line) == decode_row(line.encode()) == row


def test_rows_share_what_repeats() -> None:
    first, second = (decode_row(encode_row(replace(READ, batch_id="b"))) for _ in range(2))
    assert isinstance(first.result, Response)
    assert isinstance(second.result, Response)
    assert first.result.model is second.result.model
    assert first.result.stop_reason is second.result.stop_reason
    assert first.result.usage is second.result.usage
    assert first.reading is second.reading
    assert first.batch_id is second.batch_id
    assert first.way is second.way
    ours, theirs = (decode_row(encode_row(row_of(1, FAILURE))).result for _ in range(2))
    assert isinstance(ours, RequestFailure)
    assert isinstance(theirs, RequestFailure)
    assert (ours.kind is theirs.kind, ours.message is theirs.message) == (True, True)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   ",
        "null",
        "7",
        '"text"',
        "[]",
        "{}",
        "not json",
        encode_row(row_of(1))[:-1],
        encode_row(row_of(1)).replace('"prefill"', '"sung"'),
        encode_row(row_of(1)).replace('"prefill"', "[]"),
        encode_row(row_of(1)).replace('"question"', '"questoin"'),
        encode_row(row_of(1)).replace('"usage":{', '"usage":{"new":1,'),
        encode_row(row_of(1)).replace('"text":"C"', '"tekst":"C"'),
        encode_row(row_of(1, FAILURE)).replace('"kind"', '"kund"'),
        encode_row(READ).replace('"answered"', '"guessed"'),
        encode_row(READ).replace('"choice":2', '"choice":null'),
        encode_row(READ).replace('"choice":2', '"choice":26'),
        encode_row(READ).replace('"choice":2', '"choice":-1'),
        encode_row(READ).replace('"choice":2', '"choice":1.0'),
        encode_row(READ).replace('"choice":2', '"chioce":2'),
        # Of another type than what reads them can bear
        encode_row(row_of(1)).replace('"r1"', '["r1"]'),
        encode_row(row_of(1)).replace('"q1"', "1"),
        encode_row(row_of(1)).replace('"sample":0', '"sample":0.5'),
        encode_row(row_of(1)).replace('"attempts"', '"order":[0,0],"attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"order":[1,2],"attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"order":[],"attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"order":[0,true],"attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"order":"01","attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"order":1,"attempts"'),
        encode_row(row_of(1)).replace('"attempts":1', '"attempts":null'),
        encode_row(row_of(1)).replace('"seconds":0.0', '"seconds":"0"'),
        encode_row(row_of(1)).replace('"finished_at":0.0', '"finished_at":null'),
        encode_row(row_of(1)).replace('"attempts"', '"lost_dollars":"1","attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"batch":7,"attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"source":7,"attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"source":{},"attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"source":{"id":7},"attempts"'),
        encode_row(row_of(1)).replace('"attempts"', '"source":{"id":"7","score":"1"},"attempts"'),
        encode_row(row_of(1)).replace('"text":"C"', '"text":null'),
        encode_row(row_of(1)).replace('"max_tokens"', "[]"),
        encode_row(row_of(1)).replace('"input_tokens":42', '"input_tokens":"42"'),
        encode_row(row_of(1)).replace('"input_tokens":42', '"input_tokens":[]'),
        encode_row(row_of(1, FAILURE)).replace('"overloaded"', "{}"),
        '{"way": "prefill", "response": null}',
        '{"way": "prefill", "failure": null}',
        '{"way": "prefill", "response": ' + "[" * 100_000,
    ],
)
def test_what_is_no_row_is_named_so(line: str) -> None:
    with pytest.raises(ValueError):
        decode_row(line)


# Reading


def test_a_journal_that_is_not_there_is_empty(path: Path) -> None:
    assert read_journal(path) == Journal(rows=())


def test_a_journal_that_cannot_be_read_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(RunError, match=r"responses\.jsonl can't be read: Is a directory"):
        read_journal(path)


@given(rows=st.lists(ROWS, unique_by=lambda row: row.request_id))
def test_a_journal_reads_back_equal(rows: list[JournalRow], shared_path: Path) -> None:
    data = lines_of(*rows)
    journal = read(shared_path, data)
    assert journal.lost_dollars == pytest.approx(math.fsum(row.lost_dollars for row in rows))
    expected = Journal(rows=tuple(rows), good_bytes=len(data), lost_dollars=journal.lost_dollars)
    assert journal == expected


@given(cut=st.integers(min_value=0))
def test_wherever_it_was_torn_the_whole_lines_are_kept(cut: int, shared_path: Path) -> None:
    rows = [row_of(1), row_of(2, FAILURE), replace(row_of(3), question_id="où 🐜")]
    data = lines_of(*rows)
    torn = data[: cut % (len(data) + 1)]
    journal = read(shared_path, torn)
    whole = torn.count(b"\n")
    assert journal.rows == tuple(rows[:whole])
    assert journal.garbled_lines == ()
    assert journal.good_bytes == torn.rfind(b"\n") + 1


@pytest.mark.parametrize(
    "garbled", [b"garbled", b"", b"\xff\xfe\x00", b"{}", b"\0" * 4096, b'{"request": "r2"']
)
def test_a_garbled_line_in_the_middle_is_reported(garbled: bytes, path: Path) -> None:
    journal = read(path, lines_of(row_of(1)) + garbled + b"\n" + lines_of(row_of(3)))
    assert [row.request_id for row in journal.rows] == ["r1", "r3"]
    assert journal.garbled_lines == (2,)
    assert journal.good_bytes == path.stat().st_size


def test_zeros_that_a_power_cut_left_are_a_torn_line(path: Path) -> None:
    journal = read(path, lines_of(row_of(1)) + b"\0" * 4096)
    assert [row.request_id for row in journal.rows] == ["r1"]
    assert (journal.garbled_lines, journal.good_bytes) == ((), len(lines_of(row_of(1))))


LATER = replace(RESPONSE, text="B")


@pytest.mark.parametrize(
    ("results", "counts"),
    [
        ([FAILURE, RESPONSE], RESPONSE),
        ([RESPONSE, FAILURE], RESPONSE),
        ([FAILURE, RESPONSE, FAILURE], RESPONSE),
        ([RESPONSE, LATER], LATER),
        ([FAILURE, replace(FAILURE, kind="server")], replace(FAILURE, kind="server")),
    ],
)
def test_a_failure_never_replaces_a_response(
    results: list[Response | RequestFailure],
    counts: Response | RequestFailure,
    path: Path,
) -> None:
    journal = read(path, lines_of(row_of(0), *(row_of(1, result) for result in results)))
    assert [row.result for row in journal.rows] == [RESPONSE, counts]


def test_a_reader_gives_every_row_in_the_order_of_the_file(path: Path) -> None:
    reader = JournalReader(path)
    assert (list(reader), reader.garbled_lines, reader.good_bytes) == ([], [], 0)
    rows = [row_of(1, FAILURE), row_of(2), row_of(1), row_of(1, FAILURE)]
    data = lines_of(*rows[:2]) + b"garbled\n" + lines_of(*rows[2:]) + b"\n"
    path.write_bytes(data + b'{"torn')
    found = []
    for row in reader:
        found.append((reader.line, row))
    assert found == list(zip([1, 2, 4, 5], rows, strict=True))
    assert (reader.garbled_lines, reader.good_bytes) == ([3, 6], len(data))
    # Once more, the file is read anew.
    path.write_bytes(lines_of(row_of(7)))
    assert list(reader) == [row_of(7)]
    assert (reader.garbled_lines, reader.good_bytes) == ([], path.stat().st_size)


def test_a_reader_holds_a_small_part_of_a_large_journal(path: Path) -> None:
    with path.open("wb") as file:
        for number in range(10_000):
            file.write(lines_of(row_of(number)))
    assert path.stat().st_size > 4_000_000
    tracemalloc.start()
    try:
        assert sum(1 for _ in JournalReader(path)) == 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


# Writing


class Listener:
    """Hears of rows, and looks at the disk when it does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.groups: list[list[str]] = []

    def __call__(self, rows: Sequence[JournalRow]) -> None:
        on_disk = {row.request_id for row in read_journal(self.path).rows}
        assert {row.request_id for row in rows} <= on_disk
        self.groups.append([row.request_id for row in rows])

    @property
    def heard(self) -> list[str]:
        return [name for group in self.groups for name in group]


@contextmanager
def disk_of(size_bytes: int) -> Iterator[None]:
    """A disk on which no file can grow beyond a size; Python ignores the signal that tells so."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write(path: Path, rows: Sequence[JournalRow], *, good_bytes: int = 0) -> Listener:
    """Write rows, giving the writer time after every third."""
    listener = Listener(path)

    async def put_all() -> None:
        async with JournalWriter(path, good_bytes=good_bytes, on_written=listener) as writer:
            for number, row in enumerate(rows, 1):
                writer.put(row)
                if number % 3 == 0:
                    await asyncio.sleep(0.01)

    asyncio.run(put_all())
    return listener


def test_a_row_is_on_disk_before_anybody_hears_of_it(path: Path) -> None:
    rows = [row_of(number) for number in range(10)]
    listener = write(path, rows)
    assert listener.heard == [row.request_id for row in rows]
    assert path.read_bytes() == lines_of(*rows)
    # What came in during one write went with the next.
    assert len(listener.groups) < len(rows)


async def until(condition: Callable[[], object], seconds: float = 10.0) -> float:
    """Wait for something to be; how long that took."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() < begin + seconds
        await asyncio.sleep(0.001)
    return time.monotonic() - begin


def test_rows_of_one_moment_are_written_together_when_the_moment_is_over(path: Path) -> None:
    listener = Listener(path)

    def has(groups: int) -> bool:
        return len(listener.groups) == groups

    async def put_two_groups() -> list[float]:
        waited = []
        async with JournalWriter(path, good_bytes=0, on_written=listener) as writer:
            for count in (1, 2):
                for number in range(10):
                    writer.put(row_of(100 * count + number))
                    await asyncio.sleep(0.001)
                waited.append(await until(functools.partial(has, count)))
        return waited

    waited = asyncio.run(put_two_groups())
    assert [len(group) for group in listener.groups] == [10, 10]
    assert all(GROUP_SECONDS / 4 < seconds < 10 * GROUP_SECONDS for seconds in waited)


def test_so_many_rows_wait_for_no_more(path: Path) -> None:
    listener = Listener(path)

    async def put_many() -> float:
        async with JournalWriter(path, good_bytes=0, on_written=listener) as writer:
            begin = time.monotonic()
            for number in range(GROUP_ROWS):
                writer.put(row_of(number))
            await until(lambda: listener.groups)
            return time.monotonic() - begin

    assert asyncio.run(put_many()) < GROUP_SECONDS
    assert [len(group) for group in listener.groups] == [GROUP_ROWS]


def test_what_is_flushed_is_written_at_once(path: Path) -> None:
    listener = Listener(path)

    async def put_and_flush() -> None:
        async with JournalWriter(path, good_bytes=0, on_written=listener) as writer:
            await writer.flush()  # nothing, which takes no time
            begin = time.monotonic()
            for number in range(5):
                writer.put(row_of(number))
                await asyncio.gather(writer.flush(), writer.flush())
                assert listener.heard[-1] == f"r{number}"
            assert time.monotonic() - begin < 5 * GROUP_SECONDS

    asyncio.run(put_and_flush())
    assert len(listener.groups) == 5


def test_rows_that_come_during_a_flush_are_not_waited_for(path: Path) -> None:
    listener = Listener(path)

    async def keep_putting(writer: JournalWriter) -> None:
        for number in itertools.count():
            writer.put(row_of(number))
            await asyncio.sleep(0)

    async def flush_meanwhile() -> None:
        async with JournalWriter(path, good_bytes=0, on_written=listener) as writer:
            putting = asyncio.create_task(keep_putting(writer))
            await asyncio.sleep(0.01)
            await asyncio.wait_for(writer.flush(), 10)
            putting.cancel()

    asyncio.run(flush_meanwhile())
    assert listener.heard == [row.request_id for row in read_journal(path).rows]


def test_a_flush_that_cannot_be_written_is_an_error(path: Path) -> None:
    async def put_and_flush() -> None:
        async with JournalWriter(path, good_bytes=0, on_written=lambda rows: None) as writer:
            writer.put(row_of(1))
            with pytest.raises(RunError, match="File too large"):
                await writer.flush()
            with pytest.raises(RunError, match="File too large"):
                await writer.flush()

    with disk_of(100), pytest.raises(RunError, match="File too large"):
        asyncio.run(put_and_flush())


def test_leaving_the_block_waits_for_no_more_rows(path: Path) -> None:
    begin = time.monotonic()
    write(path, [row_of(1)])
    assert time.monotonic() - begin < GROUP_SECONDS


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_was_put_is_written_however_often_the_task_is_cancelled(
    times: int, path: Path
) -> None:
    listener = Listener(path)
    rows = [row_of(number) for number in range(5000)]

    async def put_and_wait() -> None:
        async with JournalWriter(path, good_bytes=0, on_written=listener) as writer:
            for row in rows:
                writer.put(row)
            await asyncio.Event().wait()

    async def cancel() -> None:
        task = asyncio.create_task(put_and_wait())
        await asyncio.sleep(0)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert path.read_bytes() == lines_of(*rows)
    assert listener.heard == [row.request_id for row in rows]


def test_nothing_put_is_nothing_heard(path: Path) -> None:
    assert write(path, []).groups == []
    assert path.read_bytes() == b""


def test_rows_are_appended_behind_the_last_whole_line(path: Path) -> None:
    earlier = lines_of(row_of(1))
    path.write_bytes(earlier + b'{"request": "r2", "resp')
    write(path, [row_of(3)], good_bytes=len(earlier))
    assert path.read_bytes() == lines_of(row_of(1), row_of(3))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, asyncio.CancelledError])
def test_what_was_put_is_written_when_the_block_is_left_by_an_error(
    error: type[BaseException], path: Path
) -> None:
    listener = Listener(path)

    async def put_and_fail() -> None:
        async with JournalWriter(path, good_bytes=0, on_written=listener) as writer:
            for number in range(5):
                writer.put(row_of(number))
            raise error

    with pytest.raises(error):
        asyncio.run(put_and_fail())
    assert path.read_bytes() == lines_of(*(row_of(number) for number in range(5)))
    assert len(listener.heard) == 5


def test_a_full_disk_is_an_error_and_keeps_what_was_there(path: Path) -> None:
    rows = [row_of(number) for number in range(30)]
    size = len(lines_of(*rows[:10])) + 50
    with disk_of(size), pytest.raises(RunError) as caught:
        write(path, rows)
    assert str(caught.value) == (
        f"{path} can't be written: File too large; the answers so far are kept"
    )
    assert path.stat().st_size == size
    journal = read_journal(path)
    assert journal.rows == tuple(rows[:10])
    # With room again, the run goes on behind the last whole row.
    write(path, rows[10:], good_bytes=journal.good_bytes)
    assert path.read_bytes() == lines_of(*rows)


def test_the_first_row_after_the_disk_is_full_is_refused(path: Path) -> None:
    async def put_until_refused() -> int:
        async with JournalWriter(path, good_bytes=0, on_written=lambda rows: None) as writer:
            for number in range(100):
                try:
                    writer.put(row_of(number))
                except RunError:
                    return number
                await asyncio.sleep(0.01)
        raise AssertionError("the disk was never full")

    with disk_of(1000), pytest.raises(RunError, match="File too large"):
        asyncio.run(put_until_refused())
    assert 1 <= len(read_journal(path).rows) < 5


def test_a_full_device_is_an_error(path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    path.symlink_to("/dev/full")
    with pytest.raises(RunError, match="can't be written: No space left on device; the answers"):
        write(path, [row_of(1)])


def test_a_journal_that_cannot_be_opened_is_an_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(RunError, match=r"responses\.jsonl can't be written: Is a directory"):
        write(path, [row_of(1)])
