"""HellaSwag as plain text: six lines a question."""

from __future__ import annotations

from pathlib import Path

from evalkit.errors import RowProblem
from evalkit.loaders.records import Record, Row, Rows, read_lines, shorten

ENDINGS = 4
LINES = 2 + ENDINGS


def read_text_blocks(path: Path) -> Rows:
    """Read blocks of six lines: `activity: context`, the index of the right ending, four endings.

    The columns are those of the set on the hub: activity_label, ctx, label and endings. Blank lines
    between blocks are passed over.

    Raises:
        BenchmarkError: the file can't be read.
    """
    block: list[tuple[int, str]] = []
    for number, text in enumerate(map(str.strip, read_lines(path)), start=1):
        if not text:
            continue
        block.append((number, text))
        if is_index(text) and len(block) > 2:
            # A line too many or too few stands above: this index and the line before begin anew.
            yield to_row(path, block[:-2])
            block = block[-2:]
        elif len(block) > LINES:
            yield to_row(path, block[:LINES])
            block = block[LINES:]
    if block:
        yield to_row(path, block)


def to_row(path: Path, block: list[tuple[int, str]]) -> Row:
    """One block as a row."""
    line = block[0][0]
    texts = [text for _, text in block]
    if len(texts) != LINES or not is_index(texts[1]):
        remedy = f"expected {LINES} lines: context, an index from 0 to 3, {ENDINGS} endings"
        return RowProblem(path=path, line=line, field="row", value=shorten(texts), remedy=remedy)
    activity, colon, context = texts[0].partition(": ")
    values = {"activity_label": activity, "ctx": context} if colon else {"ctx": texts[0]}
    return Record(line, {**values, "label": texts[1], "endings": texts[2:]})


def is_index(text: str) -> bool:
    """Whether a line says which ending is right."""
    return len(text) == 1 and text in "0123"
