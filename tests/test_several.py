"""Sets in which several choices of a question may be right, from the request to the table."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.candidates import settings_of
from evalkit.comparability import list_run_differences
from evalkit.comparisons import ComparisonOptions, compare
from evalkit.errors import AuthenticationError, UsageError
from evalkit.gating import gate
from evalkit.prompts import PromptFormat, name_places, render_question
from evalkit.questions import QuestionSet
from evalkit.reports.comparisons import render_comparison
from evalkit.requests import Way
from evalkit.results import Run, load_run
from evalkit.testing.messages_body import Body, answer_schema, forced_tool, last_user_text
from evalkit.testing.messages_faults import from_message_on, no_faults, unauthorized
from evalkit.testing.messages_replies import Answer, Reply, key_answers
from evalkit.testing.messages_server import MessagesServer
from evalkit.verifying import verify_run
from tests.command_line import HAIKU, OPUS, call, point_at
from tests.conftest import QUICK, endpoint_of
from tests.test_evaluation import NEW, OLD, ask, comparable
from tests.test_learning import refusing
from tests.test_real_data import DATA

COUNT = 20
"""Questions, of which every fourth has two right choices."""

CONSTRAINED: tuple[Way, ...] = ("structured", "tool")
LETTER_WAYS: tuple[Way, ...] = ("prefill", "instructed", "reasoned")


def stem_of(number: int) -> str:
    return f"Which of these are {number} or half of it?"


def right_of(number: int) -> list[str]:
    return [str(number), str(number / 2)] if number % 4 == 0 else [str(number)]


def write_mixed(path: Path) -> Path:
    """Write the set; the right choices of every fourth question stand at B and D."""
    rows = []
    for number in range(1, COUNT + 1):
        wrong = [str(number + 0.25), str(number + 0.75)]
        choices = [wrong[0], str(number), wrong[1], str(number / 2)]
        if number % 4:
            choices[3] = str(number + 0.125)
        letters = ["B", "D"] if number % 4 == 0 else ["B"]
        rows.append(
            {"id": f"q{number}", "question": stem_of(number), "choices": choices, "answer": letters}
        )
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def mixed_answers(*, wrong_share: float = 0.0) -> Answer:
    """What a model says that knows all right choices, but of a share of the questions none."""
    key = {stem_of(number): right_of(number) for number in range(1, COUNT + 1)}
    return key_answers(key, wrong_share=wrong_share)


def first_letter_only(body: Body) -> Reply:
    """A model that takes every question for one with one right choice."""
    found = mixed_answers()(body)
    return replace(found, letter=(found.letter or "")[:1])


@pytest.fixture
def mixed(tmp_path: Path) -> Benchmark:
    return load_benchmark(write_mixed(tmp_path / "mixed.jsonl"))


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(answer=mixed_answers()) as running:
        yield running


def schema_of(body: Body) -> Any:
    """The schema that binds a reply."""
    tool = forced_tool(body)
    return answer_schema(body) if tool is None else tool["input_schema"]


# How it is asked


@pytest.mark.parametrize("way", CONSTRAINED)
def test_all_questions_of_such_a_set_are_asked_for_an_array(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path, way: Way
) -> None:
    done = ask(server, mixed, tmp_path / "results", way=way)
    assert (done.is_complete, done.summary.mean, done.unbound) == (True, 1.0, 0)
    assert len(server.requests) == COUNT
    for record in server.requests:
        assert schema_of(record.body) == {
            "type": "object",
            "properties": {
                "answers": {
                    "type": "array",
                    "items": {"type": "string", "enum": ["A", "B", "C", "D"]},
                    "minItems": 1,
                }
            },
            "required": ["answers"],
            "additionalProperties": False,
        }
        assert record.body["system"] == (
            "Pick all right choices of every multiple-choice question by their letters: one or "
            "more choices are right."
        )


def test_a_part_without_such_questions_is_asked_as_the_whole_is(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path
) -> None:
    """So that what one has asked the other does not ask again."""
    questions = mixed.question_set.questions
    ask(server, mixed, tmp_path / "results", way="structured")
    ids = {record.body["messages"][-1]["content"]: record.body for record in server.requests}
    few = ask(server, mixed, tmp_path / "other", way="structured", limit=2, seed=3)
    assert all(question.has_one_answer for question in few.questions)
    assert len(few.questions) == 2 < len(questions)
    for record in server.requests[-2:]:
        assert record.body == ids[record.body["messages"][-1]["content"]]


def test_a_set_without_such_questions_is_asked_as_before(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path
) -> None:
    single = tuple(q for q in mixed.question_set.questions if q.has_one_answer)
    done = ask(
        server,
        replace(mixed, question_set=QuestionSet(questions=single)),
        tmp_path / "results",
        way="structured",
    )
    assert schema_of(server.requests[0].body)["required"] == ["answer"]
    assert "several" not in done.manifest.identity.to_json()
    assert (done.summary.partial, done.to_dict()["partial_credit"]) == (None, None)
    assert done.to_dataframe()["partial"].isna().all()


@pytest.mark.parametrize("way", CONSTRAINED)
def test_worked_examples_may_have_several_right_choices_too(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path, way: Way
) -> None:
    questions = mixed.question_set.questions
    examples = (replace(questions[3], id="e1"), replace(questions[0], id="e2"))
    benchmark = replace(
        mixed, question_set=QuestionSet(questions=questions[4:12], examples=examples)
    )
    done = ask(server, benchmark, tmp_path / "results", way=way, shots=2)
    assert done.summary.mean == 1
    shown = json.dumps(server.requests[0].body["messages"])
    both = '{"answers": ["B", "D"]}'
    assert (both if way == "tool" else both.replace(" ", "").replace('"', '\\"')) in shown
    assert verify_run(done.path).findings == ()


def test_a_text_of_ones_own_asks_for_all_right_choices(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path
) -> None:
    prompt = PromptFormat(several="Name every {label} that fits.")
    plain = ask(server, mixed, tmp_path / "results", way="tool")
    other = ask(server, mixed, tmp_path / "results", way="tool", prompt=prompt)
    assert server.requests[-1].body["system"] == "Name every letter that fits."
    assert plain.path != other.path
    assert PromptFormat().digest == PromptFormat(several=PromptFormat().several).digest


# Who can take it


@pytest.mark.parametrize("way", LETTER_WAYS)
def test_ways_of_one_letter_refuse_such_questions_with_their_number(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path, way: Way
) -> None:
    message = (
        f"mixed: 5 of 20 questions have several right choices, which one letter can't answer, as "
        f"in way {way}; ask with --way structured or --way tool"
    )
    with pytest.raises(UsageError) as caught:
        ask(server, mixed, tmp_path / "results", way=way)
    assert str(caught.value) == message
    assert (server.requests, (tmp_path / "results").exists()) == ([], False)


@pytest.mark.parametrize("way", LETTER_WAYS)
def test_a_part_that_has_none_of_them_is_asked_for_a_letter(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path, way: Way
) -> None:
    done = ask(server, mixed, tmp_path / "results", way=way, limit=2, seed=3)
    assert (done.summary.mean, done.manifest.identity.several) == (1, False)


@pytest.mark.parametrize("model", [OLD, NEW])
def test_auto_binds_the_replies_to_such_a_set(
    server: MessagesServer,
    mixed: Benchmark,
    tmp_path: Path,
    model: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = ask(server, mixed, tmp_path / "results", model, progress=True)
    assert (done.manifest.identity.way, done.summary.mean) == ("structured", 1)
    reason = "auto: several choices may be right (5 questions)"
    assert done.manifest.way_reason == reason
    assert f"{model} is asked by structured: {reason}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("refused", "way"), [(("output_config",), "tool"), (("tool_choice",), "structured")]
)
def test_auto_learns_which_of_the_two_an_endpoint_takes(
    mixed: Benchmark, tmp_path: Path, refused: Sequence[str], way: str
) -> None:
    plan = refusing(*(word for name in refused for word in (name, f"{name}: not supported")))
    with MessagesServer(answer=mixed_answers(), faults=plan) as server:
        done = ask(server, mixed, tmp_path / "results")
    assert (done.manifest.identity.way, done.summary.mean) == (way, 1)


def test_a_model_that_takes_neither_is_refused_in_one_line(
    mixed: Benchmark, tmp_path: Path
) -> None:
    plan = refusing("output_config", "output_config: no", "tool_choice", "tool_choice: no")
    message = (
        "5 questions have several right choices, but claude-haiku-4-5 takes neither a schema nor "
        "a forced tool, by which they are answered"
    )
    with MessagesServer(answer=mixed_answers(), faults=plan) as server:
        for _ in range(2):
            with pytest.raises(UsageError) as caught:
                ask(server, mixed, tmp_path / "results")
            assert str(caught.value) == message
        assert len(server.requests) == 2, "the second time it is known"


def test_the_embedded_models_can_not_be_bound(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_mixed(tmp_path / "mixed.jsonl")
    done = call(capsys, "plan", "mixed.jsonl", "--model", "local/smollm2-135m")
    assert done.code == 2
    assert "5 questions have several right choices, but local/smollm2-135m takes neither" in (
        done.error
    )


def test_the_command_line_says_so_in_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    tmp_path: Path,
) -> None:
    point_at(server, monkeypatch)
    monkeypatch.chdir(tmp_path)
    write_mixed(tmp_path / "mixed.jsonl")
    for command in ("run", "plan", "show"):
        refused = call(
            capsys,
            command,
            "mixed.jsonl",
            "--model",
            HAIKU,
            "--way",
            "prefill",
            *(["--id", "q4"] if command == "show" else []),
        )
        assert refused.code == 2
        assert "questions have several right choices, which one letter can't" in refused.error
        assert refused.error.endswith("ask with --way structured or --way tool")
    assert server.requests == []
    planned = call(capsys, "plan", "mixed.jsonl", "--model", HAIKU, "--model", OPUS, "--offline")
    assert (planned.code, planned.out.count("structured")) == (0, 2)
    shown = call(capsys, "show", "mixed.jsonl", "--model", HAIKU, "--id", "q4")
    assert shown.code == 0
    assert "=== structured" in shown.out
    assert '"answers": {"type": "array"' in shown.out


# What comes of it


def test_sets_are_judged_as_a_whole_with_partial_credit_beside_it(
    capsys: pytest.CaptureFixture[str], mixed: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=first_letter_only) as server:
        done = ask(server, mixed, tmp_path / "results", way="structured")
    partial = done.summary.partial
    assert partial is not None
    assert (done.summary.mean, partial.mean, partial.n) == (0.75, 0.875, COUNT)
    facts = done.to_dict()
    assert (facts["several"], facts["partial_credit"]["mean"]) == (True, 0.875)
    table = done.to_dataframe().set_index("question_id")
    row = table.loc["q4"]
    assert (row["choice"], row["right"], row["correct"], row["partial"]) == ("B", "BD", False, 0.5)
    assert table["partial"].mean() == 0.875
    said = call(capsys, "show", done.path)
    assert "Accuracy      Interval  Partial\n" in said.out
    assert "75.0  [53.1, 88.8]     87.5\n" in said.out
    assert "several choices may be right: correct is whoever picks all of them" in said.out


def test_chance_is_that_of_picking_as_many_choices_as_are_right(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path
) -> None:
    done = ask(server, mixed, tmp_path / "results", way="tool")
    assert done.summary.chance == pytest.approx((15 / 4 + 5 / 6) / 20)
    assert done.summary.most_frequent == 15 / 20


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('{"answers":["B","B"]}', "unparsed"),
        ('{"answers":["B","E"]}', "unparsed"),
        ('{"answers":[]}', "unparsed"),
        ('{"answers":["B",', "truncated"),
        ("B and D", "wrong"),
        ("I would say that B may be right.", "unparsed"),
    ],
)
def test_a_reply_that_names_no_set_is_not_read_as_one(
    mixed: Benchmark, tmp_path: Path, text: str, outcome: str
) -> None:
    reply = Reply(text=text, stop_reason="max_tokens" if outcome == "truncated" else None)
    with MessagesServer(answer=lambda body: reply) as server:
        done = ask(server, mixed, tmp_path / "results", way="structured", limit=1, seed=3)
    assert done.to_dict()["outcomes"][outcome] == 1
    assert done.summary.partial is not None
    assert done.summary.partial.mean == (0.5 if outcome == "wrong" else 0)


# The same again


def test_a_run_broken_off_goes_on_and_reads_as_one_that_was_not(
    mixed: Benchmark, tmp_path: Path
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    with MessagesServer(answer=mixed_answers(wrong_share=0.3)) as server:
        expected = ask(server, mixed, whole, way="tool")
        server.faults = from_message_on(8, unauthorized())
        with pytest.raises(AuthenticationError):
            ask(server, mixed, broken, way="tool", concurrency=1)
        server.faults = no_faults
        asked = len(server.requests)
        done = ask(server, mixed, broken, way="tool")
        assert len(server.requests) - asked < COUNT
    assert comparable(done) == comparable(expected)
    assert [score.answer for score in done.scores] == [each.answer for each in expected.scores]
    assert verify_run(done.path).verdict == "sound"


def test_sets_are_kept_without_their_words(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path
) -> None:
    done = ask(server, mixed, tmp_path / "results", way="structured", keep_text=False)
    lines = (done.path / "responses.jsonl").read_text(encoding="utf-8")
    assert '"choice":[1,3]' in lines
    again = load_run(done.path, questions=done.questions)
    assert (again.summary.mean, again.summary.partial) == (1, done.summary.partial)


@pytest.mark.parametrize("orders", [2, "cyclic"])
def test_orders_move_sets_with_their_choices(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path, orders: Any
) -> None:
    done = ask(server, mixed, tmp_path / "results", way="structured", orders=orders, samples=2)
    found = done.summary.orders
    assert found is not None
    assert found.flips is not None
    assert (done.summary.mean, found.flips.mean, found.flips.n) == (1, 0, COUNT)
    assert sum(each.n for _, each in found.by_place) == 15 * (4 if orders == "cyclic" else 2)
    assert {score.answer.choice for score in done.scores} == {(1,), (1, 3)}
    assert verify_run(done.path).verdict == "sound"


def test_a_model_that_always_picks_the_same_letters_flips_with_the_order(
    mixed: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=lambda body: Reply(letter="AB")) as server:
        done = ask(server, mixed, tmp_path / "results", way="tool", orders="cyclic")
    found = done.summary.orders
    assert found is not None
    assert found.flips is not None
    assert (found.flips.mean, done.summary.correct) == (1, 0)


# What is made of it


@pytest.fixture
def pair(mixed: Benchmark, tmp_path: Path) -> tuple[Run, Run]:
    """A model that knows all right choices, and one that gives one letter each time."""
    with MessagesServer(answer=mixed_answers()) as server:
        first = ask(server, mixed, tmp_path / "results", way="structured")
    with MessagesServer(answer=first_letter_only) as server:
        second = ask(server, mixed, tmp_path / "results", NEW, way="structured")
    return first, second


def test_runs_are_compared_by_whole_sets_and_flips_name_all_letters(pair: tuple[Run, Run]) -> None:
    found = compare(pair, options=ComparisonOptions(flips=10))
    [compared] = found.pairs
    assert compared.accuracy.interval is not None
    assert compared.accuracy.interval.estimate == -0.25
    assert [(each.right, each.baseline, each.candidate) for each in compared.flips] == [
        ("BD", "BD", "B")
    ] * 5
    assert (compared.readable.gains, compared.readable.losses) == (0, 0)
    assert [each.partial for each in found.benchmarks[0].runs] == [1, 0.875]
    assert "Accuracy       Interval  Partial\n" in render_comparison(found)
    facts = found.to_dict()["benchmarks"][0]["runs"]
    assert [each["partial_credit"] for each in facts] == [1, 0.875]


def test_that_one_run_could_pick_several_choices_is_a_difference(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path
) -> None:
    sets = ask(server, mixed, tmp_path / "results", way="structured", limit=2, seed=3)
    letters = ask(server, mixed, tmp_path / "results", way="prefill", limit=2, seed=3)
    differences = [str(each) for each in list_run_differences(sets, letters)]
    assert "choices that may be picked: several and one" in differences


def test_a_gate_takes_sets(mixed: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=mixed_answers()) as server:
        part = ask(server, mixed, tmp_path / "results", way="structured", limit=2, seed=3)
        whole = ask(server, mixed, tmp_path / "results", way="structured")
    with MessagesServer(answer=first_letter_only) as server:
        for baseline, correct in ((whole, 15), (part, 2)):
            gate(
                baseline,
                model=NEW,
                full=True,
                endpoint=endpoint_of(server),
                results=tmp_path / "checks",
                progress=False,
                settings=replace(settings_of(baseline, model=NEW), retries=QUICK),
            )
            [path] = (tmp_path / "checks").glob("*")
            candidate = load_run(path)
            assert candidate.summary.correct == correct
            assert candidate.manifest.identity.several
            shutil.rmtree(path)


def test_what_asks_for_one_letter_says_why_it_does_not_apply(
    capsys: pytest.CaptureFixture[str], pair: tuple[Run, Run]
) -> None:
    done, _ = pair
    message = "each answer is a set of choices, which tells nothing of a liking for one letter"
    for ask_for in (done.confusion, done.position_bias):
        with pytest.raises(UsageError) as caught:
            ask_for()
        assert str(caught.value) == message
    with pytest.raises(UsageError, match="answers that are sets of choices: they are no votes"):
        done.calibration()
    said = call(capsys, "score", done.path, "--positions", "--calibration")
    assert f"(1) {message}\n" in said.out
    assert "(1) no confidence can be told from answers that are sets of choices" in said.out
    facts = json.loads(call(capsys, "score", done.path, "--positions", "--json").out)
    assert facts["runs"][0]["positions"] == {"missing": message}


def test_an_audit_leaves_ways_of_one_letter_out_with_the_reason(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    tmp_path: Path,
) -> None:
    point_at(server, monkeypatch)
    monkeypatch.chdir(tmp_path)
    write_mixed(tmp_path / "mixed.jsonl")
    done = call(capsys, "audit", "mixed.jsonl", "--model", HAIKU)
    assert done.code == 0
    for way in LETTER_WAYS:
        assert f"{way} is left out: mixed: 5 of 20 questions have several right" in done.out
    assert "Accuracy       Interval  Partial  Unparsed" in done.out
    ways = ("--way", "tool", "--way", "prefill")
    named = call(capsys, "audit", "mixed.jsonl", "--model", HAIKU, *ways)
    assert (named.code, "5 of 20 questions" in named.error) == (2, True)


def test_batches_and_workers_take_sets(
    server: MessagesServer, mixed: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
    batched = ask(server, mixed, tmp_path / "a", way="tool", batch=True, poll_seconds=0.01)
    shared = ask(server, mixed, tmp_path / "b", way="tool", workers=2)
    assert (batched.summary.mean, shared.summary.mean) == (1, 1)


@pytest.mark.skipif(not DATA.is_dir(), reason="the published sets are not beside the repository")
def test_gaokao_physics_is_asked_whole(tmp_path: Path) -> None:
    benchmark = load_benchmark("agieval-gaokao-physics", data_folder=DATA)
    key = {
        render_question(question, benchmark.definition.prompt): name_places(question.right, "ABCD")
        for question in benchmark.question_set.questions
    }
    with MessagesServer(answer=lambda body: Reply(letter=key[last_user_text(body)])) as server:
        done = ask(server, benchmark, tmp_path)
    assert (done.summary.questions, done.summary.correct, done.unbound) == (200, 200, 0)
    assert sum(len(score.question.right) > 1 for score in done.scores) == 35
    assert done.manifest.left_out == 0
