"""Every shipped definition has its facts, and reads rows of the shape in which its set lies."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from evalkit.benchmarks import Benchmark, Definition, load_benchmark, parse_definition
from evalkit.errors import QuestionSetError
from evalkit.loaders.archive import split_pattern
from evalkit.loaders.hub_layout import HubSet, choose_files
from evalkit.loaders.web import is_address
from evalkit.prompts import build_prompt
from evalkit.questions import Question
from evalkit.suites import parse_suite
from tests.hub_server import COMMIT, HubServer, Repository
from tests.shipped_rows import Row, Sample, list_samples, pack

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
OWN = ("everyday", "facts")
"""Sets that come with evalkit, questions and all."""

ONLY_LOCAL = ("mmmu-pro",)
"""A sample in its authors' repository, which tests/test_real_data.py reads."""

PATHS = sorted(FOLDER.glob("*.toml"))
SUITES = {path.stem: suite for path in PATHS if (suite := parse_suite(path)) is not None}
NAMES = [path.stem for path in PATHS if path.stem not in (*OWN, *SUITES)]
SAMPLES = list_samples(NAMES)

UNSURE = {
    *("licence", "homepage", "citation", "questions", "choices"),
    *("revision", "paths", "example_split", "columns"),
}
"""Facts that a definition may mark as unverified."""

WITHHELD: dict[str, Row] = {
    "hellaswag": {"label": ""},
    "winogrande": {"answer": ""},
    "commonsenseqa": {"answerKey": ""},
    "qasc": {"answerKey": ""},
    "piqa": {"label": -1},
    "siqa": {"label": ""},
    "xcopa": {"label": -1},
    "copa": {"label": -1},
    "cosmosqa": {"label": -1},
    "medmcqa": {"cop": -1},
    "boolq": {"answer": None},
    "mmmu": {"answer": "?"},
    "ceval": {"answer": ""},
}
"""How sets leave answers open in their test splits."""


@cache
def read(name: str) -> Definition:
    return parse_definition(FOLDER / f"{name}.toml")


def list_places(hub: HubSet, file: str) -> list[str]:
    """The same file for every config of a set."""
    own = next((config for config in hub.configs if file.startswith(f"{config}/")), None)
    if own is None:
        return [file]
    return [f"{config}{file.removeprefix(own)}" for config in hub.configs]


def list_files(name: str, rows: Sequence[Row]) -> dict[str, Sequence[Row]]:
    """The files of a set: each config with these rows, and the sample as its worked example."""
    sample, source = SAMPLES[name], read(name).source
    hub = source.hub
    if hub is None:
        files = {sample.file: rows}
        if source.examples:
            files[sample.file.replace("/test/", "/dev/")] = [sample.row]
        return files
    files = dict.fromkeys(list_places(hub, sample.file), rows)
    if hub.example_split is not None:
        for place in list(files):
            start, _, end = place.rpartition(hub.split)
            files[f"{start}{hub.example_split}{end}"] = [sample.row]
    return files


def list_rows(name: str, **changes: Any) -> list[Row]:
    """The sample's row, changed if need be, and those that are no questions."""
    return [{**SAMPLES[name].row, **changes}, *SAMPLES[name].left_out]


def publish(name: str, folder: Path, rows: Sequence[Row]) -> Sample:
    """Write a set's files into a data folder."""
    hub = read(name).source.hub
    home = folder if hub is None else folder / hub.repository.replace("/", "--")
    for place, content in list_files(name, rows).items():
        outer, inner = split_pattern(place)
        path = home / outer
        path.parent.mkdir(parents=True, exist_ok=True)
        if inner:
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr(inner, pack(place, content))
        else:
            path.write_bytes(pack(place, content))
    return SAMPLES[name]


@pytest.fixture
def loaded(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Benchmark, Question, Sample]:
    """A set with its question, read from files as published."""
    monkeypatch.setenv("EVALKIT_CACHE_DIR", str(tmp_path / "cache"))
    sample = publish(request.param, tmp_path, list_rows(request.param))
    benchmark = load_benchmark(FOLDER / f"{request.param}.toml", data_folder=tmp_path)
    found = [q for q in benchmark.question_set.questions if q.group == sample.group]
    assert len(found) == 1
    return benchmark, found[0], sample


# Facts


