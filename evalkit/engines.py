"""What starts workers, and starts the part of a lost one anew: processes here, or a cluster."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from evalkit.errors import EvalkitError, MissingExtraError, RunError, UsageError
from evalkit.progress import Say
from evalkit.settings import Engine, RunSettings
from evalkit.workers import Part, Report, ask_part

MOST_LOSSES = 5
"""So many times the worker of one part may get lost before the run ends."""

IDLE_SECONDS = 30.0
"""A process without work ends after that, as one does whose parent was killed."""

CONNECT_SECONDS = 15.0
"""How long a cluster may take to answer, and to show its first worker."""

LONELY_SECONDS = 120.0
"""How long a cluster may be without any worker."""

EXTRAS: dict[Engine, str] = {"dask": "distributed", "ray": "ray"}
"""The module that an engine needs, which is in the extra of its name."""

Ask = Callable[[Part], Report]
"""Has a worker ask a part, in a thread that waits for it; may be called by several threads."""


def check_engine(engine: Engine) -> None:
    """Refuse an engine that is not installed.

    Raises:
        MissingExtraError: naming the extra.
    """
    module = EXTRAS.get(engine)
    if module is not None and importlib.util.find_spec(module) is None:
        raise MissingExtraError(f"--engine {engine}", engine)


@contextmanager
def open_engine(settings: RunSettings, say: Say) -> Iterator[Ask]:
    """What asks a part, as long as the block lasts.

    To be called in a thread of its own: it and those that it starts hear of no Ctrl-C any more.

    Args:
        settings: which engine, and where.
        say: takes a line about lost workers; called in any thread.

    Raises:
        UsageError: the cluster can't be reached.
    """
    leave_interrupts()
    if settings.engine == "dask":
        with open_dask(settings) as client:
            yield DaskWorkers(client).ask
    elif settings.engine == "ray":
        with open_ray(settings) as ask:
            yield ask
    else:
        with LocalWorkers(say) as workers:
            yield workers.ask


def leave_interrupts() -> None:
    """Leave Ctrl-C, which a terminal sends to all processes, to the main thread of this one.

    What is blocked in a thread is so in the threads and processes that it starts.
    """
    if hasattr(signal, "pthread_sigmask"):
        from multiprocessing import resource_tracker

        from joblib.externals.loky.backend import resource_tracker as tracker_of_loky

        # They are started with the first process, and let interrupts in again then.
        resource_tracker.ensure_running()
        tracker_of_loky.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])


# Processes of this machine


class LocalWorkers:
    """One process for each thread that asks, so that the loss of one ends no other.

    Args:
        say: takes a line about lost workers.
    """

    def __init__(self, say: Say) -> None:
        self.say = say
        self._own = threading.local()
        self._opened: list[Any] = []

    def __enter__(self) -> LocalWorkers:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        for executor in self._opened:
            executor.shutdown(wait=True, kill_workers=error is not None)

    def ask(self, part: Part) -> Report:
        """Have this thread's process ask a part, and a new one if it gets lost.

        Raises:
            RunError: it gets lost again and again.
        """
        from joblib.externals.loky.process_executor import BrokenProcessPool

        for number in range(MOST_LOSSES):
            try:
                report: Report = self._find_executor().submit(work, part, os.getpid()).result()
            except BrokenProcessPool:
                self._own.executor = None
                if number < MOST_LOSSES - 1:
                    self.say("A worker got lost; another one takes over its part")
            else:
                return report
        raise RunError(f"{MOST_LOSSES} workers got lost, one after the other, with the same part")

    def _find_executor(self) -> Any:
        from joblib.externals.loky import ProcessPoolExecutor

        if getattr(self._own, "executor", None) is None:
            executor = ProcessPoolExecutor(1, timeout=IDLE_SECONDS)
            self._own.executor = executor
            self._opened.append(executor)
        return self._own.executor


def work(part: Part, parent: int) -> Report:
    """Ask a part in a process of this machine, which ends with its parent."""
    report = ask_part(part, parent)
    if os.getppid() != parent:
        os._exit(1)  # nobody would take the report, or end this process
    return report


# Dask


@contextmanager
def open_dask(settings: RunSettings) -> Iterator[Any]:
    """A client of a Dask cluster, of one on this machine if none is named.

    Raises:
        UsageError: the cluster can't be reached, or has no workers.
    """
    distributed: Any = importlib.import_module("distributed")
    if settings.cluster is None:
        with (
            distributed.LocalCluster(
                n_workers=settings.workers,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return
    try:
        client = distributed.Client(settings.cluster, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise UsageError(f"no Dask scheduler at {settings.cluster}: {first_line(error)}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise UsageError(f"the Dask cluster at {settings.cluster} has no workers") from error
        yield client


class DaskWorkers:
    """The workers of a Dask cluster, which itself runs the task of a lost one elsewhere."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def ask(self, part: Part) -> Report:
        """Have a worker ask a part.

        Raises:
            RunError: workers get lost again and again, or there are none.
        """
        lonely = 0.0
        try:
            future = self.client.submit(ask_part, part, pure=False)
            while lonely < LONELY_SECONDS:
                with contextlib.suppress(TimeoutError):
                    report: Report = future.result(timeout=1.0)
                    return report
                lonely = 0.0 if self.client.scheduler_info()["workers"] else lonely + 1.0
        except EvalkitError:
            raise
        except (Exception, CancelledError) as error:
            raise RunError(f"the Dask cluster failed: {first_line(error)}") from error
        raise RunError(f"the Dask cluster has had no worker for {LONELY_SECONDS:.0f} s")


# Ray


@contextmanager
def open_ray(settings: RunSettings) -> Iterator[Ask]:
    """What asks a part on a Ray cluster, on one of this machine if none is named.

    Raises:
        UsageError: the cluster can't be reached.
    """
    ray: Any = importlib.import_module("ray")
    count = None if settings.cluster else settings.workers
    try:
        ray.init(
            address=settings.cluster or "local",
            num_cpus=count,
            include_dashboard=None if settings.cluster else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (OSError, ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(f"no Ray cluster at {settings.cluster}: {first_line(error)}") from error
    remote = ray.remote(max_retries=MOST_LOSSES)(ask_part)

    def ask(part: Part) -> Report:
        try:
            report: Report = ray.get(remote.remote(part))
        except Exception as error:
            raise RunError(f"the Ray cluster failed: {first_line(error)}") from error
        return report

    try:
        # Ray says of lost workers on standard output, where the table or JSON belongs.
        with contextlib.redirect_stdout(sys.stderr):
            yield ask
    finally:
        ray.shutdown()


def first_line(error: BaseException) -> str:
    """What an error of a library says, in one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
