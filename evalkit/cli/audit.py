"""`evalkit audit`: the same questions asked in every way that a model takes, compared in pairs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.exit_codes import FINE, INCOMPLETE
from evalkit.cli.options import (
    Commands,
    add_asking_options,
    add_running_options,
    build_settings,
    check_results,
    find_endpoint,
    new_parser,
    print_note,
)
from evalkit.cli.questions import load_questions
from evalkit.cli.score import find_runs
from evalkit.cli.sending import add_sending_options
from evalkit.errors import UsageError
from evalkit.requests import WAYS

if TYPE_CHECKING:
    from evalkit.audits import Audit
    from evalkit.progress import Say
    from evalkit.results import Run

EXAMPLES = """  evalkit audit everyday --model claude-haiku-4-5 --limit 200
  evalkit audit questions.csv --model claude-opus-4-6 --way instructed --way tool
  evalkit audit everyday --model claude-opus-5-5 --budget 1.00 --all-questions
  evalkit audit results/everyday--claude-haiku-4-5--*

Each way is a run of its own, as `evalkit run` makes it; the same command again asks only what is
missing. A difference is that from the first way asked: prefill, else instructed, and so on.
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands, "audit", "measure how much of a score is the way of asking", EXAMPLES
    )
    parser.add_argument(
        "what",
        nargs="+",
        metavar="BENCHMARK|RUN",
        help="a benchmark, as for `run`; without --model folders of runs, or a folder of runs",
    )
    parser.add_argument(
        "--model", action="append", metavar="M", help="the model to ask, as for `run`"
    )
    add_asking_options(parser, default_way="all that the model takes")
    add_running_options(parser)
    add_sending_options(parser)
    parser.add_argument(
        "--all-questions",
        action="store_true",
        help="list every question on which the ways disagree (default: the first 20)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="compare the ways even if more than 0.5 %% of the replies are missing",
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Ask in every way, or read runs from their folders, and print the comparison.

    Raises:
        UsageError: it is not clear what to ask, or the runs can't be compared.
    """
    import asyncio

    from evalkit.audits import audit_runs
    from evalkit.logs import log_to, trace_to
    from evalkit.progress import ignore

    say = ignore if args.quiet else print_note
    if args.model is None:
        audit = audit_runs(load_runs(args.what, args.way))
    else:
        with log_to(args.log, print_note), trace_to(args.trace, print_note):
            audit = asyncio.run(ask(args, say))
    compared = audit.is_comparable or args.force
    if args.json:
        print(json.dumps(audit.to_dict(compared=compared), indent=2))
    else:
        from evalkit.reports.audit import render_audit
        from evalkit.reports.tables import clean

        sys.stderr.flush()
        text = render_audit(audit, compared=compared, all_questions=args.all_questions)
        print(f"\n{text}\n\nRun folders:")
        for asked in audit.ways:
            print(f"{asked.way}: {clean(str(asked.run.path))}")
    return FINE if audit.is_complete else INCOMPLETE


def load_runs(names: Sequence[str], ways: Sequence[str] | None) -> tuple[Run, ...]:
    """The runs that folders hold, of some ways only if these are named.

    Raises:
        UsageError: a benchmark is meant, but there is no model to ask.
    """
    from evalkit.results import load_run

    paths = [Path(name) for name in names]
    if not any(path.is_dir() for path in paths):
        raise UsageError(
            "which model is to be asked? Add --model M; or name folders of runs in place of "
            f"{names[0]}"
        )
    runs = [load_run(path) for path in find_runs(paths)]
    return tuple(run for run in runs if not ways or run.manifest.identity.way in ways)


async def ask(args: argparse.Namespace, say: Say) -> Audit:
    """Ask one model the questions of one benchmark in every way.

    Raises:
        UsageError: there are several models or benchmarks, or --results is a file.
    """
    from evalkit.auditing import audit_aloud

    for several, names in (("benchmarks", args.what), ("models", args.model)):
        if len(names) > 1:
            raise UsageError(
                f"an audit is of one benchmark and one model; these are {len(names)} {several}: "
                f"{', '.join(names)}"
            )
    check_results(args.results)
    [settings, *_] = build_settings(args)
    [benchmark] = load_questions(
        args.what, args.data, say, split=args.split, selection=settings.selection
    )
    # The time for an attempt depends on whether a way has the model think.
    endpoint = find_endpoint(argparse.Namespace(**{**vars(args), "way": args.way or WAYS}))
    return await audit_aloud(
        benchmark,
        args.model[0],
        args.way,
        settings=settings,
        endpoint=endpoint,
        results=args.results,
        progress=not args.quiet,
        say=say,
    )
