"""A run's questions shared out among workers, and what they bring put into the run's journal."""

from __future__ import annotations

import asyncio
import math
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

from evalkit.api.endpoint import Endpoint
from evalkit.desk import Desk
from evalkit.engines import check_engine, open_engine
from evalkit.errors import EvalkitError, RunError, UsageError
from evalkit.jobs import Job
from evalkit.questions import Question
from evalkit.requests import Request
from evalkit.runs.journal import GROUP_ROWS, JournalRow
from evalkit.runs.parts import PartStore
from evalkit.runs.standing import Standing
from evalkit.settings import RunSettings
from evalkit.workers import LOOK_SECONDS, Part, Report, read_key

PARTS_PER_WORKER = 4
"""So that all workers end at about the same time, however fast each is."""

FEW_QUESTIONS = 100
"""A run is not cut into more parts of fewer than that than there are workers."""

MOST_QUESTIONS = 20_000
"""In one part: what a worker needs of memory does not grow with the run."""

BEAT_SECONDS = 2.0
"""Between two signs to the workers that they are to go on."""

LEAST_REQUESTS = 4
"""A part's share of a budget is enough for so many requests even at the worst."""


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
    check_key(endpoint, desk.settings)
    gatherer = Gatherer(store, desk)
    await gatherer.begin()
    try:
        # One request shows what would end the run, or what the endpoint refuses, before many do.
        await desk.ask_directly(gatherer.list_first(), first_alone=True)
        return desk.budget.is_spent or await ask_in_rounds(gatherer, endpoint)
    finally:
        await gatherer.end()


async def ask_in_rounds(gatherer: Gatherer, endpoint: Endpoint) -> bool:
    """Share out what is missing until there is no more, or no worker gets on.

    A further round shares out what the parts have left of a budget.

    Returns:
        Whether the budget let no more requests go.
    """
    answered = gatherer.desk.standing.answered
    while True:
        before = len(answered)
        parts = await asyncio.to_thread(list, gatherer.cut_into_parts(endpoint))
        if not parts or gatherer.is_late:
            return False
        reports = await gatherer.ask(parts)
        if all(report.is_done for report in reports) or gatherer.is_late:
            return False
        if len(answered) == before:
            return any(report.is_spent for report in reports)


def check_key(endpoint: Endpoint, settings: RunSettings) -> None:
    """Refuse a key that workers of this machine would not find.

    Raises:
        UsageError: it is not in the environment, or there is another one.
    """
    is_here = settings.cluster is None
    if is_here and read_key(endpoint).headers() != endpoint.headers():
        raise UsageError(
            "workers read the key from their environment, where there is another one or none: "
            "set ANTHROPIC_API_KEY"
        )


