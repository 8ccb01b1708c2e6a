"""The benchmark of speed measures what it says, and counts right; real processes, few questions."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evalkit.testing.messages_server import MessagesServer
from tests.bench_cases import AIOHTTP, EVALKIT, Bench, Case
from tests.bench_loops import build_body
from tests.bench_measure import ROOT, Counter, own_upstream, spend
from tests.bench_questions import letter_of, write_questions
from tests.bench_runner import summarize_limited
from tests.bench_upstream import FAULTS, MANY_FAULTS, Shares, Upstream

QUESTIONS, LARGER = 40, 80


def run_bench(*arguments: str) -> str:
    """What the benchmark prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench_runner", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The questions of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def base_url() -> Iterator[str]:
    """An upstream slow enough for requests to overlap."""
    with own_upstream("--latency-ms", "200") as url:
        yield url


def ask(base_url: str, body: bytes) -> Any:
    """Send one message on a connection of its own."""
    connection = http.client.HTTPConnection(base_url.removeprefix("http://"), timeout=30)
    connection.request("POST", "/v1/messages", body)
    reply = connection.getresponse()
    facts = json.loads(reply.read())
    connection.close()
    return facts


def test_each_case_is_measured_and_counted() -> None:
    sizes = ("--questions", str(QUESTIONS), "--further", str(LARGER), "--connections", "4")
    facts = json.loads(run_bench(*sizes, "--latency-ms", "20", "--rounds", "1", "--json"))
    measured = facts["measured"]
    cases = [(row["contender"], row["questions"], row["connections"]) for row in measured]
    assert cases == [
        (name, questions, connections)
        for questions, connections in ((QUESTIONS, 4), (LARGER, 4))
        for name in ("evalkit", "aiohttp loop")
    ]
    for row in measured:
        counts, probes = row["counts"], row["contender"] == "evalkit"
        assert counts["requests"] == counts["ok"] == row["questions"] + probes
        assert 1 < counts["peak_concurrency"] <= counts["connections_accepted"]
        assert counts["connections_accepted"] <= row["connections"]
        assert counts["duplicate_bodies"] == counts["answered_again"] == 0
        # Four answers at once, 20 ms each.
        assert row["wall_seconds"] > row["questions"] / row["connections"] * 0.02
        assert 0.05 < row["cpu_seconds"] < 60
        assert 10e6 < row["peak_bytes"] < 1e9
    small, large = measured[1], measured[3]
    [further] = [row for row in facts["further"] if row["contender"] == small["contender"]]
    more = (large["cpu_seconds"] - small["cpu_seconds"]) / (LARGER - QUESTIONS)
    assert further["cpu_seconds"] == pytest.approx(more)


def test_the_table_has_a_row_for_each_contender_and_the_bare_loop_is_the_measure() -> None:
    """The upstream is another server here, which has no counts to show."""
    with MessagesServer(bare=True) as server:
        sizes = ("--questions", str(QUESTIONS), "--further", "0", "--connections", "4")
        out = run_bench(*sizes, "--rounds", "1", "--httpx", "--upstream", server.base_url)
    speed, counts = out.strip().split("\n\n")
    rows = [line.rsplit(maxsplit=8) for line in speed.splitlines()[3:]]
    names = ["evalkit", "aiohttp loop", "httpx loop"]
    assert [row[0] for row in rows] == names
    assert [row[1:3] for row in rows] == [[str(QUESTIONS), "4"]] * 3
    assert rows[1][4::2] == ["1.00"] * 3
    for row in rows:
        ratio = float(row[3]) / float(rows[1][3])
        assert float(row[4]) == pytest.approx(ratio, rel=0.1)
    assert [line.split()[-5:] for line in counts.splitlines()[4:]] == [["-"] * 5] * 3


