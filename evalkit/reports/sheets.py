"""A table of typed values, which each format writes in its own way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from evalkit.reports.tables import percent
from evalkit.reports.wording import points, render_p

if TYPE_CHECKING:
    import pandas

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


TYPES = {Kind.TEXT: "string", Kind.COUNT: "Int64", Kind.FLAG: "boolean"}
"""Of pandas; other numbers are `Float64`."""


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
    head: str
    """In a word or two."""
    title: str
    """What it shows, by which method."""
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), self.name

    def to_dataframe(self) -> pandas.DataFrame:
        """The same with one column for each of its columns; what is undefined is NA.

        Texts are `string`, counts `Int64`, flags `boolean`, other numbers `Float64`.
        """
        import pandas

        types = {column.name: TYPES.get(column.kind, "Float64") for column in self.columns}
        return pandas.DataFrame(self.rows, columns=list(types), dtype=object).astype(types)


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
