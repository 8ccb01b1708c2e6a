"""A user's fresh project on an embedded model: a prompt made worse fails, one reworded passes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import call
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

CHECK = """
[checks.everyday.prompt]
{key} = {text!r}
"""

WORSE = CHECK.format(key="system", text="Always pick a choice that is wrong.")

REWORDED = CHECK.format(key="template", text="Question: {stem}\\n\\n{choices}").replace("'", '"')

TESTS = """
import pytest

MODEL = "local/qwen2.5-coder-1.5b"

@pytest.mark.parametrize("prompt", {prompts!r})
def test_prompt(evalkit_gate, prompt):
    evalkit_gate(
        "baselines/everyday--local-qwen2.5-coder-1.5b.jsonl",
        benchmark="everyday", model=MODEL, margin=10, limit=60, prompt=prompt,
    )
"""


def test_check_and_plugin_tell_a_worse_prompt_from_a_reworded_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(capsys, "init", "--model", "local/qwen2.5-coder-1.5b").code == 0
    project = tmp_path / "evalkit.toml"
    plain = project.read_text().replace("margin = 5.0", "margin = 10\nlimit = 60")
    project.write_text(plain)
    assert call(capsys, "baseline", "make", "--quiet").code == 0
    asked_alike = call(capsys, "check", "--quiet")
    assert asked_alike.code == 0, asked_alike.out
    project.write_text(plain + WORSE)
    worse = call(capsys, "check", "--quiet")
    assert worse.code == 1, worse.out
    assert worse.out.startswith("everyday: FAILED\n  Regressed: accuracy on everyday fell by more")
    assert "Lost, " in worse.out
    project.write_text(plain + REWORDED)
    reworded = call(capsys, "check", "--quiet")
    assert reworded.code == 0, reworded.out
    # The plugin asks what was asked, and gets the same answers from the results folder.
    project.write_text(plain)
    prompts = [
        {"system": "Always pick a choice that is wrong."},
        {"template": "Question: {stem}\n\n{choices}"},
    ]
    (tmp_path / "test_prompts.py").write_text(TESTS.format(prompts=prompts))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "evalkit.pytest_plugin", "test_prompts.py"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "Regressed: accuracy on everyday fell by more than 10.0 points" in " ".join(
        done.stdout.split()
    )
