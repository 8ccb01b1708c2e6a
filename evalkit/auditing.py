"""Audits: one model asked the same questions in every way that it takes, and the ways compared."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from evalkit.api.endpoint import Endpoint
from evalkit.audits import Audit, audit_runs
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.errors import UsageError
from evalkit.progress import Say, ignore, print_to_stderr
from evalkit.requests import Way
from evalkit.running_loop import run_to_end
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.targets import open_target
from evalkit.ways import ask_every_way


def audit(
    benchmark: str | Path | Benchmark,
    model: str,
    *,
    ways: Sequence[Way | Literal["auto"]] | None = None,
    settings: RunSettings | None = None,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    progress: bool = True,
) -> Audit:
    """Ask a model the same questions in several ways, and compare the ways question by question.

    Each way is a run of its own, as `run` makes it: the same call again asks only what is missing.
    Runs that are there already are compared by `audit_runs`, without asking.

    Args:
        benchmark: a name, a file, or what `load_benchmark` returned.
        model: a model of the endpoint, or an embedded one such as `local/smollm2-135m`.
        ways: how to ask; None: all ways but those that the model is known not to take.
        settings: everything about the runs but their way, which is `auto`.
        endpoint: None: what ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY name.
        results: the folder in which each run has its own.
        progress: whether to show progress bars on standard error.

    Returns:
        The audit, of complete runs or not: see `Audit.is_comparable`, and `Audit.left_out` for the
        ways that could not be asked.

    Raises:
        UsageError: `settings` name a way, or make no sense in any.
        EvalkitError: the questions, the model, the key or the folder can't be used.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, RunSettings
        >>> from evalkit.testing import MessagesServer
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     found = audit(
        ...         "everyday",
        ...         "claude-haiku-4-5",
        ...         ways=["instructed", "structured"],
        ...         settings=RunSettings(limit=10),
        ...         endpoint=endpoint,
        ...         results=folder,
        ...         progress=False,
        ...     )
        >>> [asked.way for asked in found.ways], found.comparisons[0].accuracy.n
        (['instructed', 'structured'], 10)
    """
    job = audit_async(
        benchmark,
        model,
        ways=ways,
        settings=settings,
        endpoint=endpoint,
        results=results,
        progress=progress,
    )
    return run_to_end(job)


async def audit_async(
    benchmark: str | Path | Benchmark,
    model: str,
    *,
    ways: Sequence[Way | Literal["auto"]] | None = None,
    settings: RunSettings | None = None,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    progress: bool = True,
) -> Audit:
    """The same as `audit`, to be awaited.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, RunSettings
        >>> from evalkit.testing import MessagesServer
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     job = audit_async(
        ...         "everyday",
        ...         "claude-haiku-4-5",
        ...         ways=["instructed", "tool"],
        ...         settings=RunSettings(limit=10),
        ...         endpoint=Endpoint(base_url=server.base_url, api_key=server.key),
        ...         results=folder,
        ...         progress=False,
        ...     )
        ...     found = asyncio.run(job)
        >>> found.reference, found.is_comparable
        ('instructed', True)
    """
    settings = settings or RunSettings()
    if settings.way != "auto":
        raise UsageError(
            f"an audit asks in several ways, but the settings name one: in place of "
            f"way={settings.way!r} name those wanted by ways=[...]"
        )
    for way in ways or ():
        replace(settings, way=way)  # refuses one that there is not, before anything is asked
    if not isinstance(benchmark, Benchmark):
        benchmark = await asyncio.to_thread(load_benchmark, benchmark)
    return await audit_aloud(
        benchmark,
        model,
        ways,
        settings=settings,
        endpoint=endpoint,
        results=Path(results),
        progress=progress,
        say=print_to_stderr if progress else ignore,
    )


async def audit_aloud(
    benchmark: Benchmark,
    model: str,
    ways: Sequence[Way | Literal["auto"]] | None,
    *,
    settings: RunSettings,
    endpoint: Endpoint | None,
    results: Path,
    progress: bool,
    say: Say,
) -> Audit:
    """Ask about questions that are loaded, and say how it goes; see `audit`.

    Args:
        benchmark: the questions.
        model: the model, by its name.
        ways: how to ask; None: all ways but those that the model is known not to take.
        settings: everything else about the runs.
        endpoint: None: what the environment names.
        results: the folder of all runs.
        progress: whether to show progress bars.
        say: takes a line for the user.
    """
    async with Session(keep_files=settings.keep_files, say=say) as session:
        with open_target(model, endpoint, say=say) as target:
            runs, left_out = await ask_every_way(
                benchmark,
                target,
                ways,
                settings=settings,
                results=results,
                progress=progress,
                say=say,
                session=session,
            )
    return replace(audit_runs(runs), left_out=left_out)
