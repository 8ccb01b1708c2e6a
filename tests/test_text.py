"""Tables for the terminal: exact, whatever the names in them and however narrow it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from evalkit.answers import Answer, Outcome
from evalkit.orders import Design
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.reports.tables import clean
from evalkit.reports.text import list_notes, render_runs
from evalkit.requests import Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.results import Run
from evalkit.runs.journal import JournalRow
from evalkit.runs.manifest import Identity, Manifest, Orders
from evalkit.scores import Score
from tests.runs_in_memory import run_of_scores
from tests.test_tables import moves_something

Counts = dict[str, int]

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "over\rwritten",
    "two\nlines",
    "tab\tbed",
    "\u202eright to left",
    "\u2066isolated",
    "half \ud800 a pair",
    "null\x00",
    "[red]markup[/red]",
    "[/]",
    "[link=http://example.com]x",
    ":warning: :smile:",
    "a\u2028b",
]
NAMES = {
    "wide": "日本語のモデル名前" * 8,
    "long": "a-very-long-name-" * 20,
    "combining": "e\u0301" * 40,
    "emoji": "🧪" * 50,
    "nothing": "",
}


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")


def build_scores(counts: Counts, group: str | None = None, served: str | None = "m") -> list[Score]:
    """So many questions of each outcome; the right choice is the first."""
    scores = []
    for name, count in counts.items():
        for number in range(count):
            question = Question(
                id=f"{group}-{name}-{number}",
                stem="?",
                choices=("a", "b", "c", "d"),
                right=(0,),
                group=group,
            )
            picked = {"correct": 0, "wrong": 1}.get(name)
            outcome = Outcome.ANSWERED if picked is not None else Outcome(name)
            answer = Answer(outcome=outcome, choice=picked)
            result: Response | RequestFailure = Response(
                text="", stop_reason=None, model=served, usage=Usage()
            )
            if outcome is Outcome.FAILED:
                result = RequestFailure(kind="overloaded", message="Overloaded (status 529)")
            row = None
            if outcome is not Outcome.NOT_ASKED:
                row = JournalRow(
                    request_id=question.id, question_id=question.id, way="prefill", result=result
                )
            scores.append(Score(question=question, answer=answer, row=row))
    return scores


def build_run(
    scores: Sequence[Score],
    *,
    benchmark: str = "everyday",
    model: str = "m",
    way: Way = "prefill",
    shots: int = 0,
    left_out: int = 0,
    garbled_lines: tuple[int, ...] = (),
) -> Run:
    """A run of these scores."""
    identity = Identity(
        benchmark=benchmark,
        benchmark_version="1",
        question_digest="0" * 64,
        model=model,
        endpoint="127.0.0.1",
        way=way,
        prompt_digest="0" * 64,
        shots=shots,
        parameters={},
        api_version="2023-06-01",
        limit=None,
        seed=0,
    )
    manifest = Manifest(
        identity=identity, prompt=PromptFormat(), questions=len(scores), left_out=left_out
    )
    return run_of_scores(scores, manifest, garbled_lines=garbled_lines)


def notes_of(counts: Counts, **options: int) -> list[str]:
    """The notes of a run with these outcomes."""
    return list(list_notes(build_run(build_scores(counts), left_out=options.get("left_out", 0))))


TWO_RUNS = """\
Accuracy in percent, with the 95 % Wilson interval
     Benchmark  Model            Way                  n  Accuracy      Interval
───────────────────────────────────────────────────────────────────────────────
(1)  everyday   m                prefill             10      80.0  [49.0, 94.3]
(2)  aqua       claude-opus-4-6  instructed, 5-shot   8      37.5  [13.7, 69.4]

Replies, and the accuracy if unreadable ones were all wrong or all right
                                                             Not
     Correct  Wrong  Unparsed  Refused  Truncated  Failed  asked     Bounds
───────────────────────────────────────────────────────────────────────────
(1)        8      2         0        0          0       0      0  80.0–80.0
(2)        3      2         1        1          1       1      1  37.5–75.0

Corrected for chance, 0 is guessing and 100 perfect; standard errors in points
     Chance  Corrected        Re-run SE  Macro  Macro SE
────────────────────────────────────────────────────────
(1)    25.0       73.3  unknown (K = 1)   83.3      10.5
(2)    25.0       16.7  unknown (K = 1)      -         -

By subject: accuracy [interval] n; about 1 in 20 of these 3 intervals misses
Subject              (1)            (2)
───────────────────────────────────────
art                    -            - 0
physics  100 [51, 100] 4  38 [14, 69] 8
zoology    67 [30, 90] 6              -

