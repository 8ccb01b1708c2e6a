"""A baseline and candidates of a few hundred sums, which answer as a test says."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.evaluation import run
from evalkit.orders import design_of
from evalkit.prompts import PromptFormat
from evalkit.questions import digest_of
from evalkit.results import Run, load_run
from evalkit.runs.gate_files import read_lot
from evalkit.settings import RunSettings
from evalkit.stats.draws import draw_order, gate_seed
from evalkit.stats.sequential import Gate, GateTerms
from evalkit.testing.messages_body import Body, last_user_text
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, endpoint_of, write_sums

HAIKU = "claude-haiku-4-5"

BRIEF = PromptFormat(system="Be brief.")
"""The candidate's prompt."""

KIND = PromptFormat(system="Be kind.")
"""Another one, of an earlier run."""


@dataclass(kw_only=True)
class Answers:
    """What the server says: the right choice, but for some sums under each system prompt."""

    wrong: dict[str, Collection[int]] = field(default_factory=dict)
    """Numbers of the sums answered wrong, by system prompt; "" is the baseline's."""

    def __call__(self, body: Body) -> Reply:
        number = number_of(body)
        right = number % 4
        is_wrong = number in self.wrong.get(str(body.get("system", "")), ())
        return Reply(letter="ABCD"[(right + is_wrong) % 4])


def number_of(body: Body) -> int:
    """Which of the sums is asked; -1: a probe."""
    stem, _, _ = last_user_text(body).partition("?")
    _, found, number = stem.partition("100 + ")
    return int(number) if found else -1


def load_sums(folder: Path, count: int, name: str = "sums") -> Benchmark:
    """So many additions."""
    return load_benchmark(write_sums(folder / f"{name}.jsonl", count))


def make_run(
    server: MessagesServer,
    benchmark: Benchmark,
    results: Path,
    *,
    model: str = HAIKU,
    **settings: Any,
) -> Run:
    """A complete run."""
    chosen = RunSettings(**{"retries": QUICK, **settings})
    return run(
        benchmark,
        model,
        settings=chosen,
        endpoint=endpoint_of(server),
        results=results,
        progress=False,
    )


def order_of(baseline: Run, candidate: Run, terms: GateTerms) -> tuple[list[str], Gate]:
    """The order of a gate and the gate before its first answer, by the pure functions alone."""
    identity = candidate.manifest.identity
    seed = gate_seed(
        suite=digest_of(identity.question_digest),
        baseline=baseline.manifest.identity.run_id,
        candidate=identity.run_id,
        delta=terms.margin,
        alpha=terms.alpha,
    )
    lot = read_lot(candidate.path, seed)
    assert lot is not None, "the gate has written down what its order is drawn from"
    weights = lot.weights
    order = draw_order(weights, seed)
    gate = Gate(
        list(baseline.shares),
        terms,
        order=order,
        weights=weights,
        is_binary=not design_of(identity).is_repeated and set(baseline.shares) <= {0.0, 1.0},
    )
    return [candidate.questions[place].id for place in order], gate


def decide(baseline: Run, candidate: Run, terms: GateTerms) -> Gate:
    """The gate fed with all scores of a complete candidate, in order, until its verdict."""
    order, gate = order_of(baseline, candidate, terms)
    shares = dict(zip((q.id for q in candidate.questions), candidate.shares, strict=True))
    for name in order:
        if gate.update(shares[name]) is not None:
            break
    return gate


def candidates_in(results: Path, baselines: Sequence[Run]) -> list[Path]:
    """The folders of the runs that are no baseline."""
    known = {baseline.path.name for baseline in baselines}
    return sorted(path for path in results.iterdir() if path.name not in known)


def complete(server: MessagesServer, benchmark: Benchmark, results: Path, **settings: Any) -> Run:
    """What `evalkit run` makes of a candidate: the same folder, with the rest asked."""
    return load_run(make_run(server, benchmark, results, prompt=BRIEF, **settings).path)


def write_prompt(path: Path, text: str = "Be brief.") -> Path:
    """A prompt as a user writes it."""
    path.write_text(f"[prompt]\nsystem = {json.dumps(text)}\n", encoding="utf-8")
    return path
