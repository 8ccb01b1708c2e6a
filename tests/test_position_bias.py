"""A liking for letters is told from the first reply to each question, as it was shown."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import pytest

from evalkit.answers import Outcome
from evalkit.orders import Design
from evalkit.positions import PositionBias, find_position_bias
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.reports.positions import render_positions
from evalkit.scores import CODES, FIRST_ANSWER
from evalkit.stats.intervals import wilson_interval
from evalkit.stats.positions import gold_balance, gold_sequence, stuart_maxwell, tabulate_letters
from evalkit.tallies import Tally

UNPARSED, FAILED = CODES[Outcome.UNPARSED], CODES[Outcome.FAILED]
SEQUENCE = (0, 1, 1, 0, 2, 2, 0, 1, 2, 0, 0, 2, 1, 1, 2, 0, 1, 2)
"""Right places of three choices, as often each, in no order."""


def build_tally(codes: Sequence[int], design: Design | None = None) -> Tally:
    return Tally(
        codes=bytes(codes),
        design=design or Design(),
        unbound=0,
        retakes=0,
        models=(),
        usage={},
        cost=None,
        savings=None,
        failures=(),
    )


def build_questions(rights: Sequence[int], cluster: str | None = None) -> list[Question]:
    return [
        Question(id=f"q{n}", stem="?", choices=tuple("abc"), right=(right,), cluster=cluster)
        for n, right in enumerate(rights)
    ]


def find(rights: Sequence[int], codes: Sequence[int]) -> PositionBias:
    found = find_position_bias(build_questions(rights), build_tally(codes), PromptFormat())
    assert found is not None
    return found


def test_letters_picked_are_compared_with_right_ones() -> None:
    picked = [0 if number % 3 else right for number, right in enumerate(SEQUENCE)]
    found = find(SEQUENCE, [FIRST_ANSWER + place for place in picked])
    gold = ["ABC"[place] for place in SEQUENCE]
    table = tabulate_letters(gold, ["ABC"[place] for place in picked])
    assert (found.n, found.table) == (len(SEQUENCE), table)
    assert found.homogeneity == stuart_maxwell(table)
    assert found.balance == gold_balance(SEQUENCE, [3] * len(SEQUENCE))
    assert found.sequence_p == gold_sequence(SEQUENCE)
    assert found.is_random
    recall = found.recalls[1]
    assert recall is not None
    assert recall.interval == wilson_interval(table.counts[1][1], 6)
    facts = found.to_dict()
    assert facts["recall_deviation"] == table.recall_deviation
    assert facts["right_letters"]["random"] is True
    assert [letter["picked"] for letter in facts["letters"]] == [
        picked.count(place) for place in range(3)
    ]


def test_a_question_without_a_reply_is_left_out_and_an_unreadable_one_is_not() -> None:
    found = find((0, 1, 0), [FIRST_ANSWER, FAILED, UNPARSED])
    assert (found.n, found.table.letters, found.table.unread) == (2, ("A",), (1,))
    assert found.homogeneity is None
    nothing = find_position_bias(build_questions((0,)), build_tally([FAILED]), PromptFormat())
    assert nothing is None


def test_a_letter_that_was_never_right_has_no_recall() -> None:
    found = find((0, 0), [FIRST_ANSWER, FIRST_ANSWER + 2])
    assert found.table.letters == ("A", "C")
    assert found.recalls[1] is None
    assert found.to_dict()["letters"][1]["recall"] is None
    assert "C" in render_positions("(1)", found)


def test_letters_are_those_that_were_shown_in_the_first_order_by_the_first_reply() -> None:
    """Shown in its own order, then with the right choice first; two replies in each."""
    design = Design(orders="cyclic", samples=2)
    right, other = FIRST_ANSWER + 1, FIRST_ANSWER
    tally = build_tally([right, other, other, other, other, other], design)
    tally = replace(tally, starts=array("Q", [0, 6]))
    [question] = build_questions((1,))
    found = find_position_bias([question], tally, PromptFormat())
    assert found is not None
    assert (found.n, found.table.letters, found.table.counts) == (1, ("B",), ((1,),))
    assert tally.shown_of(0, question) == [(1, 1), (1, 0), (0, 2), (0, 2), (2, 1), (2, 1)]


def test_recalls_take_account_of_clusters() -> None:
    questions = build_questions((0, 0, 0), cluster="passage")
    found = find_position_bias(questions, build_tally([FIRST_ANSWER] * 3), PromptFormat())
    assert found is not None
    recall = found.recalls[0]
    assert recall is not None
    assert (recall.mean, recall.interval, recall.clusters) == (1.0, None, 1)


@pytest.mark.parametrize(
    ("rights", "is_random"),
    [(SEQUENCE, True), ((0,) * 40, False), ((0, 1, 2) * 20, False), ((0,) * 15 + (1,) * 15, False)],
)
def test_right_letters_that_stand_in_some_order_are_named(
    rights: Sequence[int], is_random: bool
) -> None:
    found = find(rights, [FIRST_ANSWER + place for place in rights])
    assert found.is_random is is_random
    text = render_positions("(2)", found)
    assert ("(2) the right letters are not in random order" in text) is not is_random
    assert "(2) every letter read was right: nothing to test" in text


TABLE = """\
(1) Letters of the first replies to 18 questions; recall in percent where right
Letter  Right  Picked  Recall       Interval  as A  as B  as C
──────────────────────────────────────────────────────────────
A           6      17   100.0  [61.0, 100.0]     6     0     0
B           6       1    16.7    [3.0, 56.4]     5     1     0
C           6       0     0.0    [0.0, 39.0]     6     0     0

(1) standard deviation of the recalls: 43.7 points
(1) picked as often as right? Stuart-Maxwell 11.0, df 2, p 0.004
(1) right letters equally frequent? chi-square test 0.0, df 2, p 1.000
(1) right letters in random sequence? runs test p 0.595"""


def test_the_table_of_letters() -> None:
    codes = [FIRST_ANSWER + (0 if number % 3 else right) for number, right in enumerate(SEQUENCE)]
    assert render_positions("(1)", find(SEQUENCE, codes)) == TABLE
    assert render_positions("(1)", None) == "(1) no reply tells of letters"
