"""httpx's requests over aiohttp's connections: the errors httpx has, and no connection too many."""

from __future__ import annotations

import asyncio
import base64
import gzip
import io
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint
from evalkit.api.retries import is_safe_to_repeat
from evalkit.api.transport import AiohttpTransport, find_proxy
from evalkit.errors import ConnectionFailedError, UsageError
from tests.certificates import SelfSigned, make_certificate, needs_openssl

OK = b"HTTP/1.1 200 OK\r\n"
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: closing drops a connection instead of ending it in order."""


@dataclass
class Loose:
    """A server that does to each connection what a function says, in a thread for each."""

    handle: Callable[[socket.socket], None]
    tls: ssl.SSLContext | None = None
    accepted: int = 0
    url: str = ""
    threads: list[threading.Thread] = field(default_factory=list)

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            thread = threading.Thread(target=self.run, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def run(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(10)
            try:
                if self.tls is not None:
                    connection = self.tls.wrap_socket(connection, server_side=True)
                self.handle(connection)
            except OSError:  # the client has gone
                pass
            finally:
                connection.close()


@contextmanager
def serving(
    handle: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None
) -> Iterator[Loose]:
    """A loose server on a free port of this machine."""
    loose = Loose(handle, tls)
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        port = listener.getsockname()[1]
        loose.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
        thread = threading.Thread(target=loose.serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield loose
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for each in (thread, *loose.threads):
                each.join(timeout=15)


def read_request(file: io.BufferedIOBase) -> tuple[bytes, bytes]:
    """Head and body of the next request; empty: there is none."""
    head = b""
    while (line := file.readline()) not in (b"\r\n", b""):
        head += line
    length = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    return head, file.read(int(length[0].partition(b":")[2])) if length else b""


def answering(*pieces: bytes, is_reset: bool = False) -> Callable[[socket.socket], None]:
    """Reads one request, sends the pieces, and ends the connection in order, or resets it."""

    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            read_request(file)
        for piece in pieces:
            connection.sendall(piece)
        if is_reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            # What was sent has to be on its way before the rest is dropped.
            threading.Event().wait(0.05)

    return handle


def keeping(
    content: bytes = b"{}", headers: str = "", heads: list[bytes] | None = None
) -> Callable[[socket.socket], None]:
    """Answers all requests of a connection alike, after a moment."""

    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            while (request := read_request(file))[0]:
                if heads is not None:
                    heads.append(request[0])
                threading.Event().wait(0.02)
                head = OK + f"content-length: {len(content)}\r\n{headers}\r\n".encode()
                connection.sendall(head + content)

    return handle


@asynccontextmanager
async def opened(
    url: str, connections: int = 1, *, connect_seconds: float = 5.0, trust_env: bool = False
) -> AsyncIterator[AiohttpTransport]:
    """A transport that is closed in the end."""
    transport = AiohttpTransport(
        url, connections, connect_seconds=connect_seconds, trust_env=trust_env
    )
    try:
        yield transport
    finally:
        await transport.aclose()


async def fetch(transport: AiohttpTransport, request: httpx.Request) -> httpx.Response:
    """A response, read to its end."""
    async with asyncio.timeout(10):
        reply = await transport.handle_async_request(request)
        try:
            await reply.aread()
        finally:
            await reply.aclose()
    return reply


def send(
    url: str,
    *,
    method: str = "POST",
    content: bytes = b"{}",
    headers: Mapping[str, str] | None = None,
    trust_env: bool = False,
    connect_seconds: float = 5.0,
) -> httpx.Response:
    """Send one request over a transport of its own."""

    async def run() -> httpx.Response:
        async with opened(url, trust_env=trust_env, connect_seconds=connect_seconds) as transport:
            return await fetch(
                transport, httpx.Request(method, url, content=content, headers=headers)
            )

    return asyncio.run(run())


# Errors


@pytest.mark.parametrize(
    ("handle", "kind", "message"),
    [
        (answering(is_reset=True), httpx.ReadError, "Connection reset by peer"),
        (answering(OK, is_reset=True), httpx.ReadError, "Connection reset by peer"),
        (answering(), httpx.RemoteProtocolError, "Server disconnected"),
        (answering(OK + b"content-le"), httpx.RemoteProtocolError, "Server disconnected"),
        (
            answering(OK + b"content-length: 9\r\n\r\nabc"),
            httpx.RemoteProtocolError,
            "the response ended too early",
        ),
        (
            answering(OK + b"content-length: 9\r\n\r\nabc", is_reset=True),
            httpx.RemoteProtocolError,
            "the response ended too early",
        ),
        (
            answering(OK + b"transfer-encoding: chunked\r\n\r\n5\r\nabc"),
            httpx.RemoteProtocolError,
            "the response ended too early",
        ),
        (
            answering(OK + b"transfer-encoding: chunked\r\n\r\nzzzz\r\nabc"),
            httpx.RemoteProtocolError,
            "what came is no HTTP (Invalid character in chunk size)",
        ),
        (
            answering(b"SSH-2.0-OpenSSH_9.9\r\n"),
            httpx.RemoteProtocolError,
            "what came is no HTTP (Bad status line)",
        ),
        (
            answering(b"\x00\xff" * 50),
            httpx.RemoteProtocolError,
            "what came is no HTTP (Bad status line)",
        ),
        (
            answering(OK + b"content-length: abc\r\n\r\n"),
            httpx.RemoteProtocolError,
            "what came is no HTTP (Invalid character in Content-Length)",
        ),
        (
            answering(OK + b"content-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain"),
            httpx.DecodingError,
            "Error -3 while decompressing data: incorrect header check",
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_a_connection_that_breaks_is_told_as_httpx_tells_it_and_may_have_had_an_effect(
    handle: Callable[[socket.socket], None], kind: type[httpx.HTTPError], message: str
) -> None:
    with serving(handle) as server:
        with pytest.raises(httpx.HTTPError) as caught:
            send(server.url)
        assert (type(caught.value), str(caught.value)) == (kind, message)
        assert is_safe(server.url) is False


def is_safe(url: str, *, connect_seconds: float = 5.0) -> bool:
    """Whether the client's error for a request says that it has had no effect."""

    async def run() -> None:
        endpoint = Endpoint(base_url=url, timeout_seconds=5)
        async with MessagesClient(endpoint, 1, connect_seconds=connect_seconds) as client:
            await client.request("POST", "/v1/x", body={})

    with pytest.raises(ConnectionFailedError) as caught:
        asyncio.run(run())
    return is_safe_to_repeat(caught.value)


