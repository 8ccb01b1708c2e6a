"""The example notebook runs from top to bottom, and what it says is what comes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.guide_examples import PAGES
from tests.test_readme import shape_of

NOTEBOOK = PAGES / "comparing.ipynb"


def printed_by(notebook: Any) -> list[str]:
    """The texts that the cells of code print or show, one for each of them; tables are no text."""
    return [
        "".join(
            "".join(output.get("text") or show_plainly(output.get("data", {})))
            for output in cell["outputs"]
        )
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def show_plainly(data: Any) -> Any:
    """What stands for a value, if no table does; all attributes of a run stand beside its table."""
    return "" if "text/html" in data else data.get("text/plain", "")


def test_the_notebook_is_shown_with_what_it_printed_and_without_errors() -> None:
    stored = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    outputs = [output for cell in stored["cells"] for output in cell.get("outputs", ())]
    assert {output["output_type"] for output in outputs} <= {"stream", "execute_result"}
    assert sum(bool(text) for text in printed_by(stored)) > 5
    assert sum("text/html" in output.get("data", {}) for output in outputs) == 2
    assert NOTEBOOK.stat().st_size < 150_000


@pytest.mark.slow
def test_the_notebook_runs_and_prints_what_it_shows(tmp_path: Path) -> None:
    """Where a loop is running already, as in any notebook."""
    import nbformat
    from nbclient import NotebookClient

    stored = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    expected = [shape_of(text) for text in printed_by(stored)]
    client = NotebookClient(
        stored, timeout=900, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    assert [shape_of(text) for text in printed_by(stored)] == expected
    assert (tmp_path / "report.html").stat().st_size > 100_000
