"""A run's folder is checked against itself: what was changed, torn or garbled is named."""

from __future__ import annotations

import gzip
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.answers import Answer, Outcome
from evalkit.benchmarks import Benchmark
from evalkit.errors import RunFormatError
from evalkit.gate_records import replay_run
from evalkit.question_lines import compress_questions
from evalkit.questions import Question, QuestionSet
from evalkit.requests import WAYS, Way
from evalkit.results import Run, load_run
from evalkit.runs.folder import write_whole
from evalkit.runs.journal import JournalReader, JournalRow, decode_row, encode_row, read_journal
from evalkit.testing.messages_server import MessagesServer
from evalkit.verifying import Finding, Verification, find_folders, verify_run
from evalkit.version import __version__
from tests.conftest import SUMS, sums_answers
from tests.gate_runs import Answers, load_sums, make_run
from tests.test_evaluation import MIDDLE, OLD, ask
from tests.test_gating import hold
from tests.test_retakes import LONG, long_winded

EXAMPLES = tuple(
    Question(
        id=f"example{number}",
        stem=f"How much is {number} + 1?",
        choices=("1", "2", "3", "4"),
        right=(number % 4,),
        group=("even", "odd")[number % 2],
    )
    for number in range(6)
)


@pytest.fixture(scope="module")
def original(sums: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that is done, some of whose replies were cut off and asked again."""
    with (
        pytest.MonkeyPatch.context() as patch,
        MessagesServer(answer=long_winded()) as server,
    ):
        patch.setenv("EVALKIT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return ask(server, sums, tmp_path_factory.mktemp("results"), MIDDLE).path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    """A copy to damage, on another place than where it was written."""
    copied = shutil.copytree(original, tmp_path / "elsewhere" / "copied")
    change_manifest(copied, max_output_tokens=64_000)
    write_summary(copied)
    return copied


def write_summary(path: Path) -> None:
    """Write what `evalkit score` would write."""
    (path / "summary.json").write_text(json.dumps(load_run(path).to_dict()))


def places(found: Verification) -> list[tuple[str, int | None, str]]:
    """Where the findings are, and how bad each is."""
    return [(one.file, one.line, one.level) for one in found.findings]


# Sound runs


@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("way", WAYS)
def test_the_requests_of_every_way_are_built_again(
    way: Way, shots: int, sums: Benchmark, tmp_path: Path
) -> None:
    benchmark = replace(
        sums,
        question_set=QuestionSet(questions=sums.question_set.questions[:4], examples=EXAMPLES),
    )
    with MessagesServer(answer=sums_answers(thinking="Hm.")) as server:
        done = ask(server, benchmark, tmp_path, OLD, way=way, shots=shots, samples=2, seed=3)
    if shots:
        keep_examples(done.path)
    found = verify_run(done.path)
    assert (found.verdict, found.findings, found.unchecked) == ("sound", (), ())
    assert (found.rows, found.fitting, found.missing) == (8, 8, 0)


def keep_examples(path: Path) -> None:
    """Put the worked examples into a folder."""
    write_whole(path / "examples.jsonl.gz", compress_questions(EXAMPLES))


def test_requests_for_more_room_are_built_again(path: Path) -> None:
    found = verify_run(path)
    assert (found.verdict, found.findings, found.unchecked) == ("sound", (), ())
    assert found.fitting == SUMS + len(LONG)


def test_a_run_that_is_not_complete_may_be_sound(path: Path) -> None:
    journal = path / "responses.jsonl"
    (path / "summary.json").unlink()
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:7]))
    found = verify_run(path)
    assert (found.verdict, found.findings, found.rows) == ("sound", (), 7)
    journal.unlink()
    found = verify_run(path)
    assert (found.verdict, found.findings, found.missing) == ("sound", (), SUMS)


def test_a_clock_that_jumps_back_changes_nothing(path: Path) -> None:
    def jump(row: JournalRow) -> JournalRow:
        return replace(row, finished_at=row.finished_at - 10**6 * len(row.question_id))

    before = load_run(path).to_dict()
    change_rows(path, jump)
    assert verify_run(path).verdict == "sound"
    assert load_run(path).to_dict() == before


def test_a_run_without_texts_is_checked_as_far_as_that_goes(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path, MIDDLE, keep_text=False)
    found = verify_run(done.path)
    assert (found.verdict, found.rows, found.fitting, found.missing) == ("sound", SUMS, 0, 0)
    assert found.unchecked == (
        "the digest of the questions: their texts are not kept",
        "rows against their request ids: texts of questions are not kept",
    )


def test_worked_examples_that_an_older_version_did_not_keep_leave_two_things_unchecked(
    sums: Benchmark, tmp_path: Path
) -> None:
    benchmark = replace(sums, question_set=replace(sums.question_set, examples=EXAMPLES))
    with MessagesServer(answer=sums_answers()) as server:
        path = ask(server, benchmark, tmp_path, MIDDLE, shots=2).path
    (path / "examples.jsonl.gz").unlink(missing_ok=True)
    found = verify_run(path)
    assert (found.verdict, found.findings, found.fitting) == ("sound", (), 0)
    assert len(found.unchecked) == 2
    keep_examples(path)
    assert verify_run(path).fitting == SUMS
    write_whole(path / "examples.jsonl.gz", compress_questions(EXAMPLES[1:]))
    found = verify_run(path)
    assert ("questions.jsonl.gz", None, "damaged") in places(found)
    write_whole(path / "examples.jsonl.gz", compress_questions(EXAMPLES[:1]))
    assert verify_run(path).fitting == 0, "there are fewer than were shown"
    (path / "examples.jsonl.gz").write_bytes(b"no gzip")
    assert places(verify_run(path)) == [("examples.jsonl.gz", None, "damaged")]


def test_requests_that_another_version_built_otherwise_are_not_called_changed(path: Path) -> None:
    change_rows(path, lambda row: replace(row, request_id=row.request_id[::-1]))
    assert verify_run(path).verdict == "damaged"
    change_manifest(path, evalkit_version="0.0.1")
    found = verify_run(path)
    assert (found.verdict, found.fitting) == ("sound", 0)
    [why] = found.unchecked
    assert why.startswith("rows against their request ids: evalkit 0.0.1 built other requests than")


def test_room_that_no_table_knows_is_not_checked_unless_the_manifest_says_it(path: Path) -> None:
    """Of the requests for more room, the id depends on what the model allows."""
    from evalkit.elicitation.choose import enlarge
    from evalkit.requests import build_request
    from evalkit.runs.folder import open_run_folder
    from evalkit.verifying import RequestBuilder

    folder = open_run_folder(path)
    builder = RequestBuilder(folder.manifest, ())
    by_id = {question.id: question for question in folder.questions}

    def ask_for_40(row: JournalRow) -> JournalRow:
        if not row.is_retake:
            return row
        [body] = builder._list_bodies(by_id[row.question_id], is_retake=False)
        larger = enlarge(body, 40)
        assert larger is not None
        return replace(row, request_id=build_request(row.question_id, row.way, larger).id)

    change_rows(path, ask_for_40)
    change_manifest(path, max_output_tokens=None)
    found = verify_run(path)
    assert (found.verdict, found.fitting) == ("sound", SUMS)
    assert found.unchecked == (
        f"{len(LONG)} requests for more room: the manifest does not say how much the model has",
    )
    change_manifest(path, max_output_tokens=40)
    found = verify_run(path)
    assert (found.verdict, found.fitting, found.unchecked) == ("sound", SUMS + len(LONG), ())
    change_manifest(path, max_output_tokens=39)
    assert verify_run(path).verdict == "damaged"


# Damage


def change_manifest(path: Path, **changes: Any) -> None:
    table = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(table | changes))


def change_rows(path: Path, change: Callable[[JournalRow], JournalRow]) -> None:
    lines = (path / "responses.jsonl").read_text().splitlines()
    changed = [encode_row(change(decode_row(line))) for line in lines]
    (path / "responses.jsonl").write_text("".join(f"{line}\n" for line in changed))


def change_line(path: Path, number: int, change: Callable[[str], str]) -> None:
    """Change one line of the journal, counted from 1."""
    lines = (path / "responses.jsonl").read_text().splitlines(keepends=True)
    lines[number - 1] = change(lines[number - 1])
    (path / "responses.jsonl").write_text("".join(lines))


def change_row(path: Path, question: int, **changes: Any) -> None:
    """Change the row of a question."""
    number = lines_by_question(path)[question]
    change_line(path, number, lambda line: encode_row(replace(decode_row(line), **changes)) + "\n")


def garble(path: Path, question: int) -> None:
    """Make the first reply to a question unreadable."""
    number = lines_by_question(path)[question]
    change_line(path, number, lambda line: f"{line[:40]}\n")


def lines_by_question(path: Path) -> dict[int, int]:
    """Where the first reply to each question stands in the journal."""
    rows = list(JournalReader(path / JOURNAL))
    return {int(row.question_id[1:]): n for n, row in enumerate(rows, 1) if not row.is_retake}


def change_questions(path: Path, old: str, new: str) -> None:
    text = gzip.decompress((path / "questions.jsonl.gz").read_bytes()).decode()
    assert old in text
    (path / "questions.jsonl.gz").write_bytes(gzip.compress(text.replace(old, new).encode()))


def change_summary(path: Path, **changes: Any) -> None:
    table = json.loads((path / "summary.json").read_text())
    (path / "summary.json").write_text(json.dumps(table | changes))


def prompt_of(path: Path) -> Any:
    return json.loads((path / "manifest.json").read_text())["prompt"]


def append(path: Path, number: int, text: str | None = None) -> None:
    """Write a line of the journal once more, perhaps with another reply."""
    journal = path / "responses.jsonl"
    row = decode_row(journal.read_text().splitlines()[number - 1])
    with journal.open("a") as file:
        file.write(f"{encode_row(row)}\n")


def put_folder_in_place(path: Path) -> None:
    """Put a folder where the journal was."""
    (path / "responses.jsonl").unlink()
    (path / "responses.jsonl").mkdir()


JOURNAL, MANIFEST, SUMMARY = "responses.jsonl", "manifest.json", "summary.json"
END = SUMS + len(LONG)
Where = tuple[str, int | None, str]

DAMAGES: dict[str, tuple[Callable[[Path], object], list[Where], str]] = {
    "no manifest": (
        lambda path: (path / MANIFEST).unlink(),
        [(MANIFEST, None, "damaged")],
        "is no run folder: it has no manifest.json",
    ),
    "another format": (
        lambda path: change_manifest(path, format=2),
        [(MANIFEST, None, "damaged")],
        f"has format 2; evalkit {__version__} reads 1",
    ),
    "a setting": (
        lambda path: change_manifest(path, run_id="0" * 12),
        [(MANIFEST, None, "damaged")],
        "was changed: its settings don't give its run id",
    ),
    "the prompt's text": (
        lambda path: change_manifest(path, prompt=prompt_of(path) | {"system": "Be wrong."}),
        [(MANIFEST, None, "damaged"), *((JOURNAL, line, "damaged") for line in range(1, END + 1))],
        "the prompt was changed: its digest is not ",
    ),
    "a stem": (
        lambda path: change_questions(path, "100 + 7?", "100 + 8?"),
        [("questions.jsonl.gz", None, "damaged"), (JOURNAL, -7, "damaged")],
        "the questions were changed: their digest is not ",
    ),
    "an id": (
        lambda path: change_questions(path, '"q7"', '"q9"'),
        [("questions.jsonl.gz", None, "damaged"), (JOURNAL, -7, "damaged"),
         (SUMMARY, None, "damaged")],
        "q9: 2 questions have this id",
    ),
    "half the questions": (
        lambda path: (path / "questions.jsonl.gz").write_bytes(b"\x1f\x8b"),
        [("questions.jsonl.gz", None, "repairable")],
        "can't be read: ",
    ),
    "a garbled line": (
        lambda path: garble(path, 7),
        [(JOURNAL, -7, "repairable"), (SUMMARY, None, "repairable")],
        "can't be read; the same command asks its question again",
    ),
    "a garbled line that no question needs": (
        lambda path: garble(path, LONG[0]),
        [(JOURNAL, -LONG[0], "harmless"), (SUMMARY, None, "repairable")],
        "can't be read; every question has a reply all the same",
    ),
    "a torn end": (
        lambda path: change_line(path, END, lambda line: line[:-7]),
        [(JOURNAL, END, "repairable"), (SUMMARY, None, "repairable")],
        "is torn, as a crash leaves it; ",
    ),
    "a row's question": (
        lambda path: change_row(path, 7, question_id="q99"),
        [(JOURNAL, -7, "damaged"), (SUMMARY, None, "damaged")],
        "the run has no question 'q99'; the row counts for nothing",
    ),
    "a row's sample": (
        lambda path: change_row(path, 7, sample_index=1),
        [(JOURNAL, -7, "damaged"), (SUMMARY, None, "damaged")],
        "sample 1: the run has 1 a question, from 0",
    ),
    "a row's order": (
        lambda path: change_row(path, 7, order=(1, 2, 3, 0)),
        [(JOURNAL, -7, "damaged"), (SUMMARY, None, "damaged")],
        "order (1, 2, 3, 0) of the choices: the run does not show this question in it",
    ),
    "a row's way": (
        lambda path: change_row(path, 7, way="tool"),
        [(JOURNAL, -7, "damaged"), (SUMMARY, None, "damaged")],
        "asked by way tool, the run by instructed",
    ),
    "a row's request": (
        lambda path: change_row(path, 7, request_id="0" * 40),
        [(JOURNAL, -7, "damaged")],
        "the request of this question, sample and run has another id: it was changed",
    ),
    "a row twice": (
        lambda path: append(path, 2),
        [(JOURNAL, END + 1, "damaged")],
        "the request of line 2 has a second response here, which counts",
    ),
    "another accuracy": (
        lambda path: change_summary(path, accuracy={"estimate": 1.0}),
        [(SUMMARY, None, "damaged")],
        "is not what the journal says: accuracy; `evalkit score` writes it anew",
    ),
    "an older summary": (
        lambda path: change_summary(path, evalkit_version="0.0.1", n=7),
        [(SUMMARY, None, "repairable")],
        "is not what the journal says: n; evalkit 0.0.1 read the replies; ",
    ),
    "a summary of another kind": (
        lambda path: (path / SUMMARY).write_text("[]"),
        [(SUMMARY, None, "repairable")],
        "is not what the journal says: all of it",
    ),
    "half a summary": (
        lambda path: (path / SUMMARY).write_text("{"),
        [(SUMMARY, None, "repairable")],
        "can't be read: ",
    ),
    "no summary": (
        lambda path: (path / SUMMARY).unlink(),
        [(SUMMARY, None, "repairable")],
        "is missing, the run complete; `evalkit score` writes it anew",
    ),
    "a part": (
        lambda path: (path / "summary.json.part77").write_text("{"),
        [("summary.json.part77", None, "repairable")],
        "left by a process that was killed while it wrote; it may be deleted",
    ),
    "a log of batches": (
        lambda path: (path / "batches.jsonl").write_text("{}\n"),
        [("batches.jsonl", None, "damaged")],
        "can't be read",
    ),
    "a folder for a journal": (
        put_folder_in_place,
        [(JOURNAL, None, "damaged")],
        "can't be read: Is a directory",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_what_was_done_to_a_folder_is_named_with_its_place(name: str, path: Path) -> None:
    lines = lines_by_question(path)
    damage, expected, text = DAMAGES[name]
    damage(path)
    before = {each.name: each.read_bytes() for each in path.iterdir() if each.is_file()}

    found = verify_run(path)

    # Where a question is meant, its place in the journal.
    expected = [(f, lines[-n] if n is not None and n < 0 else n, level) for f, n, level in expected]
    assert sorted(places(found), key=str) == sorted(expected, key=str)
    assert any(text in str(one) for one in found.findings), found.findings
    assert found.verdict == ("damaged" if "damaged" in str(expected) else "repairable")
    assert before == {each.name: each.read_bytes() for each in path.iterdir() if each.is_file()}


def test_a_reading_that_was_changed_shows_in_the_summary(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        path = ask(server, sums, tmp_path, MIDDLE, keep_text=False).path
    change_row(path, 7, reading=Answer(outcome=Outcome.UNPARSED))
    found = verify_run(path)
    assert places(found) == [(SUMMARY, None, "damaged")]


def test_a_finding_says_where_it_is() -> None:
    finding = Finding(file="responses.jsonl", line=7, level="repairable", text="can't be read")
    assert str(finding) == "responses.jsonl:7: can't be read"
    assert str(replace(finding, line=None)) == "responses.jsonl: can't be read"


def test_numbers_that_differ_by_rounding_are_the_same(path: Path) -> None:
    facts = json.loads((path / SUMMARY).read_text())
    change_summary(path, chance=facts["chance"] * (1 + 1e-15), evalkit_version="0.0.1")
    assert verify_run(path).verdict == "sound"


# A crash at every byte


def test_wherever_a_journal_is_cut_each_whole_row_is_kept(path: Path) -> None:
    journal = path / JOURNAL
    data = b"".join(journal.read_bytes().splitlines(keepends=True)[:3])
    rows = read_journal(journal).rows
    (path / SUMMARY).unlink()
    for cut in range(len(data) + 1):
        journal.write_bytes(data[:cut])
        kept = read_journal(journal)
        whole = data[:cut].count(b"\n")
        assert (kept.rows, kept.garbled_lines) == (rows[:whole], ())
        assert kept.good_bytes == data[:cut].rfind(b"\n") + 1
        if cut % 50 == 0 or data[:cut].endswith(b"\n"):
            found = verify_run(path)
            is_torn = kept.good_bytes < cut
            assert places(found) == [(JOURNAL, whole + 1, "repairable")] * is_torn
            assert (found.rows, found.fitting) == (whole, whole)


@pytest.mark.parametrize("garbage", [b"\0", b"\n", b"x", b"\xff", b'"', b"}"])
def test_wherever_a_byte_is_changed_no_other_row_is_lost(garbage: bytes, path: Path) -> None:
    journal = path / JOURNAL
    data = b"".join(journal.read_bytes().splitlines(keepends=True)[:3])
    rows = read_journal(journal).rows[:3]
    second = range(data.index(b"\n") + 1, data.index(b"\n", data.index(b"\n") + 1))
    for place in second:
        journal.write_bytes(data[:place] + garbage + data[place + 1 :])
        found = read_journal(journal).rows
        assert found[0] == rows[0]
        assert rows[2] in found


# Gates


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a candidate that a gate found to have regressed."""
    root = tmp_path_factory.mktemp("gated")
    answers = Answers(wrong={"Be brief.": range(0, 120, 3)})
    with (
        pytest.MonkeyPatch.context() as patch,
        MessagesServer(answer=answers) as server,
    ):
        patch.setenv("EVALKIT_CACHE_DIR", str(root / "cache"))
        baseline = make_run(server, load_sums(root, 120), root / "results")
        return Path(hold(server, baseline).gates[0].folder)


@pytest.fixture
def candidate(gated: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return shutil.copytree(gated, tmp_path / "candidate")


def edit_record(path: Path, **changes: Any) -> str:
    """Change what the record of a gate says, and return its file's name."""
    [record] = path.glob("gate-*.json")
    record.write_text(json.dumps({**json.loads(record.read_text()), **changes}))
    return record.name


def test_the_record_of_a_gate_is_computed_again(candidate: Path) -> None:
    assert (verify_run(candidate).findings, verify_run(candidate).unchecked) == ((), ())
    name = edit_record(candidate, losses=0, verdict="no regression beyond delta")
    [found] = verify_run(candidate).findings
    assert str(found) == (
        f"{name}: is not what the journal says: verdict, losses; `evalkit gate --replay` shows both"
    )
    assert found.level == "damaged"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "can't be read: Expecting property name"),
        ("[]", "can't be read: it is no record"),
        ('{"format": 7}', "has format 7; this version reads 2"),
        ('{"format": 2}', "can't be read: "),
    ],
)
def test_a_record_of_a_gate_that_can_not_be_read_is_named(
    text: str, reason: str, candidate: Path
) -> None:
    [record] = candidate.glob("gate-*.json")
    record.write_text(text)
    [found] = verify_run(candidate).findings
    assert (found.file, found.level) == (record.name, "damaged")
    assert found.text.startswith(reason)


