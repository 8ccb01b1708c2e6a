"""A budget is never passed, whatever fails, and a run under it neither stalls nor dawdles."""

from __future__ import annotations

import asyncio
import random
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.api.endpoint import Endpoint
from evalkit.benchmarks import Benchmark
from evalkit.errors import UsageError
from evalkit.evaluation import run
from evalkit.models.catalogue import find_model
from evalkit.models.model import Model, Price
from evalkit.questions import Question, QuestionSet
from evalkit.responses import parse_response
from evalkit.results import Run
from evalkit.runs.budget import HIDDEN_TOKENS, Budget, worst_price
from evalkit.runs.costs import cost_of_usage
from evalkit.runs.journal import read_journal
from evalkit.settings import RunSettings
from evalkit.testing.messages_body import Body
from evalkit.testing.messages_faults import (
    Fault,
    at_random,
    bad_gateway,
    connection_reset,
    cut_in_half,
    empty_body,
    no_faults,
    overloaded,
    rate_limited,
    server_error,
    timed_out,
)
from evalkit.testing.messages_models import Json
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call, point_at
from tests.conftest import QUICK, SUMS, endpoint_of, sums_answers, write_sums
from tests.pictures import write_pictures

PLAIN, THINKS = "claude-sonnet-4-6", "claude-opus-5-5"
"""A model that answers at once, and one that always thinks: 4096 tokens of room for a letter."""

STUBBORN = replace(QUICK, attempts=6)


class Till(MessagesServer):
    """A server that adds up what it would charge, also for replies that never arrive."""

    charged = 0.0

    def _compose(self, body: Body, model: Any, *, number: int, arrived: float) -> Json:
        message = super()._compose(body, model, number=number, arrived=arrived)
        price = find_model(str(body["model"])).price
        assert price is not None
        self.charged += cost_of_usage(parse_response(message).usage, price)
        return message


def use_it_all(body: Body) -> Reply:
    """Think until there is no room left."""
    return Reply(letter="A", output_tokens=body["max_tokens"], stop_reason="end_turn")


def ask(
    server: MessagesServer,
    benchmark: Benchmark | Path,
    results: Path,
    model: str = PLAIN,
    **settings: Any,
) -> Run:
    """Run a benchmark, quickly."""
    return run(
        benchmark,
        model,
        settings=RunSettings(**{"way": "instructed", "retries": STUBBORN, **settings}),
        endpoint=endpoint_of(server),
        results=results,
        progress=False,
    )


def price_of_all(benchmark: Benchmark, results: Path, model: str = PLAIN, **settings: Any) -> float:
    """What a run costs without a budget."""
    with Till(answer=use_it_all) as server:
        done = ask(server, benchmark, results, model, **settings)
        assert done.is_complete
        assert done.cost is not None
        assert server.charged == pytest.approx(done.cost)
        return done.cost


# Never passed


@pytest.mark.parametrize("concurrency", [1, 8, 64])
@pytest.mark.parametrize("model", [PLAIN, THINKS])
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_a_budget_is_never_passed_though_every_reply_costs_the_most(
    share: float, model: str, concurrency: int, sums: Benchmark, tmp_path: Path
) -> None:
    whole = price_of_all(sums, tmp_path / "whole", model, samples=3)
    with Till(answer=use_it_all, latency_seconds=0.01) as server:
        done = ask(
            *(server, sums, tmp_path / "part", model),
            budget=share * whole,
            samples=3,
            concurrency=concurrency,
        )
        assert server.charged <= share * whole
        assert done.cost == pytest.approx(server.charged)
    assert not done.is_complete
    if model == THINKS:
        # Output decides, which is known beforehand: little of the budget stays unused.
        assert server.charged > share * whole - 2 * whole / 90


FAULTS: dict[Fault, float] = {
    rate_limited(0.001): 0.1,
    overloaded(): 0.1,
    server_error(): 0.1,
    timed_out(): 0.1,
    bad_gateway(): 0.05,
    connection_reset(): 0.05,
    cut_in_half(): 0.15,
    empty_body(): 0.05,
}


