"""Logs as tools wrote them, and what becomes of each of their replies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.comparisons import compare
from evalkit.errors import LogError, UsageError
from evalkit.importers.folders import import_log, opened_runs
from evalkit.importers.logged import SCORED, LogColumns, LogOptions
from evalkit.importers.targets import find_targets, split_answer
from evalkit.questions import Question
from evalkit.responses import Response
from evalkit.results import Run, load_run
from evalkit.runs.folder import SUMMARY
from evalkit.source_scores import compare_source_scores
from evalkit.verifying import verify_run

LOGS = Path(__file__).parent / "logs"
INSPECT, LM_EVAL, HELM = (LOGS / name for name in ("inspect", "lm-eval", "helm"))
PROMPTFOO = LOGS / "promptfoo" / "results.json"
PROMPTFOO_LINES = LOGS / "promptfoo" / "results.jsonl"
GENERATED = next(LM_EVAL.glob("samples_everyday_gen_*.jsonl"))
PICKED = next(LM_EVAL.glob("samples_everyday_mc_*.jsonl"))
SEVERAL = [
    INSPECT / "several.eval",
    LOGS / "promptfoo" / "several.jsonl",
    next(LM_EVAL.glob("samples_several_gen_*.jsonl")),
]
"""Six questions, of which five have several right choices."""
SEVERAL_PICKED = next(LM_EVAL.glob("samples_several_mc_*.jsonl"))
WOLVES = "Which word is used for a group of wolves?"

QUESTIONS = [
    ("q1", "Largest planet?", ["Mars", "Jupiter"], "B"),
    ("q2", "Smallest planet?", ["Mercury", "Earth"], "A"),
    ("q3", "Hottest planet?", ["Neptune", "Venus"], "B"),
]


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def rows_of(*answers: dict[str, Any]) -> list[dict[str, Any]]:
    """The three questions as rows of a table, each with what was answered."""
    return [
        {"id": name, "question": stem, "choices": choices, "answer": right, **answer}
        for (name, stem, choices, right), answer in zip(QUESTIONS, answers, strict=True)
    ]


def only(path: Path, results: Path, **options: Any) -> Run:
    """The one run in a log."""
    [run] = import_log(path, results=results, options=LogOptions(**options))
    return run


def outcomes(run: Run) -> str:
    """What came of each response, in a word: right, wrong, or its outcome."""
    words = {True: "right", False: "wrong"}
    return " ".join(
        words[score.correct]
        if score.correct is not None and score.answer.choice is not None
        else score.answer.outcome.value
        for score in run.scores
    )


# Each file of tests/logs: the runs in it as (model, questions, correct, failed), and of the tool's
# scores how many there are and how many differ from evalkit's reading.
FILES: dict[Path, list[tuple[str, int, int, int, int, int]]] = {
    INSPECT / "plain.eval": [("claude-haiku-4-5", 10, 7, 0, 10, 0)],
    INSPECT / "shuffled.eval": [("claude-haiku-4-5", 10, 7, 0, 10, 0)],
    INSPECT / "unread.eval": [("claude-haiku-4-5", 10, 4, 0, 10, 4)],
    INSPECT / "errors.eval": [("claude-haiku-4-5", 10, 8, 2, 8, 0)],
    INSPECT / "epochs.json": [("claude-opus-4-6", 10, 8, 0, 20, 8)],
    GENERATED: [("claude-haiku-4-5", 10, 4, 0, 10, 4)],
    PICKED: [("qdpv68r5", 10, 2, 0, 10, 0)],
    PROMPTFOO: [("claude-haiku-4-5", 10, 7, 0, 10, 0), ("claude-opus-4-6", 10, 8, 2, 8, 0)],
    PROMPTFOO_LINES: [("claude-haiku-4-5", 10, 7, 0, 10, 0), ("claude-opus-4-6", 10, 8, 2, 8, 0)],
    HELM: [("gpt2", 10, 4, 1, 9, 0)],
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:30])
def test_a_log_comes_to_these_runs(path: Path, tmp_path: Path) -> None:
    found = []
    for run in import_log(path, results=tmp_path):
        scores = compare_source_scores(run)
        assert scores is not None
        model, summary = run.manifest.identity.model, run.summary
        counts = (summary.questions, summary.correct, summary.failed)
        found.append((model, *counts, scores.scored, scores.differing))
        assert summary.not_asked == 0
        assert (run.path / SUMMARY).is_file() == run.is_complete
        verified = verify_run(run.path)
        assert (verified.verdict, verified.rows) == ("sound", summary.wanted)
    assert found == FILES[path]


def test_all_logs_hold_the_same_questions(tmp_path: Path) -> None:
    contents = [
        {(question.stem, frozenset(question.choices), question.right_texts) for question in each}
        for path in FILES
        for each in (run.questions for run in import_log(path, results=tmp_path))
    ]
    assert len(contents[0]) == 10
    assert all(each == contents[0] for each in contents)


def test_a_question_has_the_id_that_evalkit_gives_it_in_a_file_without_ids(tmp_path: Path) -> None:
    table = [{k: v for k, v in row.items() if k != "id"} for row in rows_of({}, {}, {})]
    benchmark = load_benchmark(write_lines(tmp_path / "own.jsonl", table))
    log = write_lines(tmp_path / "log.jsonl", rows_of(*[{"predicted": "A"}] * 3))
    run = only(log, tmp_path)
    assert [q.id for q in run.questions] == [q.id for q in benchmark.question_set.questions]


def test_the_same_log_gives_the_same_folder_again(tmp_path: Path) -> None:
    first = only(INSPECT / "plain.eval", tmp_path)
    journal = (first.path / "responses.jsonl").read_bytes()
    again = only(INSPECT / "plain.eval", tmp_path)
    assert again.path == first.path
    assert (again.path / "responses.jsonl").read_bytes() == journal
    assert sorted(path.name for path in tmp_path.iterdir()) == [first.path.name]


def test_a_log_of_another_content_is_another_run(tmp_path: Path) -> None:
    runs = {only(INSPECT / name, tmp_path).path for name in ("plain.eval", "shuffled.eval")}
    assert len(runs) == 2


WIDE = ["id,question,A,B,answer,m1,m2", "1,Ice cold?,yes,no,A,A,B", "2,Snow?,yes,no,A,A,"]


def test_columns_that_are_named_tell_the_runs_of_one_table_apart(tmp_path: Path) -> None:
    path = write_table(tmp_path, *WIDE)
    first, second = (
        only(path, tmp_path / "results", columns=LogColumns(predicted=name))
        for name in ("m1", "m2")
    )
    assert first.path != second.path
    assert [outcomes(load_run(run.path)) for run in (first, second)] == [
        "right right",
        "wrong failed",
    ]
    origin = second.manifest.identity.origin
    assert origin is not None
    assert origin.options == '{"predicted": "m2"}'


def test_a_log_that_is_read_as_it_is_keeps_its_run_id(tmp_path: Path) -> None:
    assert only(INSPECT / "plain.eval", tmp_path).manifest.identity.run_id == "3091bab0c77c"


def test_a_summary_goes_before_what_it_was_made_of_is_written_anew(tmp_path: Path) -> None:
    path = write_table(tmp_path, *WIDE)
    columns = LogColumns(predicted="m2")
    run = only(path, tmp_path / "results", columns=columns)
    assert not run.is_complete
    (run.path / SUMMARY).write_text("{}", encoding="utf-8")
    only(path, tmp_path / "results", columns=columns)
    assert not (run.path / SUMMARY).exists()


# -- Several right choices --------------------------------------------------------------------


@pytest.mark.parametrize("path", SEVERAL, ids=lambda path: path.parent.name)
def test_questions_with_several_right_choices_are_judged_by_sets(
    path: Path, tmp_path: Path
) -> None:
    run = only(path, tmp_path)
    assert run.manifest.identity.several
    assert [(score.question.right, score.answer.choice) for score in run.scores] == [
        ((0, 2), (0, 2)),
        ((0, 3), (0, 1, 3)),
        ((0, 2, 3), (0, 2, 3)),
        ((0, 2), (0,)),
        ((1,), (1,)),
        ((0, 3), (0, 3)),
    ]
    assert run.summary.correct == 4
    assert run.summary.partial is not None
    assert run.summary.partial.mean == pytest.approx((4 + 2 / 3 + 1 / 2) / 6)
    found = compare_source_scores(run)
    assert found is not None
    assert (found.mean, found.compared, found.differing) == (4 / 6, 6, 0)
    assert verify_run(run.path).verdict == "sound"


def test_sets_that_several_tools_logged_are_paired(tmp_path: Path) -> None:
    pairs = compare([only(path, tmp_path) for path in SEVERAL]).pairs
    assert len(pairs) == 2
    for pair in pairs:
        assert (pair.accuracy.n, pair.accuracy.losses, pair.accuracy.gains) == (6, 0, 0)


def test_flips_name_the_sets_that_were_picked_by_the_order_of_the_first(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "question": "Fruit?", "choices": FRUITS, "answer": "A, C", "pred": "A, C"},
        {"id": 1, "question": "Fruit?", "choices": FRUITS[::-1], "answer": "B, D", "pred": "C, D"},
    ]
    runs = [
        only(write_lines(tmp_path / f"{n}.jsonl", [row]), tmp_path, model=f"m{n}", benchmark="b")
        for n, row in enumerate(rows)
    ]
    [pair] = compare(runs).pairs
    [flip] = pair.flips
    assert (flip.right, flip.baseline, flip.candidate) == ("AC", "AC", "AB")


@pytest.mark.parametrize(
    ("target", "right"),
    [
        (["A", "C"], (0, 2)),
        (["c", "A"], (0, 2)),
        ("A, C", (0, 2)),
        ("AC", (0, 2)),
        (["A, C", "D"], (0, 2, 3)),
        ("B", (1,)),
    ],
)
def test_targets_of_inspect_are_taken_apart_as_its_scorer_does(
    target: Any, right: tuple[int, ...], tmp_path: Path
) -> None:
    run = only(change_log(tmp_path, sample={"target": target}), tmp_path)
    assert run.questions[0].right == right
    assert run.manifest.identity.several is (len(right) > 1)


@pytest.mark.parametrize("target", ["A, E", "AA", "", ["A", "Paris"], ["A", 1]])
def test_a_target_of_inspect_that_names_no_choice_is_refused(target: Any, tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"target = .* expected letters of choices, A to D"):
        import_log(change_log(tmp_path, sample={"target": target}), results=tmp_path)


def test_replies_are_read_as_sets_where_the_solver_asked_for_them(tmp_path: Path) -> None:
    step = {"solver": "multiple_choice", "params": {"multiple_correct": True}}
    sample = {"target": "A", "output": reply("ANSWER: A, B")}
    asked = change_log(tmp_path, sample=sample, plan={"steps": [step]})
    assert outcomes(only(asked, tmp_path)).split()[0] == "wrong"
    step["params"] = {"multiple_correct": False}
    other = change_log(tmp_path, sample=sample, plan={"steps": [step]})
    assert outcomes(only(other, tmp_path)).split()[0] == "unparsed"


def test_letters_of_several_shuffled_choices_are_those_that_were_shown(tmp_path: Path) -> None:
    sample = {
        "choices": ["ant", "bee", "cat"],
        "target": ["A", "B"],
        "messages": [{"role": "user", "content": "Insects?\n\nA) cat\nB) bee\nC) ant"}],
        "output": reply("ANSWER: B, C"),
    }
    run = only(change_log(tmp_path, sample=sample), tmp_path)
    assert outcomes(run).split()[0] == "right"


def test_likelihoods_of_several_right_choices_are_left_out_with_a_count(tmp_path: Path) -> None:
    # The harness takes any of the right ones for right: one pick is never the set of them.
    run = only(SEVERAL_PICKED, tmp_path)
    assert (run.summary.questions, run.manifest.left_out) == (1, 5)
    rows = [lm_sample(0, target=["0", "1"]), lm_sample(1), lm_sample(2, target=[2, 3])]
    run = only(write_lines(tmp_path / "x.jsonl", rows), tmp_path)
    assert (run.summary.questions, run.manifest.left_out) == (1, 2)
    assert not run.manifest.identity.several
    for row in rows:
        row["target"] = ["0", "1"]
    with pytest.raises(LogError, match="all 3 questions have several right choices, and the tool"):
        import_log(write_lines(tmp_path / "x.jsonl", rows), results=tmp_path)


def test_marks_beside_the_choices_tell_that_several_are_right(tmp_path: Path) -> None:
    # TruthfulQA's second task has the target 0 whatever is right.
    texts = ["swarm", "pack", "flock", "shoal"]
    marked = {"question": "?", "mc2_targets": {"choices": texts, "labels": [1, 1, 0, 0]}}
    rows = [lm_sample(0, doc=marked, target="0"), lm_sample(1)]
    run = only(write_lines(tmp_path / "x.jsonl", rows), tmp_path)
    assert (run.summary.questions, run.manifest.left_out) == (1, 1)


def test_words_that_lm_eval_logged_are_read_as_sets(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in GENERATED.read_text("utf-8").splitlines()][:2]
    for row, answer in zip(rows, ("B, C", ["A", "B"]), strict=True):
        row["doc"]["answer"] = row["target"] = answer
        row["resps"] = [["B and C"]]
    run = only(write_lines(tmp_path / "x.jsonl", rows), tmp_path)
    assert [question.right for question in run.questions] == [(1, 2), (0, 1)]
    assert outcomes(run) == "right wrong"
    # Without an answer in the documents, the targets tell, of which a list is a text here.
    for row, target in zip(rows, ("['C', 'B']", "['A']"), strict=True):
        del row["doc"]["answer"]
        row["target"] = target
    run = only(write_lines(tmp_path / "x.jsonl", rows), tmp_path)
    assert [question.right for question in run.questions] == [(1, 2), (0,)]


def test_choices_of_helm_of_which_any_is_right_are_left_out(tmp_path: Path) -> None:
    shutil.copytree(HELM, tmp_path / "run")
    path = tmp_path / "run" / "scenario_state.json"
    state = json.loads(path.read_text("utf-8"))
    for reference in state["request_states"][0]["instance"]["references"]:
        reference["tags"] = ["correct"]
    path.write_text(json.dumps(state), encoding="utf-8")
    run = only(tmp_path / "run", tmp_path)
    assert (run.summary.questions, run.manifest.left_out) == (9, 1)


@pytest.mark.parametrize(
    "assertion",
    [
        {"type": "equals", "value": "A, B"},
        {"type": "contains-all", "value": ["A", "B"]},
        {"type": "icontains-all", "value": ["swarm", "pack"]},
    ],
)
def test_assertions_of_promptfoo_name_several_right_choices(
    assertion: dict[str, Any], tmp_path: Path
) -> None:
    top = json.loads(PROMPTFOO.read_text("utf-8"))
    [result] = top["results"]["results"] = top["results"]["results"][:1]
    del result["vars"]["answer"]
    result["testCase"]["assert"] = [assertion]
    result["response"]["output"] = "A, B"
    path = tmp_path / "results.json"
    path.write_text(json.dumps(top), encoding="utf-8")
    run = only(path, tmp_path)
    assert (run.questions[0].right, outcomes(run)) == ((0, 1), "right")


FRUITS = ["apple", "stone", "pear", "plum"]

# The answers of two questions, what was predicted of them, and what comes of that.
SETS: list[tuple[list[Any], list[Any], str]] = [
    (["A, C", "B"], ["A, C", "B"], "right right"),
    (["A;C", "B"], ["(A) and (C)", "A, B"], "right wrong"),
    (["AC", "B"], ["CA", "C"], "unparsed wrong"),
    ([["A", "C"], ["B"]], [["C", "A"], ["A"]], "right wrong"),
    ([["apple", "pear"], "stone"], [["pear", "apple"], "stone"], "right right"),
    ([[0, 2], [1]], [[2, 0], [0, 1]], "right wrong"),
    (["0, 2", "1"], ["0; 2", "1"], "right right"),
    (["A, C", "B"], [["A", "C"], ["A", "rock"]], "right unparsed"),
    (["A, C", "B"], [[], "B"], "failed right"),
    (["A", "B"], [["A"], ["A", "B"]], "right unparsed"),
]


@pytest.mark.parametrize(("answers", "predicted", "expected"), SETS)
def test_a_table_may_name_several_choices(
    answers: list[Any], predicted: list[Any], expected: str, tmp_path: Path
) -> None:
    rows = [
        {"id": f"q{n}", "question": f"Fruit {n}?", "choices": FRUITS, "answer": right, "pred": said}
        for n, (right, said) in enumerate(zip(answers, predicted, strict=True))
    ]
    assert outcomes(only(write_lines(tmp_path / "log.jsonl", rows), tmp_path)) == expected


@given(
    places=st.sets(st.integers(0, 25), min_size=1),
    form=st.sampled_from(["{}", "({})", "[{}]"]),
    between=st.sampled_from([", ", ",", ";", " and ", ", and ", " & ", " ", ""]),
)
def test_a_set_of_letters_is_taken_apart_however_it_is_written(
    places: set[int], form: str, between: str
) -> None:
    letters = [ascii_uppercase[place] for place in sorted(places)]
    written = form.format(between.join(letters))
    choices = [f"choice {place}" for place in range(26)]
    assert find_targets(written, choices) == tuple(sorted(places))
    assert find_targets(letters, choices) == tuple(sorted(places))


@pytest.mark.parametrize("text", ["1/2", "CAB", "AA", "A, AB", "A-C", "A or C", "1,000", "A, ", ""])
def test_what_is_no_list_of_letters_is_one_text(text: str) -> None:
    assert split_answer(text, ["a", "b", "c"]) == [text]


def test_a_choice_that_looks_like_a_list_of_letters_is_one_choice(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "question": "Which?", "choices": ["A, B", "A, C"], "answer": "A, C", "pred": "B"}
    ]
    run = only(write_lines(tmp_path / "log.jsonl", rows), tmp_path)
    assert (run.questions[0].right, outcomes(run)) == ((1,), "right")


def test_scores_alone_say_whether_the_set_was_right(tmp_path: Path) -> None:
    rows = [
        {"id": n, "question": f"{n}?", "choices": ["a", "b"], "answer": right, "score": score}
        for n, (right, score) in enumerate((("A, B", 1), ("A, B", 0), ("A", 0), ("A", 1)))
    ]
    run = only(write_lines(tmp_path / "log.jsonl", rows), tmp_path)
    assert outcomes(run) == "right wrong wrong right"


def test_sets_without_choices_are_the_same_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('id,answer,prediction\n1,"A, C","c,a"\n2,"A, C",A\n', encoding="utf-8")
    assert outcomes(only(path, tmp_path)) == "right wrong"


# -- Inspect ----------------------------------------------------------------------------------


def test_a_run_of_inspect_says_where_it_comes_from(tmp_path: Path) -> None:
    manifest = only(INSPECT / "epochs.json", tmp_path).manifest
    identity, origin = manifest.identity, manifest.identity.origin
    assert origin is not None
    assert (origin.tool, origin.version, origin.score) == ("inspect_ai", "0.3.285", "choice")
    assert (identity.benchmark, identity.samples, identity.way) == ("everyday", 2, "reasoned")
    assert (manifest.log, identity.parameters) == ("epochs.json", {"max_tokens": 32})


def test_a_failed_sample_is_missing_and_never_wrong(tmp_path: Path) -> None:
    run = only(INSPECT / "errors.eval", tmp_path)
    assert outcomes(run).split().count("failed") == 2
    assert run.summary.mean == 1.0
    assert run.summary.missing == (0.8, 1.0)
    assert "authentication_error" in run.failures()[0].message


def test_letters_of_shuffled_choices_are_those_that_were_shown(tmp_path: Path) -> None:
    # Inspect could not read these replies, so that it left letters and prompt as they were sent.
    run = only(INSPECT / "unread.eval", tmp_path)
    score = next(score for score in run.scores if score.question.stem == WOLVES)
    assert score.row is not None
    assert isinstance(score.row.result, Response)
    assert score.row.result.text == "I think that it is (B)."
    assert score.question.choices == ("swarm", "pack", "flock", "shoal")
    assert isinstance(score.answer.choice, int)
    assert score.question.choices[score.answer.choice] != "pack"


def change_log(tmp_path: Path, **changes: Any) -> Path:
    """An Inspect log of one sample with other facts; None takes a key away."""
    top = json.loads((INSPECT / "epochs.json").read_text(encoding="utf-8"))
    sample = {**top["samples"][0], **changes.pop("sample", {})}
    top |= {"samples": [{k: v for k, v in sample.items() if v is not None}], **changes}
    path = tmp_path / "one.json"
    path.write_text(json.dumps({k: v for k, v in top.items() if v is not None}), encoding="utf-8")
    return path


def reply(text: str, stop: str = "stop") -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": text}, "stop_reason": stop}
    return {"model": "m", "choices": [choice]}


@pytest.mark.parametrize(
    ("sample", "outcome"),
    [
        ({"output": reply("ANSWER: B"), "choices": ["a", "b"], "target": "B"}, "right"),
        ({"output": reply("ANSWER: A"), "choices": ["a", "b"], "target": ["B"]}, "wrong"),
        ({"output": reply("no idea"), "choices": ["a", "b"], "target": "A"}, "unparsed"),
        ({"output": reply("Let me", "max_tokens")}, "truncated"),
        ({"output": reply("", "content_filter")}, "refused"),
        ({"output": {"choices": []}, "limit": {"type": "time", "limit": 3}}, "failed"),
        ({"output": reply("ANSWER: B"), "error": {"message": "lost"}}, "failed"),
        ({"output": None}, "failed"),
        ({"choices": None, "scores": {"choice": {"value": "C"}}}, "right"),
        ({"choices": None, "scores": {"choice": {"value": 0}}}, "wrong"),
        ({"choices": None, "scores": {}}, "failed"),
    ],
)
def test_a_sample_of_inspect_has_one_of_six_outcomes(
    sample: dict[str, Any], outcome: str, tmp_path: Path
) -> None:
    path = change_log(tmp_path, sample={"epoch": 1, **sample})
    run = only(path, tmp_path)
    assert outcomes(run).split()[0] == outcome


TWO_SCORERS = {"choice": {"value": "C"}, "judge": {"value": "I"}}


@pytest.mark.parametrize(
    ("scores", "wanted", "expected"),
    [
        (TWO_SCORERS, None, ("choice", 1.0)),
        (TWO_SCORERS, "judge", ("judge", 0.0)),
        ({"judge": {"value": "I"}}, None, ("choice", None)),
        ({"judge": {"value": "I"}}, "choice", ("choice", None)),
    ],
)
def test_the_score_of_a_sample_is_never_that_of_another_scorer(
    scores: dict[str, Any], wanted: str | None, expected: tuple[str, float | None], tmp_path: Path
) -> None:
    path = change_log(tmp_path, sample={"scores": scores})
    run = only(path, tmp_path / "results", columns=LogColumns(score=wanted))
    found, origin = compare_source_scores(run), run.manifest.identity.origin
    assert found is not None
    assert origin is not None
    assert (origin.score, found.mean) == expected


@pytest.mark.parametrize(
    ("results", "name"),
    [(["judge"], "judge"), (["judge", "choice"], "choice"), (None, "choice"), ([], "choice")],
)
def test_the_score_that_is_kept_is_of_the_first_scorer_with_results(
    results: list[str] | None, name: str, tmp_path: Path
) -> None:
    listed = None if results is None else {"scores": [{"scorer": each} for each in results]}
    path = change_log(tmp_path, sample={"scores": TWO_SCORERS}, results=listed)
    origin = only(path, tmp_path / "results").manifest.identity.origin
    assert origin is not None
    assert origin.score == name


def test_a_log_whose_head_names_no_scorer_gives_the_first_score(tmp_path: Path) -> None:
    facts = json.loads((INSPECT / "epochs.json").read_text(encoding="utf-8"))["eval"]
    del facts["scorers"]
    path = change_log(tmp_path, sample={"scores": TWO_SCORERS}, results=None, eval=facts)
    found = compare_source_scores(only(path, tmp_path / "results"))
    assert found is not None
    assert found.mean == 1.0


def test_a_log_that_was_cut_short_says_so(tmp_path: Path) -> None:
    run = only(change_log(tmp_path, status="cancelled"), tmp_path)
    assert run.manifest.notes == (
        "the log's status is cancelled, so that samples may be missing",
        "19 of 20 samples are not in the log",
    )


def test_an_input_of_several_messages_is_what_the_user_says(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "attachment://abc"}]},
    ]
    sample = {"input": turns, "attachments": {"abc": "A long question?"}}
    assert only(change_log(tmp_path, sample=sample), tmp_path).questions[0].stem == (
        "A long question?"
    )


# -- lm-evaluation-harness --------------------------------------------------------------------


def test_a_run_of_lm_eval_takes_its_facts_from_the_results_beside_it(tmp_path: Path) -> None:
    identity = only(GENERATED, tmp_path).manifest.identity
    assert identity.origin is not None
    assert identity.origin.words == "lm-eval 0.4.13"
    assert (identity.benchmark, identity.benchmark_version) == ("everyday_gen", "1.0")
    assert identity.parameters == {"temperature": 0.0, "max_tokens": 16}
    alone = tmp_path / GENERATED.name
    shutil.copy(GENERATED, alone)
    identity = only(alone, tmp_path, model="mine").manifest.identity
    assert identity.origin is not None
    assert (identity.model, identity.origin.words) == ("mine", "lm-eval")


@pytest.mark.parametrize(("name", "differing"), [(None, 4), ("strict", 4), ("letter", 0)])
def test_the_score_kept_is_that_of_one_filter(
    name: str | None, differing: int, tmp_path: Path
) -> None:
    run = only(GENERATED, tmp_path, filter=name)
    found = compare_source_scores(run)
    assert found is not None
    assert (found.compared, found.differing) == (10, differing)
    assert f"filter {name or 'strict'}" in run.manifest.notes[0]


def test_the_pick_of_likelihoods_is_that_of_the_score_that_is_kept(tmp_path: Path) -> None:
    plain = only(PICKED, tmp_path)
    weighed = only(PICKED, tmp_path, columns=LogColumns(score="acc_norm"))
    assert (plain.summary.correct, weighed.summary.correct) == (2, 3)
    for run in (plain, weighed):
        found = compare_source_scores(run)
        assert found is not None
        assert (found.compared, found.differing) == (10, 0)
        assert run.manifest.identity.origin is not None
        assert run.manifest.identity.origin.evidence == "picks"


def lm_sample(number: int = 0, **changes: Any) -> dict[str, Any]:
    rows = [json.loads(line) for line in PICKED.read_text(encoding="utf-8").splitlines()]
    return {**rows[number], **changes}


def test_a_document_that_is_no_plain_question_is_what_was_sent(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.jsonl", [lm_sample(doc={"ctx_a": "x", "endings_n": 4})])
    [question] = only(path, tmp_path).questions
    assert question.stem == f"Question: {WOLVES}\nAnswer:"
    assert (question.choices, question.right) == (("swarm", "pack", "flock", "shoal"), (1,))


def test_two_sentences_with_one_end_are_two_choices(tmp_path: Path) -> None:
    sent = {
        f"gen_args_{n}": {"arg_0": f"The {who} was too big for it", "arg_1": " so it broke."}
        for n, who in enumerate(("box", "cup"))
    }
    sample = lm_sample(arguments=sent, resps=[[["-3", "x"]], [["-2", "x"]]], doc={}, target="1")
    run = only(write_lines(tmp_path / "x.jsonl", [sample]), tmp_path)
    assert run.questions[0].choices == tuple(f"The {w} was too big for it" for w in ("box", "cup"))
    assert run.summary.correct == 1


def test_repeated_replies_are_samples(tmp_path: Path) -> None:
    [first, *_] = [json.loads(line) for line in GENERATED.read_text("utf-8").splitlines()]
    first["resps"] = [["(B)", "(A)", "(B)"]]
    run = only(write_lines(tmp_path / "x.jsonl", [first]), tmp_path)
    assert (run.manifest.identity.samples, outcomes(run)) == (3, "right wrong right")


def test_a_sample_without_choices_has_only_the_tool_s_score(tmp_path: Path) -> None:
    sample = {
        "doc_id": 0, "doc": {"question": "6 x 7?", "answer": "42"}, "target": "42",
        "arguments": {"gen_args_0": {"arg_0": "6 x 7?", "arg_1": {}}}, "resps": [["It is 42"]],
        "filtered_resps": ["42"], "metrics": ["exact_match"], "exact_match": 1.0,
    }  # fmt: skip
    run = only(write_lines(tmp_path / "x.jsonl", [sample]), tmp_path)
    assert run.questions[0].choices == SCORED
    assert run.manifest.identity.origin is not None
    assert run.manifest.identity.origin.evidence == "scores"
    assert (run.summary.correct, run.summary.questions) == (1, 1)


DOCS: dict[str, tuple[dict[str, Any], list[str], str, tuple[str, ...]]] = {
    "mmlu": (
        {"question": "Up?", "subject": "law", "choices": ["a", "b", "c", "d"], "answer": 1},
        [" A", " B", " C", " D"],
        "1",
        ("a", "b", "c", "d"),
    ),
    "arc": (
        {
            "id": "M1", "question": "Up?", "answerKey": "2",
            "choices": {"text": ["x", "y"], "label": ["1", "2"]},
        },
        [" x", " y"],
        "1",
        ("x", "y"),
    ),
    "hellaswag": ({"query": "A man", "choices": ["sits", "runs"], "gold": 1, "label": "1"},
        [" sits", " runs"], "1", ("sits", "runs")),
    "truthfulqa": (
        {"question": "Up?", "mc1_targets": {"choices": ["no", "yes"], "labels": [0, 1]}},
        [" no", " yes"], "1", ("no", "yes"),
    ),
    "a target in words": ({"question": "Up?"}, [" no", " yes"], "yes", ("no", "yes")),
}  # fmt: skip
"""Documents of known tasks, with the choices sent, the target, and the question's choices."""


