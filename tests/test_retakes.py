"""A reply that was cut off is asked once more, with more room; both are kept, the second counts."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark
from evalkit.results import Run
from evalkit.runs.folder import open_run_folder
from evalkit.runs.journal import JournalRow, encode_row
from evalkit.testing.messages_faults import Fault, first_attempts, no_faults, overloaded
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import SUMS, stem_of, sums_answers
from tests.test_evaluation import MIDDLE, THINKS, ask, comparable, number_of, outcomes

LONG = (3, 8, 14, 15, 21)
"""Questions whose reply is long."""

HESITATING = "Let us see. " * 4
"""Longer than the first room of an instructed reply, shorter than the second."""


def long_winded(times: int = 1) -> Any:
    """A model that hesitates before it answers some of the questions."""
    right = sums_answers(wrong_share=0.3)

    def answer(body: Any) -> Reply:
        reply = right(body)
        if not any(stem_of(number) in str(body) for number in LONG):
            return reply
        return dataclasses.replace(
            reply, text=f"{HESITATING * times}The answer is ({reply.letter})."
        )

    return answer


def rows_of(run: Run) -> tuple[JournalRow, ...]:
    return open_run_folder(run.path).read_journal().rows


def is_retake(record: RequestRecord) -> bool:
    return int(record.body["max_tokens"]) > 16


@pytest.fixture
def expected(sums: Benchmark, tmp_path: Path) -> Run:
    """The run of a model that does not hesitate."""
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        return ask(server, sums, tmp_path / "brief", MIDDLE)


@pytest.mark.parametrize("keep_text", [True, False])
def test_what_was_cut_is_asked_again_and_both_are_kept(
    keep_text: bool, expected: Run, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=long_winded()) as server:
        done = ask(server, sums, tmp_path, MIDDLE, keep_text=keep_text)
        assert len(server.requests) == SUMS + len(LONG)
        assert sum(map(is_retake, server.requests)) == len(LONG)
        ask(server, sums, tmp_path, MIDDLE, keep_text=keep_text)
        assert len(server.requests) == SUMS + len(LONG)
    assert done.summary == expected.summary
    assert (done.retakes, expected.retakes) == (len(LONG), 0)
    assert done.to_dict()["retakes"] == len(LONG)
    assert done.to_dict()["complete"] is True
    rows = rows_of(done)
    assert len(rows) == SUMS + len(LONG)
    assert {row.question_id for row in rows if row.is_retake} == {f"q{n}" for n in LONG}
    # Both are paid for; each question has one row in the table.
    assert done.usage()["output_tokens"] > expected.usage()["output_tokens"] + 16 * len(LONG)
    assert done.cost is not None
    assert expected.cost is not None
    assert done.cost > expected.cost
    table = done.to_dataframe()
    assert len(table) == SUMS
    assert table["stop_reason"].unique().tolist() == ["end_turn"]


def test_a_second_cut_is_the_last(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=long_winded(times=20)) as server:
        done = ask(server, sums, tmp_path, MIDDLE)
        ask(server, sums, tmp_path, MIDDLE)
        assert len(server.requests) == SUMS + len(LONG)
    assert outcomes(done)["truncated"] == len(LONG)
    assert done.is_complete
    assert done.retakes == len(LONG)


@pytest.mark.parametrize("keep_text", [True, False])
def test_a_run_ended_between_the_two_goes_on_with_the_second(
    keep_text: bool, expected: Run, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=long_winded()) as server:
        done = ask(server, sums, tmp_path, MIDDLE, keep_text=keep_text)
        folder = open_run_folder(done.path)
        firsts = [row for row in rows_of(done) if not row.is_retake]
        folder.journal_path.write_text("".join(f"{encode_row(row)}\n" for row in firsts))
        before = len(server.requests)
        done = ask(server, sums, tmp_path, MIDDLE, keep_text=keep_text)
        again = server.requests[before:]
    assert sorted(map(number_of, again)) == sorted(LONG)
    assert all(map(is_retake, again))
    assert done.summary == expected.summary


def test_a_second_that_fails_is_missing_until_it_comes(
    expected: Run, sums: Benchmark, tmp_path: Path
) -> None:
    def plan(record: RequestRecord) -> Fault | None:
        return overloaded() if is_retake(record) and number_of(record) in LONG[:2] else None

    with MessagesServer(answer=long_winded(), faults=plan) as server:
        done = ask(server, sums, tmp_path, MIDDLE)
        assert outcomes(done)["failed"] == 2
        assert not done.is_complete
        assert [failure.kind for failure in done.failures()] == ["overloaded"]
        server.faults = no_faults
        before = len(server.requests)
        done = ask(server, sums, tmp_path, MIDDLE)
        assert len(server.requests) == before + 2
    assert done.summary == expected.summary


def test_where_there_is_no_more_room_the_first_counts(sums: Benchmark, tmp_path: Path) -> None:
    # A limit that nobody knew of: the endpoint refuses for good, so that asking again is vain.
    words = b'{"error": {"message": "max_tokens: 64 > 16, which is the maximum allowed"}}'
    refused = Fault(manner="page", status=400, content=words, content_type="application/json")

    def plan(record: RequestRecord) -> Fault | None:
        return refused if is_retake(record) else None

    with MessagesServer(answer=long_winded(), faults=plan) as server:
        done = ask(server, sums, tmp_path, MIDDLE)
        ask(server, sums, tmp_path, MIDDLE)
        assert len(server.requests) == SUMS + len(LONG)
    assert outcomes(done)["truncated"] == len(LONG)
    assert done.is_complete
    assert (done.retakes, done.failures()) == (0, ())


def test_a_model_at_its_limit_is_not_asked_again(
    sums: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models.toml").write_text(f'[[model]]\nid = "{MIDDLE}"\nmax_output_tokens = 16\n')
    monkeypatch.setenv("EVALKIT_MODELS", str(tmp_path / "models.toml"))
    with MessagesServer(answer=long_winded()) as server:
        done = ask(server, sums, tmp_path / "results", MIDDLE, keep_text=False)
        assert len(server.requests) == SUMS
    assert outcomes(done)["truncated"] == len(LONG)
    assert done.is_complete


def test_thoughts_that_took_all_the_room_get_more(sums: Benchmark, tmp_path: Path) -> None:
    answer = sums_answers(thinking="Let me think about this. " * 1000)
    with MessagesServer(answer=answer) as server:
        done = ask(server, sums, tmp_path, THINKS, limit=3)
        rooms = sorted(record.body["max_tokens"] for record in server.requests)
    assert rooms == [4096] * 3 + [16_384] * 3
    assert outcomes(done) == {"correct": 3}
    assert done.retakes == 3
    assert done.usage()["thinking_tokens"] > 3 * 2 * 4096


@pytest.mark.parametrize("way", ["instructed", "structured", "tool", "reasoned"])
def test_every_way_that_can_be_cut_is_asked_again(
    way: Any, sums: Benchmark, tmp_path: Path
) -> None:
    room = {"instructed": 1, "structured": 2, "tool": 2, "reasoned": 1}[way]
    more = 4 * room

    with MessagesServer(answer=sums_answers(), style="**{letter}**") as server:
        settings = {"way": way, "max_tokens": room, "thought": "text", "limit": 4}
        done = ask(server, sums, tmp_path, MIDDLE, **settings)
        asked = {record.body["max_tokens"] for record in server.requests}
    assert asked == {room, more}
    assert done.retakes == 4
    assert done.unbound == 0


def test_a_prompt_that_fills_the_models_context_is_not_asked_again(
    sums: Benchmark, tmp_path: Path
) -> None:
    def answer(body: Any) -> Reply:
        reason: Any = "model_context_window_exceeded"
        return Reply("Let us", stop_reason=reason)

    with MessagesServer(answer=answer) as server:
        done = ask(server, sums, tmp_path, MIDDLE, limit=3, keep_text=False)
        ask(server, sums, tmp_path, MIDDLE, limit=3, keep_text=False)
        assert len(server.requests) == 3
    assert outcomes(done) == {"truncated": 3}


def test_a_second_is_tried_again_like_any_request(
    expected: Run, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=long_winded(), faults=first_attempts(overloaded())) as server:
        done = ask(server, sums, tmp_path, MIDDLE)
        assert len(server.requests) == 2 * (SUMS + len(LONG))
    assert comparable(done)["outcomes"] == comparable(expected)["outcomes"]
    assert {row.attempts for row in rows_of(done)} == {2}
