"""The pytest plugin: a line asks for a verdict, a failure shows it, nothing is asked twice."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalkit import pytest_plugin, testing
from evalkit.baselines import baseline_of
from evalkit.results import load_run
from evalkit.testing.messages_faults import Fault, unauthorized
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import ROOT
from tests.gate_runs import Answers, load_sums, make_run, number_of, write_prompt

N = 120

TENTH = range(0, N, 10)

WORSE, ALIKE = "Be brief.", "Be kind."

PROJECT = """
[defaults]
model = "claude-haiku-4-5"
margin = 3

[checks.worse]
benchmark = "sums.jsonl"
prompt = "worse.toml"
baseline = "baseline.jsonl"

[checks.alike]
benchmark = "sums.jsonl"
prompt = "alike.toml"
baseline = "baseline.jsonl"

[checks.open]
benchmark = "sums.jsonl"
prompt = "alike.toml"
baseline = "baseline.jsonl"
budget = 10
"""


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    answers = Answers(wrong={"": TENTH, WORSE: range(0, N, 3), ALIKE: TENTH})
    with MessagesServer(answer=answers) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What pytest did."""

    code: int
    out: str
    passed: int
    failed: int
    skipped: int


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder of a user's, with a baseline, in which pytest is run."""

    folder: Path
    server: MessagesServer

    def run(self, code: str, *arguments: str, environment: dict[str, str] | None = None) -> Outcome:
        """Run a test file with the plugin as an installation would load it."""
        (self.folder / "test_prompts.py").write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=self.folder,
            env={**self.environment(), **(environment or {})},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        counts = {
            word: int(number)
            for number, word in re.findall(r"(\d+) (passed|failed|skipped|error)", done.stdout)
        }
        assert "INTERNALERROR" not in done.stdout + done.stderr
        return Outcome(
            code=done.returncode,
            out=done.stdout + done.stderr,
            passed=counts.get("passed", 0),
            failed=counts.get("failed", 0),
            skipped=counts.get("skipped", 0),
        )

    def environment(self) -> dict[str, str]:
        """The entry point of pyproject.toml, whether or not this installation knows of it."""
        site = self.folder / "site"
        info = site / "evalkit_plugin-0.dist-info"
        info.mkdir(parents=True, exist_ok=True)
        table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        [[name, module]] = table["project"]["entry-points"]["pytest11"].items()
        (info / "entry_points.txt").write_text(f"[pytest11]\n{name} = {module}\n")
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evalkit-plugin\nVersion: 0\n")
        paths = (str(site), str(ROOT), os.environ.get("PYTHONPATH", ""))
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "ANTHROPIC_BASE_URL": self.server.base_url,
            "ANTHROPIC_API_KEY": self.server.key,
            # It was meant for the tests of evalkit.
            "PYTEST_ADDOPTS": "",
        }


@pytest.fixture
def project(server: MessagesServer, tmp_path: Path) -> Project:
    run = make_run(server, load_sums(tmp_path, N), tmp_path / "elsewhere")
    baseline_of(run).write(tmp_path / "baseline.jsonl")
    write_prompt(tmp_path / "worse.toml", WORSE)
    write_prompt(tmp_path / "alike.toml", ALIKE)
    (tmp_path / "evalkit.toml").write_text(PROJECT)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\n")
    return Project(folder=tmp_path, server=server)


CHECK = "def test_{name}(evalkit_check):\n    evalkit_check({name!r})\n"


def test_a_check_passes_or_fails_its_test_with_the_verdict_and_no_traceback(
    project: Project,
) -> None:
    done = project.run(CHECK.format(name="alike") + CHECK.format(name="worse"))
    assert (done.code, done.passed, done.failed) == (1, 1, 1)
    assert "worse: FAILED\n  Regressed: accuracy on sums fell by more than 3.0 points." in done.out
    assert re.search(
        r"  Lost, \d+:\n    q\d+ \(right [A-D], now [A-D]\): How much is 100", done.out
    )
    assert "Traceback" not in done.out
    assert "def test_worse" not in done.out
    assert "pytest_plugin.py" not in done.out
    assert re.search(r"alike, claude-haiku-4-5: passed, \d+ of 120 questions used", done.out)


