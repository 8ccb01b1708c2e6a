"""`evalkit gate`: a candidate is asked until it is clear whether it is worse than a baseline."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.cli.exit_codes import FINE, INCOMPLETE, INCONCLUSIVE, REGRESSED, USAGE
from evalkit.cli.numbers import parse_dollars, parse_number, parse_temperature
from evalkit.cli.options import (
    Commands,
    add_data_option,
    check_results,
    find_endpoint,
    new_parser,
    print_note,
    read_prompt,
)
from evalkit.cli.run import report_errors
from evalkit.cli.sending import add_sending_options, build_sending
from evalkit.errors import UsageError
from evalkit.requests import WAYS

if TYPE_CHECKING:
    from evalkit.baselines import Baseline
    from evalkit.gating import Contest, GateResult
    from evalkit.progress import Say
    from evalkit.settings import RunSettings
    from evalkit.stats.sequential import GateTerms
    from evalkit.stats.verdicts import Verdict

EXAMPLES = """  evalkit gate --baseline RUN --prompt new.toml
  evalkit gate --baseline RUN --model claude-haiku-4-5 --margin 1
  evalkit gate --baseline RUN --prompt new.toml --margin 2 --fail-margin 0
  evalkit gate --baseline RUN --prompt new.toml --budget 500
  evalkit gate --baseline RUN --prompt new.toml --budget '$2.50'
  evalkit gate --baseline RUN --baseline RUN2 --prompt new.toml
  evalkit gate --baseline RUN --prompt new.toml --full
  evalkit gate --baseline baselines/everyday--claude-haiku-4-5.jsonl --prompt new.toml
  evalkit gate --replay results/everyday--claude-haiku-4-5--*

RUN is a run's folder, or the id at the end of its name, or a file of `evalkit baseline set`. What
is not named is as in the baseline; of its prompt a file holds no more than a digest.
The same command again goes on in the same order; the key is read from ANTHROPIC_API_KEY.

