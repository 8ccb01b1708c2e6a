"""Whatever is in a file, reading it gives questions or an error of ours."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalkit.benchmarks import load_benchmark
from evalkit.drafting import draft_benchmark
from evalkit.errors import BenchmarkError
from evalkit.linting.check import lint_draft
from tests.parquet_files import PICTURE, arc_rows, write_arc, write_parquet
from tests.pictures import paint

SHARED = Path(__file__).parents[2] / "shared" / "data"

TABLE = "id,question,A,B,C,answer\r\n" + "".join(
    f'{n},"Which of ""these"", {n}?\nSay it.",red,blue,"a, b",{"ABC"[n % 3]}\r\n' for n in range(9)
)

LINES = "".join(
    f"{json.dumps({'id': n, 'question': 'Zoë?', 'choices': ['a', 'b', '1.50'], 'answer': 'B'})}\n"
    for n in range(9)
)

BLOCKS = "Roof repair: A man. he\n3\nis.\n, and.\nhas.\nstarts.\n" * 5


def write_archive(method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of one table."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("q/q.csv", TABLE)
    return buffer.getvalue()


def write_pictures(folder: Path) -> bytes:
    """Parquet with a picture in each row."""
    paint(folder / "a.png")
    picture = {"bytes": (folder / "a.png").read_bytes(), "path": None}
    schema = pa.schema(
        [
            ("question", pa.string()),
            ("image", PICTURE),
            ("choices", pa.list_(pa.string())),
            ("answer", pa.int64()),
        ]
    )
    rows = [
        {"question": f"{n}?", "image": picture, "choices": ["x", "y", "z"], "answer": n % 3}
        for n in range(5)
    ]
    return write_parquet(rows, schema)


SEEDS = {
    "q.csv": TABLE.encode(),
    "q.tsv": TABLE.replace(",", "\t").encode(),
    "q.jsonl": LINES.encode(),
    "q.json": f"[{LINES.strip()}]".replace("}\n", "},\n").encode(),
    "q.txt": BLOCKS.encode(),
    "q.csv.gz": gzip.compress(TABLE.encode()),
    "q.jsonl.gz": gzip.compress(LINES.encode()),
    "q.zip": write_archive(),
    "stored.zip": write_archive(zipfile.ZIP_STORED),
    "lzma.zip": write_archive(zipfile.ZIP_LZMA),
    "q.parquet": write_arc(9),
    "q.parquet.gz": gzip.compress(write_arc(9)),
    "plain.parquet": write_parquet(
        [
            {"question": r["question"], "choices": r["choices"]["text"], "answer": 1}
            for r in arc_rows(9)
        ]
    ),
}

CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["put", "flip", "cut", "end", "again"]),
        st.binary(min_size=1, max_size=9),
    ),
    min_size=1,
    max_size=4,
)
"""Where, what, and with which bytes."""


def change(data: bytes, changes: list[tuple[float, str, bytes]]) -> bytes:
    """A file that something has happened to."""
    for where, what, with_these in changes:
        place = int(where * len(data))
        size = len(with_these)
        if what == "put":
            data = data[:place] + with_these + data[place:]
        elif what == "flip":
            mixed = bytes(
                a ^ b for a, b in zip(data[place : place + size], with_these, strict=False)
            )
            data = data[:place] + mixed + data[place + len(mixed) :]
        elif what == "cut":
            data = data[:place] + data[place + 3 * size :]
        elif what == "end":
            data = data[:place]
        else:
            data = data[:place] + data[place // 2 : place] + data[place:]
    return data


def load(folder: Path, name: str, data: bytes) -> None:
    """Read a file; errors of ours are fine."""
    path = folder / name
    path.write_bytes(data)
    with suppress(BenchmarkError):
        load_benchmark(path)


@pytest.mark.parametrize("name", SEEDS)
@settings(max_examples=60)
@given(changes=CHANGES)
def test_a_file_that_was_changed_anywhere_gives_questions_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[float, str, bytes]]
) -> None:
    load(tmp_path_factory.getbasetemp(), name, change(SEEDS[name], changes))


@settings(max_examples=60)
@given(changes=CHANGES)
def test_pictures_that_were_changed_too(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, str, bytes]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    load(folder, "pictures.parquet", change(write_pictures(folder), changes))


@pytest.mark.parametrize(
    "name", ["q.csv", "q.jsonl", "q.json", "q.txt", "q.zip", "q.parquet", "q.xlsx", "q.csv.gz"]
)
@settings(max_examples=40)
@given(data=st.binary(max_size=300))
@example(data=b"[" * 2000)
@example(data=b'{"a":' * 2000)
def test_any_bytes_give_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    load(tmp_path_factory.getbasetemp(), name, data)


# Real files, as they are published and packed in every other way


def read_real(name: str, lines: int) -> bytes:
    """The first lines of a published file."""
    return b"".join((SHARED / name).read_bytes().splitlines(keepends=True)[:lines])


def read_records(name: str, count: int) -> list[dict[str, Any]]:
    """The first records of a published file."""
    text = (SHARED / name).read_text(encoding="utf-8")
    try:
        whole = json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.split("\n") if line][:count]
    rows: list[dict[str, Any]] = whole["examples"] if isinstance(whole, dict) else whole
    return rows[:count]


def write_sheet(rows: Iterable[Iterable[object]]) -> bytes:
    """An Excel file."""
    book = openpyxl.Workbook()
    for row in rows:
        book["Sheet"].append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def real_csv() -> bytes:
    return b"question,A,B,C,D,answer\n" + read_real("mmlu/data/test/formal_logic_test.csv", 60)


def real_sheet() -> bytes:
    return write_sheet(csv.reader(io.StringIO(real_csv().decode(), newline="")))


def real_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/test/logic_test.csv", real_csv())
    return buffer.getvalue()


def real_parquet() -> bytes:
    return write_parquet(read_records("commonsenseqa/dev_rand_split.jsonl", 12))


def real_pictures(folder: Path) -> bytes:
    """Rows of PuzzleVQA as the hub keeps them, with the bytes of their pictures."""
    base = "llm_puzzletest/PuzzleVQA/data"
    rows = [
        {
            "question": row["question"],
            "options": row["options"],
            "answer": str(row["answer"]),
            "image": {"bytes": (SHARED / base / row["image"]).read_bytes(), "path": row["image"]},
        }
        for row in read_records(f"{base}/triangle.json", 3)
    ]
    return write_parquet(rows)


REAL: dict[str, Callable[[], bytes]] = {
    "mmlu.csv": lambda: read_real("mmlu/data/test/formal_logic_test.csv", 60),
    "crlf.csv": lambda: read_real("mmlu/data/test/public_relations_test.csv", 40),
    "headed.csv": real_csv,
    "truthfulqa.csv": lambda: read_real("truthfulqa/TruthfulQA.csv", 20),
    "table.tsv": lambda: "\n".join(
        "\t".join(cell.replace("\n", " ") for cell in row)
        for row in csv.reader(io.StringIO(real_csv().decode(), newline=""))
    ).encode(),
    "logic.xlsx": real_sheet,
    "hellaswag.txt": lambda: read_real("hellaswag/hellaswag_val_full.txt", 60),
    "sat-math.jsonl": lambda: read_real("agieval/data/v1/sat-math.jsonl", 12),
    "gaokao.jsonl": lambda: read_real("agieval/data/v1/gaokao-physics.jsonl", 12),
    "aqua.json": lambda: read_real("aqua/dev.json", 12),
    "commonsenseqa.jsonl": lambda: read_real("commonsenseqa/dev_rand_split.jsonl", 12),
    "puzzles.json": lambda: read_real("llm_puzzletest/PuzzleVQA/data/triangle.json", 12),
    "mmmu.jsonl": lambda: read_real("mmmu_pro/mmmu-pro/tool/data.jsonl", 7),
    "answers.jsonl": lambda: read_real(
        "mmmu_pro/mmmu-pro/output/gpt-4o_standard(10 options)_direct.jsonl", 12
    ),
    "list.json": lambda: json.dumps(
        read_records("mmlu_pro/eval_results/model_outputs_Phi-3-mini-4k-instruct_5shots.json", 8)
    ).encode(),
    "mc.json": lambda: json.dumps(
        read_records("truthfulqa_multi/data/es/validation.json", 12), indent=1
    ).encode(),
    "snarks.json": lambda: json.dumps(
        {"canary": "x", "examples": read_records("bbh/bbh/snarks.json", 12)}
    ).encode(),
    "causal.json": lambda: json.dumps(
        {"examples": read_records("bbh/bbh/causal_judgement.json", 12)}, indent=2
    ).encode(),
    "commonsenseqa.parquet": real_parquet,
    "commonsenseqa.jsonl.gz": lambda: gzip.compress(
        read_real("commonsenseqa/dev_rand_split.jsonl", 12)
    ),
    "logic.csv.gz": lambda: gzip.compress(real_csv()),
    "hellaswag.txt.gz": lambda: gzip.compress(read_real("hellaswag/hellaswag_val_full.txt", 60)),
    "logic.zip": real_zip,
    "commonsenseqa.parquet.gz": lambda: gzip.compress(real_parquet()),
}
"""Every format that there is a loader for."""

LINES_MOVED = st.lists(
    st.tuples(
        st.sampled_from(["swap", "drop", "double", "rename", "merge"]),
        st.integers(0, 200),
        st.integers(0, 200),
    ),
    min_size=1,
    max_size=4,
)
"""What happens to lines, and to which."""

NAME = re.compile(rb"[A-Za-z_]{2,}")


def move_lines(data: bytes, moves: list[tuple[str, int, int]]) -> bytes:
    """A file whose lines and columns somebody has moved about or renamed."""
    for what, one, two in moves:
        lines = data.split(b"\n")
        one, two = one % len(lines), two % len(lines)
        if what == "swap":
            lines[one], lines[two] = lines[two], lines[one]
        elif what == "drop":
            del lines[one]
        elif what == "double":
            lines.insert(two, lines[one])
        elif what == "merge":
            lines[one : one + 2] = [b" ".join(lines[one : one + 2])]
        elif names := NAME.findall(data):
            # A column of another name, or of that of another.
            old, new = names[one % len(names)], names[two % len(names)]
            lines = data.replace(old, new if one % 2 else new + b"_").split(b"\n")
        data = b"\n".join(lines)
    return data


def unpack(name: str, data: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
    """The text within a packed file, and how it is packed again."""
    if name.endswith(".gz") and ".parquet" not in name:
        return gzip.decompress(data), gzip.compress
    return data, lambda changed: changed


def read_every_way(folder: Path, name: str, data: bytes) -> None:
    """Read a file by guessing and by the definition proposed for it, and check it."""
    load(folder, name, data)
    with suppress(BenchmarkError):
        lint_draft(draft_benchmark(folder / name))


needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the published sets are not beside the repository"
)


@needs_shared
@pytest.mark.parametrize("name", REAL)
def test_the_real_files_that_are_changed_here_can_be_read_or_proposed_unchanged(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(REAL[name]())
    readable = draft_benchmark(tmp_path / name).question_set.questions if CAN_BE[name] else ()
    assert len(readable) > (2 if CAN_BE[name] else -1)


CAN_BE = {name: name not in ("puzzles.json", "mmmu.jsonl", "answers.jsonl") for name in REAL}
"""Whether there are questions in a file; those of three speak of pictures that are elsewhere."""


@needs_shared
@pytest.mark.parametrize("name", REAL)
@settings(max_examples=15)
@given(changes=CHANGES)
def test_real_files_of_every_format_whose_bytes_were_changed(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[float, str, bytes]]
) -> None:
    read_every_way(tmp_path_factory.getbasetemp(), name, change(REAL[name](), changes))


@needs_shared
@pytest.mark.parametrize("name", [name for name in REAL if not name.endswith((".xlsx", ".zip"))])
@settings(max_examples=15)
@given(moves=LINES_MOVED)
def test_real_files_whose_lines_were_moved_and_columns_renamed(
    tmp_path_factory: pytest.TempPathFactory, name: str, moves: list[tuple[str, int, int]]
) -> None:
    text, pack = unpack(name, REAL[name]())
    read_every_way(tmp_path_factory.getbasetemp(), name, pack(move_lines(text, moves)))


@needs_shared
@settings(max_examples=15)
@given(changes=CHANGES)
def test_real_pictures_that_were_changed(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, str, bytes]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    read_every_way(folder, "real-pictures.parquet", change(real_pictures(folder), changes))


@needs_shared
@settings(max_examples=30)
@given(
    rows=st.lists(
        st.lists(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.datetimes()
            | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9)
            | st.sampled_from(["question", "A", "B", "answer", "=1/0", "=A1"]),
            max_size=7,
        ),
        max_size=6,
    )
)
def test_sheets_of_whatever_cells(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[object]]
) -> None:
    head = [["question", "A", "B", "answer"], ["Ant?", "six", "ten", "A"]]
    folder = tmp_path_factory.getbasetemp()
    read_every_way(folder, "cells.xlsx", write_sheet([*head, *rows]))
    read_every_way(folder, "bare.xlsx", write_sheet(rows))
