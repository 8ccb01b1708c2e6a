"""`evalkit show BENCHMARK --facts` says what a definition says, and loads no question."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import pytest

from tests.command_line import call
from tests.parquet_files import write_arc, write_parquet

OWN = """
title = "[red]Own[/red]"
version = "3"
questions = 1234
choices = 4
unverified = ["questions", "revision"]
[source]
hub = "owner/name"
revision = "{revision}"
configs = ["law", "art"]
split = "validation"
[columns]
stem = "q"
choices = ["A", "B"]
answer = "answer"
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory; nothing is there but definitions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVALKIT_DATA", raising=False)
    (tmp_path / "own.toml").write_text(OWN.format(revision="main"))
    (tmp_path / "pinned.toml").write_text(OWN.format(revision="0123abcd"))
    return tmp_path


def test_the_facts_of_a_set_on_the_hub_are_printed_without_asking_the_hub(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(capsys, "show", "own.toml", "--facts").out == (
        "Benchmark   own\n"
        "Title       [red]Own[/red]\n"
        "Version     3\n"
        "Questions   1,234\n"
        "Choices     4\n"
        "Chance      25.0 %\n"
        "Hub         owner/name at main (not pinned: settled by the first fetch); law, art; "
        "validation\n"
        "Where       to be fetched when it is first needed\n"
        "Unverified  questions, revision: nobody has held this against the published set\n"
    )


def test_the_files_of_a_set_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    shown = call(capsys, "show", "mmmu-pro", "--facts").out

    assert "Files       mmmu-pro/tool/data.jsonl\n" in shown
    assert "Where       not on this machine\n" in shown


def test_a_pinned_revision_is_not_said_to_move(capsys: pytest.CaptureFixture[str]) -> None:
    shown = call(capsys, "show", "pinned.toml", "--facts").out

    assert "owner/name at 0123abcd; law, art; validation\n" in shown


@pytest.mark.parametrize(
    ("name", "place"), [("everyday", "beside"), ("mmmu-pro", "missing"), ("own.toml", "fetch")]
)
def test_json_has_the_same_facts(capsys: pytest.CaptureFixture[str], name: str, place: str) -> None:
    facts = json.loads(call(capsys, "show", name, "--facts", "--json").out)

    assert facts["place"] == place
    assert facts["chance"] == (None if name == "mmmu-pro" else 0.25)
    if name == "own.toml":
        assert facts["hub"]["configs"] == ["law", "art"]
        assert facts["hub"]["pinned"] is False
        assert facts["unverified"] == ["questions", "revision"]


def test_rows_of_parquet_are_counted_without_reading_them(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "q.parquet").write_bytes(write_arc(1234))
    shown = call(capsys, "show", "q.parquet", "--facts").out

    assert "Rows        1,234\n" in shown
    assert "Where       beside its definition\n" in shown


def test_parquet_that_cannot_be_counted_is_named(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    own = OWN.format(revision="main").replace("hub =", 'files = ["q.parquet"]\nhub =')
    (folder / "own.toml").write_text(own)
    (folder / "q.parquet").write_bytes(b"PAR1")
    ended = call(capsys, "show", "own.toml", "--facts")

    assert ended.code == 2
    assert "q.parquet: no readable Parquet file: " in ended.err


def test_the_rows_that_are_taken_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    shown = call(capsys, "show", "bbh", "--facts").out
    facts = json.loads(call(capsys, "show", "bbh", "--facts", "--json").out)

    assert (
        "Taken       rows where target is not 'Monsters, Inc' or 'dearth, wind, & fire' or 'rita, "
        "sue and bob poo' and input is not 'Which statement is sarcastic?"
    ) in shown
    assert len(facts["taken"]) == 2
    assert json.loads(call(capsys, "show", "mmlu", "--facts", "--json").out)["taken"] == []


BIG = 20_000_000
"""Bytes of the question files below, at least; `list` and `--facts` may read a twentieth."""

counts_reads = pytest.mark.skipif(
    not Path("/proc/self/io").is_file(), reason="the system does not count what a process reads"
)


def bytes_read() -> int:
    """What this process has read so far."""
    [line] = [x for x in Path("/proc/self/io").read_text().splitlines() if x.startswith("rchar")]
    return int(line.split()[1])


@pytest.fixture
def big(folder: Path) -> Path:
    """Sets of 20 MB as JSON lines, CSV and Parquet, each with a definition, the first bare too."""
    words = "which of these is it, " * 40
    rows = [
        {"question": f"{n}: {words}", "A": "red", "B": "blue", "answer": "A"} for n in range(25_000)
    ]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / "lines.jsonl").write_text(lines)
    table = "".join(f'{n},"{words}",red,blue,A\n' for n in range(25_000))
    (folder / "table.csv").write_text(f"id,question,A,B,answer\n{table}")
    # Packed it would be small: each text is another.
    hard = [{**row, "question": secrets.token_hex(500)} for row in rows]
    (folder / "rows.parquet").write_bytes(write_parquet(hard, rows_a_group=5000))
    (folder / "benchmarks").mkdir()
    for name in ("lines.jsonl", "table.csv", "rows.parquet"):
        (folder / "benchmarks" / f"big-{Path(name).stem}.toml").write_text(
            f'version = "1"\n[source]\nfiles = ["../{name}"]\n[columns]\nstem = "question"\n'
            'choices = ["A", "B"]\nanswer = "answer"\n'
        )
        assert (folder / name).stat().st_size >= BIG * (1 if name != "rows.parquet" else 0.6)
    return folder


@counts_reads
@pytest.mark.parametrize(
    "command",
    [
        ("list",),
        ("list", "--json"),
        *(("show", name, "--facts") for name in ("big-lines", "big-table", "big-rows")),
        ("show", "lines.jsonl", "--facts"),
        ("show", "table.csv", "--facts"),
        ("show", "rows.parquet", "--facts"),
    ],
    ids=" ".join,
)
def test_facts_are_told_without_reading_a_set(
    capsys: pytest.CaptureFixture[str], big: Path, command: tuple[str, ...]
) -> None:
    """Of a file without a definition as many rows are read as it takes to know its columns."""
    call(capsys, *command)  # modules are read the first time
    before = bytes_read()
    done = call(capsys, *command)
    read = bytes_read() - before

    assert done.code == 0
    assert read < BIG / (5 if command[1:2] and "." in command[1] else 20)


@counts_reads
def test_a_set_that_is_shown_is_read(capsys: pytest.CaptureFixture[str], big: Path) -> None:
    """What the test above counts would show."""
    before = bytes_read()
    assert call(capsys, "show", "big-lines").code == 0
    assert bytes_read() - before > BIG
