"""Which rows of a file belong to a set."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.loaders.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """A condition that rows have to meet; the others are passed over.

    Args:
        column: a column, or a dotted path.
        allowed: what may stand there; empty: anything.
        refused: what may not.
        filled: True: there must be something; False: nothing.

    Example:
        >>> RowFilter(column="type", allowed=("choice",)).takes(Record(1, {"type": "open"}))
        False
    """

    column: str
    allowed: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    filled: bool | None = None

    def takes(self, record: Record) -> bool:
        """Whether a row meets it."""
        value = record.get(self.column)
        if self.filled is not None:
            return (value not in (None, "", [])) is self.filled
        text = value.strip() if isinstance(value, str) else describe(value)
        return text not in self.refused and (not self.allowed or text in self.allowed)


def describe(value: object) -> str:
    """A value that is no text as a definition spells it: true, false, a number, or nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
