"""The Files API: uploads, and the files that image blocks name."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeGuard

from evalkit.testing.messages_body import Body, images_of
from evalkit.testing.messages_errors import Rejection
from evalkit.testing.messages_images import MEDIA_TYPES
from evalkit.testing.messages_models import Json
from evalkit.testing.messages_paging import limit_of, page_of
from evalkit.testing.messages_record import FILES_PATH, RequestRecord
from evalkit.testing.messages_times import rfc3339, rfc3339_or_none

OLD_SHAPES: Final = "files-api-2025-04-14"
"""The beta header that asks for lists as they were before the API was generally available."""
MAX_IDS: Final = 100
_SHORTEST_SECONDS: Final = 3600
_LONGEST_SECONDS: Final = 7_776_000
_BAD_NAME: Final = re.compile(r'[<>:"|?*\\/\x00-\x1f\x7f]')
_CURSOR: Final = "page_"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One uploaded file."""

    id: str
    filename: str
    mime_type: str
    content: bytes
    created: datetime
    expires: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether its content is gone."""
        return self.expires is not None and self.expires <= datetime.now(UTC)

    def metadata(self) -> Json:
        """The file as the API describes it."""
        return {
            "id": self.id,
            "type": "file",
            "filename": self.filename,
            "mime_type": self.mime_type,
            "size_bytes": len(self.content),
            "created_at": rfc3339(self.created),
            "downloadable": False,
            "expires_at": rfc3339_or_none(self.expires),
        }


class FileStore:
    """The files that are stored, with a count of the uploads."""

    def __init__(self) -> None:
        self.stored: dict[str, StoredFile] = {}
        """By id, oldest first; deleted ones are gone."""
        self.uploads = 0
        """How many files were ever stored."""

    @property
    def size_bytes(self) -> int:
        """The bytes stored."""
        return sum(len(file.content) for file in self.stored.values())

    def add(
        self, *, filename: str, mime_type: str, content: bytes, expires_in_seconds: int | None
    ) -> StoredFile:
        """Store a file."""
        self.uploads += 1
        created = datetime.now(UTC)
        lasting = None if expires_in_seconds is None else timedelta(seconds=expires_in_seconds)
        file = StoredFile(
            id=f"file_011{self.uploads:021d}",
            filename=filename,
            mime_type=mime_type,
            content=content,
            created=created,
            expires=None if lasting is None else created + lasting,
        )
        self.stored[file.id] = file
        return file

    def get(self, file_id: str) -> StoredFile:
        """The file of that id.

        Raises:
            Rejection: when there is none.
        """
        if file_id not in self.stored:
            raise Rejection(f"File `{file_id}` not found.", status=404)
        return self.stored[file_id]

    def content_of(self, file_id: str) -> StoredFile:
        """The file of that id, to be read.

        Raises:
            Rejection: when there is none and when it has expired.
        """
        file = self.get(file_id)
        if file.expired:
            details = {"error_code": "file_expired"}
            raise Rejection(f"File `{file_id}` has expired.", status=404, details=details)
        return file

    def expire(self, file_id: str) -> None:
        """Let a file expire now, whatever was asked for at its upload."""
        self.stored[file_id] = replace(self.get(file_id), expires=datetime.now(UTC))

    def newest_first(self) -> list[Json]:
        """All files as the API describes them."""
        return [file.metadata() for file in reversed(self.stored.values())]


@dataclass(kw_only=True, eq=False)
class FileDesk:
    """The endpoints below `/v1/files`."""

    max_file_bytes: int = 500 * 2**20
    """Larger uploads, with what the form adds, are a 413."""
    max_storage_bytes: int = 10**12
    """Uploads that do not fit in any more are a 400, `storage_quota_exceeded`."""
    files: FileStore = field(init=False, default_factory=FileStore)
    """What is stored, and how many uploads there were."""

    def respond_about_files(self, record: RequestRecord) -> Json:
        """The body of the response with status 200.

        Raises:
            Rejection: for every other status.
        """
        match record.method, record.path.removeprefix(FILES_PATH).split("/")[1:]:
            case "POST", []:
                return self._store_file(record)
            case "GET", []:
                return self._list_files(record)
            case "GET", [file_id]:
                return self.files.get(file_id).metadata()
            case "GET", [file_id, "content"]:
                return self._download_file(file_id)
            case "DELETE", [file_id]:
                self.files.get(file_id)
                del self.files.stored[file_id]
                return {"id": file_id, "type": "file_deleted"}
        raise Rejection("Not found", status=404)

    def with_files(self, body: Body) -> Body:
        """The request with kind and content of each file beside its id.

        Raises:
            Rejection: for an image block that names no file, or one that holds no image.
        """
        sources = [(place, block.get("source")) for place, block in images_of(body)]
        named = [(place, source) for place, source in sources if _names_file(source)]
        if not named:
            return body
        contents = {}
        for place, source in named:
            contents[source["file_id"]] = self._image_in_file(f"{place}.image.source.file", source)
        return {**body, "messages": _filled(body["messages"], contents)}

    def _image_in_file(self, place: str, source: Mapping[str, Any]) -> Json:
        file = self.files.content_of(source["file_id"])
        if file.mime_type not in MEDIA_TYPES:
            raise Rejection(
                f"{place}.file_id: File `{file.id}` is of type {file.mime_type}, which an image "
                f"block does not take. Expected one of {', '.join(MEDIA_TYPES)}"
            )
        data = base64.b64encode(file.content).decode()
        return {"media_type": file.mime_type, "data": data}

    def _store_file(self, record: RequestRecord) -> Json:
        fields = dict(record.body)
        if "sha256" not in fields:
            raise Rejection("Expected a form of type multipart/form-data")
        name, kind = fields.pop("filename"), fields.pop("mime_type")
        del fields["sha256"]
        lasting = _check_seconds(fields.pop("expires_in_seconds", None))
        for extra in fields:
            raise Rejection(f"{extra}: Extra inputs are not permitted")
        if not 1 <= len(name) <= 255:
            raise Rejection("file: the filename should have between 1 and 255 characters")
        if _BAD_NAME.search(name):
            raise Rejection("file: the filename contains forbidden characters")
        if self.files.size_bytes + len(record.content) > self.max_storage_bytes:
            details = {"error_code": "storage_quota_exceeded"}
            raise Rejection("The organization's file storage is full.", details=details)
        return self.files.add(
            filename=name, mime_type=kind, content=record.content, expires_in_seconds=lasting
        ).metadata()

    def _list_files(self, record: RequestRecord) -> Json:
        rows, query = self.files.newest_first(), record.query
        if OLD_SHAPES in record.headers.get("anthropic-beta", ""):
            return page_of(rows, query)
        if "ids[]" in query:
            return _chosen(rows, query)
        if "page" in query:
            after = query["page"][0].removeprefix(_CURSOR)
            if after not in self.files.stored:
                raise Rejection("page: the cursor is not valid")
            query = {"limit": [str(limit_of(query))], "after_id": [after]}
        page = page_of(rows, {name: query[name] for name in query if name in ("limit", "after_id")})
        more = _CURSOR + page["last_id"] if page["has_more"] else None
        return {"data": page["data"], "next_page": more}

    def _download_file(self, file_id: str) -> Json:
        self.files.content_of(file_id)
        message = f"File `{file_id}` is not downloadable."
        raise Rejection(message, details={"error_code": "file_not_downloadable"})


def _chosen(rows: Sequence[Json], query: Mapping[str, Sequence[str]]) -> Json:
    if {"page", "limit"} & query.keys():
        raise Rejection("ids: cannot be combined with page or limit")
    ids = set(query["ids[]"])
    if len(ids) > MAX_IDS:
        raise Rejection(f"ids: List should have at most {MAX_IDS} items after validation")
    return {"data": [row for row in rows if row["id"] in ids], "next_page": None}


def _check_seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or not _SHORTEST_SECONDS <= int(text) <= _LONGEST_SECONDS:
        raise Rejection(
            f"expires_in_seconds: Input should be between {_SHORTEST_SECONDS} and "
            f"{_LONGEST_SECONDS}"
        )
    return int(text)


def _names_file(source: object) -> TypeGuard[Mapping[str, Any]]:
    if not isinstance(source, Mapping) or source.get("type") != "file":
        return False
    if not isinstance(source.get("file_id"), str):
        raise Rejection("messages: image.source.file.file_id: Field required")
    return True


def _filled(thing: Any, contents: Mapping[str, Json]) -> Any:
    """The same JSON, each file source filled."""
    if isinstance(thing, list):
        return [_filled(part, contents) for part in thing]
    if not isinstance(thing, Mapping):
        return thing
    if thing.get("type") == "file" and thing.get("file_id") in contents:
        return {**thing, **contents[thing["file_id"]]}
    return {name: _filled(part, contents) for name, part in thing.items()}
