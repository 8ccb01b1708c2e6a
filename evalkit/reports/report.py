"""A report: some runs, what they come to side by side, and the gates that they passed through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.comparisons import Comparison, ComparisonOptions, compare, load_each
from evalkit.contestants import name_contestants
from evalkit.errors import UsageError
from evalkit.gate_records import GateRecord, replay_run
from evalkit.pairing import group_runs
from evalkit.reports.tables import clean
from evalkit.results import Run
from evalkit.runs.gate_files import list_records

if TYPE_CHECKING:
    import pandas

    from evalkit.reports.formats import FileOptions


@dataclass(frozen=True, kw_only=True)
class Report:
    """Runs to be shown to people, with everything that is said about them.

    All numbers are computed from the runs' journals.
    """

    title: str
    """Without control characters."""
    runs: tuple[Run, ...]
    """At least one; they are numbered from 1, as in the comparison."""
    names: tuple[str, ...]
    """One for each run: the model, and what else tells it from the others of its benchmark."""
    comparison: Comparison | None
    """None: no two runs are of one benchmark, or they can't be compared."""
    not_compared: str
    """Why some or all runs of one benchmark are not compared; empty if they are."""
    gates: tuple[GateRecord, ...]
    """Those that are recorded in the runs' folders."""

    def write(self, *paths: Path | str, options: FileOptions | None = None) -> None:
        """Write files, each whole or not at all; the ending of a name says the format.

        Raises:
            UsageError: no format has that ending, or the folder is a run's.
            MissingExtraError: the library for a format is not installed.
            RunError: a file can't be written.
        """
        from evalkit.reports.formats import check_paths, write_report

        check_paths([Path(path) for path in paths])
        for path in paths:
            write_report(self, path, options)

    def to_markdown(self) -> str:
        """Findings, tables and remarks in Markdown."""
        from evalkit.reports.markdown import render_markdown

        return render_markdown(self)

    def to_dataframe(self) -> pandas.DataFrame:
        """One row for each run and group, after one for each run over all questions.

        Returns:
            Columns `run`, `benchmark`, `model`, `name`, `group` (missing: all questions), `n`,
            `accuracy` with `low`, `high`, `level` and `method` of its interval, `clusters`, the
            counts of outcomes, `if_unreadable_wrong`, `if_unreadable_right`, `chance`,
            `chance_corrected`, `rerun_error`, `partial_credit`. Shares are fractions; what is
            undefined is NA.
        """
        from evalkit.reports.run_sheets import sheet_groups

        return sheet_groups(self).to_dataframe()

    def _repr_html_(self) -> str:
        """Findings and tables, for notebooks."""
        from evalkit.reports.notebook import render_cell

        return render_cell(self)


def build_report(
    runs: Sequence[Run | Path | str],
    *,
    baseline: Run | Path | str | None = None,
    margin: float | None = None,
    title: str | None = None,
) -> Report:
    """Put together what is to be said of some runs; no model is asked.

    Args:
        runs: at least one; folders are read.
        baseline: what the others are compared with; one of the runs, or one more. None: the first
            if there is a margin or one other, else each run is compared with each other.
        margin: the largest drop that is no regression, a fraction in (0, 0.5); None: no verdict.
        title: None: the names of the benchmarks.

    Raises:
        UsageError: there is no run, the margin is none, or runs that were to be judged by it
            can't be compared.
        RunFormatError: a folder can't be read as a run.

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
        ...     report = build_report([first, second], title="Two models")
        >>> report.to_markdown().splitlines()[0]
        '# Two models'
    """
    chosen = load_each([*([] if baseline is None else [baseline]), *runs])
    if not chosen:
        raise UsageError("a report takes at least one run")
    comparison, not_compared = compare_for_report(chosen, baseline is not None, margin)
    names = dict(zip(map(id, chosen), name_contestants(chosen), strict=True))
    ordered = order_runs(chosen, comparison)
    if comparison is not None:
        names |= {id(each.run): each.name for c in comparison.benchmarks for each in c.runs}
    return Report(
        title=clean(title or ", ".join(name_benchmarks(chosen))),
        runs=tuple(ordered),
        names=tuple(names[id(run)] for run in ordered),
        comparison=comparison,
        not_compared=not_compared,
        gates=tuple(found for run in ordered for found in replay_gates(run)),
    )


def compare_for_report(
    runs: Sequence[Run], has_baseline: bool, margin: float | None
) -> tuple[Comparison | None, str]:
    """Compare what can be compared.

    Args:
        runs: the baseline first, if there is one.
        has_baseline: else three runs or more are compared each with each other.
        margin: the largest drop that is no regression.

    Returns:
        The comparison, and why there is none where there might be one.

    Raises:
        UsageError: there is none, though a verdict was asked for.
    """
    sound = [run for run in runs if not run.summary.is_stopped_early]
    has_pairs = len(group_runs(runs)) < len(runs)
    names = ", ".join(run.path.name for run in runs if run.summary.is_stopped_early)
    is_cut = has_pairs and names
    why = f"stopped early by a gate, whose own verdict holds: {names}" if is_cut else ""
    if len(group_runs(sound)) == len(sound):
        if margin is not None:
            raise UsageError(why or "a margin is one between two runs of one benchmark: name two")
        return None, why
    is_ranked = not has_baseline and margin is None and len(sound) > 2
    options = ComparisonOptions(margin=margin, all_pairs=is_ranked, incomplete=True, flips=None)
    try:
        return compare(sound, options=options), why
    except UsageError as error:
        if margin is not None:
            raise
        words = str(error)
        for run in runs:  # others have no use for the places of this machine
            words = words.replace(str(run.path), run.path.name)
        return None, words


def name_benchmarks(runs: Sequence[Run]) -> list[str]:
    """The benchmarks of some runs, each once."""
    return list(dict.fromkeys(run.manifest.identity.benchmark for run in runs))


def report_of_run(run: Run) -> Report:
    """A report of one run."""
    return build_report([run])


def report_of_comparison(comparison: Comparison) -> Report:
    """A report of a comparison as it was made."""
    ordered = order_runs(comparison.alone, comparison)
    names = [each.name for compared in comparison.benchmarks for each in compared.runs]
    return Report(
        title=clean(", ".join(each.benchmark for each in comparison.benchmarks)),
        runs=tuple(ordered),
        names=(*names, *(run.manifest.identity.model for run in comparison.alone)),
        comparison=comparison,
        not_compared="",
        gates=(),
    )


def order_runs(runs: Sequence[Run], comparison: Comparison | None) -> list[Run]:
    """Runs in the order in which a comparison numbers them, then those that are not compared."""
    compared = () if comparison is None else comparison.benchmarks
    first = [each.run for found in compared for each in found.runs]
    return first + [run for run in runs if all(run is not each for each in first)]


def replay_gates(run: Run) -> tuple[GateRecord, ...]:
    """The gates in a run's folder, computed again from its journal."""
    if not list_records(run.folder):
        return ()
    return tuple(each.record for each in replay_run(run.folder))