def test_where_requests_fail_each_is_asked_until_it_is_answered() -> None:
    sizes = ("--questions", "100", "--connections", "16", "--latency-ms", "5")
    facts = json.loads(run_bench(*sizes, "--faults", "--json"))
    counts, outcomes = facts["counts"], facts["outcomes"]
    assert facts["code"] == 0
    assert outcomes["correct"] == facts["expected"]
    assert outcomes["correct"] + outcomes["wrong"] == 100
    failed = sum(counts[kind] for kind, _ in FAULTS)
    assert failed > 0
    assert counts["ok"] == 101
    assert counts["requests"] == counts["ok"] + failed
    assert counts["duplicate_bodies"] == failed
    assert counts["answered_again"] == 0


def test_where_few_requests_are_let_through_shares_are_of_what_could_have_been() -> None:
    facts = json.loads(run_bench("--connections", "8", "--limited", "2", "--json"))
    let_through = sum(passed for passed, _ in facts["seconds"][:2])
    assert let_through <= 20 + 1
    assert facts["used"] == let_through / 20
    assert 0 <= facts["limited"] < 1


@pytest.mark.parametrize(
    ("seconds", "length", "expected"),
    [
        ([[1, 9], *[[10, 0]] * 5], 6, (60, 0.15, 0.0, 1.0)),
        ([[1, 9], *[[5, 5]] * 5], 6, (60, 34 / 60, 0.5, 0.5)),
        # What comes after the end does not count, and seconds without requests are lost.
        ([*[[10, 10]] * 6, [10, 0]], 6, (120, 0.5, 0.5, 1.0)),
        ([[10, 0]] * 3, 6, (30, 0.0, 0.0, 0.4)),
        ([], 6, (0, 0.0, 0.0, 0.0)),
    ],
)
def test_a_limited_run_is_judged_after_its_first_sixth(
    seconds: list[list[int]], length: int, expected: tuple[float, ...]
) -> None:
    assert tuple(summarize_limited(seconds, length).values()) == pytest.approx(expected)


