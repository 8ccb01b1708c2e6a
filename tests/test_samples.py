"""Several responses a question: the question stays the unit, its score is their mean."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import scipy.stats

from evalkit.benchmarks import Benchmark
from evalkit.errors import AuthenticationError, UsageError
from evalkit.results import Run
from evalkit.settings import RunSettings
from evalkit.testing.messages_body import last_user_text
from evalkit.testing.messages_faults import Fault, no_faults, unauthorized
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import SUMS, sums_answers
from tests.test_evaluation import MIDDLE, OLD, ask, number_of, outcomes, too_long

K = 3


def moody() -> Any:
    """A model that gives question number n the right answer n % 4 times out of three."""
    asked: Counter[int] = Counter()
    right, wrong = sums_answers(), sums_answers(wrong_share=1.0)

    def answer(body: Any) -> Reply:
        number = int(last_user_text(body).split("+ ")[1].split("?")[0])
        asked[number] += 1
        return (right if asked[number] <= number % 4 else wrong)(body)

    return answer


SHARES = [(number % 4) / K for number in range(SUMS)]


@pytest.fixture
def done(sums: Benchmark, tmp_path: Path) -> Run:
    with MessagesServer(answer=moody()) as server:
        run = ask(server, sums, tmp_path, MIDDLE, samples=K)
        assert len(server.requests) == K * SUMS
    return run


def test_the_question_is_the_unit(done: Run) -> None:
    summary = done.summary
    assert (summary.questions, summary.samples, summary.asked) == (SUMS, K, SUMS)
    assert summary.correct == round(sum(SHARES) * K)
    assert (summary.replied, summary.is_complete) == (K * SUMS, True)
    accuracy = summary.accuracy
    assert accuracy is not None
    assert accuracy.n == SUMS
    mean = math.fsum(SHARES) / SUMS
    low, high = scipy.stats.t.interval(0.95, SUMS - 1, loc=mean, scale=scipy.stats.sem(SHARES))
    assert accuracy.estimate == pytest.approx(mean)
    assert [accuracy.low, accuracy.high] == pytest.approx([low, high])
    assert summary.chance == pytest.approx(0.25)
    assert [group.questions for group in done.groups] == [SUMS // 2, SUMS // 2]
    facts = done.to_dict()
    assert (facts["samples"], facts["questions"], facts["n"]) == (K, SUMS, SUMS)
    assert sum(facts["outcomes"].values()) == K * SUMS


def test_each_response_is_a_row_of_the_table(done: Run) -> None:
    table = done.to_dataframe()
    assert len(table) == K * SUMS
    assert table["sample"].tolist() == [0, 1, 2] * SUMS
    assert table.groupby("question_id")["correct"].mean()["q2"] == pytest.approx(2 / 3)
    assert done.confusion().to_numpy().sum() == K * SUMS


def test_the_same_body_is_sent_for_each_sample_and_none_is_lost_for_it(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        run = ask(server, sums, tmp_path, MIDDLE, samples=K, limit=4)
        bodies = Counter(record.body_digest for record in server.requests)
    assert set(bodies.values()) == {K}
    assert len({row.request_id for row in run.rows}) == K * 4


@pytest.mark.parametrize(
    ("samples", "temperature", "sent"),
    [(1, "default", 0.0), (K, "default", None), (K, 0.5, 0.5), (K, None, None), (1, None, None)],
)
def test_several_samples_are_drawn_at_the_endpoints_own_temperature(
    samples: int, temperature: Any, sent: float | None, sums: Benchmark, tmp_path: Path
) -> None:
    chosen = RunSettings(samples=samples, temperature=temperature)
    assert chosen.sent_temperature == sent
    with MessagesServer(answer=sums_answers()) as server:
        run = ask(server, sums, tmp_path, MIDDLE, samples=samples, temperature=temperature, limit=2)
        assert {record.body.get("temperature") for record in server.requests} == {sent}
    assert run.manifest.identity.parameters.get("temperature") == sent


def test_another_number_of_samples_is_another_run(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        runs = [
            ask(server, sums, tmp_path, OLD, samples=k, temperature=0.5, limit=2) for k in (1, 2)
        ]
        # The probe, two, and four: nothing is taken over.
        assert len(server.requests) == 1 + 2 + 4
    assert len({run.path for run in runs}) == 2


def test_a_run_broken_off_asks_only_the_samples_that_are_missing(
    sums: Benchmark, tmp_path: Path
) -> None:
    # One body after the other: the first 40 responses are 13 questions and one sample.
    def plan(record: RequestRecord) -> Fault | None:
        return unauthorized() if record.number > 40 else None

    with MessagesServer(answer=moody(), faults=plan) as server:
        with pytest.raises(AuthenticationError):
            ask(server, sums, tmp_path, MIDDLE, samples=K, concurrency=1)
        server.faults = no_faults
        before = len(server.requests)
        done = ask(server, sums, tmp_path, MIDDLE, samples=K, concurrency=1)
        asked = Counter(number_of(record) for record in server.requests[before:])
    assert asked == {13: 2} | dict.fromkeys(range(14, SUMS), K)
    assert done.is_complete
    assert outcomes(done)["correct"] == round(sum(SHARES) * K)


def test_a_run_is_complete_when_every_sample_came(sums: Benchmark, tmp_path: Path) -> None:
    # Of one question a single sample fails, of another all.
    def plan(record: RequestRecord) -> Fault | None:
        number = number_of(record)
        fails = number == 9 or (number == 7 and record.attempt == 1)
        return too_long() if fails else None

    with MessagesServer(answer=sums_answers(), faults=plan) as server:
        done = ask(server, sums, tmp_path, MIDDLE, samples=K)
    summary = done.summary
    assert (summary.failed, summary.asked, summary.is_complete) == (K + 1, SUMS - 1, False)
    # The two that came of the one are its score; the other is missing, not wrong.
    assert summary.accuracy is not None
    assert (summary.accuracy.estimate, summary.accuracy.n) == (1.0, SUMS - 1)
    assert not (done.path / "summary.json").exists()


def test_nothing_is_drawn_less_than_once() -> None:
    with pytest.raises(UsageError, match="samples 0: expected at least 1"):
        RunSettings(samples=0)
