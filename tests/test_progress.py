"""The progress bar shows how many questions are done, and how well so far."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from evalkit.answers import Answer, Outcome
from evalkit.progress import ProgressBar, Vitals, count_tokens
from evalkit.questions import Question
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.journal import JournalRow
from evalkit.scores import Score

QUESTION = Question(id="ant", stem="Latin for ant?", choices=("Apis", "Formica"), right=(1,))
RIGHT = Score(question=QUESTION, answer=Answer(outcome=Outcome.ANSWERED, choice=1))
WRONG = Score(question=QUESTION, answer=Answer(outcome=Outcome.ANSWERED, choice=0))
UNPARSED, REFUSED, TRUNCATED, FAILED, NOT_ASKED = (
    Score(question=QUESTION, answer=Answer(outcome=outcome))
    for outcome in Outcome
    if outcome is not Outcome.ANSWERED
)


@pytest.mark.parametrize(
    ("earlier", "added", "words"),
    [
        ([], [], ""),
        ([], [RIGHT], "accuracy 100.0 %"),
        ([], [RIGHT, WRONG, WRONG], "accuracy 33.3 %"),
        # Replies without a choice are not correct; what failed says nothing.
        ([], [RIGHT, UNPARSED, REFUSED, TRUNCATED], "accuracy 25.0 %"),
        ([], [RIGHT, FAILED, FAILED], "accuracy 100.0 %, 2 failed"),
        ([], [FAILED], "1 failed"),
        ([RIGHT, RIGHT, WRONG], [], "accuracy 66.7 %"),
        ([RIGHT, RIGHT, WRONG], [WRONG], "accuracy 50.0 %"),
        ([NOT_ASKED], [], ""),
    ],
)
def test_the_accuracy_so_far(
    earlier: Sequence[Score], added: Sequence[Score], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bar = ProgressBar("facts", 10, earlier, shown=True, is_terminal=True)
    bar.add(added)
    assert bar.describe() == words
    bar.close()
    last = capsys.readouterr().err.rpartition("\r")[2]
    assert f"{len(earlier) + len(added)}/10" in last
    assert words in last


def test_it_starts_where_the_earlier_run_ended(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar("facts", 10, [RIGHT] * 4, shown=True, is_terminal=True)
    first = capsys.readouterr().err
    assert "facts:  40%" in first
    assert "4/10" in first
    assert "0/10" not in first
    # What was done before does not make this run look faster.
    assert bar.bar.initial == 4
    bar.close()


def test_hidden_it_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar("facts", 10, [RIGHT], shown=False)
    bar.add([WRONG, FAILED])
    bar.close()
    assert bar.describe() == "accuracy 50.0 %, 1 failed"
    assert capsys.readouterr() == ("", "")


def test_results_go_to_standard_output_so_it_goes_elsewhere(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bar = ProgressBar("facts", 2, [], shown=True, is_terminal=True)
    bar.add([RIGHT, RIGHT])
    bar.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err


def test_a_line_beside_the_bar_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar("run", 2, [], shown=True, is_terminal=True)
    bar.aside(lambda line: print(line, file=sys.stderr))("Batch 1: handed over")
    bar.note("batch in progress")
    bar.close()
    # The bar is wiped out before the line: what stands behind the last carriage return is seen.
    seen = [line.rpartition("\r")[2] for line in capsys.readouterr().err.splitlines()]
    assert "Batch 1: handed over" in seen
    assert any("batch in progress" in line for line in seen)


# Where there is no terminal


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def scored(*, attempts: int = 1, tokens: tuple[int, int] = (0, 0)) -> Score:
    """A right answer that took so much."""
    usage = Usage(input_tokens=tokens[0], output_tokens=tokens[1])
    row = JournalRow(
        request_id="r",
        question_id="ant",
        way="instructed",
        sample_index=0,
        is_retake=False,
        result=Response(text="B", stop_reason=None, model=None, usage=usage),
        attempts=attempts,
        seconds=1.0,
        finished_at=0.0,
    )
    return replace(RIGHT, row=row)


def test_without_a_terminal_there_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    bar = ProgressBar("facts", 100, [RIGHT] * 20, shown=True, is_terminal=False, clock=clock)
    lines: list[list[str]] = []
    for _ in range(16):
        clock.now += 1
        bar.add([RIGHT, WRONG])
        lines.append(capsys.readouterr().err.splitlines())
    clock.now += 1
    bar.close()
    assert [number for number, seen in enumerate(lines, 1) if seen] == [2, 12]
    # Of this run are four in two seconds; the others came before.
    assert lines[1] == ["facts: 24 of 100, 2.0/s, 0:00:38 left, accuracy 91.7 %"]
    [last] = capsys.readouterr().err.splitlines()
    assert last.startswith("facts: 52 of 100, 1.9/s, 0:00:26 left, accuracy 69.2 %")


def test_a_short_run_without_a_terminal_prints_its_end_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    bar = ProgressBar("facts", 10, [], shown=True, is_terminal=False, clock=clock)
    clock.now += 1.9
    bar.add([RIGHT] * 10)
    assert capsys.readouterr().err == ""
    bar.close()
    [line] = capsys.readouterr().err.splitlines()
    assert line == "facts: 10 of 10, 5.3/s, 0:00:00 left, accuracy 100.0 %"


def test_a_run_that_has_nothing_to_do_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar("facts", 10, [RIGHT] * 10, shown=True, is_terminal=False)
    bar.close()
    assert capsys.readouterr() == ("", "")


def test_lines_are_told_even_if_nothing_comes(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    bar = ProgressBar("facts", 10, [], shown=True, is_terminal=False, clock=clock)
    clock.now += 60
    bar.note("batch in progress")
    bar.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "facts: 0 of 10, batch in progress"


def test_what_is_under_way_and_what_it_takes_is_told() -> None:
    bar = ProgressBar(
        "facts",
        10,
        [],
        shown=False,
        find_vitals=lambda: Vitals(spend=0.0123, in_flight=17),
    )
    bar.add([scored(attempts=3, tokens=(1000, 200)), scored(tokens=(300, 0))])
    assert bar.describe() == ("accuracy 100.0 %, 2 tried again, 17 at once, 2k tokens, $0.0123")


def test_failures_have_no_tokens_and_cached_ones_count() -> None:
    usage = Usage(
        input_tokens=1,
        output_tokens=2,
        cache_creation_input_tokens=3,
        cache_read_input_tokens=4,
    )
    assert count_tokens(Response(text="", stop_reason=None, model=None, usage=usage)) == 10
    assert count_tokens(RequestFailure(kind="server", message="")) == 0
    assert count_tokens(Response(text="", stop_reason=None, model=None, usage=Usage())) == 0


def test_what_may_end_at_any_time_says_its_words_and_no_time_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter([0.0, 0.0, 100.0, 100.0, 200.0, 200.0, 300.0])
    bar = ProgressBar(
        *("sums m prefill", 10, ()),
        shown=True,
        find_words=lambda: "used 3 of about 7",
        is_terminal=False,
        clock=lambda: next(times),
    )
    bar.add([])
    bar.done = 4
    bar.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all("used 3 of about 7" in line and " left" not in line for line in lines)
