"""`evalkit score`: read the replies of runs again and count them anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from evalkit.cli.exit_codes import FINE, INCOMPLETE
from evalkit.cli.options import Commands, new_parser
from evalkit.cli.run import print_runs

EXAMPLES = """  evalkit score results/everyday--local-smollm2-135m--prefill--0123456789ab
  evalkit score results/* --json
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands, "score", "recompute scores from the replies on disk; no model is asked", EXAMPLES
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Score runs, and write the summary of those that are complete."""
    from evalkit.results import load_run
    from evalkit.runs.folder import open_run_folder

    runs = [load_run(path) for path in args.runs if is_run(path, len(args.runs))]
    for run in runs:
        open_run_folder(run.path).write_summary(run.to_dict())
    print_runs(runs, as_json=args.json)
    return FINE if all(run.is_complete for run in runs) else INCOMPLETE


def is_run(path: Path, named: int) -> bool:
    """Whether to look at a path: of several, as `results/*` gives, files are passed over."""
    return named == 1 or path.is_dir()
