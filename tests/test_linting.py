"""Lint finds the faults of question sets, with counts and examples, and invents none."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import Definition
from evalkit.drafts import Draft
from evalkit.errors import BenchmarkError, EvalkitError, UsageError
from evalkit.images import Image
from evalkit.linting.check import CHECKS, LintReport, lint, lint_draft
from evalkit.linting.doubts import Doubt, check_each
from evalkit.loaders.choices import ListColumn
from evalkit.loaders.fields import FieldMap
from evalkit.loaders.source import Source
from evalkit.prompts import PromptFormat
from evalkit.questions import Question, QuestionSet
from evalkit.stored_questions import StoredQuestions
from tests.conftest import write_sums

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the published sets are not beside the repository (shared/data)"
)

Row = Mapping[str, Any]


def row(number: int, **changes: Any) -> dict[str, Any]:
    """A question without fault; right choices are spread without rule."""
    right = random.Random(number).randrange(4)
    choices = [f"{word} {number}" for word in ("red", "tan", "sky", "ash")]
    return {
        "question": f"What is number {number}?",
        "choices": choices,
        "answer": "ABCD"[right],
        **changes,
    }


def write(path: Path, rows: Iterable[Row]) -> Path:
    path.write_text("".join(f"{json.dumps(each)}\n" for each in rows), encoding="utf-8")
    return path


def lint_rows(tmp_path: Path, *odd: Row, plain: int = 40, **options: Any) -> LintReport:
    """The report on some odd rows among plain ones."""
    rows = [*odd, *(row(number) for number in range(plain))]
    return lint(write(tmp_path / "set.jsonl", rows), **options)


def find(report: LintReport, check: str) -> Doubt:
    [found] = [doubt for doubt in report.doubts if doubt.check == check]
    return found


def names(report: LintReport) -> list[str]:
    return [doubt.check for doubt in report.doubts]


def draft_of(questions: Iterable[Question], **facts: Any) -> Draft:
    """A set that was made in memory."""
    asked = tuple(questions)
    return Draft(
        definition=Definition(
            name="own",
            version="1",
            path=Path("own.toml"),
            source=Source(files=()),
            fields=FieldMap(stem=("question",), choices=ListColumn(column="choices")),
            prompt=PromptFormat(),
        ),
        question_set=QuestionSet(questions=asked),
        problems=(),
        rows=len(asked),
        columns={},
        **facts,
    )


# One question


@pytest.mark.parametrize(
    ("check", "level", "changes"),
    [
        ("repeated-choices", "warning", {"choices": ["red", "tan", "red", "sky"]}),
        ("near-identical-choices", "warning", {"choices": ["A house", "a  house.", "b", "c"]}),
        ("missing-values", "warning", {"choices": ["nan", "tan", "red", "sky"]}),
        ("missing-values", "warning", {"choices": ["1", "#REF!", "2", "3"]}),
        ("blank-choices", "warning", {"choices": ["--", "tan", "red", "sky"]}),
        ("letters-in-choices", "warning", {"choices": ["A) r", "B) s", "C) t", "D) u"]}),
        ("all-right", "warning", {"choices": ["x", "y"], "answer": ["A", "B"]}),
        ("references", "note", {"choices": ["x", "y", "z", "All of the above"]}),
        ("references", "note", {"choices": ["x", "y", "z", "both (A) and (C) only"]}),
        ("references", "note", {"choices": ["x", "y", "z", "None of the other answers."]}),
        ("answer-in-stem", "warning", {"question": "Which? Answer: (B)", "answer": "B"}),
        ("answer-in-stem", "warning", {"question": "The correct answer is C", "answer": "C"}),
        ("wrong-encoding", "warning", {"question": "Who wrote Les MisÃ©rables?"}),
        ("wrong-encoding", "warning", {"choices": ["itâ€™s", "tan", "red", "sky"]}),
        ("wrong-encoding", "warning", {"question": "What is 20 Â°C?"}),
        ("wrong-encoding", "warning", {"question": "na\ufffdve?"}),
        ("missing-pictures", "warning", {"question": "Is x 4 in the figure below?"}),
        ("missing-pictures", "warning", {"question": "As shown in the diagram, what is x?"}),
        ("missing-pictures", "warning", {"question": "![](x.png) What is x?"}),
        ("html", "note", {"question": "Is 1 &lt; 2?"}),
        ("html", "note", {"question": "One<br/>two?"}),
        ("unseen-characters", "note", {"question": "Is\u200b it?"}),
        ("long-stems", "note", {"question": "word " * 2000}),
    ],
)  # fmt: skip
def test_a_fault_of_one_question_is_found_and_shown(
    tmp_path: Path, check: str, level: str, changes: Row
) -> None:
    doubt = find(lint_rows(tmp_path, row(1000, **changes)), check)

    assert (doubt.level, doubt.count, doubt.total, len(doubt.examples)) == (level, 1, 41, 1)
    assert doubt.says.startswith("1 of 41 questions ")
    assert doubt.remedy


@pytest.mark.parametrize(
    "changes",
    [
        {"choices": ["-1", "1", "+1", "<"]},
        {"choices": ["Sc ≡ Ej", "sC ≡ eJ", "a", "A"]},
        {"choices": ["None", "NA", "0", "1"]},
        {"choices": ["A. Smith", "A. Jones", "C. Doe", "D. Roe"]},
        {"choices": ["F or H", "G or H", "a vitamin", "A cat and a dog"]},
        {"question": "Which vowel is the answer: A or E?", "answer": "C"},
        {"question": "Élan vital, “naïve”, Âge, São Paulo — 20 °C?"},
        {"question": "What is the graph of y = x? Find the index of <p>."},
        {"question": "R&D; is a < b > c?"},
        {"question": "Family 👨‍👩‍👧 and fi\u200cve?"},
    ],
)  # fmt: skip
def test_what_only_looks_like_a_fault_is_none(tmp_path: Path, changes: Row) -> None:
    assert names(lint_rows(tmp_path, row(1000, **changes))) == []


def test_a_set_without_fault_raises_no_doubt(tmp_path: Path) -> None:
    report = lint(write_sums(tmp_path / "sums.jsonl"), ignore=["answer-sequence"])

    assert (report.doubts, report.is_usable, report.has_warnings) == ((), True, False)
    assert (report.questions, report.examples, report.rows) == (30, 0, 30)


def test_three_examples_are_shown_of_many(tmp_path: Path) -> None:
    odd = [row(1000 + n, question=f"Is {n} &lt; 2?", id=f"q{n}") for n in range(9)]
    rows = [{**row(n), "id": f"p{n}"} for n in range(30)]
    doubt = find(lint(write(tmp_path / "set.jsonl", [*odd, *rows])), "html")

    assert doubt.count == 9
    assert [text.partition(":")[0] for text in doubt.examples] == ["q0", "q1", "q2"]


# Answers


def test_a_right_choice_that_always_comes_first_is_a_warning(tmp_path: Path) -> None:
    rows = [row(number, answer="A") for number in range(30)]
    doubt = find(lint(write(tmp_path / "set.jsonl", rows)), "same-position")

    assert (doubt.level, doubt.count, doubt.total) == ("warning", 30, 30)
    assert "shuffle_seed = 0" in doubt.remedy
    assert "first" in doubt.says
    assert doubt.numbers["share"] == 1


@pytest.mark.parametrize(
    ("answers", "level"),
    [("A" * 40 + "BCD" * 20, "warning"), ("ABCD" * 25, None), ("A" * 12 + "BCD" * 2, None)],
)
def test_the_balance_of_right_positions_is_tested(
    tmp_path: Path, answers: str, level: str | None
) -> None:
    rows = [row(number, answer=answer) for number, answer in enumerate(answers)]
    found = [
        d for d in lint(write(tmp_path / "s.jsonl", rows)).doubts if d.check == "answer-balance"
    ]

    assert [doubt.level for doubt in found] == ([] if level is None else [level])
    if found:
        assert "always saying A scores 40.0% where chance is 25.0%" in found[0].says
        assert found[0].numbers["p_value"] == pytest.approx(0.00738, abs=1e-5)


def test_answers_in_turn_are_noted_and_answers_by_chance_are_not(tmp_path: Path) -> None:
    in_turn = [row(number, answer="ABCD"[number % 4]) for number in range(100)]

    assert names(lint(write(tmp_path / "turn.jsonl", in_turn))) == ["answer-sequence"]
    assert names(lint_rows(tmp_path, plain=100)) == []


def test_a_right_choice_that_is_the_longest_too_often_is_a_warning(tmp_path: Path) -> None:
    rows = []
    for number in range(60):
        plain = row(number)
        place = "ABCD".index(plain["answer"]) if number % 3 else 0
        plain["choices"][place] += ", to be precise"
        rows.append(plain)
    doubt = find(lint(write(tmp_path / "set.jsonl", rows)), "longest-choice")
    by_hand = sum(
        max(r["choices"], key=len) == r["choices"]["ABCD".index(r["answer"])] for r in rows
    )

    assert (doubt.level, doubt.count, doubt.total) == ("warning", by_hand, 60)
    assert doubt.numbers["chance"] == pytest.approx(0.25)
    assert doubt.numbers["share"] == pytest.approx(by_hand / 60)
    assert f"{by_hand / 60:.1%}" in doubt.says


def test_few_questions_say_nothing_about_positions_and_lengths(tmp_path: Path) -> None:
    rows = [row(number, answer="A") for number in range(19)]

    assert names(lint(write(tmp_path / "set.jsonl", rows))) == []


def test_questions_with_several_right_choices_are_counted(tmp_path: Path) -> None:
    doubt = find(lint_rows(tmp_path, row(1000, answer=["A", "C"])), "several-right")

    assert (doubt.level, doubt.count, doubt.total) == ("note", 1, 41)
    assert doubt.remedy.startswith("ask by --way structured or tool")


# The set


def test_rows_that_the_definition_leaves_out_are_counted_by_their_column(tmp_path: Path) -> None:
    rows = [row(number, kind="choice" if number % 4 else "open") for number in range(40)]
    write(tmp_path / "set.jsonl", [*rows, row(40, kind="choice", draft="yes")])
    (tmp_path / "set.toml").write_text(
        """
        version = "1"
        [source]
        files = ["set.jsonl"]
        [columns]
        stem = "question"
        choices = "choices"
        answer = "answer"
        where = [{ column = "kind", is = "choice" }, { column = "draft", filled = false }]
        """,
        encoding="utf-8",
    )
    report = lint(tmp_path / "set.toml")
    doubt = find(report, "filtered-rows")

    assert (report.rows, report.questions) == (41, 30)
    assert (doubt.level, doubt.count, doubt.total) == ("note", 11, 41)
    assert doubt.says == "11 of 41 rows are left out by the definition's `where`"
    assert doubt.examples == ("kind: 10", "draft: 1")


def test_every_unusable_row_counts_and_the_others_are_checked_all_the_same(tmp_path: Path) -> None:
    report = lint_rows(
        tmp_path,
        row(1000, answer="Z"),
        row(1001, choices=["one"]),
        row(1002, answer=None),
        row(1003, choices=["x", "y", "x", "z"]),
    )

    assert not report.is_usable
    assert (report.questions, report.rows) == (41, 44)
    assert find(report, "unusable-rows").count == 2
    assert "set.jsonl:1: answer = 'Z'" in find(report, "unusable-rows").examples[0]
    assert find(report, "rows-without-answer").count == 1
    assert find(report, "repeated-choices").count == 1


def test_a_question_that_comes_twice_is_found_with_its_other_answer(tmp_path: Path) -> None:
    one = row(1000, id="a", answer="A")
    report = lint_rows(
        tmp_path, one, {**one, "id": "b"}, {**one, "id": "c", "answer": "B"},
        *({**row(n), "id": f"p{n}"} for n in range(40)), plain=0,
    )  # fmt: skip

    assert find(report, "duplicates").examples == ("b repeats a",)
    assert find(report, "contradictions").examples == ("c repeats a",)


def test_questions_about_one_passage_without_a_cluster_are_a_warning(tmp_path: Path) -> None:
    passage = "Once upon a time there was a set. " * 8
    rows = [{**row(n), "question": f"{passage}\n\nWho is {n}?"} for n in range(5)]
    rows += [{**row(n), "question": f"Short.\n\nWho is {n}?"} for n in range(5, 45)]
    report = lint(write(tmp_path / "set.jsonl", rows))
    clustered = [{**each, "cluster": each["question"][:9]} for each in rows]

    assert (find(report, "shared-passages").count, find(report, "shared-passages").total) == (4, 45)
    assert "cluster under [columns]" in find(report, "shared-passages").remedy
    assert len(find(report, "shared-passages").examples) == 3
    assert names(lint(write(tmp_path / "clustered.jsonl", clustered))) == []


def test_a_long_text_that_comes_twice_is_a_duplicate_and_no_passage(tmp_path: Path) -> None:
    report = lint_rows(tmp_path, *[row(1000, question="A long tale. " * 20)] * 2)

    assert names(report) == ["duplicates"]


def test_a_broken_line_and_a_row_of_countless_columns_are_taken_as_they_come(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "set.jsonl", [{**row(0), **{f"c{n}": 1 for n in range(2000)}}, row(1)])
    path.write_text(f"{{broken\n{path.read_text()}")
    report = lint(path)

    assert find(report, "unusable-rows").count == 1
    assert find(report, "unused-columns").count == 1000 - 3
    assert (report.rows, report.questions) == (3, 2)


def test_pictures_that_no_question_shows_could_be_shown(tmp_path: Path) -> None:
    write(tmp_path / "set.jsonl", [{**row(n), "image_1": "x.png"} for n in range(40)])
    (tmp_path / "set.toml").write_text(
        'version = "1"\n[source]\nfiles = ["set.jsonl"]\n[columns]\n'
        'stem = "question"\nchoices = "choices"\nanswer = "answer"\n'
    )

    assert "image_1 as images" in find(lint(tmp_path / "set.toml"), "unused-columns").remedy


def test_a_question_with_its_picture_may_speak_of_it() -> None:
    picture = Image(digest="0" * 64, url="https://x.org/x.png")
    stem = "Is x 4 in the figure below?"
    shown = Question(id="a", stem=stem, choices=("yes", "no"), right=(0,), images=(picture,))

    assert lint_draft(draft_of([shown])).doubts == ()


def test_a_worked_example_that_is_asked_is_noted(tmp_path: Path) -> None:
    rows = [{**row(n), "example": False} for n in range(40)]
    report = lint(write(tmp_path / "set.jsonl", [{**row(3), "example": True}, *rows]))

    assert find(report, "examples-asked").count == 1
    assert report.examples == 1


def test_numbers_that_differ_from_the_definition_are_warnings(tmp_path: Path) -> None:
    write(tmp_path / "set.jsonl", [row(1000, choices=["x", "y"], answer="A"), *map(row, range(40))])
    definition = tmp_path / "set.toml"
    definition.write_text(
        'version = "1"\nquestions = 50\nchoices = 4\n[source]\nfiles = ["set.jsonl"]\n[columns]\n'
        'stem = "question"\nchoices = "choices"\nanswer = "answer"\nshuffle_seed = 0\n'
    )
    report = lint(definition)

    assert find(report, "question-count").count == 41
    assert find(report, "choice-counts").level == "warning"
    assert "1 of 41 questions have not the 4 choices" in find(report, "choice-counts").says


def test_all_of_the_above_is_a_warning_where_choices_are_shuffled(tmp_path: Path) -> None:
    rows = [row(1000, choices=["x", "y", "z", "all of the above"]), *map(row, range(40))]
    write(tmp_path / "set.jsonl", rows)
    (tmp_path / "set.toml").write_text(
        'version = "1"\n[source]\nfiles = ["set.jsonl"]\n[columns]\n'
        'stem = "question"\nchoices = "choices"\nanswer = "answer"\nshuffle_seed = 0\n'
    )

    assert find(lint(tmp_path / "set.toml"), "references").level == "warning"


def test_mixed_numbers_of_choices_and_small_subjects_are_noted(tmp_path: Path) -> None:
    rows = [{**row(n), "subject": "small" if n < 3 else "large"} for n in range(40)]
    rows[0] |= {"choices": ["x", "y", "z"], "answer": "A"}
    del rows[-1]["subject"]
    report = lint(write(tmp_path / "set.jsonl", rows))

    assert "1 with 3, 39 with 4" in find(report, "choice-counts").says
    assert find(report, "small-subjects").examples == ("'small': 3",)
    assert find(report, "no-subject").count == 1


@pytest.mark.parametrize(
    ("column", "level", "words"),
    [
        ("rationale", "note", "rightly kept out of the prompt"),
        ("comment", "note", "nothing if they are not needed"),
        ("picture_url", "note", "nothing if they are not needed"),
        ("domain", "note", "nothing if they are not needed"),
    ],
)
def test_columns_that_nothing_is_made_of_are_named(
    tmp_path: Path, column: str, level: str, words: str
) -> None:
    rows = [{**row(n), "subject": "s", column: "x"} for n in range(40)]
    doubt = find(lint(write(tmp_path / "set.jsonl", rows)), "unused-columns")

    assert (doubt.level, doubt.examples) == (level, (column,))
    assert words in doubt.remedy


def test_a_passage_that_is_left_out_is_a_warning_and_an_explanation_shown_too(
    tmp_path: Path,
) -> None:
    write(tmp_path / "set.jsonl", [{**row(n), "passage": "p", "hint": "h"} for n in range(40)])
    (tmp_path / "set.toml").write_text(
        'version = "1"\n[source]\nfiles = ["set.jsonl"]\n[columns]\n'
        'stem = ["hint", "question"]\nchoices = "choices"\nanswer = "answer"\n'
    )
    report = lint(tmp_path / "set.toml")

    assert find(report, "answers-given-away").examples == ("hint",)
    assert find(report, "unused-columns").level == "warning"
    assert "'passage'" in find(report, "unused-columns").says
    assert "passage as stem" in find(report, "unused-columns").remedy


def test_a_set_of_worked_examples_alone_has_no_question(tmp_path: Path) -> None:
    rows = [{**row(n), "example": True} for n in range(3)]

    assert names(lint(write(tmp_path / "set.jsonl", rows))) == ["no-questions"]


def test_a_check_can_be_left_out_by_its_name(tmp_path: Path) -> None:
    odd = row(1000, question="Is 1 &lt; 2?")

    assert names(lint_rows(tmp_path, odd, ignore=["html"])) == []
    with pytest.raises(UsageError, match="no check is named 'htm'; there are unusable-rows, "):
        lint_rows(tmp_path, odd, ignore=["htm"])


def test_errors_come_before_warnings_and_these_before_notes(tmp_path: Path) -> None:
    report = lint_rows(
        tmp_path,
        row(1001, question="1 &lt; 2?"),
        row(1002, choices=["x", "x", "y", "z"]),
        row(1003, answer="Z"),
    )

    assert [doubt.level for doubt in report.doubts] == sorted(
        (doubt.level for doubt in report.doubts), key=["error", "warning", "note"].index
    )
    assert {doubt.level for doubt in report.doubts} == {"error", "warning", "note"}


def test_all_checks_that_are_named_exist_and_no_others(tmp_path: Path) -> None:
    """Those that this file finds are those that --ignore knows."""
    text = Path(__file__).read_text(encoding="utf-8")

    assert [name for name in CHECKS if f'"{name}"' not in text] == []
    assert len(set(CHECKS)) == len(CHECKS)


# Laws


TEXTS = st.text(max_size=30).filter(lambda text: bool(text.strip()))


@st.composite
def any_question(draw: st.DrawFn) -> Question:
    choices = tuple(draw(st.lists(TEXTS, min_size=2, max_size=6)))
    right = draw(st.sets(st.integers(0, len(choices) - 1), min_size=1))
    name, group = draw(st.uuids()), draw(st.sampled_from((None, "a", "b")))
    right_places = tuple(sorted(right))
    return Question(
        id=str(name), stem=draw(TEXTS), choices=choices, right=right_places, group=group
    )


@given(st.lists(any_question(), max_size=40))
def test_no_questions_whatever_break_the_checks_and_counts_keep_within_totals(
    questions: list[Question],
) -> None:
    report = lint_draft(draft_of(questions))
    stored = Draft(
        **{
            **{name: getattr(draft_of(questions), name) for name in Draft.__slots__},
            "question_set": QuestionSet(questions=StoredQuestions(questions)),
        }
    )

    assert all(0 < d.count <= d.total for d in report.doubts if d.check != "no-questions")
    assert all(d.check in CHECKS and len(d.examples) <= 3 for d in report.doubts)
    assert lint_draft(stored) == report, "sets in a file are checked alike"
    json.dumps(report.to_dict())


@given(st.binary(max_size=300), st.sampled_from([".csv", ".jsonl", ".json", ".tsv", ".toml"]))
def test_a_file_of_whatever_bytes_is_a_report_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, ending: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"set{ending}"
    path.write_bytes(data)
    with suppress(EvalkitError):
        assert isinstance(lint(path), LintReport)


def test_questions_are_read_once(tmp_path: Path) -> None:
    seen: list[str] = []
    questions = iter(
        [Question(id=str(n), stem="?", choices=("a", "b"), right=(0,)) for n in (1, 2)]
    )

    assert check_each(questions, (), lambda question: seen.append(question.id)) == []
    assert seen == ["1", "2"]


def test_missing_files_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="needs "):
        lint("mmmu-pro", data_folder=tmp_path)


# Published sets have faults, which their README tells


@needs_data
@pytest.mark.parametrize(
    ("name", "check", "count"),
    [
        ("mmlu", "repeated-choices", 2),
        ("mmlu", "duplicates", 2),
        ("aqua", "repeated-choices", 1),
        ("aqua", "answer-balance", 43),
        ("commonsenseqa", "repeated-choices", 5),
        ("agieval-gaokao-physics", "several-right", 35),
        ("truthfulqa-mc1", "longest-choice", 57),
        ("mmlu-pro", "missing-values", 1),
        ("mmlu-pro", "choice-counts", 123),
    ],
)
def test_faults_of_published_sets_are_found(name: str, check: str, count: int) -> None:
    report = lint(name, data_folder=DATA)

    assert find(report, check).count == count
    assert report.is_usable


BBH = """version = "1"
[source]
files = ["{file}"]
records = "examples"
[columns]
stem = "input"
choices = {{ lettered = "input" }}
answer = "target"
"""


@needs_data
@pytest.mark.parametrize(
    ("task", "check", "count"),
    [("movie_recommendation", "unusable-rows", 1), ("snarks", "repeated-choices", 1)],
)
def test_faults_of_bbh_are_found(tmp_path: Path, task: str, check: str, count: int) -> None:
    (tmp_path / f"{task}.json").write_bytes((DATA / "bbh" / "bbh" / f"{task}.json").read_bytes())
    (tmp_path / "bbh.toml").write_text(BBH.format(file=f"{task}.json"))

    assert find(lint(tmp_path / "bbh.toml"), check).count == count


@needs_data
def test_truthfulqa_in_the_order_of_its_file_puts_the_right_choice_first(tmp_path: Path) -> None:
    file = DATA / "truthfulqa_multi" / "data" / "en" / "validation.json"
    (tmp_path / "validation.json").write_bytes(file.read_bytes())
    (tmp_path / "mc1.toml").write_text(
        'version = "1"\n[source]\nfiles = ["validation.json"]\n[columns]\nstem = "question"\n'
        'choices = "mc1_targets.choices"\nanswer = "mc1_targets.labels"\nanswer_is = "flags"\n'
    )
    doubt = find(lint(tmp_path / "mc1.toml"), "same-position")

    assert (doubt.level, doubt.count, doubt.total) == ("warning", 150, 150)


def test_shipped_sets_have_no_fault() -> None:
    for name in ("everyday", "facts"):
        assert lint(name).doubts == ()
