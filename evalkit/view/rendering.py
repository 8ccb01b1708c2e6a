"""Pages made from templates, in which every text is taken for untrusted."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from evalkit.progress import dollars
from evalkit.reports.html.templates import load_environment
from evalkit.reports.tables import clean_lines, percent

if TYPE_CHECKING:
    from jinja2 import Environment

STATIC = {
    "style.css": ("evalkit.reports.html", "templates/style.css"),
    "view.css": ("evalkit.view", "static/view.css"),
    "view.js": ("evalkit.view", "static/view.js"),
}
"""Where the files lie that pages refer to; no other is served."""

TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}


@cache
def load_templates() -> Environment:
    """The templates of the app, which share the layout of the report."""
    from jinja2 import ChoiceLoader, PackageLoader

    theirs = load_environment()
    assert theirs.loader is not None, "it finds the templates of the report"
    loader = ChoiceLoader([PackageLoader("evalkit.view"), theirs.loader])
    environment = theirs.overlay(loader=loader, finalize=tame)
    environment.filters = {**theirs.filters, "percent": percent, "dollars": dollars}
    return environment


def tame(value: Any) -> Any:
    """A text without what moves the cursor or turns the direction of writing; None as nothing."""
    if value is None:
        return ""
    # What a template has escaped already is a text of a kind of its own.
    return clean_lines(value) if type(value) is str else value


def render_page(template: str, **values: Any) -> bytes:
    """A page in UTF-8."""
    text = load_templates().get_template(template).render(values)
    return text.encode("utf-8", "replace")


@cache
def read_static(name: str) -> tuple[bytes, str] | None:
    """A file that pages refer to, with its type; None: there is no such."""
    if name not in STATIC:
        return None
    package, path = STATIC[name]
    data = files(package).joinpath(path).read_bytes()
    return data, TYPES[name.rpartition(".")[2]]
