"""The checks of a project carried out: each gate held, each threshold looked at."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.api.endpoint import API_VERSION, Endpoint, endpoint_from_environment
from evalkit.baselines import Baseline, load_baseline
from evalkit.benchmarks import Benchmark, load_benchmark, load_definition
from evalkit.candidates import settings_of
from evalkit.check_results import CheckResult, ThresholdResult, count_spent
from evalkit.checks import CheckCase, Project
from evalkit.errors import EvalkitError, RunError, UsageError
from evalkit.evaluation import run_async
from evalkit.flips import list_flips
from evalkit.gates import ASSUMED_FLIPS
from evalkit.gating import Contest, run_gates, set_up
from evalkit.models.catalogue import find_model
from evalkit.models.local import is_local
from evalkit.models.model import FREE
from evalkit.orders import design_of
from evalkit.progress import Say, ignore, print_to_stderr
from evalkit.refereeing import estimate_price
from evalkit.results import Run, load_run
from evalkit.running_loop import run_to_end
from evalkit.runs.folder import JOURNAL
from evalkit.settings import RunSettings
from evalkit.stats.costs import expected_questions

SHORT_SECONDS, LONG_SECONDS = 120.0, 600.0
"""For one attempt: where a model answers at once, and where it thinks first."""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What a check would ask, found out without asking."""

    case: CheckCase
    questions: int
    """Of the set, or the baseline."""
    expected: int
    """About so many would be used if nothing has changed; all of them for a threshold."""
    price: float | None
    """Dollars for those; None: not known."""

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return {
            "id": self.case.id,
            "model": self.case.model,
            "questions": self.questions,
            "expected": self.expected,
            "price": self.price,
        }


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """A case made ready: its questions, and how they are asked."""

    benchmark: Benchmark
    settings: RunSettings
    contest: Contest | None
    """None: there is no gate."""


def check(
    project: Project,
    names: Sequence[str] = (),
    *,
    endpoint: Endpoint | None = None,
    progress: bool = True,
) -> tuple[CheckResult, ...]:
    """Carry out the checks of a project; the same call again asks nothing twice.

    Args:
        project: as `load_project` read it.
        names: of checks; none: all.
        endpoint: None: what the file, ANTHROPIC_BASE_URL and ANTHROPIC_API_KEY name.
        progress: whether to show how it goes on standard error.

    Returns:
        A result for each check and model; an error of one is its result, and ends no other.

    Raises:
        UsageError: there is no check of a name.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, load_project
        >>> from evalkit.testing import MessagesServer
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     path = Path(folder) / "evalkit.toml"
        ...     keys = "benchmark = 'everyday', model = 'claude-haiku-4-5', way = 'tool'"
        ...     rest = "limit = 9, threshold = 1, baseline = false"
        ...     _ = path.write_text(f"checks.one = {{ {keys}, {rest} }}")
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     [found] = check(load_project(path), endpoint=endpoint, progress=False)
        >>> found.case.check.name
        'one'
    """
    return run_to_end(check_async(project, names, endpoint=endpoint, progress=progress))


async def check_async(
    project: Project,
    names: Sequence[str] = (),
    *,
    endpoint: Endpoint | None = None,
    progress: bool = True,
) -> tuple[CheckResult, ...]:
    """The same as `check`, to be awaited.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, load_project
        >>> from evalkit.testing import MessagesServer
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     path = Path(folder) / "evalkit.toml"
        ...     keys = "benchmark = 'everyday', model = 'claude-haiku-4-5', way = 'tool'"
        ...     rest = "limit = 9, threshold = 0, baseline = false"
        ...     _ = path.write_text(f"checks.one = {{ {keys}, {rest} }}")
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     job = check_async(load_project(path), endpoint=endpoint, progress=False)
        ...     [found] = asyncio.run(job)
        >>> str(found.status)
        'passed'
    """
    return await hold_cases(
        project,
        project.choose(names),
        endpoint=endpoint,
        progress=progress,
        say=print_to_stderr if progress else ignore,
    )


async def hold_cases(
    project: Project,
    cases: Sequence[CheckCase],
    *,
    endpoint: Endpoint | None = None,
    progress: bool,
    say: Say,
) -> tuple[CheckResult, ...]:
    """Carry out some checks, one after the other: they share limits, budget, and engines."""
    results: list[CheckResult] = []
    for case in cases:
        left = None if project.dollars is None else project.dollars - count_spent(results)
        results.append(
            await hold_case(
                project, case, endpoint=endpoint, dollars=left, progress=progress, say=say
            )
        )
    return tuple(results)


