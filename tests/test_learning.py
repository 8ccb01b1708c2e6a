"""A catalogue that is wrong about a model costs one request a mistake, or one clear error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from evalkit.benchmarks import Benchmark, load_benchmark
from evalkit.errors import ApiError, InvalidRequestError, UsageError
from evalkit.evaluation import MOST_LESSONS
from evalkit.requests import Way
from evalkit.testing.messages_faults import Fault
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import sums_answers
from tests.test_evaluation import ask, folders, outcomes, questions_asked

LIMIT = 6

OLD, QUIET, SWITCHED, BETWEEN, ALWAYS = (
    *("claude-haiku-4-5", "claude-opus-4-8", "claude-opus-5", "claude-sonnet-5-5"),
    "claude-opus-5-5",
)
"""Models that think in different ways: three not unless told to, unless told not to, always."""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's catalogue."""
    path = tmp_path / "models.toml"
    monkeypatch.setenv("EVALKIT_MODELS", str(path))
    return path


def believe(own: Path, model: str, facts: str) -> None:
    """Write down what is wrong."""
    own.write_text(f'[[model]]\nid = "{model}"\n{facts}\n')


@pytest.mark.parametrize(
    ("model", "facts", "way", "lessons"),
    [
        (QUIET, "prefill = true", "auto", ["prefill"]),
        (QUIET, "temperature = true", "auto", ["temperature"]),
        (QUIET, "temperature = true", "structured", ["temperature"]),
        (QUIET, "temperature = true", "tool", ["temperature"]),
        (BETWEEN, 'thinking = "disabled"', "instructed", ["thinking"]),
        (ALWAYS, 'thinking = "disabled"', "instructed", ["thinking"]),
        (ALWAYS, 'thinking = "between_tools"', "structured", ["thinking"]),
        (SWITCHED, 'thinking = "between_tools"', "tool", ["thinking"]),
        (QUIET, 'think_on = "enabled"', "reasoned", ["thinking"]),
        (OLD, 'think_on = "adaptive"', "reasoned", ["thinking"]),
        (OLD, 'thinking = "always"\nefforts = ["low"]', "structured", ["effort"]),
        (
            ALWAYS,
            'prefill = true\ntemperature = true\nthinking = "disabled"',
            "auto",
            ["prefill", "thinking", "temperature"],
        ),
    ],
)
def test_a_run_learns_what_a_model_refuses_and_goes_on(
    model: str,
    facts: str,
    way: Way | Literal["auto"],
    lessons: list[str],
    own: Path,
    sums: Benchmark,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    believe(own, model, facts)
    results = tmp_path / "results"
    with MessagesServer(answer=sums_answers(thinking="Let me see. " * 9)) as server:
        done = ask(server, sums, results, model, way=way, limit=LIMIT, progress=True)
        assert len(server.requests) == len(lessons) + LIMIT
        # The next run knows.
        ask(server, sums, results, model, way=way, limit=LIMIT + 2)
        assert len(server.requests) == len(lessons) + LIMIT + LIMIT + 2
    assert outcomes(done) == {"correct": LIMIT}
    assert done.manifest.identity.way == ("instructed" if way == "auto" else way)
    features = [words.split(" takes no ")[1].split()[0] for words in done.manifest.learned]
    assert features == lessons
    err = capsys.readouterr().err
    for learned in done.manifest.learned:
        assert f"{learned}; asking without it" in err
    # What never got an answer leaves no folder.
    assert len(folders(results)) == 2


@pytest.mark.parametrize(
    ("model", "facts", "way", "words"),
    [
        (QUIET, "prefill = true", "prefill", "prefill"),
        (ALWAYS, "forced_tool = true", "tool", "forced tool"),
        (ALWAYS, "", "tool", "forced tool"),
    ],
)
def test_a_way_that_a_model_refuses_is_one_error_with_its_remedy(
    model: str, facts: str, way: Way, words: str, own: Path, sums: Benchmark, tmp_path: Path
) -> None:
    believe(own, model, facts)
    with MessagesServer() as server:
        for _ in range(2):
            with pytest.raises(InvalidRequestError) as caught:
                ask(server, sums, tmp_path / "results", model, way=way)
            assert str(caught.value).startswith(
                f"{model} takes no {words}; use --way auto or --way instructed ("
            )
        assert len(server.requests) == 2
    assert folders(tmp_path / "results") == []


def refusing(*words: str) -> Any:
    """A plan that refuses each request that holds the first word of a pair, with the second."""

    def plan(record: RequestRecord) -> Fault | None:
        said = str(record.body)
        for sent, message in zip(words[::2], words[1::2], strict=True):
            if sent in said:
                content = f'{{"error": {{"message": {message!r}}}}}'.replace("'", '"')
                return Fault(
                    manner="page",
                    status=400,
                    content=content.encode(),
                    content_type="application/json",
                )
        return None

    return plan


def test_a_schema_that_is_refused_is_one_error_with_its_remedy(
    sums: Benchmark, tmp_path: Path
) -> None:
    plan = refusing("json_schema", "output_config.format: not supported by this model")
    with MessagesServer(faults=plan) as server:
        with pytest.raises(InvalidRequestError, match="takes no structured output; use --way auto"):
            ask(server, sums, tmp_path, QUIET, way="structured")
        assert len(server.requests) == 1


def test_a_model_told_to_think_in_two_ways_in_vain_thinks_in_words(
    sums: Benchmark, tmp_path: Path
) -> None:
    plan = refusing("'adaptive'", "no adaptive thinking", "'enabled'", "no thinking at all")
    with MessagesServer(answer=sums_answers(), faults=plan) as server:
        done = ask(server, sums, tmp_path, QUIET, way="reasoned", limit=LIMIT)
        assert len(server.requests) == 2 + LIMIT
        assert "thinking" not in server.requests[-1].body
    assert outcomes(done) == {"correct": LIMIT}
    assert len(done.manifest.learned) == 2


def test_an_endpoint_that_refuses_one_thing_for_the_other_is_not_asked_for_ever(
    sums: Benchmark, tmp_path: Path
) -> None:
    plan = refusing(
        *("'adaptive'", "adaptive thinking is not supported"),
        *("'enabled'", "not supported: use thinking.type.adaptive"),
    )
    with MessagesServer(faults=plan) as server:
        with pytest.raises(ApiError, match="not supported"):
            ask(server, sums, tmp_path, QUIET, way="reasoned")
        assert len(server.requests) == MOST_LESSONS + 1
    assert folders(tmp_path) == []


def test_two_settings_that_do_not_go_together_teach_nothing(
    sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        with pytest.raises(InvalidRequestError, match='not supported with effort "max"'):
            ask(server, sums, tmp_path, SWITCHED, way="instructed", effort="max")
        assert len(server.requests) == 3
        done = ask(server, sums, tmp_path, SWITCHED, way="instructed", limit=LIMIT)
        assert server.requests[-1].body["thinking"] == {"type": "disabled"}
    assert done.manifest.learned == ()


def test_an_effort_that_is_refused_is_left_out_and_missed(
    own: Path, sums: Benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    believe(own, OLD, 'efforts = ["low"]\nprefill = false')
    results = tmp_path / "results"
    with MessagesServer(answer=sums_answers()) as server:
        ask(server, sums, results, OLD, effort="low", limit=LIMIT, progress=True)
        assert "takes no effort of this level (This model does not" in capsys.readouterr().err
        ask(server, sums, results, OLD, effort="low", limit=LIMIT + 1, progress=True)
        assert (
            "Warning: claude-haiku-4-5 takes no effort (found out before); it is asked without low"
        ) in capsys.readouterr().err
        assert len(server.requests) == 1 + LIMIT + LIMIT + 1


@pytest.mark.parametrize(
    ("model", "settings", "words"),
    [
        (OLD, {"effort": "low"}, "effort 'low' for claude-haiku-4-5: it takes none; leave it out"),
        (
            "claude-opus-4-6",
            {"effort": "xhigh"},
            "effort 'xhigh' for claude-opus-4-6: it takes low, medium, high, max",
        ),
        (
            OLD,
            {"way": "reasoned", "max_tokens": 1024},
            "max_tokens 1024 for claude-haiku-4-5: it thinks in at least 1024 of them; give it "
            "more, or have it think in words by --thought text",
        ),
    ],
)
def test_what_the_catalogue_rules_out_costs_no_request(
    model: str, settings: dict[str, Any], words: str, sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer() as server:
        with pytest.raises(UsageError) as caught:
            ask(server, sums, tmp_path, model, **settings)
        assert str(caught.value) == words
        assert server.requests == []


@pytest.mark.parametrize("settings", [{"max_tokens": 1025}, {"thought": "text", "max_tokens": 99}])
def test_what_it_does_not_rule_out_is_taken(
    settings: dict[str, Any], sums: Benchmark, tmp_path: Path
) -> None:
    with MessagesServer(answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path, OLD, way="reasoned", limit=LIMIT, **settings)
    assert outcomes(done) == {"correct": LIMIT}


@pytest.mark.parametrize(
    ("days", "warning"),
    [(7, "Warning: old retires in 7 days, on "), (-7, "Warning: old was retired on "), (15, "")],
)
def test_a_model_that_ends_soon_is_worth_a_word(
    days: int,
    warning: str,
    own: Path,
    sums: Benchmark,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    end = datetime.now(UTC).date() + timedelta(days=days)
    believe(own, "old", f"prefill = true\nretires = {end}")
    with MessagesServer(bare=True, answer=sums_answers()) as server:
        done = ask(server, sums, tmp_path / "results", "old", limit=LIMIT, progress=True)
        assert len(questions_asked(server)) == LIMIT
    assert outcomes(done) == {"correct": LIMIT}
    err = capsys.readouterr().err
    assert (f"{warning}{end}" in err) if warning else ("Warning" not in err)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"way": "reasoned", "thought": "text", "shots": 1}, True),
        ({"way": "reasoned", "thought": "text"}, False),
        ({"way": "reasoned", "shots": 1}, False),
        ({"way": "instructed", "shots": 1}, False),
    ],
)
def test_examples_without_thoughts_are_worth_a_word(
    settings: dict[str, Any], said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everyday = load_benchmark("everyday")
    with MessagesServer() as server:
        ask(server, everyday, tmp_path, QUIET, limit=2, progress=True, **settings)
    assert ("Worked examples show no thoughts" in capsys.readouterr().err) is said
