"""A limit in dollars that a run never passes, requests in flight included."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

from evalkit.models.model import CACHE_WRITE_FACTOR, Model, Price
from evalkit.runs.costs import MILLION

HIDDEN_TOKENS = 1000
"""More than an endpoint adds to a prompt for schemas, tools and the shape of a conversation, and
than a probe costs that went before."""


class Budget:
    """Lets a request go only if the run stays within its limit even at the worst.

    Args:
        dollars: the limit; None: none.
        facts: the model, for its price and the cost of pictures.
        spent: dollars spent before.
        lost: dollars that attempts may have cost before of which no reply came.
    """

    def __init__(
        self,
        dollars: float | None,
        facts: Model,
        *,
        spent: float,
        lost: float = 0.0,
    ) -> None:
        self.dollars, self.facts = dollars, facts
        self.spent, self.lost = spent, lost
        self.is_spent = False
        """Whether a request was turned away."""
        self._held: dict[str, float] = {}

    @property
    def reserved(self) -> float:
        """Dollars held back for requests under way; 0 if there are none.

        A running total would not come back to 0, and who waits for that would wait for ever.
        """
        return math.fsum(self._held.values())

    @property
    def left(self) -> float | None:
        """Dollars that are neither spent, lost nor reserved; None: there is no limit."""
        if self.dollars is None:
            return None
        return max(0.0, self.dollars - self.spent - self.lost - self.reserved)

    def reserve(self, name: str, body: Mapping[str, Any]) -> Literal["go", "wait", "end"]:
        """Hold back what a request may cost at most while it is under way.

        Args:
            name: of the request; `release` takes it again.
            body: of the request.

        Returns:
            "wait" while others under way might leave enough; "end", and so from then on, if it
            can't be afforded.
        """
        if self.dollars is None:
            return "go"
        most = self.worst_case(body)
        if self.is_spent or not self.can_afford(most):
            if not self.is_spent and self._held:
                return "wait"
            self.is_spent = True
            return "end"
        self._held[name] = most
        return "go"

    def release(self, name: str) -> None:
        """Hold back no more for a request that is settled."""
        self._held.pop(name, None)

    def can_afford(self, most: float) -> bool:
        """Whether so many dollars may be spent beside what is spent and reserved."""
        total = self.spent + self.lost + self.reserved + most
        return self.dollars is None or total <= self.dollars

    @property
    def holds(self) -> bool:
        """Whether what is spent, lost and reserved is within the limit; a loss may pass it."""
        return self.can_afford(0.0)

    def lose(self, body: Mapping[str, Any]) -> float:
        """Take an attempt for paid of which nobody knows what it cost: its reply got lost.

        What is held back for the request is for its next attempt, if that can still be afforded.

        Returns:
            The dollars that it may have cost.
        """
        most = self.worst_case(body)
        self.lost += most
        return most

    def worst_case(self, body: Mapping[str, Any]) -> float:
        """Dollars that a request can't cost more than; 0 without a limit.

        No token is shorter than a byte.
        """
        price = self.facts.price
        if self.dollars is None or price is None:
            return 0.0
        text = json.dumps(body, ensure_ascii=False)
        pictures = text.count('"type": "image"')
        tokens = len(text.encode("utf-8", "replace")) + HIDDEN_TOKENS
        tokens += pictures * self.facts.image_tokens
        return worst_price(price, tokens, body["max_tokens"])


def worst_price(price: Price, prompt_tokens: int, output_tokens: int) -> float:
    """Dollars for so many tokens where the whole prompt is written to the cache."""
    its = price.for_prompt(prompt_tokens)
    # The true number of tokens is smaller, so that it may be on the other side of the threshold.
    dearest = max(
        dollars
        for tier in (price, its)
        for dollars in (tier.input, tier.of_cache_write, tier.input * CACHE_WRITE_FACTOR)
    )
    return (prompt_tokens * dearest + output_tokens * max(price.output, its.output)) / MILLION
