"""Where a set's files are: on this machine, in a cache, or still to be fetched."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.errors import BenchmarkError
from evalkit.loaders.archive import find_archive, find_members, list_members, split_pattern
from evalkit.loaders.hub import HubCopy, fetch_set, find_copy
from evalkit.loaders.hub_layout import HubSet, choose_files, find_missing
from evalkit.loaders.source import Source, has_known_ending
from evalkit.loaders.web import fetch_file, find_fetched, is_address, name_of

HUB_FILE = re.compile(r"hf://(?:datasets/)?(\w[\w.-]*/\w[\w.-]*?)(?:@([^/]+))?/(.+)", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFiles:
    """The files of a set on this machine.

    Args:
        paths: whose rows are asked.
        examples: whose rows are worked examples.
        groups: the subject of a file's rows, where a config of the hub is one.
        has_hub_columns: whether the files are the hub's, not the authors' own.
        is_whole: whether they were fetched, so that they are the published set and no part of it.
    """

    paths: tuple[Path, ...]
    examples: tuple[Path, ...] = ()
    groups: Mapping[Path, str] = field(default_factory=dict, hash=False)
    has_hub_columns: bool = False
    is_whole: bool = False


def find_local(
    source: Source, name: str, home: Path, data_folder: Path | None
) -> FoundFiles | None:
    """Files that a user has put somewhere; None: there are none.

    Args:
        source: what to look for.
        name: the set's name.
        home: the folder of its definition.
        data_folder: where sets lie.

    Raises:
        BenchmarkError: a pattern can't be searched for, or an archive can't be read.
    """
    folders = [home]
    if data_folder is not None:
        folders += [data_folder, data_folder / (source.folder or name)]
    paths = search(source.files, folders)
    if paths:
        return FoundFiles(paths=paths, examples=search(source.examples, folders))
    if source.hub is None or data_folder is None:
        return None
    own = source.hub.repository
    for folder in (source.folder or name, own, own.partition("/")[2], own.replace("/", "--")):
        found = search_copy(source.hub, data_folder / folder)
        if found is not None:
            return found
    return None


def search(patterns: Iterable[str], folders: Iterable[Path]) -> tuple[Path, ...]:
    """The files that match the patterns, from the first folder that has any.

    Raises:
        ValueError, NotImplementedError, IndexError, OSError: one can't be searched for.
        BenchmarkError: an archive can't be read.
    """
    local = [local_pattern(pattern) for pattern in patterns]
    for folder in folders:
        found = {path for pattern in local for path in expand(folder, pattern)}
        if found:
            return tuple(sorted(found))
    return ()


def local_pattern(pattern: str) -> str:
    """What an address's file is called on this machine; other patterns as they are."""
    if not is_address(pattern):
        return pattern
    outer, inner = split_pattern(pattern)
    name = glob.escape(name_of(outer))
    return f"{name}/{inner}" if inner else name


def expand(folder: Path, pattern: str) -> Iterable[Path]:
    """The files below a folder that match a pattern, those in archives too."""
    outer, inner = split_pattern(pattern)
    around = find_archive(folder / outer)
    if around is not None:
        archive = around[0]
        beginning = glob.escape(folder.relative_to(archive).as_posix())
        yield from find_members(archive, outer if beginning == "." else f"{beginning}/{outer}")
        return
    for path in folder.glob(outer):
        if inner and path.is_file():
            yield from find_members(path, inner)
        elif path.suffix.lower() == ".zip" and path.is_file():
            yield from unpack(path)
        elif inner:
            yield from path.glob(inner)  # a folder that is called so
        else:
            yield path


def unpack(archive: Path) -> list[Path]:
    """All question files in an archive.

    Raises:
        BenchmarkError: there is none.
    """
    found = [archive / name for name in list_members(archive) if has_known_ending(Path(name))]
    if not found:
        raise BenchmarkError("there is no question file in it", path=archive)
    return found


def search_copy(hub: HubSet, folder: Path) -> FoundFiles | None:
    """A copy of a hub's repository in a folder of the user's."""
    if not folder.is_dir():
        return None
    names = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if has_known_ending(path) and path.is_file()
    ]
    asked = choose_files(names, hub, hub.split)
    shown = choose_files(names, hub, hub.example_split) if hub.example_split else ()
    if not asked:
        return None
    missing = find_missing(hub, asked)
    if missing is not None:
        raise BenchmarkError(f"of {hub.repository}, {missing} is missing", path=folder)
    paths = {folder / file.name: file.config for file in (*asked, *shown)}
    return FoundFiles(
        paths=tuple(folder / file.name for file in asked),
        examples=tuple(folder / file.name for file in shown),
        groups=name_groups(hub, paths),
        has_hub_columns=True,
    )


