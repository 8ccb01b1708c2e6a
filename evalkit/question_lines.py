"""Questions as compressed lines of JSON, as run folders hold them."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import lru_cache
from itertools import islice
from sys import intern
from typing import IO, Any

from evalkit.images import Image
from evalkit.json_text import decode_json, encode_json
from evalkit.questions import Question

GZIP_LEVEL, GZIP_WINDOW = 3, 31
"""Higher levels take several times as long for a tenth less of space; 31: with gzip's header."""

LINES_AT_ONCE = 1000


def encode_questions(questions: Iterable[Question]) -> bytes:
    """Questions as compressed JSON lines, the same bytes for the same questions.

    Of pictures, it holds where they lie and their digests: opening a run needs no picture.
    """
    return b"".join(compress_questions(questions))


def compress_questions(questions: Iterable[Question]) -> Iterator[bytes]:
    """The same in parts, none of which holds many questions."""
    return compress_lines(map(encode_question, questions))


def compress_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their line breaks, compressed in parts, none of which holds many of them."""
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    broken = (b"%b\n" % line for line in lines)
    while some := b"".join(islice(broken, LINES_AT_ONCE)):
        yield packer.compress(some)
    yield packer.flush()


def encode_question(question: Question, *, with_metadata: bool = False) -> bytes:
    """One line, without its line break; what a question has not is left out.

    Args:
        question: to be written.
        with_metadata: whether what is kept beside the question is written too.
    """
    table: dict[str, Any] = {
        "id": question.id,
        "stem": question.stem,
        "choices": question.choices,
        "right": question.right,
        "group": question.group,
        "cluster": question.cluster,
        "order": question.order,
        "images": [without_empty(asdict(image)) for image in question.images] or None,
        "history": question.history,
        "metadata": question.metadata if with_metadata and question.metadata else None,
    }
    return encode_json(without_empty(table))


def without_empty(table: dict[str, Any]) -> dict[str, Any]:
    """A table without what is not there."""
    return {key: value for key, value in table.items() if value is not None and value != ()}


def decode_questions(data: bytes) -> tuple[Question, ...]:
    """Read what `encode_questions` wrote.

    Raises:
        ValueError, OSError, EOFError, zlib.error: it was something else.
    """
    return tuple(decompress_questions(io.BytesIO(data)))


def decompress_questions(file: IO[bytes]) -> Iterator[Question]:
    """The same, one question after the other."""
    with gzip.GzipFile(fileobj=file, mode="rb") as lines:
        for line in lines:
            yield decode_question(line)


def decode_question(line: bytes | memoryview) -> Question:
    """Read one line; texts that repeat are the same object in all questions.

    Raises:
        ValueError: it is no question.
    """
    table = decode_json(line)
    try:
        for key, value in table.items():
            if isinstance(value, list):
                table[key] = tuple(value)
        table["right"] = share_places(*table["right"])
        for key in ("group", "cluster"):
            if key in table:
                table[key] = intern(table[key])
        if "images" in table:
            table["images"] = tuple(Image(**image) for image in table["images"])
        if "history" in table:
            table["history"] = tuple((role, text) for role, text in table["history"])
        return Question(**table)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no question: {error}") from error


@lru_cache(maxsize=1024)
def share_places(*places: int) -> tuple[int, ...]:
    """Positions of choices, the same object for the same ones."""
    return places
