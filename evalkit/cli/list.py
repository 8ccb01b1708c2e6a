"""`evalkit list`: the benchmarks and models at hand."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from evalkit.cli.exit_codes import FINE
from evalkit.cli.options import Commands, add_data_option, new_parser, print_note
from evalkit.errors import ApiError, BenchmarkError, UsageError

if TYPE_CHECKING:
    from evalkit.api.listing import ServedModel
    from evalkit.models.model import Model
    from evalkit.suites import Suite

EXAMPLES = """  evalkit list
  evalkit list models
  evalkit list models --live
  evalkit list benchmarks --data ~/sets --json
"""

THINKING = {
    "off": "no",
    "disabled": "off",
    "between_tools": "off",
    "always": "always",
    "unknown": "-",
}
"""Whether a model thinks before it answers evalkit's questions; "off": it is told not to."""

PLACES = {
    "beside": "shipped",
    "data": "data folder",
    "cache": "cached",
    "fetch": "to fetch",
    "missing": "missing",
}
"""Where a benchmark's questions are, in words."""

LEGEND = """Temp.: takes a temperature. Schema, tool: its replies can be bound by one.
Thinks: before it answers; off: unless told not to. Price: dollars for a million
tokens, input/output. -: not known. --json has the rest."""


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
    parser.add_argument(
        "--live", action="store_true", help="ask the endpoint which models it serves, and mark them"
    )
    parser.add_argument(
        "--base-url",
        metavar="URL",
        help="the server to ask (default: ANTHROPIC_BASE_URL, else the official API)",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as JSON")
    parser.set_defaults(execute=execute)


def execute(args: argparse.Namespace) -> int:
    """Print a table of benchmarks or models.

    Raises:
        UsageError: --live without `models`.
    """
    if args.live and args.what != "models":
        raise UsageError("--live asks for models: evalkit list models --live")
    if args.what == "models":
        rows = list_models(asyncio.run(ask_endpoint(args.base_url)) if args.live else None)
    else:
        rows = list_benchmarks(args)
    if args.json:
        print(json.dumps({args.what: rows}, indent=2))
    elif rows:
        (print_models if args.what == "models" else print_benchmarks)(rows)
    return FINE


def list_benchmarks(args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row a definition; no question is read. A definition that can't be used is only noted."""
    from evalkit.benchmarks import list_definitions, parse_definition
    from evalkit.suites import parse_suite

    rows = []
    for path in list_definitions():
        try:
            suite = parse_suite(path)
            if suite is not None:
                rows.append(describe_suite(suite))
                continue
            definition = parse_definition(path)
        except BenchmarkError as error:
            print_note(f"evalkit: {error}")
            continue
        place = definition.locate(args.data)
        rows.append(
            {
                "benchmark": definition.name,
                "questions": definition.questions,
                "chance": definition.chance,
                "on_disk": place not in ("fetch", "missing"),
                "place": place,
                "licence": definition.licence.split(",")[0],
                "title": definition.title,
                "unverified": definition.unverified,
            }
        )
    return rows


def summarize_benchmark(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of the table; a question mark stands with what nobody has verified."""
    doubtful = {
        key: f"{row[key]}?"
        for key in ("questions", "licence")
        if key in row["unverified"] and row[key] is not None
    }
    return {
        "benchmark": row["benchmark"],
        "questions": row["questions"],
        "chance": row["chance"],
        "where": PLACES.get(row["place"], "-"),
        "licence": row["licence"],
        "title": row["title"],
    } | doubtful


def print_benchmarks(rows: list[dict[str, Any]]) -> None:
    """Print the table of benchmarks, and what the marks in it mean."""
    print_table([summarize_benchmark(row) for row in rows])
    if any(row["place"] == "fetch" for row in rows):
        print("to fetch: `run` and others bring it here when they first need it, and keep it.")
    if any(row["unverified"] for row in rows):
        print("?: nobody has held this against the published set.")


def describe_suite(suite: Suite) -> dict[str, Any]:
    """The row of a suite, of which its benchmarks' rows say the rest."""
    title = suite.title or f"suite of {', '.join(suite.benchmarks)}"
    unknown = dict.fromkeys(("questions", "chance", "on_disk", "place"))
    return {
        **{"benchmark": suite.name, **unknown},
        **{"licence": "-", "title": title, "unverified": ()},
    }


def list_models(served: Sequence[ServedModel] | None = None) -> list[dict[str, Any]]:
    """One row a model: what it takes and costs, where evalkit knows; the embedded ones first.

    Args:
        served: what an endpoint says that it serves: each row gets its word, or None, and models
            that evalkit doesn't know follow.
    """
    from evalkit.models.catalogue import find_model, load_catalogue
    from evalkit.models.local import list_local_models
    from evalkit.models.model import EMBEDDED, FREE, Model

    rows = []
    for local in list_local_models():
        model = Model(id=local.model, capabilities=EMBEDDED, price=FREE)
        facts = describe_model(local.model, model)
        weights = local.weights
        where = {"size_bytes": weights.size_bytes, "licence": weights.licence}
        rows.append({**facts, "weights": {**where, "on_disk": local.path is not None}})
    known = {model.id: model for model in load_catalogue().values()}
    rows += [describe_model(model.alias or name, model) for name, model in known.items()]
    if served is None:
        return rows
    left = {model.id: model for model in served}
    for row in rows:
        found = left.pop(row["id"], None) or left.pop(row["model"], None)
        row["served"] = None if found is None else describe_served(found)
    for name, other in left.items():
        rows.append({**describe_model(name, find_model(name)), "served": describe_served(other)})
    return rows


def describe_model(name: str, model: Model) -> dict[str, Any]:
    """What the catalogue says of a model, as JSON."""
    facts = asdict(model)
    capabilities = facts.pop("capabilities")
    del facts["alias"]
    return {
        "model": name,
        **capabilities,
        **{key: str(v) if isinstance(v, date) else v for key, v in facts.items()},
        "corrected": sorted(model.corrected),
        "weights": None,
    }


def describe_served(model: ServedModel) -> dict[str, Any]:
    """What an endpoint says of a model, as JSON."""
    facts = {**asdict(model), "capabilities": dict(model.capabilities)}
    return {key: str(v) if isinstance(v, date) else v for key, v in facts.items()}


async def ask_endpoint(base_url: str | None) -> tuple[ServedModel, ...]:
    """The models that the endpoint says it serves.

    Raises:
        ApiError: it does not say.
    """
    from evalkit.api.client import MessagesClient
    from evalkit.api.endpoint import endpoint_from_environment
    from evalkit.api.listing import list_served_models
    from evalkit.api.retries import RetryPolicy, send_with_retries

    async with MessagesClient(endpoint_from_environment(base_url), 1) as client:
        found, _ = await send_with_retries(lambda: list_served_models(client), RetryPolicy())
    if isinstance(found, ApiError):
        raise found
    return found


def summarize_model(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of the table."""
    live = {"served": row["served"] is not None} if "served" in row else {}
    served = row.get("served") or {}
    has_end = row["lifecycle"] in ("deprecated", "retired")
    ends = served.get("retires_at") or (row["retires"] if has_end else None)
    return {
        "model": row["model"],
        **live,
        "prefill": row["prefill"],
        "temp.": row["temperature"],
        "schema": row["structured"],
        "tool": row["forced_tool"],
        "thinks": row["thinking"],
        "price": row["price"],
        "context": row["context_tokens"] or served.get("max_input_tokens"),
        "ends": None if ends is None else ends[:10],
    }


def print_models(rows: list[dict[str, Any]]) -> None:
    """Print the table of models, and where the weights of embedded ones are."""
    from evalkit.models.weights import render_bytes

    print_table([summarize_model(row) for row in rows])
    print(LEGEND)
    for row in rows:
        if row["weights"] is not None:
            where = "on disk" if row["weights"]["on_disk"] else "not fetched yet"
            size = render_bytes(row["weights"]["size_bytes"])
            print(f"{row['model']}: {size}, {row['weights']['licence']}, {where}")


def print_table(rows: list[dict[str, Any]]) -> None:
    """Print rows of equal keys."""
    from evalkit.reports.tables import clean, new_table, render_table

    numbers = [name for name in rows[0] if name in ("questions", "chance", "price", "context")]
    table = new_table("", left=(), right=())
    for name in rows[0]:
        heading = name.replace("_", " ").capitalize()
        justify: Literal["left", "right"] = "right" if name in numbers else "left"
        # A name is there to be copied: it is never broken.
        table.add_column(heading, justify=justify, overflow="fold", no_wrap=name == "benchmark")
    for row in rows:
        table.add_row(*(clean(render_cell(name, value)) for name, value in row.items()))
    print(render_table(table), end="")


def render_cell(name: str, value: Any) -> str:
    """Yes, no, a dash for what is not known, or the value in words."""
    from evalkit.reports.tables import percent

    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    match name:
        case "chance":
            return percent(value)
        case "thinks":
            return THINKING[value]
        case "price":
            return f"{value['input']:g}/{value['output']:g}"
        case "context":
            return f"{value // 1000:,}k"
        case _:
            return str(value)
