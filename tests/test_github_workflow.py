"""The workflow that `evalkit init --github` prints works, step by step, as GitHub would run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalkit.baselines import baseline_of
from evalkit.models.weights import weights_folder
from evalkit.reports.checks import MARKER
from evalkit.runs.gate_files import read_record
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call
from tests.conftest import ROOT
from tests.gate_runs import Answers, load_sums, make_run, write_prompt

N = 200

TENTH = range(0, N, 10)

WORSE, ALIKE = "Be brief.", "Be kind."

PROJECT = """
[defaults]
model = "claude-haiku-4-5"

[checks.sums]
benchmark = "sums.jsonl"
prompt = "prompt.toml"
baseline = "baselines/sums.jsonl"
concurrency = 4
"""

CONDITIONS: dict[str | None, Callable[[dict[str, Any]], bool]] = {
    None: lambda facts: not facts["failed"],
    "env.ANTHROPIC_API_KEY == ''": lambda facts: not facts["failed"] and not facts["key"],
    "env.ANTHROPIC_API_KEY != ''": lambda facts: not facts["failed"] and bool(facts["key"]),
    "always()": lambda facts: True,
    "always() && github.event.pull_request.head.repo.full_name == github.repository": (
        lambda facts: not facts["fork"]
    ),
}
"""What the conditions of the workflow mean: where a step has failed, others are left out."""

EMBEDDED = """
[checks.asked-here]
benchmark = "sums.jsonl"
model = "local/smollm2-135m"
baseline = false
threshold = 1
limit = 8
"""

GH = """#!/usr/bin/env bash
# Keeps one comment in a file, as the service would.
echo "$@" >> "$STUBS/gh.log"
case "$1 $2" in
  "api --paginate") if [ -f "$STUBS/comment.md" ]; then echo 41; fi ;;
  "api --method")
    for word in "$@"; do
      case "$word" in body=@*) cp "${word#body=@}" "$STUBS/comment.md" ;; esac
    done ;;
  "pr comment") cp "${5}" "$STUBS/comment.md" ;;
