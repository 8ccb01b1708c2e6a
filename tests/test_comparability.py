"""Runs that were asked differently are told apart, in words and for what counts only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from evalkit.comparability import (
    AskedDifference,
    describe_served,
    is_same_model,
    list_differences,
    list_run_differences,
)
from evalkit.prompts import PromptFormat
from evalkit.runs.manifest import Identity, Manifest
from tests.test_text import build_run, build_scores

IDENTITY = Identity(
    benchmark="sums",
    benchmark_version="1",
    question_digest="0123456789abcdef" * 4,
    model="claude-haiku-4-5",
    endpoint="api.example.com",
    way="instructed",
    prompt_digest=PromptFormat().digest,
    shots=0,
    parameters={"max_tokens": 16, "temperature": 0.0},
    api_version="2023-06-01",
    limit=None,
    seed=0,
)


def manifest_of(prompt: PromptFormat | None = None, **changes: Any) -> Manifest:
    """The manifest of a run that differs in some settings."""
    form = prompt or PromptFormat()
    identity = replace(IDENTITY, prompt_digest=form.digest, **changes)
    return Manifest(identity=identity, prompt=form, questions=30)


def words_between(first: Manifest, second: Manifest) -> list[str]:
    """The differences as users read them."""
    return list(map(str, list_differences(first, second)))


def test_runs_asked_alike_have_no_differences() -> None:
    assert list_differences(manifest_of(), manifest_of()) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"benchmark": "mmlu"}, "benchmark: sums and mmlu"),
        ({"benchmark_version": "2"}, "version of the benchmark: 1 and 2"),
        (
            {"question_digest": "f" * 64},
            "questions: 30 (digest 0123456789ab) and 30 (digest ffffffffffff)",
        ),
        ({"way": "structured"}, "way: instructed and structured"),
        ({"shots": 5}, "worked examples: 0 and 5"),
        ({"samples": 3}, "responses to a question: 1 and 3"),
        ({"orders": "cyclic"}, "orders of the choices: the set's own and cyclic"),
        ({"api_version": "2026-10-21"}, "API version: 2023-06-01 and 2026-10-21"),
        ({"endpoint": "127.0.0.1:8080"}, "endpoint: api.example.com and 127.0.0.1:8080"),
        ({"model_digest": "ab" * 32}, "weights: none and abababababab"),
        (
            {"parameters": {"max_tokens": 16}},
            "temperature: 0.0 and the endpoint's own",
        ),
        (
            {"parameters": {"max_tokens": 64, "temperature": 0.0}},
            "room for a reply: 16 tokens and 64 tokens",
        ),
        (
            {"parameters": {**IDENTITY.parameters, "thinking": {"type": "adaptive"}}},
            "thinking: not asked for and asked for",
        ),
        (
            {"parameters": {**IDENTITY.parameters, "output_config": {"effort": "low"}}},
            "effort: the endpoint's own and low",
        ),
        (
            {"parameters": {**IDENTITY.parameters, "stop_sequences": ["\n"]}},
            'stop sequences: [] and ["\\n"]',
        ),
        ({"parameters": {**IDENTITY.parameters, "resize": True}}, "resize: none and true"),
    ],
)
def test_each_setting_that_counts_is_named_with_both_values(
    changes: dict[str, Any], words: str
) -> None:
    found = words_between(manifest_of(), manifest_of(**changes))
    assert len(found) == 1
    assert found[0].startswith(words)
    assert len(words_between(manifest_of(**changes), manifest_of())) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": 30},
        {"seed": 7},
        {"keep_text": False},
        {"model": "claude-opus-4-6"},
        {"model": "claude-opus-4-6", "endpoint": "elsewhere", "model_digest": "ab"},
        {"way": "structured", "parameters": {"max_tokens": 64, "temperature": 0.0}},
        {"parameters": {**IDENTITY.parameters, "thinking": {"type": "disabled"}}},
        {"parameters": {**IDENTITY.parameters, "thinking": "odd"}},
    ],
)
def test_what_decides_nothing_or_goes_with_the_way_is_not_named(changes: dict[str, Any]) -> None:
    found = list_differences(manifest_of(), manifest_of(**changes))
    assert [each.name for each in found if each.name != "way"] == []


def test_the_seed_counts_where_it_draws_worked_examples() -> None:
    first, second = manifest_of(shots=5), manifest_of(shots=5, seed=7)
    assert words_between(first, second) == ["seed of the worked examples: 0 and 7"]


def test_the_seed_counts_where_it_draws_orders() -> None:
    drawn, other = manifest_of(orders=2), manifest_of(orders=2, seed=1)
    assert words_between(drawn, other) == ["seed of the orders: 0 and 1"]
    assert words_between(manifest_of(orders="cyclic"), manifest_of(orders="cyclic", seed=1)) == []


def test_thinking_goes_with_the_reasoned_way_and_with_no_other() -> None:
    thinks = {"max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 3072}}
    reasoned = manifest_of(way="reasoned", parameters=thinks)
    assert words_between(manifest_of(), reasoned) == [
        "way: instructed and reasoned",
        "temperature: 0.0 and the endpoint's own",
    ]
    structured = manifest_of(way="structured", parameters=thinks)
    assert "thinking: not asked for and asked for" in words_between(manifest_of(), structured)
    quick = manifest_of(way="reasoned", parameters=IDENTITY.parameters)
    assert "thinking: asked for and not asked for" in words_between(reasoned, quick)


def test_of_two_prompts_the_texts_that_differ_are_named() -> None:
    other = PromptFormat(system="Be terse.", prefill="Answer: (")
    [found] = list_differences(manifest_of(), manifest_of(other))
    assert found == AskedDifference(
        name="prompt (system, prefill)",
        first=PromptFormat().digest[:12],
        second=other.digest[:12],
    )


@pytest.mark.parametrize(
    ("asked", "served", "sentence"),
    [
        ("m", "m", None),
        ("m", None, None),
        ("claude-haiku-4-5", "claude-haiku-4-5-20251001", None),
        ("m", "other", "m was asked for, other answered"),
    ],
)
def test_another_model_than_the_one_asked_for_is_named(
    asked: str, served: str | None, sentence: str | None
) -> None:
    run = build_run(build_scores({"correct": 3}, served=served), model=asked)
    assert describe_served(run) == sentence


def test_only_a_date_may_follow_the_name_of_the_same_model() -> None:
    assert is_same_model("claude-opus-4", "claude-opus-4-20250514")
    assert not is_same_model("claude-opus-4", "claude-opus-4-1-20250805")
    assert not is_same_model("claude-opus-4", "claude-opus-4-2025")


@pytest.mark.parametrize(
    ("models", "served", "words"),
    [
        (("a", "a"), ("a-20250101", "a-20260101"), ["a-20250101 and a-20260101"]),
        (("a", "a"), ("a-20250101", "a-20250101"), []),
        (("a", "a"), ("a-20250101", None), []),
        (("a", "b"), ("a-20250101", "b-20260101"), []),
    ],
)
def test_one_name_answered_by_two_models_is_a_difference(
    models: tuple[str, str], served: tuple[str, str | None], words: list[str]
) -> None:
    runs = [
        build_run(build_scores({"correct": 3}, served=name), model=model)
        for model, name in zip(models, served, strict=True)
    ]
    expected = [f"model that answered: {each}" for each in words]
    assert list(map(str, list_run_differences(*runs))) == expected
