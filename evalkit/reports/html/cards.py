"""What is seen first: for each benchmark who is ahead, whether that is clear, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.averages import Average
from evalkit.gate_records import GateRecord
from evalkit.reports.findings import describe_benchmark, describe_score
from evalkit.reports.gate import TITLES, describe_verdict
from evalkit.reports.report import Report
from evalkit.reports.tables import clean, percent
from evalkit.reports.text import describe_way
from evalkit.reports.wording import bracket, points, several
from evalkit.results import Run
from evalkit.run_pairs import ComparedRun, RunPair
from evalkit.scores import UNREADABLE
from evalkit.standings import BenchmarkComparison
from evalkit.stats.verdicts import Verdict, overall_verdict

Tone = Literal["", "good", "bad", "open"]

SCALE, EDGE = 144, 6
"""Width of the scale of intervals, and of its edges."""

ROOM = 0.03
"""So far the scale reaches beyond what is drawn on it."""

TONES: dict[Verdict, Tone] = {
    Verdict.REGRESSED: "bad",
    Verdict.NO_REGRESSION: "good",
    Verdict.INCONCLUSIVE: "open",
    Verdict.INVALID: "bad",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A judgement in a few words."""

    words: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One run in the table of a card."""

    number: int | None
    """Of the run in the report; None: the row stands for several runs."""
    name: str
    n: int
    mean: float | None
    low: float | None
    high: float | None
    accuracy: str
    interval: str
    difference: str
    """From the first, with its interval; empty for the first itself."""
    tag: Tag | None
    """Whether that difference is clear."""
    unreadable: int
    """Replies that name no choice."""
    missing: int
    """Replies that did not come."""
    is_best: bool
    """Whether it is ahead of all others by more than chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is said of one benchmark, or of one gate."""

    where: str
    headline: str
    tag: Tag | None = None
    findings: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    chance: float | None = None
    """Accuracy of guessing; None: there is no one such number."""
    against: str = ""
    """With what the differences compare."""
    has_counts: bool = True
    """Whether the rows tell of their questions and replies."""

    @property
    def has_differences(self) -> bool:
        """Whether any row differs from another one."""
        return any(row.difference for row in self.rows)

    @property
    def has_missing(self) -> bool:
        """Whether any reply did not come."""
        return any(row.missing for row in self.rows)

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the scale on which the intervals are drawn, fractions."""
        drawn = [value for row in self.rows for value in (row.low, row.mean, row.high)]
        known = [value for value in drawn if value is not None] or [0.0, 1.0]
        return max(0.0, min(known) - ROOM), min(1.0, max(known) + ROOM)

    @property
    def shows_chance(self) -> bool:
        """Whether guessing lies on that scale."""
        low, high = self.ends
        return self.chance is not None and low <= self.chance <= high

    def place(self, value: float) -> float:
        """Where a fraction is drawn on a scale that is `SCALE` wide."""
        low, high = self.ends
        return round(EDGE + (SCALE - 2 * EDGE) * (value - low) / (high - low), 1)


def list_cards(report: Report) -> Iterator[Card]:
    """Gates first, then what was compared, then runs that stand alone."""
    for record in report.gates:
        yield build_gate_card(record)
    compared = () if report.comparison is None else report.comparison.benchmarks
    averages = () if report.comparison is None else report.comparison.averages
    if any(average.macro is not None for average in averages):
        yield build_average_card(averages, compared)
    for each in compared:
        yield build_card(each)
    shown = {id(found.run) for each in compared for found in each.runs}
    for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1):
        if id(run) not in shown:
            yield build_lone_card(number, name, run)


def build_gate_card(record: GateRecord) -> Card:
    """The verdict of a gate."""
    found = record.final
    return Card(
        where=f"Gate on {clean(record.plan.suite)}",
        headline="No verdict yet" if found is None else TITLES[found],
        tag=tag_margin(record.plan.terms.margin, found),
        findings=(describe_verdict(record),),
    )


