"""The command as a whole: help, version, exit codes, and one line for every mistake."""

from __future__ import annotations

import importlib
import io
import json
import os
import runpy
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import SupportsIndex

import pytest

import evalkit
from evalkit.cli.main import build_parser, main
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, Outcome, call, call_process, command, point_at
from tests.conftest import write_sums

COMMANDS = (["run"], ["show"], ["score"], ["list"], ["models"], ["models", "pull"])


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working directory with files that can and that can't be used."""
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "sums.jsonl")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "latin.csv").write_bytes(b"question,A,B,answer\n\xe4?,1,2,A\n")
    (tmp_path / "odd.csv").write_text("a,b,c\n1,2,3\n")
    (tmp_path / "broken.toml").write_text("version = \n")
    (tmp_path / "no-prompt.toml").write_text("[source]\n")
    (tmp_path / "odd-prompt.toml").write_text("[prompt]\ncolour = 'red'\n")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    """A server in the environment."""
    with MessagesServer() as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture(scope="module", autouse=True)
def run_without_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A run that finds no server, begun before all tests: it takes a quarter of a minute."""
    folder = tmp_path_factory.mktemp("lost")
    write_sums(folder / "sums.jsonl")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ANTHROPIC_")}
    address = "http://127.0.0.1:9"
    with subprocess.Popen(
        command("run", "sums.jsonl", "--model", HAIKU, "--base-url", address, "--quiet"),
        cwd=folder,
        env={**environment, "EVALKIT_CACHE_DIR": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        yield folder, process
        process.kill()


def test_the_help_names_every_command_and_the_exit_codes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments in (["--help"], ["-h"]):
        shown = call(capsys, *arguments)
        assert (shown.code, shown.err) == (0, "")
        assert "exit codes: 0 fine, 1 regressed, 2 usage, 3 inconclusive, 4 incomplete" in shown.out
        assert all(f"\n    {name[0]} " in shown.out for name in COMMANDS if len(name) == 1)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    shown = call(capsys, *words, "--help")
    assert (shown.code, shown.err) == (0, "")
    examples = shown.out.partition("examples:\n")[2].splitlines()
    commands = [line.strip() for line in examples if line.startswith("  evalkit")]
    assert len(commands) > 1
    assert all(
        line.startswith(f"evalkit {' '.join(words)} ") or line == f"evalkit {words[0]}"
        for line in commands
    )
    for line in commands:
        build_parser().parse_args(line.split()[1:])


def test_every_option_has_a_help_text(capsys: pytest.CaptureFixture[str]) -> None:
    for words in COMMANDS:
        lines = call(capsys, *words, "--help").out.splitlines()
        for line, below in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("  -"):
                assert len(line.split("  ")) > 2 or below.startswith(" " * 20), line


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = call(capsys, "--version")
    assert (shown.code, shown.out) == (0, f"evalkit {evalkit.__version__}\n")
    assert call_process("--version", folder=tmp_path) == shown


MISTAKES = [
    "",
    "nosuch",
    "--nosuch",
    "run",
    "run sums.jsonl",
    "run --model m",
    "run sums.jsonl --model",
    "run sums.jsonl --model m --nosuch",
    "run sums.jsonl --model m --way tool",
    "run sums.jsonl --model m --limit 0",
    "run sums.jsonl --model m --limit -5",
    "run sums.jsonl --model m --limit many",
    "run sums.jsonl --model m --limit 1.5",
    "run sums.jsonl --model m --shots -1",
    "run sums.jsonl --model m --shots 1",
    "run sums.jsonl --model m --shots few",
    "run sums.jsonl --model m --seed x",
    "run sums.jsonl --model m --concurrency 0",
    "run sums.jsonl --model m --concurrency x",
    "run sums.jsonl --model m --temperature 1.1",
    "run sums.jsonl --model m --temperature hot",
    "run sums.jsonl --model m --temperature nan",
    "run sums.jsonl --model m --timeout 0",
    "run sums.jsonl --model m --timeout nan",
    "run sums.jsonl --model m --timeout soon",
    "run sums.jsonl --model m --prompt nosuch.toml",
    "run sums.jsonl --model m --prompt .",
    "run sums.jsonl --model m --prompt no-prompt.toml",
    "run sums.jsonl --model m --prompt odd-prompt.toml",
    "run sums.jsonl --model m --prompt sums.jsonl",
    "run sums.jsonl --model m --results file",
    "run sums.jsonl --model m --base-url nowhere",
    "run sums.jsonl --model m --base-url http://",
    "run sums.jsonl --model m --base-url http://[::1",
    "run sums.jsonl --model m --base-url http://127.0.0.1:99999",
    "run sums.jsonl --model m --base-url http://127.0.0.1:port",
    "run sums.jsonl --model m --base-url ftp://127.0.0.1",
    "run sums.jsonl --model m --base-url http://user:word@127.0.0.1",
    "run sums.jsonl --model local/",
    "run sums.jsonl --model local/nosuch",
    "run sums.jsonl --model local/nosuch.gguf",
    "run sums.jsonl --model local/file.gguf",
    "run nosuch --model m",
    "run nosuch.csv --model m",
    "run nosuch.toml --model m",
    "run . --model m",
    "run / --model m",
    "run .csv --model m",
    "run empty.csv --model m",
    "run latin.csv --model m",
    "run odd.csv --model m",
    "run folder.csv --model m",
    "run broken.toml --model m",
    "run mmmu-pro --model m",
    "run mmmu-pro --model m --data nosuch",
    "run mmmu-pro --model m --data file",
    f"run {'x' * 300} --model m",
    f"run {'x' * 300}.csv --model m",
    f"run sums.jsonl --model m --results {'x' * 300}",
    f"run sums.jsonl --model m --prompt {'x' * 300}",
    "show",
    "show nosuch",
    "show sums.jsonl --id nosuch",
    "show sums.jsonl --shots -1",
    "show sums.jsonl --shots 5",
    "show sums.jsonl --temperature 7",
    "show sums.jsonl --way nosuch",
    "show sums.jsonl --prompt nosuch.toml",
    "show sums.jsonl everyday",
    f"show {'x' * 300}",
    "score",
    "score nosuch",
    "score file",
    "score .",
    f"score {'x' * 300}",
    "list nosuch",
    "list --nosuch",
    "models",
    "models push",
    "models pull",
    "models pull nosuch",
]


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_gets_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    server: MessagesServer,
    line: str,
) -> None:
    """No traceback, nothing on standard output, no run folder, and no question asked."""
    done = call(capsys, *line.split())
    assert (done.code, done.out) == (2, "")
    assert len(done.error) > len("evalkit: ")
    assert not list(folder.glob("results/*"))
    assert len(server.requests) <= 1


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J", "\udcff"])
def test_a_model_that_no_server_can_have_is_refused(
    capsys: pytest.CaptureFixture[str], folder: Path, server: MessagesServer, name: str
) -> None:
    done = call(capsys, "run", "sums.jsonl", "--model", name)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("evalkit: model ")
    assert server.requests == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run evryday --model m", ["'evryday'", "everyday", "evalkit list"]),
        ("show agieval", ["'agieval'", "agieval-aqua-rat"]),
        (
            "run mmmu-pro --model m",
            ["https://github.com/MMMU-Benchmark/MMMU", "--data", "EVALKIT_DATA"],
        ),
        ("run mmmu-pro --model m --data sets", ["nothing matches below sets"]),
        ("run sums.jsonl --model m --results file", ["--results file", "folder"]),
        ("run sums.jsonl --model m --limit 0", ["limit 0", "at least 1"]),
        ("run sums.jsonl --model m --temperature hot", ["--temperature", "'hot'", "0 to 1"]),
        ("run sums.jsonl --model m --timeout 0", ["--timeout", "'0'", "more than 0"]),
        ("show sums.jsonl --id q99", ["'q99'", "q9"]),
        ("run sums.jsonl --model local/smol", ["local/smollm2-135m", "local/PATH.gguf"]),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right(
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    server: MessagesServer,
    line: str,
    words: list[str],
) -> None:
    error = call(capsys, *line.split()).error
    assert [word for word in words if word not in error] == []


@pytest.mark.parametrize("key", ["wrong", "", None, "wro\nng", "schlüssel"])
def test_a_key_that_is_not_taken_is_one_line_and_is_never_shown(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    server: MessagesServer,
    key: str | None,
) -> None:
    if key is None:
        monkeypatch.delenv("ANTHROPIC_API_KEY")
    else:
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    done = call(capsys, "run", "sums.jsonl", "--model", HAIKU, "--quiet")
    assert (done.code, done.out) == (2, "")
    assert "key" in done.error
    assert not key or key not in done.error
    assert not list(folder.glob("results/*"))


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_the_official_api_is_not_asked(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    key: str | None,
) -> None:
    if key is not None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    done = call(capsys, "run", "sums.jsonl", "--model", HAIKU)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("evalkit: no key: set ANTHROPIC_API_KEY")


def test_an_unknown_model_is_one_line(
    capsys: pytest.CaptureFixture[str], folder: Path, server: MessagesServer
) -> None:
    done = call(capsys, "run", "sums.jsonl", "--model", "claude-nosuch", "--quiet")
    assert (done.code, done.out) == (2, "")
    assert "claude-nosuch" in done.error
    assert not list(folder.glob("results/*"))


def test_an_interrupt_is_one_line(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """It comes while the command waits for a file."""
    os.mkfifo(folder / "slow.toml")

    def interrupt_a_reader() -> None:
        with (folder / "slow.toml").open("w"):  # waits for the reader
            os.kill(os.getpid(), signal.SIGINT)
            interrupted.wait(30)

    interrupted = threading.Event()
    thread = threading.Thread(target=interrupt_a_reader)
    thread.start()
    done = call(capsys, "show", "sums.jsonl", "--prompt", "slow.toml")
    interrupted.set()
    thread.join()
    assert (done.code, done.out) == (4, "")
    assert done.err == (
        "\nevalkit: interrupted; answers so far are kept, and the same command goes on\n"
    )


def test_an_interrupt_before_the_command_starts_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Interrupting(str):
        """A word that brings Ctrl-C when it is looked at."""

        def __getitem__(self, key: SupportsIndex | slice) -> str:
            signal.raise_signal(signal.SIGINT)
            return super().__getitem__(key)

    assert main(["list", Interrupting("--json")]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("\nevalkit: interrupted;")


def test_python_dash_m_evalkit_is_evalkit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("evalkit.__main__")
    assert capsys.readouterr().out == "", "importing it does nothing"
    monkeypatch.setattr("sys.argv", ["evalkit", "--version"])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(module.__file__), run_name="__main__")
    assert (end.value.code, capsys.readouterr().out) == (0, f"evalkit {evalkit.__version__}\n")


def test_mistakes_in_a_process_of_its_own_are_the_same(folder: Path) -> None:
    for words, code in (
        ([], 2),
        (["run", "nosuch", "--model", "m"], 2),
        (["score", "nosuch"], 2),
        (["run", "sums.jsonl", "--model", HAIKU], 2),
        (["list", "models", "--json"], 0),
    ):
        done = call_process(*words, folder=folder)
        assert done.code == code, words
        assert done.error if code else json.loads(done.out)


@pytest.mark.parametrize("words", [["list"], ["show", "everyday"], ["--help"], ["run", "--help"]])
def test_a_reader_that_goes_away_is_no_error(folder: Path, words: list[str]) -> None:
    """As with `| head`, or a pager that is left."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command(*words),
            cwd=folder,
            env=environment,
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (4, b"")


