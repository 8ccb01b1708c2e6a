"""The README's examples: found, run in one folder in their order, and written anew on request.

`python -m tests.readme_examples` runs all of them, the embedded models included, and puts what they
print into the README.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"

BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
DEMO = re.compile(r"^<!-- demo -->\n```bash\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Example:
    """Something that the README runs, with what it says that comes of it."""

    code: str
    """A command line, or Python."""
    output: str
    span: tuple[int, int]
    """Where the output stands in the README."""
    is_python: bool = False

    @property
    def needs_weights(self) -> bool:
        """Whether it asks an embedded model, or looks at the runs of one."""
        if self.code.startswith("evalkit check"):
            return True
        return self.is_python or ("local" in self.code and "broken" not in self.code)

    @property
    def file(self) -> str | None:
        """The file that it shows, which has to be there before."""
        match = re.fullmatch(r"cat (\S+)", self.code)
        return match[1] if match else None


def find_examples(text: str) -> list[Example]:
    """The demo, every command of the console blocks, and the Python block, in order."""
    examples: list[Example] = []
    demo = DEMO.search(text)
    assert demo is not None
    command = demo["text"].strip().split(" && ")[-1].removeprefix(".venv/bin/")
    pending: tuple[str, bool] | None = (command, False)
    for block in BLOCK.finditer(text, demo.end()):
        if block["kind"] == "console":
            examples += find_commands(block["text"], block.start("text"))
        elif block["kind"] == "python":
            pending = (block["text"], True)
        elif block["kind"] == "text" and pending is not None:
            code, is_python = pending
            pending = None
            span = block.span("text")
            examples.append(
                Example(code=code, output=block["text"], span=span, is_python=is_python)
            )
    return examples


def find_commands(text: str, start: int) -> Iterator[Example]:
    """The commands of one console block, each with the lines below it."""
    for match in re.finditer(r"^\$ (?P<code>.*)\n(?P<output>(?:(?!\$ ).*\n)*)", text, re.MULTILINE):
        low, high = match.span("output")
        yield Example(code=match["code"], output=match["output"], span=(start + low, start + high))


def run_example(example: Example, folder: Path) -> str:
    """Run one example in a folder and return what it prints; of errors, the text that users see."""
    if example.file is not None:
        (folder / example.file).write_text(example.output, encoding="utf-8")
    keep = ("PATH", "HOME", "LANG", "EVALKIT_CACHE_DIR")
    environment = {name: os.environ[name] for name in keep if name in os.environ}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment["COLUMNS"] = "100"
    command = [sys.executable, "-c", example.code] if example.is_python else example.code
    done = subprocess.run(
        command,
        shell=not example.is_python,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    errors = done.stderr if done.returncode == 2 or example.is_python else ""
    return (done.stdout + errors).lstrip("\n")


def update_readme() -> None:
    """Run every example and write the outputs into the README."""
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        outputs = [(example, run_example(example, Path(name))) for example in find_examples(text)]
    for example, output in reversed(outputs):
        text = text[: example.span[0]] + output + text[example.span[1] :]
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    update_readme()
