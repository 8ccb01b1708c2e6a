"""Samples of lm-evaluation-harness, as `--log_samples` writes them, a line each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from evalkit.answers import Outcome, share_answer
from evalkit.errors import LogError
from evalkit.importers.columns import (
    LOOKED_AT,
    Layout,
    clean,
    find_group,
    find_layout,
    read_question,
)
from evalkit.importers.entries import Entry
from evalkit.importers.files import decode, read_lines
from evalkit.importers.lm_eval_targets import read_right, read_target
from evalkit.importers.logged import (
    SCORED,
    LoggedReply,
    LogOptions,
    LogRun,
    as_score,
    make_question,
    make_response,
)
from evalkit.importers.scored import reading_of_score
from evalkit.loaders.records import shorten
from evalkit.questions import MAX_CHOICES, MIN_CHOICES, Question
from evalkit.responses import RequestFailure
from evalkit.runs.journal import SourceNote

TOOL = "lm-eval"

SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d+)\.jsonl")

MAIN_SCORES = ("acc", "exact_match", "acc_norm")
"""Which score is kept, if the log has several."""


def is_sample(first: Mapping[str, Any]) -> bool:
    """Whether the first object of a file of lines is a sample of lm-eval."""
    return {"doc_id", "doc", "arguments"} <= first.keys() and "resps" in first


def read_samples(
    path: Path,
    options: LogOptions,
    notes: list[str],
    open_samples: Callable[[Path], Iterable[Entry]] = read_lines,
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies in a file of samples.

    Args:
        path: the file.
        options: how to read it.
        notes: takes what has to be known of it.
        open_samples: gives its samples; called twice.

    Raises:
        LogError: it can't be read.
    """
    first = list(islice(open_samples(path), LOOKED_AT))
    if not first:
        raise LogError("is empty: expected a line for each sample", path=path)
    reader = SampleReader(path, first, options)
    others: dict[str, None] = {}
    found = False
    for entry in open_samples(path):
        name = entry.text_or("filter")
        if name != reader.filter:
            others[name] = None
            continue
        found = True
        for reply in reader.read(entry):
            yield reader.log, reply
    words = ", ".join(filter(None, others)) or "none"
    if not found:
        raise LogError(f"no filter {reader.filter!r} (--filter); there are {words}", path=path)
    if others:
        notes.append(f"the tool's score is that of filter {reader.filter}; others are {words}")


