"""`evalkit doctor`: whether a run could work from here, and what to do if not."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cli.exit_codes import FINE, USAGE
from evalkit.cli.numbers import parse_seconds
from evalkit.cli.options import Commands, new_parser

if TYPE_CHECKING:
    from evalkit.diagnosis import Diagnosis, DiagnosisPoint

EXAMPLES = """  evalkit doctor
  evalkit doctor --need endpoint --json        in CI, before a gate
  evalkit doctor --base-url http://127.0.0.1:8080
  evalkit doctor --offline                     ask nobody

exit codes: 0 a run could work; 2 none could, with what to do
"""

INDENT = " " * 14


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands, "doctor", "check installation, key, endpoint, clock and disk", EXAMPLES
    )
    parser.add_argument(
        "--need",
        choices=("any", "endpoint", "embedded"),
        default="any",
        help="which kind of model the run is for, on which the exit code depends (default: any)",
    )
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="the server to ask (default: ANTHROPIC_BASE_URL, else the official API)",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="the folder where runs would land (default: results)",
    )
    parser.add_argument(
        "--timeout",
        type=parse_seconds,
        default=10.0,
        metavar="S",
        help="seconds for the endpoint's answer (default: 10)",
    )
    parser.add_argument("--offline", action="store_true", help="leave the endpoint alone")
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Look at everything, and print it."""
    from evalkit.diagnosis import look_around

    found = asyncio.run(
        look_around(
            base_url=args.base_url,
            results=args.results,
            offline=args.offline,
            seconds=args.timeout,
        )
    )
    if args.json:
        print(json.dumps(found.to_dict(), indent=2))
    else:
        for point in found.points:
            print("\n".join(render_point(point)))
        print(f"\n{conclude(found)}")
    needed = {
        "any": found.works,
        "endpoint": found.can_ask_endpoint,
        "embedded": found.can_ask_embedded,
    }
    return FINE if needed[args.need] else USAGE


def render_point(point: DiagnosisPoint) -> Iterator[str]:
    """What is the case, and below it what to do."""
    from evalkit.reports.lint import fill

    yield from fill(point.says, f"{point.name:<14}{point.level:<6}", INDENT)
    if point.remedy is not None:
        yield from fill(f"To do: {point.remedy}.", INDENT, INDENT)


def conclude(found: Diagnosis) -> str:
    """What a run could ask."""
    if found.can_ask_endpoint and found.can_ask_embedded:
        return "A run could work, with models of the endpoint and with embedded ones."
    if found.can_ask_endpoint:
        return "A run could work, with models of the endpoint; embedded ones can't be asked."
    if found.can_ask_embedded:
        return "A run could work, with embedded models; the endpoint can't be asked."
    return "No run could work."
