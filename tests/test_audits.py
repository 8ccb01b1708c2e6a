"""One model asked in several ways: the numbers are those of its runs and of the statistics."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import evalkit
from evalkit.answers import Answer, Outcome
from evalkit.audits import Audit, audit_runs
from evalkit.benchmarks import Benchmark
from evalkit.errors import UsageError
from evalkit.evaluation import run
from evalkit.models.model import Price
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.reports.audit import render_audit
from evalkit.requests import WAYS, Way
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.results import Run
from evalkit.runs.journal import JournalRow
from evalkit.scores import Score
from evalkit.settings import RunSettings
from evalkit.stats.clustered import (
    clustered_difference_interval,
    clustered_difference_test,
    clustered_mean,
)
from evalkit.stats.intervals import wilson_interval
from evalkit.stats.multiplicity import holm
from evalkit.stats.paired import mcnemar_midp, mean_difference_interval, tango_interval
from evalkit.testing.messages_body import (
    Body,
    answer_schema,
    forced_tool,
    last_user_text,
    prefill_of,
)
from evalkit.testing.messages_replies import Answer as Model
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import HAIKU
from tests.conftest import QUICK, SUMS, endpoint_of
from tests.runs_in_memory import judged_run, run_of_scores
from tests.test_text import build_run

Plan = Mapping[Way, Mapping[int, str]]

PLAN: Plan = {
    "prefill": {10: "wrong", 11: "wrong"},
    "instructed": {0: "refused", 1: "refused", 2: "refused"},
    "structured": {5: "unparsed", 10: "wrong", 11: "wrong"},
    "tool": dict.fromkeys(range(12), "wrong"),
    "reasoned": {3: "truncated", 4: "truncated"},
}
"""What becomes of the sums that are not answered rightly."""


def way_of(body: Body) -> Way:
    """How a request asks."""
    if prefill_of(body) is not None:
        return "prefill"
    if answer_schema(body) is not None:
        return "structured"
    if forced_tool(body) is not None:
        return "tool"
    return "reasoned" if "Answer: X" in str(body.get("system")) else "instructed"


def by_way(plan: Plan) -> Model:
    """A model that knows the sums, but for what a plan says of each way."""

    def answer(body: Body) -> Reply:
        numbers = re.findall(r"100 \+ (\d+)\?", last_user_text(body))
        if not numbers:
            return Reply(letter="B")  # what a probe asks
        number = int(numbers[-1])
        match plan[way_of(body)].get(number):
            case "refused":
                return Reply(refusal="general_harms")
            case "unparsed":
                return Reply("I would rather talk about something else.")
            case "truncated":
                return Reply("Let me think.", stop_reason="max_tokens")
            case "wrong":
                return Reply(letter="ABCD"[(number + 1) % 4])
            case _:
                return Reply(letter="ABCD"[number % 4])

    return answer


@pytest.fixture(scope="module")
def runs(sums: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Way, Run]]:
    """Thirty sums asked in every way."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patch, MessagesServer(answer=by_way(PLAN)) as server:
        patch.setenv("EVALKIT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield {
            way: run(
                sums,
                HAIKU,
                settings=RunSettings(way=way, retries=QUICK),
                endpoint=endpoint_of(server),
                results=results,
                progress=False,
            )
            for way in WAYS
        }


def numbers_right(way: Way) -> set[int]:
    """The sums that a way has right."""
    return set(range(SUMS)) - PLAN[way].keys()


