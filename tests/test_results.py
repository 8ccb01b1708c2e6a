"""A run is read back from its folder: numbers, facts as JSON, a table with one row a response."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas
import pytest

from evalkit.answers import Outcome
from evalkit.errors import RunFormatError, UsageError
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.requests import Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.results import Run, load_run
from evalkit.runs.folder import create_run_folder
from evalkit.runs.journal import JournalRow
from evalkit.runs.manifest import Manifest
from evalkit.tallies import Failure
from evalkit.version import __version__
from tests.test_journal import lines_of
from tests.test_manifest import IDENTITY

COLUMNS = {
    "question_id": "string",
    "order": "string",
    "sample": "Int64",
    "group": "string",
    "benchmark": "string",
    "model": "string",
    "way": "string",
    "outcome": "string",
    "choice": "string",
    "right": "string",
    "shown_right": "string",
    "correct": "boolean",
    "partial": "Float64",
    "text": "string",
    "stop_reason": "string",
    "refusal_category": "string",
    "model_served": "string",
    "input_tokens": "Int64",
    "cache_creation_input_tokens": "Int64",
    "cache_read_input_tokens": "Int64",
    "output_tokens": "Int64",
    "thinking_tokens": "Int64",
    "failure": "string",
    "attempts": "Int64",
    "seconds": "float64",
    "request_id": "string",
    "message_id": "string",
}
OVERLOADED = RequestFailure(
    kind="overloaded", message="Overloaded (status 529)", status=529, request_id="req_f"
)
BROKEN = RequestFailure(kind="connection_failed", message="host broke the connection off: x")


def reply(text: str, stop_reason: str = "end_turn", model: str | None = "m-1") -> Response:
    """A reply with some usage."""
    usage = Usage(input_tokens=42, output_tokens=2, cache_read_input_tokens=8)
    return Response(
        text=text,
        stop_reason=stop_reason,
        model=model,
        usage=usage,
        message_id=f"msg_{text}",
        request_id=f"req_{text}",
    )


def load(
    tmp_path: Path,
    *results: Response | RequestFailure | None,
    way: Way = "instructed",
    group: bool = True,
    clusters: Sequence[str | None] | None = None,
    form: PromptFormat | None = None,
    garbage: bytes = b"",
) -> Run:
    """A run with one question for each result, whose right choice is the second of three."""
    form = form or PromptFormat()
    questions = tuple(
        Question(
            id=f"q{number}",
            stem=f"{number}?",
            choices=("one", "two", "three"),
            right=(1,),
            group="even" if group and number % 2 == 0 else "odd" if group else None,
            cluster=None if clusters is None else clusters[number],
        )
        for number in range(len(results))
    )
    manifest = Manifest(
        identity=replace(IDENTITY, way=way, prompt_digest=form.digest),
        prompt=form,
        questions=len(questions),
        left_out=4,
        way_reason="asked for",
    )
    folder = create_run_folder(tmp_path, manifest, questions)
    rows = [
        JournalRow(
            request_id=f"r{number}",
            question_id=f"q{number}",
            way=way,
            result=result,
            attempts=number + 1,
            seconds=0.25,
        )
        for number, result in enumerate(results)
        if result is not None
    ]
    folder.journal_path.write_bytes(garbage + lines_of(*reversed(rows)))
    return load_run(folder.path)


@pytest.fixture
def mixed(tmp_path: Path) -> Run:
    """Every outcome at least once."""
    return load(
        tmp_path,
        reply("B"),
        reply("A"),
        reply("no idea"),
        reply("", "refusal"),
        reply("First,", "max_tokens"),
        OVERLOADED,
        None,
        reply("B", model="m-2"),
    )


def test_outcomes_are_kept_apart(mixed: Run) -> None:
    assert [score.answer.outcome for score in mixed.scores] == [
        Outcome.ANSWERED,
        Outcome.ANSWERED,
        Outcome.UNPARSED,
        Outcome.REFUSED,
        Outcome.TRUNCATED,
        Outcome.FAILED,
        Outcome.NOT_ASKED,
        Outcome.ANSWERED,
    ]
    summary = mixed.summary
    assert (summary.correct, summary.wrong) == (2, 1)
    assert (summary.unparsed, summary.refused, summary.truncated) == (1, 1, 1)
    assert (summary.failed, summary.not_asked) == (1, 1)
    # What failed or was not asked is missing; it is neither right nor wrong.
    assert summary.accuracy is not None
    assert (summary.accuracy.estimate, summary.accuracy.n) == (2 / 6, 6)
    assert not mixed.is_complete
    assert [(group.name, group.questions) for group in mixed.groups] == [("even", 4), ("odd", 4)]


def test_a_run_whose_questions_all_got_a_reply_is_complete(tmp_path: Path) -> None:
    assert load(tmp_path, reply("B"), reply("no idea"), reply("", "refusal")).is_complete


def test_the_models_that_answered_are_named_most_frequent_first(tmp_path: Path) -> None:
    run = load(
        tmp_path, reply("B", model="rare"), reply("A"), reply("B"), reply("A", model=None), BROKEN
    )
    assert run.models_served() == ("m-1", "rare")


def test_usage_is_summed_as_far_as_it_was_counted(mixed: Run, tmp_path: Path) -> None:
    assert mixed.usage() == {
        "input_tokens": 252,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 48,
        "output_tokens": 12,
        "thinking_tokens": 0,
    }
    nothing = load(tmp_path / "other", BROKEN, replace(reply("B"), usage=Usage()))
    assert set(nothing.usage().values()) == {0}


def test_failures_say_why(tmp_path: Path) -> None:
    run = load(tmp_path, BROKEN, OVERLOADED, OVERLOADED, reply("B"), None)
    assert run.failures() == (
        Failure(kind="overloaded", message="Overloaded (status 529)", count=2),
        Failure(kind="connection_failed", message="host broke the connection off: x", count=1),
    )


# Clusters


def test_questions_that_the_set_puts_together_count_for_less(tmp_path: Path) -> None:
    answers = [reply(letter) for letter in "BBBAAABBB"]
    names = [*"aaabbb", "c", "c", None]
    run = load(tmp_path, *answers, clusters=names)
    facts = run.to_dict()
    assert (facts["accuracy"]["method"], facts["accuracy"]["clusters"]) == ("CR2", 4)
    assert facts["clusters"]["count"] == 4
    assert facts["clusters"]["design_effect"] > 2
    assert facts["clusters"]["rough"] is True
    assert facts["groups"][0]["clusters"]["count"] == 4
    plain = load_run(run.path, clustered_by="none").to_dict()
    assert (plain["accuracy"]["method"], plain["clusters"]) == ("Wilson", None)
    assert plain["accuracy"]["estimate"] == facts["accuracy"]["estimate"] == facts["mean"]
    grouped = load_run(run.path, clustered_by="group")
    assert grouped.to_dict()["clusters"]["count"] == 2
    assert grouped.groups == run.groups


def test_all_questions_about_one_passage_have_a_mean_and_no_interval(tmp_path: Path) -> None:
    facts = load(tmp_path, reply("B"), reply("A"), clusters=["a", "a"], group=False).to_dict()
    assert (facts["mean"], facts["accuracy"], facts["chance_corrected"]) == (0.5, None, None)
    assert facts["clusters"] == {"count": 1, "df": None, "design_effect": None, "rough": False}


def test_there_is_nothing_to_cluster_by_where_there_are_no_groups(tmp_path: Path) -> None:
    path = load(tmp_path, reply("B"), group=False).path
    with pytest.raises(UsageError, match=r"cluster group: the questions of .* have no groups"):
        load_run(path, clustered_by="group")
    with pytest.raises(UsageError, match="cluster 'x': expected declared, group, none"):
        load_run(path, clustered_by="x")  # type: ignore[arg-type]


# JSON


def test_the_facts_can_be_written_as_json(mixed: Run) -> None:
    facts = mixed.to_dict()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert {name: facts[name] for name in list(facts)[:27]} == {
        "run_id": mixed.manifest.identity.run_id,
        "folder": str(mixed.path),
        "benchmark": "everyday",
        "benchmark_version": "1",
        "model": "claude-haiku-4-5",
        "models_served": ["m-1", "m-2"],
        "endpoint": "api.anthropic.com",
        "way": "instructed",
        "way_reason": "asked for",
        "shots": 0,
        "samples": 1,
        "orders": None,
        "several": False,
        "clustered_by": "declared",
        "unbound_replies": 0,
        "retakes": 0,
        "evalkit_version": __version__,
        "complete": False,
        "left_out": 4,
        "filtered_rows": 0,
        "selection": None,
        "garbled_lines": [],
        "failures": [{"kind": "overloaded", "message": "Overloaded (status 529)", "count": 1}],
        "questions": 8,
        "n": 6,
        "mean": 2 / 6,
        "accuracy": {
            "estimate": 2 / 6,
            "low": pytest.approx(0.0968, abs=1e-4),
            "high": pytest.approx(0.7000, abs=1e-4),
            "n": 6,
            "level": 0.95,
            "method": facts["accuracy"]["method"],
            "clusters": None,
        },
    }
    assert facts["outcomes"] == {
        "correct": 2,
        "wrong": 1,
        "unparsed": 1,
        "refused": 1,
        "truncated": 1,
        "failed": 1,
        "not_asked": 1,
    }
    assert facts["chance"] == pytest.approx(1 / 3)
    assert facts["chance_corrected"]["estimate"] == pytest.approx(0)
    assert facts["sensitivity"] == [2 / 6, 5 / 6]
    assert facts["if_missing_wrong_or_right"] == [2 / 8, 4 / 8]
    assert [group["group"] for group in facts["groups"]] == ["even", "odd"]
    assert facts["groups"][0]["questions"] == 4
    assert facts["usage"] == mixed.usage()


@pytest.mark.parametrize("results", [(BROKEN,), (None, None), (BROKEN, None)])
def test_without_a_reply_there_is_no_number(results: tuple[Any, ...], tmp_path: Path) -> None:
    facts = load(tmp_path, *results, group=False).to_dict()
    json.dumps(facts, allow_nan=False)
    assert facts["n"] == 0
    for name in ("accuracy", "above_chance", "chance_corrected", "sensitivity"):
        assert facts[name] is None
    assert facts["groups"] == []


def test_garbled_lines_are_reported(tmp_path: Path) -> None:
    run = load(tmp_path, reply("B"), reply("A"), garbage=b"garbled\n\xff\n")
    assert run.to_dict()["garbled_lines"] == [1, 2]
    assert run.summary.replied == 2


# The table


def test_the_table_has_the_documented_columns(mixed: Run) -> None:
    table = mixed.to_dataframe()
    assert table.dtypes.astype(str).to_dict() == COLUMNS
    documented = Run.to_dataframe.__doc__ or ""
    for name in set(COLUMNS) - {name for name in COLUMNS if name.endswith("tokens")}:
        assert f"`{name}`" in documented
    for kind in set(COLUMNS.values()):
        assert f"`{kind}`" in documented


def test_the_table_has_a_row_for_each_response_or_failure(mixed: Run) -> None:
    table = mixed.to_dataframe()
    assert table["question_id"].tolist() == ["q0", "q1", "q2", "q3", "q4", "q5", "q7"]
    first = table.loc[0].to_dict()
    missing = [name for name, value in first.items() if pandas.isna(value)]
    tokens = ("cache_creation_input_tokens", "thinking_tokens")
    assert missing == ["order", "partial", "refusal_category", *tokens, "failure"]
    assert {name: value for name, value in first.items() if name not in missing} == {
        "question_id": "q0",
        "sample": 0,
        "group": "even",
        "benchmark": "everyday",
        "model": "claude-haiku-4-5",
        "way": "instructed",
        "outcome": "answered",
        "choice": "B",
        "right": "B",
        "shown_right": "B",
        "correct": True,
        "text": "B",
        "stop_reason": "end_turn",
        "model_served": "m-1",
        "input_tokens": 42,
        "cache_read_input_tokens": 8,
        "output_tokens": 2,
        "attempts": 1,
        "seconds": 0.25,
        "request_id": "req_B",
        "message_id": "msg_B",
    }


def test_what_is_missing_is_not_wrong(mixed: Run) -> None:
    table = mixed.to_dataframe().set_index("question_id")
    assert table["outcome"].tolist() == [
        *("answered", "answered", "unparsed", "refused", "truncated", "failed", "answered"),
    ]
    assert table.loc["q0":"q4", "correct"].tolist() == [True, False, False, False, False]
    failed = table.loc["q5"]
    assert (failed["failure"], failed["request_id"]) == ("overloaded", "req_f")
    assert failed[["correct", "text", "choice", "model_served", "output_tokens"]].isna().all()
    assert table["correct"].mean() == pytest.approx(2 / 6)


@pytest.mark.parametrize("text", ["None", "NA", "nan", "", "null", "<NA>", "1", "True", "1e5"])
def test_a_reply_stays_the_text_that_it_is(text: str, tmp_path: Path) -> None:
    run = load(tmp_path, reply(text), reply("B"), BROKEN)
    column = run.to_dataframe()["text"]
    assert column[0] == text
    assert isinstance(column[0], str)
    assert column.isna().tolist() == [False, False, True]


def test_an_empty_table_has_the_same_columns(tmp_path: Path) -> None:
    table = load(tmp_path, None, None).to_dataframe()
    assert len(table) == 0
    assert table.dtypes.astype(str).to_dict() == COLUMNS


def test_tables_of_several_runs_can_be_joined(mixed: Run, tmp_path: Path) -> None:
    failed = load(tmp_path / "other", BROKEN, group=False)
    table = pandas.concat([mixed.to_dataframe(), failed.to_dataframe()])
    assert table.dtypes.astype(str).to_dict() == COLUMNS
    assert len(table) == 8


def test_counts_are_exact_however_large(tmp_path: Path) -> None:
    usage = Usage(input_tokens=2**62 + 1)
    run = load(tmp_path, replace(reply("B"), usage=usage), BROKEN)
    assert run.to_dataframe()["input_tokens"][0] == 2**62 + 1


def test_confusion_counts_right_against_picked_labels(mixed: Run, tmp_path: Path) -> None:
    table = mixed.to_dataframe().dropna(subset=["choice"])
    counts = mixed.confusion()
    assert counts.to_numpy().sum() == len(table)
    for right, picked in zip(table["right"], table["choice"], strict=True):
        same = (table["right"] == right) & (table["choice"] == picked)
        assert counts.loc[right, picked] == same.sum()
    assert load(tmp_path / "none", BROKEN).confusion().to_numpy().sum() == 0


def test_labels_are_those_that_were_offered(tmp_path: Path) -> None:
    run = load(tmp_path, reply("2"), form=PromptFormat(labels="digits"))
    table = run.to_dataframe()
    assert (table["choice"][0], table["right"][0]) == ("2", "2")


# Reading


def test_replies_are_read_by_the_way_they_were_asked_for(tmp_path: Path) -> None:
    cut = reply("The answer is (B", "max_tokens")
    assert load(tmp_path, cut, way="prefill").summary.correct == 1
    truncated = load(tmp_path, reply("First,", "max_tokens"), way="instructed")
    assert truncated.scores[0].answer.outcome is Outcome.TRUNCATED


@pytest.mark.parametrize("as_text", [True, False])
def test_a_folder_is_named_by_path_or_text(as_text: bool, mixed: Run) -> None:
    found = load_run(str(mixed.path) if as_text else mixed.path)
    assert found == mixed
    assert found.to_dict() == mixed.to_dict()


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFormatError, match="is no run folder"):
        load_run(tmp_path)
