"""An answer names a choice, or says why there is none; never both, never neither."""

from __future__ import annotations

import pytest

from evalkit.answers import Answer, Outcome, answered_or

WITHOUT_CHOICE = [outcome for outcome in Outcome if outcome is not Outcome.ANSWERED]


def test_the_outcomes_are_six() -> None:
    assert list(Outcome) == [
        *("answered", "unparsed", "refused", "truncated", "failed", "not_asked"),
    ]


@pytest.mark.parametrize("outcome", WITHOUT_CHOICE)
def test_only_an_answer_has_a_choice(outcome: Outcome) -> None:
    assert Answer(outcome=outcome).choice is None
    with pytest.raises(ValueError, match=f"{outcome} with choice 0"):
        Answer(outcome=outcome, choice=0)


def test_an_answer_needs_a_choice() -> None:
    assert Answer(outcome=Outcome.ANSWERED, choice=0).choice == 0
    with pytest.raises(ValueError, match="answered with choice None"):
        Answer(outcome=Outcome.ANSWERED)


@pytest.mark.parametrize("outcome", WITHOUT_CHOICE)
def test_a_choice_counts_before_the_reason_for_having_none(outcome: Outcome) -> None:
    # Choice 0 is one: the first choice must not be taken for no choice.
    assert answered_or(0, outcome) == Answer(outcome=Outcome.ANSWERED, choice=0)
    assert answered_or(None, outcome) == Answer(outcome=outcome)
