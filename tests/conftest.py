"""What every test gets, a cache of its own and no key, and what tests of runs share."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from evalkit.api.breaker import Patience
from evalkit.api.endpoint import Endpoint
from evalkit.api.retries import RetryPolicy
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.models.weights import weights_folder
from evalkit.testing.messages_replies import Answer, key_answers
from evalkit.testing.messages_server import MessagesServer

ROOT = Path(__file__).parents[1]

AS_ANYBODY = """
import ctypes, os, sys
# Even root minds permissions without the capabilities to override them.
for capability in (1, 2):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""A Python program that calls Python with its arguments."""

QUICK = RetryPolicy(
    attempts=3,
    first_seconds=0.001,
    longest_seconds=0.002,
    outage=Patience(first_pause=0.001, longest_pause=0.002),
)
"""As stubborn as a test can be without waiting."""

SUMS = 30
"""Questions of the benchmark `sums`."""

# How fast an example runs says more about the machine than about the code.
hypothesis.settings.register_profile(
    "evalkit", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("evalkit")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let what a test printed go from process to process, which half characters can't."""
    report = yield
    report.sections = [
        (name, text.encode(errors="replace").decode()) for name, text in report.sections
    ]
    return report


@pytest.fixture(autouse=True)
def own_environment(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Hide the user's findings and keys, and the hub; slow tests find the user's large weights."""
    cache = tmp_path_factory.mktemp("cache")
    if request.node.get_closest_marker("slow"):
        weights = weights_folder()
        weights.mkdir(parents=True, exist_ok=True)
        (cache / "weights").symlink_to(weights)
    monkeypatch.setenv("EVALKIT_CACHE_DIR", str(cache))
    # Where tests run in several processes, these are told the width of the terminal.
    monkeypatch.delenv("COLUMNS", raising=False)
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        monkeypatch.delenv(name)
    # No test asks the hub itself: nothing listens there.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return cache


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C works, in child processes too, even where a shell runs the tests in the background."""
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, earlier)


def endpoint_of(server: MessagesServer, timeout_seconds: float = 30.0) -> Endpoint:
    """The test server with its key."""
    return Endpoint(base_url=server.base_url, api_key=server.key, timeout_seconds=timeout_seconds)


def stem_of(number: int) -> str:
    """The question of that number."""
    return f"How much is 100 + {number}?"


def write_sums(path: Path, count: int = SUMS) -> Path:
    """Write a question file; the right choices are spread over the four letters."""
    rows = []
    for number in range(count):
        choices = [str(100 + number + shift) for shift in (7, 11, 13)]
        choices.insert(number % 4, str(100 + number))
        rows.append(
            {
                "id": f"q{number}",
                "subject": "even" if number % 2 == 0 else "odd",
                "question": stem_of(number),
                "choices": choices,
                "answer": "ABCD"[number % 4],
            }
        )
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def sums_answers(*, wrong_share: float = 0.0, thinking: str | None = None) -> Answer:
    """What a model says to the sums: the right choice, but for a share of them."""
    key = {stem_of(number): str(100 + number) for number in range(SUMS)}
    return key_answers(key, wrong_share=wrong_share, thinking=thinking)


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Thirty additions in two subjects."""
    return load_benchmark(write_sums(tmp_path_factory.mktemp("sums") / "sums.jsonl"))