@pytest.mark.parametrize("name", DOCS)
@pytest.mark.parametrize("old", [False, True])
def test_documents_of_known_tasks_are_read(name: str, old: bool, tmp_path: Path) -> None:
    doc, sent, target, choices = DOCS[name]
    sample = lm_sample(doc=doc, target=target)
    prompt = "Up?\nAnswer:"
    likelihoods = [-float(len(sent) - n) for n in range(len(sent))]
    sample["arguments"] = {
        f"gen_args_{n}": {"arg_0": prompt, "arg_1": text} for n, text in enumerate(sent)
    }
    sample["resps"] = [[[str(value), "False"]] for value in likelihoods]
    path = tmp_path / "x.jsonl"
    if old:
        sample["arguments"] = [[prompt, text] for text in sent]
        sample["resps"] = [[[value, False]] for value in likelihoods]
        del sample["filter"]
        path.write_text(json.dumps([sample], indent=2), encoding="utf-8")
    else:
        write_lines(path, [sample])
    run = only(path, tmp_path)
    [question] = run.questions
    assert (question.choices, question.right) == (choices, (1,))
    assert outcomes(run) == ("right" if len(choices) == 2 else "wrong")


def test_a_position_that_may_count_from_0_or_1_is_asked_about(tmp_path: Path) -> None:
    [sample, *_] = [json.loads(line) for line in GENERATED.read_text("utf-8").splitlines()]
    sample["doc"]["answer"] = sample["target"] = "1"
    path = write_lines(tmp_path / "x.jsonl", [sample])
    with pytest.raises(LogError, match="1: target = '1': positions may count from 0 or from 1"):
        import_log(path, results=tmp_path)
    columns = LogColumns(answer="answer", answer_is="index1")
    assert only(path, tmp_path, columns=columns).questions[0].right == (0,)


