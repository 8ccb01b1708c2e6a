"""Who may ask, and how: this machine's browser, by GET, from no page but our own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES = ("127.0.0.1", "localhost", "[::1]")
"""This machine, as a browser may name it; any other name was made to point here."""

METHODS = ("GET", "HEAD")

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy of pages that name no other."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}


class Guard:
    """Refuses requests that no page of ours has made, and adds the headers of safe pages.

    The name in the Host header is checked because a page of the web can have a name of its own
    point to this machine, and would then pass for ours.

    Args:
        app: what it stands before.
        port: on which the server listens.
    """

    def __init__(self, app: ASGIApp, *, port: int) -> None:
        self.app = app
        self.hosts = {f"{name}:{port}" for name in NAMES}
        if port == 80:  # which browsers leave out
            self.hosts |= set(NAMES)
        self.origins = {f"http://{host}" for host in self.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":  # no web socket is ever opened
            return
        refusal = self.judge(str(scope["method"]), scope["headers"])
        if refusal is not None:
            await refuse(send, *refusal)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": add_headers(message["headers"])}
            await send(message)

        await self.app(scope, receive, send_safely)

    def judge(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        """The status and the words with which a request is refused; None if it is not."""
        given: dict[str, list[str]] = {}
        for name, value in headers:
            given.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        hosts = given.get("host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self.hosts:
            return 421, "This server answers to the address that it has printed alone."
        if method not in METHODS:
            return 405, "Nothing can be changed here: runs are only read."
        if any(origin.lower() not in self.origins for origin in given.get("origin", [])):
            return 403, "Another page may not read what is shown here."
        site, mode = (given.get(f"sec-fetch-{name}", [""])[0] for name in ("site", "mode"))
        if site in ("cross-site", "same-site") and mode != "navigate":
            return 403, "Another page may not use what is shown here."
        return None


async def refuse(send: Send, status: int, words: str) -> None:
    """Answer with a line of text."""
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 405:
        headers.append((b"allow", ", ".join(METHODS).encode()))
    body = f"{words}\n".encode()
    headers.append((b"content-length", str(len(body)).encode()))
    start: dict[str, Any] = {"type": "http.response.start", "status": status}
    await send({**start, "headers": add_headers(headers)})
    await send({"type": "http.response.body", "body": body})


def add_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Headers with those of safe pages that they lack."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in names]
    return given + more
