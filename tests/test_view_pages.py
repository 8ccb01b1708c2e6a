"""Pages of the app: runs, comparisons, files to take away, and what can't be shown."""

from __future__ import annotations

import asyncio
import io
import json
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.benchmarks import load_benchmark
from evalkit.errors import UsageError
from evalkit.results import Run
from evalkit.runs.folder import JOURNAL, SUMMARY
from evalkit.testing.messages_server import MessagesServer
from evalkit.view.addresses import MOST_RUNS, Wanted, address_of, parse_margin, parse_wanted
from evalkit.view.builds import Builds
from evalkit.view.exports import ENDINGS
from evalkit.view.pages import build, mark_of
from evalkit.view.shelf import open_shelf
from tests.conftest import sums_answers, write_sums
from tests.gate_runs import BRIEF, HAIKU, make_run
from tests.view_server import Reply, ViewServer, copy_folder, view

OPUS = "claude-opus-4-5"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Two models on two benchmarks, and a run of another version of one of them."""
    folder = tmp_path_factory.mktemp("source")
    sums = load_benchmark(write_sums(folder / "sums.jsonl"))
    others = load_benchmark(write_sums(folder / "others.jsonl", 20))
    results = folder / "results"
    made = {}
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        made["haiku"] = make_run(server, sums, results, model=HAIKU)
        made["brief"] = make_run(server, sums, results, model=HAIKU, prompt=BRIEF)
        made["opus"] = make_run(server, sums, results, model=OPUS)
        made["other"] = make_run(server, others, results, model=HAIKU)
    return made


@pytest.fixture(scope="module")
def server(runs: dict[str, Run]) -> Iterator[ViewServer]:
    """An app over these runs, which no test changes."""
    with view(runs["haiku"].path.parent) as running:
        yield running


def read_lines(path: Path) -> list[str]:
    """The lines of a file."""
    return path.read_text().splitlines()


def compare(server: ViewServer, *runs: Run | str, **more: str) -> Reply:
    """The page that compares some runs."""
    names = [run if isinstance(run, str) else run.path.name for run in runs]
    query = "&".join([f"run={name}" for name in names] + [f"{k}={v}" for k, v in more.items()])
    return server.get(f"/compare?{query}")


def test_a_run_is_shown_by_its_report(server: ViewServer, runs: dict[str, Run]) -> None:
    reply = server.get(address_of(runs["haiku"].path.name))
    assert reply.status == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert f"{100 * (runs['haiku'].summary.mean or 0):.1f} %" in reply.text
    assert 'data-part="' in reply.text
    assert "How it went" in reply.text


def test_its_page_allows_its_own_scripts_and_no_others(
    server: ViewServer, runs: dict[str, Run]
) -> None:
    reply = server.get(address_of(runs["haiku"].path.name))
    policy = reply.headers["content-security-policy"]
    assert "script-src 'sha256-" in policy
    assert "style-src 'self' 'sha256-" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http-equiv" not in reply.text


def test_two_runs_are_compared_with_their_flipped_questions(
    server: ViewServer, runs: dict[str, Run]
) -> None:
    reply = compare(server, runs["haiku"], runs["opus"])
    assert reply.status == 200
    assert "points" in reply.text
    assert "Compared with" in reply.text
    assert 'id="question-flip"' in reply.text


def test_more_than_two_are_compared_with_each_other(
    server: ViewServer, runs: dict[str, Run]
) -> None:
    reply = compare(server, runs["haiku"], runs["opus"], runs["brief"])
    assert reply.status == 200
    assert reply.text.count('<input type="hidden" name="run"') == 3


def test_runs_of_several_benchmarks_are_told_apart(runs: dict[str, Run], tmp_path: Path) -> None:
    for name in ("haiku", "opus"):
        copy_folder(runs[name].path, tmp_path)
    folders = sorted(tmp_path.iterdir())
    folders.append(copy_folder(runs["other"].path, tmp_path))
    with view(tmp_path) as viewer:
        reply = compare(viewer, *[folder.name for folder in folders])
    assert reply.status == 200
    assert f">sums, {OPUS}</option>" in reply.text
    assert f">others, {HAIKU}</option>" in reply.text


def test_a_baseline_and_a_margin_give_a_verdict(server: ViewServer, runs: dict[str, Run]) -> None:
    reply = compare(
        server, runs["opus"], runs["haiku"], baseline=runs["haiku"].path.name, margin="20"
    )
    assert reply.status == 200
    assert re.search(r"No regression beyond|regressed|[Ii]nconclusive", reply.text)
    assert 'value="20"' in reply.text
    assert f'<option selected value="{runs["haiku"].path.name}">' in reply.text


@pytest.mark.parametrize(
    ("names", "more", "status", "words"),
    [
        ([], {}, 400, "a comparison takes at least 2 runs"),
        (["haiku"], {}, 400, "a comparison takes at least 2 runs"),
        (["haiku", "haiku"], {}, 400, "a comparison takes at least 2 runs"),
        (["haiku", "other"], {}, 400, "no two are of one benchmark"),
        (["haiku", "nothing"], {}, 404, "There is no such run here"),
        (["haiku", "../other"], {}, 404, "There is no such run here"),
        (["haiku", "opus"], {"baseline": "nothing"}, 404, "There is no such run here"),
        (["haiku", "opus"], {"margin": "x"}, 400, "margin &#39;x&#39;: expected points"),
        (["haiku", "opus"], {"margin": "50"}, 400, "expected points, more than 0 and less than"),
        (["haiku", "opus"], {"margin": "nan"}, 400, "expected points"),
        (["haiku", "other"], {"margin": "2"}, 400, "a margin is one between two runs"),
        ([f"x{n}" for n in range(MOST_RUNS + 1)], {}, 400, "21 runs: at most 20"),
    ],
)
def test_what_can_not_be_compared_is_said(
    server: ViewServer,
    runs: dict[str, Run],
    names: list[str],
    more: dict[str, str],
    status: int,
    words: str,
) -> None:
    chosen = [runs.get(name, name) for name in names]
    reply = compare(server, *chosen, **more)
    assert reply.status == status
    assert words in reply.text
    assert "Traceback" not in reply.text
    assert "All runs" in reply.text


def test_runs_on_other_questions_of_one_name_are_not_compared(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    results = tmp_path / "results"
    first = copy_folder(runs["haiku"].path, results)
    rows = [json.loads(line) for line in read_lines(write_sums(tmp_path / "sums.jsonl", 5))]
    for row in rows:
        row["question"] += " Say it."
    (tmp_path / "sums.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with MessagesServer() as server:
        other = make_run(server, load_benchmark(tmp_path / "sums.jsonl"), results)
    with view(results) as viewer:
        reply = compare(viewer, first.name, other)
    assert reply.status == 400
    assert "sums" in reply.text


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/run",
        "/run/",
        "/run/nothing",
        "/run/..",
        "/run/%2e%2e",
        "/run/../../etc/passwd",
        "/run/..%2f..%2fetc%2fpasswd",
        "/run/%2fetc%2fpasswd",
        "/run/%00",
        "/run/nothing%00",
        "/run/nothing/report",
        "/run/nothing/live",
        "/run/nothing/events",
        "/run/nothing/password",
        "/static/",
        "/static/nothing.css",
        "/static/../pages.py",
        "/static/..%2fpages.py",
        "/static/%2e%2e/pages.py",
        "/export/html",
        "/export/exe?run=x",
        "/export/html?run=nothing",
        "//etc/passwd",
        "/results/",
    ],
)
def test_nothing_else_is_served(server: ViewServer, path: str) -> None:
    reply = server.get(path)
    assert reply.status in (400, 404), reply.text
    assert "root:" not in reply.text
    assert "Traceback" not in reply.text


def test_no_file_of_a_run_is_served_as_it_is(server: ViewServer, runs: dict[str, Run]) -> None:
    name = runs["haiku"].path.name
    for path in (f"/run/{name}/{JOURNAL}", f"/run/{name}/manifest.json", f"/{name}/{JOURNAL}"):
        assert server.get(path).status == 404


def test_who_asks_for_the_head_of_events_gets_no_stream(
    server: ViewServer, runs: dict[str, Run]
) -> None:
    reply = server.get(address_of(runs["haiku"].path.name, "events"), method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-type"].startswith("text/event-stream")


def test_an_endless_address_is_refused(server: ViewServer) -> None:
    assert server.get(f"/run/{'x' * 60_000}").status in (400, 404)
    assert compare(server, *[f"{n:04}" for n in range(5000)]).status == 400


def test_styles_and_scripts_have_their_types(server: ViewServer) -> None:
    for name, kind in (("style.css", "css"), ("view.css", "css"), ("view.js", "javascript")):
        reply = server.get(f"/static/{name}")
        assert (reply.status, reply.headers["content-type"]) == (200, f"text/{kind}; charset=utf-8")


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_report_can_be_taken_away_in_every_format(
    server: ViewServer, runs: dict[str, Run], ending: str
) -> None:
    page = compare(server, runs["haiku"], runs["opus"]).text
    [address] = re.findall(rf'href="(/export/{ending[1:]}\?[^"]*)"', page)
    reply = server.get(address.replace("&amp;", "&"))
    assert reply.status == 200
    disposition = f'attachment; filename="evalkit-sums{ending}"'
    assert reply.headers["content-disposition"] == disposition
    if ending == ".xlsx":
        assert zipfile.ZipFile(io.BytesIO(reply.body)).testzip() is None
    elif ending == ".parquet":
        assert reply.body.startswith(b"PAR1")
        assert OPUS.encode() in reply.body
    else:
        assert OPUS in reply.text


def test_only_formats_whose_library_is_installed_are_offered(
    server: ViewServer, runs: dict[str, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "xlsxwriter" else find(name)
    )
    name = runs["brief"].path.name
    page = server.get(address_of(name)).text
    assert "/export/csv?" in page
    assert "/export/xlsx?" not in page
    assert server.get(f"/export/xlsx?run={name}").status == 404


def test_a_file_from_two_runs_that_can_not_be_compared_is_refused(
    server: ViewServer, runs: dict[str, Run]
) -> None:
    names = runs["haiku"].path.name, runs["other"].path.name
    assert server.get(f"/export/csv?run={names[0]}&run={names[1]}").status == 400


def test_a_page_that_was_built_is_sent_again_until_the_run_changes(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    folder = copy_folder(runs["haiku"].path, tmp_path)
    address = address_of(folder.name, "report")
    with view(tmp_path) as server:
        first = server.get(address).text
        began = time.process_time()
        assert server.get(address).text == first
        assert time.process_time() - began < 0.2
        lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
        (folder / JOURNAL).write_bytes(b"".join(lines[:20]))
        (folder / SUMMARY).unlink()
        second = server.get(address).text
    assert "n = 30" in first
    assert "n = 20" in second


def test_a_run_that_was_deleted_is_not_found_any_more(runs: dict[str, Run], tmp_path: Path) -> None:
    folder = copy_folder(runs["haiku"].path, tmp_path)
    with view(tmp_path) as server:
        assert server.get(address_of(folder.name)).status == 200
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        reply = server.get(address_of(folder.name))
    assert reply.status == 404
    assert "There is no such run here, or no longer." in reply.text


def test_a_run_that_vanishes_while_its_report_is_built_is_gone(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    from evalkit.view.pages import Gone

    folder = copy_folder(runs["haiku"].path, tmp_path)
    shelved = open_shelf(tmp_path).find(folder.name)
    assert shelved is not None
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with pytest.raises(Gone):
        build([shelved], Wanted(runs=(folder.name,)))


def test_a_damaged_journal_is_no_fault_of_the_server(runs: dict[str, Run], tmp_path: Path) -> None:
    folder = copy_folder(runs["haiku"].path, tmp_path)
    (folder / "questions.jsonl.gz").write_bytes(b"nothing")
    with view(tmp_path) as server:
        reply = server.get(address_of(folder.name))
    assert reply.status == 422
    assert "can&#39;t be read" in reply.text


def test_its_lock_does_not_make_a_report_old(runs: dict[str, Run], tmp_path: Path) -> None:
    folder = copy_folder(runs["haiku"].path, tmp_path)
    shelf = open_shelf(tmp_path)
    marks = []
    for _ in range(2):
        shelved = shelf.find(folder.name)
        assert shelved is not None
        marks.append(mark_of(shelved))
        (folder / ".lock").write_text("taken")
    assert marks[0] == marks[1]


HOSTILE = ["<script>alert(1)</script>", "</script><script>", "\u202e", "\ud800", "a\0b", "\"'><b>"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_replies_are_only_text(runs: dict[str, Run], tmp_path: Path, text: str) -> None:
    folder = copy_folder(runs["haiku"].path, tmp_path)
    rows = [json.loads(line) for line in read_lines(folder / JOURNAL)]
    for row in rows:
        row["response"]["text"] = row["response"]["model"] = text
    (folder / JOURNAL).write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    with view(tmp_path) as server:
        reply = server.get(address_of(folder.name))
        assert reply.status == 200
        for raw in ("<script>alert", "\0", "\u202e", "<b>"):
            assert raw not in reply.text
        for ending in ENDINGS:
            assert server.get(f"/export/{ending[1:]}?run={folder.name}").status == 200


def test_a_fault_of_ours_is_a_page_without_a_traceback(
    runs: dict[str, Run], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What goes wrong in a way that nobody has thought of."""
    folder = copy_folder(runs["haiku"].path, tmp_path)
    with view(tmp_path) as server:
        assert server.get("/").status == 200
        # A table where the manifest, whose id is right, should have a number.
        path = folder / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "max_output_tokens": {"a": 1}}))
        reply = server.get(address_of(folder.name, "report"))
    assert reply.status == 500
    assert "the terminal shows what" in reply.text
    assert "content-security-policy" in reply.headers
    assert "Error" not in reply.text
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.parametrize(("text", "margin"), [("", None), (" ", None), ("2", 0.02), ("0.5", 0.005)])
def test_a_margin_is_told_in_points(text: str, margin: float | None) -> None:
    assert parse_margin(text) == (None if margin is None else pytest.approx(margin))


