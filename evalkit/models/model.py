"""What a model takes, costs and allows: known from the catalogue, or not known yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

Thinking = Literal["off", "disabled", "between_tools", "always", "unknown"]
"""How to keep a model from thinking; see the top of catalogue.toml."""

ThinkingSwitch = Literal["adaptive", "enabled", "none"]
"""How to have a model think before it answers; "none": it can't be told to."""

Lifecycle = Literal["active", "legacy", "deprecated", "retired"]

CACHE_WRITE_FACTOR = 1.25
"""What a token costs that is written to the cache for five minutes, against a plain one."""

BATCH_FACTOR = 0.5
"""What anything costs in a Message Batch, against a plain request."""

PRICE_ADVICE = (
    'give it one in a file that EVALKIT_MODELS names: [[model]] id = "..." price = '
    "{ input = 1.0, output = 5.0 }, in dollars for a million tokens"
)
"""What to do about a model whose price is not known."""

SOON_DAYS = 14
"""A retirement so near is worth a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one model takes at one endpoint; None where that is not known."""

    prefill: bool | None = None
    temperature: bool | None = None
    """Under anthropic-version 2023-06-01 and while it does not think."""
    forced_tool: bool | None = None
    structured: bool | None = None
    """Whether it keeps to `output_config.format`."""
    thinking: Thinking = "unknown"
    think_on: ThinkingSwitch = "none"
    efforts: tuple[str, ...] | None = None
    """The levels of `output_config.effort` that it takes; empty: none."""

    @property
    def may_think(self) -> bool:
        """Whether a reply needs room for thinking, whatever we send."""
        return self.thinking == "always"

    @property
    def no_thinking(self) -> Mapping[str, str] | None:
        """What to send as `thinking` so that the model answers at once; None: nothing."""
        return {"type": self.thinking} if self.thinking in ("disabled", "between_tools") else None


EMBEDDED = Capabilities(
    prefill=True, temperature=True, forced_tool=False, structured=False, thinking="off"
)
"""The embedded models: their engine continues a prefill, samples unless told not to, and ignores
schemas and forced tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model costs, in dollars for a million tokens."""

    input: float
    output: float
    cache_read: float | None = None
    """None: not known, so that tokens read from the cache count as plain input."""
    cache_write: float | None = None
    """None: 1.25 times the input price."""
    batch_factor: float = BATCH_FACTOR
    above_prompt_tokens: int | None = None
    """Longer prompts cost what `above` says."""
    above: Price | None = None

    @property
    def of_cache_write(self) -> float:
        """Dollars for a million tokens written to the cache."""
        return self.input * CACHE_WRITE_FACTOR if self.cache_write is None else self.cache_write

    @property
    def of_cache_read(self) -> float:
        """Dollars for a million tokens read from the cache."""
        return self.input if self.cache_read is None else self.cache_read

    def for_prompt(self, tokens: int) -> Price:
        """The price that holds for a prompt of so many tokens, cached ones included."""
        if self.above is None or self.above_prompt_tokens is None:
            return self
        return self.above if tokens > self.above_prompt_tokens else self


FREE = Price(input=0.0, output=0.0, cache_read=0.0)
"""What an embedded model costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model, as far as it is known; None where it is not."""

    id: str
    alias: str | None = None
    capabilities: Capabilities = Capabilities()
    price: Price | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    cache_minimum_tokens: int | None = None
    """A shorter prefix of a prompt is not cached."""
    characters_per_token: float | None = None
    """Of English text: an estimate for want of a count."""
    max_images: int = 600
    image_edge: int = 2576
    """Longest side in pixels that the model sees; larger pictures are scaled down."""
    image_tokens: int = 4784
    """The most that one picture costs."""
    lifecycle: Lifecycle | None = None
    retires: date | None = None
    """The day of its end; may have passed."""
    not_before: date | None = None
    """It won't end before that day."""
    source_date: date | None = None
    """When the facts were looked up."""
    unsure: tuple[str, ...] = ()
    """Keys of the catalogue whose value was inferred rather than read."""
    corrected: frozenset[str] = frozenset()
    """Keys that the user's own file has set: they hold at every endpoint."""

    def describe_end(self, today: date) -> str | None:
        """A sentence about a model that has ended or will end within two weeks.

        Example:
            >>> Model(id="old", retires=date(2026, 6, 30)).describe_end(date(2026, 11, 22))
            'old was retired on 2026-06-30'
        """
        if self.retires is None:
            return f"{self.id} is retired" if self.lifecycle == "retired" else None
        days = (self.retires - today).days
        if days < 0:
            return f"{self.id} was retired on {self.retires}"
        if days <= SOON_DAYS:
            left = "today" if days == 0 else "tomorrow" if days == 1 else f"in {days} days"
            return f"{self.id} retires {left}, on {self.retires}"
        return None
