"""How many tokens requests have: estimated from texts and pictures, then set right by counts."""

from __future__ import annotations

import asyncio
import json
import math
import random
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean, stdev
from typing import Any

from evalkit.api.client import MessagesClient
from evalkit.api.limits import RateLimits
from evalkit.api.retries import RetryPolicy, is_worth_retrying, send_with_retries
from evalkit.api.tokens import count_with_limits
from evalkit.elicitation.caching import count_characters, split_shared
from evalkit.errors import ApiError, UnreadableResponseError
from evalkit.images import Image, ImageLimits, count_image_tokens
from evalkit.models.model import Model
from evalkit.sending import Courier, list_digests

# Estimates for want of a count; they are set right by the first one.
CHARACTERS_PER_TOKEN = 3.5
"""Of English text, for a model of which the catalogue says nothing."""
TOKENS_OF_TURN = 4
"""What a turn has beside its text."""
TOKENS_OF_TOOLS = 300
"""The hidden system text that tools bring."""
TOKENS_OF_SCHEMA = 60
"""The hidden system text that a schema for the reply brings."""
TOKENS_OF_UNSEEN = 1500
"""A picture at an address, whose size is not known."""

NO_COUNTING = (404, 405, 501)
"""What an endpoint says that counts no tokens."""

Counted = tuple[int, RateLimits | None]
"""Tokens, and what the reply says of the limits on messages."""

SHORTEST = "."
"""A question that stands for any behind a beginning that is to be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many tokens a request has, or its beginning."""

    pictures: int
    """By the formula for pictures, which is exact."""
    rest: float
    """An estimate of all else; how far it is off is much the same for all requests of a run."""

    def scaled(self, ratio: float) -> float:
        """The tokens, where the estimate is set right by a factor."""
        return self.pictures + ratio * self.rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What an endpoint has counted."""

    sizes: tuple[Size, ...]
    """Of the requests drawn; one that was drawn twice counts twice."""
    tokens: tuple[int, ...]
    is_sample: bool = False
    """Whether they were drawn by `draw`; else they are all there are."""
    limits: RateLimits | None = None
    """What the endpoint's replies say of the limits on messages."""

    @property
    def ratios(self) -> list[float]:
        """By which factor each estimate is to be set right."""
        pairs = zip(self.sizes, self.tokens, strict=True)
        return [(tokens - size.pictures) / size.rest for size, tokens in pairs]

    @property
    def ratio(self) -> float:
        """By which factor all estimates are to be set right; 1 if nothing was counted."""
        if not self.sizes:
            return 1.0
        # What was drawn in proportion to its size has its weight already.
        weights = None if self.is_sample else [size.rest for size in self.sizes]
        return max(0.0, fmean(self.ratios, weights))

    @property
    def error(self) -> float:
        """The standard error of that factor; it ignores that the sample is spread evenly."""
        if not self.is_sample or len(self.sizes) < 2:
            return 0.0
        return stdev(self.ratios) / math.sqrt(len(self.sizes))


NOTHING_COUNTED = Counts(sizes=(), tokens=())


def draw(sizes: Sequence[Size], count: int, seed: int) -> list[int]:
    """Draw requests at random, spread evenly over a list, the larger ones rather.

    Chances are in proportion to the estimates, so that the mean of the ratios between count and
    estimate is the ratio of the totals. A large one may be drawn twice.

    Args:
        sizes: of all requests, in an order in which like stands beside like.
        count: how many to draw, at least 1.
        seed: any integer.

    Returns:
        Positions in the list, ascending.

    Source: systematic sampling with probability proportional to size, Madow (1949), Ann. Math.
    Statist. 20, 333-354.
    """
    ends = list(accumulate(size.rest for size in sizes))
    step = ends[-1] / count
    start = random.Random(seed).random()
    # Rounding must not lead beyond the end.
    last = len(ends) - 1
    return [min(last, bisect_right(ends, (start + place) * step)) for place in range(count)]