def build_average_card(
    averages: Sequence[Average], compared: Sequence[BenchmarkComparison]
) -> Card:
    """The means over all benchmarks, best first."""
    known = [(each, each.macro) for each in averages if each.macro is not None]
    known.sort(key=lambda each: -each[1].estimate)
    best, macro = known[0]
    return Card(
        where=f"Mean over {len(compared)} benchmarks, each counting alike, "
        f"{sum(each.n for each in compared):,} questions",
        headline=f"{clean(best.name)} has the highest mean, {percent(macro.estimate)} %",
        rows=tuple(
            Row(
                number=None,
                name=clean(each.name),
                n=macro.n,
                mean=macro.estimate,
                low=macro.low,
                high=macro.high,
                accuracy=percent(macro.estimate),
                interval=bracket(macro),
                difference=""
                if (found := each.difference) is None
                else render_difference(found.estimate, (found.low, found.high)),
                tag=None,
                unreadable=0,
                missing=0,
                is_best=False,
            )
            for each, macro in known
        ),
        against=clean(averages[0].name),
        has_counts=False,
    )


def build_card(compared: BenchmarkComparison) -> Card:
    """The runs of one benchmark, best first where all were compared with each other."""
    headline, tag = describe_standing(compared)
    runs: Sequence[ComparedRun] = compared.runs
    if compared.is_ranked:
        runs = [standing.compared for standing in compared.standings]
    pairs = {(pair.baseline.number, pair.candidate.number): pair for pair in compared.pairs}
    first, is_clear = runs[0], tag.tone == "good"
    return Card(
        where=f"{clean(compared.benchmark)}, {compared.n:,} questions, {describe_ways(compared)}",
        headline=headline,
        tag=tag,
        findings=tuple(describe_benchmark(compared)),
        rows=tuple(
            build_row(
                each,
                find_pair(pairs, first.number, each.number),
                is_best=compared.is_ranked and is_clear and each is first,
            )
            for each in runs
        ),
        chance=runs[0].run.summary.chance,
        against=clean(first.name),
    )


def describe_ways(compared: BenchmarkComparison) -> str:
    """How the runs were asked."""
    ways = list(dict.fromkeys(describe_way(each.run.manifest.identity) for each in compared.runs))
    return f"asked by {ways[0]}" if len(ways) == 1 else f"asked in {len(ways)} ways"


def describe_standing(compared: BenchmarkComparison) -> tuple[str, Tag]:
    """What the runs of a benchmark come to, in the fewest words."""
    said = [pair.judgement for pair in compared.pairs if pair.judgement is not None]
    if said:
        found = overall_verdict(judgement.verdict for judgement in said)
        return TITLES[found], tag_margin(said[0].margin, found)
    if compared.is_ranked:
        first = compared.standings[0]
        leader = clean(first.compared.name)
        equal = sum(each.mean == first.compared.mean for each in compared.runs)
        if equal > 1:
            return f"{equal} runs share the highest accuracy", Tag(words="not clear", tone="open")
        if not first.tied:
            return f"{leader} is first", Tag(words="clear: more than chance", tone="good")
        names = {each.number: clean(each.name) for each in compared.runs}
        tied = several([names[number] for number in first.tied])
        words = f"not told apart from {tied}" if len(first.tied) == 1 else "not clear"
        return f"{leader} has the highest accuracy", Tag(words=words, tone="open")
    ahead = max(compared.runs, key=lambda each: each.mean)
    name = clean(ahead.name)
    if len(compared.pairs) > 1:
        return f"{name} has the highest accuracy", Tag(words="see the differences")
    if compared.runs[0].mean == compared.runs[1].mean:
        return "Both have the same accuracy", Tag(words="not told apart from chance", tone="open")
    if compared.pairs[0].accuracy.is_clear:
        return f"{name} is ahead", Tag(words="clear: more than chance", tone="good")
    return f"{name} has the higher accuracy", Tag(words="not told apart from chance", tone="open")


def tag_margin(margin: float, verdict: Verdict | None) -> Tag:
    """The margin of a verdict, in the tone of the verdict."""
    words = f"margin {points(margin)} points"
    return Tag(words=words) if verdict is None else Tag(words=words, tone=TONES[verdict])


