"""Models side by side hold up no other, and an error ends the run that it concerns alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.cli.main import main
from evalkit.combinations import Combinations, Done, run_combinations
from evalkit.progress import ignore
from evalkit.runs.folder import open_run_folder
from evalkit.settings import RunSettings
from evalkit.testing.messages_faults import slow, unauthorized
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, SUMS, endpoint_of, sums_answers, write_sums
from tests.worker_processes import wait_until

FAST, SLOW = "claude-haiku-4-5", "claude-sonnet-4-5"
UNKNOWN = "claude-nothing-1"
SLOW_SECONDS = 0.1


def slow_model(record: RequestRecord) -> Any:
    """One model thinks for long about everything."""
    return slow(SLOW_SECONDS) if record.body.get("model") == SLOW else None


def messages_to(server: MessagesServer, model: str) -> list[RequestRecord]:
    """The messages that a model was asked for."""
    return [one for one in server.requests if one.is_message and one.body["model"] == model]


def run_all(
    server: MessagesServer,
    benchmarks: Sequence[Benchmark],
    models: Sequence[str],
    results: Path,
    settings: Sequence[RunSettings] = (RunSettings(retries=QUICK),),
) -> Done:
    """Run every combination."""
    done = Done()
    what = Combinations(
        benchmarks=benchmarks,
        models=models,
        settings=settings,
        endpoint=endpoint_of(server),
        results=results,
        progress=False,
        say=ignore,
    )
    asyncio.run(run_combinations(what, done))
    return done


@pytest.fixture
def others(tmp_path: Path) -> Benchmark:
    """The same sums as another benchmark."""
    return load_benchmark(write_sums(tmp_path / "others.jsonl"))


@pytest.mark.parametrize("order", [(FAST, SLOW), (SLOW, FAST)])
def test_a_slow_model_holds_up_no_other(
    order: tuple[str, str], sums: Benchmark, tmp_path: Path
) -> None:
    settings = [RunSettings(retries=QUICK, concurrency=1)]
    with MessagesServer(answer=sums_answers(), faults=slow_model) as server:
        done = run_all(server, [sums], order, tmp_path, settings)
        last = {model: messages_to(server, model)[-1].arrived for model in order}
        first = min(record.arrived for record in server.requests)
    assert [run.manifest.identity.model for run in done.list_runs()] == list(order)
    assert all(run.is_complete for run in done.list_runs())
    assert done.errors == []
    slow_seconds = last[SLOW] - first
    assert slow_seconds > SUMS * SLOW_SECONDS * 0.8
    # Had one waited for the other, both would have come to their end together.
    assert last[FAST] - first < slow_seconds * 2 / 3


def test_an_unknown_model_costs_its_own_table_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = str(write_sums(tmp_path / "sums.jsonl"))
    with MessagesServer(answer=sums_answers()) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        code = main(
            [
                *("run", questions, "--model", UNKNOWN, "--model", FAST, "--quiet"),
                *("--base-url", server.base_url, "--results", str(tmp_path / "results")),
            ]
        )
    out, err = capsys.readouterr()
    assert code == 2
    assert err.startswith("evalkit: ")
    assert UNKNOWN in err
    assert err.count("\n") == 1
    assert "Accuracy in percent" in out
    assert FAST in out
    assert UNKNOWN not in out


def test_the_same_error_of_all_models_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions = str(write_sums(tmp_path / "sums.jsonl"))
    with MessagesServer(faults=lambda record: unauthorized()) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        code = main(
            [
                *("run", questions, "--model", SLOW, "--model", FAST, "--quiet", "--json"),
                *("--base-url", server.base_url, "--results", str(tmp_path / "results")),
            ]
        )
    out, err = capsys.readouterr()
    assert code == 2
    assert err.count("\n") == 1
    assert json.loads(out) == {"runs": []}


def test_benchmarks_of_one_model_share_its_limits(
    sums: Benchmark, others: Benchmark, tmp_path: Path
) -> None:
    settings = [RunSettings(retries=QUICK, concurrency=3)]
    with MessagesServer(answer=sums_answers(), latency_seconds=0.02) as server:
        done = run_all(server, [sums, others], [FAST], tmp_path, settings)
        assert server.peak_concurrency == 3
        # They take turns: neither waits for the other's end.
        names = [run.manifest.identity.benchmark for run in done.list_runs()]
    assert names == ["sums", "others"]


def test_a_rate_is_for_all_benchmarks_of_a_model_and_each_model_has_its_own(
    sums: Benchmark, others: Benchmark, tmp_path: Path
) -> None:
    def seconds(benchmarks: Sequence[Benchmark], models: Sequence[str], name: str) -> float:
        settings = [RunSettings(retries=QUICK, requests_per_minute=1500.0)]
        with MessagesServer(answer=sums_answers()) as server:
            done = run_all(server, benchmarks, models, tmp_path / name, settings)
            assert all(run.is_complete for run in done.list_runs())
            times = [record.arrived for record in server.requests]
        return times[-1] - times[0]

    alone = seconds([sums], [FAST], "alone")
    both = seconds([sums, others], [FAST], "both")
    models = seconds([sums], [FAST, SLOW], "models")
    assert alone > SUMS / 25 * 0.9
    assert both > 1.7 * alone
    assert models < 1.6 * alone


def test_two_ways_that_turn_out_to_be_one_run_are_asked_once(
    sums: Benchmark, tmp_path: Path
) -> None:
    settings = [RunSettings(way=way, retries=QUICK) for way in ("auto", "prefill")]
    with MessagesServer(answer=sums_answers()) as server:
        done = run_all(server, [sums], [FAST], tmp_path, settings)
        assert server.answered_again == 0
        assert len(messages_to(server, FAST)) == SUMS + 1
    [run] = done.list_runs()
    assert run.is_complete
    assert done.errors == []
    assert len(open_run_folder(run.path).read_journal().rows) == SUMS


def test_an_interrupt_leaves_the_runs_that_are_done(sums: Benchmark, tmp_path: Path) -> None:
    done = Done()
    with MessagesServer(answer=sums_answers(), faults=slow_model) as server:
        what = Combinations(
            benchmarks=[sums],
            models=[SLOW, FAST],
            settings=[RunSettings(retries=QUICK, concurrency=1)],
            endpoint=endpoint_of(server),
            results=tmp_path,
            progress=False,
            say=ignore,
        )

        async def interrupt() -> None:
            running = asyncio.create_task(run_combinations(what, done))
            await asyncio.to_thread(wait_until, lambda: (1, 0, 0) in done.runs)
            running.cancel()
            await asyncio.wait([running])
            assert running.cancelled()

        asyncio.run(interrupt())
        assert len(messages_to(server, SLOW)) < SUMS, "it does not wait for the other"
    finished = [run for run in done.list_runs() if run.is_complete]
    assert [run.manifest.identity.model for run in finished] == [FAST]


def test_embedded_models_come_one_after_another_and_hold_up_no_other(
    sums: Benchmark, tmp_path: Path
) -> None:
    """There are no weights here: each fails when it is opened, in the order of the command."""
    embedded = [f"local/{tmp_path}/{name}.gguf" for name in ("one", "two", "three")]
    with MessagesServer(answer=sums_answers()) as server:
        done = run_all(server, [sums], [embedded[0], FAST, *embedded[1:]], tmp_path / "results")
    assert [model for model, _ in done.errors] == embedded
    [run] = done.list_runs()
    assert (run.manifest.identity.model, run.is_complete) == (FAST, True)


@pytest.mark.slow
def test_models_with_workers_of_their_own_hold_up_no_other(
    sums: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MessagesServer(answer=sums_answers(), faults=slow_model) as server:
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        settings = [RunSettings(retries=QUICK, concurrency=2, workers=2)]
        done = run_all(server, [sums], [SLOW, FAST], tmp_path, settings)
        assert server.answered_again == 0
    assert [run.is_complete for run in done.list_runs()] == [True, True]
