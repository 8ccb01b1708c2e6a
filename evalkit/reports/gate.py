"""A gate in words for the terminal: the verdict, then every number behind it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evalkit.progress import dollars
from evalkit.reports.tables import clean
from evalkit.reports.wording import count, render_p
from evalkit.stats.verdicts import Verdict

if TYPE_CHECKING:
    from evalkit.gate_records import GateRecord
    from evalkit.gating import GateResult
    from evalkit.stats.intervals import Interval

WIDTH = 80

UNBROKEN = "\N{NO-BREAK SPACE}%"

TITLES = {
    Verdict.REGRESSED: "Regressed",
    Verdict.NO_REGRESSION: "No regression beyond the margin",
    Verdict.INCONCLUSIVE: "Inconclusive",
    Verdict.INVALID: "Invalid",
}


def render_result(result: GateResult) -> str:
    """All gates, and what they come to together."""
    parts = [render_gate(record) for record in result.gates]
    if len(result.gates) + len(result.errors) > 1:
        parts = [
            f"{clean(record.plan.suite)}\n{part}"
            for record, part in zip(result.gates, parts, strict=True)
        ]
        verdict = result.verdict
        title = "No verdict yet" if verdict is None else TITLES[verdict]
        parts.append(f"All {len(result.gates) + len(result.errors)} benchmarks together: {title}.")
    return "\n\n".join(parts)


def render_gate(record: GateRecord) -> str:
    """The verdict's sentence, then one fact a line."""
    facts = [wrap(fact, indent="  ") for fact in list_facts(record)]
    return "\n".join([wrap(describe_verdict(record)), *facts])


