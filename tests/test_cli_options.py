"""Options are checked at the door: one line says what is wrong with which."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from evalkit.cli.options import (
    new_parser,
    print_note,
    read_prompt,
)
from evalkit.errors import UsageError
from evalkit.prompts import PromptFormat


def test_a_parser_has_its_examples_below_its_options() -> None:
    commands = argparse.ArgumentParser(prog="evalkit").add_subparsers()
    text = new_parser(commands, "do", "do a thing", "  evalkit do it\n").format_help()
    assert text.startswith("usage: evalkit do")
    assert "Do a thing." in text
    assert text.endswith("examples:\n  evalkit do it\n")


def test_no_file_means_the_prompt_of_the_benchmark() -> None:
    assert read_prompt(None) is None


def test_a_prompt_is_read_from_its_table(tmp_path: Path) -> None:
    path = tmp_path / "prompt.toml"
    path.write_text('version = "1"\n[prompt]\nsystem = "Schön!"\n', encoding="utf-8")
    assert read_prompt(path) == PromptFormat(system="Schön!")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no table [prompt]"),
        (b'prompt = "x"', "has no table [prompt]"),
        (b"[promt]\nsystem = 'x'", "has no table [prompt]"),
        (b"[prompt", "can't be read: Expected ']'"),
        (b"\xff", "can't be read: 'utf-8' codec"),
        (b"[prompt]\ncolour = 'red'", ": prompt has no setting 'colour'; there are system, "),
        (b"[prompt]\nsystem = 1", ": prompt.system = 1: expected a text"),
        (b"[prompt]\nprefill = 'A: '", ": a prefill may not end in white space: 'A: '"),
        (b"[prompt]\nprefill = ''", ": a prefill may not be empty"),
        (b"[prompt]\ntemplate = '{stem}'", ": template = '{stem}': {choices} is missing"),
        (b"[prompt]\nlabels = 'roman'", ": labels = 'roman': expected 'letters' or 'digits'"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused_with_its_file(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "prompt.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_prompt(path)
    text = str(caught.value)
    assert text.startswith(f"{path} {message}" if message[0] != ":" else f"{path}{message}")


@pytest.mark.parametrize(
    ("name", "reason"), [("missing.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_a_prompt_that_is_not_there_is_named_once(tmp_path: Path, name: str, reason: str) -> None:
    path = tmp_path / name
    with pytest.raises(UsageError) as caught:
        read_prompt(path)
    assert str(caught.value) == f"{path} can't be read: {reason}"


def test_notes_go_to_standard_error_without_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_note("one\x1b[2J\n  two\x07 \ud800")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "one�[2J\n  two� �\n")
