"""The runs in a folder, found by looking through it: no name from outside becomes a path."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import UsageError
from evalkit.runs.folder import JOURNAL, MANIFEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What tells whether a file has changed."""

    changed_ns: int
    """Nanoseconds since 1970."""
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """A folder that holds a run, or what is left of one."""

    name: str
    path: Path
    marks: Mapping[str, Mark]
    """Of the files in it, by name."""
    problem: str = ""
    """Why nothing of it is shown; empty if nothing is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The folder of all runs.

    Links are followed as long as they stay within it.
    """

    results: Path
    """Resolved."""

    def __iter__(self) -> Iterator[Shelved]:
        """All runs, by name; a folder that holds none is passed over."""
        try:
            with os.scandir(self.results) as entries:
                names = sorted(entry.name for entry in entries)
        except OSError:
            return
        for name in names:
            found = self._look_into(name)
            if found is not None:
                yield found

    def find(self, name: str) -> Shelved | None:
        """The run whose folder has this name; None if there is none."""
        try:
            with os.scandir(self.results) as entries:
                known = next((entry.name for entry in entries if entry.name == name), None)
        except OSError:
            return None
        return None if known is None else self._look_into(known)

    def _look_into(self, name: str) -> Shelved | None:
        """What lies in one of the folders; None: it is no run."""
        path = self.results / name
        try:
            if not self._is_within(path):
                return None
            with os.scandir(path) as entries:
                files = list(entries)
        except OSError:  # a file, or gone
            return None
        marks: dict[str, Mark] = {}
        problem = "" if is_text(name) else "the name of its folder is no text"
        for entry in files:
            if entry.is_symlink() and not self._is_within(path / entry.name):
                problem = f"{entry.name} is a link that leads out of the folder of all runs"
                continue
            try:
                facts = entry.stat()
            except OSError:
                continue  # gone since
            marks[entry.name] = Mark(changed_ns=facts.st_mtime_ns, size=facts.st_size)
        if MANIFEST not in marks and JOURNAL not in marks and not problem:
            return None
        return Shelved(name=name, path=path, marks=marks, problem=problem)

    def _is_within(self, path: Path) -> bool:
        """Whether a path leads to something in the folder of all runs."""
        found = path.resolve()
        return found != self.results and found.is_relative_to(self.results)


def open_shelf(results: Path) -> Shelf:
    """Look at a folder of runs, which may be empty.

    Raises:
        UsageError: it is no folder, or a single run's.
    """
    if not results.is_dir():
        raise UsageError(f"{results}: there is no such folder; `evalkit run` makes one, of runs")
    found = results.resolve()
    if (found / MANIFEST).exists():
        raise UsageError(f"{results} is one run: name the folder that it lies in, {found.parent}")
    return Shelf(results=found)


def is_text(name: str) -> bool:
    """Whether a file's name can be written as UTF-8, and so in an address."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