def wrap(text: str, indent: str = "") -> str:
    """A text in lines of 80 columns; further lines of a fact stand farther in."""
    filled = textwrap.fill(
        text.replace(" %", UNBROKEN),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=2 * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled.replace(UNBROKEN, " %")


def describe_verdict(record: GateRecord) -> str:
    """The verdict in the words of the specification, with its numbers filled in."""
    if record.full is not None and record.verdict is not Verdict.INVALID:
        return describe_full(record)
    plan, suite = record.plan, clean(record.plan.suite)
    terms = plan.terms
    used = f"{record.used:,} of {plan.size:,} questions used"
    counts = f"{count(record.losses, 'loss', 'losses')}, {count(record.gains, 'gain')}"
    margin = points(terms.margin)
    match record.verdict:
        case Verdict.REGRESSED:
            fail = points(terms.margin if terms.fail_margin is None else terms.fail_margin)
            chance = percent(terms.alpha / terms.suites)
            return (
                f"Regressed: accuracy on {suite} fell by more than {fail} points. "
                f"{describe_course(record, used, counts)} "
                f"Chance of this verdict when the drop is at most {fail} points: at most {chance}."
            )
        case Verdict.NO_REGRESSION:
            return (
                f"No regression beyond {margin} points on {suite}. "
                f"{describe_course(record, used, counts)} Chance of this verdict when the drop is "
                f"more than {margin} points: at most {percent(terms.alpha)}."
            )
        case Verdict.INCONCLUSIVE:
            return (
                f"Inconclusive after {record.used:,} of {plan.size:,} questions (budget): "
                f"{counts}; {describe_range(record.drop)}, and the margin of {margin} lies inside. "
                f"About {record.more:,} questions more would probably decide."
            )
        case Verdict.INVALID:
            return (
                f"Invalid: a request failed for good, and a gate skips none "
                f"({clean(record.reason)}). {used}; {counts}. The same command tries it again."
            )
        case _:
            return (
                f"No verdict yet. {used}; {counts}; {describe_drop(record)}. The same command goes "
                "on."
            )


def describe_course(record: GateRecord, used: str, counts: str) -> str:
    """How far it went: a count if all were asked, else an interval."""
    if record.is_exhausted:
        return f"{counts}; {describe_drop(record)}."
    return f"{used}; {counts}; {describe_drop(record)}."


def describe_drop(record: GateRecord) -> str:
    """The drop on this set, as far as it is known."""
    drop = record.drop
    if drop is None:
        return describe_range(drop)
    if record.is_exhausted:
        return (
            f"all {record.plan.size:,} questions asked: the drop on this set is "
            f"{points(drop.low)} points (a count, no sampling error)"
        )
    return f"{describe_range(drop)} ({percent(drop.level)}, valid at any stopping time)"


def describe_range(drop: Interval | None) -> str:
    """The interval of the drop in points."""
    if drop is None:
        return "the drop is not known yet"
    return f"the drop is between {points(drop.low)} and {points(drop.high)} points"


def describe_full(record: GateRecord) -> str:
    """The verdict of a complete run: about questions like these, then about these."""
    full, plan = record.full, record.plan
    assert full is not None, "all was asked"
    suite, margin = clean(plan.suite), points(plan.terms.margin)
    interval = (
        f"the drop on questions like these is between {points(0.0 - full.interval.high)} and "
        f"{points(0.0 - full.interval.low)} points ({describe_interval(full.interval)})"
    )
    counts = f"{count(record.losses, 'loss', 'losses')}, {count(record.gains, 'gain')}"
    sentence = {
        Verdict.REGRESSED: f"Regressed: accuracy on questions like those of {suite} is lower by "
        f"more than {margin} points. {counts}; {interval}.",
        Verdict.NO_REGRESSION: f"No regression beyond {margin} points on questions like those of "
        f"{suite}. {counts}; {interval}.",
        Verdict.INCONCLUSIVE: f"Inconclusive on questions like those of {suite}: {counts}; "
        f"{interval}, and the margin of {margin} lies inside.",
    }[full.verdict]
    on_this_set = (
        "within the margin" if full.on_this_set is Verdict.NO_REGRESSION else "beyond the margin"
    )
    return (
        f"{sentence} All {plan.size:,} questions asked: the drop on this set is "
        f"{points(full.drop)} points (a count, no sampling error), {on_this_set}."
    )


def describe_interval(interval: Interval) -> str:
    """What an interval is: its level, method, n and clusters."""
    clusters = "" if interval.clusters is None else f", {interval.clusters:,} clusters"
    level, method = percent(interval.level), interval.method
    return f"{level} {method} interval, n = {interval.n:,}{clusters}"


def list_facts(record: GateRecord) -> Iterator[str]:
    """What the verdict rests on, in the order of the specification."""
    plan, drop = record.plan, record.drop
    terms, lot = plan.terms, plan.lot
    yield f"Used {record.used:,}, asked {record.asked:,}, of {plan.size:,} questions"
    yield f"Losses {record.losses:,}, gains {record.gains:,}"
    if drop is not None and record.is_exhausted:
        yield f"Drop on this set: {points(drop.low)} points, a count"
    elif drop is not None:
        yield (
            f"Drop on this set: [{points(drop.low)}, {points(drop.high)}] points "
            f"({percent(drop.level)}, {drop.method}, valid at any stopping time); estimate "
            f"{points(drop.estimate)}, stopped early"
        )
    fail = terms.margin if terms.fail_margin is None else terms.fail_margin
    yield (
        f"Betting p-values: {render_p(record.pass_p_value)} of a drop beyond "
        f"{points(terms.margin)} points, {render_p(record.fail_p_value)} of a drop within "
        f"{points(fail)}"
    )
    yield (
        f"Evidence: pass {record.pass_evidence:.2f} of {record.pass_limit:.2f}, fail "
        f"{record.fail_evidence:.2f} of {record.fail_limit:.2f}"
    )
    suites = "" if terms.suites == 1 else f" (a regression at {terms.alpha:g} / {terms.suites})"
    share = f"{100 * lot.volatile / plan.size:.1f} %"
    order = (
        f"{share} of the questions are volatile and weighted 4 : 1, by {count_runs(lot.history)}"
        if lot.volatile
        else f"uniform order ({count_runs(lot.history)} of the model)"
    )
    margins = f"Margin {points(terms.margin)} points"
    if terms.fail_margin is not None:
        margins += f", fail margin {points(terms.fail_margin)}"
    yield f"{margins}, alpha {terms.alpha:g}{suites}, seed {plan.seed}, {order}"
    yield (
        f"Expected for an unchanged candidate: about {plan.expected:,.0f} questions at "
        f"{100 * lot.flips:.1f} % flips ({lot.flips_from})"
    )
    yield describe_noise(record)
    yield from list_circumstances(record)


def count_runs(history: Sequence[str]) -> str:
    """How many earlier runs there are."""
    if not history:
        return "no earlier run"
    return "1 earlier run" if len(history) == 1 else f"{len(history)} earlier runs"


def describe_noise(record: GateRecord) -> str:
    """The margin that the model's own scatter allows."""
    floor = record.plan.noise_floor
    if floor is None:
        return "Noise floor: unknown (the baseline has one answer a question)"
    words = f"Noise floor: {points(floor)} points"
    if record.plan.is_too_noisy:
        return f"{words}; the margin is below it: an unchanged model would fail too often"
    return words


def list_circumstances(record: GateRecord) -> Iterator[str]:
    """What else has to be known of the comparison."""
    plan = record.plan
    if plan.left_out:
        yield f"Left out, without a score in the baseline: {plan.left_out:,} questions"
    changed = "; ".join(map(clean, record.changed)) or "nothing"
    yield f"Changed since the baseline {plan.baseline}: {changed}"
    if len(record.models_served) > 1:
        served = ", ".join(map(clean, record.models_served))
        yield f"Several models answered, which may be a change in the middle: {served}"
    if record.spent:
        lost = f" and up to {dollars(record.lost)} for what was broken off" if record.lost else ""
        yield f"Spent {dollars(record.spent)}{lost}"
    yield f"Candidate: {clean(record.folder)}"


def points(share: float) -> str:
    """A difference in points, with one decimal, or more where a margin has more.

    Example:
        >>> points(0.0213), points(-0.0), points(0.0025)
        ('2.1', '0.0', '0.25')
    """
    rounded = round(100 * share, 10)
    if abs(rounded) < 1 and rounded == round(rounded, 2):
        return f"{rounded + 0.0:.2f}" if rounded != round(rounded, 1) else f"{rounded + 0.0:.1f}"
    text = f"{rounded:.1f}"
    return "0.0" if text == "-0.0" else text


def percent(share: float) -> str:
    """A level or an error as a percentage.

    Example:
        >>> percent(0.05), percent(0.9), percent(0.025)
        ('5 %', '90 %', '2.5 %')
    """
    return f"{100 * share:.4g} %"
