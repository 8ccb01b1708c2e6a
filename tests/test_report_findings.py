"""The sentences at the head of a report: who is ahead, whether that is clear, and where."""

from __future__ import annotations

import re

import pytest

from evalkit.reports.findings import PAIRS_NAMED, list_findings, list_remarks
from evalkit.reports.report import build_report
from tests.report_runs import report_of_three, run_of_model, three_runs
from tests.runs_in_memory import judged_run

FORBIDDEN = re.compile(
    r"no difference|equivalent|identical|not significant|significant|p < 0\.05", re.IGNORECASE
)
"""Words that say more than a comparison shows, or less."""


def test_the_leader_is_named_with_its_score_and_whether_the_lead_is_clear() -> None:
    first, *_ = list_findings(report_of_three())
    assert first.startswith("model-c is first on exam (")
    assert "n = 100" in first
    assert "ahead of each of the others by more than chance" in first


def test_a_lead_that_may_be_chance_is_no_lead() -> None:
    runs = [judged_run(name, ["correct"] * right + ["wrong"] * (40 - right))
            for name, right in (("a", 20), ("b", 21), ("c", 22))]  # fmt: skip
    first, *pairs = list_findings(build_report(runs))
    assert first.startswith("c has the highest accuracy on sums (55.0 %")
    assert "can't be told apart from a and b" in first
    assert all("not told apart from chance" in pair for pair in pairs)
    assert all("would have been found with 80 % power" in pair for pair in pairs)


def test_every_difference_has_its_interval_n_method_and_test() -> None:
    _, *pairs = [words for words in list_findings(report_of_three()) if "against" in words]
    for words in pairs:
        assert re.search(
            r"[+-]\d+\.\d points \[-?[\d.]+, -?[\d.]+\] \(n = 100, 95 % Tango; ", words
        )
        assert "McNemar mid-p" in words


def test_subjects_that_differ_are_called_exploratory() -> None:
    found = [each for each in list_findings(report_of_three()) if each.startswith("Exploratory")]
    assert found
    assert all("of 5 subjects" in each and "Benjamini-Hochberg" in each for each in found)


def test_of_many_runs_only_the_leader_is_compared_in_words() -> None:
    runs = [
        judged_run(f"m{place}", ["correct"] * (10 + place) + ["wrong"] * 20) for place in range(8)
    ]
    trimmed = [judged_run(f"m{place}", ["correct"] * (10 + place) + ["wrong"] * (20 - place))
               for place in range(8)]  # fmt: skip
    assert len({len(run.questions) for run in runs}) == 8  # these share a part only
    pairs = [words for words in list_findings(build_report(trimmed)) if "against" in words]
    assert len(pairs) == PAIRS_NAMED
    assert all("m7" in words for words in pairs)


def test_a_verdict_comes_first() -> None:
    first, *_ = list_findings(build_report(three_runs()[:2], margin=0.02))
    assert first.split(":")[0].split(" ")[0] in ("Inconclusive", "Regressed", "No")


@pytest.mark.parametrize("outcomes", [["correct"] * 5, ["not_asked"] * 5, ["failed"] * 5])
def test_a_run_alone_has_a_sentence_whatever_came_of_it(outcomes: list[str]) -> None:
    [sentence] = list_findings(build_report([judged_run("m", outcomes)]))
    assert sentence.startswith("m on sums: ")
    assert ("no question has a reply yet" in sentence) == (outcomes[0] != "correct")


def test_no_sentence_says_more_than_was_shown() -> None:
    reports = [report_of_three(), build_report(three_runs(), margin=0.02)]
    for report in reports:
        for sentence in (*list_findings(report), *list_remarks(report)):
            assert not FORBIDDEN.search(sentence), sentence


def test_remarks_say_why_runs_are_not_compared() -> None:
    runs = [judged_run("a", {"q1": "correct"}), judged_run("b", {"q2": "correct"})]
    first, *_ = list_remarks(build_report(runs))
    assert first.startswith("not compared: ")


def test_remarks_warn_of_runs_that_were_asked_differently() -> None:
    runs = [run_of_model(0), run_of_model(1, way="tool")]
    assert any("were not asked alike" in remark for remark in list_remarks(build_report(runs)))
