"""Questions that continue a conversation, and system texts in blocks, reach the model whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit.errors import BenchmarkError, PromptError, QuestionSetError
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.requests import WAYS, Way
from evalkit.settings import RunSettings
from evalkit.testing.messages_replies import key_answers
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import endpoint_of

HAIKU = "claude-haiku-4-5"
TURNS = [
    {"role": "user", "content": "We speak of insects."},
    {"role": "assistant", "content": "Which ones?"},
    {"role": "user", "content": "Of ants."},
    {"role": "assistant", "content": "I see."},
]
STEM = "What is their Latin name?"
CHOICES = ["Apoidea", "Formicidae"]

DEFINITION = """version = "1"
[source]
files = ["talk.jsonl"]
[columns]
stem = "question"
choices = "options"
answer = "answer"
answer_is = "text"
example = "shown"
history = "turns"
"""


def write_talk(folder: Path, turns: object, **extra: object) -> Path:
    """A benchmark of one question behind some turns, and a worked example of the same kind."""
    row = {"question": STEM, "options": CHOICES, "answer": "Formicidae", "turns": turns, **extra}
    example = {**row, "question": "And of bees?", "answer": "Apoidea", "shown": True}
    lines = [json.dumps(each) for each in (row, example)]
    (folder / "talk.jsonl").write_text("\n".join(lines), encoding="utf-8")
    path = folder / "talk.toml"
    path.write_text(DEFINITION, encoding="utf-8")
    return path


def text_of(turn: dict[str, Any]) -> str:
    content = turn["content"]
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content)


@pytest.mark.parametrize("way", WAYS)
def test_the_turns_come_before_the_question_in_every_way(way: Way, tmp_path: Path) -> None:
    path = write_talk(tmp_path, TURNS)
    with MessagesServer(answer=key_answers({STEM: "Formicidae"})) as server:
        run = evalkit.run(
            path,
            HAIKU,
            settings=RunSettings(way=way, shots=1),
            endpoint=endpoint_of(server),
            results=tmp_path / "results",
            progress=False,
        )
        *_, request = server.requests  # a probe may come first
    assert run.summary.correct == 1
    turns = request.body["messages"]
    said = [text_of(turn) for turn in turns]
    question = next(place for place, text in enumerate(said) if text.startswith(STEM))
    assert said[question - 3 : question] == [turn["content"] for turn in TURNS[1:]]
    # The first may share its turn with the result of the example's call of a tool.
    assert said[question - 4].endswith(TURNS[0]["content"])
    assert turns[question - 4]["role"] == "user"
    assert said[:4] == [turn["content"] for turn in TURNS]
    assert said[4].startswith("And of bees?")


@pytest.mark.parametrize("empty", [None, "", []])
def test_an_empty_column_is_no_conversation(empty: object, tmp_path: Path) -> None:
    [question] = evalkit.load_benchmark(write_talk(tmp_path, empty)).question_set.questions
    assert question.history == ()


@pytest.mark.parametrize(
    "turns",
    [
        "We speak of insects.",
        TURNS[:1],
        TURNS[1:3],
        [TURNS[0], TURNS[0]],
        [{"role": "system", "content": "Be brief."}, TURNS[1]],
        [{"role": "user", "content": " "}, TURNS[1]],
        [{"role": "user", "content": ["block"]}, TURNS[1]],
        [{"role": ["user"], "content": "Hm?"}, TURNS[1]],
        [{"role": "user"}, TURNS[1]],
        [{**TURNS[0], "name": "x"}, TURNS[1]],
        [1, 2],
    ],
)
def test_what_is_no_conversation_is_refused_with_its_place(turns: object, tmp_path: Path) -> None:
    with pytest.raises(QuestionSetError, match=r"talk\.jsonl:1: turns = .*by turns"):
        evalkit.load_benchmark(write_talk(tmp_path, turns))


def test_the_column_has_to_be_named_by_a_text(tmp_path: Path) -> None:
    path = write_talk(tmp_path, TURNS)
    path.write_text(DEFINITION.replace('"turns"', "1"), encoding="utf-8")
    with pytest.raises(BenchmarkError, match="history"):
        evalkit.load_benchmark(path)


def test_a_question_refuses_turns_that_do_not_lead_to_it() -> None:
    with pytest.raises(ValueError, match="by turns"):
        Question(id="q", stem="?", choices=("a", "b"), right=(0,), history=(("user", "Hm."),))


def test_other_turns_make_another_question(tmp_path: Path) -> None:
    digests, ids = set(), set()
    for turns in (TURNS, TURNS[:2], None):
        found = evalkit.load_benchmark(write_talk(tmp_path, turns)).question_set
        digests.add(found.digest)
        ids.add(found.questions[0].id)
    assert len(digests) == len(ids) == 3


def test_a_run_keeps_the_turns(tmp_path: Path) -> None:
    path = write_talk(tmp_path, TURNS)
    with MessagesServer(answer=key_answers({STEM: "Formicidae"})) as server:
        run = evalkit.run(
            path,
            HAIKU,
            endpoint=endpoint_of(server),
            results=tmp_path / "results",
            progress=False,
        )
    [score] = evalkit.load_run(run.path).scores
    assert score.question.history == tuple((turn["role"], turn["content"]) for turn in TURNS)


# System texts


@pytest.mark.parametrize(
    ("system", "way", "expected"),
    [
        ("Be good.", "prefill", "Be good."),
        ("", "prefill", None),
        (("Be good.", "Be quick."), "prefill", ["Be good.", "Be quick."]),
        (("Be good.", " "), "structured", ["Be good.", "Name it."]),
        ((), "prefill", None),
        ((), "structured", ["Name it."]),
        ("Be good.", "structured", "Be good.\n\nName it."),
    ],
)
def test_several_system_texts_are_sent_as_blocks(
    system: str | tuple[str, ...], way: Way, expected: str | list[str] | None, tmp_path: Path
) -> None:
    form = PromptFormat(system=system, constrained="Name it.")
    with MessagesServer(answer=key_answers({STEM: "Formicidae"})) as server:
        run = evalkit.run(
            write_talk(tmp_path, TURNS),
            HAIKU,
            settings=RunSettings(way=way, prompt=form),
            endpoint=endpoint_of(server),
            results=tmp_path / "results",
            progress=False,
        )
        *_, request = server.requests  # a probe may come first
    sent = request.body.get("system")
    texts = [block["text"] for block in sent] if isinstance(sent, list) else sent
    assert texts == expected
    assert evalkit.load_run(run.path).manifest.prompt == form


def test_system_texts_stand_in_a_definition(tmp_path: Path) -> None:
    path = write_talk(tmp_path, TURNS)
    path.write_text(f'{DEFINITION}[prompt]\nsystem = ["One.", "Two."]\n', encoding="utf-8")
    assert evalkit.load_benchmark(path).definition.prompt.system == ("One.", "Two.")
    path.write_text(f"{DEFINITION}[prompt]\nsystem = [1]\n", encoding="utf-8")
    with pytest.raises(BenchmarkError, match=r"prompt\.system = \[1\]"):
        evalkit.load_benchmark(path)


def test_a_placeholder_in_a_system_block_is_refused() -> None:
    with pytest.raises(PromptError, match="system"):
        PromptFormat(system=("Good.", "About {stem}."))
