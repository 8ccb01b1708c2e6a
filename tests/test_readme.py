"""The README runs as it says, and prints what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evalkit.benchmarks import parse_definition
from tests.readme_examples import BLOCK, README, Example, find_examples, run_example

EXAMPLES = find_examples(README.read_text(encoding="utf-8"))


def test_the_readme_has_its_examples() -> None:
    commands = [example.code for example in EXAMPLES if not example.is_python]
    assert commands[0].endswith("local/qwen2.5-coder-1.5b")
    assert len(commands) > 7
    assert sum(example.is_python for example in EXAMPLES) == 1


def test_examples_without_a_model_print_exactly_what_the_readme_says(tmp_path: Path) -> None:
    for example in EXAMPLES:
        if not example.needs_weights and not example.code.startswith("ls"):
            assert run_example(example, tmp_path) == example.output, example.code


def test_the_definition_in_the_readme_is_one(tmp_path: Path) -> None:
    blocks = BLOCK.finditer(README.read_text(encoding="utf-8"))
    text = next(block["text"] for block in blocks if block["kind"] == "toml")
    path = tmp_path / "spring.toml"
    path.write_text(text, encoding="utf-8")
    assert parse_definition(path).questions == 120


@pytest.mark.slow
def test_examples_with_embedded_models_print_what_the_readme_says(tmp_path: Path) -> None:
    """Figures may differ a little between processors: they must lie within the stated intervals."""
    for example in EXAMPLES:
        printed = run_example(example, tmp_path)
        assert shape_of(printed) == shape_of(example.output), example.code
        for stated, seen in zip(intervals_in(example.output), intervals_in(printed), strict=True):
            assert stated[1] <= seen[0] <= stated[2], example.code


@pytest.mark.slow
def test_the_demo_in_the_readme_tells_the_models_apart() -> None:
    """The small model is at chance, and the table says so; the larger one answers most."""
    demo: Example = EXAMPLES[0]
    accuracies = intervals_in(demo.output)
    assert [low <= 25.0 <= high for _, low, high in accuracies] == [True, True, False, False]
    assert all(low > 50 for _, low, _ in accuracies[2:])
    assert demo.output.count("can't be told from chance") == 2


def shape_of(text: str) -> str:
    """A text without numbers and their signs, run ids and the spaces that align them."""
    text = re.sub(r"--[0-9a-f]{12}\b", "--ID", text)
    return re.sub(r"[-+]?[\d.]+", "#", re.sub(r"[ ─]+", " ", text))


def intervals_in(text: str) -> list[tuple[float, float, float]]:
    """Accuracies with one decimal, followed by their interval: (accuracy, low, high)."""
    found = re.findall(r"(\d+\.\d)\s+\[(\d+\.\d), (\d+\.\d)\]", text)
    return [(float(estimate), float(low), float(high)) for estimate, low, high in found]
