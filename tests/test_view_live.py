"""Runs and gates that are watched while they go on: each row is read once, and told at once."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark
from evalkit.errors import RunError, RunFormatError
from evalkit.evaluation import run
from evalkit.gate_records import replay_run
from evalkit.gating import gate
from evalkit.requests import Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.results import Run, load_run
from evalkit.runs.folder import BATCHES, JOURNAL, SUMMARY
from evalkit.runs.journal import JournalReader, JournalRow, decode_row, encode_line
from evalkit.settings import RunSettings
from evalkit.stats.intervals import wilson_interval
from evalkit.stats.sequential import GateTerms
from evalkit.testing.messages_faults import first_attempts, overloaded
from evalkit.testing.messages_server import MessagesServer
from evalkit.view.events import pause_of, stream_events
from evalkit.view.live import MOST_WATCHED, LiveRun, Watchtower
from evalkit.view.live_counts import MOST_POINTS, LiveCounts
from evalkit.view.live_gates import PATIENCE_SECONDS, LiveGate, thin
from evalkit.view.shelf import open_shelf
from evalkit.view.tail import Tail
from tests.conftest import QUICK, endpoint_of, sums_answers
from tests.gate_runs import BRIEF, Answers, load_sums, make_run
from tests.view_server import copy_folder, view

OUTCOMES = ("correct", "wrong", "unparsed", "refused", "truncated", "failed")


@pytest.fixture(scope="module")
def source(sums: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete run of thirty sums, of which some are wrong."""
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        return load_run(make_run(server, sums, tmp_path_factory.mktemp("source")).path)


@pytest.fixture
def begun(source: Run, tmp_path: Path) -> Path:
    """The same run before its first reply."""
    folder = copy_folder(source.path, tmp_path / "results")
    (folder / SUMMARY).unlink()
    (folder / JOURNAL).write_bytes(b"")
    return folder


def lines_of(run: Run) -> list[bytes]:
    """A journal, line by line."""
    return (run.path / JOURNAL).read_bytes().splitlines(keepends=True)


def append(folder: Path, data: bytes) -> None:
    """What a run does to its journal."""
    with (folder / JOURNAL).open("ab") as file:
        file.write(data)


def look(folder: Path) -> dict[str, Any]:
    """What is told of a run by one who has just come."""
    facts = Watchtower(open_shelf(folder.parent)).look(folder.name)
    assert facts is not None
    return facts


def read_all(tail: Tail, most_bytes: int = 1 << 20) -> list[JournalRow]:
    """What is new in a journal."""
    return list(tail.read(most_bytes))


def test_each_row_is_read_once(source: Run, begun: Path) -> None:
    tail, lines = Tail(begun / JOURNAL), lines_of(source)
    assert read_all(tail) == []
    append(begun, b"".join(lines[:3]))
    assert len(read_all(tail)) == 3
    assert read_all(tail) == []
    append(begun, b"".join(lines[3:]))
    assert len(read_all(tail)) == 27
    assert tail.offset == (begun / JOURNAL).stat().st_size


def test_a_torn_line_is_left_until_it_is_whole(source: Run, begun: Path) -> None:
    tail, lines = Tail(begun / JOURNAL), lines_of(source)
    append(begun, lines[0] + lines[1][:40])
    assert len(read_all(tail)) == 1
    assert read_all(tail) == []
    append(begun, lines[1][40:-1])
    assert read_all(tail) == []
    append(begun, b"\n")
    [row] = read_all(tail)
    assert encode_line(row) + b"\n" == lines[1]
    assert (tail.garbled, tail.is_replaced) == (0, False)


def test_a_torn_line_that_is_cut_off_was_never_read(source: Run, begun: Path) -> None:
    tail, lines = Tail(begun / JOURNAL), lines_of(source)
    append(begun, lines[0] + lines[1][:40])
    read_all(tail)
    os.truncate(begun / JOURNAL, len(lines[0]))
    append(begun, lines[2])
    [row] = read_all(tail)
    assert encode_line(row) + b"\n" == lines[2]


