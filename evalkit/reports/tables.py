"""Tables for the terminal."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

MIN_WIDTH = 80
"""Columns of text that a table may take where the terminal has fewer."""

WIDTH_OF_FILES = 120
"""Columns of text that a table may take where there is no terminal."""

CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""What moves the cursor, changes colours or turns the direction of writing; half characters, and
what is none."""


def percent(share: float | None) -> str:
    """A fraction as a percentage with one decimal.

    Example:
        >>> percent(0.875), percent(None)
        ('87.5', '-')
    """
    return "-" if share is None else f"{100 * share:.1f}"


def clean(text: str) -> str:
    r"""Untrusted text as one line, without control characters: they could write over others.

    Example:
        >>> clean("a\tb\x1b[2J")
        'a�b�[2J'
    """
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def clean_lines(text: str) -> str:
    """Untrusted text without control characters except tabs and ends of lines."""
    return re.sub(r"[^\t\n]+", lambda part: clean(part[0]), text)


def new_table(title: str, *, left: Sequence[str], right: Sequence[str]) -> Table:
    """An empty table; numbers stand to the right."""
    from rich import box
    from rich.table import Table

    # Two spaces between columns: the tables fit 80 of them.
    table = Table(
        caption=title, box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for name in left:
        table.add_column(name, justify="left", overflow="fold")
    for name in right:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def render_table(table: Table) -> str:
    """A table below its title, wide enough for its numbers even where the terminal is not."""
    from rich.console import Console

    title, table.caption = table.caption, None
    file = io.StringIO()
    console = Console(
        file=file,
        width=find_width(),
        color_system=None,
        markup=False,
        emoji=False,
        force_jupyter=False,
    )
    console.print(table)
    lines = [line.rstrip() for line in file.getvalue().strip("\n").splitlines()]
    return "\n".join([str(title), *lines] if title else lines) + "\n"


def find_width() -> int:
    """Columns of text that a table may take."""
    return max(MIN_WIDTH, shutil.get_terminal_size((WIDTH_OF_FILES, 24)).columns)
