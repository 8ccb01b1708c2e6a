"""The test server stores files, lists them in both shapes, and lets images name them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from PIL import Image

from evalkit.testing.messages_models import Json
from evalkit.testing.messages_rules import NEW_VERSION
from evalkit.testing.messages_server import MessagesServer

PATH = "/v1/files"
BETA = {"anthropic-beta": "files-api-2025-04-14"}


def picture(width: int = 200, height: int = 200, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (width, height)).save(content, kind)
    return content.getvalue()


def asking(*file_ids: str, model: str = "claude-haiku-4-5", **fields: object) -> Json:
    sources = [{"type": "file", "file_id": file_id} for file_id in file_ids]
    content = [{"type": "image", "source": source} for source in sources]
    messages = [{"role": "user", "content": [*content, {"type": "text", "text": "Which ant?"}]}]
    return {"model": model, "max_tokens": 5, "messages": messages} | fields


def caller_of(server: MessagesServer) -> httpx.Client:
    headers = {"x-api-key": server.key, "anthropic-version": NEW_VERSION}
    return httpx.Client(base_url=server.base_url, headers=headers, trust_env=False)


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer() as opened:
        yield opened


@pytest.fixture
def caller(server: MessagesServer) -> Iterator[httpx.Client]:
    with caller_of(server) as opened:
        yield opened


def upload(
    caller: httpx.Client,
    content: bytes = b"",
    name: str = "q1.png",
    kind: str = "image/png",
    **fields: str,
) -> httpx.Response:
    file = (name, content or picture(), kind)
    return caller.post(PATH, files={"file": file}, data=fields)


def uploaded(caller: httpx.Client, content: bytes = b"", **named: str) -> str:
    response = upload(caller, content, **named)
    assert response.status_code == 200, response.text
    file_id: str = response.json()["id"]
    return file_id


def error_of(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    return response.status_code, error["type"], error["message"]


# Storing


def test_a_file_is_described_at_its_upload_and_later(
    server: MessagesServer, caller: httpx.Client
) -> None:
    content = picture()
    described = upload(caller, content).json()
    created = datetime.fromisoformat(described["created_at"])
    assert datetime.now(UTC) - created < timedelta(minutes=1)
    assert re.fullmatch(r"file_\w+", described["id"])
    assert described == {
        "id": described["id"],
        "type": "file",
        "filename": "q1.png",
        "mime_type": "image/png",
        "size_bytes": len(content),
        "created_at": described["created_at"],
        "downloadable": False,
        "expires_at": None,
    }
    assert caller.get(f"{PATH}/{described['id']}").json() == described
    assert server.files.stored[described["id"]].content == content


def test_a_file_can_expire(server: MessagesServer, caller: httpx.Client) -> None:
    described = upload(caller, expires_in_seconds="3600").json()
    created, expires = (
        datetime.fromisoformat(described[f"{w}_at"]) for w in ("created", "expires")
    )
    assert expires - created == timedelta(hours=1)
    file_id = described["id"]
    assert caller.post("/v1/messages", json=asking(file_id)).status_code == 200
    server.files.expire(file_id)
    assert caller.get(f"{PATH}/{file_id}").status_code == 200
    for response in (
        caller.post("/v1/messages", json=asking(file_id)),
        caller.get(f"{PATH}/{file_id}/content"),
    ):
        assert error_of(response)[:2] == (404, "not_found_error")
        assert response.json()["error"]["details"] == {"error_code": "file_expired"}


def test_an_upload_can_not_be_downloaded(caller: httpx.Client) -> None:
    response = caller.get(f"{PATH}/{uploaded(caller)}/content")
    assert error_of(response)[:2] == (400, "invalid_request_error")
    assert response.json()["error"]["details"] == {"error_code": "file_not_downloadable"}


def test_a_deleted_file_is_gone(server: MessagesServer, caller: httpx.Client) -> None:
    file_id = uploaded(caller)
    deleted = caller.delete(f"{PATH}/{file_id}")
    assert deleted.json() == {"id": file_id, "type": "file_deleted"}
    gone = (404, "not_found_error", f"File `{file_id}` not found.")
    for response in (
        caller.get(f"{PATH}/{file_id}"),
        caller.get(f"{PATH}/{file_id}/content"),
        caller.delete(f"{PATH}/{file_id}"),
        caller.post("/v1/messages", json=asking(file_id)),
        caller.post("/v1/messages/count_tokens", json=counting(file_id)),
    ):
        assert error_of(response) == gone
    assert (server.files.stored, server.files.uploads) == ({}, 1)


def counting(*file_ids: str, model: str = "claude-haiku-4-5") -> Json:
    return {name: value for name, value in asking(*file_ids, model=model).items() if name[1] != "a"}


@pytest.mark.parametrize(
    ("files", "fields", "text"),
    [
        ({"file": ("", b"x", "image/png")}, {}, None),
        ({"file": ("a/b/q.png", b"x", "image/png")}, {}, None),
        ({"file": ("x" * 255, b"x", "text/plain")}, {}, None),
        ({"file": ("ä ö.png", b"x", "image/png")}, {}, None),
        ({"file": ("x" * 256, b"x", "text/plain")}, {}, "between 1 and 255 characters"),
        *(
            ({"file": (f"a{sign}b", b"x", "text/plain")}, {}, "forbidden characters")
            for sign in "<>:|?*\\"
        ),
        ({"other": ("a", b"x", "text/plain")}, {}, "file: Field required"),
        ({"file": ("a", b"x", "text/plain")}, {"more": "1"}, "more: Extra inputs are not"),
        ({"file": ("a", b"x", "text/plain")}, {"expires_in_seconds": "7776000"}, None),
        *(
            ({"file": ("a", b"x", "text/plain")}, {"expires_in_seconds": value}, "expires_in_sec")
            for value in ("3599", "7776001", "-1", "soon", "")
        ),
    ],
)
def test_an_upload_keeps_the_rules(
    server: MessagesServer,
    caller: httpx.Client,
    files: Mapping[str, tuple[str, bytes, str]],
    fields: Mapping[str, str],
    text: str | None,
) -> None:
    response = caller.post(PATH, files=files, data=fields)
    if text is None:
        assert response.status_code == 200, response.text
        names = {"": "unnamed.png", "a/b/q.png": "q.png"}
        sent = files["file"][0]
        assert response.json()["filename"] == names.get(sent, sent)
    else:
        assert response.status_code == 400
        assert text in response.json()["error"]["message"]
        assert server.files.uploads == 0


def test_an_upload_is_a_form(caller: httpx.Client) -> None:
    status, _, text = error_of(caller.post(PATH, json={"file": "x"}))
    assert (status, "multipart/form-data" in text) == (400, True)
    headers = {"content-type": "multipart/form-data; boundary=b"}
    broken = caller.post(PATH, content=b"no form", headers=headers)
    assert broken.status_code == 400


def test_files_are_limited_one_by_one_and_together() -> None:
    with (
        MessagesServer(max_file_bytes=1_000, max_storage_bytes=1_500) as server,
        caller_of(server) as caller,
    ):
        large = upload(caller, b"x" * 1_001)
        assert upload(caller, b"x" * 800).status_code == 200
        full = upload(caller, b"x" * 800)
    assert error_of(large)[:2] == (413, "request_too_large")
    assert full.status_code == 400
    assert full.json()["error"]["details"] == {"error_code": "storage_quota_exceeded"}
    assert server.files.size_bytes == 800


def test_it_remembers_what_was_uploaded(server: MessagesServer, caller: httpx.Client) -> None:
    content = picture()
    uploaded(caller, content)
    uploaded(caller, content)
    uploaded(caller, picture(9, 9))
    first, second, third = server.requests
    assert first.content == content
    assert (first.body["filename"], first.body["mime_type"]) == ("q1.png", "image/png")
    assert (second.attempt, third.attempt) == (2, 1)
    assert server.files.uploads == 3


# Listing


def ids_in(listed: Json) -> list[str]:
    return [file["id"] for file in listed["data"]]


def test_files_are_listed_in_pages_newest_first(caller: httpx.Client) -> None:
    newest = [uploaded(caller) for _ in range(5)][::-1]
    whole = caller.get(PATH).json()
    assert (ids_in(whole), whole["next_page"]) == (newest, None)
    assert whole.keys() == {"data", "next_page"}
    first = caller.get(PATH, params={"limit": 2}).json()
    assert ids_in(first) == newest[:2]
    second = caller.get(PATH, params={"limit": 2, "page": first["next_page"]}).json()
    assert ids_in(second) == newest[2:4]
    last = caller.get(PATH, params={"limit": 2, "page": second["next_page"]}).json()
    assert (ids_in(last), last["next_page"]) == (newest[4:], None)


def test_files_are_listed_by_their_ids(caller: httpx.Client) -> None:
    first, _, third = (uploaded(caller) for _ in range(3))
    asked = {"ids[]": [first, "file_unknown", third, first]}
    chosen = caller.get(PATH, params=asked).json()
    assert (ids_in(chosen), chosen["next_page"]) == ([third, first], None)
    assert caller.get(PATH, params=asked | {"ids[]": [first] * 101}).status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"page": "page_unknown"},
        {"ids[]": "a", "limit": "5"},
        {"ids[]": "a", "page": "page_a"},
        {"ids[]": [f"file_{number}" for number in range(101)]},
    ],
)
def test_a_list_that_is_none_is_a_400(
    caller: httpx.Client, query: Mapping[str, str | list[str]]
) -> None:
    assert caller.get(PATH, params=query).status_code == 400


def test_with_the_old_beta_header_lists_have_the_old_shape(caller: httpx.Client) -> None:
    newest = [uploaded(caller) for _ in range(3)][::-1]
    first = caller.get(PATH, params={"limit": 2}, headers=BETA).json()
    assert first.keys() == {"data", "has_more", "first_id", "last_id"}
    assert (ids_in(first), first["has_more"]) == (newest[:2], True)
    query = {"limit": 2, "after_id": first["last_id"]}
    last = caller.get(PATH, params=query, headers=BETA).json()
    assert (ids_in(last), last["has_more"]) == (newest[2:], False)


# In messages


def test_an_image_can_be_a_file(caller: httpx.Client) -> None:
    file_id = uploaded(caller)
    message = caller.post("/v1/messages", json=asking(file_id)).json()
    without = caller.post("/v1/messages", json=asking()).json()
    counted = caller.post("/v1/messages/count_tokens", json=counting(file_id)).json()
    tokens = message["usage"]["input_tokens"]
    assert tokens - without["usage"]["input_tokens"] == 64
    assert tokens == counted["input_tokens"]


def test_a_file_can_be_named_in_a_batch(caller: httpx.Client) -> None:
    requests = [
        {"custom_id": "known", "params": asking(uploaded(caller))},
        {"custom_id": "unknown", "params": asking("file_unknown")},
    ]
    batch = caller.post("/v1/messages/batches", json={"requests": requests}).json()
    lines = caller.get(f"/v1/messages/batches/{batch['id']}/results").text
    assert '"custom_id": "known", "result": {"type": "succeeded"' in lines
    assert "File `file_unknown` not found." in lines


@pytest.mark.parametrize(
    ("content", "kind", "status", "text"),
    [
        (b"", "text/plain", 400, "is of type text/plain, which an image block does not take"),
        (b"", "image/jpeg", 400, "the image appears to be a image/png image"),
        (b"no image", "image/png", 400, "Could not process image"),
        (b"", "image/png; charset=x", 200, ""),
    ],
)
def test_a_file_for_an_image_has_to_hold_one(
    caller: httpx.Client, content: bytes, kind: str, status: int, text: str
) -> None:
    response = caller.post("/v1/messages", json=asking(uploaded(caller, content, kind=kind)))
    assert response.status_code == status
    assert text in response.text


def test_a_source_has_to_name_a_file(caller: httpx.Client) -> None:
    body = asking("file_01")
    del body["messages"][0]["content"][0]["source"]["file_id"]
    response = caller.post("/v1/messages", json=body)
    assert (response.status_code, "file_id: Field required" in response.text) == (400, True)


# Where there are no files


def test_a_bare_server_has_no_files() -> None:
    with MessagesServer(bare=True) as server, caller_of(server) as caller:
        assert upload(caller).status_code == 404


def test_without_retention_there_are_no_files() -> None:
    with MessagesServer(zero_retention=True) as server, caller_of(server) as caller:
        refused = upload(caller)
        listed = caller.get(PATH)
    assert refused.status_code == listed.status_code == 400
    assert "zero data retention" in refused.json()["error"]["message"]


@pytest.mark.parametrize("path", ["file_unknown", "file_unknown/content", "a/b/c"])
def test_an_unknown_file_is_not_found(caller: httpx.Client, path: str) -> None:
    assert caller.get(f"{PATH}/{path}").status_code == 404