def test_a_line_that_is_no_row_is_passed_over(source: Run, begun: Path) -> None:
    tail, lines = Tail(begun / JOURNAL), lines_of(source)
    append(begun, lines[0] + b"{}\n\xff\n\n" + lines[1])
    assert len(read_all(tail)) == 2
    assert tail.garbled == 3


def test_a_long_journal_is_read_in_pieces(source: Run, begun: Path) -> None:
    tail, lines = Tail(begun / JOURNAL), lines_of(source)
    append(begun, b"".join(lines))
    sizes: list[int] = []
    while not sizes or tail.is_behind:
        sizes.append(len(read_all(tail, most_bytes=4 * len(lines[0]))))
    assert sum(sizes) == 30
    assert max(sizes) <= 5


def test_a_journal_that_was_replaced_is_noticed(source: Run, begun: Path) -> None:
    tail, lines = Tail(begun / JOURNAL), lines_of(source)
    append(begun, lines[0] + lines[1])
    read_all(tail)
    os.truncate(begun / JOURNAL, 5)
    assert read_all(tail) == []
    assert tail.is_replaced


def test_a_journal_that_is_gone_is_noticed(source: Run, begun: Path) -> None:
    tail = Tail(begun / JOURNAL)
    (begun / JOURNAL).unlink()
    assert (read_all(tail), tail.is_replaced) == ([], False)
    append(begun, lines_of(source)[0])
    assert len(read_all(tail)) == 1
    (begun / JOURNAL).unlink()
    assert (read_all(tail), tail.is_replaced) == ([], True)


def test_the_numbers_at_the_end_are_those_of_the_report(source: Run) -> None:
    counts = LiveCounts(source.manifest, source.questions)
    for row in JournalReader(source.path / JOURNAL):
        counts.add(row)
    summary = source.summary
    assert {name: counts.outcomes[name] for name in OUTCOMES} == {
        name: getattr(summary, name) for name in OUTCOMES
    }
    assert counts.accuracy == summary.accuracy
    assert counts.cost == pytest.approx(source.cost)
    assert (counts.done, counts.wanted) == (30, 30)


