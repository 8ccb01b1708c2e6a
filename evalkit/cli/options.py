"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from evalkit.errors import PromptError, UsageError

if TYPE_CHECKING:
    from evalkit.prompts import PromptFormat

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


def add_asking_options(parser: argparse.ArgumentParser) -> None:
    """What decides which requests are sent."""
    parser.add_argument(
        "--way",
        action="append",
        choices=("auto", "prefill", "instructed"),
        help="how to ask; may be given several times (default: auto, which is prefill where the "
        "model takes it, else instructed)",
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
        default=0.0,
        metavar="T",
        help="0 to 1, or `none` to leave it to the endpoint; sent where the model takes it "
        "(default: 0)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="draws sample and examples (default: 0)"
    )
    add_data_option(parser)


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """Where published question sets lie."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path(os.environ["EVALKIT_DATA"]) if os.environ.get("EVALKIT_DATA") else None,
        help="folder of published question sets (default: EVALKIT_DATA)",
    )


def parse_temperature(text: str) -> float | None:
    """A number from 0 to 1, or None for `none`.

    Raises:
        ArgumentTypeError: it is neither.
    """
    return None if text == "none" else parse_number(text, "a number from 0 to 1, or none", most=1)


def parse_seconds(text: str) -> float:
    """A time that is not over at once.

    Raises:
        ArgumentTypeError: it is none.
    """
    return parse_number(text, "seconds, more than 0", least=1e-3)


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
