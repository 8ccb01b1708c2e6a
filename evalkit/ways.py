"""A benchmark asked of one model in every way that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from evalkit.audits import LeftOut
from evalkit.benchmarks import Benchmark
from evalkit.elicitation.choose import IN_WORDS, NEEDED, Feature
from evalkit.errors import ApiError, InvalidRequestError, UsageError
from evalkit.evaluation import run_at_target
from evalkit.jobs import check_way
from evalkit.models.findings import Findings, default_findings
from evalkit.models.model import Capabilities
from evalkit.progress import Say
from evalkit.requests import WAYS, Way
from evalkit.results import Run
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.targets import Target

AnyWay = Way | Literal["auto"]


async def ask_every_way(
    benchmark: Benchmark,
    target: Target,
    ways: Sequence[AnyWay] | None,
    *,
    settings: RunSettings,
    results: Path,
    progress: bool,
    say: Say,
    session: Session,
    findings: Findings | None = None,
) -> tuple[tuple[Run, ...], tuple[LeftOut, ...]]:
    """Ask the same questions in one way after the other; see `evalkit.evaluation.run`.

    Args:
        benchmark: the questions.
        target: the model.
        ways: how to ask; None: all ways but those that the model is known not to take.
        settings: everything else about the runs.
        results: the folder in which each run has its own.
        progress: whether to show progress bars.
        say: takes a line of progress.
        session: shares connections.
        findings: what is known of models; None: the user's.

    Returns:
        The runs, one for each way that the endpoint takes, complete or not; and the ways left out.

    Raises:
        ApiError: no further question would be answered, or every way was refused.
        UsageError: the settings make no sense, whatever the way.
    """
    memory = findings or default_findings()
    runs: dict[Path, Run] = {}
    left_out: list[LeftOut] = []
    refusal: InvalidRequestError | None = None

    def leave_out(way: AnyWay, reason: str) -> None:
        left_out.append(LeftOut(way=way, reason=reason))
        say(f"{target.model}: {left_out[-1]}")

    def find_capabilities() -> Capabilities:
        return memory.add_to(target.capabilities, target.model, target.host)

    # The ways that ask for least come first, so that what is wrong with all is no fault of one.
    for way in WAYS if ways is None else sorted(ways, key=("auto", *WAYS).index):
        known = find_capabilities()
        if ways is None and (feature := lacking_feature(way, known)) is not None:
            leave_out(way, describe_lack(feature))
            continue
        if ways is None:
            try:
                check_way(benchmark, replace(settings, way=way))
            except UsageError as error:
                leave_out(way, str(error))
                continue
        # Only `auto` finds out that a server drops the prefill in silence, and does without.
        is_probing = ways is None and way == "prefill" and known.prefill is None
        try:
            run = await run_at_target(
                benchmark,
                target,
                settings=replace(settings, way="auto" if is_probing else way),
                results=results,
                progress=progress,
                say=say,
                session=session,
                findings=memory,
            )
        except UsageError as error:
            if not runs:
                raise
            leave_out(way, str(error))
            continue
        except InvalidRequestError as error:
            refusal = error
            feature = lacking_feature(way, find_capabilities())
            leave_out(way, str(error) if feature is None else describe_lack(feature, error))
            continue
        runs.setdefault(run.path, run)
        if is_probing and run.manifest.identity.way != way:
            leave_out(way, describe_lack("prefill"))
    if refusal is not None and not runs:
        raise refusal
    return tuple(runs.values()), tuple(left_out)


def lacking_feature(way: AnyWay, capabilities: Capabilities) -> Feature | None:
    """What a way needs that a model is known not to take; None if there is no such thing."""
    feature = None if way == "auto" else NEEDED.get(way)
    if feature is None or getattr(capabilities, feature) is not False:
        return None
    return feature


def describe_lack(feature: Feature, error: ApiError | None = None) -> str:
    """That a model takes no such thing, with the endpoint's own words if there are any."""
    said = None if error is None else error.__cause__
    words = f" ({said.message})" if isinstance(said, ApiError) else ""
    return f"it takes no {IN_WORDS[feature]}{words}"
