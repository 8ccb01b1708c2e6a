"""What a notebook shows below a cell."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from evalkit.reports.report import build_report
from tests.hostile import HOSTILE
from tests.report_runs import hostile_runs, report_of_three


def test_a_cell_shows_findings_and_tables() -> None:
    root = ET.fromstring(report_of_three()._repr_html_())
    assert root.findtext("strong") == "exam"
    assert "model-c is first on exam" in (root.findtext("ul/li") or "")
    captions = [caption.text or "" for caption in root.iter("caption")]
    assert captions[0].startswith("Accuracy, with the 95 % Wilson interval")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_becomes_markup_or_a_formula(text: str) -> None:
    shown = build_report(hostile_runs(text), title=text)._repr_html_()
    names = {element.tag for element in ET.fromstring(shown).iter()}
    assert names <= {
        *("div", "strong", "ul", "li", "table", "caption", "thead", "tbody", "tr", "th", "td")
    }
    assert "$" not in shown
    shown.encode()
