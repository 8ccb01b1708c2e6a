"""The list of runs: what it says of each, in which order, and how fast."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark
from evalkit.results import Run, load_run
from evalkit.runs.folder import JOURNAL, MANIFEST, SUMMARY
from evalkit.testing.messages_server import MessagesServer
from evalkit.view.choosing import PAGE, parse_choice
from evalkit.view.listing import Listed, Listing
from evalkit.view.rendering import tame
from evalkit.view.shelf import open_shelf
from tests.gate_runs import make_run
from tests.view_server import copy_folder, copy_run, view, write_run


@pytest.fixture(scope="module")
def source(sums: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete run of thirty sums."""
    with MessagesServer() as server:
        return load_run(make_run(server, sums, tmp_path_factory.mktemp("source")).path)


@pytest.fixture
def results(source: Run, tmp_path: Path) -> Path:
    """A folder with that run."""
    copy_folder(source.path, tmp_path / "results")
    return tmp_path / "results"


def list_one(results: Path) -> Listed:
    """The only run in a folder."""
    [found] = Listing(open_shelf(results)).list_all()
    return found


def change(path: Path, **values: Any) -> None:
    """Change a file of JSON."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_complete_run_is_told_by_its_summary(results: Path, source: Run) -> None:
    found, summary = list_one(results), source.summary
    assert summary.accuracy is not None
    assert (found.name, found.state, found.problem) == (source.path.name, "complete", "")
    assert (found.benchmark, found.model, found.way) == ("sums", "claude-haiku-4-5", "prefill")
    assert (found.n, found.questions, found.accuracy) == (30, 30, summary.mean)
    assert (found.low, found.high) == (summary.accuracy.low, summary.accuracy.high)
    assert found.cost == source.cost
    assert found.created_at == source.manifest.created_at


def test_no_journal_is_read_for_it(results: Path, source: Run) -> None:
    journal = results / source.path.name / JOURNAL
    journal.write_bytes(b"no journal at all")
    assert list_one(results).accuracy == source.summary.mean


@pytest.mark.parametrize(
    ("age", "state"), [(0.0, "under way"), (100.0, "under way"), (130.0, "incomplete")]
)
def test_a_run_without_summary_is_under_way_as_long_as_it_grows(
    results: Path, source: Run, age: float, state: str
) -> None:
    folder = results / source.path.name
    (folder / SUMMARY).unlink()
    lines = (folder / JOURNAL).read_bytes().splitlines(keepends=True)
    (folder / JOURNAL).write_bytes(b"".join(lines[:12]))
    then = time.time() - age
    os.utime(folder / JOURNAL, (then, then))
    found = list_one(results)
    assert (found.state, found.accuracy, found.n) == (state, None, None)
    assert found.progress == pytest.approx(12 / 30, abs=0.01)


def test_a_run_without_a_reply_has_no_progress_to_tell(results: Path, source: Run) -> None:
    folder = results / source.path.name
    (folder / SUMMARY).unlink()
    for text in (b"", b'{"request": "torn'):
        (folder / JOURNAL).write_bytes(text)
        assert list_one(results).progress is None
    (folder / JOURNAL).unlink()
    assert list_one(results).progress is None


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        (MANIFEST, "{", "manifest.json can't be read: "),
        (MANIFEST, "[]", "manifest.json has format None"),
        (MANIFEST, '{"format": 9}', "manifest.json has format 9; "),
        (SUMMARY, "", "summary.json can't be read: "),
        (SUMMARY, "[1]", "summary.json can't be used: "),
        (SUMMARY, "{}", "summary.json can't be used: KeyError('run_id')"),
        (SUMMARY, '{"run_id": "0"}', "summary.json is that of another run"),
        (SUMMARY, f"{'[' * 100_000}", "summary.json can't be read: "),
    ],
)
def test_a_damaged_run_is_in_the_list_with_the_reason(
    results: Path, source: Run, name: str, text: str, reason: str
) -> None:
    (results / source.path.name / name).write_text(text)
    found = list_one(results)
    assert found.state == "damaged"
    assert found.problem.startswith(reason)


def test_what_is_left_of_a_run_is_damaged(results: Path, source: Run) -> None:
    (results / source.path.name / MANIFEST).unlink()
    found = list_one(results)
    assert (found.state, found.problem) == ("damaged", "it has no manifest.json")


def test_a_run_with_a_link_that_leads_out_is_damaged(results: Path, source: Run) -> None:
    name = source.path.name
    (results / name / "notes").symlink_to("/etc/passwd")
    assert list_one(results).problem.startswith("notes is a link that leads out")
    with view(results) as server:
        for path in (f"/run/{name}", f"/run/{name}/live", f"/compare?run={name}&run=x"):
            reply = server.get(path)
            assert (reply.status, "notes is a link" in reply.text) == (422, True)


def test_a_journal_that_is_none_has_no_progress(results: Path, source: Run) -> None:
    folder = results / source.path.name
    (folder / SUMMARY).unlink()
    (folder / JOURNAL).unlink()
    (folder / JOURNAL).mkdir()
    assert list_one(results).progress is None


def test_a_run_without_any_reply_has_no_accuracy(results: Path, source: Run) -> None:
    change(results / source.path.name / SUMMARY, mean=None, accuracy=None, n=0)
    found = list_one(results)
    assert (found.state, found.accuracy, found.low, found.n) == ("complete", None, None, 0)


def test_one_run_is_found_without_looking_at_the_others(results: Path, source: Run) -> None:
    listing = Listing(open_shelf(results))
    assert listing.find("nothing") is None
    assert listing.find(source.path.name) == listing.list_all()[0]


@pytest.mark.parametrize("value", ["<b>1</b>", [1], {"a": 1}, True])
def test_what_is_no_number_is_damage(results: Path, source: Run, value: object) -> None:
    change(results / source.path.name / SUMMARY, cost=value)
    assert list_one(results).state == "damaged"


def test_settings_that_were_changed_are_damage(results: Path, source: Run) -> None:
    path = results / source.path.name / MANIFEST
    identity = {**json.loads(path.read_text())["identity"], "model": "another"}
    change(path, identity=identity)
    assert "its settings don't give its run id" in list_one(results).problem


def test_what_changes_is_read_again(results: Path, source: Run) -> None:
    listing = Listing(open_shelf(results))
    [before] = listing.list_all()
    change(results / source.path.name / SUMMARY, cost=123.5)
    [after] = listing.list_all()
    assert (before.cost, after.cost) == (source.cost, 123.5)
    assert listing.list_all() == [after]


def test_what_is_gone_is_listed_no_more(results: Path, source: Run) -> None:
    listing = Listing(open_shelf(results))
    assert len(listing.list_all()) == 1
    for file in (results / source.path.name).iterdir():
        file.unlink()
    assert listing.list_all() == []


VERDICTS = {
    '{"verdict": null}': "",
    '{"verdict": "regressed"}': "regressed",
    '{"verdict": "<b>"}': "unreadable",
    '{"verdict": ["regressed"]}': "unreadable",
    "{}": "unreadable",
    "[]": "unreadable",
    "{": "unreadable",
}


@pytest.mark.parametrize("text", VERDICTS)
def test_a_gate_is_told_with_its_verdict(results: Path, source: Run, text: str) -> None:
    listing = Listing(open_shelf(results))
    assert listing.list_all()[0].gates == ()
    (results / source.path.name / "gate-0123456789ab.json").write_text(text)
    (results / source.path.name / "gate-0123456789ab.questions.jsonl.gz").touch()
    [found] = listing.list_all()
    assert (found.gates, found.state) == ((VERDICTS[text],), "complete")


def test_a_run_that_its_gate_has_stopped_is_not_incomplete(results: Path, source: Run) -> None:
    folder = results / source.path.name
    (folder / SUMMARY).unlink()
    record = folder / "gate-0123456789ab.json"
    record.write_text('{"verdict": "regressed"}')
    assert list_one(results).state == "stopped early"
    record.write_text('{"verdict": null}')
    assert list_one(results).state == "under way"
    record.write_text('{"verdict": "regressed"}')
    os.utime(record, (0, 0))  # of an earlier gate: the run has gone on since
    assert list_one(results).state == "under way"


def test_unusual_settings_tell_runs_apart(source: Run, tmp_path: Path) -> None:
    copy_run(source.path, tmp_path, shots=5, samples=3, orders="cyclic")
    assert list_one(tmp_path).details == "5 shots, 3 samples, orders cyclic"


ROWS = [
    Listed(name="a", state="complete", benchmark="exam", model="Opus", way="tool",
           created_at="2026-01-03", accuracy=0.5, n=10, cost=2.0),
    Listed(name="b", state="complete", benchmark="quiz", model="haiku", way="prefill",
           created_at="2026-01-02", accuracy=0.9, n=30, cost=None),
    Listed(name="c", state="under way", benchmark="exam", model="haiku", way="prefill",
           created_at="2026-01-01", details="5 shots"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, "abc"),
        ({"benchmark": "exam"}, "ac"),
        ({"benchmark": "exam", "model": "haiku"}, "c"),
        ({"benchmark": ""}, "abc"),
        ({"way": "prefill"}, "bc"),
        ({"state": "complete"}, "ab"),
        ({"state": "lost"}, ""),
        ({"text": "OPUS"}, "a"),
        ({"text": "haiku exam"}, "c"),
        ({"text": "shots"}, "c"),
        ({"text": "nothing"}, ""),
        ({"sort": "date"}, "cba"),
        ({"sort": "-accuracy"}, "bac"),
        ({"sort": "accuracy"}, "abc"),
        ({"sort": "-n"}, "bac"),
        ({"sort": "cost"}, "abc"),
        ({"sort": "model"}, "bca"),
        ({"sort": "-model"}, "abc"),
        ({"sort": "password"}, "abc"),
        ({"sort": "-password"}, "abc"),
        ({"page": "-1"}, "abc"),
        ({"page": "x"}, "abc"),
        ({"page": "9" * 5000}, "abc"),
    ],
)
def test_runs_are_chosen_and_sorted_as_the_address_says(query: dict[str, str], names: str) -> None:
    choice = parse_choice(query)
    assert "".join(row.name for row in choice.cut(choice.select(ROWS))) == names


def test_a_heading_sorts_and_then_turns_the_order() -> None:
    choice = parse_choice({"benchmark": "exam", "page": "3"})
    assert choice.link(sort="accuracy") == "/?benchmark=exam&sort=-accuracy"
    assert choice.link(sort="model") == "/?benchmark=exam&sort=model"
    assert choice.link(sort="date") == "/?benchmark=exam&sort=date"
    assert parse_choice({"sort": "date"}).link(sort="date") == "/"


def test_many_runs_come_in_pages() -> None:
    rows = [replace(ROWS[0], name=f"{n:04}", created_at=f"{n:04}") for n in range(PAGE + 2)]
    choice = parse_choice({"sort": "date", "page": "2"})
    assert [row.name for row in choice.cut(choice.select(rows))] == ["0500", "0501"]
    assert choice.link(page=2) == "/?sort=date&page=2"


@pytest.fixture(scope="module")
def many(source: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five hundred runs, one of which has ended without a summary."""
    results = tmp_path_factory.mktemp("many")
    manifest = source.manifest
    for seed in range(499):
        copy_run(source.path, results, seed=seed, model=f"model-{seed % 7}")
    write_run(results, replace(manifest, identity=replace(manifest.identity, seed=500)), None)
    return results