# -- promptfoo --------------------------------------------------------------------------------


def test_a_reply_that_failed_its_assertion_is_wrong_and_one_that_never_came_is_not(
    tmp_path: Path,
) -> None:
    _, opus = import_log(PROMPTFOO, results=tmp_path)
    assert (opus.summary.wrong, opus.summary.failed) == (0, 2)
    assert opus.failures()[0].kind == "error"


def test_an_assertion_names_the_right_choice_where_no_variable_does(tmp_path: Path) -> None:
    top = json.loads(PROMPTFOO.read_text("utf-8"))
    top["results"]["results"] = top["results"]["results"][:1]
    [result] = top["results"]["results"]
    del result["vars"]["answer"]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(top), encoding="utf-8")
    assert only(path, tmp_path).questions[0].right_texts == ("pack",)
    result["testCase"]["assert"] = [{"type": "llm-rubric", "value": "is right"}]
    path.write_text(json.dumps(top), encoding="utf-8")
    with pytest.raises(LogError, match="neither a variable nor an assertion names the right"):
        import_log(path, results=tmp_path)


def test_repetitions_of_promptfoo_are_samples(tmp_path: Path) -> None:
    top = json.loads(PROMPTFOO.read_text("utf-8"))
    first, second = top["results"]["results"][0], top["results"]["results"][2]
    again = {**first, "testIdx": 1}
    top["results"]["results"] = [first, again, {**second, "testIdx": 2}, {**second, "testIdx": 3}]
    path = tmp_path / "results.json"
    path.write_text(json.dumps({**top, "runtimeOptions": {"repeat": 2}}), encoding="utf-8")
    run = only(path, tmp_path)
    assert (len(run.questions), run.manifest.identity.samples) == (2, 2)
    assert run.is_complete
    # Without that, the set holds them twice.
    path.write_text(json.dumps(top), encoding="utf-8")
    run = only(path, tmp_path)
    assert (len(run.questions), run.manifest.identity.samples) == (4, 1)


