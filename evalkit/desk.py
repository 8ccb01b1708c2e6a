"""Where a run's requests go out and its responses come in."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from evalkit.api.client import MessagesClient
from evalkit.api.retries import is_safe_to_repeat, is_worth_retrying
from evalkit.elicitation.choose import CONSTRAINED, keeps_to_constraint, refused_feature
from evalkit.errors import ApiError
from evalkit.jobs import Job
from evalkit.progress import Say
from evalkit.questions import Question
from evalkit.requests import Request
from evalkit.responses import RequestFailure, Response
from evalkit.runs.batching import BatchRunner
from evalkit.runs.budget import Budget
from evalkit.runs.costs import cost_of_usage
from evalkit.runs.journal import JournalRow, RowWriter
from evalkit.runs.limiter import Limiter, Ticket
from evalkit.runs.runner import Leave, Result, RunnerSettings, run_requests
from evalkit.runs.standing import Standing
from evalkit.scores import Score, outline_prompt, score_question
from evalkit.sending import Courier
from evalkit.settings import RunSettings

FEW = 20
"""So few requests are not worth another batch: they came back without an answer, or are all that
the rest of a budget would allow."""

MOST_TRIES = 3
"""A request that came back without an answer from so many batches is asked directly."""


@dataclass(kw_only=True, eq=False)
class Desk:
    """What a run needs while it is under way."""

    job: Job
    settings: RunSettings
    client: MessagesClient
    limiter: Limiter
    courier: Courier
    budget: Budget
    standing: Standing
    """What the journal says so far."""
    say: Say
    questions: Iterable[Question] | None = None
    """Those to ask, in order; None: those of the job."""
    is_watched: bool = False
    """Whether replies are judged as they come, for whoever shows how it goes."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no more requests are to be started."""
    break_off: asyncio.Event | None = None
    """Set when what is under way is to be broken off; None: nobody does."""
    in_order: bool = False
    """Whether questions are asked strictly in their order, what failed before in its place."""
    sent: set[str] = field(default_factory=set)
    """Questions of which a request went out, where somebody may break off."""
    broken_off: set[str] = field(default_factory=set)
    """Questions of which a request was broken off."""
    answered_before: bool = False
    """Whether the endpoint is known to answer, whatever the journal says."""
    given_up: set[str] = field(default_factory=set)
    """Requests that failed for good since this process began."""
    writer: RowWriter = field(init=False)
    _scores: dict[str, Score] = field(default_factory=dict)
    """Of rows that are not on disk yet, by request."""
    _under_way: dict[str, tuple[Question, int]] = field(default_factory=dict)
    """Questions of which a request has not come back, and how many have not."""
    _retakes: dict[str, Request] = field(default_factory=dict)
    """What to ask again, by the request whose reply was cut off."""
    _lost: dict[str, float] = field(default_factory=dict)
    """Dollars that lost attempts may have cost, by request."""
    _warned: bool = False

    # What there is to ask

    def list_missing(self) -> Iterator[Request]:
        """Requests without a response; of a reply that was cut off, the one with more room."""
        missing = self.job.list_missing(self.standing, self.questions, in_order=self.in_order)
        for question, request in missing:
            self._begin(question)
            yield request

    def follow_up(self, request: Request, response: Response) -> Request | None:
        """The request that a response asks for: with more room, if it was cut off."""
        return self._retakes.pop(request.id, None)

    def _begin(self, question: Question) -> None:
        """Keep a question in mind until what is asked of it has come back."""
        _, count = self._under_way.get(question.id, (question, 0))
        self._under_way[question.id] = question, count + 1

    def _end(self, question: Question) -> None:
        _, count = self._under_way.pop(question.id)
        if count > 1:
            self._under_way[question.id] = question, count - 1

    # What came back

    def put(self, row: JournalRow) -> None:
        """Take a row: count its cost, read it, write it down."""
        question, _ = self._under_way[row.question_id]
        if isinstance(row.result, Response):
            price = self.job.facts.price
            if price is not None:
                in_batch = row.batch_id is not None
                self.budget.spent += cost_of_usage(row.result.usage, price, in_batch=in_batch)
            self._watch_constraint(question, row.result)
        else:
            self.given_up.add(row.request_id)
        if lost := self._lost.pop(row.request_id, 0.0):
            row = replace(row, lost_dollars=lost)
        again = self.job.find_retake(question, row)
        if not self.settings.keep_text:
            row = self._without_text(question, row)
        if again is not None:
            self._retakes[row.request_id] = again  # the question stays until it has come back
        else:
            self._end(question)
            if self.is_watched:
                self._scores[row.request_id] = self.score(question, row)
        self.standing.add(row)
        self.writer.put(row)

    def accept(self, row: JournalRow, question: Question | None) -> None:
        """Take a row that a worker has read and counted already.

        Args:
            row: of a request that the journal has no response to.
            question: what it was about; None: nobody watches.
        """
        price = self.job.facts.price
        if isinstance(row.result, Response) and price is not None:
            self.budget.spent += cost_of_usage(row.result.usage, price)
        self.budget.lost += row.lost_dollars
        if question is not None and self.job.find_retake(question, row) is None:
            self._scores[row.request_id] = self.score(question, row)
        self.standing.add(row)
        self.writer.put(row)

    def score(self, question: Question, row: JournalRow) -> Score:
        """Read a row and judge it."""
        form, several = self.job.manifest.prompt, self.job.manifest.identity.several
        return score_question(question, row, form, row.sample_index, row.order, several=several)

    def take_scores(self, rows: Iterable[JournalRow]) -> list[Score]:
        """The scores of rows that are on disk now, but of those that are asked again."""
        scores = (self._scores.pop(row.request_id, None) for row in rows)
        return [score for score in scores if score is not None]

    def _watch_constraint(self, question: Question, response: Response) -> None:
        """Say once that the endpoint does not bind replies as it was asked to."""
        way = self.job.manifest.identity.way
        if self._warned or way not in CONSTRAINED:
            return
        if not self._is_bound(question, response):
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
            reading=self.job.read(question, row.result, row.order),
            is_bound=self._is_bound(question, row.result),
        )

    def _is_bound(self, question: Question, response: Response) -> bool:
        """Whether a reply keeps to the schema or tool that should bind it."""
        manifest = self.job.manifest
        several = manifest.identity.several
        prompt = outline_prompt(manifest.prompt, len(question.choices), several)
        return keeps_to_constraint(manifest.identity.way, response, prompt)

    # How it is asked

    async def ask_directly(self, requests: Iterable[Request], *, first_alone: bool = False) -> None:
        """Ask many at a time.

        Args:
            requests: built when there is room for them.
            first_alone: whether the others wait until one is answered.

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
                answered_before=self.answered_before or bool(self.standing.answered),
                admission=self,
                follow_up=self.follow_up,
                is_worth=lambda error: is_worth_retrying(error) and self.budget.holds,
                deadline_seconds=self.settings.deadline_seconds,
                stop=self.stop,
                break_off=self.break_off,
                first_alone=first_alone,
            ),
        )

    async def _send(self, request: Request, ticket: Ticket) -> Response:
        body = await self.courier.dress(request.body)
        if self.break_off is not None:
            self.sent.add(request.question_id)
        try:
            response = await self.client.send(
                body, fresh=ticket.is_fresh, heed=partial(self.limiter.heed, ticket)
            )
        except ApiError as error:
            if is_worth_retrying(error) and not is_safe_to_repeat(error):
                self._lose(request)
            raise
        except asyncio.CancelledError:
            if self.break_off is not None and self.break_off.is_set():
                # It may have been answered, and paid for.
                self.broken_off.add(request.question_id)
                self._lose(request)
            raise
        if response.usage.input_tokens is None or response.usage.output_tokens is None:
            self._lose(request)
        return response

    def _lose(self, request: Request) -> None:
        """Count what an attempt may have cost of which the endpoint gave no account."""
        lost = self.budget.lose(request.body)
        self._lost[request.id] = self._lost.get(request.id, 0.0) + lost

    @property
    def lost_without_row(self) -> float:
        """Dollars that attempts may have cost of whose requests the journal will say nothing."""
        return math.fsum(self._lost.values())

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
        await self.ask_directly(self.list_until_answered(), first_alone=True)
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

    def list_until_answered(self) -> Iterator[Request]:
        """What is missing, as long as there is no response at all.

        A bad parameter shows in a batch only when it ends; a plain request shows it at once.
        """
        for request in self.list_missing():
            if self.standing.answered:
                return
            yield request

    def _list_pending(self) -> list[Request]:
        """What is missing and has not failed for good while we asked."""
        return [request for request in self.list_missing() if request.id not in self.given_up]

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
