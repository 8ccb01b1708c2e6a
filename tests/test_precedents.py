"""Two earlier runs on the same questions tell how many answers flip, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark
from evalkit.evaluation import run
from evalkit.precedents import Precedent, compare_earlier, find_precedent
from evalkit.questions import Question
from evalkit.results import Run
from evalkit.settings import RunSettings
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, endpoint_of, sums_answers
from tests.runs_in_memory import judged_run


def flipped(name: str, losses: int, n: int = 40, **changes: Any) -> Run:
    return judged_run(name, ["wrong"] * losses + ["correct"] * (n - losses), **changes)


def test_flips_are_the_share_of_questions_that_only_one_has_right() -> None:
    found = compare_earlier(flipped("a", 0), flipped("b", 6))
    assert found == Precedent(
        first="sums-a", second="sums-b", questions=40, flips=0.15, design_effect=None
    )


def test_at_least_one_question_is_taken_to_flip() -> None:
    found = compare_earlier(flipped("a", 3), flipped("b", 3))
    assert found is not None
    assert found.flips == 1 / 40


def test_clusters_tell_their_design_effect() -> None:
    def in_fives(question: Question) -> Question:
        return replace(question, cluster=str(int(question.id[1:]) // 5))

    runs = [flipped(name, losses, shape=in_fives) for name, losses in (("a", 0), ("b", 10))]
    found = compare_earlier(*runs)
    assert found is not None
    assert found.design_effect == pytest.approx(5.571, abs=1e-3)
    same = compare_earlier(runs[0], replace(runs[0], path=Path("results/again")))
    assert same is not None
    assert same.design_effect is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (flipped("a", 2, 29), flipped("b", 3, 29)),
        (flipped("a", 2), judged_run("b", {"x": "correct"})),
        (flipped("a", 2), flipped("b", 3, shape=lambda q: replace(q, stem="Other?"))),
    ],
    ids=["too few", "none in common", "other content"],
)
def test_runs_that_share_too_little_tell_nothing(first: Run, second: Run) -> None:
    assert compare_earlier(first, second) is None


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(answer=sums_answers(wrong_share=0.2)) as running:
        yield running


def ask(server: MessagesServer, sums: Benchmark, results: Path, model: str, **options: Any) -> Run:
    settings = RunSettings(retries=QUICK, **options)
    endpoint = endpoint_of(server)
    return run(sums, model, settings=settings, endpoint=endpoint, results=results, progress=False)


def test_runs_most_like_the_planned_one_are_taken(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    haiku, opus = "claude-haiku-4-5", "claude-opus-4-6"
    ask(server, sums, tmp_path, opus, way="structured")
    one = ask(server, sums, tmp_path, opus, way="instructed")
    mine = ask(server, sums, tmp_path, haiku, way="instructed")
    found = find_precedent(tmp_path, mine.manifest.identity)
    assert found is not None
    assert (found.first, found.second) == (mine.path.name, one.path.name)
    other = ask(server, sums, tmp_path, haiku, way="tool")
    found = find_precedent(tmp_path, mine.manifest.identity)
    assert found is not None
    assert (found.first, found.second) == (mine.path.name, other.path.name)


def test_what_can_not_be_read_is_passed_over(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    runs = [
        ask(server, sums, tmp_path, "claude-haiku-4-5", way=way)
        for way in ("instructed", "tool", "structured")
    ]
    (runs[0].path / "questions.jsonl.gz").write_bytes(b"garbled")
    (tmp_path / "empty").mkdir()
    found = find_precedent(tmp_path, runs[0].manifest.identity)
    assert found is not None
    assert {found.first, found.second} == {each.path.name for each in runs[1:]}


def test_a_pair_that_shares_too_little_gives_way_to_the_next(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    model = "claude-haiku-4-5"
    few = ask(server, sums, tmp_path, model, way="instructed", limit=9)
    whole = [ask(server, sums, tmp_path, model, way=way) for way in ("tool", "structured")]
    found = find_precedent(tmp_path, few.manifest.identity)
    assert found is not None
    assert {found.first, found.second} == {each.path.name for each in whole}


def test_one_run_or_another_benchmark_is_no_precedent(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    only = ask(server, sums, tmp_path, "claude-haiku-4-5", way="instructed")
    assert find_precedent(tmp_path, only.manifest.identity) is None
    ask(server, sums, tmp_path, "claude-haiku-4-5", way="tool")
    other = replace(only.manifest.identity, benchmark="facts")
    assert find_precedent(tmp_path, other) is None
    assert find_precedent(tmp_path / "nothing", only.manifest.identity) is None
