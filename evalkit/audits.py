"""The same questions asked in several ways: how much of a score is the way of asking."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from evalkit.alignment import find_clusters, find_places
from evalkit.comparability import AskedDifference, list_run_differences
from evalkit.disagreements import Disagreement, by_question, find_disagreements
from evalkit.errors import UsageError
from evalkit.orders import design_of
from evalkit.pairs import (
    Differences,
    PairedDifference,
    adjust,
    compare_scores,
    pair_scores,
    paired_to_dict,
)
from evalkit.requests import WAYS, Way
from evalkit.responses import Response
from evalkit.results import Run, interval_to_dict
from evalkit.scores import UNREADABLE, share_correct
from evalkit.stats.intervals import Interval

MOST_MISSING = 0.005
"""The share of replies that a run may lack and still be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A way in which the questions were not asked."""

    way: Way | Literal["auto"]
    reason: str

    def __str__(self) -> str:
        return f"{self.way} is left out: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class AskedWay:
    """One way of asking: what it gave, and what it took. Shares are fractions of the replies."""

    run: Run

    @property
    def way(self) -> Way:
        """How the questions were asked."""
        return self.run.manifest.identity.way

    @property
    def n(self) -> int:
        """Questions that got a reply."""
        return self.run.summary.asked

    @property
    def accuracy(self) -> Interval | None:
        """The share of correct answers; None if no question got a reply."""
        return self.run.summary.accuracy

    @property
    def partial(self) -> float | None:
        """The mean partial credit of sets of choices; None if one choice was asked for."""
        found = self.run.summary.partial
        return None if found is None else found.mean

    @property
    def unparsed(self) -> float | None:
        """The share that names no choice; None if there is no reply."""
        return self._share(self.run.summary.unparsed)

    @property
    def refused(self) -> float | None:
        """The share that declines; None if there is no reply."""
        return self._share(self.run.summary.refused)

    @property
    def truncated(self) -> float | None:
        """The share that was cut off before it named a choice; None if there is no reply."""
        return self._share(self.run.summary.truncated)

    @property
    def missing(self) -> float:
        """The share of the replies wanted that did not come."""
        summary = self.run.summary
        return (summary.failed + summary.not_asked) / summary.wanted

    @property
    def output_tokens(self) -> float | None:
        """Tokens generated for one question, thoughts and retakes included.

        None if there is no reply, or one whose tokens the endpoint did not count.
        """
        counts = [
            row.result.usage.output_tokens
            for row in self.run.rows
            if isinstance(row.result, Response)
        ]
        counted = [count for count in counts if count is not None]
        return sum(counted) / self.n if self.n and len(counted) == len(counts) else None

    @property
    def cost(self) -> float | None:
        """Dollars for a thousand questions; None if no price is known, or there is no reply."""
        return 1000 * self.run.cost / self.n if self.n and self.run.cost is not None else None

    @property
    def is_comparable(self) -> bool:
        """Whether next to no reply is missing: else what failed may decide the comparison."""
        return self.missing <= MOST_MISSING

    def _share(self, count: int) -> float | None:
        replied = self.run.summary.replied
        return count / replied if replied else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WayComparison:
    """One way against the reference way, on the same questions."""

    way: Way
    reference: Way
    accuracy: PairedDifference
    readable: PairedDifference
    """The same for the share of replies that name a choice: a fault of format, not of knowledge."""
    besides: tuple[AskedDifference, ...]
    """What was different apart from the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One model asked the same questions in several ways."""

    benchmark: str
    model: str
    ways: tuple[AskedWay, ...]
    """In the order of `evalkit.requests.WAYS`; the first is the reference."""
    comparisons: tuple[WayComparison, ...]
    """Each other way against the reference; none if there is one way only."""
    disagreements: tuple[Disagreement, ...]
    """In the order of the questions."""
    left_out: tuple[LeftOut, ...] = ()
    """The ways that were not asked; none if the audit is of runs that were there."""

    @property
    def reference(self) -> Way:
        """The way that the others are compared with."""
        return self.ways[0].way

    @property
    def is_complete(self) -> bool:
        """Whether every question got a reply in every way."""
        return all(asked.run.is_complete for asked in self.ways)

    @property
    def is_comparable(self) -> bool:
        """Whether next to no reply is missing from any of the ways."""
        return all(asked.is_comparable for asked in self.ways)

    @property
    def largest(self) -> WayComparison | None:
        """The comparison with the largest difference beyond chance; None if there is none."""
        clear = [each for each in self.comparisons if each.accuracy.is_clear]
        return max(clear, key=size_of, default=None)

    @property
    def detectable(self) -> float | None:
        """The smallest difference, a fraction, that any of the comparisons would have shown."""
        sizes = [each.accuracy.detectable for each in self.comparisons]
        known = [size for size in sizes if size is not None]
        return max(known) if known and len(known) == len(sizes) else None

    def to_dict(self, *, compared: bool = True) -> dict[str, Any]:
        """The facts of `--json`; shares are fractions, undefined is None.

        Args:
            compared: False leaves the comparisons out.
        """
        return {
            "benchmark": self.benchmark,
            "model": self.model,
            "reference": self.reference,
            "complete": self.is_complete,
            "comparable": self.is_comparable,
            "ways": [way_to_dict(asked) for asked in self.ways],
            "comparisons": list(map(comparison_to_dict, self.comparisons)) if compared else None,
            "disagreements": list(map(self._disagreement_to_dict, self.disagreements))
            if compared
            else None,
            "left_out": [{"way": each.way, "reason": each.reason} for each in self.left_out],
        }

    def _disagreement_to_dict(self, found: Disagreement) -> dict[str, Any]:
        names = [asked.way for asked in self.ways]
        return {
            "id": found.question.id,
            "stem": found.question.stem,
            "right": found.right,
            "picked": dict(zip(names, found.picked, strict=True)),
        }


def audit_runs(runs: Sequence[Run]) -> Audit:
    """Compare runs that asked one model the same questions, each in another way.

    Args:
        runs: at least one, in any order.

    Returns:
        The audit. Its comparisons are made whatever is missing; see `Audit.is_comparable`.

    Raises:
        UsageError: the runs differ in benchmark, model or questions, or two share a way.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, RunSettings, run
        >>> from evalkit.testing import MessagesServer
        >>> ways = [RunSettings(way=way, limit=10) for way in ("instructed", "structured")]
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     where = {"endpoint": endpoint, "results": folder, "progress": False}
        ...     runs = [run("everyday", "claude-haiku-4-5", settings=s, **where) for s in ways]
        >>> [each.way for each in audit_runs(runs).ways]
        ['instructed', 'structured']
    """
    check_same(runs)
    ordered = sorted(runs, key=lambda run: WAYS.index(run.manifest.identity.way))
    identity = ordered[0].manifest.identity
    return Audit(
        benchmark=identity.benchmark,
        model=identity.model,
        ways=tuple(AskedWay(run=run) for run in ordered),
        comparisons=compare_with_first(ordered),
        disagreements=find_disagreements(ordered),
    )


def check_same(runs: Sequence[Run]) -> None:
    """Refuse runs whose difference would be more than the way of asking.

    Raises:
        UsageError: naming what differs, with both values.
    """
    if not runs:
        raise UsageError("no runs to audit")
    for name, value_of in MUST_BE_SAME.items():
        values = list(dict.fromkeys(map(value_of, runs)))
        if len(values) > 1:
            raise UsageError(
                "an audit needs the same questions asked of one model, but these runs differ in "
                f"the {name}: {values[0]} and {values[1]}"
            )
    for first, second in itertools.combinations(runs, 2):
        if (way := first.manifest.identity.way) == second.manifest.identity.way:
            raise UsageError(
                f"an audit takes one run of each way, but two asked by way {way}: {first.path} and "
                f"{second.path}"
            )


MUST_BE_SAME: Mapping[str, Callable[[Run], str]] = {
    "benchmark": lambda run: run.manifest.identity.benchmark,
    "model": lambda run: run.manifest.identity.model,
    "weights of the model": lambda run: str(run.manifest.identity.model_digest)[:12],
    "questions": lambda run: (
        f"{len({score.question.id for score in run.scores})} with digest "
        f"{run.manifest.identity.question_digest[:12]}"
    ),
}
"""What the runs of an audit share, by its name."""


def compare_with_first(runs: Sequence[Run]) -> tuple[WayComparison, ...]:
    """Each further run against the first, with p-values adjusted for their number."""
    reference, *others = runs
    family = max(1, len(others))
    is_repeated = any(design_of(run.manifest.identity).is_repeated for run in runs)
    clusters = clusters_of(runs)
    accuracies, readables = (
        adjust(
            [
                compare_scores(
                    pair_questions(share(reference), share(run), clusters, is_repeated=is_repeated),
                    family=family,
                )
                for run in others
            ]
        )
        for share in (shares_correct, shares_readable)
    )
    return tuple(
        WayComparison(
            way=run.manifest.identity.way,
            reference=reference.manifest.identity.way,
            accuracy=accuracy,
            readable=readable,
            besides=tuple(
                each for each in list_run_differences(reference, run) if each.name != "way"
            ),
        )
        for run, accuracy, readable in zip(others, accuracies, readables, strict=True)
    )


def pair_questions(
    baseline: Mapping[str, float | None],
    candidate: Mapping[str, float | None],
    clusters: Mapping[str, int] | None,
    *,
    is_repeated: bool,
) -> Differences:
    """The scores of the questions that have one in both runs.

    Args:
        baseline: the score of each question by its id; None if it got no reply.
        candidate: the same.
        clusters: the number of the cluster of each question; None: each stands alone.
        is_repeated: whether a run wanted several responses to a question.
    """
    names, before, after = pair_scores(baseline, candidate)
    numbers = None if clusters is None else [clusters[name] for name in names]
    return Differences(before, after, is_repeated=is_repeated, clusters=numbers)


def clusters_of(runs: Sequence[Run]) -> dict[str, int] | None:
    """The number of the cluster of each question; None if none shares one with another."""
    questions = runs[0].questions
    names = [question.id for question in questions]
    places = [find_places([each.id for each in run.questions], names) for run in runs]
    numbers = find_clusters(runs, places)
    if numbers is None:
        return None
    return dict(zip(names, numbers.tolist(), strict=True))


def shares_correct(run: Run) -> dict[str, float | None]:
    """The share of correct responses to each question; None if none came."""
    return {name: share_correct(scores) for name, scores in by_question(run).items()}


def shares_readable(run: Run) -> dict[str, float | None]:
    """The share of responses to each question that name a choice; None if none came."""
    shares: dict[str, float | None] = {}
    for name, scores in by_question(run).items():
        replies = [score.answer.outcome for score in scores if score.correct is not None]
        readable = sum(outcome not in UNREADABLE for outcome in replies)
        shares[name] = readable / len(replies) if replies else None
    return shares


def size_of(comparison: WayComparison) -> float:
    """How far a way is from the reference, as a fraction."""
    interval = comparison.accuracy.interval
    return 0.0 if interval is None else abs(interval.estimate)


def way_to_dict(asked: AskedWay) -> dict[str, Any]:
    """One way as JSON."""
    accuracy = asked.accuracy
    return {
        "way": asked.way,
        "run_id": asked.run.manifest.identity.run_id,
        "folder": str(asked.run.path),
        "n": asked.n,
        "accuracy": None if accuracy is None else interval_to_dict(accuracy),
        "partial_credit": asked.partial,
        "unparsed": asked.unparsed,
        "refused": asked.refused,
        "truncated": asked.truncated,
        "missing": asked.missing,
        "output_tokens_per_question": asked.output_tokens,
        "cost_per_1000_questions": asked.cost,
        "retakes": asked.run.retakes,
        "unbound_replies": asked.run.unbound,
    }


def comparison_to_dict(comparison: WayComparison) -> dict[str, Any]:
    """One comparison as JSON."""
    return {
        "way": comparison.way,
        "reference": comparison.reference,
        "accuracy": paired_to_dict(comparison.accuracy),
        "readable": paired_to_dict(comparison.readable),
        "other_differences": [asdict(each) for each in comparison.besides],
    }
