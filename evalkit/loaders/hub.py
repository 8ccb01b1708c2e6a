"""Sets on the Hugging Face hub: fetched by `huggingface_hub` into its cache, and remembered."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.cache_folder import cache_folder
from evalkit.downloads import hub_endpoint, is_offline
from evalkit.errors import BenchmarkError, MissingExtraError
from evalkit.loaders.hub_layout import (
    CONVERTED,
    MAIN,
    HubFile,
    HubSet,
    choose_files,
    find_missing,
)
from evalkit.loaders.web import check_digest

if TYPE_CHECKING:
    from huggingface_hub.hf_api import DatasetInfo, RepoSibling

SECONDS = 30
SHOWN_FILES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file of a set on this machine.

    Args:
        path: in the hub's cache.
        size_bytes: how large it is, as a guard against copies that broke off.
        config: the part of the set that it belongs to.
    """

    path: str
    size_bytes: int
    config: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether it is still there."""
        path = Path(self.path)
        return path.is_file() and path.stat().st_size == self.size_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HubCopy:
    """A part of a hub's repository on this machine.

    Args:
        commit: the revision that the files are of.
        files: rows that are asked.
        examples: rows that are shown as worked examples.
    """

    commit: str
    files: tuple[KeptFile, ...]
    examples: tuple[KeptFile, ...] = ()


def find_copy(hub: HubSet) -> HubCopy | None:
    """The copy that an earlier fetch left, if all its files are still there; asks no network."""
    try:
        table = json.loads(note_of(hub).read_text(encoding="utf-8"))
        files, examples = (
            tuple(KeptFile(**file) for file in table[key]) for key in ("files", "examples")
        )
        copy = HubCopy(commit=table["commit"], files=files, examples=examples)
        return copy if all(file.is_here for file in (*files, *examples)) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def note_of(hub: HubSet) -> Path:
    """Where it is noted what was fetched; it is written last, so that existing means complete."""
    digest = hashlib.sha256(json.dumps(asdict(hub)).encode()).hexdigest()
    return cache_folder("sets") / hub.repository.replace("/", "--") / f"{digest[:16]}.json"


def fetch_set(hub: HubSet, digests: Mapping[str, str]) -> HubCopy:
    """Bring the files of a set here, unless they are here already.

    The hub is HF_ENDPOINT's, the token that of HF_TOKEN or of `hf auth login`, the cache that of
    HF_HOME. A revision that moves is settled by the first fetch.

    Args:
        hub: which files.
        digests: SHA-256 by path in the repository, beside those that the hub itself states.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        BenchmarkError: the set can't be had, or is not what was promised.
    """
    copy = find_copy(hub)
    if copy is not None:
        return copy
    if is_offline():
        copy = find_snapshot(hub)
        if copy is not None:
            return copy
        raise BenchmarkError(
            f"{hub.repository} is not in the cache, and HF_HUB_OFFLINE is set: unset it, or name "
            "a folder that holds the set by --data"
        )
    with hub_errors(hub):
        info, asked, shown = find_files(hub)
        siblings = {sibling.rfilename: sibling for sibling in info.siblings or ()}
        commit = info.sha or hub.revision
        kept = [
            tuple(fetch_one(hub, commit, file, siblings[file.name], digests) for file in files)
            for files in (asked, shown)
        ]
    copy = HubCopy(commit=commit, files=kept[0], examples=kept[1])
    write_note(note_of(hub), copy)
    return copy


def find_snapshot(hub: HubSet) -> HubCopy | None:
    """The copy that another tool has left in the hub's cache, if it holds all that is needed."""
    repository = hub_cache() / f"datasets--{hub.repository.replace('/', '--')}"
    try:
        commit = (repository / "refs" / hub.revision).read_text(encoding="utf-8").strip()
    except OSError:
        commit = hub.revision
    folder = repository / "snapshots" / commit
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    asked = choose_files(names, hub, hub.split)
    shown = choose_files(names, hub, hub.example_split) if hub.example_split else ()
    if not asked or find_missing(hub, asked) or (hub.example_split and not shown):
        return None
    files, examples = (
        tuple(
            KeptFile(
                path=str(folder / file.name),
                size_bytes=(folder / file.name).stat().st_size,
                config=file.config,
            )
            for file in some
        )
        for some in (asked, shown)
    )
    return HubCopy(commit=commit, files=files, examples=examples)


def hub_cache() -> Path:
    """Where `huggingface_hub` keeps what it has fetched."""
    try:
        from huggingface_hub.constants import HF_HUB_CACHE
    except ImportError:
        raise MissingExtraError("fetching sets from the hub", "hub") from None
    return Path(os.environ.get("HF_HUB_CACHE") or HF_HUB_CACHE)


