"""What an endpoint says it serves, be it much or little."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from evalkit.api.endpoint import Endpoint
from evalkit.api.listing import ServedModel, list_served_models
from evalkit.errors import AuthenticationError, NotFoundError, UnreadableResponseError
from evalkit.testing.messages_models import MODELS
from evalkit.testing.messages_server import MessagesServer
from tests.conftest import endpoint_of
from tests.test_client import http_response, raw_server, using


def list_all(endpoint: Endpoint, page_rows: int = 100) -> dict[str, ServedModel]:
    """The models by their ids."""
    models = using(endpoint, lambda client: list_served_models(client, page_rows=page_rows))
    found = {model.id: model for model in models}
    assert len(found) == len(models)
    return found


def list_raw(body: object) -> list[ServedModel]:
    """The models in the list of some server."""
    with raw_server(http_response("200 OK", json.dumps(body).encode())) as address:
        return list(list_all(Endpoint(base_url=address)).values())


@pytest.mark.parametrize(("page_rows", "pages"), [(100, 1), (7, 3), (1, len(MODELS))])
def test_all_pages_are_read_in_their_order(page_rows: int, pages: int) -> None:
    with MessagesServer() as server:
        found = list_all(endpoint_of(server), page_rows)
        assert len(server.requests) == pages
    assert set(found) == {model.id for model in MODELS}
    assert next(iter(found)) in ("claude-fable-5-2", "claude-mythos-5-2")


def test_a_model_tells_what_it_can_do() -> None:
    with MessagesServer() as server:
        found = list_all(endpoint_of(server))
    opus = found["claude-opus-5"]
    assert (opus.display_name, opus.lifecycle, opus.retires_at) == ("Claude Opus 5", "active", None)
    assert (opus.max_input_tokens, opus.max_tokens) == (1_000_000, 128_000)
    expected = {
        "image_input": True,
        "structured_outputs": True,
        "effort": True,
        "effort.max": True,
        "thinking.types.adaptive": True,
        "thinking.types.enabled": False,
        "thinking.types.disabled": True,
        "server_tools.web_search": True,
    }
    assert {name: opus.capabilities[name] for name in expected} == expected
    assert not {"prefill", "thinking.types"} & opus.capabilities.keys()


def test_a_model_tells_when_it_retires() -> None:
    with MessagesServer() as server:
        sonnet = list_all(endpoint_of(server))["claude-sonnet-4-5-20250929"]
    assert sonnet.lifecycle == "deprecated"
    assert sonnet.retires_at == datetime(2026, 11, 30, tzinfo=UTC)


def test_newer_fields_may_be_missing() -> None:
    with MessagesServer(newer_model_fields=False) as server:
        opus = list_all(endpoint_of(server))["claude-opus-5"]
    assert (opus.lifecycle, opus.retires_at) == (None, None)
    assert opus.display_name == "Claude Opus 5"
    assert "thinking.types.enabled" in opus.capabilities
    assert "thinking.types.disabled" not in opus.capabilities


def test_a_list_as_third_party_servers_have_it_will_do() -> None:
    with MessagesServer(bare=True) as server:
        assert list_all(endpoint_of(server)) == {"any": ServedModel(id="any")}


@pytest.mark.parametrize(
    ("row", "model"),
    [
        ({"id": "m", "capabilities": None}, ServedModel(id="m")),
        ({"id": "m", "capabilities": ["vision"]}, ServedModel(id="m")),
        (
            {"id": "m", "capabilities": {"a": True, "b": {"supported": "yes"}, "c": {"d": {}}}},
            ServedModel(id="m"),
        ),
        (
            {"id": "m", "capabilities": {"supported": True, "a": {"b": {"supported": False}}}},
            ServedModel(id="m", capabilities={"a.b": False}),
        ),
        ({"id": "m", "max_tokens": "many", "retires_at": "soon"}, ServedModel(id="m")),
        (
            {"id": "m", "retires_at": "2026-11-30T00:00:00"},
            ServedModel(id="m", retires_at=datetime(2026, 11, 30, tzinfo=UTC)),
        ),
        ({"id": "m", "display_name": 7, "lifecycle": {}}, ServedModel(id="m")),
    ],
)
def test_odd_fields_count_as_missing(row: object, model: ServedModel) -> None:
    assert list_raw({"data": [row]}) == [model]


def test_what_has_no_id_is_no_model() -> None:
    assert list_raw({"data": [{}, {"id": None}, "m", {"id": "m"}]}) == [ServedModel(id="m")]


def test_no_list_at_all_is_one_clear_line() -> None:
    with raw_server(http_response("404 Not Found")) as address:
        with pytest.raises(NotFoundError) as caught:
            list_all(Endpoint(base_url=address))
        host = address[7:]
    assert str(caught.value) == (
        f"{host} has no list of models: Not Found, without an error message (status 404)"
    )


@pytest.mark.parametrize("body", [{}, {"models": []}, [], {"data": {}}])
def test_what_is_no_list_is_unreadable(body: object) -> None:
    with pytest.raises(UnreadableResponseError):
        list_raw(body)


def test_a_wrong_key_is_a_typed_error() -> None:
    with MessagesServer() as server, pytest.raises(AuthenticationError):
        list_all(Endpoint(base_url=server.base_url, api_key="wrong"))
