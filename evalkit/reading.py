"""The choice that a reply names, or none.

Todo:
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from evalkit import phrases
from evalkit.markup import lower_case, strip_markup
from evalkit.naming import (
    END_OF_LABEL,
    END_OF_LINE,
    END_OF_SENTENCE,
    LABEL,
    SYMBOL,
    Label,
    Manner,
    Named,
    Page,
)

LONGEST = 20_000
"""Of a longer reply only so many characters at its end are read."""

LEADING = Manner(leads=True)
STATED = Manner(small=True)
POINTED = Manner()
CONCLUDED = Manner(ends=END_OF_SENTENCE)
COUNTED = Manner(marked=True)

ORNAMENT = rf"(?:[^\S\n]|[>:•·*→⇒➡{SYMBOL}]|[-–—]\s|=>)"
INTRO = (
    rf"(?:{phrases.ADVERB},?\s)?"
    rf"(?:(?:{phrases.ARTICLE}\s)?(?:{phrases.ADJECTIVE}\s)?(?={phrases.NOUN}))?"
)
ORNAMENTS = re.compile(rf"{ORNAMENT}*")
GREETING = re.compile(rf"(?:{phrases.OPENER}[,:.!]*\s)*{INTRO}")
IT_IS = re.compile(rf"(?:{phrases.POINTED})\s")
LINE = re.compile(rf"(?:^|(?<=[!?]\s)){ORNAMENT}{{0,8}}{INTRO}(?={LABEL})", re.MULTILINE)
HEAD = re.compile(rf"^{ORNAMENT}{{0,4}}{LABEL}(?:(?<=[)\]])|[.:]|$)", re.MULTILINE)
TICK = re.compile(rf"[ ).:,–—(-]{{0,4}}(?:{phrases.TICK})[ .!)]*$", re.MULTILINE)
LONE_LABEL = re.compile(r"\W*\w\W*")
HEADING = re.compile(rf".*{phrases.NOUN}\W*")
CLAUSE_STARTS = (
    r"(?:\A|[\n.,;:!?(—–-][^\S\n]?"
    r"|\b(?:so|that|but|then|thus|hence|therefore|think|while|though|only|(?<!\b[a-z]\s)and)\s)"
)
JUDGED = re.compile(rf"{CLAUSE_STARTS}{ORNAMENT}{{0,3}}{LABEL}{phrases.VERDICT}")


@dataclass(frozen=True, slots=True)
class Statement:
    """A place in a reply that names a choice, or takes back what was named."""

    start: int
    end: int
    choice: int | None
    kind: Literal["said", "line", "judged", "supposed"] = "said"


def read_choice(text: str, labels: Sequence[str], choices: Sequence[str]) -> int | None:
    """Find the choice that a reply names.

    Args:
        text: the reply, whatever it holds.
        labels: the labels offered, all letters or all digits, one for each choice.
        choices: the texts of the choices.

    Returns:
        The position of the choice, from 0, or None if the reply names none or more than one.

    Example:
        >>> read_choice("I'd say A. Wait, no: **B**.", ["A", "B"], ["Rome", "Paris"])
        1
        >>> read_choice("A good question!", ["A", "B"], ["Rome", "Paris"]) is None
        True
    """
    if len(text) == 1 and text in labels:
        return labels.index(text)
    plain = strip_markup(text)
    next_question = phrases.NEXT_QUESTION.search(lower_case(plain), 1)
    if next_question is not None:
        plain = plain[: next_question.start()]
    if len(plain) > LONGEST:
        plain = "xx" + plain[-LONGEST:]  # no label, no word: nothing opens where it was cut
    latest = decide(Reader(Page(plain, labels, choices)).find_statements())
    return None if latest is None else latest.choice


def decide(statements: Iterable[Statement]) -> Statement | None:
    """The last statement counts, but `B would be right` and the like only where there is no other.

    Two verdicts, or two lines, on different labels with nothing between them name two choices.
    """
    latest: Statement | None = None
    for said in sorted(statements, key=lambda statement: statement.start):
        if latest is not None:
            if said.start < latest.end or (said.kind == "supposed" and latest.kind != "supposed"):
                continue
            if said.kind == latest.kind != "said" and said.choice != latest.choice:
                said = replace(said, choice=None)
        latest = said
    return latest


class Reader:
    """Finds the statements of one reply."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.text, self.lower = page.text, page.lower

    def find_statements(self) -> Iterator[Statement]:
        """Every statement of the reply; of two that begin in one place the first counts."""
        yield from self.find_lead()
        yield from self.find_announced()
        yield from self.find_judged()
        yield from self.find_lines()
        for match in phrases.WITHDRAWN.finditer(self.lower):
            yield Statement(match.start(), match.end(), None)

    def find_lead(self) -> Iterator[Statement]:
        """What opens the reply: `B) Paris`, `Sure! Option B, because ...`, `Paris`."""
        first = end_of(ORNAMENTS, self.lower, 0)
        second = first if self.page.text_at(first) else end_of(GREETING, self.lower, first)
        third = end_of(IT_IS, self.lower, second)
        named = self.page.name_text(first, END_OF_LINE) or self.page.name_text(third, END_OF_LINE)
        if named is None:
            named = self.page.name_label(second, LEADING)
            if named is None or self.opens_list(named):
                return
        if self.is_claimed(named.start, named.end):
            yield Statement(*named)

    def find_announced(self) -> Iterator[Statement]:
        """What follows words that announce it: `the answer is B`, `I choose B`, `no, B`."""
        for match in phrases.ANNOUNCED.finditer(self.lower):
            named = None
            if match["stated"] is not None:
                named = self.page.name_text(match.start("filler"), END_OF_LABEL)
                named = named or self.page.name_text(match.end(), END_OF_LABEL)
            named = named or self.page.name_label(match.end(), self.manner_of(match))
            if named is None or not self.is_claimed(match.start(), named.end):
                continue
            if "\n" in match[0] and named.start in self.lists:
                continue
            supposed = match["stated"] is not None and "would" in match[0]
            yield Statement(*named, kind="supposed" if supposed else "said")

    def manner_of(self, match: re.Match[str]) -> Manner:
        """What an announcement lets follow; a number is easily something else than a label."""
        if match["stated"] is not None:
            return STATED
        if self.page.digits:
            return COUNTED
        if match["concluded"] is not None:
            return CONCLUDED
        return STATED if match["chosen"] is not None else POINTED

    def find_judged(self) -> Iterator[Statement]:
        """`B is correct`, where B opens a clause: not `vitamin B is correct`."""
        for match in JUDGED.finditer(self.lower):
            label = self.page.read_label(match)
            if label is None or (label.letter.islower() and not label.closed):
                continue
            if self.is_claimed(label.start, match.end()):
                too = " also " in match[0] or self.lower.startswith((" too", " as well"), match.end())
                choice = None if too else label.choice
                supposed = "would" in match[0]
                yield Statement(
                    label.start, match.end(), choice, "supposed" if supposed else "judged"
                )

    def find_lines(self) -> Iterator[Statement]:
        """Labels that fill a line, alone, with their text or with a tick."""
        for match in LINE.finditer(self.lower):
            label = self.page.label_at(match.end())
            if label is None or "❌" in match[0]:
                continue
            text = self.page.text_after(label.end)
            own = text is not None and label.choice in text.choices
            end = text.end if text is not None and own else label.end
            tick = TICK.match(self.lower, end)
            if tick is not None and tick["right"]:
                yield Statement(label.start, tick.end(), label.choice, "judged")
            elif not END_OF_LINE.match(self.text, end) or not self.is_claimed(label.start, end):
                continue
            elif "✅" in match[0]:
                yield Statement(label.start, end, label.choice, "judged")
            elif not self.is_listed(match, label) and (own or self.stands_alone(match, label)):
                yield Statement(label.start, end, label.choice, "line")

    # -- What is no statement ----------------------------------------------------------------

    def is_claimed(self, start: int, end: int) -> bool:
        """Whether a statement is made: not denied, supposed, asked, or others' opinion."""
        before = phrases.SENTENCE_STARTS.split(self.lower[max(0, start - 200) : start])[-1]
        if phrases.UNSURE.search(before) or phrases.UNSAID.match(self.lower, end):
            return False
        return not phrases.DENIED.search(before) or before.rstrip()[-1:] in tuple(",:–—-")

    @functools.cached_property
    def lists(self) -> frozenset[int]:
        """Where labels stand that follow each other in order at the heads of lines."""
        labels = (self.page.read_label(match) for match in HEAD.finditer(self.lower))
        heads = [label for label in labels if label is not None and label.choice is not None]
        return frozenset(
            start
            for one, two in itertools.pairwise(heads)
            if two.choice == (one.choice or 0) + 1
            and not phrases.WITHDRAWN.search(self.lower, one.end, two.start)
            for start in (one.start, two.start)
        )

    def is_listed(self, line: re.Match[str], label: Label) -> bool:
        """Whether a line belongs to a list of labels, or is where one begins."""
        if label.start in self.lists:
            return True
        before = self.lower[max(0, line.start() - 200) : line.start()]
        return label.choice == 0 and phrases.LIST_FOLLOWS.search(before) is not None

    def opens_list(self, named: Named) -> bool:
        """Whether a label that opens the reply opens a list: `(a) ... (b) ...`."""
        fills_line = END_OF_LINE.match(self.text, named.end) is not None
        if named.start in self.lists:
            return True
        if self.text.startswith("A:") and named.end == 1 and not fills_line:
            return True  # it may stand for "Answer:"
        if self.page.digits and not fills_line:
            return True
        second = re.escape(self.page.labels[1])
        inline = re.compile(rf"\({second}\)|[\s,;]{second}[):]|[.;,]\s{second}\.")
        return named.choice == 0 and inline.search(self.lower, named.end) is not None

    def stands_alone(self, line: re.Match[str], label: Label) -> bool:
        """Whether a letter alone in its line is a reply, and no table, formula or cut sentence."""
        if line.start() == 0:
            return not self.page.is_word(label, LEADING)
        if label.letter.islower() or (label.letter == "I" and label.end == len(self.text)):
            return False
        if label.closed:
            return True
        above = self.lower[max(0, line.start() - 80) : line.start()]
        if re.search(r"[-•*]", line[0]) or above.rstrip().endswith(":"):
            return False
        *_, last, rest = ["", *above.split("\n")]
        return bool(
            rest or not last.strip() or LONE_LABEL.fullmatch(last) or HEADING.fullmatch(last)
        )


def end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a pattern that matches everywhere ends."""
    match = pattern.match(text, at)
    return at if match is None else match.end()
