"""A benchmark asked of a model, from the questions to the scores."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.elicitation.choose import refused_feature, without
from evalkit.errors import ApiError
from evalkit.jobs import Job, plan_job
from evalkit.models.findings import Findings, default_findings
from evalkit.probing import no_prefill, settle_way
from evalkit.progress import ProgressBar
from evalkit.requests import Request
from evalkit.results import Run, load_run
from evalkit.runs.folder import RunFolder, create_run_folder
from evalkit.runs.journal import JournalRow, JournalWriter
from evalkit.runs.manifest import Manifest
from evalkit.runs.runner import RunnerSettings, run_requests
from evalkit.scores import Score, score_question
from evalkit.settings import RunSettings
from evalkit.targets import Target, open_target

Say = Callable[[str], None]


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
        >>> run("everyday", "local/smollm2-135m", settings=RunSettings(limit=10))  # doctest: +SKIP
    """
    job = run_async(
        benchmark,
        model,
        settings=settings,
        endpoint=endpoint,
        results=results,
        progress=progress,
    )
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(job)
    return run_in_thread(job)


def run_in_thread(job: Coroutine[Any, Any, Run]) -> Run:
    """Run beside the event loop of this thread; an interrupt here ends the job there."""
    tasks: list[asyncio.Task[Run]] = []

    async def start() -> Run:
        tasks.append(asyncio.create_task(job))
        return await tasks[0]

    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(asyncio.run, start())
        try:
            return running.result()
        except KeyboardInterrupt:
            for task in tasks:
                task.get_loop().call_soon_threadsafe(task.cancel)
            raise


async def run_async(
    benchmark: str | Path | Benchmark,
    model: str,
    *,
    settings: RunSettings | None = None,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    progress: bool = True,
) -> Run:
    """The same as `run`, to be awaited."""
    if not isinstance(benchmark, Benchmark):
        benchmark = await asyncio.to_thread(load_benchmark, benchmark)
    say = print_to_stderr if progress else ignore
    with open_target(model, endpoint, say=say) as target:
        return await run_at_target(
            benchmark,
            target,
            settings=settings or RunSettings(),
            results=Path(results),
            progress=progress,
            say=say,
        )


def print_to_stderr(line: str) -> None:
    """Print a line where it doesn't mix with results."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the one place that does


def ignore(line: str) -> None:
    """Take a line and do nothing."""


async def run_at_target(
    benchmark: Benchmark,
    target: Target,
    *,
    settings: RunSettings,
    results: Path,
    progress: bool,
    say: Say,
    findings: Findings | None = None,
) -> Run:
    """Ask a model that is ready; see `run`."""
    findings = findings or default_findings()
    connections = settings.concurrency or target.concurrency
    async with MessagesClient(target.endpoint, connections) as client:
        while True:
            settled = await settle_way(
                target,
                settings.way,
                settings.temperature,
                send=client.send,
                policy=settings.retries,
                findings=findings,
            )
            if settled.warning:
                say(f"Warning: {settled.warning}")
            job = plan_job(benchmark, target, settings, settled)
            if settings.way == "auto" and settled.way != "prefill":
                say(f"{target.model} is asked by system prompt: {settled.reason}")
            if job.manifest.left_out:
                say(describe_left_out(job.manifest))
            try:
                run = await ask_job(job, client, results, connections, settings, progress)
                break
            except ApiError as error:
                feature = refused_feature(error)
                if feature is None or feature not in job.features:
                    raise
                # The catalogue or an earlier finding is out of date: learn, and start again.
                known = without(settled.asking.capabilities, feature)
                findings.remember(known, target.model, target.host)
                if feature == settings.way:
                    raise no_prefill(error, target.model) from error
                say(f"{target.model} takes no {feature} ({error.message}); asking without it")
    for failure in run.failures():
        say(f"{failure.count} failed: {failure.message}")
    return run


def describe_left_out(manifest: Manifest) -> str:
    """What to tell a user about questions that a single letter can't answer."""
    total = manifest.questions + manifest.left_out
    return (
        f"{manifest.identity.benchmark}: {manifest.left_out} of {total} questions have several "
        "right choices and are left out: one letter can't answer them"
    )


async def ask_job(
    job: Job,
    client: MessagesClient,
    results: Path,
    concurrency: int,
    settings: RunSettings,
    progress: bool,
) -> Run:
    """Ask what has no response yet, then write the summary."""
    folder = create_run_folder(results, job.manifest, job.questions)
    with folder.locked():
        try:
            await ask_missing(folder, job, client, concurrency, settings, progress)
        except ApiError:
            folder.discard_if_empty()
            raise
        run = load_run(folder.path)
        if run.is_complete:
            folder.write_summary(run.to_dict())
        return run


async def ask_missing(
    folder: RunFolder,
    job: Job,
    client: MessagesClient,
    concurrency: int,
    settings: RunSettings,
    progress: bool,
) -> None:
    """Ask the questions that no row of the journal answers."""
    journal = folder.read_journal()
    answered = {row.request_id for row in journal.rows if row.is_response}
    failed = {row.question_id for row in journal.rows if not row.is_response}
    by_id = {question.id: question for question in job.questions}

    def pending() -> Iterator[Request]:
        # What failed before comes last: it may fail for ever, and must not end the run before the
        # others have had their turn.
        for question in sorted(job.questions, key=lambda question: question.id in failed):
            request = job.build_request(question)
            if request.id not in answered:
                yield request

    def score(rows: Iterable[JournalRow]) -> list[Score]:
        form = job.manifest.prompt
        return [score_question(by_id[row.question_id], row, form) for row in rows]

    earlier = score(row for row in journal.rows if row.is_response and row.question_id in by_id)
    bar = ProgressBar(job.label, len(job.questions), earlier, shown=progress)
    try:
        async with JournalWriter(
            folder.journal_path,
            good_bytes=journal.good_bytes,
            on_written=lambda rows: bar.add(score(rows)),
        ) as writer:
            await run_requests(
                pending(),
                lambda request: client.send(request.body),
                writer.put,
                RunnerSettings(
                    concurrency=concurrency,
                    policy=settings.retries,
                    ends_run=lambda error: refused_feature(error) in job.features,
                    answered_before=bool(answered),
                ),
            )
    finally:
        bar.close()
