"""Embedded models start, answer and stop; what their engine deviates in is still so."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from evalkit.errors import LocalModelError, MissingExtraError, UsageError
from evalkit.models import engine_process
from evalkit.models.fetching import fetch_weights
from evalkit.models.local import (
    LocalServer,
    free_cores,
    is_local,
    list_local_models,
    local_model_names,
    serve_local_model,
)
from evalkit.models.weights import load_weights_table, weights_folder

ROOT = Path(__file__).parents[1]
TINY = "local/smollm2-135m"
PREFILL = "The answer is ("
QUESTION = {
    "role": "user",
    "content": "Capital of France?\n(A) Rome\n(B) Oslo\n(C) Paris\n(D) Bern",
}
PREFILLED = [QUESTION, {"role": "assistant", "content": PREFILL}]
SERVE = f"""
import psutil, sys, time
from evalkit.models.local import serve_local_model
with serve_local_model({TINY!r}, threads=1, say=lambda line: None) as server:
    print(psutil.Process().children()[0].pid, server.base_url, flush=True)
    time.sleep(60)
"""


def silent(line: str) -> None:
    pass


# Names and mistakes, which need no weights


def test_local_models_are_known_by_their_prefix() -> None:
    assert [is_local(name) for name in local_model_names()] == [True, True]
    assert not is_local("claude-haiku-4-5")


def test_list_tells_what_is_on_this_machine(tmp_path: Path) -> None:
    weights = load_weights_table()["smollm2-135m"]
    with (tmp_path / weights.file_name).open("wb") as file:
        file.truncate(weights.size_bytes)
    small, large = list_local_models(tmp_path)
    assert (small.model, small.path) == (TINY, tmp_path / weights.file_name)
    assert (large.model, large.path) == ("local/qwen2.5-coder-1.5b", None)


def test_free_cores_are_at_least_one() -> None:
    assert 1 <= free_cores() <= (os.cpu_count() or 1)


def test_busy_cores_are_not_free() -> None:
    cores = len(os.sched_getaffinity(0))
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        time.sleep(0.3)
        assert free_cores() <= max(1, cores // 2)
    finally:
        for process in busy:
            process.kill()
            process.wait()


@pytest.mark.parametrize("module", ["xllamacpp", "psutil"])
def test_missing_engine_names_the_extra(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(MissingExtraError, match=r"pip install 'evalkit-mcq\[local\]'"),
        serve_local_model(TINY, say=silent),
    ):
        pass


@pytest.mark.parametrize("model", ["local/gpt-9", "local/", "smollm2-135m", "model.gguf"])
def test_unknown_model_lists_the_known_ones(model: str) -> None:
    with (
        pytest.raises(UsageError, match=f"{model!r}.*{TINY}.*local/PATH.gguf"),
        serve_local_model(model, say=silent),
    ):
        pass


@pytest.mark.parametrize(
    ("threads", "context_tokens", "message"),
    [(0, 4096, "threads = 0"), (None, 0, "context_tokens = 0")],
)
def test_numbers_out_of_range_are_refused(
    threads: int | None, context_tokens: int, message: str
) -> None:
    with (
        pytest.raises(UsageError, match=message),
        serve_local_model(TINY, threads=threads, context_tokens=context_tokens, say=silent),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.gguf", None, "no such file"),
        ("folder.gguf", "folder", "this is a folder"),
        ("x" * 300 + ".gguf", None, "can't be read .File name too long"),
        ("text.gguf", b"<html>", "starts with b'<htm'"),
        ("empty.gguf", b"", "starts with b''"),
        ("damaged.gguf", b"GGUF" + bytes(1000), "code 1 .*bad GGUF version: 0"),
    ],
)
def test_file_that_is_no_model_is_an_error(
    name: str, content: bytes | str | None, reason: str, tmp_path: Path
) -> None:
    path, before = tmp_path / name, psutil.Process().children()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    with (
        pytest.raises(LocalModelError, match=reason) as caught,
        serve_local_model(f"local/{path}", threads=1, say=silent),
    ):
        pass
    assert "\n" not in str(caught.value)
    assert psutil.Process().children() == before


def test_own_file_can_be_named_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.gguf").write_bytes(b"HTML")
    with (
        pytest.raises(LocalModelError, match=re.escape(f"{tmp_path}/mine.gguf: no GGUF file")),
        serve_local_model("local/mine.gguf", say=silent),
    ):
        pass


def test_engine_that_is_late_is_stopped(tmp_path: Path) -> None:
    path, before = tmp_path / "damaged.gguf", psutil.Process().children()
    path.write_bytes(b"GGUF" + bytes(1000))
    with (
        pytest.raises(LocalModelError, match="not ready within 0 s"),
        serve_local_model(f"local/{path}", threads=1, ready_seconds=0.0, say=silent),
    ):
        pass
    assert psutil.Process().children() == before


def test_importing_needs_none_of_the_heavy_libraries() -> None:
    program = (
        "import sys, evalkit.models.local\n"
        "heavy = {'httpx', 'psutil', 'tqdm', 'platformdirs', 'filelock', 'xllamacpp'}\n"
        "print(*heavy & set(sys.modules))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


# With real weights


@pytest.fixture(scope="module")
def weights() -> Path:
    return fetch_weights("smollm2-135m", weights_folder(), say=print)


@pytest.fixture(scope="module")
def server(weights: Path) -> Iterator[LocalServer]:
    with serve_local_model(TINY, threads=1, folder=weights.parent, say=silent) as server:
        yield server


def post(server: LocalServer, **body: object) -> httpx.Response:
    """Asks a question of one token; arguments change the request's body."""
    request = {"model": server.model, "max_tokens": 1, "messages": PREFILLED, "temperature": 0}
    url = f"{server.base_url}/v1/messages"
    return httpx.post(url, json=request | body, timeout=60, trust_env=False)


