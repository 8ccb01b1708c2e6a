"""Tables of what the order of the choices changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalkit.prompts import build_labels
from evalkit.reports.tables import new_table, percent
from evalkit.reports.wording import bracket

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.results import Run
    from evalkit.stats.estimates import Estimate
    from evalkit.summaries import OrderSummary


def build_orders(runs: Sequence[Run]) -> list[Table]:
    """Two tables of the runs whose choices were shown in several orders; none if there are none."""
    found = [
        (f"({number})", run, run.summary.orders)
        for number, run in enumerate(runs, 1)
        if run.summary.orders is not None
    ]
    return [build_flips(found), build_places(found)] if found else []


def build_flips(found: Sequence[tuple[str, Run, OrderSummary]]) -> Table:
    """One row a run: questions right in all orders, and those whose choice changes."""
    table = new_table(
        "Questions right in every order of the choices, and those that flip, in percent",
        left=("", "Orders"),
        right=("n", "All right", "Interval", "Flip rate", "Interval"),
    )
    for name, run, orders in found:
        table.add_row(
            name,
            str(run.manifest.identity.orders),
            str(orders.flips.n if orders.flips else 0),
            *render_estimate(orders.all_right),
            *render_estimate(orders.flips),
        )
    return table


def build_places(found: Sequence[tuple[str, Run, OrderSummary]]) -> Table:
    """One row a position of the right choice: each run's accuracy."""
    table = new_table(
        "By position of the right choice: accuracy [interval] n",
        left=("Right",),
        right=tuple(name for name, _, _ in found),
    )
    places = sorted({place for _, _, orders in found for place, _ in orders.by_place})
    labels = name_places(places[-1] + 1, [run for _, run, _ in found])
    for place in places:
        cells = []
        for _, _, orders in found:
            estimate = dict(orders.by_place).get(place)
            cells.append("-" if estimate is None else render_cell(estimate))
        table.add_row(labels[place], *cells)
    return table


def name_places(count: int, runs: Sequence[Run]) -> tuple[str, ...]:
    """What runs call so many positions: by both names if they don't agree."""
    names = [build_labels(max(2, count), run.manifest.prompt.labels) for run in runs]
    return tuple("/".join(dict.fromkeys(each)) for each in zip(*names, strict=True))


def render_estimate(estimate: Estimate | None) -> tuple[str, str]:
    """A share and its interval."""
    if estimate is None:
        return "-", "-"
    return percent(estimate.mean), bracket(estimate.interval)


def render_cell(estimate: Estimate) -> str:
    """A share in one cell; whole percents, since n may be small."""
    words = f"{100 * estimate.mean:.0f}"
    if (interval := estimate.interval) is not None:
        words += f" [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"
    return f"{words} {estimate.n}"
