"""The Message Batches API: many requests at once, answered later in any order."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from evalkit.testing.messages_batch_rules import check_batch
from evalkit.testing.messages_errors import Rejection
from evalkit.testing.messages_models import Json
from evalkit.testing.messages_paging import page_of
from evalkit.testing.messages_record import BATCHES_PATH, RequestRecord
from evalkit.testing.messages_times import rfc3339, rfc3339_or_none

BatchFault = Literal["expired", "canceled", "overloaded", "server_error"]
BatchFaultPlan = Callable[[str, int], BatchFault | None]
"""How a request fails in a batch: its custom id and the batch's number, from 1, say it."""

LIFETIME: Final = timedelta(hours=24)
RESULT_TYPES: Final = ("succeeded", "errored", "canceled", "expired")
_RETRYABLE: Final = {"overloaded": ("Overloaded", 529), "server_error": ("Internal error", 500)}


def no_batch_faults(custom_id: str, batch_number: int) -> BatchFault | None:
    """A plan without a fault."""
    return None


@dataclass(kw_only=True, eq=False)
class Batch:
    """One batch, from its creation on."""

    id: str
    number: int
    """Place in the order of creation, from 1."""
    requests: Mapping[str, Json]
    """The parameters by custom id, in the order sent."""
    version: str
    """The version of the API that the batch was created with."""
    created: datetime
    arrived: float
    """When it was created, in seconds on the monotonic clock."""
    cancel_initiated: datetime | None = None
    canceled: float | None = None
    """When it was canceled, in seconds on the monotonic clock."""
    end_asked: bool = False
    """Whether a test has asked for its end."""
    ended: datetime | None = None
    results: tuple[Json, ...] = ()
    """In the order of the results file; empty until the end."""
    deleted: bool = False

    @property
    def custom_ids(self) -> tuple[str, ...]:
        """The ids of its requests in the order sent."""
        return tuple(self.requests)

    @property
    def status(self) -> Literal["in_progress", "canceling", "ended"]:
        """Its `processing_status`."""
        if self.ended is not None:
            return "ended"
        return "in_progress" if self.cancel_initiated is None else "canceling"

    def description(self, base_url: str) -> Json:
        """The batch as the API describes it."""
        counts = Counter(line["result"]["type"] for line in self.results)
        processing = len(self.requests) if self.ended is None else 0
        results_url = f"{base_url}{BATCHES_PATH}/{self.id}/results"
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": self.status,
            "request_counts": {"processing": processing}
            | {kind: counts[kind] for kind in RESULT_TYPES},
            "created_at": rfc3339(self.created),
            "expires_at": rfc3339(self.created + LIFETIME),
            "ended_at": rfc3339_or_none(self.ended),
            "cancel_initiated_at": rfc3339_or_none(self.cancel_initiated),
            "archived_at": None,
            "results_url": None if self.ended is None else results_url,
        }


