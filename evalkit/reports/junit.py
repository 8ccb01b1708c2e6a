"""A report as JUnit XML, which continuous integration shows: a test case a benchmark and model."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evalkit.reports.findings import describe_score
from evalkit.reports.gate import describe_verdict
from evalkit.reports.report import Report
from evalkit.reports.tables import clean_lines, percent
from evalkit.reports.verdicts import render_verdict
from evalkit.results import Run
from evalkit.stats.verdicts import Verdict

Result = Literal["passed", "failure", "error", "skipped"]

RESULTS: dict[Verdict | None, Result] = {
    Verdict.REGRESSED: "failure",
    Verdict.NO_REGRESSION: "passed",
    Verdict.INCONCLUSIVE: "skipped",
    Verdict.INVALID: "error",
    None: "error",
}
"""What a verdict is as the result of a test; none yet is an error."""

PLURALS = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""The attributes that count results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCase:
    """What is said of one benchmark and model, or of one verdict."""

    suite: str
    name: str
    result: Result
    reason: str
    """A short one, such as the verdict."""
    message: str


def render_junit(report: Report, threshold: float | None = None) -> bytes:
    """The bytes of an XML file.

    Args:
        report: what it is about.
        threshold: the accuracy that every run has to reach, a fraction; None: none has to.
    """
    return render_cases(list_cases(report, threshold))


def render_cases(cases: Sequence[CheckCase]) -> bytes:
    """The bytes of an XML file with one suite for each that is named."""
    root = ET.Element("testsuites", name="evalkit")
    for suite in dict.fromkeys(case.suite for case in cases):
        mine = [case for case in cases if case.suite == suite]
        counts = {
            plural: str(sum(case.result == result for case in mine))
            for result, plural in PLURALS.items()
        }
        attributes = {"name": clean_lines(suite), "tests": str(len(mine)), **counts}
        element = ET.SubElement(root, "testsuite", attributes)
        for case in mine:
            add_case(element, case)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def add_case(suite: ET.Element, case: CheckCase) -> None:
    """Put a test case into its suite."""
    element = ET.SubElement(
        suite,
        "testcase",
        classname=clean_lines(case.suite),
        name=clean_lines(case.name),
    )
    if case.result == "passed":
        ET.SubElement(element, "system-out").text = clean_lines(case.message)
    else:
        found = ET.SubElement(element, case.result, message=clean_lines(case.message))
        if case.result != "skipped":
            found.set("type", case.reason)


def list_cases(report: Report, threshold: float | None) -> list[CheckCase]:
    """One for each run, each pair with a verdict, and each gate."""
    cases = [
        judge_run(name, run, threshold) for name, run in zip(report.names, report.runs, strict=True)
    ]
    for compared in () if report.comparison is None else report.comparison.benchmarks:
        cases += [
            CheckCase(
                suite=compared.benchmark,
                name=f"{pair.candidate.name} against {pair.baseline.name}",
                result=RESULTS[pair.judgement.verdict],
                reason=str(pair.judgement.verdict),
                message=render_verdict(pair, compared.benchmark),
            )
            for pair in compared.pairs
            if pair.judgement is not None
        ]
    cases += [
        CheckCase(
            suite=record.plan.suite,
            name=f"gate {record.plan.id}",
            result=RESULTS[record.final],
            reason="no verdict" if record.final is None else str(record.final),
            message=describe_verdict(record),
        )
        for record in report.gates
    ]
    return cases


def judge_run(name: str, run: Run, threshold: float | None) -> CheckCase:
    """Whether a run is complete and reaches the threshold."""
    result: Result = "passed"
    reason, message = "", describe_score(name, run)
    mean = run.summary.mean
    if not run.is_complete:
        low, high = map(percent, run.summary.missing)
        result, reason = "error", "incomplete"
        message += f"; incomplete: over all questions it is between {low} and {high} %"
    elif threshold is not None and (mean is None or mean < threshold):
        result, reason = "failure", "threshold"
        message += f"; below the threshold of {percent(threshold)} %"
    return CheckCase(
        suite=run.manifest.identity.benchmark,
        name=name,
        result=result,
        reason=reason,
        message=message,
    )
