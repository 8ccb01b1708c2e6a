"""Benchmarks: a definition read, checked, and joined to its question set."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import BenchmarkError, PromptError, QuestionSetError, RowProblem, UsageError
from evalkit.loaders.archive import find_archive, list_members
from evalkit.loaders.definition import (
    HUB_KEYS,
    DefinitionError,
    check_keys,
    parse_fields,
    parse_source,
    read_number,
    read_text,
    read_texts,
)
from evalkit.loaders.fields import FieldMap, build_question_set
from evalkit.loaders.guess import guess_fields
from evalkit.loaders.locating import (
    FoundFiles,
    can_fetch,
    fetch,
    fetch_remote,
    find_cached,
    find_local,
    is_remote,
    unpack,
)
from evalkit.loaders.parquet import count_rows
from evalkit.loaders.source import FORMATS, Source, bare_path, has_known_ending, read_rows
from evalkit.prompts import PromptFormat, parse_prompt_format
from evalkit.questions import MIN_CHOICES, QuestionSet, count_several

TEXT_KEYS = ("name", "title", "version", "licence", "homepage", "citation", "note")
ENTRY_POINTS = "evalkit.benchmarks"
"""The group of entry points by which other packages offer benchmarks."""

OTHER_KEYS = (
    "questions",
    "choices",
    "unverified",
    "source",
    "columns",
    "hub_columns",
    "prompt",
)


FACTS = (*TEXT_KEYS, *OTHER_KEYS, "hub", *HUB_KEYS, "files", "sha256")
"""What a definition may say that nobody has verified."""

DataPlace = Literal["beside", "data", "cache", "fetch", "missing"]
"""Where a set is: beside its definition, in the data folder, fetched earlier, to be fetched, or
nowhere that evalkit knows of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """What a benchmark's TOML file says; its questions are not read yet."""

    name: str
    version: str
    path: Path
    """The definition's file, or the question file if there is no definition."""
    source: Source
    fields: FieldMap
    prompt: PromptFormat
    title: str = ""
    licence: str = ""
    homepage: str = ""
    citation: str = ""
    note: str = ""
    split: str = ""
    """The split that was chosen, if it is not the set's own."""
    questions: int | None = None
    """How many questions the published set has."""
    choices: int | None = None
    """How many choices each question has, if all have as many."""
    unverified: tuple[str, ...] = ()
    """Facts of the definition that nobody has held against the published set."""
    hub_fields: FieldMap | None = None
    """The columns of the hub's files, if they differ from those of the authors' own files."""

    def choose_split(self, name: str) -> Definition:
        """The same set with the questions of another split.

        Raises:
            UsageError: the definition names no such split.
        """
        source = self.source
        files, hub = source.splits.get(name), source.hub
        # The hub knows its splits itself; which local files are which has to be said.
        if files is None and (hub is None or source.splits):
            known = ", ".join(source.splits) or "none"
            raise UsageError(
                f"{self.name} has no split {name!r}; its definition names {known} under "
                "[source.splits]"
            )
        hub = None if hub is None else replace(hub, split=name)
        if hub == source.hub and files in (None, source.files):
            return self
        # How many questions there are is said of the set's own split.
        source = replace(source, files=files or (), hub=hub)
        return replace(self, source=source, split=name, questions=None)

    def find_files(self, patterns: tuple[str, ...], data_folder: Path | None) -> tuple[Path, ...]:
        """Files that match the patterns, from the first folder that has any.

        Folders are tried in this order: the definition's own, the data folder, the set's usual
        folder within it.
        """
        source = replace(self.source, files=patterns, examples=(), hub=None)
        found = self.find_at_hand(source, data_folder)
        return () if found is None else found.paths

    def find_at_hand(self, source: Source, data_folder: Path | None) -> FoundFiles | None:
        """Files that a user has put beside the definition or into the data folder.

        Raises:
            BenchmarkError: a pattern of the source can't be searched for.
        """
        try:
            return find_local(source, self.name, self.path.parent, data_folder)
        except (ValueError, NotImplementedError, IndexError, OSError) as error:
            reason = f"source: {list(source.files)} are no patterns relative to a folder: {error}"
            raise BenchmarkError(reason, path=self.path) from error

    def count_rows(self, data_folder: Path | None) -> int | None:
        """How many rows the files at hand have, if they say so themselves, as Parquet does.

        Raises:
            MissingExtraError: pyarrow is not installed.
            BenchmarkError: a file can't be read.
        """
        found = self.find_at_hand(self.source, data_folder) or find_cached(self.source)
        if found is None or any(path.suffix != ".parquet" for path in found.paths):
            return None
        return sum(map(count_rows, found.paths))

    def locate(self, data_folder: Path | None) -> DataPlace:
        """Where the questions are, without reading or fetching them.

        Raises:
            BenchmarkError: a pattern of the source can't be searched for.
        """
        found = self.find_at_hand(self.source, data_folder)
        if found is not None:
            is_here = any(path.is_relative_to(self.path.parent) for path in found.paths)
            return "beside" if is_here else "data"
        if find_cached(self.source) is not None:
            return "cache"
        return "fetch" if can_fetch(self.source) else "missing"

    @property
    def chance(self) -> float | None:
        """Accuracy of blind guessing, if all questions have as many choices."""
        return None if self.choices is None else 1 / self.choices


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A definition with its questions.

    Example:
        >>> everyday = load_benchmark("everyday")
        >>> len(everyday.question_set.questions), len(everyday.question_set.examples)
        (300, 20)
    """

    definition: Definition
    question_set: QuestionSet
    is_part_of_several: bool = False
    """Whether these are a part of a set that has questions with several right choices."""

    @property
    def name(self) -> str:
        """The benchmark's name."""
        return self.definition.name

    @property
    def has_several(self) -> bool:
        """Whether the set has questions with several right choices."""
        return self.is_part_of_several or count_several(self.question_set.questions) > 0


