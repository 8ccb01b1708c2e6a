"""The candidate of a gate: asked what the baseline was, in the same way but for what is new."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from evalkit.benchmarks import Benchmark, Definition
from evalkit.errors import UsageError
from evalkit.loaders.choices import ListColumn
from evalkit.loaders.fields import FieldMap
from evalkit.loaders.source import Source
from evalkit.questions import QuestionSet
from evalkit.requests import Way
from evalkit.results import Run
from evalkit.runs.folder import MANIFEST, open_run_folder
from evalkit.settings import RunSettings


def settings_of(
    run: Run, *, model: str | None = None, way: Way | Literal["auto"] | None = None
) -> RunSettings:
    """The settings by which a run can be made again, to be changed with `dataclasses.replace`.

    Args:
        run: any.
        model: another that is to be asked, which decides on effort and room for a reply itself.
        way: another way of asking, which has its own room for a reply.

    Raises:
        UsageError: another tool made the run.

    Example:
        >>> settings_of(load_run("results/everyday--..."), model="m").way  # doctest: +SKIP
        'prefill'
    """
    check_repeatable(run)
    identity, sent = run.manifest.identity, run.manifest.identity.parameters
    own: dict[str, Any] = {"temperature": sent.get("temperature", "default")}
    is_same_model = model in (None, identity.model)
    if is_same_model:
        output = sent.get("output_config")
        own["effort"] = output.get("effort") if isinstance(output, dict) else None
    if is_same_model and way in (None, identity.way):
        own |= {"max_tokens": sent.get("max_tokens"), "temperature": sent.get("temperature")}
    thinks_in_words = (
        is_same_model and identity.way == "reasoned" and not thinks(sent.get("thinking"))
    )
    return RunSettings(
        way=way or identity.way,
        samples=identity.samples,
        orders=identity.orders,
        limit=identity.limit,
        seed=identity.seed,
        shots=identity.shots,
        thought="text" if thinks_in_words else "api",
        stop_sequences=tuple(sent.get("stop_sequences", ())),
        prompt=run.manifest.prompt,
        resize=bool(sent.get("resize", False)),
        keep_text=identity.keep_text,
        **own,
    )


def thinks(thinking: Any) -> bool:
    """Whether the field of that name has the API think."""
    return isinstance(thinking, dict) and thinking.get("type") in ("adaptive", "enabled")


def benchmark_of(run: Run, *, shots: int) -> Benchmark:
    """The questions of a run as a benchmark, with the worked examples if its folder has them.

    Raises:
        UsageError: the folder holds no texts, or no worked examples where some are wanted.
    """
    manifest = run.manifest
    identity = manifest.identity
    advice = f"; name it by --benchmark {identity.benchmark}, or its definition or question file"
    if not identity.keep_text:
        raise UsageError(f"{run.path} holds no texts of its questions{advice}")
    examples = open_run_folder(run.path, questions=run.questions).read_examples()
    if shots and not examples:
        raise UsageError(f"{run.path} holds no worked examples of its benchmark{advice}")
    return Benchmark(
        definition=Definition(
            name=identity.benchmark,
            version=identity.benchmark_version,
            path=run.path / MANIFEST,
            source=Source(files=()),
            fields=FieldMap(stem=(), choices=ListColumn(column="")),
            prompt=manifest.prompt,
        ),
        question_set=QuestionSet(questions=run.questions, examples=examples or ()),
    )


def check_benchmark(run: Run, benchmark: Benchmark) -> None:
    """Refuse a benchmark that is not the one of a run whose folder holds no texts to compare.

    Raises:
        UsageError: the questions, or the worked examples shown, are others.
    """
    identity = run.manifest.identity
    if identity.keep_text:
        return  # `evalkit.gates` compares question by question
    # By their ids, whatever selected them.
    ids = {question.id for question in run.questions}
    everything = benchmark.question_set
    asked = QuestionSet(
        questions=tuple(q for q in everything.questions if q.id in ids),
        examples=everything.examples if identity.shots else (),
    )
    if asked.digest != identity.question_digest:
        raise UsageError(
            f"invalid: {benchmark.name} no longer has the questions of the baseline {run.path}: "
            f"their digest is {asked.digest[:12]}, not {identity.question_digest[:12]}"
        )


def check_repeatable(run: Run) -> None:
    """Refuse a run that evalkit can't make again, since another tool asked.

    Raises:
        UsageError: naming it and the remedy.
    """
    origin = run.manifest.identity.origin
    if origin is not None:
        raise UsageError(
            f"{run.path} was asked by {origin.words}, whose prompt evalkit does not know: no "
            "candidate can be asked as it was, and a drop would be one of the prompt too. Ask the "
            "baseline by `evalkit run`; or judge two logs by `evalkit compare A B --margin 2`"
        )


def find_baseline(name: Path | str, results: Path) -> Path:
    """The folder of a run that is named by its path, its folder's name or its id.

    Raises:
        UsageError: there is none, or there are several.
    """
    for path in (Path(name), results / name):
        if (path / MANIFEST).is_file():
            return path
    found = sorted(path.parent for path in results.glob(f"*--{name}/{MANIFEST}"))
    if len(found) == 1:
        return found[0]
    problem = f"{len(found)} runs have this id in" if found else "no run's folder, nor a run in"
    raise UsageError(f"baseline {name}: {problem} {results}")
