"""Runs of HELM: `per_instance_stats.json`, with what lies beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.answers import Outcome, share_answer
from evalkit.errors import LogError
from evalkit.importers.columns import clean
from evalkit.importers.endings import HELM_FILES
from evalkit.importers.entries import Entry
from evalkit.importers.files import as_entry, read_json_file
from evalkit.importers.logged import (
    SCORED,
    LoggedReply,
    LogOptions,
    LogRun,
    as_score,
    make_question,
    make_response,
)
from evalkit.importers.scored import reading_of_known
from evalkit.questions import MAX_CHOICES, MIN_CHOICES, Question
from evalkit.responses import RequestFailure, Response
from evalkit.runs.journal import SourceNote

TOOL = "helm"

STATS, STATE = HELM_FILES
SPEC = "run_spec.json"
INSTANCES, DISPLAYED = "instances.json", "display_predictions.json"
"""What HELM's web pages are made of, published where the whole state is not."""

MAIN_SCORES = ("exact_match", "quasi_exact_match", "prefix_exact_match", "quasi_prefix_exact_match")

MODEL_IN_NAME = re.compile(r"[:,]model(?:_deployment)?=[^,]*")

CORRECT = "correct"
"""The tag of a right reference."""

STOPPED = {"length": "max_tokens", "stop": "end_turn", "endoftext": "end_turn"}


def is_stats(top: Any) -> bool:
    """Whether some JSON is HELM's per_instance_stats."""
    first = top[0] if isinstance(top, list) and top else None
    return (
        isinstance(first, dict) and "instance_id" in first and isinstance(first.get("stats"), list)
    )


