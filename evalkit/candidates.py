"""The candidate of a gate: asked what the baseline was, in the same way but for what is new."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from evalkit.baselines import Baseline, check_repeatable
from evalkit.benchmarks import Benchmark, Definition, load_benchmark
from evalkit.errors import BenchmarkError, UsageError
from evalkit.loaders.choices import ListColumn
from evalkit.loaders.fields import FieldMap
from evalkit.loaders.source import Source
from evalkit.questions import QuestionSet
from evalkit.requests import Way
from evalkit.results import Run
from evalkit.runs.folder import MANIFEST, open_run_folder
from evalkit.settings import RunSettings
from evalkit.stored_questions import collect_questions


def settings_of(
    run: Run | Baseline, *, model: str | None = None, way: Way | Literal["auto"] | None = None
) -> RunSettings:
    """The settings by which a run can be made again, to be changed with `dataclasses.replace`.

    Args:
        run: any, or what is known of it.
        model: another that is to be asked, which decides on effort and room for a reply itself.
        way: another way of asking, which has its own room for a reply.

    Raises:
        UsageError: another tool made the run.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, run
        >>> from evalkit.testing import MessagesServer
        >>> settings = RunSettings(way="instructed", limit=10)
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     where = {"endpoint": endpoint, "results": folder, "progress": False}
        ...     baseline = run("everyday", "claude-haiku-4-5", settings=settings, **where)
        >>> settings_of(baseline, model="claude-sonnet-4-5").way
        'instructed'
    """
    check_repeatable(run)
    identity = run.identity if isinstance(run, Baseline) else run.manifest.identity
    prompt = run.prompt if isinstance(run, Baseline) else run.manifest.prompt
    sent = identity.parameters
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
        prompt=prompt,
        resize=bool(sent.get("resize", False)),
        keep_text=identity.keep_text,
        **own,
    )


def thinks(thinking: Any) -> bool:
    """Whether the field of that name has the API think."""
    return isinstance(thinking, dict) and thinking.get("type") in ("adaptive", "enabled")


def benchmark_of(baseline: Baseline, *, shots: int) -> Benchmark:
    """The questions of a baseline as a benchmark, with the worked examples if they are at hand.

    Raises:
        UsageError: there are no texts, or no worked examples where some are wanted.
    """
    identity, run = baseline.identity, baseline.run
    advice = f"; name it by --benchmark {identity.benchmark}, or its definition or question file"
    if run is None:
        return find_benchmark(baseline, advice)
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
            prompt=run.manifest.prompt,
        ),
        question_set=QuestionSet(questions=run.questions, examples=examples or ()),
        is_part_of_several=identity.several,
    )


def find_benchmark(baseline: Baseline, advice: str) -> Benchmark:
    """The benchmark of a baseline that holds no texts, by its name.

    Raises:
        UsageError: none is known by that name, or its questions are others.
    """
    try:
        benchmark = load_benchmark(baseline.identity.benchmark)
    except BenchmarkError as error:
        raise UsageError(f"{baseline.path} holds no texts of its questions{advice}") from error
    return take_part(baseline, benchmark)


def take_part(baseline: Baseline, benchmark: Benchmark) -> Benchmark:
    """The part of a benchmark that a baseline without texts covers, unchanged.

    Args:
        baseline: read from a file, or of a run that kept no texts.
        benchmark: the whole.

    Raises:
        UsageError: the questions, or the worked examples shown, are others.
    """
    identity, everything = baseline.identity, benchmark.question_set
    ids = set(baseline.ids)
    questions = collect_questions(q for q in everything.questions if q.id in ids)
    remedy = "make the baseline anew"
    if changed := baseline.find_changed(questions):
        raise UsageError(
            f"invalid: {len(changed)} questions of {benchmark.name} are not those of the baseline "
            f"{baseline.path}, {changed[0]} for one: their text, choices or right answer have "
            f"changed; {remedy}"
        )
    if gone := ids - {question.id for question in questions}:
        raise UsageError(
            f"invalid: {len(gone)} questions of the baseline {baseline.path} are no longer in "
            f"{benchmark.name}, {min(gone)} for one; {remedy}"
        )
    # By their ids, whatever selected them.
    asked = QuestionSet(questions=questions, examples=everything.examples if identity.shots else ())
    if asked.digest != identity.question_digest:
        raise UsageError(
            f"invalid: {benchmark.name} no longer has the questions of the baseline "
            f"{baseline.path}: their digest is {asked.digest[:12]}, not "
            f"{identity.question_digest[:12]}; {remedy}"
        )
    return replace(
        benchmark,
        question_set=replace(everything, questions=questions),
        is_part_of_several=identity.several,
    )


def check_prompt(baseline: Baseline, benchmark: Benchmark) -> None:
    """Refuse to guess a prompt of which no more than a digest is known.

    Raises:
        UsageError: it is not the benchmark's own.
    """
    known = baseline.prompt is not None
    if not known and benchmark.definition.prompt.digest != baseline.identity.prompt_digest:
        raise UsageError(
            f"{baseline.path} holds no texts, and its prompt is not that of {benchmark.name}: name "
            "the candidate's by --prompt FILE (in Python prompt=)"
        )
