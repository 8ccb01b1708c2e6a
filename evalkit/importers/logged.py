"""What every log comes to, whatever the tool: runs, and in them one reply after the other."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from evalkit.answers import Answer
from evalkit.benchmarks import Benchmark
from evalkit.errors import LogError, UsageError
from evalkit.loaders.fields import AnswerForm
from evalkit.questions import Question, digest_of
from evalkit.requests import Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.journal import SourceNote
from evalkit.runs.manifest import Evidence

LogFormat = Literal["inspect", "lm-eval", "promptfoo", "helm", "predictions"]
"""Whose log it is; "predictions": a table with a row for each answer."""

SCORED = ("scored right", "scored wrong")
"""The choices of a question of which a log tells nothing but the tool's score."""

NO_USAGE = Usage()


class UnknownLogError(LogError):
    """A file that is no log of the kind that is wanted, and in a folder may lie beside some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogColumns:
    """What stands in which column, or under which key, as far as the user says so."""

    stem: tuple[str, ...] = ()
    """The question's text; several are joined."""
    choices: tuple[str, ...] = ()
    """One column that holds all choices, or one for each."""
    answer: str | None = None
    """Which choice is right."""
    answer_is: AnswerForm | None = None
    id: str | None = None
    group: str | None = None
    predicted: str | None = None
    """What the model answered: a letter, the text of a choice, or a whole reply."""
    score: str | None = None
    """The tool's score: a column, or the name of a metric or scorer."""
    model: str | None = None
    sample: str | None = None
    """Numbers several replies to a question."""
    error: str | None = None
    """Filled where no reply came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """How a log is read.

    Example:
        >>> LogOptions(format="csv")
        Traceback (most recent call last):
        ...
        evalkit.errors.UsageError: format 'csv': expected inspect, lm-eval, promptfoo, helm, ...
    """

    format: LogFormat | None = None
    """None: told by the content."""
    benchmark: str | None = None
    """What to call it; None: as the log does."""
    model: str | None = None
    """The model that was asked; None: as the log says."""
    filter: str | None = None
    """Of lm-evaluation-harness: the filter whose score is kept; None: the first."""
    columns: LogColumns = field(default_factory=LogColumns)
    questions: Benchmark | None = field(default=None, repr=False)
    """Of a table: what was asked, where texts, choices and right answers are found by id; None: in
    the table."""

    def __post_init__(self) -> None:
        if self.format is not None and self.format not in get_args(LogFormat):
            names = ", ".join(get_args(LogFormat))
            raise UsageError(f"format {self.format!r}: expected {names}")

    def to_text(self) -> str:
        """What of them changes what is read and is not told by the runs themselves, as JSON.

        Example:
            >>> LogOptions(columns=LogColumns(predicted="m1"), model="m").to_text()
            '{"predicted": "m1"}'
            >>> LogOptions().to_text()
            ''
        """
        asked = {
            "filter": self.filter,
            "questions": None if self.questions is None else self.questions.name,
            **asdict(self.columns),
        }
        said = {name: value for name, value in asked.items() if value not in (None, ())}
        return as_utf8(json.dumps(said, ensure_ascii=False, sort_keys=True)) if said else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRun:
    """One of the runs that a log holds: one model, asked in one manner."""

    tool: str
    version: str = ""
    benchmark: str
    benchmark_version: str = ""
    model: str
    endpoint: str = ""
    part: str = ""
    """What tells it from other runs in its log, beside the model."""
    score: str = ""
    """The name of the tool's score."""
    samples: int = 1
    """Replies that the log says were wanted for each question."""
    way: Way = "instructed"
    """How the replies are read: "reasoned" if they end with a marked answer."""
    several: bool = False
    """Whether the model was told that it may pick several choices."""
    shots: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False, compare=False)

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, str):
                object.__setattr__(self, each.name, as_utf8(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedReply:
    """What a log holds of one reply to one question."""

    question: Question
    """Its id is a digest of its content, as that of questions in a file without ids."""
    result: Response | RequestFailure
    source: SourceNote
    sample_index: int = 0
    reading: Answer | None = None
    """What was answered, where that is not to be read from the text."""
    evidence: Evidence = "replies"
    names_one: bool = False
    """Whether the tool takes one choice for the answer, any of several right ones, so that a
    question with several can't be judged by the set of them."""


def make_question(
    stem: str,
    choices: tuple[str, ...],
    right: tuple[int, ...],
    group: str | None = None,
) -> Question:
    """A question with the id that evalkit itself would give it in a file without ids.

    Raises:
        ValueError: there are too few or too many choices.
    """
    name = digest_of(stem, *choices)[:16]
    return Question(id=name, stem=stem, choices=choices, right=right, group=group)


def make_response(
    text: str,
    *,
    stop_reason: str | None = None,
    model: str | None = None,
    usage: Usage = NO_USAGE,
    message_id: str | None = None,
) -> Response:
    """A reply as a log has it, in characters that can be written as UTF-8."""
    return Response(
        text=as_utf8(text),
        stop_reason=stop_reason,
        model=model,
        usage=usage,
        message_id=message_id,
    )


def as_utf8(text: str) -> str:
    r"""A text in characters that UTF-8 can write: half of a surrogate pair becomes a `?`.

    Example:
        >>> as_utf8("a\ud800")
        'a?'
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def as_score(value: object) -> float | None:
    """A score as a number; None if it is none.

    Example:
        >>> as_score(True), as_score("C"), as_score("incorrect"), as_score("0.5"), as_score([])
        (1.0, 1.0, 0.0, 0.5, None)
        >>> as_score(float("nan")), as_score(10**400)
        (None, None)
    """
    if not isinstance(value, str | int | float):
        return None
    known = WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    if known is not None:
        return known
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


WORDS = {
    **dict.fromkeys(("c", "correct", "true", "right", "yes", "pass"), 1.0),
    **dict.fromkeys(("i", "incorrect", "false", "wrong", "no", "fail", "n"), 0.0),
    "p": 0.5,
}
"""Scores in words; c, i, n and p are Inspect's for correct, incorrect, no answer and partial."""
