"""Runs that look like real ones, for charts: subjects, letters, outcomes, prices, gates."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evalkit.answers import Answer, Outcome
from evalkit.gate_records import GateRecord, take_down
from evalkit.gates import GatePlan, GateWatch
from evalkit.questions import Question
from evalkit.responses import Response, Usage
from evalkit.results import Run
from evalkit.runs.gate_files import GateLot
from evalkit.runs.journal import JournalRow
from evalkit.scores import Score
from evalkit.stats.sequential import GateTerms
from tests.runs_in_memory import judged_run, run_of_scores

SUBJECTS = ("anatomy", "astronomy", "college mathematics", "formal logic", "world religions")


def graded_run(
    name: str,
    share: float,
    n: int = 200,
    *,
    benchmark: str = "exam",
    subjects: Sequence[str] = SUBJECTS,
    unread: float = 0.03,
    cost: float | None = None,
    **identity: Any,
) -> Run:
    """A run that answers about so many questions right: the easy ones rather.

    Args:
        name: of the model.
        share: of right answers, about.
        n: questions.
        benchmark: its name; its questions are as hard for every run.
        subjects: of the questions, in turn.
        unread: the share of replies that name no choice.
        cost: dollars; None: no price is known.
        identity: what else is different about it.
    """
    luck, hardness = random.Random(repr((name, benchmark))), random.Random(repr(benchmark))
    outcomes = []
    for _ in range(n):
        effort = 0.8 * hardness.random() + 0.2 * luck.random()
        word = "correct" if effort < share else "wrong"
        if luck.random() < unread:
            word = luck.choice(["unparsed", "refused", "truncated"])
        outcomes.append(word)
    found = judged_run(
        name,
        outcomes,
        benchmark=benchmark,
        shape=lambda q: replace(q, group=subjects[int(q.id[1:]) % len(subjects)]),
        **identity,
    )
    return priced(found, cost)


def priced(run: Run, cost: float | None) -> Run:
    """The same run at another cost."""
    found = replace(run, tally=replace(run.tally, cost=cost))
    vars(found).update(rows=run.rows, scores=run.scores)
    return found


def lettered_run(
    name: str, picks: Sequence[tuple[int, int | None]], choices: int = 4, samples: int = 1
) -> Run:
    """A run of which the positions are given.

    Args:
        name: of the model.
        picks: for each reply, the position that is right and the one picked; None: unparsed.
            Those of a question stand one after the other.
        choices: of each question.
        samples: replies to each.
    """
    scores = []
    for number, (right, picked) in enumerate(picks):
        key = f"q{number // samples}"
        question = Question(
            id=key, stem=f"{key}?", choices=tuple(map(str, range(choices))), right=(right,)
        )
        outcome = Outcome.UNPARSED if picked is None else Outcome.ANSWERED
        response = Response(text="", stop_reason=None, model=name, usage=Usage())
        row = JournalRow(
            request_id=str(number), question_id=key, way="prefill", result=response,
            sample_index=number % samples,
        )  # fmt: skip
        scores.append(
            Score(
                question=question,
                answer=Answer(outcome=outcome, choice=picked),
                row=row,
                sample_index=number % samples,
            )
        )
    words = ["correct"] * len(picks)
    manifest = judged_run(name, words, samples=samples).manifest
    return run_of_scores(scores, manifest)


def liking_run(name: str, n: int = 200, choices: int = 4, samples: int = 1) -> Run:
    """A run that knows most answers, and guesses B where it does not."""
    luck = random.Random(repr(name))
    picks = []
    for _ in range(n):
        right, knows = luck.randrange(choices), luck.random()
        for _ in range(samples):
            picked = right if luck.random() < knows else luck.choice([1, 1, *range(choices)])
            picks.append((right, picked))
    return lettered_run(name, picks, choices, samples)


def held_gate(
    n: int = 400,
    *,
    drop: float = 0.0,
    flips: float = 0.04,
    suite: str = "exam",
    asks_all: bool = False,
    answers: int | None = None,
    **terms: Any,
) -> GateRecord:
    """A gate of a candidate that is worse by so much.

    Args:
        n: questions.
        drop: the share of questions that are lost.
        flips: the share that change either way by chance.
        suite: the benchmark's name.
        asks_all: whether all are asked, whatever the verdict.
        answers: at most; None: until the verdict.
        terms: of the gate.
    """
    luck = random.Random(repr(suite))
    scores = tuple(float(luck.random() < 0.8) for _ in range(n))
    lot = GateLot(
        ids=tuple(f"q{number}" for number in range(n)),
        scores=scores,
        weights=(1.0,) * n,
        history=(),
        flips=0.05,
        flips_from="assumed",
    )
    plan = GatePlan(
        suite=suite,
        suite_digest="00",
        baseline=f"{suite}--baseline",
        baseline_folder="results/baseline",
        baseline_samples=1,
        candidate="0123456789ab",
        candidate_samples=1,
        terms=GateTerms(**terms),
        lot=lot,
        left_out=0,
        own_flips=None,
    )
    watch = GateWatch(plan, asks_all=asks_all)
    for place in watch.gate.order[:answers]:
        score = scores[place]
        if luck.random() < (flips if score else 4 * flips):
            score = 1 - score
        watch.gate.update(0.0 if luck.random() < drop else score)
        if watch.gate.verdict is not None and not asks_all:
            break
    record = GateRecord(plan=plan, folder="results/candidate", changed=(), asks_all=asks_all)
    return take_down(record, watch)
