"""What a worker does: it asks the questions of one part of a run.

It writes what comes back where all can read it. If it is lost, another one does the same again,
which asks only what is not written down.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from evalkit.api.breaker import Breaker
from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint, endpoint_from_environment
from evalkit.desk import Desk
from evalkit.errors import EvalkitError, RunError
from evalkit.jobs import Job
from evalkit.progress import Say
from evalkit.questions import Question
from evalkit.runs.budget import Budget
from evalkit.runs.concurrency import ConcurrencyLimit
from evalkit.runs.costs import cost_of_rows
from evalkit.runs.limiter import Limiter
from evalkit.runs.pacing import Pace
from evalkit.runs.parts import PartStore, PartWriter
from evalkit.runs.standing import Standing
from evalkit.sending import Courier, collect_images
from evalkit.settings import RunSettings

LOOK_SECONDS = 0.5
"""Between two looks at what the other side has written."""

SILENT_SECONDS = 30.0
"""A worker goes on for so long without a sign of the process that gathers."""

MOST_NOTES = 20
"""So many different lines for the user are kept of a part."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one worker is to ask."""

    number: int
    workers: int
    """At work at the same time, each with its share of the limits."""
    store: PartStore
    """Where its questions are, and where its rows go."""
    job: Job
    """With the first question alone."""
    standing: Standing
    """What is known of its questions."""
    settings: RunSettings
    endpoint: Endpoint
    """Without the key: each worker reads it from its own environment."""
    has_images: bool
    is_cached: bool
    """Whether a prefix that requests share is marked for the endpoint's cache."""
    dollars: float | None
    """The part's share of the budget."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a part ended."""

    part: int
    is_done: bool = False
    """Whether there is nothing more to ask in it."""
    is_spent: bool = False
    """Whether its share of the budget let no more requests go."""
    error: EvalkitError | None = None
    """Why no further question would be answered."""
    notes: tuple[str, ...] = ()
    """Lines for the user."""


def ask_part(part: Part, parent: int | None = None) -> Report:
    """Ask the questions of a part, or what is left of them.

    Args:
        part: what to ask.
        parent: the process that has to be there; None: it may be on another machine.
    """
    try:
        return asyncio.run(ask_part_async(part, parent))
    except EvalkitError as error:
        return Report(part=part.number, error=error)


async def ask_part_async(part: Part, parent: int | None) -> Report:
    """The same, within an event loop.

    Raises:
        EvalkitError: the storage can't be used, or there is no key.
    """
    lookout = Lookout(part.store, parent)
    if not await asyncio.to_thread(lookout.may_begin):
        return Report(part=part.number)
    if await asyncio.to_thread(part.store.is_finished, part.number):
        return Report(part=part.number, is_done=True)
    notes: dict[str, None] = {}
    desk = await asyncio.to_thread(build_desk, part, lambda line: notes.setdefault(line))
    error: EvalkitError | None = None
    async with desk.client, PartWriter(part.store, part.number) as writer:
        desk.writer = writer
        watching = asyncio.create_task(watch(lookout, desk.stop))
        try:
            await desk.ask_directly(desk.list_missing())
        except EvalkitError as problem:
            error = problem
        finally:
            watching.cancel()
    is_done = not (error or desk.budget.is_spent or desk.stop.is_set())
    if is_done:
        await asyncio.to_thread(part.store.finish, part.number)
    return Report(
        part=part.number,
        is_done=is_done,
        is_spent=desk.budget.is_spent,
        error=error,
        notes=tuple(notes)[:MOST_NOTES],
    )


def build_desk(part: Part, say: Say) -> Desk:
    """What the worker needs, with what an earlier worker has written of the same part."""
    price = part.job.facts.price
    spent = lost = 0.0
    for row in part.store.read(part.number):
        part.standing.add(row)
        # What failed for good is not asked again in the same run.
        part.standing.answered.add(row.request_id)
        spent += cost_of_rows([row], price) or 0.0
        lost += row.lost_dollars
    return Desk(
        job=part.job,
        settings=part.settings,
        client=MessagesClient(read_key(part.endpoint), find_most(part)),
        limiter=build_limiter(part, say),
        courier=build_courier(part),
        budget=Budget(part.dollars, part.job.facts, spent=spent, lost=lost),
        standing=part.standing,
        say=say,
        questions=PartQuestions(part),
        answered_before=True,
    )


@dataclass(frozen=True)
class PartQuestions:
    """The questions of a part, read anew each time, one at a time."""

    part: Part

    def __iter__(self) -> Iterator[Question]:
        return self.part.store.read_questions(self.part.number)


def read_key(endpoint: Endpoint) -> Endpoint:
    """An endpoint with the key that this process finds in its environment.

    Raises:
        UsageError: there is none, and the endpoint needs one.
    """
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
        cache=part.is_cached,
    )


class Lookout:
    """Sees whether the process that gathers is still there and has the worker go on.

    Args:
        store: where it gives its orders.
        parent: a process that has to be there too; None: none has.
    """

    def __init__(self, store: PartStore, parent: int | None = None) -> None:
        self.store, self.parent = store, parent
        self._words, self._heard_at = "", -math.inf

    def may_begin(self) -> bool:
        """Whether the worker is to start at all.

        Raises:
            RunError: it can't read the orders.
        """
        if self.store.read_orders() is None:
            raise RunError(
                f"a worker can't read {self.store.label}: name a place that all of them reach "
                "by --shared"
            )
        return self.may_go_on()

    def may_go_on(self) -> bool:
        """Whether there was a sign lately, and none to stop."""
        if self.parent is not None and os.getppid() != self.parent:
            return False
        now = time.monotonic()
        orders = self.store.read_orders()
        if orders is not None:
            turn, words = orders
            if turn != self.store.turn or words == "stop":
                return False
            if words != self._words:
                self._words, self._heard_at = words, now
        return now - self._heard_at < SILENT_SECONDS


async def watch(lookout: Lookout, stop: asyncio.Event) -> None:
    """Have a worker start nothing more as soon as it is to stop."""
    while await asyncio.to_thread(lookout.may_go_on):
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await stop.wait()
                return
    stop.set()
