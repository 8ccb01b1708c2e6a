"""`evalkit new-benchmark` shows what it proposes, asks, and writes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from evalkit.benchmarks import load_benchmark
from tests.command_line import Outcome, call, call_process

ROWS = "question,A,B,answer\n1 + 1?,2,3,A\n2 + 2?,5,4,B\n3 + 3?,6,7,A\n4 + 4?,9,8,B\n"


class Terminal(io.StringIO):
    """A user at a terminal, who types this."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sums.csv").write_text(ROWS)
    return tmp_path


def propose(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    *options: str,
    typed: str | None = None,
) -> Outcome:
    monkeypatch.setattr("sys.stdin", io.StringIO() if typed is None else Terminal(typed))
    return call(capsys, "new-benchmark", "sums.csv", *options)


def test_definition_questions_and_doubts_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = propose(capsys, monkeypatch, typed="n\n")

    assert outcome.out.startswith(
        "Proposed definition, sums.toml:\n"
        "\n"
        'title = "sums"\n'
        'version = "1"\n'
        "questions = 4\n"
        "choices = 2\n"
        '# licence = ""    what others may do with the questions\n'
        '# homepage = ""\n'
        '# note = ""       what a reader of scores should know\n'
        "\n"
        "[source]\n"
        'files = ["sums.csv"]\n'
        "\n"
        "[columns]\n"
        'stem = "question"\n'
        'choices = ["A", "B"]\n'
        'answer = "answer"\n'
    )
    assert outcome.out.count("--- question ") == 3
    assert "4 + 4?\n\n(A) 9\n(B) 8\n--- right: B; the model goes on after: The answer is (" in (
        outcome.out
    )
    assert "The set can be used: nothing doubtful was found." in outcome.out


@pytest.mark.parametrize(
    ("typed", "written"),
    [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False), ("yep\n", False)],
)
def test_it_writes_after_a_yes(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    typed: str,
    written: bool,
) -> None:
    outcome = propose(capsys, monkeypatch, typed=typed)

    assert outcome.code == 0
    assert "Write sums.toml? [y/N]" in outcome.out
    assert (folder / "sums.toml").exists() is written
    if written:
        assert len(load_benchmark("sums.toml").question_set.questions) == 4
        assert "Written. Next: evalkit show sums.toml; " in outcome.out
    else:
        assert outcome.out.endswith("Nothing was written.\n")


def test_without_a_terminal_it_writes_with_yes_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    refused = propose(capsys, monkeypatch)

    assert refused.code == 2
    assert refused.error == (
        "evalkit: nothing was written: there is no terminal to ask at; add --yes"
    )
    assert "Proposed definition" in refused.out, "what would have been written"
    assert not (folder / "sums.toml").exists()
    assert propose(capsys, monkeypatch, "--yes").code == 0
    assert (folder / "sums.toml").exists()


def test_nobody_is_asked_in_a_process_without_terminal(folder: Path) -> None:
    assert call_process("new-benchmark", "sums.csv", folder=folder).code == 2
    assert call_process("new-benchmark", "sums.csv", "--yes", folder=folder).code == 0


def test_a_definition_stays_unless_force_is_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (folder / "sums.toml").write_text("mine")
    refused = propose(capsys, monkeypatch, "--yes")

    assert (refused.code, refused.out) == (2, "")
    assert refused.error == ("evalkit: sums.toml exists; name another file by --to, or add --force")
    assert propose(capsys, monkeypatch, "--yes", "--to", "other.toml").code == 0
    assert (folder / "sums.toml").read_text() == "mine"
    assert propose(capsys, monkeypatch, "--yes", "--force").code == 0
    assert (folder / "sums.toml").read_text() == (folder / "other.toml").read_text()


def test_json_asks_nothing_and_writes_with_yes_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    shown = propose(capsys, monkeypatch, "--json", typed="")
    facts = json.loads(shown.out)

    assert (shown.code, shown.err) == (0, "nothing was written: add --yes\n")
    assert (facts["written"], facts["path"], len(facts["questions"])) == (False, "sums.toml", 3)
    assert facts["lint"]["doubts"] == []
    assert not (folder / "sums.toml").exists()
    written = json.loads(propose(capsys, monkeypatch, "--json", "--yes").out)
    assert written == {**facts, "written": True}
    assert (folder / "sums.toml").read_text() == facts["definition"]


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        (["--stem", "Frage"], "no column is called 'Frage'; there are 'question', 'A', 'B'", 2),
        (["--to", "nosuch/sums.toml", "--yes"], "sums.toml can't be written: No such file", 4),
        (["--to", "sums.csv/a.toml", "--yes"], "a.toml can't be written: Not a directory", 4),
        (["--to", ".", "--yes", "--force"], "can't be written: ", 4),
    ],
)
def test_what_can_not_be_done_is_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
    code: int,
) -> None:
    outcome = propose(capsys, monkeypatch, *options)

    assert outcome.code == code
    assert words in outcome.error


def test_doubts_do_not_keep_a_definition_from_being_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    (folder / "sums.csv").write_text(ROWS + "5 + 5?,10,11,Q\n")
    outcome = propose(capsys, monkeypatch, "--yes")

    assert "Error (unusable-rows): 1 of 5 rows can't be questions." in outcome.out
    assert outcome.out.endswith(
        "Written, but the set can't be used as it is. Mend it; next: evalkit lint sums.toml\n"
    )
    assert (folder / "sums.toml").exists()


@pytest.mark.parametrize(
    ("more", "code"),
    [("5 + 5?,10,11,Q\n", 2), ("1 + 1?,2,3,A\n", 0)],
    ids=["a row that can't be used", "a repeated question"],
)
def test_the_exit_code_is_that_of_lint(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    more: str,
    code: int,
) -> None:
    (folder / "sums.csv").write_text(ROWS + more)
    assert propose(capsys, monkeypatch, "--json").code == code
    assert propose(capsys, monkeypatch, typed="n\n").code == code
    assert propose(capsys, monkeypatch, "--yes").code == code
    assert call(capsys, "lint", "sums.toml").code == code
