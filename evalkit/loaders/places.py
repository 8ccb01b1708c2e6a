"""Where each question's id stands, to name the place if it comes again."""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter
from pathlib import Path

from evalkit.id_table import IdTable


class Places:
    """File and line of each id, as one number each: there may be millions."""

    def __init__(self) -> None:
        self._numbers = IdTable()
        """The line of each id, counted on from file to file."""
        self._files: list[tuple[int, Path]] = []
        """Each file, and the number after which its lines are counted."""
        self._last = 0

    def __contains__(self, name: str) -> bool:
        return name in self._numbers

    def add(self, name: str, path: Path, line: int) -> bool:
        """Note an id unless it is known, in the order of files and lines; say if it was new."""
        if not self._files or self._files[-1][1] is not path:
            self._files.append((self._last, path))
        number = self._files[-1][0] + line
        if not self._numbers.add_new(name, number):
            return False
        self._last = number
        return True

    def find(self, name: str) -> str:
        """File and line of an id."""
        number = self._numbers.get(name)
        assert number is not None, "it was added"
        before, path = self._files[bisect_left(self._files, number, key=itemgetter(0)) - 1]
        return f"{path}:{number - before}"
