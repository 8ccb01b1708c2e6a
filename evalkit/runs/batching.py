"""Requests by Message Batches: handed over once, whatever happens, and collected when they end."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from evalkit.api.batches import (
    MAX_BYTES,
    MAX_REQUESTS,
    Batch,
    BatchItem,
    BatchResult,
    create_batch,
    get_batch,
    group_items,
    list_batches,
    stream_results,
)
from evalkit.api.client import MessagesClient
from evalkit.api.files import FileStore
from evalkit.api.retries import (
    RetryPolicy,
    is_safe_to_repeat,
    is_worth_retrying,
    send_with_retries,
)
from evalkit.errors import ApiError, ImageError, NotFoundError, RunError
from evalkit.requests import Request
from evalkit.responses import Response, describe_failure
from evalkit.runs.batch_log import BatchLog, Handover
from evalkit.runs.journal import JournalRow

CLOCKS_APART = timedelta(minutes=5)
"""How far the endpoint's clock may be behind ours."""

GRACE_SECONDS = 60.0
"""A batch that is not listed so long after it was handed over never came into being."""

FIRST_POLL_SECONDS = 1.0
SLOWER = 1.5
"""Each wait for a batch against the one before."""

FAILED_LOOKS = 10
"""So many looks in a row may fail: an outage of minutes must not end hours of waiting."""

KEPT_SECONDS = 29 * 86400.0
"""How long the API keeps the results of a batch."""


