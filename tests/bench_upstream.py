"""A stand-in for the Messages API that is fast and believes everything, for measuring speed.

    python -m tests.bench_upstream --latency-ms 50

It prints its address as a line of JSON. `GET /_stats` tells what it has counted, `POST /_reset`
begins anew. Nothing of a request is checked and little of it is read; the server that imitates
the API's rules is `messages_server`.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import re
import resource
import socket
import struct
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from http import HTTPStatus
from typing import Final, Literal, cast

from evalkit.testing.messages_limits import RequestBucket, limit_headers
from tests.bench_questions import LETTERS, letter_of

Kind = Literal["ok", "s429", "s529", "s500", "resets", "truncated", "pages", "slow"]
"""What becomes of a request: an answer, an error, a reset connection, a body cut in half, a web
page in the place of an answer, an answer that comes late."""

Shares = tuple[tuple[Kind, float], ...]

FAULTS: Final[Shares] = (
    ("s429", 0.05),
    ("s529", 0.02),
    ("s500", 0.01),
    ("resets", 0.01),
    ("truncated", 0.01),
)
"""With `--faults`, the share of requests that fare so."""

MANY_FAULTS: Final[Shares] = (
    ("s429", 0.05),
    ("s529", 0.04),
    ("s500", 0.03),
    ("resets", 0.02),
    ("truncated", 0.02),
    ("pages", 0.02),
    ("slow", 0.02),
)
"""With `--many-faults`."""

SLOW_SECONDS = 1.0
"""What a late answer takes longer."""

ERRORS: Final[dict[Kind, tuple[int, str, str]]] = {
    "s429": (429, "Too Many Requests", "rate_limit_error"),
    "s529": (529, "Overloaded", "overloaded_error"),
    "s500": (500, "Internal Server Error", "api_error"),
}
RETRY_AFTER_SECONDS = 1

ANSWERS: Final[tuple[Kind, ...]] = ("ok", "slow")
PAGE: Final = b"<!doctype html><title>Sign in</title><p>Please sign in to the network.</p>"

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
MARK = re.compile(rb"\(ref ([0-9a-f]{8})\)")

RESET: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing drops the connection instead of ending it in order."""


@dataclass(kw_only=True, eq=False)
class Counts:
    """What was asked since the beginning, or the last reset."""

    requests: int = 0
    ok: int = 0
    s429: int = 0
    s529: int = 0
    s500: int = 0
    resets: int = 0
    truncated: int = 0
    pages: int = 0
    slow: int = 0
    connections_accepted: int = 0
    peak_concurrency: int = 0
    """The most requests that were waiting for their answer at once."""
    duplicate_bodies: int = 0
    """Requests whose body had come before."""
    answered_again: int = 0
    """Answers to a body that had its answer already: money wasted."""
    seconds: list[list[int]] = field(default_factory=list)
    """For each second since the first request: requests let through, requests limited."""

    def note_second(self, second: int, *, is_limited: bool) -> None:
        """Count a request in its second."""
        while len(self.seconds) <= second:
            self.seconds.append([0, 0])
        self.seconds[second][is_limited] += 1


