"""Where the rows of a question set come from: files, their format, how to read each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from evalkit.errors import BenchmarkError
from evalkit.loaders.csv import read_csv
from evalkit.loaders.excel import read_excel
from evalkit.loaders.fields import PlacedRow
from evalkit.loaders.json import read_json
from evalkit.loaders.jsonl import read_jsonl
from evalkit.loaders.records import Rows

FileFormat = Literal["csv", "jsonl", "json", "excel"]

FORMATS: dict[str, FileFormat] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".xlsx": "excel",
    ".xlsm": "excel",
}


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
        splits: other patterns than `files`, by the name of the split that they stand for.
    """

    files: tuple[str, ...]
    examples: tuple[str, ...] = ()
    folder: str | None = None
    image_folder: str | None = None
    format: FileFormat | None = None
    columns: tuple[str, ...] = ()
    delimiter: str | None = None
    records: str | None = None
    group_from_file: str | None = None
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


def read_rows(paths: Iterable[Path], source: Source) -> Iterator[PlacedRow]:
    """Read the rows of all files, one after the other.

    Raises:
        BenchmarkError: a file can't be read at all.
    """
    for path in paths:
        group = find_group(path, source.group_from_file)
        image_folder = path.parent / (source.image_folder or "")
        for row in read_file(path, source):
            yield PlacedRow(path, row, group, image_folder)


def read_file(path: Path, source: Source) -> Rows:
    """Read the rows of one file by its format."""
    form = source.format or find_format(path)
    if form == "csv":
        return read_csv(path, columns=source.columns, delimiter=source.delimiter)
    if form == "excel":
        return read_excel(path, columns=source.columns)
    return read_jsonl(path) if form == "jsonl" else read_json(path, records=source.records)


def find_format(path: Path) -> FileFormat:
    """The format that a file's ending stands for.

    Raises:
        BenchmarkError: evalkit doesn't read such files.
    """
    try:
        return FORMATS[path.suffix.lower()]
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
    match = re.fullmatch(pattern, path.stem)
    if match is None or not match[1]:
        reason = f"its name holds no subject by group_from_file = {pattern!r}; change the pattern"
        raise BenchmarkError(reason, path=path)
    return match[1].replace("_", " ")
