"""Responses as a Parquet file, for pandas and whatever else reads tables."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from evalkit.errors import MissingExtraError
from evalkit.frames import list_rows, tabulate_rows
from evalkit.reports.report import Report
from evalkit.results import Run

if TYPE_CHECKING:
    import pandas

SOURCE = {"id": "string", "score": "Float64", "answer": "string"}
"""What the log of another tool says beside a reply."""


def render_parquet(report: Report) -> bytes:
    """The bytes of a file with one row for each response, as `pandas.read_parquet` takes it.

    Columns are `run` and `name`, those of `Run.to_dataframe`, and of imported runs `source_id`,
    `source_score` and `source_answer`.

    Raises:
        MissingExtraError: the library for it is not installed.
    """
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("writing .parquet", "hub") from error
    file = io.BytesIO()
    tabulate_responses(report).to_parquet(file, engine="pyarrow", index=False)
    return file.getvalue()


def tabulate_responses(report: Report) -> pandas.DataFrame:
    """One row for each response of each run."""
    import pandas

    tables = []
    for number, (name, run) in enumerate(zip(report.names, report.runs, strict=True), 1):
        table = tabulate_rows(map(clean_row, list_rows(run.scores, run.manifest)))
        table.insert(0, "run", number)
        table.insert(1, "name", as_utf8(name))
        for key in SOURCE:
            table[f"source_{key}"] = list(list_source(run, key))
        tables.append(table)
    joined = pandas.concat(tables, ignore_index=True)
    kinds = {f"source_{key}": kind for key, kind in SOURCE.items()}
    return joined.astype({"name": "string", **kinds})


def list_source(run: Run, key: str) -> Iterator[Any]:
    """What another tool's log says beside each reply; None where evalkit asked."""
    for score in run.scores:
        if score.row is not None:
            value = None if score.row.source is None else getattr(score.row.source, key)
            yield as_utf8(value) if isinstance(value, str) else value


def clean_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row without half characters, which some sets and replies hold, and no file can."""
    return {key: as_utf8(value) if isinstance(value, str) else value for key, value in row.items()}


def as_utf8(text: str) -> str:
    """A text in characters that UTF-8 can write."""
    return text.encode("utf-8", "replace").decode()
