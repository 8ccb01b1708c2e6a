"""An endpoint is an address without `/v1`, and a key that nothing shows."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from evalkit.api.endpoint import OFFICIAL_URL, Endpoint, endpoint_from_environment
from evalkit.errors import UsageError

SECRET = "sk-ant-api03-very-secret"


@pytest.mark.parametrize(
    ("given", "base_url", "host"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com", "api.anthropic.com"),
        ("https://api.anthropic.com/", "https://api.anthropic.com", "api.anthropic.com"),
        ("https://api.anthropic.com/v1", "https://api.anthropic.com", "api.anthropic.com"),
        ("https://api.anthropic.com/v1/", "https://api.anthropic.com", "api.anthropic.com"),
        ("https://api.anthropic.com/v1/messages", OFFICIAL_URL, "api.anthropic.com"),
        (" https://api.anthropic.com/v1/messages/\n", OFFICIAL_URL, "api.anthropic.com"),
        ("HTTPS://API.Anthropic.com", "https://api.anthropic.com", "api.anthropic.com"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080//", "http://[::1]:8080", "[::1]:8080"),
        ("http://localhost/Gate/way/v1", "http://localhost/Gate/way", "localhost/Gate/way"),
        ("http://localhost/v1beta", "http://localhost/v1beta", "localhost/v1beta"),
    ],
)
def test_an_address_has_one_form(given: str, base_url: str, host: str) -> None:
    endpoint = Endpoint(base_url=given)
    assert (endpoint.base_url, endpoint.host) == (base_url, host)
    assert endpoint.is_official is (base_url == OFFICIAL_URL)


@pytest.mark.parametrize(
    "given",
    [
        "",
        "   ",
        "127.0.0.1:8080",
        "localhost:8080",
        "api.anthropic.com",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "http://",
        "http:///v1",
        "http://127.0.0.1:eighty",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "http://[::1",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="expected an address such as") as caught:
        Endpoint(base_url=given)
    assert repr(given) in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        f"https://{SECRET}@api.anthropic.com",
        f"https://user:{SECRET}@api.anthropic.com",
        f"user:{SECRET}@api.anthropic.com",
        f"ftp://user:{SECRET}@host",
        f"https://host/v1?key={SECRET}",
        f"https://host/#{SECRET}",
        f"host?key={SECRET}",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(UsageError, match="base URL: ") as caught:
        Endpoint(base_url=given)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_timeout_is_more_than_nothing(seconds: float) -> None:
    with pytest.raises(UsageError, match=r"timeout .* s: expected more than 0"):
        Endpoint(timeout_seconds=seconds)


@pytest.mark.parametrize(
    ("base_url", "is_loopback"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:8080", True),
        ("http://LOCALHOST", True),
        ("http://[::1]:8080", True),
        ("http://192.168.0.7", False),
        ("http://localhost.example.org", False),
        (OFFICIAL_URL, False),
    ],
)
def test_a_server_on_this_machine_is_known_as_such(base_url: str, is_loopback: bool) -> None:
    assert Endpoint(base_url=base_url).is_loopback is is_loopback


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ({}, {}),
        ({"api_key": ""}, {}),
        ({"api_key": SECRET}, {"x-api-key": SECRET}),
        ({"auth_token": SECRET}, {"authorization": f"Bearer {SECRET}"}),
        # Both together are refused by the API; the key goes first, as in the official SDK.
        ({"api_key": SECRET, "auth_token": "another"}, {"x-api-key": SECRET}),
        ({"api_key": " ", "auth_token": SECRET}, {"authorization": f"Bearer {SECRET}"}),
        # A key read from a file ends in a line break, which no header may hold.
        ({"api_key": f" {SECRET}\r\n"}, {"x-api-key": SECRET}),
    ],
)
def test_one_key_is_sent(keys: dict[str, Any], sent: dict[str, str]) -> None:
    common = {"anthropic-version": "2023-06-01", "content-type": "application/json"}
    assert Endpoint(**keys).headers() == common | sent


@pytest.mark.parametrize(
    "key", [f"{SECRET}\nx-other: 1", f"{SECRET}…", f"{SECRET}\x00", "schlüssel"]
)
@pytest.mark.parametrize("name", ["api_key", "auth_token"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(name: str, key: str) -> None:
    fields: dict[str, Any] = {name: key}
    with pytest.raises(UsageError, match="holds characters that no key has") as caught:
        Endpoint(**fields)
    assert key not in str(caught.value)


def test_no_key_is_shown() -> None:
    endpoint = Endpoint(api_key=SECRET, auth_token=f"{SECRET}-2")
    for text in (repr(endpoint), str(endpoint), f"{endpoint}", repr([endpoint])):
        assert SECRET not in text
    assert pickle.loads(pickle.dumps(endpoint)) == endpoint


@pytest.mark.parametrize(
    ("keys", "text", "masked"),
    [
        ({"api_key": SECRET}, f"bad key {SECRET}, {SECRET}!", "bad key ***, ***!"),
        ({"auth_token": SECRET}, f"Bearer {SECRET}", "Bearer ***"),
        ({"api_key": SECRET}, "nothing of the kind", "nothing of the kind"),
        ({}, "no key at all", "no key at all"),
        # A dummy, as many servers ask for, is no secret, and the text stays readable.
        ({"auth_token": "ollama"}, "ollama is busy", "ollama is busy"),
    ],
)
def test_a_key_is_masked(keys: dict[str, Any], text: str, masked: str) -> None:
    assert Endpoint(**keys).mask(text) == masked


@pytest.mark.parametrize(
    ("base_url", "environment", "expected"),
    [
        (None, {"ANTHROPIC_API_KEY": SECRET}, Endpoint(api_key=SECRET)),
        (None, {"ANTHROPIC_AUTH_TOKEN": SECRET}, Endpoint(auth_token=SECRET)),
        (
            None,
            {"ANTHROPIC_BASE_URL": "http://one/", "ANTHROPIC_API_KEY": ""},
            Endpoint(base_url="http://one"),
        ),
        ("http://two", {"ANTHROPIC_BASE_URL": "http://one"}, Endpoint(base_url="http://two")),
        (
            "http://two",
            {"ANTHROPIC_API_KEY": SECRET},
            Endpoint(base_url="http://two", api_key=SECRET),
        ),
        (
            None,
            {"ANTHROPIC_BASE_URL": "", "ANTHROPIC_API_KEY": SECRET},
            Endpoint(api_key=SECRET),
        ),
    ],
)
def test_the_environment_names_address_and_key(
    base_url: str | None, environment: dict[str, str], expected: Endpoint
) -> None:
    assert endpoint_from_environment(base_url, environment=environment) == expected


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    endpoint = endpoint_from_environment(timeout_seconds=7)
    assert endpoint == Endpoint(api_key=SECRET, timeout_seconds=7)


@pytest.mark.parametrize("environment", [{}, {"ANTHROPIC_API_KEY": " "}])
@pytest.mark.parametrize("base_url", [None, "https://api.anthropic.com/v1/"])
def test_the_official_api_without_a_key_says_what_to_do(
    base_url: str | None, environment: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match="no key: set ANTHROPIC_API_KEY, or point --base-url"):
        endpoint_from_environment(base_url, environment=environment)


@pytest.mark.parametrize("version", ["", "latest", "2023-6-1", "2023-06-01\n"])
def test_a_version_is_a_date(version: str) -> None:
    with pytest.raises(UsageError, match="expected a date such as 2023-06-01"):
        Endpoint(version=version, api_key="secret-of-mine")
