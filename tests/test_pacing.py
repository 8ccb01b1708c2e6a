"""Limits are kept: those that the user sets, those that are told, those that have to be found."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.api.limits import Allowance
from evalkit.runs.pacing import MARGIN, Bucket, Cost, LearnedRate, Pace
from tests.simulated_endpoint import SimulatedEndpoint, simulate

SEEDS = pytest.mark.parametrize("seed", [0, 1])


# Buckets


@given(
    st.floats(0.01, 1000),
    st.floats(1, 1000),
    st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 50)), max_size=50),
)
def test_no_more_leaves_a_bucket_than_flows_into_it(
    rate: float, depth: float, takes: list[tuple[float, float]]
) -> None:
    bucket, now, taken = Bucket(rate, depth, 0.0), 0.0, 0.0
    for later, amount in takes:
        now += later
        now += bucket.wait(amount, now)
        assert bucket.wait(amount, now) <= 1e-6
        # What is more than it holds leaves a debt, which is paid before the next one.
        assert taken + min(amount, depth) <= depth + rate * now + 1e-6 * (1 + rate * now)
        bucket.take(amount, now)
        taken += amount


def test_a_clock_that_goes_back_fills_nothing() -> None:
    bucket = Bucket(1.0, 5.0, 100.0)
    bucket.take(5.0, 100.0)
    assert bucket.wait(1.0, 50.0) == pytest.approx(1.0, abs=1e-6)
    assert bucket.wait(1.0, 50.5) == pytest.approx(0.5, abs=1e-6)


# Limits that the user sets


def count_in(pace: Pace, seconds: float, cost: Cost | None = None) -> int:
    """Requests that go in so many seconds, each as soon as it may."""
    now, count = 0.0, 0
    while (now := now + pace.wait(now)) < seconds:
        taken = pace.take(now)
        if cost is not None:
            true = Cost(input_tokens=cost.input_tokens, output_tokens=cost.output_tokens)
            typical = Cost() if count == 0 else pace.typical
            pace.correct(typical if taken else cost, true, now)
        count += 1
    return count


@pytest.mark.parametrize(("per_minute", "seconds"), [(600, 60), (6, 600), (60_000, 2)])
def test_a_limit_on_requests_is_made_use_of_and_kept(per_minute: float, seconds: float) -> None:
    count = count_in(Pace({"requests": per_minute}, now=0.0), seconds)
    allowed = per_minute * seconds / 60
    assert 0.97 * allowed - 1 <= count <= allowed + 1


@pytest.mark.parametrize("kind", ["input_tokens", "tokens"])
def test_a_limit_on_tokens_is_kept_once_it_is_known_what_a_request_costs(kind: str) -> None:
    cost = Cost(input_tokens=500, output_tokens=100)
    count = count_in(Pace({kind: 60_000}, now=0.0), 120, cost)
    each = 600 if kind == "tokens" else 500
    assert 0.93 * 120_000 / each <= count <= 120_000 / each + 3


def test_the_strictest_of_several_limits_counts() -> None:
    assert count_in(Pace({"requests": 600, "input_tokens": 10**9}, now=0.0), 60) <= 601
    pace = Pace({"requests": 60_000, "output_tokens": 6_000}, now=0.0)
    assert count_in(pace, 60, Cost(output_tokens=100)) <= 63


@pytest.mark.parametrize("processes", [1, 2, 7])
def test_the_shares_of_several_processes_add_up(processes: int) -> None:
    counts = [
        count_in(Pace({"requests": 600}, now=0.0, share=1 / processes), 120)
        for _ in range(processes)
    ]
    assert 0.97 * 1200 - processes <= sum(counts) <= 1200 + processes


def test_without_a_limit_nothing_waits() -> None:
    pace = Pace(now=0.0)
    for _ in range(10_000):
        assert pace.wait(0.0) == 0.0
        pace.take(0.0)


# What the endpoint tells


def told(remaining: int, limit: int = 600) -> Allowance:
    """What a reply says of requests."""
    return Allowance(limits={"requests": limit}, remaining={"requests": remaining})


def test_what_was_sent_since_a_reply_was_written_comes_off() -> None:
    pace = Pace(now=0.0)
    first = pace.take(0.0)
    for _ in range(50):
        pace.take(0.0)
    # Ten were left when the first one came; fifty have gone since.
    pace.heed(told(10), first, 0.0, 1, 0.1)
    rate = MARGIN * 600 / 60
    assert pace.wait(0.1) == pytest.approx((50 - 10 + 1) / rate - 0.1, abs=0.01)


def test_an_older_word_does_not_count_after_a_newer_one() -> None:
    pace = Pace(now=0.0)
    older, newer = pace.take(0.0), pace.take(0.0)
    pace.heed(told(0), newer, 0.0, 2, 0.1)
    wait = pace.wait(0.1)
    assert wait > 0
    pace.heed(told(599), older, 0.0, 1, 0.1)
    assert pace.wait(0.1) == wait
    pace.heed(told(599), newer, 0.0, 3, 0.1)
    assert pace.wait(0.1) == 0


def test_each_of_several_processes_takes_its_share_of_what_is_left() -> None:
    pace = Pace(now=0.0, share=0.25)
    pace.heed(told(40), pace.take(0.0), 0.0, 1, 0.0)
    gone = 0
    while pace.wait(0.0) == 0:
        pace.take(0.0)
        gone += 1
    assert gone == 10


@pytest.mark.parametrize(
    "allowance",
    [
        Allowance(limits={}, remaining={"requests": 0}),
        Allowance(limits={"requests": 0}, remaining={"requests": 0}),
        Allowance(limits={"requests": 600}, remaining={}),
    ],
)
def test_half_a_word_is_none(allowance: Allowance) -> None:
    pace = Pace(now=0.0)
    pace.heed(allowance, pace.take(0.0), 0.0, 1, 0.0)
    assert pace.wait(0.0) == 0.0


@SEEDS
def test_a_bucket_that_tells_what_is_left_is_hardly_ever_overrun(seed: int) -> None:
    endpoint = SimulatedEndpoint(
        rate=10,
        burst=600,
        seed=seed,
        allowance=lambda left: Allowance(limits={"requests": 600}, remaining={"requests": left}),
    )
    ran = simulate(endpoint, 1500)
    assert ran.is_complete
    assert endpoint.count(after=10)["429"] <= 0.01 * endpoint.count(after=10).total()
    assert ran.seconds <= 1.05 * (1500 - 600) / 10


def test_headers_that_always_tell_of_plenty_slow_nobody_down() -> None:
    def plenty(left: int) -> Allowance:
        return Allowance(limits={"requests": 4000}, remaining={"requests": 3999})

    told, silent = SimulatedEndpoint(allowance=plenty), SimulatedEndpoint()
    assert simulate(told, 5000).seconds <= 1.1 * simulate(silent, 5000).seconds


# What has to be found


@SEEDS
@pytest.mark.parametrize("is_fixed", [False, True])
@pytest.mark.parametrize(
    ("rate", "burst", "transit_seconds"),
    # Where no two may come at once, jitter alone decides what share can be made use of.
    [(10, 1, 0.002), (10, 10, 0.005), (10, 600, 0.002), (60, 10, 0.002), (60, 600, 0.002)],
)
def test_a_rate_that_nobody_tells_is_found_and_kept(
    rate: float, burst: int, transit_seconds: float, is_fixed: bool, seed: int
) -> None:
    endpoint = SimulatedEndpoint(rate=rate, burst=burst, transit_seconds=transit_seconds, seed=seed)
    ran = simulate(endpoint, int(60 * rate + burst), most=64, is_fixed=is_fixed)
    late = endpoint.count(after=10)
    assert ran.is_complete
    # It takes some seconds more to find out that most of the first 600 were saved up.
    assert late["429"] <= (0.025 if burst > 10 else 0.02) * late.total()
    assert late["ok"] >= 0.95 * rate * (endpoint.sent[-1][0] - 10)


@SEEDS
@pytest.mark.parametrize("burst", [1, 10])
@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0])
def test_a_rate_is_made_use_of_though_answers_take_long(
    seconds: float, burst: int, seed: int
) -> None:
    """It takes as many under way as come in the time of an answer, refusals or not."""
    endpoint = SimulatedEndpoint(
        rate=10, burst=burst, seconds=seconds, jitter_seconds=seconds / 10, seed=seed
    )
    ran = simulate(endpoint, 700)
    late = endpoint.count(after=10 + 5 * seconds)
    assert ran.is_complete
    assert late["429"] <= 0.025 * late.total()
    assert late["ok"] >= 0.94 * 10 * (endpoint.sent[-1][0] - 10 - 5 * seconds)


@SEEDS
def test_it_is_found_again_when_it_changes(seed: int) -> None:
    rng, learned = random.Random(seed), LearnedRate(20.0, 0.0)
    now, left, at, rates = 0.0, 1.0, 0.0, {}
    while now < 400:
        now += learned.wait(now) + rng.uniform(0, 0.001)
        if learned.wait(now) > 0:
            continue
        learned.take(now)
        rate = 10 if now < 100 or now > 250 else 30
        left, at = min(5.0, left + (now - at) * rate), now
        if left >= 1:
            left -= 1
            learned.answer()
        elif not learned.refuse(now, now):
            learned = LearnedRate(learned.rate, now)
        rates[int(now)] = learned.rate
    assert rates[99] == pytest.approx(10, rel=0.1)
    assert rates[399] == pytest.approx(10, rel=0.15)


@SEEDS
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_refusals_at_random_do_not_slow_a_run_down_for_ever(share: float, seed: int) -> None:
    endpoint = SimulatedEndpoint(shares={"429": share}, retry_after=0.5, seed=seed)
    ran = simulate(endpoint, 5000)
    assert ran.is_complete
    # The rest is for those that are refused again and again.
    assert ran.seconds <= 15


def test_a_slow_endpoint_is_not_taken_for_one_that_allows_any_rate() -> None:
    endpoint = SimulatedEndpoint(rate=10, burst=10, seconds=3.0)
    ran = simulate(endpoint, 1000)
    assert ran.is_complete
    assert ran.limiter.pace.learned is None or ran.limiter.pace.learned.rate < 20