class CountingError(Exception):
    """The endpoint counts no tokens; the text says how it said so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruler:
    """Measures the requests for one model."""

    facts: Model
    images: Mapping[str, Image]
    """The pictures of all questions, by digest."""
    limits: ImageLimits
    resize: bool
    """Whether larger pictures are scaled down before they are sent."""

    def measure(self, body: Mapping[str, Any]) -> Size:
        """Estimate the tokens of a request."""
        per_token = self.facts.characters_per_token or CHARACTERS_PER_TOKEN
        turns, tools = body["messages"], body.get("tools")
        schema = body.get("output_config", {}).get("format")
        characters = count_characters(turns) + count_characters(body.get("system"))
        characters += sum(len(json.dumps(part)) for part in (tools, schema) if part)
        rest = characters / per_token + TOKENS_OF_TURN * len(turns)
        rest += (TOKENS_OF_TOOLS if tools else 0) + (TOKENS_OF_SCHEMA if schema else 0)
        pictures = 0
        shown = [self.images[digest] for digest in list_digests(turns)]
        for image in shown:
            if image.width is None or image.height is None:
                rest += TOKENS_OF_UNSEEN
            else:
                many = len(shown) > self.limits.many_count
                pictures += self._measure_picture(image.width, image.height, many=many)
        return Size(pictures=pictures, rest=rest)

    def _measure_picture(self, width: int, height: int, *, many: bool) -> int:
        edge = self.facts.image_edge
        if self.resize and many:
            edge = min(edge, self.limits.many_side)
        return count_image_tokens(width, height, max_edge=edge, max_tokens=self.facts.image_tokens)


def cut_to_prefix(body: Mapping[str, Any]) -> dict[str, Any]:
    """A request with nothing but the shortest question behind what it shares with others.

    No request may end with a turn of the model's, so that the beginning alone can't be counted.
    """
    _, last = split_shared(body)
    question = body["messages"][last]["content"]
    content: Any = SHORTEST
    if isinstance(question, list) and question[0]["type"] == "tool_result":
        content = [question[0], {"type": "text", "text": SHORTEST}]
    turns = [*body["messages"][:last], {"role": "user", "content": content}]
    return {**body, "messages": turns}


async def count_some(
    bodies: Sequence[Mapping[str, Any]],
    sizes: Sequence[Size],
    most: int,
    seed: int,
    count: Callable[[Sequence[Mapping[str, Any]]], Awaitable[Sequence[Counted]]],
) -> Counts:
    """Have requests counted, or a sample of them if there are too many.

    Args:
        bodies: the requests, in an order in which like stands beside like.
        sizes: of each.
        most: how many may be counted, at least 1.
        seed: draws the sample.
        count: counts what was drawn.
    """
    is_sample = len(bodies) > most
    drawn = draw(sizes, most, seed) if is_sample else list(range(len(bodies)))
    if not drawn:
        return NOTHING_COUNTED
    different = list(dict.fromkeys(drawn))
    found = dict(zip(different, await count([bodies[p] for p in different]), strict=True))
    return Counts(
        sizes=tuple(sizes[place] for place in drawn),
        tokens=tuple(found[place][0] for place in drawn),
        is_sample=is_sample,
        limits=next((limits for _, limits in found.values() if limits is not None), None),
    )


async def count_all(
    bodies: Sequence[Mapping[str, Any]],
    client: MessagesClient,
    courier: Courier,
    policy: RetryPolicy,
    *,
    on_counted: Callable[[], object],
) -> list[Counted]:
    """Have requests counted: the first alone, which shows whether the endpoint counts at all.

    Args:
        bodies: the requests, at least one.
        client: where to ask.
        courier: puts pictures into them.
        policy: when to try again.
        on_counted: called after each.

    Raises:
        CountingError: the endpoint doesn't count.
        ApiError: a request was refused, or the endpoint can't be asked.
    """
    places = asyncio.Semaphore(client.aside_at_once)

    def counts_nothing(error: ApiError) -> bool:
        """Whether an error says that there is no counting; the official API always has it."""
        says_so = error.status in NO_COUNTING or isinstance(error, UnreadableResponseError)
        return says_so and not client.endpoint.is_official

    async def count(body: Mapping[str, Any]) -> Counted:
        async with places:
            dressed = await courier.dress(body)
            result, _ = await send_with_retries(
                lambda: count_with_limits(client, dressed),
                policy,
                is_worth=lambda error: is_worth_retrying(error) and not counts_nothing(error),
            )
        if isinstance(result, ApiError):
            if counts_nothing(result):
                raise CountingError(result.message) from result
            raise result
        on_counted()
        return result

    counted = [await count(bodies[0])]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(count(body)) for body in bodies[1:]]
    except ExceptionGroup as error:
        raise error.exceptions[0] from None
    return counted + [task.result() for task in tasks]
