"""What evalkit offers is named, documented, and cheap to import."""

from __future__ import annotations

import ast
import doctest
import inspect
import itertools
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest

import evalkit

PACKAGE = Path(evalkit.__file__).parent

PARTS = 6
"""Tests among which the import of all modules is shared out."""
STUB = PACKAGE / "__init__.pyi"
HEAVY = ("pandas", "scipy", "sklearn", "httpx", "rich", "tqdm", "numpy")
Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
MODULES = sorted(PACKAGE.rglob("*.py"))


def stub_names() -> list[str]:
    """The names that the stub imports, each under its own name."""
    imports = [
        node for node in ast.walk(ast.parse(STUB.read_text())) if isinstance(node, ast.ImportFrom)
    ]
    aliases = [alias for node in imports for alias in node.names]
    assert all(alias.asname == alias.name for alias in aliases), "a stub exports `x as x` only"
    return sorted(alias.name for alias in aliases)


def stub_all() -> list[str]:
    """The `__all__` of the stub."""
    [assigned] = [node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.Assign)]
    names = ast.literal_eval(assigned.value)
    assert isinstance(names, list)
    return names


def test_the_package_offers_what_its_stub_names_in_order() -> None:
    assert evalkit.__all__ == stub_all() == stub_names()


@pytest.mark.parametrize("name", stub_names())
def test_every_name_can_be_imported_and_is_documented(name: str) -> None:
    value = getattr(evalkit, name)
    assert name in dir(evalkit)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)
        assert value.__doc__, "a docstring of its own, not of its base"


CHOSEN = ("Options", "Settings", "Terms", "Policy", "Selection", "Format", "Endpoint")
"""How the names of what users construct end."""


@pytest.mark.parametrize("name", stub_names())
def test_what_users_call_or_construct_has_an_example_that_runs(name: str) -> None:
    """Doctests run with the suite; what comes back is shown by the functions that give it."""
    value = getattr(evalkit, name)
    if inspect.isfunction(value) or (inspect.isclass(value) and name.endswith(CHOSEN)):
        examples = doctest.DocTestParser().get_examples(inspect.getdoc(value) or "")
        assert examples
        assert not any(doctest.SKIP in example.options for example in examples)


def test_a_path_may_be_a_text_wherever_one_is_named_first() -> None:
    for name in stub_names():
        value = getattr(evalkit, name)
        if inspect.isfunction(value) and (parameters := list(signature_of(value))):
            assert "Path" not in parameters[0] or "str" in parameters[0], name


def signature_of(function: Callable[..., object]) -> Iterator[str]:
    """The parameters as they are written."""
    return map(str, inspect.signature(function).parameters.values())


def test_a_name_that_is_not_offered_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nosuch"):
        getattr(evalkit, "nosuch")  # noqa: B009 - mypy knows that it is not there


def definitions_in(nodes: Sequence[ast.stmt]) -> list[Definition]:
    """The public functions and classes among some statements."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [node for node in nodes if isinstance(node, kinds) and not node.name.startswith("_")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_public_has_a_docstring(path: Path) -> None:
    """The module, its functions and classes, and the methods of these."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    outer = definitions_in(tree.body)
    inner = [definitions_in(node.body) for node in outer if isinstance(node, ast.ClassDef)]
    found = [*outer, *itertools.chain.from_iterable(inner)]
    assert ast.get_docstring(tree)
    assert [node.name for node in found if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("part", range(PARTS))
def test_every_module_can_be_imported_by_itself(part: int) -> None:
    """None relies on another having been imported before."""
    names = [
        module.name
        for module in pkgutil.walk_packages([str(PACKAGE)], "evalkit.")
        if module.name != "evalkit.__main__"
    ][part::PARTS]
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    for loaded in [n for n in sys.modules if n.partition('.')[0] == 'evalkit']:\n"
        "        del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
    )
    assert len(names) > 30
    subprocess.run([sys.executable, "-c", script, *names], check=True, timeout=120)


def modules_loaded_by(code: str) -> set[str]:
    """The heavy packages that some code loads in a process of its own."""
    script = f"import sys\n{code}\nprint('loaded:', *sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = done.stdout.rpartition("loaded:")[2].split()
    return {name for name in HEAVY if name in loaded}


@pytest.mark.parametrize(
    "code",
    [
        "import evalkit",
        "import evalkit; evalkit.__all__; dir(evalkit); evalkit.__version__",
        "import evalkit; evalkit.load_benchmark('everyday')",
        "import evalkit; evalkit.wilson_interval(84, 100)",
        "import evalkit; evalkit.RunSettings(way='prefill', limit=10)",
    ],
)
def test_importing_is_cheap(code: str) -> None:
    assert modules_loaded_by(code) == set()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["run", "--help"], ["show", "everyday"]]
)
def test_help_is_cheap(arguments: list[str]) -> None:
    code = (
        "from evalkit.cli.main import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit:\n"
        "    pass"
    )
    assert modules_loaded_by(code) == set()
