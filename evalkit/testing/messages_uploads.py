"""A request's body as it arrives: JSON, or a form with a file."""

from __future__ import annotations

import hashlib
import json
import mimetypes
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web

from evalkit.testing.messages_errors import Rejection
from evalkit.testing.messages_models import Json

_UNKNOWN_KIND = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What arrived."""

    body: Json = field(default_factory=dict)
    """The JSON object; for a form its fields, the file by name, kind, and digest."""
    content: bytes = b""
    """The file of a form."""
    problem: Rejection | None = None
    """Why the body can't be read; the rest is empty then."""


async def read_request(request: web.Request, max_bytes: int) -> Arrival:
    """Read a body of so many bytes at most."""
    limited = request.clone(client_max_size=max_bytes)
    try:
        if request.content_type == "multipart/form-data":
            return await _read_form(limited)
        return Arrival(body=_json_object(await limited.read()))
    except Rejection as rejection:
        return Arrival(problem=rejection)
    except web.HTTPRequestEntityTooLarge:
        return Arrival(problem=Rejection("Request exceeds the maximum size", status=413))


def _json_object(raw: bytes) -> Json:
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Rejection(f"The request body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise Rejection("Input should be a valid dictionary")
    return body


async def _read_form(request: web.Request) -> Arrival:
    body: Json = {}
    content: bytes | None = None
    try:
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                raise Rejection("The form has a part without a name")
            value = bytes(await part.read())
            if part.name == "file":
                content = value
                body |= _description(part, value)
            else:
                body[part.name] = value.decode(errors="replace")
    except ValueError as error:
        raise Rejection(f"The form can't be read: {error}") from error
    if content is None:
        raise Rejection("file: Field required")
    return Arrival(body=body, content=content)


def _description(part: BodyPartReader, content: bytes) -> Json:
    kind = part.headers.get("content-type", _UNKNOWN_KIND).partition(";")[0].strip()
    # Only the last component of a path is kept, and a file without a name gets one.
    name = (part.filename or "").rpartition("/")[2]
    return {
        "filename": name or f"unnamed{mimetypes.guess_extension(kind) or ''}",
        "mime_type": kind,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