esac
"""


@dataclass
class Step:
    """A step that was run."""

    name: str
    code: int
    out: str


@dataclass(kw_only=True)
class Service:
    """As much of the service as the workflow asks for: a checkout, a cache, comments."""

    repository: Path
    folder: Path
    server: MessagesServer
    workflow: dict[str, Any]
    key: str = "test-key"
    budget: str = "5"
    inconclusive: str = "fail"
    fork: bool = False
    """Whether the pull request comes from another repository, which has no secrets here."""
    attempt: int = 0
    steps: list[Step] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def comment(self) -> Path:
        return self.folder / "comment.md"

    @property
    def secret(self) -> str:
        """The key, as far as the job gets to see it."""
        return "" if self.fork else self.key

    def fill(self, text: str) -> str:
        """Put values in place of expressions."""
        values = {
            "secrets.ANTHROPIC_API_KEY": self.secret,
            "github.token": "t",
            "github.event.pull_request.number": "7",
        }
        return re.sub(r"\$\{\{ (.*?) \}\}", lambda found: values[found[1]], text)

    def run(self, *, stop_after: int | None = None) -> dict[str, Step]:
        """Run the job once, in a fresh checkout.

        Args:
            stop_after: end it from outside after so many requests more.
        """
        self.attempt += 1
        work = self.folder / f"work{self.attempt}"
        subprocess.run(["git", "clone", "-q", self.repository, work], check=True)
        job = self.workflow["jobs"]["check"]
        asked, found, failed = len(self.server.requests), {}, False
        for step in job["steps"]:
            condition = step.get("if")
            bare = None if condition is None else condition.removeprefix("${{ ").removesuffix(" }}")
            facts = {"failed": failed, "key": self.secret, "fork": self.fork}
            if not CONDITIONS[bare](facts):
                continue
            uses = step.get("uses", "")
            if uses.startswith("actions/cache/restore") and self.cache.exists():
                shutil.copytree(self.cache, work / step["with"]["path"])
            if uses.startswith("actions/cache/save") and (work / step["with"]["path"]).exists():
                shutil.rmtree(self.cache, ignore_errors=True)
                shutil.copytree(work / step["with"]["path"], self.cache)
            if "run" in step:
                environment = self.environment({**job["env"], **step.get("env", {})})
                limit = None if stop_after is None else asked + stop_after
                done = self.execute(step, work, environment, limit)
                found[step.get("name", uses)] = done
                failed = failed or done.code != 0
        self.work = work
        return found

    def environment(self, named: dict[str, str]) -> dict[str, str]:
        """The variables that a step finds."""
        filled = {name: self.fill(value) for name, value in named.items()}
        stubs = self.folder / "stubs"
        # The key comes from the workflow or not at all.
        around = {name: value for name, value in os.environ.items() if name != "ANTHROPIC_API_KEY"}
        return {
            **around,
            **filled,
            "EVALKIT_BUDGET": self.budget,
            "EVALKIT_INCONCLUSIVE": self.inconclusive,
            "ANTHROPIC_BASE_URL": self.server.base_url,
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "owner/name",
            "GITHUB_STEP_SUMMARY": str(self.folder / "step-summary.md"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "STUBS": str(self.folder),
            "PATH": f"{stubs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def execute(
        self, step: dict[str, Any], work: Path, environment: dict[str, str], limit: int | None
    ) -> Step:
        """Run the commands of a step in the shell that GitHub takes."""
        script = work.with_suffix(".sh")
        script.write_text(step["run"])
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        with subprocess.Popen(
            command,
            cwd=work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            while limit is not None and process.poll() is None:
                if len(self.server.requests) >= limit:
                    os.killpg(process.pid, 9)
                    break
                time.sleep(0.01)
            out, _ = process.communicate(timeout=60)
        return Step(step.get("name", ""), process.returncode, out)


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    answers = Answers(wrong={"": TENTH, WORSE: range(0, N, 3), ALIKE: TENTH})
    with MessagesServer(answer=answers) as running:
        yield running


@pytest.fixture
def workflow(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> dict[str, Any]:
    return print_workflow(capsys, tmp_path, PROJECT)


def print_workflow(
    capsys: pytest.CaptureFixture[str], folder: Path, project: str
) -> dict[str, Any]:
    """The workflow for a project with these checks."""
    (folder / "evalkit.toml").write_text(project)
    write_prompt(folder / "prompt.toml", ALIKE)
    done = call(capsys, "init", "--github", "--to", str(folder / "evalkit.toml"))
    assert done.code == 0, done.err
    assert "#@" not in done.out and not re.search("@[A-Z]+@", done.out)
    table = yaml.safe_load(done.out)
    assert isinstance(table, dict)
    return table


@pytest.fixture
def service(server: MessagesServer, workflow: dict[str, Any], tmp_path: Path) -> Service:
    """A repository with a prompt that is as good as the baseline's."""
    repository = tmp_path / "repository"
    repository.mkdir()
    run = make_run(server, load_sums(repository, N), tmp_path / "elsewhere")
    baseline_of(run).write(repository / "baselines" / "sums.jsonl")
    (repository / "evalkit.toml").write_text(PROJECT)
    (repository / ".gitignore").write_text("results/\n")
    stubs = tmp_path / "stubs"
    stubs.mkdir()
    texts = {
        "evalkit": f'#!/usr/bin/env bash\nexec {sys.executable} -m evalkit "$@"\n',
        "python": '#!/usr/bin/env bash\necho "$@" >> "$STUBS/python.log"\n',
        "gh": GH,
    }
    for name, text in texts.items():
        (stubs / name).write_text(text)
        (stubs / name).chmod(0o755)
    made = Service(repository=repository, folder=tmp_path, server=server, workflow=workflow)
    commit(made, ALIKE)
    return made


def commit(service: Service, prompt: str) -> None:
    """A commit with a prompt."""
    folder = service.repository
    write_prompt(folder / "prompt.toml", prompt)
    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-C", str(folder)]
    if not (folder / ".git").exists():
        subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "c"], check=True)


