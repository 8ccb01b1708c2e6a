"""Suites: one name for several benchmarks, whose scores are averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.benchmarks import find_definition, read_definition
from evalkit.errors import BenchmarkError
from evalkit.loaders.definition import DefinitionError, check_keys, read_text, read_texts

KEYS = ("suite", "name", "title", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Several benchmarks under one name.

    A suite is a TOML file like a benchmark's: `suite = ["mmlu", "arc-challenge"]`.
    """

    name: str
    path: Path
    benchmarks: tuple[str, ...]
    """Names for `load_benchmark`, at least two, each once; files as paths from where we are."""
    title: str = ""
    note: str = ""


def find_suite(name: str | Path) -> Suite | None:
    """The suite of a name or file; None if it is a benchmark.

    Raises:
        BenchmarkError: there is neither, or the file can't be used.
    """
    path = find_definition(name)
    return parse_suite(path) if path.suffix == ".toml" else None


def parse_suite(path: Path) -> Suite | None:
    """Read a suite's file; None if it defines a benchmark.

    Raises:
        BenchmarkError: it can't be read, or a key or value can't be used.
    """
    table = read_definition(path)
    if "suite" not in table:
        return None
    try:
        return build_suite(path, table)
    except DefinitionError as error:
        raise BenchmarkError(str(error), path=path) from error


def build_suite(path: Path, table: Mapping[str, Any]) -> Suite:
    """Check the keys of a suite.

    Raises:
        DefinitionError: a key or value can't be used.
    """
    check_keys("a suite", table, dict.fromkeys(KEYS))
    names = read_texts("a suite", table, "suite")
    if len(names) < 2 or len(set(names)) < len(names):
        raise DefinitionError(f"suite = {list(names)}: expected two benchmarks or more, each once")
    return Suite(
        name=read_text("a suite", table, "name") or path.stem,
        path=path,
        benchmarks=tuple(locate(name, path.parent) for name in names),
        title=read_text("a suite", table, "title") or "",
        note=read_text("a suite", table, "note") or "",
    )


def locate(name: str, folder: Path) -> str:
    """A file beside the suite's own, else what `load_benchmark` makes of the name."""
    beside = folder / name
    return str(beside) if beside.suffix and beside.is_file() else name


def expand_suites(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[Suite, ...]]:
    """The benchmarks that names stand for, each once in their order, and the suites among them.

    Raises:
        BenchmarkError: there is none of a name, or a suite is part of another.
    """
    found: list[str] = []
    suites: list[Suite] = []
    for name in names:
        suite = find_suite(name)
        if suite is None:
            found.append(name)
            continue
        for member in suite.benchmarks:
            if find_suite(member) is not None:
                reason = f"{member} is a suite itself: a suite is made of benchmarks"
                raise BenchmarkError(reason, path=suite.path)
        found += suite.benchmarks
        suites.append(suite)
    return tuple(dict.fromkeys(found)), tuple(suites)
