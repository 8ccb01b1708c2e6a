"""Servers that others wrote from the same documentation are satisfied too.

They come from the package index into an environment of their own: `mock-ai-api` has batches, files
and token counts; `llmock` fails at random and judges how its clients behaved.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import evalkit
from evalkit.api.batches import (
    Batch,
    BatchCounts,
    BatchItem,
    BatchResult,
    cancel_batch,
    create_batch,
    delete_batch,
    get_batch,
    list_batches,
    stream_results,
)
from evalkit.api.breaker import Patience
from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint
from evalkit.api.files import FileStore, StoredFile, delete_file, list_files, upload_file
from evalkit.api.listing import list_served_models
from evalkit.api.retries import RetryPolicy
from evalkit.api.tokens import count_tokens
from evalkit.errors import NotFoundError, OverloadedError
from evalkit.responses import Response
from tests.conftest import write_sums
from tests.test_client import BODY, using

pytestmark = pytest.mark.slow

SERVERS = ("mock-ai-api==0.1.1", "llmock==0.2.2")
FAULTS = ("429=0.1", "529=0.05", "500=0.25")
QUESTIONS = 100


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the programs of an environment that has the servers."""
    folder = tmp_path_factory.mktemp("servers") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    install: list[str | Path] = [scripts / "python", "-m", "pip", "install", "--quiet", *SERVERS]
    done = subprocess.run(install, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        pytest.skip(f"pip can't install the servers: {done.stderr.strip()[-300:]}")
    return scripts


@contextmanager
def serving(log: Path, *command: str | Path) -> Iterator[str]:
    """Run a server on a free port, which its command gets as its last argument."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (
        log.open("wb") as output,
        subprocess.Popen([*command, str(port)], stdout=output, stderr=output, cwd=log.parent) as it,
    ):
        try:
            wait_for(port, it, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            it.terminate()
            try:
                it.wait(timeout=10)
            except subprocess.TimeoutExpired:
                it.kill()


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a server listens."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"{process.args!r} does not start: {log.read_text(errors='replace')[-1000:]}")


# mock-ai-api


@pytest.fixture(scope="module")
def mock_ai_api(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The server with batches and files."""
    log = tmp_path_factory.mktemp("mock-ai-api") / "log.txt"
    options = ("app.anthropic_app:app", "--host", "127.0.0.1", "--port")
    with serving(log, programs / "python", "-m", "uvicorn", *options) as address:
        yield Endpoint(base_url=address, api_key="test-key", timeout_seconds=30)


def test_mock_ai_api_takes_a_batch(mock_ai_api: Endpoint) -> None:
    async def use(client: MessagesClient) -> tuple[Batch, Batch, Batch, list[BatchResult]]:
        items = [BatchItem(custom_id=f"q-{number}", params=BODY) for number in range(5)]
        created = await create_batch(client, items)
        polled = await get_batch(client, created.id)
        # It ends when its results are asked for.
        results = [result async for result in stream_results(client, created.id)]
        ended = await get_batch(client, created.id)
        assert ended.id in [batch.id for batch in await list_batches(client)]
        await delete_batch(client, created.id)
        with pytest.raises(NotFoundError, match="has no such batch, or no batches at all"):
            await get_batch(client, created.id)
        return created, polled, ended, results

    created, polled, ended, results = using(mock_ai_api, use)
    assert polled == created
    assert (created.has_ended, created.counts) == (False, BatchCounts(processing=5))
    assert created.results_url == f"/v1/messages/batches/{created.id}/results"
    assert created.created_at is not None
    assert (ended.has_ended, ended.counts) == (True, BatchCounts(succeeded=5))
    assert [result.custom_id for result in results] == [f"q-{number}" for number in range(5)]
    for result in results:
        assert isinstance(result.outcome, Response)
        assert result.outcome.text == "A unified model API gateway."
        assert result.outcome.usage.input_tokens is not None


def test_mock_ai_api_cancels_a_batch(mock_ai_api: Endpoint) -> None:
    async def use(client: MessagesClient) -> Batch:
        batch = await create_batch(client, [BatchItem(custom_id="q", params=BODY)])
        return await cancel_batch(client, batch.id)

    assert using(mock_ai_api, use).status == "canceling"


def test_mock_ai_api_takes_files(mock_ai_api: Endpoint) -> None:
    async def use(client: MessagesClient) -> StoredFile:
        file_id = await upload_file(client, b"content", "a.png", "image/png")
        [listed] = await list_files(client)
        assert listed.id == file_id
        await delete_file(client, file_id)
        await delete_file(client, file_id)
        async with FileStore(client, say=pytest.fail) as store:
            assert await store.file_id("aa", lambda: b"more", "image/png") != file_id
            assert len(await list_files(client)) == 1
        assert await list_files(client) == ()
        return listed

    listed = using(mock_ai_api, use)
    assert (listed.filename, listed.media_type, listed.size_bytes) == ("a.png", "image/png", 7)
    assert listed.created_at is not None


def test_mock_ai_api_counts_tokens_and_lists_models(mock_ai_api: Endpoint) -> None:
    assert using(mock_ai_api, lambda client: count_tokens(client, BODY)) > 0
    models = using(mock_ai_api, list_served_models)
    assert "Claude Opus 4.6" in [model.display_name for model in models]
    assert {model.lifecycle for model in models} == {None}


# llmock


@contextmanager
def llmock(programs: Path, folder: Path, *options: str) -> Iterator[Endpoint]:
    """The server that fails at random."""
    options = ("-h", "127.0.0.1", *options, "-p")
    with serving(folder / "log.txt", programs / "llmock", "serve", *options) as address:
        yield Endpoint(base_url=f"{address}/anthropic", api_key="test-key", timeout_seconds=30)


def judge(programs: Path, endpoint: Endpoint) -> subprocess.CompletedProcess[str]:
    """What llmock says of its clients."""
    address = endpoint.base_url.removesuffix("/anthropic")
    command: list[str | Path] = [programs / "llmock", "report", "--strict", "--url", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def run_with_faults(programs: Path, folder: Path) -> tuple[evalkit.Run, str, int]:
    """A run at a server that fails in two of five cases; what it says of that, and its verdict."""
    folder.mkdir()
    # In the eyes of llmock more than ten tries are a storm, and waits that don't grow a mistake.
    # One endpoint in a hundred that fails so often would be given up before its first answer.
    policy = RetryPolicy(
        attempts=10, first_seconds=0.2, longest_seconds=60, outage=Patience(at_start=300)
    )
    rates = [part for fault in FAULTS for part in ("--error-rate", fault)]
    with llmock(programs, folder, *rates) as endpoint:
        done = evalkit.run(
            evalkit.load_benchmark(write_sums(folder / "sums.jsonl", QUESTIONS)),
            "claude-sonnet-4-6",
            settings=evalkit.RunSettings(way="instructed", retries=policy),
            endpoint=endpoint,
            results=folder / "results",
            progress=False,
        )
        verdict = judge(programs, endpoint)
    return done, verdict.stdout, verdict.returncode


def test_llmock_finds_no_fault_with_our_retries(
    programs: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # In one of a hundred runs a question fails ten times in a row. In one of four, so many fail one
    # after the other that all are held back for a second; the judge sees only that some request
    # waited longer before its first retry than before its second.
    for number in range(5):
        caplog.clear()
        done, words, code = run_with_faults(programs, tmp_path / f"{number}")
        was_held = any(re.match("hold|pause", message) for message in caplog.messages)
        if done.is_complete and not was_held:
            break
    assert done.failures() == ()
    assert done.is_complete
    assert code == 0, words
    injected = re.search(r"(\d+) fault", words)
    assert injected is not None, words
    assert int(injected[1]) > 0


def test_llmock_would_have_found_one(programs: Path, tmp_path: Path) -> None:
    """The judge is not blind: a client that never tries again is told so."""
    with llmock(programs, tmp_path, "--error-rate", "529=1.0") as endpoint:
        with pytest.raises(OverloadedError):
            using(endpoint, lambda client: client.send(BODY))
        verdict = judge(programs, endpoint)
    assert verdict.returncode == 1
    assert "gave_up" in verdict.stdout


def test_llmock_takes_a_batch(programs: Path, tmp_path: Path) -> None:
    async def use(client: MessagesClient) -> list[BatchResult]:
        items = [BatchItem(custom_id=f"q-{number}", params=BODY) for number in range(3)]
        batch = await create_batch(client, items)
        deadline = time.monotonic() + 30
        while not batch.has_ended and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
            batch = await get_batch(client, batch.id)
        assert batch.counts == BatchCounts(succeeded=3)
        return [result async for result in stream_results(client, batch.id)]

    with llmock(programs, tmp_path) as endpoint:
        results = using(endpoint, use)
    assert [result.custom_id for result in results] == ["q-0", "q-1", "q-2"]
    assert all(isinstance(result.outcome, Response) for result in results)
