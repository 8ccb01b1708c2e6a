"""What is said of runs in the terminal."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from evalkit.comparability import describe_served, list_differences
from evalkit.orders import count_placed
from evalkit.progress import dollars
from evalkit.reports.imports import describe_import
from evalkit.reports.orders import build_orders
from evalkit.reports.tables import clean, find_width, new_table, percent, render_table
from evalkit.reports.wording import bracket, name_methods, points
from evalkit.runs.manifest import Identity

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.plans import Plan
    from evalkit.results import Run
    from evalkit.summaries import Repetition, Summary

WIDTH_OF_SUBJECTS = 20
"""Columns of text that the table of subjects has for their names."""

OUTCOMES = ("correct", "wrong", "unparsed", "refused", "truncated", "failed", "not_asked")


def render_runs(runs: Sequence[Run]) -> str:
    """Accuracies, the answers behind them, subjects, and what has to be said about them."""
    tables = [build_accuracies(runs), build_outcomes(runs), build_errors(runs)]
    tables += build_orders(runs)
    if any(len(run.groups) > 1 for run in runs):
        widest = max(len(render_group(group)) for run in runs for group in run.groups)
        beside = max(1, (find_width() - WIDTH_OF_SUBJECTS) // (widest + 2))
        tables += [
            build_groups(runs[start : start + beside], start + 1)
            for start in range(0, len(runs), beside)
        ]
    notes = [f"({number}) {note}" for number, run in enumerate(runs, 1) for note in list_notes(run)]
    notes += note_differences(runs)
    return "\n".join(map(render_table, tables)) + "".join(f"\n{note}" for note in notes)


def build_accuracies(runs: Sequence[Run]) -> Table:
    """One row a run: accuracy, interval, n, clusters if there are any."""
    clusters = [run.summary.estimate and run.summary.estimate.clusters for run in runs]
    methods = name_methods(run.summary.accuracy for run in runs)
    partial = ["Partial"] if any(run.summary.partial for run in runs) else []
    table = new_table(
        f"Accuracy in percent, with the 95 % {methods} interval",
        left=("", "Benchmark", "Model", "Way"),
        right=("n", *(["Clusters"] if any(clusters) else []), "Accuracy", "Interval", *partial),
    )
    for number, (run, count) in enumerate(zip(runs, clusters, strict=True), 1):
        identity, summary = run.manifest.identity, run.summary
        table.add_row(
            f"({number})",
            clean(identity.benchmark),
            clean(identity.model),
            describe_way(identity),
            str(summary.asked),
            *([str(count or "-")] if any(clusters) else []),
            percent(summary.mean),
            bracket(summary.accuracy),
            *([percent(summary.partial.mean if summary.partial else None)] if partial else []),
        )
    return table


def describe_way(asked: Identity | Plan) -> str:
    """The way of asking, with worked examples, orders and samples if there are any."""
    words: str = asked.asked if isinstance(asked, Identity) else asked.way
    words += f", {asked.shots}-shot" if asked.shots else ""
    words += f", {asked.orders} order{'' if asked.orders == 1 else 's'}" if asked.orders else ""
    return words + (f", {asked.samples} samples" if asked.samples > 1 else "")


def build_outcomes(runs: Sequence[Run]) -> Table:
    """One row a run: how often each outcome."""
    table = new_table(
        "Replies, and the accuracy if unreadable ones were all wrong or all right",
        left=("",),
        right=(*(name.replace("_", "\n").capitalize() for name in OUTCOMES), "Bounds"),
    )
    for number, run in enumerate(runs, 1):
        counts = [str(getattr(run.summary, name)) for name in OUTCOMES]
        bounds = run.summary.sensitivity
        words = "-" if bounds is None else f"{percent(bounds[0])}–{percent(bounds[1])}"
        table.add_row(f"({number})", *counts, words)
    return table


def build_errors(runs: Sequence[Run]) -> Table:
    """One row a run: chance, the accuracy corrected for it, errors, and the mean of subjects."""
    means = [run.means for run in runs]
    macro = ("Macro", "Macro SE") if any(means) else ()
    table = new_table(
        "Corrected for chance, 0 is guessing and 100 perfect; standard errors in points",
        left=("",),
        right=("Chance", "Corrected", "Re-run SE", *macro),
    )
    for number, (run, mean) in enumerate(zip(runs, means, strict=True), 1):
        summary = run.summary
        corrected = None if summary.mean is None else summary.correct_for_chance(summary.mean)
        cells = [percent(summary.chance), percent(corrected), describe_rerun(summary)]
        if macro:
            cells += (
                ["-", "-"]
                if mean is None
                else [percent(mean.macro), render_error(mean.macro_error)]
            )
        table.add_row(f"({number})", *cells)
    return table


def describe_rerun(summary: Summary) -> str:
    """The standard error of another run on the same questions."""
    if summary.samples == 1:
        return "unknown (K = 1)"
    return render_error(None if summary.repetition is None else summary.repetition.rerun_error)


def render_error(error: float | None) -> str:
    """A standard error in points."""
    return "-" if error is None else points(error)


def build_groups(runs: Sequence[Run], first: int) -> Table:
    """One row a subject: each run's accuracy, interval and n."""
    names = sorted({group.name for run in runs for group in run.groups})
    count = sum(group.accuracy is not None for run in runs for group in run.groups)
    table = new_table(
        f"By subject: accuracy [interval] n; about 1 in 20 of these {count} intervals misses",
        left=("Subject",),
        right=tuple(f"({number})" for number in range(first, first + len(runs))),
    )
    for name in names:
        cells = []
        for run in runs:
            group = next((group for group in run.groups if group.name == name), None)
            cells.append("-" if group is None else render_group(group))
        table.add_row(clean(name), *cells)
    return table


