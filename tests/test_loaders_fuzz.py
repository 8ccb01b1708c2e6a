"""Whatever is in a file, reading it gives questions or an error of ours."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalkit.benchmarks import load_benchmark
from evalkit.errors import BenchmarkError
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


@pytest.mark.parametrize("name", ["q.csv", "q.jsonl", "q.json", "q.txt", "q.zip", "q.parquet"])
@settings(max_examples=40)
@given(data=st.binary(max_size=300))
@example(data=b"[" * 2000)
@example(data=b'{"a":' * 2000)
def test_any_bytes_give_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    load(tmp_path_factory.getbasetemp(), name, data)


REAL = [
    "mmlu/data/test/formal_logic_test.csv",
    "hellaswag/hellaswag_val_full.txt",
    "agieval/data/v1/sat-math.jsonl",
    "commonsenseqa/dev_rand_split.jsonl",
]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published sets are not beside the repository")
@pytest.mark.parametrize("name", REAL)
@settings(max_examples=15)
@given(changes=CHANGES)
def test_real_files_that_were_changed_give_questions_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[tuple[float, str, bytes]]
) -> None:
    data = (SHARED / name).read_bytes()
    load(tmp_path_factory.getbasetemp(), Path(name).name, change(data, changes))
