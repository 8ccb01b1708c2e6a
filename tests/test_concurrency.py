"""The number of requests in flight grows as long as that makes answers come faster."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from evalkit.runs.concurrency import FIRST, MOST, ConcurrencyLimit, Outcome

Reply = tuple[Outcome, float]
"""What becomes of a request, and after how many seconds."""


@dataclass
class Simulation:
    """A run without end at an endpoint that is a function of the requests in flight."""

    limit: ConcurrencyLimit
    reply: Callable[[int, float], Reply]
    """Of the requests in flight with this one, and the time."""
    now: float = 0.0
    in_flight: int = 0
    limits: list[tuple[float, int]] = field(default_factory=list)
    replies: list[tuple[float, Outcome]] = field(default_factory=list)
    _under_way: list[tuple[float, int, Outcome, int, float]] = field(default_factory=list)
    _serial: int = 0

    def run(self, seconds: float) -> Simulation:
        """Go on for so long."""
        end = self.now + seconds
        while True:
            while self.in_flight < self.limit.limit:
                self._start()
            self.limit.note_full()
            if self._under_way[0][0] > end:
                self.now = end
                return self
            self._finish()

    def _start(self) -> None:
        self.in_flight += 1
        self._serial += 1
        outcome, seconds = self.reply(self.in_flight, self.now)
        entry = (self.now + seconds, self._serial, outcome, self.limit.epoch, self.now)
        heapq.heappush(self._under_way, entry)

    def _finish(self) -> None:
        self.now, _, outcome, epoch, started = heapq.heappop(self._under_way)
        self.in_flight -= 1
        self.replies.append((self.now, outcome))
        self.limit.note(epoch, outcome, self.now - started)
        self.limits.append((self.now, self.limit.limit))

    def limits_after(self, start: float) -> list[int]:
        """The limits from a time on."""
        return [limit for now, limit in self.limits if now >= start]

    def mean_after(self, start: float) -> float:
        """Their mean over the replies."""
        limits = self.limits_after(start)
        return sum(limits) / len(limits)

    def rate_after(self, start: float, outcome: Outcome = "answered") -> float:
        """Replies a second from a time on."""
        count = sum(seen == outcome for now, seen in self.replies if now >= start)
        return count / (self.now - start)


def steady(seconds: float = 0.05, jitter: float = 0.1, seed: int = 0) -> Callable[..., Reply]:
    """Answers that take equally long however many are asked for."""
    rng = random.Random(seed)
    return lambda in_flight, now: ("answered", seconds * rng.uniform(1, 1 + jitter))


def slots(count: int, seconds: float = 0.05, seed: int = 0) -> Callable[..., Reply]:
    """A server that works on so many at once; the others wait for their turn."""
    rng = random.Random(seed)
    free_at = [0.0] * count

    def reply(in_flight: int, now: float) -> Reply:
        start = max(now, heapq.heappop(free_at))
        end = start + seconds * rng.uniform(0.9, 1.1)
        heapq.heappush(free_at, end)
        return "answered", end - now

    return reply


def at_most(count: int, seconds: float = 0.05, seed: int = 0) -> Callable[..., Reply]:
    """One that refuses what comes while so many are under way; a refusal comes fast."""
    rng = random.Random(seed)
    busy: list[float] = []

    def reply(in_flight: int, now: float) -> Reply:
        while busy and busy[0] <= now:
            heapq.heappop(busy)
        if len(busy) >= count:
            return "overloaded", 0.005
        seconds_taken = seconds * rng.uniform(1, 1.2)
        heapq.heappush(busy, now + seconds_taken)
        return "answered", seconds_taken

    return reply


def with_failures(
    reply: Callable[..., Reply], share: float, outcome: Outcome, seed: int = 1
) -> Callable[..., Reply]:
    """The same, but a share of requests fails, whatever the load."""
    rng = random.Random(seed)
    return lambda *at: (outcome, 0.02) if rng.random() < share else reply(*at)


SEEDS = pytest.mark.parametrize("seed", range(5))


@SEEDS
@pytest.mark.parametrize("seconds", [0.01, 0.05, 1.0])
def test_it_grows_to_the_cap_where_answers_take_equally_long(seconds: float, seed: int) -> None:
    run = Simulation(ConcurrencyLimit(), steady(seconds, seed=seed)).run(30 * seconds)
    assert run.limit.limit == MOST == 256


def test_it_begins_with_one_and_goes_on_with_a_few() -> None:
    limit = ConcurrencyLimit()
    assert limit.limit == 1
    limit.note(limit.epoch, "failed", 1.0)
    limit.note(limit.epoch, "overloaded", 1.0)
    assert limit.limit == 1
    limit.note(limit.epoch, "answered", 1.0)
    assert limit.limit == FIRST == 8


@pytest.mark.parametrize("most", [1, 3, 8, 20])
def test_it_never_passes_the_cap(most: int) -> None:
    run = Simulation(ConcurrencyLimit(most), steady()).run(5)
    assert max(run.limits_after(0)) == most


@pytest.mark.parametrize("most", [1, 64])
def test_a_fixed_limit_is_kept_whatever_comes(most: int) -> None:
    limit = ConcurrencyLimit(most, is_fixed=True)
    assert limit.limit == 1, "one goes ahead"
    run = Simulation(limit, with_failures(steady(), 0.6, "overloaded")).run(10)
    assert set(run.limits_after(1)) == {most}


@SEEDS
def test_a_server_with_one_slot_is_asked_little_more_than_one_thing_at_a_time(seed: int) -> None:
    run = Simulation(ConcurrencyLimit(), slots(1, seed=seed)).run(120)
    # The first step is to eight: more would only wait there.
    assert run.mean_after(10) <= FIRST + 2
    assert run.rate_after(10) == pytest.approx(20, rel=0.05)


@SEEDS
@pytest.mark.parametrize("count", [16, 50])
def test_a_server_with_some_slots_is_kept_busy_and_no_more(count: int, seed: int) -> None:
    run = Simulation(ConcurrencyLimit(), slots(count, seed=seed)).run(120)
    assert count * 0.8 <= run.mean_after(10) <= count * 2.6
    assert run.rate_after(10) >= 0.95 * count / 0.05


@SEEDS
@pytest.mark.parametrize("count", [16, 50])
def test_where_only_so_many_are_taken_at_once_it_stays_near_them_with_few_refusals(
    count: int, seed: int
) -> None:
    run = Simulation(ConcurrencyLimit(), at_most(count, seed=seed)).run(120)
    assert 0.5 * count <= run.mean_after(10) <= 1.3 * count
    answered, refused = run.rate_after(10), run.rate_after(10, "overloaded")
    assert refused / (answered + refused) <= 0.15
    assert answered >= 0.65 * count / 0.055


@SEEDS
@pytest.mark.parametrize("outcome", ["overloaded", "failed"])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_failures_at_random_do_not_keep_it_down(share: float, outcome: Outcome, seed: int) -> None:
    reply = with_failures(steady(seed=seed), share, outcome, seed=seed)
    run = Simulation(ConcurrencyLimit(64), reply).run(20)
    assert run.mean_after(5) >= 40


@SEEDS
def test_it_recovers_after_an_overload(seed: int) -> None:
    run = Simulation(ConcurrencyLimit(64), steady(seed=seed)).run(5)
    for expected in (32, 16, 8, 4, 2, 1, 1):
        run.limit.back_off()
        assert run.limit.limit == expected
    run.run(30)
    assert run.limit.limit == 64


def test_it_halves_once_for_all_that_were_under_way() -> None:
    limit = ConcurrencyLimit(64)
    run = Simulation(limit, steady()).run(5)
    assert run.limit.limit == 64
    epoch = limit.epoch
    limit.back_off()
    assert (limit.limit, limit.epoch > epoch) == (32, True)
    for _ in range(100):
        limit.note(epoch, "overloaded", 0.01)
    assert limit.limit == 32


def test_a_limit_that_keeps_nobody_waiting_is_left_as_it_is() -> None:
    limit = ConcurrencyLimit()
    for _ in range(200):
        limit.note(limit.epoch, "answered", 0.05)
    assert limit.limit == FIRST


@SEEDS
def test_a_higher_limit_is_found_when_the_endpoint_grows(seed: int) -> None:
    small, large = slots(10, seed=seed), steady(seed=seed)
    run = Simulation(ConcurrencyLimit(100), lambda n, t: small(n, t) if t < 20 else large(n, t))
    run.run(20)
    assert run.limit.limit <= 30
    run.run(60)
    assert run.limit.limit == 100


def test_answers_that_take_no_time_break_nothing() -> None:
    limit = ConcurrencyLimit()
    for _ in range(5000):
        limit.note_full()
        limit.note(limit.epoch, "answered", 0.0)
    assert limit.limit == MOST
