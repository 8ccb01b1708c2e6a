"""Make test data of logs that tools wrote on some machine: small, and without its paths.

    python -m tests.logs.scrub FROM... TO

What a tool writes for its own viewer is taken out, since it is most of a log: the events of Inspect
and its tracebacks, the tests that promptfoo repeats from its configuration. All else stays as the
tool wrote it.
"""

from __future__ import annotations

import json
import re
import struct
import sys
import zipfile
import zlib
from pathlib import Path
from typing import Any

import zstandard

UNREAD = (
    "events",
    "events_data",
    "attachments",
    "traceback",
    "traceback_ansi",
    "runtimeOptions",
    "tests",
    "tokensUsed",
    "tokenUsage",
    "assertions",
    "pretty_env_info",
    "platform",
    "arch",
    "error_retries",
)
"""Keys whose values no importer reads."""

PATH = re.compile(r"(?:/[\w.+-]+){2,}/(?=[\w.+-]+)")
"""A place on a machine; what it is called there stays."""

DATE = (2026, 11, 28, 20, 8, 0)


def scrub(value: Any) -> Any:
    """A value without what is not read, and without paths."""
    if isinstance(value, dict):
        return {key: scrub(item) for key, item in value.items() if key not in UNREAD}
    if isinstance(value, list):
        return [scrub(item) for item in value]
    if isinstance(value, str) and "://" not in value:
        return PATH.sub("", value)
    return value


def encode(value: Any) -> bytes:
    """JSON as most tools write it."""
    return json.dumps(scrub(value), ensure_ascii=False).encode()


def scrub_text(path: Path) -> bytes:
    """A JSON file, or one of JSON lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return b"".join(b"%b\n" % encode(json.loads(line)) for line in text.splitlines())
    return encode(json.loads(text)) + b"\n"


def read_members(path: Path) -> dict[str, bytes]:
    """The members of an `.eval` archive, as Inspect packs them."""
    found = {}
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        for info in archive.infolist():
            file.seek(info.header_offset + 26)
            name, extra = struct.unpack("<2H", file.read(4))
            file.seek(name + extra, 1)
            packed = file.read(info.compress_size)
            if info.compress_type == zipfile.ZIP_DEFLATED:
                found[info.filename] = zlib.decompress(packed, -zlib.MAX_WBITS)
            else:
                unpacker = zstandard.ZstdDecompressor().decompressobj()
                found[info.filename] = unpacker.decompress(packed)
    return found


def pack(members: dict[str, bytes], path: Path, *, zstd: bool) -> None:
    """Write an archive: by Zstandard as Inspect does, or deflated as it did until 2025."""
    if not zstd:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(name, DATE), data, zipfile.ZIP_DEFLATED)
        return
    path.write_bytes(pack_zstd(members))


def pack_zstd(members: dict[str, bytes], *, claimed_size: int | None = None) -> bytes:
    """An archive whose members are packed by Zstandard, which `zipfile` can't write.

    Args:
        members: by name.
        claimed_size: what the archive says of the size of each member; None: the truth.
    """
    parts, central, at = [], [], 0
    for name, data in members.items():
        packed, title = zstandard.ZstdCompressor(level=19).compress(data), name.encode()
        size = len(data) if claimed_size is None else claimed_size
        facts = (63, 0, 93, 0x5D1C, 0x5B7C, zlib.crc32(data), len(packed), size, len(title), 0)
        parts.append(struct.pack("<4s5H3I2H", b"PK\3\4", *facts) + title + packed)
        entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 63, *facts, 0, 0, 0, 0, at)
        central.append(entry + title)
        at += len(parts[-1])
    ends = b"".join(central)
    count = len(members)
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(ends), at, 0)
    return b"".join(parts) + ends + tail


def scrub_archive(path: Path, target: Path, *, zstd: bool) -> None:
    """An `.eval` archive, its journal and summaries left out."""
    members = {
        name: encode(json.loads(data))
        for name, data in read_members(path).items()
        if name.startswith(("samples/", "header", "_journal/start"))
    }
    pack(members, target, zstd=zstd)


def main() -> None:
    """Write each file under its own name."""
    *sources, target = map(Path, sys.argv[1:])
    for path in sources:
        name = path.parent.name.removeprefix("logs-") if "logs-" in path.parent.name else path.stem
        if path.suffix == ".eval":
            # One as older versions packed it.
            scrub_archive(path, target / f"{name}.eval", zstd=name != "shuffled")
        else:
            kept = path.name if path.name.startswith(("samples_", "results_")) else name
            suffix = "" if kept.endswith(path.suffix) else path.suffix
            (target / f"{kept}{suffix}").write_bytes(scrub_text(path))


if __name__ == "__main__":
    main()
