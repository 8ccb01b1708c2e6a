"""`evalkit lint` says what is doubtful about sets, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import call

GOOD = "id,question,A,B,answer\none,1 + 1?,2,3,A\ntwo,2 + 2?,5,4,B\n"
ODD = GOOD + "three,2 + 2?,4,5,A\nfour,Is 1 &lt; 2?,yes,yes,A\n"
BAD = GOOD + "three,3 + 3?,6,7,C\nfour,4 + 4?,8,9,\n"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("good", GOOD), ("odd", ODD), ("bad", BAD)):
        (tmp_path / f"{name}.csv").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["good.csv"], 0),
        (["odd.csv"], 0),
        (["bad.csv"], 2),
        (["nosuch.csv"], 2),
        (["good.csv", "bad.csv"], 2),
        (["good.csv", "--strict"], 0),
        (["odd.csv", "--strict"], 2),
        (["odd.csv", "--strict", "--ignore", "duplicates"], 2),
        (["odd.csv", "--strict", "--ignore", "duplicates", "--ignore", "repeated-choices"], 0),
        (["good.csv", "--ignore", "nosuch"], 2),
    ],
)
def test_the_exit_code_says_whether_a_set_can_be_used(
    capsys: pytest.CaptureFixture[str], arguments: list[str], code: int
) -> None:
    assert call(capsys, "lint", *arguments).code == code
    json_code = call(capsys, "lint", *arguments, "--json").code
    assert json_code == code, "whatever is printed"


def test_doubts_read_as_paragraphs(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = call(capsys, "lint", "odd.csv")

    assert outcome.err == ""
    assert outcome.out == (
        "odd: 4 questions\n"
        "\n"
        "Warning (duplicates): 1 of 4 questions repeat another.\n"
        "  - three repeats two\n"
        "  To do: remove the repetitions: each counts as a question of its own and makes\n"
        "  intervals too narrow.\n"
        "\n"
        "Warning (repeated-choices): 1 of 4 questions offer a choice twice.\n"
        "  - four: 'yes'\n"
        "  To do: mend the choices or leave these questions out: a model that picks the\n"
        "  other copy counts as wrong.\n"
        "\n"
        "Note (html): 1 of 4 questions hold tags or entities of a web page.\n"
        "  - four: 'Is 1 &lt; 2?'\n"
        "  To do: turn them into plain text if the model should not see them.\n"
        "\n"
        "The set can be used: 2 warnings, 1 note.\n"
    )


def test_worked_examples_are_counted_beside_the_questions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(capsys, "lint", "everyday").out == (
        "everyday: 300 questions, 20 worked examples\n"
        "\n"
        "The set can be used: nothing doubtful was found.\n"
    )


def test_rows_that_are_no_questions_are_shown_with_their_places(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = call(capsys, "lint", "bad.csv").out

    assert "Error (unusable-rows): 1 of 4 rows can't be questions.\n  - bad.csv:4: answer" in out
    assert "Error (rows-without-answer): 1 of 4 rows have no answer.\n  - bad.csv:5: answer" in out
    assert out.endswith("The set can't be used as it is: 2 errors.\n")


def test_json_holds_the_same_facts_and_the_sets_that_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = call(capsys, "lint", "odd.csv", "nosuch.csv", "good.csv", "--json")
    odd, missing, good = json.loads(outcome.out)["benchmarks"]

    assert outcome.error == "evalkit: nosuch.csv: no such file"
    assert missing == {
        "benchmark": "nosuch.csv",
        "usable": False,
        "error": "nosuch.csv: no such file",
    }
    assert (good["usable"], good["questions"], good["doubts"]) == (True, 2, [])
    assert [d["check"] for d in odd["doubts"]] == ["duplicates", "repeated-choices", "html"]
    assert odd["doubts"][0] == {
        "check": "duplicates",
        "level": "warning",
        "count": 1,
        "total": 4,
        "says": "1 of 4 questions repeat another",
        "remedy": odd["doubts"][0]["remedy"],
        "examples": ["three repeats two"],
        "numbers": {},
    }


def test_control_characters_of_a_file_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "rude.csv").write_text(GOOD + "three,\x1b[2JClear?,\x1b]0;x\x07,b,Q\n")

    assert "\x1b" not in call(capsys, "lint", "rude.csv").out
