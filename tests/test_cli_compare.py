"""`evalkit compare` compares runs, says what came of it in tables, and ends with a verdict."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import evalkit
from evalkit.benchmarks import load_benchmark
from evalkit.comparisons import ComparisonOptions, compare
from evalkit.evaluation import run
from evalkit.questions import Question
from evalkit.reports.comparisons import render_comparison
from evalkit.requests import Way
from evalkit.results import Run
from evalkit.settings import RunSettings
from evalkit.testing.messages_body import Body, last_user_text
from evalkit.testing.messages_faults import Fault, server_error
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU, OPUS, Outcome, call, point_at
from tests.conftest import QUICK, endpoint_of, write_sums
from tests.runs_in_memory import judged_run
from tests.test_tables import moves_something
from tests.test_text import HOSTILE

WRONG = {HAIKU: {0, 1}, OPUS: {1, 2, 3, 4, 5, 6}}
"""The sums that each model has wrong; of the last of them, the second does not name a choice."""


def answer(body: Body) -> Reply:
    """What the two models say to the sums."""
    found = re.findall(r"100 \+ (\d+)\?", last_user_text(body))
    if not found:
        return Reply(letter="B")  # what a probe asks
    number = int(found[-1])
    if number == 6 and body["model"] == OPUS:
        return Reply("I would rather talk about something else.")
    is_wrong = number in WRONG.get(str(body["model"]), ())
    return Reply(letter="ABCD"[(number + is_wrong) % 4])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three runs: both models instructed, and one prefilled with 20 of the sums."""
    folder = tmp_path_factory.mktemp("made")
    sums = load_benchmark(write_sums(folder / "sums.jsonl"))
    with pytest.MonkeyPatch.context() as patch, MessagesServer(answer=answer) as server:
        patch.setenv("EVALKIT_CACHE_DIR", str(folder / "cache"))
        for model, settings in (
            (HAIKU, RunSettings(way="instructed", retries=QUICK)),
            (OPUS, RunSettings(way="instructed", retries=QUICK)),
            (HAIKU, RunSettings(way="prefill", limit=20, retries=QUICK)),
        ):
            made = run(
                sums,
                model,
                settings=settings,
                endpoint=endpoint_of(server),
                results=folder / "results",
                progress=False,
            )
            assert made.is_complete
    return folder


