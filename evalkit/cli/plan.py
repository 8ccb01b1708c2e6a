"""`evalkit plan`: what the same run would take, without a request that costs anything."""

from __future__ import annotations

import argparse
import itertools
import json
from typing import TYPE_CHECKING

from evalkit.cli.exit_codes import FINE
from evalkit.cli.numbers import parse_points, parse_share
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

if TYPE_CHECKING:
    from evalkit.benchmarks import Benchmark
    from evalkit.plans import Plan, PlanOptions
    from evalkit.progress import Say
    from evalkit.settings import RunSettings

EXAMPLES = """  evalkit plan mmlu --data ~/sets --model claude-haiku-4-5 --model claude-opus-5-5
  evalkit plan mmlu --data ~/sets --model claude-haiku-4-5 --shots 5 --margin 2 --power 0.9
  evalkit plan questions.csv --model claude-opus-4-8 --way structured --way tool --offline

It takes the arguments of `run`. Input tokens are counted by the endpoint, which is free, on a few
of the requests; without a key they are estimated.
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands, "plan", "say what a run would take: requests, tokens, price, time", EXAMPLES
    )
    add_benchmarks_and_models(parser)
    parser.add_argument(
        "--count",
        type=int,
        default=40,
        metavar="N",
        help="requests whose tokens are counted, drawn by the seed (default: 40)",
    )
    parser.add_argument("--offline", action="store_true", help="estimate all, ask nobody")
    parser.add_argument(
        "--margin",
        type=parse_points,
        metavar="POINTS",
        help="say how many questions it takes to know an accuracy within so many percentage "
        "points, to find a difference of that size, and to pass a gate with that margin",
    )
    parser.add_argument(
        "--power",
        type=parse_share,
        default=0.8,
        metavar="P",
        help="how often a difference as large as the margin is to be found (default: 0.8)",
    )
    parser.add_argument(
        "--flips",
        type=parse_share,
        metavar="SHARE",
        help="the share of questions that only one of two models has right (default: as between "
        "two earlier runs in --results, else 0.05, 0.10 and 0.20)",
    )
    add_asking_options(parser)
    add_running_options(parser)
    add_sending_options(parser)
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Plan every combination and print the tables."""
    import asyncio

    from evalkit.plans import PlanOptions
    from evalkit.progress import ignore
    from evalkit.suites import expand_suites

    say = ignore if args.quiet else print_note
    check_results(args.results)
    options = PlanOptions(
        count=args.count,
        offline=args.offline,
        margin=args.margin,
        power=args.power,
        flips=args.flips,
    )
    settings = build_settings(args)
    names, _ = expand_suites(args.benchmarks)
    benchmarks = load_questions(
        names, args.data, say, split=args.split, selection=settings[0].selection
    )
    plans = asyncio.run(plan_all(args, benchmarks, settings, options, say))
    if args.json:
        from evalkit.plans import add_up

        print(json.dumps({"plans": [p.to_dict() for p in plans], "total": add_up(plans)}, indent=2))
    else:
        from evalkit.reports.plans import render_plans

        print(render_plans(plans))
    return FINE


async def plan_all(
    args: argparse.Namespace,
    benchmarks: list[Benchmark],
    settings: list[RunSettings],
    options: PlanOptions,
    say: Say,
) -> list[Plan]:
    """Plan model after model, in the order of the runs."""
    from evalkit.planning import plan_at_target
    from evalkit.session import Session
    from evalkit.targets import outline_target

    endpoint = find_endpoint(args, need_key=False)
    plans = []
    async with Session(say=say) as session:
        for model in args.model:
            target = outline_target(model, endpoint, say=say)
            for benchmark, chosen in itertools.product(benchmarks, settings):
                plans.append(
                    await plan_at_target(
                        benchmark,
                        target,
                        settings=chosen,
                        results=args.results,
                        options=options,
                        session=session,
                        progress=not args.quiet,
                        say=say,
                    )
                )
    return plans
