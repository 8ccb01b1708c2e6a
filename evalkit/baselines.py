"""What a gate has to know of the run that it compares with, read from the run or from a file."""

from __future__ import annotations

import glob
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from evalkit.errors import RunFormatError, UsageError
from evalkit.prompts import PromptFormat
from evalkit.questions import Question, list_facts, question_digest
from evalkit.requests import WAYS
from evalkit.results import Run, load_run
from evalkit.runs.baseline_files import REMEDY, Row, read_baseline_file, write_baseline_file
from evalkit.runs.folder import MANIFEST
from evalkit.runs.manifest import Identity, parse_identity
from evalkit.stats.means import split_variance

CONTENT_DIGITS = 12
"""Of the digest of each question in a file: enough to see a change, short enough for git."""

FACTS = ("most_choices", "own_flips", "usage", "created_at", "evalkit_version", "git_commit")
"""What a file holds beside the identity, the digests of the prompt, and the questions."""


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A run to compare with: who was asked, how, and the score of each question.

    Read from a file, it holds no text, neither of the questions nor of the prompt; but it holds the
    ids of the questions, and settings such as stop sequences.
    """

    path: Path
    """The run's folder, or the file."""
    identity: Identity
    prompt: PromptFormat | None
    """None: only its digests are known."""
    prompt_parts: Mapping[str, str]
    """A digest of each text of the prompt."""
    ids: Sequence[str]
    """Of the questions, in the order of the set."""
    scores: Sequence[float]
    """The share of right responses to each question; NaN: none came."""
    most_choices: int
    """Of any question."""
    own_flips: float | None
    """The baseline's flips against itself; None: not known."""
    usage: Mapping[str, float]
    """Tokens of a reply on average, by field; empty: there is none."""
    created_at: str
    evalkit_version: str
    git_commit: str | None
    run: Run | None = None
    """None: read from a file."""
    contents: Sequence[str | None] = ()
    """In a file, a digest of each question; None: the run kept no texts."""

    @property
    def questions(self) -> int:
        """How many there are."""
        return len(self.ids)

    @property
    def keeps_content(self) -> bool:
        """Whether it can be seen that a question is another one by now."""
        return self.identity.keep_text

    @cached_property
    def by_id(self) -> dict[str, float]:
        """The score of each question; NaN: none came."""
        return dict(zip(self.ids, self.scores, strict=True))

    def find_changed(self, questions: Iterable[Question]) -> list[str]:
        """Ids of questions that are not what they were; those it does not have are none.

        Args:
            questions: of today.
        """
        if not self.keeps_content:
            return []
        if self.run is None:
            stored = dict(zip(self.ids, self.contents, strict=True))
            return [q.id for q in questions if stored.get(q.id, "") not in ("", short_digest(q))]
        before = {question.id: question for question in self.run.questions}
        return [
            q.id
            for q in questions
            if (other := before.get(q.id)) is not None
            and other is not q
            and list_facts(other) != list_facts(q)
        ]

    def write(self, path: Path | str) -> None:
        """Write it to a file without texts of questions, prompts or replies, fit for a repository.

        Settings such as stop sequences, and the ids of the questions, stand in it as they are: ids
        that are texts should be replaced by those of an id column first.

        Raises:
            UsageError: another tool asked, so that no gate could use it.
            RunError: it can't be written.
        """
        check_repeatable(self)
        table = {
            "run_id": self.identity.run_id,
            **self.identity.to_json(),
            "prompt_parts": dict(self.prompt_parts),
            **{name: getattr(self, name) for name in FACTS},
        }
        write_baseline_file(Path(path), table, self._list_rows())

    def _list_rows(self) -> Iterable[Row]:
        contents: Iterable[str | None] = self.contents
        if self.run is not None:
            keeps = self.keeps_content
            contents = (short_digest(q) if keeps else None for q in self.run.questions)
        for name, score, content in zip(self.ids, self.scores, contents, strict=True):
            yield Row(id=name, score=None if math.isnan(score) else score, content=content)

    def to_dict(self) -> dict[str, Any]:
        """The facts of `--json`; shares are fractions."""
        known = [score for score in self.scores if not math.isnan(score)]
        return {
            "path": str(self.path),
            "run_id": self.identity.run_id,
            "identity": self.identity.to_json(),
            "questions": len(self.ids),
            "scored": len(known),
            "mean": math.fsum(known) / len(known) if known else None,
            "prompt_parts": dict(self.prompt_parts),
            **{name: getattr(self, name) for name in FACTS},
        }


def short_digest(question: Question) -> str:
    """What a file holds of the content of a question."""
    return question_digest(question)[:CONTENT_DIGITS]


