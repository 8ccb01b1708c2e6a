"""A run's questions shared out among processes, of this machine or of a cluster.

Each worker asks the questions of one part after another and writes what comes back where all can
read it; this process gathers it into the run's journal. An engine that exists starts the workers,
and starts the part of a lost one anew, which then asks only what is not written down.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import math
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from evalkit.api.breaker import Breaker
from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint, endpoint_from_environment
from evalkit.desk import Desk
from evalkit.errors import EvalkitError, MissingExtraError, RunError, UsageError
from evalkit.jobs import Job
from evalkit.progress import Say, ignore
from evalkit.questions import Question
from evalkit.runs.budget import Budget
from evalkit.runs.concurrency import ConcurrencyLimit
from evalkit.runs.costs import cost_of_rows
from evalkit.runs.folder import compress_questions
from evalkit.runs.journal import JournalRow
from evalkit.runs.limiter import Limiter
from evalkit.runs.pacing import Pace
from evalkit.runs.parts import PartStore, PartWriter
from evalkit.runs.standing import Standing
from evalkit.sending import Courier, collect_images
from evalkit.settings import Engine, RunSettings

PARTS_PER_WORKER = 4
"""So that a part of a lost worker is a small one, and all workers end at about the same time."""

LOOK_SECONDS = 0.5
"""Between two looks at what workers have written, and at whether they are to stop."""

MOST_LOSSES = 5
"""So many times workers may get lost before the run ends."""

EXTRAS: dict[Engine, str] = {"dask": "distributed", "ray": "ray"}
"""The module that an engine needs, which is in the extra of its name."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one worker is to ask."""

    number: int
    workers: int
    """At work at the same time, each with its share of the limits."""
    store: PartStore
    job: Job
    """With the first question alone; the others are read from the store."""
    places: array[int]
    """Positions of the questions to ask, ascending."""
    standing: Standing
    """What is known of them."""
    settings: RunSettings
    endpoint: Endpoint
    """Without the key: each worker reads it from its own environment."""
    has_images: bool
    dollars: float | None
    """The part's share of the budget."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a part ended."""

    part: int
    is_spent: bool
    """Whether its share of the budget let no more requests go."""
    error: EvalkitError | None = None
    """Why no further question would be answered."""


# The worker's side


def ask_part(part: Part) -> Report:
    """Ask the questions of a part, or what is left of them."""
    return asyncio.run(ask_part_async(part))


async def ask_part_async(part: Part) -> Report:
    """The same, within an event loop."""
    own = list(part.store.read(part.number))
    for row in own:
        part.standing.add(row)
    lines: list[str] = []
    desk = Desk(
        job=part.job,
        settings=part.settings,
        client=MessagesClient(read_key(part.endpoint), find_most(part)),
        limiter=build_limiter(part, lines.append),
        courier=build_courier(part),
        budget=Budget(
            part.dollars,
            part.job.facts,
            spent=cost_of_rows(own, part.job.facts.price) or 0.0,
            lost=math.fsum(row.lost_dollars for row in own),
        ),
        standing=part.standing,
        say=ignore,
        questions=PartQuestions(part),
    )
    error: EvalkitError | None = None
    async with desk.client, PartWriter(part.store, part.number, lambda rows: None) as writer:
        desk.writer = writer
        watching = asyncio.create_task(watch_for_stop(part.store, desk))
        try:
            await desk.ask_directly(desk.list_missing())
        except EvalkitError as problem:
            error = problem
        finally:
            watching.cancel()
    return Report(part=part.number, is_spent=desk.budget.is_spent, error=error)


@dataclass(frozen=True)
class PartQuestions:
    """The questions of a part, read anew each time, one at a time."""

    part: Part

    def __iter__(self) -> Iterator[Question]:
        places = iter(self.part.places)
        wanted = next(places, None)
        for place, question in enumerate(self.part.store.read_questions()):
            if wanted is None:
                return
            if place == wanted:
                yield question
                wanted = next(places, None)


def read_key(endpoint: Endpoint) -> Endpoint:
    """An endpoint with the key that this process finds in its environment."""
    return endpoint_from_environment(
        endpoint.base_url, version=endpoint.version, timeout_seconds=endpoint.timeout_seconds
    )


