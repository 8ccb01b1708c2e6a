"""A key goes to its endpoint and nowhere else: no file, no log, no message, no repr."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint
from evalkit.api.files import FileStore
from evalkit.errors import ApiError, UsageError
from evalkit.evaluation import run
from evalkit.results import Run
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.targets import open_target
from evalkit.testing.messages_faults import Fault
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import key_answers
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call, command
from tests.conftest import QUICK, sums_answers, write_sums
from tests.pictures import write_pictures

SECRET = "sk-ant-api03-" + "Kq7-very-secret-" * 6
MODEL = "claude-haiku-4-5"

KEY = pytest.mark.parametrize("name", ["api_key", "auth_token"], ids=["x-api-key", "bearer"])
"""How the key is sent."""

VARIABLES = {"api_key": "ANTHROPIC_API_KEY", "auth_token": "ANTHROPIC_AUTH_TOKEN"}


def endpoint_of(base_url: str, name: str) -> Endpoint:
    """An endpoint with the secret."""
    keys: dict[str, Any] = {name: SECRET}
    return Endpoint(base_url=base_url, **keys)


def secret_server(**options: Any) -> MessagesServer:
    """A server whose key is the secret."""
    return MessagesServer(**{"key": SECRET, "answer": sums_answers(), **options})


def leaks(*folders: Path) -> list[str]:
    """The files below folders that hold a part of the key, packed ones included."""
    found = []
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        if holds_secret(data.decode(errors="replace")):
            found.append(str(path))
    return found


def holds_secret(text: str) -> bool:
    """Whether a text gives the key, or a half of it, away."""
    half = len(SECRET) // 2
    return SECRET[:half] in text or SECRET[half:] in text


def repeat_key(record: RequestRecord) -> Fault | None:
    """Errors that repeat all headers, in every place that an error has, then answers."""
    if not record.is_message or record.attempt > 2 or record.body_number % 3:
        return None
    text = f"you sent {dict(record.headers)}"
    error = {"type": f"api_error {text}", "message": text, "details": {"error_code": text}}
    content = json.dumps({"error": error, "request_id": text}).encode()
    return Fault(
        manner="page",
        status=500 + record.attempt,
        content=content,
        content_type="application/json",
    )


def always_repeat_key(record: RequestRecord) -> Fault | None:
    """The same for ever, for every fifth question."""
    if record.is_message and record.body_number % 5 == 0:
        content = json.dumps({"error": {"message": str(record.headers)}, "request_id": SECRET})
        return Fault(manner="page", status=500, content=content.encode())
    return None


def ask(server: MessagesServer, path: Path, results: Path, name: str, **settings: Any) -> Run:
    """Run a file of questions with the secret."""
    return run(
        path,
        MODEL,
        settings=RunSettings(**{"retries": QUICK, **settings}),
        endpoint=endpoint_of(server.base_url, name),
        results=results,
        progress=True,
    )


@pytest.fixture
def sums_file(tmp_path: Path) -> Path:
    """Thirty sums."""
    return write_sums(tmp_path / "sums.jsonl")


class Log(logging.Handler):
    """Keeps what is logged, with the arguments and the tracebacks."""

    def __init__(self) -> None:
        super().__init__(level=1)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name} {self.format(record)} {record.args!r}")


@pytest.fixture
def everything_logged() -> Iterator[Log]:
    """The root logger at its lowest level, and those of the HTTP libraries."""
    log = Log()
    names = ("", "httpx", "httpcore", "httpcore.http11", "httpcore.connection", "asyncio")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(1)
    loggers[0].addHandler(log)
    yield log
    loggers[0].removeHandler(log)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)
    assert not holds_secret("".join(log.lines))


# Runs


@KEY
@pytest.mark.parametrize(
    "settings",
    [{}, {"way": "tool"}, {"batch": True, "poll_seconds": 0.01}, {"keep_text": False}],
    ids=["plain", "tool", "batch", "no-text"],
)
def test_no_file_and_no_log_of_a_run_holds_the_key(
    settings: Mapping[str, Any],
    name: str,
    sums_file: Path,
    own_environment: Path,
    everything_logged: Log,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    with secret_server(faults=repeat_key) as server:
        done = ask(server, sums_file, tmp_path / "r", name, **settings)
        headers = [record.headers for record in server.requests]
    assert all(SECRET in str(header) for header in headers), "it is sent"
    assert done.is_complete
    assert any(line.startswith("evalkit attempt") for line in everything_logged.lines)
    assert leaks(tmp_path / "r", own_environment) == []
    assert not holds_secret("".join(capsys.readouterr()))
    assert not holds_secret(f"{done!r} {done.to_dict()}")


@KEY
def test_no_uploaded_file_and_no_log_holds_the_key(
    name: str, everything_logged: Log, tmp_path: Path, own_environment: Path
) -> None:
    path = write_pictures(tmp_path / "set")
    with secret_server(answer=key_answers({}), faults=repeat_key) as server:
        done = ask(server, path, tmp_path / "r", name, images="file", way="instructed")
        uploaded = [record for record in server.requests if record.content]
    assert done.is_complete
    assert len(uploaded) == 4
    assert not any(holds_secret(f"{record.body}{record.content!r}") for record in uploaded)
    assert leaks(tmp_path / "r", own_environment) == []


@KEY
def test_a_server_that_repeats_the_key_in_its_errors_is_not_repeated(
    name: str,
    sums_file: Path,
    own_environment: Path,
    capsys: pytest.CaptureFixture[str],
    everything_logged: Log,
    tmp_path: Path,
) -> None:
    with secret_server(faults=always_repeat_key) as server:
        done = ask(server, sums_file, tmp_path / "r", name, way="instructed")
    assert done.summary.failed == 6
    assert "***" in done.failures()[0].message
    assert leaks(tmp_path / "r", own_environment) == []
    assert not holds_secret("".join(capsys.readouterr()))


@KEY
def test_a_server_that_repeats_the_key_in_its_replies_is_not_repeated(
    name: str, sums_file: Path, tmp_path: Path
) -> None:
    """An echo server, as one is used to try a set-up."""

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            said = f"A. You sent {dict(self.headers)}"
            message = {
                "id": SECRET,
                "model": SECRET,
                "content": [
                    {"type": "text", "text": said},
                    {"type": "tool_use", "name": "answer", "input": {"answer": said}},
                ],
                "stop_reason": SECRET,
            }
            data = json.dumps(message).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(data)))
            self.send_header("request-id", SECRET)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            done = run(
                sums_file,
                MODEL,
                settings=RunSettings(way="instructed", concurrency=1, limit=3, temperature=None),
                endpoint=endpoint_of(f"http://127.0.0.1:{server.server_port}", name),
                results=tmp_path / "r",
                progress=False,
            )
        finally:
            server.shutdown()
            thread.join()
    assert done.is_complete
    assert leaks(tmp_path / "r") == []


# Errors


def error_of(endpoint: Endpoint) -> str:
    """All that a failed request says: the error, what caused it, and their reprs."""

    async def send() -> None:
        async with MessagesClient(endpoint, 1, connect_seconds=0.5) as client:
            await client.send({"model": MODEL, "max_tokens": 1, "messages": []})

    with pytest.raises(ApiError) as caught:
        asyncio.run(send())
    words, error = "", caught.value
    chain: BaseException | None = error
    while chain is not None:
        words += f"{chain} {chain!r} {getattr(chain, '__notes__', '')}"
        chain = chain.__cause__ or chain.__context__
    return words + str(vars(error)) + str(caught.getrepr(style="long", showlocals=False))


@KEY
@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 413, 429, 500, 502, 529])
def test_no_error_holds_the_key(name: str, status: int, everything_logged: Log) -> None:
    def plan(record: RequestRecord) -> Fault:
        content = json.dumps({"error": {"type": SECRET, "message": f"{'x' * 250} {SECRET}"}})
        return Fault(manner="page", status=status, content=content.encode())

    with secret_server(faults=plan) as server:
        assert not holds_secret(error_of(endpoint_of(server.base_url, name)))


@KEY
def test_a_key_that_is_wrong_is_not_in_the_error(name: str) -> None:
    with MessagesServer(key="another") as server:
        text = error_of(endpoint_of(server.base_url, name))
    assert "does not accept the key" in text
    assert not holds_secret(text)


@KEY
@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://no-such-host.invalid"])
def test_an_endpoint_that_is_not_there_learns_nothing(
    name: str, url: str, everything_logged: Log
) -> None:
    assert not holds_secret(error_of(endpoint_of(url, name)))


@KEY
def test_a_proxy_that_refuses_is_not_told_the_key_of_a_secure_endpoint(
    name: str, monkeypatch: pytest.MonkeyPatch, everything_logged: Log
) -> None:
    heard: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            heard.append(f"{self.path} {self.headers}")
            self.send_error(407, "no way", f"you sent {self.headers}")

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        for variable in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.server_port}")
        try:
            text = error_of(endpoint_of("https://gateway.invalid", name))
        finally:
            proxy.shutdown()
            thread.join()
    assert heard, "it was asked"
    assert not holds_secret("".join(heard) + text)


@pytest.mark.parametrize(
    "url", ["https://{}@example.org", "https://example.org/?key={}", "https://example.org/#{}"]
)
def test_a_key_in_an_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(base_url=url.format(SECRET))
    assert not holds_secret(f"{caught.value} {caught.value!r}")


@pytest.mark.parametrize("tail", ["\nx", "\u00e9", "\x00"])
def test_a_key_that_is_none_is_not_repeated(tail: str) -> None:
    with pytest.raises(UsageError) as caught:
        Endpoint(api_key=SECRET + tail)
    assert not holds_secret(str(caught.value))


# Objects


@KEY
def test_no_object_shows_the_key(name: str) -> None:
    endpoint = endpoint_of("http://127.0.0.1:9", name)

    async def show() -> str:
        async with Session() as session:
            with open_target(MODEL, endpoint, say=lambda line: None) as target:
                client = await session.connect(target, RunSettings(concurrency=2))
                store = await session.open_store(client)
                limiter = session.limiter(target, RunSettings())
                things = (session, client, store, FileStore(client), target, limiter)
                return " ".join(f"{thing!r} {thing!s}" for thing in things)

    shown = asyncio.run(show()) + repr(endpoint) + repr(RunSettings())
    assert "127.0.0.1:9" in shown
    assert not holds_secret(shown)


# The command line


@KEY
@pytest.mark.parametrize(
    "options",
    [["run"], ["run", "--batch", "--poll-seconds", "0.01"], ["run", "--no-text"]],
    ids=["plain", "batch", "no-text"],
)
def test_no_command_prints_the_key(
    options: list[str],
    name: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    everything_logged: Log,
    sums_file: Path,
    own_environment: Path,
    tmp_path: Path,
) -> None:
    verb, *rest = options
    results = tmp_path / "r"
    with secret_server() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
        monkeypatch.setenv(VARIABLES[name], SECRET)
        done = call(capsys, verb, sums_file, "--model", MODEL, "--results", results, *rest)
    assert done.code == 0, done.err
    said = done.out + done.err
    for words in (["show", results], ["score", results], ["show", sums_file], ["models"], ["list"]):
        other = call(capsys, *words)
        said += other.out + other.err
    assert not holds_secret(said)
    assert leaks(results, own_environment) == []


@KEY
def test_a_crash_does_not_print_the_key(name: str, sums_file: Path, tmp_path: Path) -> None:
    """Not even the traceback of a mistake of ours, with all logs on."""
    script = (
        "import logging, sys; logging.basicConfig(level=1)\n"
        "import evalkit.api.client as client\n"
        "client.parse_response = lambda *_: 1 / 0\n"
        "from evalkit.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    with secret_server() as server:
        variables = {"ANTHROPIC_BASE_URL": server.base_url, VARIABLES[name]: SECRET}
        words = command("run", sums_file, "--model", MODEL, "--results", tmp_path / "r")[3:]
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            env={**os.environ, **variables},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    assert "ZeroDivisionError" in done.stderr
    assert "DEBUG:asyncio" in done.stderr, "the logs are on"
    assert not holds_secret(done.stdout + done.stderr)