async def hold_case(
    project: Project,
    case: CheckCase,
    *,
    endpoint: Endpoint | None,
    dollars: float | None,
    progress: bool,
    say: Say,
) -> CheckResult:
    """Carry out one check for one model.

    Args:
        project: where things lie, and how many gates are judged together.
        case: the check.
        endpoint: None: what the file and the environment name.
        dollars: what is left of the budget of all checks; None: there is none.
        progress: whether to show how it goes.
        say: takes a line for the user.
    """
    before = await asyncio.to_thread(measure_journals, project.results)
    result = await carry_out(
        project, case, endpoint=endpoint, dollars=dollars, progress=progress, say=say
    )
    if result.error is None:
        return result
    broken_off = await asyncio.to_thread(find_broken_off, project.results, before)
    return replace(result, broken_off=broken_off)


async def carry_out(
    project: Project,
    case: CheckCase,
    *,
    endpoint: Endpoint | None,
    dollars: float | None,
    progress: bool,
    say: Say,
) -> CheckResult:
    """Hold the gate of a check and look at its level, as far as no error ends it."""
    result = CheckResult(case=case)
    try:
        plan = await asyncio.to_thread(arrange, project, case, dollars)
        server = endpoint or find_endpoint(project, case, plan)
        if plan.contest is not None:
            done = await run_gates(
                [plan.contest],
                case.check.terms,
                asks_all=case.check.full,
                suites=project.suites,
                endpoint=server,
                results=project.results,
                progress=progress,
                say=say,
            )
            if done.errors:
                return replace(result, error=done.errors[0])
            [record] = done.gates
            result = replace(result, gate=record)
            flips = await asyncio.to_thread(list_flips, record)
            result = replace(result, flips=flips)
        if case.check.threshold is not None:
            run = await run_async(
                plan.benchmark,
                case.model,
                settings=plan.settings,
                endpoint=server,
                results=project.results,
                progress=progress,
            )
            level = find_level(
                run, case.check.threshold, has_budget=plan.settings.budget is not None
            )
            result = replace(result, level=level)
    except EvalkitError as error:
        return replace(result, error=error)
    return result


def measure_journals(results: Path) -> dict[Path, int]:
    """The size in bytes of the journal of each run."""
    sizes = {}
    for path in results.glob(f"*/{JOURNAL}"):
        # Whoever else works here may clear a folder away meanwhile.
        with suppress(OSError):
            sizes[path] = path.stat().st_size
    return sizes


def find_broken_off(results: Path, before: Mapping[Path, int]) -> dict[str, float]:
    """What the runs have cost that got replies since: an error does not say which it ended.

    Args:
        results: where they lie.
        before: the sizes of their journals.

    Returns:
        Dollars by folder; a run that can't be read is left out.
    """
    spent = {}
    for path, size in measure_journals(results).items():
        if size != before.get(path):
            with suppress(EvalkitError):
                spent[str(path.parent)] = load_run(path.parent).cost or 0.0
    return spent


def arrange(project: Project, case: CheckCase, dollars: float | None = None) -> Arrangement:
    """Read the questions and the baseline of a case, and settle how it is asked.

    Raises:
        EvalkitError: something can't be read, or the money is spent.
    """
    check, changes = case.check, dict(case.check.settings)
    limits = [limit for limit in (check.dollars, dollars) if limit is not None]
    if limits and min(limits) <= 0:
        raise BudgetSpent("the budget of all checks is spent: a larger one goes on")
    benchmark = load_benchmark(check.benchmark, data_folder=project.data)
    baseline = find_case_baseline(case)
    if baseline is None:
        settings = RunSettings(**changes)
    else:
        settings = replace(
            settings_of(baseline, model=case.model, way=changes.pop("way", None)), **changes
        )
    settings = replace(
        settings,
        prompt=check.prompt or benchmark.definition.prompt,
        budget=min(limits) if limits else None,
    )
    contest = None
    if baseline is not None:
        contest = set_up(baseline, benchmark, case.model, settings)
        benchmark = contest.benchmark
    return Arrangement(benchmark=benchmark, settings=settings, contest=contest)


class BudgetSpent(RunError):
    """Nothing is left to ask with; a larger budget goes on."""


