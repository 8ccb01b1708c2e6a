"""A job carried out: what is missing is asked, read, and written down."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from evalkit.api.batches import Batch
from evalkit.api.client import MessagesClient
from evalkit.desk import Desk
from evalkit.errors import ApiError
from evalkit.gathering import ask_by_workers
from evalkit.id_table import IdTable
from evalkit.jobs import Job
from evalkit.logs import log_event
from evalkit.models.model import Price
from evalkit.progress import ProgressBar, Say, Vitals, dollars
from evalkit.questions import Question, digest_of
from evalkit.results import Run, load_run
from evalkit.runs.batch_log import read_batch_log
from evalkit.runs.batching import BatchRunner
from evalkit.runs.budget import Budget
from evalkit.runs.costs import cost_of_rows
from evalkit.runs.folder import RunFolder, create_run_folder
from evalkit.runs.journal import GROUP_SECONDS, JournalReader, JournalRow, JournalWriter
from evalkit.runs.limiter import Limiter
from evalkit.runs.parts import PARTS_FOLDER, PartStore
from evalkit.runs.standing import Standing
from evalkit.scores import Score
from evalkit.sending import Courier, collect_images
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.stored_questions import collect_questions

if TYPE_CHECKING:
    from evalkit.gates import GateWatch

WATCHED_SECONDS = 0.05
"""So long a row waits for others where somebody waits for it: what is asked meanwhile may be in
vain."""


class Referee(Protocol):
    """Decides in which order a run is asked, and when it is enough."""

    def begin(self, folder: RunFolder, job: Job) -> GateWatch:
        """Hear of the run before its first question; the folder is locked."""

    def end(self, desk: Desk, run: Run) -> None:
        """Hear what has come of it."""


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
    begun: Callable[[Path], None],
    referee: Referee | None = None,
) -> Run:
    """Ask what has no response yet, then write the summary.

    Raises:
        ApiError: no further question would be answered.
        RunError: the folder can't be used.
    """
    # Two ways of the same command may turn out to be one run; the second finds all answered.
    async with session.lock(results / job.manifest.identity.folder_name):
        kept = job.questions
        if not settings.keep_text:
            kept = collect_questions(map(without_text, job.questions))
        examples = job.example_set if settings.keep_text else ()
        folder = await asyncio.to_thread(create_run_folder, results, job.manifest, kept, examples)
        begun(folder.path)
        with folder.locked():
            watch = None if referee is None else await asyncio.to_thread(referee.begin, folder, job)
            try:
                desk = await ask_missing(
                    *(folder, job, session, client, limiter, settings),
                    progress=progress,
                    say=say,
                    watch=watch,
                )
            except ApiError:
                folder.discard_if_empty()
                raise
            run = await asyncio.to_thread(finish, folder, job)
            if referee is not None:
                await asyncio.to_thread(referee.end, desk, run)
            return run


def finish(folder: RunFolder, job: Job) -> Run:
    """Score a run, and write its summary if it is complete."""
    # Without texts, the folder's questions are not those that were asked.
    run = load_run(
        folder.path, questions=job.questions if job.manifest.identity.keep_text else None
    )
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
    watch: GateWatch | None = None,
) -> Desk:
    """Ask the questions that no row of the journal answers.

    Args:
        folder: where the rows go.
        job: what is asked.
        session: what the runs of a command share.
        client: of the endpoint.
        limiter: of the model.
        settings: how it is carried out.
        progress: whether to show how it goes.
        say: takes a line for the user.
        watch: says in which order to ask, hears the scores, and says when it is enough.

    Returns:
        What the run needed, with what it spent.
    """
    log_event(logging.INFO, "run", folder=folder.path.name, questions=len(job.questions))
    log = read_batch_log(folder.batch_log_path)
    images = collect_images(chain(job.questions, job.examples))
    uploads = bool(images) and settings.images == "file"
    has_files = uploads or bool(log.files_in_use or log.files_left)
    store = await session.open_store(client) if has_files else None
    earlier = JournalReader(folder.journal_path)
    past = await asyncio.to_thread(recall, earlier, job.facts.price)
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
        budget=Budget(settings.budget, job.facts, spent=past.spent, lost=past.lost),
        standing=past.standing,
        say=say,
        is_watched=progress or watch is not None,
    )
    if watch is not None:
        join(watch, desk, earlier)
    bar = ProgressBar(
        job.label,
        job.size,
        score_earlier(earlier, desk) if progress else (),
        shown=progress,
        find_words=None if watch is None else watch.describe,
        find_vitals=lambda: Vitals(spend=desk.budget.spent, in_flight=limiter.in_flight),
    )

    def hear(rows: Sequence[JournalRow]) -> None:
        scores = desk.take_scores(rows)
        if watch is not None:
            watch.take(scores)
        bar.add(scores)

    try:
        async with JournalWriter(
            folder.journal_path,
            good_bytes=past.good_bytes,
            on_written=hear,
            group_seconds=GROUP_SECONDS if watch is None else WATCHED_SECONDS,
        ) as writer:
            desk.writer, desk.say = writer, bar.aside(say)
            if settings.has_workers:
                parts = PartStore(find_parts(folder, settings))
                if await ask_by_workers(parts, desk, client.endpoint):
                    desk.budget.is_spent = True
            elif settings.batch or log.open or log.files_left:
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
                try:
                    await desk.ask_directly(desk.list_missing())
                except ApiError:
                    if watch is None or not watch.is_clear.is_set():
                        raise
    finally:
        bar.close()
    if desk.budget.is_spent:
        say(describe_end(desk.budget))
    return desk


def join(watch: GateWatch, desk: Desk, earlier: JournalReader) -> None:
    """Have a watch decide what a run asks, and tell it what came before."""
    by_id = {question.id: question for question in desk.job.questions}
    desk.in_order, desk.break_off = True, watch.is_clear
    desk.budget.lost += watch.lost_before
    watch.wanted = desk.job.responses_wanted
    watch.take(score_earlier(earlier, desk))
    watch.take(list_futile(desk, by_id))
    desk.questions = watch.list_questions(by_id)


def list_futile(desk: Desk, by_id: Mapping[str, Question]) -> Iterator[Score]:
    """The scores of replies that were cut off, and can't be had longer."""
    for row in desk.standing.cut.values():
        if (question := by_id.get(row.question_id)) is None:
            continue
        again = desk.job.find_retake(question, row)
        if again is not None and again.id in desk.standing.futile:
            yield desk.score(question, row)


