"""A benchmark asked of a model, from the questions to the scores."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.api.endpoint import API_VERSION, Endpoint
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.elicitation.asking import LEAST_THINKING, Asking
from evalkit.elicitation.choose import (
    CONSTRAINED,
    IN_WORDS,
    NEEDED,
    Feature,
    refused_feature,
    without,
)
from evalkit.errors import ApiError, UsageError
from evalkit.execution import Referee, ask_job
from evalkit.jobs import check_way, plan_job
from evalkit.models.findings import Findings, default_findings
from evalkit.models.model import PRICE_ADVICE
from evalkit.probing import Settled, cannot_be_asked, settle_way, telling
from evalkit.progress import Say, ignore, print_to_stderr
from evalkit.questions import count_several
from evalkit.results import Run
from evalkit.running_loop import run_to_end
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.targets import Target, open_target

LARGEST = ("claude-fable-", "claude-mythos-")
"""Models that organizations with zero data retention may not use, as was reported in 2026."""

MOST_LESSONS = 6
"""So many refused features, one after the other, are no lessons any more."""


def run(
    benchmark: str | Path | Benchmark,
    model: str,
    *,
    settings: RunSettings | None = None,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    progress: bool = True,
) -> Run:
    """Ask a model the questions of a benchmark, or what is left of them, and score the replies.

    The same call again goes on where an earlier one ended and asks nothing twice. Also callable
    where an event loop is running already, as in a notebook.

    Args:
        benchmark: a name, a file, or what `load_benchmark` returned.
        model: a model of the endpoint, or an embedded one such as `local/smollm2-135m`.
        settings: way of asking, sample, worked examples and so on.
        endpoint: None: what ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY name.
        results: the folder in which the run's own folder lies.
        progress: whether to show a progress bar on standard error.

    Returns:
        The run, complete or not: see `Run.is_complete`.

    Raises:
        EvalkitError: the questions, the model, the key or the folder can't be used.

    Example:
        A server on this machine stands in for the API:

        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, RunSettings
        >>> from evalkit.testing import MessagesServer
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     found = run(
        ...         "everyday",
        ...         "claude-haiku-4-5",
        ...         settings=RunSettings(way="instructed", limit=10),
        ...         endpoint=endpoint,
        ...         results=folder,
        ...         progress=False,
        ...     )
        >>> found.summary.accuracy.n, found.is_complete
        (10, True)
    """
    job = run_async(
        benchmark,
        model,
        settings=settings,
        endpoint=endpoint,
        results=results,
        progress=progress,
    )
    return run_to_end(job)


async def run_async(
    benchmark: str | Path | Benchmark,
    model: str,
    *,
    settings: RunSettings | None = None,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    progress: bool = True,
) -> Run:
    """The same as `run`, to be awaited.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, RunSettings
        >>> from evalkit.testing import MessagesServer
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     settings = RunSettings(way="instructed", limit=10)
        ...     job = run_async(
        ...         "everyday",
        ...         "claude-haiku-4-5",
        ...         settings=settings,
        ...         endpoint=endpoint,
        ...         results=folder,
        ...         progress=False,
        ...     )
        ...     found = asyncio.run(job)
        >>> found.summary.accuracy.n
        10
    """
    if not isinstance(benchmark, Benchmark):
        benchmark = await asyncio.to_thread(load_benchmark, benchmark)
    settings = settings or RunSettings()
    say = print_to_stderr if progress else ignore
    async with Session(keep_files=settings.keep_files, say=say) as session:
        with open_target(model, endpoint, say=say) as target:
            return await run_at_target(
                benchmark,
                target,
                settings=settings,
                results=Path(results),
                progress=progress,
                say=say,
                session=session,
            )


async def run_at_target(
    benchmark: Benchmark,
    target: Target,
    *,
    settings: RunSettings,
    results: Path,
    progress: bool,
    say: Say,
    session: Session,
    findings: Findings | None = None,
    begun: Callable[[Path], None] = lambda path: None,
    referee: Referee | None = None,
) -> Run:
    """Ask a model that is ready; see `run`.

    Args:
        benchmark: the questions.
        target: the model.
        settings: everything that can be chosen.
        results: the folder of all runs.
        progress: whether to show how it goes.
        say: takes a line for the user.
        session: what the runs of a command share.
        findings: what is known of models; None: the user's.
        begun: hears of the run's folder before the first question is asked.
        referee: decides in which order questions are asked, and when it is enough; None: all are.
    """
    check_choices(target, settings)
    several = await asyncio.to_thread(count_several, benchmark.question_set.questions)
    if several:
        await asyncio.to_thread(check_way, benchmark, settings)
    if (end := target.facts.describe_end(datetime.now(UTC).date())) is not None:
        say(f"Warning: {end}")
    if not settings.keep_text and target.facts.id.startswith(LARGEST):
        say(f"Warning: {target.model} refuses organizations with zero data retention")
    findings = findings or default_findings()
    limiter = session.limiter(target, settings)
    client = await session.connect(target, settings)
    learned: list[str] = []
    while True:
        # Of several runs that begin together, one finds out for all.
        async with session.lock((target.host, target.model)):
            settled = await settle_way(
                target,
                settings.way,
                build_asking(target, settings),
                send=telling(client.send, say),
                policy=settings.retries,
                findings=findings,
                several=several,
            )
        if settled.was_probed:
            limiter.note_answer()
        if settled.warning:
            say(f"Warning: {settled.warning}")
        job = await asyncio.to_thread(plan_job, benchmark, target, settings, settled, learned)
        if settings.way == "auto" and settled.way != "prefill":
            means = settled.way if settled.way in CONSTRAINED else "system prompt"
            say(f"{target.model} is asked by {means}: {settled.reason}")
        if settled.way == "reasoned" and settings.shots and "thinking" not in job.first_body:
            say("Worked examples show no thoughts, which a model may imitate; --shots 0 has none")
        try:
            run = await ask_job(
                job,
                session,
                client,
                limiter,
                results,
                settings,
                progress=progress,
                say=say,
                begun=begun,
                referee=referee,
            )
            break
        except ApiError as error:
            feature = refused_feature(error, job.features)
            if feature is None or len(learned) >= MOST_LESSONS:
                raise
            # The catalogue or an earlier finding is out of date: learn, and start again.
            lesson = f"{target.model} takes no {IN_WORDS[feature]}"
            # An endpoint may repeat a part of the request in its errors.
            learned.append(f"{lesson} ({error.message})" if settings.keep_text else lesson)
            learn(feature, error, job.first_body, settled, target, settings, findings)
            say(f"{lesson} ({error.message}); asking without it")
    for failure in run.failures():
        say(f"{failure.count} failed: {failure.message}")
    return run


def learn(
    feature: Feature,
    error: ApiError,
    body: Any,
    settled: Settled,
    target: Target,
    settings: RunSettings,
    findings: Findings,
) -> None:
    """Remember what a model refused.

    Raises:
        InvalidRequestError: the way that the user asked for needs it.
    """
    known = without(settled.asking.capabilities, feature, error, body)
    findings.remember(known, target.model, target.host)
    if settings.way != "auto" and NEEDED.get(settings.way) == feature:
        raise cannot_be_asked(error, target.model, feature) from error


def build_asking(target: Target, settings: RunSettings) -> Asking:
    """How the user wants the model to be asked, as far as the version of the API allows it."""
    has_sampling = target.endpoint.version == API_VERSION
    return Asking(
        model=target.wire_model,
        capabilities=target.capabilities,
        temperature=settings.sent_temperature if has_sampling else None,
        effort=settings.effort,
        thought=settings.thought,
        max_tokens=settings.max_tokens,
        stop_sequences=settings.stop_sequences,
    )


def check_choices(target: Target, settings: RunSettings) -> None:
    """Refuse what the catalogue knows that this model can't do.

    Raises:
        UsageError: naming what it can do instead.
    """
    efforts = target.capabilities.efforts
    if settings.effort is not None and efforts is not None and settings.effort not in efforts:
        takes = f"it takes {', '.join(efforts)}" if efforts else "it takes none; leave it out"
        raise UsageError(f"effort {settings.effort!r} for {target.model}: {takes}")
    thinks_by_api = settings.way == "reasoned" and settings.thought == "api"
    room = settings.max_tokens
    if thinks_by_api and target.capabilities.think_on == "enabled" and room is not None:
        check_room(target, room)
    if settings.budget is not None and target.facts.price is None:
        raise UsageError(
            f"no price is known for {target.model}, so no budget can be kept: {PRICE_ADVICE}"
        )
    if settings.has_workers and target.is_embedded:
        raise UsageError(f"{target.model} is embedded: its engine uses all cores without workers")
    if settings.batch and not target.has_batches:
        raise UsageError(f"{target.model} is embedded, which has no batches; leave out --batch")


def check_room(target: Target, max_tokens: int) -> None:
    """Refuse a reply too short for the smallest budget of thoughts.

    Raises:
        UsageError: naming the least.
    """
    if max_tokens <= LEAST_THINKING:
        raise UsageError(
            f"max_tokens {max_tokens} for {target.model}: it thinks in at least {LEAST_THINKING} "
            "of them; give it more, or have it think in words by --thought text"
        )
