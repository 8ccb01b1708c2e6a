"""Write the HELM sample by the format that HELM's source documents; HELM itself did not run.

python -m tests.logs.make_helm QUESTIONS.jsonl TO
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LETTERS = "ABCD"
SAID = ("B", "D", "B", "A", "D", "B", "C", "A", "C", "B")
"""The completions, one a question; that of the last question failed."""


def make_instance(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """An instance, whose references are tagged."""
    right = LETTERS.index(row["answer"])
    return {
        "input": {"text": row["question"]},
        "references": [
            {"output": {"text": text}, "tags": ["correct"] if place == right else []}
            for place, text in enumerate(row["choices"])
        ],
        "split": "test",
        "sub_split": row["subject"],
        "id": f"id{number}",
    }


def make_request_state(number: int, row: dict[str, Any], said: str | None) -> dict[str, Any]:
    """A request with its result; said None: it failed."""
    result: dict[str, Any] = {"success": False, "error": "timed out", "cached": False}
    result |= {"embedding": [], "completions": []}
    if said is not None:
        completion = {"text": f" {said}", "logprob": -0.1, "tokens": []}
        completion["finish_reason"] = {"reason": "length"}
        result = {"success": True, "embedding": [], "cached": False, "completions": [completion]}
    return {
        "instance": make_instance(number, row),
        "train_trial_index": 0,
        "output_mapping": dict(zip(LETTERS, row["choices"], strict=True)),
        "request": {"model": "openai/gpt2", "prompt": "...", "max_tokens": 1},
        "result": result,
        "num_train_instances": 5,
        "prompt_truncated": False,
    }


def make_stats(number: int, row: dict[str, Any], said: str) -> dict[str, Any]:
    """The scores of an instance."""
    score = float(said == row["answer"])
    names = ("exact_match", "quasi_exact_match")
    stats = [
        {"name": {"name": name, "split": "test"}, "count": 1, "sum": score, "mean": score}
        for name in names
    ]
    return {"instance_id": f"id{number}", "train_trial_index": 0, "stats": stats}


def main() -> None:
    """Write the files of one run."""
    questions, target = map(Path, sys.argv[1:])
    rows = [json.loads(line) for line in questions.read_text(encoding="utf-8").splitlines()]
    said: list[str | None] = [*SAID[: len(rows) - 1], None]
    adapter = {"method": "multiple_choice_joint", "model": "openai/gpt2", "max_train_instances": 5}
    states = [
        make_request_state(number, row, word)
        for number, (row, word) in enumerate(zip(rows, said, strict=True))
    ]
    stats = [
        make_stats(number, row, word)
        for number, (row, word) in enumerate(zip(rows, said, strict=True))
        if word is not None
    ]
    files = {
        "run_spec.json": {"name": "everyday:model=openai_gpt2", "adapter_spec": adapter},
        "scenario_state.json": {"adapter_spec": adapter, "request_states": states},
        "per_instance_stats.json": stats,
    }
    for name, value in files.items():
        (target / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
