"""The checks of a project in words: for the terminal, a pull request, and what runs them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from evalkit.check_results import CheckResult, CheckStatus, ThresholdResult, count_spent, worst
from evalkit.flips import GateFlip
from evalkit.progress import dollars
from evalkit.reports.gate import describe_interval, describe_verdict, points, wrap
from evalkit.reports.junit import CheckCase, Result, render_cases
from evalkit.reports.markdown import escape, escape_line, list_cells
from evalkit.reports.tables import clean, clean_lines, percent
from evalkit.reports.wording import first_words

SHOWN = 10
"""Flipped questions to name."""

STEM_WIDTH = 60

MARKER = "<!-- evalkit check -->"
"""The first line of the Markdown text, by which a comment can be found again."""

LONGEST = 60_000
"""Characters that a comment may have, and a little less."""

WORDS = {
    CheckStatus.PASSED: "passed",
    CheckStatus.FAILED: "FAILED",
    CheckStatus.INVALID: "INVALID",
    CheckStatus.INCONCLUSIVE: "inconclusive",
    CheckStatus.INCOMPLETE: "not finished",
}

LEVELS = {
    CheckStatus.PASSED: "notice",
    CheckStatus.FAILED: "error",
    CheckStatus.INVALID: "error",
    CheckStatus.INCONCLUSIVE: "warning",
    CheckStatus.INCOMPLETE: "error",
}
"""The commands of a GitHub workflow."""

COMMAND = re.compile(r"^(\s*)(::|##\[)")
"""What a GitHub workflow takes for a command, wherever it stands in its output."""

JUNIT: dict[CheckStatus, Result] = {
    CheckStatus.PASSED: "passed",
    CheckStatus.FAILED: "failure",
    CheckStatus.INVALID: "error",
    CheckStatus.INCONCLUSIVE: "skipped",
    CheckStatus.INCOMPLETE: "error",
}


def render_checks(results: Sequence[CheckResult]) -> str:
    """All checks, and what they come to together."""
    parts = ["\n".join(list_lines(result)) for result in results]
    return "\n\n".join([*parts, f"{describe_all(results)}"])


def list_lines(result: CheckResult) -> Iterator[str]:
    """One check: its status, its sentences, its flipped questions.

    Whatever a question's id or a server's words begin with, no line is a command of a workflow.
    """
    for part in list_parts(result):
        for line in part.split("\n"):
            yield COMMAND.sub(r"\1> \2", line)


def list_parts(result: CheckResult) -> Iterator[str]:
    """The same before that is seen to, some of several lines."""
    yield f"{clean(result.case.id)}: {WORDS[result.status]}"
    for sentence in list_sentences(result):
        yield wrap(sentence, indent="  ")
    for line in list_flip_lines(result.flips):
        yield f"  {line}"


def list_sentences(result: CheckResult) -> Iterator[str]:
    """What is said of a check: of its gate, its threshold, and what ended it early."""
    if result.gate is not None:
        yield describe_verdict(result.gate)
        changed = "; ".join(map(clean, result.gate.changed)) or "nothing"
        yield f"Changed since the baseline {result.gate.plan.baseline}: {changed}."
    if result.level is not None:
        yield describe_level(result.level)
    if result.error is not None:
        yield f"{clean_lines(str(result.error))}."


def describe_level(level: ThresholdResult) -> str:
    """An accuracy against its threshold, in a sentence."""
    suite, wanted = clean(level.benchmark), f"{percent(level.threshold)} %"
    if level.mean is None or level.interval is None:
        cure = "; a larger budget goes on" if level.is_out_of_money else ""
        return f"No verdict yet: no reply came on {suite}, where {wanted} are required{cure}."
    found = f"{percent(level.mean)} % of {level.n:,} questions right"
    basis = (
        f"a count on these questions; on questions like these it is between "
        f"{percent(level.interval.low)} and {percent(level.interval.high)} % "
        f"({describe_interval(level.interval)})"
    )
    match level.status:
        case CheckStatus.PASSED:
            return f"Reached: {found} on {suite}, at least the {wanted} required ({basis})."
        case CheckStatus.FAILED:
            return f"Not reached: {found} on {suite}, below the {wanted} required ({basis})."
        case _:
            cure = "a larger budget" if level.is_out_of_money else "the same command"
            return (
                f"No verdict yet: {found} on {suite} so far, where {wanted} are required; replies "
                f"are missing, and {cure} asks for them."
            )


def list_flip_lines(flips: Sequence[GateFlip], shown: int = SHOWN) -> Iterator[str]:
    """The flipped questions, losses first, a line each; the rest as a number."""
    for title, some in (
        ("Lost", [flip for flip in flips if flip.is_loss]),
        ("Gained", [flip for flip in flips if not flip.is_loss]),
    ):
        if not some:
            continue
        yield f"{title}, {len(some):,}:"
        for flip in some[:shown]:
            stem = first_words(flip.stem, STEM_WIDTH)
            words = f": {stem}" if stem else ""
            picked = f"right {flip.right}, now {clean(flip.picked)}"
            yield f"  {clean(flip.id)} ({picked}){words}"
        if len(some) > shown:
            yield f"  and {len(some) - shown:,} more"


def describe_all(results: Sequence[CheckResult]) -> str:
    """What all checks come to, in a line."""
    counts = Counter(result.status for result in results)
    words = ", ".join(
        f"{counts[status]} {WORDS[status]}" for status in CheckStatus if counts[status]
    )
    spent = count_spent(results)
    money = f", {dollars(spent)} spent" if spent else ""
    checks = "1 check" if len(results) == 1 else f"{len(results)} checks"
    return f"{checks}: {words}{money}."


def render_markdown(results: Sequence[CheckResult]) -> str:
    """The same in Markdown, for a step summary or a comment: if need be, the table alone."""
    text = "\n".join(list_markdown(results))
    return text if len(text) <= LONGEST else "\n".join([*list_head(results), ""])


def list_markdown(results: Sequence[CheckResult]) -> Iterator[str]:
    """The lines of it: the verdict, a table, then each check, open if it did not pass."""
    yield from list_head(results)
    for result in results:
        yield ""
        is_open = "" if result.status is CheckStatus.PASSED else " open"
        yield f"<details{is_open}><summary>{escape_html(clean(result.case.id))}</summary>"
        yield ""
        for sentence in list_sentences(result):
            yield f"- {escape_line(clean(' '.join(sentence.split())))}"
        if result.flips:
            yield ""
            yield from list_flip_table(result.flips)
        yield ""
        yield "</details>"
    yield ""


def list_head(results: Sequence[CheckResult]) -> Iterator[str]:
    """The verdict and a table."""
    yield MARKER
    yield f"### evalkit: {WORDS[worst([result.status for result in results])]}"
    yield ""
    yield escape_line(describe_all(results))
    yield ""
    heads = ["Check", "Verdict", "Questions", "Losses", "Gains", "Drop, points", "Spent"]
    yield list_cells(heads)
    yield list_cells([":---", ":---", *["---:"] * 5])
    for result in results:
        yield list_cells([escape(cell) for cell in list_row(result)])


def list_row(result: CheckResult) -> list[str]:
    """The cells of one check."""
    record, level = result.gate, result.level
    cells = ["", "", "", ""]
    if record is not None:
        drop = record.drop
        words = "" if drop is None else f"[{points(drop.low)}, {points(drop.high)}]"
        used = f"{record.used:,} of {record.plan.size:,}"
        cells = [used, f"{record.losses:,}", f"{record.gains:,}", words]
    elif level is not None:
        cells[0] = f"{level.n:,}"
    spent = dollars(result.spent) if result.spent else ""
    return [clean(result.case.id), WORDS[result.status], *cells, spent]


def list_flip_table(flips: Sequence[GateFlip]) -> Iterator[str]:
    """The flipped questions as a table."""
    yield list_cells(["Flipped", "Question", "Right", "Now"])
    yield list_cells([":---", ":---", ":---", ":---"])
    for flip in flips[: 2 * SHOWN]:
        words = "lost" if flip.is_loss else "gained"
        stem = first_words(flip.stem, STEM_WIDTH)
        question = f"{clean(flip.id)}: {stem}" if stem else clean(flip.id)
        cells = [words, question, flip.right, clean(flip.picked)]
        yield list_cells([escape(cell) for cell in cells])
    if len(flips) > 2 * SHOWN:
        yield ""
        yield f"And {len(flips) - 2 * SHOWN:,} more."


def escape_html(text: str) -> str:
    """Text within an HTML element."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def render_annotations(results: Sequence[CheckResult], path: str) -> str:
    """Workflow commands that GitHub shows at the line of each check.

    Args:
        results: of the checks.
        path: the project's file, from the top of the repository.
    """
    lines = []
    for result in results:
        line = result.case.check.line
        place = f"file={escape_property(path)}" + (f",line={line}" if line else "")
        title = escape_property(f"evalkit {clean(result.case.id)}: {WORDS[result.status]}")
        text = "\n".join([*list_sentences(result), *list_flip_lines(result.flips)])
        message = escape_message(clean_lines(text))
        lines.append(f"::{LEVELS[result.status]} {place},title={title}::{message}")
    return "\n".join(lines)


def escape_message(text: str) -> str:
    r"""Text of a workflow command, which ends with its line.

    Example:
        >>> escape_message("5 %\nmore")
        '5 %25%0Amore'
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """A property of a workflow command."""
    return escape_message(text).replace(":", "%3A").replace(",", "%2C")


def render_junit(results: Sequence[CheckResult]) -> bytes:
    """The bytes of a JUnit XML file, a test case for each check and model."""
    return render_cases(
        [
            CheckCase(
                suite=result.case.check.name,
                name=result.case.model,
                result=JUNIT[result.status],
                reason=str(result.status),
                message="\n".join([*list_sentences(result), *list_flip_lines(result.flips)]),
            )
            for result in results
        ]
    )
