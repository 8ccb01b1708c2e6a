"""`evalkit lint`: what is doubtful about question sets."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

from evalkit.cli.exit_codes import FINE, USAGE
from evalkit.cli.options import Commands, add_data_option, new_parser, print_note
from evalkit.errors import BenchmarkError

EXAMPLES = """  evalkit lint questions.csv
  evalkit lint mmlu --data ~/sets --json
  evalkit lint exams.toml --strict --ignore duplicates     in CI

exit codes: 0 the set can be used, whatever the doubts; 2 it can't (with --strict also where there
is a warning), or there is no such set
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "lint", "find the faults of question sets", EXAMPLES)
    parser.add_argument(
        "benchmarks",
        nargs="+",
        metavar="BENCHMARK",
        help="a name that `evalkit list` shows, a definition (.toml), or a file of questions",
    )
    add_data_option(parser)
    parser.add_argument("--strict", action="store_true", help="exit code 2 for warnings too")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="CHECK",
        help="leave out a check, by the name that stands in brackets behind what it found; may be "
        "given several times",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Check every set, also where one can't be read."""
    from evalkit.linting.check import lint

    facts: list[dict[str, Any]] = []
    texts: list[str] = []
    code = FINE
    for name in list_names(args.benchmarks):
        try:
            report = lint(name, data_folder=args.data, ignore=args.ignore)
        except BenchmarkError as error:
            print_note(f"evalkit: {error}")
            facts.append({"benchmark": name, "usable": False, "error": str(error)})
            code = USAGE
            continue
        if not report.is_usable or (args.strict and report.has_warnings):
            code = USAGE
        facts.append(report.to_dict())
        if not args.json:
            from evalkit.reports.lint import render_lint

            texts.append(render_lint(report))
    if args.json:
        print(json.dumps({"benchmarks": facts}, indent=2, ensure_ascii=False))
    elif texts:
        print("\n\n\n".join(texts))
    return code


def list_names(names: Sequence[str]) -> Iterator[str]:
    """The benchmarks, with those of suites; one that is not there is told when its turn comes."""
    from evalkit.suites import expand_suites

    for name in names:
        try:
            yield from expand_suites([name])[0]
        except BenchmarkError:
            yield name
