"""What a benchmark's definition says of it, its questions left where they are."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.benchmarks import Definition
    from evalkit.loaders.filters import RowFilter

WORDS = {
    "beside": "beside its definition",
    "data": "in the data folder",
    "cache": "fetched earlier, in the cache",
    "fetch": "to be fetched when it is first needed",
    "missing": "not on this machine",
}


def print_facts(name: str, data_folder: Path | None, *, as_json: bool) -> None:
    """Print the facts of a definition, one a line or as JSON.

    Raises:
        BenchmarkError: there is no such benchmark, or its definition is wrong.
    """
    from evalkit.benchmarks import load_definition
    from evalkit.loaders.locating import is_remote
    from evalkit.reports.tables import clean_lines
    from evalkit.suites import find_suite

    suite = None if is_remote(name) else find_suite(name)
    if suite is None:
        facts = list_facts(load_definition(name), data_folder)
    else:
        benchmarks = list(suite.benchmarks)
        facts = {"suite": suite.name, "title": suite.title, "note": suite.note}
        facts |= {"benchmarks": benchmarks}
    if as_json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    print(clean_lines("\n".join(render_fact(key, value) for key, value in facts.items() if value)))


def list_facts(definition: Definition, data_folder: Path | None) -> dict[str, Any]:
    """All that a definition says for people."""
    hub = definition.source.hub
    return {
        "benchmark": definition.name,
        "title": definition.title,
        "version": definition.version,
        "questions": definition.questions,
        "choices": definition.choices,
        "chance": definition.chance,
        "licence": definition.licence,
        "homepage": definition.homepage,
        "citation": definition.citation,
        "note": definition.note,
        "files": list(definition.source.files),
        "hub": None if hub is None else {**asdict(hub), "pinned": hub.is_pinned},
        "rows": definition.count_rows(data_folder),
        "taken": [describe_filter(each) for each in definition.fields.where],
        "place": definition.locate(data_folder),
        "unverified": list(definition.unverified),
    }


def describe_filter(condition: RowFilter) -> str:
    """Which rows are questions of the set, in words.

    Example:
        >>> from evalkit.loaders.filters import RowFilter
        >>> describe_filter(RowFilter(column="type", allowed=("choice",)))
        "type is 'choice'"
    """
    words = []
    if condition.allowed:
        words.append(f"is {' or '.join(map(repr, condition.allowed))}")
    if condition.refused:
        words.append(f"is not {' or '.join(map(repr, condition.refused))}")
    if condition.filled is not None:
        words.append("is filled" if condition.filled else "is empty")
    return f"{condition.column} {' and '.join(words)}"


def render_fact(key: str, value: Any) -> str:
    """One fact as a line."""
    match key:
        case "chance":
            text = f"{100 * value:.1f} %"
        case "questions" | "rows":
            text = f"{value:,}"
        case "files" | "benchmarks":
            text = ", ".join(value)
        case "taken":
            text = f"rows where {' and '.join(value)}"
        case "place":
            key, text = "where", WORDS[value]
        case "hub":
            parts = ", ".join(value["configs"]) or "no configs"
            pin = "" if value["pinned"] else " (not pinned: settled by the first fetch)"
            text = f"{value['repository']} at {value['revision']}{pin}; {parts}; {value['split']}"
        case "unverified":
            text = f"{', '.join(value)}: nobody has held this against the published set"
        case _:
            text = str(value)
    return f"{key.capitalize():11} {text}"
