"""Runs over questions with pictures: the right ones arrive, however they travel."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import load_benchmark
from evalkit.errors import ImageError
from evalkit.evaluation import run
from evalkit.requests import Way
from evalkit.results import Run, load_run
from evalkit.settings import ImageSource, RunSettings
from evalkit.testing.messages_faults import Fault, first_attempts, overloaded, slow
from evalkit.testing.messages_record import FILES_PATH, RequestRecord
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import call, point_at
from tests.conftest import QUICK, endpoint_of
from tests.pictures import Eyes, noise, outline, paint, write_pictures, write_rows
from tests.test_real_data import DATA, MMMU_PRO, PUZZLES, PUZZLEVQA, load, read_lines

HAIKU, OPUS = "claude-haiku-4-5", "claude-opus-4-8"
URL = "https://example.org/{}.png"
Rows = list[dict[str, Any]]
Words = list[str | Path]


def ask(
    server: MessagesServer, path: Path, results: Path, model: str = HAIKU, **settings: Any
) -> Run:
    """Run a file of questions, quickly."""
    return run(
        path,
        model,
        settings=RunSettings(**{"way": "instructed", "retries": QUICK, **settings}),
        endpoint=endpoint_of(server),
        results=results,
        progress=False,
    )


def request_ids(done: Run) -> set[str]:
    """The ids of what was asked."""
    return {row.request_id for row in done.rows}


def bodies(server: MessagesServer) -> list[Any]:
    """What messages were asked for, in order."""
    return [record.body for record in server.requests if record.is_message]


def sources(server: MessagesServer) -> set[str]:
    """How pictures travelled."""
    return {
        block["source"]["type"]
        for body in bodies(server)
        for turn in body["messages"]
        if not isinstance(turn["content"], str)
        for block in turn["content"]
        if block["type"] == "image"
    }


def uploads(server: MessagesServer) -> list[RequestRecord]:
    """The files that arrived."""
    return [r for r in server.requests if (r.method, r.path) == ("POST", FILES_PATH)]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def eyes() -> Eyes:
    """What the model saw."""
    return Eyes()


@pytest.fixture
def server(eyes: Eyes) -> Iterator[MessagesServer]:
    """A strict server that writes down what it is shown."""
    with MessagesServer(answer=eyes) as running:
        yield running


# The three sources


def test_a_question_gets_its_picture_by_every_source(
    server: MessagesServer, eyes: Eyes, tmp_path: Path
) -> None:
    path = write_pictures(tmp_path / "set")
    for source in ("base64", "file"):
        eyes.shown.clear()
        done = ask(server, path, tmp_path / source, images=source)
        assert done.is_complete
        for number in range(4):
            expected = (digest(tmp_path / "set" / f"{number}.png"),)
            assert eyes.by_text(f"What does picture {number} show?") == expected
    assert sources(server) == {"base64", "file"}
    rows: Rows = [{"id": "u", "question": "What is it?", "image": URL.format("ant")}]
    eyes.shown.clear()
    assert ask(server, write_rows(tmp_path / "urls.jsonl", rows), tmp_path / "r").is_complete
    assert eyes.by_text("What is it?") == (URL.format("ant"),)
    assert "url" in sources(server)


def test_requests_and_runs_have_the_same_ids_whatever_the_source(
    server: MessagesServer, tmp_path: Path
) -> None:
    path = write_pictures(tmp_path / "set")
    first, second = (
        ask(server, path, tmp_path / source, images=source) for source in ("base64", "file")
    )
    assert request_ids(first) == request_ids(second)
    assert first.path.name == second.path.name
    asked = len(bodies(server))
    again = ask(server, path, tmp_path / "base64", images="file")
    assert (len(bodies(server)), again.to_dict()) == (asked, first.to_dict())


def test_no_bytes_of_pictures_are_kept_in_the_run(server: MessagesServer, tmp_path: Path) -> None:
    done = ask(server, write_pictures(tmp_path / "set"), tmp_path / "r")
    sizes = [file.stat().st_size for file in done.path.iterdir()]
    assert max(sizes) < 5000
    shown = load_run(done.path).scores[0].question.images[0]
    assert shown.path == str(tmp_path / "set" / "0.png")


def test_pictures_that_are_gone_are_not_needed_to_read_a_run(
    server: MessagesServer, tmp_path: Path
) -> None:
    done = ask(server, write_pictures(tmp_path / "set"), tmp_path / "r")
    for picture in (tmp_path / "set").glob("*.png"):
        picture.unlink()
    assert load_run(done.path).to_dict() == done.to_dict()


# Order and labels


def test_the_picture_comes_before_the_text(server: MessagesServer, tmp_path: Path) -> None:
    ask(server, write_pictures(tmp_path / "set", 1), tmp_path / "r")
    kind, text = outline(bodies(server)[0])
    assert kind == "image"
    assert text.startswith("What does picture 0 show?\n")


def test_several_pictures_are_numbered(server: MessagesServer, eyes: Eyes, tmp_path: Path) -> None:
    digests = [paint(tmp_path / f"{number}.png", seed=number) for number in range(3)]
    rows: Rows = [
        {
            "question": "Does <image 2> show what <image 1> shows?",
            "images": ["2.png", URL.format("ant"), "0.png"],
        }
    ]
    ask(server, write_rows(tmp_path / "q.jsonl", rows), tmp_path / "r")
    *labels, text = outline(bodies(server)[0])
    assert labels == ["Image 1:", "image", "Image 2:", "image", "Image 3:", "image"]
    assert text.startswith("Does <image 2> show what <image 1> shows?\n")
    assert eyes.by_text("Does") == (digests[2], URL.format("ant"), digests[0])


def test_choices_may_be_pictures(server: MessagesServer, eyes: Eyes, tmp_path: Path) -> None:
    digests = [paint(tmp_path / f"{number}.png", seed=number) for number in range(3)]
    (tmp_path / "q.csv").write_text(
        "question,shown,one,two,right\nWhich is the same?,0.png,1.png,2.png,B\n"
    )
    (tmp_path / "mine.toml").write_text(
        'title = "Mine"\nversion = "1"\n[source]\nfiles = ["q.csv"]\n[columns]\n'
        'stem = "question"\nimages = "shown"\nchoice_images = ["one", "two"]\nanswer = "right"\n'
    )
    for source in ("base64", "file"):
        eyes.shown.clear()
        ask(server, tmp_path / "mine.toml", tmp_path / source, images=source)
        [shown] = eyes.shown
        assert shown.pictures == tuple(digests)
        assert "(A) <image 2>\n(B) <image 3>" in shown.text


# Every way of asking


@pytest.mark.parametrize("source", ["base64", "file"])
@pytest.mark.parametrize("shots", [0, 2])
@pytest.mark.parametrize("way", ["prefill", "instructed", "structured", "tool", "reasoned"])
def test_pictures_and_those_of_examples_are_shown_in_all_ways(
    way: Way, shots: int, source: ImageSource, server: MessagesServer, eyes: Eyes, tmp_path: Path
) -> None:
    digests = [paint(tmp_path / f"{number}.png", seed=number) for number in range(5)]
    rows: Rows = [
        {"id": f"p{n}", "question": f"Picture {n}?", "image": f"{n}.png", "example": n >= 3}
        for n in range(5)
    ]
    done = ask(
        server,
        write_rows(tmp_path / "q.jsonl", rows),
        tmp_path / "r",
        way=way,
        shots=shots,
        images=source,
    )
    assert done.is_complete
    for number in range(3):
        *examples, own = eyes.by_text(f"Picture {number}?")
        assert own == digests[number]
        assert sorted(examples) == sorted(digests[3:] if shots else [])
    if source == "file":
        assert len(uploads(server)) == (5 if shots else 3)
        assert server.files.stored == {}


# Uploads of one command


def test_one_command_uploads_a_picture_once_for_all_models_and_ways(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    tmp_path: Path,
) -> None:
    point_at(server, monkeypatch)
    server.latency_seconds = 0.01
    path = write_pictures(tmp_path / "set", 6)
    twin = tmp_path / "set" / "twin.png"
    twin.write_bytes((tmp_path / "set" / "0.png").read_bytes())
    other = write_rows(
        tmp_path / "set" / "other.jsonl",
        [{"id": "twin", "question": "Seen before?", "image": "twin.png"}],
    )
    command: Words = [
        "run",
        path,
        other,
        "--images",
        "file",
        "--results",
        tmp_path / "r",
        "--quiet",
    ]
    command += ["--model", HAIKU, "--model", OPUS, "--way", "instructed", "--way", "structured"]
    done = call(capsys, *command, "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["runs"]) == 8
    assert sources(server) == {"file"}
    assert sorted(record.body["sha256"] for record in uploads(server)) == sorted(
        digest(tmp_path / "set" / f"{number}.png") for number in range(6)
    )
    assert server.files.stored == {}
    last_message = max(record.number for record in server.requests if record.is_message)
    deleted = [record.number for record in server.requests if record.method == "DELETE"]
    assert len(deleted) == 6
    assert min(deleted) > last_message


def test_files_can_be_kept(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    tmp_path: Path,
) -> None:
    point_at(server, monkeypatch)
    command: Words = [
        "run",
        write_pictures(tmp_path / "set"),
        "--model",
        HAIKU,
        "--images",
        "file",
    ]
    done = call(capsys, *command, "--keep-files", "--results", tmp_path / "r", "--quiet")
    assert done.code == 0, done.err
    assert len(server.files.stored) == 4


def test_a_run_that_asks_nothing_uploads_nothing(server: MessagesServer, tmp_path: Path) -> None:
    path = write_pictures(tmp_path / "set")
    ask(server, path, tmp_path / "r", images="file")
    before = len(server.requests)
    ask(server, path, tmp_path / "r", images="file")
    assert len(server.requests) == before


def test_uploads_that_fail_for_a_while_are_tried_again(eyes: Eyes, tmp_path: Path) -> None:
    def busy(record: RequestRecord) -> Fault | None:
        is_upload = (record.method, record.path) == ("POST", FILES_PATH)
        return overloaded() if is_upload and record.attempt == 1 else None

    with MessagesServer(answer=eyes, faults=busy) as server:
        done = ask(server, write_pictures(tmp_path / "set"), tmp_path / "r", images="file")
        assert done.is_complete
        assert (server.files.uploads, server.files.stored) == (4, {})


def test_files_are_deleted_when_a_run_ends_by_an_error(eyes: Eyes, tmp_path: Path) -> None:
    def revoke(record: RequestRecord) -> Fault | None:
        fault = Fault(manner="error", status=401, message="invalid x-api-key")
        return fault if record.is_message and record.body_number > 3 else None

    with MessagesServer(answer=eyes, faults=revoke) as server:
        with pytest.raises(Exception, match="does not accept the key"):
            ask(server, write_pictures(tmp_path / "set", 9), tmp_path / "r", images="file")
        assert server.files.uploads > 0
        assert server.files.stored == {}


# Limits


def limits_folder(folder: Path) -> dict[str, Path]:
    """A file of questions for each limit that is passed."""
    paint(folder / "long.png", size=(8001, 3))
    paint(folder / "wide.png", size=(2001, 3))
    noise(folder / "heavy.png", (1640, 1600))
    paint(folder / "small.png")
    shown = {
        "long": "long.png",
        "many": ["small.png"] * 20 + ["wide.png"],
        "heavy": "heavy.png",
        "count": ["small.png"] * 101,
        "sum": ["heavy.png", *["small.png"] * 3],
    }
    return {
        name: write_rows(folder / f"{name}.jsonl", [{"question": "Seen?", "images": images}])
        for name, images in shown.items()
    }


@pytest.fixture(scope="module")
def limits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of questions for each limit that is passed."""
    return limits_folder(tmp_path_factory.mktemp("limits"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("long", "long.png: image 1 has 8001 x 3 pixels, more than 8000 a side: --resize"),
        ("many", "wide.png: image 21 has 2001 x 3 pixels, more than 2000 a side in a request of"),
        ("heavy", "heavy.png: image 1 has 1"),
        ("count", "101 images in one request; the model takes 100: show fewer"),
    ],
)
def test_what_the_endpoint_would_refuse_is_one_line_before_any_request(
    name: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    tmp_path: Path,
    limits: dict[str, Path],
) -> None:
    point_at(server, monkeypatch)
    command: Words = ["run", limits[name], "--model", HAIKU, "--way", "instructed"]
    done = call(capsys, *command, "--results", tmp_path / "r", "--quiet", "--temperature", "none")
    assert done.code == 2
    assert message in done.error
    assert (server.requests, list(tmp_path.iterdir())) == ([], [])
    if name != "count":
        assert "--resize sends a smaller copy" in done.error


