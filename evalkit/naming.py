"""What one place of a reply names: a label, the text of a choice, or both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evalkit import phrases
from evalkit.markup import fold, lower_case

SYMBOL = "\u2300-\u2668\u2670-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"  # no flats, no sharps
WORD = r"a-z\d_\u00b5-\u1fff"  # small letters of scripts that write words apart

LABEL = (  # B, (B), B), option B, (answer: option B)
    rf"(?<![{WORD}.'-])(?P<open>[(\[{{]{{0,3}})\s?(?:{phrases.NOUN}\s?){{0,2}}[(\[{{]{{0,3}}"
    rf"(?<![{WORD}])(?P<label>[a-z]|\d+)(?![{WORD}])(?P<close>[^\S\n]?[)\]}}]{{1,3}})?"
)
LABEL_HERE = re.compile(LABEL)
BEHIND_TEXT = re.compile(r"[^\S\n]?[,–-]?[^\S\n]?")
AND = re.compile(  # A and B; A, B; A (B); A B; or A. B. where no words are left in the line
    rf"[^\S\n]?[)\]}}]{{0,3}}(?:[^\S\n]?(?:[,;/&+|–—-]|{phrases.AND})|(?=[^\S\n]?[(\[])|(?=[^\S\n])"
    r"|\.(?=(?:\s\(?\w\)?\.)+\s*(?:\n|\Z)))"
    r"[^\S\n]?\(?(?:(?:and|or|also|possibly|maybe|perhaps)\s)?"
)

ALSO_WORDS = tuple("aeiouy")  # small letters that are words somewhere: a, e, y
OPENING = re.compile(r"[\s(\[{:,]{0,9}")
AN = re.compile(r"(?:a|an|the)\s")
ASIDE = re.compile(r" \([^()\n]{0,80}\) [a-z]")  # A (quite) good question
ARTICLE_BEFORE = re.compile(r"(?:^|\s)(?:the|an?|la|el|der|die|le)\Z")
CHARACTER = re.compile("[\u2e80-\ud7af]")  # Chinese, Japanese, Korean
NUMBERED = re.compile("[番번号號]|です|입니다")  # where other signs count things
SEPARATORS = re.compile(r"(?:[\s):,|(–—]|\.(?!\d)|-(?!\d)){0,6}")
WORD_GOES_ON = re.compile(rf"[{WORD}]|[.,:]\d|-\w|['%^/*=]")
SENTENCE_GOES_ON = re.compile(
    rf"\s?(?:{phrases.COPULA}|{phrases.DENIAL}|\w{{2,8}}n't\b|(?:was|are|can|has|would|will|must)\b)"
    rf"|\s{phrases.AND}\s*\Z"
)

END_OF_LINE = re.compile(rf"(?:[^\S\n]|[).,:;!}}\]{SYMBOL}–—-])*(?:\n|\Z)")
END_OF_SENTENCE = re.compile(rf"[)\]}}]*(?:\.+(?!\w)|[!;|]|\s*\Z|\s*\n|\s[{SYMBOL}])")
END_OF_LABEL = re.compile(
    rf"""\s*(?:\Z|\n)
      | \s?[!,;:|)}}\]](?!\d)
      | \s?\.(?![A-Za-z\d])(?![ ][a-z])  # but not B.C. or E. coli
      | \s?[–—](?![A-Za-z\d]\b) | \s-+\s  # but not D-Day, A–C
      | \s[({{\[]
      | \s?[{SYMBOL}\u2e80-\ud7af]       # Chinese, Japanese, Korean go on without a space
      | '[dt][iıuü]r\b                   # Turkish "is"
      | \s{phrases.BECAUSE}
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a label is expected to stand at a place."""

    ends: re.Pattern[str] = END_OF_LABEL
    """What has to follow it."""
    small: bool = False
    """A small letter counts: after `the answer is`, not after `so`."""
    marked: bool = False
    """Only with a bracket or a noun, as `option 2`."""
    leads: bool = False
    """The reply opens with it: `B. Paris` is label and text here, elsewhere two sentences."""


class Named(NamedTuple):
    """Where a choice is named; None: two are, or one that was not offered."""

    start: int
    end: int
    choice: int | None


class Label(NamedTuple):
    """Something in the shape of a label."""

    start: int
    end: int
    letter: str
    """As it stands in the reply; or a number."""
    choice: int | None
    """None: not offered."""
    opened: bool
    closed: bool
    named: bool
    """As `option B`."""


class Text(NamedTuple):
    """The text of a choice, which two choices may share."""

    start: int
    end: int
    choices: frozenset[int]


class Page:
    """A reply without markup, and what was offered."""

    def __init__(self, text: str, labels: Sequence[str], choices: Sequence[str]) -> None:
        self.text = text
        self.lower = lower_case(text)
        self.flat = self.lower.replace("\n", " ")
        self.labels = [lower_case(label) for label in labels]
        self.choices = [fold(choice) for choice in choices]
        self.digits = self.labels[0].isdigit()

    def name_label(self, at: int, manner: Manner) -> Named | None:
        """A label, perhaps with its text behind it: `B`, `(B)`, `option B: Paris`.

        With the text of another choice behind it, as in `B) London`, it names none.
        """
        label = self.label_at(at)
        if label is None:
            return None
        text = self.text_after(label.end)
        if text is not None and label.choice in text.choices:
            return self.name_both(label, text)
        if (text is not None and self.belongs(text, label, manner)) or self.is_joined(label):
            return Named(label.start, label.end, None)
        if not self.is_complete(label, manner) or self.is_word(label, manner):
            return None
        choice = None if self.is_text_too(label) else label.choice
        return Named(label.start, label.end, choice)

    def name_both(self, label: Label, text: Text) -> Named | None:
        """A label with its own text; `A London bus` is no such thing."""
        bare = not label.closed and not self.text[label.end : text.start].strip()
        if bare and not END_OF_LABEL.match(self.text, text.end):
            return None
        choice = None if self.is_joined(label._replace(end=text.end)) else label.choice
        return Named(label.start, text.end, choice)

    def own_end(self, label: Label) -> int:
        """Where a label ends, with its own text if that follows."""
        text = self.text_after(label.end)
        own = text is not None and label.choice in text.choices
        return text.end if text is not None and own else label.end

    def name_text(self, at: int, ends: re.Pattern[str]) -> Named | None:
        """The text of a choice, perhaps with its label behind it: `Paris`, `Paris (B)`."""
        text = self.text_at(at)
        if text is None or self.flat[text.start : text.end] in self.labels:
            return None
        choices, end = text.choices, text.end
        label = self.label_after(BEHIND_TEXT, end)
        if label is not None and END_OF_LABEL.match(self.text, label.end):
            choices, end = choices & {label.choice}, label.end
        if not ends.match(self.text, end) or self.is_one_of_several(end):
            return None
        return Named(text.start, end, min(choices) if len(choices) == 1 else None)

    # -- Labels -----------------------------------------------------------------------------

    def position_of(self, label: str) -> int | None:
        """The position of a label; None if it was not offered."""
        return self.labels.index(label) if label in self.labels else None

    def label_at(self, at: int) -> Label | None:
        """Whatever has the shape of a label at a place."""
        return self.read_label(LABEL_HERE.match(self.lower, at))

    def label_after(self, pattern: re.Pattern[str], at: int) -> Label | None:
        """A label behind something else."""
        match = pattern.match(self.lower, at)
        return None if match is None else self.label_at(match.end())

    def read_label(self, match: re.Match[str] | None) -> Label | None:
        """The label in a match; None if it is a letter where digits were offered, or reverse."""
        if match is None or match["label"].isdigit() != self.digits:
            return None
        start, end = match.span("label")
        return Label(
            start=start,
            end=end if match["close"] is None else match.end("close"),
            letter=self.text[start:end],
            choice=self.position_of(match["label"]),
            opened=bool(match["open"]),
            closed=match["close"] is not None,
            named=any(letter.isalpha() for letter in self.lower[match.start("open") : start]),
        )

    def is_complete(self, label: Label, manner: Manner) -> bool:
        """Whether what follows leaves the label a label: not `B cells`, `A+`, `2.5`, `D-Day`."""
        if manner.marked and not (label.closed or label.named):
            return False
        if CHARACTER.match(self.text, label.end) and (
            manner.leads or (self.digits and not NUMBERED.match(self.text, label.end))
        ):
            return False
        bracketed = label.closed and manner.ends is END_OF_LABEL
        if not bracketed and not manner.ends.match(self.text, label.end):
            return False
        return not SENTENCE_GOES_ON.match(self.lower, label.end)

    def is_word(self, label: Label, manner: Manner) -> bool:
        """Whether a letter may be no label but a word."""
        if label.letter == "I":
            return not label.closed and self.is_pronoun(label, manner)
        if label.letter.islower():
            return self.is_small_word(label, manner)
        article = label.letter == "A" and manner.leads and not label.closed
        return article and ASIDE.match(self.text, label.end) is not None

    def is_pronoun(self, label: Label, manner: Manner) -> bool:
        """Whether a capital I may be the pronoun, or a Roman number."""
        if manner.leads:
            return not END_OF_LINE.match(self.text, label.end)
        cut = not manner.small and not self.text[label.end :].strip()
        return cut or not END_OF_SENTENCE.match(self.text, label.end)

    def is_small_word(self, label: Label, manner: Manner) -> bool:
        """Whether a small letter may be a word, or the beginning of one that was cut."""
        before = self.lower[max(0, label.start - 5) : label.start].rstrip(" (")
        follows_word = before[-1:].isalpha()
        if manner.leads:
            fills_line = END_OF_LINE.match(self.text, label.end) is not None
            return not fills_line or (follows_word and not label.named)
        if label.opened or label.closed:
            return False
        if not manner.small or ARTICLE_BEFORE.search(before):
            return True
        marked = self.text[label.end : label.end + 2].lstrip().startswith((".", ",", ":", ";", "!"))
        return label.letter in ALSO_WORDS and follows_word and not marked

    def is_text_too(self, label: Label) -> bool:
        """Whether a label in a sentence is also the text of another choice: blood type A."""
        letter = label.letter.lower()
        if label.opened or label.closed or label.named or letter not in self.choices:
            return False
        in_sentence = self.text[max(0, label.start - 2) : label.start].rstrip()[-1:].isalnum()
        return in_sentence and (label.choice is None or self.choices[label.choice] != letter)

    def is_joined(self, label: Label) -> bool:
        """Whether a second label follows as one of several: `A and B`, `A, B`, `A B`."""
        other = self.label_after(AND, label.end)
        if other is None or other.letter.lower() == label.letter.lower():
            return False
        if other.closed or END_OF_LABEL.match(self.text, other.end):
            return True
        capital = not other.letter.islower() and other.letter != "I"
        return capital and not SENTENCE_GOES_ON.match(self.lower, other.end)

    # -- Texts ------------------------------------------------------------------------------

    def text_at(self, at: int) -> Text | None:
        """The longest text of a choice at a place, with or without an article before it."""
        opening = OPENING.match(self.flat, at)
        at = opening.end() if opening else at
        text = self.longest_text(at)
        article = AN.match(self.flat, at)
        if text is None and article is not None and self.text[at] != "A":
            text = self.longest_text(article.end())
        return text

    def longest_text(self, at: int) -> Text | None:
        """The longest text of a choice exactly at a place."""
        ends = [
            at + len(choice)
            for choice in self.choices
            if choice
            and self.flat.startswith(choice, at)
            and not (choice[-1].isalnum() and WORD_GOES_ON.match(self.flat, at + len(choice)))
        ]
        if not ends:
            return None
        found = self.flat[at : max(ends)]
        same = frozenset(i for i, choice in enumerate(self.choices) if choice == found)
        return Text(at, max(ends), same)

    def text_after(self, end: int) -> Text | None:
        """The text of a choice that follows, perhaps behind some punctuation."""
        separators = SEPARATORS.match(self.flat, end)
        places = range(end, separators.end() + 1) if separators else ()
        return next(filter(None, map(self.text_at, places)), None)

    def belongs(self, text: Text, label: Label, manner: Manner) -> bool:
        """Whether a text is said of the label before it, and is no sentence of its own."""
        between = self.text[label.end : text.start]
        apart = "\n" in between or ("." in between and not manner.leads)
        return not apart or END_OF_SENTENCE.match(self.text, text.end) is not None

    def is_one_of_several(self, end: int) -> bool:
        """Whether another text follows that of a choice: `Paris, Rome`."""
        other = self.text_after(end)
        if other is None:
            return False
        apart = not {".", "\n"}.isdisjoint(self.text[end : other.start])
        return not apart or END_OF_LINE.match(self.text, other.end) is not None
