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
        return is_helm_run(path)
    return path.is_file() and path.suffix.lower() in (*TABLES, *LINES, *WHOLE)


def is_helm_run(folder: Path) -> bool:
    """Whether a folder is that of a run of HELM."""
    return any((folder / name).is_file() for name in HELM_FILES)


def list_logs(folder: Path) -> list[Path]:
    """What may be logs in a folder, by name; folders in it only where they are a tool's own.

    Those are HELM's runs, and lm-evaluation-harness's, which has one for each model.
    """
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if is_log(path) and not path.name.startswith("."):
            found.append(path)
        elif path.is_dir():
            found += sorted(filter(is_log, path.glob("samples_*.jsonl")))
    return found
