"""`evalkit show` prints exactly what is sent, or the table of runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.testing.messages_models import MODELS
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, call, point_at
from tests.conftest import write_sums

EXAMPLES = """\
id,question,A,B,C,D,answer,subject,example
one,How many legs has an ant?,four,six,eight,ten,B,zoology,
two,How many legs has a spider?,four,six,eight,ten,C,zoology,
ant,How many legs has a bee?,four,six,eight,ten,B,zoology,true
gas,Which is a gas?,iron,gold,neon,lead,C,chemistry,true
oil,Which floats on water?,oil,iron,gold,lead,A,chemistry,true
"""
PROMPT = '[prompt]\nsystem = "Be terse."\nlabels = "digits"\nprefill = "Number ("\n'
CHOICES = "(A) four\n(B) six\n(C) eight\n(D) ten"


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, with a file of questions and worked examples, and a prompt."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "legs.csv").write_text(EXAMPLES)
    (tmp_path / "terse.toml").write_text(PROMPT)
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    """The official API, as far as rules go."""
    with MessagesServer() as running:
        point_at(running, monkeypatch)
        yield running


@pytest.mark.parametrize(
    ("model", "way"),
    [
        (model.alias, way)
        for model in MODELS
        for way in ("prefill", "instructed")
        if model.prefill or way == "instructed"
    ],
)
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--shots", "2", "--seed", "3"],
        ["--shots", "3", "--temperature", "0.5", "--prompt", "terse.toml"],
        ["--temperature", "none"],
    ],
    ids=["plain", "shots", "prompt", "no-temperature"],
)
def test_what_is_shown_is_exactly_what_a_run_sends(
    capsys: pytest.CaptureFixture[str],
    server: MessagesServer,
    model: str,
    way: str,
    options: list[str],
) -> None:
    arguments = ["--model", model, "--way", way, *options]
    assert call(capsys, "run", "legs.csv", *arguments, "--quiet").code == 0
    sent = [record.body for record in server.requests]
    for name in ("one", "two"):
        shown = call(capsys, "show", "legs.csv", "--id", name, "--json", *arguments)
        [body] = json.loads(shown.out)
        assert (shown.code, shown.err) == (0, "")
        assert sent.count(body) == 1


def test_every_shipped_question_set_is_shown_as_it_is_sent(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    """The question shown without --id is the one that the same seed draws for --limit 1."""
    for name, shots in (("everyday", "2"), ("facts", "0")):
        arguments = [name, "--model", HAIKU, "--shots", shots, "--seed", "5"]
        assert call(capsys, "run", *arguments, "--limit", "1", "--quiet").code == 0
        [body] = json.loads(call(capsys, "show", *arguments, "--json").out)
        assert server.requests[-1].body == body


def test_a_prefill_reads_as_a_conversation(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["show", "legs.csv", "--id", "two", "--model", HAIKU, "--shots", "1"]
    assert call(capsys, *arguments).out == (
        "Question two\n\n"
        "=== prefill\n"
        f"--- user\nHow many legs has a bee?\n\n{CHOICES}\n"
        "--- assistant\nThe answer is (B)\n"
        f"--- user\nHow many legs has a spider?\n\n{CHOICES}\n"
        "--- assistant\nThe answer is ("
        "    <- the model goes on here, behind the last visible character\n"
        '--- {"model": "claude-haiku-4-5", "max_tokens": 1, "temperature": 0.0}\n'
    )


def test_an_instruction_reads_as_a_conversation(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["show", "legs.csv", "--id", "two", "--model", OPUS]
    assert call(capsys, *arguments).out == (
        "Question two\n\n"
        "=== instructed\n"
        "--- system\nAnswer every multiple-choice question with the letter of the right choice "
        "alone: no words, no explanation.\n"
        f"--- user\nHow many legs has a spider?\n\n{CHOICES}\n"
        '--- {"model": "claude-opus-4-6", "max_tokens": 16, "temperature": 0.0}\n'
    )


@pytest.mark.parametrize(
    ("options", "ways"),
    [
        ([], ["prefill", "instructed"]),
        (["--model", "some-model"], ["prefill", "instructed"]),
        (["--model", HAIKU], ["prefill"]),
        (["--model", OPUS], ["instructed"]),
        (["--model", "local/smollm2-135m"], ["prefill"]),
        (["--model", OPUS, "--way", "prefill"], ["prefill"]),
        (["--model", OPUS, "--way", "prefill", "--way", "auto"], ["prefill", "instructed"]),
        (["--model", HAIKU, "--way", "auto", "--way", "prefill"], ["prefill"]),
    ],
)
def test_the_ways_shown_are_those_that_a_run_may_take(
    capsys: pytest.CaptureFixture[str], options: list[str], ways: list[str]
) -> None:
    out = call(capsys, "show", "legs.csv", *options).out
    assert [line[4:] for line in out.splitlines() if line.startswith("=== ")] == ways


def test_a_question_that_no_run_asks_is_shown_only_by_its_id(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    rows = [
        {"id": f"q{i}", "question": "x?", "choices": ["a", "b", "c"], "answer": ["A", "B"]}
        for i in range(20)
    ]
    rows[7]["answer"] = ["C"]
    (folder / "some.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for seed in range(5):
        drawn = call(capsys, "show", "some.jsonl", "--seed", str(seed))
        assert drawn.out.startswith("Question q7\n")
    assert call(capsys, "show", "some.jsonl", "--id", "q3").out.startswith("Question q3\n")


def test_control_characters_of_a_question_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    row = {"question": "\x1b[2Jx\ty\r?\nz", "choices": ["\x07a", "日本"], "answer": "A"}
    (folder / "bad.jsonl").write_text(json.dumps(row) + "\n")
    shown = call(capsys, "show", "bad.jsonl", "--way", "prefill")
    assert "--- user\n�[2Jx\ty�?\nz\n\n(A) �a\n(B) 日本\n" in shown.out
    exact = call(capsys, "show", "bad.jsonl", "--way", "prefill", "--json")
    assert "\x1b" not in exact.out
    assert json.loads(exact.out)[0]["messages"][0]["content"].startswith("\x1b[2Jx\ty\r?\nz")


@pytest.mark.parametrize(
    ("name", "near"), [("tow", "two"), ("zzzzzz", "one, two"), ("ant", "one, two")]
)
def test_an_unknown_id_gets_near_ones_and_examples_are_no_questions(
    capsys: pytest.CaptureFixture[str], name: str, near: str
) -> None:
    shown = call(capsys, "show", "legs.csv", "--id", name)
    assert (shown.code, shown.out) == (2, "")
    assert shown.error == f"evalkit: no question has the id '{name}'; near it: {near}"


def test_runs_are_shown_as_run_showed_them(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, folder: Path
) -> None:
    write_sums(folder / "sums.jsonl")
    run = call(capsys, "run", "sums.jsonl", "legs.csv", "--model", OPUS)
    paths = sorted((folder / "results").iterdir())
    asked = len(server.requests)
    all_of_them = call(capsys, "show", "results")
    assert all_of_them.code == 0
    assert sorted(all_of_them.out.split()) == sorted(run.out.split())
    one = call(capsys, "show", paths[1])
    assert next(line for line in one.out.splitlines() if "sums" in line).startswith("(1)  sums")
    facts = json.loads(call(capsys, "show", paths[1], "--json").out)
    assert facts["runs"][0]["folder"] == str(paths[1])
    assert len(server.requests) == asked


def test_a_folder_may_bear_the_name_of_a_benchmark(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "everyday").mkdir()
    assert call(capsys, "show", "everyday").out.startswith("Question everyday-")


@pytest.mark.parametrize(
    ("made", "name", "words"),
    [
        ("some/where", "some/where", "is no run folder: it has no manifest.json"),
        ("mine/manifest.json", "mine", "can't be read: manifest.json is a folder, no file; "),
    ],
)
def test_a_folder_that_can_not_be_read_as_a_run_is_named_as_such(
    capsys: pytest.CaptureFixture[str], folder: Path, made: str, name: str, words: str
) -> None:
    (folder / made).mkdir(parents=True)
    shown = call(capsys, "show", name)
    assert shown.code == 2
    assert shown.error.startswith(f"evalkit: {name} {words}")