@pytest.mark.parametrize("buffering", [-1, 1], ids=["at-the-end", "at-the-first-line"])
def test_this_process_survives_a_reader_that_goes_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, buffering: int
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering) as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(["show", "everyday", "--facts"]) == 4
    monkeypatch.undo()
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize(
    "command", [["show", "everyday", "--facts"], ["list"]], ids=["little", "more than is buffered"]
)
def test_this_process_survives_a_full_disk(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(command) == 4
    monkeypatch.undo()
    error = "evalkit: standard output can't be written: No space left on device\n"
    assert capsys.readouterr() == ("", error)


def test_a_stream_of_another_kind_is_printed_to_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks and test tools put their own in the place of standard output."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stdout", stream)
    assert main(["list"]) == 0
    assert "everyday" in stream.getvalue()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("buffered", [True, False])
def test_a_full_disk_is_one_line(folder: Path, buffered: bool) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command("list"),
            cwd=folder,
            env={**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"},
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
    assert done.returncode in (2, 4)
    [line] = done.stderr.splitlines()
    assert line.startswith("evalkit: ")
    assert line.endswith("No space left on device")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_terminal_that_lacks_the_lines_of_tables_gets_question_marks(
    folder: Path, encoding: str
) -> None:
    done = subprocess.run(
        command("list"),
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"everyday" in done.stdout
    assert ("─" if encoding == "utf-8" else "?????") in done.stdout.decode(encoding)


def test_no_server_is_one_line_and_the_same_command_may_work_later(
    run_without_server: tuple[Path, subprocess.Popen[str]],
) -> None:
    folder, process = run_without_server
    out, err = process.communicate(timeout=60)
    done = Outcome(code=process.returncode, out=out, err=err)
    assert (done.code, done.out) == (4, "")
    assert done.error.startswith("evalkit: no connection to 127.0.0.1:9")
    assert not list(folder.glob("results/*"))
