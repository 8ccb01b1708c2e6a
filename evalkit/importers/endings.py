"""Which paths may be logs of other tools, told without opening them."""

from __future__ import annotations

from pathlib import Path

TABLES = (".csv", ".tsv")
LINES = (".jsonl", ".ndjson")
WHOLE = (".json", ".eval")

HELM_FILES = ("per_instance_stats.json", "scenario_state.json")
"""One of these is in the folder of each run of HELM."""


def is_log(path: Path) -> bool:
    """Whether a path may be another tool's log, by its ending; of HELM a run's folder.

    Example:
        >>> is_log(Path("nowhere.eval"))
        False
    """
    if path.is_dir():
        return any((path / name).is_file() for name in HELM_FILES)
    return path.is_file() and path.suffix.lower() in (*TABLES, *LINES, *WHOLE)
