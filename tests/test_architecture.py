"""The house stands as it was drawn: imports flow one way, and each part keeps to its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

import evalkit
from evalkit.testing.messages_server import MessagesServer
from tests.command_line import OPUS, call, point_at
from tests.conftest import write_sums

ROOT = Path(__file__).parents[1]
PACKAGE = Path(evalkit.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

WRITERS = (
    *("downloads.py", "loaders/hub.py", "loaders/picture_store.py", "loaders/web.py"),
    *("models/fetching.py", "models/findings.py"),
    *(
        "runs/baseline_files.py",
        "runs/batch_log.py",
        "runs/folder.py",
        "runs/journal.py",
        "runs/parts.py",
    ),
    *("importers/spool_files.py", "logs.py", "pytest_checks.py"),
)
"""What writes to the disk: caches of sets and models, run folders, what the processes of a test run
share, logs where a user wants them."""

WRITING = ("write_text", "write_bytes", "mkdir", "unlink", "rmdir", "touch", "rename", "symlink_to")


def test_imports_flow_from_the_questions_to_the_command_line() -> None:
    """The layers stand in pyproject.toml."""
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_is_named_for_nothing() -> None:
    vague = {"utils", "util", "common", "helpers", "helper", "misc", "base", "core", "tools"}
    assert [path for path in MODULES if vague & set(path.with_suffix("").parts[-2:])] == []


def test_http_is_spoken_by_the_api_and_by_what_fetches_files_only() -> None:
    graph = grimp.build_graph("evalkit", include_external_packages=True, cache_dir=None)
    speakers = set()
    for client in ("httpx", "requests", "urllib3", "aiohttp", "anthropic"):
        if client in graph.modules:
            speakers |= graph.find_modules_that_directly_import(client)
    own = {name for name in speakers if not name.startswith("evalkit.api.")}
    assert "evalkit.api.client" in speakers
    assert {name for name in own if not name.startswith("evalkit.testing.")} == {
        "evalkit.downloads",
        "evalkit.models.local",
    }


def writes_files(call: ast.Call) -> bool:
    """Whether a call changes the disk: by its name, or by the mode in which it opens a file."""
    if not isinstance(call.func, ast.Attribute):
        return isinstance(call.func, ast.Name) and call.func.id == "open"
    if call.func.attr != "open":
        return call.func.attr in WRITING
    values = [*call.args, *(keyword.value for keyword in call.keywords)]
    modes = [value.value for value in values if isinstance(value, ast.Constant)]
    return any(isinstance(mode, str) and set(mode) & set("wax+") for mode in modes)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_run_folders_and_caches_are_written(path: Path) -> None:
    if path.relative_to(PACKAGE).as_posix() in WRITERS:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and writes_files(node)]
    assert [call.lineno for call in calls] == []


def test_those_who_may_write_do() -> None:
    """Else the list above, or the test below it, is out of date."""
    for name in WRITERS:
        tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
        assert any(isinstance(node, ast.Call) and writes_files(node) for node in ast.walk(tree))


def test_a_run_writes_to_its_folder_and_nowhere_else(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sums(tmp_path / "sums.jsonl")
    with MessagesServer() as server:
        point_at(server, monkeypatch)
        assert call(capsys, "run", "sums.jsonl", "--model", OPUS, "--limit", "2").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results", "sums.jsonl"]
    [folder] = (tmp_path / "results").iterdir()
    files = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    assert files == ["manifest.json", "questions.jsonl.gz", "responses.jsonl", "summary.json"]