@pytest.mark.parametrize("source", ["base64", "file"])
@pytest.mark.parametrize("name", ["long", "many", "heavy"])
def test_smaller_copies_are_accepted_by_the_strict_server(
    name: str, source: ImageSource, server: MessagesServer, tmp_path: Path, limits: dict[str, Path]
) -> None:
    done = ask(server, limits[name], tmp_path / "r", images=source, resize=True)
    assert done.is_complete, done.failures()
    assert done.manifest.identity.parameters["resize"] is True


def test_no_copy_helps_against_too_many(
    server: MessagesServer, tmp_path: Path, limits: dict[str, Path]
) -> None:
    with pytest.raises(ImageError, match="101 images in one request; the model takes 100"):
        ask(server, limits["count"], tmp_path / "r", resize=True)
    assert ask(server, limits["count"], tmp_path / "r", OPUS).is_complete


def test_examples_count_for_the_number_of_pictures(server: MessagesServer, tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    paint(tmp_path / "wide.png", size=(2001, 4))
    rows: Rows = [
        {"id": f"e{n}", "question": f"{n}?", "images": ["a.png"] * 10, "example": True}
        for n in range(2)
    ]
    rows.append({"id": "q", "question": "Seen?", "images": ["wide.png"]})
    path = write_rows(tmp_path / "q.jsonl", rows)
    assert ask(server, path, tmp_path / "r", shots=1).is_complete
    with pytest.raises(ImageError, match="in a request of 21 images"):
        ask(server, path, tmp_path / "r", shots=2)


def test_uploaded_pictures_do_not_count_for_the_size_of_the_request(
    server: MessagesServer, tmp_path: Path
) -> None:
    for number in range(4):
        noise(tmp_path / f"{number}.png", (1500 + number, 1600))
    rows: Rows = [{"question": "Seen?", "images": [f"{number}.png" for number in range(4)]}]
    path = write_rows(tmp_path / "q.jsonl", rows)
    with pytest.raises(ImageError, match="more than the 32505856 of one request: --resize sends"):
        ask(server, path, tmp_path / "r")
    assert bodies(server) == []
    assert ask(server, path, tmp_path / "r", images="file").is_complete
    assert ask(server, path, tmp_path / "r", resize=True).is_complete


def test_a_png_with_another_name_is_sent_as_what_it_is(
    server: MessagesServer, eyes: Eyes, tmp_path: Path
) -> None:
    found = paint(tmp_path / "photo.jpg", form="PNG")
    rows: Rows = [{"question": "Seen?", "image": "photo.jpg"}]
    path = write_rows(tmp_path / "q.jsonl", rows)
    assert ask(server, path, tmp_path / "r").is_complete
    assert ask(server, path, tmp_path / "f", images="file").is_complete
    assert [shown.pictures for shown in eyes.shown] == [(found,)] * 2
    assert [record.body["mime_type"] for record in uploads(server)] == ["image/png"]


# Pictures that change while a run is on


@pytest.mark.parametrize("source", ["base64", "file"])
def test_a_picture_that_is_gone_does_not_keep_the_others_from_a_batch(
    source: ImageSource, server: MessagesServer, tmp_path: Path
) -> None:
    path = write_pictures(tmp_path / "set", 30)
    benchmark = load_benchmark(path)
    gone = [tmp_path / "set" / f"{number}.png" for number in (0, 7)]
    for picture in gone:
        picture.unlink()
    done = run(
        benchmark,
        HAIKU,
        settings=RunSettings(
            way="instructed", batch=True, poll_seconds=0.01, images=source, retries=QUICK
        ),
        endpoint=endpoint_of(server),
        results=tmp_path / "r",
        progress=False,
    )
    assert {failure.message for failure in done.failures()} == {
        f"{picture}: no such file" for picture in gone
    }
    assert (done.summary.failed, done.summary.replied) == (2, 28)
    assert sum(row.batch_id is not None for row in done.rows) == 27
    assert server.files.stored == {}


@pytest.mark.parametrize("source", ["base64", "file"])
@pytest.mark.parametrize("change", ["changed", "gone"])
def test_a_picture_that_changes_costs_its_question_and_nothing_else(
    change: str, source: ImageSource, eyes: Eyes, tmp_path: Path
) -> None:
    """The others are under way at that time, and are not broken off."""
    path = write_pictures(tmp_path / "set", 12)
    benchmark = load_benchmark(path)
    spoilt = tmp_path / "set" / "7.png"
    whole = spoilt.read_bytes()
    spoilt.unlink()
    if change == "changed":
        paint(spoilt, seed=99)
    with MessagesServer(answer=eyes, latency_seconds=0.1) as server:
        settings = RunSettings(way="instructed", images=source, retries=QUICK)

        def again() -> Run:
            return run(
                benchmark,
                HAIKU,
                settings=settings,
                endpoint=endpoint_of(server),
                results=tmp_path / "r",
                progress=False,
            )

        done = again()
        assert len(bodies(server)) == server.count(200) - 2 * len(uploads(server)) == 11
        assert (done.summary.failed, done.summary.replied) == (1, 11)
        [failure] = done.failures()
        assert failure.kind == "image"
        assert str(spoilt) in failure.message
        assert ("has changed" if change == "changed" else "no such file") in failure.message
        spoilt.write_bytes(whole)
        assert again().is_complete
        assert len(bodies(server)) == 12


def test_a_command_says_which_picture_has_changed(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: MessagesServer,
    tmp_path: Path,
) -> None:
    point_at(server, monkeypatch)
    path = write_pictures(tmp_path / "set", 3)
    picture = tmp_path / "set" / "2.png"
    monkeypatch.setattr("evalkit.cli.questions.note_faults", lambda *_: picture.unlink())
    command: Words = ["run", path, "--model", HAIKU, "--results", tmp_path / "r"]
    done = call(capsys, *command)
    assert done.code == 4
    assert "Traceback" not in done.err
    assert f"1 failed: {picture}: no such file" in done.err


def test_when_all_pictures_are_gone_nothing_is_asked(
    server: MessagesServer, tmp_path: Path
) -> None:
    path = write_pictures(tmp_path / "set", 40)
    benchmark = load_benchmark(path)
    for picture in (tmp_path / "set").glob("*.png"):
        picture.unlink()
    done = run(
        benchmark,
        HAIKU,
        settings=RunSettings(way="instructed", temperature=None),
        endpoint=endpoint_of(server),
        results=tmp_path / "r",
        progress=False,
    )
    assert (done.summary.failed, server.requests) == (40, [])


def test_requests_that_are_tried_again_show_the_same(eyes: Eyes, tmp_path: Path) -> None:
    with MessagesServer(answer=eyes, faults=first_attempts(overloaded())) as server:
        done = ask(server, write_pictures(tmp_path / "set"), tmp_path / "r", images="file")
        assert done.is_complete
        assert server.files.uploads == 4
    for number in range(4):
        expected = (digest(tmp_path / "set" / f"{number}.png"),)
        assert eyes.by_text(f"picture {number} ") == expected


def test_slow_uploads_are_waited_for_by_all_who_need_them(eyes: Eyes, tmp_path: Path) -> None:
    rows: Rows = [{"id": f"{n}", "question": f"Part {n}?", "image": "0.png"} for n in range(20)]
    paint(tmp_path / "0.png")

    def late(record: RequestRecord) -> Fault | None:
        return slow(0.3) if record.path == FILES_PATH else None

    with MessagesServer(answer=eyes, faults=late) as server:
        path = write_rows(tmp_path / "q.jsonl", rows)
        assert ask(server, path, tmp_path / "r", images="file", concurrency=16).is_complete
        assert server.files.uploads == 1


# Published sets

needs_data = pytest.mark.skipif(
    not DATA.is_dir(), reason="the published sets are not beside the repository (shared/data)"
)


@needs_data
@pytest.mark.parametrize("source", ["base64", "file"])
def test_the_slice_of_puzzlevqa_is_asked_with_the_right_pictures(
    source: ImageSource, server: MessagesServer, eyes: Eyes, tmp_path: Path
) -> None:
    done = run(
        load("puzzlevqa"),
        HAIKU,
        settings=RunSettings(way="prefill", images=source, retries=QUICK),
        endpoint=endpoint_of(server),
        results=tmp_path,
        progress=False,
    )
    assert done.is_complete
    assert done.summary.questions == 100
    rows: Rows = [r for puzzle in PUZZLES for r in read_lines(f"{PUZZLEVQA}/{puzzle}.json")]
    expected = sorted(
        (digest(DATA / PUZZLEVQA / row["image"]), row["question"].strip()) for row in rows
    )
    shown = [each for each in eyes.shown if each.pictures]
    assert sorted((each.pictures[0], each.text.partition("\n")[0]) for each in shown) == expected
    assert {len(each.pictures) for each in shown} == {1}


@needs_data
@pytest.mark.parametrize("source", ["base64", "file"])
@pytest.mark.parametrize("way", ["prefill", "instructed", "structured", "tool", "reasoned"])
def test_the_sample_of_mmmu_pro_is_asked_with_the_right_pictures(
    way: Way, source: ImageSource, server: MessagesServer, eyes: Eyes, tmp_path: Path
) -> None:
    done = run(
        load("mmmu-pro"),
        HAIKU,
        settings=RunSettings(way=way, images=source, retries=QUICK),
        endpoint=endpoint_of(server),
        results=tmp_path,
        progress=False,
    )
    assert done.is_complete, done.failures()
    shown = [each for each in eyes.shown if each.pictures]
    assert len(shown) == 7
    for row in read_lines(f"{MMMU_PRO}/data.jsonl"):
        names = [row[f"image_{n}"] for n in range(1, 8) if f"image_{n}" in row]
        expected = tuple(digest(DATA / MMMU_PRO / "static" / name) for name in names)
        [found] = [each for each in shown if each.pictures == expected]
        assert "<image 1>" in found.text
        labels = [f"Image {number}:" for number in range(1, len(names) + 1)]
        assert [line for line in found.text.splitlines() if line in labels] == (
            labels if len(names) > 1 else []
        )
        if len(names) > 1:
            assert "(A) <image 4>\n(B) <image 2>\n(C) <image 5>\n(D) <image 3>" in found.text


# Shown before it is sent


@pytest.mark.parametrize("way", ["prefill", "instructed", "structured", "tool", "reasoned"])
def test_show_prints_where_pictures_lie(
    way: Way, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for number in range(3):
        paint(tmp_path / f"{number}.png", seed=number, size=(1200, 80))
    rows: Rows = [
        {"id": "e", "question": "An example?", "images": ["0.png"], "example": True},
        {"id": "q", "question": "Which?", "images": ["1.png", URL.format("ant"), "2.png"]},
    ]
    path = write_rows(tmp_path / "q.jsonl", rows)
    command: Words = ["show", path, "--way", way, "--model", HAIKU, "--shots", "1"]
    done = call(capsys, *command)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    size = (tmp_path / "1.png").stat().st_size
    start = lines.index("Image 1:")
    assert lines[start : start + 6] == [
        "Image 1:",
        f"[{tmp_path}/1.png, 1200 x 80 pixels, {size:,} bytes]",
        "Image 2:",
        f"[{URL.format('ant')}]",
        "Image 3:",
        f"[{tmp_path}/2.png, 1200 x 80 pixels, {(tmp_path / '2.png').stat().st_size:,} bytes]",
    ]
    assert any(line.startswith(f"[{tmp_path}/0.png, ") for line in lines)
    assert lines[start + 6].startswith("Which?")
    assert "digest" not in done.out
    assert "sha256" not in done.out


def test_show_prints_the_body_with_places_for_bytes(
    capsys: pytest.CaptureFixture[str], server: MessagesServer, tmp_path: Path
) -> None:
    paint(tmp_path / "1.png", seed=1)
    rows: Rows = [{"id": "q", "question": "Which?", "images": ["1.png", URL.format("ant")]}]
    path = write_rows(tmp_path / "q.jsonl", rows)
    ask(server, path, tmp_path / "r", temperature="default")
    sent = bodies(server)[-1]
    command: Words = ["show", path, "--way", "instructed", "--model", HAIKU, "--json"]
    [body] = json.loads(call(capsys, *command).out)
    pictures = [block for block in body["messages"][0]["content"] if block["type"] == "image"]
    size = (tmp_path / "1.png").stat().st_size
    assert [picture["source"] for picture in pictures] == [
        {
            "type": "base64",
            "media_type": "image/png",
            "data": f"<{tmp_path}/1.png, 12 x 8 pixels, {size:,} bytes>",
        },
        {"type": "url", "url": URL.format("ant")},
    ]
    for block in sent["messages"][0]["content"]:
        if block["type"] == "image" and block["source"]["type"] == "base64":
            block["source"]["data"] = pictures[0]["source"]["data"]
    assert body == sent
