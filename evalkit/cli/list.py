"""`evalkit list`: the benchmarks and models at hand."""

from __future__ import annotations

import argparse
import json
from typing import Any

from evalkit.cli.exit_codes import FINE
from evalkit.cli.options import Commands, add_data_option, new_parser, print_note
from evalkit.errors import BenchmarkError

EXAMPLES = """  evalkit list
  evalkit list models
  evalkit list benchmarks --data ~/sets --json
"""

THINKING = {
    "off": "no",
    "disabled": "switched off",
    "between_tools": "switched off",
    "always": "always",
    "unknown": "-",
}
"""Whether a model thinks before it answers evalkit's questions."""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "list", "list benchmarks or models", EXAMPLES)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("benchmarks", "models"),
        default="benchmarks",
        help="what to list (default: benchmarks)",
    )
    add_data_option(parser)
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Print a table of benchmarks or models."""
    rows = list_models() if args.what == "models" else list_benchmarks(args)
    if args.json:
        print(json.dumps({args.what: rows}, indent=2))
    else:
        print_table(rows)
    return FINE


def list_benchmarks(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a definition; no question is read. A definition that can't be used is only noted."""
    from evalkit.benchmarks import list_definitions, parse_definition

    rows = []
    for path in list_definitions():
        try:
            definition = parse_definition(path)
        except BenchmarkError as error:
            print_note(f"evalkit: {error}")
            continue
        found = definition.find_files(definition.source.files, args.data)
        rows.append(
            {
                "benchmark": definition.name,
                "questions": definition.questions,
                "chance": definition.chance,
                "on_disk": bool(found),
                "licence": definition.licence.split(",")[0],
                "title": definition.title,
            }
        )
    return rows


def list_models() -> list[dict[str, Any]]:
    """One row a model: what it takes, where evalkit knows; and the weights of embedded ones."""
    from evalkit.models.local import list_local_models
    from evalkit.models.model import EMBEDDED, load_catalogue

    weights = {
        local.model: {
            "size_bytes": local.weights.size_bytes,
            "licence": local.weights.licence,
            "on_disk": local.path is not None,
        }
        for local in list_local_models()
    }
    return [
        {
            "model": name,
            "prefill": capabilities.prefill,
            "temperature": capabilities.temperature,
            "thinking": capabilities.thinking,
            "weights": weights.get(name),
        }
        for name, capabilities in {**dict.fromkeys(weights, EMBEDDED), **load_catalogue()}.items()
    ]


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print rows of equal keys."""
    from evalkit.reports.text import clean, new_table, render_table

    numbers = [name for name in rows[0] if name in ("questions", "chance")]
    table = new_table("", left=(), right=())
    for name in rows[0]:
        heading = name.replace("_", " ").capitalize()
        table.add_column(heading, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(clean(render_cell(name, value)) for name, value in row.items()))
    print(render_table(table), end="")


def render_cell(name: str, value: Any) -> str:
    """Yes, no, a dash for what is not known, or the value in words."""
    from evalkit.models.weights import render_bytes
    from evalkit.reports.text import percent

    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    match name:
        case "chance":
            return percent(value)
        case "thinking":
            return THINKING[value]
        case "weights":
            where = "on disk" if value["on_disk"] else "not fetched yet"
            return f"{render_bytes(value['size_bytes'])}, {value['licence']}, {where}"
        case _:
            return str(value)
