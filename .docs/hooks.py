"""What MkDocs writes anew at each build: the help of every command."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

COMMANDS_PAGE = "reference/commands.md"

OPENING = """# Commands

What `evalkit --help` and `evalkit COMMAND --help` say.
"""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages that are made, not written."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, COMMANDS_PAGE, content=render_commands()))
    return files


def render_commands() -> str:
    """A section for each command and each command within it."""
    from evalkit.cli.main import build_parser

    os.environ["COLUMNS"] = "100"  # argparse would take the width of whatever terminal there is
    parts = [OPENING]
    for parser in walk(build_parser()):
        parts.append(f"## {parser.prog}\n\n```text\n{parser.format_help().rstrip()}\n```\n")
    return "\n".join(parts)


def walk(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser, and those of the commands below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            # An alias names a parser that is there already.
            for below in dict.fromkeys(action.choices.values()):
                yield from walk(below)
