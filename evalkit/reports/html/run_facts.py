"""How each run was asked: everything that stands in its manifest, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from evalkit.reports.tables import clean, clean_lines
from evalkit.reports.text import describe_way, list_notes
from evalkit.results import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and a value."""

    name: str
    value: str
    is_text: bool = False
    """Whether it was sent to the model word by word, line breaks included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run, and how it was asked."""

    number: int
    name: str
    benchmark: str
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]


def build_run_facts(number: int, name: str, run: Run) -> RunFacts:
    """What there is to know of one run."""
    return RunFacts(
        number=number,
        name=clean(name),
        benchmark=clean(run.manifest.identity.benchmark),
        facts=tuple(
            Fact(
                name=fact.name,
                value=clean_lines(fact.value) if fact.is_text else clean(fact.value),
                is_text=fact.is_text,
            )
            for fact in list_facts(run)
            if fact.value
        ),
        notes=tuple(map(clean, list_notes(run))),
    )


def list_facts(run: Run) -> Iterator[Fact]:
    """The facts of one run; those that do not apply are empty."""
    manifest, identity = run.manifest, run.manifest.identity
    yield Fact(
        name="Benchmark", value=f"{identity.benchmark}, version {identity.benchmark_version}"
    )
    yield Fact(name="Questions", value=f"{manifest.questions:,}")
    yield Fact(name="Part of the set", value=manifest.selection)
    yield Fact(name="Model asked", value=identity.model)
    yield Fact(name="Model served", value=", ".join(run.models_served()))
    yield Fact(name="Endpoint", value=identity.endpoint)
    reason = f" ({manifest.way_reason})" if manifest.way_reason else ""
    yield Fact(name="Way of asking", value=describe_way(identity) + reason)
    yield Fact(name="Settings", value=json.dumps(identity.parameters, ensure_ascii=False))
    yield Fact(name="Seed", value=str(identity.seed))
    yield Fact(name="API version", value=identity.api_version)
    yield from list_prompt(run)
    yield Fact(name="Texts kept", value="" if identity.keep_text else "no")
    yield Fact(name="Begun", value=manifest.created_at)
    yield Fact(name="evalkit", value=manifest.evalkit_version)
    yield Fact(name="Python", value=manifest.python_version)
    yield Fact(name="Commit", value=manifest.git_commit or "")
    yield Fact(name="Run", value=identity.run_id)
    yield Fact(name="Digest of questions", value=identity.question_digest)
    yield Fact(name="Digest of prompt", value=identity.prompt_digest)
    yield Fact(name="Digest of weights", value=identity.model_digest or "")


def list_prompt(run: Run) -> Iterator[Fact]:
    """The texts around a question, those of its way of asking."""
    form, way = run.manifest.prompt, run.manifest.identity.way
    system = form.system if isinstance(form.system, str) else "\n\n".join(form.system)
    yield Fact(name="System prompt", value=system, is_text=True)
    told = {
        "instructed": form.instruction,
        "structured": form.constrained,
        "tool": form.constrained,
        "reasoned": form.reasoning,
    }
    yield Fact(name="Instruction", value=told.get(way, ""), is_text=True)
    yield Fact(name="Template", value=form.template, is_text=True)
    yield Fact(name="Choice", value=form.choice, is_text=True)
    if way == "prefill":
        yield Fact(name="Prefill", value=form.prefill, is_text=True)
