"""The guides' examples: found, run in a folder for each guide, and written anew on request.

`python -m tests.guide_examples` runs all of them and puts what they print into the guides; with
names, such as `benchmarks`, those of these guides only. Embedded models take minutes.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.readme_examples import BLOCK, ROOT, Example, find_commands, run_example

PAGES = ROOT / ".docs" / "pages"
GUIDES = (PAGES / "index.md", *sorted((PAGES / "guides").glob("*.md")))

OUTPUT = re.compile(r"\n+```text\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

COPIED = re.compile(r"^<!-- copy (\S+) -->$", re.MULTILINE)


def find_guide_examples(text: str) -> Iterator[Example]:
    """Every command of the console blocks, and every Python block with the output right below it.

    A Python block without such an output has to print nothing.
    """
    for block in BLOCK.finditer(text):
        if block["kind"] == "console":
            yield from find_commands(block["text"], block.start("text"))
        elif block["kind"] == "python":
            below = OUTPUT.match(text, block.end())
            span = below.span("text") if below else (block.end(), block.end())
            yield Example(code=block["text"], output=text[slice(*span)], span=span, is_python=True)


def find_mere_commands(text: str) -> Iterator[str]:
    """The commands of evalkit in blocks that are shown and not run, each on one line."""
    for block in BLOCK.finditer(text):
        if block["kind"] == "bash":
            joined = block["text"].replace("\\\n", " ")
            yield from re.findall(r"^evalkit [^>|;\n]*", joined, re.MULTILINE)


def copy_files(text: str, folder: Path) -> None:
    """Put the files of this repository that a guide speaks of into the folder of its examples."""
    for name in COPIED.findall(text):
        shutil.copy(ROOT / name, folder)


def asks_models(path: Path) -> bool:
    """Whether a guide runs embedded models, named by its commands or in files that it shows."""
    examples = find_guide_examples(path.read_text(encoding="utf-8"))
    return any("local/" in example.code + example.output for example in examples)


def update_guide(path: Path) -> None:
    """Run the examples of a guide and write the outputs into it."""
    text = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        copy_files(text, Path(name))
        outputs = [
            (example, run_example(example, Path(name))) for example in find_guide_examples(text)
        ]
    for example, output in reversed(outputs):
        if example.span[0] < example.span[1] or not example.is_python:
            text = text[: example.span[0]] + output + text[example.span[1] :]
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for guide in GUIDES:
        if guide.stem in sys.argv[1:] or not sys.argv[1:]:
            update_guide(guide)
