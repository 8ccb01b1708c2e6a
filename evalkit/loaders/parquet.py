"""Parquet files, as the hub keeps its sets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import count, pairwise
from pathlib import Path
from typing import Any

from evalkit.errors import BenchmarkError, MissingExtraError
from evalkit.loaders.archive import find_archive, open_file
from evalkit.loaders.records import Record, Rows, shorten

ROWS_AT_ONCE = 1000
PICTURES_AT_ONCE = 10
"""Rows read at once where columns hold the bytes of pictures."""

BYTES_AT_ONCE = 1 << 16
"""Bytes of a column read at once."""


def read_parquet(path: Path, *, columns: Iterable[str] | None = None) -> Rows:
    """Read rows; a row's line is its number in the file, from 1.

    Numbers with a decimal point, dates and the like become text.

    Args:
        path: the file.
        columns: the columns or dotted paths to read; None: all.

    Raises:
        MissingExtraError: pyarrow is not installed.
        BenchmarkError: the file can't be read.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("reading Parquet files", "hub") from None
    with open_file(path) as file:
        packed = find_archive(path) or path.suffix.lower() == ".gz"
        try:
            source = pa.BufferReader(file.read()) if packed else file
            # Part by part, which by itself pyarrow does not do: whoever wants the first rows alone
            # does not wait for the others, nor does anybody hold a column of all rows.
            opened = pq.ParquetFile(source, pre_buffer=False, buffer_size=BYTES_AT_ONCE)
            wanted = choose_columns(path, opened.schema_arrow.names, columns)
            size = PICTURES_AT_ONCE if holds_bytes(opened.schema_arrow, wanted) else ROWS_AT_ONCE
            lines = count(1)
            for batch in opened.iter_batches(batch_size=size, columns=wanted):
                values = [list_values(column) for column in batch.columns]
                names = batch.schema.names
                for row in zip(*values, strict=True) if values else ((),) * batch.num_rows:
                    yield Record(next(lines), dict(zip(names, row, strict=True)))
        # pyarrow raises OSError for damaged pages, ValueError and TypeError for odd schemas.
        except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise BenchmarkError(f"no readable Parquet file: {reason}", path=path) from error


def count_rows(path: Path) -> int:
    """How many rows a file says it has; they are not read.

    Raises:
        MissingExtraError: pyarrow is not installed.
        BenchmarkError: the file can't be read.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtraError("reading Parquet files", "hub") from None
    with open_file(path) as file:
        try:
            return int(pq.ParquetFile(file).metadata.num_rows)
        except (pa.ArrowException, OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise BenchmarkError(f"no readable Parquet file: {reason}", path=path) from error


def choose_columns(path: Path, names: Sequence[str], wanted: Iterable[str] | None) -> list[str]:
    """The columns of a file that are wanted, a dotted path's first part where it is one."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        reason = f"two columns are called {shorten(twice[0])}; rename one"
        raise BenchmarkError(reason, path=path)
    if wanted is None:
        return list(names)
    tops = {name if name in names else name.partition(".")[0] for name in wanted}
    return [name for name in names if name in tops]


def holds_bytes(schema: Any, wanted: Sequence[str]) -> bool:
    """Whether a column that is read may hold pictures."""
    return any("binary" in str(schema.field(name).type) for name in wanted)


def list_values(column: Any) -> list[Any]:
    """A column as Python values."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        items = list_values(column.values)
        offsets = column.offsets.to_pylist()
        lists = [items[start:end] for start, end in pairwise(offsets)]
        if column.null_count:
            flags = column.is_valid().to_pylist()
            return [one if there else None for one, there in zip(lists, flags, strict=True)]
        return lists
    if pa.types.is_struct(kind):
        return list_structs(column)
    values = column.to_pylist()
    return values if is_plain(kind) else list(map(as_text, values))


def list_structs(column: Any) -> list[Any]:
    """A column of structs as mappings."""
    names = [field.name for field in column.type]
    if not names or column.null_count or column.offset:
        return list(map(as_text, column.to_pylist()))
    parts = (list_values(column.field(number)) for number in range(len(names)))
    return [dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)]


def is_plain(kind: Any) -> bool:
    """Whether Python values of this type can stay as they are."""
    import pyarrow as pa

    tests = ("string", "large_string", "integer", "boolean", "binary", "large_binary", "null")
    return any(getattr(pa.types, f"is_{test}")(kind) for test in tests)


def as_text(value: Any) -> Any:
    """A value in the forms that JSON has, or bytes; no number with a decimal point."""
    match value:
        case None | str() | bool() | int() | bytes():
            return value
        case float():
            return None if math.isnan(value) else repr(value)
        case list():
            return [as_text(item) for item in value]
        case dict():
            return {key: as_text(item) for key, item in value.items()}
    return str(value)
