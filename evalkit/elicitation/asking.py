"""What every way of asking needs to know of the model it asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.models.model import Capabilities


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The model, by the name its endpoint knows, and how it is to be sampled."""

    model: str
    capabilities: Capabilities
    temperature: float | None = 0.0
    """0 to 1; sent only where the model takes it. None: the endpoint's own."""

    def sampling(self) -> Mapping[str, Any]:
        """The fields of a body that set the temperature, if any."""
        # An endpoint that we don't know gets it too: llama.cpp samples at 0.8 unless told not to.
        if self.temperature is None or self.capabilities.temperature is False:
            return {}
        return {"temperature": self.temperature}


def user(text: str) -> dict[str, str]:
    """A turn of the user's."""
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    """A turn of the model's."""
    return {"role": "assistant", "content": text}


def system_field(*texts: str) -> Mapping[str, str]:
    """The `system` field: the texts that are not empty; no field if there is none."""
    text = "\n\n".join(text for text in texts if text.strip())
    return {"system": text} if text else {}
