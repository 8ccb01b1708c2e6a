"""The question sets that a command names: loaded, with a word about what is odd in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evalkit.benchmarks import Benchmark
    from evalkit.progress import Say
    from evalkit.selection import Selection


def load_questions(
    names: Sequence[str],
    data_folder: Path | None,
    say: Say,
    *,
    split: str | None = None,
    selection: Selection | None = None,
) -> list[Benchmark]:
    """Load benchmarks.

    Args:
        names: of the benchmarks.
        data_folder: where published sets lie.
        say: takes what is odd in them.
        split: of each; None: the definition's own.
        selection: what is wanted of each, so that nothing is sent if there is no such thing.

    Raises:
        BenchmarkError: there is none of a name, or its files can't be used.
        UsageError: there is no such split, subject or id.
    """
    from evalkit.benchmarks import load_benchmark

    benchmarks = [load_benchmark(name, data_folder=data_folder, split=split) for name in names]
    for benchmark in benchmarks:
        note_faults(benchmark, say)
        if selection is not None:
            selection.filter(benchmark.question_set)
    return benchmarks


def note_faults(benchmark: Benchmark, say: Say) -> None:
    """Say what is odd about a question set that can be used all the same."""
    count, expected = len(benchmark.question_set.questions), benchmark.definition.questions
    if expected is not None and count != expected:
        say(f"{benchmark.name}: {count} questions on disk, the published set has {expected}")
    duplicates = benchmark.question_set.find_duplicates()
    if duplicates:
        pairs = "; ".join(f"{d.first} and {d.second}" for d in duplicates[:3])
        more = ", ..." if len(duplicates) > 3 else ""
        say(f"{benchmark.name}: {len(duplicates)} questions repeat an earlier one: {pairs}{more}")
    for duplicate in duplicates:
        if not duplicate.same_answer:
            say(f"{benchmark.name}: {duplicate.first} and {duplicate.second} contradict each other")
