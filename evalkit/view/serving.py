"""The server: on this machine alone, until it is ended."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import MissingExtraError, UsageError
from evalkit.view.shelf import open_shelf

if TYPE_CHECKING:
    import uvicorn

    from evalkit.view.pages import Pages

HOST = "127.0.0.1"
PORT, PORTS = 8420, 20
"""The port if it is free, and how many are tried from there on."""

NEEDED = ("starlette", "uvicorn", "jinja2", "matplotlib")

BACKLOG = 128
"""Connections that may wait."""

LAST_SECONDS = 2
"""So long may requests take to end when the server does."""


def serve(
    results: Path,
    *,
    port: int | None = None,
    ready: Callable[[str], None],
) -> None:
    """Show the runs in a folder to this machine's browser, until Ctrl-C.

    Args:
        results: the folder of all runs.
        port: None: 8420, or the next one that is free.
        ready: called with the address once the server listens.

    Raises:
        MissingExtraError: the server is not installed.
        UsageError: there is no such folder, or the port is taken.
    """
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise MissingExtraError("evalkit view", "view")
    shelf = open_shelf(results)
    from evalkit.view.app import build_app

    with listen(port) as listener:
        found = listener.getsockname()[1]
        app, pages = build_app(shelf, port=found)
        address = f"http://{HOST}:{found}/"
        new_server(app, pages, lambda: ready(address)).run(sockets=[listener])


def listen(port: int | None) -> socket.socket:
    """A socket that listens on this machine.

    Args:
        port: None: the first of some that is free, or else any; 0: any.

    Raises:
        UsageError: the port is taken.
    """
    if port is not None:
        return bind(port)
    for each in range(PORT, PORT + PORTS):
        with suppress(UsageError):
            return bind(each)
    return bind(0)


def bind(port: int) -> socket.socket:
    """A socket that listens at a port of this machine.

    Raises:
        UsageError: the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Else a port is taken for a minute after it was used; elsewhere it means something else.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(os.name == "posix"))
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        words = (error.strerror or str(error)).lower()
        raise UsageError(f"port {port} can't be used: {words}") from error
    return listener


def new_server(app: object, pages: Pages, ready: Callable[[], None]) -> uvicorn.Server:
    """A server that tells those who watch a run when it ends.

    Args:
        app: what it serves.
        pages: its pages.
        ready: called once it listens.
    """
    import uvicorn

    class Server(uvicorn.Server):
        """Says when it has started, and lets go of those who listen when it ends."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            ready()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            pages.closing.set()
            # That requests are cut off is what Ctrl-C means.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            await super().shutdown(sockets=sockets)

    return Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            lifespan="off",
            ws="none",
            access_log=False,
            log_level="error",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=LAST_SECONDS,
        )
    )