def build_simple_run(
    way: Way,
    outcomes: Sequence[str],
    *,
    samples: int = 1,
    tokens: int | None = 3,
    price: Price | None = None,
    **identity: Any,
) -> Run:
    """A run of so many questions; the right choice is always the first.

    Args:
        way: how it was asked.
        outcomes: "correct", "wrong", or the name of another outcome, for each response.
        samples: responses to each question.
        tokens: output tokens of each response.
        price: of the model.
        identity: what else is different about it.
    """
    scores = []
    for place, name in enumerate(outcomes):
        number, sample = divmod(place, samples)
        question = Question(id=f"q{number}", stem="?", choices=("a", "b", "c"), right=(0,))
        picked = {"correct": 0, "wrong": 1}.get(name)
        outcome = Outcome.ANSWERED if picked is not None else Outcome(name)
        result: Response | RequestFailure = Response(
            text="", stop_reason=None, model="m", usage=Usage(output_tokens=tokens)
        )
        if outcome is Outcome.FAILED:
            result = RequestFailure(kind="overloaded", message="Overloaded (status 529)")
        row = JournalRow(
            request_id=f"{place}", question_id=question.id, way=way, result=result,
            sample_index=sample,
        )  # fmt: skip
        scores.append(
            Score(
                question=question,
                answer=Answer(outcome=outcome, choice=picked),
                row=None if outcome is Outcome.NOT_ASKED else row,
                sample_index=sample,
            )
        )
    built = build_run(scores, way=way)
    manifest = replace(
        built.manifest,
        identity=replace(built.manifest.identity, samples=samples, **identity),
        price=price,
    )
    return run_of_scores(scores, manifest, path=Path("results", way))


def test_each_way_has_its_accuracy_and_what_came_of_the_replies(runs: dict[Way, Run]) -> None:
    audit = audit_runs(list(runs.values()))
    assert (audit.benchmark, audit.model, audit.reference) == ("sums", HAIKU, "prefill")
    assert tuple(asked.way for asked in audit.ways) == WAYS
    for asked in audit.ways:
        right, lost = len(numbers_right(asked.way)), list(PLAN[asked.way].values())
        assert (asked.n, asked.accuracy) == (SUMS, wilson_interval(right, SUMS))
        assert asked.unparsed == lost.count("unparsed") / SUMS
        assert asked.refused == lost.count("refused") / SUMS
        assert asked.truncated == lost.count("truncated") / SUMS
        assert (asked.missing, asked.is_comparable) == (0, True)
    assert audit.is_complete
    assert audit.is_comparable


def test_each_way_has_what_it_took(runs: dict[Way, Run]) -> None:
    ways = {asked.way: asked for asked in audit_runs(list(runs.values())).ways}
    for way, asked in ways.items():
        usage, cost = runs[way].usage(), runs[way].cost
        assert asked.output_tokens == usage["output_tokens"] / SUMS
        assert cost is not None
        assert asked.cost == 1000 * cost / SUMS
        # At the prices of this model: a dollar for a million tokens read, five for those written.
        spent = usage["input_tokens"] * 1e-6 + usage["output_tokens"] * 5e-6
        assert asked.cost == pytest.approx(1000 * spent / SUMS)
    assert ways["prefill"].output_tokens == 1
    assert {way: asked.run.retakes for way, asked in ways.items() if asked.run.retakes} == {
        "reasoned": 2
    }
    assert {way: asked.run.unbound for way, asked in ways.items() if asked.run.unbound} == {
        "structured": 1
    }


def test_differences_are_those_of_the_statistics(runs: dict[Way, Run]) -> None:
    audit = audit_runs(list(runs.values()))
    assert [each.way for each in audit.comparisons] == list(WAYS[1:])
    p_values = []
    for each in audit.comparisons:
        gains = len(numbers_right(each.way) - numbers_right("prefill"))
        losses = len(numbers_right("prefill") - numbers_right(each.way))
        assert (each.accuracy.gains, each.accuracy.losses) == (gains, losses)
        assert each.accuracy.interval == tango_interval(gains, losses, SUMS)
        p_values.append(mcnemar_midp(gains, losses))
        assert each.accuracy.p_value == p_values[-1]
    assert tuple(each.accuracy.adjusted_p for each in audit.comparisons) == holm(p_values)
    clear = [each.way for each in audit.comparisons if each.accuracy.is_clear]
    assert clear == ["tool"]
    assert audit.largest is not None
    assert audit.largest.way == "tool"


