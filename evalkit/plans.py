"""What a plan says: what a run would take, and where its figures come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from evalkit.api.limits import RateLimits
from evalkit.errors import UsageError
from evalkit.experience import Experience
from evalkit.precedents import Precedent
from evalkit.requests import Way
from evalkit.runs.manifest import Orders

EMBEDDED = "local/"
"""How the names of embedded models begin."""

DEFAULT_COUNT = 40
"""Requests that are counted."""

DROP = 0.05
"""What a candidate may have lost, to say what a gate will then take."""

LEAST_POWER = 0.05
"""What a test at 5 % finds where there is nothing to be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPrices:
    """Dollars for what is left to ask, in each way of sending it."""

    plain: float
    cached: float | None = None
    """With the shared beginnings kept in the endpoint's cache; None: none is long enough."""
    batch: float | None = None
    """By Message Batches, without a cache; None: there are none."""
    batch_cached: float | None = None
    """By batches that always find shared beginnings in the cache, which is not certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanBasis:
    """Where the figures of a plan come from."""

    counted: int
    """Requests whose input tokens the endpoint has counted, a large one perhaps as two; 0: they
    are estimated."""
    input_error: float | None
    """How far the input tokens may be off for that only some were counted: half the width of the
    95 % interval, as a share of them; None: they are estimated."""
    not_counted: str | None
    """Why they are estimated."""
    experience: Experience
    """Earlier runs; without any, the length of replies and their time are typical figures."""
    seconds: float
    """That a request takes."""
    limits: RateLimits | None
    """What may be sent in a minute; None: no limit is known."""
    limits_assumed: bool
    """Whether these are those of the official API's lowest tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateNeed:
    """The questions that a gate with that margin will use in the mean."""

    drop: float
    """By how much the candidate is worse, a fraction."""
    questions: int
    price: float | None
    """Dollars for asking the candidate so many questions; None: no price is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanNeed:
    """The questions that it takes to see something as small as the margin."""

    flips: float | None
    """The share of questions that only one of two models has right; None: one accuracy is to be
    known within the margin."""
    questions: int | None
    """None: so few flips can't make such a difference."""
    price: float | None
    """Dollars for asking one model so many questions; None: no price is known."""
    gates: tuple[GateNeed, ...] = ()
    """What a gate takes where so many answers flip; empty for one accuracy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would take that asks one benchmark of one model in one way."""

    benchmark: str
    model: str
    endpoint: str
    """Host and port; for an embedded model its engine."""
    way: Way
    shots: int
    questions: int
    samples: int
    """Responses for each question, in each order of its choices."""
    concurrency: int
    in_batch: bool
    """Whether the settings ask for Message Batches."""
    answered: int
    """Requests that an earlier run has an answer to."""
    under_way: int
    """Requests that were handed over in Message Batches and not collected yet."""
    requests: int
    """What is left to ask."""
    retakes: int
    """How many replies will be cut off and asked again, if it goes as in earlier runs."""
    input_tokens: int
    """Of all that is left, those in the cache included."""
    written_tokens: int
    """Those of them that are written to the cache, where it is made use of."""
    read_tokens: int
    """Those of them that are read from it."""
    prefixes: int
    """Shared beginnings that are long enough for the cache."""
    output_tokens: int
    prices: PlanPrices | None
    """None: no price is known for the model."""
    price: float | None
    """The one of them that the settings ask for."""
    seconds: float
    """How long it takes."""
    basis: PlanBasis
    orders: Orders | None = None
    """In which orders each question's choices are shown; None: in the set's own alone."""
    margin: float | None = None
    """A fraction, such as 0.02."""
    needs: tuple[PlanNeed, ...] = ()
    """What that margin takes; empty: none was asked for."""
    power: float = 0.8
    """How often a difference as large as the margin is to be found."""
    precedent: Precedent | None = None
    """Two earlier runs that tell the flips; None: there are none, or the flips were stated."""
    notes: tuple[str, ...] = ()
    """What else is good to know before the run."""
    otherwise: Plan | None = None
    """The plan if the model turns out to take no prefill, where only a paid request would tell."""

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """How a plan is made.

    Example:
        >>> PlanOptions(offline=True).offline
        True
    """

    count: int = DEFAULT_COUNT
    """Requests that the endpoint is to count, and as many shared beginnings."""
    offline: bool = False
    """Estimate all, ask nobody."""
    margin: float | None = None
    """Say what it takes to see something as small; a fraction, such as 0.02."""
    power: float = 0.8
    """How often a difference as large as the margin is to be found; a fraction."""
    flips: float | None = None
    """The share of questions that only one of two models has right; None: as in earlier runs, else
    a range."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UsageError(f"count {self.count}: expected at least 1")
        if self.margin is not None and not 0 < self.margin < 0.5:
            points = f"{100 * self.margin:g}"
            raise UsageError(f"margin {points}: expected percentage points, more than 0, below 50")
        if not LEAST_POWER < self.power < 1:
            raise UsageError(f"power {self.power:g}: expected a fraction, more than 0.05, below 1")
        if self.flips is not None and not 0 < self.flips <= 1:
            raise UsageError(f"flips {self.flips:g}: expected a fraction, more than 0, at most 1")


def add_up(plans: Sequence[Plan]) -> dict[str, float | None]:
    """What some plans take together; of two that exclude each other, the larger one counts.

    Returns:
        Requests, input and output tokens, price (None if one is not known) and seconds: those of
        the slowest model, since they are asked side by side, embedded ones one after another.
    """
    chosen = [p if p.otherwise is None else max(p, p.otherwise, key=weigh) for p in plans]
    prices = [p.price for p in chosen if p.price is not None]
    seconds: dict[str, float] = {}
    for each in chosen:
        who = EMBEDDED if each.model.startswith(EMBEDDED) else each.model
        seconds[who] = seconds.get(who, 0.0) + each.seconds
    return {
        "requests": sum(p.requests for p in chosen),
        "input_tokens": sum(p.input_tokens for p in chosen),
        "output_tokens": sum(p.output_tokens for p in chosen),
        "price": sum(prices) if len(prices) == len(chosen) else None,
        "seconds": max(seconds.values(), default=0.0),
    }


def weigh(plan: Plan) -> tuple[float, int]:
    """How much a plan takes: dollars, where they are known, then tokens."""
    return plan.price or 0.0, plan.input_tokens + plan.output_tokens
