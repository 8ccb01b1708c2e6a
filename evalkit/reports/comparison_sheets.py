"""Runs compared, as sheets: pairs, subjects, places, averages, flipped questions and gates."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.comparisons import Comparison
from evalkit.gate_records import GateRecord
from evalkit.pairs import PairedDifference
from evalkit.reports.gate import describe_verdict
from evalkit.reports.report import Report
from evalkit.reports.run_sheets import list_interval
from evalkit.reports.sheets import Column, Kind, Sheet, Value
from evalkit.reports.verdicts import render_verdict
from evalkit.reports.wording import name_methods
from evalkit.run_pairs import RunPair

PAIR = (
    Column(name="benchmark", title="Benchmark"),
    Column(name="baseline", title="Baseline"),
    Column(name="candidate", title="Candidate"),
)
DIFFERENCE = (
    Column(name="n", title="n", kind=Kind.COUNT),
    Column(name="baseline_accuracy", title="Before", kind=Kind.SHARE),
    Column(name="candidate_accuracy", title="After", kind=Kind.SHARE),
    Column(name="difference", title="Difference", kind=Kind.DIFFERENCE),
    Column(name="low", title="From", kind=Kind.DIFFERENCE),
    Column(name="high", title="To", kind=Kind.DIFFERENCE),
    Column(name="level", title="Level", kind=Kind.SHARE),
    Column(name="method", title="Interval"),
    Column(name="losses", title="Losses", kind=Kind.COUNT),
    Column(name="gains", title="Gains", kind=Kind.COUNT),
    Column(name="flips", title="Flips (q)", kind=Kind.SHARE),
    Column(name="p_value", title="p", kind=Kind.P_VALUE),
    Column(name="test", title="Test"),
    Column(name="adjusted_p", title="Adjusted p", kind=Kind.P_VALUE),
    Column(name="clusters", title="Clusters", kind=Kind.COUNT),
)
ONLY_PAIRS = (
    Column(name="detectable", title="MDE (80 % power)", kind=Kind.POINTS),
    Column(name="readable_difference", title="Readable", kind=Kind.DIFFERENCE),
    Column(name="readable_low", title="Readable from", kind=Kind.DIFFERENCE),
    Column(name="readable_high", title="Readable to", kind=Kind.DIFFERENCE),
    Column(name="readable_p", title="Readable p", kind=Kind.P_VALUE),
    Column(name="verdict", title="Verdict"),
    Column(name="sentence", title="In words"),
)
AVERAGE = (
    Column(name="name", title="Name"),
    Column(name="macro", title="Mean", kind=Kind.SHARE),
    Column(name="low", title="From", kind=Kind.SHARE),
    Column(name="high", title="To", kind=Kind.SHARE),
    Column(name="level", title="Level", kind=Kind.SHARE),
    Column(name="method", title="Interval"),
    Column(name="difference", title="Difference", kind=Kind.DIFFERENCE),
    Column(name="difference_low", title="From", kind=Kind.DIFFERENCE),
    Column(name="difference_high", title="To", kind=Kind.DIFFERENCE),
)
PLACE = (
    Column(name="benchmark", title="Benchmark"),
    Column(name="name", title="Name"),
    Column(name="accuracy", title="Accuracy", kind=Kind.SHARE),
    Column(name="best", title="Best place", kind=Kind.COUNT),
    Column(name="worst", title="Worst place", kind=Kind.COUNT),
    Column(name="tied_with", title="Tied with"),
)
FLIP = (
    *PAIR,
    Column(name="kind", title="Kind"),
    Column(name="question_id", title="Question id"),
    Column(name="group", title="Group"),
    Column(name="question", title="Question"),
    Column(name="right", title="Right"),
    Column(name="baseline_picked", title="Before"),
    Column(name="candidate_picked", title="After"),
)
GATE = (
    Column(name="suite", title="Suite"),
    Column(name="verdict", title="Verdict"),
    Column(name="used", title="Used", kind=Kind.COUNT),
    Column(name="asked", title="Asked", kind=Kind.COUNT),
    Column(name="questions", title="Of", kind=Kind.COUNT),
    Column(name="losses", title="Losses", kind=Kind.COUNT),
    Column(name="gains", title="Gains", kind=Kind.COUNT),
    Column(name="drop", title="Drop", kind=Kind.POINTS),
    Column(name="low", title="From", kind=Kind.POINTS),
    Column(name="high", title="To", kind=Kind.POINTS),
    Column(name="level", title="Level", kind=Kind.SHARE),
    Column(name="method", title="Interval"),
    Column(name="margin", title="Margin", kind=Kind.POINTS),
    Column(name="alpha", title="Alpha", kind=Kind.SHARE),
    Column(name="pass_p", title="p (pass)", kind=Kind.P_VALUE),
    Column(name="fail_p", title="p (fail)", kind=Kind.P_VALUE),
    Column(name="seed", title="Seed"),
    Column(name="sentence", title="In words"),
)


def list_pair(pair: RunPair) -> tuple[Value, ...]:
    """The cells below `PAIR`."""
    benchmark = pair.baseline.run.manifest.identity.benchmark
    return benchmark, pair.baseline.name, pair.candidate.name


def list_difference(found: PairedDifference, before: float, after: float) -> tuple[Value, ...]:
    """The cells below `DIFFERENCE`."""
    return (
        found.n,
        before,
        after,
        after - before,
        *list_interval(found.interval),
        found.losses,
        found.gains,
        found.flips,
        found.p_value,
        found.test,
        found.adjusted_p,
        found.clusters,
    )


def sheet_pairs(comparison: Comparison) -> Sheet:
    """One row a pair."""
    rows: list[tuple[Value, ...]] = []
    for compared in comparison.benchmarks:
        for pair in compared.pairs:
            readable, judgement = pair.readable, pair.judgement
            low, high, _, _ = list_interval(readable.interval)
            rows.append(
                (
                    *list_pair(pair),
                    *list_difference(pair.accuracy, pair.baseline.mean, pair.candidate.mean),
                    pair.accuracy.detectable,
                    readable.estimate,
                    low,
                    high,
                    readable.p_value,
                    None if judgement is None else str(judgement.verdict),
                    None if judgement is None else render_verdict(pair, compared.benchmark),
                )
            )
    methods = name_methods(pair.accuracy.interval for pair in comparison.pairs)
    return Sheet(
        name="comparison",
        head="Differences",
        title=f"Differences, candidate - baseline, with the 95 % {methods} interval for questions "
        "like these; adjusted p by Holm's method over the pairs of a benchmark",
        columns=(*PAIR, *DIFFERENCE, *ONLY_PAIRS),
        rows=tuple(rows),
    )


def sheet_subjects(comparison: Comparison) -> Sheet:
    """One row a pair and subject."""
    found = [(pair, each) for pair in comparison.pairs for each in pair.subjects]
    methods = name_methods(each.difference.interval for _, each in found)
    return Sheet(
        name="subjects",
        head="Subjects",
        title=f"Exploratory: differences by subject, with the 95 % {methods} interval; adjusted p "
        "by Benjamini and Hochberg's method over the subjects of a pair",
        columns=(
            *PAIR,
            Column(name="group", title="Subject"),
            *DIFFERENCE,
            Column(name="found", title="Found at 10 %", kind=Kind.FLAG),
        ),
        rows=tuple(
            (
                *list_pair(pair),
                each.name,
                *list_difference(each.difference, each.baseline, each.candidate),
                each.is_found,
            )
            for pair, each in found
        ),
    )


def sheet_differences(comparison: Comparison) -> Sheet:
    """One row a pair and subject, after one a pair over all questions."""
    rows: list[tuple[Value, ...]] = []
    for pair in comparison.pairs:
        whole = list_difference(pair.accuracy, pair.baseline.mean, pair.candidate.mean)
        rows.append((*list_pair(pair), None, *whole))
        rows += [
            (
                *list_pair(pair),
                each.name,
                *list_difference(each.difference, each.baseline, each.candidate),
            )
            for each in pair.subjects
        ]
    return Sheet(
        name="differences",
        head="Differences",
        title="Differences, candidate - baseline; no group: all questions",
        columns=(*PAIR, Column(name="group", title="Group"), *DIFFERENCE),
        rows=tuple(rows),
    )


def sheet_places(comparison: Comparison) -> Sheet:
    """One row a run that was compared with all others: the places that it may have."""
    return Sheet(
        name="places",
        head="Places",
        title="Places that each may have, by the comparisons that Holm's method finds at 5 %",
        columns=PLACE,
        rows=tuple(
            (
                compared.benchmark,
                each.compared.name,
                each.compared.mean,
                each.ranks.best,
                each.ranks.worst,
                ", ".join(other.name for other in compared.runs if other.number in each.tied)
                or None,
            )
            for compared in comparison.benchmarks
            for each in compared.standings
        ),
    )


def sheet_averages(comparison: Comparison) -> Sheet:
    """One row a contestant: its score on each benchmark, and the mean of these."""
    names = [each.benchmark for each in comparison.benchmarks]
    return Sheet(
        name="averages",
        head="Averages",
        title="Accuracy by benchmark, and their mean, each counting alike, with its own 95 % "
        "interval; difference from the baseline, paired by question",
        columns=(
            AVERAGE[0],
            *(Column(name=name, title=name, kind=Kind.SHARE) for name in names),
            *AVERAGE[1:],
        ),
        rows=tuple(
            (
                each.name,
                *each.scores,
                None if each.macro is None else each.macro.estimate,
                *list_interval(each.macro),
                None if each.difference is None else each.difference.estimate,
                *list_interval(each.difference)[:2],
            )
            for each in comparison.averages
        ),
    )


def sheet_flips(comparison: Comparison) -> Sheet:
    """One row a pair and question that flipped."""
    return Sheet(
        name="flips",
        head="Flipped questions",
        title="Questions that flipped",
        columns=FLIP,
        rows=tuple(
            (
                *list_pair(pair),
                each.kind,
                each.question.id,
                each.question.group,
                each.question.stem,
                each.right,
                each.baseline,
                each.candidate,
            )
            for pair in comparison.pairs
            for each in pair.flips
        ),
    )


def sheet_gates(gates: tuple[GateRecord, ...]) -> Sheet:
    """One row a gate."""
    return Sheet(
        name="gates",
        head="Gates",
        title="Gates: the drop is baseline - candidate on this set, its interval valid at any "
        "stopping time",
        columns=GATE,
        rows=tuple(map(list_gate, gates)),
    )


def list_gate(record: GateRecord) -> tuple[Value, ...]:
    """The cells below `GATE`."""
    plan, drop = record.plan, record.drop
    return (
        plan.suite,
        None if record.final is None else str(record.final),
        record.used,
        record.asked,
        plan.size,
        record.losses,
        record.gains,
        None if drop is None else drop.estimate,
        *list_interval(drop),
        plan.terms.margin,
        plan.terms.alpha,
        record.pass_p_value,
        record.fail_p_value,
        f"{plan.seed:016x}",
        describe_verdict(record),
    )


def list_comparison_sheets(report: Report) -> Iterator[Sheet]:
    """The sheets of comparisons and gates that have rows."""
    comparison = report.comparison
    if comparison is not None:
        for build in (sheet_averages, sheet_places, sheet_pairs, sheet_subjects, sheet_flips):
            sheet = build(comparison)
            if sheet.rows:
                yield sheet
    if report.gates:
        yield sheet_gates(report.gates)