def test_five_hundred_runs_are_listed_within_two_seconds_of_cpu(many: Path) -> None:
    began = time.process_time()
    rows = Listing(open_shelf(many)).list_all()
    assert (len(rows), time.process_time() - began < 2) == (500, True)


@pytest.fixture(scope="module")
def page(many: Path) -> Iterator[str]:
    """The list of them."""
    with view(many) as server:
        yield server.get("/").text


def test_the_page_lists_all_of_them(page: str) -> None:
    assert page.count('name="run"') == 500
    assert "500 of 500 runs" in page
    assert page.count("<option") >= 7


def test_the_page_can_be_asked_for_some(many: Path) -> None:
    with view(many) as server:
        reply = server.get("/?model=model-3&sort=-accuracy")
    assert "71 of 500 runs" in reply.text
    assert '<option selected value="model-3">' in reply.text
    assert 'aria-sort="descending"' in reply.text


def test_a_choice_that_nothing_meets_says_so(many: Path) -> None:
    with view(many) as server:
        assert "No run is like that." in server.get("/?text=nothing-like-it").text


def test_an_empty_folder_says_how_to_fill_it(tmp_path: Path) -> None:
    with view(tmp_path) as server:
        reply = server.get("/")
    assert reply.status == 200
    assert "evalkit run everyday" in reply.text


