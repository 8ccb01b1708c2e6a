"""`evalkit baseline`: the part of a run that a gate needs, as a small file for a repository."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.check import add_config_option
from evalkit.cli.exit_codes import FINE, INCOMPLETE
from evalkit.cli.options import Commands, new_parser, print_note
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.baselines import Baseline
    from evalkit.results import Run

EXAMPLES = """  evalkit baseline make
  evalkit baseline make capitals
  evalkit baseline set results/capitals--claude-haiku-4-5--prefill--0123456789ab
  evalkit baseline set RUN --to baselines/capitals.jsonl
  evalkit baseline show baselines/capitals.jsonl

The file holds ids, scores and digests, and how the run was asked: no text of questions, prompts or
replies, and no key. Settings such as stop sequences, and the ids, stand in it as they are: where
ids are texts, name an id column. Its own digest is looked at whenever it is used.
"""


def add_parser(commands: Commands) -> None:
    """Add the command with its three verbs."""
    parser = new_parser(commands, "baseline", "store what a gate compares with", EXAMPLES)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    make = verbs.add_parser("make", help="ask all questions of checks, and store their baselines")
    make.add_argument("names", nargs="*", metavar="NAME", help="which checks (default: all)")
    add_config_option(make)
    make.add_argument("--quiet", action="store_true", help="no progress, no notes")
    make.set_defaults(execute=execute_make)
    store = verbs.add_parser("set", help="store a run as a baseline")
    store.add_argument(
        "run", metavar="RUN", help="a run's folder, or the id at the end of its name"
    )
    store.add_argument(
        "--to",
        type=Path,
        metavar="FILE",
        help="where to (default: where evalkit.toml has a baseline for this benchmark and model, "
        "else baselines/BENCHMARK--MODEL.jsonl)",
    )
    store.add_argument(
        "--incomplete", action="store_true", help="store a run that lacks replies, too"
    )
    store.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="the folder in which ids are looked for (default: results)",
    )
    add_config_option(store)
    store.set_defaults(execute=execute_set)
    show = verbs.add_parser(
        "show", help="say what is in a file, once its digest is seen to be right"
    )
    show.add_argument("file", type=Path, metavar="FILE", help="a baseline")
    show.add_argument("--json", action="store_true", help="print the facts as JSON")
    show.set_defaults(execute=execute_show)


def execute_make(args: argparse.Namespace) -> int:
    """Ask what the checks ask, as they stand, and store it."""
    import asyncio

    from evalkit.check_files import load_project
    from evalkit.checking import make_baseline
    from evalkit.progress import ignore

    project = load_project(args.config)
    say = ignore if args.quiet else print_note
    code = FINE
    for case in project.choose(args.names):
        if case.baseline is None:
            continue
        run = asyncio.run(
            make_baseline(project, case, endpoint=None, progress=not args.quiet, say=say)
        )
        if run.is_complete:
            write(run, case.baseline)
        else:
            print_note(f"evalkit: {case.id}: replies are missing; the same command goes on")
            code = INCOMPLETE
    return code


def execute_set(args: argparse.Namespace) -> int:
    """Store a run.

    Raises:
        UsageError: there is no such run, another tool asked, or it lacks replies.
    """
    from evalkit.baselines import check_repeatable, find_baseline
    from evalkit.results import load_run

    run = load_run(find_baseline(args.run, args.results))
    check_repeatable(run)
    if not run.is_complete and not args.incomplete:
        missing = run.summary.failed + run.summary.not_asked
        raise UsageError(
            f"{run.path} lacks {missing} replies: the command that made it asks for them; or add "
            "--incomplete, and a gate leaves those questions out"
        )
    write(run, args.to or find_place(run, args.config))
    return FINE


def find_place(run: Run, config: Path) -> Path:
    """Where the baseline of a run belongs."""
    from evalkit.check_files import load_project
    from evalkit.checking import place_baseline
    from evalkit.checks import slug

    identity = run.manifest.identity
    place = place_baseline(load_project(config), run) if config.exists() else None
    return place or Path("baselines", f"{slug(identity.benchmark)}--{slug(identity.model)}.jsonl")


def write(run: Run, path: Path) -> None:
    """Store a run at a place, and say so."""
    from evalkit.baselines import baseline_of, read_baseline

    baseline_of(run).write(path)
    print(f"Written: {path}, {path.stat().st_size:,} bytes: {describe(read_baseline(path))}")


def execute_show(args: argparse.Namespace) -> int:
    """Say what is in a file."""
    from evalkit.baselines import read_baseline
    from evalkit.reports.tables import clean

    baseline = read_baseline(args.file)
    facts = baseline.to_dict()
    if args.json:
        print(json.dumps(facts, indent=2))
        return FINE
    identity = baseline.identity
    print(describe(baseline))
    for name, value in (
        ("run", identity.run_id),
        ("way", identity.way),
        ("version of the benchmark", identity.benchmark_version),
        ("endpoint", identity.endpoint),
        ("settings", json.dumps(dict(identity.parameters), sort_keys=True)),
        ("prompt", f"{identity.prompt_digest[:12]} (a digest)"),
        ("made", f"{baseline.created_at}, evalkit {baseline.evalkit_version}"),
        ("commit", baseline.git_commit or "none"),
    ):
        print(clean(f"  {name}: {value}"))
    print("  digest: right")
    return FINE


def describe(baseline: Baseline) -> str:
    """A baseline in a line."""
    from evalkit.reports.tables import clean, percent

    facts, identity = baseline.to_dict(), baseline.identity
    mean = "no scores" if facts["mean"] is None else f"{percent(facts['mean'])} % right"
    missing = facts["questions"] - facts["scored"]
    lacking = f", {missing:,} without a reply" if missing else ""
    return clean(
        f"{identity.benchmark}, {identity.model}, {facts['questions']:,} questions{lacking}, {mean}"
    )
