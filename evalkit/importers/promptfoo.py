"""Results of promptfoo, as `promptfoo eval -o results.json` or `-o results.jsonl` writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import gcd
from pathlib import Path
from typing import Any

from evalkit.errors import LogError
from evalkit.importers.columns import LOOKED_AT, Layout, find_layout, read_question
from evalkit.importers.entries import Entry
from evalkit.importers.files import as_entry, read_lines
from evalkit.importers.logged import (
    SCORED,
    LoggedReply,
    LogOptions,
    LogRun,
    as_score,
    as_utf8,
    make_response,
)
from evalkit.importers.scored import reading_of_score
from evalkit.questions import Question, digest_of
from evalkit.responses import RequestFailure, Response, Usage, as_count
from evalkit.runs.journal import SourceNote

TOOL = "promptfoo"

ERROR = 2
"""`failureReason` of a result without a reply; 1 is a reply that was judged wrong."""

VERBATIM = ("equals", "iequals", "contains", "icontains", "starts-with", "regex")
"""Assertions whose value may be the right letter, or the text of the right choice."""

ALL_OF = ("contains-all", "icontains-all")
"""Assertions whose value may be a list of all right letters or texts."""

STOPPED = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
"""Why a reply ended, in the words of the Messages API."""


def is_result(first: Mapping[str, Any]) -> bool:
    """Whether the first object of a file of lines is a result of promptfoo."""
    return {"provider", "prompt", "vars", "success", "namedScores"} <= first.keys()


def is_log(top: Any) -> bool:
    """Whether some JSON is what promptfoo writes."""
    found = top.get("results") if isinstance(top, dict) else None
    return isinstance(found, dict) and isinstance(found.get("results"), list)


def read_results(
    top: Any, path: Path, options: LogOptions, notes: list[str]
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in a file of results: a run for each provider and prompt.

    Raises:
        LogError: it can't be read.
    """
    log = as_entry(top, path, None)
    results = list(log.entry("results").entries("results", counted=True))
    yield from read_all(log, results, results[:LOOKED_AT], options, notes)


