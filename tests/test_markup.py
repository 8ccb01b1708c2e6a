"""Markup goes, the words stay, and a marked answer reads `answer: B`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.markup import fold, lower_case, strip_markup

PLAIN = [
    ("B", "B"),
    (" B\n", "B"),
    ("a  b\t c", "a b c"),
    ("a\r\nb", "a\nb"),
    ("a\n\n\n\n b", "a\n\nb"),
    ("", ""),
    ("**", ""),
    # Markdown
    ("**B**", "B"),
    ("*B*", "B"),
    ("_B_", "B"),
    ("__B__", "B"),
    ("***B***", "B"),
    ("**B", "B"),
    ("2 * 3 * 4", "2 * 3 * 4"),
    ("2*3*4", "2*3*4"),
    ("snake_case_name", "snake_case_name"),
    ("`B`", "B"),
    ("```json\nB\n```", "B"),
    ("## Answer\n> B", "Answer\nB"),
    ("B # 3", "B # 3"),
    ("~~A~~ B", "B"),
    ("- [ ] A\n- [x] B", "❌ A\n✅ B"),
    # LaTeX
    ("$x$", "x"),
    (r"\(x\)", "x"),
    (r"\text{B}", "B"),
    (r"\textbf{\text{(B)}}", "(B)"),
    (r"\boxed{B}", "answer: B"),
    (r"So \boxed{\text{B}}.", "So\nanswer: B\n."),
    (r"\boxed{B", "answer: B"),
    (r"\frac{1}{2}", r"\frac{1}{2}"),
    # Tags and tokens
    ("<b>B</b>", "B"),
    ("B<br/>", "B"),
    ("<s>A</s> B", "B"),
    ("a < b > c", "a < b > c"),
    ("<answer>B</answer>", "answer: B"),
    ("<final_answer>B", "answer: B"),
    ("[ANSWER]B[/ANSWER]", "answer: B"),
    ("【答案】B", "answer: B"),
    ("<think>A</think>B", "B"),
    ("<think>A", ""),
    ("A</think>B", "B"),
    ("<THINKING>\nA\n</THINKING>\n\nB", "B"),
    ("B</s>C", "B"),
    ("B<|im_end|>\n<|im_start|>user", "B"),
    ("<|assistant|>B", "B"),
    # JSON
    ('{"answer": "B"}', "{\nanswer: B}"),
    ("{'answer': 'B', 'why': 1}", "{\nanswer: B,\nwhy: 1}"),
    # Characters
    ("“B”", "B"),
    ("«B»", "B"),
    ("'B'", "B"),
    ("isn’t", "isn't"),
    ("students' answers", "students answers"),
    ("Ｂ（１）：", "B(1):"),
    ("Ⓑ 𝐁 ②", "B B 2"),
    ("1️⃣", "1"),
    ("B\u200b\ufeff", "B"),
    ("В", "В"),  # Cyrillic
    ("10² ⁻¹", "10^2 ^-1"),
    ("H₂O", "H2O"),
    ("−2", "-2"),
    ("甲。乙、丙", "甲. 乙, 丙"),
]

FOLDED = [
    ("Paris", "paris"),
    (' "The  Amazon." ', "the amazon"),
    ("**Paris!**", "paris"),
    ("5!", "5!"),
    (".5", ".5"),
    ("5.", "5"),
    ("-2", "-2"),
    ("(0, 1)", "(0, 1)"),
    ("$x^2$", "x^2"),
    ("STRASSE", "strasse"),
    ("a\nb", "a b"),
    ("...", ""),
]


@pytest.mark.parametrize(("text", "plain"), PLAIN)
def test_strip_markup(text: str, plain: str) -> None:
    assert strip_markup(text) == plain


@pytest.mark.parametrize(("text", "folded"), FOLDED)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_no_text_is_refused(text: str) -> None:
    assert strip_markup(text) == strip_markup(text).strip()
    assert fold(text) == fold(text).strip()


@given(st.text(alphabet="Bb (.,:*_`$#<>~\\{}\"'\n"))
def test_a_letter_outlives_its_markup(text: str) -> None:
    wrapped = strip_markup(f"{text} B")
    assert "B" in wrapped or "<" in text or "~" in text


@given(st.text())
def test_small_letters_stand_in_the_places_of_their_capitals(text: str) -> None:
    assert len(lower_case(text)) == len(text)


def test_a_capital_without_one_small_letter_stays() -> None:
    assert lower_case("İA") == "İa"
