"""What a model takes: known from the catalogue, or not known yet."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Thinking = Literal["off", "disabled", "between_tools", "always", "unknown"]
"""How to keep a model from thinking; see the top of catalogue.toml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one model takes at one endpoint; None where that is not known."""

    prefill: bool | None = None
    temperature: bool | None = None
    thinking: Thinking = "unknown"

    @property
    def may_think(self) -> bool:
        """Whether a reply needs room for thinking, whatever we send."""
        return self.thinking == "always"

    @property
    def no_thinking(self) -> Mapping[str, str] | None:
        """What to send as `thinking` so that the model answers at once; None: nothing."""
        return {"type": self.thinking} if self.thinking in ("disabled", "between_tools") else None


EMBEDDED = Capabilities(prefill=True, temperature=True, thinking="off")
"""The embedded models: their engine continues a prefill, and samples unless told not to."""


@functools.cache
def load_catalogue() -> Mapping[str, Capabilities]:
    """The models that evalkit knows, by id and by alias.

    Example:
        >>> load_catalogue()["claude-haiku-4-5"].prefill
        True
    """
    text = Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8")
    catalogue = {}
    for entry in tomllib.loads(text)["model"]:
        capabilities = Capabilities(
            prefill=entry["prefill"], temperature=entry["temperature"], thinking=entry["thinking"]
        )
        for name in (entry["id"], entry.get("alias", entry["id"])):
            catalogue[name] = capabilities
    return catalogue


def find_capabilities(model: str) -> Capabilities:
    """What the catalogue says of a model; a newer Claude may think before it answers."""
    known = load_catalogue().get(model)
    if known is not None:
        return known
    return Capabilities(thinking="always" if model.startswith("claude-") else "unknown")
