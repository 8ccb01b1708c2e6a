"""Logs that are damaged, foreign or hostile: one line that says where and what, nothing written."""

from __future__ import annotations

import io
import json
import random
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import EvalkitError, LogError, MissingExtraError, RunError
from evalkit.importers.files import LARGEST_MEMBER
from evalkit.importers.folders import import_log, opened_runs
from evalkit.importers.logged import LogColumns, LogOptions
from tests.logs.scrub import pack_zstd, read_members
from tests.test_importers import (
    GENERATED,
    HELM,
    INSPECT,
    PICKED,
    PROMPTFOO,
    PROMPTFOO_LINES,
    SEVERAL,
    rows_of,
    write_lines,
)

SOURCES = [
    INSPECT / "plain.eval",
    INSPECT / "shuffled.eval",
    INSPECT / "epochs.json",
    GENERATED,
    PICKED,
    PROMPTFOO,
    PROMPTFOO_LINES,
    *SEVERAL,
    HELM / "scenario_state.json",
    HELM / "per_instance_stats.json",
]

VALUES: tuple[Any, ...] = (
    None,
    7,
    -1,
    1e300,
    10**400,
    "",
    "\ud800",
    [],
    {},
    True,
    ["x"],
    {"a": 1},
    "A" * 999,
)


def try_import(path: Path, results: Path) -> str | None:
    """The error of an import that may fail only by one of ours, and then leaves nothing."""
    try:
        import_log(path, results=results, options=LogOptions())
    except EvalkitError as error:
        text = str(error)
        assert "\n" not in text, text
        assert path.name in text or path.parent.name in text, text
        assert not list(results.glob("*")), "something was written"
        return text
    shutil.rmtree(results)
    return None


def damage(data: bytes, draw: random.Random) -> bytes:
    """Some bytes cut off, flipped, or repeated."""
    at = draw.randrange(len(data))
    match draw.randrange(3):
        case 0:
            return data[:at]
        case 1:
            flipped = bytearray(data)
            for place in draw.choices(range(len(data)), k=draw.randint(1, 8)):
                flipped[place] ^= 1 << draw.randrange(8)
            return bytes(flipped)
        case _:
            return data[:at] + data[draw.randrange(len(data)) :]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name[:30])
def test_damaged_bytes_are_an_error_of_ours_or_none(source: Path, tmp_path: Path) -> None:
    draw = random.Random(source.name)
    data = source.read_bytes()
    for _ in range(60):
        path = tmp_path / source.name
        path.write_bytes(damage(data, draw))
        try_import(path, tmp_path / "results")


def places_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in JSON, the first of each list's items for all of them."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from places_of(item, (*path, key))
    elif isinstance(value, list) and value:
        yield (*path, 0)
        yield from places_of(value[0], (*path, 0))


def change(value: Any, path: tuple[Any, ...], new: Any) -> None:
    """Put something else in a place; the name of a key goes if it is "renamed"."""
    *above, last = path
    for key in above:
        value = value[key]
    if new == "renamed" and isinstance(value, dict):
        value["was " + last] = value.pop(last)
    else:
        value[last] = new


def as_json(source: Path) -> list[Any]:
    """A log as JSON: a file of lines as many."""
    text = source.read_text(encoding="utf-8")
    if source.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()[:2]]
    return [json.loads(text)]


@pytest.mark.parametrize(
    "source", [path for path in SOURCES if path.suffix != ".eval"], ids=lambda path: path.name[:30]
)
def test_every_field_may_hold_anything(source: Path, tmp_path: Path) -> None:
    draw = random.Random(source.name)
    places = list(places_of(as_json(source)))
    for place in draw.sample(places, min(70, len(places))):
        for new in ("renamed", *draw.sample(VALUES, 2)):
            values = as_json(source)
            change(values, place, new)
            path = tmp_path / source.name
            path.write_text("\n".join(map(json.dumps, values)), encoding="utf-8")
            try_import(path, tmp_path / "results")


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (INSPECT / "epochs.json", (0, "samples", 0, "scores", "choice", "value")),
        (PICKED, (0, "resps", 0, 0, 0)),
        (PICKED, (0, "acc")),
        (HELM / "per_instance_stats.json", (0, 0, "stats", 0, "mean")),
    ],
    ids=lambda value: getattr(value, "name", "")[:30],
)
def test_a_number_beyond_all_bounds_is_an_error_of_ours_or_none(
    source: Path, place: tuple[Any, ...], tmp_path: Path
) -> None:
    values = as_json(source)
    change(values, place, 10**400)
    path = tmp_path / source.name
    path.write_text("\n".join(map(json.dumps, values)), encoding="utf-8")
    try_import(path, tmp_path / "results")


