"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from evalkit.errors import PromptError, UsageError

if TYPE_CHECKING:
    from evalkit.api.endpoint import Endpoint
    from evalkit.api.retries import RetryPolicy
    from evalkit.prompts import PromptFormat
    from evalkit.settings import RunSettings

SHORT_SECONDS, LONG_SECONDS = 120.0, 600.0
"""For one attempt: where a model answers at once, and where it thinks first."""

MOST_AT_ONCE = 256
"""Requests in flight at once where the user sets no limit; `evalkit.runs.concurrency.MOST`."""

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
        help="a name that `evalkit list` shows, a definition (.toml), or a file of questions "
        "(.csv, .tsv, .jsonl, .json)",
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
        "--seed", type=int, default=0, metavar="S", help="draws sample and examples (default: 0)"
    )
    add_data_option(parser)


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """What decides which questions are asked, where, and at what price."""
    parser.add_argument(
        "--limit", type=int, metavar="N", help="a random sample of N questions (default: all)"
    )
    parser.add_argument(
        "--samples", type=int, default=1, metavar="K", help="responses for each question"
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


def add_sending_options(parser: argparse.ArgumentParser) -> None:
    """What decides how requests travel; the same run goes on whatever it is."""
    parser.add_argument(
        "--concurrency",
        type=parse_concurrency,
        default=(None, MOST_AT_ONCE),
        metavar="C",
        help="requests in flight at once; `auto` or `auto:C` for as many as make the answers come "
        "faster, up to C (default: auto:256; 1 for an embedded model)",
    )
    parser.add_argument(
        "--rpm",
        type=parse_positive,
        metavar="N",
        help="send each model at most N requests a minute (default: what the endpoint says, or "
        "shows by its refusals)",
    )
    parser.add_argument(
        "--tpm", type=parse_positive, metavar="N", help="the same for tokens, input and output"
    )
    parser.add_argument(
        "--timeout",
        type=parse_seconds,
        metavar="S",
        help="seconds for one attempt (default: 120; 600 where the model thinks)",
    )
    parser.add_argument(
        "--attempts",
        type=int,
        default=10,
        metavar="N",
        help="tries for one request, the first included (default: 10)",
    )
    parser.add_argument(
        "--deadline",
        type=parse_seconds,
        default=900.0,
        metavar="S",
        help="seconds for one request with all its tries (default: 900)",
    )
    parser.add_argument(
        "--run-deadline",
        type=parse_seconds,
        metavar="S",
        help="start nothing later than this many seconds after a run began",
    )
    parser.add_argument(
        "--patience",
        type=parse_seconds,
        default=300.0,
        metavar="S",
        help="seconds for which an endpoint may answer nobody before the run ends (default: 300; "
        "at most 15 before the first answer)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="share the questions out among N processes (default: 1)",
    )
    parser.add_argument(
        "--engine",
        choices=("loky", "dask", "ray"),
        default="loky",
        help="what starts the workers: processes of this machine, or a cluster (default: loky)",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="the scheduler of a cluster, such as tcp://host:8786 (default: one is started here)",
    )
    parser.add_argument(
        "--shared",
        metavar="URL",
        help="where workers of other machines write, a path or an address that fsspec knows "
        "(default: the run's folder)",
    )
    parser.add_argument(
        "--batch",
        action="store_true",
        help="ask by Message Batches: half the price, within a day; may be interrupted at any time",
    )
    parser.add_argument(
        "--poll-seconds",
        type=parse_seconds,
        default=60.0,
        metavar="S",
        help="the longest wait between two looks at a batch (default: 60)",
    )
    parser.add_argument(
        "--budget",
        type=parse_dollars,
        metavar="USD",
        help="end each run before it would cost more than this, requests in flight included",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="don't mark long shared prefixes for the cache"
    )
    parser.add_argument(
        "--images",
        choices=("base64", "file"),
        default="base64",
        help="how picture files travel: in each request, or uploaded once (default: base64)",
    )
    parser.add_argument(
        "--keep-files", action="store_true", help="leave uploaded pictures at the endpoint"
    )
    parser.add_argument(
        "--no-text",
        action="store_true",
        help="keep texts of questions and replies off the disk, as for zero data retention; rules "
        "out --batch and --images file",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress, no notes")
    parser.add_argument(
        "--log",
        type=Path,
        metavar="FILE",
        help="write what happens into a file, a line of JSON for each attempt; never a key or text",
    )
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="write the times of all attempts for ui.perfetto.dev or chrome://tracing",
    )


def build_settings(args: argparse.Namespace) -> list[RunSettings]:
    """One set of settings for each way of asking; `show` has not all of the options."""
    from evalkit.settings import RunSettings

    prompt = read_prompt(args.prompt)
    given = vars(args)
    return [
        RunSettings(
            way=way,
            limit=given.get("limit"),
            samples=given.get("samples", 1),
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
            concurrency=given.get("concurrency", (None, MOST_AT_ONCE))[0],
            max_concurrency=given.get("concurrency", (None, MOST_AT_ONCE))[1],
            requests_per_minute=given.get("rpm"),
            tokens_per_minute=given.get("tpm"),
            deadline_seconds=given.get("run_deadline"),
            workers=given.get("workers", 1),
            engine=given.get("engine", "loky"),
            cluster=given.get("cluster"),
            shared=given.get("shared"),
            retries=build_retries(given),
            images=given.get("images", "base64"),
            keep_files=given.get("keep_files", False),
            cache=not given.get("no_cache", False),
            budget=given.get("budget"),
            batch=given.get("batch", False),
            poll_seconds=given.get("poll_seconds", 60.0),
        )
        for way in args.way or ["auto"]
    ]


def build_retries(given: Mapping[str, Any]) -> RetryPolicy:
    """How stubborn to be; commands that ask nobody have no such options.

    Raises:
        UsageError: there is no attempt at all.
    """
    from evalkit.api.breaker import Patience
    from evalkit.api.retries import RetryPolicy

    if "attempts" not in given:
        return RetryPolicy()
    if given["attempts"] < 1:
        raise UsageError(f"attempts {given['attempts']}: expected at least 1")
    later = given["patience"]
    patience = Patience(later=later, at_start=min(later, Patience().at_start))
    return RetryPolicy(
        attempts=given["attempts"], deadline_seconds=given["deadline"], outage=patience
    )


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


def parse_temperature(text: str) -> float | Literal["default"] | None:
    """A number from 0 to 1, None for `none`, or the word `default`.

    Raises:
        ArgumentTypeError: it is none of these.
    """
    if text == "default":
        return "default"
    return None if text == "none" else parse_number(text, "a number from 0 to 1, or none", most=1)


def parse_concurrency(text: str) -> tuple[int | None, int]:
    """A fixed number of requests at once, or none and the most of them.

    Raises:
        ArgumentTypeError: it is neither.

    Example:
        >>> parse_concurrency("64"), parse_concurrency("auto"), parse_concurrency("auto:64")
        ((64, 64), (None, 256), (None, 64))
    """
    if text == "auto":
        return None, MOST_AT_ONCE
    is_auto = text.startswith("auto:")
    digits = text.removeprefix("auto:")
    if not (digits.isascii() and digits.isdecimal() and 1 <= int(digits) <= 100_000):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1, auto, or auto:C")
    return (None if is_auto else int(digits)), int(digits)


def parse_positive(text: str) -> float:
    """A number above 0.

    Raises:
        ArgumentTypeError: it is none.
    """
    return parse_number(text, "a number, more than 0", least=1e-9)


def parse_seconds(text: str) -> float:
    """A time that is not over at once.

    Raises:
        ArgumentTypeError: it is none.
    """
    return parse_number(text, "seconds, more than 0", least=1e-3)


def parse_dollars(text: str) -> float:
    """An amount of money that is not nothing.

    Raises:
        ArgumentTypeError: it is none.
    """
    return parse_number(text.removeprefix("$"), "dollars, more than 0", least=1e-9)


def parse_number(
    text: str, expected: str, *, least: float = 0.0, most: float = float("inf")
) -> float:
    """A number within bounds; `nan` is never within them.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
    return number


def read_prompt(path: Path | None) -> PromptFormat | None:
    """The prompt format in a TOML file; None if no file is named.

    Raises:
        UsageError: the file can't be read, or has no [prompt] table, or one that can't be used.
    """
    if path is None:
        return None
    import tomllib

    from evalkit.prompts import parse_prompt_format

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path} can't be read: {error}") from error
    if not isinstance(table.get("prompt"), dict):
        raise UsageError(f"{path} has no table [prompt]")
    try:
        return parse_prompt_format(table["prompt"])
    except PromptError as error:
        raise UsageError(f"{path}: {error}") from error


def print_note(text: str) -> None:
    """Print a note or an error to where it doesn't mix with results.

    It may quote a file or a server, whose control characters must not reach the terminal.
    """
    from evalkit.reports.text import clean_lines

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
