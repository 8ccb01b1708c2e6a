"""Earlier runs weigh a gate's questions: of one model, complete, none that knows the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.baselines import baseline_of
from evalkit.benchmarks import Benchmark
from evalkit.earlier import find_earlier
from evalkit.prompts import PromptFormat
from evalkit.results import Run
from evalkit.runs.manifest import Identity
from evalkit.testing.messages_server import MessagesServer
from tests.gate_runs import BRIEF, KIND, Answers, load_sums, make_run

N = 12


@pytest.fixture(scope="module")
def server() -> Iterator[MessagesServer]:
    with MessagesServer(answer=Answers()) as running:
        yield running


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return load_sums(tmp_path_factory.mktemp("sums"), N)


@pytest.fixture
def baseline(server: MessagesServer, bench: Benchmark, tmp_path: Path) -> Run:
    return make_run(server, bench, tmp_path)


@pytest.fixture
def candidate(baseline: Run) -> Identity:
    """The baseline with the new prompt."""
    return replace(baseline.manifest.identity, prompt_digest=BRIEF.digest)


def found(baseline: Run, candidate: Identity, ids: set[str] | None = None) -> list[str]:
    names = ids or {question.id for question in baseline.questions}
    runs = find_earlier(baseline.path.parent, baseline_of(baseline), candidate, names)
    return [run.manifest.identity.run_id for run in runs]


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ({"prompt": KIND}, True),
        ({"shots": 0, "way": "instructed"}, True),
        ({"samples": 2}, True),
        ({"prompt": BRIEF}, False),
        ({"prompt": BRIEF, "samples": 3}, False),
        ({"prompt": BRIEF, "temperature": 0.5}, False),
        ({"prompt": KIND, "limit": 5}, False),
        ({"prompt": KIND, "keep_text": False}, False),
        ({"prompt": KIND, "model": "claude-opus-4-6"}, False),
    ],
)
def test_what_is_history(
    settings: dict[str, Any],
    counts: bool,
    server: MessagesServer,
    bench: Benchmark,
    baseline: Run,
    candidate: Identity,
    tmp_path: Path,
) -> None:
    other = make_run(server, bench, tmp_path, **settings)
    expected = [other.manifest.identity.run_id] if counts else []
    assert found(baseline, candidate) == expected


def test_a_run_has_to_hold_the_questions_of_the_gate_only(
    server: MessagesServer, bench: Benchmark, baseline: Run, candidate: Identity, tmp_path: Path
) -> None:
    other = make_run(server, bench, tmp_path, prompt=KIND, limit=5)
    ids = {question.id for question in other.questions}
    assert found(baseline, candidate, ids) == [other.manifest.identity.run_id]


def spoil_summary(path: Path) -> None:
    (path / "summary.json").unlink()


def spoil_questions(path: Path) -> None:
    (path / "questions.jsonl.gz").write_bytes(b"x")


def spoil_manifest(path: Path) -> None:
    (path / "manifest.json").write_text("{}")


def spoil_journal(path: Path) -> None:
    """The summary says that it is complete, the journal that it is not."""
    lines = (path / "responses.jsonl").read_text().splitlines()
    (path / "responses.jsonl").write_text("\n".join(lines[1:]) + "\n")


@pytest.mark.parametrize("spoil", [spoil_summary, spoil_questions, spoil_manifest, spoil_journal])
def test_a_run_that_is_not_whole_is_none(
    spoil: Callable[[Path], None],
    server: MessagesServer,
    bench: Benchmark,
    baseline: Run,
    candidate: Identity,
    tmp_path: Path,
) -> None:
    other = make_run(server, bench, tmp_path, prompt=KIND)
    assert found(baseline, candidate) == [other.manifest.identity.run_id]
    spoil(other.path)
    assert found(baseline, candidate) == []


def test_of_many_the_latest_eight_count_the_latest_last(
    server: MessagesServer, bench: Benchmark, baseline: Run, candidate: Identity, tmp_path: Path
) -> None:
    made = []
    for number in range(9):
        run = make_run(server, bench, tmp_path, prompt=PromptFormat(system=f"Number {number}."))
        path = run.path / "manifest.json"
        table = json.loads(path.read_text())
        table["created_at"] = f"2026-11-{10 + number:02}T00:00:00+00:00"
        path.write_text(json.dumps(table))
        made.append(run.manifest.identity.run_id)
    assert found(baseline, candidate) == made[1:]


def test_where_the_baseline_holds_no_texts_nothing_can_be_compared(
    server: MessagesServer, bench: Benchmark, tmp_path: Path, candidate: Identity
) -> None:
    silent = make_run(server, bench, tmp_path, keep_text=False)
    assert found(silent, candidate) == []