def test_an_address_leads_back_to_what_it_was_made_of() -> None:
    from starlette.datastructures import QueryParams

    wanted = Wanted(runs=("a b", "c&d=e", "ü"), baseline="c&d=e", margin=0.015)
    query = QueryParams(wanted.query)
    assert parse_wanted(query.getlist("run"), query, fewest=2) == wanted
    with pytest.raises(UsageError):
        parse_wanted([], {}, fewest=1)


def test_what_is_asked_for_at_once_is_built_once() -> None:
    calls: list[int] = []
    gate = threading.Event()

    def make() -> int:
        calls.append(1)
        assert gate.wait(10)
        return 7

    async def ask() -> None:
        builds: Builds[int] = Builds(asyncio.Semaphore(2), most=2)
        asking = [asyncio.create_task(builds.get("a", make)) for _ in range(5)]
        await asyncio.sleep(0.05)
        asking[0].cancel()  # who goes away takes nothing from the others
        await asyncio.sleep(0)
        gate.set()
        assert await asyncio.gather(*asking[1:]) == [7] * 4
        assert await builds.get("a", make) == 7

    asyncio.run(ask())
    assert calls == [1]


def test_what_failed_is_tried_again_and_the_oldest_is_forgotten() -> None:
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        if name == "bad":
            raise UsageError("bad")
        return name

    async def ask() -> None:
        builds: Builds[str] = Builds(asyncio.Semaphore(1), most=2)
        for name in ("bad", "bad"):
            with pytest.raises(UsageError):
                await builds.get(name, lambda name=name: make(name))  # type: ignore[misc]
        for name in ("a", "b", "a", "c", "a", "b"):
            assert await builds.get(name, lambda name=name: make(name)) == name  # type: ignore[misc]

    asyncio.run(ask())
    assert made == ["bad", "bad", "a", "b", "c", "b"]


def test_a_report_that_is_being_built_keeps_nobody_from_ending() -> None:
    program = """
import asyncio, time
from evalkit.view.builds import Builds

async def ask():
    builds = Builds(asyncio.Semaphore(1), most=1)
    asking = asyncio.create_task(builds.get("a", lambda: time.sleep(60)))
    await asyncio.sleep(0.3)
    asking.cancel()

asyncio.run(ask())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
