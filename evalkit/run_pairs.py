"""Two runs on the same questions: their difference, where it lies, and what it amounts to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Literal

from evalkit.alignment import ScoreSheet
from evalkit.comparability import AskedDifference, list_run_differences
from evalkit.disagreements import describe_codes
from evalkit.judgements import Judgement, judge
from evalkit.orders import design_of
from evalkit.pairing import squeeze
from evalkit.pairs import Differences, Methods, PairedDifference, compare_scores
from evalkit.prompts import build_labels, name_places
from evalkit.questions import Question
from evalkit.results import Run
from evalkit.scores import FIRST_ANSWER, as_bits, list_bits
from evalkit.stats.clustered import clustered_mean
from evalkit.stats.estimates import estimate_mean
from evalkit.stats.intervals import Interval
from evalkit.stats.multiplicity import benjamini_hochberg

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalkit.alignment import Scores

EXPLORED = 0.1
"""The share of false findings among the subjects that are said to differ."""


@dataclass(frozen=True, kw_only=True)
class ComparedRun:
    """One of the runs that are compared."""

    number: int
    """From 1, over all runs of a comparison."""
    name: str
    """The model, and what else tells it from the others."""
    run: Run
    mean: float
    """Its score on the questions compared, a fraction."""
    score: Interval | None
    """The same with its interval; None if all questions share one cluster."""
    error: float | None
    """The standard error of that score; None if there is one question, or one cluster."""
    left_out: int
    """Its questions that not all the others have."""
    partial: float | None = None
    """The mean partial credit on the questions compared; None: one choice was asked for."""

    @property
    def missing(self) -> float:
        """The share of the replies wanted that did not come."""
        summary = self.run.summary
        return (summary.failed + summary.not_asked) / summary.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectDifference:
    """Two runs on the questions of one subject."""

    name: str
    baseline: float
    """Its score, a fraction."""
    candidate: float
    difference: PairedDifference
    """Its adjusted p-value is Benjamini and Hochberg's over all subjects."""

    @property
    def is_found(self) -> bool:
        """Whether it belongs to those of which at most a tenth are expected to be chance."""
        adjusted = self.difference.adjusted_p
        return adjusted is not None and adjusted <= EXPLORED


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A question that the two runs score differently."""

    question: Question
    kind: Literal["loss", "gain"]
    right: str
    """The label of the right choice; of several one behind the other, AC."""
    baseline: str
    """The label picked, else the outcome, such as "refused"; of several responses with counts."""
    candidate: str


@dataclass(frozen=True, kw_only=True)
class RunPair:
    """A candidate against a baseline, on the same questions."""

    baseline: ComparedRun
    candidate: ComparedRun
    accuracy: PairedDifference
    error: float | None
    """The standard error of the difference; None if there is one question, or one cluster."""
    readable: PairedDifference
    """The same for the share of replies that name a choice: a fault of format, not of knowledge."""
    is_whole_set: bool
    """Whether every question of the set was answered once by both, so that the difference on this
    set is a count."""
    subjects: tuple[SubjectDifference, ...]
    """By name; none if there is one subject only."""
    flips: tuple[Flip, ...]
    """Those asked for, losses first."""
    differences: tuple[AskedDifference, ...]
    """In what else than the model the two were asked differently."""
    judgement: Judgement | None
    """None: no margin was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """How pairs of runs are compared."""

    methods: Methods
    family: int
    """Pairs that are compared together on one benchmark."""
    margin: float | None
    verdicts: int
    """How many verdicts are given in all."""
    flips: int | None
    """Flipped questions to name; None: all."""


def score_runs(
    runs: Sequence[Run], sheet: ScoreSheet, numbers: Sequence[int], names: Sequence[str]
) -> list[ComparedRun]:
    """Score runs on the questions that all of them have."""
    clusters = None if sheet.clusters is None else sheet.clusters.tolist()
    return [
        ComparedRun(
            number=number,
            name=name,
            run=run,
            mean=float(scores.mean()),
            score=estimate_mean(scores.tolist(), clusters).interval,
            error=standard_error(scores, sheet.clusters),
            left_out=left_out,
            partial=mean_credit(run, places, sheet.questions),
        )
        for run, scores, left_out, places, number, name in zip(
            runs, sheet.correct, sheet.left_out, sheet.places, numbers, names, strict=True
        )
    ]


def mean_credit(run: Run, places: Sequence[int], questions: Sequence[Question]) -> float | None:
    """The mean partial credit of a run on some questions; None: one choice was asked for.

    Args:
        run: with a reply to each.
        places: of the questions among its own.
        questions: in the same order.
    """
    if not run.tally.design.several:
        return None
    return fmean(map(run.tally.credit_of, places, questions))


def standard_error(values: Scores, clusters: NDArray[np.int64] | None) -> float | None:
    """Of a mean over questions; None if there is one question, or one cluster."""
    if clusters is not None:
        return None if is_one(clusters) else clustered_mean(values, clusters).error
    return float(values.std(ddof=1)) / float(len(values)) ** 0.5 if len(values) > 1 else None


def is_one(clusters: NDArray[np.int64]) -> bool:
    """Whether all questions share one cluster."""
    return bool((clusters == clusters[0]).all())


