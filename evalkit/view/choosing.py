"""Which runs of the list are shown, in which order, as the address says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from evalkit.view.listing import Listed

FIELDS = ("benchmark", "model", "way", "state")
"""What a run may be chosen by."""

PAGE = 500
"""So many runs are shown at once."""

KEYS: Mapping[str, Callable[[Listed], Any]] = {
    "date": lambda row: row.created_at or None,
    "accuracy": lambda row: row.accuracy,
    "n": lambda row: row.n,
    "cost": lambda row: row.cost,
    "benchmark": lambda row: row.benchmark.casefold() or None,
    "model": lambda row: row.model.casefold() or None,
    "way": lambda row: row.way or None,
    "state": lambda row: row.state,
}
"""What a run may be sorted by; None comes last."""

FALLING = ("date", "accuracy", "n")
"""Where the largest is wanted first."""

ORDERS = tuple(
    (f"{sign}{name}", f"{name}, {words}")
    for name in KEYS
    for sign, words in (("-", "falling"), ("", "rising"))
)
"""All orders as they stand in the address, with their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be shown of the list."""

    wanted: Mapping[str, str]
    """By field; what is not there is not asked for."""
    text: str = ""
    """Words that have to be found."""
    sort: str = "date"
    is_falling: bool = True
    page: int = 1

    def select(self, rows: Sequence[Listed]) -> list[Listed]:
        """The runs asked for, all pages of them, in the order asked for."""
        words = self.text.casefold().split()
        found = [
            row
            for row in rows
            if all(getattr(row, name) == value for name, value in self.wanted.items())
            and all(word in describe(row) for word in words)
        ]
        key = KEYS[self.sort]
        known = [row for row in found if key(row) is not None]
        known.sort(key=key, reverse=self.is_falling)
        return known + [row for row in found if key(row) is None]

    def cut(self, rows: Sequence[Listed]) -> Sequence[Listed]:
        """The page asked for."""
        return rows[(self.page - 1) * PAGE : self.page * PAGE]

    def link(self, *, sort: str | None = None, page: int = 1) -> str:
        """The address of the same choice with another order or page."""
        falls = self.is_falling
        if sort is not None:
            falls = not falls if sort == self.sort else sort in FALLING
        query = {**self.wanted, "text": self.text, "sort": name_sort(sort or self.sort, falls)}
        if page > 1:
            query["page"] = str(page)
        kept = {name: value for name, value in query.items() if value and value != "-date"}
        return f"/?{urlencode(kept, errors='replace')}" if kept else "/"


def describe(row: Listed) -> str:
    """What is searched."""
    parts = row.name, row.benchmark, row.model, row.way, row.details, row.state, row.problem
    return " ".join(parts).casefold()


def name_sort(sort: str, is_falling: bool) -> str:
    """An order as it stands in the address."""
    return f"-{sort}" if is_falling else sort


def parse_choice(query: Mapping[str, str]) -> Choice:
    """What an address asks for; what makes no sense there counts as not said."""
    sort = query.get("sort", "-date")
    name = sort.removeprefix("-")
    page = query.get("page", "1")
    return Choice(
        wanted={field: query[field] for field in FIELDS if query.get(field)},
        text=query.get("text", ""),
        sort=name if name in KEYS else "date",
        is_falling=sort.startswith("-") or name not in KEYS,
        page=max(1, int(page)) if page.isdecimal() and len(page) < 9 else 1,
    )


def list_values(rows: Sequence[Listed], field: str) -> list[str]:
    """What runs may be chosen by a field."""
    return sorted({value for row in rows if (value := getattr(row, field))}, key=str.casefold)