def render_group(group: Summary) -> str:
    """A subject's accuracy in one cell; whole percents, since n is small."""
    if group.mean is None:
        return "- 0"
    if group.accuracy is None:
        return f"{100 * group.mean:.0f} {group.asked}"
    low, high = (f"{100 * bound:.0f}" for bound in (group.accuracy.low, group.accuracy.high))
    return f"{100 * group.accuracy.estimate:.0f} [{low}, {high}] {group.asked}"


def list_notes(run: Run) -> Iterable[str]:
    """Everything that a reader must know before using a number."""
    summary, identity = run.summary, run.manifest.identity
    if not identity.knows_choices:
        pass  # what guessing would score depends on the choices
    elif summary.holds_chance:
        chance = percent(summary.chance)
        yield f"can't be told from chance: the interval holds {chance} %"
    elif summary.is_above_chance is False:
        yield "below chance: look at the replies before using this number"
    if summary.format_decides:
        yield "the answer format decides the score: the bounds are wider than the interval"
    if summary.is_stopped_early:
        yield (
            "stopped early by a gate, which asks in an order of its own: no interval and no test "
            "for a fixed number of questions holds; `evalkit gate --replay` shows the gate's own"
        )
    if identity.several:
        yield (
            "several choices may be right: correct is whoever picks all of them and no other; "
            "partial credit is what the sets picked and right share of both together (Jaccard)"
        )
    if not summary.is_complete:
        low, high = summary.missing
        absent = summary.failed + summary.not_asked
        wanted, is_single = summary.wanted, summary.wanted == summary.questions
        asked = "questions" if is_single else "responses"
        have = "have no reply" if is_single else "did not come"
        yield (
            f"incomplete: {absent} of {wanted} {asked} {have}; over all of "
            f"them the accuracy is between {percent(low)} and {percent(high)} %"
        )
    if identity.orders is not None and (placed := count_placed(run.questions)):
        yield (
            f'{placed} questions have choices such as "all of the above" or "both A and B", '
            "which mean something else in another order"
        )
    yield from describe_clusters(run)
    if summary.repetition is not None:
        yield describe_repetition(summary.repetition)
    if run.unbound:
        what = "the forced tool" if identity.way == "tool" else "the schema"
        yield f"{run.unbound} of {summary.replied} replies don't keep to {what}: read as text"
    if run.retakes:
        yield f"cut off and asked once more with more room: {run.retakes}"
    yield from describe_import(run)
    for lesson in run.manifest.learned:
        yield clean(lesson)
    for failure in run.failures():
        yield f"{failure.count} failed: {clean(failure.message)}"
    if run.manifest.selection:
        yield f"a part of the set: {clean(run.manifest.selection)}"
    if run.manifest.filtered:
        yield f"rows that are no questions of the set by its definition: {run.manifest.filtered:,}"
    if run.manifest.left_out:
        yield f"left out because several choices are right: {run.manifest.left_out} of the sample"
    if run.garbled_lines:
        lines = ", ".join(map(str, itertools.islice(run.garbled_lines, 10)))
        more = ", ..." if len(run.garbled_lines) > 10 else ""
        yield f"journal lines that can't be read, asked again by the next run: {lines}{more}"
    served = describe_served(run)
    if served is not None:
        yield clean(served)
    if run.cost:
        yield describe_spend(run)


