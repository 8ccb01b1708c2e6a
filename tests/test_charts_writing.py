"""A chart as a file holds its words, is the same each time, and is there whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from evalkit.errors import RunError, UsageError
from evalkit.reports.charts.accuracies import chart_accuracies
from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.themes import DARK, PRINT, THEMES
from evalkit.reports.charts.writing import ENDINGS, render_chart, write_chart
from tests.charted_runs import graded_run
from tests.test_charts_svg import HOSTILE_NAMES


@pytest.fixture
def chart() -> Chart:
    found = chart_accuracies([graded_run("a", 0.5), graded_run("b", 0.8)])
    assert found is not None
    return found


STARTS = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_is_of_the_kind_that_its_name_says(
    chart: Chart, ending: str, tmp_path: Path
) -> None:
    path = tmp_path / f"chart{ending}"
    write_chart(chart, path)
    assert path.read_bytes().startswith(STARTS[ending])
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", [*ENDINGS, ".PNG"])
def test_a_file_is_the_same_each_time(chart: Chart, ending: str) -> None:
    assert render_chart(chart, ending) == render_chart(chart, ending)


def test_a_file_has_title_and_caption(chart: Chart) -> None:
    root = ElementTree.fromstring(render_chart(chart, ".svg"))
    said = " ".join(element.text or "" for element in root.iter() if element.tag.endswith("text"))
    assert chart.title in said
    assert chart.caption in said


@pytest.mark.parametrize("name", THEMES)
def test_a_picture_has_the_paper_of_its_theme_and_ink_within_its_edges(
    chart: Chart, name: str
) -> None:
    theme = THEMES[name]
    picture = Image.open(io.BytesIO(render_chart(chart, ".png", theme))).convert("RGB")
    paper = tuple(bytes.fromhex(theme.paper[1:]))
    assert picture.width == 1440
    edge = [picture.getpixel((x, y)) for x in (0, 5, 1439) for y in range(picture.height)]
    assert set(edge) == {paper}
    assert len(picture.getcolors(1 << 20) or []) > 20


def test_another_ending_is_refused(chart: Chart, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a chart as \.gif: expected \.svg, \.png, \.pdf"):
        write_chart(chart, tmp_path / "chart.gif")
    with pytest.raises(UsageError, match="a file without ending"):
        write_chart(chart, tmp_path / "chart")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cant_be_written_is_an_error_of_ours(chart: Chart, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="can't be written"):
        write_chart(chart, tmp_path / "missing" / "chart.png", DARK)


@pytest.mark.parametrize("ending", ENDINGS)
def test_hostile_names_are_drawn_without_a_warning(ending: str) -> None:
    found = chart_accuracies([graded_run(name, 0.5, 10) for name in HOSTILE_NAMES])
    assert found is not None
    assert len(render_chart(found, ending, PRINT)) > 1000
