"""A plan costs nothing, and the run then costs what it says."""

from __future__ import annotations

import asyncio
import json
import math
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import planning
from evalkit.api.endpoint import Endpoint
from evalkit.api.limits import RateLimits, parse_limits
from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.choose import build_body
from evalkit.errors import (
    AuthenticationError,
    InvalidRequestError,
    NotFoundError,
    RunMismatchError,
    UsageError,
)
from evalkit.evaluation import MOST_LESSONS, run
from evalkit.experience import Experience, find_experience
from evalkit.forecasting import BATCH_SECONDS, START_TIER, START_TIER_OF_LARGEST
from evalkit.images import ImageLimits, refer_to_image
from evalkit.measuring import Counts, Ruler, Size, draw
from evalkit.models.catalogue import find_model
from evalkit.models.findings import default_findings
from evalkit.models.model import Capabilities
from evalkit.plans import Plan, PlanOptions, add_up
from evalkit.precedents import find_precedent
from evalkit.prompts import PromptFormat, build_prompt
from evalkit.questions import Question, QuestionSet
from evalkit.requests import Way
from evalkit.results import Run, load_run
from evalkit.runs.batch_log import read_batch_log
from evalkit.runs.manifest import Identity
from evalkit.settings import RunSettings
from evalkit.stats.costs import expected_questions
from evalkit.stats.intervals import wilson_interval
from evalkit.stats.power import power_of_difference, questions_needed
from evalkit.testing.messages_faults import Fault, first_attempts
from evalkit.testing.messages_models import find_model as served_model
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Answer, Reply, same_letter_each_time
from evalkit.testing.messages_server import MessagesServer
from evalkit.testing.messages_tokens import count_input_tokens
from tests.conftest import QUICK, SUMS, endpoint_of
from tests.test_real_data import DATA

OLD, NEW, MIDDLE, THINKS = (
    *("claude-haiku-4-5", "claude-opus-4-8", "claude-sonnet-4-6", "claude-opus-5-5"),
)
"""Models with prefill and the older tokenizer; with the newer one; with the older one but no
prefill; one that can't be kept from thinking."""

PROSE = """the of a river cell state energy which when market law atom between treaty is not true
following most likely explain photosynthesis jurisdiction wavelength an equilibrium cost
mitochondria because constitutional 12 3.5 x = y, 1789 only first (as) under its"""
WORDS = PROSE.split()

TYPICAL: Mapping[str, int] = {"prefill": 1, "instructed": 4, "structured": 10, "tool": 30}


def write_prose(rng: random.Random, least: int, most: int) -> str:
    """Some words in a row; few texts are long."""
    count = round(least * (most / least) ** rng.random())
    return " ".join(rng.choices(WORDS, k=count))


def make_question(
    rng: random.Random, name: str, group: str, least: int = 8, most: int = 120
) -> Question:
    """A question of about ten words, or of a hundred."""
    choices = tuple(f"{write_prose(rng, 1, 12)} {letter}" for letter in "abcd")
    stem = f"{name}: {write_prose(rng, least, most)}?"
    return Question(id=name, stem=stem, choices=choices, right=(rng.randrange(4),), group=group)


def make_benchmark(
    benchmark: Benchmark, count: int, *, words: int = 20, groups: int = 1
) -> Benchmark:
    """Questions of very different lengths in some subjects, with five worked examples each.

    Args:
        benchmark: what they are given to.
        count: how many.
        words: of an example.
        groups: subjects.
    """
    rng = random.Random(7)
    names = [f"g{number}" for number in range(groups)]
    return replace(
        benchmark,
        question_set=QuestionSet(
            questions=tuple(make_question(rng, f"q{n}", names[n % groups]) for n in range(count)),
            examples=tuple(
                make_question(rng, f"{name}-{n}", name, words, words)
                for name in names
                for n in range(5)
            ),
        ),
    )