def test_the_upstream_counts_what_it_sees(base_url: str) -> None:
    bodies = [b'{"q": "(ref 00000001)"}', b'{"q": "(ref 00000002)"}', b"{}"]
    replies: list[Any] = []
    threads = [
        threading.Thread(target=lambda body=body: replies.append(ask(base_url, body)))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(reply["content"][0]["text"] for reply in replies) == ["A", "B", "C"]
    ask(base_url, bodies[0])
    with closing(Counter(base_url)) as counter:
        counts = counter.read()
        counter.reset()
        again = counter.read()
    assert (counts["requests"], counts["ok"], counts["connections_accepted"]) == (4, 4, 4)
    assert (counts["peak_concurrency"], counts["duplicate_bodies"]) == (3, 1)
    assert counts["answered_again"] == 1
    assert counts["elapsed_s"] >= 0.4
    assert again["requests"] == again["connections_accepted"] == again["elapsed_s"] == 0


@pytest.mark.parametrize("faults", [FAULTS, MANY_FAULTS])
def test_faults_come_as_often_as_they_should_and_in_each_run_alike(faults: Shares) -> None:
    def draw() -> list[str]:
        upstream = Upstream(0.0, faults=faults, per_minute=None)
        bodies = [str(number % 1000).encode() for number in range(20_000)]
        return [upstream.take(body, 0.0) for body in bodies]

    kinds = draw()
    assert kinds == draw()
    for kind, share in faults:
        assert kinds.count(kind) / len(kinds) == pytest.approx(share, rel=0.25)
    # A try that failed says nothing of the next one.
    assert len({tuple(kinds[number::1000]) for number in range(1000)}) > 500


def test_questions_are_the_same_each_time_and_their_right_answers_are_known(
    tmp_path: Path,
) -> None:
    first, again = tmp_path / "first.jsonl", tmp_path / "again.jsonl"
    right = write_questions(first, 500)
    assert write_questions(again, 500) == right
    assert first.read_bytes() == again.read_bytes()
    rows = read_rows(first)
    assert len({row["id"] for row in rows}) == len({row["question"] for row in rows}) == 500
    assert all(len(set(row["choices"])) == 4 for row in rows)
    refs = [row["question"].split()[1].rstrip(")") for row in rows]
    said = [letter_of(ref) for ref in refs]
    assert sum(row["answer"] == letter for row, letter in zip(rows, said, strict=True)) == right
    assert right / 500 == pytest.approx(0.7, abs=0.07)


def test_the_bare_loop_sends_what_evalkit_sends(tmp_path: Path) -> None:
    path = tmp_path / "few.jsonl"
    write_questions(path, 5)
    with MessagesServer(bare=True) as server:
        for contender in (EVALKIT, AIOHTTP):
            folder = tmp_path / contender.name
            folder.mkdir()
            spent = spend(contender.command(path, server.base_url, 1, folder), folder)
            assert spent.code == 0, (folder / "err").read_text(encoding="utf-8")
        bodies = [record.body for record in server.requests]
    # The first one is evalkit's probe.
    assert bodies[1:6] == bodies[6:] == [build_body(row) for row in read_rows(path)]


def test_a_contender_with_other_answers_is_not_measured(tmp_path: Path) -> None:
    with own_upstream() as base_url, closing(Counter(base_url)) as counter:
        bench = Bench(tmp_path, counter, knows_letters=True)
        case = Case(contender=AIOHTTP, questions=QUESTIONS, connections=4)
        _, outcomes = bench.run_checked(case)
        bench.right[QUESTIONS] += 1
        with pytest.raises(SystemExit, match=f"{outcomes['correct']} of 40 questions right"):
            bench.run_checked(case)


def test_a_contender_that_fails_is_not_measured(tmp_path: Path) -> None:
    with own_upstream() as base_url, closing(Counter(base_url)) as counter:
        bench = Bench(tmp_path, counter, knows_letters=True)
        bench.write_file(QUESTIONS).write_text("no question\n", encoding="utf-8")
        with pytest.raises(SystemExit, match="evalkit ended with code 2:\nevalkit: "):
            bench.run_checked(Case(contender=EVALKIT, questions=QUESTIONS, connections=4))


def test_what_an_incomplete_run_has_not_asked_is_told(tmp_path: Path) -> None:
    """It is ended in the middle: one after another, its questions would take four seconds."""
    case = Case(contender=EVALKIT, questions=QUESTIONS, connections=1)
    with own_upstream("--latency-ms", "100") as base_url, closing(Counter(base_url)) as counter:
        bench = Bench(tmp_path, counter, knows_letters=True)
        spent, folder = bench.run(case, end_after_seconds=1.5)
    outcomes = EVALKIT.read_outcomes(spent, folder)
    assert sum(outcomes.values()) == QUESTIONS
    assert 0 < outcomes["not_asked"] < QUESTIONS


def test_time_asleep_is_wall_time_alone(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.4: pass\nprint('done')"
    busy = spend([sys.executable, "-c", burn], tmp_path)
    assert busy.out == "done\n"
    assert 0.4 <= busy.cpu_seconds <= busy.wall_seconds + 0.05
    idle = spend([sys.executable, "-c", "import time; time.sleep(0.5)"], tmp_path)
    assert idle.wall_seconds >= 0.5
    assert idle.cpu_seconds < 0.4
    # More than this process can hold by itself.
    large = spend([sys.executable, "-c", "b'x' * 700_000_000"], tmp_path)
    assert large.peak_bytes > 700e6


def test_a_command_is_ended_when_it_is_time(tmp_path: Path) -> None:
    answers = iter([False, False, True])
    forever = [sys.executable, "-c", "import time; time.sleep(60)"]
    spent = spend(forever, tmp_path, end_when=lambda: next(answers))
    assert spent.code == -15
    assert spent.wall_seconds < 30
    short = spend([sys.executable, "-c", ""], tmp_path, end_when=lambda: False)
    assert short.code == 0
