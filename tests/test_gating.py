"""The gate on the live runner says what the pure gate says, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.api.retries import RetryPolicy
from evalkit.baselines import baseline_of
from evalkit.benchmarks import Benchmark
from evalkit.candidates import settings_of
from evalkit.errors import RunMismatchError, UsageError
from evalkit.gating import GateResult, cap_concurrency, gate, gate_async, set_up
from evalkit.prompts import PromptFormat
from evalkit.results import Run, load_run
from evalkit.runs.gate_files import list_records, read_record
from evalkit.runs.journal import JournalRow, read_journal
from evalkit.runs.manifest import Orders
from evalkit.selection import Selection
from evalkit.settings import RunSettings
from evalkit.stats.sequential import GateTerms
from evalkit.stats.verdicts import Verdict
from evalkit.testing.messages_faults import (
    FaultPlan,
    at_random,
    either,
    rate_limited,
    server_error,
    slow,
)
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, ROOT, endpoint_of
from tests.gate_runs import (
    BRIEF,
    HAIKU,
    KIND,
    Answers,
    candidates_in,
    complete,
    decide,
    load_sums,
    make_run,
    number_of,
    order_of,
    write_prompt,
)
from tests.worker_processes import wait_until

N = 200

TERMS = GateTerms(margin=0.02)

PATIENT = RetryPolicy(attempts=6, first_seconds=0.001, longest_seconds=0.01)

ROUGH: FaultPlan = either(
    at_random({rate_limited(None, retry_after_ms=20): 0.15}, seed=3),
    at_random({slow(0.08): 0.2, slow(0.03): 0.3}, seed=5, attempts=9),
)
"""Some requests are refused at first, half of them are slow: answers come out of order."""


@pytest.fixture
def answers() -> Answers:
    """The baseline gets every tenth sum wrong; so does the candidate."""
    tenth = range(0, N, 10)
    return Answers(wrong={"": tenth, "Be brief.": tenth, "Be kind.": tenth})


@pytest.fixture
def server(answers: Answers) -> Iterator[MessagesServer]:
    with MessagesServer(answer=answers) as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path) -> Benchmark:
    return load_sums(tmp_path, N)


@pytest.fixture
def baseline(server: MessagesServer, bench: Benchmark, tmp_path: Path) -> Run:
    return make_run(server, bench, tmp_path / "results", concurrency=32)


def hold(
    server: MessagesServer, baseline: Run, *, terms: GateTerms = TERMS, **arguments: Any
) -> GateResult:
    """A gate on the candidate that has another prompt."""
    settings = arguments.pop("settings", None) or settings_of(baseline)
    return gate(
        baseline,
        settings=replace(settings, retries=arguments.pop("retries", QUICK)),
        prompt=arguments.pop("prompt", BRIEF),
        terms=terms,
        endpoint=endpoint_of(server),
        results=baseline.path.parent,
        progress=False,
        **arguments,
    )


def rows_in(folder: Path | str) -> tuple[JournalRow, ...]:
    """The journal of a run."""
    return read_journal(Path(folder) / "responses.jsonl").rows


WRONG: list[tuple[str, list[int]]] = [
    ("nothing changed", list(range(0, N, 10))),
    ("two losses", [*range(0, N, 10), 51, 133]),
    ("as many gains", [*range(10, N, 10), 51]),
    ("five losses, one more than the margin", [*range(0, N, 10), 1, 2, 3, 5, 7]),
    ("broken", list(range(0, N, 4))),
    ("better", []),
]


@pytest.mark.parametrize("wrong", [wrong for _, wrong in WRONG], ids=[name for name, _ in WRONG])
@pytest.mark.parametrize("faults", [None, ROUGH], ids=["calm", "rough"])
def test_the_verdict_and_its_question_are_those_of_the_pure_gate(
    wrong: list[int],
    faults: FaultPlan | None,
    server: MessagesServer,
    answers: Answers,
    baseline: Run,
    bench: Benchmark,
) -> None:
    answers.wrong["Be brief."] = wrong
    if faults is not None:
        server.faults = faults
    result = hold(server, baseline, retries=PATIENT)
    [record] = result.gates
    arrived = [row.question_id for row in rows_in(record.folder)]

    server.faults = lambda record: None
    whole = complete(server, bench, baseline.path.parent)
    expected = decide(baseline, whole, TERMS)
    assert str(whole.path) == record.folder, "the candidate is an ordinary run"
    assert (record.verdict, record.used) == (expected.verdict, expected.used)
    assert (record.losses, record.gains) == (expected.losses, expected.gains)
    assert record.pass_evidence == expected.pass_evidence
    assert record.fail_evidence == expected.fail_evidence
    assert record.drop == expected.drop_interval()
    assert record.used <= record.asked <= N
    assert len(record.trace[0]) == len(record.trace[1]) == record.used
    assert record.trace[0][-1] == pytest.approx(expected.pass_evidence, abs=1e-4)
    if faults is not None:
        order, _ = order_of(baseline, whole, TERMS)
        assert arrived != [name for name in order if name in set(arrived)], "they came otherwise"


def test_questions_are_asked_in_the_order_drawn_and_none_twice(
    server: MessagesServer, baseline: Run, bench: Benchmark
) -> None:
    before = len(server.requests)
    [record] = hold(server, baseline, settings=replace(settings_of(baseline), concurrency=1)).gates
    asked = [f"q{number_of(each.body)}" for each in server.requests[before:]]
    assert server.answered_again == 0
    order, _ = order_of(baseline, complete(server, bench, baseline.path.parent), TERMS)
    assert asked == order[: len(asked)]
    assert record.used == 122
    assert len(asked) == record.asked < N


def test_the_same_call_again_asks_nothing_and_says_the_same(
    server: MessagesServer, baseline: Run
) -> None:
    first = hold(server, baseline)
    asked = len(server.requests)
    again = hold(server, baseline)
    assert again.to_dict() == first.to_dict()
    assert len(server.requests) == asked


def copy_of(baseline: Run, results: Path) -> Run:
    """A baseline in another folder of runs: gates on it have the same order."""
    return load_run(shutil.copytree(baseline.path, results / baseline.path.name))


def name_of(record: RequestRecord) -> str:
    """The question that a request is about."""
    return f"q{number_of(record.body)}"


def test_what_is_in_flight_at_the_verdict_is_broken_off(
    server: MessagesServer, answers: Answers, baseline: Run, tmp_path: Path
) -> None:
    """The questions behind the verdict would be answered much later."""
    answers.wrong["Be brief."] = range(0, N, 3)
    trial = copy_of(baseline, tmp_path / "trial")
    [first] = hold(server, trial).gates
    order, _ = order_of(trial, load_run(first.folder), TERMS)
    behind = set(order[first.used :])
    server.faults = lambda record: slow(30.0) if name_of(record) in behind else None
    began = time.monotonic()
    settings = replace(settings_of(baseline), concurrency=16, budget=5.0)
    [record] = hold(server, baseline, settings=settings).gates
    assert time.monotonic() - began < 15
    assert (record.verdict, record.used) == (Verdict.REGRESSED, first.used)
    rows = rows_in(record.folder)
    assert record.asked > len(rows) == record.used
    assert record.lost > 0, "a request broken off may have been paid for"
    assert all(row.is_response for row in rows), "and counts neither as failed nor as answered"


def test_a_failure_that_the_order_reaches_makes_it_invalid_and_starts_nothing_more(
    server: MessagesServer, answers: Answers, baseline: Run, bench: Benchmark
) -> None:
    victims: list[int] = []

    def fail(record: RequestRecord) -> Any:
        number = number_of(record.body)
        if len(victims) < 30 and number not in victims:
            victims.append(number)
        return server_error() if victims[29:] and number == victims[29] else None

    server.faults, server.latency_seconds = fail, 0.02
    before = len(server.requests)
    settings = replace(settings_of(baseline), concurrency=4)
    result = hold(server, baseline, settings=settings)
    [record] = result.gates
    assert result.verdict is Verdict.INVALID
    assert f"question q{victims[29]}: " in record.reason
    assert record.used == 29
    # While it is tried again, and until its failure is on disk, some more are begun.
    assert len(server.requests) - before < 80

    server.faults = lambda record: None
    [record] = hold(server, baseline, settings=settings).gates
    assert record.asked < 170, "what had failed was asked in its place, not last"
    server.latency_seconds = 0.0
    assert server.answered_again == 0
    whole = complete(server, bench, baseline.path.parent)
    expected = decide(baseline, whole, TERMS)
    assert (record.verdict, record.used) == (expected.verdict, expected.used)


def test_a_failure_behind_the_verdict_does_not_matter(
    server: MessagesServer, answers: Answers, baseline: Run
) -> None:
    """The gate ends at 122 unflipped answers; the last question of the order never answers."""
    settings = replace(settings_of(baseline), concurrency=1)
    first = hold(server, baseline, settings=settings)
    [record] = first.gates
    whole = load_run(record.folder)
    order, _ = order_of(baseline, whole, TERMS)
    last = int(order[-1].removeprefix("q"))
    server.faults = lambda record: server_error() if number_of(record.body) == last else None
    assert hold(server, baseline, settings=settings).verdict is Verdict.NO_REGRESSION


def test_a_budget_of_questions_ends_it_inconclusively_and_a_larger_one_goes_on(
    server: MessagesServer, baseline: Run, bench: Benchmark
) -> None:
    before = len(server.requests)
    [record] = hold(server, baseline, terms=replace(TERMS, budget=50)).gates
    assert (record.verdict, record.used, record.asked) == (Verdict.INCONCLUSIVE, 50, 50)
    assert record.more is not None
    assert 1 <= record.more <= N - 50
    assert len(server.requests) - before == 50
    [further] = hold(server, baseline, terms=replace(TERMS, budget=150)).gates
    assert (further.verdict, further.used) == (Verdict.NO_REGRESSION, 122)
    assert further.plan.seed == record.plan.seed
    assert server.answered_again == 0


def test_a_budget_of_dollars_ends_it_inconclusively(server: MessagesServer, baseline: Run) -> None:
    settings = replace(settings_of(baseline), budget=0.004, concurrency=2)
    result = hold(server, baseline, settings=settings)
    [record] = result.gates
    assert result.verdict is Verdict.INCONCLUSIVE
    assert 0 < record.used < 122
    assert record.spent is not None
    assert record.spent <= 0.004
    further = hold(server, baseline, settings=replace(settings, budget=1.0))
    assert further.verdict is Verdict.NO_REGRESSION


def test_with_a_fail_margin_a_smaller_drop_is_called_a_regression(
    server: MessagesServer, answers: Answers, baseline: Run, bench: Benchmark
) -> None:
    answers.wrong["Be brief."] = [*range(0, N, 10), 1, 2, 3, 7, 9]
    terms = replace(TERMS, margin=0.05, fail_margin=0.0)
    [record] = hold(server, baseline, terms=terms).gates
    expected = decide(baseline, complete(server, bench, baseline.path.parent), terms)
    assert (record.verdict, record.used) == (expected.verdict, expected.used)


@pytest.mark.parametrize("samples", [(3, 1), (1, 3), (3, 3)])
def test_several_answers_a_question_make_fractional_scores(
    samples: tuple[int, int], server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    baseline = make_run(server, bench, results, samples=samples[0], temperature=1.0)
    server.faults = ROUGH
    settings = replace(settings_of(baseline), samples=samples[1])
    [record] = hold(server, baseline, settings=settings, retries=PATIENT).gates
    server.faults = lambda record: None
    whole = complete(server, bench, results, samples=samples[1], temperature=1.0)
    expected = decide(baseline, whole, TERMS)
    assert record.plan.is_binary is (samples[1] == 1)
    assert (record.verdict, record.used) == (expected.verdict, expected.used)
    assert (record.plan.noise_floor is None) is (samples[0] == 1)


@pytest.mark.parametrize("orders", [(2, 2), (None, "cyclic")])
def test_a_question_counts_when_it_was_answered_in_all_orders(
    orders: tuple[Orders | None, Orders], server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    baseline = make_run(server, bench, results, orders=orders[0])
    assert settings_of(baseline).orders == orders[0]
    server.faults = ROUGH
    settings = replace(settings_of(baseline), orders=orders[1])
    [record] = hold(server, baseline, settings=settings, retries=PATIENT).gates
    server.faults = lambda record: None
    whole = complete(server, bench, results, orders=orders[1])
    expected = decide(baseline, whole, TERMS)
    assert not record.plan.is_binary
    assert record.plan.noise_floor is None, "orders tell nothing of what is chance"
    assert (record.verdict, record.used) == (expected.verdict, expected.used)


def test_runs_of_the_same_model_weigh_the_questions(
    server: MessagesServer, answers: Answers, baseline: Run, bench: Benchmark, tmp_path: Path
) -> None:
    answers.wrong["Be kind."] = [*range(0, N, 10), 3, 5]
    earlier = make_run(server, bench, tmp_path / "results", prompt=KIND)
    [record] = hold(server, baseline).gates
    lot = record.plan.lot
    weighted = {
        name: weight for name, weight in zip(lot.ids, lot.weights, strict=True) if weight > 1
    }
    assert weighted == {"q3": 4.0, "q5": 4.0}
    assert record.plan.lot.history == (earlier.manifest.identity.run_id,)
    assert record.plan.lot.flips == pytest.approx(2 / N)
    whole = complete(server, bench, tmp_path / "results")
    expected = decide(baseline, whole, TERMS)
    assert (record.verdict, record.used) == (expected.verdict, expected.used)


def test_a_run_that_appears_meanwhile_does_not_change_the_order(
    server: MessagesServer, answers: Answers, baseline: Run, bench: Benchmark, tmp_path: Path
) -> None:
    [first] = hold(server, baseline, terms=replace(TERMS, budget=20)).gates
    answers.wrong["Be kind."] = [*range(0, N, 10), 3, 5]
    make_run(server, bench, tmp_path / "results", prompt=KIND)
    [second] = hold(server, baseline).gates
    assert second.plan.lot == first.plan.lot
    assert second.plan.lot.history == ()


def test_full_asks_everything_and_judges_questions_like_these(
    server: MessagesServer, answers: Answers, baseline: Run
) -> None:
    answers.wrong["Be brief."] = [*range(0, N, 10), 1, 2, 3]
    [record] = hold(server, baseline, full=True, terms=GateTerms(margin=0.04)).gates
    assert record.full is not None
    assert (record.used, record.asked) == (N, N)
    assert record.full.drop == pytest.approx(3 / N)
    assert record.full.on_this_set is Verdict.NO_REGRESSION
    assert record.full.interval.method == "Tango"
    assert record.full.interval.level == pytest.approx(0.9)
    assert record.full.interval.low > -0.04
    assert record.final is Verdict.NO_REGRESSION
    assert load_run(record.folder).is_complete


def test_full_is_inconclusive_where_the_interval_holds_the_margin(
    server: MessagesServer, answers: Answers, baseline: Run
) -> None:
    answers.wrong["Be brief."] = [*range(0, N, 10), 1, 2, 3]
    result = hold(server, baseline, full=True)
    [record] = result.gates
    assert record.full is not None
    assert result.verdict is record.full.verdict is Verdict.INCONCLUSIVE
    assert record.full.on_this_set is Verdict.NO_REGRESSION


def test_full_with_a_failure_is_invalid(server: MessagesServer, baseline: Run) -> None:
    server.faults = lambda record: server_error() if number_of(record.body) == 7 else None
    result = hold(server, baseline, full=True)
    assert result.verdict is Verdict.INVALID
    [record] = result.gates
    assert record.reason.startswith("question q7: ")
    assert record.asked == N, "the rest was asked all the same"


def test_several_benchmarks_are_judged_together(
    server: MessagesServer, answers: Answers, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    sets = [load_sums(tmp_path, N, "sums"), load_sums(tmp_path, 120, "fewer")]
    baselines = [make_run(server, each, results) for each in sets]
    answers.wrong["Be brief."] = [number for number in range(N) if number >= 120]
    server.faults = ROUGH
    result = gate(
        [baseline.path for baseline in baselines],
        prompt=BRIEF,
        settings=replace(settings_of(baselines[0]), retries=PATIENT),
        terms=TERMS,
        endpoint=endpoint_of(server),
        results=results,
        progress=False,
    )
    server.faults = lambda record: None
    assert [record.plan.suite for record in result.gates] == ["sums", "fewer"]
    terms = replace(TERMS, suites=2)
    for record, bench, baseline in zip(result.gates, sets, baselines, strict=True):
        expected = decide(baseline, complete(server, bench, results), terms)
        assert record.plan.terms == terms
        assert (record.verdict, record.used) == (expected.verdict, expected.used)
    assert [record.verdict for record in result.gates] == [
        Verdict.REGRESSED,
        Verdict.NO_REGRESSION,
    ]
    assert result.verdict is Verdict.REGRESSED


def test_questions_that_the_baseline_has_no_reply_to_are_left_out(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    server.faults = lambda record: server_error() if number_of(record.body) in (4, 8) else None
    baseline = make_run(server, bench, tmp_path / "results")
    assert not baseline.is_complete
    server.faults = lambda record: None
    [record] = hold(server, baseline).gates
    assert (record.plan.size, record.plan.left_out) == (N - 2, 2)
    assert {"q4", "q8"}.isdisjoint(record.plan.lot.ids)


def test_a_sample_of_the_baseline_can_be_asked(server: MessagesServer, baseline: Run) -> None:
    settings = replace(settings_of(baseline), limit=80)
    [record] = hold(server, baseline, settings=settings, terms=GateTerms(margin=0.1)).gates
    assert record.plan.size == 80
    assert record.verdict is Verdict.NO_REGRESSION


def test_nothing_new_is_no_candidate(server: MessagesServer, baseline: Run) -> None:
    with pytest.raises(UsageError, match="the candidate is the baseline itself"):
        hold(server, baseline, prompt=None)
    assert load_run(baseline.path).is_complete


def test_the_same_once_more_goes_into_another_folder(
    server: MessagesServer, baseline: Run, tmp_path: Path
) -> None:
    result = gate(
        baseline,
        settings=replace(settings_of(baseline), retries=QUICK),
        endpoint=endpoint_of(server),
        results=tmp_path / "again",
        progress=False,
    )
    [record] = result.gates
    assert (record.verdict, record.changed) == (Verdict.NO_REGRESSION, ())


def test_changed_questions_are_invalid(
    server: MessagesServer, baseline: Run, tmp_path: Path
) -> None:
    path = tmp_path / "sums.jsonl"
    path.write_text(path.read_text().replace("How much is 100 + 17?", "100 + 17 = ?"))
    before = len(server.requests)
    with pytest.raises(UsageError, match=r"^invalid: 1 questions are not those .* q17 for one"):
        hold(server, baseline, benchmark=path)
    assert len(server.requests) - before <= 1, "a probe at most"


def test_baselines_scores_that_changed_in_between_are_invalid(
    server: MessagesServer, baseline: Run
) -> None:
    hold(server, baseline, terms=replace(TERMS, budget=10))
    journal = baseline.path / "responses.jsonl"
    lines = journal.read_text().splitlines()
    place = next(place for place, line in enumerate(lines) if '"q5"' in line)
    table = json.loads(lines[place])
    assert table["response"]["text"].startswith("B"), "it was right"
    table["response"]["text"] = "C)"
    lines[place] = json.dumps(table)
    journal.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunMismatchError, match="not those that this gate began with"):
        hold(server, load_run(baseline.path))


def test_a_baseline_without_texts_needs_its_benchmark(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    baseline = make_run(server, bench, tmp_path / "results", keep_text=False)
    with pytest.raises(UsageError, match="holds no texts of its questions; name it by --benchmark"):
        hold(server, baseline)
    [record] = hold(server, baseline, benchmark=bench).gates
    assert record.verdict is Verdict.NO_REGRESSION
    assert not load_run(record.folder).manifest.identity.keep_text
    other = load_sums(tmp_path, N - 1, "other")
    with pytest.raises(UsageError, match=r"questions of the baseline .* no longer in other, q199"):
        hold(server, baseline, benchmark=other)


def test_a_baseline_without_texts_may_have_asked_a_part_of_its_benchmark(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    chosen = Selection(ids=tuple(q.id for q in bench.question_set.questions[3:]))
    baseline = make_run(server, bench, tmp_path / "results", keep_text=False, selection=chosen)
    [record] = hold(server, baseline, benchmark=bench).gates

    assert record.verdict is Verdict.NO_REGRESSION


def test_another_way_of_asking_is_said(
    server: MessagesServer, baseline: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    gate(
        baseline,
        settings=replace(settings_of(baseline, way="instructed"), retries=QUICK),
        endpoint=endpoint_of(server),
        results=baseline.path.parent,
    )
    err = capsys.readouterr().err
    assert "Warning: the baseline was asked by way prefill, the candidate by instructed" in err
    assert "sums: about 164 of 200 questions expected if nothing has changed" in err
    assert "evidence of a pass 3." in err


@pytest.mark.parametrize("settings", [{"batch": True}, {"workers": 2}])
def test_batches_and_workers_are_refused(settings: dict[str, Any], baseline: Run) -> None:
    with pytest.raises(UsageError, match="by neither batches nor workers"):
        set_up(baseline_of(baseline), None, None, replace(settings_of(baseline), **settings))


def test_two_baselines_of_one_benchmark_are_refused(server: MessagesServer, baseline: Run) -> None:
    with pytest.raises(UsageError, match="one baseline a benchmark"):
        gate([baseline, baseline], prompt=BRIEF, endpoint=endpoint_of(server), progress=False)


def test_as_many_are_in_flight_as_a_tenth_of_the_questions_expected(baseline: Run) -> None:
    def most(settings: RunSettings, delta: float) -> tuple[int | None, int]:
        contest = set_up(baseline_of(baseline), None, None, settings)
        [capped] = cap_concurrency([contest], GateTerms(margin=delta))
        return capped.settings.concurrency, capped.settings.max_concurrency

    settings = settings_of(baseline)
    assert most(settings, 0.02) == (None, 16)
    assert most(settings, 0.3) == (None, 4)
    assert most(replace(settings, max_concurrency=7), 0.02) == (None, 7)
    assert most(replace(settings, concurrency=64), 0.02) == (64, 256)


def test_it_can_be_awaited_and_called_where_an_event_loop_runs(
    server: MessagesServer, baseline: Run
) -> None:
    async def both() -> None:
        first = await gate_async(
            str(baseline.path),
            prompt=BRIEF,
            endpoint=endpoint_of(server),
            results=baseline.path.parent,
            progress=False,
        )
        assert first.verdict is Verdict.NO_REGRESSION
        assert hold(server, baseline).to_dict() == first.to_dict()

    asyncio.run(both())


class Command:
    """`evalkit gate`, always the same, in processes of its own."""

    def __init__(self, server: MessagesServer, baseline: Run, folder: Path) -> None:
        self.results = baseline.path.parent
        self.baseline = baseline
        prompt = write_prompt(folder / "new.toml")
        self.arguments = [
            *(sys.executable, "-m", "evalkit", "gate", "--baseline", str(baseline.path)),
            *("--prompt", str(prompt), "--base-url", server.base_url, "--json"),
            *("--results", str(self.results), "--concurrency", "8"),
        ]
        self.environment = os.environ | {"ANTHROPIC_API_KEY": server.key, "PYTHONPATH": str(ROOT)}

    def start(self) -> subprocess.Popen[str]:
        """Begin, or go on."""
        return subprocess.Popen(
            self.arguments,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def stop_when(self, condition: Callable[[], bool], number: signal.Signals) -> int:
        """Run until something has happened, then send a signal; the exit code."""
        process = self.start()
        deadline = time.monotonic() + 60
        while not condition():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(number)
        process.communicate(timeout=60)
        return process.returncode

    @property
    def folder(self) -> Path:
        """The candidate's."""
        [path] = candidates_in(self.results, [self.baseline])
        return path

    def lines(self) -> int:
        """Answers on disk."""
        found = candidates_in(self.results, [self.baseline])
        journals = [path / "responses.jsonl" for path in found]
        return sum(path.read_bytes().count(b"\n") for path in journals if path.exists())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_it_goes_on_in_the_same_order_to_the_same_verdict(
    number: signal.Signals,
    server: MessagesServer,
    answers: Answers,
    baseline: Run,
    bench: Benchmark,
    tmp_path: Path,
) -> None:
    answers.wrong["Be brief."] = [*range(0, N, 10), 51, 133]
    server.faults, server.latency_seconds = ROUGH, 0.02
    command = Command(server, baseline, tmp_path)
    for least in (15, 45):
        code = command.stop_when(lambda least=least: command.lines() >= least, number)  # type: ignore[misc]
        assert code == (-signal.SIGKILL if number == signal.SIGKILL else 4)
    begun = {path.name: path.read_bytes() for path in command.folder.glob("gate-*.gz")}
    assert len(begun) == 1
    [path] = list_records(command.folder)
    assert read_record(path)["verdict"] is None
    kept = command.lines()
    process = command.start()
    out, err = process.communicate(timeout=60)
    [facts] = json.loads(out)["gates"]
    assert {path.name: path.read_bytes() for path in command.folder.glob("gate-*.gz")} == begun
    server.faults = lambda record: None
    whole = complete(server, bench, baseline.path.parent)
    expected = decide(baseline, whole, TERMS)
    assert (facts["verdict"], facts["used"]) == (str(expected.verdict), expected.used)
    assert (
        process.returncode
        == {Verdict.NO_REGRESSION: 0, Verdict.REGRESSED: 1}[Verdict(facts["verdict"])]
    ), err
    assert 45 <= kept < facts["used"]
    rows = [row.request_id for row in rows_in(whole.path)]
    assert len(rows) == len(set(rows)) == N
    # What was in flight at a kill had not come, or had not reached the disk.
    assert server.answered_again <= 3 * 8 + 60