def baseline_of(run: Run) -> Baseline:
    """A run as a baseline.

    Args:
        run: complete or not: a question without a reply has no score.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, RunSettings, run
        >>> from evalkit.testing import MessagesServer
        >>> settings = RunSettings(way="instructed", limit=10)
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     where = {"endpoint": endpoint, "results": folder, "progress": False}
        ...     found = run("everyday", "claude-haiku-4-5", settings=settings, **where)
        ...     baseline = baseline_of(found)
        >>> len(baseline.ids)
        10
    """
    manifest = run.manifest
    ids, most = [], 0
    for question in run.questions:  # once: they may have to be read
        ids.append(question.id)
        most = max(most, len(question.choices))
    replies = run.summary.replied
    return Baseline(
        path=run.path,
        identity=manifest.identity,
        prompt=manifest.prompt,
        prompt_parts=manifest.prompt_parts,
        ids=ids,
        scores=run.shares,
        most_choices=most,
        own_flips=find_own_flips(run),
        usage={name: count / replies for name, count in run.usage().items()} if replies else {},
        created_at=manifest.created_at,
        evalkit_version=manifest.evalkit_version,
        git_commit=manifest.git_commit,
        run=run,
    )


def find_own_flips(run: Run) -> float | None:
    """The share of questions on which two answers of one run are expected to differ.

    None where each question has one answer, which shows no scatter, or answers are missing; where
    its choices were shown in several orders, which are no accident, too.
    """
    design = run.tally.design
    samples = design.samples if design.orders is None else 1
    counts = [round(share * samples) for share in run.shares if not math.isnan(share)]
    if samples < 2 or len(counts) < 2 or not run.is_complete:
        return None
    variances = split_variance(counts, samples)
    return None if variances is None else variances.flips


def read_baseline(path: Path | str) -> Baseline:
    """Read what `Baseline.write` wrote.

    Raises:
        RunFormatError: there is none, or it was changed since.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from evalkit import Endpoint, RunSettings, run
        >>> from evalkit.testing import MessagesServer
        >>> settings = RunSettings(way="instructed", limit=10)
        >>> with MessagesServer() as server, TemporaryDirectory() as folder:
        ...     endpoint = Endpoint(base_url=server.base_url, api_key=server.key)
        ...     where = {"endpoint": endpoint, "results": folder, "progress": False}
        ...     found = run("everyday", "claude-haiku-4-5", settings=settings, **where)
        ...     path = Path(folder) / "everyday.jsonl"
        ...     baseline_of(found).write(path)
        ...     read_baseline(path).identity.model
        'claude-haiku-4-5'
    """
    path = Path(path)
    facts, rows = read_baseline_file(path)
    try:
        named = {field.name: facts[field.name] for field in fields(Identity) if field.name in facts}
        identity = parse_identity(named)
        if identity.run_id != facts["run_id"] or identity.way not in WAYS or not rows:
            raise ValueError("its settings don't give its run id")
        return Baseline(
            path=path,
            identity=identity,
            prompt=None,
            prompt_parts=facts["prompt_parts"],
            ids=[row.id for row in rows],
            scores=[math.nan if row.score is None else row.score for row in rows],
            contents=[row.content for row in rows],
            **{name: facts[name] for name in FACTS},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RunFormatError(f"{path} can't be used: {error}; {REMEDY}") from error


def check_repeatable(run: Run | Baseline) -> None:
    """Refuse a run that evalkit can't make again, since another tool asked.

    Raises:
        UsageError: naming it and the remedy.
    """
    origin = (run.identity if isinstance(run, Baseline) else run.manifest.identity).origin
    if origin is not None:
        raise UsageError(
            f"{run.path} was asked by {origin.words}, whose prompt evalkit does not know: no "
            "candidate can be asked as it was, and a drop would be one of the prompt too. Ask the "
            "baseline by `evalkit run`; or judge two logs by `evalkit compare A B --margin 2`"
        )


def find_baseline(name: Path | str, results: Path) -> Path:
    """The folder or file of a baseline that is named by its path, its folder's name or its run id.

    Raises:
        UsageError: there is none, or there are several.
    """
    for path in (Path(name), results / name):
        if (path / MANIFEST).exists() or path.is_file():
            return path
    found = sorted(path.parent for path in results.glob(f"*--{glob.escape(str(name))}/{MANIFEST}"))
    if len(found) == 1:
        return found[0]
    problem = f"{len(found)} runs have this id in" if found else "no run's folder, nor a run in"
    raise UsageError(f"baseline {name}: {problem} {results}")


def load_baseline(name: Run | Baseline | Path | str, results: Path) -> Baseline:
    """A baseline, from wherever it is.

    Args:
        name: a run, its folder or id, or a file that `evalkit baseline set` wrote.
        results: the folder of all runs.

    Raises:
        UsageError: there is none, or there are several.
        RunFormatError: it can't be read.
    """
    if isinstance(name, Baseline):
        return name
    if isinstance(name, Run):
        return baseline_of(name)
    path = find_baseline(name, results)
    return read_baseline(path) if path.is_file() else baseline_of(load_run(path))
