"""Tables for people: few columns, intervals in brackets, long ones cut with a note."""

from __future__ import annotations

from evalkit.reports.brief import FLIPS, FLIPS_OF_PAIR, brief, list_brief_sheets
from evalkit.reports.comparison_sheets import list_comparison_sheets
from evalkit.reports.report import build_report
from evalkit.reports.run_sheets import sheet_summary
from evalkit.reports.tables import percent
from evalkit.reports.wording import bracket
from tests.report_runs import report_of_three, three_runs


def test_the_first_table_is_that_of_the_accuracies() -> None:
    report = report_of_three()
    sheet = brief(sheet_summary(report))
    place = sheet.heads.index("Accuracy")
    for row, run in zip(sheet.rows, report.runs, strict=True):
        expected = (percent(run.summary.mean), bracket(run.summary.accuracy))
        assert row[place : place + 2] == expected


def test_a_column_without_a_value_is_left_out() -> None:
    heads = brief(sheet_summary(report_of_three())).heads
    assert "Macro" in heads
    assert "Re-run SE" not in heads


def test_flipped_questions_are_cut_pair_by_pair_and_the_title_says_so() -> None:
    sheets = {sheet.name: sheet for sheet in list_comparison_sheets(report_of_three())}
    whole, shown = sheets["flips"], brief(sheets["flips"])
    assert len(shown.rows) == min(FLIPS, 3 * FLIPS_OF_PAIR) < len(whole.rows)
    assert f"; {len(shown.rows)} of {len(whole.rows)} shown here" in shown.title


def test_units_are_named_where_fractions_are_shown() -> None:
    titles = {sheet.name: sheet.title for sheet in list_brief_sheets(report_of_three())}
    assert "shares in percent, differences and errors in points" in titles["comparison"]
    assert "percent" not in titles["flips"]


def test_benchmarks_stand_side_by_side() -> None:
    report = build_report([*three_runs("exam"), *three_runs("quiz")])
    [sheet] = [each for each in list_brief_sheets(report) if each.name == "averages"]
    assert sheet.heads[:4] == ("Name", "exam", "quiz", "Mean")
    assert len(sheet.rows) == 3
