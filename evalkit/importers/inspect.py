"""Logs of Inspect: `.eval` archives, read one sample at a time, and `.json` files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from evalkit.answers import Answer
from evalkit.errors import LogError
from evalkit.importers.columns import find_group
from evalkit.importers.entries import DOUBTFUL, Entry
from evalkit.importers.files import Archive, as_entry
from evalkit.importers.logged import (
    SCORED,
    LoggedReply,
    LogOptions,
    LogRun,
    as_score,
    as_utf8,
    make_question,
    make_response,
)
from evalkit.importers.scored import reading_of_score
from evalkit.prompts import PromptFormat
from evalkit.questions import MAX_CHOICES, MIN_CHOICES, Order, Question
from evalkit.responses import RequestFailure, Response, as_count, parse_usage
from evalkit.runs.journal import SourceNote
from evalkit.scores import read_reply

TOOL = "inspect_ai"

HEADER, START = "header.json", "_journal/start.json"
"""Of a finished log, and of one that is still written or was left."""

SAMPLES = "samples/"

ATTACHMENT = "attachment://"
"""Stands for a long text that is kept elsewhere in the sample."""

STOPPED: Mapping[str, str] = {
    "stop": "end_turn",
    "max_tokens": "max_tokens",
    "model_length": "model_context_window_exceeded",
    "content_filter": "refusal",
}
"""Why a reply ended, in the words of the Messages API."""

MULTIPLE_CHOICE = "multiple_choice"


def is_archive(names: Sequence[str]) -> bool:
    """Whether an archive with these members is an Inspect log."""
    return HEADER in names or START in names


def is_log(top: Any) -> bool:
    """Whether some JSON is an Inspect log."""
    return isinstance(top, dict) and isinstance(top.get("eval"), dict) and "status" in top


def read_archive(
    path: Path, options: LogOptions, notes: list[str]
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in an `.eval` file.

    Args:
        path: the file.
        options: how to read it.
        notes: takes what has to be known of it.

    Raises:
        LogError: it can't be read.
    """
    with closing(Archive(path)) as archive:
        names = archive.names()
        if not is_archive(names):
            reason = f"an archive without {HEADER}: expected an .eval log of Inspect"
            raise LogError(reason, path=path)
        header = archive.read(HEADER if HEADER in names else START)
        members = [name for name in names if name.startswith(SAMPLES) and name.endswith(".json")]
        yield from read_samples(header, (archive.read(name) for name in members), options, notes)


