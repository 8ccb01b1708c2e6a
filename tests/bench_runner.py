"""How fast evalkit is on this machine, beside a bare loop that asks the same questions.

    python -m tests.bench_runner                    CPU, time and memory, as ratios
    python -m tests.bench_runner --faults           a run at an endpoint where requests fail
    python -m tests.bench_runner --limited          a run at an endpoint with a rate limit

Each contender runs as a whole process, as users start it, against a stand-in for the API on this
machine. A measurement counts only if the contender has all the right answers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench_cases import (
    AIOHTTP,
    EVALKIT,
    HTTPX,
    Bench,
    Case,
    compare_sizes,
    describe,
    note,
)
from tests.bench_measure import Counter, own_upstream
from tests.bench_tables import (
    print_counts,
    print_faults,
    print_further,
    print_limited,
    print_speed,
)

PER_MINUTE = 600
"""Requests that the limited endpoint lets through."""

LIMITED_SECONDS = 60.0
SETTLED_AFTER = 1 / 6
"""The share of a limited run after which a client should have found the limit."""


def list_cases(args: argparse.Namespace) -> list[Case]:
    """Every contender with every size and number of connections, and with the larger file."""
    contenders = [EVALKIT, AIOHTTP] + ([HTTPX] if args.httpx else [])
    pairs = [(size, connections) for size in args.questions for connections in args.connections]
    if args.further:
        pairs.append((args.further, args.connections[-1]))
    return [
        Case(contender=contender, questions=size, connections=connections)
        for size, connections in pairs
        for contender in contenders
    ]


def run_speed(args: argparse.Namespace, folder: Path) -> None:
    """Measure CPU, time and memory."""
    upstream = (
        nullcontext(args.upstream)
        if args.upstream
        else own_upstream("--latency-ms", str(args.latency_ms))
    )
    with upstream as base_url, closing(Counter(base_url)) as counter:
        bench = Bench(folder, counter, knows_letters=not args.upstream)
        measured = bench.measure(list_cases(args), args.rounds)
    further = list(compare_sizes(measured, args.questions[0], args.further))
    if args.json:
        print_json(measured=[asdict(case) for case in measured], further=list(map(asdict, further)))
        return
    latency = "another upstream" if args.upstream else f"{args.latency_ms:g} ms latency"
    rounds = f"medians of {args.rounds} rounds" if args.rounds > 1 else "one round"
    title = f"Whole processes, {latency}, {rounds}, x: of {AIOHTTP.name}; {describe_machine()}"
    print_speed(measured, title)
    print_counts(measured)
    if further:
        print_further(further, f"Each question beyond {args.questions[0]:,} of {args.further:,}")


def run_faults(args: argparse.Namespace, folder: Path) -> None:
    """Let evalkit ask where every tenth request fails, in a way that a hash decides."""
    with (
        own_upstream("--latency-ms", str(args.latency_ms), "--faults") as base_url,
        closing(Counter(base_url)) as counter,
    ):
        bench = Bench(folder, counter, knows_letters=True)
        case = Case(contender=EVALKIT, questions=args.questions[0], connections=args.connections[0])
        note(describe(case))
        spent, written = bench.run(case)
        counts = bench.counter.read()
    outcomes = EVALKIT.read_outcomes(spent, written)
    if args.json:
        took = {"wall_seconds": spent.wall_seconds, "cpu_seconds": spent.cpu_seconds}
        expected = bench.right[case.questions]
        print_json(code=spent.code, **took, expected=expected, outcomes=outcomes, counts=counts)
        return
    title = f"{describe(case)}, where requests fail; {describe_machine()}"
    print_faults(title, spent, outcomes, counts, expected=bench.right[case.questions])


def run_limited(args: argparse.Namespace, folder: Path) -> None:
    """Let evalkit ask for a while where few requests are let through."""
    options = ("--latency-ms", str(args.latency_ms), "--per-minute", str(PER_MINUTE))
    with own_upstream(*options) as base_url, closing(Counter(base_url)) as counter:
        bench = Bench(folder, counter, knows_letters=True)
        # More than are let through, so that there is always one to ask.
        needed = int(args.limited * PER_MINUTE / 60) + 1000
        case = Case(
            contender=EVALKIT,
            questions=max(args.questions[0], needed),
            connections=args.connections[0],
        )
        note(describe(case))
        bench.run(case, end_after_seconds=args.limited)
        counts = bench.counter.read()
    shares = summarize_limited(counts["seconds"], round(args.limited))
    if args.json:
        print_json(**shares, seconds=counts["seconds"])
        return
    title = f"{describe(case)}, {args.limited:g} s at {PER_MINUTE} requests a minute"
    print_limited(title, shares, settled_seconds=round(args.limited * SETTLED_AFTER))


def summarize_limited(seconds: Sequence[Sequence[int]], length: int) -> dict[str, float]:
    """How a client gets along with a limit.

    Args:
        seconds: requests let through and requests limited, for each second since the first.
        length: seconds of the run; those that are missing had no requests.

    Returns:
        requests; as fractions: limited, of all; limited_settled, of those after the first sixth;
        used, of what would have been let through after the first sixth.

    Example:
        >>> few, many = [5, 15], [10, 0]
        >>> summarize_limited([few, many, many, many, many, few], 6)["used"]
        0.9
    """
    settled = seconds[round(length * SETTLED_AFTER) : length]
    let_through = sum(passed for passed, _ in settled)
    allowance = (length - round(length * SETTLED_AFTER)) * PER_MINUTE / 60
    return {
        "requests": sum(map(sum, seconds[:length])),
        "limited": share_limited(seconds[:length]),
        "limited_settled": share_limited(settled),
        "used": let_through / allowance,
    }


def share_limited(seconds: Sequence[Sequence[int]]) -> float:
    """The share of requests that were limited; 0 where there were none."""
    requests = sum(map(sum, seconds))
    return sum(limited for _, limited in seconds) / requests if requests else 0.0


def print_json(**facts: Any) -> None:
    """Print what was found, for programs."""
    print(json.dumps({"machine": describe_machine(), **facts}, indent=2))


def describe_machine() -> str:
    """Python and processors."""
    return f"Python {platform.python_version()}, {os.cpu_count()} processors"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--questions", type=int, nargs="+", default=[2000], metavar="N", help="sizes of files")
    add("--connections", type=int, nargs="+", default=[64, 256], metavar="C")
    add("--latency-ms", type=float, default=50.0, metavar="MS", help="of each answer")
    add("--further", type=int, default=20_000, metavar="N", help="a larger file; 0: none")
    add("--rounds", type=int, default=3, metavar="R", help="how often each is measured")
    add("--httpx", action="store_true", help="a bare loop around httpx too, which is slow")
    add("--upstream", metavar="URL", help="measure against another server, with its latency")
    add("--json", action="store_true", help="print JSON instead of tables")
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--faults", action="store_true", help="evalkit where requests fail")
    modes.add_argument(
        "--limited",
        type=float,
        nargs="?",
        const=LIMITED_SECONDS,
        metavar="SECONDS",
        help=f"evalkit where {PER_MINUTE} requests a minute are let through (default: 60 s)",
    )
    args = parser.parse_args()
    if args.upstream and (args.faults or args.limited):
        parser.error("--faults and --limited need the upstream of this program's own")
    is_speed = not (args.faults or args.limited)
    if is_speed and args.further and args.further <= args.questions[0]:
        parser.error(f"--further {args.further}: expected 0, or more than the first of --questions")
    return args


def main() -> None:
    """Measure what the command line asks for."""
    args = parse_arguments()
    run = run_faults if args.faults else run_limited if args.limited else run_speed
    with tempfile.TemporaryDirectory() as name:
        run(args, Path(name))


if __name__ == "__main__":
    main()
