"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from evalkit.errors import UsageError

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
    """A number, or None for `none`."""
    return None if text == "none" else float(text)


def read_prompt(path: Path | None) -> PromptFormat | None:
    """The prompt format in a TOML file; None if no file is named.

    Raises:
        UsageError: the file can't be read, or has no [prompt] table.
        PromptError: the table can't be used.
    """
    if path is None:
        return None
    import tomllib

    from evalkit.prompts import parse_prompt_format

    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} can't be read: {error}") from error
    if not isinstance(table.get("prompt"), dict):
        raise UsageError(f"{path} has no table [prompt]")
    return parse_prompt_format(table["prompt"])
