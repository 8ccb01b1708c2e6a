"""`evalkit view`: its address, its errors in one line, and its quiet end."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evalkit.cli.view import has_display, parse_port
from evalkit.errors import UsageError
from evalkit.questions import Question
from evalkit.view.serving import HOST, PORT, listen
from tests.command_line import call, call_process, command
from tests.written_runs import respond, write_run


@contextmanager
def viewing(results: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a process, with the address that it prints."""
    with subprocess.Popen(
        command("view", results, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r".* is shown at (http://127\.0\.0\.1:\d+/)\n", line)
            assert found, line
            yield process, found[1]
        finally:
            process.kill()


def test_it_prints_its_address_and_ends_quietly(tmp_path: Path) -> None:
    with viewing(tmp_path, "--port", "0") as (process, address):
        with urllib.request.urlopen(address, timeout=10) as reply:
            assert reply.status == 200
            assert b"No run yet" in reply.read()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert (out, err.strip()) == ("", "Ctrl-C ends it.")


@pytest.mark.parametrize(
    ("options", "is_terminal", "display", "opens"),
    [
        ([], True, ":0", True),
        ([], True, "", False),
        ([], False, ":0", False),
        (["--no-open"], True, ":0", False),
    ],
)
def test_a_browser_is_opened_where_there_is_a_terminal_and_a_display(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    options: list[str],
    is_terminal: bool,
    display: str,
    opens: bool,
) -> None:
    opened = queue.Queue[str]()
    monkeypatch.setattr("webbrowser.open", opened.put)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with listen(0) as free:
        port = free.getsockname()[1]
    ending = threading.Thread(target=interrupt, args=(port,))
    ending.start()
    found = call(capsys, "view", tmp_path, "--port", str(port), *options)
    ending.join()
    address = f"http://{HOST}:{port}/"
    assert found.code == 0
    assert found.out == f"{tmp_path} is shown at {address}\n"
    assert found.err.strip() == "Ctrl-C ends it."
    assert [opened.get(timeout=10)] == [address] if opens else opened.empty()


def interrupt(port: int) -> None:
    """End this process's server by Ctrl-C, once it listens."""
    until = time.monotonic() + 20
    with socket.socket() as probe:
        while probe.connect_ex((HOST, port)) and time.monotonic() < until:
            time.sleep(0.05)
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)


def test_any_port_is_taken_if_the_usual_ones_are_not_free(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("evalkit.view.serving.PORTS", 0)
    with listen(None) as found:
        assert found.getsockname()[1] > 0


def test_it_ends_while_a_browser_keeps_its_connection(tmp_path: Path) -> None:
    with viewing(tmp_path, "--port", "0") as (process, address):
        port = int(address.rpartition(":")[2].strip("/"))
        with socket.create_connection((HOST, port)) as connection:
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert time.monotonic() - began < 4


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_it_ends_while_a_report_is_being_built(tmp_path: Path) -> None:
    question = Question(id="q", stem="?", choices=("a", "b"), right=(0,))
    folder = write_run(tmp_path, [question], lambda *_: respond("A"))
    # Reading it waits for somebody who writes, and so goes on for ever.
    (folder / "questions.jsonl.gz").unlink()
    os.mkfifo(folder / "questions.jsonl.gz")
    with viewing(tmp_path, "--port", "0") as (process, address):
        port = int(address.rpartition(":")[2].strip("/"))
        with socket.create_connection((HOST, port)) as connection:
            asked = f"GET /run/{folder.name}/report HTTP/1.1\r\nHost: {HOST}:{port}\r\n\r\n"
            connection.sendall(asked.encode())
            time.sleep(0.7)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=10)
    assert (process.returncode, err.strip()) == (0, "Ctrl-C ends it.")


def test_a_port_that_is_taken_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        found = call(capsys, "view", tmp_path, "--port", str(port), "--no-open")
    assert (found.code, found.out) == (2, "")
    assert found.error == f"evalkit: port {port} can't be used: address already in use"


def test_the_next_port_that_is_free_is_taken_if_none_was_named() -> None:
    with listen(None) as first, listen(None) as second:
        ports = [each.getsockname()[1] for each in (first, second)]
        assert all(port >= PORT for port in ports)
        assert ports[0] < ports[1]
        assert {each.getsockname()[0] for each in (first, second)} == {HOST}
        with pytest.raises(UsageError, match="can't be used"):
            listen(ports[0])


@pytest.mark.parametrize("port", ["-1", "65536", "x", "", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_what_is_no_port_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, port: str
) -> None:
    found = call(capsys, "view", tmp_path, f"--port={port}")
    assert found.code == 2
    assert "expected 0 (any) to 65535" in found.error


def test_a_port_is_a_number() -> None:
    assert [parse_port(text) for text in ("0", "8420", "65535")] == [0, 8420, 65535]


def test_a_folder_that_is_not_there_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = call(capsys, "view", tmp_path / "nowhere")
    assert found.code == 2
    assert found.error.endswith("there is no such folder; `evalkit run` makes one, of runs")


@pytest.mark.parametrize("module", ["starlette", "uvicorn", "jinja2", "matplotlib"])
def test_without_the_extra_it_names_the_command_that_installs_it(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    module: str,
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else find(name)
    )
    found = call(capsys, "view", tmp_path)
    assert found.code == 2
    assert found.error == ("evalkit: evalkit view needs an extra: pip install 'evalkit-mcq[view]'")


def test_its_help_shows_examples_and_loads_no_server(tmp_path: Path) -> None:
    shown = call_process("view", "--help", folder=tmp_path)
    assert shown.code == 0
    assert "evalkit view ~/results --port 9000 --no-open" in shown.out
    program = (
        "import sys; from evalkit.cli.main import build_parser; build_parser(); "
        "print({'starlette', 'uvicorn', 'jinja2', 'matplotlib', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True
    )
    assert "starlette" not in done.stdout
    assert "uvicorn" not in done.stdout
    assert "jinja2" not in done.stdout


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="there is always a display there")
def test_a_browser_is_opened_only_where_it_gets_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert has_display()


def test_no_file_is_written(tmp_path: Path) -> None:
    with viewing(tmp_path, "--port", "0") as (_, address):
        urllib.request.urlopen(address, timeout=10).close()
        assert list(tmp_path.iterdir()) == []
        assert os.access(tmp_path, os.W_OK)


LOGS = Path(__file__).parent / "logs"


def test_logs_of_other_tools_are_shown_as_runs() -> None:
    samples = next((LOGS / "lm-eval").glob("samples_everyday_mc_*.jsonl"))
    log = LOGS / "inspect" / "plain.eval"
    with (
        viewing(log, str(samples), "--port", "0") as (_, address),
        urllib.request.urlopen(address, timeout=10) as reply,
    ):
        page = reply.read().decode()
    assert "2 of 2 runs" in page


def test_a_folder_and_a_log_are_not_shown_together(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = call(capsys, "view", tmp_path, LOGS / "inspect" / "plain.eval")
    assert found.code == 2
    assert "one folder of runs is shown, or logs of other tools" in found.err