def find_files(hub: HubSet) -> tuple[DatasetInfo, tuple[HubFile, ...], tuple[HubFile, ...]]:
    """What the hub says of a repository, and which of its files are asked and shown.

    Where a moving revision holds no files of the usual forms, the hub's own Parquet copy is taken.
    """
    from huggingface_hub.errors import RevisionNotFoundError

    info = ask_hub(hub, hub.revision)
    names = [sibling.rfilename for sibling in info.siblings or ()]
    asked = choose_files(names, hub, hub.split)
    if not asked and hub.revision == MAIN:
        with suppress(RevisionNotFoundError):  # then what main lacks is said below
            return find_files(replace(hub, revision=CONVERTED))
    check_complete(hub, hub.split, asked, names)
    shown: tuple[HubFile, ...] = ()
    if hub.example_split is not None:
        shown = choose_files(names, hub, hub.example_split)
        check_complete(hub, hub.example_split, shown, names)
    return info, asked, shown


def ask_hub(hub: HubSet, revision: str) -> DatasetInfo:
    """What the hub says of a revision of a repository, its files' digests among it."""
    from huggingface_hub import HfApi

    api = HfApi(endpoint=hub_endpoint(), library_name="evalkit")
    return api.dataset_info(hub.repository, revision=revision, files_metadata=True, timeout=SECONDS)


def check_complete(hub: HubSet, split: str, found: tuple[HubFile, ...], names: list[str]) -> None:
    """Refuse a split or config that the repository doesn't have.

    Raises:
        BenchmarkError: naming what it has.
    """
    missing = find_missing(hub, found)
    if found and missing is None:
        return
    wanted = f"split {split!r}" if missing is None else f"{missing!r}, split {split!r}"
    held = ", ".join(name for name in sorted(names) if not name.startswith("."))
    held = held if len(held) < 300 else f"{held[:300]}..."
    raise BenchmarkError(
        f"{hub.repository} at {hub.revision} has no files of {wanted}; it has {held or 'none'}. "
        f"Name them by source.paths, or take another revision, such as {CONVERTED}"
    )


def fetch_one(
    hub: HubSet, commit: str, file: HubFile, sibling: RepoSibling, digests: Mapping[str, str]
) -> KeptFile:
    """Bring one file into the hub's cache and verify it by the digest that is known of it."""
    from huggingface_hub import hf_hub_download

    path = Path(
        hf_hub_download(
            hub.repository,
            file.name,
            repo_type="dataset",
            revision=commit,
            endpoint=hub_endpoint(),
            cache_dir=hub_cache(),
            library_name="evalkit",
        )
    )
    stated = None if sibling.lfs is None else sibling.lfs.sha256
    blob = path.resolve()
    try:
        check_digest(blob, f"{hub.repository}: {file.name}", digests.get(file.name, stated))
    except BenchmarkError:
        path.unlink(missing_ok=True)  # the link into the removed file
        raise
    return KeptFile(path=str(path), size_bytes=blob.stat().st_size, config=file.config)


def write_note(path: Path, copy: HubCopy) -> None:
    """Note what was fetched, all at once."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(copy), file, indent=1)
        Path(name).replace(path)
    except OSError as error:
        raise BenchmarkError(f"can't be written: {error.strerror}", path=path) from error


@contextmanager
def hub_errors(hub: HubSet) -> Iterator[None]:
    """Say in one line what to do about what `huggingface_hub` raises."""
    try:
        from huggingface_hub import errors
    except ImportError:
        raise MissingExtraError("fetching sets from the hub", "hub") from None
    page = f"{hub_endpoint()}/datasets/{hub.repository}"
    transport: tuple[type[Exception], ...] = (OSError, ValueError, vars(errors)["HTTPError"])
    try:
        yield
    except errors.GatedRepoError as error:
        raise BenchmarkError(
            f"{hub.repository} is gated: accept its terms at {page}, then set HF_TOKEN to a token "
            "of that account (or run `hf auth login`)"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise BenchmarkError(
            f"{hub.repository} has no revision {hub.revision}: see {page}/commits/main"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise BenchmarkError(
            f"the hub has no dataset {hub.repository}, or it is private: see {page}; for a private "
            "one set HF_TOKEN to a token that may read it"
        ) from error
    except transport as error:
        cause = first_line(error)
        raise BenchmarkError(
            f"{hub.repository} can't be fetched from {hub_endpoint()}: {cause}; try again, or name "
            "a folder that holds the set by --data"
        ) from error


def first_line(error: BaseException) -> str:
    """What an error says first; that of its cause if the hub only says that it failed."""
    told = error.__cause__ or error
    return str(told).strip().partition("\n")[0].rstrip(".") or type(told).__name__
