"""What a report comes to, in sentences: who is ahead, whether that is clear, and where."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.reports.caveats import list_warnings
from evalkit.reports.gate import describe_verdict
from evalkit.reports.report import Report
from evalkit.reports.tables import clean, percent
from evalkit.reports.text import list_notes
from evalkit.reports.verdicts import render_verdict
from evalkit.reports.wording import bracket, count, points, render_p, several
from evalkit.results import Run
from evalkit.run_pairs import RunPair
from evalkit.standings import BenchmarkComparison

SUBJECTS_NAMED = 5
"""Subjects that a sentence names of each pair, those with the largest differences."""


PAIRS_NAMED = 4
"""Runs with which the leader of many is compared in words."""


def list_findings(report: Report) -> Iterator[str]:
    """The summary of a report, most important first; untrusted names are free of control marks."""
    for record in report.gates:
        yield describe_verdict(record)
    compared = () if report.comparison is None else report.comparison.benchmarks
    for each in compared:
        yield from describe_benchmark(each)
    shown = {id(found.run) for each in compared for found in each.runs}
    for name, run in zip(report.names, report.runs, strict=True):
        if id(run) not in shown:
            yield describe_score(name, run)


def describe_benchmark(compared: BenchmarkComparison) -> Iterator[str]:
    """What the runs of one benchmark come to side by side."""
    for pair in compared.pairs:
        if pair.judgement is not None:
            who = "" if len(compared.pairs) == 1 else f"{clean(pair.candidate.name)}: "
            yield who + render_verdict(pair, compared.benchmark)
    if compared.is_ranked:
        yield describe_lead(compared)
    for pair in choose_pairs(compared):
        yield describe_pair(pair)
    for pair in choose_pairs(compared):
        yield from describe_subjects(pair)


def describe_score(name: str, run: Run) -> str:
    """The accuracy of one run."""
    summary, where = run.summary, clean(run.manifest.identity.benchmark)
    if summary.mean is None:
        return f"{clean(name)} on {where}: no question has a reply yet"
    words = f"{clean(name)} on {where}: {percent(summary.mean)} %"
    if summary.accuracy is None:
        why = (
            "stopped early by a gate"
            if summary.is_stopped_early
            else "all questions share one cluster"
        )
        return f"{words} (n = {summary.asked:,}; no interval: {why})"
    accuracy = summary.accuracy
    return (
        f"{words} {bracket(accuracy)} (n = {summary.asked:,}, {100 * accuracy.level:.3g} % "
        f"{accuracy.method}; chance {percent(summary.chance)} %)"
    )


def describe_lead(compared: BenchmarkComparison) -> str:
    """Of runs that were all compared with each other: who is first, and whether that is clear."""
    first, where = compared.standings[0], clean(compared.benchmark)
    score = f"{percent(first.compared.mean)} % {bracket(first.compared.score)}, n = {compared.n:,}"
    leader = clean(first.compared.name)
    if not first.tied:
        return (
            f"{leader} is first on {where} ({score}), ahead of each of the others by more than "
            "chance (Holm's method at 5 %)"
        )
    names = {each.number: clean(each.name) for each in compared.runs}
    tied = several([names[number] for number in first.tied])
    return (
        f"{leader} has the highest accuracy on {where} ({score}), but can't be told apart from "
        f"{tied} (Holm's method at 5 %)"
    )


def choose_pairs(compared: BenchmarkComparison) -> list[RunPair]:
    """The pairs to speak of: where all were compared, those of the leader with the next ones."""
    if not compared.is_ranked:
        return list(compared.pairs)
    leader, *others = (standing.compared.number for standing in compared.standings)
    found = {
        frozenset((pair.baseline.number, pair.candidate.number)): pair for pair in compared.pairs
    }
    return [found[frozenset((leader, other))] for other in others[:PAIRS_NAMED]]


def describe_pair(pair: RunPair) -> str:
    """A difference with its interval, whether it is clear, and how small a one would have been."""
    found = pair.accuracy
    where = clean(pair.baseline.run.manifest.identity.benchmark)
    size = points(pair.candidate.mean - pair.baseline.mean, signed=True)
    who = f"{clean(pair.candidate.name)} against {clean(pair.baseline.name)}"
    words = f"{who} on {where}: {size} points"
    if found.interval is None:
        return f"{words} on {count(found.n, 'question')} that share one cluster: no interval"
    p = f"p {render_p(found.p_value)}, {found.test}"
    if found.adjusted_p is not None and found.adjusted_p != found.p_value:
        p += f"; Holm {render_p(found.adjusted_p)}"
    state = "more than chance" if found.is_clear else "not told apart from chance"
    seen = (
        ""
        if found.is_clear or found.detectable is None
        else f"; {points(found.detectable)} points would have been found with 80 % power"
    )
    return (
        f"{words} {bracket(found.interval)} (n = {found.n:,}, {100 * found.interval.level:.3g} % "
        f"{found.interval.method}; {p}), {state}{seen}"
    )


def describe_subjects(pair: RunPair) -> Iterator[str]:
    """The subjects in which two runs seem to differ most."""
    found = [each for each in pair.subjects if each.is_found]
    found.sort(key=lambda each: -abs(each.candidate - each.baseline))
    if found:
        named = ", ".join(
            f"{clean(each.name)} {points(each.candidate - each.baseline, signed=True)}"
            for each in found[:SUBJECTS_NAMED]
        )
        more = f" and {len(found) - SUBJECTS_NAMED} more" if len(found) > SUBJECTS_NAMED else ""
        yield (
            f"Exploratory: {clean(pair.candidate.name)} differs from {clean(pair.baseline.name)} "
            f"by subject, in points: {named}{more} (of {len(pair.subjects)} subjects; at most "
            "about 1 in 10 of these is chance, Benjamini-Hochberg)"
        )


def list_remarks(report: Report) -> Iterator[str]:
    """What has to be known before a number of a report is used, each of it once."""
    yield from dict.fromkeys(find_remarks(report))


def find_remarks(report: Report) -> Iterator[str]:
    """The same, some of it twice: for a run alone, and for its comparison."""
    if report.not_compared:
        yield f"not compared: {clean(report.not_compared)}"
    if report.comparison is not None:
        yield from list_warnings(report.comparison)
    for number, run in enumerate(report.runs, 1):
        for note in list_notes(run):
            yield f"({number}) {note}"
