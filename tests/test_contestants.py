"""Runs are called by their model, and by no more than tells them apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.contestants import name_contestants
from evalkit.prompts import PromptFormat
from evalkit.results import Run
from tests.runs_in_memory import judged_run


def run_of(model: str = "m", **changes: Any) -> Run:
    return judged_run(model, ["correct"], **changes)


@pytest.mark.parametrize(
    ("runs", "names"),
    [
        ([], []),
        ([run_of("m"), run_of("n")], ["m", "n"]),
        ([run_of("m"), run_of("n", way="tool", shots=5)], ["m", "n"]),
        ([run_of(way="prefill"), run_of(way="tool")], ["m, prefill", "m, tool"]),
        (
            [run_of(shots=0), run_of(shots=5), run_of("n", shots=5)],
            ["m, worked examples 0", "m, worked examples 5", "n, worked examples 5"],
        ),
        (
            [run_of(parameters={"temperature": 0.0}), run_of(parameters={"temperature": 1.0})],
            ["m, temperature 0.0", "m, temperature 1.0"],
        ),
        ([run_of(seed=1), run_of(seed=2)], ["m, seed of the worked examples 1",
                                            "m, seed of the worked examples 2"]),
        ([run_of(benchmark="x"), run_of(benchmark="y")], ["m", "m"]),
        (
            [run_of(benchmark="x"), run_of(benchmark="x", way="tool"), run_of(benchmark="y")],
            ["m, prefill", "m, tool", "m, prefill"],
        ),
    ],
)  # fmt: skip
def test_a_name_holds_what_differs_and_nothing_else(runs: list[Run], names: list[str]) -> None:
    assert name_contestants(runs) == names


def test_another_prompt_is_named_by_its_digest() -> None:
    forms = PromptFormat(), PromptFormat(system="Be brief.")
    names = name_contestants([run_of(prompt=form) for form in forms])
    assert names == [f"m, prompt {form.digest[:12]}" for form in forms]


def test_the_same_run_made_twice_is_named_by_its_folder() -> None:
    again = replace(run_of(), path=Path("tuesday/m"))
    assert name_contestants([run_of(), again]) == ["m, results/sums-m", "m, tuesday/m"]
