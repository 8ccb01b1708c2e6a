"""Embedded models: the engine's own HTTP server on a loopback port."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from evalkit.errors import LocalModelError, MissingExtraError, UsageError
from evalkit.models import engine_process
from evalkit.models.fetching import fetch_weights
from evalkit.models.weights import (
    Weights,
    find_weights,
    load_weights_table,
    render_bytes,
    sha256_of,
    weights_folder,
)

PREFIX = "local/"
STOP_SECONDS = 5.0
"""How long the engine may take to stop before it is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalServer:
    """An embedded model that is ready for questions."""

    base_url: str
    """Where its Messages API is, such as "http://127.0.0.1:43689"; it takes any key."""
    model: str
    """The name to send in requests, and the name in replies."""
    threads: int
    weights_sha256: str
    engine: str
    """Name and version, such as "xllamacpp 2026.10.11549"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """An embedded model that evalkit knows by name."""

    model: str
    """The name to ask for, with "local/"."""
    weights: Weights
    path: Path | None
    """The weights file, None where it is not on this machine yet."""


def is_local(model: str) -> bool:
    """Tells whether a model name means an embedded model.

    Example:
        >>> is_local("local/smollm2-135m"), is_local("claude-haiku-4-5")
        (True, False)
    """
    return model.startswith(PREFIX)


def local_model_names() -> tuple[str, ...]:
    """Lists the embedded models that evalkit knows by name, smallest first.

    Example:
        >>> local_model_names()
        ('local/smollm2-135m', 'local/qwen2.5-coder-1.5b')
    """
    return tuple(PREFIX + name for name in load_weights_table())


def list_local_models(folder: Path | None = None) -> tuple[LocalModel, ...]:
    """Lists the embedded models with what `evalkit list models` shows of them.

    Args:
        folder: where weights are kept, `weights_folder()` where it is absent.

    Returns:
        The models, smallest first.
    """
    where = folder or weights_folder()
    return tuple(
        LocalModel(model=PREFIX + name, weights=weights, path=find_weights(name, where))
        for name, weights in load_weights_table().items()
    )


def free_cores() -> int:
    """Counts the cores that this process may use and that others leave idle right now.

    One thread too many costs more than one too few: with another job on one of two cores, two
    threads wait for each other and are up to 3.5 times slower than one.

    Returns:
        At least 1. Takes 0.3 seconds.
    """
    import psutil

    busy = psutil.cpu_percent(interval=0.3, percpu=True)
    ours = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(len(busy))
    free = sum(1 - busy[core] / 100 for core in ours if core < len(busy))
    return max(1, int(free + 0.5))


@contextmanager
def serve_local_model(
    model: str,
    *,
    threads: int | None = None,
    context_tokens: int = 4096,
    folder: Path | None = None,
    ready_seconds: float = 60.0,
    say: Callable[[str], None],
) -> Iterator[LocalServer]:
    """Serves an embedded model for as long as the context lasts.

    The engine is a process of its own that listens on 127.0.0.1 only. It ends with the context,
    whatever ends that, and with this process, even if that is killed. It answers one request at a
    time.

    Args:
        model: a name of `local_model_names()`, whose weights are fetched if need be, or
            "local/PATH.gguf" for a file of the user's own.
        threads: threads that compute, at least 1; `free_cores()` where it is absent.
        context_tokens: the longest prompt with its reply, at least 1.
        folder: where weights are kept, `weights_folder()` where it is absent.
        ready_seconds: how long the engine may take to load the model.
        say: takes each line for the user.

    Yields:
        The address and what a run's manifest needs to know.

    Raises:
        MissingExtraError: the engine is not installed.
        UsageError: there is no such model, or a number is out of range.
        LocalModelError: the weights can't be had or used, or the engine doesn't start.

    Example:
        ```python
        with serve_local_model("local/smollm2-135m", say=print) as server:
            httpx.post(f"{server.base_url}/v1/messages", json={"model": server.model, ...})
        ```
    """
    if not all(importlib.util.find_spec(module) for module in ("xllamacpp", "psutil")):
        raise MissingExtraError("an embedded model", "local")
    if threads is not None and threads < 1:
        raise UsageError(f"threads = {threads}: must be at least 1")
    if context_tokens < 1:
        raise UsageError(f"context_tokens = {context_tokens}: must be at least 1")
    path, digest = _find_or_fetch(model, folder or weights_folder(), say)
    threads = threads or free_cores()
    say(f"Starting {model} on {threads} {'thread' if threads == 1 else 'threads'} ...")
    started = time.monotonic()
    with _Engine(path, threads=threads, context_tokens=context_tokens, alias=model) as engine:
        address = engine.wait_until_ready(ready_seconds)
        say(f"{model} is ready after {time.monotonic() - started:.1f} s")
        yield LocalServer(
            base_url=address,
            model=model,
            threads=threads,
            weights_sha256=digest,
            engine=_name_engine(),
        )


def identify_local_model(model: str, *, say: Callable[[str], None]) -> tuple[str, str]:
    """Tells what a run's manifest says of an embedded model; nothing is fetched or started.

    Args:
        model: as for `serve_local_model`.
        say: takes each line for the user.

    Returns:
        The SHA-256 of its weights, and name and version of its engine.

    Raises:
        UsageError: there is no such model.
        LocalModelError: the user's own file can't be used.
    """
    weights = load_weights_table().get(model.removeprefix(PREFIX))
    digest = _find_own_file(model, say)[1] if weights is None else weights.sha256
    return digest, _name_engine()


def _name_engine() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import

    try:
        return f"xllamacpp {version('xllamacpp')}"
    except PackageNotFoundError:
        return "xllamacpp"


def _find_or_fetch(model: str, folder: Path, say: Callable[[str], None]) -> tuple[Path, str]:
    name = model.removeprefix(PREFIX)
    table = load_weights_table()
    if is_local(model) and name in table:
        return fetch_weights(name, folder, say=say), table[name].sha256
    return _find_own_file(model, say)


def _find_own_file(model: str, say: Callable[[str], None]) -> tuple[Path, str]:
    name = model.removeprefix(PREFIX)
    if not is_local(model) or not name.lower().endswith(".gguf"):
        raise UsageError(
            f"no embedded model is called {model!r}; there are {', '.join(local_model_names())}, "
            "and local/PATH.gguf for a file of your own"
        )
    path = Path(name).expanduser().absolute()
    _check_own_file(path)
    say(f"Reading {path} ({render_bytes(path.stat().st_size)}) for its SHA-256 ...")
    return path, sha256_of(path)


def _check_own_file(path: Path) -> None:
    remedy = "give local/PATH.gguf the path of a GGUF file, absolute or from where you are"
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise LocalModelError(f"{path}: no such file; {remedy}") from None
    except IsADirectoryError:
        raise LocalModelError(f"{path}: this is a folder; {remedy}") from None
    except OSError as error:
        raise LocalModelError(f"{path}: can't be read ({error.strerror}); {remedy}") from error
    if magic != b"GGUF":
        raise LocalModelError(f"{path}: no GGUF file, since it starts with {magic!r}; {remedy}")


class _Engine:
    """The engine's process, from its start to its certain end."""

    def __init__(self, weights: Path, *, threads: int, context_tokens: int, alias: str) -> None:
        # By its path and with -P: it works from any folder, and nothing there gets in its way.
        program = [sys.executable, "-P", engine_process.__file__, str(weights)]
        options = {"--threads": threads, "--context": context_tokens, "--alias": alias}
        self.command = program + [f"{name}={value}" for name, value in options.items()]
        self.last_lines: deque[str] = deque(maxlen=40)
        self.first_line: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,  # the engine ends when this end of it is gone
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        self.readers = [
            threading.Thread(target=self._read_output, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self.readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def wait_until_ready(self, seconds: float) -> str:
        """Waits until the engine answers.

        Returns:
            The address of its server, without a slash at the end.

        Raises:
            LocalModelError: it ended, or the time is up.
        """
        import httpx

        deadline = time.monotonic() + seconds
        with suppress(queue.Empty):
            line = self.first_line.get(timeout=seconds)
            if not line:
                raise LocalModelError(self._obituary())
            address: str = json.loads(line)["address"]
            while time.monotonic() < deadline:
                with suppress(httpx.HTTPError):
                    health = httpx.get(f"{address}/health", timeout=seconds, trust_env=False)
                    if health.is_success:
                        return address
                time.sleep(0.05)
        raise LocalModelError(
            f"the engine was not ready within {seconds:g} s: {self._last_words()}; "
            "try again when the machine is less busy, or take a smaller model"
        )

    def _obituary(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        words = self._last_words()
        return (
            f"the engine ended with code {self.process.returncode} while it started: {words}; "
            "see whether the file is complete, of a kind that llama.cpp runs, and fits the memory"
        )

    def _read_output(self) -> None:
        assert self.process.stdout
        self.first_line.put(self.process.stdout.readline())

    def _read_errors(self) -> None:
        assert self.process.stderr
        self.last_lines.extend(self.process.stderr)

    def _last_words(self) -> str:
        """Renders what the engine said, each reason once; the cause comes first."""
        self._stop()
        # Lines look like "0.00.009.653 E gguf_init_from_reader: bad GGUF version: 0".
        lines = [re.sub(r"^[\d.]+ [A-Z] ", "", line).strip() for line in self.last_lines]
        return " | ".join(list(dict.fromkeys(filter(None, lines)))[:5]) or "it said nothing"

    def _stop(self) -> None:
        try:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.terminate()
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also on a second Ctrl-C
            self.process.kill()
            self.process.wait()
            for reader in self.readers:
                reader.join()
            for stream in (self.process.stdout, self.process.stderr):
                assert stream
                stream.close()
