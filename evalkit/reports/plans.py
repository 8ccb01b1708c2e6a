"""Tables of plans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from evalkit.models.model import PRICE_ADVICE
from evalkit.plans import DROP, add_up
from evalkit.progress import dollars
from evalkit.reports.tables import clean, new_table, percent, render_table
from evalkit.reports.text import describe_way
from evalkit.reports.wording import wrap

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.plans import Plan


def render_plans(plans: Sequence[Plan]) -> str:
    """Requests and tokens, price and time, and where these figures come from."""
    rows = [row for plan in plans for row in (plan, plan.otherwise) if row is not None]
    totals = add_up(plans) if len(plans) > 1 else None
    tables = [build_requests(rows, totals), build_prices(rows, totals)]
    if any(row.needs for row in rows):
        tables.append(build_needs(rows))
    notes: dict[str, list[str]] = {}
    choices = []
    for number, row in enumerate(rows, 1):
        for note in list_notes(row):
            notes.setdefault(note, []).append(str(number))
        if row.otherwise is not None:
            choices.append(
                f"({number + 1}) holds in place of ({number}) if {clean(row.model)} takes no "
                "prefill, which a first small request of the run will show"
            )
    lines = [f"({', '.join(numbers)}) {note}" for note, numbers in notes.items()]
    return "\n".join([*map(render_table, tables), *choices, *lines])


def build_requests(rows: Sequence[Plan], totals: dict[str, float | None] | None) -> Table:
    """One row a plan: what is left to ask, in requests and tokens."""
    table = new_table(
        "What is left to ask, in requests and tokens",
        left=("", "Benchmark", "Model", "Way"),
        right=("Answered", "Requests", "Input", "Output"),
    )
    for number, row in enumerate(rows, 1):
        table.add_row(
            f"({number})",
            clean(row.benchmark),
            clean(row.model),
            describe_way(row),
            f"{row.answered:,}",
            f"{row.requests:,}",
            f"{row.input_tokens:,}",
            f"{row.output_tokens:,}",
        )
    if totals is not None:
        names = ("requests", "input_tokens", "output_tokens")
        table.add_row("", "Total", "", "", "", *(f"{totals[name]:,.0f}" for name in names))
    return table


def build_prices(rows: Sequence[Plan], totals: dict[str, float | None] | None) -> Table:
    """One row a plan: dollars in each way of sending, and for what the options ask; time."""
    table = new_table(
        "What it costs plainly, with the cache, by batches; as these options ask; and its time",
        left=("",),
        right=("Plain", "Cached", "Batch", "Batch, cached", "Price", "Time"),
    )
    for number, row in enumerate(rows, 1):
        prices = row.prices
        kinds = ("plain", "cached", "batch", "batch_cached")
        amounts = [None if prices is None else getattr(prices, kind) for kind in kinds]
        cells = [render_dollars(amount) for amount in (*amounts, row.price)]
        table.add_row(f"({number})", *cells, render_time(row.seconds))
    if totals is not None:
        price, seconds = render_dollars(totals["price"]), render_time(totals["seconds"] or 0.0)
        table.add_row("Total", "", "", "", "", price, seconds)
    return table


def build_needs(rows: Sequence[Plan]) -> Table:
    """One row a share of flips of each plan: the questions that the margin takes, priced."""
    first = next(row for row in rows if row.needs)
    assert first.margin is not None, "needs are those of a margin"
    margin, power = f"{100 * first.margin:g}", f"{100 * first.power:g}"
    drop = f"{100 * DROP:g}"
    table = new_table(
        wrap(
            f"Questions that a margin of {margin} points takes, and their price for one model: to "
            f"know one accuracy within {margin} points at 95 %; to find a difference as large in a "
            f"comparison ({power} % power); in a gate on these questions, in the mean, if nothing "
            f"changed, and after a drop of {drop} points"
        ),
        left=("",),
        right=("One accuracy", "Flips", "Comparison", "Gate, no\nchange", f"Gate, drop\nof {drop}"),
    )
    for number, row in enumerate(rows, 1):
        single, *paired = row.needs
        accuracy = render_need(single.questions, single.price)
        for place, need in enumerate(paired):
            table.add_row(
                f"({number})",
                "" if place else accuracy,
                f"{percent(need.flips)} %",
                render_need(need.questions, need.price),
                *(render_need(gate.questions, gate.price) for gate in need.gates),
            )
    return table


def render_need(questions: int | None, price: float | None) -> str:
    """A number of questions with its price.

    Example:
        >>> render_need(974, 0.25), render_need(None, None)
        ('974 $0.2500', '-')
    """
    return "-" if questions is None else f"{questions:,} {render_dollars(price)}"


def describe_flips(plan: Plan) -> Iterable[str]:
    """Where the share of flips is from, and what else a comparison stands on."""
    earlier = plan.precedent
    if earlier is not None:
        yield (
            f"flips: as between {clean(earlier.first)} and {clean(earlier.second)} on "
            f"{earlier.questions:,} questions"
        )
        if earlier.design_effect is not None:
            yield (
                f"comparison: {earlier.design_effect:.1f} times as many questions for their "
                "clusters, as between these runs"
            )
    elif len(plan.needs) > 2:
        yield "flips: a range, as no two earlier runs tell of these questions; --flips states one"
    if any(need.questions is None for need in plan.needs):
        yield "-: so few flips can't make such a difference"


def list_notes(plan: Plan) -> Iterable[str]:
    """Where the figures come from, and what else there is to say."""
    basis, earlier = plan.basis, plan.basis.experience
    yield from map(clean, plan.notes)
    if plan.under_way:
        yield f"{plan.under_way:,} requests are in batches that are still to be collected"
    if plan.prices is None:
        yield f"no price is known for {clean(plan.model)}: {PRICE_ADVICE}"
    yield from describe_flips(plan)
    largest = max((need.questions or 0 for need in plan.needs), default=0)
    if largest > plan.questions:
        yield f"more than these {plan.questions:,} questions: priced as if all were as long"
    if not plan.requests:
        yield "nothing is left to ask"
        return
    if basis.counted:
        words = f"input tokens: counted by the endpoint on {basis.counted} requests"
        yield words + (f" (± {percent(basis.input_error)} %)" if basis.input_error else "")
    else:
        reason = clean(basis.not_counted or "")
        yield f"input tokens: an estimate from the length of texts ({reason})"
    if earlier.output_tokens is not None:
        yield f"output tokens: as in {earlier.replies:,} replies of {name_runs(earlier.runs)}"
    else:
        yield "output tokens: a typical figure; no earlier run tells of this model and way"
    if plan.retakes:
        share = percent(earlier.retakes)
        yield f"{plan.retakes:,} replies cut off and asked again, {share} % as before"
    if plan.prefixes:
        yield (
            f"{plan.prefixes} shared beginnings are long enough for the cache: "
            f"{plan.written_tokens:,} tokens written, {plan.read_tokens:,} read"
        )
        if plan.in_batch:
            yield "whether the requests of a batch find them in the cache is not certain"
    yield from describe_time(plan)


def describe_time(plan: Plan) -> Iterable[str]:
    """What the time stands on."""
    if plan.in_batch:
        yield "time: most batches end within an hour, all within a day"
        return
    basis = plan.basis
    timed = basis.experience.seconds is not None
    source = f"as in {name_runs(basis.experience.runs)}" if timed else "assumed"
    yield f"time: up to {plan.concurrency} at once, {basis.seconds:.1f} s each ({source})"
    limits = basis.limits
    if limits is None:
        return
    named = {
        "requests": limits.requests,
        "input tokens": limits.input_tokens,
        "output tokens": limits.output_tokens,
    }
    known = ", ".join(f"{count:,} {name}" for name, count in named.items() if count)
    kind = "the Start tier, assumed" if basis.limits_assumed else "the account"
    yield f"time: at most {known} a minute ({kind})"


def name_runs(count: int) -> str:
    """How many earlier runs.

    Example:
        >>> name_runs(1), name_runs(3)
        ('1 earlier run', '3 earlier runs')
    """
    return f"{count:,} earlier run{'' if count == 1 else 's'}"


def render_dollars(amount: float | None) -> str:
    """An amount of money; `-` where it is not known or can't be had.

    Example:
        >>> render_dollars(None), render_dollars(0.00002), render_dollars(0.5)
        ('-', '<$0.0001', '$0.5000')
    """
    if amount is None:
        return "-"
    return "<$0.0001" if 0 < amount < 0.0001 else dollars(amount)


def render_time(seconds: float) -> str:
    """A time in the unit that suits it.

    Example:
        >>> render_time(12.3), render_time(300), render_time(9000)
        ('12 s', '5 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
