"""From a benchmark and a model to a table: asked once, resumed, never mixed up, never lost."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.api.endpoint import Endpoint
from evalkit.api.retries import RetryPolicy
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PromptError,
    RateLimitError,
    RunError,
    RunFormatError,
    RunLockedError,
    ServerError,
    UnreadableResponseError,
    UsageError,
)
from evalkit.evaluation import run, run_async, run_at_target
from evalkit.models.catalogue import find_model
from evalkit.models.findings import Findings, default_findings
from evalkit.models.model import Capabilities
from evalkit.prompts import PromptFormat
from evalkit.questions import QuestionSet
from evalkit.requests import Way
from evalkit.responses import RequestFailure
from evalkit.results import Run, load_run
from evalkit.runs.folder import open_run_folder
from evalkit.session import Session
from evalkit.settings import RunSettings
from evalkit.targets import Target
from evalkit.testing.messages_body import last_user_text, prefill_of
from evalkit.testing.messages_faults import (
    FAULTS,
    Fault,
    at_random,
    first_attempts,
    from_message_on,
    no_faults,
    overloaded,
    rate_limited,
    server_error,
    unauthorized,
)
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import (
    AS_ANYBODY,
    QUICK,
    ROOT,
    SUMS,
    endpoint_of,
    stem_of,
    sums_answers,
    write_sums,
)
from tests.test_folder import held_by_another_process
from tests.test_journal import disk_of

OLD, NEW, MIDDLE, THINKS = (
    *("claude-haiku-4-5", "claude-opus-4-8", "claude-sonnet-4-6", "claude-opus-5-5"),
)
"""Models that take prefill and temperature; neither; temperature alone; one that always thinks."""

SECRET = "sk-ant-api03-" + "very-secret-" * 8


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
    """Run a benchmark against a server, quickly."""
    return run(
        benchmark,
        model,
        settings=RunSettings(**{"retries": QUICK, **settings}),
        endpoint=endpoint or endpoint_of(server),
        results=results,
        progress=progress,
    )


def questions_asked(server: MessagesServer) -> list[RequestRecord]:
    """The requests that were no probe."""
    return [r for r in server.requests if "How much is" in last_user_text(r.body)]


def probes(server: MessagesServer) -> int:
    """How many requests were probes."""
    return len(server.requests) - len(questions_asked(server))


def folders(results: Path) -> list[str]:
    """The run folders that are there."""
    return sorted(path.name for path in results.iterdir()) if results.exists() else []


def outcomes(done: Run) -> dict[str, int]:
    """The outcomes that occurred."""
    counts: Mapping[str, int] = done.to_dict()["outcomes"]
    return {name: count for name, count in counts.items() if count}


def comparable(done: Run) -> dict[str, Any]:
    """The facts of a run that must not depend on how it came about."""
    facts = done.to_dict()
    return {name: facts[name] for name in facts if name not in ("run_id", "folder", "endpoint")}


# Settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"way": "sung"}, "way 'sung': expected auto, prefill or instructed"),
        ({"limit": 0}, "limit 0: expected at least 1"),
        ({"limit": -5}, "limit -5: expected at least 1"),
        ({"shots": -1}, "shots -1: expected at least 0"),
        ({"concurrency": 0}, "concurrency 0: expected at least 1"),
        ({"temperature": -0.1}, "temperature -0.1: expected 0 to 1"),
        ({"temperature": 1.5}, "temperature 1.5: expected 0 to 1"),
        ({"temperature": float("nan")}, "temperature nan: expected 0 to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RunSettings(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"limit": 1, "shots": 0, "concurrency": 1}, {"temperature": 1.0}, {"temperature": None}],
)
def test_settings_at_their_limits_are_taken(settings: dict[str, Any]) -> None:
    RunSettings(**settings)


# A run


def test_a_run_by_prefill(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        done = ask(server, sums, tmp_path)
        asked = questions_asked(server)
    assert (probes(server), len(asked)) == (1, SUMS)
    assert {prefill_of(record.body) for record in asked} == {"The answer is ("}
    assert {record.body["max_tokens"] for record in asked} == {1}
    assert {record.body["temperature"] for record in asked} == {0.0}
    assert not any("system" in record.body for record in asked)
    assert done.is_complete
    assert done.summary.correct + done.summary.wrong == SUMS
    assert 0 < done.summary.wrong < SUMS / 2
    assert done.usage()["output_tokens"] == SUMS
    identity = done.manifest.identity
    assert (identity.benchmark, identity.model, identity.way) == ("sums", OLD, "prefill")
    assert identity.endpoint == server.base_url.removeprefix("http://")
    assert identity.parameters == {"max_tokens": 1, "temperature": 0.0}
    assert done.manifest.way_reason == "auto: takes a prefill (found out by a probe)"
    assert json.loads((done.path / "summary.json").read_text()) == done.to_dict()


def test_a_run_by_instruction(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(), style="{letter}.") as server:
        done = ask(server, sums, tmp_path, MIDDLE)
        asked = questions_asked(server)
    assert {prefill_of(record.body) for record in asked} == {None}
    assert {record.body["max_tokens"] for record in asked} == {16}
    assert all("letter of the right choice alone" in r.body["system"] for r in asked)
    assert outcomes(done) == {"correct": SUMS}
    assert done.manifest.way_reason == "auto: takes no prefill (known)"
    assert (probes(server), len(asked)) == (0, SUMS)


def test_a_model_that_always_thinks_gets_room_for_it(sums: Benchmark, tmp_path: Path) -> None:
    thoughts = "A, B, C or D? " * 20
    with MessagesServer(answer=sums_answers(thinking=thoughts)) as server:
        done = ask(server, sums, tmp_path, THINKS)
    assert outcomes(done) == {"correct": SUMS}
    assert done.usage()["thinking_tokens"] > 100 * SUMS
    parameters = done.manifest.identity.parameters
    assert parameters == {"max_tokens": 4096, "output_config": {"effort": "low"}}


@pytest.mark.parametrize("way", ["prefill", "instructed"])
def test_the_way_stands_in_every_row(way: Way, sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer() as server:
        done = ask(server, sums, tmp_path, way=way)
    lines = (done.path / "responses.jsonl").read_text().splitlines()
    assert len(lines) == SUMS
    assert {json.loads(line)["way"] for line in lines} == {way}
    assert done.to_dataframe()["way"].unique().tolist() == [way]
    assert done.manifest.way_reason == "asked for"


@pytest.mark.parametrize(("way", "said"), [("prefill", "The answer is ({})"), ("instructed", "{}")])
def test_worked_examples_are_earlier_turns(
    way: Way, said: str, sums: Benchmark, tmp_path: Path
) -> None:
    examples = tuple(sums.question_set.questions[-4:])
    rest = sums.question_set.questions[:-4]
    with_examples = replace(sums, question_set=QuestionSet(questions=rest, examples=examples))
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, with_examples, tmp_path, way=way, shots=2)
        bodies = [record.body for record in questions_asked(server)]
    assert outcomes(done) == {"correct": len(rest)}
    labels = {said.format("ABCD"[question.right[0]]) for question in examples}
    for body in bodies:
        turns = [message["role"] for message in body["messages"]]
        assert turns[:5] == ["user", "assistant", "user", "assistant", "user"]
        assert {body["messages"][1]["content"], body["messages"][3]["content"]} <= labels
    # The examples of a subject are its own, so that prompts share their beginning.
    assert len({json.dumps(body["messages"][:4]) for body in bodies}) == 2


def test_more_examples_than_there_are_is_an_error(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer() as server, pytest.raises(PromptError, match="3 worked examples wanted"):
        ask(server, sums, tmp_path, MIDDLE, shots=3)
    assert (server.requests, folders(tmp_path)) == ([], [])


def test_a_sample_is_drawn_by_the_seed(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        five, other, seven = (
            ask(server, sums, tmp_path, limit=limit, seed=seed)
            for limit, seed in ((5, 0), (5, 1), (7, 0))
        )
    names = [{score.question.id for score in done.scores} for done in (five, other, seven)]
    assert [len(part) for part in names] == [5, 5, 7]
    assert names[0] < names[2]
    assert names[0] != names[1]


def test_a_run_tells_how_many_rows_are_no_questions_of_the_set(tmp_path: Path) -> None:
    write_sums(tmp_path / "sums.jsonl")
    (tmp_path / "odd.toml").write_text(
        """
        version = "1"
        [source]
        files = ["sums.jsonl"]
        [columns]
        stem = "question"
        choices = "choices"
        answer = "answer"
        where = { column = "subject", is = "odd" }
        """,
        encoding="utf-8",
    )
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, load_benchmark(tmp_path / "odd.toml"), tmp_path / "results")
    assert (done.summary.questions, done.manifest.filtered) == (SUMS // 2, SUMS // 2)
    assert load_run(done.path).to_dict()["filtered_rows"] == SUMS // 2


def test_the_benchmark_may_be_a_file(tmp_path: Path) -> None:
    path = write_sums(tmp_path / "mine.jsonl")
    with MessagesServer(answer=sums_answers()) as server:
        done = run(str(path), OLD, endpoint=endpoint_of(server), results=str(tmp_path / "r"))
    assert done.manifest.identity.benchmark == "mine"
    assert outcomes(done) == {"correct": SUMS}


# The same again, and something else


def test_the_same_run_again_asks_nothing(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        first = ask(server, sums, tmp_path)
        asked = len(server.requests)
        again = ask(server, sums, tmp_path)
        assert len(server.requests) == asked
    assert again.to_dict() == first.to_dict()
    assert len(folders(tmp_path)) == 1


OTHER_SETTINGS: list[dict[str, Any]] = [
    {"way": "instructed"},
    {"limit": 10},
    {"limit": 10, "seed": 1},
    {"shots": 1},
    {"temperature": 0.5},
    {"temperature": None},
    {"prompt": PromptFormat(system="Be careful.")},
]


def test_settings_that_differ_give_another_folder(sums: Benchmark, tmp_path: Path) -> None:
    questions = tuple(sums.question_set.questions)
    benchmark = replace(
        sums, question_set=QuestionSet(questions=questions[2:], examples=questions[:2])
    )
    paths = []
    with MessagesServer(answer=sums_answers()) as server:
        for settings in ({}, *OTHER_SETTINGS):
            paths.append(ask(server, benchmark, tmp_path, **settings).path)
        paths.append(ask(server, benchmark, tmp_path, "claude-opus-4-5").path)
        paths.append(ask(server, sums, tmp_path).path)
        # What changes no answer does not.
        same = ask(server, benchmark, tmp_path, concurrency=3, retries=RetryPolicy(attempts=9))
    assert len(set(paths)) == len(paths) == len(folders(tmp_path))
    assert same.path == paths[0]


def test_a_failure_is_asked_again_and_an_answer_is_not(sums: Benchmark, tmp_path: Path) -> None:
    broken = {stem_of(number) for number in (4, 9, 20)}

    def plan(record: RequestRecord) -> Fault | None:
        text = last_user_text(record.body)
        return server_error() if any(stem in text for stem in broken) else None

    with MessagesServer(answer=sums_answers(), faults=plan) as server:
        first = ask(server, sums, tmp_path)
    assert outcomes(first) == {"correct": SUMS - 3, "failed": 3}
    assert not first.is_complete
    assert not (first.path / "summary.json").exists()
    assert {score.question.id for score in first.scores if score.correct is None} == {
        *("q4", "q9", "q20"),
    }
    with MessagesServer(answer=sums_answers(), port=port_of(server)) as server:
        done = ask(server, sums, tmp_path)
        assert {number_of(record) for record in questions_asked(server)} == {4, 9, 20}
    assert outcomes(done) == {"correct": SUMS}
    assert done.path == first.path
    assert (done.path / "summary.json").exists()


def port_of(server: MessagesServer) -> int:
    """The port, so that another server can take the place of one: the endpoint names the run."""
    return int(server.base_url.rpartition(":")[2])


def number_of(record: RequestRecord) -> int:
    """The number of the question asked."""
    match = re.search(r"How much is 100 \+ (\d+)\?", last_user_text(record.body))
    assert match is not None
    return int(match[1])


def test_what_fails_for_ever_does_not_keep_the_rest_from_being_asked(
    sums: Benchmark, tmp_path: Path
) -> None:
    # The first ten of the set always fail; a run that is broken off after them must go on.
    def plan(record: RequestRecord) -> Fault | None:
        number = number_of(record)
        return too_long() if 1 <= number <= 10 else unauthorized() if number > stops_at else None

    stops_at = 15
    with MessagesServer(answer=sums_answers(), faults=plan) as server:
        with pytest.raises(AuthenticationError):
            ask(server, sums, tmp_path, MIDDLE, concurrency=1)
        stops_at = 99
        before = len(server.requests)
        done = ask(server, sums, tmp_path, MIDDLE, concurrency=1)
        order = [number_of(record) for record in server.requests[before:]]
    assert order == [*range(16, SUMS), *range(1, 11)]
    assert outcomes(done) == {"correct": SUMS - 10, "failed": 10}
    # And once more: nothing but what fails is left, which is no reason to end in an error.
    again = MessagesServer(answer=server.answer, faults=server.faults, port=port_of(server))
    with again:
        last = ask(again, sums, tmp_path, MIDDLE)
        assert len(again.requests) == 10
    assert comparable(last) == comparable(done)


def too_long() -> Fault:
    """A 400 that is the question's own."""
    content = b'{"error": {"message": "prompt is too long: 9 tokens > 8 maximum"}}'
    return Fault(manner="page", status=400, content=content, content_type="application/json")


