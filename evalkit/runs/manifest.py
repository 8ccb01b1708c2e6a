"""What a run is: everything that can change an answer, and what is good to know beside it."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from evalkit.errors import PromptError, RunFormatError
from evalkit.models.model import Price
from evalkit.prompts import PromptFormat
from evalkit.questions import digest_of
from evalkit.requests import WAYS, Way
from evalkit.version import __version__

FORMAT = 1
"""Version of the layout of run folders."""

Evidence = Literal["replies", "picks", "scores"]
"""What an imported log holds of each answer: what the model said; the choice that the tool took it
for, as by comparing likelihoods; or no more than the tool's own score."""

Orders = int | Literal["cyclic"]
"""In which orders each question's choices are shown: so many rotations of them, or all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a run comes from that another tool made."""

    tool: str
    """Such as "inspect_ai"; empty: a table of predictions, which does not say."""
    version: str
    """Of the tool; empty: the log does not say."""
    digest: str
    """SHA-256 of the log."""
    part: str = ""
    """Which of the log's runs it is, such as the name of a filter; empty: it holds one."""
    score: str = ""
    """The name of the tool's score that is kept beside ours; empty: the log has none."""
    evidence: Evidence = "replies"
    options: str = ""
    """How the log was to be read, as JSON, where that changes what is read; empty: as it is."""

    def to_json(self) -> dict[str, Any]:
        """The origin as it stands in manifest.json."""
        table = asdict(self)
        if not self.options:  # run ids of logs that are read as they are stay
            del table["options"]
        return table

    @property
    def words(self) -> str:
        """The tool with its version."""
        return f"{self.tool} {self.version}".strip() or "whoever made the table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The settings that tell one run from another; the run id is their digest."""

    benchmark: str
    benchmark_version: str
    question_digest: str
    """SHA-256 over the questions asked, their right choices and the worked examples."""
    model: str
    """As it was asked for."""
    endpoint: str
    """Host and port; for an embedded model its engine."""
    way: Way
    prompt_digest: str
    shots: int
    parameters: Mapping[str, Any]
    """Fields that all request bodies share, such as max_tokens and temperature."""
    api_version: str
    limit: int | None
    seed: int
    """Draws the sample, the worked examples, and the orders of the choices."""
    samples: int = 1
    """Responses drawn for each question, in each order of its choices."""
    keep_text: bool = True
    """Whether texts of questions and replies are kept."""
    model_digest: str | None = None
    """SHA-256 of an embedded model's weights."""
    orders: Orders | None = None
    """In which orders each question's choices are shown; None: in the set's own alone."""
    several: bool = False
    """Whether each answer is a set of choices, since several may be right."""
    origin: Origin | None = None
    """Where the run was imported from; None: evalkit asked. Of an imported run, `way` says how its
    replies are read, and what the log does not tell is empty."""

    @property
    def asked(self) -> str:
        """The way of asking in a word; of an imported run the tool that asked."""
        if self.origin is None:
            return self.way
        return f"by {self.origin.tool}" if self.origin.tool else "imported"

    @property
    def knows_choices(self) -> bool:
        """Whether it is known which choice was picked, and not only whether it was right."""
        return self.origin is None or self.origin.evidence != "scores"

    @property
    def run_id(self) -> str:
        """Twelve hexadecimal digits."""
        return digest_of(json.dumps(self.to_json(), sort_keys=True))[:12]

    def to_json(self) -> dict[str, Any]:
        """The settings as they stand in manifest.json."""
        table = asdict(self)
        if self.orders is None:  # run ids from before there were orders stay
            del table["orders"]
        if self.origin is None:  # and those from before there were imports
            del table["origin"]
        else:
            table["origin"] = self.origin.to_json()
        if not self.several:  # and from before several choices could be picked
            del table["several"]
        return table

    @property
    def folder_name(self) -> str:
        """A readable name of the run's folder, unique by the id at its end."""
        words = (self.benchmark, self.model, self.asked, self.run_id)
        return "--".join(re.sub(r"[^A-Za-z0-9.]+", "-", word).strip("-.")[:60] for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A run's identity with the circumstances of its start."""

    identity: Identity
    prompt: PromptFormat
    questions: int
    """How many are to be asked."""
    left_out: int = 0
    """Questions with several right choices that one pick can't answer: not asked by earlier
    versions, or asked by a tool that takes no more than one."""
    filtered: int = 0
    """Rows of the set's files that its definition does not take for questions."""
    selection: str = ""
    """Which questions of the set were meant, in words; nothing: all of them."""
    way_reason: str = ""
    """Why this way of asking: asked for, in the catalogue, or found out by a probe."""
    learned: tuple[str, ...] = ()
    """What the endpoint refused before it took the requests of this run."""
    price: Price | None = None
    """Dollars for a million tokens when the run began; None: not known."""
    max_output_tokens: int | None = None
    """What the model allows, which bounds the room of requests asked once more; None: not known."""
    evalkit_version: str = __version__
    python_version: str = field(default_factory=platform.python_version)
    git_commit: str | None = None
    log: str = ""
    """The name of the file that the run was imported from; empty: evalkit asked."""
    notes: tuple[str, ...] = ()
    """What was found when it was imported and has to be known, one sentence each."""
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def prompt_parts(self) -> dict[str, str]:
        """A digest of each text of the prompt, by name."""
        return self.prompt.part_digests

    def to_json(self) -> dict[str, Any]:
        """The manifest as it stands in manifest.json."""
        identity = self.identity
        table = {**asdict(self), "identity": identity.to_json()}
        if identity.origin is None:  # so that earlier versions read what evalkit itself asked
            del table["log"], table["notes"]
        return {"format": FORMAT, "run_id": identity.run_id, **table}


def parse_manifest(table: Any) -> Manifest:
    """Read what `to_json` wrote.

    Raises:
        RunFormatError: another version of the format, or something that is no manifest.
    """
    if not isinstance(table, dict) or table.get("format") != FORMAT:
        found = table.get("format") if isinstance(table, dict) else None
        raise RunFormatError(
            f"manifest.json has format {found!r}; evalkit {__version__} reads {FORMAT}"
        )
    apart = ("format", "run_id", "identity", "prompt", "learned", "price", "notes")
    rest = {k: v for k, v in table.items() if k not in apart}
    try:
        manifest = Manifest(
            identity=parse_identity(table["identity"]),
            prompt=PromptFormat(**table["prompt"]),
            learned=tuple(table.get("learned", ())),
            notes=tuple(table.get("notes", ())),
            price=parse_price(table.get("price")),
            **rest,
        )
        datetime.fromisoformat(manifest.created_at)
    except (KeyError, TypeError, ValueError, PromptError) as error:
        raise RunFormatError(f"manifest.json can't be used: {error}") from error
    if manifest.identity.way not in WAYS or manifest.identity.run_id != table.get("run_id"):
        raise RunFormatError("manifest.json was changed: its settings don't give its run id")
    return manifest


def parse_identity(table: Mapping[str, Any]) -> Identity:
    """Settings as `to_json` wrote them."""
    if "origin" not in table:
        return Identity(**table)
    return Identity(**{**table, "origin": Origin(**table["origin"])})


def parse_price(table: Any) -> Price | None:
    """A price as `to_json` wrote it."""
    if table is None:
        return None
    return Price(**{**table, "above": parse_price(table["above"])})


def find_git_commit() -> str | None:
    """The commit of the working directory's repository, marked if there are changes."""
    # `git describe --dirty` takes a lock, which stays if the process is killed while it has it.
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch"]
    command.append("--untracked-files=no")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        return None
    commit = lines[0].removeprefix("# branch.oid ")
    is_dirty = not all(line.startswith("#") for line in lines)
    return None if commit == "(initial)" else f"{commit}-dirty" if is_dirty else commit
