"""Untrusted text made fit to be drawn: cleaned, shortened, in letters that the font has."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import MissingExtraError
from evalkit.reports.tables import clean

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties
    from matplotlib.ft2font import FT2Font

MOST_CHARACTERS = 200
"""Of a text that is looked at; one line of a chart has no room for more."""

MOST_MARKS = 3
"""Combining marks on one letter; more of them would reach into other lines."""

WORDS_OF_NAME = 48
"""Characters of a name within a sentence."""

CERTAIN = 0.98
"""How much of a line may be filled: on a grid of dots, letters come out a little wider."""

NO_CHARACTERS = re.compile("[\ufffe\uffff]")
"""What XML can't hold, beyond what `clean` takes away."""

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
FACE_SIZE = 100
"""Points at which characters are measured."""

STAND_IN = "\N{REPLACEMENT CHARACTER}"
"""Drawn for a character that the font lacks; it is about as wide as a Chinese one."""


def one_line(text: str) -> str:
    r"""Untrusted text as one line of characters that can be drawn and stored.

    Example:
        >>> one_line("two\nlines\0"), one_line(" ")
        ('two lines�', '(no name)')
    """
    if len(text) > MOST_CHARACTERS:
        half = MOST_CHARACTERS // 2
        text = text[:half] + ELLIPSIS + text[-half:]
    words = NO_CHARACTERS.sub(STAND_IN, clean(" ".join(text.split())))
    return "".join(keep_some_marks(words)) or "(no name)"


def keep_some_marks(words: str) -> Sequence[str]:
    """The characters of a text without combining marks heaped upon one letter."""
    kept = []
    marks = 0
    for character in words:
        marks = marks + 1 if is_mark(character) else 0
        if marks <= MOST_MARKS:
            kept.append(character)
    return kept


def start_clean(words: str) -> str:
    """The end of a text without spaces, or marks of a letter that is gone, at its beginning."""
    return "".join(itertools.dropwhile(lambda each: each == " " or is_mark(each), words))


def is_mark(character: str) -> bool:
    """Whether a character stands on the one before it."""
    return unicodedata.category(character) in ("Mn", "Me")


def name_in_sentence(text: str) -> str:
    """A name short enough to stand in a sentence, its beginning and its end kept.

    Example:
        >>> name_in_sentence("claude-haiku-4-5")
        'claude-haiku-4-5'
    """
    words = one_line(text)
    if len(words) <= WORDS_OF_NAME:
        return words
    half = WORDS_OF_NAME // 2
    return words[:half].rstrip() + ELLIPSIS + start_clean(words[-half:])


def drawable(words: str) -> str:
    """A text with a stand-in for each character that the font lacks.

    What has no width, such as a byte order mark, is left out: a PDF could not hold it.
    """
    return "".join(
        each if has_glyph(each) else STAND_IN
        for each in words
        if unicodedata.category(each) != "Cf"
    )


def measure(words: str, size: float, *, bold: bool = False) -> float:
    """How wide a line is, in inches.

    Args:
        words: one line.
        size: of the font in points.
        bold: whether it is bold.
    """
    return sum(advance(character, bold) for character in words) * size / 72


def shorten(text: str, inches: float, size: float, *, bold: bool = False) -> str:
    """An untrusted text cut in its middle so that it is no wider than this.

    Args:
        text: any.
        inches: the room there is.
        size: of the font in points.
        bold: whether it is bold.
    """
    words = one_line(text)
    if measure(words, size, bold=bold) <= inches:
        return words
    for kept in range(len(words) - 1, 0, -1):
        # The end tells names apart as often as the beginning.
        head, tail = words[: kept - kept // 3], words[len(words) - kept // 3 :]
        cut = head.rstrip() + ELLIPSIS + start_clean(tail)
        if measure(cut, size, bold=bold) <= inches:
            return cut
    return ELLIPSIS


def shorten_all(texts: Sequence[str], inches: float, size: float) -> list[str]:
    """Labels for texts; different ones that would look alike are numbered.

    Args:
        texts: any.
        inches: the room there is for each.
        size: of the font in points.
    """
    labels = {text: shorten(text, inches, size) for text in texts}
    seen = Counter(labels.values())
    numbers = itertools.count(1)
    for text, label in labels.items():
        if seen[label] > 1:
            number = f"({next(numbers)}) "
            labels[text] = number + shorten(text, inches - measure(number, size), size)
    return [labels[text] for text in texts]


def wrap(words: str, inches: float, size: float, *, bold: bool = False) -> list[str]:
    """A text in lines that are no wider than this, cut between words where it has such.

    Args:
        words: one line.
        inches: the room there is.
        size: of the font in points.
        bold: whether it is bold.
    """
    lines: list[str] = []
    line = ""
    inches *= CERTAIN
    for word in words.split(" "):
        longer = f"{line} {word}" if line else word
        if measure(longer, size, bold=bold) <= inches:
            line = longer
            continue
        lines += [line] if line else []
        line = shorten(word, inches, size, bold=bold)
    return [*lines, line]


@lru_cache(maxsize=4096)
def has_glyph(character: str) -> bool:
    """Whether the font has a character, in both weights."""
    return all(load_face(bold).get_char_index(ord(character)) for bold in (False, True))


@lru_cache(maxsize=4096)
def advance(character: str, bold: bool) -> float:
    """How wide a character is, as a multiple of the size of the font."""
    shown = character if has_glyph(character) else STAND_IN
    # In 1/65536 of the points that the face is set to.
    return load_face(bold).load_char(ord(shown)).linearHoriAdvance / 65536 / FACE_SIZE


@lru_cache(maxsize=2)
def load_face(bold: bool) -> FT2Font:
    """The font that comes with matplotlib: it is the same on every machine."""
    path = find_font(bold)
    from matplotlib.ft2font import FT2Font

    face = FT2Font(str(path))
    face.set_size(FACE_SIZE, 72)
    return face


def find_font(bold: bool) -> Path:
    """Where the font is.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    require_matplotlib()
    import matplotlib

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return Path(matplotlib.get_data_path(), "fonts", "ttf", name)


def require_matplotlib() -> None:
    """Name the extra that is missing before anything of it is used.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise MissingExtraError("drawing charts", "report") from None


def font(size: float, *, bold: bool = False) -> FontProperties:
    """The font in a size, in points."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=find_font(bold), size=size, weight="bold" if bold else "normal")