def test_a_damaged_run_is_shown_with_the_reason_and_can_not_be_chosen(
    results: Path, source: Run
) -> None:
    (results / source.path.name / MANIFEST).write_text("{")
    with view(results) as server:
        text = server.get("/").text
        page = server.get(f"/run/{source.path.name}")
    assert "manifest.json can&#39;t be read" in text
    assert 'name="run"' not in text
    assert page.status == 422
    assert "can&#39;t be read" in page.text


def test_templates_print_nothing_for_nothing() -> None:
    assert (tame(None), tame("a\0b"), tame("a\nb"), tame(7)) == ("", "a\ufffdb", "a\nb", 7)


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1); '",
    "{{ 7 * 191 }}",
    "a\0b",
    "\u202egnp.exe",
    "\ud800 half",
    "line\nbreak\x1b[2J",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_only_text(source: Run, tmp_path: Path, text: str) -> None:
    folder = copy_run(source.path, tmp_path, model=text, benchmark=text)
    with view(tmp_path) as server:
        for path in (
            "/",
            f"/run/{folder.name}/live",
            f"/?model={'%3Cscript%3E'}&text=%22%3E%3Cb%3E",
        ):
            reply = server.get(path)
            assert reply.status == 200
            for raw in ("<script>alert", "<img", "<b>", "1337", "\0", "\u202e", "\x1b"):
                assert raw not in reply.text.replace(folder.name, "")


@pytest.mark.parametrize(
    "name", ["a b", "a%2fb", "<b>", "'\"&", "über", "--x--", "%", "?x=1", "#x", "a\\b", "\u202ex"]
)
def test_whatever_its_folder_is_called_a_run_can_be_opened(
    source: Run, tmp_path: Path, name: str
) -> None:
    copy_run(source.path, tmp_path).rename(tmp_path / name)
    with view(tmp_path) as server:
        page = server.get("/").text
        [address] = [
            part.partition('"')[0] for part in page.split('href="') if part.startswith("/run/")
        ]
        assert server.get(f"{address}/live").status == 200