def test_a_record_is_read_where_the_journal_can_not_be(candidate: Path) -> None:
    (candidate / JOURNAL).unlink()
    (candidate / JOURNAL).mkdir()
    [record] = candidate.glob("gate-*.json")
    assert record.name not in {each.file for each in verify_run(candidate).findings}
    record.write_text("{")
    assert record.name in {each.file for each in verify_run(candidate).findings}


@pytest.mark.parametrize(
    ("data", "reason"), [(None, "has lost the questions"), (b"x", "{name} can't be read: ")]
)
def test_a_gate_without_its_questions_is_named(
    data: bytes | None, reason: str, candidate: Path
) -> None:
    [lot] = candidate.glob("gate-*.gz")
    lot.unlink()
    if data is not None:
        lot.write_bytes(data)
    [found] = verify_run(candidate).findings
    assert found.file.endswith(".json")
    assert found.text.startswith(reason.format(name=lot.name))


def test_a_gate_is_not_blamed_for_a_line_that_is_garbled(candidate: Path) -> None:
    [replayed] = replay_run(candidate)
    plan = replayed.record.plan
    fourth = plan.lot.ids[plan.open().order[3]]
    garble(candidate, int(fourth[1:]))
    found = verify_run(candidate)
    assert found.verdict == "repairable"
    assert found.findings[-1].text.startswith("is not what the journal says: ")