def test_lines_of_promptfoo_are_read_as_its_json_is(tmp_path: Path) -> None:
    whole = import_log(PROMPTFOO, results=tmp_path / "whole", options=LogOptions(benchmark="b"))
    lines = import_log(
        PROMPTFOO_LINES, results=tmp_path / "lines", options=LogOptions(benchmark="b")
    )
    assert [[(q.id, q.stem, q.right_texts, q.group) for q in run.questions] for run in lines] == [
        [(q.id, q.stem, q.right_texts, q.group) for q in run.questions] for run in whole
    ]
    assert list(map(outcomes, lines)) == list(map(outcomes, whole))
    assert [run.manifest.identity.model for run in lines] == ["claude-haiku-4-5", "claude-opus-4-6"]
    # What stands around the results of a whole file is not known.
    origins = [run.manifest.identity.origin for run in lines]
    assert [origin and origin.words for origin in origins] == ["promptfoo", "promptfoo"]
    assert only(SEVERAL[1], tmp_path).manifest.identity.benchmark == "several"


def test_repetitions_in_lines_of_promptfoo_are_told_by_their_number(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in PROMPTFOO_LINES.read_text("utf-8").splitlines()][:6:2]
    twice = [row for row in rows for _ in range(2)]
    run = only(write_lines(tmp_path / "x.jsonl", twice), tmp_path)
    assert (len(run.questions), run.manifest.identity.samples) == (3, 2)
    assert run.is_complete
    assert "each test is there 2 times" in run.manifest.notes[0]
    run = only(write_lines(tmp_path / "x.jsonl", twice[:-1]), tmp_path)
    assert (len(run.questions), run.manifest.identity.samples) == (5, 1)
    assert not run.manifest.notes


