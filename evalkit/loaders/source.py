"""Where the rows of a question set come from: files, their format, how to read each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from evalkit.errors import BenchmarkError
from evalkit.loaders.csv import read_csv
from evalkit.loaders.excel import read_excel
from evalkit.loaders.fields import PlacedRow
from evalkit.loaders.hub_layout import HubSet
from evalkit.loaders.json import read_json
from evalkit.loaders.jsonl import read_jsonl
from evalkit.loaders.parquet import read_parquet
from evalkit.loaders.records import Rows
from evalkit.loaders.text import read_text_blocks

FileFormat = Literal["csv", "jsonl", "json", "parquet", "text", "excel"]

FORMATS: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "text",
    ".xlsx": "excel",
    ".xlsm": "excel",
}
"""By the ending of a file's name, `.gz` taken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Files of one format.

    Args:
        files: patterns relative to the data folder, such as `data/test/*_test.csv`.
        examples: patterns of files whose rows are worked examples, not asked.
        folder: the set's usual folder within a collection of sets.
        image_folder: where pictures' paths begin, as seen from the folder of the file that names
            them; None: there.
        format: None: from the ending of each file.
        columns: names of the columns of CSV and Excel files without header.
        delimiter: what separates the cells of CSV files; None: found out.
        records: the key of the list within JSON files that hold an object.
        group_from_file: pattern for the name of a file without its ending, whose first group is
            the subject of all its rows: `(.+)_test`.
        hub: the same set on the hub, used where no file is at hand.
        sha256: digests of files by their name, the path in the repository, or the address.
        splits: other patterns than `files`, by the name of the split that they stand for.
    """

    files: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    folder: str | None = None
    image_folder: str | None = None
    format: FileFormat | None = None
    columns: tuple[str, ...] = ()
    delimiter: str | None = None
    records: str | None = None
    group_from_file: str | None = None
    hub: HubSet | None = None
    sha256: Mapping[str, str] = field(default_factory=dict, hash=False)
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def of_hub(self) -> Source:
        """How to read the hub's copy: what is said of the authors' files doesn't hold for it."""
        return Source(hub=self.hub, sha256=self.sha256) if self.files else self


def read_rows(
    paths: Iterable[Path],
    source: Source,
    *,
    columns: Iterable[str] | None = None,
    groups: Mapping[Path, str] = MappingProxyType({}),
) -> Iterator[PlacedRow]:
    """Read the rows of all files, one after the other.

    Args:
        paths: the files.
        source: how to read them.
        columns: what is needed of a row, where leaving out the rest is cheaper; None: all.
        groups: the subjects of files that are known from elsewhere than their names.

    Raises:
        BenchmarkError: a file can't be read at all.
    """
    for path in paths:
        group = groups.get(path) or find_group(path, source.group_from_file)
        image_folder = path.parent / (source.image_folder or "")
        for row in read_file(path, source, columns=columns):
            yield PlacedRow(path, row, group, image_folder)


def read_file(path: Path, source: Source, *, columns: Iterable[str] | None = None) -> Rows:
    """Read the rows of one file by its format."""
    match source.format or find_format(path):
        case "csv":
            return read_csv(path, columns=source.columns, delimiter=source.delimiter)
        case "jsonl":
            return read_jsonl(path)
        case "json":
            return read_json(path, records=source.records)
        case "parquet":
            return read_parquet(path, columns=columns)
        case "text":
            return read_text_blocks(path)
        case "excel":
            return read_excel(path, columns=source.columns)


def has_known_ending(path: Path) -> bool:
    """Whether a file's name says that it may hold questions."""
    return bare_path(path).suffix.lower() in FORMATS


def bare_path(path: Path) -> Path:
    """A path without the ending that says how the file is packed."""
    return path.with_suffix("") if path.suffix.lower() == ".gz" else path


def find_format(path: Path) -> FileFormat:
    """The format that a file's ending stands for.

    Raises:
        BenchmarkError: evalkit doesn't read such files.
    """
    try:
        return FORMATS[bare_path(path).suffix.lower()]
    except KeyError:
        reason = f"unknown ending {path.suffix!r}; known are {', '.join(FORMATS)}"
        raise BenchmarkError(reason, path=path) from None


def find_group(path: Path, pattern: str | None) -> str | None:
    """The subject that a file's name gives, with spaces for underscores.

    Raises:
        BenchmarkError: there is a pattern that the name doesn't match.
    """
    if pattern is None:
        return None
    match = re.fullmatch(pattern, bare_path(path).stem)
    if match is None or not match[1]:
        reason = f"its name holds no subject by group_from_file = {pattern!r}; change the pattern"
        raise BenchmarkError(reason, path=path)
    return match[1].replace("_", " ")
