"""Samples that evalkit itself wrote: they say all of it, and come to the run that they are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from evalkit.answers import Answer, Outcome, share_answer
from evalkit.errors import LogError
from evalkit.importers.entries import Entry
from evalkit.importers.files import read_lines
from evalkit.importers.logged import (
    LoggedReply,
    LogOptions,
    LogRun,
    as_score,
    as_utf8,
    make_response,
)
from evalkit.prompts import PromptFormat
from evalkit.questions import MAX_CHOICES, MIN_CHOICES, Question
from evalkit.requests import Way
from evalkit.responses import RequestFailure, Response
from evalkit.runs.journal import SourceNote
from evalkit.runs.manifest import Evidence
from evalkit.scores import read_reply

FILTER = "evalkit"

KEYS = frozenset({"doc_id", "doc", "resps", "task", "model", "run", "right", "picked", "asked_by"})


def is_exported(first: Mapping[str, Any]) -> bool:
    """Whether the first object of a file of lines is a sample that evalkit wrote."""
    return first.get("filter") == FILTER and first.keys() >= KEYS


def read_exported(path: Path, options: LogOptions) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in such a file, which may hold several runs, one behind the other.

    Args:
        path: the file.
        options: may name benchmark and model; the rest is known.

    Raises:
        LogError: it can't be read, or another filter is wanted.
    """
    if options.filter not in (None, FILTER):
        raise LogError(f"no filter {options.filter!r} (--filter); there are {FILTER}", path=path)
    names: dict[LogRun, str] = {}
    for entry in read_lines(path):
        log, name = read_run(entry, options), as_utf8(entry.text("run"))
        if names.setdefault(log, name) != name:  # asked alike, but for what a log does not tell
            log = replace(log, part=", ".join(filter(None, (log.part, f"run {name}"))))
        question = read_question(entry)
        evidence = read_word(entry.entry("asked_by"), "evidence", get_args(Evidence), "replies")
        for index, text in enumerate(read_texts(entry)):
            result = read_result(text)
            reading: Answer | None = read_reading(entry, index, question)
            if isinstance(result, RequestFailure) or (
                evidence == "replies" and reading == read_again(question, result, log)
            ):
                reading = None
            yield (
                log,
                LoggedReply(
                    question=question,
                    result=result,
                    source=read_note(entry, index, question),
                    sample_index=index,
                    reading=reading,
                    evidence=evidence,
                ),
            )


def read_run(entry: Entry, options: LogOptions) -> LogRun:
    """The run that a sample is of."""
    asked = entry.entry("asked_by")
    shots = asked.values.get("shots")
    return LogRun(
        tool=asked.text("tool"),
        version=asked.text_or("version"),
        benchmark=options.benchmark or entry.name("task"),
        benchmark_version=asked.text_or("benchmark_version"),
        model=options.model or entry.name("model"),
        part=asked.text_or("part"),
        score=asked.text_or("score"),
        way=read_word(asked, "way", get_args(Way), "instructed"),
        several=asked.values.get("several") is True,
        shots=shots if isinstance(shots, int) and 0 < shots < 1_000_000 else 0,
    )


def read_word(entry: Entry, key: str, known: tuple[Any, ...], otherwise: str) -> Any:
    """One of the words that a field may hold.

    Raises:
        LogError: it holds another.
    """
    value = entry.text_or(key, otherwise)
    if value not in known:
        raise entry.fault(key, f"expected {', '.join(known)}")
    return value


def read_question(entry: Entry) -> Question:
    """The question of a sample, with its own id.

    Raises:
        LogError: it can't be one.
    """
    doc = entry.entry("doc")
    texts, right = doc.list("choices"), entry.list("right")
    if not all(isinstance(text, str) for text in texts):
        raise doc.fault("choices", "expected texts")
    if not all(map(is_place, right)):
        raise entry.fault("right", "expected the positions of right choices, from 0")
    try:
        return Question(
            id=doc.name("id"),
            stem=as_utf8(doc.text("question")),
            choices=tuple(map(as_utf8, texts)),
            right=tuple(right),
            group=as_utf8(doc.text_or("subject")) or None,
        )
    except ValueError as error:
        remedy = f"expected positions in order among {MIN_CHOICES} to {MAX_CHOICES} choices"
        raise entry.fault("right", remedy) from error


def read_texts(entry: Entry) -> list[Any]:
    """The replies to a question, one for each sample.

    Raises:
        LogError: there are none.
    """
    [texts] = entry.list("resps")[:1] or [None]
    if not isinstance(texts, list) or not texts:
        raise entry.fault("resps", "expected a list of replies in a list")
    return texts


def read_result(text: Any) -> Response | RequestFailure:
    """A reply; null is one that never came."""
    if isinstance(text, str):
        return make_response(text)
    return RequestFailure(kind="no_output", message="the log has no reply")


def read_reading(entry: Entry, index: int, question: Question) -> Answer:
    """What evalkit read, which a text may not tell that was cut off or read in another form.

    Raises:
        LogError: it can't be that.
    """
    outcomes, picks = entry.list("outcomes"), entry.list("picked")
    if not index < min(len(outcomes), len(picks)):
        raise entry.fault("picked", "expected one for each reply")
    outcome, picked = outcomes[index], picks[index]
    if picked is None and outcome in tuple(Outcome) and outcome != Outcome.ANSWERED:
        return share_answer(Outcome(outcome))
    known = range(len(question.choices))
    picks_some = isinstance(picked, list) and bool(picked)
    if not picks_some or not all(is_place(each) and each in known for each in picked):
        raise entry.fault("picked", "expected the positions of what was picked, from 0, or null")
    is_one = len(picked) == 1 and entry.entry("asked_by").values.get("several") is not True
    return share_answer(Outcome.ANSWERED, picked[0] if is_one else tuple(sorted(set(picked))))


def read_again(question: Question, result: Response, log: LogRun) -> Answer:
    """What the text alone says."""
    several = log.several or not question.has_one_answer
    return read_reply(question, None, log.way, result, PromptFormat(), several=several)


def read_note(entry: Entry, index: int, question: Question) -> SourceNote:
    """What the tool that asked said of a reply, if evalkit did not ask itself."""
    scores, answers = entry.values.get("source_scores"), entry.values.get("source_answers")
    answer = pick(answers, index)
    return SourceNote(
        id=as_utf8(entry.text_or("source_id")) or question.id,
        score=as_score(pick(scores, index)),
        answer=as_utf8(answer)[:200] if isinstance(answer, str) else None,
    )


def pick(values: Any, index: int) -> Any:
    """An item of a list; None if there is none."""
    return values[index] if isinstance(values, list) and index < len(values) else None


def is_place(value: object) -> bool:
    """Whether a value may be the position of a choice."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