def find_case_baseline(case: CheckCase) -> Baseline | None:
    """The baseline of a case; None if it has no gate.

    Raises:
        UsageError: it is not there yet.
        RunFormatError: it can't be read, or was changed.
    """
    path = case.baseline
    if path is None:
        return None
    if not path.exists():
        raise UsageError(
            f"there is no baseline {path} yet: `evalkit baseline make {case.check.name}` asks all "
            "questions of a check in evalkit.toml and writes it; `evalkit baseline set RUN "
            f"--to {path}` takes it from a run; baseline = false checks a threshold alone"
        )
    return load_baseline(path, path.parent)


def find_endpoint(project: Project, case: CheckCase, plan: Arrangement) -> Endpoint | None:
    """The server to ask; None for an embedded model.

    Raises:
        UsageError: the official API is meant, but there is no key.
    """
    if is_local(case.model):
        return None
    contest = plan.contest
    return endpoint_from_environment(
        project.base_url,
        version=API_VERSION if contest is None else contest.baseline.identity.api_version,
        timeout_seconds=LONG_SECONDS if plan.settings.way == "reasoned" else SHORT_SECONDS,
    )


def find_level(run: Run, threshold: float, *, has_budget: bool) -> ThresholdResult:
    """An accuracy against its threshold.

    Args:
        run: which came to its end, if only because a budget was spent.
        threshold: a fraction in [0, 1].
        has_budget: whether what it may cost was limited.
    """
    summary = run.summary
    return ThresholdResult(
        threshold=threshold,
        mean=summary.mean,
        n=summary.asked,
        interval=summary.accuracy,
        is_complete=run.is_complete,
        benchmark=run.manifest.identity.benchmark,
        folder=str(run.path),
        spent=run.cost,
        # A request that failed is another matter: with more money it may fail again.
        is_out_of_money=has_budget and summary.not_asked > 0 and summary.failed == 0,
    )


def outline(project: Project, case: CheckCase) -> Outline:
    """What a check would ask and cost, without asking anybody; answers at hand are not counted.

    Raises:
        EvalkitError: something can't be read.
    """
    plan = arrange(project, case)
    size = len(plan.benchmark.question_set.questions)
    size = min(size, plan.settings.limit or size)
    count = float(size)
    price = 0.0 if is_local(case.model) else None
    if plan.contest is not None:
        baseline, terms = plan.contest.baseline, case.check.terms
        if case.check.threshold is None and not case.check.full:
            flips = ASSUMED_FLIPS if baseline.own_flips is None else baseline.own_flips
            count = expected_questions(
                size, delta=terms.margin, drop=0.0, flips=max(flips, 0.002), alpha=terms.alpha
            )
            count = min(count, terms.budget or count)
        facts = FREE if is_local(case.model) else find_model(case.model).price
        answers = replace(design_of(baseline.identity), samples=plan.settings.samples)
        dollars = estimate_price(baseline, facts, answers.count_of(baseline.most_choices))
        price = None if dollars is None else dollars * count
    return Outline(case=case, questions=size, expected=math.ceil(count), price=price)


async def make_baseline(
    project: Project, case: CheckCase, *, endpoint: Endpoint | None, progress: bool, say: Say
) -> Run:
    """Ask all questions of a case as it stands, for its baseline.

    Raises:
        EvalkitError: the questions, the model or the key can't be used.
    """
    check = case.check
    benchmark = await asyncio.to_thread(load_benchmark, check.benchmark, data_folder=project.data)
    limits = [limit for limit in (check.dollars, project.dollars) if limit is not None]
    settings = replace(
        RunSettings(**check.settings), prompt=check.prompt, budget=min(limits, default=None)
    )
    plan = Arrangement(benchmark=benchmark, settings=settings, contest=None)
    say(f"{case.id}: asking all questions for the baseline")
    return await run_async(
        benchmark,
        case.model,
        settings=settings,
        endpoint=endpoint or find_endpoint(project, case, plan),
        results=project.results,
        progress=progress,
    )


def place_baseline(project: Project, run: Run) -> Path | None:
    """Where the file would have the baseline that a run makes; None: it has no place for it.

    Raises:
        UsageError: there are several places.
    """
    identity = run.manifest.identity
    found = dict.fromkeys(
        path
        for case in project.cases
        if case.model == identity.model and (path := case.baseline) is not None
        if load_definition(case.check.benchmark).name == identity.benchmark
    )
    if len(found) > 1:
        words = ", ".join(map(str, found))
        raise UsageError(
            f"{project.path} has several places for this run: name one by --to {words}"
        )
    return next(iter(found), None)
