"""An audit asked for in Python is that of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import evalkit
from evalkit.requests import WAYS
from evalkit.results import load_run
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS
from tests.conftest import endpoint_of
from tests.test_audits import PLAN, by_way


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    """A server whose models answer each way as planned."""
    with MessagesServer(answer=by_way(PLAN)) as running:
        yield running


def audit(sums: evalkit.Benchmark, server: MessagesServer, folder: Path) -> evalkit.Audit:
    """Ask in every way."""
    return evalkit.audit(sums, HAIKU, endpoint=endpoint_of(server), results=folder, progress=False)


def test_all_ways_are_asked_unless_some_are_named(
    sums: evalkit.Benchmark, server: MessagesServer, tmp_path: Path
) -> None:
    found = audit(sums, server, tmp_path)
    assert [asked.way for asked in found.ways] == list(WAYS)
    assert found.left_out == ()
    assert found.largest is not None
    assert found.largest.way == "tool"


def test_it_is_the_audit_of_the_runs_that_it_leaves(
    sums: evalkit.Benchmark, server: MessagesServer, tmp_path: Path
) -> None:
    found = audit(sums, server, tmp_path)
    runs = [load_run(folder) for folder in tmp_path.iterdir()]
    assert found.to_dict() == evalkit.audit_runs(runs).to_dict()


def test_the_same_call_again_asks_nothing(
    sums: evalkit.Benchmark, server: MessagesServer, tmp_path: Path
) -> None:
    first = audit(sums, server, tmp_path)
    asked = len(server.requests)
    assert audit(sums, server, tmp_path).to_dict() == first.to_dict()
    assert len(server.requests) == asked


def test_ways_that_are_left_out_are_told_with_the_reason(
    sums: evalkit.Benchmark, server: MessagesServer, tmp_path: Path
) -> None:
    found = evalkit.audit(
        sums, OPUS, endpoint=endpoint_of(server), results=tmp_path, progress=False
    )
    assert [str(each) for each in found.left_out] == ["prefill is left out: it takes no prefill"]
    assert found.to_dict()["left_out"] == [{"way": "prefill", "reason": "it takes no prefill"}]


def test_only_the_other_settings_hold_for_every_way(
    sums: evalkit.Benchmark, server: MessagesServer, tmp_path: Path
) -> None:
    found = evalkit.audit(
        sums,
        HAIKU,
        ways=["tool", "prefill"],
        settings=evalkit.RunSettings(limit=12),
        endpoint=endpoint_of(server),
        results=tmp_path,
        progress=False,
    )
    assert [(asked.way, asked.n) for asked in found.ways] == [("prefill", 12), ("tool", 12)]


def test_settings_that_name_a_way_are_refused_before_anything_is_asked(
    sums: evalkit.Benchmark, server: MessagesServer, tmp_path: Path
) -> None:
    with pytest.raises(evalkit.UsageError, match=r"in place of way='tool' .* ways=\[\.\.\.\]"):
        evalkit.audit(
            sums,
            HAIKU,
            settings=evalkit.RunSettings(way="tool"),
            endpoint=endpoint_of(server),
            results=tmp_path,
        )
    assert server.requests == []


def test_a_way_that_there_is_not_is_refused_before_anything_is_asked(
    sums: evalkit.Benchmark, server: MessagesServer, tmp_path: Path
) -> None:
    with pytest.raises(evalkit.UsageError, match="way 'nosuch'"):
        evalkit.audit(
            sums,
            HAIKU,
            ways=["prefill", "nosuch"],  # type: ignore[list-item]
            endpoint=endpoint_of(server),
            results=tmp_path,
        )
    assert server.requests == []


def test_progress_is_said_on_standard_error_unless_it_is_not_wanted(
    sums: evalkit.Benchmark,
    server: MessagesServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    evalkit.audit(sums, OPUS, endpoint=endpoint_of(server), results=tmp_path)
    assert f"{OPUS}: prefill is left out: it takes no prefill" in capsys.readouterr().err
    evalkit.audit(sums, OPUS, endpoint=endpoint_of(server), results=tmp_path, progress=False)
    assert capsys.readouterr().err == ""
