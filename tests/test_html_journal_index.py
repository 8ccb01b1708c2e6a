"""The row of each response is found where it stands, by the rules by which it is counted."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from evalkit.questions import Question
from evalkit.reports.html.journal_index import JournalIndex
from evalkit.responses import RequestFailure
from evalkit.results import load_run
from evalkit.runs.folder import JOURNAL
from evalkit.runs.journal import JournalRow, encode_line
from tests.written_runs import respond, write_run

QUESTIONS = [
    Question(id=f"q{number}", stem=f"{number}?", choices=("a", "b", "c"), right=(0,))
    for number in range(3)
]
RESULTS = st.sampled_from(
    [
        respond("A"),
        respond("B"),
        respond("", stop_reason="max_tokens"),
        RequestFailure(kind="server", message="no", status=500),
        RequestFailure(kind="invalid_request", message="too long", status=400),
    ]
)
ROWS = st.lists(
    st.builds(
        JournalRow,
        request_id=st.sampled_from(["r0", "r1", "r2"]),
        question_id=st.sampled_from(["q0", "q1", "q2", "unknown"]),
        way=st.just("prefill"),
        result=RESULTS,
        sample_index=st.integers(0, 2),
        is_retake=st.booleans(),
    ),
    max_size=30,
)


@given(rows=ROWS, garbled=st.integers(0, 30))
def test_each_response_has_the_row_by_which_it_is_scored(
    rows: list[JournalRow], garbled: int
) -> None:
    # A request is for one question, sample and room.
    rows = [
        replace(row, request_id=f"{row.request_id}-{row.question_id}-{row.sample_index}-"
                                f"{row.is_retake}")
        for row in rows
    ]  # fmt: skip
    lines = [encode_line(row) + b"\n" for row in rows]
    lines.insert(garbled, b'{"torn\n')
    with tempfile.TemporaryDirectory() as name:
        path = write_run(Path(name), QUESTIONS, lambda *_: None, samples=2)
        (path / JOURNAL).write_bytes(b"".join(lines))
        run = load_run(path)
        index = JournalIndex(run)
        found = [row for number in range(len(QUESTIONS)) for row in index.find_rows(number)]
        index.close()
        assert found == [score.row for score in run.scores]


def test_orders_and_samples_come_as_they_are_counted(tmp_path: Path) -> None:
    path = write_run(
        tmp_path,
        QUESTIONS,
        lambda question, order, sample: respond(f"{question.id} {order} {sample}"),
        samples=2,
        orders="cyclic",
    )
    run = load_run(path)
    index = JournalIndex(run)
    for number in range(len(QUESTIONS)):
        scores = [score for score in run.scores if score.question.id == f"q{number}"]
        assert index.find_rows(number) == [score.row for score in scores]
    index.close()


def test_a_run_without_a_journal_has_no_rows(tmp_path: Path) -> None:
    path = write_run(tmp_path, QUESTIONS, lambda *_: None)
    (path / JOURNAL).unlink()
    index = JournalIndex(load_run(path))
    assert index.find_rows(0) == [None]
    index.close()


def test_a_request_for_room_that_there_is_not_counts_for_nothing(tmp_path: Path) -> None:
    path = write_run(tmp_path, QUESTIONS[:1], lambda *_: respond("A", stop_reason="max_tokens"))
    again = [
        JournalRow(
            request_id="again", question_id="q0", way="prefill", result=result, is_retake=True
        )
        for result in (
            RequestFailure(kind="server", message="no", status=500),
            RequestFailure(kind="invalid_request", message="too long", status=400),
        )
    ]
    with (path / JOURNAL).open("ab") as file:
        file.writelines(encode_line(row) + b"\n" for row in again)
    index = JournalIndex(load_run(path))
    [row] = index.find_rows(0)
    index.close()
    assert row is not None
    assert row.is_response
