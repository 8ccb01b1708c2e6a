"""evalkit's catalogue says of every model what the documentation says of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import evalkit.models.model
from evalkit.models.model import Capabilities, Thinking, find_capabilities, load_catalogue
from tests.messages_models import MODELS, ServedModel


def thinking_of(model: ServedModel) -> Thinking:
    """The off switch that the test server's own table gives a model."""
    if not model.thinks_unasked:
        return "off"
    if "disabled" in model.thinking_types:
        return "disabled"
    return "between_tools" if "between_tools" in model.thinking_types else "always"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.alias)
def test_two_tables_written_apart_agree(model: ServedModel) -> None:
    expected = Capabilities(
        prefill=model.prefill, temperature=model.sampling, thinking=thinking_of(model)
    )
    assert load_catalogue()[model.id] == load_catalogue()[model.alias] == expected


def test_no_model_stands_there_twice() -> None:
    path = Path(evalkit.models.model.__file__).with_name("catalogue.toml")
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["model"]
    names = [name for entry in entries for name in {entry["id"], entry.get("alias", entry["id"])}]
    assert sorted(names) == sorted(load_catalogue())


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("claude-haiku-4-5", Capabilities(prefill=True, temperature=True, thinking="off")),
        # A Claude that is newer than evalkit may think, so it gets room for it.
        ("claude-opus-7", Capabilities(thinking="always")),
        ("llama-3.3-70b", Capabilities()),
        ("Claude-Haiku-4-5", Capabilities()),
    ],
)
def test_what_is_not_in_the_catalogue_is_not_known(model: str, expected: Capabilities) -> None:
    assert find_capabilities(model) == expected


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
