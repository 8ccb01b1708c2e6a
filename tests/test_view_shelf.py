"""Runs are found by looking through their folder; no name from outside becomes a path."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evalkit.errors import UsageError
from evalkit.view.shelf import open_shelf


def make(folder: Path, name: str = "run") -> Path:
    """A folder that has a manifest."""
    path = folder / name
    path.mkdir(parents=True)
    (path / "manifest.json").write_text("{}")
    return path


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A folder with one run, beside which there is another that is none of our business."""
    make(tmp_path / "secret", "private")
    make(tmp_path / "results")
    return tmp_path / "results"


@pytest.mark.parametrize(
    "name",
    ["..", ".", "", "../secret/private", "/", "run/", "run/../run", "private", "RUN\0", "run\0"],
)
def test_only_the_names_of_folders_are_found(results: Path, name: str) -> None:
    shelf = open_shelf(results)
    assert shelf.find(name) is None
    assert shelf.find("run") is not None


def test_an_absolute_path_is_no_name(results: Path) -> None:
    assert open_shelf(results).find(str(results / "run")) is None


def test_a_link_that_leads_out_is_no_run(results: Path) -> None:
    (results / "link").symlink_to(results.parent / "secret" / "private")
    (results / "up").symlink_to(results.parent)
    (results / "self").symlink_to(results)
    shelf = open_shelf(results)
    assert [each.name for each in shelf] == ["run"]
    assert [shelf.find(name) for name in ("link", "up", "self")] == [None, None, None]


def test_a_link_within_the_folder_is_followed(results: Path) -> None:
    (results / "again").symlink_to(results / "run")
    assert [each.name for each in open_shelf(results)] == ["again", "run"]


def test_a_link_in_a_run_that_leads_out_makes_it_unreadable(results: Path) -> None:
    (results.parent / "passwords").write_text("secret")
    (results / "run" / "responses.jsonl").symlink_to(results.parent / "passwords")
    found = open_shelf(results).find("run")
    assert found is not None
    assert "responses.jsonl is a link that leads out" in found.problem
    assert "responses.jsonl" not in found.marks


def test_a_link_to_nothing_is_passed_over(results: Path) -> None:
    (results / "run" / "summary.json").symlink_to(results / "run" / "gone")
    found = open_shelf(results).find("run")
    assert found is not None
    assert (found.problem, list(found.marks)) == ("", ["manifest.json"])


def test_the_folder_itself_may_be_a_link(results: Path) -> None:
    (results.parent / "alias").symlink_to(results)
    assert [each.name for each in open_shelf(results.parent / "alias")] == ["run"]


def test_files_and_folders_without_a_run_are_passed_over(results: Path) -> None:
    (results / "notes.txt").touch()
    (results / "empty").mkdir()
    assert [each.name for each in open_shelf(results)] == ["run"]


def test_a_journal_without_a_manifest_is_what_is_left_of_a_run(results: Path) -> None:
    (results / "run" / "manifest.json").rename(results / "run" / "responses.jsonl")
    assert [each.name for each in open_shelf(results)] == ["run"]


def test_a_name_that_is_no_text_is_told(results: Path) -> None:
    bad = os.fsencode(results) + b"/bad\xff"
    os.rename(results / "run", bad)  # noqa: PTH104 - a Path can't be made of these bytes
    [found] = open_shelf(results)
    assert found.problem == "the name of its folder is no text"


def test_the_marks_change_with_the_files(results: Path) -> None:
    shelf = open_shelf(results)
    before = shelf.find("run")
    (results / "run" / "manifest.json").write_text("{ }")
    after = shelf.find("run")
    assert before is not None
    assert after is not None
    assert before.marks != after.marks
    assert after.marks["manifest.json"].size == 3


def test_a_folder_that_is_gone_meanwhile_holds_no_run(results: Path) -> None:
    shelf = open_shelf(results)
    (results / "run" / "manifest.json").unlink()
    (results / "run").rmdir()
    assert (list(shelf), shelf.find("run")) == ([], None)
    results.rmdir()
    assert (list(shelf), shelf.find("run")) == ([], None)


def test_what_can_not_be_served_is_said_in_one_line(results: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere: there is no such folder; `evalkit run` makes"):
        open_shelf(results / "nowhere")
    (results / "damaged" / "manifest.json").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"damaged is one run: name the folder that it lies in, "):
        open_shelf(results / "damaged")
    with pytest.raises(UsageError, match=r"run is one run: name the folder that it lies in, "):
        open_shelf(results / "run")
