"""The official SDK, given the same questions, gets the same letters as evalkit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anthropic
import pytest

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.evaluation import run
from evalkit.models.local import serve_local_model
from evalkit.prompts import PromptFormat, render_question
from evalkit.questions import Question
from evalkit.results import Run
from evalkit.settings import RunSettings
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, SUMS, endpoint_of, sums_answers

PREFILL = "The answer is ("
SMALL = "local/smollm2-135m"


def ask_by_sdk(
    base_url: str, key: str, model: str, questions: Sequence[Question]
) -> tuple[list[str], list[anthropic.types.Message]]:
    """Ask as the API's documentation shows it.

    Returns:
        The letters, None of them longer than one token, and the messages.
    """
    # SDK 2.x asks for a newer version, which takes no temperature; and it has no argument for one.
    headers = {"anthropic-version": "2023-06-01"}
    with anthropic.Anthropic(base_url=base_url, api_key=key, default_headers=headers) as client:
        messages = [
            client.messages.create(
                model=model,
                max_tokens=1,
                messages=[
                    {"role": "user", "content": render_question(question, PromptFormat())},
                    {"role": "assistant", "content": PREFILL},
                ],
                extra_body={"temperature": 0},
            )
            for question in questions
        ]
    texts = [
        "".join(block.text for block in message.content if block.type == "text")
        for message in messages
    ]
    # The embedded engine repeats the prefill, which the API never does.
    return [text.removeprefix(PREFILL).strip(" )").upper() for text in texts], messages


def letters_of(done: Run) -> list[str]:
    """What evalkit read."""
    table = done.to_dataframe().set_index("question_id")
    return [table["choice"][score.question.id] for score in done.scores]


def test_both_clients_get_the_same_from_the_test_server(sums: Benchmark, tmp_path: Path) -> None:
    model = "claude-haiku-4-5"
    with MessagesServer(answer=sums_answers(wrong_share=0.4)) as server:
        done = run(
            sums,
            model,
            settings=RunSettings(retries=QUICK),
            endpoint=endpoint_of(server),
            results=tmp_path,
            progress=False,
        )
        ours = [record.body for record in server.requests if record.attempt == 1][1:]
        questions = sums.question_set.questions
        letters, messages = ask_by_sdk(server.base_url, server.key, model, questions)
        theirs = [record.body for record in server.requests[1 + SUMS :]]
    assert letters_of(done) == letters
    assert len(letters) == SUMS
    assert len(set(letters)) == 4
    # The same bodies, word for word, and the same bill.
    assert sorted(map(str, map(sorted_body, ours))) == sorted(map(str, map(sorted_body, theirs)))
    assert done.usage()["input_tokens"] == sum(m.usage.input_tokens for m in messages)
    assert done.usage()["output_tokens"] == sum(m.usage.output_tokens for m in messages) == SUMS


def sorted_body(body: object) -> object:
    """A body with its fields in order, its numbers as they compare."""
    if isinstance(body, dict):
        return {name: sorted_body(body[name]) for name in sorted(body)}
    if isinstance(body, list):
        return [sorted_body(item) for item in body]
    return float(body) if isinstance(body, int) else body


@pytest.mark.slow
def test_both_clients_get_the_same_from_an_embedded_model(tmp_path: Path) -> None:
    everyday = load_benchmark("everyday")
    done = run(
        everyday,
        SMALL,
        settings=RunSettings(way="prefill", limit=20),
        results=tmp_path,
        progress=False,
    )
    questions = [score.question for score in done.scores]
    assert len(questions) == 20
    with serve_local_model(SMALL, say=lambda line: None) as server:
        letters, messages = ask_by_sdk(server.base_url, "no key needed", server.model, questions)
    assert letters_of(done) == letters
    assert {message.usage.output_tokens for message in messages} == {1}
    assert set(letters) <= set("ABCD")
