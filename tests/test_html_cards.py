"""What is seen first: who is ahead, whether that is clear, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.questions import Question
from evalkit.reports.findings import list_findings
from evalkit.reports.html.cards import Card, Tag, Tone, build_gate_card, list_cards
from evalkit.reports.report import build_report
from evalkit.results import Run
from evalkit.testing.messages_server import MessagesServer
from tests.charted_runs import held_gate
from tests.gate_runs import Answers, load_sums, make_run
from tests.report_runs import report_of_three, three_runs
from tests.runs_in_memory import judged_run
from tests.test_gating import hold


def run_of(name: str, correct: int, n: int = 200, **changes: object) -> Run:
    """A run with so many right answers, the first ones."""
    return judged_run(name, ["correct"] * correct + ["wrong"] * (n - correct), **changes)  # type: ignore[arg-type]


def only_card(runs: Sequence[Run], **options: object) -> Card:
    """The card of the one benchmark."""
    [card] = list_cards(build_report(runs, **options))  # type: ignore[arg-type]
    return card


CLEAR, CHANCE = "clear: more than chance", "not told apart from chance"


@pytest.mark.parametrize(
    ("skills", "headline", "tag"),
    [
        ((150, 100), "a is ahead", Tag(words=CLEAR, tone="good")),
        ((100, 150), "b is ahead", Tag(words=CLEAR, tone="good")),
        ((101, 100), "a has the higher accuracy", Tag(words=CHANCE, tone="open")),
        ((100, 100), "Both have the same accuracy", Tag(words=CHANCE, tone="open")),
        ((150, 100, 90), "a is first", Tag(words=CLEAR, tone="good")),
        (
            (101, 100, 50),
            "a has the highest accuracy",
            Tag(words="not told apart from b", tone="open"),
        ),
        (
            (101, 100, 100),
            "a has the highest accuracy",
            Tag(words="not clear", tone="open"),
        ),
        (
            (100, 100, 50),
            "2 runs share the highest accuracy",
            Tag(words="not clear", tone="open"),
        ),
        ((150,), "a: 75.0 %", Tag(words="above chance")),
        ((50,), "a: 25.0 %", Tag(words=CHANCE, tone="open")),
        ((0,), "a: 0.0 %", Tag(words="below chance", tone="bad")),
    ],
)
def test_a_headline_says_who_is_ahead_and_a_tag_whether_that_is_clear(
    skills: Sequence[int], headline: str, tag: Tag
) -> None:
    card = only_card([run_of(name, skill) for name, skill in zip("abc", skills, strict=False)])
    assert (card.headline, card.tag) == (headline, tag)


@pytest.mark.parametrize(
    ("skill", "headline", "tone"),
    [
        (100, "Regressed", "bad"),
        (150, "No regression beyond the margin", "good"),
        (145, "Inconclusive", "open"),
    ],
)
def test_with_a_margin_the_verdict_is_the_headline(skill: int, headline: str, tone: Tone) -> None:
    card = only_card([run_of("a", 150), run_of("b", skill)], margin=0.02)
    assert (card.headline, card.tag) == (headline, Tag(words="margin 2.0 points", tone=tone))
    assert [row.tag and row.tag.tone for row in card.rows] == [None, tone]


def test_a_baseline_among_several_has_differences_to_it() -> None:
    runs = [run_of("a", 100), run_of("b", 150), run_of("c", 90)]
    card = only_card(runs, baseline=runs[0])
    assert card.headline == "b has the highest accuracy"
    assert (card.against, [row.name for row in card.rows]) == ("a", ["a", "b", "c"])
    assert [row.difference[:5] for row in card.rows] == ["", "+25.0", "−5.0 "]


def test_the_best_comes_first_and_the_others_are_measured_by_it() -> None:
    card = only_card(three_runs())
    means = [row.mean or 0.0 for row in card.rows]
    assert means == sorted(means, reverse=True)
    assert card.rows[0].difference == ""
    assert all(row.difference.startswith("−") for row in card.rows[1:])
    assert card.has_differences


def test_every_finding_stands_on_a_card() -> None:
    for report in (report_of_three(), build_report(three_runs()[:1])):
        cards = list(list_cards(report))
        assert [each for card in cards for each in card.findings] == list(list_findings(report))


def test_several_benchmarks_have_a_mean() -> None:
    card, *others = list_cards(build_report([*three_runs("exam"), *three_runs("quiz")]))
    assert len(others) == 2
    assert card.where == "Mean over 2 benchmarks, each counting alike, 200 questions"
    assert card.tag is None
    assert card.headline.endswith("has the highest mean, 81.0 %")
    assert [row.number for row in card.rows] == [None] * 3
    assert not card.has_counts


@pytest.mark.parametrize(
    ("outcomes", "tag"),
    [
        (["not_asked"], Tag(words="no reply yet", tone="open")),
        (["failed"], Tag(words="no reply yet", tone="open")),
    ],
)
def test_a_run_without_replies_says_so(outcomes: list[str], tag: Tag) -> None:
    card = only_card([judged_run("a", outcomes)])
    assert card.tag == tag
    assert card.has_missing


def test_intervals_are_drawn_on_a_scale_that_holds_all_of_them() -> None:
    card = only_card(three_runs())
    low, high = card.ends
    for row in card.rows:
        assert row.low is not None
        assert row.high is not None
        assert low < row.low < row.high < high
        assert 0 < card.place(row.low) < card.place(row.high) < 144
    assert card.shows_chance is (low <= 0.25 <= high)


def test_gates_come_first_and_what_they_stopped_has_no_interval(tmp_path: Path) -> None:
    answers = Answers(wrong={"Be brief.": range(0, 200, 3)})
    with MessagesServer(answer=answers) as server:
        baseline = make_run(server, load_sums(tmp_path, 200), tmp_path / "results")
        [record] = hold(server, baseline).gates
    gate, *others = list_cards(build_report([baseline, record.folder]))
    assert (gate.where, gate.headline) == ("Gate on sums", "Regressed")
    assert gate.tag == Tag(words="margin 2.0 points", tone="bad")
    assert gate.findings[0].startswith("Regressed: ")
    assert gate.rows == ()
    tags = [card.tag for card in others]
    assert tags == [Tag(words="above chance"), Tag(words="stopped early by a gate", tone="open")]
    assert [row.interval for card in others for row in card.rows][1] == "-"


def test_a_gate_that_has_not_ended_says_so() -> None:
    record = held_gate(margin=0.02)
    card = build_gate_card(replace(record, verdict=None))
    assert (card.headline, card.tag) == ("No verdict yet", Tag(words="margin 2.0 points"))


def in_one_cluster(question: Question) -> Question:
    """The question as one of a passage."""
    return replace(question, cluster="passage")


def test_questions_of_one_cluster_have_no_interval() -> None:
    runs = [
        judged_run(name, outcomes, shape=in_one_cluster)
        for name, outcomes in (("a", ["correct", "wrong"]), ("b", ["correct", "correct"]))
    ]
    assert only_card(runs[:1]).tag == Tag(words="no interval", tone="open")
    assert [row.difference for row in only_card(runs).rows] == ["", "+50.0"]
    two = [*runs, *(judged_run(name, ["correct"] * 2, benchmark="b") for name in "ab")]
    assert len(list(list_cards(build_report(two)))) == 2


def test_a_card_says_how_its_runs_were_asked() -> None:
    alike = only_card([run_of("a", 100), run_of("b", 110)])
    assert alike.where == "sums, 200 questions, asked by prefill"
    unlike = only_card([run_of("a", 100), run_of("b", 110, way="tool")])
    assert unlike.where == "sums, 200 questions, asked in 2 ways"
