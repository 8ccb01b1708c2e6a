"""What a probe found out is remembered for that model at that endpoint, and never in the way."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from evalkit.models.findings import LIFETIME_SECONDS, Findings, default_findings
from evalkit.models.model import Capabilities

UNKNOWN = Capabilities()
FOUND = Capabilities(prefill=False, temperature=True)


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    return Findings(path=tmp_path / "not there yet" / "findings.json")


def reopened(findings: Findings) -> Findings:
    """As another process sees the file."""
    return Findings(path=findings.path)


def test_a_finding_outlives_the_process(findings: Findings) -> None:
    findings.remember(FOUND, "m", "host")
    assert reopened(findings).add_to(UNKNOWN, "m", "host") == FOUND
    assert [path.name for path in findings.path.parent.iterdir()] == ["findings.json"]


@pytest.mark.parametrize(("model", "host"), [("other", "host"), ("m", "host:81"), ("m at", "host")])
def test_it_counts_for_that_model_at_that_endpoint_alone(
    model: str, host: str, findings: Findings
) -> None:
    findings.remember(FOUND, "m", "host")
    assert reopened(findings).add_to(UNKNOWN, model, host) == UNKNOWN


def test_a_later_finding_takes_the_place_of_an_earlier_one(findings: Findings) -> None:
    findings.remember(FOUND, "m", "host")
    later = Capabilities(prefill=True, temperature=False)
    reopened(findings).remember(later, "m", "host")
    assert reopened(findings).add_to(UNKNOWN, "m", "host") == later


def test_findings_of_others_are_kept(findings: Findings) -> None:
    other = reopened(findings)
    findings.remember(FOUND, "one", "host")
    other.remember(FOUND, "two", "host")
    for model in ("one", "two"):
        assert reopened(findings).add_to(UNKNOWN, model, "host") == FOUND


@pytest.mark.parametrize(
    ("known", "found", "together"),
    [
        # What was seen beats what the catalogue says; what was not seen leaves it as it is.
        (
            Capabilities(prefill=True, temperature=True),
            Capabilities(prefill=False, temperature=None),
            Capabilities(prefill=False, temperature=True),
        ),
        (
            Capabilities(prefill=None, temperature=None, thinking="always"),
            Capabilities(prefill=None, temperature=False),
            Capabilities(prefill=None, temperature=False, thinking="always"),
        ),
    ],
)
def test_findings_are_added_to_what_is_known(
    known: Capabilities, found: Capabilities, together: Capabilities, findings: Findings
) -> None:
    findings.remember(found, "m", "host")
    assert reopened(findings).add_to(known, "m", "host") == together


def test_all_that_an_error_can_teach_is_remembered(findings: Findings) -> None:
    taught = Capabilities(
        prefill=False,
        temperature=False,
        forced_tool=False,
        structured=False,
        thinking="between_tools",
        think_on="enabled",
        efforts=(),
    )
    findings.remember(taught, "m", "host")
    assert reopened(findings).add_to(UNKNOWN, "m", "host") == taught


@pytest.mark.parametrize(
    "learned",
    [
        {"thinking": "unknown"},
        {"thinking": "sometimes"},
        {"thinking": ["off"]},
        {"think_on": None},
        {"think_on": True},
        {"efforts": ["low"]},
        {"efforts": None},
        {"efforts": 0},
        {"forced_tool": "no"},
        {"structured": None},
        {"prefill": 0},
        {"from the future": True},
    ],
)
def test_what_is_no_finding_is_left_alone(learned: dict[str, Any], findings: Findings) -> None:
    findings.path.parent.mkdir()
    entry = {"m at host": {"at": time.time(), **learned}}
    findings.path.write_text(json.dumps(entry))
    known = Capabilities(thinking="disabled", think_on="adaptive", efforts=("low",), prefill=True)
    assert findings.add_to(known, "m", "host") == known


@pytest.mark.parametrize(
    ("age_seconds", "counts"),
    [(0.0, True), (LIFETIME_SECONDS - 60, True), (LIFETIME_SECONDS + 60, False)],
)
def test_after_a_week_a_server_is_asked_anew(
    age_seconds: float, counts: bool, findings: Findings
) -> None:
    findings.remember(FOUND, "m", "host")
    entries = json.loads(findings.path.read_text())
    entries["m at host"]["at"] = time.time() - age_seconds
    findings.path.write_text(json.dumps(entries))
    found = reopened(findings).add_to(UNKNOWN, "m", "host")
    assert found == (FOUND if counts else UNKNOWN)


BROKEN: list[Any] = [
    b"",
    b'{"m at host": {"prefill": tr',
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"m at host": null}',
    b'{"m at host": []}',
    b'{"m at host": {}}',
    b'{"m at host": {"prefill": true}}',
    b'{"m at host": {"prefill": true, "at": "today"}}',
    b'{"m at host": {"prefill": true, "at": null}}',
    b'{"m at host": {"prefill": "yes", "temperature": 1, "at": 9e99}}',
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_is_as_good_as_empty(content: bytes, findings: Findings) -> None:
    findings.path.parent.mkdir()
    findings.path.write_bytes(content)
    assert findings.add_to(UNKNOWN, "m", "host") == UNKNOWN
    findings.remember(FOUND, "m", "host")
    assert reopened(findings).add_to(UNKNOWN, "m", "host") == FOUND


def test_where_nothing_can_be_written_this_process_still_knows(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    findings = Findings(path=tmp_path / "file" / "findings.json")
    findings.remember(FOUND, "m", "host")
    assert findings.add_to(UNKNOWN, "m", "host") == FOUND
    assert reopened(findings).add_to(UNKNOWN, "m", "host") == UNKNOWN


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    findings = Findings(path=tmp_path / "findings.json")
    (findings.path / "in the way").mkdir(parents=True)
    findings.remember(FOUND, "m", "host")
    assert [path.name for path in tmp_path.iterdir()] == ["findings.json"]


def test_the_file_lies_in_the_cache_folder(
    own_environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert default_findings().path == own_environment / "findings.json"
    monkeypatch.delenv("EVALKIT_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_findings().path == tmp_path / "evalkit" / "findings.json"