def describe_clusters(run: Run) -> Iterable[str]:
    """What there is to know of questions that stand or fall together."""
    estimate = run.summary.estimate
    if run.clustered_by == "group":
        yield "clustered by subject: the interval is for subjects like these"
    if estimate is None or estimate.clusters is None:
        return
    if estimate.clusters == 1:
        yield "no interval: all questions share one cluster, which shows no scatter of clusters"
        return
    effect = estimate.design_effect
    words = f"{estimate.clusters} clusters"
    words += "" if effect is None else f": design effect {effect:.1f}"
    words += f", {estimate.df:.1f} degrees of freedom"
    yield words + ("; below 5 the interval is a rough guide" if estimate.is_rough else "")


def describe_repetition(found: Repetition) -> str:
    """What several responses to a question tell."""
    words = f"two responses to a question agree with a chance of {percent(found.agreement)} %"
    if found.gain is None:
        return words
    return f"{words}; one more to each would lower the SE by {points(found.gain)} points"


def describe_spend(run: Run) -> str:
    """What a run has cost, for how many tokens, and what the prompt cache has saved of it."""
    usage = run.usage()
    written, read = usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]
    sent, came = usage["input_tokens"] + written + read, usage["output_tokens"]
    words = f"spent {dollars(run.cost or 0.0)}: {sent:,} input and {came:,} output tokens"
    if written or read:
        saved = run.cache_savings or 0.0
        effect = f"saved {dollars(saved)}" if saved >= 0 else f"cost {dollars(-saved)} more"
        words += f"; cache: {written:,} tokens written, {read:,} read, {effect}"
    return words


def note_differences(runs: Sequence[Run]) -> Iterable[str]:
    """What keeps the accuracies of different models from being compared as they stand."""
    asked: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        identity = run.manifest.identity
        asked.setdefault(identity.benchmark, {}).setdefault(identity.model, []).append(run)
    for benchmark, models in asked.items():
        values = collect_differences(models)
        if values:
            words = "; ".join(f"{name}: {' and '.join(found)}" for name, found in values.items())
            own = all(
                run.manifest.identity.origin is None for runs in models.values() for run in runs
            )
            remedy = "; --way instructed asks them alike" if "way" in values and own else ""
            yield (
                f"{clean(benchmark)}: the models were not all asked in the same way, which may be "
                f"part of their difference ({clean(words)}){remedy}"
            )


def collect_differences(models: Mapping[str, Sequence[Run]]) -> dict[str, list[str]]:
    """In what runs of different models differ that have no counterpart asked alike.

    Args:
        models: the runs of each model.

    Returns:
        The values found, by what they are values of.
    """
    values: dict[str, list[str]] = {}
    for ours, theirs in itertools.permutations(models.values(), 2):
        for run in ours:
            nearest = min(
                (list_differences(run.manifest, other.manifest) for other in theirs), key=len
            )
            for difference in nearest:
                found = values.setdefault(difference.name, [])
                found += [v for v in (difference.first, difference.second) if v not in found]
    return values
