"""`evalkit list`: the benchmarks and models at hand."""

from __future__ import annotations

import argparse
import json
from typing import Any

from evalkit.cli.exit_codes import FINE
from evalkit.cli.options import Commands, add_data_option, new_parser

EXAMPLES = """  evalkit list
  evalkit list models
  evalkit list benchmarks --data ~/sets --json
"""


def add_parser(commands: Commands) -> None:
    """Add the command."""
    parser = new_parser(commands, "list", "list benchmarks or models", EXAMPLES)
    parser.add_argument("what", nargs="?", choices=("benchmarks", "models"), default="benchmarks")
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
    """One row a definition; no question is read."""
    from evalkit.benchmarks import list_definitions, parse_definition

    rows = []
    for definition in (parse_definition(path) for path in list_definitions()):
        found = definition.find_files(definition.source.files, args.data)
        rows.append(
            {
                "benchmark": definition.name,
                "questions": definition.questions,
                "chance": definition.chance,
                "on disk": bool(found),
                "licence": definition.licence.split(",")[0],
                "title": definition.title,
            }
        )
    return rows


def list_models() -> list[dict[str, Any]]:
    """One row a model: what it takes, where evalkit knows."""
    from evalkit.models.local import list_local_models
    from evalkit.models.model import EMBEDDED, load_catalogue
    from evalkit.models.weights import render_bytes

    known = {**{local.model: EMBEDDED for local in list_local_models()}, **load_catalogue()}
    on_disk = {
        local.model: f"{render_bytes(local.weights.size_bytes)}, {local.weights.licence}"
        + (", on disk" if local.path else ", not fetched yet")
        for local in list_local_models()
    }
    return [
        {
            "model": name,
            "prefill": capabilities.prefill,
            "temperature": capabilities.temperature,
            "thinking": capabilities.thinking,
            "weights": on_disk.get(name),
        }
        for name, capabilities in known.items()
    ]


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print rows of equal keys."""
    from evalkit.reports.text import new_table, percent, render_table

    numbers = [name for name in rows[0] if name in ("questions", "chance")]
    table = new_table("", left=(), right=())
    for name in rows[0]:
        table.add_column(name.capitalize(), justify="right" if name in numbers else "left")
    for row in rows:
        cells = {**row, "chance": percent(row["chance"])} if "chance" in row else row
        table.add_row(*(render_cell(value) for value in cells.values()))
    print(render_table(table), end="")


def render_cell(value: object) -> str:
    """Yes, no, a dash for what is not known, or the value itself."""
    words = {True: "yes", False: "no", None: "-"}
    return words[value] if isinstance(value, bool | None) else str(value)