def read_result_lines(
    path: Path, options: LogOptions, notes: list[str]
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in a file with a result in each line, which says nothing of the whole.

    Raises:
        LogError: it can't be read.
    """
    first = list(islice(read_lines(path), LOOKED_AT))
    repeats = guess_repeats(read_lines(path))
    log = Entry(path=path, values={"runtimeOptions": {"repeat": repeats}})
    yield from read_all(log, read_lines(path), first, options, notes)
    if repeats > 1:
        notes.append(
            f"each test is there {repeats} times, which are taken for repetitions: promptfoo's "
            "lines do not say"
        )


def guess_repeats(results: Iterable[Entry]) -> int:
    """How often each test was made, if each is there as often: else once."""
    counts = Counter(
        digest_of(*place_of(each), repr(sorted(variables_of(each).values.items())))
        for each in results
    )
    return gcd(*counts.values())


def read_all(
    log: Entry,
    results: Iterable[Entry],
    first: Sequence[Entry],
    options: LogOptions,
    notes: list[str],
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in results.

    Args:
        log: what stands around them.
        results: one after the other.
        first: some of them, which show what their variables mean.
        options: how to read them.
        notes: takes what has to be known of them.
    """
    if not first:
        raise LogError("holds no results", path=log.path)
    variables = [variables_of(each).values for each in first]
    layout = find_layout(log.path, variables, options.columns, answer_is_needed=False)
    runs: dict[tuple[str, str], LogRun] = {}
    counter = RepeatCounter(count_repeats(log))
    for result in results:
        place = place_of(result)
        if place not in runs:
            runs[place] = describe(log, place, options)
        yield runs[place], read_result(result, layout, counter, place)
    if len({run.part for run in runs.values()}) > 1:
        notes.append("the log holds several prompts, each of which is a run of its own")


def place_of(result: Entry) -> tuple[str, str]:
    """The provider and the prompt of a result, which tell runs apart."""
    provider = result.entry_or_empty("provider")
    label = provider.text_or("label") or provider.text_or("id")
    if not label:
        raise result.fault("provider", "expected a provider with an id")
    return label, str(result.values.get("promptId") or result.values.get("promptIdx", ""))


def describe(log: Entry, place: tuple[str, str], options: LogOptions) -> LogRun:
    """What a log says of the run of one provider and prompt."""
    config = log.entry_or_empty("config")
    provider, prompt = place
    name = config.text_or("description").strip().splitlines()
    return LogRun(
        tool=TOOL,
        version=log.entry_or_empty("metadata").text_or("promptfooVersion"),
        benchmark=options.benchmark or (name[0][:80] if name else log.path.stem),
        model=options.model or name_model(provider),
        endpoint=provider.partition(":")[0] if ":" in provider else "",
        part=f"prompt {prompt[:12]}" if prompt else "",
        score="success",
    )


def name_model(provider: str) -> str:
    """The model in the name of a provider.

    Example:
        >>> name_model("anthropic:messages:claude-haiku-4-5"), name_model("file://mine.py")
        ('claude-haiku-4-5', 'file://mine.py')
    """
    if "://" in provider:
        return provider
    parts = provider.split(":", 2)
    return parts[-1] or provider


def variables_of(result: Entry) -> Entry:
    """The variables of a result's test."""
    return result.entry("vars") if result.has("vars") else result.entry("testCase").entry("vars")


def count_repeats(log: Entry) -> int:
    """How often each test was made."""
    for options in (
        log.entry_or_empty("runtimeOptions"),
        log.entry_or_empty("config").entry_or_empty("evaluateOptions"),
    ):
        if options.has("repeat"):
            return options.count("repeat", 1)
    return 1


class RepeatCounter:
    """Tells repetitions of a test from two tests that are alike; promptfoo numbers all of them.

    Args:
        repeats: how often each test was made.
    """

    def __init__(self, repeats: int) -> None:
        self._repeats = repeats
        self._seen: dict[tuple[tuple[str, str], str, str], int] = {}

    def take(self, place: tuple[str, str], name: str, question: Question) -> tuple[str, int]:
        """What to call a test, and the number of its reply, both for the run at a place."""
        key = place, name, question.id
        count = self._seen[key] = self._seen.get(key, -1) + 1
        test, sample = divmod(count, self._repeats)
        return (name if test == 0 else f"{name} ({test + 1})"), sample


def read_result(
    result: Entry, layout: Layout, counter: RepeatCounter, place: tuple[str, str]
) -> LoggedReply:
    """One result.

    Raises:
        LogError: something is missing that every result has.
    """
    variables = variables_of(result)
    number = result.values.get("testIdx")
    named = variables.values.get("id")
    name = as_utf8(str(named or ("test" if number is None else f"test {number}")))
    target = None if layout.answer is not None else find_expected(result)
    if target is None and layout.answer is None and layout.fields is not None:
        raise result.fault(
            "vars",
            "neither a variable nor an assertion names the right choice; name it by --answer",
        )
    question = read_question(variables, layout, name=name, target=target)
    # Without a name of its own a test is known by its question.
    name, index = counter.take(place, name if named else question.id, question)
    found = read_reply(result)
    score = None if isinstance(found, RequestFailure) else as_score(result.values.get("success"))
    note = SourceNote(id=name, score=score)
    reading = None
    if isinstance(found, Response) and question.choices == SCORED:
        reading = reading_of_score(score, result, "success")
    return LoggedReply(
        question=question,
        result=found,
        source=note,
        sample_index=index,
        reading=reading,
        evidence="replies" if question.choices != SCORED else "scores",
    )


def find_expected(result: Entry) -> str | list[Any] | None:
    """What a test's assertion expects word by word; None if it has no such assertion."""
    assertions = result.entry_or_empty("testCase").values.get("assert")
    for each in assertions if isinstance(assertions, list) else ():
        if isinstance(each, Mapping) and each.get("type") in (*VERBATIM, *ALL_OF):
            value = each.get("value")
            if isinstance(value, list) and each["type"] in ALL_OF:
                return value
            if isinstance(value, str) and not value.strip().isdecimal():
                return value
    return None


def read_reply(result: Entry) -> Response | RequestFailure:
    """What the model replied, or why there is no reply."""
    response = result.entry_or_empty("response")
    output = response.values.get("output")
    if result.values.get("failureReason") == ERROR or response.has("error") or output is None:
        message = response.text_or("error") or result.text_or("error") or "the log has no output"
        line = next(iter(message.strip().splitlines()), "")[:200]
        return RequestFailure(kind="error", message=as_utf8(line))
    usage: Mapping[str, Any] = response.entry_or_empty("tokenUsage").values
    stop = response.text_or("finishReason")
    return make_response(
        output if isinstance(output, str) else str(output),
        stop_reason=STOPPED.get(stop, stop) or None,
        usage=Usage(
            input_tokens=as_count(usage.get("prompt")),
            output_tokens=as_count(usage.get("completion")),
        ),
    )
