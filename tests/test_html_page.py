"""The page as a file: whole or not at all, within its size, and the same each time."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from evalkit.errors import MissingExtraError, RunError
from evalkit.questions import Question
from evalkit.reports.html.page import list_bytes, write_page
from evalkit.reports.html.templates import load_environment
from evalkit.reports.report import Report, build_report
from tests.hostile import HOSTILE
from tests.report_runs import hostile_runs, report_of_three, three_runs
from tests.runs_in_memory import judged_run
from tests.written_runs import respond, write_run


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A report of a run in a folder."""
    questions = [
        Question(id=f"q{number}", stem=f"{number}?", choices=("a", "b"), right=(0,))
        for number in range(300)
    ]
    path = tmp_path_factory.mktemp("results")
    return build_report([write_run(path, questions, lambda *_: respond("A"))])


def test_a_page_is_one_document(written: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_page(written, path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert text.rstrip().endswith("</html>")
    for tag in ("html", "head", "body", "main", "style"):
        assert len(re.findall(f"<{tag}[ >]", text)) == text.count(f"</{tag}>") == 1
    assert text.count('data-part="frame"') == 1
    assert list(tmp_path.iterdir()) == [path]
    assert set(re.findall(r' (?:src|href|srcset)="([^"]{5})', text)) <= {"data:", "#main"} | {
        f"#{name}"[:5] for name in ("summary", "charts", "tables", "remarks", "questions")
    }


def test_a_page_keeps_to_its_size(written: Report) -> None:
    whole = sum(map(len, list_bytes(written)))
    for most in (whole - 1, whole - 3000):
        parts = list(list_bytes(written, most_bytes=most))
        assert sum(map(len, parts)) <= most
        assert any(b'data-part="questions"' in part for part in parts)


def test_the_same_report_is_the_same_page(written: Report) -> None:
    assert list(list_bytes(written)) == list(list_bytes(written))


def test_a_page_that_can_not_be_written_leaves_nothing(written: Report, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="can't be written"):
        write_page(written, tmp_path / "nowhere" / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_small_before_its_responses() -> None:
    reports = [report_of_three(), build_report([*three_runs("exam"), *three_runs("quiz")])]
    for report in reports:
        assert sum(map(len, list_bytes(report, most_bytes=0))) < 3_000_000


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    runs = [run for text in HOSTILE[::7] for run in hostile_runs(text)]
    data = b"".join(list_bytes(build_report(runs, title="".join(HOSTILE[:-1]))))
    text = data.decode()
    assert "<script>window" not in text
    assert text.count("<script>") == 2
    assert "{{7*7}}" in text
    assert not set(text) & set("\x00\x1b\u202e\u2066")


def test_a_report_of_nothing_but_a_question_not_asked_has_a_page() -> None:
    data = b"".join(list_bytes(build_report([judged_run("a", ["not_asked"])])))
    assert b"no reply yet" in data


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load_environment.cache_clear()
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'evalkit-mcq\[report\]'"):
        load_environment()
    load_environment.cache_clear()
