"""What a user can choose about a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from evalkit.api.retries import RetryPolicy
from evalkit.errors import UsageError
from evalkit.prompts import PromptFormat
from evalkit.requests import WAYS, Way


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What can be chosen about a run; all but `concurrency` and `retries` name the run.

    Example:
        >>> RunSettings(way="prefill", limit=100).seed
        0
    """

    way: Way | Literal["auto"] = "auto"
    """How to ask; "auto": prefill where the model takes it, else instructed."""
    limit: int | None = None
    """How many questions, drawn at random by the seed; None: all."""
    seed: int = 0
    shots: int = 0
    """Worked examples before each question."""
    temperature: float | None = 0.0
    """Sent where the model takes it; None: the endpoint's own."""
    prompt: PromptFormat | None = None
    """None: the benchmark's."""
    concurrency: int | None = None
    """Requests in flight at once; None: 8, or 1 for an embedded model."""
    retries: RetryPolicy = field(default_factory=RetryPolicy, compare=False)

    def __post_init__(self) -> None:
        if self.way not in ("auto", *WAYS):
            raise UsageError(f"way {self.way!r}: expected auto, {' or '.join(WAYS)}")
        for name, least in (("limit", 1), ("shots", 0), ("concurrency", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} {value}: expected at least {least}")
        if self.temperature is not None and not 0 <= self.temperature <= 1:
            raise UsageError(f"temperature {self.temperature:g}: expected 0 to 1")
