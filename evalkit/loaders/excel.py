"""Excel workbooks: the first sheet that has rows, its first row naming the columns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalkit.errors import BenchmarkError, MissingExtraError
from evalkit.loaders.archive import open_file
from evalkit.loaders.records import Record, Rows, shorten


def read_excel(path: Path, *, columns: tuple[str, ...] = ()) -> Rows:
    """Read the rows of a sheet; rows of nothing but empty cells are passed over.

    Numbers become text as they are shown without a format, results of formulas are those that were
    saved. A date stays one, which no question can be made of: Excel makes dates of choices such as
    1-2.

    Args:
        path: the workbook.
        columns: names of the columns of a sheet without header; empty: the first row names them.

    Raises:
        MissingExtraError: the library for Excel files is not installed.
        BenchmarkError: the file can't be read, or its header can't be used.
    """
    for number, cells in read_cells(path):
        if not columns:
            columns = name_columns(path, number, cells)
            continue
        padded = (*cells, *[None] * (len(columns) - len(cells)))
        yield Record(number, dict(zip(columns, padded, strict=False)))


def read_cells(path: Path) -> Iterator[tuple[int, tuple[object, ...]]]:
    """The rows of the first sheet that has any, each with its number."""
    try:
        import openpyxl
    except ImportError as error:
        raise MissingExtraError(f"{path.name}: an Excel file", "excel") from error
    with open_file(path) as file:
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            for sheet in book.worksheets:
                filled = False
                for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
                    cells = tuple(map(to_value, row))
                    if any(cell is not None for cell in cells):
                        filled = True
                        yield number, cells
                if filled:
                    return
        # A workbook is a zip of XML files: a damaged one fails in whatever part is damaged.
        except Exception as error:
            reason = f"can't be read as Excel ({error}); save it as .xlsx once more"
            raise BenchmarkError(reason, path=path) from error


def to_value(cell: object) -> object:
    """A cell as text or a whole number; None if it is empty.

    Example:
        >>> to_value(0.1), to_value(4.0), to_value(" "), to_value(True)
        ('0.1', '4', None, 'true')
    """
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return f"{cell:.15g}"
    if isinstance(cell, str) and not cell.strip():
        return None
    return cell


def name_columns(path: Path, line: int, cells: tuple[object, ...]) -> tuple[str, ...]:
    """The names in the first row; columns without a name may be several.

    Raises:
        BenchmarkError: a name stands there twice.
    """
    names = tuple("" if cell is None else str(cell).strip() for cell in cells)
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        reason = f"the header names {shorten(twice[0])} more than once; rename one"
        raise BenchmarkError(reason, path=path, line=line)
    return names
