"""What has to be said before runs are compared: in what else they differ, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evalkit.comparability import describe_served
from evalkit.reports.imports import describe_import
from evalkit.reports.tables import clean, percent
from evalkit.reports.wording import count, several
from evalkit.version import __version__

if TYPE_CHECKING:
    from evalkit.comparisons import Comparison
    from evalkit.run_pairs import ComparedRun
    from evalkit.standings import BenchmarkComparison


def list_warnings(comparison: Comparison) -> Iterator[str]:
    """What keeps a difference from being one of models or prompts alone."""
    for compared in comparison.benchmarks:
        words = describe_settings(compared)
        if words:
            yield (
                f"{clean(compared.benchmark)}: the runs were not asked alike, which may be part of "
                f"their differences: {clean(words)}"
            )
        yield from list_run_warnings(compared)
    yield from list_versions([each for c in comparison.benchmarks for each in c.runs])


def describe_settings(compared: BenchmarkComparison) -> str:
    """In what the runs of compared pairs were asked differently, with who was asked how."""
    found: dict[str, dict[str, set[int]]] = {}
    for pair in compared.pairs:
        for each in pair.differences:
            values = found.setdefault(each.name, {})
            values.setdefault(each.first, set()).add(pair.baseline.number)
            values.setdefault(each.second, set()).add(pair.candidate.number)
    return "; ".join(
        f"{name}: "
        + ", ".join(
            f"{value} {''.join(f'({number})' for number in sorted(who))}"
            for value, who in values.items()
        )
        for name, values in found.items()
    )


def list_run_warnings(compared: BenchmarkComparison) -> Iterator[str]:
    """What has to be known of single runs, and of the questions that are left out."""
    for each in compared.runs:
        for words in describe_import(each.run):
            yield f"({each.number}) {words}"
        served = describe_served(each.run)
        if served is not None:
            yield f"({each.number}) {clean(served)}"
        if each.run.summary.holds_chance and each.run.manifest.identity.knows_choices:
            yield f"({each.number}) can't be told from chance, where little can be lost or gained"
        if each.left_out:
            yield (
                f"({each.number}) has {count(each.left_out, 'question')} that not all the others "
                "have: left out"
            )
        if each.missing:
            yield f"({each.number}) lacks {percent(each.missing)} % of its replies"
    if compared.unanswered:
        yield (
            f"{clean(compared.benchmark)}: {count(compared.unanswered, 'question')} without a "
            "reply in one of the runs: left out"
        )


def list_versions(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """Which versions of evalkit asked, and which one has read the replies."""
    versions: dict[str, list[str]] = {}
    for each in runs:
        versions.setdefault(each.run.manifest.evalkit_version, []).append(f"({each.number})")
    if len(versions) > 1:
        asked = "; ".join(f"{clean(name)}: {', '.join(who)}" for name, who in versions.items())
        unkept = [f"({r.number})" for r in runs if not r.run.manifest.identity.keep_text]
        but = f", but for {several(unkept)}, read when they were asked" if unkept else ""
        yield (
            f"asked by several versions of evalkit ({asked}); all replies were read by "
            f"{__version__}{but}"
        )