def test_a_harmless_change_passes_and_a_bad_one_fails_where_reviewers_look(
    service: Service,
) -> None:
    passed = service.run()
    assert [step.code for step in passed.values()] == [0, 0, 0]
    assert (service.folder / "python.log").read_text() == "-m pip install evalkit-mcq\n"
    assert "::notice file=evalkit.toml,line=5,title=evalkit sums%3A passed::" in passed["Check"].out
    assert service.comment.read_text().startswith(f"{MARKER}\n### evalkit: passed\n")
    commit(service, WORSE)
    failed = service.run()
    assert failed["Check"].code == 1
    assert "::error file=evalkit.toml,line=5,title=evalkit sums%3A FAILED::" in failed["Check"].out
    # The comment is changed, not added to.
    assert service.comment.read_text().startswith(f"{MARKER}\n### evalkit: FAILED\n")
    assert "| sums | FAILED | " in service.comment.read_text()
    log = (service.folder / "gh.log").read_text()
    assert (log.count("pr comment 7"), log.count("api --method PATCH")) == (1, 1)
    summary = (service.folder / "step-summary.md").read_text()
    assert [line for line in summary.splitlines() if line.startswith("###")] == [
        "### evalkit: passed",
        "### evalkit: FAILED",
    ]
    assert (service.folder / "output").read_text() == "code=0\ncode=1\n"
    [case] = ET.fromstring((service.work / "evalkit-junit.xml").read_text()).iter("testcase")
    assert [child.tag for child in case] == ["failure"]


def test_a_job_that_is_run_again_goes_on_in_the_same_order(service: Service) -> None:
    service.server.latency_seconds = 0.02
    stopped = service.run(stop_after=70)
    assert stopped["Check"].code < 0
    before = len(service.server.requests)
    [journal] = service.cache.rglob("responses.jsonl")
    kept = journal.read_text().count("\n")
    again = service.run()
    assert again["Check"].code == 0
    # All of it would take 122 answers, and a question beforehand.
    assert len(service.server.requests) - before < 100
    # What had not reached the disk when it was ended is asked once more, and nothing else.
    assert service.server.answered_again <= before - kept
    resumed = record_of(service)
    # Without interruption, and without a cache, it is the same gate.
    shutil.rmtree(service.cache)
    whole = service.run()
    assert whole["Check"].code == 0
    uninterrupted = record_of(service)
    for name in ("id", "seed", "verdict", "used", "losses", "gains", "trace"):
        assert resumed[name] == uninterrupted[name], name


def record_of(service: Service) -> dict[str, Any]:
    [path] = (service.work / "results").glob("*/gate-*.json")
    return read_record(path)


@pytest.mark.parametrize(("choice", "code"), [("fail", 3), ("pass", 0)])
def test_inconclusive_fails_or_passes_as_the_workflow_says(
    choice: str, code: int, service: Service
) -> None:
    service.budget, service.inconclusive = "0.002", choice
    done = service.run()
    assert done["Check"].code == code
    assert "::warning file=evalkit.toml" in done["Check"].out
    assert "code=3" in (service.folder / "output").read_text()


@pytest.mark.parametrize("fork", [True, False])
def test_without_a_key_nothing_is_asked_of_the_endpoint(fork: bool, service: Service) -> None:
    service.key, service.fork = "", fork
    asked = len(service.server.requests)
    done = service.run()
    said = ["Say that there is no key", "Install evalkit"]
    assert list(done) == (said if fork else [*said, "Comment"])
    assert not service.comment.exists()
    assert all(step.code == 0 for step in done.values())
    assert done["Say that there is no key"].out.startswith("::notice title=evalkit::no key")
    assert len(service.server.requests) == asked


def test_the_cache_and_the_artifact_hold_what_the_checks_write(
    service: Service, workflow: dict[str, Any]
) -> None:
    service.run()
    steps = workflow["jobs"]["check"]["steps"]
    uses = {step["uses"].partition("@")[0]: step["with"] for step in steps if "with" in step}
    for name in uses["actions/upload-artifact"]["path"].split():
        assert (service.work / name).exists(), name
    assert uses["actions/cache/save"]["path"] == "results"
    assert uses["actions/cache/save"]["key"] == uses["actions/cache/restore"]["key"]


