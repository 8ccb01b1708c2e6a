"""Questions as data: what is asked, what may be chosen, what is right."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from operator import lt
from typing import Final, Literal, NoReturn

from evalkit.id_table import IdTable
from evalkit.images import Image

MIN_CHOICES, MAX_CHOICES = 2, 26

Role = Literal["user", "assistant"]
"""Whose turn of a conversation it is."""

Order = tuple[int, ...]
"""By position, the choice that stands there: (2, 0, 1) shows the third choice first."""

AT_ONCE = 100
"""Questions of which a digest is made in one go."""

encode = json.JSONEncoder(ensure_ascii=False).encode
"""As `json.dumps`, which would build an encoder for each call."""


class NoMetadata(dict[str, str]):
    """The empty mapping that all questions without metadata share; nothing can be put into it."""

    __slots__ = ()

    def refuse(self, *_: object, **__: object) -> NoReturn:
        """Keep what is said of one question from being said of all."""
        raise TypeError("questions without metadata share this mapping; give one its own")

    __setitem__ = setdefault = update = __ior__ = refuse

    def __reduce__(self) -> str:
        return "NO_METADATA"


NO_METADATA: Final = NoMetadata()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One multiple-choice question.

    Example:
        >>> ant = Question(id="ant", stem="Latin for ant?", choices=("Apis", "Formica"), right=(1,))
        >>> ant.right_texts
        ('Formica',)
    """

    id: str
    """Unique in its set: the set's own id, or a digest of the content."""
    stem: str
    """The question without its choices."""
    choices: tuple[str, ...]
    """Texts of 2 to 26 choices in the order in which they are shown, without letters. A choice that
    is a picture is the text `<image 4>`: the fourth of `images`."""
    right: tuple[int, ...]
    """Positions of the right choices, ascending, from 0; usually one."""
    group: str | None = None
    """What reports split by, such as the subject."""
    cluster: str | None = None
    """Names the passage or template that this question shares with others."""
    order: tuple[int, ...] | None = None
    """Where each choice stood in the source, if the order was changed."""
    images: tuple[Image, ...] = ()
    """Image 1, Image 2, ... as `<image 1>`, `<image 2>` in stem and choices call them, though a
    text need not speak of them. Their order stays when choices are shuffled."""
    history: tuple[tuple[Role, str], ...] = ()
    """Earlier turns of a conversation that the question continues, the user's first, the
    assistant's last."""
    metadata: Mapping[str, str] = field(default_factory=lambda: NO_METADATA, hash=False)
    """Kept beside the question, never shown to a model."""

    def __post_init__(self) -> None:
        if not MIN_CHOICES <= len(self.choices) <= MAX_CHOICES:
            raise ValueError(f"{self.id}: {len(self.choices)} choices, not 2 to 26")
        roles = [role for role, _ in self.history]
        if roles != ["user", "assistant"] * (len(roles) // 2):
            raise ValueError(f"{self.id}: turns of {roles}, not of user and assistant by turns")
        bounded = (-1, *self.right, len(self.choices))
        if not self.right or not all(map(lt, bounded, bounded[1:])):
            raise ValueError(f"{self.id}: right choices {self.right} of {len(self.choices)}")

    @property
    def has_one_answer(self) -> bool:
        """Whether exactly one choice is right, so that a single letter can answer it."""
        return len(self.right) == 1

    @property
    def right_texts(self) -> tuple[str, ...]:
        """The texts of the right choices."""
        return tuple(self.choices[i] for i in self.right)

    @property
    def image_digests(self) -> tuple[str, ...]:
        """The digests of the pictures."""
        return tuple(image.digest for image in self.images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Two questions of a set with the same stem, pictures, and choices in whatever order."""

    first: str
    second: str
    same_answer: bool
    """False: the set contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionSet:
    """Questions to ask, and worked examples that are not asked."""

    questions: Sequence[Question]
    examples: tuple[Question, ...] = ()
    filtered: int = 0
    """Rows of the questions' files that the definition does not take for questions of the set."""

    def __post_init__(self) -> None:
        # Questions in a file may know it of themselves: reading a million takes a while.
        if getattr(self.questions, "have_different_ids", False):
            return
        ids = IdTable()
        for question in self.questions:
            if not ids.add_new(question.id):
                count = sum(each.id == question.id for each in self.questions)
                raise ValueError(f"{question.id}: {count} questions have this id")

    def sample(self, limit: int | None, seed: int) -> QuestionSet:
        """Draw a random part of the questions, in the order of the set.

        The same seed gives the same part whatever the order of the file, and a smaller limit
        gives a part of a larger one's.

        Args:
            limit: how many questions, at least 1; None or more than there are: all of them.
            seed: any integer.

        Raises:
            ValueError: the limit is less than 1.
        """
        if limit is not None and limit < 1:
            raise ValueError(f"limit {limit}: expected at least 1")
        if limit is None or limit >= len(self.questions):
            return self
        chosen = {
            q.id for q in nsmallest(limit, self.questions, key=lambda q: digest_of(str(seed), q.id))
        }
        return replace(self, questions=tuple(q for q in self.questions if q.id in chosen))

    def find_duplicates(self) -> tuple[Duplicate, ...]:
        """Name every question that repeats an earlier one."""
        found = []
        # A hash table of positions, counted from 1, takes a tenth of the memory of a dict.
        size = 2 * len(self.questions) + 1
        table = array("I", bytes(size * array("I").itemsize))
        for number, question in enumerate(self.questions, start=1):
            shown = list_shown(question)
            slot = hash(shown) % size
            while table[slot]:
                earlier = self.questions[table[slot] - 1]
                if earlier.stem == question.stem and list_shown(earlier) == shown:
                    same = sorted(earlier.right_texts) == sorted(question.right_texts)
                    found.append(Duplicate(first=earlier.id, second=question.id, same_answer=same))
                    break
                slot = (slot + 1) % size
            else:
                table[slot] = number
        return tuple(found)

    @property
    def digest(self) -> str:
        """SHA-256 of all that a model is shown or judged by, as 64 hexadecimal digits."""
        sha = hashlib.sha256()
        for questions in (self.questions, self.examples):
            # One JSON list, but never as one text: that would be as large as all questions.
            sha.update(b"[")
            for start in range(0, len(questions), AT_ONCE):
                part = encode([list_facts(q) for q in questions[start : start + AT_ONCE]])[1:-1]
                text = part if start == 0 else f", {part}"
                sha.update(text.encode("utf-8", "surrogatepass"))
            sha.update(b"]")
        return sha.hexdigest()


def count_several(questions: Sequence[Question]) -> int:
    """How many questions have several right choices."""
    # Questions in a file know it of themselves: reading a million takes a while.
    known: int | None = getattr(questions, "several", None)
    if known is not None:
        return known
    return sum(not question.has_one_answer for question in questions)


def number_questions(questions: Iterable[Question]) -> IdTable:
    """The place of each question by its id."""
    table = IdTable()
    for number, question in enumerate(questions):
        table.add(question.id, number)
    return table


def list_shown(question: Question) -> tuple[object, ...]:
    """What makes two questions one: texts and pictures, the choices in whatever order."""
    turns = tuple(text for _, text in question.history)
    return (*turns, question.stem), tuple(sorted(question.choices)), question.image_digests


def list_facts(q: Question) -> list[object]:
    """All that a model is shown or judged by, for a digest."""
    # Pictures and turns only where there are such: older digests of plain questions stay.
    return [q.id, q.stem, q.choices, q.right, q.group, *q.image_digests, *q.history]


def question_digest(question: Question) -> str:
    """SHA-256 of all of a question that a model is shown or judged by, as 64 hexadecimal digits.

    Runs may be compared on questions whose digests are equal, whatever else their sets hold.

    Example:
        >>> ant = Question(id="ant", stem="Latin for ant?", choices=("Apis", "Formica"), right=(1,))
        >>> question_digest(ant)[:12]
        '8e7cc6c36f29'
    """
    return hashlib.sha256(encode(list_facts(question)).encode("utf-8", "surrogatepass")).hexdigest()


def rank_by_seed(questions: Iterable[Question], seed: int) -> list[Question]:
    """Put questions into a random order that depends on nothing but the seed and their ids."""
    return sorted(questions, key=lambda q: digest_of(str(seed), q.id))


def digest_of(*parts: str) -> str:
    """SHA-256 of a list of texts, as 64 hexadecimal digits.

    Example:
        >>> digest_of("ab", "c") == digest_of("a", "bc")
        False
    """
    return hashlib.sha256(encode(parts).encode("utf-8", "surrogatepass")).hexdigest()


def shuffle_choices(question: Question, seed: int) -> Question:
    """Show the choices in a random order that depends on nothing but the seed and the question.

    Some sets put the right choice first in every record, so that position gives it away.

    Example:
        >>> q = Question(id="x", stem="?", choices=("a", "b", "c"), right=(0,))
        >>> sorted(shuffle_choices(q, 0).choices), shuffle_choices(q, 0).right_texts
        (['a', 'b', 'c'], ('a',))
    """
    places = range(len(question.choices))
    order = sorted(places, key=lambda i: digest_of(str(seed), question.id, str(i)))
    return reorder(question, tuple(order))


def reorder(question: Question, order: Order) -> Question:
    """Show the choices in another order.

    Args:
        question: in whatever order.
        order: by position, the choice that is to stand there; each choice once.

    Raises:
        ValueError: a choice is missing, or named twice.

    Example:
        >>> q = Question(id="x", stem="?", choices=("a", "b", "c"), right=(0,))
        >>> reorder(q, (1, 2, 0)).choices, reorder(q, (1, 2, 0)).right
        (('b', 'c', 'a'), (2,))
    """
    places = range(len(question.choices))
    if sorted(order) != list(places):
        raise ValueError(f"{question.id}: order {order} of {len(places)} choices")
    source = question.order or tuple(places)
    return replace(
        question,
        choices=tuple(question.choices[i] for i in order),
        right=tuple(sorted(order.index(i) for i in question.right)),
        order=tuple(source[i] for i in order),
    )
