"""Packages of others offer benchmarks by an entry point."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.benchmarks import list_definitions, load_benchmark
from evalkit.errors import BenchmarkError
from tests.command_line import call, call_process
from tests.conftest import write_sums

DEFINITION = """title = "Sums of a neighbour"
version = "1"
[source]
files = ["sums.jsonl"]
[columns]
stem = "question"
choices = "choices"
answer = "answer"
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, with one that offers benchmarks."""
    folder = tmp_path / "site"
    sets = folder / "neighbour" / "sets"
    sets.mkdir(parents=True)
    (folder / "neighbour" / "__init__.py").write_text("")
    (sets / "__init__.py").write_text("raise RuntimeError('no code of a set is run')")
    (sets / "neighbours-sums.toml").write_text(DEFINITION)
    (sets / "everyday.toml").write_text(DEFINITION)
    write_sums(sets / "sums.jsonl")
    register(folder, "neighbour = neighbour.sets")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(tmp_path)
    yield folder
    sys.modules.pop("neighbour", None)


def register(folder: Path, lines: str, name: str = "neighbour") -> None:
    """Say in a distribution's metadata what it offers."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[evalkit.benchmarks]\n{lines}\n")


def test_a_registered_benchmark_is_found_by_its_name(site: Path) -> None:
    benchmark = load_benchmark("neighbours-sums")

    assert benchmark.definition.path == site / "neighbour" / "sets" / "neighbours-sums.toml"
    assert len(benchmark.question_set.questions) == 30
    assert benchmark.definition.path in list(list_definitions())


def test_a_package_of_others_hides_no_benchmark_of_evalkit(site: Path) -> None:
    assert load_benchmark("everyday").definition.title == "Everyday knowledge"


def test_registered_benchmarks_are_listed(capsys: pytest.CaptureFixture[str], site: Path) -> None:
    rows = json.loads(call(capsys, "list", "--json").out)["benchmarks"]
    [row] = [row for row in rows if row["benchmark"] == "neighbours-sums"]

    assert (row["title"], row["on_disk"]) == ("Sums of a neighbour", True)


def test_they_are_found_in_a_process_of_its_own(site: Path, tmp_path: Path) -> None:
    path = f"{site}:{Path(__file__).parents[1]}"
    outcome = call_process(
        "lint", "neighbours-sums", folder=tmp_path, environment={"PYTHONPATH": path}
    )

    assert outcome.code == 0
    assert outcome.out.startswith("neighbours-sums: 30 questions")


@pytest.mark.parametrize("lines", ["x = nosuch.package", "x = json", "x = neighbour.nosuch", ""])
def test_an_entry_point_that_leads_nowhere_is_passed_over(site: Path, lines: str) -> None:
    register(site, lines, "broken")

    assert load_benchmark("neighbours-sums").name == "neighbours-sums"
    with pytest.raises(BenchmarkError, match="no benchmark 'nosuch'"):
        load_benchmark("nosuch")
