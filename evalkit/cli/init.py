"""`evalkit init`: a commented `evalkit.toml`, or a workflow that carries it out."""

from __future__ import annotations

import argparse
import json
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from evalkit.cli.exit_codes import FINE
from evalkit.cli.options import Commands, new_parser
from evalkit.errors import UsageError

EXAMPLES = """  evalkit init
  evalkit init --benchmark questions.csv --model claude-haiku-4-5
  evalkit init --github > .github/workflows/evalkit.yml

Next: `evalkit baseline make` asks the model as it is now, `evalkit check` compares with that. What
is there is never overwritten without --force. The workflow fits the checks of evalkit.toml: where
embedded models alone are asked, it needs no key.
"""

PART = re.compile(r"\s*#@(?P<kinds>.*)")
"""In a recipe, the line above a part, with the kinds of project that it is for; none: for all."""


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
        UsageError: the file is there already, or its checks can't be read.
    """
    if args.github:
        print(render_workflow(load_models(args.to, args.model)), end="")
        return FINE
    from evalkit.checks import slug
    from evalkit.runs.folder import write_whole

    if args.to.exists() and not args.force:
        raise UsageError(f"{args.to} exists; name another file by --to, or add --force")
    name = slug(Path(args.benchmark).stem).replace(".", "-") or "check"
    text = fill_in(
        read_recipe("evalkit.toml"),
        {
            "@NAME@": name,
            '"@BENCHMARK@"': json.dumps(args.benchmark, ensure_ascii=False),
            '"@MODEL@"': json.dumps(args.model, ensure_ascii=False),
        },
    )
    write_whole(args.to, text.encode())
    print(f"Written: {args.to}. Next: evalkit baseline make; then evalkit check")
    return FINE


def load_models(path: Path, model: str) -> Mapping[str, str]:
    """Whom each check of a project asks, by what the check is called.

    Args:
        path: of the project; there may be none yet.
        model: whom it will ask then.

    Raises:
        UsageError: the project can't be read.
    """
    from evalkit.check_files import load_project

    if not path.exists():
        return {"check": model}
    return {case.id: case.model for case in load_project(path).cases}


def render_workflow(models: Mapping[str, str]) -> str:
    """A workflow that leaves out no check but those that need a key that is not there.

    Args:
        models: whom each check asks, at least one.
    """
    from evalkit.models.local import PREFIX, is_local, local_model_names

    keyless = [name for name, model in models.items() if is_local(model)]
    kinds = {"endpoint" if not keyless else "embedded" if len(keyless) == len(models) else "mixed"}
    fetched = [model for model in local_model_names() if model in models.values()]
    if fetched:
        kinds.add("weights")
    return fill_in(
        "".join(choose_parts(read_recipe("github-workflow.yml"), kinds)),
        {
            "@CHECKS@": shlex.join(keyless),
            "@WEIGHTS@": "-".join(model.removeprefix(PREFIX) for model in fetched),
        },
    )


def choose_parts(text: str, kinds: Collection[str]) -> Iterator[str]:
    r"""The lines of a recipe that are for projects of these kinds.

    Example:
        >>> list(choose_parts("a\n#@ x y\nb\n#@ z\nc\n#@\nd\n", {"y"}))
        ['a\n', 'b\n', 'd\n']
    """
    wanted = True
    for line in text.splitlines(keepends=True):
        if mark := PART.match(line):
            named = mark["kinds"].split()
            wanted = not named or not set(kinds).isdisjoint(named)
        elif wanted:
            yield line


def fill_in(recipe: str, values: Mapping[str, str]) -> str:
    """Put values in place of the marks of a recipe."""
    for mark, value in values.items():
        recipe = recipe.replace(mark, value)
    return recipe


def read_recipe(name: str) -> str:
    """A file that comes with evalkit."""
    return (Path(__file__).parents[1] / "recipes" / name).read_text(encoding="utf-8")
