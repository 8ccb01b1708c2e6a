"""`evalkit run`: every benchmark, model and way of asking, then the accuracy table."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.cli.exit_codes import FINE, INCOMPLETE, exit_code_of
from evalkit.cli.options import (
    Commands,
    add_asking_options,
    add_benchmarks_and_models,
    add_running_options,
    build_settings,
    check_results,
    find_endpoint,
    new_parser,
    print_note,
)
from evalkit.cli.questions import load_questions
from evalkit.cli.sending import add_sending_options
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.averages import SuiteScore
    from evalkit.benchmarks import Benchmark
    from evalkit.errors import EvalkitError
    from evalkit.results import Run
    from evalkit.suites import Suite

EXAMPLES = """  evalkit run everyday --model local/smollm2-135m --limit 50
  evalkit run questions.csv --model claude-haiku-4-5
  evalkit run mmlu --data ~/sets --model claude-haiku-4-5 --shots 5 --limit 1000
  evalkit run facts --model m --base-url http://127.0.0.1:8080 --way prefill --way instructed
  evalkit run facts --model claude-opus-5-5 --way structured --budget 2.50
  evalkit run mmlu --data ~/sets --model claude-haiku-4-5 --batch

The same command again asks only what is missing. The key is read from ANTHROPIC_API_KEY.
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "run", "ask models the questions of benchmarks", EXAMPLES)
    add_benchmarks_and_models(parser)
    add_asking_options(parser)
    add_running_options(parser)
    add_sending_options(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Run every combination and print the table."""
    import asyncio

    from evalkit.combinations import Combinations, Done, run_combinations
    from evalkit.logs import log_to, trace_to
    from evalkit.progress import ignore
    from evalkit.suites import expand_suites

    say = ignore if args.quiet else print_note
    check_results(args.results)
    settings = build_settings(args)
    names, suites = expand_suites(args.benchmarks)
    benchmarks = load_questions(
        names, args.data, say, split=args.split, selection=settings[0].selection
    )
    members = name_members(suites, dict(zip(names, benchmarks, strict=True)))
    what = Combinations(
        benchmarks=benchmarks,
        models=args.model,
        settings=settings,
        endpoint=find_endpoint(args),
        results=args.results,
        progress=not args.quiet,
        say=say,
        keep_files=args.keep_files,
    )
    done = Done()
    try:
        with log_to(args.log, print_note), trace_to(args.trace, print_note):
            asyncio.run(run_combinations(what, done))
    finally:
        runs = done.list_runs()
        print_runs(runs, as_json=args.json, suites=average_suites(members, runs))
    if done.errors:
        return report_errors(done.errors)
    return FINE if all(run.is_complete for run in runs) else INCOMPLETE


def average_suites(members: Mapping[str, tuple[str, ...]], runs: Sequence[Run]) -> list[SuiteScore]:
    """The macro averages of all suites; most commands name none."""
    if not members:
        return []
    from evalkit.averages import average_suite

    return [score for name, its in members.items() for score in average_suite(name, its, runs)]


def name_members(
    suites: Sequence[Suite], loaded: Mapping[str, Benchmark]
) -> dict[str, tuple[str, ...]]:
    """What runs call the benchmarks of each suite.

    Raises:
        UsageError: two of them are called alike.
    """
    members = {each.name: tuple(loaded[n].name for n in each.benchmarks) for each in suites}
    for suite, names in members.items():
        if len(set(names)) < len(names):
            raise UsageError(f"{suite}: two of its benchmarks have one name ({', '.join(names)})")
    return members


def report_errors(errors: Sequence[tuple[str, EvalkitError]]) -> int:
    """Say what ended runs early, the same only once.

    Returns:
        The exit code: 2 if another command line would cure one of them.
    """
    for line in dict.fromkeys(str(error) for _, error in errors):
        print_note(f"evalkit: {line}")
    return min(exit_code_of(error) for _, error in errors)


def describe_positions(run: Run) -> dict[str, Any] | None:
    """How much a model likes some letters, as JSON; what is missing if nothing can be told."""
    try:
        bias = run.position_bias()
    except UsageError as lack:
        return {"missing": str(lack)}
    return None if bias is None else bias.to_dict()


def render_letters(name: str, run: Run) -> str:
    """The same as tables, or why nothing can be told."""
    from evalkit.reports.positions import render_positions

    try:
        return render_positions(name, run.position_bias())
    except UsageError as lack:
        return f"{name} {lack}"


def print_runs(
    runs: list[Run],
    *,
    as_json: bool,
    with_positions: bool = False,
    with_calibration: bool = False,
    suites: Sequence[SuiteScore] = (),
) -> None:
    """Print the table or the facts, and where the run folders are.

    Args:
        runs: those to print.
        as_json: whether to print the facts.
        with_positions: whether to say how much the models like some letters.
        with_calibration: whether to say if they are as often right as their answers agree.
        suites: the means over benchmarks that belong together.
    """
    if as_json:
        facts = [run.to_dict() for run in runs]
        if with_positions:
            for table, run in zip(facts, runs, strict=True):
                table["positions"] = describe_positions(run)
        if with_calibration:
            from evalkit.calibration_json import describe_calibration

            for table, run in zip(facts, runs, strict=True):
                table["calibration"] = describe_calibration(run)
        means = {"suites": [score.to_dict() for score in suites]} if suites else {}
        print(json.dumps({"runs": facts, **means}, indent=2))
    elif runs:
        from evalkit.reports.tables import clean
        from evalkit.reports.text import render_runs

        sys.stderr.flush()
        print(f"\n{render_runs(runs)}\n")
        if with_positions:
            for number, run in enumerate(runs, 1):
                print(f"{render_letters(f'({number})', run)}\n")
        if with_calibration:
            from evalkit.reports.calibration import render_calibration

            for number, run in enumerate(runs, 1):
                print(f"{render_calibration(f'({number})', run)}\n")
        if suites:
            from evalkit.reports.averages import render_suites

            print(render_suites(suites))
        print("Run folders:")
        for number, run in enumerate(runs, 1):
            print(f"({number}) {clean(str(run.path))}")
