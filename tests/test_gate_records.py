"""A gate's record holds every number, and comes out the same from the journal, or says why not."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark
from evalkit.errors import RunFormatError
from evalkit.gate_records import GateRecord, judge_full, replay_run
from evalkit.results import Run, load_run
from evalkit.runs.gate_files import list_records, read_record
from evalkit.stats.sequential import GateTerms
from evalkit.stats.verdicts import Verdict
from evalkit.testing.messages_faults import server_error
from evalkit.testing.messages_server import MessagesServer
from tests.gate_runs import Answers, complete, load_sums, make_run, number_of
from tests.test_gating import TERMS, hold

N = 120


@pytest.fixture
def answers() -> Answers:
    return Answers(wrong={"": range(0, N, 10), "Be brief.": [*range(0, N, 10), 1]})


@pytest.fixture
def server(answers: Answers) -> Iterator[MessagesServer]:
    with MessagesServer(answer=answers) as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path) -> Benchmark:
    return load_sums(tmp_path, N)


@pytest.fixture
def baseline(server: MessagesServer, bench: Benchmark, tmp_path: Path) -> Run:
    return make_run(server, bench, tmp_path / "results")


def record_on_disk(record: GateRecord) -> tuple[Path, dict[str, Any]]:
    """Where a record lies, and what it says."""
    [path] = list_records(Path(record.folder))
    return path, read_record(path)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"terms": GateTerms(margin=0.3)},
        {"terms": GateTerms(margin=0.05, fail_margin=0.0, alpha=0.1)},
        {"terms": GateTerms(margin=0.02, budget=30)},
        {"full": True},
    ],
    ids=["plain", "wide", "fail margin", "budget", "full"],
)
def test_a_replay_gives_what_was_recorded(
    arguments: dict[str, Any], server: MessagesServer, baseline: Run
) -> None:
    [record] = hold(server, baseline, **arguments).gates
    [replayed] = replay_run(Path(record.folder))
    assert replayed.differences == ()
    assert replayed.record.to_dict() == record.to_dict()


def test_what_is_on_disk_is_what_is_returned(server: MessagesServer, baseline: Run) -> None:
    [record] = hold(server, baseline).gates
    _, table = record_on_disk(record)
    assert table == {"format": 2, **json.loads(json.dumps(record.to_dict()))}
    assert table["seed"] == f"{record.plan.seed:016x}"
    assert len(table["trace"]["pass"]) == len(table["trace"]["fail"]) == table["used"]
    assert table["verdict"] == str(record.verdict)


def test_verdicts_that_no_score_tells_are_kept(server: MessagesServer, baseline: Run) -> None:
    # So many that one of them comes up before a verdict, whatever the order.
    server.faults = lambda record: server_error() if number_of(record.body) % 10 == 7 else None
    [record] = hold(server, baseline).gates
    assert record.verdict is Verdict.INVALID
    [replayed] = replay_run(Path(record.folder))
    assert replayed.differences == ()
    assert replayed.record.verdict is Verdict.INVALID
    assert replayed.record.reason == record.reason


def change_reply(record: GateRecord, to_right: bool, used: bool) -> None:
    """Change a reply in the journal: of a question that was used, or of one that was not."""
    run = load_run(record.folder)
    shares = dict(zip((q.id for q in run.questions), run.shares, strict=True))
    order = [record.plan.lot.ids[place] for place in record.plan.open().order]
    names = order[: record.used] if used else order[record.used :]
    name = next(name for name in names if shares[name] == (0.0 if to_right else 1.0))
    path = Path(record.folder) / "responses.jsonl"
    lines = path.read_text().splitlines()
    place = next(place for place, line in enumerate(lines) if f'"{name}"' in line)
    table = json.loads(lines[place])
    letter = "ABCD"[(int(name.removeprefix("q")) + (not to_right)) % 4]
    table["response"]["text"] = f"{letter})"
    lines[place] = json.dumps(table)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("to_right", [False, True])
def test_a_reply_that_was_changed_is_noticed(
    to_right: bool, server: MessagesServer, baseline: Run
) -> None:
    [record] = hold(server, baseline).gates
    change_reply(record, to_right, used=True)
    [replayed] = replay_run(Path(record.folder))
    named = {difference.partition(":")[0] for difference in replayed.differences}
    assert {"evidence", "trace"} <= named
    assert ("losses" in named) or ("gains" in named)


def test_a_reply_that_is_gone_is_noticed(server: MessagesServer, baseline: Run) -> None:
    [record] = hold(server, baseline).gates
    order = [record.plan.lot.ids[place] for place in record.plan.open().order]
    path = Path(record.folder) / "responses.jsonl"
    lines = [line for line in path.read_text().splitlines() if f'"{order[3]}"' not in line]
    path.write_text("\n".join(lines) + "\n")
    [replayed] = replay_run(Path(record.folder))
    assert replayed.record.used == 3
    assert any(each.startswith("used: the record says") for each in replayed.differences)
    assert any(each.startswith("verdict: ") for each in replayed.differences)


def edit_record(change: Callable[[dict[str, Any]], None]) -> Callable[[GateRecord], None]:
    def edit(record: GateRecord) -> None:
        path, table = record_on_disk(record)
        change(table)
        path.write_text(json.dumps(table))

    return edit


def edit_lot(record: GateRecord) -> None:
    """Give the baseline a right answer that it had not."""
    [path] = Path(record.folder).glob("gate-*.gz")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    place = next(place for place, line in enumerate(lines) if ",0.0," in line)
    lines[place] = lines[place].replace(",0.0,", ",1.0,")
    path.write_bytes(gzip.compress("\n".join(lines).encode()))


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (edit_record(lambda table: table.update(losses=0)), "losses"),
        (edit_record(lambda table: table.update(verdict="no regression beyond delta")), "verdict"),
        (edit_record(lambda table: table["evidence"].update({"fail": 3.0})), "evidence"),
        (edit_record(lambda table: table["trace"]["pass"].pop()), "trace"),
        (edit_record(lambda table: table["drop"].update(low=0.0)), "drop"),
        (edit_lot, "lot_digest"),
    ],
    ids=["losses", "verdict", "evidence", "trace", "drop", "the baseline's scores"],
)
def test_a_record_that_was_changed_is_noticed(
    tamper: Callable[[GateRecord], None],
    named: str,
    server: MessagesServer,
    baseline: Run,
    answers: Answers,
) -> None:
    answers.wrong["Be brief."] = range(0, N, 3)
    [record] = hold(server, baseline).gates
    assert record.verdict is Verdict.REGRESSED
    tamper(record)
    [replayed] = replay_run(Path(record.folder))
    assert named in {difference.partition(":")[0] for difference in replayed.differences}


def test_another_seed_is_another_order_and_is_not_found(
    server: MessagesServer, baseline: Run
) -> None:
    [record] = hold(server, baseline).gates
    edit_record(lambda table: table.update(seed="0" * 16))(record)
    with pytest.raises(RunFormatError, match="has lost the questions of its gate"):
        replay_run(Path(record.folder))


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"format": 7}', '{"format": 2}', '{"format": 2, "sequential_verdict": 3}']
)
def test_what_is_no_record_is_an_error_that_names_the_file(
    text: str, server: MessagesServer, baseline: Run
) -> None:
    [record] = hold(server, baseline).gates
    path, _ = record_on_disk(record)
    path.write_text(text)
    with pytest.raises(RunFormatError, match=r"can't be read|has format 7"):
        replay_run(Path(record.folder))


def test_a_run_without_a_gate_says_so(baseline: Run) -> None:
    with pytest.raises(RunFormatError, match="holds no gate"):
        replay_run(baseline.path)


def test_a_run_that_was_completed_later_replays_the_same(
    server: MessagesServer, baseline: Run, bench: Benchmark
) -> None:
    [record] = hold(server, baseline, terms=GateTerms(margin=0.3)).gates
    assert record.used < N
    complete(server, bench, baseline.path.parent)
    [replayed] = replay_run(Path(record.folder))
    assert replayed.differences == ()
    assert replayed.record.used == record.used


def test_a_full_verdict_keeps_to_clusters(
    server: MessagesServer, answers: Answers, baseline: Run
) -> None:
    """Twenty losses in one cluster are no twenty."""
    answers.wrong["Be brief."] = [*range(0, N, 10), *range(1, 9)]
    [record] = hold(server, baseline, full=True, terms=GateTerms(margin=0.02)).gates
    assert record.full is not None
    run = load_run(record.folder)
    questions = tuple(
        replace(question, cluster=f"passage {number // 10}")
        for number, question in enumerate(run.questions)
    )
    clustered = judge_full(replace(run, questions=questions), record.plan)
    assert clustered is not None
    assert clustered.interval.clusters == N // 10
    assert clustered.interval.method == "CR2"
    assert clustered.interval.low < record.full.interval.low
    assert clustered.drop == record.full.drop == pytest.approx(8 / N)
    assert record.full.on_this_set is Verdict.REGRESSED


def test_of_an_incomplete_run_there_is_no_full_verdict(
    server: MessagesServer, baseline: Run
) -> None:
    [record] = hold(server, baseline, terms=replace(TERMS, budget=30)).gates
    assert judge_full(load_run(record.folder), record.plan) is None


def test_limits_follow_from_the_terms(server: MessagesServer, baseline: Run) -> None:
    [record] = hold(server, baseline, terms=GateTerms(margin=0.3, alpha=0.1)).gates
    assert record.pass_limit == record.fail_limit == pytest.approx(math.log(10))
