"""Every benchmark asked of every model in every way, side by side."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.api.endpoint import Endpoint
from evalkit.benchmarks import Benchmark
from evalkit.errors import EvalkitError, RunError
from evalkit.evaluation import run_at_target
from evalkit.models.local import is_local
from evalkit.progress import Say
from evalkit.results import Run, load_run
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.targets import Target, open_target


@dataclass(frozen=True, slots=True, kw_only=True)
class Combinations:
    """What is to be run: all benchmarks, of all models, with all settings.

    Models of an endpoint are asked at the same time, each within its own limits, so that a slow one
    holds up no other. Embedded models, which share this machine's cores, come one after another.
    """

    benchmarks: Sequence[Benchmark]
    models: Sequence[str]
    settings: Sequence[RunSettings]
    endpoint: Endpoint | None
    """None: all models are embedded."""
    results: Path
    """The folder in which each run has its own."""
    progress: bool = True
    say: Say
    keep_files: bool = False
    """Whether uploaded files are left at the endpoint."""


@dataclass(kw_only=True, eq=False)
class Done:
    """What has come of it, filled while it goes on: an interrupt leaves what there is."""

    runs: dict[tuple[int, int, int], Run] = field(default_factory=dict)
    """Those that ended by themselves, by the places of model, benchmark and settings."""
    begun: dict[tuple[int, int, int], Path] = field(default_factory=dict)
    """The folders of all that began."""
    errors: list[tuple[str, EvalkitError]] = field(default_factory=list)
    """What ended runs early, with the model that was asked."""

    def list_runs(self) -> list[Run]:
        """The runs in the order of models, benchmarks and settings, none twice.

        Of one that was ended early, what its folder holds is read, if that is any answer.
        """
        found: dict[Path, Run] = {}
        for place, path in sorted(self.begun.items()):
            run = self.runs.get(place) or read_unfinished(path)
            if run is not None:
                found.setdefault(path, run)
        return list(found.values())


def read_unfinished(path: Path) -> Run | None:
    """A run that was ended early; None if nothing came of it."""
    with suppress(RunError):
        run = load_run(path)
        return run if run.summary.replied else None
    return None


async def run_combinations(what: Combinations, done: Done) -> None:
    """Run everything; an error ends the run that it concerns, not the others.

    Args:
        what: to run.
        done: where what comes of it is put.
    """
    numbered = list(enumerate(what.models))
    embedded = [each for each in numbered if is_local(each[1])]
    async with (
        Session(keep_files=what.keep_files, say=what.say) as session,
        asyncio.TaskGroup() as group,
    ):
        for each in numbered:
            if each not in embedded:
                group.create_task(ask_models([each], what, session, done))
        group.create_task(ask_models(embedded, what, session, done))


async def ask_models(
    models: Sequence[tuple[int, str]], what: Combinations, session: Session, done: Done
) -> None:
    """Ask some models, one after the other."""
    for place, model in models:
        try:
            async with AsyncExitStack() as stack:
                opening = open_target(model, what.endpoint, say=what.say)
                # An embedded model takes seconds to start, and longer to be fetched.
                target = await asyncio.to_thread(opening.__enter__)
                stack.push_async_callback(asyncio.to_thread, opening.__exit__, None, None, None)
                await ask_target(place, target, what, session, done)
        except EvalkitError as error:
            done.errors.append((model, error))


async def ask_target(
    place: int, target: Target, what: Combinations, session: Session, done: Done
) -> None:
    """Ask one model everything: its benchmarks take turns, or come one after another.

    An embedded model answers one request at a time and remembers how the last one began: runs that
    took turns would make it read what all prompts of one share again and again.
    """

    async def ask(number: int, form: int) -> None:
        try:
            run = await run_at_target(
                what.benchmarks[number],
                target,
                settings=what.settings[form],
                results=what.results,
                progress=what.progress,
                say=what.say,
                session=session,
                begun=lambda path: done.begun.update({(place, number, form): path}),
            )
        except EvalkitError as error:
            done.errors.append((target.model, error))
        else:
            done.runs[place, number, form] = run

    pairs = itertools.product(range(len(what.benchmarks)), range(len(what.settings)))
    if target.is_embedded:
        for number, form in pairs:
            await ask(number, form)
        return
    async with asyncio.TaskGroup() as group:
        for number, form in pairs:
            group.create_task(ask(number, form))
