"""Whole runs, as processes, at an endpoint that fails in every way or limits the rate."""

from __future__ import annotations

from collections import Counter as Tally
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from evalkit.runs.journal import JournalReader
from tests.bench_cases import EVALKIT, Bench, Case
from tests.bench_measure import Counter, own_upstream, spend
from tests.bench_upstream import ANSWERS, MANY_FAULTS

pytestmark = pytest.mark.slow

QUESTIONS = 5000


def run(
    folder: Path,
    *upstream_options: str,
    questions: int = QUESTIONS,
    arguments: tuple[str, ...] = (),
) -> tuple[Path, dict[str, int], dict[str, Any], int]:
    """Ask all questions; the folder, how they ended, what the upstream saw, how many are right."""
    with own_upstream(*upstream_options) as base_url, closing(Counter(base_url)) as counter:
        bench = Bench(folder, counter, knows_letters=True)
        path = bench.write_file(questions)
        command = EVALKIT.command(path, base_url, 64, folder)
        at = command.index("--concurrency")
        command[at : at + 2] = arguments
        spent = spend(command, folder)
        counts = counter.read()
    assert spent.code == 0, (folder / "err").read_text(encoding="utf-8")
    outcomes = EVALKIT.read_outcomes(spent, folder)
    return folder, outcomes, counts, bench.right[questions]


@pytest.mark.parametrize("arguments", [(), ("--concurrency", "64")])
def test_where_every_fifth_request_fails_each_question_is_answered_once_and_rightly(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    folder, outcomes, counts, right = run(
        tmp_path, "--latency-ms", "50", "--many-faults", arguments=arguments
    )
    assert outcomes["correct"] == right, "as without faults"
    assert outcomes["correct"] + outcomes["wrong"] == QUESTIONS
    [journal] = (folder / "results").glob("*/responses.jsonl*")
    rows = Tally(row.question_id for row in JournalReader(journal) if row.is_response)
    assert len(rows) == QUESTIONS
    assert set(rows.values()) == {1}
    assert all(row.is_response for row in JournalReader(journal))
    failures = sum(counts[kind] for kind, _ in MANY_FAULTS if kind not in ANSWERS)
    assert failures > 0.15 * QUESTIONS
    assert counts["requests"] <= QUESTIONS + failures + 5 < 1.35 * QUESTIONS
    assert counts["answered_again"] == 0
    # As many as the faults have cut off, and those that are open at once.
    broken = counts["resets"] + counts["truncated"]
    assert counts["connections_accepted"] <= counts["peak_concurrency"] + broken + 5


def test_six_hundred_a_minute_are_found_and_made_use_of(tmp_path: Path) -> None:
    seconds = 40
    options = ("--latency-ms", "50", "--per-minute", "600")
    with own_upstream(*options) as base_url, closing(Counter(base_url)) as counter:
        bench = Bench(tmp_path, counter, knows_letters=True)
        case = Case(contender=EVALKIT, questions=1000, connections=64)
        bench.run(case, end_after_seconds=seconds)
        counts = counter.read()
    late = counts["seconds"][10:seconds]
    passed, limited = (sum(column) for column in zip(*late, strict=True))
    assert limited <= 0.02 * (passed + limited)
    # Where no two may come at once, what arrives a little late can't be made up for.
    assert passed >= 0.92 * 10 * len(late)