def test_a_fault_of_format_is_told_from_one_of_knowledge(runs: dict[Way, Run]) -> None:
    audit = audit_runs(list(runs.values()))
    lost = {each.way: (each.readable.gains, each.readable.losses) for each in audit.comparisons}
    assert lost == {"instructed": (0, 3), "structured": (0, 1), "tool": (0, 0), "reasoned": (0, 2)}


def test_the_questions_that_ways_judge_differently_are_named(runs: dict[Way, Run]) -> None:
    audit = audit_runs(list(runs.values()))
    found = {each.question.id: each for each in audit.disagreements}
    assert list(found) == [f"q{number}" for number in range(12)]
    assert found["q0"].right == "A"
    assert found["q0"].picked == ("A", "refused", "A", "B", "A")
    assert found["q3"].picked == ("D", "D", "D", "A", "truncated")
    assert found["q5"].picked == ("B", "B", "unparsed", "C", "B")
    assert found["q10"].picked == ("D", "C", "D", "D", "C")


def test_of_two_ways_the_disagreements_are_gains_and_losses(runs: dict[Way, Run]) -> None:
    for way in WAYS[1:]:
        audit = audit_runs([runs[way], runs["prefill"]])
        [each] = audit.comparisons
        assert len(audit.disagreements) == each.accuracy.gains + each.accuracy.losses
        assert (each.reference, each.way) == ("prefill", way)


OUTCOMES = ("correct", "wrong", "unparsed", "refused", "truncated", "failed", "not_asked")
outcome_pairs = st.lists(st.tuples(*[st.sampled_from(OUTCOMES)] * 2), min_size=1, max_size=30)


@given(outcome_pairs)
def test_whatever_came_back_only_questions_with_both_replies_are_compared(
    pairs: list[tuple[str, str]],
) -> None:
    first, second = (list(names) for names in zip(*pairs, strict=True))
    audit = audit_runs([build_simple_run("prefill", first), build_simple_run("tool", second)])
    [each] = audit.comparisons
    missing = ("failed", "not_asked")
    both = [pair for pair in pairs if not set(pair) & set(missing)]
    assert each.accuracy.n == each.readable.n == len(both)
    flips = [pair for pair in both if (pair[0] == "correct") != (pair[1] == "correct")]
    assert each.accuracy.gains + each.accuracy.losses == len(flips) == len(audit.disagreements)
    assert audit.is_complete == (not any(set(pair) & set(missing) for pair in pairs))
    assert len(json.dumps(audit.to_dict())) > 0


@given(st.permutations(WAYS), st.integers(1, len(WAYS)))
def test_the_order_of_the_runs_does_not_matter(order: list[Way], count: int) -> None:
    chosen = order[:count]
    outcomes = {way: ["correct"] * (20 - WAYS.index(way)) + ["wrong"] * WAYS.index(way)
                for way in WAYS}  # fmt: skip
    runs = [build_simple_run(way, outcomes[way]) for way in chosen]
    audit = audit_runs(runs)
    assert audit.to_dict() == audit_runs(runs[::-1]).to_dict()
    assert audit.reference == min(chosen, key=WAYS.index)
    assert len(audit.comparisons) == count - 1


def test_one_way_alone_is_compared_with_nothing() -> None:
    audit = audit_runs([build_simple_run("tool", ["correct", "wrong"])])
    assert (audit.comparisons, audit.disagreements) == ((), ())
    assert (audit.largest, audit.detectable) == (None, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"benchmark": "mmlu"}, "benchmark: everyday and mmlu"),
        ({"model": "n"}, "model: m and n"),
        ({"model_digest": "ab" * 32}, "weights of the model: None and abababababab"),
        (
            {"question_digest": "f" * 64},
            "questions: 2 with digest 000000000000 and 2 with digest ffffffffffff",
        ),
    ],
)
def test_runs_of_other_questions_or_models_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    first = build_simple_run("prefill", ["correct", "wrong"])
    second = build_simple_run("tool", ["correct", "wrong"], **changes)
    with pytest.raises(UsageError, match=f"differ in the {message}"):
        audit_runs([first, second])


