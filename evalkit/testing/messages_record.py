"""What the test server was asked and how often it answered."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from evalkit.testing.messages_models import Json

MESSAGES_PATH: Final = "/v1/messages"
BATCHES_PATH: Final = f"{MESSAGES_PATH}/batches"
FILES_PATH: Final = "/v1/files"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request as it arrived."""

    number: int
    """Place in the order of arrival, from 1."""
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    """By lower-case name."""
    body: Mapping[str, Any]
    """Empty where there was no JSON object; for an upload the fields that describe it."""
    body_digest: str
    """The same for equal bodies sent to the same path, whatever the order of their fields."""
    body_number: int
    """Place of the body among the different bodies sent to this path, from 1."""
    attempt: int
    """How many times this body has arrived now, from 1. Requests that ask the same question again
    on purpose count too: they can't be told from attempts."""
    in_flight: int
    """Requests being served when this one arrived, itself included."""
    arrived: float
    """Seconds on the monotonic clock."""
    content: bytes = b""
    """The file that was uploaded."""

    @property
    def is_message(self) -> bool:
        """Whether it asks for a message."""
        return self.method == "POST" and self.path == MESSAGES_PATH


class Ledger:
    """The records of a server with its counters."""

    def __init__(self) -> None:
        self.requests: list[RequestRecord] = []
        self.statuses: Counter[int | None] = Counter()
        self.connections = 0
        self.in_flight = 0
        self.peak_concurrency = 0
        self._attempts: Counter[str] = Counter()
        self._bodies: Counter[str] = Counter()
        self._body_numbers: dict[str, int] = {}
        self._answered: Counter[str] = Counter()

    def arrive(
        self,
        *,
        method: str,
        path: str,
        query: Mapping[str, Sequence[str]],
        headers: Mapping[str, str],
        body: Json,
        content: bytes = b"",
    ) -> RequestRecord:
        """Write down a request."""
        digest = _digest(method, path, body)
        self._attempts[digest] += 1
        if digest not in self._body_numbers:
            self._bodies[path] += 1
            self._body_numbers[digest] = self._bodies[path]
        self.in_flight += 1
        self.peak_concurrency = max(self.peak_concurrency, self.in_flight)
        record = RequestRecord(
            number=len(self.requests) + 1,
            method=method,
            path=path,
            query=query,
            headers=headers,
            body=body,
            body_digest=digest,
            body_number=self._body_numbers[digest],
            attempt=self._attempts[digest],
            in_flight=self.in_flight,
            arrived=time.monotonic(),
            content=content,
        )
        self.requests.append(record)
        return record

    def leave(self, record: RequestRecord, status: int | None) -> None:
        """Write down how a request ended; None where it got no whole response."""
        self.in_flight -= 1
        self.statuses[status] += 1
        if status == 200 and record.is_message:
            self._answered[record.body_digest] += 1

    @property
    def answered_again(self) -> int:
        """How many times a message was given for a body that had one already."""
        return self._answered.total() - len(self._answered)

    def summary(self) -> Json:
        """The counters as JSON."""
        statuses = {str(status or "dropped"): count for status, count in self.statuses.items()}
        return {
            "requests": len(self.requests),
            "statuses": statuses,
            "connections": self.connections,
            "peak_concurrency": self.peak_concurrency,
            "answered_again": self.answered_again,
        }


def _digest(method: str, path: str, body: Json) -> str:
    text = json.dumps([method, path, body], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
