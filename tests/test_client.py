"""One request, one attempt: what is sent, what comes back, and every way to fail by its type."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from evalkit.api.client import MessagesClient
from evalkit.api.endpoint import Endpoint
from evalkit.api.error_bodies import classify, parse_error_body
from evalkit.errors import (
    ApiError,
    AuthenticationError,
    BillingError,
    ConnectionFailedError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    ServerError,
    UnreadableResponseError,
    UsageError,
)
from evalkit.responses import Response
from evalkit.testing.messages_faults import (
    Fault,
    bad_gateway,
    connection_reset,
    cut_in_half,
    empty_body,
    first_attempts,
    hang,
    overloaded,
    rate_limited,
    server_error,
    slow,
    spend_limit_reached,
    timed_out,
    unauthorized,
    web_page,
)
from evalkit.testing.messages_replies import Reply
from evalkit.testing.messages_server import MessagesServer
from evalkit.version import __version__
from tests.certificates import make_certificate, needs_openssl
from tests.conftest import endpoint_of

SECRET = "sk-ant-api03-" + "very-secret-" * 8
T = TypeVar("T")

BODY: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 1,
    "messages": [
        {"role": "user", "content": "Où est Zoë? 🐜 (A) ici (B) là"},
        {"role": "assistant", "content": "The answer is ("},
    ],
    "temperature": 0.0,
}


def ask(endpoint: Endpoint, body: Mapping[str, Any] = BODY) -> Response:
    """Ask once."""

    async def send() -> Response:
        async with MessagesClient(endpoint, 1) as client:
            return await client.send(body)

    return asyncio.run(send())


def using(endpoint: Endpoint, use: Callable[[MessagesClient], Awaitable[T]]) -> T:
    """What a function makes of a client with three connections."""

    async def main() -> T:
        async with MessagesClient(endpoint, 3) as client:
            return await use(client)

    return asyncio.run(main())


def fail(endpoint: Endpoint, body: Mapping[str, Any] = BODY) -> ApiError:
    """Ask once, in vain."""
    with pytest.raises(ApiError) as caught:
        ask(endpoint, body)
    assert "\n" not in str(caught.value)
    return caught.value


def receive(connection: socket.socket) -> bytes:
    """The bytes of a request; what is left unread when a connection ends would reset it."""
    request = connection.recv(65536)
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (more := connection.recv(65536)):
        request += more
        missing -= len(more)
    return request


@contextmanager
def raw_server(
    *pieces: bytes,
    pause_seconds: float = 0.0,
    requests: list[bytes] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Answers every connection with the same bytes, piece by piece; yields its address."""
    requests = [] if requests is None else requests
    closing = threading.Event()

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if tls is not None:
                    try:
                        connection = tls.wrap_socket(connection, server_side=True)
                    except OSError:  # the client does not like our certificate
                        continue
                requests.append(receive(connection))
                for piece in pieces:
                    try:
                        connection.sendall(piece)
                    except OSError:
                        break
                    if closing.wait(pause_seconds):
                        break

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            closing.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)


