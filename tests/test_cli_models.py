"""`evalkit models pull` says where the weights are."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.models.weights import load_weights_table, weights_folder
from tests.command_line import call


def put_weights(name: str) -> Path:
    """Weights of the right size, as a download that was verified leaves them."""
    weights = load_weights_table()[name]
    weights_folder().mkdir(parents=True, exist_ok=True)
    path = weights_folder() / weights.file_name
    with path.open("wb") as file:
        file.truncate(weights.size_bytes)
    return path


@pytest.mark.parametrize("prefix", ["", "local/"])
def test_weights_that_are_here_are_not_fetched_again(
    capsys: pytest.CaptureFixture[str], prefix: str
) -> None:
    paths = [put_weights(name) for name in load_weights_table()]
    pulled = call(capsys, "models", "pull", *(prefix + name for name in load_weights_table()))
    assert pulled.code == 0
    assert pulled.out.splitlines() == [str(path) for path in paths]


@pytest.mark.parametrize("name", ["nosuch", "local/nosuch", "claude-haiku-4-5", ""])
def test_an_unknown_model_gets_the_known_ones(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    pulled = call(capsys, "models", "pull", name)
    assert (pulled.code, pulled.out) == (2, "")
    assert all(known in pulled.error for known in load_weights_table())


def test_pull_is_the_only_thing_to_do_with_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "models").error.endswith("the following arguments are required: pull")
    assert "invalid choice: 'push'" in call(capsys, "models", "push").error
