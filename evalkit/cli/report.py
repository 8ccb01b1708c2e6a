"""`evalkit report`: runs, and what they come to side by side, as files for people and programs."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.exit_codes import FINE
from evalkit.cli.logs import opened_runs
from evalkit.cli.numbers import parse_percent, parse_points
from evalkit.cli.options import Commands, new_parser, print_note
from evalkit.cli.score import find_runs

if TYPE_CHECKING:
    from evalkit.results import Run

EXAMPLES = """  evalkit report results/everyday--* --to report.html
  evalkit report results --to report.md report.csv report.xlsx
  evalkit report results/NEW --baseline results/OLD --margin 2 --to report.json junit.xml
  evalkit report results --to responses.csv --rows responses
  evalkit report results --to junit.xml --threshold 80
  evalkit report results/everyday--* --to scores.parquet samples.jsonl
  evalkit report results --to differences.pdf --chart differences

The ending says the format: .html one page that needs no network; .md; .csv one row a run and group
(--rows responses: one a response; --rows differences: one a reply that evalkit and the tool that
asked score differently); .xlsx; .json; .xml JUnit; .tex booktabs; .jsonl one line a question, as
lm-evaluation-harness logs samples, in one file a run (of several: samples-1.jsonl and so on);
.parquet one row a response; .svg, .png, .pdf one chart. All numbers are computed from the replies
on disk. Without --baseline or --margin, three runs or more are compared each with each other, and
the places that they may have are shown.

exit codes: 0 written; 2 usage, or runs that can't be read; 4 a file that can't be written
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "report", "write a report about runs to files", EXAMPLES)
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a run's folder, a folder of runs, or another tool's log",
    )
    parser.add_argument(
        "--to",
        nargs="+",
        action="extend",
        required=True,
        type=Path,
        metavar="FILE",
        help="what to write; the ending says the format",
    )
    parser.add_argument(
        "--baseline", type=Path, metavar="RUN", help="the run that the others are compared with"
    )
    parser.add_argument(
        "--margin",
        type=parse_points,
        metavar="POINTS",
        help="say whether accuracy dropped by more than so many points",
    )
    parser.add_argument("--title", metavar="TEXT", help="default: the names of the benchmarks")
    parser.add_argument(
        "--rows",
        choices=("groups", "responses", "differences"),
        default="groups",
        help="what a row of a CSV file is (default: groups); differences: a reply that evalkit and "
        "the tool that asked score differently",
    )
    parser.add_argument(
        "--threshold",
        type=parse_percent,
        metavar="PERCENT",
        help="the accuracy that each run has to reach, or its test case in JUnit XML fails",
    )
    parser.add_argument(
        "--chart",
        metavar="NAME",
        help="what a picture shows, such as accuracies, differences, outcomes, costs; an unknown "
        "name lists those that there are (default: the first)",
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Write the files."""
    from tqdm import tqdm

    from evalkit.reports.formats import FileOptions, check_paths, write_report
    from evalkit.reports.report import build_report

    check_paths(args.to)
    options = FileOptions(rows=args.rows, threshold=args.threshold, chart=args.chart)
    folders = find_runs(args.runs, with_logs=True)
    if args.baseline is not None:
        folders = [args.baseline, *(f for f in folders if f.resolve() != args.baseline.resolve())]
    # Shown only where it takes longer than a moment.
    steps = len(folders) + len(args.to)
    with (
        ExitStack() as stack,
        tqdm(total=steps, unit=" steps", delay=2, leave=False, disable=None) as bar,
    ):
        runs: list[Run] = []
        written: list[Path] = []
        for folder in folders:
            bar.set_description(f"reading {folder.name}", refresh=False)
            runs += stack.enter_context(opened_runs([folder]))
            bar.update()
        baseline = None if args.baseline is None else runs[0]
        report = build_report(runs, baseline=baseline, margin=args.margin, title=args.title)
        for path in args.to:
            bar.set_description(f"writing {path.name}", refresh=False)
            written += write_report(report, path, options)
            bar.update()
    print_note("\n".join(f"written: {path}" for path in written))
    return FINE
