"""A row's pictures are found, numbered as its texts number them, and kept within their folder."""

from __future__ import annotations

from pathlib import Path

import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.images import Image, find_marks, read_image, refer_to_image, write_mark
from evalkit.loaders.choices import FieldError
from evalkit.loaders.pictures import (
    add_pictures,
    check_marks,
    close_gaps,
    find_pictures,
    read_picture,
)
from evalkit.loaders.records import Record

COLUMNS = ("image_1", "image_2", "image_3")
A, B, C = (refer_to_image(f"https://example.org/{name}.png") for name in "abc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures a, b, c, and one outside of the folder."""
    inside = tmp_path / "set" / "images"
    inside.mkdir(parents=True)
    for shade, name in enumerate("abc"):
        PIL.Image.new("L", (8, 8), shade).save(inside / f"{name}.png")
    PIL.Image.new("L", (8, 8)).save(tmp_path / "private.png")
    return tmp_path / "set"


def image(folder: Path, name: str) -> Image:
    return read_image(folder / "images" / f"{name}.png")


def refusal(folder: Path, value: object) -> str:
    with pytest.raises(FieldError) as caught:
        read_picture("image", value, folder)
    assert caught.value.field == "image"
    return caught.value.remedy


# Finding them


def test_a_picture_has_the_number_of_its_column_and_empty_ones_none(folder: Path) -> None:
    values = {"image_1": "images/a.png", "image_2": None, "image_3": " images/b.png\n"}
    found = find_pictures(Record(1, values), COLUMNS, folder)

    assert found == {1: image(folder, "a"), 3: image(folder, "b")}
    assert find_pictures(Record(1, {"image_1": " "}), COLUMNS, folder) == {}


def test_one_column_holds_a_picture_or_a_list_of_them(folder: Path) -> None:
    a, b = image(folder, "a"), image(folder, "b")

    for value, found in (
        ("images/b.png", {1: b}),
        (["images/b.png", "images/a.png"], {1: b, 2: a}),
        ([None, "images/a.png"], {2: a}),
        ([], {}),
    ):
        record = Record(1, {"image": value})
        assert find_pictures(record, ("image",), folder) == found


def test_no_column_holds_no_picture(folder: Path) -> None:
    assert find_pictures(Record(1, {"image": "a.png"}), (), folder) == {}


def test_the_pictures_of_choices_are_numbered_behind_those_of_the_question(folder: Path) -> None:
    pictures = {1: image(folder, "a"), 3: image(folder, "b")}
    marks = add_pictures(pictures, "options", ("images/c.png", "images/a.png"), folder)

    assert marks == ("<image 4>", "<image 5>")
    assert (pictures[4], pictures[5]) == (image(folder, "c"), image(folder, "a"))


def test_choices_alone_are_numbered_from_one(folder: Path) -> None:
    pictures: dict[int, Image] = {}

    assert add_pictures(pictures, "o", ("images/c.png",), folder) == ("<image 1>",)
    assert list(pictures) == [1]


# Where they may lie


@pytest.mark.parametrize(
    "value", ["images/a.png", "./images/a.png", "images/../images/a.png", "images//a.png"]
)
def test_a_path_begins_at_the_folder(folder: Path, value: str) -> None:
    assert read_picture("image", value, folder) == image(folder, "a")


def test_the_folder_may_be_named_from_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)

    for name in (Path("set"), Path("set/../set"), Path("nowhere/../set")):
        assert read_picture("image", "images/a.png", name) == image(folder, "a")


def test_a_whole_path_is_taken_if_it_leads_into_the_folder(folder: Path) -> None:
    inside = str(folder / "images" / "a.png")

    assert read_picture("image", inside, folder) == image(folder, "a")


@pytest.mark.parametrize("value", ["../private.png", "images/../../private.png", "/{}/private.png"])
def test_a_path_that_leads_out_of_the_folder_is_refused(folder: Path, value: str) -> None:
    path = value.format(str(folder.parent).strip("/"))

    assert read_image(folder.parent / "private.png")
    assert refusal(folder, path) == f"the path leads out of {folder}; put the picture there"


def test_a_folder_beside_it_with_a_longer_name_is_not_within(folder: Path) -> None:
    folder.with_name("set2").mkdir()

    assert refusal(folder, "../set2/a.png").startswith("the path leads out of ")


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    """Caches of downloads keep files elsewhere and link to them."""
    (folder / "link.png").symlink_to(folder.parent / "private.png")

    assert read_picture("image", "link.png", folder).width == 8


@pytest.mark.parametrize("value", ["https://example.org/a.png", "HTTP://example.org/a.png?x=1"])
def test_an_address_is_kept_and_not_fetched(folder: Path, value: str) -> None:
    assert read_picture("image", value, folder) == refer_to_image(value)


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (None, "expected text"),
        ({"bytes": "iVBORw0KGgo=", "path": None}, "expected text"),
        (["images/a.png"], "expected text"),
        ("data:image/png;base64,iVBO", "write the picture to a file, and the file's path here"),
        ("https:images/a.png", "no address of the web; expected https://..."),
        ("images/d.png", "no such file ({}/images/d.png)"),
        ("file:///images/a.png", "no such file ({}/file:/images/a.png)"),
        ("images", "a folder or device, no file ({}/images)"),
        (".", "a folder or device, no file ({})"),
        ("a\0.png", "no such file ({}/a\0.png)"),
    ],
    ids=str,
)
def test_what_names_no_picture_is_refused_with_the_place(
    folder: Path, value: object, remedy: str
) -> None:
    assert refusal(folder, value) == remedy.format(folder)


@given(st.text(max_size=20) | st.sampled_from(["..", "/", "~", "https://", "C:\\a.png", "\0"]))
def test_any_text_is_a_picture_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    empty = tmp_path_factory.getbasetemp() / "empty"
    empty.mkdir(exist_ok=True)
    try:
        found = read_picture("image", value, empty)
    except FieldError as error:
        assert error.remedy
    else:
        assert found.url == value.strip()


# Marks


@pytest.mark.parametrize("text", ["", "Which?", "<image>", "<image 1>", "<image 3> or <image 1>"])
def test_a_text_may_speak_of_the_pictures_that_are_there_or_of_none(text: str) -> None:
    check_marks("stem", text, {1: A, 3: B})


@pytest.mark.parametrize("number", [0, 2, 4, 999])
def test_a_mark_without_its_picture_is_refused(number: int) -> None:
    with pytest.raises(FieldError) as caught:
        check_marks("stem", f"<image 1> and <image {number}>", {1: A, 3: B})

    assert (caught.value.field, caught.value.remedy) == (
        "stem",
        f"the row has no picture <image {number}>; columns.images names its column",
    )


def test_without_gaps_all_stays_as_it_is() -> None:
    stem, choices = "<image 2>", ("<image 1>", "none")

    assert close_gaps(stem, choices, {2: B, 1: A}) == (stem, choices, (A, B))


def test_pictures_and_marks_behind_a_gap_move_up_together() -> None:
    found = close_gaps("<image 5>", ("<image 2>", "<image 3>"), {5: C, 2: A, 3: B})

    assert found == ("<image 3>", ("<image 1>", "<image 2>"), (A, B, C))


@given(st.dictionaries(st.integers(1, 30), st.sampled_from([A, B, C])))
def test_every_mark_names_the_picture_that_it_named(pictures: dict[int, Image]) -> None:
    stem = " ".join(write_mark(number) for number in pictures)
    renumbered, _, images = close_gaps(stem, (), pictures)

    assert [images[n - 1] for n in find_marks(renumbered)] == list(pictures.values())
    assert len(images) == len(pictures)
