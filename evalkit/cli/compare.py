"""`evalkit compare`: runs on the same questions, compared in pairs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.exit_codes import FINE, exit_code_of_verdict
from evalkit.cli.logs import opened_runs
from evalkit.cli.numbers import parse_points
from evalkit.cli.options import Commands, new_parser
from evalkit.cli.score import find_runs

if TYPE_CHECKING:
    from evalkit.comparisons import Comparison

EXAMPLES = """  evalkit compare results/everyday--*
  evalkit compare --baseline results/OLD results/NEW --margin 2
  evalkit compare results --all-pairs
  evalkit compare results --flips 0 --json
  evalkit compare results/everyday--* logs/everyday.eval lm/samples_everyday_*.jsonl

A difference is candidate - baseline, in points. Without --margin nothing is called a pass: that no
difference was found may only say that there were few questions, and MDE says how small a one would
have been found. The margin has to be chosen before the results are seen.

exit codes: 0 compared, or no regression beyond the margin; 1 regressed; 2 usage, or runs that can't
be compared; 3 inconclusive
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands, "compare", "compare runs on the questions that they share", EXAMPLES
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a run's folder, a folder of runs, or another tool's log",
    )
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="RUN",
        help="the run that the others are compared with (default: the first)",
    )
    parser.add_argument(
        "--all-pairs",
        action="store_true",
        help="compare each run with each other, and say which places they may have",
    )
    parser.add_argument(
        "--margin",
        type=parse_points,
        metavar="POINTS",
        help="say whether accuracy dropped by more than so many points; the exit code says it too",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        help="McNemar's exact test, whose size is guaranteed, in place of its mid-p version",
    )
    parser.add_argument(
        "--interval",
        choices=("tango", "newcombe", "bonett-price"),
        default="tango",
        help="of a difference between questions that are right or wrong (default: tango)",
    )
    parser.add_argument(
        "--flips",
        type=parse_count,
        metavar="N",
        help="questions that flipped to list for each pair (default: 20 of two runs, 0 of more)",
    )
    parser.add_argument(
        "--incomplete",
        action="store_true",
        help="compare runs even if more than 0.5 %% of their replies are missing",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def parse_count(text: str) -> int:
    """A number of questions.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, at least 0")
    return int(text)


def execute(args: argparse.Namespace) -> int:
    """Compare runs, and print what came of it."""
    from evalkit.comparisons import ComparisonOptions, compare

    folders = find_runs(args.runs, with_logs=True)
    if args.baseline is not None:
        others = (path for path in folders if not is_same(path, args.baseline))
        folders = [args.baseline, *others]
    with opened_runs(folders) as runs:
        options = ComparisonOptions(
            margin=args.margin,
            all_pairs=args.all_pairs,
            interval=args.interval,
            exact=args.exact,
            incomplete=args.incomplete,
            flips=args.flips if args.flips is not None else (20 if len(runs) == 2 else 0),
        )
        comparison = compare(runs, options=options)
        print_comparison(comparison, as_json=args.json)
    return FINE if comparison.verdict is None else exit_code_of_verdict(comparison.verdict)


def is_same(first: Path, second: Path) -> bool:
    """Whether two paths name one folder."""
    return first.resolve() == second.resolve()


def print_comparison(comparison: Comparison, *, as_json: bool) -> None:
    """Print tables and sentences, or the facts."""
    if as_json:
        print(json.dumps(comparison.to_dict(), indent=2))
        return
    from evalkit.reports.comparisons import render_comparison

    print(render_comparison(comparison))