def find_most(part: Part) -> int:
    """How many requests one worker may have under way."""
    most = part.settings.concurrency or part.settings.max_concurrency
    return max(1, most // part.workers)


def build_limiter(part: Part, say: Say) -> Limiter:
    """A worker's share of what the model may be asked."""
    is_fixed = part.settings.concurrency is not None
    return Limiter(
        ConcurrencyLimit(find_most(part), is_fixed=is_fixed),
        Pace(part.settings.per_minute, now=time.monotonic(), share=1 / part.workers),
        Breaker(part.settings.retries.outage),
        say=say,
    )


def build_courier(part: Part) -> Courier:
    """Who makes a worker's requests ready."""
    images = collect_images(PartQuestions(part)) if part.has_images else {}
    return Courier(
        facts=part.job.facts,
        limits=part.job.image_limits,
        images={**images, **collect_images(part.job.examples)},
        resize=part.settings.resize,
        cache=part.settings.cache,
    )


async def watch_for_stop(store: PartStore, desk: Desk) -> None:
    """Have the worker start nothing more as soon as it is to stop."""
    while not desk.is_stopped:
        await asyncio.sleep(LOOK_SECONDS)
        desk.is_stopped = await asyncio.to_thread(store.is_stopped)


# The side of the process that gathers


async def ask_by_workers(store: PartStore, desk: Desk, endpoint: Endpoint) -> bool:
    """Have workers ask what is missing, and take what they bring.

    Args:
        store: where they write.
        desk: the run's.
        endpoint: where they ask.

    Returns:
        Whether the budget let no more requests go.

    Raises:
        EvalkitError: no further question would be answered, or workers get lost again and again.
    """
    check_engine(desk.settings.engine)
    gatherer = Gatherer(store, desk)
    await asyncio.to_thread(gatherer.take_left)
    questions = b"".join(compress_questions(desk.job.questions))
    await asyncio.to_thread(store.prepare, questions)
    parts = await asyncio.to_thread(lambda: list(cut_into_parts(store, desk, endpoint)))
    asking = asyncio.create_task(asyncio.to_thread(run_parts, parts, desk.settings, desk.say))
    try:
        while not asking.done():
            await asyncio.wait([asking], timeout=LOOK_SECONDS)
            await gatherer.take_new()
    except asyncio.CancelledError:
        # What is under way is paid for: it is waited for and kept.
        await asyncio.to_thread(store.stop)
        with suppress(EvalkitError):
            await asking
        await gatherer.take_new()
        raise
    reports = asking.result()
    await gatherer.take_new()
    await desk.writer.flush()
    await asyncio.to_thread(store.clear)
    for report in reports:
        if report.error is not None:
            raise report.error
    return any(report.is_spent for report in reports)


class Gatherer:
    """Brings what workers write into the run's journal."""

    def __init__(self, store: PartStore, desk: Desk) -> None:
        self.store, self.desk = store, desk
        self._by_id: dict[str, Question] = {}
        if desk.is_watched:
            self._by_id = {question.id: question for question in desk.job.questions}

    def take_left(self) -> None:
        """Take what workers of an earlier process have left; what failed then is asked again."""
        for row in self.store.read():
            if row.is_response:
                self._take(row)

    async def take_new(self) -> None:
        """Take what they have written since the last time."""
        for row in await asyncio.to_thread(lambda: list(self.store.read_new())):
            self._take(row)

    def _take(self, row: JournalRow) -> None:
        """Take a row, unless its request was answered: a part that is taken over may repeat one."""
        if row.request_id not in self.desk.standing.answered:
            self.desk.accept(row, self._by_id.get(row.question_id))


def cut_into_parts(store: PartStore, desk: Desk, endpoint: Endpoint) -> Iterator[Part]:
    """Share out the questions of which something is missing, in turns."""
    job, settings = desk.job, desk.settings
    # It is pickled with its part, so that it names the features that may be refused.
    lean = replace(job, questions=job.questions[:1])
    _ = lean.first_body
    places = find_missing(desk)
    count = max(1, min(len(places), settings.workers * PARTS_PER_WORKER))
    dollars = None
    if desk.budget.dollars is not None:
        dollars = max(0.0, desk.budget.dollars - desk.budget.spent - desk.budget.lost)
    for number in range(count):
        own = places[number::count]
        if own:
            yield Part(
                number=number,
                workers=min(settings.workers, count),
                store=store,
                job=lean,
                places=own,
                standing=narrow(desk.standing, job, [job.questions[place] for place in own]),
                settings=settings,
                endpoint=replace(endpoint, api_key=None, auth_token=None),
                has_images=any(question.images for question in job.questions),
                dollars=None if dollars is None else dollars * len(own) / len(places),
            )


def narrow(standing: Standing, job: Job, questions: Sequence[Question]) -> Standing:
    """What a standing says of some questions."""
    if not (standing.answered or standing.failed):
        return Standing()
    ids = {request.id for request in job.list_requests(questions)}
    cut = {name: row for name, row in standing.cut.items() if name in ids}
    by_id = {question.id: question for question in questions}
    again = [job.find_retake(by_id[row.question_id], row) for row in cut.values()]
    ids.update(request.id for request in again if request is not None)
    return Standing(
        answered=standing.answered & ids,
        failed=standing.failed & by_id.keys(),
        futile=standing.futile & ids,
        cut=cut,
    )


def find_missing(desk: Desk) -> array[int]:
    """The positions of the questions of which a response is missing."""
    job, standing = desk.job, desk.standing
    if not standing.answered:
        return array("Q", range(len(job.questions)))
    at = {question.id: place for place, question in enumerate(job.questions)}
    missing = {at[question.id] for question, _ in job.list_missing(standing)}
    return array("Q", sorted(missing))


def check_engine(engine: Engine) -> None:
    """Refuse an engine that is not installed.

    Raises:
        MissingExtraError: naming the extra.
    """
    module = EXTRAS.get(engine)
    if module is not None and importlib.util.find_spec(module) is None:
        raise MissingExtraError(f"--engine {engine}", engine)


def run_parts(parts: Sequence[Part], settings: RunSettings, say: Say) -> list[Report]:
    """Have an engine work on the parts until all are done.

    Raises:
        RunError: workers get lost again and again.
    """
    import joblib
    from joblib.externals.loky.process_executor import BrokenProcessPool

    losses = 0
    with open_engine(settings) as backend:
        while True:
            try:
                with joblib.parallel_config(backend=backend, n_jobs=settings.workers):
                    pool = joblib.Parallel(batch_size=1, pre_dispatch="all")
                    return list(pool(joblib.delayed(ask_part)(part) for part in parts))
            except BrokenProcessPool as error:
                losses += 1
                if losses > MOST_LOSSES:
                    raise RunError(f"workers got lost {losses} times: {error}") from error
                say("A worker got lost; its part is taken over")


@contextmanager
def open_engine(settings: RunSettings) -> Iterator[str]:
    """The name under which joblib knows an engine, ready to be used.

    Raises:
        UsageError: the cluster can't be reached.
    """
    if settings.engine == "dask":
        with open_dask(settings):
            yield "dask"
    elif settings.engine == "ray":
        import ray
        from ray.util.joblib import register_ray

        register_ray()
        ray.init(address=settings.cluster, num_cpus=None if settings.cluster else settings.workers)
        try:
            yield "ray"
        finally:
            ray.shutdown()
    else:
        yield "loky"


@contextmanager
def open_dask(settings: RunSettings) -> Iterator[Any]:
    """A client of a Dask cluster, of one on this machine if none is named.

    Raises:
        UsageError: the cluster can't be reached.
    """
    distributed: Any = importlib.import_module("distributed")
    if settings.cluster is None:
        cluster = distributed.LocalCluster(
            n_workers=settings.workers, threads_per_worker=1, dashboard_address=None
        )
        with cluster, distributed.Client(cluster) as client:
            yield client
        return
    try:
        client = distributed.Client(settings.cluster, timeout=30)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(f"no Dask scheduler at {settings.cluster}: {error}") from error
    with client:
        yield client
