"""The desk keeps in mind what is under way, and lets go of what has come back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.api.breaker import Breaker
from evalkit.api.client import MessagesClient
from evalkit.benchmarks import Benchmark
from evalkit.desk import Desk
from evalkit.elicitation.asking import Asking
from evalkit.jobs import Job, plan_job
from evalkit.models.model import Price
from evalkit.probing import Settled
from evalkit.progress import ignore
from evalkit.questions import Question
from evalkit.requests import Request, Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.budget import Budget
from evalkit.runs.concurrency import ConcurrencyLimit
from evalkit.runs.journal import JournalRow, JournalWriter
from evalkit.runs.limiter import Limiter
from evalkit.runs.standing import Standing
from evalkit.sending import Courier
from evalkit.settings import RunSettings
from evalkit.targets import remote_target
from evalkit.testing.messages_faults import server_error
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, SUMS, endpoint_of, sums_answers
from tests.test_evaluation import MIDDLE, number_of
from tests.test_retakes import LONG, long_winded
from tests.worker_processes import wait_until


def plan(
    server: MessagesServer, sums: Benchmark, way: Way = "instructed", **settings: Any
) -> tuple[Job, RunSettings]:
    """The job of a run of the sums."""
    target = remote_target(MIDDLE, endpoint_of(server))
    asking = Asking(model=MIDDLE, capabilities=target.capabilities)
    chosen = RunSettings(**{"retries": QUICK, **settings})
    settled = Settled(way=way, asking=asking, reason="asked for")
    return plan_job(sums, target, chosen, settled), chosen


def build_desk(
    server: MessagesServer,
    job: Job,
    settings: RunSettings,
    *,
    is_watched: bool = False,
    standing: Standing | None = None,
    questions: Sequence[Question] | None = None,
) -> Desk:
    """A desk for a job, without a writer."""
    return Desk(
        job=job,
        settings=settings,
        client=MessagesClient(endpoint_of(server), 4),
        limiter=Limiter(
            ConcurrencyLimit(4, is_fixed=True), breaker=Breaker(settings.retries.outage)
        ),
        courier=Courier(facts=job.facts, limits=job.image_limits, images={}),
        budget=Budget(settings.budget, job.facts, spent=0.0),
        standing=standing or Standing(),
        say=ignore,
        questions=questions,
        is_watched=is_watched,
    )


def at_desk(desk: Desk, folder: Path, do: Callable[[Desk], Any]) -> list[JournalRow]:
    """Do something while the desk is open.

    Returns:
        The rows that were written.
    """
    written: list[JournalRow] = []

    async def work() -> None:
        journal = folder / "responses.jsonl"
        async with (
            desk.client,
            JournalWriter(journal, good_bytes=0, on_written=written.extend) as writer,
        ):
            desk.writer = writer
            result = do(desk)
            if asyncio.iscoroutine(result):
                await result

    asyncio.run(work())
    return written


def ask_missing(desk: Desk) -> Any:
    return desk.ask_directly(desk.list_missing())


def response_row(request: Request, text: str = "A", **changes: Any) -> JournalRow:
    """The row of a reply."""
    response = Response(
        text=text,
        stop_reason="end_turn",
        model=MIDDLE,
        usage=Usage(input_tokens=1000, output_tokens=10),
        request_id="req_1",
    )
    row = JournalRow(
        request_id=request.id,
        question_id=request.question_id,
        way=request.way,
        sample_index=request.sample_index,
        is_retake=request.is_retake,
        result=response,
    )
    return replace(row, **changes)


@pytest.mark.parametrize(
    ("settings", "is_long", "fails"),
    [({}, False, False), ({"samples": 3}, False, False), ({}, True, False), ({}, False, True)],
    ids=["plain", "samples", "retakes", "failures"],
)
def test_no_question_is_kept_once_all_its_responses_are_there(
    settings: dict[str, Any], is_long: bool, fails: bool, sums: Benchmark, tmp_path: Path
) -> None:
    def fail(record: Any) -> Any:
        return server_error() if fails and number_of(record) % 5 == 0 else None

    answer = long_winded() if is_long else sums_answers()
    with MessagesServer(answer=answer, faults=fail) as server:
        job, chosen = plan(server, sums, **settings)
        desk = build_desk(server, job, chosen, is_watched=True)
        rows = at_desk(desk, tmp_path, ask_missing)
    assert len(rows) == SUMS * chosen.samples + (len(LONG) if is_long else 0)
    assert desk._under_way == {}
    assert desk._retakes == {}
    # What was cut off has no score of its own: the second reply counts.
    scores = desk.take_scores(rows)
    assert len(scores) == SUMS * chosen.samples
    assert desk._scores == {}


def test_questions_come_one_at_a_time_and_few_are_kept(sums: Benchmark, tmp_path: Path) -> None:
    most = 0

    with MessagesServer(answer=sums_answers()) as server:
        job, chosen = plan(server, sums)
        desk = build_desk(server, replace(job, questions=job.questions[:1]), chosen)

        def read() -> Any:
            nonlocal most
            for question in job.questions:
                yield question
                most = max(most, len(desk._under_way))

        desk.questions = read()
        rows = at_desk(desk, tmp_path, ask_missing)
    assert {row.question_id for row in rows} == {question.id for question in job.questions}
    assert 1 < most <= 4 + 1


def test_a_row_of_a_worker_is_counted_scored_and_written(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer() as server:
        job, chosen = plan(server, sums)
        assert job.facts.price is not None
        job = replace(job, facts=replace(job.facts, price=Price(input=1.0, output=5.0)))
        desk = build_desk(server, job, chosen, is_watched=True)
        first, second = job.questions[:2]
        right = response_row(job.build_request(first))
        failure = replace(
            response_row(job.build_request(second)),
            result=RequestFailure(kind="server", message="no"),
            lost_dollars=0.25,
        )

        def accept(desk: Desk) -> None:
            desk.accept(right, first)
            desk.accept(failure, second)

        rows = at_desk(desk, tmp_path, accept)
    assert rows == [right, failure]
    assert desk.budget.spent == pytest.approx(1000 * 1e-6 + 10 * 5e-6)
    assert desk.budget.lost == 0.25
    assert len(desk.standing.answered) == 1
    assert right.request_id in desk.standing.answered
    assert desk.standing.failed == {second.id}
    assert [score.correct for score in desk.take_scores(rows)] == [True, None]


def test_nobody_watches_so_nothing_is_scored(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer() as server:
        job, chosen = plan(server, sums)
        desk = build_desk(server, job, chosen)
        row = response_row(job.build_request(job.questions[0]))
        rows = at_desk(desk, tmp_path, lambda desk: desk.accept(row, None))
    assert rows == [row]
    assert desk.take_scores(rows) == []


def test_nothing_is_started_after_stop_and_what_is_under_way_is_kept(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers(), latency_seconds=0.1) as server:
        job, chosen = plan(server, sums)
        desk = build_desk(server, job, chosen)

        async def work(desk: Desk) -> None:
            asking = asyncio.create_task(ask_missing(desk))
            await asyncio.to_thread(wait_until, lambda: len(server.requests) >= 6)
            desk.stop.set()
            await asking

        rows = at_desk(desk, tmp_path, work)
        assert 6 <= len(server.requests) <= 6 + 4
        assert len(rows) == len(server.requests) == server.count(200)


def test_stop_waits_for_no_further_try(sums: Benchmark, tmp_path: Path) -> None:
    """Whether what is left waits for another try, or for an endpoint that answers nobody."""
    with MessagesServer(faults=lambda record: server_error()) as server:
        job, chosen = plan(server, sums)
        patient = replace(chosen.retries, attempts=50, first_seconds=30.0, longest_seconds=60.0)
        desk = build_desk(server, job, replace(chosen, retries=patient))

        async def work(desk: Desk) -> None:
            asking = asyncio.create_task(ask_missing(desk))
            await asyncio.to_thread(wait_until, lambda: server.requests)
            desk.stop.set()
            await asyncio.wait_for(asking, 5)

        assert at_desk(desk, tmp_path, work) == []
