"""Tables of how much a model likes some letters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from evalkit.reports.tables import new_table, percent, render_table
from evalkit.reports.wording import bracket, points

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.positions import PositionBias
    from evalkit.stats.positions import ChiSquareTest


def render_positions(name: str, bias: PositionBias | None) -> str:
    """The letters of a run, and what the tests say.

    Args:
        name: of the run, such as "(1)".
        bias: what was found; None: no question got a reply.
    """
    if bias is None:
        return f"{name} no reply tells of letters"
    lines = (f"{name} {line}" for line in list_findings(bias))
    return "\n".join((render_table(build_positions(name, bias)), *lines))


def build_positions(name: str, bias: PositionBias) -> Table:
    """One row a letter: how often it was right, how often picked, and the accuracy where right."""
    table = new_table(
        f"{name} Letters of the first replies to {bias.n} questions; recall in percent where right",
        left=("Letter",),
        right=("Right", "Picked", "Recall", "Interval", *(f"as {x}" for x in bias.table.letters)),
    )
    rows = zip(bias.table.letters, bias.table.counts, bias.table.unread, bias.recalls, strict=True)
    for place, (letter, counts, unread, recall) in enumerate(rows):
        table.add_row(
            letter,
            str(sum(counts) + unread),
            str(sum(row[place] for row in bias.table.counts)),
            percent(recall.mean if recall else None),
            bracket(recall.interval if recall else None),
            *map(str, counts),
        )
    return table


def list_findings(bias: PositionBias) -> Iterable[str]:
    """What the tests say, each with its name."""
    deviation = bias.table.recall_deviation
    assert deviation is not None, "some letter was right"
    yield f"standard deviation of the recalls: {points(deviation)} points"
    if bias.homogeneity is None:
        yield "every letter read was right: nothing to test"
    else:
        yield f"picked as often as right? Stuart-Maxwell {describe(bias.homogeneity)}"
    if bias.balance is not None:
        yield f"right letters equally frequent? chi-square test {describe(bias.balance)}"
    if bias.sequence_p is not None:
        yield f"right letters in random sequence? runs test p {bias.sequence_p:.3f}"
    if not bias.is_random:
        yield (
            "the right letters are not in random order: what looks like a liking for a letter may "
            "come of the questions; --orders cyclic would tell"
        )


def describe(test: ChiSquareTest) -> str:
    """The figures of a test."""
    return f"{test.statistic:.1f}, df {test.df}, p {test.p_value:.3f}"