@dataclass(frozen=True, kw_only=True)
class BatchRunner:
    """Hands requests over and collects what comes of them.

    Args:
        client: where to.
        log: which requests are where.
        dress: makes a request's body ready to be sent.
        put: takes each row.
        flush: returns once all rows are on disk.
        show: takes a batch that is under way, with the seconds since it was handed over.
        say: takes a line for the user.
        policy: when to try again.
        poll_seconds: the longest wait between two looks at a batch.
        store: where files are uploaded; None: none are.
        find_others: gives the ids of batches that are known to be other runs'.
        max_requests: of one batch.
        max_bytes: of one batch.
        grace_seconds: how long to look for a batch whose id nobody wrote down.
    """

    client: MessagesClient
    log: BatchLog
    dress: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
    put: Callable[[JournalRow], None]
    flush: Callable[[], Awaitable[None]]
    show: Callable[[Batch, float], None]
    say: Callable[[str], None]
    policy: RetryPolicy
    poll_seconds: float
    store: FileStore | None = None
    find_others: Callable[[], set[str]] = set
    max_requests: int = MAX_REQUESTS
    max_bytes: int = MAX_BYTES
    grace_seconds: float = GRACE_SECONDS

    # Handing over

    async def submit(self, requests: Iterable[Request]) -> None:
        """Hand over requests in as few batches as their limits allow.

        Raises:
            ApiError: the endpoint takes no batch, or it is not known whether it took one: the same
                command again finds out.
        """
        groups = group_items(
            self._dress_all(requests), max_requests=self.max_requests, max_bytes=self.max_bytes
        )
        async for group in groups:
            await self._hand_over(group)

    async def _dress_all(self, requests: Iterable[Request]) -> AsyncGenerator[BatchItem, None]:
        """Make requests ready, a few at a time, since each may wait for uploads."""
        source = iter(requests)
        while several := list(itertools.islice(source, self.client.aside_at_once)):
            bodies = await asyncio.gather(*(self._dress_one(request) for request in several))
            for request, body in zip(several, bodies, strict=True):
                if isinstance(body, ImageError):
                    self.put(describe_unsent(request, body))
                else:
                    yield BatchItem(custom_id=request.id, params=body)

    async def _dress_one(self, request: Request) -> Mapping[str, Any] | ImageError:
        try:
            result, _ = await send_with_retries(lambda: self.dress(request.body), self.policy)
        except ImageError as error:  # the question's own: the others can be handed over
            return error
        if isinstance(result, ApiError):
            raise result
        return result

    async def _hand_over(self, group: Sequence[BatchItem]) -> None:
        # What was answered so far must not be asked once more beside the batch, whatever ends us.
        await self.flush()
        files = {name for item in group for name in list_files(item.params)}
        handover = self.log.begin([item.custom_id for item in group], files)
        self._hold_files()
        try:
            batch = await create_batch(self.client, group, policy=self.policy)
        except ApiError as error:
            if was_refused(error):
                self._close(handover, "refused")
            raise
        self.log.name(handover, batch.id)
        self.say(f"Batch {batch.id}: {len(group)} requests handed over")

    def _close(self, handover: Handover, event: str) -> None:
        self.log.close(handover, event)
        self._hold_files()

    def _hold_files(self) -> None:
        """Keep files at the endpoint as long as a batch needs them, whatever ends this process."""
        if self.store is not None:
            self.store.held = self.log.files_in_use

    async def delete_files(self) -> None:
        """Delete the files that were uploaded for batches which need them no more."""
        left = self.log.files_left
        if left and self.store is not None and await self.store.delete(left):
            self.log.clear_files()

    # Finding what nobody wrote down

    async def _find_lost(self) -> None:
        """Look for batches whose creation nobody wrote down, because the process ended too early.

        Raises:
            ApiError: the endpoint can't be asked.
        """
        if not (lost := self._list_lost()):
            return
        await self._adopt(lost)
        if lost := self._list_lost():
            age = time.time() - max(handover.at for handover in lost)
            if age < self.grace_seconds:
                wait = min(self.grace_seconds - age, self.grace_seconds)
                self.say(f"Looking {wait:.0f} s for a batch whose id could not be written down")
                await asyncio.sleep(wait)
                await self._adopt(lost)
        for handover in self._list_lost():
            self._close(handover, "lost")

    def _list_lost(self) -> list[Handover]:
        return [handover for handover in self.log.open if handover.batch_id is None]

    async def _adopt(self, lost: Iterable[Handover]) -> None:
        """Give lost handovers the batches that they may be: as large, created then, nobody's.

        Whether it was right, the results show: only they name the requests.
        """
        result, _ = await send_with_retries(lambda: list_batches(self.client), self.policy)
        if isinstance(result, ApiError):
            raise result
        taken = self.log.batch_ids | self.find_others()
        oldest_first = [batch for batch in reversed(result) if batch.id not in taken]
        for handover in lost:
            found = next((batch for batch in oldest_first if may_be(handover, batch)), None)
            if found is not None:
                oldest_first.remove(found)
                self.log.name(handover, found.id)
                self.say(f"Batch {found.id}: found at the endpoint, handed over before")

    # Collecting

    async def collect(self, requests: Mapping[str, Request]) -> None:
        """Wait for every batch that is open and put what came of it into the journal.

        Args:
            requests: those that have no response yet, by their ids.

        Raises:
            ApiError: the endpoint can't be asked.
            RunError: it does not know a batch that it should know.
        """
        while self.log.open:
            await self._find_lost()
            for handover in self.log.open:
                await self._collect_one(handover, requests)

    async def _collect_one(self, handover: Handover, requests: Mapping[str, Request]) -> None:
        assert handover.batch_id is not None, "_find_lost has named or closed it"
        left = {name: requests[name] for name in handover.requests if name in requests}
        try:
            await self._wait_for(handover.batch_id, handover.at)
            result, _ = await send_with_retries(
                lambda: self._read_results(handover, left), self.policy
            )
            if isinstance(result, ApiError):
                raise result
        except NotFoundError as error:
            self._give_up(handover, error)
            return
        if result:
            await self.flush()
            self._close(handover, "collected")
        else:
            self.say(f"Batch {handover.batch_id} is another run's")
            self.log.disown(handover)

    async def _wait_for(self, batch_id: str, since: float) -> None:
        """Look at a batch until it has ended."""
        wait = min(FIRST_POLL_SECONDS, self.poll_seconds)
        failed = 0
        while True:
            result, _ = await send_with_retries(
                lambda: get_batch(self.client, batch_id), self.policy
            )
            if isinstance(result, Batch):
                failed = 0
                self.show(result, time.time() - since)
                if result.has_ended:
                    return
            else:
                failed += 1
                if failed > FAILED_LOOKS or not is_worth_retrying(result):
                    raise result
            await asyncio.sleep(wait)
            wait = min(wait * SLOWER, self.poll_seconds)

    async def _read_results(self, handover: Handover, left: dict[str, Request]) -> bool:
        """Put what is not in the journal yet, and take it from what is left.

        Returns:
            Whether it is the batch that was handed over.
        """
        own = frozenset(handover.requests)
        async with aclosing(stream_results(self.client, str(handover.batch_id))) as results:
            async for result in results:
                if result.custom_id not in own:
                    return False
                request = left.get(result.custom_id)
                if request is not None and is_settled(result):
                    self.put(build_row(request, result, handover))
                    del left[request.id]
        return True

    def _give_up(self, handover: Handover, error: ApiError) -> None:
        """Let a batch go that is too old to be had; a younger one may be there for another key.

        Raises:
            RunError: it is not old, and was paid for.
        """
        path = self.log.path
        if time.time() - handover.at < KEPT_SECONDS:
            raise RunError(
                f"batch {handover.batch_id} can't be found: was it handed over with the key of "
                f"another workspace? If it was deleted, delete {path.name} in {path.parent}, and "
                f"its requests are asked again ({error})"
            ) from error
        self.say(f"Batch {handover.batch_id} is gone; its requests are asked again")
        self._close(handover, "gone")


