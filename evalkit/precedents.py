"""What two earlier runs tell of the next comparison: on how many questions runs differ."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalkit.alignment import align_runs
from evalkit.errors import EvalkitError
from evalkit.experience import read_manifests
from evalkit.pairs import Differences
from evalkit.results import Run, load_run
from evalkit.runs.manifest import Identity

LEAST = 30
"""Questions that two runs must share to tell anything."""

MOST_RUNS = 4
"""Earlier runs that are read, those most like the planned one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Precedent:
    """Two earlier runs on the same questions."""

    first: str
    """The name of a run's folder."""
    second: str
    questions: int
    """That both got a reply to."""
    flips: float
    """The share of these that only one has right, a fraction, but at least one question's; where
    several responses were drawn, the mean square of the differences between their means."""
    design_effect: float | None
    """By how much the clusters of the set inflate the variance of a difference; None: it has none,
    or nothing flipped."""


def find_precedent(results: Path, identity: Identity) -> Precedent | None:
    """Look for two earlier runs of a benchmark: of the same model and way, if there are any.

    Args:
        results: the folder of all runs.
        identity: of the run that is planned.
    """
    readable = list(read_runs(results, identity))
    for first, second in itertools.combinations(readable, 2):
        found = compare_earlier(first, second)
        if found is not None:
            return found
    return None


def read_runs(results: Path, identity: Identity) -> Iterator[Run]:
    """The runs of a benchmark most like the planned one; what can't be read tells nothing."""
    alike = [
        (path, manifest)
        for path, manifest in read_manifests(results)
        if manifest.identity.benchmark == identity.benchmark
    ]
    latest = sorted(alike, key=lambda each: each[1].created_at, reverse=True)
    latest.sort(key=lambda each: count_differences(each[1].identity, identity))
    for path, _ in latest[:MOST_RUNS]:
        try:
            yield load_run(path)
        except EvalkitError:
            continue


def count_differences(earlier: Identity, planned: Identity) -> int:
    """How unlike the planned run an earlier one is; another model counts most."""
    return (
        4 * (earlier.model != planned.model)
        + 2 * (earlier.way != planned.way)
        + (earlier.question_digest != planned.question_digest)
    )


def compare_earlier(first: Run, second: Run) -> Precedent | None:
    """How much two runs differ; None if they can't be compared, or share too few questions."""
    try:
        sheet = align_runs([first, second])
    except EvalkitError:
        return None
    differences = Differences(
        *sheet.correct, is_repeated=sheet.is_repeated, clusters=sheet.clusters
    )
    if differences.n < LEAST:
        return None
    mean = differences.mean
    return Precedent(
        first=first.path.name,
        second=second.path.name,
        questions=differences.n,
        flips=max(differences.spread, 1 / differences.n),
        design_effect=None if mean is None else mean.design_effect or None,
    )
