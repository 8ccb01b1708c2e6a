"""A hub on a free local port: the endpoints of the Hugging Face hub that fetching a set needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONVERTED = "fedcba9876543210fedcba9876543210fedcba98"

ACCESS = {"gated": (403, "GatedRepo"), "private": (401, "RepoNotFound")}
"""How the hub turns away who may not read."""


@dataclass
class Repository:
    """A dataset repository.

    Args:
        files: bytes by path at the commit on main.
        converted: the same on the branch of the hub's own Parquet copies.
        access: who may read it: gated and private ones need the token.
    """

    files: dict[str, bytes]
    converted: dict[str, bytes] = field(default_factory=dict)
    access: str = "public"

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Commit and files of a revision."""
        if revision in ("main", COMMIT):
            return COMMIT, self.files
        if revision in ("refs/convert/parquet", CONVERTED) and self.converted:
            return CONVERTED, self.converted
        return None


class HubServer:
    """Serves repositories and plain files, and counts what it is asked.

    Args:
        repositories: by owner/name.
        plain: files at other paths, for addresses that are not of the hub.
    """

    token = "hf_test"

    def __init__(
        self, repositories: dict[str, Repository], plain: dict[str, bytes] | None = None
    ) -> None:
        self.repositories, self.plain = repositories, plain or {}
        self.asked: Counter[str] = Counter()
        """Requests by method and path."""
        self.ranges: list[str] = []
        """The Range headers of requests for files."""
        self.cut_after: int | None = None
        """Hang up after so many bytes of the next file."""
        self.spoil = False
        """Serve other bytes than the ones that were promised."""
        hub = self

        class Handler(HubHandler):
            server_of = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class HubHandler(BaseHTTPRequestHandler):
    """One request."""

    server_of: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server_of.asked[f"{self.command} {path}"] += 1
        if path in self.server_of.plain:
            self.send_file(self.server_of.plain[path], {})
        elif path.startswith("/api/datasets/") and "/tree/" in path:
            self.send_tree(*path.removeprefix("/api/datasets/").partition("/tree/")[::2])
        elif path.startswith("/api/datasets/"):
            self.send_facts(*path.removeprefix("/api/datasets/").partition("/revision/")[::2])
        elif path.startswith("/datasets/"):
            name, _, rest = path.removeprefix("/datasets/").partition("/resolve/")
            self.send_row_file(name, rest)
        else:
            self.refuse(404, "EntryNotFound")

    def find(
        self, name: str, revision: str, *, for_file: bool
    ) -> tuple[str, dict[str, bytes]] | None:
        """A revision of a repository, or None and an error sent."""
        repository = self.server_of.repositories.get(name)
        allowed = self.headers.get("authorization") == f"Bearer {self.server_of.token}"
        if repository is None:
            self.refuse(401, "RepoNotFound")
        elif not allowed and (
            repository.access == "private" or (repository.access == "gated" and for_file)
        ):
            self.refuse(*ACCESS[repository.access])
        elif (found := repository.at(revision)) is None:
            self.refuse(404, "RevisionNotFound")
        else:
            return found
        return None

    def send_facts(self, name: str, revision: str) -> None:
        found = self.find(name, revision or "main", for_file=False)
        if found is None:
            return
        commit, files = found
        siblings = [
            {
                "rfilename": path,
                "size": len(data),
                "blobId": "0" * 40,
                **({"lfs": lfs_of(data)} if path.endswith(".parquet") else {}),
            }
            for path, data in files.items()
        ]
        body = json.dumps({"id": name, "sha": commit, "siblings": siblings, "tags": []}).encode()
        self.send(200, body, {"content-type": "application/json"})

    def send_tree(self, name: str, revision: str) -> None:
        found = self.find(name, revision, for_file=False)
        if found is None:
            return
        entries = [
            {"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
            for path, data in found[1].items()
        ]
        self.send(200, json.dumps(entries).encode(), {"content-type": "application/json"})

    def send_row_file(self, name: str, rest: str) -> None:
        known = ("refs/convert/parquet", CONVERTED, COMMIT, "main")
        revision = next((r for r in known if rest.startswith(f"{r}/")), rest.partition("/")[0])
        found = self.find(name, revision, for_file=True)
        if found is None:
            return
        commit, files = found
        path = rest.removeprefix(f"{revision}/")
        if path not in files:
            self.refuse(404, "EntryNotFound")
            return
        digest = hashlib.sha256(files[path]).hexdigest()
        self.send_file(files[path], {"X-Repo-Commit": commit, "ETag": f'"{digest}"'})

    def send_file(self, data: bytes, headers: dict[str, str]) -> None:
        hub = self.server_of
        etag = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "Accept-Ranges": "bytes"}
        headers = {**etag, **headers}
        if hub.spoil:
            data = bytes(reversed(data))
        wanted = self.headers.get("range")
        same = self.headers.get("if-range", headers["ETag"]) == headers["ETag"]
        if self.command == "GET" and wanted:
            hub.ranges.append(wanted)
        if wanted and same:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            if start >= len(data):
                self.send(416, b"", {})
                return
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.send(206, data[start:], headers)
        else:
            self.send(200, data, headers)

    def refuse(self, status: int, code: str) -> None:
        self.send(status, b"", {"X-Error-Code": code, "X-Error-Message": f"{code}."})

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        cut, self.server_of.cut_after = self.server_of.cut_after, None
        if cut is not None and status in (200, 206) and "ETag" in headers:
            self.wfile.write(body[:cut])
            self.close_connection = True
            return
        self.server_of.cut_after = cut
        self.wfile.write(body)


def lfs_of(data: bytes) -> dict[str, object]:
    """What the hub says of a large file."""
    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
