"""Everything public can be called where an event loop is running already, as in a notebook."""

from __future__ import annotations

import asyncio
from pathlib import Path

import evalkit
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU
from tests.conftest import endpoint_of, sums_answers


def test_a_whole_session_within_a_running_loop(sums: evalkit.Benchmark, tmp_path: Path) -> None:
    """The other tasks of the loop go on while the asynchronous calls wait, and only then."""

    async def work(endpoint: evalkit.Endpoint) -> list[object]:
        settings = evalkit.RunSettings(way="prefill")
        run = evalkit.run(
            sums, HAIKU, settings=settings, endpoint=endpoint, results=tmp_path, progress=False
        )
        again = await evalkit.run_async(
            sums, HAIKU, settings=settings, endpoint=endpoint, results=tmp_path, progress=False
        )
        other = evalkit.run(
            sums,
            HAIKU,
            settings=evalkit.RunSettings(way="instructed"),
            endpoint=endpoint,
            results=tmp_path,
            progress=False,
        )
        planned = evalkit.plan(sums, HAIKU, settings=settings, endpoint=endpoint, results=tmp_path)
        planned_too = await evalkit.plan_async(
            sums, HAIKU, settings=settings, endpoint=endpoint, results=tmp_path
        )
        gate = evalkit.gate(
            run,
            settings=evalkit.RunSettings(way="instructed"),
            endpoint=endpoint,
            results=tmp_path / "gates",
            progress=False,
        )
        awaited = await evalkit.gate_async(
            run,
            settings=evalkit.RunSettings(way="instructed"),
            endpoint=endpoint,
            results=tmp_path / "gates",
            progress=False,
        )
        [pair] = evalkit.compare([run, other]).pairs
        report = evalkit.build_report([run, other])
        assert len(repr(run)) < 300, "a prompt shows it, not all that it holds"
        assert len(repr(evalkit.compare([run, other]))) < 300
        report.write(tmp_path / "report.md")
        return [
            again.summary == run.summary,
            planned.requests,
            planned_too == planned,
            gate.verdict == awaited.verdict,
            pair.accuracy.n,
            evalkit.load_run(run.path).is_complete,
            evalkit.verify_run(run.path).verdict,
            (tmp_path / "report.md").is_file(),
        ]

    with MessagesServer(answer=sums_answers(wrong_share=0.2)) as server:
        found = asyncio.run(work(endpoint_of(server)))
    assert found == [True, 0, True, True, 30, True, "sound", True]


def test_an_audit_within_a_running_loop(sums: evalkit.Benchmark, tmp_path: Path) -> None:
    async def work(endpoint: evalkit.Endpoint) -> list[evalkit.Audit]:
        plain = evalkit.audit(
            sums,
            HAIKU,
            ways=["prefill", "tool"],
            endpoint=endpoint,
            results=tmp_path,
            progress=False,
        )
        awaited = await evalkit.audit_async(
            sums,
            HAIKU,
            ways=["prefill", "tool"],
            endpoint=endpoint,
            results=tmp_path,
            progress=False,
        )
        return [plain, awaited]

    with MessagesServer(answer=sums_answers(wrong_share=0.2)) as server:
        plain, awaited = asyncio.run(work(endpoint_of(server)))
    assert plain.to_dict() == awaited.to_dict()
    assert plain.comparisons[0].accuracy.n == 30


def test_a_diagnosis_within_a_running_loop(tmp_path: Path) -> None:
    async def work(endpoint: evalkit.Endpoint) -> list[bool]:
        plain = evalkit.diagnose(endpoint=endpoint, results=tmp_path)
        awaited = await evalkit.diagnose_async(endpoint=endpoint, results=tmp_path)
        return [plain.can_ask_endpoint, awaited.can_ask_endpoint]

    with MessagesServer() as server:
        assert asyncio.run(work(endpoint_of(server))) == [True, True]


def test_a_check_within_a_running_loop(tmp_path: Path) -> None:
    file = tmp_path / "evalkit.toml"
    keys = f"benchmark = 'everyday', model = '{HAIKU}', limit = 5, threshold = 1, baseline = false"
    file.write_text(f"checks.one = {{ {keys} }}", encoding="utf-8")

    async def work(endpoint: evalkit.Endpoint) -> list[list[str]]:
        project = evalkit.load_project(file)
        plain = evalkit.check(project, endpoint=endpoint, progress=False)
        awaited = await evalkit.check_async(project, ["one"], endpoint=endpoint, progress=False)
        return [[str(each.status) for each in results] for results in (plain, awaited)]

    with MessagesServer() as server:
        plain, awaited = asyncio.run(work(endpoint_of(server)))
    assert plain == awaited
    assert len(plain) == 1
