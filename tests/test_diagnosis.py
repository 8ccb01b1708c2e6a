"""What keeps a run from working is found before it begins, and no key is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import evalkit
from evalkit.diagnosis import (
    Diagnosis,
    DiagnosisPoint,
    PointLevel,
    judge_clock,
    judge_space,
    look_around,
    look_at_dependencies,
    look_at_extras,
    look_at_folder,
    names_of,
)
from evalkit.testing.messages_faults import Fault
from evalkit.testing.messages_server import MessagesServer

KEY = "sk-ant-a-secret-of-this-test-0123456789"

REQUIREMENTS = (
    "numpy>=1.24",
    "pytest[testing]>=8 ; python_version >= '3.11'",
    'nosuchpackage-a>=1; extra == "ray"',
    'pytest>=8; extra == "local"',
    'evalkit-mcq[ray]; extra == "view"',
    'nosuchpackage-b; extra == "dev"',
)


def look(folder: Path, environment: Mapping[str, str], *, offline: bool = False) -> Diagnosis:
    """Diagnose an environment."""
    return asyncio.run(
        look_around(
            results=folder / "results", environment=environment, offline=offline, seconds=0.5
        )
    )


def point_of(found: Diagnosis, name: str) -> DiagnosisPoint:
    """The point of that name."""
    [point] = [point for point in found.points if point.name == name]
    return point


def test_a_sound_set_up_is_said_to_work_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with MessagesServer() as server:
        environment = {"ANTHROPIC_BASE_URL": server.base_url, "ANTHROPIC_API_KEY": server.key}
        found = look(tmp_path, environment)
        assert len(server.requests) == 1
    assert found.can_ask_endpoint and found.works
    assert [point.name for point in found.points] == [
        *("evalkit", "python", "dependencies", "extras", "key", "endpoint", "clock"),
        *("results", "cache"),
    ]
    assert point_of(found, "endpoint").says == f"{server.base_url[7:]} answers"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_a_key_is_neither_shown_nor_measured(tmp_path: Path, name: str) -> None:
    """The server refuses it, and repeats it in its error."""
    with MessagesServer() as server:
        found = look(tmp_path, {"ANTHROPIC_BASE_URL": server.base_url, name: KEY})
    assert point_of(found, "key").says == f"{name} is set"
    assert point_of(found, "endpoint").level == "fault"
    assert "refuses the key" in point_of(found, "endpoint").says
    text = json.dumps(found.to_dict()) + repr(found)
    assert KEY not in text
    assert str(len(KEY)) not in json.dumps([point_of(found, "key").facts])
    longer = look(tmp_path, {name: KEY + "x"}, offline=True)
    shorter = look(tmp_path, {name: "x"}, offline=True)
    assert point_of(longer, "key") == point_of(shorter, "key")


def test_a_key_that_no_header_takes_is_a_fault_and_not_repeated(tmp_path: Path) -> None:
    found = look(tmp_path, {"ANTHROPIC_API_KEY": f"{KEY}\n\x07"})
    assert not found.can_ask_endpoint
    assert KEY not in json.dumps(found.to_dict())


def test_the_official_api_wants_a_key(tmp_path: Path) -> None:
    found = look(tmp_path, {}, offline=True)
    assert point_of(found, "key").level == "fault"
    assert point_of(found, "key").remedy is not None
    assert not found.can_ask_endpoint


def test_a_server_of_ones_own_may_want_none(tmp_path: Path) -> None:
    found = look(tmp_path, {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}, offline=True)
    assert point_of(found, "key").level == "note"
    assert found.can_ask_endpoint


@pytest.mark.parametrize(
    ("fault", "level", "word"),
    [
        (Fault(manner="page", status=404), "fine", "answers"),
        (Fault(manner="page", status=529), "note", "529"),
        (Fault(manner="page", status=429), "note", "429"),
        (Fault(manner="page", status=301), "fault", "301"),
        (Fault(manner="page", status=401), "fault", "wants a key"),
        (Fault(manner="hang"), "fault", "does not answer within 0.5 s"),
        (Fault(manner="reset"), "fault", "broke the connection off"),
    ],
    ids=["no list", "overloaded", "limited", "moved", "no key", "silent", "broken off"],
)
def test_what_an_endpoint_says_decides(
    tmp_path: Path, fault: Fault, level: PointLevel, word: str
) -> None:
    with MessagesServer(faults=lambda _: fault) as server:
        found = look(tmp_path, {"ANTHROPIC_BASE_URL": server.base_url})
    point = point_of(found, "endpoint")
    assert point.level == level
    assert word in point.says
    assert found.can_ask_endpoint is (level != "fault")
    assert (point.remedy is None) is (level == "fine")


def test_an_address_that_is_none_is_a_fault(tmp_path: Path) -> None:
    found = look(tmp_path, {"ANTHROPIC_BASE_URL": "nonsense"})
    assert point_of(found, "endpoint").level == "fault"


@pytest.mark.parametrize(
    ("ahead", "level"), [(0.0, "fine"), (60.0, "fine"), (61.0, "note"), (-61.0, "note")]
)
def test_a_clock_may_be_a_minute_off(ahead: float, level: PointLevel) -> None:
    assert judge_clock(ahead).level == level


def test_the_servers_clock_is_the_one_that_counts(tmp_path: Path) -> None:
    with MessagesServer() as server:
        environment = {"ANTHROPIC_BASE_URL": server.base_url, "ANTHROPIC_API_KEY": server.key}
        found = asyncio.run(
            look_around(
                results=tmp_path,
                environment=environment,
                now=lambda: datetime.now(UTC) + timedelta(minutes=5),
            )
        )
    clock = point_of(found, "clock")
    assert clock.level == "note"
    assert abs(clock.facts["ahead_seconds"] - 300) < 30
    assert "ahead of" in clock.says
    assert found.can_ask_endpoint


@pytest.mark.parametrize(
    ("address", "offline", "why"),
    [
        ("http://127.0.0.1:9", True, "nobody is asked offline"),
        ("http://127.0.0.1:9", False, "the endpoint did not answer"),
        ("nonsense", False, "there is no server to compare it with"),
    ],
)
def test_a_clock_that_was_compared_with_none_is_said_to_be(
    tmp_path: Path, address: str, offline: bool, why: str
) -> None:
    clock = point_of(look(tmp_path, {"ANTHROPIC_BASE_URL": address}, offline=offline), "clock")
    assert clock.says == f"not checked ({why})"
    assert (clock.level, clock.facts) == ("note", {"ahead_seconds": None})


def test_a_server_may_tell_no_time(tmp_path: Path) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async def look_at_it() -> Diagnosis:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            _, port = server.sockets[0].getsockname()
            return await look_around(base_url=f"http://127.0.0.1:{port}", results=tmp_path)

    found = asyncio.run(look_at_it())
    assert point_of(found, "endpoint").level == "fine"
    assert point_of(found, "clock").says == "not checked (the server tells no time)"


def test_extras_are_named_with_the_line_that_installs_them() -> None:
    point = look_at_extras(REQUIREMENTS)
    assert point.facts["extras"] == {"local": True, "ray": False, "view": False}
    assert point.level == "note"
    assert point.remedy is not None
    assert "pip install 'evalkit-mcq[ray,view]'" in point.remedy


def test_a_missing_dependency_keeps_every_run_from_working() -> None:
    assert look_at_dependencies(REQUIREMENTS).level == "fine"
    broken = look_at_dependencies([*REQUIREMENTS, "nosuchpackage-c>=2"])
    assert (broken.level, broken.says) == ("fault", "missing: nosuchpackage-c")
    found = Diagnosis(points=(broken, look_at_extras(REQUIREMENTS)))
    assert not found.works


def test_a_folder_that_takes_no_files_is_a_fault(tmp_path: Path) -> None:
    """No permission keeps the administrator out; a file in place of a folder does."""
    (tmp_path / "file").touch()
    point = look_at_folder("results", tmp_path / "file" / "results")
    assert point.level == "fault"
    assert point.remedy is not None and "--results" in point.remedy
    assert not Diagnosis(points=(point,)).works


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above(tmp_path: Path) -> None:
    point = look_at_folder("cache", tmp_path / "a" / "b")
    assert point.level != "fault"
    assert point.facts["writable"] is True
    assert point.facts["free_bytes"] > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("free", "level"),
    [(9_999_999, "fault"), (10_000_000, "note"), (999_999_999, "note"), (1_000_000_000, "fine")],
)
def test_a_disk_may_be_full_or_nearly_so(free: int, level: PointLevel) -> None:
    point = judge_space("results", Path("results"), free)
    assert point.level == level
    assert (point.remedy is None) is (level == "fine")


def test_a_copy_that_was_not_installed_says_so() -> None:
    assert look_at_dependencies([]).level == "note"
    assert look_at_extras([]).says == "installed: none"
    assert list(names_of(["numpy", "; nonsense"], None)) == ["numpy"]


def test_without_an_endpoint_an_embedded_model_may_do() -> None:
    extras = look_at_extras(REQUIREMENTS)
    refused = DiagnosisPoint(name="endpoint", level="fault", says="no")
    assert Diagnosis(points=(extras, refused)).works
    cache = DiagnosisPoint(name="cache", level="fault", says="no")
    assert not Diagnosis(points=(extras, refused, cache)).works


def test_an_endpoint_in_hand_is_looked_at_in_place_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    with MessagesServer() as server:
        endpoint = evalkit.Endpoint(base_url=server.base_url, api_key=server.key)
        found = evalkit.diagnose(endpoint=endpoint, results=str(tmp_path))
    assert found.can_ask_endpoint
    assert point_of(found, "endpoint").facts["host"] == endpoint.host


def test_without_one_the_environment_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "some-key")
    found = evalkit.diagnose(results=tmp_path, seconds=0.5)
    assert point_of(found, "endpoint").facts["host"] == "127.0.0.1:1"
    assert point_of(found, "endpoint").level == "fault"


def test_offline_nobody_is_asked(tmp_path: Path) -> None:
    with MessagesServer() as server:
        endpoint = evalkit.Endpoint(base_url=server.base_url, api_key=server.key)
        found = evalkit.diagnose(endpoint=endpoint, results=tmp_path, offline=True)
        assert server.requests == []
    assert [point for point in found.points if point.name == "endpoint"] == []
