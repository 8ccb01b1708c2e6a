"""Runs by Message Batches give the same table as direct ones, and pay for no answer twice."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from evalkit.api.endpoint import Endpoint
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.errors import (
    AuthenticationError,
    BillingError,
    ConnectionFailedError,
    InvalidRequestError,
    RateLimitError,
    RunError,
    RunFormatError,
    UsageError,
)
from evalkit.evaluation import run
from evalkit.models.catalogue import find_model
from evalkit.reports.text import render_runs
from evalkit.results import Run
from evalkit.runs.batch_log import BatchLog, read_batch_log
from evalkit.runs.costs import cost_of_rows
from evalkit.settings import RunSettings
from evalkit.testing.messages_batches import BatchFault, BatchFaultPlan
from evalkit.testing.messages_body import Body, last_user_text
from evalkit.testing.messages_faults import (
    Fault,
    FaultPlan,
    cut_in_half,
    rate_limited,
    server_error,
    spend_limit_reached,
    unauthorized,
)
from evalkit.testing.messages_record import BATCHES_PATH, FILES_PATH, RequestRecord
from evalkit.testing.messages_replies import Answer, Reply
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call, point_at
from tests.conftest import QUICK, SUMS, endpoint_of, stem_of, sums_answers, write_sums

OLD, NEW = "claude-haiku-4-5", "claude-opus-4-8"
"""Models that take a prefill, and that do not."""

ANSWER = sums_answers(wrong_share=0.3)


def ask(
    server: MessagesServer,
    benchmark: Benchmark,
    results: Path,
    model: str = OLD,
    *,
    endpoint: Endpoint | None = None,
    progress: bool = False,
    **settings: Any,
) -> Run:
    """Run a benchmark by batches against a server, quickly."""
    quick = {"retries": QUICK, "batch": True, "poll_seconds": 0.02}
    return run(
        benchmark,
        model,
        settings=RunSettings(**{**quick, **settings}),
        endpoint=endpoint or endpoint_of(server),
        results=results,
        progress=progress,
    )


def direct(benchmark: Benchmark, results: Path, model: str = OLD, **settings: Any) -> Run:
    """The same run without batches, at a server of its own."""
    answer = settings.pop("answer", ANSWER)
    with MessagesServer(answer=answer) as server:
        return ask(server, benchmark, results / "direct", model, batch=False, **settings)


def comparable(done: Run) -> dict[str, Any]:
    """The facts of a run that must not depend on how it came about."""
    facts = done.to_dict()
    varying = ("run_id", "folder", "endpoint", "way_reason", "cost")
    return {name: facts[name] for name in facts if name not in varying}


def messages(server: MessagesServer) -> list[RequestRecord]:
    """The questions that were asked directly; probes are left out."""
    return [r for r in server.requests if r.is_message and "How much is" in last_user_text(r.body)]


def handed_over(server: MessagesServer) -> Counter[str]:
    """How many batches each request was in."""
    return Counter(name for batch in server.batches for name in batch.requests)


def sizes(server: MessagesServer) -> list[int]:
    """The number of requests in each batch."""
    return [len(batch.requests) for batch in server.batches]


def log_of(done: Run) -> BatchLog:
    """The log of a run's batches."""
    return read_batch_log(done.path / "batches.jsonl")


def only_log(results: Path) -> BatchLog:
    """The log of the only run there."""
    [path] = results.glob("*/batches.jsonl")
    return read_batch_log(path)


def in_batch(fault: BatchFault, numbers: tuple[int, ...] = (1,), every: int = 3) -> BatchFaultPlan:
    """Every so many requests of the batches with these numbers end so."""

    def plan(custom_id: str, batch_number: int) -> BatchFault | None:
        chosen = int(custom_id, 16) % every == 0
        return fault if chosen and batch_number in numbers else None

    return plan