class SampleReader:
    """Reads the samples of one file.

    Args:
        path: the file.
        first: its first samples, which show what the columns of its documents mean.
        options: how to read it.

    Raises:
        LogError: the score that is wanted is not there.
    """

    def __init__(self, path: Path, first: Sequence[Entry], options: LogOptions) -> None:
        self.path, self.options = path, options
        self.filter = first[0].text_or("filter") if options.filter is None else options.filter
        self.score = find_score_name(first[0], options.columns.score)
        docs = [entry.entry("doc").values for entry in first]
        self.layout = find_layout(
            path, docs, replace(options.columns, id=None), answer_is_needed=False
        )
        self.targeted = replace_answer(self.layout)
        self.log = self._describe()

    def _describe(self) -> LogRun:
        """What names of files and the results beside the samples say of the run."""
        named = SAMPLES.fullmatch(self.path.name)
        task = named["task"] if named else self.path.stem
        results = read_results(
            self.path.parent / f"results_{named['time']}.json" if named else None
        )
        config = table_of(results, "config")
        sent_to = read_arguments(config.get("model_args"))
        asked = sent_to.get("model") or sent_to.get("pretrained") or results.get("model_name")
        tasks = table_of(table_of(results, "configs"), task)
        version = table_of(results, "versions").get(task)
        shots = tasks.get("num_fewshot")
        sent = table_of(tasks, "generation_kwargs")
        return LogRun(
            tool=TOOL,
            version=text_of(results.get("lm_eval_version")),
            benchmark=self.options.benchmark or task,
            benchmark_version="" if version is None else str(version),
            model=self.options.model or text_of(asked) or self.path.parent.name or "unknown",
            endpoint=text_of(results.get("model_source")),
            part="" if self.filter in ("", "none") else f"filter {self.filter}",
            score=self.score,
            shots=shots if isinstance(shots, int) and shots > 0 else 0,
            parameters={
                name: value
                for name, key in (("temperature", "temperature"), ("max_tokens", "max_gen_toks"))
                if isinstance(value := sent.get(key), int | float)
            },
        )

    def read(self, entry: Entry) -> Iterator[LoggedReply]:
        """The replies of one sample.

        Raises:
            LogError: something is missing that every sample has.
        """
        requests = self._list_requests(entry)
        replies = entry.list("resps")
        if len(requests) > 1 and len(requests) == len(replies):
            yield self._read_pick(entry, requests, replies)
        else:
            yield from self._read_texts(entry, requests, replies)

    def _list_requests(self, entry: Entry) -> list[tuple[str, str]]:
        """What was sent, in pairs of a prompt and, where likelihoods were asked for, a choice."""
        found = []
        arguments = entry.values.get("arguments")
        # Until 2024 a list of lists, since then an object of objects.
        rows = (
            arguments if isinstance(arguments, list) else entry.entry("arguments").values.values()
        )
        for row in rows:
            if isinstance(row, Mapping):
                sent = row.get("arg_0"), row.get("arg_1")
            elif isinstance(row, list):
                sent = (*row, None, None)[0], (*row, None, None)[1]
            else:
                raise entry.fault("arguments", "expected what was sent, a request at a time")
            found.append((str(sent[0]), sent[1] if isinstance(sent[1], str) else ""))
        if not found:
            raise entry.fault("arguments", "expected what was sent")
        return found

    def _note(self, entry: Entry, answer: str | None) -> SourceNote:
        return SourceNote(
            id=entry.name("doc_id"),
            score=as_score(entry.values.get(self.score)),
            answer=None if answer is None else clean(answer)[:200],
        )

    def _read_pick(
        self, entry: Entry, requests: Sequence[tuple[str, str]], replies: Sequence[Any]
    ) -> LoggedReply:
        """A sample of which each choice got a likelihood, the highest of which is the answer.

        By the score `acc_norm` it is the highest a character of the choice.
        """
        stem, texts = requests[0][0], [text.strip() for _, text in requests]
        if len(set(texts)) == 1:  # as of two sentences with the same end, one for each choice
            stem, texts = texts[0], [prompt.strip() for prompt, _ in requests]
        elif stem != requests[-1][0]:  # further likelihoods, of the choices without the question
            texts = [
                text for text, (prompt, _) in zip(texts, requests, strict=True) if prompt == stem
            ]
        question = self._question_of(entry, stem, tuple(texts))
        likelihoods = [read_likelihood(entry, reply) for reply in replies[: len(texts)]]
        sizes = [max(len(text), 1) if self.score == "acc_norm" else 1 for text in texts]
        weighed = [value / size for value, size in zip(likelihoods, sizes, strict=True)]
        picked = weighed.index(max(weighed))
        note = self._note(entry, texts[picked])
        return LoggedReply(
            question=question,
            result=make_response("", model=None),
            source=note,
            reading=share_answer(Outcome.ANSWERED, picked),
            evidence="picks",
            names_one=True,
        )

    def _question_of(self, entry: Entry, prompt: str, texts: tuple[str, ...]) -> Question:
        """The question of a sample with one request for each choice."""
        if not MIN_CHOICES <= len(texts) <= MAX_CHOICES:
            raise entry.fault("arguments", f"expected {MIN_CHOICES} to {MAX_CHOICES} requests")
        right = read_right(entry, texts)
        try:
            found = read_question(entry.entry("doc"), self.targeted, name="", target=right[0])
            if len(found.choices) == len(texts) and found.choices != SCORED:
                return make_question(found.stem, found.choices, right, found.group)
        except LogError:
            pass  # the document is no plain question: what was sent stands for it
        group = read_question_group(entry, self.layout)
        return make_question(clean(prompt), tuple(map(clean, texts)), right, group)

    def _read_texts(
        self, entry: Entry, requests: Sequence[tuple[str, str]], replies: Sequence[Any]
    ) -> Iterator[LoggedReply]:
        """A sample to which the model wrote replies: the first request's."""
        said = replies[0] if replies else None
        texts = said if isinstance(said, list) else [said]
        filtered = entry.values.get("filtered_resps")
        taken = filtered if isinstance(filtered, list) else []
        question = self._text_question(entry, requests[0][0])
        if not texts:
            raise entry.fault("resps", "expected a reply to each request")
        for index, text in enumerate(texts):
            answer = taken[index] if index < len(taken) else None
            note = self._note(entry, answer if isinstance(answer, str) else None)
            if not isinstance(text, str):
                failure = RequestFailure(kind="no_output", message="the log has no reply")
                yield LoggedReply(
                    question=question, result=failure, source=note, sample_index=index
                )
            elif question.choices == SCORED:
                reading = reading_of_score(note.score, entry, self.score)
                yield LoggedReply(
                    question=question,
                    result=make_response(text),
                    source=note,
                    sample_index=index,
                    reading=reading,
                    evidence="scores",
                )
            else:
                # Of several replies, the score is one of all of them.
                note = note if len(texts) == 1 else replace(note, score=None)
                yield LoggedReply(
                    question=question, result=make_response(text), source=note, sample_index=index
                )

    def _text_question(self, entry: Entry, prompt: str) -> Question:
        """The question of a sample that was answered in words."""
        if self.layout.fields is None:
            group = read_question_group(entry, self.layout)
            return make_question(clean(prompt) or entry.name("doc_id"), SCORED, (0,), group)
        target = read_target(entry)
        if self.layout.answer is None and str(target).strip().isdecimal():
            raise entry.fault(
                "target", "positions may count from 0 or from 1: name --answer and --answer-is"
            )
        return read_question(entry.entry("doc"), self.layout, name="", target=target)


