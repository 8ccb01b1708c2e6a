"""The questions that several runs have in common, and what each run made of them."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.errors import UsageError
from evalkit.orders import design_of
from evalkit.pairing import Names, is_imported, name_questions
from evalkit.questions import Question, list_facts
from evalkit.results import Run
from evalkit.scores import FIRST_ANSWER, FIRST_REPLY
from evalkit.stats.clustered import number_clusters

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Scores = NDArray[np.float64]

PARTS = ("stem", "choices", "right", "group", "images", "history")
"""What is asked and judged, by the names of a question's fields."""


@dataclass(frozen=True, kw_only=True)
class ScoreSheet:
    """What some runs made of the questions that all of them have and got replies to."""

    questions: tuple[Question, ...]
    """In the order of the first run."""
    places: tuple[array[int], ...]
    """Where each run has these questions among its own."""
    correct: tuple[Scores, ...]
    """For each run, the share of correct replies to each question."""
    readable: tuple[Scores, ...]
    """For each run, the share of replies to each question that name a choice."""
    left_out: tuple[int, ...]
    """For each run, its questions that not all the others have."""
    unanswered: int
    """Questions that all have, but not all got a reply to."""
    clusters: NDArray[np.int64] | None
    """The number of the cluster of each question; None if none shares one with another."""
    is_repeated: bool
    """Whether a run wanted several responses to a question."""

    @property
    def groups(self) -> tuple[str | None, ...]:
        """The subject of each question."""
        return tuple(question.group for question in self.questions)


def align_runs(runs: Sequence[Run]) -> ScoreSheet:
    """Find the questions that all runs have, and what came of them.

    They are found by their ids; those of imported runs by their content.

    Args:
        runs: of one benchmark, at least one.

    Raises:
        UsageError: an id means one question here and another there; a run has no texts by which
            that could be checked; there is no question that all have and got a reply to.
    """
    check_texts(runs)
    names = name_questions(runs)
    common = find_common(runs, names)
    own = [run for run in runs if not is_imported(run)]
    for run in own[1:]:
        if not share_questions(own[0], run):
            check_content(own[0], run, common)
    # evalkit's own questions have subjects and clusters, which logs rarely tell.
    model = next((place for place, run in enumerate(runs) if run in own), 0)
    by_name = dict(zip(names[model], runs[model].questions, strict=True))
    return fill_sheet(runs, names, {name: by_name[name] for name in common})


def share_questions(first: Run, second: Run) -> bool:
    """Whether two runs were asked the same questions, by the digest of all of them."""
    digests = {run.manifest.identity.question_digest for run in (first, second)}
    return len(digests) == 1


def check_texts(runs: Sequence[Run]) -> None:
    """Refuse runs without texts, unless all were asked the very same questions.

    Raises:
        UsageError: naming one of them.
    """
    if all(share_questions(runs[0], run) for run in runs[1:]):
        return
    for run in runs:
        if not run.manifest.identity.keep_text:
            raise UsageError(
                f"{run.path} keeps no texts, so that nothing but the digest of all its questions "
                "says what was asked, and that is not the same in the other runs; compare it with "
                "runs of the very same questions and worked examples"
            )


def find_common(runs: Sequence[Run], names: Sequence[Names]) -> list[str]:
    """The names of the questions that all runs have, in the order of the first.

    Raises:
        UsageError: there is none.
    """
    common = list(names[0])
    for others in names[1:]:
        kept = set(others)
        common = [name for name in common if name in kept]
    if not common:
        imported = any(map(is_imported, runs))
        remedy = (
            "imported questions are paired by stem, choices and right choice, which have to be the "
            "same word by word: name the columns that hold them, by --stem and --choices"
            if imported
            else "compare runs of the same questions, such as samples drawn by one seed"
        )
        raise UsageError(
            "these runs have no question in common: "
            f"{', '.join(str(run.path) for run in runs)}; {remedy}"
        )
    return common


def check_content(first: Run, second: Run, names: Iterable[str]) -> None:
    """Refuse questions that are not the same in two runs.

    Raises:
        UsageError: naming the first of them, and what is not the same.
    """
    wanted = set(names)
    ours = {question.id: question for question in first.questions if question.id in wanted}
    for theirs in second.questions:
        if theirs.id in ours and list_facts(theirs) != list_facts(ours[theirs.id]):
            parts = [
                part for part in PARTS if getattr(theirs, part) != getattr(ours[theirs.id], part)
            ]
            raise UsageError(
                f"question {theirs.id} is not the same in {first.path} and {second.path} "
                f"({' and '.join(parts)}); a difference of scores would be one of questions. "
                "Ask both models the same version of the benchmark"
            )


def fill_sheet(
    runs: Sequence[Run], names: Sequence[Names], common: Mapping[str, Question]
) -> ScoreSheet:
    """Put together what came of some questions.

    Args:
        runs: at least one.
        names: under which the questions of each are paired.
        common: the questions that all have, by name.

    Raises:
        UsageError: no question got a reply in every run.
    """
    import numpy as np

    places = [find_places(each, common) for each in names]
    correct = [np.asarray(run.shares)[at] for run, at in zip(runs, places, strict=True)]
    answered = ~np.isnan(np.stack(correct)).any(axis=0)
    if not answered.any():
        raise UsageError(
            "no question got a reply in every one of these runs: "
            f"{', '.join(str(run.path) for run in runs)}; ask what is missing by the same commands"
        )
    readable = [readable_shares(run)[at] for run, at in zip(runs, places, strict=True)]
    kept = [array("q", np.asarray(at)[answered].tolist()) for at in places]
    return ScoreSheet(
        questions=tuple(itertools.compress(common.values(), answered.tolist())),
        places=tuple(kept),
        correct=tuple(scores[answered] for scores in correct),
        readable=tuple(scores[answered] for scores in readable),
        left_out=tuple(len(run.questions) - len(common) for run in runs),
        unanswered=len(common) - int(answered.sum()),
        clusters=find_clusters(runs, kept),
        is_repeated=any(design_of(run.manifest.identity).is_repeated for run in runs),
    )


def find_places(names: Names, wanted: Iterable[str]) -> array[int]:
    """Where a run has some questions among its own."""
    numbers = {name: number for number, name in enumerate(names)}
    return array("q", (numbers[name] for name in wanted))


def readable_shares(run: Run) -> Scores:
    """The share of replies to each question that name a choice; NaN where none came."""
    import numpy as np

    codes = np.asarray(memoryview(run.tally.codes))
    starts = np.asarray(run.tally.list_starts(), np.int64)
    replies, named = (
        np.add.reduceat((codes >= least).astype(np.int64), starts)
        for least in (FIRST_REPLY, FIRST_ANSWER)
    )
    return np.where(replies > 0, named / np.maximum(replies, 1), np.nan)


def find_clusters(runs: Sequence[Run], places: Sequence[Sequence[int]]) -> NDArray[np.int64] | None:
    """The cluster of each question, by the first run that says so; its own if it is in none."""
    for run, at in zip(runs, places, strict=True):
        asked = [run.questions[place] for place in at]
        if any(question.cluster is not None for question in asked):
            # A tuple is never the name of a cluster.
            named = [
                (question.id,) if question.cluster is None else question.cluster
                for question in asked
            ]
            numbered = number_clusters(named)
            return None if int(numbered.max()) + 1 == len(asked) else numbered
    return None
