"""Parquet files as the hub keeps its sets, made for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
"""How the hub keeps a picture."""

ARC = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("choices", pa.struct([("text", pa.list_(pa.string())), ("label", pa.list_(pa.string()))])),
        ("answerKey", pa.string()),
    ]
)


def write_parquet(
    rows: Sequence[dict[str, Any]], schema: pa.Schema | None = None, *, rows_a_group: int = 3
) -> bytes:
    """The bytes of a file; small row groups, so that a few rows make several."""
    buffer = io.BytesIO()
    table = pa.Table.from_pylist(list(rows), schema=schema)
    pq.write_table(table, buffer, row_group_size=rows_a_group)
    return buffer.getvalue()


def arc_rows(count: int, *, numbered: bool = False) -> list[dict[str, Any]]:
    """Rows as ARC's: labels A to D or 1 to 4."""
    labels = list("1234" if numbered else "ABCD")
    return [
        {
            "id": f"q{number}",
            "question": f"How much is {number} + 1?",
            "choices": {"text": [str(number + k) for k in range(4)], "label": labels},
            "answerKey": labels[1],
        }
        for number in range(count)
    ]


def write_arc(count: int, *, numbered: bool = False) -> bytes:
    """A split of ARC."""
    return write_parquet(arc_rows(count, numbered=numbered), ARC)
