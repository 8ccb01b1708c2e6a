"""How each run was asked stands in the page, with all that tells it from others."""

from __future__ import annotations

import pytest

from evalkit.prompts import PromptFormat
from evalkit.reports.html.run_facts import build_run_facts
from evalkit.requests import WAYS, Way
from tests.runs_in_memory import judged_run


@pytest.mark.parametrize("way", WAYS)
def test_a_run_tells_how_it_was_asked(way: Way) -> None:
    form = PromptFormat(system=("One.", "Two."))
    run = judged_run("m\x00", ["correct", "wrong"], way=way, prompt=form, seed=7, keep_text=False)
    found = build_run_facts(1, "m", run)
    facts = {fact.name: fact.value for fact in found.facts}
    identity = run.manifest.identity
    assert facts["Model asked"] == "m\ufffd"
    assert facts["Endpoint"] == "api.example"
    assert facts["Way of asking"] == way
    assert facts["Settings"] == '{"max_tokens": 1, "temperature": 0.0}'
    assert facts["Seed"] == "7"
    assert facts["System prompt"] == "One.\n\nTwo."
    assert facts["Texts kept"] == "no"
    assert facts["Digest of questions"] == identity.question_digest
    assert facts["Run"] == identity.run_id
    assert ("Prefill" in facts) is (way == "prefill")
    assert ("Instruction" in facts) is (way != "prefill")
    assert "Digest of weights" not in facts
    assert found.benchmark == "sums"
    assert any("chance" in note for note in found.notes)
