"""A candidate is asked as its baseline was: the same settings make the same run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.baselines import baseline_of
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.candidates import benchmark_of, settings_of, take_part
from evalkit.errors import UsageError
from evalkit.prompts import PromptFormat
from evalkit.results import Run
from evalkit.testing.messages_replies import same_letter_each_time
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import ROOT
from tests.gate_runs import BRIEF, load_sums, make_run

N = 8


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    with MessagesServer(answer=same_letter_each_time) as running:
        yield running


@pytest.fixture(scope="module")
def everyday() -> Benchmark:
    """A benchmark with worked examples and a prompt of its own."""
    return load_benchmark(ROOT / "benchmarks" / "everyday.toml")


HAIKU, OPUS, THINKER = "claude-haiku-4-5", "claude-opus-4-6", "claude-opus-5-5"

ASKED: list[dict[str, Any]] = [
    {},
    {"model": HAIKU, "temperature": None},
    {"model": HAIKU, "temperature": 0.7, "samples": 2},
    {"model": HAIKU, "samples": 2},
    {"model": HAIKU, "way": "instructed", "max_tokens": 5, "stop_sequences": ("END",)},
    {"model": HAIKU, "shots": 3, "seed": 7},
    {"model": HAIKU, "prompt": PromptFormat(system=("Be brief.", "Be kind."))},
    {"model": HAIKU, "way": "reasoned"},
    {"model": HAIKU, "way": "reasoned", "thought": "text"},
    {"model": HAIKU, "way": "tool"},
    {"model": OPUS, "way": "structured"},
    {"model": OPUS, "effort": "high"},
    {"model": THINKER},
    {"model": THINKER, "way": "reasoned", "max_tokens": 2000},
]


@pytest.mark.parametrize("asked", ASKED, ids=[str(asked) for asked in ASKED])
def test_the_settings_of_a_run_make_the_same_run(
    asked: dict[str, Any], server: MessagesServer, everyday: Benchmark, tmp_path: Path
) -> None:
    asked = {"model": HAIKU, **asked}
    model = asked.pop("model")
    run = make_run(server, everyday, tmp_path / "one", model=model, limit=N, **asked)
    settings = settings_of(run)
    again = make_run(
        server,
        benchmark_of(baseline_of(run), shots=settings.shots),
        tmp_path / "two",
        model=model,
        **{name: getattr(settings, name) for name in NAMES},
    )
    assert again.manifest.identity == run.manifest.identity
    assert [row.request_id for row in again.rows] != []
    assert {row.request_id for row in again.rows} == {row.request_id for row in run.rows}


NAMES = (
    *("way", "samples", "limit", "seed", "shots", "temperature", "effort", "thought"),
    *("max_tokens", "stop_sequences", "prompt", "resize", "keep_text"),
)


@pytest.fixture
def run(server: MessagesServer, tmp_path: Path) -> Run:
    return make_run(
        server,
        load_sums(tmp_path, N),
        tmp_path / "results",
        way="instructed",
        max_tokens=9,
        temperature=0.25,
    )


def test_another_way_has_its_own_room(run: Run) -> None:
    assert settings_of(run).max_tokens == 9
    other = settings_of(run, way="prefill")
    assert (other.way, other.max_tokens, other.temperature) == ("prefill", None, 0.25)


def test_another_model_decides_on_room_and_effort_itself(run: Run) -> None:
    other = settings_of(run, model=OPUS)
    assert (other.max_tokens, other.effort, other.temperature) == (None, None, 0.25)
    assert settings_of(run, model=HAIKU) == settings_of(run)


def test_worked_examples_that_are_not_there_are_asked_for(run: Run) -> None:
    assert benchmark_of(baseline_of(run), shots=0).question_set.questions == run.questions
    with pytest.raises(UsageError, match=r"holds no worked examples of its benchmark; name it by"):
        benchmark_of(baseline_of(run), shots=3)


def test_a_run_without_texts_is_known_by_its_digest(server: MessagesServer, tmp_path: Path) -> None:
    bench = load_sums(tmp_path, N)
    silent = make_run(server, bench, tmp_path / "results", keep_text=False, limit=5)
    with pytest.raises(UsageError, match="holds no texts of its questions"):
        benchmark_of(baseline_of(silent), shots=0)
    assert len(take_part(baseline_of(silent), bench).question_set.questions) == 5
    questions = bench.question_set.questions
    changed = tuple(replace(q, right=((q.right[0] + 1) % 4,)) for q in questions)
    other = replace(bench, question_set=replace(bench.question_set, questions=changed))
    with pytest.raises(UsageError, match="invalid: sums no longer has the questions"):
        take_part(baseline_of(silent), other)


def test_the_new_prompt_is_in_no_baseline(run: Run) -> None:
    assert settings_of(run).prompt == run.manifest.prompt != BRIEF
