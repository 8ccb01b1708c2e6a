"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from evalkit.cli.numbers import parse_orders, parse_temperature
from evalkit.cli.selecting import add_selection_options, build_selection
from evalkit.cli.sending import build_sending
from evalkit.errors import UsageError

if TYPE_CHECKING:
    from evalkit.api.endpoint import Endpoint
    from evalkit.prompts import PromptFormat
    from evalkit.settings import RunSettings

SHORT_SECONDS, LONG_SECONDS = 120.0, 600.0
"""For one attempt: where a model answers at once, and where it thinks first."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def new_parser(
    commands: Commands, name: str, summary: str, examples: str
) -> argparse.ArgumentParser:
    """The parser of one command, with examples below its options."""
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_benchmarks_and_models(parser: argparse.ArgumentParser) -> None:
    """What is asked, and who."""
    parser.add_argument(
        "benchmarks",
        nargs="+",
        metavar="BENCHMARK",
        help="a name that `evalkit list` shows, a definition or suite (.toml), or a file of "
        "questions (.csv, .tsv, .jsonl, .json)",
    )
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="M",
        help="a model of the endpoint, or local/NAME, or local/PATH.gguf; may be given several "
        "times",
    )


def add_asking_options(
    parser: argparse.ArgumentParser,
    *,
    default_way: str = "auto, which is prefill where the model takes it, else instructed",
) -> None:
    """What decides which requests are sent.

    Args:
        parser: of the command.
        default_way: what the command does where no way is named.
    """
    parser.add_argument(
        "--way",
        action="append",
        choices=("auto", "prefill", "instructed", "structured", "tool", "reasoned"),
        help=f"how to ask; may be given several times (default: {default_way})",
    )
    parser.add_argument(
        "--shots", type=int, default=0, metavar="K", help="worked examples before each question"
    )
    parser.add_argument(
        "--prompt",
        type=Path,
        metavar="FILE",
        help="a TOML file with a [prompt] table, in place of the benchmark's own",
    )
    parser.add_argument(
        "--temperature",
        type=parse_temperature,
        default="default",
        metavar="T",
        help="0 to 1, or `none` to leave it to the endpoint; sent where the model takes it "
        "(default: 0; with several samples the endpoint's own)",
    )
    parser.add_argument(
        "--effort",
        metavar="LEVEL",
        help="output_config.effort, such as low or high (default: the endpoint's own; low for a "
        "model that can't be kept from thinking)",
    )
    parser.add_argument(
        "--thought",
        choices=("api", "text"),
        default="api",
        help="how --way reasoned has a model think: by the API's thinking where there is such, or "
        "in words (default: api)",
    )
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="room for a reply (default: what the way needs)"
    )
    parser.add_argument(
        "--stop",
        action="append",
        default=[],
        metavar="TEXT",
        help="a stop sequence; may be given several times",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="S",
        help="draws sample, examples and orders (default: 0)",
    )
    add_data_option(parser)


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """What decides which questions are asked, where, and at what price."""
    parser.add_argument(
        "--limit", type=int, metavar="N", help="a random sample of N questions (default: all)"
    )
    parser.add_argument(
        "--stratified",
        action="store_true",
        help="draw the sample so that each subject has its share of it",
    )
    add_selection_options(parser)
    parser.add_argument(
        "--samples",
        type=int,
        default=1,
        metavar="K",
        help="responses for each question (with --orders: in each order); more than one shows how "
        "much another run would differ",
    )
    parser.add_argument(
        "--orders",
        type=parse_orders,
        metavar="N|cyclic",
        help="show the choices of each question in N of their rotations, drawn by the seed, or in "
        "all of them (cyclic), so that each choice stands once under every letter; multiplies the "
        "requests (default: in the order of the set alone)",
    )
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="the server to ask (default: ANTHROPIC_BASE_URL, else the official API)",
    )
    parser.add_argument(
        "--api-version",
        default="2023-06-01",
        metavar="V",
        help="the header anthropic-version; 2026-10-21 takes no temperature (default: 2023-06-01)",
    )
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


def build_settings(args: argparse.Namespace) -> list[RunSettings]:
    """One set of settings for each way of asking; `show` has not all of the options."""
    from evalkit.settings import RunSettings

    prompt = read_prompt(args.prompt)
    given = vars(args)
    selection = build_selection(given)
    sending = build_sending(given)
    return [
        RunSettings(
            way=way,
            limit=given.get("limit"),
            samples=given.get("samples", 1),
            orders=given.get("orders"),
            selection=selection,
            seed=args.seed,
            shots=args.shots,
            temperature=args.temperature,
            effort=args.effort,
            thought=args.thought,
            max_tokens=args.max_tokens,
            stop_sequences=tuple(args.stop),
            prompt=prompt,
            resize=given.get("resize", False),
            keep_text=not given.get("no_text", False),
            budget=given.get("budget"),
            **sending,
        )
        for way in args.way or ["auto"]
    ]


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Where published question sets lie."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path(os.environ["EVALKIT_DATA"]) if os.environ.get("EVALKIT_DATA") else None,
        help="folder of published question sets (default: EVALKIT_DATA)",
    )


def check_results(folder: Path) -> None:
    """Refuse a place for runs that can't hold any.

    Raises:
        UsageError: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--results {folder}: expected a folder, this is a file")


def read_prompt(path: Path | None) -> PromptFormat | None:
    """The prompt format in a TOML file; None if no file is named.

    Raises:
        UsageError: the file can't be read, or has no [prompt] table, or one that can't be used.
    """
    if path is None:
        return None
    from evalkit.prompt_files import read_prompt_file

    return read_prompt_file(path)


def print_note(text: str) -> None:
    """Print a note or an error to where it doesn't mix with results.

    It may quote a file or a server, whose control characters must not reach the terminal.
    """
    from evalkit.reports.tables import clean_lines

    print(clean_lines(text), file=sys.stderr, flush=True)


def find_endpoint(args: argparse.Namespace, *, need_key: bool = True) -> Endpoint | None:
    """The endpoint that options and environment name; None if all models are embedded.

    Args:
        args: the options.
        need_key: whether a missing key is an error.

    Raises:
        UsageError: the official API is meant, but there is no key.
    """
    from evalkit.api.endpoint import endpoint_from_environment
    from evalkit.models.local import is_local

    if all(is_local(model) for model in args.model):
        return None
    thinks = "reasoned" in (args.way or ())
    return endpoint_from_environment(
        args.base_url,
        version=args.api_version,
        timeout_seconds=args.timeout or (LONG_SECONDS if thinks else SHORT_SECONDS),
        need_key=need_key,
    )