def text_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return "".join(block["text"] for block in response.json()["content"])


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.05)


def start_serving() -> tuple[subprocess.Popen[str], int, str]:
    """Serves the tiny model from another process.

    Returns:
        That process, the process id of its engine, and the engine's address.
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", SERVE],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a terminal's process group of its own
    )
    assert parent.stdout
    pid, address = parent.stdout.readline().split()
    return parent, int(pid), address


@pytest.mark.slow
def test_server_says_what_it_is_and_what_it_does(weights: Path) -> None:
    said: list[str] = []
    with serve_local_model(TINY, folder=weights.parent, say=said.append) as server:
        assert server.model == TINY
        assert server.threads >= 1
        assert server.weights_sha256 == load_weights_table()["smollm2-135m"].sha256
        assert server.engine == f"xllamacpp {importlib.metadata.version('xllamacpp')}"
        assert text_of(post(server))[-1] in "ABCD"
    threads = f"{server.threads} thread{'s' * (server.threads > 1)}"
    assert said[0] == f"Starting {TINY} on {threads} ..."
    assert re.fullmatch(rf"{TINY} is ready after \d+\.\d s", said[1])
    with pytest.raises(httpx.ConnectError):
        post(server)


@pytest.mark.slow
def test_file_of_ones_own_is_served(weights: Path) -> None:
    with serve_local_model(f"local/{weights}", threads=1, say=silent) as server:
        assert server.weights_sha256 == load_weights_table()["smollm2-135m"].sha256
        response = post(server)
    assert text_of(response)[-1] in "ABCD"
    assert response.json()["model"] == server.model == f"local/{weights}"


@pytest.mark.slow
def test_two_servers_run_side_by_side(server: LocalServer, weights: Path) -> None:
    with serve_local_model(TINY, threads=1, folder=weights.parent, say=silent) as other:
        assert other.base_url != server.base_url
        assert text_of(post(other)) == text_of(post(server))


@pytest.mark.slow
def test_server_listens_on_loopback_only(server: LocalServer) -> None:
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for child in psutil.Process().children()
        for connection in child.net_connections(kind="all")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", urlsplit(server.base_url).port)}


@pytest.mark.slow
def test_model_that_loads_too_slowly_is_stopped(weights: Path) -> None:
    with (
        pytest.raises(LocalModelError, match=r"not ready within 0\.05 s"),
        serve_local_model(TINY, threads=1, folder=weights.parent, ready_seconds=0.05, say=silent),
    ):
        pass


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_engine_stops_with_an_exception(error: type[BaseException], weights: Path) -> None:
    before = psutil.Process().children()
    with (
        pytest.raises(error),
        serve_local_model(TINY, threads=1, folder=weights.parent, say=silent),
    ):
        raise error
    assert psutil.Process().children() == before


@pytest.mark.slow
def test_engine_ends_when_its_parent_is_killed(weights: Path) -> None:
    parent, engine, _ = start_serving()
    parent.kill()
    parent.communicate()
    wait_until_gone(engine)


@pytest.mark.slow
def test_ctrl_c_is_the_parents_and_leaves_nothing_behind(weights: Path) -> None:
    parent, engine, address = start_serving()
    os.kill(engine, signal.SIGINT)
    assert httpx.get(f"{address}/health", trust_env=False).is_success
    os.killpg(parent.pid, signal.SIGINT)
    errors = parent.communicate()[1]
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "llama" not in errors
    assert not psutil.pid_exists(engine)


@pytest.mark.slow
def test_engine_ends_on_sigterm(weights: Path) -> None:
    program = [sys.executable, engine_process.__file__, str(weights)]
    with subprocess.Popen(
        [*program, "--threads=1", "--context=512", "--alias=tiny"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as engine:
        assert engine.stdout
        assert json.loads(engine.stdout.readline())["address"].startswith("http://127.0.0.1:")
        engine.terminate()
        assert engine.wait(5) == -signal.SIGTERM


@pytest.mark.slow
def test_engine_that_hangs_is_killed(weights: Path) -> None:
    before = psutil.Process().children()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # the engine inherits this
    try:
        with serve_local_model(TINY, threads=1, folder=weights.parent, say=silent):
            (engine,) = set(psutil.Process().children()) - set(before)
            engine.suspend()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    assert not engine.is_running()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_questions(weights: Path) -> None:
    before = psutil.Process().children()
    with serve_local_model(TINY, threads=1, folder=weights.parent, say=silent) as server:
        (engine,) = set(psutil.Process().children()) - set(before)
        sizes = []
        for number in range(30):
            if number in (5, 29):
                sizes.append(engine.memory_info().rss)
            question = {"role": "user", "content": f"{number} is a number. " * 10}
            text_of(post(server, messages=[question, PREFILLED[1]]))
    assert sizes[1] - sizes[0] < 10e6  # with the engine's own cache: 2 MB and more a question


# What the engine does otherwise than the official API: the client has to get along with it.
# A failure here means that a new engine does it another way, which is no fault of evalkit's.


@pytest.mark.slow
def test_plain_reply_repeats_the_prefill_and_streamed_reply_does_not(server: LocalServer) -> None:
    plain = post(server)
    streamed = post(server, stream=True)
    letter = "".join(re.findall(r'"text_delta","text":"([^"]*)"', streamed.text))
    assert letter in {"A", "B", "C", "D"}
    assert text_of(plain) == PREFILL + letter
    assert plain.json()["usage"]["output_tokens"] == 1
    assert plain.json()["stop_reason"] == "max_tokens"


@pytest.mark.slow
def test_stop_sequence_is_reported_as_end_turn(server: LocalServer) -> None:
    reply = post(server, max_tokens=20, stop_sequences=[")"]).json()
    assert (reply["stop_reason"], reply["stop_sequence"]) == ("end_turn", ")")


@pytest.mark.slow
def test_reply_lacks_ids_and_counts(server: LocalServer) -> None:
    response = post(server)
    assert "request-id" not in response.headers
    assert not [name for name in response.headers if "ratelimit" in name]
    assert response.json()["id"].startswith("chatcmpl-")
    assert set(response.json()["usage"]) == {
        "cache_read_input_tokens",
        "input_tokens",
        "output_tokens",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "body", "status", "error_type"),
    [
        ("/v1/nothing", {}, 404, "not_found_error"),
        ("/v1/messages", {"max_tokens": 1}, 500, "server_error"),
        (
            "/v1/messages",
            {"max_tokens": 1, "messages": [{"role": "user", "content": "word " * 5000}]},
            400,
            "exceed_context_size_error",
        ),
    ],
)
def test_error_body_has_no_envelope(
    server: LocalServer, path: str, body: dict[str, object], status: int, error_type: str
) -> None:
    response = httpx.post(server.base_url + path, json=body, timeout=60, trust_env=False)
    assert response.status_code == status
    error = response.json()
    assert set(error) == {"error"}
    assert (error["error"]["code"], error["error"]["type"]) == (status, error_type)


@pytest.mark.slow
def test_image_is_a_server_error(server: LocalServer) -> None:
    pixel = (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
        "YPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    )
    source = {"type": "base64", "media_type": "image/png", "data": pixel}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    response = post(server, messages=[{"role": "user", "content": content}])
    assert response.status_code == 500
    assert "image input is not supported" in response.json()["error"]["message"]


@pytest.mark.slow
def test_connection_is_closed_unannounced_after_a_streamed_reply(server: LocalServer) -> None:
    body = json.dumps({"max_tokens": 1, "stream": True, "messages": PREFILLED}).encode()
    head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    address = urlsplit(server.base_url)
    received = b""
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        connection.sendall(head.encode() + body)
        asked = time.monotonic()
        while part := connection.recv(65536):
            received += part
    assert received.endswith(b"\r\n0\r\n\r\n")  # a complete reply, and yet
    assert b"Keep-Alive: timeout=5" in received
    assert b"Connection: close" not in received
    assert time.monotonic() - asked < 4
