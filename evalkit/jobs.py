"""A run decided on: which questions, asked how, under which name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from evalkit.benchmarks import Benchmark
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.choose import Feature, build_body
from evalkit.errors import BenchmarkError
from evalkit.probing import Settled
from evalkit.prompts import build_prompt, choose_examples, rank_examples
from evalkit.questions import Question, QuestionSet
from evalkit.requests import Request, build_request
from evalkit.runs.manifest import Identity, Manifest, find_git_commit
from evalkit.settings import RunSettings
from evalkit.targets import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run as it was decided on: what to ask, and how."""

    manifest: Manifest
    questions: tuple[Question, ...]
    examples: tuple[Question, ...]
    asking: Asking

    @property
    def label(self) -> str:
        """What the progress bar says."""
        identity = self.manifest.identity
        return f"{identity.benchmark} {identity.model} {identity.way}"

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features sent that a model may refuse."""
        identity = self.manifest.identity
        sent: dict[Feature, bool] = {
            "prefill": identity.way == "prefill",
            "temperature": "temperature" in identity.parameters,
        }
        return tuple(feature for feature, is_sent in sent.items() if is_sent)

    def build_request(self, question: Question) -> Request:
        """The request for one question."""
        identity = self.manifest.identity
        shown = choose_examples(question, self.examples, identity.shots)
        prompt = build_prompt(question, self.manifest.prompt, shown)
        return build_request(
            question.id, identity.way, build_body(identity.way, prompt, self.asking)
        )


def plan_job(benchmark: Benchmark, target: Target, settings: RunSettings, settled: Settled) -> Job:
    """Draw the sample and write the manifest.

    Raises:
        BenchmarkError: no question can be answered by one letter.
        PromptError: the prompt can't be built.
    """
    sample = benchmark.question_set.sample(settings.limit, settings.seed)
    questions = tuple(question for question in sample.questions if question.has_one_answer)
    left_out = len(sample.questions) - len(questions)
    if not questions:
        raise BenchmarkError(f"{benchmark.name}: every question has several right choices")
    examples = benchmark.question_set.examples if settings.shots else ()
    form = settings.prompt or benchmark.definition.prompt
    job = Job(
        manifest=Manifest(
            identity=Identity(
                benchmark=benchmark.name,
                benchmark_version=benchmark.definition.version,
                question_digest=QuestionSet(questions=questions, examples=examples).digest,
                model=target.model,
                model_digest=target.weights_digest,
                endpoint=target.host,
                way=settled.way,
                prompt_digest=form.digest,
                shots=settings.shots,
                parameters={},
                api_version=target.endpoint.version,
                limit=settings.limit,
                seed=settings.seed,
            ),
            prompt=form,
            questions=len(questions),
            left_out=left_out,
            way_reason=settled.reason,
            git_commit=find_git_commit(),
        ),
        questions=questions,
        examples=rank_examples(examples, settings.seed),
        asking=settled.asking,
    )
    body = job.build_request(questions[0]).body
    return replace(job, manifest=with_parameters(job.manifest, body))


def with_parameters(manifest: Manifest, body: Mapping[str, Any]) -> Manifest:
    """Note the fields of a request body that are the same for all questions."""
    varying = ("messages", "model", "system")
    parameters = {key: value for key, value in body.items() if key not in varying}
    return replace(manifest, identity=replace(manifest.identity, parameters=parameters))
