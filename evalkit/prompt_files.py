"""A prompt in a TOML file of its own."""

from __future__ import annotations

import tomllib
from pathlib import Path

from evalkit.errors import PromptError, UsageError
from evalkit.prompts import PromptFormat, parse_prompt_format


def read_prompt_file(path: Path) -> PromptFormat:
    """The prompt format in a file.

    Raises:
        UsageError: the file can't be read, or has no [prompt] table, or one that can't be used.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} can't be read: {error}") from error
    if not isinstance(table.get("prompt"), dict):
        raise UsageError(f"{path} has no table [prompt]")
    try:
        return parse_prompt_format(table["prompt"])
    except PromptError as error:
        raise UsageError(f"{path}: {error}") from error
