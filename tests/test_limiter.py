"""Attempts start in turn, as fast as the endpoint takes them, and not at all while it says no."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from evalkit.api.breaker import Breaker, Patience
from evalkit.api.limits import Allowance
from evalkit.api.retries import RetryPolicy
from evalkit.errors import ApiError, OverloadedError, RateLimitError, ServerError
from evalkit.runs.concurrency import ConcurrencyLimit
from evalkit.runs.journal import JournalRow
from evalkit.runs.limiter import NEEDED, WEIGHED, Limiter, Ticket
from tests.simulated_endpoint import ANSWER, SimulatedEndpoint, requests_for, run_at, simulate
from tests.simulated_time import now, run_simulated

SEEDS = pytest.mark.parametrize("seed", [0, 1])


def limited(
    use: Callable[[Limiter], Coroutine[Any, Any, None]],
    most: int = 4,
    *,
    patience: Patience | None = None,
    is_warm: bool = True,
) -> list[str]:
    """What a limiter says while it is used in simulated time; warm: after a first answer."""
    lines: list[str] = []

    async def main() -> None:
        limiter = Limiter(
            ConcurrencyLimit(most, is_fixed=True),
            breaker=Breaker(patience),
            say=lines.append,
            clock=asyncio.get_running_loop().time,
        )
        if is_warm:
            limiter.leave(await limiter.enter(), ANSWER)
        await use(limiter)

    run_simulated(main())
    return lines


def too_many(seconds: float | None = None) -> RateLimitError:
    """A 429."""
    return RateLimitError("slow down", status=429, retry_after_seconds=seconds)


async def exchange(limiter: Limiter, *results: ApiError | None) -> None:
    """Attempts one after the other, each with an error or an answer."""
    for error in results:
        limiter.leave(await limiter.enter(), error or ANSWER)


async def seconds_to_enter(limiter: Limiter) -> float:
    """How long the next attempt has to wait."""
    before = now()
    limiter.leave(await limiter.enter(), None)
    return now() - before


# In turn


def test_attempts_enter_in_the_order_in_which_they_ask() -> None:
    entered: list[int] = []

    async def attempt(limiter: Limiter, number: int) -> None:
        ticket = await limiter.enter()
        entered.append(number)
        await asyncio.sleep(random.Random(number).random())
        limiter.leave(ticket, ANSWER)

    async def use(limiter: Limiter) -> None:
        await asyncio.gather(*(attempt(limiter, number) for number in range(40)))
        assert limiter.in_flight == 0

    limited(use)
    assert entered == list(range(40))


def test_no_more_are_under_way_than_may_be() -> None:
    async def use(limiter: Limiter) -> None:
        tickets = [await limiter.enter() for _ in range(4)]
        assert limiter.in_flight == 4
        waiting = asyncio.ensure_future(limiter.enter())
        await asyncio.sleep(100)
        assert not waiting.done()
        limiter.leave(tickets[0], ANSWER)
        await asyncio.wait_for(waiting, 0.001)
        assert limiter.in_flight == 4

    limited(use)


def test_two_runs_that_ask_the_same_model_get_equal_shares() -> None:
    endpoint = SimulatedEndpoint()

    async def main() -> tuple[list[JournalRow], list[JournalRow]]:
        clock = asyncio.get_running_loop().time
        limiter = Limiter(ConcurrencyLimit(16, is_fixed=True), clock=clock)
        runs: tuple[list[JournalRow], list[JournalRow]] = ([], [])
        policy = RetryPolicy(rng=random.Random(0))
        await asyncio.gather(
            run_at(endpoint.send, limiter, requests_for(1000, "a"), runs[0], policy),
            run_at(endpoint.send, limiter, requests_for(1000, "b"), runs[1], policy),
        )
        return runs

    first, second = run_simulated(main())
    assert (len(first), len(second), endpoint.peak) == (1000, 1000, 16)
    names = [question[0] for _, question, _ in endpoint.sent[100:1800]]
    for start in range(0, 1700, 100):
        assert 40 <= names[start : start + 100].count("a") <= 60


def test_what_is_cancelled_while_it_waits_leaves_the_counts_right() -> None:
    async def use(limiter: Limiter) -> None:
        tickets = [await limiter.enter() for _ in range(4)]
        waiting = [asyncio.ensure_future(limiter.enter()) for _ in range(5)]
        await asyncio.sleep(1)
        for task in waiting[:4]:
            task.cancel()
        await asyncio.sleep(1)
        assert limiter.in_flight == 4
        limiter.leave(tickets.pop(), None)
        limiter.leave(await waiting[4], ANSWER)
        for ticket in tickets:
            limiter.leave(ticket, None)
        assert limiter.in_flight == 0
        assert await seconds_to_enter(limiter) == pytest.approx(0, abs=1e-3)

    limited(use)


# Held


def test_a_refusal_before_any_answer_holds_all() -> None:
    async def use(limiter: Limiter) -> None:
        await exchange(limiter, too_many(7))
        assert await seconds_to_enter(limiter) == pytest.approx(7, abs=0.01)

    assert limited(use, is_warm=False) == ["all requests wait 7 s: slow down"]


def test_a_refusal_that_says_that_nothing_is_left_holds_all() -> None:
    async def use(limiter: Limiter) -> None:
        await exchange(limiter, *[None] * 40)
        ticket = await limiter.enter()
        limiter.heed(ticket, Allowance(limits={}, remaining={"requests": 0}))
        limiter.leave(ticket, too_many(3))
        assert await seconds_to_enter(limiter) == pytest.approx(3, abs=0.01)

    limited(use)


def test_many_refusals_hold_all_and_few_do_not() -> None:
    async def use(limiter: Limiter) -> None:
        await exchange(limiter, *[None] * 40)
        for _ in range(10):
            await exchange(limiter, too_many(60), too_many(60), *[None] * 5)
        assert await seconds_to_enter(limiter) == pytest.approx(0, abs=0.01)
        await exchange(limiter, *[too_many(60)] * (WEIGHED // 2 - 2))
        assert limiter.held_until > now() + 59
        assert await seconds_to_enter(limiter) == pytest.approx(60, abs=0.01)

    assert set(limited(use, 64)) == {"all requests wait 60 s: slow down"}


def test_refusals_that_come_back_sooner_than_answers_are_not_taken_for_more_than_they_are() -> None:
    async def use(limiter: Limiter) -> None:
        await exchange(limiter, *[None] * 40)
        tickets = [await limiter.enter() for _ in range(200)]
        for ticket in tickets[::5]:
            limiter.leave(ticket, too_many(60))
        assert limiter.held_until == 0
        for number, ticket in enumerate(tickets):
            if number % 5:
                limiter.leave(ticket, ANSWER)

    limited(use, 200)


def test_a_longer_wait_lengthens_the_hold_and_a_shorter_one_does_not() -> None:
    async def use(limiter: Limiter) -> None:
        tickets = [await limiter.enter() for _ in range(4)]
        for ticket, seconds in zip(tickets, (5, 5, 5, 9), strict=True):
            limiter.heed(ticket, Allowance(limits={}, remaining={"requests": 0}))
            limiter.leave(ticket, too_many(seconds))
        limiter.heed(ticket := tickets[0], Allowance(limits={}, remaining={"requests": 0}))
        limiter.in_flight += 1
        limiter.leave(ticket, too_many(1))
        assert await seconds_to_enter(limiter) == pytest.approx(9, abs=0.01)

    limited(use)


@SEEDS
def test_no_request_is_sent_again_before_its_own_time(seed: int) -> None:
    endpoint = SimulatedEndpoint(shares={"429": 0.1}, retry_after=2.5, seed=seed)
    assert simulate(endpoint, 1000).is_complete
    refused: dict[str, float] = {}
    again = 0
    for at, question, kind in endpoint.sent:
        if question in refused:
            again += 1
            assert at >= refused[question] + 2.5
        if kind == "429":
            refused[question] = at
    assert again > 50


def test_nothing_starts_while_all_are_held() -> None:
    endpoint = SimulatedEndpoint(rate=2, burst=1, retry_after=4.0)
    ran = simulate(endpoint, 60, most=16)
    assert ran.is_complete
    first = next(at for at, _, kind in endpoint.sent if kind == "429")
    held = [at for at, _, _ in endpoint.sent if first + 1 < at < first + 3.9]
    assert held == []


def test_what_waits_for_another_try_holds_no_slot() -> None:
    endpoint = SimulatedEndpoint(shares={"429": 0.1}, retry_after=20.0, jitter_seconds=0.0)
    ran = simulate(endpoint, 400, most=4, is_fixed=True)
    assert ran.is_complete
    first_tries = {question: at for at, question, _ in reversed(endpoint.sent)}
    # One after the other four by four; the refused ones wait twenty seconds beside them.
    assert max(first_tries.values()) < 7
    assert ran.seconds > 20


# Too many, too fast


@SEEDS
@pytest.mark.parametrize("most", [4, 16, 50])
def test_an_endpoint_that_takes_so_many_at_once_is_asked_for_about_as_many(
    most: int, seed: int
) -> None:
    endpoint = SimulatedEndpoint(most_at_once=most, seed=seed)
    ran = simulate(endpoint, 150 * most)
    counts = endpoint.count()
    assert ran.is_complete
    assert counts["529"] <= 0.15 * counts.total()
    # It takes 52.5 ms on average to an answer.
    assert ran.seconds <= 150 * 0.0535 * 1.2 + 3


@SEEDS
def test_one_slot_is_shared_by_one_or_two(seed: int) -> None:
    endpoint = SimulatedEndpoint(most_at_once=1, seed=seed)
    ran = simulate(endpoint, 600)
    assert ran.is_complete
    assert ran.limiter.concurrency.limit <= 2
    assert ran.seconds <= 600 * 0.0535 * 1.3 + 5


@SEEDS
@pytest.mark.parametrize("kind", ["429", "529", "500"])
@pytest.mark.parametrize("share", [0.07, 0.2])
def test_failures_at_random_keep_nobody_from_going(share: float, kind: str, seed: int) -> None:
    endpoint = SimulatedEndpoint(shares={kind: share}, seed=seed)  # type: ignore[dict-item]
    ran = simulate(endpoint, 4000)
    assert ran.is_complete
    assert ran.lines == []
    last_first = max({question: at for at, question, _ in reversed(endpoint.sent)}.values())
    # 1.3 s without a failure.
    assert last_first <= (3 if share < 0.1 else 12)


@SEEDS
def test_all_kinds_of_failures_at_once(seed: int) -> None:
    shares = {"429": 0.07, "529": 0.07, "500": 0.06}
    endpoint = SimulatedEndpoint(shares=shares, seed=seed)  # type: ignore[arg-type]
    ran = simulate(endpoint, 5000)
    assert ran.is_complete
    assert endpoint.count()["ok"] == 5000
    assert ran.lines == []
    assert ran.seconds <= 40


# Given up


def test_an_endpoint_that_answers_nobody_is_given_up_with_its_own_words() -> None:
    async def use(limiter: Limiter) -> None:
        with pytest.raises(ServerError) as caught:
            await exchange(limiter, *[ServerError("no disk left", status=500)] * 1000)
        assert str(caught.value) == (
            f"no answer for 55 s, in {limiter.breaker.failures} attempts, the last with this: "
            "no disk left"
        )
        assert 8 < limiter.breaker.failures < 30
        with pytest.raises(ServerError):
            await limiter.enter()
        assert limiter.in_flight == 0

    patience = Patience(first_pause=1, longest_pause=10, later=50)
    lines = limited(use, patience=patience)
    assert lines[0] == "8 attempts in a row failed (no disk left); next in 1 s"
    assert [line.rpartition("next in ")[2] for line in lines[:5]] == [
        *("1 s", "2 s", "4 s", "8 s", "10 s")
    ]


def test_one_at_a_time_goes_until_there_is_an_answer_again() -> None:
    async def use(limiter: Limiter) -> None:
        await exchange(limiter, *[OverloadedError("busy", status=529)] * 8)
        ticket = await limiter.enter()
        others = [asyncio.ensure_future(limiter.enter()) for _ in range(3)]
        await asyncio.sleep(30)
        assert not any(task.done() for task in others)
        limiter.leave(ticket, ANSWER)
        tickets: list[Ticket] = await asyncio.wait_for(asyncio.gather(*others), 0.1)
        assert len(tickets) == 3

    assert len(limited(use)) == 1


def test_one_that_hangs_from_before_keeps_nobody_from_trying_again() -> None:
    async def use(limiter: Limiter) -> None:
        hanging = await limiter.enter()
        await exchange(limiter, *[OverloadedError("busy", status=529)] * 8)
        assert limiter.breaker.is_open
        assert await seconds_to_enter(limiter) <= 1.01
        await exchange(limiter, OverloadedError("busy", status=529))
        # Its own failure, at last, tells nothing of how things are now.
        limiter.leave(hanging, ServerError("timed out", status=500))
        assert await seconds_to_enter(limiter) <= 2.01

    limited(use)


@pytest.mark.parametrize("most", [16, 64])
def test_as_many_failures_as_may_be_under_way_are_no_row(most: int) -> None:
    async def use(limiter: Limiter) -> None:
        tickets = [await limiter.enter() for _ in range(most)]
        for ticket in tickets[: most - 1]:
            limiter.leave(ticket, ServerError("broken", status=500))
        assert not limiter.breaker.is_open
        limiter.leave(tickets[-1], ANSWER)

    assert NEEDED > 8
    assert limited(use, most) == []


def test_errors_of_a_question_alone_are_no_failures_of_the_endpoint() -> None:
    async def use(limiter: Limiter) -> None:
        await exchange(limiter, *[ApiError("too long", status=400)] * 500)
        assert not limiter.breaker.is_open

    assert limited(use) == []
