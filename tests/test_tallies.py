"""A tally says in a few bytes a response what all rows and scores of a run would say."""

from __future__ import annotations

import math
import random
import tracemalloc
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.answers import Answer, Outcome
from evalkit.counts import summarize, summarize_groups
from evalkit.models.model import Price
from evalkit.orders import Design, design_of
from evalkit.prompts import PromptFormat
from evalkit.questions import Question
from evalkit.responses import RequestFailure, Response, Usage
from evalkit.runs.costs import cost_of_rows, savings_of_rows
from evalkit.runs.journal import JournalReader, JournalRow, read_journal
from evalkit.runs.manifest import Manifest, Orders
from evalkit.scores import score_questions, share_correct
from evalkit.tallies import USAGE_FIELDS, Failure, Tally, summarize_all, summarize_each, tally_rows
from tests.test_journal import lines_of
from tests.test_manifest import IDENTITY

QUESTIONS = tuple(
    Question(id=f"q{number}", stem="?", choices=("a", "b", "c", "d")[: 2 + number], right=(1,),
             group=group)
    for number, group in enumerate(["odd", None, "even"])
)  # fmt: skip
PRICE = Price(input=0.1, output=0.7, cache_read=0.03)
SAMPLES = 2

REFUSED = RequestFailure(kind="invalid_request", message="max_tokens: 64 > 16", status=400)
RESULTS = st.builds(
    Response,
    text=st.sampled_from(["B", "A", "D", "(B)", "no idea", "", '{"answer": "B"}']),
    stop_reason=st.sampled_from(["end_turn", "max_tokens", "refusal"]),
    model=st.sampled_from([None, "m-1", "m-2"]),
    usage=st.builds(
        Usage,
        **dict.fromkeys(USAGE_FIELDS, st.none() | st.integers(0, 10**6)),
    ),
) | st.sampled_from(
    [
        REFUSED,
        RequestFailure(kind="overloaded", message="Overloaded"),
        RequestFailure(kind="server", message="Internal"),
    ]
)
READINGS = st.sampled_from(
    [
        None,
        Answer(outcome=Outcome.ANSWERED, choice=1),
        Answer(outcome=Outcome.ANSWERED, choice=25),
        Answer(outcome=Outcome.TRUNCATED),
    ]
)
ROWS = st.builds(
    JournalRow,
    request_id=st.just(""),
    question_id=st.sampled_from(["q0", "q1", "q2", "unknown"]),
    way=st.sampled_from(["instructed", "structured", "prefill"]),
    result=RESULTS,
    sample_index=st.sampled_from([0, 0, 1, SAMPLES, -1]),
    order=st.sampled_from([None, None, None, (0, 1), (1, 0), (1, 2, 0), (0, 1, 2), (1, 2, 3, 0)]),
    is_retake=st.booleans(),
    batch_id=st.sampled_from([None, "b"]),
    reading=READINGS,
    is_bound=st.booleans(),
)


def with_id(row: JournalRow, other: int) -> JournalRow:
    """A row whose request is named by what it asks for; now and then there are two of them."""
    name = f"{row.question_id} {row.order} {row.sample_index} {row.is_retake} {other}"
    return replace(row, request_id=name)


JOURNALS = st.lists(st.builds(with_id, ROWS, st.sampled_from([0, 0, 0, 0, 1])), max_size=25)


def manifest_of(
    price: Price | None = PRICE, samples: int = SAMPLES, orders: Orders | None = None
) -> Manifest:
    return Manifest(
        identity=replace(IDENTITY, samples=samples, orders=orders),
        prompt=PromptFormat(),
        questions=len(QUESTIONS),
        price=price,
    )


@pytest.fixture(scope="module")
def shared_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tally") / "responses.jsonl"


ORDERS = st.sampled_from([None, None, 1, 2, "cyclic"])