exit codes: 0 no regression beyond the margin, 1 regressed, 2 invalid or usage, 3 inconclusive,
4 not finished (the same command goes on)
"""

GIVEN = ("samples", "limit", "seed", "shots", "temperature", "effort", "thought", "max_tokens")
"""Options that are settings of the same name."""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(
        commands,
        "gate",
        "ask a candidate until it is clear whether it is worse than a baseline",
        EXAMPLES,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--baseline",
        action="append",
        metavar="RUN",
        help="the run to compare with; several, one a benchmark, are judged together",
    )
    what.add_argument(
        "--replay",
        type=Path,
        metavar="RUN",
        help="compute the gates recorded in a candidate's folder again; nobody is asked",
    )
    add_term_options(parser)
    add_candidate_options(parser)
    add_sending_options(parser, with_budget=False)
    parser.set_defaults(execute=execute)


def add_term_options(parser: argparse.ArgumentParser) -> None:
    """What is tested, and how much may be asked for it."""
    parser.add_argument(
        "--margin",
        type=parse_points,
        default=0.02,
        metavar="POINTS",
        help="the largest drop that is no regression, in percentage points (default: 2)",
    )
    parser.add_argument(
        "--fail-margin",
        type=parse_points,
        metavar="POINTS",
        help="call larger drops than this a regression; clear ones are then found sooner, and "
        "harmless ones may be called so (default: the margin)",
    )
    parser.add_argument(
        "--alpha",
        type=lambda text: parse_number(text, "more than 0, less than 0.5", least=1e-12, most=0.499),
        default=0.05,
        metavar="A",
        help="the chance of either wrong verdict, at most (default: 0.05)",
    )
    parser.add_argument(
        "--budget",
        type=parse_budget,
        default=Budgeted(),
        metavar="N|USD",
        help="the most questions to use, as 500, or dollars for each baseline's candidate, as "
        "$2.50 or 2.50usd; spent without a verdict, it is inconclusive",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="ask all questions, for the verdict of a complete run on questions like these",
    )


def add_candidate_options(parser: argparse.ArgumentParser) -> None:
    """In what the candidate differs from the baseline."""

    def add(name: str, help: str, **others: Any) -> None:
        parser.add_argument(name, help=help, default=argparse.SUPPRESS, **others)

    same = "(default: as the baseline)"
    parser.add_argument(
        "--model", metavar="M", help=f"the model to ask, as for `run` {same}", default=None
    )
    parser.add_argument(
        "--prompt",
        type=Path,
        metavar="FILE",
        help=f"a TOML file with a [prompt] table {same}",
    )
    parser.add_argument("--way", choices=("auto", *WAYS), help=f"how to ask {same}")
    add("--shots", f"worked examples before each question {same}", type=int, metavar="K")
    add("--samples", f"responses for each question {same}", type=int, metavar="K")
    warmth = f"0 to 1, or `none` to leave it to the endpoint {same}"
    add("--temperature", warmth, type=parse_temperature, metavar="T")
    add("--effort", f"output_config.effort {same}", metavar="LEVEL")
    thought = f"how --way reasoned has a model think {same}"
    add("--thought", thought, choices=("api", "text"))
    add("--max-tokens", f"room for a reply {same}", type=int, metavar="N")
    stop = f"a stop sequence; may be given several times {same}"
    parser.add_argument("--stop", action="append", metavar="TEXT", help=stop)
    add("--seed", f"draws sample and examples {same}", type=int, metavar="S")
    add("--limit", f"a random sample of N questions {same}", type=int, metavar="N")
    parser.add_argument(
        "--benchmark",
        metavar="FILE|NAME",
        help="where the questions come from, if the baseline's folder lacks their texts, pictures "
        "or worked examples; they have to be the same (default: the baseline's folder)",
    )
    add_data_option(parser)
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="the server to ask (default: ANTHROPIC_BASE_URL, else the official API)",
    )
    parser.add_argument("--api-version", metavar="V", help=f"the header anthropic-version {same}")
    parser.add_argument(
        "--resize", action="store_true", help="scale down pictures larger than the endpoint takes"
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="the folder in which each run has its own (default: results)",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgeted:
    """What may be spent: questions, or dollars, or as much as it takes."""

    questions: int | None = None
    dollars: float | None = None


def parse_budget(text: str) -> Budgeted:
    """A number of questions, or an amount of money.

    Raises:
        ArgumentTypeError: it is neither.

    Example:
        >>> parse_budget("500").questions, parse_budget("$2.50").dollars
        (500, 2.5)
        >>> parse_budget("2.50usd").dollars
        2.5
    """
    money = re.fullmatch(r"\$\s*(?P<before>\S+)|(?P<behind>\S+?)\s*usd", text, re.IGNORECASE)
    if money is not None:
        return Budgeted(dollars=parse_dollars(money["before"] or money["behind"]))
    if re.fullmatch(r"[0-9]{1,9}", text) and int(text) > 0:
        return Budgeted(questions=int(text))
    raise argparse.ArgumentTypeError(
        f"{text!r}: expected a number of questions, as 500, or dollars, as $2.50 or 2.50usd"
    )


def parse_points(text: str) -> float:
    """Percentage points as a fraction.

    Raises:
        ArgumentTypeError: it is no number from 0 to less than 100.

    Example:
        >>> parse_points("2")
        0.02
    """
    return parse_number(text, "percentage points, 0 to less than 100", most=99.999) / 100


def execute(args: argparse.Namespace) -> int:
    """Hold the gates, or compute recorded ones again, and print the verdict."""
    if args.replay is not None:
        return execute_replay(args)
    import asyncio

    from evalkit.gating import run_gates
    from evalkit.logs import log_to, trace_to
    from evalkit.progress import ignore

    say = ignore if args.quiet else print_note
    refuse_detours(args)
    check_results(args.results)
    terms = build_terms(args)
    contests = build_contests(args, say)
    job = run_gates(
        contests,
        terms,
        asks_all=args.full,
        endpoint=choose_endpoint(args, contests),
        results=args.results,
        progress=not args.quiet,
        say=say,
        keep_files=args.keep_files,
    )
    with log_to(args.log, print_note), trace_to(args.trace, print_note):
        result = asyncio.run(job)
    print_result(result, as_json=args.json)
    if result.errors:
        code = report_errors([("", error) for error in result.errors])
        return USAGE if exit_code_for(result.verdict) == USAGE else code
    return exit_code_for(result.verdict)


def refuse_detours(args: argparse.Namespace) -> None:
    """Refuse ways of sending that take many questions at once.

    Raises:
        UsageError: naming the option.
    """
    asked = {
        "--batch": args.batch,
        "--workers": args.workers != 1,
        "--engine": args.engine != "loky",
        "--cluster": args.cluster is not None,
        "--shared": args.shared is not None,
    }
    for option, is_given in asked.items():
        if is_given:
            raise UsageError(
                f"{option}: a gate stops when the verdict is clear, so it asks directly, a few "
                "questions at once; to ask all of them that way, use `evalkit run`, then "
                "`evalkit gate --full`"
            )


def build_terms(args: argparse.Namespace) -> GateTerms:
    """What is tested.

    Raises:
        UsageError: the fail margin is above the margin, or all is asked under a budget.
    """
    from evalkit.stats.sequential import GateTerms

    if args.full and args.budget.questions is not None:
        raise UsageError("--full asks all questions: leave out --budget, or give it in dollars")
    try:
        return GateTerms(
            margin=args.margin,
            alpha=args.alpha,
            fail_margin=args.fail_margin,
            budget=args.budget.questions,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def build_contests(args: argparse.Namespace, say: Say) -> list[Contest]:
    """Each baseline with how its candidate is asked.

    Raises:
        EvalkitError: a baseline can't be read, or the candidate can't be asked as named.
    """
    from evalkit.baselines import load_baseline
    from evalkit.cli.questions import load_questions
    from evalkit.gating import set_up

    benchmark = None
    if args.benchmark is not None:
        [benchmark] = load_questions([args.benchmark], args.data, say)
    baselines = [load_baseline(name, args.results) for name in args.baseline]
    return [set_up(each, benchmark, args.model, build_candidate(args, each)) for each in baselines]


def build_candidate(args: argparse.Namespace, baseline: Baseline) -> RunSettings:
    """The baseline's settings with what the options change.

    Raises:
        UsageError: an option is out of range.
    """
    from evalkit.candidates import settings_of

    settings = settings_of(baseline, model=args.model, way=args.way)
    given = vars(args)
    changes: dict[str, Any] = {name: given[name] for name in GIVEN if name in given}
    if args.stop:
        changes["stop_sequences"] = tuple(args.stop)
    if args.prompt is not None:
        changes["prompt"] = read_prompt(args.prompt)
    changes["resize"] = settings.resize or args.resize
    changes["keep_text"] = settings.keep_text and not args.no_text
    return replace(settings, **changes, **build_sending(given), budget=args.budget.dollars)


def choose_endpoint(args: argparse.Namespace, contests: list[Contest]) -> Any:
    """The endpoint that all candidates are asked at; None if all are embedded.

    Raises:
        UsageError: there is no key, or the baselines name several versions of the API.
    """
    versions = {contest.baseline.identity.api_version for contest in contests}
    if args.api_version is None and len(versions) > 1:
        raise UsageError(f"the baselines name several API versions, {versions}: --api-version V")
    facts = {
        "model": [contest.model for contest in contests],
        "way": [contest.settings.way for contest in contests],
        "api_version": args.api_version or versions.pop(),
    }
    return find_endpoint(argparse.Namespace(**{**vars(args), **facts}))


def print_result(result: GateResult, *, as_json: bool) -> None:
    """Print the verdict and what is behind it."""
    if as_json:
        print(json.dumps(result.to_dict(), indent=2))
    elif result.gates:
        from evalkit.reports.gate import render_result

        sys.stderr.flush()
        print(f"\n{render_result(result)}")


def execute_replay(args: argparse.Namespace) -> int:
    """Compute recorded gates again, and say whether they come out as recorded."""
    from evalkit.gate_records import replay_run
    from evalkit.gating import GateResult
    from evalkit.reports.gate import render_result
    from evalkit.reports.tables import clean

    replays = replay_run(args.replay)
    differences = [
        f"gate {replay.record.plan.id}: {each}" for replay in replays for each in replay.differences
    ]
    if args.json:
        facts = [
            {**replay.record.to_dict(), "differences": list(replay.differences)}
            for replay in replays
        ]
        print(json.dumps({"gates": facts}, indent=2))
    else:
        for replay in replays:
            print(f"\n{render_result(GateResult(gates=(replay.record,)))}")
    for line in differences:
        print_note(f"evalkit: {clean(line)}")
    if differences:
        return USAGE
    if not args.json:
        print("\nComputed again from the journal: as recorded.")
    return max(exit_code_for(replay.record.final) for replay in replays)


def exit_code_for(verdict: Verdict | None) -> int:
    """The exit code is the verdict."""
    from evalkit.stats.verdicts import Verdict

    codes = {
        Verdict.NO_REGRESSION: FINE,
        Verdict.REGRESSED: REGRESSED,
        Verdict.INVALID: USAGE,
        Verdict.INCONCLUSIVE: INCONCLUSIVE,
    }
    return INCOMPLETE if verdict is None else codes[verdict]
