"""An endpoint in simulated time, with limits of its own, and whole runs at it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from evalkit.api.breaker import Breaker
from evalkit.api.limits import Allowance
from evalkit.api.retries import RetryPolicy
from evalkit.errors import ApiError, OverloadedError, RateLimitError, ServerError
from evalkit.requests import Request, build_request
from evalkit.responses import Response, Usage
from evalkit.runs.concurrency import MOST, ConcurrencyLimit
from evalkit.runs.journal import JournalRow
from evalkit.runs.limiter import Limiter, Ticket
from evalkit.runs.pacing import Pace
from evalkit.runs.runner import RunnerSettings, run_requests
from tests.simulated_time import now, run_simulated

Kind = Literal["ok", "429", "500", "529"]

REFUSAL_SECONDS = 0.003
"""A refusal comes sooner than an answer."""

ANSWER = Response(
    text="A", stop_reason=None, model=None, usage=Usage(input_tokens=100, output_tokens=1)
)


@dataclass(kw_only=True, eq=False)
class SimulatedEndpoint:
    """Answers after a while, refuses what is more than it takes, and fails at random."""

    seconds: float = 0.05
    """To an answer."""
    jitter_seconds: float = 0.005
    transit_seconds: float = 0.002
    """The longest that a request is on its way; the shortest is 0."""
    rate: float | None = None
    """Requests a second; more are a 429."""
    burst: int = 1
    """How many of them may come at once."""
    most_at_once: int | None = None
    """More are a 529."""
    shares: Mapping[Kind, float] = field(default_factory=dict)
    """Of the other requests, those that fail."""
    retry_after: float | None = 1.0
    """In the headers of a 429."""
    allowance: Callable[[int], Allowance] | None = None
    """What the headers of all replies say, by the requests left in the bucket."""
    seed: int = 0
    sent: list[tuple[float, str, Kind]] = field(default_factory=list)
    """When each request came, its question, and what became of it."""
    in_flight: int = 0
    peak: int = 0

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)
        self._left, self._at = float(self.burst), 0.0

    async def send(self, limiter: Limiter, request: Request, ticket: Ticket) -> Response:
        """Answer one request."""
        await asyncio.sleep(self._rng.uniform(0, self.transit_seconds))
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            kind = self._decide()
            self.sent.append((now(), request.question_id, kind))
            left = int(self._left)
            usual = self.seconds + self._rng.uniform(0, self.jitter_seconds)
            await asyncio.sleep(usual if kind == "ok" else REFUSAL_SECONDS)
        finally:
            self.in_flight -= 1
        if self.allowance is not None:
            limiter.heed(ticket, self.allowance(left))
        if kind != "ok":
            raise self._build_error(kind)
        return ANSWER

    def _decide(self) -> Kind:
        if self.rate is not None:
            self._left = min(self.burst, self._left + (now() - self._at) * self.rate)
            self._at = now()
            if self._left < 1:
                return "429"
            self._left -= 1
        if self.most_at_once is not None and self.in_flight > self.most_at_once:
            return "529"
        drawn = self._rng.random()
        for kind, share in self.shares.items():
            if drawn < share:
                return kind
            drawn -= share
        return "ok"

    def _build_error(self, kind: Kind) -> ApiError:
        if kind == "429":
            return RateLimitError("slow down", status=429, retry_after_seconds=self.retry_after)
        if kind == "529":
            return OverloadedError("overloaded", status=529)
        return ServerError("broken", status=500)

    def count(self, *, after: float = 0.0) -> Counter[Kind]:
        """What became of the requests from a time on."""
        return Counter(kind for at, _, kind in self.sent if at >= after)


@dataclass(kw_only=True)
class Ran:
    """What came of a run."""

    seconds: float
    rows: list[JournalRow]
    lines: list[str]
    limiter: Limiter
    error: ApiError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every question was answered, once."""
        return all(row.is_response for row in self.rows) and len(
            {row.question_id for row in self.rows}
        ) == len(self.rows)


def requests_for(count: int, start: str = "q") -> Iterable[Request]:
    """Different questions, built when they are asked for."""
    return (build_request(f"{start}{n}", "instructed", {"model": "m"}) for n in range(count))


def simulate(
    endpoint: SimulatedEndpoint,
    count: int,
    *,
    most: int = MOST,
    is_fixed: bool = False,
    per_minute: Mapping[str, float] | None = None,
    policy: RetryPolicy | None = None,
    deadline_seconds: float | None = None,
) -> Ran:
    """Run so many questions at an endpoint."""
    rows: list[JournalRow] = []
    lines: list[str] = []

    async def main() -> Ran:
        clock = asyncio.get_running_loop().time
        retries = policy or RetryPolicy(rng=random.Random(0))
        limiter = Limiter(
            ConcurrencyLimit(most, is_fixed=is_fixed),
            Pace(per_minute, now=clock()),
            Breaker(retries.outage),
            say=lines.append,
            clock=clock,
        )
        ran = Ran(seconds=0, rows=rows, lines=lines, limiter=limiter)
        try:
            await run_at(
                endpoint.send, limiter, requests_for(count), rows, retries, deadline_seconds
            )
        except ApiError as error:
            ran.error = error
        ran.seconds = clock()
        return ran

    return run_simulated(main())


async def run_at(
    send: Callable[[Limiter, Request, Ticket], Awaitable[Response]],
    limiter: Limiter,
    requests: Iterable[Request],
    rows: list[JournalRow],
    policy: RetryPolicy,
    deadline_seconds: float | None = None,
) -> None:
    """Ask requests within a simulation."""
    await run_requests(
        requests,
        lambda request, ticket: send(limiter, request, ticket),
        rows.append,
        RunnerSettings(
            limiter=limiter,
            policy=policy,
            ends_run=lambda error: False,
            deadline_seconds=deadline_seconds,
        ),
    )
