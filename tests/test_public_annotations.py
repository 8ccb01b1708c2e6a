"""What a public name takes, holds or gives has a public name itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

import evalkit

PACKAGE = Path(evalkit.__file__).parent

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Place: TypeAlias = tuple[str, str]
"""The module where a name is defined, and the name."""

KEPT_INSIDE = {
    "Source": "the keys of a definition's file, which the guide to benchmarks tells",
    "FieldMap": "the same",
    "FoundFiles": "the files that a source stands for, as `Definition.locate` says in a word",
    "Tally": "packed codes, which the methods of `Run` read",
}
"""What has no public name, and why."""


@cache
def tree_of(module: str) -> ast.Module:
    """A module as it is written."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


def find(module: str, name: str) -> tuple[Place, ast.stmt] | None:
    """Where a name of a module is defined, and how; None if it is not evalkit's."""
    for node in tree_of(module).body:
        if name in names_defined_by(node):
            return (module, name), node
    for imported in ast.walk(tree_of(module)):
        if isinstance(imported, ast.ImportFrom) and (imported.module or "").startswith("evalkit."):
            for alias in imported.names:
                if (alias.asname or alias.name) == name:
                    return find(str(imported.module), alias.name)
    return None


def names_defined_by(node: ast.stmt) -> list[str]:
    """The names that a statement of a module gives."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target]
    elif isinstance(node, ast.Assign):
        targets = node.targets
    return [target.id for target in targets if isinstance(target, ast.Name)]


def list_annotations(module: str, node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """What is said of the types of a definition, each with the module where it is said."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        taken = node.args
        for each in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs, taken.vararg, taken.kwarg):
            if each is not None and each.annotation is not None:
                yield module, each.annotation
        if node.returns is not None:
            yield module, node.returns
    elif isinstance(node, ast.ClassDef):
        for member in node.body:
            if is_public(member):
                yield from list_annotations(module, member)
        for base in node.bases:
            found = find(module, base.id) if isinstance(base, ast.Name) else None
            if found is not None:
                yield from list_annotations(found[0][0], found[1])
    elif isinstance(node, ast.AnnAssign):
        yield module, node.annotation
    elif isinstance(node, ast.Assign):
        yield module, node.value


def is_public(member: ast.stmt) -> bool:
    """Whether users meet a member of a class."""
    if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
        return member.name == "__init__" or not member.name.startswith("_")
    is_field = isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name)
    return is_field and not names_defined_by(member)[0].startswith("_")


def list_mentioned(module: str, node: ast.stmt) -> Iterator[Place]:
    """What evalkit defines of all that the types of a definition are made of."""
    for where, annotation in list_annotations(module, node):
        for part in ast.walk(annotation):
            if isinstance(part, ast.Name) and (found := find(where, part.id)) is not None:
                yield found[0]


@cache
def offered() -> dict[str, tuple[Place, ast.stmt]]:
    """The public names, each with its definition."""
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    found = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                definition = find(f"evalkit.{node.module}", alias.name)
                assert definition is not None, alias.name
                found[alias.name] = definition
    return found


def list_hidden(name: str) -> set[str]:
    """What the types of a public name mention that is not public."""
    (module, _), node = offered()[name]
    public = {place for place, _ in offered().values()}
    return {place[1] for place in list_mentioned(module, node) if place not in public}


@pytest.mark.parametrize("name", evalkit.__all__)
def test_the_types_of_what_is_public_are_public(name: str) -> None:
    assert list_hidden(name) - set(KEPT_INSIDE) == set()


def test_what_is_kept_inside_is_met_somewhere() -> None:
    """Else the list of exceptions would hide what nobody needs hidden."""
    met = set().union(*map(list_hidden, evalkit.__all__))
    assert met == set(KEPT_INSIDE)


@pytest.mark.parametrize(
    ("name", "mentioned"),
    [
        ("run", "RunSettings"),
        ("Run", "Manifest"),
        ("CheckResult", "CheckStatus"),
        ("Comparison", "RunPair"),
        ("Answer", "Pick"),
        ("RunSettings", "Way"),
    ],
)
def test_parameters_attributes_properties_and_aliases_are_looked_at(
    name: str, mentioned: str
) -> None:
    (module, _), node = offered()[name]
    assert mentioned in {place[1] for place in list_mentioned(module, node)}


@pytest.mark.parametrize("name", evalkit.__all__)
def test_a_name_for_a_type_says_below_it_what_it_stands_for(name: str) -> None:
    (module, _), node = offered()[name]
    if name != "__version__" and isinstance(node, ast.Assign | ast.AnnAssign):
        body = tree_of(module).body
        below = body[body.index(node) + 1]
        assert isinstance(below, ast.Expr)
        assert isinstance(below.value, ast.Constant)
        assert isinstance(below.value.value, str)
