"""Tables for the terminal: exact, whatever the names in them and however narrow it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from evalkit.answers import Answer, Outcome
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.reports.text import (
    clean,
    clean_lines,
    list_notes,
    new_table,
    percent,
    render_interval,
    render_runs,
    render_table,
)
from evalkit.requests import Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.results import Run
from evalkit.runs.journal import JournalRow
from evalkit.runs.manifest import Identity, Manifest
from evalkit.scores import Score, summarize
from tests.runs_in_memory import run_of_scores

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
BIDIRECTIONAL = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")

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


def moves_something(character: str) -> bool:
    """Whether a terminal does more than to draw it, an end of line apart."""
    is_control = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    turns = unicodedata.bidirectional(character) in BIDIRECTIONAL
    return turns or (is_control and character != "\n")


def notes_of(counts: Counts, **options: int) -> list[str]:
    """The notes of a run with these outcomes."""
    return list(list_notes(build_run(build_scores(counts), left_out=options.get("left_out", 0))))


TWO_RUNS = """\
Accuracy in percent, with the 95 % Wilson interval
     Benchmark  Model            Way                  n  Accuracy      Interval  Chance
───────────────────────────────────────────────────────────────────────────────────────
(1)  everyday   m                prefill             10      80.0  [49.0, 94.3]    25.0
(2)  aqua       claude-opus-4-6  instructed, 5-shot   8      37.5  [13.7, 69.4]    25.0

Replies, and the accuracy if unreadable ones were all wrong or all right
                                                             Not
     Correct  Wrong  Unparsed  Refused  Truncated  Failed  asked     Bounds
───────────────────────────────────────────────────────────────────────────
(1)        8      2         0        0          0       0      0  80.0–80.0
(2)        3      2         1        1          1       1      1  37.5–75.0

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
    assert lines[3].split() == ["(1)", "everyday", "m", "prefill", "0", "-", "-", "25.0"]
    assert lines[9].split() == ["(1)", *"0000003", "-"]
    assert lines[11:] == [
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
        assert rows[0].split()[-5:] == ["2234", "44.8", "[42.7,", "46.8]", "25.0"]
        assert rows[1].split()[1:] == ["1000", "234", "1000", *"0000", "44.8–89.5"]
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
    assert tenth[0][-5:] == ["10001", "100.0", "[100.0,", "100.0]", "25.0"]
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


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0"),
        (1.0, "100.0"),
        (0.5, "50.0"),
        (1 / 3, "33.3"),
        (2 / 3, "66.7"),
        (0.99949, "99.9"),
        (-0.1, "-10.0"),
        (None, "-"),
    ],
)
def test_percentages_have_one_decimal(share: float | None, text: str) -> None:
    assert percent(share) == text


def test_an_interval_has_one_decimal_too() -> None:
    scores = build_scores({"correct": 84, "wrong": 16})
    assert render_interval(summarize(scores)) == "[75.6, 89.9]"


@given(st.text(max_size=50))
def test_cleaning_leaves_one_line_without_control_characters(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) == len(text)
    assert "\n" not in cleaned
    assert not any(map(moves_something, cleaned))
    assert clean(cleaned) == cleaned
    cleaned.encode()


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])))
def test_cleaning_leaves_letters_signs_and_symbols_as_they_are(text: str) -> None:
    assert clean(text) == text


def test_cleaning_lines_keeps_ends_of_lines_and_tabs() -> None:
    assert (
        clean_lines("a\n\tb\x1b[0m\r\n\n")
        == "a\n\tb\N{REPLACEMENT CHARACTER}[0m\N{REPLACEMENT CHARACTER}\n\n"
    )


def test_a_table_without_a_title_begins_with_its_headings() -> None:
    table = new_table("", left=("Name",), right=("n",))
    table.add_row("x", "1")
    assert render_table(table) == "Name  n\n───────\nx     1\n"
