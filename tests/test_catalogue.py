"""The catalogue says of every model what the documentation says; users may know better."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import platformdirs
import pytest

from evalkit.api.endpoint import Endpoint
from evalkit.errors import UsageError
from evalkit.models.catalogue import (
    CAPABILITIES,
    KEYS,
    SHIPPED,
    find_model,
    find_user_file,
    load_catalogue,
)
from evalkit.models.model import Capabilities, Price, Thinking, ThinkingSwitch
from evalkit.targets import known_capabilities
from evalkit.testing.messages_models import MODELS, ServedModel

ELSEWHERE = Endpoint(base_url="http://127.0.0.1:8080")
OFFICIAL = Endpoint(api_key="a-secret-key")


# The file that is shipped


def thinking_of(model: ServedModel) -> Thinking:
    """The off switch that the test server's own table gives a model."""
    if not model.thinks_unasked:
        return "off"
    if "disabled" in model.thinking_types:
        return "disabled"
    return "between_tools" if "between_tools" in model.thinking_types else "always"


def switch_of(model: ServedModel) -> ThinkingSwitch:
    """How that table has a model think: the newer way where it takes both."""
    return "adaptive" if "adaptive" in model.thinking_types else "enabled"


@pytest.mark.parametrize("served", MODELS, ids=lambda model: model.alias)
def test_two_tables_written_apart_agree(served: ServedModel) -> None:
    model = find_model(served.id)
    assert find_model(served.alias) is model
    assert model.capabilities == Capabilities(
        prefill=served.prefill,
        temperature=served.sampling,
        forced_tool=served.forced_tool_choice,
        structured=True,
        thinking=thinking_of(served),
        think_on=switch_of(served),
        efforts=served.efforts,
    )
    assert model.context_tokens == served.context_tokens
    assert model.max_output_tokens == served.max_output_tokens
    assert model.lifecycle in ("active", "legacy", "deprecated")
    assert (model.lifecycle == "deprecated") is (served.lifecycle == "deprecated")
    assert (None if model.retires is None else str(model.retires)) == served.retires
    # Both know which models see texts in smaller pieces.
    assert model.characters_per_token == (2.7 if served.newer_tokenizer else 3.5)
    assert model.max_images == (100 if served.context_tokens == 200_000 else 600)
    assert model.price is not None


def test_only_what_is_retired_is_not_served() -> None:
    served = {model.id for model in MODELS}
    gone = {model.id for model in load_catalogue().values() if model.id not in served}
    assert gone == {m.id for m in load_catalogue().values() if m.lifecycle == "retired"}
    for name in gone:
        end = find_model(name).describe_end(date(2026, 11, 22))
        assert end is not None
        assert re.fullmatch(rf"{name} was retired on 2026-0\d-\d\d", end)


def test_no_model_stands_there_twice() -> None:
    entries = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))["model"]
    names = [name for entry in entries for name in {entry["id"], entry.get("alias", entry["id"])}]
    assert sorted(names) == sorted(load_catalogue())


def test_every_entry_says_when_it_was_looked_up_and_of_what_it_is_not_sure() -> None:
    for model in load_catalogue().values():
        assert model.source_date is not None
        assert model.corrected == frozenset()
        for key in model.unsure:
            assert key.split(".")[0] in KEYS


def test_prices_are_those_of_the_documentation() -> None:
    assert find_model("claude-opus-5-5").price == Price(input=4, output=20, cache_read=0.2)
    small = find_model("claude-haiku-5-5").price
    assert small is not None
    assert (small.above_prompt_tokens, small.for_prompt(100_001).output) == (100_000, 2.5)
    assert find_model("claude-mythos-preview").price is None


@pytest.mark.parametrize(
    ("name", "thinking"),
    [
        # A Claude that is newer than evalkit may think, so it gets room for it.
        ("claude-opus-7", "always"),
        ("llama-3.3-70b", "unknown"),
        ("Claude-Haiku-4-5", "unknown"),
    ],
)
def test_what_is_not_in_the_catalogue_is_not_known(name: str, thinking: Thinking) -> None:
    model = find_model(name)
    assert (model.id, model.capabilities) == (name, Capabilities(thinking=thinking))
    assert (model.price, model.max_output_tokens, model.lifecycle) == (None, None, None)