def free_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("host", "message"),
    [("127.0.0.1", "Connection refused"), ("localhost", "Connection refused")],
)
def test_a_connection_that_is_refused_had_no_effect(host: str, message: str) -> None:
    url = f"http://{host}:{free_port()}"
    with pytest.raises(httpx.ConnectError) as caught:
        send(url)
    assert str(caught.value) == message
    assert is_safe(url)


def test_a_host_that_is_not_there_had_no_effect() -> None:
    with pytest.raises(httpx.ConnectError) as caught:
        send("http://nobody.invalid")
    assert "Connect call" not in str(caught.value)
    assert len(str(caught.value)) > 5
    assert is_safe("http://nobody.invalid")


def test_a_connection_that_is_not_taken_in_time_had_no_effect() -> None:
    # With its queue full, what comes now is neither taken nor refused.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        host, port = listener.getsockname()
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex((host, port))
        with pytest.raises(httpx.ConnectTimeout):
            send(f"http://{host}:{port}", connect_seconds=0.2)
        assert is_safe(f"http://{host}:{port}", connect_seconds=0.2)
        for each in waiting:
            each.close()


def say_no_tls(connection: socket.socket) -> None:
    """What a server without TLS does when it is asked with TLS."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def leave(connection: socket.socket) -> None:
    """Close the connection at once."""


@pytest.mark.parametrize(
    ("handle", "words"),
    [(say_no_tls, "WRONG_VERSION_NUMBER"), (leave, "reset by peer|broken off at once")],
)
def test_what_speaks_no_tls_is_no_connection_and_says_why(
    handle: Callable[[socket.socket], None], words: str
) -> None:
    with serving(handle) as server:
        url = server.url.replace("http:", "https:")
        # OpenSSL's numbers are not those of the system: 1 is no "Operation not permitted".
        with pytest.raises(httpx.ConnectError, match=words):
            send(url)
        assert is_safe(url)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> SelfSigned:
    """For a server on this machine."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


