"""What a user can choose about a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from evalkit.api.batches import MAX_REQUESTS
from evalkit.api.retries import RetryPolicy
from evalkit.elicitation.asking import Thought
from evalkit.errors import UsageError
from evalkit.prompts import PromptFormat
from evalkit.requests import WAYS, Way
from evalkit.runs.concurrency import MOST
from evalkit.runs.manifest import Orders
from evalkit.selection import EVERYTHING, Selection

ImageSource = Literal["base64", "file"]
"""How picture files travel: in the request, or uploaded once to the Files API."""

Engine = Literal["loky", "dask", "ray"]
"""What starts workers: this machine, or a cluster of Dask or Ray."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What can be chosen about a run.

    The fields from `concurrency` on change how a run is carried out, not what is asked: the same
    run goes on whatever they are.

    Example:
        >>> RunSettings(way="prefill", limit=100).seed
        0
    """

    way: Way | Literal["auto"] = "auto"
    """How to ask; "auto": prefill where the model takes it, else instructed; but structured or tool
    where questions of the set have several right choices."""
    samples: int = 1
    """Responses drawn for each question, in each order of its choices."""
    orders: Orders | None = None
    """Show the choices of each question in so many of their rotations, drawn by the seed, or in all
    of them ("cyclic"), so that each choice stands once at every position; None: as the set has
    them."""
    limit: int | None = None
    """How many questions, drawn at random by the seed; None: all."""
    selection: Selection = EVERYTHING
    """Which questions the limit draws from; and whether it draws each subject in proportion."""
    seed: int = 0
    shots: int = 0
    """Worked examples before each question."""
    temperature: float | Literal["default"] | None = "default"
    """Sent where the model takes it; None: the endpoint's own; "default": 0, or the endpoint's own
    where several samples are drawn."""
    effort: str | None = None
    """Level of `output_config.effort`; None: the endpoint's own, or low for a model that can't be
    kept from thinking."""
    thought: Thought = "api"
    """How `reasoned` has a model think: by the API's thinking where there is such, or in words."""
    max_tokens: int | None = None
    """Room for a reply; None: what the way of asking needs."""
    stop_sequences: tuple[str, ...] = ()
    prompt: PromptFormat | None = None
    """None: the benchmark's."""
    resize: bool = False
    """Scale pictures down that are larger than the endpoint takes, instead of refusing them."""
    keep_text: bool = True
    """Whether texts of questions and replies go into the run's folder."""
    concurrency: int | None = None
    """Requests in flight at once; None: 1 for an embedded model, else as many as make the answers
    come faster, up to `max_concurrency`."""
    max_concurrency: int = MOST
    requests_per_minute: float | None = None
    """The most to send of one model's; None: what the endpoint says, or shows by its refusals."""
    tokens_per_minute: float | None = None
    """The same for tokens, of input and output together."""
    deadline_seconds: float | None = None
    """Nothing is started later than this after the run began; None: no limit."""
    images: ImageSource = "base64"
    """How picture files travel: in the request, or uploaded once to the Files API."""
    keep_files: bool = False
    """Leave uploaded pictures at the endpoint."""
    cache: bool = True
    """Mark a long prefix that requests share for the endpoint's cache."""
    budget: float | None = None
    """Dollars that the run may cost at most, what it has cost before included."""
    batch: bool = False
    """Ask by Message Batches: at half price, within a day."""
    batch_size: int = MAX_REQUESTS
    """The most requests in one batch."""
    poll_seconds: float = 60.0
    """The longest wait between two looks at a batch."""
    workers: int = 1
    """Processes that ask; their limits add up to those of the run."""
    engine: Engine = "loky"
    """What starts the workers: processes of this machine, or a cluster."""
    cluster: str | None = None
    """The address of a cluster's scheduler; None: one is started on this machine."""
    shared: str | None = None
    """Where workers put what comes back, as a path or an address that fsspec knows; None: in the
    run's folder, which all of them have to reach."""
    retries: RetryPolicy = field(default_factory=RetryPolicy, compare=False)

    def __post_init__(self) -> None:
        if self.way not in ("auto", *WAYS):
            raise UsageError(f"way {self.way!r}: expected auto, {' or '.join(WAYS)}")
        if self.thought not in get_args(Thought):
            raise UsageError(f"thought {self.thought!r}: expected api or text")
        if self.images not in get_args(ImageSource):
            raise UsageError(f"images {self.images!r}: expected base64 or file")
        counts = {"samples": 1, "limit": 1, "shots": 0, "max_tokens": 1}
        counts |= {"concurrency": 1, "max_concurrency": 1, "batch_size": 1, "workers": 1}
        for name, least in counts.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} {value}: expected at least {least}")
        if self.selection.stratified and self.limit is None:
            raise UsageError("stratified: all questions are asked; it takes a limit")
        is_count = isinstance(self.orders, int) and self.orders >= 1
        if self.orders not in (None, "cyclic") and not is_count:
            raise UsageError(f"orders {self.orders!r}: expected at least 1, or cyclic")
        warmth = self.temperature
        in_range = not isinstance(warmth, int | float) or 0 <= warmth <= 1
        if not in_range or (isinstance(warmth, str) and warmth != "default"):
            raise UsageError(f"temperature {warmth!r}: expected 0 to 1, None or 'default'")
        amounts = {"budget": "dollars", "requests_per_minute": "a number"}
        amounts |= {"tokens_per_minute": "a number", "deadline_seconds": "seconds"}
        for name, unit in amounts.items():
            amount = getattr(self, name)
            if amount is not None and not amount > 0:
                raise UsageError(f"{name} {amount:g}: expected {unit}, more than 0")
        if self.engine not in get_args(Engine):
            raise UsageError(f"engine {self.engine!r}: expected {', '.join(get_args(Engine))}")
        if self.has_workers and (self.batch or self.images == "file" or not self.keep_text):
            raise UsageError(
                "workers ask directly, with pictures in the requests, and read the questions from "
                "the run's folder: leave out --batch, --images file and --no-text, or the workers"
            )
        if self.cluster is not None and self.engine == "loky":
            raise UsageError(f"cluster {self.cluster}: name its kind, by --engine dask or ray")
        at_once = self.concurrency or self.max_concurrency
        if self.workers > at_once:
            raise UsageError(
                f"workers {self.workers}: expected at most as many as requests at once, {at_once}"
            )
        if not self.keep_text and (self.batch or self.images == "file"):
            raise UsageError(
                "without texts on disk neither batches nor uploaded files: organizations with zero "
                "data retention may use neither"
            )

    @property
    def has_workers(self) -> bool:
        """Whether other processes ask."""
        return self.workers > 1 or self.engine != "loky" or self.cluster is not None

    @property
    def per_minute(self) -> dict[str, float]:
        """The limits a minute that the user sets, by kind."""
        limits = {"requests": self.requests_per_minute, "tokens": self.tokens_per_minute}
        return {kind: limit for kind, limit in limits.items() if limit is not None}

    @property
    def sent_temperature(self) -> float | None:
        """The temperature for models that take one; None: the endpoint's own."""
        if isinstance(self.temperature, int | float):
            return self.temperature
        return 0.0 if self.temperature == "default" and self.samples == 1 else None
