"""The tables of the benchmark of speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.bench_cases import AIOHTTP, Further, Measured
from tests.bench_measure import Spent

COUNTED = {
    "requests": "Requests",
    "connections_accepted": "Connec-\ntions",
    "peak_concurrency": "Peak in\nflight",
    "duplicate_bodies": "Repeated\nbodies",
    "cpu_s": "Its\nCPU s",
}
"""What an upstream counts, with a heading."""

FATES = {
    "requests": "Requests",
    "ok": "200",
    "s429": "429",
    "s529": "529",
    "s500": "500",
    "resets": "Reset",
    "truncated": "Cut",
    "duplicate_bodies": "Sent\nagain",
    "answered_again": "Answered\nagain",
}


def print_speed(measured: Sequence[Measured], title: str) -> None:
    """One row a case, with ratios to the bare loop in the same case."""
    bare = {(m.questions, m.connections): m for m in measured if m.contender == AIOHTTP.name}
    rows = []
    for case in measured:
        beside = bare[case.questions, case.connections]
        rows.append(
            (
                case.contender,
                f"{case.questions:,}",
                f"{case.connections:,}",
                f"{case.cpu_seconds:.2f}",
                f"{case.cpu_seconds / beside.cpu_seconds:.2f}",
                f"{case.wall_seconds:.2f}",
                f"{case.wall_seconds / beside.wall_seconds:.2f}",
                f"{case.peak_bytes / 1e6:.0f}",
                f"{case.peak_bytes / beside.peak_bytes:.2f}",
            )
        )
    heads = ("Contender", "Questions", "At once", "CPU s", "x", "Wall s", "x", "Peak MB", "x")
    print_table(title, heads, rows)


def print_counts(measured: Sequence[Measured]) -> None:
    """One row a case: what the upstream has seen of it."""
    rows = [
        (
            case.contender,
            f"{case.questions:,}",
            f"{case.connections:,}",
            *(render_count(case.counts.get(name)) for name in COUNTED),
        )
        for case in measured
    ]
    heads = ("Contender", "Questions", "At once", *COUNTED.values())
    print_table("What the upstream has counted", heads, rows)


def print_further(further: Sequence[Further], title: str) -> None:
    """One row a contender: what a further question takes."""
    rows = [
        (
            case.contender,
            f"{case.connections:,}",
            f"{1000 * case.cpu_seconds:.3f}",
            f"{case.peak_bytes:,.0f}",
        )
        for case in further
    ]
    print_table(title, ("Contender", "At once", "CPU ms", "Peak bytes"), rows)


def print_faults(
    title: str,
    spent: Spent,
    outcomes: Mapping[str, int],
    counts: Mapping[str, int],
    *,
    expected: int,
) -> None:
    """What a run took where requests fail, how its questions ended, and what became of requests."""
    shown = {name: n for name, n in outcomes.items() if n or name in ("correct", "wrong", "failed")}
    names = (name.replace("_", " ").capitalize() for name in shown)
    row = (
        str(spent.code),
        f"{spent.wall_seconds:.2f}",
        f"{spent.cpu_seconds:.2f}",
        f"{expected:,}",
        *(f"{number:,}" for number in shown.values()),
    )
    print_table(title, ("Exit code", "Wall s", "CPU s", "Expected", *names), [row])
    fates = [f"{counts[name]:,}" for name in FATES]
    print_table("What the upstream has counted", tuple(FATES.values()), [fates])


def print_limited(title: str, shares: Mapping[str, float], *, settled_seconds: int) -> None:
    """How a run gets along with a limit, over all its time and after it should have found it."""
    after = f"after {settled_seconds} s"
    heads = ("Requests", "429s, %", f"429s {after}, %", f"Allowance used {after}, %")
    percents = (f"{100 * shares[name]:.1f}" for name in ("limited", "limited_settled", "used"))
    print_table(title, heads, [(f"{shares['requests']:,}", *percents)])


def render_count(count: float | None) -> str:
    """A number of things, or of seconds; `-` where the upstream counts none."""
    if count is None:
        return "-"
    return f"{count:.2f}" if isinstance(count, float) else f"{count:,}"


def print_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their title, the first column to the left if it is text."""
    # Not before everything is measured: it would make this process larger than its children.
    from evalkit.reports.tables import new_table, render_table

    named = heads[:1] if heads[0] == "Contender" else ()
    table = new_table(title, left=named, right=heads[len(named) :])
    for row in rows:
        table.add_row(*row)
    print(render_table(table))