@given(written=JOURNALS, price=st.sampled_from([None, PRICE]), orders=ORDERS)
def test_a_tally_says_what_rows_and_scores_say(
    written: Sequence[JournalRow], price: Price | None, orders: Orders | None, shared_path: Path
) -> None:
    """Failures before and after responses, requests twice, retakes that failed, strangers."""
    shared_path.write_bytes(lines_of(*written[:5]) + b"garbled\n" + lines_of(*written[5:]))
    manifest = manifest_of(price, orders=orders)
    tally = tally_rows(JournalReader(shared_path), manifest, QUESTIONS)

    rows = read_journal(shared_path).rows
    scores = score_questions(QUESTIONS, rows, PromptFormat(), design_of(manifest.identity))
    final = [score.row.result for score in scores if score.row is not None]
    responses = [row.result for row in rows if isinstance(row.result, Response)]
    reasons = Counter((one.kind, one.message) for one in final if isinstance(one, RequestFailure))
    served = Counter(one.model for one in final if isinstance(one, Response)).most_common()
    counts = tally.count(QUESTIONS)
    assert summarize_all(counts) == summarize(scores)
    assert summarize_each(counts) == summarize_groups(scores)
    assert tally.unbound == sum(not score.is_bound for score in scores)
    assert tally.retakes == sum(row.is_retake and row.is_response for row in rows)
    assert tally.models == tuple(name for name, _ in served if name is not None)
    assert tally.usage == {
        name: sum(getattr(one.usage, name) or 0 for one in responses) for name in USAGE_FIELDS
    }
    assert tally.cost == cost_of_rows(rows, price)
    assert tally.savings == savings_of_rows(rows, price)
    assert tally.failures == tuple(
        Failure(kind=kind, message=message, count=count)
        for (kind, message), count in reasons.most_common()
    )


@given(written=JOURNALS, orders=ORDERS, seed=st.integers())
def test_the_order_of_rows_of_different_requests_does_not_matter(
    written: Sequence[JournalRow], orders: Orders | None, seed: int
) -> None:
    rows = list({row.request_id: row for row in written}.values())
    one_each = {(row.question_id, row.order, row.sample_index, row.is_retake): row for row in rows}
    rows = list(one_each.values())
    first = tally_rows(rows, manifest_of(orders=orders), QUESTIONS)
    random.Random(seed).shuffle(rows)
    again = tally_rows(rows, manifest_of(orders=orders), QUESTIONS)
    assert again.codes == first.codes
    assert summarize_all(again.count(QUESTIONS)) == summarize_all(first.count(QUESTIONS))


@given(written=JOURNALS)
def test_a_question_has_the_share_of_its_replies_that_are_right(
    written: Sequence[JournalRow], shared_path: Path
) -> None:
    shared_path.write_bytes(lines_of(*written))
    tally = tally_rows(JournalReader(shared_path), manifest_of(), QUESTIONS)
    scores = score_questions(
        QUESTIONS, read_journal(shared_path).rows, PromptFormat(), Design(samples=SAMPLES)
    )
    for number, share in enumerate(tally.shares_correct(QUESTIONS)):
        expected = share_correct(scores[number * SAMPLES : (number + 1) * SAMPLES])
        assert math.isnan(share) if expected is None else share == expected


def test_nothing_asked_is_nothing_paid() -> None:
    assert tally_rows([], manifest_of(), QUESTIONS) == Tally(
        codes=bytes(6),
        design=Design(samples=2),
        unbound=0,
        retakes=0,
        models=(),
        usage=dict.fromkeys(USAGE_FIELDS, 0),
        cost=0.0,
        savings=0.0,
        failures=(),
    )


def peak_of(path: Path, count: int) -> int:
    """The most memory that a tally of so many questions takes, in bytes."""
    questions = tuple(replace(QUESTIONS[1], id=f"q{number}") for number in range(count))
    with path.open("wb") as file:
        for number in range(count):
            usage = Usage(input_tokens=number % 500, output_tokens=1)
            response = Response(text="B", stop_reason=None, model="m", usage=usage)
            row = JournalRow(
                request_id=f"{number:040}", question_id=f"q{number}", way="prefill", result=response
            )
            file.write(lines_of(row))
    tracemalloc.start()
    try:
        tally = tally_rows(JournalReader(path), manifest_of(samples=1), questions)
        assert summarize_all(tally.count(questions)).correct == count
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak


def test_a_further_question_takes_a_few_bytes(shared_path: Path) -> None:
    """Most of them in the index of the questions, which goes when the tally is done."""
    few, many = (peak_of(shared_path, count) for count in (4000, 8000))
    assert many - few < 4000 * 160
