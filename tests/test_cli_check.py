"""`evalkit init`, `baseline` and `check`: from an empty folder to verdicts and exit codes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.baselines import read_baseline
from evalkit.testing.messages_faults import Fault, page_too_large
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, Outcome, call, point_at
from tests.conftest import write_sums
from tests.gate_runs import Answers, number_of, write_prompt

N = 200

TENTH = range(0, N, 10)

WORSE, ALIKE = "Be brief.", "Be kind."

PROJECT = """
[defaults]
model = "claude-haiku-4-5"

[checks.sums]
benchmark = "sums.jsonl"
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "sums.jsonl", N)
    return tmp_path


@pytest.fixture
def answers() -> Answers:
    return Answers(wrong={"": TENTH, WORSE: range(0, N, 3), ALIKE: TENTH})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, answers: Answers) -> Iterator[MessagesServer]:
    with MessagesServer(answer=answers) as running:
        point_at(running, monkeypatch)
        yield running


@pytest.fixture
def project(server: MessagesServer, capsys: pytest.CaptureFixture[str], folder: Path) -> Path:
    """A project with its baseline, made as it stands."""
    path = folder / "evalkit.toml"
    path.write_text(PROJECT)
    assert call(capsys, "baseline", "make", "--quiet").code == 0
    return path


def add(project: Path, *lines: str) -> None:
    project.write_text("\n".join([project.read_text(), *lines]) + "\n")


