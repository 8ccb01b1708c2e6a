"""What came of checks is said without letting anybody's text become markup or a command."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from evalkit.check_results import CheckResult, CheckStatus, worst
from evalkit.checks import Check, CheckCase
from evalkit.errors import OverloadedError, UsageError
from evalkit.flips import GateFlip
from evalkit.reports.checks import (
    LONGEST,
    MARKER,
    describe_all,
    list_flip_lines,
    render_annotations,
    render_checks,
    render_junit,
    render_markdown,
)

HOSTILE = "a | b\n# head <script> ::error::x\x1b[31m @me 5 %"


def result_of(message: str = HOSTILE, name: str = "one") -> CheckResult:
    case = CheckCase(check=Check(name=name, benchmark="b", models=("m",), line=3), model="m")
    return CheckResult(case=case, error=UsageError(message))


def flip_of(number: int, *, is_loss: bool = True) -> GateFlip:
    before, after = (1.0, 0.0) if is_loss else (0.0, 1.0)
    return GateFlip(
        id=f"q{number}", stem=HOSTILE, before=before, after=after, right="A", picked="refused"
    )


def test_a_text_is_no_markup_in_markdown() -> None:
    flips = tuple(flip_of(number) for number in range(3))
    text = render_markdown([replace(result_of(), flips=flips)])
    assert text.startswith(f"{MARKER}\n### evalkit: INVALID\n")
    assert "<script>" not in text.replace("\\<script>", "")
    assert "\x1b" not in text
    assert "\n# head" not in text
    assert "| lost | q0: a \\| b # head " in text


def test_a_text_is_no_command_in_an_annotation() -> None:
    [line] = render_annotations([result_of()], "a,b:c.toml").splitlines()
    assert line == (
        "::error file=a%2Cb%3Ac.toml,line=3,title=evalkit one%3A INVALID::"
        "a | b%0A# head <script> ::error::x\ufffd[31m @me 5 %25."
    )
    assert "\x1b" not in line


def test_a_text_of_many_checks_still_fits_into_a_comment() -> None:
    few = render_markdown([result_of("x" * 500)])
    assert "<details" in few
    many = render_markdown([result_of("x" * 500, f"c{number}") for number in range(120)])
    assert len(many) < LONGEST
    assert "<details" not in many
    assert many.count("| c") == 120


def test_flips_are_named_up_to_a_number_losses_first() -> None:
    flips = [*(flip_of(n) for n in range(13)), flip_of(99, is_loss=False)]
    lines = list(list_flip_lines(flips))
    assert lines[0] == "Lost, 13:"
    assert lines[1].startswith("  q0 (right A, now refused): a | b # head <script> ")
    assert lines[11] == "  and 3 more"
    assert lines[12] == "Gained, 1:"
    bare = list(list_flip_lines([replace(flip_of(1), stem="")]))
    assert bare == ["Lost, 1:", "  q1 (right A, now refused)"]


def test_junit_has_a_case_for_each_check_and_model() -> None:
    root = ET.fromstring(render_junit([result_of(), result_of(name="two")]))
    assert [suite.get("errors") for suite in root] == ["1", "1"]


def test_what_may_work_later_is_not_finished() -> None:
    busy = replace(result_of(), error=OverloadedError("busy"))
    assert (busy.status, result_of().status) == (CheckStatus.INCOMPLETE, CheckStatus.INVALID)
    assert describe_all([busy, result_of()]) == "2 checks: 1 INVALID, 1 not finished."
    assert "one: not finished\n  busy." in render_checks([busy])


@pytest.mark.parametrize("command", ["::error file=x::pwned", "##[error]pwned"])
def test_no_line_is_a_command_of_a_workflow(command: str) -> None:
    flip = replace(flip_of(1), id=command)
    odd = replace(result_of(), flips=(flip,), error=OverloadedError(f"busy\n {command}"))
    lines = render_checks([odd]).split("\n")
    assert sum(command in line for line in lines) == 2
    assert not [line for line in lines if line.lstrip().startswith(("::", "##["))]


@pytest.mark.parametrize("better", list(CheckStatus))
@pytest.mark.parametrize("other", list(CheckStatus))
def test_the_worst_of_two_is_the_one_that_is_named_first(
    better: CheckStatus, other: CheckStatus
) -> None:
    order = list(CheckStatus)
    assert worst([better, other]) is order[min(order.index(better), order.index(other))]