def load_benchmark(
    name: str | Path, *, data_folder: Path | None = None, split: str | None = None
) -> Benchmark:
    """Read a benchmark and all its questions.

    Args:
        name: a shipped benchmark's name, a definition (.toml), or a question file (.csv, .tsv,
            .jsonl, .json, .parquet, .txt as HellaSwag's; packed as .gz or in a .zip) whose columns
            have usual names; also its address, https://... or hf://datasets/owner/name/file.
        data_folder: where published sets that evalkit does not ship lie on this machine.
        split: a name under [source.splits]; None: the definition's own.

    Raises:
        UsageError: the definition names no such split.
        BenchmarkError: there is no such benchmark, its definition is wrong, or its files are
            missing.
        QuestionSetError: rows can't be used; all are listed.

    Example:
        >>> benchmark = load_benchmark("everyday")
        >>> len(benchmark.question_set.questions), benchmark.definition.chance
        (300, 0.25)
    """
    definition = load_definition(name)
    if split is not None:
        definition = definition.choose_split(split)
    definition, found = bring_here(definition, data_folder)
    questions = read_questions(definition, found)
    if not questions.questions:
        raise BenchmarkError("there is no question in it", path=found.paths[0])
    if found.is_whole:
        check_count(definition, len(questions.questions))
    return Benchmark(definition=definition, question_set=questions)


def bring_here(definition: Definition, data_folder: Path | None) -> tuple[Definition, FoundFiles]:
    """Find the files of a set, or fetch them.

    Returns:
        The definition as it holds for these files, and the files.

    Raises:
        BenchmarkError: there are none, or they can't be fetched.
    """
    found = definition.find_at_hand(definition.source, data_folder)
    if found is None and can_fetch(definition.source):
        found = fetch(definition.source)
    if found is None:
        raise BenchmarkError(missing_files(definition, data_folder), path=definition.path)
    if found.has_hub_columns:
        fields = definition.hub_fields or definition.fields
        definition = replace(definition, fields=fields, source=definition.source.of_hub)
    return definition, found