def check(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> Outcome:
    return call(capsys, "check", "--quiet", *arguments)


def words(done: Outcome) -> str:
    return " ".join(done.out.split())


def test_what_init_writes_runs_as_it_stands_once_the_baseline_is_made(
    capsys: pytest.CaptureFixture[str], server: MessagesServer
) -> None:
    done = call(capsys, "init", "--benchmark", "sums.jsonl")
    assert (done.code, done.out) == (
        0,
        "Written: evalkit.toml. Next: evalkit baseline make; then evalkit check\n",
    )
    before = check(capsys)
    assert before.code == 2
    assert "there is no baseline baselines/sums--claude-haiku-4-5.jsonl yet" in words(before)
    remedy = "`evalkit baseline set RUN --to baselines/sums--claude-haiku-4-5.jsonl`"
    assert remedy in words(before)
    made = call(capsys, "baseline", "make", "--quiet")
    assert made.code == 0
    assert "sums, claude-haiku-4-5, 200 questions, 90.0 % right" in made.out
    after = check(capsys)
    assert after.code == 0
    assert after.out.startswith("sums: passed\n  No regression beyond 5.0 points on sums.")
    assert "Changed since the baseline" in after.out


def test_init_never_overwrites_unless_told_to(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "evalkit.toml").write_text("mine")
    done = call(capsys, "init")
    assert (done.code, done.error) == (
        2,
        "evalkit: evalkit.toml exists; name another file by --to, or add --force",
    )
    assert (folder / "evalkit.toml").read_text() == "mine"
    assert call(capsys, "init", "--force").code == 0
    assert call(capsys, "init", "--to", "other.toml", "--model", 'odd"name').code == 0
    assert 'model = "odd\\"name"' in (folder / "other.toml").read_text()


@pytest.mark.parametrize(("prompt", "code", "said"), [(WORSE, 1, "FAILED"), (ALIKE, 0, "passed")])
def test_the_exit_code_is_the_verdict(
    prompt: str,
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    project: Path,
    server: MessagesServer,
) -> None:
    write_prompt(project.with_name("new.toml"), prompt)
    add(project, 'prompt = "new.toml"')
    done = check(capsys)
    assert done.code == code
    assert done.out.startswith(f"sums: {said}\n")
    assert "prompt (system)" in done.out
    asked = len(server.requests)
    again = check(capsys)
    assert (again.code, again.out) == (code, done.out)
    assert len(server.requests) == asked


def test_flipped_questions_are_shown_with_what_was_answered(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    add(project, '[checks.sums.prompt]\nsystem = "Be brief."')
    done = check(capsys)
    [check_facts] = json.loads(check(capsys, "--json").out)["checks"]
    flips = check_facts["flips"]
    gate = check_facts["gate"]
    lost = [flip for flip in flips if flip["after"] < flip["before"]]
    assert (len(lost), len(flips) - len(lost)) == (gate["losses"], gate["gains"])
    numbers = [int(flip["id"].removeprefix("q")) for flip in lost]
    assert all(number % 3 == 0 and number % 10 != 0 for number in numbers)
    assert f"Lost, {len(lost)}:" in done.out
    first = numbers[0]
    right, now = "ABCD"[first % 4], "ABCD"[(first + 1) % 4]
    assert f"q{first} (right {right}, now {now}): How much is 100 + {first}?" in done.out


def test_a_threshold_is_a_count_of_all_questions(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    add(project, "threshold = 90")
    reached = check(capsys)
    assert reached.code == 0
    assert (
        "Reached: 90.0 % of 200 questions right on sums, at least the 90.0 % required (a count on "
        "these questions; on questions like these it is between 85.1 and 93.4 % (95 % Wilson "
        "interval, n = 200))."
    ) in words(reached)
    project.write_text(PROJECT + "baseline = false\nthreshold = 90.1\n")
    below = check(capsys)
    assert below.code == 1
    assert "Not reached: 90.0 % of 200 questions right on sums, below the 90.1 %" in words(below)
    assert "No regression" not in below.out


def test_a_spent_budget_is_inconclusive(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    add(project, "budget = 40", '[checks.sums.prompt]\nsystem = "Be kind."')
    done = check(capsys)
    assert done.code == 3
    assert "Inconclusive after 40 of 200 questions (budget)" in words(done)


def test_the_budget_of_all_checks_is_one(
    capsys: pytest.CaptureFixture[str], project: Path, server: MessagesServer
) -> None:
    add(
        project,
        '[checks.other]\nbenchmark = "sums.jsonl"\nbaseline = false\nthreshold = 50\nlimit = 5',
        '[checks.other.prompt]\nsystem = "Be kind."',
    )
    add(project, '[checks.sums.prompt]\nsystem = "Be kind."')
    asked = len(server.requests)
    done = check(capsys, "--budget", "0.002")
    assert done.code == 4
    facts = json.loads(check(capsys, "--budget", "0.002", "--json").out)["checks"]
    assert [fact["status"] for fact in facts] == ["inconclusive", "incomplete"]
    priced = sum(record.is_message for record in server.requests[asked:])
    assert 0 < priced < 60


def test_a_regression_stays_one_whatever_else_is_wrong(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    add(
        project,
        '[checks.sums.prompt]\nsystem = "Be brief."',
        '[checks.none]\nbenchmark = "sums.jsonl"\nmargin = 1',
    )
    both = check(capsys)
    assert both.code == 2
    assert "2 checks: 1 INVALID, 1 FAILED" in both.out
    assert check(capsys, "sums").code == 1


def test_a_check_alone_has_the_verdict_that_it_has_among_all(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    add(project, f'models = ["{HAIKU}", "claude-sonnet-4-5"]')
    assert call(capsys, "baseline", "make", "--quiet").code == 0
    add(project, '[checks.sums.prompt]\nsystem = "Be brief."')

    def gates(*names: str) -> list[object]:
        facts = json.loads(check(capsys, "--json", *names).out)["checks"]
        return [fact["gate"] for fact in facts]

    together = gates()
    assert [*gates(f"sums[{HAIKU}]"), *gates("sums[claude-sonnet-4-5]")] == together
    assert all(gate["terms"]["suites"] == 2 for gate in together)  # type: ignore[index]


def test_failing_requests_are_invalid_and_tried_again(
    capsys: pytest.CaptureFixture[str], project: Path, server: MessagesServer
) -> None:
    add(project, '[checks.sums.prompt]\nsystem = "Be kind."')

    asked: list[int] = []

    def fail_fifth(record: RequestRecord) -> Fault | None:
        asked.append(number_of(record.body))
        return page_too_large() if asked[4:] and asked[4] == asked[-1] else None

    server.faults = fail_fifth
    done = check(capsys)
    assert done.code == 2
    assert "Invalid: a request failed for good, and a gate skips none" in words(done)
    server.faults = lambda record: None
    assert check(capsys).code == 0


def test_a_dry_run_asks_nobody(
    capsys: pytest.CaptureFixture[str], project: Path, server: MessagesServer
) -> None:
    asked = len(server.requests)
    done = check(capsys, "--dry-run")
    assert done.code == 0
    assert done.out.startswith("sums: claude-haiku-4-5, about 164 of 200 questions, about $0.0")
    facts = json.loads(check(capsys, "--dry-run", "--json").out)["checks"]
    assert [(fact["id"], fact["expected"], fact["questions"]) for fact in facts] == [
        ("sums", 164, 200)
    ]
    assert len(server.requests) == asked
    project.with_name("sums.jsonl").unlink()
    assert check(capsys, "--dry-run").code == 2


def test_a_changed_baseline_is_named(capsys: pytest.CaptureFixture[str], project: Path) -> None:
    [path] = project.parent.glob("baselines/*")
    path.write_text(path.read_text().replace('"q1", 1,', '"q1", 0,'))
    done = check(capsys)
    assert done.code == 2
    assert f"{path.relative_to(project.parent)} was changed after it was written" in words(done)


def test_summary_junit_and_annotations_say_the_same(
    capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(project, '[checks.sums.prompt]\nsystem = "Be brief."')
    step = project.with_name("step.md")
    step.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    done = check(
        capsys,
        *("--annotations", "--junit", "j.xml"),
        *("--summary", "s.md", "--summary", step),
    )
    assert done.code == 1
    summary = Path("s.md").read_text()
    assert summary.startswith("<!-- evalkit check -->\n### evalkit: FAILED\n")
    assert "| sums | FAILED | " in summary
    assert "| lost | q" in summary
    assert step.read_text() == "before\n" + summary
    [case] = ET.fromstring(Path("j.xml").read_text()).iter("testcase")
    [failure] = case
    assert failure.tag == "failure"
    assert failure.get("message", "").startswith("Regressed: accuracy on sums fell")
    [line] = [line for line in done.out.splitlines() if line.startswith("::")]
    assert line.startswith(
        "::error file=evalkit.toml,line=5,title=evalkit sums%3A FAILED::Regressed: accuracy on "
    )
    assert "90 %25, valid" in line
    check(capsys, "--summary", "s.md")
    assert Path("s.md").read_text() == summary


def test_baseline_set_puts_a_run_where_the_file_wants_it(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    [path] = project.parent.glob("baselines/*")
    made = path.read_bytes()
    path.unlink()
    [run] = project.parent.glob("results/*")
    done = call(capsys, "baseline", "set", run)
    assert done.code == 0
    assert done.out.startswith("Written: baselines/sums--claude-haiku-4-5.jsonl, ")
    assert path.read_bytes() == made
    project.unlink()
    assert call(capsys, "baseline", "set", run.name.rpartition("--")[2]).code == 0
    assert call(capsys, "baseline", "set", run, "--to", "deep/down/b.jsonl").code == 0
    assert Path("deep/down/b.jsonl").read_bytes() == made


def test_a_run_that_lacks_replies_is_no_baseline(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    [run] = project.parent.glob("results/*")
    journal = run / "responses.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-3]))
    done = call(capsys, "baseline", "set", run, "--to", "b.jsonl")
    assert done.code == 2
    assert "lacks 3 replies" in done.error
    assert call(capsys, "baseline", "set", run, "--to", "b.jsonl", "--incomplete").code == 0
    scores = read_baseline(Path("b.jsonl")).scores
    assert sum(score != score for score in scores) == 3


def test_baseline_show_says_what_is_in_a_file(
    capsys: pytest.CaptureFixture[str], project: Path
) -> None:
    [path] = project.parent.glob("baselines/*")
    done = call(capsys, "baseline", "show", path)
    assert done.code == 0
    assert done.out.startswith("sums, claude-haiku-4-5, 200 questions, 90.0 % right\n  run: ")
    assert done.out.endswith("  digest: right\n")
    facts = json.loads(call(capsys, "baseline", "show", path, "--json").out)
    assert (facts["questions"], facts["mean"]) == (200, 0.9)
    path.write_bytes(path.read_bytes()[:-10])
    assert call(capsys, "baseline", "show", path).code == 2


def test_without_a_key_nobody_is_asked(
    capsys: pytest.CaptureFixture[str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.delenv("ANTHROPIC_BASE_URL")
    done = check(capsys)
    assert done.code == 2
    assert "no key: set ANTHROPIC_API_KEY" in words(done)
