"""A table of typed values, which each format writes in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evalkit.reports.tables import percent
from evalkit.reports.wording import points, render_p

Value = str | int | float | bool | None
"""A cell; None where something is undefined or does not apply."""


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    """Words, many of which come from models and question sets: untrusted."""
    COUNT = "count"
    SHARE = "share"
    """A fraction, shown in percent."""
    DIFFERENCE = "difference"
    """A fraction, shown in points with its sign."""
    POINTS = "points"
    """A fraction, shown in points."""
    P_VALUE = "p"
    NUMBER = "number"
    """Any other number, shown with four digits that count."""
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a sheet."""

    name: str
    """In files that programs read."""
    title: str
    """For people."""
    kind: Kind = Kind.TEXT

    @property
    def is_number(self) -> bool:
        """Whether its cells belong to the right."""
        return self.kind not in (Kind.TEXT, Kind.FLAG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table with its title."""

    name: str
    """In files, such as `summary`."""
    title: str
    """What it shows, by which method."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.name

    def drop_empty(self) -> Sheet:
        """The same without columns in which nothing is defined."""
        kept = [
            place
            for place in range(len(self.columns))
            if any(row[place] is not None for row in self.rows)
        ]
        return Sheet(
            name=self.name,
            title=self.title,
            columns=tuple(self.columns[place] for place in kept),
            rows=tuple(tuple(row[place] for place in kept) for row in self.rows),
        )

    def choose(self, names: Sequence[str]) -> Sheet:
        """Some of its columns, in this order."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        kept = [places[name] for name in names]
        return Sheet(
            name=self.name,
            title=self.title,
            columns=tuple(self.columns[place] for place in kept),
            rows=tuple(tuple(row[place] for place in kept) for row in self.rows),
        )


def render_value(value: Value, kind: Kind) -> str:
    """A cell for people; untrusted text as it came.

    Example:
        >>> render_value(0.875, Kind.SHARE), render_value(-0.02, Kind.DIFFERENCE)
        ('87.5', '-2.0')
        >>> render_value(None, Kind.COUNT), render_value(True, Kind.FLAG)
        ('-', 'yes')
    """
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    match kind:
        case Kind.FLAG:
            return "yes" if value else "no"
        case Kind.COUNT:
            return f"{value:,}"
        case Kind.SHARE:
            return percent(value)
        case Kind.DIFFERENCE:
            return points(value, signed=True)
        case Kind.POINTS:
            return points(value)
        case Kind.P_VALUE:
            return render_p(value)
        case _:
            return f"{value:.4g}"