class Upstream:
    """Decides what becomes of requests, and counts them.

    Args:
        latency_seconds: from a request's last byte to its answer.
        faults: the shares of requests that fail, by how.
        per_minute: requests let through in a minute, one at a time; None: no limit.
    """

    def __init__(self, latency_seconds: float, *, faults: Shares, per_minute: int | None) -> None:
        self.latency_seconds, self.faults, self.per_minute = latency_seconds, faults, per_minute
        self.in_flight = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything but what is in flight."""
        self.counts = Counts()
        self.tries: Counter[bytes] = Counter()
        self.answered: set[bytes] = set()
        self.bucket = None if self.per_minute is None else RequestBucket(self.per_minute, 1)
        self.first_at: float | None = None
        self.cpu_before = cpu_seconds()

    def take(self, body: bytes, now: float) -> Kind:
        """Decide about a request that has just come."""
        counts, digest = self.counts, blake2b(body, digest_size=8).digest()
        counts.requests += 1
        counts.duplicate_bodies += digest in self.tries
        self.tries[digest] += 1
        self.in_flight += 1
        counts.peak_concurrency = max(counts.peak_concurrency, self.in_flight)
        if self.first_at is None:
            self.first_at = now
        kind = self.decide(digest, now)
        counts.note_second(int(now - self.first_at), is_limited=kind == "s429")
        setattr(counts, kind, getattr(counts, kind) + 1)
        if kind in ANSWERS:
            counts.answered_again += digest in self.answered
            self.answered.add(digest)
        return kind

    def decide(self, digest: bytes, now: float) -> Kind:
        """What becomes of a request: by the limit, then by a hash of its body and which try it is.

        The same body fares alike in each run, whatever else is in flight.
        """
        if self.bucket is not None and self.bucket.take(now) > 0:
            return "s429"
        if self.faults:
            drawn = blake2b(digest + self.tries[digest].to_bytes(4), digest_size=8).digest()
            share = int.from_bytes(drawn) / 2**64
            for kind, part in self.faults:
                if share < part:
                    return kind
                share -= part
        return "ok"

    def build_answer(self, kind: Kind, body: bytes) -> bytes:
        """The bytes of a response; those of a cut one end half way through the body."""
        number = self.counts.requests
        if kind in ERRORS:
            status, reason, error = ERRORS[kind]
            facts = {"type": "error", "error": {"type": error, "message": reason}}
            content = json.dumps(facts).encode()
        elif kind == "pages":
            status, reason, content = 200, "OK", PAGE
        else:
            status, reason, content = 200, "OK", build_message(body, number)
        # They tell of plenty where there is a limit, too: clients have to find it.
        head = f"HTTP/1.1 {status} {reason}\r\n{render_steady_headers(int(time.time()))}"
        if kind == "s429":
            head += f"retry-after: {RETRY_AFTER_SECONDS}\r\n"
        head += f"request-id: req_{number:016d}\r\ncontent-length: {len(content)}\r\n\r\n"
        return head.encode() + (content[: len(content) // 2] if kind == "truncated" else content)

    def build_stats(self, now: float) -> bytes:
        """The counts as a response, with the seconds since the first request."""
        elapsed = 0.0 if self.first_at is None else now - self.first_at
        times = {"elapsed_s": elapsed, "cpu_s": cpu_seconds() - self.cpu_before}
        content = json.dumps({**asdict(self.counts), **times}).encode()
        head = (
            f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}"
        )
        return head.encode() + b"\r\n\r\n" + content


class Connection(asyncio.Protocol):
    """One connection: reads requests to their end and answers each after the latency."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.pending = b""
        self.is_counted = False
        self.waiting: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while not self.transport.is_closing() and (request := self.take_request()) is not None:
            self.handle(*request)

    def take_request(self) -> tuple[bytes, bytes] | None:
        """Head and body of the next request, if all of it is there."""
        head, separator, rest = self.pending.partition(b"\r\n\r\n")
        if not separator:
            return None
        match = LENGTH.search(head)
        length = int(match[1]) if match else 0
        if len(rest) < length:
            return None
        self.pending = rest[length:]
        return head, rest[:length]

    def handle(self, head: bytes, body: bytes) -> None:
        """Answer one request, a message after the latency."""
        if head.startswith(b"POST /v1/messages "):
            # Whoever only looks at the counts is none of those measured.
            self.upstream.counts.connections_accepted += not self.is_counted
            self.is_counted = True
            kind = self.upstream.take(body, self.loop.time())
            assert self.waiting is None, "requests on one connection follow one another"
            latency = self.upstream.latency_seconds + (SLOW_SECONDS if kind == "slow" else 0.0)
            self.waiting = self.loop.call_later(latency, self.answer, kind, body)
        elif head.startswith((b"GET /_stats ", b"POST /_reset ")):
            if head.startswith(b"POST"):
                self.upstream.reset()
            self.transport.write(self.upstream.build_stats(self.loop.time()))
        else:
            status = HTTPStatus.NOT_FOUND
            self.transport.write(
                f"HTTP/1.1 {status} {status.phrase}\r\ncontent-length: 0\r\n\r\n".encode()
            )

    def answer(self, kind: Kind, body: bytes) -> None:
        """Do to a request what was decided."""
        self.waiting = None
        self.upstream.in_flight -= 1
        if kind == "resets":
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.transport.abort()
            return
        self.transport.write(self.upstream.build_answer(kind, body))
        if kind == "truncated":
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.upstream.in_flight -= 1


def build_message(body: bytes, number: int) -> bytes:
    """A Message whose text is a letter: by the question's mark, else the first."""
    mark = MARK.search(body)
    letter = letter_of(mark[1].decode()) if mark else LETTERS[0]
    return (
        f'{{"id":"msg_{number:016d}","type":"message","role":"assistant","model":"m",'
        f'"content":[{{"type":"text","text":"{letter}"}}],"stop_reason":"max_tokens",'
        f'"stop_sequence":null,"usage":{{"input_tokens":{len(body) // 4},"output_tokens":1}}}}'
    ).encode()


@functools.lru_cache(maxsize=1)
def render_steady_headers(second: int) -> str:
    """The headers of all responses within a second."""
    headers = {
        "content-type": "application/json",
        "server": "bench",
        "x-robots-tag": "none",
        "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
        **limit_headers(None),
    }
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def cpu_seconds() -> float:
    """What this process has used so far, in the system too."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def serve(upstream: Upstream) -> None:
    """Listen on a free port of this machine until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(upstream), "127.0.0.1", 0, backlog=4096)
    host, port = server.sockets[0].getsockname()
    print(json.dumps({"base_url": f"http://{host}:{port}"}), flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve as the command line asks."""
    parser = argparse.ArgumentParser(description="A fast stand-in for the Messages API.")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--faults", action="store_true", help="let every tenth request fail")
    parser.add_argument("--many-faults", action="store_true", help="let every fifth fail")
    parser.add_argument("--per-minute", type=int, metavar="N", help="let N requests through")
    args = parser.parse_args()
    faults = MANY_FAULTS if args.many_faults else FAULTS if args.faults else ()
    upstream = Upstream(args.latency_ms / 1000, faults=faults, per_minute=args.per_minute)
    asyncio.run(serve(upstream))


if __name__ == "__main__":
    main()
