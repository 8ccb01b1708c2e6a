"""The command line as users call it: in this process, or as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalkit.cli.main import main
from evalkit.testing.messages_server import MessagesServer

HAIKU, OPUS = "claude-haiku-4-5", "claude-opus-4-6"
"""A model that takes a prefill, and one that does not."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Its error, which is one line; after `usage: ...` where the words themselves were wrong.

        What stands between the first and the last line of a longer error is a list, indented.
        """
        lines = self.err.splitlines()
        assert "Traceback" not in self.err, self.err
        if self.err.startswith("usage: evalkit"):
            assert lines[-1].startswith("evalkit"), self.err
            assert " error: " in lines[-1], self.err
            return lines[-1]
        assert lines, "no error"
        assert lines[0].startswith("evalkit: "), self.err
        assert all(line.startswith("  ") for line in lines[1:]), self.err
        return lines[0]


def call(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Outcome:
    """Run a command in this process."""
    capsys.readouterr()
    try:
        code: object = main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code
    assert isinstance(code, int)
    out, err = capsys.readouterr()
    return Outcome(code=code, out=out, err=err)


def call_process(
    *arguments: str | Path, folder: Path, environment: Mapping[str, str] | None = None
) -> Outcome:
    """Run a command as a process of its own, in a folder."""
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return Outcome(code=done.returncode, out=done.stdout, err=done.stderr)


def command(*arguments: str | Path) -> list[str]:
    """The command line of a process."""
    return [sys.executable, "-m", "evalkit", *map(str, arguments)]


def point_at(server: MessagesServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the test server and its key in the environment."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
