"""A manifest says what a run is; whatever can change an answer gives the run another name."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import RunFormatError
from evalkit.models.model import Price
from evalkit.prompts import PromptFormat
from evalkit.runs.manifest import Identity, Manifest, Origin, find_git_commit, parse_manifest
from evalkit.version import __version__

IDENTITY = Identity(
    benchmark="everyday",
    benchmark_version="1",
    question_digest="ab" * 32,
    model="claude-haiku-4-5",
    endpoint="api.anthropic.com",
    way="prefill",
    prompt_digest=PromptFormat().digest,
    shots=0,
    parameters={"max_tokens": 1, "temperature": 0.0},
    api_version="2023-06-01",
    limit=None,
    seed=0,
)
MANIFEST = Manifest(
    identity=IDENTITY,
    prompt=PromptFormat(),
    questions=300,
    left_out=2,
    way_reason="auto: takes a prefill (known)",
    git_commit="0" * 40,
    learned=("claude-haiku-4-5 takes no temperature (no)",),
    price=Price(input=0.1, output=0.5, above_prompt_tokens=9, above=Price(input=1.0, output=5.0)),
)
OTHER: dict[str, Any] = {
    "benchmark": "facts",
    "benchmark_version": "2",
    "question_digest": "cd" * 32,
    "model": "claude-opus-4-5",
    "endpoint": "127.0.0.1:8080",
    "way": "instructed",
    "prompt_digest": "ef" * 32,
    "shots": 5,
    "parameters": {"max_tokens": 1},
    "api_version": "2026-10-21",
    "limit": 100,
    "seed": 1,
    "model_digest": "01" * 32,
    "samples": 3,
    "keep_text": False,
    "orders": "cyclic",
    "several": True,
    "origin": Origin(tool="inspect_ai", version="0.3.285", digest="23" * 32),
}


def stored(manifest: Manifest = MANIFEST) -> Any:
    """As it stands in manifest.json."""
    return json.loads(json.dumps(manifest.to_json()))


def test_the_run_id_never_changes() -> None:
    # The same command next year must find its folder.
    assert IDENTITY.run_id == "8d28c838f069"
    assert IDENTITY.folder_name == "everyday--claude-haiku-4-5--prefill--8d28c838f069"


def test_a_manifest_from_before_there_were_orders_is_that_of_the_same_run() -> None:
    table = stored()
    assert {"orders", "several"}.isdisjoint(table["identity"])
    del table["prompt"]["several"]
    assert parse_manifest(table).identity == IDENTITY
    drawn = replace(MANIFEST, identity=replace(IDENTITY, orders=3))
    assert parse_manifest(stored(drawn)).identity.orders == 3
    sets = replace(MANIFEST, identity=replace(IDENTITY, several=True))
    assert parse_manifest(stored(sets)).identity.several is True


def test_what_evalkit_asked_itself_is_written_as_before_there_were_imports() -> None:
    table = stored()
    assert "origin" not in table["identity"]
    assert not {"log", "notes"} & table.keys()


def test_an_imported_run_is_read_back_with_its_origin() -> None:
    identity = replace(IDENTITY, origin=OTHER["origin"])
    manifest = replace(MANIFEST, identity=identity, log="x.eval", notes=("cancelled",))
    assert parse_manifest(stored(manifest)) == manifest
    assert identity.folder_name.split("--")[2] == "by-inspect-ai"
    assert "options" not in stored(manifest)["identity"]["origin"]


def test_how_a_log_was_to_be_read_names_the_run() -> None:
    origins = [replace(OTHER["origin"], options=text) for text in ("", '{"predicted": "m1"}')]
    identities = [replace(IDENTITY, origin=origin) for origin in origins]
    assert identities[0].run_id != identities[1].run_id
    manifest = replace(MANIFEST, identity=identities[1])
    assert parse_manifest(stored(manifest)).identity == identities[1]


@pytest.mark.parametrize("name", [field.name for field in fields(Identity)])
def test_every_setting_names_the_run(name: str) -> None:
    other = replace(IDENTITY, **{name: OTHER[name]})
    assert other.run_id != IDENTITY.run_id
    assert other.folder_name != IDENTITY.folder_name


@given(benchmark=st.text(), model=st.text())
def test_a_folder_name_is_fit_for_any_disk(benchmark: str, model: str) -> None:
    identity = replace(IDENTITY, benchmark=benchmark, model=model)
    name = identity.folder_name
    assert re.fullmatch(r"[A-Za-z0-9.-]{1,200}", name)
    assert name.endswith(f"--prefill--{identity.run_id}")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("local/smollm2-135m", "local-smollm2-135m"),
        ("../../etc/passwd", "etc-passwd"),
        ("x" * 300, "x" * 60),
    ],
)
def test_a_folder_name_can_be_read(model: str, words: str) -> None:
    assert replace(IDENTITY, model=model).folder_name.split("--")[1] == words


def test_what_is_written_can_be_read() -> None:
    table = stored()
    assert (table["format"], table["run_id"]) == (1, IDENTITY.run_id)
    assert table["evalkit_version"] == __version__
    assert parse_manifest(table) == MANIFEST


def test_a_model_without_a_price_has_none_in_the_manifest() -> None:
    manifest = replace(MANIFEST, price=None, learned=())
    assert stored(manifest)["price"] is None
    assert parse_manifest(stored(manifest)) == manifest


# Braces would be taken for a placeholder.
WORDS = st.text().filter(lambda text: "{" not in text)


@given(
    system=WORDS | st.lists(WORDS, max_size=3).map(tuple),
    way_reason=st.text(),
    model=st.text(),
    seed=st.integers(),
    limit=st.none() | st.integers(min_value=1),
)
def test_whatever_is_written_can_be_read(
    system: str | tuple[str, ...], way_reason: str, model: str, seed: int, limit: int | None
) -> None:
    manifest = replace(
        MANIFEST,
        identity=replace(IDENTITY, model=model, seed=seed, limit=limit),
        prompt=PromptFormat(system=system),
        way_reason=way_reason,
    )
    assert parse_manifest(stored(manifest)) == manifest


@pytest.mark.parametrize("found", [0, 2, "1", None, "absent"])
def test_another_format_is_refused_by_name(found: Any) -> None:
    table = stored() | {"format": found}
    if found == "absent":
        del table["format"]
        found = None
    with pytest.raises(RunFormatError) as caught:
        parse_manifest(table)
    assert str(caught.value) == (
        f"manifest.json has format {found!r}; evalkit {__version__} reads 1"
    )


@pytest.mark.parametrize("table", [None, [], "manifest", 1])
def test_what_is_no_object_is_refused(table: Any) -> None:
    with pytest.raises(RunFormatError, match="has format None"):
        parse_manifest(table)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"identity": None}, "can't be used"),
        ({"identity": {}}, "can't be used"),
        ({"identity": stored()["identity"] | {"extra": 1}}, "extra"),
        ({"prompt": {"prefill": "ends in a space "}}, "may not end in white space"),
        ({"prompt": {"unknown": ""}}, "unknown"),
        ({"price": {"input": 1.0}}, "can't be used"),
        ({"price": stored()["price"] | {"extra": 1}}, "extra"),
        ({"learned": 7}, "can't be used"),
        ({"created_at": 5}, "must be str"),
        ({"created_at": "yesterday"}, "Invalid isoformat"),
        ({"questions": "absent"}, "questions"),
        ({"from the future": 1}, "from the future"),
        ({"identity": stored()["identity"] | {"seed": 7}}, "was changed"),
        ({"identity": stored()["identity"] | {"way": "sung"}}, "was changed"),
        ({"run_id": "0123456789ab"}, "was changed"),
    ],
)
def test_a_manifest_that_was_changed_is_refused(change: dict[str, Any], reason: str) -> None:
    table = {name: value for name, value in (stored() | change).items() if value != "absent"}
    with pytest.raises(RunFormatError, match=reason):
        parse_manifest(table)


def test_a_manifest_says_when_and_with_what() -> None:
    manifest = Manifest(identity=IDENTITY, prompt=PromptFormat(), questions=1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", manifest.created_at)
    assert re.fullmatch(r"3\.\d+\.\d+\S*", manifest.python_version)


def git(folder: Path, *arguments: str) -> None:
    """Run git as somebody, whatever the machine is set up for."""
    settings = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *settings, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_commit_is_that_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert find_git_commit() is None
    git(tmp_path, "init")
    assert find_git_commit() is None
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    commit = find_git_commit()
    assert commit is not None
    assert re.fullmatch("[0-9a-f]{40}", commit)
    (tmp_path / "file").write_text("two")
    assert find_git_commit() == f"{commit}-dirty"


def test_looking_for_the_commit_leaves_the_repository_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init")
    file, index = tmp_path / "file", tmp_path / ".git" / "index"
    file.write_text("text")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    os.utime(file, (1, 1))  # the same text, so that git would like to note the new time
    before = index.read_bytes()
    assert find_git_commit() is not None
    assert index.read_bytes() == before


def test_no_git_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert find_git_commit() is None
