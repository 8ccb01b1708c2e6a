"""Files at addresses of the web are fetched once, whole and verified."""

from __future__ import annotations

import hashlib
import io
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.benchmarks import load_benchmark, parse_definition
from evalkit.errors import BenchmarkError
from evalkit.loaders.web import fetch_file, find_fetched, name_of, place_of
from tests.hub_server import HubServer

ROWS = b"question,A,B,C,answer\n" + b"".join(
    b"Which is number %d?,rose,sky,leaf,A\n" % number for number in range(2000)
)

HEAD = """
version = "1"
[columns]
stem = "question"
choices = ["A", "B", "C"]
answer = "answer"
[source]
"""


@pytest.fixture
def web() -> Iterator[HubServer]:
    """A server with one table, plain and in an archive."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("test/law.csv", ROWS)
        archive.writestr("dev/law.csv", ROWS[:200])
    with HubServer({}, {"/q.csv": ROWS, "/sets/q.zip": packed.getvalue()}) as server:
        yield server


def define(folder: Path, source: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(HEAD + source, encoding="utf-8")
    return path


def test_an_address_is_a_question_file(web: HubServer) -> None:
    assert len(load_benchmark(f"{web.address}/q.csv").question_set.questions) == 2000


def test_a_definition_names_addresses_and_what_is_in_archives_there(
    web: HubServer, tmp_path: Path
) -> None:
    path = define(tmp_path, f'files = ["{web.address}/sets/q.zip/test/*.csv"]')
    definition = parse_definition(path)

    assert definition.locate(None) == "fetch"
    assert len(load_benchmark(path).question_set.questions) == 2000
    assert definition.locate(None) == "cache"
    load_benchmark(path)
    assert web.asked == {"GET /sets/q.zip": 1}


def test_a_file_of_that_name_in_the_data_folder_comes_first(web: HubServer, tmp_path: Path) -> None:
    path = define(tmp_path, f'files = ["{web.address}/q.csv"]')
    (tmp_path / "sets" / "mine").mkdir(parents=True)
    (tmp_path / "sets" / "mine" / "q.csv").write_bytes(ROWS.partition(b"Which is number 9?")[0])

    assert len(load_benchmark(path, data_folder=tmp_path / "sets").question_set.questions) == 9
    assert web.asked.total() == 0


def test_a_file_has_its_name_only_when_it_is_whole_and_the_rest_is_fetched_later(
    web: HubServer,
) -> None:
    """A connection that breaks without a single byte ends the attempt; what had come is kept."""
    address = f"{web.address}/q.csv"
    web.cut_after = 30_000
    part = place_of(address).with_name("q.csv.part")

    path = fetch_file(address)
    assert path.read_bytes() == ROWS
    assert web.ranges == ["bytes=30000-"]
    assert not part.exists()


def test_a_file_that_has_changed_meanwhile_is_fetched_anew(web: HubServer) -> None:
    address = f"{web.address}/q.csv"
    part = place_of(address).with_name("q.csv.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"older")
    part.with_name("q.csv.part.etag").write_text('"older"')

    assert find_fetched(address) is None
    assert fetch_file(address).read_bytes() == ROWS


def test_a_beginning_that_is_longer_than_the_file_is_thrown_away(web: HubServer) -> None:
    address = f"{web.address}/q.csv"
    part = place_of(address).with_name("q.csv.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(ROWS + b"more")

    assert fetch_file(address, hashlib.sha256(ROWS).hexdigest()).read_bytes() == ROWS
    assert web.ranges == [f"bytes={len(ROWS) + 4}-"]


def test_a_cache_that_cannot_be_written_to_is_named(
    web: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EVALKIT_CACHE_DIR", str(tmp_path / "file"))

    with pytest.raises(BenchmarkError, match=r"q\.csv can't be kept: .*; set EVALKIT_CACHE_DIR"):
        fetch_file(f"{web.address}/q.csv")


def test_a_beginning_of_which_nothing_is_known_is_thrown_away(web: HubServer) -> None:
    address = f"{web.address}/q.csv"
    part = place_of(address).with_name("q.csv.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"something")

    assert fetch_file(address).read_bytes() == ROWS
    assert web.ranges == []


def test_a_digest_is_verified(web: HubServer, tmp_path: Path) -> None:
    wrong, right = "0" * 64, hashlib.sha256(ROWS).hexdigest()
    source = 'files = ["{0}/q.csv"]\nsha256 = {{ "q.csv" = "{1}" }}'

    with pytest.raises(BenchmarkError) as caught:
        load_benchmark(define(tmp_path, source.format(web.address, wrong)))
    assert f"arrived with SHA-256 {right} instead of {wrong} and was removed" in str(caught.value)
    assert load_benchmark(define(tmp_path, source.format(web.address, right)))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("none.csv", "none.csv answered 404; get the file by other means and name its folder by"),
        ("sets/q.zip/none/*.csv", "q.zip: nothing in it matches none/*.csv"),
        ("sets/q.zip", "holds 2 files: write a definition with them"),
    ],
)
def test_what_is_not_there_is_said(web: HubServer, name: str, complaint: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        load_benchmark(f"{web.address}/{name}")
    assert complaint in str(caught.value)


def test_a_server_that_is_not_there_is_said_not_to_be() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/q.csv"

    with pytest.raises(BenchmarkError, match=r"can't be fetched: http://127.*/q\.csv: "):
        load_benchmark(address)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://example.org/a/b.csv?x=1", "b.csv"),
        ("https://example.org/a%20b.csv", "a b.csv"),
        ("https://example.org/", "file"),
        ("https://example.org/..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("https://example.org/..", "file"),
        ("https://example.org/a%00b%5Cc.csv", "a_b_c.csv"),
        ("https://[", "file"),
    ],
)
def test_a_file_is_called_by_the_end_of_its_address(address: str, name: str) -> None:
    assert name_of(address) == name


@given(st.text(max_size=300))
def test_any_address_gives_a_name_that_stays_in_its_folder(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    name = name_of(f"https://example.org/{text}")

    assert Path(name).name == name
    assert not (tmp_path_factory.getbasetemp() / f"none-{name}").exists()


@pytest.mark.parametrize(
    "address", ["https://[", "https://\ud800", f"http://127.0.0.1:1/{'x' * 500}", "http://a:b/"]
)
def test_an_address_that_is_none_is_an_error_of_ours(address: str) -> None:
    with pytest.raises(BenchmarkError, match="can't be fetched"):
        load_benchmark(address)
