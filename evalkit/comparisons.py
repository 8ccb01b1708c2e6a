"""Runs compared on the questions that they share: in pairs, and over several benchmarks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.alignment import align_runs
from evalkit.averages import Average, average_contestants
from evalkit.comparison_json import benchmark_to_dict
from evalkit.contestants import name_contestants
from evalkit.errors import UsageError
from evalkit.pairing import group_runs
from evalkit.pairs import IntervalName, Methods, adjust
from evalkit.results import Run, load_run
from evalkit.run_pairs import PairOptions, RunPair, compare_pair, score_runs
from evalkit.standings import BenchmarkComparison
from evalkit.stats.verdicts import Verdict, overall_verdict

if TYPE_CHECKING:
    import pandas

MOST_MISSING = 0.005
"""The share of replies that a run may lack and still be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonOptions:
    """How runs are compared.

    Example:
        >>> ComparisonOptions(margin=0.02).all_pairs
        False
    """

    margin: float | None = None
    """The largest drop that is no regression, a fraction; None: no verdict."""
    all_pairs: bool = False
    """Compare each run with each other, and rank them, in place of all with the baseline."""
    interval: IntervalName = "tango"
    """Of a difference, where questions are right or wrong and stand alone."""
    exact: bool = False
    """McNemar's exact test in place of its mid-p version."""
    incomplete: bool = False
    """Compare runs that lack more than 0.5 % of their replies."""
    flips: int | None = 20
    """Flipped questions to name for each pair; None: all."""

    def __post_init__(self) -> None:
        if self.margin is not None and not 0 < self.margin < 0.5:
            points = f"{100 * self.margin:g}"
            raise UsageError(f"margin {points}: expected percentage points, more than 0, below 50")
        if self.margin is not None and self.all_pairs:
            raise UsageError(
                "a margin is one of a candidate against a baseline: leave out either the margin or "
                "the comparison of all pairs"
            )
        if self.flips is not None and self.flips < 0:
            raise UsageError(f"flips {self.flips}: expected at least 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Runs compared on one or several benchmarks."""

    options: ComparisonOptions
    benchmarks: tuple[BenchmarkComparison, ...] = field(repr=False)
    averages: tuple[Average, ...]
    """Over the benchmarks, of those who were asked all of them; empty: there is one benchmark."""
    alone: tuple[Run, ...]
    """Runs that are the only ones of their benchmark."""

    @property
    def pairs(self) -> tuple[RunPair, ...]:
        """All pairs compared, benchmark after benchmark."""
        return tuple(pair for each in self.benchmarks for pair in each.pairs)

    @property
    def verdict(self) -> Verdict | None:
        """What all comparisons say of the margin together; None if none was given."""
        said = [pair.judgement.verdict for pair in self.pairs if pair.judgement is not None]
        return overall_verdict(said) if said else None

    def to_dataframe(self) -> pandas.DataFrame:
        """One row for each pair and subject, after one for each pair over all questions.

        Returns:
            Columns `benchmark`, `baseline`, `candidate`, `group` (missing: all questions), `n`,
            `baseline_accuracy`, `candidate_accuracy`, `difference` (candidate - baseline) with
            `low`, `high`, `level` and `method` of its interval, `losses`, `gains`, `flips`,
            `p_value`, `test`, `adjusted_p` (Holm's; of subjects Benjamini and Hochberg's) and
            `clusters`. Shares and differences are fractions; what is undefined is NA.
        """
        from evalkit.reports.comparison_sheets import sheet_differences

        return sheet_differences(self).to_dataframe()

    def to_markdown(self) -> str:
        """A report of this comparison in Markdown."""
        from evalkit.reports.report import report_of_comparison

        return report_of_comparison(self).to_markdown()

    def _repr_html_(self) -> str:
        """Findings and tables, for notebooks."""
        from evalkit.reports.report import report_of_comparison

        return report_of_comparison(self)._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`; shares and differences are fractions, undefined is None."""
        return {
            "margin": self.options.margin,
            "verdict": self.verdict,
            "benchmarks": [benchmark_to_dict(each) for each in self.benchmarks],
            "averages": [each.to_dict() for each in self.averages],
            "not_compared": [str(run.path) for run in self.alone],
        }


def compare(
    runs: Sequence[Run | Path | str],
    *,
    baseline: Run | Path | str | None = None,
    options: ComparisonOptions | None = None,
) -> Comparison:
    """Compare runs on the questions that they have in common; no model is asked.

    Questions are paired by id, and have to be the same word by word; those of imported runs are
    paired by their content. Of each benchmark, the questions count that all of its runs have and
    got a reply to.

    Args:
        runs: at least two, of one or several benchmarks; folders are read.
        baseline: what the others are compared with; one of the runs, or one more. None: the first.
        options: how to compare.

    Returns:
        The comparison: for each benchmark the scores, the differences (candidate - baseline) with
        their intervals, and the questions that flipped.

    Raises:
        UsageError: there is nothing to compare, a question is not the same in two runs, a run
            lacks more than 0.5 % of its replies, or a gate stopped it early.
        RunFormatError: a folder can't be read as a run.

    Source:
        Tango (1998), Stat. Med. 17, 891-908, and Fagerland, Lydersen, Laake (2013), BMC Med. Res.
        Meth. 13, 91, for questions that are right or wrong; Bell and McCaffrey (2002) for those in
        clusters; Holm (1979) for several candidates.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, RunSettings, run
        >>> from evalkit.testing import MessagesServer
        >>> settings = RunSettings(way="instructed", limit=10)
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     where = {"endpoint": endpoint, "results": folder, "progress": False}
        ...     first = run("everyday", "claude-haiku-4-5", settings=settings, **where)
        ...     second = run("everyday", "claude-sonnet-4-5", settings=settings, **where)
        ...     [pair] = compare([first, second]).pairs
        >>> pair.accuracy.n, pair.accuracy.gains >= 0
        (10, True)
    """
    options = options or ComparisonOptions()
    chosen = choose_runs(runs, baseline)
    names = name_contestants(chosen)
    groups = group_runs(chosen)
    compared = [group for group in groups.values() if len(group) > 1]
    if not compared:
        raise UsageError(
            "these runs are of a different benchmark each: "
            f"{', '.join(groups)}; a comparison takes two runs of the same questions"
        )
    check_not_stopped([chosen[place] for group in compared for place in group])
    if not options.incomplete:
        check_complete([chosen[place] for group in compared for place in group])
    verdicts = sum(len(group) - 1 for group in compared)
    benchmarks = tuple(
        compare_on_benchmark(
            [chosen[place] for place in group],
            [names[place] for place in group],
            start=sum(map(len, compared[:number])),
            benchmark=next(name for name, places in groups.items() if places is group),
            first=names[0],
            options=options,
            verdicts=verdicts,
        )
        for number, group in enumerate(compared)
    )
    return Comparison(
        options=options,
        benchmarks=benchmarks,
        averages=average_contestants(benchmarks) if len(benchmarks) > 1 else (),
        alone=tuple(chosen[group[0]] for group in groups.values() if len(group) == 1),
    )


def choose_runs(runs: Sequence[Run | Path | str], baseline: Run | Path | str | None) -> list[Run]:
    """The runs, each once, with the baseline at their head.

    Raises:
        UsageError: there are fewer than two.
        RunFormatError: a folder can't be read as a run.
    """
    chosen = load_each([*([] if baseline is None else [baseline]), *runs])
    if len(chosen) < 2:
        words = ", ".join(str(run.path) for run in chosen) or "none"
        raise UsageError(f"a comparison takes at least two runs; there is {words}")
    return chosen


def load_each(named: Iterable[Run | Path | str]) -> list[Run]:
    """Each run once, in the order in which they are named; folders are read.

    Raises:
        RunFormatError: a folder can't be read as a run.
    """
    found: dict[Path, Run] = {}
    for each in named:
        path = each.path if isinstance(each, Run) else Path(each)
        if (key := path.resolve()) not in found:
            found[key] = each if isinstance(each, Run) else load_run(each)
    return list(found.values())


def check_not_stopped(runs: Sequence[Run]) -> None:
    """Refuse runs that a gate stopped early: which questions they hold is no matter of chance.

    Raises:
        UsageError: naming them.
    """
    stopped = [str(run.path) for run in runs if run.summary.is_stopped_early]
    if stopped:
        raise UsageError(
            f"stopped early by a gate: {', '.join(stopped)}; the intervals and tests of a "
            "comparison would be void. `evalkit gate --replay` shows the gate's own, and "
            "`evalkit gate --full` asks the rest"
        )


def check_complete(runs: Sequence[Run]) -> None:
    """Refuse runs that lack so many replies that these may decide the comparison.

    Raises:
        UsageError: naming them, with the share that is missing.
    """
    short = {run.path: gap for run in runs if (gap := find_gap(run)) > MOST_MISSING}
    if short:
        words = ", ".join(f"{path} ({100 * gap:.1f} %)" for path, gap in short.items())
        raise UsageError(
            f"too many replies are missing for a comparison: {words}; the same commands again ask "
            "what is missing, and --incomplete (in Python incomplete=True) compares what came"
        )


def find_gap(run: Run) -> float:
    """The share of the replies wanted that did not come."""
    summary = run.summary
    return (summary.failed + summary.not_asked) / summary.wanted


def compare_on_benchmark(
    runs: Sequence[Run],
    names: Sequence[str],
    *,
    start: int,
    benchmark: str,
    first: str,
    options: ComparisonOptions,
    verdicts: int,
) -> BenchmarkComparison:
    """Compare the runs of one benchmark.

    Args:
        runs: at least two.
        names: theirs.
        start: how many runs of other benchmarks are numbered before.
        benchmark: its name.
        first: the name of the baseline of all benchmarks; where nobody has it, the first run is.
        options: how to compare.
        verdicts: how many are given on all benchmarks.

    Raises:
        UsageError: the questions are not the same.
    """
    order = sorted(range(len(runs)), key=lambda place: names[place] != first)
    runs, names = [runs[place] for place in order], [names[place] for place in order]
    sheet = align_runs(runs)
    scored = score_runs(runs, sheet, range(start + 1, start + len(runs) + 1), names)
    places = list(itertools.combinations(range(len(runs)), 2))
    if not options.all_pairs:
        places = [(one, other) for one, other in places if one == 0]
    how = PairOptions(
        methods=Methods(interval=options.interval, exact=options.exact),
        family=len(places),
        margin=options.margin,
        verdicts=verdicts,
        flips=options.flips,
    )
    return BenchmarkComparison(
        benchmark=benchmark,
        runs=tuple(scored),
        pairs=adjust_pairs([compare_pair(sheet, scored, each, how) for each in places]),
        n=len(sheet.questions),
        unanswered=sheet.unanswered,
        is_ranked=options.all_pairs,
    )


def adjust_pairs(pairs: Sequence[RunPair]) -> tuple[RunPair, ...]:
    """Fill in the p-values that hold for all pairs together."""
    accuracies = adjust([pair.accuracy for pair in pairs])
    readables = adjust([pair.readable for pair in pairs])
    return tuple(
        replace(pair, accuracy=accuracy, readable=readable)
        for pair, accuracy, readable in zip(pairs, accuracies, readables, strict=True)
    )
