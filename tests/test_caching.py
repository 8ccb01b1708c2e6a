"""What requests share is marked once, written once and read by all the others."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.caching import (
    list_images,
    mark_prefix,
    measure_prefix,
    name_prefix,
    split_shared,
)
from evalkit.elicitation.choose import build_body
from evalkit.evaluation import run
from evalkit.images import ImageLimits, refer_to_image
from evalkit.models.catalogue import find_model
from evalkit.models.model import Price
from evalkit.prompts import PromptFormat, build_prompt
from evalkit.questions import Question, QuestionSet
from evalkit.requests import Way
from evalkit.responses import Response, Usage
from evalkit.results import Run, load_run
from evalkit.runs.costs import savings_of_rows, savings_of_usage
from evalkit.runs.journal import JournalRow
from evalkit.sending import Courier
from evalkit.settings import RunSettings
from evalkit.testing.messages_body import Body, last_user_text
from evalkit.testing.messages_caching import least_cacheable_tokens
from evalkit.testing.messages_faults import Fault, overloaded, server_error
from evalkit.testing.messages_models import MODELS
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call, point_at
from tests.conftest import QUICK, SUMS, endpoint_of, sums_answers
from tests.pictures import paint, write_rows

HAIKU, SONNET, OPUS = "claude-haiku-4-5", "claude-sonnet-4-5", "claude-opus-5-5"
"""Models that cache from 4096, 1024 and 512 tokens on; the first two take all ways of asking."""

WAYS: tuple[Way, ...] = ("prefill", "instructed", "structured", "tool", "reasoned")
ADDRESS = refer_to_image("https://example.org/a.png")


def question_of(name: str, **fields: Any) -> Question:
    """A question with four choices."""
    plain = {"stem": f"{name}?", "choices": ("1", "2", "3", "4"), "right": (1,)}
    return Question(**{"id": name, **plain, **fields})


def body_of(way: Way, examples: int, *, system: str = "", **fields: Any) -> dict[str, Any]:
    """A request with worked examples."""
    shown = [question_of(f"example{number}", **fields) for number in range(examples)]
    prompt = build_prompt(question_of("asked", **fields), PromptFormat(system=system), shown)
    asking = Asking(model=HAIKU, capabilities=find_model(HAIKU).capabilities)
    return build_body(way, prompt, asking)


def marks_in(part: Any, place: str = "") -> list[str]:
    """Where a body has breakpoints."""
    if isinstance(part, Mapping):
        found = [place] if "cache_control" in part else []
        return found + [
            mark
            for key, value in part.items()
            if key != "cache_control"
            for mark in marks_in(value, f"{place}.{key}")
        ]
    if isinstance(part, list | tuple):
        return [m for n, item in enumerate(part) for m in marks_in(item, f"{place}.{n}")]
    return []


def without_marks(part: Any) -> Any:
    """A body as it was before it was marked; texts are blocks of text."""
    if isinstance(part, Mapping):
        return {k: without_marks(v) for k, v in part.items() if k != "cache_control"}
    if isinstance(part, list | tuple):
        plain = [without_marks(item) for item in part]
        is_text = len(plain) == 1 and isinstance(plain[0], dict) and plain[0].get("type") == "text"
        return plain[0]["text"] if is_text else plain
    return part


# Where the mark goes


@pytest.mark.parametrize("pictures", [0, 1, 2])
@pytest.mark.parametrize("way", WAYS)
def test_the_mark_is_on_the_last_block_before_the_question(way: Way, pictures: int) -> None:
    body = body_of(way, 2, images=(ADDRESS,) * pictures)
    before = json.dumps(body)
    marked = mark_prefix(body)
    assert json.dumps(body) == before, "the request itself does not change"
    assert without_marks(marked) == without_marks(body)
    # In the way by tool, the question's turn begins with the result of the last example's call.
    place = ".messages.4.content.0" if way == "tool" else ".messages.3.content.0"
    assert marks_in(marked) == [place]
    assert marked["messages"][4]["content"] != marked["messages"][3]["content"]


@pytest.mark.parametrize("way", WAYS)
def test_without_examples_the_mark_is_on_the_system_text(way: Way) -> None:
    marked = mark_prefix(body_of(way, 0, system="Be careful. " * 999))
    assert marks_in(marked) == [".system.0"]


def test_where_nothing_is_shared_there_is_no_mark() -> None:
    body = body_of("prefill", 0)
    assert (mark_prefix(body), measure_prefix(body)) == (body, 0)


@pytest.mark.parametrize("way", WAYS)
def test_a_request_with_a_mark_is_taken_by_the_strict_server(way: Way, tmp_path: Path) -> None:
    async def send() -> None:
        from evalkit.api.client import MessagesClient

        async with MessagesClient(endpoint_of(server), 1) as client:
            await client.send(mark_prefix(body_of(way, 3, system="Be careful.")))

    with MessagesServer() as server:
        asyncio.run(send())
        assert server.count(200) == 1


# What is shared


@pytest.mark.parametrize("way", WAYS)
def test_the_question_is_no_part_of_what_is_shared(way: Way) -> None:
    parts, last = split_shared(body_of(way, 2))
    assert last == 4
    assert "example1?" in json.dumps(parts)
    assert "asked?" not in json.dumps(parts)
    assert measure_prefix(body_of(way, 2)) > measure_prefix(body_of(way, 1)) > 0


def test_pictures_are_counted_apart() -> None:
    body = body_of("instructed", 3, images=(ADDRESS,))
    assert list_images(body) == [ADDRESS.digest] * 3
    assert measure_prefix(body) < measure_prefix(body_of("instructed", 3)) + 64


@pytest.mark.parametrize("way", WAYS)
def test_prefixes_that_differ_for_the_endpoint_have_different_names(way: Way) -> None:
    name = name_prefix(body_of(way, 2))
    assert name == name_prefix(body_of(way, 2))
    assert name != name_prefix(body_of(way, 1))
    assert name != name_prefix(body_of(way, 2, system="Be careful."))
    body = body_of(way, 2)
    other = {**body, "messages": [*body["messages"][:4], {"role": "user", "content": "Other?"}]}
    if way == "tool":
        result = body["messages"][4]["content"][0]
        other["messages"][4] = {"role": "user", "content": [result, {"type": "text", "text": "O"}]}
    assert name == name_prefix(other)


def test_a_schema_with_more_labels_begins_otherwise() -> None:
    """The endpoint puts it before everything else."""
    examples = [question_of("e", stem="word " * 999)]
    names = set()
    for choices in (("1", "2"), ("1", "2", "3")):
        prompt = build_prompt(question_of("q", choices=choices), PromptFormat(), examples)
        asking = Asking(model=HAIKU, capabilities=find_model(HAIKU).capabilities)
        names.add(name_prefix(build_body("structured", prompt, asking)))
    assert len(names) == 2


@pytest.mark.parametrize("model", [model for model in MODELS if find_model(model.alias).price])
def test_the_catalogue_knows_from_where_on_a_model_caches(model: Any) -> None:
    assert find_model(model.alias).cache_minimum_tokens == least_cacheable_tokens(model)


# Runs


def with_examples(sums: Benchmark, words: int, groups: int = 2) -> Benchmark:
    """The sums with worked examples of so many words; each subject has six of its own."""
    examples = tuple(
        Question(
            id=f"example{number}",
            stem=f"Example {number}: " + "one " * words,
            choices=("1", "2", "3", "4"),
            right=(number % 4,),
            group=("even", "odd")[number % groups],
        )
        for number in range(12)
    )
    return replace(
        sums, question_set=QuestionSet(questions=sums.question_set.questions, examples=examples)
    )


def ask(
    server: MessagesServer,
    benchmark: Benchmark | Path,
    results: Path,
    model: str = SONNET,
    **settings: Any,
) -> Run:
    """Run a benchmark with six worked examples, quickly."""
    plain = {"way": "instructed", "retries": QUICK, "shots": 6}
    return run(
        benchmark,
        model,
        settings=RunSettings(**{**plain, **settings}),
        endpoint=endpoint_of(server),
        results=results,
        progress=False,
    )


def uses(done: Run) -> Counter[str]:
    """How many responses wrote to the cache, read from it, or did neither."""
    counts: Counter[str] = Counter()
    responses = [row.result for row in done.rows if isinstance(row.result, Response)]
    assert len(responses) == len(done.rows) - done.summary.failed
    for response in responses:
        usage = response.usage
        written, read = usage.cache_creation_input_tokens, usage.cache_read_input_tokens
        counts["both" if written and read else "write" if written else "read" if read else "-"] += 1
    return counts


@pytest.mark.parametrize("concurrency", [1, 8, 32])
@pytest.mark.parametrize("way", WAYS)
def test_each_prefix_is_written_once_and_read_by_all_others(
    way: Way, concurrency: int, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers(), latency_seconds=0.03) as server:
        done = ask(*(server, with_examples(sums, 300), tmp_path), way=way, concurrency=concurrency)
        assert done.is_complete
        assert uses(done) == {"write": 2, "read": SUMS - 2}
        if concurrency > 1:
            assert server.peak_concurrency > 4, "the others do not wait for one another"
        marks = [marks_in(record.body) for record in server.requests if "system" in record.body]
    assert all(len(mark) == 1 for mark in marks)


def test_a_schema_of_its_own_is_a_prefix_of_its_own(sums: Benchmark, tmp_path: Path) -> None:
    mixed = tuple(
        replace(question, choices=(*question.choices, "none"))
        if int(question.id[1:]) % 3 == 0
        else question
        for question in sums.question_set.questions
    )
    benchmark = with_examples(sums, 300)
    benchmark = replace(benchmark, question_set=replace(benchmark.question_set, questions=mixed))
    for way in ("structured", "tool"):
        with MessagesServer(answer=sums_answers(), latency_seconds=0.03) as server:
            done = ask(server, benchmark, tmp_path / way, way=way)
        assert uses(done) == {"write": 4, "read": SUMS - 4}


@pytest.mark.parametrize(("model", "words"), [(HAIKU, 300), (SONNET, 60), (OPUS, 10)])
def test_a_prefix_that_is_too_short_is_not_marked(
    model: str, words: int, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, with_examples(sums, words), tmp_path, model)
        assert [marks_in(record.body) for record in server.requests] == [[]] * SUMS
    assert uses(done) == {"-": SUMS}
    assert done.cache_savings == 0


@pytest.mark.parametrize(("model", "words"), [(HAIKU, 900), (SONNET, 250), (OPUS, 120)])
def test_a_prefix_that_is_long_enough_is_marked(
    model: str, words: int, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, with_examples(sums, words), tmp_path, model)
    assert uses(done) == {"write": 2, "read": SUMS - 2}


def test_a_long_system_text_is_shared_by_all(sums: Benchmark, tmp_path: Path) -> None:
    form = PromptFormat(system="Be very careful with numbers. " * 400)
    with MessagesServer(answer=sums_answers(), latency_seconds=0.02) as server:
        done = ask(server, sums, tmp_path, shots=0, prompt=form, way="prefill")
        assert {tuple(marks_in(r.body)) for r in server.requests[1:]} == {(".system.0",)}
    assert uses(done) == {"write": 1, "read": SUMS - 1}


@pytest.mark.parametrize("source", ["base64", "file"])
@pytest.mark.parametrize("way", WAYS)
def test_examples_with_pictures_are_cached_too(way: Way, source: str, tmp_path: Path) -> None:
    """Their text alone would be too short."""
    for number in range(3):
        paint(tmp_path / f"{number}.png", seed=number, size=(900, 900))
    rows = [
        {"id": f"q{n}", "question": f"Part {n}?", "image": "0.png", "example": n >= 12}
        for n in range(14)
    ]
    for row in rows[12:]:
        row["image"] = f"{int(str(row['id'])[1:]) - 11}.png"
    benchmark = load_benchmark(write_rows(tmp_path / "q.jsonl", rows))
    with MessagesServer(latency_seconds=0.03) as server:
        done = ask(server, benchmark, tmp_path / "r", way=way, shots=2, images=source)
    assert uses(done) == {"write": 1, "read": 11}


def test_samples_share_their_prefix(sums: Benchmark, tmp_path: Path) -> None:
    with MessagesServer(answer=sums_answers(), latency_seconds=0.02) as server:
        done = ask(server, with_examples(sums, 300), tmp_path, samples=3, limit=10)
    assert uses(done)["write"] == 2


def test_what_is_cut_off_and_asked_again_reads_as_well(sums: Benchmark, tmp_path: Path) -> None:
    def cut(body: Body) -> Reply:
        is_first = body["max_tokens"] <= 4096
        return Reply("Hm", stop_reason="max_tokens") if is_first else Reply(letter="A")

    with MessagesServer(answer=cut, latency_seconds=0.02) as server:
        done = ask(server, with_examples(sums, 300), tmp_path, way="reasoned")
    assert (done.retakes, uses(done)["write"]) == (SUMS, 2)


# Failures


@pytest.mark.parametrize("attempts", [1, 3])
def test_when_the_first_request_fails_another_takes_its_place(
    attempts: int, sums: Benchmark, tmp_path: Path
) -> None:
    """Three times it is tried; then the next request warms the cache, alone again."""
    benchmark = with_examples(sums, 300)
    spoilt: dict[str, str] = {}

    def plan(record: RequestRecord) -> Fault | None:
        group = json.dumps(record.body["messages"][:2])
        first = spoilt.setdefault(group, last_user_text(record.body))
        is_first = last_user_text(record.body) == first
        return server_error() if is_first and record.attempt <= attempts else None

    with MessagesServer(answer=sums_answers(), faults=plan, latency_seconds=0.03) as server:
        done = ask(server, benchmark, tmp_path)
    assert done.summary.failed == (2 if attempts == 3 else 0)
    assert uses(done)["write"] == 2
    assert uses(done)["-"] == 0


def test_an_endpoint_that_fails_for_ever_is_not_waited_for(sums: Benchmark, tmp_path: Path) -> None:
    def plan(record: RequestRecord) -> Fault | None:
        return overloaded() if record.body_number > 1 else None

    settings: dict[str, Any] = {"retries": replace(QUICK, attempts=1), "concurrency": 8}
    with MessagesServer(answer=sums_answers(), faults=plan) as server:
        with pytest.raises(Exception, match="Overloaded"):
            ask(server, with_examples(sums, 300), tmp_path, **settings)
        assert len(server.requests) < SUMS


def test_a_courier_lets_one_go_first_and_then_all() -> None:
    courier = Courier(facts=find_model(SONNET), limits=ImageLimits(), images={})
    bodies = [
        {"system": "word " * 9000 + name, "messages": [{"role": "user", "content": f"{n}?"}]}
        for name in ("a", "b")
        for n in range(6)
    ]
    most: Counter[str] = Counter()
    under_way: Counter[str] = Counter()
    failures = {"a": 2, "b": 0}

    async def go(body: dict[str, Any]) -> None:
        name = body["system"][-1]
        for _ in range(1000):
            if courier.may_go(body):
                break
            await asyncio.sleep(0.002)
        under_way[name] += 1
        most[name] = max(most[name], under_way[name])
        is_warm = failures[name] == -1
        assert is_warm or under_way[name] == 1, "alone until one is answered"
        await asyncio.sleep(0.01)
        under_way[name] -= 1
        if failures[name] > 0:
            failures[name] -= 1
            courier.note_failed(body)
        else:
            failures[name] = -1
            courier.note_answered(body)

    async def all_of_them() -> None:
        async with asyncio.timeout(5):
            await asyncio.gather(*map(go, bodies))

    asyncio.run(all_of_them())
    assert most == {"a": 3, "b": 5}


# Without


def test_the_same_requests_are_asked_without_the_cache(sums: Benchmark, tmp_path: Path) -> None:
    benchmark = with_examples(sums, 300)
    with MessagesServer(answer=sums_answers()) as server:
        marked = ask(server, benchmark, tmp_path / "a")
        plain = ask(server, benchmark, tmp_path / "b", cache=False)
        asked = len(server.requests)
        assert not any(marks_in(record.body) for record in server.requests[SUMS:])
        assert ask(server, benchmark, tmp_path / "a", cache=False).to_dict() == marked.to_dict()
        assert len(server.requests) == asked
    assert {row.request_id for row in marked.rows} == {row.request_id for row in plain.rows}
    assert marked.path.name == plain.path.name
    assert uses(plain) == {"-": SUMS}
    assert plain.cache_savings == 0


# Money


def test_savings_are_the_difference_to_the_same_run_without(
    sums: Benchmark, tmp_path: Path
) -> None:
    benchmark = with_examples(sums, 300)
    with MessagesServer(answer=sums_answers()) as server:
        cached = ask(server, benchmark, tmp_path / "a")
        plain = ask(server, benchmark, tmp_path / "b", cache=False)
    assert cached.cost is not None
    assert plain.cost is not None
    assert cached.cache_savings == pytest.approx(plain.cost - cached.cost)
    assert cached.cost < plain.cost / 3
    facts = load_run(cached.path).to_dict()
    assert facts["cache_savings"] == cached.cache_savings
    assert json.loads((cached.path / "summary.json").read_text()) == facts
    assert plain.to_dict()["cache_savings"] == 0


def row_of(usage: Usage, batch_id: str | None = None) -> JournalRow:
    """A row with some tokens."""
    response = Response(text="A", stop_reason=None, model=None, usage=usage)
    return JournalRow(
        request_id="r", question_id="q", way="instructed", result=response, batch_id=batch_id
    )


def test_savings_by_hand() -> None:
    price = Price(input=4.0, output=20.0, cache_read=0.2)
    usage = Usage(
        input_tokens=1, cache_creation_input_tokens=100_000, cache_read_input_tokens=500_000
    )
    # Read at 0.20 in place of 4.00, written at 5.00 in place of 4.00.
    assert savings_of_usage(usage, price) == pytest.approx(0.5 * 3.8 - 0.1 * 1.0)
    assert savings_of_rows([row_of(usage, "b"), row_of(usage)], price) == pytest.approx(1.5 * 1.8)
    assert savings_of_rows([row_of(usage)], None) is None
    assert savings_of_rows([], price) == 0
    unknown = replace(price, cache_read=None)
    assert savings_of_usage(usage, unknown) == pytest.approx(-0.1)
    tiers = replace(price, above_prompt_tokens=10, above=Price(input=8.0, output=9.0, cache_read=0))
    assert savings_of_usage(usage, tiers) == pytest.approx(0.5 * 8 - 0.1 * 2)


def test_the_report_says_what_was_spent_and_saved(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    form = tmp_path / "careful.toml"
    form.write_text(f'[prompt]\nsystem = "{"Be careful. " * 1200}"\n')
    command = ["run", "everyday", "--model", SONNET, "--way", "instructed", "--quiet"]
    command += ["--prompt", str(form), "--results", str(tmp_path / "r"), "--limit", "10"]
    with MessagesServer() as server:
        point_at(server, monkeypatch)
        done = call(capsys, *command)
        facts = json.loads(call(capsys, *command, "--json").out)["runs"][0]
        plain = call(capsys, *command[:-2], "--limit", "9", "--no-cache")
    usage = facts["usage"]
    written, read = usage["cache_creation_input_tokens"], usage["cache_read_input_tokens"]
    sent = usage["input_tokens"] + written + read
    assert written > 1024
    assert read == 9 * written
    assert facts["cache_savings"] > 0
    assert (
        f"(1) spent ${facts['cost']:.4f}: {sent:,} input and {usage['output_tokens']} output "
        f"tokens; cache: {written:,} tokens written, {read:,} read, saved "
        f"${facts['cache_savings']:.4f}\n"
    ) in done.out
    assert "; cache:" not in plain.out
    assert "(1) spent $" in plain.out


def test_a_single_request_pays_for_writing_and_the_report_says_so(
    capsys: pytest.CaptureFixture[str], sums: Benchmark, tmp_path: Path
) -> None:
    from evalkit.reports.text import render_runs

    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, with_examples(sums, 300), tmp_path, limit=1)
    assert done.cache_savings is not None
    assert done.cache_savings < 0
    assert f"0 read, cost ${-done.cache_savings:.4f} more" in render_runs([done])


def test_a_run_without_price_or_cost_says_nothing_of_money(sums: Benchmark, tmp_path: Path) -> None:
    from evalkit.reports.text import render_runs

    with MessagesServer(bare=True, answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path, "some-model", shots=0)
    assert (done.cost, done.cache_savings) == (None, None)
    assert "spent" not in render_runs([done])
