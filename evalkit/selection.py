"""Which questions of a set are asked: some subjects, some ids, a part drawn at random."""

from __future__ import annotations

import difflib
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.id_table import IdTable
from evalkit.questions import Question, QuestionSet, digest_of
from evalkit.stored_questions import collect_questions

SHOWN = 5
"""Names that an error shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A part of a question set.

    Worked examples stay: they are no questions. A run's id depends on the questions that come of
    this and on nothing else of it.

    Example:
        >>> rows = [("a", "law"), ("b", "art"), ("c", "law")]
        >>> questions = tuple(
        ...     Question(id=name, stem="?", choices=("x", "y"), right=(0,), group=group)
        ...     for name, group in rows
        ... )
        >>> chosen = Selection(subjects=("Law",)).apply(QuestionSet(questions=questions))
        >>> [q.id for q in chosen.questions]
        ['a', 'c']
    """

    subjects: tuple[str, ...] = ()
    """Names, or patterns with * and ?, whatever their case and with _ for a space; none: all."""
    ids: tuple[str, ...] | None = None
    """None: all."""
    stratified: bool = False
    """Whether a part drawn at random has each subject in the proportion of the set."""

    @property
    def is_whole(self) -> bool:
        """Whether all questions are meant, but for a limit."""
        return not self.subjects and self.ids is None

    def apply(
        self, question_set: QuestionSet, limit: int | None = None, seed: int = 0
    ) -> QuestionSet:
        """The selected questions, in the order of the set.

        Args:
            question_set: to select from.
            limit: how many questions to draw of those selected, at least 1; None: all of them.
            seed: draws them.

        Raises:
            UsageError: there is no such subject or id, or nothing is left.
            ValueError: the limit is less than 1.
        """
        chosen = self.filter(question_set)
        if self.stratified and limit is not None and 1 <= limit < len(chosen.questions):
            places = draw_stratified(chosen.questions, limit, seed)
            return replace(chosen, questions=pick(chosen.questions, places))
        return chosen.sample(limit, seed)

    def filter(self, question_set: QuestionSet) -> QuestionSet:
        """The questions of the subjects and ids.

        Raises:
            UsageError: there is no such subject or id, or nothing is left.
        """
        if self.is_whole:
            return question_set
        groups = find_subjects(self.subjects, question_set.questions)
        wanted = None if self.ids is None else find_ids(self.ids, question_set.questions)
        questions = collect_questions(
            question
            for question in question_set.questions
            if (groups is None or question.group in groups)
            and (wanted is None or question.id in wanted)
        )
        if not questions:
            raise UsageError("none of the ids is a question of the subjects")
        return replace(question_set, questions=questions)

    def describe(self, split: str = "") -> str:
        """What is selected, in words; nothing if that is everything.

        Args:
            split: the split that is selected from, if it is not the set's own.
        """
        parts = [f"split {split}"] if split else []
        if self.subjects:
            parts.append(f"subjects {', '.join(self.subjects)}")
        if self.ids is not None:
            parts.append(f"{len(set(self.ids))} ids")
        if self.stratified:
            parts.append("drawn in the proportion of subjects")
        return "; ".join(parts)


EVERYTHING = Selection()


def find_subjects(wanted: Sequence[str], questions: Iterable[Question]) -> set[str] | None:
    """The subjects that names and patterns stand for; None: all.

    Raises:
        UsageError: one of them stands for none.
    """
    if not wanted:
        return None
    names = {question.group for question in questions if question.group is not None}
    plain = {simplify(name): name for name in sorted(names)}
    found: set[str] = set()
    for pattern in wanted:
        exact = {pattern} & names
        matching = exact or {n for s, n in plain.items() if fnmatchcase(s, simplify(pattern))}
        if not matching:
            raise UsageError(f"no subject is called {pattern!r}; {list_near(pattern, names)}")
        found |= matching
    return found


def simplify(name: str) -> str:
    """A subject without case, and with spaces for underscores."""
    return " ".join(name.replace("_", " ").casefold().split())


def list_near(pattern: str, names: set[str]) -> str:
    """The subjects that may have been meant."""
    if not names:
        return "the set has no subjects"
    near = difflib.get_close_matches(pattern, sorted(names), n=SHOWN, cutoff=0.5)
    if near:
        return f"near it: {', '.join(near)}"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"there are {', '.join(sorted(names)[:SHOWN])}{more}"


def find_ids(wanted: Iterable[str], questions: Iterable[Question]) -> IdTable:
    """The ids as a table.

    Raises:
        UsageError: some are ids of no question.
    """
    table, known = IdTable(), IdTable()
    for name in wanted:
        table.add(name)
    for question in questions:
        if question.id in table:
            known.add(question.id)
    if len(known) < len(table):
        missing = list(dict.fromkeys(name for name in wanted if name not in known))
        shown = ", ".join(map(repr, missing[:SHOWN]))
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        verb = "is the id" if len(missing) == 1 else "are ids"
        raise UsageError(f"{shown}{more} {verb} of no question of the set")
    return table


def draw_stratified(questions: Iterable[Question], limit: int, seed: int) -> list[int]:
    """Draw questions so that each subject has its share of them, rounded to whole questions.

    Shares are rounded as by Webster: the k-th question that the seed draws of a subject of size n
    is due at (k - 1/2) / n, and those that are due first are taken. So a smaller limit gives a part
    of a larger one's, and each question of a subject has the same chance.

    Args:
        questions: read once.
        limit: how many, fewer than there are.
        seed: draws them.

    Returns:
        Their places, ascending.

    Source:
        Balinski and Young (1982), Fair Representation: the method of Webster, or Sainte-Laguë.
    """
    import numpy as np

    numbers: dict[str | None, int] = {}
    groups, keys = array("q"), array("Q")
    for question in questions:
        groups.append(numbers.setdefault(question.group, len(numbers)))
        keys.append(int(digest_of(str(seed), question.id)[:16], 16))
    member, key = np.frombuffer(groups, np.int64), np.frombuffer(keys, np.uint64)
    order = np.lexsort((key, member))
    sizes = np.bincount(member)
    starts = np.cumsum(sizes) - sizes
    rank = np.empty(len(member))
    rank[order] = np.arange(len(member)) - starts[member[order]]
    due = (rank + 0.5) / sizes[member]
    first = np.lexsort((key, due))[:limit]
    return [int(place) for place in np.sort(first)]


def pick(questions: Sequence[Question], places: Iterable[int]) -> Sequence[Question]:
    """The questions at some places."""
    return collect_questions(questions[place] for place in places)


def split_subjects(texts: Iterable[str]) -> tuple[str, ...]:
    """Subjects as a command line names them: several in one text, with commas between them.

    A comma before a space separates nothing: subjects may have such in their names.

    Example:
        >>> split_subjects(["law,art", "Health, safety"])
        ('law', 'art', 'Health, safety')
    """
    parts = (part for text in texts for part in re.split(r",(?! )", text))
    return tuple(part.strip() for part in parts if part.strip())


def read_ids(path: Path) -> tuple[str, ...]:
    """The ids that a file names, one a line; blank lines are passed over.

    Raises:
        UsageError: the file can't be read, or names none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"--ids {path} can't be read: {reason}") from error
    ids = tuple(line.strip() for line in text.split("\n") if line.strip())
    if not ids:
        raise UsageError(f"--ids {path} names no id; it takes one a line")
    return ids