@pytest.mark.parametrize("concurrency", [1, 8, 64])
@pytest.mark.parametrize("seed", range(3))
def test_replies_that_get_lost_count_as_well(
    seed: int, concurrency: int, sums: Benchmark, tmp_path: Path
) -> None:
    """A reply that is cut in half is paid for, and paid for again when it is asked for again."""
    whole = price_of_all(sums, tmp_path / "whole", THINKS)
    plan = at_random(FAULTS, seed=seed, attempts=3)
    budget, resumed = 0.0, 0
    with Till(answer=use_it_all, faults=plan) as server:
        for step in (0.2, 0.3, 0.5, 1.0, 2.0, 6.0):
            budget = step * whole
            try:
                done = ask(
                    *(server, sums, tmp_path / "part", THINKS),
                    budget=budget,
                    concurrency=concurrency,
                )
            finally:
                assert server.charged <= budget
            resumed += not done.is_complete
        assert done.is_complete
        assert resumed >= 2
        assert server.charged > whole, "some replies were paid for twice"


def test_what_may_have_been_paid_for_is_remembered(sums: Benchmark, tmp_path: Path) -> None:
    def plan(record: RequestRecord) -> Fault | None:
        return cut_in_half() if record.is_message and record.body_number in (4, 5) else None

    whole = price_of_all(sums, tmp_path / "whole", THINKS)
    with Till(answer=use_it_all, faults=plan) as server:
        done = ask(server, sums, tmp_path / "part", THINKS, budget=3 * whole, concurrency=1)
        paid = server.charged
        assert done.summary.failed == 2
        journal = read_journal(done.path / "responses.jsonl")
        lost = [row.lost_dollars for row in journal.rows if row.lost_dollars]
        assert len(lost) == 2
        assert sum(lost) == pytest.approx(journal.lost_dollars)
        assert paid - (done.cost or 0) == pytest.approx(2 * 6 * whole / SUMS)
        assert journal.lost_dollars >= paid - (done.cost or 0)
        server.faults, asked = no_faults, len(server.requests)
        again = ask(server, sums, tmp_path / "part", THINKS, budget=1.2 * whole)
        assert (len(server.requests), again.summary.failed) == (asked, 2), "nothing of it is left"
        assert ask(server, sums, tmp_path / "part", THINKS, budget=3 * whole).is_complete
    assert read_journal(done.path / "responses.jsonl").lost_dollars == pytest.approx(sum(lost))


def test_a_server_that_counts_no_tokens_is_taken_at_the_worst(
    sums: Benchmark, tmp_path: Path
) -> None:
    class Silent(MessagesServer):
        def _compose(self, body: Body, model: Any, *, number: int, arrived: float) -> Json:
            message = super()._compose(body, model, number=number, arrived=arrived)
            return {name: value for name, value in message.items() if name != "usage"}

    with Silent(answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path, THINKS, budget=0.5)
        assert 0 < len(server.requests) < 7
    assert not done.is_complete


@pytest.mark.parametrize("concurrency", [1, 8, 64])
def test_retakes_are_within_the_budget(concurrency: int, sums: Benchmark, tmp_path: Path) -> None:
    def cut(body: Body) -> Reply:
        room = body["max_tokens"]
        if room <= 4096:
            return Reply(text="Let me think", output_tokens=room, stop_reason="max_tokens")
        return Reply(letter="A", output_tokens=room)

    with Till(answer=cut) as server:
        whole = ask(server, sums, tmp_path / "whole", THINKS, way="reasoned")
        assert (whole.retakes, whole.is_complete) == (SUMS, True)
    price = server.charged
    for share in (0.1, 0.5):
        with Till(answer=cut) as server:
            ask(
                *(server, sums, tmp_path / f"{share}", THINKS),
                way="reasoned",
                budget=share * price,
                concurrency=concurrency,
            )
            assert 0.5 * share * price < server.charged <= share * price


