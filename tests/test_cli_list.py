"""`evalkit list` says what can be run, as a table and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.benchmarks import list_definitions
from evalkit.cli.list import PLACES
from evalkit.models.catalogue import load_catalogue
from evalkit.models.weights import load_weights_table, weights_folder
from evalkit.reports.tables import percent
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call, point_at

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
        *("Benchmark", "Questions", "Chance", "Where", "Licence", "Title")
    ]
    rows, notes = cells_of(table.out)[: len(facts)], table.out.splitlines()[2 + len(facts) :]
    for row, cells in zip(facts, rows, strict=True):
        doubts = {key: "?" if key in row["unverified"] else "" for key in ("questions", "licence")}
        questions = "-" if row["questions"] is None else f"{row['questions']}{doubts['questions']}"
        place = PLACES.get(row["place"], "-")
        expected = [row["benchmark"], questions, percent(row["chance"]), place]
        assert cells == [*expected, f"{row['licence']}{doubts['licence']}", row["title"]]
        is_suite = row["place"] is None
        is_here = None if is_suite else row["place"] in ("beside", "data", "cache")
        assert row["on_disk"] is is_here
    assert [note.partition(":")[0] for note in notes] == ["to fetch", "?"]
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
    assert own == ["own", "3", "25.0", "missing", "CC0-1.0", "[red]Own[/red] �[2J"]
    assert any(cells[0] == "everyday" for cells in cells_of(listed.out))
    assert [line.split(": ")[:2] for line in listed.err.splitlines()] == [
        ["evalkit", "benchmarks/broken.toml"],
        ["evalkit", "benchmarks/other.toml"],
    ]


def test_the_table_and_json_list_the_same_models(capsys: pytest.CaptureFixture[str]) -> None:
    table = call(capsys, "list", "models")
    facts = json.loads(call(capsys, "list", "models", "--json").out)["models"]
    local = [f"local/{name}" for name in load_weights_table()]
    known = {model.id: model.alias or model.id for model in load_catalogue().values()}
    assert [row["model"] for row in facts] == [*local, *known.values()]
    words = {True: "yes", False: "no", None: "-"}
    thinking = {"off": "no", "always": "always", "unknown": "-"}
    rows, notes = cells_of(table.out)[: len(facts)], table.out.splitlines()[2 + len(facts) :]
    for row, cells in zip(facts, rows, strict=True):
        taken = [words[row[name]] for name in ("prefill", "temperature", "structured")]
        assert cells[:5] == [row["model"], *taken, words[row["forced_tool"]]]
        assert cells[5] == thinking.get(row["thinking"], "off")
        price, context, ends = row["price"], row["context_tokens"], row["retires"]
        assert cells[6:] == [
            "-" if price is None else f"{price['input']:g}/{price['output']:g}",
            "-" if context is None else f"{context // 1000:,}k",
            ends or "-",
        ]
    weights = [row["weights"] for row in facts if row["weights"] is not None]
    assert len(weights) == len(local)
    for name, facts_of, note in zip(local, weights, notes[-len(local) :], strict=True):
        assert note.startswith(f"{name}: ")
        assert note.endswith(f", {facts_of['licence']}, not fetched yet")


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


def test_live_marks_what_the_endpoint_serves(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with MessagesServer() as server:
        point_at(server, monkeypatch)
        facts = json.loads(call(capsys, "list", "models", "--live", "--json").out)["models"]
        table = call(capsys, "list", "models", "--live")
    served = {row["model"]: row["served"] for row in facts}
    assert served["claude-haiku-4-5"]["lifecycle"] == "active"
    assert served["claude-sonnet-4-5"]["retires_at"].startswith("2026-11-30")
    assert served["claude-mythos-preview"] is None
    rows = cells_of(table.out)[: len(facts)]
    assert {cells[0]: cells[1] for cells in rows} == {
        name: "no" if said is None else "yes" for name, said in served.items()
    }


def test_live_shows_models_that_evalkit_does_not_know(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with MessagesServer(bare=True) as server:
        point_at(server, monkeypatch)
        facts = json.loads(call(capsys, "list", "models", "--live", "--json").out)["models"]
    assert [row["model"] for row in facts if row["served"] is not None] == ["any"]


def test_live_needs_an_endpoint_and_models(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(capsys, "list", "models", "--live").error.startswith("evalkit: no key")
    assert "--live asks for models" in call(capsys, "list", "--live").error
    with MessagesServer() as server:
        point_at(server, monkeypatch)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "wrong-key-of-mine")
        refused = call(capsys, "list", "models", "--live")
    assert refused.code == 2
    assert "does not accept the key" in refused.error
