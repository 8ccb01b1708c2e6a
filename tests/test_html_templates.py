"""Templates, styles and scripts: only ours can run, and everybody can read them."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from jinja2 import UndefinedError

from evalkit.reports.charts.themes import measure_luminance
from evalkit.reports.html.page import render_frame
from evalkit.reports.html.templates import build_policy, load_environment, read_asset
from tests.report_runs import report_of_three


class Elements(HTMLParser):
    """The texts of styles and scripts, the policy, and attributes that could run something."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {"style": [], "script": []}
        self.policy = ""
        self.handlers: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        self.handlers += [name for name in values if name.startswith("on") or name == "style"]
        if tag in self.texts and "data-part" not in values:
            self.inside = tag
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[self.inside][-1] += data


def test_the_policy_names_just_the_styles_and_scripts_of_the_page() -> None:
    found = Elements()
    found.feed(render_frame(report_of_three()))
    for tag, count in (("style", 1), ("script", 2)):
        texts = found.texts[tag]
        assert len(texts) == count
        [part] = re.findall(f"{tag}-src ([^;]*)", found.policy)
        assert part.split() == [
            f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
            for text in texts
        ]
    assert found.policy.startswith("default-src 'none'; ")
    assert "unsafe" not in found.policy
    assert found.handlers == []


def test_a_page_without_scripts_lets_none_run() -> None:
    assert build_policy([], []).endswith("style-src 'none'; script-src 'none'")


def test_values_are_escaped_and_none_may_be_missing() -> None:
    environment = load_environment()
    assert environment.from_string("{{ a }}").render(a="<b>'\"") == "&lt;b&gt;&#39;&#34;"
    with pytest.raises(UndefinedError):
        environment.from_string("{{ a }}").render()


@pytest.mark.parametrize("name", ["tables.js", "questions.js"])
def test_scripts_make_no_markup_of_texts(name: str) -> None:
    script = read_asset(name)
    for risky in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert risky not in script
    for asking in ("fetch(", "XMLHttpRequest", "WebSocket", "import(", "http:", "https:"):
        assert asking not in script


def colours(scheme: str) -> dict[str, str]:
    """The colours of the style, by their names."""
    style = read_asset("style.css")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    if scheme == "dark":
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))
    return found


PAIRS = [
    *((text, ground) for text in ("text", "muted", "accent") for ground in ("ground", "panel")),
    ("good", "good-ground"),
    ("bad", "bad-ground"),
    ("open", "open-ground"),
    ("text", "good-ground"),
    ("focus", "ground"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_texts_stand_out_from_their_ground(scheme: str, text: str, ground: str) -> None:
    known = colours(scheme)
    darker, lighter = sorted(measure_luminance(known[name]) for name in (text, ground))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