def long_prefixes(sums: Benchmark) -> Benchmark:
    """Questions with worked examples of a length that is cached; each subject has its own."""
    examples = tuple(
        Question(
            id=f"e{number}",
            stem=f"Example {number}: " + "how much is one and one and one? " * 150,
            choices=("1", "2", "3", "4"),
            right=(2,),
            group=("even", "odd")[number % 2],
        )
        for number in range(12)
    )
    questions = sums.question_set.questions
    return replace(sums, question_set=QuestionSet(questions=questions, examples=examples))


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("cache", [True, False])
def test_writing_to_the_cache_is_within_the_budget(
    cache: bool, concurrency: int, sums: Benchmark, tmp_path: Path
) -> None:
    benchmark = long_prefixes(sums)
    with Till(answer=use_it_all) as server:
        whole = ask(server, benchmark, tmp_path / "whole", shots=6, cache=cache)
    assert (whole.usage()["cache_creation_input_tokens"] > 0) is cache
    assert whole.cost == pytest.approx(server.charged)
    for share in (0.2, 0.8, 2.0):
        budget = share * server.charged
        with Till(answer=use_it_all) as other:
            ask(
                *(other, benchmark, tmp_path / f"{share}"),
                shots=6,
                cache=cache,
                budget=budget,
                concurrency=concurrency,
            )
            assert other.charged <= budget


@pytest.mark.parametrize("source", ["base64", "file"])
def test_pictures_are_within_the_budget(source: str, tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "set", 12, size=(1200, 1000))
    with Till(answer=use_it_all) as server:
        done = ask(server, path, tmp_path / "r", images=source, budget=0.04)
        assert 0 < server.charged <= 0.04
    assert not done.is_complete


# Resumed


def test_a_larger_budget_goes_on_and_asks_nothing_twice(sums: Benchmark, tmp_path: Path) -> None:
    whole = price_of_all(sums, tmp_path / "whole", THINKS, samples=2)
    with Till(answer=use_it_all) as server:
        for share in (0.2, 0.2, 0.5, 1.1):
            done = ask(server, sums, tmp_path / "part", THINKS, samples=2, budget=share * whole)
            assert server.charged <= share * whole
        assert done.is_complete
        ids = [row.request_id for row in done.rows]
        assert len(ids) == len(set(ids)) == len(server.requests) == 2 * SUMS
    assert done.cost == pytest.approx(whole)


def test_a_budget_is_no_setting_of_the_run(sums: Benchmark, tmp_path: Path) -> None:
    with Till(answer=use_it_all) as server:
        first = ask(server, sums, tmp_path, budget=100)
        assert ask(server, sums, tmp_path).path == first.path
        assert ask(server, sums, tmp_path, budget=1e-9).is_complete, "there is nothing to pay for"
        assert len(server.requests) == SUMS


# On the command line


def test_a_command_ends_with_code_4_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "sums.jsonl")
    with Till(answer=use_it_all) as server:
        point_at(server, monkeypatch)
        command = ["run", "sums.jsonl", "--model", THINKS, "--way", "instructed"]
        part = call(capsys, *command, "--budget", "$0.75")
        assert part.code == 4
        [line] = [line for line in part.err.splitlines() if "Budget of $0.7500 reached" in line]
        assert re.search(
            r"reached after \$0\.\d+: another request might pass it\. The same command with a "
            r"larger one goes on$",
            line,
        )
        assert "incomplete" in part.out
        asked = len(server.requests)
        assert 0 < asked < SUMS
        whole = call(capsys, *command, "--budget", "75")
        assert whole.code == 0
        assert "Budget" not in whole.err
        assert len(server.requests) == SUMS


