"""What evalkit and the tool that asked score differently is listed whole in each kind of report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import openpyxl
import pytest

from evalkit.importers.folders import import_log
from evalkit.reports import import_sheets
from evalkit.reports.formats import FileOptions, write_report
from evalkit.reports.import_sheets import list_import_sheets
from evalkit.reports.report import Report, build_report
from evalkit.reports.text import list_notes
from evalkit.results import Run
from evalkit.source_scores import source_scores_to_dict
from tests.report_runs import three_runs
from tests.test_importers import write_lines

COUNT = 30
REPLY = "<b>it is B</b>, " * 40


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Thirty replies that evalkit alone calls right, and one of which both think so."""
    folder = tmp_path_factory.mktemp("imported")
    rows = [
        {
            "id": f"q{number}",
            "question": f"What is {number} + 1?",
            "choices": ["0", str(number + 1)],
        }
        | {"answer": "B", "predicted": f"{REPLY}B", "score": 0}
        for number in range(COUNT)
    ]
    agreed = rows[0] | {"id": "agreed", "question": "What is nothing?", "score": 1}
    [run] = import_log(write_lines(folder / "x.jsonl", [*rows, agreed]), results=folder / "results")
    return run


@pytest.fixture(scope="module")
def report(run: Run) -> Report:
    return build_report([run, three_runs()[0]])


def test_a_note_names_three_and_where_all_are(run: Run) -> None:
    [note] = [note for note in list_notes(run) if "differ from" in note]
    assert "30 of 31 differ from evalkit's" in note
    assert note.count("evalkit: B, right; the tool: wrong") == 3
    assert "and 27 more, which `evalkit report` and `import --json` list" in note


def test_the_facts_list_all(run: Run) -> None:
    facts = source_scores_to_dict(run)["source_scores"]
    assert facts["differing"] == COUNT
    assert [each["question_id"] for each in facts["differences"]] == [f"q{n}" for n in range(COUNT)]
    assert {each["id"] for each in facts["differences"]} < {q.id for q in run.questions}


def test_a_csv_file_lists_all_with_whole_replies(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    write_report(report, path, FileOptions(rows="differences"))
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["source_id"] for row in rows] == [f"q{number}" for number in range(COUNT)]
    assert {row["reply"] for row in rows} == {f"{REPLY}B"}
    assert {(row["choice"], row["score"], row["source_score"]) for row in rows} == {
        ("B", "1", "0.0")
    }


def test_a_workbook_lists_all(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "x.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "x.xlsx")["Scored differently"]
    head, *rows = sheet.iter_rows(values_only=True)
    assert [dict(zip(head, row, strict=True))["Id in the log"] for row in rows] == [
        f"q{number}" for number in range(COUNT)
    ]


@pytest.mark.parametrize(("name", "cells"), [("x.md", "| {} |"), ("x.html", "><bdi>{}</bdi></td>")])
def test_pages_list_all_as_plain_text(
    name: str, cells: str, report: Report, tmp_path: Path
) -> None:
    write_report(report, tmp_path / name)
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert all(cells.format(f"q{number}") in text for number in range(COUNT))
    assert cells.format("agreed") not in text
    assert "| <b>it" not in text
    assert "<bdi><b>it" not in text


def test_the_facts_of_a_report_list_all(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path / "x.json")
    facts = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    found = [each["source_scores"] for each in facts["runs"] if "source_scores" in each]
    assert [len(each["differences"]) for each in found] == [COUNT]


def test_a_table_that_is_cut_off_says_how_many_there_are(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_sheets, "MOST_ROWS", 7)
    [sheet] = list_import_sheets(report)
    assert len(sheet.rows) == 7
    assert "the first 7 of 30; .xlsx and .csv (--rows differences) have all" in sheet.title


def test_there_is_no_table_of_runs_that_evalkit_asked(tmp_path: Path) -> None:
    own = build_report(three_runs()[:1])
    assert list(list_import_sheets(own)) == []
    write_report(own, tmp_path / "x.xlsx")
    assert "Scored differently" not in openpyxl.load_workbook(tmp_path / "x.xlsx").sheetnames
