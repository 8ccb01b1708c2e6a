"""Lists of labels are read from replies that are nothing else."""

from __future__ import annotations

import unicodedata
from string import ascii_uppercase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.label_lists import read_choices


@pytest.mark.parametrize(
    ("text", "picked"),
    [
        ("A", (0,)),
        ("(C)", (2,)),
        ("A, C", (0, 2)),
        ("C, A", (0, 2)),
        ("A and C", (0, 2)),
        ("A, B, and D.", (0, 1, 3)),
        ("(A) & (C)", (0, 2)),
        ("A; C", (0, 2)),
        ("**A** and **C**", (0, 2)),
        ("ACD", (0, 2, 3)),
        ('["A", "C"]', (0, 2)),
        ("- A\n- C", (0, 2)),
        ("Answer: B", (1,)),
        ("Answers: A, C", (0, 2)),
        ("The answer is B.", (1,)),
        ("The right answers are A and C.", (0, 2)),
        ("So the correct choices are: (A), (D)", (0, 3)),
        ("A and C are correct.", (0, 2)),
        ("B is right", (1,)),
        ("A, B and C are all correct!", (0, 1, 2)),
    ],
)
def test_a_list_of_labels_names_its_choices(text: str, picked: tuple[int, ...]) -> None:
    assert read_choices(text, ascii_uppercase[:4]) == picked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "A or C",
        "not A, C",
        "A, A",
        "A, E",
        "E",
        "CA",
        "BAD",
        "ADA",
        "a and c",
        "I think A and C",
        "A is right, C is not",
        "The answers may be A and C.",
        "Neither A nor C",
        "All but A",
        "A good question!",
        "A and C are wrong.",
        "A. Paris",
        "The answer is A. The answer is C.",
        "(A) red\n(B) blue\n(C) green",
        "A, B, C or D",
        "A?",
    ],
)
def test_what_is_no_list_names_none(text: str) -> None:
    assert read_choices(text, ascii_uppercase[:4]) is None


def test_digits_are_listed_too_but_never_run_together() -> None:
    labels = tuple("1234")
    assert read_choices("1, 3", labels) == (0, 2)
    assert read_choices("13", labels) is None


@given(
    text=st.text() | st.text("ABC123 ,()[].\n-and", max_size=12),
    labels=st.sampled_from([tuple("ABCD"), tuple("123"), tuple(ascii_uppercase)]),
)
def test_only_labels_that_were_offered_and_stand_in_the_text_are_read(
    text: str, labels: tuple[str, ...]
) -> None:
    picked = read_choices(text, labels)
    if picked is not None:
        assert picked == tuple(sorted(set(picked)))
        assert all(labels[place] in unicodedata.normalize("NFKC", text) for place in picked)


@given(
    picked=st.sets(st.integers(0, 25), min_size=1),
    around=st.sampled_from(["{}", "({})", "**{}**", '"{}"', "{})"]),
    between=st.sampled_from([", ", " and ", "; ", " & ", "\n", " "]),
)
def test_every_list_that_is_written_is_read(picked: set[int], around: str, between: str) -> None:
    text = between.join(around.format(ascii_uppercase[place]) for place in sorted(picked))
    assert read_choices(text, ascii_uppercase) == tuple(sorted(picked))
