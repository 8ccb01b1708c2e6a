"""Tables for the terminal."""

from __future__ import annotations

import io
import itertools
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from evalkit.comparability import describe_served, list_differences
from evalkit.progress import dollars

if TYPE_CHECKING:
    from rich.table import Table

    from evalkit.plans import Plan
    from evalkit.results import Run
    from evalkit.runs.manifest import Identity
    from evalkit.scores import Summary

MIN_WIDTH = 80
"""Columns of text that a table may take where the terminal has fewer."""

WIDTH_OF_FILES = 120
"""Columns of text that a table may take where there is no terminal."""

WIDTH_OF_SUBJECTS = 20
"""Columns of text that the table of subjects has for their names."""

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves the cursor, changes colours or turns the direction of writing; half characters."""

OUTCOMES = ("correct", "wrong", "unparsed", "refused", "truncated", "failed", "not_asked")


def render_runs(runs: Sequence[Run]) -> str:
    """Accuracies, the answers behind them, subjects, and what has to be said about them."""
    tables = [build_accuracies(runs), build_outcomes(runs)]
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
    """One row a run: accuracy, interval, n, chance."""
    table = new_table(
        f"Accuracy in percent, with the 95 % {name_methods(runs)} interval",
        left=("", "Benchmark", "Model", "Way"),
        right=("n", "Accuracy", "Interval", "Chance"),
    )
    for number, run in enumerate(runs, 1):
        identity, summary = run.manifest.identity, run.summary
        table.add_row(
            f"({number})",
            clean(identity.benchmark),
            clean(identity.model),
            describe_way(identity),
            str(summary.asked),
            percent(None if summary.accuracy is None else summary.accuracy.estimate),
            render_interval(summary),
            percent(summary.chance),
        )
    return table


def name_methods(runs: Sequence[Run]) -> str:
    """The methods of the intervals: Wilson's, or Student's t where questions have shares."""
    methods = {run.summary.accuracy.method for run in runs if run.summary.accuracy is not None}
    return " or ".join(sorted(methods, reverse=True)) or "Wilson"


def describe_way(asked: Identity | Plan) -> str:
    """The way of asking, with worked examples and samples if there are any."""
    words: str = asked.way
    words += f", {asked.shots}-shot" if asked.shots else ""
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
    if group.accuracy is None:
        return "- 0"
    low, high = (f"{100 * bound:.0f}" for bound in (group.accuracy.low, group.accuracy.high))
    return f"{100 * group.accuracy.estimate:.0f} [{low}, {high}] {group.asked}"


def list_notes(run: Run) -> Iterable[str]:
    """Everything that a reader must know before using a number."""
    summary, identity = run.summary, run.manifest.identity
    if summary.holds_chance:
        chance = percent(summary.chance)
        yield f"can't be told from chance: the interval holds {chance} %"
    elif summary.is_above_chance is False:
        yield "below chance: look at the replies before using this number"
    if summary.format_decides:
        yield "the answer format decides the score: the bounds are wider than the interval"
    if not summary.is_complete:
        low, high = summary.missing
        absent = summary.failed + summary.not_asked
        wanted = summary.questions * summary.samples
        asked = "questions" if summary.samples == 1 else "responses"
        have = "have no reply" if summary.samples == 1 else "did not come"
        yield (
            f"incomplete: {absent} of {wanted} {asked} {have}; over all of "
            f"them the accuracy is between {percent(low)} and {percent(high)} %"
        )
    if run.unbound:
        what = "the forced tool" if identity.way == "tool" else "the schema"
        yield f"{run.unbound} of {summary.replied} replies don't keep to {what}: read as text"
    if run.retakes:
        yield f"cut off and asked once more with more room: {run.retakes}"
    for lesson in run.manifest.learned:
        yield clean(lesson)
    for failure in run.failures():
        yield f"{failure.count} failed: {clean(failure.message)}"
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
            remedy = "; --way instructed asks them alike" if "way" in values else ""
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


def render_interval(summary: Summary) -> str:
    """The interval in brackets."""
    if summary.accuracy is None:
        return "-"
    return f"[{percent(summary.accuracy.low)}, {percent(summary.accuracy.high)}]"


def percent(share: float | None) -> str:
    """A fraction as a percentage with one decimal.

    Example:
        >>> percent(0.875), percent(None)
        ('87.5', '-')
    """
    return "-" if share is None else f"{100 * share:.1f}"


def clean(text: str) -> str:
    r"""Untrusted text as one line, without control characters: they could write over others.

    Example:
        >>> clean("a\tb\x1b[2J")
        'a�b�[2J'
    """
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def clean_lines(text: str) -> str:
    """Untrusted text without control characters except tabs and ends of lines."""
    return re.sub(r"[^\t\n]+", lambda part: clean(part[0]), text)


def new_table(title: str, *, left: Sequence[str], right: Sequence[str]) -> Table:
    """An empty table; numbers stand to the right."""
    from rich import box
    from rich.table import Table

    # Two spaces between columns: the tables fit 80 of them.
    table = Table(
        caption=title, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for name in left:
        table.add_column(name, justify="left", overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def render_table(table: Table) -> str:
    """A table below its title, wide enough for its numbers even where the terminal is not."""
    from rich.console import Console

    title, table.caption = table.caption, None
    file = io.StringIO()
    console = Console(
        file=file,
        width=find_width(),
        color_system=None,
        markup=False,
        emoji=False,
        force_jupyter=False,
    )
    console.print(table)
    lines = [line.rstrip() for line in file.getvalue().strip("\n").splitlines()]
    return "\n".join([str(title), *lines] if title else lines) + "\n"


def find_width() -> int:
    """Columns of text that a table may take."""
    return max(MIN_WIDTH, shutil.get_terminal_size((WIDTH_OF_FILES, 24)).columns)
