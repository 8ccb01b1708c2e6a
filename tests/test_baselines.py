"""A baseline in a file says of a run what a gate needs, no text, and that nobody changed it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.baselines import baseline_of, find_baseline, load_baseline, read_baseline
from evalkit.benchmarks import Benchmark
from evalkit.candidates import settings_of, take_part
from evalkit.errors import RunFormatError, UsageError
from evalkit.gate_records import GateRecord
from evalkit.gating import gate
from evalkit.questions import Question, question_digest
from evalkit.results import Run
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import QUICK, endpoint_of
from tests.gate_runs import BRIEF, KIND, Answers, load_sums, make_run

N = 120

TENTH = range(0, N, 10)


@pytest.fixture
def answers() -> Answers:
    return Answers(wrong={"": TENTH, "Be brief.": TENTH, "Be kind.": range(0, N, 9)})


@pytest.fixture
def server(answers: Answers) -> Iterator[MessagesServer]:
    with MessagesServer(answer=answers) as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path) -> Benchmark:
    return load_sums(tmp_path, N)


def write_file(run: Run, folder: Path) -> Path:
    path = folder / "baseline.jsonl"
    baseline_of(run).write(path)
    return path


CASES: list[dict[str, Any]] = [
    {},
    {"limit": 60, "seed": 3},
    {"samples": 2},
    {"orders": 2},
    {"way": "instructed", "max_tokens": 7, "temperature": 0.5},
    {"keep_text": False},
    {"prompt": KIND},
]


@pytest.mark.parametrize("made", CASES, ids=[str(case) for case in CASES])
@pytest.mark.parametrize("candidate", ["alike", "worse"])
def test_a_gate_against_the_file_is_the_gate_against_the_run(
    made: dict[str, Any],
    candidate: str,
    server: MessagesServer,
    bench: Benchmark,
    answers: Answers,
    tmp_path: Path,
) -> None:
    if candidate == "worse":
        answers.wrong["Be brief."] = range(0, N, 3)
    run = make_run(server, bench, tmp_path / "results", **made)
    # An earlier run that flips, whose questions a gate draws first.
    make_run(server, bench, tmp_path / "results", **{**made, "prompt": KIND})

    def hold(baseline: Any) -> dict[str, Any]:
        known = load_baseline(baseline, tmp_path)
        settings = replace(settings_of(known), retries=QUICK, concurrency=1, prompt=BRIEF)
        [record] = gate(
            baseline,
            settings=settings,
            benchmark=bench,
            endpoint=endpoint_of(server),
            results=tmp_path / "results",
            progress=False,
        ).gates
        return facts_of(record)

    by_run = hold(run)
    candidates = [path for path in (tmp_path / "results").iterdir() if path != run.path]
    records = [path for folder in candidates for path in folder.glob("gate-*")]
    assert records
    for path in records:
        path.unlink()
    by_file = hold(write_file(run, tmp_path))
    assert by_file == by_run
    if made == {}:
        says = {"worse": "regressed", "alike": "no regression beyond delta"}
        assert by_run["verdict"] == says[candidate]
        assert by_run["volatile"] > 0


def facts_of(record: GateRecord) -> dict[str, Any]:
    """All of a record but where the baseline lies, and what came in flight after the verdict."""
    apart = ("baseline_folder", "asked", "spent", "lost")
    return {name: value for name, value in record.to_dict().items() if name not in apart}


def test_it_holds_no_text(server: MessagesServer, bench: Benchmark, tmp_path: Path) -> None:
    run = make_run(server, bench, tmp_path / "results", prompt=KIND)
    text = write_file(run, tmp_path).read_text(encoding="ascii")
    for secret in ("Be kind", "How much", "100 +", server.key, "The answer is"):
        assert secret not in text


def test_it_is_a_line_a_question_and_the_same_bytes_each_time(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    run = make_run(server, bench, tmp_path / "results")
    data = write_file(run, tmp_path).read_bytes()
    lines = data.decode("ascii").splitlines()
    first = question_digest(bench.question_set.questions[1])[:12]
    assert lines[-N] == f'["q1", 1, "{first}"]'
    assert sum(line.startswith('["q') for line in lines) == N
    assert lines[0] == '{"evalkit baseline": 1}'
    again = tmp_path / "again"
    again.mkdir()
    assert write_file(run, again).read_bytes() == data
    read_baseline(again / "baseline.jsonl").write(again / "copy.jsonl")
    assert (again / "copy.jsonl").read_bytes() == data


def test_a_question_without_a_reply_has_no_score(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    run = make_run(server, bench, tmp_path / "results", limit=2)
    known = replace(baseline_of(run), scores=[math.nan, 1.0])
    known.write(tmp_path / "b.jsonl")
    assert list(map(str, read_baseline(tmp_path / "b.jsonl").scores)) == ["nan", "1.0"]


def test_every_changed_byte_is_an_error_that_says_so(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    path = write_file(make_run(server, bench, tmp_path / "results", limit=3), tmp_path)
    data = path.read_bytes()
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(RunFormatError, match=r"was changed|is no baseline|has format"):
            read_baseline(path)
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(RunFormatError, match=r"was changed|is no baseline"):
            read_baseline(path)
    path.write_bytes(data.replace(b"\n", b"\r\n"))
    assert len(read_baseline(path).ids) == 3


def test_what_is_no_baseline_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text('{"id": "q1"}\n')
    with pytest.raises(RunFormatError, match=r"b\.jsonl is no baseline: its first line is not"):
        read_baseline(path)
    path.write_text('{"evalkit baseline": 99}\n')
    with pytest.raises(RunFormatError, match="has format 99; this version reads 1"):
        read_baseline(path)
    with pytest.raises(RunFormatError, match="can't be read: No such file"):
        read_baseline(tmp_path / "none.jsonl")


def reword(question: Question) -> Question:
    return replace(question, stem=f"{question.stem} Please.")


def shift(question: Question) -> Question:
    return replace(question, right=((question.right[0] + 1) % 4,))


def test_questions_that_are_others_now_are_refused(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    path = write_file(make_run(server, bench, tmp_path / "results"), tmp_path)
    questions = bench.question_set.questions

    def ask(others: tuple[Question, ...]) -> None:
        changed = replace(bench, question_set=replace(bench.question_set, questions=others))
        gate(path, prompt=BRIEF, benchmark=changed, endpoint=endpoint_of(server), progress=False)

    asked = len(server.requests)
    for change in (reword, shift):
        others = (*questions[:5], change(questions[5]), *questions[6:])
        with pytest.raises(UsageError, match=r"^invalid: 1 questions of sums are not .* q5 for"):
            ask(others)
    with pytest.raises(UsageError, match=r"1 questions of the baseline .* no longer in sums, q0"):
        ask(tuple(questions[1:]))
    with pytest.raises(UsageError, match="no longer has the questions of the baseline"):
        ask(tuple(reversed(questions)))
    assert len(server.requests) == asked


def test_questions_that_came_since_are_not_asked(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    path = write_file(make_run(server, bench, tmp_path / "results"), tmp_path)
    more = load_sums(tmp_path, N + 30)
    [record] = gate(
        path,
        prompt=BRIEF,
        benchmark=more,
        endpoint=endpoint_of(server),
        results=tmp_path / "results",
        progress=False,
    ).gates
    assert (record.plan.size, record.plan.left_out) == (N, 0)


@pytest.mark.parametrize("several", [True, False])
def test_a_part_of_a_set_with_several_right_choices_is_asked_as_the_whole(
    several: bool, server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    known = read_baseline(write_file(make_run(server, bench, tmp_path / "results"), tmp_path))
    changed = replace(known, identity=replace(known.identity, several=several))
    assert take_part(changed, bench).has_several == several


def test_a_prompt_of_which_only_a_digest_is_known_has_to_be_named(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    path = write_file(make_run(server, bench, tmp_path / "results", prompt=KIND), tmp_path)
    with pytest.raises(UsageError, match="its prompt is not that of sums: name the candidate's"):
        gate(path, benchmark=bench, endpoint=endpoint_of(server), progress=False)


def test_the_benchmark_of_a_file_is_found_by_its_name_or_asked_for(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    path = write_file(make_run(server, bench, tmp_path / "results"), tmp_path)
    with pytest.raises(UsageError, match="holds no texts of its questions; name it by --benchmark"):
        gate(path, prompt=BRIEF, endpoint=endpoint_of(server), progress=False)


def test_a_baseline_is_found_by_path_by_name_and_by_id(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    run = make_run(server, bench, tmp_path / "results", limit=2)
    results = run.path.parent
    for name in (run.path, str(run.path), run.path.name, run.manifest.identity.run_id):
        assert find_baseline(name, results) == run.path
    with pytest.raises(UsageError, match="no run's folder, nor a run in"):
        find_baseline("nowhere", results)
    with pytest.raises(UsageError, match="no run's folder, nor a run in"):
        find_baseline("a**b", results)
    (results / "damaged" / "manifest.json").mkdir(parents=True)
    with pytest.raises(RunFormatError, match=r"manifest\.json is a folder, no file"):
        load_baseline("damaged", results)


def test_an_id_that_two_folders_end_with_is_ambiguous(
    server: MessagesServer, bench: Benchmark, tmp_path: Path
) -> None:
    run = make_run(server, bench, tmp_path / "results", limit=2)
    twin = run.path.with_name(f"copy--{run.manifest.identity.run_id}")
    run.path.rename(twin)
    again = run.path.with_name(f"other--{run.manifest.identity.run_id}")
    again.mkdir()
    (again / "manifest.json").write_bytes((twin / "manifest.json").read_bytes())
    with pytest.raises(UsageError, match="2 runs have this id in"):
        find_baseline(run.manifest.identity.run_id, run.path.parent)