def test_lines_of_promptfoo_that_were_cut_off_are_refused_with_their_number(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(PROMPTFOO_LINES.read_bytes()[:3000])
    with pytest.raises(LogError, match=r"x.jsonl:\d: .* is not JSON"):
        import_log(path, results=tmp_path)


# -- HELM -------------------------------------------------------------------------------------


def test_scores_of_helm_alone_are_taken_as_they_are(tmp_path: Path) -> None:
    path = Path(shutil.copy(HELM / "per_instance_stats.json", tmp_path))
    run = only(path, tmp_path / "results", benchmark="everyday")
    assert (run.summary.asked, run.summary.correct) == (9, 4)
    assert run.questions[0].choices == SCORED
    assert "scenario_state.json" in run.manifest.notes[0]


@pytest.mark.parametrize("given", ["", "per_instance_stats.json", "scenario_state.json"])
def test_every_file_of_a_run_of_helm_names_the_import(given: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(HELM, folder)
    ids = [only(folder / given, tmp_path / "results").manifest.identity.run_id]
    assert ids == [only(folder, tmp_path / "results").manifest.identity.run_id]
    for path in sorted(folder.iterdir()):
        path.write_bytes(path.read_bytes() + b"\n")
        ids.append(only(folder / given, tmp_path / "results").manifest.identity.run_id)
    assert len(set(ids)) == len(list(HELM.iterdir())) + 1


def test_the_web_pages_of_helm_hold_the_replies_too(tmp_path: Path) -> None:
    state = json.loads((HELM / "scenario_state.json").read_text("utf-8"))
    stats = json.loads((HELM / "per_instance_stats.json").read_text("utf-8"))
    instances = [each["instance"] for each in state["request_states"]]
    shown = [
        {
            "instance_id": each["instance"]["id"],
            "predicted_text": each["result"]["completions"][0]["text"],
            "train_trial_index": 0,
            "mapped_output": each["output_mapping"][
                each["result"]["completions"][0]["text"].strip()
            ],
        }
        for each in state["request_states"]
        if each["result"]["success"]
    ]
    for name, value in (
        ("per_instance_stats.json", stats),
        ("instances.json", instances),
        ("display_predictions.json", shown),
    ):
        (tmp_path / name).write_text(json.dumps(value), encoding="utf-8")
    run = only(tmp_path, tmp_path / "results")
    found = compare_source_scores(run)
    assert found is not None
    assert (run.summary.correct, found.compared, found.differing) == (4, 9, 0)


def test_choices_that_helm_asked_about_one_by_one_have_only_its_score(tmp_path: Path) -> None:
    shutil.copytree(HELM, tmp_path / "run")
    path = tmp_path / "run" / "scenario_state.json"
    state = json.loads(path.read_text("utf-8"))
    state["request_states"] = [
        {**each, "reference_index": n} for each in state["request_states"][:9] for n in range(4)
    ]
    path.write_text(json.dumps(state), encoding="utf-8")
    run = only(tmp_path / "run", tmp_path)
    assert run.manifest.identity.origin is not None
    assert run.manifest.identity.origin.evidence == "scores"
    assert (run.summary.correct, len(run.questions[0].choices)) == (4, 4)


# -- Tables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (({"predicted": "B"}, {"predicted": "B"}, {"predicted": "?"}), "right wrong unparsed"),
        (({"output": "(B) Jupiter"}, {"output": "Mercury"}, {"output": "A"}), "right right wrong"),
        (({"pred": "B"}, {"pred": ""}, {"pred": None}), "right failed failed"),
        (({"correct": 1}, {"correct": 0}, {"correct": True}), "right wrong right"),
        (({"correct": 1}, {"correct": None}, {"correct": 0}), "right failed wrong"),
        (({"pred": "B"}, {"pred": "B", "error": "timeout"}, {"pred": "A"}), "right failed wrong"),
    ],
)
def test_a_table_of_predictions_is_read_by_the_usual_names(
    answers: tuple[dict[str, Any], ...], expected: str, tmp_path: Path
) -> None:
    log = write_lines(tmp_path / "log.jsonl", rows_of(*answers))
    assert outcomes(only(log, tmp_path)) == expected
    path = tmp_path / "list.json"
    path.write_text(json.dumps(rows_of(*answers)), encoding="utf-8")
    assert outcomes(only(path, tmp_path)) == expected


