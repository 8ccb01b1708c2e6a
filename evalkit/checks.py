"""The checks of a project: for each benchmark and model, what has to hold."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import UsageError
from evalkit.prompts import PromptFormat
from evalkit.stats.sequential import GateTerms

MODEL = "{model}"
"""Stands in a baseline's path for the name of the model."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One table of the file: a benchmark, who is asked, and what has to hold."""

    name: str
    benchmark: str
    """A name, or the path of a definition or question file."""
    models: tuple[str, ...]
    prompt: PromptFormat | None = None
    """None: the benchmark's own."""
    terms: GateTerms = field(default_factory=GateTerms)
    full: bool = False
    """Whether a gate asks all questions, whatever the verdict."""
    baseline: str | None = None
    """The path of the baseline, perhaps with {model}; None: there is no gate."""
    threshold: float | None = None
    """The accuracy that has to be reached, a fraction in [0, 1]; None: none has to."""
    dollars: float | None = None
    """What each model may cost, earlier attempts included; None: no limit."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of a run that are not the baseline's, or not the usual ones."""
    line: int | None = None
    """Where its table begins."""


@dataclass(frozen=True, kw_only=True)
class CheckCase:
    """A check for one of its models."""

    check: Check
    model: str

    @property
    def id(self) -> str:
        """The name of the check, with the model where it has several."""
        check = self.check
        return f"{check.name}[{self.model}]" if len(check.models) > 1 else check.name

    @property
    def baseline(self) -> Path | None:
        """The file of the baseline; None: there is no gate."""
        path = self.check.baseline
        return None if path is None else Path(path.replace(MODEL, slug(self.model)))


@dataclass(frozen=True, kw_only=True)
class Project:
    """All that the file says; paths are as they can be opened."""

    path: Path
    results: Path
    """Where runs land."""
    data: Path | None = None
    """The folder of published question sets."""
    base_url: str | None = None
    """The server to ask; None: what the environment names."""
    dollars: float | None = None
    """What all checks together may cost; None: no limit."""
    checks: tuple[Check, ...]

    @property
    def cases(self) -> tuple[CheckCase, ...]:
        """Every check for every model, in the order of the file."""
        return tuple(
            CheckCase(check=check, model=model) for check in self.checks for model in check.models
        )

    @property
    def suites(self) -> int:
        """Gates that are judged together, however many of them are held: at least 1."""
        return max(1, sum(case.baseline is not None for case in self.cases))

    def choose(self, names: Sequence[str]) -> tuple[CheckCase, ...]:
        """The cases of some checks; of all where none is named.

        Args:
            names: of checks or of cases.

        Raises:
            UsageError: there is none of a name.
        """
        known = dict.fromkeys(name for case in self.cases for name in (case.check.name, case.id))
        for name in names:
            if name not in known:
                raise UsageError(f"{self.path} has no check {name!r}; {name_near(name, known)}")
        return tuple(
            case for case in self.cases if not names or {case.check.name, case.id} & set(names)
        )


def slug(model: str) -> str:
    """A model's name as a part of a file's.

    Example:
        >>> slug("local/qwen2.5-coder-1.5b")
        'local-qwen2.5-coder-1.5b'
    """
    return re.sub(r"[^A-Za-z0-9.]+", "-", model).strip("-.")[:60]


def name_near(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    """The names that may have been meant, else all of them."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