@needs_openssl
def test_a_certificate_that_nobody_vouches_for_is_no_connection(certificate: SelfSigned) -> None:
    with serving(keeping(), certificate.context) as server:
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            send(server.url)
        assert is_safe(server.url)


# Connections


def ask_in_rounds(
    url: str, *, connections: int, rounds: int, trust_env: bool = False
) -> list[httpx.Response]:
    """As many requests at once as there are connections, several times."""

    async def run() -> list[httpx.Response]:
        replies: list[httpx.Response] = []
        async with opened(url, connections, trust_env=trust_env) as transport:
            for _ in range(rounds):
                requests = [httpx.Request("POST", url, content=b"{}") for _ in range(connections)]
                replies += await asyncio.gather(*(fetch(transport, one) for one in requests))
        return replies

    return asyncio.run(run())


def test_there_are_as_many_connections_as_requests_at_once_and_none_is_opened_twice() -> None:
    with serving(keeping()) as server:
        replies = ask_in_rounds(server.url, connections=24, rounds=4)
        assert {reply.status_code for reply in replies} == {200}
        assert (len(replies), server.accepted) == (96, 24)


@needs_openssl
def test_over_tls_too(certificate: SelfSigned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(keeping(), certificate.context) as server:
        replies = ask_in_rounds(server.url, connections=16, rounds=4, trust_env=True)
        assert (len(replies), server.accepted) == (64, 16)


def test_one_request_after_another_takes_one_connection() -> None:
    async def run(url: str) -> None:
        async with opened(url, 64) as transport:
            for _ in range(5):
                await fetch(transport, httpx.Request("POST", url, content=b"{}"))

    with serving(keeping()) as server:
        asyncio.run(run(server.url))
        assert server.accepted == 1


def test_no_more_connections_are_open_than_may_be() -> None:
    async def run(url: str) -> None:
        async with opened(url, 3) as transport:
            requests = [httpx.Request("POST", url, content=b"{}") for _ in range(12)]
            await asyncio.gather(*(fetch(transport, one) for one in requests))

    with serving(keeping()) as server:
        asyncio.run(run(server.url))
        assert server.accepted == 3


def test_a_connection_whose_response_was_left_is_not_used_again() -> None:
    async def run(url: str) -> bytes:
        async with opened(url) as transport:
            reply = await transport.handle_async_request(httpx.Request("GET", url))
            await reply.aclose()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await fetch(transport, httpx.Request("GET", url))
            return (await fetch(transport, httpx.Request("GET", url))).content

    with serving(keeping(b"x" * 1_000_000)) as server:
        assert asyncio.run(run(server.url)) == b"x" * 1_000_000
        assert server.accepted == 3


# What goes out and comes back


def test_what_comes_back_is_unpacked_once() -> None:
    with serving(keeping(gzip.compress(b'{"a": 1}'), "content-encoding: gzip\r\n")) as server:
        reply = send(server.url, headers={"accept-encoding": "gzip"})
    assert (reply.json(), reply.headers["content-encoding"]) == ({"a": 1}, "gzip")


def test_status_reason_and_headers_come_back_as_they_are() -> None:
    head = b"HTTP/1.1 418 I'm a teapot\r\nX-Twice: a\r\nx-twice: b\r\ncontent-length: 0\r\n\r\n"
    with serving(answering(head)) as server:
        reply = send(server.url)
    assert (reply.status_code, reply.reason_phrase) == (418, "I'm a teapot")
    assert reply.headers.get_list("x-twice") == ["a", "b"]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1/files/a%2Fb%20c", b"/v1/files/a%2Fb%20c"),
        ("/v1/x?after=%C3%A9%26%2B", b"/v1/x?after=%C3%A9%26%2B"),
        ("/v1/x?q=a+b", b"/v1/x?q=a+b"),
        ("/v1/%7Euser", b"/v1/%7Euser"),
    ],
)
def test_escaped_characters_go_out_as_they_are(path: str, sent: bytes) -> None:
    heads: list[bytes] = []
    with serving(keeping(heads=heads)) as server:
        send(server.url + path, method="GET", content=b"")
    assert heads[0].split()[1] == sent