def check_count(definition: Definition, count: int) -> None:
    """Refuse a fetched set that is not as large as it should be, if that number is certain.

    Raises:
        BenchmarkError: it is not.
    """
    expected = definition.questions
    if expected in (None, count) or "questions" in definition.unverified:
        return
    raise BenchmarkError(
        f"{definition.name} came with {count:,} questions, and the published set has {expected:,}: "
        "the set has changed, or the definition takes another revision, config, split or filter",
        path=definition.path,
    )


def read_questions(definition: Definition, found: FoundFiles) -> QuestionSet:
    """Read the questions of some files, and the worked examples of others.

    Raises:
        BenchmarkError: a file can't be read.
        QuestionSetError: rows can't be used; those of all files are listed.
    """
    problems: list[RowProblem] = []
    hints: list[str] = []
    sets: list[QuestionSet] = []
    for paths in (found.paths, found.examples):
        rows = read_rows(
            paths, definition.source, columns=definition.fields.columns, groups=found.groups
        )
        try:
            sets.append(build_question_set(rows, definition.fields))
        except QuestionSetError as error:
            problems += error.problems
            hints.append(error.hint)
    if problems:
        raise QuestionSetError(tuple(problems), hint="; ".join(filter(None, hints)))
    asked, shown = sets
    return QuestionSet(
        questions=asked.questions,
        examples=(*asked.examples, *shown.questions, *shown.examples),
        filtered=asked.filtered,
    )


def missing_files(definition: Definition, data_folder: Path | None) -> str:
    """Say which files a definition needs and where they may lie."""
    wanted = ", ".join(definition.source.files)
    if data_folder is None:
        where = "name the folder that holds it with --data or EVALKIT_DATA"
    else:
        where = f"nothing matches below {data_folder}"
    origin = f" (from {definition.homepage})" if definition.homepage else ""
    return f"{definition.name} needs {wanted}{origin}, which is not shipped: {where}"


def load_definition(name: str | Path) -> Definition:
    """Read a benchmark's definition without its questions.

    Raises:
        BenchmarkError: there is no such benchmark, or its definition is wrong.
    """
    if isinstance(name, str) and is_remote(name):
        path = fetch_remote(name)
    else:
        path = find_definition(name)
    if path.suffix == ".toml":
        return parse_definition(path)
    guess = guess_fields(path)
    return Definition(
        name=bare_path(path).stem,
        version="unversioned",
        path=path,
        source=guess.source,
        fields=guess.fields,
        prompt=PromptFormat(),
    )


