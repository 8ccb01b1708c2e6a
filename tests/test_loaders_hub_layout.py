"""The files of a config and a split are found in the layouts that repositories have."""

from __future__ import annotations

import pytest

from evalkit.loaders.hub_layout import HubFile, HubSet, choose_files

ONE = "00000-of-00001.parquet"


@pytest.mark.parametrize(
    ("names", "configs", "expected"),
    [
        ([f"ARC-Challenge/test-{ONE}", f"ARC-Easy/test-{ONE}"], "ARC-Challenge", [0]),
        (["c/test/0000.parquet", "c/test/0001.parquet", "c/train/0000.parquet"], "c", [0, 1]),
        ([f"data/test-{ONE}", f"data/validation-{ONE}"], None, [0]),
        (["default/test/0000.parquet", "default/partial-train/0000.parquet"], None, [0]),
        (["other/test/0000.parquet"], None, [0]),
        (["test.jsonl", "train.jsonl", "README.md"], None, [0]),
        (["data/test.csv", "test-labels.txt"], None, [0]),
        (["test/anatomy.csv", "dev/anatomy.csv", "test/law.csv"], "anatomy", [0]),
        (["test/anatomy_test.csv", "dev/anatomy_dev.csv"], "anatomy", [0]),
        (["data/es/test.json.gz"], "es", [0]),
        ([f"c/test-0000{n}-of-00002-{n}abc.parquet" for n in (0, 1)], "c", [0, 1]),
        ([f"c/test_extra-{ONE}", f"c/tests-{ONE}", f"cc/test-{ONE}"], "c", []),
        ([f"c.d/test-{ONE}", f"cxd/test-{ONE}"], "c.d", [0]),
        ([f"standard (4 options)/test-{ONE}"], "standard (4 options)", [0]),
    ],
)
def test_files_are_found_in_the_usual_layouts(
    names: list[str], configs: str | None, expected: list[int]
) -> None:
    hub = HubSet(repository="a/b", configs=() if configs is None else (configs,))

    assert [file.name for file in choose_files(names, hub, "test")] == [names[i] for i in expected]


def test_all_configs_are_those_that_have_the_split() -> None:
    names = [f"law/test-{ONE}", f"anatomy/test-{ONE}", f"train_only/train-{ONE}", "README.md"]
    hub = HubSet(repository="a/b", configs=("*",))

    assert hub.has_subjects
    assert choose_files(names, hub, "test") == (
        HubFile(names[1], "anatomy"),
        HubFile(names[0], "law"),
    )


def test_several_configs_come_in_the_order_of_the_definition() -> None:
    names = [f"{name}/test-{ONE}" for name in "abc"]
    hub = HubSet(repository="a/b", configs=("c", "a"))

    assert [file.config for file in choose_files(names, hub, "test")] == ["c", "a"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("{split}/{config}.csv", ["test/law.csv"]),
        ("sets/{config}-{config}/{split}*.json", ["sets/law-law/test_1.json"]),
        ("one.file", ["one.file"]),
    ],
)
def test_paths_of_a_definition_replace_the_usual_layouts(path: str, names: list[str]) -> None:
    hub = HubSet(repository="a/b", configs=("law",), paths=(path,))
    others = [f"law/test-{ONE}", "test/war.csv", "oneXfile", "sets/law-war/test_1.json"]

    assert [file.name for file in choose_files([*others, *names], hub, "test")] == names
