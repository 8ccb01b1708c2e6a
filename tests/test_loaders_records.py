"""A record gives its values by name or path, and says in a readable length what it holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import BenchmarkError
from evalkit.loaders.records import SHOWN_CHARACTERS, Record, read_lines, read_text, shorten


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("question", "Which?"),
        ("choices", {"text": ["a", "b"], "deep": {"er": 1}}),
        ("choices.text", ["a", "b"]),
        ("choices.deep.er", 1),
        ("dotted.name", "as it stands"),
        ("nothing", None),
        ("choices.nothing", None),
        ("question.text", None),
        ("choices.text.0", None),
        ("", None),
    ],
)
def test_a_value_is_found_by_name_or_dotted_path(column: str, value: object) -> None:
    values: dict[str, Any] = {
        "question": "Which?",
        "choices": {"text": ["a", "b"], "deep": {"er": 1}},
        "dotted.name": "as it stands",
        "dotted": {"name": "hidden by the name itself"},
    }

    assert Record(1, values).get(column) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "missing"),
        ("", "''"),
        ("E", "'E'"),
        (7, "7"),
        (["a", None], "['a', None]"),
        ("two\nlines", r"'two\nlines'"),
        ("half a pair \ud800", r"'half a pair \ud800'"),
        ("x" * 58, "'" + "x" * 58 + "'"),
        ("x" * 59, "'" + "x" * 56 + "..."),
        (10**5000, "int too large to show"),
    ],
    ids=lambda value: str(type(value)),
)
def test_a_value_is_shown_on_one_line_of_readable_length(value: object, text: str) -> None:
    assert shorten(value) == text


def test_a_value_nested_too_deeply_to_print_is_named_by_its_kind() -> None:
    nested: list[Any] = []
    for _ in range(10_000):
        nested = [nested]

    assert shorten(nested) == "list too large to show"


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists))
def test_what_is_shown_is_never_long_and_never_more_than_a_line(value: object) -> None:
    assert len(shorten(value)) <= SHOWN_CHARACTERS
    assert len(shorten(value).splitlines()) == 1
    assert shorten(value).encode()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        ("Größe 数\n".encode(), "Größe 数\n"),
        ("Größe 数\n".encode("utf-8-sig"), "Größe 数\n"),
        (b"a\r\nb\rc\n", "a\r\nb\rc\n"),
    ],
)
def test_a_file_is_read_as_utf_8_with_or_without_a_byte_order_mark(
    tmp_path: Path, data: bytes, text: str
) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes(data)

    assert read_text(path) == text


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a", ["a"]),
        ("\ufeffa\r\n\nb\rc\n".encode(), ["a\r\n", "\n", "b\rc\n"]),
        ("a\u2028b\x85c\x0bd\n\ufeffe".encode(), ["a\u2028b\x85c\x0bd\n", "\ufeffe"]),
    ],
)
def test_a_line_ends_with_a_line_feed_and_keeps_it(
    tmp_path: Path, data: bytes, lines: list[str]
) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes(data)

    assert list(read_lines(path)) == lines
    assert read_text(path) == "".join(lines)


READERS = pytest.mark.parametrize(
    "read", [read_text, lambda path: list(read_lines(path))], ids=["whole", "by lines"]
)


@READERS
@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("fine\nGröße\n".encode("latin-1"), "q.csv:2: byte 0xf6 is not UTF-8; save the file as UT"),
        ("question".encode("utf-16"), "q.csv:1: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"a\r\nb\r\nc\x80", "q.csv:3: byte 0x80 is not UTF-8; save the file as UTF"),
        (b"cut off: \xc3\nnext\n", "q.csv:1: byte 0xc3 is not UTF-8; save the file as UTF"),
        (b"\xef\xbb\xbfmarked: \xe9\n", "q.csv:1: byte 0xe9 is not UTF-8; save the file as UTF"),
    ],
)
def test_another_encoding_is_refused_with_the_line_and_a_remedy(
    tmp_path: Path, read: Callable[[Path], object], data: bytes, complaint: str
) -> None:
    path = tmp_path / "q.csv"
    path.write_bytes(data)

    with pytest.raises(BenchmarkError) as caught:
        read(path)

    assert complaint in str(caught.value)


@READERS
def test_a_file_that_is_not_there_or_is_a_folder_is_refused(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    with pytest.raises(BenchmarkError, match=r"gone\.csv: no such file$"):
        read(tmp_path / "gone.csv")
    with pytest.raises(BenchmarkError, match=r"can't be read: Is a directory$"):
        read(tmp_path)