def creations(fault: Fault, times: int = 1) -> FaultPlan:
    """The first attempts to create a batch fail."""
    left = [fault] * times

    def plan(record: RequestRecord) -> Fault | None:
        is_creation = record.method == "POST" and record.path == BATCHES_PATH
        return left.pop() if is_creation and left else None

    return plan


# The whole way


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (OLD, {}),
        (NEW, {}),
        (OLD, {"way": "instructed"}),
        (NEW, {"way": "structured"}),
        (NEW, {"way": "tool"}),
        (OLD, {"samples": 3}),
        (OLD, {"limit": 12}),
    ],
)
def test_the_table_is_that_of_a_direct_run(
    model: str, settings: dict[str, Any], sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=ANSWER) as server:
        done = ask(server, sums, tmp_path, model, **settings)
        asked = len(messages(server))
    plain = direct(sums, tmp_path, model, **settings)
    total = settings.get("limit", SUMS) * settings.get("samples", 1)
    assert done.is_complete
    assert comparable(done) == comparable(plain)
    batched, alone = render_runs([done]), render_runs([plain])
    assert without_cost(batched) == without_cost(alone)
    assert (asked, sizes(server)) == (1, [total - 1]), "one to see that they are taken"
    assert set(handed_over(server).values()) == {1}


def without_cost(table: str) -> list[str]:
    """The lines that say nothing of money."""
    return [line for line in table.splitlines() if "$" not in line and "ost" not in line]


def test_half_the_price(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=ANSWER) as server:
        done = ask(server, sums, tmp_path)
    plain = direct(sums, tmp_path)
    price = find_model(OLD).price
    assert price is not None
    assert done.usage() == plain.usage()
    plain_parts = {row.request_id: cost_of_rows([row], price) or 0.0 for row in plain.rows}
    parts = {row.request_id: cost_of_rows([row], price) or 0.0 for row in done.rows}
    [first] = [row.request_id for row in done.rows if row.batch_id is None]
    halves = {name: part / 2 for name, part in plain_parts.items()} | {first: plain_parts[first]}
    assert parts == pytest.approx(halves)
    assert done.cost == pytest.approx(sum(halves.values()))


