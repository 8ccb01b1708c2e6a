"""What the pytest plugin does once a test uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pytest

from evalkit.api.endpoint import endpoint_from_environment
from evalkit.check_files import build_check, load_project
from evalkit.check_results import CheckResult, CheckStatus
from evalkit.checking import BudgetSpent
from evalkit.checks import CheckCase, Project
from evalkit.errors import EvalkitError, UsageError
from evalkit.models.local import is_local
from evalkit.progress import dollars
from evalkit.reports.checks import WORDS, list_lines
from evalkit.reports.gate import points
from evalkit.reports.tables import clean
from evalkit.shared_checks import SharedChecks

ENDINGS = ("fail", "skip", "warn")

Ending = Literal["pass", "fail", "skip", "warn"]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Finds checks, has them carried out, and words what came of them."""

    shared: SharedChecks
    config: Path
    inconclusive: str

    @cached_property
    def project(self) -> Project:
        """What evalkit.toml says.

        Raises:
            UsageError: it is not there, or has faults.
        """
        return load_project(self.config)

    @property
    def surroundings(self) -> Project:
        """Where things lie for a check that stands in a test: as in evalkit.toml, if there is one.

        It is judged alone, whatever other checks there are.
        """
        folder = self.config.parent
        if not self.config.exists():
            return Project(path=self.config, results=folder / "results", checks=())
        project = self.project
        return Project(
            path=project.path,
            results=project.results,
            data=project.data,
            base_url=project.base_url,
            checks=(),
        )

    def find_case(self, name: str, model: str | None) -> tuple[Project, CheckCase]:
        """A check of the file for one of its models."""
        __tracebackhide__ = True
        try:
            cases = self.project.choose([name])
            if model is not None:
                cases = tuple(case for case in cases if case.model == model)
            if len(cases) != 1:
                models = ", ".join(case.model for case in self.project.choose([name]))
                raise UsageError(f"check {name!r}: name one of its models, {models}")
        except EvalkitError as error:
            pytest.fail(f"evalkit: {error}", pytrace=False)
        return self.project, cases[0]

    def build_case(self, keys: Mapping[str, Any]) -> tuple[Project, CheckCase]:
        """A check that a test describes itself."""
        __tracebackhide__ = True
        try:
            check = build_check(keys, self.config.parent)
        except EvalkitError as error:
            pytest.fail(f"evalkit: {error}", pytrace=False)
        [model] = check.models
        return self.surroundings, CheckCase(check=check, model=model)

    def hold(self, found: tuple[Project, CheckCase]) -> CheckResult:
        """Carry out a check, unless there is no key to ask with: then the test is skipped."""
        __tracebackhide__ = True
        project, case = found
        if not is_local(case.model):
            try:
                endpoint = endpoint_from_environment(project.base_url, need_key=False)
            except EvalkitError as error:
                pytest.fail(f"evalkit: {error}", pytrace=False)
            if endpoint.lacks_key:
                pytest.skip(f"evalkit: no key to ask {case.model}: set ANTHROPIC_API_KEY")
        return self.shared.hold(project, case)

    def find_ending(self, result: CheckResult, inconclusive: str | None) -> Ending:
        """What becomes of the test."""
        __tracebackhide__ = True
        wanted = inconclusive or self.inconclusive
        if wanted not in ENDINGS:
            pytest.fail(
                f"evalkit: inconclusive {wanted!r}: expected {', '.join(ENDINGS)}", pytrace=False
            )
        if result.status is CheckStatus.PASSED:
            return "pass"
        is_open = result.status is CheckStatus.INCONCLUSIVE or isinstance(result.error, BudgetSpent)
        return wanted if is_open else "fail"  # type: ignore[return-value]

    def describe(self, result: CheckResult) -> str:
        """The verdict, its sentences, and the flipped questions."""
        return "\n".join(list_lines(result))

    def describe_shortly(self, result: CheckResult) -> str:
        """The verdict in a line."""
        words = [f"{clean(result.case.id)}, {clean(result.case.model)}: {WORDS[result.status]}"]
        gate = result.gate
        if gate is not None and gate.drop is not None:
            drop = f"drop [{points(gate.drop.low)}, {points(gate.drop.high)}] points"
            words += [f"{gate.used:,} of {gate.plan.size:,} questions used", drop]
        if result.level is not None and result.level.mean is not None:
            words.append(f"{100 * result.level.mean:.1f} % of {result.level.n:,} right")
        if result.spent:
            words.append(dollars(result.spent))
        return ", ".join(words)


def open_desk(*, folder: Path, config: Path, dollars: float | None, inconclusive: str) -> Desk:
    """The desk of a test run.

    Args:
        folder: what its processes share.
        config: the file with the checks.
        dollars: what all of them together may cost; None: no limit.
        inconclusive: what an inconclusive check does to its test.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shared = SharedChecks(folder=folder, dollars=dollars)
    return Desk(shared=shared, config=config, inconclusive=inconclusive)