def find_parts(folder: RunFolder, settings: RunSettings) -> str:
    """Where the workers of a run write."""
    if settings.shared is None:
        return str(folder.path.resolve() / PARTS_FOLDER)
    between = "" if settings.shared.endswith("/") else "/"
    return f"{settings.shared}{between}{folder.path.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a run's journal tells when the run goes on."""

    standing: Standing
    spent: float
    """Dollars for responses; 0 if no price is known."""
    lost: float
    """Dollars that attempts may have cost of which no reply came."""
    good_bytes: int
    """Where the next row belongs."""


def recall(journal: JournalReader, price: Price | None) -> Past:
    """Read a journal once.

    Raises:
        RunError: it is there but can't be read.
    """
    standing, lost = Standing(), 0.0
    costs: list[float] = []
    for row in journal:
        lost += row.lost_dollars
        if price is not None and row.request_id not in standing.answered:
            costs.append(cost_of_rows([row], price) or 0.0)
        standing.add(row)
    return Past(standing=standing, spent=math.fsum(costs), lost=lost, good_bytes=journal.good_bytes)


def score_earlier(journal: JournalReader, desk: Desk) -> Iterator[Score]:
    """The scores of responses that came before, but of those that are asked again."""
    if not desk.standing.answered:
        return
    find, seen = desk.job.design.find, IdTable()
    for row in journal:
        question = desk.job.find_question(row.question_id)
        if question is None or not row.is_response or row.request_id in seen:
            continue
        if find(question.id, len(question.choices), row.order, row.sample_index) is None:
            continue
        seen.add(row.request_id)
        if desk.job.find_retake(question, row) is None:
            yield desk.score(question, row)


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