# A file of the user's own


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file named by the environment."""
    path = tmp_path / "models.toml"
    path.touch()
    monkeypatch.setenv("EVALKIT_MODELS", str(path))
    return path


def test_an_empty_file_changes_nothing(own: Path) -> None:
    known = load_catalogue()
    own.unlink()
    with pytest.raises(UsageError, match=rf"EVALKIT_MODELS={own}: no such file"):
        load_catalogue()
    assert "claude-haiku-4-5" in known


def test_a_file_adds_models(own: Path) -> None:
    own.write_text(
        """
        [[model]]
        id = "llama-3.3-70b"
        alias = "llama"
        prefill = true
        thinking = "off"
        efforts = ["low", "high"]
        price = { input = 0.5, output = 1, batch_factor = 1.0, cache_write = 0.5 }
        price_above = { prompt_tokens = 9_000, input = 1.0, output = 2.0 }
        max_output_tokens = 8_192
        retires = 2030-01-31
        unsure = ["price"]
        """
    )
    model = find_model("llama")
    assert model is find_model("llama-3.3-70b")
    assert model.capabilities == Capabilities(prefill=True, thinking="off", efforts=("low", "high"))
    assert model.price == Price(
        input=0.5,
        output=1.0,
        batch_factor=1.0,
        cache_write=0.5,
        above_prompt_tokens=9000,
        above=Price(input=1.0, output=2.0),
    )
    assert (model.max_output_tokens, model.retires) == (8192, date(2030, 1, 31))
    assert model.unsure == ("price",)
    assert find_model("claude-haiku-4-5").capabilities.prefill is True


@pytest.mark.parametrize("name", ["claude-haiku-4-5", "claude-haiku-4-5-20251001"])
def test_a_file_corrects_an_entry_by_id_or_alias(name: str, own: Path) -> None:
    before = find_model(name)
    own.write_text(
        f'[[model]]\nid = "{name}"\nprefill = false\nprice_above = {{'
        " prompt_tokens = 5, input = 9, output = 9 }\n"
    )
    for known in (find_model("claude-haiku-4-5"), find_model("claude-haiku-4-5-20251001")):
        assert known.id == "claude-haiku-4-5-20251001"
        assert known.capabilities.prefill is False
        assert known.capabilities.temperature is True
        assert known.corrected == {"id", "prefill", "price_above"}
        # What the file does not speak of stays.
        assert known.context_tokens == before.context_tokens
        assert known.price is not None
        assert (known.price.input, known.price.for_prompt(6).input) == (1.0, 9.0)


def test_two_entries_of_a_file_add_up(own: Path) -> None:
    own.write_text(
        '[[model]]\nid = "claude-haiku-4-5"\nprefill = true\n'
        '[[model]]\nid = "claude-haiku-4-5-20251001"\nforced_tool = false\n'
    )
    model = find_model("claude-haiku-4-5")
    assert model.corrected == {"id", "prefill", "forced_tool"}
    assert (model.capabilities.prefill, model.capabilities.forced_tool) == (True, False)


def test_a_correction_holds_at_every_endpoint(own: Path) -> None:
    unknown = {"prefill": None, "forced_tool": None, "structured": None}
    name = "claude-haiku-4-5"
    guess = known_capabilities(name, ELSEWHERE)
    assert {key: getattr(guess, key) for key in unknown} == unknown
    own.write_text(f'[[model]]\nid = "{name}"\nprefill = true\nstructured = false\n')
    for endpoint in (ELSEWHERE, OFFICIAL):
        known = known_capabilities(name, endpoint)
        assert (known.prefill, known.structured) == (True, False)
    # Of the others, another endpoint may know another thing.
    assert known_capabilities(name, ELSEWHERE).forced_tool is None
    assert known_capabilities(name, OFFICIAL).forced_tool is True


def test_the_usual_place_is_the_users_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVALKIT_MODELS", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda name: str(tmp_path / name))
    assert find_user_file() is None
    (tmp_path / "evalkit").mkdir()
    (tmp_path / "evalkit" / "models.toml").write_text('[[model]]\nid = "own"\nprefill = false\n')
    assert find_user_file() == tmp_path / "evalkit" / "models.toml"
    assert find_model("own").capabilities.prefill is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model = \n", "can't be read: "),
        ("\udcff", "can't be read: "),
        ('[model]\nid = "m"\n', "expected tables [[model]] and nothing else"),
        ("model = [1]\n", "[[model]] number 1 has no id"),
        ('[[models]]\nid = "m"\n', "expected tables [[model]] and nothing else"),
        ('[[model]]\nid = "m"\n[other]\n', "expected tables [[model]] and nothing else"),
        ('[[model]]\nid = "m"\n[[model]]\nprefill = true\n', "[[model]] number 2 has no id"),
        ("[[model]]\nid = 7\n", "[[model]] number 1 has no id"),
        ('[[model]]\nid = "m"\nprefil = true\n', "m: no key 'prefil'; there is prefill"),
        ('[[model]]\nid = "m"\nxyz = 1\n', "m: no key 'xyz'; there is alias, cache_minimum"),
        ('[[model]]\nid = "m"\nprefill = "yes"\n', "m: prefill = 'yes': expected true or false"),
        ('[[model]]\nid = "m"\nprefill = 1\n', "m: prefill = 1: expected true or false"),
        ('[[model]]\nid = "m"\nalias = 1\n', "m: alias = 1: expected a text"),
        (
            '[[model]]\nid = "m"\nthinking = "on"\n',
            "m: thinking = 'on': expected one of off, disabled, between_tools, always, unknown",
        ),
        ('[[model]]\nid = "m"\nthinking = ["off"]\n', "m: thinking = ['off']: expected one of"),
        (
            '[[model]]\nid = "m"\nthink_on = "always"\n',
            "m: think_on = 'always': expected one of adaptive, enabled, none",
        ),
        ('[[model]]\nid = "m"\nefforts = "low"\n', "m: efforts = 'low': expected a list of texts"),
        ('[[model]]\nid = "m"\nefforts = [1]\n', "m: efforts = [1]: expected a list of texts"),
        (
            '[[model]]\nid = "m"\ncontext_tokens = 1.5\n',
            "m: context_tokens = 1.5: expected a whole number",
        ),
        (
            '[[model]]\nid = "m"\ncontext_tokens = true\n',
            "m: context_tokens = True: expected a whole number",
        ),
        ('[[model]]\nid = "m"\nmax_images = -1\n', "m: max_images = -1: expected a whole number"),
        (
            '[[model]]\nid = "m"\ncharacters_per_token = "3"\n',
            "m: characters_per_token = '3': expected a number",
        ),
        (
            '[[model]]\nid = "m"\nretires = "2026-11-30"\n',
            "m: retires = '2026-11-30': expected a date such as 2026-11-30",
        ),
        (
            '[[model]]\nid = "m"\nretires = 2026-11-30T12:00:00Z\n',
            "expected a date such as 2026-11-30",
        ),
        (
            '[[model]]\nid = "m"\nlifecycle = "gone"\n',
            "m: lifecycle = 'gone': expected one of active, legacy, deprecated, retired",
        ),
        ('[[model]]\nid = "m"\nprice = 3\n', "m: price = 3: expected a table"),
        ('[[model]]\nid = "m"\nprice = { input = 1 }\n', "m: price: output is missing"),
        ('[[model]]\nid = "m"\nprice = { output = 1 }\n', "m: price: input is missing"),
        (
            '[[model]]\nid = "m"\nprice = { input = "1", output = 2 }\n',
            "m: price: input = '1': expected a number of 0 or more",
        ),
        (
            '[[model]]\nid = "m"\nprice = { input = -1, output = 2 }\n',
            "m: price: input = -1: expected a number of 0 or more",
        ),
        (
            '[[model]]\nid = "m"\nprice = { input = nan, output = 2 }\n',
            "m: price: input = nan: expected a number of 0 or more",
        ),
        (
            '[[model]]\nid = "m"\nprice = { input = 1, output = 2, cached = 1 }\n',
            "m: price: no key 'cached'; there is cache_",
        ),
        (
            '[[model]]\nid = "m"\nprice = { input = 1, output = 2, prompt_tokens = 1 }\n',
            "m: price: no key 'prompt_tokens'",
        ),
        (
            '[[model]]\nid = "m"\nprice_above = { prompt_tokens = 1, input = 1, output = 2 }\n',
            "m: price_above needs prompt_tokens, and a price beside it",
        ),
        (
            '[[model]]\nid = "m"\nprice = { input = 1, output = 2 }\n'
            "price_above = { input = 1, output = 2 }\n",
            "m: price_above needs prompt_tokens, and a price beside it",
        ),
    ],
)
def test_a_mistake_is_named_with_file_key_and_value(text: str, words: str, own: Path) -> None:
    own.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UsageError) as caught:
        load_catalogue()
    assert str(caught.value).startswith(f"{own}")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_capability_is_checked() -> None:
    assert set(CAPABILITIES) == set(Capabilities.__slots__)
    assert set(CAPABILITIES) < set(KEYS)