def compare_pair(
    sheet: ScoreSheet, scored: Sequence[ComparedRun], places: tuple[int, int], options: PairOptions
) -> RunPair:
    """Compare two of the runs on a sheet.

    Args:
        sheet: the questions, and what each run made of them.
        scored: the runs on it.
        places: of the baseline and the candidate on it.
        options: how.

    Returns:
        The comparison; its p-values are not adjusted for others yet.
    """
    first, second = places
    baseline, candidate = scored[first], scored[second]
    accuracy, readable = (
        Differences(
            scores[first],
            scores[second],
            is_repeated=sheet.is_repeated,
            clusters=sheet.clusters,
            methods=options.methods,
        )
        for scores in (sheet.correct, sheet.readable)
    )
    return RunPair(
        baseline=baseline,
        candidate=candidate,
        accuracy=compare_scores(accuracy, family=options.family),
        error=standard_error(sheet.correct[second] - sheet.correct[first], sheet.clusters),
        readable=compare_scores(readable, family=options.family),
        is_whole_set=all(covers_set(each, len(sheet.questions)) for each in (baseline, candidate)),
        subjects=compare_subjects(sheet, places, options.methods),
        flips=tuple(list_flips(sheet, scored, places, accuracy, options.flips)),
        differences=tuple(list_other_settings(baseline.run, candidate.run)),
        judgement=None
        if options.margin is None
        else judge(accuracy, options.margin, options.verdicts),
    )


def list_other_settings(first: Run, second: Run) -> Iterator[AskedDifference]:
    """In what else than the model two runs were asked differently.

    That they were asked other questions is no part of it where only those of both count, unless
    other worked examples may stand behind that.
    """
    ours, theirs = first.manifest.identity, second.manifest.identity
    for each in list_run_differences(first, second):
        if each.name != "questions" or ours.shots or theirs.shots:
            yield each
    if None not in (ours.limit, theirs.limit) and ours.seed != theirs.seed:
        yield AskedDifference(
            name="seed of the sample", first=str(ours.seed), second=str(theirs.seed)
        )


def covers_set(compared: ComparedRun, n: int) -> bool:
    """Whether a run answered every question of its set once, and all of them are compared."""
    identity, asked = compared.run.manifest.identity, len(compared.run.questions)
    is_sample = identity.limit is not None and identity.limit <= asked
    return n == asked and not design_of(identity).is_repeated and not is_sample


def compare_subjects(
    sheet: ScoreSheet, places: tuple[int, int], methods: Methods
) -> tuple[SubjectDifference, ...]:
    """Compare two runs subject by subject, which is exploring, and may find chance."""
    import numpy as np

    groups = sheet.groups
    names = sorted({group for group in groups if group is not None})
    if len(names) < 2:
        return ()
    numbers = {name: number for number, name in enumerate(names)}
    # Questions without a subject come last.
    codes = np.array([len(names) if g is None else numbers[g] for g in groups])
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.searchsorted(codes[order], range(1, len(names) + 1)))
    found = []
    for name, part in zip(names, parts, strict=False):
        before, after = (sheet.correct[place][part] for place in places)
        clusters = sheet.clusters
        differences = Differences(
            before,
            after,
            is_repeated=sheet.is_repeated,
            clusters=None if clusters is None else clusters[part],
            methods=methods,
        )
        found.append(
            SubjectDifference(
                name=name,
                baseline=float(before.mean()),
                candidate=float(after.mean()),
                difference=compare_scores(differences),
            )
        )
    return adjust_subjects(found)


def adjust_subjects(found: Sequence[SubjectDifference]) -> tuple[SubjectDifference, ...]:
    """Fill in the p-values that hold for exploring all subjects."""
    known = [p for each in found if (p := each.difference.p_value) is not None]
    adjusted = iter(benjamini_hochberg(known))
    return tuple(
        each
        if each.difference.p_value is None
        else replace(each, difference=replace(each.difference, adjusted_p=next(adjusted)))
        for each in found
    )


def list_flips(
    sheet: ScoreSheet,
    scored: Sequence[ComparedRun],
    places: tuple[int, int],
    accuracy: Differences,
    most: int | None,
) -> Iterator[Flip]:
    """Some of the questions that two runs score differently, with what each picked.

    Losses come first. Where not all are wanted, gains get half of the room, if there are so many.
    """
    losses, gains = accuracy.find_losses(), accuracy.find_gains()
    if most is not None:
        lost = max(most - len(gains), most - most // 2)
        losses = losses[:lost]
        gains = gains[: most - len(losses)]
    form = scored[places[0]].run.manifest.prompt
    kinds: tuple[tuple[Literal["loss", "gain"], list[int]], ...] = (
        ("loss", losses),
        ("gain", gains),
    )
    for kind, at in kinds:
        for number in at:
            question = sheet.questions[number]
            labels = build_labels(len(question.choices), form.labels)
            before, after = (
                describe_codes(
                    list_codes(scored[place].run, sheet.places[place][number], question),
                    labels,
                    several=tally.design.several,
                )
                for place in places
                for tally in (scored[place].run.tally,)
            )
            yield Flip(
                question=question,
                kind=kind,
                right=name_places(question.right, labels),
                baseline=before,
                candidate=after,
            )


def list_codes(run: Run, place: int, question: Question) -> Sequence[int]:
    """What a run made of a question, with choices by their places in that question.

    Another tool may have asked it with its choices in another order.

    Args:
        run: the run.
        place: of its own question.
        question: as it is shown.
    """
    codes = run.tally.codes_of(place)
    if run.manifest.identity.origin is None:
        return codes
    theirs = [squeeze(text) for text in run.questions[place].choices]
    ours = [squeeze(text) for text in question.choices]
    several, found = run.manifest.identity.several, []
    for code in codes:
        if code < FIRST_ANSWER:
            found.append(code)
            continue
        picked = code - FIRST_ANSWER
        places = [ours.index(theirs[at]) for at in (list_bits(picked) if several else (picked,))]
        found.append(FIRST_ANSWER + (as_bits(places) if several else places[0]))
    return found
