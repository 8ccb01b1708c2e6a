"""Whatever a name holds, it becomes one line that can be drawn, measured and told apart."""

from __future__ import annotations

import re
import sys
import time
import xml.dom.minidom

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.textpath import TextToPath

from evalkit.errors import MissingExtraError
from evalkit.reports.charts.lettering import (
    ELLIPSIS,
    STAND_IN,
    drawable,
    font,
    measure,
    name_in_sentence,
    one_line,
    require_matplotlib,
    shorten,
    shorten_all,
    wrap,
)

texts = st.text(st.characters(), max_size=300)
"""With surrogates, controls and marks."""


@given(texts)
def test_a_line_holds_nothing_that_xml_or_a_terminal_refuses(text: str) -> None:
    line = one_line(text)
    assert line == line.strip() != ""
    assert len(line.splitlines()) == 1
    xml.dom.minidom.parseString(f"<a>{line.replace('&', '').replace('<', '')}</a>".encode())


@given(texts, st.floats(0.3, 3))
def test_a_shortened_text_is_no_wider_than_its_room(text: str, inches: float) -> None:
    assert measure(shorten(text, inches, 9), 9) <= inches


@given(texts)
def test_what_is_drawn_has_letters_for_all_of_it(text: str) -> None:
    # A letter that the font lacks is a warning, which is an error here.
    TextToPath().get_text_width_height_descent(drawable(one_line(text)), font(9), ismath=False)


@pytest.mark.parametrize("words", ["Hello, world", "mmlu 82.4 [79.9, 84.6]", "model…-name", "日本"])
@pytest.mark.parametrize("bold", [False, True])
def test_widths_are_those_of_the_font(words: str, bold: bool) -> None:
    width, _, _ = TextToPath().get_text_width_height_descent(
        drawable(words), font(10, bold=bold), ismath=False
    )
    # But for kerning.
    assert measure(words, 10, bold=bold) == pytest.approx(float(width) / 72, rel=0.03)


def test_beginning_and_end_of_a_name_are_kept() -> None:
    assert shorten("claude-haiku-4-5-20251001, way tool", 1.5, 9) == "claude-haiku-4…ay tool"
    assert name_in_sentence("a" * 40 + "b" * 40) == "a" * 24 + ELLIPSIS + "b" * 24


def test_marks_of_a_letter_that_is_cut_are_cut_too() -> None:
    assert not re.search(f"{ELLIPSIS}\u0301", shorten("e\u0301" * 90, 1.0, 9))


def test_heaped_marks_are_taken_down() -> None:
    assert one_line("e" + "\u0301" * 50) == "e" + "\u0301" * 3


def test_letters_that_the_font_lacks_have_a_stand_in_when_drawn() -> None:
    assert drawable("日本 A") == f"{STAND_IN}{STAND_IN} A"


def test_names_that_look_alike_are_numbered() -> None:
    long = ["model-" + "x" * 60 + ending + "y" * 60 for ending in "abb"]
    first, second, third = shorten_all([*long], 1.5, 9)
    assert first.startswith("(1) ")
    assert second == third
    assert second.startswith("(2) ")
    assert shorten_all(["a", "b", "a"], 1.5, 9) == ["a", "b", "a"]


def test_lines_are_broken_between_words_and_no_wider_than_their_room() -> None:
    words = "Whether one run is better than another is told by their paired difference " * 3
    lines = wrap(words.strip(), 2.0, 8)
    assert " ".join(lines) == words.strip()
    assert len(lines) > 3
    assert all(measure(line, 8) <= 2.0 for line in lines)


def test_a_word_that_is_too_long_for_a_line_is_cut() -> None:
    [line] = wrap("x" * 190, 1.0, 8)
    assert measure(line, 8) <= 1.0
    assert ELLIPSIS in line


def test_a_missing_library_is_named_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'evalkit-mcq\[report\]'"):
        require_matplotlib()


def test_a_name_of_a_million_letters_takes_no_time() -> None:
    start = time.process_time()
    shorten("x" * 1_000_000, 2.0, 9)
    assert time.process_time() - start < 0.2