def test_two_runs_of_one_way_are_refused() -> None:
    first = build_simple_run("tool", ["correct"])
    second = replace(build_simple_run("tool", ["wrong"], seed=1), path=Path("results/other"))
    with pytest.raises(UsageError, match="two asked by way tool: results/tool and results/other"):
        audit_runs([build_simple_run("prefill", ["correct"]), first, second])


def test_no_runs_are_refused() -> None:
    with pytest.raises(UsageError, match="no runs"):
        audit_runs([])


@pytest.mark.parametrize(
    ("failed", "is_comparable"), [(0, True), (1, True), (2, False), (200, False)]
)
def test_half_a_percent_of_the_replies_may_be_missing(failed: int, is_comparable: bool) -> None:
    whole = build_simple_run("prefill", ["correct"] * 200)
    short = build_simple_run("tool", ["failed"] * failed + ["correct"] * (200 - failed))
    audit = audit_runs([whole, short])
    assert audit.is_comparable == is_comparable
    assert audit.is_complete == (failed == 0)
    assert audit.ways[1].missing == failed / 200


def test_without_a_reply_in_common_there_is_no_difference() -> None:
    first = build_simple_run("prefill", ["correct", "failed"])
    second = build_simple_run("tool", ["failed", "not_asked"], price=Price(input=1, output=1))
    audit = audit_runs([first, second])
    [each] = audit.comparisons
    assert (each.accuracy.n, each.accuracy.interval) == (0, None)
    assert (audit.largest, audit.detectable) == (None, None)
    nothing = audit.ways[1]
    assert (nothing.accuracy, nothing.unparsed, nothing.output_tokens, nothing.cost) == (None,) * 4
    assert not audit.disagreements


def test_what_is_not_known_is_none() -> None:
    [asked] = audit_runs([build_simple_run("tool", ["correct"], tokens=None)]).ways
    assert (asked.output_tokens, asked.cost) == (None, None)


def test_several_responses_to_a_question_are_one_score() -> None:
    first = build_simple_run("prefill", ["correct", "wrong"] * 10, samples=2)
    names = [*("correct", "correct") * 5, *("correct", "refused") * 3, *("wrong", "refused") * 2]
    second = build_simple_run("tool", names, samples=2)
    audit = audit_runs([first, second])
    [each] = audit.comparisons
    assert each.accuracy.interval == mean_difference_interval([0.5] * 5 + [0] * 3 + [-0.5] * 2)
    assert (each.accuracy.n, each.accuracy.gains, each.accuracy.losses) == (10, 5, 2)
    assert each.accuracy.test == "t-test p"
    assert each.readable.interval == mean_difference_interval([0] * 5 + [-0.5] * 5)
    assert [d.question.id for d in audit.disagreements] == [
        "q0",
        "q1",
        "q2",
        "q3",
        "q4",
        "q8",
        "q9",
    ]
    assert audit.disagreements[0].picked == ("1 A, 1 B", "2 A")
    assert audit.disagreements[-1].picked == ("1 A, 1 B", "1 B, 1 refused")


