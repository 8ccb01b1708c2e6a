"""An engine that we did not write answers in every way of asking, and what it ignores is said.

It continues a prefill, and ignores schemas and forced tools without an error.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import evalkit
from evalkit.answers import Outcome
from evalkit.requests import WAYS, Way
from evalkit.settings import RunSettings

pytestmark = pytest.mark.slow

TINY = "local/smollm2-135m"
QUESTIONS = 3


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("way", WAYS)
def test_every_way_runs_to_its_end(
    way: Way, shots: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = RunSettings(way=way, shots=shots, limit=QUESTIONS, max_tokens=None)
    run = evalkit.run("everyday", TINY, settings=settings, results=tmp_path)
    assert run.is_complete
    assert not run.failures()
    for score in run.scores:
        in_range = score.answer.choice in range(len(score.question.choices))
        assert in_range == (score.answer.outcome is Outcome.ANSWERED)
    if way == "prefill":
        assert run.summary.correct + run.summary.wrong == QUESTIONS
    errors = capsys.readouterr().err
    ignored = {"structured": "the schema", "tool": "the forced tool"}.get(way)
    if ignored is None:
        assert run.unbound == 0
        assert "does not keep to" not in errors
    else:
        # A small model may write what was asked for by itself, above all after examples of it.
        assert (run.unbound > 0) == (f"{TINY} does not keep to {ignored}" in errors)
    if way == "tool":
        assert run.unbound == QUESTIONS


def test_it_thinks_in_words_where_there_is_no_other_way(tmp_path: Path) -> None:
    settings = RunSettings(way="reasoned", limit=QUESTIONS)
    run = evalkit.run("everyday", TINY, settings=settings, results=tmp_path, progress=False)
    spent = [row.result.usage.output_tokens or 0 for row in run.rows if row.is_response]  # type: ignore[union-attr]
    assert sum(spent) / len(spent) > 10
    assert "thinking" not in run.manifest.identity.parameters


def test_a_conversation_goes_on(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "Say hello."},
        {"role": "assistant", "content": "Hello."},
    ]
    row = {"question": "Which is a colour?", "options": ["red", "seven"], "answer": "red"}
    file = tmp_path / "talk.jsonl"
    file.write_text(json.dumps({**row, "turns": turns}), encoding="utf-8")
    definition = tmp_path / "talk.toml"
    definition.write_text(
        'version = "1"\nsource.files = ["talk.jsonl"]\n[columns]\nstem = "question"\n'
        'choices = "options"\nanswer = "answer"\nanswer_is = "text"\nhistory = "turns"\n',
        encoding="utf-8",
    )
    run = evalkit.run(definition, TINY, results=tmp_path / "results", progress=False)
    assert run.summary.correct + run.summary.wrong == 1