def test_a_gate_that_stands_in_a_test_needs_no_file(project: Project) -> None:
    (project.folder / "evalkit.toml").unlink()
    code = """
import pytest

@pytest.mark.parametrize("prompt", ["alike.toml", "worse.toml"])
def test_gate(evalkit_gate, prompt):
    result = evalkit_gate(
        "baseline.jsonl", benchmark="sums.jsonl", model="claude-haiku-4-5", prompt=prompt, margin=3
    )
    assert result.gate.final == "no regression beyond delta"

def test_accuracy(evalkit_accuracy):
    evalkit_accuracy("sums.jsonl", "claude-haiku-4-5", at_least=90)

def test_too_high(evalkit_accuracy):
    evalkit_accuracy("sums.jsonl", "claude-haiku-4-5", at_least=91)
"""
    done = project.run(code)
    assert (done.passed, done.failed) == (2, 2)
    assert "Not reached: 90.0 % of 120 questions right on sums, below the 91.0 %" in " ".join(
        done.out.split()
    )


@pytest.mark.parametrize(
    ("chosen", "counts"),
    [("fail", (0, 1, 0)), ("skip", (0, 0, 1)), ("warn", (1, 0, 0))],
)
@pytest.mark.parametrize("by", ["ini", "argument"])
def test_what_inconclusive_means_is_the_users_choice(
    by: str, chosen: str, counts: tuple[int, int, int], project: Project
) -> None:
    (project.folder / "pytest.ini").write_text(
        f"[pytest]\nevalkit_inconclusive = {chosen if by == 'ini' else 'fail'}\n"
    )
    argument = f", inconclusive={chosen!r}" if by == "argument" else ""
    code = f"def test_open(evalkit_check):\n    evalkit_check('open'{argument})\n"
    done = project.run(code, "-rs")
    assert (done.passed, done.failed, done.skipped) == counts
    assert "Inconclusive after 10 of 120 questions (budget)" in " ".join(done.out.split())
    assert ("InconclusiveWarning" in done.out) == (chosen == "warn")


def test_a_wrong_choice_is_refused_before_it_costs_anything(project: Project) -> None:
    (project.folder / "pytest.ini").write_text("[pytest]\nevalkit_inconclusive = shrug\n")
    asked = len(project.server.requests)
    done = project.run(CHECK.format(name="alike"))
    assert done.failed == 1
    assert "evalkit: inconclusive 'shrug': expected fail, skip, warn" in done.out
    assert len(project.server.requests) == asked


# What money ends is open, whoever asked

BY_MONEY = """
def test_gate(evalkit_gate):
    evalkit_gate(
        "baseline.jsonl",
        benchmark="sums.jsonl",
        model="claude-haiku-4-5",
        prompt="alike.toml"INCONCLUSIVE,
    )


def test_accuracy(evalkit_accuracy):
    evalkit_accuracy("sums.jsonl", "claude-haiku-4-5", at_least=50INCONCLUSIVE)


def test_check(evalkit_check):
    evalkit_check("worse"INCONCLUSIVE)


def test_check_of_a_level(evalkit_check):
    evalkit_check("level"INCONCLUSIVE)
"""

LEVEL = """
[checks.level]
benchmark = "sums.jsonl"
prompt = "worse.toml"
baseline = false
threshold = 50
"""


