"""A chart as SVG is well-formed, small, the same each time, and asks a page for nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest

from evalkit.comparisons import compare
from evalkit.reports.charts.accuracies import chart_accuracies
from evalkit.reports.charts.chart import Chart
from evalkit.reports.charts.listing import list_charts
from evalkit.reports.charts.svg import render_svg
from evalkit.reports.charts.themes import DARK, LIGHT, THEMES
from tests.charted_runs import graded_run, held_gate, liking_run
from tests.runs_in_memory import judged_run
from tests.test_text import HOSTILE, NAMES

HOSTILE_NAMES = [
    *HOSTILE,
    *NAMES.values(),
    "$x^2$ costs $5",
    r"$\frac{1}{0}$ and \alpha",
    "a_b^{c}",
    "\u200fعربي \u202bעברית",
    "数学（中文）",
    "\U0001f9ea\ufe0f\u200d\U0001f9ea",
    "<script>alert(1)</script>",
    "]]><svg onload=alert(1)>",
    "javascript:alert(1)",
    "=cmd|' /C calc'!A0",
    "x" * 1_000_000,
    "\ufffe\uffff\ud83d",
    "e" + "\u0301" * 500,
    "&amp;\"'<b>",
    "%s {0} {name}",
]
ALLOWED = {"svg", "g", "defs", "path", "text", "use", "clipPath", "rect", "pattern"}


@pytest.fixture(scope="module")
def charts() -> tuple[Chart, ...]:
    """One of each kind at least."""
    runs = [graded_run("a", 0.6, cost=1.0), graded_run("b", 0.8, cost=20.0), graded_run("c", 0.7)]
    others = [
        judged_run(name, ["correct", "wrong", "refused"], benchmark="other") for name in ("a", "b")
    ]
    steady = list_charts([liking_run("d", 100, samples=20)])
    return (*list_charts([*runs, *others], compare([*runs, *others]), [held_gate()]), steady[-1])


def test_there_is_a_chart_of_each_kind(charts: tuple[Chart, ...]) -> None:
    kinds = {chart.name.partition("-")[0] for chart in charts}
    assert kinds == {
        *("gate", "accuracies", "differences", "difference", "benchmarks", "subjects"),
        *("outcomes", "costs", "letters", "reliability"),
    }


def check_svg(text: str) -> ElementTree.Element:
    """Whether it is what a page may hold as it is; returns its root."""
    root = ElementTree.fromstring(text)
    for element in root.iter():
        assert element.tag.removeprefix("{http://www.w3.org/2000/svg}") in ALLOWED
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name not in ("style", "class", "{http://www.w3.org/1999/xlink}href")
            if name == "href":
                assert value.startswith("#")
            assert not re.search(r"url\((?!#)", value)
    assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert re.findall('https?://[^"]*', re.sub('<text.*?</text>|aria-label=".*?"', "", text)) == [
        "http://www.w3.org/2000/svg"
    ]
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    used = {*re.findall(r'href="#([^"]+)"', text), *re.findall(r"url\(#([^)]+)\)", text)}
    assert len(ids) == len(set(ids))
    assert set(ids) == used
    return root


@pytest.mark.parametrize("framed", [False, True])
def test_every_chart_is_one_piece_in_every_theme(charts: tuple[Chart, ...], framed: bool) -> None:
    for chart in charts:
        for theme in THEMES.values():
            text = render_svg(chart, theme, framed=framed)
            check_svg(text)
            assert len(text) < 60_000


def test_a_chart_is_the_same_each_time(charts: tuple[Chart, ...]) -> None:
    for chart in charts:
        assert render_svg(chart, DARK) == render_svg(chart, DARK)


def test_no_two_charts_share_an_id(charts: tuple[Chart, ...]) -> None:
    ids = [
        name
        for chart in charts
        for theme in THEMES.values()
        for name in re.findall(r'id="([^"]+)"', render_svg(chart, theme))
    ]
    assert len(ids) == len(set(ids))


def test_it_is_an_image_that_says_what_is_seen(charts: tuple[Chart, ...]) -> None:
    for chart in charts:
        root = ElementTree.fromstring(render_svg(chart))
        assert root.get("role") == "img"
        assert root.get("aria-label") == f"{chart.title}. {chart.alt}"


def test_title_and_caption_are_drawn_only_when_framed() -> None:
    chart = chart_accuracies([judged_run("a", ["correct"])])
    assert chart is not None
    bare, framed = render_svg(chart), render_svg(chart, framed=True)
    assert f">{chart.title}</text>" in framed
    assert f">{chart.title}</text>" not in bare
    heights = [float(ElementTree.fromstring(text).get("height", "0")) for text in (bare, framed)]
    assert heights[0] < heights[1]


def test_hostile_names_are_text_and_no_more() -> None:
    runs = [
        graded_run(name, 0.5, 40, subjects=HOSTILE_NAMES, benchmark="$b\n<i>\0", cost=1.0 + number)
        for number, name in enumerate(HOSTILE_NAMES)
    ]
    for chart in list_charts(runs, compare(runs[:2]), [held_gate(suite="<b>$\0\n")]):
        text = render_svg(chart, framed=True)
        check_svg(text)
        for words in (chart.title, chart.caption, chart.alt):
            assert len(words) < 4_000
            assert not re.search("[\0-\x1f\ud800-\udfff\u202a-\u202e\u2066-\u2069]", words)


def test_letters_that_our_font_lacks_are_left_to_the_reader() -> None:
    chart = chart_accuracies([judged_run("数学🧪", ["correct"])])
    assert chart is not None
    assert ">数学🧪</text>" in render_svg(chart)


def test_dollars_are_no_formula() -> None:
    chart = chart_accuracies([judged_run("$x^2$", ["correct"])])
    assert chart is not None
    assert ">$x^2$</text>" in render_svg(chart)


def test_a_users_settings_of_matplotlib_change_nothing(charts: tuple[Chart, ...]) -> None:
    settings: dict[Any, Any] = {
        "text.usetex": True,
        "svg.fonttype": "path",
        "svg.hashsalt": "x",
        "font.size": 40,
        "lines.linewidth": 9,
        "axes.facecolor": "red",
        "axes.prop_cycle": "cycler('color', 'k')",
        "figure.autolayout": True,
        "figure.dpi": 300,
        "savefig.bbox": "tight",
        "patch.force_edgecolor": True,
    }
    plain = [render_svg(chart, framed=True) for chart in charts]
    with matplotlib.rc_context(settings):
        assert [render_svg(chart, framed=True) for chart in charts] == plain


def test_drawing_changes_no_setting_of_matplotlib(charts: tuple[Chart, ...]) -> None:
    before = dict(matplotlib.rcParams)
    for chart in charts:
        render_svg(chart, LIGHT)
    assert dict(matplotlib.rcParams) == before


def test_neither_windows_nor_tables_are_loaded_to_draw() -> None:
    """Pyplot keeps figures and chooses a backend for the whole process; pandas takes a second."""
    program = (
        "import sys; "
        "from tests.charted_runs import graded_run; "
        "from evalkit.reports.charts.listing import list_charts; "
        "from evalkit.reports.charts.writing import ENDINGS, render_chart; "
        "charts = list_charts([graded_run('a', 0.5)]); "
        "[render_chart(chart, ending) for chart in charts for ending in ENDINGS]; "
        "print([name for name in ('matplotlib.pyplot', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_without_matplotlib_every_chart_names_the_remedy() -> None:
    """In a process of its own: here, the font is loaded already."""
    program = (
        "import sys; sys.modules['matplotlib'] = None; "
        "from tests.charted_runs import graded_run, held_gate, liking_run; "
        "from evalkit.errors import MissingExtraError; "
        "from evalkit.reports.charts.listing import list_charts; "
        "from evalkit.reports.charts.writing import ENDINGS, render_chart\n"
        "runs = [graded_run('a', 0.5, cost=1.0), liking_run('b', 40, samples=20)]\n"
        "for chart in list_charts(runs, None, [held_gate()]):\n"
        "    for ending in ENDINGS:\n"
        "        try:\n"
        "            render_chart(chart, ending)\n"
        "        except MissingExtraError as error:\n"
        "            print(chart.name.partition('-')[0], ending, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    words = "drawing charts needs an extra: pip install 'evalkit-mcq[report]'"
    kinds = ("gate", "accuracies", "subjects", "outcomes", "costs", "letters", "reliability")
    assert set(done.stdout.splitlines()) >= {
        f"{kind} {ending} {words}" for kind in kinds for ending in (".svg", ".png", ".pdf")
    }
