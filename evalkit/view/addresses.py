"""The addresses of the app's pages, which can be shared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from evalkit.errors import UsageError

MOST_RUNS = 20
"""So many are compared at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs a page is about, and what they are compared by."""

    runs: tuple[str, ...]
    """Names of folders, each once, the baseline among them."""
    baseline: str = ""
    margin: float | None = None
    """The largest drop that is no regression, a fraction in (0, 0.5)."""

    @property
    def query(self) -> str:
        """What follows the question mark."""
        pairs = [("run", name) for name in self.runs]
        if self.baseline:
            pairs.append(("baseline", self.baseline))
        if self.margin is not None:
            pairs.append(("margin", f"{100 * self.margin:g}"))
        return urlencode(pairs, errors="replace")


def parse_wanted(runs: Sequence[str], query: Mapping[str, str], *, fewest: int = 1) -> Wanted:
    """Read which runs an address names.

    Args:
        runs: the names in it.
        query: what else it says.
        fewest: runs that it has to name.

    Raises:
        UsageError: it names too few or too many, or the margin is none.
    """
    baseline = query.get("baseline", "")
    names = tuple(dict.fromkeys([*runs, *([baseline] if baseline else [])]))
    if len(names) < fewest:
        raise UsageError(f"a comparison takes at least {fewest} runs: choose them in the list")
    if len(names) > MOST_RUNS:
        raise UsageError(f"{len(names)} runs: at most {MOST_RUNS} are compared at once")
    return Wanted(runs=names, baseline=baseline, margin=parse_margin(query.get("margin", "")))


def parse_margin(text: str) -> float | None:
    """A margin in points, as a fraction; None: there is none.

    Raises:
        UsageError: it is no number from more than 0 to less than 50.

    Example:
        >>> parse_margin("2"), parse_margin("")
        (0.02, None)
    """
    if not text.strip():
        return None
    try:
        points = float(text)
    except ValueError:
        points = math.nan
    if not 0 < points < 50:
        raise UsageError(f"margin {text!r}: expected points, more than 0 and less than 50")
    return points / 100


def address_of(name: str, page: str = "") -> str:
    """The address of a run's page.

    Args:
        name: of its folder.
        page: "report", "live" or "events"; nothing: whichever of the first two suits its state.

    Example:
        >>> address_of("a b--1", "live")
        '/run/a%20b--1/live'
    """
    path = f"/run/{quote(name, safe='', errors='replace')}"
    return f"{path}/{page}" if page else path
