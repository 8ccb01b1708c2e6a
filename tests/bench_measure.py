"""What a command takes as a whole process, and what its upstream saw of it meanwhile."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]

KEY = "bench-0123456789-0123456789"
"""Of usual length: evalkit masks it in replies, but not if it is very short."""

PEAK_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
"""What `ru_maxrss` counts in."""

POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a child process took, from its start to its end."""

    code: int
    """Its exit code; negative: the signal that ended it."""
    cpu_seconds: float
    """User and system, its own children included."""
    wall_seconds: float
    peak_bytes: int
    """The most memory that was resident at once."""
    out: str


def spend(
    command: Sequence[str], folder: Path, *, end_when: Callable[[], bool] | None = None
) -> Spent:
    """Run a command to its end.

    On Linux the peak of a child begins at what its parent held when it was started, so that the
    parent has to be smaller than whatever it measures.

    Args:
        command: the command line.
        folder: an existing one of its own, for its cache and what it prints.
        end_when: asked again and again; the command is ended once it says so.
    """
    environment = {name: text for name, text in os.environ.items() if "proxy" not in name.lower()}
    environment |= {"ANTHROPIC_API_KEY": KEY, "EVALKIT_CACHE_DIR": str(folder / "cache")}
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=err)
        if end_when is not None:
            while is_running(process) and not end_when():
                time.sleep(POLL_SECONDS)
            os.kill(process.pid, signal.SIGTERM)
        # `Popen.wait` would say nothing of what the child has used.
        _, status, usage = os.wait4(process.pid, 0)
        wall_seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    return Spent(
        code=process.returncode,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        wall_seconds=wall_seconds,
        peak_bytes=usage.ru_maxrss * PEAK_UNIT_BYTES,
        out=(folder / "out").read_text(encoding="utf-8"),
    )


def is_running(process: subprocess.Popen[bytes]) -> bool:
    """Whether a child has not ended; if it has, it stays there to be waited for."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


class Counter:
    """Asks an upstream what it has counted, over one connection that it keeps.

    Upstreams without counts, which answer `/_stats` with an error, have none to show.
    """

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self._connection = http.client.HTTPConnection(urlsplit(base_url).netloc, timeout=30)

    def reset(self) -> None:
        """Begin anew."""
        self._ask("POST", "/_reset")

    def read(self) -> dict[str, Any]:
        """The counts since the last reset, or nothing."""
        return self._ask("GET", "/_stats")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str) -> dict[str, Any]:
        self._connection.request(method, path)
        reply = self._connection.getresponse()
        content = reply.read()
        counts: dict[str, Any] = json.loads(content) if reply.status == 200 else {}
        return counts


@contextmanager
def own_upstream(*options: str) -> Iterator[str]:
    """The address of a stand-in of our own, in a process of its own."""
    command = [sys.executable, "-m", "tests.bench_upstream", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["base_url"]
        finally:
            process.kill()
