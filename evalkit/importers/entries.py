"""One object of a log with the place where it stands, so that each fault can be named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.errors import LogError
from evalkit.importers.logged import as_utf8
from evalkit.loaders.records import shorten

DOUBTFUL = "is the log whole, and of this format (--format)?"
"""What may be wrong with a log that lacks what its tool always writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An object of a log.

    Example:
        >>> entry = Entry(path=Path("a.json"), place=3, values={"id": 7})
        >>> entry.text("id")
        Traceback (most recent call last):
        ...
        evalkit.errors.LogError: a.json:3: id = 7: expected text; is the log whole, and of this ...
    """

    path: Path
    """The log."""
    values: Mapping[str, Any]
    place: int | str | None = None
    """Where in the log: a line, a member of an archive, the number of a record."""
    keys: str = ""
    """The keys that lead to it from there."""

    def fault(self, key: str, remedy: str) -> LogError:
        """An error about one of its fields."""
        value = shorten(self.values.get(key))
        return LogError(f"{self.keys}{key} = {value}: {remedy}", path=self.path, place=self.place)

    def has(self, key: str) -> bool:
        """Whether a field is there and not null."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """A text that has to be there."""
        value = self.values.get(key)
        if not isinstance(value, str):
            raise self.fault(key, f"expected text; {DOUBTFUL}")
        return value

    def text_or(self, key: str, otherwise: str = "") -> str:
        """A text, or something else if there is none."""
        value = self.values.get(key)
        return value if isinstance(value, str) else otherwise

    def name(self, key: str) -> str:
        """A text or a whole number that names something."""
        value = self.values.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str) or not value.strip():
            raise self.fault(key, f"expected a name or a number; {DOUBTFUL}")
        return as_utf8(value)

    def count(self, key: str, least: int = 0, most: int = 1_000_000) -> int:
        """A whole number within bounds."""
        value = self.values.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self.fault(key, f"expected a whole number from {least} to {most:,}")
        return value

    def entry(self, key: str) -> Entry:
        """An object within it that has to be there."""
        value = self.values.get(key)
        if not isinstance(value, Mapping):
            raise self.fault(key, f"expected an object; {DOUBTFUL}")
        return replace(self, values=value, keys=f"{self.keys}{key}.")

    def entry_or_empty(self, key: str) -> Entry:
        """An object within it; an empty one if there is none."""
        value = self.values.get(key)
        found = value if isinstance(value, Mapping) else {}
        return replace(self, values=found, keys=f"{self.keys}{key}.")

    def list(self, key: str) -> list[Any]:
        """A list that has to be there."""
        value = self.values.get(key)
        if not isinstance(value, list):
            raise self.fault(key, f"expected a list; {DOUBTFUL}")
        return value

    def entries(self, key: str, *, counted: bool = False) -> Iterator[Entry]:
        """The objects of a list that has to be there.

        Args:
            key: of the list.
            counted: whether they are records of the log, which faults name by their number.
        """
        for number, value in enumerate(self.list(key), 1):
            place = f"{key}[{number - 1}]"
            if not isinstance(value, Mapping):
                reason = f"{self.keys}{place} = {shorten(value)}: expected an object; {DOUBTFUL}"
                raise LogError(reason, path=self.path, place=self.place)
            if counted:
                yield replace(self, values=value, place=f"{self.keys}{place}", keys="")
            else:
                yield replace(self, values=value, keys=f"{self.keys}{place}.")
