"""Pictures that lie within question files, kept as files of their own: an `Image` is a place."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from evalkit.cache_folder import cache_folder
from evalkit.errors import ImageError


def store_picture(data: bytes, folder: Path | None = None) -> Path:
    """Keep a picture under the digest of its bytes; what is there already is left alone.

    Args:
        data: the bytes of the picture's file.
        folder: where; None: in evalkit's cache.

    Raises:
        ImageError: there is no room, or the folder can't be written to.
    """
    digest = hashlib.sha256(data).hexdigest()
    path = (folder or cache_folder("pictures")) / digest[:2] / digest
    try:
        if path.is_file() and path.stat().st_size == len(data):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except OSError:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        reason = f"can't keep a picture: {error.strerror}; set EVALKIT_CACHE_DIR to another folder"
        raise ImageError(reason, path=path.parent) from error
    return path
