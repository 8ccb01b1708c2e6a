"""What probes found out about models at endpoints, remembered for a week."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.models.model import Capabilities

LIFETIME_SECONDS = 7 * 24 * 3600.0
"""A server that is replaced by another version is asked anew after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """A file of findings; one that is missing, broken or can't be written is as good as empty."""

    path: Path

    def add_to(self, capabilities: Capabilities, model: str, host: str) -> Capabilities:
        """Fill what the catalogue leaves open with what was found out before."""
        entry = self._read().get(f"{model} at {host}")
        if not isinstance(entry, dict) or time.time() - entry.get("at", 0) > LIFETIME_SECONDS:
            return capabilities
        prefill, temperature = entry.get("prefill"), entry.get("temperature")
        return replace(
            capabilities,
            prefill=prefill if isinstance(prefill, bool) else capabilities.prefill,
            temperature=temperature if isinstance(temperature, bool) else capabilities.temperature,
        )

    def remember(self, capabilities: Capabilities, model: str, host: str) -> None:
        """Keep what a probe or an error has shown."""
        entry = {
            "prefill": capabilities.prefill,
            "temperature": capabilities.temperature,
            "at": time.time(),
        }
        entries = {**self._read(), f"{model} at {host}": entry}
        part = self.path.with_name(f"{self.path.name}.part{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(entries, indent=1), encoding="utf-8")
            part.replace(self.path)
        except OSError:
            part.unlink(missing_ok=True)

    def _read(self) -> dict[str, object]:
        """All entries."""
        try:
            entries = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}


def default_findings() -> Findings:
    """The file in the user's cache folder, or in EVALKIT_CACHE_DIR."""
    import platformdirs

    folder = os.environ.get("EVALKIT_CACHE_DIR") or platformdirs.user_cache_dir("evalkit")
    return Findings(path=Path(folder) / "findings.json")
