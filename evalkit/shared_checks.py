"""Checks shared by the processes of one test run: the same one is carried out once."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalkit.check_results import CheckResult, count_spent
from evalkit.checking import hold_case
from evalkit.checks import CheckCase, Project
from evalkit.progress import ignore
from evalkit.questions import digest_of
from evalkit.running_loop import run_to_end
from evalkit.runs.folder import write_whole

ENDING = ".result"


@dataclass(frozen=True, kw_only=True)
class SharedChecks:
    """Carries out checks one at a time, whichever process asks, and keeps what came of them.

    One at a time, because they share limits and a budget; a check asks many questions at once
    itself.
    """

    folder: Path
    """Of this test run alone: what lies here is believed."""
    dollars: float | None = None
    """What all of them together may cost, if a project does not set less; None: no limit."""

    def hold(self, project: Project, case: CheckCase) -> CheckResult:
        """Carry out a check, or give what came of it before.

        Args:
            project: where things lie.
            case: the check.
        """
        import filelock

        with filelock.FileLock(self.folder / "lock"):
            path = self.folder / f"{name_case(project, case)}{ENDING}"
            if path.exists():
                return load(path)
            limits = [dollars for dollars in (self.dollars, project.dollars) if dollars is not None]
            left = min(limits) - count_spent(self.list_results()) if limits else None
            result = run_to_end(
                hold_case(project, case, endpoint=None, dollars=left, progress=False, say=ignore)
            )
            write_whole(path, pickle.dumps(result))
            return result

    def list_results(self) -> Iterator[CheckResult]:
        """What came of all checks so far."""
        for path in sorted(self.folder.glob(f"*{ENDING}")):
            yield load(path)


def load(path: Path) -> CheckResult:
    """A result that another process may have stored."""
    result: CheckResult = pickle.loads(path.read_bytes())
    return result


def name_case(project: Project, case: CheckCase) -> str:
    """What two checks have in common that are the same."""
    server = project.base_url or os.environ.get("ANTHROPIC_BASE_URL")
    facts = (project.results.resolve(), server, project.data, project.suites)
    check = (case.check, case.model)
    return digest_of(*map(repr, (*facts, *check)))[:24]
