"""Plans: what runs would take, found out without a request that costs anything."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from evalkit.api.endpoint import Endpoint
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.elicitation.choose import IN_WORDS, choose_way, refused_feature
from evalkit.errors import ApiError
from evalkit.evaluation import MOST_LESSONS, build_asking, check_choices, learn
from evalkit.forecasting import Forecaster
from evalkit.jobs import check_way, plan_job
from evalkit.models.findings import Findings, default_findings
from evalkit.plans import Plan, PlanOptions
from evalkit.probing import Settled, choose_bound
from evalkit.progress import Say, ignore, print_to_stderr
from evalkit.questions import count_several
from evalkit.running_loop import run_to_end
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.targets import Target, outline_target


def plan(
    benchmark: str | Path | Benchmark,
    model: str,
    *,
    settings: RunSettings | None = None,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    options: PlanOptions | None = None,
    progress: bool = True,
) -> Plan:
    """Say what a run would take, without a request that costs anything.

    Input tokens are counted by the endpoint on a sample of the requests, which is free; without a
    key they are estimated. Embedded models are not started.

    Args:
        benchmark: a name, a file, or what `load_benchmark` returned.
        model: a model of the endpoint, or an embedded one such as `local/smollm2-135m`.
        settings: those of the run.
        endpoint: None: what ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY name.
        results: the folder of all runs: what it has is not asked again, and tells how long replies
            are.
        options: how to plan.
        progress: whether to show a progress bar on standard error, if it takes long.

    Returns:
        The plan; `Plan.basis` says how far its figures can be trusted.

    Raises:
        EvalkitError: the questions, the model, the key or the endpoint can't be used.

    Example:
        >>> options = PlanOptions(offline=True)
        >>> plan("everyday", "claude-haiku-4-5", options=options, results="no such folder").way
        'prefill'
    """
    job = plan_async(
        benchmark,
        model,
        settings=settings,
        endpoint=endpoint,
        results=results,
        options=options,
        progress=progress,
    )
    return run_to_end(job)


async def plan_async(
    benchmark: str | Path | Benchmark,
    model: str,
    *,
    settings: RunSettings | None = None,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    options: PlanOptions | None = None,
    progress: bool = True,
) -> Plan:
    """The same as `plan`, to be awaited.

    Example:
        >>> job = plan_async(
        ...     "everyday",
        ...     "claude-haiku-4-5",
        ...     options=PlanOptions(offline=True),
        ...     results="no such folder",
        ... )
        >>> asyncio.run(job).requests
        300
    """
    if not isinstance(benchmark, Benchmark):
        benchmark = await asyncio.to_thread(load_benchmark, benchmark)
    say = print_to_stderr if progress else ignore
    async with Session() as session:
        return await plan_at_target(
            benchmark,
            outline_target(model, endpoint, say=say),
            settings=settings or RunSettings(),
            results=Path(results),
            options=options or PlanOptions(),
            session=session,
            progress=progress,
            say=say,
        )


async def plan_at_target(
    benchmark: Benchmark,
    target: Target,
    *,
    settings: RunSettings,
    results: Path,
    options: PlanOptions,
    session: Session,
    progress: bool,
    say: Say,
    findings: Findings | None = None,
) -> Plan:
    """Plan for a model that is known by name; see `plan`."""
    check_choices(target, settings)
    several = count_several(benchmark.question_set.questions)
    check_way(benchmark, settings)
    findings = findings or default_findings()
    client = None
    if not (options.offline or target.is_embedded or target.endpoint.lacks_key):
        client = await session.connect(target, settings)
    lessons = 0
    while True:
        plans: list[Plan] = []
        for settled in settle_unasked(target, settings, findings, several=several):
            job = plan_job(benchmark, target, settings, settled)
            forecaster = Forecaster(
                job=job,
                target=target,
                settings=settings,
                options=options,
                results=results,
                settled=settled,
            )
            try:
                plans.append(await forecaster.plan(client, progress=progress))
            except ApiError as error:
                feature = refused_feature(error, job.features)
                lessons += 1
                if feature is None or lessons > MOST_LESSONS:
                    raise
                # Counting refuses what asking would: the run would go on without it.
                learn(feature, error, job.first_body, settled, target, settings, findings)
                say(f"{target.model} takes no {IN_WORDS[feature]} ({error.message})")
                break
        else:
            first, *others = plans
            return replace(first, otherwise=others[0] if others else None)


def settle_unasked(
    target: Target, settings: RunSettings, findings: Findings, *, several: int = 0
) -> tuple[Settled, ...]:
    """How the model will be asked: in one of several ways if only a paid probe would tell."""
    known = findings.add_to(target.capabilities, target.model, target.host)
    asking = replace(build_asking(target, settings), capabilities=known)
    if settings.way != "auto":
        return (Settled(way=settings.way, asking=asking, reason="asked for"),)
    way = choose_bound(target.model, known, several) if several else choose_way(known)
    if way is not None:
        return (Settled(way=way, asking=asking, reason="auto"),)
    return tuple(
        Settled(
            way=possible,
            asking=replace(asking, capabilities=replace(known, prefill=possible == "prefill")),
            reason="auto, if the model takes a prefill"
            if possible == "prefill"
            else "auto, if the model takes no prefill",
        )
        for possible in ("prefill", "instructed")
    )
