"""Message batches: many requests handed over at once, answered within a day at half the price."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

from evalkit.api.client import MessagesClient
from evalkit.api.error_bodies import build_result_error
from evalkit.api.paging import PAGE_ROWS, as_time, fetch_rows
from evalkit.api.retries import RetryPolicy, is_safe_to_repeat, send_with_retries
from evalkit.errors import ApiError, PromptError, UnreadableResponseError, UsageError
from evalkit.responses import Response, as_count, as_text, parse_response

BATCHES = "/v1/messages/batches"

MAX_REQUESTS = 100_000
MAX_BYTES = 256_000_000
"""The API's limit is 256 MB; it doesn't say which, and this is the smaller one."""
LISTED = 1_000

HEAD, COMMA, TAIL = b'{"requests":[', b",", b"]}"
CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One request of a batch."""

    custom_id: str
    """Names it among the results: 1 to 64 letters, digits, `_` and `-`."""
    params: Mapping[str, Any]
    """The JSON body that POST /v1/messages would get."""

    def __post_init__(self) -> None:
        if not CUSTOM_ID.fullmatch(self.custom_id):
            expected = "expected 1 to 64 letters of the alphabet, digits, `_` and `-`"
            raise UsageError(f"custom_id {self.custom_id!r}: {expected}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCounts:
    """How the requests of a batch ended; all but `processing` stay 0 until the last has."""

    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0

    @property
    def total(self) -> int:
        """The requests of the batch."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch as the endpoint describes it."""

    id: str
    status: str
    """`in_progress`, `canceling` or `ended`."""
    counts: BatchCounts
    created_at: datetime | None = None
    ended_at: datetime | None = None
    expires_at: datetime | None = None
    results_url: str | None = None
    """Some servers leave out the host, or have it before there are results; it isn't relied on."""

    @property
    def has_ended(self) -> bool:
        """Whether all results are there."""
        return self.status == "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchResult:
    """What became of one request of a batch."""

    custom_id: str
    outcome: Response | ApiError | Literal["expired", "canceled"]
    """A message, why there is none (see `is_worth_retrying`), or that it wasn't worked on."""


async def create_batch(
    client: MessagesClient, items: Sequence[BatchItem], *, policy: RetryPolicy | None = None
) -> Batch:
    """Hand over a batch, which costs money from then on.

    Tries again by itself, and only after errors that prove that there is no batch yet; it must not
    be tried again blindly. Where that remains open, after a connection that broke off or an answer
    that can't be read, the error reaches the caller, who can look for the batch in `list_batches`.

    Args:
        client: where to.
        items: 1 to 100,000, each with a `custom_id` of its own; see `group_items`.
        policy: when to try again.

    Raises:
        ApiError: whatever went wrong, in the type that fits.
        UsageError: there are no items, or two share a `custom_id`.
    """
    if not items:
        raise UsageError("a batch without requests can't be created")
    [(most_frequent, times)] = Counter(item.custom_id for item in items).most_common(1)
    if times > 1:
        raise UsageError(f"custom_id {most_frequent!r}: occurs {times} times in one batch")
    body = HEAD + COMMA.join(map(encode_item, items)) + TAIL
    result, _ = await send_with_retries(
        lambda: client.fetch("POST", BATCHES, body=body),
        policy or RetryPolicy(),
        is_worth=is_safe_to_repeat,
    )
    if isinstance(result, ApiError):
        raise result
    return parse_batch(result)


async def get_batch(client: MessagesClient, batch_id: str) -> Batch:
    """The batch as it is now.

    Raises:
        ApiError: whatever went wrong, in the type that fits.
    """
    return parse_batch(await client.fetch("GET", path_of(batch_id)))


async def list_batches(
    client: MessagesClient, *, limit: int = LISTED, page_rows: int = PAGE_ROWS
) -> tuple[Batch, ...]:
    """The batches of the account's workspace, the newest first, whoever created them.

    Args:
        client: where to ask.
        limit: older ones beyond this number are not asked for.
        page_rows: how many to ask for at once, 1 to 1000.

    Raises:
        ApiError: whatever went wrong, in the type that fits.
    """
    rows = await fetch_rows(client, BATCHES, limit=limit, page_rows=page_rows)
    batches = [parse_batch(row) for row in rows]
    return tuple(sorted(batches, key=lambda one: one.created_at or LONG_AGO, reverse=True))


async def cancel_batch(client: MessagesClient, batch_id: str) -> Batch:
    """Ask for the end of a batch; what is finished keeps its result, and is paid for.

    Raises:
        ApiError: whatever went wrong, in the type that fits.
    """
    return parse_batch(await client.fetch("POST", f"{path_of(batch_id)}/cancel"))


async def delete_batch(client: MessagesClient, batch_id: str) -> None:
    """Delete a batch that has ended, with its results.

    Raises:
        ApiError: whatever went wrong, in the type that fits.
    """
    await client.request("DELETE", path_of(batch_id))


async def stream_results(
    client: MessagesClient, batch_id: str
) -> AsyncGenerator[BatchResult, None]:
    """The results of a batch that has ended, in any order, as they arrive.

    After an error, the ones before it are good, and the same call begins again with the first.
    Whoever stops early closes it, as `contextlib.aclosing` does.

    Args:
        client: where to ask.
        batch_id: the address is built from it; `results_url` could lead anywhere with our key.

    Raises:
        ApiError: whatever went wrong, in the type that fits; UnreadableResponseError names a line
            that is no result.
    """
    path = f"{path_of(batch_id)}/results"
    number = 0
    async with (
        aclosing(client.stream(path, accept="application/binary")) as pieces,
        aclosing(split_lines(pieces)) as lines,
    ):
        async for line in lines:
            number += 1
            if line.strip():
                yield parse_result(client, line, f"batch {batch_id}, line {number}")


async def group_items(
    items: AsyncIterable[BatchItem], *, max_requests: int = MAX_REQUESTS, max_bytes: int = MAX_BYTES
) -> AsyncGenerator[list[BatchItem], None]:
    """Cut a stream of items into batches, each as large as may be.

    Args:
        items: taken one by one, no further than one beyond the batch that is given out.
        max_requests: of one batch, at least 1.
        max_bytes: of the body that `create_batch` sends.

    Raises:
        PromptError: an item alone is too large for any batch.
    """
    group: list[BatchItem] = []
    size = 0
    async for item in items:
        item_size = len(encode_item(item))
        smallest = len(HEAD) + item_size + len(TAIL)
        if smallest > max_bytes:
            raise PromptError(
                f"request {item.custom_id}: {smallest:,} bytes are more than the {max_bytes:,} "
                "that a batch may have"
            )
        if group and (len(group) >= max_requests or size + len(COMMA) + item_size > max_bytes):
            yield group
            group = []
        size = size + len(COMMA) + item_size if group else smallest
        group.append(item)
    if group:
        yield group


def encode_item(item: BatchItem) -> bytes:
    """An item as it is sent."""
    fields = {"custom_id": item.custom_id, "params": item.params}
    return json.dumps(fields, separators=(",", ":")).encode()


def path_of(batch_id: str) -> str:
    """The path of a batch."""
    return f"{BATCHES}/{quote(batch_id, safe='')}"


def parse_batch(body: Mapping[str, Any]) -> Batch:
    """Read a batch object.

    Raises:
        UnreadableResponseError: it has no id or no status.
    """
    batch_id, status = as_text(body.get("id")), as_text(body.get("processing_status"))
    if not batch_id or not status:
        raise UnreadableResponseError(
            "status 200, but the body is no batch: it has no `id` or no `processing_status`",
            status=200,
        )
    counts = body.get("request_counts")
    given = counts if isinstance(counts, Mapping) else {}
    return Batch(
        id=batch_id,
        status=status,
        counts=BatchCounts(
            processing=as_count(given.get("processing")) or 0,
            succeeded=as_count(given.get("succeeded")) or 0,
            errored=as_count(given.get("errored")) or 0,
            canceled=as_count(given.get("canceled")) or 0,
            expired=as_count(given.get("expired")) or 0,
        ),
        created_at=as_time(body.get("created_at")),
        ended_at=as_time(body.get("ended_at")),
        expires_at=as_time(body.get("expires_at")),
        results_url=as_text(body.get("results_url")),
    )


async def split_lines(pieces: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Lines that end in a line feed; texts in JSON may hold other kinds of line breaks."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
    if rest:
        yield rest


def parse_result(client: MessagesClient, line: bytes, place: str) -> BatchResult:
    """Read a line of results.

    Args:
        client: where it came from.
        line: JSON.
        place: the batch and the line, for the error.

    Raises:
        UnreadableResponseError: it is no JSON object with a `custom_id`.
    """
    try:
        row = json.loads(client.endpoint.mask_bytes(line))
    except (ValueError, RecursionError) as error:
        raise UnreadableResponseError(f"{place}: no JSON", status=200) from error
    custom_id = as_text(row.get("custom_id")) if isinstance(row, Mapping) else None
    if not custom_id:
        raise UnreadableResponseError(f"{place}: no result with a `custom_id`", status=200)
    result = row.get("result")
    fields = result if isinstance(result, Mapping) else {}
    return BatchResult(custom_id=custom_id, outcome=parse_outcome(client, fields))


def parse_outcome(
    client: MessagesClient, result: Mapping[str, Any]
) -> Response | ApiError | Literal["expired", "canceled"]:
    """What a result says, whatever it is."""
    match result.get("type"):
        case "succeeded":
            try:
                return parse_response(result.get("message"))
            except UnreadableResponseError as error:
                return error
        case "errored":
            return build_result_error(client.endpoint, result)
        case "expired":
            return "expired"
        case "canceled":
            return "canceled"
        case other:
            return ApiError(f"an item of a batch ended in a way unknown to evalkit: {other!r}")
