"""`evalkit score`: read the replies of runs again and count them anew."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from evalkit.cli.exit_codes import FINE, INCOMPLETE
from evalkit.cli.options import Commands, new_parser
from evalkit.cli.run import print_runs

EXAMPLES = """  evalkit score results/everyday--local-smollm2-135m--prefill--0123456789ab
  evalkit score results --json
  evalkit score results/mmlu--* --cluster group --positions
  evalkit score results/everyday--local-smollm2-135m--prefill--0123456789ab --calibration
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands, "score", "recompute scores from the replies on disk; no model is asked", EXAMPLES
    )
    parser.add_argument(
        "runs", nargs="+", type=Path, metavar="RUN", help="a run's folder, or a folder of runs"
    )
    parser.add_argument(
        "--cluster",
        choices=("declared", "group", "none"),
        default="declared",
        help="what stands or falls together: questions of a passage or template that the set "
        "declares (the default); all of a subject, for a claim about subjects like these; nothing",
    )
    parser.add_argument(
        "--positions",
        action="store_true",
        help="show whether the model likes some letters more than others, by the first reply to "
        "each question",
    )
    parser.add_argument(
        "--calibration",
        action="store_true",
        help="show whether the model is as often right as its answers to the same question agree, "
        "of runs with --samples",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Score runs, and write the summary of those that are complete."""
    from evalkit.results import load_run
    from evalkit.runs.folder import open_run_folder

    runs = [load_run(path, clustered_by=args.cluster) for path in find_runs(args.runs)]
    for run in runs:
        # The summary on disk is that of the run as it was made.
        if run.is_complete and run.clustered_by == "declared":
            folder = open_run_folder(run.path, questions=run.questions)
            folder.write_summary(run.to_dict())
    print_runs(
        runs,
        as_json=args.json,
        with_positions=args.positions,
        with_calibration=args.calibration,
    )
    return FINE if all(run.is_complete for run in runs) else INCOMPLETE


def find_runs(paths: Sequence[Path], *, with_logs: bool = False) -> list[Path]:
    """The run folders that paths name; of a folder of runs, all that lie in it.

    Of several paths, as `results/*` gives, those without a run are passed over. A single one, or
    one that does not exist, is kept: opening it says what is wrong.

    Args:
        paths: folders.
        with_logs: whether other tools' logs are kept too.
    """
    from evalkit.importers.endings import is_log
    from evalkit.runs.folder import MANIFEST

    found: list[Path] = []
    for path in paths:
        inside = sorted(manifest.parent for manifest in path.glob(f"*/{MANIFEST}"))
        if inside and not (path / MANIFEST).exists():
            found += inside
        elif (
            not path.exists()
            or len(paths) == 1
            or (path / MANIFEST).exists()
            or (with_logs and is_log(path))
        ):
            found.append(path)
    return list(dict.fromkeys(found or paths[:1]))
