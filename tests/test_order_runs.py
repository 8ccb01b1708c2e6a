"""Runs whose questions are asked in several orders of their choices."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.alignment import align_runs
from evalkit.benchmarks import Benchmark
from evalkit.errors import AuthenticationError
from evalkit.orders import Design, count_placed
from evalkit.questions import Order, Question, QuestionSet
from evalkit.results import Run, load_run
from evalkit.runs.journal import JournalReader
from evalkit.testing.messages_faults import Fault, no_faults, unauthorized
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Answer, Reply
from evalkit.testing.messages_server import MessagesServer
from evalkit.verifying import verify_run
from tests.conftest import SUMS, sums_answers
from tests.test_evaluation import MIDDLE, OLD, ask, comparable, number_of
from tests.test_retakes import LONG, long_winded


def always(letter: str) -> Answer:
    """A model that says one letter whatever the question."""
    return lambda body: Reply(letter=letter)


def orders_of(run: Run) -> set[tuple[str, Order | None]]:
    """In which order which question was asked."""
    return {(row.question_id, row.order) for row in run.rows}


@pytest.fixture
def stubborn(sums: Benchmark, tmp_path: Path) -> Run:
    """A run with a model that always says A."""
    with MessagesServer(answer=always("A")) as server:
        run = ask(server, sums, tmp_path, MIDDLE, orders="cyclic")
        assert len(server.requests) == 4 * SUMS
    return run


def test_a_model_that_always_picks_one_letter_is_right_by_chance_and_flips_always(
    stubborn: Run,
) -> None:
    summary = stubborn.summary
    assert (summary.questions, summary.wanted, summary.asked) == (SUMS, 4 * SUMS, SUMS)
    assert (summary.mean, summary.chance, summary.most_frequent) == (0.25, 0.25, 0.25)
    assert summary.accuracy is not None
    assert summary.accuracy.n == SUMS
    orders = summary.orders
    assert orders is not None
    assert orders.all_right is not None
    assert orders.flips is not None
    assert (orders.all_right.mean, orders.flips.mean, orders.flips.n) == (0.0, 1.0, SUMS)
    places = [(place, each.mean, each.n) for place, each in orders.by_place]
    assert places == [(0, 1.0, SUMS), (1, 0.0, SUMS), (2, 0.0, SUMS), (3, 0.0, SUMS)]
    facts = stubborn.to_dict()
    assert (facts["orders"], facts["order_effect"]["flip_rate"]["mean"]) == ("cyclic", 1.0)


def test_each_response_says_in_which_order_it_was_asked(stubborn: Run) -> None:
    table = stubborn.to_dataframe()
    first = table[table["question_id"] == "q1"]
    assert first["order"].tolist() == ["ABCD", "BCDA", "CDAB", "DABC"]
    assert first["right"].tolist() == ["B"] * 4
    assert first["shown_right"].tolist() == ["B", "A", "D", "C"]
    assert first["choice"].tolist() == ["A", "B", "C", "D"]
    assert first["correct"].tolist() == [False, True, False, False]
    confusion = stubborn.confusion()
    assert confusion["A"].tolist() == [SUMS] * 4
    assert confusion.to_numpy().sum() == 4 * SUMS
    lines = (stubborn.path / "responses.jsonl").read_text().splitlines()
    assert all("order" in json.loads(line) for line in lines)


def test_the_run_that_is_on_disk_is_sound(stubborn: Run) -> None:
    found = verify_run(stubborn.path)
    assert (found.verdict, found.findings) == ("sound", ())
    assert (found.rows, found.fitting) == (4 * SUMS, 4 * SUMS)
    assert load_run(stubborn.path).to_dict() == stubborn.to_dict()


def test_a_model_that_knows_is_right_in_every_order(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        orders = ask(server, sums, tmp_path, MIDDLE, orders="cyclic").summary.orders
    assert orders is not None
    assert orders.all_right is not None
    assert orders.flips is not None
    assert (orders.all_right.mean, orders.flips.mean) == (1.0, 0.0)


def test_orders_that_are_drawn_are_the_same_for_every_model_and_others_for_another_seed(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        first = ask(server, sums, tmp_path, MIDDLE, orders=2)
        second = ask(server, sums, tmp_path, OLD, orders=2, samples=2)
        other = ask(server, sums, tmp_path, MIDDLE, orders=2, seed=1)
        more = ask(server, sums, tmp_path, MIDDLE, orders=9)
    assert len(orders_of(first)) == 2 * SUMS
    assert orders_of(first) == orders_of(second)
    assert orders_of(first) != orders_of(other)
    assert len(orders_of(more)) == 4 * SUMS
    assert {run.summary.mean for run in (first, second, other, more)} == {1.0}
    # No draw of all the questions together: each order is somebody's.
    assert len({order for _, order in orders_of(first)}) == 4


def test_one_order_that_is_drawn_spreads_the_right_letters(sums: Benchmark, tmp_path: Path) -> None:
    """In the set, the right choice of every other question of a kind stands at one place."""
    even = tuple(q for q in sums.question_set.questions if q.right == (0,))
    benchmark = replace(sums, question_set=QuestionSet(questions=even))
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, benchmark, tmp_path, MIDDLE, orders=1)
    assert (done.summary.wanted, done.summary.orders) == (len(even), None)
    assert len(set(done.to_dataframe()["shown_right"])) > 2
    assert set(done.to_dataframe()["right"]) == {"A"}


def test_a_run_broken_off_asks_only_the_orders_that_are_missing(
    sums: Benchmark, tmp_path: Path
) -> None:
    def plan(record: RequestRecord) -> Fault | None:
        return unauthorized() if record.number > 42 else None

    answer = sums_answers(wrong_share=0.3)
    settings: dict[str, Any] = {"orders": "cyclic", "concurrency": 1}
    with MessagesServer(answer=answer) as server:
        whole = ask(server, sums, tmp_path / "whole", MIDDLE, **settings)
    with MessagesServer(answer=answer, faults=plan) as server:
        with pytest.raises(AuthenticationError):
            ask(server, sums, tmp_path, MIDDLE, **settings)
        server.faults = no_faults
        before = len(server.requests)
        done = ask(server, sums, tmp_path, MIDDLE, **settings)
        asked = Counter(number_of(record) for record in server.requests[before:])
        ask(server, sums, tmp_path, MIDDLE, **settings)
        assert len(server.requests) == before + 4 * SUMS - 42
    assert asked == {10: 2} | dict.fromkeys(range(11, SUMS), 4)
    assert done.is_complete
    assert comparable(done) == comparable(whole)


@pytest.mark.parametrize("settings", [{}, {"keep_text": False}])
def test_what_was_cut_is_asked_again_in_its_own_order(
    settings: dict[str, Any], sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        brief = ask(server, sums, tmp_path / "brief", MIDDLE, orders=2)
    with MessagesServer(answer=long_winded()) as server:
        done = ask(server, sums, tmp_path, MIDDLE, orders=2, **settings)
        assert len(server.requests) == 2 * (SUMS + len(LONG))
        ask(server, sums, tmp_path, MIDDLE, orders=2, **settings)
        assert len(server.requests) == 2 * (SUMS + len(LONG))
    assert done.retakes == 2 * len(LONG)
    assert done.summary == brief.summary
    assert orders_of(done) == orders_of(brief)


def test_batches_carry_the_orders_too(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(wrong_share=0.3)) as server:
        plain = ask(server, sums, tmp_path / "plain", MIDDLE, orders="cyclic")
        done = ask(server, sums, tmp_path, MIDDLE, orders="cyclic", batch=True, poll_seconds=0.02)
    assert sum(row.batch_id is not None for row in done.rows) == 4 * SUMS - 1
    assert orders_of(done) == orders_of(plain)
    assert done.summary == plain.summary
    assert verify_run(done.path).verdict == "sound"


def test_a_question_has_as_many_orders_as_choices(sums: Benchmark, tmp_path: Path) -> None:
    two, four = sums.question_set.questions[:2]
    two = replace(two, choices=two.choices[:2])
    benchmark = replace(sums, question_set=QuestionSet(questions=(two, four)))
    with MessagesServer(answer=always("A")) as server:
        done = ask(server, benchmark, tmp_path, MIDDLE, orders="cyclic", samples=2)
        assert len(server.requests) == 2 * (2 + 4)
    summary = done.summary
    assert (summary.wanted, summary.correct) == (12, 4)
    assert summary.mean == summary.chance == (1 / 2 + 1 / 4) / 2
    assert [len(done.tally.codes_of(number)) for number in (0, 1)] == [4, 8]
    assert done.shares.tolist() == [1 / 2, 1 / 4]
    assert verify_run(done.path).verdict == "sound"


def test_runs_in_several_orders_are_compared_by_their_questions(
    sums: Benchmark, tmp_path: Path
) -> None:
    two, four, *_ = sums.question_set.questions
    two = replace(two, choices=two.choices[:2])
    benchmark = replace(sums, question_set=QuestionSet(questions=(two, four)))

    def mumble(body: Any) -> Reply:
        reply = sums_answers()(body)
        return reply if reply.letter in ("A", "B") else Reply("Hm.")

    with MessagesServer(answer=mumble) as server:
        first = ask(server, benchmark, tmp_path, MIDDLE, orders="cyclic", samples=2)
    with MessagesServer(answer=sums_answers()) as server:
        second = ask(server, benchmark, tmp_path, OLD, orders="cyclic", samples=2)
    sheet = align_runs([first, second])
    assert sheet.is_repeated
    assert [scores.tolist() for scores in sheet.correct] == [[1.0, 0.5], [1.0, 1.0]]
    assert [scores.tolist() for scores in sheet.readable] == [[1.0, 0.5], [1.0, 1.0]]


def test_without_orders_nothing_speaks_of_them(sums: Benchmark, tmp_path: Path) -> None:
    """Runs from before there were any look the same."""
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path, MIDDLE)
    assert "order" not in (done.path / "responses.jsonl").read_text()
    assert '"orders"' not in (done.path / "manifest.json").read_text()
    assert {row.order for row in JournalReader(done.path / "responses.jsonl")} == {None}
    assert done.to_dataframe()["order"].isna().all()
    assert done.to_dict()["order_effect"] is None


def test_a_row_in_another_order_counts_for_nothing(stubborn: Run) -> None:
    journal = stubborn.path / "responses.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    row = json.loads(lines[0])
    lines[0] = json.dumps({**row, "order": [1, 0, 2, 3]}) + "\n"
    journal.write_text("".join(lines))
    summary = load_run(stubborn.path).summary
    assert (summary.not_asked, summary.replied) == (1, 4 * SUMS - 1)
    assert verify_run(stubborn.path).verdict == "damaged"


def test_a_row_in_an_order_of_more_choices_is_no_obstacle(
    sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path, MIDDLE, orders=2, limit=3)
        journal = done.path / "responses.jsonl"
        lines = journal.read_text().splitlines(keepends=True)
        lines[0] = json.dumps({**json.loads(lines[0]), "order": [5, 4, 3, 2, 1, 0]}) + "\n"
        journal.write_text("".join(lines[:4]))
        again = ask(server, sums, tmp_path, MIDDLE, orders=2, limit=3, progress=True)
        assert len(server.requests) == 6 + 2
    assert (again.summary.not_asked, again.summary.correct) == (1, 5)


def test_the_design_of_a_question_holds_each_of_its_responses_once() -> None:
    question = Question(id="x", stem="?", choices=tuple("abcde"), right=(0,))
    for orders in (None, 1, 3, 5, 8, "cyclic"):
        design = Design(orders=orders, samples=2, seed=4)
        wanted = [(order, k) for order in design.list_orders(question) for k in range(2)]
        assert [design.find("x", 5, *each) for each in wanted] == list(range(len(wanted)))
        assert design.count(question) == len(wanted) == len(set(wanted))
        assert design.count_all([question, question]) == 2 * len(wanted)
    assert Design().find("x", 5, None, 1) is None
    assert Design().find("x", 5, (0, 1, 2, 3, 4), 0) is None
    assert Design(orders=2).find("x", 5, None, 0) is None


@pytest.mark.parametrize(
    ("design", "is_repeated"),
    [
        (Design(), False),
        (Design(orders=1), False),
        (Design(samples=2), True),
        (Design(orders=2), True),
        (Design(orders="cyclic"), True),
    ],
)
def test_a_question_with_several_responses_has_a_mean_for_its_score(
    design: Design, is_repeated: bool
) -> None:
    assert design.is_repeated is is_repeated


def test_drawn_orders_are_in_balance_over_the_questions() -> None:
    design = Design(orders=1)
    questions = [
        Question(id=f"q{number}", stem="?", choices=tuple("abcd"), right=(0,))
        for number in range(2000)
    ]
    places = Counter(design.list_orders(question)[0] for question in questions)
    assert len(places) == 4
    assert all(abs(count - 500) < 80 for count in places.values())


@pytest.mark.parametrize(
    ("text", "is_placed"),
    [
        ("All of the above", True),
        ("none of the above.", True),
        ("Both A and B", True),
        ("(A) or (C) only", True),
        ("neither B nor C", True),
        ("choice B", True),
        ("above the sea", False),
        ("iron and copper", False),
        ("vitamin A", False),
        ("vitamin C or a lemon", False),
        ("I and II only", False),
        ("all of them", False),
    ],
)
def test_choices_that_speak_of_others_by_place_are_counted(text: str, is_placed: bool) -> None:
    question = Question(id="x", stem="Which of A and B?", choices=("one", text), right=(0,))
    assert count_placed([question, replace(question, choices=("one", "two"))]) == is_placed
