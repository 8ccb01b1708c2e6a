"""`evalkit init`: a commented `evalkit.toml`, or a workflow that carries it out."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from evalkit.cli.exit_codes import FINE
from evalkit.cli.options import Commands, new_parser
from evalkit.errors import UsageError

EXAMPLES = """  evalkit init
  evalkit init --benchmark questions.csv --model claude-haiku-4-5
  evalkit init --github > .github/workflows/evalkit.yml

Next: `evalkit baseline make` asks the model as it is now, `evalkit check` compares with that. What
is there is never overwritten without --force.
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "init", "write a commented evalkit.toml", EXAMPLES)
    parser.add_argument(
        "--benchmark",
        default="everyday",
        metavar="BENCHMARK",
        help="what to ask: a name that `evalkit list` shows, or a file (default: everyday)",
    )
    parser.add_argument(
        "--model", default="claude-haiku-4-5", metavar="M", help="default: claude-haiku-4-5"
    )
    parser.add_argument(
        "--to",
        type=Path,
        default=Path("evalkit.toml"),
        metavar="FILE",
        help="default: evalkit.toml",
    )
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.add_argument(
        "--github", action="store_true", help="print a GitHub workflow instead, write nothing"
    )
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Write the file, or print the workflow.

    Raises:
        UsageError: the file is there already.
    """
    if args.github:
        print(read_recipe("github-workflow.yml"), end="")
        return FINE
    from evalkit.checks import slug
    from evalkit.runs.folder import write_whole

    if args.to.exists() and not args.force:
        raise UsageError(f"{args.to} exists; name another file by --to, or add --force")
    name = slug(Path(args.benchmark).stem).replace(".", "-") or "check"
    text = read_recipe("evalkit.toml")
    for mark, value in (
        ("@NAME@", name),
        ('"@BENCHMARK@"', json.dumps(args.benchmark, ensure_ascii=False)),
        ('"@MODEL@"', json.dumps(args.model, ensure_ascii=False)),
    ):
        text = text.replace(mark, value)
    write_whole(args.to, text.encode())
    print(f"Written: {args.to}. Next: evalkit baseline make; then evalkit check")
    return FINE


def read_recipe(name: str) -> str:
    """A file that comes with evalkit."""
    return (Path(__file__).parents[1] / "recipes" / name).read_text(encoding="utf-8")