def read_json(
    top: Any, path: Path, options: LogOptions, notes: list[str]
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in a `.json` log."""
    header = as_entry(top, path, None)
    samples = header.entries("samples", counted=True) if header.has("samples") else iter(())
    yield from read_samples(header, samples, options, notes)


def read_samples(
    header: Entry, samples: Iterator[Entry], options: LogOptions, notes: list[str]
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies of a log, one after the other."""
    log = describe(header, options)
    scorers = dict.fromkeys(list_scorers(header))
    seen = 0
    for sample in samples:
        seen += 1
        scorers |= dict.fromkeys(sample.entry_or_empty("scores").values)
        yield log, read_sample(sample, log, options)
    if seen == 0:
        raise LogError(
            "holds no sample; was it written with --no-log-samples, or is only its header there?",
            path=header.path,
        )
    if options.columns.score is not None and options.columns.score not in scorers:
        there = ", ".join(scorers) or "none"
        raise LogError(f"no score {options.columns.score!r}; there are {there}", path=header.path)
    notes += describe_gaps(header, seen, log.samples)


def describe(header: Entry, options: LogOptions) -> LogRun:
    """What the head of a log says of the run."""
    facts = header.entry("eval")
    config = facts.entry_or_empty("config")
    provider, _, model = facts.text("model").partition("/")
    sent = facts.entry_or_empty("model_generate_config").values
    steps = list_steps(header.entry_or_empty("plan"))
    return LogRun(
        tool=TOOL,
        version=facts.entry_or_empty("packages").text_or(TOOL),
        benchmark=options.benchmark or facts.text("task").rpartition("/")[2],
        benchmark_version=str(facts.values.get("task_version", "")),
        model=options.model or model or provider,
        endpoint=provider if model else "",
        score=options.columns.score or next(iter(list_scorers(header)), ""),
        samples=config.count("epochs", 1) if config.has("epochs") else 1,
        way="reasoned" if any(map(has_thoughts, steps)) else "instructed",
        several=any(params_of(step).get("multiple_correct") is True for step in steps),
        parameters={
            name: value
            for name in ("temperature", "max_tokens")
            if isinstance(value := sent.get(name), int | float)
        },
    )


def list_scorers(header: Entry) -> list[str]:
    """The names of the scorers that the head of a log knows; first those that have results.

    Those that were planned are others where a log was scored again.
    """
    planned = names_in(header.entry("eval").values.get("scorers"), "name")
    used = names_in(header.entry_or_empty("results").values.get("scores"), "scorer")
    both = [name for name in planned if name in used]
    return list(dict.fromkeys((*both, *used, *planned)))


def names_in(rows: Any, key: str) -> list[str]:
    """What objects of a list say under a key, without the package that a name begins with."""
    listed = rows if isinstance(rows, list) else []
    found = [row.get(key) for row in listed if isinstance(row, Mapping)]
    return [name.rpartition("/")[2] for name in found if isinstance(name, str) and name]


def list_steps(plan: Entry) -> list[Mapping[str, Any]]:
    """The solvers, one after the other."""
    steps = plan.values.get("steps")
    return [each for each in steps if isinstance(each, Mapping)] if isinstance(steps, list) else []


def params_of(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a solver was told."""
    params = step.get("params")
    return params if isinstance(params, Mapping) else {}


def has_thoughts(step: Mapping[str, Any]) -> bool:
    """Whether a solver has the model think before a marked answer."""
    return step.get("solver") == "chain_of_thought" or params_of(step).get("cot") is True


def describe_gaps(header: Entry, seen: int, epochs: int) -> Iterator[str]:
    """What a log lacks, in sentences.

    Args:
        header: its head.
        seen: how many samples it has.
        epochs: how often each was to be asked.
    """
    facts = header.entry("eval")
    status = header.text_or("status", "started")
    if status != "success":
        yield f"the log's status is {status}, so that samples may be missing"
    dataset = facts.entry_or_empty("dataset")
    names = dataset.values.get("sample_ids")
    wanted = len(names) * epochs if isinstance(names, list) else seen
    if wanted > seen:
        yield f"{wanted - seen} of {wanted} samples are not in the log"


def read_sample(sample: Entry, log: LogRun, options: LogOptions) -> LoggedReply:
    """One sample of a log.

    Raises:
        LogError: something is missing that every sample has.
    """
    attachments = sample.entry_or_empty("attachments").values
    question = read_question(sample, attachments, options)
    score = find_score(sample, log.score)
    result = read_result(sample, attachments)
    note = SourceNote(
        id=sample.name("id"),
        score=as_score(score.values.get("value")),
        answer=score.text_or("answer") or None,
    )
    index = sample.count("epoch", 1) - 1 if sample.has("epoch") else 0
    reply = LoggedReply(question=question, result=result, source=note, sample_index=index)
    if not isinstance(result, Response):
        return reply
    if question.choices == SCORED:
        reading = reading_of_score(note.score, sample, "scores")
        return replace(reply, reading=reading, evidence="scores")
    order = find_order(sample, question.choices, attachments)
    if order is None or order == tuple(range(len(question.choices))):
        return reply
    return replace(reply, reading=read_shuffled(question, order, result, log))


def read_question(sample: Entry, attachments: Mapping[str, Any], options: LogOptions) -> Question:
    """The question of a sample; one without choices is one of which only the score is known."""
    stem = read_input(sample, attachments)
    group = find_group(sample.entry_or_empty("metadata").values, options.columns.group)
    if not sample.values.get("choices"):
        return make_question(stem, SCORED, (0,), group)
    choices = tuple(
        resolve(text, attachments) for text in sample.list("choices") if isinstance(text, str)
    )
    if not MIN_CHOICES <= len(choices) <= MAX_CHOICES or len(choices) < len(sample.list("choices")):
        raise sample.fault("choices", f"expected {MIN_CHOICES} to {MAX_CHOICES} texts")
    return make_question(stem, choices, read_target(sample, choices), group)


def read_target(sample: Entry, choices: Sequence[str]) -> tuple[int, ...]:
    """The positions of the right choices, which Inspect names by letters."""
    target = sample.values.get("target")
    labels = ascii_uppercase[: len(choices)]
    # Its scorer takes "A, C" and "AC" apart as well as a list.
    names = [
        letter
        for value in (target if isinstance(target, list) else [target])
        for letter in re.sub(r"[,\s]", "", value if isinstance(value, str) else "?").upper()
    ]
    places = {labels.index(name) for name in names if name in labels}
    if not places or len(places) < len(names):
        raise sample.fault("target", f"expected letters of choices, {labels[0]} to {labels[-1]}")
    return tuple(sorted(places))


def read_input(sample: Entry, attachments: Mapping[str, Any]) -> str:
    """The question's text: the input, or what the user says in it."""
    value = sample.values.get("input")
    if isinstance(value, list):
        said = [
            read_content(turn.get("content"), attachments)
            for turn in value
            if isinstance(turn, Mapping) and turn.get("role") == "user"
        ]
        value = "\n\n".join(filter(None, said))
    if not isinstance(value, str) or not value.strip():
        raise sample.fault("input", f"expected the text of a question; {DOUBTFUL}")
    return resolve(value, attachments).strip()


def read_content(content: Any, attachments: Mapping[str, Any]) -> str:
    """The words of a message, whose content is a text or a list of blocks."""
    if isinstance(content, str):
        return resolve(content, attachments)
    if not isinstance(content, list):
        return ""
    return "".join(
        resolve(block["text"], attachments)
        for block in content
        if isinstance(block, Mapping)
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
    )


def resolve(text: str, attachments: Mapping[str, Any]) -> str:
    """A text, or the one that is kept elsewhere for it, in characters that UTF-8 can write."""
    if text.startswith(ATTACHMENT):
        found = attachments.get(text.removeprefix(ATTACHMENT))
        text = found if isinstance(found, str) else text
    return as_utf8(text)


def read_result(sample: Entry, attachments: Mapping[str, Any]) -> Response | RequestFailure:
    """What the model replied, or why there is no reply."""
    if sample.has("error"):
        error = sample.values["error"]
        message = error.get("message") if isinstance(error, Mapping) else error
        return RequestFailure(kind="error", message=first_line(message))
    output = sample.entry_or_empty("output")
    options = output.values.get("choices")
    first = options[0] if isinstance(options, list) and options else None
    if not isinstance(first, Mapping):
        limit = sample.entry_or_empty("limit").text_or("type")
        words = f"the sample ended at its limit of {limit}" if limit else "the log has no output"
        return RequestFailure(kind="limit" if limit else "no_output", message=words)
    message = first.get("message")
    content = message.get("content") if isinstance(message, Mapping) else None
    usage = output.entry_or_empty("usage").values
    stop = first.get("stop_reason")
    return make_response(
        read_content(content, attachments),
        stop_reason=STOPPED.get(stop, "end_turn") if isinstance(stop, str) else None,
        model=output.text_or("model") or None,
        usage=parse_usage(
            {
                "input_tokens": as_count(usage.get("input_tokens")),
                "output_tokens": as_count(usage.get("output_tokens")),
                "cache_creation_input_tokens": as_count(usage.get("input_tokens_cache_write")),
                "cache_read_input_tokens": as_count(usage.get("input_tokens_cache_read")),
            }
        ),
        message_id=output.text_or("response_id") or None,
    )


def first_line(message: Any) -> str:
    """The head of an error's message, without what stands below it."""
    lines = str(message or "no message").strip().splitlines() or ["no message"]
    return as_utf8(lines[0][:200])


def find_score(sample: Entry, name: str) -> Entry:
    """The score of a sample by its scorer; where the log names none, the first; empty: it has none.

    Another scorer's is never taken for it.
    """
    scores = sample.entry_or_empty("scores")
    if not scores.values and sample.has("score"):  # as logs had it in 2024
        return sample.entry_or_empty("score")
    return scores.entry_or_empty(name or next(iter(scores.values), ""))


def find_order(
    sample: Entry, choices: Sequence[str], attachments: Mapping[str, Any]
) -> Order | None:
    """The order in which the choices were shown, from the text that was sent.

    Inspect rewrites text and answer of a sample whose choices its solver shuffled, but only if it
    could read the answer: else both stay as they were sent.

    Returns:
        None: the choices do not stand there as Inspect writes them, each under its letter.
    """
    turns = sample.values.get("messages")
    asked = [
        read_content(turn.get("content"), attachments)
        for turn in (turns if isinstance(turns, list) else ())
        if isinstance(turn, Mapping) and turn.get("role") == "user"
    ]
    if not asked or len(set(choices)) < len(choices):
        return None
    lines = f"\n{asked[0]}\n"
    order = []
    for label in ascii_uppercase[: len(choices)]:
        fits = [place for place, text in enumerate(choices) if f"\n{label}) {text}\n" in lines]
        if len(fits) != 1:
            return None
        order += fits
    return tuple(order) if len(set(order)) == len(order) else None


def read_shuffled(question: Question, order: Order, response: Response, log: LogRun) -> Answer:
    """What a reply amounts to whose letters name the choices in the order in which they stood."""
    several = log.several or not question.has_one_answer
    return read_reply(question, order, log.way, response, PromptFormat(), several=several)