@pytest.mark.parametrize(
    ("chosen", "counts"),
    [("fail", (0, 4, 0)), ("skip", (0, 0, 4)), ("warn", (4, 0, 0))],
)
@pytest.mark.parametrize("by", ["ini", "argument"])
def test_a_check_out_of_money_is_inconclusive_for_every_fixture(
    by: str, chosen: str, counts: tuple[int, int, int], project: Project
) -> None:
    with (project.folder / "evalkit.toml").open("a") as file:
        file.write(LEVEL)
    argument = f", inconclusive={chosen!r}" if by == "argument" else ""
    ini = f"evalkit_inconclusive={chosen if by == 'ini' else 'fail'}"
    asked = len(project.server.requests)
    done = project.run(
        BY_MONEY.replace("INCONCLUSIVE", argument), "--evalkit-budget", "0.00001", "-o", ini
    )
    assert (done.passed, done.failed, done.skipped) == counts, done.out
    assert len(project.server.requests) == asked
    assert done.out.count("InconclusiveWarning: ") == (4 if chosen == "warn" else 0)


def test_a_level_that_money_cut_off_is_open_whatever_came_so_far(project: Project) -> None:
    code = """
def test_level(evalkit_accuracy):
    evalkit_accuracy(
        "sums.jsonl", "claude-haiku-4-5", at_least=50, prompt="alike.toml", inconclusive="skip"
    )
"""
    done = project.run(code, "--evalkit-budget", "0.0021", "-rs")
    words = " ".join(done.out.split())
    assert (done.passed, done.failed, done.skipped) == (0, 0, 1), done.out
    assert re.search(r"No verdict yet: \d+\.\d % of \d+ questions right", words)
    assert "replies are missing, and a larger budget asks for them." in words
    done = project.run(code, "--evalkit-budget", "1")
    assert (done.passed, done.failed, done.skipped) == (1, 0, 0), done.out


@pytest.mark.parametrize("budget", ["1", "0.0021"])
def test_a_request_that_failed_is_no_lack_of_money(budget: str, project: Project) -> None:
    """Else a broken endpoint would look like a test that was merely skipped."""
    broken = Fault(manner="error", status=400, message="this question is not to be asked")
    project.server.faults = lambda record: (
        broken if record.is_message and number_of(record.body) in range(0, N, 2) else None
    )
    code = """
def test_level(evalkit_accuracy):
    evalkit_accuracy(
        "sums.jsonl", "claude-haiku-4-5", at_least=50, prompt="alike.toml", inconclusive="skip"
    )
"""
    done = project.run(code, "--evalkit-budget", budget)
    assert (done.passed, done.failed, done.skipped) == (0, 1, 0), done.out
    assert "budget is spent" not in done.out


def test_the_same_check_twice_asks_nothing_twice(project: Project) -> None:
    asked = len(project.server.requests)
    done = project.run(
        "".join(CHECK.format(name="alike").replace("test_", f"test_{n}_", 1) for n in range(3))
    )
    assert done.passed == 3
    assert len(project.server.requests) - asked <= N + 3
    assert project.server.answered_again == 0


def test_processes_of_xdist_share_what_was_asked(project: Project) -> None:
    pytest.importorskip("xdist")
    code = "".join(
        CHECK.format(name=name).replace("test_", f"test_{n}_", 1)
        for n in range(4)
        for name in ("alike", "worse")
    )
    done = project.run(code, "-n", "3")
    assert (done.passed, done.failed) == (4, 4)
    assert project.server.answered_again == 0


def test_a_budget_holds_for_the_whole_test_run(project: Project) -> None:
    code = "".join(CHECK.format(name=name) for name in ("alike", "worse"))
    asked = len(project.server.requests)
    done = project.run(code, "--evalkit-budget", "0.0021", "-o", "evalkit_inconclusive=skip", "-rs")
    assert (done.passed, done.failed, done.skipped) == (0, 0, 2)
    assert 0 < len(project.server.requests) - asked < 60
    refused = project.run(code, "--evalkit-budget", "-1")
    assert refused.code == 4
    assert "--evalkit-budget" in refused.out