SETTINGS: dict[str, dict[str, Any]] = {
    "samples": {"samples": 3, "temperature": 1.0},
    "orders": {"orders": "cyclic"},
    "without texts": {"keep_text": False},
    "structured": {"way": "structured", "model": "claude-opus-4-6"},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_numbers_are_right_whatever_was_asked_how_often(
    sums: Benchmark, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        found = load_run(make_run(server, sums, tmp_path, **settings).path)
    counts = LiveCounts(found.manifest, found.questions)
    for row in JournalReader(found.path / JOURNAL):
        counts.add(row)
    accuracy = counts.accuracy
    assert accuracy is not None
    assert accuracy.estimate == pytest.approx(found.summary.mean)
    assert accuracy.n == found.summary.asked
    assert counts.outcomes["correct"] == found.summary.correct
    assert counts.wanted == found.summary.wanted


def make_row(source: Run, number: int, text: str | None, **fields: Any) -> JournalRow:
    """A row by hand; without a text it is a failure."""
    result: Response | RequestFailure = RequestFailure(kind="overloaded", message="<b>busy</b>")
    if text is not None:
        usage = Usage(input_tokens=10, output_tokens=1)
        result = Response(text=text, stop_reason="end_turn", model="m", usage=usage)
    way: Way = "instructed"
    return JournalRow(
        **{
            "request_id": f"r{number}",
            "question_id": source.questions[number].id,
            "way": way,
            "result": result,
            **fields,
        }
    )


def test_a_failure_that_was_made_good_counts_no_more(source: Run) -> None:
    counts = LiveCounts(source.manifest, source.questions)
    counts.add(make_row(source, 0, None))
    assert (counts.outcomes["failed"], counts.asked, counts.accuracy) == (1, 0, None)
    assert counts.failures["overloaded", "<b>busy</b>"] == 1
    counts.add(make_row(source, 0, "A", attempts=3))
    assert (counts.outcomes["failed"], counts.outcomes["correct"]) == (0, 1)
    assert counts.failures.total() == 0
    assert (counts.asked, counts.repeated) == (1, 2)


def test_a_reply_that_was_asked_for_again_counts_once(source: Run) -> None:
    counts = LiveCounts(source.manifest, source.questions)
    counts.add(make_row(source, 0, "no idea"))
    assert counts.outcomes["unparsed"] == 1
    counts.add(make_row(source, 0, "A", request_id="again", is_retake=True))
    assert (counts.outcomes["unparsed"], counts.outcomes["correct"], counts.asked) == (0, 1, 1)


def test_rows_of_no_question_are_passed_over(source: Run) -> None:
    counts = LiveCounts(source.manifest, source.questions)
    counts.add(make_row(source, 0, "A", question_id="nothing"))
    counts.add(make_row(source, 0, "A", sample_index=7))
    assert (counts.done, counts.asked) == (0, 0)


def test_the_course_keeps_few_points_and_ends_with_the_last(tmp_path: Path) -> None:
    with MessagesServer() as server:
        found = make_run(server, load_sums(tmp_path, 1200), tmp_path / "results", concurrency=64)
    counts = LiveCounts(found.manifest, found.questions)
    for row in JournalReader(found.path / JOURNAL):
        counts.add(row)
    numbers = [point[0] for point in counts.history]
    assert MOST_POINTS / 2 <= len(numbers) < 2 * MOST_POINTS
    assert numbers == sorted(set(numbers))
    assert numbers[-1] > 1150
    widths = [high - low for _, _, low, high in counts.history]
    assert widths[-1] < widths[0] / 5


def test_seconds_that_are_long_past_are_forgotten(source: Run) -> None:
    counts = LiveCounts(source.manifest, source.questions)
    for number in range(500):
        counts.add(make_row(source, number % 30, None, finished_at=float(number)))
    assert len(counts._seconds) <= 121
    assert counts.rate(500.0) == pytest.approx(1.0, abs=0.05)


def test_the_rate_is_that_of_late(source: Run) -> None:
    counts = LiveCounts(source.manifest, source.questions)
    assert counts.rate(0.0) == 0
    for number in range(20):
        counts.add(make_row(source, number, "A", finished_at=1000.0 + number))
    assert counts.rate(1020.0) == pytest.approx(1.0)
    assert counts.rate(1040.0) == pytest.approx(10 / 30)
    assert counts.rate(2000.0) == 0


def test_what_is_told_grows_with_the_journal(source: Run, begun: Path) -> None:
    tower, lines = Watchtower(open_shelf(begun.parent)), lines_of(source)
    nothing = tower.look(begun.name)
    assert nothing is not None
    assert nothing["texts"]["accuracy"] == "-"
    assert (nothing["share"], nothing["history"], nothing["over"]) == (0.0, [], False)
    append(begun, b"".join(lines[:10]))
    some = tower.look(begun.name)
    assert some is not None
    assert some["texts"]["done"] == "10 of 30 replies"
    assert some["texts"]["state"] == "under way"
    assert some["history"][-1][0] == 10
    correct = dict(some["outcomes"])["correct"]
    interval = wilson_interval(correct, 10)
    assert some["history"][-1][1:] == [
        round(share, 4) for share in (interval.estimate, interval.low, interval.high)
    ]
    append(begun, b"".join(lines[10:]))
    (begun / SUMMARY).write_bytes((source.path / SUMMARY).read_bytes())
    whole = tower.look(begun.name)
    assert whole is not None
    assert (whole["over"], whole["share"], whole["texts"]["state"]) == (True, 1.0, "complete")


def test_a_run_that_says_nothing_any_more_is_told_as_such(source: Run, begun: Path) -> None:
    append(begun, lines_of(source)[0])
    then = time.time() - 3600
    os.utime(begun / JOURNAL, (then, then))
    words = "nothing has come for 60 minutes: "
    assert look(begun)["texts"]["state"] == f"{words}interrupted: the same command goes on"
    (begun / BATCHES).touch()
    state = look(begun)["texts"]["state"]
    assert state == f"{words}a batch is not back yet, or it was interrupted"


def test_a_run_whose_last_requests_failed_says_that_it_can_go_on(source: Run, begun: Path) -> None:
    lines = lines_of(source)
    last = decode_row(lines[-1])
    failed = replace(last, result=RequestFailure(kind="overloaded", message="<b>busy</b>"))
    append(begun, b"".join(lines[:-1]) + encode_line(failed) + b"\n")
    facts = look(begun)
    assert facts["texts"]["state"] == "all asked, 1 failed: the same command goes on"
    assert facts["failures"] == [["overloaded", "<b>busy</b>", "1"]]
    assert not facts["over"]


def test_a_run_without_a_journal_has_begun(begun: Path) -> None:
    (begun / JOURNAL).unlink()
    assert look(begun)["texts"]["state"] == "begun: no reply yet"


def test_who_comes_late_is_told_that_there_is_much_to_read(
    source: Run, begun: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalkit.view.live.MOST_BYTES", 1000)
    append(begun, b"".join(lines_of(source)))
    (begun / SUMMARY).write_bytes((source.path / SUMMARY).read_bytes())
    tower = Watchtower(open_shelf(begun.parent))
    told: list[dict[str, Any]] = []
    while not told or told[-1]["behind"]:
        facts = tower.look(begun.name)
        assert facts is not None
        told.append(facts)
    assert told[0]["texts"]["state"] == "reading what has come so far"
    assert [facts["over"] for facts in told] == [False] * (len(told) - 1) + [True]


def test_a_journal_that_can_not_be_read_any_more_is_told(source: Run, begun: Path) -> None:
    tower = Watchtower(open_shelf(begun.parent))
    append(begun, lines_of(source)[0])
    tower.look(begun.name)
    (begun / JOURNAL).unlink()
    (begun / JOURNAL).mkdir()
    with pytest.raises(RunError, match=r"responses\.jsonl can't be read: Is a directory"):
        tower.look(begun.name)
    (begun / JOURNAL).rmdir()
    append(begun, b"".join(lines_of(source)[:3]))
    facts = tower.look(begun.name)
    assert facts is not None
    assert facts["texts"]["done"] == "3 of 30 replies"


def test_a_replaced_journal_is_counted_anew(source: Run, begun: Path) -> None:
    tower, lines = Watchtower(open_shelf(begun.parent)), lines_of(source)
    append(begun, b"".join(lines[:20]))
    tower.look(begun.name)
    (begun / JOURNAL).write_bytes(b"".join(lines[:4]))
    facts = tower.look(begun.name)
    assert facts is not None
    assert facts["texts"]["done"] == "4 of 30 replies"


def test_those_who_watch_one_run_share_what_was_read(source: Run, begun: Path) -> None:
    tower = Watchtower(open_shelf(begun.parent))
    append(begun, b"".join(lines_of(source)))
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(tower.look, [begun.name] * 40))
    assert {facts["texts"]["done"] for facts in told if facts} == {"30 of 30 replies"}


def test_not_many_runs_are_kept_in_memory(source: Run, tmp_path: Path) -> None:
    names = []
    for number in range(MOST_WATCHED + 2):
        folder = copy_folder(source.path, tmp_path)
        names.append(folder.rename(tmp_path / f"run {number}").name)
    tower = Watchtower(open_shelf(tmp_path))
    for name in names:
        tower.look(name)
    assert len(tower._runs) == MOST_WATCHED


def test_memory_stays_flat_however_long_the_replies(source: Run, begun: Path) -> None:
    row = next(iter(JournalReader(source.path / JOURNAL)))
    assert isinstance(row.result, Response)
    shelf = open_shelf(begun.parent)
    shelved = shelf.find(begun.name)
    assert shelved is not None
    live = LiveRun(shelved=shelved)
    line = encode_line(replace(row, result=replace(row.result, text="x" * 100_000))) + b"\n"
    for _ in range(3):
        append(begun, 40 * line)
        live.refresh(shelved)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(5):
        append(begun, 40 * line)
        live.refresh(shelved)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 100_000
    assert peak - before < 5_000_000


def listen(server: Any, name: str) -> tuple[threading.Thread, list[dict[str, Any]]]:
    """Follow a run in a thread, until the telling ends."""
    told: list[dict[str, Any]] = []

    def follow() -> None:
        told.extend(server.follow(name))

    thread = threading.Thread(target=follow)
    thread.start()
    return thread, told


def wait_for_run(results: Path, known: tuple[str, ...] = ()) -> str:
    """The name of a run that has begun."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        names = [p.parent.name for p in results.glob(f"*/{JOURNAL}") if p.parent.name not in known]
        if names:
            return names[0]
        time.sleep(0.01)
    raise AssertionError("no run has begun")


def test_a_run_is_followed_to_its_end(sums: Benchmark, tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    answer = sums_answers(wrong_share=0.2)
    faults = first_attempts(overloaded(), every=5)
    with (
        MessagesServer(answer=answer, latency_seconds=0.1, faults=faults) as server,
        view(results) as viewer,
    ):
        done: list[Run] = []

        def ask() -> None:
            settings = RunSettings(retries=QUICK, concurrency=3)
            done.append(
                run(sums, "claude-haiku-4-5", settings=settings, endpoint=endpoint_of(server),
                    results=results, progress=False)
            )  # fmt: skip

        asking = threading.Thread(target=ask)
        asking.start()
        name = wait_for_run(results)
        assert viewer.get(f"/run/{name}").text.count('data-follow="yes"') == 1
        listening, told = listen(viewer, name)
        asking.join(timeout=60)
        listening.join(timeout=10)
        assert not listening.is_alive()
        page = viewer.get(f"/run/{name}").text
    shares = [facts["share"] for facts in told]
    assert shares == sorted(shares)
    assert len(set(shares)) >= 3, "it was told in steps"
    assert [facts["over"] for facts in told].count(True) == 1
    last, summary = told[-1], done[0].summary
    assert last["over"]
    assert last["texts"]["correct"] == str(summary.correct)
    assert last["texts"]["accuracy"] == f"{100 * (summary.mean or 0):.1f} %"
    assert int(last["texts"]["repeated"]) > 0
    widths = [f["history"][-1][3] - f["history"][-1][2] for f in told if f["history"]]
    assert widths[-1] < widths[0]
    assert 'data-follow="yes"' not in page


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Run, list[Any]]]:
    """A gate that was followed: folder of runs, its candidate, and what was told of it."""
    folder = tmp_path_factory.mktemp("gated")
    results, count = folder / "results", 150
    benchmark = load_sums(folder, count)
    answers = Answers(wrong={"": range(0, count, 5), "Be brief.": range(0, count, 5)})
    with MessagesServer(answer=answers) as server, view_when_there(results) as open_view:
        baseline = make_run(server, benchmark, results, concurrency=32)
        server.latency_seconds = 0.03
        with open_view() as viewer:
            settings = RunSettings(retries=QUICK, concurrency=4)

            def ask() -> None:
                gate(baseline, prompt=BRIEF, settings=settings, terms=GateTerms(margin=0.1),
                     endpoint=endpoint_of(server), results=results, progress=False)  # fmt: skip

            asking = threading.Thread(target=ask)
            asking.start()
            name = wait_for_run(results, known=(baseline.path.name,))
            told = []
            for facts in viewer.follow(name):
                told.append(facts)
                if facts["gates"] and facts["gates"][0].get("verdict"):
                    break
            asking.join(timeout=60)
            told.append(Watchtower(open_shelf(results)).look(name))
    yield results, load_run(results / name), told


def view_when_there(results: Path) -> Any:
    """A view that is opened later; the folder has to be there by then."""
    from contextlib import nullcontext

    return nullcontext(lambda: view(results))


def test_a_gate_is_told_while_it_goes_on(gated: tuple[Path, Run, list[Any]]) -> None:
    _, _, told = gated
    used = [facts["gates"][0]["used"] for facts in told if facts["gates"]]
    assert used == sorted(used)
    assert len(set(used)) >= 3, "it was told in steps"
    first = next(facts["gates"][0] for facts in told if facts["gates"])
    assert first["sentence"].startswith("No verdict yet. ")
    assert first["pass_limit"] == first["fail_limit"] == pytest.approx(2.9957, abs=1e-4)


def test_what_is_told_at_its_end_is_what_its_record_says(
    gated: tuple[Path, Run, list[Any]],
) -> None:
    _, candidate, told = gated
    [found] = replay_run(candidate.path)
    last, record = told[-1]["gates"][0], found.record
    assert last["verdict"] == str(record.verdict) == "no regression beyond delta"
    assert last["used"] == record.used
    assert last["texts"]["asked"] == str(record.asked)
    assert last["texts"]["losses"] == str(record.losses)
    assert last["pass"][-1][1] == record.trace[0][-1]
    assert last["fail"][-1][1] == record.trace[1][-1]
    assert last["pass"][-1][1] >= last["pass_limit"]


def test_a_damaged_record_is_told_and_the_run_is_shown_nevertheless(
    gated: tuple[Path, Run, list[Any]], tmp_path: Path
) -> None:
    _, candidate, _ = gated
    folder = copy_folder(candidate.path, tmp_path)
    [record] = folder.glob("gate-*.json")
    for text in ("{", "[]", '{"format": 2}', '{"format": 2, "seed": "zz", "id": "<b>"}'):
        record.write_text(text)
        tower = Watchtower(open_shelf(tmp_path))
        for _ in range(2):
            facts = tower.look(folder.name)
            assert facts is not None
            assert "can't be" in facts["gates"][0]["problem"], text
            assert facts["texts"]["accuracy"] != "-"
    [lot] = folder.glob("gate-*.questions.jsonl.gz")
    record.write_bytes(next(candidate.path.glob("gate-*.json")).read_bytes())
    lot.unlink()
    assert "has lost the questions of its gate" in look(folder)["gates"][0]["problem"]


VERDICTS = {
    "invalid": ("question q1: broken", "Invalid: a request failed for good"),
    "inconclusive": ("budget", "Inconclusive after 10 of 150 questions (budget)"),
}


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_that_no_score_tells_is_that_of_the_record(
    gated: tuple[Path, Run, list[Any]], tmp_path: Path, verdict: str
) -> None:
    _, candidate, _ = gated
    folder = copy_folder(candidate.path, tmp_path)
    [record] = folder.glob("gate-*.json")
    reason, words = VERDICTS[verdict]
    table = json.loads(record.read_text())
    watch = LiveGate(record, counts_of(candidate)).watch
    rows = {row.question_id: encode_line(row) for row in JournalReader(folder / JOURNAL)}
    (folder / JOURNAL).write_bytes(b"".join(rows[name] + b"\n" for name in watch.ids[:10]))
    record.write_text(json.dumps({**table, "sequential_verdict": verdict, "reason": reason}))
    facts = look(folder)
    assert facts["gates"][0]["sentence"].startswith(words)
    assert (facts["gates"][0]["used"], facts["over"]) == (10, True)
    assert facts["texts"]["state"] == "stopped by its gate"
    assert (facts["history"], facts["texts"]["interval"]) == ([], "n = 10")


def counts_of(run: Run) -> LiveCounts:
    """What has come of a run."""
    counts = LiveCounts(run.manifest, run.questions)
    for row in JournalReader(run.path / JOURNAL):
        counts.add(row)
    return counts


def test_a_gate_waits_for_a_reply_that_was_cut_off_to_be_asked_for_again(
    gated: tuple[Path, Run, list[Any]],
) -> None:
    _, candidate, _ = gated
    counts = LiveCounts(candidate.manifest, candidate.questions)
    gate = LiveGate(next(candidate.path.glob("gate-*.json")), counts)
    by_id = {row.question_id: row for row in JournalReader(candidate.path / JOURNAL)}
    first, second = (replace(by_id[name], way="instructed") for name in gate.watch.ids[:2])
    assert isinstance(first.result, Response)
    cut = replace(first.result, text="I think that", stop_reason="max_tokens")
    counts.add(replace(first, result=cut))
    counts.add(second)
    used = []
    for now in (0.0, 30.0, PATIENCE_SECONDS + 1):
        gate.advance(now, is_over=False)
        used.append(gate.watch.gate.answered)
    assert used == [0, 0, 2]
    assert gate.describe() is gate.describe()
    again = LiveGate(next(candidate.path.glob("gate-*.json")), counts)
    again.advance(0.0, is_over=True)
    assert again.watch.gate.answered == 2


def test_a_gate_that_has_its_verdict_takes_no_more_unless_it_was_to_ask_all(
    gated: tuple[Path, Run, list[Any]], tmp_path: Path
) -> None:
    results, candidate, _ = gated
    folder = copy_folder(candidate.path, tmp_path)
    baseline = next(p for p in results.iterdir() if p.name != candidate.path.name)
    rows = {row.question_id: row for row in JournalReader(candidate.path / JOURNAL)}
    others = [row for row in JournalReader(baseline / JOURNAL) if row.question_id not in rows]
    append(folder, b"".join(encode_line(row) + b"\n" for row in others))
    [record] = folder.glob("gate-*.json")
    used = [look(folder)["gates"][0]["used"]]
    record.write_text(json.dumps({**json.loads(record.read_text()), "asks_all": True}))
    used.append(look(folder)["gates"][0]["used"])
    assert used[0] < used[1] == 150


def test_few_points_of_a_long_course_are_told() -> None:
    assert thin([], 10) == []
    assert thin([1.0], 10) == [(1, 1.0)]
    found = thin([float(n) for n in range(10_000)], 300)
    assert len(found) <= 301
    assert (found[0], found[-1]) == ((1, 0.0), (10_000, 9999.0))


def test_a_run_that_is_deleted_while_it_is_watched_ends_the_telling(
    source: Run, begun: Path
) -> None:
    append(begun, lines_of(source)[0])
    with view(begun.parent) as viewer:
        listening, told = listen(viewer, begun.name)
        time.sleep(0.2)
        for file in begun.iterdir():
            file.unlink()
        begun.rmdir()
        listening.join(timeout=10)
        assert not listening.is_alive()
        assert told[-1] == {"problem": "The folder of this run is gone."}
        assert viewer.get(f"/run/{begun.name}/events").status == 404
        assert viewer.get(f"/run/{begun.name}").status == 404


def test_a_run_that_can_not_be_read_ends_the_telling(begun: Path) -> None:
    (begun / "questions.jsonl.gz").write_bytes(b"nothing")
    with view(begun.parent) as viewer:
        [facts] = viewer.follow(begun.name)
    assert "can't be read" in facts["problem"]


def test_the_server_ends_while_somebody_listens(source: Run, begun: Path) -> None:
    append(begun, lines_of(source)[0])
    with view(begun.parent) as viewer:
        listening, told = listen(viewer, begun.name)
        time.sleep(0.2)
        began = time.monotonic()
    listening.join(timeout=10)
    assert time.monotonic() - began < 2
    assert told


def test_a_sign_of_life_is_sent_while_there_is_no_news(begun: Path) -> None:
    async def hear() -> list[bytes]:
        closing = asyncio.Event()
        heard: list[bytes] = []
        tower = Watchtower(open_shelf(begun.parent), clock=lambda: 0.0)
        async for part in stream_events(
            tower, begun.name, closing, pause_seconds=0.0, beat_seconds=0.0
        ):
            heard.append(part)
            if len(heard) == 3:
                closing.set()
        return heard

    first, *others = asyncio.run(hear())
    assert first.startswith(b"data: {")
    assert others == [b": still here\n\n"] * 2


def test_dear_looks_are_rarer() -> None:
    assert pause_of({"behind": False}, 0.001, 1.0) == 1.0
    assert pause_of({"behind": False}, 0.5, 1.0) == 10.0
    assert pause_of({"behind": True}, 0.5, 1.0) == 0.0


def test_a_run_whose_folder_is_refused_is_not_watched(begun: Path) -> None:
    (begun / "notes").symlink_to("/etc/passwd")
    with pytest.raises(RunFormatError, match="a link that leads out"):
        look(begun)


def test_an_update_takes_little_however_long_the_journal(source: Run, begun: Path) -> None:
    """What is new costs, not what was there before."""
    shelf, lines = open_shelf(begun.parent), lines_of(source)
    append(begun, b"".join(lines) * 300)
    shelved = shelf.find(begun.name)
    assert shelved is not None
    live = LiveRun(shelved=shelved)
    first = cpu_of(lambda: live.refresh(shelved))
    append(begun, lines[0])
    assert cpu_of(lambda: live.refresh(shelved)) < first / 10


def cpu_of(work: Any) -> float:
    """Seconds of CPU that something takes in this thread."""
    began = resource.getrusage(resource.RUSAGE_THREAD).ru_utime
    work()
    return resource.getrusage(resource.RUSAGE_THREAD).ru_utime - began