def test_an_interrupt_in_a_library_call_leaves_what_there_is(
    server: MessagesServer, baseline: Run
) -> None:
    server.latency_seconds = 0.2

    def has_rows() -> bool:
        return any(rows_in(path) for path in candidates_in(baseline.path.parent, [baseline]))

    async def interrupt() -> None:
        job = asyncio.create_task(
            gate_async(
                baseline,
                prompt=BRIEF,
                endpoint=endpoint_of(server),
                results=baseline.path.parent,
                progress=False,
            )
        )
        await asyncio.to_thread(wait_until, has_rows)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    asyncio.run(interrupt())
    [path] = candidates_in(baseline.path.parent, [baseline])
    assert 0 < len(rows_in(path)) < N
    server.latency_seconds = 0.0
    assert hold(server, baseline).verdict is Verdict.NO_REGRESSION


def test_a_new_prompt_is_a_new_candidate(server: MessagesServer, baseline: Run) -> None:
    first = hold(server, baseline)
    second = hold(server, baseline, prompt=PromptFormat(system="Be sure."))
    assert first.gates[0].plan.seed != second.gates[0].plan.seed
    assert first.gates[0].folder != second.gates[0].folder


def test_another_model_is_asked_in_the_same_way(server: MessagesServer, baseline: Run) -> None:
    result = gate(
        baseline,
        model="claude-haiku-4-5-20251001",
        endpoint=endpoint_of(server),
        results=baseline.path.parent,
        progress=False,
    )
    [record] = result.gates
    candidate = load_run(record.folder).manifest.identity
    assert candidate.model != HAIKU == baseline.manifest.identity.model
    assert record.changed == ("model: claude-haiku-4-5 and claude-haiku-4-5-20251001",)
    assert candidate.parameters == baseline.manifest.identity.parameters
