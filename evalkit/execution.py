"""A job carried out: what is missing is asked, read, and written down."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from evalkit.api.batches import Batch
from evalkit.api.client import MessagesClient
from evalkit.api.retries import is_safe_to_repeat, is_worth_retrying
from evalkit.elicitation.choose import CONSTRAINED, keeps_to_constraint, refused_feature
from evalkit.errors import ApiError
from evalkit.jobs import Job
from evalkit.logs import log_event
from evalkit.progress import ProgressBar, Say, Vitals, dollars
from evalkit.prompts import build_prompt
from evalkit.questions import Question, digest_of
from evalkit.requests import Request
from evalkit.responses import RequestFailure, Response
from evalkit.results import Run, load_run
from evalkit.runs.batch_log import read_batch_log
from evalkit.runs.batching import BatchRunner
from evalkit.runs.budget import Budget
from evalkit.runs.costs import cost_of_rows, cost_of_usage
from evalkit.runs.folder import RunFolder, create_run_folder
from evalkit.runs.journal import JournalRow, JournalWriter
from evalkit.runs.limiter import Limiter, Ticket
from evalkit.runs.runner import Leave, Result, RunnerSettings, run_requests
from evalkit.runs.standing import Standing
from evalkit.scores import Score, score_question
from evalkit.sending import Courier, collect_images
from evalkit.session import Session
from evalkit.settings import RunSettings

FEW = 20
"""So few requests are not worth another batch: they came back without an answer, or are all that
the rest of a budget would allow."""

MOST_TRIES = 3
"""A request that came back without an answer from so many batches is asked directly."""


async def ask_job(
    job: Job,
    session: Session,
    client: MessagesClient,
    limiter: Limiter,
    results: Path,
    settings: RunSettings,
    *,
    progress: bool,
    say: Say,
) -> Run:
    """Ask what has no response yet, then write the summary.

    Raises:
        ApiError: no further question would be answered.
        RunError: the folder can't be used.
    """
    # Two ways of the same command may turn out to be one run; the second finds all answered.
    async with session.lock(results / job.manifest.identity.folder_name):
        return await ask_alone(
            job, session, client, limiter, results, settings, progress=progress, say=say
        )


async def ask_alone(
    job: Job,
    session: Session,
    client: MessagesClient,
    limiter: Limiter,
    results: Path,
    settings: RunSettings,
    *,
    progress: bool,
    say: Say,
) -> Run:
    """The same, while nobody else of this command uses the folder."""
    kept = job.questions if settings.keep_text else tuple(map(without_text, job.questions))
    folder = await asyncio.to_thread(create_run_folder, results, job.manifest, kept)
    with folder.locked():
        try:
            await ask_missing(
                folder, job, session, client, limiter, settings, progress=progress, say=say
            )
        except ApiError:
            folder.discard_if_empty()
            raise
        return await asyncio.to_thread(finish, folder)


def finish(folder: RunFolder) -> Run:
    """Score a run, and write its summary if it is complete."""
    run = load_run(folder.path)
    if run.is_complete:
        folder.write_summary(run.to_dict())
    return run


async def ask_missing(
    folder: RunFolder,
    job: Job,
    session: Session,
    client: MessagesClient,
    limiter: Limiter,
    settings: RunSettings,
    *,
    progress: bool,
    say: Say,
) -> None:
    """Ask the questions that no row of the journal answers."""
    log_event(logging.INFO, "run", folder=folder.path.name, questions=len(job.questions))
    log = read_batch_log(folder.batch_log_path)
    images = collect_images((*job.questions, *job.examples))
    uploads = bool(images) and settings.images == "file"
    has_files = uploads or bool(log.files_in_use or log.files_left)
    store = await session.open_store(client) if has_files else None
    journal = folder.read_journal()
    desk = Desk(
        job=job,
        settings=settings,
        client=client,
        limiter=limiter,
        courier=Courier(
            facts=job.facts,
            limits=job.image_limits,
            images=images,
            store=store if uploads else None,
            resize=settings.resize,
            # What is shared ends where a question's own conversation begins.
            cache=settings.cache and not any(question.history for question in job.questions),
        ),
        budget=Budget(
            settings.budget,
            job.facts,
            spent=cost_of_rows(journal.rows, job.facts.price) or 0.0,
            lost=journal.lost_dollars,
        ),
        standing=Standing.after(journal.rows),
        say=say,
    )
    earlier = [desk.score(row) for row in journal.rows if row.is_response and desk.is_final(row)]
    good_bytes = journal.good_bytes
    del journal
    bar = ProgressBar(
        job.label,
        job.size,
        earlier,
        shown=progress,
        find_vitals=lambda: Vitals(spend=desk.budget.spent, in_flight=limiter.in_flight),
    )
    del earlier
    try:
        async with JournalWriter(
            folder.journal_path,
            good_bytes=good_bytes,
            on_written=lambda rows: bar.add(
                [desk.score(row) for row in rows if desk.is_final(row)]
            ),
        ) as writer:
            desk.writer, desk.say = writer, bar.aside(say)
            if settings.batch or log.open or log.files_left:
                await desk.ask_by_batch(
                    BatchRunner(
                        client=client,
                        log=log,
                        dress=desk.courier.dress,
                        put=desk.put,
                        flush=writer.flush,
                        show=lambda batch, seconds: bar.note(describe_batch(batch, seconds)),
                        say=desk.say,
                        policy=settings.retries,
                        poll_seconds=settings.poll_seconds,
                        store=store,
                        find_others=folder.find_others_batches,
                        max_requests=settings.batch_size,
                    )
                )
            else:
                await desk.ask_directly(desk.list_missing())
    finally:
        bar.close()
    if desk.budget.is_spent:
        say(describe_end(desk.budget))


@dataclass(kw_only=True, eq=False)
class Desk:
    """Where requests go out and responses come in while a job is under way."""

    job: Job
    settings: RunSettings
    client: MessagesClient
    limiter: Limiter
    courier: Courier
    budget: Budget
    standing: Standing
    """What the journal says so far."""
    say: Say
    writer: JournalWriter = field(init=False)
    _by_id: dict[str, Question] = field(init=False)
    _lost: dict[str, float] = field(default_factory=dict)
    """Dollars that lost attempts may have cost, by request."""
    _failed: set[str] = field(default_factory=set)
    """Requests that failed for good since this process began."""
    _warned: bool = False

    def __post_init__(self) -> None:
        self._by_id = {question.id: question for question in self.job.questions}

    # What there is to ask

    def list_missing(self) -> Iterator[Request]:
        """Requests without a response; of a reply that was cut off, the one with more room."""
        return self.job.list_missing(self.standing)

    def follow_up(self, request: Request, response: Response) -> Request | None:
        """The request that a response asks for: with more room, if it was cut off."""
        return self.job.build_retake(request, self._by_id[request.question_id], response)

    # What came back

    def put(self, row: JournalRow) -> None:
        """Take a row: count its cost, read it, write it down."""
        question = self._by_id[row.question_id]
        if isinstance(row.result, Response):
            price = self.job.facts.price
            if price is not None:
                in_batch = row.batch_id is not None
                self.budget.spent += cost_of_usage(row.result.usage, price, in_batch=in_batch)
            self._watch_constraint(question, row.result)
        else:
            self._failed.add(row.request_id)
        row = replace(row, lost_dollars=self._lost.pop(row.request_id, 0.0))
        if not self.settings.keep_text:
            row = self._without_text(question, row)
        self.standing.add(row)
        self.writer.put(row)

    def score(self, row: JournalRow) -> Score:
        """Read a row and judge it."""
        question = self._by_id[row.question_id]
        return score_question(question, row, self.job.manifest.prompt, row.sample_index)

    def is_final(self, row: JournalRow) -> bool:
        """Whether no other row will count in its place."""
        question = self._by_id.get(row.question_id)
        if question is None:
            return False
        if row.is_retake or not isinstance(row.result, Response):
            return True
        if row.way == "prefill" or not row.result.was_cut:
            return True
        # Where texts are not kept, what was read of them is.
        if row.reading is not None and row.reading.outcome != "truncated":
            return True
        request = self.job.build_request(question, row.sample_index)
        return self.job.build_retake(request, question, row.result) is None

    def _watch_constraint(self, question: Question, response: Response) -> None:
        """Say once that the endpoint does not bind replies as it was asked to."""
        way = self.job.manifest.identity.way
        if self._warned or way not in CONSTRAINED:
            return
        prompt = build_prompt(question, self.job.manifest.prompt)
        if not keeps_to_constraint(way, response, prompt):
            self._warned = True
            what = "the forced tool" if way == "tool" else "the schema"
            self.say(
                f"Warning: {self.job.manifest.identity.model} does not keep to {what}; its replies "
                "are read as text, and what names no choice counts as unparsed"
            )

    def _without_text(self, question: Question, row: JournalRow) -> JournalRow:
        """A row with its reading in place of its words."""
        if isinstance(row.result, RequestFailure):
            # An endpoint may repeat a part of the request in its errors.
            return replace(row, result=replace(row.result, message=f"{row.result.kind}"))
        return replace(
            row,
            result=replace(row.result, text="", tool_input=None),
            reading=self.job.read(question, row.result),
            is_bound=self._is_bound(question, row.result),
        )

    def _is_bound(self, question: Question, response: Response) -> bool:
        """Whether a reply keeps to the schema or tool that should bind it."""
        prompt = build_prompt(question, self.job.manifest.prompt)
        return keeps_to_constraint(self.job.manifest.identity.way, response, prompt)

    # How it is asked

    async def ask_directly(self, requests: Iterable[Request]) -> None:
        """Ask many at a time.

        Raises:
            ApiError: no further question would be answered.
        """
        await run_requests(
            iter(requests),
            self._send,
            self.put,
            RunnerSettings(
                limiter=self.limiter,
                policy=self.settings.retries,
                ends_run=lambda error: refused_feature(error, self.job.features) is not None,
                answered_before=bool(self.standing.answered),
                admission=self,
                follow_up=self.follow_up,
                is_worth=lambda error: is_worth_retrying(error) and self.budget.holds,
                deadline_seconds=self.settings.deadline_seconds,
            ),
        )

    async def _send(self, request: Request, ticket: Ticket) -> Response:
        body = await self.courier.dress(request.body)
        try:
            response = await self.client.send(body, heed=partial(self.limiter.heed, ticket))
        except ApiError as error:
            if is_worth_retrying(error) and not is_safe_to_repeat(error):
                self._lose(request)
            raise
        if response.usage.input_tokens is None or response.usage.output_tokens is None:
            self._lose(request)
        return response

    def _lose(self, request: Request) -> None:
        """Count what an attempt may have cost of which the endpoint gave no account."""
        lost = self.budget.lose(request.body)
        self._lost[request.id] = self._lost.get(request.id, 0.0) + lost

    # What the runner asks before each request

    def ask(self, request: Request) -> Leave:
        """Let a request go when the budget allows it and its prefix is in the cache."""
        leave = self.budget.reserve(request.id, request.body)
        if leave == "go" and not self.courier.may_go(request.body):
            self.budget.release(request.id)
            return "wait"
        return leave

    def settle(self, request: Request, result: Result | None) -> None:
        """Hear that there will be no further attempt."""
        self.budget.release(request.id)
        if isinstance(result, Response):
            self.courier.note_answered(request.body)
        else:
            self.courier.note_failed(request.body)

    async def ask_by_batch(self, runner: BatchRunner) -> None:
        """Collect the batches that are under way, then ask what is left.

        Raises:
            ApiError: the endpoint takes no batches, or can't be asked.
            RunError: a batch can't be found, or its log can't be written.
        """
        if runner.log.open:
            count = sum(len(handover.requests) for handover in runner.log.open)
            self.say(f"{count} requests were handed over before: collecting what became of them")
            await runner.collect({request.id: request for request in self.list_missing()})
        if self.settings.batch:
            await self._ask_in_rounds(runner)
        else:
            await self.ask_directly(self._list_pending())
        await runner.delete_files()

    async def _ask_in_rounds(self, runner: BatchRunner) -> None:
        """Hand over what is missing until all of it is answered, or failed for good."""
        await self.ask_directly(self._list_until_answered())
        tries: Counter[str] = Counter()
        came_back = False
        while (pending := self._list_pending()) and not self.budget.is_spent:
            stubborn = [request for request in pending if tries[request.id] >= MOST_TRIES]
            affordable = self._cut_to_budget(pending)
            is_cut = len(affordable) < len(pending)
            if len(affordable) <= FEW and (is_cut or came_back):
                await self.ask_directly(pending)
            elif stubborn:
                await self.ask_directly(stubborn)
            else:
                await runner.submit(affordable)
                await runner.collect({request.id: request for request in affordable})
                tries.update(request.id for request in affordable)
                came_back = not is_cut

    def _list_until_answered(self) -> Iterator[Request]:
        """What is missing, as long as there is no response at all.

        A bad parameter shows in a batch only when it ends; a plain request shows it at once.
        """
        for request in self.list_missing():
            if self.standing.answered:
                return
            yield request

    def _list_pending(self) -> list[Request]:
        """What is missing and has not failed for good while we asked."""
        return [request for request in self.list_missing() if request.id not in self._failed]

    def _cut_to_budget(self, requests: Sequence[Request]) -> Sequence[Request]:
        """As many of the first requests as may be handed over even at the worst."""
        price = self.job.facts.price
        factor = 1.0 if price is None else price.batch_factor
        most = 0.0
        for place, request in enumerate(requests):
            most += factor * self.budget.worst_case(request.body)
            if not self.budget.can_afford(most):
                return requests[:place]
        return requests


def describe_end(budget: Budget) -> str:
    """Why a budget lets no more requests go, and what to do."""
    lost = f" and up to {dollars(budget.lost)} for replies that got lost" if budget.lost else ""
    return (
        f"Budget of {dollars(budget.dollars or 0)} reached after {dollars(budget.spent)}{lost}: "
        "another request might pass it. The same command with a larger one goes on"
    )


def without_text(question: Question) -> Question:
    """A question with its id, number of choices, right ones and group, but no words."""
    blank = ("",) * len(question.choices)
    # A cluster may be named by the passage that its questions share.
    cluster = None if question.cluster is None else digest_of(question.cluster)
    return replace(
        question, stem="", choices=blank, cluster=cluster, images=(), history=(), metadata={}
    )


def describe_batch(batch: Batch, seconds: float) -> str:
    """A batch under way, in a few words."""
    counts = batch.counts
    done = counts.total - counts.processing
    status = batch.status.replace("_", " ")
    return f"batch {status}, {done} of {counts.total} done, {timedelta(seconds=int(seconds))}"
