"""The measurement of loading counts all questions of both formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench_loading import FORMATS, measure_load, write_files


@pytest.mark.parametrize("form", FORMATS)
def test_what_loading_costs_is_measured_on_all_questions(tmp_path: Path, form: str) -> None:
    cost = measure_load(write_files(tmp_path, 50)[form])

    assert cost["questions"] == 50
    assert cost["cpu_seconds"] > 0
    assert cost["peak_mb"] > 10
