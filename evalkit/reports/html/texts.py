"""Untrusted texts as a page can show them."""

from __future__ import annotations

import re

from evalkit.reports.tables import clean

LINE_ENDS = re.compile("\r\n|\r|[\x0b\x0c\x85\u2028\u2029]")

MOST_CHARACTERS = 20_000
"""Of a text that a page holds; the rest is in the run's folder."""


def tidy(text: str) -> str:
    r"""A text without control characters, half characters, and marks that turn its direction.

    Tabs and ends of lines stay.

    Example:
        >>> tidy("a\r\nb\x00\u202ec")
        'a\nb\ufffd\ufffdc'
    """
    if text.isascii() and text.isprintable():
        return text
    lines = LINE_ENDS.sub("\n", text).split("\n")
    return "\n".join("\t".join(map(clean, line.split("\t"))) for line in lines)


def shorten(text: str) -> tuple[str, int | None]:
    """The beginning of a text, and how long all of it is if that is not all.

    Example:
        >>> shorten("abc")
        ('abc', None)
    """
    if len(text) <= MOST_CHARACTERS:
        return tidy(text), None
    return tidy(text[:MOST_CHARACTERS]), len(text)
