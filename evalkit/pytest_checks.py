"""What the pytest plugin does once a test uses it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn

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
            refuse(error)
        return self.project, cases[0]

    def build_case(self, keys: Mapping[str, Any]) -> tuple[Project, CheckCase]:
        """A check that a test describes itself."""
        __tracebackhide__ = True
        try:
            check = build_check(keys, self.config.parent)
            surroundings = self.surroundings
        except EvalkitError as error:
            refuse(error)
        [model] = check.models
        return surroundings, CheckCase(check=check, model=model)

    def hold(self, found: tuple[Project, CheckCase]) -> CheckResult:
        """Carry out a check, unless there is no key to ask with: then the test is skipped."""
        __tracebackhide__ = True
        project, case = found
        if not is_local(case.model):
            try:
                endpoint = endpoint_from_environment(project.base_url, need_key=False)
            except EvalkitError as error:
                refuse(error)
            if endpoint.lacks_key:
                pytest.skip(f"evalkit: no key to ask {case.model}: set ANTHROPIC_API_KEY")
        return self.shared.hold(project, case)

    def check_choice(self, inconclusive: str | None) -> None:
        """Refuse an ending that there is not, before a check costs anything."""
        __tracebackhide__ = True
        wanted = inconclusive or self.inconclusive
        if wanted not in ENDINGS:
            refuse(f"inconclusive {wanted!r}: expected {', '.join(ENDINGS)}")

    def find_ending(self, result: CheckResult, inconclusive: str | None) -> Ending:
        """What becomes of the test; a check that only the money ended early is open, too."""
        if result.status is CheckStatus.PASSED:
            return "pass"
        wanted = inconclusive or self.inconclusive
        return wanted if is_open(result) else "fail"  # type: ignore[return-value]

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


def is_open(result: CheckResult) -> bool:
    """Whether a spent budget alone, of questions or of money, keeps it from a verdict."""
    if result.status is not CheckStatus.INCOMPLETE:
        return result.status is CheckStatus.INCONCLUSIVE
    if result.error is not None:
        return isinstance(result.error, BudgetSpent)
    has_gate_open = result.gate is not None and result.gate.final is None
    return not has_gate_open and result.level is not None and result.level.is_out_of_money


def refuse(reason: object) -> NoReturn:
    """End a test with one line, without the errors that led to it."""
    __tracebackhide__ = True
    raise pytest.fail.Exception(f"evalkit: {reason}", pytrace=False) from None


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
