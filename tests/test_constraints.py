"""Endpoints that ignore a schema or a tool: noticed, said once, and read as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from evalkit.benchmarks import Benchmark
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import SUMS, sums_answers
from tests.test_evaluation import MIDDLE, OLD, ask, outcomes

Bound = Literal["structured", "tool"]
WARNING = "does not keep to {}; its replies are read as text"
WHAT = {"structured": "the schema", "tool": "the forced tool"}


@pytest.mark.parametrize("way", ["structured", "tool"])
@pytest.mark.parametrize("style", ["{letter}", "The answer is ({letter}).", "**{letter}**"])
def test_free_text_is_read_where_nothing_binds(
    way: Bound,
    style: str,
    sums: Benchmark,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = sums_answers(wrong_share=0.3)
    with MessagesServer(answer=answer) as server:
        expected = ask(server, sums, tmp_path / "bound", MIDDLE, way=way, progress=True)
    assert WARNING.format(WHAT[way]) not in capsys.readouterr().err
    assert (expected.unbound, expected.to_dict()["unbound_replies"]) == (0, 0)
    with MessagesServer(answer=answer, bare=True, style=style) as server:
        done = ask(server, sums, tmp_path / "bare", "llama", way=way, progress=True)
    assert done.summary == expected.summary
    assert (done.unbound, done.to_dict()["unbound_replies"]) == (SUMS, SUMS)
    assert capsys.readouterr().err.count(WARNING.format(WHAT[way])) == 1


@pytest.mark.parametrize("way", ["structured", "tool"])
@pytest.mark.parametrize(
    "form",
    [
        '{{"answer": "{letter}"}}',
        '{{\n  "answer" : "{letter}"\n}}\n',
        '```json\n{{"answer": "{letter}"}}\n```',
        '{{"name": "answer", "arguments": {{"answer": "{letter}"}}}}',
    ],
)
def test_json_that_a_model_writes_of_its_own_is_read(
    way: Bound, form: str, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers(), bare=True, style=form) as server:
        done = ask(server, sums, tmp_path, "llama", way=way, limit=5)
    assert outcomes(done) == {"correct": 5}


def test_a_tool_call_as_text_may_name_the_choice_itself(sums: Benchmark, tmp_path: Path) -> None:
    right = sums_answers()

    def answer(body: Any) -> Reply:
        letter = right(body).letter
        text = body["messages"][-1]["content"]
        choice = next(line[4:] for line in text.splitlines() if line.startswith(f"({letter})"))
        return Reply(f'{{"name": "answer", "arguments": {{"answer": "{choice}"}}}}')

    with MessagesServer(answer=answer, bare=True) as server:
        done = ask(server, sums, tmp_path, "llama", way="tool", limit=5)
    assert outcomes(done) == {"correct": 5}
    assert done.unbound == 5


@pytest.mark.parametrize("way", ["structured", "tool"])
def test_the_case_of_a_label_is_not_guaranteed(way: Bound, sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(), odd_casing=True) as server:
        done = ask(server, sums, tmp_path, OLD, way=way, limit=5)
    assert outcomes(done) == {"correct": 5}
    assert done.unbound == 0


@pytest.mark.parametrize("way", ["structured", "tool"])
def test_a_reply_without_a_choice_is_unparsed_and_unbound(
    way: Bound, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=lambda body: Reply("I can't say."), bare=True) as server:
        done = ask(server, sums, tmp_path, "llama", way=way, limit=5)
    assert outcomes(done) == {"unparsed": 5}
    assert done.unbound == 5


def test_it_is_noticed_where_no_texts_are_kept(
    sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MessagesServer(answer=sums_answers(), bare=True) as server:
        done = ask(
            server, sums, tmp_path, "llama", way="tool", limit=5, keep_text=False, progress=True
        )
    assert outcomes(done) == {"correct": 5}
    assert done.unbound == 5
    assert WARNING.format("the forced tool") in capsys.readouterr().err
