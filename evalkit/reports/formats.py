"""Files that a report is written to; the ending of a name says in which format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from evalkit.errors import UsageError
from evalkit.reports.csv_format import ReportRows, list_csv
from evalkit.reports.report import Report
from evalkit.runs.folder import MANIFEST, write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """What some formats have to be told.

    Example:
        >>> FileOptions(rows="responses").rows
        'responses'
    """

    rows: ReportRows = "groups"
    """What a row of a CSV file is."""
    threshold: float | None = None
    """The accuracy that a JUnit test case has to reach, a fraction in [0, 1]."""
    chart: str | None = None
    """The name of the chart that a picture shows; None: the first that there is."""

    def __post_init__(self) -> None:
        if self.rows not in get_args(ReportRows):
            raise UsageError(f"rows {self.rows!r}: expected {' or '.join(get_args(ReportRows))}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"threshold {100 * self.threshold:g}: expected percent, 0 to 100")


Render = Callable[[Report, FileOptions], bytes | Iterable[bytes]]


def render_as_html(report: Report, options: FileOptions) -> Iterable[bytes]:
    """The parts of a page."""
    from evalkit.reports.html.page import list_bytes

    return list_bytes(report)


def render_as_markdown(report: Report, options: FileOptions) -> bytes:
    """The bytes of a Markdown file."""
    from evalkit.reports.markdown import render_markdown

    return render_markdown(report).encode()


def render_as_csv(report: Report, options: FileOptions) -> Iterable[bytes]:
    """The parts of a CSV file."""
    return list_csv(report, options.rows)


def render_as_xlsx(report: Report, options: FileOptions) -> bytes:
    """The bytes of a workbook."""
    from evalkit.reports.xlsx import render_xlsx

    return render_xlsx(report)


def render_as_json(report: Report, options: FileOptions) -> bytes:
    """The bytes of a JSON file."""
    from evalkit.reports.json_format import render_json

    return render_json(report)


def render_as_junit(report: Report, options: FileOptions) -> bytes:
    """The bytes of a JUnit XML file."""
    from evalkit.reports.junit import render_junit

    return render_junit(report, options.threshold)


def render_as_latex(report: Report, options: FileOptions) -> bytes:
    """The bytes of a LaTeX file."""
    from evalkit.reports.latex import render_latex

    return render_latex(report).encode()


def render_as_samples(report: Report, options: FileOptions) -> Iterable[bytes]:
    """The lines of a file of samples, those of each run behind one another."""
    from evalkit.reports.samples import list_samples

    return (line for run in report.runs for line in list_samples(run))


def render_as_parquet(report: Report, options: FileOptions) -> bytes:
    """The bytes of a Parquet file."""
    from evalkit.reports.parquet_format import render_parquet

    return render_parquet(report)


def render_as_picture(ending: str) -> Render:
    """A way to render one chart as a file with this ending."""

    def render(report: Report, options: FileOptions) -> bytes:
        from evalkit.reports.charts.listing import list_charts
        from evalkit.reports.charts.writing import render_chart

        charts = {
            chart.name: chart for chart in list_charts(report.runs, report.comparison, report.gates)
        }
        name = options.chart or next(iter(charts))
        if name not in charts:
            raise UsageError(f"chart {name!r}: these runs have {', '.join(charts)}")
        return render_chart(charts[name], ending)

    return render


FORMATS: dict[str, Render] = {
    ".html": render_as_html,
    ".md": render_as_markdown,
    ".csv": render_as_csv,
    ".xlsx": render_as_xlsx,
    ".json": render_as_json,
    ".xml": render_as_junit,
    ".tex": render_as_latex,
    ".jsonl": render_as_samples,
    ".parquet": render_as_parquet,
    **{ending: render_as_picture(ending) for ending in (".svg", ".png", ".pdf")},
}
"""By the ending of the file's name."""


def write_report(
    report: Report, path: Path | str, options: FileOptions | None = None
) -> list[Path]:
    """Write a report to a file, whole or not at all.

    Args:
        report: what it is about.
        path: its ending says the format, one of `FORMATS`; a file that is there is replaced.
        options: what some formats have to be told.

    Returns:
        What was written: that file; of `.jsonl` one a run, with its number in the name if there are
        several.

    Raises:
        UsageError: no format has that ending, or the folder is a run's.
        MissingExtraError: the library for the format is not installed.
        RunError: the file can't be written.

    Example:
        >>> write_report(build_report(["results/a"]), "report.md")  # doctest: +SKIP
        [PosixPath('report.md')]
    """
    path = Path(path)
    check_path(path)
    ending = path.suffix.lower()
    if ending == ".jsonl":
        return write_samples(report, path)
    write_whole(path, FORMATS[ending](report, options or FileOptions()))
    return [path]


def write_samples(report: Report, path: Path) -> list[Path]:
    """Write a file of samples for each run, as lm-evaluation-harness has one a task and model.

    Returns:
        The files.

    Raises:
        RunError: one can't be written.
    """
    from evalkit.reports.samples import list_samples, name_files

    files = name_files(report, path)
    for run, file in zip(report.runs, files, strict=True):
        write_whole(file, list_samples(run))
    return files


def check_paths(paths: Sequence[Path]) -> None:
    """Refuse files of no known format, and those of runs, before anything is computed.

    Raises:
        UsageError: naming the file and the remedy.
    """
    for path in paths:
        check_path(path)


def check_path(path: Path) -> None:
    """Refuse a file of no known format, and one in the folder of a run.

    Raises:
        UsageError: naming the file and the remedy.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(
            f"{path}: a report is written as {', '.join(FORMATS)}; name a file with such an ending"
        )
    if (path.parent / MANIFEST).is_file():
        raise UsageError(f"{path}: a run's folder holds the run alone; name a file outside of it")
