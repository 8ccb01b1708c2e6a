"""The guides run as they say, and their pages are built without a warning."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import evalkit
from evalkit.cli.main import build_parser
from tests.guide_examples import (
    GUIDES,
    PAGES,
    asks_models,
    copy_files,
    find_guide_examples,
    find_mere_commands,
)
from tests.readme_examples import ROOT, run_example
from tests.test_readme import intervals_in, shape_of

NAMES = [path.stem for path in GUIDES]
LARGEST_PICTURE = 150_000

SHAPED = [path for path in GUIDES if asks_models(path)]
EXACT = [path for path in GUIDES if not asks_models(path)]


def test_there_is_a_guide_for_each_user_and_each_has_examples() -> None:
    assert {"comparing", "guarding", "reports", "benchmarks", "statistics", "moving"} <= set(NAMES)
    without = [
        path.stem
        for path in GUIDES
        if not list(find_guide_examples(path.read_text(encoding="utf-8")))
    ]
    assert without == ["limits"]


@pytest.mark.parametrize("path", EXACT, ids=lambda path: path.stem)
def test_examples_without_a_model_print_exactly_what_the_guide_says(
    path: Path, tmp_path: Path
) -> None:
    text = path.read_text(encoding="utf-8")
    copy_files(text, tmp_path)
    for example in find_guide_examples(text):
        assert run_example(example, tmp_path) == example.output, example.code


@pytest.mark.slow
@pytest.mark.parametrize("path", SHAPED, ids=lambda path: path.stem)
def test_examples_with_embedded_models_print_what_the_guide_says(
    path: Path, tmp_path: Path
) -> None:
    """Figures may differ a little between processors: they must lie within the stated intervals."""
    for example in find_guide_examples(path.read_text(encoding="utf-8")):
        printed = run_example(example, tmp_path)
        assert shape_of(printed) == shape_of(example.output), example.code
        for stated, seen in zip(intervals_in(example.output), intervals_in(printed), strict=True):
            assert stated[1] <= seen[0] <= stated[2], example.code


@pytest.mark.parametrize("path", [*GUIDES, ROOT / "README.md"], ids=[*NAMES, "readme"])
def test_commands_that_are_only_shown_are_commands(path: Path) -> None:
    """They ask the API, or serve until they are stopped: whether they can be read is seen."""
    for command in find_mere_commands(path.read_text(encoding="utf-8")):
        words = shlex.split(command, comments=True)[1:]
        build_parser().parse_args(words)


def test_the_reference_names_everything_that_evalkit_offers() -> None:
    text = (PAGES / "reference" / "python.md").read_text(encoding="utf-8")
    named = re.findall(r"^::: evalkit\.(\w+)$", text, re.MULTILINE)
    assert sorted(named) == sorted(set(evalkit.__all__) - {"__version__"})


def test_the_first_page_names_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (PAGES / "index.md").read_text(encoding="utf-8")
    table = text[text.index("| extra |") : text.index("Whether a run could work")]
    named = set(re.findall(r"`(\w+)`", table))
    assert named == set(project["optional-dependencies"]) - {"dev", "docs"}


def test_pictures_are_small_and_shown() -> None:
    pages = [ROOT / "README.md", *PAGES.rglob("*.md")]
    texts = "".join(page.read_text(encoding="utf-8") for page in pages)
    pictures = list((PAGES / "pictures").iterdir())
    assert len(pictures) > 1
    for picture in pictures:
        assert picture.stat().st_size < LARGEST_PICTURE, picture
        assert f"pictures/{picture.name})" in texts, picture


def test_links_of_the_readme_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    assert any(target.startswith(".docs/") for target in targets)
    missing = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    assert missing == []


def build_pages(config: Path, *options: str | Path) -> subprocess.CompletedProcess[str]:
    """Build strictly, as the README says."""
    program = (sys.executable, "-m", "mkdocs", "build", "--strict")
    return subprocess.run(
        [*program, "--config-file", config, *options],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_the_documentation_is_built_without_a_warning(tmp_path: Path) -> None:
    """A link that leads nowhere, a name that is not there, or a page outside the menu is one."""
    assert importlib.util.find_spec("mkdocs"), "pip install 'evalkit-mcq[docs]'"
    site = tmp_path / "site"
    done = build_pages(ROOT / ".docs" / "mkdocs.yml", "--quiet", "--site-dir", site)
    assert done.returncode == 0, done.stdout + done.stderr
    commands = (site / "reference" / "commands" / "index.html").read_text()
    for name in ("evalkit run", "evalkit doctor", "evalkit models pull"):
        assert f'id="{name.replace(" ", "-")}"' in commands
    python = (site / "reference" / "python" / "index.html").read_text()
    assert 'id="evalkit.evaluation.run"' in python or 'id="evalkit.run"' in python


@pytest.mark.slow
def test_a_broken_link_or_name_fails_the_build(tmp_path: Path) -> None:
    """Else the test above would say little."""
    config = tmp_path / "mkdocs.yml"
    text = (ROOT / ".docs" / "mkdocs.yml").read_text(encoding="utf-8")
    text = text[: text.index("nav:")] + text[text.index("validation:") :]
    text = text.replace("hooks:\n  - hooks.py\n", "").replace("[..]", f"[{ROOT}]")
    text = text.replace("docstrings.py", str(ROOT / ".docs" / "docstrings.py"))
    config.write_text(text, encoding="utf-8")
    (tmp_path / "pages").mkdir()
    pages = {"ok": "::: evalkit.compare\n", "link": "[x](nosuch.md)\n", "name": "::: evalkit.no\n"}
    codes = {}
    for name, content in pages.items():
        (tmp_path / "pages" / "index.md").write_text(f"# Page\n\n{content}", encoding="utf-8")
        codes[name] = build_pages(config).returncode
    assert codes == {"ok": 0, "link": 1, "name": 1}
