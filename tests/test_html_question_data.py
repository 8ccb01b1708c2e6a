"""The questions within a page: all that is known of them, as far as there is room."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.images import Image, read_image
from evalkit.questions import Order, Question
from evalkit.reports.html.packing import unpack
from evalkit.reports.html.pictures import MOST_BYTES, Pictures
from evalkit.reports.html.question_data import QUESTIONS_AT_ONCE, list_parts
from evalkit.reports.html.texts import MOST_CHARACTERS, shorten
from evalkit.reports.report import Report, build_report
from evalkit.responses import RequestFailure, Usage
from tests.pictures import noise, paint
from tests.written_runs import Result, respond, write_run

ELEMENT = re.compile(
    rb'<script type="text/plain" data-part="([a-z]+)">([A-Za-z0-9+/=]*)</script>\n'
)

PLENTY = 10_000_000


def read_parts(report: Report, room: int = PLENTY) -> dict[str, list[Any]]:
    """The values in all parts, by their kind."""
    found: dict[str, list[Any]] = {"questions": [], "replies": [], "picture": [], "frame": []}
    for element in list_parts(report, room=room):
        match = ELEMENT.fullmatch(element)
        assert match is not None
        found[match[1].decode()].append(unpack(match[2]))
    return found


def questions_of(count: int) -> list[Question]:
    """Some questions."""
    return [
        Question(id=f"q{number}", stem=f"{number}?", choices=("a", "b"), right=(0,), group="g")
        for number in range(count)
    ]


def test_a_question_has_its_texts_and_what_came_of_it(tmp_path: Path) -> None:
    question = Question(
        id="q\x00", stem="What\u202e?", choices=("a\ud800", "b"), right=(1,), group="g", cluster="c"
    )
    paths = [
        write_run(
            tmp_path,
            [question],
            lambda *_: respond(
                "A", usage=Usage(input_tokens=7, output_tokens=1, thinking_tokens=0)
            ),
            model="a",
        ),
        write_run(
            tmp_path,
            [question],
            lambda *_: RequestFailure(kind="server", message="no", status=500, request_id="req_2"),
            model="b",
        ),
    ]
    found = read_parts(build_report(paths))
    [[shown]] = found["questions"]
    expected = [0, 0, "q\ufffd", "g", "What\ufffd?", None, ["a\ufffd", "b"], [1], [[5], [1]]]
    assert shown == expected
    [[[sent, rows, cluster]]] = found["replies"]
    assert (len(sent), cluster) == (2, "c")
    [[first], [second]] = rows
    assert first[:10] == [None, 0, False, 1, 0.25, 1.79e9, None, "A", None, None]
    assert first[10:] == [
        "end_turn", "served-1", "req_1", "msg_1", None, None, 7, 1, None, None, 0
    ]  # fmt: skip
    assert second[7:] == ["no", None, ["server", 500, "req_2"]]
    [frame] = found["frame"]
    assert [run["name"] for run in frame["runs"]] == ["a", "b"]
    assert frame["shown"] == [[0, 0], [1, 1], [0, 0]]


def test_what_is_left_out_is_what_all_have_right(tmp_path: Path) -> None:
    count = 3 * QUESTIONS_AT_ONCE
    questions = questions_of(count)
    skills = {"a": QUESTIONS_AT_ONCE, "b": 2 * QUESTIONS_AT_ONCE}

    def answer_as(most: int) -> Callable[[Question, Order | None, int], Result]:
        return lambda question, *_: respond("A" if int(question.id[1:]) < most else "B")

    paths = [
        write_run(tmp_path, questions, answer_as(most), model=model)
        for model, most in skills.items()
    ]
    report = build_report(paths)
    elements = list(list_parts(report, room=PLENTY))
    # Its frame may grow: of that, the room is kept free.
    found = read_parts(report, sum(map(len, elements)) - 1)
    shown = [each for part in found["questions"] for each in part]
    places = {each[1] for each in shown}
    assert places == set(range(QUESTIONS_AT_ONCE, count))
    one = QUESTIONS_AT_ONCE
    assert found["frame"][0]["shown"] == [[one, one], [one, one], [0, one]]
    assert read_parts(report, 0)["frame"][0]["shown"] == [[0, one], [0, one], [0, one]]


def test_the_same_report_has_the_same_parts(tmp_path: Path) -> None:
    path = write_run(tmp_path, questions_of(100), lambda *_: respond("A"))
    first, second = (list(list_parts(build_report([path]), room=PLENTY)) for _ in range(2))
    assert first == second


def test_what_is_sent_with_every_question_is_told_once(tmp_path: Path) -> None:
    questions = [
        Question(id=f"q{n}", stem=f"{n}?", choices=("a", "b"), right=(0,), group="ab"[n % 2])
        for n in range(20)
    ]
    examples = [
        Question(id=f"e{n}", stem=f"e{n}?", choices=("a", "b"), right=(0,), group="ab"[n % 2])
        for n in range(4)
    ]
    paths = [
        write_run(
            tmp_path, questions, lambda *_: respond("A"), model=model, examples=examples, shots=2,
            parameters={"model": model},
        )
        for model in ("a", "b")
    ]  # fmt: skip
    found = read_parts(build_report(paths))
    [frame] = found["frame"]
    # Two subjects, two models.
    assert len(frame["requests"]) == 4
    sent = {tuple(each[0]) for part in found["replies"] for each in part}
    assert len(sent) == 2
    request = frame["requests"][0]
    assert [turn["role"] for turn in request["earlier"]] == ["user", "assistant"] * 2
    assert request["last"][0]["blocks"] == [{"type": "question"}]


def test_a_folder_without_its_worked_examples_does_not_say_what_was_sent(tmp_path: Path) -> None:
    examples = questions_of(4)[2:]
    path = write_run(tmp_path, questions_of(2), lambda *_: respond("A"), examples=examples, shots=2)
    whole = read_parts(build_report([path]))
    assert whole["replies"][0][0][0] == [0]
    (path / "examples.jsonl.gz").write_bytes(b"damaged")
    assert read_parts(build_report([path]))["replies"][0][0][0] == [None]
    (path / "examples.jsonl.gz").unlink()
    assert read_parts(build_report([path]))["replies"][0][0][0] == [None]


def test_a_run_with_too_few_worked_examples_does_not_say_what_was_sent(tmp_path: Path) -> None:
    path = write_run(
        tmp_path, questions_of(1), lambda *_: respond("A"), examples=questions_of(2), shots=2
    )
    assert read_parts(build_report([path]))["replies"][0][0][0] == [None]


def test_a_question_that_is_an_example_is_shown_others(tmp_path: Path) -> None:
    questions = questions_of(3)
    path = write_run(tmp_path, questions, lambda *_: respond("A"), examples=questions, shots=1)
    found = read_parts(build_report([path]))
    sent = {each[0][0] for part in found["replies"] for each in part}
    texts = [each["earlier"][0]["blocks"][0] for each in found["frame"][0]["requests"]]
    assert len(sent) == len(texts) == 2
    assert len(set(texts)) == 2


def test_long_texts_are_cut_and_say_how_long_they_are() -> None:
    assert shorten("x" * MOST_CHARACTERS) == ("x" * MOST_CHARACTERS, None)
    assert shorten("x" * (MOST_CHARACTERS + 1)) == ("x" * MOST_CHARACTERS, MOST_CHARACTERS + 1)


def pictures_of(tmp_path: Path, room: int, *images: Image) -> tuple[list[Any], Pictures]:
    """What is written of some pictures."""
    pictures = Pictures(room)
    elements = [each for image in images for each in pictures.add(image)]
    found = []
    for element in elements:
        match = ELEMENT.fullmatch(element)
        assert match is not None
        found.append(unpack(match[2]))
    return found, pictures


def test_a_picture_is_written_once_and_small(tmp_path: Path) -> None:
    noise(tmp_path / "large.png", (1500, 1200))
    large = read_image(tmp_path / "large.png")
    [only], pictures = pictures_of(tmp_path, PLENTY, large, large)
    assert only["type"] == "image/png"
    assert len(only["data"]) < MOST_BYTES * 4 / 3 + 4
    assert PLENTY - pictures.room < MOST_BYTES * 2


def test_a_picture_at_an_address_is_not_loaded(tmp_path: Path) -> None:
    image = Image(digest="0" * 64, url="https://example.org/a.png")
    [only], _ = pictures_of(tmp_path, PLENTY, image)
    assert only["missing"] == "not loaded from https://example.org/a.png"


def test_a_question_that_a_run_was_not_asked_has_no_replies_of_it(tmp_path: Path) -> None:
    first, second = questions_of(2)
    paths = [
        write_run(tmp_path, questions, lambda *_: respond("A"), model=model)
        for questions, model in (([first, second], "a"), ([second], "b"))
    ]
    found = read_parts(build_report(paths))
    replies = {
        question[2]: reply
        for questions, answers in zip(found["questions"], found["replies"], strict=True)
        for question, reply in zip(questions, answers, strict=True)
    }
    assert [rows is None for rows in replies["q0"][1]] == [False, True]
    assert replies["q0"][0][1] is None
    assert [rows is None for rows in replies["q1"][1]] == [False, False]


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_a_picture_that_is_not_there_any_more_is_named(change: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    paint(path)
    image = read_image(path)
    if change == "gone":
        path.unlink()
    else:
        paint(path, seed=1)
    [only], _ = pictures_of(tmp_path, PLENTY, image)
    assert only["missing"] == "cat.png, which is gone or has changed since the run"


def test_pictures_without_room_are_counted(tmp_path: Path) -> None:
    paint(tmp_path / "cat.png")
    [only], pictures = pictures_of(tmp_path, MOST_BYTES - 1, read_image(tmp_path / "cat.png"))
    assert only["missing"] == "cat.png, left out because this file would be too large"
    assert pictures.left_out == 1