@pytest.fixture(autouse=True)
def folder(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, and a terminal of 80 columns."""
    monkeypatch.chdir(made)
    monkeypatch.setenv("COLUMNS", "80")
    return made


def find(model: str, way: str = "instructed") -> Path:
    """The folder of a run."""
    [path] = Path("results").glob(f"sums--{model}--{way}--*")
    return path


def facts_of(done: Outcome) -> dict[str, Any]:
    """What `--json` printed."""
    facts = json.loads(done.out)
    assert isinstance(facts, dict)
    return facts


REPORT = """\
sums: accuracy in percent on 30 questions, with the 95 % Wilson interval
     Run                          Accuracy      Interval
────────────────────────────────────────────────────────
(1)  claude-haiku-4-5 (baseline)      93.3  [78.7, 98.2]
(2)  claude-opus-4-6                  80.0  [62.7, 90.5]

Difference from the baseline in points, with the 95 % Tango interval for
questions like these; q: flips in percent; MDE: found with 80 % power
                                                    McNemar
     Difference      Interval  Losses  Gains     q    mid-p   MDE
─────────────────────────────────────────────────────────────────
(2)       -13.3  [-31.2, 3.4]       5      1  20.0    0.125  20.7

(2) on this set: a drop of 13.3 points (a count, no sampling error)
"""

FLIPS = """\
Questions that flipped from (1) to (2): 5 losses, 1 gain
      Id  Question              Right  (1)  (2)
────────────────────────────────────────────────────
loss  q2  How much is 100 + 2?  C      C    D
loss  q3  How much is 100 + 3?  D      D    A
loss  q4  How much is 100 + 4?  A      A    B
loss  q5  How much is 100 + 5?  B      B    C
loss  q6  How much is 100 + 6?  C      C    unparsed
gain  q0  How much is 100 + 0?  A      B    A
"""


def test_two_runs_make_exactly_this_report(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "compare", find(HAIKU), find(OPUS))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(REPORT)
    assert done.out.endswith(f"{FLIPS}\n")
    readable = done.out.split("The same for readable replies")[1].splitlines()
    assert readable[5].split() == ["(2)", "-3.3", "[-16.7,", "8.4]", "1", "0", "0.500"]
    assert "Exploratory: differences by subject" in done.out
    assert "WARNING" not in done.out


@pytest.mark.parametrize(
    ("margin", "code", "sentence"),
    [
        (
            "2",
            3,
            "Inconclusive on sums: 30 questions compared; 5 losses, 1 gain; the drop is between ",
        ),
        (
            "40",
            0,
            "No regression beyond 40.0 points on sums. 30 questions compared; 5 losses, 1 gain; ",
        ),
    ],
)
def test_a_margin_brings_a_verdict_and_its_exit_code(
    capsys: pytest.CaptureFixture[str], margin: str, code: int, sentence: str
) -> None:
    done = call(capsys, "compare", find(HAIKU), find(OPUS), "--margin", margin)
    assert done.code == code
    assert done.out.splitlines()[-1].startswith(sentence)
    assert "(90 %, Tango, for questions like these)" in done.out
    as_json = call(capsys, "compare", find(HAIKU), find(OPUS), "--margin", margin, "--json")
    assert as_json.code == code


FORBIDDEN = ("no difference", "equivalent", "identical", "not significant", "significant", "p < ")


@pytest.mark.parametrize("options", [[], ["--all-pairs"], ["--margin", "2"], ["--exact"]])
def test_nothing_is_said_that_a_comparison_does_not_show(
    capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    done = call(capsys, "compare", "results", *options)
    assert [word for word in FORBIDDEN if word in done.out.lower()] == []
    tables = [line for line in done.out.splitlines() if line[:1] in ("(", "─") and "  " in line]
    assert max(map(len, tables)) <= 80


def test_no_verdict_is_given_without_a_margin(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "compare", find(HAIKU), find(OPUS))
    assert not re.search("regress|conclusive", done.out, re.IGNORECASE)


def test_a_folder_of_runs_stands_for_them(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "compare", "results")
    names = re.findall(r"^\(\d\)  (claude\S+ \S+)", done.out, re.MULTILINE)
    assert names == ["claude-haiku-4-5, instructed", "claude-haiku-4-5, prefill",
                     "claude-opus-4-6, instructed"]  # fmt: skip
    assert "WARNING: sums: the runs were not asked alike" in done.out
    assert "way: instructed (1), prefill (2)" in done.out
    assert "WARNING: (1) has 10 questions that not all the others have: left out" in done.out
    assert "accuracy in percent on 20 questions" in done.out
    assert "Holm: p\nfor all 2 comparisons" in done.out
    assert "on this set" not in done.out


@pytest.mark.parametrize("is_among_them", [True, False])
def test_the_baseline_may_be_one_of_the_runs_or_one_more(
    capsys: pytest.CaptureFixture[str], is_among_them: bool
) -> None:
    runs = [find(HAIKU), *([find(OPUS)] if is_among_them else [])]
    done = call(capsys, "compare", *runs, "--baseline", find(OPUS), "--json")
    [pair] = facts_of(done)["benchmarks"][0]["pairs"]
    assert (pair["accuracy"]["losses"], pair["accuracy"]["gains"]) == (1, 5)
    assert len(pair["flips"]) == 6


def test_all_pairs_are_ranked(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "compare", "results", "--all-pairs")
    assert re.search(r"^\(2\)-\(1\) ", done.out, re.MULTILINE)
    assert re.search(r"^\(3\)-\(2\) ", done.out, re.MULTILINE)
    assert re.search(r"claude-opus-4-6, instructed +80\.0 +1–3 +\(1\), \(2\)$", done.out, re.M)


def test_flips_are_listed_as_many_as_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    two = call(capsys, "compare", find(HAIKU), find(OPUS), "--flips", "2")
    assert "5 losses, 1 gain; 2 of them" in two.out
    assert len(re.findall("^(?:loss|gain) ", two.out, re.MULTILINE)) == 2
    several = call(capsys, "compare", "results")
    assert "flipped from" not in several.out
    each = call(capsys, "compare", "results", "--flips", "1").out
    assert re.findall("flipped from .* to (.*):", each) == ["(3)"], "nothing flipped for (2)"


def test_other_statistics_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--exact", "--interval", "newcombe")
    done = call(capsys, "compare", find(HAIKU), find(OPUS), *options)
    assert "95 % Newcombe interval" in done.out
    assert re.search(r"McNemar\n.*exact p", done.out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["results", "--margin", "60"], "expected percentage points, more than 0, below 50"),
        (["results", "--margin", "2", "--all-pairs"], "a margin is one of a candidate"),
        (["results", "--flips", "-1"], "expected a whole number, at least 0"),
        (["results", "--interval", "wald"], "invalid choice"),
        (["results/nothing"], "results/nothing"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    done = call(capsys, "compare", *arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.error


def test_one_run_is_not_enough(capsys: pytest.CaptureFixture[str]) -> None:
    done = call(capsys, "compare", find(HAIKU))
    assert done.code == 2
    assert "at least two runs" in done.error


def test_a_changed_question_is_refused_by_its_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sums(tmp_path / "sums.jsonl")
    path.write_text(path.read_text().replace("100 + 7?", "100 and 7?"))
    with MessagesServer(answer=answer) as server:
        point_at(server, monkeypatch)
        made = call(capsys, "run", path, "--model", OPUS, "--results", tmp_path / "new", "--quiet")
    assert made.code == 0
    done = call(capsys, "compare", find(HAIKU), tmp_path / "new")
    assert (done.code, done.out) == (2, "")
    assert "question q7 is not the same in " in done.error
    assert " (stem); a difference of scores would be one of questions" in done.error


def test_too_many_missing_replies_are_refused_but_on_request(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(record: RequestRecord) -> Fault | None:
        return server_error() if "100 + 8?" in str(record.body) else None

    with MessagesServer(answer=answer, faults=refuse) as server:
        point_at(server, monkeypatch)
        arguments = ("--model", OPUS, "--results", tmp_path, "--way", "instructed", "--quiet")
        failed = call(capsys, "run", "sums.jsonl", *arguments, "--attempts", "1")
        assert failed.code == 4
    [short] = tmp_path.iterdir()
    done = call(capsys, "compare", find(HAIKU), short)
    assert (done.code, done.out) == (2, "")
    assert f"too many replies are missing for a comparison: {short} (3.3 %)" in done.error
    asked = call(capsys, "compare", find(HAIKU), short, "--incomplete")
    assert asked.code == 0
    assert "accuracy in percent on 29 questions" in asked.out
    assert "WARNING: (2) lacks 3.3 % of its replies" in asked.out
    assert "WARNING: sums: 1 question without a reply in one of the runs" in asked.out
    assert "5 losses, 1 gain" in asked.out


def test_runs_without_texts_are_compared_where_all_questions_are_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MessagesServer(answer=answer) as server:
        point_at(server, monkeypatch)
        arguments = ("--model", OPUS, "--no-text", "--way", "instructed", "--quiet")
        for name, more in (("all", ()), ("some", ("--limit", "20"))):
            folder = tmp_path / name
            done = call(capsys, "run", "sums.jsonl", *arguments, "--results", folder, *more)
            assert done.code == 0
    done = call(capsys, "compare", find(HAIKU), *(tmp_path / "all").iterdir())
    assert done.code == 0
    assert REPORT.split("\n\n")[1] in done.out
    assert re.search("^loss  q2  How much is 100 [+] 2[?]  C      C    D$", done.out, re.MULTILINE)
    refused = call(capsys, "compare", find(HAIKU), *(tmp_path / "some").iterdir())
    assert refused.code == 2
    assert "keeps no texts" in refused.error


@pytest.mark.parametrize("name", HOSTILE)
def test_names_and_questions_can_not_move_the_cursor(name: str) -> None:
    def shape(question: Question) -> Question:
        number = int(question.id[-1])
        return replace(question, stem=name, group=f"{name} {number % 2}", id=f"{name}{number}")

    outcomes: tuple[tuple[Way, list[str]], ...] = (
        ("prefill", ["correct", "wrong", "correct", "wrong"]),
        ("tool", ["wrong", "correct", "correct", "wrong"]),
        ("instructed", ["correct", "correct", "correct", "wrong"]),
    )
    runs = [
        judged_run(f"{name} {way}", words, benchmark=name, shape=shape, way=way)
        for way, words in outcomes
    ]
    for chosen, options in (
        (runs[:2], ComparisonOptions(margin=0.02)),
        (runs, ComparisonOptions(all_pairs=True)),
    ):
        text = render_comparison(compare(chosen, options=options))
        assert [character for character in text if moves_something(character)] == []


# What else a report says, of runs that no server has to make


def report(*runs: Run, **options: Any) -> str:
    return render_comparison(compare(runs, options=ComparisonOptions(**options)))


def half(name: str, right: int, **changes: Any) -> Run:
    return judged_run(name, ["correct"] * right + ["wrong"] * (40 - right), **changes)


def in_passages(question: Question) -> Question:
    return replace(question, cluster=f"passage {int(question.id[1:]) // 10}")


def test_questions_in_clusters_are_named_wherever_they_count() -> None:
    text = report(half("a", 30, shape=in_passages), half("b", 25, shape=in_passages))
    assert "on 40 questions in 4 clusters, with the 95 % CR2" in text
    assert re.search(r"CR2\n.*t-test p", text)
    assert "(2) questions in 4 clusters, design effect 5.6; so few that the interval is" in text


def test_one_passage_leaves_no_interval_and_says_why() -> None:
    def alike(question: Question) -> Question:
        return replace(question, cluster="passage")

    text = report(half("a", 30, shape=alike), half("b", 25, shape=alike), margin=0.02)
    assert "(2) all questions share one cluster: nothing is known of questions like these" in text
    assert text.splitlines()[-1] == (
        "Inconclusive on sums: 40 questions compared; 5 losses, 0 gains; all questions share one "
        "cluster, which leaves the size of the drop unknown."
    )


@pytest.mark.parametrize(
    ("right", "words"),
    [
        (30, "(2) on this set: as many losses as gains (a count, no sampling error)"),
        (34, "(2) on this set: a rise of 10.0 points (a count, no sampling error)"),
        (29, "(2) on this set: a drop of 2.5 points (a count, no sampling error)"),
    ],
)
def test_a_whole_set_is_counted(right: int, words: str) -> None:
    assert words in report(half("a", 30), half("b", right))


def test_regressed_is_a_sentence_with_what_it_stands_on() -> None:
    text = report(half("a", 40), half("b", 20), margin=0.02)
    assert text.splitlines()[-1] == (
        "Regressed: accuracy on sums fell by more than 2.0 points. 40 questions compared; "
        "20 losses, 0 gains; the drop is between 37.4 and 62.6 points (90 %, Tango, for questions "
        "like these). Chance of this verdict when the drop is at most 2.0 points: at most 5 %."
    )


def test_verdicts_on_several_candidates_say_whom_they_are_about() -> None:
    lines = report(half("a", 40), half("b", 20), half("c", 40), margin=0.02).splitlines()
    assert lines[-2].startswith("(2) Regressed: ")
    assert "at most 5 % over all 2 comparisons" in lines[-2]
    assert "(95 %, Tango" in lines[-2]
    assert lines[-1].startswith("(3) Inconclusive on sums: ")


def test_versions_that_asked_are_named_with_the_one_that_reads() -> None:
    text = report(half("a", 30), half("b", 30, evalkit_version="0.1"))
    assert (
        "WARNING: asked by several versions of evalkit (1.0: (1); 0.1: (2)); all replies were "
        f"read by {evalkit.__version__}\n"
    ) in text
    silent = report(half("a", 30), half("b", 30, evalkit_version="0.1", keep_text=False))
    assert f"by {evalkit.__version__}, but for (2), read when they were asked" in silent


def test_a_model_that_another_answered_for_is_named() -> None:
    run = half("b", 30)
    asked = replace(run.manifest, identity=replace(run.manifest.identity, model="c"))
    text = report(half("a", 30), replace(run, manifest=asked))
    assert "WARNING: (2) c was asked for, b answered" in text


def test_a_score_at_chance_is_named() -> None:
    assert "WARNING: (2) can't be told from chance" in report(half("a", 40), half("b", 10))


def test_several_benchmarks_end_in_a_table_of_all() -> None:
    runs = [
        half(name, right, benchmark=benchmark)
        for name, right in (("a", 30), ("b", 20))
        for benchmark in ("x", "y")
    ]
    text = report(*runs)
    assert re.search(r"^Run +x +y\n─+\na +75\.0  75\.0\nb +50\.0  50\.0$", text, re.MULTILINE)
    assert re.search(r"^b +50\.0 +\[38\.9, 61\.1\] +-25\.0 +\[", text, re.MULTILINE)
    lonely = half("a", 30, benchmark="z")
    assert "Not compared, as no other run is of its benchmark: results/z-a" in report(*runs, lonely)


def test_many_benchmarks_take_several_tables() -> None:
    names = [f"benchmark-{number}" for number in range(5)]
    runs = [half(name, 30, benchmark=benchmark) for name in "ab" for benchmark in names]
    text = report(*runs)
    assert text.count("Accuracy in percent by benchmark") == 2
    assert max(len(line) for line in text.splitlines() if line[:4] == "Run ") <= 80