def test_there_are_more_than_forty_and_each_is_tried_here() -> None:
    assert len(NAMES) > 100
    assert {*SAMPLES, *ONLY_LOCAL} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_has_every_fact_or_says_which_it_lacks(name: str) -> None:
    definition = read(name)

    assert definition.name == name
    assert definition.version == "1"
    assert definition.title
    assert definition.licence
    assert definition.homepage.startswith("https://")
    assert re.search(r" (19|20)\d\d, ", definition.citation)
    assert definition.questions is not None or "questions" in definition.unverified
    assert set(definition.unverified) <= UNSURE
    # Nobody has looked up the licence of what has none.
    assert definition.licence != "unknown" or "licence" in definition.unverified


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_made_of_shipped_benchmarks_and_says_what_they_have_in_common(name: str) -> None:
    suite = SUITES[name]

    assert suite.name == name
    assert suite.title
    assert suite.note.endswith(".")
    assert set(suite.benchmarks) <= set(NAMES)
    assert {read(member).version for member in suite.benchmarks} == {"1"}


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("mmlu-by-group", ("mmlu-stem", "mmlu-humanities", "mmlu-social-sciences", "mmlu-other")),
        ("belebele-languages", "belebele-"),
        ("global-mmlu-languages", "global-mmlu-"),
        ("mmmlu-languages", "mmmlu-"),
    ],
)
def test_a_suite_of_a_family_has_all_of_it(name: str, family: str | tuple[str, ...]) -> None:
    assert sorted(SUITES[name].benchmarks) == [each for each in NAMES if each.startswith(family)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_fetched_is_pinned_or_said_not_to_be(name: str) -> None:
    definition = read(name)
    hub, files = definition.source.hub, definition.source.files

    if hub is None:
        addresses = list(filter(is_address, files))
        assert name in ONLY_LOCAL or addresses
        pinned = all(re.search(r"/[0-9a-f]{40}/", address) for address in addresses)
        assert pinned is ("revision" not in definition.unverified)
    elif hub.is_pinned:
        assert re.fullmatch(r"[0-9a-f]{40}", hub.revision)
        assert "revision" not in definition.unverified
    else:
        assert "revision" in definition.unverified


@pytest.mark.parametrize("name", [name for name in NAMES if read(name).source.sha256])
def test_a_digest_is_that_of_a_file_that_is_asked_for(name: str) -> None:
    source = read(name).source
    assert source.hub is not None
    for file in source.sha256:
        assert [found.name for found in choose_files([file], source.hub, source.hub.split)]


def test_the_four_groups_of_mmlu_are_its_57_subjects() -> None:
    parts = ("mmlu-stem", "mmlu-humanities", "mmlu-social-sciences", "mmlu-other")
    hubs = [read(name).source.hub for name in ("mmlu", *parts)]
    whole, *others = [hub.configs for hub in hubs if hub is not None]

    assert len(set(whole)) == len(whole) == 57
    assert sorted(subject for part in others for subject in part) == list(whole)
    assert sum(read(name).questions or 0 for name in parts) == read("mmlu").questions


def test_the_groups_of_mmlu_read_the_authors_files_of_their_subjects() -> None:
    for name in ("mmlu-stem", "mmlu-humanities", "mmlu-social-sciences", "mmlu-other"):
        source = read(name).source
        assert source.hub is not None
        assert source.files == tuple(f"data/test/{s}_test.csv" for s in source.hub.configs)
        assert source.examples == tuple(f"data/dev/{s}_dev.csv" for s in source.hub.configs)


# Rows


@pytest.mark.parametrize("loaded", SAMPLES, indirect=True)
def test_a_row_as_published_becomes_its_question(
    loaded: tuple[Benchmark, Question, Sample],
) -> None:
    benchmark, question, sample = loaded
    shuffled = read(benchmark.name).fields.shuffle_seed is not None

    assert question.stem == sample.stem
    assert shuffled or question.choices == sample.choices
    assert sorted(question.choices) == sorted(sample.choices)
    assert [question.choices[n] for n in question.right] == [
        sample.choices[n] for n in sample.right
    ]
    assert (question.cluster, len(question.images)) == (sample.cluster, sample.images)


@pytest.mark.parametrize("loaded", SAMPLES, indirect=True)
def test_the_chance_level_is_that_of_the_choices(
    loaded: tuple[Benchmark, Question, Sample],
) -> None:
    benchmark, question, _ = loaded
    chance = benchmark.definition.chance

    assert chance is None or chance == 1 / len(question.choices)


@pytest.mark.parametrize("loaded", SAMPLES, indirect=True)
def test_worked_examples_come_from_the_split_for_them(
    loaded: tuple[Benchmark, Question, Sample],
) -> None:
    benchmark, _, sample = loaded
    source = benchmark.definition.source
    split = source.examples if source.hub is None else source.hub.example_split
    groups = [example.group for example in benchmark.question_set.examples]

    assert (sample.group in groups) is bool(split)


@pytest.mark.parametrize("loaded", SAMPLES, indirect=True)
def test_a_prompt_shows_stem_and_choices_and_gives_nothing_away(
    loaded: tuple[Benchmark, Question, Sample],
) -> None:
    benchmark, question, sample = loaded
    prompt = build_prompt(question, benchmark.definition.prompt)

    assert sample.stem in prompt.question
    assert all(f") {choice}" in prompt.question for choice in sample.choices)
    assert "SECRET" not in prompt.question
    assert "SECRET" not in str(sample.stem)


@pytest.mark.parametrize(
    ("name", "request_for"),
    [
        ("hellaswag", "How does this text go on?"),
        ("winogrande", "Which choice fits the blank, marked _?"),
        ("piqa", "Which choice reaches this goal?"),
        ("copa", "its cause or its effect"),
        ("xcopa", "its cause or its effect"),
    ],
)
def test_a_text_that_is_no_question_is_given_one(name: str, request_for: str) -> None:
    assert request_for in read(name).prompt.template


@pytest.mark.parametrize(("name", "changes"), WITHHELD.items())
def test_an_answer_that_is_withheld_is_refused_by_its_column(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, changes: Row
) -> None:
    monkeypatch.setenv("EVALKIT_CACHE_DIR", str(tmp_path / "cache"))
    publish(name, tmp_path, list_rows(name, **changes))
    with pytest.raises(QuestionSetError) as caught:
        load_benchmark(FOLDER / f"{name}.toml", data_folder=tmp_path)

    [field] = changes
    assert {(p.field, p.remedy) for p in caught.value.problems} == {
        (field, "the row has no answer")
    }


@pytest.mark.parametrize("name", ["gpqa-diamond", "sciq", "truthfulqa-mc1"])
def test_a_right_choice_that_the_file_puts_first_comes_at_any_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALKIT_CACHE_DIR", str(tmp_path / "cache"))
    fields = read(name).fields
    [asked] = fields.stem[-1:]
    rows = [
        {**SAMPLES[name].row, asked: f"Kite {number}?", fields.id or asked: f"Kite {number}?"}
        for number in range(200)
    ]
    publish(name, tmp_path, rows)
    found = load_benchmark(FOLDER / f"{name}.toml", data_folder=tmp_path).question_set.questions
    places = Counter(question.right[0] for question in found)

    assert len(found) == 200
    assert sorted(places) == list(range(len(SAMPLES[name].choices)))
    assert min(places.values()) > 25


def test_several_right_answers_of_a_row_are_kept(tmp_path: Path) -> None:
    name = "agieval-gaokao-physics"
    publish(name, tmp_path, list_rows(name, label=["B", "C"]))
    path = FOLDER / f"{name}.toml"
    [question] = load_benchmark(path, data_folder=tmp_path).question_set.questions

    assert question.right == (1, 2)


@pytest.mark.parametrize("name", ["aqua", "puzzlevqa", "mmlu"])
def test_what_is_said_of_authors_files_does_not_bind_the_hubs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their format, their columns, and subjects that are in their names."""
    monkeypatch.setenv("EVALKIT_CACHE_DIR", str(tmp_path / "cache"))
    publish(name, tmp_path, list_rows(name))
    source = read(name).source
    assert source.format or source.columns
    found = load_benchmark(FOLDER / f"{name}.toml", data_folder=tmp_path).question_set

    assert {question.group for question in found.questions} <= {
        None,
        *(config.replace("_", " ") for config in (source.hub.configs if source.hub else ())),
    }


# The hub


@pytest.mark.parametrize(
    "name",
    [
        *("arc-easy", "mmlu-other", "mmmlu-de-de", "belebele-eng-latn", "gpqa-main", "medqa"),
        *("musr-murder-mysteries", "siqa", "mmmu", "mmmu-pro-10", "piqa", "bbq", "supergpqa"),
        *("scienceqa", "xcopa", "truthfulqa-mc1"),
    ],
)
def test_a_set_is_fetched_from_where_its_definition_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commit and digests are those of our hub here; the rest stands as it is shipped."""
    sample, hub = SAMPLES[name], read(name).source.hub
    assert hub is not None
    text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    text = re.sub(r'revision = "[0-9a-f]{40}"', f'revision = "{COMMIT}"', text)
    text = re.sub(r"\[source.sha256\]\n.*\n", "", text)
    path = tmp_path / f"{name}.toml"
    path.write_text(re.sub(r"(?m)^questions = .*\n", "", text), encoding="utf-8")
    files = {place: pack(place, rows) for place, rows in list_files(name, list_rows(name)).items()}
    access = "gated" if name.startswith("gpqa") else "public"
    repository = Repository({"README.md": b"#"} | files, converted=files, access=access)
    monkeypatch.setenv("EVALKIT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setenv("HF_TOKEN", HubServer.token)
    with HubServer({hub.repository: repository}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        found = load_benchmark(path).question_set

    assert [q.stem for q in found.questions if q.group == sample.group] == [sample.stem]
    assert bool(found.examples) is (hub.example_split is not None)