def name_groups(hub: HubSet, configs: Mapping[Path, str | None]) -> dict[Path, str]:
    """The subject of each file, where a config is one; with spaces for underscores."""
    if not hub.has_subjects:
        return {}
    return {path: config.replace("_", " ") for path, config in configs.items() if config}


def find_cached(source: Source) -> FoundFiles | None:
    """Files that an earlier fetch left; asks no network."""
    copy = None if source.hub is None else find_copy(source.hub)
    if source.hub is not None and copy is not None:
        return describe_copy(source.hub, copy)
    addresses = list_addresses(source)
    if addresses and all(find_fetched(split_pattern(address)[0]) for address in addresses):
        return fetch_addresses(source)
    return None


def can_fetch(source: Source) -> bool:
    """Whether the set can be fetched."""
    return source.hub is not None or bool(list_addresses(source))


def fetch(source: Source) -> FoundFiles:
    """Bring the files of a set here, unless they are here already.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        BenchmarkError: they can't be had, or are not what was promised.
    """
    if source.hub is not None:
        return describe_copy(source.hub, fetch_set(source.hub, source.sha256))
    return fetch_addresses(source)


def list_addresses(source: Source) -> tuple[str, ...]:
    """The addresses among the files of a source."""
    return tuple(filter(is_address, (*source.files, *source.examples)))


def fetch_addresses(source: Source) -> FoundFiles:
    """Bring the files at addresses here."""
    paths, examples = (
        tuple(
            path for address in filter(is_address, some) for path in fetch_address(source, address)
        )
        for some in (source.files, source.examples)
    )
    return FoundFiles(paths=paths, examples=examples, is_whole=True)


def fetch_address(source: Source, address: str) -> list[Path]:
    """Bring the file at one address here; the files within, if it is an archive.

    Raises:
        BenchmarkError: it can't be had, or there is nothing in it.
    """
    outer, inner = split_pattern(address)
    digest = source.sha256.get(outer) or source.sha256.get(name_of(outer))
    path = fetch_file(outer, digest)
    if not inner:
        return unpack(path) if path.suffix.lower() == ".zip" else [path]
    found = find_members(path, inner)
    if not found:
        raise BenchmarkError(f"nothing in it matches {inner}", path=path)
    return found


def is_remote(name: str) -> bool:
    """Whether a name is the address of a question file: https://... or hf://..."""
    return is_address(name) or name.startswith("hf://")


def fetch_remote(name: str) -> Path:
    """Bring one question file here, unless it is here already.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        BenchmarkError: it can't be had, or is no single file.
    """
    if is_address(name):
        found = fetch_address(Source(), name)
    else:
        match = HUB_FILE.fullmatch(name)
        if match is None:
            raise BenchmarkError(f"{name}: expected hf://datasets/owner/name/path/to/file")
        repository, revision, path = match.groups()
        hub = HubSet(repository=repository, revision=revision or "main", paths=(path,))
        found = list(describe_copy(hub, fetch_set(hub, {})).paths)
    if len(found) > 1:
        raise BenchmarkError(f"{name} holds {len(found)} files: write a definition with them")
    return found[0]


def describe_copy(hub: HubSet, copy: HubCopy) -> FoundFiles:
    """The files of a copy from the hub."""
    paths, examples = (
        {path: file.config for file in files for path in open_archive(hub, split, Path(file.path))}
        for files, split in ((copy.files, hub.split), (copy.examples, hub.example_split or ""))
    )
    return FoundFiles(
        paths=tuple(paths),
        examples=tuple(examples),
        groups=name_groups(hub, paths | examples),
        has_hub_columns=True,
        is_whole=True,
    )


def open_archive(hub: HubSet, split: str, path: Path) -> list[Path]:
    """A file of the hub; the question files within that are of a split, if it is an archive.

    Raises:
        BenchmarkError: there are none.
    """
    if path.suffix.lower() != ".zip":
        return [path]
    inner = [split_pattern(pattern)[1].replace("{split}", split) for pattern in hub.paths]
    found = [one for pattern in inner if pattern for one in find_members(path, pattern)]
    if found or not any(inner):
        return sorted(found) or unpack(path)
    raise BenchmarkError(f"nothing in it matches {', '.join(inner)}", path=path)