def test_a_budget_holds_for_all_processes_of_xdist_together(project: Project) -> None:
    pytest.importorskip("xdist")
    limit = 0.004
    code = """
import os
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(4))
def test_level(evalkit_accuracy, number):
    Path(os.environ["PYTEST_XDIST_WORKER"]).touch()
    prompt = {"system": f"You are number {number}."}
    evalkit_accuracy("sums.jsonl", "claude-haiku-4-5", at_least=50, prompt=prompt)
"""
    done = project.run(
        code, "-n", "2", "--evalkit-budget", str(limit), "-o", "evalkit_inconclusive=skip"
    )
    assert (done.passed, done.failed, done.skipped) == (0, 0, 4), done.out
    assert sorted(path.name for path in project.folder.glob("gw*")) == ["gw0", "gw1"]
    spent = [load_run(path.parent).cost or 0.0 for path in project.folder.glob("results/*/*.jsonl")]
    assert max(spent) > limit / 2, "one of them alone would take most of it"
    assert math.fsum(spent) <= limit


def test_what_was_paid_before_an_error_counts_for_the_budget(project: Project) -> None:
    limit, before = 0.004, project.server.count(200)

    def fail(record: RequestRecord) -> Fault | None:
        is_first = "number 0" in str(record.body.get("system", ""))
        return unauthorized() if is_first and project.server.count(200) > before + 50 else None

    project.server.faults = fail
    code = """
import pytest

@pytest.mark.parametrize("number", range(2))
def test_level(evalkit_accuracy, number):
    prompt = {"system": f"You are number {number}."}
    evalkit_accuracy("sums.jsonl", "claude-haiku-4-5", at_least=50, prompt=prompt, concurrency=2)
"""
    done = project.run(code, "--evalkit-budget", str(limit), "-o", "evalkit_inconclusive=skip")
    assert (done.passed, done.failed, done.skipped) == (0, 1, 1), done.out
    spent = [load_run(path.parent).cost or 0.0 for path in project.folder.glob("results/*/*.jsonl")]
    assert limit / 2 < math.fsum(spent) <= limit


