"""Processes that a command has started, found and ended one by one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from evalkit.testing.messages_server import MessagesServer
from tests.conftest import ROOT


def start_command(
    arguments: Sequence[str], key: str, folder: Path, **environment: str
) -> subprocess.Popen[str]:
    """Start evalkit as the first of a group of processes, as a terminal does."""
    return subprocess.Popen(
        [sys.executable, "-m", "evalkit", *arguments],
        cwd=ROOT,
        env=os.environ
        | {"ANTHROPIC_API_KEY": key, "EVALKIT_CACHE_DIR": str(folder / "cache"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def find_workers(parent: int, name: str = "") -> list[psutil.Process]:
    """The processes below one that ask questions.

    Args:
        parent: the one.
        name: a part of their command line; empty: they are started by evalkit.
    """
    found = []
    for process in psutil.Process(parent).children(recursive=True):
        words = " ".join(process.cmdline())
        if any(mark in words for mark in ([name] if name else ["popen_loky", "spawn_main"])):
            found.append(process)
    return found


def find_asking(parent: int, server: MessagesServer, name: str = "") -> list[psutil.Process]:
    """Those of them that are connected to a server."""
    port = int(server.base_url.rpartition(":")[2])

    def is_asking(process: psutil.Process) -> bool:
        return any(
            connection.raddr and connection.raddr.port == port
            for connection in process.net_connections("tcp")
        )

    return [process for process in find_workers(parent, name) if is_asking(process)]


def wait_until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait for something to happen."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C, which reaches the whole group."""
    os.killpg(process.pid, signal.SIGINT)


def are_gone(processes: Sequence[psutil.Process]) -> bool:
    """Whether none of them is there any more."""
    return not any(
        process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes
    )