@pytest.mark.parametrize(
    ("project", "keyed", "installed", "weights"),
    [
        (PROJECT, True, "evalkit-mcq", None),
        (EMBEDDED, False, "'evalkit-mcq[local]'", "smollm2-135m"),
        (PROJECT + EMBEDDED, True, "'evalkit-mcq[local]'", "smollm2-135m"),
        (EMBEDDED.replace("smollm2-135m", "own.gguf"), False, "'evalkit-mcq[local]'", None),
        (
            EMBEDDED.replace('135m"', '135m", "local/qwen2.5-coder-1.5b"]').replace(
                "model = ", "models = ["
            ),
            False,
            "'evalkit-mcq[local]'",
            "smollm2-135m-qwen2.5-coder-1.5b",
        ),
    ],
    ids=["endpoint", "embedded", "mixed", "own weights", "two embedded"],
)
def test_a_workflow_takes_what_the_models_of_its_project_take(
    project: str,
    keyed: bool,
    installed: str,
    weights: str | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    job = print_workflow(capsys, tmp_path, project)["jobs"]["check"]
    steps = {step.get("name", step.get("uses")): step for step in job["steps"]}
    assert ("ANTHROPIC_API_KEY" in job["env"]) is keyed
    assert ("Say that there is no key" in steps) is keyed
    # What no key is needed for is never left out for want of one.
    assert ("if" in steps["Check"]) is (project == PROJECT)
    assert steps["Install evalkit"]["run"] == f"python -m pip install {installed}"
    cached = steps.get("Keep the weights of embedded models")
    assert (cached is None) is (weights is None)
    if cached is not None:
        monkeypatch.delenv("EVALKIT_CACHE_DIR", raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        assert cached["with"]["key"] == f"evalkit-weights-{weights}"
        assert Path(cached["with"]["path"]).expanduser() == weights_folder()


def test_before_there_is_a_project_the_model_is_the_one_that_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "secrets.ANTHROPIC_API_KEY" in call(capsys, "init", "--github").out
    embedded = call(capsys, "init", "--github", "--model", "local/smollm2-135m").out
    assert "ANTHROPIC_API_KEY" not in embedded
    assert list(tmp_path.iterdir()) == []


def test_a_project_that_cannot_be_read_gets_no_workflow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evalkit.toml").write_text("[checks.sums]\n")
    done = call(capsys, "init", "--github")
    assert (done.code, done.out) == (2, "")
    assert "benchmark is missing" in done.err


@pytest.mark.slow
@pytest.mark.parametrize(("threshold", "code"), [(1, 0), (100, 1)])
def test_embedded_models_are_checked_where_there_is_no_key(
    threshold: int,
    code: int,
    service: Service,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """The verdict is the model's: it answers some of the sums, and not all."""
    project = EMBEDDED.replace("threshold = 1", f"threshold = {threshold}")
    service.workflow = print_workflow(capsys, tmp_path, project)
    (service.repository / "evalkit.toml").write_text(project)
    commit(service, ALIKE)
    service.fork = True
    asked = len(service.server.requests)
    done = service.run()
    assert done["Check"].code == code, done["Check"].out
    assert list(done) == ["Install evalkit", "Check"]
    assert "title=evalkit asked-here" in done["Check"].out
    assert len(service.server.requests) == asked


@pytest.mark.slow
def test_of_a_mixed_project_only_what_needs_a_key_waits_for_one(
    service: Service, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    project = PROJECT + EMBEDDED
    service.workflow = print_workflow(capsys, tmp_path, project)
    (service.repository / "evalkit.toml").write_text(project)
    commit(service, ALIKE)
    asked = len(service.server.requests)
    service.fork = True
    without = service.run()
    assert without["Check"].code == 0, without["Check"].out
    assert "only embedded models are checked" in without["Say that there is no key"].out
    assert "title=evalkit asked-here%3A passed" in without["Check"].out
    assert "title=evalkit sums" not in without["Check"].out
    assert len(service.server.requests) == asked
    service.fork = False
    whole = service.run()
    assert whole["Check"].code == 0, whole["Check"].out
    assert "title=evalkit sums%3A passed" in whole["Check"].out
    assert "title=evalkit asked-here%3A passed" in whole["Check"].out
    assert "Say that there is no key" not in whole
