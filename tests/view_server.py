"""The web app on a free port, in a thread, and a client that sends what no browser would."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalkit.runs.folder import MANIFEST, SUMMARY, read_manifest
from evalkit.runs.manifest import Manifest
from evalkit.view.app import build_app
from evalkit.view.serving import HOST, listen, new_server
from evalkit.view.shelf import open_shelf

QUICKLY = 0.02
"""Seconds between two looks at a run."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the server says."""

    status: int
    headers: Mapping[str, str]
    """By names in small letters."""
    body: bytes

    @property
    def text(self) -> str:
        """The page."""
        return self.body.decode()


@dataclass(frozen=True, kw_only=True)
class ViewServer:
    """An app that listens."""

    port: int

    @property
    def address(self) -> str:
        """Of the list of runs, without the slash."""
        return f"http://{HOST}:{self.port}"

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> Reply:
        """Ask for a page; the path is sent as it is."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            given = headers or {}
            connection.putrequest(method, path, skip_host="host" in map(str.lower, given))
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders()
            reply = connection.getresponse()
            names = {name.lower(): value for name, value in reply.getheaders()}
            return Reply(status=reply.status, headers=names, body=reply.read())
        finally:
            connection.close()

    def send(self, data: bytes) -> bytes:
        """Send bytes that are no proper request, and take what comes."""
        with socket.create_connection((HOST, self.port), timeout=30) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            parts = iter(lambda: connection.recv(1 << 16), b"")
            return b"".join(parts)

    def follow(self, name: str) -> Iterator[dict[str, Any]]:
        """What the server tells of a run until it ends the telling."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.request("GET", f"/run/{name}/events")
            reply = connection.getresponse()
            assert reply.status == 200, reply.read()
            assert reply.getheader("content-type", "").startswith("text/event-stream")
            for line in reply:
                if line.startswith(b"data: "):
                    yield json.loads(line.removeprefix(b"data: "))
        finally:
            connection.close()


@contextmanager
def view(results: Path) -> Iterator[ViewServer]:
    """Serve a folder of runs while the block lasts."""
    listener = listen(0)
    port = listener.getsockname()[1]
    app, pages = build_app(open_shelf(results), port=port, pause_seconds=QUICKLY)
    started: Future[None] = Future()
    server = new_server(app, pages, lambda: started.set_result(None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        started.result(timeout=10)
        yield ViewServer(port=port)
    finally:
        server.should_exit = True
        thread.join(timeout=10)
        listener.close()
        assert not thread.is_alive(), "the server does not end"


def copy_run(source: Path, results: Path, **identity: Any) -> Path:
    """A run like another one, but for some of its settings; its journal is not copied."""
    manifest = read_manifest(source)
    return write_run(
        results,
        replace(manifest, identity=replace(manifest.identity, **identity)),
        json.loads((source / SUMMARY).read_text()),
    )


def write_run(results: Path, manifest: Manifest, summary: dict[str, Any] | None) -> Path:
    """What is there of a run without its questions and replies."""
    folder = results / manifest.identity.folder_name
    folder.mkdir(parents=True)
    (folder / MANIFEST).write_text(json.dumps(manifest.to_json()))
    if summary is not None:
        told = {**summary, "run_id": manifest.identity.run_id}
        (folder / SUMMARY).write_text(json.dumps(told))
    return folder


def copy_folder(source: Path, results: Path) -> Path:
    """A run with all that belongs to it."""
    return shutil.copytree(source, results / source.name)
