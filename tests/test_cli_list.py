"""`evalkit list` says what can be run, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.benchmarks import list_definitions
from evalkit.models.model import load_catalogue
from evalkit.models.weights import load_weights_table, weights_folder
from evalkit.reports.text import percent
from tests.command_line import call

OWN = """
version = "1"
title = "[red]Own[/red] \\u001b[2J"
licence = "CC0-1.0, with attribution"
questions = 3
choices = 4
source.files = ["own.csv"]
columns = { stem = "q", choices = ["A", "B"], answer = "answer" }
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, wide enough for every name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("EVALKIT_DATA", raising=False)
    return tmp_path


def cells_of(text: str) -> list[list[str]]:
    """The cells of a table's rows; two spaces stand between them."""
    lines = text.splitlines()[2:]
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]


def test_the_table_and_json_list_the_same_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    table = call(capsys, "list")
    facts = json.loads(call(capsys, "list", "benchmarks", "--json").out)["benchmarks"]
    names = [path.stem for path in list_definitions()]
    assert [row["benchmark"] for row in facts] == names
    assert {"everyday", "facts", "mmlu"} <= set(names)
    assert table.out.split("\n")[0].split() == [
        *("Benchmark", "Questions", "Chance", "On", "disk", "Licence", "Title")
    ]
    for row, cells in zip(facts, cells_of(table.out), strict=True):
        questions = "-" if row["questions"] is None else str(row["questions"])
        on_disk = "yes" if row["on_disk"] else "no"
        expected = [row["benchmark"], questions, percent(row["chance"]), on_disk]
        assert cells == [*expected, row["licence"], row["title"]]
    everyday = next(row for row in facts if row["benchmark"] == "everyday")
    assert everyday["on_disk"] is True
    assert (everyday["questions"], everyday["chance"]) == (300, 0.25)


@pytest.mark.parametrize("by", ["option", "environment"])
def test_a_data_folder_puts_published_sets_on_disk(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path, by: str
) -> None:
    (folder / "sets" / "commonsenseqa").mkdir(parents=True)
    (folder / "sets" / "commonsenseqa" / "dev_rand_split.jsonl").touch()
    arguments = ["list", "--json"]
    if by == "option":
        arguments += ["--data", str(folder / "sets")]
    else:
        monkeypatch.setenv("EVALKIT_DATA", str(folder / "sets"))
    rows = json.loads(call(capsys, *arguments).out)["benchmarks"]
    on_disk = {row["benchmark"] for row in rows if row["on_disk"]}
    assert on_disk == {"commonsenseqa", "everyday", "facts"}


def test_definitions_of_the_working_directory_are_listed_as_they_stand(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    """One that can't be used is noted and hides no other."""
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "own.toml").write_text(OWN)
    (folder / "benchmarks" / "broken.toml").write_text("version = \n")
    (folder / "benchmarks" / "other.toml").write_text("[tool]\nx = 1\n")
    listed = call(capsys, "list")
    assert listed.code == 0
    own = next(cells for cells in cells_of(listed.out) if cells[0] == "own")
    assert own == ["own", "3", "25.0", "no", "CC0-1.0", "[red]Own[/red] �[2J"]
    assert any(cells[0] == "everyday" for cells in cells_of(listed.out))
    assert [line.split(": ")[:2] for line in listed.err.splitlines()] == [
        ["evalkit", "benchmarks/broken.toml"],
        ["evalkit", "benchmarks/other.toml"],
    ]


def test_the_table_and_json_list_the_same_models(capsys: pytest.CaptureFixture[str]) -> None:
    table = call(capsys, "list", "models")
    facts = json.loads(call(capsys, "list", "models", "--json").out)["models"]
    local = [f"local/{name}" for name in load_weights_table()]
    assert [row["model"] for row in facts] == [*local, *load_catalogue()]
    words = {True: "yes", False: "no", None: "-"}
    thinking = {"off": "no", "always": "always", "unknown": "-"}
    for row, cells in zip(facts, cells_of(table.out), strict=True):
        assert cells[:3] == [row["model"], words[row["prefill"]], words[row["temperature"]]]
        assert cells[3] == thinking.get(row["thinking"], "switched off")
        if row["weights"] is None:
            assert cells[4] == "-"
        else:
            assert cells[4].endswith(f", {row['weights']['licence']}, not fetched yet")


def test_weights_that_are_here_are_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    weights = load_weights_table()["smollm2-135m"]
    weights_folder().mkdir(parents=True)
    with (weights_folder() / weights.file_name).open("wb") as file:
        file.truncate(weights.size_bytes)
    facts = json.loads(call(capsys, "list", "models", "--json").out)["models"]
    assert facts[0]["weights"] == {
        "size_bytes": weights.size_bytes,
        "licence": "Apache-2.0",
        "on_disk": True,
    }
    assert "98 MB, Apache-2.0, on disk" in call(capsys, "list", "models").out


def test_a_narrow_terminal_cuts_no_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for what in ("benchmarks", "models"):
        lines = call(capsys, "list", what).out.splitlines()
        assert "…" not in "".join(lines)
        assert max(map(len, lines)) <= 80