(2) can't be told from chance: the interval holds 25.0 %
(2) incomplete: 2 of 10 questions have no reply; over all of them the accuracy is between 30.0 \
and 50.0 %
(2) 1 failed: Overloaded (status 529)"""


def test_two_runs_make_exactly_these_tables() -> None:
    first = [
        *build_scores({"correct": 4}, "physics"),
        *build_scores({"correct": 4, "wrong": 2}, "zoology"),
    ]
    replied = {"correct": 3, "wrong": 2, "unparsed": 1, "refused": 1, "truncated": 1}
    second = [
        *build_scores(replied, "physics", served="claude-opus-4-6"),
        *build_scores({"failed": 1, "not_asked": 1}, "art"),
    ]
    runs = [
        build_run(first),
        build_run(second, benchmark="aqua", model="claude-opus-4-6", way="instructed", shots=5),
    ]
    assert render_runs(runs) == TWO_RUNS


@pytest.mark.parametrize(
    ("ways", "is_said"),
    [
        ([("a", "prefill"), ("b", "instructed")], True),
        ([("a", "prefill"), ("a", "instructed"), ("b", "instructed")], True),
        ([("a", "prefill"), ("b", "prefill")], False),
        ([("a", "prefill"), ("a", "instructed")], False),
    ],
)
def test_models_that_were_asked_differently_are_named(
    ways: list[tuple[str, Way]], is_said: bool
) -> None:
    runs = [build_run(build_scores({"correct": 3}), model=model, way=way) for model, way in ways]
    assert ("everyday: the models were not all asked" in render_runs(runs)) is is_said


def test_a_run_without_a_reply_has_dashes_for_numbers() -> None:
    lines = render_runs([build_run(build_scores({"not_asked": 3}))]).splitlines()
    assert lines[3].split() == ["(1)", "everyday", "m", "prefill", "0", "-", "-"]
    assert lines[9].split() == ["(1)", *"0000003", "-"]
    assert lines[14].split() == ["(1)", "25.0", "-", "unknown", "(K", "=", "1)"]
    assert lines[16:] == [
        "(1) incomplete: 3 of 3 questions have no reply; "
        "over all of them the accuracy is between 0.0 and 100.0 %"
    ]


def test_one_subject_alone_gets_no_table() -> None:
    one = build_run(build_scores({"correct": 2}, "physics"))
    assert "By subject" not in render_runs([one])


@pytest.mark.parametrize(("columns", "beside"), [(40, 3), (80, 3), (100, 4), (130, 5)])
def test_subjects_of_many_runs_are_spread_over_tables_that_fit(
    monkeypatch: pytest.MonkeyPatch, columns: int, beside: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    scores = [*build_scores({"correct": 100}, "a" * 30), *build_scores({"wrong": 100}, "b b b")]
    text = render_runs([build_run(scores) for _ in range(7)])
    headings = [line.split()[1:] for line in text.splitlines() if line.startswith("Subject")]
    assert headings[0] == [f"({number})" for number in range(1, beside + 1)]
    assert [name for heading in headings for name in heading] == [
        f"({number})" for number in range(1, 8)
    ]
    assert text.count("100 [96, 100] 100") == text.count("0 [0, 4] 100") == 7
    assert max(map(cell_len, text.splitlines())) <= max(80, columns)


@pytest.mark.parametrize("place", ["benchmark", "model", "group", "served", "failure"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_move_nothing_on_the_terminal(place: str, name: str) -> None:
    """They are shown as they stand, but for control characters."""
    scores = [
        *build_scores({"correct": 3, "wrong": 1}, name if place == "group" else "art"),
        *build_scores({"correct": 2}, "zoology", served=name if place == "served" else "m"),
    ]
    if place == "failure":
        [failed] = build_scores({"failed": 1})
        assert failed.row is not None
        failure = RequestFailure(kind="server", message=name)
        scores.append(replace(failed, row=replace(failed.row, result=failure)))
    run = build_run(
        scores,
        benchmark=name if place == "benchmark" else "everyday",
        model=name if place == "model" else "m",
    )
    text = render_runs([run])
    assert not [character for character in text if moves_something(character)]
    assert clean(name) in text
    text.encode()


@pytest.mark.parametrize("columns", [1, 20, 80, 100, 300])
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_no_number_is_cut_off_by_a_long_name_or_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: int, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    scores = [
        *build_scores({"correct": 1000, "wrong": 234}, name or "art", served=None),
        *build_scores({"unparsed": 1000}, "zoology", served=None),
    ]
    runs = [build_run(scores, benchmark=name, model=name)] * 12
    text = render_runs(runs)
    assert "…" not in text
    for number in range(1, 13):
        rows = [line for line in text.splitlines() if line.startswith(f"({number})")]
        assert rows[0].split()[-4:] == ["2234", "44.8", "[42.7,", "46.8]"]
        assert rows[1].split()[1:] == ["1000", "234", "1000", *"0000", "44.8–89.5"]
        assert rows[2].split()[1:3] == ["25.0", "26.4"]
        assert rows[2].split()[-2:] == ["40.5", "0.6"]
    assert text.count("81 [79, 83] 1234") == 12
    assert max(map(cell_len, text.splitlines()[:30])) <= max(80, columns)


def test_the_widest_numbers_fit_eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    many = build_scores({"correct": 10_000}, "high school european history")
    run = build_run([*many, *build_scores({"correct": 1}, "x")])
    lines = render_runs([run] * 10).splitlines()
    assert "…" not in "".join(lines)
    assert max(map(cell_len, lines)) <= 80
    tenth = [line.split()[1:] for line in lines if line.startswith("(10)")]
    assert tenth[0][-4:] == ["10001", "100.0", "[100.0,", "100.0]"]
    assert tenth[1] == ["10001", *"000000", "100.0–100.0"]
    assert sum(line.count("100 [100, 100] 10000") for line in lines) == 10


def test_without_a_terminal_tables_are_120_columns_wide(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("COLUMNS")
    with (tmp_path / "output").open("w") as file:
        monkeypatch.setattr("sys.__stdout__", file)
        text = render_runs([build_run(build_scores({"correct": 1}, served=None), model="m" * 200)])
    assert max(map(cell_len, text.splitlines())) == 120


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"correct": 10}, []),
        ({"correct": 3, "wrong": 7}, ["can't be told from chance: the interval holds 25.0 %"]),
        ({"wrong": 40}, ["below chance: look at the replies before using this number"]),
        (
            {"correct": 40, "unparsed": 60},
            ["the answer format decides the score: the bounds are wider than the interval"],
        ),
        (
            {"correct": 9, "failed": 1},
            [
                "incomplete: 1 of 10 questions have no reply; over all of them the accuracy is "
                "between 90.0 and 100.0 %",
                "1 failed: Overloaded (status 529)",
            ],
        ),
    ],
)
def test_notes_say_what_must_be_known_before_using_a_number(
    counts: Counts, expected: list[str]
) -> None:
    assert notes_of(counts) == expected


def build_repeated(
    picks: Sequence[str],
    *,
    orders: Orders | None = None,
    samples: int = 1,
    cluster: Sequence[str | None] | None = None,
) -> Run:
    """A run whose questions have these choices picked, response after response; "B" is right."""
    questions = [
        Question(
            id=f"q{n}",
            stem="?",
            choices=("one", "two", "three"),
            right=(1,),
            cluster=None if cluster is None else cluster[n],
        )
        for n in range(len(picks))
    ]
    design = Design(orders=orders, samples=samples)
    scores = []
    for question, picked in zip(questions, picks, strict=True):
        wanted = [(o, k) for o in design.list_orders(question) for k in range(samples)]
        for (order, index), letter in zip(wanted, picked, strict=True):
            row = JournalRow(
                request_id=f"{question.id} {order} {index}",
                question_id=question.id,
                way="prefill",
                result=Response(text="", stop_reason=None, model="m", usage=Usage()),
                order=order,
                sample_index=index,
            )
            answer = Answer(outcome=Outcome.ANSWERED, choice="ABC".index(letter))
            scores.append(
                Score(question=question, answer=answer, row=row, order=order, sample_index=index)
            )
    plain = build_run([])
    identity = replace(plain.manifest.identity, orders=orders, samples=samples)
    manifest = replace(plain.manifest, identity=identity, questions=len(questions))
    return run_of_scores(scores, manifest)


IN_ORDERS = """\
Questions right in every order of the choices, and those that flip, in percent
     Orders  n  All right      Interval  Flip rate     Interval
