"""What can't be chosen about a run is refused before anything is asked."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.errors import UsageError
from evalkit.settings import RunSettings


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("way", "guess", "expected auto, prefill or instructed or structured or tool or reasoned"),
        ("thought", "words", "thought 'words': expected api or text"),
        ("images", "url", "images 'url': expected base64 or file"),
        ("samples", 0, "samples 0: expected at least 1"),
        ("orders", 0, "orders 0: expected at least 1, or cyclic"),
        ("orders", "all", "orders 'all': expected at least 1, or cyclic"),
        ("orders", 1.5, "orders 1.5: expected at least 1, or cyclic"),
        ("limit", 0, "limit 0: expected at least 1"),
        ("shots", -1, "shots -1: expected at least 0"),
        ("max_tokens", 0, "max_tokens 0: expected at least 1"),
        ("concurrency", 0, "concurrency 0: expected at least 1"),
        ("batch_size", 0, "batch_size 0: expected at least 1"),
        ("temperature", 1.5, "temperature 1.5: expected 0 to 1"),
        ("temperature", -0.1, "temperature -0.1: expected 0 to 1"),
        ("temperature", float("nan"), "temperature nan: expected 0 to 1"),
        ("temperature", "hot", "temperature 'hot': expected 0 to 1, None or 'default'"),
        ("budget", 0.0, "budget 0: expected dollars"),
        ("budget", float("nan"), "budget nan: expected dollars"),
    ],
)
def test_a_value_out_of_range_is_named(name: str, value: Any, expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        RunSettings(**{name: value})


@pytest.mark.parametrize("choice", [{"batch": True}, {"images": "file"}])
def test_zero_retention_rules_out_what_is_kept_elsewhere(choice: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="zero data retention"):
        RunSettings(keep_text=False, **choice)
    assert RunSettings(keep_text=True, **choice).keep_text


@pytest.mark.parametrize(
    ("temperature", "samples", "sent"),
    [
        ("default", 1, 0.0),
        # Several samples at temperature 0 would be the same one.
        ("default", 2, None),
        (0.0, 2, 0.0),
        (1, 1, 1),
        (None, 1, None),
        (None, 2, None),
    ],
)
def test_the_temperature_that_is_sent(temperature: Any, samples: int, sent: float | None) -> None:
    assert RunSettings(temperature=temperature, samples=samples).sent_temperature == sent
