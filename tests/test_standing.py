"""A standing says what need not be asked again, whatever the order of the rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.requests import Request, Way, build_request
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.journal import JournalRow
from evalkit.runs.standing import Standing

DONE = Response(text="A", stop_reason="end_turn", model="m", usage=Usage())
CUT = replace(DONE, stop_reason="max_tokens")
OVERLOADED = RequestFailure(kind="overloaded", message="", status=529)
REFUSED = RequestFailure(kind="invalid_request", message="max_tokens: 64 > 16", status=400)


def row(
    number: int,
    result: Response | RequestFailure,
    *,
    is_retake: bool = False,
    way: Way = "instructed",
) -> JournalRow:
    return JournalRow(
        request_id=request(number, is_retake=is_retake).id,
        question_id=f"q{number}",
        way=way,
        result=result,
        is_retake=is_retake,
    )


def request(number: int, *, is_retake: bool = False) -> Request:
    return build_request(f"q{number}", "instructed", {"max_tokens": 64 if is_retake else 16})


@given(
    rows=st.permutations(
        [
            row(0, OVERLOADED),
            row(0, DONE),
            row(0, OVERLOADED),
            row(1, OVERLOADED),
            row(2, CUT),
            row(2, REFUSED, is_retake=True),
            row(3, CUT),
            row(3, DONE, is_retake=True),
        ]
    )
)
def test_it_is_the_same_in_whatever_order_rows_come(rows: list[JournalRow]) -> None:
    standing = Standing.after(rows)
    answered = [number for number in range(4) if request(number).id in standing.answered]
    assert answered == [0, 2, 3]
    assert set(standing.cut) == {request(2).id, request(3).id}
    over = [number for number in range(4) if standing.is_over(request(number, is_retake=True))]
    assert over == [2, 3], "one got its answer, and one can't have more room"


def test_a_question_that_failed_and_was_answered_later_has_not_failed() -> None:
    standing = Standing.after([row(0, OVERLOADED), row(1, OVERLOADED), row(0, DONE)])
    assert standing.failed == {"q1"}


@pytest.mark.parametrize(
    ("cut", "is_cut"),
    [
        (row(0, CUT), True),
        (row(0, DONE), False),
        (row(0, CUT, is_retake=True), False),
        (row(0, CUT, way="prefill"), False),
    ],
)
def test_a_reply_counts_as_cut_where_more_room_may_help(cut: JournalRow, is_cut: bool) -> None:
    """After a prefill, one token is all that was asked for; a second time, there is no third."""
    assert bool(Standing.after([cut]).cut) == is_cut
