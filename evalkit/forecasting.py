"""What is left of a run, added up: its tokens, dollars and time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import chain
from pathlib import Path
from statistics import NormalDist
from typing import Any

from evalkit.api.client import MessagesClient
from evalkit.api.limits import RateLimits
from evalkit.elicitation.caching import name_prefix
from evalkit.elicitation.choose import IN_WORDS, NEEDED
from evalkit.errors import RunMismatchError
from evalkit.experience import find_experience
from evalkit.jobs import Job
from evalkit.measuring import (
    NOTHING_COUNTED,
    CountingError,
    Counts,
    Ruler,
    Size,
    count_all,
    count_some,
    cut_to_prefix,
)
from evalkit.models.model import Price
from evalkit.plans import DROP, GateNeed, Plan, PlanBasis, PlanNeed, PlanOptions, PlanPrices
from evalkit.precedents import Precedent, find_precedent
from evalkit.probing import Settled
from evalkit.progress import dollars, show_steps
from evalkit.requests import Request, Way
from evalkit.runs.batch_log import read_batch_log
from evalkit.runs.costs import cost_of_rows, cost_of_tokens
from evalkit.runs.folder import MANIFEST, open_run_folder
from evalkit.runs.journal import JournalRow
from evalkit.runs.standing import Standing
from evalkit.sending import Courier, collect_images
from evalkit.settings import RunSettings
from evalkit.stats.costs import expected_questions
from evalkit.stats.power import questions_for_margin, questions_in_clusters, questions_needed
from evalkit.targets import Target

# What is not known of a model before it has been asked; estimates, named as such wherever a figure
# stands on them. Earlier runs are better.
TYPICAL_OUTPUT: Mapping[Way, float] = {
    "prefill": 1.0,
    "instructed": 4.0,
    "structured": 10.0,
    "tool": 30.0,
    "reasoned": 400.0,
}
"""Tokens of a reply."""
TYPICAL_THINKING = 300.0
"""Tokens that a model thinks beside it that can't be kept from thinking."""
TYPICAL_SECONDS, EMBEDDED_SECONDS = 2.0, 1.0
"""Of a request with a short reply: at an endpoint, by an embedded model."""
TOKENS_PER_SECOND = 50.0
"""At which longer replies come."""

START_TIER = RateLimits(requests=1_000, input_tokens=2_000_000, output_tokens=400_000)
START_TIER_OF_LARGEST = RateLimits(requests=1_000, input_tokens=500_000, output_tokens=100_000)
"""The least that accounts of the official API may ask for in a minute, and of its largest models.

Source: Messages API documentation, "Rate limits", 2026.
"""
LARGEST = ("claude-fable-", "claude-mythos-")

BATCH_SECONDS = 3600.0
"""Most batches end within it, all within a day."""

