"""Answers are counted, and summed up by the rules of the statistics' sections 1, 2, 5 and 6."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.answers import Answer, Outcome
from evalkit.counts import (
    Count,
    average_groups,
    cluster_questions,
    summarize,
    summarize_groups,
)
from evalkit.orders import Design
from evalkit.questions import Order, Question
from evalkit.scores import CODES, FIRST_ANSWER, Score, score_questions
from evalkit.stats.clustered import clustered_interval, clustered_mean
from evalkit.stats.groups import grouped_means
from evalkit.stats.intervals import mean_interval, wilson_interval
from evalkit.stats.means import agreement, split_variance
from evalkit.stats.orders import order_effect, rotations
from evalkit.summaries import Summary
from tests.test_scores import FORM, build_question, build_row, build_score, build_scores

REPLIED = [Outcome.ANSWERED, Outcome.UNPARSED, Outcome.REFUSED, Outcome.TRUNCATED]
MISSING = [Outcome.FAILED, Outcome.NOT_ASKED]


some_scores = st.lists(
    st.tuples(st.sampled_from(list(Outcome)), st.booleans(), st.integers(2, 10)), min_size=1
).map(
    lambda kinds: [
        build_score(outcome, is_right=is_right, number=number, choices=choices)
        for number, (outcome, is_right, choices) in enumerate(kinds)
    ]
)


def test_every_outcome_is_counted_and_the_accuracy_is_over_the_replies() -> None:
    counts = {
        "correct": 7,
        "wrong": 5,
        "unparsed": 3,
        "refused": 2,
        "truncated": 1,
        "failed": 4,
        "not_asked": 6,
    }
    summary = summarize(build_scores(**counts))
    assert {name: getattr(summary, name) for name in counts} == counts
    assert (summary.name, summary.questions, summary.replied) == ("all", 28, 18)
    assert summary.accuracy == wilson_interval(7, 18)


def test_sensitivity_bounds_count_unreadable_replies_as_wrong_and_as_right() -> None:
    scores = build_scores(correct=6, wrong=4, unparsed=1, refused=2, truncated=3, failed=9)
    assert summarize(scores).sensitivity == (6 / 16, 12 / 16)


def test_bounds_of_an_incomplete_run_count_missing_replies_as_wrong_and_as_right() -> None:
    summary = summarize(build_scores(correct=6, wrong=2, unparsed=1, failed=3, not_asked=8))
    assert not summary.is_complete
    assert summary.missing == (6 / 20, 17 / 20)
    complete = summarize(build_scores(correct=6, wrong=2, unparsed=1))
    assert complete.is_complete
    assert complete.missing == (6 / 9, 6 / 9)


@given(some_scores, st.lists(st.sampled_from(MISSING), min_size=1, max_size=30))
def test_missing_replies_are_never_wrong(scores: list[Score], missing: list[Outcome]) -> None:
    """They move neither accuracy nor sensitivity, and make the run incomplete."""
    more = [build_score(outcome, number=1000 + i) for i, outcome in enumerate(missing)]
    before, after = summarize(scores), summarize([*scores, *more])
    assert after.accuracy == before.accuracy
    assert after.sensitivity == before.sensitivity
    assert (after.wrong, after.replied) == (before.wrong, before.replied)
    assert not after.is_complete


@given(some_scores)
def test_the_counts_add_up_and_the_bounds_hold_the_accuracy(scores: list[Score]) -> None:
    summary = summarize(scores)
    outcomes = Counter(score.answer.outcome for score in scores)
    assert summary.correct + summary.wrong == outcomes[Outcome.ANSWERED]
    assert summary.replied == sum(outcomes[outcome] for outcome in REPLIED)
    assert summary.is_complete == (summary.replied == len(scores))
    low, high = summary.missing
    assert 0 <= low <= high <= 1
    if summary.accuracy is not None:
        assert summary.sensitivity is not None
        assert summary.sensitivity[0] == summary.accuracy.estimate <= summary.sensitivity[1] <= 1
        assert low <= summary.accuracy.estimate <= high


@given(some_scores, st.randoms(use_true_random=False))
def test_the_order_of_the_scores_does_not_matter(scores: list[Score], rng: random.Random) -> None:
    shuffled = summarize(rng.sample(scores, len(scores)))
    plain = summarize(scores)
    assert replace(shuffled, chance=plain.chance) == plain
    assert shuffled.chance == pytest.approx(plain.chance)


def test_what_no_reply_defines_is_none() -> None:
    summary = summarize(build_scores(failed=2, not_asked=1))
    undefined = (
        summary.accuracy,
        summary.sensitivity,
        summary.is_above_chance,
        summary.holds_chance,
    )
    assert undefined == (None, None, None, None)
    assert summary.format_decides is False
    assert summary.missing == (0, 1)


@pytest.mark.parametrize(
    ("choices", "chance"), [((4, 4), 1 / 4), ((2, 4), 3 / 8), ((2, 3, 6), 1 / 3), ((26,), 1 / 26)]
)
def test_chance_is_the_mean_of_one_over_the_choices(choices: Sequence[int], chance: float) -> None:
    scores = [
        build_score(Outcome.NOT_ASKED, number=number, choices=count)
        for number, count in enumerate(choices)
    ]
    assert summarize(scores).chance == pytest.approx(chance)


@pytest.mark.parametrize(
    ("rights", "share"),
    [
        (((0,), (1,), (1,), (3,)), 2 / 4),
        (((2,),), 1),
        (((0,), (1,), (2,), (3,)), 1 / 4),
        (((0, 1), (1, 2), (1,), (0, 1)), 2 / 4),
    ],
)
def test_always_picking_the_most_frequent_position(
    rights: Sequence[tuple[int, ...]], share: float
) -> None:
    scores = [
        Score(
            question=build_question(f"q{number}", right=right),
            answer=Answer(outcome=Outcome.NOT_ASKED),
            several=any(len(right) > 1 for right in rights),
        )
        for number, right in enumerate(rights)
    ]
    assert summarize(scores).most_frequent == share


@pytest.mark.parametrize(
    ("share", "corrected"), [(0.25, 0.0), (1.0, 1.0), (0.625, 0.5), (0.0, -1 / 3)]
)
def test_chance_corrected_accuracy_is_0_for_guessing_and_1_for_perfect(
    share: float, corrected: float
) -> None:
    assert summarize(build_scores(correct=1)).correct_for_chance(share) == pytest.approx(corrected)


def test_the_interval_is_corrected_for_chance_by_its_ends() -> None:
    summary = summarize(build_scores(correct=10, wrong=10))
    assert summary.accuracy is not None
    ends = [summary.correct_for_chance(end) for end in (summary.accuracy.low, 0.5)]
    assert ends == pytest.approx([(summary.accuracy.low - 0.25) / 0.75, 1 / 3])


def test_where_guessing_is_always_right_nothing_can_be_corrected_for_it() -> None:
    certain = replace(summarize(build_scores(correct=1)), chance=1.0)
    assert certain.correct_for_chance(1.0) is None


@pytest.mark.parametrize(
    ("correct", "wrong", "is_above", "holds"),
    [(80, 20, True, False), (25, 75, False, True), (5, 95, False, False), (30, 70, False, True)],
)
def test_a_score_is_compared_with_chance_by_its_interval(
    correct: int, wrong: int, is_above: bool, holds: bool
) -> None:
    summary = summarize(build_scores(correct=correct, wrong=wrong))
    assert (summary.is_above_chance, summary.holds_chance) == (is_above, holds)


@pytest.mark.parametrize(
    ("unparsed", "refused", "truncated", "decides"),
    [(0, 0, 0, False), (10, 0, 0, False), (30, 0, 0, True), (10, 10, 10, True)],
)
def test_the_format_decides_where_the_bounds_are_wider_than_the_interval(
    unparsed: int, refused: int, truncated: int, decides: bool
) -> None:
    rest = 100 - unparsed - refused - truncated
    scores = build_scores(
        correct=rest // 2,
        wrong=rest - rest // 2,
        unparsed=unparsed,
        refused=refused,
        truncated=truncated,
    )
    assert summarize(scores).format_decides is decides


def test_groups_are_summarized_by_name_and_questions_without_one_are_left_out() -> None:
    names = ["zoo", "art", None, "zoo", "art", "zoo"]
    questions = [build_question(f"q{i}", group=name) for i, name in enumerate(names)]
    rows = [build_row(question.id, "B" if i else "C") for i, question in enumerate(questions)]
    groups = summarize_groups(score_questions(questions, rows, FORM))
    counted = [(group.name, group.questions, group.correct) for group in groups]
    assert counted == [("art", 2, 2), ("zoo", 3, 2)]


def test_a_set_without_groups_has_no_groups() -> None:
    assert summarize_groups(build_scores(correct=3)) == ()


def test_there_is_nothing_to_say_about_no_scores() -> None:
    with pytest.raises(ValueError, match="no scores to summarize"):
        summarize([])


def test_a_summary_can_be_named() -> None:
    summary: Summary = summarize(build_scores(correct=1), "physics")
    assert summary.name == "physics"


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=2, max_size=20))
def test_the_interval_of_samples_is_that_of_the_questions_means(table: list[list[bool]]) -> None:
    questions = [build_question(f"q{number}") for number in range(len(table))]
    rows = [
        replace(build_row(question.id, "B" if right else "A"), sample_index=index)
        for question, rights in zip(questions, table, strict=True)
        for index, right in enumerate(rights)
    ]
    random.Random(0).shuffle(rows)
    accuracy = summarize(score_questions(questions, rows, FORM, Design(samples=3))).accuracy
    shares = [sum(rights) / 3 for rights in table]
    assert accuracy is not None
    assert accuracy.n == len(table)
    assert accuracy.estimate == pytest.approx(sum(shares) / len(shares))
    if set(shares) <= {0.0, 1.0}:
        assert accuracy == wilson_interval(int(sum(shares)), len(shares))
    else:
        assert accuracy == mean_interval(shares)


# Several responses to a question


UNPARSED, FAILED = CODES[Outcome.UNPARSED], CODES[Outcome.FAILED]
PICKS = st.lists(
    st.lists(st.none() | st.integers(0, 3), min_size=3, max_size=3), min_size=2, max_size=12
)
"""What three responses to each question name; None: nothing that could be read."""


def encode(pick: int | None) -> int:
    """The code of a response."""
    return UNPARSED if pick is None else FIRST_ANSWER + pick


def count_picks(
    picks: Sequence[Sequence[int | None]],
    orders: Sequence[Order | None] = (None,),
    clusters: Sequence[int] | None = None,
) -> Summary:
    """Questions with four choices, of which the second is right."""
    count = Count()
    for number, each in enumerate(picks):
        cluster = None if clusters is None else clusters[number]
        count.add(build_question(f"q{number}"), list(map(encode, each)), orders, cluster)
    return count.summarize("all")


@given(PICKS)
def test_several_responses_tell_how_much_another_run_would_differ(
    picks: list[list[int | None]],
) -> None:
    summary = count_picks(picks)
    found, variances = summary.repetition, split_variance([each.count(1) for each in picks], 3)
    assert found is not None
    assert variances is not None
    assert (found.samples, found.questions) == (3, len(picks))
    assert found.within == pytest.approx(variances.within)
    assert found.rerun_error == pytest.approx(variances.rerun_error)
    assert found.gain == pytest.approx(variances.gain, abs=1e-12)
    assert found.agreement == pytest.approx(agreement(picks))


def test_one_response_tells_nothing_of_another_run() -> None:
    assert count_picks([[1], [0]]).repetition is None


def test_a_question_of_which_a_response_is_missing_tells_nothing_of_another_run() -> None:
    count = Count()
    count.add(build_question("a"), [encode(1), encode(0)])
    count.add(build_question("b"), [encode(1), FAILED])
    found = count.summarize("all").repetition
    assert found is not None
    assert (found.questions, found.agreement, found.within) == (1, 0.0, 0.5)
    # The accuracy, whose error it is, is over both.
    assert found.rerun_error == pytest.approx(math.sqrt(0.5 / 2 / 2))


def test_chance_within_an_order_is_told_from_what_the_order_changes() -> None:
    """Right in one order, wrong in the other, the same each time: another run will not differ."""
    steady = count_picks([[1, 1, 0, 0]] * 5, orders=((0, 1, 2, 3), (1, 2, 3, 0)))
    assert steady.repetition is not None
    assert (steady.repetition.within, steady.repetition.agreement) == (0.0, 1.0)
    moody = count_picks([[1, 0, 1, 0]] * 5, orders=((0, 1, 2, 3), (1, 2, 3, 0)))
    assert moody.repetition is not None
    assert (moody.repetition.within, moody.repetition.agreement) == (0.5, 0.0)
    # Four responses make its mean, though they were drawn in two orders.
    assert moody.repetition.rerun_error == pytest.approx(math.sqrt(0.5 / 4 / 5))


# Several orders


@given(PICKS)
def test_orders_are_summed_up_as_the_statistics_do(picks: list[list[int | None]]) -> None:
    orders = rotations(4)[:3]
    found = count_picks(picks, orders).orders
    effect = order_effect(picks, [{1}] * len(picks))
    assert found is not None
    assert found.all_right is not None
    assert found.flips is not None
    assert found.all_right.mean == pytest.approx(effect.all_right)
    assert found.flips.mean == pytest.approx(effect.flips)
    assert found.flips.interval == wilson_interval(round(effect.flips * len(picks)), len(picks))
    assert [place for place, _ in found.by_place] == [0, 1, 3]
    for place, estimate in found.by_place:
        slot = next(number for number, order in enumerate(orders) if order.index(1) == place)
        assert estimate.n == len(picks)
        assert estimate.mean == pytest.approx(sum(each[slot] == 1 for each in picks) / len(picks))


def test_an_order_that_did_not_come_leaves_the_question_out_of_what_needs_all() -> None:
    count = Count()
    orders = ((0, 1, 2, 3), (1, 2, 3, 0))
    count.add(build_question("a"), [encode(1), FAILED], orders)
    summary = count.summarize("all")
    assert summary.orders is not None
    assert (summary.orders.flips, summary.orders.all_right) == (None, None)
    assert [(place, each.n) for place, each in summary.orders.by_place] == [(1, 1)]
    assert summary.accuracy == wilson_interval(1, 1)


def test_in_every_order_the_most_frequent_letter_is_as_good_as_chance() -> None:
    summary = count_picks([[1] * 4] * 3, rotations(4))
    assert summary.most_frequent == summary.chance == 0.25


def test_the_question_is_the_unit_of_every_share_however_many_orders_it_has() -> None:
    count = Count()
    two, four = build_question("two", choices=2), build_question("four")
    count.add(two, [UNPARSED, UNPARSED], rotations(2))
    count.add(four, [encode(1)] * 3 + [FAILED], rotations(4))
    summary = count.summarize("all")
    assert (summary.wanted, summary.replied, summary.correct) == (6, 5, 3)
    assert summary.mean == 0.5
    assert summary.sensitivity == (0.5, 1.0)
    assert summary.missing == (3 / 4 / 2, 1 / 2)
    assert summary.chance == (1 / 2 + 1 / 4) / 2


# Clusters


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 3)), min_size=5, max_size=30).filter(
        lambda each: len({cluster for _, cluster in each}) > 1
    )
)
def test_questions_that_share_clusters_have_their_interval(
    marks: list[tuple[bool, int]],
) -> None:
    clusters = [cluster for _, cluster in marks]
    summary = count_picks([[1 if right else 0] for right, _ in marks], clusters=clusters)
    mean = clustered_mean([float(right) for right, _ in marks], clusters)
    assert summary.accuracy == clustered_interval(mean)
    assert summary.estimate is not None
    assert summary.estimate.clusters == len(set(clusters))
    assert summary.estimate.df == pytest.approx(mean.df)
    assert summary.estimate.design_effect == mean.design_effect


def test_one_cluster_has_a_mean_and_no_interval() -> None:
    summary = count_picks([[1], [1], [0], [0]], clusters=[7, 7, 7, 7])
    assert (summary.mean, summary.asked, summary.accuracy) == (0.5, 4, None)
    assert (summary.is_above_chance, summary.holds_chance) == (None, None)


def test_clusters_are_numbered_only_where_two_questions_share_one() -> None:
    def numbers(*names: str | None) -> list[int] | None:
        found = cluster_questions(
            Question(id=str(n), stem="?", choices=("a", "b"), right=(0,), cluster=name)
            for n, name in enumerate(names)
        )
        return None if found is None else found.tolist()

    assert numbers(None, "a", None, "a", "b") == [0, 1, 2, 1, 4]
    assert numbers(None, "a", None, "b") is None
    assert numbers() is None


def test_a_group_in_which_nothing_is_shared_has_the_plain_interval() -> None:
    names = {"a": "x", "b": "x", "c": None, "d": "y"}
    scores = [
        replace(score, question=replace(score.question, id=name, cluster=shared, group=group))
        for score, (name, shared), group in zip(
            build_scores(correct=2, wrong=2), names.items(), ["g", "g", "h", "h"], strict=True
        )
    ]
    whole = summarize(scores).accuracy
    assert whole is not None
    assert (whole.method, whole.clusters) == ("CR2", 3)
    first, second = summarize_groups(scores)
    assert first.accuracy is None
    assert second.accuracy == wilson_interval(0, 2)


# Averages over groups


def counts_of(groups: dict[str, list[bool]]) -> dict[str | None, Count]:
    counts: dict[str | None, Count] = {}
    for name, rights in groups.items():
        count = counts.setdefault(name, Count())
        for number, right in enumerate(rights):
            count.add(build_question(f"{name}{number}"), [encode(1 if right else 0)])
    return counts


@given(
    st.dictionaries(
        st.text(max_size=2), st.lists(st.booleans(), min_size=1, max_size=8), min_size=2, max_size=5
    )
)
def test_the_mean_of_groups_is_that_of_the_statistics(groups: dict[str, list[bool]]) -> None:
    found = average_groups(counts_of(groups))
    pairs = [(float(right), name) for name, rights in groups.items() for right in rights]
    expected = grouped_means([score for score, _ in pairs], [name for _, name in pairs])
    assert found is not None
    assert found.sizes == expected.sizes
    for name in ("micro", "macro", "micro_error", "macro_error"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-12)


def test_one_group_has_no_other_mean() -> None:
    assert average_groups(counts_of({"a": [True, False]})) is None


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
)
def test_counts_of_parts_make_that_of_the_whole(
    picks: list[tuple[int, int]], chance: random.Random
) -> None:
    orders, whole, parts = rotations(4)[:2], Count(), [Count(), Count(), Count()]
    for number, (pick, part) in enumerate(picks):
        for count in (whole, parts[part]):
            count.add(build_question(f"q{number}"), [encode(pick), encode(1)] * 2, orders)
    chance.shuffle(parts)
    merged = Count()
    for each in parts:
        merged.merge(each)
    assert merged.summarize("all") == whole.summarize("all")


def test_a_design_of_orders_is_summed_up_from_scores() -> None:
    """What is read in content space: the letter differs, the choice does not."""
    question = build_question(choices=3)
    design = Design(orders="cyclic")
    texts = {(0, 1, 2): "B", (1, 2, 0): "A", (2, 0, 1): "A"}
    rows = [replace(build_row(text=text), order=order) for order, text in texts.items()]
    scores = score_questions([question], rows, FORM, design)
    assert [score.answer.choice for score in scores] == [1, 1, 2]
    assert [score.correct for score in scores] == [True, True, False]
    orders = summarize(scores).orders
    assert orders is not None
    assert orders.flips is not None
    assert orders.flips.mean == 1.0
    assert [(place, each.mean) for place, each in orders.by_place] == [(0, 1), (1, 1), (2, 0)]