def test_every_field_of_an_archive_s_members_may_hold_anything(tmp_path: Path) -> None:
    draw = random.Random(1)
    members = read_members(INSPECT / "plain.eval")
    names = [
        name for name in members if name in ("header.json", "samples/everyday-001_epoch_1.json")
    ]
    for name in names:
        places = list(places_of([json.loads(members[name])]))
        for place in draw.sample(places, min(40, len(places))):
            values = [json.loads(members[name])]
            change(values, place, draw.choice(VALUES))
            path = tmp_path / "x.eval"
            path.write_bytes(pack_zstd({**members, name: json.dumps(values[0]).encode()}))
            try_import(path, tmp_path / "results")


def zip_of(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.json", data)
    return file.getvalue()


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "empty": ("x.eval", b"", "is empty: expected a log of Inspect"),
    "no archive": ("x.eval", b"PK\x03\x04 and no more", "can't be unpacked"),
    "another archive": ("x.eval", zip_of(a=b"{}"), "an archive without header.json"),
    "no json": ("x.eval", zip_of(header=b"<html>"), ":header.json: '<html>' is not JSON"),
    "no object": ("x.eval", zip_of(header=b"[1]"), ":header.json: [1]: expected an object"),
    "no eval": ("x.eval", zip_of(header=b"{}"), ":header.json: eval = missing: expected an object"),
    "no samples": (
        "x.eval",
        zip_of(header=b'{"eval": {"model": "m/x", "task": "t"}}'),
        "holds no sample; was it written with --no-log-samples",
    ),
    "cut line": ("x.jsonl", b'{"doc_id": 0, "doc": {\n', ':1: \'{"doc_id": 0, "doc": {'),
    "a list in lines": ("x.jsonl", b"[1]\n", ":[0]: 1: expected an object"),
    "lines of no objects": ("x.jsonl", b"7\n", ":1: 7: expected an object with named fields"),
    "no columns": ("x.jsonl", b'{"a": 1}\n', "no column of predictions or scores among 'a'"),
    "json of nobody": ("x.json", b'{"hello": 1}', "of no known format (it holds hello)"),
    "no json at all": ("x.json", b"\xff\xfe", "is not JSON"),
    "a number": ("x.json", b"5", "of no known format (it holds int)"),
    "another ending": ("x.log", b"hello", "of no known format"),
    "ragged table": ("x.csv", b"id,pred,answer\n1,A\n", ":2: row = "),
    "same row twice": (
        "x.csv",
        b"id,pred,answer\n1,A,B\n1,A,B\n",
        ":3: id = '1': has a row already; name the column that numbers several replies",
    ),
    "same sample twice": (
        "x.csv",
        b"id,sample,pred,answer\n1,1,A,B\n2,1,A,B\n1,1,B,B\n",
        ":4: sample = '1': the question has a row of this number already",
    ),
    "a sample without a number": (
        "x.csv",
        b"id,sample,pred,answer\n" + b"1,0,A,B\n" * 200 + b"1,x,A,B\n",
        ":202: sample = 'x': expected the number of a reply among those to its question",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_log_is_one_line_with_place_and_remedy(case: str, tmp_path: Path) -> None:
    name, data, reason = BROKEN[case]
    path = tmp_path / name
    path.write_bytes(data)
    text = try_import(path, tmp_path / "results")
    assert text is not None
    assert text.startswith(str(path))
    assert reason in text


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (
            LogColumns(answer="key"),
            "no column 'key'; there are id, question, choices, answer, pred",
        ),
        (LogColumns(score="points"), "no column 'points'"),
    ],
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(
    columns: LogColumns, reason: str, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "x.jsonl", rows_of(*[{"pred": "B"}] * 3))
    with pytest.raises(LogError) as caught:
        import_log(path, results=tmp_path / "results", options=LogOptions(columns=columns))
    assert reason in str(caught.value)


UNUSABLE: dict[str, tuple[list[dict[str, Any]], dict[str, Any], str]] = {
    "answers that may be read in two ways": (
        rows_of(*[{"pred": "1", "answer": "1"}] * 3),
        {},
        "answer = '1' could be read as index0 or as index1; name --answer-is",
    ),
    "no right answers": (
        [{"question": "Up?", "choices": ["a", "b"], "pred": "A"}],
        {},
        "no column of right answers among 'question', 'choices', 'pred'; name it by --answer",
    ),
    "neither id nor text": ([{"pred": "A", "answer": "B"}], {}, "no column tells the question"),
    "half right": (
        [{"id": 1, "score": 0.5}],
        {"score": "score"},
        ":1: score = 0.5: score 0.5: expected 0 or 1",
    ),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_table_that_can_t_be_used_says_why(case: str, tmp_path: Path) -> None:
    rows, columns, reason = UNUSABLE[case]
    path = write_lines(tmp_path / "x.jsonl", rows)
    with pytest.raises(LogError) as caught:
        import_log(
            path, results=tmp_path / "results", options=LogOptions(columns=LogColumns(**columns))
        )
    assert reason in str(caught.value)


def test_one_column_of_choices_may_be_named(tmp_path: Path) -> None:
    rows = [{"question": "Up?", "picks": ["a", "b"], "answer": "B", "pred": "B"}]
    path = write_lines(tmp_path / "x.jsonl", rows)
    options = LogOptions(columns=LogColumns(choices=("picks",)))
    [run] = import_log(path, results=tmp_path / "results", options=options)
    assert run.questions[0].choices == ("a", "b")


@pytest.mark.parametrize(
    ("source", "options", "reason"),
    [
        (GENERATED, {"filter": "x"}, "no filter 'x' (--filter); there are strict, letter"),
        (GENERATED, {"columns": LogColumns(score="x")}, "no such score; there are exact_match"),
        (HELM, {"columns": LogColumns(score="x")}, "no score 'x'; there are exact_match, quasi"),
        (
            INSPECT / "epochs.json",
            {"columns": LogColumns(score="choise")},
            "json: no score 'choise'; there are choice",
        ),
        (PROMPTFOO, {"columns": LogColumns(score="x")}, "passed its assertions: leave out --score"),
        (PROMPTFOO_LINES, {"columns": LogColumns(score="x")}, "leave out --score"),
        *(
            (source, {"filter": "x"}, "has no filters: leave out --filter")
            for source in (INSPECT / "plain.eval", INSPECT / "epochs.json", HELM, PROMPTFOO)
        ),
        (PROMPTFOO_LINES, {"filter": "x"}, "promptfoo has no filters: leave out --filter"),
    ],
)
def test_what_a_log_does_not_have_is_named_with_what_it_has(
    source: Path, options: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(LogError) as caught:
        import_log(source, results=tmp_path, options=LogOptions(**options))
    assert reason in str(caught.value)


def test_a_table_has_no_filters(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x.jsonl", [{"id": 1, "score": 1}])
    with pytest.raises(LogError, match="of format predictions has no filters: leave out --filter"):
        import_log(path, results=tmp_path, options=LogOptions(filter="x"))


def test_a_column_of_something_else_than_models_is_refused(tmp_path: Path) -> None:
    rows = [{"id": n, "model": f"m{n}", "score": 1} for n in range(1001)]
    path = write_lines(tmp_path / "x.jsonl", rows)
    with pytest.raises(LogError, match=r"more than 1000 runs; is 'm1000' a model"):
        import_log(path, results=tmp_path / "results")


def test_a_log_may_hold_more_runs_than_files_can_be_open(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    rows = [{"id": n, "model": f"m{n % 30}", "score": 1} for n in range(90)]
    path = write_lines(tmp_path / "x.jsonl", rows)
    with path.open("rb") as file:
        next_free = file.fileno()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (next_free + 20, hard))
    try:
        runs = import_log(path, results=tmp_path / "results")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [run.summary.asked for run in runs] == [3] * 30


@pytest.mark.parametrize("count", [3000, 120], ids=["while it is read", "at its end"])
def test_a_full_disk_is_not_the_fault_of_the_log(count: int, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    path = write_lines(tmp_path / "x.jsonl", [{"id": n, "score": 1} for n in range(count)])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(RunError) as caught:
            import_log(path, results=tmp_path / "results")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == (
        f"no room for temporary files in {tempfile.gettempdir()}: File too large; make room, or "
        "name another folder by TMPDIR"
    )
    assert not (tmp_path / "results").exists()


def test_a_temporary_folder_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with (
        pytest.raises(RunError, match=r"in .*gone: No such file .* by TMPDIR"),
        opened_runs([INSPECT / "plain.eval"]),
    ):
        raise AssertionError("was opened")


def test_a_row_names_the_value_that_can_t_be_right(tmp_path: Path) -> None:
    rows = rows_of(*[{"pred": "B"}] * 3)
    rows[2]["answer"] = "Q"
    path = write_lines(tmp_path / "x.jsonl", rows)
    assert try_import(path, tmp_path / "results") == (
        f"{path}:3: answer = 'Q': expected one of A, B"
    )


@pytest.mark.parametrize("claimed", [None, 100])
def test_an_archive_can_t_fill_the_memory(claimed: int | None, tmp_path: Path) -> None:
    members = read_members(INSPECT / "plain.eval")
    bomb = {**members, "samples/x_epoch_1.json": bytes(LARGEST_MEMBER + 1)}
    path = tmp_path / "bomb.eval"
    path.write_bytes(pack_zstd(bomb, claimed_size=claimed))
    assert path.stat().st_size < 100_000
    text = try_import(path, tmp_path / "results")
    assert text is not None
    if claimed is None:
        assert f"more than {LARGEST_MEMBER:,} bytes when it is unpacked" in text


def test_a_deflated_bomb_is_stopped_too(tmp_path: Path) -> None:
    path = tmp_path / "bomb.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", bytes(LARGEST_MEMBER + 1))
    text = try_import(path, tmp_path / "results")
    assert text is not None
    assert text.startswith(f"{path}:header.json: more than")


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_named_however_it_is_packed(packing: int, tmp_path: Path) -> None:
    path = tmp_path / "x.eval"
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("header.json", json.dumps({"x": random.Random(1).randbytes(300).hex()}))
    data = bytearray(path.read_bytes())
    for place in range(60, 75):
        data[place] ^= 0xFF
    path.write_bytes(data)
    text = try_import(path, tmp_path / "results")
    assert text is not None
    assert "header.json: can't be unpacked" in text


def test_a_member_whose_check_sum_is_wrong_is_refused(tmp_path: Path) -> None:
    data = pack_zstd(read_members(INSPECT / "plain.eval"))
    header = read_members(INSPECT / "plain.eval")["header.json"]
    crc = zlib.crc32(header).to_bytes(4, "little")
    path = tmp_path / "x.eval"
    path.write_bytes(data.replace(crc, b"\0\0\0\0"))
    text = try_import(path, tmp_path / "results")
    assert text is not None
    assert ":header.json: can't be unpacked: its check sum does not match" in text


def test_what_unpacks_zstandard_is_an_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'evalkit-mcq\[logs\]'"):
        import_log(INSPECT / "plain.eval", results=tmp_path)
    [run] = import_log(INSPECT / "shuffled.eval", results=tmp_path)
    assert run.is_complete


def test_a_number_gone_wrong_does_not_fill_the_memory(tmp_path: Path) -> None:
    top = json.loads((INSPECT / "epochs.json").read_text("utf-8"))
    top["samples"][0]["epoch"] = 999_999
    path = tmp_path / "x.json"
    path.write_text(json.dumps(top), encoding="utf-8")
    with pytest.raises(LogError, match="999,999 replies to each of 10 questions are wanted and 20"):
        import_log(path, results=tmp_path / "results")


def test_a_folder_of_something_else_is_told_what_is_expected(tmp_path: Path) -> None:
    for name in ("empty", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "x.json").write_text("{}", encoding="utf-8")
    for name in ("empty", "other"):
        with pytest.raises(LogError, match=r"a folder without per_instance_stats.json: expected"):
            import_log(tmp_path / name, results=tmp_path / "results")


def test_no_such_file_is_said_as_such(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"nowhere.eval: no such file"):
        import_log(tmp_path / "nowhere.eval", results=tmp_path / "results")


@pytest.mark.parametrize("wanted", ["promptfoo", "helm", "inspect", "predictions"])
def test_a_log_of_another_format_than_the_one_wanted_is_refused(
    wanted: Any, tmp_path: Path
) -> None:
    with pytest.raises(LogError, match=f"format lm-eval, not {wanted}"):
        import_log(GENERATED, results=tmp_path, options=LogOptions(format=wanted))