def replace_answer(layout: Layout) -> Layout:
    """The same columns, with the right choice told by the sample's target."""
    fields = None if layout.fields is None else replace(layout.fields, answer=None)
    return replace(layout, answer=None, fields=fields)


def read_question_group(entry: Entry, layout: Layout) -> str | None:
    """The subject that a document names."""
    return find_group(entry.entry("doc").values, layout.group)


def read_likelihood(entry: Entry, reply: Any) -> float:
    """The log-likelihood of a choice, which stands in lists of one.

    Raises:
        LogError: it is no number.
    """
    while isinstance(reply, list) and reply:
        reply = reply[0]
    try:
        value = float(reply)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if value != value:
        raise entry.fault("resps", f"{shorten(reply)}: expected the log-likelihood of each choice")
    return value


def find_score_name(entry: Entry, wanted: str | None) -> str:
    """The name of the score that is kept.

    Raises:
        LogError: the samples do not have the one that is wanted.
    """
    listed = entry.values.get("metrics")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    there = [name for name in dict.fromkeys((*names, *MAIN_SCORES)) if entry.has(name)]
    if wanted is not None:
        if not entry.has(wanted):
            raise entry.fault(wanted, f"no such score; there are {', '.join(there) or 'none'}")
        return wanted
    return next((name for name in (*MAIN_SCORES, *there) if name in there), "")


def read_results(path: Path | None) -> Mapping[str, Any]:
    """What lm-eval wrote of a whole run beside its samples; empty if it is not there."""
    try:
        found = {} if path is None else decode(path.read_bytes(), path, None)
    except (OSError, LogError):
        return {}
    return found if isinstance(found, dict) else {}


def read_arguments(value: Any) -> Mapping[str, Any]:
    """The arguments of a model, which older versions wrote as a text: `pretrained=gpt2,dtype=...`.

    Example:
        >>> read_arguments("pretrained=gpt2,dtype=float32")["pretrained"]
        'gpt2'
    """
    if isinstance(value, str):
        pairs = (part.partition("=") for part in value.split(","))
        return {key.strip(): text.strip() for key, _, text in pairs}
    return value if isinstance(value, Mapping) else {}


def table_of(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object within another; an empty one if there is none."""
    value = values.get(key)
    return value if isinstance(value, Mapping) else {}


def text_of(value: Any) -> str:
    """A text; an empty one for anything else."""
    return value if isinstance(value, str) else ""
