"""Runs that were asked the same questions, and the order in which these are worth a look."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from evalkit.id_table import IdTable
from evalkit.pairing import is_imported, name_questions
from evalkit.questions import Question
from evalkit.reports.report import Report
from evalkit.results import Run
from evalkit.run_pairs import list_codes
from evalkit.tallies import share_of

ABSENT = -1
"""In place of the number of a question that a run does not have."""


class Interest(IntEnum):
    """Why a question is worth a look, most worth first."""

    FLIPPED = 0
    """The runs don't have it right alike."""
    NOT_RIGHT = 1
    """A response is wrong, names no choice, or did not come."""
    RIGHT = 2


@dataclass(frozen=True, kw_only=True)
class Family:
    """Runs of the same questions."""

    benchmark: str
    places: tuple[int, ...]
    """Of the runs in the report, from 0."""
    runs: tuple[Run, ...]
    numbers: tuple[array[int], ...]
    """For each run, where it has each of the questions, `ABSENT` if it has not."""

    def __len__(self) -> int:
        return len(self.numbers[0])

    def find_question(self, place: int) -> Question:
        """A question, by a run that keeps its text where there is one, of evalkit's own first."""
        holders = [
            (not run.manifest.identity.keep_text, is_imported(run), member)
            for member, run in enumerate(self.runs)
            if self.numbers[member][place] != ABSENT
        ]
        *_, member = min(holders)
        return self.runs[member].questions[self.numbers[member][place]]

    def find_codes(self, place: int) -> list[Sequence[int] | None]:
        """For each run, what its responses to a question amount to; None: it was not asked it.

        Choices are named by their places in the question that `find_question` gives.
        """
        question = self.find_question(place) if any(map(is_imported, self.runs)) else None
        return [
            None
            if numbers[place] == ABSENT
            else run.tally.codes_of(numbers[place])
            if question is None
            else list_codes(run, numbers[place], question)
            for run, numbers in zip(self.runs, self.numbers, strict=True)
        ]


def find_families(report: Report) -> Iterator[Family]:
    """The runs of a report by the questions that they share.

    Compared runs share theirs: their texts were compared. Others do if a digest says so.
    """
    places = {id(run): place for place, run in enumerate(report.runs)}
    groups: dict[object, list[int]] = {}
    compared = () if report.comparison is None else report.comparison.benchmarks
    for number, each in enumerate(compared):
        groups[number] = [places.pop(id(found.run)) for found in each.runs]
    for place in places.values():
        identity = report.runs[place].manifest.identity
        key = (identity.benchmark, identity.question_digest)
        groups.setdefault(key, []).append(place)
    for members in groups.values():
        yield build_family(members, [report.runs[place] for place in members])


def build_family(places: Sequence[int], runs: Sequence[Run]) -> Family:
    """Put runs together; the questions come in the order of the first run, then what others add."""
    known, count = IdTable(), 0
    places_by_run: list[array[int]] = []
    for names in list_names(runs):
        own = array("q")
        for name in names:
            place = known.get(name)
            if place is None:
                place, count = count, count + 1
                known.add(name, place)
            own.append(place)
        places_by_run.append(own)
    numbers = []
    for own in places_by_run:
        found = array("q", [ABSENT]) * count
        for number, place in enumerate(own):
            found[place] = number
        numbers.append(found)
    return Family(
        benchmark=runs[0].manifest.identity.benchmark,
        places=tuple(places),
        runs=tuple(runs),
        numbers=tuple(numbers),
    )


def list_names(runs: Sequence[Run]) -> Iterable[Iterable[str]]:
    """What tells the questions of each run: ids, or where another tool asked, what they say."""
    if any(map(is_imported, runs)):
        return name_questions(runs)
    return ((question.id for question in run.questions) for run in runs)


def rank_questions(families: Sequence[Family], seed: int) -> list[tuple[Interest, int, int]]:
    """All questions, those most worth a look first, those worth the same in random order.

    Args:
        families: of runs.
        seed: of that order.

    Returns:
        For each question why it is worth a look, its family, and its place there.
    """
    found = [
        (judge_question(family, place), number, place)
        for number, family in enumerate(families)
        for place in range(len(family))
    ]
    random.Random(seed).shuffle(found)
    found.sort(key=lambda each: each[0])
    return found


def judge_question(family: Family, place: int) -> Interest:
    """Why a question is worth a look."""
    question = family.find_question(place)
    shares = [
        share_of(codes, run.tally.code_of_right(question))
        for run, codes in zip(family.runs, family.find_codes(place), strict=True)
        if codes is not None
    ]
    if len({share for share in shares if not math.isnan(share)}) > 1:
        return Interest.FLIPPED
    # What is no number is less than nothing.
    return Interest.RIGHT if all(share >= 1 for share in shares) else Interest.NOT_RIGHT