def list_files(body: Mapping[str, Any]) -> list[str]:
    """The uploaded files that a request names."""
    contents = [turn["content"] for turn in body["messages"]]
    blocks = [block for content in contents if not isinstance(content, str) for block in content]
    sources = [block["source"] for block in blocks if block["type"] == "image"]
    return [source["file_id"] for source in sources if source["type"] == "file"]


def was_refused(error: ApiError) -> bool:
    """Whether an error proves that no batch came of an attempt to create one."""
    is_clients_fault = 400 <= (error.status or 0) < 500 and not is_worth_retrying(error)
    return is_clients_fault or is_safe_to_repeat(error)


def may_be(handover: Handover, batch: Batch) -> bool:
    """Whether a batch of the endpoint may be one that was handed over."""
    since = datetime.fromtimestamp(handover.at, UTC) - CLOCKS_APART
    return (
        batch.id not in handover.strangers
        and batch.counts.total == len(handover.requests)
        and (batch.created_at is None or batch.created_at >= since)
    )


def is_settled(result: BatchResult) -> bool:
    """Whether a request needs not be handed over once more."""
    if isinstance(result.outcome, ApiError):
        return not is_worth_retrying(result.outcome)
    return isinstance(result.outcome, Response)


def build_row(request: Request, result: BatchResult, handover: Handover) -> JournalRow:
    """What the journal says of a request that came back."""
    outcome = result.outcome
    assert not isinstance(outcome, str), "what expired or was canceled is not settled"
    now = time.time()
    return JournalRow(
        request_id=request.id,
        question_id=request.question_id,
        way=request.way,
        sample_index=request.sample_index,
        order=request.order,
        is_retake=request.is_retake,
        result=outcome if isinstance(outcome, Response) else describe_failure(outcome),
        seconds=now - handover.at,
        finished_at=now,
        batch_id=handover.batch_id,
    )


def describe_unsent(request: Request, error: ImageError) -> JournalRow:
    """The row of a request whose picture can't be sent."""
    return JournalRow(
        request_id=request.id,
        question_id=request.question_id,
        way=request.way,
        sample_index=request.sample_index,
        order=request.order,
        is_retake=request.is_retake,
        result=describe_failure(error),
        finished_at=time.time(),
    )
