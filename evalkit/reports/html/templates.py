"""The templates, styles and scripts of pages, with the policy that lets no others run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from evalkit.errors import MissingExtraError

if TYPE_CHECKING:
    from jinja2 import Environment, Template

FOLDER = "templates"

ENDING = re.compile(r"</(script|style)|<!--", re.IGNORECASE)
"""What would end a script or style before its end."""


@cache
def load_environment() -> Environment:
    """What renders templates: every value is escaped, and none may be missing.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise MissingExtraError("an HTML page", "report") from None
    return Environment(
        loader=PackageLoader(__package__, FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def load_template(name: str) -> Template:
    """A template, such as `report.html`.

    Raises:
        MissingExtraError: Jinja is not installed.
    """
    return load_environment().get_template(name)


@cache
def read_asset(name: str) -> str:
    """A style or script, which can stand within a page as it is."""
    text = resources.files(__package__).joinpath(FOLDER, name).read_text(encoding="utf-8")
    assert not ENDING.search(text), f"{name} would end early"
    return text


def build_policy(styles: Iterable[str], scripts: Iterable[str]) -> str:
    """A Content-Security-Policy for a page that has all within it and asks nobody.

    Args:
        styles: texts of the style elements.
        scripts: texts of the script elements that may run.

    Example:
        >>> build_policy([], ["1"]).split("; ")[-1][:20]
        "script-src 'sha256-a"
    """
    parts = ["default-src 'none'", "base-uri 'none'", "form-action 'none'", "img-src data:"]
    for name, texts in (("style-src", styles), ("script-src", scripts)):
        sources = " ".join(f"'sha256-{digest_asset(text)}'" for text in texts) or "'none'"
        parts.append(f"{name} {sources}")
    return "; ".join(parts)


def digest_asset(text: str) -> str:
    """The digest by which a policy names a style or script."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
