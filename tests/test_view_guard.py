"""Who may ask: this machine's browser, by GET, from no page but our own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.view.guard import HEADERS, Guard
from tests.view_server import ViewServer, view


async def nothing(*_: object) -> None:
    """An app that is never reached."""


GUARD = Guard(nothing, port=8420)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ViewServer]:
    """An app over no run."""
    with view(tmp_path_factory.mktemp("results")) as running:
        yield running


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LocalHost:{}", "[::1]:{}"])
def test_this_machine_is_answered_by_each_of_its_names(server: ViewServer, host: str) -> None:
    assert server.get("/", {"Host": host.format(server.port)}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "example.com",
        "example.com:{}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:{}.example.com",
        "127.0.0.2:{}",
        "localhost.example.com:{}",
        "user@127.0.0.1:{}",
        "",
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(server: ViewServer, host: str) -> None:
    reply = server.get("/", {"Host": host.format(server.port)})
    assert reply.status == 421
    assert "Runs" not in reply.text


def test_a_request_without_or_with_two_hosts_is_refused(server: ViewServer) -> None:
    ours = f"Host: 127.0.0.1:{server.port}\r\n".encode()
    for hosts in (b"", ours + b"Host: example.com\r\n"):
        reply = server.send(b"GET / HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
        assert reply.split(b" ", 2)[1] in (b"400", b"421"), reply


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/run/x", "/nowhere"])
def test_nothing_but_reading_is_allowed(server: ViewServer, method: str, path: str) -> None:
    reply = server.get(path, method=method)
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD"


def test_head_is_answered_without_a_page(server: ViewServer) -> None:
    reply = server.get("/", method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Origin", "http://example.com"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ],
)
def test_another_page_can_use_nothing(server: ViewServer, name: str, value: str) -> None:
    assert server.get("/", {name: value}).status == 403


def test_a_link_on_another_page_leads_here(server: ViewServer) -> None:
    asked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert server.get("/", asked).status == 200


def test_our_own_pages_are_answered(server: ViewServer) -> None:
    asked = {"Origin": server.address, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert server.get("/", asked).status == 200


@pytest.mark.parametrize(
    ("path", "headers", "method"),
    [
        ("/", {}, "GET"),
        ("/nowhere", {}, "GET"),
        ("/run/nothing", {}, "GET"),
        ("/compare", {}, "GET"),
        ("/static/style.css", {}, "GET"),
        ("/", {"Host": "example.com"}, "GET"),
        ("/", {}, "POST"),
    ],
)
def test_every_reply_has_the_headers_of_safe_pages(
    server: ViewServer, path: str, headers: dict[str, str], method: str
) -> None:
    reply = server.get(path, headers, method)
    for name, value in HEADERS.items():
        if name != "cache-control":
            assert reply.headers[name] == value
    assert "server" not in reply.headers


def test_the_policy_lets_no_script_of_a_text_run() -> None:
    policy = HEADERS["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_nothing_but_http_is_answered() -> None:
    async def fail(*_: object) -> None:
        raise AssertionError("it was let through")

    asyncio.run(Guard(fail, port=1)({"type": "websocket"}, fail, fail))  # type: ignore[arg-type]


def test_port_80_may_be_left_out() -> None:
    guard = Guard(nothing, port=80)
    assert guard.judge("GET", [(b"host", b"localhost")]) is None
    assert GUARD.judge("GET", [(b"host", b"localhost")]) is not None
    assert GUARD.judge("GET", [(b"host", b"localhost:8420")]) is None


def test_the_socket_listens_on_this_machine_alone(server: ViewServer, tmp_path: Path) -> None:
    """What listens on all addresses would answer at this one too."""
    import socket

    with socket.socket() as probe:
        probe.settimeout(5)
        assert probe.connect_ex(("127.0.0.2", server.port)) != 0