def find_pair(
    pairs: dict[tuple[int, int], RunPair], first: int, other: int
) -> tuple[RunPair, bool] | None:
    """The pair of two runs, and whether the first of them is its baseline."""
    if (pair := pairs.get((first, other))) is not None:
        return pair, True
    return (pair, False) if (pair := pairs.get((other, first))) is not None else None


def build_row(compared: ComparedRun, against: tuple[RunPair, bool] | None, *, is_best: bool) -> Row:
    """One run beside the first of its benchmark."""
    score = compared.score
    return Row(
        number=compared.number,
        name=clean(compared.name),
        n=compared.run.summary.asked,
        mean=compared.mean,
        low=None if score is None else score.low,
        high=None if score is None else score.high,
        accuracy=percent(compared.mean),
        interval=bracket(score),
        difference="" if against is None else describe_difference(*against),
        tag=None if against is None else tag_pair(against[0]),
        unreadable=count_unreadable(compared.run),
        missing=compared.run.summary.failed + compared.run.summary.not_asked,
        is_best=is_best,
    )


def describe_difference(pair: RunPair, is_forward: bool) -> str:
    """How far the other run is from the first, in points, with its interval if there is one."""
    found, sign = pair.accuracy.interval, 1 if is_forward else -1
    size = sign * (pair.candidate.mean - pair.baseline.mean)
    ends = None if found is None else (sign * found.low, sign * found.high)
    return render_difference(size, ends)


def render_difference(size: float, ends: tuple[float, float] | None) -> str:
    """A difference with the ends of its interval, in points.

    Example:
        >>> render_difference(0.1, (0.12, 0.08)), render_difference(-0.1, None)
        ('+10.0 [8.0, 12.0]', '−10.0')
    """
    words = points(size, signed=True)
    if ends is not None:
        words += f" [{points(min(ends))}, {points(max(ends))}]"
    return words.replace("-", "\N{MINUS SIGN}")


def tag_pair(pair: RunPair) -> Tag:
    """Whether a difference is more than chance, or what its margin's verdict is."""
    if pair.judgement is not None:
        found = pair.judgement.verdict
        return Tag(words=TITLES[found].lower(), tone=TONES[found])
    return Tag(words="clear") if pair.accuracy.is_clear else Tag(words="not clear", tone="open")


def count_unreadable(run: Run) -> int:
    """Replies of a run that name no choice."""
    return sum(getattr(run.summary, outcome.value) for outcome in UNREADABLE)


def build_lone_card(number: int, name: str, run: Run) -> Card:
    """A run that is compared with no other."""
    summary, identity = run.summary, run.manifest.identity
    accuracy = summary.accuracy
    if summary.mean is None:
        tag = Tag(words="no reply yet", tone="open")
    elif summary.is_stopped_early:
        tag = Tag(words="stopped early by a gate", tone="open")
    elif accuracy is None:
        tag = Tag(words="no interval", tone="open")
    elif summary.is_above_chance:
        tag = Tag(words="above chance")
    elif summary.holds_chance:
        tag = Tag(words="not told apart from chance", tone="open")
    else:
        tag = Tag(words="below chance", tone="bad")
    return Card(
        where=f"{clean(identity.benchmark)}, {summary.asked:,} questions, asked by "
        f"{describe_way(identity)}",
        headline=f"{clean(name)}: {percent(summary.mean)} %",
        tag=tag,
        findings=(describe_score(name, run),),
        rows=(
            Row(
                number=number,
                name=clean(name),
                n=summary.asked,
                mean=summary.mean,
                low=None if accuracy is None else accuracy.low,
                high=None if accuracy is None else accuracy.high,
                accuracy=percent(summary.mean),
                interval=bracket(accuracy),
                difference="",
                tag=None,
                unreadable=count_unreadable(run),
                missing=summary.failed + summary.not_asked,
                is_best=False,
            ),
        ),
        chance=summary.chance,
    )
