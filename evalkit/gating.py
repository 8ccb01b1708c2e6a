"""The regression gate on the live runner: it asks the candidate until the verdict is clear."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalkit.api.endpoint import Endpoint
from evalkit.baselines import Baseline, check_repeatable, load_baseline
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.candidates import benchmark_of, check_prompt, settings_of, take_part
from evalkit.errors import EvalkitError, UsageError
from evalkit.evaluation import run_at_target
from evalkit.gate_records import GateRecord
from evalkit.models.local import is_local
from evalkit.progress import Say, ignore, print_to_stderr
from evalkit.prompts import PromptFormat
from evalkit.refereeing import GateReferee
from evalkit.results import Run
from evalkit.running_loop import run_to_end
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.stats.costs import expected_questions
from evalkit.stats.sequential import GateTerms
from evalkit.stats.verdicts import Verdict, overall_verdict
from evalkit.targets import Target, open_target

LEAST_AT_ONCE = 4
"""Requests in flight at once, however few questions are expected."""

IN_FLIGHT = 0.1
"""The share of the questions expected that may be in flight, and be asked in vain."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A baseline, and the candidate that is to be compared with it."""

    baseline: Baseline
    benchmark: Benchmark
    """The questions that the candidate is asked."""
    model: str
    settings: RunSettings


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """What came of one gate, or of several that are judged together."""

    gates: tuple[GateRecord, ...]
    """One for each baseline that came so far, in their order."""
    errors: tuple[EvalkitError, ...] = ()
    """What ended some of them early."""

    @property
    def verdict(self) -> Verdict | None:
        """Of all together: `regressed` if any is; None: the same call goes on."""
        verdicts = [gate.final for gate in self.gates]
        said = [verdict for verdict in verdicts if verdict is not None]
        if Verdict.INVALID in said:
            return Verdict.INVALID
        if self.errors or not said or len(said) < len(verdicts):
            return None
        return overall_verdict(said)

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`; shares are fractions."""
        verdict = self.verdict
        return {
            "verdict": None if verdict is None else str(verdict),
            "gates": [gate.to_dict() for gate in self.gates],
            "errors": [str(error) for error in self.errors],
        }


def gate(
    baseline: Run | Baseline | Path | str | Sequence[Run | Baseline | Path | str],
    *,
    model: str | None = None,
    prompt: PromptFormat | None = None,
    settings: RunSettings | None = None,
    terms: GateTerms | None = None,
    full: bool = False,
    benchmark: Benchmark | Path | str | None = None,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    progress: bool = True,
) -> GateResult:
    """Ask a candidate the questions of a baseline until it is clear whether it got worse.

    The same call again goes on where an earlier one ended, in the same order, and asks nothing
    twice. The candidate is a run like any other: `run` with its settings would ask the rest.

    Args:
        baseline: a run, its folder or its id, or a file that `evalkit baseline set` wrote;
            several, one a benchmark, are judged together.
        model: of the candidate; None: the baseline's.
        prompt: of the candidate; None: that of the settings, or the baseline's.
        settings: of the candidate; None: the baseline's, see `settings_of`. A budget in dollars is
            one for each baseline.
        terms: margin, error, and budget in questions.
        full: ask all questions, for the verdict of a complete run on questions like these.
        benchmark: where the questions come from; None: from the baseline's folder, or for a file
            the benchmark of its name.
        endpoint: None: what ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY name.
        results: the folder in which the candidate's own folder lies, with earlier runs beside it.
        progress: whether to show how it goes on standard error.

    Returns:
        The verdict with every number behind it.

    Raises:
        EvalkitError: the baseline, the model, the key or the folder can't be used; or the endpoint
            answers no more.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import run
        >>> from evalkit.testing import MessagesServer
        >>> settings = RunSettings(way="instructed", limit=10)
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     where = {"endpoint": endpoint, "results": folder, "progress": False}
        ...     baseline = run("everyday", "claude-haiku-4-5", settings=settings, **where)
        ...     found = gate(baseline, model="claude-sonnet-4-5", **where)
        >>> found.verdict in (Verdict.NO_REGRESSION, Verdict.REGRESSED)
        True
    """
    job = gate_async(
        baseline,
        model=model,
        prompt=prompt,
        settings=settings,
        terms=terms,
        full=full,
        benchmark=benchmark,
        endpoint=endpoint,
        results=results,
        progress=progress,
    )
    return run_to_end(job)


async def gate_async(
    baseline: Run | Baseline | Path | str | Sequence[Run | Baseline | Path | str],
    *,
    model: str | None = None,
    prompt: PromptFormat | None = None,
    settings: RunSettings | None = None,
    terms: GateTerms | None = None,
    full: bool = False,
    benchmark: Benchmark | Path | str | None = None,
    endpoint: Endpoint | None = None,
    results: Path | str = "results",
    progress: bool = True,
) -> GateResult:
    """The same as `gate`, to be awaited.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import run
        >>> from evalkit.testing import MessagesServer
        >>> settings = RunSettings(way="instructed", limit=10)
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     where = {"endpoint": endpoint, "results": folder, "progress": False}
        ...     baseline = run("everyday", "claude-haiku-4-5", settings=settings, **where)
        ...     found = asyncio.run(gate_async(baseline, model="claude-sonnet-4-5", **where))
        >>> len(found.gates)
        1
    """

    def prepare() -> list[Contest]:
        named = [baseline] if isinstance(baseline, Run | Baseline | Path | str) else list(baseline)
        source = load_benchmark(benchmark) if isinstance(benchmark, Path | str) else benchmark
        contests = []
        for each in named:
            known = load_baseline(each, Path(results))
            chosen = settings or settings_of(known, model=model)
            if prompt is not None:
                chosen = replace(chosen, prompt=prompt)
            contests.append(set_up(known, source, model, chosen))
        return contests

    result = await run_gates(
        await asyncio.to_thread(prepare),
        terms or GateTerms(),
        asks_all=full,
        endpoint=endpoint,
        results=Path(results),
        progress=progress,
        say=print_to_stderr if progress else ignore,
    )
    if result.errors:
        raise result.errors[0]
    return result


def set_up(
    baseline: Baseline, benchmark: Benchmark | None, model: str | None, settings: RunSettings
) -> Contest:
    """See to it that a candidate can be asked what its baseline was asked.

    Raises:
        UsageError: the questions are not at hand, or have changed; or the candidate can't be asked
            one question after the other.
    """
    check_repeatable(baseline)
    if settings.batch or settings.has_workers:
        raise UsageError(
            "a gate stops when the verdict is clear: it asks directly, by neither batches nor "
            "workers, which take many questions at once"
        )
    if benchmark is None:
        benchmark = benchmark_of(baseline, shots=settings.shots)
    elif baseline.run is None or not baseline.keeps_content:
        benchmark = take_part(baseline, benchmark)
    # Else `evalkit.gates` compares question by question.
    if settings.prompt is None:
        check_prompt(baseline, benchmark)
    return Contest(
        baseline=baseline,
        benchmark=benchmark,
        model=model or baseline.identity.model,
        settings=settings,
    )


@dataclass(kw_only=True, eq=False)
class Hall:
    """What the gates of one command share, and what has come of them."""

    terms: GateTerms
    asks_all: bool
    results: Path
    progress: bool
    say: Say
    session: Session
    records: dict[int, GateRecord] = field(default_factory=dict)
    """By the place of the contest."""
    errors: list[EvalkitError] = field(default_factory=list)


async def run_gates(
    contests: Sequence[Contest],
    terms: GateTerms,
    *,
    asks_all: bool = False,
    suites: int | None = None,
    endpoint: Endpoint | None,
    results: Path,
    progress: bool,
    say: Say,
    keep_files: bool = False,
) -> GateResult:
    """Hold several gates side by side; an error ends the gate that it concerns, not the others.

    Args:
        contests: at least one, each of another benchmark.
        terms: of each of them; the number of suites is filled in.
        asks_all: whether all questions are asked, for the verdict of complete runs.
        suites: how many are judged together, those of other calls included; None: these.
        endpoint: None: what the environment names.
        results: the folder of all runs.
        progress: whether to show how it goes.
        say: takes a line for the user.
        keep_files: leave uploaded pictures at the endpoint.

    Raises:
        UsageError: two are of one benchmark, or a budget is given where all is asked.
    """
    names = [contest.benchmark.name for contest in contests]
    if len(set(names)) < len(names):
        raise UsageError(f"one baseline a benchmark: these are of {', '.join(names)}")
    if asks_all and terms.budget is not None:
        raise UsageError(f"a budget of {terms.budget} questions, or all of them: not both")
    terms = replace(terms, suites=suites or len(contests))
    if not asks_all:
        contests = cap_concurrency(contests, terms)
    models = dict.fromkeys(contest.model for contest in contests)
    embedded = [model for model in models if is_local(model)]
    async with Session(keep_files=keep_files, say=say) as session:
        hall = Hall(
            terms=terms,
            asks_all=asks_all,
            results=results,
            progress=progress,
            say=say,
            session=session,
        )
        numbered = list(enumerate(contests))
        async with asyncio.TaskGroup() as group:
            for model in models:
                if model not in embedded:
                    group.create_task(hold_models([model], numbered, endpoint, hall))
            group.create_task(hold_models(embedded, numbered, endpoint, hall))
    gates = tuple(hall.records[place] for place in sorted(hall.records))
    return GateResult(gates=gates, errors=tuple(hall.errors))


def cap_concurrency(contests: Sequence[Contest], terms: GateTerms) -> list[Contest]:
    """Keep what is in flight well below the questions expected, where the user sets no number."""
    expected = sum(
        expected_questions(
            contest.baseline.questions,
            delta=terms.margin,
            drop=0.0,
            flips=0.05,
            alpha=terms.alpha,
        )
        for contest in contests
    )
    most = max(LEAST_AT_ONCE, math.floor(IN_FLIGHT * expected))

    def cap(settings: RunSettings) -> RunSettings:
        if settings.concurrency is not None:
            return settings
        return replace(settings, max_concurrency=min(settings.max_concurrency, most))

    return [replace(contest, settings=cap(contest.settings)) for contest in contests]


async def hold_models(
    models: Sequence[str],
    contests: Sequence[tuple[int, Contest]],
    endpoint: Endpoint | None,
    hall: Hall,
) -> None:
    """Hold the gates of some models, one model after the other."""
    for model in models:
        own = [(place, contest) for place, contest in contests if contest.model == model]
        with caught(hall):
            async with AsyncExitStack() as stack:
                opening = open_target(model, endpoint, say=hall.say)
                # An embedded model takes seconds to start, and longer to be fetched.
                target = await asyncio.to_thread(opening.__enter__)
                stack.push_async_callback(asyncio.to_thread, opening.__exit__, None, None, None)
                await hold_all(target, own, hall)


async def hold_all(target: Target, contests: Sequence[tuple[int, Contest]], hall: Hall) -> None:
    """Hold the gates of one model: side by side, or one after another if it is embedded."""
    if target.is_embedded:
        for place, contest in contests:
            await hold(target, place, contest, hall)
        return
    async with asyncio.TaskGroup() as group:
        for place, contest in contests:
            group.create_task(hold(target, place, contest, hall))


async def hold(target: Target, place: int, contest: Contest, hall: Hall) -> None:
    """Hold one gate."""
    referee = GateReferee(
        baseline=contest.baseline,
        terms=hall.terms,
        asks_all=hall.asks_all,
        results=hall.results,
        say=hall.say,
    )
    with caught(hall):
        await run_at_target(
            contest.benchmark,
            target,
            settings=contest.settings,
            results=hall.results,
            progress=hall.progress,
            say=hall.say,
            session=hall.session,
            referee=referee,
        )
        assert referee.record is not None, "it was told that the run has ended"
        hall.records[place] = referee.record


@contextmanager
def caught(hall: Hall) -> Iterator[None]:
    """Note an error, and go on with the other gates."""
    try:
        yield
    except EvalkitError as error:
        hall.errors.append(error)
