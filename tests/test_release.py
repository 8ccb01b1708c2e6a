"""What is published can be installed and works: the wheel alone, in an empty environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from email.parser import Parser
from pathlib import Path

import pytest

from tests.readme_examples import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = sorted(set(PROJECT["optional-dependencies"]))


def test_metadata_says_what_an_index_shows() -> None:
    assert PROJECT["name"] == "evalkit-mcq"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert PROJECT["requires-python"] == ">=3.11"
    assert "Typing :: Typed" in PROJECT["classifiers"]
    minor = sys.version_info.minor
    assert f"Programming Language :: Python :: 3.{minor}" in PROJECT["classifiers"]


def run(*command: str | Path, folder: Path) -> str:
    """Run a program without anything of this environment, and return what it prints."""
    keep = {"PATH", "HOME", "LANG"}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in keep or name.startswith(("PIP_", "SSL_", "REQUESTS_"))
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**environment, "EVALKIT_CACHE_DIR": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an sdist, and a wheel that was made from it."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, folder=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """The wheel."""
    [path] = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which the wheel was installed and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=True)
    found = folder / "venv" / "bin"
    run(found / "python", "-m", "pip", "install", "--quiet", wheel, folder=folder)
    return found


@pytest.mark.slow
def test_the_sdist_holds_what_building_and_testing_takes(dist: Path) -> None:
    [path] = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        *("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "PKG-INFO"),
        *("evalkit/py.typed", "evalkit/__init__.pyi", "evalkit/reports/report.schema.json"),
        *("benchmarks/everyday.toml", "benchmarks/everyday.jsonl", "tests/conftest.py"),
        *(".docs/mkdocs.yml", ".docs/pages/index.md", ".docs/pages/pictures/accuracies.svg"),
    } <= names
    assert any(name.startswith("evalkit/view/templates/") for name in names)
    unwanted = ("results/", ".git/", ".venv/", ".docs/site/")
    assert not any(name.startswith(unwanted) for name in names)


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_the_benchmarks(wheel: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "evalkit", "benchmarks"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    expected = {
        name.replace("benchmarks/", "evalkit/shipped_benchmarks/", 1)
        if name.startswith("benchmarks/")
        else name
        for name in tracked
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        told = Parser().parsestr(archive.read(metadata).decode())
    assert expected <= names
    assert {name.partition("/")[0] for name in names} == {"evalkit", metadata.partition("/")[0]}
    assert sorted(told.get_all("Provides-Extra", [])) == EXTRAS
    assert told["License-Expression"] == "MIT"
    assert str(told.get_payload()).startswith("# evalkit")


@pytest.mark.slow
def test_the_wheel_works_alone(programs: Path, tmp_path: Path) -> None:
    version = run(programs / "evalkit", "--version", folder=tmp_path)
    assert version.startswith("evalkit ")
    assert "everyday" in run(programs / "evalkit", "list", folder=tmp_path)
    shown = run(programs / "evalkit", "show", "everyday", "--way", "prefill", folder=tmp_path)
    assert "The answer is (" in shown
    (tmp_path / "q.csv").write_text("question,A,B,answer\nIs ice cold?,yes,no,A\n")
    assert "can be used" in run(programs / "evalkit", "lint", "q.csv", folder=tmp_path)
    code = "import evalkit; [getattr(evalkit, name) for name in evalkit.__all__]"
    run(programs / "python", "-W", "error", "-c", code, folder=tmp_path)


@pytest.mark.slow
def test_the_doctor_knows_of_an_environment_what_it_lacks(programs: Path, tmp_path: Path) -> None:
    """Against a server of one's own, which is not asked here."""
    address = ("--base-url", "http://127.0.0.1:9", "--offline")
    facts = json.loads(run(programs / "evalkit", "doctor", *address, "--json", folder=tmp_path))
    points = {point["name"]: point for point in facts["points"]}
    assert facts["works"] is True
    assert points["dependencies"]["level"] == "fine"
    assert not any(points["extras"]["extras"].values())
    assert set(points["extras"]["extras"]) == set(EXTRAS) - {"dev", "docs"}


@pytest.mark.slow
@pytest.mark.parametrize("extra", EXTRAS)
def test_every_extra_can_be_installed(
    wheel: Path, programs: Path, extra: str, tmp_path: Path
) -> None:
    """Whether its packages fit together; fetching all of them would take gigabytes."""
    command: Sequence[str | Path] = (programs / "python", "-m", "pip", "install", "--dry-run")
    said = run(*command, "--quiet", f"{wheel}[{extra}]", folder=tmp_path)
    assert "does not provide the extra" not in said
