"""The pictures that a row names, numbered as its texts number them."""

from __future__ import annotations

import os.path
import re
from collections.abc import Mapping
from pathlib import Path

from evalkit.errors import BenchmarkError, ImageError
from evalkit.images import (
    MARK,
    Image,
    find_marks,
    read_image,
    refer_to_image,
    renumber_marks,
    write_mark,
)
from evalkit.loaders.archive import find_archive, open_file
from evalkit.loaders.choices import FieldError, is_empty, text_of
from evalkit.loaders.picture_store import store_picture
from evalkit.loaders.records import Record

ADDRESS = re.compile(r"https?:", re.IGNORECASE)
WITHIN = re.compile(r"data:", re.IGNORECASE)


def find_pictures(record: Record, columns: tuple[str, ...], folder: Path) -> dict[int, Image]:
    """The pictures of a row by number: that of the column, or the place in the only column's list.

    Raises:
        FieldError: a cell holds no picture's place, or the picture can't be used.
    """
    cells = [(column, record.get(column)) for column in columns]
    if len(cells) == 1 and isinstance(cells[0][1], list):
        cells = [(columns[0], item) for item in cells[0][1]]
    return {
        number: read_picture(column, cell, folder)
        for number, (column, cell) in enumerate(cells, start=1)
        if not is_without_picture(cell)
    }


def is_without_picture(cell: object) -> bool:
    """Whether a cell holds nothing; on the hub, that may be {bytes, path} with neither."""
    return is_empty(cell) or (isinstance(cell, Mapping) and not any(cell.values()))


def add_pictures(
    pictures: dict[int, Image], field: str, places: tuple[str, ...], folder: Path
) -> tuple[str, ...]:
    """Put the pictures of choices behind those of the question; return the marks that name them."""
    numbers = range(max(pictures, default=0) + 1, max(pictures, default=0) + 1 + len(places))
    for number, place in zip(numbers, places, strict=True):
        pictures[number] = read_picture(field, place, folder)
    return tuple(write_mark(number) for number in numbers)


def read_picture(field: str, value: object, folder: Path) -> Image:
    """The picture that a cell names: a path below the folder, or an address of the web.

    A path that leads out of the folder is refused, so that a question file from elsewhere can't
    have any picture of this machine sent. Links within the folder are its owner's choice.

    Raises:
        FieldError: it names none, or one that can't be used.
    """
    data = find_bytes(value)
    if data is not None:
        return read_bytes(field, data)
    if isinstance(value, Mapping):
        value = value.get("path")
    place = text_of(field, value)
    if WITHIN.match(place):
        raise FieldError(field, place, "write the picture to a file, and the file's path here")
    try:
        if ADDRESS.match(place):
            return refer_to_image(place)
        root = os.path.normpath(folder.absolute())
        path = Path(os.path.normpath(Path(root, place)))
        if not path.is_relative_to(root):
            raise FieldError(field, place, f"the path leads out of {root}; put the picture there")
        if find_archive(path) is not None:
            return read_packed(field, path)
        return read_image(path)
    except ImageError as error:
        where = f" ({error.path})" if error.path is not None else ""
        raise FieldError(field, place, f"{error.reason}{where}") from error


def find_bytes(value: object) -> bytes | None:
    """The bytes of a picture that lies in the cell itself, as the hub keeps them: {bytes, path}."""
    data = value.get("bytes") if isinstance(value, Mapping) else value
    return data if isinstance(data, bytes) else None


def read_bytes(field: str, data: bytes) -> Image:
    """A picture as a file of its own.

    Raises:
        FieldError: it is no picture, or can't be kept.
    """
    try:
        return read_image(store_picture(data))
    except ImageError as error:
        raise FieldError(field, f"{len(data)} bytes", error.reason) from error


def read_packed(field: str, path: Path) -> Image:
    """A picture that lies in an archive.

    Raises:
        FieldError: it is no picture, or can't be read.
    """
    try:
        with open_file(path) as file:
            return read_bytes(field, file.read())
    except BenchmarkError as error:
        raise FieldError(field, str(path), error.reason) from error


def speak_of_pictures(*texts: str) -> bool:
    """Whether any text has a mark."""
    return any(map(MARK.search, texts))


def check_marks(field: str, text: str, pictures: Mapping[int, Image]) -> None:
    """Refuse a text that speaks of a picture which its row doesn't have."""
    for number in find_marks(text):
        if number not in pictures:
            remedy = f"the row has no picture {write_mark(number)}; columns.images names its column"
            raise FieldError(field, text, remedy)


def close_gaps(
    stem: str, choices: tuple[str, ...], pictures: Mapping[int, Image]
) -> tuple[str, tuple[str, ...], tuple[Image, ...]]:
    """Number pictures from 1 without gaps, in texts too: a model counts those that it is shown."""
    numbers = {old: new for new, old in enumerate(sorted(pictures), start=1)}
    images = tuple(pictures[old] for old in numbers)
    texts = tuple(renumber_marks(choice, numbers) for choice in choices)
    return renumber_marks(stem, numbers), texts, images
