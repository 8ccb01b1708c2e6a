"""Data within a page: JSON, compressed, in letters that no part of a page is made of."""

from __future__ import annotations

import base64
import gzip
from typing import Any

from evalkit.json_text import encode_json

LEVEL = 6


def pack(value: Any) -> bytes:
    """A value of JSON as compressed letters.

    Example:
        >>> unpack(pack({"a": "</script>"}))
        {'a': '</script>'}
    """
    return pack_json(encode_json(value))


def pack_json(data: bytes) -> bytes:
    """JSON as compressed letters, the same each time."""
    return base64.b64encode(gzip.compress(data, LEVEL, mtime=0))


def bound_size(size: int) -> int:
    """The most bytes that so many of JSON take when they are packed."""
    return 4 * (size + size // 1000 + 40) // 3


def unpack(data: bytes) -> Any:
    """The value that was packed."""
    from evalkit.json_text import decode_json

    return decode_json(gzip.decompress(base64.b64decode(data)))


def build_element(kind: str, data: bytes) -> bytes:
    """An element that holds packed data and does nothing.

    Args:
        kind: what it holds, in small letters.
        data: packed.
    """
    return b'<script type="text/plain" data-part="%b">%b</script>\n' % (kind.encode(), data)
