"""`evalkit report` writes what it is told to, and says in one line why it can't."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.benchmarks import load_benchmark
from evalkit.evaluation import run
from evalkit.settings import RunSettings
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, call
from tests.conftest import QUICK, endpoint_of, sums_answers, write_sums


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of two models."""
    folder = tmp_path_factory.mktemp("made")
    sums = load_benchmark(write_sums(folder / "sums.jsonl"))
    answer = sums_answers(wrong_share=0.3)
    with pytest.MonkeyPatch.context() as patch, MessagesServer(answer=answer) as server:
        patch.setenv("EVALKIT_CACHE_DIR", str(folder / "cache"))
        for model in (HAIKU, OPUS):
            settings = RunSettings(way="instructed", retries=QUICK)
            run(
                sums, model, settings=settings, endpoint=endpoint_of(server),
                results=folder / "results", progress=False,
            )  # fmt: skip
    return folder / "results"


def test_files_of_several_formats_are_written(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("a.md", "a.csv", "a.json", "a.xml", "a.tex", "a.xlsx")]
    done = call(capsys, "report", str(made), "--to", *map(str, files), "--title", "Two models")
    assert (done.code, done.out) == (0, "")
    assert all(f"written: {path}" in done.err for path in files)
    assert files[0].read_text(encoding="utf-8").startswith("# Two models\n")
    assert len(json.loads(files[2].read_text())["runs"]) == 2


def test_a_baseline_and_a_margin_bring_a_verdict(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path
) -> None:
    first, second = map(str, sorted(made.iterdir()))
    path = tmp_path / "a.json"
    done = call(capsys, "report", second, "--baseline", first, "--margin", "2", "--to", str(path))
    assert done.code == 0
    assert json.loads(path.read_text())["comparison"]["margin"] == 0.02


def test_rows_may_be_responses(
    capsys: pytest.CaptureFixture[str], made: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    assert call(capsys, "report", str(made), "--to", str(path), "--rows", "responses").code == 0
    assert len(path.read_text().splitlines()) == 1 + 60


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("{made}", "--to", "a.foo"), "a.foo: a report is written as .html, ", 2),
        (("{made}", "--to", "nowhere/a.md"), "nowhere/a.md can't be written: No such file", 4),
        (("{run}", "--to", "{run}/summary.json"), "a run's folder holds the run alone", 2),
        (("{run}", "--to", "a.md", "--margin", "2"), "a margin is one between two runs", 2),
        (("nothing", "--to", "a.md"), "nothing is no run folder: it is not there", 2),
        (("{made}", "--to", "a.md", "--threshold", "101"), "expected percent, 0 to 100", 2),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    made: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    words: str,
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"made": made, "run": sorted(made.iterdir())[0]}
    done = call(capsys, "report", *(each.format(**places) for each in arguments))
    assert done.code == code
    assert words in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []
