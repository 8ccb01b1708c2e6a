"""Checks of what a question says: its stem, and the texts of its choices."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.linting.doubts import Check
from evalkit.loaders.records import shorten
from evalkit.questions import Question

LONGEST_STEM = 8000
"""Characters, some 2,000 tokens: what is longer dominates the price of a run."""

MOJIBAKE = re.compile(
    "Ã[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œŸ]"  # é read as Latin-1 or Windows-1252, and the like
    "|Â[\xa0-\xbf]"
    "|â€[\x80-\x9f™œž“”¦˜š¢]?"  # quotes and dashes
    "|ï»¿"  # a byte order mark
    "|ï¿½"  # the mark below, read wrongly once more
    "|\N{REPLACEMENT CHARACTER}"
)

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
"""What nobody sees, and a model may: control characters and spaces of no width."""

HTML = re.compile(
    r"&(?:[a-z]{2,8}|#\d{2,5}|#x[0-9a-f]{2,5});"
    r"|<br\s*/?>|</(?:p|b|i|em|div|span|sup|sub|u|strong|table|td|tr|li|ul|ol|a|font)>",
    re.IGNORECASE,
)
"""Entities, line breaks, and ends of tags: `<p>` alone may be a formula."""

PICTURE_TAG = re.compile(r"!\[[^\]]{0,200}\]\(|<img\b|\[(?:image|picture|figure)\]", re.IGNORECASE)

PICTURES = (
    "figure",
    "diagram",
    "picture",
    "image",
    "photograph",
    "photo",
    "drawing",
    "graph",
    "chart",
)
PICTURE = f"(?:{'|'.join(PICTURES)})"
PICTURE_WORDS = re.compile(
    rf"\b{PICTURE}s? (?:\w+ ){{0,2}}?(?:below|above|to the (?:left|right))\b"
    rf"|\b(?:following|accompanying|adjacent) {PICTURE}\b"
    rf"|\b(?:shown|seen|depicted|pictured|illustrated) in the {PICTURE}\b",
    re.IGNORECASE,
)

NAMED_ANSWER = re.compile(
    r"\b(?i:answer|correct (?:answer|choice|option))(?i:\s+is|\s*[:=])\s*\(?([A-Z])\)?(?![\w'])"
)


def texts_of(question: Question) -> Iterator[str]:
    """All texts that a model is shown of a question."""
    yield question.stem
    yield from question.choices


def find_in_texts(question: Question, pattern: re.Pattern[str], *, signs: str = "") -> str | None:
    """The surroundings of the first match in stem or choices.

    Args:
        question: to look at.
        pattern: to look for.
        signs: characters of which each match has one; looking for these first saves most of the
            time.
    """
    for text in texts_of(question):
        if signs and not any(sign in text for sign in signs):
            continue
        match = pattern.search(text)
        if match is not None:
            return show_around(text, match)
    return None


def show_around(text: str, match: re.Match[str]) -> str:
    """A match with some characters before and behind it."""
    return shorten(text[max(0, match.start() - 20) : match.end() + 20])


def find_mojibake(question: Question) -> str | None:
    """Letters that were read in the wrong encoding before the file was written."""
    return None if is_ascii(question) else find_in_texts(question, MOJIBAKE)


def is_ascii(question: Question) -> bool:
    """Whether there is nothing that could have been read in a wrong encoding."""
    return all(map(str.isascii, texts_of(question)))


def find_controls(question: Question) -> str | None:
    """Characters without a look of their own."""
    return find_in_texts(question, CONTROL)


def find_html(question: Question) -> str | None:
    """Tags and entities of a web page."""
    return find_in_texts(question, HTML, signs="<&")


def find_missing_picture(question: Question) -> str | None:
    """Words about a picture in a question that has none."""
    if question.images:
        return None
    return find_in_texts(question, PICTURE_TAG, signs="[<") or find_picture_words(question)


def find_picture_words(question: Question) -> str | None:
    """Where the stem points to a picture.

    Example:
        >>> stem = "Is x 4 in the figure below?"
        >>> find_picture_words(Question(id="x", stem=stem, choices=("yes", "no"), right=(0,)))
        "'Is x 4 in the figure below?'"
    """
    lower = question.stem.lower()
    if not any(word in lower for word in PICTURES) or "tabular" in lower:
        return None  # the second is LaTeX, which draws a chart in words
    match = PICTURE_WORDS.search(question.stem)
    return None if match is None else show_around(question.stem, match)


def find_long_stem(question: Question) -> str | None:
    """The length of a stem that is very long."""
    length = len(question.stem) + sum(len(text) for _, text in question.history)
    return f"{length:,} characters" if length > LONGEST_STEM else None


def find_named_answer(question: Question) -> str | None:
    """The stem's own words about the answer, if they name the right letter."""
    lower = question.stem.lower()
    if "answer" not in lower and "correct" not in lower:
        return None
    for match in NAMED_ANSWER.finditer(question.stem):
        if ord(match[1]) - ord("A") in question.right:
            return show_around(question.stem, match)
    return None


TEXT_CHECKS = (
    Check(
        name="answer-in-stem",
        level="warning",
        find=find_named_answer,
        says="name their own answer",
        remedy="take the answer out of the question's text, or the column that holds it out of "
        "columns.stem",
    ),
    Check(
        name="wrong-encoding",
        level="warning",
        find=find_mojibake,
        says="hold letters that were read in a wrong encoding",
        remedy="make the file again from its origin, reading that as UTF-8",
    ),
    Check(
        name="missing-pictures",
        level="warning",
        find=find_missing_picture,
        says="speak of a picture that they do not have",
        remedy="name the pictures by columns.images, or leave these questions out: without the "
        "picture they are answered by guessing",
    ),
    Check(
        name="html",
        level="note",
        find=find_html,
        says="hold tags or entities of a web page",
        remedy="turn them into plain text if the model should not see them",
    ),
    Check(
        name="unseen-characters",
        level="note",
        find=find_controls,
        says="hold control characters or spaces of no width",
        remedy="take them out: nobody sees them, but a model may",
    ),
    Check(
        name="long-stems",
        level="note",
        find=find_long_stem,
        says=f"have a text of more than {LONGEST_STEM:,} characters",
        remedy="look at them with `evalkit show --id`: a whole document may have slipped into one "
        "cell; `evalkit plan` says what they cost",
    ),
)
