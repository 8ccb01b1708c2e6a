"""The progress bar shows how many questions are done, and how well so far."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from evalkit.answers import Answer, Outcome
from evalkit.progress import ProgressBar
from evalkit.questions import Question
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
