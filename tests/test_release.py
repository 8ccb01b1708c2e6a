"""What is published can be installed and works: the wheel alone, in an empty environment."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.parser import Parser
from pathlib import Path

import openpyxl
import pytest

from evalkit.models.fetching import fetch_weights
from evalkit.models.weights import weights_folder
from evalkit.testing import MessagesServer, Reply
from tests.hub_server import HubServer, Repository
from tests.parquet_files import write_arc
from tests.readme_examples import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = sorted(set(PROJECT["optional-dependencies"]))

PYTHON = "Programming Language :: Python :: "
PYTHONS = [
    name.removeprefix(PYTHON) for name in PROJECT["classifiers"] if name.startswith(f"{PYTHON}3.")
]
"""The versions that the package says it is for, as 3.11."""


def test_metadata_says_what_an_index_shows() -> None:
    assert PROJECT["name"] == "evalkit-mcq"
    assert PROJECT["license-files"] == ["LICENSE"]
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"
    assert "Typing :: Typed" in PROJECT["classifiers"]
    assert "Operating System :: POSIX :: Linux" in PROJECT["classifiers"]
    assert f"3.{sys.version_info.minor}" in PYTHONS


def start(
    *command: str | Path, folder: Path, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program without anything of this environment."""
    return subprocess.run(
        command,
        cwd=folder,
        env=surroundings(folder, variables or {}),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def surroundings(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of a program that is to find nothing of this environment."""
    keep = {"PATH", "HOME", "LANG"}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in keep or name.startswith(("PIP_", "SSL_", "REQUESTS_"))
    }
    return {**environment, "EVALKIT_CACHE_DIR": str(folder / "cache"), **variables}


def run(*command: str | Path, folder: Path, variables: Mapping[str, str] | None = None) -> str:
    """Run a program without anything of this environment, and return what it prints."""
    done = start(*command, folder=folder, variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(folder: Path, *wanted: str | Path, python: str | Path = sys.executable) -> Path:
    """Install packages into a new, empty environment; its programs.

    They are not compiled, which takes longer than the few imports of a test.
    """
    run(python, "-m", "venv", "--without-pip", folder / "venv", folder=folder)
    programs = folder / "venv" / "bin"
    pip(programs, "install", "--quiet", "--no-compile", *wanted)
    return programs


def offline(packages: Path) -> tuple[str | Path, ...]:
    """What has pip take from a folder what it installs."""
    return "--no-index", "--find-links", packages


def pip(programs: Path, *words: str | Path) -> str:
    """Run this environment's pip for another one."""
    outside = programs.parents[1]
    command: tuple[str | Path, ...] = (sys.executable, "-m", "pip", "--python")
    return run(*command, programs / "python", *words, folder=outside)


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
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The programs of an environment in which the wheel was installed and nothing else."""
    folder = tmp_path_factory.mktemp("environment")
    yield install(folder, wheel)
    shutil.rmtree(folder)


@pytest.fixture
def passing(tmp_path: Path) -> Iterator[Path]:
    """A folder for an environment; it does not stay, for it takes half a gigabyte."""
    folder = tmp_path / "environment"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


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
    check_alone(programs, tmp_path)


def check_alone(programs: Path, folder: Path) -> None:
    """Whether what was installed can be used without any extra."""
    version = run(programs / "evalkit", "--version", folder=folder)
    assert version.startswith("evalkit ")
    assert "everyday" in run(programs / "evalkit", "list", folder=folder)
    shown = run(programs / "evalkit", "show", "everyday", "--way", "prefill", folder=folder)
    assert "The answer is (" in shown
    write_questions(folder)
    assert "can be used" in run(programs / "evalkit", "lint", "q.csv", folder=folder)
    code = "import evalkit; [getattr(evalkit, name) for name in evalkit.__all__]"
    run(programs / "python", "-W", "error", "-c", code, folder=folder)
    with endpoint() as variables:
        words = ("run", "q.csv", "--model", "claude-haiku-4-5", "--quiet", "--json")
        told = json.loads(run(programs / "evalkit", *words, folder=folder, variables=variables))
    assert [(facts["n"], facts["mean"]) for facts in told["runs"]] == [(N, 1.0)]
    assert "No broken requirements" in pip(programs, "check")


N = 24

ROWS = [
    ("question", "A", "B", "answer"),
    *((f"Is {number} more than {number - 1}?", "yes", "no", "A") for number in range(1, N + 1)),
]
"""Questions whose answer is A, as the rows of a table."""


def write_questions(folder: Path) -> None:
    """A set of some questions, as a table."""
    rows = "".join(f"{row}\n" for row in map(",".join, ROWS))
    (folder / "q.csv").write_text(rows)


@contextmanager
def endpoint() -> Iterator[Mapping[str, str]]:
    """A server that answers A, by the variables that point at it."""
    with MessagesServer(answer=lambda request: Reply(letter="A")) as server:
        yield {"ANTHROPIC_BASE_URL": server.base_url, "ANTHROPIC_API_KEY": server.key}


@pytest.mark.slow
def test_the_sdist_itself_can_be_installed(dist: Path, passing: Path) -> None:
    [path] = dist.glob("*.tar.gz")
    check_alone(install(passing, path), passing)


@pytest.mark.slow
@pytest.mark.parametrize(
    "version", [name for name in PYTHONS if name != f"3.{sys.version_info.minor}"]
)
def test_the_wheel_works_alone_in_every_python_it_is_for(
    version: str, wheel: Path, passing: Path
) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"this machine has no Python {version}")
    check_alone(install(passing, wheel, python=python), passing)


def find_python(version: str) -> str | None:
    """A Python of that version, on the path or kept by pyenv; None: there is none."""
    found = [f"python{version}"]
    if shutil.which("pyenv"):
        kept = subprocess.run(
            ["pyenv", "prefix", version], capture_output=True, text=True, check=False
        )
        found += [f"{prefix}/bin/python" for prefix in kept.stdout.split()]
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    for name in filter(shutil.which, found):
        done = subprocess.run([name, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return name
    return None


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


Use = Callable[[Path, Path, Mapping[str, str]], subprocess.CompletedProcess[str]]
"""Does what an extra is for, with programs, in a folder; there is a server in the variables."""


def command(*words: str) -> Use:
    """A command line of evalkit."""

    def use(
        programs: Path, folder: Path, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return start(programs / "evalkit", *words, folder=folder, variables=variables)

    return use


def ask_embedded_model(
    programs: Path, folder: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """With the real weights, which another environment has fetched."""
    weights = fetch_weights("smollm2-135m", weights_folder(), say=print)
    here = {"EVALKIT_CACHE_DIR": str(weights.parents[1])}
    use = command("run", "q.csv", "--model", "local/smollm2-135m", "--quiet", "--json")
    return use(programs, folder, {**variables, **here})


def read_set_of_hub(
    programs: Path, folder: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """A set in Parquet, from a hub on this machine."""
    (folder / "arc.toml").write_text(
        'version = "1"\n[source]\nhub = "allenai/arc"\nconfig = "Easy"\n'
        '[columns]\nid = "id"\nstem = "question"\nanswer = "answerKey"\n'
        'choices = { texts = "choices.text", labels = "choices.label" }\n'
    )
    files = {"Easy/test-00000-of-00001.parquet": write_arc(7)}
    with HubServer({"allenai/arc": Repository(files)}) as hub:
        there = {"HF_ENDPOINT": hub.address, "HF_HUB_CACHE": str(folder / "hub")}
        return command("lint", "arc.toml")(programs, folder, {**variables, **there})


def open_the_view(
    programs: Path, folder: Path, variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Start the server, fetch its first page and end it."""
    words = [str(programs / "evalkit"), "view", "results", "--port", "0", "--no-open"]
    with subprocess.Popen(
        words,
        cwd=folder,
        env=surroundings(folder, {**variables, "PYTHONUNBUFFERED": "1"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        if found is None:
            out, err = process.communicate(timeout=60)
            return subprocess.CompletedProcess(words, process.returncode, out, err)
        try:
            with urllib.request.urlopen(found[0], timeout=60) as reply:
                page = reply.read().decode()
        finally:
            process.terminate()
    return subprocess.CompletedProcess(words, 0, page, "")


def run_with(engine: str) -> Use:
    """Two workers ask the server."""
    workers = ("--workers", "2", "--engine", engine)
    return command("run", "q.csv", "--model", "claude-haiku-4-5", *workers, "--quiet", "--json")


USES: dict[str, tuple[Use, str]] = {
    "dask": (run_with("dask"), f'"n": {N}'),
    "excel": (command("lint", "q.xlsx"), "can be used"),
    "hub": (read_set_of_hub, "can be used"),
    "local": (ask_embedded_model, '"model": "local/smollm2-135m"'),
    "logs": (command("import", str(ROOT / "tests/logs/inspect/plain.eval")), "Accuracy"),
    "ray": (run_with("ray"), f'"n": {N}'),
    "report": (
        command("report", "results", "--to", "page.html", "book.xlsx", "chart.svg"),
        "written: chart.svg",
    ),
    "view": (open_the_view, "<html"),
}
"""What takes an extra, and what it then says."""


@pytest.fixture(scope="module")
def packages(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all that the extras take together, fetched once: a third of the time."""
    folder = tmp_path_factory.mktemp("packages")
    extras = ",".join([*USES, "docs"])
    words = ("-m", "pip", "download", "--quiet", "--dest", folder)
    run(sys.executable, *words, f"{wheel}[{extras}]", folder=folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def workplace(programs: Path, tmp_path: Path) -> Iterator[tuple[Path, Mapping[str, str]]]:
    """A folder with a run and questions in two forms, and a server that answers A."""
    write_questions(tmp_path)
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in ROWS:
        book.active.append(row)
    book.save(tmp_path / "q.xlsx")
    with endpoint() as variables:
        words = ("run", "q.csv", "--model", "claude-opus-4-6", "--quiet")
        run(programs / "evalkit", *words, folder=tmp_path, variables=variables)
        yield tmp_path, variables


def test_what_every_extra_is_for_is_tried() -> None:
    assert {*USES, "docs", "dev"} == set(EXTRAS)


@pytest.mark.slow
@pytest.mark.parametrize("extra", sorted(USES))
def test_an_extra_is_named_where_it_is_missing_and_does_what_it_is_for_where_it_is_not(
    extra: str,
    programs: Path,
    wheel: Path,
    packages: Path,
    workplace: tuple[Path, Mapping[str, str]],
    passing: Path,
) -> None:
    (folder, variables), (use, expected) = workplace, USES[extra]
    without = use(programs, folder, variables)
    assert without.returncode == 2, without
    assert without.stderr.endswith(f"pip install 'evalkit-mcq[{extra}]'\n"), without
    assert without.stderr.count("\n") == 1
    equipped = install(passing, *offline(packages), f"{wheel}[{extra}]")
    done = use(equipped, folder, variables)
    # Of an imported log, some replies may be missing.
    assert done.returncode in (0, 4), done
    assert expected in done.stdout + done.stderr, done
    assert "No broken requirements" in pip(equipped, "check")


@pytest.mark.slow
def test_the_guides_can_be_built_from_the_sdist_with_their_extra(
    dist: Path, wheel: Path, packages: Path, passing: Path
) -> None:
    """No command of evalkit takes this one, so that none could name it."""
    programs = install(passing, *offline(packages), f"{wheel}[docs]")
    [path] = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(passing, filter="data")
    [source] = passing.glob("evalkit_mcq-*")
    words = ("build", "--strict", "--quiet", "--config-file", ".docs/mkdocs.yml")
    run(programs / "mkdocs", *words, folder=source)
    assert "evalkit" in (source / ".docs" / "site" / "index.html").read_text()


SCRIPT = """
import evalkit

settings = evalkit.RunSettings(way="prefill", limit=20)
before = evalkit.run("everyday", "claude-haiku-4-5", settings=settings, progress=False)
after = evalkit.run("everyday", "claude-opus-4-6", progress=False)
accuracy = before.summary.accuracy
if accuracy is not None:
    print(f"{accuracy.estimate:.1%} [{accuracy.low:.1%}, {accuracy.high:.1%}]")
comparison: evalkit.Comparison = evalkit.compare([before, after])
words: str = before.summary.questions
"""
"""A user's, of which the last line is wrong by what evalkit declares."""


@pytest.mark.slow
def test_scripts_of_users_are_checked_by_the_types_that_the_wheel_brings(
    programs: Path, tmp_path: Path
) -> None:
    *right, wrong = SCRIPT.lstrip().splitlines(keepends=True)
    (tmp_path / "right.py").write_text("".join(right))
    (tmp_path / "wrong.py").write_text("".join(right) + wrong)
    words = ("-m", "mypy", "--strict", "--python-executable", str(programs / "python"))
    run(sys.executable, *words, "right.py", folder=tmp_path)
    refused = start(sys.executable, *words, "wrong.py", folder=tmp_path)
    assert refused.returncode == 1
    assert 'wrong.py:10: error: Incompatible types in assignment (expression has type "int"' in (
        refused.stdout
    )
    assert "Found 1 error in 1 file" in refused.stdout


TESTS = """
import pytest
from evalkit.testing import Reply


@pytest.mark.parametrize(("letter", "model"), [("A", "claude-opus-4-6"), ("B", "claude-opus-4-5")])
def test_ice(letter, model, evalkit_server, evalkit_accuracy):
    server = evalkit_server(answer=lambda request: Reply(letter=letter))
    evalkit_accuracy("q.csv", model, at_least=100)
    assert len(server.requests) >= 24
"""


@pytest.mark.slow
def test_pytest_finds_the_plugin_of_an_installed_wheel(wheel: Path, passing: Path) -> None:
    programs = install(passing, wheel, "pytest")
    (passing / "work").mkdir()
    write_questions(passing / "work")
    (passing / "work" / "test_ice.py").write_text(TESTS)
    assert "--evalkit-budget" in run(programs / "pytest", "--help", folder=passing / "work")
    done = start(programs / "pytest", "--trace-config", folder=passing / "work")
    assert re.search(r"evalkit-mcq-\S+ at \S+evalkit/pytest_plugin.py", done.stdout)
    assert done.returncode == 1
    assert (
        "FAILED test_ice.py::test_ice[B-" in done.stdout and "1 failed, 1 passed" in done.stdout
    ), done.stdout