def test_a_gate_of_another_version_is_not_called_damaged(candidate: Path) -> None:
    edit_record(candidate, losses=0)
    change_manifest(candidate, evalkit_version="0.0.1")
    found = verify_run(candidate)
    assert found.findings == ()
    assert "evalkit 0.0.1 read the replies" in found.unchecked[-1]


def test_a_gate_is_checked_in_an_archive(candidate: Path, tmp_path: Path) -> None:
    name = edit_record(candidate, losses=0)
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", candidate)
    [found] = verify_archive(Path(archive))
    assert places(found) == [(name, None, "damaged")]


# Other places


@pytest.fixture
def archive(path: Path, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Puts the run into an archive under some name."""

    def pack(inside: str) -> Path:
        target = tmp_path / "runs.zip"
        with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as file:
            for each in path.iterdir():
                file.write(each, f"{inside}{each.name}")
            file.writestr(f"{inside}notes.txt", "mine")
        return target

    yield pack


def verify_archive(path: Path) -> list[Verification]:
    with find_folders(path) as folders:
        assert not any(list(folder.glob("notes.txt")) for folder, _ in folders)
        return [verify_run(folder, called=called) for folder, called in folders]


@pytest.mark.parametrize("inside", ["", "copied/", "results/copied/"])
def test_a_zipped_run_is_checked_in_its_archive(
    inside: str, archive: Callable[[str], Path]
) -> None:
    path = archive(inside)
    [found] = verify_archive(path)
    assert (found.verdict, found.path) == ("sound", path / inside.rstrip("/"))


def test_all_runs_of_an_archive_are_checked(path: Path, archive: Callable[[str], Path]) -> None:
    archive("first/")
    garble(path, 7)
    found = verify_archive(archive("second/"))
    assert [one.verdict for one in found] == ["sound", "repairable"]


@pytest.mark.parametrize("kind", ["empty", "no archive", "cut", "damaged"])
def test_an_archive_that_cannot_be_read_is_named(
    kind: str, archive: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "x.zip"
    data = archive("").read_bytes()
    match kind:
        case "empty":
            zipfile.ZipFile(path, "w").close()
        case "no archive":
            path.write_text("hello")
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "damaged":
            path.write_bytes(data[:200] + b"\xff" * 50 + data[250:])
    with pytest.raises(RunFormatError, match=r"x\.zip (can't be read|holds no run)"):
        verify_archive(path)


def test_no_member_of_an_archive_is_unpacked_outside(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "bad.zip"
    with zipfile.ZipFile(target, "w") as file:
        file.write(path / "manifest.json", "../../../evil/manifest.json")
    verify_archive(target)
    assert not [*tmp_path.rglob("evil"), *tmp_path.parent.glob("evil")]


def test_a_check_tells_how_far_it_is(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalkit.verifying.TICK_ROWS", 10)
    heard: list[int] = []
    verify_run(path, tick=heard.append)
    assert len(heard) == END // 10 + 1
    assert sum(heard) == (path / JOURNAL).stat().st_size


def test_facts_can_be_written_as_json(path: Path) -> None:
    lines = lines_by_question(path)
    garble(path, 7)
    facts = verify_run(path).to_dict()
    assert json.loads(json.dumps(facts)) == facts
    assert facts["findings"][0] == {
        "file": "responses.jsonl",
        "line": lines[7],
        "level": "repairable",
        "text": "can't be read; the same command asks its question again",
    }
    assert (facts["verdict"], facts["rows"], facts["missing_responses"]) == (
        "repairable",
        END - 1,
        1,
    )


def test_a_run_is_the_same_wherever_it_is_read(original: Path, path: Path) -> None:
    def numbers(run: Run) -> dict[str, Any]:
        return {name: fact for name, fact in run.to_dict().items() if name != "folder"}

    assert numbers(load_run(original)) == numbers(load_run(path))
