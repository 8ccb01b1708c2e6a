"""What a model takes, costs and allows; how near its end is."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from evalkit.models.model import Capabilities, Lifecycle, Model, Price, Thinking


@pytest.mark.parametrize(
    ("thinking", "may_think", "field"),
    [
        ("off", False, None),
        ("disabled", False, {"type": "disabled"}),
        ("between_tools", False, {"type": "between_tools"}),
        ("always", True, None),
        ("unknown", False, None),
    ],
)
def test_how_to_keep_a_model_from_thinking(
    thinking: Thinking, may_think: bool, field: dict[str, str] | None
) -> None:
    capabilities = Capabilities(thinking=thinking)
    assert capabilities.may_think is may_think
    assert capabilities.no_thinking == field


TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        (-200, "m was retired on 2026-05-06"),
        (-1, "m was retired on 2026-11-21"),
        (0, "m retires today, on 2026-11-22"),
        (1, "m retires tomorrow, on 2026-11-23"),
        (8, "m retires in 8 days, on 2026-11-30"),
        (14, "m retires in 14 days, on 2026-12-06"),
        (15, None),
        (400, None),
    ],
)
def test_an_end_is_spoken_of_when_it_is_near_or_past(days: int, sentence: str | None) -> None:
    model = Model(id="m", lifecycle="deprecated", retires=TODAY + timedelta(days=days))
    assert model.describe_end(TODAY) == sentence


@pytest.mark.parametrize(
    ("lifecycle", "sentence"),
    [
        ("retired", "m is retired"),
        ("deprecated", None),
        ("legacy", None),
        ("active", None),
        (None, None),
    ],
)
def test_without_a_day_only_a_retired_model_has_ended(
    lifecycle: Lifecycle | None, sentence: str | None
) -> None:
    # A day before which a model won't end is no day on which it will.
    model = Model(id="m", lifecycle=lifecycle, not_before=TODAY + timedelta(days=2))
    assert model.describe_end(TODAY) == sentence


def test_what_a_cache_costs_is_worked_out_where_it_is_not_said() -> None:
    plain = Price(input=2.0, output=10.0)
    assert (plain.of_cache_write, plain.of_cache_read) == (2.5, 2.0)
    said = Price(input=2.0, output=10.0, cache_read=0.0, cache_write=4.0)
    assert (said.of_cache_write, said.of_cache_read) == (4.0, 0.0)


@pytest.mark.parametrize(("tokens", "price"), [(0, 0.1), (100_000, 0.1), (100_001, 0.5)])
def test_a_long_prompt_may_cost_more_a_token(tokens: int, price: float) -> None:
    above = Price(input=0.5, output=2.5)
    both = Price(input=0.1, output=0.5, above_prompt_tokens=100_000, above=above)
    assert both.for_prompt(tokens).input == price
    assert above.for_prompt(tokens) is above