───────────────────────────────────────────────────────────────
(2)  cyclic  4       50.0  [15.0, 85.0]       25.0  [4.6, 69.9]

By position of the right choice: accuracy [interval] n
Right            (2)
────────────────────
A      75 [30, 95] 4
B      50 [15, 85] 4
C      50 [15, 85] 4
"""


def test_runs_in_several_orders_have_two_tables_more() -> None:
    """The right choice stands second, then first, then third."""
    orders = build_repeated(["BBB", "BBB", "AAA", "CBC"], orders="cyclic")
    text = render_runs([build_run(build_scores({"correct": 3})), orders])
    assert IN_ORDERS in text
    assert "prefill, cyclic orders" in text
    assert "every order" not in render_runs([build_repeated(["B", "A"], orders=1)])


def test_choices_that_speak_of_others_are_noted_where_the_order_changes() -> None:
    words = "which mean something else in another order"
    runs = [build_repeated(["BBB"], orders="cyclic"), build_repeated(["B"])]
    for run in runs:
        [question] = run.questions
        placed = replace(question, choices=("one", "two", "None of the above"))
        notes = list(list_notes(replace(run, questions=(placed,))))
        assert any(words in note for note in notes) is (run is runs[0])
        assert not any(words in note for note in list_notes(run))


def test_several_responses_fill_in_what_another_run_would_differ_by() -> None:
    text = render_runs([build_repeated(["BB", "BA", "AA", "BB"], samples=2)])
    errors = text.splitlines()[14]
    assert errors.split() == ["(1)", "33.3", "43.8", "12.5"]
    assert "(1) two responses to a question agree with a chance of 75.0 %; one more" in text
    assert "would lower the SE by 1.1 points" in text


def test_clusters_are_counted_and_explained() -> None:
    clusters = ["a", "a", "b", "b", "c", None]
    run = build_repeated(["B", "B", "A", "A", "B", "A"], cluster=clusters)
    text = render_runs([run, build_run(build_scores({"correct": 3}))])
    lines = text.splitlines()
    assert lines[0] == "Accuracy in percent, with the 95 % CR2 or Wilson interval"
    assert lines[1].split() == [
        "Benchmark",
        "Model",
        "Way",
        "n",
        "Clusters",
        "Accuracy",
        "Interval",
    ]
    assert lines[3].split()[4:7] == ["6", "4", "50.0"]
    assert lines[4].split()[4:7] == ["3", "-", "100.0"]
    notes = list(list_notes(run))
    assert notes[-1] == (
        "4 clusters: design effect 2.0, 2.6 degrees of freedom; below 5 the interval is a rough "
        "guide"
    )


def test_one_cluster_has_no_interval_and_the_note_says_why() -> None:
    run = build_repeated(["B", "A", "A"], cluster=["a", "a", "a"])
    assert render_runs([run]).splitlines()[3].split()[-4:] == ["3", "1", "33.3", "-"]
    assert list(list_notes(run)) == [
        "no interval: all questions share one cluster, which shows no scatter of clusters"
    ]


def test_rows_that_the_definition_leaves_out_are_noted() -> None:
    run = build_run(build_scores({"correct": 10}))
    filtered = replace(run, manifest=replace(run.manifest, filtered=1200))
    assert list(list_notes(filtered)) == [
        "rows that are no questions of the set by its definition: 1,200"
    ]
    assert filtered.to_dict()["filtered_rows"] == 1200


def test_questions_left_out_are_noted() -> None:
    assert notes_of({"correct": 10}, left_out=1) == [
        "left out because several choices are right: 1 of the sample"
    ]


@pytest.mark.parametrize(
    ("lines", "listed"),
    [((3, 7), "3, 7"), (tuple(range(1, 12)), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...")],
)
def test_garbled_lines_are_noted(lines: tuple[int, ...], listed: str) -> None:
    run = build_run(build_scores({"correct": 10}), garbled_lines=lines)
    assert list(list_notes(run)) == [
        f"journal lines that can't be read, asked again by the next run: {listed}"
    ]


@pytest.mark.parametrize(
    ("asked", "served", "notes"),
    [
        ("m", "m", []),
        ("m", None, []),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001", []),
        ("claude-haiku-4-5-20251001", "claude-haiku-4-5-20251001", []),
        ("local/smollm2-135m", "local/smollm2-135m", []),
        ("m", "other", ["m was asked for, other answered"]),
        ("claude-haiku-4-5", "gpt", ["claude-haiku-4-5 was asked for, gpt answered"]),
    ],
)
def test_another_model_than_the_one_asked_for_is_noted(
    asked: str, served: str | None, notes: list[str]
) -> None:
    run = build_run(build_scores({"correct": 10}, served=served), model=asked)
    assert list(list_notes(run)) == notes