@pytest.mark.parametrize("budget", ["0", "-1", "nan", "much"])
def test_a_budget_that_is_none_is_refused(
    budget: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = call(capsys, "run", "everyday", "--model", "m", f"--budget={budget}")
    assert done.code == 2
    assert "expected dollars, more than 0" in done.error


def test_without_a_price_there_is_no_budget_and_no_request(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer() as server:
        with pytest.raises(UsageError, match="no price is known for some-model, so no budget can"):
            ask(server, sums, tmp_path / "r", "some-model", budget=1.0)
        assert server.requests == []
    assert not (tmp_path / "r").exists()


def test_a_price_of_ones_own_is_enough(
    sums: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "models.toml"
    path.write_text('[[model]]\nid = "some-model"\nprice = { input = 1.0, output = 5.0 }\n')
    monkeypatch.setenv("EVALKIT_MODELS", str(path))
    with MessagesServer(bare=True, answer=sums_answers()) as server:
        assert ask(server, sums, tmp_path / "r", "some-model", budget=1.0).is_complete
        assert not ask(server, sums, tmp_path / "s", "some-model", budget=0.002).is_complete


def test_without_a_budget_nothing_is_held_back() -> None:
    budget = Budget(None, Model(id="m"), spent=0.0)
    assert budget.worst_case({"max_tokens": 9}) == budget.lose({"max_tokens": 9}) == 0.0
    assert budget.holds


# The worst case

BODY = st.builds(
    lambda text, room, shots: {
        "model": "m",
        "max_tokens": room,
        "messages": [{"role": "user", "content": text}] * shots,
    },
    st.text(max_size=300),
    st.integers(1, 5000),
    st.integers(1, 4),
)


@given(body=BODY, model=st.sampled_from(["claude-haiku-5-5", "claude-opus-5-5", PLAIN]))
def test_no_request_costs_more_than_its_worst_case(body: dict[str, Any], model: str) -> None:
    """At most one token a byte, all of them written to the cache, and all the room used."""
    facts = find_model(model)
    assert facts.price is not None
    letters = "".join(str(turn["content"]) for turn in body["messages"])
    tokens = len(letters.encode()) + HIDDEN_TOKENS
    usage = {"cache_creation_input_tokens": tokens, "output_tokens": body["max_tokens"]}
    response = parse_response({"content": [], "usage": usage})
    worst = Budget(1.0, facts, spent=0.0).worst_case(body)
    assert cost_of_usage(response.usage, facts.price) <= worst


def test_a_question_that_quotes_a_request_has_no_more_pictures() -> None:
    facts = find_model(PLAIN)
    quoted = {"max_tokens": 1, "messages": [{"role": "user", "content": '"type": "image"'}]}
    other = {"max_tokens": 1, "messages": [{"role": "user", "content": 'xtypex: ximagexyz"'}]}
    budget = Budget(1.0, facts, spent=0.0)
    assert budget.worst_case(quoted) < budget.worst_case(other) * 1.1


def test_the_dearer_price_counts_around_a_threshold() -> None:
    cheap_above = Price(
        input=2.0, output=10.0, above_prompt_tokens=100, above=Price(input=1.0, output=20.0)
    )
    assert worst_price(cheap_above, 1_000_000, 1_000_000) == 2.5 + 20.0
    assert worst_price(cheap_above, 50, 0) == 50 * 2.5 / 1_000_000
    dear_write = Price(input=1.0, output=1.0, cache_write=9.0)
    assert worst_price(dear_write, 1_000_000, 0) == 9.0


# Holding back

DOLLARS = st.floats(min_value=1e-6, max_value=0.5, allow_nan=False)


class Priced(Budget):
    """A budget whose requests say themselves what they cost at most."""

    def worst_case(self, body: Any) -> float:
        return float(body["most"])


async def may_go(budget: Budget, name: str, body: Any) -> bool:
    """Whether a request may go, after as many others as it has to wait for."""
    while (leave := budget.reserve(name, body)) == "wait":
        assert budget.reserved > 0, "somebody is under way"
        await asyncio.sleep(0)
    return leave == "go"


@given(
    dollars=st.floats(min_value=0.01, max_value=2.0),
    costs=st.lists(st.tuples(DOLLARS, st.floats(0, 1), st.booleans()), max_size=40),
    workers=st.sampled_from([1, 3, 8, 64]),
    seed=st.integers(0, 5),
)
def test_whatever_requests_cost_the_limit_holds_and_nobody_waits_for_ever(
    dollars: float, costs: list[tuple[float, float, bool]], workers: int, seed: int
) -> None:
    """Each request costs a share of its worst case; some have lost a reply before."""
    budget = Priced(dollars, Model(id="m"), spent=0.0)
    drawn = random.Random(seed)
    source = iter(enumerate(costs))
    refused: list[float] = []

    async def work() -> None:
        for number, (most, share, gets_lost) in source:
            name, body = str(number), {"most": most}
            if not await may_go(budget, name, body):
                refused.append(most)
                return
            for _ in range(drawn.randrange(3)):
                await asyncio.sleep(0)
            if gets_lost:
                budget.lose(body)
                await asyncio.sleep(0)
            if budget.holds:
                budget.spent += most * share
                assert budget.spent + budget.lost <= dollars * (1 + 1e-12)
            budget.release(name)

    async def all_of_them() -> None:
        async with asyncio.timeout(20):
            await asyncio.gather(*(work() for _ in range(workers)))

    asyncio.run(all_of_them())
    assert budget.reserved == 0.0
    assert budget.spent + budget.lost <= dollars * (1 + 1e-12)
    assert budget.is_spent is bool(refused)
    if sum(most for most, *_ in costs) <= dollars * 0.99 and not any(lost for *_, lost in costs):
        assert not refused


def test_rounding_keeps_nobody_waiting() -> None:
    """Of 0.1 + 0.2 - 0.1 - 0.2, something would be left."""

    async def run_them() -> list[bool]:
        budget = Priced(0.35, Model(id="m"), spent=0.0)

        async def hold(most: float, seconds: float) -> bool:
            fits = await may_go(budget, str(most), {"most": most})
            await asyncio.sleep(seconds)
            budget.release(str(most))
            return fits

        async with asyncio.timeout(5):
            return list(await asyncio.gather(hold(0.1, 0.01), hold(0.2, 0.02), hold(0.4, 0)))

    assert asyncio.run(run_them()) == [True, True, False]


@pytest.mark.parametrize("concurrency", [1, 8, 64])
def test_a_budget_that_is_just_large_enough_is_enough(
    concurrency: int, sums: Benchmark, tmp_path: Path
) -> None:
    """The last request's worst case fits beside what all others really cost."""
    whole = price_of_all(sums, tmp_path / "whole", THINKS)
    body = {"max_tokens": 4096, "messages": [{"role": "user", "content": "x" * 700}]}
    most = Budget(9.0, find_model(THINKS), spent=0.0).worst_case(body)
    with Till(answer=use_it_all, latency_seconds=0.02) as server:
        budget = whole * (SUMS - 1) / SUMS + most
        done = ask(
            *(server, sums, tmp_path / "part", THINKS), budget=budget, concurrency=concurrency
        )
    assert done.is_complete


def test_a_budget_that_is_large_does_not_slow_a_run_down(sums: Benchmark, tmp_path: Path) -> None:
    seconds = []
    for budget in (None, 100.0):
        with Till(answer=use_it_all, latency_seconds=0.2) as server:
            started = time.monotonic()
            ask(server, sums, tmp_path / f"{budget}", budget=budget, concurrency=32)
            seconds.append(time.monotonic() - started)
            assert server.peak_concurrency == SUMS - 1
    assert seconds[1] < seconds[0] + 1


def test_a_run_that_can_afford_four_at_a_time_asks_four_at_a_time(
    sums: Benchmark, tmp_path: Path
) -> None:
    body = {"max_tokens": 4096, "messages": [{"role": "user", "content": "x" * 700}]}
    most = Budget(9.0, find_model(THINKS), spent=0.0).worst_case(body)
    with Till(
        answer=lambda body: Reply(letter="A", output_tokens=1), latency_seconds=0.1
    ) as server:
        done = ask(server, sums, tmp_path, THINKS, budget=4.5 * most, concurrency=32)
        assert done.is_complete, "they cost next to nothing"
        assert server.peak_concurrency == 4


def test_an_endpoint_without_key_is_no_matter(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(bare=True, answer=sums_answers()) as server:
        done = run(
            sums,
            PLAIN,
            settings=RunSettings(way="instructed", budget=1.0),
            endpoint=Endpoint(base_url=server.base_url),
            results=tmp_path,
            progress=False,
        )
    assert done.is_complete
