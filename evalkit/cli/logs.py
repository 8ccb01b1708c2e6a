"""Logs of other tools where a command takes runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.importers.endings import is_log

if TYPE_CHECKING:
    from evalkit.results import Run


@contextmanager
def opened_runs(paths: Sequence[Path]) -> Iterator[list[Run]]:
    """Runs by their folders, and those in logs, as long as the context lasts.

    Raises:
        LogError: a log can't be read.
        RunFormatError: a folder can't be read as a run.
    """
    if not any(map(is_log, paths)):
        from evalkit.results import load_run

        yield [load_run(path) for path in paths]
        return
    # What reads logs takes a while to load.
    from evalkit.importers.folders import opened_runs as opened_logs

    with opened_logs(paths) as runs:
        yield runs
