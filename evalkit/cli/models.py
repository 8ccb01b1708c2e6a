"""`evalkit models pull`: fetch the weights of embedded models before they are needed."""

from __future__ import annotations

import argparse

from evalkit.cli.exit_codes import FINE
from evalkit.cli.options import Commands, new_parser, print_note

EXAMPLES = """  evalkit models pull smollm2-135m
  evalkit models pull local/smollm2-135m local/qwen2.5-coder-1.5b
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "models", "fetch weights of embedded models", EXAMPLES)
    actions = parser.add_subparsers(metavar="pull", required=True)
    summary = "download, check by SHA-256 and keep for later runs"
    pull = new_parser(actions, "pull", summary, EXAMPLES)
    pull.add_argument("names", nargs="+", metavar="NAME", help="as `evalkit list models` shows it")
    pull.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Fetch the weights that are not on disk, and say where all of them are."""
    from evalkit.models.fetching import fetch_weights
    from evalkit.models.weights import weights_folder

    for name in args.names:
        path = fetch_weights(name.removeprefix("local/"), weights_folder(), say=print_note)
        print(path)
    return FINE
