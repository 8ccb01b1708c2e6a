"""A real HTTP server on this machine that imitates the Messages API, its deviants and its faults.

    with MessagesServer(answer=key_answers({"What is latin for Ant?": "Formicidae"})) as server:
        ...  # ask server.base_url with the key server.key
        assert server.count(200) == 1

As a program it prints its address as a line of JSON, and its counters when it is stopped:

    python -m evalkit.testing --fail rate_limited --every 3
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import signal
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from evalkit.testing.messages_errors import Rejection
from evalkit.testing.messages_faults import (
    FAULTS,
    Fault,
    FaultPlan,
    at_random,
    either,
    first_attempts,
    no_faults,
)
from evalkit.testing.messages_limits import RequestBucket, limit_headers
from evalkit.testing.messages_models import Json
from evalkit.testing.messages_record import BATCHES_PATH, FILES_PATH, Ledger, RequestRecord
from evalkit.testing.messages_replies import Answer, Reply, key_answers, same_letter_each_time
from evalkit.testing.messages_service import Service
from evalkit.testing.messages_uploads import read_request

__all__ = ["Fault", "MessagesServer", "Reply", "RequestRecord", "key_answers"]


@dataclass(kw_only=True, eq=False)
class MessagesServer(Service):
    """A service that listens, in a thread of its own, while its `with` block lasts."""

    faults: FaultPlan = no_faults
    """Which requests over HTTP fail, and how; those in a batch are `batch_fault`'s."""
    latency_seconds: float = 0.0
    close_silently_every: int | None = None
    """After so many replies on a connection, close it without a word when it is used again."""
    requests_per_minute: int | None = None
    """More messages than that are a 429 with a truthful `retry-after`; None: no limit."""
    request_burst: int | None = None
    """How many of them may come at once; None: all of a minute."""
    port: int = 0
    """0 for any free one."""
    max_body_bytes: int = 32 * 2**20
    """Larger requests are a 413, but for batches and uploads, which have limits of their own."""
    ledger: Ledger = field(init=False, default_factory=Ledger)
    _bucket: RequestBucket | None = field(init=False, default=None)
    _replies: Counter[object] = field(init=False, default_factory=Counter)
    _failure: Exception | None = field(init=False, default=None)

    def __enter__(self) -> Self:
        if self.requests_per_minute is not None:
            burst = self.request_burst or self.requests_per_minute
            self._bucket = RequestBucket(self.requests_per_minute, burst)
        address: Future[str] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(address,), name="messages-server", daemon=True
        )
        self._thread.start()
        self.base_url = address.result(timeout=10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(timeout=10)
        if self._failure is not None and error is None:
            raise RuntimeError("the test server could not answer a request") from self._failure

    @property
    def requests(self) -> list[RequestRecord]:
        """All requests in the order of their arrival."""
        return self.ledger.requests

    @property
    def connections(self) -> int:
        """The connections accepted."""
        return self.ledger.connections

    @property
    def peak_concurrency(self) -> int:
        """The most requests that were being served at the same time."""
        return self.ledger.peak_concurrency

    @property
    def answered_again(self) -> int:
        """How many times a message was given for a body that had one already."""
        return self.ledger.answered_again

    def count(self, status: int | None) -> int:
        """How many requests ended with that status; None: without a whole response."""
        return self.ledger.statuses[status]

    def _run(self, address: Future[str]) -> None:
        try:
            asyncio.run(self._listen(address))
        except Exception as error:
            if address.done():
                raise
            address.set_exception(error)

    async def _listen(self, address: Future[str]) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._attend)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.05)
        await runner.setup()
        protocols = runner.server
        assert protocols is not None, "a runner that is set up has a server"

        def accept() -> web.RequestHandler:
            self.ledger.connections += 1
            return protocols()

        try:
            listener = await self._loop.create_server(accept, "127.0.0.1", self.port, backlog=1024)
            address.set_result(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
            await self._closing.wait()
            # asyncio loses a socket whose listener is closed while it is being accepted.
            for socket in listener.sockets:
                self._loop.remove_reader(socket.fileno())
            await _let_the_loop_catch_up()
            listener.close()
        finally:
            await runner.cleanup()
            await _let_the_loop_catch_up()

    async def _attend(self, request: web.Request) -> web.StreamResponse:
        """Write down a request and how it ended, whatever happens in between."""
        arrival = await read_request(request, self._max_bytes(request))
        record = self.ledger.arrive(
            method=request.method,
            path=request.path,
            query={name: request.query.getall(name) for name in request.query},
            headers={name.lower(): value for name, value in request.headers.items()},
            body=arrival.body,
            content=arrival.content,
        )
        status: int | None = None
        try:
            response = await self._serve(request, record, arrival.problem)
            if not _is_closing(request):
                status = response.status
                self._replies[request.protocol] += 1
            return response
        finally:
            self.ledger.leave(record, status)

    async def _serve(
        self, request: web.Request, record: RequestRecord, problem: Rejection | None
    ) -> web.StreamResponse:
        every = self.close_silently_every
        if every is not None and self._replies[request.protocol] >= every:
            return _drop(request)
        if self._bucket is not None and record.is_message:
            wait_seconds = self._bucket.take(time.monotonic())
            if wait_seconds > 0:
                return self._limit(record, wait_seconds)
        fault = self.faults(record)
        pause_seconds = self.latency_seconds + (fault.delay_seconds if fault else 0.0)
        if pause_seconds > 0:
            await self._pause(pause_seconds)
        if fault is not None and fault.manner == "hang":
            while not (_is_closing(request) or self._closing.is_set()):
                await self._pause(0.05)
        if _is_closing(request) or self._closing.is_set():
            return _drop(request)
        if fault is not None and fault.manner in ("error", "page", "reset"):
            return self._fail(request, record, fault)
        response = self._reply(record, problem)
        if fault is not None and fault.manner == "cut":
            return await _cut(request, response)
        return response

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not longer than the server is open."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), timeout=seconds)

    def _fail(self, request: web.Request, record: RequestRecord, fault: Fault) -> web.Response:
        if fault.manner == "reset":
            return _drop(request, reset=True)
        if fault.manner == "page":
            return web.Response(
                status=fault.status, body=fault.content, content_type=fault.content_type
            )
        details = None if fault.error_code is None else {"error_code": fault.error_code}
        rejection = Rejection(fault.message, status=fault.status, details=details)
        return self._reject(record, rejection, dict(fault.headers))

    def _limit(self, record: RequestRecord, wait_seconds: float) -> web.Response:
        limit = f"{self.requests_per_minute} requests per minute"
        message = f"This request would exceed your organization's rate limit of {limit}."
        headers = {"retry-after": str(math.ceil(wait_seconds))}
        return self._reject(record, Rejection(message, status=429), headers)

    def _reply(self, record: RequestRecord, problem: Rejection | None) -> web.Response:
        try:
            if problem is not None:
                raise problem
            return self._response(record, 200, self.respond(record))
        except Rejection as rejection:
            if self.mistakes_as_500 and rejection.status == 400:
                rejection = Rejection(rejection.message, status=500)
            headers = {"x-should-retry": "false"} if rejection.status == 400 else {}
            return self._reject(record, rejection, headers)
        except Exception as error:
            # The answer of the test raised: say so when the block ends, not in a log.
            self._failure = self._failure or error
            return self._reject(record, Rejection(repr(error), status=500), {})

    def _reject(
        self, record: RequestRecord, rejection: Rejection, headers: dict[str, str]
    ) -> web.Response:
        official = rejection.official_body(_request_id(record))
        body = rejection.bare_body() if self.bare else official
        return self._response(record, rejection.status, body, headers)

    def _response(
        self,
        record: RequestRecord,
        status: int,
        body: Json | bytes,
        headers: dict[str, str] | None = None,
    ) -> web.Response:
        extra = ({} if self.bare else self._official_headers(record)) | (headers or {})
        if isinstance(body, bytes):
            return web.Response(body=body, content_type="application/x-jsonl", headers=extra)
        return web.json_response(body, status=status, headers=extra)

    def _official_headers(self, record: RequestRecord) -> dict[str, str]:
        headers = {
            "request-id": _request_id(record),
            "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
        }
        return headers | (limit_headers(self._bucket) if record.is_message else {})

    def _max_bytes(self, request: web.Request) -> int:
        if request.path == BATCHES_PATH:
            return self.max_batch_bytes
        return self.max_file_bytes if request.path == FILES_PATH else self.max_body_bytes


async def _let_the_loop_catch_up() -> None:
    """Let connections that are half accepted, or half closed, become the one or the other.

    Each takes a few rounds of the loop, however many there are; a loop that ended before would
    leave their sockets open.
    """
    for _ in range(10):
        await asyncio.sleep(0)


def _request_id(record: RequestRecord) -> str:
    return f"req_011{record.number:021d}"


def _is_closing(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _drop(request: web.Request, *, reset: bool = False) -> web.Response:
    """End the connection, politely or by a TCP reset; the response returned reaches nobody."""
    if request.transport is not None:
        if reset:
            connection = request.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


async def _cut(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Send the head and half of the body, then end the connection."""
    whole = response.body
    assert isinstance(whole, bytes), "JSON responses are bytes"
    half = web.StreamResponse(status=response.status, headers=response.headers)
    half.content_length = len(whole)
    with suppress(ConnectionError):  # the client may have gone before
        await half.prepare(request)
        await half.write(whole[: len(whole) // 2])
    if request.transport is not None:
        request.transport.close()
    return half


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    options = _parser().parse_args(arguments)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with _server_of(options) as server:
        print(json.dumps({"base_url": server.base_url, "key": server.key}), flush=True)
        stop.wait()
    print(json.dumps(server.ledger.summary()), flush=True)


def _server_of(options: argparse.Namespace) -> MessagesServer:
    answer: Answer = same_letter_each_time
    if options.answers is not None:
        key = json.loads(options.answers.read_text(encoding="utf-8"))
        answer = key_answers(key, wrong_share=options.wrong_share, seed=options.seed)
    plans: list[FaultPlan] = []
    if options.fail is not None:
        fault = FAULTS[options.fail]()
        plans.append(first_attempts(fault, attempts=options.attempts, every=options.every))
    plans.append(at_random(dict(options.fault_share), seed=options.seed))
    return MessagesServer(
        answer=answer,
        faults=either(*plans),
        style=options.style,
        key=options.key,
        port=options.port,
        latency_seconds=options.latency_seconds,
        close_silently_every=options.close_silently_every,
        echo_prefill=options.echo_prefill,
        ignore_prefill=options.ignore_prefill,
        bare=options.bare,
        mistakes_as_500=options.mistakes_as_500,
        odd_casing=options.odd_casing,
        zero_retention=options.zero_retention,
        batch_seconds=options.batch_seconds,
        requests_per_minute=options.requests_per_minute,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evalkit.testing", description="Imitate the Messages API."
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="test-key")
    parser.add_argument("--answers", type=Path, help="JSON object: stem -> right choice")
    parser.add_argument("--wrong-share", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--style", default="{letter}")
    parser.add_argument("--latency-seconds", type=float, default=0.0)
    parser.add_argument("--batch-seconds", type=float, default=0.0)
    parser.add_argument("--requests-per-minute", type=int)
    parser.add_argument("--close-silently-every", type=int, metavar="REPLIES")
    parser.add_argument("--fail", choices=FAULTS, help="fail the first attempts like this")
    parser.add_argument("--attempts", type=int, default=1, help="how many of them (--fail)")
    parser.add_argument("--every", type=int, default=1, help="of every k-th body (--fail)")
    parser.add_argument(
        "--fault-share",
        type=_fault_share,
        action="append",
        default=[],
        metavar="FAULT=SHARE",
        help="fail this share of the first attempts, chosen by --seed",
    )
    deviations = ("echo-prefill", "ignore-prefill", "bare", "mistakes-as-500")
    for deviation in (*deviations, "odd-casing", "zero-retention"):
        parser.add_argument(f"--{deviation}", action="store_true")
    return parser


def _fault_share(text: str) -> tuple[Fault, float]:
    name, _, share = text.partition("=")
    if name not in FAULTS:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(FAULTS)}")
    return FAULTS[name](), float(share)


if __name__ == "__main__":
    main()
