"""Questions as data: what is asked, what may be chosen, what is right."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from evalkit.images import Image

MIN_CHOICES, MAX_CHOICES = 2, 26

Role = Literal["user", "assistant"]


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
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Kept beside the question, never shown to a model."""

    def __post_init__(self) -> None:
        if not MIN_CHOICES <= len(self.choices) <= MAX_CHOICES:
            raise ValueError(f"{self.id}: {len(self.choices)} choices, not 2 to 26")
        roles = [role for role, _ in self.history]
        if roles != ["user", "assistant"] * (len(roles) // 2):
            raise ValueError(f"{self.id}: turns of {roles}, not of user and assistant by turns")
        known = [i for i in range(len(self.choices)) if i in self.right]
        if not self.right or list(self.right) != known:
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

    questions: tuple[Question, ...]
    examples: tuple[Question, ...] = ()

    def __post_init__(self) -> None:
        [(most, count)] = Counter(q.id for q in self.questions).most_common(1) or [("", 0)]
        if count > 1:
            raise ValueError(f"{most}: {count} questions have this id")

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
        chosen = {q.id for q in rank_by_seed(self.questions, seed)[:limit]}
        return replace(self, questions=tuple(q for q in self.questions if q.id in chosen))

    def find_duplicates(self) -> tuple[Duplicate, ...]:
        """Name every question that repeats an earlier one."""
        seen: dict[tuple[tuple[str, ...], ...], Question] = {}
        found = []
        for question in self.questions:
            turns = tuple(text for _, text in question.history)
            choices = tuple(sorted(question.choices))
            shown = ((*turns, question.stem), choices, question.image_digests)
            earlier = seen.setdefault(shown, question)
            if earlier is not question:
                same = sorted(earlier.right_texts) == sorted(question.right_texts)
                found.append(Duplicate(first=earlier.id, second=question.id, same_answer=same))
        return tuple(found)

    @property
    def digest(self) -> str:
        """SHA-256 of all that a model is shown or judged by, as 64 hexadecimal digits."""
        sha = hashlib.sha256()
        for questions in (self.questions, self.examples):
            facts = [
                # Only where there are such: older digests of plain questions stay as they are.
                [q.id, q.stem, q.choices, q.right, q.group, *q.image_digests, *q.history]
                for q in questions
            ]
            sha.update(json.dumps(facts, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        return sha.hexdigest()


def rank_by_seed(questions: Iterable[Question], seed: int) -> list[Question]:
    """Put questions into a random order that depends on nothing but the seed and their ids."""
    return sorted(questions, key=lambda q: digest_of(str(seed), q.id))


def digest_of(*parts: str) -> str:
    """SHA-256 of a list of texts, as 64 hexadecimal digits.

    Example:
        >>> digest_of("ab", "c") == digest_of("a", "bc")
        False
    """
    text = json.dumps(parts, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def shuffle_choices(question: Question, seed: int) -> Question:
    """Show the choices in a random order that depends on nothing but the seed and the question.

    Some sets put the right choice first in every record, so that position gives it away.

    Example:
        >>> q = Question(id="x", stem="?", choices=("a", "b", "c"), right=(0,))
        >>> sorted(shuffle_choices(q, 0).choices), shuffle_choices(q, 0).right_texts
        (['a', 'b', 'c'], ('a',))
    """
    places = range(len(question.choices))
    order = tuple(sorted(places, key=lambda i: digest_of(str(seed), question.id, str(i))))
    source = question.order or tuple(places)
    return replace(
        question,
        choices=tuple(question.choices[i] for i in order),
        right=tuple(sorted(order.index(i) for i in question.right)),
        order=tuple(source[i] for i in order),
    )