def in_threes(question: Question) -> Question:
    """Three questions a passage, by their numbers."""
    return replace(question, cluster=str(int(question.id[1:]) // 3))


def audit_clustered(shape: Callable[[Question], Question], *, failed: int = 0) -> Audit:
    """Twelve questions, of which another way loses the first four; of it the first may fail."""
    lost = ["failed"] * failed + ["wrong"] * (4 - failed)
    return audit_runs(
        [
            judged_run("m", ["correct"] * 12, shape=shape),
            judged_run("m", [*lost, *["correct"] * 6, "refused", "correct"], way="tool"),
        ]
    )


@pytest.mark.parametrize("failed", [0, 1])
def test_questions_that_share_a_passage_stand_or_fall_together(failed: int) -> None:
    """By the run that says so; neither Tango's interval nor McNemar's test knows of clusters."""
    [each] = audit_clustered(in_threes, failed=failed).comparisons
    passages = [number // 3 for number in range(failed, 12)]
    lost = [-float(number < 4 or number == 10) for number in range(failed, 12)]
    mean = clustered_mean(lost, passages)
    assert each.accuracy.interval == clustered_difference_interval(mean)
    assert each.accuracy.p_value == clustered_difference_test(mean)
    assert (each.accuracy.test, each.accuracy.clusters) == ("CR2 t-test p", 4)
    unread = [-float(number == 10) for number in range(failed, 12)]
    assert each.readable.interval == clustered_difference_interval(clustered_mean(unread, passages))


def test_questions_that_share_nothing_are_compared_as_before() -> None:
    [alone] = audit_clustered(lambda question: question).comparisons
    [named] = audit_clustered(lambda question: replace(question, cluster=question.id)).comparisons
    assert alone.accuracy == named.accuracy
    assert alone.accuracy.interval == tango_interval(0, 5, 12)


def test_a_report_says_what_clusters_do() -> None:
    text = render_audit(audit_clustered(in_threes))
    assert "with the 95 % CR2 interval for questions like these" in text
    assert "\ntool against prefill: questions in 4 clusters, design effect 2.0" in text
    assert "; so few that the interval is a rough guide\n" in text
    text = render_audit(audit_clustered(lambda question: replace(question, cluster="x")))
    unknown = "all questions share one cluster: nothing is known of questions like these"
    assert f"\ntool against prefill: {unknown}\n" in text
    assert text.endswith("\nNothing can be said of questions like these.")


def test_labels_are_those_of_the_reference() -> None:
    first = build_simple_run("prefill", ["correct"])
    digits = replace(first.manifest, prompt=PromptFormat(labels="digits"))
    other = build_simple_run("tool", ["wrong"])
    audit = audit_runs([run_of_scores(first.scores, digits), other])
    [found] = audit.disagreements
    assert (found.right, found.picked) == ("1", ("1", "2"))
    [each] = audit.comparisons
    assert [difference.name for difference in each.besides] == ["prompt (labels)"]


def test_what_else_was_different_is_kept(runs: dict[Way, Run]) -> None:
    besides = {
        each.way: [str(difference) for difference in each.besides]
        for each in audit_runs(list(runs.values())).comparisons
    }
    assert besides == {
        "instructed": [],
        "structured": [],
        "tool": [],
        "reasoned": ["temperature: 0.0 and the endpoint's own"],
    }


def test_one_clear_difference_of_four_has_to_stand_the_adjustment() -> None:
    plain = ["correct"] * 65
    reference = build_simple_run("prefill", [*["correct"] * 12, *["wrong"] * 3, *plain])
    turned = build_simple_run("tool", [*["wrong"] * 12, *["correct"] * 3, *plain])
    assert audit_runs([reference, turned]).largest is not None
    same: list[Way] = ["instructed", "structured", "reasoned"]
    others = [build_simple_run(way, [*["correct"] * 12, *["wrong"] * 3, *plain]) for way in same]
    assert audit_runs([reference, turned, *others]).largest is None


def test_the_facts_as_json(runs: dict[Way, Run]) -> None:
    audit = audit_runs(list(runs.values()))
    facts = json.loads(json.dumps(audit.to_dict()))
    assert [way["way"] for way in facts["ways"]] == list(WAYS)
    assert facts["ways"][0]["folder"] == str(runs["prefill"].path)
    assert facts["ways"][4]["retakes"] == 2
    assert facts["comparisons"][2]["accuracy"]["losses"] == 10
    assert facts["comparisons"][3]["other_differences"][0]["name"] == "temperature"
    assert facts["disagreements"][0] == {
        "id": "q0",
        "stem": "How much is 100 + 0?",
        "right": "A",
        "picked": dict(zip(WAYS, ("A", "refused", "A", "B", "A"), strict=True)),
    }
    alone = audit.to_dict(compared=False)
    assert (alone["comparisons"], alone["disagreements"]) == (None, None)


def test_audits_are_offered_to_python() -> None:
    assert evalkit.audit_runs is audit_runs
    assert evalkit.Audit is Audit