@dataclass(kw_only=True, eq=False)
class BatchDesk:
    """The endpoints below `/v1/messages/batches`.

    A batch moves on when it is looked at: the response to its creation always says "in_progress",
    that to its cancellation "canceling".
    """

    batch_seconds: float | None = 0.0
    """How long a batch takes, its requests one after the other; None: until `end_batches()`."""
    cancel_seconds: float = 0.0
    """How long a canceled batch is "canceling"."""
    batch_fault: BatchFaultPlan = no_batch_faults
    """Which requests do not succeed, and how."""
    batch_seed: int = 0
    """The order of the results, which is never that of the requests."""
    max_batch_requests: int = 100_000
    """Longer batches are a 400."""
    max_batch_bytes: int = 256 * 2**20
    """Larger batches are a 413."""
    base_url: str = field(init=False, default="")
    batches: list[Batch] = field(init=False, default_factory=list)
    """All batches ever created, oldest first."""

    def answer_in_batch(self, params: Json, version: str, *, number: int, arrived: float) -> Json:
        """The message that answers one request of a batch.

        Args:
            params: the request, not checked yet.
            version: the version of the API.
            number: makes the ids of the response.
            arrived: when the batch was created, in seconds on the monotonic clock.

        Raises:
            Rejection: for a request that gets no message.
        """
        raise NotImplementedError

    def end_batches(self) -> None:
        """End all batches created so far, at the next look at them."""
        for batch in list(self.batches):
            batch.end_asked = True

    def respond_about_batches(self, record: RequestRecord, version: str) -> Json | bytes:
        """The body of the response with status 200: JSON, or lines of JSON.

        Raises:
            Rejection: for every other status.
        """
        match record.method, record.path.removeprefix(BATCHES_PATH).split("/")[1:]:
            case "POST", []:
                return self._create_batch(record, version)
            case "GET", []:
                return self._list_batches(record)
            case "GET", [batch_id]:
                return self._batch_of(batch_id).description(self.base_url)
            case "POST", [batch_id, "cancel"]:
                return self._cancel_batch(self._batch_of(batch_id))
            case "DELETE", [batch_id]:
                return self._delete_batch(self._batch_of(batch_id))
            case "GET", [batch_id, "results"]:
                return _lines(self._batch_of(batch_id))
        raise Rejection("Not found", status=404)

    def _create_batch(self, record: RequestRecord, version: str) -> Json:
        number = len(self.batches) + 1
        batch = Batch(
            id=f"msgbatch_01{number:022d}",
            number=number,
            requests=check_batch(record.body, self.max_batch_requests),
            version=version,
            created=datetime.now(UTC),
            arrived=time.monotonic(),
        )
        self.batches.append(batch)
        return batch.description(self.base_url)

    def _list_batches(self, record: RequestRecord) -> Json:
        kept = [batch for batch in reversed(self.batches) if not batch.deleted]
        for batch in kept:
            self._move_batch_on(batch)
        return page_of([batch.description(self.base_url) for batch in kept], record.query)

    def _batch_of(self, batch_id: str) -> Batch:
        """The batch of that id, as far as it has come by now."""
        for batch in self.batches:
            if batch.id == batch_id and not batch.deleted:
                self._move_batch_on(batch)
                return batch
        raise Rejection(f"Message batch `{batch_id}` not found.", status=404)

    def _cancel_batch(self, batch: Batch) -> Json:
        if batch.ended is not None:
            raise Rejection(f"Message batch `{batch.id}` has ended and cannot be canceled.")
        if batch.canceled is None:
            batch.cancel_initiated, batch.canceled = datetime.now(UTC), time.monotonic()
        return batch.description(self.base_url)

    def _delete_batch(self, batch: Batch) -> Json:
        if batch.ended is None:
            raise Rejection(
                f"Message batch `{batch.id}` is still processing and cannot be deleted. Cancel it "
                "first, or wait for its end."
            )
        batch.deleted = True
        return {"id": batch.id, "type": "message_batch_deleted"}

    def _move_batch_on(self, batch: Batch) -> None:
        """End a batch whose time has come."""
        if batch.ended is None and self._is_batch_over(batch, time.monotonic()):
            results = tuple(
                {"custom_id": custom_id, "result": self._batch_result(batch, place, custom_id)}
                for place, custom_id in enumerate(batch.requests)
            )
            batch.results = _shuffled(results, f"{self.batch_seed} {batch.number}")
            batch.ended = datetime.now(UTC)

    def _is_batch_over(self, batch: Batch, now: float) -> bool:
        if batch.end_asked:
            return True
        if batch.canceled is not None and now >= batch.canceled + self.cancel_seconds:
            return True
        return self.batch_seconds is not None and now >= batch.arrived + self.batch_seconds

    def _batch_result(self, batch: Batch, place: int, custom_id: str) -> Json:
        if batch.canceled is not None and not self._was_batched_request_done(
            batch, place, batch.canceled
        ):
            return {"type": "canceled"}
        fault = self.batch_fault(custom_id, batch.number)
        if fault in ("expired", "canceled"):
            return {"type": fault}
        try:
            if fault is not None:
                message_text, status = _RETRYABLE[fault]
                raise Rejection(message_text, status=status)
            message = self.answer_in_batch(
                batch.requests[custom_id],
                batch.version,
                number=batch.number * 10**9 + place,
                arrived=batch.arrived,
            )
        except Rejection as rejection:
            return {"type": "errored", "error": rejection.official_body(None)}
        return {"type": "succeeded", "message": message}

    def _was_batched_request_done(self, batch: Batch, place: int, when: float) -> bool:
        """Whether a request had its result then; they take equal shares of the time."""
        if self.batch_seconds is None:
            return False
        share = (place + 1) / len(batch.requests)
        return when >= batch.arrived + share * self.batch_seconds


def _lines(batch: Batch) -> bytes:
    if batch.ended is None:
        raise Rejection(f"Message batch `{batch.id}` has no results before it has ended.")
    return "".join(f"{json.dumps(line)}\n" for line in batch.results).encode()


def _shuffled(results: tuple[Json, ...], seed: str) -> tuple[Json, ...]:
    """The results in an order of their own, which is not the one given if there are several."""
    order = list(results)
    random.Random(seed).shuffle(order)
    if tuple(order) == results:
        order = [*order[1:], *order[:1]]
    return tuple(order)
