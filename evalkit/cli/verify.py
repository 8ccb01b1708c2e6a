"""`evalkit verify`: whether the folders of runs still are what was written."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.exit_codes import FINE, INCOMPLETE, USAGE
from evalkit.cli.options import Commands, new_parser
from evalkit.cli.score import find_runs

if TYPE_CHECKING:
    from evalkit.verifying import Verification

EXAMPLES = """  evalkit verify results
  evalkit verify results/everyday--claude-haiku-4-5--prefill--0123456789ab
  evalkit verify runs.zip --json

exit codes: 0 sound; 4 what is wrong is made good by the same command again; 2 damaged or changed
"""

CODES = {"sound": FINE, "repairable": INCOMPLETE, "damaged": USAGE}


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands, "verify", "check that run folders are whole and unchanged", EXAMPLES
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN",
        help="a run's folder, a folder of runs, or a .zip archive of either",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Check folders, and say what is wrong with each.

    Raises:
        RunFormatError: an archive can't be read, or holds no run.
    """
    archives = [path for path in args.runs if path.is_file()]
    folders = [path for path in args.runs if path not in archives]
    found: list[Verification] = []
    for path in [*(find_runs(folders) if folders else []), *archives]:
        found += verify_all(path)
    if args.json:
        print(json.dumps({"runs": [one.to_dict() for one in found]}, indent=2))
    else:
        for one in found:
            print_verification(one)
    return max((CODES[one.verdict] for one in found), key=[FINE, INCOMPLETE, USAGE].index)


def verify_all(path: Path) -> list[Verification]:
    """Check all runs at one path, with a bar if that takes a while."""
    from evalkit.progress import show_steps
    from evalkit.runs.folder import JOURNAL
    from evalkit.verifying import find_folders, verify_run

    found = []
    with find_folders(path) as folders:
        journals = [folder / JOURNAL for folder, _ in folders]
        total = sum(journal.stat().st_size for journal in journals if journal.is_file())
        with show_steps(f"verify {path.name}", total, shown=True) as tick:
            for folder, called in folders:
                found.append(verify_run(folder, called=called, tick=tick))
    return found


def print_verification(one: Verification) -> None:
    """Print the verdict, then a line for each thing to be said."""
    from evalkit.reports.tables import clean

    responses = "response" if one.missing == 1 else "responses"
    left = f", {one.missing:,} {responses} still to come" if one.missing else ""
    print(
        f"{clean(str(one.path))}: {one.verdict}; {one.rows:,} rows, "
        f"{one.fitting:,} fit their requests{left}"
    )
    for finding in one.findings:
        print(f"  {clean(str(finding))}")
    for what in one.unchecked:
        print(f"  not checked: {clean(what)}")