@pytest.fixture(scope="module")
def prose(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """A hundred and twenty questions."""
    path = tmp_path_factory.mktemp("prose") / "prose.csv"
    path.write_text("question,A,B,answer\nx?,y,z,A\n", encoding="utf-8")
    return make_benchmark(load_benchmark(path), 120)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Sixty questions, each with a picture of another size, now and then two."""
    folder = tmp_path_factory.mktemp("shapes")
    rng = random.Random(3)
    rows = []
    for number in range(60):
        names = [f"{number}-{part}.png" for part in range(1 + (number % 5 == 0))]
        for name in names:
            width, height = (round(20 * 150 ** rng.random()) for _ in "wh")
            PIL.Image.new("L", (width, height), number).save(folder / name)
        rows.append(
            {
                "question": f"{number}: {write_prose(rng, 5, 40)}?",
                "choices": ["red", "green", "blue"],
                "answer": "A",
                "images": names,
            }
        )
    (folder / "shapes.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in rows))
    definition = (
        'version = "1"\n[source]\nfiles = ["shapes.jsonl"]\n[columns]\nstem = "question"\n'
        'choices = "choices"\nanswer = "answer"\nimages = "images"\n'
    )
    (folder / "shapes.toml").write_text(definition, encoding="utf-8")
    return load_benchmark(folder / "shapes.toml")


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer() as running:
        yield running


def say_at_length(body: Mapping[str, Any]) -> Reply:
    """A reply that is as long as plans expect it where they know nothing."""
    reply = same_letter_each_time(body)
    if "tools" in body:
        return replace(reply, output_tokens=TYPICAL["tool"])
    if "format" in body.get("output_config", {}):
        return replace(reply, output_tokens=TYPICAL["structured"])
    is_prefill = body["messages"][-1]["role"] == "assistant"
    return replace(reply, output_tokens=TYPICAL["prefill" if is_prefill else "instructed"])


def plan(
    server: MessagesServer,
    benchmark: Benchmark,
    results: Path,
    model: str = OLD,
    *,
    endpoint: Endpoint | None = None,
    options: PlanOptions | None = None,
    **settings: Any,
) -> Plan:
    """Plan, and see that it costs nothing."""
    before = len(server.requests)
    made = planning.plan(
        benchmark,
        model,
        settings=RunSettings(**{"retries": QUICK, **settings}),
        endpoint=endpoint or endpoint_of(server),
        results=results,
        options=options,
        progress=False,
    )
    assert {r.path for r in server.requests[before:]} <= {"/v1/messages/count_tokens"}
    return made


def carry_out(
    server: MessagesServer, benchmark: Benchmark, results: Path, model: str = OLD, **settings: Any
) -> Run:
    """Do what was planned."""
    return run(
        benchmark,
        model,
        settings=RunSettings(**{"retries": QUICK, "poll_seconds": 0.05, **settings}),
        endpoint=endpoint_of(server),
        results=results,
        progress=False,
    )


def check(made: Plan, done: Run, share: float = 0.1) -> None:
    """Whether a run took what its plan said."""
    assert done.is_complete
    usage = done.usage()
    read = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert made.input_tokens == pytest.approx(sum(usage[name] for name in read), rel=share)
    assert made.output_tokens == pytest.approx(usage["output_tokens"], rel=share)
    assert made.price == pytest.approx(done.cost, rel=share)


# The plan and the price

WAYS = [
    *((OLD, way) for way in TYPICAL),
    *((model, way) for model in (NEW, MIDDLE) for way in TYPICAL if way != "prefill"),
]


@pytest.mark.parametrize(("model", "way"), WAYS)
@pytest.mark.parametrize("shots", [0, 5])
def test_a_run_costs_what_its_plan_says(
    prose: Benchmark, tmp_path: Path, model: str, way: str, shots: int
) -> None:
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, prose, tmp_path, model, way=way, shots=shots)
        done = carry_out(server, prose, tmp_path, model, way=way, shots=shots)
    assert made.basis.counted == 40
    assert made.requests == len(prose.question_set.questions)
    check(made, done)


@pytest.mark.parametrize(
    ("model", "way"),
    [(OLD, "prefill"), (MIDDLE, "instructed"), (NEW, "structured"), (NEW, "tool")],
)
def test_a_small_run_before_tells_how_long_replies_are(
    server: MessagesServer, prose: Benchmark, tmp_path: Path, model: str, way: str
) -> None:
    carry_out(server, prose, tmp_path, model, way=way, limit=8)
    made = plan(server, prose, tmp_path, model, way=way)
    assert made.basis.experience.replies == 8
    check(made, carry_out(server, prose, tmp_path, model, way=way))


@pytest.mark.parametrize(("model", "way"), [(OLD, "prefill"), (NEW, "structured"), (NEW, "tool")])
def test_pictures_of_all_sizes_are_priced_by_their_sides(
    shapes: Benchmark, tmp_path: Path, model: str, way: str
) -> None:
    options = PlanOptions(count=10)
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, shapes, tmp_path, model, way=way, options=options)
        done = carry_out(server, shapes, tmp_path, model, way=way)
    check(made, done, share=0.01)


@pytest.mark.skipif(not DATA.is_dir(), reason="the published sets are not beside the repository")
@pytest.mark.parametrize(
    ("name", "model", "shots"), [("puzzlevqa", OLD, 0), ("puzzlevqa", NEW, 0), ("mmlu", NEW, 5)]
)
def test_published_sets_cost_what_their_plan_says(
    tmp_path: Path, name: str, model: str, shots: int
) -> None:
    benchmark = load_benchmark(name, data_folder=DATA)
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, benchmark, tmp_path, model, way="instructed", shots=shots)
        done = carry_out(server, benchmark, tmp_path, model, way="instructed", shots=shots)
    check(made, done)


@pytest.mark.parametrize("way", ["prefill", "structured"])
def test_batches_cost_half(prose: Benchmark, tmp_path: Path, way: str) -> None:
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, prose, tmp_path, way=way, batch=True)
        done = carry_out(server, prose, tmp_path, way=way, batch=True)
    assert made.prices is not None
    assert made.price == made.prices.batch
    # The first request is asked directly.
    assert made.price is not None
    assert made.prices.plain / 2 < made.price < made.prices.plain / 2 * 1.05
    assert made.seconds == BATCH_SECONDS
    check(made, done)


@pytest.mark.parametrize(
    ("way", "groups", "concurrency"),
    [
        ("instructed", 1, 1),
        ("instructed", 1, 8),
        ("instructed", 3, 8),
        ("structured", 3, 1),
        ("structured", 1, 8),
        ("tool", 3, 8),
    ],
)
def test_a_long_beginning_is_written_once_and_read_afterwards(
    prose: Benchmark, tmp_path: Path, way: str, groups: int, concurrency: int
) -> None:
    benchmark = make_benchmark(prose, 60, words=200, groups=groups)
    settings: dict[str, Any] = {"way": way, "shots": 5, "concurrency": concurrency}
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, benchmark, tmp_path, NEW, **settings)
        done = carry_out(server, benchmark, tmp_path, NEW, **settings)
    usage = done.usage()
    assert made.prefixes == groups
    assert made.written_tokens == pytest.approx(usage["cache_creation_input_tokens"], rel=0.02)
    assert made.read_tokens == pytest.approx(usage["cache_read_input_tokens"], rel=0.02)
    assert made.prices is not None
    assert made.price == made.prices.cached
    assert made.price is not None
    assert made.price < made.prices.plain / 2
    check(made, done)


def test_a_beginning_too_short_for_the_cache_is_paid_in_full(
    prose: Benchmark, tmp_path: Path
) -> None:
    """It is marked, since its length is an estimate, but the endpoint does not keep it."""
    benchmark = make_benchmark(prose, 40, words=50)
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, benchmark, tmp_path, NEW, way="instructed", shots=5)
        done = carry_out(server, benchmark, tmp_path, NEW, way="instructed", shots=5)
        marked = [r for r in server.requests if r.is_message and "cache_control" in str(r.body)]
    assert marked, "else this test is of something else"
    assert (made.prefixes, done.usage()["cache_read_input_tokens"]) == (0, 0)
    assert made.prices is not None
    assert made.prices.cached is None
    check(made, done)


def test_without_the_cache_nothing_is_read_from_it(prose: Benchmark, tmp_path: Path) -> None:
    benchmark = make_benchmark(prose, 40, words=200)
    settings: dict[str, Any] = {"way": "instructed", "shots": 5, "cache": False}
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, benchmark, tmp_path, NEW, **settings)
        done = carry_out(server, benchmark, tmp_path, NEW, **settings)
    assert (made.prefixes, made.read_tokens) == (0, 0)
    check(made, done)


def test_a_batch_that_shares_one_beginning_finds_it_in_the_cache(
    prose: Benchmark, tmp_path: Path
) -> None:
    benchmark = make_benchmark(prose, 60, words=200)
    settings: dict[str, Any] = {"way": "instructed", "shots": 5, "batch": True}
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, benchmark, tmp_path, NEW, **settings)
        done = carry_out(server, benchmark, tmp_path, NEW, **settings)
    assert made.prices is not None
    assert made.price == made.prices.batch_cached
    check(made, done)


# What is left to ask


def test_what_has_an_answer_is_not_planned_again(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    def lose_some(record: RequestRecord) -> Fault | None:
        is_lost = record.is_message and record.number % 3 == 0
        return Fault(manner="error", status=400, message="no") if is_lost else None

    whole = plan(server, sums, tmp_path, way="prefill")
    server.faults = lose_some
    done = carry_out(server, sums, tmp_path, way="prefill")
    rest = plan(server, sums, tmp_path, way="prefill")
    failed = done.summary.failed
    assert 5 < failed < SUMS
    assert (whole.answered, whole.requests) == (0, SUMS)
    assert (rest.answered, rest.requests) == (SUMS - failed, failed)
    assert rest.input_tokens == pytest.approx(whole.input_tokens * failed / SUMS, rel=0.05)


def test_a_finished_run_is_free_and_nothing_is_counted(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    carry_out(server, sums, tmp_path, way="prefill")
    asked = len(server.requests)
    made = plan(server, sums, tmp_path, way="prefill")
    assert len(server.requests) == asked
    assert (made.requests, made.input_tokens, made.price, made.seconds) == (0, 0, 0.0, 0.0)
    assert made.basis.not_counted is None


def test_several_samples_are_several_requests(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    one = plan(server, sums, tmp_path, way="prefill")
    three = plan(server, sums, tmp_path, way="prefill", samples=3)
    assert (three.questions, three.requests) == (SUMS, 3 * SUMS)
    assert three.price == pytest.approx(3 * (one.price or 0), rel=0.01)


def test_several_orders_are_several_requests(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    one = plan(server, sums, tmp_path, way="prefill")
    four = plan(server, sums, tmp_path, way="prefill", orders="cyclic")
    assert (four.questions, four.requests, four.orders) == (SUMS, 4 * SUMS, "cyclic")
    assert four.price == pytest.approx(4 * (one.price or 0), rel=0.01)
    carry_out(server, sums, tmp_path, way="prefill", orders="cyclic")
    done = plan(server, sums, tmp_path, way="prefill", orders="cyclic")
    assert (done.answered, done.requests) == (4 * SUMS, 0)
    wider = plan(server, sums, tmp_path, way="prefill", orders=2)
    assert (wider.answered, wider.requests) == (0, 2 * SUMS)


def test_what_is_in_a_batch_already_is_not_planned_again(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    path = carry_out(server, sums, tmp_path, way="prefill", limit=20).path
    journal = (path / "responses.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (path / "responses.jsonl").write_text("".join(journal[:5]), encoding="utf-8")
    log = read_batch_log(path / "batches.jsonl")
    ids = [json.loads(line)["request"] for line in journal]
    log.name(log.begin(ids[5:12]), "msgbatch_1")
    log.begin(ids[12:14])  # nobody knows whether these were ever handed over
    made = plan(server, sums, tmp_path, way="prefill", limit=20)
    assert (made.answered, made.under_way, made.requests) == (5, 7, 8)


def test_a_folder_with_other_settings_is_refused(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    path = carry_out(server, sums, tmp_path, way="prefill", limit=5).path
    other = carry_out(server, sums, tmp_path, way="prefill", limit=6).path
    for name in ("manifest.json", "questions.jsonl.gz"):
        (path / name).write_bytes((other / name).read_bytes())
    with pytest.raises(RunMismatchError, match="other settings"):
        plan(server, sums, tmp_path, way="prefill", limit=5)


# What earlier runs tell


def test_replies_cut_off_before_are_expected_again(prose: Benchmark, tmp_path: Path) -> None:
    def ramble(body: Mapping[str, Any]) -> Reply:
        """Half of the questions get an answer that is too long at first."""
        is_long = zlib.crc32(str(body["messages"]).encode()) % 2
        return Reply("well " * 20 + "The answer is (B)." if is_long else "B")

    with MessagesServer(answer=ramble) as server:
        pilot = carry_out(server, prose, tmp_path, MIDDLE, way="instructed", limit=60)
        made = plan(server, prose, tmp_path, MIDDLE, way="instructed")
        done = carry_out(server, prose, tmp_path, MIDDLE, way="instructed")
    assert pilot.retakes > 20
    assert made.retakes == pytest.approx(done.retakes, rel=0.25)
    check(made, done, share=0.12)


def test_only_runs_that_ask_alike_are_experience(
    server: MessagesServer, sums: Benchmark, prose: Benchmark, tmp_path: Path
) -> None:
    done = carry_out(server, sums, tmp_path, NEW, way="instructed", limit=7)
    (tmp_path / "no-run").mkdir()
    (tmp_path / "no-run" / "manifest.json").write_text("{}", encoding="utf-8")
    identity = done.manifest.identity
    assert find_experience(tmp_path, replace(identity, limit=None)).replies == 7
    assert find_experience(tmp_path, replace(identity, benchmark="other")).replies == 7
    for other in (
        replace(identity, model=OLD),
        replace(identity, way="tool"),
        replace(identity, endpoint="elsewhere"),
        replace(identity, parameters={**identity.parameters, "output_config": {"effort": "max"}}),
    ):
        assert find_experience(tmp_path, other) == Experience()
    # Of the benchmark itself there is a better one.
    carry_out(server, prose, tmp_path, NEW, way="instructed", limit=9)
    assert find_experience(tmp_path, identity).replies == 7


def test_a_journal_that_can_not_be_read_is_no_experience(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    done = carry_out(server, sums, tmp_path, NEW, way="instructed", limit=7)
    (done.path / "responses.jsonl").unlink()
    (done.path / "responses.jsonl").mkdir()
    assert find_experience(tmp_path, done.manifest.identity) == Experience()


# How tokens are counted


def test_the_very_requests_are_counted_and_as_many_as_was_asked_for(
    server: MessagesServer, prose: Benchmark, tmp_path: Path
) -> None:
    options = PlanOptions(count=5)
    first = plan(server, prose, tmp_path, way="prefill", options=options)
    counted = [r.body for r in server.requests]
    again = plan(server, prose, tmp_path, way="prefill", options=options)
    carry_out(server, prose, tmp_path, way="prefill")
    sent = [r.body for r in server.requests if r.is_message]
    assert first == again
    assert len(counted) == first.basis.counted == 5
    for body in counted:
        assert any(body["messages"] == other["messages"] for other in sent)
    other_seed = plan(server, prose, tmp_path, way="prefill", seed=1, options=options)
    assert other_seed.input_tokens != first.input_tokens


@given(
    st.lists(st.floats(0.5, 1e5), min_size=1, max_size=50),
    st.integers(1, 20),
    st.integers(0, 2**32),
)
def test_any_sizes_can_be_drawn_from(rests: list[float], count: int, seed: int) -> None:
    drawn = draw([Size(pictures=0, rest=rest) for rest in rests], count, seed)
    assert len(drawn) == count
    assert drawn == sorted(drawn)
    assert 0 <= drawn[0] <= drawn[-1] < len(rests)


def test_large_requests_are_drawn_as_often_as_they_are_large() -> None:
    sizes = [Size(pictures=9, rest=rest) for rest in (10.0, 40.0, 5.0, 45.0)]
    hits = Counter(place for seed in range(2000) for place in draw(sizes, 2, seed))
    for place, size in enumerate(sizes):
        assert hits[place] / 2000 == pytest.approx(2 * size.rest / 100, abs=0.04)


@pytest.mark.parametrize(("way", "most"), [("prefill", 0.1), ("tool", 0.04)])
def test_a_sample_is_as_exact_as_it_says(prose: Benchmark, way: Way, most: float) -> None:
    """Whichever seed draws it: its interval holds the truth as a rule, and the truth is near."""
    model = OLD
    asking = Asking(model=model, capabilities=find_model(model).capabilities)
    ruler = Ruler(facts=find_model(model), images={}, limits=ImageLimits(), resize=False)
    questions = make_benchmark(prose, 600).question_set.questions
    bodies = [build_body(way, build_prompt(q, PromptFormat()), asking) for q in questions]
    served = served_model(model)
    assert served is not None
    sizes = sorted(map(ruler.measure, bodies), key=lambda size: size.rest)
    bodies.sort(key=lambda body: ruler.measure(body).rest)
    truth = sum(count_input_tokens(body, served) for body in bodies)
    held = 0
    for seed in range(60):
        places = draw(sizes, 40, seed)
        counts = Counts(
            sizes=tuple(sizes[place] for place in places),
            tokens=tuple(count_input_tokens(bodies[place], served) for place in places),
            is_sample=True,
        )
        total = sum(size.scaled(counts.ratio) for size in sizes)
        error = 1.96 * counts.error * sum(size.rest for size in sizes)
        assert total == pytest.approx(truth, rel=most)
        assert error / total < most
        held += abs(total - truth) <= error
    assert held >= 54


@pytest.mark.parametrize("model", [OLD, NEW])
@pytest.mark.parametrize("way", ["instructed", "structured", "tool"])
def test_without_a_key_tokens_are_estimated(
    server: MessagesServer, prose: Benchmark, tmp_path: Path, model: str, way: str
) -> None:
    """Within a factor of two of what the test server counts; nobody is asked."""
    made = plan(server, prose, tmp_path, model, way=way, endpoint=Endpoint())
    counted = plan(server, prose, tmp_path, model, way=way)
    assert made.basis.counted == 0
    assert made.basis.not_counted == "there is no key"
    assert 0.5 < made.input_tokens / counted.input_tokens < 2


def test_offline_nobody_is_asked(server: MessagesServer, sums: Benchmark, tmp_path: Path) -> None:
    made = plan(server, sums, tmp_path, way="prefill", options=PlanOptions(offline=True))
    assert server.requests == []
    assert made.basis.not_counted == "nobody was to be asked"


@pytest.mark.parametrize(
    "fault",
    [
        Fault(manner="page", status=404, content=b"File Not Found"),
        Fault(manner="page", status=501, content=b"no"),
        Fault(manner="page", status=200, content=b"<html>"),
    ],
)
def test_an_endpoint_that_does_not_count_is_asked_once(
    sums: Benchmark, tmp_path: Path, fault: Fault
) -> None:
    with MessagesServer(faults=lambda record: fault) as server:
        made = plan(server, sums, tmp_path, way="prefill")
        assert len(server.requests) == 1
    assert made.basis.counted == 0
    assert (made.basis.not_counted or "").startswith("the endpoint doesn't count: ")


def test_counting_is_tried_again_and_a_wrong_key_is_an_error(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    server.faults = first_attempts(Fault(manner="error", status=529, message="Overloaded"))
    assert plan(server, sums, tmp_path, way="prefill").basis.counted == SUMS
    wrong = Endpoint(base_url=server.base_url, api_key="wrong-key")
    with pytest.raises(AuthenticationError):
        plan(server, sums, tmp_path, way="prefill", endpoint=wrong)


def test_one_request_that_is_refused_ends_the_counting(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    def refuse(record: RequestRecord) -> Fault | None:
        return Fault(manner="error", status=400, message="no") if record.number == 5 else None

    server.faults = refuse
    with pytest.raises(InvalidRequestError, match="no"):
        plan(server, sums, tmp_path, way="prefill")


def test_a_picture_at_an_address_is_guessed_and_set_right(prose: Benchmark, tmp_path: Path) -> None:
    questions = tuple(
        replace(question, images=(refer_to_image(f"https://example.org/{question.id}.png"),))
        for question in prose.question_set.questions
    )
    benchmark = replace(prose, question_set=QuestionSet(questions=questions))
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, benchmark, tmp_path, way="prefill")
        check(made, carry_out(server, benchmark, tmp_path, way="prefill"))


def test_examples_with_many_pictures_are_scaled_down_further(
    shapes: Benchmark, tmp_path: Path
) -> None:
    """In a request with more than twenty, none may have a side of more than 2000 pixels."""
    large = next(q for q in shapes.question_set.questions if max_side(q) > 2000)
    examples = tuple(replace(q, id=f"{q.id}-x") for q in shapes.question_set.questions[:24])
    asked = replace(large, stem="How large?")
    benchmark = replace(shapes, question_set=QuestionSet(questions=(asked,), examples=examples))
    settings: dict[str, Any] = {"way": "instructed", "shots": 24, "resize": True}
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, benchmark, tmp_path, NEW, **settings)
        check(made, carry_out(server, benchmark, tmp_path, NEW, **settings), share=0.01)


def max_side(question: Question) -> int:
    return max(max(image.width or 0, image.height or 0) for image in question.images)


# Which way


def test_where_only_a_paid_request_would_tell_both_ways_are_planned(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    made = plan(server, sums, tmp_path)
    assert made.way == "prefill"
    assert made.otherwise is not None
    assert made.otherwise.way == "instructed"
    total = add_up([made])
    assert total["price"] == max(made.price or 0, made.otherwise.price or 0)
    assert total["requests"] == SUMS
    carry_out(server, sums, tmp_path, limit=3)  # which finds it out
    made = plan(server, sums, tmp_path)
    assert (made.way, made.otherwise) == ("prefill", None)


def test_what_was_found_out_before_decides(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    found = Capabilities(prefill=False, temperature=True, thinking="off")
    default_findings().remember(found, OLD, endpoint_of(server).host)
    made = plan(server, sums, tmp_path)
    assert (made.way, made.otherwise) == ("instructed", None)


def test_the_catalogue_decides_at_the_official_api(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    offline = PlanOptions(offline=True)
    for model, way in ((OLD, "prefill"), (NEW, "instructed")):
        made = plan(server, sums, tmp_path, model, endpoint=Endpoint(), options=offline)
        assert (made.way, made.otherwise) == (way, None)


def test_a_way_that_the_model_does_not_take_is_an_error_or_a_note(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    offline = PlanOptions(offline=True)
    made = plan(server, sums, tmp_path, NEW, way="prefill", options=offline)
    assert made.notes == (f"{NEW} takes no prefill: it can't be run",)
    with pytest.raises(InvalidRequestError, match=f"{NEW} takes no prefill; use --way auto"):
        plan(server, sums, tmp_path, NEW, way="prefill")


def test_what_counting_refuses_is_left_out_as_the_run_would(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    """The findings are wrong; the endpoint says so for nothing."""
    wrong = Capabilities(prefill=True, temperature=False, thinking="disabled")
    default_findings().remember(wrong, THINKS, endpoint_of(server).host)
    made = plan(server, sums, tmp_path, THINKS, way="instructed")
    assert made.basis.counted == SUMS
    assert "thinking" not in server.requests[-1].body


# Figures without earlier runs


@pytest.mark.parametrize(
    ("model", "way", "tokens"),
    [
        (OLD, "prefill", 1),
        (OLD, "instructed", 4),
        (OLD, "structured", 10),
        (OLD, "tool", 30),
        (OLD, "reasoned", 400),
        (THINKS, "instructed", 304),
        (THINKS, "reasoned", 400),
    ],
)
def test_a_typical_reply_stands_in_for_one_that_is_not_known(
    server: MessagesServer, sums: Benchmark, tmp_path: Path, model: str, way: str, tokens: int
) -> None:
    made = plan(server, sums, tmp_path, model, way=way, options=PlanOptions(offline=True))
    assert made.output_tokens == tokens * SUMS
    assert made.basis.experience.output_tokens is None


def test_no_reply_is_longer_than_its_room(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    options = PlanOptions(offline=True)
    made = plan(server, sums, tmp_path, way="tool", max_tokens=20, options=options)
    assert made.output_tokens == 20 * SUMS


@pytest.mark.parametrize(
    ("settings", "headers", "seconds"),
    [
        # Thirty requests of two seconds, so many at a time.
        ({"concurrency": 1}, {}, 30 * 2.02),
        ({"concurrency": 8}, {}, 30 * 2.02 / 8),
        ({"max_concurrency": 10}, {}, 30 * 2.02 / 10),
        ({}, {}, 2.02),
        ({"concurrency": 20}, {}, 30 * 2.02 / 20),
        ({"concurrency": 100}, {"input-tokens": 10**9}, 2.02),
        ({"concurrency": 100, "samples": 10}, {}, 60 * 300 / 1000),
        ({"limit": 1}, {}, 2.02),
        # A minute has room for less.
        ({}, {"input-tokens": 10**9, "requests": 10}, 60 * 30 / 10),
        ({}, {"input-tokens": 10**9, "output-tokens": 15}, 60 * 30 / 15),
        ({}, {"input-tokens": 30}, None),
        ({"concurrency": 8}, {"requests": 1}, 30 * 2.02 / 8),  # that is the limit on counting
        ({"batch": True}, {"input-tokens": 1}, BATCH_SECONDS),
    ],
)
def test_the_time_is_bounded_by_concurrency_and_by_limits(
    sums: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    headers: dict[str, int],
    seconds: float | None,
) -> None:
    with MessagesServer() as server:
        told = {f"anthropic-ratelimit-{kind}-limit": str(n) for kind, n in headers.items()}
        official = server._official_headers
        monkeypatch.setattr(server, "_official_headers", lambda record: official(record) | told)
        made = plan(server, sums, tmp_path, way="prefill", **settings)
    wanted = 60 * made.input_tokens / 30 if seconds is None else seconds
    assert made.seconds == pytest.approx(wanted, rel=0.01)
    if not settings.get("batch"):
        is_told = bool(headers.keys() - {"requests"})
        assert made.basis.limits_assumed is not is_told
        assert made.basis.limits == (parse_limits(told) if is_told else START_TIER)


def test_limits_of_the_largest_models_are_lower(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    options = PlanOptions(offline=True)
    made = plan(server, sums, tmp_path, "claude-fable-5-2", way="instructed", options=options)
    assert made.basis.limits == START_TIER_OF_LARGEST


def test_headers_that_make_no_sense_tell_no_limit() -> None:
    name = "anthropic-ratelimit-input-tokens-limit"
    for text in ("", "many", "-1", "0", "٣"):
        assert parse_limits({name: text}) is None
    assert parse_limits({name: "5"}) == RateLimits(input_tokens=5)


def test_earlier_runs_tell_how_long_a_request_takes(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(latency_seconds=0.1) as server:
        carry_out(server, sums, tmp_path, way="prefill", limit=5)
        made = plan(server, sums, tmp_path, way="prefill")
    assert 0.1 <= made.basis.seconds < 1
    assert made.seconds == pytest.approx(max(30 * made.basis.seconds / 8, 60 * 30 / 1000))


# Prices


def test_without_a_known_price_there_is_none(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    options = PlanOptions(offline=True, margin=0.05)
    made = plan(server, sums, tmp_path, "llama-9", way="prefill", options=options)
    assert (made.prices, made.price) == (None, None)
    assert [need.price for need in made.needs] == [None] * 4
    assert add_up([made])["price"] is None


def test_a_price_of_ones_own_counts(
    server: MessagesServer, sums: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "models.toml"
    price = "price = { input = 2.0, output = 8.0, batch_factor = 0.25 }"
    path.write_text(f'[[model]]\nid = "llama-9"\n{price}\n', encoding="utf-8")
    monkeypatch.setenv("EVALKIT_MODELS", str(path))
    options = PlanOptions(offline=True)
    made = plan(server, sums, tmp_path, "llama-9", way="prefill", options=options)
    dollars = (2.0 * made.input_tokens + 8.0 * made.output_tokens) / 1e6
    assert made.price == pytest.approx(dollars, rel=0.01)
    assert made.prices is not None
    assert made.prices.batch == pytest.approx(dollars / 4, rel=0.12)


def test_prompts_above_a_length_cost_more(prose: Benchmark, tmp_path: Path) -> None:
    stem = " ".join(WORDS * 2600)
    question = replace(prose.question_set.questions[0], stem=stem)
    benchmark = replace(prose, question_set=QuestionSet(questions=(question,)))
    with MessagesServer(answer=say_at_length) as server:
        made = plan(server, benchmark, tmp_path, "claude-haiku-5-5", way="instructed")
        done = carry_out(server, benchmark, tmp_path, "claude-haiku-5-5", way="instructed")
    assert made.input_tokens > 100_000
    check(made, done)


def test_an_embedded_model_is_free_and_not_started(
    server: MessagesServer, sums: Benchmark, tmp_path: Path, own_environment: Path
) -> None:
    made = plan(server, sums, tmp_path, "local/smollm2-135m", options=PlanOptions(margin=0.02))
    assert server.requests == []
    assert made.way == "prefill"
    assert made.prices is not None
    assert (made.price, made.prices.batch, made.seconds) == (0.0, None, SUMS * 1.0)
    assert made.basis.limits is None
    assert made.basis.not_counted == "embedded models are not started"
    assert list(own_environment.iterdir()) == [], "no weights were fetched"


def test_an_embedded_model_of_ones_own_has_to_be_there(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(b"GGUF...")
    assert plan(server, sums, tmp_path, f"local/{path}").price == 0.0
    with pytest.raises(UsageError, match="no embedded model is called 'local/gpt'"):
        plan(server, sums, tmp_path, "local/gpt")


# Margins


def test_a_margin_tells_the_questions_it_takes_and_their_price(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    made = plan(server, sums, tmp_path, way="prefill", options=PlanOptions(margin=0.06))
    single, *paired = made.needs
    assert [need.flips for need in made.needs] == [None, 0.05, 0.10, 0.20]
    assert single.questions is not None
    interval = wilson_interval(single.questions // 2, single.questions)
    assert (interval.high - interval.low) / 2 == pytest.approx(0.06, abs=0.001)
    assert paired[0].questions is None, "so few flips can't make such a difference"
    for need in paired[1:]:
        assert need.questions is not None
        assert need.flips is not None
        assert power_of_difference(0.06, need.flips, need.questions) >= 0.8
        assert power_of_difference(0.06, need.flips, need.questions - 1) < 0.8
    each = (made.price or 0) / SUMS
    for need in made.needs:
        price = None if need.questions is None else pytest.approx(each * need.questions)
        assert need.price == price
    assert single.gates == ()


def test_a_margin_tells_what_a_gate_will_use(
    server: MessagesServer, prose: Benchmark, tmp_path: Path
) -> None:
    made = plan(server, prose, tmp_path, way="prefill", options=PlanOptions(margin=0.06))
    count = len(prose.question_set.questions)
    for need in made.needs[1:]:
        assert need.flips is not None
        assert [gate.drop for gate in need.gates] == [0.0, 0.05]
        for gate in need.gates:
            expected = expected_questions(count, delta=0.06, drop=gate.drop, flips=need.flips)
            assert gate.questions == math.ceil(expected) <= count
            assert gate.price == pytest.approx((made.price or 0) / count * gate.questions)


def test_a_gate_is_expected_to_use_more_flips_where_a_drop_takes_them(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    options = PlanOptions(margin=0.02, flips=0.01)
    made = plan(server, sums, tmp_path, way="prefill", options=options)
    [need] = made.needs[1:]
    assert need.questions is None
    expected = expected_questions(SUMS, delta=0.02, drop=0.05, flips=0.05)
    assert need.gates[1].questions == math.ceil(expected)


def test_flips_and_power_can_be_stated(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    options = PlanOptions(margin=0.02, flips=0.07, power=0.9)
    made = plan(server, sums, tmp_path, way="prefill", options=options)
    assert [need.flips for need in made.needs] == [None, 0.07]
    assert made.needs[1].questions == questions_needed(0.02, 0.07, power=0.9)
    assert (made.power, made.precedent) == (0.9, None)


def test_flips_are_those_of_two_earlier_runs(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    for way in ("prefill", "instructed"):
        carry_out(server, sums, tmp_path, way=way)
    made = plan(server, sums, tmp_path, options=PlanOptions(margin=0.02), way="prefill")
    found = find_precedent(tmp_path, made_identity(tmp_path, "prefill"))
    assert found is not None
    assert made.precedent == found
    assert [need.flips for need in made.needs] == [None, found.flips]
    stated = PlanOptions(margin=0.02, flips=0.05)
    assert plan(server, sums, tmp_path, options=stated, way="prefill").precedent is None
    assert plan(server, sums, tmp_path, way="prefill").precedent is None, "nobody asked for it"


def made_identity(results: Path, way: str) -> Identity:
    """What was asked in a run that is there."""
    [path] = results.glob(f"*--{way}--*")
    return load_run(path).manifest.identity


def test_a_margin_has_its_price_even_when_nothing_is_left_to_ask(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    options = PlanOptions(margin=0.05)
    before = plan(server, sums, tmp_path, way="prefill", options=options)
    carry_out(server, sums, tmp_path, way="prefill")
    after = plan(server, sums, tmp_path, way="prefill", options=options)
    assert (after.requests, after.price) == (0, 0.0)
    assert after.needs[0].price == pytest.approx(before.needs[0].price, rel=0.01)


# What else is said


def test_a_budget_that_does_not_suffice_is_noted(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    enough = plan(server, sums, tmp_path, way="prefill", budget=1.0)
    small = plan(server, sums, tmp_path, way="prefill", budget=0.0001)
    assert enough.notes == ()
    assert small.notes == ("the budget of $0.0001 would end it before it is done",)


def test_what_a_run_would_warn_of_is_noted(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    options = PlanOptions(offline=True)
    made = plan(server, sums, tmp_path, "claude-opus-4-1", way="instructed", options=options)
    [note] = made.notes
    assert note.startswith("claude-opus-4-1-20250805 was retired")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PlanOptions(count=0), "count 0: expected at least 1"),
        (lambda: PlanOptions(margin=0.0), "margin 0: expected percentage points"),
        (lambda: PlanOptions(margin=0.5), "margin 50: expected percentage points"),
        (lambda: PlanOptions(margin=float("nan")), "margin nan: expected percentage points"),
        (lambda: PlanOptions(power=0.05), "power 0.05: expected a fraction, more than 0.05"),
        (lambda: PlanOptions(power=1.0), "power 1: expected a fraction, more than 0.05, below 1"),
        (lambda: PlanOptions(flips=0.0), "flips 0: expected a fraction, more than 0"),
        (lambda: PlanOptions(flips=1.1), "flips 1.1: expected a fraction, more than 0, at most 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (" ", {}, "expected a name such as"),
        (OLD, {"effort": "low"}, "it takes none"),
        ("llama-9", {"budget": 1.0}, "no price is known"),
        ("local/smollm2-135m", {"batch": True}, "has no batches"),
    ],
)
def test_what_a_run_refuses_a_plan_refuses(
    server: MessagesServer,
    sums: Benchmark,
    tmp_path: Path,
    model: str,
    settings: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(UsageError, match=message):
        plan(server, sums, tmp_path, model, **settings)


def test_a_model_that_the_endpoint_does_not_have_is_no_lack_of_counting(
    sums: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the official API; elsewhere, status 404 may mean either."""
    with MessagesServer() as server:
        made = plan(server, sums, tmp_path, "claude-nope", way="instructed")
        assert "no model 'claude-nope', or doesn't count" in (made.basis.not_counted or "")
    monkeypatch.setattr(Endpoint, "is_official", True)
    with MessagesServer() as server, pytest.raises(NotFoundError):
        plan(server, sums, tmp_path, "claude-nope", way="instructed")


def test_a_plan_can_be_made_where_a_loop_is_running(
    server: MessagesServer, sums: Benchmark, tmp_path: Path
) -> None:
    async def in_a_notebook() -> Plan:
        return plan(server, sums, tmp_path, way="prefill")

    assert asyncio.run(in_a_notebook()) == plan(server, sums, tmp_path, way="prefill")


def test_a_plan_is_json(server: MessagesServer, sums: Benchmark, tmp_path: Path) -> None:
    made = plan(server, sums, tmp_path, options=PlanOptions(margin=0.05))
    table = json.loads(json.dumps(made.to_dict()))
    assert table["otherwise"]["way"] == "instructed"
    assert table["prices"]["plain"] == made.price


def test_benchmarks_are_found_by_name_and_the_environment_names_the_endpoint(
    server: MessagesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
    made = planning.plan("everyday", OLD, results=tmp_path, settings=RunSettings(way="prefill"))
    assert (made.benchmark, made.basis.counted) == ("everyday", 40)


def test_long_counting_shows_how_far_it_has_come(
    sums: Benchmark,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("evalkit.progress.LONG_SECONDS", 0.05)
    with MessagesServer(latency_seconds=0.1) as server:
        for shown in (False, True):
            planning.plan(
                sums,
                OLD,
                settings=RunSettings(way="prefill", concurrency=2),
                endpoint=endpoint_of(server),
                results=tmp_path,
                options=PlanOptions(count=6),
                progress=shown,
            )
            assert ("counting sums" in capsys.readouterr().err) is shown


def test_answers_are_typed() -> None:
    """`say_at_length` is what the server takes."""
    answer: Answer = say_at_length
    assert answer({"messages": [{"role": "user", "content": "?"}]}).output_tokens == 4


def test_an_endpoint_that_refuses_one_thing_for_the_other_is_not_counted_for_ever(
    prose: Benchmark, tmp_path: Path
) -> None:
    words = "thinking.type.adaptive and thinking.type.enabled are not supported"
    fault = Fault(manner="error", status=400, message=words)
    with MessagesServer(faults=lambda record: fault) as server:
        with pytest.raises(InvalidRequestError, match="are not supported"):
            plan(server, prose, tmp_path, "claude-sonnet-4-6", way="reasoned")
        asked = {json.dumps(record.body.get("thinking")) for record in server.requests}
        rounds = len(server.requests)
    assert len(asked) == 2
    assert rounds <= (MOST_LESSONS + 1) * PlanOptions().count
