"""Names that tell the runs of a comparison apart: the model, and no more than that takes."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.comparability import NONE, describe
from evalkit.pairing import label_runs
from evalkit.results import Run

BARE = ("way", "folder")
"""What is said without its name."""

LAST = ("questions", "version of the benchmark")
"""What is tried only when nothing else tells two runs apart."""


def name_contestants(runs: Sequence[Run]) -> list[str]:
    """A name for each run that no other run of its benchmark has.

    Runs of several benchmarks have one name if a model was asked in one way.

    Args:
        runs: of one or several benchmarks, each of another folder.

    Returns:
        The model, with those settings of which runs of one model on one benchmark differ.

    Example:
        >>> name_contestants([load_run(path) for path in paths])  # doctest: +SKIP
        ['claude-haiku-4-5, prefill', 'claude-haiku-4-5, tool']
    """
    details = [describe_run(run) for run in runs]
    benchmarks = label_runs(runs)
    names = [run.manifest.identity.model for run in runs]
    for detail in dict.fromkeys(name for each in details for name in each):
        told_apart = len(set(zip(benchmarks, names, strict=True)))
        if told_apart == len(runs):
            break
        longer = [
            f"{name}, {word_detail(detail, each.get(detail, NONE))}"
            for name, each in zip(names, details, strict=True)
        ]
        if len(set(zip(benchmarks, longer, strict=True))) > told_apart:
            names = longer
    return names


def describe_run(run: Run) -> dict[str, str]:
    """What may tell a run from others of its model, in the order in which it is tried."""
    identity = run.manifest.identity
    found = describe(run.manifest)
    del found["benchmark"]
    last = {name: found.pop(name) for name in LAST}
    return {
        **found,
        "prompt": identity.prompt_digest[:12],
        "limit": str(identity.limit),
        "seed": str(identity.seed),
        **last,
        "run": identity.run_id,
        "folder": str(run.path),
    }


def word_detail(name: str, value: str) -> str:
    """A setting in a name.

    Example:
        >>> word_detail("way", "tool"), word_detail("effort", "low")
        ('tool', 'effort low')
    """
    return value if name in BARE else f"{name} {value}"