class Gatherer:
    """Gives workers their parts, and brings what they write into the run's journal.

    Args:
        store: where they write.
        desk: the run's.
    """

    def __init__(self, store: PartStore, desk: Desk) -> None:
        self.store, self.desk = store, desk
        self._touched: set[str] | None = None
        """The only questions of which the journal may say something; None: it may be any."""
        self._done: set[int] = set()
        """Parts of which all rows have been there at the last look."""
        self._next = 0
        """The number of the next part: none is given twice."""
        self._is_stopped = False
        seconds = desk.settings.deadline_seconds
        self._deadline = math.inf if seconds is None else self._now() + seconds

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    @property
    def is_late(self) -> bool:
        """Whether nothing is to be started any more."""
        return self._now() >= self._deadline

    async def begin(self) -> None:
        """Take what workers of an earlier process have left.

        Raises:
            UsageError: there is no such kind of storage.
            RunError: it can't be used.
        """
        if await asyncio.to_thread(self.store.claim):
            # Those that are still at work see that they are to stop, and end what is under way.
            await asyncio.sleep(2 * LOOK_SECONDS)
            await self.take_new()
            await self.desk.writer.flush()
            await asyncio.to_thread(self.store.clear)
            await asyncio.to_thread(self.store.claim)
            self.desk.given_up.clear()  # what failed then is asked again

    async def end(self) -> None:
        """Leave nothing behind once all of it is in the journal."""
        with suppress(EvalkitError):  # what is left is taken by whoever goes on with the run
            await self.take_new()
            await self.desk.writer.flush()
            await asyncio.to_thread(self.store.clear)

    # What workers get

    def list_first(self) -> Iterator[Request]:
        """The first of what is missing, as long as there is no response at all."""
        standing = self.desk.standing
        if not (standing.answered or standing.failed):
            self._touched = set()
        for request in self.desk.list_until_answered():
            if self._touched is not None:
                self._touched.add(request.question_id)
            yield request

    def cut_into_parts(self, endpoint: Endpoint) -> Iterator[Part]:
        """Share out the questions of which something is missing, in turns; writes them down."""
        desk, job, settings = self.desk, self.desk.job, self.desk.settings
        # It is pickled with its part, so that it names the features that may be refused.
        lean = replace(job, questions=job.questions[:1])
        missing = self._find_missing()
        count = count_parts(len(missing), desk, lean)
        left = desk.budget.left
        for place in range(count):
            own = [job.questions[number] for number in missing[place::count]]
            number, self._next = self._next, self._next + 1
            self.store.write_questions(number, own)
            yield Part(
                number=number,
                workers=min(settings.workers, count),
                store=self.store,
                job=lean,
                standing=self._narrow(own),
                # The time is kept here: a later part begins later.
                settings=replace(settings, deadline_seconds=None),
                endpoint=replace(endpoint, api_key=None, auth_token=None),
                has_images=any(question.images for question in own),
                is_cached=desk.courier.cache,
                dollars=None if left is None else left * len(own) / len(missing),
            )

    def _find_missing(self) -> array[int]:
        """The places of the questions of which a response is missing that may yet come."""
        job, touched = self.desk.job, self._touched
        places = array("L")
        for place, question in enumerate(job.questions):
            is_known = touched is None or question.id in touched
            if not is_known or any(
                request.id not in self.desk.given_up
                for _, request in job.list_missing_of(question, self.desk.standing)
            ):
                places.append(place)
        return places

    def _narrow(self, questions: Sequence[Question]) -> Standing:
        """What is known of some questions; what was given up is not to be asked either."""
        job, standing = self.desk.job, self.desk.standing
        by_id = {
            question.id: question
            for question in questions
            if self._touched is None or question.id in self._touched
        }
        ids = {request.id for request in job.list_requests(list(by_id.values()))}
        cut = {name: standing.cut[name] for name in ids if name in standing.cut}
        again = [job.find_retake(by_id[row.question_id], row) for row in cut.values()]
        ids.update(request.id for request in again if request is not None)
        return Standing(
            answered={
                name for name in ids if name in standing.answered or name in self.desk.given_up
            },
            failed=standing.failed & by_id.keys(),
            futile=standing.futile & ids,
            cut=cut,
        )

    # What they bring

    async def ask(self, parts: Sequence[Part]) -> Sequence[Report]:
        """Have workers ask some parts, and take what they bring.

        Raises:
            EvalkitError: no further question would be answered, or workers get lost.
        """
        self._is_stopped, self._touched = False, None
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1)  # it waits for long, which the threads of the loop must not
        asking = loop.run_in_executor(pool, self._run_parts, parts, loop)
        beating = asyncio.create_task(self._give_signs())
        try:
            while not asking.done():
                waited_for: list[asyncio.Future[Any]] = [asking, beating]
                await asyncio.wait(waited_for, timeout=LOOK_SECONDS)
                if beating.done():
                    beating.result()
                await self.take_new()
                self._is_stopped |= self.is_late
            reports = asking.result()
        except BaseException as error:
            # What is under way is paid for: it is waited for and kept.
            self._is_stopped = True
            if isinstance(error, asyncio.CancelledError):
                self.desk.say("Interrupted: waiting for what is under way, which is paid for")
            with suppress(EvalkitError):
                await asking
            with suppress(EvalkitError):
                await self.take_new()
            raise
        finally:
            beating.cancel()
            await asyncio.wait([beating])
            pool.shutdown(wait=False)
        await self.take_new()
        for note in dict.fromkeys(note for report in reports for note in report.notes):
            self.desk.say(note)
        for report in reports:
            if report.error is not None:
                raise report.error
        return reports

    def _run_parts(self, parts: Sequence[Part], loop: asyncio.AbstractEventLoop) -> list[Report]:
        """Keep as many workers busy as there are; runs in a thread."""
        settings = self.desk.settings

        def say(line: str) -> None:
            loop.call_soon_threadsafe(self.desk.say, line)

        with open_engine(settings, say) as ask, ThreadPoolExecutor(settings.workers) as pool:

            def ask_unless_stopped(part: Part) -> Report:
                if self._is_stopped:
                    return Report(part=part.number)
                try:
                    report = ask(part)
                except BaseException:
                    self._is_stopped = True
                    raise
                # What ends one part would end the others.
                self._is_stopped |= report.error is not None
                return report

            return list(pool.map(ask_unless_stopped, parts))

    async def _give_signs(self) -> None:
        """Show workers that this process is there, or tell them to stop."""
        beat, told_at = 0, -math.inf
        while not self._is_stopped:
            if self._now() - told_at >= BEAT_SECONDS:
                beat, told_at = beat + 1, self._now()
                # A sign that is being written would make the folder again after it was cleared.
                sign = asyncio.create_task(asyncio.to_thread(self._give_sign, beat))
                try:
                    await asyncio.shield(sign)
                finally:
                    await asyncio.wait([sign])
            await asyncio.sleep(LOOK_SECONDS / 2)
        await asyncio.to_thread(self.store.give_orders, "stop")
        await asyncio.Event().wait()  # until it is cancelled

    def _give_sign(self, beat: int) -> None:
        orders = self.store.read_orders()
        if orders is not None and orders[0] != self.store.turn:
            raise RunError(f"another process uses {self.store.label} for the same run")
        self.store.give_orders(f"go on {beat}")

    async def take_new(self) -> None:
        """Take what they have written since the last time, and delete what is safe."""
        finished = await asyncio.to_thread(self.store.list_finished)
        groups, waiting = self.store.read_new(), 0
        while (rows := await asyncio.to_thread(next, groups, None)) is not None:
            for row in rows:
                self._take(row)
            waiting += len(rows)
            if waiting >= GROUP_ROWS:
                await self.desk.writer.flush()
                waiting = 0
        if new := finished - self._done:
            await self.desk.writer.flush()
            for part in new:
                await asyncio.to_thread(self.store.discard, part)
            self._done |= new

    def _take(self, row: JournalRow) -> None:
        """Take a row, unless its request was answered: a part that is taken over may repeat one."""
        if row.request_id not in self.desk.standing.answered:
            if not row.is_response:
                self.desk.given_up.add(row.request_id)
            is_watched, job = self.desk.is_watched, self.desk.job
            self.desk.accept(row, job.find_question(row.question_id) if is_watched else None)


def count_parts(missing: int, desk: Desk, lean: Job) -> int:
    """Into how many parts so many questions are cut."""
    workers = desk.settings.workers
    count = min(workers * PARTS_PER_WORKER, missing // FEW_QUESTIONS)
    count = max(workers, count, math.ceil(missing / MOST_QUESTIONS))
    left, worst = desk.budget.left, desk.budget.worst_case(lean.first_body)
    if left is not None and worst > 0:
        count = min(count, max(1, int(left / (LEAST_REQUESTS * worst))))
    return min(count, missing)
