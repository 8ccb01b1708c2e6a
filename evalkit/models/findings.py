"""What probes found out about models at endpoints, remembered for a week."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from evalkit.models.model import Capabilities, Thinking, ThinkingSwitch

ANSWERS = ("prefill", "temperature", "forced_tool", "structured")
"""Capabilities that are yes, no, or not known."""

CHOICES = {
    "thinking": tuple(kind for kind in get_args(Thinking) if kind != "unknown"),
    "think_on": get_args(ThinkingSwitch),
}
"""Capabilities that are one of several words."""

LIFETIME_SECONDS = 7 * 24 * 3600.0
"""A server that is replaced by another version is asked anew after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """A file of findings; one that is missing, broken or can't be written is as good as empty."""

    path: Path
    learned: dict[str, object] = field(default_factory=dict)
    """What this process found out; it counts even where the file can't be written."""

    def add_to(self, capabilities: Capabilities, model: str, host: str) -> Capabilities:
        """Fill what the catalogue leaves open with what was found out before."""
        entry = self._entries().get(f"{model} at {host}")
        if not isinstance(entry, dict) or not is_fresh(entry.get("at")):
            return capabilities
        found = {name: entry[name] for name in ANSWERS if isinstance(entry.get(name), bool)}
        for name, allowed in CHOICES.items():
            if entry.get(name) in allowed:
                found[name] = entry[name]
        if entry.get("efforts") == []:
            found["efforts"] = ()
        return replace(capabilities, **found)

    def remember(self, capabilities: Capabilities, model: str, host: str) -> None:
        """Keep what a probe or an error has shown."""
        facts = {name: getattr(capabilities, name) for name in (*ANSWERS, *CHOICES)}
        if capabilities.efforts == ():
            facts["efforts"] = []
        self.learned[f"{model} at {host}"] = {**facts, "at": time.time()}
        part = self.path.with_name(f"{self.path.name}.part{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(self._entries(), indent=1), encoding="utf-8")
            part.replace(self.path)
        except OSError:
            with suppress(OSError):
                part.unlink()

    def _entries(self) -> dict[str, object]:
        """All entries of the file, and what this process knows better."""
        try:
            entries = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            entries = {}
        return {**(entries if isinstance(entries, dict) else {}), **self.learned}


def is_fresh(at: object) -> bool:
    """Whether an entry of that time, in seconds since 1970, still counts."""
    return isinstance(at, int | float) and time.time() - at <= LIFETIME_SECONDS


def default_findings() -> Findings:
    """The file in the user's cache folder, or in EVALKIT_CACHE_DIR."""
    import platformdirs

    folder = os.environ.get("EVALKIT_CACHE_DIR") or platformdirs.user_cache_dir("evalkit")
    return Findings(path=Path(folder) / "findings.json")
