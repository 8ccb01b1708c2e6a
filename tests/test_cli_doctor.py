"""`evalkit doctor` says whether a run could work, by its text, its JSON and its exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.cli.doctor import conclude
from evalkit.diagnosis import Diagnosis, DiagnosisPoint
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call, point_at


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MessagesServer]:
    """A server in the environment, and a working directory."""
    monkeypatch.chdir(tmp_path)
    with MessagesServer() as running:
        point_at(running, monkeypatch)
        yield running


def test_a_sound_set_up(capsys: pytest.CaptureFixture[str], server: MessagesServer) -> None:
    found = call(capsys, "doctor", "--need", "endpoint")
    assert (found.code, found.err) == (0, "")
    assert f"endpoint      fine  {server.base_url[7:]} answers\n" in found.out
    assert "key           fine  ANTHROPIC_API_KEY is set\n" in found.out
    assert server.key not in found.out
    assert "\nA run could work, with models of the endpoint" in found.out
    assert max(map(len, found.out.splitlines())) <= 80 + len(str(Path.cwd()))


def test_json_says_the_same(capsys: pytest.CaptureFixture[str], server: MessagesServer) -> None:
    found = call(capsys, "doctor", "--json")
    facts = json.loads(found.out)
    assert found.code == 0
    assert (facts["works"], facts["endpoint"]) == (True, True)
    points = {point["name"]: point for point in facts["points"]}
    assert points["endpoint"]["status"] == 200
    assert points["key"]["present"] is True
    assert server.key not in found.out


def test_a_wrong_key_is_the_exit_code_2_with_a_remedy(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "another-key-0123456789")
    found = call(capsys, "doctor", "--need", "endpoint")
    assert found.code == 2
    assert "refuses the key" in found.out
    assert "To do: set ANTHROPIC_API_KEY to a key of this server." in found.out
    assert "another-key" not in found.out


def test_nobody_is_asked_offline(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    assert call(capsys, "doctor", "--offline", "--need", "endpoint").code == 0
    assert server.requests == []


def test_without_a_folder_for_runs_none_could_work(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    Path("file").touch()
    found = call(capsys, "doctor", "--results", "file/results")
    assert found.code == 2
    assert found.out.endswith("\nNo run could work.\n")


@pytest.mark.parametrize(
    ("faults", "embedded", "said"),
    [
        ((), True, "with models of the endpoint and with embedded ones"),
        ((), False, "embedded ones can't be asked"),
        (("key",), True, "the endpoint can't be asked"),
        (("endpoint",), False, "No run could work"),
        (("results",), True, "No run could work"),
    ],
)
def test_the_conclusion_says_who_could_be_asked(
    faults: tuple[str, ...], embedded: bool, said: str
) -> None:
    points = [DiagnosisPoint(name=name, level="fault", says="no") for name in faults]
    extras = DiagnosisPoint(
        name="extras", level="fine", says="", facts={"extras": {"local": embedded}}
    )
    assert said in conclude(Diagnosis(points=(extras, *points)))


def test_for_embedded_models_no_endpoint_is_needed(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    pytest.importorskip("xllamacpp")
    found = call(
        capsys, "doctor", "--base-url", "http://127.0.0.1:9", "--need", "embedded", "--offline"
    )
    assert found.code == 0
