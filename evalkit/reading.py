"""The choice that a reply names, or none.

A reply is searched for statements: places that clearly name one choice. The last one counts, since
models change their minds. What names a choice:

- The label alone, or its text alone, in any markup: `B`, `(b)`, `**B**`, `Ｂ`, `Paris`.
- A label that opens the reply, or fills a line, with its text: `B) Paris`. One that opens the reply
  may go on with a reason: `B, because ...`.
- A label or a text that is announced: `The answer is B`, `Antwort: Paris`, `I choose B`, `So (B).`
- A label that is judged: `B is correct`, `B) Paris ✅`. `B would be correct` counts only where
  nothing else does, for it is mostly said of other choices.

What names none, though a letter is there:

- What is denied, supposed, asked, doubted, or others' opinion: `not B`, `if it is B`, `B?`.
- Two labels, or a label with the text of another choice: `A and B`, `B) London`. This, and a letter
  that was not offered, also cancels what was named before, as does `Wait, no`.
- Labels in order at the heads of lines: the choices are being discussed one by one.
- What may be a word or part of a name: the article A, the pronoun I, `vitamin C`, `C major`,
  `E. coli`, `A+`, `D-Day`, `2.5`. A label needs an end: a mark, the end of a line, or a word such
  as `because`; where it is less expected, as after `so`, the sentence has to end with it.

No rule takes a letter out of a sentence because it is the only one there. What the rules do not
know is read as nothing, since a wrong letter is worse than none.

Two limits: a question that the model goes on to ask itself ends the reply, and of a reply longer
than `LONGEST`, without markup and thinking, only the end is read.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from evalkit import phrases
from evalkit.markup import lower_case, strip_markup
from evalkit.naming import (
    ALSO_WORDS,
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

LONGEST = 10_000
"""In characters."""

LEADING = Manner(leads=True)
STATED = Manner(small=True)
POINTED = Manner()
CONCLUDED = Manner(ends=END_OF_SENTENCE)
NUMBERED = Manner(marked=True)

ORNAMENT = rf"(?:[^\S\n]|[>:•·*→⇒➡{SYMBOL}]|[-–—]\s|=>)"
INTRODUCTION = (  # probably / the correct [option]
    rf"(?:{phrases.ADVERB},?\s)?"
    rf"(?:(?:{phrases.ARTICLE}\s)?(?:{phrases.ADJECTIVE}\s)?(?={phrases.NOUN}))?"
)
ORNAMENTS = re.compile(rf"{ORNAMENT}*")
GREETING = re.compile(rf"(?:{phrases.OPENER}[,:.!]*\s)*{INTRODUCTION}")
IT_IS = re.compile(rf"(?:(?:{phrases.POINTED})\s)?")
LINE = re.compile(rf"(?:^|(?<=[!?]\s)){ORNAMENT}{{0,8}}{INTRODUCTION}", re.MULTILINE)
TICK = re.compile(rf"[ ).:,–—(-]{{0,4}}(?:{phrases.TICK})[ .!)]*$", re.MULTILINE)
LONE_LETTER = re.compile(r"\W*\w\W*")
HEADING = re.compile(rf".*{phrases.NOUN}\W*")
JUDGED = re.compile(
    # B has to open a clause: not `vitamin B is correct`, not `A and B is correct`
    r"(?:\A|[\n.,;:!?(—–-][^\S\n]?|\b(?:so|that|but|then|thus|hence|therefore|think|while|though"
    rf"|only|(?<!\b[a-z]\s)and)\s){ORNAMENT}{{0,3}}{LABEL}{phrases.VERDICT}"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A place in a reply that names a choice, or takes back what was named."""

    start: int
    end: int
    choice: int | None
    kind: Literal["said", "line", "judged", "supposed"] = "said"


class Line(NamedTuple):
    """A line, or a sentence after an exclamation or a question, that begins with a label."""

    start: int
    before: str
    """What stands before the label: spaces, a bullet, a tick."""
    label: Label
    end: int
    """Of the label, or of its own text behind it."""


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
        plain = "xx" + plain[-LONGEST:]  # neither label nor word: nothing opens where it was cut
    latest = decide(Reader(Page(plain, labels, choices)).find_statements())
    return None if latest is None else latest.choice


