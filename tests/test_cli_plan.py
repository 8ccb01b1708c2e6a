"""`evalkit plan` says what `evalkit run` would take, and sends nothing that costs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.api.limits import RateLimits
from evalkit.experience import Experience
from evalkit.plans import GateNeed, Plan, PlanBasis, PlanNeed, PlanPrices
from evalkit.precedents import Precedent
from evalkit.reports.plans import render_plans
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, call, point_at
from tests.conftest import SUMS, sums_answers, write_sums


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, with thirty sums in sums.jsonl."""
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "sums.jsonl")
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:
    """A server that is named in the environment."""
    with MessagesServer(answer=sums_answers()) as running:
        point_at(running, monkeypatch)
        yield running


def rows_of(text: str) -> list[list[str]]:
    """The cells of the tables' lines; the notes come last, behind an empty line."""
    lines = [line.split() for line in text.rpartition("\n\n")[0].splitlines()]
    return [line for line in lines if line and (line[0] in ("(1)", "(2)", "(3)", "Total"))]


def notes_of(text: str) -> list[str]:
    return text.rpartition("\n\n")[2].splitlines()


def plans_of(text: str) -> list[dict[str, Any]]:
    plans: list[dict[str, Any]] = json.loads(text)["plans"]
    return plans


def test_the_table_and_json_give_the_same_figures(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    arguments = ["plan", "sums.jsonl", "everyday", "--model", HAIKU, "--way", "prefill"]
    table, facts = call(capsys, *arguments), call(capsys, *arguments, "--json")
    assert (table.code, facts.code) == (0, 0)
    assert not [record for record in server.requests if record.is_message]
    assert {record.path for record in server.requests} == {"/v1/messages/count_tokens"}
    plans = plans_of(facts.out)
    total = json.loads(facts.out)["total"]
    rows = rows_of(table.out)
    for number, plan in enumerate(plans):
        counts = (plan[name] for name in ("answered", "requests", "input_tokens", "output_tokens"))
        assert rows[number][1:] == [
            *(plan["benchmark"], HAIKU, "prefill"),
            *(f"{count:,}" for count in counts),
        ]
        price = f"${plan['price']:.4f}"
        batch = f"${plan['prices']['batch']:.4f}"
        assert rows[3 + number][1:] == [
            *(price, "-", batch, "-", price),
            *(f"{plan['seconds']:.0f}", "s"),
        ]
    assert total["requests"] == SUMS + 300
    assert total["price"] == pytest.approx(sum(plan["price"] for plan in plans))
    assert rows[-1][1:] == [f"${total['price']:.4f}", f"{total['seconds']:.0f}", "s"]
    [counted] = [line for line in table.out.splitlines() if "counted by the endpoint" in line][:1]
    assert counted == "(1) input tokens: counted by the endpoint on 30 requests"
    assert "output tokens: a typical figure" in table.out
    assert "(the Start tier, assumed)" in table.out


def test_it_takes_the_arguments_of_run_and_the_run_costs_what_it_says(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    """The last plan knows from the first run how long replies are."""
    arguments = ["sums.jsonl", "--model", HAIKU, "--model", OPUS, "--way", "instructed"]
    options = ["--temperature", "0.5", "--seed", "4", "--results", "runs", "--json", "--quiet"]
    assert call(capsys, "run", *arguments, *options, "--limit", "5").code == 0
    plans = plans_of(call(capsys, "plan", *arguments, *options, "--limit", "25").out)
    runs = json.loads(call(capsys, "run", *arguments, *options, "--limit", "25").out)["runs"]
    for plan, run in zip(plans, runs, strict=True):
        assert (plan["model"], plan["way"]) == (run["model"], run["way"])
        assert plan["requests"] == run["n"] == 25
        assert plan["price"] == pytest.approx(run["cost"], rel=0.1)
    again = plans_of(call(capsys, "plan", *arguments, *options, "--limit", "25").out)
    assert [(plan["answered"], plan["requests"]) for plan in again] == [(25, 0)] * 2
    shown = call(capsys, "plan", *arguments, *options[:-2], "--limit", "25")
    assert notes_of(shown.out) == ["(1, 2) nothing is left to ask"]


def test_a_margin_shows_the_questions_that_it_takes(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = call(capsys, "plan", "sums.jsonl", "--model", OPUS, "--margin", "6")
    first, second, third = rows_of(done.out)[-3:]
    assert (first[1], first[3:6]) == ("263", ["5.0", "%", "-"])
    assert second[1:4] == ["10.0", "%", "211"]
    assert third[1:4] == ["20.0", "%", "429"]
    assert [row[-4] for row in (first, second, third)] == ["25", "27", "28"]
    assert "within 6 points at 95 %" in done.out.replace("\n", " ")
    assert "-: so few flips can't make such a difference" in done.out
    assert "flips: a range, as no two earlier runs tell of these questions" in done.out
    assert "more than these 30 questions: priced as if all were as long" in done.out


def test_flips_and_clusters_of_earlier_runs_are_named() -> None:
    precedent = Precedent(first="a--1", second="b--2", questions=80, flips=0.15, design_effect=1.84)
    needs = (
        PlanNeed(flips=None, questions=2398, price=1.0),
        PlanNeed(
            flips=0.15,
            questions=5400,
            price=2.0,
            gates=(
                GateNeed(drop=0.0, questions=900, price=0.5),
                GateNeed(drop=0.05, questions=500, price=0.25),
            ),
        ),
    )
    text = render_plans([make_plan(margin=0.02, needs=needs, precedent=precedent, power=0.9)])
    row = "(1) 2,398 $1.00 15.0 % 5,400 $2.00 900 $0.5000 500 $0.2500"
    assert row in " ".join(text.split())
    assert "comparison (90 % power)" in text.replace("\n", " ")
    notes = notes_of(text)
    assert "(1) flips: as between a--1 and b--2 on 80 questions" in notes
    assert (
        "(1) comparison: 1.8 times as many questions for their clusters, as between these runs"
    ) in notes
    assert max(len(line) for line in text.splitlines() if "$" in line) <= 80
    alone = replace(precedent, design_effect=None)
    plain = notes_of(render_plans([make_plan(margin=0.02, needs=needs, precedent=alone)]))
    assert "(1) flips: as between a--1 and b--2 on 80 questions" in plain
    assert not any("clusters" in note for note in plain)
    stated = notes_of(render_plans([make_plan(margin=0.02, needs=needs)]))
    assert not any("flips" in note for note in stated)


def test_without_a_key_it_estimates(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "plan", "sums.jsonl", "--model", HAIKU)
    assert done.code == 0
    assert "input tokens: an estimate from the length of texts (there is no key)" in done.out
    assert rows_of(done.out)[0][3] == "prefill"


def test_offline_asks_nobody(capsys: pytest.CaptureFixture[str], server: MessagesServer) -> None:
    done = call(capsys, "plan", "sums.jsonl", "--model", OPUS, "--offline")
    assert done.code == 0
    assert server.requests == []
    assert "(nobody was to be asked)" in done.out


def test_where_only_a_request_would_tell_the_way_both_are_shown(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = call(capsys, "plan", "sums.jsonl", "--model", HAIKU)
    assert [row[3] for row in rows_of(done.out)[:2]] == ["prefill", "instructed"]
    assert f"(2) holds in place of (1) if {HAIKU} takes no prefill" in done.out
    assert "Total" not in done.out


def test_an_unknown_price_is_a_dash_and_says_how_to_give_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    arguments = ["plan", "sums.jsonl", "--model", "llama-9", "--way", "prefill", "--offline"]
    arguments += ["--base-url", "http://127.0.0.1:9"]
    done = call(capsys, *arguments)
    assert rows_of(done.out)[1][1:6] == ["-"] * 5
    assert "no price is known for llama-9: give it one in a file that EVALKIT_MODELS" in done.out
    (folder / "models.toml").write_text(
        '[[model]]\nid = "llama-9"\nprice = { input = 1.0, output = 5.0 }\n', encoding="utf-8"
    )
    monkeypatch.setenv("EVALKIT_MODELS", "models.toml")
    assert rows_of(call(capsys, *arguments).out)[1][1].startswith("$")


def test_an_embedded_model_costs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "plan", "sums.jsonl", "--model", "local/smollm2-135m")
    assert rows_of(done.out)[1] == ["(1)", "$0.00", "-", "-", "-", "$0.00", "30", "s"]
    assert "(embedded models are not started)" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sums.jsonl"], "required: --model"),
        (["sums.jsonl", "--model", HAIKU, "--margin", "0"], "expected percentage points"),
        (["sums.jsonl", "--model", HAIKU, "--margin", "50"], "expected percentage points"),
        (["sums.jsonl", "--model", HAIKU, "--margin", "x"], "expected percentage points"),
        (["sums.jsonl", "--model", HAIKU, "--power", "2"], "expected a fraction, more than 0"),
        (["sums.jsonl", "--model", HAIKU, "--power", "1"], "power 1: expected a fraction"),
        (["sums.jsonl", "--model", HAIKU, "--flips", "0"], "expected a fraction, more than 0"),
        (["sums.jsonl", "--model", HAIKU, "--count", "0"], "count 0: expected at least 1"),
        (["sums.jsonl", "--model", HAIKU, "--count", "x"], "invalid int value"),
        (["sums.jsonl", "--model", HAIKU, "--limit", "0"], "limit 0: expected at least 1"),
        (["sums.jsonl", "--model", HAIKU, "--results", "sums.jsonl"], "expected a folder"),
        (["sums.jsonl", "--model", "local/gpt"], "no embedded model is called 'local/gpt'"),
        (["nothing.csv", "--model", HAIKU], "nothing.csv"),
    ],
)
def test_arguments_that_make_no_sense_are_a_usage_error(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    done = call(capsys, "plan", *arguments)
    assert done.code == 2
    assert message in done.error


def test_a_way_that_the_model_refuses_is_an_error_before_anything_is_paid(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = call(capsys, "plan", "sums.jsonl", "--model", OPUS, "--way", "prefill")
    assert done.code == 2
    assert f"{OPUS} takes no prefill; use --way auto" in done.error


def test_odd_sets_are_noted_and_quiet_is_quiet(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    text = (folder / "sums.jsonl").read_text(encoding="utf-8")
    first = json.loads(text.splitlines()[0]) | {"id": "again"}
    (folder / "sums.jsonl").write_text(f"{text}{json.dumps(first)}\n", encoding="utf-8")
    arguments = ["plan", "sums.jsonl", "--model", HAIKU]
    assert "1 questions repeat an earlier one" in call(capsys, *arguments).err
    assert call(capsys, *arguments, "--quiet").err == ""


# Tables

BASIS = PlanBasis(
    counted=40,
    input_error=0.0123,
    not_counted=None,
    experience=Experience(
        runs=2, replies=50, output_tokens=9.0, retakes=0.125, timed=50, seconds=1.5
    ),
    seconds=1.5,
    limits=RateLimits(input_tokens=5000),
    limits_assumed=False,
)


def make_plan(**values: Any) -> Plan:
    """The plan of a run with a cache, a part of which is done."""
    given: dict[str, Any] = {
        "benchmark": "facts\x1b[2J",
        "model": "m",
        "endpoint": "127.0.0.1",
        "way": "tool",
        "shots": 5,
        "questions": 1000,
        "samples": 2,
        "concurrency": 8,
        "in_batch": False,
        "answered": 400,
        "under_way": 0,
        "requests": 1600,
        "retakes": 200,
        "input_tokens": 1_234_567,
        "written_tokens": 3000,
        "read_tokens": 1_000_000,
        "prefixes": 3,
        "output_tokens": 16200,
        "prices": PlanPrices(plain=12.0, cached=3.0, batch=6.0, batch_cached=1.5),
        "price": 3.0,
        "seconds": 400.0,
        "basis": BASIS,
    }
    return Plan(**given | values)


def test_all_that_a_plan_knows_is_said() -> None:
    text = render_plans([make_plan()])
    assert "\x1b" not in text
    assert "tool, 5-shot, 2 samples" in text
    assert rows_of(text)[1][1:] == ["$12.00", "$3.00", "$6.00", "$1.50", "$3.00", "7", "min"]
    assert notes_of(text) == [
        "(1) input tokens: counted by the endpoint on 40 requests (± 1.2 %)",
        "(1) output tokens: as in 50 replies of 2 earlier runs",
        "(1) 200 replies cut off and asked again, 12.5 % as before",
        "(1) 3 shared beginnings are long enough for the cache: 3,000 tokens written, 1,000,000 "
        "read",
        "(1) time: up to 8 at once, 1.5 s each (as in 2 earlier runs)",
        "(1) time: at most 5,000 input tokens a minute (the account)",
    ]


def test_batches_are_said_to_be_uncertain() -> None:
    text = render_plans([make_plan(in_batch=True, under_way=1200, seconds=3600.0)])
    assert "1,200 requests are in batches that are still to be collected" in text
    assert "whether the requests of a batch find them in the cache is not certain" in text
    assert "most batches end within an hour" in text
    assert "at once" not in text


def test_the_total_counts_the_larger_of_two_plans_that_exclude_each_other() -> None:
    other = make_plan(way="instructed", price=8.0, seconds=9000.0)
    text = render_plans([make_plan(otherwise=other), make_plan(price=1.0, seconds=1800.0)])
    assert rows_of(text)[-1] == ["Total", "$9.00", "3.0", "h"]
    assert "(1, 2) (2) holds" not in text
    unknown = render_plans([make_plan(), make_plan(prices=None, price=None)])
    assert rows_of(unknown)[-1][:2] == ["Total", "-"]
