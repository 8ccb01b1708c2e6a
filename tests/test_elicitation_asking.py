"""What all ways of asking share: turns, the system text, the temperature."""

from __future__ import annotations

from typing import Any

import pytest

from evalkit.elicitation.asking import Asking, assistant, system_field, user
from evalkit.models.model import Capabilities


@pytest.mark.parametrize(
    ("temperature", "taken", "fields"),
    [
        (0.0, True, {"temperature": 0.0}),
        (0.7, True, {"temperature": 0.7}),
        # Not known: llama.cpp samples at 0.8 unless it is told not to.
        (0.0, None, {"temperature": 0.0}),
        (0.0, False, {}),
        (None, True, {}),
        (None, None, {}),
        (None, False, {}),
    ],
)
def test_the_temperature_is_sent_where_it_is_taken(
    temperature: float | None, taken: bool | None, fields: Any
) -> None:
    capabilities = Capabilities(temperature=taken)
    asking = Asking(model="m", capabilities=capabilities, temperature=temperature)
    assert asking.sampling() == fields


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ((), {}),
        (("",), {}),
        ((" \n", ""), {}),
        (("Be brief.",), {"system": "Be brief."}),
        (("", "One letter."), {"system": "One letter."}),
        (("Be brief.", "One letter."), {"system": "Be brief.\n\nOne letter."}),
    ],
)
def test_an_empty_system_text_is_not_sent(texts: tuple[str, ...], field: Any) -> None:
    # The API answers 400 to a blank text.
    assert system_field(*texts) == field


def test_turns() -> None:
    assert user("Which?") == {"role": "user", "content": "Which?"}
    assert assistant("B") == {"role": "assistant", "content": "B"}
