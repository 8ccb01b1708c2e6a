"""`evalkit check`: what a project's `evalkit.toml` asks for; the exit code is the worst verdict."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.exit_codes import FINE, exit_code_of_status
from evalkit.cli.numbers import parse_dollars
from evalkit.cli.options import Commands, check_results, new_parser, print_note
from evalkit.errors import EvalkitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.check_results import CheckResult
    from evalkit.checks import CheckCase, Project

EXAMPLES = """  evalkit check
  evalkit check capitals --json
  evalkit check --dry-run
  evalkit check --budget 5 --junit junit.xml --summary summary.md

The checks stand in evalkit.toml, which `evalkit init` writes. The same command again asks nothing
twice. The key is read from ANTHROPIC_API_KEY.

exit codes, the worst of all checks: 2 invalid or usage, 1 regressed or below a threshold, 4 not
finished (the same command goes on), 3 inconclusive, 0 all passed
"""

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
"""Names a file to which all steps of a job add."""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "check", "carry out the checks of evalkit.toml", EXAMPLES)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="which checks, or CHECK[MODEL] (default: all)"
    )
    add_config_option(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be asked and cost, ask nobody"
    )
    parser.add_argument(
        "--budget",
        type=parse_dollars,
        metavar="USD",
        help="what all checks together may cost, in place of the file's; earlier attempts count",
    )
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="where runs land, in place of the file's"
    )
    parser.add_argument(
        "--summary",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="write the verdict and a table in Markdown; added to the end of "
        f"${SUMMARY_VARIABLE}; may be given several times",
    )
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write JUnit XML")
    parser.add_argument(
        "--annotations",
        action="store_true",
        help="print workflow commands that GitHub shows at the lines of evalkit.toml",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress, no notes")
    parser.set_defaults(execute=execute)


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Where the checks of a project stand."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("evalkit.toml"),
        metavar="FILE",
        help="the file with the checks (default: evalkit.toml)",
    )


def execute(args: argparse.Namespace) -> int:
    """Carry out the checks, print and write what came of them."""
    import asyncio

    from evalkit.check_files import load_project
    from evalkit.checking import hold_cases
    from evalkit.progress import ignore

    if args.json and args.annotations:
        raise UsageError("--json prints facts, --annotations commands: one of them at a time")
    project = load_project(args.config)
    project = replace(
        project,
        results=args.results or project.results,
        dollars=args.budget or project.dollars,
    )
    check_results(project.results)
    cases = project.choose(args.names)
    if args.dry_run:
        return print_outlines(project, cases, as_json=args.json)
    results = asyncio.run(
        hold_cases(
            project,
            cases,
            progress=not args.quiet,
            say=ignore if args.quiet else print_note,
        )
    )
    print_results(results, args)
    write_files(results, args)
    from evalkit.check_results import worst

    return exit_code_of_status(worst([result.status for result in results]))


def print_results(results: Sequence[CheckResult], args: argparse.Namespace) -> None:
    """Print what came of the checks."""
    from evalkit.reports.checks import render_annotations, render_checks

    sys.stderr.flush()
    if args.json:
        print(json.dumps({"checks": [result.to_dict() for result in results]}, indent=2))
        return
    print(render_checks(results))
    if args.annotations:
        print(render_annotations(results, args.config.as_posix()))


def write_files(results: Sequence[CheckResult], args: argparse.Namespace) -> None:
    """Write what other programs show.

    Raises:
        RunError: a file can't be written.
    """
    from evalkit.reports.checks import render_junit, render_markdown
    from evalkit.runs.folder import append_text, write_whole

    for path in args.summary:
        text = render_markdown(results)
        if str(path) == os.environ.get(SUMMARY_VARIABLE):
            append_text(path, text)
        else:
            write_whole(path, text.encode())
    if args.junit is not None:
        write_whole(args.junit, render_junit(results))


def print_outlines(project: Project, cases: Sequence[CheckCase], *, as_json: bool) -> int:
    """Print what the checks would ask.

    Returns:
        0, or 2 if one of them can't be made.
    """
    from evalkit.checking import outline
    from evalkit.cli.exit_codes import exit_code_of
    from evalkit.progress import dollars
    from evalkit.reports.tables import clean

    facts, codes = [], [FINE]
    for case in cases:
        try:
            found = outline(project, case)
        except EvalkitError as error:
            facts.append({"id": case.id, "model": case.model, "error": str(error)})
            print_note(f"evalkit: {case.id}: {error}")
            codes.append(exit_code_of(error))
            continue
        facts.append(found.to_dict())
        if not as_json:
            price = "price not known" if found.price is None else f"about {dollars(found.price)}"
            print(
                f"{clean(case.id)}: {clean(case.model)}, about {found.expected:,} of "
                f"{found.questions:,} questions, {price}"
            )
    if as_json:
        print(json.dumps({"checks": facts}, indent=2))
    else:
        print("Nobody was asked. Answers that are in the run folders already are not asked again.")
    return max(codes)