def is_state(top: Any) -> bool:
    """Whether some JSON is HELM's scenario_state."""
    return isinstance(top, dict) and isinstance(top.get("request_states"), list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a run's other files say of one instance."""

    question: Question
    result: Response | RequestFailure | None
    """None: each choice was asked about on its own, and only the score tells which one won."""
    mapped: str | None
    """The text of the choice that HELM took the reply for."""


def list_files(path: Path) -> list[Path]:
    """All files that a log may be read from, by name: of HELM, those beside it too.

    Args:
        path: a log of whatever tool, or the folder of a run of HELM.

    Returns:
        Nothing of another folder.
    """
    if path.suffix.lower() != ".json" and not path.is_dir():
        return [path]
    folder = path if path.is_dir() else path.parent
    known = (folder / name for name in (STATS, STATE, SPEC, INSTANCES, DISPLAYED))
    own = set() if path.is_dir() else {path}
    return sorted(own | {file for file in known if file.is_file()})


Key = tuple[str, int]
"""Of a reply: the instance and the trial, which draws other worked examples."""


def read_run(
    top: Any, path: Path, options: LogOptions, notes: list[str]
) -> Iterator[tuple[LogRun, LoggedReply]]:
    """The replies of a run.

    Args:
        top: its per_instance_stats or its scenario_state, decoded.
        path: where that lies; the other files are looked for beside it.
        options: how to read it.
        notes: takes what has to be known of it.

    Raises:
        LogError: a file can't be read.
    """
    folder = path.parent
    stats = top if isinstance(top, list) else read_beside(folder / STATS)
    state = top if isinstance(top, dict) else read_beside(folder / STATE)
    scores = read_stats(stats or [], folder / STATS if stats is not top else path, options)
    answered: dict[Key, Answered] = {}
    if state is not None:
        answered = read_state(as_entry(state, path if state is top else folder / STATE, None))
    elif (displayed := read_beside(folder / DISPLAYED)) is not None:
        answered = read_displayed(folder, displayed)
    if not answered:
        notes.append(
            f"the log has scores without texts; with {STATE} beside it, replies could be read"
        )
    log = describe(folder, state, options, scores.name)
    keys = dict.fromkeys((*answered, *scores.by_key))
    if not keys:
        raise LogError("holds no instance that was not perturbed", path=path)
    trials = sorted({trial for _, trial in keys})
    for key in keys:
        yield log, read_instance(key, answered.get(key), scores, path, trials.index(key[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of a run by instance and trial."""

    name: str
    by_key: Mapping[Key, float]


def read_beside(path: Path) -> Any:
    """A file of the run; None if it is not there."""
    return read_json_file(path) if path.is_file() else None


def read_stats(stats: Sequence[Any], path: Path, options: LogOptions) -> Scores:
    """The scores of instances as they are, without those that were perturbed.

    Raises:
        LogError: a record is none, or there is no score of the name that is wanted.
    """
    table: dict[Key, dict[str, float]] = {}
    for number, record in enumerate(stats):
        entry = as_entry(record, path, f"[{number}]")
        if entry.has("perturbation"):
            continue
        key = entry.name("instance_id"), trial_of(entry)
        found = table.setdefault(key, {})
        for stat in entry.entries("stats"):
            # Metrics come in several lists of one instance, some of which repeat.
            metric = stat.entry("name")
            value = stat.values.get("mean", stat.values.get("sum"))
            if not metric.has("perturbation") and (score := as_score(value)) is not None:
                found.setdefault(metric.text("name"), score)
    there = dict.fromkeys(name for found in table.values() for name in found)
    wanted = options.columns.score
    if wanted is not None and wanted not in there:
        raise LogError(f"no score {wanted!r}; there are {', '.join(there) or 'none'}", path=path)
    name = wanted or next((name for name in MAIN_SCORES if name in there), "")
    by_key = {key: found[name] for key, found in table.items() if name in found}
    return Scores(name=name, by_key=by_key)


def trial_of(entry: Entry) -> int:
    """The number of the trial, from 0."""
    return entry.count("train_trial_index") if entry.has("train_trial_index") else 0


def read_state(state: Entry) -> dict[Key, Answered]:
    """What was asked and replied, instance by instance.

    Raises:
        LogError: something is missing that every instance has.
    """
    found: dict[Key, Answered] = {}
    for request in state.entries("request_states", counted=True):
        instance = request.entry("instance")
        if instance.has("perturbation"):
            continue
        mapping = request.entry_or_empty("output_mapping").values
        question = read_question(instance, mapping)
        result = None if request.has("reference_index") else read_result(request)
        text = result.text.strip() if isinstance(result, Response) else ""
        mapped = find_choice(mapping.get(text), question)
        found[instance.name("id"), trial_of(request)] = Answered(
            question=question,
            result=result,
            mapped=mapped,
        )
    return found


def read_question(instance: Entry, mapping: Mapping[str, Any]) -> Question:
    """The question of an instance: its choices as they were shown, if the log says how."""
    stem = clean(instance.entry("input").text("text"))
    group = instance.text_or("sub_split") or None
    references = [
        (clean(each.entry("output").text("text")), has_tag(each, CORRECT))
        for each in instance.entries("references")
    ]
    texts = [text for text, _ in references]
    right = {text for text, is_right in references if is_right}
    shown = [clean(text) for text in mapping.values() if isinstance(text, str)]
    texts = shown if sorted(shown) == sorted(texts) else texts
    places = tuple(place for place, text in enumerate(texts) if text in right)
    if not MIN_CHOICES <= len(texts) <= MAX_CHOICES or not places:
        return make_question(stem or instance.name("id"), SCORED, (0,), group)
    return make_question(stem, tuple(texts), places, group)


def has_tag(reference: Entry, tag: str) -> bool:
    """Whether a reference has a tag."""
    tags = reference.values.get("tags")
    return isinstance(tags, list) and tag in tags


def find_choice(text: Any, question: Question) -> str | None:
    """The choice that has a text; None if none has."""
    found = clean(text) if isinstance(text, str) else None
    return found if found in question.choices else None


def read_result(request: Entry) -> Response | RequestFailure:
    """What came back for a request."""
    result = request.entry_or_empty("result")
    completions = result.values.get("completions")
    first = completions[0] if isinstance(completions, list) and completions else None
    if result.values.get("success") is not True or not isinstance(first, Mapping):
        message = result.text_or("error") or "the log has no completion"
        return RequestFailure(kind="error", message=clean(message.splitlines()[0])[:200])
    text, reason = first.get("text"), first.get("finish_reason")
    stop = reason.get("reason") if isinstance(reason, Mapping) else None
    return make_response(
        text if isinstance(text, str) else "",
        stop_reason=STOPPED.get(stop, "end_turn") if isinstance(stop, str) else None,
    )


def read_displayed(folder: Path, displayed: Any) -> dict[Key, Answered]:
    """What HELM's web pages show: instances, and what was predicted of them."""
    path = folder / INSTANCES
    instances = read_beside(path)
    if not isinstance(instances, list) or not isinstance(displayed, list):
        return {}
    by_id = {
        entry.name("id"): entry
        for number, each in enumerate(instances)
        if not (entry := as_entry(each, path, f"[{number}]")).has("perturbation")
    }
    found: dict[Key, Answered] = {}
    for number, each in enumerate(displayed):
        entry = as_entry(each, folder / DISPLAYED, f"[{number}]")
        instance = by_id.get(entry.name("instance_id"))
        if instance is None or entry.has("perturbation"):
            continue
        question = read_question(instance, {})
        mapped = find_choice(entry.values.get("mapped_output"), question)
        found[entry.name("instance_id"), trial_of(entry)] = Answered(
            question=question,
            result=make_response(entry.text("predicted_text")),
            mapped=mapped,
        )
    return found


def describe(folder: Path, state: Any, options: LogOptions, score: str) -> LogRun:
    """What a run's files say of it as a whole."""
    spec = read_beside(folder / SPEC)
    spec = spec if isinstance(spec, dict) else {}
    adapter = spec.get("adapter_spec") or (state or {}).get("adapter_spec")
    adapter = adapter if isinstance(adapter, dict) else {}
    name = spec.get("name")
    name = name if isinstance(name, str) else folder.resolve().name
    model = adapter.get("model")
    model = model if isinstance(model, str) else "unknown"
    shots = adapter.get("max_train_instances")
    return LogRun(
        tool=TOOL,
        benchmark=options.benchmark or MODEL_IN_NAME.sub("", name),
        model=options.model or model.rpartition("/")[2],
        endpoint=model.rpartition("/")[0],
        score=score,
        shots=shots if isinstance(shots, int) and shots > 0 else 0,
    )


def read_instance(
    key: Key, answered: Answered | None, scores: Scores, path: Path, index: int
) -> LoggedReply:
    """One reply with its score.

    Raises:
        LogError: there is nothing that says whether it is right.
    """
    name, score = key[0], scores.by_key.get(key)
    place = Entry(path=path, values={"instance_id": name})
    if answered is None:
        answered = Answered(question=make_question(name, SCORED, (0,)), result=None, mapped=None)
    question, result = answered.question, answered.result
    if result is None or (question.choices == SCORED and isinstance(result, Response)):
        return LoggedReply(
            question=question,
            result=result or make_response(""),
            source=SourceNote(id=name, score=score),
            sample_index=index,
            reading=reading_of_known(question, score, place, "instance_id"),
            evidence="scores",
            names_one=True,
        )
    picked = question.choices.index(answered.mapped) if answered.mapped else None
    return LoggedReply(
        question=question,
        result=result,
        source=SourceNote(id=name, score=score, answer=answered.mapped),
        sample_index=index,
        # The letters are those of the order in which HELM showed the choices.
        reading=None if picked is None else share_answer(Outcome.ANSWERED, picked),
        names_one=True,
    )