def test_the_journal_names_batch_and_request(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=ANSWER) as server:
        done = ask(server, sums, tmp_path, batch_size=10)
    lines = (done.path / "responses.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    by_batch = {batch.id: set(batch.requests) for batch in server.batches}
    assert len(by_batch) == 3
    assert "batch" not in rows[0]
    for row in rows[1:]:
        assert row["request"] in by_batch[row["batch"]]
        assert row["response"]["message_id"].startswith("msg_")


def test_batches_are_no_larger_than_told(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=ANSWER, max_batch_requests=7) as server:
        done = ask(server, sums, tmp_path, batch_size=7)
    assert sizes(server) == [7, 7, 7, 7, 1]
    assert set(handed_over(server).values()) == {1}
    assert done.is_complete
    assert [handover.is_over for handover in log_of(done).handovers] == [True] * 5


def test_a_batch_without_requests_is_no_setting() -> None:
    with pytest.raises(UsageError, match="batch_size 0: expected at least 1"):
        RunSettings(batch_size=0)


def test_the_same_again_asks_nothing(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=ANSWER) as server:
        done = ask(server, sums, tmp_path)
        asked = len(server.requests)
        again = ask(server, sums, tmp_path)
        plain = ask(server, sums, tmp_path, batch=False)
        assert len(server.requests) == asked
    assert comparable(done) == comparable(again) == comparable(plain)


# What does not come back with a message


@pytest.mark.parametrize("fault", ["expired", "canceled", "overloaded", "server_error"])
def test_what_came_back_without_an_answer_is_sent_again(
    fault: BatchFault, sums: Benchmark, tmp_path: Path
) -> None:
    """A few directly."""
    with MessagesServer(answer=ANSWER, batch_fault=in_batch(fault)) as server:
        done = ask(server, sums, tmp_path)
        failed = sum(line["result"]["type"] != "succeeded" for line in server.batches[0].results)
        asked = len(messages(server))
    assert 3 < failed < 20
    assert (asked, sizes(server)) == (1 + failed, [SUMS - 1])
    assert comparable(done) == comparable(direct(sums, tmp_path))


def test_many_go_into_another_batch(sums: Benchmark, tmp_path: Path) -> None:
    fault = in_batch("expired", every=1)
    with MessagesServer(answer=ANSWER, batch_fault=fault) as server:
        done = ask(server, sums, tmp_path)
        asked = len(messages(server))
    assert (asked, sizes(server)) == (1, [SUMS - 1] * 2)
    assert comparable(done) == comparable(direct(sums, tmp_path))
    assert [handover.is_over for handover in log_of(done).handovers] == [True] * 2


def test_what_no_batch_answers_is_asked_directly_in_the_end(
    sums: Benchmark, tmp_path: Path
) -> None:
    fault = in_batch("expired", numbers=tuple(range(99)), every=1)
    with MessagesServer(answer=ANSWER, batch_fault=fault) as server:
        done = ask(server, sums, tmp_path)
        asked = len(messages(server))
    assert (asked, sizes(server)) == (SUMS, [SUMS - 1] * 3)
    assert comparable(done) == comparable(direct(sums, tmp_path))


def test_what_the_endpoint_refuses_is_a_recorded_failure_that_costs_nothing(
    sums: Benchmark, tmp_path: Path
) -> None:
    class Refusing(MessagesServer):
        def answer_in_batch(self, params: Any, version: str, **rest: Any) -> Any:
            if stem_of(7) in last_user_text(params):
                params = {**params, "unheard_of": 1}
            return super().answer_in_batch(params, version, **rest)

    with Refusing(answer=ANSWER) as server:
        done = ask(server, sums, tmp_path)
        asked = len(messages(server))
        assert (asked, sizes(server)) == (1, [SUMS - 1])
        assert not done.is_complete
        assert done.summary.failed == 1
        [failure] = done.failures()
        assert (failure.kind, failure.count) == ("invalid_request", 1)
        assert "unheard_of" in failure.message
        [row] = [row for row in done.rows if not row.is_response]
        assert (row.question_id, row.batch_id) == ("q7", server.batches[0].id)
        # The same command again gives it another chance: one is few, but this is its first time.
        again = ask(server, sums, tmp_path)
        assert sizes(server) == [SUMS - 1, 1]
        assert again.summary.failed == 1
        final = ask(server, sums, tmp_path, batch=False)
    assert final.is_complete
    assert comparable(final) == comparable(direct(sums, tmp_path))


def long_winded(share: int) -> Answer:
    """Some replies need more room than they get at first."""

    def answer(body: Body) -> Reply:
        reply = ANSWER(body)
        text = last_user_text(body)
        number = next((n for n in range(SUMS) if f"{stem_of(n)}\n" in text), 1)
        if number % share == 0 and body["max_tokens"] < 100:
            return Reply("Let me think about it. " * 40)
        return reply

    return answer


@pytest.mark.parametrize(("share", "batches"), [(5, 1), (1, 2)])
def test_replies_that_were_cut_off_are_asked_again_with_more_room(
    share: int, batches: int, sums: Benchmark, tmp_path: Path
) -> None:
    answer = long_winded(share)
    with MessagesServer(answer=answer) as server:
        done = ask(server, sums, tmp_path, NEW)
    plain = direct(sums, tmp_path, NEW, answer=answer)
    assert len(server.batches) == batches
    assert done.retakes == plain.retakes == SUMS // share
    assert done.is_complete
    assert comparable(done) == comparable(plain)


# One request first


def test_a_bad_parameter_fails_before_any_batch(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer() as server, pytest.raises(InvalidRequestError, match="max_tokens"):
        ask(server, sums, tmp_path, NEW, max_tokens=10_000_000)
    assert server.batches == []
    assert len(messages(server)) == 3, "it might have been the question"


def test_one_question_that_is_refused_does_not_keep_the_others_from_a_batch(
    sums: Benchmark, tmp_path: Path
) -> None:
    class Refusing(MessagesServer):
        def respond(self, record: RequestRecord) -> Any:
            if record.is_message and f"{first_stem}\n" in last_user_text(record.body):
                record = replace_body(record, {**record.body, "unheard_of": 1})
            return super().respond(record)

    first_stem = sums.question_set.questions[0].stem
    with Refusing(answer=ANSWER) as server:
        done = ask(server, sums, tmp_path)
    assert len(messages(server)) == 2
    assert sizes(server) == [SUMS - 2]
    assert done.summary.failed == 1


def replace_body(record: RequestRecord, body: Any) -> RequestRecord:
    """A request as if it had been another."""
    return replace(record, body=body)


def test_a_wrong_key_leaves_nothing_behind(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer() as server:
        wrong = Endpoint(base_url=server.base_url, api_key="wrong-key")
        with pytest.raises(AuthenticationError, match="does not accept the key"):
            ask(server, sums, tmp_path, endpoint=wrong, way="instructed")
    assert server.batches == []
    assert list(tmp_path.iterdir()) == []


def test_an_endpoint_without_batches_says_so_and_keeps_the_answer(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    sums: Benchmark,
) -> None:
    write_sums(tmp_path / "sums.jsonl")
    monkeypatch.chdir(tmp_path)
    arguments = ("run", "sums.jsonl", "--model", "any", "--quiet")
    with MessagesServer(answer=ANSWER, bare=True, echo_prefill=True) as server:
        point_at(server, monkeypatch)
        done = call(capsys, *arguments, "--batch")
        host = server.base_url.removeprefix("http://")
        assert done.code == 2
        assert f"incomplete: {SUMS - 1} of {SUMS} questions have no reply" in done.out
        assert done.error == f"evalkit: {host} has no batches: Not found (status 404)"
        assert len(messages(server)) == 1
        assert only_log(tmp_path / "results").open == []
        assert call(capsys, *arguments).code == 0
        assert len(messages(server)) == SUMS


# Money


def dear(body: Body) -> Reply:
    """Replies to long prompts: they cost about half of what is feared."""
    return replace(ANSWER(body), input_tokens=900)


@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_a_budget_is_never_passed(share: float, tmp_path: Path) -> None:
    many = load_benchmark(write_sums(tmp_path / "sums.jsonl", 200))
    with MessagesServer(answer=dear) as server:
        done = ask(server, many, tmp_path / "whole")
        assert done.cost is not None
        before = len(server.batches)
        budget = done.cost * share
        part = ask(server, many, tmp_path / "part", budget=budget)
        assert part.cost is not None
        assert 0.8 * budget < part.cost <= budget
        assert 0 < len(part.rows) < 200
        assert len(server.batches) > before
        again = ask(server, many, tmp_path / "part", budget=10.0)
    assert comparable(again) == comparable(done)
    assert set(handed_over(server).values()) <= {1, 2}, "once in each of two runs"


def test_a_budget_that_suffices_is_used_batch_after_batch(tmp_path: Path) -> None:
    """A request costs far less than it might at the worst, which is all that is known before."""
    many = load_benchmark(write_sums(tmp_path / "sums.jsonl", 200))
    with MessagesServer(answer=dear) as server:
        whole = ask(server, many, tmp_path / "whole")
        assert whole.cost is not None
        before = len(server.batches)
        done = ask(server, many, tmp_path / "part", budget=whole.cost * 1.2)
        assert len(server.batches) > before + 1
    assert done.is_complete
    assert comparable(done) == comparable(whole)


def test_a_budget_for_nothing_asks_nothing(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=ANSWER) as server:
        done = ask(server, sums, tmp_path, budget=1e-6)
    assert (messages(server), server.batches, done.rows) == ([], [], ())


# Interrupted, and gone on


def left_open(server: MessagesServer, sums: Benchmark, results: Path, **settings: Any) -> None:
    """Hand a batch over and stop while it is worked on, by taking the connection away."""
    hidden = server.faults

    def unreachable(record: RequestRecord) -> Fault | None:
        is_look = record.method == "GET" and record.path.startswith(f"{BATCHES_PATH}/")
        return unauthorized() if is_look else hidden(record)

    server.faults = unreachable
    with pytest.raises(AuthenticationError):
        ask(server, sums, results, **settings)
    server.faults = hidden
    assert len(only_log(results).open) == len(server.batches)


@pytest.mark.parametrize("again", [True, False])
def test_a_batch_under_way_is_collected_and_not_paid_for_twice(
    again: bool, sums: Benchmark, tmp_path: Path
) -> None:
    """Whether or not the next command says --batch."""
    with MessagesServer(answer=ANSWER) as server:
        left_open(server, sums, tmp_path)
        assert len(server.batches) == 1
        done = ask(server, sums, tmp_path, batch=again)
        assert len(messages(server)) == 1
    assert handed_over(server).total() == SUMS - 1
    assert comparable(done) == comparable(direct(sums, tmp_path))


def test_what_the_batch_left_open_is_asked_directly_without_batch(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=ANSWER, batch_fault=in_batch("expired", every=1)) as server:
        left_open(server, sums, tmp_path)
        done = ask(server, sums, tmp_path, batch=False)
    assert (len(messages(server)), sizes(server)) == (SUMS, [SUMS - 1])
    assert comparable(done) == comparable(direct(sums, tmp_path))


def test_a_refused_creation_is_tried_anew_by_the_next_command(
    sums: Benchmark, tmp_path: Path
) -> None:
    """As when there are too many requests in the endpoint's queue."""
    busy = rate_limited(retry_after=None)
    with MessagesServer(answer=ANSWER, faults=creations(busy, QUICK.attempts)) as server:
        with pytest.raises(RateLimitError):
            ask(server, sums, tmp_path)
        assert only_log(tmp_path).open == []
        done = ask(server, sums, tmp_path)
    assert sizes(server) == [SUMS - 1]
    assert comparable(done) == comparable(direct(sums, tmp_path))


def test_the_second_of_three_batches_is_refused(sums: Benchmark, tmp_path: Path) -> None:
    """What was handed over before is collected by the next command."""
    seen: list[int] = []

    def second(record: RequestRecord) -> Fault | None:
        if record.method == "POST" and record.path == BATCHES_PATH:
            seen.append(record.number)
            return spend_limit_reached() if len(seen) == 2 else None
        return None

    with MessagesServer(answer=ANSWER, faults=second) as server:
        with pytest.raises(BillingError):
            ask(server, sums, tmp_path, batch_size=10)
        assert [one.is_over for one in only_log(tmp_path).handovers] == [False, True]
        done = ask(server, sums, tmp_path, batch_size=10)
    assert sizes(server) == [10, 10, 9]
    assert set(handed_over(server).values()) == {1}
    assert comparable(done) == comparable(direct(sums, tmp_path))


def test_a_creation_whose_answer_never_came_is_found(
    capsys: pytest.CaptureFixture[str], sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=ANSWER, faults=creations(cut_in_half())) as server:
        with pytest.raises(ConnectionFailedError):
            ask(server, sums, tmp_path)
        [handover] = only_log(tmp_path).open
        assert handover.batch_id is None
        assert len(server.batches) == 1
        done = ask(server, sums, tmp_path, progress=True)
        said = capsys.readouterr().err
    assert f"Batch {server.batches[0].id}: found at the endpoint" in said
    assert sizes(server) == [SUMS - 1]
    assert comparable(done) == comparable(direct(sums, tmp_path))


def test_a_key_of_another_workspace_does_not_pay_again(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=ANSWER) as server:
        left_open(server, sums, tmp_path)
        server.batches[0].deleted = True
        with pytest.raises(RunError, match=r"can't be found.*another workspace.*batches\.jsonl"):
            ask(server, sums, tmp_path)
        assert len(server.batches) == 1
        server.batches[0].deleted = False
        done = ask(server, sums, tmp_path)
    assert sizes(server) == [SUMS - 1]
    assert done.is_complete


def test_an_outage_while_waiting_ends_nothing(sums: Benchmark, tmp_path: Path) -> None:
    outage = iter([server_error()] * (QUICK.attempts * 4))

    def plan(record: RequestRecord) -> Fault | None:
        is_look = record.method == "GET" and record.path.startswith(f"{BATCHES_PATH}/")
        return next(outage, None) if is_look else None

    with MessagesServer(answer=ANSWER, faults=plan, batch_seconds=0.1) as server:
        done = ask(server, sums, tmp_path)
    assert done.is_complete
    assert sizes(server) == [SUMS - 1]


def test_results_that_break_off_are_read_again(sums: Benchmark, tmp_path: Path) -> None:
    broken = iter([cut_in_half(), cut_in_half()])

    def plan(record: RequestRecord) -> Fault | None:
        return next(broken, None) if record.path.endswith("/results") else None

    with MessagesServer(answer=ANSWER, faults=plan) as server:
        done = ask(server, sums, tmp_path)
    assert sizes(server) == [SUMS - 1]
    ids = [row.request_id for row in done.rows]
    lines = (done.path / "responses.jsonl").read_text().splitlines()
    assert len(lines) == len(ids) == SUMS, "nothing is in the journal twice"
    assert comparable(done) == comparable(direct(sums, tmp_path))


def test_a_garbled_log_asks_nothing(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=ANSWER) as server:
        left_open(server, sums, tmp_path)
        [path] = tmp_path.glob("*/batches.jsonl")
        path.write_bytes(b"garbled\n" + path.read_bytes())
        before = len(server.requests)
        with pytest.raises(RunFormatError, match=r"batches\.jsonl:1 can't be read"):
            ask(server, sums, tmp_path)
        assert len(server.requests) == before


# What a user sees


def test_progress_shows_counts_and_time(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    sums: Benchmark,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with MessagesServer(answer=ANSWER, batch_seconds=0.3) as server:
        done = ask(server, sums, tmp_path, progress=True)
    said = capsys.readouterr().err
    assert f"Batch {server.batches[0].id}: {SUMS - 1} requests handed over" in said
    assert f"batch in progress, 0 of {SUMS - 1} done, 0:00:0" in said
    assert f"batch ended, {SUMS - 1} of {SUMS - 1} done, 0:00:0" in said
    assert done.is_complete


def test_going_on_says_what_is_waited_for(
    capsys: pytest.CaptureFixture[str], sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=ANSWER) as server:
        left_open(server, sums, tmp_path)
        ask(server, sums, tmp_path, progress=True, batch=False)
    assert f"{SUMS - 1} requests were handed over before: collecting" in capsys.readouterr().err


# Pictures


PICTURES = 13
"""Different ones among twenty-four questions."""


def write_pictures(folder: Path, count: int = 24) -> Benchmark:
    """Questions with a picture each, of which every second one shows the same."""
    rows = []
    for number in range(count):
        name = f"{number if number % 2 else 0}.png"
        PIL.Image.new("L", (8, 8), number if number % 2 else 0).save(folder / name)
        rows.append(
            {
                "id": f"p{number}",
                "question": stem_of(number),
                "choices": [str(100 + number), "0", "1", "2"],
                "answer": "A",
                "image": name,
            }
        )
    path = folder / "pictures.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    definition = folder / "pictures.toml"
    definition.write_text(
        'version = "1"\ntitle = "Pictures"\nlicence = "MIT"\nchoices = 4\n'
        'source.files = ["pictures.jsonl"]\n'
        'columns = { stem = "question", choices = "choices", answer = "answer", '
        'images = "image" }\n'
    )
    return load_benchmark(definition)


@pytest.fixture
def pictures(tmp_path: Path) -> Benchmark:
    """Twenty-four questions with thirteen pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return write_pictures(folder)


def test_pictures_are_uploaded_once_and_gone_in_the_end(
    pictures: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=ANSWER) as server:
        done = ask(server, pictures, tmp_path, images="file", batch_size=10)
        assert (server.files.uploads, server.files.stored) == (PICTURES, {})
    assert sizes(server) == [10, 10, 3]
    assert done.is_complete
    assert comparable(done) == comparable(direct(pictures, tmp_path))
    log = log_of(done)
    assert (log.files_in_use, log.files_left) == (set(), set())


def test_pictures_stay_as_long_as_a_batch_needs_them(pictures: Benchmark, tmp_path: Path) -> None:
    """The server looks at them when it works on the batch; a later process deletes them."""
    with MessagesServer(answer=ANSWER, batch_seconds=None) as server:
        left_open(server, pictures, tmp_path, images="file")
        assert only_log(tmp_path).files_in_use == set(server.files.stored)
        assert len(server.files.stored) >= PICTURES - 1
        server.end_batches()
        done = ask(server, pictures, tmp_path, batch=False)
        assert server.files.stored == {}
        assert server.files.uploads == PICTURES
    assert comparable(done) == comparable(direct(pictures, tmp_path))
    assert log_of(done).files_left == set()


def test_pictures_are_deleted_by_the_next_command_if_the_last_one_could_not(
    pictures: Benchmark, tmp_path: Path
) -> None:
    def plan(record: RequestRecord) -> Fault | None:
        is_deletion = record.method == "DELETE" and record.path.startswith(FILES_PATH)
        return unauthorized() if is_deletion else None

    with MessagesServer(answer=ANSWER, faults=plan) as server:
        done = ask(server, pictures, tmp_path, images="file")
        assert done.is_complete
        assert log_of(done).files_left
        assert len(server.files.stored) == PICTURES
        server.faults = lambda record: None
        left = log_of(done).files_left
        asked = len(server.requests)
        again = ask(server, pictures, tmp_path, batch=False)
        assert {record.method for record in server.requests[asked:]} == {"DELETE"}
        assert not left & set(server.files.stored)
    assert comparable(again) == comparable(done)


def test_pictures_are_kept_if_told_so(pictures: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=ANSWER) as server:
        ask(server, pictures, tmp_path, images="file", keep_files=True)
        assert len(server.files.stored) == PICTURES


def test_pictures_of_a_batch_that_was_refused_are_deleted(
    pictures: Benchmark, tmp_path: Path
) -> None:
    faults = creations(spend_limit_reached())
    with MessagesServer(answer=ANSWER, faults=faults) as server:
        with pytest.raises(BillingError):
            ask(server, pictures, tmp_path, images="file")
        assert (server.files.uploads, server.files.stored) == (PICTURES, {})
    assert only_log(tmp_path).files_left == set()


def test_an_upload_that_fails_is_tried_again(pictures: Benchmark, tmp_path: Path) -> None:
    def plan(record: RequestRecord) -> Fault | None:
        is_upload = record.method == "POST" and record.path == FILES_PATH
        return server_error() if is_upload and record.attempt == 1 else None

    with MessagesServer(answer=ANSWER, faults=plan) as server:
        done = ask(server, pictures, tmp_path, images="file")
        assert (server.files.uploads, server.files.stored) == (PICTURES, {})
    assert done.is_complete


def test_pictures_in_the_requests_need_no_files(pictures: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=ANSWER) as server:
        done = ask(server, pictures, tmp_path)
    assert server.files.uploads == 0
    assert comparable(done) == comparable(direct(pictures, tmp_path))