def test_a_table_is_read_by_the_columns_that_are_named(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "nr,frage,eins,zwei,richtig,antwort,wer,lauf\n"
        "1,Largest?,Mars,Jupiter,2,2,m1,1\n"
        "1,Largest?,Mars,Jupiter,2,1,m1,2\n"
        "1,Largest?,Mars,Jupiter,2,2,m2,1\n",
        encoding="utf-8",
    )
    columns = LogColumns(
        id="nr", stem=("frage",), choices=("eins", "zwei"), answer="richtig", answer_is="index1",
        predicted="antwort", model="wer", sample="lauf",
    )  # fmt: skip
    runs = import_log(path, results=tmp_path, options=LogOptions(columns=columns, benchmark="b"))
    assert [(run.manifest.identity.model, outcomes(run)) for run in runs] == [
        ("m1", "right wrong"),
        ("m2", "right"),
    ]
    assert all(run.manifest.identity.knows_choices for run in runs)


def test_predictions_without_choices_are_held_against_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("id,answer,prediction\n1,B,b\n2,C,A\n3,C,\n", encoding="utf-8")
    run = only(path, tmp_path)
    assert outcomes(run) == "right wrong failed"
    assert "the table has no choices" in run.manifest.notes[0]
    assert run.questions[0] == Question(
        id=run.questions[0].id, stem="1", choices=SCORED, right=(0,)
    )


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (("1", "0", "0", "1"), "right wrong wrong right"),
        (("2", "1", "1", "2"), "right wrong wrong right"),
        (("43", "42", "42.0", "43"), "right wrong wrong right"),
        (("0", "1", "0", "1"), "wrong right wrong right"),
    ],
)
def test_replies_have_the_numbers_that_the_table_gives_them(
    numbers: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    given = zip((1, 1, 2, 2), numbers, "BABA", strict=True)
    rows = [f"{name},{number},A,{predicted}" for name, number, predicted in given]
    path = write_table(tmp_path, "id,sample,answer,prediction", *rows)
    run = only(path, tmp_path / "results")
    assert run.manifest.identity.samples == 2
    found = sorted(
        run.scores,
        key=lambda score: (score.question.stem, score.row and score.row.sample_index),
    )
    assert " ".join("right" if score.correct else "wrong" for score in found) == expected


def test_a_column_of_questions_is_not_that_of_replies_too(tmp_path: Path) -> None:
    path = write_table(tmp_path, "sample,model,answer,pred", "1,m,A,A", "2,m,B,A", "1,n,A,A")
    options = LogOptions(columns=LogColumns(id="sample"))
    runs = import_log(path, results=tmp_path / "results", options=options)
    assert [outcomes(run) for run in runs] == ["right wrong", "right"]
    assert [run.manifest.identity.samples for run in runs] == [1, 1]


def test_a_column_of_samples_that_are_no_numbers_is_not_taken_for_them(tmp_path: Path) -> None:
    path = write_table(tmp_path, "id,sample,answer,prediction", "1,a long text,A,A", "2,,B,A")
    assert outcomes(only(path, tmp_path / "results")) == "right wrong"


@pytest.mark.parametrize(
    ("lines", "samples"),
    [
        (["id,sample,answer,prediction", "a,1,A,A", "b,2,B,A"], 1),
        (["id,sample,model,answer,prediction", "a,1,m,A,A", "b,2,m,B,A", "a,1,n,A,A"], 1),
        (["question,sample,A,B,answer,prediction", "x?,1,a,b,A,A", "y?,2,a,b,A,B"], 1),
        (["id,sample,answer,prediction", "a,1,A,A", "a,2,A,B"], 2),
    ],
)
def test_a_number_of_each_question_is_not_taken_for_that_of_a_reply(
    lines: list[str], samples: int, tmp_path: Path
) -> None:
    run = import_log(write_table(tmp_path, *lines), results=tmp_path / "results")[0]
    assert (run.manifest.identity.samples, outcomes(run)) == (samples, "right wrong")


@pytest.mark.parametrize(
    "error", ["False", "0", "0.0", "None", "nan", "NaN", "null", " ", 0, 0.0, False, None]
)
def test_a_column_of_errors_that_says_there_is_none_is_empty(error: Any, tmp_path: Path) -> None:
    answers = [{"pred": "B", "error": error}, {"pred": "B", "error": 1}, {"pred": "A", "error": ""}]
    log = write_lines(tmp_path / "log.jsonl", rows_of(*answers))
    assert outcomes(only(log, tmp_path)) == "right failed wrong"


@pytest.mark.parametrize(
    ("answer", "prediction", "expected"),
    [
        ("3, 4", "4, 3", "wrong"),
        ("3, 4", "3,4", "right"),
        ("1 2", "2 1", "wrong"),
        ("A, C", "C, A", "right"),
    ],
)
def test_letters_without_choices_are_a_set_and_numbers_a_list(
    answer: str, prediction: str, expected: str, tmp_path: Path
) -> None:
    rows = [{"id": 1, "answer": answer, "prediction": prediction}]
    assert outcomes(only(write_lines(tmp_path / "x.jsonl", rows), tmp_path)) == expected


# -- Tables without texts ---------------------------------------------------------------------


def load_planets(folder: Path) -> Benchmark:
    """The three questions as a benchmark, which has their ids."""
    return load_benchmark(write_lines(folder / "planets.jsonl", rows_of({}, {}, {})))


def write_table(folder: Path, *lines: str) -> Path:
    path = folder / "log.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lines", "columns", "expected"),
    [
        (["id,prediction", "q1,B", "q2,B", "q3,?"], {}, "right wrong unparsed"),
        (["id,prediction", "q2,Mercury"], {}, "right"),
        (["nr,said", "q3,Venus"], {"id": "nr", "predicted": "said"}, "right"),
        (["id,prediction", "q1,1", "q2,1"], {"answer_is": "index0"}, "right wrong"),
        (["id,prediction", "q1,1", "q2,1"], {"answer_is": "index1"}, "wrong right"),
        (["id,answer,prediction", "q1,B,B", "q2,0,A", "q3,Venus,A"], {}, "right right wrong"),
        (["id,correct", "q1,1", "q2,0"], {}, "right wrong"),
        # Positions from 0 or from 1: such answers are not held against the benchmark's.
        (["id,question,A,B,answer,pred", "q1,?,x,y,1,B"], {}, "right"),
        # Columns by the names of choices that hold something else, such as probabilities.
        (["id,prediction,A,B", "q1,B,0.1,0.9"], {}, "right"),
        (["id,prediction,A,B", "q1,B,Mars,Jupiter"], {}, "right"),
    ],
)
def test_questions_of_a_table_are_found_by_id_in_a_benchmark(
    lines: list[str], columns: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    planets, path = load_planets(tmp_path), write_table(tmp_path, *lines)
    run = only(path, tmp_path, columns=LogColumns(**columns), questions=planets)
    assert outcomes(run) == expected
    known = {question.id: question for question in planets.question_set.questions}
    assert [known[question.id] for question in run.questions] == list(run.questions)
    assert (run.manifest.identity.benchmark, run.manifest.notes) == ("planets", ())
    assert run.manifest.identity.knows_choices is ("correct" not in lines[0])


def test_a_table_without_texts_pairs_with_other_runs_by_its_benchmark(tmp_path: Path) -> None:
    planets = load_planets(tmp_path)
    short = write_table(tmp_path, "id,prediction", "q1,A", "q2,A", "q3,B")
    whole = write_lines(tmp_path / "whole.jsonl", rows_of(*[{"predicted": "B"}] * 3))
    runs = [only(short, tmp_path, model="m", questions=planets), only(whole, tmp_path, model="n")]
    [pair] = compare(runs).pairs
    assert (pair.accuracy.n, pair.accuracy.losses, pair.accuracy.gains) == (3, 1, 1)


def test_several_right_choices_are_found_in_a_benchmark_too(tmp_path: Path) -> None:
    rows = [
        {"id": "q1", "question": "Fruit?", "choices": FRUITS, "answer": ["A", "C"]},
        {"id": "q2", "question": "Stone?", "choices": FRUITS, "answer": ["B"]},
    ]
    benchmark = load_benchmark(write_lines(tmp_path / "fruits.jsonl", rows))
    path = write_table(tmp_path, "id,prediction", 'q1,"C, A"', 'q2,"B, C"')
    run = only(path, tmp_path, questions=benchmark)
    assert (run.manifest.identity.several, outcomes(run)) == (True, "right wrong")


def test_clusters_and_pictures_come_with_the_questions(tmp_path: Path) -> None:
    rows = [{**row, "passage": "On planets."} for row in rows_of({}, {}, {})]
    benchmark = load_benchmark(write_lines(tmp_path / "own.jsonl", rows))
    run = only(write_table(tmp_path, "id,prediction", "q1,B"), tmp_path, questions=benchmark)
    assert run.questions[0].cluster == "On planets."


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["id,prediction", *(f"x{n},B" for n in range(5)), "q1,B"],
            r"5 of 6 rows have ids that are not in planets: 'x0', 'x1', 'x2', \.\.\.; its own are "
            r"such as 'q1'\. Name the column of ids by --id, or the benchmark",
        ),
        (["id,prediction", "q1,A", "q9,A"], r"1 of 2 rows .* planets: 'q9'; its own"),
        (["text,prediction", "q1,A"], "no column of ids among 'text', 'prediction'"),
        (["id,prediction,A,B", "q1,B,Jupiter,Mars"], "csv:2: question q1 has its choices in ano"),
        (
            ["id,answer,prediction", "q1,A,A", "q2,B,A", "q3,B,B"],
            "2 of 3 right answers in the table are others than those of planets: are its ids",
        ),
    ],
)
def test_a_table_that_does_not_fit_the_benchmark_is_refused(
    lines: list[str], message: str, tmp_path: Path
) -> None:
    planets, path = load_planets(tmp_path), write_table(tmp_path, *lines)
    with pytest.raises(LogError, match=message):
        import_log(path, results=tmp_path / "results", options=LogOptions(questions=planets))
    assert not (tmp_path / "results").exists()