def http_response(
    status: str, content: bytes = b"", headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """The bytes of a response."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + content


# What is sent


def test_the_body_arrives_as_it_was_built() -> None:
    with MessagesServer(answer=lambda body: Reply(letter="B")) as server:
        response = ask(endpoint_of(server))
        record = server.requests[0]
    assert (response.text, response.request_id) == ("B", "req_011000000000000000000001")
    assert (record.method, record.path, record.body) == ("POST", "/v1/messages", BODY)
    headers = {name: record.headers[name] for name in ("x-api-key", "anthropic-version")}
    assert headers == {"x-api-key": "test-key", "anthropic-version": "2023-06-01"}
    assert record.headers["content-type"] == "application/json"
    assert record.headers["user-agent"] == f"evalkit/{__version__}"
    assert "authorization" not in record.headers


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/v1/messages"])
def test_every_form_of_the_address_leads_there(suffix: str) -> None:
    with MessagesServer() as server:
        ask(Endpoint(base_url=server.base_url + suffix, api_key=server.key))
        assert server.requests[0].path == "/v1/messages"


def test_a_gateway_may_lie_below_a_path() -> None:
    requests: list[bytes] = []
    with raw_server(http_response("404 Not Found"), requests=requests) as address:
        fail(Endpoint(base_url=f"{address}/gate/way"))
    assert requests[0].startswith(b"POST /gate/way/v1/messages HTTP/1.1\r\n")


def test_a_bearer_token_does_as_well() -> None:
    with MessagesServer() as server:
        ask(Endpoint(base_url=server.base_url, auth_token=server.key))
        assert server.requests[0].headers["authorization"] == "Bearer test-key"
        assert "x-api-key" not in server.requests[0].headers


def test_key_and_token_are_never_sent_together() -> None:
    with MessagesServer() as server:  # it refuses both, as the API does
        ask(Endpoint(base_url=server.base_url, api_key=server.key, auth_token="another"))
        assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_has_no_business_on_this_machine(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")  # nothing listens there
    with MessagesServer() as server:
        assert ask(endpoint_of(server)).text
        local = server.base_url.replace("127.0.0.1", "localhost")
        assert ask(replace(endpoint_of(server), base_url=local)).text


def test_a_proxy_is_used_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[bytes] = []
    with raw_server(http_response("502 Bad Gateway"), requests=requests) as address:
        monkeypatch.setenv("HTTP_PROXY", address)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        fail(Endpoint(base_url="http://api.example.org"))
    assert requests[0].startswith(b"POST http://api.example.org/v1/messages HTTP/1.1\r\n")


@needs_openssl
@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_a_certificate_that_nobody_vouches_for_is_refused(scheme: str, tmp_path: Path) -> None:
    context = make_certificate(tmp_path).context
    requests: list[bytes] = []
    with raw_server(http_response("200 OK"), requests=requests, tls=context) as address:
        port = address.rpartition(":")[2]
        error = fail(Endpoint(base_url=f"{scheme}://localhost:{port}", api_key=SECRET))
    assert "certificate verify failed" in str(error)
    assert requests == []


def test_connections_are_kept_and_limited() -> None:
    async def ask_many(endpoint: Endpoint) -> None:
        async with MessagesClient(endpoint, 3) as client:
            await asyncio.gather(*(client.send(BODY) for _ in range(12)))

    with MessagesServer(latency_seconds=0.01) as server:
        asyncio.run(ask_many(endpoint_of(server)))
        assert (server.connections, server.peak_concurrency) == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "head", "absent"),
    [
        ({"body": {"a": 1}}, b"content-type: application/json\r\n", b"accept: app"),
        ({"body": b'{"a": 1}'}, b"content-type: application/json\r\n", b"multipart"),
        ({"params": {"limit": 5}}, b" /v1/x?limit=5 HTTP/1.1\r\n", b"content-type"),
        ({"accept": "application/binary"}, b"accept: application/binary\r\n", b"content-type"),
        (
            {"files": {"file": ("a.png", b"...", "image/png")}},
            b"content-type: multipart/form-data; boundary=",
            b"application/json",
        ),
    ],
)
def test_headers_fit_what_is_sent(arguments: dict[str, Any], head: bytes, absent: bytes) -> None:
    requests: list[bytes] = []
    with raw_server(http_response("200 OK", b"{}"), requests=requests) as address:
        using(
            Endpoint(base_url=address), lambda client: client.request("POST", "/v1/x", **arguments)
        )
    assert head in requests[0].replace(b"Content-Type", b"content-type")
    assert absent not in requests[0]


@pytest.mark.parametrize(
    ("size", "seconds"), [(0, 120), (999_999, 120), (5_300_000, 170), (256_000_000, 2680)]
)
def test_a_large_body_has_more_time(size: int, seconds: float) -> None:
    client = MessagesClient(Endpoint(base_url="http://127.0.0.1:9", timeout_seconds=120), 1)
    assert client.seconds_for(size) == seconds


# What a redirect must not do


def test_a_redirect_is_not_followed_with_the_key() -> None:
    with MessagesServer(key=SECRET) as elsewhere:
        moved = http_response(
            "307 Temporary Redirect", headers=[("location", f"{elsewhere.base_url}/v1/messages")]
        )
        with raw_server(moved) as address:
            error = fail(Endpoint(base_url=address, api_key=SECRET))
        assert elsewhere.requests == []
    assert isinstance(error, InvalidRequestError)
    assert str(error) == (
        f"redirected to {elsewhere.base_url}/v1/messages; give that address as base URL "
        "(status 307)"
    )


# Failures


@pytest.mark.parametrize(
    ("fault", "kind", "status", "message"),
    [
        (rate_limited(), RateLimitError, 429, "This request would exceed your organization's"),
        (spend_limit_reached(), BillingError, 429, "You have reached the spend limit"),
        (overloaded(), OverloadedError, 529, "Overloaded (status 529)"),
        (server_error(), ServerError, 500, "Internal server error (status 500)"),
        (timed_out(), ServerError, 504, "Request timed out (status 504)"),
        (unauthorized(), AuthenticationError, 401, "invalid x-api-key (status 401)"),
        (bad_gateway(), ServerError, 502, "Bad Gateway, without an error message (status 502)"),
        (web_page(), UnreadableResponseError, 200, "the body is no JSON (text/html"),
        (empty_body(), UnreadableResponseError, 200, "the body is no JSON (application/json"),
        (
            cut_in_half(),
            ConnectionFailedError,
            None,
            "connection off: the response ended",
        ),
        (connection_reset(), ConnectionFailedError, None, "broke the connection off: "),
        (hang(), ConnectionFailedError, None, "does not answer within 0.2 s"),
        (slow(5.0), ConnectionFailedError, None, "does not answer within 0.2 s"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_each_fault_has_its_type(
    fault: Fault, kind: type[ApiError], status: int | None, message: str
) -> None:
    with MessagesServer(faults=first_attempts(fault)) as server:
        error = fail(endpoint_of(server, timeout_seconds=0.2))
        assert ask(endpoint_of(server)).text in ("A", "B")
    assert type(error) is kind
    assert error.status == status
    assert message in error.message


def test_an_error_keeps_what_the_endpoint_said() -> None:
    fault = replace(rate_limited(7, should_retry=True), error_code="ramp_limit_exceeded")
    with MessagesServer(faults=first_attempts(fault)) as server:
        error = fail(endpoint_of(server))
    assert (error.error_type, error.error_code) == ("rate_limit_error", "ramp_limit_exceeded")
    assert (error.retry_after_seconds, error.should_retry) == (7.0, True)
    assert error.request_id == "req_011000000000000000000001"
    assert error.kind == "rate_limit"


def test_a_400_says_what_is_wrong_and_that_it_is_not_to_be_retried() -> None:
    with MessagesServer() as server:
        error = fail(endpoint_of(server), {**BODY, "max_tokens": 10**6})
    assert type(error) is InvalidRequestError
    assert error.message == (
        "max_tokens: 1000000 > 64000, which is the maximum allowed number of output tokens for "
        "claude-haiku-4-5-20251001 (status 400)"
    )
    assert error.should_retry is False


@pytest.mark.parametrize(
    ("keys", "lead"),
    [
        ({"api_key": "wrong"}, "does not accept the key: invalid x-api-key"),
        ({"auth_token": "wrong"}, "does not accept the key: Invalid bearer token"),
        ({}, "wants a key, and ANTHROPIC_API_KEY is not set: x-api-key header is required"),
    ],
)
def test_a_wrong_key_is_one_clear_line(keys: dict[str, str], lead: str) -> None:
    with MessagesServer() as server:
        error = fail(Endpoint(base_url=server.base_url, **keys))  # type: ignore[arg-type]
        assert str(error) == f"{server.base_url[7:]} {lead} (status 401)"


def test_an_unknown_model_is_one_clear_line() -> None:
    with MessagesServer() as server:
        error = fail(endpoint_of(server), {**BODY, "model": "claude-nope"})
        assert type(error) is NotFoundError
        assert str(error) == (
            f"{server.base_url[7:]} has no model 'claude-nope', or no Messages API: "
            "model: claude-nope (status 404)"
        )


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/messages", "no model 'm', or no Messages API"),
        ("/v1/messages/count_tokens", "no model 'm', or doesn't count tokens"),
        ("/v1/messages/batches", "no batches"),
        ("/v1/messages/batches/b/results", "no such batch, or no batches at all"),
        ("/v1/files", "no files"),
        ("/v1/files/f", "no such file, or no files at all"),
        ("/v1/models", "no list of models"),
        ("/v2", "no such path"),
    ],
)
def test_a_path_that_is_not_there_is_explained(path: str, words: str) -> None:
    with raw_server(http_response("404 Not Found")) as address, pytest.raises(NotFoundError) as e:
        using(
            Endpoint(base_url=address),
            lambda client: client.request("POST", path, body={"model": "m"}),
        )
    assert str(e.value) == (
        f"{address[7:]} has {words}: Not Found, without an error message (status 404)"
    )


def test_any_status_of_success_is_one() -> None:
    with raw_server(http_response("204 No Content")) as address:
        reply = using(Endpoint(base_url=address), lambda client: client.request("DELETE", "/v1/x"))
    assert reply.status_code == 204


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "status 200, but the body is no JSON (no content type, 0 bytes)"),
        (b"[]", "status 200, but the body is no JSON object"),
    ],
)
def test_what_should_be_an_object_is_checked(content: bytes, message: str) -> None:
    with (
        raw_server(http_response("200 OK", content)) as address,
        pytest.raises(UnreadableResponseError, match=re.escape(message)),
    ):
        using(Endpoint(base_url=address), lambda client: client.fetch("GET", "/v1/x"))


# Streams


def collect(endpoint: Endpoint) -> list[bytes]:
    """The pieces of a stream, joined where they were cut."""
    pieces: list[bytes] = []

    async def use(client: MessagesClient) -> list[bytes]:
        async for piece in client.stream("/v1/x", accept="text/plain"):
            pieces.append(piece)
        return pieces

    return using(endpoint, use)


def test_a_stream_may_last_longer_than_a_response() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 40\r\n\r\n"
    with raw_server(head, *([b"1234"] * 10), pause_seconds=0.05) as address:
        pieces = collect(Endpoint(base_url=address, timeout_seconds=0.3))
    assert b"".join(pieces) == b"1234" * 10
    assert len(pieces) > 3


@pytest.mark.parametrize(
    ("pieces", "kind", "message"),
    [
        ((http_response("404 Not Found"),), NotFoundError, "no such path: Not Found"),
        ((b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123",), ConnectionFailedError, "broke"),
        (
            (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n123", *([b""] * 99)),
            ConnectionFailedError,
            "does not answer within 0.2 s",
        ),
        ((b"",) * 99, ConnectionFailedError, "does not answer within 0.2 s"),
    ],
)
def test_a_stream_fails_as_a_response_does(
    pieces: tuple[bytes, ...], kind: type[ApiError], message: str
) -> None:
    pause_seconds = 0.05 if len(pieces) > 1 else 0.0
    with (
        raw_server(*pieces, pause_seconds=pause_seconds) as address,
        pytest.raises(kind, match=message),
    ):
        collect(Endpoint(base_url=address, timeout_seconds=0.2))


# No connection


def test_no_server_at_all() -> None:
    with MessagesServer() as server:
        endpoint = endpoint_of(server)
    error = fail(endpoint)
    assert type(error) is ConnectionFailedError
    assert str(error).startswith(f"no connection to {endpoint.host}: ")


def test_a_host_that_cannot_be_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match=r"'http://☃\.example': Invalid IDNA hostname"):
        ask(Endpoint(base_url="http://☃.example"))


@pytest.mark.parametrize(
    ("connect_seconds", "timeout_seconds", "message"),
    [
        (0.2, 30.0, "does not take a connection within 0.2 s"),
        (30.0, 0.2, "does not answer within 0.2 s"),
    ],
)
def test_a_server_that_takes_no_connection(
    connect_seconds: float, timeout_seconds: float, message: str
) -> None:
    async def send(endpoint: Endpoint) -> Response:
        async with MessagesClient(endpoint, 1, connect_seconds=connect_seconds) as client:
            return await client.send(BODY)

    # With its queue full, what comes now is neither taken nor refused.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
        host, port = listener.getsockname()
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        endpoint = Endpoint(base_url=f"http://{host}:{port}", timeout_seconds=timeout_seconds)
        with pytest.raises(ConnectionFailedError, match=f"{endpoint.host} {message}"):
            asyncio.run(send(endpoint))


def test_a_server_that_trickles_does_not_hold_a_run_up() -> None:
    # As gateways do that send a space now and then to keep a connection open.
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
    with raw_server(head, *([b" "] * 600), pause_seconds=0.05) as address:
        error = fail(Endpoint(base_url=address, timeout_seconds=0.3))
    assert type(error) is ConnectionFailedError
    assert "does not answer within 0.3 s" in str(error)


@pytest.mark.parametrize(
    "reply",
    [b"", b"SSH-2.0-OpenSSH_9.9\r\n", b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\nplain"],
)
def test_what_speaks_no_http_is_a_broken_connection(reply: bytes) -> None:
    with raw_server(reply) as address:
        error = fail(Endpoint(base_url=address))
    assert type(error) is ConnectionFailedError
    assert str(error).partition("broke the connection off: ")[2]


def test_json_that_is_no_message_is_unreadable() -> None:
    deep = b'{"content": ' + b"[" * 100_000
    for content in (b"[1, 2]", b"{}", b"\xff\xfe", deep, b'{"content": 1' + b"0" * 5000):
        with raw_server(http_response("200 OK", content)) as address:
            assert type(fail(Endpoint(base_url=address))) is UnreadableResponseError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", None),
        (b"<html>", None),
        (b"null", None),
        (b"[]", None),
        (b'{"error": null}', None),
        (b'{"error": {"message": 7}}', None),
        (b'{"error": {"message": "no"}}', "no"),
        (b'{"error": "no"}', "no"),
        (b'{"message": "no"}', "no"),
        (b'{"error": {"message": "half a pair \\ud83d"}}', "half a pair ?"),
        (b'{"error": ' + b"[" * 100_000, None),
    ],
)
def test_error_bodies_of_every_kind(content: bytes, message: str | None) -> None:
    assert parse_error_body(content)["message"] == message


@pytest.mark.parametrize("details", ["null", "[]", '"text"', "{}"])
def test_details_of_every_kind(details: str) -> None:
    body = f'{{"error": {{"type": "t", "details": {details}}}, "request_id": "r"}}'
    expected = {"message": None, "type": "t", "error_code": None, "request_id": "r"}
    assert parse_error_body(body.encode()) == expected


@pytest.mark.parametrize(
    ("status", "details", "kind"),
    [
        (400, {}, InvalidRequestError),
        (401, {}, AuthenticationError),
        (402, {}, BillingError),
        (403, {}, AuthenticationError),
        (404, {}, NotFoundError),
        (413, {}, InvalidRequestError),
        (418, {}, InvalidRequestError),
        (422, {}, InvalidRequestError),
        (429, {}, RateLimitError),
        (429, {"error_code": "ramp_limit_exceeded"}, RateLimitError),
        (429, {"error_code": "enforced_spend_limit_reached"}, BillingError),
        (429, {"error_code": "contract_spend_limit_reached"}, BillingError),
        (400, {"message": "Your credit balance is too low to access the API."}, BillingError),
        (400, {"message": "You have reached your specified API usage limits."}, BillingError),
        (500, {}, ServerError),
        (503, {}, ServerError),
        (529, {}, OverloadedError),
        (302, {}, InvalidRequestError),
    ],
)
def test_the_type_follows_from_status_and_money(
    status: int, details: dict[str, str], kind: type[ApiError]
) -> None:
    assert classify(status, {"message": None, "error_code": None, **details}) is kind


# What must not be shown


@pytest.mark.parametrize("keys", [{"api_key": SECRET}, {"auth_token": SECRET}])
@pytest.mark.parametrize("padding", [0, 250, 290, 295])
def test_a_key_that_a_server_repeats_is_masked_wherever_it_stands(
    padding: int, keys: dict[str, Any]
) -> None:
    message = f"{'x' * padding} invalid key: {SECRET}"
    content = json.dumps({"error": {"message": message}}).encode()
    with raw_server(http_response("401 Unauthorized", content)) as address:
        error = fail(Endpoint(base_url=address, **keys))
    # Nor may the cut leave the beginning of it.
    assert SECRET[:12] not in f"{error} {error.message} {error!r}"


def test_a_key_in_a_redirect_is_masked() -> None:
    moved = http_response("302 Found", headers=[("location", f"https://login?key={SECRET}")])
    with raw_server(moved) as address:
        error = fail(Endpoint(base_url=address, api_key=SECRET))
    assert "login?key=***" in str(error)


def test_a_long_message_becomes_one_line_that_can_be_read() -> None:
    message = "first\n\tsecond " + "and so on " * 100
    content = json.dumps({"error": {"message": message}}).encode()
    with raw_server(http_response("400 Bad Request", content)) as address:
        error = fail(Endpoint(base_url=address))
    assert str(error).startswith("first second and so on")
    assert len(str(error)) < 330


def test_the_command_line_of_httpx_is_not_loaded() -> None:
    """It takes longer to load than all that is needed of httpx; whoever wants it still gets it."""
    script = (
        "import sys\n"
        "from evalkit.api.client import load_httpx\n"
        "load_httpx()\n"
        "import httpx\n"
        "print('httpx._main' in sys.modules, hasattr(httpx, 'AsyncClient'))\n"
        "import httpx._main\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.split() == ["False", "True"]