@pytest.mark.parametrize(
    "call",
    [
        "evalkit_check('alike')",
        "evalkit_gate('baseline.jsonl', benchmark='sums.jsonl', model='claude-haiku-4-5')",
        "evalkit_accuracy('sums.jsonl', 'claude-haiku-4-5', at_least=50)",
    ],
)
def test_without_a_key_tests_are_skipped_with_the_reason(call: str, project: Project) -> None:
    bare = {"ANTHROPIC_BASE_URL": "", "ANTHROPIC_API_KEY": ""}
    name = call.partition("(")[0]
    done = project.run(f"def test_it({name}):\n    {call}\n", "-rs", environment=bare)
    assert (done.code, done.skipped) == (0, 1)
    assert "no key to ask claude-haiku-4-5: set ANTHROPIC_API_KEY" in done.out


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("evalkit_check('alik')", "has no check 'alik'; did you mean alike?"),
        ("evalkit_check('alike', 'm')", "check 'alike': name one of its models, claude-haiku-4-5"),
        ("evalkit_check('alike', inconclusive='skp')", "inconclusive 'skp': expected fail, skip,"),
        ("evalkit_gate('b.jsonl', benchmark='x', model='m', marign=2)", "did you mean margin?"),
        ("evalkit_gate('b.jsonl', benchmark='x')", "model is missing"),
        ("evalkit_accuracy('x', 'm', at_least=101)", "expected percent, 0 to 100"),
        ("evalkit_accuracy('x', 'm', at_least=1, shuts=2)", "did you mean shots?"),
    ],
)
def test_a_mistake_is_one_line(call: str, said: str, project: Project) -> None:
    name = call.partition("(")[0]
    done = project.run(f"def test_it({name}):\n    {call}\n")
    assert done.failed == 1
    [line] = list_failure(done.out)
    assert line.startswith("evalkit: ")
    assert said in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[checks", "evalkit.toml is no TOML"),
        ("[checks.alike]\nbenchmark = 'facts'\n", "evalkit.toml:1: [checks.alike]: "),
        (None, "evalkit.toml: `evalkit init` writes one"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(text: str | None, said: str, project: Project) -> None:
    path = project.folder / "evalkit.toml"
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    [line] = list_failure(project.run(CHECK.format(name="alike")).out)
    assert line.startswith("evalkit: ")
    assert said in line


def test_a_file_at_fault_fails_a_gate_beside_it_in_one_line(project: Project) -> None:
    (project.folder / "evalkit.toml").write_text("[checks")
    call = "evalkit_gate('baseline.jsonl', benchmark='sums.jsonl', model='claude-haiku-4-5')"
    done = project.run(f"def test_it(evalkit_gate):\n    {call}\n")
    [line] = list_failure(done.out)
    assert "evalkit.toml is no TOML" in line


def test_a_baseline_that_is_not_there_is_asked_for(project: Project) -> None:
    call = "evalkit_gate('b.jsonl', benchmark='facts', model='m')"
    done = project.run(f"def test_it(evalkit_gate):\n    {call}\n")
    first, *rest = list_failure(done.out)
    assert first == "facts: INVALID"
    assert "there is no baseline" in " ".join(rest)
    assert all(line.startswith("  ") for line in rest)


def list_failure(out: str) -> list[str]:
    """All that pytest shows of the one test that failed."""
    lines = out.splitlines()
    start = next(number for number, line in enumerate(lines) if re.match(r"_+ test_\w+ _+$", line))
    shown = []
    for line in lines[start + 1 :]:
        if re.match(r"[=_]{3,} |\d+ failed", line):
            break
        shown.append(line)
    return shown


def test_verdicts_stand_in_junit_xml(project: Project) -> None:
    project.run(CHECK.format(name="alike"), "--junit-xml", "j.xml")
    [case] = ET.fromstring((project.folder / "j.xml").read_text()).iter("testcase")
    [found] = case.iter("property")
    assert found.get("name") == "evalkit"
    assert "alike, claude-haiku-4-5: passed" in (found.get("value") or "")


def test_users_get_the_test_server_as_a_fixture(project: Project) -> None:
    code = """
import evalkit
from evalkit.testing import Reply

def test_server(evalkit_server, tmp_path):
    server = evalkit_server(answer=lambda body: Reply(letter="A"))
    run = evalkit.run("sums.jsonl", "claude-haiku-4-5", results=tmp_path, progress=False)
    assert run.summary.correct == 30
    assert server.count(200) >= 120
"""
    done = project.run(code, environment={"ANTHROPIC_BASE_URL": "", "ANTHROPIC_API_KEY": ""})
    assert (done.passed, done.failed) == (1, 0), done.out


def test_what_is_not_used_is_not_loaded(project: Project) -> None:
    code = """
import sys

def test_nothing_heavy(request):
    assert request.config.pluginmanager.has_plugin("evalkit")
    heavy = {"numpy", "scipy", "httpx", "pandas", "aiohttp", "evalkit.gating", "filelock"}
    assert not heavy & sys.modules.keys()
"""
    done = project.run(code)
    assert (done.passed, done.failed) == (1, 0), done.out


def test_the_reference_names_every_fixture_and_all_that_tests_can_use() -> None:
    page = (ROOT / ".docs" / "pages" / "reference" / "testing.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: evalkit\.(pytest_plugin|testing)\.(\w+)$", page, re.MULTILINE)
    fixtures = {name for name in vars(pytest_plugin) if name.startswith("evalkit_")}
    assert {name for module, name in named if module == "testing"} == set(testing.__all__)
    assert fixtures - {"evalkit_desk"} == {name for _, name in named if name in fixtures}
    assert len(fixtures) == 5