def test_redirects_and_cookies_are_left_alone() -> None:
    heads: list[bytes] = []

    async def run(url: str) -> list[int]:
        async with opened(url) as transport:
            request = httpx.Request("POST", url, content=b"{}")
            return [(await fetch(transport, request)).status_code for _ in range(2)]

    with serving(keeping(headers="set-cookie: a=b\r\nlocation: /y\r\n", heads=heads)) as server:
        asyncio.run(run(server.url))
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()


def test_a_large_body_arrives_whole() -> None:
    content = bytes(range(256)) * 12_000  # 3 MB
    bodies: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            bodies.append(read_request(file)[1])
        connection.sendall(OK + b"content-length: 0\r\n\r\n")

    with serving(handle) as server:
        send(server.url, content=content)
    assert bodies == [content]


def test_no_password_is_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password something\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("NO_PROXY", "*")
    heads: list[bytes] = []
    with serving(keeping(heads=heads)) as server:
        send(server.url, trust_env=True)
    assert b"authorization" not in heads[0].lower()


# Proxies


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the proxies of this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "http://a.example", None),
        ({"HTTP_PROXY": "http://p:1"}, "http://a.example", "http://p:1"),
        ({"http_proxy": "http://p:1"}, "http://a.example", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://a.example", None),
        ({"HTTPS_PROXY": "https://p:1"}, "https://a.example", "https://p:1"),
        ({"HTTPS_PROXY": "HTTP://p:1"}, "https://a.example", "HTTP://p:1"),
        ({"ALL_PROXY": "p:1"}, "http://a.example", "http://p:1"),
        ({"ALL_PROXY": "p:1", "HTTP_PROXY": "q:1"}, "http://a.example", "http://q:1"),
        ({"HTTP_PROXY": ""}, "http://a.example", None),
        ({"HTTP_PROXY": "p:1", "NO_PROXY": "a.example"}, "http://a.example", None),
        ({"HTTP_PROXY": "p:1", "NO_PROXY": "a.example"}, "http://a.example:8080", None),
        ({"HTTP_PROXY": "p:1", "NO_PROXY": "example"}, "http://a.example", None),
        ({"HTTP_PROXY": "p:1", "NO_PROXY": "b.example, *"}, "http://a.example", "http://p:1"),
        ({"HTTP_PROXY": "p:1", "NO_PROXY": "*"}, "http://a.example", None),
        ({"HTTP_PROXY": "p:1", "NO_PROXY": "b.example"}, "http://a.example", "http://p:1"),
    ],
)
def test_which_proxy_is_used(
    variables: Mapping[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert find_proxy(url) == proxy


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("socks5://user:secret@p:1", "of the kind socks5://, which can't be used"),
        ("http://user:secret@p:99999", "is no address such as http://127.0.0.1:8080"),
        ("http://", "is no address such as"),
        ("http://[", "is no address such as"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_one_line_without_its_password(
    proxy: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)

    async def run() -> None:
        async with MessagesClient(Endpoint(base_url="http://api.example.org"), 1):
            pass

    with pytest.raises(UsageError, match=words) as caught:
        asyncio.run(run())
    assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("no_proxies")
def test_a_proxy_is_asked_for_the_whole_address_with_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heads: list[bytes] = []
    with serving(keeping(heads=heads)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("://", "://user:secret@"))
        assert send("http://api.example.org/v1/x", trust_env=True).status_code == 200
    assert heads[0].startswith(b"POST http://api.example.org/v1/x HTTP/1.1\r\n")
    password = base64.b64encode(b"user:secret")
    assert b"proxy-authorization: basic " + password.lower() in heads[0].lower()


@pytest.mark.usefixtures("no_proxies")
def test_a_proxy_that_lets_nobody_through_is_told_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(answering(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("://", "://user:secret@"))
        with pytest.raises(httpx.ProxyError, match=r"^the proxy answers 407 No$"):
            send("https://api.example.org", trust_env=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.usefixtures("no_proxies")
def test_this_machine_is_never_asked_through_a_proxy(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(url: str) -> int:
        async with MessagesClient(Endpoint(base_url=url), 1) as client:
            return (await client.request("GET", "/v1/x")).status_code

    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    with serving(keeping()) as server:
        assert asyncio.run(run(server.url.replace("127.0.0.1", host))) == 200