def find_definition(name: str | Path) -> Path:
    """The file that a name, or a path, stands for.

    Raises:
        BenchmarkError: with the nearest names that exist.
    """
    path = Path(name)
    if path.suffix == ".toml" or has_known_ending(path) or path.suffix.lower() == ".zip":
        if is_file(path) and path.suffix.lower() == ".zip":
            return the_one_file(path)
        if is_file(path):
            return path
        raise BenchmarkError("no such file", path=path)
    for folder in definition_folders():
        candidate = folder / f"{name}.toml"
        if is_file(candidate):
            return candidate
    names = [found.stem for found in list_definitions()]
    asked = str(name).lower()
    begin = [known for known in names if asked and known.startswith(asked)]
    near = begin[:3] or difflib.get_close_matches(asked, names, n=3)
    hint = f"; near it: {', '.join(near)}" if near else ""
    raise BenchmarkError(
        f"no benchmark {str(name)!r}{hint}. `evalkit list` shows all; "
        f"files of your own end in {', '.join(FORMATS)}, .zip, .gz or .toml"
    )


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file system takes is none."""
    try:
        archive = find_archive(path)
        return path.is_file() if archive is None else archive[1] in list_members(archive[0])
    except OSError:
        return False


def the_one_file(archive: Path) -> Path:
    """The only question file in an archive.

    Raises:
        BenchmarkError: there is none, or there are several.
    """
    found = unpack(archive)
    if len(found) > 1:
        names = ", ".join(path.relative_to(archive).as_posix() for path in found[:5])
        reason = f"{len(found)} question files are in it ({names}, ...)"
        raise BenchmarkError(f"{reason}: name one, such as {found[0]}", path=archive)
    return found[0]


def definition_folders() -> Iterator[Path]:
    """Where definitions lie: in ./benchmarks, with evalkit, in packages of others."""
    yield Path("benchmarks")
    package = Path(__file__).resolve().parent
    shipped = (package / "shipped_benchmarks", package.parent / "benchmarks")
    yield from (folder for folder in shipped if folder.is_dir())
    yield from registered_folders()


def registered_folders() -> Iterator[Path]:
    """The folders of packages that other distributions register as `evalkit.benchmarks`.

    Such a package holds definitions and question files; none of its code is run, but that of the
    packages around it. One that is not there is passed over.
    """
    from importlib.metadata import entry_points  # slow to import

    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            spec = find_spec(entry.module)
        except (ImportError, ValueError):
            continue
        if spec is not None:
            yield from map(Path, spec.submodule_search_locations or ())


def list_definitions() -> Iterator[Path]:
    """The definition files at hand, by name; a nearer folder hides a farther one's."""
    found: dict[str, Path] = {}
    for folder in definition_folders():
        for path in folder.glob("*.toml"):
            found.setdefault(path.stem, path)
    yield from (found[name] for name in sorted(found))


def parse_definition(path: Path) -> Definition:
    """Read and check a definition file.

    Raises:
        BenchmarkError: naming the file and the key.
    """
    table = read_definition(path)
    try:
        return build_definition(path, table)
    except (DefinitionError, PromptError) as error:
        raise BenchmarkError(str(error), path=path) from error


def read_definition(path: Path) -> dict[str, Any]:
    """The tables of a definition file, not checked yet.

    Raises:
        BenchmarkError: it can't be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    # ValueError: no UTF-8, no TOML, or a number of 5,000 digits.
    except (OSError, ValueError, RecursionError) as error:
        raise BenchmarkError(f"can't be read: {error}", path=path) from error


def build_definition(path: Path, table: dict[str, Any]) -> Definition:
    """Check the tables of a definition.

    Raises:
        DefinitionError: a key or value can't be used.
        PromptError: the prompt can't be used.
    """
    if "suite" in table:
        names = ", ".join(read_texts("a suite", table, "suite"))
        raise DefinitionError(f"it is a suite of several benchmarks; name one of them: {names}")
    check_keys("the definition", table, dict.fromkeys((*TEXT_KEYS, *OTHER_KEYS)))
    unverified = read_texts("definition", table, "unverified")
    check_keys("unverified", dict.fromkeys(unverified), dict.fromkeys(FACTS))
    texts = {key: read_text("definition", table, key) or "" for key in TEXT_KEYS}
    texts["name"] = texts["name"] or path.stem
    if not texts["version"]:
        raise DefinitionError('version is missing; for example version = "1"')
    for section in ("source", "columns", "hub_columns", "prompt"):
        if not isinstance(table.get(section, {}), dict):
            raise DefinitionError(f"{section}: expected a table, [{section}]")
    return Definition(
        path=path,
        source=parse_source(table.get("source", {})),
        fields=parse_fields(table.get("columns", {})),
        prompt=parse_prompt_format(table.get("prompt", {})),
        questions=read_number("definition", table, "questions", least=1),
        choices=read_number("definition", table, "choices", least=MIN_CHOICES),
        unverified=unverified,
        hub_fields=parse_fields(table["hub_columns"]) if "hub_columns" in table else None,
        **texts,
    )
