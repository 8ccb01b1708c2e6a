"""Earlier complete runs of a model over the same questions: what they say of which ones waver."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from evalkit.baselines import Baseline
from evalkit.errors import RunError
from evalkit.results import Run, load_run
from evalkit.runs.folder import MANIFEST, SUMMARY, read_manifest
from evalkit.runs.manifest import Identity, Manifest
from evalkit.stats.draws import LATEST


def find_earlier(
    results: Path, baseline: Baseline, candidate: Identity, ids: Collection[str]
) -> tuple[Run, ...]:
    """The latest complete runs that can weigh a gate's questions.

    Runs of the candidate's own configuration are left out, whatever their sample: the weights must
    not know the answers that they help to draw.

    Args:
        results: the folder of all runs.
        baseline: of the gate; the runs are of its model.
        candidate: of the run that is to be asked.
        ids: the questions, all of which each run has to have, unchanged.

    Returns:
        At most eight, the latest last.
    """
    if not baseline.keeps_content:
        return ()  # whether questions are the same can't be seen
    found: list[Run] = []
    for path, manifest in list_complete(results):
        identity = manifest.identity
        if len(found) == LATEST:
            break
        if not is_of_use(identity, baseline.identity, candidate):
            continue
        try:
            run = load_run(path)
        except RunError:
            continue  # what can't be read tells nothing
        shared = [question for question in run.questions if question.id in ids]
        if run.is_complete and len(shared) == len(ids) and not baseline.find_changed(shared):
            found.append(run)
    return tuple(reversed(found))


def list_complete(results: Path) -> Sequence[tuple[Path, Manifest]]:
    """The runs in a folder that came to their end, the latest first."""

    def read() -> Iterator[tuple[Path, Manifest]]:
        for path in sorted(results.glob(f"*/{MANIFEST}")):
            if (path.parent / SUMMARY).exists():
                try:
                    yield path.parent, read_manifest(path.parent)
                except RunError:
                    continue

    return sorted(read(), key=lambda each: each[1].created_at, reverse=True)


def is_of_use(identity: Identity, baseline: Identity, candidate: Identity) -> bool:
    """Whether a run may weigh the questions, by what its manifest says."""
    is_same_model = (identity.model, identity.model_digest) == (
        baseline.model,
        baseline.model_digest,
    )
    return (
        is_same_model
        and identity.benchmark == baseline.benchmark
        and identity.keep_text
        and identity.run_id != baseline.run_id
        and configuration_of(identity) != configuration_of(candidate)
    )


def configuration_of(made: Identity) -> tuple[Any, ...]:
    """What decides an answer, whichever questions are asked, how often, and where."""
    return (
        made.model,
        made.model_digest,
        made.way,
        made.prompt_digest,
        made.shots,
    )
