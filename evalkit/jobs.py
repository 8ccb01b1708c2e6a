"""A run decided on: which questions, asked how, under which name."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from evalkit.answers import Answer, Outcome
from evalkit.benchmarks import Benchmark
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.choose import CONSTRAINED, Feature, build_body, enlarge, list_features
from evalkit.errors import UsageError
from evalkit.id_table import IdTable
from evalkit.images import ImageLimits, check_images
from evalkit.models.model import Model
from evalkit.orders import Design, design_of
from evalkit.probing import Settled
from evalkit.prompts import build_prompt, choose_examples, rank_examples
from evalkit.questions import (
    Order,
    Question,
    QuestionSet,
    count_several,
    number_questions,
    reorder,
)
from evalkit.requests import Request, Way, build_request
from evalkit.responses import Response
from evalkit.runs.journal import JournalRow
from evalkit.runs.manifest import Identity, Manifest, find_git_commit
from evalkit.runs.standing import Standing
from evalkit.scores import read_reply
from evalkit.settings import RunSettings
from evalkit.targets import Target


@dataclass(frozen=True, kw_only=True)
class Job:
    """A run as it was decided on: what to ask, and how."""

    manifest: Manifest
    questions: Sequence[Question]
    examples: tuple[Question, ...]
    """Worked examples, in the order in which they are drawn."""
    example_set: tuple[Question, ...] = ()
    """The same in the order of their set."""
    asking: Asking
    facts: Model

    @property
    def label(self) -> str:
        """What the progress bar says."""
        identity = self.manifest.identity
        return f"{identity.benchmark} {identity.model} {identity.way}"

    @property
    def design(self) -> Design:
        """What is wanted of each question."""
        return design_of(self.manifest.identity)

    @cached_property
    def size(self) -> int:
        """Responses wanted."""
        return self.design.count_all(self.questions)

    @cached_property
    def _numbers(self) -> IdTable:
        return number_questions(self.questions)

    def find_question(self, name: str) -> Question | None:
        """The question with an id; None: the run has none."""
        number = self._numbers.get(name)
        return None if number is None else self.questions[number]

    def responses_wanted(self, question: Question) -> int:
        """How many responses make a question's score."""
        return self.design.count(question)

    @cached_property
    def first_body(self) -> Mapping[str, Any]:
        """The request for the first question, which stands for all in what it makes use of."""
        return self.build_request(self.questions[0]).body

    @property
    def features(self) -> frozenset[Feature]:
        """The features sent that a model may refuse."""
        return list_features(self.first_body)

    @property
    def image_limits(self) -> ImageLimits:
        """What the model takes of pictures."""
        return ImageLimits(max_images=self.facts.max_images)

    def build_request(
        self, question: Question, sample_index: int = 0, order: Order | None = None
    ) -> Request:
        """The request for one response to one question, with its choices in some order."""
        identity = self.manifest.identity
        shown = question if order is None else reorder(question, order)
        prompt = build_prompt(
            shown,
            self.manifest.prompt,
            self.choose_shown(question),
            several=identity.several,
        )
        body = build_body(identity.way, prompt, self.asking)
        return build_request(question.id, identity.way, body, sample_index, order)

    def choose_shown(self, question: Question) -> tuple[Question, ...]:
        """The worked examples before a question."""
        return choose_examples(question, self.examples, self.manifest.identity.shots)

    def list_requests(self, questions: Sequence[Question]) -> Iterator[Request]:
        """All requests for some questions, one after the other."""
        design = self.design
        for question in questions:
            for order in design.list_orders(question):
                for index in range(design.samples):
                    yield self.build_request(question, index, order)

    def list_missing(
        self,
        standing: Standing,
        questions: Iterable[Question] | None = None,
        *,
        in_order: bool = False,
    ) -> Iterator[tuple[Question, Request]]:
        """Requests without a response; of a reply that was cut off, the one with more room.

        What failed before comes last: it may fail for ever, and must not end the run before the
        others have had their turn.

        Args:
            standing: how far the run had come.
            questions: those of the run in their order, read once; None: those of the job.
            in_order: whether what failed before keeps its place, for whoever skips nothing.

        Yields:
            Each request with its question.
        """
        failed, late = frozenset(standing.failed), []
        for question in self.questions if questions is None else questions:
            if question.id in failed and not in_order:
                late.append(question)
            else:
                yield from self.list_missing_of(question, standing)
        for question in late:
            yield from self.list_missing_of(question, standing)

    def list_missing_of(
        self, question: Question, standing: Standing
    ) -> Iterator[tuple[Question, Request]]:
        """The same for one question."""
        for request in self.list_requests([question]):
            if request.id not in standing.answered:
                yield question, request
            elif (row := standing.cut.get(request.id)) is not None:
                again = self.find_retake(question, row)
                if again is not None and not standing.is_over(again):
                    yield question, again

    def find_retake(self, question: Question, row: JournalRow) -> Request | None:
        """The request to make once more after a row of the journal; None: it needs none."""
        if row.is_retake or not isinstance(row.result, Response) or not row.result.was_cut:
            return None
        # After a prefill, one token is all that was asked for. Where texts are not kept, what was
        # read of them is.
        is_read = row.reading is not None and row.reading.outcome is not Outcome.TRUNCATED
        if row.way == "prefill" or is_read:
            return None
        request = self.build_request(question, row.sample_index, row.order)
        return self.build_retake(request, question, row.result)

    def read(self, question: Question, response: Response, order: Order | None = None) -> Answer:
        """What a reply amounts to, with the choice by its position in the set's own order."""
        identity, form = self.manifest.identity, self.manifest.prompt
        return read_reply(question, order, identity.way, response, form, several=identity.several)

    def build_retake(
        self, request: Request, question: Question, response: Response
    ) -> Request | None:
        """The request to ask once more if a reply was cut off before it answered; else None."""
        if response.stop_reason != "max_tokens":
            return None
        if self.read(question, response, request.order).outcome is not Outcome.TRUNCATED:
            return None
        body = enlarge(request.body, self.facts.max_output_tokens)
        return None if body is None else request.with_room(body)

    def check_images(self, settings: RunSettings) -> None:
        """Refuse pictures that the endpoint would refuse.

        Args:
            settings: how pictures travel, and whether they are scaled down.

        Raises:
            ImageError: naming the picture, the limit and the remedy.
        """
        limits = self.image_limits
        if settings.images == "file":
            limits = replace(limits, max_request_bytes=sys.maxsize)
        for question in self.questions:
            shown = [*self.choose_shown(question), question]
            images = [image for each in shown for image in each.images]
            if images:
                check_images(images, limits, resize=settings.resize)


