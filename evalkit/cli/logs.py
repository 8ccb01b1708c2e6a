"""Logs of other tools where a command takes runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import LogError, UsageError
from evalkit.importers.endings import is_log, list_logs

if TYPE_CHECKING:
    from evalkit.results import Run


OPTION = re.compile(
    r"--(predicted|score|answer-is|answer|id|stem|choices|group|model|sample|error|filter|format)\b"
)
"""Options that an error about a log may ask for, and that only `import` has."""


@contextmanager
def opened_runs(paths: Sequence[Path]) -> Iterator[list[Run]]:
    """Runs by their folders, and those in logs, as long as the context lasts.

    Raises:
        LogError: a log can't be read.
        UsageError: a folder is one of logs.
        RunFormatError: a folder can't be read as a run.
    """
    for path in paths:
        refuse_logs_of(path)
    if not any(map(is_log, paths)):
        from evalkit.results import load_run

        yield [load_run(path) for path in paths]
        return
    # What reads logs takes a while to load.
    from evalkit.importers.folders import opened_runs as opened_logs

    with ExitStack() as stack:
        with naming_import():
            runs = stack.enter_context(opened_logs(paths))
        yield runs


def refuse_logs_of(folder: Path) -> None:
    """Refuse a folder that holds logs and no run.

    Raises:
        UsageError: saying how to name them.
    """
    from evalkit.runs.folder import MANIFEST

    if not folder.is_dir() or is_log(folder) or (folder / MANIFEST).exists():
        return
    if any(folder.glob(f"*/{MANIFEST}")) or not (logs := list_logs(folder)):
        return
    pattern = f"{logs[0].parent}/*{logs[0].suffix}"
    raise UsageError(
        f"{folder}: holds logs and no run; name the logs, such as {pattern}, or the runs that "
        f"`evalkit import {shlex.quote(str(folder))}` makes of them"
    )


@contextmanager
def naming_import() -> Iterator[None]:
    """Let errors that ask for an option of `import` say so, where a command has no such option.

    Raises:
        LogError: the block raised one.
    """
    try:
        yield
    except LogError as error:
        option = OPTION.search(error.reason)
        if option is None:
            raise
        command = f"evalkit import {shlex.quote(str(error.path))} {option[0]} ..."
        reason = f"{error.reason} (`{command}` makes a run of it, which this command takes)"
        raise LogError(reason, path=error.path, place=error.place) from error
