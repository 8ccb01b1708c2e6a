"""A model is made ready at the endpoint that answers for it."""

from __future__ import annotations

import pytest

from evalkit.api.endpoint import Endpoint
from evalkit.errors import UsageError
from evalkit.models.catalogue import find_model
from evalkit.models.model import EMBEDDED, Capabilities
from evalkit.models.weights import load_weights_table
from evalkit.targets import known_capabilities, open_target

OFFICIAL = Endpoint(api_key="a-secret-key")
ELSEWHERE = Endpoint(base_url="http://127.0.0.1:8080/gateway")


def silent(line: str) -> None:
    pass


def test_a_model_of_an_endpoint_is_asked_there() -> None:
    with open_target("claude-haiku-4-5", OFFICIAL, say=silent) as target:
        assert (target.model, target.wire_model) == ("claude-haiku-4-5", "claude-haiku-4-5")
        assert target.endpoint is OFFICIAL
        assert target.host == "api.anthropic.com"
        assert target.capabilities == find_model("claude-haiku-4-5").capabilities
        assert (target.concurrency, target.weights_digest) == (None, None)


def test_gateways_on_one_host_are_told_apart() -> None:
    with open_target("m", ELSEWHERE, say=silent) as target:
        assert target.host == "127.0.0.1:8080/gateway"


def test_the_environment_names_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9/v1/")
    with open_target("m", say=silent) as target:
        assert target.endpoint.base_url == "http://127.0.0.1:9"


def test_the_official_api_needs_a_key() -> None:
    with (
        pytest.raises(UsageError, match="set ANTHROPIC_API_KEY"),
        open_target("claude-haiku-4-5", say=silent),
    ):
        pass


@pytest.mark.parametrize("model", ["", "  ", "claude\n", "\x1b[31mred", "\udcff", "local/\udcff"])
def test_a_name_that_can_be_none_is_refused(model: str) -> None:
    with (
        pytest.raises(UsageError, match="expected a name such as claude-haiku-4-5"),
        open_target(model, ELSEWHERE, say=silent),
    ):
        pass


NOT_KNOWN = Capabilities(temperature=True, thinking="off", think_on="enabled", efforts=())


@pytest.mark.parametrize(
    ("model", "endpoint", "known"),
    [
        ("claude-haiku-4-5", OFFICIAL, find_model("claude-haiku-4-5").capabilities),
        ("claude-opus-5-5", OFFICIAL, find_model("claude-opus-5-5").capabilities),
        ("claude-new", OFFICIAL, Capabilities(thinking="always")),
        # Another server may drop a prefill in silence, whatever model stands behind it.
        ("claude-haiku-4-5", ELSEWHERE, NOT_KNOWN),
        # But none makes a model take a prefill that doesn't.
        ("claude-opus-5-5", ELSEWHERE, find_model("claude-opus-5-5").capabilities),
        ("llama", ELSEWHERE, Capabilities()),
    ],
)
def test_only_the_official_api_is_as_the_catalogue_says(
    model: str, endpoint: Endpoint, known: Capabilities
) -> None:
    assert known_capabilities(model, endpoint) == known


@pytest.mark.slow
def test_an_embedded_model_is_served_while_it_is_needed() -> None:
    said: list[str] = []
    with open_target("local/smollm2-135m", say=said.append) as target:
        assert target.model == "local/smollm2-135m"
        assert target.endpoint.is_loopback
        assert target.host.startswith("xllamacpp ")
        assert target.capabilities == EMBEDDED
        assert target.concurrency == 1
        assert target.weights_digest == load_weights_table()["smollm2-135m"].sha256
    assert said[-1].startswith("local/smollm2-135m is ready")