def decide(statements: Iterable[Statement]) -> Statement | None:
    """The last statement, if it is not at odds with the one before it.

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
        yield from self.find_ticked()
        yield from self.find_lines()
        for match in phrases.WITHDRAWN.finditer(self.lower):
            yield Statement(match.start(), match.end(), None)

    def find_lead(self) -> Iterator[Statement]:
        """What opens the reply: `B) Paris`, `Sure! Option B, because ...`, `It's Paris`."""
        first = end_of(ORNAMENTS, self.lower, 0)
        greeted = first if self.page.text_at(first) else end_of(GREETING, self.lower, first)
        text_at = end_of(IT_IS, self.lower, greeted)
        named = self.page.name_text(first, END_OF_LINE) or self.page.name_text(text_at, END_OF_LINE)
        if named is None:
            named = self.page.name_label(greeted, LEADING)
            if named is None or self.opens_list(named) or TICK.match(self.lower, named.end):
                return
        if self.is_claimed(named.start, named.end):
            fills_line = END_OF_LINE.match(self.text, named.end) is not None
            yield Statement(*named, kind="line" if fills_line else "said")

    def find_announced(self) -> Iterator[Statement]:
        """What follows words that announce it: `the answer is B`, `I choose B`, `no, B`."""
        for match in phrases.ANNOUNCED.finditer(self.lower):
            stated, named = match["stated"] is not None, None
            if stated:
                named = self.page.name_text(match.start("filler"), END_OF_LABEL)
                named = named or self.page.name_text(match.end(), END_OF_LABEL)
            named = named or self.page.name_label(match.end(), self.manner_of(match))
            if named is None or not self.is_claimed(match.start(), named.end):
                continue
            if "\n" in match[0] and named.start in self.lists:
                continue
            supposed = stated and "would" in match[0]
            yield Statement(*named, kind="supposed" if supposed else "said")

    def manner_of(self, match: re.Match[str]) -> Manner:
        """How a label has to stand after an announcement."""
        if match["stated"] is not None:
            return STATED
        if self.page.digits:
            return NUMBERED  # `so 3` and `I think 3` may speak of anything
        if match["concluded"] is not None:
            return CONCLUDED
        return STATED if match["chosen"] is not None else POINTED

    def find_judged(self) -> Iterator[Statement]:
        """`B is correct`; `B is also correct` names two."""
        for match in JUDGED.finditer(self.lower):
            label = self.page.read_label(match)
            if label is None or (label.letter in ALSO_WORDS and not label.closed):
                continue
            if self.is_claimed(label.start, match.end()):
                also = " also " in match[0]
                too = self.lower.startswith((" too", " as well"), match.end())
                yield Statement(
                    label.start,
                    match.end(),
                    None if also or too else label.choice,
                    "supposed" if "would" in match[0] else "judged",
                )

    def find_ticked(self) -> Iterator[Statement]:
        """`B) Paris: correct`, `✅ B) Paris`, at the head of a line."""
        for line in self.lines:
            tick = TICK.match(self.lower, line.end)
            if tick is not None:
                if tick["right"]:
                    yield Statement(line.label.start, tick.end(), line.label.choice, "judged")
            elif "✅" in line.before and END_OF_LINE.match(self.text, line.end):
                yield Statement(line.label.start, line.end, line.label.choice, "judged")

    def find_lines(self) -> Iterator[Statement]:
        """Labels that fill a line, alone or with their text."""
        for line in self.lines:
            ticked = "❌" in line.before or TICK.match(self.lower, line.end)
            if ticked or not END_OF_LINE.match(self.text, line.end) or self.is_listed(line):
                continue
            if line.end == line.label.end and not self.stands_alone(line):
                continue
            if self.is_claimed(line.label.start, line.end):
                yield Statement(line.label.start, line.end, line.label.choice, "line")

    @functools.cached_property
    def lines(self) -> tuple[Line, ...]:
        """All lines that begin with a label, whatever follows."""
        found = ((match, self.page.label_at(match.end())) for match in LINE.finditer(self.lower))
        return tuple(
            Line(match.start(), match[0], label, self.page.own_end(label))
            for match, label in found
            if label is not None
        )

    # -- What is no statement ----------------------------------------------------------------

    def is_claimed(self, start: int, end: int) -> bool:
        """Whether a statement is made: not denied, supposed, asked, or others' opinion."""
        before = phrases.SENTENCE_STARTS.split(self.lower[max(0, start - 200) : start])[-1]
        if phrases.UNSURE.search(before) or phrases.UNSAID.match(self.lower, end):
            return False
        over = before.rstrip().endswith((",", ":", "–", "—", "-"))  # It's not A, it's B
        return over or not phrases.DENIED.search(before)

    @functools.cached_property
    def lists(self) -> frozenset[int]:
        """Where labels stand that follow each other in order at the heads of lines."""
        labels = (line.label for line in self.lines if line.label.choice is not None)
        heads = [
            label
            for label in labels
            if label.closed or self.text[label.end : label.end + 1] in ("", "\n", ".", ":")
        ]
        return frozenset(
            start
            for one, two in itertools.pairwise(heads)
            if one.choice is not None and two.choice is not None and one.choice < two.choice
            if not phrases.WITHDRAWN.search(self.lower, one.end, two.start)
            for start in (one.start, two.start)
        )

    def is_listed(self, line: Line) -> bool:
        """Whether a line belongs to a list of labels, or is where one begins."""
        before = self.lower[max(0, line.start - 200) : line.start]
        opens = line.label.choice == 0 and phrases.LIST_FOLLOWS.search(before) is not None
        return opens or line.label.start in self.lists

    def opens_list(self, named: Named) -> bool:
        """Whether a label that opens the reply opens a list or an answer: `(a) ... (b) ...`."""
        if named.start in self.lists:
            return True
        # `2. Then ...`; and `A:` may stand for `Answer:`
        doubtful = self.page.digits or (self.text.startswith("A:") and named.end == 1)
        if doubtful and END_OF_LINE.match(self.text, named.end) is None:
            return True
        if named.choice != 0:
            return False
        second = self.page.labels[1]
        inline = re.compile(rf"\({second}\)|[.,;!]\s(?:{phrases.NOUN}\s)?{second}[).:]")
        return inline.search(self.lower, named.end) is not None

    def stands_alone(self, line: Line) -> bool:
        """Whether a letter alone in its line is an answer: no table, formula or cut sentence."""
        if line.start == 0:
            return not self.page.is_word(line.label, LEADING)
        if line.label.letter.islower():
            return False
        if line.label.letter == "I" and line.label.end == len(self.text):
            return False
        if line.label.closed:
            return True
        above = self.lower[max(0, line.start - 80) : line.start]
        if re.search(r"[-•*]", line.before) or above.rstrip().endswith(":"):
            return False
        *_, line_above, sentence_before = ["", *above.split("\n")]
        return bool(
            sentence_before
            or not line_above
            or LONE_LETTER.fullmatch(line_above)
            or HEADING.fullmatch(line_above)
        )


def end_of(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Where a pattern ends; where it begins if it does not match."""
    match = pattern.match(text, at)
    return at if match is None else match.end()