# Which way: what is known, found out, and out of date


def test_a_finding_is_remembered_for_that_model_and_endpoint(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(ignore_prefill=True, answer=sums_answers()) as server:
        first = ask(server, sums, tmp_path)
        again = ask(server, sums, tmp_path, limit=5)
        assert probes(server) == 1
    assert first.manifest.way_reason == "auto: takes no prefill (found out by a probe)"
    assert again.manifest.way_reason == "auto: takes no prefill (found out before)"
    assert first.manifest.identity.way == again.manifest.identity.way == "instructed"
    manifest = json.loads((again.path / "manifest.json").read_text())
    assert manifest["way_reason"] == "auto: takes no prefill (found out before)"


def test_a_finding_that_is_out_of_date_is_learned_from(
    sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        # Yesterday the endpoint took a prefill for this model.
        both = Capabilities(prefill=True, temperature=True)
        default_findings().remember(both, MIDDLE, endpoint_of(server).host)
        done = ask(server, sums, tmp_path, MIDDLE, progress=True)
        assert len(questions_asked(server)) == 1 + SUMS
        # The next run knows.
        ask(server, sums, tmp_path, MIDDLE, limit=5)
        assert len(questions_asked(server)) == 1 + SUMS + 5
        assert probes(server) == 0
    assert outcomes(done) == {"correct": SUMS}
    assert done.manifest.identity.way == "instructed"
    # The run by prefill that never got an answer is gone.
    assert [name.split("--")[2] for name in folders(tmp_path)] == ["instructed"] * 2
    assert "claude-sonnet-4-6 takes no prefill (This model does not support" in (
        capsys.readouterr().err
    )


def target_of(server: MessagesServer, model: str, capabilities: Capabilities) -> Target:
    """A model of which something is known before."""
    endpoint = endpoint_of(server)
    return Target(
        model=model,
        wire_model=model,
        endpoint=endpoint,
        host=endpoint.host,
        capabilities=capabilities,
        facts=find_model(model),
    )


def run_at(
    target: Target,
    benchmark: Benchmark,
    results: Path,
    findings: Findings | None = None,
    **settings: Any,
) -> Run:
    """Run at a target, saying on standard error what there is to say."""

    async def run() -> Run:
        async with Session() as session:
            return await run_at_target(
                benchmark,
                target,
                settings=RunSettings(**{"retries": QUICK, **settings}),
                results=results,
                progress=False,
                say=lambda line: print(line, file=sys.stderr),
                session=session,
                findings=findings,
            )

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("model", "known", "lost", "requests"),
    [
        # A catalogue that is out of date in one feature, or in two.
        (MIDDLE, Capabilities(prefill=True, temperature=True), {"prefill"}, 1),
        (NEW, Capabilities(prefill=False, temperature=True), {"temperature"}, 1),
        (NEW, Capabilities(prefill=True, temperature=True), {"prefill", "temperature"}, 2),
    ],
)
def test_a_catalogue_that_is_out_of_date_is_learned_from(
    model: str,
    known: Capabilities,
    lost: set[str],
    requests: int,
    sums: Benchmark,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        target = target_of(server, model, known)
        done = run_at(target, sums, tmp_path)
        assert len(server.requests) == requests + SUMS
        run_at(target, sums, tmp_path, limit=5)
        assert len(server.requests) == requests + SUMS + 5
    assert outcomes(done) == {"correct": SUMS}
    assert done.manifest.identity.way == "instructed"
    assert done.manifest.way_reason == "auto: takes no prefill (found out before)"
    assert ("temperature" in done.manifest.identity.parameters) is ("temperature" not in lost)
    err = capsys.readouterr().err
    assert {
        word for word in ("prefill", "temperature") if f"{model} takes no {word} (" in err
    } == lost


def test_a_prefill_that_is_refused_in_the_middle_is_learned_from(
    sums: Benchmark, tmp_path: Path
) -> None:
    words = b'{"error": {"message": "assistant prefill was switched off"}}'
    off = Fault(manner="page", status=400, content=words, content_type="application/json")

    def plan(record: RequestRecord) -> Fault | None:
        return off if prefill_of(record.body) and record.body_number > 11 else None

    with MessagesServer(answer=sums_answers(), faults=plan) as server:
        done = ask(server, sums, tmp_path)
    assert done.manifest.identity.way == "instructed"
    assert outcomes(done) == {"correct": SUMS}
    # Ten answers by prefill are kept where they belong, and never mixed with the others.
    assert {score.row.way for score in done.scores if score.row} == {"instructed"}
    assert [name.split("--")[2] for name in folders(tmp_path)] == ["instructed", "prefill"]


def test_what_cannot_be_remembered_does_not_send_the_run_in_circles(
    sums: Benchmark, tmp_path: Path
) -> None:
    # A finding that is out of date, in a file that can't be replaced.
    path = tmp_path / "findings.json"
    with MessagesServer(answer=sums_answers()) as server:
        target = target_of(server, MIDDLE, find_model(MIDDLE).capabilities)
        both = Capabilities(prefill=True, temperature=True)
        Findings(path=path).remember(both, MIDDLE, target.host)
        before = path.read_bytes()
        path.with_name(f"findings.json.part{os.getpid()}").mkdir()
        done = run_at(target, sums, tmp_path / "results", Findings(path=path))
        assert len(server.requests) == 1 + SUMS
    assert path.read_bytes() == before
    assert outcomes(done) == {"correct": SUMS}


REFUSED = (
    "{model} takes no prefill; use --way auto or --way instructed (This model does not support "
    "assistant message prefill. The conversation must end with a user message. (status 400))"
)


@pytest.mark.parametrize("model", [MIDDLE, NEW, THINKS])
def test_a_prefill_that_was_asked_for_and_is_refused_is_one_clear_error(
    model: str, sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MessagesServer() as server:
        with pytest.raises(InvalidRequestError) as caught:
            ask(server, sums, tmp_path, model, way="prefill", progress=True)
        assert str(caught.value) == REFUSED.format(model=model)
        assert caught.value.status == 400
        assert len(server.requests) == 1
        # Once more: the finding makes it no fallback either.
        with pytest.raises(InvalidRequestError):
            ask(server, sums, tmp_path, model, way="prefill")
    assert folders(tmp_path) == []
    assert "arning" not in capsys.readouterr().err


def test_a_prefill_that_was_asked_for_and_is_ignored_is_asked_all_the_same(
    sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MessagesServer(ignore_prefill=True) as server:
        done = ask(server, sums, tmp_path, way="prefill", progress=True)
        assert len([r for r in questions_asked(server) if prefill_of(r.body)]) == SUMS
    assert done.manifest.identity.way == "prefill"
    # A turn of its own, cut off after its first word, is no answer.
    assert outcomes(done) == {"unparsed": SUMS}
    assert (
        "Warning: claude-haiku-4-5 takes no prefill (found out by a probe); --way auto would ask "
        "otherwise"
    ) in capsys.readouterr().err


def test_a_400_that_names_what_was_not_sent_is_the_questions_own(
    sums: Benchmark, tmp_path: Path
) -> None:
    # As from a server that repeats the question, which is about the temperature.
    words = b'{"error": {"message": "invalid: \'At what temperature does water boil?\'"}}'
    echo = Fault(manner="page", status=400, content=words, content_type="application/json")

    def plan(record: RequestRecord) -> Fault | None:
        asked = record in questions_asked(server)
        return echo if asked and number_of(record) == 7 else None

    with MessagesServer(answer=sums_answers(), faults=plan) as server:
        done = ask(server, sums, tmp_path, temperature=None)
        assert outcomes(done) == {"correct": SUMS - 1, "failed": 1}
        # Where it was sent, the run does without it, and ends all the same.
        done = ask(server, sums, tmp_path)
        assert outcomes(done) == {"correct": SUMS - 1, "failed": 1}
        assert "temperature" not in done.manifest.identity.parameters


def test_a_400_that_names_what_is_never_sent_ends_the_run(sums: Benchmark, tmp_path: Path) -> None:
    words = b'{"error": {"message": "this server wants a temperature"}}'
    wants = Fault(manner="page", status=400, content=words, content_type="application/json")
    with MessagesServer(faults=from_message_on(1, wants)) as server:
        with pytest.raises(InvalidRequestError, match="this server wants a temperature"):
            ask(server, sums, tmp_path, MIDDLE, temperature=None)
        assert len(server.requests) == 3


# Outcomes


def test_six_outcomes_are_kept_apart(sums: Benchmark, tmp_path: Path) -> None:
    right = sums_answers()
    replies = {
        0: Reply(refusal="bio"),
        1: Reply(stop_reason="refusal", text="I would rather"),
        # So long that it is cut off a second time.
        2: Reply("Let me look at each of the choices in turn: " * 20),
        3: Reply("I don't know."),
        4: Reply(""),
        5: Reply("Z"),
    }

    def answer(body: Any) -> Reply:
        number = int(last_user_text(body).split("+ ")[1].split("?")[0])
        return replies.get(number) or right(body)

    def plan(record: RequestRecord) -> Fault | None:
        return overloaded() if number_of(record) in (6, 7) else None

    with MessagesServer(answer=answer, faults=plan) as server:
        done = ask(server, sums, tmp_path, MIDDLE)
    found = {score.question.id: score.answer.outcome.value for score in done.scores}
    assert {f"q{number}": found[f"q{number}"] for number in range(9)} == {
        "q0": "refused",
        "q1": "refused",
        "q2": "truncated",
        "q3": "unparsed",
        "q4": "unparsed",
        "q5": "unparsed",
        "q6": "failed",
        "q7": "failed",
        "q8": "answered",
    }
    assert outcomes(done) == {
        "correct": SUMS - 8,
        "unparsed": 3,
        "refused": 2,
        "truncated": 1,
        "failed": 2,
    }
    # Replies without a choice are not correct; what failed is missing.
    accuracy = done.summary.accuracy
    assert accuracy is not None
    assert (accuracy.n, accuracy.estimate) == (SUMS - 2, (SUMS - 8) / (SUMS - 2))
    refused = next(score.row for score in done.scores if score.question.id == "q0")
    assert refused is not None
    assert getattr(refused.result, "refusal_category") == "bio"  # noqa: B009 - a failure has none


# Servers that deviate


@pytest.mark.parametrize("way", ["prefill", "instructed"])
@pytest.mark.parametrize(
    "deviation",
    [
        {"echo_prefill": True},
        {"bare": True},
        {"bare": True, "echo_prefill": True},
        {"close_silently_every": 4},
    ],
    ids=lambda deviation: "+".join(deviation),
)
def test_deviations_change_no_number(
    deviation: dict[str, Any], way: Way, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        expected = ask(server, sums, tmp_path / "official", way=way)
    with MessagesServer(answer=sums_answers(wrong_share=0.3), **deviation) as server:
        done = ask(server, sums, tmp_path / "deviant", way=way, retries=replace(QUICK, attempts=8))
        assert server.answered_again == 0
    assert done.summary == expected.summary


def test_a_stop_sequence_that_ends_a_turn_is_tolerated(sums: Benchmark, tmp_path: Path) -> None:
    # evalkit sends none, but a server may have its own: `end_turn`, and text without the bracket.
    def answer(body: Any) -> Reply:
        return replace(right(body), stop_reason="end_turn")

    right = sums_answers()
    with MessagesServer(answer=answer, bare=True) as server:
        done = ask(server, sums, tmp_path)
    assert outcomes(done) == {"correct": SUMS}
    assert done.to_dataframe()["stop_reason"].unique().tolist() == ["end_turn"]


def test_a_server_that_names_no_request_and_no_model_is_tolerated(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(bare=True, answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path, "any/model:latest")
    table = done.to_dataframe()
    assert table["request_id"].isna().all()
    assert table["message_id"].str.startswith("chatcmpl-").all()
    assert table["cache_read_input_tokens"].isna().all()
    assert table["output_tokens"].tolist() == [1] * SUMS
    assert outcomes(done) == {"correct": SUMS}


def test_500_for_a_clients_mistake_is_retried_so_often_and_shown(
    sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MessagesServer(mistakes_as_500=True, answer=sums_answers()) as server:
        # The model takes no temperature, which this server says with the wrong status.
        target = target_of(server, NEW, Capabilities(prefill=False, temperature=True))
        with pytest.raises(ServerError, match=r"`temperature` is deprecated .*\(status 500\)"):
            run_at(target, sums, tmp_path)
        assert len(server.requests) == 3 * QUICK.attempts


def test_why_questions_failed_is_shown(
    sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = b'{"error": {"code": 500, "message": "image input is not supported"}}'
    fault = Fault(manner="page", status=500, content=words, content_type="application/json")
    plan = first_attempts(fault, attempts=99, every=10)
    with MessagesServer(answer=sums_answers(), faults=plan) as server:
        done = ask(server, sums, tmp_path, progress=True)
        assert len(server.requests) == 1 + SUMS + 3 * (QUICK.attempts - 1)
    assert "3 failed: image input is not supported (status 500)" in capsys.readouterr().err
    assert done.to_dict()["failures"] == [
        {"kind": "server", "message": "image input is not supported (status 500)", "count": 3}
    ]


# Faults

ENDS_THE_RUN: dict[str, type[ApiError]] = {
    "unauthorized": AuthenticationError,
    "spend_limit_reached": BillingError,
}
FAILS: dict[str, type[ApiError]] = {
    "rate_limited": RateLimitError,
    "overloaded": OverloadedError,
    "server_error": ServerError,
    "timed_out": ServerError,
    "bad_gateway": ServerError,
    "web_page": UnreadableResponseError,
    "empty_body": UnreadableResponseError,
    "cut_in_half": ConnectionFailedError,
    "connection_reset": ConnectionFailedError,
    "hang": ConnectionFailedError,
}


REFUSES: dict[str, type[ApiError]] = {"page_too_large": InvalidRequestError}


def fault_of(name: str) -> Fault:
    """The fault, with a wait that a test can bear."""
    return rate_limited(0.001) if name == "rate_limited" else FAULTS[name]()


def test_the_tables_of_faults_are_complete() -> None:
    assert sorted([*ENDS_THE_RUN, *FAILS, *REFUSES]) == sorted(FAULTS)


@pytest.mark.parametrize("name", FAILS)
def test_a_fault_that_passes_changes_nothing_in_the_table(
    name: str, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        expected = ask(server, sums, tmp_path / "calm")
    plan = at_random({fault_of(name): 0.3}, attempts=2)
    with MessagesServer(answer=sums_answers(wrong_share=0.3), faults=plan) as server:
        endpoint = endpoint_of(server, timeout_seconds=0.3 if name == "hang" else 10.0)
        done = ask(server, sums, tmp_path / "stormy", endpoint=endpoint)
        assert len(server.requests) > SUMS + 1
        # A page with status 200 counts as an answer at the server.
        assert server.answered_again == 0 or name in ("web_page", "empty_body")
    assert comparable(done) == comparable(expected)


@pytest.mark.parametrize("name", [*FAILS, *REFUSES])
def test_a_fault_that_stays_is_missing_data(name: str, sums: Benchmark, tmp_path: Path) -> None:
    def plan(record: RequestRecord) -> Fault | None:
        asked = record in questions_asked(server)
        return fault_of(name) if asked and number_of(record) in (3, 8, 21) else None

    with MessagesServer(answer=sums_answers(), faults=plan) as server:
        endpoint = endpoint_of(server, timeout_seconds=0.3 if name == "hang" else 10.0)
        done = ask(server, sums, tmp_path, endpoint=endpoint)
        attempts = 1 if name in REFUSES else QUICK.attempts
        assert len(questions_asked(server)) == SUMS + 3 * (attempts - 1)
    assert outcomes(done) == {"correct": SUMS - 3, "failed": 3}
    kinds = {s.row.result.kind for s in done.scores if s.row and is_failure(s.row.result)}  # type: ignore[union-attr]
    assert kinds == {(FAILS | REFUSES)[name]("").kind}
    assert done.summary.accuracy is not None
    assert done.summary.accuracy.estimate == 1


def is_failure(result: object) -> bool:
    return isinstance(result, RequestFailure)


@pytest.mark.parametrize("name", ENDS_THE_RUN)
def test_a_fault_that_concerns_all_ends_the_run_and_the_same_command_goes_on(
    name: str, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        expected = ask(server, sums, tmp_path / "calm")
    plan = from_message_on(12, fault_of(name))
    with MessagesServer(answer=sums_answers(wrong_share=0.3), faults=plan) as server:
        with pytest.raises(ENDS_THE_RUN[name]):
            ask(server, sums, tmp_path / "stormy", concurrency=4)
        server.faults = no_faults
        [folder] = (tmp_path / "stormy").iterdir()
        kept = open_run_folder(folder).read_journal().rows
        assert all(row.is_response for row in kept)
        assert 7 <= len(kept) <= 10
        before = len(server.requests)
        done = ask(server, sums, tmp_path / "stormy", concurrency=4)
        again = {number_of(record) for record in server.requests[before:]}
        assert again.isdisjoint(int(row.question_id[1:]) for row in kept)
    assert comparable(done) == comparable(expected) | {"way_reason": done.manifest.way_reason}


# Mistakes that must cost next to nothing


@pytest.mark.parametrize("way", ["auto", "prefill", "instructed"])
@pytest.mark.parametrize("model", [OLD, MIDDLE])
def test_a_wrong_key_stops_at_the_first_answer(
    model: str, way: str, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(key="another") as server:
        endpoint = replace(endpoint_of(server), api_key="wrong")
        with pytest.raises(AuthenticationError) as caught:
            ask(server, sums, tmp_path, model, endpoint=endpoint, way=way)
        assert len(server.requests) == 1
        assert str(caught.value) == (
            f"{endpoint.host} does not accept the key: invalid x-api-key (status 401)"
        )
    assert folders(tmp_path) == []


@pytest.mark.parametrize("way", ["auto", "prefill", "instructed"])
@pytest.mark.parametrize("model", ["claude-nope", "claude-mythos-preview"])
def test_an_unknown_model_stops_at_the_first_answer(
    model: str, way: str, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer() as server:
        with pytest.raises(NotFoundError, match=f"has no model '{model}'"):
            ask(server, sums, tmp_path, model, way=way)
        assert len(server.requests) == 1
    assert folders(tmp_path) == []


@pytest.mark.parametrize("model", [OLD, MIDDLE])
def test_no_server_at_all(model: str, sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer() as server:
        pass
    with pytest.raises(ConnectionFailedError, match=f"no connection to {server.base_url[7:]}: "):
        ask(server, sums, tmp_path, model)


def test_an_endpoint_that_breaks_down_ends_the_run_and_keeps_the_answers(
    sums: Benchmark, tmp_path: Path
) -> None:
    many = [
        replace(question, id=f"{question.id}-{copy}", stem=f"{copy}. {question.stem}")
        for copy in range(5)
        for question in sums.question_set.questions
    ]
    benchmark = replace(sums, question_set=QuestionSet(questions=tuple(many)))
    with MessagesServer(answer=sums_answers(), faults=from_message_on(42, overloaded())) as server:
        with pytest.raises(OverloadedError):
            ask(server, benchmark, tmp_path, concurrency=1)
        [folder] = tmp_path.iterdir()
        rows = open_run_folder(folder).read_journal().rows
        assert sum(row.is_response for row in rows) == 40
        assert sum(not row.is_response for row in rows) == 25
        server.faults = no_faults
        assert outcomes(ask(server, benchmark, tmp_path)) == {"correct": 150}


# Disks and locks


def test_a_second_process_on_the_same_run_is_refused(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path)
        (done.path / "responses.jsonl").write_bytes(b"")
        before = len(server.requests)
        with (
            held_by_another_process(done.path),
            pytest.raises(RunLockedError, match="another process is running"),
        ):
            ask(server, sums, tmp_path)
        assert len(server.requests) == before
        assert outcomes(ask(server, sums, tmp_path)) == {"correct": SUMS}


def test_a_full_disk_keeps_what_was_there_and_says_so(
    sums: Benchmark,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with MessagesServer(answer=sums_answers()) as server:
        with disk_of(5000), pytest.raises(RunError, match="can't be written: File too large"):
            ask(server, sums, tmp_path, progress=True)
        [folder] = tmp_path.iterdir()
        kept = open_run_folder(folder).read_journal().rows
        assert 5 < len(kept) < 15
        # The bar counted nothing that is not on disk; of the last group, here the only one, a part
        # may be.
        [counted] = re.findall(r"(\d+)/30", capsys.readouterr().err.rpartition("\r")[2])
        assert int(counted) <= len(kept)
        before = len(server.requests)
        done = ask(server, sums, tmp_path)
        again = {f"q{number_of(record)}" for record in server.requests[before:]}
        assert again == {f"q{n}" for n in range(SUMS)} - {row.question_id for row in kept}
    assert outcomes(done) == {"correct": SUMS}


def test_a_disk_that_is_full_at_the_end_says_so(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        first = ask(server, sums, tmp_path)
        (first.path / "summary.json").unlink()
        with disk_of(600), pytest.raises(RunError, match=r"summary\.json can't be written: "):
            ask(server, sums, tmp_path)
        assert ask(server, sums, tmp_path).to_dict() == first.to_dict()
    assert (first.path / "summary.json").exists()


@pytest.mark.parametrize("begun_before", [False, True])
def test_a_results_folder_that_cannot_be_written_is_an_error(
    begun_before: bool, sums: Benchmark, tmp_path: Path
) -> None:
    path = write_sums(tmp_path / "sums.jsonl")
    results = tmp_path / "results"
    results.mkdir()
    with MessagesServer(answer=sums_answers()) as server:
        if begun_before:
            done = run(path, MIDDLE, endpoint=endpoint_of(server), results=results)
            (done.path / "responses.jsonl").write_bytes(b"")
            (done.path / ".lock").unlink()
            done.path.chmod(0o555)
        asked = len(server.requests)
        results.chmod(0o555)
        try:
            finished = subprocess.run(
                [
                    *(sys.executable, "-c", AS_ANYBODY, "-m", "evalkit", "run", str(path)),
                    *("--model", MIDDLE, "--base-url", server.base_url),
                    *("--results", str(results), "--quiet"),
                ],
                cwd=ROOT,
                env=os.environ | {"ANTHROPIC_API_KEY": server.key},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            results.chmod(0o755)
        assert len(server.requests) == asked
    assert finished.returncode == 4
    assert re.fullmatch(
        rf"evalkit: {results}\S* can't be (made|written): Permission denied\n", finished.stderr
    )


def test_a_moved_folder_can_be_read_and_a_copy_goes_on(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        done = ask(server, sums, tmp_path / "results")
        moved = done.path.rename(tmp_path / "moved")
        assert load_run(moved).summary == done.summary
        # Moved back into another results folder under its name, it is the same run there.
        (tmp_path / "elsewhere").mkdir()
        moved.rename(tmp_path / "elsewhere" / done.path.name)
        before = len(server.requests)
        assert ask(server, sums, tmp_path / "elsewhere").summary == done.summary
        assert len(server.requests) == before


def test_a_manifest_of_another_format_is_refused_before_anything_is_asked(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path)
        manifest = done.path / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"format": 1', '"format": 2'))
        before = len(server.requests)
        with pytest.raises(RunFormatError, match=r"manifest\.json has format 2; evalkit"):
            ask(server, sums, tmp_path)
        assert len(server.requests) == before


def test_a_garbled_line_is_reported_and_asked_again(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        done = ask(server, sums, tmp_path)
        journal = done.path / "responses.jsonl"
        lines = journal.read_bytes().split(b"\n")
        lost = json.loads(lines[6])["question"]
        lines[6] = b"\x00" * len(lines[6])
        journal.write_bytes(b"\n".join(lines))
        assert load_run(done.path).garbled_lines == (7,)
        assert load_run(done.path).summary.not_asked == 1
        before = len(server.requests)
        again = ask(server, sums, tmp_path)
        assert [f"q{number_of(record)}" for record in server.requests[before:]] == [lost]
    assert again.summary == done.summary
    assert again.garbled_lines == (7,)


# Progress


def test_progress_begins_where_the_earlier_run_ended(
    sums: Benchmark,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with MessagesServer(
        answer=sums_answers(), faults=from_message_on(12, unauthorized())
    ) as server:
        with pytest.raises(AuthenticationError):
            ask(server, sums, tmp_path, concurrency=1)
        server.faults = no_faults
        capsys.readouterr()
        ask(server, sums, tmp_path, progress=True, concurrency=1)
    states = re.findall(r"(\d+)/30", capsys.readouterr().err)
    assert (states[0], states[-1]) == ("10", "30")


def test_progress_shows_the_accuracy(
    sums: Benchmark,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        done = ask(server, sums, tmp_path, progress=True)
    last = capsys.readouterr().err.rpartition("\r")[2]
    assert last.startswith("sums claude-haiku-4-5 prefill: 100%")
    accuracy = done.summary.accuracy
    assert accuracy is not None
    assert f"accuracy {100 * accuracy.estimate:.1f} %" in last


def test_without_progress_nothing_is_said(
    sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MessagesServer(ignore_prefill=True) as server:
        ask(server, sums, tmp_path, way="prefill")
    assert capsys.readouterr() == ("", "")


# Keys


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
def test_a_key_is_written_nowhere(
    name: str,
    sums: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, SECRET)
    monkeypatch.chdir(tmp_path)
    words = json.dumps({"error": {"message": f"invalid key {SECRET}"}}).encode()
    echo = Fault(manner="page", status=401, content=words, content_type="application/json")
    busy = json.dumps({"error": {"message": f"{SECRET} has too many requests"}}).encode()
    failing = Fault(manner="page", status=500, content=busy, content_type="application/json")

    def plan(record: RequestRecord) -> Fault | None:
        number = number_of(record) if record in questions_asked(server) else 0
        return failing if number % 5 == 4 else echo if number > stops_at else None

    stops_at = 15
    with MessagesServer(key=SECRET, faults=plan) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
        settings = RunSettings(retries=QUICK)
        with pytest.raises(AuthenticationError) as caught:
            run(sums, OLD, settings=settings, results=tmp_path / "results")
        stops_at = 99
        done = run(sums, OLD, settings=settings, results=tmp_path / "results")
        sent = {r.headers.get("x-api-key") or r.headers["authorization"] for r in server.requests}
    assert all(SECRET in header for header in sent)
    assert done.summary.failed == 6
    assert "invalid key ***" in str(caught.value)
    shown = [repr(caught.value), str(caught.value), repr(done), json.dumps(done.to_dict())]
    shown += [done.to_dataframe().to_csv(), *capfd.readouterr()]
    assert not any(SECRET[:12] in text for text in shown)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    written.append(default_findings().path)
    assert len(written) >= 4
    for path in written:
        assert SECRET[:12].encode() not in path.read_bytes()


# Where it is called


def test_it_runs_inside_a_running_event_loop(sums: Benchmark, tmp_path: Path) -> None:
    async def cell(server: MessagesServer) -> Run:
        return ask(server, sums, tmp_path)

    with MessagesServer(answer=sums_answers()) as server:
        assert outcomes(asyncio.run(cell(server))) == {"correct": SUMS}


def test_an_error_reaches_the_caller_in_a_running_event_loop(
    sums: Benchmark, tmp_path: Path
) -> None:
    async def cell(server: MessagesServer) -> Run:
        return ask(server, sums, tmp_path, "claude-nope")

    with MessagesServer() as server, pytest.raises(NotFoundError):
        asyncio.run(cell(server))


def test_it_can_be_awaited(sums: Benchmark, tmp_path: Path) -> None:
    path = write_sums(tmp_path / "sums.jsonl")
    settings = RunSettings(retries=QUICK)

    async def both(server: MessagesServer) -> list[Run]:
        endpoint = endpoint_of(server)
        jobs = [
            run_async(benchmark, model, settings=settings, endpoint=endpoint, results=results)
            for benchmark, model, results in (
                (path, OLD, tmp_path / "one"),
                (sums, MIDDLE, str(tmp_path / "two")),
            )
        ]
        return await asyncio.gather(*jobs)

    with MessagesServer(answer=sums_answers()) as server:
        one, two = asyncio.run(both(server))
    assert (one.manifest.identity.way, two.manifest.identity.way) == ("prefill", "instructed")
    assert outcomes(one) == outcomes(two) == {"correct": SUMS}


def test_an_interrupt_in_a_notebook_ends_the_run(sums: Benchmark, tmp_path: Path) -> None:
    async def cell(server: MessagesServer) -> Run:
        return ask(server, sums, tmp_path)

    def interrupt(server: MessagesServer) -> None:
        wait_until(lambda: len(server.requests) >= 12)
        os.kill(os.getpid(), signal.SIGINT)

    # A kernel runs its loop without the handler of asyncio.run, which would take the signal.
    kernel = asyncio.new_event_loop()
    with MessagesServer(answer=sums_answers(), latency_seconds=0.5) as server:
        thread = threading.Thread(target=interrupt, args=(server,))
        thread.start()
        started = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            kernel.run_until_complete(cell(server))
        thread.join()
        kernel.close()
        # It does not wait for the rest: probe, first question and 29 more, 8 at a time.
        assert time.monotonic() - started < 2.5
        assert len(server.requests) < 1 + SUMS
        server.latency_seconds = 0.0
        [folder] = tmp_path.iterdir()
        kept = open_run_folder(folder).read_journal().rows
        assert kept
        before = len(server.requests)
        assert outcomes(ask(server, sums, tmp_path)) == {"correct": SUMS}
        assert len(server.requests) - before == SUMS - len(kept)


def wait_until(condition: Any, seconds: float = 20.0) -> None:
    """Wait for something that happens in another process or thread."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
