"""Tables and numbers for the terminal, whatever the texts in them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.reports.tables import (
    clean,
    clean_lines,
    new_table,
    percent,
    render_table,
)

BIDIRECTIONAL = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def moves_something(character: str) -> bool:
    """Whether a terminal does more than to draw it, an end of line apart."""
    is_control = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    turns = unicodedata.bidirectional(character) in BIDIRECTIONAL
    return turns or (is_control and character != "\n")


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0"),
        (1.0, "100.0"),
        (0.5, "50.0"),
        (1 / 3, "33.3"),
        (2 / 3, "66.7"),
        (0.99949, "99.9"),
        (-0.1, "-10.0"),
        (None, "-"),
    ],
)
def test_percentages_have_one_decimal(share: float | None, text: str) -> None:
    assert percent(share) == text


@given(st.text(max_size=50))
def test_cleaning_leaves_one_line_without_control_characters(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) == len(text)
    assert "\n" not in cleaned
    assert not any(map(moves_something, cleaned))
    assert clean(cleaned) == cleaned
    cleaned.encode()


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])))
def test_cleaning_leaves_letters_signs_and_symbols_as_they_are(text: str) -> None:
    assert clean(text) == text


def test_cleaning_lines_keeps_ends_of_lines_and_tabs() -> None:
    assert (
        clean_lines("a\n\tb\x1b[0m\r\n\n")
        == "a\n\tb\N{REPLACEMENT CHARACTER}[0m\N{REPLACEMENT CHARACTER}\n\n"
    )


def test_a_table_without_a_title_begins_with_its_headings() -> None:
    table = new_table("", left=("Name",), right=("n",))
    table.add_row("x", "1")
    assert render_table(table) == "Name  n\n───────\nx     1\n"