def test_a_right_answer_that_differs_from_the_benchmark_s_is_told(tmp_path: Path) -> None:
    path = write_table(tmp_path, "id,answer,prediction", "q1,A,A", "q2,A,A", "q3,B,B")
    run = only(path, tmp_path, questions=load_planets(tmp_path))
    assert outcomes(run) == "wrong right right"
    assert run.manifest.notes == (
        "1 of 3 right answers in the table are others than those of planets, which count",
    )


@pytest.mark.parametrize("path", [INSPECT / "plain.eval", GENERATED, PROMPTFOO, HELM])
def test_a_log_that_holds_its_questions_takes_none_from_a_benchmark(
    path: Path, tmp_path: Path
) -> None:
    with pytest.raises(LogError, match="holds its questions: leave out --questions"):
        import_log(path, results=tmp_path, options=LogOptions(questions=load_planets(tmp_path)))


# -- Without an import ------------------------------------------------------------------------


def test_a_log_is_looked_at_without_leaving_anything(tmp_path: Path) -> None:
    own = only(INSPECT / "plain.eval", tmp_path)
    with opened_runs([own.path, INSPECT / "plain.eval", PROMPTFOO]) as runs:
        assert [run.summary.correct for run in runs] == [7, 7, 7, 8]
        assert runs[1].path == INSPECT / "plain.eval"
        assert [run.path.parent for run in runs[2:]] == [PROMPTFOO, PROMPTFOO]
        assert len(runs[3].rows) == 10
        kept = runs[1].folder
        assert kept.is_dir()
    assert not kept.exists()


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="format 'csv'"):
        LogOptions(format="csv")  # type: ignore[arg-type]