FLIPS = (0.05, 0.10, 0.20)
"""Shares of questions that only one of two models has right, for want of a known one."""


Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One request, measured."""

    request: Request
    size: Size
    prefix: str | None
    """The name of its shared beginning, if that is marked for the cache."""


@dataclass(slots=True, kw_only=True)
class Bill:
    """What some requests take; dollars are 0 where no price is known."""

    input_tokens: float = 0.0
    written: float = 0.0
    read: float = 0.0
    plain: float = 0.0
    cached: float = 0.0
    first_plain: float = 0.0
    """Of the first request alone."""
    first_cached: float = 0.0
    prefixes: set[str] = field(default_factory=set)


@dataclass(kw_only=True)
class Forecaster:
    """Makes the plan of one run."""

    job: Job
    target: Target
    settings: RunSettings
    options: PlanOptions
    results: Path
    settled: Settled

    def __post_init__(self) -> None:
        job = self.job
        images = collect_images(chain(job.questions, job.examples))
        self.courier = Courier(
            facts=job.facts,
            limits=job.image_limits,
            images=images,
            resize=self.settings.resize,
            cache=self.settings.cache and not any(question.history for question in job.questions),
        )
        self.ruler = Ruler(
            facts=job.facts,
            images=images,
            limits=job.image_limits,
            resize=self.settings.resize,
        )
        self.experience = find_experience(self.results, job.manifest.identity)
        fixed = self.settings.concurrency or self.target.concurrency
        self.concurrency = fixed or self.settings.max_concurrency
        self.has_responses = False
        self._beginnings: dict[str, Mapping[str, Any]] = {}

    async def plan(self, client: MessagesClient | None, *, progress: bool) -> Plan:
        """Make the plan.

        Args:
            client: where to have requests counted; None: they are estimated.
            progress: whether to show it.

        Raises:
            ApiError: a request was refused, or the endpoint can't be asked.
        """
        identity = self.job.manifest.identity
        rows, handed_over = self.read_earlier()
        standing = Standing.after(rows)
        self.has_responses = bool(standing.answered)
        unanswered = [request for _, request in self.job.list_missing(standing)]
        missing = [self.measure(r) for r in unanswered if r.id not in handed_over]
        everything = missing
        if self.options.margin is not None and len(missing) < self.job.size:
            everything = list(map(self.measure, self.job.list_requests(self.job.questions)))
        counts, beginnings, reason = await self.count(missing or everything, client, progress)
        bill = self.bill(missing, counts, beginnings)
        prices = self.price(bill, len(missing))
        output = len(missing) * self.output_tokens
        again = 1 + self.experience.retakes
        seconds, limits = self.time(bill, len(missing), counts.limits)
        return Plan(
            benchmark=identity.benchmark,
            model=identity.model,
            endpoint=identity.endpoint,
            way=identity.way,
            shots=identity.shots,
            questions=len(self.job.questions),
            samples=identity.samples,
            orders=identity.orders,
            concurrency=self.concurrency,
            in_batch=self.settings.batch,
            answered=self.job.size - len(unanswered),
            under_way=len(unanswered) - len(missing),
            requests=len(missing),
            retakes=round(len(missing) * self.experience.retakes),
            input_tokens=round(again * bill.input_tokens),
            written_tokens=round(bill.written),
            read_tokens=round(bill.read),
            prefixes=len(bill.prefixes),
            output_tokens=round(output),
            prices=prices,
            price=self.pick(prices),
            seconds=seconds,
            basis=PlanBasis(
                counted=len(counts.tokens),
                input_error=self.find_error(missing or everything, counts),
                not_counted=reason,
                experience=self.experience,
                seconds=self.seconds_each,
                limits=limits,
                limits_assumed=limits is not None and counts.limits is None,
            ),
            margin=self.options.margin,
            needs=tuple(self.list_needs(everything, counts, beginnings)),
            power=self.options.power,
            precedent=self.precedent,
            notes=tuple(self.list_notes(rows, prices)),
        )

    def read_earlier(self) -> tuple[tuple[JournalRow, ...], set[str]]:
        """What came of the same run before: its journal, and the requests that are in batches."""
        identity = self.job.manifest.identity
        path = self.results / identity.folder_name
        if not (path / MANIFEST).is_file():
            return (), set()
        folder = open_run_folder(path)
        if folder.manifest.identity != identity:
            raise RunMismatchError(f"{path} holds a run with other settings; move it away")
        batches = read_batch_log(folder.batch_log_path).open
        known = [batch for batch in batches if batch.batch_id is not None]
        handed_over = {request for batch in known for request in batch.requests}
        return folder.read_journal().rows, handed_over

    # Input tokens

    def measure(self, request: Request) -> Sheet:
        """Estimate a request's tokens, and look for a beginning that others share."""
        prefix = None
        if self.courier.is_cacheable(request.body):
            prefix = name_prefix(request.body)
            self._beginnings.setdefault(prefix, cut_to_prefix(request.body))
        return Sheet(request=request, size=self.ruler.measure(request.body), prefix=prefix)

    async def count(
        self, sheets: Sequence[Sheet], client: MessagesClient | None, progress: bool
    ) -> tuple[Counts, Counts, str | None]:
        """Have a random part of some requests counted, and of their shared beginnings.

        Returns:
            Both counts, and why there are none.
        """
        if client is None or not sheets:
            return NOTHING_COUNTED, NOTHING_COUNTED, self.describe_silence() if sheets else None
        groups = {question.id: question.group or "" for question in self.job.questions}
        alike = sorted(
            sheets,
            key=lambda s: (groups[s.request.question_id], s.size.rest, s.request.id),
        )
        begun = [self._beginnings[name] for name in sorted(self._beginnings)]
        most = self.options.count
        steps = min(most, len(alike)) + min(most, len(begun))
        with show_steps(f"counting {self.job.label}", steps, shown=progress) as step:
            try:
                counts, beginnings = [
                    await count_some(
                        bodies,
                        sizes,
                        most,
                        self.settings.seed,
                        lambda drawn: count_all(
                            drawn,
                            client,
                            self.courier,
                            self.settings.retries,
                            on_counted=step,
                        ),
                    )
                    for bodies, sizes in (
                        ([sheet.request.body for sheet in alike], [sheet.size for sheet in alike]),
                        (begun, list(map(self.ruler.measure, begun))),
                    )
                ]
            except CountingError as error:
                return NOTHING_COUNTED, NOTHING_COUNTED, f"the endpoint doesn't count: {error}"
        return counts, beginnings, None

    def find_error(self, sheets: Sequence[Sheet], counts: Counts) -> float | None:
        """How far the input tokens may be off, as a share of them."""
        if not counts.tokens:
            return None
        tokens = sum(sheet.size.scaled(counts.ratio) for sheet in sheets)
        return Z * counts.error * sum(sheet.size.rest for sheet in sheets) / tokens

    def describe_silence(self) -> str:
        """Why nobody was asked to count."""
        if self.options.offline:
            return "nobody was to be asked"
        return "embedded models are not started" if self.target.is_embedded else "there is no key"

    # Dollars

    @property
    def output_tokens(self) -> float:
        """Of one reply in the mean."""
        if self.experience.output_tokens is not None:
            return self.experience.output_tokens
        way = self.job.manifest.identity.way
        typical = TYPICAL_OUTPUT[way]
        if way != "reasoned" and self.settled.asking.capabilities.may_think:
            typical += TYPICAL_THINKING
        room: int = self.job.first_body["max_tokens"]
        return min(typical, room)

    def bill(self, sheets: Sequence[Sheet], counts: Counts, beginnings: Counts) -> Bill:
        """Add up the input of some requests: a beginning is written once, read afterwards."""
        price = self.job.facts.price or Price(input=0.0, output=0.0)
        least = self.job.facts.cache_minimum_tokens or 0
        lengths = {
            name: self.ruler.measure(body).scaled(beginnings.ratio)
            for name, body in self._beginnings.items()
        }
        bill = Bill()
        for sheet in sheets:
            tokens = sheet.size.scaled(counts.ratio)
            shared = 0.0
            if sheet.prefix is not None and lengths[sheet.prefix] >= least:
                shared = min(lengths[sheet.prefix], tokens)
            is_new = bool(shared) and sheet.prefix not in bill.prefixes
            written, read = (shared, 0.0) if is_new else (0.0, shared)
            if sheet.prefix is not None and is_new:
                bill.prefixes.add(sheet.prefix)
            bill.input_tokens += tokens
            bill.written += written
            bill.read += read
            bill.plain += cost_of_tokens(price, plain=tokens, output=self.output_tokens)
            bill.cached += cost_of_tokens(
                price,
                plain=tokens - shared,
                written=written,
                read=read,
                output=self.output_tokens,
            )
            if sheet is sheets[0]:
                bill.first_plain, bill.first_cached = bill.plain, bill.cached
        return bill

    def price(self, bill: Bill, requests: int) -> PlanPrices | None:
        """The prices of some requests, with what is asked again."""
        price = self.job.facts.price
        if price is None:
            return None
        # The output of what is asked again is in the mean of replies already.
        output = cost_of_tokens(price, output=requests * self.output_tokens)
        again = self.experience.retakes
        plain = bill.plain + again * (bill.plain - output)
        cached = bill.cached + again * (bill.cached - output) if bill.prefixes else None
        if not self.target.has_batches:
            return PlanPrices(plain=plain, cached=cached)
        factor = price.batch_factor
        # Without any response so far, a run asks one request directly, and at full price.
        more = 0.0 if self.has_responses else 1 - factor
        return PlanPrices(
            plain=plain,
            cached=cached,
            batch=factor * plain + more * bill.first_plain,
            batch_cached=None if cached is None else factor * cached + more * bill.first_cached,
        )

    def pick(self, prices: PlanPrices | None) -> float | None:
        """The price that the settings ask for."""
        if prices is None:
            return None
        if self.settings.batch:
            return prices.batch if prices.batch_cached is None else prices.batch_cached
        return prices.plain if prices.cached is None else prices.cached

    def list_needs(
        self, sheets: Sequence[Sheet], counts: Counts, beginnings: Counts
    ) -> list[PlanNeed]:
        """What the margin takes, at the mean price of the benchmark's questions."""
        margin = self.options.margin
        if margin is None:
            return []
        whole = self.pick(self.price(self.bill(sheets, counts, beginnings), len(sheets)))
        each = None if whole is None else whole / len(self.job.questions)
        found = self.precedent
        effect = 1.0 if found is None else found.design_effect or 1.0
        known = self.options.flips if found is None else found.flips
        single = questions_for_margin(margin)
        return [
            PlanNeed(flips=None, questions=single, price=multiply(each, single)),
            *(
                self.need(margin, flips, each, effect)
                for flips in (FLIPS if known is None else (known,))
            ),
        ]

    def need(self, margin: float, flips: float, each: float | None, effect: float) -> PlanNeed:
        """What the margin takes where so many answers flip.

        Args:
            margin: a fraction.
            flips: the share of questions that only one of two models has right.
            each: the price of a question; None: not known.
            effect: by how much clusters inflate the variance; a gate, which is about this very set,
                has nothing to do with it.
        """
        questions = None
        if margin <= flips:
            alone = questions_needed(margin, flips, power=self.options.power)
            questions = questions_in_clusters(alone, effect)
        gates = []
        for drop in (0.0, DROP):
            # A drop takes as many flips at least.
            used = expected_questions(
                len(self.job.questions), delta=margin, drop=drop, flips=max(flips, drop)
            )
            count = math.ceil(used)
            gates.append(GateNeed(drop=drop, questions=count, price=multiply(each, count)))
        return PlanNeed(
            flips=flips,
            questions=questions,
            price=None if questions is None else multiply(each, questions),
            gates=tuple(gates),
        )

    @cached_property
    def precedent(self) -> Precedent | None:
        """Two earlier runs that tell how many answers flip, where a margin asks for it."""
        if self.options.margin is None or self.options.flips is not None:
            return None
        return find_precedent(self.results, self.job.manifest.identity)

    # Time

    @property
    def seconds_each(self) -> float:
        """That a request takes."""
        if self.experience.seconds is not None:
            return self.experience.seconds
        if self.target.is_embedded:
            return EMBEDDED_SECONDS
        return TYPICAL_SECONDS + self.output_tokens / TOKENS_PER_SECOND

    def time(
        self, bill: Bill, requests: int, found: RateLimits | None
    ) -> tuple[float, RateLimits | None]:
        """Seconds for some requests, and the limits that may have made them more."""
        limits = found
        if limits is None and not self.target.is_embedded:
            is_largest = self.target.model.startswith(LARGEST)
            limits = START_TIER_OF_LARGEST if is_largest else START_TIER
        if self.settings.batch:
            return (BATCH_SECONDS if requests else 0.0), None
        again = 1 + self.experience.retakes
        least = [again * requests * self.seconds_each / min(self.concurrency, max(1, requests))]
        if limits is not None:
            # What is read from the cache does not count.
            amounts = (
                (again * requests, limits.requests),
                (again * (bill.input_tokens - bill.read), limits.input_tokens),
                (requests * self.output_tokens, limits.output_tokens),
            )
            least += [60 * amount / limit for amount, limit in amounts if limit is not None]
        return max(least), limits

    # What else there is to say

    def list_notes(self, rows: Iterable[JournalRow], prices: PlanPrices | None) -> list[str]:
        """What a user should know before the run."""
        notes = []
        facts, manifest = self.job.facts, self.job.manifest
        way = manifest.identity.way
        if (end := facts.describe_end(datetime.now(UTC).date())) is not None:
            notes.append(end)
        if way in NEEDED and getattr(self.settled.asking.capabilities, NEEDED[way]) is False:
            notes.append(f"{self.target.model} takes no {IN_WORDS[NEEDED[way]]}: it can't be run")
        price, budget = self.pick(prices), self.settings.budget
        spent = cost_of_rows(rows, facts.price) or 0.0
        if budget is not None and price is not None and spent + price > budget:
            notes.append(f"the budget of {dollars(budget)} would end it before it is done")
        return notes


def multiply(price: float | None, count: int) -> float | None:
    """The price of so many questions; None: it is not known."""
    return None if price is None else price * count