def check_way(benchmark: Benchmark, settings: RunSettings) -> None:
    """Refuse a way of asking whose one letter can't answer all of the questions.

    Raises:
        UsageError: with the number of questions that have several right choices.
    """
    whole = benchmark.question_set
    if settings.way in ("auto", *CONSTRAINED) or not count_several(whole.questions):
        return
    sample = settings.selection.apply(whole, settings.limit, settings.seed)
    refuse_several(benchmark.name, sample.questions, settings.way)


def refuse_several(name: str, questions: Sequence[Question], way: str) -> None:
    """Refuse questions that one letter can't answer.

    Args:
        name: of their benchmark.
        questions: that are to be asked.
        way: in which they are; one letter answers it.

    Raises:
        UsageError: with the number of questions that have several right choices.
    """
    several = count_several(questions)
    if several:
        ways = " or ".join(f"--way {each}" for each in CONSTRAINED)
        raise UsageError(
            f"{name}: {several} of {len(questions)} questions have several right choices, which "
            f"one letter can't answer, as in way {way}; ask with {ways}"
        )


def asks_for_several(benchmark: Benchmark, way: Way) -> bool:
    """Whether every answer is to be a set of choices.

    So it is for all questions of a set if it is for one, whichever of them are asked: how many
    choices are right is not to be told, and a part of the set is asked as the whole is.
    """
    return way in CONSTRAINED and benchmark.has_several


def plan_job(
    benchmark: Benchmark,
    target: Target,
    settings: RunSettings,
    settled: Settled,
    learned: Sequence[str] = (),
) -> Job:
    """Draw the sample and write the manifest.

    Args:
        benchmark: the questions.
        target: the model.
        settings: what the user chose.
        settled: the way of asking.
        learned: what the endpoint has refused so far.

    Raises:
        UsageError: what is selected is not in the set.
        PromptError: the prompt can't be built.
        ImageError: a picture is larger than the endpoint takes.
    """
    sample = settings.selection.apply(benchmark.question_set, settings.limit, settings.seed)
    questions = sample.questions
    several = asks_for_several(benchmark, settled.way)
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
                samples=settings.samples,
                orders=settings.orders,
                keep_text=settings.keep_text,
                several=several,
            ),
            prompt=form,
            questions=len(questions),
            filtered=benchmark.question_set.filtered,
            selection=settings.selection.describe(benchmark.definition.split),
            way_reason=settled.reason,
            learned=tuple(learned),
            price=target.facts.price,
            max_output_tokens=target.facts.max_output_tokens,
            git_commit=find_git_commit(),
        ),
        questions=questions,
        examples=rank_examples(examples, settings.seed, several=several),
        example_set=examples,
        asking=settled.asking,
        facts=target.facts,
    )
    job.check_images(settings)
    parameters = list_parameters(job.first_body)
    if settings.resize and any(question.images for question in questions):
        parameters["resize"] = True
    identity = replace(job.manifest.identity, parameters=parameters)
    return replace(job, manifest=replace(job.manifest, identity=identity))


def list_parameters(body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request that are the same for all questions of a run.

    The labels in a schema are not: questions may differ in their number of choices.
    """
    varying = ("messages", "model", "system", "tools")
    parameters = {key: value for key, value in body.items() if key not in varying}
    if "format" in parameters.get("output_config", {}):
        form = parameters["output_config"]["format"]["type"]
        parameters["output_config"] = {**parameters["output_config"], "format": form}
    return parameters
